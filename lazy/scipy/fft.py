"""Discrete cosine and sine transforms, with the arguments of scipy.fft; and the Fourier transforms of lazy.numpy.fft.

The transforms are Fourier transforms of real numbers of twice the length: of the sequence and its mirror image (Makhoul
1980). Integers are computed in the default float type, narrow floats in float32, and of complex numbers both parts.
"""
import math
import operator

from .. import lax
from .. import numpy as np
from ..ir import dtypes
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
    x = np.moveaxis(_fitted(x, x.shape[axis] if n is None else operator.index(n), axis), axis, -1)
    n = x.shape[-1]
    least = 2 if type == 1 and not odd else 1
    if n < least:
        raise ValueError(f'Invalid number of data points ({n}) specified: the transform needs at least {least}')
    weighted = norm == 'ortho' if orthogonalize is None else orthogonalize
    call = lambda part: _transform(part, odd, type, weighted)
    y = lax.complex(call(np.real(x)), call(np.imag(x))) if dtypes.kind(x.dtype) == 'c' else call(x)
    period = 2 * n if type != 1 else 2 * (n + 1) if odd else 2 * (n - 1)
    scale = {'ortho': 1 / math.sqrt(period), 'forward': 1 / period}.get(norm)
    return np.moveaxis(y if scale is None else y * scale, -1, axis)


def _fitted(x, n, axis):
    """x cut, or filled with zeros, to n elements along an axis."""
    have = x.shape[axis]
    if n <= have:
        return lax.slice_in_dim(x, 0, n, axis=axis) if n < have else x
    return np.pad(x, [(0, n - have) if a == axis else (0, 0) for a in range(x.ndim)])


def _transform(x, odd, type, weighted):
    """Along the last axis, without norm. Sine transforms of types 2 to 4 are cosine transforms, one end being reversed
    and the signs of the other alternating."""
    n = x.shape[-1]
    k = np.arange(n, dtype=x.dtype)
    ends = (k == 0) | (k == n - 1) if type == 1 else k == (n - 1 if odd else 0)
    x = np.where(ends, math.sqrt(2) * x, x) if weighted and (type == 3 or type == 1 and not odd) else x
    y = _sine(x, type, 1 - 2 * (k % 2)) if odd else _cosine(x, type, k)
    return np.where(ends, math.sqrt(0.5) * y, y) if weighted and (type == 2 or type == 1 and not odd) else y


def _sine(x, type, signs):
    n = x.shape[-1]
    k = np.arange(n, dtype=x.dtype)
    if type == 1:
        zero = np.zeros_like(x[..., :1])
        return -np.imag(rfft(np.concatenate([zero, x, zero, -np.flip(x, -1)], -1)))[..., 1:n + 1]
    return np.flip(_cosine(x * signs, 2, k), -1) if type == 2 else signs * _cosine(np.flip(x, -1), type, k)


def _cosine(x, type, k):
    n = x.shape[-1]
    turn = lambda angle: lax.complex(np.cos(angle), np.sin(angle))
    if type == 1:
        return np.real(rfft(np.concatenate([x, np.flip(x[..., 1:-1], -1)], -1)))
    if type == 2:
        found = rfft(np.concatenate([x, np.flip(x, -1)], -1))[..., :n]
        return np.real(found * turn(k * (-math.pi / (2 * n))))
    if type == 3:
        turned = x * turn(k * (math.pi / (2 * n)))
        return irfft(np.concatenate([turned, np.zeros_like(x[..., :1])], -1), 2 * n)[..., :n] * (2 * n)
    found = fft(x * turn(k * (-math.pi / (2 * n))), 2 * n)[..., :n]
    return 2 * np.real(found * turn((2 * k + 1) * (-math.pi / (4 * n))))
