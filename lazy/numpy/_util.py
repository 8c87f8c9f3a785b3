"""What the functions of lazy.numpy share: nodes of arguments, axes, shapes, promotion, results written into arrays."""
import functools
import operator
import sys

from numpy.exceptions import AxisError

from ..array import Array, as_node, check_integer, convert_operand, to_numpy, wrap
from ..config import config
from ..ir import build, dtypes, ops
from ..ir.graph import Node, broadcast_shapes, result_aval

__all__ = ['Array', 'AxisError', 'Node', 'array_of', 'as_node', 'axes_of', 'axis_of', 'broadcast_shapes', 'build',
           'check_integer', 'convert_operand', 'dtype_of', 'dtypes', 'fresh', 'inexact_array', 'into',
           'known_values', 'literal_like', 'node_of', 'ops', 'promoted', 'result_aval', 'scalar_of', 'shape_of',
           'static_int', 'takes_out', 'to_numpy', 'wrap']

ALL_AXES = tuple([tuple(range(n)) for n in range(65)])


def node_of(x):
    """The node of an array-like argument."""
    return x._node if type(x) is Array else as_node(x)


def array_of(x):
    """The Array of an array-like argument."""
    return x if type(x) is Array else wrap(as_node(x))


def fresh(x):
    """The Array of an argument under a name of its own, for functions that may have nothing to do to it: where arrays
    are mutable, what is written into the result must not reach the argument."""
    return wrap(node_of(x))


def dtype_of(dtype):
    """as_dtype, None being itself."""
    return None if dtype is None else dtypes.as_dtype(dtype)


def axis_of(axis, ndim):
    """`axis` in [0, ndim); AxisError outside, TypeError for what is no integer."""
    try:
        axis = operator.index(axis)
    except TypeError:
        raise TypeError(f'an axis must be an integer, not {type(axis).__name__}') from None
    if not -ndim <= axis < ndim:
        raise AxisError(axis, ndim)
    return axis + ndim if axis < 0 else axis


def axes_of(axis, ndim):
    """A sorted tuple of axes from None (all), an integer or a sequence of integers; ValueError for duplicates."""
    if axis is None:
        return ALL_AXES[ndim]
    if isinstance(axis, (tuple, list)):
        axes = tuple(sorted([axis_of(a, ndim) for a in axis]))
        if len(set(axes)) != len(axes):
            raise ValueError(f'duplicate value in axis: {axis}')
        return axes
    return (axis_of(axis, ndim),)


def static_int(value, what):
    """A Python integer from an integer-like argument that decides a shape."""
    try:
        return operator.index(value)
    except TypeError as error:
        if isinstance(value, Array):
            raise
        raise TypeError(f'{what} must be an integer, not {type(value).__name__}') from error


def shape_of(shape):
    """A tuple of sizes from an integer or a sequence of integers."""
    if isinstance(shape, (str, bytes, dict)) or shape is None:
        raise TypeError(f'shapes must be sequences of integers, not {shape!r}')
    try:
        sizes = tuple(shape)
    except TypeError:
        sizes = (shape,)
    sizes = tuple([static_int(n, 'a size') for n in sizes])
    if any(n < 0 for n in sizes):
        raise ValueError(f'negative dimensions are not allowed: {sizes}')
    return sizes


def promoted(*arrays, inexact=False):
    """Nodes of the arguments, converted to their common dtype (a float one if asked for)."""
    nodes = [node_of(x) for x in arrays]
    dtype, _ = dtypes.promote(*[(n.aval.dtype, n.aval.weak) for n in nodes])
    if inexact:
        dtype = dtypes.inexact_of(dtype)
    return [convert_operand(n, dtype) for n in nodes]


def inexact_array(x):
    """The Array of x, integers and booleans converted to the default float."""
    node = node_of(x)
    dtype = dtypes.inexact_of(node.aval.dtype)
    return wrap(build.convert(node, dtype, node.aval.weak))


def known_values(x):
    """The values of an Array that decide a shape."""
    return to_numpy(x._node, 'int')


def literal_like(node, value):
    return build.literal(value, node.aval.dtype, True)


def scalar_of(x, dtype):
    """A node of a scalar argument in `dtype`; a Python integer must fit."""
    node = node_of(x)
    return build.convert(convert_operand(node, dtype), dtype)


def takes_out(function):
    """A function with the parameter `out`: an array that is written over where arrays are mutable, and returned."""
    code = function.__code__
    place = code.co_varnames.index('out')
    if place >= code.co_argcount:                                    # by keyword only
        place = sys.maxsize

    @functools.wraps(function)
    def with_out(*args, out=None, **keywords):
        if len(args) > place:
            args, out = (*args[:place], None, *args[place + 1:]), args[place]
        result = function(*args, **keywords)
        return result if out is None else into(out, result)
    return with_out


def into(out, result, where=None):
    """The array `out`, whose elements (those where `where` is true) become the result's."""
    if isinstance(out, tuple):
        pairs = list(zip(out, result if isinstance(result, tuple) else (result,), strict=True))
        found = tuple([x if y is None else into(y, x, where) for y, x in pairs])
        return found if isinstance(result, tuple) else found[0]
    if not config.mutable_arrays or not isinstance(out, Array):
        raise TypeError('arrays are immutable: instead of f(x, out=y) write y = f(x) '
                        "(they are mutable after lazy.config.update('mutable_arrays', True); out is an array then)")
    masks = () if where is None else (build.convert(node_of(where), dtypes.bool_),)
    shape = broadcast_shapes('out', result.shape, *[m.aval.shape for m in masks])
    if broadcast_shapes('out', shape, out.shape) != out.shape:
        raise ValueError(f'non-broadcastable output operand with shape {out.shape} does not match the broadcast shape '
                         f'{shape}')
    weak = result._node.aval.weak and dtypes.is_inexact(out.dtype) >= dtypes.is_inexact(result.dtype)
    if _KINDS.index(dtypes.kind(result.dtype)) > _KINDS.index(dtypes.kind(out.dtype)) and not weak:
        raise TypeError(f'cannot cast the result from {result.dtype} to {out.dtype}, the dtype of out')
    new = build.broadcast_to(convert_operand(result._node, out.dtype), out.shape)
    for mask in masks:
        new = build.select(build.broadcast_to(mask, out.shape), new, out._node)
    out._node = new
    return out


_KINDS = 'buifc'
