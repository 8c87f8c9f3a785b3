"""custom_jvp, custom_vjp, custom_gradient, closure_convert: JAX's semantics."""
import numpy as np
import pytest

import lazy
from lazy import array as arrays
from lazy.custom_derivatives import closure_convert, custom_gradient, custom_jvp, custom_vjp
from lazy.ir import ops
from test_calls import called

X = np.array([0.5, -1.2, 2.0])


def exp(x): return arrays.unary(ops.exp, x, 'inexact')
def log(x): return arrays.unary(ops.log, x, 'inexact')
def sin(x): return arrays.unary(ops.sin, x, 'inexact')
def cos(x): return arrays.unary(ops.cos, x, 'inexact')
def a(x): return lazy.numpy.asarray(np.asarray(x))


def close(actual, expected, rtol=1e-6):
    np.testing.assert_allclose(np.asarray(actual), np.asarray(expected), rtol=rtol, atol=1e-7)


# --- custom_jvp ------------------------------------------------------------------------------------------------

def softplus():
    @custom_jvp
    def f(x):
        return log(1 + exp(x))

    @f.defjvp
    def rule(primals, tangents):
        (x,), (t,) = primals, tangents
        return f(x), t * (1 - 1 / (1 + exp(x)))
    return f


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_custom_jvp():
    f = softplus()
    assert float(lazy.grad(f)(200.0)) == 1.0
    close(f(a(X)), np.log1p(np.exp(X)))
    close(lazy.jvp(f, (a(X),), (a(X),))[1], X * sigmoid(X))
    close(lazy.grad(lazy.grad(f))(1.0), sigmoid(1) * (1 - sigmoid(1)), 1e-5)
    close(lazy.vmap(lazy.grad(f))(a(X)), sigmoid(X))
    close(lazy.grad(lambda x: lazy.vmap(f)(x).sum())(a(X)), sigmoid(X))
    close(lazy.jit(lazy.grad(lambda x: lazy.vmap(lazy.jit(f))(x).sum()))(a(X)), sigmoid(X))
    close(lazy.hessian(lambda x: lazy.vmap(f)(x).sum())(a(X)), np.diag(sigmoid(X) * (1 - sigmoid(X))))


def test_the_rule_replaces_the_derivative():
    @custom_jvp
    def f(x, y):
        return {'p': x * y, 'n': x + y}
    f.defjvp(lambda primals, tangents: (f(*primals), {'p': 10 * tangents[0], 'n': 100 * tangents[1]}))
    _, t = lazy.jvp(f, (2.0, 3.0), (1.0, 1.0))
    assert float(t['p']) == 10 and float(t['n']) == 100
    gx, gy = lazy.grad(lambda x, y: f(x, y)['p'] + 2 * f(x, y)['n'], (0, 1))(2.0, 3.0)
    assert float(gx) == 10 and float(gy) == 200
    found = lazy.vmap(lazy.grad(lambda x, y: f(x, y)['p'] * x), (0, None))(a(X), 3.0)
    close(found, X * 3.0 + 10 * X)
    found = lazy.grad(lambda y: lazy.vmap(f, (0, None))(a(X), y)['n'].sum())(3.0)
    close(found, 300)


def test_rule_is_called_once_for_all_results():
    calls = []

    @custom_jvp
    def f(x):
        return x, 2 * x
    f.defjvp(lambda p, t: calls.append(1) or ((p[0], 2 * p[0]), (t[0], 2 * t[0])))
    lazy.jvp(f, (1.0,), (1.0,))
    assert len(calls) == 1


def test_defjvps_and_nondiff_argnums():
    f = custom_jvp(lambda x, y: x * y)
    f.defjvps(lambda t, out, x, y: 5 * t, None)
    assert [float(g) for g in lazy.grad(f, (0, 1))(2.0, 3.0)] == [5, 0]

    apply = custom_jvp(lambda function, x: function(x), nondiff_argnums=(0,))
    apply.defjvp(lambda function, primals, tangents: (function(*primals), 7 * tangents[0]))
    assert float(lazy.grad(lambda x: apply(sin, x))(1.0)) == 7
    with pytest.raises(TypeError, match='nondiff'):
        apply.defjvps(None)


def test_keywords_and_integers():
    @custom_jvp
    def f(x, n=2, scale=1.0):
        return x * n * scale
    f.defjvp(lambda p, t: (f(*p), t[0] * p[1]))
    assert float(lazy.grad(lambda x: f(x, scale=3.0))(1.0)) == 2
    with pytest.raises(TypeError):
        f(1.0, other=3)


def test_custom_jvp_errors():
    f = custom_jvp(lambda x: x * 2)
    with pytest.raises(AttributeError, match='No JVP defined'):
        f(1.0)
    f.defjvp(lambda p, t: p[0])
    f(1.0)
    for rule, words in ((lambda p, t: p[0], 'pair'), (lambda p, t: (p[0], (t[0],)), 'structure'),
                        (lambda p, t: ((p[0],), t[0]), 'structure'), (lambda p, t: (p[0], a(X)), 'shape')):
        f.defjvp(rule)
        with pytest.raises(TypeError, match=words):
            lazy.grad(f)(1.0)
    f.defjvp(lambda p, t: (p[0], t[0] * t[0]))
    with pytest.raises(ValueError, match='linear'):
        lazy.grad(f)(1.0)
    with pytest.raises(TypeError, match='function'):
        custom_jvp(3)


def test_methods():
    class Model:
        scale = 3.0

        @custom_jvp
        def f(self, x):
            return x * 2
        f = custom_jvp(f.fun, nondiff_argnums=(0,))
    Model.f.defjvp(lambda self, p, t: (self.f(*p), self.scale * t[0]))
    assert float(lazy.grad(Model().f)(1.0)) == 3


# --- custom_vjp --------------------------------------------------------------------------------------------------

def product():
    @custom_vjp
    def f(x, y):
        return sin(x) * y
    f.defvjp(lambda x, y: (sin(x) * y, (cos(x), sin(x), y)), lambda res, ct: (res[0] * ct * res[2], res[1] * ct))
    return f


def test_custom_vjp():
    f = product()
    plain = lambda x, y: sin(x) * y
    for transform in (lambda g: lazy.grad(g, (0, 1)), lambda g: lazy.jit(lazy.grad(g, (0, 1))),
                      lambda g: lambda x, y: lazy.vmap(lazy.grad(g, (0, 1)), (0, None))(a([x, 2 * x]), y),
                      lambda g: lazy.grad(lambda x, y: lazy.vmap(g, (None, 0))(x, a(X)).sum() * y, (0, 1)),
                      lambda g: lazy.grad(lambda x, y: g(g(x, y), x) ** 2, (0, 1)),
                      lambda g: (lazy.hessian(lambda x, y: g(g(x, y), x) ** 2),) and
                      (lambda x, y: [lazy.hessian(lambda x, y: g(g(x, y), x) ** 2)(x, y)]),
                      lambda g: lambda x, y: [lazy.grad(lambda x: lazy.grad(g)(x, y) * g(x, y))(x)],
                      lambda g: lambda x, y: [lazy.grad(called(g))(x, y), lazy.hessian(called(lambda x: g(x, x)))(x)]):
        for found, expected in zip(transform(f)(0.7, 1.3), transform(plain)(0.7, 1.3)):
            close(found, expected, 1e-5)


def test_backward_pass_takes_all_cotangents_at_once():
    calls = []
    f = custom_vjp(lambda x: {'a': x, 'b': 2 * x})
    f.defvjp(lambda x: (({'a': x, 'b': 2 * x}), None),
             lambda _, ct: calls.append(1) or (ct['a'] + 100 * ct['b'],))
    assert float(lazy.grad(lambda x: f(x)['a'] + f(x)['a'])(1.0)) == 2 and len(calls) == 2
    _, pullback = lazy.vjp(f, 1.0)
    assert float(pullback({'a': 1.0, 'b': 1.0})[0]) == 101 and len(calls) == 3


def test_clipped_gradient():
    f = custom_vjp(lambda x: x)
    f.defvjp(lambda x: (x, None), lambda _, ct: (lazy.numpy.where(ct > 1, 1.0, ct),))
    assert float(lazy.grad(lambda x: 5 * f(x))(2.0)) == 1


def test_forward_mode_is_refused():
    f = product()
    for transform in (lambda: lazy.jvp(lambda x: f(x, 2.0), (1.0,), (1.0,)), lambda: lazy.jacfwd(f)(1.0, 2.0),
                      lambda: lazy.linearize(f, 1.0, 2.0), lambda: lazy.grad(lazy.jacfwd(f))(1.0, 2.0),
                      lambda: lazy.jvp(called(lambda x: f(x, 2.0)), (1.0,), (1.0,))):
        with pytest.raises(TypeError, match='forward-mode'):
            transform()


def test_none_integers_trees_and_nondiff():
    f = custom_vjp(lambda function, p, i: function(p['x']) * i, nondiff_argnums=(0,))
    f.defvjp(lambda function, p, i: (function(p['x']) * i, p),
             lambda function, res, ct: ({'x': ct * 3, 'u': None}, None))
    g = lazy.grad(lambda p: f(sin, p, 2))({'x': a(1.0), 'u': a(X)})
    assert float(g['x']) == 3
    close(g['u'], np.zeros(3))


def test_custom_vjp_errors():
    f = custom_vjp(lambda x, y: x * y)
    with pytest.raises(AttributeError, match='No VJP defined'):
        f(1.0, 2.0)
    for fwd, bwd, words in ((lambda x, y: x * y, lambda r, ct: (ct, ct), 'pair'),
                            (lambda x, y: (x * y, None), lambda r, ct: ct, 'tuple of length 2'),
                            (lambda x, y: (x * y, None), lambda r, ct: (ct,), 'tuple of length 2'),
                            (lambda x, y: (x * y, None), lambda r, ct: (ct, {'q': ct, 'r': ct}), 'structure'),
                            (lambda x, y: (x * y, None), lambda r, ct: (a(X), ct), 'shape'),
                            (lambda x, y: ((x, y), None), lambda r, ct: (ct, ct), 'structure')):
        f.defvjp(fwd, bwd)
        with pytest.raises(TypeError, match=words):
            lazy.grad(f)(1.0, 2.0)


def test_no_new_program_for_each_call():
    from lazy import evaluate
    f = softplus()
    f(a(X)).block_until_ready()
    before = len(evaluate.programs)
    for _ in range(3):
        softplus()(a(X)).block_until_ready()
    assert len(evaluate.programs) == before


# --- others ------------------------------------------------------------------------------------------------------

def test_custom_gradient():
    @custom_gradient
    def f(x, y):
        return x * y, lambda ct: (ct * x * 10, ct * 3)
    assert float(f(2.0, 3.0)) == 6
    assert [float(g) for g in lazy.grad(f, (0, 1))(2.0, 3.0)] == [20, 3]
    assert float(lazy.grad(lazy.grad(f))(2.0, 3.0)) == 10
    close(lazy.vmap(lazy.grad(f), (0, None))(a(X), 3.0), 10 * X)
    g = custom_gradient(lambda x: (x ** 2, lambda ct: ct * 4))
    assert float(lazy.grad(g)(3.0)) == 4


def test_closure_convert():
    w = a(3.0)
    converted, values = closure_convert(lambda x: w * sin(x), 1.0)
    assert len(values) == 1
    close(converted(2.0, *values), 3 * np.sin(2))
    close(converted(2.0, 5.0), 5 * np.sin(2))
    close(lazy.grad(lambda w: converted(2.0, w))(1.0), np.sin(2))
