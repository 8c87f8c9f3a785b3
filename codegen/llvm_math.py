"""Elementwise scalar operations as LLVM IR text, on vectors of any power-of-two width.

A `Module` collects declarations and helper functions, a `Block` straight-line instructions, and
`emit` writes one operation. Results are within 4 ulp in float32 and float64, special values as in
NumPy (`accuracy_cases` lists what is checked where). A function comes from one of three places, see
`source`:

- own polynomials (`llvm_polynomials`, `llvm_special`), inlined into the loop: needs fused multiply-add;
- glibc's libmvec, by vector name, cut into native registers: only names listed in `TRUSTED`, which
  were measured;
- scalar libm, one call per lane, in a helper function that loops over the lanes.

Register and storage representations differ for three dtypes: bool is i1 in registers and a byte 0/1
in memory; float16 and bfloat16 are held as float32 in registers. `emit` doesn't round those after
each operation; `convert(block, value, 'float32', 'float16')` does.
"""
import math
from dataclasses import dataclass, field

import numpy as np

from lazy.codegen import llvm_polynomials as formulas, llvm_special

FLOATS = ('float32', 'float64')
HALVES = ('float16', 'bfloat16')
SIGNED = ('int8', 'int16', 'int32', 'int64')
UNSIGNED = ('uint8', 'uint16', 'uint32', 'uint64')
INTEGERS = SIGNED + UNSIGNED
BITS = {'bool': 1, 'float16': 32, 'bfloat16': 32, 'float32': 32, 'float64': 64,
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
    return 'float32' if dtype in HALVES else dtype


def scalar_type(dtype):
    dtype = register_dtype(dtype)
    return {'float32': 'float', 'float64': 'double'}.get(dtype) or f'i{BITS[dtype]}'


def llvm_type(dtype, width):
    """Register type: ('float32', 16) -> '<16 x float>', ('float32', 1) -> 'float'."""
    return scalar_type(dtype) if width == 1 else f'<{width} x {scalar_type(dtype)}>'


def suffix(dtype, width):
    """The type as it is spelled in names of intrinsics: 'v16f32', 'f32', 'v8i64'."""
    letter = 'f' if dtype in FLOATS or dtype in HALVES else 'i'
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

    def to_int(self):
        """To the signed integer of the same size; the value must be in range."""
        return self.cast('fptosi', f'int{self.bits}')

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


# -------------------------------------------------------------------------------- library functions

# aarch64 has one too ('_ZGVnN', 128 bits), not listed because nobody has measured it.
VECTOR_CLASSES = {'x86_64': ((512, '_ZGVeN'), (256, '_ZGVdN'), (128, '_ZGVbN'))}

# libmvec functions measured to be within 4 ulp and right at special values, see
# tests/codegen/test_llvm_math.py.
TRUSTED = {(op, dtype) for dtype in FLOATS for op in (
    'acos acosh asin asinh atan atanh cbrt cos cosh erf erfc exp exp2 expm1 log log10 log1p log2 '
    'sin sinh tan tanh atan2 hypot pow').split()}


LIBMVEC_ARITY = {'atan2': 2, 'hypot': 2, 'pow': 2}


def vector_symbols(arch):
    """All names of libmvec that could be used: look these up to fill `Features.libmvec`."""
    return [f'{prefix}{size // BITS[dtype]}{"v" * LIBMVEC_ARITY.get(op, 1)}_{libm_name(op, dtype)}'
            for size, prefix in VECTOR_CLASSES.get(arch, ()) for op, dtype in sorted(TRUSTED)]


def libm_name(op, dtype):
    return op + ('f' if dtype == 'float32' else '')


def vector_symbol(features, op, dtype, width, arity):
    """(symbol, lanes) of the widest libmvec variant that `width` lanes can use, or None."""
    bits = BITS[dtype]
    for size, prefix in VECTOR_CLASSES.get(features.arch, ()):
        lanes = size // bits
        symbol = f'{prefix}{lanes}{"v" * arity}_{libm_name(op, dtype)}'
        fits = size <= features.width_bits and (lanes <= width or size == 128)
        if fits and symbol in features.libmvec:
            return symbol, lanes


def source(op, dtype, features, width, arity=1):
    """Where a function of libm's comes from here: 'own', 'libmvec' or 'libm'."""
    own = features.fma and (op, dtype) in formulas.OWN
    if own and (op, dtype) not in formulas.SLOWER:
        return 'own'
    if width > 1 and (op, dtype) in TRUSTED and vector_symbol(features, op, dtype, width, arity):
        return 'libmvec'
    return 'own' if own else 'libm'


def function(op, *operands):
    """A transcendental function from the place that `source` says."""
    x = operands[0]
    block, features = x.block, x.block.module.features
    place = source(op, x.dtype, features, block.width, len(operands))
    if place == 'own':
        return own(op, *operands)
    if place == 'libmvec':
        symbol, lanes = vector_symbol(features, op, x.dtype, block.width, len(operands))
        return by_pieces(block, lanes, lambda *xs: library_call(symbol, *xs), *operands)
    return by_lanes(libm_name(op, x.dtype), *operands)


def library_call(symbol, *operands):
    x = operands[0]
    name = x.block.call(symbol, x.type, *((o.type, o.name) for o in operands))
    return Vector(x.block, x.dtype, name)


def by_lanes(symbol, *operands):
    """A scalar function of libm on every lane, by a loop in a helper function of native width."""
    x = operands[0]
    if x.block.width == 1:
        return library_call(symbol, *operands)
    lanes = native_lanes(x.block, x.dtype)
    return by_pieces(x.block, lanes, lambda *xs: lane_loop(symbol, *xs), *operands)


LANE_LOOP = '''{signature} {{
entry:
  br label %lane
lane:
  %i = phi i32 [ 0, %entry ], [ %next, %lane ]
  %done = phi {vector} [ poison, %entry ], [ %result, %lane ]
{extracts}
  %value = call {scalar} @{symbol}({arguments})
  %result = insertelement {vector} %done, {scalar} %value, i32 %i
  %next = add i32 %i, 1
  %more = icmp ult i32 %next, {width}
  br i1 %more, label %lane, label %exit
exit:
  ret {vector} %result
}}'''


def lane_loop(symbol, *operands):
    x, block, count = operands[0], operands[0].block, range(len(operands))
    if block.width == 1:
        return library_call(symbol, *operands)
    scalar, name = scalar_type(x.dtype), f'lanes.{symbol}.{block.width}'
    block.module.declare(pure_declaration(symbol, scalar, [scalar for _ in count]))
    block.module.define(name, LANE_LOOP.format(
        signature=signature(name, 'noinline', *operands),
        vector=x.type, scalar=scalar, symbol=symbol, width=block.width,
        extracts='\n'.join(f'  %e{k} = extractelement {x.type} %x{k}, i32 %i' for k in count),
        arguments=', '.join(f'{scalar} %e{k}' for k in count)))
    return library_call(name, *operands)


def own(op, *operands):
    """An own polynomial; where it has a bound, lanes beyond it take libm's value."""
    x = operands[0]
    formula, outside = formulas.OWN[op, x.dtype], formulas.OUTSIDE.get((op, x.dtype))
    if outside is None:
        return formula(*operands)
    lanes = native_lanes(x.block, x.dtype)
    return by_pieces(x.block, lanes, lambda *xs: guarded(op, formula, outside, *xs), *operands)


def signature(name, attributes, *operands):
    x = operands[0]
    parameters = ', '.join(f'{x.type} %x{k}' for k in range(len(operands)))
    return (f'define internal {x.type} @{name}({parameters}) '
            f'{attributes} nounwind willreturn memory(none)')


def parameters_in(block, *operands):
    return [Vector(block, x.dtype, f'%x{k}') for k, x in enumerate(operands)]


# Inlined, so that a straight-line block can hold a branch: nearly always not taken.
GUARDED = '''{signature} {{
entry:
{fast}
  br i1 {any_lane}, label %rare, label %exit, !prof !{{!"branch_weights", i32 1, i32 1000}}
rare:
{slow}
  br label %exit
exit:
  %result = phi {vector} [ {fast_value}, %entry ], [ {slow_value}, %rare ]
  ret {vector} %result
}}'''


def guarded(op, formula, outside, *operands):
    x, module, width = operands[0], operands[0].block.module, operands[0].block.width
    name = f'{op}.{x.dtype}.{width}'
    if name not in module.definitions:
        fast, slow = Block(module, width, 'f'), Block(module, width, 's')
        value = formula(*parameters_in(fast, *operands))
        mask = outside(*parameters_in(fast, *operands))
        rare = lane_loop(libm_name(op, x.dtype), *parameters_in(slow, *operands))
        mixed = Vector(slow, 'bool', mask.name).select(rare, Vector(slow, x.dtype, value.name))
        any_lane = mask.any_lane()
        module.define(name, GUARDED.format(
            signature=signature(name, 'alwaysinline', *operands), vector=x.type, any_lane=any_lane,
            fast='\n'.join(fast.lines), slow='\n'.join(slow.lines),
            fast_value=value.name, slow_value=mixed.name))
    return library_call(name, *operands)


def outlined(op, formula):
    """A long formula as a helper function of native width."""
    def rule(*operands):
        block = operands[0].block
        lanes = native_lanes(block, operands[0].dtype)
        return by_pieces(block, lanes, lambda *xs: call_formula(op, formula, *xs), *operands)
    return rule


def call_formula(op, formula, *operands):
    x, module, width = operands[0], operands[0].block.module, operands[0].block.width
    name = f'{op}.{x.dtype}.{width}'
    if name not in module.definitions:
        body = Block(module, width)
        result = formula(*parameters_in(body, *operands))
        head, lines = signature(name, 'noinline', *operands), '\n'.join(body.lines)
        module.define(name, f'{head} {{\n{lines}\n  ret {x.type} {result.name}\n}}')
    return library_call(name, *operands)


# ------------------------------------------------------------------------------- dtypes in and out

def storage_type(dtype, width):
    """Type in memory: bool is i8, float16 and bfloat16 are i16."""
    scalar = 'i8' if dtype == 'bool' else 'i16' if dtype in HALVES else scalar_type(dtype)
    return scalar if width == 1 else f'<{width} x {scalar}>'


def load_cast(block, raw, storage_dtype):
    """Storage representation -> register representation."""
    if storage_dtype == 'bool':
        return Vector(block, 'uint8', raw).differs(0).name
    if storage_dtype in HALVES:
        return half_to_float(Vector(block, 'uint16', raw), storage_dtype).name
    return raw


def store_cast(block, value, storage_dtype):
    """Register representation -> storage representation. float32 is rounded to the half formats."""
    if storage_dtype == 'bool':
        return Vector(block, 'bool', value).cast('zext', 'uint8').name
    if storage_dtype in HALVES:
        return float_to_half(Vector(block, 'float32', value), storage_dtype).name
    return value


def half_to_float(raw, dtype):
    if dtype == 'bfloat16':
        return (raw.cast('zext', 'uint32') << 16).as_float()
    width = raw.block.width
    if raw.block.module.features.f16c:
        half = 'half' if width == 1 else f'<{width} x half>'
        name = raw.block.new(f'bitcast {raw.type} {raw.name} to {half}')
        return raw.new(f'fpext {half} {name} to {llvm_type("float32", width)}', 'float32')
    bits = raw.cast('zext', 'uint32')
    shifted = (bits & 0x7fff) << 13                 # exponent still biased by 15 instead of 127
    scaled = (shifted.as_float() * 2.0 ** 112).as_bits()
    special = shifted >= 0x0f800000
    magnitude = special.select(shifted | 0x7f800000, Vector(raw.block, 'uint32', scaled.name))
    return (magnitude | ((bits & 0x8000) << 16)).as_float()


def float_to_half(x, dtype):
    if dtype == 'bfloat16':
        bits = round_bfloat16_bits(x)
        return (bits >> 16).cast('trunc', 'uint16')
    width, block = x.block.width, x.block
    if block.module.features.f16c:
        half = 'half' if width == 1 else f'<{width} x half>'
        name = x.new(f'fptrunc {x.type} {x.name} to {half}').name
        return x.new(f'bitcast {half} {name} to {llvm_type("uint16", width)}', 'uint16')
    x = round_to_half(x, dtype)
    bits = Vector(block, 'uint32', x.as_bits().name)
    magnitude = bits & 0x7fffffff
    scaled = Vector(block, 'uint32', (magnitude.as_float() * 2.0 ** -112).as_bits().name) >> 13
    special = (magnitude >> 13) & 0x3ff | 0x7c00        # NaN is quiet, hence keeps a bit
    half = (magnitude >= 0x7f800000).select(special, scaled)
    return (half | (bits >> 16 & 0x8000)).cast('trunc', 'uint16')


def round_bfloat16_bits(x):
    bits = Vector(x.block, 'uint32', x.as_bits().name)
    rounded = bits + 0x7fff + (bits >> 16 & 1)
    return x.is_nan().select(bits | 0x400000, rounded)


def round_to_half(x, dtype):
    """A float32 to the nearest value of float16 or bfloat16, kept as float32."""
    if dtype == 'bfloat16':
        return (round_bfloat16_bits(x) & 0xffff0000).as_float()
    if x.block.module.features.f16c:
        return half_to_float(float_to_half(x, dtype), dtype)
    size = x.abs()
    bits = Vector(x.block, 'uint32', size.as_bits().name)
    normal = ((bits + 0xfff + (bits >> 13 & 1)) & 0xffffe000).as_float()
    normal = (normal > 65504.0).select(math.inf, normal)
    subnormal = (size + 0.75) - 0.75                # spacing is 2**-24, that of float32 in [0.5, 1)
    result = (size < 2.0 ** -14).select(subnormal, normal)
    return x.is_nan().select(x, result.copysign(x))


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
    if to_dtype in HALVES:
        return round_to_half(to_float32_once(x, to_dtype), to_dtype).name
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


def to_float32_once(x, half):
    """A float32 that rounds to `half` as x itself would."""
    if x.dtype == 'float64':
        return round_to_odd(x)
    if x.is_float or x.bits <= 16 or half == 'float16':
        return to_float(x, 'float32')       # exact, or far beyond the largest float16
    return round_to_odd(int_to_float64_sticky(x) if x.bits == 64 else to_float(x, 'float64'))


# --------------------------------------------------------------------------------- rules: floats

def flagged(instruction):
    """Arithmetic that may be contracted to fused multiply-add."""
    return lambda x, y: x.binary(f'{instruction} contract', y)


def raw_bits(x, dtype):
    """Bits of the storage format as a signed integer."""
    if dtype in HALVES:
        return Vector(x.block, 'int16', store_cast(x.block, x.name, dtype))
    return x.as_bits()


def nextafter(x, y, dtype):
    """Neighbours are neighbours as integers, in the storage format."""
    block, bits = x.block, raw_bits(x, dtype)
    outward = ((x < y) & (x > 0)) | ((x > y) & (x < 0))
    moved = bits + outward.select(1, bits.like(-1))
    from_zero = (raw_bits(y, dtype) & (-1 << bits.bits - 1)) | 1
    bits = x.equals(0.0).select(from_zero, moved)
    if dtype in HALVES:
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


RULES = {dtype: rules(dtype) for dtype in ('bool', *INTEGERS, *FLOATS, *HALVES)}
OPS = {op: {dtype for dtype in RULES if op in RULES[dtype]} for table in RULES.values()
       for op in table}


def supports(op, dtype):
    return op in RULES.get(dtype, ())


def emit(block, op, dtype, operands, **params):
    """Write one operation on register values; returns the result's name (threefry2x32 and philox4x32: all words).

    Comparisons and is_* give i1, everything else `dtype`; float16 and bfloat16 stay unrounded.
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
