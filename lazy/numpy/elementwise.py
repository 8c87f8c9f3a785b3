"""Elementwise functions: one line of a table where an operation does it, a few lines where several do.

A kind says what becomes of the operands' types: 'arithmetic' promotes them, 'inexact' goes on to a float,
'bits', 'integer', 'comparison' and 'same' refuse or promote as their names say.
"""
import builtins
import functools
import math

from .. import array as arrays
from ..array import _operator, elementwise, power as _power
from ..config import config
from ._util import (Array, Node, array_of, build, dtypes, fresh, inexact_array, into, node_of, ops, promoted,
                    result_aval, takes_out, wrap)

__all__ = []
_PLANS_KEPT = 5000


def _publish(function, name, doc):
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    function.__module__ = 'lazy.numpy'
    globals()[name] = function
    __all__.append(name)
    return function


def _unary(name, op, kind, doc):
    """A function of one operand. What a type becomes is decided once and kept."""
    plans = {}

    def function(x, /, *, out=None, where=None, dtype=None):
        if out is not None or where is not None or dtype is not None:
            return _with(function, (x,), out, where, dtype)
        node = x._node if type(x) is Array else node_of(x)
        result = plans.get(node.aval)
        if result is None:
            dtype, weak = arrays.common(kind, name, [node.aval])
            if dtype != node.aval.dtype:
                node = build.convert(node, dtype, weak)
                return wrap(Node(op, (node,), None, result_aval(op, (node,), None)))
            if len(plans) > _PLANS_KEPT:
                plans.clear()
            result = plans[node.aval] = result_aval(op, (node,), None)
        return wrap(Node(op, (node,), None, result, None, 2))
    return _publish(function, name, f'{doc}\n\n    Elementwise; {_DTYPES[kind]}.')


def _rounding(name, op, doc):
    """Functions that leave integers and booleans as they are."""
    def function(x, *, out=None, where=None, dtype=None):
        if out is not None or where is not None or dtype is not None:
            return _with(function, (x,), out, where, dtype)
        node = node_of(x)
        if not dtypes.is_inexact(node.aval.dtype):
            return wrap(node)
        return wrap(Node(op, (node,), None, result_aval(op, (node,), None)))
    return _publish(function, name, f'{doc}\n\n    Elementwise; integers are returned as they are.')


def _test(name, op, otherwise, doc):
    """Tests for special values, of which integers have none."""
    def function(x, /, *, out=None, where=None, dtype=None):
        if out is not None or where is not None or dtype is not None:
            return _with(function, (x,), out, where, dtype)
        node = node_of(x)
        if dtypes.is_inexact(node.aval.dtype):
            return wrap(Node(op, (node,), None, result_aval(op, (node,), None)))
        return wrap(build.full(node.aval.shape, otherwise, dtypes.bool_))
    return _publish(function, name, f'{doc}\n\n    Elementwise; the result is boolean.')


def _binary(name, op, kind, doc):
    method, reflected = _operator(op, kind)

    def function(x1, x2, /, *, out=None, where=None, dtype=None):
        if out is not None or where is not None or dtype is not None:
            return _with(function, (x1, x2), out, where, dtype)
        if type(x1) is Array:
            result = method(x1, x2)
        elif type(x2) is Array:
            result = reflected(x2, x1)
        else:
            result = NotImplemented
        return elementwise(op, x1, x2, kind=kind) if result is NotImplemented else result
    return _publish(function, name, f'{doc}\n\n    Elementwise, with broadcasting; {_DTYPES[kind]}.')


def _logical(name, op, doc):
    def function(x1, x2, /, *, out=None, where=None, dtype=None):
        if out is not None or where is not None or dtype is not None:
            return _with(function, (x1, x2), out, where, dtype)
        a, b = [build.convert(node_of(x), dtypes.bool_) for x in (x1, x2)]
        return wrap(build.apply(op, a, b))
    return _publish(function, name, f'{doc}\n\n    Elementwise, with broadcasting; what is not zero is true.')


def _with(function, operands, out, where, dtype):
    """What NumPy's arguments of a ufunc come to: computed in a dtype, written into an array, where a mask is true."""
    if dtype is not None:
        operands = [array_of(x).astype(dtype) for x in operands]
    result = function(*operands)
    if where is not None and out is None:
        raise NotImplementedError(f'{function.__name__} with `where` and without `out`: use lazy.numpy.where')
    return result if out is None else into(out, result, where)


_DTYPES = {'arithmetic': 'operands are promoted to their common dtype', 'inexact': 'integers become floats',
           'bits': 'for integers and booleans', 'integer': 'for integers', 'comparison': 'the result is boolean'}

for _row in (
        ('sqrt', ops.sqrt, 'inexact', 'Square root; NaN for negative reals.'),
        ('cbrt', ops.cbrt, 'inexact', 'Cube root.'),
        ('exp', ops.exp, 'inexact', 'e to the power of x.'),
        ('expm1', ops.expm1, 'inexact', 'exp(x) - 1, exact for small x.'),
        ('log', ops.log, 'inexact', 'Natural logarithm.'),
        ('log1p', ops.log1p, 'inexact', 'log(1 + x), exact for small x.'),
        ('sin', ops.sin, 'inexact', 'Sine of x in radians.'),
        ('cos', ops.cos, 'inexact', 'Cosine of x in radians.'),
        ('tan', ops.tan, 'inexact', 'Tangent of x in radians.'),
        ('arcsin', ops.asin, 'inexact', 'Inverse sine, in radians.'),
        ('arccos', ops.acos, 'inexact', 'Inverse cosine, in radians.'),
        ('arctan', ops.atan, 'inexact', 'Inverse tangent, in radians.'),
        ('sinh', ops.sinh, 'inexact', 'Hyperbolic sine.'),
        ('cosh', ops.cosh, 'inexact', 'Hyperbolic cosine.'),
        ('tanh', ops.tanh, 'inexact', 'Hyperbolic tangent.'),
        ('arcsinh', ops.asinh, 'inexact', 'Inverse hyperbolic sine.'),
        ('arccosh', ops.acosh, 'inexact', 'Inverse hyperbolic cosine.'),
        ('arctanh', ops.atanh, 'inexact', 'Inverse hyperbolic tangent.'),
        ('negative', ops.neg, 'arithmetic', '-x.'),
        ('invert', ops.not_, 'bits', 'Bitwise not; logical not for booleans.')):
    _unary(*_row)

for _row in (('floor', ops.floor, 'The largest integer that is not above x.'),
             ('ceil', ops.ceil, 'The smallest integer that is not below x.'),
             ('trunc', ops.trunc, 'x without its fraction.')):
    _rounding(*_row)

for _row in (('isnan', ops.is_nan, False, 'Whether x is NaN.'),
             ('isinf', ops.is_inf, False, 'Whether x is an infinity.'),
             ('isfinite', ops.is_finite, True, 'Whether x is neither NaN nor an infinity.')):
    _test(*_row)

for _row in (
        ('add', ops.add, 'arithmetic', 'x1 + x2.'),
        ('subtract', ops.sub, 'arithmetic', 'x1 - x2.'),
        ('multiply', ops.mul, 'arithmetic', 'x1 * x2.'),
        ('divide', ops.div, 'inexact', 'x1 / x2.'),
        ('floor_divide', ops.floor_divide, 'arithmetic', 'floor(x1 / x2), also at infinities; 0 for integers over 0.'),
        ('remainder', ops.remainder, 'arithmetic', 'x1 - x2 * floor(x1 / x2), with the sign of x2.'),
        ('fmod', ops.rem, 'arithmetic', 'Remainder of the division rounded to zero, with the sign of x1.'),
        ('maximum', ops.max_, 'arithmetic', 'The larger one; NaN if either is.'),
        ('minimum', ops.min_, 'arithmetic', 'The smaller one; NaN if either is.'),
        ('fmax', ops.fmax, 'arithmetic', 'The larger one; NaN only if both are.'),
        ('fmin', ops.fmin, 'arithmetic', 'The smaller one; NaN only if both are.'),
        ('arctan2', ops.atan2, 'inexact', 'Angle of the point (x2, x1), in radians from -pi to pi.'),
        ('hypot', ops.hypot, 'inexact', 'sqrt(x1**2 + x2**2) without overflow.'),
        ('nextafter', ops.nextafter, 'inexact', 'The next float after x1 in the direction of x2.'),
        ('copysign', ops.copysign, 'inexact', 'x1 with the sign of x2.'),
        ('logaddexp', ops.logaddexp, 'inexact', 'log(exp(x1) + exp(x2)) without overflow.'),
        ('bitwise_and', ops.and_, 'bits', 'x1 & x2.'),
        ('bitwise_or', ops.or_, 'bits', 'x1 | x2.'),
        ('bitwise_xor', ops.xor, 'bits', 'x1 ^ x2.'),
        ('left_shift', ops.shift_left, 'integer', 'x1 * 2**x2, in the bits.'),
        ('right_shift', ops.shift_right_arithmetic, 'integer', 'x1 / 2**x2 rounded down, in the bits.'),
        ('equal', ops.eq, 'comparison', 'x1 == x2.'),
        ('not_equal', ops.ne, 'comparison', 'x1 != x2.'),
        ('less', ops.lt, 'comparison', 'x1 < x2.'),
        ('less_equal', ops.le, 'comparison', 'x1 <= x2.'),
        ('greater', ops.gt, 'comparison', 'x1 > x2.'),
        ('greater_equal', ops.ge, 'comparison', 'x1 >= x2.')):
    _binary(*_row)

for _row in (('logical_and', ops.and_, 'Whether both are true.'), ('logical_or', ops.or_, 'Whether one is true.'),
             ('logical_xor', ops.xor, 'Whether exactly one is true.')):
    _logical(*_row)


def _function(f):
    """Enter a function that is written out into the list of names."""
    __all__.append(f.__name__)
    return f


def as_ufunc(f):
    """A function of arrays that takes NumPy's `out`, `where` and `dtype` too."""
    @functools.wraps(f)
    def function(*operands, out=None, where=None, dtype=None, **named):
        if out is None and where is None and dtype is None:
            return f(*operands, **named)
        return _with(f, (*operands, *named.values()), out, where, dtype)
    return function


def _ufunc(f):
    """Enter such a function into the list of names."""
    return _function(as_ufunc(f))


def _integers_pass(plain, of_integers):
    """fmax and fmin of integers, which have no NaN, are maximum and minimum."""
    def function(x1, x2, *, out=None, where=None, dtype=None):
        inexact = dtypes.is_inexact(node_of(x1).aval.dtype) or dtypes.is_inexact(node_of(x2).aval.dtype)
        return (plain if inexact else of_integers)(x1, x2, out=out, where=where, dtype=dtype)
    function.__name__, function.__qualname__, function.__doc__ = plain.__name__, plain.__qualname__, plain.__doc__
    return function


fmax, fmin = _integers_pass(fmax, maximum), _integers_pass(fmin, minimum)


# --- signs, parts and powers -------------------------------------------------------------------------------------

@_ufunc
def abs(x, /):
    """Absolute value; of complex numbers the modulus, which is real. Booleans and unsigned are returned as they are.

    >>> import lazy.numpy as np
    >>> np.abs(np.array([-1, 2])).tolist()
    [1, 2]
    """
    node = node_of(x)
    if dtypes.kind(node.aval.dtype) in 'bu':
        return wrap(node)
    return wrap(Node(ops.abs_, (node,), None, result_aval(ops.abs_, (node,), None)))


@_ufunc
def fabs(x, /):
    """Absolute value as a float."""
    return abs(inexact_array(_real_only(x, 'fabs')))


@_ufunc
def positive(x, /):
    """x itself; TypeError for booleans."""
    if node_of(x).aval.dtype == dtypes.bool_:
        raise TypeError('positive is not for booleans')
    return fresh(x)


@_ufunc
def sign(x, /):
    """-1, 0 or 1 by the sign of x (NaN stays); x / |x| for complex numbers."""
    node = node_of(x)
    kind = dtypes.kind(node.aval.dtype)
    if kind == 'b':
        raise TypeError('sign is not for booleans')
    if kind == 'u':
        return wrap(build.convert(build.apply(ops.ne, node, build.literal(0, node.aval.dtype)), node.aval.dtype))
    return wrap(build.apply(ops.sign, node))


@_ufunc
def signbit(x, /):
    """Whether the sign bit is set: true for -0.0 as well."""
    node = node_of(x)
    if dtypes.kind(node.aval.dtype) == 'f':
        return wrap(build.apply(ops.signbit, node))
    is_signed = dtypes.kind(node.aval.dtype) == 'i'
    return wrap(node) < 0 if is_signed else wrap(build.full(node.aval.shape, False, dtypes.bool_))


@_ufunc
def square(x, /):
    """x * x."""
    node = node_of(x)
    op = ops.mul if node.aval.dtype == dtypes.bool_ else ops.square
    return wrap(build.apply(op, node, node) if op is ops.mul else build.apply(op, node))


@_ufunc
def reciprocal(x, /):
    """1 / x; integers are divided as floats."""
    return wrap(build.apply(ops.reciprocal, inexact_array(x)._node))


@_ufunc
def power(x1, x2, /):
    """x1 ** x2. A Python integer as exponent is a power by repeated products.

    Raises ValueError for integers to a negative integer power that is written as a Python number.

    >>> import lazy.numpy as np
    >>> np.power(np.arange(3.), 2).tolist()
    [0.0, 1.0, 4.0]
    """
    return _power(x1, x2)


@_ufunc
def float_power(x1, x2, /):
    """x1 ** x2, computed in floats."""
    a, b = promoted(x1, x2, inexact=True)
    return wrap(build.apply(ops.pow_, a, b))


@_ufunc
def exp2(x, /):
    """2 to the power of x."""
    return _with_complex(x, ops.exp2, lambda z: exp(_times(z, math.log(2))))


@_ufunc
def log2(x, /):
    """Logarithm to base 2."""
    return _with_complex(x, ops.log2, lambda z: _times(log(z), 1 / math.log(2)))


@_ufunc
def log10(x, /):
    """Logarithm to base 10."""
    return _with_complex(x, ops.log10, lambda z: _times(log(z), 1 / math.log(10)))


def _with_complex(x, op, of_complex):
    x = inexact_array(x)
    return of_complex(x) if dtypes.kind(x.dtype) == 'c' else wrap(build.apply(op, x._node))


def _times(z, factor):
    """A complex array times a real number, part by part: infinities stay what they are."""
    return wrap(build.complex_(*[(part(z) * factor)._node for part in (real, imag)]))


def _real_only(x, name):
    node = node_of(x)
    if dtypes.kind(node.aval.dtype) == 'c':
        raise TypeError(f'{name} is not for complex numbers, got {node.aval}')
    return wrap(node)


@_function
@takes_out
def logaddexp2(x1, x2, /, *, out=None, where=None):
    """log2(2**x1 + 2**x2) without overflow."""
    a, b = [wrap(n) * math.log(2) for n in promoted(x1, x2, inexact=True)]
    return logaddexp(a, b) * (1 / math.log(2))


@_function
def real(val, /):
    """The real part."""
    node = node_of(val)
    return wrap(build.real(node) if dtypes.kind(node.aval.dtype) == 'c' else node)


@_function
def imag(val, /):
    """The imaginary part; zeros for real arrays."""
    node = node_of(val)
    return wrap(build.imag(node) if dtypes.kind(node.aval.dtype) == 'c' else build.zeros(node.aval))


@_ufunc
def conjugate(x, /):
    """The complex conjugate; real arrays are returned as they are."""
    node = node_of(x)
    return wrap(build.conj(node) if dtypes.kind(node.aval.dtype) == 'c' else node)


@_function
def angle(z, deg=False):
    """The angle of a complex number, from -pi to pi, or in degrees."""
    z = inexact_array(z)
    if dtypes.kind(z.dtype) == 'c':
        result = arctan2(imag(z), real(z))
    else:
        from .indexing import where
        result = where(isnan(z), z, where(signbit(z), wrap(build.literal(math.pi, z.dtype)), 0))
    return rad2deg(result) if deg else result


# --- rounding ------------------------------------------------------------------------------------------------------

@_ufunc
def rint(x, /):
    """The nearest integer, ties to even."""
    return round(inexact_array(x))


@_function
@takes_out
def round(a, decimals=0, out=None):
    """Rounded to `decimals` decimal places, ties to even.

    >>> import lazy.numpy as np
    >>> np.round(np.array([0.5, 1.5, 2.25]), 1).tolist()
    [0.5, 1.5, 2.200000047683716]
    """
    x = fresh(a)
    kind = dtypes.kind(x.dtype)
    if kind == 'c':
        return wrap(build.complex_(round(real(x), decimals)._node, round(imag(x), decimals)._node))
    if kind in 'biu':
        if decimals >= 0:
            return x
        scale = 10 ** -decimals
        return (round(x.astype(dtypes.default_float()) / scale) * scale).astype(x.dtype)
    if not decimals:
        return wrap(build.apply(ops.round_, x._node))
    if x.dtype.itemsize < 4:
        return round(x.astype(dtypes.float32), decimals).astype(x.dtype)
    scale = 10.0 ** builtins.abs(decimals)
    scaled = x * scale if decimals > 0 else x / scale
    rounded = wrap(build.apply(ops.round_, scaled._node))
    return rounded / scale if decimals > 0 else rounded * scale


@_function
def fix(x, /):
    """x without its fraction."""
    return trunc(x)


# --- others ----------------------------------------------------------------------------------------------------------

@_ufunc
def logical_not(x, /):
    """Whether x is zero or false."""
    return wrap(build.apply(ops.not_, build.convert(node_of(x), dtypes.bool_)))


@_ufunc
def divmod(x1, x2, /):
    """(x1 // x2, x1 % x2)."""
    return floor_divide(x1, x2), remainder(x1, x2)


@_ufunc
def gcd(x1, x2):
    """Greatest common divisor of integers; not negative."""
    return elementwise(ops.gcd, x1, x2, kind='integer')


@_ufunc
def lcm(x1, x2):
    """Least common multiple."""
    from .indexing import where
    divisor = gcd(x1, x2)
    return abs(array_of(x1) // where(divisor == 0, 1, divisor) * x2)


@_ufunc
def heaviside(x1, x2, /):
    """0 for x1 < 0, x2 for x1 == 0, 1 for x1 > 0."""
    from .indexing import where
    a, b = [wrap(n) for n in promoted(x1, x2, inexact=True)]
    return where(a < 0, 0, where(a > 0, 1, where(a == 0, b, a))).astype(a.dtype)


@_function
def sinc(x, /):
    """sin(pi x) / (pi x), 1 at 0."""
    from .indexing import where
    x = inexact_array(x)
    safe = where(x == 0, 1, x)
    if dtypes.kind(x.dtype) == 'c':
        ratio = sin(safe * math.pi) / (safe * math.pi)
    else:                                                                # pi x loses the digits that matter
        whole = rint(safe)
        even = floor(0.5 * whole) == 0.5 * whole
        sine = sin((safe - whole) * math.pi)
        ratio = where(even, sine, -sine) / math.pi / safe
    square, series = (x * math.pi) ** 2, 0                               # the series gives the first ten derivatives at 0
    for k in range(5, -1, -1):
        series = series * square + (-1) ** k / math.factorial(2 * k + 1)
    return where(x == 0, series, ratio)


@_function
def i0(x):
    """Modified Bessel function of the first kind, order 0."""
    x = inexact_array(_real_only(x, 'i0'))
    return wrap(build.apply(ops.bessel_i0, x._node))


@_ufunc
def deg2rad(x, /):
    """Degrees to radians."""
    return inexact_array(x) * (math.pi / 180)


@_ufunc
def rad2deg(x, /):
    """Radians to degrees."""
    return inexact_array(x) * (180 / math.pi)


@_ufunc
def bitwise_count(x, /):
    """Number of one bits of |x|, as uint8."""
    node = node_of(x)
    if node.aval.dtype == dtypes.bool_:
        node = build.convert(node, dtypes.uint8)
    if not dtypes.is_integer(node.aval.dtype):
        raise TypeError(f'bitwise_count is for integers, got {node.aval}')
    if dtypes.kind(node.aval.dtype) == 'i':
        node = build.apply(ops.abs_, node)
    return wrap(build.convert(build.apply(ops.population_count, node), dtypes.uint8))


@_function
@takes_out
def isposinf(x, /, out=None):
    """Whether x is +infinity."""
    return _is_infinity(x, math.inf, 'isposinf')


@_function
@takes_out
def isneginf(x, /, out=None):
    """Whether x is -infinity."""
    return _is_infinity(x, -math.inf, 'isneginf')


def _is_infinity(x, value, name):
    x = _real_only(x, name)
    return x == value if dtypes.is_inexact(x.dtype) else isinf(x)


@_function
def isreal(x):
    """Whether the imaginary part is zero."""
    return imag(x) == 0


@_function
def iscomplex(x):
    """Whether the imaginary part is not zero."""
    return imag(x) != 0


@_function
def isclose(a, b, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether |a - b| <= atol + rtol * |b|; equal infinities are close.

    >>> import lazy.numpy as np
    >>> np.isclose(np.array([1.0, np.nan]), np.array([1.0 + 1e-7, np.nan])).tolist()
    [True, False]
    """
    a, b = [wrap(n) for n in promoted(a, b)]
    if not dtypes.is_inexact(a.dtype):
        a, b = [wrap(n) for n in promoted(a, b, inexact=True)]
    close = (abs(a - b) <= atol + rtol * abs(b)) & isfinite(b) | (a == b)
    return close | (isnan(a) & isnan(b)) if equal_nan else close


@_function
def nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None):
    """x with NaN as `nan`, infinities as the largest finite numbers or as given."""
    from .indexing import where
    x = fresh(x)
    kind = dtypes.kind(x.dtype)
    if kind in 'biu':
        return x
    if kind == 'c':
        parts = [nan_to_num(part, copy, nan, posinf, neginf)._node for part in (real(x), imag(x))]
        return wrap(build.complex_(*parts))
    from .types import finfo
    info = finfo(x.dtype)
    posinf = float(info.max) if posinf is None else posinf
    neginf = float(info.min) if neginf is None else neginf
    found = where(isnan(x), nan, x)
    found = where(found == math.inf, posinf, where(found == -math.inf, neginf, found))
    return found if copy or not config.mutable_arrays else into(x, found)


@_function
def unwrap(p, discont=None, axis=-1, period=2 * math.pi):
    """p with jumps of more than half a period removed by adding multiples of the period."""
    from .indexing import where
    from .reductions import cumsum
    from .joining import concatenate, diff
    p = array_of(p)
    if dtypes.kind(p.dtype) == 'c':
        raise TypeError(f'unwrap is not for complex numbers, got {p.aval}')
    integers = dtypes.is_integer(p.dtype) and dtypes.is_integer(node_of(period).aval.dtype)
    if not integers:
        p = inexact_array(p)
    d = diff(p, axis=axis)
    half = period // 2 if integers else period / 2
    wrapped = remainder(d + half, period) - half
    wrapped = where((wrapped == -half) & (d > 0), half, wrapped)
    correction = where(abs(d) < (half if discont is None else discont), 0, wrapped - d)
    start = build.slice_axis(p._node, axis % p.ndim, 0, min(1, p.shape[axis]))
    rest = build.slice_axis(p._node, axis % p.ndim, 1, p.shape[axis]) if p.shape[axis] else start
    return concatenate([wrap(start), wrap(rest) + cumsum(correction, axis)], axis)


# --- other names of the same functions ------------------------------------------------------------------------------

for _new, _old in (('absolute', 'abs'), ('acos', 'arccos'), ('acosh', 'arccosh'), ('asin', 'arcsin'),
                   ('asinh', 'arcsinh'), ('atan', 'arctan'), ('atan2', 'arctan2'), ('atanh', 'arctanh'),
                   ('bitwise_invert', 'invert'), ('bitwise_not', 'invert'), ('bitwise_left_shift', 'left_shift'),
                   ('bitwise_right_shift', 'right_shift'), ('conj', 'conjugate'), ('degrees', 'rad2deg'),
                   ('radians', 'deg2rad'), ('mod', 'remainder'), ('pow', 'power'), ('true_divide', 'divide'),
                   ('around', 'round')):
    globals()[_new] = globals()[_old]
    __all__.append(_new)
