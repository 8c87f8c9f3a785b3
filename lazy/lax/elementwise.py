"""Elementwise operations, choices between values, and conversions."""
import enum
import operator

from .. import trees
from ..array import as_node, wrap
from ..ir import build, dtypes, ops
from .operands import named, operands


def _unary(name, op, doc, takes_accuracy=False):
    if takes_accuracy:
        def function(x, accuracy=None):
            return wrap(build.apply(op, as_node(x)))
    else:
        def function(x):
            return wrap(build.apply(op, as_node(x)))
    return named(function, name, doc)


def _binary(name, op, doc):
    def function(x, y):
        return _apply(name, op, x, y)
    return named(function, name, doc)


def _order(name, op, doc):
    """A comparison, which in lax complex numbers don't have (lazy.numpy's take their parts in order)."""
    def function(x, y):
        nodes = operands(name, x, y)
        if dtypes.kind(nodes[0].aval.dtype) == 'c':
            raise TypeError(f'lax.{name} does not accept {nodes[0].aval.dtype}')
        return wrap(build.apply(op, *nodes))
    return named(function, name, doc)


def _apply(name, op, x, y):
    return wrap(build.apply(op, *operands(name, x, y)))


for _name, _op, _doc in (
        ('neg', ops.neg, '-x'), ('abs', ops.abs_, '|x|; real for complex x'), ('sign', ops.sign, 'Sign of x'),
        ('floor', ops.floor, 'Largest integer not above x'), ('ceil', ops.ceil, 'Smallest integer not below x'),
        ('square', ops.square, 'x * x'), ('reciprocal', ops.reciprocal, '1 / x'),
        ('erf', ops.erf, 'Error function'), ('erfc', ops.erfc, '1 - erf(x), accurate for large x'),
        ('erf_inv', ops.erf_inv, 'Inverse of the error function'), ('lgamma', ops.lgamma, 'log |Gamma(x)|'),
        ('digamma', ops.digamma, 'Derivative of lgamma'), ('is_finite', ops.is_finite, 'Neither infinite nor NaN'),
        ('bessel_i0e', ops.bessel_i0e, 'exp(-|x|) I0(x), I0 the modified Bessel function'),
        ('bessel_i1e', ops.bessel_i1e, 'exp(-|x|) I1(x), I1 the modified Bessel function'),
        ('bitwise_not', ops.not_, '~x'), ('population_count', ops.population_count, 'Number of bits that are 1'),
        ('clz', ops.clz, 'Number of leading zero bits'), ('asinh', ops.asinh, 'Inverse hyperbolic sine'),
        ('acosh', ops.acosh, 'Inverse hyperbolic cosine'), ('atanh', ops.atanh, 'Inverse hyperbolic tangent'),
        ('sinh', ops.sinh, 'Hyperbolic sine'), ('cosh', ops.cosh, 'Hyperbolic cosine')):
    globals()[_name] = _unary(_name, _op, _doc)
for _name, _op, _doc in (
        ('exp', ops.exp, 'e**x'), ('exp2', ops.exp2, '2**x'), ('expm1', ops.expm1, 'e**x - 1'),
        ('log', ops.log, 'Natural logarithm'), ('log1p', ops.log1p, 'log(1 + x)'), ('sqrt', ops.sqrt, 'Square root'),
        ('rsqrt', ops.rsqrt, '1 / sqrt(x)'), ('cbrt', ops.cbrt, 'Cube root'), ('sin', ops.sin, 'Sine'),
        ('cos', ops.cos, 'Cosine'), ('tan', ops.tan, 'Tangent'), ('tanh', ops.tanh, 'Hyperbolic tangent'),
        ('asin', ops.asin, 'Inverse sine'), ('acos', ops.acos, 'Inverse cosine'), ('atan', ops.atan, 'Inverse tangent'),
        ('logistic', ops.logistic, '1 / (1 + exp(-x))')):
    globals()[_name] = _unary(_name, _op, _doc, True)
for _name, _op, _doc in (
        ('add', ops.add, 'x + y'), ('sub', ops.sub, 'x - y'),
        ('rem', ops.rem, 'Remainder of x / y, with the sign of x'),
        ('max', ops.max_, 'The larger one; NaN if one is NaN'),
        ('min', ops.min_, 'The smaller one; NaN if one is NaN'), ('atan2', ops.atan2, 'Angle of the point (y, x)'),
        ('bitwise_and', ops.and_, 'x & y'), ('bitwise_or', ops.or_, 'x | y'), ('bitwise_xor', ops.xor, 'x ^ y'),
        ('shift_left', ops.shift_left, 'x << y; 0 where y is the number of bits or more'),
        ('shift_right_logical', ops.shift_right_logical, 'x >> y, filled with zeros'),
        ('shift_right_arithmetic', ops.shift_right_arithmetic, 'x >> y, filled with the sign'),
        ('eq', ops.eq, 'x == y'), ('ne', ops.ne, 'x != y'), ('complex', ops.complex_, 'x + iy')):
    globals()[_name] = _binary(_name, _op, _doc)
for _name, _op, _doc in (('lt', ops.lt, 'x < y'), ('le', ops.le, 'x <= y'), ('gt', ops.gt, 'x > y'),
                         ('ge', ops.ge, 'x >= y')):
    globals()[_name] = _order(_name, _op, _doc)


def nextafter(x1, x2):
    """Next number after x1 in the direction of x2."""
    return _apply('nextafter', ops.nextafter, x1, x2)


def igamma(a, x):
    """Regularised lower incomplete gamma function."""
    return _apply('igamma', ops.igamma, a, x)


def igammac(a, x):
    """Regularised upper incomplete gamma function, 1 - igamma(a, x)."""
    return _apply('igammac', ops.igammac, a, x)


def igamma_grad_a(a, x):
    """Derivative of igamma by its first argument."""
    return _apply('igamma_grad_a', ops.igamma_grad_a, a, x)


def random_gamma_grad(a, x):
    """Derivative of a sample x of a gamma distribution by its shape a."""
    return _apply('random_gamma_grad', ops.random_gamma_grad, a, x)


def zeta(x, q):
    """Hurwitz zeta function, the sum of (k + q)**-x over k = 0, 1, ..."""
    return _apply('zeta', ops.zeta, x, q)


def mul(x, y, *, out_dtype=None):
    """x * y; with out_dtype the product of x and y converted to it."""
    a, b = operands('mul', x, y)
    if out_dtype is not None:
        a, b = (build.convert(node, dtypes.as_dtype(out_dtype)) for node in (a, b))
    return wrap(build.mul(a, b))


def real(x):
    """Real part; of real x x itself."""
    node = as_node(x)
    return wrap(build.real(node) if dtypes.kind(node.aval.dtype) == 'c' else node)


def imag(x):
    """Imaginary part of a complex array."""
    return wrap(build.imag(as_node(x)))


def conj(x, input_dtype=None):
    """Complex conjugate; real x are converted to complex numbers first."""
    node = as_node(x)
    return wrap(build.conj(build.convert(node, dtypes.complex_of(node.aval.dtype))))


def div(x, y):
    """x / y; of integers the quotient is rounded toward zero.

    >>> import lazy, lazy.numpy as np
    >>> lazy.lax.div(np.array([-7, 7]), np.array([2, 2])).tolist()
    [-3, 3]
    """
    a, b = operands('div', x, y)
    if dtypes.is_inexact(a.aval.dtype):
        return wrap(build.div(a, b))
    exact = build.sub(a, build.apply(ops.rem, a, b))
    return wrap(build.apply(ops.floor_divide, exact, b))


def pow(x, y):
    """x ** y; an integer y need not have the dtype of x."""
    if type(y) is int:
        return integer_pow(x, y)
    a, b = as_node(x), as_node(y)
    if dtypes.is_inexact(a.aval.dtype) and dtypes.is_integer(b.aval.dtype):
        b = build.convert(b, a.aval.dtype, b.aval.weak)
    return wrap(build.apply(ops.pow_, *operands('pow', wrap(a), wrap(b))))


def integer_pow(x, y):
    """x ** y for a Python integer y, by repeated products."""
    return wrap(build.integer_pow(as_node(x), operator.index(y)))


def betainc(a, b, x):
    """Regularised incomplete beta function I_x(a, b)."""
    return wrap(build.apply(ops.regularized_incomplete_beta, *operands('betainc', a, b, x)))


def polygamma(m, x):
    """m-th derivative of digamma; m is a Python integer."""
    return wrap(build.make(ops.polygamma, (as_node(x),), (int(m),)))


class RoundingMethod(enum.IntEnum):
    """What `round` does with halves."""
    AWAY_FROM_ZERO = 0
    TO_NEAREST_EVEN = 1


def round(x, rounding_method=RoundingMethod.AWAY_FROM_ZERO):
    """Nearest integer; halves away from zero, or to the even neighbour.

    >>> import lazy
    >>> float(lazy.lax.round(2.5)), float(lazy.lax.round(2.5, lazy.lax.RoundingMethod.TO_NEAREST_EVEN))
    (3.0, 2.0)
    """
    node = as_node(x)
    if RoundingMethod(rounding_method) is RoundingMethod.TO_NEAREST_EVEN:
        return wrap(build.apply(ops.round_, node))
    whole = build.apply(ops.trunc, node)
    half = build.ge(build.apply(ops.abs_, build.sub(node, whole)), build.scalar_like(node, 0.5))
    away = build.add(whole, build.apply(ops.copysign, build.scalar_like(node, 1), node))
    return wrap(build.select(half, away, whole))


def clamp(min, x, max):
    """x limited to [min, max]; the bounds have x's shape or none. Where min is above max the result is max.

    >>> import lazy, lazy.numpy as np
    >>> lazy.lax.clamp(0., np.array([-1., .5, 3.]), 1.).tolist()
    [0.0, 0.5, 1.0]
    """
    low, node, high = operands('clamp', min, x, max)
    for bound, name in ((low, 'min'), (high, 'max')):
        if bound.aval.shape not in ((), node.aval.shape):
            raise TypeError(f'clamp requires {name} to have the shape of x, {node.aval.shape}, or (), '
                            f'got {bound.aval.shape}')
    node = build.select(build.apply(ops.le, node, low), low, node)
    return wrap(build.select(build.ge(node, high), high, node))


# --- choosing --------------------------------------------------------------------------------------------------------

def select(pred, on_true, on_false):
    """on_true where pred, else on_false; pred has their shape or none.

    >>> import lazy, lazy.numpy as np
    >>> lazy.lax.select(np.array([True, False]), np.array([1, 2]), np.array([3, 4])).tolist()
    [1, 4]
    """
    c = as_node(pred)
    x, y = operands('select', on_true, on_false)
    if x.aval.shape != y.aval.shape:
        raise TypeError(f'select cases must have the same shapes, got {x.aval.shape} and {y.aval.shape}')
    _check_which(c, x, 'select')
    if dtypes.kind(c.aval.dtype) != 'b':
        raise TypeError(f'select needs a boolean predicate, got {c.aval}')
    return wrap(build.select(c, x, y))


def _check_which(which, case, name):
    if which.aval.shape not in ((), case.aval.shape):
        raise TypeError(f'{name} predicate must be a scalar or have the shape of the cases, {case.aval.shape}, got '
                        f'{which.aval.shape}')


def select_n(which, *cases):
    """cases[which]: two cases for a boolean `which` (False is the first), any number for int32."""
    w, nodes = as_node(which), operands('select_n', *cases)
    _check_which(w, nodes[0], 'select_n')
    if dtypes.kind(w.aval.dtype) == 'b':
        if len(nodes) > 2:
            raise TypeError(f'select_n with a boolean predicate takes two cases, got {len(nodes)}')
        return wrap(nodes[0] if len(nodes) == 1 else build.select(w, nodes[1], nodes[0]))
    result = nodes[-1]
    for i in range(len(nodes) - 2, -1, -1):
        result = build.select(build.apply(ops.le, w, build.scalar_like(w, i)), nodes[i], result)
    return wrap(result)


# --- types -----------------------------------------------------------------------------------------------------------

def convert_element_type(operand, new_dtype):
    """The values in another dtype; a fraction is cut off, complex numbers lose their imaginary part.

    >>> import lazy
    >>> int(lazy.lax.convert_element_type(2.7, 'int32'))
    2
    """
    return wrap(build.convert(as_node(operand), dtypes.as_dtype(new_dtype)))


def dtype(x):
    """The dtype of an array or scalar, or that a type stands for."""
    found = x if isinstance(x, type) else getattr(x, 'dtype', None)
    return dtypes.as_dtype(found) if found is not None else as_node(x).aval.dtype


def optimization_barrier(operand):
    """The operand (a tree), computed before what uses it and not fused with it."""
    return trees.map(lambda leaf: wrap(build.apply(ops.fusion_barrier, as_node(leaf))), operand)
