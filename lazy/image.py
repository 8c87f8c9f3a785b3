"""Images in other sizes: resampling along any axes, as products with matrices of weights."""
import enum
import math
import operator

import numpy as onp

from . import numpy as np
from .array import as_node, wrap
from .ir import build, dtypes

__all__ = ['ResizeMethod', 'resize', 'scale_and_translate']


class ResizeMethod(enum.Enum):
    """How pixels are made of those around their place.

    NEAREST: the nearest one. LINEAR: a triangle of radius 1. CUBIC: Keys' cubic of radius 2 (IEEE Trans. ASSP 29(6),
    1981) with a = -0.5; CUBIC_PYTORCH: a = -0.75 and repeated edges where antialias=False. LANCZOS3, LANCZOS5: a sinc
    with a window of radius 3 and 5. AREA: the mean over the pixel's area.
    """
    NEAREST = 0
    LINEAR = 1
    LANCZOS3 = 2
    LANCZOS5 = 3
    CUBIC = 4
    CUBIC_PYTORCH = 5
    AREA = 6

    @staticmethod
    def from_string(s):
        """The method of a name; ValueError where there is none.

        >>> import lazy.image
        >>> lazy.image.ResizeMethod.from_string('bilinear').name
        'LINEAR'
        """
        if s not in _NAMES:
            raise ValueError(f'Unknown resize method "{s}", there are {", ".join(_NAMES)}')
        return ResizeMethod[_NAMES[s]]


_NAMES = {'nearest': 'NEAREST', **dict.fromkeys(('linear', 'bilinear', 'trilinear', 'triangle'), 'LINEAR'),
          'lanczos3': 'LANCZOS3', 'lanczos5': 'LANCZOS5', **dict.fromkeys(('cubic', 'bicubic', 'tricubic'), 'CUBIC'),
          **dict.fromkeys(('cubic-pytorch', 'bicubic-pytorch'), 'CUBIC_PYTORCH'), 'area': 'AREA'}


def resize(image, shape, method, antialias=True, precision=None):
    """The image in another shape; axes of which the size stays the same are left alone.

    method: a ResizeMethod or its name ('nearest', 'linear', 'cubic', 'cubic-pytorch', 'lanczos3', 'lanczos5', 'area').
    antialias: where an axis becomes shorter, weights are taken over as much more of it. Integers become floating-point
    numbers but for 'nearest'. Raises ValueError for a shape of another number of axes. With antialias
    it is what Pillow does.

    >>> import lazy.numpy as np, lazy.image
    >>> lazy.image.resize(np.array([0., 4.]), (4,), 'linear').tolist()
    [0.0, 1.0, 3.0, 4.0]
    """
    x, method = as_node(image), _method(method)
    shape = _shape(shape, x)
    axes = [axis for axis in range(x.aval.ndim) if x.aval.shape[axis] != shape[axis]]
    if method is ResizeMethod.NEAREST:
        for axis in axes:
            x = _nearest(x, axis, shape[axis])
        return wrap(x)
    x = _inexact(x)
    for axis in axes:
        n = x.aval.shape[axis]
        scale = shape[axis] / n if shape[axis] and n else 1.0
        weights = _weights(onp, n, shape[axis], scale, 0.0, method, antialias)
        x = _times(x, axis, as_node(weights.astype(dtypes.real_of(x.aval.dtype))))
    return wrap(x)


def scale_and_translate(image, shape, spatial_dims, scale, translation, method, antialias=True, precision=None):
    """The image moved and made larger: what is at y goes to y * scale + translation along each of spatial_dims.

    Pixels have their centres at half numbers. What comes from outside of the image is 0. scale, translation: an entry
    for each of spatial_dims, also traced arrays, by which can be differentiated. method, antialias: as for `resize`,
    but for 'nearest'.

    >>> import lazy.numpy as np, lazy.image
    >>> lazy.image.scale_and_translate(np.arange(4.), (4,), (0,), np.ones(1), np.array([1.]), 'linear').tolist()
    [0.0, 0.0, 1.0, 2.0]
    """
    x, method = _inexact(as_node(image)), _method(method)
    shape = _shape(shape, x)
    if method is ResizeMethod.NEAREST:
        raise ValueError('Nearest neighbor resampling is not currently supported for scale_and_translate.')
    scale, translation = (np.asarray(v, dtypes.real_of(_inexact(as_node(v)).aval.dtype)) for v in (scale, translation))
    if scale.shape != (len(spatial_dims),) or translation.shape != (len(spatial_dims),):
        raise ValueError(f'scale_and_translate: scale of shape {scale.shape} and translation of shape '
                         f'{translation.shape} must have an entry for each of the {len(spatial_dims)} spatial_dims')
    for place, axis in enumerate(spatial_dims):
        axis = range(x.aval.ndim)[operator.index(axis)]
        weights = _weights(np, x.aval.shape[axis], shape[axis], scale[place], translation[place], method, antialias)
        x = _times(x, axis, as_node(weights))
    return wrap(x)


def _method(method):
    return ResizeMethod.from_string(method) if isinstance(method, str) else ResizeMethod(method)


def _shape(shape, x):
    shape = tuple([operator.index(n) for n in shape])
    if len(shape) != x.aval.ndim:
        raise ValueError(f'shape must have length equal to the number of dimensions of x; {shape} vs {x.aval.shape}')
    return shape


def _inexact(x):
    return x if dtypes.is_inexact(x.aval.dtype) else build.convert(x, dtypes.default_float())


def _nearest(x, axis, n):
    places = onp.floor((onp.arange(n, dtype=onp.float32) + 0.5) * onp.float32(x.aval.shape[axis]) / onp.float32(n))
    found = build.gather(x, [as_node(places.astype(onp.int32))], (axis,), 'clip')
    return build.moveaxis(found, 0, axis)


def _times(x, axis, weights):
    """x with an axis multiplied by a matrix (old size, new size)."""
    product = build.dot_general(x, build.convert(weights, x.aval.dtype), ((axis,), (0,)))
    return build.moveaxis(product, x.aval.ndim - 1, axis)


# --- weights: by NumPy where the scale is known, so that they are computed once, else as arrays of ours ---------------

def _triangle(np, x):
    return np.maximum(0, 1 - x)


def _cubic(a):
    def kernel(np, x):
        near = ((a + 2) * x - (a + 3)) * x * x + 1
        far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
        return np.where(x >= 2, 0, np.where(x >= 1, far, near))
    return kernel


def _lanczos(radius):
    def kernel(np, x):
        y = radius * np.sin(math.pi * x) * np.sin(math.pi * x / radius)
        y = np.where(x > 1e-3, y / np.where(x != 0, math.pi ** 2 * x * x, 1), 1)
        return np.where(x > radius, 0, y)
    return kernel


_KERNELS = {ResizeMethod.LINEAR: _triangle, ResizeMethod.CUBIC: _cubic(-0.5), ResizeMethod.CUBIC_PYTORCH: _cubic(-0.75),
            ResizeMethod.LANCZOS3: _lanczos(3), ResizeMethod.LANCZOS5: _lanczos(5)}


def _weights(np, m, n, scale, translation, method, antialias):
    """The matrix (m, n) of what each of m pixels contributes to each of n; np: numpy, or lazy.numpy."""
    dtype = onp.float64 if np is onp else scale.dtype
    step = 1 / scale
    repeated = method is ResizeMethod.CUBIC_PYTORCH and not antialias
    if method is ResizeMethod.CUBIC_PYTORCH and antialias:
        method = ResizeMethod.CUBIC
    beyond = 2 if repeated else 0
    old, new = np.arange(-beyond, m + beyond, dtype=dtype)[:, None], np.arange(n, dtype=dtype)
    centres = (new + 0.5) * step - translation * step - 0.5
    if method is ResizeMethod.AREA:
        left = new * step - translation * step
        weights = np.maximum(0, np.minimum(left + step, old + 1) - np.maximum(left, old))
    else:
        wide = np.maximum(step, 1) if antialias else 1
        weights = _KERNELS[method](np, np.abs(centres - old) / wide)
    if repeated:                                                     # what is outside goes to the edges
        rows = [weights[:3].sum(0, keepdims=True), weights[3:-3], weights[-3:].sum(0, keepdims=True)]
        weights = weights.sum(0, keepdims=True) if m == 1 else np.concatenate(rows)
    total = weights.sum(0)
    enough = np.abs(total) > 1000 * float(onp.finfo(onp.float32).eps)
    weights = np.where(enough, weights / np.where(enough, total, 1), 0)
    return weights if repeated else np.where((centres >= -0.5) & (centres <= m - 0.5), weights, 0)
