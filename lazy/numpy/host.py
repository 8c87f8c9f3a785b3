"""What NumPy does on the host: text files, numbers as text, questions about memory and types, floating-point warnings.

Arrays are forced and handed over as NumPy's; arrays among the results come back as this library's.
"""
import functools

import numpy as onp

from ..array import Array
from ._util import array_of, build, dtypes, into, node_of, wrap
from .creation import asarray


def to_host(value):
    """An argument for NumPy: arrays as NumPy's, also within lists, tuples and dicts."""
    if isinstance(value, Array):
        return onp.asarray(value)
    if type(value) in (list, tuple):
        return type(value)(map(to_host, value))
    if type(value) is dict:
        return {key: to_host(item) for key, item in value.items()}
    return value


def from_host(value):
    """A result of NumPy: arrays of numbers as this library's."""
    if isinstance(value, onp.ndarray) and value.dtype.kind in 'biufc':
        return asarray(value)
    return type(value)(map(from_host, value)) if type(value) in (list, tuple) else value


def on_host(function):
    """A function of NumPy, for arrays of this library."""
    @functools.wraps(function)
    def hosted(*args, **keywords):
        return from_host(function(*map(to_host, args), **to_host(keywords)))
    hosted.__module__ = 'lazy.numpy'
    hosted.__doc__ = f'As numpy.{function.__name__}, computed by NumPy from the values of arrays.'
    return hosted


for _name in '''array2string base_repr binary_repr format_float_positional format_float_scientific fromregex genfromtxt
        loadtxt may_share_memory min_scalar_type ndenumerate nditer real_if_close savetxt savez_compressed
        shares_memory'''.split():
    globals()[_name] = on_host(getattr(onp, _name))

errstate, geterr, seterr, exceptions, testing = onp.errstate, onp.geterr, onp.seterr, onp.exceptions, onp.testing
mintypecode, ndindex, show_config = onp.mintypecode, onp.ndindex, onp.show_config
typecodes, typename = onp.typecodes, onp.typename


def asanyarray(a, dtype=None, order=None, *, like=None, device=None, copy=None):
    """As `asarray`: there are no subclasses of arrays."""
    return asarray(a, dtype, order, copy=copy, device=device)


def ascontiguousarray(a, dtype=None, *, like=None):
    """As `asarray`, of at least one dimension; an array's order in memory is the library's affair.

    >>> import lazy.numpy as np
    >>> np.ascontiguousarray(3.0).shape
    (1,)
    """
    from .shape import atleast_1d
    return atleast_1d(asarray(a, dtype))


def asfortranarray(a, dtype=None, *, like=None):
    """As `ascontiguousarray`."""
    return ascontiguousarray(a, dtype)


def require(a, dtype=None, requirements=None, *, like=None):
    """As `asarray`: whatever is required of memory holds for the array that NumPy is given."""
    return asarray(a, dtype)


def asarray_chkfinite(a, dtype=None, order=None):
    """As `asarray`; ValueError where an element is infinite or NaN. Forces the array.

    >>> import lazy.numpy as np
    >>> np.asarray_chkfinite([1, 2]).tolist()
    [1, 2]
    """
    from .elementwise import isfinite
    x = asarray(a, dtype, order)
    if not isfinite(x).all():
        raise ValueError('array must not contain infs or NaNs')
    return x


def common_type(*arrays):
    """The floating or complex type in which all arrays are safely computed; for integers float64.

    >>> import lazy.numpy as np
    >>> np.common_type(np.ones(2, np.float32), np.ones(2, np.complex64)).__name__
    'complex64'
    """
    return onp.common_type(*[onp.empty(0, array_of(x).dtype) for x in arrays])


def row_stack(tup, *, dtype=None, casting=None):
    """As `vstack`."""
    from .joining import vstack
    return vstack(tup, dtype=dtype)


def copyto(dst, src, casting='same_kind', where=None):
    """Write values into an array, everywhere or where a mask is true; for arrays that are mutable.

    Raises TypeError where they aren't, or where src has a dtype of a higher kind, ValueError where shapes don't
    broadcast.
    """
    x = array_of(src)
    if casting == 'unsafe' and isinstance(dst, Array):
        x = x.astype(dst.dtype)
    extra = x.ndim - getattr(dst, 'ndim', 0)
    if extra > 0 and x.shape[:extra] == (1,) * extra:
        x = x.reshape(x.shape[extra:])
    into(dst, x, where)


def putmask(a, mask, values):
    """Write values, repeated over the whole array, into an array where a mask is true; for arrays that are mutable."""
    from .shape import ravel, resize
    x = array_of(a)
    values = resize(ravel(values), (x.size,)).reshape(x.shape).astype(x.dtype)
    into(a, wrap(build.select(build.convert(node_of(mask), dtypes.bool_), values._node, x._node)))
