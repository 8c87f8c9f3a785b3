"""Pytrees as transformations see them: a PRNG key array is a node, its words are the leaf.

`lazy.tree` is what users call; there a key array is a leaf, as any other array. Classes are registered with optree
in the two namespaces NODES and LEAVES, so that optree's own global registry stays as it is.
"""
import optree

NODES = 'lazy'                     # transformations: key arrays are nodes
LEAVES = 'lazy.tree'               # users: key arrays are leaves


def register(nodetype, flatten, unflatten, namespaces=(NODES, LEAVES)):
    """Register a class: flatten(x) gives (children, aux) or (children, aux, entries), unflatten(aux, children) x."""
    for namespace in namespaces:
        optree.register_pytree_node(nodetype, flatten, unflatten, namespace=namespace)


def flatten(tree, is_leaf=None):
    """(leaves, treedef) of a tree."""
    return optree.tree_flatten(tree, is_leaf=is_leaf, namespace=NODES)


def unflatten(treedef, leaves):
    """The tree of a treedef with these leaves."""
    return optree.tree_unflatten(treedef, leaves)


def leaves(tree, is_leaf=None):
    """The leaves of a tree, in order."""
    return optree.tree_leaves(tree, is_leaf=is_leaf, namespace=NODES)


def structure(tree, is_leaf=None):
    """The treedef of a tree."""
    return optree.tree_structure(tree, is_leaf=is_leaf, namespace=NODES)


def map(f, tree, *rest, is_leaf=None):
    """f of the leaves of trees of one structure."""
    return optree.tree_map(f, tree, *rest, is_leaf=is_leaf, namespace=NODES)
