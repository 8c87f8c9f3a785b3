"""Functions of complex numbers by their real and imaginary parts: what `complexes` puts in their place.

Operands and results are pairs of `Real`, whose operators make real operations. Values at infinities, NaN and signed
zeros, and the sides of branch cuts, are those of C99, Annex G, as NumPy's. Errors are a few ulp of the modulus.
"""
import math

import numpy as np

from ..ir import dtypes, ops


class Real:
    """A real value in the making. make(op, operands, params): one more, operands being Reals or Python numbers."""
    __slots__ = ('make', 'number', 'dtype')

    def __init__(self, make, number, dtype):
        self.make, self.number, self.dtype = make, number, dtype

    def apply(self, op, *others, params=None):
        return self.make(op, (self, *others), params)

    def like(self, value):
        """A constant of the same type."""
        return self.make(ops.literal, (self,), (value,))

    def __add__(self, other):
        return self.apply(ops.add, other)

    def __sub__(self, other):
        return self.apply(ops.sub, other)

    def __rsub__(self, other):
        return self.make(ops.sub, (other, self), None)

    def __mul__(self, other):
        return self.apply(ops.mul, other)

    def times(self, other):
        """The rounded product, which no sum takes unrounded: so that differences of equal products are 0."""
        return self.apply(ops.fma, other, -0.0)

    def __truediv__(self, other):
        return self.apply(ops.div, other)

    def __rtruediv__(self, other):
        return self.make(ops.div, (other, self), None)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self):
        return self.apply(ops.neg)

    def __and__(self, other):
        return self.apply(ops.and_, other)

    def __or__(self, other):
        return self.apply(ops.or_, other)

    def __invert__(self):
        return self.apply(ops.not_)

    def __lt__(self, other):
        return self.apply(ops.lt, other)

    def __le__(self, other):
        return self.apply(ops.le, other)

    def __gt__(self, other):
        return self.apply(ops.gt, other)

    def __ge__(self, other):
        return self.apply(ops.ge, other)

    def equals(self, other):
        return self.apply(ops.eq, other)

    def differs(self, other):
        return self.apply(ops.ne, other)

    def abs(self):
        return self.apply(ops.abs_)

    def sqrt(self):
        return self.apply(ops.sqrt)

    def log1p(self):
        return self.apply(ops.log1p)

    def log(self):
        return self.apply(ops.log)

    def sin(self):
        return self.apply(ops.sin)

    def cos(self):
        return self.apply(ops.cos)

    def is_inf(self):
        return self.apply(ops.is_inf)

    def is_nan(self):
        return self.apply(ops.is_nan)

    def is_finite(self):
        return self.apply(ops.is_finite)

    def larger(self, other):
        return self.apply(ops.max_, other)

    def smaller(self, other):
        return self.apply(ops.min_, other)

    def copysign(self, sign):
        return self.apply(ops.copysign, sign)

    def atan2(self, x):
        return self.apply(ops.atan2, x)

    def choose(self, x, y):
        """x where this mask is set, else y; one of them may be a Python number."""
        return self.apply(ops.select, x, y)

    @property
    def info(self):
        return np.finfo(self.dtype)


def either(mask, x, y):
    """Pair x where the mask is set, else pair y."""
    return mask.choose(x[0], y[0]), mask.choose(x[1], y[1])


# --- order: by real, then imaginary parts -----------------------------------------------------------------------------

def ordered(strictly, before):
    """The comparison of pairs, by comparisons of real and of imaginary parts. Where a part is NaN it is false."""
    def compare(x, y):
        known = ~(x[1].is_nan() | y[1].is_nan())
        return x[0].apply(strictly, y[0]) & known | x[0].equals(y[0]) & x[1].apply(before, y[1])
    return compare


less, less_equal = ordered(ops.lt, ops.lt), ordered(ops.lt, ops.le)
greater, greater_equal = ordered(ops.gt, ops.gt), ordered(ops.gt, ops.ge)


def extreme(first, at_nan):
    """The pair that comes first by a comparison. at_nan: a NaN is the result, else the other one is."""
    def choose(x, y):
        of = x if at_nan else y
        return either(of[0].is_nan() | of[1].is_nan() | first(x, y), x, y)
    return choose


# --- arithmetic -----------------------------------------------------------------------------------------------------

def mul(x, y):
    (a, b), (c, d) = x, y
    return a.times(c) - b.times(d), a.times(d) + b.times(c)


def div(x, y):
    """Smith's algorithm: by the larger part of the divisor, so that no square overflows (R. Smith, Algorithm 116:
    Complex division, 1962)."""
    (a, b), (c, d) = x, y
    turned = c.abs() < d.abs()
    large, small = turned.choose(d, c), turned.choose(c, d)
    ratio = small / large
    s, t = turned.choose(ratio, 1.0), turned.choose(1.0, ratio)
    scale = 1.0 / (large + small * ratio)
    zero, size = c.equals(0.0) & d.equals(0.0), c.abs()
    return (zero.choose(a / size, (a.times(s) + b.times(t)) * scale),
            zero.choose(b / size, (b.times(s) - a.times(t)) * scale))


def reciprocal(x):
    a, _ = x
    return div((one_like(a), zero_like(a)), x)


def zero_like(a):
    return a.like(0.0)


def one_like(a):
    return a.like(1.0)


def square(x):
    """(a - b) (a + b), whose factors don't overflow before it does; the sum with 0 makes -0 of equals 0."""
    a, b = x
    product = a * b
    return (a - b).times(a + b) + 0.0, product + product


def integer_pow(x, n):
    """Repeated squaring, in the order of the reference."""
    if -3 <= n < 0:
        x, n = reciprocal(x), -n
    result, left, power = None, abs(n), x
    while left:
        if left & 1:
            result = power if result is None else mul(result, power)
        left >>= 1
        if left:
            power = mul(power, power)
    if result is None:
        return one_like(x[0]), zero_like(x[0])
    return reciprocal(result) if n < 0 else result


def safe_mul(t, d):
    product, zero = mul(t, d), t[0].equals(0.0) & t[1].equals(0.0)
    return zero.choose(0.0, product[0]), zero.choose(0.0, product[1])


def modulus(x):
    a, b = x
    return a.apply(ops.hypot, b)


def sign(x):
    """x / |x|, scaled by the larger part; where one part is infinite the direction of that."""
    a, b = x
    large = a.abs().larger(b.abs())
    p, q = a / large, b / large
    size, zero = modulus((p, q)), large.equals(0.0)

    def part(of, scaled, other):
        edge = of.is_inf().choose(other.is_inf().choose(math.nan, one_like(of).copysign(of)), 0.0)
        return zero.choose(0.0, (of.is_inf() | other.is_inf()).choose(edge, scaled / size))
    return part(a, p, b), part(b, q, a)


# --- roots, exponentials and logarithms -----------------------------------------------------------------------------

def sqrt(x):
    """The larger part is sqrt((|a| + |x|) / 2), the other one b over twice that; scaled, so that nothing overflows or
    becomes subnormal (W. Kahan, Branch cuts for complex elementary functions, 1987)."""
    a, b = x
    size = a.abs().larger(b.abs())
    high, low = size > float(a.info.max) / 8, size < float(a.info.tiny) * 4
    scale, back = high.choose(0.0625, low.choose(2.0 ** 60, 1.0)), high.choose(4.0, low.choose(2.0 ** -30, 1.0))
    p, q = a.abs() * scale, b.abs() * scale
    large = ((p + modulus((p, q))) * 0.5).sqrt()
    small = q / (large + large)
    large, small = large * back, large.equals(0.0).choose(0.0, small * back)
    left = a < 0.0
    real, imag = left.choose(small, large), left.choose(large, small)
    infinite, endless = b.is_inf(), a.is_inf()
    imag = endless.choose(left.choose(math.inf, b.is_nan().choose(math.nan, 0.0)), imag)
    real = endless.choose(left.choose(b.is_nan().choose(math.nan, 0.0), math.inf), real)
    return infinite.choose(math.inf, real), infinite.choose(math.inf, imag).copysign(b)


def rsqrt(x):
    return reciprocal(sqrt(x))


def _shift(dtype):
    """(bound, s, exp(s)): beyond the bound exp(a) is taken as exp(a - s) exp(s), which doesn't overflow before the
    result does."""
    return (88.0, 64.0, math.exp(64.0)) if dtype == dtypes.float32 else (700.0, 600.0, math.exp(600.0))


def exp(x):
    a, b = x
    bound, s, unit = _shift(a.dtype)
    far = a > bound
    size, unit = (a - far.choose(s, 0.0)).apply(ops.exp), far.choose(unit, 1.0)
    real, imag = size * b.cos() * unit, size * b.sin() * unit
    edge, below = a.is_inf() & ~b.is_finite(), a < 0.0
    return (edge.choose(below.choose(0.0, math.inf), real),
            b.equals(0.0).choose(b, (edge & below).choose(zero_like(b).copysign(b), imag)))


def expm1(x):
    """exp(a) cos(b) - 1 as expm1(a) cos(b) - 2 sin(b / 2)**2."""
    a, b = x
    real, imag = exp(x)
    half = (b * 0.5).sin()
    near = a.apply(ops.expm1) * b.cos() - (half + half) * half
    real = (a > 40.0).choose(real, a.equals(-math.inf).choose(-1.0, near))
    return (a.equals(0.0) & b.equals(0.0)).choose(0.0, real), imag


def log_modulus(x):
    """log |x|: near 1 from |x|**2 - 1, elsewhere from the larger part and the ratio of the parts."""
    a, b = x
    large, small = a.abs().larger(b.abs()), a.abs().smaller(b.abs())
    ratio = small / large.equals(0.0).choose(1.0, large)
    near = (large >= 0.5) & (large <= 2.0)
    rest = near.choose((large - 1.0) * (large + 1.0) + small * small, ratio * ratio).log1p() * 0.5
    size = near.choose(rest, large.log() + rest)
    return (a.is_inf() | b.is_inf()).choose(math.inf, size)


def angle(x):
    a, b = x
    return b.atan2(a)


def log(x):
    return log_modulus(x), angle(x)


def log1p(x):
    """Where x is small from |1 + x|**2 - 1."""
    a, b = x
    moved = a + 1.0, b
    small = (a.abs() < 0.5) & (b.abs() < 0.5)
    real = small.choose((a * (a + 2.0) + b * b).log1p() * 0.5, log_modulus(moved))
    return real, angle(moved)


def power(x, y):
    """exp(y log(x)), NaN where an infinite part makes that product NaN. Of 0 as NumPy's: 1 to the power of 0, 0 to one
    with a positive real part, NaN to others."""
    (a, b), (c, d) = x, y
    size, turn = log(x)
    real, imag = exp((c * size - d * turn, c * turn + d * size))
    none, zero = c.equals(0.0) & d.equals(0.0), a.equals(0.0) & b.equals(0.0)
    of_zero = (c > 0.0).choose(0.0, math.nan)
    return (none.choose(1.0, zero.choose(of_zero, real)), none.choose(0.0, zero.choose(of_zero, imag)))


# --- hyperbolic and trigonometric functions -------------------------------------------------------------------------

def _hyperbolic(x):
    """(sinh(a) cos(b), cosh(a) sin(b), cosh(a) cos(b), sinh(a) sin(b))."""
    a, b = x
    bound, s, unit = _shift(a.dtype)
    far = a.abs() > bound
    near, unit = a - far.choose(one_like(a).copysign(a) * s, 0.0), far.choose(unit, 1.0)
    sh, ch, si, co = near.apply(ops.sinh), near.apply(ops.cosh), b.sin(), b.cos()
    return sh * co * unit, ch * si * unit, ch * co * unit, sh * si * unit


def sinh(x):
    a, b = x
    real, imag, _, _ = _hyperbolic(x)
    edge = ~b.is_finite()
    real = (edge & a.is_inf()).choose(math.inf, (edge & a.equals(0.0)).choose(a, real))
    return real, b.equals(0.0).choose(b, imag)


def cosh(x):
    a, b = x
    _, _, real, imag = _hyperbolic(x)
    edge = ~b.is_finite()
    far = ~(a.abs() <= _shift(a.dtype)[0])                            # or NaN
    at_zero = a.is_nan().choose(b, b * one_like(a).copysign(a))
    imag = (edge & a.equals(0.0)).choose(0.0, (far & b.equals(0.0)).choose(at_zero, imag))
    return (edge & a.is_inf()).choose(math.inf, real), imag


def tanh(x):
    """Kahan's: with t = tan(b) and s = sinh(a), ((1 + t**2) s sqrt(1 + s**2), t) / (1 + (1 + t**2) s**2); far out
    sign(a) and 4 sin(b) cos(b) exp(-2 |a|)."""
    a, b = x
    far = a.abs() > (11.0 if a.dtype == dtypes.float32 else 22.0)
    t, s = b.apply(ops.tan), far.choose(0.0, a).apply(ops.sinh)
    beta = 1.0 + t * t
    below = 1.0 + beta * s * s
    si, co, e = b.sin(), b.cos(), (a.abs() * -1.0).apply(ops.exp)
    end, one = a.is_inf(), one_like(a).copysign(a)
    real = far.choose((end | b.is_finite()).choose(one, math.nan), beta * (1.0 + s * s).sqrt() * s / below)
    beyond = end.choose(zero_like(b).copysign(b), 4.0 * si * e * (co * e))
    imag = far.choose(beyond, t / below)
    return a.equals(0.0).choose(a, real), b.equals(0.0).choose(b, imag)


def times_i(x):
    a, b = x
    return -b, a


def over_i(x):
    a, b = x
    return b, -a


def of_turned(f):
    """x -> i f(x / i): sin from sinh, sinh from sin."""
    return lambda x: times_i(f(over_i(x)))


sin, tan = of_turned(sinh), of_turned(tanh)


def cos(x):
    return cosh(times_i(x))


# --- arc functions --------------------------------------------------------------------------------------------------

def _arc(x):
    """(asin(x) of |a|, acos(x), log(A + sqrt(A**2 - 1))), A being half the sum of the distances of x from 1 and -1
    (T. Hull, T. Fairgrieve, P. Tang, Implementing the complex arcsine and arccosine functions, 1997)."""
    p, q, signed = x[0].abs(), x[1].abs(), one_like(x[0]).copysign(x[0])
    huge = p.larger(q) > float(p.info.eps) ** -1.5
    a, b = huge.choose(1.0, p), huge.choose(1.0, q)
    r, s = modulus((a + 1.0, b)), modulus((a - 1.0, b))
    half, up, beside = (r + s) * 0.5, r + (a + 1.0), s + (a - 1.0).abs()
    over = b * (b / up)
    mean, inverse = (half + a) * 0.5, 1.0 / up + 1.0 / beside
    root = (a <= 1.0).choose((mean * (over + beside)).sqrt(), b * (mean * inverse).sqrt())
    ratio = a / half
    central = ratio <= 0.6417
    asin = central.choose(ratio.apply(ops.asin), a.atan2(root))
    acos = central.choose((ratio * signed).apply(ops.acos), root.atan2(a * signed))
    inside, share = a < 1.0, inverse * 0.5
    excess = inside.choose(b * (b * share), (over + beside) * 0.5)
    rest = inside.choose(b * (share * (half + 1.0)).sqrt(), (excess * (half + 1.0)).sqrt())
    size = (half <= 1.5).choose((excess + rest).log1p(), (half + (half * half - 1.0).sqrt()).log())
    return (huge.choose(p.atan2(q), asin), huge.choose(q.atan2(p * signed), acos),
            huge.choose(log_modulus((p, q)) + math.log(2), size))


def _where_nan(x, real, at_zero, imag):
    """The parts of asin or acos, where a part of x is NaN those of C99: the real part is known where a is 0, and the
    imaginary part is infinite where one of x is."""
    a, b = x
    nan = a.is_nan() | b.is_nan()
    return (nan.choose(a.equals(0.0).choose(at_zero, math.nan), real),
            nan.choose((a.is_inf() | b.is_inf()).choose(math.inf, math.nan), imag).copysign(b))


def asin(x):
    asin, _, size = _arc(x)
    real, imag = _where_nan(x, asin, 0.0, size)
    return real.copysign(x[0]), imag


def acos(x):
    _, acos, size = _arc(x)
    real, imag = _where_nan(x, acos, math.pi / 2, size)
    return real, -imag


asinh = of_turned(asin)


def acosh(x):
    """i acos(x) or -i acos(x), whichever has a real part that is not negative."""
    real, imag = acos(x)
    return imag.abs(), real.copysign(x[1])


def atanh(x):
    """log1p(4 a / ((1 - a)**2 + b**2)) / 4 and atan2(2 b, (1 - a) (1 + a) - b**2) / 2; far out 1 / x and pi / 2."""
    p, q = x[0].abs(), x[1].abs()
    eps, tiny = float(p.info.eps), q < float(p.info.tiny) ** 0.5
    large = p.larger(q)
    huge = large > 1.0 / eps
    a, b = huge.choose(0.0, p), huge.choose(0.0, q)
    gap, over = a - 1.0, (1.0 - a) * (1.0 + a)
    area = tiny.choose(gap * gap, gap * gap + b * b)
    near = (a.equals(1.0) & (b < eps)).choose((math.log(2) - b.log()) * 0.5, (4.0 * a / area).log1p() * 0.25)
    turn = (b + b).atan2(tiny.choose(over, over - b * b)) * 0.5
    ratio = p.smaller(q) / large
    far = p / large / (large * (1.0 + ratio * ratio))
    known = p.is_inf() | q.is_inf() | x[0].equals(0.0)
    real = known.choose(0.0, huge.choose(far, near))
    imag = q.is_inf().choose(math.pi / 2, huge.choose(math.pi / 2, turn))
    return real.copysign(x[0]), q.is_nan().choose(math.nan, imag).copysign(x[1])


atan = of_turned(atanh)

# Operation -> function of pairs. `complexes` has those that look at parts only.
FUNCTIONS = {
    ops.mul: mul, ops.div: div, ops.reciprocal: reciprocal, ops.square: square, ops.safe_mul: safe_mul, ops.sign: sign,
    ops.sqrt: sqrt, ops.rsqrt: rsqrt, ops.exp: exp, ops.expm1: expm1, ops.log: log, ops.log1p: log1p, ops.pow_: power,
    ops.sinh: sinh, ops.cosh: cosh, ops.tanh: tanh, ops.sin: sin, ops.cos: cos, ops.tan: tan,
    ops.asin: asin, ops.acos: acos, ops.atan: atan, ops.asinh: asinh, ops.acosh: acosh, ops.atanh: atanh,
    ops.integer_pow: integer_pow, ops.abs_: modulus,
    ops.is_finite: lambda x: x[0].is_finite() & x[1].is_finite(), ops.is_nan: lambda x: x[0].is_nan() | x[1].is_nan(),
    ops.is_inf: lambda x: x[0].is_inf() | x[1].is_inf(),
    ops.eq: lambda x, y: x[0].equals(y[0]) & x[1].equals(y[1]),
    ops.ne: lambda x, y: x[0].differs(y[0]) | x[1].differs(y[1]),
    ops.lt: less, ops.le: less_equal, ops.gt: greater, ops.ge: greater_equal,
    ops.max_: extreme(greater_equal, True), ops.min_: extreme(less_equal, True),
    ops.fmax: extreme(greater_equal, False), ops.fmin: extreme(less_equal, False),
    ops.conj: lambda x: (x[0], -x[1]),
    ops.real: lambda x: x[0], ops.imag: lambda x: x[1],
    ops.select: either,
}
