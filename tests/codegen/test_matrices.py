"""Kernels for many small matrices, on all widths of vectors that this machine has, and large ones against LAPACK."""
import types

import numpy as np
import pytest

import lazy
import lazy.numpy as lnp
from lazy.codegen import llvm, lu, matrices, runtime
from lazy.ir import lapack, ops
from lazy.ir.graph import aval

pytestmark = pytest.mark.skipif(runtime.runner() is None, reason='no native code here')
WIDTHS = [width for width in (512, 256, 128) if width <= llvm.host().width_bits]
SIZES = [1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32]


@pytest.fixture(scope='module', params=WIDTHS)
def width(request):
    """The kernels for vectors of so many bits."""
    machine, patch = llvm.host(request.param), pytest.MonkeyPatch()
    patch.setattr(matrices, '_addresses', {})
    patch.setattr(matrices, 'llvm', types.SimpleNamespace(
        host=lambda: machine, functions=llvm.functions, object_key=llvm.object_key))
    yield machine
    patch.undo()


def numbers(shape, dtype, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def mixed(a):
    """Well-conditioned matrices whose rows have to be exchanged, others in each."""
    count, n = a.shape[:2]
    orders = np.argsort(numbers((count, n), 'float32', 1))
    return (a / np.sqrt(n) + 3 * np.eye(n)[orders]).astype(a.dtype)


def positive(a):
    return (a @ a.swapaxes(1, 2) / a.shape[-1] + np.eye(a.shape[-1])).astype(a.dtype)


def right(a, columns=3):
    return numbers((*a.shape[:2], columns), a.dtype, 2)


def triangular(lower, transpose, unit):
    """A case whose other triangle, and diagonal if that isn't looked at, are NaN."""
    def arrays(a):
        n = a.shape[-1]
        seen = np.tri(n, n, -int(unit), dtype=bool)
        t = a / (2 * n) + 2 * np.eye(n)
        return [np.where(seen if lower else seen.T, t, np.nan).astype(a.dtype), right(a)]
    return ops.triangular_solve, arrays, dict(lower=lower, transpose=transpose, unit_diagonal=unit)


# operation, its arrays of random square matrices, keywords
CASES = {'cholesky': (ops.cholesky, lambda a: [np.tril(positive(a)) + np.triu(a + np.nan, 1)], {}),
         'solve': (ops.solve, lambda a: [mixed(a), right(a)], {}),
         'solve_one': (ops.solve, lambda a: [mixed(a), right(a, 1)], {}),
         'inverse': (ops.inverse, lambda a: [mixed(a)], {}),
         'lu': (ops.lu, lambda a: [mixed(a)], {}),
         'lu_tall': (ops.lu, lambda a: [mixed(a)[:, :, :-1] if a.shape[-1] > 1 else a], {}),
         'lu_wide': (ops.lu, lambda a: [mixed(a)[:, :-2] if a.shape[-1] > 2 else a], {}),
         **{f'triangular_{lower}_{transpose}_{unit}': triangular(lower, transpose, unit) for lower in (False, True)
            for transpose in (False, True) for unit in (False, True)}}


def computed(op, arrays, keywords):
    """(results, what they should be); the kernel must have been used."""
    assert matrices.prepare(op, [aval(x.shape, x.dtype) for x in arrays], True)
    with np.errstate(all='ignore'):
        want = op.numpy(*arrays, **keywords)
    want = want if isinstance(want, tuple) else (want,)
    found = [np.full(x.shape, 77, x.dtype) for x in want]
    assert matrices.run(op, found, arrays, keywords)
    return found, want


def counts(machine, dtype):
    lanes = machine.lanes(np.dtype(dtype).itemsize)
    return sorted({max(1, lanes // 2), lanes - 1, lanes, lanes + 1, 2 * lanes + 1})


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize('case', CASES)
def test_results_are_those_of_the_reference(case, dtype, width):
    op, arrays, keywords = CASES[case]
    for n in SIZES:
        for count in counts(width, dtype):
            for x, y in zip(*computed(op, arrays(numbers((count, n, n), dtype)), keywords)):
                error = (1e-3 if dtype == 'float32' else 1e-11) * abs(y).max(initial=1)
                np.testing.assert_allclose(x, y, rtol=0, atol=error)


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_eigenvalues_and_vectors(dtype, width):
    eps = np.finfo(dtype).eps
    for n in SIZES:
        a = numbers((33, n, n), dtype)
        a = a + a.swapaxes(1, 2)
        a[1], a[2], a[3], a[4] = 0, 1, np.eye(n), np.diag(np.arange(n)[::-1])
        a[5], a[6] = a[5] * 1e30, a[6] * 1e-30
        scale = abs(a).max((1, 2), keepdims=True) + np.finfo(dtype).tiny
        (w, v), (want, _) = computed(ops.eigh, [np.tril(a) + np.triu(a + np.nan, 1)], {})
        assert (abs(w - want) / scale[..., 0]).max() <= 8 * n * eps
        assert abs(v.swapaxes(1, 2) @ v - np.eye(n)).max() <= 8 * n * eps
        assert (abs((v * w[:, None]) @ v.swapaxes(1, 2) - a) / scale).max() <= 8 * n * eps
        if n <= 16:
            (alone,), _ = computed(ops.eigvalsh, [a], {})
            np.testing.assert_array_equal(alone, w)


@pytest.mark.parametrize('op', [ops.eigh, ops.eigvalsh], ids=repr)
def test_eigenvalues_of_what_is_not_finite_are_nan(op, width):
    a = np.stack([np.eye(3, dtype='float32')] * 20)
    a[4, 2, 1], a[5, 0, 0] = np.nan, np.inf
    assert matrices.prepare(op, [aval(a.shape, a.dtype)], True)
    found = [np.empty(a.shape[:2], a.dtype), np.empty(a.shape, a.dtype)][:2 if op is ops.eigh else 1]
    assert matrices.run(op, found, [a], {})                          # LAPACK raises for some sizes and not for others
    for x in found:
        np.testing.assert_array_equal(np.isnan(x).reshape(20, -1).all(1), np.isin(np.arange(20), [4, 5]))


# what one of many matrices may be, and what is said then; None: NaN in its own result alone
@pytest.mark.parametrize('function, bad, message', [
    ('cholesky', lambda n: -np.eye(n), 'not positive definite'), ('cholesky', np.zeros, 'not positive definite'),
    ('cholesky', lambda n: np.full((n, n), np.nan), None),
    ('inv', np.zeros, 'Singular'), ('inv', np.ones, 'Singular'), ('inv', lambda n: np.full((n, n), np.nan), None),
    ('solve', np.ones, 'Singular'), ('solve', lambda n: np.full((n, n), np.nan), None)])
def test_one_of_many_without_a_result(function, bad, message):
    n = 5
    for count, place in ((16, 0), (17, 16), (40, 20)):
        a = np.stack([np.eye(n, dtype='float32') * 2] * count)
        a[place] = bad((n, n)) if bad in (np.zeros, np.ones) else bad(n)
        call = lambda: np.asarray(_call(function, lnp.asarray(a)))
        for _ in range(4):                                           # the library's, then the kernel's
            if message:
                with pytest.raises(np.linalg.LinAlgError, match=message):
                    call()
            else:
                np.testing.assert_array_equal(np.isnan(call()).any((1, 2)), np.arange(count) == place)


def _call(function, a):
    return lnp.linalg.solve(a, lnp.ones((*a.shape[:2], 2))) if function == 'solve' else getattr(lnp.linalg, function)(a)


def test_determinants_of_singular_matrices_are_0():
    a = np.stack([np.ones((6, 6), 'float32'), *[np.eye(6, dtype='float32')] * 20])
    for _ in range(4):
        assert np.asarray(lnp.linalg.det(lnp.asarray(a))).tolist() == [0] + [1] * 20
        sign, size = (np.asarray(x) for x in lnp.linalg.slogdet(lnp.asarray(a)))
        assert sign.tolist() == [0] + [1] * 20 and size.tolist() == [-np.inf] + [0] * 20


def test_what_stays_with_lapack():
    """Single and few matrices, large and empty ones, complex ones, those with many right sides."""
    of = lambda dtype, *shapes: [aval(shape, np.dtype(dtype)) for shape in shapes]
    assert matrices.kernel_of(ops.cholesky, of('float32', (100, 8, 8)))
    for op, avals in [(ops.cholesky, of('float32', (8, 8))), (ops.cholesky, of('float32', (1, 8, 8))),
                      (ops.cholesky, of('float32', (100, 33, 33))), (ops.cholesky, of('complex64', (100, 8, 8))),
                      (ops.cholesky, of('float32', (100, 0, 0))), (ops.cholesky, of('float32', (0, 8, 8))),
                      (ops.solve, of('float32', (100, 8, 8), (100, 8, 1000))),
                      (ops.lu, of('float32', (100, 40, 2))), (ops.svd, of('float32', (100, 8, 8)))]:
        assert matrices.kernel_of(op, avals) is None


def test_through_programs():
    """Non-contiguous matrices, further leading axes, transformations; the kernel and the library agree."""
    a = positive(numbers((60, 6, 6), 'float64')).reshape(3, 20, 6, 6)
    x = lnp.asarray(a)
    f = lambda x: lnp.linalg.cholesky(x)
    for _ in range(4):
        np.testing.assert_allclose(f(x), np.linalg.cholesky(a), atol=1e-12)
        np.testing.assert_allclose(f(x[:, ::2, 1:, 1:]), np.linalg.cholesky(a[:, ::2, 1:, 1:]), atol=1e-12)
        np.testing.assert_allclose(lnp.concatenate([f(x), x]), np.concatenate([np.linalg.cholesky(a), a]), atol=1e-12)
        np.testing.assert_allclose(lazy.vmap(lazy.vmap(f))(x), np.linalg.cholesky(a), atol=1e-12)
        one = lazy.grad(lambda x: f(x).sum())(x[0, 0])
        np.testing.assert_allclose(lazy.grad(lambda x: f(x).sum())(x)[0, 0], one, atol=1e-10)
        np.testing.assert_allclose(lazy.jit(lnp.linalg.inv)(x), np.linalg.inv(a), atol=1e-12)


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize('shape', [(96, 96), (97, 97), (128, 128), (130, 333), (333, 130), (260, 260)], ids=str)
def test_lu_factors_of_large_matrices(shape, dtype):
    """Also of one that has no second row of its own, none at all in a panel, and of what is not finite."""
    (m, n), k = shape, min(shape)
    assert lu.prepare(dtype, True)
    a = numbers(shape, dtype)
    for change in (None, 'equal rows', 'zero columns', 'nothing', 'ones'):
        if change == 'equal rows':
            a[k // 2] = a[1]
        elif change == 'zero columns':
            a[:, 3:70:5] = 0
        elif change:
            a[:] = change == 'ones'
        assert lu.fits([aval(a.shape, a.dtype)])
        want, got = lapack.lu(a), [np.empty_like(x) for x in lapack.lu(a)]
        assert matrices.run(ops.lu, got, [a], {})
        factors, order, sign, pivots = got
        lower, upper = np.tril(factors[:, :k], -1) + np.eye(m, k), np.triu(factors[:k])
        np.testing.assert_allclose(lower @ upper, a[order], atol=30 * k * np.finfo(dtype).eps)
        assert abs(lower).max() <= 1
        if change is None:
            for x, y in zip(got, want):
                np.testing.assert_allclose(x, y, atol=2e-2 if dtype == 'float32' else 1e-10)
    a[5, 7] = np.nan
    assert matrices.run(ops.lu, got, [a], {}) and np.isnan(np.diagonal(got[0]).prod())


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_solutions_of_large_equations(dtype):
    a, b = numbers((150, 150), dtype), numbers((150, 3), dtype, 1)
    assert lu.prepare(dtype, True)
    got = np.empty_like(b)
    assert matrices.run(ops.solve, [got], [a, b], {})
    np.testing.assert_allclose(a @ got, b, atol=1e-2 if dtype == 'float32' else 1e-10)
    a[4] = 0
    with pytest.raises(np.linalg.LinAlgError, match='Singular'):
        matrices.run(ops.solve, [got], [a, b], {})


@pytest.mark.parametrize('bits', WIDTHS)
@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_lu_compiles_for_all_widths(dtype, bits):
    machine = llvm.host(bits)
    assert set(llvm.functions(lu.emit(dtype, machine), ['lu_panel', 'lu_rows'], machine)) == {'lu_panel', 'lu_rows'}


def test_lu_of_a_part_of_an_array():
    a = numbers((300, 300), 'float64')
    x = lnp.asarray(a)
    for _ in range(4):
        both = np.asarray(lnp.concatenate([lazy.lax.linalg.lu(x[50:250, :200])[0], x[:7, :200]]))
        np.testing.assert_allclose(both[:200], lapack.lu(a[50:250, :200])[0], atol=1e-10)
        np.testing.assert_array_equal(both[200:], a[:7, :200])


@pytest.mark.parametrize('dtype', ['float32', 'int32', 'float64', 'complex64', 'complex128', 'int16'])
def test_copies_of_turned_matrices(dtype):
    a = aval((400, 400), np.dtype('float32' if np.dtype(dtype).itemsize == 4 else 'float64'))
    assert matrices.prepare(ops.lu, [a], True)
    for m, n in ((128, 128), (129, 143), (200, 130), (144, 400), (3, 500)):
        x = (numbers((n + 5, m + 3), 'float32') * 1000).astype(dtype)[:n, :m]
        to = np.zeros((m, n + 7), dtype)
        matrices.copy(to[:, :n], x.T)
        np.testing.assert_array_equal(to[:, :n], x.T)
        assert not to[:, n:].any()
        np.testing.assert_array_equal(matrices.by_columns(ops.lu, x), x)


@pytest.mark.parametrize('n', [6, 40, 130])
def test_programs_that_turn_matrices_around(n):
    a = numbers((n, n + 2), 'float64')
    for _ in range(3):
        q, r = (np.asarray(x) for x in lnp.linalg.qr(lnp.asarray(a)))
        np.testing.assert_allclose(q @ r, a, atol=1e-12 * n)
        factors, pivots, permutation = (np.asarray(x) for x in lazy.lax.linalg.lu(lnp.asarray(a)))
        lower, upper = np.tril(factors[:, :n], -1) + np.eye(n), np.triu(factors)
        np.testing.assert_allclose(lower @ upper, a[permutation], atol=1e-12 * n)
        np.testing.assert_array_equal(lapack.pivots_to_permutation(pivots, n), permutation)
    w, v = (np.asarray(x) for x in lnp.linalg.eig(lnp.asarray(a[:, :n])))
    np.testing.assert_allclose(a[:, :n] @ v, v * w, atol=1e-11 * n)


def test_results_in_common_memory():
    """One of several results is read where it lies; it is copied where it is a result, or written over."""
    a = numbers((7, 7), 'float64')
    u, s, vh = np.linalg.svd(a)

    def program(x):
        u, s, vh = lnp.linalg.svd(x)
        later = s.at[0].set(-1.0)
        return (s, later, later * 2 + s, (u * u).reshape(-1), (u * s) @ vh, s.reshape(1, 7), abs(vh).at[2].add(1.0),
                s[::-1])

    for f in (program, lazy.jit(program)):
        got = [np.asarray(x) for x in f(lnp.asarray(a))]
        changed, rows = s.copy(), abs(vh)
        changed[0], rows[2] = -1, rows[2] + 1
        want = [s, changed, changed * 2 + s, (u * u).reshape(-1), a, s[None], rows, s[::-1]]
        for x, y in zip(got, want, strict=True):
            np.testing.assert_allclose(x, y, atol=1e-12)
    total = lazy.jit(lambda x: sum([(part * part).sum() for part in lnp.linalg.eigh(x + x.mT)]))
    np.testing.assert_allclose(total(lnp.asarray(a)), (np.linalg.eigvalsh(a + a.T)**2).sum() + 7)
    folded = lazy.jit(lambda x: lnp.linalg.qr(x)[1].reshape(49).at[3].set(0.0))
    want = np.linalg.qr(a)[1].reshape(49)
    want[3] = 0
    np.testing.assert_allclose(folded(lnp.asarray(a)), want, atol=1e-12)
