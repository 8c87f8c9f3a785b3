"""Pytrees: lazy.tree, lazy.tree_util, lazy.flatten_util, and registered classes under every transformation."""
import collections
import dataclasses
import functools

import numpy as onp
import pytest

import lazy
import lazy.numpy as np
from lazy import tree, tree_util

Point = collections.namedtuple('Point', 'x y')
TREE = {'b': [1, (2, None)], 'a': Point(3, {'c': 4})}


def test_flatten_and_unflatten():
    leaves, treedef = tree.flatten(TREE)
    assert leaves == [3, 4, 1, 2] and tree.unflatten(treedef, leaves) == TREE
    assert treedef == tree.structure(TREE) and hash(treedef) == hash(tree.structure(TREE)) and treedef.num_leaves == 4
    assert tree.structure([1, 2]) != tree.structure((1, 2)) and tree.leaves(None) == [] and tree.leaves({}) == []
    assert tree.leaves(TREE, is_leaf=lambda x: isinstance(x, list)) == [3, 4, [1, (2, None)]]
    with pytest.raises(ValueError):
        tree.unflatten(treedef, [1, 2])


def test_map():
    assert tree.map(lambda x: -x, TREE) == {'b': [-1, (-2, None)], 'a': Point(-3, {'c': -4})}
    assert tree.map(lambda x, y: (x, y), [1, 2], [(5,), {'k': 6}]) == [(1, (5,)), (2, {'k': 6})]
    ordered = collections.OrderedDict([('z', 1), ('y', 2)])
    assert list(tree.map(lambda x: x, ordered)) == ['z', 'y']
    with pytest.raises(ValueError):
        tree.map(lambda x, y: x, [1, 2], [1, 2, 3])
    with pytest.raises(ValueError):
        tree.map(lambda x, y: x, {'a': 1}, {'b': 1})


def test_the_rest_of_tree():
    assert tree.reduce(lambda x, y: x + y, TREE) == 10 and tree.reduce(lambda x, y: x + y, [], 5) == 5
    assert tree.reduce_associative(lambda x, y: x + y, list('abcde')) == 'abcde'
    assert tree.reduce_associative(lambda x, y: x, [], identity=0) == 0
    with pytest.raises(TypeError, match='identity'):
        tree.reduce_associative(lambda x, y: x, [])
    assert tree.all([True, {'a': 1}]) and not tree.all([0, True])
    assert tree.transpose(tree.structure([0, 0]), tree.structure(Point(0, 0)),
                          [Point(1, 2), Point(3, 4)]) == Point([1, 3], [2, 4])
    assert tree.transpose(tree.structure([0, 0]), None, [(1, 2), (3, 4)]) == ([1, 3], [2, 4])
    assert tree.broadcast((0, 1), ([5, 6], {'a': 7})) == ([0, 0], {'a': 1})


def test_static_fields():
    @tree_util.register_dataclass
    @dataclasses.dataclass
    class Layer:
        weight: float
        name: str = tree.static(default='dense', metadata={'unit': 1})
    assert tree.leaves(Layer(2.0)) == [2.0] and Layer(2.0).name == 'dense'
    assert tree.structure(Layer(2.0, 'a')) != tree.structure(Layer(2.0, 'b'))
    assert dataclasses.fields(Layer)[1].metadata == {'static': True, 'unit': 1}


def test_leaves_by_path():
    shared = [1]
    value = {'a': [shared, 2], 'b': (3, shared), 'c': Point(1, None)}
    by_path = {'is_leaf': lambda path, node: len(path) == 2 and path[0].key == 'b', 'is_leaf_takes_path': True}
    assert tree.leaves_with_path(value, **by_path)[3] == ((tree_util.DictKey('b'), tree_util.SequenceKey(1)), [1])
    assert [leaf for _, leaf in tree.flatten_with_path(value, **by_path)[0]] == [1, 2, 3, [1], 1]
    assert tree.map_with_path(lambda path, leaf: leaf, value, **by_path) == value
    assert tree.reduce(lambda x, y: x + y, [1, 2], initializer=10) == 13


def test_paths():
    found = tree.leaves_with_path(TREE)
    assert [tree_util.keystr(path) for path, _ in found] == ["['a'].x", "['a'].y['c']", "['b'][0]", "['b'][1][0]"]
    assert tree_util.keystr(found[1][0], simple=True, separator='/') == 'a/y/c'
    assert found[0][0] == (tree_util.DictKey('a'), tree_util.GetAttrKey('x'))
    assert tree_util.SequenceKey(0) != tree_util.DictKey(0) \
        and str(tree_util.FlattenedIndexKey(1)) == '[<flat index 1>]'
    assert tree.map_with_path(lambda path, x, y: (len(path), x + y), [1, (2,)], [3, (4,)]) == [(1, 4), ((2, 6),)]


class Pair:
    def __init__(self, a, b, name='pair'):
        self.a, self.b, self.name = a, b, name


tree_util.register_pytree_node(Pair, lambda p: ((p.a, p.b), p.name), lambda name, children: Pair(*children, name))


@tree_util.register_pytree_node_class
class Box:
    def __init__(self, value):
        self.value = value

    def tree_flatten(self):
        return (self.value,), None

    @classmethod
    def tree_unflatten(cls, aux, children):
        return cls(*children)


@tree_util.register_pytree_with_keys_class
class Named:
    def __init__(self, value):
        self.value = value

    def tree_flatten_with_keys(self):
        return ((tree_util.GetAttrKey('value'), self.value),), None

    @classmethod
    def tree_unflatten(cls, aux, children):
        return cls(*children)


@tree_util.register_dataclass
@dataclasses.dataclass
class Layer:
    weight: object
    bias: object
    activation: str = dataclasses.field(default='relu', metadata={'static': True})


@tree_util.register_static
@dataclasses.dataclass(frozen=True)
class Setting:
    size: int


def test_registered_classes():
    assert tree.leaves([Pair(1, 2), Box(3), Named(4), Layer(5, 6), Setting(7)]) == [1, 2, 3, 4, 5, 6]
    assert [tree_util.keystr(p) for p, _ in tree.leaves_with_path([Named(1), Layer(2, 3), Pair(4, 5)])] == \
        ['[0].value', '[1].weight', '[1].bias', '[2][<flat index 0>]', '[2][<flat index 1>]']
    assert tree.structure(Layer(1, 2)) != tree.structure(Layer(1, 2, 'gelu'))
    assert tree.map(lambda x: 2 * x, Layer(1, 2)) == Layer(2, 4)
    assert tree.structure(Setting(1)) != tree.structure(Setting(2))
    with pytest.raises(ValueError):
        tree_util.register_pytree_node(Pair, lambda p: ((), None), lambda aux, children: None)
    with pytest.raises(ValueError, match='weight'):
        tree_util.register_dataclass(dataclasses.make_dataclass('Other', ['weight', 'bias']), ['bias'], [])


def test_registered_classes_under_transformations():
    layer = Layer(np.ones((2, 3)), np.zeros(3))
    traced = []

    @lazy.jit
    def apply(layer, x):
        traced.append(layer.activation)
        return Layer(x @ layer.weight + layer.bias, x.sum(), layer.activation)
    x = np.ones((4, 2))
    out = apply(layer, x)
    apply(layer, x)
    assert isinstance(out, Layer) and out.weight.shape == (4, 3) and traced == ['relu']
    apply(Layer(layer.weight, layer.bias, 'gelu'), x)
    assert traced == ['relu', 'gelu']
    gradient = lazy.grad(lambda layer: (apply(layer, x).weight ** 2).sum())(layer)
    assert isinstance(gradient, Layer) and gradient.bias.tolist() == [16.0] * 3
    rows = lazy.vmap(lambda box: Pair(box.value * 2, box.value.sum()))(Box(x))
    assert rows.a.shape == (4, 2) and rows.b.tolist() == [2.0] * 4


def test_partial():
    f = tree_util.Partial(lambda a, b, c: a + b * c, np.array(1.0), c=np.array(3.0))
    assert len(tree.leaves(f)) == 2 and float(f(2.0)) == 7.0
    assert float(lazy.jit(lambda g, x: g(x))(f, 2.0)) == 7.0
    doubled = tree.map(lambda x: 2 * x, f)
    assert isinstance(doubled, tree_util.Partial) and float(doubled(2.0)) == 14.0
    again = tree_util.Partial(functools.partial(max, 1), 5)
    assert again(3) == 5


def test_treedefs():
    leaf, node = tree.structure(1), tree.structure((1, [2]))
    assert tree_util.treedef_is_leaf(leaf) and not tree_util.treedef_is_leaf(node)
    assert tree_util.treedef_children(node) == [tree.structure(1), tree.structure([2])]
    assert tree_util.treedef_tuple([leaf, tree.structure([2])]) == node
    assert tree_util.all_leaves([1, 'a']) and not tree_util.all_leaves([1, ()]) and tree_util.is_tree_node(tuple)
    assert list(tree_util.flatten_one_level([1, (2,)])[0]) == [1, (2,)]
    assert tree_util.flatten_one_level_with_keys({'a': [1]})[0] == ((tree_util.DictKey('a'), [1]),)
    with pytest.raises(ValueError, match='leaf'):
        tree_util.flatten_one_level(3)


def test_ravel_pytree():
    ravel = lazy.flatten_util.ravel_pytree
    params = {'w': np.arange(6., dtype='float32').reshape(2, 3), 'b': (np.ones(2, 'float64'), np.array(3, 'int32'))}
    flat, unravel = ravel(params)
    assert flat.dtype == onp.float64 and flat.tolist() == [1, 1, 3, 0, 1, 2, 3, 4, 5]
    back = unravel(flat * 2)
    assert back['w'].tolist() == [[0, 2, 4], [6, 8, 10]] and back['b'][1].dtype == onp.int32
    loss = lambda v: (unravel(v)['w'] ** 2).sum()
    assert lazy.jit(lazy.grad(loss))(flat).tolist() == [0, 0, 0, 0, 2, 4, 6, 8, 10]
    empty, unravel = ravel([])
    assert empty.shape == (0,) and unravel(empty) == []
    with pytest.raises(ValueError, match='elements'):
        unravel(np.ones(3))


def test_deep_and_wide_trees():
    wide = {f'k{i}': (i, [i]) for i in range(2000)}
    assert sum(tree.leaves(wide)) == 2 * sum(range(2000)) and tree.map(lambda x: x, wide) == wide
    deep = 1
    for _ in range(300):
        deep = (deep,)
    assert tree.leaves(deep) == [1]
