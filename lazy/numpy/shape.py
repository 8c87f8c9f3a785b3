"""Shapes: reshaping, reordering, broadcasting, joining, splitting, repeating, padding."""
import math

import numpy as onp

from ..array import from_numpy
from ._util import (ALL_AXES, Array, array_of, as_node, axes_of, axis_of, broadcast_shapes as _broadcast_shapes, build,
                    convert_operand, dtype_of, dtypes, node_of, no_out, ops, scalar_of, shape_of, static_int, wrap)

__all__ = ['reshape', 'ravel', 'transpose', 'permute_dims', 'matrix_transpose', 'moveaxis', 'swapaxes', 'rollaxis', 'squeeze',
           'expand_dims', 'broadcast_to', 'broadcast_arrays', 'broadcast_shapes', 'flip', 'fliplr', 'flipud', 'rot90', 'roll',
           'tile', 'repeat', 'pad', 'atleast_1d', 'atleast_2d', 'atleast_3d', 'concatenate', 'concat', 'stack', 'unstack',
           'vstack', 'hstack', 'dstack', 'column_stack', 'block', 'split', 'array_split', 'vsplit', 'hsplit', 'dsplit',
           'append', 'resize', 'diagonal', 'diff', 'ediff1d', 'ndim', 'shape', 'size', 'trim_zeros', 'insert', 'delete']


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
    """The arrays broadcast against each other, as a list."""
    nodes = [node_of(x) for x in args]
    if not nodes:
        return []
    target = _broadcast_shapes('broadcast_arrays', *[n.aval.shape for n in nodes])
    return [wrap(build.broadcast_to(n, target)) for n in nodes]


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
    x = array_of(m)
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


# --- joining -----------------------------------------------------------------------------------------------------------

def _parts(arrays, name, dtype=None):
    """Nodes of the arrays that are joined, in one dtype."""
    if isinstance(arrays, Array):
        arrays = list(arrays) if arrays.ndim else _no_sequence(name, arrays)
    elif isinstance(arrays, onp.ndarray):
        arrays = list(arrays)
    if not isinstance(arrays, (tuple, list)):
        _no_sequence(name, arrays)
    if not arrays:
        raise ValueError(f'{name}: need at least one array')
    nodes = [node_of(x) for x in arrays]
    if dtype is None:
        first = nodes[0].aval.dtype
        if all(n.aval.dtype == first for n in nodes):
            return nodes
        dtype, _ = dtypes.promote(*[(n.aval.dtype, n.aval.weak) for n in nodes])
    dtype = dtypes.as_dtype(dtype)
    return [build.convert(n, dtype) for n in nodes]


def _no_sequence(name, arrays):
    raise TypeError(f'{name} needs a sequence of arrays, not {type(arrays).__name__}')


def concatenate(arrays, axis=0, dtype=None):
    """Arrays joined along an axis that they have; axis=None flattens them first.

    Raises ValueError where other axes differ, TypeError where the numbers of axes do.

    >>> import lazy.numpy as np
    >>> np.concatenate([np.ones(2), np.zeros(1)]).tolist()
    [1.0, 1.0, 0.0]
    """
    nodes = _parts(arrays, 'concatenate', dtype)
    if axis is None:
        nodes, axis = [build.reshape(n, (n.aval.size,)) for n in nodes], 0
    first = nodes[0].aval.shape
    if not first:
        raise ValueError('zero-dimensional arrays cannot be concatenated')
    axis = axis_of(axis, len(first))
    if any(n.aval.ndim != len(first) for n in nodes):
        raise TypeError('cannot concatenate arrays with different numbers of dimensions: got '
                        + ', '.join(str(n.aval.shape) for n in nodes))
    return wrap(build.concatenate(nodes, axis))


def concat(arrays, /, *, axis=0):
    """Arrays joined along an axis that they have."""
    return concatenate(arrays, axis)


def stack(arrays, axis=0, out=None, dtype=None):
    """Arrays of one shape joined along a new axis.

    Raises ValueError where the shapes differ.
    """
    no_out(out, 'stack')
    nodes = _parts(arrays, 'stack', dtype)
    first = nodes[0].aval.shape
    if any(n.aval.shape != first for n in nodes):
        raise ValueError('all input arrays must have the same shape, got ' + ', '.join(str(n.aval.shape) for n in nodes))
    axis = axis_of(axis, len(first) + 1)
    return wrap(build.concatenate([build.expand_dims(n, (axis,)) for n in nodes], axis))


def unstack(x, /, *, axis=0):
    """The sub-arrays along an axis, as a tuple."""
    node = node_of(x)
    if node.aval.ndim == 0:
        raise ValueError('unstack needs an array of at least one dimension')
    axis = axis_of(axis, node.aval.ndim)
    return tuple([wrap(build.squeeze(build.slice_axis(node, axis, i, i + 1), (axis,)))
                  for i in range(node.aval.shape[axis])])


def _raised(arrays, raise_, name):
    if not isinstance(arrays, (tuple, list, Array, onp.ndarray)):
        _no_sequence(name, arrays)
    if isinstance(arrays, (Array, onp.ndarray)) and not arrays.ndim:
        _no_sequence(name, arrays)
    return [raise_(x) for x in arrays]


def vstack(tup, dtype=None):
    """Arrays joined as rows."""
    return concatenate(_raised(tup, atleast_2d, 'vstack'), 0, dtype)


def hstack(tup, dtype=None):
    """Arrays joined as columns; vectors end to end."""
    parts = _raised(tup, atleast_1d, 'hstack')
    return concatenate(parts, 0 if parts and parts[0].ndim == 1 else 1, dtype)


def dstack(tup, dtype=None):
    """Arrays joined along the third axis."""
    return concatenate(_raised(tup, atleast_3d, 'dstack'), 2, dtype)


def column_stack(tup):
    """Vectors joined as columns."""
    def column(x):
        x = array_of(x)
        return x if x.ndim >= 2 else reshape(x, (-1, 1) if x.size else (0, 1))
    return concatenate(_raised(tup, column, 'column_stack'), 1)


def block(arrays):
    """Arrays put together from nested lists of blocks."""
    depth = _depth(arrays)
    leaves = []
    _collect(arrays, leaves)
    rank = max([depth, *[ndim(x) for x in leaves]])
    return _block(arrays, depth, rank, 0)


def _depth(x):
    if not isinstance(x, list):
        if isinstance(x, tuple):
            raise TypeError('block takes nested lists, not tuples')
        return 0
    if not x:
        raise ValueError('block: an empty list cannot be joined')
    depths = {_depth(item) for item in x}
    if len(depths) > 1:
        raise ValueError('block: the lists are nested to different depths')
    return 1 + depths.pop()


def _collect(x, leaves):
    if isinstance(x, list):
        for item in x:
            _collect(item, leaves)
    else:
        leaves.append(x)


def _block(x, depth, rank, level):
    if not isinstance(x, list):
        x = array_of(x)
        return reshape(x, (1,) * (rank - x.ndim) + x.shape)
    return concatenate([_block(item, depth, rank, level + 1) for item in x], level - depth)


def append(arr, values, axis=None):
    """`values` joined to the end of an array; both are flattened when axis is None."""
    return concatenate([arr, values], axis)


# --- splitting ----------------------------------------------------------------------------------------------------------

def _cuts(node, sections, axis, equal):
    n = node.aval.shape[axis]
    if isinstance(sections, (int, onp.integer)):
        if sections <= 0:
            raise ValueError('number of sections must be larger than 0')
        each, extra = divmod(n, int(sections))
        if equal and extra:
            raise ValueError(f'array split does not result in an equal division: axis {axis} of shape '
                             f'{node.aval.shape} into {sections}')
        sizes = [each + 1] * extra + [each] * (int(sections) - extra)
        return [0, *onp.cumsum(sizes).tolist()]
    points = [static_int(i, 'a split point') for i in sections]
    return [0, *[min(max(i + n if i < 0 else i, 0), n) for i in points], n]


def _split(ary, sections, axis, equal):
    node = node_of(ary)
    axis = axis_of(axis, node.aval.ndim)
    cuts = _cuts(node, sections, axis, equal)
    return [wrap(build.slice_axis(node, axis, a, max(a, b))) for a, b in zip(cuts, cuts[1:])]


def split(ary, indices_or_sections, axis=0):
    """The array cut along an axis: in n equal parts, or before the given indices. A list.

    Raises ValueError where n does not divide the size of the axis.
    """
    return _split(ary, indices_or_sections, axis, True)


def array_split(ary, indices_or_sections, axis=0):
    """Like `split`, in parts whose sizes may differ by one."""
    return _split(ary, indices_or_sections, axis, False)


def vsplit(ary, indices_or_sections):
    """split along the first axis."""
    return split(_with_axes(ary, 2, 'vsplit'), indices_or_sections, 0)


def hsplit(ary, indices_or_sections):
    """split along the second axis; of vectors along the first."""
    x = _with_axes(ary, 1, 'hsplit')
    return split(x, indices_or_sections, 0 if x.ndim == 1 else 1)


def dsplit(ary, indices_or_sections):
    """split along the third axis."""
    return split(_with_axes(ary, 3, 'dsplit'), indices_or_sections, 2)


# --- repeating -------------------------------------------------------------------------------------------------------------

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
    axis = axis_of(axis, x.ndim) if x.ndim else 0
    n = x.shape[axis]
    if isinstance(repeats, (int, onp.integer)) and total_repeat_length is None:
        if repeats < 0:
            raise ValueError('repeats may not contain negative values')
        spread = x.shape[:axis + 1] + (int(repeats),) + x.shape[axis + 1:]
        axes = [i if i <= axis else i + 1 for i in range(x.ndim)]
        return wrap(build.reshape(build.broadcast(x._node, spread, axes), x.shape[:axis] + (n * int(repeats),) + x.shape[axis + 1:]))
    counts = array_of(repeats)
    if not dtypes.is_integer(counts.dtype):
        raise TypeError(f'repeats must be integers, got {counts.aval}')
    if counts.ndim > 1 or counts.size not in (1, n):
        raise ValueError(f'repeats of shape {counts.shape} do not fit axis {axis} of size {n}')
    counts = broadcast_to(ravel(counts), (n,))
    if total_repeat_length is None:
        known = onp.asarray(_known(counts))
        if (known < 0).any():
            raise ValueError('repeats may not contain negative values')
        return take(x, onp.repeat(onp.arange(n, dtype=onp.int32), known), axis, mode='clip')
    ends = build.make(ops.cumsum, (counts._node,), (0, False))
    places = build.iota((static_int(total_repeat_length, 'total_repeat_length'),), counts.dtype)
    index = build.make(ops.searchsorted, (ends, places), ('right', dtypes.int32))
    return take(x, wrap(index), axis, mode='clip')


def _known(x):
    from ..array import to_numpy
    return to_numpy(x._node, 'int')


def resize(a, new_shape):
    """The elements, repeated as often as is needed, in a new shape."""
    x, sizes = ravel(a), shape_of(new_shape)
    total = math.prod(sizes)
    if not total or not x.size:
        return wrap(build.full(sizes, 0, x.dtype))
    times = -(-total // x.size)
    return reshape((tile(x, times) if times > 1 else x)[:total], sizes)


# --- padding ---------------------------------------------------------------------------------------------------------------

_BY_INDEX = ('edge', 'reflect', 'symmetric', 'wrap')


def pad(array, pad_width, mode='constant', **kwargs):
    """The array with elements added on the sides of each axis: constants, its edge, its reflection, ...

    pad_width: a number, (before, after), one such pair for each axis, or a dict of axes. mode: as NumPy's, or a function.

    >>> import lazy.numpy as np
    >>> np.pad(np.array([1, 2]), 1).tolist()
    [0, 1, 2, 0]
    """
    node = node_of(array)
    widths = _pairs(pad_width, node.aval.ndim, 'pad_width')
    if any(n < 0 for pair in widths for n in pair):
        raise ValueError("index can't contain negative values")
    if callable(mode):
        return _pad_function(wrap(node), widths, mode, kwargs)
    allowed = {'constant': ('constant_values',), 'linear_ramp': ('end_values',), 'reflect': ('reflect_type',),
               'symmetric': ('reflect_type',), **{m: ('stat_length',) for m in ('maximum', 'mean', 'median', 'minimum')}}
    if mode not in (*allowed, *_BY_INDEX, 'empty'):
        raise NotImplementedError(f'unimplemented padding mode {mode!r} for pad')
    unknown = set(kwargs) - set(allowed.get(mode, ()))
    if unknown:
        raise ValueError(f"unsupported keyword arguments for mode {mode!r}: {', '.join(sorted(unknown))}")
    if mode in ('constant', 'empty'):
        return _pad_constant(node, widths, kwargs.get('constant_values', 0))
    if mode in _BY_INDEX:
        if kwargs.get('reflect_type', 'even') == 'odd':
            return _pad_odd(node, widths, mode)
        for axis, (low, high) in enumerate(widths):
            if low or high:
                node = _pad_index(node, axis, low, high, mode)
        return wrap(node)
    return _pad_computed(node, widths, mode, kwargs)


def _pairs(value, rank, name):
    """[(before, after)] for every axis from what NumPy accepts."""
    if isinstance(value, dict):
        result = [(0, 0)] * rank
        for axis, v in value.items():
            result[axis_of(axis, rank)] = (v, v) if isinstance(v, int) else tuple(v)
        return result
    try:
        pairs = onp.broadcast_to(onp.asarray(value), (rank, 2))
    except ValueError:
        raise ValueError(f'{name} {value} does not broadcast to {(rank, 2)}: one (before, after) for each axis') from None
    if pairs.dtype.kind not in 'iu':
        raise TypeError(f'`{name}` must be of integral type, got {value}')
    return [tuple(pair) for pair in pairs.tolist()]


def _pad_constant(node, widths, values):
    if isinstance(values, (bool, int, float, complex)) or isinstance(values, Array) and not values.ndim:
        value = scalar_of(values, node.aval.dtype)
        return wrap(build.pad(node, [a for a, _ in widths], [b for _, b in widths], value))
    values = array_of(values)
    values = broadcast_to(values, (len(widths), 2)).astype(node.aval.dtype)
    for axis, (low, high) in enumerate(widths):
        sides = [[0] * node.aval.ndim, [0] * node.aval.ndim]
        sides[0][axis] = low
        node = build.pad(node, *sides, values[axis, 0]._node)
        sides = [[0] * node.aval.ndim, [0] * node.aval.ndim]
        sides[1][axis] = high
        node = build.pad(node, *sides, values[axis, 1]._node)
    return wrap(node)


def _pad_index(node, axis, low, high, mode):
    """Padding that copies elements: their indices fall into a few runs, each a slice."""
    n = node.aval.shape[axis]
    if not n:
        raise ValueError(f"can't extend empty axis {axis} using modes other than 'constant' or 'empty'")
    index = onp.pad(onp.arange(n), (low, high), mode)
    runs = _runs(index.tolist())
    if len(runs) > 12:
        found = build.gather(node, [from_numpy(index.astype(onp.int32))], (axis,), 'clip')
        return build.moveaxis(found, 0, axis)
    return build.concatenate([_run(node, axis, *run) for run in runs], axis)


def _runs(index):
    """[(first, count, step)] of maximal runs with step 1, -1 or 0."""
    result, at = [], 0
    while at < len(index):
        end = at + 1
        step = index[end] - index[at] if end < len(index) else 1
        if step in (-1, 0, 1):
            while end < len(index) and index[end] - index[end - 1] == step:
                end += 1
        else:
            step = 1
        result.append((index[at], end - at, step))
        at = end
    return result


def _run(node, axis, first, count, step):
    if step == 0:
        part = build.slice_axis(node, axis, first, first + 1)
        return build.broadcast_to(part, node.aval.shape[:axis] + (count,) + node.aval.shape[axis + 1:])
    if step == 1:
        return build.slice_axis(node, axis, first, first + count)
    return build.rev(build.slice_axis(node, axis, first - count + 1, first + 1), (axis,))


def _pad_odd(node, widths, mode):
    """Reflection about the edge value: twice the edge less the reflected elements."""
    x = wrap(node)
    for axis, (low, high) in enumerate(widths):
        while low or high:
            n = x.shape[axis]
            most = n - 1 if mode == 'reflect' else n
            if most <= 0:
                return pad(x, [(low, high) if i == axis else (0, 0) for i in range(x.ndim)], 'edge')
            a, b = min(low, most), min(high, most)
            base = wrap(_pad_index(x._node, axis, a, b, mode))
            edge = wrap(_pad_index(x._node, axis, a, b, 'edge'))
            flipped = 2 * edge - base
            parts = [build.slice_axis(flipped._node, axis, 0, a), x._node,
                     build.slice_axis(flipped._node, axis, a + n, a + n + b)]
            x = wrap(build.concatenate(parts, axis))
            low, high = low - a, high - b
    return x


def _pad_computed(node, widths, mode, kwargs):
    from . import reductions, sorting
    from .creation import linspace
    from .elementwise import rint
    x = wrap(node)
    rank = x.ndim
    lengths = kwargs.get('stat_length')
    lengths = [(None, None)] * rank if lengths is None else _pairs(lengths, rank, 'stat_length')
    ends = onp.broadcast_to(onp.asarray(kwargs.get('end_values', 0)), (rank, 2))
    function = {'maximum': reductions.max, 'minimum': reductions.min, 'mean': reductions.mean,
                'median': sorting.median}.get(mode)
    for axis, (low, high) in enumerate(widths):
        n = x.shape[axis]
        if not low and not high:
            continue
        if not n:
            raise ValueError(f"can't extend empty axis {axis} using modes other than 'constant' or 'empty'")
        sides = []
        for width, side in ((low, 0), (high, 1)):
            if mode == 'linear_ramp':
                edge = wrap(build.slice_axis(x._node, axis, 0, 1) if side == 0 else build.slice_axis(x._node, axis, n - 1, n))
                ramp = linspace(float(ends[axis, side]), squeeze(edge, axis), width, endpoint=False, axis=axis)
                ramp = ramp if dtypes.is_inexact(x.dtype) else ramp
                sides.append((ramp if side == 0 else flip(ramp, axis)).astype(x.dtype))
                continue
            length = min(lengths[axis][side] or n, n)
            part = wrap(build.slice_axis(x._node, axis, 0, length) if side == 0
                        else build.slice_axis(x._node, axis, n - length, n))
            value = function(part, axis, keepdims=True)
            if not dtypes.is_inexact(x.dtype):
                value = rint(value)
            sides.append(broadcast_to(value.astype(x.dtype), x.shape[:axis] + (width,) + x.shape[axis + 1:]))
        x = concatenate([sides[0], x, sides[1]], axis)
    return x


def _pad_function(x, widths, function, kwargs):
    from .functional import apply_along_axis
    padded = _pad_constant(x._node, widths, 0)
    for axis, width in enumerate(widths):
        padded = apply_along_axis(function, axis, padded, width, axis, kwargs)
    return padded


# --- diagonals and differences --------------------------------------------------------------------------------------------

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


def diff(a, n=1, axis=-1, prepend=None, append=None):
    """n-th differences of neighbours along an axis.

    Raises ValueError for a negative n.
    """
    x = array_of(a)
    if n < 0:
        raise ValueError(f'order must be non-negative but got {n}')
    if x.ndim == 0:
        raise ValueError(f'diff requires input that is at least one dimensional, got {x.aval}')
    axis = axis_of(axis, x.ndim)
    parts = []
    for value in (prepend, None, append):
        if value is None:
            parts += [x] if len(parts) == (prepend is not None) and not any(p is x for p in parts) else []
        else:
            value = array_of(value)
            if value.ndim == 0:
                value = broadcast_to(value, x.shape[:axis] + (1,) + x.shape[axis + 1:])
            parts.append(value)
    if n == 0:
        return x
    x = concatenate(parts, axis) if len(parts) > 1 else x
    for _ in range(n):
        size_ = x.shape[axis]
        later = wrap(build.slice_axis(x._node, axis, min(1, size_), size_))
        sooner = wrap(build.slice_axis(x._node, axis, 0, max(size_ - 1, 0)))
        x = later != sooner if x.dtype == dtypes.bool_ else later - sooner
    return x


def ediff1d(ary, to_end=None, to_begin=None):
    """Differences of neighbours of the flattened array, with values before and after."""
    x = ravel(ary)
    parts = [diff(x)]
    if to_begin is not None:
        parts.insert(0, ravel(array_of(to_begin).astype(x.dtype)))
    if to_end is not None:
        parts.append(ravel(array_of(to_end).astype(x.dtype)))
    return concatenate(parts) if len(parts) > 1 else parts[0]


def trim_zeros(filt, trim='fb', axis=None):
    """Without zeros at the front ('f') and back ('b') of axes. The values decide the shape: they are forced."""
    x = array_of(filt)
    nonzero = onp.nonzero(onp.asarray(_known(x)))
    slices = []
    axes = axes_of(axis, x.ndim)
    for i, n in enumerate(x.shape):
        if i not in axes:
            slices.append(slice(None))
            continue
        low, high = (int(nonzero[i].min()), int(nonzero[i].max()) + 1) if nonzero[i].size else (n, n)
        slices.append(slice(low if 'f' in trim.lower() else 0, high if 'b' in trim.lower() else n)
                      if nonzero[i].size else slice(0, 0))
    return x[tuple(slices)]


# --- inserting and deleting ----------------------------------------------------------------------------------------------

def _known_index(obj, n):
    """Positions along an axis as a NumPy array, from an integer, a slice, or integers."""
    if isinstance(obj, slice):
        return onp.arange(n)[obj]
    if isinstance(obj, Array):
        obj = _known(obj)
    obj = onp.asarray(obj)
    if obj.dtype == bool:
        return onp.flatnonzero(obj)
    if not obj.size:
        return onp.zeros(obj.shape, onp.int64)
    if obj.dtype.kind not in 'iu':
        raise IndexError(f'indices must be integers or booleans, got {obj.dtype}')
    return obj


def delete(arr, obj, axis=None, *, assume_unique_indices=False):
    """The array without the elements at some positions along an axis; the positions are forced.

    Raises IndexError for a position out of range.
    """
    x = array_of(arr)
    if axis is None:
        x, axis = ravel(x), 0
    axis = axis_of(axis, x.ndim)
    n = x.shape[axis]
    index = _known_index(obj, n).ravel()
    if ((index < -n) | (index >= n)).any():
        raise IndexError(f'index {index[(index < -n) | (index >= n)][0]} is out of bounds for axis {axis} with size {n}')
    keep = onp.ones(n, bool)
    keep[index] = False
    return _pick(x, onp.flatnonzero(keep), axis)


def _pick(x, index, axis):
    """Elements at known positions along an axis: slices where they are runs."""
    runs = _runs(index.tolist())
    if not runs:
        return wrap(build.slice_axis(x._node, axis, 0, 0))
    if len(runs) <= 4 and all(step != 0 for _, _, step in runs):
        return wrap(build.concatenate([_run(x._node, axis, *run) for run in runs], axis))
    found = build.gather(x._node, [from_numpy(index.astype(onp.int32))], (axis,), 'clip')
    return wrap(build.moveaxis(found, 0, axis))


def insert(arr, obj, values, axis=None):
    """The array with values inserted before positions along an axis; the positions are forced.

    Raises IndexError for a position out of range.
    """
    x = array_of(arr)
    if axis is None:
        x, axis = ravel(x), 0
    axis = axis_of(axis, x.ndim)
    n = x.shape[axis]
    index = _known_index(obj, n)
    single = index.ndim == 0
    flat = onp.atleast_1d(index).ravel()
    if ((flat < -n) | (flat > n)).any():
        raise IndexError(f'index {flat[(flat < -n) | (flat > n)][0]} is out of bounds for axis {axis} with size {n}')
    flat = onp.where(flat < 0, flat + n, flat)
    new = array_of(values).astype(x.dtype)
    if single:
        new = moveaxis(new, 0, axis) if new.ndim and new.ndim == x.ndim else new
        if new.ndim < x.ndim:
            new = reshape(new, (1,) * (x.ndim - new.ndim) + new.shape) if new.ndim == 0 or x.ndim == 1 else \
                expand_dims(reshape(new, (1,) * (x.ndim - 1 - new.ndim) + new.shape), axis)
        count = new.shape[axis]
        new = broadcast_to(new, x.shape[:axis] + (count,) + x.shape[axis + 1:])
        at = int(flat[0])
        return concatenate([wrap(build.slice_axis(x._node, axis, 0, at)), new, wrap(build.slice_axis(x._node, axis, at, n))], axis)
    count = len(flat)
    new = broadcast_to(new, x.shape[:axis] + (count,) + x.shape[axis + 1:])
    order = onp.argsort(flat, kind='stable')
    source = onp.empty(n + count, onp.int64)
    places = flat[order] + onp.arange(count)
    old = onp.ones(n + count, bool)
    old[places] = False
    source[old] = onp.arange(n)
    source[places] = n + order
    return _pick(concatenate([x, new], axis), source, axis)
