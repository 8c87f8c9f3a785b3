"""Incomplete gamma and beta functions, integrals, Bessel functions: values and derivatives against SciPy, mpmath, JAX."""
import mpmath
import numpy as onp
import pytest
from scipy import special as theirs

import lazy
import lazy.numpy as np
from lazy import lax
from lazy.scipy import special as ours

SHAPES = onp.array([0.02, 0.3, 1.0, 2.5, 9.0, 40.0, 700.0, 1e6])
GAMMA = [v.ravel() for v in onp.broadcast_arrays(SHAPES[:, None], SHAPES[:, None] * [1e-3, 0.9, 1.0, 1.3])]
BETA = [v.ravel() for v in onp.broadcast_arrays(SHAPES[:, None, None], SHAPES[None, :, None], onp.array([1e-3, 0.4, 0.97]))]


def by_mpmath(f, *arrays, index=None):
    """f of the arrays' elements, or its derivative by argument `index`, in 200 digits."""
    def one(*values):
        values = [mpmath.mpf(float(v)) for v in values]
        if index is None:
            return float(f(*values))
        step = mpmath.mpf(10) ** -50
        ends = [f(*[v + s * step if i == index else v for i, v in enumerate(values)]) for s in (1, -1)]
        return float((ends[0] - ends[1]) / (2 * step))
    with mpmath.workdps(200):
        return onp.array([one(*values) for values in zip(*arrays)])


def gradient(f, index, *args):
    return onp.asarray(lazy.vmap(lazy.grad(f, index))(*args))


def lower(a, x):
    return mpmath.gammainc(a, 0, x, regularized=True)


def test_incomplete_gamma():
    onp.testing.assert_allclose(onp.asarray(ours.gammainc(*GAMMA)), theirs.gammainc(*GAMMA), rtol=1e-13)
    onp.testing.assert_allclose(onp.asarray(ours.gammaincc(*GAMMA)), theirs.gammaincc(*GAMMA), rtol=1e-13)
    a, x = onp.array([[0., -1, 2, 2, 2, onp.nan, onp.inf], [1, 1, 0, onp.inf, -1, 1, 1]])
    onp.testing.assert_array_equal(onp.asarray(ours.gammainc(a, x)), theirs.gammainc(a, x))
    single = ours.gammainc(np.array([2.0, 3.0]), 1)
    assert single.dtype == onp.float32
    onp.testing.assert_allclose(onp.asarray(single), theirs.gammainc([2.0, 3.0], 1), rtol=1e-7)


@pytest.mark.parametrize('index', (0, 1))
def test_incomplete_gamma_gradients(index):
    a, x = [v[GAMMA[0] < 1e3] for v in GAMMA]
    expected = by_mpmath(lower, a, x, index=index)
    onp.testing.assert_allclose(gradient(ours.gammainc, index, a, x), expected, rtol=1e-11, atol=1e-300)
    onp.testing.assert_allclose(gradient(ours.gammaincc, index, a, x), -expected, rtol=1e-11, atol=1e-300)


def test_gamma_samples():
    """dx/da of a sample: -(dP/da)/(dP/dx), also where P is 0 or 1 in floating point."""
    a, x = onp.array([0.5, 3.0, 3.0, 60.0, 1e6, 1e9]), onp.array([1e-300, 1e-3, 500.0, 1.0, 1e6 + 2e3, 1e9 - 7e4])
    found = onp.asarray(lax.random_gamma_grad(a, x))
    with mpmath.workdps(600):
        def slope(a, x):
            a, x, step = mpmath.mpf(a), mpmath.mpf(x), mpmath.mpf(10) ** -200
            change = (lower(a + step, x) - lower(a - step, x)) / (2 * step)
            return float(-change * mpmath.exp(x + mpmath.loggamma(a) - (a - 1) * mpmath.log(x)))
        expected = [slope(*pair) for pair in zip(a[:4].tolist(), x[:4].tolist())]
    onp.testing.assert_allclose(found[:4], expected, rtol=1e-12)
    onp.testing.assert_allclose(found[4:], [1.0 + 1e-3, 1.0 - 3.5e-5], rtol=2e-6)         # 1 + (x - a)/(2 a)
    second = gradient(lax.random_gamma_grad, 1, a[1:4], x[1:4])
    differences = (lax.random_gamma_grad(a[1:4], x[1:4] * (1 + 1e-6)) - lax.random_gamma_grad(a[1:4], x[1:4] * (1 - 1e-6)))
    onp.testing.assert_allclose(second, onp.asarray(differences) / (2e-6 * x[1:4]), rtol=1e-6)
    with pytest.raises(NotImplementedError, match='random_gamma_grad by argument 0'):
        lazy.grad(lax.random_gamma_grad)(2.0, 1.0)


def test_incomplete_beta():
    onp.testing.assert_allclose(onp.asarray(ours.betainc(*BETA)), theirs.betainc(*BETA), rtol=1e-13)
    assert onp.isnan(float(ours.betainc(-1.0, 1.0, 0.5))) and float(ours.betainc(1.0, 2.0, 1.0)) == 1
    assert ours.betainc(1, 2, 0.5).dtype == onp.float32


@pytest.mark.parametrize('index', (0, 1, 2))
def test_incomplete_beta_gradients(index):
    inside = (BETA[0] < 50) & (BETA[1] < 50)
    args = [v[inside] for v in BETA]
    expected = by_mpmath(lambda a, b, x: mpmath.betainc(a, b, 0, x, regularized=True), *args, index=index)
    onp.testing.assert_allclose(gradient(ours.betainc, index, *args), expected, rtol=1e-11, atol=1e-300)


def test_gradients_at_the_ends():
    for f in (lambda a: ours.gammainc(a, 0.0), lambda a: ours.betainc(a, 2.0, 0.0), lambda a: ours.betainc(2.0, a, 1.0)):
        assert float(lazy.grad(f)(1.5)) == 0
    assert float(lazy.grad(ours.gammainc, 1)(1.0, 0.0)) == 1 and float(lazy.grad(ours.betainc, 2)(1.0, 1.0, 0.0)) == 1


def test_zeta():
    x, q = onp.array([1.5, 2, 3, 20, 1.01]), onp.array([0.3, 1, 2.5, 7, 100])
    onp.testing.assert_allclose(onp.asarray(ours.zeta(x, q)), theirs.zeta(x, q), rtol=1e-13)
    onp.testing.assert_allclose(gradient(ours.zeta, 1, x, q), -x * theirs.zeta(x + 1, q), rtol=1e-13)
    onp.testing.assert_allclose(onp.asarray(ours.zeta(x)), theirs.zeta(x), rtol=1e-13)


def test_against_jax():
    jax = pytest.importorskip('jax')
    a, b, x = (onp.array(v, 'float32') for v in ([0.5, 2, 30], [3, 0.7, 20], [0.2, 0.5, 0.6]))
    for name, args in (('igamma', (a, b)), ('igammac', (a, b)), ('igamma_grad_a', (a, b)), ('random_gamma_grad', (a, b)),
                       ('betainc', (a, b, x)), ('zeta', (a + 1, b))):
        onp.testing.assert_allclose(onp.asarray(getattr(lax, name)(*args)), getattr(jax.lax, name)(*args), rtol=2e-4, atol=1e-37)
