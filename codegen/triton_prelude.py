"""Device functions that printed kernels call, as Triton source text.

Names begin with `lz_`. A kernel's source contains those that it uses, directly or through each other. Each works on
any floating or integer type where its operation does; types are known when a kernel is compiled, so that branches on
them cost nothing.
"""
import functools
import re

_SOURCES = '''\
def lz_max(x, y):
    """The larger one; NaN where either is."""
    return tl.maximum(x, y, propagate_nan=tl.PropagateNan.ALL)

def lz_min(x, y):
    """The smaller one; NaN where either is."""
    return tl.minimum(x, y, propagate_nan=tl.PropagateNan.ALL)

def lz_add(x, y):
    return x + y

def lz_mul(x, y):
    return x * y

def lz_and(x, y):
    return x & y

def lz_or(x, y):
    return x | y

def lz_div(x, y):
    """x / y, rounded correctly (`/` of float32 is not)."""
    if x.dtype == tl.float64:
        return x / y
    else:
        return tl.div_rn(x, y)

def lz_reciprocal(x):
    if x.dtype == tl.float64:
        return 1.0 / x
    else:
        return tl.div_rn(1.0, x)

def lz_sqrt(x):
    """Square root, rounded correctly."""
    if x.dtype == tl.float64:
        return tl.sqrt(x)
    else:
        return tl.sqrt_rn(x)

def lz_sign(x):
    """-1, 0 or 1; NaN for NaN."""
    return tl.where(x != x, x, (x > 0).to(x.dtype) - (x < 0).to(x.dtype))

def lz_logistic(x):
    """1 / (1 + exp(-x)), without overflow."""
    e = libdevice.exp(-tl.abs(x))
    return lz_div(tl.where(x < 0, e, 1.0), 1.0 + e)

def lz_gate(x, y):
    """x / (1 + exp(-y)). Far below zero exp(y) is exp(y + 49) exp(-49), which is not subnormal before the result is."""
    low = y < -49
    e = libdevice.exp(tl.where(low, 49.0, 0.0).to(y.dtype) - tl.abs(y))
    unit = tl.where(low, tl.full([], 5.242885663363464e-22, y.dtype), tl.full([], 1.0, y.dtype))
    return lz_div(tl.where(y < 0, x * e, x), 1.0 + e * unit) * unit

def lz_logaddexp(x, y):
    """log(exp(x) + exp(y)); equal infinities stay."""
    gap = tl.where(x == y, 0.0, x - y)
    return lz_max(x, y) + libdevice.log1p(libdevice.exp(-tl.abs(gap)))

def lz_is_finite(x):
    return tl.abs(x) < float('inf')

def lz_is_inf(x):
    return tl.abs(x) == float('inf')

def lz_unsigned(x):
    """The bits of an integer, as an unsigned integer of its width."""
    if x.dtype.primitive_bitwidth == 8:
        return x.to(tl.uint8, bitcast=True)
    elif x.dtype.primitive_bitwidth == 16:
        return x.to(tl.uint16, bitcast=True)
    elif x.dtype.primitive_bitwidth == 32:
        return x.to(tl.uint32, bitcast=True)
    else:
        return x.to(tl.uint64, bitcast=True)

def lz_signed(x):
    """The bits of an integer, as a signed integer of its width."""
    if x.dtype.primitive_bitwidth == 8:
        return x.to(tl.int8, bitcast=True)
    elif x.dtype.primitive_bitwidth == 16:
        return x.to(tl.int16, bitcast=True)
    elif x.dtype.primitive_bitwidth == 32:
        return x.to(tl.int32, bitcast=True)
    else:
        return x.to(tl.int64, bitcast=True)

def lz_popcount(x):
    """Number of one bits."""
    if x.dtype.primitive_bitwidth == 64:
        return libdevice.popc(x.to(tl.int64, bitcast=True)).to(x.dtype)
    else:
        return libdevice.popc(lz_unsigned(x).to(tl.int32)).to(x.dtype)

def lz_clz(x):
    """Number of leading zero bits."""
    if x.dtype.primitive_bitwidth == 64:
        return libdevice.clz(x.to(tl.int64, bitcast=True)).to(x.dtype)
    else:
        return (libdevice.clz(lz_unsigned(x).to(tl.int32)) - (32 - x.dtype.primitive_bitwidth)).to(x.dtype)

def lz_divisor(y):
    """A divisor that neither traps nor overflows: 1 for 0 and -1, whose quotients are known."""
    if y.dtype.is_int_signed():
        return tl.where((y == 0) | (y == -1), 1, y).to(y.dtype)
    else:
        return tl.where(y == 0, 1, y).to(y.dtype)

def lz_rem(x, y):
    """Remainder with the sign of x; 0 for an integer divided by 0."""
    if x.dtype.is_floating():
        return libdevice.fmod(x, y)
    else:
        return x % lz_divisor(y)

def lz_remainder(x, y):
    """Remainder with the sign of y, as NumPy's; 0 for an integer divided by 0."""
    if x.dtype.is_floating():
        r = libdevice.fmod(x, y)
        r = tl.where((r != 0) & ((r < 0) != (y < 0)), r + y, r)
        return tl.where((r == 0) & (y != 0), libdevice.copysign(r, y), r)
    else:
        d = lz_divisor(y)
        r = x % d
        return tl.where((r != 0) & ((r < 0) != (d < 0)), r + d, r).to(x.dtype)

def lz_floor_divide(x, y):
    """Quotient rounded down, at infinities x / y; 0 for an integer divided by 0."""
    if x.dtype.is_floating():
        r = libdevice.fmod(x, y)
        q = lz_div(x - r, y)
        q = tl.where((r != 0) & ((r < 0) != (y < 0)), q - 1.0, q)
        whole = tl.floor(q)
        whole = tl.where(q - whole > 0.5, whole + 1.0, whole)
        plain = lz_div(x, y)
        exact = (y == 0) | lz_is_inf(x) | lz_is_inf(y)
        return tl.where(exact, plain, tl.where(q == 0, libdevice.copysign(q * 0.0, plain), whole))
    else:
        d = lz_divisor(y)
        q = x // d
        r = x - q * d
        q = tl.where((r != 0) & ((r < 0) != (d < 0)), q - 1, q)
        if x.dtype.is_int_signed():
            q = tl.where(y == -1, -x, q)
        return tl.where(y == 0, 0, q).to(x.dtype)

def lz_pow(x, y):
    """x to the power y; for integers by repeated squaring, 0 for exponents below 0."""
    if x.dtype.is_floating():
        return libdevice.pow(x, y)
    else:
        result = (x == x).to(x.dtype)
        exponent = lz_unsigned(y)
        for bit in range(x.dtype.primitive_bitwidth):
            result = tl.where((exponent & 1) != 0, result * x, result)
            x = x * x
            exponent = exponent >> 1
        return tl.where(y < 0, 0, result).to(result.dtype)

def lz_shift_left(x, y):
    """x << y; 0 for shifts outside of the width."""
    inside = lz_unsigned(y) < x.dtype.primitive_bitwidth
    return tl.where(inside, x << tl.where(inside, y, 0).to(x.dtype), 0).to(x.dtype)

def lz_shift_right_logical(x, y):
    """x >> y with zeros shifted in; 0 for shifts outside of the width."""
    inside = lz_unsigned(y) < x.dtype.primitive_bitwidth
    bits = lz_unsigned(x)
    return tl.where(inside, bits >> tl.where(inside, y, 0).to(bits.dtype), 0).to(x.dtype)

def lz_shift_right_arithmetic(x, y):
    """x >> y with the sign shifted in, for any shift."""
    last = x.dtype.primitive_bitwidth - 1
    bits = lz_signed(x)
    return (bits >> tl.where(lz_unsigned(y) < last, y, last).to(bits.dtype)).to(x.dtype)

def lz_saturate(x, LOW: tl.constexpr, HIGH: tl.constexpr, DTYPE: tl.constexpr):
    """A float as an integer from LOW to HIGH: toward zero, clamped, NaN is 0."""
    above = x >= HIGH
    below = x <= LOW
    whole = tl.where(above | below | (x != x), 0.0, x).to(DTYPE)
    return tl.where(above, tl.full([], HIGH, DTYPE), tl.where(below, tl.full([], LOW, DTYPE), whole))

def lz_step(x, y, bits):
    """The bits, as a signed integer, of the number that follows x toward y, where x has these bits."""
    step = tl.where((bits >= 0) == (x < y), bits + 1, bits - 1).to(bits.dtype)
    least = (bits - bits + 1).to(bits.dtype)
    negative = ((bits - bits + 1) | (least << (bits.dtype.primitive_bitwidth - 1))).to(bits.dtype)
    return tl.where(x == 0, tl.where(y < 0, negative, least), step)

def lz_nextafter(x, y, step):
    """The next value toward y, given what follows x where they differ."""
    return tl.where((x != x) | (y != y), x + y, tl.where(x == y, y, step))

def lz_int4(x):
    """The low 4 bits of an integer, as a signed one."""
    return (x.to(tl.int8) << 4) >> 4

def lz_uint4(x):
    """The low 4 bits of an integer, as an unsigned one."""
    return x.to(tl.uint8) & 15

def lz_float8_e4m3fn(x):
    """float32 rounded to float8_e4m3fn; NaN beyond the largest, which the hardware's conversion gives instead."""
    return tl.where(tl.abs(x) > 464.0, float('nan'), x).to(tl.float8e4nv)

def lz_float8_e5m2(x):
    """float32 rounded to float8_e5m2; infinite beyond the largest, which the hardware's conversion gives instead."""
    bits = x.to(tl.float8e5).to(tl.uint8, bitcast=True)
    infinity = tl.where(x < 0, 0xFC, 0x7C).to(tl.uint8)
    return tl.where(tl.abs(x) >= 61440.0, infinity, bits).to(tl.float8e5, bitcast=True)

def lz_round_to_odd(x):
    """float64 to float32 such that rounding again, to fewer bits, is right: the last bit says that there was more."""
    near = x.to(tl.float32)
    back = near.to(tl.float64)
    bits = near.to(tl.int32, bitcast=True)
    bits = tl.where(tl.abs(back) > tl.abs(x), bits - 1, bits)
    return tl.where((back < x) | (back > x), bits | 1, bits).to(tl.float32, bitcast=True)

def lz_argmax(x, i, y, j):
    """Of two values with their places the larger one, the earlier one of equals; NaN is largest."""
    better = (y > x) | ((y != y) & (x == x))
    equal = (y == x) | ((y != y) & (x != x))
    take = better | (equal & (j < i))
    return tl.where(take, y, x), tl.where(take, j, i)

def lz_argmin(x, i, y, j):
    """Of two values with their places the smaller one, the earlier one of equals; NaN is smallest."""
    better = (y < x) | ((y != y) & (x == x))
    equal = (y == x) | ((y != y) & (x != x))
    take = better | (equal & (j < i))
    return tl.where(take, y, x), tl.where(take, j, i)

def lz_complex_mul(a, b, c, d):
    """The parts of the product of two complex numbers."""
    return a * c - b * d, a * d + b * c

def lz_report(error, bad):
    """Set the error word where a lane is bad."""
    tl.atomic_or(error + bad.to(tl.int32) * 0, 1, mask=bad)

def lz_wrap(i, n):
    """i modulo n, in [0, n)."""
    r = i % n
    return tl.where(r < 0, r + n, r)

def lz_before(a, x, RIGHT: tl.constexpr):
    """Whether a comes before x in a sorted array, equal ones where RIGHT; NaN comes after all numbers."""
    if RIGHT:
        return (a <= x) | (x != x)
    return (a < x) | ((x != x) & (a == a))

def lz_search(table, n, step, x, RIGHT: tl.constexpr):
    """How many of n sorted elements, `step` apart, come before x: half of what is left in each step."""
    left = tl.cast(n, tl.int32)
    first = tl.where(x == x, left, left) - left
    while left > 1:
        half = left // 2
        middle = first + half
        value = tl.load(table + (middle - 1).to(tl.int64) * step)
        first = tl.where(lz_before(value, x, RIGHT), middle, first)
        left -= half
    return first + lz_before(tl.load(table + first.to(tl.int64) * step), x, RIGHT).to(tl.int32)

def lz_mix(x, y, SHIFT: tl.constexpr):
    """One round of Threefry: add, rotate, exclusive or."""
    x = x + y
    return x, ((y << SHIFT) | (y >> (32 - SHIFT))) ^ x

def lz_threefry2x32(k0, k1, x, y):
    """Both words of the 20-round Threefry-2x32 block (Salmon et al., Parallel Random Numbers, SC 2011)."""
    k2 = k0 ^ k1 ^ 0x1BD11BDA
    x = x + k0
    y = y + k1
THREEFRY
    return x, y

def lz_philox4x32(k0, k1, c0, c1, c2, c3):
    """All words of the 10-round Philox-4x32 block (Salmon et al., Parallel Random Numbers, SC 2011)."""
    for _ in tl.static_range(10):
        first = c0
        second = c2
        c0 = tl.umulhi(second, 0xCD9E8D57) ^ c1 ^ k0
        c2 = tl.umulhi(first, 0xD2511F53) ^ c3 ^ k1
        c1 = second * 0xCD9E8D57
        c3 = first * 0xD2511F53
        k0 = k0 + 0x9E3779B9
        k1 = k1 + 0xBB67AE85
    return c0, c1, c2, c3
'''

_ROTATIONS = (13, 15, 26, 6), (17, 29, 16, 24)


def _threefry():
    lines = []
    for block in range(5):
        lines += [f'    x, y = lz_mix(x, y, {shift})' for shift in _ROTATIONS[block % 2]]
        lines += [f'    x = x + k{(block + 1) % 3}', f'    y = y + k{(block + 2) % 3} + {block + 1}']
    return '\n'.join(lines)


def _horner(result, x, coefficients, indent=4):
    """Lines of Horner's rule, one rounding a step."""
    first, second, *rest = [repr(float(c)) for c in coefficients]
    lines = [f'{result} = tl.fma({x}, {first}, {second})'] + [f'{result} = tl.fma({result}, {x}, {c})' for c in rest]
    return '\n'.join(' ' * indent + line for line in lines)


def _giles():
    from ..ir.elements import _GILES, _LN2, _LOG, _LOG1P_P, _LOG1P_Q
    thirds = '\n'.join(_horner(name, 'm', _LOG[i:i + 3]) for name, i in (('a', 0), ('b', 3), ('c', 6)))
    return f'''\
def lz_log1p_cephes(x):
    """log(1 + x) for -1 < x <= 0 in float32, with the rounding errors of Cephes (S. Moshier)."""
    square = x * x
{_horner('p', 'x', _LOG1P_P)}
{_horner('q', 'x', _LOG1P_Q)}
    small = x + tl.fma(square, -0.5, x * square * tl.div_rn(p, q))
    bits = (1.0 + x).to(tl.int32, bitcast=True)
    m = ((bits & 0x007FFFFF) | 0x3F000000).to(tl.float32, bitcast=True)
    low = m < 0.707106781186547524
    e = (((bits >> 23) & 255) - 126 - low.to(tl.int32)).to(tl.float32)
    m = tl.where(low, m + m, m) - 1.0
    square = m * m
    cube = square * m
{thirds}
    y = tl.fma(tl.fma(tl.fma(a, cube, b), cube, c), cube, e * {float(_LN2[0])!r})
    large = tl.fma(e, {float(_LN2[1])!r}, tl.fma(square, -0.5, m) + y)
    return tl.where(tl.abs(x) < 0.41421356, small, large)

def lz_erf_inv_giles(x):
    """Inverse error function by M. Giles's polynomials in float32: normal random numbers depend on its bits."""
    if x.dtype == tl.float64:
        return libdevice.erfinv(x)
    else:
        w = -lz_log1p_cephes(-x * x)
        v = tl.where(w < 5.0, w - 2.5, lz_sqrt(w) - 3.0)
{_horner('near', 'v', _GILES[0], 8)}
{_horner('far', 'v', _GILES[1], 8)}
        edge = tl.where(tl.abs(x) == 1.0, x * float('inf'), float('nan'))
        return tl.where(tl.abs(x) < 1.0, tl.where(w < 5.0, near, far) * x, edge)
'''


@functools.cache
def helpers():
    """{name: source text of the function, without its decorator}."""
    text = _SOURCES.replace('THREEFRY', _threefry()) + '\n' + _giles()
    found = {}
    for source in re.split(r'\n\n(?=def )', text.strip('\n')):
        found[re.match(r'def (\w+)', source).group(1)] = source.strip('\n')
    return found


def prelude(body):
    """Source of the functions that `body` uses, callees first."""
    table, wanted, waiting = helpers(), set(), [body]
    while waiting:
        new = set(re.findall(r'\blz_\w+', waiting.pop())) - wanted
        wanted |= new
        waiting += [table[name] for name in new]
    return ''.join(f'@triton.jit\n{source}\n\n\n' for name, source in table.items() if name in wanted)
