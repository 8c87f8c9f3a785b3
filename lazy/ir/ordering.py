"""Indices that sort, by one sort of numbers that hold an element and its index.

Before: argsort(x). After: sort((order(x) << 32) + index) & 0xffffffff, where order(x) are whole numbers of 32 bits in the order
of x. NumPy's stable argsort takes 330 ms for 1 M float32, its sort of int64 7 ms; what is around it are kernels.
"""
import numpy as np

from . import build, dtypes, ops

_MOST = np.iinfo(np.int32).max


def argsort(x, axis, dtype, descending=False):
    """Node of the indices that sort along an axis; of equal elements the first stays first, NaNs are the largest."""
    n = x.aval.shape[axis]
    if not _fits(x, axis):
        if not descending:
            return build.make(ops.argsort, (x,), (axis, dtype))
        backwards = build.rev(build.make(ops.argsort, (build.rev(x, (axis,)),), (axis, dtype)), (axis,))
        return build.sub(build.scalar_like(backwards, n - 1), backwards)
    return _indices(sort(_packed(x, axis, descending), axis), dtype)


def sort(x, axis):
    """Node of x sorted along an axis, NaN last. Along another than the last axis: by transposing, which kernels do."""
    return _along_last(x, axis, lambda x, last: build.make(ops.sort, (x,), (last,)))


def partition(x, kth, axis):
    """Node of x such that along an axis the kth stands where sorting puts it, smaller ones before."""
    return _along_last(x, axis, lambda x, last: build.make(ops.partition, (x,), (kth, last)))


def argpartition(x, kth, axis, dtype):
    """Node of the indices that partition along an axis."""
    if not _fits(x, axis):
        return argsort(x, axis, dtype)
    return _indices(partition(_packed(x, axis), kth, axis), dtype)


def top(x, k, axis, dtype):
    """Node of the indices of the k largest along an axis, falling; of equal elements the first stays first."""
    if not 0 < k < x.aval.shape[axis] or not _fits(x, axis):
        return build.slice_axis(argsort(x, axis, dtype, descending=True), axis, 0, k)
    first = build.slice_axis(partition(_packed(x, axis, True), k - 1, axis), axis, 0, k)
    return _indices(sort(first, axis), dtype)


def _along_last(x, axis, function):
    """bfloat16 and narrower in the type they are computed in: NumPy does not know where their NaNs belong."""
    wide = dtypes.held_as(x.aval.dtype)
    if wide != x.aval.dtype and x.aval.dtype != dtypes.float16:
        return build.convert(_along_last(build.convert(x, wide), axis, function), x.aval.dtype)
    last = x.aval.ndim - 1
    if axis == last:
        return function(x, last)
    swapped = [last if a == axis else axis if a == last else a for a in range(last + 1)]
    return build.transpose(function(build.transpose(x, swapped), last), swapped)


# --- numbers that hold an element and its index ---------------------------------------------------------------------

def _fits(x, axis):
    return x.aval.dtype.itemsize <= 4 and x.aval.shape[axis] <= _MOST


def _packed(x, axis, descending=False):
    """int64: above the element's rank, below its index."""
    order = build.convert(_order(build.apply(ops.stop_gradient, x)), dtypes.int64)
    if x.aval.dtype == dtypes.uint32:
        order = build.sub(order, build.scalar_like(order, 1 << 31))
    if descending:
        order = build.apply(ops.not_, order)
    packed = build.apply(ops.shift_left, order, build.scalar_like(order, 32))
    return build.apply(ops.or_, packed, build.iota(x.aval.shape, dtypes.int64, axis))


def _indices(packed, dtype):
    return build.convert(build.apply(ops.and_, packed, build.scalar_like(packed, 0xffffffff)), dtype)


def _order(x):
    """Integers of up to 32 bits in the order of x: -0.0 is 0.0, NaN the largest."""
    if not dtypes.is_inexact(x.aval.dtype):
        return x
    x = build.convert(x, dtypes.float32)
    bits = build.make(ops.bitcast, (x,), (dtypes.int32,))
    below = build.apply(ops.and_, build.apply(ops.shift_right_arithmetic, bits, build.scalar_like(bits, 31)), build.scalar_like(bits, _MOST))
    order = build.apply(ops.xor, bits, below)                                    # of negative numbers all bits but the sign turn over
    order = build.select(build.eq(x, build.scalar_like(x, 0)), build.scalar_like(order, 0), order)
    return build.select(build.apply(ops.is_nan, x), build.scalar_like(order, _MOST), order)
