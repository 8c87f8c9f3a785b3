"""Bessel functions of whole order and real argument. Formulas: DLMF 10 (dlmf.nist.gov).

Ordinary ones and those of the second kind are computed by NumPy in float64: of orders 0 and 1 within 4 ulp of their
amplitude, of higher orders SciPy's. K_n is within 4 ulp.
"""
import operator

from ..array import as_node, wrap
from ..ir import build, dtypes, ops
from .operands import apply, args, elementwise

i0e = elementwise('i0e', ops.bessel_i0e, 'exp(-|x|) i0(x).')
i1e = elementwise('i1e', ops.bessel_i1e, 'exp(-|x|) i1(x).')
i0 = elementwise('i0', ops.bessel_i0, 'Modified Bessel function of the first kind of order 0.')
i1 = elementwise('i1', ops.bessel_i1, 'Modified Bessel function of the first kind of order 1.')


def _of_order(name, op, n, x):
    if isinstance(n, bool) or not hasattr(n, '__index__'):
        raise TypeError(f'{name}: the order must be a Python integer, got {n!r}')
    x, = args(name, x)
    return wrap(build.make(op, (x._node,), (operator.index(n),)))


def jn(n, x):
    """Bessel function of the first kind J_n(x); n is a Python integer.

    >>> import lazy
    >>> round(float(lazy.scipy.special.jn(2, 1.0)), 4)
    0.1149
    """
    return _of_order('jn', ops.bessel_j, n, x)


def yn(n, x):
    """Bessel function of the second kind Y_n(x), of x > 0; n is a Python integer."""
    return _of_order('yn', ops.bessel_y, n, x)


def kn(n, x):
    """Modified Bessel function of the second kind K_n(x), of x > 0; n is a Python integer."""
    return apply(ops.exp, -args('kn', x)[0]) * _of_order('kn', ops.bessel_ke, n, x)


def j0(x):
    """Bessel function of the first kind of order 0."""
    return jn(0, x)


def j1(x):
    """Bessel function of the first kind of order 1."""
    return jn(1, x)


def y0(x):
    """Bessel function of the second kind of order 0; -inf at 0, NaN below."""
    return yn(0, x)


def y1(x):
    """Bessel function of the second kind of order 1; -inf at 0, NaN below."""
    return yn(1, x)


def k0(x):
    """Modified Bessel function of the second kind of order 0; inf at 0, NaN below."""
    return kn(0, x)


def k1(x):
    """Modified Bessel function of the second kind of order 1; inf at 0, NaN below."""
    return kn(1, x)


def k0e(x):
    """exp(x) k0(x)."""
    return _of_order('k0e', ops.bessel_ke, 0, x)


def k1e(x):
    """exp(x) k1(x)."""
    return _of_order('k1e', ops.bessel_ke, 1, x)


def bessel_jn(z, *, v, n_iter=50):
    """Bessel functions of the first kind of orders 0, 1, ..., v: shape (v + 1, *z.shape).

    z is of a floating type, v a Python integer. n_iter is JAX's and not needed: every order is exact by itself.

    >>> import lazy
    >>> lazy.scipy.special.bessel_jn(0.0, v=2).tolist()
    [1.0, 0.0, 0.0]
    """
    if isinstance(v, bool) or not hasattr(v, '__index__') or v < 0:
        raise TypeError(f'bessel_jn needs an integer order v >= 0, got {v!r}')
    node = as_node(z)
    if dtypes.kind(node.aval.dtype) != 'f':
        raise ValueError(f'bessel_jn needs z of a floating type, got {node.aval}')
    orders = [build.make(ops.bessel_j, (node,), (n,)) for n in range(operator.index(v) + 1)]
    return wrap(build.concatenate([build.expand_dims(n, (0,)) for n in orders], 0))
