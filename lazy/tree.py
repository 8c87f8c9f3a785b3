"""Pytrees: nested tuples, lists, dicts, named tuples, None and registered classes, through optree.

None is an empty node, as in JAX. Tuples, lists and dicts of arrays are what most functions take.
"""
import optree

__all__ = ['all', 'broadcast', 'flatten', 'leaves', 'map', 'reduce', 'structure', 'transpose', 'unflatten',
           'flatten_with_path', 'leaves_with_path', 'map_with_path']

NAMESPACE = ''


def flatten(tree, is_leaf=None):
    """(leaves, treedef) of a tree.

    >>> import lazy
    >>> lazy.tree.flatten({'b': 2, 'a': (1, None)})[0]
    [1, 2]
    """
    leaves, treedef = optree.tree_flatten(tree, is_leaf=is_leaf, none_is_leaf=False, namespace=NAMESPACE)
    return leaves, treedef


def unflatten(treedef, leaves):
    """The tree of a treedef with these leaves."""
    return optree.tree_unflatten(treedef, leaves)


def leaves(tree, is_leaf=None):
    """The leaves of a tree, in order."""
    return optree.tree_leaves(tree, is_leaf=is_leaf)


def structure(tree, is_leaf=None):
    """The treedef of a tree."""
    return optree.tree_structure(tree, is_leaf=is_leaf)


def map(f, tree, *rest, is_leaf=None):
    """Apply f to the leaves of trees of the same structure.

    >>> import lazy
    >>> lazy.tree.map(lambda x, y: x + y, [1, (2, 3)], [10, (20, 30)])
    [11, (22, 33)]
    """
    return optree.tree_map(f, tree, *rest, is_leaf=is_leaf)


def reduce(function, tree, *initial, is_leaf=None):
    """functools.reduce over the leaves."""
    return optree.tree_reduce(function, tree, *initial, is_leaf=is_leaf)


def all(tree, *, is_leaf=None):
    """Whether all leaves are true."""
    return optree.tree_all(tree, is_leaf=is_leaf)


def transpose(outer_treedef, inner_treedef, tree):
    """A tree of trees, inside out."""
    return optree.tree_transpose(outer_treedef, inner_treedef, tree)


def broadcast(prefix_tree, full_tree, is_leaf=None):
    """A tree of the structure of full_tree, with the leaves of prefix_tree repeated."""
    return optree.tree_broadcast_prefix(prefix_tree, full_tree, is_leaf=is_leaf)


def flatten_with_path(tree, is_leaf=None):
    """([(path, leaf), ...], treedef)."""
    paths, values, treedef = optree.tree_flatten_with_path(tree, is_leaf=is_leaf)
    return list(zip(paths, values)), treedef


def leaves_with_path(tree, is_leaf=None):
    return flatten_with_path(tree, is_leaf)[0]


def map_with_path(f, tree, *rest, is_leaf=None):
    return optree.tree_map_with_path(f, tree, *rest, is_leaf=is_leaf)
