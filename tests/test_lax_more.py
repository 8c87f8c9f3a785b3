"""lax: scans and reductions by any function, ragged and scaled products, bits; against JAX where it is installed."""
import numpy as onp
import pytest

import lazy
import lazy.numpy as np
from lazy import lax

rng = onp.random.default_rng(11)


# --- scans and reductions ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize('n', [0, 1, 2, 3, 4, 5, 8, 13, 31, 100])
@pytest.mark.parametrize('reverse', [False, True])
def test_associative_scan(n, reverse):
    x = rng.standard_normal((3, n))
    flip = (lambda v: v[:, ::-1]) if reverse else (lambda v: v)
    found = lax.associative_scan(np.add, x, reverse, axis=-1)
    onp.testing.assert_allclose(onp.asarray(found), flip(onp.cumsum(flip(x), 1)), atol=1e-12)
    if n:
        matrices = 0.5 * rng.standard_normal((n, 2, 2)) + onp.eye(2)
        order = range(n - 1, -1, -1) if reverse else range(n)
        total, expected = onp.eye(2), [None] * n
        for i in order:
            total = expected[i] = total @ matrices[i]                # in this order: it is not commutative
        found = lazy.jit(lambda m: lax.associative_scan(np.matmul, m, reverse))(matrices)
        onp.testing.assert_allclose(onp.asarray(found), expected, rtol=1e-6, atol=1e-9)


def test_associative_scan_of_trees():
    """A linear recurrence h[i] = a[i] h[i-1] + b[i], its derivative, and a batch of them."""
    combine = lambda x, y: {'a': x['a'] * y['a'], 'b': y['a'] * x['b'] + y['b']}
    a, b = rng.uniform(0.5, 1, (2, 20))
    scan = lambda a, b: lax.associative_scan(combine, {'a': a, 'b': b})['b']
    h, expected = 0, []
    for p, q in zip(a, b):
        h = p * h + q
        expected.append(h)
    onp.testing.assert_allclose(onp.asarray(scan(a, b)), expected)
    f = lambda a, b: (scan(a, b) ** 2).sum()
    g = lazy.grad(f)(a, b)
    e = onp.eye(20)[7]
    onp.testing.assert_allclose(float(g[7]), float(f(a + 1e-6 * e, b) - f(a - 1e-6 * e, b)) / 2e-6, rtol=1e-6)
    both = lazy.vmap(scan)(onp.stack([a, a]), onp.stack([b, 2 * b]))
    onp.testing.assert_allclose(onp.asarray(both[1]), 2 * onp.array(expected))
    for error, call in ((TypeError, lambda: lax.associative_scan(3, a)),
                        (TypeError, lambda: lax.associative_scan(lambda x, y: (x, y), a)),
                        (ValueError, lambda: lax.associative_scan(np.add, a, axis=1)),
                        (ValueError, lambda: lax.associative_scan(combine, {'a': a, 'b': b[:3]}))):
        with pytest.raises(error):
            call()


def test_reductions_by_any_function():
    for shape, axes in (((5, 7), (0,)), ((5, 7), (1, 0)), ((2, 3, 4), (2, 0)), ((1, 3), (0,)), ((0, 3), (0,)),
                        ((0, 3), (1,))):
        x = rng.integers(-9, 9, shape)
        assert lax.reduce_xor(x, axes).tolist() == onp.bitwise_xor.reduce(x, axes).tolist()
        add = lambda a, b: a + b
        assert lax.reduce(x, onp.int64(5), add, axes).tolist() == (x.sum(axes) + 5).tolist()
        assert lax.reduce(x, onp.int64(5), lax.add, axes).tolist() == (x.sum(axes) + 5).tolist()
        assert lax.reduce(x, onp.int64(5), lax.max, axes).tolist() == onp.maximum(x.max(axes, initial=5), 5).tolist()
    x = rng.standard_normal((9, 4))
    larger = lambda a, b: tuple(np.where(a[0] >= b[0], p, q) for p, q in zip(a, b))
    top, at = lax.reduce((x, onp.arange(36).reshape(9, 4)), (-onp.float64(9), onp.int64(0)), larger, (0,))
    assert top.tolist() == x.max(0).tolist() and at.tolist() == (x.argmax(0) * 4 + onp.arange(4)).tolist()
    g = lazy.grad(lambda x: lax.reduce(x, 1.0, lambda a, b: a * b, (0, 1)))(x)
    onp.testing.assert_allclose(onp.asarray(g), x.prod() / x)
    for error, call in ((TypeError, lambda: lax.reduce((x, x), 0.0, lax.add, (0,))),
                        (TypeError, lambda: lax.reduce(x, 1j, lax.add, (0,))),
                        (ValueError, lambda: lax.reduce(x, 0.0, lax.add, (2,)))):
        with pytest.raises(error):
            call()


def test_approximate_extremes():
    x = rng.standard_normal((3, 20)).astype('float32')
    order = onp.argsort(x, 1)
    values, indices = lax.approx_max_k(x, 4)
    assert indices.tolist() == order[:, :-5:-1].tolist()
    assert values.tolist() == onp.sort(x, 1)[:, :-5:-1].tolist()
    values, indices = lax.approx_min_k(x.T, 3, reduction_dimension=0)
    assert indices.tolist() == order[:, :3].T.tolist() and values.tolist() == onp.sort(x, 1)[:, :3].T.tolist()


# --- products ---------------------------------------------------------------------------------------------------------

def test_ragged_dot():
    x, w, sizes = rng.standard_normal((7, 3)), rng.standard_normal((4, 3, 2)), onp.array([2, 0, 3, 1])
    rows = onp.repeat(onp.arange(4), sizes)
    expected = onp.zeros((7, 2))
    expected[:6] = onp.einsum('mk,mkn->mn', x[:6], w[rows])
    found = lazy.jit(lax.ragged_dot)(x, w, sizes)
    onp.testing.assert_allclose(onp.asarray(found), expected, atol=1e-12)
    g = lazy.grad(lambda w: (lax.ragged_dot(x, w, sizes) ** 2).sum())(w)
    assert onp.abs(onp.asarray(g[1])).max() == 0 and onp.abs(onp.asarray(g[2])).max() > 0
    assert lax.ragged_dot(x.astype('float16'), w.astype('float16'), sizes,
                          preferred_element_type='float32').dtype == onp.float32
    for call in (lambda: lax.ragged_dot(x, w[:3], sizes), lambda: lax.ragged_dot(x, w, sizes * 1.0)):
        with pytest.raises(TypeError):
            call()


@pytest.mark.parametrize('numbers, shapes', [
    (((((1,), (1,)), ((), ())), (0,), (0,)), [(6, 3), (2, 3, 4), (2,)]),
    (((((0,), (0,)), ((), ())), (0,), ()), [(6, 3), (6, 4), (2,)]),
    (((((2,), (1,)), ((0,), (2,))), (1,), (0,)), [(2, 6, 3), (2, 3, 2, 4), (2,)]),
    (((((2,), (1,)), ((0,), (2,))), (1,), (0,)), [(2, 6, 3), (2, 3, 2, 4), (2, 2)]),
    (((((1, 2), (1, 2)), ((0,), (0,))), (2,), ()), [(2, 3, 6), (2, 3, 6), (2, 3, 2)]),
    (((((2,), (1,)), ((0,), (0,))), (0,), ()), [(6, 2, 3), (6, 3, 4), (2,)])])
def test_ragged_dot_general_against_jax(numbers, shapes):
    jax = pytest.importorskip('jax')
    x, w = (rng.standard_normal(s).astype('float32') for s in shapes[:2])
    sizes = onp.broadcast_to(onp.array([2, 3], 'int32'), shapes[2])
    found, expected = (m.ragged_dot_general(x, w, sizes, m.RaggedDotDimensionNumbers(*numbers)) for m in (lax, jax.lax))
    onp.testing.assert_allclose(onp.asarray(found), onp.asarray(expected), atol=1e-5)


def test_scaled_dot():
    a, b = rng.standard_normal((2, 3, 8)), rng.standard_normal((2, 8, 4))
    sa, sb = rng.uniform(1, 2, (2, 3, 2)), rng.uniform(1, 2, (2, 4, 4))
    found = lax.scaled_dot(a, b, lhs_scale=sa, rhs_scale=sb, preferred_element_type='float64')
    onp.testing.assert_allclose(onp.asarray(found), (a * sa.repeat(4, 2)) @ (b * sb.repeat(2, 1)), atol=1e-12)
    assert lax.scaled_dot(a, b).dtype == np.bfloat16
    for call in (lambda: lax.scaled_dot(a, b, lhs_scale=sa[..., :0]), lambda: lax.scaled_dot(a[0, 0], b[0])):
        with pytest.raises(TypeError):
            call()


def test_names_of_algorithms():
    jax = pytest.importorskip('jax')
    for name in ('DotAlgorithmPreset', 'AccuracyMode', 'RandomAlgorithm', 'GatherScatterMode'):
        assert [(m.name, m.value) for m in getattr(lax, name)] == [(m.name, m.value) for m in getattr(jax.lax, name)]
    assert lax.DotAlgorithm._fields == jax.lax.DotAlgorithm._fields
    assert lax.Tolerance(ulps=2).ulps == 2
    assert lax.dot(np.ones(3), np.ones(3), precision=lax.DotAlgorithmPreset.F32_F32_F32) == 3
    for call in (lambda: lax.Tolerance(), lambda: lax.Tolerance(rtol=-1)):
        with pytest.raises(ValueError):
            call()


# --- bits -------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('dtype', ['int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64'])
def test_mulhi(dtype):
    info = onp.iinfo(dtype)
    ends = onp.array([info.min, info.max, 0, 1, info.max // 2, info.min // 2], dtype)
    x = onp.concatenate([ends, rng.integers(info.min, info.max, 30, dtype, endpoint=True)])
    a, b = (v.ravel() for v in onp.meshgrid(x, x))
    expected = [int(p) * int(q) >> info.bits for p, q in zip(a, b)]
    assert lax.mulhi(a, b).tolist() == expected
    with pytest.raises(TypeError):
        lax.mulhi(1.0, 2.0)


@pytest.mark.parametrize('dtype', ['float16', 'bfloat16', 'float32', 'float64'])
def test_reduce_precision(dtype):
    jax = pytest.importorskip('jax')
    with jax.enable_x64(True):
        x = onp.concatenate([rng.standard_normal(50) * 10.0 ** rng.integers(-40, 40, 50),
                             [0, -0.0, onp.inf, -onp.inf, onp.nan, 1, 65504]])
        x = onp.asarray(np.asarray(x, dtype))
        for exponent, mantissa in ((8, 7), (5, 10), (4, 3), (11, 52), (2, 0), (8, 23), (5, 2)):
            found, expected = (onp.asarray(m.reduce_precision(x, exponent, mantissa)) for m in (lax, jax.lax))
            assert found.dtype == x.dtype
            onp.testing.assert_array_equal(found.astype('float64'), expected.astype('float64'))
            assert (onp.signbit(found) == onp.signbit(expected)).all()
    assert lazy.grad(lambda x: lax.reduce_precision(x, 5, 3) ** 2)(2.01) == 2 * lax.reduce_precision(2.01, 5, 3)
    for error, call in ((TypeError, lambda: lax.reduce_precision(1, 5, 3)),
                        (ValueError, lambda: lax.reduce_precision(1.0, 0, 3))):
        with pytest.raises(error):
            call()


def test_rng_bit_generator():
    state = np.array([1, 2, 3, 4], 'uint32')
    later, bits = lax.rng_bit_generator(state, (1000, 2))
    assert bits.dtype == onp.uint32 and abs(float((bits >> 31).mean()) - 0.5) < 0.05
    assert later.tolist() == [1, 2, 1003, 4] and len(set(bits.ravel().tolist())) > 1990
    assert lax.rng_bit_generator(state, (1000, 2))[1].tolist() == bits.tolist()
    assert lax.rng_bit_generator(later, (1000, 2))[1].tolist() != bits.tolist()
    wide = np.array([1 | 2 << 32, 3 | 4 << 32], 'uint64')
    assert lax.rng_bit_generator(wide, (1000, 2))[1].tolist() == bits.tolist()
    for dtype in ('uint8', 'uint16', 'uint64'):
        assert lax.rng_bit_generator(state, (3,), dtype)[1].dtype == dtype
    for error, call in ((NotImplementedError, lambda: lax.rng_bit_generator(state, (2,), 'uint32', 2)),
                        (TypeError, lambda: lax.rng_bit_generator(state[:2], (2,))),
                        (TypeError, lambda: lax.rng_bit_generator(state, (2,), 'int32'))):
        with pytest.raises(error):
            call()


def test_rng_bit_generator_against_jax():
    jax = pytest.importorskip('jax')
    state = onp.array([5, 6, 7, 0], 'uint32')
    for shape, dtype in (((6,), 'uint32'), ((4, 2), 'uint32'), ((3, 3), 'uint32'), ((5,), 'uint64'), ((2, 3), 'uint8')):
        with jax.enable_x64(True):
            _, expected = jax.lax.rng_bit_generator(state, shape, dtype, jax.lax.RandomAlgorithm.RNG_THREE_FRY)
        assert lax.rng_bit_generator(state, shape, dtype)[1].tolist() == onp.asarray(expected).tolist()


# --- functions --------------------------------------------------------------------------------------------------------

def test_functions():
    assert lax.composite(lambda x, *, k: x ** k, 'power')(3.0, k=2) == 9 and lax.stage(2.0).dtype == onp.float32
    assert lax.platform_dependent(1.0, cpu=lambda x: x + 1, tpu=lambda x: x) == 2
    with pytest.raises(NotImplementedError, match='cpu'):
        lax.platform_dependent(1.0, tpu=lambda x: x)


def test_custom_root():
    """The cube root by a fixed number of steps of Newton's method, and the solution of a linear system."""
    def solve(f, x):
        for _ in range(60):
            x = x - f(x) / lazy.vmap(lazy.grad(lambda y: f(y).sum()))(x[:, None])[:, 0]
        return x
    each = lambda g, y: y / g(np.ones_like(y))
    root = lambda a: lax.custom_root(lambda x: x ** 3 - a, np.ones(3, 'float64'), solve, each)
    a = onp.array([1.0, 8.0, 2.0])
    onp.testing.assert_allclose(onp.asarray(root(a)), onp.cbrt(a))
    jacobian = onp.diag(onp.cbrt(a) / a / 3)
    for transform in (lazy.jacfwd, lazy.jacrev, lambda f: lazy.jit(lazy.jacrev(f))):
        onp.testing.assert_allclose(onp.asarray(transform(root)(a)), jacobian, atol=1e-12)
    second = lazy.grad(lambda a: lazy.grad(lambda b: root(b)[1])(a)[1])(a)[1]
    onp.testing.assert_allclose(float(second), -2 / 9 * 8.0 ** (-5 / 3), rtol=1e-6)

    matrix, right = rng.standard_normal((3, 3)) + 3 * onp.eye(3), rng.standard_normal(3)
    linear = lambda m, b: lax.custom_root(lambda x: m @ x - b, onp.zeros(3), lambda f, x: (np.linalg.solve(m, b), 7),
                                          lambda g, y: np.linalg.solve(lazy.jacobian(g)(y), y), has_aux=True)
    x, aux = linear(matrix, right)
    assert aux == 7
    found = lazy.grad(lambda m, b: (linear(m, b)[0] ** 2).sum(), (0, 1))(matrix, right)
    expected = lazy.grad(lambda m, b: (np.linalg.solve(m, b) ** 2).sum(), (0, 1))(matrix, right)
    for p, q in zip(found, expected):
        onp.testing.assert_allclose(onp.asarray(p), onp.asarray(q), atol=1e-10)
