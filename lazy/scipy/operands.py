"""What the special functions do to their arguments: arrays of one real floating dtype."""
from ..array import as_node, wrap
from ..ir import build, dtypes


def args(name, *values):
    """Arrays of one real floating dtype; TypeError for complex numbers."""
    nodes = [as_node(x) for x in values]
    dtype, _ = dtypes.promote(*[(n.aval.dtype, n.aval.weak) for n in nodes])
    dtype = dtypes.inexact_of(dtype)
    if dtypes.kind(dtype) == 'c':
        raise TypeError(f'{name} is not for complex numbers, got {", ".join(map(repr, [n.aval for n in nodes]))}')
    return [wrap(build.convert(n, dtype, n.aval.weak)) for n in nodes]


def apply(op, *arrays):
    """An elementwise operation on Arrays of one dtype."""
    return wrap(build.apply(op, *[x._node for x in arrays]))


def select(condition, x, y):
    """where() of an Array, and Arrays or Python numbers of which at least one is an Array."""
    of = x if hasattr(x, '_node') else y
    x, y = (v._node if hasattr(v, '_node') else build.scalar_like(of._node, v) for v in (x, y))
    return wrap(build.select(condition._node, x, y))


def like(x, value):
    """A number in the dtype of an Array."""
    return wrap(build.scalar_like(x._node, value))


def elementwise(name, op, doc):
    """The public function of an operation on one array."""
    def function(x):
        return apply(op, *args(name, x))
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function
