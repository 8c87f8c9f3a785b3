"""Joining, splitting, padding, inserting, and what is made of neighbours."""
import numpy as onp

from ..array import from_numpy
from ._util import (Array, array_of, axes_of, axis_of, build, dtypes, fresh, known_values, node_of, scalar_of,
                    static_int, takes_out, wrap)
from .shape import (_with_axes, atleast_1d, atleast_2d, atleast_3d, broadcast_to, expand_dims, flip, moveaxis, ndim,
                    ravel, reshape, squeeze)

__all__ = ['concatenate', 'concat', 'stack', 'unstack', 'vstack', 'hstack', 'dstack', 'column_stack',
           'block', 'split', 'array_split', 'vsplit', 'hsplit', 'dsplit', 'append', 'pad', 'insert',
           'delete', 'diff', 'ediff1d', 'trim_zeros']


# --- joining ----------------------------------------------------------------------------------------------------------

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


@takes_out
def concatenate(arrays, axis=0, dtype=None, out=None):
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


@takes_out
def stack(arrays, axis=0, out=None, dtype=None):
    """Arrays of one shape joined along a new axis.

    Raises ValueError where the shapes differ.
    """
    nodes = _parts(arrays, 'stack', dtype)
    first = nodes[0].aval.shape
    if any(n.aval.shape != first for n in nodes):
        raise ValueError('all input arrays must have the same shape, got '
                         + ', '.join(str(n.aval.shape) for n in nodes))
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


# --- splitting --------------------------------------------------------------------------------------------------------

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


# --- padding ----------------------------------------------------------------------------------------------------------

_BY_INDEX = ('edge', 'reflect', 'symmetric', 'wrap')


def pad(array, pad_width, mode='constant', **kwargs):
    """The array with elements added on the sides of each axis: constants, its edge, its reflection, ...

    pad_width: a number, (before, after), one such pair for each axis, or a dict of axes. mode: NumPy's, or a function.

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
               'symmetric': ('reflect_type',),
               **{m: ('stat_length',) for m in ('maximum', 'mean', 'median', 'minimum')}}
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
        raise ValueError(f'{name} {value} does not broadcast to {(rank, 2)}: one (before, after) for each '
                         f'axis') from None
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
                edge = wrap(build.slice_axis(x._node, axis, *((0, 1) if side == 0 else (n - 1, n))))
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


# --- inserting and deleting -------------------------------------------------------------------------------------------

def _known_index(obj, n):
    """Positions along an axis as a NumPy array, from an integer, a slice, or integers."""
    if isinstance(obj, slice):
        return onp.arange(n)[obj]
    if isinstance(obj, Array):
        obj = known_values(obj)
    obj = onp.asarray(obj)
    if obj.dtype == bool:
        return onp.flatnonzero(obj)
    if not obj.size:
        return onp.zeros(obj.shape, onp.int64)
    if obj.dtype.kind not in 'iu':
        raise IndexError(f'indices must be integers or booleans, got {obj.dtype}')
    return obj


def delete(arr, obj, axis=None, *, assume_unique_indices=False):
    """The array without the elements at some positions along an axis; the positions are forced, but with
    assume_unique_indices, which says that they are different.

    Raises IndexError for a position out of range.
    """
    x = array_of(arr)
    if axis is None:
        x, axis = ravel(x), 0
    axis = axis_of(axis, x.ndim)
    n = x.shape[axis]
    if assume_unique_indices and not isinstance(obj, (int, slice)):
        return _without(x, ravel(obj), axis)
    index = _known_index(obj, n).ravel()
    if ((index < -n) | (index >= n)).any():
        first = index[(index < -n) | (index >= n)][0]
        raise IndexError(f'index {first} is out of bounds for axis {axis} with size {n}')
    keep = onp.ones(n, bool)
    keep[index] = False
    return _pick(x, onp.flatnonzero(keep), axis)


def _without(x, index, axis):
    """x without different positions that need not be known: how many elements stand before each that stays."""
    from .creation import arange
    from .indexing import take, where
    from .sorting import sort
    n = x.shape[axis]
    index = sort(where(index < 0, index + n, index)) - arange(index.size)
    kept = arange(n - index.size)
    return take(x, kept + (kept >= index[:, None]).sum(0), axis)


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
        return concatenate([wrap(build.slice_axis(x._node, axis, 0, at)), new,
                            wrap(build.slice_axis(x._node, axis, at, n))], axis)
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


# --- differences ------------------------------------------------------------------------------------------

def diff(a, n=1, axis=-1, prepend=None, append=None):
    """n-th differences of neighbours along an axis.

    Raises ValueError for a negative n.
    """
    x = fresh(a)
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
    nonzero = onp.nonzero(onp.asarray(known_values(x)))
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
