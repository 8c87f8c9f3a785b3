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
from .transforms import (ShapeDtypeStruct, eval_shape, grad, hessian, jacfwd, jacobian, jacrev, jvp, linear_transpose,
                         linearize, stop_gradient, value_and_grad, vjp, vmap)

__version__ = '0.1.0'
