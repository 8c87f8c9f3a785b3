"""Shapes: reshaping, reordering, broadcasting, reversing, repeating."""
import math

import numpy as onp

from ._util import (Array, array_of, axes_of, axis_of, broadcast_shapes as _broadcast_shapes, build, dtypes,
                    fresh, known_values, node_of, ops, shape_of, static_int, wrap)

__all__ = ['reshape', 'ravel', 'transpose', 'permute_dims', 'matrix_transpose', 'moveaxis', 'swapaxes',
           'rollaxis', 'squeeze', 'expand_dims', 'broadcast_to', 'broadcast_arrays', 'broadcast_shapes',
           'flip', 'fliplr', 'flipud', 'rot90', 'roll', 'tile', 'repeat', 'atleast_1d', 'atleast_2d',
           'atleast_3d', 'resize', 'diagonal', 'ndim', 'shape', 'size']


def ndim(a):
    """Number of axes."""
    return node_of(a).aval.ndim


def shape(a):
    """Sizes of the axes."""
    return node_of(a).aval.shape


def size(a, axis=None):
    """Number of elements, or of elements along axes."""
    of = node_of(a).aval
    return of.size if axis is None else math.prod([of.shape[i] for i in axes_of(axis, of.ndim)])


# --- one array in another shape ------------------------------------------------------------------------------------

def reshape(a, shape, order='C', *, copy=None, out_sharding=None):
    """The same elements in another shape; one size may be -1.

    Raises TypeError where the number of elements differs, as JAX does.

    >>> import lazy.numpy as np
    >>> np.arange(6).reshape(2, -1).shape
    (2, 3)
    """
    node = node_of(a)
    sizes = _fill_in(node.aval, shape)
    if order == 'F':
        reversed_ = build.transpose(node, range(node.aval.ndim - 1, -1, -1))
        return wrap(build.transpose(build.reshape(reversed_, sizes[::-1]), range(len(sizes) - 1, -1, -1)))
    if order not in ('C', 'A', 'K', None):
        raise ValueError(f"order is 'C', 'F' or 'A', not {order!r}")
    return wrap(build.reshape(node, sizes))


def _fill_in(of, shape):
    """`shape` with -1 replaced by what is left over."""
    try:
        sizes = tuple(shape)
    except TypeError:
        sizes = (shape,)
    for n in sizes:
        if type(n) is not int:
            sizes = tuple([static_int(n, 'a size') for n in sizes])
            break
    if -1 in sizes:
        rest = math.prod([n for n in sizes if n != -1])
        if sizes.count(-1) > 1:
            raise ValueError(f'can only specify one unknown dimension, got {sizes}')
        if not rest or of.size % rest:
            raise TypeError(f'cannot reshape array of shape {of.shape} (size {of.size}) into shape {sizes}')
        sizes = tuple([of.size // rest if n == -1 else n for n in sizes])
    if math.prod(sizes) != of.size or any(n < 0 for n in sizes):
        raise TypeError(f'cannot reshape array of shape {of.shape} (size {of.size}) into shape {sizes}')
    return sizes


def ravel(a, order='C', *, out_sharding=None):
    """The elements in one axis."""
    return reshape(a, (-1,) if node_of(a).aval.size else (0,), order)


def transpose(a, axes=None):
    """Axes in another order, reversed by default.

    Raises ValueError where `axes` is no permutation.
    """
    node = node_of(a)
    n = node.aval.ndim
    if axes is None:
        return wrap(build.transpose(node, range(n - 1, -1, -1)))
    order = tuple([axis_of(x, n) for x in (axes if hasattr(axes, '__iter__') else (axes,))])
    if sorted(order) != list(range(n)):
        raise ValueError(f"axes {tuple(axes)} don't match an array of shape {node.aval.shape}")
    return wrap(build.transpose(node, order))


def permute_dims(a, /, axes):
    """Axes in another order."""
    return transpose(a, axes)


def matrix_transpose(x, /):
    """The last two axes exchanged."""
    node = node_of(x)
    if node.aval.ndim < 2:
        raise ValueError(f'matrix_transpose needs at least two dimensions, got shape {node.aval.shape}')
    return swapaxes(x, -1, -2)


def moveaxis(a, source, destination):
    """Axes moved to other places; the others keep their order."""
    node = node_of(a)
    n = node.aval.ndim
    sources = [axis_of(s, n) for s in (source if isinstance(source, (tuple, list)) else (source,))]
    places = [axis_of(d, n) for d in (destination if isinstance(destination, (tuple, list)) else (destination,))]
    if len(sources) != len(places):
        raise ValueError(f'as many destinations as sources are needed, got {source} and {destination}')
    if len(set(sources)) != len(sources) or len(set(places)) != len(places):
        raise ValueError(f'repeated axis in source {source} or destination {destination}')
    order = [axis for axis in range(n) if axis not in sources]
    for place, axis in sorted(zip(places, sources)):
        order.insert(place, axis)
    return wrap(build.transpose(node, order))


def swapaxes(a, axis1, axis2):
    """Two axes exchanged."""
    node = node_of(a)
    order = list(range(node.aval.ndim))
    i, j = axis_of(axis1, node.aval.ndim), axis_of(axis2, node.aval.ndim)
    order[i], order[j] = j, i
    return wrap(build.transpose(node, order))


def rollaxis(a, axis, start=0):
    """An axis moved to stand before `start`."""
    n = node_of(a).aval.ndim
    axis = axis_of(axis, n)
    if not -n <= start <= n:
        raise ValueError(f'start={start} must be between {-n} and {n}')
    start = start + n if start < 0 else start
    return moveaxis(a, axis, start - 1 if axis < start else start)


def squeeze(a, axis=None):
    """Axes of size 1 removed.

    Raises ValueError for an axis of another size.
    """
    node = node_of(a)
    if axis is None:
        axes = [i for i, n in enumerate(node.aval.shape) if n == 1]
    else:
        axes = axes_of(axis, node.aval.ndim)
        for i in axes:
            if node.aval.shape[i] != 1:
                raise ValueError(f'cannot select an axis to squeeze out which has size not equal to one: axis {i} of '
                                 f'shape {node.aval.shape}')
    return wrap(build.squeeze(node, axes))


def expand_dims(a, axis):
    """New axes of size 1 at places of the result."""
    node = node_of(a)
    count = len(axis) if isinstance(axis, (tuple, list)) else 1
    return wrap(build.expand_dims(node, axes_of(axis, node.aval.ndim + count)))


# --- broadcasting --------------------------------------------------------------------------------------------------

def broadcast_to(array, shape, *, out_sharding=None):
    """The array repeated along axes of size 1 and new leading axes.

    Raises ValueError where the shapes don't fit.
    """
    node, target = node_of(array), shape_of(shape)
    have = node.aval.shape
    if len(have) > len(target) or any(n != 1 and n != m for n, m in zip(have, target[len(target) - len(have):])):
        raise ValueError(f'incompatible shapes for broadcasting: {have} and requested shape {target}')
    return wrap(build.broadcast_to(node, target))


def broadcast_shapes(*shapes):
    """The shape that arrays of these shapes broadcast to."""
    return _broadcast_shapes('broadcast_shapes', *[shape_of(s) for s in shapes]) if shapes else ()


def broadcast_arrays(*args):
    """The arrays broadcast against each other, as a tuple."""
    nodes = [node_of(x) for x in args]
    if not nodes:
        return ()
    target = _broadcast_shapes('broadcast_arrays', *[n.aval.shape for n in nodes])
    return tuple([wrap(build.broadcast_to(n, target)) for n in nodes])


def _atleast(rank, places):
    """places: for each smaller rank where its axes stand."""
    def function(*arys):
        result = []
        for x in arys:
            node = node_of(x)
            if node.aval.ndim < rank:
                target = [1] * rank
                for place, n in zip(places[node.aval.ndim], node.aval.shape):
                    target[place] = n
                node = build.reshape(node, target)
            result.append(wrap(node))
        return result[0] if len(result) == 1 else result
    function.__name__ = function.__qualname__ = f'atleast_{rank}d'
    function.__doc__ = f'Arrays with axes of size 1 added until there are {rank}; a list for several arrays.'
    return function


atleast_1d, atleast_2d, atleast_3d = (_atleast(1, [()]), _atleast(2, [(), (1,)]), _atleast(3, [(), (1,), (0, 1)]))


# --- reversing and rolling ------------------------------------------------------------------------------------------

def flip(m, axis=None):
    """The order of elements reversed along axes (all by default)."""
    node = node_of(m)
    return wrap(build.rev(node, axes_of(axis, node.aval.ndim)))


def fliplr(m):
    """Columns in reversed order."""
    return flip(_with_axes(m, 2, 'fliplr'), 1)


def flipud(m):
    """Rows in reversed order."""
    return flip(_with_axes(m, 1, 'flipud'), 0)


def _with_axes(m, count, name):
    x = array_of(m)
    if x.ndim < count:
        raise ValueError(f'{name} needs an array of at least {count} dimensions, got shape {x.shape}')
    return x


def rot90(m, k=1, axes=(0, 1)):
    """Rotated k times by 90 degrees in the plane of two axes, from the first to the second."""
    x = fresh(m)
    a, b = [axis_of(axis, x.ndim) for axis in axes]
    if a == b:
        raise ValueError(f'axes must be different, got {axes}')
    k = k % 4
    if k == 0:
        return x
    if k == 2:
        return flip(x, (a, b))
    return swapaxes(flip(x, b), a, b) if k == 1 else flip(swapaxes(x, a, b), b)


def roll(a, shift, axis=None):
    """Elements moved by `shift` along axes, those beyond the end to the front; a shift may be an array."""
    x = array_of(a)
    if axis is None:
        return reshape(roll(ravel(x), shift, 0), x.shape)
    if isinstance(axis, (tuple, list)):
        shifts = list(shift) if isinstance(shift, (tuple, list)) or ndim(shift) else [shift] * len(axis)
        axes = list(axis)
        if len(axes) != len(shifts):
            if len(axes) != 1:
                raise ValueError(f'as many shifts as axes are needed, got {shift} and {axis}')
            axes = axes * len(shifts)
    else:
        shifts = list(shift) if isinstance(shift, (tuple, list)) or ndim(shift) else [shift]
        axes = [axis] * len(shifts)
    node = x._node
    for s, i in zip(shifts, axes):
        node = _roll(node, s, axis_of(i, x.ndim))
    return wrap(node)


def _roll(node, shift, axis):
    n = node.aval.shape[axis]
    if not n:
        return node
    if isinstance(shift, Array):
        places = wrap(build.iota((n,), dtypes.int32)) - shift.astype(dtypes.int32)
        gathered = build.gather(node, [places._node], (axis,), 'wrap')
        return build.moveaxis(gathered, 0, axis)
    at = -static_int(shift, 'a shift') % n
    if not at:
        return node
    return build.concatenate([build.slice_axis(node, axis, at, n), build.slice_axis(node, axis, 0, at)], axis)


# --- repeating --------------------------------------------------------------------------------------------------------

def tile(A, reps):
    """The array repeated as a whole along each axis."""
    node = node_of(A)
    reps = shape_of(reps)
    rank = max(node.aval.ndim, len(reps))
    reps = (1,) * (rank - len(reps)) + reps
    sizes = (1,) * (rank - node.aval.ndim) + node.aval.shape
    if all(r == 1 for r in reps):
        return wrap(build.reshape(node, sizes))
    spread = [n for pair in zip(reps, sizes) for n in pair]
    axes = [2 * (rank - node.aval.ndim + i) + 1 for i in range(node.aval.ndim)]
    tiled = build.broadcast(node, spread, axes)
    return wrap(build.reshape(tiled, [r * n for r, n in zip(reps, sizes)]))


def repeat(a, repeats, axis=None, *, total_repeat_length=None, out_sharding=None):
    """Every element repeated along an axis (of the flattened array by default).

    `repeats` may be an array, one number for each element. Its sum is the size of the result: it is forced unless
    total_repeat_length gives the size, where what is missing repeats the last element.
    """
    from .indexing import take
    x = array_of(a)
    if axis is None:
        x, axis = ravel(x), 0
    axis = axis_of(axis, x.ndim)
    n = x.shape[axis]
    if isinstance(repeats, (int, onp.integer)) and total_repeat_length is None:
        if repeats < 0:
            raise ValueError('repeats may not contain negative values')
        spread = x.shape[:axis + 1] + (int(repeats),) + x.shape[axis + 1:]
        axes = [i if i <= axis else i + 1 for i in range(x.ndim)]
        return wrap(build.reshape(build.broadcast(x._node, spread, axes),
                                  x.shape[:axis] + (n * int(repeats),) + x.shape[axis + 1:]))
    counts = array_of(repeats)
    if not dtypes.is_integer(counts.dtype):
        raise TypeError(f'repeats must be integers, got {counts.aval}')
    if counts.ndim > 1 or counts.size not in (1, n):
        raise ValueError(f'repeats of shape {counts.shape} do not fit axis {axis} of size {n}')
    counts = broadcast_to(ravel(counts), (n,))
    if total_repeat_length is None:
        known = onp.asarray(known_values(counts))
        if (known < 0).any():
            raise ValueError('repeats may not contain negative values')
        return take(x, onp.repeat(onp.arange(n, dtype=onp.int32), known), axis, mode='clip')
    ends = build.make(ops.cumsum, (counts._node,), (0, False))
    places = build.iota((static_int(total_repeat_length, 'total_repeat_length'),), counts.dtype)
    index = build.make(ops.searchsorted, (ends, places), ('right', dtypes.int32))
    return take(x, wrap(index), axis, mode='clip')


def resize(a, new_shape):
    """The elements, repeated as often as is needed, in a new shape."""
    x, sizes = ravel(a), shape_of(new_shape)
    total = math.prod(sizes)
    if not total or not x.size:
        return wrap(build.full(sizes, 0, x.dtype))
    times = -(-total // x.size)
    return reshape((tile(x, times) if times > 1 else x)[:total], sizes)


# --- diagonals --------------------------------------------------------------------------------------------

def diagonal(a, offset=0, axis1=0, axis2=1):
    """A diagonal of the planes of two axes, as the last axis.

    Raises ValueError for fewer than two axes.
    """
    from .creation import take_diagonal
    x = array_of(a)
    if x.ndim < 2:
        raise ValueError(f'diagonal requires an array of at least two dimensions, got shape {x.shape}')
    i, j = axis_of(axis1, x.ndim), axis_of(axis2, x.ndim)
    if i == j:
        raise ValueError('axis1 and axis2 cannot be the same')
    return wrap(take_diagonal(moveaxis(x, (i, j), (-2, -1))._node, static_int(offset, 'offset')))
