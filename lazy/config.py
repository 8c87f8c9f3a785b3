"""Settings of the library: `lazy.config.update(name, value)`.

enable_x64: default types are 64 bits wide. mutable_arrays: `x[i] = v` rebinds the array object. debug_nans: a NaN in
a result that is waited for is an error. debug_key_reuse: a second use of a key from `random.key` is an error. Defaults
are read once from LAZY_ENABLE_X64, LAZY_MUTABLE_ARRAYS, LAZY_DEBUG_NANS, LAZY_DEBUG_KEY_REUSE and LAZY_TARGET (native,
numpy, cuda, triton-interpreter) when the library is imported.
"""
import os

from .ir import dtypes


TARGETS = ('native', 'numpy', 'triton-interpreter', 'cuda')


def _flag(name):
    return os.environ.get(name, '').lower() in ('1', 'true', 'yes', 'on')


class Config:
    """The settings as attributes; change them with `update`."""

    def __init__(self):
        self._values = {'enable_x64': False, 'mutable_arrays': _flag('LAZY_MUTABLE_ARRAYS'),
                        'debug_nans': _flag('LAZY_DEBUG_NANS'),
                        'debug_key_reuse': _flag('LAZY_DEBUG_KEY_REUSE'),
                        'target': os.environ.get('LAZY_TARGET', 'native')}
        self.update('enable_x64', _flag('LAZY_ENABLE_X64'))

    def __getattr__(self, name):
        try:
            return self.__dict__['_values'][name]
        except KeyError:
            raise AttributeError(f'there is no setting {name!r}; there are {", ".join(self._values)}') from None

    def update(self, name, value):
        """Change a setting.

        >>> import lazy
        >>> lazy.config.update('enable_x64', True); lazy.numpy.ones(2).dtype.name
        'float64'
        >>> lazy.config.update('enable_x64', False)
        """
        if name not in self._values:
            raise AttributeError(f'there is no setting {name!r}; there are {", ".join(self._values)}')
        if name == 'target' and value not in TARGETS:
            raise ValueError(f"target is one of {', '.join(TARGETS)}, not {value!r}")
        self._values[name] = value if name == 'target' else bool(value)
        if name == 'enable_x64':
            dtypes.Defaults.wide = bool(value)
            for empty in dtypes.Defaults.caches:
                empty()


config = Config()
