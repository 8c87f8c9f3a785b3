"""Scans with any associative function."""
from .. import trees
from ..array import as_node, wrap
from ..ir import build
from .operands import axis_number


def associative_scan(fn, elems, reverse=False, axis=0):
    """What fn makes of the first element, the first two, the first three ... along an axis, in 2 log2(n) rounds.

    fn(a, b) is associative and takes and gives trees of arrays like elems, with any number of elements along the axis,
    each for itself. reverse: from the end. Raises TypeError where fn gives another structure, ValueError for axes of
    different sizes. The order of the additions is that of Blelloch, "Prefix sums and their applications", 1990.

    >>> import lazy, lazy.numpy as np
    >>> lazy.lax.associative_scan(np.multiply, np.array([1, 2, 3, 4])).tolist()
    [1, 2, 6, 24]
    """
    if not callable(fn):
        raise TypeError('lax.associative_scan: fn argument should be callable.')
    leaves, structure = trees.flatten(elems)
    nodes = [as_node(x) for x in leaves]
    if not nodes:
        return elems
    axis = axis_number(axis, nodes[0].aval.ndim)
    sizes = {x.aval.shape[axis] if axis < x.aval.ndim else None for x in nodes}
    if len(sizes) > 1 or None in sizes:
        raise ValueError('Array inputs to associative_scan must have the same size along the axis, got shapes '
                         f'{", ".join(str(x.aval.shape) for x in nodes)} for axis {axis}')
    if reverse:
        nodes = [build.rev(x, (axis,)) for x in nodes]

    def combine(a, b):
        found, other = trees.flatten(fn(*[trees.unflatten(structure, [wrap(x) for x in part]) for part in (a, b)]))
        if other != structure:
            raise TypeError(f'associative_scan: fn gives the structure {other} for arguments of {structure}')
        return [as_node(x) for x in found]
    nodes = _scan(nodes, axis, combine)
    return trees.unflatten(structure, [wrap(build.rev(x, (axis,)) if reverse else x) for x in nodes])


def _scan(elems, axis, combine):
    """Pairs are combined and scanned, which gives the odd elements; those between need one step more."""
    n = elems[0].aval.shape[axis]
    if n < 2:
        return elems
    part = lambda xs, start, stop, step=1: [build.slice_axis(x, axis, start, stop, step) for x in xs]
    odd = _scan(combine(part(elems, 0, n - 1, 2), part(elems, 1, n, 2)), axis, combine)
    even = part(elems, 0, 1)
    if n > 2:
        rest = combine(part(odd, 0, (n - 1) // 2), part(elems, 2, n, 2))
        even = [build.concatenate([x, y], axis) for x, y in zip(even, rest)]
    return [_interleaved(x, y, axis, n) for x, y in zip(even, odd)]


def _interleaved(even, odd, axis, n):
    """x[0], y[0], x[1], y[1], ... of which the last may be of x."""
    shape = list(even.aval.shape)
    if n % 2:
        odd = build.concatenate([odd, build.slice_axis(even, axis, 0, 1)], axis)
    pairs = build.concatenate([build.expand_dims(x, (axis + 1,)) for x in (even, odd)], axis + 1)
    shape[axis] *= 2
    return build.slice_axis(build.reshape(pairs, shape), axis, 0, n)
