"""Choosing elements: by conditions, by indices, along axes; and updating them, which gives a new array."""
import math

import numpy as onp

from .. import indexing as index_
from ..array import from_numpy, to_numpy
from ..config import config
from ._util import (Array, Node, array_of, axis_of, broadcast_shapes, build, convert_operand, dtypes, fresh, node_of,
                    ops, promoted, result_aval, scalar_of, shape_of, static_int, takes_out, wrap)

__all__ = ['where', 'select', 'clip', 'choose', 'take', 'take_along_axis', 'put_along_axis', 'compress', 'extract',
           'nonzero', 'flatnonzero', 'argwhere', 'piecewise', 'put', 'place', 'fill_diagonal', 'unravel_index',
           'ravel_multi_index']


# --- by conditions ---------------------------------------------------------------------------------------------------

def where(condition, x=None, y=None, /, *, size=None, fill_value=None):
    """x where the condition is true (not zero), y elsewhere, with broadcasting; with one argument `nonzero`.

    >>> import lazy.numpy as np
    >>> np.where(np.array([True, False]), 1., 0.).tolist()
    [1.0, 0.0]
    """
    if x is None and y is None:
        return nonzero(condition, size=size, fill_value=fill_value)
    if x is None or y is None:
        raise ValueError('either both or neither of the x and y arguments should be provided to where')
    if size is not None or fill_value is not None:
        raise ValueError('size and fill_value arguments cannot be used in three-term where function.')
    chosen = build.convert(node_of(condition), dtypes.bool_)
    a = x._node if type(x) is Array else node_of(x)
    b = y._node if type(y) is Array else node_of(y)
    if a.aval.dtype != b.aval.dtype:
        dtype = dtypes.promote((a.aval.dtype, a.aval.weak), (b.aval.dtype, b.aval.weak))[0]
        a, b = convert_operand(a, dtype), convert_operand(b, dtype)
    inputs = chosen, a, b
    return wrap(Node(ops.select, inputs, None, result_aval(ops.select, inputs, None)))


def select(condlist, choicelist, default=0):
    """For each element the choice of the first condition that holds, or the default.

    Raises ValueError for lists of different lengths, TypeError for conditions that are no booleans.
    """
    if len(condlist) != len(choicelist):
        raise ValueError(f'condlist must have length equal to choicelist, got {len(condlist)} and {len(choicelist)}')
    if not len(condlist):
        raise ValueError('condlist must be non-empty')
    conditions = [array_of(c) for c in condlist]
    for c in conditions:
        if c.dtype != dtypes.bool_:
            raise TypeError(f'conditions must be booleans, got {c.aval}')
    *choices, result = [wrap(n) for n in promoted(*choicelist, default)]
    shape = broadcast_shapes('select', *[c.shape for c in (*conditions, *choices, result)])
    for condition, choice in zip(reversed(conditions), reversed(choices)):
        result = where(condition, choice, result)
    return wrap(build.broadcast_to(result._node, shape))


@takes_out
def clip(arr=None, /, min=None, max=None, *, a=None, a_min=None, a_max=None, out=None):
    """Elements limited to min from below and max from above; either may be left out.

    Raises ValueError for complex numbers.

    >>> import lazy.numpy as np
    >>> np.clip(np.arange(4), 1, 2).tolist()
    [1, 1, 2, 2]
    """
    from .elementwise import maximum, minimum
    x = fresh(a if arr is None else arr)
    low, high = a_min if min is None else min, a_max if max is None else max
    if any([x.dtype.kind == 'c', isinstance(low, complex), isinstance(high, complex),
            getattr(low, 'dtype', x.dtype).kind == 'c',
            getattr(high, 'dtype', x.dtype).kind == 'c']):
        raise ValueError('clip received a complex value either through the input or the min/max keywords. Complex '
                         'values have no ordering and cannot be clipped.')
    if low is not None:
        x = maximum(x, low)
    return x if high is None else minimum(x, high)


def piecewise(x, condlist, funclist, *args, **kw):
    """Functions (or numbers) of x where conditions hold, the last condition that holds deciding; one function more is
    for the rest, which is 0 otherwise."""
    x = array_of(x)
    is_array = isinstance(condlist, (Array, onp.ndarray))
    if isinstance(condlist, (bool, onp.bool_)) or is_array and condlist.ndim in (0, x.ndim) and x.ndim:
        condlist = [condlist]
    conditions = [array_of(c).astype(dtypes.bool_) for c in condlist]
    if len(funclist) not in (len(conditions), len(conditions) + 1):
        raise ValueError(f'with {len(conditions)} condition(s), either {len(conditions)} or {len(conditions) + 1} '
                         f'functions are expected, got {len(funclist)}')
    values = [(f(x, *args, **kw) if callable(f) else f) for f in funclist]
    result = array_of(values[-1]) if len(values) > len(conditions) else wrap(build.zeros(x.aval))
    for condition, value in zip(conditions, values):
        result = where(condition, value, result)
    return wrap(build.broadcast_to(build.convert(result._node, x.dtype), x.shape))


# --- positions --------------------------------------------------------------------------------------------------------

def nonzero(a, *, size=None, fill_value=None):
    """Indices of the elements that are not zero, one array for each axis.

    How many there are decides the shape: the values are forced, which is an error under jit and vmap. With `size` the
    result has that length, filled up with `fill_value` (0 by default), and nothing is forced.
    """
    x = array_of(a)
    if x.ndim == 0:
        raise ValueError('calling nonzero on 0-d arrays is not allowed: use atleast_1d(a).nonzero()')
    mask = x if x.dtype == dtypes.bool_ else x != 0
    if size is None:
        found = onp.nonzero(to_numpy(mask._node, 'index'))
        return tuple([from_array(i, n) for i, n in zip(found, x.shape)])
    size = static_int(size, 'size')
    flat = flat_nonzero(mask._node, size)
    total = flat[1]
    result, places = [], wrap(flat[0])
    fills = fill_value if isinstance(fill_value, (tuple, list)) else (fill_value,) * x.ndim
    inside = wrap(build.iota((size,), dtypes.int32)) < wrap(total)
    for coordinate, fill in zip(unravel_index(places, x.shape), fills):
        result.append(where(inside, coordinate.astype(dtypes.index_int(x.size)), 0 if fill is None else fill))
    return tuple(result)


def from_array(index, size=0):
    """An Array of positions among so many elements."""
    return wrap(from_numpy(onp.asarray(index).astype(dtypes.index_int(size))))


def flat_nonzero(mask, size):
    """(positions of the first `size` true elements of the flattened mask, how many there are): the k-th stands where
    the running count reaches k."""
    n = mask.aval.size
    if not n:
        return build.full((size,), 0, dtypes.int32), build.literal(0, dtypes.int32)
    dtype = dtypes.int64 if n > 1 << 31 else dtypes.int32
    flat = build.convert(build.reshape(mask, (n,)), dtype)
    counts = build.make(ops.cumsum, (flat,), (0, False))
    wanted = (wrap(build.iota((size,), dtype)) + 1)._node
    places = build.make(ops.searchsorted, (counts, wanted), ('left', dtype))
    total = build.reshape(build.slice_axis(counts, 0, n - 1, n), ())
    return build.apply(ops.min_, places, build.literal(n - 1, dtype)), total


def flatnonzero(a, *, size=None, fill_value=None):
    """Positions in the flattened array of the elements that are not zero; forces values as `nonzero` does."""
    from .shape import ravel
    return nonzero(ravel(a), size=size, fill_value=fill_value)[0]


def argwhere(a, *, size=None, fill_value=None):
    """Indices of the elements that are not zero, as rows; forces values as `nonzero` does."""
    from .joining import stack
    from .shape import atleast_1d
    x = array_of(a)
    found = nonzero(atleast_1d(x), size=size, fill_value=fill_value)
    if not x.ndim:
        return wrap(build.full((found[0].shape[0], 0), 0, dtypes.default_int()))
    return stack(found, 1)


def unravel_index(indices, shape):
    """Indices for each axis of an array of `shape`, from indices into the flattened array.

    Negative ones count from the end; those out of range are those of the first or last element, as in JAX.
    """
    sizes = shape_of(shape)
    index = fresh(indices)
    if not dtypes.is_integer(index.dtype):
        raise TypeError(f'indices must be integers, got {index.aval}')
    total = math.prod(sizes)
    index = clip(index, -total if dtypes.kind(index.dtype) != 'u' else 0, total - 1)
    index = where(index < 0, index + total, index)
    result = []
    for axis, n in enumerate(sizes):
        below = math.prod(sizes[axis + 1:])
        at = index if below == 1 else index // max(below, 1)
        result.append(at if axis == 0 else at % n if n else at * 0)
    return tuple(result)


def ravel_multi_index(multi_index, dims, mode='raise', order='C', *, dtype=None):
    """Indices into the flattened array from indices for each axis.

    mode: 'raise' (known values only), 'clip' or 'wrap' for those out of range.
    """
    sizes = shape_of(dims)
    parts = [array_of(i) for i in multi_index]
    if len(parts) != len(sizes):
        raise ValueError(f'{len(parts)} index arrays were given for {len(sizes)} axes')
    if mode not in ('raise', 'clip', 'wrap'):
        raise ValueError(f"mode is 'raise', 'clip' or 'wrap', not {mode!r}")
    if order not in ('C', 'F'):
        raise ValueError(f"order is 'C' or 'F', not {order!r}")
    result = 0
    weights = [math.prod(sizes[i + 1:]) if order == 'C' else math.prod(sizes[:i]) for i in range(len(sizes))]
    for index, n, weight in zip(parts, sizes, weights):
        if not dtypes.is_integer(index.dtype):
            raise TypeError(f'only int indices permitted, got {index.aval}')
        if mode == 'raise':
            known = to_numpy(index._node, 'int')
            if ((known < 0) | (known >= n)).any():
                raise ValueError('invalid entry in coordinates array: an index is out of bounds')
        index = clip(index, 0, n - 1) if mode == 'clip' else index % n if mode == 'wrap' else index
        if math.prod(sizes) > 1 << 31:
            index = index.astype(dtypes.int64)
        result = index * weight + result
    result = array_of(result)
    return result if dtype is None else result.astype(dtype)


# --- by indices -------------------------------------------------------------------------------------------------------

@takes_out
def take(a, indices, axis=None, out=None, mode=None, unique_indices=False, indices_are_sorted=False, fill_value=None):
    """Elements at indices along an axis (of the flattened array by default).

    mode: None or 'raise' IndexError when the result is waited for; 'clip' the nearest, which is 0 for negative ones;
    'wrap' around; 'fill' fill_value, by default NaN or an extreme integer.

    >>> import lazy.numpy as np
    >>> np.take(np.array([10, 20, 30]), np.array([2, 0])).tolist()
    [30, 10]
    """
    x, index = array_of(a), array_of(indices)
    if not dtypes.is_integer(index.dtype):
        raise TypeError(f'take needs integer indices, got {index.aval}')
    node = x._node
    if axis is None:
        node, axis = build.reshape(node, (x.size,)), 0
    axis = axis_of(axis, node.aval.ndim)
    if fill_value is not None and index_.index_mode(mode) == 'fill':
        return wrap(node).at[(slice(None),) * axis + (index,)].get(mode='fill', fill_value=fill_value)
    n = node.aval.shape[axis]
    if not n and index.size and index_.index_mode(mode) != 'fill':
        raise IndexError(f'cannot do a non-empty take from the empty axis {axis} of shape {x.shape}')
    if isinstance(indices, (int, onp.integer)) and -n <= indices < n:
        i = int(indices) % n
        return wrap(build.squeeze(build.slice_axis(node, axis, i, i + 1), (axis,)))
    mode = index_.index_mode(mode)
    found = build.gather(node, [index._node], [axis], mode) if mode == 'clip' else \
        index_.gather_axes(node, [axis], [index._node], mode)
    rank, rest = index.ndim, node.aval.ndim - 1
    order = [*range(rank, rank + axis), *range(rank), *range(rank + axis, rank + rest)]
    return wrap(build.transpose(found, order))


def _along(shape, index, axis):
    """Index nodes for all axes: counters, and `index` along its axis."""
    ndim = len(shape)
    result = []
    for i, n in enumerate(shape):
        if i == axis:
            result.append(index)
        else:
            sizes = tuple([n if j == i else 1 for j in range(ndim)])
            result.append(build.iota(sizes, dtypes.int32, i))
    return result


def take_along_axis(arr, indices, axis=-1, mode=None, fill_value=None, *, wrap_negative_indices=None):
    """Elements at indices along an axis, one set of indices for every vector along it; modes as for `take`.

    >>> import lazy.numpy as np
    >>> x = np.array([[3, 1], [2, 5]])
    >>> np.take_along_axis(x, np.argsort(x), axis=1).tolist()
    [[1, 3], [2, 5]]
    """
    x, index = array_of(arr), array_of(indices)
    if not dtypes.is_integer(index.dtype):
        raise TypeError(f'take_along_axis indices must be of integer type, got {index.aval}')
    node = x._node
    if axis is None:
        if index.ndim != 1:
            raise ValueError(f'when axis is None, indices must have one dimension, got shape {index.shape}')
        node, axis = build.reshape(node, (x.size,)), 0
    if index.ndim != node.aval.ndim:
        raise ValueError(f'indices and arr must have the same number of dimensions; {index.ndim} vs. {node.aval.ndim}')
    axis = axis_of(axis, node.aval.ndim)
    others = [broadcast_shapes('take_along_axis', (n,), (m,))[0] if i != axis else m
              for i, (n, m) in enumerate(zip(node.aval.shape, index.shape))]
    node = build.broadcast_to(node, [node.aval.shape[i] if i == axis else n for i, n in enumerate(others)])
    if fill_value is not None and index_.index_mode(mode) == 'fill':
        places = _along(others, index._node, axis)
        return wrap(node).at[tuple([wrap(i) for i in places])].get(mode='fill', fill_value=fill_value)
    if node.aval.ndim == 1:
        return wrap(index_.gather_axes(node, [0], [index._node], index_.index_mode(mode)))
    places = _along(others, index_._wrap_negative(index._node, node.aval.shape[axis], index_.index_mode(mode)), axis)
    return wrap(build.gather(node, places, range(node.aval.ndim), index_.index_mode(mode)))


def put_along_axis(arr, indices, values, axis, inplace=True, *, mode=None):
    """Put values at indices along an axis: in `arr` where arrays are mutable, with inplace=False in a new array."""
    x, index = array_of(arr), array_of(indices)
    if axis is None:
        flat = put_along_axis(wrap(build.reshape(x._node, (x.size,))), wrap(build.reshape(index._node, (index.size,))),
                              wrap(build.reshape(node_of(values), (node_of(values).aval.size,))), 0, False, mode=mode)
        return written(arr, build.reshape(flat._node, x.shape), inplace, 'put_along_axis')
    axis = axis_of(axis, x.ndim)
    if index.ndim != x.ndim:
        raise ValueError(f'indices and arr must have the same number of dimensions; {index.ndim} vs. {x.ndim}')
    shape = [index.shape[i] if i == axis else n for i, n in enumerate(x.shape)]
    places = _along(shape, index._node, axis)
    return written(arr, x.at[tuple([wrap(i) for i in places])].set(values, mode=mode)._node, inplace, 'put_along_axis')


@takes_out
def compress(condition, a, axis=None, *, size=None, fill_value=0, out=None):
    """Slices along an axis (of the flattened array by default) where a vector of booleans is true.

    The number of true elements decides the shape: without `size` the condition is forced.
    """
    condition = array_of(condition).astype(dtypes.bool_)
    x = array_of(a)
    if condition.ndim != 1:
        raise ValueError(f'condition must be a vector, got shape {condition.shape}')
    if axis is None:
        x, axis = wrap(build.reshape(x._node, (x.size,))), 0
    axis = axis_of(axis, x.ndim)
    if condition.size > x.shape[axis]:
        if size is not None or to_numpy(condition[x.shape[axis]:]._node, 'index').any():
            raise ValueError('condition contains entries that are out of bounds')
        condition = condition[:x.shape[axis]]
    if size is None:
        return take(x, nonzero(condition)[0], axis, mode='clip')
    places, total = flat_nonzero(condition._node, static_int(size, 'size'))
    found = take(x, wrap(places), axis, mode='clip')
    inside = build.apply(ops.lt, build.iota((size,), dtypes.int32), total)
    inside = build.reshape(inside, [size if i == axis else 1 for i in range(x.ndim)])
    return where(wrap(inside), found, wrap(scalar_of(fill_value, x.dtype)))


def extract(condition, arr, *, size=None, fill_value=0):
    """Elements of the flattened array where a condition is true; forces the condition unless `size` is given."""
    from .shape import ravel
    return compress(ravel(condition), ravel(arr), 0, size=size, fill_value=fill_value)


@takes_out
def choose(a, choices, out=None, mode='raise'):
    """For each element the choice that its integer numbers, with broadcasting.

    mode: 'raise' IndexError when the result is waited for, 'clip' or 'wrap'.
    """
    from .joining import stack
    index = array_of(a)
    if not dtypes.is_integer(index.dtype) and index.dtype != dtypes.bool_:
        raise ValueError(f'`a` array must be integer typed, got {index.aval}')
    index = index.astype(dtypes.int32) if index.dtype == dtypes.bool_ else index
    choices = [wrap(n) for n in promoted(*(list(choices)))]
    shape = broadcast_shapes('choose', index.shape, *[c.shape for c in choices])
    table = stack([wrap(build.broadcast_to(c._node, shape)) for c in choices])
    index = wrap(build.broadcast_to(index._node, shape))
    if mode == 'clip':                                               # negative ones don't count from the end
        index = clip(index, 0, None)
    return take_along_axis(table, index[None], 0, mode=None if mode == 'raise' else mode)[0]


# --- updates ----------------------------------------------------------------------------------------------------------

def written(array, node, inplace, name):
    """What a function that NumPy lets write into its argument comes to."""
    if not inplace:
        return wrap(node)
    if not config.mutable_arrays or not isinstance(array, Array):
        raise ValueError(f'{name} cannot write into its argument: inplace=False gives a new array '
                         "(arrays are mutable after lazy.config.update('mutable_arrays', True))")
    array[...] = wrap(node)


def put(a, ind, v, mode=None, *, inplace=True):
    """Put values at positions of the flattened array: in `a` where arrays are mutable, with inplace=False in a new one.

    Values are repeated as often as is needed.
    """
    from .shape import ravel, resize
    x, index, values = array_of(a), ravel(ind), ravel(v)
    if not index.size or not values.size:
        return written(a, x._node, inplace, 'put')
    values = resize(values, index.shape).astype(x.dtype)
    flat = wrap(build.reshape(x._node, (x.size,))).at[index].set(values, mode=mode)
    return written(a, build.reshape(flat._node, x.shape), inplace, 'put')


def place(arr, mask, vals, *, inplace=True):
    """Put values, in order and repeated, where a mask is true: in `arr` where arrays are mutable, with inplace=False in
    a new array."""
    x, mask = array_of(arr), array_of(mask).astype(dtypes.bool_)
    values = array_of(vals)
    if mask.shape != x.shape:
        raise ValueError(f'place: arr and mask must have the same shape, got {x.shape} and {mask.shape}')
    if not values.size:
        raise ValueError('place: vals must not be empty')
    if not x.size:
        return written(arr, x._node, inplace, 'place')
    flat = build.reshape(mask._node, (mask.size,))
    order = (wrap(build.make(ops.cumsum, (build.convert(flat, dtypes.int32),), (0, False))) - 1) % values.size
    new = take(values.astype(x.dtype), order, mode='clip')
    return written(arr, where(mask, wrap(build.reshape(new._node, x.shape)), x)._node, inplace, 'place')


def fill_diagonal(a, val, wrap=False, *, inplace=True):
    """Put values on the main diagonal: of `a` where arrays are mutable, with inplace=False of a new array."""
    from .shape import ravel, resize
    x = array_of(a)
    if x.ndim < 2:
        raise ValueError(f'array must be at least 2-d, got shape {x.shape}')
    if x.ndim > 2 and len(set(x.shape)) != 1:
        raise ValueError(f'all dimensions of input must be of equal length, got shape {x.shape}')
    columns = x.shape[1]
    step = columns + 1 if x.ndim == 2 else 1 + sum(math.prod(x.shape[:i]) for i in range(1, x.ndim))
    end = x.size if x.ndim > 2 or wrap else min(x.size, columns * columns)
    count = len(range(0, end, step))
    values = resize(ravel(val), (count,)).astype(x.dtype)
    flat = build.reshape(x._node, (x.size,))
    flat = build.slice_update(flat, values._node, (0,), (step,)) if count else flat
    return written(a, build.reshape(flat, x.shape), inplace, 'fill_diagonal')
