"""Indices that sort: of whole numbers in the order of x, which kernels compute.

Before: argsort(x). After: argsort(order(x)), by digits; or for short rows of up to 32 bits
sort((order(x) << 32) + index) & 0xffffffff: one sort of numbers that hold an element and its index. 1000 rows of 1000
float32 take 1.8 ms so.
"""
import numpy as np

from . import build, dtypes, ops

PACKED = 1 << 14                        # elements of a row up to which to sort packed numbers is faster than by digits
_MOST = np.iinfo(np.int32).max


def argsort(x, axis, dtype, descending=False):
    """Node of the indices that sort along an axis; of equal elements the first stays first, NaNs are the largest."""
    n = x.aval.shape[axis]
    if dtypes.kind(x.aval.dtype) == 'c':
        if not descending:
            return build.make(ops.argsort, (x,), (axis, dtype))
        backwards = build.rev(build.make(ops.argsort, (build.rev(x, (axis,)),), (axis, dtype)), (axis,))
        return build.sub(build.scalar_like(backwards, n - 1), backwards)
    if _fits(x, axis) and n <= PACKED:
        return _indices(sort(_packed(x, axis, descending), axis), dtype)
    return _along_last(_order(x, descending), axis, lambda x, last: build.make(ops.argsort, (x,), (last, dtype)))


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
    order = build.convert(_order(x, descending), dtypes.int64)
    packed = build.apply(ops.shift_left, order, build.scalar_like(order, 32))
    return build.apply(ops.or_, packed, build.iota(x.aval.shape, dtypes.int64, axis))


def _indices(packed, dtype):
    return build.convert(build.apply(ops.and_, packed, build.scalar_like(packed, 0xffffffff)), dtype)


def _order(x, descending=False):
    """int32, for wider types int64, in the order of x: -0.0 is 0.0, NaN the largest."""
    x = build.apply(ops.stop_gradient, x)
    whole = dtypes.int32 if x.aval.dtype.itemsize <= 4 else dtypes.int64
    if x.aval.dtype in (dtypes.uint32, dtypes.uint64):
        x = build.make(ops.bitcast, (x,), (whole,))
        order = build.apply(ops.xor, x, build.scalar_like(x, np.iinfo(whole).min))
    elif not dtypes.is_inexact(x.aval.dtype):
        order = build.convert(x, whole)
    else:
        order = _order_of_floats(build.convert(x, dtypes.held_as(x.aval.dtype)), whole)
    return build.apply(ops.not_, order) if descending else order


def _order_of_floats(x, whole):
    """Numbers of both signs by their magnitude, so that low bits that are 0 stay so."""
    bits = build.make(ops.bitcast, (x,), (whole,))
    least, most = np.iinfo(whole).min, np.iinfo(whole).max
    negative = build.sub(build.scalar_like(bits, least), bits)
    order = build.select(build.lt(bits, build.scalar_like(bits, 0)), negative, bits)
    return build.select(build.apply(ops.is_nan, x), build.scalar_like(order, most), order)
