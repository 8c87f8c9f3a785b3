"""Evaluation: from pending nodes to values.

Forcing walks what is needed, makes a structural key (leaves numbered, scalars lifted to arguments) and looks up
the compiled program. Nodes that the user still holds are kept when recomputing them would be dear. Pending work
is flushed by itself when there is much of it, at the same place of a loop each time, so that the key repeats.
"""
import sys
import threading
import weakref
from collections import OrderedDict, deque
from operator import attrgetter

from .config import config
from .errors import UnexpectedTracerError, no_value
from .ir import graph, ops
from .ir.graph import line_of, next_serial, pending, release_pending, where

FLUSH_NODES = 1000                 # pending nodes at which a flush is looked for
FLUSH_BYTES = 1 << 30              # bytes of new inputs that pending work may hold
PROGRAMS_KEPT = 2000
_OVERDUE = 3                       # a flush happens anyway at this multiple of FLUSH_NODES

lock = threading.RLock()
programs = OrderedDict()
program_holders = weakref.WeakSet()  # others that keep a program, as their attribute `program`
flushes = deque(maxlen=64)         # what was flushed, why and where: read by explain
_serial = attrgetter('serial')
_refcount = sys.getrefcount


class _Thread(threading.local):
    """What is under way in this thread.

    tracing: number of traces; first: the serial at which the outermost began. keeping: number of differentiations,
    which need the inputs of computed nodes.
    """
    tracing = 0
    first = 0
    keeping = 0


thread = _Thread()


class trace:
    """While a function is traced: no flush, and its nodes are no pending work afterwards."""

    def __init__(self, keeping=False):
        self.keeping = keeping

    def __enter__(self):
        if not thread.tracing:
            thread.first = next_serial()
        thread.tracing += 1
        thread.keeping += self.keeping
        self.start = pending[-1].serial if pending else 0

    def __exit__(self, *_):
        thread.tracing -= 1
        thread.keeping -= self.keeping
        if not self.keeping:                   # what depends on a variable can't be computed
            first = len(pending)
            while first and pending[first - 1].serial > self.start:
                first -= 1
            release_pending(first)


class Walk:
    """What evaluating some nodes takes: nodes in topological order, key, leaves, scalars, and who else looks on.

    same: for each scalar the number of the first one that always has its value, if that is known.
    """
    __slots__ = ('nodes', 'key', 'leaves', 'scalars', 'roots', 'live', 'free', 'same')


def walk(roots):
    """The walk from `roots`. Raises where a variable of a trace is met."""
    stamp, stack, nodes = object(), [], []
    for root in roots:
        if root.mark is not stamp:
            root.mark = stamp
            stack.append(root)
    pop, push, found = stack.pop, stack.append, nodes.append
    while stack:
        node = pop()
        found(node)
        if node.value is None:
            for child in node.inputs:
                if child.mark is not stamp:
                    child.mark = stamp
                    push(child)
    nodes.sort(key=_serial)
    result = Walk()
    result.nodes, result.leaves, result.scalars, result.same = nodes, [], [], None
    key, counts = [], [0] * len(nodes)
    add, index = key.append, 0
    leaf, literal, variable, call = ops.leaf, ops.literal, ops.variable, ops.call
    for node in nodes:
        node.mark = index
        index += 1
        if node.value is not None:
            result.leaves.append(node)
            counts[node.mark] += 1             # that list
            add(leaf)
            add(node.aval)
            if node.inputs and not thread.keeping:
                node.op, node.inputs, node.params = leaf, (), None
            continue
        op = node.op
        add(op)
        add(node.aval)
        if op is literal:
            result.scalars.append(node.params[0])
            continue
        if op is variable or op is leaf:
            _refuse(node, roots)
        if op is call:
            body, kind, options = node.params
            structure, scalars = body.structure()
            add((kind, options, structure))
            result.scalars.extend(scalars)
        else:
            add(node.params)
        for child in node.inputs:
            mark = child.mark
            add(mark)
            counts[mark] += 1
    result.roots = [root.mark for root in roots]
    node = child = None                        # these would count as others who look on
    held = _held_elsewhere(nodes, counts)
    outputs = set(result.roots)
    result.live = tuple([i for i in held if nodes[i].value is None and nodes[i].op is not literal and i not in outputs])
    held = set(held)
    result.free = () if thread.keeping else tuple([leaf.mark for leaf in result.leaves if leaf.mark not in held
                                                   and _refcount(leaf.value) <= _BUFFER_ALONE])
    key.append(tuple(result.roots))
    key.append(result.live)
    key.append(result.free)
    result.key = tuple(key)
    return result


def _refuse(node, roots, asked='value'):
    if node.op is ops.leaf:
        raise UnexpectedTracerError('an array was used whose buffer is gone (it was donated, or its computation failed)')
    raise no_value(roots[0], thread.__dict__.get('asked', asked), node)


def _references(nodes, counts):
    """Reference counts of nodes, less those of their consumers and of the pending list."""
    return [_refcount(node) - count - node.held for node, count in zip(nodes, counts)]


def _held_elsewhere(nodes, counts):
    """Indices of nodes that something other than this walk refers to: an Array, a consumer outside of the walk."""
    return [i for i, n in enumerate(_references(nodes, counts)) if n > _ALONE]


def _measure_alone():
    nodes = [graph.Node(ops.leaf, (), None, None, 0), graph.Node(ops.leaf, (), None, None, 0)]
    alone = max(_references(nodes, [0, 0]))
    release_pending(len(pending) - 2)
    return alone


_ALONE = _measure_alone()


def _measure_buffer_alone():
    node = graph.computed(ops.leaf, None, object())
    return _refcount(node.value)


_BUFFER_ALONE = _measure_buffer_alone()    # references to a buffer that only one node has


def force(roots, asked='value', background=False):
    """Compute the values of `roots` (nodes): afterwards each has its buffer, in the background perhaps still being
    filled."""
    roots = [root for root in roots if root.value is None]
    if not roots:
        return
    with lock:
        thread.asked = asked
        try:
            _force(list({root.serial: root for root in roots}.values()), background)
        finally:
            del thread.asked


def _force(roots, background=True):
    """Compute roots. In the background only what can't fail: an error there would hit all the roots alike."""
    found = walk(roots)
    program = _program(found)
    buffers = [leaf.value for leaf in found.leaves]
    results = program.run(buffers, found.scalars, lambda source: line_of(found.nodes, source),
                          background and not program.may_fail)
    keep_inputs = thread.keeping
    nodes = found.nodes
    for index, value in zip(program.nodes, results):
        node = nodes[index]
        node.value = value
        if not keep_inputs:
            node.inputs = ()
            node.op = ops.leaf
            node.params = None
    for slot in program.donated:
        found.leaves[slot].value = None
    del found, nodes
    _sweep()


def wait(buffer):
    """Wait until a buffer is filled; raises what its computation raised."""
    if buffer.ticket is not None:
        from .codegen import runtime
        runtime.wait(buffer)


def is_ready(buffer):
    return buffer.ticket is None or buffer.ticket.done


def _program(found):
    key = found.key, config.target
    program = programs.get(key)
    if program is None or program.outdated:
        from .codegen import compile_program
        program = compile_program(found, config.target, program is not None)
        programs[key] = program
        if len(programs) > PROGRAMS_KEPT:
            programs.popitem(last=False)
    return program


def forget_programs():
    """All programs are made anew when they are next needed."""
    with lock:
        programs.clear()
        for holder in list(program_holders):
            holder.program = None


def _seen(node):
    return _refcount(node)


def _measure_seen():
    node = graph.Node(ops.leaf, (), None, None, 0)
    release_pending(len(pending) - 1)
    return _seen(node)


_SEEN = _measure_seen()


def _sweep():
    """Forget pending nodes that have a value or that nobody can ask for any more."""
    size = len(pending)
    kept, alive = [], []
    for node in pending[:size]:
        if node.value is None:
            kept.append(node)
        else:
            node.held = 0
    node = None
    while kept:                                # latest first: freeing one makes those before it die
        node = kept.pop()
        if _seen(node) - node.held > _SEEN:
            alive.append(node)
        else:
            node.held = 0
            node.inputs = ()                   # the list still holds it, but it must not hold others
    alive.reverse()
    pending[:size] = alive


def check_pending(node):
    """Called with a new node when there is much pending work: flush at the same line of a loop each time."""
    if thread.tracing:
        return
    count = len(pending)
    if node.line == _flush_line[0] or count > _OVERDUE * FLUSH_NODES or _flush_line[0] is None:
        _flush_line[0] = node.line
        flush(f'{count} pending operations')


_flush_line = [None]
_new_bytes = [0]


def count_input(nbytes):
    """Called with the size of each new input: pending work must not hold on to any amount of them."""
    _new_bytes[0] += nbytes
    if _new_bytes[0] > FLUSH_BYTES and not thread.tracing:
        flush(f'{_new_bytes[0] >> 20} MiB of inputs held by pending operations')


def flush(why='asked for'):
    """Start computing all pending arrays that somebody holds."""
    with lock:
        _new_bytes[0] = 0
        _sweep()
        roots = _tips()
        if roots:
            flushes.append((why, len(pending), where(_flush_line[0]) if _flush_line[0] else ''))
            _force_quietly(roots)


class Failure:
    """Stands in the place of a buffer whose computation failed: whoever waits for it gets the error."""

    def __init__(self, error):
        self.error = error

    @property
    def address(self):
        raise self.error

    ticket = array = address


def _force_quietly(roots):
    """Compute roots that nobody waits for: an error stays with the array that has it."""
    error = _error_of(roots)
    if error is None:
        return
    if len(roots) == 1:
        roots[0].value = Failure(error)
        return
    for root in roots:
        if root.value is None:
            _force_quietly([root])


def _error_of(roots):
    """What computing roots raises, without its frames: they would hold nodes and buffers; None where it works."""
    try:
        _force(roots)
    except (ArithmeticError, ValueError, IndexError, MemoryError) as error:
        error.__context__ = None
        return error.with_traceback(None)
    return None


def _tips():
    """Pending nodes that somebody holds, that no other pending node uses, and that depend on no variable."""
    used, unknown = set(), set()
    for node in pending:
        for child in node.inputs:
            used.add(child.serial)
            if child.serial in unknown or (child.op is ops.variable):
                unknown.add(node.serial)
    return [node for node in pending if node.serial not in used and node.serial not in unknown
            and node.op is not ops.variable and type(node.aval) is not tuple]
