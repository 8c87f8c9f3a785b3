"""NumPy references and shape rules of the operations in `ops.py`.

A reference takes NumPy arrays and the operation's parameters as keywords, and returns an array of exactly the
dtype and shape that the shape rule says. It is what the other targets are tested against.
"""
import importlib

import numpy as np

from . import dtypes, lapack
from .graph import aval, broadcast_shapes


def identity(x):
    return x


# --- elementwise ---------------------------------------------------------------------------------------------

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
    if n < 0:
        if not dtypes.is_inexact(x.dtype):
            raise ValueError('integers to negative integer powers are not allowed')
        return one_like(x) / integer_pow(x, -n)
    result = np.ones_like(x)
    while n:
        if n & 1:
            result = result * x
        n >>= 1
        if n:
            x = x * x
    return result


def population_count(x):
    return np.bitwise_count(x.view(f'u{x.itemsize}')).astype(x.dtype)


def clz(x):
    bits = 8 * x.itemsize
    y = x.view(f'u{x.itemsize}').astype(np.uint64)
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
    if x.dtype == np.float64 and dtype == dtypes.bfloat16:
        return _float64_to_bfloat16(x)
    return x.astype(dtype)


def _saturate(x, dtype):
    """Float to integer: toward zero, clamped to the range, NaN is 0."""
    info = np.iinfo(dtype)
    x = np.trunc(x.astype(np.float64))
    low, high = float(info.min), float(info.max)
    inside = np.where((x > low) & (x < high), x, 0).astype(dtype)
    return np.where(x >= high, info.max, np.where(x <= low, info.min, inside)).astype(dtype)


def _float64_to_bfloat16(x):
    """Round once: a rounding to float32 first is made sticky (round to odd)."""
    near = x.astype(np.float32)
    bits = near.view(np.uint32)
    inexact = near.astype(np.float64) != x
    away = np.abs(near.astype(np.float64)) > np.abs(x)
    bits = np.where(inexact & np.isfinite(near), (bits - away) | 1, bits).astype(np.uint32)
    return bits.view(np.float32).astype(dtypes.bfloat16)


def infer_bitcast(avals, dtype):
    if avals[0].dtype.itemsize != dtype.itemsize:
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
    bits = 8 * x.dtype.itemsize
    inside = (y >= 0) & (y < bits)
    return np.where(inside, function(x, np.where(inside, y, 0).astype(x.dtype)), beyond).astype(x.dtype)


def shift_left(x, y):
    return _shift(np.left_shift, x, y, 0)


def shift_right_logical(x, y):
    unsigned = f'u{x.dtype.itemsize}'
    return _shift(np.right_shift, x.view(unsigned), y.astype(unsigned), 0).view(x.dtype)


def shift_right_arithmetic(x, y):
    signed = f'i{x.dtype.itemsize}'
    x_signed = x.view(signed)
    return _shift(np.right_shift, x_signed, y.astype(signed), np.where(x_signed < 0, -1, 0)).view(x.dtype)


def complex_(x, y):
    result = np.empty(np.broadcast_shapes(x.shape, y.shape), dtypes.complex_of(x.dtype))
    result.real, result.imag = x, y
    return result


def fma(x, y, z):
    """x * y + z with one rounding: float32 and narrower in float64, float64 by exact products and sums."""
    if x.dtype != np.float64:
        wide = np.float32 if x.dtype.itemsize == 2 else np.float64
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


# --- leaves and views -------------------------------------------------------------------------------------------

def iota(shape, dtype, axis):
    sizes = [1] * len(shape)
    sizes[axis] = shape[axis]
    return np.broadcast_to(np.arange(shape[axis]).astype(dtype).reshape(sizes), shape)


def infer_same(avals, **params):
    return aval(avals[0].shape, avals[0].dtype)


def infer_reshape(avals, shape):
    result = aval(shape, avals[0].dtype, avals[0].weak)
    if result.size != avals[0].size:
        raise ValueError(f'cannot reshape array of size {avals[0].size} and shape {avals[0].shape} into shape {shape}')
    return result


def reshape(x, shape):
    return x.reshape(shape)


def infer_transpose(avals, permutation):
    return aval(tuple([avals[0].shape[axis] for axis in permutation]), avals[0].dtype, avals[0].weak)


def transpose(x, permutation):
    return x.transpose(permutation)


def infer_broadcast(avals, shape, axes):
    for size, axis in zip(avals[0].shape, axes):
        if size not in (1, shape[axis]):
            raise ValueError(f'cannot broadcast shape {avals[0].shape} to {shape}')
    return aval(shape, avals[0].dtype, avals[0].weak)


def broadcast(x, shape, axes):
    sizes = [1] * len(shape)
    for size, axis in zip(x.shape, axes):
        sizes[axis] = size
    return np.broadcast_to(x.transpose(np.argsort(axes)).reshape(sizes), shape)


def infer_slice(avals, start, stop, step):
    shape = tuple([max(0, -(-(b - a) // s)) for a, b, s in zip(start, stop, step)])
    return aval(shape, avals[0].dtype, avals[0].weak)


def slice_(x, start, stop, step):
    return x[tuple([slice(a, b, s) for a, b, s in zip(start, stop, step)])]


def rev(x, axes):
    return np.flip(x, axes)


# --- structural --------------------------------------------------------------------------------------------------

def infer_concatenate(avals, axis):
    first = avals[0]
    for other in avals[1:]:
        if other.shape[:axis] + other.shape[axis + 1:] != first.shape[:axis] + first.shape[axis + 1:]:
            raise ValueError('concatenate: all the input array dimensions except for the concatenation axis must '
                             f'match exactly, got shapes {" ".join(str(a.shape) for a in avals)} for axis {axis}')
    total = sum(a.shape[axis] for a in avals)
    return aval(first.shape[:axis] + (total,) + first.shape[axis + 1:], first.dtype)


def concatenate(*arrays, axis):
    return np.concatenate(arrays, axis)


def infer_slice_update(avals, start, step):
    x, y = avals
    for size, n, a, s in zip(x.shape, y.shape, start, step):
        if n and (a < 0 or a + (n - 1) * s >= size):
            raise ValueError(f'slice_update: {y.shape} at {start} with step {step} is outside of {x.shape}')
    return aval(x.shape, x.dtype)


def slice_update(x, y, start, step):
    result = np.array(x, order='C')
    result[tuple([slice(a, a + max(0, (n - 1) * s + 1), s) for a, n, s in zip(start, y.shape, step)])] = y
    return result


def infer_gather(avals, axes, mode):
    """x and k index arrays for k axes -> shape of the indices, then the axes of x that are not indexed."""
    x, indices = avals[0], avals[1:]
    shape = broadcast_shapes('indexing', *[i.shape for i in indices])
    return aval(shape + tuple([n for axis, n in enumerate(x.shape) if axis not in axes]), x.dtype)


def check_range(index, size, axis):
    """IndexError as NumPy's for the first index outside of [0, size)."""
    outside = (index < 0) | (index >= size)
    if outside.any():
        first = int(np.asarray(index)[outside].flat[0])
        raise IndexError(f'index {first} is out of bounds for axis {axis} with size {size}')


def _located(x, indices, axes, mode):
    """Index tuple in [0, size) for x with `axes` leading, and the mask of those that were inside."""
    placed, inside = [], None
    for index, axis in zip(indices, axes):
        size = x.shape[axis]
        index = index.astype(np.int64)
        if mode == 'error':
            check_range(index, size, axis)
        elif mode == 'wrap':
            index = index % max(size, 1)
        elif mode == 'fill':
            ok = (index >= 0) & (index < size)
            inside = ok if inside is None else inside & ok
        placed.append(np.clip(index, 0, max(size - 1, 0)))
    return tuple(np.broadcast_arrays(*placed)), inside


def _leading(x, axes):
    return np.moveaxis(x, axes, range(len(axes)))


def fill_value(dtype):
    """What a gather of mode 'fill' gives outside: NaN, the largest unsigned, the smallest signed integer."""
    kind = dtypes.kind(dtype)
    if kind in 'fc':
        return np.asarray(np.nan, dtype)
    return np.asarray({'b': True, 'u': np.iinfo(dtype).max if kind == 'u' else 0,
                       'i': np.iinfo(dtype).min if kind == 'i' else 0}[kind], dtype)


def gather(x, *indices, axes, mode):
    placed, inside = _located(x, indices, axes, mode)
    if not x.size and placed[0].size and inside is not None:
        rest = tuple(n for axis, n in enumerate(x.shape) if axis not in axes)
        return np.broadcast_to(fill_value(x.dtype), placed[0].shape + rest)
    result = _leading(x, axes)[placed]
    if inside is not None:
        inside = np.broadcast_to(inside, placed[0].shape)
        inside = inside.reshape(inside.shape + (1,) * (result.ndim - inside.ndim))
        result = np.where(inside, result, fill_value(x.dtype))
    return result


def infer_scatter(avals, axes, mode, kind):
    x, updates, indices = avals[0], avals[1], avals[2:]
    expected = infer_gather([x, *indices], axes, mode).shape
    if updates.shape != expected:
        raise ValueError(f'scatter: updates have shape {updates.shape}, the indices address {expected}')
    return aval(x.shape, x.dtype)


_SCATTERS = {'add': np.add, 'mul': np.multiply, 'min': np.minimum, 'max': np.maximum}


def scatter(x, updates, *indices, axes, mode, kind):
    result = np.array(x, order='C')
    placed, inside = _located(x, indices, axes, mode)
    if inside is not None:
        keep = np.broadcast_to(inside, placed[0].shape)
        placed, updates = tuple([i[keep] for i in placed]), updates[keep]
    target = _leading(result, axes)
    if kind == 'set':
        target[placed] = updates
    elif placed[0].size:
        _SCATTERS[kind].at(target, placed, updates)
    return result


def scatter_at(x, updates, *located, axes, mode, kind):
    """A scatter at the indices i + shift where i < bound, else i, of located = (i, bound, shift) for each axis. `updates`
    may be one value for all."""
    indices = [np.where(i < bound, i + shift, i) for i, bound, shift in zip(*[located[k::3] for k in range(3)])]
    shape = np.broadcast_shapes(*[i.shape for i in indices])
    rest = tuple([n for axis, n in enumerate(x.shape) if axis not in axes])
    return scatter(x, np.broadcast_to(updates, shape + rest), *indices, axes=axes, mode=mode, kind=kind)


# --- reductions ------------------------------------------------------------------------------------------------

def infer_reduce(avals, axes):
    a = avals[0]
    return aval(tuple([n for axis, n in enumerate(a.shape) if axis not in axes]), a.dtype, a.weak)


def _sum_dtype(x):
    """Narrow floats are summed in float32."""
    return np.float32 if x.dtype in (dtypes.float16, dtypes.bfloat16) else x.dtype


def reduce_sum(x, axes):
    return np.asarray(np.sum(x, axis=axes, dtype=_sum_dtype(x))).astype(x.dtype, copy=False)


def reduce_prod(x, axes):
    return np.asarray(np.prod(x, axis=axes, dtype=_sum_dtype(x))).astype(x.dtype, copy=False)


def _extreme(function, x, axes, name):
    if any(x.shape[axis] == 0 for axis in axes) and x.size == 0 and infer_size(x.shape, axes):
        raise ValueError(f'zero-size array to reduction operation {name} which has no identity')
    return np.asarray(function(x, axis=axes))


def infer_size(shape, axes):
    """Number of results of a reduction."""
    return int(np.prod([n for axis, n in enumerate(shape) if axis not in axes], dtype=np.int64))


def reduce_max(x, axes):
    return _extreme(np.max, x, axes, 'max') if infer_size(x.shape, axes) else _empty(x, axes)


def reduce_min(x, axes):
    return _extreme(np.min, x, axes, 'min') if infer_size(x.shape, axes) else _empty(x, axes)


def _empty(x, axes):
    return np.empty([n for axis, n in enumerate(x.shape) if axis not in axes], x.dtype)


def reduce_and(x, axes):
    return np.asarray(np.bitwise_and.reduce(x, axis=axes)) if x.ndim else x


def reduce_or(x, axes):
    return np.asarray(np.bitwise_or.reduce(x, axis=axes)) if x.ndim else x


def infer_arg(avals, axis, dtype):
    a = avals[0]
    if a.shape[axis] == 0:
        raise ValueError('attempt to get argmax or argmin of an empty sequence')
    return aval(a.shape[:axis] + a.shape[axis + 1:], dtype)


def argmax(x, axis, dtype):
    return np.asarray(np.argmax(x, axis)).astype(dtype)


def argmin(x, axis, dtype):
    return np.asarray(np.argmin(x, axis)).astype(dtype)


def _cumulative(function):
    def call(x, axis, reverse):
        x = np.flip(x, axis) if reverse else x
        result = function.accumulate(x, axis, dtype=_sum_dtype(x)).astype(x.dtype, copy=False)
        return np.flip(result, axis) if reverse else result
    return call


cumsum, cumprod = _cumulative(np.add), _cumulative(np.multiply)
cummax, cummin = _cumulative(np.maximum), _cumulative(np.minimum)
cumlogsumexp = _cumulative(np.logaddexp)


# --- products, LAPACK, sorting -----------------------------------------------------------------------------------

def infer_dot_general(avals, contract_lhs, contract_rhs, batch_lhs, batch_rhs):
    a, b = avals
    if a.dtype != b.dtype:
        raise TypeError(f'dot_general needs operands of one dtype, got {a} and {b}')
    for i, j in zip(contract_lhs + batch_lhs, contract_rhs + batch_rhs):
        if a.shape[i] != b.shape[j]:
            raise ValueError(f'product of shapes {a.shape} and {b.shape}: axis {i} of the first has size {a.shape[i]}, '
                             f'axis {j} of the second {b.shape[j]}')
    free_a = [n for axis, n in enumerate(a.shape) if axis not in contract_lhs + batch_lhs]
    free_b = [n for axis, n in enumerate(b.shape) if axis not in contract_rhs + batch_rhs]
    return aval((*[a.shape[i] for i in batch_lhs], *free_a, *free_b), a.dtype)


def as_matmul(shape_a, shape_b, contract_lhs, contract_rhs, batch_lhs, batch_rhs):
    """A dot_general as a matmul: (permutation, shape) of each operand, and the shape of the result."""
    free_a = [axis for axis in range(len(shape_a)) if axis not in contract_lhs + batch_lhs]
    free_b = [axis for axis in range(len(shape_b)) if axis not in contract_rhs + batch_rhs]
    size = lambda shape, axes: int(np.prod([shape[i] for i in axes], dtype=np.int64))
    batch = [shape_a[i] for i in batch_lhs]
    m, n, k = size(shape_a, free_a), size(shape_b, free_b), size(shape_a, contract_lhs)
    out = (*batch, *[shape_a[i] for i in free_a], *[shape_b[i] for i in free_b])
    return (((*batch_lhs, *free_a, *contract_lhs), (*batch, m, k)),
            ((*batch_rhs, *contract_rhs, *free_b), (*batch, k, n)), out)


def dot_general(a, b, contract_lhs, contract_rhs, batch_lhs, batch_rhs):
    dtype = a.dtype
    if dtype in (dtypes.float16, dtypes.bfloat16):
        a, b = a.astype(np.float32), b.astype(np.float32)
    left, right, out = as_matmul(a.shape, b.shape, contract_lhs, contract_rhs, batch_lhs, batch_rhs)
    product = np.matmul(a.transpose(left[0]).reshape(left[1]), b.transpose(right[0]).reshape(right[1]))
    return product.reshape(out).astype(dtype, copy=False)


def sort(x, axis):
    return np.sort(x, axis)


def partition(x, kth, axis):
    return np.partition(x, kth, axis)


def infer_argsort(avals, axis, dtype):
    return aval(avals[0].shape, dtype)


def argsort(x, axis, dtype):
    return np.argsort(x, axis, kind='stable').astype(dtype)


def infer_searchsorted(avals, side, dtype):
    return aval(avals[1].shape, dtype)


def searchsorted(a, v, side, dtype):
    return np.asarray(np.searchsorted(a, v, side)).astype(dtype)


def infer_solve(avals, **params):
    a, b = avals
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ValueError(f'solve needs square matrices, got shape {a.shape}')
    if b.ndim < 2 or b.shape[-2] != a.shape[-1] or b.shape[:-2] != a.shape[:-2]:
        raise ValueError(f'solve: shapes {a.shape} and {b.shape} do not fit')
    return aval(b.shape, b.dtype)


def triangular_solve(a, b, lower, transpose, unit_diagonal):
    """x in op(a) x = b for triangular a, batched over leading axes; op is transposition when asked for."""
    count, n = int(np.prod(a.shape[:-2])), a.shape[-1]
    if count > n:
        a = (a.swapaxes(-1, -2) if transpose else a).reshape(count, n, n)
        return lapack.substitute(a, b.reshape(count, n, b.shape[-1]), lower != transpose, unit_diagonal).reshape(b.shape)
    solve_triangular = importlib.import_module('scipy.linalg').solve_triangular
    result = np.empty_like(b)
    for index in np.ndindex(a.shape[:-2]):
        result[index] = solve_triangular(a[index], b[index], trans=1 if transpose else 0, lower=lower,
                                         unit_diagonal=unit_diagonal, check_finite=False) if b[index].size else b[index]
    return result


def infer_eigh(avals):
    lapack.square(avals[0], 'eigh')
    a, = avals
    return aval(a.shape[:-1], dtypes.real_of(a.dtype)), aval(a.shape, a.dtype)


def infer_eig(avals, left):
    lapack.square(avals[0], 'eig')
    a, = avals
    dtype = dtypes.complex_of(a.dtype)
    return (aval(a.shape[:-1], dtype), *[aval(a.shape, dtype)] * (2 if left else 1))


def eig(a, left):
    """Eigenvalues and right eigenvectors; left: also those of the adjoint for the conjugate eigenvalues, in step."""
    dtype = dtypes.complex_of(a.dtype)
    if not left:
        return tuple([x.astype(dtype, copy=False) for x in np.linalg.eig(a)])

    lapack.check_finite(a)

    def one(x):
        w, of_left, of_right = lapack.scipy_linalg().eig(x, left=True, check_finite=False)
        return w, of_right, of_left
    return lapack.each(one, (a,), 2, [(a.shape[-1:], dtype), (a.shape[-2:], dtype), (a.shape[-2:], dtype)])


def infer_fft(avals, kind, axis, length):
    a, = avals
    size = length // 2 + 1 if kind == 'rfft' else length
    dtype = dtypes.real_of(a.dtype) if kind == 'irfft' else dtypes.complex_of(a.dtype)
    return aval(a.shape[:axis] + (size,) + a.shape[axis + 1:], dtype)


def fft(x, kind, axis, length):
    return getattr(importlib.import_module('scipy.fft'), kind)(x, length, axis)


def dct(x, odd, type, axis):
    if not x.size:
        return x
    return getattr(importlib.import_module('scipy.fft'), 'dst' if odd else 'dct')(x, type, axis=axis)


def packed(*operands, op, params):
    """The results of an operation that has several, each at a multiple of 64 bytes."""
    results = op.numpy(*operands, **dict(zip(op.param_names, params or ())))
    parts = []
    for x in results:
        data = np.ascontiguousarray(x).reshape(-1).view(np.uint8)
        parts += [data, np.zeros(-data.size % 64, np.uint8)]
    return np.concatenate(parts)


def unpack(x, offset, shape, dtype):
    count = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    return x[offset:offset + count].copy().view(dtype).reshape(shape)
