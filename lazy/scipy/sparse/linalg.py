"""Krylov methods for A x = b, with the signatures of jax.scipy.sparse.linalg.

A is a matrix, or a function of trees of arrays like b that is linear; M, of the same kinds, is near the inverse of A.
Derivatives by b and by what A holds come from the equation, not through the iterations: they take a second solution, of
the same accuracy. All three work under jit, grad and vmap, where each example goes on for as long as it needs.
"""
import functools
import operator

from ... import lax, numpy as np, trees as tree
from ...array import as_node, wrap
from ...flatten_util import ravel_pytree
from ...ir import dtypes
from ...loops import repeat
from ...numpy._util import promoted
from ..linalg import solve_triangular

__all__ = ['bicgstab', 'cg', 'gmres']


def cg(A, b, x0=None, *, tol=1e-5, atol=0.0, maxiter=None, M=None):
    """(x, None) with A x = b by conjugate gradients (Hestenes and Stiefel 1952), A Hermitian and positive definite.

    b: an array or a tree of arrays of any shapes, seen as one vector; x0: where to begin, zeros by default. The
    iteration ends where |b - A x| <= max(tol |b|, atol), or after maxiter steps (10 times the size of b by default).
    M: Hermitian and positive definite too.

    Raises ValueError where A is no square matrix, or x0 has not the structure and shapes of b.

    >>> import lazy, lazy.numpy as np
    >>> x, _ = lazy.scipy.sparse.linalg.cg(np.array([[4., 1.], [1., 3.]]), np.array([1., 2.]))
    >>> np.round(11 * x, 3).tolist()
    [1.0, 7.0]
    """
    return _solve(_conjugate_gradients, A, b, x0, tol, atol, maxiter, M, hermitian=True), None


def bicgstab(A, b, x0=None, *, tol=1e-5, atol=0.0, maxiter=None, M=None):
    """(x, None) with A x = b by stabilised biconjugate gradients (van der Vorst 1992), for any A; arguments as in `cg`.

    >>> import lazy, lazy.numpy as np
    >>> x, _ = lazy.scipy.sparse.linalg.bicgstab(np.array([[4., 1.], [0., 3.]]), np.array([1., 2.]))
    >>> np.round(12 * x, 3).tolist()
    [1.0, 8.0]
    """
    return _solve(_stabilised_gradients, A, b, x0, tol, atol, maxiter, M), None


def gmres(A, b, x0=None, *, tol=1e-5, atol=0.0, restart=20, maxiter=None, M=None, solve_method='batched'):
    """(x, info) with A x = b by generalised minimal residuals (Saad and Schultz 1986), for any A.

    info: -1 where x is NaN, else 0. restart: dimension of the Krylov spaces, each of which begins with the residual of
    the best x in the one before; maxiter: how many of them at most. solve_method: 'incremental' ends a space as soon as
    the residual is small enough, 'batched' looks at it between spaces only. Other arguments as in `cg`.

    >>> import lazy, lazy.numpy as np
    >>> x, info = lazy.scipy.sparse.linalg.gmres(np.array([[0., 1.], [2., 0.]]), np.array([1., 2.]))
    >>> np.round(x, 3).tolist(), int(info)
    ([1.0, 1.0], 0)
    """
    if solve_method not in ('incremental', 'batched'):
        raise ValueError(f"invalid solve_method {solve_method}, must be either 'incremental' or 'batched'")
    method = functools.partial(_minimal_residuals, restart=operator.index(restart), early=solve_method == 'incremental')
    x = _solve(method, A, b, x0, tol, atol, maxiter, M)
    return x, np.where(np.isnan(_norm(x)), -1, 0)


# --- arguments -------------------------------------------------------------------------------------------------------

def _solve(method, A, b, x0, tol, atol, maxiter, M, hermitian=False):
    """The solution by method(A, b, x0, limit of |residual|, maxiter, M)."""
    matrix = [] if callable(A) or not hasattr(A, '__array__') else [A]
    A, M = _operator(A), (lambda x: x) if M is None else _operator(M)
    b = tree.map(lambda x: wrap(promoted(x, *matrix, inexact=True)[0]), b)
    x0 = tree.map(np.zeros_like, b) if x0 is None else tree.map(lambda x: wrap(as_node(x)), x0)
    if tree.structure(x0) != tree.structure(b):
        raise ValueError(f'x0 and b must have matching tree structure: {tree.structure(x0)} vs {tree.structure(b)}')
    leaves = tree.leaves(b)
    shapes = [[x.shape for x in tree.leaves(t)] for t in (x0, b)]
    if shapes[0] != shapes[1]:
        raise ValueError(f'arrays in x0 and b must have matching shapes: {shapes[0]} vs {shapes[1]}')
    x0 = tree.map(lambda x, y: x.astype(y.dtype), x0, b)
    maxiter = 10 * sum(x.size for x in leaves) if maxiter is None else maxiter

    def solve(A, b):
        return method(A, b, x0, np.maximum(tol * _norm(b), atol), maxiter, M)
    symmetric = hermitian and not any(dtypes.kind(x.dtype) == 'c' for x in leaves)
    return lax.custom_linear_solve(A, b, solve, solve, symmetric)


def _operator(f):
    """A function of a matrix or of a function."""
    if callable(f):
        return f
    if not hasattr(f, '__matmul__'):
        raise TypeError(f'linear operator must be either a function or ndarray: {f}')
    if len(f.shape) != 2 or f.shape[0] != f.shape[1]:
        raise ValueError(f'linear operator must be a square matrix, but has shape: {f.shape}')
    return functools.partial(np.matmul if hasattr(f, '__array__') else operator.matmul, f)


# --- trees as vectors ------------------------------------------------------------------------------------------------

def _vdot(x, y):
    return sum(map(np.vdot, tree.leaves(x), tree.leaves(y)))


def _square(x):
    return np.real(_vdot(x, x))


def _norm(x):
    return np.sqrt(_square(x))


def _along(x, *terms):
    """x + a * y for all (a, y) of terms."""
    for a, y in terms:
        x = tree.map(lambda x, y: x + (a * y).astype(x.dtype), x, y)
    return x


def _residual(A, b, x):
    return tree.map(operator.sub, b, A(x))


# --- methods ---------------------------------------------------------------------------------------------------------

def _conjugate_gradients(A, b, x, limit, maxiter, M):
    def step(state):
        k, x, r, p, gamma = state
        q = A(p)
        alpha = gamma / np.real(_vdot(p, q))
        x, r = _along(x, (alpha, p)), _along(r, (-alpha, q))
        z = M(r)
        new = np.real(_vdot(r, z))
        return k + 1, x, r, _along(z, (new / gamma, p)), new

    r = _residual(A, b, x)
    p = M(r)
    unfinished = lambda state: (_square(state[2]) > limit ** 2) & (state[0] < maxiter)
    return repeat(unfinished, step, (np.array(0), x, r, p, np.real(_vdot(r, p))))[1]


def _stabilised_gradients(A, b, x, limit, maxiter, M):
    """Ends where a scalar product that is divided by has become zero, too."""
    def step(state):
        k, x, r, p, q, rho, alpha, omega, _ = state
        new = _vdot(shadow, r)
        p = _along(r, (new / rho * alpha / omega, _along(p, (-omega, q))))
        ahead = M(p)
        q = A(ahead)
        alpha = new / _vdot(shadow, q)
        s = _along(r, (-alpha, q))
        middle = M(s)
        t = A(middle)
        half = _norm(s) < limit
        omega = np.where(half, 0, _vdot(t, s) / np.where(half, 1, _vdot(t, t)))
        x, r = _along(x, (alpha, ahead), (omega, middle)), _along(s, (-omega, t))
        return k + 1, x, r, p, q, new, alpha, omega, (new != 0) & (alpha != 0) & (omega != 0)

    r = shadow = _residual(A, b, x)
    one = np.ones_like(_vdot(r, r))
    unfinished = lambda state: (_norm(state[2]) > limit) & (state[0] < maxiter) & state[-1]
    return repeat(unfinished, step, (np.array(0), x, r, r, r, one, one, one, np.array(True)))[1]


def _minimal_residuals(A, b, x, limit, maxiter, M, restart, early):
    """On one vector of all leaves. `limit` is of the residual before M; within a space the one after M is known."""
    start, unravel = ravel_pytree(x)
    flat = lambda t: ravel_pytree(t)[0]
    apply = lambda v: flat(M(A(unravel(v))))
    residual = lambda v: flat(M(_residual(A, b, unravel(v))))
    inner = _norm(M(b)) * np.minimum(1.0, limit / _norm(b)) if early else 0.0
    size = min(restart, start.size)

    def step(state):
        k, x, r = state
        x = x + _best(apply, r, size, inner)
        return k + 1, x, residual(x)
    unfinished = lambda state: (np.linalg.norm(state[2]) > limit) & (state[0] < maxiter)
    return unravel(repeat(unfinished, step, (np.array(0), start, residual(start)))[1])


def _best(apply, r, size, limit):
    """The d in the Krylov space of r, of `size` dimensions, for which |r - apply(d)| is least.

    Arnoldi's basis is in the rows of V. In each step Q, unitary, makes the new column of apply's projection R one of a
    triangular matrix; the residual is what Q leaves of r below.
    """
    norm = np.linalg.norm(r)
    eps, rows = np.finfo(r.dtype).eps, np.arange(size + 1)

    def step(state):
        k, V, Q, R, _ = state
        v = apply(V[k])
        before = np.linalg.norm(v)
        h = np.zeros(size + 1, r.dtype)
        for _ in range(2):                                            # twice is enough (Giraud et al. 2005)
            part = np.conj(V) @ v
            h, v = h + part, v - part @ V
        after = np.linalg.norm(v)
        after = np.where(after > eps * before, after, 0)
        V = V.at[k + 1].set(np.where(after > 0, v / np.where(after > 0, after, 1).astype(r.dtype), 0))
        h = Q @ np.where(rows == k + 1, after.astype(r.dtype), h)
        upper, lower = h[k], np.take(h, k + 1)
        length = np.hypot(abs(upper), abs(lower))
        length = np.where(length > 0, length, np.nan)                # a singular projection has no solution
        c, s = upper / length, lower / length
        first, second = np.conj(c) * Q[k] + np.conj(s) * Q[k + 1], c * Q[k + 1] - s * Q[k]
        Q = Q.at[k].set(first).at[k + 1].set(second)
        R = R.at[:, k].set(np.where(rows < k, h, np.where(rows == k, length.astype(r.dtype), 0))[:-1])
        return k + 1, V, Q, R, norm * abs(second[0])

    unfinished = lambda state: (state[0] < size) & (state[-1] > limit)
    unit = np.where(norm > 0, r / np.where(norm > 0, norm, 1).astype(r.dtype), 0)
    V = np.zeros((size + 1, r.size), r.dtype).at[0].set(unit)
    initial = np.array(0), V, np.eye(size + 1, dtype=r.dtype), np.eye(size, dtype=r.dtype), norm
    k, V, Q, R, _ = repeat(unfinished, step, initial)
    target = np.where(rows < k, norm.astype(r.dtype) * Q[:, 0], 0)[:-1]
    return solve_triangular(R, target) @ V[:-1]
