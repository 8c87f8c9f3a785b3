"""Pytrees: nested tuples, lists, dicts, named tuples, None and registered classes.

None is an empty node, dicts are taken in the order of their sorted keys, and everything that is not registered (see
`lazy.tree_util`) is a leaf. The functions are those of jax.tree.
"""
import dataclasses
import functools

import optree

from .trees import LEAVES, unflatten

__all__ = ['all', 'broadcast', 'flatten', 'flatten_with_path', 'leaves', 'leaves_with_path', 'map', 'map_with_path',
           'reduce', 'reduce_associative', 'static', 'structure', 'transpose', 'unflatten']

_NONE = object()

unflatten.__doc__ = """The tree of a treedef with these leaves.

    >>> import lazy
    >>> lazy.tree.unflatten(lazy.tree.structure({'a': 0, 'b': 0}), [1, 2])
    {'a': 1, 'b': 2}
    """


def flatten(tree, is_leaf=None):
    """(leaves, treedef) of a tree.

    >>> import lazy
    >>> lazy.tree.flatten({'b': 2, 'a': (1, None)})[0]
    [1, 2]
    """
    return optree.tree_flatten(tree, is_leaf=is_leaf, namespace=LEAVES)


def leaves(tree, is_leaf=None):
    """The leaves of a tree, in order.

    >>> import lazy
    >>> lazy.tree.leaves([1, (2, [3])])
    [1, 2, 3]
    """
    return optree.tree_leaves(tree, is_leaf=is_leaf, namespace=LEAVES)


def structure(tree, is_leaf=None):
    """The treedef of a tree: what is left when the leaves are taken out. Compares and hashes.

    >>> import lazy
    >>> lazy.tree.structure((1, [2])) == lazy.tree.structure((3, [4]))
    True
    """
    return optree.tree_structure(tree, is_leaf=is_leaf, namespace=LEAVES)


def map(f, tree, *rest, is_leaf=None):
    """f of the leaves, in the structure of the first tree; leaves of the first may be trees in the others.

    Raises ValueError where the structures don't fit.

    >>> import lazy
    >>> lazy.tree.map(lambda x, y: x + y, [1, (2, 3)], [10, (20, 30)])
    [11, (22, 33)]
    """
    return optree.tree_map(f, tree, *rest, is_leaf=is_leaf, namespace=LEAVES)


def reduce(function, tree, initializer=_NONE, is_leaf=None):
    """functools.reduce over the leaves.

    >>> import lazy
    >>> lazy.tree.reduce(lambda x, y: x + y, [1, (2, 3)])
    6
    """
    return functools.reduce(function, leaves(tree, is_leaf), *(() if initializer is _NONE else (initializer,)))


def reduce_associative(operation, tree, *, identity=None, is_leaf=None):
    """Reduction over the leaves by pairs, so that it depends on few steps; `identity` is the result for no leaves.

    >>> import lazy
    >>> lazy.tree.reduce_associative(lambda x, y: x + y, [1, (2, 3)])
    6
    """
    found = leaves(tree, is_leaf)
    if not found:
        if identity is None:
            raise TypeError('reduce_associative of a tree without leaves needs an identity')
        return identity
    while len(found) > 1:
        odd = found[len(found) & ~1:]
        found = [operation(a, b) for a, b in zip(found[::2], found[1::2])] + odd
    return found[0]


def all(tree, *, is_leaf=None):
    """Whether all leaves are true.

    >>> import lazy
    >>> lazy.tree.all([True, (True, False)])
    False
    """
    return not [leaf for leaf in leaves(tree, is_leaf) if not leaf]


def transpose(outer_treedef, inner_treedef, pytree_to_transpose):
    """A tree of trees, inside out. inner_treedef None: that of the first subtree.

    >>> import lazy
    >>> pairs = lazy.tree.structure((0, 0))
    >>> lazy.tree.transpose(lazy.tree.structure([0, 0]), pairs, [(1, 2), (3, 4)])
    ([1, 3], [2, 4])
    """
    if inner_treedef is None:
        inner_treedef = structure(outer_treedef.flatten_up_to(pytree_to_transpose)[0])
    return optree.tree_transpose(outer_treedef, inner_treedef, pytree_to_transpose)


def broadcast(prefix_tree, full_tree, is_leaf=None):
    """A tree of the structure of full_tree, with the leaves of prefix_tree repeated.

    >>> import lazy
    >>> lazy.tree.broadcast((0, 1), ([5, 6], 7))
    ([0, 0], 1)
    """
    counts = [len(leaves(sub, is_leaf)) for sub in structure(prefix_tree, is_leaf).flatten_up_to(full_tree)]
    repeated = [leaf for leaf, n in zip(leaves(prefix_tree, is_leaf), counts) for _ in range(n)]
    return unflatten(structure(full_tree, is_leaf), repeated)


def static(**kwargs):
    """dataclasses.field for a field that belongs to the structure of the tree, not to its leaves.

    >>> import dataclasses, lazy
    >>> @lazy.tree_util.register_dataclass
    ... @dataclasses.dataclass
    ... class Layer:
    ...     weight: float
    ...     name: str = lazy.tree.static(default='dense')
    >>> lazy.tree.map(lambda x: 2 * x, Layer(1.5))
    Layer(weight=3.0, name='dense')
    """
    return dataclasses.field(metadata={'static': True, **(kwargs.pop('metadata', None) or {})}, **kwargs)


def flatten_with_path(tree, is_leaf=None, is_leaf_takes_path=False):
    """([(path, leaf), ...], treedef); a path is a tuple of keys, see `lazy.tree_util.keystr`.

    is_leaf(node), or with is_leaf_takes_path is_leaf(path, node), says which nodes are leaves.

    >>> import lazy
    >>> lazy.tree.flatten_with_path({'a': [7]})[0]
    [((DictKey(key='a'), SequenceKey(idx=0)), 7)]
    """
    from .tree_util import keys_of
    if is_leaf is not None and is_leaf_takes_path:
        is_leaf = _of_node(is_leaf)
    accessors, values, treedef = optree.tree_flatten_with_accessor(tree, is_leaf=is_leaf, namespace=LEAVES)
    return [(keys_of(accessor), value) for accessor, value in zip(accessors, values)], treedef


def _of_node(is_leaf):
    """is_leaf(path, node) as a function of the nodes alone, which are met once each, parents before children."""
    from .tree_util import flatten_one_level_with_keys, is_tree_node
    paths = [()]

    def of_node(node):
        path = paths.pop()
        if is_leaf(path, node):
            return True
        if is_tree_node(type(node)):
            paths.extend([(*path, key) for key, _ in reversed(flatten_one_level_with_keys(node)[0])])
        return False
    return of_node


def leaves_with_path(tree, is_leaf=None, is_leaf_takes_path=False):
    """[(path, leaf), ...].

    >>> import lazy
    >>> [(lazy.tree_util.keystr(path), leaf) for path, leaf in lazy.tree.leaves_with_path((1, {'b': 2}))]
    [('[0]', 1), ("[1]['b']", 2)]
    """
    return flatten_with_path(tree, is_leaf, is_leaf_takes_path)[0]


def map_with_path(f, tree, *rest, is_leaf=None, is_leaf_takes_path=False):
    """f(path, leaf, ...) for the leaves of trees.

    >>> import lazy
    >>> lazy.tree.map_with_path(lambda path, x: lazy.tree_util.keystr(path), [1, (2,)])
    ['[0]', ('[1][0]',)]
    """
    found, treedef = flatten_with_path(tree, is_leaf, is_leaf_takes_path)
    others = [treedef.flatten_up_to(other) for other in rest]
    return unflatten(treedef, [f(path, leaf, *more) for (path, leaf), *more in zip(found, *others)])
