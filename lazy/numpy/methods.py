"""What the functions are as methods of Array."""
from ..array import Array
from ..ir import dtypes
from . import creation, elementwise, indexing, products, reductions, shape, sorting

_PLAIN = {reductions: ('sum', 'prod', 'max', 'min', 'mean', 'var', 'std', 'all', 'any', 'argmax', 'argmin', 'ptp',
                       'cumsum', 'cumprod', 'trace'),
          sorting: ('sort', 'argsort', 'partition', 'argpartition'),
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


def _astype(self, dtype, copy=True, device=None):
    """Converted to a dtype."""
    return creation.astype(self, dtype, copy=copy, device=device)


def _flatten(self, order='C'):
    """The elements in one axis."""
    return shape.ravel(self, order)


def _clip(self, min=None, max=None, *, a_min=None, a_max=None, out=None):
    """Elements limited to min from below and max from above."""
    return indexing.clip(self, min, max, a_min=a_min, a_max=a_max, out=out)


def _searchsorted(self, v, side='left', sorter=None):
    """Positions where v would be inserted in this sorted vector."""
    return sorting.searchsorted(self, v, side, sorter)


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


def _fill(self, value):
    """Refused: arrays are immutable."""
    raise TypeError('arrays are immutable: use lazy.numpy.full_like(x, value)')


def _flat(self):
    """The elements one by one."""
    return iter(shape.ravel(self))


def install():
    """Set the methods on Array."""
    for module, names in _PLAIN.items():
        for name in names:
            setattr(Array, name, getattr(module, name))
    for name, function in (('reshape', _reshape), ('transpose', _transpose), ('astype', _astype), ('flatten', _flatten),
                           ('clip', _clip), ('searchsorted', _searchsorted), ('compress', _compress), ('view', _view),
                           ('fill', _fill)):
        function.__name__ = name
        setattr(Array, name, function)
    Array.T = property(shape.transpose, doc='The axes in reversed order.')
    Array.mT = property(shape.matrix_transpose, doc='The last two axes exchanged.')
    Array.real = property(elementwise.real, doc='The real part.')
    Array.imag = property(elementwise.imag, doc='The imaginary part.')
    Array.flat = property(_flat)
