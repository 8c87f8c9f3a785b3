"""Pytrees: registering classes, paths, and the functions of lazy.tree under JAX's older names."""
import dataclasses
import functools
from collections.abc import Hashable

import optree

from . import tree as _tree, trees as _trees
from .tree import (all as tree_all, broadcast as tree_broadcast, flatten as tree_flatten,                 # noqa: F401
                   flatten_with_path as tree_flatten_with_path, leaves as tree_leaves,
                   leaves_with_path as tree_leaves_with_path, map as tree_map, map_with_path as tree_map_with_path,
                   reduce as tree_reduce, reduce_associative as tree_reduce_associative, structure as tree_structure,
                   transpose as tree_transpose, unflatten as tree_unflatten)

PyTreeDef = optree.PyTreeDef
KeyEntry = Hashable
KeyPath = tuple


# --- paths --------------------------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class SequenceKey:
    """Place in a tuple or list."""
    idx: int

    def __str__(self):
        return f'[{self.idx!r}]'


@dataclasses.dataclass(frozen=True)
class DictKey:
    """Key of a dict."""
    key: Hashable

    def __str__(self):
        return f'[{self.key!r}]'


@dataclasses.dataclass(frozen=True)
class GetAttrKey:
    """Attribute of a named tuple or a registered class."""
    name: str

    def __str__(self):
        return f'.{self.name}'


@dataclasses.dataclass(frozen=True)
class FlattenedIndexKey:
    """Number of a child of a class that was registered without names."""
    key: int

    def __str__(self):
        return f'[<flat index {self.key}>]'


_KEYS = (SequenceKey, DictKey, GetAttrKey, FlattenedIndexKey)


def keys_of(accessor):
    """A path of optree's as a tuple of keys."""
    return tuple([_key(entry) for entry in accessor])


def _key(entry):
    if isinstance(entry.entry, _KEYS):
        return entry.entry
    if isinstance(entry, (optree.NamedTupleEntry, optree.StructSequenceEntry)):
        return GetAttrKey(entry.field)
    if isinstance(entry, (optree.GetAttrEntry, optree.DataclassEntry)):
        return GetAttrKey(entry.entry)
    if isinstance(entry, optree.MappingEntry):
        return DictKey(entry.entry)
    return SequenceKey(entry.entry) if isinstance(entry, optree.SequenceEntry) else FlattenedIndexKey(entry.entry)


def keystr(keys, *, simple=False, separator=''):
    """A path as text: as one would write it in Python, or the bare keys with a separator.

    >>> import lazy
    >>> path = lazy.tree.leaves_with_path({'layer': [1]})[0][0]
    >>> lazy.tree_util.keystr(path), lazy.tree_util.keystr(path, simple=True, separator='/')
    ("['layer'][0]", 'layer/0')
    """
    if not simple:
        return separator.join(str(k) if isinstance(k, _KEYS) else f'[{k!r}]' for k in keys)
    return separator.join(str(*vars(k).values()) if isinstance(k, _KEYS) else str(k) for k in keys)


# --- registering --------------------------------------------------------------------------------------------------

def register_pytree_node(nodetype, flatten_func, unflatten_func, flatten_with_keys_func=None):
    """Make a class a node of pytrees.

    flatten_func(x) gives (children, aux), aux hashable; unflatten_func(aux, children) gives x back.

    >>> import lazy
    >>> class Pair:
    ...     def __init__(self, a, b):
    ...         self.a, self.b = a, b
    >>> lazy.tree_util.register_pytree_node(Pair, lambda p: ((p.a, p.b), None), lambda _, c: Pair(*c))
    >>> lazy.tree.leaves([Pair(1, 2), 3])
    [1, 2, 3]
    """
    if flatten_with_keys_func is not None:
        return register_pytree_with_keys(nodetype, flatten_with_keys_func, unflatten_func)
    _trees.register(nodetype, lambda x: (*_pair(flatten_func(x), nodetype), None), unflatten_func)


def _pair(flattened, nodetype):
    children, aux = flattened
    return tuple(children), aux


def register_pytree_with_keys(nodetype, flatten_with_keys, unflatten_func, flatten_func=None):
    """As register_pytree_node; flatten_with_keys(x) gives (((key, child), ...), aux)."""
    def flatten(x):
        pairs, aux = flatten_with_keys(x)
        pairs = tuple(pairs)
        return tuple([child for _, child in pairs]), aux, tuple([key for key, _ in pairs])
    _trees.register(nodetype, flatten, unflatten_func)


def register_pytree_node_class(cls):
    """Decorator for a class with tree_flatten() and a class method tree_unflatten(aux, children)."""
    register_pytree_node(cls, lambda x: x.tree_flatten(), lambda aux, children: cls.tree_unflatten(aux, children))
    return cls


def register_pytree_with_keys_class(cls):
    """Decorator for a class with tree_flatten_with_keys() and a class method tree_unflatten(aux, children)."""
    register_pytree_with_keys(cls, lambda x: x.tree_flatten_with_keys(),
                              lambda aux, children: cls.tree_unflatten(aux, children))
    return cls


def register_dataclass(nodetype, data_fields=None, meta_fields=None, drop_fields=()):
    """Make a dataclass a node: data fields are children, meta fields belong to the structure (hashable).

    Without lists, fields with metadata={'static': True} are meta fields and the others data.

    >>> import dataclasses, lazy
    >>> @lazy.tree_util.register_dataclass
    ... @dataclasses.dataclass
    ... class Layer:
    ...     weight: float
    ...     name: str = dataclasses.field(metadata={'static': True})
    >>> lazy.tree.map(lambda x: 2 * x, Layer(1.5, 'first'))
    Layer(weight=3.0, name='first')
    """
    if data_fields is None or meta_fields is None:
        if not dataclasses.is_dataclass(nodetype):
            raise TypeError('register_dataclass: data_fields and meta_fields are required when nodetype is not a '
                            f'dataclass, got {nodetype}')
        fields = [f for f in dataclasses.fields(nodetype) if f.init and f.name not in drop_fields]
        meta_fields = [f.name for f in fields if f.metadata.get('static', False)]
        data_fields = [f.name for f in fields if f.name not in meta_fields]
    elif dataclasses.is_dataclass(nodetype):
        expected = {f.name for f in dataclasses.fields(nodetype) if f.init} - set(drop_fields)
        if expected != set(data_fields) | set(meta_fields):
            raise ValueError('data_fields and meta_fields must include all dataclass fields with init=True and only '
                             'them: missing or unexpected are '
                             f'{sorted(expected ^ (set(data_fields) | set(meta_fields)))}')
    data_fields, meta_fields = tuple(data_fields), tuple(meta_fields)
    keys = tuple([GetAttrKey(name) for name in data_fields])

    def flatten(x):
        return (tuple([getattr(x, name) for name in data_fields]),
                tuple([getattr(x, name) for name in meta_fields]), keys)

    def unflatten(meta, data):
        return nodetype(**dict(zip(meta_fields, meta)), **dict(zip(data_fields, data)))
    _trees.register(nodetype, flatten, unflatten)
    return nodetype


def register_static(cls):
    """Make a class a node without children: its instances, hashable, belong to the structure."""
    _trees.register(cls, lambda x: ((), x, ()), lambda x, _: x)
    return cls


class Partial(functools.partial):
    """functools.partial as a node: its arguments are children, the function belongs to the structure.

    >>> import lazy
    >>> add = lazy.tree_util.Partial(lambda x, y: x + y, 2)
    >>> lazy.tree.leaves(add), add(3)
    ([2], 5)
    """

    def __new__(klass, func, *args, **kw):
        if isinstance(func, functools.partial) and not isinstance(func, Partial):
            return super().__new__(klass, func.func, *func.args, *args, **{**func.keywords, **kw})
        return super().__new__(klass, func, *args, **kw)


def _make_partial(func, children):
    args, keywords = children
    return Partial(func, *args, **keywords)


_trees.register(Partial, lambda p: ((p.args, p.keywords), p.func, ('args', 'keywords')), _make_partial)


# --- looking at structures ------------------------------------------------------------------------------------------

def all_leaves(iterable, is_leaf=None):
    """Whether none of the values is a node.

    >>> import lazy
    >>> lazy.tree_util.all_leaves([1, 'x']), lazy.tree_util.all_leaves([1, (2,)])
    (True, False)
    """
    return all(treedef_is_leaf(tree_structure(x, is_leaf)) for x in iterable)


def is_tree_node(typ):
    """Whether values of a type are nodes: containers, None, named tuples and what is registered."""
    return (optree.register_pytree_node.get(typ, namespace=_trees.LEAVES) is not None
            or optree.is_namedtuple_class(typ) or optree.is_structseq_class(typ))


def treedef_is_leaf(treedef):
    """Whether a structure is a single leaf."""
    return treedef.num_nodes == 1 and treedef.num_leaves == 1


def treedef_children(treedef):
    """Structures of the children of the root."""
    return treedef.children()


def treedef_tuple(treedefs):
    """The structure of a tuple of trees with these structures."""
    return optree.treespec_tuple(treedefs, namespace=_trees.LEAVES)


def flatten_one_level(tree):
    """(children, aux) of the root; ValueError for a leaf."""
    if not is_tree_node(type(tree)):
        raise ValueError(f"can't flatten a leaf: {type(tree).__name__}")
    children, aux, *_ = optree.tree_flatten_one_level(tree, namespace=_trees.LEAVES)
    return children, aux


def flatten_one_level_with_keys(tree):
    """(((key, child), ...), aux) of the root; ValueError for a leaf."""
    children, aux = flatten_one_level(tree)
    paths, _ = _tree.flatten_with_path(tree, lambda x: x is not tree)
    return tuple([(path[0], child) for (path, _), child in zip(paths, children)]), aux


class _Registry:
    """The registry: functions of this module as methods."""
    flatten = staticmethod(tree_flatten)
    flatten_one_level = staticmethod(flatten_one_level)
    register_node = staticmethod(register_pytree_node)
    register_dataclass_node = staticmethod(register_dataclass)


default_registry = _Registry()
