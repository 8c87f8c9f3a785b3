"""Making arrays: of values, of a constant, of ranges, grids and triangles."""
import math
import operator

import numpy as onp

from ._util import (Array, array_of, as_node, build, check_integer, dtype_of, dtypes, fresh, node_of, ops, promoted,
                    shape_of, static_int, to_numpy, wrap)

__all__ = ['array', 'asarray', 'astype', 'copy', 'zeros', 'ones', 'full', 'empty', 'zeros_like', 'ones_like',
           'full_like', 'empty_like', 'arange', 'linspace', 'logspace', 'geomspace', 'eye', 'identity',
           'tri', 'tril', 'triu', 'diag', 'diagflat', 'frombuffer', 'fromstring', 'fromiter', 'fromfile',
           'from_dlpack', 'load', 'vander']


def _place(device):
    if device is not None:
        from ..hardware import check_device
        check_device(device)


def array(object, dtype=None, copy=True, order='K', ndmin=0, *, device=None, out_sharding=None):
    """An array of a number, nested lists, a NumPy array, or anything with the array protocol.

    NumPy arrays keep their dtype; Python numbers get the default width (float32, int32), and are weak as scalars.

    >>> import lazy.numpy as np
    >>> np.array([[1, 2], [3, 4]]).dtype.name
    'int32'
    """
    result = asarray(object, dtype, copy=copy or None, device=device)
    if result.ndim < ndmin:
        result = wrap(build.reshape(result._node, (1,) * (ndmin - result.ndim) + result.shape))
    return result


def asarray(a, dtype=None, order=None, *, copy=None, device=None, out_sharding=None):
    """The array itself where it is one already (with copy=True another that has its values), else one made of it.

    Raises OverflowError for a Python integer that doesn't fit, ValueError for ragged lists and for copy=False where a
    copy is needed, TypeError for what is no number.
    """
    if device is not None:
        _place(device)
    if isinstance(a, Array) and (dtype is None or a.dtype == dtypes.as_dtype(dtype) and not a.weak_type):
        return wrap(a._node) if copy else a
    if copy is False:
        raise ValueError(f'copy=False: an array of {dtype or "its own dtype"} made of this object needs a copy')
    if dtype is None:
        check_integer(a, dtypes.default_int())
        return wrap(as_node(a))
    dtype = dtypes.as_dtype(dtype)
    if isinstance(a, (bool, int, float, complex)) and not isinstance(a, onp.generic):
        return wrap(_scalar(a, dtype))
    if isinstance(a, (list, tuple)):
        return wrap(_list(a, dtype))
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


def astype(x, dtype, /, *, copy=True, device=None):
    """x converted to a dtype. Floats become integers toward zero, clamped to the range; NaN becomes 0.

    With copy=False x itself where it has that dtype.
    """
    if device is not None:
        _place(device)
    node = node_of(x)
    dtype = dtypes.default_float() if dtype is None else dtypes.as_dtype(dtype)
    if not copy and type(x) is Array and node.aval.dtype == dtype and not node.aval.weak:
        return x
    return wrap(build.convert(node, dtype))


def copy(a, order=None):
    """Another array of the same values, which both share until one of them is written into."""
    return fresh(a)


# --- constants -----------------------------------------------------------------------------------------------------

def zeros(shape, dtype=None, order='C', *, device=None, out_sharding=None):
    """Zeros, float32 unless a dtype is given. `order` is NumPy's: how elements lie in memory is the library's affair.

    >>> import lazy.numpy as np
    >>> np.zeros((2, 3)).shape
    (2, 3)
    """
    return full(shape, 0, dtypes.default_float() if dtype is None else dtype, device=device)


def ones(shape, dtype=None, order='C', *, device=None, out_sharding=None):
    """Ones, float32 unless a dtype is given."""
    return full(shape, 1, dtypes.default_float() if dtype is None else dtype, device=device)


def empty(shape, dtype=None, order='C', *, device=None, out_sharding=None):
    """Zeros: there is no uninitialised memory to see."""
    return zeros(shape, dtype, device=device)


def full(shape, fill_value, dtype=None, order='C', *, device=None, out_sharding=None):
    """An array filled with a value, which may be an array that broadcasts to `shape`."""
    if device is not None:
        _place(device)
    shape = shape_of(shape)
    if isinstance(fill_value, (bool, int, float, complex)) and not isinstance(fill_value, onp.generic):
        if dtype is None:
            return wrap(build.broadcast_to(asarray(fill_value)._node, shape))
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


def zeros_like(a, dtype=None, shape=None, *, order='K', subok=True, device=None, out_sharding=None):
    """Zeros of the shape and dtype of another array."""
    shape, dtype = _like(a, dtype, shape)
    return full(shape, 0, dtype, device=device)


def ones_like(a, dtype=None, shape=None, *, order='K', subok=True, device=None, out_sharding=None):
    """Ones of the shape and dtype of another array."""
    shape, dtype = _like(a, dtype, shape)
    return full(shape, 1, dtype, device=device)


def empty_like(prototype, dtype=None, shape=None, *, order='K', subok=True, device=None):
    """Zeros of the shape and dtype of another array."""
    return zeros_like(prototype, dtype, shape, device=device)


def full_like(a, fill_value, dtype=None, shape=None, *, order='K', subok=True, device=None):
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
    start, stop, step = [_concrete(x) for x in ((0, start, step) if stop is None else (start, stop, step))]
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
    wide = dtypes.held_as(dtype)
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


# --- matrices ---------------------------------------------------------------------------------------------------------

def eye(N, M=None, k=0, dtype=None, order='C', *, device=None):
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
    if isinstance(k, int):
        k = max(-n, min(k, m))                                       # farther away there is nothing either
    elif isinstance(k, Array):
        from .indexing import clip
        k = clip(k, -n, m).astype(dtypes.int32)
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


# --- from outside -----------------------------------------------------------------------------------------------------

def _read(function, source, dtype, *more):
    """An array of what a NumPy function reads. Python's types are as wide there as NumPy has them: that is what is in the
    bytes; the array has the type that is asked for."""
    raw = onp.dtype(dtype) if dtype in (float, int, complex, bool) else dtypes.as_dtype(dtype)
    return asarray(function(source, raw, *more), dtypes.as_dtype(dtype))


def frombuffer(buffer, dtype=float, count=-1, offset=0):
    """An array with a copy of a buffer's elements."""
    return _read(onp.frombuffer, buffer, dtype, count, offset)


def fromstring(string, dtype=float, count=-1, *, sep):
    """An array of the numbers in a text."""
    return asarray(onp.fromstring(string, dtypes.as_dtype(dtype), count, sep=sep))


def fromiter(iter, dtype, count=-1):
    """An array of an iterable's numbers."""
    return asarray(onp.fromiter(iter, dtypes.as_dtype(dtype), count))


def fromfile(file, dtype=float, count=-1, sep='', offset=0):
    """An array of the numbers in a file."""
    return _read(onp.fromfile, file, dtype, count, sep, offset)


def from_dlpack(x, /, *, device=None, copy=None):
    """An array of another library's array, through DLPack. It has a copy of the elements in memory of its own.

    Raises ValueError for copy=False, but for arrays of this library.
    """
    _place(device)
    if isinstance(x, Array):
        return wrap(x._node) if copy else x
    if copy is False:
        raise ValueError('from_dlpack copies into memory of its own: copy=False is not possible')
    return asarray(onp.from_dlpack(x))


def load(file, *args, **kwargs):
    """The arrays that `save` or `savez` of NumPy wrote into a file."""
    found = onp.load(file, *args, **kwargs)
    if isinstance(found, onp.ndarray) and found.dtype == 'V2':         # what the format makes of bfloat16
        found = found.view(dtypes.bfloat16)
    return asarray(found) if isinstance(found, onp.ndarray) else found
