"""Discrete cosine and sine transforms, with the arguments of scipy.fft; and the Fourier transforms of lazy.numpy.fft.

SciPy's pocketfft does the work. Integers are computed in the default float type, narrow floats in float32, and of
complex numbers both parts.
"""
import math
import operator

from .. import lax
from .. import numpy as np
from ..array import wrap
from ..ir import build, dtypes, ops
from ..numpy._util import axis_of, inexact_array
from ..numpy.fft import (fft, fft2, fftfreq, fftn, fftshift, hfft, ifft, ifft2, ifftn, ifftshift,  # noqa: F401
                         ihfft, irfft, irfft2, irfftn, rfft, rfft2, rfftfreq, rfftn)

__all__ = ['dct', 'dctn', 'dst', 'dstn', 'fft', 'fft2', 'fftfreq', 'fftn', 'fftshift', 'hfft', 'idct', 'idctn', 'idst',
           'idstn', 'ifft', 'ifft2', 'ifftn', 'ifftshift', 'ihfft', 'irfft', 'irfft2', 'irfftn', 'rfft', 'rfft2',
           'rfftfreq', 'rfftn']


def dct(x, type=2, n=None, axis=-1, norm=None, *, orthogonalize=None):
    """The cosine transform of type 1, 2, 3 or 4 along an axis; of type 2: 2 sum_j x[j] cos(pi k (2 j + 1) / (2 n)).

    n: the length that the axis is cut or padded with zeros to. norm: 'backward' (None), 'ortho' or 'forward'.
    orthogonalize: whether first or last elements are weighted so that 'ortho' makes an orthogonal matrix; by default
    for 'ortho'.

    Raises ValueError for another type or norm, n < 1 (2 for type 1).

    >>> import lazy
    >>> lazy.scipy.fft.dct([1., 1.]).tolist()
    [4.0, 0.0]
    """
    return _along(x, False, type, n, axis, norm, orthogonalize)


def idct(x, type=2, n=None, axis=-1, norm=None, *, orthogonalize=None):
    """The inverse of `dct`."""
    return _along(x, False, _inverse_type(type), n, axis, _inverse_norm(norm), orthogonalize)


def dst(x, type=2, n=None, axis=-1, norm=None, *, orthogonalize=None):
    """The sine transform of type 1, 2, 3 or 4 along an axis; of type 2: 2 sum_j x[j] sin(pi (k + 1) (2 j + 1) / (2 n)).

    Arguments and errors are those of `dct`.
    """
    return _along(x, True, type, n, axis, norm, orthogonalize)


def idst(x, type=2, n=None, axis=-1, norm=None, *, orthogonalize=None):
    """The inverse of `dst`."""
    return _along(x, True, _inverse_type(type), n, axis, _inverse_norm(norm), orthogonalize)


def dctn(x, type=2, s=None, axes=None, norm=None, *, orthogonalize=None):
    """The cosine transform along several axes, all by default, which are cut or padded to the sizes s."""
    return _many(x, False, type, s, axes, norm, orthogonalize)


def idctn(x, type=2, s=None, axes=None, norm=None, *, orthogonalize=None):
    """The inverse of `dctn`."""
    return _many(x, False, _inverse_type(type), s, axes, _inverse_norm(norm), orthogonalize)


def dstn(x, type=2, s=None, axes=None, norm=None, *, orthogonalize=None):
    """The sine transform along several axes, all by default, which are cut or padded to the sizes s."""
    return _many(x, True, type, s, axes, norm, orthogonalize)


def idstn(x, type=2, s=None, axes=None, norm=None, *, orthogonalize=None):
    """The inverse of `dstn`."""
    return _many(x, True, _inverse_type(type), s, axes, _inverse_norm(norm), orthogonalize)


# --- how -----------------------------------------------------------------------------------------------------------

def _inverse_type(type):
    return {2: 3, 3: 2}.get(type, type)


def _inverse_norm(norm):
    return {None: 'forward', 'backward': 'forward', 'forward': 'backward'}.get(norm, norm)


def _many(x, odd, type, s, axes, norm, orthogonalize):
    x = inexact_array(x)
    if s is not None:
        s = list(s) if hasattr(s, '__iter__') else [s]
    if axes is None:
        axes = range(x.ndim) if s is None else range(x.ndim - len(s), x.ndim)
    axes = [axis_of(a, x.ndim) for a in (axes if hasattr(axes, '__iter__') else (axes,))]
    if len(set(axes)) != len(axes):
        raise ValueError(f'axes must be unique, got {axes}')
    if s is not None and len(s) != len(axes):
        raise ValueError(f'shape and axes have different lengths: {s} and {axes}')
    for axis, n in zip(axes, [None] * len(axes) if s is None else s):
        x = _along(x, odd, type, n, axis, norm, orthogonalize)
    return x


def _along(x, odd, type, n, axis, norm, orthogonalize):
    if type not in (1, 2, 3, 4):
        raise ValueError(f'type must be 1, 2, 3 or 4, got {type!r}')
    if norm not in (None, 'backward', 'ortho', 'forward'):
        raise ValueError(f"norm must be 'backward', 'ortho' or 'forward', got {norm!r}")
    x = inexact_array(x)
    x = x.astype(dtypes.float32) if x.dtype.itemsize < 4 else x
    axis = axis_of(axis, x.ndim)
    n = x.shape[axis] if n is None else operator.index(n)
    least = 2 if type == 1 and not odd else 1
    if n < least:
        raise ValueError(f'Invalid number of data points ({n}) specified: the transform needs at least {least}')
    x = _fitted(x, n, axis)
    weighted = norm == 'ortho' if orthogonalize is None else orthogonalize
    x = _weighted(x, odd, type, axis, math.sqrt(2)) if weighted and type in (1, 3) else x
    transform = lambda part: wrap(build.make(ops.dct, (part._node,), (odd, type, axis)))
    is_complex = dtypes.kind(x.dtype) == 'c'
    y = lax.complex(transform(np.real(x)), transform(np.imag(x))) if is_complex else transform(x)
    y = _weighted(y, odd, type, axis, math.sqrt(0.5)) if weighted and type in (1, 2) else y
    period = 2 * n if type != 1 else 2 * (n + 1) if odd else 2 * (n - 1)
    scale = {'ortho': 1 / math.sqrt(period), 'forward': 1 / period}.get(norm)
    return y if scale is None else y * scale


def _fitted(x, n, axis):
    """x cut, or filled with zeros, to n elements along an axis."""
    have = x.shape[axis]
    if n <= have:
        return lax.slice_in_dim(x, 0, n, axis=axis) if n < have else x
    return np.pad(x, [(0, n - have) if a == axis else (0, 0) for a in range(x.ndim)])


def _weighted(x, odd, type, axis, weight):
    """x with the elements weighted for which the transform's matrix is not orthogonal up to a factor."""
    if odd and type == 1:
        return x
    k, last = lax.broadcasted_iota(dtypes.int32, x.shape, axis), x.shape[axis] - 1
    ends = (k == 0) | (k == last) if type == 1 else k == (last if odd else 0)
    return np.where(ends, weight * x, x)
