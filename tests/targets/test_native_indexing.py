"""Gathers and scatters of the native target against NumPy."""
import itertools

import numpy as np
import pytest

import lazy
import lazy.numpy as lnp
import ops_table
from comparing import check, rng
from lazy.ir import dtypes

SOME = [dtypes.bool_, dtypes.int32, dtypes.float16, dtypes.float32, dtypes.float64]


@pytest.mark.parametrize('index_dtype', [np.int8, np.int32, np.int64, np.uint8, np.uint32], ids=str)
def test_gathers(index_dtype):
    x = rng().standard_normal((6, 7, 5)).astype(np.float32)
    i = rng(2).integers(0 if np.dtype(index_dtype).kind == 'u' else -6, 6, (3, 4)).astype(index_dtype)
    a, j = lnp.asarray(x), lnp.asarray(i)
    far = rng(3).integers(-20, 20, (9,)).astype(np.int32)
    f, clipped = lnp.asarray(far), np.clip(np.where(far < 0, far + 6, far), 0, 5)
    inside = (far >= -6) & (far < 6)
    filled = np.where(inside[:, None, None], x[clipped], np.nan)
    check([('first', a[j], x[i]), ('middle', a[:, j], x[:, i]), ('last', a[..., j % 5], x[..., i % 5]),
           ('two', a[j, :, j % 5], x[i, :, i % 5]), ('all', a[j, j, j % 5], x[i, i, i % 5]),
           ('slices', a[1:, j % 6, ::2], x[1:, i % 6, ::2]),
           ('used', lnp.exp(a[j]) * 0 + a[j] * 2, x[i] * 2), ('reduced', a[j].max(1), x[i].max(1)),
           ('clip', a.at[f].get(mode='clip'), x[clipped]), ('wrap', a.at[f].get(mode='wrap'), x[far % 6]),
           ('fill', a.at[f].get(mode='fill'), filled.astype(np.float32)),
           ('filled', a.at[f].get(mode='fill', fill_value=3.0),
            np.where(inside[:, None, None], x[clipped], np.float32(3))),
           ('take', lnp.take(a, f, axis=0, mode='clip'), np.take(x, far, axis=0, mode='clip')),
           ('mask', a[a > 0], x[x > 0]),
           ('many', a.ravel()[lnp.tile(j.ravel(), 30) + 40], x.ravel()[np.tile(i.ravel(), 30).astype(int) + 40]),
           ('of nothing', lnp.zeros((0, 5), np.float32).at[lnp.tile(f, 5)].get(mode='fill'),
            np.full((45, 5), np.nan, np.float32)), ('broadcast', a[j[:, :1], j[:1]], x[i[:, :1], i[:1]])])


@pytest.mark.parametrize('bad', [6, -7, 100_000, -100_000])
def test_out_of_range_is_an_error(bad):
    x = lnp.arange(6.0)
    i = lnp.asarray([0, bad, 3] + 30 * [1])
    y = x[i] * 2
    with pytest.raises(IndexError, match='out of bounds for axis 0 with size 6.*test_native'):
        y.block_until_ready()
    with pytest.raises(IndexError, match='out of bounds'):
        x.at[i].set(1.0).block_until_ready()


@pytest.mark.parametrize('dtype', SOME, ids=str)
def test_scatters(dtype):
    """Element after element in order, for every kind, mode and index type; rows, one value for all, and nothing."""
    x, pairs = ops_table.values(rng(), (7, 37), dtype), []
    u = ops_table.values(rng(1), (40, 37), dtype)
    at = {'add': np.add, 'multiply': np.multiply, 'min': np.minimum, 'max': np.maximum}
    index_dtypes = [np.int8, np.uint16, np.int32, np.int64]
    for number, (index_dtype, kind) in enumerate(itertools.product(index_dtypes, ['set', *at])):
        i = rng(number).integers(-7 if np.dtype(index_dtype).kind == 'i' else 0, 12, 40).astype(index_dtype)
        wrapped = np.where(i < 0, i.astype(int) + 7, i)
        for mode, place, keep in (('drop', wrapped, wrapped < 7), ('clip', np.clip(wrapped, 0, 6), np.ones(40, bool)),
                                  ('wrap', i.astype(int) % 7, np.ones(40, bool)),
                                  (None, wrapped % 7, np.ones(40, bool))):
            want, one, both = x.copy(), x.copy(), x.copy()
            for target, where, new in ((want, (place[keep],), u[keep]), (one, (place[keep],), u[0, 0]),
                                       (both, (place[keep], place[keep] % 5), u[keep, 0])):
                if kind == 'set':
                    target[where] = new
                else:
                    at[kind].at(target, where, new)
            j, a = lnp.asarray(i if mode else place), lnp.asarray(x)
            if mode == 'wrap':
                j = lnp.asarray(i.astype(np.int64))
            update = lambda index, new: getattr(a.at[index], kind)(new, **({'mode': mode} if mode else {}))
            pairs += [(f'{index_dtype} {kind} {mode}', update(j, lnp.asarray(u)), want),
                      (f'{index_dtype} {kind} {mode} one', update(j, lnp.asarray(u)[0, 0]), one)]
            column = lambda x: getattr(lnp.asarray(x[:, 2]).at[j], kind)
            options = {'mode': mode} if mode else {}
            pairs += [(f'{index_dtype} {kind} {mode} elements', column(x)(lnp.asarray(u[:, 2]), **options), want[:, 2]),
                      (f'{index_dtype} {kind} {mode} one element', column(x)(lnp.asarray(u[0, 0]), **options),
                       one[:, 2])]
            if mode != 'wrap':
                column = np.clip(wrapped, 0, 6) % 5 if mode == 'clip' else place % 5
                pairs.append((f'{index_dtype} {kind} {mode} two',
                              update((j, lnp.asarray(column)), lnp.asarray(u)[:, 0]), both))
    pairs.append(('nothing', lnp.asarray(x[:0]).at[lnp.asarray([3, 1])].set(lnp.asarray(u[:2]), mode='drop'), x[:0]))
    check(pairs)


@pytest.mark.parametrize('columns', [1, 5, 16, 67])
@pytest.mark.parametrize('mode', ['error', 'clip', 'wrap', 'fill'])
def test_rows_that_an_index_says(columns, mode):
    """The index is the same for all lanes: whole vectors are read, and nothing where it is out of range."""
    x = np.arange(40 * columns, dtype=np.float32).reshape(40, columns)
    rows = np.array([0, -1, 39, 7, 7, -40] + ([] if mode == 'error' else [40, 1000]), np.int32)
    want = np.asarray(reference_take(x, rows, mode))
    f = lazy.jit(lambda x, rows: (lnp.take(x, rows, 0, mode=mode), lnp.take(x, rows, 0, mode=mode).sum(1)))
    got, total = f(x, rows)
    np.testing.assert_array_equal(np.asarray(got), want)
    np.testing.assert_allclose(np.asarray(total), want.sum(1), rtol=1e-6)
    if mode == 'error':
        with pytest.raises(IndexError, match='50'):
            lazy.block_until_ready(f(x, np.array([50], np.int32)))
    empty = lazy.jit(lambda x, rows: lnp.take(x, rows, 0, mode='fill'))(x[:0], rows)
    assert np.isnan(np.asarray(empty)).all()


def reference_take(x, rows, mode):
    rows = rows % len(x) if mode == 'wrap' else rows if mode == 'clip' else np.where(rows < 0, rows + len(x), rows)
    found = x[np.clip(rows, 0, len(x) - 1)]
    return np.where(((rows < 0) | (rows >= len(x)))[:, None], np.nan, found) if mode == 'fill' else found
