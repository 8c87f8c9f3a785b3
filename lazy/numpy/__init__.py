"""NumPy's functions on lazy arrays, with the signatures of jax.numpy.

A function builds a node or a few and returns at once; values are computed when they are asked for. Only where the
shape of a result depends on values (`nonzero`, `unique`, boolean masks, ...) are they forced, and the function says so.
"""
import builtins as _builtins
import math as _math

import numpy as _numpy

from ..array import Array
from . import (creation, elementwise, functional, indexing, joining, methods, products, reductions, shape as _shape,
               sorting, types)
from .creation import *
from .elementwise import *
from .floats import *
from .functional import *                           # also gives functions their methods, as in add.reduce
from .indexing import *
from .joining import *
from .products import *
from .reductions import *
from .shape import *
from .sorting import *
from .standard import __array_api_version__, __array_namespace_info__
from .types import *
from .types import ScalarType as _ScalarType

ndarray = Array
pi, e, inf, nan, euler_gamma, newaxis = _math.pi, _math.e, _math.inf, _math.nan, _numpy.euler_gamma, None
False_, True_ = _numpy.False_, _numpy.True_
ComplexWarning = _numpy.exceptions.ComplexWarning
get_printoptions, set_printoptions, printoptions = _numpy.get_printoptions, _numpy.set_printoptions, _numpy.printoptions
iterable = _numpy.iterable


def array_repr(arr, max_line_width=None, precision=None, suppress_small=None):
    """The array as `repr` shows it; None: as `set_printoptions` says."""
    with _printed(max_line_width, precision, suppress_small):
        return repr(asarray(arr))


def array_str(a, max_line_width=None, precision=None, suppress_small=None):
    """The array as `str` shows it; None: as `set_printoptions` says."""
    with _printed(max_line_width, precision, suppress_small):
        return str(asarray(a))


def _printed(linewidth, precision, suppress):
    """A context in which arrays are printed so."""
    options = {'linewidth': linewidth, 'precision': precision, 'suppress': suppress}
    return printoptions(**{name: value for name, value in options.items() if value is not None})


def save(file, arr, allow_pickle=True):
    """Write an array's values in NumPy's .npy format."""
    _numpy.save(file, _numpy.asarray(arr), allow_pickle)


def savez(file, *args, allow_pickle=True, **kwds):
    """Write the values of several arrays in NumPy's .npz format."""
    values = {k: _numpy.asarray(v) for k, v in kwds.items()}
    _numpy.savez(file, *[_numpy.asarray(a) for a in args], allow_pickle=allow_pickle, **values)


methods.install()

# Imported when first used, so that importing the package stays quick: submodules, and what these modules define.
_SUBMODULES = ('fft', 'lib', 'linalg', 'random')
_LATER = {
    'grids': '''meshgrid indices fromfunction mgrid ogrid r_ c_ s_ index_exp ix_ bartlett blackman hamming
        hanning kaiser tril_indices triu_indices tril_indices_from triu_indices_from diag_indices
        diag_indices_from mask_indices''',
    'host': '''array2string asanyarray asarray_chkfinite ascontiguousarray asfortranarray base_repr binary_repr common_type
        copyto errstate exceptions format_float_positional format_float_scientific fromregex genfromtxt geterr loadtxt
        may_share_memory min_scalar_type mintypecode ndenumerate ndindex nditer putmask real_if_close require row_stack savetxt
        savez_compressed seterr shares_memory show_config testing typecodes typename''',
    'polynomial': '''poly polyadd polyder polydiv polyfit polyint polymul polysub polyval roots''',
    'statistics': '''bincount histogram histogram_bin_edges histogram2d histogramdd cov corrcoef interp gradient
        packbits unpackbits''',
}
_HOME = {name: module for module, names in _LATER.items() for name in names.split()}


def __getattr__(name):
    """What is imported when first used."""
    import importlib
    if name in _SUBMODULES or name in _LATER:
        return importlib.import_module(f'.{name}', __name__)
    if name in _HOME:
        value = getattr(importlib.import_module(f'.{_HOME[name]}', __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__():
    """All names, also of what is not imported yet."""
    return sorted({*globals(), *_SUBMODULES, *_HOME})
