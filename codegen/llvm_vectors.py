"""Vectors of LLVM IR text in the making: modules, blocks, types and constants, and values with operators.

Registers hold bool as i1, floats narrower than float32 as float32, int4 and uint4 as i4. Operations work on any
power-of-two width; what the machine has registers for is cut from it, see `by_pieces`.
"""
import math
from dataclasses import dataclass, field

import numpy as np

FLOATS = ('float32', 'float64')
NARROW_FLOATS = ('float8_e4m3fn', 'float8_e5m2', 'bfloat16', 'float16')
SIGNED = ('int4', 'int8', 'int16', 'int32', 'int64')
UNSIGNED = ('uint4', 'uint8', 'uint16', 'uint32', 'uint64')
INTEGERS = SIGNED + UNSIGNED
BITS = {'bool': 1, **dict.fromkeys(NARROW_FLOATS, 32), 'float32': 32, 'float64': 64,
        **{name: int(name.lstrip('uint')) for name in INTEGERS}}


# --------------------------------------------------------------------------------------------- text

@dataclass(frozen=True)
class Features:
    """What the target offers. `f16c`: conversion between half and float in hardware."""
    width_bits: int = 128
    fma: bool = False
    f16c: bool = False
    libmvec: frozenset = field(default_factory=frozenset)
    arch: str = 'x86_64'


class Module:
    """Declarations and helper functions of one LLVM module, each once."""

    def __init__(self, features):
        self.features, self.declarations, self.definitions = features, {}, {}

    def declare(self, text):
        """The first declaration of a name stands."""
        self.declarations.setdefault(text[text.index('@'):text.index('(', text.index('@'))], text)

    def define(self, name, text):
        self.definitions.setdefault(name, text)

    def text(self):
        return '\n'.join([*self.declarations.values(), *self.definitions.values()]) + '\n'


class Block:
    """Straight-line instructions on `width` lanes; `prefix` keeps names of two blocks apart."""

    def __init__(self, module, width, prefix=''):
        self.module, self.width, self.prefix, self.lines, self.count = module, width, prefix, [], 0

    def line(self, text):
        self.lines.append(text)

    def new(self, rhs):
        self.count += 1
        name = f'%{self.prefix}v{self.count}'
        self.lines.append(f'  {name} = {rhs}')
        return name

    def call(self, function, result, *operands):
        """Call a pure `function` with (type, value) operands; declares it."""
        if function not in self.module.definitions:
            types = [kind for kind, _ in operands]
            self.module.declare(pure_declaration(function, result, types))
        arguments = ', '.join(f'{kind} {value}' for kind, value in operands)
        return self.new(f'call {result} @{function}({arguments})')


def pure_declaration(function, result, types):
    """Calls may be reordered, merged and dropped. LLVM knows its intrinsics itself."""
    attributes = '' if function.startswith('llvm.') else ' nounwind willreturn memory(none)'
    return f'declare {result} @{function}({", ".join(types)}){attributes}'


def register_dtype(dtype):
    return 'float32' if dtype in NARROW_FLOATS else dtype


def scalar_type(dtype):
    dtype = register_dtype(dtype)
    return {'float32': 'float', 'float64': 'double'}.get(dtype) or f'i{BITS[dtype]}'


def llvm_type(dtype, width):
    """Register type: ('float32', 16) -> '<16 x float>', ('float32', 1) -> 'float'."""
    return scalar_type(dtype) if width == 1 else f'<{width} x {scalar_type(dtype)}>'


def suffix(dtype, width):
    """The type as it is spelled in names of intrinsics: 'v16f32', 'f32', 'v8i64'."""
    letter = 'f' if dtype in FLOATS or dtype in NARROW_FLOATS else 'i'
    return ('' if width == 1 else f'v{width}') + f'{letter}{BITS[dtype]}'


def literal(dtype, value):
    """LLVM spells floats as the hexadecimal of the double of the same value."""
    if dtype == 'bool':
        return 'true' if value else 'false'
    if dtype in INTEGERS:
        bits = BITS[dtype]
        return str((int(value) + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1))
    with np.errstate(over='ignore'):
        value = np.float64(value if dtype == 'float64' else np.float32(value))
    return f'0x{value.view(np.uint64):016X}'


def constant(dtype, width, value):
    """Operand text of a literal, a splat for width > 1."""
    text = literal(register_dtype(dtype), value)
    return text if width == 1 else f'splat ({scalar_type(dtype)} {text})'


# ------------------------------------------------------------------------------------------ vectors

class Vector:
    """A named value of a block with operators, so that formulas read as formulas.

    Python numbers stand for constants of the same dtype. Comparisons give masks, and
    `mask.select(x, y)` chooses. No fast-math flags: formulas count on the rounding they write.
    """
    __slots__ = ('block', 'dtype', 'name')

    def __init__(self, block, dtype, name):
        self.block, self.dtype, self.name = block, dtype, name

    @property
    def type(self):
        return llvm_type(self.dtype, self.block.width)

    @property
    def bits(self):
        return BITS[self.dtype]

    @property
    def is_float(self):
        return self.dtype in FLOATS

    @property
    def is_signed(self):
        return self.dtype in SIGNED

    @property
    def is_constant(self):
        return not self.name.startswith('%')

    def like(self, value):
        """`value` as a vector of this dtype."""
        if isinstance(value, Vector):
            return value
        return Vector(self.block, self.dtype, constant(self.dtype, self.block.width, value))

    def new(self, rhs, dtype=None):
        return Vector(self.block, dtype or self.dtype, self.block.new(rhs))

    def binary(self, instruction, other):
        return self.new(f'{instruction} {self.type} {self.name}, {self.like(other).name}')

    def intrinsic(self, name, *others, extra=()):
        values = [self, *map(self.like, others)]
        operands = [*((x.type, x.name) for x in values), *extra]
        function = f'llvm.{name}.{suffix(self.dtype, self.block.width)}'
        return Vector(self.block, self.dtype, self.block.call(function, self.type, *operands))

    def compare(self, predicate, other):
        instruction = 'fcmp' if self.is_float else 'icmp'
        operands = f'{self.type} {self.name}, {self.like(other).name}'
        return self.new(f'{instruction} {predicate} {operands}', 'bool')

    def ordered(self, predicate, other):
        kind = 'o' if self.is_float else 's' if self.is_signed else 'u'
        return self.compare(kind + predicate, other)

    def __add__(self, other):
        return self.binary('fadd' if self.is_float else 'add', other)

    def __sub__(self, other):
        return self.binary('fsub' if self.is_float else 'sub', other)

    def __mul__(self, other):
        return self.binary('fmul' if self.is_float else 'mul', other)

    def __truediv__(self, other):
        return self.binary('fdiv', other)

    def __rsub__(self, other):
        return self.like(other) - self

    def __rtruediv__(self, other):
        return self.like(other) / self

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self):
        return self.new(f'fneg {self.type} {self.name}') if self.is_float else self.like(0) - self

    def __and__(self, other):
        return self.binary('and', other)

    def __or__(self, other):
        return self.binary('or', other)

    def __xor__(self, other):
        return self.binary('xor', other)

    def __invert__(self):
        return self ^ (True if self.dtype == 'bool' else -1)

    def __lshift__(self, other):
        return self.binary('shl', other)

    def __rshift__(self, other):
        return self.binary('ashr' if self.is_signed else 'lshr', other)

    def __lt__(self, other):
        return self.ordered('lt', other)

    def __le__(self, other):
        return self.ordered('le', other)

    def __gt__(self, other):
        return self.ordered('gt', other)

    def __ge__(self, other):
        return self.ordered('ge', other)

    def equals(self, other):
        return self.compare('oeq' if self.is_float else 'eq', other)

    def differs(self, other):
        return self.compare('une' if self.is_float else 'ne', other)

    def is_nan(self):
        return self.compare('uno', self)

    def select(self, x, y):
        """Where this mask is set x, else y; one of them may be a Python number."""
        x = y.like(x) if isinstance(y, Vector) else x
        y = x.like(y)
        return x.new(f'select {self.type} {self.name}, {x.type} {x.name}, {y.type} {y.name}')

    def any_lane(self):
        """Name of an i1: whether this mask is set anywhere."""
        if self.block.width == 1:
            return self.name
        function = f'llvm.vector.reduce.or.v{self.block.width}i1'
        return self.block.call(function, 'i1', (self.type, self.name))

    def fma(self, factor, addend):
        """self * factor + addend, one rounding."""
        return self.intrinsic('fma', factor, addend)

    def abs(self):
        if self.is_float:
            return self.intrinsic('fabs')
        return self.intrinsic('abs', extra=[('i1', 'false')])

    def copysign(self, sign):
        return self.intrinsic('copysign', sign)

    def sqrt(self):
        return self.intrinsic('sqrt')

    def round(self):
        """To nearest integer, half to even, as a float."""
        return self.intrinsic('rint')

    def floor(self):
        return self.intrinsic('floor')

    def trunc(self):
        return self.intrinsic('trunc')

    def larger(self, other):
        """The larger; `other` where either is NaN (one instruction on x86)."""
        other = self.like(other)
        return (self > other).select(self, other)

    def smaller(self, other):
        other = self.like(other)
        return (self < other).select(self, other)

    def call(self, op, *others):
        """A transcendental function, wherever it comes from."""
        from .llvm_calls import function
        return function(op, self, *map(self.like, others))

    def cast(self, instruction, dtype):
        target = llvm_type(dtype, self.block.width)
        return self.new(f'{instruction} {self.type} {self.name} to {target}', dtype)

    def as_bits(self):
        """The float's bits as a signed integer."""
        return self.cast('bitcast', f'int{self.bits}')

    def as_float(self):
        return self.cast('bitcast', f'float{self.bits}')

    def has_table(self):
        """Whether `pick` is one instruction for integers of this size."""
        return self.bits == 32 and has_avx512(self)

    def pick(self, table):
        """table[i] for a table of 16 float32 and i the low four bits of each lane."""
        return by_pieces(self.block, 16, lambda i: permute(table, i), self)

    def to_float(self):
        return self.cast('sitofp', f'float{self.bits}')

    def widen(self):
        return self.cast('fpext', 'float64')

    def narrow(self):
        return self.cast('fptrunc', 'float32')

    def scale(self, n):
        """self * 2**n for integral floats |n| < 2**11, rounded once, also to subnormal numbers."""
        if has_avx512(self):
            return by_pieces(self.block, 512 // self.bits, scalef, self, n)
        half = (n * 0.5).round()
        return self * power_of_two(half) * power_of_two(n - half)

    def exp2_integral(self):
        """2**self for an integral float that gives neither subnormal numbers nor infinity."""
        return self.like(1.0).scale(self) if has_avx512(self) else power_of_two(self)

    def split(self):
        """(m, e), self = m * 2**e, 3/4 <= m < 3/2; e is the logarithm where that isn't finite."""
        if has_avx512(self):
            lanes = 512 // self.bits
            return tuple(by_pieces(self.block, lanes, part, self) for part in (getmant, getexp))
        m, e = split_normal(self)
        special = self.equals(0.0).select(-math.inf, (self < 0.0).select(math.nan, self))
        return m, ((self > 0.0) & (self < math.inf)).select(e, special)


FORMAT = {'float32': (23, 127), 'float64': (52, 1023)}          # bits of mantissa, bias of exponent


# Small integers become floats and back through the low bits of these: AVX2 can't convert 64 bits.
SHIFTER = {'float32': 1.5 * 2.0 ** 23, 'float64': 1.5 * 2.0 ** 52}


def power_of_two(n):
    mantissa, bias = FORMAT[n.dtype]
    return ((n + (SHIFTER[n.dtype] + bias)).as_bits() << mantissa).as_float()


def split_normal(x):
    """m and e of positive finite x."""
    mantissa, bias = FORMAT[x.dtype]
    three_quarters = (bias << mantissa) - (1 << mantissa - 1)
    subnormal = x < 2.0 ** (1 - bias)
    bits = subnormal.select(x * 2.0 ** mantissa, x).as_bits()
    offset = 1 << x.bits - 1        # keeps the difference positive: no arithmetic shift needed
    difference = bits + (offset - three_quarters)
    m = ((difference & ((1 << mantissa) - 1)) + three_quarters).as_float()
    shifter = x.like(SHIFTER[x.dtype])
    exponent = (difference.binary('lshr', mantissa) | shifter.as_bits()).as_float()
    shift = shifter + float(offset >> mantissa)
    return m, exponent - subnormal.select(shift + float(mantissa), shift)


def has_avx512(x):
    arch, width = x.block.module.features.arch, x.block.module.features.width_bits
    return arch == 'x86_64' and width >= 512 and x.block.width * x.bits >= 512


def avx512(name, x, *operands):
    """An intrinsic of the form name(operands, passed-through, mask, rounding)."""
    block = x.block
    operands = (*operands, (x.type, 'zeroinitializer'), (f'i{block.width}', '-1'), ('i32', '4'))
    kind = 'ps' if x.bits == 32 else 'pd'
    return Vector(block, x.dtype, block.call(f'llvm.x86.avx512.mask.{name}.{kind}.512', x.type,
                                             (x.type, x.name), *operands))


def scalef(x, n):
    return avx512('scalef', x, (n.type, n.name))


def getmant(x):
    """In [3/4, 3/2), NaN for negative numbers."""
    return avx512('getmant', x, ('i32', str(3 | 3 << 2)))


def getexp(x):
    """The exponent that goes with getmant; -inf for 0."""
    return avx512('getexp', x) - avx512('getexp', getmant(x))


def permute(table, i):
    block, kind = i.block, llvm_type('float32', 16)
    values = ', '.join(f'float {literal("float32", v)}' for v in table)
    return Vector(block, 'float32', block.call('llvm.x86.avx512.permvar.sf.512', kind, (kind, f'<{values}>'),
                                               (i.type, i.name)))


# ------------------------------------------------------------------------------ pieces of registers

def shuffle(block, value, width, lanes):
    """Name of the lanes of `value` picked by index; a pair of values is one of twice the width."""
    x, y = value if isinstance(value, tuple) else (value, None)
    kind = llvm_type(x.dtype, width)
    mask = ', '.join(f'i32 {i}' for i in lanes)
    return block.new(f'shufflevector {kind} {x.name}, {kind} {y.name if y else "poison"}, '
                     f'<{len(lanes)} x i32> <{mask}>')


def by_pieces(block, lanes, function, *operands):
    """Apply `function` to pieces of `lanes` lanes: long vectors are cut, short ones repeated."""
    width = block.width
    if width == lanes:
        return function(*operands)
    block.width = lanes
    try:
        starts = range(0, width, lanes)
        results = [function(*(piece(x, width, start, lanes) for x in operands)) for start in starts]
        return join(block, results, width)
    finally:
        block.width = width


def piece(x, width, start, lanes):
    if x.is_constant:
        return x                                    # a splat reads the same at every width
    picked = [(start + i) % width for i in range(lanes)]
    return Vector(x.block, x.dtype, shuffle(x.block, x, width, picked))


def join(block, parts, width):
    """Concatenate pieces pairwise and drop lanes over `width`."""
    lanes = block.width
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2])
        parts = [Vector(block, pair[0].dtype, shuffle(block, pair, lanes, range(2 * lanes)))
                 for pair in pairs]
        lanes *= 2
    whole = parts[0]
    if width < lanes:
        return Vector(block, whole.dtype, shuffle(block, whole, lanes, range(width)))
    return whole


def native_lanes(block, dtype):
    return max(1, min(block.width, block.module.features.width_bits // BITS[dtype]))
