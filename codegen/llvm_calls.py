"""Where a function comes from, and how it is called: own formulas, glibc's vector functions, scalar libm.

`source` says which it is for an operation, a dtype and a width; `function` writes it.
"""
from . import llvm_polynomials as formulas
from .llvm_vectors import BITS, Block, by_pieces, FLOATS, native_lanes, pure_declaration, scalar_type, Vector

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
