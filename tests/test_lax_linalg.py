"""lax.linalg and lax.fft: against NumPy, SciPy and JAX, derivatives, batches, errors."""
from functools import partial

import numpy as np
import pytest
import scipy.linalg

import lazy
import lazy.numpy as jnp
from lazy.lax import linalg
from rows import Row, checks_of, leaves

rng = np.random.default_rng(3)
normal = lambda shape: rng.normal(size=shape)
A, TALL = normal((2, 4, 4)), normal((5, 3))
C = A[0] + 1j * A[1]
SPD = A @ A.swapaxes(-1, -2) + 4 * np.eye(4)
DIAGONALS = [rng.normal(size=5), rng.normal(size=5) + 5, rng.normal(size=5)]
UPPER = np.linalg.cholesky(SPD[0]).T.copy()


def adjoint(x):
    return x.conj().swapaxes(-1, -2)


def dense(lower, d, upper):
    return np.diag(lower[1:], -1) + np.diag(d) + np.diag(upper[:-1], 1)


def reflections(name, a):
    """(vectors, factors) of LAPACK's Householder reflections."""
    function, = scipy.linalg.lapack.get_lapack_funcs((name,), (a,))
    return function(a)[:2]


def multiplied(left, transpose, packed, taus, c):
    q = np.linalg.qr(C[:, :3], 'complete')[0]
    q = adjoint(q) if transpose else q
    return q @ c if left else c @ q


def completed(svd):
    """Of svd what does not depend on the choice of the vectors that complete a square matrix."""
    def f(x):
        u, s, vh = svd(x)
        k = min(x.shape)
        return u[:, :k] * s @ vh[:k], u[:, k:] @ u[:, k:].T, vh[k:].T @ vh[k:]
    return f


ROWS = [
    Row('cholesky', linalg.cholesky, np.linalg.cholesky, [SPD]),
    Row('cholesky lower triangle', lambda x: linalg.cholesky(jnp.tril(x), symmetrize_input=False), np.linalg.cholesky,
        [SPD]),
    Row('cholesky_update', linalg.cholesky_update, lambda r, w: np.linalg.cholesky(r.T @ r + np.outer(w, w)).T,
        [UPPER, A[0, 0]]),
    Row('lu', lambda x: linalg.lu(x)[0], lambda x: scipy.linalg.lu_factor(x)[0], [TALL[:3] + 3 * np.eye(3)]),
    Row('lu pivots', lambda x: linalg.lu(x)[1:], lambda x: [scipy.linalg.lu_factor(x)[1], np.array([3, 4, 2, 0, 1])],
        [np.array([[0., 1, 1], [0, 0, 1], [0, 5, 1], [3, 1, 1], [0, 6, 7]])], order=0, vmap=False),
    Row('lu_pivots_to_permutation', lambda p: linalg.lu_pivots_to_permutation(p, 5),
        lambda p: np.array([2, 0, 1, 3, 4]),
        [np.array([2, 2, 2], np.int32)], order=0),
    *[Row(f'qr {name} {full}', lambda x, full=full: linalg.qr(x, full_matrices=full),
          lambda x, full=full: tuple(np.linalg.qr(x, 'complete' if full else 'reduced')), [x])
      for name, x in (('tall', TALL), ('wide', TALL.T), ('complex', C)) for full in (True, False)],
    *[Row(f'qr pivoting {name}', lambda x: linalg.qr(x, pivoting=True), lambda x: scipy.linalg.qr(x, pivoting=True),
          [x], vmap=False)
      for name, x in (('tall', TALL), ('wide', TALL.T))],
    *[Row(f'svd {name}', completed(linalg.svd), completed(np.linalg.svd), [x])
      for name, x in (('tall', TALL), ('wide', TALL.T))],
    Row('svd values', lambda x: linalg.svd(x, compute_uv=False), lambda x: np.linalg.svd(x, compute_uv=False), [TALL]),
    Row('svd some', lambda x: linalg.svd(x, compute_uv=False, subset_by_index=(1, 3)),
        lambda x: np.linalg.svd(x, compute_uv=False)[1:3], [TALL]),
    Row('eigh', lambda x: linalg.eigh(x)[1], lambda x: np.linalg.eigvalsh(x), [SPD]),
    Row('eigh upper', lambda x: linalg.eigh(x, lower=False, symmetrize_input=False)[1],
        lambda x: np.linalg.eigvalsh(x, 'U'), [A]),
    Row('eigh some', lambda x: linalg.eigh(x, subset_by_index=(1, 3))[1], lambda x: np.linalg.eigvalsh(x)[:, 1:3],
        [SPD]),
    Row('eig', lambda x: linalg.eig(x), lambda x: scipy.linalg.eig(x, left=True), [C]),
    Row('schur', lambda x: linalg.schur(x), lambda x: scipy.linalg.schur(x), [A[0]], order=0, narrow=None),
    Row('hessenberg', linalg.hessenberg, lambda x: reflections('gehrd', x), [C], order=0),
    Row('tridiagonal', lambda x: linalg.tridiagonal(x), lambda x: scipy.linalg.lapack.dsytrd(x, lower=1)[:4], [SPD[0]],
        order=0),
    Row('tridiagonal upper', lambda x: linalg.tridiagonal(x, lower=False)[1:3],
        lambda x: scipy.linalg.lapack.zhetrd(x, lower=0)[1:3],
        [C + adjoint(C)], order=0),
    Row('householder_product', linalg.householder_product, lambda h, t: scipy.linalg.lapack.zungqr(h, t)[0],
        reflections('geqrf', C[:, :3])),
    *[Row(f'ormqr {left} {transpose}', partial(linalg.ormqr, left=left, transpose=transpose),
          partial(multiplied, left, transpose), [*reflections('geqrf', C[:, :3]), C], order=1, vmap=False)
      for left in (True, False) for transpose in (True, False)],
    Row('symmetric_product', lambda a, c: linalg.symmetric_product(a, c, alpha=2., beta=3., symmetrize_output=True),
        lambda a, c: 2 * a @ a.T + 3 * c, [TALL, TALL @ TALL.T]),
    Row('tridiagonal_solve', linalg.tridiagonal_solve, lambda l, d, u, b: np.linalg.solve(dense(l, d, u), b),
        [*DIAGONALS, TALL]),
    Row('tridiagonal_solve perturbed', lambda *x: linalg.tridiagonal_solve(*x, perturb_singular=True),
        lambda l, d, u, b: np.linalg.solve(dense(l, d, u), b), [*DIAGONALS, TALL]),
    Row('qdwh', lambda x: linalg.qdwh(x)[:2], scipy.linalg.polar, [TALL]),
    Row('qdwh equal values', lambda x: linalg.qdwh(x)[:2], scipy.linalg.polar, [np.linalg.qr(A[0])[0]]),
    Row('qdwh complex', lambda x: linalg.qdwh(x)[:2], scipy.linalg.polar, [C]),
    Row('qdwh part', lambda x: linalg.qdwh(x, dynamic_shape=(4, 2))[0][:4, :2],
        lambda x: scipy.linalg.polar(x[:4, :2])[0], [TALL]),
    Row('fft', lambda x: lazy.lax.fft(x, 'FFT', (4, 4)), np.fft.fft2, [C]),
    Row('ifft', lambda x: lazy.lax.fft(x, lazy.lax.FftType.IFFT, (4,)), np.fft.ifft, [C]),
    Row('rfft', lambda x: lazy.lax.fft(x, 2, (5, 3)), np.fft.rfft2, [TALL]),
    Row('irfft', lambda x: lazy.lax.fft(x, 'irfft', (4, 6)), lambda x: np.fft.irfft2(x, (4, 6)), [C]),
]

test_values, test_jit_and_vmap, test_derivatives = checks_of(ROWS)


@pytest.mark.parametrize('number', range(32))
def test_triangular_solve(number):
    """All combinations of options, for matrices and vectors."""
    options = dict(zip(('left_side', 'lower', 'transpose_a', 'conjugate_a', 'unit_diagonal'),
                       map(bool, map(int, f'{number:05b}'))))
    a = C + 4 * np.eye(4)
    t = np.tril(a) if options['lower'] else np.triu(a)
    if options['unit_diagonal']:
        t = t - np.diag(np.diag(t)) + np.eye(4)
    t = t.conj() if options['conjugate_a'] else t
    t = t.T if options['transpose_a'] else t
    for b in (C, C[0]):
        expected = np.linalg.solve(t, b) if options['left_side'] else np.linalg.solve(t.T, b.T).T
        np.testing.assert_allclose(linalg.triangular_solve(a, b, **options), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('name, args, options', [
    ('lu', [A], {}), ('lu', [TALL.T], {}), ('qr', [A], dict(pivoting=True)), ('eig', [A], {}),
    ('eig', [A], dict(compute_right_eigenvectors=False)), ('schur', [C], {}),
    ('schur', [A], dict(compute_schur_vectors=False)),
    ('hessenberg', [A], {}), ('tridiagonal', [SPD], dict(lower=False))])
def test_against_jax(name, args, options):
    jax = pytest.importorskip('jax')
    with jax.enable_x64(True):
        expected = getattr(jax.lax.linalg, name)(*[jax.numpy.asarray(a) for a in args], **options)
        for x, y in zip(leaves(getattr(linalg, name)(*args, **options)), leaves(expected), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize('shape', [(0, 0), (0, 3, 3), (2, 0, 0), (0, 4), (4, 0), (1, 1)])
def test_empty(shape):
    x = np.zeros(shape) + np.eye(*shape[-2:])
    for f in (linalg.lu, linalg.qr, lambda x: linalg.qr(x, pivoting=True), lambda x: linalg.svd(x, compute_uv=False)):
        assert all(np.isfinite(leaf).all() for leaf in leaves(f(x)))
    if shape[-1] == shape[-2]:
        for f in (linalg.cholesky, linalg.schur, linalg.hessenberg, linalg.tridiagonal, linalg.eigh, linalg.eig):
            assert all(np.isfinite(leaf).all() for leaf in leaves(f(x)))


@pytest.mark.parametrize('call, error, words', [
    (lambda: linalg.cholesky(TALL), ValueError, r'square matrix. Got shape \(5, 3\)'),
    (lambda: linalg.qr(np.ones((3, 3), int)), TypeError, 'does not accept dtype int64'),
    (lambda: linalg.qr(np.ones((3, 3), np.float16)), TypeError, 'does not accept dtype float16'),
    (lambda: linalg.qr(np.ones(3)), TypeError, r'at least 2 dimensions, got shape \(3,\)'),
    (lambda: linalg.triangular_solve(A, np.ones((2, 4, 4), np.float32)), TypeError, 'one dtype, got float64, float32'),
    (lambda: linalg.triangular_solve(A, TALL), ValueError, 'do not fit'),
    (lambda: linalg.ormqr(TALL, TALL[0], TALL.T), ValueError, 'as many rows'),
    (lambda: linalg.qdwh(TALL.T), ValueError, 'must have M >= N'),
    (lambda: linalg.schur(A, sort_eig_vals=True), NotImplementedError, 'does not sort'),
    (lambda: lazy.grad(lambda x: linalg.schur(x)[0].sum())(A), NotImplementedError, 'derivative of schur'),
    (lambda: np.asarray(linalg.cholesky(-SPD)), np.linalg.LinAlgError, 'positive definite'),
    (lambda: np.asarray(linalg.tridiagonal_solve(*[0 * x for x in DIAGONALS], TALL)), np.linalg.LinAlgError, 'ingular'),
    (lambda: lazy.lax.fft(TALL, 'FFT', (4,)), ValueError, 'minor dimensions must be equal'),
    (lambda: lazy.lax.fft(C, 'RFFT', (4,)), ValueError, 'only real valued inputs'),
])
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_convergence_of_qdwh():
    x = np.stack([TALL, TALL])
    x[1, 0, 0] = np.nan
    u, h, steps, converged = linalg.qdwh(x)
    assert steps.dtype == np.int32 and converged.tolist() == [True, False]
    assert np.isfinite(np.asarray(h)[0]).all() and np.isnan(np.asarray(u)[1]).all()
    with pytest.raises(np.linalg.LinAlgError):
        np.asarray(lazy.grad(lambda x: linalg.qdwh(x)[0].sum())(0 * TALL))


def test_singular_tridiagonal_matrices_may_be_perturbed():
    solved = linalg.tridiagonal_solve(*[0 * x for x in DIAGONALS], TALL, perturb_singular=True)
    assert np.isfinite(np.asarray(solved)).all()


@pytest.mark.parametrize('shape',
                         [(0, 3, 3), (5, 3, 3), (5, 1, 1), (6, 4, 2), (6, 2, 4), (6, 0, 2), (2, 5, 5), (7, 2, 2)])
@pytest.mark.parametrize('is_complex', [False, True])
def test_many_small_matrices_as_one_by_one(shape, is_complex):
    x = normal(shape) + (1j * normal(shape) if is_complex else 0)
    factors, pivots, permutation = (np.asarray(v) for v in linalg.lu(x))
    for i, a in enumerate(x if x.size else x[:0]):
        expected = scipy.linalg.lu_factor(a)
        np.testing.assert_allclose(factors[i], expected[0], rtol=1e-10, atol=1e-12)
        np.testing.assert_array_equal(pivots[i], expected[1])
        k = min(a.shape)
        product = (np.tril(factors[i][:, :k], -1) + np.eye(len(a), k)) @ np.triu(factors[i][:k])
        np.testing.assert_allclose(product, a[permutation[i]], atol=1e-12)
    if shape[1] == shape[2]:
        solved = np.asarray(linalg.triangular_solve(x, x, left_side=True, lower=True))
        np.testing.assert_allclose(np.tril(x) @ solved, x, atol=1e-9)


def test_singular_matrices_among_many():
    x = np.stack([np.eye(2)] * 5)
    x[3] = [[1, 2], [2, 4]]
    assert np.asarray(linalg.lu(x)[0])[3, 1, 1] == 0
    x[3] = [[1, 2], [2, 0]]
    with pytest.raises(np.linalg.LinAlgError, match='ingular'):
        np.asarray(linalg.triangular_solve(x, x, left_side=True, lower=True))


def test_reflections_of_raw_qr():
    packed, taus = jnp.linalg.qr(TALL, 'raw')
    expected = np.linalg.qr(TALL, 'raw')
    np.testing.assert_allclose(packed, expected[0])
    np.testing.assert_allclose(taus, expected[1])
    q = linalg.ormqr(packed.mT, taus, np.eye(5))
    np.testing.assert_allclose(q, np.linalg.qr(TALL, 'complete')[0], atol=1e-12)
