"""Data types, and promotion after JAX's lattice with weak Python scalars.

A dtype is a NumPy dtype; bfloat16, the floats of 8 bits and the integers of 4 come from `ml_dtypes`. The lattice is the
one that JAX documents under "Type promotion semantics": Python scalars (weak) sit below every dtype of their kind,
unsigned meets signed in the next larger signed type, any integer meets any float in that float, float16 meets bfloat16
in float32. What is narrower than that promotes where nothing is lost by surprise: float8 with booleans and integers of
8 bits and more, int4 with booleans; anything else is to be converted explicitly.
"""
from functools import lru_cache

import ml_dtypes
import numpy as np

from .errors import TypePromotionError

bool_ = np.dtype(np.bool_)
int8, int16, int32, int64 = (np.dtype(f'int{n}') for n in (8, 16, 32, 64))
uint8, uint16, uint32, uint64 = (np.dtype(f'uint{n}') for n in (8, 16, 32, 64))
float16, float32, float64 = (np.dtype(f'float{n}') for n in (16, 32, 64))
bfloat16, float8_e4m3fn, float8_e5m2, int4, uint4 = (np.dtype(getattr(ml_dtypes, name)) for name in (
    'bfloat16', 'float8_e4m3fn', 'float8_e5m2', 'int4', 'uint4'))
complex64, complex128 = np.dtype('complex64'), np.dtype('complex128')

SIGNED = (int4, int8, int16, int32, int64)
UNSIGNED = (uint4, uint8, uint16, uint32, uint64)
FLOATS = (float8_e4m3fn, float8_e5m2, bfloat16, float16, float32, float64)
COMPLEXES = (complex64, complex128)
ALL = (bool_, *SIGNED, *UNSIGNED, *FLOATS, *COMPLEXES)
NAMES = {dtype: dtype.name for dtype in ALL}    # numpy makes the name each time, which takes microseconds

# What values of narrow types are held as while something is computed of them; they are rounded, or wrap around, where
# they are stored or converted to.
NARROW_FLOATS = (float8_e4m3fn, float8_e5m2, bfloat16, float16)
NARROW_INTEGERS = (int4, uint4)
HELD_AS = {**dict.fromkeys(NARROW_FLOATS, float32), int4: int8, uint4: uint8}
_EXPLICIT = (float8_e4m3fn, float8_e5m2, int4, uint4)

# One letter for each kind, in the order in which kinds absorb each other.
_KIND = {bool_: 'b', **{d: 'i' for d in SIGNED}, **{d: 'u' for d in UNSIGNED},
         **{d: 'f' for d in FLOATS}, **{d: 'c' for d in COMPLEXES}}
_REAL_OF = {complex64: float32, complex128: float64}
_COMPLEX_OF = {**dict.fromkeys(NARROW_FLOATS, complex64), float32: complex64, float64: complex128}


class Defaults:
    """The width of the default types: 32 bits, 64 after `config.update('enable_x64', True)`.

    caches: functions to call when that changes, which empty caches that depend on it.
    """
    wide = False
    caches = []


def default_int():
    return int64 if Defaults.wide else int32


def index_int(size):
    """The type of positions among so many elements: the default one, where they fit."""
    return int64 if size > 1 << 31 else default_int()


def default_float():
    return float64 if Defaults.wide else float32


def default_complex():
    return complex128 if Defaults.wide else complex64


def as_dtype(value):
    """The dtype that `value` names: NumPy and ml_dtypes types, strings, and Python's scalar types.

    Raises TypeError for a dtype that the library has no arrays of.
    """
    dtype = _DTYPES.get(value) if isinstance(value, (type, np.dtype)) else None
    if dtype is None:
        dtype = _parse_dtype(value)
        if dtype not in _KIND:
            raise TypeError(f'arrays of dtype {dtype} are not supported; supported are '
                            f'{", ".join(d.name for d in ALL)}')
    return dtype() if callable(dtype) else dtype


def _parse_dtype(value):
    if isinstance(value, str) and value in _BY_NAME:
        return _BY_NAME[value]
    dtype = getattr(value, 'dtype', None)
    try:
        return np.dtype(dtype if isinstance(dtype, np.dtype) and not isinstance(value, type) else value)
    except TypeError as error:
        raise TypeError(f'{value!r} is not a dtype') from error


_DTYPES = {bool: bool_, int: default_int, float: default_float, complex: default_complex,
           **{d: d for d in ALL}, **{d.type: d for d in ALL}}
_BY_NAME = {d.name: d for d in ALL if d.type.__module__ != 'numpy'}


def kind(dtype):
    """'b', 'i', 'u', 'f' or 'c'."""
    return _KIND[dtype]


def is_inexact(dtype):
    return _KIND[dtype] in 'fc'


def is_integer(dtype):
    return _KIND[dtype] in 'iu'


def bits(dtype):
    """Number of bits that make a difference."""
    return 4 if dtype in NARROW_INTEGERS else 8 * dtype.itemsize


def nbytes(size, dtype):
    """Bytes that an array of so many elements takes: integers of 4 bits lie two in a byte."""
    return (size + 1) // 2 if dtype in NARROW_INTEGERS else size * dtype.itemsize


def iinfo(dtype):
    """Limits of an integer dtype: bits, min, max."""
    return ml_dtypes.iinfo(dtype) if dtype in NARROW_INTEGERS else np.iinfo(dtype)


def highest(dtype):
    """The value that no other exceeds, a Python number: infinity where there is one."""
    if _KIND[dtype] in 'fc':
        return 448.0 if dtype == float8_e4m3fn else float('inf')
    return True if _KIND[dtype] == 'b' else int(iinfo(dtype).max)


def lowest(dtype):
    """The value that exceeds no other."""
    if _KIND[dtype] in 'fc':
        return -highest(dtype)
    return False if _KIND[dtype] == 'b' else int(iinfo(dtype).min)


def held_as(dtype):
    """The dtype in which values of `dtype` are computed with: float32 for narrow floats, 8 bits for integers of 4."""
    return HELD_AS.get(dtype, dtype)


def real_of(dtype):
    """The dtype of the real part: complex64 -> float32; others are returned as they are."""
    return _REAL_OF.get(dtype, dtype)


def complex_of(dtype):
    return _COMPLEX_OF.get(dtype, dtype if dtype in COMPLEXES else default_complex())


def inexact_of(dtype):
    """The dtype in which a function such as sin computes for arguments of `dtype`; as in JAX that of narrow integers is
    float32, whatever the default."""
    return dtype if is_inexact(dtype) else default_float() if dtype.itemsize == 8 else float32


def scalar_dtype(value):
    """The default dtype of a Python scalar."""
    if isinstance(value, bool):
        return bool_
    if isinstance(value, int):
        return default_int()
    return default_float() if isinstance(value, float) else default_complex()


def _no_promotion(a, b):
    return TypePromotionError(f'{a} and {b} are not promoted to a common dtype: floats of 8 bits and integers of 4 '
                              "bits are to be converted explicitly, for example by x.astype('float32')")


@lru_cache(maxsize=None)
def _join(a, b):
    """Least upper bound of two strong dtypes."""
    if a == b:
        return a
    ka, kb = _KIND[a], _KIND[b]
    if 'bifuc'.find(ka) > 'bifuc'.find(kb):
        a, b, ka, kb = b, a, kb, ka
    if ka == 'b':
        return b
    if a in _EXPLICIT or b in _EXPLICIT:
        number, integer = (a, b) if ka == 'f' else (b, a)
        if _KIND[number] == 'f' and _KIND[integer] in 'iu' and integer not in _EXPLICIT:
            return number
        raise _no_promotion(a.name, b.name)
    if ka == kb == 'f':
        return float32 if {a, b} == {float16, bfloat16} else max(a, b, key=lambda d: d.itemsize)
    if ka == kb:
        return max(a, b, key=lambda d: d.itemsize)
    if {ka, kb} == {'i', 'u'}:
        signed, unsigned = (a, b) if ka == 'i' else (b, a)
        if signed.itemsize > unsigned.itemsize:
            return signed
        return SIGNED[UNSIGNED.index(unsigned) + 1] if unsigned != uint64 else default_float()
    if 'c' in (ka, kb):
        complex_, other = (a, b) if ka == 'c' else (b, a)
        return complex128 if other == float64 else complex_
    return a if ka == 'f' else b


_WEAK_RANK = {'b': 0, 'i': 1, 'u': 1, 'f': 2, 'c': 3}


@lru_cache(maxsize=None)
def _promote_pair(a, weak_a, b, weak_b, wide):
    if weak_a == weak_b:
        return _join(a, b), weak_a
    weak, strong = (a, b) if weak_a else (b, a)
    kw, ks = _KIND[weak], _KIND[strong]
    if _WEAK_RANK[kw] <= _WEAK_RANK[ks]:
        return strong, False
    if strong in _EXPLICIT:
        raise _no_promotion(strong.name, f'a Python {"float" if kw == "f" else "complex"}')
    if kw == 'c':
        return (complex_of(strong) if ks == 'f' else weak), ks != 'f'
    return weak, True                          # a weak float with integers, a weak integer with booleans


def promote(*pairs):
    """(dtype, weak) of a result from (dtype, weak) of its arguments."""
    dtype, weak = pairs[0]
    for other, other_weak in pairs[1:]:
        dtype, weak = _promote_pair(dtype, weak, other, other_weak, Defaults.wide)
    return dtype, weak
