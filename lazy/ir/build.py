"""Building nodes from nodes: one function an operation where a rule or an array method needs one.

No promotion happens here: operands have the dtypes that the operation wants. Shortcuts are only those that are
exact: a reshape to the same shape is the operand itself, a conversion to the same type likewise.
"""
import numpy as np

from . import dtypes, ops
from .graph import Node, aval, computed, make, result_aval

_PYTHON = {'b': bool, 'i': int, 'u': int, 'f': float, 'c': complex}


def literal(value, dtype, weak=False):
    """A scalar constant. Its value is an argument of the compiled program, not part of its text."""
    return computed(ops.literal, aval((), dtype, weak), None, (_PYTHON[dtypes.kind(dtype)](value),))


def leaf(value, shape, dtype, weak=False):
    """A node that holds a computed value (a buffer)."""
    return computed(ops.leaf, aval(tuple(shape), dtype, weak), value)


def variable(of):
    """A placeholder with the aval `of`."""
    return Node(ops.variable, (), None, of)


def scalar_like(node, value):
    """A literal of node's dtype; weak, so that it never changes the type of a result."""
    return literal(value, node.aval.dtype, True)


def apply(op, *inputs):
    """An elementwise operation without parameters."""
    return Node(op, inputs, None, result_aval(op, inputs, None))


def _shortcut(op):
    def build(*inputs):
        return Node(op, inputs, None, result_aval(op, inputs, None))
    build.__name__ = op.name
    return build


add, sub, mul, div = (_shortcut(op) for op in (ops.add, ops.sub, ops.mul, ops.div))
neg, safe_mul, select = _shortcut(ops.neg), _shortcut(ops.safe_mul), _shortcut(ops.select)
conj, real, imag, complex_ = (_shortcut(op) for op in (ops.conj, ops.real, ops.imag, ops.complex_))
eq, lt, ge = _shortcut(ops.eq), _shortcut(ops.lt), _shortcut(ops.ge)


def convert(x, dtype, weak=False):
    if x.aval.dtype == dtype and x.aval.weak == weak:
        return x
    if _is_scalar(x, dtype):
        return literal(x.params[0], dtype, weak)
    if x.op in (ops.broadcast, ops.reshape) and x.value is None and _is_scalar(x.inputs[0], dtype):
        return make(x.op, (literal(x.inputs[0].params[0], dtype, weak),), x.params)
    return make(ops.convert, (x,), (dtype, weak))


def _is_scalar(x, dtype):
    """Whether x is a literal whose Python number means the same in `dtype`: its own dtype doesn't round it, or it is
    weak and has not been rounded yet."""
    if x.op is not ops.literal or x.value is not None or dtypes.is_integer(dtype):
        return False
    of, kind = x.aval, dtypes.kind(x.aval.dtype)
    return (kind != 'c' or dtypes.kind(dtype) == 'c') and (of.weak or kind in 'biu' or of.dtype in _WIDEST)


_WIDEST = (dtypes.float64, dtypes.complex128)


def full(shape, value, dtype, weak=False):
    scalar = literal(value, dtype, weak)
    return broadcast(scalar, tuple(shape), ()) if shape else scalar


def zeros(of):
    return full(of.shape, 0, of.dtype)


def ones(of):
    return full(of.shape, 1, of.dtype)


def iota(shape, dtype, axis=0):
    return make(ops.iota, (), (tuple(shape), dtype, axis))


def reshape(x, shape):
    shape = tuple(shape)
    return x if shape == x.aval.shape else make(ops.reshape, (x,), (shape,))


def transpose(x, permutation):
    permutation = tuple(permutation)
    return x if permutation == tuple(range(len(permutation))) else make(ops.transpose, (x,), (permutation,))


def moveaxis(x, source, destination):
    order = [axis for axis in range(x.aval.ndim) if axis != source]
    order.insert(destination, source)
    return transpose(x, order)


def broadcast(x, shape, axes):
    """Broadcast to `shape`, axis i of x going to axes[i]; others are new."""
    shape, axes = tuple(shape), tuple(axes)
    if shape == x.aval.shape and axes == tuple(range(len(shape))):
        return x
    return make(ops.broadcast, (x,), (shape, axes))


def broadcast_to(x, shape):
    """NumPy's broadcast_to: axes align at the end."""
    shape = tuple(shape)
    return broadcast(x, shape, range(len(shape) - x.aval.ndim, len(shape)))


def expand_dims(x, axes):
    """New axes of size 1 at `axes` of the result."""
    rest = iter(x.aval.shape)
    ndim = x.aval.ndim + len(axes)
    return reshape(x, [1 if axis in axes else next(rest) for axis in range(ndim)])


def squeeze(x, axes):
    return reshape(x, [n for axis, n in enumerate(x.aval.shape) if axis not in axes])


def slice_(x, start, stop, step=None):
    start, stop = tuple(start), tuple(stop)
    step = tuple(step) if step is not None else (1,) * len(start)
    if not any(start) and stop == x.aval.shape and all(s == 1 for s in step):
        return x
    return make(ops.slice_, (x,), (start, stop, step))


def slice_axis(x, axis, start, stop, step=1):
    ndim = x.aval.ndim
    return slice_(x, [start if a == axis else 0 for a in range(ndim)],
                  [stop if a == axis else n for a, n in enumerate(x.aval.shape)],
                  [step if a == axis else 1 for a in range(ndim)])


def rev(x, axes):
    axes = tuple(sorted(axes))
    return make(ops.rev, (x,), (axes,)) if axes else x


def concatenate(parts, axis):
    parts = tuple(parts)
    return parts[0] if len(parts) == 1 else make(ops.concatenate, parts, (axis,))


def slice_update(x, y, start, step=None):
    start = tuple(start)
    return make(ops.slice_update, (x, y), (start, tuple(step) if step is not None else (1,) * len(start)))


def pad(x, low, high, value=None):
    """x in the middle of an array that is `value` (a scalar node, 0 by default) elsewhere."""
    if not any(low) and not any(high):
        return x
    shape = tuple([a + n + b for a, n, b in zip(low, x.aval.shape, high)])
    value = literal(0, x.aval.dtype) if value is None else value
    return slice_update(broadcast(value, shape, ()), x, low)


def gather(x, indices, axes, mode):
    return make(ops.gather, (x, *indices), (tuple(axes), mode))


def scatter(x, updates, indices, axes, mode, kind):
    return make(ops.scatter, (x, updates, *indices), (tuple(axes), mode, kind))


def reduce(op, x, axes):
    axes = tuple(sorted(axes))
    return make(op, (x,), (axes,))


def reduce_sum(x, axes):
    return reduce(ops.reduce_sum, x, axes) if axes else x


def sum_to(x, shape):
    """Sum over what broadcasting had added: the transpose of broadcasting `shape` to x's shape."""
    have = x.aval.shape
    if have == shape:
        return x
    extra = len(have) - len(shape)
    axes = [*range(extra), *[i + extra for i, n in enumerate(shape) if n == 1 and have[i + extra] != 1]]
    return reshape(reduce_sum(x, axes), shape)


def dot_general(a, b, contract, batch=((), ())):
    (contract_a, contract_b), (batch_a, batch_b) = contract, batch
    return make(ops.dot_general, (a, b), (tuple(contract_a), tuple(contract_b), tuple(batch_a), tuple(batch_b)))


def project(x, index):
    return make(ops.project, (x,), (index,))


def integer_pow(x, n):
    return x if n == 1 else ones(x.aval) if n == 0 else make(ops.integer_pow, (x,), (n,))


def inverse_permutation(permutation):
    return tuple(np.argsort(permutation).tolist())
