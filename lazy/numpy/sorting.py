"""Sorting, searching, order statistics, sets."""
import math
from typing import NamedTuple

import numpy as onp

from . import elementwise as el
from . import reductions as red
from ..array import to_numpy
from ..ir import ordering
from ._util import (Array, array_of, axes_of, axis_of, build, dtypes, inexact_array, node_of, ops, promoted,
                    scalar_of, static_int, takes_out, wrap)
from .indexing import flat_nonzero, from_array, take, take_along_axis, where
from .joining import concatenate
from .shape import moveaxis, ravel

__all__ = ['sort', 'argsort', 'lexsort', 'sort_complex', 'partition', 'argpartition', 'searchsorted', 'digitize',
           'median', 'quantile', 'percentile', 'nanmedian', 'nanquantile', 'nanpercentile', 'unique', 'unique_all',
           'unique_counts', 'unique_inverse', 'unique_values', 'union1d', 'intersect1d', 'setdiff1d', 'setxor1d',
           'isin']


def _along(a, axis):
    """(node, axis), flattened for axis None."""
    node = node_of(a)
    if axis is None:
        return build.reshape(node, (node.aval.size,)), 0
    if not node.aval.ndim:
        raise ValueError('an array of no dimensions cannot be sorted: use atleast_1d')
    return node, axis_of(axis, node.aval.ndim)


def _no_options(kind, order):
    if order is not None:
        raise ValueError("'order' argument is not supported: arrays have no fields")


def sort(a, axis=-1, *, kind=None, order=None, stable=True, descending=False):
    """Sorted along an axis (flattened for axis=None), NaN last; `descending` is the reverse of that.

    >>> import lazy.numpy as np
    >>> np.sort(np.array([3, 1, 2])).tolist()
    [1, 2, 3]
    """
    _no_options(kind, order)
    node, axis = _along(a, axis)
    result = ordering.sort(node, axis)
    return wrap(build.rev(result, (axis,)) if descending else result)


def argsort(a, axis=-1, *, kind=None, order=None, stable=True, descending=False, dtype=None):
    """Indices that sort along an axis (of the flattened array for axis=None); equal elements keep their order."""
    _no_options(kind, order)
    node, axis = _along(a, axis)
    dtype = dtypes.index_int(node.aval.shape[axis]) if dtype is None else dtypes.as_dtype(dtype)
    return wrap(ordering.argsort(node, axis, dtype, descending))


def lexsort(keys, axis=-1):
    """Indices that sort by several keys, the last one first."""
    keys = [array_of(k) for k in keys]
    if not keys:
        raise TypeError('need sequence of keys with len > 0 in lexsort')
    if len({k.shape for k in keys}) > 1:
        raise ValueError(f'all keys need to be the same shape, got {", ".join(str(k.shape) for k in keys)}')
    if not keys[0].ndim:
        return wrap(build.literal(0, dtypes.default_int()))
    index = argsort(keys[0], axis)
    for key in keys[1:]:
        index = take_along_axis(index, argsort(take_along_axis(key, index, axis, mode='clip'), axis), axis, mode='clip')
    return index


def sort_complex(a):
    """Sorted by real, then imaginary part along the last axis, as complex numbers."""
    x = array_of(a)
    return sort(x.astype(dtypes.complex_of(dtypes.inexact_of(x.dtype))), -1)


def partition(a, kth, axis=-1):
    """Elements along an axis such that the kth stands where sorting puts it, smaller ones before, NaN last.

    kth may be several numbers; all elements are sorted then. Raises ValueError where it is out of bounds.

    >>> import lazy.numpy as np
    >>> int(np.partition(np.array([3, 1, 4, 1, 5]), 2)[2])
    3
    """
    node, axis = _along(a, axis)
    kth = _check_kth(kth, node.aval.shape[axis])
    return wrap(ordering.sort(node, axis) if kth is None else ordering.partition(node, kth, axis))


def argpartition(a, kth, axis=-1):
    """Indices that partition along an axis, see `partition`."""
    node, axis = _along(a, axis)
    kth, dtype = _check_kth(kth, node.aval.shape[axis]), dtypes.index_int(node.aval.shape[axis])
    return wrap(ordering.argsort(node, axis, dtype) if kth is None else ordering.argpartition(node, kth, axis, dtype))


def _check_kth(kth, n):
    """kth as a number that is not negative, None where there are several."""
    several = isinstance(kth, (tuple, list))
    found = [static_int(k, 'kth') for k in (kth if several else [kth])]
    for k in found:
        if not -n <= k < n:
            raise ValueError(f'kth(={k}) out of bounds ({n})')
    return found[0] % n if len(found) == 1 else None


def searchsorted(a, v, side='left', sorter=None, *, method='scan'):
    """Positions in the sorted vector `a` where `v` would be inserted, before ('left') or after ('right') equal ones.

    NaN comes after all numbers. sorter: indices that sort `a`. method: as in JAX; each is a binary search here.

    >>> import lazy.numpy as np
    >>> np.searchsorted(np.array([1, 3, 5]), np.array([3, 4])).tolist()
    [1, 2]
    """
    if side not in ('left', 'right'):
        raise ValueError(f"side is 'left' or 'right', not {side!r}")
    a, v = promoted(a, v)
    if a.aval.ndim != 1:
        raise ValueError(f'searchsorted needs a vector to search in, got shape {a.aval.shape}')
    if sorter is not None:
        a = take(wrap(a), sorter)._node
    return wrap(build.make(ops.searchsorted, (a, v), (side, dtypes.index_int(a.aval.size + 1))))


def digitize(x, bins, right=False, *, method=None):
    """The number of the bin that each element falls into; bins are rising or falling edges."""
    bins = array_of(bins)
    if bins.ndim != 1:
        raise ValueError(f'digitize: bins must be a vector, got shape {bins.shape}')
    if not bins.size:
        return wrap(build.full(node_of(x).aval.shape, 0, dtypes.default_int()))
    side = 'right' if not right else 'left'
    rising = searchsorted(bins, x, side)
    falling = bins.size - searchsorted(bins[::-1], x, side)
    return where(bins[-1] >= bins[0], rising, falling)


# --- order statistics ------------------------------------------------------------------------------------------------

_METHODS = ('linear', 'lower', 'higher', 'nearest', 'midpoint', 'inverted_cdf', 'averaged_inverted_cdf',
            'closest_observation', 'interpolated_inverted_cdf', 'hazen', 'weibull', 'median_unbiased',
            'normal_unbiased')
_ALPHA_BETA = {'interpolated_inverted_cdf': (0, 1), 'hazen': (0.5, 0.5), 'weibull': (0, 0), 'linear': (1, 1),
               'median_unbiased': (1 / 3, 1 / 3), 'normal_unbiased': (3 / 8, 3 / 8)}


@takes_out
def median(a, axis=None, out=None, overwrite_input=False, keepdims=False):
    """The middle element over axes, the mean of the middle two for an even number; NaN where there is one."""
    return quantile(a, 0.5, axis, keepdims=keepdims, method='midpoint')


@takes_out
def nanmedian(a, axis=None, out=None, overwrite_input=False, keepdims=False):
    """The median over axes of what is not NaN."""
    return nanquantile(a, 0.5, axis, keepdims=keepdims, method='midpoint')


@takes_out
def percentile(a, q, axis=None, out=None, overwrite_input=False, method='linear', keepdims=False, *, weights=None):
    """quantile at q / 100."""
    q = q / 100 if isinstance(q, (int, float)) else inexact_array(q) / 100
    return quantile(a, q, axis, method=method, keepdims=keepdims, weights=weights)


@takes_out
def nanpercentile(a, q, axis=None, out=None, overwrite_input=False, method='linear', keepdims=False, *, weights=None):
    """nanquantile at q / 100."""
    q = q / 100 if isinstance(q, (int, float)) else inexact_array(q) / 100
    return nanquantile(a, q, axis, method=method, keepdims=keepdims, weights=weights)


@takes_out
def quantile(a, q, axis=None, out=None, overwrite_input=False, method='linear', keepdims=False, *, weights=None):
    """The value below which a fraction q of the elements over axes lies, interpolated by one of NumPy's methods.

    q may be an array of any shape, whose axes lead in the result. NaN where there is one; ValueError for a number q
    outside of [0, 1].

    >>> import lazy.numpy as np
    >>> float(np.quantile(np.array([0., 1., 2., 3.]), 0.25))
    0.75
    """
    return _quantile(a, q, axis, method, keepdims, weights, False)


@takes_out
def nanquantile(a, q, axis=None, out=None, overwrite_input=False, method='linear', keepdims=False, *, weights=None):
    """The quantile over axes of what is not NaN."""
    return _quantile(a, q, axis, method, keepdims, weights, True)


def _quantile(a, q, axis, method, keepdims, weights, skip_nan):
    if method not in _METHODS:
        raise ValueError(f'method can only be one of {", ".join(_METHODS)}, not {method!r}')
    x = inexact_array(a)
    if dtypes.kind(x.dtype) == 'c':
        raise ValueError('quantile does not support complex input, as the operation is poorly defined.')
    if isinstance(q, (list, tuple)):
        q = onp.asarray(q)
    if isinstance(q, (int, float, onp.ndarray)) and ((onp.asarray(q) < 0) | (onp.asarray(q) > 1)).any():
        raise ValueError('quantiles must be in the range [0, 1]')
    result_dtype = x.dtype
    if result_dtype.itemsize < 4:
        x = x.astype(dtypes.float32)
    axes = axes_of(axis, x.ndim)
    kept = [i for i in range(x.ndim) if i not in axes]
    shape = tuple([x.shape[i] for i in kept])
    n = math.prod([x.shape[i] for i in axes])
    flat = build.reshape(build.transpose(x._node, [*kept, *axes]), (*shape, n))
    if not n:
        filled = build.full(onp.shape(q) + shape, math.nan, result_dtype)
        return wrap(filled)
    if weights is not None:
        result = _weighted_quantile(wrap(flat), q, axes, kept, x, weights, method, skip_nan)
    else:
        result = _sorted_quantile(wrap(ordering.sort(flat, len(shape))), q, n, method, skip_nan)
    if keepdims:
        q_rank = result.ndim - len(shape)
        final = tuple([1 if i in axes else m for i, m in enumerate(x.shape)])
        result = wrap(build.reshape(result._node, result.shape[:q_rank] + final))
    return result.astype(result_dtype)


def _virtual_index(q, n, method):
    """Where in the sorted elements the quantile lies; n is a number or an array."""
    alpha, beta = _ALPHA_BETA.get(method, (1, 1))
    if method in ('inverted_cdf', 'averaged_inverted_cdf', 'closest_observation'):
        return q * n - 1
    return q * n + (alpha + q * (1 - alpha - beta)) - 1


def _sorted_quantile(ordered, q, n, method, skip_nan):
    """Quantiles of the last axis. Known positions are slices; others are gathered."""
    last = ordered.ndim - 1
    if skip_nan:
        n = red.sum(~el.isnan(ordered), -1, keepdims=True).astype(ordered.dtype)
    known = isinstance(q, (int, float, onp.ndarray)) and not skip_nan
    if known:
        flat = [_known_quantile(ordered, float(v), n, last, method) for v in onp.ravel(q)]
        nan = el.isnan(wrap(build.squeeze(build.slice_axis(ordered._node, last, n - 1, n), (last,))))
        flat = [where(nan, math.nan, v) for v in flat]
        if not onp.ndim(q):
            return flat[0]
        from .joining import stack
        return wrap(build.reshape(stack(flat)._node, onp.shape(q) + ordered.shape[:-1])) if flat else \
            wrap(build.full(onp.shape(q) + ordered.shape[:-1], 0, ordered.dtype))
    q = inexact_array(q).astype(ordered.dtype)
    shape = q.shape
    flat_q = wrap(build.reshape(q._node, (q.size,)))
    position = _virtual_index(flat_q, n, method)                          # (..., number of q)
    position = wrap(build.broadcast_to(position._node, ordered.shape[:-1] + (q.size,)))
    low, high, weight = _neighbours(position, method)
    top = (n if skip_nan else float(n)) - 1
    pick = lambda i: take_along_axis(ordered, el.maximum(el.minimum(i, top), 0).astype(dtypes.int32), -1, mode='clip')
    result = _between(pick(low), pick(high), weight)
    if not skip_nan:
        result = where(el.isnan(ordered[..., -1:]), math.nan, result)
    return wrap(build.reshape(moveaxis(result, -1, 0)._node, shape + ordered.shape[:-1]))


def _between(low, high, weight):
    """low + weight * (high - low), equal infinities staying what they are."""
    return where(low == high, low, low * (1 - weight) + high * weight)


def _neighbours(position, method):
    """(lower index, upper index, weight of the upper one) for positions in an array."""
    low, high = el.floor(position), el.ceil(position)
    if method == 'lower':
        return low, low, 0.0
    if method in ('higher', 'inverted_cdf'):
        return high, high, 0.0
    if method == 'nearest':
        near = el.rint(position)
        return near, near, 0.0
    if method == 'closest_observation':
        near = el.rint(position + 0.5 - 0.5)
        return near, near, 0.0
    if method == 'midpoint':
        return low, high, 0.5
    if method == 'averaged_inverted_cdf':
        exact = position == low
        return where(exact, low, high), where(exact, low + 1, high), 0.5
    return low, low + 1, position - low


def _known_quantile(ordered, q, n, last, method):
    position = _virtual_index(q, n, method)
    if abs(position - round(position)) < 1e-12 * n:
        position = float(round(position))
    low, high = math.floor(position), math.ceil(position)
    weight = position - low
    if method == 'lower':
        high, weight = low, 0.0
    elif method in ('higher', 'inverted_cdf'):
        low, weight = high, 0.0
    elif method in ('nearest', 'closest_observation'):
        low = high = round(position)
        weight = 0.0
    elif method == 'midpoint':
        weight = 0.5 if low != high else 0.0
    elif method == 'averaged_inverted_cdf':
        low, high, weight = (low, low + 1, 0.5) if low == position else (high, high, 0.0)
    low, high = [min(max(i, 0), n - 1) for i in (low, high)]
    at = lambda i: wrap(build.squeeze(build.slice_axis(ordered._node, last, i, i + 1), (last,)))
    if low == high or weight == 0.0:
        return at(low)
    a, b = at(low), at(high)
    if method == 'midpoint':
        return a * 0.5 + b * 0.5
    return _between(a, b, weight)


def _weighted_quantile(flat, q, axes, kept, x, weights, method, skip_nan):
    """Inverse of the weighted distribution function, the one method that is defined with weights."""
    if method != 'inverted_cdf':
        raise ValueError(f"only method 'inverted_cdf' supports weights, got {method!r}")
    w = array_of(weights).astype(x.dtype)
    if w.shape != x.shape:
        if w.shape != tuple([x.shape[i] for i in axes]):
            raise ValueError(f'weights of shape {w.shape} do not fit axes {axes} of shape {x.shape}')
        w = wrap(build.broadcast_to(build.reshape(w._node, [n if i in axes else 1 for i, n in enumerate(x.shape)]),
                                    x.shape))
    w = wrap(build.reshape(build.transpose(w._node, [*kept, *axes]), flat.shape))
    if skip_nan:
        w = where(el.isnan(flat), 0, w)
    order = argsort(flat)
    ordered, w = take_along_axis(flat, order, -1, mode='clip'), take_along_axis(w, order, -1, mode='clip')
    share = red.cumsum(w, -1)
    q = inexact_array(q).astype(x.dtype)
    wanted = wrap(build.reshape(q._node, (q.size,) + (1,) * flat.ndim)) * share[..., -1:]
    index = el.minimum(red.sum(share < wanted, -1), flat.shape[-1] - 1)  # (number of q, ...)
    result = take_along_axis(wrap(build.broadcast_to(ordered._node, (q.size, *ordered.shape))), index[..., None], -1,
                             mode='clip')[..., 0]
    if not skip_nan:
        result = where(el.isnan(ordered[..., -1]), math.nan, result)
    return wrap(build.reshape(result._node, q.shape + flat.shape[:-1]))


# --- sets -------------------------------------------------------------------------------------------------------------

UNIQUE_SMALL = 1 << 13                  # up to so many elements NumPy's function is faster than kernels around a sort


class UniqueAllResult(NamedTuple):
    values: Array
    indices: Array
    inverse_indices: Array
    counts: Array


class UniqueCountsResult(NamedTuple):
    values: Array
    counts: Array


class UniqueInverseResult(NamedTuple):
    values: Array
    inverse_indices: Array


def unique(ar, return_index=False, return_inverse=False, return_counts=False, axis=None, *, equal_nan=True, size=None,
           fill_value=None, sorted=True):
    """The different elements in rising order (or sub-arrays along an axis), and on demand where they first stand, which
    one each element is, and how often each occurs.

    Their number decides the shape: the values are forced, which is an error under jit and vmap. With `size` the result
    has that length, filled up with fill_value or the smallest element.

    >>> import lazy.numpy as np
    >>> np.unique(np.array([3, 1, 3])).tolist()
    [1, 3]
    """
    x = array_of(ar)
    if axis is None:
        rows, shape, inverse_shape = wrap(build.reshape(x._node, (x.size, 1))), None, x.shape
    else:
        axis = axis_of(axis, x.ndim)
        front = moveaxis(x, axis, 0)
        shape, inverse_shape = front.shape, (front.shape[0],)
        rows = wrap(build.reshape(front._node, (shape[0], math.prod(shape[1:]))))
    known = size is None
    if known and axis is None and x.size > UNIQUE_SMALL and not (return_index or return_inverse or return_counts):
        from .indexing import compress
        ordered = sort(ravel(x))
        return compress(_starts(ordered[:, None], equal_nan), ordered)
    if known and axis is None and x.size <= UNIQUE_SMALL:
        found = _unique_known(x, equal_nan)
    else:
        found = _unique_rows(rows, equal_nan, size)
    first, inverse, counts, count = found
    source = wrap(build.reshape(x._node, (x.size,))) if axis is None else front
    values = take(source, first, 0, mode='clip')
    if not known and source.shape[0] and fill_value is not None:
        inside = wrap(build.iota((size,), dtypes.int32)) < count
        inside = wrap(build.reshape(inside._node, (size,) + (1,) * (values.ndim - 1)))
        values = where(inside, values, wrap(scalar_of(fill_value, values.dtype)) if node_of(fill_value).aval.ndim == 0
                       else array_of(fill_value).astype(values.dtype))
    if axis is not None:
        values = moveaxis(values, 0, axis)
    result = (values, *[v for v, wanted in ((first, return_index),
                                            (wrap(build.reshape(inverse._node, inverse_shape)), return_inverse),
                                            (counts, return_counts)) if wanted])
    return result if len(result) > 1 else values


def _unique_known(x, equal_nan):
    """Positions of the first occurrences, inverse and counts, from the values."""
    data = to_numpy(x._node, 'index')
    data = data.astype(dtypes.held_as(data.dtype), copy=False)
    _, first, inverse, counts = onp.unique(data.ravel(), True, True, True, equal_nan=equal_nan)
    return from_array(first), from_array(inverse), from_array(counts), None


def _unique_rows(rows, equal_nan, size):
    """The same for rows, in the graph; forces only the number of them, and that where `size` is None."""
    n = rows.shape[0]
    if not n:
        count = 0 if size is None else size
        none = wrap(build.full((count,), 0, dtypes.default_int()))
        return none, wrap(build.full((0,), 0, dtypes.default_int())), none, wrap(build.literal(0, dtypes.int32))
    order = lexsort([rows[:, j] for j in range(rows.shape[1] - 1, -1, -1)]) if rows.shape[1] else \
        wrap(build.iota((n,), dtypes.default_int()))
    starts = _starts(take(rows, order, 0, mode='clip'), equal_nan)
    group = red.cumsum(starts) - 1
    count = group[-1] + 1
    if size is None:
        size = int(count)
    places, _ = flat_nonzero(starts._node, size)
    places = wrap(places)
    places = where(wrap(build.iota((size,), dtypes.int32)) < count, places, 0)
    first = take(order, places, mode='clip')
    zero = wrap(build.full((n,), 0, dtypes.default_int()))
    inverse = zero.at[order].set(group.astype(dtypes.default_int()), mode='clip')
    counts = wrap(build.full((size,), 0, dtypes.default_int())).at[group].add(1, mode='drop')
    return first.astype(dtypes.default_int()), inverse, counts, count


def _starts(ordered, equal_nan):
    """The mask of the first of equal rows, which follow each other."""
    different = ordered[1:] != ordered[:-1]
    if equal_nan and dtypes.is_inexact(ordered.dtype):
        different = different & ~(el.isnan(ordered[1:]) & el.isnan(ordered[:-1]))
    return concatenate([wrap(build.full((1,), True, dtypes.bool_)), red.any(different, 1)])


def unique_all(x, /, *, size=None, fill_value=None):
    """(values, indices, inverse_indices, counts) of the different elements; NaNs are all different."""
    return UniqueAllResult(*unique(x, True, True, True, equal_nan=False, size=size, fill_value=fill_value))


def unique_counts(x, /, *, size=None, fill_value=None):
    """(values, counts) of the different elements; NaNs are all different."""
    return UniqueCountsResult(*unique(x, return_counts=True, equal_nan=False, size=size, fill_value=fill_value))


def unique_inverse(x, /, *, size=None, fill_value=None):
    """(values, inverse_indices) of the different elements; NaNs are all different."""
    return UniqueInverseResult(*unique(x, return_inverse=True, equal_nan=False, size=size, fill_value=fill_value))


def unique_values(x, /, *, size=None, fill_value=None):
    """The different elements; NaNs are all different."""
    return unique(x, equal_nan=False, size=size, fill_value=fill_value)


def union1d(ar1, ar2, *, size=None, fill_value=None):
    """The different elements of both arrays; forces values unless `size` is given."""
    return unique(concatenate([ravel(ar1), ravel(ar2)]), size=size, fill_value=fill_value)


def isin(element, test_elements, assume_unique=False, invert=False, *, method='auto'):
    """Whether each element is one of the test elements."""
    x, tests = [wrap(n) for n in promoted(element, test_elements)]
    tests = ravel(tests)
    if not tests.size or not x.size:
        return wrap(build.full(x.shape, bool(invert), dtypes.bool_))
    if dtypes.kind(x.dtype) == 'c' or tests.size <= 8:
        found = red.any(x[..., None] == tests, -1)
    else:
        ordered = sort(tests)
        found = take(ordered, searchsorted(ordered, x), mode='clip') == x
    return ~found if invert else found


def _chosen(values, mask, size, fill_value):
    """Elements of a sorted vector where a mask is true, the mask forced unless `size` is given."""
    from .indexing import compress
    if size is None:
        return compress(mask, values, 0)
    if not values.size:
        return wrap(build.full((size,), 0 if fill_value is None else fill_value, values.dtype))
    if fill_value is None:
        fill_value = take(values, wrap(flat_nonzero(mask._node, 1)[0]), 0, mode='clip')[0]
    return compress(mask, values, 0, size=size, fill_value=fill_value)


def setdiff1d(ar1, ar2, assume_unique=False, *, size=None, fill_value=None):
    """The different elements of ar1 that are not in ar2; forces values unless `size` is given."""
    x, y = ravel(ar1), ravel(ar2)
    if size is None:
        values = x if assume_unique else unique(x)
        return _chosen(values, isin(values, y, invert=True), None, None)
    values, first = _sorted_first(x)
    return _chosen(values, first & isin(values, y, invert=True), size, 0 if fill_value is None else fill_value)


def _sorted_first(x):
    """A vector sorted, and the mask of the first of equal elements."""
    values = sort(x)
    if not values.size:
        return values, wrap(build.full((0,), True, dtypes.bool_))
    return values, concatenate([wrap(build.full((1,), True, dtypes.bool_)), values[1:] != values[:-1]])


def setxor1d(ar1, ar2, assume_unique=False, *, size=None, fill_value=None):
    """The different elements that are in exactly one of the arrays; forces values unless `size` is given."""
    x, y = [ravel(wrap(n)) for n in promoted(ar1, ar2)]
    values, first = _sorted_first(concatenate([x, y]))
    mask = first & (isin(values, x) != isin(values, y))
    return _chosen(values, mask, size, 0 if fill_value is None else fill_value)


def intersect1d(ar1, ar2, assume_unique=False, return_indices=False, *, size=None, fill_value=None):
    """The different elements that are in both arrays, and on demand where they first stand in each; forces values unless
    `size` is given."""
    x, y = [ravel(wrap(n)) for n in promoted(ar1, ar2)]
    values, first = _sorted_first(x)
    mask = first & isin(values, y)
    common = _chosen(values, mask, size, fill_value)
    if not return_indices:
        return common
    positions = []
    for source in (x, y):
        order = argsort(source)
        at = searchsorted(take(source, order, mode='clip'), common)
        found = take(order, at, mode='clip') if source.size else at
        if size is not None:
            found = where(wrap(build.iota((size,), dtypes.int32)) < red.sum(mask), found, source.size)
        positions.append(found)
    return common, *positions
