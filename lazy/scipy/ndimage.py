"""Interpolation in images, with the signatures of jax.scipy.ndimage."""
import functools
import itertools
import math
import operator

import numpy as onp

from .. import lax
from .. import numpy as np
from ..array import as_node, wrap
from ..ir import dtypes
from ..numpy._util import inexact_array

__all__ = ['map_coordinates']

PADDING = 12          # elements beyond the edges for which splines see what surrounds the image, as SciPy has it


def map_coordinates(input, coordinates, order, mode='constant', cval=0.0):
    """The image at fractional coordinates: one array of numbers of elements for each dimension of the input.

    order: 0 nearest, 1 linear, 2 to 5 by an interpolating spline of that order (Unser, Aldroubi and Eden 1993). mode:
    what surrounds the image: 'constant' cval, 'nearest' its edge, 'wrap' itself again, 'mirror' its reflection about
    the middle of the edge elements, 'reflect' about their end ('constant' and 'wrap' are what SciPy calls
    'grid-constant' and 'grid-wrap').

    The result has the dtype of the input and the shape to which the coordinates broadcast; integers are rounded.

    Raises ValueError for another number of coordinates or order, NotImplementedError for another mode.

    >>> import lazy, lazy.numpy as np
    >>> lazy.scipy.ndimage.map_coordinates(np.array([[0., 1.], [2., 3.]]), [[0.5], [0.5]], order=1).tolist()
    [1.5]
    """
    image = wrap(as_node(input))
    coordinates = [inexact_array(c) for c in coordinates]
    order = operator.index(order)
    mode = {'grid-constant': 'constant', 'grid-wrap': 'wrap', 'grid-mirror': 'reflect'}.get(mode, mode)
    if len(coordinates) != image.ndim:
        raise ValueError(f'coordinates must be a sequence of length input.ndim, but {len(coordinates)} != {image.ndim}')
    if mode not in _PLACES:
        raise NotImplementedError(f'map_coordinates does not support mode {mode}. Supported modes are '
                                  f'{sorted(_PLACES)}.')
    if not 0 <= order <= 5:
        raise ValueError(f'map_coordinates: order must be between 0 and 5, got {order}')
    values = inexact_array(image)
    if order > 1:
        if mode in ('constant', 'nearest'):
            surrounding = dict(mode='edge') if mode == 'nearest' else dict(mode='constant', constant_values=cval)
            values, coordinates = np.pad(values, PADDING, **surrounding), [c + PADDING for c in coordinates]
        for axis in range(values.ndim):
            values = _coefficients(values, axis, order, mode)
    outside = np.asarray(cval).astype(values.dtype)
    neighbours = [_neighbours(c, n, order, mode) for c, n in zip(coordinates, values.shape)]
    terms = []
    for chosen in itertools.product(*neighbours):
        places, insides, weights = zip(*chosen)
        value = values.at[places].get(mode='clip')
        if mode == 'constant':
            value = np.where(functools.reduce(operator.and_, insides), value, outside)
        terms.append(functools.reduce(operator.mul, weights) * value)
    result = sum(terms) if terms else values
    return (result if dtypes.is_inexact(image.dtype) else lax.round(result)).astype(image.dtype)


def _mirrored(index, n):
    period = 2 * (n - 1)
    return abs((index + n - 1) % period - (n - 1)) if period else index * 0


def _reflected(index, n):
    return (_mirrored(2 * index + 1, 2 * n + 1) - 1) // 2


_PLACES = {'constant': lambda index, n: index, 'nearest': lambda index, n: np.clip(index, 0, n - 1),
           'wrap': lambda index, n: index % n, 'mirror': _mirrored, 'reflect': _reflected}


def _neighbours(coordinate, n, order, mode):
    """(place, whether it is inside, weight) of each of order + 1 elements along an axis of n."""
    if order == 0:
        first, weights = lax.round(coordinate), [1]
    else:
        shifted = coordinate + 0.5 if order % 2 == 0 else coordinate
        first = np.floor(shifted)
        weights = _spline_weights(shifted - first, order)
    index = first.astype(dtypes.int32) - order // 2
    return [(_PLACES[mode](index + k, n), (index + k >= 0) & (index + k < n), w) for k, w in enumerate(weights)]


def _spline_weights(u, order):
    """The order + 1 basis splines with knots at integers that are not zero at u in [0, 1) (de Boor's recursion)."""
    weights = [1]
    for p in range(1, order + 1):
        parts = [w / p for w in weights]
        left = [(u + (p - 1 - r)) * part for r, part in enumerate(parts)]
        right = [(r + 1 - u) * part for r, part in enumerate(parts)]
        weights = [right[0], *[a + b for a, b in zip(left, right[1:])], left[-1]]
    return weights


def _coefficients(x, axis, order, mode):
    """The coefficients of the spline that interpolates x along an axis: a symmetric filter on what surrounds x."""
    first, *rest = _inverse_filter(order)
    reach, n = len(rest), x.shape[axis]
    extension = {'reflect': 'symmetric', 'wrap': 'wrap'}.get(mode, 'reflect')
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
