"""Indices that sort: every dtype, ties, NaNs of both signs, both zeros, the ends of the range, both directions."""
import numpy as np
import pytest

import lazy
import lazy.numpy as lnp
from lazy.ir import dtypes

REAL = [d for d in dtypes.ALL if dtypes.kind(d) != 'c']


def numbers(dtype, shape):
    """Few different values and all the special ones."""
    generator = np.random.default_rng(0)
    if dtypes.kind(dtype) == 'b':
        return generator.random(shape) < 0.5
    if dtypes.is_integer(dtype):
        ends = dtypes.iinfo(dtype)
        return generator.choice(np.array([ends.min, ends.min + 1, 0, 1, 2, 5, ends.max - 1, ends.max], dtype), shape)
    special = np.array([np.nan, np.copysign(np.nan, -1), np.inf, -np.inf, 0.0, -0.0, 1.5, -1.5, 1e-7, -3, 300],
                       np.float32)
    return generator.choice(special, shape).astype(dtype)


@pytest.mark.parametrize('shape', [(0,), (1,), (37,), (2000,), (40, 30), (3, 0, 2), (5, 6, 7)], ids=str)
@pytest.mark.parametrize('dtype', REAL, ids=str)
def test_argsort(dtype, shape):
    x = numbers(dtype, shape)
    wide = x.astype(np.float32) if dtypes.is_inexact(dtype) and dtype.itemsize < 4 else x
    for axis in range(x.ndim):
        want = np.argsort(wide, axis, kind='stable')
        np.testing.assert_array_equal(lnp.argsort(lnp.asarray(x), axis=axis), want)
        backwards = np.flip(np.argsort(np.flip(wide, axis), axis, kind='stable'), axis)
        np.testing.assert_array_equal(lnp.argsort(lnp.asarray(x), axis=axis, descending=True),
                                      x.shape[axis] - 1 - backwards)


DIGITS = {
    'all bits': lambda draw, shape: draw.integers(-2**63, 2**63 - 1, shape),
    'few bits': lambda draw, shape: draw.integers(-9, 9, shape),
    'low bits equal': lambda draw, shape: draw.integers(-9, 9, shape) << 40,
    'middle bits equal': lambda draw, shape: draw.integers(0, 3, shape) << 50 | draw.integers(0, 3, shape),
    'one number': lambda draw, shape: np.full(shape, -3),
    '32 bits': lambda draw, shape: draw.integers(-2**31, 2**31, shape),
    '33 bits': lambda draw, shape: draw.integers(-2**32, 2**32, shape),
    'int32': lambda draw, shape: draw.integers(-2**31, 2**31, shape).astype(np.int32),
    'uint64': lambda draw, shape: draw.integers(0, 2**64 - 1, shape, np.uint64),
    'float64': lambda draw, shape: draw.standard_normal(shape),
    'float32': lambda draw, shape: draw.standard_normal(shape).astype(np.float32)}


@pytest.mark.parametrize('shape', [(40_000,), (3, 300), (1, 33_000), (2, 40_000), (33_000, 2)], ids=str)
@pytest.mark.parametrize('what', DIGITS)
def test_argsort_of_long_rows(what, shape):
    x = DIGITS[what](np.random.default_rng(4), shape)
    axis = int(np.argmax(shape))
    for dtype in (np.int32, np.int64):
        found = lnp.argsort(lnp.asarray(x), axis=axis, dtype=dtype)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, np.argsort(x, axis, kind='stable'))


@pytest.mark.parametrize('threads', [1, 2, 3, 8])
@pytest.mark.parametrize('shape', [(2, 40_000), (5, 33_000)], ids=str)
def test_argsort_by_any_number_of_threads(shape, threads):
    """Rows fewer than threads are sorted by all of them, one after the other."""
    x, before = DIGITS['all bits'](np.random.default_rng(4), shape), lazy.get_num_threads()
    lazy.set_num_threads(threads)
    try:
        np.testing.assert_array_equal(lnp.argsort(lnp.asarray(x)), np.argsort(x, kind='stable'))
    finally:
        lazy.set_num_threads(before)


def as_wide(x):
    """Of a type that NumPy compares."""
    return np.asarray(x).astype(np.float32 if dtypes.is_inexact(x.dtype)
                                and x.dtype.itemsize < 4 else dtypes.held_as(x.dtype))


@pytest.mark.parametrize('shape', [(1,), (37,), (2000,), (40, 30), (3, 0, 2), (5, 6, 7)], ids=str)
@pytest.mark.parametrize('dtype', REAL, ids=str)
def test_sorts_and_parts(dtype, shape):
    """Along each axis: sorted, the largest as the start of the falling order, parted at any place."""
    x = numbers(dtype, shape)
    a = lnp.asarray(x)
    for axis in range(x.ndim):
        n, want = x.shape[axis], np.sort(as_wide(x), axis)
        at = lambda found, i: np.take(as_wide(found), i, axis)
        np.testing.assert_array_equal(as_wide(lnp.sort(a, axis)), want)
        order = lnp.argsort(a, axis=axis, descending=True)
        for k in sorted({1, n // 3, n} - {0}) if n else []:
            values, indices = lazy.lax.top_k(a, k, axis=axis)
            np.testing.assert_array_equal(indices, np.take(np.asarray(order), range(k), axis))
            np.testing.assert_array_equal(as_wide(values), np.take_along_axis(as_wide(x), np.asarray(indices), axis))
        for kth in sorted({0, n // 2, n - 1}) if n else []:
            indices = np.asarray(lnp.argpartition(a, kth, axis))
            np.testing.assert_array_equal(np.sort(indices, axis), np.argsort(np.zeros(shape), axis, kind='stable'))
            for found in (lnp.partition(a, kth, axis), np.take_along_axis(x, indices, axis)):
                np.testing.assert_array_equal(np.sort(as_wide(found), axis), want)
                np.testing.assert_array_equal(at(found, kth), at(want, kth))
                np.testing.assert_array_equal(np.sort(at(found, range(kth)), axis), at(want, range(kth)))


def test_parts_at_several_places_and_derivatives():
    x = lnp.asarray(np.random.default_rng(3).standard_normal((4, 9)))
    np.testing.assert_array_equal(lnp.partition(x, (2, -1)), lnp.sort(x))
    np.testing.assert_array_equal(lnp.partition(x, -9)[:, 0], x.min(1))
    np.testing.assert_array_equal(lazy.vmap(lambda row: lnp.partition(row, 3)[3])(x), lnp.sort(x)[:, 3])
    slope = lazy.grad(lambda x: (lnp.partition(x, 4, 1)**2).sum())(x)
    np.testing.assert_allclose(slope, 2 * x)
    slope = lazy.grad(lambda x: lnp.partition(x, 1, 0)[1].sum())(x)
    np.testing.assert_array_equal(slope, x == lnp.sort(x, 0)[1])
    with pytest.raises(ValueError, match='out of bounds'):
        lnp.partition(x, 9)


@pytest.mark.parametrize('dtype', [np.float32, np.float64, np.int32], ids=str)
def test_top_k_takes_the_first_of_equals(dtype):
    x = np.random.default_rng(1).integers(0, 5, (20, 30)).astype(dtype)
    values, indices = lazy.lax.top_k(lnp.asarray(x), 7)
    want = np.argsort(-x, 1, kind='stable')[:, :7]
    np.testing.assert_array_equal(indices, want)
    np.testing.assert_array_equal(values, np.take_along_axis(x, want, 1))


def test_under_transformations():
    x = lnp.asarray(np.random.default_rng(2).standard_normal((4, 6)))
    np.testing.assert_array_equal(lazy.vmap(lnp.argsort)(x), lnp.argsort(x, axis=1))
    np.testing.assert_array_equal(lazy.jit(lambda x: lnp.argsort(x, axis=0))(x), lnp.argsort(x, axis=0))
    weights = lnp.arange(6.0)
    slope = lazy.grad(lambda x: (lnp.sort(x) * weights).sum())(x)
    np.testing.assert_array_equal(slope, lnp.argsort(lnp.argsort(x)))
    np.testing.assert_array_equal(lazy.grad(lambda x: lnp.argsort(x).astype(np.float32).sum())(x), np.zeros((4, 6)))


@pytest.mark.parametrize('shape', [(9000,), (100, 90)], ids=str)
@pytest.mark.parametrize('dtype', [np.float32, np.float64, np.int64, np.uint8, bool, np.complex64], ids=str)
def test_unique_of_many(dtype, shape):
    generator = np.random.default_rng(5)
    x = generator.integers(0, 2 if dtype is bool else 200, shape).astype(dtype)
    kinds = [x] if np.dtype(dtype).kind not in 'fc' else [x, np.where(generator.random(shape) < 0.1, np.nan, -x)]
    for x in kinds:
        a = lnp.asarray(x)
        np.testing.assert_array_equal(lnp.unique(a), np.unique(x))
        for got, want in zip(lnp.unique(a, True, True, True), np.unique(x, True, True, True), strict=True):
            np.testing.assert_array_equal(got, want)
        for got, want in zip(lnp.unique_counts(a), np.unique_counts(x), strict=True):
            np.testing.assert_array_equal(got, want)
