"""Lazy arrays against the NumPy arrays that they are to be."""
import numpy as np

import lazy
from lazy.ir import dtypes


def rng(*seed):
    return np.random.default_rng([1, *seed])


def wide(array):
    """The array in a dtype in which NumPy compares everything."""
    kind = dtypes.kind(array.dtype)
    return array.astype(np.complex128 if kind == 'c' else np.float64) if kind in 'fc' else array


def difference(got, want, tolerance=0):
    """What is wrong with a result, '' if nothing is."""
    if got.shape != want.shape or got.dtype != want.dtype:
        return f'{got.dtype}{got.shape} in the place of {want.dtype}{want.shape}'
    a, b = wide(got), wide(want)
    same = np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True) if tolerance else \
        np.array_equal(a, b, equal_nan=a.dtype.kind in 'fc')
    return '' if same else f'{got} in the place of {want}'


def check(pairs, tolerance=lambda dtype: 0):
    """Compute all lazy arrays of [(name, lazy array, NumPy array)] together and compare."""
    pairs = list(pairs)
    lazy.block_until_ready([x for _, x, _ in pairs])
    wrong = [f'{name}: {text}' for name, x,
             want in pairs if (text := difference(np.asarray(x), want, tolerance(want.dtype)))]
    assert not wrong, '\n'.join(wrong[:5])
