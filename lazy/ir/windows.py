"""Shape rules and references of operations on windows: convolution.

    out[n, g O + o, p] = sum over c, q of x[n, g C + c, p stride + q dilation] w[g O + o, c, q]

for `groups` groups g of features; n, o, c are one axis each, p and q stand for the axes of space. With
`feature_first` the result is out[g O + o, n, p], which is what the derivative by the weights wants. Padding, zeros
between elements and other orders of the axes are operations of their own around it: see `convolution`.
"""
import math

import numpy as np

from . import dtypes
from .graph import aval

BLOCK_BYTES = 8 << 20                           # of windows that the reference copies at a time


def extent(size, dilation):
    """How far a window of `size` reaches."""
    return (size - 1) * dilation + 1 if size else 0


def out_size(n, window, stride, dilation):
    """Number of places of a window along an axis of n elements."""
    return max(0, (n - extent(window, dilation)) // stride + 1)


def infer_conv(avals, stride, dilation, groups, feature_first):
    x, w = avals
    if x.dtype != w.dtype:
        raise TypeError(f'a convolution needs operands of one dtype, got {x} and {w}')
    if x.ndim != w.ndim or x.ndim < 2 or len(stride) != x.ndim - 2 or len(dilation) != x.ndim - 2:
        raise ValueError(f'convolution of shapes {x.shape} and {w.shape} with strides {stride} and dilation '
                         f'{dilation}: the numbers of dimensions do not fit')
    if x.shape[1] != groups * w.shape[1] or w.shape[0] % groups:
        raise ValueError(f'convolution of shapes {x.shape} and {w.shape}: {x.shape[1]} features are not {groups} '
                         f'groups of {w.shape[1]}, or {w.shape[0]} results are no multiple of the number of groups')
    space = [out_size(*sizes) for sizes in zip(x.shape[2:], w.shape[2:], stride, dilation)]
    lead = (w.shape[0], x.shape[0]) if feature_first else (x.shape[0], w.shape[0])
    return aval((*lead, *space), x.dtype)


def windows(x, window, stride, dilation, groups):
    """A view (N, groups, C, *window, *places) of x."""
    n, features, *space = x.shape
    step_n, step_c, *steps = x.strides
    places = [out_size(*sizes) for sizes in zip(space, window, stride, dilation)]
    if 0 in (*places, *x.shape):
        return np.empty((n, groups, features // groups, *window, *places), x.dtype)
    return np.lib.stride_tricks.as_strided(
        x, (n, groups, features // groups, *window, *places),
        (step_n, features // groups * step_c, step_c, *[s * d for s, d in zip(steps, dilation)],
         *[s * a for s, a in zip(steps, stride)]), writeable=False)


def conv(x, w, stride, dilation, groups, feature_first):
    """Windows are copied out, some examples at a time, and multiplied as matrices (im2col)."""
    dtype = x.dtype
    x, w = x.astype(dtypes.held_as(dtype), copy=False), w.astype(dtypes.held_as(dtype), copy=False)
    found = windows(x, w.shape[2:], stride, dilation, groups)
    places = found.shape[1 + w.ndim:]
    n, depth, width = len(x), w[0].size, math.prod(places)
    out = np.empty((n, groups, w.shape[0] // groups, width), x.dtype)
    weights = w.reshape(groups, w.shape[0] // groups, depth)
    step = max(1, BLOCK_BYTES // max(1, groups * depth * width * x.itemsize))
    for i in range(0, n, step):
        columns = found[i:i + step].reshape(len(found[i:i + step]), groups, depth, width)
        np.matmul(weights, columns, out=out[i:i + step])
    out = out.reshape(n, w.shape[0], *places)
    return np.ascontiguousarray(out.swapaxes(0, 1) if feature_first else out).astype(dtype, copy=False)
