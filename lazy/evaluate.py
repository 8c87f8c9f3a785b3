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

from . import places
from .config import config
from .errors import UnexpectedTracerError, no_value
from .ir import graph, ops
from .ir.graph import ancestors, dependents, here, line_of, next_serial, release_pending, where

FLUSH_NODES = 1000                 # pending nodes at which a flush is looked for
FLUSH_BYTES = 1 << 30              # bytes of new inputs that pending work may hold
PROGRAMS_KEPT = 2000
_OVERDUE = 3                       # a flush happens anyway at this multiple of FLUSH_NODES
_PLACES = 256                      # so many places of flushes are remembered

lock = threading.RLock()
programs = OrderedDict()
copies = OrderedDict()             # those of views of a few elements: many, and soon made
program_holders = weakref.WeakSet()  # others that keep a program, as their attribute `program`
flushes = deque(maxlen=64)         # what was flushed, why and where: read by explain
_serial = attrgetter('serial')
_refcount = sys.getrefcount


class _Thread(threading.local):
    """What is under way in this thread.

    tracing: number of traces; first: the serial at which the outermost began. keeping: number of differentiations,
    which need the inputs of computed nodes. new_bytes: size of the inputs since the last flush. places: those of
    flushes, the latest last; passed: those that were passed since anything was computed.
    """
    tracing = 0
    first = 0
    keeping = 0
    new_bytes = 0

    def __init__(self):
        self.places, self.passed = OrderedDict(), set()


thread = _Thread()
differentiating = []               # an entry for each differentiation that is under way in any thread


class trace:
    """While a function is traced: no flush, and its nodes are no pending work afterwards."""

    def __init__(self, keeping=False):
        self.keeping = keeping

    def __enter__(self):
        if not thread.tracing:
            thread.first = next_serial()
        thread.tracing += 1
        if self.keeping:
            thread.keeping += 1
            differentiating.append(None)
        self.start = next_serial()

    def __exit__(self, *_):
        thread.tracing -= 1
        if self.keeping:
            thread.keeping -= 1
            differentiating.pop()
        else:                                  # what depends on a variable can't be computed
            pending = here.pending
            first = len(pending)
            while first and pending[first - 1].serial > self.start:
                first -= 1
            release_pending(first)


class Walk:
    """What evaluating some nodes takes: nodes in topological order, key, leaves, scalars, and who else looks on.

    same: for each scalar the number of the first one that always has its value, if that is known. places: where the key
    holds the parameters of slices and of their updates.
    """
    __slots__ = ('nodes', 'key', 'leaves', 'scalars', 'roots', 'live', 'free', 'same', 'places')


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
    result.places, slice_, slice_update = [], ops.slice_, ops.slice_update
    leaf, literal, variable, call = ops.leaf, ops.literal, ops.variable, ops.call
    for node in nodes:
        node.mark = index
        index += 1
        if node.value is not None:
            result.leaves.append(node)
            counts[node.mark] += 1             # that list
            add(leaf)
            add(node.aval)
            if node.inputs and not differentiating:
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
            if op is slice_ or op is slice_update:
                result.places.append(len(key))
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
    if result.free and len(roots) + len(result.live) > 1 and any([_may_fail(node) for node in nodes]):
        result.free = ()                       # what doesn't fail is computed again from them
    key.append(tuple(result.roots))
    key.append(result.live)
    key.append(result.free)
    result.key = tuple(key)
    return result


def _may_fail(node):
    """Whether a node's operation can find that there is no result: an index out of range, a singular matrix."""
    if node.value is not None:
        return False
    return 'error' in node.params if node.op in (ops.gather, ops.scatter) else node.op.library and node.op not in _SURE


_SURE = {ops.dot_general, ops.conv, ops.sort, ops.partition, ops.argsort, ops.fft, ops.dct}


def _refuse(node, roots, asked='value'):
    if node.op is ops.leaf:
        raise UnexpectedTracerError('an array was used whose buffer is gone (it was donated, or its computation '
                                    'failed)')
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
    release_pending(len(here.pending) - 2)
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
    if found.live and len(here.pending) > len(found.nodes) - len(found.leaves):
        del found                              # others are pending: dead ones must not count as who looks on
        _sweep()
        found = walk(roots)
    program = _program(found, general=True)
    buffers = [leaf.value for leaf in found.leaves]
    try:
        results = program.run(buffers, found.scalars, _lines(found.nodes) if program.may_fail else None,
                              background and not program.may_fail)
    except Exception as error:
        for slot in program.donated:           # they may have been written over
            found.leaves[slot].value = Failure(error)
        raise
    keep_inputs, mine = thread.keeping, None
    if differentiating and not keep_inputs:    # another thread does: it may look through what this one has not made
        mine = {node.serial for node in here.pending}
    nodes = found.nodes
    for index, value in zip(program.nodes, results):
        node = nodes[index]
        node.value = value
        if not keep_inputs and (mine is None or node.serial in mine):
            node.inputs = ()
            node.op = ops.leaf
            node.params = None
    for slot in program.donated:
        found.leaves[slot].value = None
    del found, nodes
    _sweep()
    thread.passed.clear()


def _lines(nodes):
    """source -> line, as `line_of`, for failures that may come when the nodes are gone."""
    known = [(node.line, node.params) for node in nodes]

    def line(source):
        if type(source) is int:
            return known[source][0]
        _, (body, *_) = known[source[0]]
        return line_of(body.nodes(), source[1:])
    return line


def wait(buffer):
    """Wait until a buffer is filled; raises what its computation raised."""
    if buffer.ticket is not None:
        from .codegen import runtime
        runtime.wait(buffer)


def is_ready(buffer):
    return buffer.ticket is None or buffer.ticket.done


def _program(found, general=False):
    """The program of a walk, made where there is none. general: it may be one that takes the places of slices as
    scalars, and serves this run of the walk only."""
    key, target = (found.key, config.target), config.target
    program = programs.get(key) or copies.get(key)
    if program is None or program.outdated:
        from .codegen import compile_program
        from .codegen.copies import program_of
        few = program_of(found) if target == 'native' else None
        if few is not None:
            return _keep(copies, key, few)
        if general and program is None and found.places:
            placed = places.program_of(found, target, compile_program)
            if placed is not None:
                return placed
        program = _keep(programs, key, compile_program(found, target, program is not None))
    return program


def _keep(kept, key, program):
    kept[key] = program
    if len(kept) > PROGRAMS_KEPT:
        kept.popitem(last=False)
    return program


def forget_programs():
    """All programs are made anew when they are next needed."""
    with lock:
        programs.clear()
        copies.clear()
        places.forget()
        for holder in list(program_holders):
            holder.program = None


def _seen(node):
    return _refcount(node)


def _measure_seen():
    node = graph.Node(ops.leaf, (), None, None, 0)
    release_pending(len(here.pending) - 1)
    return _seen(node)


_SEEN = _measure_seen()


def _sweep():
    """Forget pending nodes that have a value or that nobody can ask for any more."""
    pending = here.pending
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
    """Called with a new node when there is much pending work: flush at the same place of a loop each time.

    What lies between two flushes is a whole number of rounds then, and the same program. The place is that of a flush
    before, or the first that comes by again.
    """
    if thread.tracing:
        return
    count, place = len(here.pending), _place(sys._getframe(1))
    if place in thread.places or place in thread.passed or count > _OVERDUE * FLUSH_NODES:
        thread.places[place] = None
        thread.places.move_to_end(place)
        if len(thread.places) > _PLACES:
            thread.places.popitem(last=False)
        flush(f'{count} pending operations', node.line)
    else:
        thread.passed.add(place)


def _place(frame):
    """A number for what every function that is under way has come to: two calls in one line differ."""
    stack = []
    while frame is not None:
        stack += id(frame.f_code), frame.f_lasti
        frame = frame.f_back
    return hash(tuple(stack))


def count_input(nbytes):
    """Called with the size of each new input: pending work must not hold on to any amount of them."""
    thread.new_bytes += nbytes
    if thread.new_bytes > FLUSH_BYTES and not thread.tracing:
        flush(f'{thread.new_bytes >> 20} MiB of inputs held by pending operations')


def flush(why='asked for', line=None):
    """Start computing all pending arrays of this thread that somebody holds."""
    with lock:
        thread.new_bytes = 0
        _sweep()
        roots = _tips()
        if roots:
            flushes.append((why, len(here.pending), where(line)))
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
    used = {child.serial for node in here.pending for child in node.inputs}
    tips = [node for node in here.pending if node.serial not in used and type(node.aval) is not tuple]
    nodes = ancestors(tips, into=lambda node: node.inputs if node.value is None else ())
    unknown = dependents(nodes, [node for node in nodes if node.op is ops.variable])
    return [node for node in tips if node.serial not in unknown]
