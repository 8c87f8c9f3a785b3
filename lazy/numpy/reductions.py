"""Reductions, cumulative operations, and the statistics that are a few of them."""
import math

import numpy as onp

from . import elementwise as el
from ._util import (Array, Node, array_of, axes_of, axis_of, broadcast_shapes, build, dtype_of, dtypes, inexact_array,
                    node_of, ops, promoted, result_aval, scalar_of, takes_out, wrap)
from ..ir.graph import aval

__all__ = ['sum', 'prod', 'max', 'min', 'amax', 'amin', 'all', 'any', 'mean', 'average', 'var', 'std', 'ptp',
           'count_nonzero', 'argmax', 'argmin', 'nansum', 'nanprod', 'nanmax', 'nanmin', 'nanmean', 'nanvar', 'nanstd',
           'nanargmax', 'nanargmin', 'cumsum', 'cumprod', 'nancumsum', 'nancumprod', 'cumulative_sum',
           'cumulative_prod', 'trace', 'allclose', 'array_equal', 'array_equiv', 'trapezoid']

_plans = {}
_PLANS_KEPT = 20_000


class _Plan:
    """What a reduction does to an array of one aval: convert to `dtype` (or None), reduce `axes`, `kept` shape."""
    __slots__ = ('dtype', 'axes', 'result', 'kept', 'count')


def _plan(op, of, axis, dtype, promote):
    plan = _Plan()
    plan.axes = axes_of(axis, of.ndim)
    target = _result_dtype(op, of.dtype, dtype, promote)
    plan.dtype = target if target != of.dtype or of.weak else None
    plan.kept = tuple([1 if a in plan.axes else n for a, n in enumerate(of.shape)])
    plan.count = math.prod([of.shape[a] for a in plan.axes])
    if not plan.count and op in (ops.reduce_max, ops.reduce_min):
        name = 'max' if op is ops.reduce_max else 'min'
        raise ValueError(f'zero-size array to reduction operation {name} which has no identity: shape {of.shape}, '
                         f'axes {plan.axes}')
    operand = Node(ops.variable, (), None, aval(of.shape, target))
    plan.result = result_aval(op, (operand,), (plan.axes,))
    if len(_plans) > _PLANS_KEPT:
        _plans.clear()
    return plan


def _result_dtype(op, have, asked, promote):
    if asked is not None:
        return dtypes.as_dtype(asked)
    if op is ops.reduce_and or op is ops.reduce_or:
        return dtypes.bool_
    if promote and dtypes.kind(have) in 'biu':
        unsigned = dtypes.kind(have) == 'u'
        default = dtypes.default_int()
        if have.itemsize < default.itemsize or have == dtypes.bool_:
            return onp.dtype(f'u{default.name}') if unsigned else default
    return have


def _reduce(op, a, axis, dtype, keepdims, promote=False):
    node = a._node if type(a) is Array else node_of(a)
    key = op, node.aval, axis, dtype, promote, dtypes.Defaults.wide
    try:
        plan = _plans.get(key)
    except TypeError:                                                # a list of axes
        return _reduce(op, a, tuple(axis), dtype, keepdims, promote)
    if plan is None:
        plan = _plans[key] = _plan(op, node.aval, axis, dtype, promote)
    if plan.dtype is not None:
        node = build.convert(node, plan.dtype)
    if plan.axes:
        node = Node(op, (node,), (plan.axes,), plan.result)
    return wrap(build.reshape(node, plan.kept) if keepdims else node)


def _masked(a, where, identity):
    """a with `identity` where the mask is false, broadcast to both shapes."""
    node, mask = node_of(a), build.convert(node_of(where), dtypes.bool_)
    shape = broadcast_shapes('where', node.aval.shape, mask.aval.shape)
    result = build.apply(ops.select, mask, node, build.literal(identity, node.aval.dtype))
    return wrap(build.broadcast_to(result, shape))


# --- sums and products ---------------------------------------------------------------------------------------------

@takes_out
def sum(a, axis=None, dtype=None, out=None, keepdims=False, initial=None, where=None, promote_integers=True):
    """Sum over axes (all by default).

    Booleans and integers narrower than the default are summed in the default integer; narrower floats are
    accumulated in float32.

    Raises AxisError for an axis out of range.

    >>> import lazy.numpy as np
    >>> np.sum(np.ones((2, 3)), axis=1).tolist()
    [3.0, 3.0]
    """
    if where is not None:
        a = _masked(a, where, 0)
    result = _reduce(ops.reduce_sum, a, axis, dtype, keepdims, promote_integers)
    return result if initial is None else result + wrap(scalar_of(initial, result.dtype))


@takes_out
def prod(a, axis=None, dtype=None, out=None, keepdims=False, initial=None, where=None, promote_integers=True):
    """Product over axes; types as in `sum`."""
    if where is not None:
        a = _masked(a, where, 1)
    result = _reduce(ops.reduce_prod, a, axis, dtype, keepdims, promote_integers)
    return result if initial is None else result * wrap(scalar_of(initial, result.dtype))


# --- extremes ---------------------------------------------------------------------------------------------------------

@takes_out
def max(a, axis=None, out=None, keepdims=False, initial=None, where=None):
    """Largest element over axes; NaN where there is one. Complex numbers are ordered by real, then imaginary part.

    Raises ValueError for an empty array without `initial`, and for `where` without `initial`.
    """
    return _extreme(ops.reduce_max, el.maximum, dtypes.lowest, argmax, 'max', a, axis, keepdims, initial, where)


@takes_out
def min(a, axis=None, out=None, keepdims=False, initial=None, where=None):
    """Smallest element over axes; NaN where there is one. Complex numbers are ordered by real, then imaginary part.

    Raises ValueError for an empty array without `initial`, and for `where` without `initial`.
    """
    return _extreme(ops.reduce_min, el.minimum, dtypes.highest, argmin, 'min', a, axis, keepdims, initial, where)


amax, amin = max, min


def _extreme(op, combine, identity, arg, name, a, axis, keepdims, initial, where):
    if initial is None and where is None and dtypes.kind((a if type(a) is Array else array_of(a)).dtype) != 'c':
        return _reduce(op, a, axis, None, keepdims)
    x = array_of(a)
    if dtypes.kind(x.dtype) == 'c':
        least = identity(dtypes.real_of(x.dtype))
        identity, reduced = lambda dtype: complex(least, least), lambda x, axes: _complex_extreme(arg, x, axes, keepdims)
    else:
        reduced = lambda x, axes: _reduce(op, x, axes, None, keepdims)
    if initial is None and where is None:
        return reduced(x, axes_of(axis, x.ndim))
    if where is not None:
        if initial is None:
            raise ValueError(f'reduction operation {name} does not have an identity, so to use a where mask one has to '
                             'specify initial')
        x = _masked(x, where, identity(x.dtype))
    axes = axes_of(axis, x.ndim)
    start = wrap(scalar_of(initial, x.dtype))
    if math.prod([x.shape[i] for i in axes]) == 0:
        shape = [1 if i in axes else n for i, n in enumerate(x.shape) if keepdims or i not in axes]
        return wrap(build.broadcast_to(start._node, shape))
    return combine(reduced(x, axes), start)


def _complex_extreme(arg, x, axis, keepdims):
    from .indexing import take_along_axis
    axes = axes_of(axis, x.ndim)
    kept = [a for a in range(x.ndim) if a not in axes]
    shape = [x.shape[a] for a in kept]
    reduced = math.prod([x.shape[a] for a in axes])
    flat = wrap(build.reshape(build.transpose(x._node, kept + list(axes)), [*shape, reduced]))
    found = take_along_axis(flat, arg(flat, -1, keepdims=True), -1)
    final = [1 if a in axes else n for a, n in enumerate(x.shape) if keepdims or a not in axes]
    return wrap(build.reshape(found._node, final))


@takes_out
def ptp(a, axis=None, out=None, keepdims=False):
    """Largest less smallest element over axes."""
    return max(a, axis, keepdims=keepdims) - min(a, axis, keepdims=keepdims)


@takes_out
def argmax(a, axis=None, out=None, keepdims=None):
    """Index of the first largest element along an axis (of the flattened array by default); of the first NaN if any.

    >>> import lazy.numpy as np
    >>> int(np.argmax(np.array([1, 3, 2])))
    1
    """
    return _arg(ops.argmax, 'argmax', a, axis, keepdims)


@takes_out
def argmin(a, axis=None, out=None, keepdims=None):
    """Index of the first smallest element along an axis (or of the flattened array); of the first NaN if any."""
    return _arg(ops.argmin, 'argmin', a, axis, keepdims)


def _arg(op, name, a, axis, keepdims):
    node = node_of(a)
    ndim = node.aval.ndim
    if axis is None:
        flat = build.reshape(node, (node.aval.size,))
        at = 0
    elif ndim == 0:
        axis_of(axis, 1)
        flat, at = build.reshape(node, (1,)), 0
    else:
        flat, at = node, axis_of(axis, ndim)
    if flat.aval.shape[at] == 0:
        raise ValueError(f'attempt to get {name} of an empty sequence')
    result = build.make(op, (flat,), (at, dtypes.index_int(flat.aval.shape[at])))
    if keepdims:
        shape = (1,) * ndim if axis is None else node.aval.shape[:at] + (1,) * (ndim > 0) + node.aval.shape[at + 1:]
        result = build.reshape(result, shape)
    return wrap(result)


# --- truth ------------------------------------------------------------------------------------------------------------

@takes_out
def all(a, axis=None, out=None, keepdims=False, *, where=None):
    """Whether all elements over axes are true (not zero)."""
    if where is not None:
        a = _masked(array_of(a).astype(dtypes.bool_), where, True)
    return _reduce(ops.reduce_and, a, axis, None, keepdims)


@takes_out
def any(a, axis=None, out=None, keepdims=False, *, where=None):
    """Whether any element over axes is true (not zero)."""
    if where is not None:
        a = _masked(array_of(a).astype(dtypes.bool_), where, False)
    return _reduce(ops.reduce_or, a, axis, None, keepdims)


def count_nonzero(a, axis=None, keepdims=False):
    """Number of elements that are not zero."""
    return sum(array_of(a) != 0, axis, keepdims=keepdims)


def allclose(a, b, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether all elements are close, see `isclose`."""
    return all(el.isclose(a, b, rtol, atol, equal_nan))


def array_equal(a1, a2, equal_nan=False):
    """Whether shapes and all elements are equal."""
    a, b = array_of(a1), array_of(a2)
    if a.shape != b.shape:
        return wrap(build.literal(False, dtypes.bool_))
    same = a == b
    return all(same | (el.isnan(a) & el.isnan(b)) if equal_nan else same)


def array_equiv(a1, a2):
    """Whether the arrays broadcast to one shape and have equal elements."""
    a, b = array_of(a1), array_of(a2)
    try:
        broadcast_shapes('array_equiv', a.shape, b.shape)
    except ValueError:
        return wrap(build.literal(False, dtypes.bool_))
    return all(a == b)


# --- means and variances ----------------------------------------------------------------------------------------------

def _wide(x, dtype):
    """x in the dtype in which a mean is computed, and the dtype of the result."""
    result = dtypes.as_dtype(dtype) if dtype is not None else dtypes.inexact_of(x.dtype)
    if not dtypes.is_inexact(result):
        return x.astype(dtypes.default_float()), result
    computed = dtypes.float32 if result.itemsize < 4 else result
    return (x if x.dtype == computed and not x.weak_type else x.astype(computed)), result


# means are computed in these themselves
_COMPUTED = {dtypes.float32, dtypes.float64, dtypes.complex64, dtypes.complex128}


def _count(x, axis, where):
    """Number of elements over axes: a float, or an array where a mask decides."""
    if where is None:
        return float(math.prod([x.shape[a] for a in axes_of(axis, x.ndim)]))
    mask = wrap(build.broadcast_to(build.convert(node_of(where), dtypes.bool_), x.shape))
    return sum(mask, axis, dtype=dtypes.real_of(x.dtype), keepdims=True)


def _over(total, n, keepdims, axes):
    """total / n where n has kept axes or is a number."""
    if isinstance(n, float):
        return total / n
    return total / (n if keepdims else wrap(build.squeeze(n._node, axes)))


@takes_out
def mean(a, axis=None, dtype=None, out=None, keepdims=False, *, where=None):
    """Arithmetic mean over axes; integers are averaged as floats. NaN for no elements.

    >>> import lazy.numpy as np
    >>> float(np.mean(np.array([1, 2, 4, 5])))
    3.0
    """
    x = a if type(a) is Array else array_of(a)
    if where is None and dtype is None and x.dtype in _COMPUTED:
        total = _reduce(ops.reduce_sum, x, axis, None, keepdims)
        return total / (float(x.size) if axis is None else _count(x, axis, None))
    x, result = _wide(x, dtype)
    if where is not None:
        x = _masked(x, where, 0)
    total = _over(sum(x, axis, keepdims=keepdims), _count(x, axis, where), keepdims, axes_of(axis, x.ndim))
    return total if total.dtype == result else total.astype(result)


@takes_out
def var(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, where=None, mean=None, correction=None):
    """Variance over axes: the mean squared distance from the mean, divided by n - ddof; of complex numbers real."""
    if correction is not None:
        if ddof:
            raise ValueError('ddof and correction are the same: give one of them')
        ddof = correction
    x = a if type(a) is Array else array_of(a)
    result = x.dtype
    if dtype is not None or result not in _COMPUTED or x.weak_type:
        x, result = _wide(x, dtype)
    axes = axes_of(axis, x.ndim)
    n = _count(x, axes, where)
    if mean is None:
        known = x if where is None else _masked(x, where, 0)
        mean = _over(sum(known, axes, keepdims=True), n, True, axes)
    distance = x - mean
    squared = el.real(distance * el.conj(distance)) if dtypes.kind(x.dtype) == 'c' else el.square(distance)
    if where is not None:
        squared = _masked(squared, where, 0)
    total = sum(squared, axes, keepdims=keepdims)
    free = n - ddof if isinstance(n, float) else el.maximum(n - ddof, 0)
    if isinstance(free, float) and free < 0:
        free = 0.0
    total = _over(total, free, keepdims, axes)
    result = dtypes.real_of(result)
    return total if total.dtype == result else total.astype(result)


@takes_out
def std(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, where=None, mean=None, correction=None):
    """Standard deviation over axes: the square root of the variance."""
    wide, result = _wide(array_of(a), dtype)
    found = el.sqrt(var(wide, axis, None, None, ddof, keepdims, where=where, mean=mean, correction=correction))
    return found.astype(dtypes.real_of(result))


def average(a, axis=None, weights=None, returned=False, keepdims=False):
    """Weighted mean over axes; with `returned` also the sum of the weights.

    Raises ValueError where the shape of the weights fits neither the array nor its axis.
    """
    x = array_of(a)
    if weights is None:
        result = mean(x, axis, keepdims=keepdims)
        if not returned:
            return result
        count = x.size // result.size if result.size else 0
        return result, wrap(build.full(result.shape, count, result.dtype))
    x, w = [wrap(n) for n in promoted(x, weights, inexact=True)]
    axes = axes_of(axis, x.ndim)
    if w.shape != x.shape:
        if axis is None:
            raise TypeError(f'axis must be given where shapes of a and weights differ: {x.shape} and {w.shape}')
        if w.shape != tuple([x.shape[i] for i in axes]):
            raise ValueError(f'shape of weights {w.shape} must fit the axes {axes} of an array of shape {x.shape}')
        w = wrap(build.reshape(w._node, [n if i in axes else 1 for i, n in enumerate(x.shape)]))
        w = wrap(build.broadcast_to(w._node, x.shape))
    total = sum(w, axes, keepdims=keepdims)
    result = sum(x * w, axes, keepdims=keepdims) / total
    return (result, total) if returned else result


def trapezoid(y, x=None, dx=1.0, axis=-1):
    """Integral along an axis by the trapezoidal rule.

    x: the places of the samples, along that axis or in the shape of y; else dx is their distance, which broadcasts to y
    with one element less along the axis.
    """
    from .joining import diff
    y, *given = [wrap(n) for n in promoted(y, *(() if x is None else (x,)), inexact=True)]
    axis = axis_of(axis, y.ndim)
    n = y.shape[axis]
    one = 1 if n else 0
    heights = wrap(build.slice_axis(y._node, axis, one, n)) + wrap(build.slice_axis(y._node, axis, 0, n - one))
    steps = dx
    if given:
        x, = given
        steps = diff(x, axis=axis if x.ndim == y.ndim else -1)
        steps = steps.reshape([-1 if i == axis else 1 for i in range(y.ndim)]) if x.ndim == 1 else steps
    return 0.5 * sum(steps * heights, axis)


@takes_out
def trace(a, offset=0, axis1=0, axis2=1, dtype=None, out=None):
    """Sum of a diagonal."""
    from .shape import diagonal
    return sum(diagonal(a, offset, axis1, axis2), -1, dtype=dtype)


# --- functions that leave NaN out -------------------------------------------------------------------------------------

def _without_nan(a, value):
    """(array with `value` for NaN, mask of NaN or None where there can be none)."""
    x = array_of(a)
    if not dtypes.is_inexact(x.dtype):
        return x, None
    nan = el.isnan(x)
    return wrap(build.apply(ops.select, nan._node, build.literal(value, x.dtype), x._node)), nan


@takes_out
def nansum(a, axis=None, dtype=None, out=None, keepdims=False, initial=None, where=None):
    """Sum over axes of what is not NaN."""
    return sum(_without_nan(a, 0)[0], axis, dtype, None, keepdims, initial, where)


@takes_out
def nanprod(a, axis=None, dtype=None, out=None, keepdims=False, initial=None, where=None):
    """Product over axes of what is not NaN."""
    return prod(_without_nan(a, 1)[0], axis, dtype, None, keepdims, initial, where)


@takes_out
def nanmax(a, axis=None, out=None, keepdims=False, initial=None, where=None):
    """Largest element over axes of what is not NaN; NaN where all are."""
    return _nan_extreme(max, dtypes.lowest, a, axis, keepdims, initial, where)


@takes_out
def nanmin(a, axis=None, out=None, keepdims=False, initial=None, where=None):
    """Smallest element over axes of what is not NaN; NaN where all are."""
    return _nan_extreme(min, dtypes.highest, a, axis, keepdims, initial, where)


def _nan_extreme(function, identity, a, axis, keepdims, initial, where):
    from .indexing import where as choose
    a = array_of(a)
    x, nan = _without_nan(a, identity(a.dtype))
    result = function(x, axis, None, keepdims, initial, where)
    if nan is None or initial is not None:
        return result
    return choose(all(nan, axis, keepdims=keepdims), math.nan, result)


@takes_out
def nanmean(a, axis=None, dtype=None, out=None, keepdims=False, where=None):
    """Mean over axes of what is not NaN."""
    _, nan = _without_nan(a, 0)
    return mean(a, axis, dtype, keepdims=keepdims, where=_known(nan, where))


def _known(nan, where):
    if nan is None:
        return where
    return ~nan if where is None else ~nan & where


@takes_out
def nanvar(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, where=None, mean=None):
    """Variance over axes of what is not NaN; NaN where there are no more than ddof such elements."""
    x, nan = _without_nan(a, 0)
    if nan is None:
        return var(a, axis, dtype, None, ddof, keepdims, where=where, mean=mean)
    return var(x, axis, dtype, None, ddof, keepdims, where=_known(nan, where), mean=mean)


@takes_out
def nanstd(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, where=None, mean=None):
    """Standard deviation over axes of what is not NaN."""
    return el.sqrt(nanvar(a, axis, dtype, None, ddof, keepdims, where, mean))


@takes_out
def nanargmax(a, axis=None, out=None, keepdims=None):
    """Index of the first largest element that is not NaN; -1 where all are."""
    return _nan_arg(argmax, dtypes.lowest, a, axis, keepdims)


@takes_out
def nanargmin(a, axis=None, out=None, keepdims=None):
    """Index of the first smallest element that is not NaN; -1 where all are."""
    return _nan_arg(argmin, dtypes.highest, a, axis, keepdims)


def _nan_arg(function, identity, a, axis, keepdims):
    from .indexing import where as choose
    a = array_of(a)
    x, nan = _without_nan(a, identity(a.dtype))
    result = function(x, axis, keepdims=keepdims)
    return result if nan is None else choose(all(nan, axis, keepdims=bool(keepdims)), -1, result)


# --- cumulative -------------------------------------------------------------------------------------------------------

def _cumulate(op, a, axis, dtype, name):
    node = node_of(a)
    dtype = dtype_of(dtype) or (dtypes.default_int() if node.aval.dtype == dtypes.bool_ else node.aval.dtype)
    if axis is None or node.aval.ndim == 0:
        if axis is not None:
            axis_of(axis, node.aval.ndim)
        node, axis = build.reshape(node, (node.aval.size,)), 0
    axis = axis_of(axis, node.aval.ndim)
    return wrap(build.make(op, (build.convert(node, dtype, node.aval.weak),), (axis, False)))


@takes_out
def cumsum(a, axis=None, dtype=None, out=None):
    """Sums of the elements up to each, along an axis or of the flattened array; booleans are summed as integers.

    >>> import lazy.numpy as np
    >>> np.cumsum(np.array([1, 2, 3])).tolist()
    [1, 3, 6]
    """
    return _cumulate(ops.cumsum, a, axis, dtype, 'cumsum')


@takes_out
def cumprod(a, axis=None, dtype=None, out=None):
    """Products of the elements up to each, along an axis or of the flattened array."""
    return _cumulate(ops.cumprod, a, axis, dtype, 'cumprod')


@takes_out
def nancumsum(a, axis=None, dtype=None, out=None):
    """cumsum with NaN counted as 0."""
    return cumsum(_without_nan(a, 0)[0], axis, dtype)


@takes_out
def nancumprod(a, axis=None, dtype=None, out=None):
    """cumprod with NaN counted as 1."""
    return cumprod(_without_nan(a, 1)[0], axis, dtype)


@takes_out
def cumulative_sum(x, /, *, axis=None, dtype=None, out=None, include_initial=False):
    """Sums of the elements up to each along an axis, with a leading 0 if asked for; integers promoted as in `sum`."""
    return _cumulative(ops.cumsum, ops.reduce_sum, 0, x, axis, dtype, include_initial, 'cumulative_sum')


@takes_out
def cumulative_prod(x, /, *, axis=None, dtype=None, out=None, include_initial=False):
    """Products of the elements up to each along an axis, with a leading 1 if asked for."""
    return _cumulative(ops.cumprod, ops.reduce_prod, 1, x, axis, dtype, include_initial, 'cumulative_prod')


def _cumulative(op, reduction, identity, x, axis, dtype, include_initial, name):
    from .joining import concatenate
    x = array_of(x)
    if x.ndim == 0:
        raise ValueError(f'{name} needs an array of at least one dimension')
    if axis is None:
        if x.ndim > 1:
            raise ValueError(f'{name} needs an axis for an array of {x.ndim} dimensions')
        axis = 0
    axis = axis_of(axis, x.ndim)
    dtype = _result_dtype(reduction, x.dtype, dtype, True)
    result = _cumulate(op, x, axis, dtype, name)
    if include_initial:
        shape = x.shape[:axis] + (1,) + x.shape[axis + 1:]
        result = concatenate([wrap(build.full(shape, identity, dtype)), result], axis)
    return result
