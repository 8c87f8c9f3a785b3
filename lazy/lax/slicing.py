"""Slices, static and at places that are known later."""
import operator

from ..array import Array, as_node, wrap
from ..ir import build, dtypes, ops
from .operands import axis_number, axis_numbers, sizes_of
from .shapes import squeeze

_python_slice = slice


def slice(operand, start_indices, limit_indices, strides=None):
    """operand[start:limit:stride] in every dimension, within bounds."""
    x, start, stop = as_node(operand), sizes_of(start_indices), sizes_of(limit_indices)
    step = (1,) * len(start) if strides is None else sizes_of(strides)
    if not len(start) == len(stop) == len(step) == x.aval.ndim:
        raise TypeError(f'slice: indices must have one entry for each dimension of shape {x.aval.shape}, got '
                        f'{start}, {stop}, {step}')
    if any(a < 0 or b > n or a > b or s < 1 for a, b, s, n in zip(start, stop, step, x.aval.shape)):
        raise TypeError(f'slice from {start} to {stop} with strides {step} is not within shape {x.aval.shape}')
    return wrap(build.slice_(x, start, stop, step))


def slice_in_dim(operand, start_index, limit_index, stride=1, axis=0):
    """operand[start:limit:stride] along one axis, as NumPy slices."""
    x = as_node(operand)
    axis = axis_number(axis, x.aval.ndim)
    start, stop, step = _python_slice(start_index, limit_index, stride).indices(x.aval.shape[axis])
    if step < 1:
        raise ValueError(f'slice_in_dim: the stride must be positive, got {stride}')
    return wrap(build.slice_axis(x, axis, start, max(start, stop), step))


def index_in_dim(operand, index, axis=0, keepdims=True):
    """The index-th slice along an axis; a Python integer index."""
    x = as_node(operand)
    axis, index = axis_number(axis, x.aval.ndim), operator.index(index)
    n = x.aval.shape[axis]
    if not -n <= index < n:
        raise IndexError(f'index {index} is out of bounds for axis {axis} with size {n}')
    row = build.slice_axis(x, axis, index % n, index % n + 1)
    return wrap(row if keepdims else build.squeeze(row, (axis,)))


def _starts(name, start_indices, x, sizes, from_end):
    """Start of a slice for each dimension, so that it lies within x: an int where it is known, else a node.

    from_end: whether negative indices count from the end, a bool or one for each dimension.
    """
    if isinstance(start_indices, Array):
        if start_indices.shape != (x.aval.ndim,):
            raise TypeError(f'{name}: start_indices must have one entry for each dimension of {x.aval.shape}, got '
                            f'shape {start_indices.shape}')
        start_indices = list(start_indices)
    if len(start_indices) != x.aval.ndim or len(sizes) != x.aval.ndim:
        raise TypeError(f'{name}: {len(start_indices)} indices and {len(sizes)} sizes for shape {x.aval.shape}')
    if any(not 0 <= size <= n for size, n in zip(sizes, x.aval.shape)):
        raise TypeError(f'{name}: slice sizes must not be larger than the operand, got {tuple(sizes)} for shape '
                        f'{x.aval.shape}')
    from_end = [from_end] * x.aval.ndim if isinstance(from_end, bool) else list(from_end)
    if len(from_end) != x.aval.ndim:
        raise ValueError(f'{name}: allow_negative_indices must be a bool or have one entry for each dimension of '
                         f'{x.aval.shape}, got {from_end}')
    return [_start(name, index, n if wraps else 0, n - size)
            for index, n, size, wraps in zip(start_indices, x.aval.shape, sizes, from_end)]


def _start(name, index, n, last):
    """n: what is added to a negative index."""
    if last == 0:
        return 0
    if isinstance(index, int):
        return min(max(index + n if index < 0 else index, 0), last)
    node = as_node(index)
    if node.aval.shape or not dtypes.is_integer(node.aval.dtype):
        raise TypeError(f'{name}: indices are integer scalars, got {node.aval}')
    if node.op is ops.literal:
        return _start(name, int(node.params[0]), n, last)
    if dtypes.kind(node.aval.dtype) == 'i':
        if n:
            negative = build.lt(node, build.scalar_like(node, 0))
            node = build.select(negative, build.add(node, build.scalar_like(node, n)), node)
        node = build.apply(ops.max_, node, build.scalar_like(node, 0))
    return build.apply(ops.min_, node, build.scalar_like(node, last))


def _index_arrays(starts, sizes, axes):
    """start + 0, 1, ... along an axis of its own for each of `axes`."""
    found = []
    for place, axis in enumerate(axes):
        start = starts[axis]
        dtype = dtypes.int32 if isinstance(start, int) else start.aval.dtype
        start = build.literal(start, dtype) if isinstance(start, int) else start
        row = build.add(build.iota((sizes[axis],), dtype), start)
        found.append(build.reshape(row, [sizes[axis] if i == place else 1 for i in range(len(axes))]))
    return found


def dynamic_slice(operand, start_indices, slice_sizes, *, allow_negative_indices=True):
    """A slice of static size; starts may be arrays, and are moved so that the slice lies within the operand.

    Negative starts count from the end, or are moved to 0 where allow_negative_indices (a bool, or one for each
    dimension) is False.

    >>> import lazy, lazy.numpy as np
    >>> lazy.lax.dynamic_slice(np.arange(5), (np.array(4),), (3,)).tolist()
    [2, 3, 4]
    """
    x, sizes = as_node(operand), sizes_of(slice_sizes)
    starts = _starts('dynamic_slice', start_indices, x, sizes, allow_negative_indices)
    axes = [axis for axis, start in enumerate(starts) if not isinstance(start, int)]
    fixed = [0 if axis in axes else start for axis, start in enumerate(starts)]
    x = build.slice_(x, fixed, [n if axis in axes else a + size
                                for axis, (n, a, size) in enumerate(zip(x.aval.shape, fixed, sizes))])
    if not axes:
        return wrap(x)
    found = build.gather(x, _index_arrays(starts, sizes, axes), axes, 'clip')
    order = axes + [axis for axis in range(x.aval.ndim) if axis not in axes]
    return wrap(build.transpose(found, build.inverse_permutation(order)))


def dynamic_slice_in_dim(operand, start_index, slice_size, axis=0, *, allow_negative_indices=True):
    """dynamic_slice along one axis."""
    x = as_node(operand)
    axis = axis_number(axis, x.aval.ndim)
    return dynamic_slice(operand, [start_index if a == axis else 0 for a in range(x.aval.ndim)],
                         [slice_size if a == axis else n for a, n in enumerate(x.aval.shape)],
                         allow_negative_indices=allow_negative_indices)


def dynamic_index_in_dim(operand, index, axis=0, keepdims=True, *, allow_negative_indices=True):
    """The index-th slice along an axis; the index may be an array."""
    result = dynamic_slice_in_dim(operand, index, 1, axis, allow_negative_indices=allow_negative_indices)
    return result if keepdims else squeeze(result, (axis,))


def dynamic_update_slice(operand, update, start_indices, *, allow_negative_indices=True):
    """The operand with a slice replaced by `update`; starts are moved so that it lies within the operand.

    >>> import lazy, lazy.numpy as np
    >>> lazy.lax.dynamic_update_slice(np.zeros(4), np.ones(2), (1,)).tolist()
    [0.0, 1.0, 1.0, 0.0]
    """
    x, y = as_node(operand), as_node(update)
    if x.aval.dtype != y.aval.dtype:
        raise TypeError(f'dynamic_update_slice requires operand and update of one dtype, got {x.aval} and {y.aval}')
    starts = _starts('dynamic_update_slice', start_indices, x, y.aval.shape, allow_negative_indices)
    axes = [axis for axis, start in enumerate(starts) if not isinstance(start, int)]
    if not axes:
        return wrap(build.slice_update(x, y, starts))
    axes = list(range(x.aval.ndim))
    return wrap(build.scatter(x, y, _index_arrays(starts, y.aval.shape, axes), axes, 'clip', 'set'))


def dynamic_update_slice_in_dim(operand, update, start_index, axis, *, allow_negative_indices=True):
    """dynamic_update_slice along one axis."""
    x = as_node(operand)
    axis = axis_number(axis, x.aval.ndim)
    return dynamic_update_slice(operand, update, [start_index if a == axis else 0 for a in range(x.aval.ndim)],
                                allow_negative_indices=allow_negative_indices)


def dynamic_update_index_in_dim(operand, update, index, axis, *, allow_negative_indices=True):
    """The operand with its index-th slice along an axis replaced."""
    x, y = as_node(operand), as_node(update)
    axis = axis_number(axis, x.aval.ndim)
    if y.aval.ndim != x.aval.ndim:
        y = build.expand_dims(y, (axis,))
    return dynamic_update_slice_in_dim(operand, wrap(y), index, axis, allow_negative_indices=allow_negative_indices)


def index_take(src, idxs, axes):
    """src at index arrays along `axes`: their shape first, then the axes that are left."""
    x = as_node(src)
    return wrap(build.gather(x, [as_node(i) for i in idxs], axis_numbers(axes, x.aval.ndim), 'clip'))
