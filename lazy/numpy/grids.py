"""Grids of coordinates, tuples of indices, windows."""
import math

import numpy as onp

from ._util import array_of, build, dtype_of, dtypes, node_of, shape_of, wrap
from .creation import arange, asarray, linspace, ones, zeros
from .joining import concatenate, stack

__all__ = ['meshgrid', 'indices', 'fromfunction', 'mgrid', 'ogrid', 'r_', 'c_', 's_', 'index_exp', 'ix_',
           'bartlett', 'blackman', 'hamming', 'hanning', 'kaiser', 'tril_indices', 'triu_indices',
           'tril_indices_from', 'triu_indices_from', 'diag_indices', 'diag_indices_from', 'mask_indices']


# --- grids -----------------------------------------------------------------------------------------------------------

def meshgrid(*xi, copy=True, sparse=False, indexing='xy'):
    """Coordinate matrices of coordinate vectors, a tuple of one array for each.

    >>> import lazy.numpy as np
    >>> [a.shape for a in np.meshgrid(np.arange(3), np.arange(2))]
    [(2, 3), (2, 3)]
    """
    if indexing not in ('xy', 'ij'):
        raise ValueError(f"indexing is 'xy' or 'ij', not {indexing!r}")
    nodes = [node_of(x) for x in xi]
    for node in nodes:
        if node.aval.ndim > 1:
            raise ValueError(f'meshgrid needs vectors, got shape {node.aval.shape}')
    nodes = [build.reshape(n, (n.aval.size,)) for n in nodes]
    places = list(range(len(nodes)))
    if indexing == 'xy' and len(nodes) >= 2:
        places[:2] = [1, 0]
    sizes = [0] * len(nodes)
    for node, place in zip(nodes, places):
        sizes[place] = node.aval.size
    shapes = [[n if p == place or not sparse else 1 for p, n in enumerate(sizes)] for place in places]
    return tuple([wrap(build.broadcast(n, shape, (place,))) for n, shape, place in zip(nodes, shapes, places)])


def indices(dimensions, dtype=None, sparse=False):
    """Index arrays of a grid, stacked, or as a tuple of arrays that broadcast when `sparse`."""
    sizes = shape_of(dimensions)
    dtype = dtype_of(dtype) or dtypes.default_int()
    parts = [build.iota(tuple([n if a == axis or not sparse else 1 for a, n in enumerate(sizes)]), dtype, axis)
             for axis in range(len(sizes))]
    parts = [wrap(p) for p in parts]
    if sparse:
        return tuple(parts)
    return stack(parts) if parts else zeros((0,), dtype)


def fromfunction(function, shape, *, dtype=float, **kwargs):
    """function of the index arrays of a grid, called once."""
    sizes = shape_of(shape)
    return function(*[wrap(build.iota(sizes, dtypes.as_dtype(dtype), axis)) for axis in range(len(sizes))], **kwargs)


class _Grid:
    """`mgrid[0:3, 0:1:5j]`: index arrays of slices, as NumPy's; `ogrid` the ones that broadcast."""

    def __init__(self, sparse):
        self.sparse = sparse

    def __getitem__(self, key):
        single = not isinstance(key, tuple)
        vectors = [_slice_range(s) for s in ((key,) if single else key)]
        if not vectors:
            return [] if self.sparse else wrap(build.full((0,), 0, dtypes.default_int()))
        if single:
            return vectors[0]
        dtype = dtypes.promote(*[(v.dtype, v.weak_type) for v in vectors])[0]
        arrays = meshgrid(*[v.astype(dtype) for v in vectors], sparse=self.sparse, indexing='ij')
        return arrays if self.sparse else stack(arrays)


def _slice_range(s):
    """The range that a slice means; an imaginary step counts points."""
    start, step = 0 if s.start is None else s.start, 1 if s.step is None else s.step
    if isinstance(step, complex):
        return linspace(start, s.stop, int(abs(step)))
    return arange(start, s.stop, step)


mgrid, ogrid = _Grid(False), _Grid(True)


class _Joiner:
    """`r_[a, b, 0:3]` joins along an axis, slices being ranges, as NumPy's; `c_` joins columns."""

    def __init__(self, columns):
        self.columns = columns

    def __getitem__(self, key):
        items = list(key) if isinstance(key, tuple) else [key]
        axis, ndmin, trans = (-1, 2, 0) if self.columns else (0, 1, -1)
        matrix = items.pop(0) if items and items[0] in ('r', 'c') else None
        if matrix is not None:                                        # NumPy's matrices, as arrays
            axis, ndmin, trans = -1, 1, -1
        elif isinstance(items[0], str):
            parts = [int(p) for p in items.pop(0).split(',')]
            axis, ndmin, trans = (parts + [ndmin, trans][len(parts) - 1:])[:3] if len(parts) < 3 else parts
        arrays = [_slice_range(i) if isinstance(i, slice) else array_of(i) for i in items]
        joined = concatenate([self._raise(a, ndmin, trans) for a in arrays], axis)
        return joined if matrix is None or joined.ndim > 1 else joined[None] if matrix == 'r' else joined[:, None]

    @staticmethod
    def _raise(a, ndmin, trans):
        if a.ndim >= ndmin:
            return a
        extra, have = ndmin - a.ndim, max(a.ndim, 0)
        start = trans if trans >= 0 else ndmin + trans - have + 1
        shape = [1] * ndmin
        shape[start:start + have] = a.shape
        assert extra >= 0
        return wrap(build.reshape(a._node, shape))


class _IndexExpression:
    """`s_[1:2, ::3]` is the index itself."""

    def __init__(self, as_tuple):
        self.as_tuple = as_tuple

    def __getitem__(self, item):
        return (item,) if self.as_tuple and not isinstance(item, tuple) else item


r_, c_ = _Joiner(False), _Joiner(True)
s_, index_exp = _IndexExpression(False), _IndexExpression(True)


def ix_(*args):
    """Index arrays that select the outer product of index vectors."""
    result = []
    for place, x in enumerate(args):
        x = array_of(x)
        if x.ndim != 1:
            raise ValueError(f'ix_ needs vectors, got shape {x.shape}')
        if x.dtype == dtypes.bool_:
            x = x.nonzero()[0]
        if not x.size:
            x = x.astype(dtypes.default_int())
        result.append(wrap(build.reshape(x._node, [x.size if p == place else 1 for p in range(len(args))])))
    return tuple(result)


# --- index tuples -----------------------------------------------------------------------------------------------------

def _constants(arrays):
    return tuple([asarray(a, dtypes.default_int()) for a in arrays])


def tril_indices(n, k=0, m=None):
    """Row and column indices of the lower triangle of an n by m matrix."""
    return _constants(onp.tril_indices(n, k, m))


def triu_indices(n, k=0, m=None):
    """Row and column indices of the upper triangle of an n by m matrix."""
    return _constants(onp.triu_indices(n, k, m))


def tril_indices_from(arr, k=0):
    """Row and column indices of the lower triangle of a matrix."""
    _check_matrix(arr)
    return tril_indices(arr.shape[-2], k, arr.shape[-1])


def triu_indices_from(arr, k=0):
    """Row and column indices of the upper triangle of a matrix."""
    _check_matrix(arr)
    return triu_indices(arr.shape[-2], k, arr.shape[-1])


def _check_matrix(arr):
    if len(arr.shape) != 2:
        raise ValueError(f'a matrix is needed, got shape {tuple(arr.shape)}')


def diag_indices(n, ndim=2):
    """Indices of the main diagonal of an array with `ndim` axes of size n."""
    if n < 0 or ndim < 0:
        raise ValueError(f'n and ndim must not be negative, got {n} and {ndim}')
    return (arange(n),) * ndim


def diag_indices_from(arr):
    """Indices of the main diagonal of an array whose axes have one size."""
    if arr.ndim < 2 or len(set(arr.shape)) != 1:
        raise ValueError(f'all axes must have one size and there must be two at least, got shape {arr.shape}')
    return diag_indices(arr.shape[0], arr.ndim)


def mask_indices(n, mask_func, k=0, *, size=None):
    """Indices of the elements that mask_func(ones((n, n)), k) leaves; they are counted, which forces the mask."""
    from .indexing import nonzero
    return nonzero(mask_func(ones((n, n)), k), size=size)


# --- windows ----------------------------------------------------------------------------------------------------------

def _window(function):
    def window(M):
        if M <= 1:
            return ones((max(0, M),))
        n = wrap(build.iota((M,), dtypes.default_float()))
        return function(n, M)
    window.__name__ = window.__qualname__ = function.__name__
    window.__doc__ = function.__doc__
    return window


@_window
def bartlett(n, M):
    """The triangular window of M points."""
    return 1 - abs(2 * n / (M - 1) - 1)


@_window
def blackman(n, M):
    """Blackman's window of M points."""
    from .elementwise import cos
    w = n * (2 * math.pi / (M - 1))
    return 0.42 - 0.5 * cos(w) + 0.08 * cos(2 * w)


@_window
def hamming(n, M):
    """Hamming's window of M points."""
    from .elementwise import cos
    return 0.54 - 0.46 * cos(n * (2 * math.pi / (M - 1)))


@_window
def hanning(n, M):
    """Hann's window of M points."""
    from .elementwise import cos
    return 0.5 - 0.5 * cos(n * (2 * math.pi / (M - 1)))


def kaiser(M, beta):
    """Kaiser's window of M points."""
    from .elementwise import i0, sqrt
    if M <= 1:
        return ones((max(0, M),))
    n = wrap(build.iota((M,), dtypes.default_float()))
    half = (M - 1) / 2
    return i0(beta * sqrt(1 - ((n - half) / half) ** 2)) / i0(beta)
