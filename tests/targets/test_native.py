"""The native target against the NumPy reference."""
import contextlib
import itertools
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from scipy import special

import hosts
import lazy
import lazy.numpy as lnp
import lazy.scipy.special
import ops_table
from comparing import check, difference, rng, wide
from lazy.array import from_numpy, wrap
from lazy.ir import dtypes, ops

# Sizes around one and two vectors of 4, 8 and 16 lanes.
SIZES = (0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65)
SOME = [dtypes.bool_, dtypes.int32, dtypes.float16, dtypes.float32, dtypes.float64]


def table_pairs(case, types, shapes=None):
    for dtype in [d for d in case.dtypes if d in types]:
        arguments = case.arguments(rng(len(case.name)), dtype, shapes)
        nodes = case.nodes([from_numpy(a) for a in arguments])
        for number, (node, want) in enumerate(zip(nodes, case.reference(arguments))):
            yield f'{case.name}.{number} of {dtype.name}', wrap(node), want


# --- the table --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('case', ops_table.CASES, ids=repr)
def test_operation(case):
    check(table_pairs(case, ops_table.ALL), case.tolerance)


def native_cases():
    return [case for case in ops_table.CASES if not (case.op.library or case.op is ops.scatter)]


def chunks(cases, count):
    return [cases[i:i + count] for i in range(0, len(cases), count)]


@pytest.mark.parametrize('host', hosts.possible())
def test_operations_on_less(host):
    """The same without AVX-512, without AVX, without libmvec."""
    cases, types = native_cases(), [*SOME, dtypes.complex64]
    if host == 'no_libmvec':
        cases, types = [c for c in cases if c.op.elementwise and 'f' in c.op.classes and c.op.cost > 1], SOME[3:]
    elif host == 'sse':
        cases = [c for c in cases if not c.op.elementwise]             # the others are in sse_no_libmvec
    with hosts.reduced(host):
        for chunk in chunks(cases, 12):
            found = [(case, list(table_pairs(case, types))) for case in chunk]
            lazy.block_until_ready([x for _, pairs in found for _, x, _ in pairs])
            for case, pairs in found:
                check(pairs, case.tolerance)


ELEMENTWISE = [case for case in ops_table.CASES if case.shaped]


@pytest.mark.parametrize('shapes', [[()] * 4, [(0,)] * 4, [(1,)] * 4, [(17,)] * 4, [(3, 1), (1, 5), (3, 5), (5,)],
                                    [(2, 0), (1,), (2, 1), ()], [(1, 1, 33), (2, 1, 1), (33,), (2, 3, 33)]], ids=str)
def test_shapes(shapes):
    pairs = []
    for case in ELEMENTWISE[::3]:
        try:
            pairs += [(*pair, case.tolerance(dtypes.float32)) for pair in table_pairs(case, SOME[3:4], shapes)]
        except ValueError:                                              # the reference doesn't broadcast these
            continue
    assert len(pairs) > 10
    lazy.block_until_ready([x for _, x, *_ in pairs])
    for name, x, want, tolerance in pairs:
        assert not difference(np.asarray(x), want, tolerance), name


# --- operands ---------------------------------------------------------------------------------------------------------

VIEWS = {'plain': lambda x: x, 'strided': lambda x: x[:, ::2], 'rows': lambda x: x[1::3],
         'flipped': lambda x: x[::-1, ::-1],
         'transposed': lambda x: x.T, 'row': lambda x: x[:1], 'column': lambda x: x[:, 2:3],
         'inner': lambda x: x[1:, 1:],
         'element': lambda x: x[2, 1], 'flat': lambda x: x.reshape(-1), 'backwards': lambda x: x[:, -2:0:-3]}


@pytest.mark.parametrize('dtype', ops_table.ALL, ids=str)
def test_views(dtype):
    """Two operands, one read through each view, the other as it is."""
    x = ops_table.values(rng(), (9, 11), dtype)
    pairs = []
    for name, view in VIEWS.items():
        part = view(x).copy()
        other = part[..., ::-1] if part.ndim else part
        pairs.append((name, view(lnp.asarray(x)) == lnp.asarray(other), part == other))
        pairs.append((f'{name} stored', lnp.logical_not(view(lnp.asarray(x))), np.logical_not(part)))
        pairs.append((f'{name} copied', view(lnp.asarray(x)), part))
    check(pairs)


@pytest.mark.parametrize('n', SIZES)
def test_sizes(n):
    pairs = []
    for dtype in SOME[1:]:
        x, y = (ops_table.values(rng(i), (3, n), dtype) for i in range(2))
        a, b = lnp.asarray(x), lnp.asarray(y)
        pairs += [('add', a + b, x + y), ('strided', a[:, ::2] * b[:, ::2], x[:, ::2] * y[:, ::2]),
                  ('flipped', a[:, ::-1] - b, x[:, ::-1] - y), ('column', a + b[:, :1], x + y[:, :1]),
                  ('transposed', a.T * b.T, (x * y).T), ('row', a[0] + b, x[0] + y)]
    check(pairs, lambda dtype: 1e-3 if dtype == np.float16 else 0)


@pytest.mark.parametrize('shape',
                         [(1 << 18,), ((1 << 18) + 37,), (3_200_003,), (300, 1029), (1600, 2000), (2, 800, 2000),
                                   (1601, 2003), (2, 801, 2001), (40_001, 81)], ids=str)
@pytest.mark.parametrize('host', ['this', *hosts.possible()[:2]])
def test_large_maps(shape, host):
    """Several vectors side by side, and stores past the caches, with a rest that fills neither; rows that begin
    anywhere."""
    x = np.random.default_rng(0).uniform(0.5, 3, shape).astype(np.float32)
    with contextlib.nullcontext() if host == 'this' else hosts.reduced(host):
        y = lnp.asarray(x)
        dear = np.asarray(lazy.scipy.special.erf(lnp.log(y)) * lnp.exp(-y) + lnp.sqrt(y))
        cheap, rows = np.asarray(y * 2 + 1), np.asarray(y + y[..., :1] * y[..., -1:])
        less, second = np.asarray(y[..., 1:] < y[..., :-1]), np.asarray(y[..., ::-2] - 1)
        both = lazy.jit(lambda y: (y[..., 1:] + y[..., :1], y[..., 1:] * y[..., :1]))(y)
        soft = np.asarray(lazy.nn.softmax(y, -1))
    expected = special.erf(np.log(x)) * np.exp(-x) + np.sqrt(x)
    np.testing.assert_allclose(dear, expected, rtol=2e-6)
    np.testing.assert_array_equal(cheap, x * 2 + 1)
    np.testing.assert_array_equal(rows, x + x[..., :1] * x[..., -1:])
    np.testing.assert_array_equal(less, x[..., 1:] < x[..., :-1])
    np.testing.assert_array_equal(second, x[..., ::-2] - 1)
    np.testing.assert_array_equal(both[0], x[..., 1:] + x[..., :1])
    np.testing.assert_array_equal(both[1], x[..., 1:] * x[..., :1])
    np.testing.assert_allclose(soft, special.softmax(x.astype(np.float64), -1), rtol=1e-5)


@pytest.mark.parametrize('shape', [(32, 64), (64, 64), (65, 67), (100, 33), (96, 129), (3, 70, 66)], ids=str)
def test_tiles(shape):
    """Transposed reads, turned around in squares where they are large."""
    pairs = []
    for number, dtype in enumerate([np.int8, np.float16, np.float32, np.float64]):
        x = rng(number).integers(-9, 9, shape).astype(dtype)
        a, order = lnp.asarray(x), (*range(len(shape) - 2), len(shape) - 1, len(shape) - 2)
        t = x.transpose(order)
        pairs += [('copy', lnp.transpose(a, order), t),
                  ('with one along', lnp.transpose(a, order) + lnp.asarray(t.copy()), t + t),
                  ('twice', lnp.transpose(a, order)[..., ::-1] * 2, t[..., ::-1] * x.dtype.type(2))]
        if shape[-1] == shape[-2]:
            pairs.append(('both ways', a + lnp.transpose(a, order), x + t))
    check(pairs)


@pytest.mark.parametrize('shape',
                         [(300, 2), (257, 3), (5, 400, 8), (300, 7, 4), (3, 261, 1, 5), (50_000, 3), (1_700_000, 2)],
                         ids=str)
@pytest.mark.parametrize('host', ['this', *hosts.possible()[:2]])
def test_short_last_axes(shape, host):
    """Vectors lie across a last axis that is short: broadcasts, views, indices as values, gathers, several results,
    halves of bytes."""
    x = np.random.default_rng(0).integers(-9, 9, shape).astype(np.float32)
    row, rows = np.arange(shape[-1], dtype=np.float32), np.random.default_rng(1).integers(0, shape[-1], shape)
    with contextlib.nullcontext() if host == 'this' else hosts.reduced(host):
        a = lnp.asarray(x)
        pairs = [('row', a * row, x * row), ('column', a - a[..., :1], x - x[..., :1]),
                 ('backwards', a[..., ::-1] + row, x[..., ::-1] + row),
                 ('index', a + lnp.arange(shape[-1]), x + row),
                 ('gather', lnp.take_along_axis(a, lnp.asarray(rows), -1) * row,
                                                              np.take_along_axis(x, rows, -1) * row),
                 ('compared', a < row, x < row), ('narrow', (a * row).astype('int8'), (x * row).astype(np.int8))]
        pairs += zip(('two', 'results'), lazy.jit(lambda a: (a + row, a[..., :1] * row))(a),
                     (x + row, x[..., :1] * row))
        whole = np.arange(max(shape), dtype=np.uint8)
        pairs.append(('halves', lnp.asarray(whole).view('uint4').astype('int32'),
                      np.stack([whole & 15, whole >> 4], -1).ravel().astype('int32')))
        check(pairs)


def test_reshapes():
    x = np.arange(2 * 6 * 4, dtype=np.float32).reshape(2, 6, 4)
    a, pairs = lnp.asarray(x), []
    for order in itertools.permutations(range(3)):
        for shape in [(48,), (12, 4), (4, 12), (8, 6), (6, 8), (2, 2, 12), (3, 16), (1, 48, 1), (2, 3, 2, 4)]:
            want = x.transpose(order).reshape(shape)
            pairs.append((f'{order} {shape}', a.transpose(order).reshape(shape), want))
            pairs.append((f'{order} {shape} used', (a + 1).transpose(order).reshape(shape) * 2,
                          (x + 1).transpose(order).reshape(shape) * 2))
            pairs.append((f'{order} {shape} sum', a.transpose(order).reshape(shape).sum(0), want.sum(0)))
    check(pairs)


def test_reshape_shares_memory_and_stays_right():
    """What no index map describes is a view of the stored operand: an update of one must not reach the other."""
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    a = lnp.asarray(x)
    b = a.reshape(2, 6)
    lazy.block_until_ready(b)
    c = b.at[0].set(-1.)
    d = a.at[0].set(-2.)
    del b
    check([('update of the reshape', c, np.array([[-1] * 6, [6, 7, 8, 9, 10, 11]], np.float32)), ('operand', a, x)])
    del a
    e = d.at[1].set(-3.)
    check([('update', d[0], np.full(4, -2, np.float32)), ('again', e[1], np.full(4, -3, np.float32))])


def test_mixed_dtypes_in_one_kernel():
    x = rng().integers(0, 9, 100)
    parts = {d: x.astype(d) for d in (np.int8, np.uint16, np.int64, np.float32, np.float64, np.float16)}
    a = {d: lnp.asarray(v) for d, v in parts.items()}
    got = (a[np.int8].astype(np.float32) * a[np.float32] > 3) & (a[np.int64].astype(np.float64) < a[np.float64] + 1)
    total = lnp.where(got, a[np.uint16].astype(np.int32), a[np.float16].astype(np.int32) + 1)
    want = (x * x > 3) & (x < x + 1)
    check([('condition', got, want), ('choice', total, np.where(want, x, x + 1).astype(np.int32)),
           ('narrow', (a[np.int64] + 1000).astype(np.int8), (x + 1000).astype(np.int8))])


@pytest.mark.parametrize('dtype', [dtypes.float16, dtypes.bfloat16], ids=str)
def test_narrow_floats_are_computed_in_float32(dtype):
    """Each operation errs by half a unit in the last place at most, also where intermediate results need the range."""
    x, y = (ops_table.values(rng(i), (1000,), dtype, 0.5, 4).astype(np.float64) for i in range(2))
    unit = float(np.ldexp(1.0, -10 if dtype == dtypes.float16 else -7))
    a, b = lnp.asarray(x.astype(dtype)), lnp.asarray(y.astype(dtype))
    for got, want, operations in [(a + b, x + y, 1), (a * b, x * y, 1), (a / b, x / y, 1), (lnp.exp(a), np.exp(x), 1),
                                  (lnp.sqrt(a) * b + a, np.sqrt(x) * y + x, 3)]:
        assert got.dtype == dtype
        error = np.abs(np.asarray(got).astype(np.float64) - want) / np.abs(want)
        assert error.max() <= unit * operations * 0.51
    many = lnp.full((4096,), 1, dtype)
    assert float(many.sum()) == 4096                                      # adding up in float16 would stop at 2048
    extremes = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0], dtype)
    assert not difference(np.asarray(-lnp.asarray(extremes)), -extremes)


# --- reductions -------------------------------------------------------------------------------------------------------

SHAPES = [(33,), (5, 17), (3, 4, 18), (2, 3, 5, 16), (1, 7), (7, 1, 3), (1, 1), (2, 1, 4, 1)]


def subsets(n):
    return [axes for k in range(n + 1) for axes in itertools.combinations(range(n), k)]


@pytest.mark.parametrize('shape', SHAPES, ids=str)
def test_reductions_over_every_subset_of_axes(shape):
    pairs = []
    for dtype in ops_table.REALS if len(shape) < 4 else SOME:
        x = rng().integers(0, 3, shape).astype(dtype)
        a = lnp.asarray(x)
        for axes in subsets(len(shape)):
            kind = dtypes.kind(dtype)
            names = ['sum', 'max', 'min', 'prod'] if dtype == dtypes.float32 else ['sum', 'max']
            names = ['any', 'all'] if kind == 'b' else names
            for name in names:
                more = {'dtype': dtype} if name in ('sum', 'prod') else {}
                want = getattr(np, name)(wide(x) if kind == 'f' else x, axis=axes, keepdims=len(axes) == 1,
                                         **({} if kind == 'f' else more))
                pairs.append((f'{name} of {dtype} over {axes}',
                              getattr(lnp, name)(a, axis=axes, keepdims=len(axes) == 1, **more),
                              np.asarray(want).astype(dtype)))
    check(pairs)


@pytest.mark.parametrize('dtype', [np.int8, np.float16, np.float32, np.float64, np.bool_], ids=lambda t: t.__name__)
def test_columns_from_memory(dtype):
    """Columns that are reduced row by row in parts: widths that fill the first-level cache more than once, or leave a
    rest."""
    size, pairs = np.dtype(dtype).itemsize, []
    for shape in [((13 << 20) // (size * 300), 300), ((13 << 20) // (size * 4113) + 1, 4113),
                  (2, (13 << 20) // (size * 600), 300)]:
        x = rng(3).integers(-3, 4, shape).astype(dtype)
        a, axes = lnp.asarray(x), (0,) if len(shape) == 2 else (0, 1)
        row = lnp.asarray(x[..., :1, :])
        pairs += [('max', lnp.max(a, axes), np.max(x, axes)), ('any', lnp.any(a, axes), np.any(x, axes)),
                  ('count', lnp.sum(a == row, axes, dtype=lnp.int32), np.sum(x == x[..., :1, :], axes, dtype=np.int32)),
                  ('middle', lnp.min(a, -2), np.min(x, -2))]
        if dtype is not np.bool_:
            pairs.append(('sum', lnp.sum(lnp.astype(a, lnp.int32) * 2, axes),
                          np.sum(x.astype(np.int32) * 2, axes, dtype=np.int32)))
    check(pairs)


def test_large_reductions():
    """Those that are done in parts."""
    pairs = []
    for number, dtype in enumerate([np.bool_, np.int8, np.int32, np.float16, np.float32, np.float64]):
        for shape in [(1 << 17,), (3, 70_000), (70_000, 3), (2, 300, 400), (100_003,)]:
            x = (rng(number).random(shape) < 1e-4).astype(dtype)
            a = lnp.asarray(x)
            for axes in {(0,), tuple(range(len(shape)))}:
                if dtype == np.bool_:
                    pairs += [(f'any {shape} {axes}', lnp.any(a, axis=axes), np.any(x, axis=axes)),
                              (f'all {shape} {axes}', lnp.all(~a, axis=axes), np.all(~x, axis=axes))]
                else:
                    want = np.sum(x, axis=axes, dtype=np.int64).astype(dtype)
                    pairs += [(f'sum {dtype} {shape} {axes}', lnp.sum(a, axis=axes, dtype=dtype), want),
                              (f'max {dtype} {shape} {axes}', lnp.max(a, axis=axes), np.max(x, axis=axes))]
    check([(name, x, np.asarray(want)) for name, x, want in pairs])


def test_reductions_in_parts_beside_other_work():
    """What is stored in the same loop, and what is made of results that come in parts: means, norms, several passes."""
    for shape in [(300_007,), (70_003, 9), (600, 700), (3, 2, 100_003), (5, 60_000)]:
        x = rng(5).uniform(0.5, 2, shape)
        a = lnp.asarray(x)
        for axes in {(0,), (-1,), tuple(range(len(shape)))}:
            functions = {'map': (lnp.exp, np.exp(x)), 'sum': (lambda a: lnp.exp(a).sum(axes), np.exp(x).sum(axes)),
                         'mean': (lambda a: a.mean(axes), x.mean(axes)), 'var': (lambda a: a.var(axes), x.var(axes)),
                         'norm': (lambda a: lnp.sqrt((a * a).sum(axes)) + 1, np.sqrt((x * x).sum(axes)) + 1),
                         'logsumexp': (lambda a: lazy.nn.logsumexp(a, axes), special.logsumexp(x, axes)),
                         'softmax': (lambda a: lazy.nn.softmax(a, axes), special.softmax(x, axes)),
                         'centred': (lambda a: a - a.mean(axes, keepdims=True), x - x.mean(axes, keepdims=True)),
                         'put together': (lambda a: lnp.stack([a.max(axes), a.sum(axes)]),
                                          np.stack([x.max(axes), x.sum(axes)]))}
            check([(name, f(a), want) for name, (f, want) in functions.items()], lambda dtype: 1e-11)
            for name, (f, want) in functions.items():
                check([(name + ' alone', f(a), want)], lambda dtype: 1e-11)
        value, slope = lazy.jit(lazy.value_and_grad(lambda v: (v * v * v).mean()))(a)
        check([('value', value, np.asarray((x ** 3).mean())), ('slope', slope, 3 * x * x / x.size)],
              lambda dtype: 1e-11)


def test_results_do_not_depend_on_the_number_of_threads():
    x = rng().standard_normal((1 << 18,)).astype(np.float32)
    found, before = [], lazy.get_num_threads()
    try:
        for n in (1, 2, 3):
            lazy.set_num_threads(n)
            found.append(float(lnp.asarray(x).sum()))
    finally:
        lazy.set_num_threads(before)
    assert len(set(found)) == 1


@pytest.mark.parametrize('dtype', ops_table.REALS, ids=str)
def test_first_of_equals(dtype):
    pairs = []
    for number, shape in enumerate([(40,), (6, 33), (5, 2, 17)]):
        x = rng(number).integers(0, 3, shape).astype(dtype)
        for name, axis in itertools.product(('argmax', 'argmin'), range(len(shape))):
            want = np.asarray(getattr(np, name)(wide(x), axis=axis)).astype(np.int32)
            pairs.append((f'{name} {shape} {axis}', getattr(lnp, name)(lnp.asarray(x), axis=axis).astype(np.int32),
                          want))
    check(pairs)


@pytest.mark.parametrize('dtype', SOME[2:], ids=str)
def test_nan_is_the_extreme(dtype):
    x = rng().standard_normal((20, 35)).astype(dtype)
    x[3, 5], x[3, 30], x[7, 0], x[9, 34], x[11] = np.nan, np.nan, np.nan, np.nan, np.nan
    x[13], x[14], x[15, 2], x[:, 20] = np.inf, -np.inf, np.inf, -np.inf
    a, pairs = lnp.asarray(x), []
    for axis in (0, 1, None):
        for name in ('argmax', 'argmin', 'max', 'min'):
            with np.errstate(all='ignore'):
                want = np.asarray(getattr(np, name)(x, axis=axis))
            got = getattr(lnp, name)(a, axis=axis)
            if 'arg' in name:
                got, want = got.astype(np.int32), want.astype(np.int32)
            pairs.append((f'{name} {axis}', got, want))
    check(pairs)


@pytest.mark.parametrize('shape', [(33,), (5, 17), (3, 20, 6), (2, 3, 4, 5), (4, 1), (300, 40)], ids=str)
def test_several_passes(shape):
    from scipy import special
    x = rng().standard_normal(shape)
    a, b, pairs = lnp.asarray(x.astype(np.float32)), lnp.asarray(x), []
    for axis in range(len(shape)):
        for lazily, want in [(lambda v: lazy.nn.softmax(v, axis=axis), special.softmax(x, axis)),
                             (lambda v: lazy.nn.log_softmax(v, axis=axis), special.log_softmax(x, axis)),
                             (lambda v: lnp.var(v, axis=axis), x.var(axis)),
                             (lambda v: lnp.std(v, axis=axis, keepdims=True) * v, x.std(axis, keepdims=True) * x),
                             (lambda v: lazy.nn.logsumexp(v, axis=axis), special.logsumexp(x, axis)),
                             (lambda v: (v - v.mean(axis, keepdims=True)) / lnp.sqrt(v.var(axis, keepdims=True) + 1e-5),
                              (x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True) + 1e-5))]:
            pairs += [(f'{axis}', lazily(a), want.astype(np.float32)), (f'{axis} wide', lazily(b), want)]
    check(pairs, lambda dtype: 1e-5 if dtype == np.float32 else 1e-12)


def test_reductions_of_nothing():
    a = lnp.zeros((0, 3), np.float32)
    check([('sum', a.sum(0), np.zeros(3, np.float32)), ('all', (a > 0).all(0), np.ones(3, bool)),
           ('prod', a.prod(0), np.ones(3, np.float32)),
           ('none', a.sum(1), np.zeros(0, np.float32)),
           ('softmax', lazy.nn.softmax(a, 0), np.zeros((0, 3), np.float32))])
    for name in ('max', 'min', 'argmax', 'argmin'):
        with pytest.raises(ValueError):
            getattr(lnp, name)(a, axis=0).block_until_ready()


# --- putting together, updates ----------------------------------------------------------------------------------------

def test_nested_parts():
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    a, c, s = lnp.asarray(x), lnp.concatenate, np.concatenate
    inner, want = c([a + 1, a * 2], 0), s([x + 1, x * 2], 0)
    check([('nested', c([inner, inner.sum(0, keepdims=True), a]), s([want, want.sum(0, keepdims=True), x])),
           ('axis 1', c([c([a, a], 1), c([a + 1, a[:, ::-1]], 1)], 0), s([s([x, x], 1), s([x + 1, x[:, ::-1]], 1)], 0)),
           ('same twice', c([inner, inner], 1), s([want, want], 1)), ('part used', inner[:3] * 2, (x + 1) * 2),
           ('reshaped', c([a.reshape(2, 6), (a * 3).reshape(2, 6)]), s([x.reshape(2, 6), (x * 3).reshape(2, 6)])),
           ('empty', c([a[:0], a, a[:0]]), x), ('stack', lnp.stack([a.T, a.T + 1], 1), np.stack([x.T, x.T + 1], 1)),
           ('padded', lnp.pad(c([a, a]), 1), np.pad(s([x, x]), 1))])


def updates(x, lib):
    """A few updates in a row, as a list of all values on the way."""
    values = [x]
    for index, value in [(0, 5), ((slice(1, None), slice(0, 4, 2)), 7), ((slice(None), -1), 9), ((1, 1), 3)]:
        if lib is np:
            new = values[-1].copy()
            new[index] = value
        else:
            new = values[-1].at[index].set(value)
        values.append(new)
    return values


@pytest.mark.parametrize('held', [(), (0,), (1,), (0, 2), (0, 1, 2, 3, 4)], ids=str)
@pytest.mark.parametrize('computed', [False, True])
def test_old_values_stay_right_when_somebody_holds_them(held, computed):
    x = np.arange(20, dtype=np.float32).reshape(4, 5)
    start = lnp.asarray(x)
    if computed:
        start = lazy.block_until_ready(start + 0)
    values = updates(start, lnp)
    del start
    wanted = updates(x, np)
    kept = {i: values[i] for i in {*held, 4}}
    del values
    check([(str(i), kept[i], wanted[i]) for i in sorted(kept, reverse=True)])
    check([(str(i), kept[i] + 1, wanted[i] + 1) for i in kept])


def put(x, index, value):
    x = x.copy()
    x[index] = value
    return x


def test_update_that_reads_what_it_overwrites():
    x = np.arange(30, dtype=np.float32).reshape(5, 6)
    fresh = lambda: lnp.asarray(x) + 0
    for name, update, want in [
            ('shifted', lambda a: a.at[1:].set(a[:-1]), put(x, slice(1, None), x[:-1])),
            ('flipped', lambda a: a.at[:].set(a[::-1]), x[::-1]),
            ('transposed', lambda a: a.at[:5, :5].set(a[:5, :5].T), put(x, np.s_[:5, :5], x[:5, :5].T)),
            ('sum', lambda a: a.at[0].set(a.sum(0)), put(x, 0, x.sum(0))),
            ('own place', lambda a: a.at[1:3].set(a[1:3] * 2), put(x, np.s_[1:3], x[1:3] * 2)),
            ('add', lambda a: a.at[1:3, ::2].add(a[1:3, ::2]), put(x, np.s_[1:3, ::2], x[1:3, ::2] * 2)),
            ('row', lambda a: a.at[2].set(a[2] * 2 + a[1]), put(x, 2, x[2] * 2 + x[1])),
            ('gathered', lambda a: a.at[0].set(a[lnp.asarray([4, 3]), :].sum(0)), put(x, 0, x[[4, 3]].sum(0))),
            ('twice', lambda a: a.at[1].set(a[0]).at[0].set(a[1]), put(x, [0, 1], x[[1, 0]])),
            ('both', lambda a: a.at[1].add(a[0].sum()).at[1].multiply(2), put(x, 1, (x[1] + x[0].sum()) * 2))]:
        a = lazy.block_until_ready(fresh())
        b = update(a)
        del a
        assert not difference(np.asarray(b), want), name
        assert not difference(np.asarray(update(fresh())), want), name


def test_updates_in_a_loop_take_place():
    """The memory stays where it is as long as nobody else holds the array."""
    x = lazy.block_until_ready(lnp.zeros((1000,)) + 1)
    address = x._node.value.address
    for i in range(20):
        x = x.at[i].set(2.0)
        lazy.block_until_ready(x)
        assert x._node.value.address == address
    x = x.at[30:40].add(1.0)
    assert lazy.block_until_ready(x)._node.value.address == address
    y = x
    x = lazy.block_until_ready(x.at[0].set(5.0))
    assert x._node.value.address != address
    assert float(y[0]) == 2 and float(x[0]) == 5 and float(x[35]) == 2


# --- products ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('dtype', [np.int32, np.float16, np.float32, np.float64, np.complex64], ids=str)
def test_products(dtype):
    g = lambda *shape: rng(len(shape)).integers(-3, 4, shape).astype(dtype)
    pairs = []
    for m, k, n in [(1, 1, 1), (5, 7, 3), (17, 33, 16), (1, 40, 9), (40, 1, 9), (33, 20, 1), (0, 3, 2), (3, 0, 2),
                    (64, 65, 66)]:
        x, y, xt, yt = g(m, k), g(k, n), g(k, m), g(n, k)
        a, b, c, d = (lnp.asarray(v) for v in (x, y, xt, yt))
        pairs += [(f'{m},{k},{n}', a @ b, x @ y), (f'{m},{k},{n} left', c.T @ b, xt.T @ y),
                  (f'{m},{k},{n} right', a @ d.T, x @ yt.T),
                  (f'{m},{k},{n} both', c.T @ d.T, xt.T @ yt.T),
                  (f'{m},{k},{n} flipped', a[::-1] @ b[:, ::-1], x[::-1] @ y[:, ::-1]),
                  (f'{m},{k},{n} used', (a + 1) @ b + 1, (x + x.dtype.type(1)) @ y + x.dtype.type(1))]
    for equation, left, right in [('bij,bjk->bik', (3, 4, 5), (3, 5, 6)), ('bij,bkj->bik', (3, 4, 5), (3, 6, 5)),
                                  ('ijb,jkb->bik', (4, 5, 3), (5, 6, 3)),
                                  ('abc,cd->abd', (2, 3, 4), (4, 5)), ('abc,dbc->ad', (2, 3, 4), (5, 3, 4)),
                                  ('i,i->', (9,), (9,)), ('i,j->ij', (4,), (5,)),
                                  ('bhqd,bhkd->bhqk', (2, 3, 4, 5), (2, 3, 6, 5)), ('ab,ab->a', (4, 5), (4, 5))]:
        x, y = g(*left), g(*right)
        pairs.append((equation, lnp.einsum(equation, lnp.asarray(x), lnp.asarray(y)), np.einsum(equation, x, y)))
    check(pairs)


# --- without a compiler -----------------------------------------------------------------------------------------------

def test_without_llvmlite(tmp_path):
    """NumPy computes, and says so once."""
    code = textwrap.dedent('''
        import sys, warnings
        sys.modules['llvmlite'] = None
        sys.modules['llvmlite.binding'] = None
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            import lazy, lazy.numpy as np
            x = np.arange(10.0)
            for _ in range(3):
                total = float((x * 2 + len(str(_))).sum())
            assert total == 100.0
            assert lazy.grad(lambda x: (x ** 2).sum())(x).tolist() == [2.0 * i for i in range(10)]
        print([str(w.message) for w in caught])
        ''')
    environment = {**os.environ, 'LAZY_CACHE_DIR': str(tmp_path)}
    done = subprocess.run([sys.executable, '-c', code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    messages = eval(done.stdout)
    assert len(messages) == 1 and 'NumPy' in messages[0] and 'llvmlite' in messages[0], messages
