"""Operations on the bits of numbers, and random ones."""
import enum
import functools
import math
import operator

from ..array import as_node, wrap
from ..custom_derivatives import custom_jvp
from ..ir import build, dtypes, ops
from .operands import operands, sizes_of

_MANTISSA = {'float8_e5m2': 2, 'float16': 10, 'bfloat16': 7, 'float32': 23, 'float64': 52}


def bitcast_convert_type(operand, new_dtype):
    """The bits, read as another dtype.

    A narrower one adds an axis at the end, lowest bits first; a wider one takes that axis. Raises ValueError where the
    last axis doesn't hold as many as make one of the wider dtype, TypeError for booleans and complex numbers.

    >>> import lazy
    >>> hex(int(lazy.lax.bitcast_convert_type(lazy.numpy.array(1.0), 'uint32')))
    '0x3f800000'
    >>> lazy.lax.bitcast_convert_type(lazy.numpy.array(0x21, 'uint8'), 'uint4').tolist()
    [1, 2]
    """
    node, dtype = as_node(operand), dtypes.as_dtype(new_dtype)
    if node.aval.dtype == dtype:
        return wrap(node)
    old, new = dtypes.bits(node.aval.dtype), dtypes.bits(dtype)
    word, part = (dtypes.as_dtype(f'uint{n}') for n in (max(old, new), min(old, new)))
    bits = _bitcast(node, dtypes.as_dtype(f'uint{old}'))
    ratio, last = max(old, new) // min(old, new), len(bits.aval.shape)
    if (old, new) == (8, 4):
        return wrap(build.make(ops.unpack_nibbles, (bits,), ((*bits.aval.shape, 2), dtype)))
    if new < old:
        places = build.mul(build.iota((1,) * last + (ratio,), word, last), build.literal(new, word))
        bits = build.convert(build.apply(ops.shift_right_logical, build.expand_dims(bits, (last,)), places), part)
    elif new > old:
        if node.aval.shape[-1:] != (ratio,):
            raise ValueError(f'bitcast_convert_type: {ratio} {node.aval.dtype} make one {dtype}, and the last axis of '
                             f'shape {node.aval.shape} has to be of that size')
        if (old, new) == (4, 8):
            bits = build.make(ops.pack_nibbles, (bits,), (bits.aval.shape[:-1],))
            return wrap(_bitcast(bits, dtype))
        bits, parts = build.convert(bits, word), []
        for i in range(ratio):
            one = build.squeeze(build.slice_axis(bits, last - 1, i, i + 1), (last - 1,))
            parts.append(build.apply(ops.shift_left, one, build.literal(i * old, word)))
        bits = functools.reduce(lambda a, b: build.apply(ops.or_, a, b), parts)
    return wrap(_bitcast(bits, dtype))


def _bitcast(x, dtype):
    return x if x.aval.dtype == dtype else build.make(ops.bitcast, (x,), (dtype,))


def mulhi(x, y, /):
    """The upper half of the bits of x * y, of integers.

    >>> import lazy, lazy.numpy as np
    >>> int(lazy.lax.mulhi(np.uint32(1 << 31), np.uint32(6)))
    3
    """
    a, b = operands('mulhi', x, y)
    dtype = a.aval.dtype
    if not dtypes.is_integer(dtype):
        raise TypeError(f'mulhi takes integers, got {dtype}')
    bits, signed = dtypes.bits(dtype), dtypes.kind(dtype) == 'i'
    wide = dtypes.int64 if signed else dtypes.uint64
    shift = ops.shift_right_arithmetic if signed else ops.shift_right_logical
    high = lambda v, n: build.apply(shift, v, build.scalar_like(v, n))
    if bits < 64:
        product = build.mul(build.convert(a, wide), build.convert(b, wide))
        return wrap(build.convert(high(product, bits), dtype))
    low = lambda v: build.apply(ops.and_, v, build.scalar_like(v, 0xFFFFFFFF))     # Hacker's Delight, 8-2
    a1, a0, b1, b0 = high(a, 32), low(a), high(b, 32), low(b)
    first = build.apply(ops.shift_right_logical, build.mul(a0, b0), build.scalar_like(a, 32))
    middle = build.add(build.mul(a1, b0), first)
    cross = build.add(low(middle), build.mul(a0, b1))
    return wrap(build.add(build.add(build.mul(a1, b1), high(middle, 32)), high(cross, 32)))


def reduce_precision(operand, exponent_bits, mantissa_bits):
    """The nearest number (ties to even) with so many bits of exponent and mantissa, in the operand's dtype.

    Larger ones become infinite, numbers that are subnormal with these bits zero. The derivative is that of x.

    >>> import lazy
    >>> float(lazy.lax.reduce_precision(1.001, 8, 7))
    1.0
    """
    exponent_bits, mantissa_bits = operator.index(exponent_bits), operator.index(mantissa_bits)
    x = as_node(operand)
    if x.aval.dtype.name not in _MANTISSA:
        raise TypeError(f'reduce_precision takes floating-point numbers, got {x.aval.dtype}')
    if exponent_bits < 1 or mantissa_bits < 0:
        raise ValueError(f'reduce_precision: exponent_bits must be positive and mantissa_bits not negative, got '
                         f'{exponent_bits} and {mantissa_bits}')
    return _reduced(wrap(x), exponent_bits, mantissa_bits)


def _reduced(x, exponent_bits, mantissa_bits):
    node = as_node(x)
    dtype = node.aval.dtype
    bits, mantissa = 8 * dtype.itemsize, _MANTISSA[dtype.name]
    unsigned = dtypes.as_dtype(f'uint{bits}')
    number = lambda value: build.literal(value & (1 << bits) - 1, unsigned)
    both = lambda v, mask: build.apply(ops.and_, v, number(mask))
    word = build.make(ops.bitcast, (node,), (unsigned,))
    dropped = mantissa - mantissa_bits
    if dropped > 0:
        odd = both(build.apply(ops.shift_right_logical, word, number(dropped)), 1)
        word = build.add(word, build.add(odd, number((1 << dropped - 1) - 1)))
        word = both(word, -1 << dropped)
    width = bits - 1 - mantissa
    if exponent_bits < width:
        bias, new = (1 << width - 1) - 1, (1 << exponent_bits - 1) - 1
        infinite = (1 << width) - 1 << mantissa
        exponent, sign = both(word, infinite), both(word, 1 << bits - 1)
        too_large = build.apply(ops.gt, exponent, number(bias + new << mantissa))
        too_small = build.apply(ops.le, exponent, number(bias - new << mantissa))
        word = build.select(too_large, build.apply(ops.or_, sign, number(infinite)), word)
        word = build.select(too_small, sign, word)
    result = build.make(ops.bitcast, (word,), (dtype,))
    return wrap(build.select(build.apply(ops.is_nan, node), node, result))


_reduced = custom_jvp(_reduced, nondiff_argnums=(1, 2))
_reduced.defjvp(lambda exponent_bits, mantissa_bits, primals, tangents:
                (_reduced(primals[0], exponent_bits, mantissa_bits), tangents[0]))


# --- random bits ------------------------------------------------------------------------------------------------------

class RandomAlgorithm(enum.IntEnum):
    """How rng_bit_generator makes bits: by default with threefry."""
    RNG_DEFAULT = 0
    RNG_THREE_FRY = 1
    RNG_PHILOX = 2


def rng_bit_generator(key, shape, dtype='uint32', algorithm=RandomAlgorithm.RNG_DEFAULT, *, out_sharding=None):
    """(new key, random bits) by threefry-2x32: a key of two words and a counter of two, as uint32[4] or uint64[2].

    The bits are those of XLA's RNG_THREE_FRY. dtype: uint8, uint16, uint32 or uint64. Use lazy.random: this is for
    programs that keep the counter themselves.

    >>> import lazy, lazy.numpy as np
    >>> key, bits = lazy.lax.rng_bit_generator(np.array([0, 1, 0, 0], 'uint32'), (3,))
    >>> key.tolist(), bits.dtype.name
    ([0, 1, 2, 0], 'uint32')
    """
    state, shape, dtype = as_node(key), sizes_of(shape), dtypes.as_dtype(dtype)
    if RandomAlgorithm(algorithm) is RandomAlgorithm.RNG_PHILOX:
        raise NotImplementedError('rng_bit_generator: only threefry is there')
    if (state.aval.dtype, state.aval.shape) not in ((dtypes.uint32, (4,)), (dtypes.uint64, (2,))):
        raise TypeError(f'rng_bit_generator: the key must be uint32[4] or uint64[2], got {state.aval}')
    if dtypes.kind(dtype) != 'u':
        raise TypeError(f'rng_bit_generator makes unsigned integers, got {dtype}')
    words = state.aval.dtype == dtypes.uint32
    take = lambda i: build.reshape(build.slice_axis(state, 0, i, i + 1), ())
    join = lambda low, high: build.apply(ops.or_, _wide(low), build.apply(
        ops.shift_left, _wide(high), build.literal(32, dtypes.uint64)))
    cut = lambda v: (build.convert(v, dtypes.uint32), build.convert(build.apply(
        ops.shift_right_logical, v, build.literal(32, dtypes.uint64)), dtypes.uint32))
    seed = (take(0), take(1)) if words else cut(take(0))
    counter = join(take(2), take(3)) if words else take(1)
    half, axis = list(shape), next((a for a, n in enumerate(shape) if n % 2 == 0), 0)
    if dtype != dtypes.uint64 and shape:                             # both words of a result stand side by side
        half[axis] = -(-half[axis] // 2)
    count = math.prod(half)
    place = build.reshape(build.add(build.iota((count,), dtypes.uint64), counter), half)
    found = [build.make(ops.threefry2x32, (*seed, *cut(place)), (word,)) for word in (0, 1)]
    if dtype == dtypes.uint64 or not shape:
        bits = join(*found) if dtype == dtypes.uint64 else build.convert(found[0], dtype)
    else:
        bits = build.concatenate([build.expand_dims(x, (axis + 1,)) for x in found], axis + 1)
        bits = build.reshape(bits, [2 * n if a == axis else n for a, n in enumerate(half)])
        bits = build.convert(build.slice_axis(bits, axis, 0, shape[axis]), dtype)
    after = build.add(counter, build.literal(count, dtypes.uint64))
    parts = [*seed, *cut(after)] if words else [take(0), after]
    new = build.concatenate([build.reshape(v, (1,)) for v in parts], 0)
    return wrap(new), wrap(bits)


def _wide(x):
    return build.convert(x, dtypes.uint64)
