"""Cumulative operations as kernels of the native target, against NumPy's."""
import numpy as np
import pytest

import hosts
import lazy
import lazy.numpy as lnp
from lazy import lax

ACCUMULATE = {'cumsum': np.add, 'cumprod': np.multiply, 'cummax': np.maximum, 'cummin': np.minimum,
              'cumlogsumexp': np.logaddexp}
# Below and above a vector; rows, columns and axes between; those that are done in parts.
SHAPES = [((1,), 0), ((5,), 0), ((37,), 0), ((4, 1), 1), ((3, 50), 1), ((33, 129), 1), ((40, 37), 0), ((4, 5, 6), 1),
          ((0, 4), 0), ((4, 0), 0), ((70_001,), 0), ((3, 30_000), 1), ((20_000, 7), 0), ((2, 20_000, 3), 1)]
TOLERANCE = {'f2': 2e-3, 'f4': 1e-5, 'f8': 1e-11}


def rng():
    return np.random.default_rng(3)


def operand(name, shape, dtype):
    if name == 'cumprod':
        values = rng().choice([1.01, 1 / 1.01], shape)
        return (values if dtype[0] == 'f' else rng().integers(-2, 3, shape)).astype(dtype)
    return (rng().uniform(-1, 1, shape) if dtype[0] == 'f' else rng().integers(0, 120, shape)).astype(dtype)


def reference(name, x, axis, reverse=False):
    """The sums of float16 and float32 in float64, rounded at the end."""
    x = np.flip(x, axis) if reverse else x
    with np.errstate(all='ignore'):
        found = ACCUMULATE[name].accumulate(x, axis, dtype=np.float64 if x.dtype.kind == 'f' else x.dtype)
    return np.flip(found, axis) if reverse else found


def check(got, want, dtype):
    """Differences in parts of the largest element: those are what is added up."""
    got = np.asarray(got)
    assert got.dtype == dtype and got.shape == want.shape
    if np.dtype(dtype).kind != 'f':
        return np.testing.assert_array_equal(got, want)
    finite = np.abs(want[np.isfinite(want)])
    tolerance = TOLERANCE[dtype]
    np.testing.assert_allclose(got.astype(np.float64), want, tolerance, tolerance * max(finite, default=0))


@pytest.mark.parametrize('name', ACCUMULATE)
@pytest.mark.parametrize('dtype', ['f2', 'f4', 'f8', 'i1', 'i4', 'u2', 'i8'])
def test_sizes(name, dtype):
    if name == 'cumlogsumexp' and dtype[0] != 'f':
        return
    for shape, axis in SHAPES:
        x = operand(name, shape, dtype)
        for reverse in (False, True):
            check(getattr(lax, name)(lnp.asarray(x), axis, reverse), reference(name, x, axis, reverse), dtype)


@pytest.mark.parametrize('host', hosts.possible()[:2])
def test_on_less(host):
    with hosts.reduced(host):
        for name in ACCUMULATE:
            for shape, axis in [((37,), 0), ((40, 37), 0), ((3, 30_000), 1)]:
                x = operand(name, shape, 'f4')
                check(getattr(lax, name)(lnp.asarray(x), axis, reverse=True), reference(name, x, axis, True), 'f4')


@pytest.mark.parametrize('dtype', ['f2', 'f4', 'f8'])
@pytest.mark.parametrize('axis', [0, 1])
def test_special_values(dtype, axis):
    rows = [[1, -3, np.nan, 7, -np.inf, np.inf], [-1, -2, -0.0, np.inf, -np.inf, 3],
            [-0.0] * 6, [np.inf] * 6, [-np.inf] * 6]
    x = np.array(rows * 4, dtype)
    for name in ACCUMULATE:
        got = np.asarray(getattr(lax, name)(lnp.asarray(x), axis))
        np.testing.assert_allclose(got, reference(name, x, axis).astype(dtype), TOLERANCE[dtype], err_msg=name)
    zeros = np.asarray(lax.cumsum(lnp.asarray(-np.zeros((3, 40), dtype)), axis))
    assert np.signbit(zeros).all()


def test_products_within_the_range():
    """Sequential products are in the range where those of some neighbours are not, and nothing comes back from 0."""
    for rest in ([1e30, 1e30, 1e30], [1e18] * 40, [1e-30, 1e30] * 300):
        for first in (0, 1e-38, 1e-20):
            x = np.array([first, 1, *rest], 'f4')
            with np.errstate(over='ignore'):
                want = np.cumprod(x, dtype=np.float64).astype('f4')
            np.testing.assert_allclose(lnp.cumprod(lnp.asarray(x)), want, 1e-5, 1e-44)
    x = np.full(1 << 17, 1.5, 'f4')
    x[:100], x[-100:] = 1e-5, 1e-5
    np.testing.assert_array_equal(lnp.cumprod(lnp.asarray(x))[1000:], 0)


def test_of_booleans():
    x = rng().random((5, 40)) < 0.3
    np.testing.assert_array_equal(lax.cummax(lnp.asarray(x), 1), np.maximum.accumulate(x, 1))
    np.testing.assert_array_equal(lnp.cumsum(lnp.asarray(x), 1), np.cumsum(x, 1))


@pytest.mark.parametrize('shape', [(50, 70), (3, 40_000), (40_000, 3), (300_007,)], ids=str)
def test_fused_with_what_is_around(shape):
    x = rng().uniform(-1, 1, shape)
    a = lnp.asarray(x)
    for axis in range(x.ndim):
        c, back, e = np.cumsum(x, axis), np.flip(np.cumsum(np.flip(x, axis), axis), axis), np.exp(x)
        steps = np.arange(x.shape[axis]).reshape([-1] + [1] * (x.ndim - 1 - axis))
        down, total = lambda a: lax.cumsum(a, axis, reverse=True), lambda a: lnp.sum(a, axis, keepdims=True)
        for name, f, want in [
                ('before and after', lambda a: lnp.cumsum(a * a + 1, axis) * 2 - a, np.cumsum(x * x + 1, axis) * 2 - x),
                ('two', lambda a: lnp.cumsum(a, axis) + lax.cummax(a, axis), c + np.maximum.accumulate(x, axis)),
                ('one of another', lambda a: lnp.cumsum(lnp.cumsum(a, axis), axis), np.cumsum(c, axis)),
                ('both ways', lambda a: lnp.cumsum(a, axis) + down(a), c + back),
                ('backwards', lambda a: down(a * 2) * a + lnp.asarray(steps), 2 * back * x + steps),
                ('reduced backwards', lambda a: lnp.max(down(a) * a, axis), np.max(back * x, axis)),
                ('place backwards', lambda a: lnp.argmax(down(a), axis), np.argmax(back, axis)),
                ('normed', lambda a: lnp.cumsum(a, axis) / total(a), c / x.sum(axis, keepdims=True)),
                ('of a softmax', lambda a: lnp.cumsum(lazy.nn.softmax(a, axis), axis),
                 np.cumsum(e / e.sum(axis, keepdims=True), axis)),
                ('reduced', lambda a: lnp.max(lnp.cumsum(a, axis), axis), c.max(axis)),
                ('beside', lambda a: lnp.stack([lnp.cumsum(a, axis).sum(axis), a.sum(axis)]),
                 np.stack([c.sum(axis), x.sum(axis)])),
                ('of what is repeated', lambda a: lnp.cumsum(lnp.ones_like(a), axis), np.cumsum(np.ones_like(x), axis)),
                ('turned', lambda a: lnp.cumsum(a.T, x.ndim - 1 - axis), c.T),
                ('flipped', lambda a: lnp.cumsum(lnp.flip(a), axis), np.cumsum(np.flip(x), axis)),
                ('reshaped', lambda a: lnp.cumsum(a.reshape(-1)), np.cumsum(x)),
                ('every second', lambda a: lnp.cumsum(a[::2], 0), np.cumsum(x[::2], 0)),
                ('last', lambda a: lnp.cumsum(a, axis)[..., -1] + 1, c[..., -1] + 1)]:
            np.testing.assert_allclose(f(a), want, 1e-9, 1e-9 * np.abs(want).max(), err_msg=name)


def test_one_kernel():
    x = lnp.asarray(np.ones((40, 50), np.float32))
    for f in (lambda x: lnp.cumsum(lnp.exp(x), 1) * 2, lambda x: lnp.cumsum(x, 0) + x,
              lambda x: lnp.cumsum(lazy.nn.softmax(x), 1), lambda x: lnp.cumsum(x, 1) / lnp.sum(x, 1, keepdims=True),
              lambda x: lax.cumsum(x * 2, 1, True) * x, lambda x: lnp.sum(lax.cumsum(x, 0, True), 0),
              lazy.grad(lambda x: (lnp.cumsum(lnp.sin(x), 1) * 2).sum())):
        assert len(lazy.explain(f, x).launches) == 1
        lazy.fuse(f)(x).block_until_ready()


def test_long_one_is_one_part_of_the_plan():
    x = lnp.asarray(rng().uniform(size=1 << 20).astype(np.float32))
    report = lazy.explain(lambda x: lnp.cumsum(x * 2), x)
    assert len(report.launches) == 1
    assert 'cumsum' in str(report)
    dear = lazy.explain(lambda x: lnp.cumsum(lnp.exp(lnp.sin(x) * lnp.cos(x)) * lnp.log(x) * lnp.tan(x)), x)
    assert len(dear.launches) == 2 and 'read twice' in str(dear)


def test_results_do_not_depend_on_the_number_of_threads():
    found, before = [], lazy.get_num_threads()
    x = rng().standard_normal(1 << 18).astype(np.float32)
    try:
        for n in (1, 2, 3):
            lazy.set_num_threads(n)
            found.append(np.asarray(lnp.cumsum(lnp.asarray(x))))
    finally:
        lazy.set_num_threads(before)
    assert (found[0] == found[1]).all() and (found[0] == found[2]).all()


def test_new_sizes_compile_nothing():
    f = lazy.jit(lambda x: lnp.cumsum(x * 2, 1))
    for shape in [(30, 60), (5, 70)]:
        f(lnp.ones(shape)).block_until_ready()
    before = lazy.debug.kernel_compilations()
    for shape in [(31, 61), (2, 1000), (700, 13)]:
        assert np.asarray(f(lnp.ones(shape)))[1, -1] == 2 * shape[1]
    assert lazy.debug.kernel_compilations() == before


@pytest.mark.parametrize('name', list(ACCUMULATE))
def test_derivatives(name):
    x = lnp.asarray(rng().uniform(0.5, 1.5, (3, 20)))
    lazy.test_util.check_grads(lambda x: getattr(lax, name)(x, 1), (x,), order=2, modes=['fwd', 'rev'])
    each = lazy.vmap(lambda row: getattr(lax, name)(row, 0))(x)
    np.testing.assert_allclose(each, getattr(lax, name)(x, 1), 1e-12)


# --- searches -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('dtype', ['f2', 'f4', 'f8', 'i1', 'u4', 'i8'])
def test_searches(dtype):
    """Tables of all sizes around powers of two; queries that are in them, between, beyond, NaN."""
    random = rng()
    for n in (1, 2, 3, 5, 16, 33, 1000, 5000):
        for shape in ((), (1,), (7,), (100,), (3, 50), (0,)):
            if dtype[0] == 'f':
                table, queries = np.sort(20 * random.normal(size=n)).astype(dtype), 20 * random.normal(size=shape)
            else:
                table, queries = np.sort(random.integers(0, 100, n)).astype(dtype), random.integers(0, 125, shape)
            queries = np.asarray(queries).astype(dtype)
            if queries.size > 5:
                queries.flat[:3] = table[[0, n // 2, -1]]
            if dtype[0] == 'f' and queries.size > 5 and n > 4:
                table[-2:], queries.flat[3:5] = np.nan, (np.nan, np.inf)
            for side in ('left', 'right'):
                np.testing.assert_array_equal(lnp.searchsorted(lnp.asarray(table), lnp.asarray(queries), side),
                                              np.searchsorted(table, queries, side))


@pytest.mark.parametrize('host', hosts.possible()[:2])
def test_searches_on_less(host):
    table, queries = np.sort(rng().normal(size=300)).astype('f4'), rng().normal(size=(37, 5)).astype('f4')
    with hosts.reduced(host):
        got = lnp.searchsorted(lnp.asarray(table), lnp.asarray(queries))
        np.testing.assert_array_equal(got, np.searchsorted(table, queries))


def test_searches_with_what_is_around():
    table, x = np.sort(rng().normal(size=301)), rng().normal(size=(40, 51))
    t, a = lnp.asarray(table), lnp.asarray(x)
    for f, want in [(lambda t, a: t[lnp.searchsorted(t, a * 0.5)] - a, table[np.searchsorted(table, x * 0.5)] - x),
                    (lambda t, a: lnp.searchsorted(t, a).sum(1), np.searchsorted(table, x).sum(1)),
                    (lambda t, a: lnp.searchsorted(t, a).max(0), np.searchsorted(table, x).max(0)),
                    (lambda t, a: lnp.cumsum(lnp.searchsorted(t, a), 1), np.cumsum(np.searchsorted(table, x), 1)),
                    (lambda t, a: lnp.searchsorted(t[::3], a.T), np.searchsorted(table[::3], x.T)),
                    (lambda t, a: lnp.searchsorted(lnp.cumsum(t * t), a * a, 'right'),
                     np.searchsorted(np.cumsum(table * table), x * x, 'right')),
                    (lambda t, a: lnp.searchsorted(t * 2, a[:, :1] + a), np.searchsorted(table * 2, x[:, :1] + x)),
                    (lambda t, a: lnp.searchsorted(lnp.sort(a[0]), a[1]), np.searchsorted(np.sort(x[0]), x[1])),
                    (lambda t, a: lazy.vmap(lambda row: lnp.searchsorted(lnp.sort(row), row))(a[:5]),
                     np.argsort(np.argsort(x[:5])))]:
        np.testing.assert_array_equal(f(t, a), want)
        np.testing.assert_array_equal(lazy.jit(f)(t, a), want)
    assert len(lazy.explain(lambda t, a: t[lnp.searchsorted(t, a * 0.5)] - a, t, a).launches) == 1
    assert lnp.searchsorted(lnp.zeros(0), a).sum() == 0


# --- counting -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('dtype', ['?', 'i1', 'i4', 'f2', 'f4', 'f8'])
def test_scatters_in_parts(dtype):
    """Many elements into few places: parts have copies, which are combined."""
    random = rng()
    i = random.integers(0, 13, 70_001)
    x = (random.random(13) < 0.3 if dtype == '?' else random.integers(0, 3, 13)).astype(dtype)
    x = np.where(np.arange(13) % 2, x, x * -0.0).astype(dtype) if dtype[0] == 'f' else x
    few = np.where(random.random(i.shape) < 1e-3, 1, 0)
    u = (few + 2 if dtype[0] != '?' else few).astype(dtype)
    with np.errstate(over='ignore'):
        for kind, at in {'add': np.add, 'multiply': np.multiply, 'min': np.minimum, 'max': np.maximum}.items():
            new = (few if kind == 'add' else few + 1 if kind == 'multiply' and dtype[0] != 'i' else u).astype(dtype)
            new = np.where(np.cumsum(few) < 90, new, 1 if kind == 'multiply' else 0).astype(dtype)
            want = x.copy()
            at.at(want, i, new)
            update = getattr(lnp.asarray(x).at[lnp.asarray(i)], kind)
            np.testing.assert_array_equal(update(lnp.asarray(new)), want, err_msg=kind)
            beyond = getattr(lnp.asarray(x).at[lnp.asarray(i + 13)], kind)
            np.testing.assert_array_equal(beyond(lnp.asarray(new), mode='drop'), x)
    rows, j, new = np.zeros((3, 5), dtype), i[:40_000] % 3, np.full(5, dtype == '?', dtype)
    np.add.at(rows, j, new)
    np.testing.assert_array_equal(lnp.zeros((3, 5), dtype).at[lnp.asarray(j)].add(lnp.asarray(new)), rows)
    with pytest.raises(IndexError, match='13'):
        lnp.zeros(13, dtype).at[lnp.asarray(np.where(i == 3, 13, i))].add(1).block_until_ready()


@pytest.mark.parametrize('dtype', ['f4', 'f8', 'i2', '?'])
@pytest.mark.parametrize('width', [129, 200, 1024])
def test_scatters_of_long_rows(width, dtype):
    """Threads share out the columns; rows meet in the order of the indices."""
    random = rng()
    i, x = random.integers(-300, 300, 600), random.integers(0, 3, (300, width)).astype(dtype)
    u = (random.random((600, width)) * 3).astype(dtype)
    for kind, at in {'add': np.add, 'max': np.maximum, 'set': None}.items():
        want = x.copy()
        for place, row in zip(i, u):
            want[place] = at(want[place], row) if at else row
        got = getattr(lnp.asarray(x).at[lnp.asarray(i)], kind)(lnp.asarray(u))
        np.testing.assert_array_equal(got, want, err_msg=kind)
        beyond = getattr(lnp.asarray(x).at[lnp.asarray(i + 600)], kind)
        np.testing.assert_array_equal(beyond(lnp.asarray(u), mode='drop'), x)
        with pytest.raises(IndexError, match='600|[3-8][0-9]{2}'):
            beyond(lnp.asarray(u)).block_until_ready()


def test_counts_do_not_depend_on_the_number_of_threads():
    x, i = rng().normal(size=100_000).astype('f4'), rng().integers(0, 50, 100_000)
    found, before = [], lazy.get_num_threads()
    try:
        for n in (1, 2, 3):
            lazy.set_num_threads(n)
            found.append(np.asarray(lnp.bincount(lnp.asarray(i), lnp.asarray(x), length=50)))
    finally:
        lazy.set_num_threads(before)
    assert (found[0] == found[1]).all() and (found[0] == found[2]).all()
    np.testing.assert_allclose(found[0], np.bincount(i, x, 50), 1e-4, 1e-4)


@pytest.mark.parametrize('dtype', ['f2', 'f4', 'f8', 'i1', 'i4', 'i8', 'u1', 'u4', 'u8', '?'])
def test_places_of_extremes(dtype):
    """The first of equals, a NaN before all numbers, along rows, columns and all; both zeros are equal."""
    random = rng()
    for shape in [(5, 7), (3, 100), (100, 3), (1, 1000), (17,), (33, 65)]:
        x = random.integers(0, 2 if dtype == '?' else 3, shape).astype(dtype)
        kinds = [x, np.zeros_like(x), ~x if dtype[0] not in 'f' else -x]
        if dtype[0] == 'f':
            nan, zeros = x.copy(), np.zeros_like(x)
            nan[random.random(shape) < 0.1] = np.nan
            zeros[..., ::2] *= -1
            kinds += [nan, np.copysign(nan, -1), zeros, -zeros]
            kinds += [np.full(shape, v, dtype) for v in (np.inf, -np.inf, np.nan)]
        elif dtype != '?':
            kinds += [np.full(shape, np.iinfo(dtype).min, dtype), np.full(shape, np.iinfo(dtype).max, dtype)]
        for y in kinds:
            for axis in (None, *range(y.ndim)):
                for name in ('argmax', 'argmin'):
                    got = getattr(lnp, name)(lnp.asarray(y), axis)
                    np.testing.assert_array_equal(got, getattr(np, name)(y, axis), err_msg=f'{name} {axis} {y}')
