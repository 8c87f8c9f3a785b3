"""Reductions over windows: pooling."""
import functools

import numpy as onp

from .. import trees
from ..array import as_node, wrap
from ..ir import build, dtypes, ops
from ..ir.windows import extent, out_size
from . import elementwise
from .convolution import padtype_to_pads
from .folding import combination, initial
from .operands import sizes_of
from .shapes import pad

DIRECT = 8                                       # up to so many elements a window is combined one by one


def reduce_window(operand, init_value, computation, window_dimensions, window_strides=None, padding='VALID',
                  base_dilation=None, window_dilation=None):
    """`computation` of init_value and all elements of a window, at every place of the window.

    operand: an array, or a tree of arrays of one shape with a tree of initial values. computation: an associative
    function of two elements (or trees of them), such as lax.add, mul, max, min. window_dimensions, window_strides,
    base_dilation (one more than the elements put between those of the operand), window_dilation (distance of a window's
    elements) and padding ('VALID', 'SAME', 'SAME_LOWER' or pairs) have an entry for every axis; what is put in is
    init_value. Of elements that are equally large, the derivative of lax.max and lax.min goes to the first.

    >>> import lazy, lazy.numpy as np
    >>> x = np.array([[1., 5., 2., 0.], [3., 4., 8., 7.]])
    >>> lazy.lax.reduce_window(x, -np.inf, lazy.lax.max, (2, 2), (2, 2)).tolist()
    [[5.0, 8.0]]
    """
    leaves, structure = trees.flatten(operand)
    inits, other = trees.flatten(init_value)
    if structure != other:
        raise TypeError(f'reduce_window: init_value has the structure {other}, operand {structure}')
    nodes = [as_node(x) for x in leaves]
    inits = [initial(i, x) for i, x in zip(inits, nodes)]
    shape, count = nodes[0].aval.shape, nodes[0].aval.ndim
    if any(x.aval.shape != shape for x in nodes):
        raise ValueError('reduce_window: operands must have one shape, got '
                         f'{", ".join(str(x.aval.shape) for x in nodes)}')
    window, strides, spread, dilation = _per_axis(count, window_dimensions, window_strides, base_dilation,
                                                  window_dilation)
    sizes = [extent(n, s) for n, s in zip(shape, spread)]
    if isinstance(padding, str):
        padding = padtype_to_pads(sizes, [extent(k, d) for k, d in zip(window, dilation)], strides, padding)
    amounts = [(a, b, s - 1) for (a, b), s in zip(padding, spread)]
    if len(amounts) != count:
        raise ValueError(f'reduce_window: {len(amounts)} entries of padding for {count} dimensions')
    combine = combination(computation, structure)
    nodes = [pad(wrap(x), wrap(i), amounts)._node for x, i in zip(nodes, inits)]
    for axis in reversed(range(count)):
        nodes = _along(nodes, axis, window[axis], strides[axis], dilation[axis], combine)
    if not _is_identity(computation, inits):
        nodes = combine([build.broadcast_to(i, x.aval.shape) for i, x in zip(inits, nodes)], nodes)
    return trees.unflatten(structure, [wrap(x) for x in nodes])


def _per_axis(count, window, *others):
    found = [sizes_of(window)] + [(1,) * count if v is None else sizes_of(v) for v in others]
    if any(len(v) != count or any(n < 1 for n in v) for v in found):
        raise ValueError('reduce_window: window_dimensions, window_strides, base_dilation and window_dilation must '
                         f'have a positive entry for each of the {count} dimensions, got {(window, *others)}')
    return found


def _is_identity(computation, inits):
    """Whether an initial value, known as a number, changes nothing."""
    if len(inits) != 1 or inits[0].op is not ops.literal:
        return False
    value, dtype = inits[0].params[0], inits[0].aval.dtype
    kind = dtypes.kind(dtype)
    if computation is elementwise.add or computation is elementwise.mul:
        return value == (1 if computation is elementwise.mul else 0)
    if computation not in (elementwise.max, elementwise.min) or kind == 'c':
        return False
    return value == (dtypes.highest(dtype) if computation is elementwise.min else dtypes.lowest(dtype))


def _along(nodes, axis, window, stride, dilation, combine):
    """Windows along one axis; long ones are made of two of half the length."""
    n = nodes[0].aval.shape[axis]
    places = out_size(n, window, stride, dilation)
    if window == 1 and stride == 1:
        return nodes
    if not places:
        return [build.slice_axis(x, axis, 0, 0) for x in nodes]

    def shifted(xs, by):
        return [build.slice_axis(x, axis, by, by + (places - 1) * stride + 1, stride) for x in xs]
    if window <= DIRECT:
        return functools.reduce(combine, [shifted(nodes, q * dilation) for q in range(window)])
    half = window // 2
    halves = _along(nodes, axis, half, 1, dilation, combine)
    found = combine(shifted(halves, 0), shifted(halves, half * dilation))
    return combine(found, shifted(nodes, (window - 1) * dilation)) if window % 2 else found


def reduce_window_shape_tuple(operand_shape, window_dimensions, window_strides, padding, base_dilation=None,
                              window_dilation=None):
    """Shape of the result of reduce_window; padding in pairs.

    >>> import lazy
    >>> lazy.lax.reduce_window_shape_tuple((8, 9), (2, 3), (2, 2), [(0, 0), (1, 1)])
    (4, 5)
    """
    window, strides, spread, dilation = _per_axis(len(operand_shape), window_dimensions, window_strides, base_dilation,
                                                  window_dilation)
    sizes = [extent(n, s) + a + b for n, s, (a, b) in zip(operand_shape, spread, padding)]
    return tuple([out_size(*each) for each in zip(sizes, window, strides, dilation)])
