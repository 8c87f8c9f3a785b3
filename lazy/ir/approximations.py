"""Special functions of float64 within a few ulp, by piecewise polynomials: NumPy references that `special` rounds.

Each function is a product of exponentials, roots and powers with what varies slowly, for which `coefficients` holds
polynomials. Where terms would cancel (roots, the sides of 1) another form is taken. Formulas: DLMF (dlmf.nist.gov).
"""
import numpy as np

from . import coefficients as table
from .elements import fma


def horner(x, coefficients):
    """c0 + c1 x + c2 x**2 + ..."""
    result = coefficients[-1]
    for c in coefficients[-2::-1]:
        result = result * x + c
    return result


def piecewise(x, *pieces):
    """x's polynomial of `coefficients`, or function: pieces are (condition, what), the last of which applies."""
    result = np.full(x.shape, np.nan)
    for inside, what in pieces:
        if inside.any():
            z = x[inside]
            result[inside] = what(z) if callable(what) else polynomial(z, what)
    return result


def polynomial(x, pieces):
    """The polynomial of the piece that x is in, the first or the last one beyond."""
    result = np.empty(x.shape)
    index = np.searchsorted([low for low, _, _ in pieces[1:]], x, side='right')
    for i, (low, high, coefficients) in enumerate(pieces):
        inside = index == i
        if inside.any():
            centre, half = (high + low) / 2, (high - low) / 2
            result[inside] = horner((x[inside] - centre) / half, coefficients)
    return result


# --- exponentials and their integrals ------------------------------------------------------------------------------

def exp1(x):
    """The exponential integral E1: inf at 0, NaN below."""
    def near(x):
        series = horner(x, [(-1.0) ** (k - 1) / k / factorial for k, factorial in FACTORIALS])
        return x * series - np.euler_gamma - np.log(x)
    return piecewise(x, ((x >= 0) & (x < 0.5), near),
                     ((x >= 0.5) & (x < 20), lambda x: np.exp(-x) / x * polynomial(x, table.EXP1)),
                     (x >= 20, lambda x: np.exp(-x) / x * polynomial(1 / x, table.EXP1_FAR)))


FACTORIALS = [(k, float(np.prod(np.arange(1.0, k + 1)))) for k in range(1, 18)]


def expi(x):
    """The exponential integral Ei."""
    def near(x):
        distance = x - table.EXPI_ROOT[0] - table.EXPI_ROOT[1]
        ratio = distance / table.EXPI_ROOT[0]
        logarithm = np.where(abs(ratio) < 0.5, np.log1p(ratio), np.log(x) - LOG_ROOT)
        return logarithm + distance * horner(x, table.EXPI_NEAR)            # of one sign

    def far(x):
        series = 1.0
        for k in range(40, 0, -1):
            series = 1 + k / x * series
        large = x > 700                                                     # where exp(x) may overflow
        power = np.exp(np.where(large, x - 10, x)) / x * series
        return np.where(large, power * EXP_10, power)
    return piecewise(x, (x == 0, lambda x: np.full(x.shape, -np.inf)), (x < 0, lambda x: -exp1(-x)),
                     ((x > 0) & (x <= 1), near), (x == np.inf, lambda x: x),
                     ((x > 1) & (x < 40), lambda x: np.exp(x) / x * polynomial(x, table.EXPI)),
                     ((x >= 40) & (x < np.inf), far))


LOG_ROOT = -0.9874983466453419                                              # log(root)
EXP_10 = 22026.465794806718


def erfcx(x):
    """exp(x**2) erfc(x); where x < 0 it is 2 exp(x**2) - erfcx(-x), x**2 with its rounding error."""
    def right(x):
        return piecewise(x, (x < 1, table.ERFCX_NEAR),
                         (x >= 1, lambda x: polynomial((x - 3.75) / (x + 3.75), table.ERFCX))) / (1 + 2 * x)

    def left(x):
        square = x * x
        low = np.where(square < 1e3, fma(x, x, -square), 0.0)
        return 2 * np.exp(square) * (1 + low) - right(-x)
    return piecewise(x, (x == np.inf, np.zeros_like), ((x >= 0) & (x < np.inf), right), ((x < 0) & (x > -30), left),
                     (x <= -30, lambda x: np.full(x.shape, np.inf)))


def dawsn(x):
    """Dawson's integral: near 0 x times the sum of (-2 x**2)**k / (2k + 1)!!, far away its asymptotic series."""
    def near(x):
        series = 1.0
        for k in range(14, 0, -1):
            series = 1 - 2 * x * x / (2 * k + 1) * series
        return x * series

    def far(x):
        z, series = 0.5 / x / x, 1.0
        for k in range(14, 0, -1):
            series = 1 + (2 * k - 1) * z * series
        return 0.5 / x * series
    size = abs(x)
    result = piecewise(size, (size < 0.5, near), ((size >= 0.5) & (size < 10), table.DAWSN), (size >= 10, far))
    return np.copysign(result, x)


def spence(x):
    """The integral of log(t)/(1 - t) from 1 to x, by u = -log(x) where |u| < 1.6, else by 1 - x, 1/x (DLMF 25.12)."""
    def near(u):
        return u + u * u * (u * horner(u * u, table.SPENCE) - 0.25)

    def below(x):
        other = np.log1p(-x)
        return np.where(x == 0, ZETA_2, ZETA_2 - np.log(x) * other - near(-other))

    def above(x):
        logarithm, other = np.log(x), np.log1p(-1 / x)
        return near(-other) - logarithm * (0.5 * logarithm + other) - ZETA_2
    return piecewise(x, ((x >= 0) & (x < 0.25), below), ((x >= 0.25) & (x < 4.5), lambda x: near(-np.log(x))),
                     ((x >= 4.5) & (x < np.inf), above), (x == np.inf, lambda x: -x))


ZETA_2 = 1.6449340668482264                                                 # pi**2/6


# --- Bessel functions ----------------------------------------------------------------------------------------------

def bessel_k0e(x):
    """exp(x) K0(x): inf at 0, NaN below."""
    def near(x):                                                            # DLMF 10.31.2
        y, first, second = 0.25 * x * x, 1.0, 0.0
        for k in range(10, 0, -1):
            first, second = 1 + y / (k * k) * first, HARMONIC[k] + y / ((k + 1) * (k + 1)) * second
        value = y * second - (np.log(x) + LOG_UNIT) * first
        return value + np.expm1(x) * value
    return scaled_k(x, near, table.K0, table.K0_FAR)


def bessel_k1e(x):
    """exp(x) K1(x): inf at 0, NaN below."""
    def near(x):
        y, first, second = 0.25 * x * x, 1.0, 0.0
        for k in range(10, -1, -1):
            first = 1 + y / ((k + 1) * (k + 2)) * first
            second = HARMONIC[k] + HARMONIC[k + 1] + y / ((k + 1) * (k + 2)) * second
        value = 1 / x + 0.5 * x * ((np.log(x) + LOG_UNIT) * first - 0.5 * second)
        return value + np.expm1(x) * value
    return scaled_k(x, near, table.K1, table.K1_FAR)


LOG_UNIT = -0.11593151565841245                                            # Euler's gamma - log(2)
HARMONIC = [sum(1 / i for i in range(1, k + 1)) for k in range(13)]


def scaled_k(x, near, middle, far):
    return piecewise(x, (x == 0, lambda x: np.full(x.shape, np.inf)), ((x > 0) & (x < 0.5), near),
                     ((x >= 0.5) & (x < 8), lambda x: polynomial(x, middle) / np.sqrt(x)),
                     (x >= 8, lambda x: polynomial(1 / x, far) / np.sqrt(x)))


def recurrence(x, n, before, value, sign):
    """The n-th of functions of which two are given, f_(k+1) = 2 k/x f_k + sign f_(k-1), in long double."""
    x, before, value = (v.astype(np.longdouble) for v in (x, before, value))
    for k in range(1, n):
        before, value = value, sign * before + 2 * k / x * value
    return value


def bessel_ke(x, n):
    """exp(x) K_n(x) of whole n >= 0, by the recurrence from K0 and K1, whose terms are positive."""
    if n < 2:
        return bessel_k1e(x) if n else bessel_k0e(x)
    return np.where(x == 0, np.inf, recurrence(x, n, bessel_k0e(x), bessel_k1e(x), 1))


def bessel_jy(x, n):
    """(J_n(x), Y_n(x)) for n = 0, 1 and 0 < x < inf, to an ulp or two of their amplitude."""
    j, y = np.empty(x.shape), np.empty(x.shape)
    for inside, both in ((x < 4, near_jy), ((x >= 4) & (x < 25), middle_jy), (x >= 25, far_jy)):
        if inside.any():
            j[inside], y[inside] = both(x[inside], n)
    return j, y


def near_jy(x, n):
    j, y = (polynomial(x * x, t) for t in ((table.J1, table.Y1) if n else (table.J0, table.Y0)))
    if n:
        j, y = j * x, y * x - TWO_OVER_PI / x
    return j, y + TWO_OVER_PI * np.log(x) * j


TWO_OVER_PI = 0.6366197723675814


def middle_jy(x, n):
    z = 1 / (x * x)
    p, q = (polynomial(z, t) for t in ((table.P1, table.Q1) if n else (table.P0, table.Q0)))
    return from_phase(x, n, p, q / x)


def far_jy(x, n):
    """Hankel's expansion (DLMF 10.17.3)."""
    p, q, term = 0.0, 0.0, np.ones_like(x)
    for k in range(24):
        sign = -1 if k % 4 > 1 else 1
        p, q = (p, q + sign * term) if k % 2 else (p + sign * term, q)
        term = term * (4 * n * n - (2 * k + 1) ** 2) / ((k + 1) * 8 * x)
    return from_phase(x, n, p, q)


def from_phase(x, n, p, q):
    """sqrt(2/(pi x)) (P cos(w) - Q sin(w), P sin(w) + Q cos(w)), w = x - (2 n + 1) pi/4, from those of x."""
    sine, cosine = np.sin(x), np.cos(x)
    c, s = (sine - cosine, -sine - cosine) if n else (cosine + sine, sine - cosine)
    scale = np.sqrt(1 / (np.pi * x))
    return scale * (p * c - q * s), scale * (p * s + q * c)


def bessel_j(x, n):
    """J_n(x) for n = 0, 1."""
    size = abs(x)
    inside = (size > 0) & (size < np.inf)
    result = np.where(np.isnan(x), x, np.where(size == 0, 1.0 - n, 0.0))
    result[inside] = bessel_jy(size[inside], n)[0]
    return np.copysign(1.0, x) * result if n else result


def bessel_y(x, n):
    """Y_n(x) of whole n >= 0: -inf at 0, NaN below; by the recurrence from Y0 and Y1, which is stable."""
    inside = (x > 0) & (x < np.inf)
    result, x = np.where(x == np.inf, 0.0, np.where(x == 0, -np.inf, np.nan)), x[inside]
    if n < 2:
        result[inside] = bessel_jy(x, n)[1]
    else:
        value = recurrence(x, n, bessel_jy(x, 0)[1], bessel_jy(x, 1)[1], -1)
        result[inside] = np.where(np.isnan(value), -np.inf, value)
    return result
