"""Filters: sums, extremes and ranks over the neighbourhoods of all elements."""
import functools
import math
import operator

import numpy as onp

from ... import lax, numpy as np
from ...array import Array, as_node, wrap
from ...ir import dtypes
from ...numpy._util import axes_of, axis_of, inexact_array
from .. import signal

__all__ = ['convolve', 'convolve1d', 'correlate', 'correlate1d', 'gaussian_filter', 'gaussian_filter1d',
           'gaussian_gradient_magnitude', 'gaussian_laplace', 'laplace', 'maximum_filter', 'maximum_filter1d',
           'median_filter', 'minimum_filter', 'minimum_filter1d', 'percentile_filter', 'prewitt', 'rank_filter',
           'sobel', 'uniform_filter', 'uniform_filter1d']

PADDING = {'reflect': 'symmetric', 'grid-mirror': 'symmetric', 'mirror': 'reflect', 'nearest': 'edge', 'wrap': 'wrap',
           'grid-wrap': 'wrap', 'constant': 'constant', 'grid-constant': 'constant'}
SLICES = 256           # so many weights along an axis are one sum of shifted images, fused into one pass


# --- what filters share ----------------------------------------------------------------------------------------------

def image_of(input, output=None):
    """(the input as an Array, the dtype of the result)."""
    image = wrap(as_node(input))
    if isinstance(output, (Array, onp.ndarray)):
        raise NotImplementedError('output is a dtype here: arrays are immutable')
    return image, image.dtype if output is None else dtypes.as_dtype(output)


def cast(x, dtype):
    """x in a dtype: integers are cut off."""
    return x if x.dtype == dtype else (x if dtypes.is_inexact(dtype) else np.trunc(x)).astype(dtype)


def per_axis(value, axes, name):
    """A list with an entry for each axis, from one value for all or a sequence."""
    one = isinstance(value, str) or not isinstance(value, (list, tuple)) and not getattr(value, 'ndim', 0)
    found = [value] * len(axes) if one else list(value)
    if len(found) != len(axes):
        raise RuntimeError(f'{name} must have an entry for each of the {len(axes)} axes, got {len(found)}')
    return found


def extended(x, before, after, modes, cval):
    """x with so many elements before and after along each axis."""
    for axis, (a, b, mode) in enumerate(zip(before, after, modes)):
        if mode not in PADDING:
            raise RuntimeError(f'boundary mode not supported: {mode!r} is none of {", ".join(PADDING)}')
        if a or b:
            widths = [(a, b) if i == axis else (0, 0) for i in range(x.ndim)]
            more = {'constant_values': cval} if PADDING[mode] == 'constant' else {}
            x = np.pad(x, widths, PADDING[mode], **more)
    return x


def around(size, origin):
    """(elements before, after) an element that belong to its window."""
    before, after = size // 2 + origin, size - 1 - size // 2 - origin
    if size < 1 or before < 0 or after < 0:
        raise ValueError(f'invalid origin {origin} of a window of {size} elements: it is at least {-(size // 2)} and '
                         f'at most {(size - 1) // 2}')
    return before, after


def _window(x, axis, size, mode, cval, origin):
    """x extended along an axis for windows of a size."""
    before, after = around(size, origin)
    amounts = [[n if i == axis else 0 for i in range(x.ndim)] for n in (before, after)]
    return extended(x, *amounts, [mode] * x.ndim, cval)


def _along_all(x, axes, step, *values):
    """step(x, axis, entries of the values) for one axis after the other."""
    axes = axes_of(axes, x.ndim)
    for axis, *entries in zip(axes, *[per_axis(v, axes, 'an argument') for v in values]):
        x = step(x, axis, *entries)
    return x


# --- sums ------------------------------------------------------------------------------------------------------------

def correlate1d(input, weights, axis=-1, output=None, mode='reflect', cval=0.0, origin=0):
    """The sum over j of conj(weights[j]) input[i + j - len(weights) // 2 - origin], along an axis.

    >>> import lazy
    >>> lazy.scipy.ndimage.correlate1d([2., 8., 0., 4.], [1., 3.]).tolist()
    [8.0, 26.0, 8.0, 12.0]
    """
    image, dtype = image_of(input, output)
    axis, weights = axis_of(axis, image.ndim), inexact_array(weights)
    if weights.ndim != 1 or not weights.size:
        raise RuntimeError('no filter weights given' if not weights.size else
                           f'weights must be a vector, got shape {weights.shape}')
    return cast(_weighted(inexact_array(image), np.conj(weights), axis, mode, cval, operator.index(origin)), dtype)


def _weighted(x, weights, axis, mode='reflect', cval=0.0, origin=0):
    size, n = weights.shape[0], x.shape[axis]
    weights = weights if dtypes.kind(weights.dtype) == 'c' else weights.astype(x.dtype)
    wide = _window(x, axis, size, mode, cval, origin)
    if size > SLICES:
        rows = np.moveaxis(wide, axis, -1)
        kernel = np.flip(weights).reshape((1,) * (x.ndim - 1) + (-1,))
        return np.moveaxis(signal.convolve(rows, kernel, 'valid'), -1, axis)
    return sum(lax.slice_in_dim(wide, j, j + n, axis=axis) * weights[j] for j in range(size))


def convolve1d(input, weights, axis=-1, output=None, mode='reflect', cval=0.0, origin=0):
    """The convolution with weights along an axis: `correlate1d` with the weights turned round."""
    weights = inexact_array(weights)
    return correlate1d(input, np.conj(np.flip(weights)), axis, output, mode, cval, _turned(weights.size, origin))


def _turned(size, origin):
    return -operator.index(origin) - (1 - size % 2)


def correlate(input, weights, output=None, mode='reflect', cval=0.0, origin=0, *, axes=None):
    """The sum of the elements around each one, with weights: an array of as many dimensions as there are axes.

    >>> import lazy, lazy.numpy as np
    >>> lazy.scipy.ndimage.correlate(np.eye(3), np.ones((2, 2))).tolist()
    [[4.0, 2.0, 0.0], [2.0, 2.0, 1.0], [0.0, 1.0, 2.0]]
    """
    kept = lambda size, origin: origin
    return _correlate(input, np.conj(inexact_array(weights)), output, mode, cval, origin, axes, kept)


def convolve(input, weights, output=None, mode='reflect', cval=0.0, origin=0, *, axes=None):
    """The convolution with an array of weights: `correlate` with the weights turned round."""
    return _correlate(input, np.flip(inexact_array(weights)), output, mode, cval, origin, axes, _turned)


def _correlate(input, weights, output, mode, cval, origin, axes, moved):
    image, dtype = image_of(input, output)
    axes = axes_of(axes, image.ndim)
    if weights.ndim != len(axes) or not weights.size:
        raise RuntimeError(f'filter weights must have {len(axes)} dimensions and elements, got shape {weights.shape}')
    origins = [moved(n, operator.index(o)) for n, o in zip(weights.shape, per_axis(origin, axes, 'origin'))]
    sizes = [weights.shape[axes.index(a)] if a in axes else 1 for a in range(image.ndim)]
    x = inexact_array(image)
    for axis, n, o, m in zip(axes, weights.shape, origins, per_axis(mode, axes, 'mode')):
        x = _window(x, axis, n, m, cval, o)
    weights = weights if dtypes.kind(weights.dtype) == 'c' else weights.astype(x.dtype)
    return cast(signal.convolve(x, np.flip(weights.reshape(sizes)), 'valid', 'direct'), dtype)


def _gaussian_weights(sigma, order, radius):
    """exp(-t**2 / 2 sigma**2) / its sum for |t| <= radius, or its derivative by t of some order."""
    t = np.arange(-radius, radius + 1, dtype=sigma.dtype)
    weights = np.exp(-0.5 * (t / sigma) ** 2)
    weights = weights / weights.sum()
    powers = [1.0]                                                    # of t in the derivative over the function
    for _ in range(order):
        slope = [i * q for i, q in enumerate(powers)][1:] + [0, 0]
        powers = [a - b / sigma ** 2 for a, b in zip(slope, [0, *powers])]
    return weights * functools.reduce(lambda total, q: total * t + q, reversed(powers), 0 * t) if order else weights


def gaussian_filter1d(input, sigma, axis=-1, order=0, output=None, mode='reflect', cval=0.0, truncate=4.0, *,
                      radius=None):
    """The convolution with a Gaussian of standard deviation sigma along an axis, or with its derivative of some order.

    The Gaussian ends at `radius` elements, by default truncate * sigma rounded; where sigma is traced, radius is
    needed.

    >>> import lazy, lazy.numpy as np
    >>> np.round(1000 * lazy.scipy.ndimage.gaussian_filter1d([0., 0., 1., 0., 0.], 0.5)).tolist()
    [0.0, 106.0, 787.0, 106.0, 0.0]
    """
    image, dtype = image_of(input, output)
    x, order = inexact_array(image), operator.index(order)
    if order < 0:
        raise ValueError('order must be non-negative')
    radius = int(truncate * float(sigma) + 0.5) if radius is None else operator.index(radius)
    if radius < 0:
        raise ValueError('Radius must be a nonnegative integer.')
    weights = _gaussian_weights(np.asarray(sigma, dtypes.real_of(x.dtype)), order, radius)
    return cast(_weighted(x, np.flip(weights), axis_of(axis, x.ndim), mode, cval), dtype)


def gaussian_filter(input, sigma, order=0, output=None, mode='reflect', cval=0.0, truncate=4.0, *, radius=None,
                    axes=None):
    """The convolution with a Gaussian; sigma, order, mode and radius may have an entry for each of the axes.

    >>> import lazy, lazy.numpy as np
    >>> round(float(lazy.scipy.ndimage.gaussian_filter(np.eye(5), 1.0)[2, 2]), 3)
    0.283
    """
    image, dtype = image_of(input, output)
    axes = axes_of(axes, image.ndim)

    def step(x, axis, sigma, order, mode, radius):
        known = not isinstance(sigma, Array)
        return x if known and sigma <= 1e-15 else gaussian_filter1d(x, sigma, axis, order, None, mode, cval, truncate,
                                                                    radius=radius)
    return cast(_along_all(inexact_array(image), axes, step, sigma, order, mode, radius), dtype)


def gaussian_laplace(input, sigma, output=None, mode='reflect', cval=0.0, *, axes=None, **kwargs):
    """The sum of the second derivatives along the axes of the image convolved with a Gaussian."""
    total = _sum_over_axes(input, sigma, output, mode, cval, axes, kwargs, 2, lambda x: x)
    return cast(total, image_of(input, output)[1])


def gaussian_gradient_magnitude(input, sigma, output=None, mode='reflect', cval=0.0, *, axes=None, **kwargs):
    """The length of the gradient of the image convolved with a Gaussian."""
    return cast(np.sqrt(_sum_over_axes(input, sigma, output, mode, cval, axes, kwargs, 1, np.square)),
                image_of(input, output)[1])


def _sum_over_axes(input, sigma, output, mode, cval, axes, kwargs, order, function):
    x = inexact_array(image_of(input, output)[0])
    axes = axes_of(axes, x.ndim)
    return sum(function(gaussian_filter(x, sigma, [order if a == b else 0 for b in axes], None, mode, cval, axes=axes,
                                        **kwargs)) for a in axes)


def laplace(input, output=None, mode='reflect', cval=0.0, *, axes=None):
    """The sum of the second differences along the axes."""
    image, dtype = image_of(input, output)
    x, axes = inexact_array(image), axes_of(axes, image.ndim)
    modes = per_axis(mode, axes, 'mode')
    weights = np.asarray([1.0, -2.0, 1.0], x.dtype)
    return cast(sum(_weighted(x, weights, a, m, cval) for a, m in zip(axes, modes)), dtype)


def _edges(input, axis, output, mode, cval, smooth):
    image, dtype = image_of(input, output)
    x, axis = inexact_array(image), axis_of(axis, image.ndim)
    weights = lambda *w: np.asarray(w, x.dtype)
    modes = per_axis(mode, range(x.ndim), 'mode')
    x = _weighted(x, weights(-1.0, 0.0, 1.0), axis, modes[axis], cval)
    for other in range(x.ndim):
        if other != axis:
            x = _weighted(x, weights(1.0, smooth, 1.0), other, modes[other], cval)
    return cast(x, dtype)


def prewitt(input, axis=-1, output=None, mode='reflect', cval=0.0):
    """Differences along an axis, summed over three neighbours along the others."""
    return _edges(input, axis, output, mode, cval, 1.0)


def sobel(input, axis=-1, output=None, mode='reflect', cval=0.0):
    """Differences along an axis, summed over three neighbours with weights 1, 2, 1 along the others.

    >>> import lazy, lazy.numpy as np
    >>> lazy.scipy.ndimage.sobel(np.arange(9.).reshape(3, 3)).tolist()
    [[4.0, 8.0, 4.0], [4.0, 8.0, 4.0], [4.0, 8.0, 4.0]]
    """
    return _edges(input, axis, output, mode, cval, 2.0)


def uniform_filter1d(input, size, axis=-1, output=None, mode='reflect', cval=0.0, origin=0):
    """The mean of `size` neighbours along an axis.

    >>> import lazy
    >>> lazy.scipy.ndimage.uniform_filter1d([2., 8., 0., 4.], 2).tolist()
    [2.0, 5.0, 4.0, 2.0]
    """
    image, dtype = image_of(input, output)
    size, x = operator.index(size), inexact_array(image)
    return cast(_windows(x, axis_of(axis, x.ndim), size, mode, cval, operator.index(origin), 0, lax.add) / size, dtype)


def uniform_filter(input, size=3, output=None, mode='reflect', cval=0.0, origin=0, *, axes=None):
    """The mean of a box of neighbours; size, mode and origin may have an entry for each of the axes."""
    image, dtype = image_of(input, output)
    step = lambda x, axis, size, mode, origin: uniform_filter1d(x, size, axis, None, mode, cval, origin)
    return _along_all(image if dtype == image.dtype else image.astype(dtype), axes, step, size, mode, origin)


# --- extremes, ranks -------------------------------------------------------------------------------------------------

def _windows(x, axis, size, mode, cval, origin, initial, combine):
    """Windows along an axis, combined."""
    wide = _window(x, axis, size, mode, cval, origin)
    sizes = [size if a == axis else 1 for a in range(x.ndim)]
    return lax.reduce_window(wide, np.asarray(initial, x.dtype), combine, sizes)


def _extreme(name, combine, fold, lowest):
    def filter1d(input, size, axis=-1, output=None, mode='reflect', cval=0.0, origin=0):
        image, dtype = image_of(input, output)
        return cast(_windows(image, axis_of(axis, image.ndim), operator.index(size), mode, cval, operator.index(origin),
                             lowest(image.dtype), combine), dtype)

    def filter(input, size=None, footprint=None, output=None, mode='reflect', cval=0.0, origin=0, *, axes=None):
        image, dtype = image_of(input, output)
        mask, axes = _footprint(image, size, footprint, axes)
        if mask.all():
            step = lambda x, axis, size, mode, origin: filter1d(x, size, axis, None, mode, cval, origin)
            return cast(_along_all(image, axes, step, list(mask.shape), mode, origin), dtype)
        return cast(functools.reduce(fold, _neighbours(image, mask, axes, mode, cval, origin)), dtype)
    filter1d.__name__, filter.__name__ = f'{name}_filter1d', f'{name}_filter'
    filter1d.__doc__ = f'The {name} of `size` neighbours along an axis.'
    filter.__doc__ = f'The {name} of a box of neighbours of some size, or of those where footprint, a mask, is true.'
    return filter1d, filter


def _limits(dtype):
    return (-math.inf, math.inf) if dtypes.is_inexact(dtype) else (0, 1) if dtype == dtypes.bool_ else \
        (np.iinfo(dtype).min, np.iinfo(dtype).max)


maximum_filter1d, maximum_filter = _extreme('maximum', lax.max, np.maximum, lambda dtype: _limits(dtype)[0])
minimum_filter1d, minimum_filter = _extreme('minimum', lax.min, np.minimum, lambda dtype: _limits(dtype)[1])


def _footprint(image, size, footprint, axes):
    """(mask over the axes, axes)."""
    axes = axes_of(axes, image.ndim)
    if footprint is None:
        if size is None:
            raise RuntimeError('no footprint or filter size provided')
        return onp.ones([operator.index(n) for n in per_axis(size, axes, 'size')], bool), axes
    mask = onp.asarray(footprint, bool)
    if mask.ndim != len(axes) or not mask.any():
        raise ValueError(f'footprint must have {len(axes)} dimensions and a true element, got shape {mask.shape}')
    return mask, axes


def _neighbours(x, mask, axes, mode, cval, origin):
    """The images that are moved to where the mask is true."""
    wide = x
    for axis, n, m, o in zip(axes, mask.shape, per_axis(mode, axes, 'mode'), per_axis(origin, axes, 'origin')):
        wide = _window(wide, axis, n, m, cval, operator.index(o))
    for place in onp.argwhere(mask).tolist():
        at = dict(zip(axes, place))
        yield wide[tuple([slice(at.get(a, 0), at.get(a, 0) + n) for a, n in enumerate(x.shape)])]


def rank_filter(input, rank, size=None, footprint=None, output=None, mode='reflect', cval=0.0, origin=0, *, axes=None):
    """The neighbour of a rank: 0 the smallest, -1 the largest; other arguments as in `maximum_filter`."""
    image, dtype = image_of(input, output)
    mask, axes = _footprint(image, size, footprint, axes)
    count = int(mask.sum())
    if not -count <= operator.index(rank) < count:
        raise RuntimeError(f'rank {rank} is not within the filter footprint of {count} elements')
    found = np.sort(np.stack(list(_neighbours(image, mask, axes, mode, cval, origin))), 0)
    return cast(found[rank], dtype)


def median_filter(input, size=None, footprint=None, output=None, mode='reflect', cval=0.0, origin=0, *, axes=None):
    """The median of neighbours, the upper one of two in the middle; arguments as in `maximum_filter`.

    >>> import lazy
    >>> lazy.scipy.ndimage.median_filter([1., 9., 2., 3., 8.], 3).tolist()
    [1.0, 2.0, 3.0, 3.0, 8.0]
    """
    image, _ = image_of(input, output)
    count = int(_footprint(image, size, footprint, axes)[0].sum())
    return rank_filter(image, count // 2, size, footprint, output, mode, cval, origin, axes=axes)


def percentile_filter(input, percentile, size=None, footprint=None, output=None, mode='reflect', cval=0.0, origin=0, *,
                      axes=None):
    """The neighbour below which `percentile` percent of the neighbours are; other arguments as in `maximum_filter`."""
    image, _ = image_of(input, output)
    count = int(_footprint(image, size, footprint, axes)[0].sum())
    percentile = percentile + 100 if percentile < 0 else percentile
    if not 0 <= percentile <= 100:
        raise RuntimeError('invalid percentile')
    rank = count - 1 if percentile == 100 else int(count * percentile / 100)
    return rank_filter(image, rank, size, footprint, output, mode, cval, origin, axes=axes)
