"""Nodes with a body: their derivatives are nodes of the same kind."""
import numpy as np
import pytest

import lazy
from lazy import array as arrays
from lazy.array import as_node, wrap
from lazy.autodiff.calls import make_call
from lazy.ir import build, ops
from lazy.ir.graph import ancestors, next_serial

X = np.array([0.5, -1.2, 2.0])


def sin(x): return arrays.unary(ops.sin, x, 'inexact')


def called(f, kind='checkpoint'):
    """f as a call of a body."""
    def g(*args):
        nodes = [as_node(x) for x in args]
        after = next_serial()
        variables = [build.variable(n.aval) for n in nodes]
        found = f(*[wrap(v) for v in variables])
        found = found if isinstance(found, tuple) else (found,)
        results = make_call([r._node for r in found], variables, nodes, kind, (), after)
        return wrap(results[0]) if len(found) == 1 else tuple([wrap(r) for r in results])
    return g


def body(x, y):
    return sin(x) * y + x, (x * y).sum()


def joined(f):
    def total(x, y):
        p, q = f(x, y)
        return (p * p).sum() * q
    return total


@pytest.mark.parametrize('kind', ['fuse', 'checkpoint'])
def test_derivatives_and_batches_of_calls(kind):
    plain, wrapped = joined(body), joined(called(body, kind))
    y = X[::-1].copy()
    transforms = [lambda f: f, lambda f: lazy.grad(f), lambda f: lazy.grad(f, 1), lambda f: lazy.hessian(f, 1),
                  lambda f: lazy.jacfwd(f), lambda f: lazy.jacrev(lazy.jacfwd(f)),
                  lambda f: lazy.grad(lambda x, y: lazy.grad(f)(x, y).sum()), lambda f: lazy.jit(lazy.grad(f)),
                  lambda f: lambda x, y: lazy.vmap(f, (0, None))(np.stack([x, y]), y),
                  lambda f: lambda x, y: lazy.vmap(lazy.grad(f, 1), (0, None))(np.stack([x, y]), y),
                  lambda f: lazy.grad(lambda x, y: lazy.vmap(f,
                                                             (None, 0))(x, lazy.numpy.asarray(np.stack([X, X]))).sum())]
    for transform in transforms:
        np.testing.assert_allclose(np.asarray(transform(wrapped)(X, y)), np.asarray(transform(plain)(X, y)), rtol=1e-10)


def kinds_of(node):
    return [n.params[1] for n in ancestors([node]) if n.op is ops.call]


def test_the_derivative_of_a_call_is_a_call():
    x = lazy.numpy.asarray(X)
    g = lazy.grad(lambda x: called(lambda x: sin(x) * x, 'fuse')(x).sum())(x)
    calls = [n for n in ancestors([g._node]) if n.op is ops.call]
    assert len(calls) == 1 and calls[0].params[1] == 'fuse'      # the transposed one; the primal's value isn't needed
    inside = {n.op.name for n in calls[0].params[0].nodes()}
    assert 'cos' in inside and 'sin' in inside                   # recomputed
    assert [n.op.name for n in ancestors([g._node]) if n.op in (ops.sin, ops.cos)] == []


def test_nested_calls():
    f = called(lambda x: called(lambda z: sin(z) * z, 'fuse')(x) * x)
    plain = lambda x: sin(x) * x * x
    for transform in (lazy.grad, lambda h: lazy.grad(lazy.grad(h)), lazy.hessian):
        np.testing.assert_allclose(float(transform(f)(0.7)), float(transform(plain)(0.7)), rtol=1e-5)


def test_captured_values_are_arguments():
    w = lazy.numpy.asarray(X)
    loss = lambda w: called(lambda x: (x * w).sum())(2.0)
    np.testing.assert_allclose(np.asarray(lazy.grad(loss)(w)), np.full(3, 2.0))
    constant = called(lambda x: x * lazy.numpy.asarray(X))(w)
    call = [n for n in ancestors([constant._node]) if n.op is ops.call][0]
    assert all(n.op is not ops.leaf for n in call.params[0].nodes())


def test_results_that_do_not_depend_on_the_variable():
    f = called(lambda x, y: (x * 2, y * 3))
    np.testing.assert_allclose(np.asarray(lazy.grad(lambda x: f(x, 1.0)[0] + f(1.0, 2.0)[1])(1.0)), 2)
    np.testing.assert_allclose(np.asarray(lazy.grad(lambda x: f(x, 1.0)[1])(1.0)), 0)
