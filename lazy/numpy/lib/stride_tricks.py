"""Windows of arrays. Where NumPy gives views of memory, these are arrays of their own, read where they are needed."""
import math

from .. import _util as util
from ..shape import ravel

__all__ = ['as_strided', 'sliding_window_view']


def sliding_window_view(x, window_shape, axis=None, *, subok=False, writeable=False):
    """All windows of a shape: the axes of their places, then those within a window.

    axis: of each entry of window_shape; by default all of them, in order. Raises ValueError where a window is larger
    than its axis or the axes don't match; writeable=True is not possible.

    >>> import lazy.numpy as np
    >>> np.lib.stride_tricks.sliding_window_view(np.arange(5), 3).tolist()
    [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
    """
    if writeable:
        raise ValueError('sliding_window_view: windows are arrays of their own and cannot be written through')
    x = util.array_of(x)
    window = tuple(window_shape) if isinstance(window_shape, (tuple, list)) else (window_shape,)
    if axis is None:
        axis = tuple(range(x.ndim))
    axes = tuple([util.axis_of(a, x.ndim) for a in (axis if isinstance(axis, (tuple, list)) else (axis,))])
    if len(axes) != len(window):
        raise ValueError(f'Must provide matching length window_shape and axis; got {len(window)} window_shape elements '
                         f'and {len(axes)} axes elements')
    for a, size in zip(axes, window):
        if size < 0:
            raise ValueError('`window_shape` cannot contain negative values')
        if size > x.shape[a]:
            raise ValueError(f'window shape {window} cannot be larger than input array shape {x.shape}')
        x = _windows(x, a, size)
    return x


def _windows(x, axis, size):
    """Windows along one axis, as a last axis of their own."""
    from ..creation import arange
    from ..indexing import take
    from ..shape import moveaxis
    places = arange(x.shape[axis] - size + 1)[:, None] + arange(size)
    return moveaxis(take(x, places, axis, mode='clip'), axis + 1, -1)


def as_strided(x, shape=None, strides=None, subok=False, writeable=False):
    """The elements at multiples of strides (bytes) from the first one, in an array of its own.

    Strides refer to the elements in the order of rows, as NumPy has them of a contiguous array. Raises ValueError where
    they reach beyond the array (NumPy reads other memory there), or are no multiples of the size of an element.

    >>> import lazy.numpy as np
    >>> np.lib.stride_tricks.as_strided(np.arange(6, dtype='int32'), (2, 3), (8, 4)).tolist()
    [[0, 1, 2], [2, 3, 4]]
    """
    from ..creation import arange
    from ..indexing import take
    x = util.array_of(x)
    shape = x.shape if shape is None else tuple(shape)
    strides = x.strides if strides is None else tuple(strides)
    if len(shape) != len(strides) or any(s % x.itemsize for s in strides):
        raise ValueError(f'as_strided: strides {strides} must be a multiple of {x.itemsize} bytes for each axis of '
                         f'{shape}')
    steps = [s // x.itemsize for s in strides]
    ends = [(n - 1) * s for n, s in zip(shape, steps)]
    if math.prod(shape) and not 0 <= sum(min(e, 0) for e in ends) <= sum(max(e, 0) for e in ends) < x.size:
        raise ValueError(f'as_strided: shape {shape} and strides {strides} reach beyond the {x.size} elements of the '
                         'array')
    place = 0
    for n, step in zip(shape, steps):
        place = util.array_of(place)[..., None] + arange(n) * step
    return take(ravel(x), place, mode='clip')
