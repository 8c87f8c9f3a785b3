"""Data types: what there is, how they combine."""
import ml_dtypes
import numpy as onp

from .ir import dtypes as _dtypes
from .ir.dtypes import (bfloat16, bool_, complex64, complex128, float8_e4m3fn, float8_e5m2,  # noqa: F401
                        float16, float32, float64, int4, int8, int16, int32, int64, uint4, uint8, uint16, uint32,
                        uint64)
from .ir.errors import TypePromotionError

__all__ = ['TypePromotionError', 'bfloat16', 'canonicalize_dtype', 'extended', 'finfo', 'float0', 'iinfo', 'issubdtype',
           'itemsize_bits', 'prng_key', 'result_type', 'scalar_type_of']

float0 = onp.dtype([('float0', onp.void, 0)])


class extended(onp.generic):
    """Abstract type of dtypes that NumPy has not: those of PRNG keys."""


class prng_key(extended):
    """Abstract type of the dtypes of PRNG key arrays: issubdtype(key.dtype, prng_key)."""


def canonicalize_dtype(dtype, allow_extended_dtype=False):
    """The dtype of arrays that a dtype stands for: int and float have the default width, others are what they are.

    >>> import lazy
    >>> lazy.dtypes.canonicalize_dtype(float).name, lazy.dtypes.canonicalize_dtype('float64').name
    ('float32', 'float64')
    """
    if getattr(dtype, 'type', None) is prng_key:
        return dtype
    return _dtypes.as_dtype(dtype)


def finfo(dtype):
    """Limits of a floating-point dtype, those of 16 and 8 bits included: bits, eps, tiny, max, nmant, ...

    >>> import lazy
    >>> lazy.dtypes.finfo('bfloat16').bits
    16
    """
    return ml_dtypes.finfo(_dtypes.real_of(_dtypes.as_dtype(dtype)))


def iinfo(dtype):
    """Limits of an integer dtype: bits, min, max."""
    return _dtypes.iinfo(_dtypes.as_dtype(dtype))


def issubdtype(a, b):
    """As numpy.issubdtype; bfloat16 and float8 are floating types, int4 is an integer, and dtypes of keys are subtypes
    of `prng_key`.

    >>> import lazy, numpy
    >>> lazy.dtypes.issubdtype('bfloat16', numpy.floating)
    True
    """
    first = getattr(a, 'type', a) if not isinstance(a, (type, onp.dtype, str)) else a
    second = getattr(b, 'type', b) if not isinstance(b, (type, onp.dtype, str)) else b
    if any(isinstance(t, type) and issubclass(t, extended) for t in (first, second)):
        return isinstance(first, type) and isinstance(second, type) and issubclass(first, second)
    mine, other = _beyond_numpy(first), _beyond_numpy(second)
    if mine is None or other is not None:
        return onp.issubdtype(first, second) if mine is other is None else mine == other
    return second in _ABSTRACT and onp.issubdtype(_dtypes.held_as(mine), second)


_ABSTRACT = (onp.generic, onp.number, onp.inexact, onp.floating, onp.integer, onp.signedinteger, onp.unsignedinteger)
_BEYOND_NUMPY = {key: dtype for dtype in _dtypes.ALL if dtype.type.__module__ != 'numpy'
                 for key in (dtype, dtype.type, dtype.name)}


def _beyond_numpy(t):
    """The dtype that `t` names, if NumPy has it from ml_dtypes; else None."""
    return _BEYOND_NUMPY.get(t)


def itemsize_bits(dtype):
    """Bits of an element; 1 for bool, 4 for int4."""
    dtype = _dtypes.as_dtype(dtype)
    return 1 if dtype == _dtypes.bool_ else _dtypes.bits(dtype)


def result_type(*args, return_weak_type_flag=False):
    """The dtype to which arrays, scalars and dtypes promote together.

    >>> import lazy
    >>> lazy.dtypes.result_type('int32', 'float16').name, lazy.dtypes.result_type('bfloat16', 1.0).name
    ('float16', 'bfloat16')
    """
    if not args:
        raise ValueError('result_type needs at least one argument')
    dtype, weak = _dtypes.promote(*[_pair(arg) for arg in args])
    return (dtype, weak) if return_weak_type_flag else dtype


def _pair(arg):
    """(dtype, weak) of an array, scalar or dtype."""
    if isinstance(arg, (bool, int, float, complex)) and not isinstance(arg, onp.generic):
        return _dtypes.scalar_dtype(arg), not isinstance(arg, bool)
    if isinstance(arg, (str, type, onp.dtype)):
        return _dtypes.as_dtype(arg), arg in (int, float, complex)
    return _dtypes.as_dtype(arg.dtype), getattr(arg, 'weak_type', False)


def scalar_type_of(x):
    """bool, int, float or complex: the Python type of a value's kind."""
    return {'b': bool, 'i': int, 'u': int, 'f': float, 'c': complex}[_dtypes.kind(_pair(x)[0])]


