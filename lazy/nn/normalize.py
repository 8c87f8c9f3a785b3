"""Functions over whole axes: softmax and its relatives, standardisation, one-hot encoding."""
import math
import operator

from ..array import as_node, unary, wrap
from ..ir import build, dtypes, ops
from .activations import inexact

__all__ = ['log_softmax', 'logmeanexp', 'logsumexp', 'one_hot', 'softmax', 'standardize']


def axes_of(axis, ndim):
    """Axis numbers in [0, ndim) of an int, a tuple, or None for all."""
    if axis is None:
        return tuple(range(ndim))
    axes = (axis,) if not isinstance(axis, (tuple, list)) else axis
    for a in axes:
        if not -ndim <= operator.index(a) < ndim:
            raise ValueError(f'axis {a} is out of bounds for array of dimension {ndim}')
    return tuple(sorted({operator.index(a) % ndim for a in axes}))


def reduce_keeping(op, node, axes):
    """A reduction whose axes are kept with size 1."""
    if not axes:
        return node
    return build.reshape(build.reduce(op, node, axes), [1 if a in axes else n for a, n in enumerate(node.aval.shape)])


def _masked(node, where, fill):
    """node where a mask is true, else `fill`; the mask broadcasts."""
    if where is None:
        return node
    mask = build.convert(as_node(where), dtypes.bool_)
    return build.select(mask, node, build.scalar_like(node, fill))


def _peak(node, axes):
    """The largest element along axes, a constant for derivatives; 0 where it isn't finite or there is none."""
    if any(node.aval.shape[a] == 0 for a in axes):
        return build.scalar_like(node, 0)
    real = build.real(node) if dtypes.kind(node.aval.dtype) == 'c' else node
    peak = build.apply(ops.stop_gradient, reduce_keeping(ops.reduce_max, real, axes))
    peak = build.select(build.apply(ops.is_finite, peak), peak, build.scalar_like(peak, 0))
    return build.convert(peak, node.aval.dtype)


def _shifted(x, axes, where):
    """x less its largest element along axes, the lowest value where masked."""
    node = inexact(x)._node
    node = _masked(node, where, dtypes.lowest(node.aval.dtype))
    if any(node.aval.shape[a] == 0 for a in axes):
        return node
    peak = reduce_keeping(ops.reduce_max, node, axes)
    return build.sub(node, build.apply(ops.stop_gradient, peak))


def softmax(x, axis=-1, where=None):
    """exp(x) / sum(exp(x)) along an axis or axes. where: what takes part; elsewhere the result is 0.

    >>> import lazy, lazy.numpy as np
    >>> lazy.nn.softmax(np.array([1000., 1000.])).tolist()
    [0.5, 0.5]
    """
    axes = axes_of(axis, as_node(x).aval.ndim)
    powers = build.apply(ops.exp, _shifted(x, axes, where))
    powers = _masked(powers, where, 0)
    result = build.div(powers, reduce_keeping(ops.reduce_sum, powers, axes))
    return wrap(_masked(result, where, 0))


def log_softmax(x, axis=-1, where=None):
    """log(softmax(x)), accurate where softmax(x) is small; -inf where masked.

    >>> import lazy, lazy.numpy as np
    >>> [round(float(v), 4) for v in lazy.nn.log_softmax(np.array([0., 0.]))]
    [-0.6931, -0.6931]
    """
    axes = axes_of(axis, as_node(x).aval.ndim)
    shifted = _shifted(x, axes, where)
    powers = _masked(build.apply(ops.exp, shifted), where, 0)
    result = build.sub(shifted, build.apply(ops.log, reduce_keeping(ops.reduce_sum, powers, axes)))
    return wrap(_masked(result, where, dtypes.lowest(result.aval.dtype)))


def logsumexp(a, axis=None, b=None, keepdims=False, return_sign=False, where=None):
    """log(sum(b exp(a))) along axes, without overflow; b are weights, 1 by default.

    return_sign: a pair, the logarithm of the absolute value and the sign. Without it a negative sum gives NaN.

    >>> import lazy, lazy.numpy as np
    >>> round(float(lazy.nn.logsumexp(np.array([1000., 1000.]))), 3)
    1000.693
    """
    node = inexact(a)._node
    weights = None
    if b is not None:
        weights = as_node(b)
        dtype, _ = dtypes.promote((node.aval.dtype, node.aval.weak), (weights.aval.dtype, weights.aval.weak))
        node, weights = build.convert(node, dtype), build.convert(weights, dtype)
        shape = build.mul(node, weights).aval.shape
        node, weights = build.broadcast_to(node, shape), build.broadcast_to(weights, shape)
        absent = build.eq(weights, build.scalar_like(weights, 0))
        node = build.select(absent, build.scalar_like(node, dtypes.lowest(dtype)), node)
    axes = axes_of(axis, node.aval.ndim)
    node = _masked(node, where, dtypes.lowest(node.aval.dtype))
    peak = _peak(node, axes)
    powers = build.apply(ops.exp, build.sub(node, peak))
    if weights is not None:
        powers = build.mul(powers, weights)
    powers = _masked(powers, where, 0)
    total = reduce_keeping(ops.reduce_sum, powers, axes)
    sign = build.apply(ops.sign, total)
    if return_sign or dtypes.kind(node.aval.dtype) == 'c':
        size = build.convert(build.apply(ops.abs_, total), total.aval.dtype) if return_sign else total
    else:
        size = total
    result = build.add(build.apply(ops.log, size), peak)
    if not keepdims:
        result, sign = build.squeeze(result, axes), build.squeeze(sign, axes)
    return (wrap(result), wrap(sign)) if return_sign else wrap(result)


def logmeanexp(x, axis=None, where=None, keepdims=False):
    """log(mean(exp(x))) along axes."""
    total = logsumexp(x, axis, keepdims=keepdims, where=where)
    node = as_node(x)
    axes = axes_of(axis, node.aval.ndim)
    if where is None:
        return total - math.log(math.prod(node.aval.shape[a] for a in axes) or 1)
    ones = build.convert(build.broadcast_to(as_node(where), node.aval.shape), total.dtype)
    count = reduce_keeping(ops.reduce_sum, ones, axes)
    return total - unary(ops.log, wrap(count if keepdims else build.squeeze(count, axes)))


def standardize(x, axis=-1, mean=None, variance=None, epsilon=1e-5, where=None, *, algorithm='fast'):
    """(x - mean) / sqrt(variance + epsilon) along axes.

    algorithm: 'fast' computes the variance as mean(x**2) - mean(x)**2, 'stable' as mean((x - mean(x))**2).

    >>> import lazy, lazy.numpy as np
    >>> [round(float(v), 3) for v in lazy.nn.standardize(np.array([1., 2., 3.]))]
    [-1.225, 0.0, 1.225]
    """
    if algorithm not in ('fast', 'stable'):
        raise ValueError(f"Unknown algorithm '{algorithm}'. Expected 'fast' or 'stable'.")
    x = inexact(x)
    axes = axes_of(axis, x.ndim)

    def average(y):
        if where is None:
            count = math.prod(x.shape[a] for a in axes)
            return wrap(reduce_keeping(ops.reduce_sum, y._node, axes)) / count
        kept = _masked(y._node, where, 0)
        ones = build.broadcast_to(build.convert(as_node(where), x.dtype), x.shape)
        return wrap(reduce_keeping(ops.reduce_sum, kept, axes)) / wrap(reduce_keeping(ops.reduce_sum, ones, axes))
    mean = average(x) if mean is None else mean
    if variance is None and algorithm == 'stable':
        variance = average((x - mean) ** 2)
    elif variance is None:
        variance = average(x * x) - mean * mean
        variance = wrap(build.apply(ops.max_, variance._node, build.scalar_like(variance._node, 0)))
    return (x - mean) * unary(ops.rsqrt, wrap(as_node(variance + epsilon)), 'inexact')


def one_hot(x, num_classes, *, dtype=None, axis=-1):
    """A new axis of size num_classes that is 1 at the position x, else 0; all 0 where x is out of range.

    >>> import lazy, lazy.numpy as np
    >>> lazy.nn.one_hot(np.array([0, 2]), 3).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    node, n = as_node(x), operator.index(num_classes)
    ndim = node.aval.ndim + 1
    if not -ndim <= axis < ndim:
        raise ValueError(f'one_hot: axis {axis} is out of bounds for {ndim} dimensions')
    axis %= ndim
    classes = build.iota([n if a == axis else 1 for a in range(ndim)], node.aval.dtype, axis)
    hit = build.eq(build.expand_dims(node, (axis,)), classes)
    return wrap(build.convert(hit, dtypes.default_float() if dtype is None else dtypes.as_dtype(dtype)))
