"""lax.gather and lax.scatter against JAX, over all kinds of dimension numbers."""
import itertools

import numpy as onp
import pytest

import lazy
import lazy.numpy as lnp
from lazy import lax

rng = onp.random.default_rng(5)
# operand, indices (last axis: an index), offset dims, collapsed, start_index_map, slice sizes, batching dims
CASES = [((5, 4), (3, 1), (1,), (0,), (0,), (1, 4), (), ()), ((5, 4), (3, 1), (0, 2), (), (1,), (2, 3), (), ()),
         ((5, 4, 3), (2, 3, 2), (2, 3), (1,), (2, 1), (3, 1, 2), (), ()), ((6,), (1,), (0,), (), (0,), (3,), (), ()),
         ((5, 4), (2, 2), (), (0, 1), (1, 0), (1, 1), (), ()),
         ((3, 5, 4), (3, 2, 1), (2,), (1,), (1,), (1, 1, 2), (0,), (0,)),
         ((5, 2, 4), (3, 2, 1), (0, 2), (), (0,), (2, 1, 4), (1,), (1,)),
         ((4, 3), (2, 0), (1, 2), (), (), (3, 2), (), ()),
         ((4, 3), (0, 1), (1,), (0,), (0,), (1, 3), (), ())]
NAMES = ['scatter', 'scatter_add', 'scatter_mul', 'scatter_min', 'scatter_max', 'scatter_sub']


def arguments(case, dtype='float64', inside=False):
    shape, index_shape, *_ = case
    x = rng.standard_normal(shape).astype(dtype)
    i = rng.integers(-2, 6, index_shape).astype('int32')
    if inside and i.size:
        i = i % onp.array([shape[a] - case[5][a] + 1 for a in case[4]])
    return x, i.astype('int32')


def gather_numbers(m, case):
    _, _, offset, collapsed, index_map, _, batching, index_batching = case
    return m.GatherDimensionNumbers(offset, collapsed, index_map, batching, index_batching)


def scatter_numbers(m, case):
    return m.ScatterDimensionNumbers(*gather_numbers(m, case))


def with_gradients(m, f, by):
    """f and the gradients of the sum of its squares, of which NaNs count nothing, compiled together."""
    return m.jit(lambda *args: (f(*args), m.grad(lambda *args: m.numpy.nan_to_num(f(*args) ** 2).sum(), by)(*args)))


def assert_all_close(found, expected):
    for a, b in zip(lazy.tree.leaves(found), lazy.tree.leaves(expected), strict=True):
        onp.testing.assert_allclose(onp.asarray(a), onp.asarray(b), atol=1e-12)


@pytest.mark.parametrize('case', CASES, ids=str)
@pytest.mark.parametrize('mode', [None, 'clip', 'fill'])
def test_gather(case, mode):
    jax = pytest.importorskip('jax')
    with jax.enable_x64(True):
        fill = None if mode is None else 7
        f = lambda m: lambda x: m.gather(x, i, gather_numbers(m, case), case[5], mode=mode, fill_value=fill)
        x, i = arguments(case, 'int32', mode is None)
        onp.testing.assert_array_equal(onp.asarray(f(lax)(x)), onp.asarray(f(jax.lax)(x)))
        x, i = arguments(case, inside=mode is None)
        ours, theirs = with_gradients(lazy, f(lax), (0,)), with_gradients(jax, f(jax.lax), (0,))
        assert_all_close(ours(x), theirs(x))
        onp.testing.assert_array_equal(onp.asarray(f(lax)(x)), onp.asarray(theirs(x)[0]))
        found = lazy.jit(lazy.vmap(f(lax)))(onp.stack([x, 2 * x]))
        onp.testing.assert_array_equal(onp.asarray(found), onp.stack([theirs(x)[0], theirs(2 * x)[0]]))


@pytest.mark.parametrize('case', CASES, ids=str)
@pytest.mark.parametrize('name', NAMES)
def test_scatter(case, name):
    jax = pytest.importorskip('jax')
    with jax.enable_x64(True):
        x, i = arguments(case)
        if name == 'scatter':                                        # which of several stays is for nobody to say
            i[...] = i.ravel()[0] if i.size else i
        shape = jax.eval_shape(lambda x: jax.lax.gather(x, i, gather_numbers(jax.lax, case), case[5]), x).shape
        u = rng.standard_normal(shape)
        if name == 'scatter' and u.size:
            u[...] = 3.0
        for mode in ('clip', 'fill'):
            f = lambda m: lambda x, u: getattr(m, name)(x, i, u, scatter_numbers(m, case), mode=mode)
            smooth = name in ('scatter_add', 'scatter_sub') or name in ('scatter_min', 'scatter_max') and mode == 'fill'
            ours, theirs = (with_gradients(m, f(m.lax), (0, 1)) if smooth else lambda *args, m=m: (f(m.lax)(*args),)
                            for m in (lazy, jax))
            assert_all_close(ours(x, u), theirs(x, u))
            onp.testing.assert_allclose(onp.asarray(f(lax)(x, u)), onp.asarray(theirs(x, u)[0]))
        found = lazy.vmap(f(lax))(onp.stack([x, 2 * x]), onp.stack([u, 3 * u]))
        onp.testing.assert_allclose(onp.asarray(found), onp.stack([theirs(x, u)[0], theirs(2 * x, 3 * u)[0]]))


@pytest.mark.parametrize('case', CASES, ids=str)
def test_what_is_gathered_can_be_scattered(case):
    """Without JAX: slices put back where they were taken from change nothing; zeros added change nothing."""
    x, i = arguments(case)
    i = onp.zeros_like(i)
    found = lax.gather(x, i, gather_numbers(lax, case), case[5], mode='clip')
    for mode in ('clip', 'fill'):
        assert lax.scatter(x, i, found, scatter_numbers(lax, case), mode=mode).tolist() == x.tolist()
        assert lax.scatter_add(x, i, 0 * found, scatter_numbers(lax, case), mode=mode).tolist() == x.tolist()
        twice = lax.scatter_apply(x, i, lambda v: 2 * v, scatter_numbers(lax, case), update_shape=found.shape,
                                  mode=mode)
        expected = lax.scatter(x, i, 2 * found, scatter_numbers(lax, case), mode=mode)
        assert twice.tolist() == expected.tolist()


def test_modes_and_errors():
    m = lax.GatherScatterMode
    assert [m.from_any(s) for s in ('clip', None, 'drop', m.CLIP)] == [m.CLIP, m.FILL_OR_DROP, m.FILL_OR_DROP, m.CLIP]
    x, i, rows = onp.ones((4, 3)), onp.array([[1]]), lax.GatherDimensionNumbers((1,), (0,), (0,))
    into = lax.ScatterDimensionNumbers((1,), (0,), (0,))
    for error, call in itertools.chain(
            [(ValueError, lambda: m.from_any('around')), (TypeError, lambda: lax.gather(x, i * 1.0, rows, (1, 3)))],
            [(TypeError, lambda s=s: lax.gather(x, i, rows, s)) for s in ((2, 3), (1, 4), (1,))],
            [(TypeError, lambda: lax.gather(x, onp.array([[1, 1]]), rows, (1, 3))),
             (TypeError, lambda: lax.scatter(x, i, onp.ones((1, 3), 'int32'), into)),
             (TypeError, lambda: lax.scatter(x, i, onp.ones((2, 3)), into)),
             (TypeError, lambda: lax.scatter(x, i, onp.ones(1), into))]):
        with pytest.raises(error):
            call()
    for call in (lambda: lax.gather(x, i + 3, rows, (1, 3)), lambda: lax.scatter(x, i - 2, onp.ones((1, 3)), into)):
        with pytest.raises(IndexError):
            call().block_until_ready()


@pytest.mark.parametrize('shape', [(0, 1), (1, 0), (0, 3)])
def test_no_indices(shape):
    """What is gathered at no places and reshaped reads no index, nor reports one."""
    found = lazy.numpy.ones((4, 3))[lazy.numpy.zeros(shape, 'int32')].reshape(0, 3)
    assert found.tolist() == [] and found.sum(0).tolist() == [0, 0, 0]


RAMPS = {'both rising': lambda m, i: (m.arange(5), m.arange(5)), 'beside others': lambda m, i: (m.arange(5), i),
         'backwards': lambda m, i: (4 - m.arange(5), i),
         'steps': lambda m, i: (m.arange(3)[:, None], 2 * m.arange(3)[None]),
         'negative': lambda m, i: (m.arange(5) - 5, i), 'across': lambda m, i: (m.arange(5)[:, None], i[None])}


@pytest.mark.parametrize('kind', ['int32', 'int64', 'uint8', 'uint32'])
@pytest.mark.parametrize('name', RAMPS)
def test_ramps_as_indices(name, kind):
    """A ramp inside of its axis is no more than a stride."""
    x = onp.arange(35.).reshape(5, 7)
    for of in (x, x.T[:5].copy(), onp.asfortranarray(x)):
        i = onp.array([2, 0, 4, 4, 1]).astype(kind)
        found = lnp.asarray(of)[RAMPS[name](lnp, lnp.asarray(i))]
        assert found.tolist() == of[RAMPS[name](onp, i)].tolist()


def test_ramps_beyond_an_axis():
    x = lnp.arange(35.).reshape(5, 7)
    for rows in (lnp.arange(6), lnp.arange(5) + 1, -lnp.arange(7)):
        with pytest.raises(IndexError):
            x[rows, 0 * rows].block_until_ready()
        assert x.at[rows, 0 * rows].get(mode='fill', fill_value=-1).shape == rows.shape
    assert x.at[lnp.arange(6), lnp.zeros(6, 'int32')].get(mode='fill', fill_value=-1).tolist() == [0, 7, 14, 21, 28, -1]
    assert x.at[lnp.arange(6), lnp.zeros(6, 'int32')].get(mode='clip').tolist() == [0, 7, 14, 21, 28, 28]
