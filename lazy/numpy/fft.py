"""Discrete Fourier transforms along axes; the arguments are NumPy's.

Kernels of our own compute them on the CPU where the length has no large prime factor (see `codegen.fft`), else SciPy's
pocketfft.
"""
import math

from . import elementwise as el
from ._util import array_of, axis_of, build, dtype_of, dtypes, fresh, ops, static_int, wrap
from .creation import arange
from .shape import roll

__all__ = ['fft', 'ifft', 'fft2', 'ifft2', 'fftn', 'ifftn', 'rfft', 'irfft', 'rfft2', 'irfft2', 'rfftn', 'irfftn',
           'hfft', 'ihfft', 'fftfreq', 'rfftfreq', 'fftshift', 'ifftshift']


def _operand(a, kind):
    """The argument in a dtype that the transform takes."""
    x = array_of(a)
    dtype = dtypes.float32 if dtypes.inexact_of(x.dtype).itemsize < 4 else dtypes.inexact_of(x.dtype)
    if kind == 'rfft' and dtypes.kind(dtype) == 'c':
        raise ValueError(f'rfft needs real input, got {x.aval}')
    return x.astype(dtypes.complex_of(dtype) if kind != 'rfft' else dtype)


def _transform(kind, x, n, axis, norm):
    """One axis. n: the length that the input is cut or padded to; of the result for irfft."""
    if norm not in (None, 'backward', 'ortho', 'forward'):
        raise ValueError(f'norm must be "backward", "ortho" or "forward", not {norm!r}')
    axis = axis_of(axis, x.ndim)
    have = x.shape[axis]
    n = (2 * (have - 1) if kind == 'irfft' else have) if n is None else static_int(n, 'n')
    if n < 1:
        raise ValueError(f'Invalid number of data points ({n}) specified.')
    length = n // 2 + 1 if kind == 'irfft' else n
    node = x._node
    if length < have:
        node = build.slice_axis(node, axis, 0, length)
    elif length > have:
        node = build.pad(node, [0] * x.ndim, [length - have if i == axis else 0 for i in range(x.ndim)])
    result = wrap(build.make(ops.fft, (node,), (kind, axis, n)))
    inverse = kind in ('ifft', 'irfft')
    scale = {'ortho': math.sqrt(n) if inverse else 1 / math.sqrt(n),
             'forward': float(n) if inverse else 1 / n}.get(norm)
    return result if scale is None else result * scale


def fft(a, n=None, axis=-1, norm=None):
    """The transform along an axis: sum of a[j] exp(-2 pi i j k / n).

    n: the length that the axis is cut or padded with zeros to. norm: 'backward' (None), 'ortho' or 'forward'.

    Raises AxisError for an axis out of range, ValueError for n < 1 or an unknown norm.

    >>> import lazy.numpy as np
    >>> np.fft.fft(np.ones(4)).real.tolist()
    [4.0, 0.0, 0.0, 0.0]
    """
    return _transform('fft', _operand(a, 'fft'), n, axis, norm)


def ifft(a, n=None, axis=-1, norm=None):
    """The inverse of `fft`."""
    return _transform('ifft', _operand(a, 'ifft'), n, axis, norm)


def rfft(a, n=None, axis=-1, norm=None):
    """The transform of real input: the n // 2 + 1 values that are not conjugates of others."""
    return _transform('rfft', _operand(a, 'rfft'), n, axis, norm)


def irfft(a, n=None, axis=-1, norm=None):
    """The inverse of `rfft`; n is the length of the result, 2 (m - 1) by default."""
    return _transform('irfft', _operand(a, 'irfft'), n, axis, norm)


def hfft(a, n=None, axis=-1, norm=None):
    """The transform, which is real, of a signal with Hermitian symmetry."""
    x = _operand(a, 'irfft')
    length = 2 * (x.shape[axis_of(axis, x.ndim)] - 1) if n is None else n
    other = {None: 'forward', 'backward': 'forward', 'ortho': 'ortho', 'forward': 'backward'}
    return irfft(el.conj(x), length, axis, other.get(norm, norm))


def ihfft(a, n=None, axis=-1, norm=None):
    """The inverse of `hfft`."""
    other = {None: 'forward', 'backward': 'forward', 'ortho': 'ortho', 'forward': 'backward'}
    return el.conj(rfft(a, n, axis, other.get(norm, norm)))


def _many(kind, a, s, axes, norm):
    x = fresh(_operand(a, kind))
    if axes is None:
        axes = tuple(range(x.ndim)) if s is None else tuple(range(x.ndim - len(s), x.ndim))
    axes = [axis_of(i, x.ndim) for i in axes]
    if len(set(axes)) != len(axes):
        raise ValueError(f'axes must be unique, got {axes}')
    if s is not None and len(s) != len(axes):
        raise ValueError(f'shape and axes have different lengths: {s} and {axes}')
    sizes = [None] * len(axes) if s is None else [None if n in (None, -1) else n for n in s]
    if not axes:
        return x
    complex_kind = 'ifft' if kind in ('ifft', 'irfft') else 'fft'
    pairs = list(zip(axes, sizes))
    if kind == 'irfft':                                              # complex axes first, the real one last
        for axis, n in pairs[:-1]:
            x = _transform(complex_kind, x, n, axis, norm)
        return _transform('irfft', x, pairs[-1][1], pairs[-1][0], norm)
    x = _transform(kind, x, pairs[-1][1], pairs[-1][0], norm)
    for axis, n in pairs[-2::-1]:
        x = _transform(complex_kind, x, n, axis, norm)
    return x


def fftn(a, s=None, axes=None, norm=None):
    """The transform along several axes, all by default."""
    return _many('fft', a, s, axes, norm)


def ifftn(a, s=None, axes=None, norm=None):
    """The inverse of `fftn`."""
    return _many('ifft', a, s, axes, norm)


def rfftn(a, s=None, axes=None, norm=None):
    """The transform of real input along several axes, the last of them halved."""
    return _many('rfft', a, s, axes, norm)


def irfftn(a, s=None, axes=None, norm=None):
    """The inverse of `rfftn`."""
    return _many('irfft', a, s, axes, norm)


def fft2(a, s=None, axes=(-2, -1), norm=None):
    """The transform along two axes."""
    return _many('fft', a, s, axes, norm)


def ifft2(a, s=None, axes=(-2, -1), norm=None):
    """The inverse of `fft2`."""
    return _many('ifft', a, s, axes, norm)


def rfft2(a, s=None, axes=(-2, -1), norm=None):
    """The transform of real input along two axes, the last of them halved."""
    return _many('rfft', a, s, axes, norm)


def irfft2(a, s=None, axes=(-2, -1), norm=None):
    """The inverse of `rfft2`."""
    return _many('irfft', a, s, axes, norm)


# --- frequencies ------------------------------------------------------------------------------------------------------

def _samples(n):
    n = static_int(n, 'n')
    if n < 1:
        raise ValueError(f'n must be positive, got {n}')
    return n


def fftfreq(n, d=1.0, *, dtype=None, device=None):
    """The frequencies of the values of `fft` for n samples at distance d."""
    n = _samples(n)
    dtype = dtype_of(dtype) or dtypes.default_float()
    k = arange(n, dtype=dtypes.int32)
    from .indexing import where
    return where(k < (n + 1) // 2, k, k - n).astype(dtype) / (n * d)


def rfftfreq(n, d=1.0, *, dtype=None, device=None):
    """The frequencies of the values of `rfft` for n samples at distance d."""
    n = _samples(n)
    return arange(n // 2 + 1, dtype=dtypes.int32).astype(dtype_of(dtype) or dtypes.default_float()) / (n * d)


def fftshift(x, axes=None):
    """The zero frequency moved to the middle of axes."""
    x = array_of(x)
    axes = range(x.ndim) if axes is None else axes if isinstance(axes, (tuple, list)) else (axes,)
    return roll(x, tuple([x.shape[i] // 2 for i in axes]), tuple(axes))


def ifftshift(x, axes=None):
    """The inverse of `fftshift`."""
    x = array_of(x)
    axes = range(x.ndim) if axes is None else axes if isinstance(axes, (tuple, list)) else (axes,)
    return roll(x, tuple([-(x.shape[i] // 2) for i in axes]), tuple(axes))
