"""Avals and nodes: what an expression graph is made of, and loops that walk it.

A node is one application of an operation. It is immutable but for two things that evaluation does to it: it
receives its `value`, and then forgets its inputs. Every node has a serial number that grows with time, so
sorting by serial is a topological order, and nothing that is older than a variable can depend on it.
"""
import sys
import threading
from itertools import count

from . import dtypes


class Aval:
    """An abstract value: shape, dtype, weakness. Interned by `aval()`: caches compare avals by identity.

    nbytes: of its elements where each has bytes of its own; arrays that live take `dtypes.nbytes`.
    """
    __slots__ = ('shape', 'dtype', 'weak', 'size', 'ndim', 'nbytes', 'scalars')

    def __init__(self, shape, dtype, weak):
        self.shape, self.dtype, self.weak = shape, dtype, weak
        self.ndim = len(shape)
        size = 1
        for n in shape:
            size *= n
        self.size, self.nbytes = size, size * dtype.itemsize
        self.scalars = {}                      # result types with Python scalars, filled by the array layer

    def __reduce__(self):
        return aval, (self.shape, self.dtype, self.weak)

    def __repr__(self):
        return f'{self.dtype.name}[{",".join(map(str, self.shape))}]{"*" if self.weak else ""}'


_avals = {}
_AVALS_KEPT = 100_000


def aval(shape, dtype, weak=False):
    """The interned aval of a shape (tuple of ints) and a NumPy dtype."""
    key = shape, dtype, weak
    found = _avals.get(key)
    if found is None:
        if len(_avals) > _AVALS_KEPT:          # those interned before only miss caches from now on
            _avals.clear()
        found = _avals.setdefault(key, Aval(tuple(int(n) for n in shape), dtype, weak))
    return found


_serial = count(1).__next__
_frame = sys._getframe
INTERNAL = ('lazy.', 'lazy', 'optre')         # first letters of modules whose lines are not the user's


class _Pending(list):
    """Nodes made and not yet evaluated, in order of their making."""

    def __del__(self):                         # its thread has ended: what others hold is computed when they ask for it
        for node in self:
            node.held = 0


class _Here(threading.local):
    """Each thread has pending nodes of its own: a flush must not compute what another thread is still tracing."""

    def __init__(self):
        self.pending = _Pending()


here = _Here()


class Node:
    """op(inputs, **params): aval. `params` is a hashable tuple in the order of the operation's `param_names`.

    value: the result, once computed. line: (code, instruction) of the user's call, read by `where`.
    mark: scratch of evaluation's walk. held: 1 while the node stands in the list of pending nodes.
    depth: how many callers up are certainly not the user.
    """
    __slots__ = ('op', 'inputs', 'params', 'aval', 'value', 'serial', 'line', 'mark', 'held', '__weakref__')

    def __init__(self, op, inputs, params, aval, value=None, depth=1):
        self.op, self.inputs, self.params, self.aval, self.value = op, inputs, params, aval, value
        self.serial = _serial()
        self.mark = None
        self.held = 1
        here.pending.append(self)
        frame = _frame(depth)
        while frame is not None and frame.f_globals.get('__name__', '')[:5] in INTERNAL:
            frame = frame.f_back
        self.line = (frame.f_code, frame.f_lasti) if frame is not None else None

    @property
    def shape(self):
        return self.aval.shape

    @property
    def dtype(self):
        return self.aval.dtype

    @property
    def ndim(self):
        return self.aval.ndim

    @property
    def size(self):
        return self.aval.size

    def param(self, name):
        return self.params[self.op.param_names.index(name)]

    def __repr__(self):
        arguments = ', '.join(f'%{n.serial}' for n in self.inputs)
        params = ', '.join(f'{k}={v}' for k, v in zip(self.op.param_names, self.params or ()))
        return f'%{self.serial} = {self.op.name}({arguments}{"; " + params if params else ""}): {self.aval}'


def computed(op, of, value, params=None):
    """A node without inputs that is no pending work and has no line of its own: a leaf with its value, a literal."""
    node = _new_node(Node)
    node.op, node.inputs, node.params, node.aval, node.value = op, (), params, of, value
    node.serial = _serial()
    node.held = 0
    node.line = node.mark = None
    return node


_new_node = object.__new__


def next_serial():
    """A serial between the nodes made before and those made after."""
    return _serial()


def release_pending(start, stop=None):
    """Take the nodes from `start` on, up to `stop`, out of the thread's pending list: a trace has ended."""
    pending = here.pending
    stop = len(pending) if stop is None else stop
    for node in pending[start:stop]:
        node.held = 0
    del pending[start:stop]


def where(node_or_line):
    """'file:line' of the user's call that made a node; '' where it isn't known."""
    line = node_or_line.line if isinstance(node_or_line, Node) else node_or_line
    if line is None:
        return ''
    code, instruction = line
    number = code.co_firstlineno
    for start, end, at in code.co_lines():
        if start <= instruction < end and at is not None:
            number = at
            break
    return f'{code.co_filename}:{number}'


def line_of(nodes, source):
    """The line of what a compiled instruction came from: `source` is a number in `nodes`, or that of a call and, number
    by number, the place in its body."""
    if type(source) is int:
        return nodes[source].line
    node = nodes[source[0]]
    for number in source[1:]:
        node = node.params[0].nodes()[number]
    return node.line


def ancestors(roots, after=0, into=None):
    """All nodes that `roots` are computed from, roots included, in topological order.

    Stops at nodes with a serial of at most `after` (they are left out). `into(node)` gives the inputs to follow,
    by default all.
    """
    seen, stack = {}, []
    for root in roots:
        if root.serial > after and root.serial not in seen:
            seen[root.serial] = root
            stack.append(root)
    while stack:
        node = stack.pop()
        for child in (node.inputs if into is None else into(node)):
            serial = child.serial
            if serial > after and serial not in seen:
                seen[serial] = child
                stack.append(child)
    return [seen[serial] for serial in sorted(seen)]


def dependents(nodes, sources):
    """Serials of those `nodes` (topologically ordered) that depend on one of `sources`, sources included."""
    reached = {source.serial for source in sources}
    for node in nodes:
        for child in node.inputs:
            if child.serial in reached:
                reached.add(node.serial)
                break
    return reached


def substitute(outputs, mapping, after=0):
    """The outputs with `mapping` {serial: node} applied: every node that depends on a replaced one is made anew.

    Before: out = add(mul(x, c), c), mapping {x: y}. After: add'(mul'(y, c), c). Lines are kept.
    """
    new = dict(mapping)
    for node in ancestors(outputs, after, lambda n: () if n.serial in mapping else n.inputs):
        if node.serial in new or node.value is not None:
            continue
        for child in node.inputs:
            if child.serial in new:
                break
        else:
            continue
        copy = Node(node.op, tuple([new.get(c.serial, c) for c in node.inputs]), node.params, node.aval)
        copy.line = node.line
        new[node.serial] = copy
    return [new.get(out.serial, out) for out in outputs]


class Graph:
    """A closed sub-graph: outputs as a function of placeholder inputs, and of nothing else but literals.

    It is the body of nodes such as `call`, and what tracing a function yields.
    """
    __slots__ = ('inputs', 'outputs', '_structure', '__weakref__')

    def __init__(self, inputs, outputs):
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        self._structure = None

    @property
    def avals(self):
        return tuple(out.aval for out in self.outputs)

    def nodes(self):
        return ancestors(self.outputs)

    def inline(self, arguments):
        """The outputs, computed from `arguments` in place of the inputs."""
        return substitute(self.outputs, {p.serial: a for p, a in zip(self.inputs, arguments)})

    def structure(self):
        """(key, scalars): equal keys mean the same computation but for the values of the literals."""
        if self._structure is None:
            place = {node.serial: -1 - i for i, node in enumerate(self.inputs)}
            key, scalars = [node.aval for node in self.inputs], []
            for index, node in enumerate([n for n in self.nodes() if n.serial not in place]):
                place[node.serial] = index
                key += [node.op, node.aval]
                if node.op.name == 'literal':
                    scalars.append(node.params[0])
                elif node.op.name == 'call':
                    inner, inner_scalars = node.params[0].structure()
                    key.append((node.params[1:], inner))
                    scalars += inner_scalars
                else:
                    key.append(node.params)
                key += [place[child.serial] for child in node.inputs]
            key += [place[out.serial] for out in self.outputs]
            self._structure = tuple(key), scalars
        return self._structure


class Op:
    """What an operation is; `ops.py` holds the table.

    numpy: reference, called with the input arrays and the params as keywords.
    infer: (avals, params) -> aval; None for elementwise operations.
    formula, partials: SymPy text in x, y, z; derivatives in the same letters, `r` being the result itself.
    classes: kinds of operand dtypes, of 'biufc'. result: 'same', 'bool', 'real', 'uint32'.
    reduction, scan: the operation that combines two elements, of what reduces axes or accumulates along one.
    jvp, transpose, batch: rules that lazy.autodiff enters here.
    """

    def __init__(self, name, numpy=None, *, infer=None, param_names=(), elementwise=False, arity=None,
                 formula=None, partials=None, singular=False, linear=False, classes='biufc', result='same',
                 triton=None, is_constant=False, view=False, reduction=None, scan=None, library=False, cost=1):
        self.name, self.numpy, self.infer, self.param_names = name, numpy, infer, tuple(param_names)
        self.elementwise, self.arity, self.formula, self.partials = elementwise, arity, formula, partials
        self.singular, self.linear, self.classes, self.result = singular, linear, classes, result
        self.triton, self.is_constant, self.view = triton, is_constant, view
        self.reduction, self.scan, self.library, self.cost = reduction, scan, library, cost
        self.jvp = self.transpose = self.batch = None
        self._avals = {}

    def __repr__(self):
        return self.name

    def __reduce__(self):
        from .ops import OPS
        return OPS.__getitem__, (self.name,)


def result_aval(op, inputs, params):
    """The aval of op(*inputs; params), cached by the operands' avals."""
    key = (*[n.aval for n in inputs], params)
    found = op._avals.get(key)
    if found is None:
        avals = [n.aval for n in inputs]
        if op.infer is None:
            found = elementwise_aval(op, avals, params)
        else:
            found = op.infer(avals, **dict(zip(op.param_names, params or ())))
        if len(op._avals) > 20_000:
            op._avals.clear()
        op._avals[key] = found
    return found


def elementwise_aval(op, avals, params):
    if op.arity is not None and len(avals) != op.arity:
        raise TypeError(f'{op.name} takes {op.arity} operands, got {len(avals)}')
    operands = avals[1:] if op.name == 'select' else avals
    dtype = operands[0].dtype
    for other in operands:
        if other.dtype != dtype:
            raise TypeError(f'{op.name} needs operands of one dtype, got {", ".join(map(repr, avals))}')
    if dtypes.kind(dtype) not in op.classes:
        raise TypeError(f'{op.name} does not take {dtype.name}')
    result = {'bool': dtypes.bool_, 'real': dtypes.real_of(dtype), 'uint32': dtypes.uint32,
              'complex': dtypes.complex_of(dtype)}.get(op.result, dtype)
    if op.result == 'param':
        result = params[0]
    return aval(broadcast_shapes(op.name, *[a.shape for a in avals]), result,
                all(a.weak for a in operands) and op.result == 'same')


def broadcast_shapes(what, *shapes):
    """NumPy's broadcasting of shapes; ValueError naming them where they don't fit."""
    first = shapes[0]
    if all(shape == first for shape in shapes):
        return first
    rank = max(map(len, shapes))
    result = []
    for axis in range(-rank, 0):
        size = 1
        for shape in shapes:
            n = shape[axis] if -axis <= len(shape) else 1
            if n != 1:
                if size != 1 and size != n:
                    raise ValueError(f'{what}: operands could not be broadcast together with shapes '
                                     + ' '.join(map(str, shapes)))
                size = n
        result.append(size)
    return tuple(result)


def make(op, inputs, params=None):
    """A node of `op` over `inputs` (nodes), its aval inferred. Errors name shapes and dtypes."""
    inputs = tuple(inputs)
    return Node(op, inputs, params, result_aval(op, inputs, params))
