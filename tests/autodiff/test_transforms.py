"""The transformations of lazy.transforms: what they accept, return and refuse, and their compositions."""
import numpy as np
import pytest

import lazy
import lazy.numpy as jnp
from lazy import array as arrays
from lazy.errors import ConcretizationTypeError
from lazy.ir import ops

X = np.array([0.5, -1.2, 2.0])


def exp(x): return arrays.unary(ops.exp, x, 'inexact')
def log(x): return arrays.unary(ops.log, x, 'inexact')
def log1p(x): return arrays.unary(ops.log1p, x, 'inexact')
def sin(x): return arrays.unary(ops.sin, x, 'inexact')
def tanh(x): return arrays.unary(ops.tanh, x, 'inexact')
def sqrt(x): return arrays.unary(ops.sqrt, x, 'inexact')
def a(x): return jnp.asarray(np.asarray(x))


def close(actual, expected, rtol=1e-6, atol=1e-7):
    np.testing.assert_allclose(np.asarray(actual), np.asarray(expected), rtol=rtol, atol=atol)


# --- grad ------------------------------------------------------------------------------------------------------

def test_grad_orders():
    f = sin
    for expected in (np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x), np.sin):
        f = lazy.grad(f)
        close(f(0.5), expected(0.5))


def test_grad_has_types_and_weakness_of_the_argument():
    for dtype in (np.float16, np.float32, np.float64):
        g = lazy.grad(lambda x: (x * 2.5).sum())(a(X.astype(dtype)))
        assert g.dtype == dtype
    assert lazy.grad(lambda x: x * x)(3.0).weak_type


def test_same_operand_twice():
    close(lazy.grad(lambda x: x * x)(3.0), 6)
    close(lazy.grad(lambda x: x + x)(3.0), 2)
    close(lazy.grad(lambda x: x / x)(3.0), 0)
    close(lazy.grad(lambda x: x - x)(3.0), 0)
    close(lazy.grad(lambda x: x ** x)(2.0), 4 * (np.log(2) + 1))
    m = np.arange(4.).reshape(2, 2)
    close(lazy.grad(lambda x: (x @ x).sum())(a(m)), m.sum(0)[:, None] + m.sum(1)[None])


def test_broadcasting_sums_cotangents():
    f = lambda x, y: (x * y + x).sum()
    gx, gy = lazy.grad(f, (0, 1))(a(np.ones((3, 1))), a(X))
    close(gx, np.full((3, 1), X.sum() + 3))
    close(gy, np.full(3, 3.0))


def test_argnums():
    f = lambda x, y, z: x * y ** 2 * z ** 3
    close(lazy.grad(f, 1)(2., 3., 4.), 2 * 6 * 64)
    close(lazy.grad(f, -1)(2., 3., 4.), 2 * 9 * 48)
    assert [float(g) for g in lazy.grad(f, (2, 0))(2., 3., 4.)] == [2 * 9 * 48, 9 * 64]
    assert isinstance(lazy.grad(f, (0,))(2., 3., 4.), tuple)
    with pytest.raises(ValueError, match='3'):
        lazy.grad(f, 3)(2., 3., 4.)


def test_pytrees_and_keywords():
    params = {'w': (a(X), a(2.0)), 'b': [a(1.0), None]}

    def f(p, *, scale):
        return ((p['w'][0] ** 2).sum() * p['w'][1] + p['b'][0]) * scale
    value, g = lazy.value_and_grad(f)(params, scale=3.0)
    close(value, ((X ** 2).sum() * 2 + 1) * 3)
    close(g['w'][0], 12 * X)
    close(g['w'][1], 3 * (X ** 2).sum())
    assert float(g['b'][0]) == 3 and g['b'][1] is None


def test_has_aux():
    f = lambda x: (x ** 2, {'twice': 2 * x, 'n': 3})
    g, aux = lazy.grad(f, has_aux=True)(3.0)
    assert float(g) == 6 and float(aux['twice']) == 6 and aux['n'] == 3
    (value, aux), g = lazy.value_and_grad(f, has_aux=True)(3.0)
    assert float(value) == 9 and float(g) == 6
    _, pullback, aux = lazy.vjp(f, 3.0, has_aux=True)
    assert float(pullback(1.0)[0]) == 6 and float(aux['twice']) == 6
    with pytest.raises(TypeError, match='pair'):
        lazy.grad(lambda x: x, has_aux=True)(1.0)


def test_unused_and_integer_arguments():
    close(lazy.grad(lambda x, y: x * 2, 1)(1.0, a(X)), np.zeros(3))
    with pytest.raises(TypeError, match='int32'):
        lazy.grad(lambda x: x * 2.0)(3)
    assert float(lazy.grad(lambda x, i: x * i)(2.0, 3)) == 3


@pytest.mark.parametrize('f, argument, error, words', [
    (lambda x: x * 2, X, TypeError, 'scalar'), (lambda x: (x, x), 1.0, TypeError, 'scalar'),
    (lambda x: x > 0, 1.0, TypeError, 'real'), (lambda x: 'text', 1.0, TypeError, 'str'),
    (lambda x: x, 1 + 2j, TypeError, 'holomorphic'), (lambda x: x, 'text', TypeError, 'str')])
def test_grad_refuses(f, argument, error, words):
    with pytest.raises(error, match=words):
        lazy.grad(f)(a(argument) if isinstance(argument, np.ndarray) else argument)


def test_grad_needs_a_function():
    for transform in (lazy.grad, lazy.value_and_grad, lazy.vmap, lazy.jit):
        with pytest.raises(TypeError, match='function'):
            transform(3)


def test_complex():
    f = lambda z: z * z * z
    close(lazy.grad(f, holomorphic=True)(1 + 2j), 3 * (1 + 2j) ** 2)
    close(lazy.grad(lambda z: abs(z) ** 2)(1 + 2j), 2 * (1 - 2j))      # of real functions df/dx - i df/dy
    close(lazy.grad(lambda z: (z * z).imag)(1 + 2j), 4 - 2j)
    with pytest.raises(TypeError, match='holomorphic=True requires'):
        lazy.grad(f, holomorphic=True)(1.0)
    norm = lambda z: (abs(z) ** 2).sum()
    z = np.array([1 + 2j, -3j])
    value, pullback = lazy.vjp(norm, a(z))
    close(pullback(np.float64(1))[0], 2 * z.conj())                  # JAX's convention


# --- Python control flow and values under differentiation ----------------------------------------------------------

def test_grad_through_python_control_flow():
    def f(x):
        y = x
        while y < 100:
            y = y * 3
        return y if y > 150 else -y
    assert float(lazy.grad(f)(2.0)) == 81
    assert float(lazy.grad(lambda x: x ** 2 if float(x) > 0 else -x)(-3.0)) == -1
    assert float(lazy.grad(lazy.grad(lambda x: x ** 3 if x > 0 else x))(2.0)) == 12


def test_closures_over_outer_variables():
    f = lambda x: lazy.grad(lambda y: x * y ** 2)(3.0) * x
    close(lazy.grad(f)(2.0), 24)
    g = lambda x: lazy.vmap(lambda y: x * y)(a(X)).sum()
    close(lazy.grad(g)(2.0), X.sum())
    h = lambda x: lazy.jvp(lambda y: sin(x * y), (1.0,), (1.0,))[1]
    close(lazy.grad(h)(0.7), np.cos(0.7) - 0.7 * np.sin(0.7))


def test_perturbation_confusion():
    f = lambda x: x * lazy.grad(lambda y: x + y)(1.0)
    assert float(lazy.grad(f)(5.0)) == 1


def test_values_looked_at_between_vjp_and_pullback():
    y, pullback = lazy.vjp(lambda x: tanh(sin(x) * x).sum(), a(X))
    float(y), repr(y)
    first = np.asarray(pullback(1.0)[0])
    s = np.sin(X) * X
    close(first, (1 - np.tanh(s) ** 2) * (np.cos(X) * X + np.sin(X)))
    close(pullback(2.0)[0], 2 * first)


# --- promise: the untaken branch contributes exactly zero --------------------------------------------------------

@pytest.mark.parametrize('f, at, expected', [
    (lambda x: jnp.where(x < 1, x, sqrt(x)), 0.0, 1), (lambda x: jnp.where(x < 1, x, sqrt(x - 1)), 0.0, 1),
    (lambda x: jnp.where(x > 0, x * log(x), 0.0), 0.0, 0), (lambda x: jnp.where(x > 0, 1 / x, x), 0.0, 1),
    (lambda x: jnp.where(x > 20, x, log1p(exp(x))), 1000.0, 1), (lambda x: jnp.where(x < 0, x, x ** 0.5), 0.0, np.inf),
    (lambda x: jnp.where(x > 700, 2 * x, exp(x) * x), 1000.0, 2), (lambda x: jnp.where(x == 0, x, x ** -2), 0.0, 1),
    (lambda x: jnp.where(x > 0, (x * 1e30) ** 3, x), -1e10, 1)])
@pytest.mark.parametrize('mode', [lazy.grad, lazy.jacfwd], ids=['reverse', 'forward'])
def test_untaken_branch(f, at, expected, mode):
    assert float(mode(f)(at)) == expected


def test_untaken_branch_second_order():
    f = lambda x: jnp.where(x < 1, x ** 2, sqrt(x - 1) * x)
    for second in (lazy.grad(lazy.grad(f)), lazy.hessian(f), lazy.jacfwd(lazy.jacfwd(f))):
        assert float(second(0.0)) == 2
    assert float(lazy.grad(lazy.grad(lazy.grad(f)))(0.0)) == 0


def test_norm_at_zero():
    norm = lambda x: sqrt((x * x).sum())
    zero = a(np.zeros(3))
    close(lazy.grad(lambda x: norm(x) ** 2)(zero), np.zeros(3))
    close(lazy.jvp(lambda x: norm(x) ** 2, (zero,), (a(X),))[1], 0)


def test_powers_at_zero():
    for n in (1, 2, 3):
        f = lambda x: x ** n
        expected = float(n == 1)
        for order in range(1, 5):
            f = lazy.grad(f)
            expected = float(np.prod(range(n - order + 1, n + 1))) if n == order else 0.0
            assert float(f(0.0)) == expected, (n, order)
    close(lazy.grad(lambda x: x ** 2.0)(0.0), 0)
    close(lazy.grad(lambda y: 0.0 ** y)(2.0), 0)


# --- forward mode, linearize, vjp ----------------------------------------------------------------------------------

def test_jvp():
    value, tangent = lazy.jvp(lambda x, p: (x * p['k']).sum(), (a(X), {'k': a(2.0)}), (a(X), {'k': a(1.0)}))
    close(value, 2 * X.sum())
    close(tangent, 3 * X.sum())
    value, tangent, aux = lazy.jvp(lambda x: (x ** 2, 'note'), (3.0,), (1.0,), has_aux=True)
    assert float(tangent) == 6 and aux == 'note'
    with pytest.raises(TypeError, match='tuples'):
        lazy.jvp(sin, 1.0, 1.0)
    with pytest.raises(TypeError, match='structure'):
        lazy.jvp(sin, (1.0,), (1.0, 2.0))
    with pytest.raises(ValueError, match='shape'):
        lazy.jvp(sin, (a(X),), (1.0,))
    with pytest.raises(TypeError, match='dtype'):
        lazy.jvp(sin, (a(X),), (a(X.astype(np.float32)),))


def test_vjp():
    value, pullback = lazy.vjp(lambda x, y: {'s': x * y, 'c': x + y}, a(X), a(2.0))
    gx, gy = pullback({'s': a(X), 'c': a(np.ones(3))})
    close(gx, 2 * X + 1)
    close(gy, (X * X).sum() + 3)
    with pytest.raises(TypeError, match='structure'):
        pullback(a(X))
    with pytest.raises(ValueError, match='shape'):
        pullback({'s': a(X), 'c': 1.0})


def test_vmap_of_a_pullback_used_twice():
    _, pullback = lazy.vjp(lambda x: x ** 2, a(X))
    close(lazy.vmap(pullback)(a(np.eye(3)))[0], np.diag(2 * X))
    close(pullback(a(np.ones(3)))[0], 2 * X)


def test_linearize():
    value, push = lazy.linearize(lambda x: sin(x) * x, a(X))
    slope = np.cos(X) * X + np.sin(X)
    close(value, np.sin(X) * X)
    for scale in (1.0, -2.0):
        close(push(a(scale * X)), scale * X * slope)
    close(lazy.vmap(push)(a(np.eye(3))), np.diag(slope))


def test_linear_transpose():
    f = lambda x: 3 * x[:2] - x[1:]
    close(lazy.linear_transpose(f, a(X))(a(np.ones(2)))[0], [3, 2, -1])


def test_jacobians():
    f = lambda x: sin(x) * x.sum()
    expected = np.diag(np.cos(X) * X.sum()) + np.sin(X)[:, None]
    close(lazy.jacfwd(f)(a(X)), expected)
    close(lazy.jacrev(f)(a(X)), expected)
    matrix = a(np.arange(6.).reshape(2, 3))
    g = lambda m, x: {'y': m @ x, 'z': (m * m).sum(0)}
    for mode in (lazy.jacfwd, lazy.jacrev):
        found = mode(g, (0, 1))(matrix, a(X))
        assert found['y'][0].shape == (2, 2, 3) and found['z'][1].shape == (3, 3)
        close(found['y'][1], np.asarray(matrix))
        close(found['y'][0], np.einsum('ij,k->ijk', np.eye(2), X))
    value, aux = lazy.jacrev(lambda x: (x ** 2, x), has_aux=True)(a(X))
    close(value, np.diag(2 * X))
    close(aux, X)


def test_hessian():
    f = lambda x: (x ** 2).sum() * x[0]
    expected = 2 * X[0] * np.eye(3)
    expected[0] += 2 * X
    expected[:, 0] += 2 * X
    for h in (lazy.hessian(f), lazy.jacrev(lazy.jacfwd(f)), lazy.jacrev(lazy.jacrev(f)), lazy.jacfwd(lazy.jacfwd(f))):
        close(h(a(X)), expected)
    close(lazy.vmap(lazy.hessian(f))(a(np.stack([X, X]))), np.stack([expected] * 2))


def test_stop_gradient():
    close(lazy.grad(lambda x: x * lazy.stop_gradient(x))(3.0), 3)
    close(lazy.jvp(lambda x: lazy.stop_gradient({'a': x})['a'] * x, (3.0,), (1.0,))[1], 3)


# --- vmap --------------------------------------------------------------------------------------------------------

M = np.arange(12.).reshape(3, 4)


def test_vmap_axes():
    dot = lambda x, y: (x * y).sum()
    close(lazy.vmap(dot)(a(M), a(M)), (M * M).sum(1))
    close(lazy.vmap(dot, in_axes=(1, None))(a(M), a(X)), M.T @ X)
    close(lazy.vmap(dot, in_axes=(-1, 0))(a(M), a(np.stack([X] * 4))), M.T @ X)
    close(lazy.vmap(lambda x: x * 2, out_axes=1)(a(M)), 2 * M.T)
    close(lazy.vmap(lambda x: (x, 1.0), out_axes=(-1, None))(a(M))[0], M.T)
    outer = lazy.vmap(lazy.vmap(lambda x, y: x * y, (None, 0)), (0, None))
    close(outer(a(X), a(M[0])), np.outer(X, M[0]))
    close(lazy.vmap(lazy.vmap(lambda x: x.sum(), in_axes=0), in_axes=1)(a(np.arange(24.).reshape(2, 3, 4))),
          np.arange(24.).reshape(2, 3, 4).sum(2).T)


def test_vmap_trees_and_keywords():
    f = lambda p, *, k: {'r': p['x'] * p['y'] + k}
    found = lazy.vmap(f, in_axes=({'x': 0, 'y': None},))({'x': a(M), 'y': a(2.0)}, k=a(X))
    close(found['r'], 2 * M + X[:, None])
    close(lazy.vmap(lambda t: t[0] + t[1], in_axes=((0, 1),))((a(M), a(M.T))), 2 * M)


def test_vmap_of_constants_and_structure():
    close(lazy.vmap(lambda x: a(X))(a(M)), np.stack([X] * 3))
    assert lazy.vmap(lambda x: None, axis_size=3)(a(M)) is None


def test_vmap_runs_the_function_once():
    calls = []
    lazy.vmap(lambda x: calls.append(1) or x * 2)(a(M)).tolist()
    assert len(calls) == 1


@pytest.mark.parametrize('arguments, keywords, error, words', [
    ((M, X[:2]), {}, ValueError, 'inconsistent sizes'), ((M, X), {'in_axes': (0,)}, ValueError, 'in_axes'),
    ((M, X), {'in_axes': (None, None)}, ValueError, 'non-None'), ((M, 1.0), {}, ValueError, 'no dimensions'),
    ((M, X), {'in_axes': (2, 0)}, ValueError, '2'), ((M, X), {'in_axes': 'x'}, TypeError, 'in_axes'),
    ((M, X), {'in_axes': ({'q': 0}, 0)}, ValueError, 'tree prefix'),
    ((M, X), {'out_axes': None}, ValueError, 'out_axes'),
    ((M, X), {'out_axes': 5}, ValueError, 'out_axes'), ((M, X), {'axis_size': 7}, ValueError, 'sizes')])
def test_vmap_refuses(arguments, keywords, error, words):
    with pytest.raises(error, match=words):
        lazy.vmap(lambda x, y: x * y, **keywords)(*[a(x) for x in arguments])


def test_no_values_under_vmap_and_jit():
    def f(x):
        return x if x > 0 else -x
    for g in (lazy.vmap(f), lazy.jit(lambda x: f(x[0]))):
        with pytest.raises(ConcretizationTypeError, match='where'):
            g(a(X))


def test_values_under_vmap_that_do_not_depend_on_the_batch():
    scale = a(2.0)
    close(lazy.vmap(lambda x: x * 3 if scale > 1 else x)(a(X)), 3 * X)


# --- compositions --------------------------------------------------------------------------------------------------

def test_compositions_agree():
    f = lambda x, w: tanh(w @ x).sum()
    w = np.linspace(-1, 1, 6).reshape(2, 3)
    xs = np.stack([X, X * 0.5])
    expected = np.stack([(1 - np.tanh(w @ x) ** 2) @ w for x in xs])
    g = lazy.grad(f)
    for h in (lazy.vmap(g, (0, None)), lazy.jit(lazy.vmap(g, (0, None))), lazy.vmap(lazy.jit(g), (0, None)),
              lazy.vmap(lazy.grad(lazy.jit(f)), (0, None)), lazy.jit(lazy.jit(lazy.vmap(lazy.jit(g), (0, None)))),
              lazy.grad(lambda xs, w: lazy.vmap(f, (0, None))(xs, w).sum()),
              lazy.vmap(lambda x, w: lazy.jacfwd(f)(x, w), (0, None))):
        close(h(a(xs), a(w)), expected)


def test_network_gradient_against_jax():
    jax = pytest.importorskip('jax')
    rng = np.random.default_rng(0)
    shapes = [(5, 4), (4,), (4, 3), (3,)]
    params = [rng.standard_normal(s).astype('f4') for s in shapes]
    x, y = rng.standard_normal((6, 5)).astype('f4'), rng.integers(0, 3, 6)

    def loss(params, x, y, tanh, exp, log, arange):
        w1, b1, w2, b2 = params
        logits = tanh(x @ w1 + b1) @ w2 + b2
        shifted = logits - logits.max(-1, keepdims=True)
        log_p = shifted - log(exp(shifted).sum(-1, keepdims=True))
        return -log_p[arange, y].mean()
    ours = lazy.grad(lambda p, x, y: loss(p, x, y, tanh, exp, log, a(np.arange(6))))([a(p) for p in params], a(x), a(y))
    theirs = jax.grad(lambda p, x, y: loss(p, x, y, jax.numpy.tanh, jax.numpy.exp, jax.numpy.log, np.arange(6)))(
        params, x, y)
    for g, expected in zip(ours, theirs):
        close(g, expected, 1e-5, 1e-6)


def test_a_line_of_100_000_operations():
    """Differentiated and batched without recursion; the graphs only are made."""
    def f(x):
        for _ in range(25_000):
            x = sin(x) * 1.0001 + 0.1
        return x
    graph = lazy.jit(lazy.vmap(lazy.grad(f))).lower(a(np.ones(3)))
    assert graph.outputs[0].aval.shape == (3,)
    del graph


def test_a_long_line_has_the_right_derivative():
    def f(x):
        for _ in range(2000):
            x = x * 1.001 + 0.0
        return x
    close(lazy.grad(f)(1.0), 1.001 ** 2000, rtol=1e-3)
    close(lazy.vmap(lazy.grad(f))(a(np.ones(2))), np.full(2, 1.001 ** 2000), rtol=1e-6)


def test_eval_shape():
    found = lazy.eval_shape(lambda x, y: {'p': x @ y}, lazy.ShapeDtypeStruct((2, 3), 'float32'), np.ones((3, 4), 'f4'))
    assert found['p'].shape == (2, 4) and found['p'].dtype == np.float32
