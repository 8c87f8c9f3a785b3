"""A pytree as one vector, and back."""
from . import tree
from .array import as_node, wrap
from .ir import build, dtypes


def ravel_pytree(pytree):
    """(vector, unravel): all leaves one after the other in their common dtype, and the function that undoes it.

    >>> import lazy, lazy.numpy as np
    >>> flat, unravel = lazy.flatten_util.ravel_pytree({'a': np.arange(2.), 'b': np.ones((1, 2))})
    >>> flat.tolist(), unravel(flat * 2)['a'].tolist()
    ([0.0, 1.0, 1.0, 1.0], [0.0, 2.0])
    """
    leaves, treedef = tree.flatten(pytree)
    nodes = [as_node(leaf) for leaf in leaves]
    avals = [node.aval for node in nodes]
    dtype = dtypes.promote(*[(a.dtype, a.weak) for a in avals])[0] if avals else dtypes.default_float()
    parts = [build.reshape(build.convert(node, dtype), (node.aval.size,)) for node in nodes]
    flat = wrap(build.concatenate(parts, 0) if parts else build.full((0,), 0, dtype))
    total = flat.size

    def unravel(vector):
        node = as_node(vector)
        if node.aval.shape != (total,):
            raise ValueError(f'unravel needs a vector of {total} elements, got shape {node.aval.shape}')
        if node.aval.dtype != dtype:
            raise TypeError(f'unravel needs a vector of {dtype.name}, got {node.aval.dtype.name}')
        pieces, at = [], 0
        for a in avals:
            piece = build.reshape(build.slice_(node, (at,), (at + a.size,)), a.shape)
            pieces.append(wrap(build.convert(piece, a.dtype, a.weak)))
            at += a.size
        return tree.unflatten(treedef, pieces)
    return flat, unravel
