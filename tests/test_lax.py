"""lazy.lax: results against NumPy, its strictness, and slices whose starts are arrays."""
import numpy as onp
import pytest
from scipy import special

import lazy
import lazy.numpy as np
from lazy import lax

X = onp.linspace(0.05, 0.9, 12).reshape(3, 4)
I = onp.arange(-6, 6).reshape(3, 4).astype('int32')
UNARY = {
    'neg': onp.negative, 'abs': onp.abs, 'sign': onp.sign, 'floor': onp.floor, 'ceil': onp.ceil, 'square': onp.square,
    'reciprocal': onp.reciprocal, 'erf': special.erf, 'erfc': special.erfc, 'erf_inv': special.erfinv,
    'lgamma': special.gammaln, 'digamma': special.digamma, 'is_finite': onp.isfinite, 'asinh': onp.arcsinh,
    'atanh': onp.arctanh, 'sinh': onp.sinh, 'cosh': onp.cosh, 'exp': onp.exp, 'exp2': onp.exp2, 'expm1': onp.expm1,
    'log': onp.log, 'log1p': onp.log1p, 'sqrt': onp.sqrt, 'rsqrt': lambda x: 1 / onp.sqrt(x), 'cbrt': onp.cbrt,
    'sin': onp.sin, 'cos': onp.cos, 'tan': onp.tan, 'tanh': onp.tanh, 'asin': onp.arcsin, 'acos': onp.arccos,
    'atan': onp.arctan, 'logistic': special.expit,
}
BINARY = {'add': onp.add, 'sub': onp.subtract, 'mul': onp.multiply, 'div': onp.divide, 'rem': onp.fmod,
          'max': onp.maximum,
          'min': onp.minimum, 'atan2': onp.arctan2, 'nextafter': onp.nextafter, 'pow': onp.power, 'eq': onp.equal,
          'ne': onp.not_equal, 'lt': onp.less, 'le': onp.less_equal, 'gt': onp.greater, 'ge': onp.greater_equal}
BITS = {'bitwise_and': onp.bitwise_and, 'bitwise_or': onp.bitwise_or, 'bitwise_xor': onp.bitwise_xor}


@pytest.mark.parametrize('name', UNARY)
def test_unary(name):
    onp.testing.assert_allclose(onp.asarray(getattr(lax, name)(X)), UNARY[name](X), rtol=1e-10)


@pytest.mark.parametrize('name', BINARY)
def test_binary(name):
    onp.testing.assert_allclose(onp.asarray(getattr(lax, name)(X, X[::-1])), BINARY[name](X, X[::-1]), rtol=1e-12)


def test_integers_and_bits():
    for name, f in BITS.items():
        assert getattr(lax, name)(I, I[::-1]).tolist() == f(I, I[::-1]).tolist()
    assert lax.bitwise_not(I).tolist() == (~I).tolist()
    assert lax.div(I, np.array(4)).tolist() == onp.trunc(I / 4).astype(int).tolist()
    assert lax.rem(I, np.array(4)).tolist() == onp.fmod(I, 4).tolist()
    shift = onp.full_like(I, 3)
    assert lax.shift_left(I, shift).tolist() == (I << 3).tolist()
    assert lax.shift_right_arithmetic(I, shift).tolist() == (I >> 3).tolist()
    assert lax.shift_right_logical(I, shift).tolist() == (I.view('uint32') >> 3).tolist()
    assert lax.population_count(np.array([7, -1])).tolist() == [3, 32] \
        and lax.clz(np.array([1, 0])).tolist() == [31, 32]
    assert lax.pow(I, 2).tolist() == (I ** 2).tolist() and lax.integer_pow(np.array(2.0), -2) == 0.25
    assert lax.pow(np.array([2., 3.]), np.array([3, 2])).tolist() == [8, 9]


def test_strictness():
    f, i, half = np.ones(3), np.ones(3, 'int32'), np.ones(3, 'float16')
    assert lax.add(f, 1.0).dtype == onp.float32 and lax.add(half, 1.0).dtype == onp.float16
    assert lax.add(np.ones(3, np.bfloat16), 1.0).dtype == np.bfloat16 and lax.add(i, 1).dtype == onp.int32
    assert lax.add(f, np.ones(())).shape == (3,) and lax.add(np.ones((1, 3)), np.ones((2, 3))).shape == (2, 3)
    assert lax.exp(2.0).shape == ()
    for call in (lambda: lax.add(f, i), lambda: lax.add(f, 1), lambda: lax.add(i, 1.0), lambda: lax.mul(f, half)):
        with pytest.raises(TypeError, match='same dtypes'):
            call()
    with pytest.raises(TypeError, match='number of dimensions'):
        lax.add(np.ones((2, 3)), f)
    with pytest.raises((TypeError, ValueError), match=r'\(3,\).*\(4,\)'):
        lax.add(f, np.ones(4))
    for call in (lambda: lax.sin(i), lambda: lax.neg(np.array(True)), lambda: lax.population_count(f),
                 lambda: lax.lt(np.array(1j), np.array(1j))):
        with pytest.raises(TypeError, match='not take|does not accept'):
            call()


def test_bounds_in_the_wrong_order():
    assert lax.clamp(2.0, np.array([0.0, 1.5, 3.0]), 1.0).tolist() == [1, 1, 1]


def test_mixed_derivative_of_a_power_at_exponent_0():
    for first, second in ((lazy.jacfwd, lazy.jacfwd), (lazy.jacrev, lazy.jacrev)):
        (_, xy), (yx, yy) = first(second(lax.pow, (0, 1)), (0, 1))(4.0, 0.0)
        assert onp.allclose([xy, yx, yy], [0.25, 0.25, onp.log(4) ** 2], rtol=1e-6)
    assert float(lazy.grad(lax.pow)(0.0, 0.0)) == 0 and float(lazy.grad(lax.pow, 1)(0.0, 0.0)) == 0


def test_rounding_clamp_select():
    x = np.array([-2.5, -0.5, 0.49999997, 0.5, 1.5, 2.5])
    assert lax.round(x).tolist() == [-3, -1, 0, 1, 2, 3]
    assert lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN).tolist() == [-2, 0, 0, 0, 2, 2]
    onp.testing.assert_array_equal(onp.asarray(lax.clamp(-1.0, x, 1.0)), onp.clip(onp.asarray(x), -1, 1))
    assert onp.isnan(float(lax.clamp(0.0, onp.float32(onp.nan), 1.0)))
    assert lazy.vmap(lazy.grad(lambda v: lax.clamp(-1.0, v, 1.0)))(x).tolist() == [0, 1, 1, 1, 0, 0]
    with pytest.raises(TypeError, match='shape of x'):
        lax.clamp(np.zeros(2), x, 1.0)
    which = np.array([True, False])
    assert lax.select(which, np.array([1, 2]), np.array([3, 4])).tolist() == [1, 4]
    assert lax.select_n(which, np.array([1, 2]), np.array([3, 4])).tolist() == [3, 2]
    assert lax.select_n(np.array([2, 0, 1]), *[np.full(3, v) for v in (10, 20, 30)]).tolist() == [30, 10, 20]
    for call in (lambda: lax.select(which, np.zeros(2), np.zeros(())),
                 lambda: lax.select(which, np.zeros(3), np.zeros(3)),
                 lambda: lax.select(np.array([1, 0]), np.zeros(2), np.zeros(2))):
        with pytest.raises(TypeError, match='select'):
            call()


def test_types_and_creation():
    assert lax.convert_element_type(np.array([1.7, -1.7]), 'int8').tolist() == [1, -1]
    assert lax.bitcast_convert_type(np.array(1.0), 'int32') == 0x3f800000
    assert lax.dtype(1.0) == onp.float32 and lax.dtype(np.ones(1, 'int8')) == onp.int8
    assert lax.full((2, 2), 3).tolist() == [[3, 3], [3, 3]] and lax.full((2,), 1, 'float64').dtype == onp.float64
    assert lax.full_like(I, 7).tolist() == onp.full_like(I, 7).tolist() and lax.iota('int32', 3).tolist() == [0, 1, 2]
    assert lax.broadcasted_iota('float32', (2, 3), 1).tolist() == [[0, 1, 2]] * 2
    assert lax.real(np.array(1 + 2j)) == 1 and lax.imag(np.array(1 + 2j)) == 2 and lax.conj(np.array(1 + 2j)) == 1 - 2j
    assert complex(lax.complex(np.array(1.), np.array(2.))) == 1 + 2j
    with pytest.raises(TypeError, match='scalar'):
        lax.full((2,), np.ones(2))


def test_shapes():
    x = np.asarray(X)
    assert lax.reshape(x, (4, 3)).tolist() == X.reshape(4, 3).tolist()
    assert lax.reshape(x, (12,), (1, 0)).tolist() == X.T.ravel().tolist()
    assert lax.transpose(x, (1, 0)).tolist() == X.T.tolist() and lax.rev(x, (1,)).tolist() == X[:, ::-1].tolist()
    assert lax.broadcast(x, (2,)).tolist() == [X.tolist()] * 2
    assert lax.broadcast_in_dim(x, (3, 2, 4), (0, 2)).tolist() == onp.broadcast_to(X[:, None], (3, 2, 4)).tolist()
    assert lax.expand_dims(x, (0, 2)).shape == (1, 3, 1, 4) \
        and lax.squeeze(lax.expand_dims(x, (0,)), (0,)).shape == (3, 4)
    assert lax.collapse(np.zeros((2, 3, 4)), 1).shape == (2, 12) \
        and lax.collapse(np.zeros((2, 3, 4)), 0, 2).shape == (6, 4)
    assert lax.concatenate([x, x], 1).tolist() == onp.concatenate([X, X], 1).tolist()
    assert lax.stack([x, x], 1).shape == (3, 2, 4) and [p.shape for p in lax.split(x, (1, 3), 1)] == [(3, 1), (3, 3)]
    assert [p.tolist() for p in lax.unstack(x)] == X.tolist() \
        and lax.tile(x, (2, 3)).tolist() == onp.tile(X, (2, 3)).tolist()
    assert lax.broadcast_to_rank(x, 4).shape == (1, 1, 3, 4) and lax.broadcast_shapes((2, 1), (3,)) == (2, 3)
    for call in (lambda: lax.transpose(x, (1,)), lambda: lax.squeeze(x, (0,)), lambda: lax.reshape(x, (5,)),
                 lambda: lax.broadcast_in_dim(x, (3, 4), (1, 0)), lambda: lax.concatenate([x, np.asarray(I)], 0),
                 lambda: lax.split(x, (1, 1), 0), lambda: lax.rev(x, (2,)), lambda: lax.tile(x, (2,))):
        with pytest.raises((TypeError, ValueError)):
            call()


@pytest.mark.parametrize('config', [[(1, 2, 0)], [(0, 0, 2)], [(-1, 1, 0)], [(2, -1, 1)], [(-2, -2, 1)], [(0, -3, 0)]])
def test_pad(config):
    x = onp.array([1., 2., 3., 4.])
    low, high, interior = config[0]
    spread = onp.full(4 + 3 * interior, 9.)
    spread[::interior + 1] = x
    expected = onp.pad(spread, (max(low, 0), max(high, 0)), constant_values=9.)
    expected = expected[max(-low, 0):len(expected) - max(-high, 0)]
    assert lax.pad(x, 9., config).tolist() == expected.tolist()
    w = onp.cos(onp.arange(len(expected)))
    found = lazy.grad(lambda v: (lax.pad(v, 9., config) * w).sum())(x)
    ones = onp.eye(4)
    numeric = [(onp.asarray(lax.pad(x + 1e-3 * e, 9., config) - lax.pad(x, 9., config)) * w).sum() / 1e-3 for e in ones]
    onp.testing.assert_allclose(onp.asarray(found), numeric, atol=1e-9)


def test_slices():
    x = np.asarray(X)
    assert lax.slice(x, (0, 1), (3, 4), (2, 2)).tolist() == X[0:3:2, 1:4:2].tolist()
    assert lax.slice_in_dim(x, 1, -1, 2, axis=1).tolist() == X[:, 1:-1:2].tolist()
    assert lax.index_in_dim(x, -1, 1).tolist() == X[:, -1:].tolist()
    assert lax.index_in_dim(x, 1, 0, keepdims=False).tolist() == X[1].tolist()
    for call in (lambda: lax.slice(x, (0, 1), (3, 5)), lambda: lax.slice(x, (0,), (3,)),
                 lambda: lax.dynamic_slice(x, (0, 0), (4, 1)), lambda: lax.dynamic_slice(x, (0.5, 0), (1, 1))):
        with pytest.raises(TypeError):
            call()
    with pytest.raises(IndexError):
        lax.index_in_dim(x, 3, 0)


@pytest.mark.parametrize('start', [(0, 0), (1, 2), (2, 3), (9, -1), (-2, 9)])
@pytest.mark.parametrize('as_arrays', [False, True])
def test_dynamic_slices(start, as_arrays):
    size = (2, 3)
    clipped = [min(max(a + n if a < 0 else a, 0), n - s) for a, n, s in zip(start, X.shape, size)]
    window = tuple(slice(a, a + s) for a, s in zip(clipped, size))
    given = tuple(np.array(a) for a in start) if as_arrays else start
    assert lax.dynamic_slice(X, given, size).tolist() == X[window].tolist()
    expected = X.copy()
    expected[window] = -1
    assert lax.dynamic_update_slice(X, onp.full(size, -1.), given).tolist() == expected.tolist()
    assert lazy.jit(lambda x, a, b: lax.dynamic_slice(x, (a, b), size))(X, *start).tolist() == X[window].tolist()
    found = lazy.grad(lambda x: (lax.dynamic_slice(x, given, size) ** 2).sum())(X)
    expected = onp.zeros_like(X)
    expected[window] = 2 * X[window]
    onp.testing.assert_allclose(onp.asarray(found), expected)
    g, u = lazy.grad(lambda x, y: (lax.dynamic_update_slice(x, y, given) ** 2).sum(), (0, 1))(X, onp.ones(size))
    assert g[window].tolist() == onp.zeros(size).tolist() and u.tolist() == onp.full(size, 2.).tolist()


def test_dynamic_slices_in_one_dimension():
    assert lax.dynamic_slice_in_dim(X, np.array(1), 2, axis=1).tolist() == X[:, 1:3].tolist()
    assert lax.dynamic_index_in_dim(X, np.array(2), keepdims=False).tolist() == X[2].tolist()
    assert lax.dynamic_update_slice_in_dim(X, X[:1], np.array(2), 0).tolist() == onp.vstack([X[:2], X[:1]]).tolist()
    assert lax.dynamic_update_index_in_dim(X, X[0], 1, 0).tolist() == X[[0, 0, 2]].tolist()
    rows = lazy.vmap(lambda i: lax.dynamic_slice(X, (i, 0), (1, 2)))(np.arange(3))
    assert rows.tolist() == X[:, None, :2].tolist()
    assert lax.index_take(X, (np.array([2, 0]),), (0,)).tolist() == X[[2, 0]].tolist()


def test_reductions_and_scans():
    x = np.asarray(X)
    for name, f in (('reduce_sum', onp.sum), ('reduce_prod', onp.prod), ('reduce_max', onp.max),
                    ('reduce_min', onp.min)):
        onp.testing.assert_allclose(onp.asarray(getattr(lax, name)(x, (0,))), f(X, 0), rtol=1e-12)
        onp.testing.assert_allclose(float(getattr(lax, name)(x, (0, 1))), f(X), rtol=1e-12)
    assert lax.reduce_and(x > 0, (0, 1)) and not lax.reduce_or(x > 1, (0, 1))
    assert lax.argmax(x, 1, 'int32').tolist() == [3] * 3 and lax.argmin(-x, 0, 'int64').dtype == onp.int64
    for name, f in (('cumsum', onp.cumsum), ('cumprod', onp.cumprod), ('cummax', onp.maximum.accumulate)):
        onp.testing.assert_allclose(onp.asarray(getattr(lax, name)(x, 1)), f(X, 1), rtol=1e-12)
        onp.testing.assert_allclose(onp.asarray(getattr(lax, name)(x, 1, True)), f(X[:, ::-1], 1)[:, ::-1], rtol=1e-12)
    assert lax.reduce(np.arange(4), 10, lax.add, (0,)) == 16 and lax.reduce(np.arange(4), 2, lax.max, (0,)) == 3
    with pytest.raises(ValueError, match='out of bounds'):
        lax.reduce_sum(x, (2,))
    with pytest.raises(ValueError, match='duplicate'):
        lax.reduce_sum(x, (0, -2))


def test_sorting():
    keys, values = onp.array([[3, 1, 2], [1, 1, 0]]), onp.arange(6).reshape(2, 3)
    assert lax.sort(keys).tolist() == onp.sort(keys).tolist() \
        and lax.sort(keys, 0).tolist() == onp.sort(keys, 0).tolist()
    order = onp.argsort(keys, kind='stable')
    k, v = lax.sort_key_val(keys, values)
    assert k.tolist() == onp.sort(keys).tolist() and v.tolist() == onp.take_along_axis(values, order, 1).tolist()
    a, b, c = lax.sort((np.array([1, 0, 1, 0]), np.array([2, 9, 1, 3]), np.arange(4)), num_keys=2)
    assert (a.tolist(), b.tolist(), c.tolist()) == ([0, 0, 1, 1], [3, 9, 1, 2], [3, 1, 2, 0])
    x = onp.array([1., onp.nan, 5., 5., -2.])
    top, where = lax.top_k(x, 3)
    assert where.tolist() == [1, 2, 3] and top[1:].tolist() == [5, 5]
    assert lax.top_k(X, 2, axis=0)[0].tolist() == onp.sort(X, 0)[::-1][:2].tolist()
    assert lazy.grad(lambda v: lax.top_k(v, 2)[0].sum())(np.array([3., 1., 2.])).tolist() == [1, 0, 1]
    with pytest.raises(ValueError, match='top_k'):
        lax.top_k(x, 6)


def test_products():
    a, b = X, X.T
    onp.testing.assert_allclose(onp.asarray(lax.dot(a, b)), a @ b, rtol=1e-12)
    onp.testing.assert_allclose(float(lax.dot(a[0], a[0])), a[0] @ a[0], rtol=1e-12)
    batch = onp.arange(24.).reshape(2, 3, 4)
    onp.testing.assert_allclose(onp.asarray(lax.batch_matmul(batch, batch.transpose(0, 2, 1))),
                                batch @ batch.transpose(0, 2, 1), rtol=1e-12)
    onp.testing.assert_allclose(onp.asarray(lax.dot_general(batch, batch, (((1,), (1,)), ((0,), (0,))))),
                                onp.einsum('bij,bik->bjk', batch, batch), rtol=1e-12)
    assert lax.dot(np.ones((2, 2), 'float16'), np.ones((2, 2), 'float16'),
                   preferred_element_type='float32').dtype == onp.float32
    for call in (lambda: lax.dot(a, a), lambda: lax.dot(np.ones((2, 2, 2)), a), lambda: lax.batch_matmul(a, batch)):
        with pytest.raises(TypeError):
            call()


def test_stop_gradient_and_barrier():
    assert float(lazy.grad(lambda x: x * lax.stop_gradient(x))(3.0)) == 3.0
    out = lax.optimization_barrier({'a': np.ones(2)})
    assert out['a'].tolist() == [1, 1]
    assert float(lazy.grad(lambda x: lax.optimization_barrier(x) ** 2)(3.0)) == 6.0


def test_segments():
    data, ids = onp.arange(8., dtype='float32').reshape(4, 2), onp.array([2, 0, 2, 7])
    assert lazy.ops.segment_sum(data, ids, 3).tolist() == [[2, 3], [0, 0], [4, 6]]
    assert lazy.ops.segment_prod(data, ids, 3).tolist() == [[2, 3], [1, 1], [0, 5]]
    assert lazy.ops.segment_max(data, ids, 3).tolist() == [[2, 3], [-onp.inf] * 2, [4, 5]]
    assert lazy.ops.segment_min(data, ids, 3).tolist() == [[2, 3], [onp.inf] * 2, [0, 1]]
    assert lazy.ops.segment_sum(data, ids).shape == (8, 2)
    assert lazy.grad(lambda d: (lazy.ops.segment_sum(d, ids, 3) ** 2).sum())(data)[3].tolist() == [0, 0]
    with pytest.raises(ValueError, match='segment_ids'):
        lazy.ops.segment_sum(data, ids[:2], 3)
    with pytest.raises(TypeError, match='integers'):
        lazy.ops.segment_sum(data, ids * 1.0, 3)
