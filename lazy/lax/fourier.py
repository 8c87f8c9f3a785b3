"""Fourier transforms along trailing axes."""
import enum
import operator

from .. import numpy as np
from ..array import as_node, wrap
from ..ir import dtypes


class FftType(enum.IntEnum):
    """Which transform: of complex numbers, inverse, of real numbers, and the inverse of that."""
    FFT = 0
    IFFT = 1
    RFFT = 2
    IRFFT = 3


def fft(x, fft_type, fft_lengths):
    """The transform over the last len(fft_lengths) axes, whose sizes (of the result for IRFFT) are fft_lengths.

    fft_type: a FftType or its name. Inverse transforms are divided by the number of elements.

    Raises ValueError where the sizes are others, or for RFFT of complex numbers.

    >>> import lazy, lazy.numpy as np
    >>> lazy.lax.fft(np.ones((2, 4)), 'RFFT', (4,)).real.tolist()
    [[4.0, 0.0, 0.0], [4.0, 0.0, 0.0]]
    """
    x = wrap(as_node(x))
    kind = FftType[fft_type.upper()] if isinstance(fft_type, str) else FftType(fft_type)
    lengths = tuple([operator.index(n) for n in fft_lengths])
    if len(lengths) > x.ndim:
        raise ValueError(f'fft of {len(lengths)} axes of an array of shape {x.shape}')
    complex_ = dtypes.kind(x.dtype) == 'c'
    if kind is FftType.RFFT and complex_:
        raise ValueError('only real valued inputs supported for rfft')
    expected = (*lengths[:-1], lengths[-1] // 2 + 1) if kind is FftType.IRFFT and lengths else lengths
    if lengths and x.shape[-len(lengths):] != expected:
        raise ValueError(f'FFT input shape {x.shape} minor dimensions must be equal to fft_lengths {lengths}'
                         + (f', halved: {expected}' if kind is FftType.IRFFT else ''))
    if not lengths:
        return x
    return getattr(np.fft, kind.name.lower() + 'n')(x, lengths, tuple(range(-len(lengths), 0)))
