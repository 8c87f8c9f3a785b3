"""What the functions of lazy.lax do to their arguments: one dtype, axes in range, shapes of ints."""
import operator

from ..array import as_node
from ..ir import build, dtypes


def operands(name, *operands):
    """Nodes of one dtype; TypeError that names the function otherwise."""
    nodes = [as_node(x) for x in operands]
    strong = next((n.aval.dtype for n in nodes if not n.aval.weak), None)
    if strong is not None:
        nodes = [adapt(n, strong) for n in nodes]
    if any(n.aval.dtype != nodes[0].aval.dtype for n in nodes):
        raise TypeError(f'lax.{name} requires arguments to have the same dtypes, got '
                        f'{", ".join(n.aval.dtype.name for n in nodes)}. The function of that name in lazy.numpy '
                        f'promotes its arguments')
    ranks = {n.aval.ndim for n in nodes} - {0}
    if len(ranks) > 1:
        raise TypeError(f'lax.{name}: arrays must have the same number of dimensions, got shapes '
                        f'{", ".join(str(n.aval.shape) for n in nodes)}')
    return nodes


def adapt(node, dtype):
    """A weak scalar in the dtype of its companions, where it is of the same kind."""
    kinds = dtypes.kind(node.aval.dtype) + dtypes.kind(dtype)
    if node.aval.weak and node.aval.dtype != dtype and kinds in ('ii', 'iu', 'ui', 'uu', 'ff', 'cc', 'fc'):
        return build.convert(node, dtype, True)
    return node


def axis_number(axis, ndim, what='axis'):
    """A dimension number in [0, ndim)."""
    axis = operator.index(axis)
    if not -ndim <= axis < ndim:
        raise ValueError(f'{what} {axis} is out of bounds for an array of {ndim} dimensions')
    return axis % ndim


def axis_numbers(axes, ndim):
    """Several of them, all different."""
    axes = (axes,) if isinstance(axes, int) else axes
    found = tuple([axis_number(axis, ndim) for axis in axes])
    if len(set(found)) != len(found):
        raise ValueError(f'duplicate value in axes: {tuple(axes)}')
    return found


def sizes_of(shape):
    """A shape as a tuple of ints."""
    return (operator.index(shape),) if not hasattr(shape, '__iter__') else tuple([operator.index(n) for n in shape])


def named(function, name, doc):
    """The function with a name and a docstring."""
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc + '.'
    return function
