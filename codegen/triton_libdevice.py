"""CUDA's libdevice functions on NumPy arrays, for the interpreter.

Names are those of the bitcode library without `__nv_`; where a float32 and a float64 function
differ only in the letter `f` at the end (or `d`/`f` in front), one entry serves both. Results are
computed in the operands' precision, so they agree with the device to a few ulp, not bit by bit. The
approximate functions (`fast_expf`) are computed exactly. Where the device saturates, so does this:
`float2int_rn` of 1e20 is the largest int32, of NaN it is 0.
"""

import functools

import numpy as np

from ..ir import special


@functools.lru_cache(maxsize=None)
def _special():
    import scipy.special
    return scipy.special


def _scipy(name):
    return lambda *operands: getattr(_special(), name)(*operands)


def _round_half_away(x):
    whole = np.trunc(x)
    away = np.abs(x - whole) >= 0.5
    return np.where(away, whole + np.copysign(1, x), np.copysign(whole, x)).astype(x.dtype)


def _power(x, y):
    """pow: with an integer exponent (`powi`) too, without NumPy's refusal of negative ones."""
    return np.power(x, y.astype(x.dtype))


def _bits(x):
    return x.view(f'u{x.dtype.itemsize}')


def _population(x):
    return np.bitwise_count(_bits(x)).astype(np.int32)


def _leading_zeros(x):
    bits = _bits(x).copy()
    width = 8 * x.dtype.itemsize
    for shift in (1, 2, 4, 8, 16, 32)[:width.bit_length() - 1]:
        bits |= bits >> bits.dtype.type(shift)
    return (width - np.bitwise_count(bits)).astype(np.int32)


def _find_first_set(x):
    bits = _bits(x)
    lowest = bits & (~bits + bits.dtype.type(1))
    below = np.bitwise_count(lowest - bits.dtype.type(1))
    return np.where(bits == 0, 0, below + 1).astype(np.int32)


def _reverse_bits(x):
    octets = np.ascontiguousarray(x).view(np.uint8).reshape(x.shape + (-1,))
    bits = np.unpackbits(octets, axis=-1, bitorder='little')[..., ::-1]
    return np.packbits(bits, axis=-1, bitorder='little').view(x.dtype).reshape(x.shape)


def _high_product(x, y):
    width = 8 * x.dtype.itemsize
    exact = x.astype(object) * y.astype(object)
    return (exact // 2 ** width).astype(x.dtype)


def saturate(x, dtype):
    """x rounded toward zero to an integer type the way cvt.rzi does: clamped.

    NaN becomes 0, or half the range where either side has 64 bits (PTX ISA, cvt).
    """
    limits = np.iinfo(dtype)
    wide = x.dtype == np.float64 or limits.bits == 64
    not_a_number = (limits.min or 1 << (limits.bits - 1)) if wide else 0
    exact = np.trunc(np.asarray(x, np.float64))
    above, below = exact >= float(limits.max), exact < limits.min
    result = np.where(above | below | np.isnan(exact), 0, exact).astype(dtype)
    result[above], result[below], result[np.isnan(exact)] = limits.max, limits.min, not_a_number
    return result


def _fused(x, y, z):
    """x*y + z rounded once: exact for float32, where float64 holds the product."""
    wide = np.float64 if x.dtype == np.float32 else np.longdouble
    return (x.astype(wide) * y + z).astype(x.dtype)


def _logb(x):
    exponent = np.where(np.isinf(x), np.inf, np.frexp(x)[1] - 1.0)
    return np.where(x == 0, -np.inf, exponent).astype(x.dtype)


_ROUNDINGS = {'rn': np.rint, 'rz': np.trunc, 'rd': np.floor, 'ru': np.ceil}
_INTEGERS = {'int': np.int32, 'uint': np.uint32, 'll': np.int64, 'ull': np.uint64}
_FLOATS = {'float': np.float32, 'double': np.float64}


def _conversions():
    """float2int_rn and its relatives.

    Conversions to floating point round to nearest whatever is asked.
    """
    table = {}
    for mode, rounding in _ROUNDINGS.items():
        for source in _FLOATS:
            for name, dtype in _INTEGERS.items():
                table[f'{source}2{name}_{mode}'] = lambda x, r=rounding, d=dtype: saturate(r(x), d)
        for name in _INTEGERS:
            for target, dtype in _FLOATS.items():
                table[f'{name}2{target}_{mode}'] = lambda x, d=dtype: x.astype(d)
        table[f'double2float_{mode}'] = lambda x: x.astype(np.float32)
    return table


def _rounded_arithmetic():
    """fadd_rn, dadd_rz, ...: NumPy rounds to nearest; the other modes differ in the last bit and do
    so here too.
    """
    table = {}
    for mode in _ROUNDINGS:
        for letter in 'fd':
            table.update({
                f'{letter}add_{mode}': np.add, f'{letter}sub_{mode}': np.subtract,
                f'{letter}mul_{mode}': np.multiply, f'{letter}div_{mode}': np.divide,
                f'{letter}rcp_{mode}': np.reciprocal, f'{letter}sqrt_{mode}': np.sqrt,
            })
        table[f'fma_{mode}'] = table[f'fmaf_{mode}'] = _fused
    return table


_NUMPY = ('ceil floor trunc rint sqrt exp exp2 log log2 log10 log1p expm1 sin cos tan sinh cosh '
          'tanh cbrt fabs hypot copysign nextafter signbit isnan isinf fmod abs ldexp').split()

FUNCTIONS = {
    **{name: getattr(np, name) for name in _NUMPY},
    **_conversions(),
    **_rounded_arithmetic(),
    'asin': np.arcsin, 'acos': np.arccos, 'atan': np.arctan, 'atan2': np.arctan2,
    'asinh': np.arcsinh, 'acosh': np.arccosh, 'atanh': np.arctanh,
    'llabs': np.abs, 'nearbyint': np.rint, 'round': _round_half_away,
    'remainder': lambda x, y: x - y * np.rint(x / y),
    'llrint': lambda x: saturate(np.rint(x), np.int64),
    'llround': lambda x: saturate(_round_half_away(x), np.int64),
    'isfinited': np.isfinite, 'finitef': np.isfinite, 'isnand': np.isnan, 'isinfd': np.isinf,
    'signbitd': np.signbit,
    'pow': _power, 'powi': _power, 'fma': _fused, 'scalbn': np.ldexp,
    'fdim': lambda x, y: np.where(x <= y, 0, x - y), 'ilogb': lambda x: np.frexp(x)[1] - 1,
    'logb': _logb, 'rsqrt': lambda x: 1 / np.sqrt(x), 'frsqrt_rn': lambda x: 1 / np.sqrt(x),
    'rcbrt': lambda x: 1 / np.cbrt(x), 'rhypot': lambda x, y: 1 / np.hypot(x, y),
    'exp10': lambda x: np.power(x.dtype.type(10), x),
    'saturatef': lambda x: np.where(np.isnan(x), 0, np.clip(x, 0, 1)),
    'sinpi': lambda x: np.sin(x.dtype.type(np.pi) * (x - 2 * np.rint(x / 2))),
    'cospi': lambda x: np.cos(x.dtype.type(np.pi) * (x - 2 * np.rint(x / 2))),
    'norm3d': lambda x, y, z: np.hypot(np.hypot(x, y), z),
    'norm4d': lambda x, y, z, w: np.hypot(np.hypot(x, y), np.hypot(z, w)),
    'rnorm3d': lambda x, y, z: 1 / np.hypot(np.hypot(x, y), z),
    'rnorm4d': lambda x, y, z, w: 1 / np.hypot(np.hypot(x, y), np.hypot(z, w)),
    'erf': _scipy('erf'), 'erfc': _scipy('erfc'), 'erfcx': _scipy('erfcx'),
    'erfinv': _scipy('erfinv'), 'erfcinv': _scipy('erfcinv'), 'normcdf': _scipy('ndtr'),
    'normcdfinv': _scipy('ndtri'),
    'lgamma': _scipy('gammaln'), 'tgamma': _scipy('gamma'),
    'j0': _scipy('j0'), 'j1': _scipy('j1'), 'y0': _scipy('y0'), 'y1': _scipy('y1'),
    'jn': lambda n, x: _special().jn(n, x), 'yn': lambda n, x: _special().yn(n, x),
    'cyl_bessel_i0': special.bessel_i0, 'cyl_bessel_i1': special.bessel_i1,
    'fast_sinf': np.sin, 'fast_cosf': np.cos, 'fast_tanf': np.tan, 'fast_tanhf': np.tanh,
    'fast_expf': np.exp, 'fast_exp10f': lambda x: np.power(np.float32(10), x),
    'fast_logf': np.log, 'fast_log2f': np.log2,
    'fast_log10f': np.log10, 'fast_powf': _power, 'fast_fdividef': np.divide,
    'clz': _leading_zeros, 'clzll': _leading_zeros, 'popc': _population, 'popcll': _population,
    'ffs': _find_first_set, 'ffsll': _find_first_set, 'brev': _reverse_bits,
    'brevll': _reverse_bits, 'mulhi': _high_product, 'umulhi': _high_product,
    'mul64hi': _high_product, 'umul64hi': _high_product,
    'sad': lambda x, y, z: np.abs(x - y) + z,
    'usad': lambda x, y, z: np.maximum(x, y) - np.minimum(x, y) + z,
    'hadd': lambda x, y: (x & y) + ((x ^ y) >> 1), 'uhadd': lambda x, y: (x & y) + ((x ^ y) >> 1),
    'rhadd': lambda x, y: (x | y) - ((x ^ y) >> 1), 'urhadd': lambda x, y: (x | y) - ((x ^ y) >> 1),
    'int_as_float': lambda x: x.view(np.float32), 'uint_as_float': lambda x: x.view(np.float32),
    'float_as_int': lambda x: x.view(np.int32), 'float_as_uint': lambda x: x.view(np.uint32),
    'longlong_as_double': lambda x: x.view(np.float64),
    'double_as_longlong': lambda x: x.view(np.int64),
}


def function(symbol):
    """The NumPy function for a symbol of libdevice such as `__nv_tanhf`."""
    name = symbol.removeprefix('__nv_')
    found = FUNCTIONS.get(name) or (name.endswith('f') and FUNCTIONS.get(name[:-1]))
    if not found:
        raise NotImplementedError(f'the interpreter has no NumPy equivalent of {symbol}')
    return found
