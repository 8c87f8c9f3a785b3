"""Counting into bins, covariance, interpolation, gradients of samples."""
import builtins
import math

import numpy as onp

from . import elementwise as el
from . import reductions as red
from ..array import to_numpy
from ._util import Array, array_of, axis_of, build, dtypes, fresh, inexact_array, node_of, promoted, static_int, wrap
from .creation import asarray, linspace
from .indexing import take, where
from .products import matmul
from .joining import concatenate
from .shape import moveaxis, ravel
from .sorting import searchsorted

__all__ = ['bincount', 'histogram', 'histogram_bin_edges', 'histogram2d', 'histogramdd', 'cov', 'corrcoef', 'interp',
           'gradient', 'packbits', 'unpackbits']


def bincount(x, weights=None, minlength=0, *, length=None, out_sharding=None):
    """Number of occurrences of each non-negative integer, or sums of the weights that stand with it.

    The largest integer decides the length: it is forced unless `length` is given, beyond which elements are left out;
    negative ones count as 0.
    """
    x = array_of(x)
    if not dtypes.is_integer(x.dtype) and x.dtype != dtypes.bool_:
        raise TypeError(f'x argument to bincount must have an integer type, got {x.aval}')
    if x.ndim != 1:
        raise ValueError(f'only 1-dimensional input supported, got shape {x.shape}')
    if minlength < 0:
        raise ValueError(f"'minlength' must not be negative, got {minlength}")
    x = x.astype(dtypes.int32) if x.dtype == dtypes.bool_ else x
    if length is None:
        low = -1 if dtypes.kind(x.dtype) == 'i' else 0
        top = to_numpy(red.max(x, initial=low)._node, 'int').item() if x.size else -1
        length = max(minlength, top + 1) if x.size else minlength
    else:
        length = static_int(length, 'length')
    if weights is None:
        dtype, values = dtypes.default_int(), 1
    else:
        values = array_of(weights)
        if values.shape != x.shape:
            raise ValueError(f'shape of weights must match shape of x, got {values.shape} and {x.shape}')
        dtype = values.dtype if values.dtype != dtypes.bool_ else dtypes.default_int()
        values = values.astype(dtype)
    zero = wrap(build.full((length,), 0, dtype))
    return zero.at[el.maximum(x, 0)].add(values, mode='drop')


# --- histograms ------------------------------------------------------------------------------------------------------

def histogram_bin_edges(a, bins=10, range=None, weights=None):
    """The edges of a histogram's bins: given as such, or a number of bins of one width between the extremes.

    The names of NumPy's rules ('auto', ...) need the values: they are forced.
    """
    if isinstance(bins, str):
        return asarray(onp.histogram_bin_edges(onp.asarray(array_of(a)), bins, range))
    if isinstance(bins, (Array, onp.ndarray, list, tuple)) and node_of(bins).aval.ndim == 1:
        return fresh(bins)
    count = static_int(bins, 'bins')
    if count < 1:
        raise ValueError(f'bins must be positive, got {count}')
    x = inexact_array(ravel(a))
    low, high = range if range is not None else (red.min(x, initial=math.inf), red.max(x, initial=-math.inf)) \
        if x.size else (0.0, 1.0)
    low, high = array_of(low).astype(x.dtype), array_of(high).astype(x.dtype)
    same = low == high
    return linspace(where(same, low - 0.5, low), where(same, high + 0.5, high), count + 1, dtype=x.dtype)


def histogram(a, bins=10, range=None, weights=None, density=None):
    """(counts, edges): how many elements fall between neighbouring edges, the last edge included.

    >>> import lazy.numpy as np
    >>> np.histogram(np.array([1., 2., 2.]), bins=2)[0].tolist()
    [1.0, 2.0]
    """
    x = inexact_array(ravel(a))
    edges = histogram_bin_edges(x, bins, range)
    x, edges_ = [wrap(n) for n in promoted(x, edges)]
    w = wrap(build.full(x.shape, 1, x.dtype)) if weights is None else ravel(weights)
    if w.shape != x.shape:
        raise ValueError(f'weights should have the same shape as a: {w.shape} and {x.shape}')
    counts = _count(_bin(x, edges_), w, edges_.size - 1)
    if density:
        widths = edges_[1:] - edges_[:-1]
        counts = counts / widths / red.sum(counts)
    return counts, edges


def _bin(x, edges):
    """The bin of each element; the number of bins for what is outside of all."""
    n = edges.size - 1
    index = searchsorted(edges, x, 'right').astype(dtypes.int32) - 1
    index = where(x == edges[-1], n - 1, index)
    return where((x < edges[0]) | (x > edges[-1]) | el.isnan(x), n, index)


def _count(index, weights, length):
    return wrap(build.full((length,), 0, weights.dtype)).at[index].add(weights, mode='drop')


def histogramdd(sample, bins=10, range=None, weights=None, density=None):
    """(counts, list of edges) of points in several dimensions: an array of rows, or a list of coordinates."""
    from .joining import stack
    x = stack([inexact_array(s) for s in sample], 1) if isinstance(sample, (tuple, list)) else inexact_array(sample)
    if x.ndim == 1:
        x = wrap(build.reshape(x._node, (x.size, 1)))
    n, d = x.shape
    if range is not None and len(range) != d:
        raise ValueError(f'range argument must have one entry for each of {d} dimensions')
    if isinstance(bins, (int, onp.integer)) or isinstance(bins, (Array, onp.ndarray)) and node_of(bins).aval.ndim == 0:
        bins = [int(bins)] * d
    elif isinstance(bins, (Array, onp.ndarray)) and d == 1 and node_of(bins).aval.ndim == 1:
        bins = [bins]
    if len(bins) != d:
        raise ValueError(f'the dimension of bins must be equal to the dimension of the sample: {len(bins)} and {d}')
    edges = [histogram_bin_edges(x[:, i], bins[i], None if range is None else range[i]) for i in builtins.range(d)]
    sizes = [e.size - 1 for e in edges]
    flat, outside = 0, False
    for i, (e, size) in enumerate(zip(edges, sizes)):
        index = _bin(x[:, i], e.astype(x.dtype))
        outside = (index == size) | outside
        flat = flat * size + index
    total = math.prod(sizes)
    w = wrap(build.full((n,), 1, x.dtype)) if weights is None else array_of(weights)
    counts = _count(where(outside, total, flat), w, total)
    counts = wrap(build.reshape(counts._node, sizes))
    if density:
        counts = counts / red.sum(counts)
        for i, e in enumerate(edges):
            shape = [-1 if j == i else 1 for j in builtins.range(d)]
            counts = counts / (e[1:] - e[:-1]).reshape(shape)
    return counts, edges


def histogram2d(x, y, bins=10, range=None, weights=None, density=None):
    """(counts, edges of x, edges of y) of points in the plane."""
    try:
        count = len(bins)
    except TypeError:
        count = 1
    if count not in (1, 2):
        bins = [array_of(bins)] * 2
    counts, edges = histogramdd([x, y], bins, range, weights, density)
    return counts, *edges


# --- covariance -----------------------------------------------------------------------------------------------------

def cov(m, y=None, rowvar=True, bias=False, ddof=None, fweights=None, aweights=None, dtype=None):
    """Covariance matrix of variables in rows (columns unless `rowvar`), weighted by counts and by importance."""
    from .shape import atleast_2d
    x = inexact_array(m) if dtype is None else array_of(m).astype(dtype)
    if x.ndim > 2:
        raise ValueError(f'm has more than 2 dimensions: shape {x.shape}')
    x = atleast_2d(x)
    x = x.T if not rowvar and x.shape[0] != 1 else x
    if y is not None:
        other = inexact_array(y) if dtype is None else array_of(y).astype(dtype)
        if other.ndim > 2:
            raise ValueError(f'y has more than 2 dimensions: shape {other.shape}')
        other = atleast_2d(other)
        other = other.T if not rowvar and other.shape[0] != 1 else other
        x = concatenate([x, other], 0)
    if not x.shape[0]:
        return wrap(build.full((0, 0), 0, x.dtype))
    ddof = (0 if bias else 1) if ddof is None else ddof
    w = None
    for given, name in ((fweights, 'fweights'), (aweights, 'aweights')):
        if given is not None:
            given = array_of(given)
            if given.ndim != 1 or given.shape[0] != x.shape[1]:
                raise ValueError(f'{name} must be a vector of {x.shape[1]} elements, got shape {given.shape}')
            w = given if w is None else w * given
    if w is None:
        free, mean = x.shape[1] - ddof, red.mean(x, 1, keepdims=True)
        centred = x - mean
        product = _squeezed(matmul(centred, el.conj(centred).T))
        return product / free if free > 0 else product * (math.inf if free == 0 else math.nan)
    w = w.astype(dtypes.real_of(x.dtype))
    total = red.sum(w)
    centred = x - red.average(x, 1, w)[:, None]
    free = total - ddof if aweights is None or not ddof else total - ddof * red.sum(w * array_of(aweights)) / total
    return _squeezed(matmul(centred * w, el.conj(centred).T)) / free


def _squeezed(matrix):
    """The covariance of one variable has no axes."""
    return matrix.reshape(()) if matrix.shape == (1, 1) else matrix


def corrcoef(x, y=None, rowvar=True, dtype=None):
    """Correlation coefficients of variables in rows (columns unless `rowvar`)."""
    from .creation import diag
    c = cov(x, y, rowvar, dtype=dtype)
    if c.shape == ():
        return c / c
    deviation = el.sqrt(el.real(diag(c)))
    c = c / deviation[:, None] / deviation[None, :]
    if dtypes.kind(c.dtype) == 'c':
        return wrap(build.complex_(el.real(c).clip(-1, 1)._node, el.imag(c).clip(-1, 1)._node))
    return c.clip(-1, 1)


# --- interpolation and gradients --------------------------------------------------------------------------------------

def interp(x, xp, fp, left=None, right=None, period=None):
    """Piecewise linear interpolation of samples fp at rising positions xp; constant outside, or periodic.

    left, right: the value outside, or 'extrapolate'.
    """
    from .sorting import argsort
    x, xp, fp_ = array_of(x), array_of(xp), inexact_array(fp)
    x, xp = [wrap(n) for n in promoted(x, xp, inexact=True)]
    if xp.ndim != 1 or xp.shape != fp_.shape:
        raise ValueError(f'xp and fp must be one-dimensional arrays of equal size, got {xp.shape} and {fp_.shape}')
    if not xp.size:
        raise ValueError('array of sample points is empty')
    if period is not None:
        if isinstance(period, (int, float)) and period == 0:
            raise ValueError(f'period must be a non-zero value; got {period}')
        period = abs(period)
        x, xp = x % period, xp % period
        order = argsort(xp)
        xp, fp_ = take(xp, order, mode='clip'), take(fp_, order, mode='clip')
        xp = concatenate([xp[-1:] - period, xp, xp[:1] + period])
        fp_ = concatenate([fp_[-1:], fp_, fp_[:1]])
    n = xp.size
    if n == 1:
        inner = wrap(build.broadcast_to(build.reshape(fp_._node, ()), x.shape))
    else:
        i = el.maximum(el.minimum(searchsorted(xp, x, 'right'), n - 1), 1)
        at = lambda table, k: take(table, k, mode='clip')
        x0, x1, f0, f1 = at(xp, i - 1), at(xp, i), at(fp_, i - 1), at(fp_, i)
        dx = x1 - x0
        flat = el.abs(dx) <= 1e-300 if dx.dtype == dtypes.float64 else dx == 0
        slope = (f1 - f0) / where(flat, 1, dx)
        inner = where(flat, f0, f0 + (x - x0) * slope)
        for hard, value in ((True, f1 + (x - x1) * slope), ((f0 == f1) | (x == x0), f0), (x == x1, f1)):
            inner = where(el.isnan(inner) & hard, value, inner)                # beside an infinity, as NumPy does it
    if period is None:
        for side, value, outside in ((0, left, x < xp[0]), (-1, right, x > xp[-1])):
            if not (isinstance(value, str) and value == 'extrapolate'):
                inner = where(outside, fp_[side] if value is None else value, inner)
    return inner


def gradient(f, *varargs, axis=None, edge_order=None):
    """Central differences along axes (all by default), one-sided at the ends, of edge_order 1 or 2; a list for several.

    varargs: one distance for all axes, one for each, or coordinates.
    """
    x, order = inexact_array(f), 1 if edge_order is None else edge_order
    if order not in (1, 2):
        raise ValueError(f'edge_order must be 1 or 2, got {edge_order}')
    axis = builtins.range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    axes = [axis_of(a, x.ndim) for a in axis]
    spacing = list(varargs) or [1.0]
    spacing = spacing * len(axes) if len(spacing) == 1 else spacing
    if len(spacing) != len(axes):
        raise TypeError(f'invalid number of positional arguments: {len(varargs)} spacings for {len(axes)} axes')
    result = [_gradient(x, a, h, order) for a, h in zip(axes, spacing)]
    return result[0] if len(axes) == 1 else result


def _gradient(x, axis, h, order):
    n = x.shape[axis]
    if n <= order:
        raise ValueError(f'shape of array too small to calculate a numerical gradient: at least {order + 1} elements '
                         f'are required along axis {axis}, got {n}')
    part = lambda a, b: wrap(build.slice_axis(x._node, axis, a, b))
    h = array_of(h)
    if h.ndim == 0:
        first, last = _ends(part, n, lambda a, b: 1.0, order)
        return concatenate([first, (part(2, n) - part(0, n - 2)) * 0.5, last], axis) / h
    if h.shape != (n,):
        raise ValueError(f'coordinates of shape {h.shape} do not fit axis {axis} of size {n}')
    steps = (h[1:] - h[:-1]).astype(x.dtype).reshape([-1 if i == axis else 1 for i in builtins.range(x.ndim)])
    step = lambda a, b: wrap(build.slice_axis(steps._node, axis, a, b))
    a, b = step(0, n - 2), step(1, n - 1)
    before, here, after = part(0, n - 2), part(1, n - 1), part(2, n)
    inner = after * (a / (b * (a + b))) + here * ((b - a) / (a * b)) - before * (b / (a * (a + b)))
    first, last = _ends(part, n, step, order)
    return concatenate([first, inner, last], axis)


def _ends(part, n, step, order):
    """Derivatives at the first and last element: of the line, or the parabola, through the two or three there."""
    if order == 1:
        return [(part(i + 1, i + 2) - part(i, i + 1)) / step(i, i + 1) for i in (0, n - 2)]
    found = []
    for i, sign in ((0, 1), (n - 3, -1)):
        a, b = step(i, i + 1), step(i + 1, i + 2)
        f = [part(i + k, i + k + 1) for k in builtins.range(3)][::sign]
        a, b = (a, b) if sign > 0 else (b, a)
        found.append(sign * (-(2 * a + b) / (a * (a + b)) * f[0] + (a + b) / (a * b) * f[1] - a / (b * (a + b)) * f[2]))
    return found


# --- bits -------------------------------------------------------------------------------------------------------------

def _bit_weights(bitorder):
    if bitorder not in ('big', 'little'):
        raise ValueError(f"bitorder is 'big' or 'little', not {bitorder!r}")
    return asarray(onp.array([128, 64, 32, 16, 8, 4, 2, 1] if bitorder == 'big' else [1, 2, 4, 8, 16, 32, 64, 128],
                             onp.uint8))


def packbits(a, axis=None, bitorder='big'):
    """Truth values packed in bytes along an axis, the last byte filled up with zeros."""
    from .joining import pad
    weights = _bit_weights(bitorder)
    x = array_of(a)
    if dtypes.is_inexact(x.dtype):
        raise TypeError(f'expected an input array of integer or boolean data type, got {x.aval}')
    x = ravel(x) if axis is None else x
    axis = 0 if axis is None else axis_of(axis, x.ndim)
    x = moveaxis((x != 0).astype(dtypes.uint8), axis, -1)
    missing = -x.shape[-1] % 8
    x = pad(x, [(0, 0)] * (x.ndim - 1) + [(0, missing)])
    x = x.reshape(*x.shape[:-1], x.shape[-1] // 8, 8)
    return moveaxis(red.sum(x * weights, -1, dtype=dtypes.uint8), -1, axis)


def unpackbits(a, axis=None, count=None, bitorder='big'):
    """The bits of bytes along an axis; `count` of them, missing ones being zero."""
    from .joining import pad
    weights = _bit_weights(bitorder)
    x = array_of(a)
    if x.dtype != dtypes.uint8:
        raise TypeError(f'expected an input array of unsigned byte data type, got {x.aval}')
    x = ravel(x) if axis is None else x
    axis = 0 if axis is None else axis_of(axis, x.ndim)
    bits = (moveaxis(x, axis, -1)[..., None] & weights != 0).astype(dtypes.uint8)
    bits = bits.reshape(*bits.shape[:-2], bits.shape[-2] * 8)
    if count is not None:
        total = bits.shape[-1]
        size = count if count >= 0 else max(total + count, 0)
        bits = bits[..., :size] if size <= total else pad(bits, [(0, 0)] * (bits.ndim - 1) + [(0, size - total)])
    return moveaxis(bits, -1, axis)
