"""NumPy references of elementwise operations: arrays of one shape, and parameters as keywords."""
import importlib

import numpy as np

from . import dtypes
from .graph import aval


def identity(x):
    return x


def expm1(x):
    """exp(x) - 1; of complex numbers with C99's values at what is not finite, where NumPy has NaN."""
    result = np.expm1(x)
    if dtypes.kind(x.dtype) != 'c':
        return result
    a, b = x.real, x.imag
    real, imag = np.where(x == 0, 0, result.real), np.where(b == 0, b, result.imag)
    edge = np.isinf(a) & ~np.isfinite(b)
    return _complex(np.where(edge, np.where(a > 0, a, -1), real), np.where(edge & (a < 0), 0, imag), x.dtype)


def tanh(x):
    """The hyperbolic tangent; that of a complex number with an infinite real part is 1 or -1, and zero with the sign of
    the imaginary part."""
    result = np.tanh(x)
    if dtypes.kind(x.dtype) != 'c':
        return result
    edge = np.isinf(x.real) & np.isfinite(x.imag)
    return _complex(result.real, np.where(edge, np.copysign(0, x.imag), result.imag), x.dtype)


def _complex(real, imag, dtype):
    result = np.empty(real.shape, dtype)
    result.real, result.imag = real, imag
    return result


def scipy_special(name):
    """scipy.special's function, imported when first called; narrow floats are computed in float32."""
    function = None

    def call(*operands):
        nonlocal function
        if function is None:
            function = getattr(importlib.import_module('scipy.special'), name)
        dtype = operands[0].dtype
        wide = [x.astype(np.float32) if dtype.itemsize < 4 else x for x in operands]
        return np.asarray(function(*wide)).astype(dtype, copy=False)
    call.__name__ = name
    return call


def gate(x, y):
    """x / (1 + exp(-y)). Where y is far below zero exp(y) is taken as exp(y + 49) exp(-49), which doesn't become
    subnormal before the result does."""
    wide = np.float64 if x.dtype == np.float64 else np.float32
    a, b = x.astype(wide), y.astype(wide)
    low = b < -49
    e, unit = np.exp(-abs(b) + np.where(low, wide(49), wide(0))), np.where(low, wide(GATE_UNIT), wide(1))
    return (np.where(b < 0, a * e, a) / (1 + e * unit) * unit).astype(x.dtype)


GATE_UNIT = 5.242885663363464e-22                           # exp(-49)


def polygamma(x, n):
    polygamma = importlib.import_module('scipy.special').polygamma
    return np.asarray(polygamma(n, x.astype(np.float64))).astype(x.dtype)


def one_like(x):
    return x.dtype.type(1)


def rsqrt(x):
    return one_like(x) / np.sqrt(x)


def reciprocal(x):
    return one_like(x) / x


def integer_pow(x, n):
    """x**n by repeated squaring, the same order of products as the emitted code."""
    if n < 0 and not dtypes.is_inexact(x.dtype):
        raise ValueError('integers to negative integer powers are not allowed')
    square, left = x.astype(dtypes.held_as(x.dtype), copy=False), abs(n)
    if -3 <= n < 0:                                          # whose powers overflow before those of 1/x become subnormal
        square = one_like(square) / square
    result = np.ones_like(square)
    while left:
        if left & 1:
            result = result * square
        left >>= 1
        if left:
            square = square * square
    return (one_like(result) / result if n < -3 else result).astype(x.dtype, copy=False)


def _of_kind(kind, dtype):
    """The integer dtype as wide as `dtype` that is signed ('i') or unsigned ('u')."""
    if dtype in dtypes.NARROW_INTEGERS:
        return dtypes.int4 if kind == 'i' else dtypes.uint4
    return np.dtype(f'{kind}{dtype.itemsize}')


def population_count(x):
    return np.bitwise_count(x.view(_of_kind('u', x.dtype)).astype(np.uint64)).astype(x.dtype)


def clz(x):
    bits = dtypes.bits(x.dtype)
    y = x.view(_of_kind('u', x.dtype)).astype(np.uint64)
    result = np.full(x.shape, bits, x.dtype)
    for place in range(bits):
        result = np.where(y >> np.uint64(place) != 0, bits - 1 - place, result)
    return result.astype(x.dtype)


def convert(x, dtype, weak):
    if x.dtype == dtype:
        return x
    if dtypes.kind(dtype) == 'b':
        return x != 0
    if dtypes.kind(x.dtype) == 'c' and dtypes.kind(dtype) != 'c':
        x = x.real
    if dtypes.is_inexact(x.dtype) and dtypes.is_integer(dtype):
        return _saturate(x, dtype)
    if x.dtype == np.float64 and dtype in dtypes.NARROW_FLOATS:
        return _round_to_odd(x).astype(dtype)
    if x.dtype in dtypes.NARROW_INTEGERS:                            # which ml_dtypes doesn't cast to each other
        x = x.astype(dtypes.held_as(x.dtype))
    return x.astype(dtype)


def _saturate(x, dtype):
    """Float to integer: toward zero, clamped to the range, NaN is 0."""
    info = dtypes.iinfo(dtype)
    x = np.trunc(x.astype(np.float64))
    low, high = float(info.min), float(info.max)
    inside = np.where((x > low) & (x < high), x, 0).astype(dtype)
    return np.where(x >= high, info.max, np.where(x <= low, info.min, inside)).astype(dtype)


def _round_to_odd(x):
    """float64 to float32 such that rounding again, to fewer bits, is right: the last bit says that there was more."""
    near = x.astype(np.float32)
    bits = near.view(np.uint32)
    inexact = near.astype(np.float64) != x
    away = np.abs(near.astype(np.float64)) > np.abs(x)
    bits = np.where(inexact & np.isfinite(near), (bits - away) | 1, bits).astype(np.uint32)
    return bits.view(np.float32)


def infer_bitcast(avals, dtype):
    if dtypes.bits(avals[0].dtype) != dtypes.bits(dtype):
        raise TypeError(f'cannot bitcast {avals[0].dtype} to {dtype}: different sizes')
    return aval(avals[0].shape, dtype)


def bitcast(x, dtype):
    return np.ascontiguousarray(x).view(dtype).reshape(x.shape)


def safe_mul(t, d):
    return np.where(t == 0, np.zeros((), t.dtype), t * d)


def rem(x, y):
    if dtypes.is_integer(x.dtype):
        safe = np.where(y == 0, one_like(y), y)
        return np.where(y == 0, np.zeros((), x.dtype), np.fmod(x, safe))
    return np.fmod(x, y)


def floor_divide(x, y):
    if not dtypes.is_integer(x.dtype):                               # at infinities floor(x / y), not Python's values
        exact = (y == 0) | np.isinf(x) | np.isinf(y)
        return np.where(exact, x / y, np.floor_divide(x, y))
    safe = np.where(y == 0, one_like(y), y)
    return np.where(y == 0, np.zeros((), x.dtype), np.floor_divide(x, safe))


def remainder(x, y):
    if not dtypes.is_integer(x.dtype):
        return np.remainder(x, y)
    safe = np.where(y == 0, one_like(y), y)
    return np.where(y == 0, np.zeros((), x.dtype), np.remainder(x, safe))


def _shift(function, x, y, beyond):
    bits = dtypes.bits(x.dtype)
    inside = (y >= 0) & (y < bits)
    return np.where(inside, function(x, np.where(inside, y, 0).astype(x.dtype)), beyond).astype(x.dtype)


def shift_left(x, y):
    return _shift(np.left_shift, x, y, 0)


def shift_right_logical(x, y):
    unsigned = _of_kind('u', x.dtype)
    return _shift(np.right_shift, x.view(unsigned), y.view(unsigned), 0).view(x.dtype)


def shift_right_arithmetic(x, y):
    signed = _of_kind('i', x.dtype)
    x_signed = x.view(signed)
    return _shift(np.right_shift, x_signed, y.view(signed), np.where(x_signed < 0, -1, 0)).view(x.dtype)


def complex_(x, y):
    result = np.empty(np.broadcast_shapes(x.shape, y.shape), dtypes.complex_of(x.dtype))
    result.real, result.imag = x, y
    return result


def fma(x, y, z):
    """x * y + z with one rounding: float32 and narrower in float64, float64 by exact products and sums."""
    if x.dtype != np.float64:
        wide = np.float32 if x.dtype in dtypes.NARROW_FLOATS else np.float64
        return (x.astype(wide) * y.astype(wide) + z.astype(wide)).astype(x.dtype)
    with np.errstate(all='ignore'):
        plain = x * y + z
        high, low = _two_product(x, y)
        total = high + z
        part = total - high
        error = (high - (total - part)) + (z - part)
        exact = total + (error + low)
    return np.where(np.isfinite(exact), exact, plain)


def _two_product(x, y):
    """x * y as a sum of two float64 (Dekker, 1971)."""
    def halves(a):
        scaled = a * 134217729.0
        high = scaled - (scaled - a)
        return high, a - high
    (a, b), (c, d), product = halves(x), halves(y), x * y
    return product, ((a * c - product) + a * d + b * c) + b * d


# erfinv in w = -log(1 - x**2), highest power first: about w - 2.5 below 5, about sqrt(w) - 3 above (M. Giles,
# Approximating the erfinv function, GPU Computing Gems, 2012).
_GILES = np.array([(2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503,
                    -0.00417768164, 0.246640727, 1.50140941),
                   (-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613,
                    0.00943887047, 1.00167406, 2.83297682)], np.float32)
# log(1 + x) = x - x**2/2 + x**3 P/Q for |x| < sqrt(2) - 1, and log(1 + x) = x - x**2/2 + x**3 L (Cephes, S. Moshier).
_LOG1P_P = np.array([4.5270000862445199635215e-5, 4.9854102823193375972212e-1, 6.5787325942061044846969,
                     2.9911919328553073277375e1, 6.0949667980987787057556e1, 5.7112963590585538103336e1,
                     2.0039553499201281259648e1], np.float32)
_LOG1P_Q = np.array([1, 1.5062909083469192043167e1, 8.3047565967967209469434e1, 2.2176239823732856465394e2,
                     3.0909872225312059774938e2, 2.1642788614495947685003e2, 6.0118660497603843919306e1], np.float32)
_LOG = np.array([7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
                 -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1], np.float32)
_LN2 = np.float32(-2.12194440e-4), np.float32(0.693359375)


def _fma32(a, b, c):
    return (np.asarray(a, np.float64) * b + c).astype(np.float32)


def _horner_float32(x, coefficients):
    result = coefficients[0]
    for c in coefficients[1:]:
        result = _fma32(result, x, c)
    return result


def _log1p_cephes(x):
    """log(1 + x) for x in (-1, 0], in float32 with the rounding errors of XLA's."""
    square = x * x
    small = x + _fma32(np.float32(-0.5), square, x * square * (_horner_float32(x, _LOG1P_P) / _horner_float32(x, _LOG1P_Q)))
    m, e = np.frexp(np.float32(1) + x)
    low = m < np.float32(0.707106781186547524)
    e = (e - low).astype(np.float32)
    m = np.where(low, m + m, m) - np.float32(1)
    square = m * m
    cube = square * m
    first, second, third = (_fma32(_fma32(_LOG[i], m, _LOG[i + 1]), m, _LOG[i + 2]) for i in (0, 3, 6))
    y = _fma32(_fma32(_fma32(first, cube, second), cube, third), cube, _LN2[0] * e)
    return np.where(np.abs(x) < np.float32(0.41421356), small, _fma32(_LN2[1], e, _fma32(np.float32(-0.5), square, m) + y))


def erf_inv_giles(x):
    """erfinv as XLA computes it: the polynomials of Giles in float32, so that normal random numbers are JAX's.

    Up to 65 ulp from the truth near 1 and -1: w loses bits where x**2 is rounded. float64 is as erf_inv's.
    """
    if x.dtype == np.float64:
        return scipy_special('erfinv')(x)
    dtype, x = x.dtype, x.astype(np.float32)
    with np.errstate(all='ignore'):
        w = -_log1p_cephes(-x * x)
        near = w < 5
        v = np.where(near, w - np.float32(2.5), np.sqrt(w) - np.float32(3))
        result = np.where(near, _horner_float32(v, _GILES[0]), _horner_float32(v, _GILES[1])) * x
        edge = np.where(np.abs(x) == 1, x * np.float32(np.inf), np.float32(np.nan))
        return np.where(np.abs(x) < 1, result, edge).astype(dtype)


_ROTATIONS = (13, 15, 26, 6), (17, 29, 16, 24)


def threefry2x32(k0, k1, c0, c1, word):
    """One word of the 20-round Threefry-2x32 block (Salmon et al., Parallel Random Numbers, SC 2011)."""
    with np.errstate(over='ignore'):
        keys = k0, k1, k0 ^ k1 ^ np.uint32(0x1BD11BDA)
        x0, x1 = c0 + k0, c1 + k1
        for block in range(5):
            for r in _ROTATIONS[block % 2]:
                x0 = x0 + x1
                x1 = (x1 << np.uint32(r)) | (x1 >> np.uint32(32 - r))
                x1 = x1 ^ x0
            x0 = x0 + keys[(block + 1) % 3]
            x1 = x1 + keys[(block + 2) % 3] + np.uint32(block + 1)
    return x1 if word else x0


def philox4x32(k0, k1, c0, c1, c2, c3, word):
    """One word of the 10-round Philox-4x32 block (Salmon et al., Parallel Random Numbers, SC 2011)."""
    with np.errstate(over='ignore'):
        for i in range(10):
            first, second = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
            high, low = zip(*[((p >> np.uint64(32)).astype(np.uint32), p.astype(np.uint32)) for p in (first, second)])
            c0, c1, c2, c3 = high[1] ^ c1 ^ k0, low[1], high[0] ^ c3 ^ k1, low[0]
            k0, k1 = k0 + np.uint32(0x9E3779B9), k1 + np.uint32(0xBB67AE85)
    return (c0, c1, c2, c3)[word]
