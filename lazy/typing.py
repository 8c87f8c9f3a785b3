"""Types for annotations, as jax.typing has them.

ArrayLike: what functions take for an array without surprise (arrays of this library and of NumPy, NumPy's and Python's
scalars; no lists). DTypeLike: what names a dtype. Both can be used with isinstance.

>>> import lazy, lazy.numpy as np
>>> isinstance(np.ones(3), lazy.typing.ArrayLike), isinstance([1.0], lazy.typing.ArrayLike)
(True, False)
"""
from typing import Protocol, runtime_checkable

import numpy as _np

from .array import Array

__all__ = ['ArrayLike', 'DTypeLike']


@runtime_checkable
class SupportsDType(Protocol):
    """What has a dtype."""
    @property
    def dtype(self) -> _np.dtype: ...


ArrayLike = Array | _np.ndarray | _np.bool_ | _np.number | bool | int | float | complex
DTypeLike = str | type | _np.dtype | SupportsDType
