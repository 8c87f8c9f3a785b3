"""Matrices with a name: from one vector or two, over leading axes, or from a size. They are found in
lazy.scipy.linalg."""
import math
import operator

import numpy as onp

from .. import lax
from .. import numpy as np
from ..array import as_node, wrap
from ..ir import dtypes
from ..numpy._util import inexact_array, promoted

__all__ = ['block_diag', 'circulant', 'companion', 'convolution_matrix', 'dft', 'fiedler', 'fiedler_companion',
           'hadamard', 'hankel', 'helmert', 'hilbert', 'invhilbert', 'invpascal', 'leslie', 'pascal', 'toeplitz']


def _vector(name, x):
    x = wrap(as_node(x))
    if x.ndim < 1:
        raise ValueError(f'{name}: an array of at least one dimension is needed, got a scalar')
    return x


def _picked(x, index):
    """x[..., index] for an index that is in range."""
    return np.take(x, index, axis=-1, mode='clip')


def _grid(m, n):
    """Numbers of the rows and columns of a matrix."""
    return np.arange(m, dtype=dtypes.int32)[:, None], np.arange(n, dtype=dtypes.int32)[None, :]


def _joined(c, r):
    """c and r along the last axis, over leading axes that broadcast."""
    batch = np.broadcast_shapes(c.shape[:-1], r.shape[:-1])
    return np.concatenate([np.broadcast_to(x, batch + x.shape[-1:]) for x in (c, r)], -1)


# --- of vectors ------------------------------------------------------------------------------------------------------

def toeplitz(c, r=None):
    """Constant along diagonals: first column c (..., m), first row r (..., n), whose first element is ignored; by
    default the conjugate of c.

    >>> import lazy
    >>> lazy.scipy.linalg.toeplitz([1, 2, 3], [1, 4]).tolist()
    [[1, 4], [2, 1], [3, 2]]
    """
    c = np.atleast_1d(c)
    r = np.conj(c) if r is None else np.atleast_1d(r)
    c, r = [wrap(node) for node in promoted(c, r)]
    m, n = c.shape[-1], r.shape[-1]
    i, j = _grid(m, n)
    if not m or not n:
        return np.zeros(np.broadcast_shapes(c.shape[:-1], r.shape[:-1]) + (m, n), c.dtype)
    return _picked(_joined(np.flip(c, -1), r[..., 1:]), m - 1 - i + j)


def hankel(c, r=None):
    """Constant along antidiagonals: first column c (..., m), last row r (..., n), zeros by default."""
    c = _vector('hankel', c)
    r = np.zeros_like(c) if r is None else _vector('hankel', r)
    c, r = [wrap(node) for node in promoted(c, r)]
    m, n = c.shape[-1], r.shape[-1]
    i, j = _grid(m, n)
    if not m or not n:
        return np.zeros(np.broadcast_shapes(c.shape[:-1], r.shape[:-1]) + (m, n), c.dtype)
    return _picked(_joined(c, r[..., 1:]), i + j)


def circulant(c):
    """Columns that are c (..., n) rotated: element (i, j) is c[(i - j) mod n]."""
    c = np.atleast_1d(c)
    i, j = _grid(c.shape[-1], c.shape[-1])
    return _picked(c, (i - j) % c.shape[-1]) if c.shape[-1] else np.zeros(c.shape + (0,), c.dtype)


def leslie(f, s):
    """The Leslie matrix of fecundities f (..., n) and survival rates s (..., n - 1)."""
    f, s = [wrap(node) for node in promoted(np.atleast_1d(f), np.atleast_1d(s))]
    n = f.shape[-1]
    if n < 2:
        raise ValueError(f'The length of f along the last axis must be at least 2; got shape {f.shape}.')
    if s.shape[-1] != n - 1:
        raise ValueError(f'Incorrect lengths for f and s: that of s must be one less than that of f; got shapes '
                         f'{f.shape} and {s.shape}.')
    i, j = _grid(n, n)
    return np.where(i == 0, f[..., None, :],
                    np.where(i == j + 1, np.pad(s, [(0, 0)] * (s.ndim - 1) + [(0, 1)])[..., None, :], 0))


def companion(a):
    """The companion matrix (n - 1, n - 1) of a polynomial with coefficients a (..., n), the highest first."""
    a = np.atleast_1d(inexact_array(a))
    if a.shape[-1] < 2:
        raise ValueError(f'The length of `a` along the last axis must be at least 2; got shape {a.shape}.')
    first = -a[..., 1:] / a[..., :1]
    i, j = _grid(first.shape[-1], first.shape[-1])
    return np.where(i == 0, first[..., None, :], (i == j + 1).astype(a.dtype))


def fiedler(a):
    """Distances |a[i] - a[j]| of the elements of a (..., n)."""
    a = np.atleast_1d(a)
    return np.abs(a[..., :, None] - a[..., None, :])


def fiedler_companion(a):
    """A pentadiagonal matrix with the eigenvalues of `companion`, for coefficients a (..., n), the highest first."""
    a = np.atleast_1d(inexact_array(a))
    n = a.shape[-1] - 1
    if n < 0:
        raise ValueError(f"fiedler_companion requires the last axis of 'a' to have nonzero length, got shape "
                         f'{a.shape}.')
    i, j = _grid(n, n)
    if n <= 1:
        return np.zeros(a.shape[:-1] + (0, 0), a.dtype) if n == 0 else (-a[..., 1:] / a[..., :1])[..., None]
    a = -a / a[..., :1]
    even = i % 2 == 0
    above, beside = (_picked(a, np.minimum(i + k, n)) for k in (2, 1))                # columns that broadcast
    one = ((i == 1) & (j == 0) | (j == i + 2) & even | (j == i - 2) & ~even & (i >= 3)).astype(a.dtype)
    found = np.where((j == i + 1) & even, above, np.where((j == i - 1) & even & (i >= 2), beside, one))
    return np.where((i == 0) & (j == 0), a[..., 1, None, None], found)


def convolution_matrix(a, n, mode='full'):
    """The matrix whose product with a vector of n elements is its convolution with a (..., m); mode as in `convolve`:
    'full', 'valid' or 'same'."""
    n = operator.index(n)
    if n <= 0:
        raise ValueError(f'n must be a positive integer; got {n}.')
    a = _vector('convolution_matrix', a)
    m = a.shape[-1]
    if m < 1:
        raise ValueError(f'len(a) must be at least 1; got shape {a.shape}.')
    if mode not in ('full', 'valid', 'same'):
        raise ValueError(f"mode must be one of 'full', 'valid', 'same'; got {mode!r}.")
    cut = {'full': 0, 'same': min(m, n) - 1, 'valid': 2 * (min(m, n) - 1)}[mode]
    i, j = _grid(m + n - 1 - cut, n)
    place = i + cut // 2 - j
    return np.where((place >= 0) & (place < m), _picked(a, place), 0)


def block_diag(*arrs):
    """Arrays of at most two dimensions along the diagonal, zeros elsewhere.

    >>> import lazy
    >>> lazy.scipy.linalg.block_diag([[1, 2]], 3).tolist()
    [[1, 2, 0], [0, 0, 3]]
    """
    if not arrs:
        return np.zeros((1, 0))
    blocks = [np.atleast_2d(wrap(node)) for node in promoted(*arrs)]
    for place, block in enumerate(blocks):
        if block.ndim > 2:
            raise ValueError(f'Arguments to block_diag must have at most 2 dimensions, got shape {block.shape} at '
                             f'argument {place}.')
    total, at, rows = sum(b.shape[1] for b in blocks), 0, []
    for block in blocks:
        rows.append(np.pad(block, [(0, 0), (at, total - at - block.shape[1])]))
        at += block.shape[1]
    return np.concatenate(rows, 0)


# --- of sizes --------------------------------------------------------------------------------------------------------

def _of_rows(rows, n):
    """Exact numbers as a matrix of default floats."""
    return np.asarray(onp.asarray(rows, onp.float64).reshape(n, n).astype(dtypes.default_float()))


def hilbert(n):
    """1 / (i + j + 1)."""
    i, j = _grid(n, n)
    return 1 / (i + j + 1).astype(dtypes.default_float())


def invhilbert(n):
    """The inverse of `hilbert`, whose elements are integers, rounded to floats (Choi 1983)."""
    element = lambda i, j: ((-1) ** (i + j) * (i + j + 1) * math.comb(n + i, n - j - 1) * math.comb(n + j, n - i - 1)
                            * math.comb(i + j, i) ** 2)
    return _of_rows([[float(element(i, j)) for j in range(n)] for i in range(n)], n)


def _pascal(n, kind, symmetric, lower):
    if kind not in (None, 'symmetric', 'lower', 'upper'):
        raise ValueError(f"Expected kind to be one of ['symmetric', 'lower', 'upper']; got {kind}")
    element = {None: symmetric, 'symmetric': symmetric, 'lower': lower, 'upper': lambda i, j: lower(j, i)}[kind]
    return _of_rows([[float(element(i, j)) for j in range(n)] for i in range(n)], n)


def pascal(n, kind=None):
    """Binomial coefficients: (i + j over i), or lower or upper triangular, as kind says."""
    return _pascal(n, kind, lambda i, j: math.comb(i + j, i), math.comb)


def invpascal(n, kind=None):
    """The inverse of `pascal`, exact but for rounding to floats."""
    lower = lambda i, j: (-1) ** (i + j) * math.comb(i, j)
    return _pascal(n, kind, lambda i, j: sum(lower(k, i) * lower(k, j) for k in range(max(i, j), n)), lower)


def helmert(n, full=False):
    """n - 1 orthonormal rows that are orthogonal to ones; full: after a row of equal elements."""
    if n < 1:
        raise ValueError(f'n must be a positive integer; got {n}.')
    i, j = _grid(n, n)
    size = i.astype(dtypes.default_float())
    row = np.where(j < i, 1, np.where(j == i, -size, 0)) / np.sqrt(np.where(i == 0, 1, size * (size + 1)))
    return np.where(i == 0, 1 / math.sqrt(n), row) if full else row[1:]


def hadamard(n, dtype=int):
    """Elements 1 and -1, orthogonal columns, for a power n of 2 (Sylvester's construction)."""
    if n < 1 or n & (n - 1):
        raise ValueError(f'n must be a positive power of 2; got {n}.')
    i, j = _grid(n, n)
    return (1 - 2 * (lax.population_count(i & j) % 2)).astype(dtype)


def dft(n, scale=None, *, dtype=None):
    """The matrix exp(-2 pi i j k / n) of the discrete Fourier transform; scale 'sqrtn' or 'n': divided by that."""
    if scale not in (None, 'sqrtn', 'n'):
        raise ValueError(f"scale must be None, 'sqrtn', or 'n'; got {scale!r}.")
    dtype = dtypes.default_complex() if dtype is None else dtypes.as_dtype(dtype)
    if dtypes.kind(dtype) != 'c':
        raise ValueError(f'dtype must be a complex floating-point type; got {dtype}.')
    i, j = _grid(n, n)
    angle = (i * j % n if n else i * j).astype(dtypes.real_of(dtype)) * (2 * math.pi / max(n, 1))
    found = lax.complex(np.cos(angle), -np.sin(angle))
    return found / {None: 1, 'sqrtn': math.sqrt(n), 'n': n}[scale]
