"""lazy.scipy.linalg against SciPy: values, derivatives, batches, errors."""
import numpy as np
import pytest
import scipy.linalg as theirs

import lazy
import lazy.numpy as jnp
from lazy.scipy import linalg as ours
from rows import Row, checks_of, leaves

rng = np.random.default_rng(5)
A, B = rng.normal(size=(2, 4, 4)) + 2 * np.diag(np.arange(4.))
TALL, V, W = rng.normal(size=(5, 3)), rng.normal(size=4), rng.normal(size=3)
C = A + 1j * B
SPD, SPD2 = A @ A.T + 2 * np.eye(4), B @ B.T + 3 * np.eye(4)
HERMITIAN = C @ C.conj().T + np.eye(4)
ROTATION = np.linalg.qr(B)[0]


def both(name, *args, order=2, narrow=2e-3, tolerance=1e-9, vmap=True, pick=lambda x: x, label='', **options):
    """A row for the function of one name in both libraries; pick takes what is compared out of the results."""
    text = ' '.join([name, label, *[f'{k}={v}' for k, v in options.items()], *[str(np.shape(a)) for a in args]])
    call = lambda module: lambda *x: pick(getattr(module, name)(*x, **options))
    return Row(text, call(ours), call(theirs), args, order, tolerance, narrow, vmap)


def tridiagonal(d, e):
    return np.diag(d) + np.diag(e, -1) + np.diag(e.conj(), 1)


ROWS = [
    both('solve', A, V), both('solve', A, TALL[:4]), both('solve', C, V),
    both('solve', SPD, V, assume_a='pos', order=1), both('solve', SPD, V, assume_a='sym', order=1),
    *[both('solve_triangular', C, V, trans=trans, lower=lower, unit_diagonal=unit) for trans, lower, unit in
      ((0, False, False), ('T', True, False), (2, False, True), ('N', True, True), (1, False, False),
       ('C', True, False))],
    both('solve_sylvester', A, W[:, None] * np.eye(3) + 5 * np.eye(3), TALL[:4]),
    both('solve_sylvester', C, 3 * np.eye(4) + B, C),
    both('inv', A), both('det', A), both('det', C),
    both('cholesky', SPD), both('cholesky', SPD, lower=True), both('cholesky', HERMITIAN),
    Row('cho_solve', lambda a, b: ours.cho_solve(ours.cho_factor(a), b), np.linalg.solve, [HERMITIAN, V]),
    Row('cho_solve lower', lambda a, b: ours.cho_solve(ours.cho_factor(a, True), b), np.linalg.solve, [SPD, TALL[:4]]),
    both('lu', A), both('lu', TALL), both('lu', TALL.T), both('lu', C, permute_l=True), both('lu_factor', A),
    *[Row(f'lu_solve {trans}', lambda a, b, trans=trans: ours.lu_solve(ours.lu_factor(a), b, trans),
          lambda a, b, trans=trans: theirs.lu_solve(theirs.lu_factor(a), b, trans), [C, V]) for trans in (0, 1, 2)],
    both('qr', TALL), both('qr', TALL, mode='economic'), both('qr', A, mode='r'),
    both('qr', TALL, pivoting=True, vmap=False),
    both('qr_multiply', TALL, TALL.T), both('qr_multiply', TALL, W[:, None], mode='left', vmap=False),
    both('qr_multiply', C, V, conjugate=True),
    both('qr_multiply', C, C, mode='left', conjugate=True, pivoting=True, order=1, vmap=False),
    both('svd', TALL, compute_uv=False), both('svd', A, pick=lambda x: (abs(x[0]), x[1], abs(x[2]))),
    both('eigh', SPD, eigvals_only=True), both('eigh', HERMITIAN, lower=False, eigvals_only=True),
    both('eigh', SPD, pick=lambda x: (x[0], abs(x[1]))),
    *[both('eigh', SPD, SPD2, type=type, lower=lower, order=1, pick=lambda x: (x[0], abs(x[1]))) for type, lower in
      ((1, True), (2, False), (3, True))],
    both('eigh_tridiagonal', V, W, pick=lambda x: (x[0], abs(x[1]))), both('eigh_tridiagonal', V, W, eigvals_only=True),
    both('eigh_tridiagonal', V, W, eigvals_only=True, select='i', select_range=(1, 2)),
    Row('eigh_tridiagonal complex', lambda d, e: (lambda w, v: v * w @ v.conj().T)(*ours.eigh_tridiagonal(d, e)),
        tridiagonal,
        [V + 0j, W + 1j * W[::-1]], order=1),
    both('polar', TALL), both('polar', TALL.T, side='left'), both('polar', C, side='left'), both('polar', ROTATION),
    Row('polar svd', lambda x: ours.polar(x, method='svd'), theirs.polar, [A]),
    both('schur', A, order=0, narrow=None, tolerance=1e-7, vmap=False),
    both('schur', C, order=0, narrow=None, vmap=False),
    both('rsf2csf', np.triu(A), ROTATION, order=0),
    both('hessenberg', A, order=0), both('hessenberg', C, calc_q=True, order=0),
    both('expm', A), both('expm', C / 9), both('expm', 0 * A),
    both('expm_frechet', A, B, order=1), both('expm_frechet', A[:2, :2], B[:2, :2], compute_expm=False),
    Row('sqrtm', ours.sqrtm, lambda x: theirs.sqrtm(x) + 0j, [SPD]),
    Row('sqrtm negative', ours.sqrtm, theirs.sqrtm, [-SPD], order=1),
    both('sqrtm', C + 9 * np.eye(4)),
    Row('funm', lambda x: ours.funm(x, jnp.exp), lambda x: theirs.expm(x) + 0j, [A], order=0, tolerance=1e-8,
        narrow=1e-2),
    both('toeplitz', V), both('toeplitz', V, W), both('toeplitz', V + 1j), both('hankel', V), both('hankel', V, W),
    both('circulant', V), both('companion', V), both('fiedler', V), both('leslie', V, W), both('block_diag', A, W),
    *[both('fiedler_companion', rng.normal(size=n), order=1) for n in (2, 3, 4, 5, 8)],
    *[both('convolution_matrix', V, n=n, mode=mode) for n in (2, 4, 6) for mode in ('full', 'same', 'valid')],
]

test_values, test_jit_and_vmap, test_derivatives = checks_of(ROWS)


@pytest.mark.parametrize('n', [1, 2, 5, 16])
@pytest.mark.parametrize('name, options', [
    ('hilbert', {}), ('invhilbert', {}), ('helmert', {}), ('helmert', dict(full=True)), ('hadamard', {}), ('dft', {}),
    ('dft', dict(scale='sqrtn')), ('dft', dict(scale='n')),
    *[(name, dict(kind=kind)) for name in ('pascal', 'invpascal') for kind in
                                                             ('symmetric', 'lower', 'upper')]])
def test_matrices_of_a_size(name, options, n):
    if name == 'hadamard' and n & (n - 1):
        pytest.skip('powers of 2 only')
    found, expected = np.asarray(getattr(ours, name)(n, **options)), getattr(theirs, name)(n, **options)
    assert found.dtype == {'dft': np.complex64, 'hadamard': np.int32}.get(name, np.float32)
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize('shape', [(0, 0), (0, 3, 3), (1, 1)])
def test_empty_and_smallest(shape):
    x = np.zeros(shape) + np.eye(shape[-1])
    for name in ('cholesky', 'lu', 'qr', 'svd', 'schur', 'hessenberg', 'expm', 'sqrtm', 'polar', 'inv', 'det', 'eigh'):
        assert all(np.isfinite(leaf).all() for leaf in leaves(getattr(ours, name)(x)))
    for name in ('toeplitz', 'hankel', 'circulant', 'fiedler'):
        assert getattr(ours, name)(x).shape == shape + shape[-1:]
    assert ours.solve_triangular(x, x).shape == ours.solve(x, x).shape == shape


@pytest.mark.parametrize('dtype', [int, np.float16, 'bfloat16'])
def test_integers_and_narrow_floats_are_computed_in_float32(dtype):
    x = jnp.array([[4, 1], [1, 3]], dtype)
    for name in ('cholesky', 'lu', 'qr', 'svd', 'expm', 'polar', 'inv', 'eigh', 'schur'):
        assert all(leaf.dtype in (np.float32, np.int32) for leaf in leaves(getattr(ours, name)(x)))
    assert ours.toeplitz(x).dtype == x.dtype


@pytest.mark.parametrize('name, args', [
    ('cholesky', [SPD]), ('solve', [A, TALL[:4]]), ('expm', [A]), ('sqrtm', [C]), ('funm', [A, jnp.sin]),
    ('polar', [TALL]),
    ('toeplitz', [V, W]), ('companion', [V]), ('eigh_tridiagonal', [V, W])])
def test_leading_axes(name, args):
    """Two examples at once are those alone."""
    stacked = [np.stack([a, 0.9 * a]) if isinstance(a, np.ndarray) else a for a in args]
    found, single = leaves(getattr(ours, name)(*stacked)), leaves(getattr(ours, name)(*args))
    for x, y in zip(found, single, strict=True):
        np.testing.assert_allclose(x[0], y, rtol=1e-9, atol=1e-9)


def test_one_matrix_for_several_right_hand_sides():
    b = rng.normal(size=(3, 4, 2))
    for found in (ours.solve_triangular(A, b), ours.cho_solve(ours.cho_factor(SPD), b),
                  ours.lu_solve(ours.lu_factor(A), b)):
        assert found.shape == b.shape


def test_exponentials_of_large_matrices():
    large = 1e7 * np.eye(2)
    assert np.isnan(np.asarray(ours.expm(-large))).all()
    assert not np.asarray(ours.expm(-1e4 * np.eye(2))).any()
    assert np.isnan(np.asarray(ours.expm(np.full((2, 2), np.nan)))).all()


@pytest.mark.parametrize('call', [
    ours.schur, ours.sqrtm, lazy.lax.linalg.eig, lambda x: ours.rsf2csf(x, A), lambda x: ours.solve_sylvester(x, A, B)])
def test_what_has_no_result_is_an_error(call):
    bad = A.copy()
    bad[1, 2] = np.nan
    with pytest.raises(np.linalg.LinAlgError):
        leaves(call(bad))


def test_nan_gives_nan():
    bad = A.copy()
    bad[1, 2] = np.nan
    for call in (ours.inv, ours.expm, ours.det, ours.hessenberg, lambda x: ours.expm_frechet(x, A)[1], ours.polar):
        assert any(np.isnan(leaf).any() for leaf in leaves(call(bad)))


def test_estimated_error_of_funm():
    found, error = ours.funm(A, jnp.exp, disp=False)
    assert found.shape == A.shape and 0 < float(error) < 1e-10


@pytest.mark.parametrize('call, error, words', [
    (lambda: ours.cholesky(TALL), ValueError, r'square matrices, got shape \(5, 3\)'),
    (lambda: ours.solve(A, V, assume_a='banded'), ValueError, 'Expected assume_a'),
    (lambda: ours.solve_triangular(A, V, 3), ValueError, "Invalid 'trans' value 3"),
    (lambda: ours.solve_triangular(A, W), ValueError, r'shapes \(4, 4\) and \(3,\) do not fit'),
    (lambda: ours.solve_sylvester(A, B, TALL), ValueError, 'Incompatible shapes for Sylvester'),
    (lambda: np.asarray(ours.solve_sylvester(A, -A, B)), np.linalg.LinAlgError, 'common eigenvalue'),
    (lambda: np.asarray(ours.cholesky(-SPD)), np.linalg.LinAlgError, 'positive definite'),
    (lambda: ours.qr(A, mode='raw'), ValueError, "Unsupported QR decomposition mode 'raw'"),
    (lambda: ours.qr_multiply(TALL, W), ValueError, 'not compatible'),
    (lambda: ours.schur(A, 'imaginary'), ValueError, "Expected 'output'"),
    (lambda: ours.eigh_tridiagonal(V, W, select='v', select_range=(0, 1)), NotImplementedError, 'depends on values'),
    (lambda: ours.polar(A, 'up'), ValueError, "must be either 'right' or 'left'"),
    (lambda: ours.expm_frechet(A, TALL), ValueError, 'square'),
    (lambda: ours.leslie(V, V), ValueError, 'one less'),
    (lambda: ours.companion([1.]), ValueError, 'at least 2'),
    (lambda: ours.convolution_matrix(V, 0), ValueError, 'positive integer'),
    (lambda: ours.hadamard(6), ValueError, 'power of 2'),
    (lambda: ours.dft(4, dtype='float32'), ValueError, 'complex'),
    (lambda: ours.pascal(3, 'round'), ValueError, 'Expected kind'),
    (lambda: ours.block_diag(np.ones((1, 1, 1))), ValueError, 'at most 2 dimensions'),
])
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call()
