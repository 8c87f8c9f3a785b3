"""lazy.scipy.signal against SciPy: values, derivatives, batches, errors."""
import numpy as np
import pytest
import scipy.signal as theirs

from lazy.scipy import signal as ours
from rows import Row, checks_of

pytestmark = [pytest.mark.filterwarnings('ignore:nperseg'), pytest.mark.filterwarnings('ignore:NOLA')]   # SciPy's

rng = np.random.default_rng(11)
normal = lambda *shape: rng.normal(size=shape)
X, K, IMAGE, PATCH = normal(12), normal(5), normal(6, 7), normal(3, 4)
LONG, BATCH = normal(90), normal(2, 40)
Z = K + 1j * K[::-1]


def both(name, *args, order=2, pick=lambda x: x, tolerance=1e-9, vmap=True, **options):
    text = ' '.join([name, *[f'{k}={str(v)[:20]}' for k, v in options.items()], *[str(np.shape(a)) for a in args]])
    call = lambda module: lambda *x: pick(getattr(module, name)(*x, **options))
    return Row(text, call(ours), call(theirs), args, order, tolerance, vmap=vmap)


MODES = ('full', 'same', 'valid')
ROWS = [
    *[both('convolve', x, k, mode=mode, method=method, order=1) for mode in MODES
      for method in ('direct', 'fft', 'auto')
      for x, k in ((X, K), (K, X), (IMAGE, PATCH), (PATCH, IMAGE))],
    both('convolve', X, Z), both('convolve', normal(100), normal(70), method='direct', order=1),
    both('convolve', normal(12, 9), normal(9, 8), method='direct', mode='same', order=0),
    both('convolve', normal(3, 4, 5), normal(2, 2, 2)), both('convolve', normal(3, 2), normal(1, 4)),
    *[both('correlate', x, k, mode=mode, order=1) for mode in MODES for x, k in ((X, K), (Z, X), (IMAGE, PATCH))],
    *[both(name, x, k, mode=mode, order=1) for name in ('convolve2d', 'correlate2d') for mode in MODES
      for x, k in ((IMAGE, PATCH), (PATCH, IMAGE), (normal(4, 4), normal(4, 4)), (normal(12, 12), normal(9, 8)))],
    *[both('convolve2d', IMAGE, PATCH, mode=mode, boundary=boundary, order=1) for mode in MODES
      for boundary in ('wrap', 'symm')],
    both('correlate2d', IMAGE, PATCH, mode='same', fillvalue=2.5, order=1),
    *[both('fftconvolve', X, K, mode=mode) for mode in MODES], both('fftconvolve', Z, K),
    both('fftconvolve', BATCH, normal(2, 3), axes=1),
    both('fftconvolve', BATCH, normal(1, 3), axes=(-1,), mode='same', order=0),
    both('detrend', X), both('detrend', BATCH, type='constant', axis=0), both('detrend', LONG, bp=[20, 50]),
    both('detrend', X, bp=[1, 3, 6]), both('detrend', X[:1]),
    both('detrend', IMAGE, axis=0),
    both('stft', LONG, nperseg=16, fs=4.),
    both('stft', BATCH, nperseg=10, noverlap=3, nfft=16, window='boxcar', boundary=None, padded=False),
    both('stft', LONG, nperseg=15, boundary='odd', detrend='linear'),
    both('stft', LONG, nperseg=8, boundary='even', return_onesided=False),
    both('stft', BATCH, nperseg=8, boundary='constant', axis=0 + 1),
    both('stft', BATCH.T, nperseg=8, axis=0, vmap=False),
    both('stft', normal(5, 40), nperseg=16, window=np.hamming(16)),
    both('stft', X + 1j, nperseg=6, return_onesided=False, detrend='constant'),
    both('welch', LONG, nperseg=16),
    both('welch', LONG, nperseg=32, fs=10., scaling='spectrum', detrend='linear', window=('tukey', 0.3)),
    both('welch', BATCH, nperseg=15, average='median', order=1), both('welch', LONG),
    both('welch', normal(600), order=0), both('welch', BATCH.T, nperseg=16, axis=0, detrend=False),
    both('csd', LONG, LONG[::-1].copy(), nperseg=16),
    both('csd', BATCH, BATCH[:, ::-1].copy(), nperseg=16, average='median', order=1),
    both('csd', LONG, LONG[:60], nperseg=16, return_onesided=False),
    both('istft', np.array(theirs.stft(LONG, nperseg=16)[2]), nperseg=16),
    both('istft', np.array(theirs.stft(BATCH, nperseg=8, noverlap=6)[2]), noverlap=6, pick=lambda x: x[1]),
    both('istft', np.array(theirs.stft(LONG, nperseg=15, return_onesided=False)[2]), input_onesided=False,
         boundary=False, pick=lambda x: x[1]),
    both('istft', np.array(theirs.stft(LONG, nperseg=16)[2]).T, time_axis=0, freq_axis=1, fs=2.),
]

test_values, test_jit_and_vmap, test_derivatives = checks_of(ROWS)


def test_a_signal_comes_back():
    for options in (dict(nperseg=16), dict(nperseg=16, noverlap=12), dict(nperseg=15, window='boxcar', noverlap=0)):
        _, back = ours.istft(ours.stft(LONG, **options)[2], **options)
        np.testing.assert_allclose(np.asarray(back)[:90], LONG, atol=1e-12)


def test_integers_become_floats():
    assert ours.convolve([1, 2], [3, 4]).tolist() == [3., 10., 8.]


@pytest.mark.parametrize('call, words', [
    (lambda: ours.convolve(X, IMAGE), 'same number of dimensions'), (lambda: ours.convolve(X, X[:0]), 'zero-size'),
    (lambda: ours.convolve(X, K, 'most'), 'mode must be one of'),
    (lambda: ours.convolve(X, K, method='slow'), "method='slow'"),
    (lambda: ours.convolve(normal(2, 5), normal(3, 3), 'valid'), 'at least as large'),
    (lambda: ours.convolve2d(X, K), '2-dimensional'),
    (lambda: ours.convolve2d(IMAGE, PATCH, boundary='torn'), 'boundary'),
    (lambda: ours.fftconvolve(X, IMAGE), 'dimensionality'),
    (lambda: ours.detrend(X, type='cubic'), 'Trend type'), (lambda: ours.detrend(X, bp=40), 'Breakpoints'),
    (lambda: ours.stft(X, nperseg=4, noverlap=4), 'noverlap'), (lambda: ours.stft(X, nperseg=6, nfft=4), 'nfft'),
    (lambda: ours.stft(X, window=np.ones(20)), 'longer than input'),
    (lambda: ours.stft(X, boundary='torn'), 'Unknown boundary'),
    (lambda: ours.welch(X, average='mode'), 'average must be'),
    (lambda: ours.welch(X, scaling='none'), 'Unknown scaling'),
    (lambda: ours.istft(X), 'at least 2d'), (lambda: ours.istft(IMAGE, time_axis=0, freq_axis=0), 'differing'),
])
def test_errors(call, words):
    with pytest.raises(ValueError, match=words):
        call()
