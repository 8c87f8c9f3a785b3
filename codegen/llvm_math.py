"""Elementwise scalar operations as LLVM IR text, on vectors of any power-of-two width.

A `Module` collects declarations and helper functions, a `Block` straight-line instructions, and
`emit` writes one operation. Results are within 4 ulp in float32 and float64, special values as in
NumPy (`accuracy_cases` lists what is checked where). A function comes from one of three places, see
`source`:

- own polynomials (`llvm_polynomials`, `llvm_special`), inlined into the loop: needs fused multiply-add;
- glibc's libmvec, by vector name, cut into native registers: only names listed in `TRUSTED`, which
  were measured;
- scalar libm, one call per lane, in a helper function that loops over the lanes.

Register and storage representations differ: bool is i1 in registers and a byte 0/1 in memory; int4 and
uint4 are i4 in registers and the low bits of a byte in memory; float8, float16 and bfloat16 are held as
float32 in registers. `emit` doesn't round those after each operation;
`convert(block, value, 'float32', 'float16')` does.
"""
import math

import numpy as np

from . import llvm_polynomials as formulas, llvm_special
from .llvm_calls import function, outlined, source, vector_symbols  # noqa: F401
from .llvm_vectors import (BITS, Block, constant, Features, FLOATS, INTEGERS, llvm_type, Module,
                           NARROW_FLOATS, register_dtype, scalar_type, SIGNED, suffix, Vector)  # noqa: F401

# ------------------------------------------------------------------------------- dtypes in and out

def storage_type(dtype, width):
    """Type in memory: bool and what is narrower than a byte are i8, float16 and bfloat16 are i16, float8 is i8."""
    scalar = f'i{_STORED_BITS[dtype]}' if dtype in _STORED_BITS else scalar_type(dtype)
    return scalar if width == 1 else f'<{width} x {scalar}>'


_STORED_BITS = {'bool': 8, 'int4': 8, 'uint4': 8, 'float8_e4m3fn': 8, 'float8_e5m2': 8, 'float16': 16, 'bfloat16': 16}


def load_cast(block, raw, storage_dtype):
    """Storage representation -> register representation."""
    if storage_dtype == 'bool':
        return Vector(block, 'uint8', raw).differs(0).name
    if storage_dtype in ('int4', 'uint4'):
        return Vector(block, 'uint8', raw).cast('trunc', storage_dtype).name
    if storage_dtype in NARROW_FLOATS:
        return widened(Vector(block, f'uint{_STORED_BITS[storage_dtype]}', raw), storage_dtype).name
    return raw


def store_cast(block, value, storage_dtype):
    """Register representation -> storage representation. float32 is rounded to the narrow formats."""
    if storage_dtype in ('bool', 'int4', 'uint4'):
        return Vector(block, storage_dtype, value).cast('zext', 'uint8').name
    if storage_dtype in NARROW_FLOATS:
        return narrowed(Vector(block, 'float32', value), storage_dtype).name
    return value


# Formats laid out as IEEE 754's: bits, those of the mantissa, the exponent's bias, the first magnitude that is no
# finite number, the NaN. float8_e4m3fn has no infinity.
FORMATS = {'float16': (16, 10, 15, 0x7c00, 0x7e00), 'float8_e5m2': (8, 2, 15, 0x7c, 0x7e),
           'float8_e4m3fn': (8, 3, 7, 0x7f, 0x7f)}


def widened(raw, dtype):
    """Stored bits of a narrow float as float32, exactly."""
    if dtype == 'bfloat16':
        return (raw.cast('zext', 'uint32') << 16).as_float()
    if dtype == 'float16' and raw.block.module.features.f16c:
        half = f16(raw.block)
        name = raw.block.new(f'bitcast {raw.type} {raw.name} to {half}')
        return raw.new(f'fpext {half} {name} to {llvm_type("float32", raw.block.width)}', 'float32')
    width, mantissa, bias, special, _ = FORMATS[dtype]
    bits, sign = raw.cast('zext', 'uint32'), 1 << width - 1
    magnitude = bits & sign - 1
    shifted = magnitude << 23 - mantissa            # exponent still biased by less than 127
    scaled = as_unsigned(shifted.as_float() * 2.0 ** (127 - bias))
    return ((magnitude >= special).select(shifted | 0x7f800000, scaled) | ((bits & sign) << 32 - width)).as_float()


def narrowed(x, dtype):
    """float32 as stored bits of a narrow float: to nearest, ties to even; what is too large becomes infinite, or NaN
    where the format has no infinity."""
    if dtype == 'bfloat16':
        return (round_bfloat16_bits(x) >> 16).cast('trunc', 'uint16')
    if dtype == 'float16' and x.block.module.features.f16c:
        half = f16(x.block)
        name = x.new(f'fptrunc {x.type} {x.name} to {half}').name
        return x.new(f'bitcast {half} {name} to {llvm_type("uint16", x.block.width)}', 'uint16')
    width, mantissa, bias, special, nan = FORMATS[dtype]
    size, dropped = x.abs(), 23 - mantissa
    bits = as_unsigned(size)
    normal = ((bits + ((1 << dropped - 1) - 1) + (bits >> dropped & 1)) >> dropped) - ((127 - bias) << mantissa)
    shifter = size.like(2.0 ** (dropped + 1 - bias))        # its last bit is the spacing of subnormal numbers
    subnormal = as_unsigned(size + shifter) - as_unsigned(shifter)
    magnitude = (size < 2.0 ** (1 - bias)).select(subnormal, normal).smaller(special)
    magnitude = x.is_nan().select(nan, magnitude)
    return (magnitude | (as_unsigned(x) >> 32 - width & 1 << width - 1)).cast('trunc', f'uint{width}')


def f16(block):
    """LLVM's type of float16, in registers."""
    return 'half' if block.width == 1 else f'<{block.width} x half>'


def as_unsigned(x):
    """A float's bits as an unsigned integer."""
    return Vector(x.block, f'uint{x.bits}', x.as_bits().name)


def round_bfloat16_bits(x):
    bits = Vector(x.block, 'uint32', x.as_bits().name)
    rounded = bits + 0x7fff + (bits >> 16 & 1)
    return x.is_nan().select(bits | 0x400000, rounded)


def round_to_narrow(x, dtype):
    """A float32 to the nearest value of a narrower float, kept as float32."""
    if dtype == 'bfloat16':
        return (round_bfloat16_bits(x) & 0xffff0000).as_float()
    return widened(narrowed(x, dtype), dtype)


def round_to_odd(x):
    """float64 to float32, last bit set where inexact: rounding again to fewer bits is right."""
    narrow = x.narrow()
    back = narrow.widen()
    inexact = (back < x) | (back > x)
    away = back.abs() > x.abs()
    bits = narrow.as_bits()
    down = away.select(bits - 1, bits) | 1
    return inexact.select(down, bits).as_float()


def int_to_float64_sticky(x):
    """64-bit integer to float64, the lower bits merged into one as `round_to_odd` does."""
    sticky = (x & 0xffff).differs(0).cast('zext', x.dtype) << 15
    small = (x & -0x100000000).equals(0) if not x.is_signed else (x.abs() >> 32).equals(0)
    merged = small.select(x, (x & -0x10000) | sticky)
    return merged.cast('sitofp' if x.is_signed else 'uitofp', 'float64')


def convert(block, value, from_dtype, to_dtype):
    """NumPy's astype on register values, except that float -> int saturates and NaN gives 0."""
    x = Vector(block, register_dtype(from_dtype), value)
    if from_dtype == to_dtype:
        return value
    if to_dtype == 'bool':
        return x.differs(0).name
    if to_dtype in INTEGERS:
        return to_integer(x, to_dtype).name
    if to_dtype in NARROW_FLOATS:
        return round_to_narrow(to_float32_once(x, to_dtype), to_dtype).name
    return to_float(x, to_dtype).name


def to_integer(x, dtype):
    if x.is_float:
        sign = 's' if dtype in SIGNED else 'u'
        width, result = x.block.width, llvm_type(dtype, x.block.width)
        name = f'llvm.fpto{sign}i.sat.{suffix(dtype, width)}.{suffix(x.dtype, width)}'
        return Vector(x.block, dtype, x.block.call(name, result, (x.type, x.name)))
    if x.bits == BITS[dtype]:
        return Vector(x.block, dtype, x.name)
    return x.cast('trunc' if x.bits > BITS[dtype] else 'sext' if x.is_signed else 'zext', dtype)


def to_float(x, dtype):
    if not x.is_float:
        return x.cast('sitofp' if x.is_signed else 'uitofp', dtype)
    if x.dtype == dtype:
        return x
    return x.widen() if dtype == 'float64' else x.narrow()


def to_float32_once(x, narrow):
    """A float32 that rounds to `narrow` as x itself would."""
    if x.dtype == 'float64':
        return round_to_odd(x)
    if x.is_float or x.bits <= 16 or narrow != 'bfloat16':
        return to_float(x, 'float32')       # exact, or far beyond the largest
    return round_to_odd(int_to_float64_sticky(x) if x.bits == 64 else to_float(x, 'float64'))


# --------------------------------------------------------------------------------- rules: floats

def flagged(instruction):
    """Arithmetic that may be contracted to fused multiply-add."""
    return lambda x, y: x.binary(f'{instruction} contract', y)


def raw_bits(x, dtype):
    """Bits of the storage format as a signed integer."""
    if dtype in NARROW_FLOATS:
        return Vector(x.block, f'int{_STORED_BITS[dtype]}', store_cast(x.block, x.name, dtype))
    return x.as_bits()


def nextafter(x, y, dtype):
    """Neighbours are neighbours as integers, in the storage format."""
    block, bits = x.block, raw_bits(x, dtype)
    outward = ((x < y) & (x > 0)) | ((x > y) & (x < 0))
    moved = bits + outward.select(1, bits.like(-1))
    from_zero = (raw_bits(y, dtype) & (-1 << bits.bits - 1)) | 1
    bits = x.equals(0.0).select(from_zero, moved)
    if dtype in NARROW_FLOATS:
        result = Vector(block, x.dtype, load_cast(block, bits.name, dtype))
    else:
        result = bits.as_float()
    result = x.equals(y).select(y, result)
    return (x.is_nan() | y.is_nan()).select(x + y, result)


def select(predicate, x, y):
    return predicate.select(x, y)


def through(name):
    return lambda *operands: function(name, *operands)


COMPARISONS = {'eq': Vector.equals, 'ne': Vector.differs, 'lt': Vector.__lt__, 'le': Vector.__le__,
               'gt': Vector.__gt__, 'ge': Vector.__ge__, 'select': select}

# Functions that libm has under the same name.
LIBM_FUNCTIONS = ('cbrt exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh '
                  'tanh asinh acosh atanh erf erfc pow atan2 hypot').split()

FLOAT_RULES = {
    'neg': Vector.__neg__, 'abs': Vector.abs, 'sign': formulas.sign, 'floor': Vector.floor,
    'round': Vector.round,
    'ceil': lambda x: x.intrinsic('ceil'), 'trunc': Vector.trunc, 'sqrt': Vector.sqrt,
    'rsqrt': lambda x: 1.0 / x.sqrt(), 'reciprocal': lambda x: 1.0 / x,
    'square': lambda x: flagged('fmul')(x, x),
    'is_finite': lambda x: x.abs() < math.inf, 'is_nan': Vector.is_nan,
    'is_inf': lambda x: x.abs().equals(math.inf), 'signbit': lambda x: x.as_bits() < 0,
    'add': flagged('fadd'), 'sub': flagged('fsub'), 'mul': flagged('fmul'), 'div': flagged('fdiv'),
    'max': formulas.maximum, 'min': formulas.minimum, 'fmax': lambda x, y: x.intrinsic('maxnum', y),
    'fmin': lambda x, y: x.intrinsic('minnum', y), 'rem': through('fmod'),
    'floor_divide': formulas.float_floor_divide,
    'remainder': lambda x, y: formulas.float_divmod(x, y)[1],
    'safe_mul': lambda t, d: t.equals(0.0).select(0.0, flagged('fmul')(t, d)),
    'copysign': Vector.copysign,
    'integer_pow': formulas.integer_pow, 'fma': Vector.fma, 'nextafter': nextafter,
    **{name: through(name) for name in LIBM_FUNCTIONS}, **formulas.COMPOSED,
    **{name: outlined(name, formula) for name, formula in {**formulas.LONG, **llvm_special.LONG}.items()},
    **COMPARISONS,
}


# ------------------------------------------------------------------------- rules: integers and bool

INTEGER_RULES = {
    'neg': Vector.__neg__, 'abs': lambda x: x.abs() if x.is_signed else x, 'sign': formulas.sign,
    'add': Vector.__add__, 'sub': Vector.__sub__, 'mul': Vector.__mul__,
    'floor_divide': formulas.integer_floor_divide,
    'remainder': formulas.integer_remainder, 'rem': formulas.integer_rem, 'max': formulas.maximum,
    'min': formulas.minimum, 'and': Vector.__and__,
    'or': Vector.__or__, 'xor': Vector.__xor__, 'not': Vector.__invert__,
    'shift_left': formulas.shift_left,
    'shift_right_logical': formulas.shift_right_logical,
    'shift_right_arithmetic': formulas.shift_right_arithmetic,
    'population_count': lambda x: x.intrinsic('ctpop'), 'clz': formulas.count_leading_zeros,
    'integer_pow': formulas.integer_pow,
    'square': lambda x: x * x, **COMPARISONS,
}

BOOL_RULES = {
    'and': Vector.__and__, 'or': Vector.__or__, 'xor': Vector.__xor__, 'not': Vector.__invert__,
    'add': Vector.__or__, 'mul': Vector.__and__, 'max': Vector.__or__, 'min': Vector.__and__,
    **COMPARISONS,
}


def rules(dtype):
    if dtype == 'bool':
        return BOOL_RULES
    if dtype in INTEGERS:
        words = {f.__name__: f for f in (formulas.threefry2x32, formulas.philox4x32)}
        return {**INTEGER_RULES, **(words if dtype == 'uint32' else {})}
    return FLOAT_RULES


RULES = {dtype: rules(dtype) for dtype in ('bool', *INTEGERS, *FLOATS, *NARROW_FLOATS)}
OPS = {op: {dtype for dtype in RULES if op in RULES[dtype]} for table in RULES.values()
       for op in table}


def supports(op, dtype):
    return op in RULES.get(dtype, ())


def emit(block, op, dtype, operands, **params):
    """Write one operation on register values; returns the result's name (threefry2x32 and philox4x32: all words).

    Comparisons and is_* give i1, everything else `dtype`; narrow floats stay unrounded.
    """
    kinds = [register_dtype(dtype)] * len(operands)
    if op == 'select':
        kinds[0] = 'bool'
    if op == 'nextafter':
        params['dtype'] = dtype
    vectors = (Vector(block, kind, name) for kind, name in zip(kinds, operands))
    result = RULES[dtype][op](*vectors, **params)
    return tuple(r.name for r in result) if isinstance(result, tuple) else result.name


# ----------------------------------------------------------------------------------------- accuracy

# Ranges from which arguments are drawn evenly, by operation; None: all bit patterns.
ACCURACY_RANGES = {
    'sqrt rsqrt cbrt reciprocal': [None, (0, 3), (0, 1e4)],
    'log log2 log10 lgamma digamma': [None, (0, 3), (0.9, 1.1), (0, 1e4)],
    'gamma': [None, (0, 3), (-5, 15), (-180, 172)], 'ndtri': [None, (0, 1), (0, 1e-3)],
    'bessel_i0e bessel_i1e bessel_i0 bessel_i1': [None, (-1, 1), (-20, 20)],
    'exp exp2 expm1 sinh cosh logistic': [None, (-1, 1), (-20, 20), (-104, 90), (-750, 750)],
    'sin cos tan': [None, (-4, 4), (-200, 200), (-1e5, 1e5), (-1e9, 1e9)],
    'tanh asinh atan erf erfc': [None, (-1, 1), (-10, 10), (-30, 30)],
    'asin acos atanh erf_inv': [None, (-1, 1), (0.9, 1), (-1e-3, 1e-3)],
    'acosh': [None, (1, 1.1), (1, 30)], 'log1p': [None, (-1, 1), (-1e-3, 1e-3), (0, 1e4)],
}
ACCURACY_RANGES_2 = {
    'pow': [(None, None), ((0, 4), (-20, 20)), ((0.99, 1.01), (-3e3, 3e3)), ((0, 1e4), (-3, 3))],
    'atan2 hypot div': [(None, None), ((-10, 10), (-10, 10)), ((-1e-3, 1e-3), (-1e3, 1e3))],
    'logaddexp': [((-10, 10), (-10, 10)), ((-1e3, 1e3), (-1e3, 1e3))],
    'gate': [((-10, 10), (-10, 10)), ((-120, 120), (-120, 120)), ((-1e3, 1e3), (-760, 760))],
    'rem remainder floor_divide': [(None, None), ((-10, 10), (-3, 3)), ((-1e9, 1e9), (-1, 1))],
}


def accuracy_cases():
    """(op, dtype, boxes): a box has one range per operand, see `sample`."""
    unary = [(op, [(one,) for one in ranges])
             for ops, ranges in ACCURACY_RANGES.items() for op in ops.split()]
    binary = [(op, boxes) for ops, boxes in ACCURACY_RANGES_2.items() for op in ops.split()]
    return [(op, dtype, boxes) for op, boxes in unary + binary for dtype in FLOATS]


def sample(dtype, interval, size, random):
    """`size` arguments from a range of `accuracy_cases` by a numpy Generator."""
    dtype = np.dtype(dtype)
    if interval is None:
        return random.integers(0, 1 << 8 * dtype.itemsize, size, f'u{dtype.itemsize}').view(dtype)
    return random.uniform(*interval, size).astype(dtype)
