"""Images between their elements: spline interpolation, and what turns, moves and scales images with it."""
import functools
import itertools
import math
import operator

import numpy as onp

from ... import lax, numpy as np
from ...array import Array
from ...ir import dtypes
from ...numpy._util import axes_of, axis_of, inexact_array
from .filters import image_of, per_axis

__all__ = ['affine_transform', 'geometric_transform', 'map_coordinates', 'rotate', 'shift', 'spline_filter',
           'spline_filter1d', 'zoom']

PADDING = 12          # elements beyond the edges for which splines see what surrounds the image, as SciPy has it


# --- coordinates -----------------------------------------------------------------------------------------------------

def map_coordinates(input, coordinates, order, mode='constant', cval=0.0, prefilter=True):
    """The image at fractional coordinates: one array of numbers of elements for each dimension of the input.

    order: 0 nearest, 1 linear, 2 to 5 by an interpolating spline of that order (Unser, Aldroubi and Eden 1993). mode:
    what surrounds the image: 'constant' cval, 'nearest' its edge, 'wrap' itself again, 'mirror' its reflection about
    the middle of the edge elements, 'reflect' about their end ('constant' and 'wrap' are what SciPy calls
    'grid-constant' and 'grid-wrap'). prefilter: False where the input is coefficients of a spline (`spline_filter`).

    The result has the dtype of the input and the shape to which the coordinates broadcast; integers are rounded.

    Raises ValueError for another number of coordinates or order, NotImplementedError for another mode.

    >>> import lazy, lazy.numpy as np
    >>> lazy.scipy.ndimage.map_coordinates(np.array([[0., 1.], [2., 3.]]), [[0.5], [0.5]], order=1).tolist()
    [1.5]
    """
    image, dtype = image_of(input)
    coordinates = [inexact_array(c) for c in coordinates]
    if len(coordinates) != image.ndim:
        raise ValueError(f'coordinates must be a sequence of length input.ndim, but {len(coordinates)} != {image.ndim}')
    if mode not in _EXTENSIONS:
        raise NotImplementedError(f'map_coordinates does not support mode {mode}. Supported modes are '
                                  f'{sorted({_JAX.get(m, m) for m in _EXTENSIONS} - {"grid-mirror"})}.')
    mode = {'constant': 'grid-constant', 'wrap': 'grid-wrap'}.get(mode, mode)
    return _rounded(_sampled(inexact_array(image), coordinates, order, mode, cval, prefilter), dtype)


_JAX = {'grid-constant': 'constant', 'grid-wrap': 'wrap'}


def _rounded(x, dtype):
    return x if x.dtype == dtype else (x if dtypes.is_inexact(dtype) else lax.round(x)).astype(dtype)


def _sampled(values, coordinates, order, mode, cval, prefilter):
    """Floating-point values at coordinates of their leading axes."""
    order = _checked(order)
    count, rest = len(coordinates), (...,) + (None,) * (values.ndim - len(coordinates))
    shape, axes = values.shape[:count], range(count)
    given = coordinates
    values, ahead = _coefficients(values, axes, order, mode, cval, prefilter)
    neighbours = [_neighbours(c + ahead, n, order, mode) for c, n in zip(coordinates, values.shape)]
    outside = np.asarray(cval).astype(values.dtype)
    terms = []
    for chosen in itertools.product(*neighbours):
        places, insides, weights = zip(*chosen)
        value = values.at[places].get(mode='clip')
        if mode == 'grid-constant':
            value = np.where(functools.reduce(operator.and_, insides)[rest], value, outside)
        terms.append(functools.reduce(operator.mul, weights)[rest] * value if order else value)
    result = sum(terms) if terms else values
    if mode == 'constant' and terms:
        known = functools.reduce(operator.and_, [_inside(c, n) for c, n in zip(given, shape)])
        result = np.where(known[rest], result, outside)
    return result


def _checked(order):
    order = operator.index(order)
    if not 0 <= order <= 5:
        raise ValueError(f'the order of a spline must be between 0 and 5, got {order}')
    return order


def _inside(coordinate, n):
    return (coordinate >= 0) & (coordinate <= n - 1)


def _mirrored(index, n):
    period = 2 * (n - 1)
    return abs((index + n - 1) % period - (n - 1)) if period else index * 0


def _reflected(index, n):
    return (_mirrored(2 * index + 1, 2 * n + 1) - 1) // 2


def _clipped(index, n):
    return np.clip(index, 0, n - 1)


def _wrapped(x, n):
    """The last element is in the place of the first of the next period, but for what is beyond it."""
    period = max(n - 1, 1)
    return np.where(x < 0, period - -x % period, np.where(x > period, x % period, x))


# mode: (coordinates, indices of neighbours and what surrounds an image, as a mode of np.pad, for the spline)
_EXTENSIONS = {'grid-constant': (None, _clipped, 'reflect'), 'constant': (None, _mirrored, 'reflect'),
               'nearest': (_clipped, _mirrored, 'reflect'), 'mirror': (None, _mirrored, 'reflect'),
               'reflect': (None, _reflected, 'symmetric'), 'grid-mirror': (None, _reflected, 'symmetric'),
               'grid-wrap': (None, lambda index, n: index % n, 'wrap'),
               'wrap': (_wrapped, _mirrored, 'reflect')}


def _neighbours(coordinate, n, order, mode):
    """(place, whether it is inside, weight) of each of order + 1 elements along an axis of n."""
    within, place, _ = _EXTENSIONS[mode]
    coordinate = coordinate if within is None else within(coordinate, n)
    if order == 0:
        first, weights = lax.round(coordinate), [1]
    else:
        shifted = coordinate + 0.5 if order % 2 == 0 else coordinate
        first = np.floor(shifted)
        weights = _spline_weights(shifted - first, order)
    index = first.astype(dtypes.int32) - order // 2
    return [(place(index + k, n), (index + k >= 0) & (index + k < n), w) for k, w in enumerate(weights)]


def _spline_weights(u, order):
    """The order + 1 basis splines with knots at integers that are not zero at u in [0, 1) (de Boor's recursion)."""
    weights = [1]
    for p in range(1, order + 1):
        parts = [w / p for w in weights]
        left = [(u + (p - 1 - r)) * part for r, part in enumerate(parts)]
        right = [(r + 1 - u) * part for r, part in enumerate(parts)]
        weights = [right[0], *[a + b for a, b in zip(left, right[1:])], left[-1]]
    return weights


def _coefficients(values, axes, order, mode, cval, prefilter):
    """(the coefficients of the spline that interpolates values along axes, elements put before those of the image)."""
    if order <= 1 or not prefilter:
        return values, 0
    ahead = PADDING if mode in ('grid-constant', 'nearest') else 0
    if ahead:
        widths = [(ahead, ahead) if a in axes else (0, 0) for a in range(values.ndim)]
        surrounding = dict(mode='edge') if mode == 'nearest' else dict(mode='constant', constant_values=cval)
        values = np.pad(values, widths, **surrounding)
    for axis in axes:
        values = _filtered(values, axis, order, _EXTENSIONS[mode][2])
    return values, ahead


def _filtered(x, axis, order, extension):
    """The coefficients of the spline that interpolates x along an axis: a symmetric filter on what surrounds x."""
    first, *rest = _inverse_filter(order)
    reach, n = len(rest), x.shape[axis]
    if n == 1:
        return x
    wide = np.pad(x, [(reach, reach) if a == axis else (0, 0) for a in range(x.ndim)], extension)
    shifted = lambda k: lax.slice_in_dim(wide, reach + k, reach + k + n, axis=axis)
    return first * x + sum(weight * (shifted(k) + shifted(-k)) for k, weight in enumerate(rest, 1))


@functools.cache
def _inverse_filter(order):
    """h[0], h[1] = h[-1], ... of the filter that gives the coefficients of a spline from its values at integers; it
    falls as the powers of its largest pole, 0.43 at most."""
    weights = [float(w) for w in _spline_weights(0.5 if order % 2 == 0 else 0.0, order)]
    sampled = onp.zeros(256)
    for k, weight in enumerate(weights):
        sampled[k - order // 2] = weight
    pole = max(abs(z) for z in onp.roots(weights) if abs(z) < 1)
    reach = math.ceil(-39 / math.log(pole))                          # beyond it, what is less than 1e-17
    return onp.fft.ifft(1 / onp.fft.fft(sampled)).real[:reach + 1].tolist()


# --- coefficients ----------------------------------------------------------------------------------------------------

def spline_filter1d(input, order=3, axis=-1, output=None, mode='mirror'):
    """The coefficients of the spline of an order (2 to 5) that interpolates the input along an axis, as floats.

    >>> import lazy, lazy.numpy as np
    >>> np.round(lazy.scipy.ndimage.spline_filter1d([0., 0., 1., 0., 0.]), 2).tolist()
    [0.25, -0.5, 1.75, -0.5, 0.25]
    """
    image, dtype = image_of(inexact_array(input), output)
    order = _checked(order)
    extension = _EXTENSIONS[mode][2] if mode in _EXTENSIONS else 'reflect'
    values = image if order <= 1 else _filtered(image, axis_of(axis, image.ndim), order, extension)
    return _rounded(values, dtype)


def spline_filter(input, order=3, output=None, mode='mirror'):
    """The coefficients of the spline of an order (2 to 5) that interpolates the input, as floats."""
    if not 2 <= operator.index(order) <= 5:
        raise RuntimeError(f'spline order not supported: {order} is not between 2 and 5')
    image, dtype = image_of(inexact_array(input), output)
    for axis in range(image.ndim):
        image = spline_filter1d(image, order, axis, None, mode)
    return _rounded(image, dtype)


# --- along axes ------------------------------------------------------------------------------------------------------

def _resampled(image, dtype, coordinates, order, mode, cval, prefilter):
    """The image at coordinates of each axis by itself: NumPy arrays of float64, or Arrays; None where an axis stays."""
    if mode not in _EXTENSIONS:
        raise RuntimeError(f'boundary mode not supported: {mode!r} is none of {", ".join(_EXTENSIONS)}')
    x, order = inexact_array(image), _checked(order)
    axes = [a for a, c in enumerate(coordinates) if c is not None]
    inside = [_inside(coordinates[a], x.shape[a]) for a in axes]
    values, ahead = _coefficients(x, axes, order, mode, cval, prefilter)
    aligned = lambda v, axis: np.asarray(v)[(...,) + (None,) * (x.ndim - 1 - axis)]
    for axis in axes:
        n, total = values.shape[axis], 0
        for place, within, weight in _neighbours(coordinates[axis] + ahead, n, order, mode):
            term = np.take(values, np.asarray(place), axis, mode='clip')
            if mode == 'grid-constant':
                term = np.where(aligned(within, axis), term, cval)
            total = total + (term if order == 0 else term * aligned(weight, axis).astype(dtypes.real_of(x.dtype)))
        values = total
    if mode == 'constant':
        for axis, within in zip(axes, inside):
            values = np.where(aligned(within, axis), values, cval)
    return _rounded(values, dtype)


def shift(input, shift, output=None, order=3, mode='constant', cval=0.0, prefilter=True):
    """The image moved by a number of elements, one for all axes or one for each; also differentiable by that.

    >>> import lazy
    >>> lazy.scipy.ndimage.shift([1., 2., 3., 4.], 1.5, order=1).tolist()
    [0.0, 0.0, 1.5, 2.5]
    """
    image, dtype = image_of(input, output)
    real = dtypes.real_of(inexact_array(image).dtype)
    moves = np.broadcast_to(np.asarray(shift, real), (image.ndim,))
    coordinates = [np.arange(n, dtype=real) - moves[a] for a, n in enumerate(image.shape)]
    return _resampled(image, dtype, coordinates, order, mode, cval, prefilter)


def zoom(input, zoom, output=None, order=3, mode='constant', cval=0.0, prefilter=True, *, grid_mode=False):
    """The image with sizes multiplied by zoom, one number for all axes or one for each, and rounded.

    The first and last elements stay at the ends; with grid_mode their outer edges do, as is usual for pixels.

    >>> import lazy
    >>> lazy.scipy.ndimage.zoom([0., 2., 4.], 5 / 3, order=1).tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0]
    """
    image, dtype = image_of(input, output)
    coordinates = []
    for n, factor in zip(image.shape, per_axis(zoom, range(image.ndim), 'zoom')):
        m = round(n * float(factor))
        if grid_mode:
            coordinates.append((onp.arange(m) + 0.5) * (n / m if m else 1) - 0.5)
        else:
            coordinates.append(onp.linspace(0, n - 1, m) if m > 1 else onp.zeros(m))
    return _resampled(image, dtype, coordinates, order, mode, cval, prefilter)


# --- of all axes together --------------------------------------------------------------------------------------------

def _transformed(image, dtype, coordinates, order, mode, cval, prefilter, axes=None):
    """The image at coordinates of some axes (of all by default)."""
    if mode not in _EXTENSIONS:
        raise RuntimeError(f'boundary mode not supported: {mode!r} is none of {", ".join(_EXTENSIONS)}')
    x, first = inexact_array(image), range(len(coordinates))
    x = x if axes is None else np.moveaxis(x, axes, tuple(first))
    result = _sampled(x, coordinates, order, mode, cval, prefilter)
    return _rounded(result if axes is None else np.moveaxis(result, tuple(first), axes), dtype)


def affine_transform(input, matrix, offset=0.0, output_shape=None, output=None, order=3, mode='constant', cval=0.0,
                     prefilter=True):
    """The image at matrix @ index + offset, for all indices of the result; differentiable by matrix and offset.

    matrix: (n, n), a vector for a diagonal one, or with the offset as last column, (n, n + 1) or (n + 1, n + 1).

    >>> import lazy, lazy.numpy as np
    >>> lazy.scipy.ndimage.affine_transform(np.arange(4.).reshape(2, 2), [[0, 1], [1, 0]], order=1).tolist()
    [[0.0, 2.0], [1.0, 3.0]]
    """
    image, dtype = image_of(input, output)
    n, real = image.ndim, dtypes.real_of(inexact_array(image).dtype)
    matrix = np.asarray(matrix, real)
    if matrix.shape in ((n, n + 1), (n + 1, n + 1)):
        matrix, offset = matrix[:n, :n], matrix[:n, n]
    if matrix.shape not in ((n,), (n, n)):
        raise RuntimeError(f'affine matrix has wrong number of rows or columns: shape {matrix.shape} for an image of '
                           f'{n} dimensions')
    offset = np.broadcast_to(np.asarray(offset, real), (n,))
    shape = image.shape if output_shape is None else tuple(map(operator.index, output_shape))
    if matrix.ndim == 1:
        coordinates = [matrix[a] * np.arange(m, dtype=real) + offset[a] for a, m in enumerate(shape)]
        return _resampled(image, dtype, coordinates, order, mode, cval, prefilter)
    return _transformed(image, dtype, _turned(matrix, offset, shape), order, mode, cval, prefilter)


def _turned(matrix, offset, shape):
    """matrix @ index + offset for all indices of a shape."""
    grid = [lax.broadcasted_iota(matrix.dtype, shape, a) for a in range(len(shape))]
    return [sum(matrix[i, j] * g for j, g in enumerate(grid)) + offset[i] for i in range(len(shape))]


def rotate(input, angle, axes=(1, 0), reshape=True, output=None, order=3, mode='constant', cval=0.0, prefilter=True):
    """The image turned by an angle (degrees) in the plane of two axes; reshape: the whole of it is in the result.

    With reshape=False the angle may be traced, and the result is differentiable by it.

    >>> import lazy, lazy.numpy as np
    >>> lazy.scipy.ndimage.rotate(np.arange(6.).reshape(2, 3), 90, order=1).tolist()
    [[2.0, 5.0], [1.0, 4.0], [0.0, 3.0]]
    """
    image, dtype = image_of(input, output)
    if image.ndim < 2:
        raise ValueError('input array should be at least 2D')
    if len(axes) != 2:
        raise ValueError('axes should contain exactly two values')
    axes = axes_of(tuple(axes), image.ndim)
    sizes = [image.shape[a] for a in axes]
    real = dtypes.real_of(inexact_array(image).dtype)
    if reshape or not isinstance(angle, Array):
        c, s = _cosine_and_sine(float(angle))
        corners = onp.array([[c, s], [-s, c]]) @ onp.array([[0, 0, sizes[0], sizes[0]], [0, sizes[1], 0, sizes[1]]])
        shape = tuple((onp.ptp(corners, axis=1) + 0.5).astype(int).tolist()) if reshape else tuple(sizes)
        matrix = np.asarray(onp.array([[c, s], [-s, c]]), real)
    else:
        angle = np.deg2rad(angle.astype(real))
        shape, c, s = tuple(sizes), np.cos(angle), np.sin(angle)
        matrix = np.stack([np.stack([c, s]), np.stack([-s, c])])
    middle = lambda sizes: np.asarray([(n - 1) / 2 for n in sizes], real)
    coordinates = _turned(matrix, middle(sizes) - matrix @ middle(shape), shape)
    return _transformed(image, dtype, coordinates, order, mode, cval, prefilter, axes)


def _cosine_and_sine(degrees):
    """Exact at multiples of 90."""
    quarter, rest = divmod(degrees, 90)
    c, s = math.cos(math.radians(rest)), math.sin(math.radians(rest))
    return ((c, s), (-s, c), (-c, -s), (s, -c))[int(quarter) % 4]


def geometric_transform(input, mapping, output_shape=None, output=None, order=3, mode='constant', cval=0.0,
                        prefilter=True, extra_arguments=(), extra_keywords=None):
    """The image at mapping(index), a function from a tuple of arrays, indices of the result, to one of coordinates."""
    image, dtype = image_of(input, output)
    shape = image.shape if output_shape is None else tuple(map(operator.index, output_shape))
    real = dtypes.real_of(inexact_array(image).dtype)
    indices = tuple([lax.broadcasted_iota(real, shape, a) for a in range(len(shape))])
    found = mapping(indices, *extra_arguments, **(extra_keywords or {}))
    coordinates = [np.broadcast_to(inexact_array(c), shape) for c in found]
    if len(coordinates) != image.ndim:
        raise ValueError(f'mapping must give {image.ndim} coordinates, but gave {len(coordinates)}')
    return _transformed(image, dtype, coordinates, order, mode, cval, prefilter)
