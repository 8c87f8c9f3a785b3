"""SciPy's functions on lazy arrays, with the signatures of jax.scipy."""
import importlib as _importlib

_MODULES = ('cluster', 'fft', 'integrate', 'interpolate', 'linalg', 'ndimage', 'signal', 'sparse', 'spatial', 'special',
            'stats')


def __getattr__(name):
    """Modules that are imported when first used."""
    if name in _MODULES:
        return _importlib.import_module(f'.{name}', __name__)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__():
    return sorted({*globals(), *_MODULES})
