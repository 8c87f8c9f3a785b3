"""Reductions with any associative function, and what reductions over windows share with them."""
import functools

from .. import trees
from ..array import as_node, wrap
from ..ir import build, dtypes, ops
from ..transforms import vmap
from . import elementwise
from .operands import adapt


def initial(value, x):
    """An initial value as a scalar of the dtype of what is reduced."""
    node = as_node(value)
    if node.op is ops.literal and dtypes.is_integer(node.aval.dtype) and dtypes.is_inexact(x.aval.dtype):
        node = build.convert(node, x.aval.dtype)
    node = adapt(node, x.aval.dtype)
    if node.aval.dtype != x.aval.dtype or node.aval.shape:
        raise TypeError(f'init_value must be a scalar of the dtype of the operand {x.aval}, got {node.aval}')
    return node


def combination(computation, structure):
    """A function of two lists of nodes."""
    if computation in (elementwise.add, elementwise.mul):
        return lambda xs, ys: [build.apply(ops.add if computation is elementwise.add else ops.mul, xs[0], ys[0])]
    if computation in (elementwise.max, elementwise.min):
        return functools.partial(_extreme, ops.gt if computation is elementwise.max else ops.lt)
    each = vmap(computation)

    def combine(xs, ys):
        shape = xs[0].aval.shape
        flat = lambda nodes: trees.unflatten(structure, [wrap(build.reshape(x, (x.aval.size,))) for x in nodes])
        found, other = trees.flatten(each(flat(xs), flat(ys)))
        if other != structure:
            raise TypeError(f'computation gives the structure {other} for operands of {structure}')
        return [build.reshape(as_node(x), shape) for x in found]
    return combine


def _extreme(before, xs, ys):
    """The larger (smaller) one; the first of equal ones, so that only its derivative is taken; NaN where one is."""
    (x,), (y,) = xs, ys
    taken = build.apply(before, y, x)
    if dtypes.kind(x.aval.dtype) == 'f':
        taken = build.apply(ops.or_, taken, build.apply(ops.is_nan, y))
    return [build.select(taken, y, x)]


def fold(nodes, axes, combine):
    """All elements along `axes` combined, by pairs of neighbours: log2(n) rounds."""
    kept = [axis for axis in range(nodes[0].aval.ndim) if axis not in axes]
    shape = [nodes[0].aval.shape[axis] for axis in kept]
    n = 1
    for axis in axes:
        n *= nodes[0].aval.shape[axis]
    nodes = [build.reshape(build.transpose(x, [*axes, *kept]), (n, *shape)) for x in nodes]
    part = lambda start, stop, step: [build.slice_axis(x, 0, start, stop, step) for x in nodes]
    rest = None                                                      # what had no neighbour
    while n > 1:
        if n % 2:
            last = part(n - 1, n, 1)
            rest = last if rest is None else combine(last, rest)
        nodes, n = combine(part(0, n // 2 * 2, 2), part(1, n // 2 * 2, 2)), n // 2
    nodes = nodes if rest is None else combine(nodes, rest)
    return [build.reshape(x, shape) for x in nodes]
