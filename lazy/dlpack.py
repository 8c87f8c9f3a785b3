"""Arrays of other libraries, through DLPack. Signatures are those of jax.dlpack."""
from .ir import dtypes
from .numpy.creation import from_dlpack as _from_dlpack

__all__ = ['from_dlpack', 'is_supported_dtype']


def from_dlpack(external_array, device=None, copy=None):
    """An array of an object with __dlpack__ and __dlpack_device__, copied into memory of our own.

    Raises TypeError for other objects and for dtypes without arrays here, ValueError for copy=False.

    >>> import numpy, lazy
    >>> lazy.dlpack.from_dlpack(numpy.arange(3)).tolist()
    [0, 1, 2]
    """
    if not hasattr(external_array, '__dlpack__') or not hasattr(external_array, '__dlpack_device__'):
        raise TypeError('The array passed to from_dlpack must have __dlpack__ and __dlpack_device__ methods, got '
                        f'{type(external_array).__name__}')
    return _from_dlpack(external_array, device=device, copy=copy)


def is_supported_dtype(dtype):
    """Whether arrays of a dtype go through DLPack: all that NumPy itself has. Its DLPack lacks bfloat16, float8 and
    int4; x.view('uint8') hands on their bytes, of int4 with two numbers in each. Raises TypeError for None.

    >>> import lazy
    >>> lazy.dlpack.is_supported_dtype('float32'), lazy.dlpack.is_supported_dtype(str)
    (True, False)
    """
    if dtype is None:
        raise TypeError(f'Expected a string or dtype-like object; got {dtype=}')
    try:
        found = dtypes.as_dtype(dtype)
    except TypeError:
        return False
    return found in dtypes.ALL and found.type.__module__ == 'numpy'
