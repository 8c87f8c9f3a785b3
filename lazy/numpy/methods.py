"""What the functions are as methods of Array; those that write into their array do so where arrays are mutable."""
import math

import numpy as onp

from ..array import Array
from ..config import config
from ..ir import dtypes
from . import creation, elementwise, indexing, joining, products, reductions, shape, sorting
from ._util import into

_PLAIN = {reductions: ('sum', 'prod', 'max', 'min', 'mean', 'var', 'std', 'all', 'any', 'argmax', 'argmin', 'ptp',
                       'cumsum', 'cumprod', 'trace'),
          sorting: ('argsort', 'argpartition'),
          shape: ('ravel', 'squeeze', 'swapaxes', 'repeat', 'diagonal'),
          indexing: ('take', 'nonzero', 'choose'),
          elementwise: ('round', 'conj', 'conjugate'),
          products: ('dot',),
          creation: ('copy', )}


def _reshape(self, *shape_, order='C', copy=None):
    """The same elements in another shape, given as one tuple or as numbers."""
    return shape.reshape(self, shape_[0] if len(shape_) == 1 else shape_, order)


def _transpose(self, *axes):
    """Axes in another order, reversed by default; given as one tuple or as numbers."""
    if not axes or axes == (None,):
        return shape.transpose(self)
    return shape.transpose(self, axes[0] if len(axes) == 1 and isinstance(axes[0], (tuple, list)) else axes)


def _astype(self, dtype, order='K', casting='unsafe', subok=True, copy=True, device=None):
    """Converted to a dtype. Raises TypeError where `casting` ('no', 'equiv', 'safe', 'same_kind') doesn't allow it."""
    if casting != 'unsafe' and not onp.can_cast(self.dtype, dtypes.as_dtype(dtype), casting):
        raise TypeError(f'cannot cast from {self.dtype} to {dtypes.as_dtype(dtype)} by the rule {casting!r}')
    return creation.astype(self, dtype, copy=copy, device=device)


def _flatten(self, order='C'):
    """The elements in one axis."""
    return shape.ravel(self, order)


def _clip(self, min=None, max=None, *, a_min=None, a_max=None, out=None):
    """Elements limited to min from below and max from above."""
    return indexing.clip(self, min, max, a_min=a_min, a_max=a_max, out=out)


def _searchsorted(self, v, side='left', sorter=None, *, method=None):
    """Positions where v would be inserted in this sorted vector."""
    return sorting.searchsorted(self, v, side, sorter, method=method)


def _compress(self, condition, axis=None, *, size=None, fill_value=0, out=None):
    """Slices along an axis where a vector of booleans is true."""
    return indexing.compress(condition, self, axis, size=size, fill_value=fill_value, out=out)


def _view(self, dtype=None):
    """The same bits as another dtype; one of another size makes the last axis longer or shorter.

    Of int4 and uint4 two lie in a byte, the first in its lower half: x.view('uint8') and packed.view('int4') copy
    nothing.
    """
    from .. import lax
    from ..array import wrap
    from ..ir import build
    node = self._node
    dtype = node.aval.dtype if dtype is None else dtypes.as_dtype(dtype)
    if node.aval.dtype == dtypes.bool_:
        node = build.convert(node, dtypes.uint8)
    if dtype == dtypes.bool_:
        return wrap(node) != 0
    shape, old, new = node.aval.shape, dtypes.bits(node.aval.dtype), dtypes.bits(dtype)
    if old == new:
        return lax.bitcast_convert_type(wrap(node), dtype)
    if not shape or shape[-1] * old % new:
        raise ValueError(f'view of {node.aval.dtype}{list(shape)} as {dtype}: the last axis does not hold whole '
                         'elements')
    if new > old:
        node = build.reshape(node, (*shape[:-1], shape[-1] * old // new, new // old))
    return lax.bitcast_convert_type(wrap(node), dtype).reshape(*shape[:-1], shape[-1] * old // new)


def _in_place(name, function, instead):
    """A method that writes into its array, where arrays are mutable; what is done otherwise."""
    def method(self, *args, **keywords):
        if not config.mutable_arrays:
            return instead(self, *args, **keywords)
        self._node = function(self, *args, **keywords)._node
    method.__doc__ = f'{function.__doc__.splitlines()[0]} In place where arrays are mutable.'
    method.__name__ = name
    return method


def _immutable(instead):
    def refuse(self, *args, **keywords):
        raise TypeError(f'arrays are immutable: use {instead}')
    return refuse


def _resized(self, *new_shape, refcheck=True):
    """The array with another shape, cut or filled with zeros."""
    n = math.prod(new_shape := tuple(new_shape[0]) if isinstance(new_shape[0], (tuple, list)) else new_shape)
    flat = shape.ravel(self)[:n]
    return joining.concatenate([flat, creation.zeros(n - flat.size, self.dtype)]).reshape(new_shape)


def _put(self, indices, values, mode='raise'):
    """Values put at positions of the flattened array; repeated as often as is needed."""
    indexing.put(self, indices, values, None if mode == 'raise' else mode)


def _tofile(self, fid, sep='', format='%s'):
    """Write the values into a file, as numpy.ndarray.tofile."""
    onp.asarray(self).tofile(fid, sep, format)


def _set_shape(self, new_shape):
    if not config.mutable_arrays:
        raise AttributeError('arrays are immutable: write x = x.reshape(shape)')
    self._node = shape.reshape(self, new_shape)._node


def _set_part(part):
    def set_part(self, values):
        if dtypes.kind(self.dtype) != 'c' and part == 'imag':
            raise TypeError('cannot set the imaginary part of a real array')
        from .. import lax
        new = creation.asarray(values).astype(self.real.dtype)
        if dtypes.kind(self.dtype) == 'c':
            new = lax.complex(*(shape.broadcast_to(p, self.shape) for p in (
                (new, self.imag) if part == 'real' else (self.real, new))))
        into(self, new)
    return set_part


def _memory(self):
    """An array of NumPy's with the shape and strides that this one has where NumPy is given it, and no memory."""
    strides = [self.itemsize * math.prod(self.shape[i + 1:]) for i in range(self.ndim)]
    return onp.lib.stride_tricks.as_strided(onp.empty((), onp.dtype(self.dtype)), self.shape, strides,
                                            writeable=config.mutable_arrays)


class Flat:
    """x.flat: the elements in the order of rows, as one vector: iterated over, indexed, set where arrays are mutable."""

    def __init__(self, array):
        self.base = array

    def __iter__(self):
        return iter(shape.ravel(self.base))

    def __len__(self):
        return self.base.size

    def __getitem__(self, index):
        return shape.ravel(self.base)[index]

    def __setitem__(self, index, values):
        flat = shape.ravel(self.base)
        flat[index] = values
        self.base._node = shape.reshape(flat, self.base.shape)._node

    def __array__(self, dtype=None, copy=None):
        return onp.asarray(shape.ravel(self.base), dtype)

    def copy(self):
        """The elements as a vector."""
        return shape.ravel(self.base)


def install():
    """Set the methods on Array."""
    for module, names in _PLAIN.items():
        for name in names:
            setattr(Array, name, getattr(module, name))
    for name, function in (('reshape', _reshape), ('transpose', _transpose), ('astype', _astype), ('flatten', _flatten),
                           ('clip', _clip), ('searchsorted', _searchsorted), ('compress', _compress), ('view', _view),
                           ('sort', _in_place('sort', sorting.sort, sorting.sort)),
                           ('partition', _in_place('partition', sorting.partition, sorting.partition)),
                           ('fill', _in_place('fill', creation.full_like,
                                              _immutable('lazy.numpy.full_like(x, value)'))),
                           ('resize', _in_place('resize', _resized, _immutable('lazy.numpy.resize(x, shape)'))),
                           ('put', _put), ('tofile', _tofile)):
        function.__name__ = name
        setattr(Array, name, function)
    Array.T = property(shape.transpose, doc='The axes in reversed order.')
    Array.mT = property(shape.matrix_transpose, doc='The last two axes exchanged.')
    Array.real = property(elementwise.real, _set_part('real'), doc='The real part.')
    Array.imag = property(elementwise.imag, _set_part('imag'), doc='The imaginary part.')
    Array.shape = Array.shape.setter(_set_shape)
    Array.strides = property(lambda self: _memory(self).strides, doc='Bytes from one element to the next on each axis.')
    Array.base = property(lambda self: None, doc='None: an array is no view of another one.')
    Array.flags = property(lambda self: _memory(self).flags, doc='What NumPy says of such an array.')
    Array.flat = property(Flat, lambda self, values: self.flat.__setitem__(slice(None), values),
                          doc='Its elements as one vector.')
