"""Counts: Poisson, binomial and multinomial numbers, each from one normal number by the inverse distribution.

No rejection, so no loop over data: an expansion of the quantile is at most 1 off where the variance is 10 or more,
and the distribution function there, from integrals over a few nodes, says where. Where the mean is below 10 the terms
of the distribution are added up.
"""
import math

import numpy as onp

from .. import numpy as np
from ..array import as_node, wrap
from ..ir import build, dtypes, ops
from .gamma import legendre
from .keys import split_words
from .samplers import float_dtype, normal_node, pair_of, shape_of
from .templates import template

_SMALL = 10.0                                        # mean below which terms are added up
_LARGE = 2500.0                                      # variance above which the expansion's error is negligible


def _apply(op, *arrays):
    return wrap(build.apply(op, *[x._node for x in arrays]))


def _tails(x):
    """(Phi(-x), Phi(x)) of the normal distribution function, small values to full relative precision."""
    erfc = lambda x: _apply(ops.erfc, x * math.sqrt(0.5)) / 2
    return erfc(x), erfc(-x)


def _by_terms(x, first, ratio):
    """The number of k = 1, 2, ... with P(X >= k) > Phi(-x), for the terms p(0) and p(k) / p(k - 1) of a distribution.

    Summed from the smallest, so that the upper tail is accurate; what is beyond the last has probability 1e-10 (1e-22).
    """
    terms = [first]
    for k in range(1, 61 if x.dtype.itemsize == 8 else 37):
        terms.append(terms[-1] * ratio(k))
    above, high, count = 0.0, _tails(x)[0], np.zeros_like(x)
    for term in terms[:0:-1]:
        above = above + term
        count = count + np.where(above > high, 1.0, 0.0)
    return count


def _expansion(x, mean, deviation, skew, kurtosis):
    """Cornish and Fisher's quantile of a count for normal x, to be rounded down; with Sheppard's correction.

    skew and kurtosis are the skewness and excess kurtosis times the standard deviation and its square.
    """
    third = (x ** 3 - 3 * x) * kurtosis / 24 - (2 * x ** 3 - 5 * x) * skew * skew / 36 - x / 24
    return np.floor(mean + deviation * x + skew * (x * x - 1) / 6 + 0.5 + third / deviation)


def _log_concave_integrals(a, K, slope, peak, curvature):
    """Integrals of exp(g(w) - g(peak)) below and above w = 0, g(w) = a w - K(w) concave, K' = slope, K(0) = 0.

    curvature: -g'' at the peak. Each side is cut where g is 14 below its largest value there; 20 nodes.
    """
    nodes, weights = (np.asarray(x.astype(a.dtype)) for x in legendre(20))
    depth, top = 14.0, a * peak - K(peak)
    sides = []
    for side in (-1, 1):
        start = np.maximum(side * peak, 0.0)
        steep = np.where(start > 0, 0.0, abs(a - slope(np.zeros_like(a))))
        highest = a * (side * start) - K(side * start)
        end = start + 2 * depth / (steep + np.sqrt(steep * steep + 2 * depth * curvature))
        for _ in range(3):                                            # Newton's method
            w = side * end
            end = end - (a * w - K(w) - highest + depth) / (side * (a - slope(w)))
        w = side * end[..., None] * nodes
        sides.append(end * np.sum(weights * np.exp(a[..., None] * w - K(w) - top[..., None]), -1))
    return sides, np.exp(-top)


def _like(x, w):
    """x with an axis for nodes where w has one."""
    return x[..., None] if w.ndim > x.ndim else x


def _corrected(x, count, integrals, scale):
    """The exact quantile from one that is at most 1 off.

    F(count) = above / (below + above) and p(count) = scale / (below + above), for the integrals below and above 0.
    """
    (below, above), one = integrals
    scale = scale * one
    high, low = _tails(x)
    step = np.where(high * above < low * below, 1.0, 0.0)             # F(count) < Phi(x)
    down = high * (above - scale) >= low * (below + scale)            # F(count - 1) >= Phi(x)
    return np.maximum(count + np.where(down, -1.0, step), 0.0)


@template
def _poisson(_, x, mean):
    """Quantiles of the Poisson distribution: F(k; m) = Q(k + 1, m), an integral over t = m exp(w), w > 0."""
    small, usual = mean < _SMALL, (mean >= _SMALL) & (mean < _LARGE)
    m = np.where(small, mean, 1.0)
    few = _by_terms(x, np.exp(-m), lambda k: m / k)
    m = np.where(small, _SMALL, mean)
    count = np.maximum(_expansion(x, m, np.sqrt(m), 1.0, 1.0), 0.0)
    m, k = np.where(usual, mean, _SMALL), np.where(usual, count, _SMALL)
    a = k + 1
    K, slope = lambda w: _like(m, w) * np.expm1(w), lambda w: m * np.exp(w)
    integrals = _log_concave_integrals(a, K, slope, np.log(a / m), a)
    count = np.where(usual, _corrected(x, k, integrals, 1 / m), count)
    return [np.where(small, few, count)]


@template
def _binomial(_, x, n, q):
    """Quantiles of the binomial distribution for q <= 1/2: F(k) = I(1 - q; n - k, k + 1), an integral over
    t / (1 - t) = q / (1 - q) exp(w), w > 0."""
    mean = n * q
    variance = mean * (1 - q)
    small, usual = mean < _SMALL, (mean >= _SMALL) & (variance < _LARGE)
    odds, p = np.where(small, q / (1 - q), 0.0), np.where(small, q, 0.0)
    few = _by_terms(x, np.exp(n * np.log1p(-p)), lambda k: odds * ((n - (k - 1)) / k))
    expansion = _expansion(x, mean, np.sqrt(np.where(small, _SMALL, variance)), 1 - 2 * q, 1 - 6 * q * (1 - q))
    count = np.clip(expansion, 0.0, n - 1)
    k, m, p = np.where(usual, count, 9.0), np.where(usual, n, 20.0), np.where(usual, q, 0.5)
    a, b = k + 1, m - k
    slope = lambda w: (m + 1) * p * np.exp(w) / (1 + p * np.expm1(w))
    K = lambda w: _like(m + 1, w) * np.log1p(_like(p, w) * np.expm1(w))
    integrals = _log_concave_integrals(a, K, slope, np.log(a * (1 - p) / (b * p)), a * b / (m + 1))
    count = np.where(usual, _corrected(x, k, integrals, 1 / (p * b)), count)
    return [np.minimum(np.where(small, few, count), n)]


# --- the public functions ----------------------------------------------------------------------------------------

def _computed(*values):
    """Arrays of float32, or of float64 where one of them is."""
    nodes = [as_node(x) for x in values]
    dtype = dtypes.inexact_of(dtypes.promote(*[(n.aval.dtype, n.aval.weak) for n in nodes])[0])
    if dtypes.kind(dtype) == 'c':
        raise TypeError(f'parameters of a distribution are real, got {", ".join(repr(n.aval) for n in nodes)}')
    dtype = dtypes.float64 if dtype.itemsize == 8 else dtypes.float32
    return [wrap(build.apply(ops.stop_gradient, build.convert(n, dtype))) for n in nodes]


def _broadcast(name, shape, *parameters):
    shape = shape_of(name, shape, *[x._node for x in parameters])
    return shape, [np.broadcast_to(x, shape) for x in parameters]


def poisson(key, lam, shape=None, dtype=None, *, out_sharding=None):
    """Poisson numbers of mean lam, integers; -1 where lam is negative or NaN, at most the type's largest.

    Computed in float32 (float64 where lam is float64), so exact integers up to 2**24 (2**53).

    >>> import lazy
    >>> x = lazy.random.poisson(lazy.random.key(0), 4.0, (2000,))
    >>> 3.8 < float(x.mean()) < 4.2
    True
    """
    dtype = dtypes.as_dtype(int if dtype is None else dtype)
    if not dtypes.is_integer(dtype):
        raise ValueError(f'dtype argument to `poisson` must be an int dtype, got {dtype}')
    shape, (lam,) = _broadcast('poisson', shape, *_computed(lam))
    x = wrap(normal_node(pair_of('poisson', key), shape, lam.dtype))
    count, = _poisson(None, x, np.where(lam >= 0, np.minimum(lam, 1e30), 0.0))
    most = onp.nextafter(onp.array(2.0 ** (8 * dtype.itemsize - (dtypes.kind(dtype) == 'i')), lam.dtype), 0)
    return np.where(lam >= 0, np.minimum(count, float(most)), -1.0).astype(dtype)


def binomial(key, n, p, shape=None, dtype=None):
    """Numbers of successes in n trials of probability p, as floats; NaN where n is negative or p not in [0, 1].

    >>> import lazy
    >>> x = lazy.random.binomial(lazy.random.key(0), 10, 0.5, (2000,))
    >>> 4.8 < float(x.mean()) < 5.2
    True
    """
    dtype = float_dtype('binomial', dtype)
    shape, (n, p) = _broadcast('binomial', shape, *_computed(n, p))
    return _binomial_of(pair_of('binomial', key), n, p).astype(dtype)


def _binomial_of(pair, n, p):
    valid = (n >= 0) & (p >= 0) & (p <= 1)
    x = wrap(normal_node(pair, n.shape, n.dtype))
    flip, n = p > 0.5, np.where(valid, np.floor(n), 0.0)
    count, = _binomial(None, x, n, np.where(valid, np.where(flip, 1 - p, p), 0.0))
    return np.where(valid, np.where(flip, n - count, count), math.nan)


def multinomial(key, n, p, *, shape=None, dtype=None, unroll=1):
    """Counts of n draws in categories of probabilities p [..., k], as floats; the result has shape `shape`, that of p.

    The trials are divided among the halves of the categories, these among quarters, and so on: log2(k) binomial draws,
    each for all parts at once. unroll is accepted for compatibility.

    >>> import lazy
    >>> x = lazy.random.multinomial(lazy.random.key(0), 10, lazy.numpy.array([0.2, 0.3, 0.5]))
    >>> x.shape, float(x.sum())
    ((3,), 10.0)
    """
    dtype = float_dtype('multinomial', dtype)
    n, p = _computed(n, p)
    if not p.ndim:
        raise ValueError('multinomial requires p.ndim >= 1, got p.ndim == 0')
    shape, (p,) = _broadcast('multinomial', shape, p)
    levels = max(shape[-1] - 1, 0).bit_length()
    p = np.pad(p, [(0, 0)] * (len(shape) - 1) + [(0, 2 ** levels - shape[-1])])
    counts = np.broadcast_to(n, shape[:-1])[..., None]
    for level, pair in zip(range(levels)[::-1], split_words(pair_of('multinomial', key), max(levels, 1))):
        parts = p.reshape(*shape[:-1], -1, 2, 2 ** level).sum(-1)
        total = parts.sum(-1)
        left = _binomial_of(pair, counts, np.clip(parts[..., 0] / np.where(total == 0, 1.0, total), 0.0, 1.0))
        counts = np.stack([left, counts - left], -1).reshape(*shape[:-1], -1)
    return counts[..., :shape[-1]].astype(dtype)


__all__ = ['binomial', 'multinomial', 'poisson']
