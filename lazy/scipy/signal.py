"""Convolution, correlation and spectra of signals, with the signatures of jax.scipy.signal.

Integers are computed in the default float type. The `precision` argument is accepted for compatibility: float32
products are computed in float32 always.
"""
import functools
import math
import operator

import numpy as onp

from .. import lax
from .. import numpy as np
from ..array import as_node, wrap
from ..ir import dtypes
from ..numpy._util import axes_of, axis_of, inexact_array, promoted

__all__ = ['convolve', 'convolve2d', 'correlate', 'correlate2d', 'csd', 'detrend', 'fftconvolve', 'istft', 'stft',
           'welch']

# elements of a kernel up to which a convolution is one sum of shifted signals, fused into one pass
SMALL = 64


# --- convolution -----------------------------------------------------------------------------------------------------

def convolve(in1, in2, mode='full', method='auto', precision=None):
    """The convolution sum over j of in1[i - j] in2[j] of two arrays of equally many dimensions.

    mode: 'full', 'same' (the middle of it, with the shape of in1) or 'valid' (where they overlap fully: one must be at
    least as large as the other in every dimension). method: 'direct', 'fft', or 'auto', direct where one has up to 64
    elements.

    >>> import lazy
    >>> lazy.scipy.signal.convolve([1., 2., 3.], [1., 1.]).tolist()
    [1.0, 3.0, 5.0, 3.0]
    """
    in1, in2 = [wrap(node) for node in promoted(in1, in2, inexact=True)]
    if in1.ndim != in2.ndim:
        raise ValueError(f'in1 and in2 must have the same number of dimensions, got shapes {in1.shape} and {in2.shape}')
    if not in1.size or not in2.size:
        raise ValueError(f'zero-size arrays not supported in convolutions, got shapes {in1.shape} and {in2.shape}.')
    if method not in ('auto', 'direct', 'fft'):
        raise ValueError(f"Got method={method!r}; expected 'auto', 'fft', or 'direct'.")
    if method == 'fft' or method == 'auto' and min(in1.size, in2.size) > SMALL:
        return fftconvolve(in1, in2, mode)
    return _direct(in1, in2, *_section(in1.shape, in2.shape, mode))


def _section(shape1, shape2, mode):
    """(start, sizes) of a mode's part of the full convolution."""
    if mode == 'full':
        return [0] * len(shape1), [n + m - 1 for n, m in zip(shape1, shape2)]
    if mode == 'same':
        return [(m - 1) // 2 for m in shape2], list(shape1)
    if mode != 'valid':
        raise ValueError(f"mode must be one of ['full', 'same', 'valid'], got {mode!r}")
    pairs = list(zip(shape1, shape2))
    if not all(n >= m for n, m in pairs) and not all(n <= m for n, m in pairs):
        raise ValueError("For 'valid' mode, one input must be at least as large as the other in every dimension, got "
                         f'shapes {tuple(shape1)} and {tuple(shape2)}')
    return [min(n, m) - 1 for n, m in pairs], [abs(n - m) + 1 for n, m in pairs]


def _direct(x, kernel, start, sizes):
    """Elements start to start + sizes of the full convolution."""
    if kernel.size > x.size:
        x, kernel = kernel, x
    widths = [(m - 1 - a, a + size - n, 0) for a, size, n, m in zip(start, sizes, x.shape, kernel.shape)]
    x, kernel = lax.pad(x, np.zeros((), x.dtype), widths), np.flip(kernel)
    if kernel.size <= SMALL:
        windows = (x[tuple([slice(i, i + n) for i, n in zip(place, sizes)])] for place in onp.ndindex(kernel.shape))
        return sum(window * weight for window, weight in zip(windows, kernel.reshape(-1)))
    ndim = x.ndim                                       # row i of x[index] is what the kernel is multiplied with for i
    aligned = lambda n, axis: np.arange(n, dtype=dtypes.int32).reshape([n if a == axis else 1 for a in range(2 * ndim)])
    index = tuple([aligned(n, a) + aligned(m, ndim + a) for a, (n, m) in enumerate(zip(sizes, kernel.shape))])
    return np.tensordot(x.at[index].get(mode='clip'), kernel, ndim)


def fftconvolve(in1, in2, mode='full', axes=None):
    """`convolve` by Fourier transforms along axes, all by default; other axes broadcast."""
    in1, in2 = [wrap(node) for node in promoted(in1, in2, inexact=True)]
    if in1.ndim != in2.ndim:
        raise ValueError(f'in1 and in2 should have the same dimensionality, got shapes {in1.shape} and {in2.shape}')
    axes = axes_of(tuple(axes) if hasattr(axes, '__iter__') else axes, in1.ndim)
    own = lambda x: [x.shape[a] for a in axes]
    start, sizes = _section(own(in1), own(in2), mode)
    full = [_fast_length(n + m - 1) for n, m in zip(own(in1), own(in2))]
    if not in1.size or not in2.size:
        batch = np.broadcast_shapes(*[[1 if a in axes else n for a, n in enumerate(x.shape)] for x in (in1, in2)])
        return np.zeros([sizes[axes.index(a)] if a in axes else n for a, n in enumerate(batch)], in1.dtype)
    if dtypes.kind(in1.dtype) == 'c':
        product = np.fft.ifftn(np.fft.fftn(in1, full, axes) * np.fft.fftn(in2, full, axes), full, axes)
    else:
        product = np.fft.irfftn(np.fft.rfftn(in1, full, axes) * np.fft.rfftn(in2, full, axes), full, axes)
    for axis, a, n in zip(axes, start, sizes):
        product = lax.slice_in_dim(product, a, a + n, axis=axis)
    return product.astype(in1.dtype)


@functools.lru_cache(maxsize=1024)
def _fast_length(n):
    """The next even number whose prime factors are 2, 3 and 5: transforms of such lengths take the least time."""
    powers = [3**i * 5**j for i in range(n.bit_length()) for j in range(n.bit_length()) if 3**i * 5**j < 2 * n]
    return min([p << max(1, (-(-n // p) - 1).bit_length()) for p in powers]) if n > 1 else n


def correlate(in1, in2, mode='full', method='auto', precision=None):
    """The correlation sum over j of in1[i + j] conj(in2[j]); arguments are those of `convolve`."""
    return convolve(in1, np.flip(np.conj(in2)), mode, method)


def convolve2d(in1, in2, mode='full', boundary='fill', fillvalue=0, precision=None):
    """The convolution of two matrices; boundary says what surrounds in1: 'fill' (with fillvalue), 'wrap' or 'symm'."""
    in1, in2 = _matrices('convolve2d', in1, in2)
    return _convolve2d(in1, in2, *_section(in1.shape, in2.shape, mode), boundary, fillvalue)


def correlate2d(in1, in2, mode='full', boundary='fill', fillvalue=0, precision=None):
    """The correlation of two matrices: in1 with the conjugate of in2; other arguments as in `convolve2d`."""
    in1, in2 = _matrices('correlate2d', in1, in2)
    start, sizes = _section(in1.shape, in2.shape, mode)
    start = [m // 2 for m in in2.shape] if mode == 'same' else start
    return _convolve2d(in1, np.flip(np.conj(in2)), start, sizes, boundary, fillvalue)


def _matrices(name, *arrays):
    found = [wrap(node) for node in promoted(*arrays, inexact=True)]
    if any(x.ndim != 2 or not x.size for x in found):
        raise ValueError(f'{name}() only supports 2-dimensional inputs with elements, got shapes '
                         f'{" and ".join(str(x.shape) for x in found)}')
    return found


def _convolve2d(in1, in2, start, sizes, boundary, fillvalue):
    modes = {'fill': dict(mode='constant', constant_values=fillvalue), 'wrap': dict(mode='wrap'),
             'symm': dict(mode='symmetric')}
    if boundary not in modes:
        raise ValueError(f"boundary must be 'fill', 'wrap' or 'symm', got {boundary!r}")
    if boundary != 'fill' or fillvalue != 0:
        in1 = np.pad(in1, [(m - 1, m - 1) for m in in2.shape], **modes[boundary])
        start = [a + m - 1 for a, m in zip(start, in2.shape)]
    if min(in1.size, in2.size) <= SMALL:
        return _direct(in1, in2, start, sizes)
    return fftconvolve(in1, in2)[tuple([slice(a, a + n) for a, n in zip(start, sizes)])]


# --- trends --------------------------------------------------------------------------------------------------------

def detrend(data, axis=-1, type='linear', bp=0, overwrite_data=None):
    """Without the mean, or without the line of least squares, along an axis; bp: where other lines begin.

    >>> import lazy
    >>> lazy.scipy.signal.detrend([1., 2., 3., 5.], type='constant').tolist()
    [-1.75, -0.75, 0.25, 2.25]
    """
    if overwrite_data is not None:
        raise NotImplementedError('overwrite_data argument not implemented: arrays are immutable')
    if type not in ('constant', 'linear', 'c', 'l'):
        raise ValueError("Trend type must be 'linear' or 'constant'.")
    x = inexact_array(data)
    axis = axis_of(axis, x.ndim)
    if type in ('constant', 'c'):
        return x - np.mean(x, axis, keepdims=True)
    n = x.shape[axis]
    breaks = sorted({0, n, *onp.atleast_1d(bp).tolist()})
    if breaks[0] < 0 or breaks[-1] > n:
        raise ValueError('Breakpoints must be non-negative and less than length of data along given axis.')
    x = np.moveaxis(x, axis, -1)
    parts = [_without_line(x[..., a:b]) for a, b in zip(breaks, breaks[1:])]
    return np.moveaxis(np.concatenate(parts, -1) if parts else x, -1, axis)


def _without_line(x):
    n = x.shape[-1]
    t = np.arange(n, dtype=dtypes.real_of(x.dtype)) - (n - 1) / 2
    slope = np.sum(x * t, -1, keepdims=True) / (n * (n * n - 1) / 12 or 1)         # the sum of t * t
    return x - np.mean(x, -1, keepdims=True) - slope * t


# --- spectra -------------------------------------------------------------------------------------------------------

def _window(window, nperseg, length, dtype):
    """(window, length of segments) from a name or pair for scipy.signal.get_window, or an array."""
    if isinstance(window, (str, tuple)):
        nperseg = min(256 if nperseg is None else nperseg, length)
        if window == 'hann':
            t = np.arange(nperseg, dtype=dtype)
            return (np.sin(t * (math.pi / nperseg)) ** 2 if nperseg > 1 else np.ones(1, dtype)), nperseg
        from scipy.signal import get_window
        return np.asarray(get_window(window, nperseg).astype(dtype)), nperseg
    window = wrap(as_node(window))
    if window.ndim != 1:
        raise ValueError(f'window must be 1-D, got shape {window.shape}')
    if window.size > length:
        raise ValueError('window is longer than input signal')
    if nperseg not in (None, window.size):
        raise ValueError(f'value specified for nperseg ({nperseg}) is different from length of window ({window.size})')
    return window.astype(dtypes.complex_of(dtype) if dtypes.kind(window.dtype) == 'c' else dtype), window.size


def _extended(x, n, boundary):
    modes = {'even': dict(mode='reflect'), 'odd': dict(mode='reflect', reflect_type='odd'),
             'constant': dict(mode='edge'),
             'zeros': dict(mode='constant')}
    if boundary is None:
        return x
    if boundary in ('odd', 'even') and n > x.shape[-1] - 1:
        raise ValueError(f'The extension length n ({n}) is too big. It must not exceed x.shape[axis]-1, which is '
                         f'{x.shape[-1] - 1}.')
    return np.pad(x, [(0, 0)] * (x.ndim - 1) + [(n, n)], **modes[boundary])


def _fill_end(x, count):
    return np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, count)]) if count else x


def _spectra(x, y, fs, window, nperseg, noverlap, nfft, trend, onesided, scaling, axis, mode, boundary=None,
             padded=False):
    """(frequencies, times, Fourier transforms of windowed segments, or their products for mode 'psd')."""
    if boundary not in (None, 'even', 'odd', 'constant', 'zeros'):
        raise ValueError(f"Unknown boundary option {boundary!r}: it is 'even', 'odd', 'constant', 'zeros' or None")
    signals = [wrap(node) for node in promoted(*([x] if y is None else [x, y]), inexact=True)]
    signals = [s.astype(dtypes.float32) if s.dtype.itemsize < 4 else s for s in signals]
    axis = axis_of(axis, signals[0].ndim)
    if any(s.ndim != signals[0].ndim for s in signals):
        raise ValueError(f'x and y must have equally many dimensions, got shapes {[s.shape for s in signals]}')
    signals = [np.moveaxis(s, axis, -1) for s in signals]
    longest = max(s.shape[-1] for s in signals)
    signals = [_fill_end(s, longest - s.shape[-1]) for s in signals]
    dtype = signals[0].dtype
    real = dtypes.real_of(dtype)
    if nperseg is not None and operator.index(nperseg) < 1:
        raise ValueError('nperseg must be a positive integer')
    if any(not s.size for s in signals):
        empty = np.zeros(signals[0].shape, real)
        return empty, empty, np.zeros(np.broadcast_shapes(*[s.shape for s in signals]), dtypes.complex_of(dtype))
    win, nperseg = _window(window, nperseg, longest, real)
    noverlap = nperseg // 2 if noverlap is None else operator.index(noverlap)
    nfft = nperseg if nfft is None else operator.index(nfft)
    if nfft < nperseg:
        raise ValueError(f'nfft ({nfft}) must be greater than or equal to nperseg ({nperseg}).')
    if noverlap >= nperseg:
        raise ValueError(f'noverlap ({noverlap}) must be less than nperseg ({nperseg}).')
    step = nperseg - noverlap
    signals = [_extended(s, nperseg // 2, boundary) for s in signals]
    if padded:
        signals = [_fill_end(s, -(s.shape[-1] - nperseg) % step % nperseg) for s in signals]
    length = signals[0].shape[-1]
    if scaling not in ('density', 'spectrum'):
        raise ValueError(f'Unknown scaling: {scaling}')
    scale = 1 / (fs * np.sum(win * win)) if scaling == 'density' else 1 / np.sum(win) ** 2
    scale = np.sqrt(scale) if mode == 'stft' else scale
    onesided = onesided and dtypes.kind(dtype) != 'c' and dtypes.kind(win.dtype) != 'c'
    found = [_segments(s, win, trend, nperseg, step, nfft, onesided) for s in signals]
    result = (found[0] if mode == 'stft' else np.conj(found[0]) * found[-1]) * scale
    if onesided and mode == 'psd':
        k = np.arange(nfft // 2 + 1, dtype=dtypes.int32)
        result = result * np.where((k == 0) | (2 * k == nfft), 1, 2)[:, None]
    frequencies = (np.fft.rfftfreq if onesided else np.fft.fftfreq)(nfft, 1 / fs, dtype=real)
    times = (np.arange((length - nperseg) // step + 1, dtype=real) * step + nperseg / 2) / fs
    times = times - nperseg / 2 / fs if boundary is not None else times
    if y is None and mode != 'stft':
        result = np.real(result)
    return frequencies, times, result if axis == result.ndim - 2 else np.moveaxis(result, -2, axis)


def _segments(x, win, trend, nperseg, step, nfft, onesided):
    """Fourier transforms (..., frequencies, segments) of the windowed segments of x."""
    starts = np.arange((x.shape[-1] - nperseg) // step + 1, dtype=dtypes.int32) * step
    segments = np.take(x, starts[:, None] + np.arange(nperseg, dtype=dtypes.int32), axis=-1, mode='clip')
    if isinstance(trend, str):
        segments = detrend(segments, type=trend)
    elif callable(trend):
        segments = trend(segments)
    segments = segments * win
    return np.matrix_transpose((np.fft.rfft if onesided else np.fft.fft)(segments, nfft))


def stft(x, fs=1.0, window='hann', nperseg=256, noverlap=None, nfft=None, detrend=False, return_onesided=True,
         boundary='zeros', padded=True, axis=-1):
    """(frequencies, times, Z): the Fourier transforms Z (..., frequencies, times) of windowed segments of x.

    fs: samples per unit of time. window: a name or tuple for scipy.signal.get_window, or an array. nperseg: length of
    segments, of which noverlap elements (half by default) are those of the one before. nfft: length that segments are
    padded to. detrend: False, 'constant', 'linear' or a function of segments. boundary: how x is extended at its ends,
    'even', 'odd', 'constant', 'zeros' or None. padded: zeros are appended up to a whole number of segments.
    """
    return _spectra(x, None, fs, window, nperseg, noverlap, nfft, detrend, return_onesided, 'spectrum', axis, 'stft',
                    boundary, padded)


def csd(x, y, fs=1.0, window='hann', nperseg=None, noverlap=None, nfft=None, detrend='constant', return_onesided=True,
        scaling='density', axis=-1, average='mean'):
    """(frequencies, cross spectral density of x and y) by Welch's method: products of Fourier transforms of overlapping
    segments, averaged ('mean' or 'median').

    scaling: 'density' (per frequency) or 'spectrum'; others as in `stft`. nperseg is 256 by default, and at most x's
    length.
    """
    if average not in ('mean', 'median'):
        raise ValueError(f'average must be "median" or "mean", got {average}')
    frequencies, _, result = _spectra(x, y, fs, window, nperseg, noverlap, nfft, detrend, return_onesided, scaling,
                                      axis, 'psd')
    if not result.size:
        return frequencies, result
    last = result.ndim - 1
    if average == 'mean':
        return frequencies, np.mean(result, last)
    count = result.shape[-1]
    bias = 1 + sum(1 / (i + 1) - 1 / i for i in range(2, count, 2))
    if dtypes.kind(result.dtype) != 'c':
        return frequencies, np.median(result, last) / bias
    return frequencies, lax.complex(np.median(np.real(result), last), np.median(np.imag(result), last)) / bias


def welch(x, fs=1.0, window='hann', nperseg=None, noverlap=None, nfft=None, detrend='constant', return_onesided=True,
          scaling='density', axis=-1, average='mean'):
    """(frequencies, power spectral density of x) by Welch's method; arguments are those of `csd`."""
    frequencies, power = csd(x, None, fs, window, nperseg, noverlap, nfft, detrend, return_onesided, scaling, axis,
                             average)
    return frequencies, np.real(power)


def istft(Zxx, fs=1.0, window='hann', nperseg=None, noverlap=None, nfft=None, input_onesided=True, boundary=True,
          time_axis=-1, freq_axis=-2):
    """(times, x): the signal whose `stft` is Zxx, by least squares where the windows overlap; boundary: whether it was
    extended."""
    z = inexact_array(Zxx)
    if z.ndim < 2:
        raise ValueError('Input stft must be at least 2d!')
    time_axis, freq_axis = axis_of(time_axis, z.ndim), axis_of(freq_axis, z.ndim)
    if time_axis == freq_axis:
        raise ValueError('Must specify differing time and frequency axes!')
    z = np.moveaxis(z, (time_axis, freq_axis), (-2, -1)).astype(dtypes.complex_of(z.dtype))
    default = 2 * (z.shape[-1] - 1) if input_onesided else z.shape[-1]
    nperseg = default if nperseg is None else operator.index(nperseg)
    if nperseg < 1:
        raise ValueError('nperseg must be a positive integer')
    if nfft is None:
        nfft = default + 1 if input_onesided and nperseg == default + 1 else default
    if nfft < nperseg:
        raise ValueError(f'FFT length ({nfft}) must be longer than nperseg ({nperseg}).')
    noverlap = nperseg // 2 if noverlap is None else operator.index(noverlap)
    if noverlap >= nperseg:
        raise ValueError('noverlap must be less than nperseg.')
    step = nperseg - noverlap
    segments = (np.fft.irfft if input_onesided else np.fft.ifft)(z, nfft)[..., :nperseg]
    win, _ = _window(window, nperseg, nperseg, dtypes.real_of(segments.dtype))
    x = _overlapped(segments * np.sum(win) * win, step)
    weight = _overlapped(np.broadcast_to(win * win, segments.shape[-2:]), step)
    if boundary:
        inner = slice(nperseg // 2, x.shape[-1] - nperseg // 2)
        x, weight = x[..., inner], weight[inner]
    x = x / np.where(weight > 1e-10, weight, 1)
    times = np.arange(x.shape[-1], dtype=dtypes.real_of(x.dtype)) / fs
    return times, np.moveaxis(x, -1, time_axis - (freq_axis < time_axis)) if x.ndim > 1 else x


def _overlapped(segments, step):
    """The sum of segments (..., count, n), each moved by `step` against the one before."""
    *batch, count, n = segments.shape
    pieces = -(-n // step)
    parts = _fill_end(segments, pieces * step - n).reshape(*batch, count, pieces, step)
    none = [(0, 0)] * len(batch)
    total = sum(np.pad(parts[..., p, :], [*none, (p, pieces - 1 - p), (0, 0)]) for p in range(pieces))
    return total.reshape(*batch, (count + pieces - 1) * step)[..., :(count - 1) * step + n]
