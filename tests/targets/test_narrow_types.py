"""float8 and int4: conversions of every value on every target, promotion, and what users see of them."""
import copy
import pickle
import random

import ml_dtypes
import numpy as np
import pytest

import hosts
import lazy
import lazy.numpy as lnp
from lazy.codegen import memory
from lazy.ir import dtypes
from lazy.ir.elements import convert

FLOAT8 = [dtypes.float8_e4m3fn, dtypes.float8_e5m2]
INT4 = [dtypes.int4, dtypes.uint4]
NARROW = FLOAT8 + INT4
WIDE = [d for d in dtypes.ALL if d not in NARROW and dtypes.kind(d) != 'c']
EDGES = {dtypes.float8_e4m3fn: 464.0, dtypes.float8_e5m2: 61440.0}              # beyond: NaN, and infinity


def every(dtype):
    """All values of a narrow dtype."""
    bits = np.arange(16 if dtype in INT4 else 256, dtype=np.uint8)
    return bits.view(dtype)


def same(got, expected):
    assert got.dtype == expected.dtype and got.shape == expected.shape
    a, b = (x.astype(np.complex128 if x.dtype.kind == 'c' else np.float64) for x in (got, expected))
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(np.signbit(a.real)[~np.isnan(a)], np.signbit(b.real)[~np.isnan(b)])


def numbers(dtype):
    """float32 numbers that are hard to round: all neighbours of a float8 type, ties between them and what is next to
    these, the edge of overflow, random bits."""
    values = np.unique(every(dtype).astype(np.float32))
    values = values[np.isfinite(values)]
    ties = (values[:-1] + values[1:]) / 2
    hard = np.concatenate([values, ties,
                           [EDGES[dtype], -EDGES[dtype], 2.0 ** -17, 2.0 ** -10, 1e-45, 3e38]]).astype(np.float32)
    around = [hard, np.nextafter(hard, np.float32(np.inf)), np.nextafter(hard, np.float32(-np.inf))]
    random = np.random.default_rng(0).integers(0, 1 << 32, 50_000, dtype=np.uint32).view(np.float32)
    return np.concatenate([*around, [np.inf, -np.inf, np.nan, 0.0, -0.0], random]).astype(np.float32)


def on_hosts(compute, *arrays):
    """Results of a function of lazy arrays on the numpy target, natively, and natively on lesser machines."""
    yield 'native', np.asarray(compute(*map(lnp.asarray, arrays)))
    for host in hosts.possible():
        with hosts.reduced(host):
            yield host, np.asarray(compute(*map(lnp.asarray, arrays)))
    lazy.config.update('target', 'numpy')
    try:
        yield 'numpy', np.asarray(compute(*map(lnp.asarray, arrays)))
    finally:
        lazy.config.update('target', 'native')


# --- conversions ------------------------------------------------------------------------------------------------------

@pytest.mark.filterwarnings('ignore::RuntimeWarning')
@pytest.mark.parametrize('dtype', NARROW, ids=str)
def test_every_value_there_and_back(dtype):
    x = every(dtype)
    for other in [d for d in WIDE if dtypes.kind(d) == 'f' and d.itemsize > 1]:
        for host, wide in on_hosts(lambda x: x.astype(other), x):
            same(wide, x.astype(other))
        for host, back in on_hosts(lambda x: x.astype(dtype), x.astype(other)):
            same(back, x)
    for other in [d for d in dtypes.ALL if dtypes.kind(d) in 'biu']:
        for host, got in on_hosts(lambda x: x.astype(other), x):
            same(got, convert(x, other, False))


@pytest.mark.filterwarnings('ignore::RuntimeWarning')
@pytest.mark.parametrize('dtype', FLOAT8, ids=str)
def test_float32_is_rounded_as_by_ml_dtypes(dtype):
    x = numbers(dtype)
    for host, got in on_hosts(lambda x: x.astype(dtype), x):
        same(got, x.astype(dtype))
        np.testing.assert_array_equal(got.view(np.uint8)[~np.isnan(x)], x.astype(dtype).view(np.uint8)[~np.isnan(x)])


@pytest.mark.parametrize('dtype', FLOAT8, ids=str)
def test_float64_is_rounded_once(dtype):
    """Just over the middle of two neighbours: rounding to float32 first would make it a tie."""
    values = np.unique(every(dtype).astype(np.float64))
    values = values[np.isfinite(values) & (values > 0)]
    ties = (values[:-1] + values[1:]) / 2
    for side, expected in ((1, values[1:]), (-1, values[:-1])):
        for host, got in on_hosts(lambda x: x.astype(dtype), ties * (1 + side * 2.0 ** -40)):
            same(got, expected.astype(dtype))


@pytest.mark.parametrize('dtype', INT4, ids=str)
def test_integers_of_4_bits_wrap_and_floats_saturate(dtype):
    info = dtypes.iinfo(dtype)
    x = np.arange(-40, 300)
    for host, got in on_hosts(lambda x: x.astype(dtype), x):
        same(got, (x % 16 if info.min == 0 else (x + 8) % 16 - 8).astype(dtype))
    y = np.array([np.nan, np.inf, -np.inf, 3.9, -3.9, 100, -100, 7.5, 15.5])
    for host, got in on_hosts(lambda x: x.astype(dtype), y):
        same(got, np.clip(np.trunc(np.nan_to_num(y, posinf=99, neginf=-99)), info.min, info.max).astype(dtype))


@pytest.mark.parametrize('dtype', INT4, ids=str)
@pytest.mark.parametrize('name', ['add', 'subtract', 'multiply', 'floor_divide', 'remainder', 'maximum', 'bitwise_and',
                                  'bitwise_xor', 'left_shift', 'right_shift', 'less'])
def test_arithmetic_of_4_bits(dtype, name):
    """Every pair of numbers, against 64 bits wrapped around; shifts by more than the width are 0, or the sign."""
    x, y = (v.ravel() for v in np.meshgrid(every(dtype), every(dtype)))
    if name == 'left_shift' or name == 'right_shift':
        y = abs(y.astype(np.int64)).clip(0, 7).astype(dtype)
    wide = [v.astype(np.int64) for v in (x, y)]
    with np.errstate(all='ignore'):
        expected = getattr(np, name)(*wide)
    expected = expected if expected.dtype == bool else convert(expected, dtype, False)
    for host, got in on_hosts(getattr(lnp, name), x, y):
        same(got, expected)


# --- storage ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('dtype', NARROW, ids=str)
def test_foreign_bits_are_taken_by_their_low_half(dtype):
    """NumPy arrays may hold anything in the upper half of a byte that is an int4."""
    x = np.arange(256, dtype=np.uint8).view(dtype)
    same(np.asarray(lnp.asarray(x) + 0), (x.astype(np.float32) + 0).astype(dtype))
    same(np.asarray(lnp.asarray(x)[::-1]), x[::-1])


@pytest.mark.parametrize('dtype', NARROW, ids=str)
def test_copies_and_text(dtype):
    x = lnp.asarray([1, 2, 3], dtype)
    assert x.dtype == dtype and x.nbytes == (2 if dtype in INT4 else 3) and x.tolist() == [1, 2, 3]
    for again in (pickle.loads(pickle.dumps(x)), copy.deepcopy(x), lnp.array(np.asarray(x)), lnp.stack([*x])):
        assert again.dtype == dtype and again.tolist() == [1, 2, 3]
    assert f'dtype={dtype.name})' in repr(x) and str(x) == '[1 2 3]'
    assert float(x[1]) == 2 and int(x[2]) == 3
    assert lazy.dtypes.itemsize_bits(dtype) == (4 if dtype in INT4 else 8)
    assert lnp.dtype(getattr(lnp, dtype.name)) == dtype and getattr(lnp, dtype.name)(3).dtype == dtype
    kind = lnp.floating if dtype in FLOAT8 else lnp.signedinteger if dtype == dtypes.int4 else lnp.unsignedinteger
    for issubdtype in (lnp.issubdtype, lazy.dtypes.issubdtype):
        assert issubdtype(dtype, kind) and issubdtype(dtype, lnp.number) and not issubdtype(dtype, lnp.complexfloating)
        assert issubdtype(dtype, dtype) and not issubdtype(dtype, np.float32) and not issubdtype(np.float32, dtype)


def test_limits():
    for dtype in FLOAT8:
        found, expected = lnp.finfo(dtype), ml_dtypes.finfo(dtype)
        assert (found.bits, found.max, found.eps) == (8, float(expected.max), float(expected.eps))
    assert [(lnp.iinfo(d).min, lnp.iinfo(d).max, lnp.iinfo(d).bits) for d in INT4] == [(-8, 7, 4), (0, 15, 4)]
    assert float(lnp.max(lnp.zeros(2, 'float8_e4m3fn') - 300, where=np.array([True, False]), initial=-400)) == -288
    assert float(lnp.nanmax(lnp.asarray([np.nan, -2], 'float8_e4m3fn'))) == -2
    assert lazy.ops.segment_max(lnp.ones(1, 'float8_e4m3fn'), lnp.array([1]), 2).tolist() == [-448, 1]


def test_bits_of_other_widths():
    x = np.array([0x21, 0xF8], np.uint8)
    found = lazy.lax.bitcast_convert_type(x, 'int4')
    assert found.tolist() == [[1, 2], [-8, -1]] and lazy.lax.bitcast_convert_type(found, 'uint8').tolist() == x.tolist()
    assert lnp.asarray(x).view('uint4').tolist() == [1, 2, 8, 15] \
        and lnp.asarray([1, 2, 8, 15], 'uint4').view('uint8').tolist() == x.tolist()
    for wide, narrow in (('float32', 'uint8'), ('int64', 'int16'), ('float64', 'float32'), ('float16', 'float8_e5m2')):
        y = np.arange(1, 4).astype(wide)
        as_bytes = np.asarray(lnp.asarray(y).view(narrow))
        assert as_bytes.tobytes() == y.tobytes() and lnp.asarray(as_bytes).view(wide).tolist() == y.tolist()
    with pytest.raises(ValueError, match='make one'):
        lazy.lax.bitcast_convert_type(lnp.ones(3, 'uint8'), 'uint16')
    with pytest.raises(ValueError, match='whole elements'):
        lnp.ones(3, 'uint8').view('uint16')


# --- two numbers in a byte --------------------------------------------------------------------------------------------

TARGETS = ['numpy', 'native', 'triton-interpreter']
SHAPES = [(), (0,), (1,), (6,), (7,), (1001,), (3, 5), (4, 6), (0, 4), (4, 0), (2, 3, 7), (5, 3, 4), (37, 66), (65, 33),
          (130, 1)]


@pytest.fixture(params=TARGETS)
def target(request):
    if request.param == 'triton-interpreter':
        pytest.importorskip('triton')
    lazy.config.update('target', request.param)
    yield request.param
    lazy.config.update('target', 'native')


def some(shape, dtype, seed=0):
    info = dtypes.iinfo(dtype)
    return np.random.default_rng(seed).integers(info.min, info.max + 1, shape).astype(dtype)


def wrapped(wide, dtype):
    """Integers of 64 bits with the values of 4 bits that they wrap around to."""
    return convert(np.asarray(wide), dtype, False).astype(np.int64)


def matches(got, wide):
    """A lazy array against the numbers expected, which it keeps in half as many bytes where they have 4 bits."""
    if got.dtype in INT4:
        wide = wrapped(wide, got.dtype)
        got.block_until_ready()
        assert got.nbytes == got._node.value.nbytes == (got.size + 1) // 2
    np.testing.assert_array_equal(np.asarray(got).astype(np.float64), wide)


# (name, function of (module, array) for NumPy with 64 bits and for lazy, least number of axes)
READS = [
    ('itself', lambda np, x: x, 0), ('sum', lambda np, x: x + x, 0),
    ('product', lambda np, x: x.astype('float32') * 2, 0),
    ('total', lambda np, x: x.astype('int32').sum(), 0), ('raveled', lambda np, x: x.reshape(-1), 0),
    ('behind the first', lambda np, x: x.reshape(-1)[1:], 0),
    ('before the last', lambda np, x: x.reshape(-1)[:-1] + x.reshape(-1)[1:], 0),
    ('every third', lambda np, x: x.reshape(-1)[1::3], 0),
    ('backwards', lambda np, x: x.reshape(-1)[::-1].astype('float32'), 0),
    ('one behind the other', lambda np, x: np.concatenate([x.reshape(-1), x.reshape(-1)[1:]]), 0),
    ('stacked', lambda np, x: np.stack([x, x]), 0), ('sorted', lambda np, x: np.sort(x, -1), 1),
    ('largest', lambda np, x: x.max(-1, initial=0), 1),
    ('sums along', lambda np, x: np.cumsum(x.astype('int32'), -1), 1),
    ('sums of rows', lambda np, x: x.astype('float32').sum(-1), 1),
    ('sums of columns', lambda np, x: x.astype('float32').sum(0), 1),
    ('transposed', lambda np, x: x.T + 0 * x.T, 1),
    ('of floats, transposed', lambda np, x: x.T.astype('float32') + 1, 1),
    ('part', lambda np, x: x[1:, 1:], 2), ('part, added', lambda np, x: x[1:, 1:].astype('float32') + 1, 2),
    ('columns from the end', lambda np, x: x[:, ::-1], 2), ('choice', lambda np, x: np.where(x > 2, x, -x), 0)]


@pytest.mark.parametrize('dtype', INT4, ids=str)
@pytest.mark.parametrize('shape', SHAPES, ids=str)
def test_numbers_lie_two_in_a_byte(target, dtype, shape):
    x = some(shape, dtype)
    a, wide = lnp.asarray(x), x.astype(np.int64)
    assert a.nbytes == a._node.value.nbytes == (x.size + 1) // 2
    for name, function, axes in READS:
        if len(shape) >= axes:
            matches(function(lnp, a), function(np, wide))
    if shape and shape[-1] % 2 == 0:
        packed = a.view('uint8')
        low, high = (x.view(np.uint8)[..., i::2] for i in (0, 1))
        np.testing.assert_array_equal(np.asarray(packed), low | high << 4)
        matches(packed.view(dtype), wide)
        assert not x.size or packed._node.value.address == a._node.value.address
    if x.size % 2:
        assert a._node.value.array((a.nbytes,), np.uint8)[-1] >> 4 == 0
    again = pickle.loads(pickle.dumps(a))
    assert again.dtype == dtype and again.shape == shape
    matches(again, wide)


def is_inside(x, index):
    try:
        return x[index] is not None
    except IndexError:
        return False


@pytest.mark.parametrize('dtype', INT4, ids=str)
@pytest.mark.parametrize('shape', [(9,), (8,), (5, 7), (4, 6), (3, 2, 5), (7, 1), (1, 6)], ids=str)
def test_updates_of_packed_numbers(target, dtype, shape):
    x, n = some(shape, dtype), shape[0]
    a, wide = lnp.asarray(x), x.astype(np.int64)
    row = some(shape[1:], dtype, 1)
    rows = np.array([0, n - 1])
    indices = [0, 1, -1, slice(1, 3), slice(0, 3), slice(1, None, 2), (..., 1), (..., slice(1, 2)),
               (..., slice(0, None, 2)),
               (1,) * len(shape), (-1,) * len(shape), rows, np.array(1), tuple([np.array(-1)] * len(shape)),
               tuple([np.array([0, 1, 1])] * len(shape))]
    for index in [index for index in indices if is_inside(wide, index)]:
        for how, value in (('set', 3), ('add', 5), ('max', 2), ('set', row)):
            expected = wide.copy()
            if how == 'set' and value is row:
                if len(shape) < 2 or not isinstance(index, (int, slice)) and index is not rows:
                    continue
                expected[index] = row.astype(np.int64)
            else:
                {'set': lambda: expected.__setitem__(index, value), 'add': lambda: np.add.at(expected, index, value),
                 'max': lambda: np.maximum.at(expected, index, value)}[how]()
            matches(getattr(a.at[index], how)(value), expected)
    matches(a, wide)


@pytest.mark.parametrize('shape', [(9,), (10,), (4, 6), (3, 5), (5, 1)], ids=str)
@pytest.mark.parametrize('mode', [None, 'clip', 'drop', 'wrap'])
def test_scatters_of_packed_numbers(target, shape, mode):
    """Two elements of one byte, and one element twice: the last value stays."""
    rng = np.random.default_rng(len(shape))
    x, values = some(shape, dtypes.int4), some((9,), dtypes.int4, 1)
    indices = tuple([lnp.asarray(rng.integers(-n, n if mode is None else 2 * n, 9)) for n in shape])
    options = {'mode': mode} if mode else {}
    expected = lnp.asarray(x.astype(np.int32)).at[indices].set(values.astype(np.int32), **options)
    matches(lnp.asarray(x).at[indices].set(values, **options), np.asarray(expected))


@pytest.mark.parametrize('n', [8, 9])
def test_updates_out_of_range(target, n):
    x = lnp.asarray(some((n,), dtypes.int4))
    beyond, wide = lnp.asarray(n), np.asarray(x).astype(np.int64)
    for mode, at in (('clip', n - 1), ('wrap', 0), ('drop', None)):
        expected = wide.copy()
        if at is not None:
            expected[at] = 5
        matches(x.at[beyond].set(5, mode=mode), expected)
    with pytest.raises(IndexError, match=f'index {n} is out of bounds for axis 0 with size {n}'):
        x.at[beyond].set(5).block_until_ready()


@pytest.mark.parametrize('seed', range(40))
def test_programs_of_packed_numbers(seed):
    source = random.Random(seed)
    lazy.config.update('target', source.choice(['native', 'native', 'native', 'numpy']))
    try:
        run_program(source)
    finally:
        lazy.config.update('target', 'native')


def run_program(source):
    """A random program, for NumPy with 64 bits and for lazy: nothing may be overwritten that is still to be read."""
    dtype, shape = source.choice(INT4), source.choice([(8,), (9,), (3, 5), (4, 6), (2, 3, 4), (1,), (5, 1), (2, 2, 3)])
    x, y = (some(shape, dtype, source.random().__hash__() % 1000) for _ in range(2))
    pairs = [[v.astype(np.int64), lnp.asarray(v) + 0] for v in (x, y)]
    sums = []
    for _ in range(source.randrange(3, 12)):
        i, j = source.randrange(2), source.randrange(2)
        (wide, a), (other, b) = pairs[i], pairs[j]
        kind = source.randrange(9)
        if kind < 4:
            index = tuple([source.choice([source.randrange(n), slice(source.randrange(n), None), slice(None),
                                          slice(None, None, 2),
                                          np.array(source.randrange(n)), np.array([0, n - 1])]) for n in wide.shape])
            how = source.choice(['set', 'add', 'max'])
            value = source.choice([3, np.flip(other)[index]])
            lazy_value = value if isinstance(value, int) else lnp.flip(b)[index]
            new = wide.copy()
            if how == 'set':
                if np.ndim(value) and any(isinstance(k, np.ndarray) and k.size > 1 and k[0] == k[1] for k in index):
                    continue                                          # which of two values is set last isn't defined
                new[index] = value
            else:
                {'add': np.add, 'max': np.maximum}[how].at(new, index, value)
            pairs[i] = [wrapped(new, dtype), getattr(a.at[index], how)(lazy_value)]
        elif kind == 4:
            pairs[i] = [wrapped(wide + other, dtype), a + b]
        elif kind == 5:
            pairs[i] = [np.concatenate([wide[1:], wide[:1]]), lnp.concatenate([a[1:], a[:1]])]
        elif kind == 6:
            pairs[i] = list(pairs[j])
        elif kind == 7:
            sums.append((wide.reshape(-1)[1:].sum(), a.reshape(-1)[1:].astype('int32').sum()))
        else:
            matches(a, wide)
    for wide, a in [*pairs, *sums]:
        matches(a, wide)


@pytest.mark.parametrize('dtype', INT4, ids=str)
def test_layers_with_weights_of_4_bits(target, dtype):
    """Weights are read where they are needed: no more memory is taken than the results and half a byte for each."""
    rng = np.random.default_rng(0)
    x, w, scale = rng.normal(size=(4, 66)).astype(np.float32), some((66, 31), dtype), rng.random(31).astype(np.float32)
    expected = x @ (w.astype(np.float32) * scale)
    layer = lambda x, w, scale: x @ (w.astype('float32') * scale)
    for f in (layer, lazy.jit(layer)):
        np.testing.assert_allclose(f(lnp.asarray(x), lnp.asarray(w), lnp.asarray(scale)), expected, rtol=1e-4,
                                   atol=1e-4)
    many = lazy.vmap(layer, (None, 0, None))(lnp.asarray(x), lnp.stack([lnp.asarray(w)] * 3), lnp.asarray(scale))
    np.testing.assert_allclose(many[2], expected, rtol=1e-4, atol=1e-4)
    found = lazy.grad(lambda scale: layer(lnp.asarray(x), lnp.asarray(w), scale).sum())(lnp.asarray(scale))
    np.testing.assert_allclose(found, (x @ w.astype(np.float32)).sum(0), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize('shape', [(4, 6), (3, 5)], ids=str)
def test_fused_functions_of_packed_numbers(shape):
    """How arrays lie in memory is no part of what is to be one kernel."""
    x = some(shape, dtypes.int4)
    a, wide = lnp.asarray(x), x.astype(np.int64)
    for f in (lambda np, x: x.reshape(-1)[1:].astype('float32') * 2, lambda np, x: x + x,
              lambda np, x: x.astype('float32').sum(1)):
        matches(lazy.fuse(lambda x: f(lnp, x))(a), f(np, wide))
    rows = lazy.vmap(lambda row, i: row.at[i].set(3))(a, lnp.arange(shape[0]))
    np.fill_diagonal(wide, 3)
    matches(rows, wide)


def test_other_libraries_get_bytes():
    x = lnp.asarray([1, 2, 3, -1], 'int4')
    with pytest.raises(BufferError, match="x.view\\('uint8'\\)"):
        np.from_dlpack(x)
    assert np.from_dlpack(x.view('uint8')).tolist() == [0x21, 0xF3]


def test_memory_of_packed_numbers():
    """Of a large array half a byte for each number, also while it is computed from and updated in place."""
    n = 1 << 22
    held = memory.statistics()['in_use']
    x = lnp.ones(n, 'int4') + 1
    x.block_until_ready()
    assert memory.statistics()['in_use'] - held < 0.6 * n
    place, places = lnp.asarray(7), lnp.asarray([3, 4, 5, 4, 1000])
    step = lazy.jit(lambda x, i: x.at[i].set(5), donate_argnums=0)
    for update in (lambda x, k: x.at[k].set(k % 7), lambda x, k: x.at[k].add(1),
                   lambda x, k: x.at[2 * k:2 * k + 7].set(1), lambda x, k: x.at[places].set(k),
                   lambda x, k: step(x, place)):
        address = x._node.value.address
        for k in range(8):
            x = update(x, k)
            x.block_until_ready()
            assert x._node.value.address == address
    odd = lnp.zeros((3, (1 << 20) + 1), 'int4')
    odd.block_until_ready()
    address_of_odd = odd._node.value.address
    for k in range(8):
        odd = odd.at[k % 3, 5 * k:5 * k + 4].set(1)
        odd.block_until_ready()
        assert odd._node.value.address == address_of_odd
    assert int(odd.astype('int32').sum()) == 32
    del odd
    for k in range(40):                                               # computed together, from the places as arguments
        x = x.at[k].set(x[k + 1])
    assert int(x[50]) == 2 and x._node.value.address == address and memory.statistics()['in_use'] - held < 0.6 * n
    big = x.astype('float32').sum()
    assert float(big) > n and memory.statistics()['in_use'] - held < 0.6 * n
    with pytest.raises(ValueError, match='needs a copy'):
        x.__array__(copy=False)


# --- promotion --------------------------------------------------------------------------------------------------------

SCALARS = {'bool': True, 'int': 1, 'float': 1.5, 'complex': 1j}


def promoted(a, b):
    try:
        return lnp.promote_types(a, b).name
    except lazy.dtypes.TypePromotionError:
        return None


@pytest.mark.parametrize('dtype', NARROW, ids=str)
def test_promotion(dtype):
    """float8 takes booleans, integers of 8 bits and more and Python's numbers; int4 booleans and Python's integers."""
    for other in dtypes.ALL:
        kind = dtypes.kind(other)
        fits = other == dtype or kind == 'b' or dtype in FLOAT8 and kind in 'iu' and other not in INT4
        assert promoted(dtype, other) == promoted(other, dtype) == (dtype.name if fits else None), other
    x = lnp.ones(2, dtype)
    for name, scalar in SCALARS.items():
        if name in ('bool', 'int') or name == 'float' and dtype in FLOAT8:
            assert (x + scalar).dtype == (scalar + x).dtype == dtype
        else:
            with pytest.raises(lazy.dtypes.TypePromotionError,
                               match=r"converted explicitly, for example by x.astype\('float32'\)"):
                x + scalar


@pytest.mark.parametrize('dtype', NARROW, ids=str)
def test_promotion_is_that_of_jax(dtype):
    jnp = pytest.importorskip('jax').numpy
    for other in dtypes.ALL:
        try:
            expected = jnp.promote_types(dtype, other).name
        except ValueError:
            expected = None
        assert promoted(dtype, other) == expected, other


# --- functions --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('dtype', FLOAT8, ids=str)
def test_sums_and_products_are_made_in_float32(dtype):
    """Parts of sums and products may be beyond the range; results are rounded once, on every way to compute them."""
    rng = np.random.default_rng(0)
    for shape, axis in (((3, 5000), 1), ((5000, 3), 0), ((400_003,), 0), ((2, 300, 400), (0, 1)), ((2, 300, 400), 2)):
        x = rng.integers(-2, 3, shape).astype(np.float32)
        pair = [lnp.asarray(x.astype(dtype)).sum(axis), lnp.asarray(x.astype(dtype)).sum()]
        for got, expected in zip(map(np.asarray, pair), (x.sum(axis), x.sum())):
            same(got, np.asarray(expected, np.float32).astype(dtype))
    x, y = (rng.integers(-9, 9, shape).astype(np.float32) for shape in ((37, 65), (65, 41)))
    a, b = (lnp.asarray(v.astype(dtype)) for v in (x, y))
    for host, got in on_hosts(lambda a, b: a @ b, x.astype(dtype), y.astype(dtype)):
        same(got, (x.astype(dtype).astype(np.float32) @ y.astype(dtype).astype(np.float32)).astype(dtype))
    mixed = lazy.lax.dot_general(a, b.astype(FLOAT8[0]), (((1,), (0,)), ((), ())), preferred_element_type='float32')
    assert mixed.dtype == np.float32


@pytest.mark.parametrize('dtype', FLOAT8, ids=str)
def test_transformations_of_float8(dtype):
    x = lnp.asarray([[0.5, -1.5, 2.0], [1.0, 0.25, -0.75]], dtype)
    f = lambda x: (x * x + lnp.where(x > 0, x, 0)).sum()
    expected = 2 * np.asarray(x).astype(np.float32) + (np.asarray(x).astype(np.float32) > 0)
    for found in (lazy.grad(f)(x), lazy.jit(lazy.grad(f))(x), lazy.vmap(lazy.grad(f))(x), lazy.jacfwd(f)(x)):
        assert found.dtype == dtype
        np.testing.assert_allclose(np.asarray(found).astype(np.float32), expected, rtol=0.15)
    many = lazy.nn.softmax(lnp.asarray([1, 2, 3], dtype), where=np.array([True, False, True]))
    np.testing.assert_allclose(np.asarray(many).astype(np.float32), [0.1192, 0, 0.8808], rtol=0.2)
    assert lazy.random.uniform(lazy.random.key(0), (3,), dtype).dtype == dtype


@pytest.mark.parametrize('dtype', INT4, ids=str)
def test_functions_of_int4(dtype):
    x = every(dtype)
    a, wide = lnp.asarray(x), x.astype(np.int32)
    assert a.sum().dtype == ('int32' if dtype == dtypes.int4 else 'uint32') and int(a.sum()) == wide.sum()
    assert lnp.sum(a, dtype=dtype).dtype == dtype \
        and int(lnp.sum(a[:9], dtype=dtype)) == int(convert(wide[:9].sum(), dtype, False))
    assert lnp.sin(a).dtype == (a / a).dtype == a.mean().dtype == np.float32
    same(np.asarray(lnp.sort(a)), np.sort(wide).astype(dtype))
    same(np.asarray(a @ a), np.asarray(convert(wide @ wide, dtype, False)))
    assert lnp.arange(10)[lnp.asarray([1, 3], dtype)].tolist() == [1, 3]
    assert a.at[lnp.array([0, 0])].add(7)[0] == int(convert(wide[0] + 14, dtype, False))
    assert set(lazy.random.randint(lazy.random.key(0), (50,), 0, 5, dtype).tolist()) == {0, 1, 2, 3, 4}
    with pytest.raises(OverflowError, match=f'out of bounds for {dtype.name}'):
        a + 100


# --- Triton -----------------------------------------------------------------------------------------------------------

def interpreted(dtype, x):
    """x converted to a dtype by a Triton kernel under the interpreter."""
    pytest.importorskip('triton')
    from lazy.codegen.memory import Buffer
    from lazy.codegen.program import Instruction, Linear
    from lazy.codegen.triton_plan import InterpretedProgram
    from lazy.ir import ops
    from lazy.ir.graph import aval
    linear = Linear([Instruction(ops.leaf, (), None, aval(x.shape, x.dtype), 0),
                     Instruction(ops.convert, (0,), (dtype, False), aval(x.shape, dtype))], [1])
    linear.sources = [None, None]
    found, = InterpretedProgram(linear).run([Buffer.from_array(x)], [], ())
    return found.array(x.shape, dtype)


@pytest.mark.filterwarnings('ignore::RuntimeWarning')
@pytest.mark.parametrize('dtype', NARROW, ids=str)
def test_triton_converts_every_value(dtype):
    x = every(dtype)
    for other in dtypes.ALL:
        if dtypes.kind(other) == 'c':
            continue
        same(interpreted(other, x), convert(x, other, False))
        if dtypes.kind(other) == 'f' and other.itemsize > 1:
            same(interpreted(dtype, x.astype(other)), x)
    if dtype in FLOAT8:
        y = numbers(dtype)
        same(interpreted(dtype, y), y.astype(dtype))
        z = np.unique(every(dtype).astype(np.float64))
        z = z[np.isfinite(z) & (z > 0)]
        same(interpreted(dtype, (z[:-1] + z[1:]) / 2 * (1 + 2.0 ** -40)), z[1:].astype(dtype))
    else:
        same(interpreted(dtype, np.arange(-40, 300)), convert(np.arange(-40, 300), dtype, False))
