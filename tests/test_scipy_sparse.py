"""Krylov methods against SciPy's, JAX's and direct solutions; loops that values decide."""
import numpy as np
import pytest
import scipy.sparse.linalg as theirs

import lazy
import lazy.numpy as lnp
from lazy.loops import repeat
from lazy.scipy.sparse import linalg as ours
from lazy.test_util import check_grads
from rows import target_of_derivatives

random = np.random.default_rng(0)
N = 12
A = random.standard_normal((N, N)) / 4 + 2 * np.eye(N)
S = A @ A.T
B = random.standard_normal(N)
C = A + 0.3j * random.standard_normal((N, N))
H = C @ C.conj().T


def incremental(*args, **more):
    return ours.gmres(*args, solve_method='incremental', **more)


def short(*args, **more):
    return ours.gmres(*args, restart=5, **more)


# name: (ours, SciPy's, matrix, complex matrix)
METHODS = {'cg': (ours.cg, theirs.cg, S, H), 'bicgstab': (ours.bicgstab, theirs.bicgstab, A, C),
           'gmres': (ours.gmres, theirs.gmres, A, C), 'incremental': (incremental, theirs.gmres, A, C),
           'short': (short, theirs.gmres, A, C)}
methods = pytest.mark.parametrize('f, scipys, a, c', METHODS.values(), ids=METHODS)


def close(found, expected, tolerance=1e-8):
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=tolerance, atol=tolerance)


@methods
def test_values(f, scipys, a, c):
    exact = np.linalg.solve(a, B)
    for run in (f, lazy.jit(f, static_argnames=('tol',))):
        x, info = run(a, B, tol=1e-12)
        assert x.dtype == np.float64 and not info
        close(x, exact)
    close(x, scipys(a, B, rtol=1e-12)[0])
    x, _ = f(lnp.asarray(a, lnp.float32), lnp.asarray(B, lnp.float32), tol=1e-6)
    assert x.dtype == np.float32
    close(x, exact, 1e-4)
    close(f(c, B + 1j, tol=1e-12)[0], np.linalg.solve(c, B + 1j))


@methods
def test_keywords(f, scipys, a, c):
    exact, inverse = np.linalg.solve(a, B), np.linalg.inv(a)
    near = inverse @ (np.eye(N) + 1e-3)
    close(f(a, B, exact, maxiter=0)[0], exact)                        # x0 as it is
    close(f(a, B, x0=exact + 0.1, tol=1e-12, M=near if f is not ours.cg else inverse)[0], exact)
    close(f(lambda x: a @ x, B, tol=1e-12, M=lambda x: x / 3)[0], exact)
    close(f(a, np.zeros(N))[0], np.zeros(N))
    close(f(a, B, tol=0.0, atol=1e-9)[0], exact)
    loose = np.linalg.norm(a @ f(a, B, tol=1e-2)[0] - B) / np.linalg.norm(B)
    assert loose < 1e-2
    close(f(a, np.arange(N), tol=1e-6)[0], np.linalg.solve(a, np.arange(N)), 1e-3)


@pytest.mark.parametrize('name', ['cg', 'bicgstab'])
def test_steps_are_those_of_scipy(name):
    f, scipys, a, _ = METHODS[name]
    for maxiter in range(1, 5):
        close(f(a, B, maxiter=maxiter, tol=0)[0], scipys(a, B, maxiter=maxiter, rtol=0)[0])


@methods
def test_trees(f, scipys, a, c):
    def apply(x):
        y = a @ lnp.concatenate([x['u'].ravel(), x['v']])
        return {'u': y[:4].reshape(2, 2), 'v': y[4:]}
    x, _ = f(apply, {'u': B[:4].reshape(2, 2), 'v': B[4:]}, tol=1e-12)
    close(lnp.concatenate([x['u'].ravel(), x['v']]), np.linalg.solve(a, B))


@methods
def test_derivatives(f, scipys, a, c):
    g = lambda a, b: f(a @ a.T, b, tol=1e-13)[0]
    with target_of_derivatives():
        check_grads(g, (A[:5, :5], B[:5]), 2, rtol=1e-4, atol=1e-4)
    gradient = lazy.grad(lambda x0: f(a, B, x0)[0].sum())(B)
    assert not np.any(gradient)


@methods
def test_batches(f, scipys, a, c):
    """Examples that take different numbers of steps, of right-hand sides and of matrices."""
    many = np.stack([B, 0 * B, np.eye(N)[3], 1e3 * B])
    solve = lambda a, b: f(a, b, tol=1e-12)[0]
    found = lazy.vmap(solve, (None, 0))(a, many)
    close(found, np.linalg.solve(a, many.T).T, 1e-7)
    close(found[0], solve(a, B))
    matrices = np.stack([a, np.eye(N), 2 * a])
    close(lazy.vmap(solve, (0, None))(matrices, B), np.linalg.solve(matrices, np.broadcast_to(B, (3, N))[..., None])[..., 0])
    both = lazy.vmap(lazy.vmap(solve, (None, 0)), (0, None))(matrices, many)
    close(both[0], found)
    one = lazy.grad(lambda a: (solve(a, B) ** 2).sum())
    close(lazy.vmap(one)(matrices)[2], one(2 * a))


def test_gmres_says_where_it_failed():
    x, info = ours.gmres(np.zeros((3, 3)), np.ones(3))
    assert int(info) == -1 and np.isnan(x).all()


def test_a_breakdown_ends_the_iteration():
    """A turns b by a right angle: the first scalar product is zero."""
    x, _ = ours.bicgstab(np.array([[0., 1.], [-1., 0.]]), np.array([1., 0.]))
    assert x.shape == (2,)


def test_results_are_those_of_jax():
    jax = pytest.importorskip('jax')
    import jax.scipy.sparse.linalg as jaxs
    a, s, b = (np.float32(x) for x in (A, S, B))
    for name, matrix in (('cg', s), ('bicgstab', a), ('gmres', a)):
        for more in ({}, {'maxiter': 2}, {'M': np.linalg.inv(matrix) + np.float32(0.001)}, {'x0': b, 'tol': 1e-2}):
            x, info = getattr(ours, name)(matrix, b, **more)
            y, other = getattr(jaxs, name)(matrix, b, **more)
            assert (info is None) == (other is None)
            close(x, y, 1e-4)
    del jax


def test_bad_input():
    for name in ('cg', 'gmres', 'bicgstab'):
        f = getattr(ours, name)
        with pytest.raises(ValueError, match='square matrix'):
            f(np.ones((2, 3)), np.ones(3))
        with pytest.raises(ValueError, match='matching tree structure'):
            f(S, B, x0=(B,))
        with pytest.raises(ValueError, match='matching shapes'):
            f(S, B, x0=B[None])
        with pytest.raises(TypeError, match='function or ndarray'):
            f(3, B)
        with pytest.raises(TypeError, match='must give what b is'):
            f(lambda x: x[:2], B)
    with pytest.raises(ValueError, match='solve_method'):
        ours.gmres(S, B, solve_method='lstsq')


# --- loops -----------------------------------------------------------------------------------------------------------

def collatz(n):
    """How many steps it takes to come to 1."""
    step = lambda state: (lnp.where(state[0] % 2 == 0, state[0] // 2, 3 * state[0] + 1), state[1] + 1)
    return repeat(lambda state: state[0] != 1, step, (n, lnp.zeros_like(n)))[1]


def steps(n):
    count = 0
    while n != 1:
        n, count = n // 2 if n % 2 == 0 else 3 * n + 1, count + 1
    return count


def test_loops():
    assert int(collatz(lnp.array(27))) == steps(27)
    assert int(lazy.jit(collatz)(lnp.array(1))) == 0
    numbers = lnp.arange(1, 30)
    assert lazy.vmap(collatz)(numbers).tolist() == [steps(n) for n in range(1, 30)]
    assert lazy.vmap(collatz)(numbers[:0]).shape == (0,)
    assert lazy.vmap(lazy.jit(lazy.vmap(collatz)))(numbers[:28].reshape(4, 7)).sum() == sum(map(steps, range(1, 29)))


def test_loops_in_loops():
    def outer(n):
        return repeat(lambda s: s[0] > 0, lambda s: (s[0] - 1, s[1] + collatz(s[0] + 1)), (n, lnp.zeros_like(n)))[1]
    assert int(outer(lnp.array(9))) == sum(map(steps, range(2, 11)))
    assert lazy.vmap(outer)(lnp.array([0, 3, 9])).tolist() == [sum(map(steps, range(2, n + 2))) for n in (0, 3, 9)]


def test_other_numbers_are_the_same_program():
    double = lambda x, factor, limit: repeat(lambda x: x.sum() < limit, lambda x: x * factor, x)
    x = lnp.ones(5)
    assert double(x, 1.5, 20.0).sum() >= 20
    programs, before = len(lazy.evaluate.programs), lazy.debug.kernel_compilations()
    for factor in (2.0, 3.0, 7.5):
        assert double(x, factor, 100.0 * factor).sum() >= 100 * factor
    assert (len(lazy.evaluate.programs), lazy.debug.kernel_compilations()) == (programs, before)


def test_an_error_in_a_loop_names_its_line():
    def f(n):
        table = lnp.arange(4)
        return repeat(lambda i: i < 10, lambda i: table[i] + 3, n)
    assert int(f(lnp.array(12))) == 12
    with pytest.raises(IndexError, match='test_scipy_sparse.py'):
        f(lnp.array(2)).block_until_ready()


def test_loops_have_no_derivative_of_their_own():
    f = lambda x: repeat(lambda x: x < 10, lambda x: x * 2, x)
    with pytest.raises(NotImplementedError, match='loop'):
        lazy.grad(f)(1.0)
