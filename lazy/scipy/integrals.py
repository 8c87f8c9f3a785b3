"""Integrals and hypergeometric functions, elementwise: by NumPy and SciPy in float64, with symbolic derivatives."""
from ..array import as_node, wrap
from ..ir import build, dtypes, ops
from .operands import apply, args, elementwise

erfcx = elementwise('erfcx', ops.erfcx, """exp(x**2) erfc(x).

    >>> import lazy
    >>> round(float(lazy.scipy.special.erfcx(100.0)), 6)
    0.005642
    """)
dawsn = elementwise('dawsn', ops.dawsn, "exp(-x**2) times the integral of exp(t**2) from 0 to x (Dawson's integral).")
exp1 = elementwise('exp1', ops.exp1, """Exponential integral E1: the integral of exp(-t)/t from x to infinity, of x > 0.

    >>> import lazy
    >>> round(float(lazy.scipy.special.exp1(1.0)), 4)
    0.2194
    """)
expi = elementwise('expi', ops.expi, 
                   'Exponential integral Ei: the principal value of the integral of exp(t)/t from -infinity to x.')
spence = elementwise('spence', ops.spence, 
                     'The integral of log(t)/(1 - t) from 1 to x, which is Li2(1 - x), of x >= 0; NaN below.')


def expn(n, x):
    """Generalised exponential integral E_n: the integral of exp(-x t)/t**n from 1 to infinity, for whole n >= 0.

    Differentiable by x.
    """
    return apply(ops.expn, *args('expn', n, x))


def fresnel(x):
    """Fresnel integrals (S, C) of sin(pi t**2/2) and cos(pi t**2/2) from 0 to x.

    >>> import lazy
    >>> [round(float(v), 4) for v in lazy.scipy.special.fresnel(1.0)]
    [0.4383, 0.7799]
    """
    x, = args('fresnel', x)
    return apply(ops.fresnel_sin, x), apply(ops.fresnel_cos, x)


def sici(x):
    """(Si, Ci): the integral of sin(t)/t from 0 to x, and that of cos(t)/t from infinity to x."""
    x, = args('sici', x)
    return apply(ops.sin_integral, x), apply(ops.cos_integral, x)


def owens_t(h, a):
    """Owen's T: probability that X > h and 0 < Y < a X for independent standard normal X and Y."""
    return apply(ops.owens_t, *args('owens_t', h, a))


def wofz(z):
    """Faddeeva function exp(-z**2) erfc(-i z), of complex z; complex."""
    node = as_node(z)
    return wrap(build.apply(ops.wofz, build.convert(node, dtypes.complex_of(dtypes.inexact_of(node.aval.dtype)))))


def hyp1f1(a, b, x):
    """Confluent hypergeometric function 1F1(a; b; x), the sum of (a)_k / (b)_k x**k / k!.

    Differentiable by all three; derivatives by a and b are sums of the series (of exp(x) 1F1(b - a; b; -x) for x < 0),
    whose terms cancel where b < a and x is far below 0.

    >>> import lazy
    >>> round(float(lazy.scipy.special.hyp1f1(1.0, 2.0, 1.0)), 4)
    1.7183
    """
    return apply(ops.hyp1f1, *args('hyp1f1', a, b, x))


def hyp2f1(a, b, c, x):
    """Gauss's hypergeometric function 2F1(a, b; c; x), the sum of (a)_k (b)_k / (c)_k x**k / k!, of x < 1.

    Differentiable by all four; derivatives by a, b and c are sums of the series (after Pfaff's transformation for
    x < 0), which converges slowly near 1: NaN where it takes more than 5000 terms.

    >>> import lazy
    >>> round(float(lazy.scipy.special.hyp2f1(1.0, 1.0, 2.0, 0.5)), 4)
    1.3863
    """
    return apply(ops.hyp2f1, *args('hyp2f1', a, b, c, x))
