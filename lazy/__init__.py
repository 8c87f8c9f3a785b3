"""Arrays that build a graph, are differentiated symbolically, and compile themselves.

    import lazy
    import lazy.numpy as np
"""
import os as _os

_root = _os.path.dirname(_os.path.dirname(_os.path.abspath(__file__)))
if _os.path.isdir(_os.path.join(_root, 'autodiff')) and _os.path.isdir(_os.path.join(_root, 'codegen')):
    __path__.append(_root)                     # in a checkout lazy.autodiff and its like stand beside lazy/

from .config import config
from . import errors
from .array import Array
from . import numpy
from . import tree
from .custom_derivatives import closure_convert, custom_gradient, custom_jvp, custom_vjp
from .explain import explain
from .formula import formula, from_sympy
from .fuse import fuse, fusion_barrier
from .jit import jit
from .transforms import (ShapeDtypeStruct, eval_shape, grad, hessian, jacfwd, jacobian, jacrev, jvp, linear_transpose,
                         linearize, stop_gradient, value_and_grad, vjp, vmap)
from .devices import (Device, default_backend, default_device, device_count, device_get, device_put, devices,
                      local_device_count, local_devices, process_count, process_index)
from .waiting import block_until_ready, get_num_threads, set_num_threads

_MODULES = ('debug', 'dtypes', 'flatten_util', 'lax', 'nn', 'ops', 'optimizers', 'random', 'scipy', 'tree_util')


def __getattr__(name):
    """Modules that are imported when first used."""
    if name in _MODULES:
        import importlib
        return importlib.import_module(f'.{name}', __name__)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__():
    return sorted({*globals(), *_MODULES})


__version__ = '0.1.0'
