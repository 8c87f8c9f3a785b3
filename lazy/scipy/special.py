"""Special functions, elementwise and broadcasting. Signatures are those of jax.scipy.special.

Integers are computed in the default float type. Formulas are standard (DLMF, dlmf.nist.gov) unless a source is named.
"""
import math

import numpy as onp

from ..array import as_node, wrap
from ..ir import build, dtypes, ops
from ..nn.normalize import log_softmax as _log_softmax, logsumexp, softmax as _softmax
from .bessel import bessel_jn, i0, i0e, i1, i1e, j0, j1, jn, k0, k0e, k1, k1e, kn, y0, y1, yn
from .harmonics import sph_harm_y
from .integrals import dawsn, erfcx, exp1, expi, expn, fresnel, hyp1f1, hyp2f1, owens_t, sici, spence, wofz
from .operands import apply as _apply, args as _args, elementwise as _elementwise, like as _like, select as _select

__all__ = ['bernoulli', 'bessel_jn', 'beta', 'betainc', 'betaln', 'boxcox', 'boxcox1p', 'comb', 'dawsn', 'digamma',
           'entr', 'erf', 'erfc', 'erfcx', 'erfinv', 'exp1', 'expi', 'expit', 'expn', 'factorial', 'fresnel', 'gamma',
           'gammainc', 'gammaincc', 'gammaln', 'gammasgn', 'hyp1f1', 'hyp2f1', 'i0', 'i0e', 'i1', 'i1e', 'j0', 'j1',
           'jn', 'k0', 'k0e', 'k1', 'k1e', 'kl_div', 'kn', 'log_ndtr', 'log_softmax', 'loggamma', 'logit',
           'logsumexp', 'multigammaln', 'ndtr', 'ndtri', 'owens_t', 'poch', 'polygamma', 'rel_entr', 'sici',
           'softmax', 'spence', 'sph_harm_y', 'wofz', 'xlog1py', 'xlogy', 'y0', 'y1', 'yn', 'zeta']


erf = _elementwise('erf', ops.erf, """2/sqrt(pi) times the integral of exp(-t**2) from 0 to x.

    >>> import lazy
    >>> round(float(lazy.scipy.special.erf(1.0)), 4)
    0.8427
    """)
erfc = _elementwise('erfc', ops.erfc, '1 - erf(x), accurate for large x.')
erfinv = _elementwise('erfinv', ops.erf_inv, 'Inverse of erf on (-1, 1).')
expit = _elementwise('expit', ops.logistic, '1 / (1 + exp(-x)).')
gammaln = _elementwise('gammaln', ops.lgamma, """log |Gamma(x)|.

    >>> import lazy
    >>> round(float(lazy.scipy.special.gammaln(5.0)), 4)
    3.1781
    """)
digamma = _elementwise('digamma', ops.digamma, 'Derivative of gammaln.')
loggamma = gammaln


def logit(x):
    """log(x / (1 - x)), the inverse of expit.

    >>> import lazy
    >>> float(lazy.scipy.special.logit(0.5))
    0.0
    """
    x, = _args('logit', x)
    near = abs(x - 0.5) < 0.25                                      # where the two logarithms would cancel
    middle = _select(near, x, 0.5)
    return _select(near, _apply(ops.log1p, (2 * middle - 1) / (1 - middle)), _apply(ops.log, x) - _apply(ops.log1p, -x))


def polygamma(n, x):
    """n-th derivative of digamma; n is an integer, at least 0, or an array of integers.

    Raises TypeError for other numbers n; NaN where an array's n is negative.

    >>> import lazy
    >>> round(float(lazy.scipy.special.polygamma(1, 1.0)), 4)
    1.6449
    """
    if isinstance(n, (int, onp.integer)) and not isinstance(n, bool) and n >= 0:
        x, = _args('polygamma', x)
        return digamma(x) if n == 0 else wrap(build.make(ops.polygamma, (x._node,), (int(n),)))
    if not hasattr(n, 'dtype') or not dtypes.is_integer(n.dtype):
        raise TypeError(f'polygamma needs an integer n >= 0, got {n!r}')
    n, x = _args('polygamma', n, x)
    order = _select(n > 0, n, 1.0)                                  # DLMF 5.15.1
    higher = _select(order % 2 == 0, -1.0, _like(n, 1.0)) * gamma(order + 1) * zeta(order + 1, x)
    return _select(n > 0, higher, _select(n == 0, digamma(x), float('nan')))


# --- gamma functions ----------------------------------------------------------------------------------------------

def gammasgn(x):
    """Sign of Gamma(x); NaN at its poles."""
    x, = _args('gammasgn', x)
    whole = _apply(ops.floor, x)
    odd = _apply(ops.remainder, whole, _like(whole, 2.0)) != 0
    minus = (x < 0) & odd | (x == 0) & _apply(ops.signbit, x)
    pole = (x < 0) & (x == whole) | _apply(ops.is_nan, x)
    return _select(pole, _like(x, math.nan), _select(minus, _like(x, -1.0), 1.0))


gamma = _elementwise('gamma', ops.gamma, """Gamma function; NaN at its poles but 0, where it has the sign of x.

    >>> import lazy
    >>> float(lazy.scipy.special.gamma(5.0))
    24.0
    """)


def factorial(n, exact=False):
    """n! as a floating-point number; 0 for negative n."""
    if exact:
        raise NotImplementedError('factorial with exact=True')
    n, = _args('factorial', n)
    large = n >= 1                                                  # where gamma would magnify the rounding of n + 1
    value = gamma(_select(large, n, _select(n < 0, 1.0, n + 1)))
    return _select(n < 0, 0.0, _select(large, n * value, value))


def _sum(x, y):
    """x + y and its rounding error (Knuth)."""
    total = x + y
    part = total - x
    return total, _apply(ops.stop_gradient, (x - (total - part)) + (y - part))


def _product_of_gammas(above, below, logarithm):
    """The product of the gamma functions of `above` over that of `below`, pairs as of _sum; exp(logarithm) with their
    sign where one of them might overflow. Rounding x changes its gamma function by nearly log(x - 1/2) of that."""
    everything = [x for x, _ in (*above, *below)]
    change = sum(sign * low * _apply(ops.log, _select(x > 1.5, x, 1.5) - 0.5)
                 for sign, part in ((1, above), (-1, below)) for x, low in part if low is not None)
    above, below = ([x for x, _ in part] for part in (above, below))
    near = abs(everything[0]) < 160
    for x in everything[1:]:
        near = near & (abs(x) < 160)
    above, below = ([_select(near, x, 1.0) for x in part] for part in (above, below))
    direct = gamma(above[0])
    for x in below:
        direct = direct / gamma(x)
    for x in above[1:]:
        direct = direct * gamma(x)
    sign = gammasgn(everything[0])
    for x in everything[1:]:
        sign = sign * gammasgn(x)
    direct = direct + _apply(ops.stop_gradient, _select(change == 0, 0.0, direct * change))
    return _select(near, direct, sign * _apply(ops.exp, logarithm))


def _in_double(name, function, *values):
    """function(arrays), in float64 also where they are narrower."""
    arrays = args = _args(name, *values)
    if args[0].dtype != dtypes.float64:
        arrays = [wrap(build.convert(x._node, dtypes.float64, x._node.aval.weak)) for x in args]
    result = function(*arrays)._node
    return wrap(build.convert(result, args[0].dtype, result.aval.weak))


def comb(N, k, exact=False, repetition=False):
    """Number of choices of k from N; with repetition from N + k - 1.

    >>> import lazy
    >>> float(lazy.scipy.special.comb(5, 2))
    10.0
    """
    if exact:
        raise NotImplementedError('comb with exact=True')
    return _in_double('comb', _comb_with_repetition if repetition else _comb, N, k)


def _comb_with_repetition(N, k):
    return _comb(N + k - 1, k)


def _comb(N, k):
    possible = (k >= 0) & (N >= 0) & (k <= N)
    n, m = _select(possible, N, 1.0), _select(possible, k, 1.0)
    logarithm = -_betaln(n - m + 1, m + 1) - _apply(ops.log, n + 1)
    rest, low = _sum(n, -m)
    above, (total, more) = _sum(n, _like(n, 1.0)), _sum(rest, _like(n, 1.0))
    return _select(possible, _product_of_gammas([above], [_sum(m, _like(m, 1.0)), (total, low + more)], logarithm), 0.0)


def poch(z, m):
    """Gamma(z + m) / Gamma(z): z (z + 1) ... (z + m - 1) for whole m."""
    return _in_double('poch', _poch, z, m)


def _poch(z, m):
    return _select(m == 0, 1.0, _product_of_gammas([_sum(z, m)], [(z, None)], gammaln(z + m) - gammaln(z)))


def betaln(a, b):
    """log |Beta(a, b)|: where an argument is large, differences of Stirling's series (as in R's lbeta).

    >>> import lazy
    >>> round(float(lazy.scipy.special.betaln(1e6, 0.5)), 4)
    -6.3354
    """
    return _in_double('betaln', _betaln, a, b)


def _betaln(a, b):
    p, q = _apply(ops.min_, a, b), _apply(ops.max_, a, b)
    far, both = (q >= 10) & (p > 0), p >= 10
    large, small = _select(far, q, 10.0), _select(far, p, 1.0)
    total = small + large
    stirling = _stirling_error(large) - _stirling_error(total)
    drop = _apply(ops.log1p, -small / total)
    size = _select(both, small, 10.0)
    two = 0.5 * (math.log(2 * math.pi) - _apply(ops.log, large)) + _stirling_error(size) + stirling \
        + (size - 0.5) * _apply(ops.log, size / total) + large * drop
    one = gammaln(small) + stirling + small - small * _apply(ops.log, total) + (large - 0.5) * drop
    a, b = _select(far, 1.0, a), _select(far, 1.0, b)
    return _select(far, _select(both, two, one), gammaln(a) + gammaln(b) - gammaln(a + b))


def _stirling_error(x):
    """gammaln(x) - ((x - 1/2) log(x) - x + log(2 pi)/2) for x >= 10."""
    t = 1 / x
    z, series = t * t, 1 / 156
    for c in (-691 / 360360, 1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12):
        series = series * z + c
    return series * t


def beta(a, b):
    """Gamma(a) Gamma(b) / Gamma(a + b)."""
    return _in_double('beta', _beta, a, b)


def _beta(a, b):
    return _product_of_gammas([(a, None), (b, None)], [_sum(a, b)], _betaln(a, b))


def gammainc(a, x):
    """Regularised lower incomplete gamma function P(a, x), of a > 0 and x >= 0; NaN elsewhere.

    1/Gamma(a) times the integral of t**(a - 1) exp(-t) from 0 to x, by SciPy in float64. Differentiable by both.

    >>> import lazy
    >>> round(float(lazy.scipy.special.gammainc(2.0, 3.0)), 4)
    0.8009
    """
    return _apply(ops.igamma, *_args('gammainc', a, x))


def gammaincc(a, x):
    """1 - gammainc(a, x), accurate where it is small."""
    return _apply(ops.igammac, *_args('gammaincc', a, x))


def betainc(a, b, x):
    """Regularised incomplete beta function I_x(a, b), of a, b > 0 and 0 <= x <= 1; NaN elsewhere.

    1/Beta(a, b) times the integral of t**(a - 1) (1 - t)**(b - 1) from 0 to x, by SciPy in float64. Differentiable by
    all three.

    >>> import lazy
    >>> float(lazy.scipy.special.betainc(2.0, 2.0, 0.5))
    0.5
    """
    return _apply(ops.regularized_incomplete_beta, *_args('betainc', a, b, x))


def zeta(x, q=1.0):
    """Hurwitz zeta function, the sum of (k + q)**-x over k = 0, 1, ...; NaN for x < 1. Differentiable by both.

    >>> import lazy
    >>> round(float(lazy.scipy.special.zeta(2.0)), 4)
    1.6449
    """
    return _apply(ops.zeta, *_args('zeta', x, q))


def multigammaln(a, d):
    """log of the d-dimensional gamma function, of a > (d - 1)/2."""
    a, = _args('multigammaln', a)
    result = 0.25 * d * (d - 1) * math.log(math.pi) + gammaln(a)
    for i in range(1, d):
        result = result + gammaln(a - 0.5 * i)
    return result


def bernoulli(n):
    """The Bernoulli numbers B0, B1, ... Bn; n is a Python integer."""
    from scipy.special import bernoulli
    return wrap(as_node(bernoulli(int(n)).astype(dtypes.default_float())))


# --- x log y ------------------------------------------------------------------------------------------------------

def xlogy(x, y):
    """x log(y), 0 where x is 0 and y is not NaN.

    >>> import lazy
    >>> float(lazy.scipy.special.xlogy(0.0, 0.0))
    0.0
    """
    x, y = _args('xlogy', x, y)
    return _or_nan(_apply(ops.safe_mul, x, _apply(ops.log, y)), y)


def _or_nan(result, y):
    return _select(_apply(ops.is_nan, y), y, result)


def xlog1py(x, y):
    """x log(1 + y), 0 where x is 0 and y is not NaN."""
    x, y = _args('xlog1py', x, y)
    return _or_nan(_apply(ops.safe_mul, x, _apply(ops.log1p, y)), y)


def entr(x):
    """-x log(x); 0 at 0, -inf below."""
    x, = _args('entr', x)
    return _select(x < 0, -math.inf, -xlogy(x, _select(x < 0, 1.0, x)))


def rel_entr(p, q):
    """p log(p / q); 0 where p = 0 <= q, inf where p or q is negative or only q is 0."""
    p, q = _args('rel_entr', p, q)
    both, none = (p > 0) & (q > 0), (p == 0) & (q >= 0)
    ratio = _select(both, p, 1.0) / _select(both, q, 1.0)
    result = _select(both, p * _apply(ops.log, ratio), _select(none, _like(p, 0.0), math.inf))
    return _or_nan(_or_nan(result, p), q)


def kl_div(p, q):
    """p log(p / q) - p + q."""
    p, q = _args('kl_div', p, q)
    return rel_entr(p, q) - p + q


def boxcox(x, lmbda):
    """(x**lmbda - 1) / lmbda; log(x) where lmbda is 0."""
    x, lmbda = _args('boxcox', x, lmbda)
    return _boxcox(x, 0.0, _apply(ops.log, x), lmbda)


def boxcox1p(x, lmbda):
    """boxcox(1 + x, lmbda)."""
    x, lmbda = _args('boxcox1p', x, lmbda)
    base = 1 + x
    return _boxcox(base, _apply(ops.stop_gradient, x - (base - 1)), _apply(ops.log1p, x), lmbda)


def _boxcox(base, low, log, lmbda):
    """By the power of base, which is rounded by -low, where expm1 would magnify the rounding of its argument."""
    none = lmbda == 0
    safe = _select(none, 1.0, lmbda)
    exponent = safe * log
    far = abs(exponent) > 0.5
    base = _select(far, base, 1.0)
    power = _apply(ops.pow_, base, safe)
    relative = safe * _select((base == 0) | (abs(power) == math.inf), 0.0, low / base)
    power = power + _apply(ops.stop_gradient, _select(relative == 0, 0.0, power * relative))
    return _select(none, log, _select(far, power - 1, _apply(ops.expm1, _select(far, 0.0, exponent))) / safe)


# --- the normal distribution --------------------------------------------------------------------------------------

def ndtr(x):
    """Distribution function of the standard normal.

    0.5 erfc(y) for y = -x sqrt(1/2), and what the rounding of y changes: in the tail erfc magnifies it 2 y**2 times.

    >>> import lazy
    >>> float(lazy.scipy.special.ndtr(0.0))
    0.5
    """
    x, = _args('ndtr', x)
    factor = float(onp.asarray(math.sqrt(0.5), x.dtype))
    y = x * -factor
    low = _apply(ops.fma, x, _like(x, -factor), -y) + x * (factor - math.sqrt(0.5) - _ROOT_HALF_LOW)
    change = _select(_apply(ops.is_finite, low), low, 0.0) * _apply(ops.exp, -y * y) * math.sqrt(1 / math.pi)
    return 0.5 * _apply(ops.erfc, y) - _apply(ops.stop_gradient, change)


_ROOT_HALF_LOW = -4.833646656726457e-17                             # sqrt(1/2) is this more than its float64


def log_ndtr(x, series_order=3):
    """log(ndtr(x)), by an asymptotic series far to the left (Abramowitz and Stegun 26.2.12)."""
    x, = _args('log_ndtr', x)
    wide = x.dtype == dtypes.float64
    far, left = x < (-20.0 if wide else -10.0), x < -0.5
    tail = _select(far, x, -20.0)
    square = tail * tail
    series, term = 1.0, 1.0
    for n in range(1, (series_order if not wide else series_order + 5) + 1):
        term = term * -(2 * n - 1) / square
        series = series + term
    distant = -0.5 * tail * tail - _apply(ops.log, -tail) - 0.5 * math.log(2 * math.pi) + _apply(ops.log, series)
    middle = _apply(ops.log, ndtr(_select(left & ~far, x, -1.0)))
    return _select(far, distant, _select(left, middle, _apply(ops.log1p, -ndtr(_select(left, 0.0, -x)))))


def ndtri(p):
    """Inverse of ndtr on [0, 1]; NaN outside.

    >>> import lazy
    >>> round(float(lazy.scipy.special.ndtri(0.975)), 4)
    1.96
    """
    return _apply(ops.ndtri, *_args('ndtri', p))


# --- whole axes ---------------------------------------------------------------------------------------------------

def softmax(x, /, *, axis=None):
    """exp(x) / sum(exp(x)) over axes, by default all."""
    return _softmax(x, axis)


def log_softmax(x, /, *, axis=None):
    """log(softmax(x)) over axes, by default all."""
    return _log_softmax(x, axis)
