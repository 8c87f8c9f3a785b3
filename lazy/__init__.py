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
from .jit import jit
from .jacobians import hessian, jacfwd, jacobian, jacrev
from .transforms import (ShapeDtypeStruct, eval_shape, grad, jvp, linear_transpose, linearize, stop_gradient,
                         value_and_grad, vjp, vmap)
from .waiting import block_until_ready, get_num_threads, set_num_threads

# What is imported when first used, so that `import lazy` stays quick: modules, and names of other modules.
_MODULES = ('debug', 'dlpack', 'dtypes', 'flatten_util', 'image', 'lax', 'nn', 'ops', 'optimizers', 'random', 'scipy',
            'test_util', 'tree_util', 'typing')
_NAMES = {'custom_derivatives': ('closure_convert', 'custom_gradient', 'custom_jvp', 'custom_vjp'),
          'hardware': ('Device', 'devices', 'default_backend', 'default_device', 'device_count', 'device_get',
                       'device_put', 'local_device_count', 'local_devices', 'process_count', 'process_index'),
          'formulas': ('formula', 'from_sympy'), 'fusion': ('fuse', 'fusion_barrier'), 'reports': ('explain',)}
_HOME = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name):
    """What is imported when first used."""
    import importlib
    if name in _MODULES:
        return importlib.import_module(f'.{name}', __name__)
    if name in _HOME:
        value = getattr(importlib.import_module(f'.{_HOME[name]}', __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__():
    """All names, also of what is not imported yet."""
    return sorted({*globals(), *_MODULES, *_HOME})


__version__ = '0.1.0'
