"""Gamma numbers with their derivatives, and the distributions that are made of them."""
import functools
import math
import operator

import numpy as onp

from .. import numpy as np
from ..array import wrap
from ..custom_derivatives import custom_jvp
from ..ir import build, dtypes, ops
from ..nn.normalize import softmax
from .distributions import exponential_node, rademacher_node
from .keys import split_words
from .samplers import float_dtype, normal_and_uniform, normal_node, pair_of, parameter, shape_of, uniform_node
from .templates import template

# --- drawing ------------------------------------------------------------------------------------------------------

# A proposal for a >= 2 is refused with probability 0.0184 at most (at a = 2): all seven with 7e-13.
_ROUNDS = 7


def _positive_uniform(pair, shape, dtype):
    """In (0, 1]: its logarithm is finite."""
    return 1 - wrap(uniform_node(pair, shape, dtype))


@template
def _draw(implementation, first, second, a):
    """(gamma numbers, their logarithms) for an Array of parameters, in float32 or float64; without derivatives.

    G. Marsaglia, W. W. Tsang, A simple method for generating gamma variables, ACM TOMS 26 (2000). A number for a < 2
    is one for a + 2 times u**(1 / a) v**(1 / (a + 1)). All rounds are computed, without branches.
    """
    few = a < 2
    d = np.where(few, a + 2, a) - 1 / 3
    c = 1 / np.sqrt(9 * d)
    *rounds, first, second = split_words(implementation((first._node, second._node)), _ROUNDS + 2)
    t = np.zeros_like(d)
    for each in rounds[::-1]:
        x, u = (wrap(n) for n in normal_and_uniform(each, a.shape, a.dtype))
        proposal = c * x
        # log(u) < x**2 / 2 + d (1 - v + log(v)) for v = (1 + c x)**3; False where v < 0, whose logarithm is NaN.
        accepted = np.log1p(-u) < x * x / 2 + d * (3 * (np.log1p(proposal) - proposal)
                                                   - proposal * proposal * (3 + proposal))
        t = np.where(accepted, proposal, t)
    smaller = np.log(_positive_uniform(first, a.shape, a.dtype)) / a \
        + np.log(_positive_uniform(second, a.shape, a.dtype)) / (a + 1)
    smaller = np.where(few, smaller, 0.0)
    result = d * (1 + t) ** 3 * np.exp(smaller), np.log(d) + 3 * np.log1p(t) + smaller
    return [np.where(a < 0, math.nan, r) for r in result]


# --- derivatives --------------------------------------------------------------------------------------------------

@functools.cache
def legendre(count):
    """Nodes and weights of Gauss and Legendre's rule on (0, 1)."""
    nodes, weights = onp.polynomial.legendre.leggauss(count)
    return (nodes + 1) / 2, weights / 2


def _expm1_less(w):
    """exp(w) - 1 - w, to full precision near 0 too."""
    series = 0.0
    for n in range(12, 1, -1):
        series = (series * w + 1 / math.factorial(n))
    return np.where(abs(w) < 0.5, series * w * w, np.expm1(w) - w)


def _log_less_digamma(a):
    """log(a) - digamma(a) for a >= 1: Stirling's series after six steps of the recurrence."""
    b = a + 6
    r = 1 / (b * b)
    series = 1 / (2 * b) + r * (1 / 12 - r * (1 / 120 - r * (1 / 252 - r * (1 / 240 - r / 132))))
    return series - np.log1p(6 / a) + sum(1 / (a + i) for i in range(6))


def log_gamma_derivative(a, z, log_z):
    """d log(z) / da at a fixed quantile z of the gamma distribution: -(dP(a, z) / da) / (z dP(a, z) / dz).

    With t = z exp(w) this is, from the part of the distribution below z or above it,

        z < a:  integral over w < 0 of exp(g(w)) (-w - c),    g(w) = a w - z expm1(w),
        z > a:  integral over w > 0 of exp(g(w)) (w + c),     c = log(z) - digamma(a).

    Either way g is concave and falls from 0: on the stretch where it falls to -`depth` it looks the same for
    all a >= 1, and a rule with few nodes serves all. a < 1 takes one step of the recurrence P(a, z) = P(a + 1, z)
    + z**a exp(-z) / Gamma(a + 1). Relative errors: median 1e-7, at most 1e-5 in float32; 1e-13 and 1e-10 in float64.
    """
    count, depth = (16, 18.0) if a.dtype == dtypes.float32 else (40, 40.0)
    small = a < 1
    b = np.where(small, a + 1, a)
    below = z < b
    side = np.where(below, -1.0, 1.0).astype(a.dtype)
    slope = abs(z - b)
    end = 2 * depth / (slope + np.sqrt(slope * slope + 2 * depth * z))           # as if g were quadratic
    for _ in range(3):                                                          # Newton's method
        w = side * end
        end = end - (slope * end + z * _expm1_less(w) - depth) / (slope + z * side * np.expm1(w))
    nodes, weights = (np.asarray(x.astype(a.dtype)) for x in legendre(count))
    w = end[..., None] * nodes
    g = -slope[..., None] * w - z[..., None] * _expm1_less(side[..., None] * w)
    near = abs(z - b) < b / 2
    log_ratio = np.where(near, np.log1p(np.where(near, (z - b) / b, 0.0)), log_z - np.log(b))
    c = log_ratio + _log_less_digamma(b)
    integral = end * np.sum(weights * np.exp(g) * (w + (side * c)[..., None]), -1)
    return np.where(small, (z * integral - c) / a, integral)


@custom_jvp
def _with_derivative(a, z, log_z):
    return z, log_z


@_with_derivative.defjvp
def _push(primals, tangents):
    a = primals[0]
    z, log_z = _with_derivative(*primals)
    tangent = log_gamma_derivative(a, z, log_z) * tangents[0]
    return (z, log_z), (z * tangent, tangent)


# --- the public functions ----------------------------------------------------------------------------------------

def _gamma(pair, a, dtype):
    """(gamma numbers, logarithms) of a dtype for an Array of parameters; narrow floats are drawn in float32."""
    a = a.astype(dtypes.float32) if dtype.itemsize < 4 else a.astype(dtype)
    drawn = _draw(type(pair), *map(wrap, pair), wrap(build.apply(ops.stop_gradient, a._node)))
    return [r.astype(dtype) for r in _with_derivative(a, *drawn)]


def _parameters(name, shape, dtype, *values):
    """(shape, dtype, Arrays of that shape and dtype)."""
    dtype = float_dtype(name, dtype)
    nodes = [parameter(x, dtype) for x in values]
    shape = shape_of(name, shape, *nodes)
    return shape, dtype, [wrap(build.broadcast_to(n, shape)) for n in nodes]


def gamma(key, a, shape=None, dtype=None, *, out_sharding=None):
    """Gamma numbers, density x**(a - 1) exp(-x) / Gamma(a), differentiable with respect to a.

    a: positive, broadcasts to shape; the result is NaN where it is NaN or negative. The derivative is that of the
    quantile function (implicit reparameterization, Figurnov, Mohamed and Mnih, NeurIPS 2018). Method of Marsaglia and
    Tsang (2000), with a fixed number of rounds: with a probability below 1e-12 all proposals are refused,
    and the number is the mode's neighbour a - 1/3.

    >>> import lazy
    >>> x = lazy.random.gamma(lazy.random.key(0), 3.0, (2000,))
    >>> 2.8 < float(x.mean()) < 3.2
    True
    """
    _, dtype, (a,) = _parameters('gamma', shape, dtype, a)
    return _gamma(pair_of('gamma', key), a, dtype)[0]


def loggamma(key, a, shape=None, dtype=None, *, out_sharding=None):
    """Logarithms of gamma numbers: finite also for small a, where the numbers themselves are 0."""
    _, dtype, (a,) = _parameters('loggamma', shape, dtype, a)
    return _gamma(pair_of('loggamma', key), a, dtype)[1]


def beta(key, a, b, shape=None, dtype=None, *, out_sharding=None):
    """Beta numbers, density x**(a - 1) (1 - x)**(b - 1) / Beta(a, b) on (0, 1), differentiable with respect to a, b.

    >>> import lazy
    >>> x = lazy.random.beta(lazy.random.key(0), 2.0, 2.0, (2000,))
    >>> 0.45 < float(x.mean()) < 0.55
    True
    """
    _, dtype, (a, b) = _parameters('beta', shape, dtype, a, b)
    first, second = split_words(pair_of('beta', key), 2)
    difference = _gamma(second, b, dtype)[1] - _gamma(first, a, dtype)[1]
    return wrap(build.apply(ops.logistic, (-difference)._node))


def dirichlet(key, alpha, shape=None, dtype=None, *, out_sharding=None):
    """Probabilities [..., n] with density proportional to the product of x[i]**(alpha[i] - 1); shape (*shape, n).

    >>> import lazy
    >>> x = lazy.random.dirichlet(lazy.random.key(0), lazy.numpy.ones(3), (5,))
    >>> x.shape, bool(abs(x.sum(-1) - 1).max() < 1e-5)
    ((5, 3), True)
    """
    dtype = float_dtype('dirichlet', dtype)
    alpha = wrap(parameter(alpha, dtype))
    if not alpha.ndim:
        raise ValueError('dirichlet requires alpha.ndim >= 1, got alpha.ndim == 0')
    batch = shape_of('dirichlet', shape, build.full(alpha.shape[:-1], 0, dtype))
    alpha = np.broadcast_to(alpha, (*batch, alpha.shape[-1]))
    return softmax(_gamma(pair_of('dirichlet', key), alpha, dtype)[1], -1)


def chisquare(key, df, shape=None, dtype=None, *, out_sharding=None):
    """Chi-square numbers with df degrees of freedom: twice gamma numbers of df / 2."""
    _, dtype, (df,) = _parameters('chisquare', shape, dtype, df)
    return 2 * _gamma(pair_of('chisquare', key), df / 2, dtype)[0]


def f(key, dfnum, dfden, shape=None, dtype=None, *, out_sharding=None):
    """F numbers: the ratio of two chi-square numbers, each divided by its degrees of freedom."""
    _, dtype, (dfnum, dfden) = _parameters('f', shape, dtype, dfnum, dfden)
    second, first = split_words(pair_of('f', key), 2)
    logs = [_gamma(pair, df / 2, dtype)[1] - np.log(df / 2) for pair, df in ((first, dfnum), (second, dfden))]
    return np.exp(logs[0] - logs[1])


def t(key, df, shape=None, dtype=None, *, out_sharding=None):
    """Student's t numbers with df degrees of freedom: n sqrt((df / 2) / g) for normal n and gamma g of df / 2."""
    shape, dtype, (df,) = _parameters('t', shape, dtype, df)
    first, second = split_words(pair_of('t', key), 2)
    half = df / 2
    return wrap(normal_node(first, shape, dtype)) * np.exp((np.log(half) - _gamma(second, half, dtype)[1]) / 2)


def generalized_normal(key, p, shape=(), dtype=None, *, out_sharding=None):
    """Numbers of density proportional to exp(-|x|**p)."""
    return _generalized_normal(pair_of('generalized_normal', key), p, shape_of('generalized_normal', shape),
                               float_dtype('generalized_normal', dtype))


def _generalized_normal(pair, p, shape, dtype):
    p = wrap(build.broadcast_to(parameter(p, dtype), shape))
    first, second = split_words(pair, 2)
    sign = wrap(rademacher_node(second, shape, dtype))
    return sign * np.exp(_gamma(first, 1 / p, dtype)[1] / p)


def ball(key, d, p=2, shape=(), dtype=None, *, out_sharding=None):
    """Uniformly distributed points of the unit ball of the p-norm in d dimensions; the result has shape (*shape, d).

    Barthe, Guedon, Mendelson and Naor, A probabilistic approach to the geometry of the l_p^n-ball (2005).

    >>> import lazy
    >>> x = lazy.random.ball(lazy.random.key(0), 3, shape=(100,))
    >>> x.shape, bool(((x ** 2).sum(-1) <= 1).all())
    ((100, 3), True)
    """
    dtype, shape = float_dtype('ball', dtype), shape_of('ball', shape)
    first, second = split_words(pair_of('ball', key), 2)
    g = _generalized_normal(first, p, (*shape, operator.index(d)), dtype)
    length = np.sum(abs(g) ** p, -1) + wrap(exponential_node(second, shape, dtype))
    return g / (length ** (1 / p))[..., None]


__all__ = ['ball', 'beta', 'chisquare', 'dirichlet', 'f', 'gamma', 'generalized_normal', 'loggamma', 't']
