"""Making arrays: of values, of a constant, of ranges, grids and triangles."""
import math
import operator

import numpy as onp

from ._util import (Array, array_of, as_node, axis_of, build, check_integer, dtype_of, dtypes, node_of, ops, promoted, scalar_of,
                    shape_of, static_int, to_numpy, wrap)

__all__ = ['array', 'asarray', 'astype', 'copy', 'zeros', 'ones', 'full', 'empty', 'zeros_like', 'ones_like', 'full_like',
           'empty_like', 'arange', 'linspace', 'logspace', 'geomspace', 'eye', 'identity', 'tri', 'tril', 'triu', 'diag',
           'diagflat', 'meshgrid', 'indices', 'fromfunction', 'frombuffer', 'fromstring', 'fromiter', 'fromfile',
           'from_dlpack', 'load', 'vander', 'mgrid', 'ogrid', 'r_', 'c_', 's_', 'index_exp', 'ix_', 'bartlett', 'blackman', 'hamming',
           'hanning', 'kaiser', 'tril_indices', 'triu_indices', 'tril_indices_from', 'triu_indices_from',
           'diag_indices', 'diag_indices_from', 'mask_indices']


def _place(device):
    if device is not None:
        from ..devices import check_device
        check_device(device)


def array(object, dtype=None, copy=True, order='K', ndmin=0, *, device=None, out_sharding=None):
    """An array of a number, nested lists, a NumPy array, or anything with the array protocol.

    NumPy arrays keep their dtype; Python numbers get the default width (float32, int32), and are weak as scalars.

    >>> import lazy.numpy as np
    >>> np.array([[1, 2], [3, 4]]).dtype.name
    'int32'
    """
    result = asarray(object, dtype, device=device)
    if result.ndim < ndmin:
        result = wrap(build.reshape(result._node, (1,) * (ndmin - result.ndim) + result.shape))
    return result


def asarray(a, dtype=None, order=None, *, copy=None, device=None, out_sharding=None):
    """The array itself where it is one already, else an array made of it.

    Raises OverflowError for a Python integer that doesn't fit, ValueError for ragged lists, TypeError for what is no
    number.
    """
    if device is not None:
        _place(device)
    if dtype is None:
        return a if isinstance(a, Array) else wrap(as_node(a))
    dtype = dtypes.as_dtype(dtype)
    if isinstance(a, (bool, int, float, complex)) and not isinstance(a, onp.generic):
        return wrap(_scalar(a, dtype))
    if isinstance(a, (list, tuple)):
        return wrap(_list(a, dtype))
    if copy is False and not isinstance(a, Array):
        raise ValueError('an array of this object needs a copy')
    return wrap(build.convert(node_of(a), dtype))


def _scalar(value, dtype):
    """A strong scalar; what a conversion to `dtype` gives."""
    if isinstance(value, float) and dtypes.is_integer(dtype):
        return build.convert(build.literal(value, dtypes.float64), dtype)
    check_integer(int(value) if isinstance(value, bool) else value, dtype)
    if isinstance(value, complex) and dtypes.kind(dtype) != 'c':
        raise TypeError(f'a complex number does not convert to {dtype.name}')
    return build.literal(value, dtype)


def _list(items, dtype):
    """Nested lists in a dtype, without going through the default width."""
    from ..array import _flatten, from_numpy
    leaves = list(_flatten(items))
    if not leaves or any(isinstance(leaf, Array) for leaf in leaves) or not all(
            isinstance(leaf, (bool, int, float, complex)) for leaf in leaves):
        return build.convert(as_node(items), dtype)
    try:
        values = onp.asarray(items)
    except ValueError as error:
        raise ValueError(f'an array of sequences of different lengths is not possible: {error}') from None
    if values.dtype.kind in 'iuO' and dtypes.is_integer(dtype):
        check_integer(int(max(leaves)), dtype)
        check_integer(int(min(leaves)), dtype)
    if values.dtype.kind == 'f' and dtypes.is_integer(dtype) or values.dtype.kind == 'c' and dtypes.kind(dtype) != 'c':
        return build.convert(from_numpy(values), dtype)
    return from_numpy(values.astype(dtype))


def astype(x, dtype, /, *, copy=False, device=None):
    """x converted to a dtype. Floats become integers toward zero, clamped to the range; NaN becomes 0."""
    node = node_of(x)
    dtype = dtypes.default_float() if dtype is None else dtypes.as_dtype(dtype)
    return x if type(x) is Array and node.aval.dtype == dtype and not node.aval.weak else wrap(build.convert(node, dtype))


def copy(a, order=None):
    """The array: it is immutable, so that no copy is needed."""
    return array_of(a)


# --- constants -----------------------------------------------------------------------------------------------------

def zeros(shape, dtype=None, *, device=None, out_sharding=None):
    """Zeros, float32 unless a dtype is given.

    >>> import lazy.numpy as np
    >>> np.zeros((2, 3)).shape
    (2, 3)
    """
    return full(shape, 0, dtypes.default_float() if dtype is None else dtype, device=device)


def ones(shape, dtype=None, *, device=None, out_sharding=None):
    """Ones, float32 unless a dtype is given."""
    return full(shape, 1, dtypes.default_float() if dtype is None else dtype, device=device)


def empty(shape, dtype=None, *, device=None, out_sharding=None):
    """Zeros: there is no uninitialised memory to see."""
    return zeros(shape, dtype, device=device)


def full(shape, fill_value, dtype=None, *, device=None, out_sharding=None):
    """An array filled with a value, which may be an array that broadcasts to `shape`."""
    if device is not None:
        _place(device)
    shape = shape_of(shape)
    if isinstance(fill_value, (bool, int, float, complex)) and not isinstance(fill_value, onp.generic):
        if dtype is None:
            return wrap(build.broadcast_to(node_of(fill_value), shape))
        return wrap(build.broadcast(_scalar(fill_value, dtypes.as_dtype(dtype)), shape, ()))
    node = node_of(fill_value)
    if dtype is not None:
        node = build.convert(node, dtypes.as_dtype(dtype))
    if node.aval.ndim > len(shape):
        raise ValueError(f'a fill value of shape {node.aval.shape} does not broadcast to shape {shape}')
    return wrap(build.broadcast_to(node, shape))


def _like(a, dtype, shape):
    """(shape, dtype) of the *_like functions: of an array or anything with a shape and a dtype."""
    if not (hasattr(a, 'shape') and hasattr(a, 'dtype')):
        a = array_of(a)
    return a.shape if shape is None else shape, dtypes.as_dtype(a.dtype if dtype is None else dtype)


def zeros_like(a, dtype=None, shape=None, *, device=None, out_sharding=None):
    """Zeros of the shape and dtype of another array."""
    shape, dtype = _like(a, dtype, shape)
    return full(shape, 0, dtype, device=device)


def ones_like(a, dtype=None, shape=None, *, device=None, out_sharding=None):
    """Ones of the shape and dtype of another array."""
    shape, dtype = _like(a, dtype, shape)
    return full(shape, 1, dtype, device=device)


def empty_like(prototype, dtype=None, shape=None, *, device=None):
    """Zeros of the shape and dtype of another array."""
    return zeros_like(prototype, dtype, shape, device=device)


def full_like(a, fill_value, dtype=None, shape=None, *, device=None):
    """An array filled with a value, of the shape and dtype of another."""
    shape, dtype = _like(a, dtype, shape)
    return full(shape, fill_value, dtype, device=device)


# --- ranges ----------------------------------------------------------------------------------------------------------

def arange(start, stop=None, step=None, dtype=None, *, device=None, out_sharding=None):
    """start, start + step, ... up to and without stop. The bounds decide the shape: arrays given as bounds are forced.

    >>> import lazy.numpy as np
    >>> np.arange(2, 8, 3).tolist()
    [2, 5]
    """
    _place(device)
    given = [x for x in (start, stop, step) if x is not None]
    if dtype is None:
        dtype = dtypes.promote(*[(n.aval.dtype, n.aval.weak) for n in map(node_of, given)])[0]
    dtype = dtypes.as_dtype(dtype)
    start, stop, step = [_concrete(x) for x in ((0, start, 1) if stop is None else (start, stop, step))]
    step = 1 if step is None else step
    if step == 0:
        raise ValueError('arange: the step must not be zero')
    if dtypes.kind(dtype) == 'c':
        raise TypeError('arange is not for complex numbers')
    count = max(0, math.ceil((stop - start) / step)) if not _whole(start, stop, step) else len(range(start, stop, step))
    if dtype == dtypes.bool_:
        if count > 2:
            raise TypeError('arange of booleans has at most two elements')
        return array([bool(start + i * step) for i in range(count)], dtype)
    if not dtypes.is_inexact(dtype):
        start, step = int(start), int(step)
        check_integer(start, dtype)
    wide = dtypes.float32 if dtype in (dtypes.float16, dtypes.bfloat16) else dtype
    result = wrap(build.iota((count,), wide))
    if step != 1:
        result = result * wrap(_scalar(step, wide) if dtypes.is_inexact(wide) or step >= 0 or dtypes.kind(wide) == 'i'
                               else build.literal(step % (1 << 8 * wide.itemsize), wide))
    if start != 0:
        result = result + wrap(_scalar(start, wide))
    return result.astype(dtype)


def _whole(*values):
    return all(isinstance(v, int) for v in values)


def _concrete(x):
    """A Python number from a scalar argument."""
    if x is None or isinstance(x, (int, float, complex)):
        return x
    if isinstance(x, Array):
        return to_numpy(x._node, 'int').item() if x.ndim == 0 else _no_scalar(x)
    if hasattr(x, '__array__'):
        x = onp.asarray(x)
        return x.item() if x.ndim == 0 else _no_scalar(x)
    return operator.index(x)


def _no_scalar(x):
    raise TypeError(f'a bound of a range must be a scalar, got shape {x.shape}')


def linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0, *, device=None):
    """`num` evenly spaced values from start to stop, which may be arrays; the last is exactly stop.

    >>> import lazy.numpy as np
    >>> np.linspace(0, 1, 5).tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    from .elementwise import floor
    from .indexing import where
    from .shape import moveaxis
    _place(device)
    num = static_int(num, 'num')
    if num < 0:
        raise ValueError(f'number of samples, {num}, must be non-negative')
    asked = dtype_of(dtype)
    a, b = [wrap(n) for n in promoted(start, stop, inexact=True)]
    computed = a.dtype if asked is None or not dtypes.is_inexact(asked) else asked
    narrow = computed if computed.itemsize < 4 else None
    wide = dtypes.float32 if narrow is not None else computed
    a, b = a.astype(wide), b.astype(wide)
    div = num - 1 if endpoint else num
    shape = a.shape if a.shape == b.shape else onp.broadcast_shapes(a.shape, b.shape)
    real = dtypes.real_of(wide)
    i = wrap(build.iota((num,) + (1,) * len(shape), real))
    t = i / float(max(div, 1))
    result = a * (1 - t) + b * t
    if endpoint and num > 1:
        result = where(i == num - 1, b, result)
    if result.shape != (num,) + tuple(shape):
        result = wrap(build.broadcast_to(result._node, (num, *shape)))
    target = asked or computed
    if dtypes.is_integer(target):
        result = floor(result)
    result = moveaxis(result.astype(target), 0, axis) if axis else result.astype(target)
    if not retstep:
        return result
    return result, ((b - a) / div if div else (b - a) * math.nan).astype(computed)


def logspace(start, stop, num=50, endpoint=True, base=10.0, dtype=None, axis=0):
    """base to the power of evenly spaced exponents."""
    from .elementwise import power
    exponents = linspace(start, stop, num, endpoint, axis=axis)
    result = power(array_of(base), exponents) if not isinstance(base, int) else power(float(base), exponents)
    return result if dtype is None else result.astype(dtypes.as_dtype(dtype))


def geomspace(start, stop, num=50, endpoint=True, dtype=None, axis=0):
    """`num` values from start to stop with a constant ratio; the ends are exact."""
    from .elementwise import exp, log, sign
    from .indexing import where
    a, b = [wrap(n) for n in promoted(start, stop, inexact=True)]
    signs = a / abs(a) if dtypes.kind(a.dtype) == 'c' else sign(a)
    exponents = linspace(log(a / signs), log(b / signs), num, endpoint)
    result = exp(exponents) * signs
    i = wrap(build.iota((num,) + (1,) * (result.ndim - 1), dtypes.int32))
    result = where(i == 0, a, where((i == num - 1) & endpoint, b, result) if num > 1 else result)
    if axis:
        from .shape import moveaxis
        result = moveaxis(result, 0, axis)
    return result if dtype is None else result.astype(dtypes.as_dtype(dtype))


# --- matrices ----------------------------------------------------------------------------------------------------------

def eye(N, M=None, k=0, dtype=None, *, device=None):
    """Ones on the k-th diagonal of an N by M matrix of zeros.

    >>> import lazy.numpy as np
    >>> np.eye(2).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return wrap(build.convert(_compare_diagonal(ops.eq, N, M, k), dtype_of(dtype) or dtypes.default_float()))


def _compare_diagonal(op, N, M, k):
    """Booleans N by M: op(row + k, column)."""
    n = static_int(N, 'N')
    m = n if M is None else static_int(M, 'M')
    if n < 0 or m < 0:
        raise ValueError(f'negative dimensions are not allowed: {(n, m)}')
    rows = wrap(build.iota((n, m), dtypes.int32, 0))
    rows = rows if type(k) is int and k == 0 else rows + k
    return build.apply(op, rows._node, build.iota((n, m), dtypes.int32, 1))


def identity(n, dtype=None):
    """The identity matrix."""
    return eye(n, dtype=dtype)


def tri(N, M=None, k=0, dtype=None):
    """Ones on and below the k-th diagonal."""
    return wrap(build.convert(_compare_diagonal(ops.ge, N, M, k), dtype_of(dtype) or dtypes.default_float()))


def tril(m, k=0):
    """The lower triangle of matrices: what stands above the k-th diagonal is zero."""
    return _triangle(m, k, True, 'tril')


def triu(m, k=0):
    """The upper triangle of matrices: what stands below the k-th diagonal is zero."""
    return _triangle(m, k, False, 'triu')


def _triangle(m, k, lower, name):
    node = node_of(m)
    if node.aval.ndim < 1:
        raise ValueError(f'{name} needs an array of at least one dimension, got shape {node.aval.shape}')
    if node.aval.ndim == 1:
        node = build.broadcast_to(node, node.aval.shape * 2)
    keep = _compare_diagonal(ops.ge, *node.aval.shape[-2:], k if lower else k - 1)
    zero = build.literal(0, node.aval.dtype)
    return wrap(build.apply(ops.select, keep, node, zero) if lower else build.apply(ops.select, keep, zero, node))


def diag(v, k=0):
    """The k-th diagonal of a matrix, or a matrix with the vector on its k-th diagonal.

    >>> import lazy.numpy as np
    >>> np.diag(np.array([1, 2])).tolist()
    [[1, 0], [0, 2]]
    """
    node = node_of(v)
    k = static_int(k, 'k')
    if node.aval.ndim == 2:
        return wrap(take_diagonal(node, k))
    if node.aval.ndim != 1:
        raise ValueError(f'diag needs an array of one or two dimensions, got shape {node.aval.shape}')
    return wrap(put_diagonal(node, k))


def diagflat(v, k=0):
    """A matrix with the flattened array on its k-th diagonal."""
    node = node_of(v)
    return wrap(put_diagonal(build.reshape(node, (node.aval.size,)), k))


def take_diagonal(node, k):
    """The k-th diagonal of the last two axes: a strided slice of the flattened matrix."""
    n, m = node.aval.shape[-2:]
    count = max(0, min(n, m - k) if k >= 0 else min(n + k, m))
    batch = node.aval.shape[:-2]
    flat = build.reshape(node, (*batch, n * m))
    first = k if k >= 0 else -k * m
    if not count:
        return build.slice_axis(flat, len(batch), 0, 0)
    return build.slice_axis(flat, len(batch), first, first + (count - 1) * (m + 1) + 1, m + 1)


def put_diagonal(node, k):
    """Matrices with the last axis on their k-th diagonal."""
    batch, count = node.aval.shape[:-1], node.aval.shape[-1]
    n = count + abs(k)
    zeros_ = build.broadcast(build.literal(0, node.aval.dtype), (*batch, n * n), ())
    first = k if k >= 0 else -k * n
    start, step = (0,) * len(batch) + (first,), (1,) * len(batch) + (n + 1,)
    flat = build.slice_update(zeros_, node, start, step) if count else zeros_
    return build.reshape(flat, (*batch, n, n))


def vander(x, N=None, increasing=False):
    """Vandermonde matrix: powers of x as columns, falling unless `increasing`."""
    x = array_of(x)
    if x.ndim != 1:
        raise ValueError(f'vander needs a vector, got shape {x.shape}')
    n = x.shape[0] if N is None else static_int(N, 'N')
    if n < 0:
        raise ValueError(f'N must not be negative, got {n}')
    exponents = arange(n, dtype=dtypes.int32) if increasing else arange(n - 1, -1, -1, dtype=dtypes.int32)
    from .products import _powers
    return _powers(x[:, None], exponents)


# --- grids -----------------------------------------------------------------------------------------------------------

def meshgrid(*xi, copy=True, sparse=False, indexing='xy'):
    """Coordinate matrices of coordinate vectors, a list of one array for each.

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
    return [wrap(build.broadcast(n, shape, (place,))) for n, shape, place in zip(nodes, shapes, places)]


def indices(dimensions, dtype=None, sparse=False):
    """Index arrays of a grid, stacked, or as a tuple of arrays that broadcast when `sparse`."""
    from .shape import stack
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
        from .shape import stack
        single = not isinstance(key, tuple)
        vectors = [_slice_range(s) for s in ((key,) if single else key)]
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
        from .shape import concatenate
        items = list(key) if isinstance(key, tuple) else [key]
        axis, ndmin, trans = (-1, 2, 0) if self.columns else (0, 1, -1)
        if isinstance(items[0], str):
            parts = [int(p) for p in items.pop(0).split(',')]
            axis, ndmin, trans = (parts + [ndmin, trans][len(parts) - 1:])[:3] if len(parts) < 3 else parts
        arrays = [_slice_range(i) if isinstance(i, slice) else array_of(i) for i in items]
        return concatenate([self._raise(a, ndmin, trans) for a in arrays], axis)

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


# --- index tuples ------------------------------------------------------------------------------------------------------

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


# --- from outside ------------------------------------------------------------------------------------------------------

def frombuffer(buffer, dtype=float, count=-1, offset=0):
    """An array with a copy of a buffer's elements."""
    return asarray(onp.frombuffer(buffer, dtypes.as_dtype(dtype), count, offset))


def fromstring(string, dtype=float, count=-1, *, sep):
    """An array of the numbers in a text."""
    return asarray(onp.fromstring(string, dtypes.as_dtype(dtype), count, sep=sep))


def fromiter(iter, dtype, count=-1):
    """An array of an iterable's numbers."""
    return asarray(onp.fromiter(iter, dtypes.as_dtype(dtype), count))


def fromfile(file, dtype=float, count=-1, sep='', offset=0):
    """An array of the numbers in a file."""
    return asarray(onp.fromfile(file, dtypes.as_dtype(dtype), count, sep, offset))


def from_dlpack(x, /, *, device=None, copy=None):
    """An array of another library's array, through DLPack."""
    _place(device)
    if isinstance(x, Array):
        return x
    if copy is False:
        raise ValueError('from_dlpack copies into memory of its own')
    return asarray(onp.from_dlpack(x))


def load(file, *args, **kwargs):
    """The arrays that `save` or `savez` of NumPy wrote into a file."""
    found = onp.load(file, *args, **kwargs)
    return asarray(found) if isinstance(found, onp.ndarray) else found


# --- windows -------------------------------------------------------------------------------------------------------------

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
