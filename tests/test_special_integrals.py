"""Incomplete gamma and beta functions, integrals, Bessel functions: against SciPy, mpmath, JAX."""
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
BETA = [v.ravel() for v in onp.broadcast_arrays(SHAPES[:, None, None], SHAPES[None, :, None],
                                                onp.array([1e-3, 0.4, 0.97]))]


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


def test_gradients_in_float32_of_large_shapes():
    a, x = onp.array([1e3, 1e4, 1e6], 'float32'), onp.array([1.01e3, 0.99e4, 1.001e6], 'float32')
    for i in (0, 1):
        wide = gradient(ours.gammainc, i, a.astype('float64'), x.astype('float64'))
        onp.testing.assert_allclose(gradient(ours.gammainc, i, a, x), wide, rtol=1e-6)


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
    ends = [onp.asarray(lax.random_gamma_grad(a[1:4], x[1:4] * (1 + step))) for step in (1e-6, -1e-6)]
    onp.testing.assert_allclose(second, (ends[0] - ends[1]) / (2e-6 * x[1:4]), rtol=1e-6)
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
    for f in (lambda a: ours.gammainc(a, 0.0), lambda a: ours.betainc(a, 2.0, 0.0),
              lambda a: ours.betainc(2.0, a, 1.0)):
        assert float(lazy.grad(f)(1.5)) == 0
    assert float(lazy.grad(ours.gammainc, 1)(1.0, 0.0)) == 1 and float(lazy.grad(ours.betainc, 2)(1.0, 1.0, 0.0)) == 1


def test_zeta():
    x, q = onp.array([1.5, 2, 3, 20, 1.01]), onp.array([0.3, 1, 2.5, 7, 100])
    onp.testing.assert_allclose(onp.asarray(ours.zeta(x, q)), theirs.zeta(x, q), rtol=1e-13)
    onp.testing.assert_allclose(gradient(ours.zeta, 1, x, q), -x * theirs.zeta(x + 1, q), rtol=1e-13)
    onp.testing.assert_allclose(onp.asarray(ours.zeta(x)), theirs.zeta(x), rtol=1e-13)
    slope = (theirs.zeta(x + 1e-6 * (x - 1), q) - theirs.zeta(x - 1e-6 * (x - 1), q)) / (2e-6 * (x - 1))
    onp.testing.assert_allclose(gradient(ours.zeta, 0, x, q), slope, rtol=1e-5)
    mixed = lazy.grad(lazy.grad(ours.zeta), 1)(2.5, 1.5)              # of the derivative by x, and in the other order
    onp.testing.assert_allclose(float(mixed), float(lazy.grad(lazy.grad(ours.zeta, 1))(2.5, 1.5)), rtol=1e-5)
    special = [(0.5, 1.0), (1.0, 1.0), (2.0, -1.5), (2.0, -1.0), (2.5, -1.5), (onp.inf, 1.0), (2.0, onp.inf), (2.0, 0.0), (onp.nan, 2.0)]
    for s, a in special:
        onp.testing.assert_allclose(float(ours.zeta(s, a)), theirs.zeta(s, a), rtol=1e-6)


def test_zeta_to_the_last_place():
    """Sums of a few terms, whose arguments aren't rounded."""
    mpmath = pytest.importorskip('mpmath')
    for s, q in ((38.75, 31.61), (1.012, 16.803), (60.5, 250.45), (2.5, 0.01), (1.000001, 24.2)):
        with mpmath.workprec(900):                                    # mpmath's zeta is accurate absolutely
            exact = mpmath.zeta(mpmath.mpf(s), mpmath.mpf(q))
            assert abs(float((mpmath.mpf(float(ours.zeta(onp.float64(s), onp.float64(q)))) - exact) / exact)) < 8e-16


def test_polygamma_of_several_orders():
    n, x = onp.arange(-1, 5), onp.linspace(0.3, 4, 6)
    expected = [onp.nan, *[theirs.polygamma(k, v) for k, v in zip(n[1:], x[1:])]]
    onp.testing.assert_allclose(onp.asarray(ours.polygamma(n, x)), expected, rtol=1e-13)
    found = lazy.grad(lambda x: ours.polygamma(onp.array([0, 2]), x).sum())(1.5)
    onp.testing.assert_allclose(float(found), theirs.polygamma(1, 1.5) + theirs.polygamma(3, 1.5), rtol=1e-5)


X = onp.array([0.1, 0.7, 1.0, 2.5, 8.0, 30.0])
CASES = {                                           # arguments; numbers are not differentiated by
    'erfcx': (onp.concatenate([-X[:4], X]),), 'dawsn': (onp.concatenate([-X, X]),), 'exp1': (X,),
    'expi': (onp.concatenate([-X, X]),), 'spence': (X,), 'j0': (X - 4,), 'j1': (X - 4,), 'y0': (X,), 'y1': (X,),
    'k0': (X,), 'k1': (X,), 'k0e': (X,), 'k1e': (X,), 'jn': (3, X), 'yn': (2, X), 'kn': (4, X), 'expn': (3, X),
    'owens_t': (X - 1, X[::-1]),
    'hyp1f1': (X[::-1] + 0.3, X + 0.2, 2 - X),
    'hyp2f1': (X, X[::-1] / 10, X + 0.5, onp.array([-9, -2, -0.3, 0, 0.4, 0.9])),
}


@pytest.mark.parametrize('name', CASES)
def test_values_and_gradients(name):
    f, expected, args = getattr(ours, name), getattr(theirs, name), CASES[name]
    onp.testing.assert_allclose(onp.asarray(f(*args)), expected(*args), rtol=1e-13, atol=1e-15)
    single = f(*[a.astype('float32') if hasattr(a, 'dtype') else a for a in args])
    assert single.dtype == onp.float32
    onp.testing.assert_allclose(onp.asarray(single), expected(*args), rtol=3e-5, atol=1e-6)
    for i, x in enumerate(args):
        if hasattr(x, 'dtype'):
            step = 1e-5 * onp.maximum(abs(x), 0.1)
            ends = [expected(*[a + sign * step if j == i else a for j, a in enumerate(args)]) for sign in (1, -1)]
            found = onp.asarray(lazy.grad(lambda v: f(*[v if j == i else a for j, a in enumerate(args)]).sum())(x))
            onp.testing.assert_allclose(found, (ends[0] - ends[1]) / (2 * step), rtol=2e-6, atol=1e-9)
    jitted = lazy.jit(lambda last: f(*args[:-1], last))(args[-1])
    onp.testing.assert_allclose(onp.asarray(jitted), expected(*args), rtol=1e-13, atol=1e-15)


def test_hypergeometric_gradients_against_mpmath():
    args = CASES['hyp2f1']
    for i in range(3):
        expected = by_mpmath(mpmath.hyp2f1, *args, index=i)
        onp.testing.assert_allclose(gradient(ours.hyp2f1, i, *args), expected, rtol=1e-12, atol=1e-15)
    args = CASES['hyp1f1']
    for i in range(2):
        expected = by_mpmath(mpmath.hyp1f1, *args, index=i)
        onp.testing.assert_allclose(gradient(ours.hyp1f1, i, *args), expected, rtol=1e-12, atol=1e-15)
    assert onp.isnan(float(lazy.grad(ours.hyp2f1)(1.0, 1.0, 1.5, 1.0 - 1e-7)))


@pytest.mark.parametrize('name', ('fresnel', 'sici'))
def test_pairs(name):
    f, expected = getattr(ours, name), getattr(theirs, name)
    for i in (0, 1):
        onp.testing.assert_allclose(onp.asarray(f(X)[i]), expected(X)[i], rtol=1e-13)
        found = gradient(lambda x: f(x)[i], 0, X[:5])
        slope = (expected(X[:5] + 1e-6)[i] - expected(X[:5] - 1e-6)[i]) / 2e-6
        onp.testing.assert_allclose(found, slope, rtol=1e-6, atol=1e-9)
    assert float(lazy.grad(lambda x: f(x)[0])(0.0)) == {'fresnel': 0, 'sici': 1}[name]


def test_wofz():
    z = onp.array([0, 1 + 2j, -3 + 0.1j, 2 - 1j])
    onp.testing.assert_allclose(onp.asarray(ours.wofz(z)), theirs.wofz(z), rtol=1e-13)
    assert ours.wofz(1.0).dtype == onp.complex64 and ours.wofz(z[:1].astype('complex64')).dtype == onp.complex64
    _, tangent = lazy.jvp(ours.wofz, (z,), (onp.full_like(z, 1 + 1j),))
    step = 1e-6 * (1 + 1j)
    onp.testing.assert_allclose(onp.asarray(tangent), (theirs.wofz(z + step) - theirs.wofz(z - step)) / 2e-6, rtol=1e-8)


def test_orders_of_bessel_functions():
    found = ours.bessel_jn(X, v=3)
    assert found.shape == (4, 6)
    onp.testing.assert_allclose(onp.asarray(found), [theirs.jv(n, X) for n in range(4)], rtol=1e-13, atol=1e-16)
    onp.testing.assert_allclose(float(ours.jn(-3, 2.0)), theirs.jv(-3, 2.0), rtol=1e-6)
    with pytest.raises(TypeError, match='integer order'):
        ours.bessel_jn(X, v=1.5)
    with pytest.raises(ValueError, match='floating'):
        ours.bessel_jn(np.array([1, 2]), v=1)
    with pytest.raises(TypeError, match='Python integer'):
        ours.yn(1.5, X)


def test_bessel_functions_far_from_zero():
    """Where SciPy's lose digits of the phase; relative to their amplitude."""
    x = onp.array([25.0, 40.5, 1e4, 43051.8, 1e15])
    for name, f in (('j0', lambda x: mpmath.besselj(0, x)), ('j1', lambda x: mpmath.besselj(1, x)),
                    ('y0', lambda x: mpmath.bessely(0, x)), ('y1', lambda x: mpmath.bessely(1, x))):
        found, expected = onp.asarray(getattr(ours, name)(x)), by_mpmath(f, x)
        onp.testing.assert_allclose(found * onp.sqrt(x), expected * onp.sqrt(x), atol=2e-15)
        assert float(getattr(ours, name)(onp.inf)) == 0
    odd = onp.asarray(ours.j1(onp.array([-40.5, -2.0, -0.0])))
    onp.testing.assert_array_equal(odd, -onp.asarray(ours.j1(onp.array([40.5, 2.0, 0.0]))))
    assert onp.isnan(onp.asarray(ours.y1(onp.array([-40.0, -1.0, onp.nan])))).all()


def test_accuracy_of_integrals():
    """Where SciPy's are off by tens of ulp and more."""
    cases = {'erfcx': (lambda x: mpmath.exp(x * x) * mpmath.erfc(x), [-26.6, -5.5, -1.5]),
             'dawsn': (lambda x: mpmath.sqrt(mpmath.pi) / 2 * mpmath.exp(-x * x) * mpmath.erfi(x), [0.0141, 0.3, -33]),
             'expi': (mpmath.ei, [0.37250741, 0.3725, 0.41, 40.2, 300.0, 715.0])}
    for name, (f, x) in cases.items():
        x = onp.array(x)
        onp.testing.assert_allclose(onp.asarray(getattr(ours, name)(x)), by_mpmath(f, x), rtol=9e-16)


def test_exponential_integrals_of_low_order():
    onp.testing.assert_allclose(gradient(lambda x: ours.expn(1, x), 0, X), -theirs.expn(0, X), rtol=1e-13)
    onp.testing.assert_allclose(gradient(lambda x: ours.expn(0, x), 0, X), -(1 + X) * onp.exp(-X) / X**2, rtol=1e-13)
    assert onp.isnan(float(ours.expn(1.5, 1.0)))
    with pytest.raises(NotImplementedError, match='expn by argument 0'):
        lazy.grad(ours.expn)(2.0, 1.0)


def test_spherical_harmonics():
    n, m = (v.ravel() for v in onp.meshgrid(onp.arange(7), onp.arange(-6, 7)))
    n, m = n[abs(m) <= n], m[abs(m) <= n]
    theta, phi = onp.array([[0.0], [0.4], [1.7], [onp.pi]]), onp.array([[0.3], [2.0], [5.0], [0.1]])
    expected = theirs.sph_harm_y(n, m, theta, phi)
    onp.testing.assert_allclose(onp.asarray(ours.sph_harm_y(n, m, theta, phi)), expected, rtol=1e-12, atol=1e-14)
    found = onp.asarray(ours.sph_harm_y(n, m, theta.astype('float32'), phi.astype('float32')))
    assert found.dtype == onp.complex64
    onp.testing.assert_allclose(found, expected, atol=1e-5)
    jitted = lazy.jit(lambda n, t: ours.sph_harm_y(n, 1, t, 0.5, n_max=4))
    clipped = onp.asarray(jitted(onp.array([1, 3, 9]), 0.7))
    onp.testing.assert_allclose(clipped, theirs.sph_harm_y([1, 3, 4], 1, 0.7, 0.5), rtol=1e-5)
    for i, step in enumerate(((1e-6, 0), (0, 1e-6))):
        f = lambda t, p: ours.sph_harm_y(n[5:9], m[5:9], t, p).real.sum()
        ends = [theirs.sph_harm_y(n[5:9], m[5:9], 0.6 + s * step[0], 1.1 + s * step[1]).real.sum() for s in (1, -1)]
        found = float(lazy.grad(f, i)(onp.float64(0.6), onp.float64(1.1)))
        onp.testing.assert_allclose(found, (ends[0] - ends[1]) / 2e-6, rtol=1e-7)
    with pytest.raises(TypeError, match='integers n'):
        ours.sph_harm_y(1.0, 0, 0.1, 0.1)


def test_against_jax():
    jax = pytest.importorskip('jax')
    a, b, x = (onp.array(v, 'float32') for v in ([0.5, 2, 30], [3, 0.7, 20], [0.2, 0.5, 0.6]))
    for name, args in (('igamma', (a, b)), ('igammac', (a, b)), ('igamma_grad_a', (a, b)),
                       ('random_gamma_grad', (a, b)), ('betainc', (a, b, x)), ('zeta', (a + 1, b))):
        found, expected = onp.asarray(getattr(lax, name)(*args)), getattr(jax.lax, name)(*args)
        onp.testing.assert_allclose(found, expected, rtol=2e-4, atol=1e-37)
