"""lax.reduce_window against a loop in NumPy and against JAX."""
import itertools

import numpy as onp
import pytest

import lazy
import lazy.numpy as np
from lazy import lax

rng = onp.random.default_rng(3)
FUNCTIONS = {'add': (onp.sum, 0), 'mul': (onp.prod, 1), 'max': (onp.max, -9), 'min': (onp.min, 9)}
# shape, window, strides, padding, spread, dilation
CASES = [((6, 7), (2, 3), (1, 1), ((0, 0), (0, 0)), (1, 1), (1, 1)),
         ((6, 7), (3, 2), (2, 3), ((1, 2), (0, 1)), (1, 1), (1, 1)),
         ((5, 6), (2, 2), (1, 2), ((1, 0), (2, 1)), (2, 3), (2, 1)), ((40,), (17,), (3,), ((2, 5),), (1,), (1,)),
         ((30, 2), (11, 1), (1, 1), ((0, 0), (0, 0)), (1, 1), (2, 1)),
         ((2, 3, 4, 4), (1, 1, 2, 2), (1, 1, 2, 2), ((0, 0),) * 4, (1,) * 4, (1,) * 4),
         ((3,), (5,), (1,), ((0, 0),), (1,), (1,)), ((5, 4), (2, 2), (1, 1), ((-1, 0), (0, -1)), (1, 1), (1, 1)),
         ((), (), (), (), (), ()), ((0, 3), (1, 2), (1, 1), ((0, 0), (0, 0)), (1, 1), (1, 1)),
         ((9,), (1,), (2,), ((0, 0),), (1,), (1,))]


def direct(x, name, init, window, strides, padding, spread, dilation):
    f = FUNCTIONS[name][0]
    wide = onp.full([(s - 1) * d + 1 if s else 0 for s, d in zip(x.shape, spread)], init, x.dtype)
    wide[tuple([slice(None, None, d) for d in spread])] = x
    wide = onp.pad(wide, [(max(a, 0), max(b, 0)) for a, b in padding], constant_values=init) if x.ndim else wide
    wide = wide[tuple([slice(max(-a, 0), s - max(-b, 0)) for s, (a, b) in zip(wide.shape, padding)])]
    places = [max(0, (s - ((k - 1) * d + 1)) // a + 1) for s, k, d, a in zip(wide.shape, window, dilation, strides)]
    out = onp.zeros(places, x.dtype)
    for p in itertools.product(*map(range, places)):
        part = wide[tuple([slice(i * a, i * a + (k - 1) * d + 1, d)
                           for i, a, k, d in zip(p, strides, window, dilation)])]
        out[p] = f(onp.append(part.ravel(), onp.asarray(init, x.dtype)))
    return out


@pytest.mark.parametrize('case', CASES, ids=lambda c: f'{c[0]}{c[1]}')
@pytest.mark.parametrize('name', FUNCTIONS)
def test_values(case, name):
    shape, window, strides, padding, spread, dilation = case
    for dtype, init in itertools.product(('float32', 'int32'), (FUNCTIONS[name][1], 2)):
        x = rng.integers(-3, 4, shape).astype(dtype)
        init = onp.dtype(dtype).type(init)
        expected = direct(x, name, init, *case[1:])
        for computation in (getattr(lax, name), lambda a, b: getattr(lax, name)(a, b)):
            found = lax.reduce_window(x, init, computation, window, strides, padding, spread, dilation)
            assert found.dtype == dtype
            onp.testing.assert_array_equal(onp.asarray(found), expected)
    if 0 not in shape:
        sizes = lax.reduce_window_shape_tuple(shape, window, strides, padding, spread, dilation)
        assert sizes == expected.shape


@pytest.mark.parametrize('name', FUNCTIONS)
@pytest.mark.parametrize('padding', ['VALID', 'SAME', 'SAME_LOWER'])
def test_against_jax(name, padding):
    jax = pytest.importorskip('jax')
    init = {'add': 0.0, 'mul': 1.0, 'max': -onp.inf, 'min': onp.inf}[name]
    x = rng.integers(-2, 3, (2, 6, 7, 3)).astype('float32')           # with ties
    weights = rng.standard_normal(3).astype('float32')
    f = lambda m, grad_of: (lambda x: grad_of(m.lax.reduce_window(x, init, getattr(m.lax, name), (1, 3, 2, 1),
                                                                  (1, 2, 1, 1), padding)))
    onp.testing.assert_array_equal(onp.asarray(f(lazy, lambda y: y)(x)), onp.asarray(f(jax, lambda y: y)(x)))
    if name == 'mul':                                                 # has no derivative there
        return
    found = lazy.grad(f(lazy, lambda y: (y ** 2 * weights).sum()))(x)
    expected = jax.grad(f(jax, lambda y: (y ** 2 * weights).sum()))(x)
    onp.testing.assert_allclose(onp.asarray(found), onp.asarray(expected), atol=1e-5)
    batched = lazy.jit(lazy.vmap(f(lazy, lambda y: y)))(x[None, :])
    onp.testing.assert_array_equal(onp.asarray(batched[0]), onp.asarray(f(jax, lambda y: y)(x)))


def test_nan_and_second_derivatives():
    x = onp.array([1., onp.nan, 2., 3., 0.], 'float32')
    assert onp.isnan(onp.asarray(lax.reduce_window(x, -np.inf, lax.max, (2,)))).tolist() == [True, True, False, False]
    assert onp.isnan(onp.asarray(lax.reduce_window(x, np.inf, lax.min, (2,)))).tolist() == [True, True, False, False]
    x = rng.standard_normal((5, 6))
    f = lambda x: (lax.reduce_window(x, onp.float64(-onp.inf), lax.max, (2, 3), (1, 2)) ** 3).sum()
    t = rng.standard_normal(x.shape)
    exact = lazy.jvp(lazy.grad(f), (x,), (t,))[1]
    numeric = (lazy.grad(f)(x + 1e-6 * t) - lazy.grad(f)(x - 1e-6 * t)) / 2e-6
    onp.testing.assert_allclose(onp.asarray(exact), onp.asarray(numeric), atol=1e-6)


def test_several_operands():
    """The largest element of each window and where it is."""
    x, places = onp.array([3, 1, 4, 1, 5, 9, 2, 6], 'float32'), onp.arange(8)
    larger = lambda a, b: tuple(np.where(a[0] >= b[0], p, q) for p, q in zip(a, b))
    top, at = lax.reduce_window((x, places), (onp.float32(-1), onp.int64(-1)), larger, (3,), (1,))
    assert top.tolist() == [4, 4, 5, 9, 9, 9] and at.tolist() == [2, 2, 4, 5, 5, 5]


def test_errors():
    x = np.ones((4, 4))
    for error, call in ((ValueError, lambda: lax.reduce_window(x, 0., lax.add, (2,))),
                        (TypeError, lambda: lax.reduce_window(x, 0j, lax.add, (2, 2))),
                        (ValueError, lambda: lax.reduce_window(x, 0., lax.add, (2, 0))),
                        (RuntimeError, lambda: lax.reduce_window(x, 0., lax.add, (2, 2), None, 'ALL')),
                        (TypeError, lambda: lax.reduce_window((x, x), 0., lax.add, (2, 2)))):
        with pytest.raises(error):
            call()
