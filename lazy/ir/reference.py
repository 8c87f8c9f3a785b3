"""NumPy references and shape rules of the operations in `ops.py`: views, reductions, products, sorting, transforms.
(Elementwise ones are in `elements.py`, factors of matrices in `lapack.py`.)

A reference takes NumPy arrays and the operation's parameters as keywords, and returns an array of exactly the
dtype and shape that the shape rule says. It is what the other targets are tested against.
"""
import importlib

import numpy as np

from . import dtypes, elements
from .graph import aval, broadcast_shapes


# --- leaves and views -------------------------------------------------------------------------------------------

def iota(shape, dtype, axis):
    sizes = [1] * len(shape)
    sizes[axis] = shape[axis]
    return np.broadcast_to(np.arange(shape[axis]).astype(dtype).reshape(sizes), shape)


def infer_same(avals, **params):
    return aval(avals[0].shape, avals[0].dtype)


def infer_reshape(avals, shape):
    result = aval(shape, avals[0].dtype, avals[0].weak)
    if result.size != avals[0].size:
        raise ValueError(f'cannot reshape array of size {avals[0].size} and shape {avals[0].shape} into shape {shape}')
    return result


def reshape(x, shape):
    return x.reshape(shape)


def infer_transpose(avals, permutation):
    return aval(tuple([avals[0].shape[axis] for axis in permutation]), avals[0].dtype, avals[0].weak)


def transpose(x, permutation):
    return x.transpose(permutation)


def infer_broadcast(avals, shape, axes):
    for size, axis in zip(avals[0].shape, axes):
        if size not in (1, shape[axis]):
            raise ValueError(f'cannot broadcast shape {avals[0].shape} to {shape}')
    return aval(shape, avals[0].dtype, avals[0].weak)


def broadcast(x, shape, axes):
    sizes = [1] * len(shape)
    for size, axis in zip(x.shape, axes):
        sizes[axis] = size
    return np.broadcast_to(x.transpose(np.argsort(axes)).reshape(sizes), shape)


def infer_slice(avals, start, stop, step):
    shape = tuple([max(0, -(-(b - a) // s)) for a, b, s in zip(start, stop, step)])
    return aval(shape, avals[0].dtype, avals[0].weak)


def slice_(x, start, stop, step):
    return x[tuple([slice(a, b, s) for a, b, s in zip(start, stop, step)])]


def rev(x, axes):
    return np.flip(x, axes)


# --- structural --------------------------------------------------------------------------------------------------

def infer_concatenate(avals, axis):
    first = avals[0]
    for other in avals[1:]:
        if other.shape[:axis] + other.shape[axis + 1:] != first.shape[:axis] + first.shape[axis + 1:]:
            raise ValueError('concatenate: all the input array dimensions except for the concatenation axis must '
                             f'match exactly, got shapes {" ".join(str(a.shape) for a in avals)} for axis {axis}')
    total = sum(a.shape[axis] for a in avals)
    return aval(first.shape[:axis] + (total,) + first.shape[axis + 1:], first.dtype)


def concatenate(*arrays, axis):
    return np.concatenate(arrays, axis)


def infer_slice_update(avals, start, step):
    x, y = avals
    for size, n, a, s in zip(x.shape, y.shape, start, step):
        if n and (a < 0 or a + (n - 1) * s >= size):
            raise ValueError(f'slice_update: {y.shape} at {start} with step {step} is outside of {x.shape}')
    return aval(x.shape, x.dtype)


def slice_update(x, y, start, step):
    result = np.array(x, order='C')
    result[tuple([slice(a, a + max(0, (n - 1) * s + 1), s) for a, n, s in zip(start, y.shape, step)])] = y
    return result


def infer_gather(avals, axes, mode):
    """x and k index arrays for k axes -> shape of the indices, then the axes of x that are not indexed."""
    x, indices = avals[0], avals[1:]
    shape = broadcast_shapes('indexing', *[i.shape for i in indices])
    return aval(shape + tuple([n for axis, n in enumerate(x.shape) if axis not in axes]), x.dtype)


def check_range(index, size, axis):
    """IndexError as NumPy's for the first index outside of [0, size)."""
    outside = (index < 0) | (index >= size)
    if outside.any():
        first = int(np.asarray(index)[outside].flat[0])
        raise IndexError(f'index {first} is out of bounds for axis {axis} with size {size}')


def _located(x, indices, axes, mode):
    """Index tuple in [0, size) for x with `axes` leading, and the mask of those that were inside."""
    placed, inside = [], None
    for index, axis in zip(indices, axes):
        size = x.shape[axis]
        index = index.astype(np.int64)
        if mode == 'error':
            check_range(index, size, axis)
        elif mode == 'wrap':
            index = index % max(size, 1)
        elif mode == 'fill':
            ok = (index >= 0) & (index < size)
            inside = ok if inside is None else inside & ok
        placed.append(np.clip(index, 0, max(size - 1, 0)))
    return tuple(np.broadcast_arrays(*placed)), inside


def _leading(x, axes):
    return np.moveaxis(x, axes, range(len(axes)))


def fill_value(dtype):
    """What a gather of mode 'fill' gives outside: NaN, the largest unsigned, the smallest signed integer."""
    kind = dtypes.kind(dtype)
    if kind in 'fc':
        return np.asarray(np.nan, dtype)
    return np.asarray(dtypes.highest(dtype) if kind in 'bu' else dtypes.lowest(dtype), dtype)


def gather(x, *indices, axes, mode):
    placed, inside = _located(x, indices, axes, mode)
    if not x.size and placed[0].size and inside is not None:
        rest = tuple(n for axis, n in enumerate(x.shape) if axis not in axes)
        return np.broadcast_to(fill_value(x.dtype), placed[0].shape + rest)
    result = _leading(x, axes)[placed]
    if inside is not None:
        inside = np.broadcast_to(inside, placed[0].shape)
        inside = inside.reshape(inside.shape + (1,) * (result.ndim - inside.ndim))
        result = np.where(inside, result, fill_value(x.dtype))
    return result


def infer_scatter(avals, axes, mode, kind):
    x, updates, indices = avals[0], avals[1], avals[2:]
    expected = infer_gather([x, *indices], axes, mode).shape
    if updates.shape != expected:
        raise ValueError(f'scatter: updates have shape {updates.shape}, the indices address {expected}')
    return aval(x.shape, x.dtype)


_SCATTERS = {'add': np.add, 'mul': np.multiply, 'min': np.minimum, 'max': np.maximum}


def scatter(x, updates, *indices, axes, mode, kind):
    result = np.array(x, order='C')
    placed, inside = _located(x, indices, axes, mode)
    if inside is not None:
        keep = np.broadcast_to(inside, placed[0].shape)
        placed, updates = tuple([i[keep] for i in placed]), updates[keep]
    target = _leading(result, axes)
    if kind == 'set':
        target[placed] = updates
    elif placed[0].size:
        _SCATTERS[kind].at(target, placed, updates)
    return result


def scatter_at(x, updates, *located, axes, mode, kind):
    """A scatter at the indices i + shift where i < bound, else i, of located = (i, bound, shift) for each axis.
    `updates` may be one value for all."""
    indices = [np.where(i < bound, i + shift, i) for i, bound, shift in zip(*[located[k::3] for k in range(3)])]
    shape = np.broadcast_shapes(*[i.shape for i in indices])
    rest = tuple([n for axis, n in enumerate(x.shape) if axis not in axes])
    return scatter(x, np.broadcast_to(updates, shape + rest), *indices, axes=axes, mode=mode, kind=kind)


# --- reductions ------------------------------------------------------------------------------------------------

def infer_reduce(avals, axes):
    a = avals[0]
    return aval(tuple([n for axis, n in enumerate(a.shape) if axis not in axes]), a.dtype, a.weak)


def _sum_dtype(x):
    """Narrow floats are summed in float32, integers of 4 bits in 8."""
    return dtypes.held_as(x.dtype)


def reduce_sum(x, axes):
    return np.asarray(np.sum(x, axis=axes, dtype=_sum_dtype(x))).astype(x.dtype, copy=False)


def reduce_prod(x, axes):
    return np.asarray(np.prod(x, axis=axes, dtype=_sum_dtype(x))).astype(x.dtype, copy=False)


def infer_complex_prod(avals, axes, part):
    return infer_reduce(avals[:1], axes)


def complex_prod(x, y, axes, part):
    product = np.asarray(np.prod(elements.complex_(x, y), axis=axes))
    return product.imag if part else product.real


def _extreme(function, x, axes, name):
    if any(x.shape[axis] == 0 for axis in axes) and x.size == 0 and infer_size(x.shape, axes):
        raise ValueError(f'zero-size array to reduction operation {name} which has no identity')
    return np.asarray(function(x, axis=axes))


def infer_size(shape, axes):
    """Number of results of a reduction."""
    return int(np.prod([n for axis, n in enumerate(shape) if axis not in axes], dtype=np.int64))


def reduce_max(x, axes):
    return _extreme(np.max, x, axes, 'max') if infer_size(x.shape, axes) else _empty(x, axes)


def reduce_min(x, axes):
    return _extreme(np.min, x, axes, 'min') if infer_size(x.shape, axes) else _empty(x, axes)


def _empty(x, axes):
    return np.empty([n for axis, n in enumerate(x.shape) if axis not in axes], x.dtype)


def reduce_and(x, axes):
    return np.asarray(np.bitwise_and.reduce(x, axis=axes)) if x.ndim else x


def reduce_or(x, axes):
    return np.asarray(np.bitwise_or.reduce(x, axis=axes)) if x.ndim else x


def infer_arg(avals, axis, dtype):
    a = avals[0]
    if a.shape[axis] == 0:
        raise ValueError('attempt to get argmax or argmin of an empty sequence')
    return aval(a.shape[:axis] + a.shape[axis + 1:], dtype)


def argmax(x, axis, dtype):
    return np.asarray(np.argmax(x, axis)).astype(dtype)


def argmin(x, axis, dtype):
    return np.asarray(np.argmin(x, axis)).astype(dtype)


def _cumulative(function):
    def call(x, axis, reverse):
        x = np.flip(x, axis) if reverse else x
        result = function.accumulate(x, axis, dtype=_sum_dtype(x)).astype(x.dtype, copy=False)
        return np.flip(result, axis) if reverse else result
    return call


cumsum, cumprod = _cumulative(np.add), _cumulative(np.multiply)
cummax, cummin = _cumulative(np.maximum), _cumulative(np.minimum)
cumlogsumexp = _cumulative(np.logaddexp)


# --- products, sorting, transforms ---------------------------------------------------------------------------------

def infer_dot_general(avals, contract_lhs, contract_rhs, batch_lhs, batch_rhs):
    a, b = avals
    if a.dtype != b.dtype:
        raise TypeError(f'dot_general needs operands of one dtype, got {a} and {b}')
    for i, j in zip(contract_lhs + batch_lhs, contract_rhs + batch_rhs):
        if a.shape[i] != b.shape[j]:
            raise ValueError(f'product of shapes {a.shape} and {b.shape}: axis {i} of the first has size {a.shape[i]}, '
                             f'axis {j} of the second {b.shape[j]}')
    free_a = [n for axis, n in enumerate(a.shape) if axis not in contract_lhs + batch_lhs]
    free_b = [n for axis, n in enumerate(b.shape) if axis not in contract_rhs + batch_rhs]
    return aval((*[a.shape[i] for i in batch_lhs], *free_a, *free_b), a.dtype)


def as_matmul(shape_a, shape_b, contract_lhs, contract_rhs, batch_lhs, batch_rhs):
    """A dot_general as a matmul: (permutation, shape) of each operand, and the shape of the result."""
    free_a = [axis for axis in range(len(shape_a)) if axis not in contract_lhs + batch_lhs]
    free_b = [axis for axis in range(len(shape_b)) if axis not in contract_rhs + batch_rhs]
    size = lambda shape, axes: int(np.prod([shape[i] for i in axes], dtype=np.int64))
    batch = [shape_a[i] for i in batch_lhs]
    m, n, k = size(shape_a, free_a), size(shape_b, free_b), size(shape_a, contract_lhs)
    out = (*batch, *[shape_a[i] for i in free_a], *[shape_b[i] for i in free_b])
    return (((*batch_lhs, *free_a, *contract_lhs), (*batch, m, k)),
            ((*batch_rhs, *contract_rhs, *free_b), (*batch, k, n)), out)


def dot_general(a, b, contract_lhs, contract_rhs, batch_lhs, batch_rhs):
    dtype = a.dtype
    a, b = a.astype(dtypes.held_as(dtype), copy=False), b.astype(dtypes.held_as(dtype), copy=False)
    left, right, out = as_matmul(a.shape, b.shape, contract_lhs, contract_rhs, batch_lhs, batch_rhs)
    product = np.matmul(a.transpose(left[0]).reshape(left[1]), b.transpose(right[0]).reshape(right[1]))
    return product.reshape(out).astype(dtype, copy=False)


def sort(x, axis):
    return np.sort(x, axis)


def partition(x, kth, axis):
    return np.partition(x, kth, axis)


def infer_argsort(avals, axis, dtype):
    return aval(avals[0].shape, dtype)


def argsort(x, axis, dtype):
    return np.argsort(x, axis, kind='stable').astype(dtype)


def infer_searchsorted(avals, side, dtype):
    return aval(avals[1].shape, dtype)


def searchsorted(a, v, side, dtype):
    return np.asarray(np.searchsorted(a, v, side)).astype(dtype)


def infer_fft(avals, kind, axis, length):
    a, = avals
    size = length // 2 + 1 if kind == 'rfft' else length
    dtype = dtypes.real_of(a.dtype) if kind == 'irfft' else dtypes.complex_of(a.dtype)
    return aval(a.shape[:axis] + (size,) + a.shape[axis + 1:], dtype)


def fft(x, kind, axis, length):
    return getattr(importlib.import_module('scipy.fft'), kind)(x, length, axis)


def dct(x, odd, type, axis):
    if not x.size:
        return x
    return getattr(importlib.import_module('scipy.fft'), 'dst' if odd else 'dct')(x, type, axis=axis)


def packed(*operands, op, params):
    """The results of an operation that has several, each at a multiple of 64 bytes."""
    results = op.numpy(*operands, **dict(zip(op.param_names, params or ())))
    parts = []
    for x in results:
        data = np.ascontiguousarray(x).reshape(-1).view(np.uint8)
        parts += [data, np.zeros(-data.size % 64, np.uint8)]
    return np.concatenate(parts)


def unpack(x, offset, shape, dtype):
    count = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    return x[offset:offset + count].copy().view(dtype).reshape(shape)
