"""Distributions made of uniform and normal numbers by formulas."""
import math

from ..array import as_node, wrap
from ..dtypes import finfo
from ..ir import build, dtypes, ops
from .keys import split_words
from .samplers import (constant, float_dtype, normal_node, pair_of, parameter, shape_of, uniform_node)


def _apply(op, *operands):
    return build.apply(op, *operands)


def _drawn(name, key, shape, dtype, low=0.0, high=1.0):
    """(uniform numbers, their shape) for a sampler without parameters."""
    dtype = float_dtype(name, dtype)
    return uniform_node(pair_of(name, key), shape_of(name, shape), dtype, low, high)


def exponential_node(pair, shape, dtype):
    """-log(1 - u): 1 - u is in (0, 1]."""
    return build.neg(_apply(ops.log1p, build.neg(uniform_node(pair, shape, dtype))))


def exponential(key, shape=(), dtype=None, *, out_sharding=None):
    """Exponential numbers, density exp(-x).

    >>> import lazy
    >>> bool((lazy.random.exponential(lazy.random.key(0), (100,)) >= 0).all())
    True
    """
    dtype = float_dtype('exponential', dtype)
    return wrap(exponential_node(pair_of('exponential', key), shape_of('exponential', shape), dtype))


def cauchy(key, shape=(), dtype=None, *, out_sharding=None):
    """Cauchy numbers, density 1/(pi (x**2 + 1)): tan(pi (u - 1/2))."""
    u = _drawn('cauchy', key, shape, dtype, float(finfo(float_dtype('cauchy', dtype)).eps), 1.0)
    return wrap(_apply(ops.tan, build.mul(constant(u, math.pi), build.sub(u, constant(u, 0.5)))))


def laplace(key, shape=(), dtype=None, *, out_sharding=None):
    """Laplace numbers, density exp(-|x|)/2: sign(u) log(1 - |u|) for u in (-1, 1)."""
    u = _drawn('laplace', key, shape, dtype, -1.0 + float(finfo(float_dtype('laplace', dtype)).epsneg), 1.0)
    return wrap(build.mul(_apply(ops.sign, u), _apply(ops.log1p, build.neg(_apply(ops.abs_, u)))))


def logistic(key, shape=(), dtype=None, *, out_sharding=None):
    """Logistic numbers, density exp(-x)/(1 + exp(-x))**2: log(u) - log(1 - u)."""
    u = _drawn('logistic', key, shape, dtype, float(finfo(float_dtype('logistic', dtype)).tiny), 1.0)
    return wrap(build.sub(_apply(ops.log, u), _apply(ops.log1p, build.neg(u))))


def pareto(key, b, shape=None, dtype=None, *, out_sharding=None):
    """Pareto numbers, density b/x**(b + 1) for x >= 1: exp(e / b) for exponential e."""
    dtype = float_dtype('pareto', dtype)
    b = parameter(b, dtype)
    e = exponential_node(pair_of('pareto', key), shape_of('pareto', shape, b), dtype)
    return wrap(_apply(ops.exp, build.div(e, b)))


def rademacher(key, shape=(), dtype=None, *, out_sharding=None):
    """-1 or 1 with equal probability.

    >>> import lazy
    >>> set(lazy.random.rademacher(lazy.random.key(0), (100,)).tolist()) == {-1, 1}
    True
    """
    dtype = dtypes.as_dtype(int if dtype is None else dtype)
    return wrap(rademacher_node(pair_of('rademacher', key), shape_of('rademacher', shape), dtype))


def rademacher_node(pair, shape, dtype):
    u = uniform_node(pair, shape, dtypes.default_float())
    x = build.convert(build.lt(u, constant(u, 0.5)), dtype)
    return build.sub(build.mul(x, constant(x, 2)), constant(x, 1))


def _maxwell(pair, shape, dtype):
    square = _apply(ops.square, normal_node(pair, (*shape, 3), dtype))
    return _apply(ops.sqrt, build.reduce_sum(square, [len(shape)]))


def maxwell(key, shape=(), dtype=None, *, out_sharding=None):
    """Maxwell numbers, the lengths of standard normal vectors in three dimensions."""
    dtype = float_dtype('maxwell', dtype)
    return wrap(_maxwell(pair_of('maxwell', key), shape_of('maxwell', shape), dtype))


def double_sided_maxwell(key, loc, scale, shape=(), dtype=None):
    """Maxwell numbers of random sign, scaled and moved; the parameters' dimensions come after `shape`."""
    dtype = float_dtype('double_sided_maxwell', dtype)
    loc, scale = parameter(loc, dtype), parameter(scale, dtype)
    of_parameters = shape_of('double_sided_maxwell', None, loc, scale)
    shape = shape_of('double_sided_maxwell', shape) or of_parameters
    shape = shape + of_parameters
    first, second = split_words(pair_of('double_sided_maxwell', key), 2)
    number = build.mul(rademacher_node(second, shape, dtype), _maxwell(first, shape, dtype))
    return wrap(build.add(build.mul(number, scale), loc))


def weibull_min(key, scale, concentration, shape=(), dtype=None):
    """Weibull numbers by the inverse of their distribution: scale (-log(1 - u))**(1/concentration)."""
    dtype = float_dtype('weibull_min', dtype)
    scale, c = parameter(scale, dtype), parameter(concentration, dtype)
    e = exponential_node(pair_of('weibull_min', key), shape_of('weibull_min', shape), dtype)
    return wrap(build.mul(_apply(ops.pow_, e, build.div(constant(c, 1), c)), scale))


def rayleigh(key, scale, shape=None, dtype=None, *, out_sharding=None):
    """Rayleigh numbers: scale sqrt(-2 log(u))."""
    dtype = float_dtype('rayleigh', dtype)
    scale = parameter(scale, dtype)
    log = _apply(ops.log, uniform_node(pair_of('rayleigh', key), shape_of('rayleigh', shape, scale), dtype))
    return wrap(build.mul(scale, _apply(ops.sqrt, build.mul(log, constant(log, -2)))))


def wald(key, mean, shape=None, dtype=None, *, out_sharding=None):
    """Wald (inverse Gaussian) numbers of scale 1, after Michael, Schucany and Haas (1976)."""
    dtype = float_dtype('wald', dtype)
    mean = parameter(mean, dtype)
    shape = shape_of('wald', shape, mean)
    first, second = split_words(pair_of('wald', key), 2)
    mean = wrap(build.broadcast_to(mean, shape))
    y = wrap(_apply(ops.square, normal_node(first, shape, dtype)))
    z = wrap(uniform_node(second, shape, dtype))
    root = wrap(_apply(ops.sqrt, (4 * mean * y + mean ** 2 * y ** 2)._node))
    x = mean + mean ** 2 * y / 2 - mean / 2 * root
    return wrap(build.select((z <= mean / (mean + x))._node, x._node, (mean ** 2 / x)._node))


def geometric(key, p, shape=None, dtype=None, *, out_sharding=None):
    """Number of trials up to the first success, whose probability is p in each: 1, 2, ..."""
    dtype = dtypes.as_dtype(int if dtype is None else dtype)
    if not dtypes.is_integer(dtype):
        raise ValueError(f'dtype argument to `geometric` must be an int dtype, got {dtype}')
    p = as_node(p)
    p = build.convert(p, dtypes.inexact_of(p.aval.dtype))
    u = uniform_node(pair_of('geometric', key), shape_of('geometric', shape, p), p.aval.dtype)
    u = build.select(build.eq(u, constant(u, 0)), constant(u, 1), u)
    failures = _apply(ops.floor, build.div(_apply(ops.log, u), _apply(ops.log1p, build.neg(p))))
    return wrap(build.convert(build.add(failures, constant(failures, 1)), dtype))


def triangular(key, left, mode, right, shape=None, dtype=None, *, out_sharding=None):
    """Triangular numbers on [left, right] with their most probable value at mode."""
    dtype = float_dtype('triangular', dtype)
    nodes = [parameter(x, dtype) for x in (left, mode, right)]
    shape = shape_of('triangular', shape, *nodes)
    left, mode, right = (wrap(build.broadcast_to(n, shape)) for n in nodes)
    u = wrap(uniform_node(pair_of('triangular', key), shape, dtype))
    low = left + wrap(_apply(ops.sqrt, (u * (right - left) * (mode - left))._node))
    high = right - wrap(_apply(ops.sqrt, ((1 - u) * (right - left) * (right - mode))._node))
    return wrap(build.select((u < (mode - left) / (right - left))._node, low._node, high._node))


def lognormal(key, sigma=1.0, shape=None, dtype=None, *, out_sharding=None):
    """exp(sigma n) for standard normal n."""
    dtype = float_dtype('lognormal', dtype)
    sigma = parameter(sigma, dtype)
    number = normal_node(pair_of('lognormal', key), shape_of('lognormal', shape, sigma), dtype)
    return wrap(_apply(ops.exp, build.mul(number, sigma)))


def multivariate_normal(key, mean, cov, shape=None, dtype=None, method='cholesky', *, out_sharding=None):
    """Normal vectors of a mean [..., n] and a covariance [..., n, n]; the result has shape (*shape, n).

    method: how the covariance is factored, 'cholesky', 'eigh' or 'svd'.
    """
    if method not in ('svd', 'eigh', 'cholesky'):
        raise ValueError("method must be one of {'svd', 'eigh', 'cholesky'}")
    from .. import numpy as np
    mean, cov = wrap(as_node(mean)), wrap(as_node(cov))
    common = dtypes.inexact_of(dtypes.promote((mean.dtype, mean.weak_type), (cov.dtype, cov.weak_type))[0])
    dtype = float_dtype('multivariate_normal', common if dtype is None else dtype)
    mean, cov = mean.astype(common), cov.astype(common)
    if mean.ndim < 1:
        raise ValueError(f'multivariate_normal requires mean.ndim >= 1, got mean.ndim == {mean.ndim}')
    if cov.ndim < 2 or cov.shape[-2:] != (mean.shape[-1],) * 2:
        raise ValueError(f'multivariate_normal requires cov.shape == (..., n, n) for n={mean.shape[-1]}, but got '
                         f'cov.shape == {cov.shape}')
    from ..lax import broadcast_shapes
    batch = broadcast_shapes(mean.shape[:-1], cov.shape[:-2])
    shape = batch if shape is None else shape_of('multivariate_normal', shape)
    if broadcast_shapes(shape, batch) != shape:
        raise ValueError(f'multivariate_normal: shape {shape} does not fit parameters of batch shape {batch}')
    if method == 'cholesky':
        factor = wrap(build.make(ops.cholesky, (cov._node,)))
    elif method == 'eigh':
        w, v = np.linalg.eigh(cov)
        factor = v * np.sqrt(w[..., None, :])
    else:
        u, s, _ = np.linalg.svd(cov)
        factor = u * np.sqrt(s[..., None, :])
    number = wrap(normal_node(pair_of('multivariate_normal', key), (*shape, mean.shape[-1]), dtype))
    return mean + np.einsum('...ij,...j->...i', factor, number)


def orthogonal(key, n, shape=(), dtype=None, m=None, *, out_sharding=None):
    """Uniformly distributed orthogonal (unitary) matrices n x m, by the QR factorisation of normal ones."""
    from .. import numpy as np
    from .samplers import normal
    m = n if m is None else m
    z = normal(key, (*shape_of('orthogonal', shape), max(n, m), min(n, m)), dtype)
    q, r = np.linalg.qr(z)
    q = q * np.expand_dims(np.sign(np.diagonal(r, axis1=-2, axis2=-1)), -2)
    return q.swapaxes(-1, -2) if n < m else q


__all__ = ['cauchy', 'double_sided_maxwell', 'exponential', 'geometric', 'laplace', 'logistic', 'lognormal',
           'maxwell', 'multivariate_normal', 'orthogonal', 'pareto', 'rademacher', 'rayleigh', 'triangular', 'wald',
           'weibull_min']
