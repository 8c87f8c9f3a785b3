"""Polynomials as vectors of coefficients, the highest power first, as NumPy's poly functions."""

import numpy as onp

from . import elementwise as el
from . import linalg
from . import reductions as red
from ..array import to_numpy
from ._util import array_of, build, dtypes, inexact_array, promoted, static_int, wrap
from .creation import diag, full, vander
from .products import convolve, dot, outer
from .joining import concatenate, pad
from .shape import atleast_1d

__all__ = ['poly', 'polyadd', 'polyder', 'polydiv', 'polyfit', 'polyint', 'polymul', 'polysub', 'polyval', 'roots']


def polyval(p, x, *, unroll=16):
    """The polynomial's values at x, by Horner's scheme."""
    p, x = [wrap(n) for n in promoted(p, x)]
    if p.ndim < 1:
        raise ValueError('polyval needs a vector of coefficients, got a scalar')
    result = wrap(build.full(x.shape, 0, x.dtype))
    for i in range(p.shape[0]):
        result = p[i] if i == 0 and not x.ndim else result * x + p[i] if i else result + p[i]
    return result


def polyadd(a1, a2):
    """The sum of two polynomials."""
    a, b = [wrap(n) for n in promoted(a1, a2)]
    n = max(a.shape[-1], b.shape[-1])
    return pad(a, (n - a.shape[-1], 0)) + pad(b, (n - b.shape[-1], 0))


def polysub(a1, a2):
    """The difference of two polynomials."""
    return polyadd(a1, -array_of(a2))


def polymul(a1, a2, *, trim_leading_zeros=False):
    """The product of two polynomials; trimming leading zeros forces the values."""
    a, b = [wrap(n) for n in promoted(a1, a2, inexact=True)]
    if trim_leading_zeros:
        a, b = _trimmed(a), _trimmed(b)
    a = a if a.size else wrap(build.full((1,), 0, a.dtype))
    b = b if b.size else wrap(build.full((1,), 0, b.dtype))
    return convolve(a, b)


def _trimmed(p):
    known = onp.flatnonzero(to_numpy(p._node, 'int'))
    return p[int(known[0]) if known.size else p.shape[0]:]


def polydiv(u, v, *, trim_leading_zeros=False):
    """(quotient, remainder) of two polynomials; trimming the remainder's leading zeros forces the values."""
    u, v = [atleast_1d(wrap(n)) for n in promoted(u, v, inexact=True)]
    m, n = u.shape[0] - 1, v.shape[0] - 1
    scale, rest, quotient = 1 / v[0], u, []
    for k in range(m - n + 1):
        d = scale * rest[k]
        quotient.append(d)
        rest = rest.at[k:k + n + 1].add(-d * v)
    from .joining import stack
    q = stack(quotient) if quotient else wrap(build.full((1,), 0, u.dtype))
    if trim_leading_zeros:
        rest = _trimmed(rest)
        rest = rest if rest.size else wrap(build.full((1,), 0, u.dtype))
    return q, rest


def polyder(p, m=1):
    """The m-th derivative of a polynomial."""
    m = static_int(m, 'm')
    if m < 0:
        raise ValueError('Order of derivative must be positive')
    p = inexact_array(p)
    n = p.shape[0]
    if m >= n:
        return wrap(build.full((0,), 0, p.dtype))
    powers = onp.arange(n - 1, m - 1, -1)
    factors = onp.prod([powers - i for i in range(m)], axis=0) if m else onp.ones(n)
    return p[:n - m] * array_of(factors.astype(onp.float64)).astype(p.dtype)


def polyint(p, m=1, k=None):
    """The m-th integral of a polynomial, with integration constants k (0 by default)."""
    m = static_int(m, 'm')
    if m < 0:
        raise ValueError('Order of integral must be positive')
    p = inexact_array(p)
    k = atleast_1d(array_of(0 if k is None else k)).astype(p.dtype)
    if k.shape[0] not in (1, m) and m:
        raise ValueError(f'k must be a scalar or a vector of length m: got shape {k.shape} for m = {m}')
    for i in range(m):
        n = p.shape[0]
        constant = k[min(i, k.shape[0] - 1)][None]
        p = concatenate([p / array_of(onp.arange(n, 0, -1.0)).astype(p.dtype), constant])
    return p


def poly(seq_of_zeros):
    """The polynomial with these zeros, or the characteristic polynomial of a square matrix."""
    z = atleast_1d(inexact_array(seq_of_zeros))
    if z.ndim == 2:
        if z.shape[0] != z.shape[1]:
            raise ValueError(f'input must be a vector or a square matrix, got shape {z.shape}')
        real = dtypes.kind(z.dtype) != 'c'
        found = poly(linalg.eigvals(z))
        return el.real(found) if real else found
    if z.ndim != 1:
        raise ValueError(f'input must be a vector or a square matrix, got shape {z.shape}')
    result = full((1,), 1, z.dtype)
    for i in range(z.shape[0]):
        result = pad(result, (0, 1)) - pad(z[i] * result, (1, 0))
    return result


def roots(p, *, strip_zeros=True):
    """The zeros of a polynomial, complex: eigenvalues of its companion matrix.

    Leading and trailing zeros are stripped, which forces the values; strip_zeros=False leaves them.
    """
    p = atleast_1d(inexact_array(p))
    if p.ndim != 1:
        raise ValueError(f'Input must be a rank-1 array, got shape {p.shape}')
    zeros_ = 0
    if strip_zeros:
        known = onp.flatnonzero(to_numpy(p._node, 'int'))
        if not known.size:
            return wrap(build.full((0,), 0, dtypes.complex_of(p.dtype)))
        zeros_ = p.shape[0] - 1 - int(known[-1])
        p = p[int(known[0]):int(known[-1]) + 1]
    n = p.shape[0]
    dtype = dtypes.complex_of(p.dtype)
    found = wrap(build.full((0,), 0, dtype))
    if n > 1:
        top = -p[1:] / p[0]
        below = diag(full((n - 2,), 1, p.dtype), -1)[1:] if n > 2 else wrap(build.full((0, 1), 0, p.dtype))
        found = linalg.eigvals(concatenate([top[None], below]))
    return concatenate([found, wrap(build.full((zeros_,), 0, dtype))]) if zeros_ else found


def polyfit(x, y, deg, rcond=None, full=False, w=None, cov=False):
    """The polynomial of degree `deg` that fits y at x in the least squares sense, weighted by w.

    With `full` also residuals, rank, singular values and rcond; with `cov` also the covariance of the coefficients.
    """
    x, y = [wrap(n) for n in promoted(x, y, inexact=True)]
    order = static_int(deg, 'deg') + 1
    if order < 1:
        raise ValueError('expected deg >= 0')
    if x.ndim != 1 or not x.size:
        raise TypeError(f'expected a non-empty vector for x, got shape {x.shape}')
    if y.ndim not in (1, 2) or y.shape[0] != x.shape[0]:
        raise TypeError(f'expected x and y to have same length, got shapes {x.shape} and {y.shape}')
    rcond = x.size * float(onp.finfo(x.dtype).eps) if rcond is None else rcond
    matrix, target = vander(x, order), y
    if w is not None:
        w = array_of(w).astype(x.dtype)
        if w.shape != x.shape:
            raise TypeError(f'expected a vector of weights of the length of x, got shape {w.shape}')
        matrix = matrix * w[:, None]
        target = target * (w[:, None] if y.ndim == 2 else w)
    scale = el.sqrt(red.sum(matrix * matrix, 0))
    found, residuals, rank, s = linalg.lstsq(matrix / scale, target, rcond)
    found = (found.T / scale).T
    if full:
        return found, residuals, rank, s, wrap(build.literal(rcond, x.dtype))
    if not cov:
        return found
    scaled = matrix / scale
    base = linalg.inv(dot(scaled.T, scaled)) / outer(scale, scale)
    if cov == 'unscaled':
        factor = 1.0
    else:
        if x.size <= order:
            raise ValueError('the number of data points must exceed order to scale the covariance matrix')
        factor = residuals / (x.size - order)
    return found, base * factor if y.ndim == 1 else base[:, :, None] * factor
