"""New arrays, and arrays in other shapes."""
import operator

from ..array import as_node, wrap
from ..ir import build, dtypes
from ..ir.graph import broadcast_shapes as _broadcast_shapes
from .operands import adapt, axis_number, axis_numbers, sizes_of


def full(shape, fill_value, dtype=None, *, sharding=None):
    """An array of one value."""
    node = as_node(fill_value)
    if node.aval.shape:
        raise TypeError(f'full must be called with a scalar fill_value, got shape {node.aval.shape}')
    if dtype is not None:
        node = build.convert(node, dtypes.as_dtype(dtype))
    return wrap(build.broadcast(node, sizes_of(shape), ()))


def full_like(x, fill_value, dtype=None, shape=None, sharding=None):
    """An array of one value with x's shape and dtype, where no others are given."""
    node = as_node(x)
    return full(node.aval.shape if shape is None else shape, fill_value, dtype or node.aval.dtype)


def empty(shape, dtype, *, out_sharding=None):
    """Zeros: nothing is uninitialised here."""
    return full(shape, 0, dtype)


def iota(dtype, size):
    """0, 1, ... size - 1."""
    return wrap(build.iota((operator.index(size),), dtypes.as_dtype(dtype)))


def broadcasted_iota(dtype, shape, dimension, *, out_sharding=None):
    """Each element's index along one dimension.

    >>> import lazy
    >>> lazy.lax.broadcasted_iota('int32', (2, 2), 1).tolist()
    [[0, 1], [0, 1]]
    """
    shape = sizes_of(shape)
    return wrap(build.iota(shape, dtypes.as_dtype(dtype), axis_number(dimension, len(shape), 'dimension')))


# --- shapes ----------------------------------------------------------------------------------------------------------

def reshape(operand, new_sizes, dimensions=None, *, out_sharding=None):
    """The elements in row-major order (of the transposed operand where `dimensions` is given) in another shape."""
    node = as_node(operand)
    if dimensions is not None:
        node = build.transpose(node, _permutation(dimensions, node))
    return wrap(build.reshape(node, sizes_of(new_sizes)))


def _permutation(permutation, node):
    permutation = tuple([operator.index(axis) for axis in permutation])
    if sorted(permutation) != list(range(node.aval.ndim)):
        raise TypeError(f"transpose permutation isn't a permutation of the operand's dimensions, got permutation "
                        f'{permutation} for shape {node.aval.shape}')
    return permutation


def transpose(operand, permutation):
    """Axis i of the result is axis permutation[i] of the operand."""
    node = as_node(operand)
    return wrap(build.transpose(node, _permutation(permutation, node)))


def broadcast(operand, sizes, *, out_sharding=None):
    """New leading dimensions of these sizes."""
    node, sizes = as_node(operand), sizes_of(sizes)
    return wrap(build.broadcast_to(node, sizes + node.aval.shape))


def broadcast_in_dim(operand, shape, broadcast_dimensions, *, out_sharding=None):
    """Broadcast to `shape`; axis i of the operand becomes axis broadcast_dimensions[i].

    >>> import lazy, lazy.numpy as np
    >>> lazy.lax.broadcast_in_dim(np.arange(2), (2, 3), (0,)).tolist()
    [[0, 0, 0], [1, 1, 1]]
    """
    node, shape, axes = as_node(operand), sizes_of(shape), tuple(broadcast_dimensions)
    if len(axes) != node.aval.ndim:
        raise TypeError(f'broadcast_dimensions must have one entry for each dimension of the operand, got {axes} for '
                        f'shape {node.aval.shape}')
    if list(axes) != sorted(set(axes)) or any(not 0 <= a < len(shape) for a in axes):
        raise TypeError(f'broadcast_dimensions must be strictly increasing and in range, got {axes} for {shape}')
    return wrap(build.broadcast(node, shape, axes))


def broadcast_shapes(*shapes):
    """The shape to which shapes broadcast together."""
    return _broadcast_shapes('broadcast_shapes', *[sizes_of(s) for s in shapes])


def broadcast_like(arr, like_arr):
    """An array broadcast to the shape of another one."""
    return wrap(build.broadcast_to(as_node(arr), as_node(like_arr).aval.shape))


def broadcast_to_rank(x, rank):
    """New leading dimensions of size 1 up to `rank` dimensions."""
    node = as_node(x)
    return wrap(build.reshape(node, (1,) * (rank - node.aval.ndim) + node.aval.shape))


def expand_dims(array, dimensions):
    """New dimensions of size 1 at these places of the result."""
    node = as_node(array)
    return wrap(build.expand_dims(node, axis_numbers(dimensions, node.aval.ndim + len(tuple(dimensions)))))


def squeeze(array, dimensions):
    """Without these dimensions, which have size 1."""
    node = as_node(array)
    axes = axis_numbers(dimensions, node.aval.ndim)
    if any(node.aval.shape[a] != 1 for a in axes):
        raise ValueError(f'cannot select an axis to squeeze out which has size not equal to one, got '
                         f'shape={node.aval.shape} and dimensions={tuple(dimensions)}')
    return wrap(build.squeeze(node, axes))


def collapse(operand, start_dimension, stop_dimension=None):
    """Dimensions start to stop (exclusive) as one."""
    node = as_node(operand)
    ndim = node.aval.ndim
    start, stop, _ = slice(start_dimension, stop_dimension).indices(ndim)
    if start > stop:
        raise ValueError(f'collapse: start_dimension {start_dimension} is after stop_dimension {stop_dimension}')
    shape = node.aval.shape
    size = 1
    for n in shape[start:stop]:
        size *= n
    return wrap(build.reshape(node, (*shape[:start], size, *shape[stop:])))


def rev(operand, dimensions):
    """Reversed along these dimensions."""
    node = as_node(operand)
    return wrap(build.rev(node, axis_numbers(dimensions, node.aval.ndim)))


def concatenate(operands, dimension):
    """Arrays one after the other along a dimension; all of one dtype."""
    nodes = [as_node(x) for x in operands]
    if not nodes:
        raise ValueError('concatenate needs at least one operand')
    if len({n.aval.dtype for n in nodes}) > 1:
        raise TypeError('lax.concatenate requires arguments to have the same dtypes, got '
                        + ', '.join(n.aval.dtype.name for n in nodes))
    return wrap(build.concatenate(nodes, axis_number(dimension, nodes[0].aval.ndim, 'dimension')))


def stack(operands, axis=0):
    """Arrays of one shape along a new axis."""
    nodes = [as_node(x) for x in operands]
    axis = axis_number(axis, nodes[0].aval.ndim + 1)
    return concatenate([wrap(build.expand_dims(n, (axis,))) for n in nodes], axis)


def split(operand, sizes, axis=0):
    """Pieces of these sizes along an axis."""
    node = as_node(operand)
    axis, sizes = axis_number(axis, node.aval.ndim), sizes_of(sizes)
    if sum(sizes) != node.aval.shape[axis]:
        raise ValueError(f'split: the sizes {sizes} do not add up to {node.aval.shape[axis]}, the size of axis {axis}')
    pieces, at = [], 0
    for n in sizes:
        pieces.append(wrap(build.slice_axis(node, axis, at, at + n)))
        at += n
    return pieces


def unstack(x, axis=0):
    """The slices along an axis, as a tuple."""
    node = as_node(x)
    axis = axis_number(axis, node.aval.ndim)
    return tuple([wrap(build.squeeze(piece._node, (axis,))) for piece in split(x, (1,) * node.aval.shape[axis], axis)])


def tile(operand, reps):
    """The array repeated reps[i] times along axis i."""
    node, reps = as_node(operand), sizes_of(reps)
    if len(reps) != node.aval.ndim:
        raise ValueError(f'tile: reps {reps} must have one entry for each dimension of {node.aval.shape}')
    shape = node.aval.shape
    wide = build.broadcast(node, [n for pair in zip(reps, shape) for n in pair], range(1, 2 * len(reps), 2))
    return wrap(build.reshape(wide, [r * n for r, n in zip(reps, shape)]))


def pad(operand, padding_value, padding_config):
    """Padding (low, high, interior) for each dimension; negative low and high cut off.

    >>> import lazy, lazy.numpy as np
    >>> lazy.lax.pad(np.array([1, 2]), np.int32(0), [(1, -1, 1)]).tolist()
    [0, 1, 0]
    """
    x, value = as_node(operand), as_node(padding_value)
    value = adapt(value, x.aval.dtype)
    if value.aval.dtype != x.aval.dtype or value.aval.shape:
        raise TypeError(f'pad operand and padding_value must be of the same dtype, the latter a scalar: got '
                        f'{x.aval} and {value.aval}')
    if len(padding_config) != x.aval.ndim:
        raise ValueError(f'pad: {len(padding_config)} entries of padding_config for {x.aval.ndim} dimensions')
    if any(interior < 0 for _, _, interior in padding_config):
        raise ValueError(f'pad: interior padding must not be negative, got {padding_config}')
    spread = [n + max(n - 1, 0) * i for n, (_, _, i) in zip(x.aval.shape, padding_config)]
    low = [max(a, 0) for a, _, _ in padding_config]
    total = [n + a + max(b, 0) for n, a, (_, b, _) in zip(spread, low, padding_config)]
    if tuple(total) != x.aval.shape:
        frame = build.broadcast(build.convert(value, x.aval.dtype), total, ())
        x = build.slice_update(frame, x, low, [i + 1 for _, _, i in padding_config])
    start = [max(-a, 0) for a, _, _ in padding_config]
    stop = [n - max(-b, 0) for n, (_, b, _) in zip(total, padding_config)]
    return wrap(build.slice_(x, start, [max(a, b) for a, b in zip(start, stop)]))


def shape_as_value(shape):
    """A shape as an integer array."""
    return wrap(as_node(list(shape))) if len(tuple(shape)) else full((0,), 0, dtypes.int32)
