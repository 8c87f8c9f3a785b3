"""Factors and solutions of matrices that LAPACK does one by one, and of many small ones, against NumPy."""
import numpy as np
import pytest

import lazy
import lazy.numpy as lnp

DTYPES = ['float32', 'float64', 'complex64', 'complex128']
SHAPES = [(40, 40), (3, 40, 40), (70, 40), (2, 40, 70), (3000, 4, 4), (0, 40, 40), (500, 5, 3), (2, 3000, 3, 3)]


def matrices(shape, dtype, seed=0):
    random = np.random.default_rng(seed)
    found = random.standard_normal(shape)
    return (found + 1j * random.standard_normal(shape) if 'complex' in dtype else found).astype(dtype)


def positive(shape, dtype):
    a = matrices(shape, dtype)
    return (a @ adjoint(a) / shape[-1] + np.eye(shape[-1])).astype(dtype)


def adjoint(a):
    return a.conj().swapaxes(-1, -2)


def close(got, want, dtype):
    got = np.asarray(got)
    assert got.shape == want.shape
    if want.size:
        tolerance = 2e-3 if dtype in ('float32', 'complex64') else 1e-9
        assert abs(got - want).max() <= tolerance * max(1, abs(want).max())


def diagonal(values, shape):
    return values[..., None] * np.eye(*shape[-2:])


@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize('shape', SHAPES, ids=str)
def test_factors(shape, dtype):
    a = matrices(shape, dtype)
    x, k = lnp.asarray(a), min(shape[-2:])
    for full in (False, True):
        u, s, vh = (np.asarray(part) for part in lnp.linalg.svd(x, full_matrices=full))
        close((u[..., :k] * s[..., None, :]) @ vh[..., :k, :], a, dtype)
        close(adjoint(u) @ u, np.broadcast_to(np.eye(u.shape[-1]), u.shape[:-2] + u.shape[-1:] * 2), dtype)
        close(s, np.linalg.svd(a, compute_uv=False), dtype)
        q, r = (np.asarray(part) for part in lnp.linalg.qr(x, 'complete' if full else 'reduced'))
        want = np.linalg.qr(a, 'complete' if full else 'reduced')
        close(q, want[0], dtype)
        close(r, want[1], dtype)
    close(lnp.linalg.svdvals(x), np.linalg.svd(a, compute_uv=False), dtype)


@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize('shape', [s for s in SHAPES if s[-1] == s[-2]], ids=str)
def test_square(shape, dtype):
    a, p = matrices(shape, dtype), positive(shape, dtype)
    b = matrices(shape[:-1] + (3,), dtype, 1)
    x, y = lnp.asarray(p), lnp.asarray(b)
    close(lnp.linalg.cholesky(x), np.linalg.cholesky(p), dtype)
    close(lnp.linalg.solve(x, y), np.linalg.solve(p, b), dtype)
    close(lnp.linalg.inv(x), np.linalg.inv(p), dtype)
    turned = (p + a * (0.1j if 'complex' in dtype else 0.1)).astype(dtype)
    close(lnp.linalg.solve(lnp.asarray(turned), y), np.linalg.solve(turned, b), dtype)
    close(lnp.linalg.det(lnp.asarray(p)), np.linalg.det(p), dtype)
    w, v = (np.asarray(part) for part in lnp.linalg.eigh(x))
    close(w, np.linalg.eigvalsh(p), dtype)
    close((v * w[..., None, :]) @ adjoint(v), p, dtype)
    close(lnp.linalg.eigvalsh(x), np.linalg.eigvalsh(p), dtype)


@pytest.mark.parametrize('n', [3, 40])
@pytest.mark.parametrize('function, matrix, message', [
    ('cholesky', -1, 'positive definite'), ('inv', 0, 'Singular'), ('svd', np.nan, 'converge'),
    ('svdvals', np.nan, 'converge')])
def test_what_has_no_result_is_a_linalg_error(function, matrix, message, n):
    for batch in ((), (1000,) if n == 3 else (2,)):
        a = np.eye(n) * np.ones((*batch, 1, 1))
        a[..., n - 1, n - 1] = matrix
        with pytest.raises(np.linalg.LinAlgError, match=message):
            lazy.block_until_ready(getattr(lnp.linalg, function)(lnp.asarray(a)))


@pytest.mark.parametrize('n', [3, 36])
def test_derivatives(n):
    a, b = lnp.asarray(positive((n, n), 'float64')), lnp.asarray(matrices((n, 2), 'float64', 1))
    for f in (lambda a: lnp.linalg.inv(a).sum(), lambda a: lnp.linalg.solve(a, b).sum(),
              lambda a: lnp.linalg.svdvals(a).sum(), lambda a: (lnp.linalg.eigvalsh(a)**2).sum(),
              lambda a: lnp.linalg.cholesky(a).sum(), lambda a: lnp.linalg.det(a / 2)):
        step = 1e-6 * lnp.asarray(matrices((n, n), 'float64', 2))
        want = (float(f(a + step)) - float(f(a - step))) / 2
        assert float((lazy.grad(f)(a) * step).sum()) == pytest.approx(want, rel=1e-4, abs=1e-9)
        assert float(lazy.jvp(f, (a,), (step,))[1]) == pytest.approx(want, rel=1e-4, abs=1e-9)
        stacked = lazy.vmap(f)(lnp.stack([a, a * 2]))
        np.testing.assert_allclose(stacked, [float(f(a)), float(f(a * 2))], rtol=1e-9)


def with_values(values, shape, dtype):
    """A matrix with these singular values."""
    u, v = (np.linalg.qr(matrices((n, n), dtype, seed))[0] for n, seed in zip(shape, (1, 2)))
    return ((u[:, :len(values)] * values) @ v[:len(values)]).astype(dtype)


@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize('shape', [(60, 12), (12, 60), (20, 20), (1, 1), (1, 5), (5, 1)], ids=str)
def test_least_squares(shape, dtype):
    """Well-conditioned matrices, ill-conditioned ones, and those without full rank, whose small values count as 0."""
    k, wide = min(shape), 'complex128' if 'complex' in dtype else 'float64'
    for least, rank in ((0.5, k), (1e-2, k), (1e-5, k), (0, max(1, k - 2))):
        values = np.geomspace(1, least or 1e-2, k)
        values[rank:] = 0
        a = with_values(values, shape, wide)
        b = a @ matrices((shape[1], 3), wide, 3) + 0.1 * matrices((shape[0], 3), wide, 4)
        a, b = a.astype(dtype), b.astype(dtype)
        got = [np.asarray(x) for x in lnp.linalg.lstsq(lnp.asarray(a), lnp.asarray(b), 1e-6)]
        want = np.linalg.lstsq(a.astype(wide), b.astype(wide), 1e-6)
        error = np.finfo(dtype).eps * (20 / (least or 1e-2))**2
        assert abs(got[0] - want[0]).max() <= max(error, 1e-6 if error > 1e-7 else 0) * max(1, abs(want[0]).max())
        np.testing.assert_allclose(got[1], (abs(b - a @ want[0])**2).sum(0), rtol=1e-3, atol=1e-4)
        assert got[2] == want[2] == rank or k == 1
        np.testing.assert_allclose(got[3], want[3], atol=1e-5)


@pytest.mark.parametrize('shape', [(9, 4), (4, 9), (6, 6)], ids=str)
@pytest.mark.parametrize('rank', [4, 3])
def test_derivatives_of_least_squares(shape, rank):
    """Along directions that keep the rank: a is a product of matrices of which it is the inner size."""
    m, n = shape
    p, q, b = (lnp.asarray(matrices(of, 'float64', seed)) for of, seed in (((m, rank), 0), ((rank, n), 1), ((m, 2), 2)))
    f = lambda p, q, b: (lnp.linalg.lstsq(p @ q, b, 1e-10)[0] ** 2).sum()
    for number, x in enumerate((p, q, b)):
        step = 1e-6 * lnp.asarray(matrices(x.shape, 'float64', 3))
        moved = lambda s: [y + s * step if i == number else y for i, y in enumerate((p, q, b))]
        want = (float(f(*moved(1))) - float(f(*moved(-1)))) / 2
        assert float((lazy.grad(f, number)(p, q, b) * step).sum()) == pytest.approx(want, rel=1e-4, abs=1e-9)


def test_least_squares_of_what_is_not_finite_is_a_linalg_error():
    a = np.eye(50, 7)
    a[3, 3] = np.nan
    with pytest.raises(np.linalg.LinAlgError, match='converge'):
        np.asarray(lnp.linalg.lstsq(lnp.asarray(a), lnp.ones(50))[0])


def test_values_alone_are_computed_without_vectors():
    """Where only the values are used the vectors are not computed, also of svd and eigh themselves."""
    a = lnp.asarray(positive((40, 40), 'float64'))
    assert 'svdvals' in str(lazy.explain(lambda a: lnp.linalg.svd(a)[1], a))
    assert 'eigvalsh' in str(lazy.explain(lambda a: lnp.linalg.eigh(a)[0].sum(), a))
    assert 'svdvals' not in str(lazy.explain(lambda a: lnp.linalg.svd(a), a))
