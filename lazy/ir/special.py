"""NumPy references of special functions: SciPy's in float64, and what SciPy has no function for or is off by many ulp.

Whatever the type of the operands, computation is in float64 (complex128) and rounded once.
"""
import importlib

import numpy as np

from . import approximations


def module():
    """scipy.special, imported when first used."""
    return importlib.import_module('scipy.special')


def in_double(function):
    """function(*operands, **params), computed in double precision, with a result of the operands' type."""
    def call(*operands, **params):
        dtype = operands[0].dtype
        wide = np.complex128 if dtype.kind == 'c' else np.float64
        with np.errstate(all='ignore'):
            result = function(*np.broadcast_arrays(*[x.astype(wide) for x in operands]), **params)
            return np.asarray(result).astype(dtype)
    call.__name__ = getattr(function, '__name__', 'call')
    return call


def scipy(name, output=None):
    """scipy.special's function in double precision; `output`: which of several results."""
    def call(*operands):
        result = getattr(module(), name)(*operands)
        return result if output is None else result[output]
    call.__name__ = name
    return in_double(call)


def approximation(name):
    """A function of `approximations`."""
    def call(x, **params):
        return getattr(approximations, name)(x.ravel(), **params).reshape(x.shape)
    call.__name__ = name
    return in_double(call)


erfcx, dawsn, exp1, expi, spence = map(approximation, ('erfcx', 'dawsn', 'exp1', 'expi', 'spence'))


# --- Bessel functions ------------------------------------------------------------------------

def of_order(name, scipy_name, limit):
    """A function of whole order n: that of `approximations` for 0 <= n < limit, else SciPy's."""
    near = approximation(name)

    @in_double
    def far(x, n):
        return getattr(module(), scipy_name)(n, x)

    def call(x, n):
        return (near if 0 <= n < limit else far)(x, n=n)
    call.__name__ = name
    return call


bessel_j, bessel_y = of_order('bessel_j', 'jv', 2), of_order('bessel_y', 'yv', 100)
bessel_ke = of_order('bessel_ke', 'kve', 100)


@in_double
def bessel_i0(x):
    return np.where(np.isinf(x), np.inf, module().i0(x))            # SciPy says NaN


@in_double
def bessel_i1(x):
    return np.where(np.isinf(x), x, module().i1(x))


# --- exponentials and their integrals ----------------------------------------------------------------------------

@in_double
def expn(n, x):
    """E_n(x) for whole n > -100, negative ones by E_(n-1) = (exp(-x) + (1 - n) E_n) / x (DLMF 8.19.12)."""
    valid = (n > -100) & (n < 2**31) & (n == np.rint(n))
    n = np.where(valid, n, 0)
    result = np.where(valid, module().expn(np.maximum(n, 0).astype(int), x), np.nan)
    for order in range(0, int(n.min(initial=0)), -1):
        result = np.where(n < order, (np.exp(-x) + (1 - order) * result) / x, result)
    return result


# --- zeta function ----------------------------------------------------------------------------------------------------

_AHEAD = 10                                                         # terms that are summed before the rest is expanded
# B_2j / (2j)!, j = 1, 2, ...
_BERNOULLI = (1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000, 1 / 74724249600,
              -3617 / 10670622842880000, 43867 / 5109094217170944000, -174611 / 802857662698291200000)


def _shifted_power(s, q, k):
    """(q + k, its power -s), where the rounding error of q + k counts s times."""
    place = q + k
    added = place - q
    error = (q - (place - added)) + (k - added)
    return place, place ** -s * (1 - s * error / place)


def _zeta_sums(s, q):
    """(sum of (q + k)**-s, its derivative by s) over k = 0, 1, ... by Euler and Maclaurin's formula (DLMF 25.11.28)."""
    end, power = _shifted_power(s, q, _AHEAD)
    logarithm = np.log(end)
    factor, growth = s / end * power, 1 / s                          # s (s + 1) ... end**(-s - 2j + 1), slope of its log
    total, slope = 0.0, 0.0
    for j, bernoulli in enumerate(_BERNOULLI, 1):
        total, slope = total + bernoulli * factor, slope + bernoulli * factor * (growth - logarithm)
        factor = factor * ((s + 2 * j - 1) * (s + 2 * j)) / (end * end)
        growth = growth + 1 / (s + 2 * j - 1) + 1 / (s + 2 * j)
    rest = end * power / (s - 1)
    total = total + 0.5 * power + rest
    slope = slope - 0.5 * power * logarithm - rest * (logarithm + 1 / (s - 1))
    for k in range(_AHEAD - 1, -1, -1):
        place, power = _shifted_power(s, q, k)
        total, slope = total + power, slope - power * np.log(place)
    return total, slope


def _zeta(s, q):
    inside = (s > 1) & (q > 0) & (s < 1e8) & (q < 1e100)
    result = np.asarray(module().zeta(np.where(inside, 2.0, s), np.where(inside, 1.0, q)))
    return np.where(inside, _zeta_sums(np.where(inside, s, 2.0), np.where(inside, q, 1.0))[0], result)


zeta = in_double(_zeta)


@in_double
def zeta_grad(s, q):
    """Derivative of the Hurwitz zeta function by s, for s > 1 and q > 0."""
    inside = (s > 1) & (q > 0) & np.isfinite(s) & np.isfinite(q)
    return np.where(inside, _zeta_sums(np.where(inside, s, 2.0), np.where(inside, q, 1.0))[1], np.nan)


@in_double
def polygamma(x, n):
    """The n-th derivative of digamma, n > 0 (DLMF 5.15.1)."""
    return (-1.0) ** (n + 1) * module().gamma(n + 1.0) * _zeta(np.full(x.shape, n + 1.0), x)


# --- incomplete gamma function ------------------------------------------------------------------------------------

def _nodes(step=0.08):
    """Nodes and weights for integrals over (0, inf) of functions that decay exponentially: the trapezoidal rule in t
    for s = exp(t - exp(-t)) (Takahasi and Mori, Double exponential formulas for numerical integration, 1974)."""
    t = np.arange(-3.7, 4.6, step)
    s = np.exp(t - np.exp(-t))
    return s, step * s * (1 + np.exp(-t))


def _exponential_remainder(v):
    """exp(v) - 1 - v."""
    near = abs(v) < 0.1
    if not near.any():
        return np.expm1(v) - v
    series = 0.0
    for n in range(10, 1, -1):
        series = (series * v + 1) * (1 / n)                         # 1/2! + v/3! + v**2/4! + ...
    series = series * (v * v)
    return series if near.all() else np.where(near, series, np.expm1(v) - v)


def _gap(a):
    """log(a) - digamma(a), without cancellation for large a."""
    z = 1 / (a * a)
    return np.where(a > 20, 0.5 / a + z * (1 / 12 - z * (1 / 120 - z * (1 / 252 - z / 240))),
                    np.log(a) - module().digamma(a))


def _gamma_slope_by_series(a, x):
    """(dP/da) / (x dP/dx) from P = x**a exp(-x) / Gamma(a + 1) * sum of x**n / (a + 1) ... (a + n), for x <= 2."""
    term, harmonic, total, weighted = np.ones_like(x), 0.0, 1.0, 0.0
    for n in range(1, 40):
        term = term * x / (a + n)
        harmonic = harmonic + 1 / (a + n)
        total, weighted = total + term, weighted + term * harmonic
    return ((np.log(x) - module().digamma(a + 1)) * total - weighted) / a


def _gamma_slope_by_quadrature(a, x):
    """The same: the integral of exp(a u - exp(u)) (u - digamma(a)) over u = log(t) is zero from -inf to inf, so that
    it is taken over the side of log(x) where its sign doesn't change."""
    start = np.log1p((x - a) / a) + _gap(a)                         # log(x) - digamma(a)
    sign = np.where(start < 0, -1.0, 1.0)
    rate = sign * (x - a)
    width = 2 / (rate + np.sqrt(rate * rate + 2 * x))
    total = 0.0
    for node, weight in zip(*_nodes()):
        s = node * width
        exponent = rate * s + x * _exponential_remainder(sign * s)
        total = total + weight * np.exp(-exponent) * (start + sign * s)
    return -sign * width * total


def _gamma_slope(a, x):
    inside = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
    a, x = np.where(inside, a, 1.0), np.where(inside, x, 1.0)
    near = x <= 2
    slope = np.where(near, _gamma_slope_by_series(a, np.minimum(x, 2.0)), 0.0)
    far = inside & ~near
    a, x = a[far], x[far]
    pieces = [slice(i, i + 4096) for i in range(0, a.size, 4096)]   # whose intermediate results stay in the cache
    if pieces:
        np.place(slope, far, np.concatenate([_gamma_slope_by_quadrature(a[i], x[i]) for i in pieces]))
    return np.where(inside, slope, np.nan)


@in_double
def random_gamma_grad(a, x):
    """dx/da of a sample x of the gamma distribution: -(dP/da) / (dP/dx), P the lower incomplete gamma function."""
    return np.where((x == 0) & (a > 0), 0.0, -x * _gamma_slope(a, x))


def gamma_density_times_x(a, x):
    """x**a exp(-x) / Gamma(a), by a Stirling series for large a."""
    large = a > 20
    big, ratio = np.where(large, a, 20.0), np.where(large, (x - a) / a, 0.0)
    z = 1 / (big * big)
    stirling = (1 / 12 - z * (1 / 360 - z * (1 / 1260 - z / 1680))) / big
    mu = np.where(abs(ratio) < 0.3, _log1p_remainder(np.where(abs(ratio) < 0.3, ratio, 0)), np.log1p(ratio) - ratio)
    far = np.exp(big * mu - stirling) * np.sqrt(big / (2 * np.pi))
    return np.where(large, far, np.exp(module().xlogy(a, x) - x - module().gammaln(np.where(large, 1.0, a))))


def _log1p_remainder(v):
    """log(1 + v) - v for |v| < 0.3, by 2 atanh(v / (2 + v))."""
    s = v / (2 + v)
    z, series = s * s, 0.0
    for n in range(27, 1, -2):
        series = series * z + 1 / n
    return 2 * s * z * series - s * v                               # 2 s - v = -s v


@in_double
def gamma_density(a, x):
    """Density of the gamma distribution of shape a: x**(a - 1) exp(-x) / Gamma(a)."""
    inside = (a > 0) & (x > 0)
    value = gamma_density_times_x(np.where(inside, a, 1.0), np.where(inside, x, 1.0)) / np.where(inside, x, 1.0)
    at_zero = np.where(a > 1, 0.0, np.where(a == 1, 1.0, np.inf))
    return np.where(x == np.inf, 0.0, np.where(inside, value, np.where((a > 0) & (x == 0), at_zero, np.nan)))


@in_double
def igamma_grad_a(a, x):
    """Derivative of the regularised lower incomplete gamma function by a."""
    edge = ((x == 0) | (x == np.inf)) & (a > 0)
    return np.where(edge, 0.0, gamma_density_times_x(a, x) * _gamma_slope(a, x))


# --- incomplete beta function ---------------------------------------------------------------------------------------

_STEPS = 20_000                                                     # enough for a and b up to 1e8


def _beta_slope(a, b, x, by_b):
    """Derivative of log h by a or b, h the continued fraction in I_x(a, b) = x**a (1 - x)**b / (a B(a, b)) h for
    x <= (a + 1)/(a + b + 2); DLMF 8.17.22 by Lentz's method, every step of which is differentiated."""
    d = 1 - (a + b) * x / (a + 1)
    slope_d = (x / (a + 1) if by_b else x / (a + 1) - (a + b) * x / (a + 1) ** 2) / d
    d = 1 / d
    slope, c, slope_c = slope_d, np.ones_like(x), np.zeros_like(x)
    slope_d = slope_d * d                                           # of d, which is now the inverse
    for m in range(1, _STEPS):
        before = slope
        odd = m * x / ((a - 1 + 2 * m) * (a + 2 * m))
        even = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 1 + 2 * m))
        change = 1 / (a + b + m) if by_b else 1 / (a + m) + 1 / (a + b + m) - 1 / (a + 2 * m) - 1 / (a + 1 + 2 * m)
        for e, slope_e in ((odd * (b - m), odd if by_b else -odd * (b - m) * (1 / (a - 1 + 2 * m) + 1 / (a + 2 * m))),
                           (even, even * change)):
            slope_c, c = (slope_e - e * slope_c / c) / c, 1 + e / c
            denominator = 1 + e * d
            slope_d = -(slope_e * d + e * slope_d) / denominator ** 2
            d = 1 / denominator
            slope = slope + slope_c / c + slope_d / d
        converged = ~(abs(slope - before) > 2e-16 * (1 + abs(slope)))           # or NaN
        if converged.all():
            break
    return np.where(converged, slope, np.nan)


@in_double
def betainc_grad(a, b, x, by):
    """Derivative of the regularised incomplete beta function I_x(a, b) by a (by=0) or b (by=1)."""
    special = module()
    valid = (a > 0) & (b > 0) & np.isfinite(a) & np.isfinite(b)
    inside, edge = valid & (x > 0) & (x < 1), valid & ((x == 0) | (x == 1))
    a, b, z = [np.where(inside, v, 0.5).reshape(x.shape or (1,)) for v in (a, b, x)]
    upper = z > (a + 1) / (a + b + 2)
    value = np.where(upper, -special.betaincc(a, b, z), special.betainc(a, b, z))
    logarithm = np.log1p(-z) if by else np.log(z)
    p = b if by else a
    first = upper == bool(by)                                       # whether p is the fraction's first parameter
    slope = logarithm + special.digamma(a + b) - special.digamma(np.where(first, p + 1, p))
    for swapped in (False, True):
        of = upper == swapped
        arguments = (b[of], a[of], 1 - z[of]) if swapped else (a[of], b[of], z[of])
        if of.any():
            slope[of] += _beta_slope(*arguments, bool(by) != swapped)
    return np.where(inside, (value * slope).reshape(x.shape), np.where(edge, 0.0, np.nan))


@in_double
def beta_density(a, b, x):
    """Density of the beta distribution: x**(a - 1) (1 - x)**(b - 1) / Beta(a, b)."""
    valid = (a > 0) & (b > 0) & (x >= 0) & (x <= 1)
    logarithm = module().xlogy(a - 1, x) + module().xlog1py(b - 1, -x) - module().betaln(a, b)
    return np.where(valid, np.exp(logarithm), np.nan)


# --- hypergeometric functions -----------------------------------------------------------------------------------------

_TERMS = 5000


def _series(above, below, x, by):
    """(sum, its derivative by parameter `by` of above + below) of (a1)_k (a2)_k ... / ((b1)_k ... k!) x**k; NaN where
    _TERMS terms don't suffice."""
    term, slope = np.ones_like(x), np.zeros_like(x)
    total, total_slope = term, slope
    for k in range(_TERMS):
        ratio = x / (k + 1)
        for b in below:
            ratio = ratio / (b + k)
        factors = [a + k for a in above]
        change = ratio * np.prod([f for i, f in enumerate(factors) if i != by], 0)      # derivative of the whole ratio
        ratio = ratio * np.prod(factors, 0)
        if by >= len(above):
            change = -ratio / (below[by - len(above)] + k)
        term, slope = term * ratio, slope * ratio + term * change
        total, total_slope = total + term, total_slope + slope
        small = ~(abs(slope) > 1e-17 * abs(total_slope)) & ~(abs(term) > 1e-17 * abs(total))
        if k > 2 and small.all():
            break
    return total, np.where(small, total_slope, np.nan)


@in_double
def hyp1f1_grad(a, b, x, by):
    """Derivative of 1F1(a; b; x) by a (by=0) or b (by=1); of exp(x) 1F1(b - a; b; -x) where x < 0."""
    plain = _series([a], [b], np.maximum(x, 0), by)[1]
    turned = [_series([b - a], [b], np.maximum(-x, 0), i)[1] for i in (0, 1)]
    return np.where(x < 0, np.exp(x) * (turned[0] + turned[1] if by else -turned[0]), plain)


@in_double
def hyp2f1_grad(a, b, c, x, by):
    """Derivative of 2F1(a, b; c; x) by a, b or c (by=0, 1, 2), of (1 - x)**-a 2F1(a, c - b; c; x/(x - 1)) for x < 0."""
    low = np.minimum(x, 0)
    plain = _series([a, b], [c], np.where(x < 1, np.maximum(x, 0), np.nan), by)[1]
    found = [_series([a, c - b], [c], low / (low - 1), i) for i in range(3)]
    turned = {0: found[0][1] - np.log1p(-low) * found[0][0], 1: -found[1][1], 2: found[1][1] + found[2][1]}[by]
    return np.where(x < 0, np.exp(-a * np.log1p(-low)) * turned, plain)
