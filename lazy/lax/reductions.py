"""Reductions, scans along an axis, sorting and products."""
import enum
import operator

from .. import trees
from ..array import as_node, wrap
from ..ir import build, dtypes, ops, ordering
from . import elementwise
from .folding import combination, fold, initial
from .operands import axis_number, axis_numbers, named


def _reduction(name, op, doc):
    def function(operand, axes, *, out_sharding=None):
        x = as_node(operand)
        return wrap(build.reduce(op, x, axis_numbers(axes, x.aval.ndim)) if len(tuple(axes)) else x)
    return named(function, name, doc)


for _name, _doc in (('reduce_sum', 'Sum over axes'), ('reduce_prod', 'Product over axes'),
                    ('reduce_max', 'Maximum over axes'), ('reduce_min', 'Minimum over axes'),
                    ('reduce_and', 'Bitwise and over axes'), ('reduce_or', 'Bitwise or over axes')):
    globals()[_name] = _reduction(_name, ops.OPS[_name], _doc)


def argmax(operand, axis, index_dtype):
    """Index of the largest element along an axis, the first of several."""
    x = as_node(operand)
    return wrap(build.make(ops.argmax, (x,), (axis_number(axis, x.aval.ndim), dtypes.as_dtype(index_dtype))))


def argmin(operand, axis, index_dtype):
    """Index of the smallest element along an axis, the first of several."""
    x = as_node(operand)
    return wrap(build.make(ops.argmin, (x,), (axis_number(axis, x.aval.ndim), dtypes.as_dtype(index_dtype))))


def _cumulative(name, doc):
    op = ops.OPS[name]

    def function(operand, axis=0, reverse=False):
        x = as_node(operand)
        return wrap(build.make(op, (x,), (axis_number(axis, x.aval.ndim), bool(reverse))))
    return named(function, name, doc)


for _name, _doc in (('cumsum', 'Cumulative sum along an axis'), ('cumprod', 'Cumulative product along an axis'),
                    ('cummax', 'Cumulative maximum along an axis'), ('cummin', 'Cumulative minimum along an axis'),
                    ('cumlogsumexp', 'Cumulative logarithm of the sum of exponentials along an axis')):
    globals()[_name] = _cumulative(_name, _doc)


def reduce_xor(operand, axes):
    """Bitwise exclusive or over axes.

    >>> import lazy, lazy.numpy as np
    >>> int(lazy.lax.reduce_xor(np.array([1, 3, 8]), (0,)))
    10
    """
    return reduce(operand, _zero(operand), elementwise.bitwise_xor, axes)


def _zero(operand):
    x = as_node(operand)
    return wrap(build.literal(0, x.aval.dtype))


def reduce(operands, init_values, computation, dimensions, out_sharding=None):
    """`computation` of init_values and all elements along dimensions.

    operands: an array, or a tree of arrays of one shape with a tree of initial values. computation: an associative
    function of two elements (or trees of them); lax.add, mul, max, min, bitwise_and and bitwise_or have kernels of
    their own.

    >>> import lazy, lazy.numpy as np
    >>> float(lazy.lax.reduce(np.array([1., 2., 4.]), 1., lambda x, y: x * y, (0,)))
    8.0
    """
    kinds = {'add': 'sum', 'mul': 'prod', 'max': 'max', 'min': 'min', 'bitwise_and': 'and', 'bitwise_or': 'or'}
    name = next((n for n in kinds if getattr(elementwise, n) is computation), None)
    leaves, structure = trees.flatten(operands)
    inits, other = trees.flatten(init_values)
    if structure != other:
        raise TypeError(f'reduce: init_values has the structure {other}, operands {structure}')
    nodes = [as_node(x) for x in leaves]
    shape = nodes[0].aval.shape
    if any(x.aval.shape != shape for x in nodes):
        raise ValueError(f'reduce: operands must have one shape, got {", ".join(str(x.aval.shape) for x in nodes)}')
    axes = axis_numbers(dimensions, len(shape))
    inits = [initial(i, x) for i, x in zip(inits, nodes)]
    combine = combination(computation, structure)
    empty = any(shape[axis] == 0 for axis in axes)
    result = [build.broadcast(i, [n for axis, n in enumerate(shape) if axis not in axes], ()) for i in inits]
    if name is not None and not empty:
        result = combine(result, [build.reduce(ops.OPS[f'reduce_{kinds[name]}'], nodes[0], axes)])
    elif not empty:
        result = combine(result, fold(nodes, axes, combine))
    return trees.unflatten(structure, [wrap(x) for x in result])


# --- sorting ---------------------------------------------------------------------------------------------------------

def _along(x, order, axis):
    """x at the index array `order` along an axis, each other axis in step."""
    shape = order.aval.shape
    indices = [order if a == axis else
               build.reshape(build.iota((n,), dtypes.int32), [n if b == a else 1 for b in range(len(shape))])
               for a, n in enumerate(shape)]
    return build.gather(x, indices, range(len(shape)), 'clip')


def sort(operand, dimension=-1, is_stable=True, num_keys=1):
    """Sorted along a dimension, NaN last; of several operands the first num_keys are the keys."""
    if isinstance(operand, (tuple, list)):
        nodes = [as_node(x) for x in operand]
        axis = axis_number(dimension, nodes[0].aval.ndim, 'dimension')
        for key in range(num_keys - 1, -1, -1):                      # by the last key first: the sort is stable
            order = ordering.argsort(nodes[key], axis, dtypes.int32)
            nodes = [_along(x, order, axis) for x in nodes]
        return tuple([wrap(x) for x in nodes])
    x = as_node(operand)
    return wrap(ordering.sort(x, axis_number(dimension, x.aval.ndim, 'dimension')))


def sort_key_val(keys, values, dimension=-1, is_stable=True):
    """Keys sorted along a dimension, and values in the same order.

    >>> import lazy, lazy.numpy as np
    >>> keys, values = lazy.lax.sort_key_val(np.array([3, 1, 2]), np.array([10, 20, 30]))
    >>> values.tolist()
    [20, 30, 10]
    """
    return sort((keys, values), dimension, is_stable)


def top_k(operand, k, *, axis=-1):
    """The k largest elements along an axis in descending order, and their indices; of equal ones the first first.

    >>> import lazy, lazy.numpy as np
    >>> values, indices = lazy.lax.top_k(np.array([1, 4, 2, 4]), 3)
    >>> values.tolist(), indices.tolist()
    ([4, 4, 2], [1, 3, 2])
    """
    x, k = as_node(operand), operator.index(k)
    axis = axis_number(axis, x.aval.ndim)
    n = x.aval.shape[axis]
    if not 0 <= k <= n:
        raise ValueError(f'top_k: k must be between 0 and the size of the axis, {n}, got {k}')
    order = ordering.top(x, k, axis, dtypes.int32)
    return wrap(_along(x, order, axis)), wrap(order)


def approx_max_k(operand, k, reduction_dimension=-1, recall_target=0.95, reduction_input_size_override=-1,
                 aggregate_to_topk=True):
    """The k largest elements along an axis and their indices: exactly those, as top_k gives them."""
    return top_k(operand, k, axis=reduction_dimension)


def approx_min_k(operand, k, reduction_dimension=-1, recall_target=0.95, reduction_input_size_override=-1,
                 aggregate_to_topk=True):
    """The k smallest elements along an axis in ascending order and their indices: exactly those."""
    values, indices = top_k(elementwise.neg(operand), k, axis=reduction_dimension)
    return elementwise.neg(values), indices


# --- products --------------------------------------------------------------------------------------------------------

class Precision(enum.Enum):
    """Accepted for compatibility: float32 products are computed in float32 always."""
    DEFAULT = 0
    HIGH = 1
    HIGHEST = 2


def dot_general(lhs, rhs, dimension_numbers, precision=None, preferred_element_type=None, *, out_sharding=None):
    """Sum over contracting dimensions: ((contract_lhs, contract_rhs), (batch_lhs, batch_rhs)).

    The result has the batch dimensions first, then the rest of lhs, then the rest of rhs.
    """
    a, b = as_node(lhs), as_node(rhs)
    if a.aval.dtype != b.aval.dtype or preferred_element_type is not None:
        dtype = dtypes.promote((a.aval.dtype, a.aval.weak), (b.aval.dtype, b.aval.weak))[0] \
            if preferred_element_type is None else dtypes.as_dtype(preferred_element_type)
        a, b = build.convert(a, dtype), build.convert(b, dtype)
    (contract_a, contract_b), (batch_a, batch_b) = dimension_numbers
    contract = axis_numbers(contract_a, a.aval.ndim), axis_numbers(contract_b, b.aval.ndim)
    batch = axis_numbers(batch_a, a.aval.ndim), axis_numbers(batch_b, b.aval.ndim)
    if len(contract[0]) != len(contract[1]) or len(batch[0]) != len(batch[1]):
        raise TypeError(f'dot_general: dimension numbers {dimension_numbers} must pair the dimensions of lhs and rhs')
    return wrap(build.dot_general(a, b, contract, batch))


def dot(lhs, rhs, *, dimension_numbers=None, precision=None, preferred_element_type=None, out_sharding=None):
    """Product of vectors and matrices, or with dimension_numbers `dot_general`.

    Raises TypeError for operands of other than 1 or 2 dimensions or sizes that don't match.
    """
    if dimension_numbers is not None:
        return dot_general(lhs, rhs, dimension_numbers, precision, preferred_element_type)
    a, b = as_node(lhs), as_node(rhs)
    if not (1 <= a.aval.ndim <= 2 and 1 <= b.aval.ndim <= 2 and a.aval.shape[-1] == b.aval.shape[0]):
        raise TypeError(f'incompatible shapes for dot: got {a.aval.shape} and {b.aval.shape}')
    return dot_general(wrap(a), wrap(b), (((a.aval.ndim - 1,), (0,)), ((), ())), precision, preferred_element_type)


def batch_matmul(lhs, rhs, precision=None):
    """Matrix products over equal leading dimensions."""
    a, b = as_node(lhs), as_node(rhs)
    if a.aval.ndim != b.aval.ndim or a.aval.ndim < 2:
        raise TypeError(f'arguments to batch_matmul must be of equal dimensions, at least 2: got {a.aval.shape} and '
                        f'{b.aval.shape}')
    batch = tuple(range(a.aval.ndim - 2))
    return dot_general(wrap(a), wrap(b), (((a.aval.ndim - 1,), (a.aval.ndim - 2,)), (batch, batch)), precision)
