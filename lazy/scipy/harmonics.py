"""Spherical harmonics."""
import math
import operator

import numpy as onp

from ..array import as_node, wrap
from ..ir import build, dtypes, ops
from .operands import apply, args, like, select


def sph_harm_y(n, m, theta, phi, diff_n=None, n_max=None):
    """Spherical harmonic Y of degree n >= 0 and order m, |m| <= n, at the polar angle theta in [0, pi] and azimuth phi.

    Orthonormal on the sphere, with the Condon-Shortley phase; complex; arguments broadcast. 0 where |m| > n. n_max is
    the largest degree, by default that of n, which must have values then. Differentiable by the angles. The associated
    Legendre functions are found by recurrence over the degree (DLMF 14.10.3, normalised).

    >>> import lazy
    >>> abs(round(float(lazy.scipy.special.sph_harm_y(1, 0, 0.0, 0.0).real), 4))
    0.4886
    """
    if diff_n is not None:
        raise NotImplementedError('sph_harm_y with diff_n: lazy.grad and lazy.jvp differentiate')
    for name, value in (('n', n), ('m', m)):
        if not dtypes.is_integer(as_node(value).aval.dtype):
            raise TypeError(f'sph_harm_y needs integers {name}, got {as_node(value).aval}')
    n_max = int(onp.max(onp.asarray(wrap(as_node(n))), initial=0)) if n_max is None else operator.index(n_max)
    theta, phi = args('sph_harm_y', theta, phi)
    n, m = (wrap(build.convert(as_node(v), theta.dtype)) for v in (n, m))
    order, degree = abs(m), select(n > n_max, like(n, float(n_max)), n)
    size = _legendre(degree, order, theta, n_max)
    size = select((m < 0) & (apply(ops.remainder, order, like(order, 2.0)) == 1), -size, size)
    angle = m * phi
    return apply(ops.complex_, size * apply(ops.cos, angle), size * apply(ops.sin, angle))


def _legendre(n, m, theta, n_max):
    """Normalised associated Legendre functions of cos(theta): from order m = n up to degree n, where it is reached."""
    x, y = apply(ops.cos, theta), apply(ops.sin, theta)
    value = like(theta, math.sqrt(0.25 / math.pi)) + 0 * (n + m + theta)
    for k in range(1, n_max + 1):
        value = select(m >= k, value * y * -math.sqrt(1 + 0.5 / k), value)
    before = 0 * value
    for k in range(1, n_max + 1):
        square = select(m < k, m * m, 0.0)
        low = apply(ops.sqrt, select(m < k, (k - 1) ** 2 - square, 0.0)) / math.sqrt(abs(4 * (k - 1) ** 2 - 1))
        following = apply(ops.sqrt, (4 * k * k - 1) / (k * k - square)) * (x * value - low * before)
        step = (m < k) & (n >= k)
        before, value = select(step, value, before), select(step, following, value)
    return select(m > n, 0.0, value)
