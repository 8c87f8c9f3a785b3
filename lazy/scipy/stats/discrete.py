"""Distributions of integers: one row each."""
import math

from ... import numpy as np, random
from .. import special
from .families import Discrete

__all__ = ['bernoulli', 'betabinom', 'binom', 'geom', 'nbinom', 'poisson']


def _probability(p):
    return (p >= 0) & (p <= 1)


def _natural(*parameters):
    return 0.0, math.inf


def _log_choose(n, k):
    return -np.log1p(n) - special.betaln(n - k + 1, k + 1)


def _log_binomial(k, n, p):
    return _log_choose(n, k) + special.xlogy(k, p) + special.xlog1py(n - k, -p)


def _poisson_entropy(mu):
    """The sum of -p log(p) for mu < 100, else the expansion of Evans and Boersma (1988) in 1 / mu."""
    few = np.where(mu < 100, mu, 1.0)
    terms = special.entr(np.exp(poisson._formulas['logpmf'](np.arange(256, dtype=mu.dtype), few[..., None])))
    r = 1 / np.where(mu < 100, 100.0, mu)
    series = 0.5 * np.log(2 * math.pi * math.e / r) - r * (1 / 12 + r * (1 / 24 + r * 19 / 360))
    return np.where(mu < 100, np.sum(terms, -1), series)


bernoulli = Discrete(
    'bernoulli', '1 with probability p, else 0.', 'p', lambda p: (0.0, 1.0), _probability,
    logpmf=lambda k, p: special.xlogy(k, p) + special.xlog1py(1 - k, -p),
    cdf=lambda k, p: 1 - p + 0 * k, sf=lambda k, p: p + 0 * k,
    ppf=lambda q, p: np.where(q <= 1 - p, 0 * q, 1.0),
    entropy=lambda p: special.entr(p) + special.entr(1 - p),
    draw=lambda key, shape, dtype, p: random.bernoulli(key, p, shape).astype(dtype))

betabinom = Discrete(
    'betabinom', 'Beta-binomial distribution: successes in n trials of a probability that has a beta distribution.',
    'n a b', lambda n, a, b: (0.0, n), lambda n, a, b: (n >= 0) & (a > 0) & (b > 0),
    logpmf=lambda k, n, a, b: _log_choose(n, k) + special.betaln(k + a, n - k + b) - special.betaln(a, b),
    draw=lambda key, shape, dtype, n, a, b: random.binomial(
        random.fold_in(key, 1), n, random.beta(key, a, b, shape), shape, dtype))

binom = Discrete(
    'binom', 'Binomial distribution: successes in n trials of probability p.', 'n p', lambda n, p: (0.0, n),
    lambda n, p: (n >= 0) & _probability(p),
    logpmf=_log_binomial,
    cdf=lambda k, n, p: special.betainc(np.clip(n - k, 1.0, None), np.clip(k + 1, 1.0, None), 1 - p),
    sf=lambda k, n, p: special.betainc(np.clip(k + 1, 1.0, None), np.clip(n - k, 1.0, None), p),
    draw=lambda key, shape, dtype, n, p: random.binomial(key, n, p, shape, dtype))

geom = Discrete(
    'geom', 'Geometric distribution: trials up to the first success, of probability p, so at least 1.', 'p',
    lambda p: (1.0, math.inf), lambda p: (p > 0) & (p <= 1),
    logpmf=lambda k, p: special.xlog1py(k - 1, -p) + np.log(p),
    cdf=lambda k, p: -np.expm1(k * np.log1p(-p)), logsf=lambda k, p: k * np.log1p(-p),
    ppf=lambda q, p: np.maximum(np.ceil(np.log1p(-q) / np.log1p(-p)), 1.0),
    entropy=lambda p: (special.entr(p) + special.entr(1 - p)) / p,
    draw=lambda key, shape, dtype, p: random.geometric(key, p, shape).astype(dtype))

nbinom = Discrete(
    'nbinom', 'Negative binomial distribution: failures before the n-th success, of probability p.', 'n p', _natural,
    lambda n, p: (n > 0) & (p > 0) & (p <= 1),
    logpmf=lambda k, n, p: special.gammaln(k + n) - special.gammaln(n) - special.gammaln(k + 1)
    + n * np.log(p) + special.xlog1py(k, -p),
    cdf=lambda k, n, p: special.betainc(n, np.clip(k + 1, 1.0, None), p),
    sf=lambda k, n, p: special.betainc(np.clip(k + 1, 1.0, None), n, 1 - p),
    draw=lambda key, shape, dtype, n, p: random.poisson(
        random.fold_in(key, 1), random.gamma(key, n, shape, p.dtype) * ((1 - p) / p), shape).astype(dtype))

poisson = Discrete(
    'poisson', 'Poisson distribution of mean mu.', 'mu', _natural, lambda mu: mu >= 0,
    logpmf=lambda k, mu: special.xlogy(k, mu) - special.gammaln(k + 1) - mu,
    cdf=lambda k, mu: special.gammaincc(np.clip(k + 1, 1.0, None), mu),
    sf=lambda k, mu: special.gammainc(np.clip(k + 1, 1.0, None), mu),
    entropy=_poisson_entropy,
    draw=lambda key, shape, dtype, mu: random.poisson(key, mu, shape).astype(dtype))
