"""Connected parts of images, and what is known of each of them."""
import functools
import math

import numpy as onp

from ... import lax, numpy as np
from ...array import as_node, wrap
from ...ir import dtypes
from ...loops import repeat
from ...numpy._util import inexact_array
from .filters import _neighbours

__all__ = ['binary_dilation', 'binary_erosion', 'center_of_mass', 'generate_binary_structure', 'label', 'maximum',
           'mean', 'minimum', 'standard_deviation', 'sum_labels', 'variance']


def generate_binary_structure(rank, connectivity):
    """The mask of neighbours that differ in at most `connectivity` of `rank` indices: NumPy booleans (3, ..., 3).

    >>> import lazy
    >>> lazy.scipy.ndimage.generate_binary_structure(2, 1).sum()
    np.int64(5)
    """
    distances = sum(abs(i - 1) for i in onp.indices((3,) * rank)) if rank else onp.array(0)
    return distances <= max(connectivity, 1)


def _structure(structure, ndim):
    mask = generate_binary_structure(ndim, 1) if structure is None else onp.asarray(structure, bool)
    if mask.ndim != ndim:
        raise RuntimeError(f'structure and input must have equal rank, got {mask.ndim} and {ndim}')
    return mask


def label(input, structure=None, output=None):
    """(numbers of the connected parts where the input isn't 0, how many there are).

    structure: which neighbours are connected, a symmetric mask (3, ..., 3); by default those beside each other along an
    axis. Parts are numbered from 1 in the order of their first elements.

    Each element takes the least index among its neighbours and that of the element at its own index, until nothing
    changes: as often as about the logarithm of a part's extent.

    >>> import lazy, lazy.numpy as np
    >>> labels, count = lazy.scipy.ndimage.label(np.array([[1, 0, 1], [1, 0, 0], [0, 1, 1]]))
    >>> labels.tolist(), int(count)
    ([[1, 0, 2], [1, 0, 0], [0, 3, 3]], 3)
    """
    image = wrap(as_node(input))
    mask = _structure(structure, image.ndim)
    if mask.shape != (3,) * image.ndim or (mask != mask[(slice(None, None, -1),) * image.ndim]).any():
        raise RuntimeError(f'structure must be symmetric with 3 elements along each axis, got shape {mask.shape}')
    dtype = dtypes.as_dtype(output) if output is not None else dtypes.int32
    if not image.size:
        return np.zeros(image.shape, dtype), np.zeros((), dtypes.int32)
    inside = (image != 0).astype(bool)
    index, none = np.arange(image.size, dtype=dtypes.int32).reshape(image.shape), image.size

    def step(state):
        found = state[0]
        near = functools.reduce(np.minimum, _neighbours(found, mask, range(image.ndim), 'constant', none, 0))
        near = np.where(inside, near, none)
        for _ in range(2):
            near = np.where(inside, near.ravel().at[near].get(mode='clip'), none)
        return near, (near != found).any()

    first = np.where(inside, index, none)
    roots = repeat(lambda state: state[1], step, (first, inside.any()))[0]
    count = np.cumsum((roots == index).ravel(), dtype=dtypes.int32)
    numbers = np.where(inside, count.at[roots].get(mode='clip'), 0)
    return numbers.astype(dtype), count[-1]


def binary_dilation(input, structure=None, iterations=1, mask=None, output=None, border_value=0, origin=0,
                    brute_force=False):
    """True wherever the structure, placed at a true element, is true; done `iterations` times, where `mask` is true.

    >>> import lazy
    >>> lazy.scipy.ndimage.binary_dilation([0, 0, 1, 0, 0]).tolist()
    [False, True, True, True, False]
    """
    return _morphology(input, structure, iterations, mask, border_value, origin, True)


def binary_erosion(input, structure=None, iterations=1, mask=None, output=None, border_value=0, origin=0,
                   brute_force=False):
    """True where the whole structure lies on true elements; done `iterations` times, where `mask` is true."""
    return _morphology(input, structure, iterations, mask, border_value, origin, False)


def _morphology(input, structure, iterations, mask, border, origin, dilate):
    x = (wrap(as_node(input)) != 0).astype(bool)
    shape = _structure(structure, x.ndim)
    if dilate:                                                       # reflected about its centre
        origins = [origin] * x.ndim if isinstance(origin, int) else origin
        origin = [-o - (1 - n % 2) for o, n in zip(origins, shape.shape)]
        shape = shape[(slice(None, None, -1),) * x.ndim]
    fold = np.logical_or if dilate else np.logical_and

    def once(x):
        new = functools.reduce(fold, _neighbours(x, shape, range(x.ndim), 'constant', bool(border), origin))
        return new if mask is None else np.where(mask, new, x)
    if iterations >= 1:
        for _ in range(iterations):
            x = once(x)
        return x
    again = lambda state: (once(state[0]), state[0])
    return repeat(lambda state: (state[0] != state[1]).any(), again, (once(x), x))[0]


# --- measurements ----------------------------------------------------------------------------------------------------

def _groups(input, labels, index):
    """(values as a vector, number of the entry of index that each belongs to, how many entries, the result's shape)."""
    x = wrap(as_node(input))
    labels = np.ones((), dtypes.int32) if labels is None else wrap(as_node(labels))
    x, labels = np.broadcast_arrays(x, labels)
    if index is None:
        return x.ravel(), np.where(labels != 0, 0, 1).ravel(), 1, ()
    index = wrap(as_node(index))
    wanted = index.ravel()
    order = np.argsort(wanted)
    place = np.searchsorted(wanted[order], labels.ravel())
    near = order.at[place].get(mode='clip')
    found = wanted.at[near].get(mode='clip') == labels.ravel()
    return x.ravel(), np.where(found, near, wanted.size), wanted.size, index.shape


def _per_group(input, labels, index, kind, start, dtype=None):
    x, group, count, shape = _groups(input, labels, index)
    x = x if dtype is None else x.astype(dtype)
    return getattr(np.full(count + 1, start, x.dtype).at[group], kind)(x)[:count].reshape(shape)


def sum_labels(input, labels=None, index=None):
    """The sum of the elements with each label of index; by default of those whose label isn't 0, or of all.

    >>> import lazy
    >>> lazy.scipy.ndimage.sum_labels([1., 2., 3.], [1, 2, 1], [1, 2]).tolist()
    [4.0, 2.0]
    """
    return _per_group(input, labels, index, 'add', 0, np.sum(input).dtype)


def mean(input, labels=None, index=None):
    """The mean of the elements with each label; arguments as in `sum_labels`."""
    return sum_labels(input, labels, index) / sum_labels(np.ones_like(inexact_array(input)), labels, index)


def variance(input, labels=None, index=None):
    """The mean square of the distances from the mean; arguments as in `sum_labels`."""
    x, group, count, shape = _groups(inexact_array(input), labels, index)
    centre = np.append(mean(input, labels, index).ravel(), 0)
    square = abs(x - centre.at[group].get(mode='clip')) ** 2
    total, number = (np.zeros(count + 1, square.dtype).at[group].add(v)[:count] for v in (square, np.ones_like(square)))
    return (total / number).reshape(shape)


def standard_deviation(input, labels=None, index=None):
    """The root of the `variance`."""
    return np.sqrt(variance(input, labels, index))


def maximum(input, labels=None, index=None):
    """The largest element with each label; arguments as in `sum_labels`."""
    return _per_group(input, labels, index, 'max', _lowest(input, -1))


def minimum(input, labels=None, index=None):
    """The smallest element with each label; arguments as in `sum_labels`."""
    return _per_group(input, labels, index, 'min', _lowest(input, 1))


def _lowest(input, sign):
    dtype = wrap(as_node(input)).dtype
    if dtypes.is_inexact(dtype):
        return sign * math.inf
    return np.iinfo(dtype).max if sign > 0 else np.iinfo(dtype).min


def center_of_mass(input, labels=None, index=None):
    """A tuple with the mean of each index, weighted with the elements, of each label; arguments as in `sum_labels`.

    >>> import lazy, lazy.numpy as np
    >>> [float(c) for c in lazy.scipy.ndimage.center_of_mass(np.array([[0., 1.], [0., 3.]]))]
    [0.75, 1.0]
    """
    x = inexact_array(input)
    total = sum_labels(x, labels, index)
    places = [lax.broadcasted_iota(dtypes.real_of(x.dtype), x.shape, a) for a in range(x.ndim)]
    return tuple([sum_labels(x * place, labels, index) / total for place in places])
