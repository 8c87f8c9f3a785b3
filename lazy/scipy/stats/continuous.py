"""Continuous distributions: one row each, formulas of the standard member (location 0, scale 1)."""
import math

from ... import numpy as np, random
from .. import special
from .families import Continuous

__all__ = ['beta', 'cauchy', 'chi2', 'expon', 'gamma', 'gennorm', 'gumbel_l', 'gumbel_r', 'laplace', 'logistic', 'norm',
           'pareto', 't', 'truncnorm', 'uniform', 'vonmises', 'wrapcauchy']

_PI, _EULER = math.pi, 0.57721566490153286


def _from_0(*parameters):
    return 0.0, math.inf


def _unit(*parameters):
    return 0.0, 1.0


def _log1mexp(x):
    """log(1 - exp(-x)) for x > 0."""
    return np.where(x < math.log(2), np.log(-np.expm1(-x)), np.log1p(-np.exp(-x)))


def _positive(x):
    """x where it is positive, else 0: arguments of functions that know no others."""
    return np.maximum(x, 0.0)


def _cauchy_ppf(q):
    tail = 1 / np.tan(_PI * np.where(q < 0.5, q, 1 - q))                     # accurate, and infinite at 0 and 1
    return np.where(abs(q - 0.5) < 0.25, np.tan(_PI * (q - 0.5)), np.where(q < 0.5, -tail, tail))


beta = Continuous(
    'beta', 'Beta distribution on (0, 1): density x**(a - 1) (1 - x)**(b - 1) / Beta(a, b).', 'a b', _unit,
    valid=lambda a, b: (a > 0) & (b > 0),
    logpdf=lambda x, a, b: special.xlogy(a - 1, x) + special.xlog1py(b - 1, -x) - special.betaln(a, b),
    cdf=lambda x, a, b: special.betainc(a, b, np.clip(x, 0.0, 1.0)),
    sf=lambda x, a, b: special.betainc(b, a, 1 - np.clip(x, 0.0, 1.0)),
    entropy=lambda a, b: special.betaln(a, b) - (a - 1) * special.digamma(a) - (b - 1) * special.digamma(b)
    + (a + b - 2) * special.digamma(a + b),
    draw=lambda key, shape, dtype, a, b: random.beta(key, a, b, shape, dtype))

cauchy = Continuous(
    'cauchy', 'Cauchy distribution: density 1 / (pi (1 + x**2)).', symmetric=True,
    logpdf=lambda x: -math.log(_PI) - np.log1p(x * x),
    cdf=lambda x: np.where(x < 0, np.arctan2(1.0, -x) / _PI, 0.5 + np.arctan(x) / _PI),
    ppf=_cauchy_ppf,
    entropy=lambda: math.log(4 * _PI),
    draw=lambda key, shape, dtype: random.cauchy(key, shape, dtype))

chi2 = Continuous(
    'chi2', 'Chi-square distribution with df degrees of freedom: twice a gamma variable of df / 2.', 'df', _from_0,
    valid=lambda df: df > 0,
    logpdf=lambda x, df: special.xlogy(df / 2 - 1, x) - x / 2 - special.gammaln(df / 2) - df / 2 * math.log(2),
    cdf=lambda x, df: special.gammainc(df / 2, _positive(x) / 2),
    sf=lambda x, df: special.gammaincc(df / 2, _positive(x) / 2),
    entropy=lambda df: df / 2 + math.log(2) + special.gammaln(df / 2) + (1 - df / 2) * special.digamma(df / 2),
    draw=lambda key, shape, dtype, df: random.chisquare(key, df, shape, dtype))

expon = Continuous(
    'expon', 'Exponential distribution: density exp(-x) for x >= 0.', '', _from_0,
    logpdf=lambda x: -x,
    cdf=lambda x: -np.expm1(-x), logcdf=_log1mexp, sf=lambda x: np.exp(-x), logsf=lambda x: -x,
    ppf=lambda q: -np.log1p(-q), isf=lambda q: -np.log(q),
    entropy=lambda: 1.0,
    draw=lambda key, shape, dtype: random.exponential(key, shape, dtype))

gamma = Continuous(
    'gamma', 'Gamma distribution: density x**(a - 1) exp(-x) / Gamma(a) for x >= 0.', 'a', _from_0,
    valid=lambda a: a > 0,
    logpdf=lambda x, a: special.xlogy(a - 1, x) - x - special.gammaln(a),
    cdf=lambda x, a: special.gammainc(a, _positive(x)), sf=lambda x, a: special.gammaincc(a, _positive(x)),
    entropy=lambda a: a + special.gammaln(a) + (1 - a) * special.digamma(a),
    draw=lambda key, shape, dtype, a: random.gamma(key, a, shape, dtype))

gennorm = Continuous(
    'gennorm', 'Generalized normal distribution: density beta exp(-|x|**beta) / (2 Gamma(1 / beta)).', 'beta',
    valid=lambda beta: beta > 0, symmetric=True,
    logpdf=lambda x, beta: np.log(beta / 2) - special.gammaln(1 / beta) - abs(x) ** beta,
    cdf=lambda x, beta: np.where(x < 0, special.gammaincc(1 / beta, abs(x) ** beta) / 2,
                                 0.5 + special.gammainc(1 / beta, abs(x) ** beta) / 2),
    entropy=lambda beta: 1 / beta - np.log(beta / 2) + special.gammaln(1 / beta),
    draw=lambda key, shape, dtype, beta: random.generalized_normal(key, beta, shape, dtype))

gumbel_l = Continuous(
    'gumbel_l', 'Left-skewed Gumbel distribution: density exp(x - exp(x)).',
    logpdf=lambda x: x - np.exp(x),
    cdf=lambda x: -np.expm1(-np.exp(x)), logcdf=lambda x: _log1mexp(np.exp(x)), logsf=lambda x: -np.exp(x),
    ppf=lambda q: np.log(-np.log1p(-q)), isf=lambda q: np.log(-np.log(q)),
    entropy=lambda: 1 + _EULER,
    draw=lambda key, shape, dtype: -random.gumbel(key, shape, dtype))

gumbel_r = Continuous(
    'gumbel_r', 'Right-skewed Gumbel distribution: density exp(-x - exp(-x)).',
    logpdf=lambda x: -x - np.exp(-x),
    logcdf=lambda x: -np.exp(-x), sf=lambda x: -np.expm1(-np.exp(-x)), logsf=lambda x: _log1mexp(np.exp(-x)),
    ppf=lambda q: -np.log(-np.log(q)), isf=lambda q: -np.log(-np.log1p(-q)),
    entropy=lambda: 1 + _EULER,
    draw=lambda key, shape, dtype: random.gumbel(key, shape, dtype))

laplace = Continuous(
    'laplace', 'Laplace distribution: density exp(-|x|) / 2.', symmetric=True,
    logpdf=lambda x: -abs(x) - math.log(2),
    cdf=lambda x: np.where(x < 0, np.exp(x) / 2, 1 - np.exp(-x) / 2),
    logcdf=lambda x: np.where(x < 0, x - math.log(2), np.log1p(-np.exp(-x) / 2)),
    ppf=lambda q: np.where(q < 0.5, np.log(2 * q), -np.log(2 * (1 - q))),
    entropy=lambda: 1 + math.log(2),
    draw=lambda key, shape, dtype: random.laplace(key, shape, dtype))

logistic = Continuous(
    'logistic', 'Logistic distribution: density exp(-x) / (1 + exp(-x))**2.', symmetric=True,
    logpdf=lambda x: -2 * np.logaddexp(x / 2, -x / 2),
    cdf=special.expit, logcdf=lambda x: -np.logaddexp(0.0, -x), ppf=special.logit,
    entropy=lambda: 2.0,
    draw=lambda key, shape, dtype: random.logistic(key, shape, dtype))

norm = Continuous(
    'norm', 'Normal distribution: density exp(-x**2 / 2) / sqrt(2 pi).', symmetric=True,
    logpdf=lambda x: -(x * x + math.log(2 * _PI)) / 2,
    cdf=special.ndtr, logcdf=special.log_ndtr, ppf=special.ndtri,
    entropy=lambda: 0.5 * math.log(2 * _PI * math.e),
    draw=lambda key, shape, dtype: random.normal(key, shape, dtype))

pareto = Continuous(
    'pareto', 'Pareto distribution: density b / x**(b + 1) for x >= 1.', 'b', lambda b: (1.0, math.inf),
    valid=lambda b: b > 0,
    logpdf=lambda x, b: np.log(b) - (b + 1) * np.log(x),
    cdf=lambda x, b: -np.expm1(-b * np.log(x)), sf=lambda x, b: x ** -b,
    logcdf=lambda x, b: _log1mexp(b * np.log(x)), logsf=lambda x, b: -b * np.log(x),
    ppf=lambda q, b: np.exp(-np.log1p(-q) / b), isf=lambda q, b: q ** (-1 / b),
    entropy=lambda b: 1 + 1 / b - np.log(b),
    draw=lambda key, shape, dtype, b: random.pareto(key, b, shape, dtype))


def _t_cdf(x, df):
    tail = special.betainc(df / 2, 0.5, df / (df + x * x)) / 2
    return np.where(x < 0, tail, 1 - tail)


t = Continuous(
    't', "Student's t distribution of df degrees of freedom: density proportional to (1 + x**2 / df)**(-(df + 1) / 2).",
    'df', valid=lambda df: df > 0, symmetric=True,
    logpdf=lambda x, df: -special.betaln(df / 2, 0.5) - np.log(df) / 2 - (df + 1) / 2 * np.log1p(x * x / df),
    cdf=_t_cdf,
    entropy=lambda df: (df + 1) / 2 * (special.digamma((df + 1) / 2) - special.digamma(df / 2))
    + np.log(df) / 2 + special.betaln(df / 2, 0.5),
    draw=lambda key, shape, dtype, df: random.t(key, df, shape, dtype))


def _log_normal_mass(a, b):
    """Logarithm of the standard normal's probability of [a, b], where a < b."""
    right = a > 0
    low, high = np.where(right, -b, a), np.where(right, -a, b)        # the tail on the left is the accurate one
    far = special.log_ndtr(high) + _log1mexp(special.log_ndtr(high) - special.log_ndtr(low))
    return np.where((a <= 0) & (b > 0), np.log1p(-special.ndtr(a) - special.ndtr(-b)), far)


truncnorm = Continuous(
    'truncnorm', 'Standard normal distribution conditioned to [a, b].', 'a b', lambda a, b: (a, b),
    valid=lambda a, b: a < b,
    logpdf=lambda x, a, b: norm._formulas['logpdf'](x) - _log_normal_mass(a, b),
    logcdf=lambda x, a, b: _log_normal_mass(a, np.clip(x, a, b)) - _log_normal_mass(a, b),
    logsf=lambda x, a, b: _log_normal_mass(np.clip(x, a, b), b) - _log_normal_mass(a, b),
    draw=lambda key, shape, dtype, a, b: random.truncated_normal(key, a, b, shape, dtype))

uniform = Continuous(
    'uniform', 'Uniform distribution on [0, 1].', '', _unit,
    logpdf=lambda x: 0 * x, cdf=lambda x: x, ppf=lambda q: q,
    entropy=lambda: 0.0,
    draw=lambda key, shape, dtype: random.uniform(key, shape, dtype))

vonmises = Continuous(
    'vonmises', 'Von Mises distribution on a circle: density exp(kappa cos(x)) / (2 pi I0(kappa)), of period 2 pi.',
    'kappa', valid=lambda kappa: kappa > 0,
    logpdf=lambda x, kappa: kappa * (np.cos(x) - 1) - np.log(2 * _PI * special.i0e(kappa)))


def _wrapcauchy_cdf(x, c):
    ratio, x = (1 + c) / (1 - c), np.clip(x, 0.0, 2 * _PI)
    near = lambda x: np.arctan2(ratio * np.sin(x / 2), np.cos(x / 2)) / _PI
    return np.where(x < _PI, near(x), 1 - near(2 * _PI - x))


def _wrapcauchy_ppf(q, c):
    half = np.where(q < 0.5, q, 1 - q)
    near = 2 * np.arctan2((1 - c) / (1 + c) * np.sin(_PI * half), np.cos(_PI * half))
    return np.where(q < 0.5, near, 2 * _PI - near)


wrapcauchy = Continuous(
    'wrapcauchy', 'Wrapped Cauchy distribution on [0, 2 pi]: density (1 - c**2) / (2 pi (1 + c**2 - 2 c cos(x))).', 'c',
    lambda c: (0.0, 2 * _PI), valid=lambda c: (c > 0) & (c < 1),
    logpdf=lambda x, c: np.log1p(-c * c) - math.log(2 * _PI) - np.log(1 + c * c - 2 * c * np.cos(x)),
    cdf=_wrapcauchy_cdf,
    ppf=_wrapcauchy_ppf,
    draw=lambda key, shape, dtype, c: _wrapcauchy_ppf(random.uniform(key, shape, dtype), c))
