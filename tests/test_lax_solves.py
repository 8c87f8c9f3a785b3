"""lax.custom_linear_solve against dense solutions, and the names that stand for tokens and hidden state."""
import numpy as np
import pytest

import lazy
import lazy.numpy as lnp
from lazy.test_util import check_grads

random = np.random.default_rng(0)
A = random.standard_normal((4, 4)) + 4 * np.eye(4)
S = A @ A.T
B = random.standard_normal(4)


def dense(matvec, b):
    return lnp.linalg.solve(lazy.jacfwd(matvec)(b), b)


def conjugate_gradients(matvec, b):
    """On trees, with the square of the residual as aux; not linear step by step."""
    dot = lambda a, b: sum((u * v).sum() for u, v in zip(lazy.tree.leaves(a), lazy.tree.leaves(b)))
    along = lambda a, x, y: lazy.tree.map(lambda x, y: x + a * y, x, y)
    x, r, p = lazy.tree.map(lnp.zeros_like, b), b, b
    for _ in range(5):
        q = matvec(p)
        step = dot(r, r) / (dot(p, q) + 1e-300)
        x, new = along(step, x, p), along(-step, r, q)
        r, p = new, along(dot(new, new) / (dot(r, r) + 1e-300), new, p)
    return x, dot(r, r)


def direct(a, b):
    return lazy.lax.custom_linear_solve(lambda x: a @ x, b, dense, transpose_solve=dense)


def symmetric(a, b):
    return lazy.lax.custom_linear_solve(lambda x: a @ x, b, dense, symmetric=True)


def in_parts(a, b):
    """Two leaves, aux, and an operator that shares them."""
    def matvec(x):
        y = a @ lnp.concatenate([x['u'], x['v']])
        return {'u': y[:1], 'v': y[1:]}
    x, _ = lazy.lax.custom_linear_solve(matvec, {'u': b[:1], 'v': b[1:]}, conjugate_gradients, symmetric=True,
                                        has_aux=True)
    return lnp.concatenate([x['u'], x['v']])


SOLVERS = pytest.mark.parametrize('f, a', [(direct, A), (symmetric, S), (in_parts, S)],
                                  ids=['direct', 'symmetric', 'conjugate_gradients'])


@SOLVERS
def test_values(f, a):
    for run in (f, lazy.jit(f)):
        np.testing.assert_allclose(run(lnp.asarray(a), lnp.asarray(B)), np.linalg.solve(a, B), rtol=1e-7)


@SOLVERS
def test_derivatives(f, a):
    """By the matrix, which matvec closes over, and the right-hand side, to second order; symmetric ones stay so."""
    g = f if f is direct else lambda a, b: f((a + a.T) / 2, b)
    check_grads(lambda a, b: g(a, b) ** 2, (lnp.asarray(a), lnp.asarray(B)), 1 if f is in_parts else 2, atol=1e-4,
                rtol=1e-4)


@SOLVERS
@pytest.mark.parametrize('in_axes', [(0, 0), (0, None), (None, 0)], ids=str)
def test_vmap(f, a, in_axes):
    given = [np.stack([x, 1.5 * x, 0.5 * x]) if axis == 0 else x for x, axis in zip((a, B), in_axes)]
    slope = lazy.value_and_grad(lambda a, b: (f(a, b) ** 3).sum(), (0, 1))
    found = lazy.vmap(slope, in_axes)(*given)
    for i in range(3):
        one = slope(*[x[i] if axis == 0 else x for x, axis in zip(given, in_axes)])
        for x, y in zip(lazy.tree.leaves(found), lazy.tree.leaves(one)):
            np.testing.assert_allclose(x[i], y, rtol=1e-6, atol=1e-9)
    shared = lambda a, b: lazy.vmap(lambda a, b: (f(a, b) ** 3).sum(), in_axes)(
        *[lnp.stack([x, 1.5 * x, 0.5 * x]) if axis == 0 else x for x, axis in zip((a, b), in_axes)]).sum()
    check_grads(lambda t: shared(a * t, B / t), (lnp.asarray(1.0, 'float64'),), 1, ['rev', 'fwd'], atol=1e-4, rtol=1e-4)


def test_aux_has_no_derivative():
    def residual(b):
        return lazy.lax.custom_linear_solve(lambda x: lnp.asarray(S) @ x, b, conjugate_gradients, symmetric=True,
                                            has_aux=True)[1]
    assert float(residual(lnp.asarray(B))) < 1
    assert not np.any(lazy.grad(residual)(lnp.asarray(B)))


def test_what_does_not_fit_is_an_error():
    b = lnp.asarray(B)
    one_way = lambda b: lazy.lax.custom_linear_solve(lambda x: A @ x, b, dense).sum()
    assert lazy.jvp(one_way, (b,), (b,))
    with pytest.raises(TypeError, match='transpose_solve'):
        lazy.grad(one_way)(b)
    with pytest.raises(TypeError, match='matvec must give what b is'):
        lazy.lax.custom_linear_solve(lambda x: x[:2], b, dense)
    with pytest.raises(TypeError, match='solve must give what b is'):
        lazy.lax.custom_linear_solve(lambda x: x, b, lambda _, b: (b, b))
    with pytest.raises(TypeError, match='floating-point'):
        lazy.lax.custom_linear_solve(lambda x: x, lnp.arange(3), lambda _, b: b)
    with pytest.raises(NotImplementedError, match='rule of its own'):
        squared = lazy.custom_jvp(lambda x: x ** 2)
        squared.defjvp(lambda primals, tangents: (squared(*primals), 2 * primals[0] * tangents[0]))
        lazy.linear_transpose(squared, b)(b)


def test_tokens():
    token = lazy.lax.create_token()
    assert isinstance(lazy.lax.after_all(token, lazy.lax.create_token(token)), type(token))
    assert lazy.lax.dce_sink({'x': lnp.ones(3)}) is None
    assert lazy.jit(lambda x: (x, token))(1.0)[0] == 1
    with pytest.raises(TypeError, match='tokens'):
        lazy.lax.after_all(token, lnp.ones(2))
    with pytest.raises(TypeError):
        lazy.lax.dce_sink('text')


@pytest.mark.parametrize('dtype', ['float32', 'float64', 'int32', 'uint8'])
def test_rng_uniform(dtype):
    a, b = lnp.asarray(3, dtype), lnp.asarray(7, dtype)
    x, y = (np.asarray(lazy.lax.rng_uniform(a, b, (100,))) for _ in range(2))
    assert x.dtype == dtype and (x >= 3).all() and (x < 7).all() and (x != y).any()
    with pytest.raises(ValueError, match='identical'):
        lazy.lax.rng_uniform(a, lnp.asarray(7, 'float16'), (3,))
    with pytest.raises(ValueError, match='scalars'):
        lazy.lax.rng_uniform(a, lnp.ones(2, dtype), (3,))
