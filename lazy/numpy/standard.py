"""The Python array API standard: which version of it the namespace follows, and what it says about itself.

    info = lazy.numpy.__array_namespace_info__()
    info.capabilities(), info.default_device(), info.default_dtypes(), info.devices(), info.dtypes(kind='integral')
"""
from ..hardware import check_device, default_device, devices
from ..ir import dtypes

__all__ = ['__array_api_version__', '__array_namespace_info__', 'VERSIONS']

__array_api_version__ = '2025.12'
VERSIONS = ('2021.12', '2022.12', '2023.12', '2024.12', __array_api_version__)

_KINDS = {'bool': (dtypes.bool_,), 'signed integer': dtypes.SIGNED[1:], 'unsigned integer': dtypes.UNSIGNED[1:],
          'real floating': (dtypes.float32, dtypes.float64), 'complex floating': dtypes.COMPLEXES}
_KINDS['integral'] = _KINDS['signed integer'] + _KINDS['unsigned integer']
_KINDS['numeric'] = _KINDS['integral'] + _KINDS['real floating'] + _KINDS['complex floating']


class Info:
    """What `__array_namespace_info__` returns.

    >>> import lazy.numpy as np
    >>> sorted(np.__array_namespace_info__().dtypes(kind=('bool', 'real floating')))
    ['bool', 'float32', 'float64']
    """

    def capabilities(self):
        """{'boolean indexing': True, 'data-dependent shapes': True, 'max dimensions': NumPy's}."""
        return {'boolean indexing': True, 'data-dependent shapes': True, 'max dimensions': 64}

    def default_device(self):
        """The device that arrays are made on."""
        return default_device()

    def devices(self):
        """The devices that arrays can be on."""
        return tuple(devices())

    def default_dtypes(self, *, device=None):
        """Default dtypes by the names of the standard; config.enable_x64 says how wide they are."""
        check_device(device)
        return {'real floating': dtypes.default_float(), 'complex floating': dtypes.default_complex(),
                'integral': dtypes.default_int(), 'indexing': dtypes.default_int()}

    def dtypes(self, *, device=None, kind=None):
        """The standard's dtypes of a kind, of any of several kinds, or all; {name: dtype}.

        Raises ValueError for a kind that the standard doesn't have.
        """
        check_device(device)
        kinds = ('bool', 'numeric') if kind is None else kind if isinstance(kind, tuple) else (kind,)
        unknown = [k for k in kinds if k not in _KINDS]
        if unknown:
            raise ValueError(f'unknown kinds of dtypes {unknown}: there are {", ".join(_KINDS)}')
        return {dtype.name: dtype for k in kinds for dtype in _KINDS[k]}


def __array_namespace_info__():
    """What the array API standard lets ask about a namespace: capabilities, devices, dtypes.

    >>> import lazy.numpy as np
    >>> np.__array_namespace_info__().default_dtypes()['real floating'].name
    'float32'
    """
    return Info()
