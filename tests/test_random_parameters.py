"""Random numbers of distributions with parameters: statistics, derivatives, special values, transformations."""
import numpy as onp
import pytest
from scipy import integrate, special, stats

import lazy
import lazy.numpy as np
from lazy import random
from lazy.random.counts import _binomial, _poisson
from lazy.random.gamma import _ROUNDS, log_gamma_derivative

N = 20_000
CONTINUOUS = {
    'gamma': (lambda k: random.gamma(k, 2.5, (N,)), stats.gamma(2.5)),
    'gamma_small': (lambda k: random.gamma(k, 0.2, (N,)), stats.gamma(0.2)),
    'gamma_tiny': (lambda k: random.loggamma(k, 1e-3, (N,)), stats.expon(0, 1e3), lambda x: -x),
    'gamma_1': (lambda k: random.gamma(k, 1.0, (N,)), stats.expon()),
    'gamma_1.99': (lambda k: random.gamma(k, 1.99, (N,)), stats.gamma(1.99)),
    'gamma_huge': (lambda k: random.gamma(k, 1e7, (N,)), stats.norm(1e7, 10 ** 3.5)),
    'gamma64': (lambda k: random.gamma(k, 0.7, (N,), 'float64'), stats.gamma(0.7)),
    'loggamma': (lambda k: random.loggamma(k, 3.0, (N,)), stats.loggamma(3.0)),
    'beta': (lambda k: random.beta(k, 0.5, 2.0, (N,)), stats.beta(0.5, 2)),
    'beta64': (lambda k: random.beta(k, 3.0, 1.0, (N,), 'float64'), stats.beta(3, 1)),
    'chisquare': (lambda k: random.chisquare(k, 3.0, (N,)), stats.chi2(3)),
    'f': (lambda k: random.f(k, 3.0, 5.0, (N,)), stats.f(3, 5)),
    't': (lambda k: random.t(k, 2.5, (N,)), stats.t(2.5)),
    'generalized_normal': (lambda k: random.generalized_normal(k, 1.5, (N,)), stats.gennorm(1.5)),
    'ball': (lambda k: random.ball(k, 3, shape=(N,))[:, 0], stats.beta(2, 2, -1, 2)),
    'ball_1': (lambda k: abs(random.ball(k, 2, 1, (N,))).sum(-1), stats.beta(2, 1)),
    'dirichlet': (lambda k: random.dirichlet(k, onp.array([1., 2., .5], 'float32'), (N,))[:, 1], stats.beta(2, 1.5)),
}
P = onp.array([.1, .2, .3, .15, .25], 'float32')
COUNTS = {
    **{f'poisson_{m}': (lambda k, m=m: random.poisson(k, m, (N,)), stats.poisson(m))
       for m in (0.01, 3.0, 9.99, 10.0, 40.0, 2400.0, 1e5)},
    'poisson64': (lambda k: random.poisson(k, onp.float64(12), (N,)), stats.poisson(12)),
    **{f'binomial_{n}_{p}': (lambda k, n=n, p=p: random.binomial(k, n, p, (N,)), stats.binom(n, p))
       for n, p in [(1, .3), (5, .5), (20, .5), (25, .4), (100, .03), (100, .9), (1000, .5), (10 ** 5, .2),
                    (10 ** 6, 1e-6)]},
    **{f'multinomial_{i}': (lambda k, i=i: random.multinomial(k, 50, P, shape=(N, 5))[:, i], stats.binom(50, P[i]))
       for i in (0, 2, 4)},
}


@pytest.mark.parametrize('name', CONTINUOUS)
def test_continuous(name):
    draw, expected, *change = CONTINUOUS[name]
    x = onp.asarray(draw(random.key(7)), 'float64')
    assert stats.kstest(change[0](x) if change else x, expected.cdf).pvalue > 1e-3


def chi_square(x, expected, bins=40):
    """p-value of integers x; tails and neighbours are put together."""
    low, high = int(expected.ppf(1e-3)), int(expected.isf(1e-3))
    edges = onp.unique(onp.linspace(low, high, min(bins, high - low + 1)).astype(int))
    cdf = onp.concatenate([[0], expected.cdf(edges[:-1]), [1]])
    found = onp.bincount(onp.searchsorted(edges[:-1], x), minlength=len(edges))
    likely = onp.diff(cdf) > 1e-12
    return stats.chisquare(found[likely], onp.diff(cdf)[likely] * len(x), sum_check=False).pvalue


@pytest.mark.parametrize('name', COUNTS)
def test_counts(name):
    draw, expected = COUNTS[name]
    x = onp.asarray(draw(random.key(3)), 'float64')
    assert (x == onp.rint(x)).all() and chi_square(x, expected) > 1e-3


def test_gamma_rounds_are_enough():
    """The probability that a proposal is accepted, by quadrature: the density of what is accepted is that of x."""
    for a in (2.0, 2.5, 5.0, 100.0):
        d = a - 1 / 3
        c = 1 / onp.sqrt(9 * d)
        density = lambda x: onp.exp(d * (1 - (1 + c * x) ** 3 + 3 * onp.log1p(c * x))) / onp.sqrt(2 * onp.pi)
        accepted, _ = integrate.quad(density, max(-1 / c, -30) + 1e-12, 30, points=[-2, 0, 2], limit=200)
        assert (1 - accepted) ** _ROUNDS < 1e-12


def test_multinomial_covariance():
    x = onp.asarray(random.multinomial(random.key(3), 100, P, shape=(N, 5)), 'float64')
    assert (x.sum(-1) == 100).all()
    p = P.astype(float)
    onp.testing.assert_allclose(onp.cov(x.T), stats.multinomial(100, p / p.sum()).cov(), atol=0.6)
    assert random.multinomial(random.key(0), 7, onp.array([0., 0., 1., 0.], 'float32')).tolist() == [0, 0, 7, 0]
    assert random.multinomial(random.key(0), 7, onp.array([1.], 'float32')).tolist() == [7]


# --- derivatives --------------------------------------------------------------------------------------------------

def test_the_derivative_of_gamma_numbers_is_that_of_the_quantile():
    a, p = onp.meshgrid([0.01, 0.3, 0.999, 1.0, 1.5, 10.0, 300.0], [1e-6, 0.05, 0.5, 0.95, 1 - 1e-6])
    z = special.gammaincinv(a, p)
    a, p, z = (x[z > 1e-200] for x in (a, p, z))
    step = 1e-5 * a
    up, down = (onp.log(special.gammaincinv(a + s, special.gammainc(a, z))) for s in (step, -step))
    found = log_gamma_derivative(*map(np.asarray, (a, z, onp.log(z))))
    onp.testing.assert_allclose(onp.asarray(found), (up - down) / (2 * step), rtol=2e-6)
    narrow = (z > 1e-30) & (p < 0.999)
    a, z = a[narrow].astype('float32'), z[narrow].astype('float32')
    exact = log_gamma_derivative(*map(np.asarray, (a.astype(float), z.astype(float), onp.log(z.astype(float)))))
    found = log_gamma_derivative(*map(np.asarray, (a, z, onp.log(z))))
    onp.testing.assert_allclose(onp.asarray(found), onp.asarray(exact), rtol=3e-5)


def test_derivatives_as_in_jax():
    jax = pytest.importorskip('jax')
    key, a = random.key(1), onp.array([.01, .1, .5, 1, 2, 5, 50, 1e3], 'float32')
    z = random.gamma(key, a)
    onp.testing.assert_allclose(onp.asarray(lazy.grad(lambda a: random.gamma(key, a).sum())(a)),
                                onp.asarray(jax.lax.random_gamma_grad(a, onp.asarray(z))), rtol=2e-3)


@pytest.mark.parametrize('order, expected', [(1, 2 * 2.5 + 1), (2, 2.0)])
def test_moments_are_differentiated_through_numbers(order, expected):
    """E[z**2] = a (a + 1)."""
    f = lambda a: (random.gamma(random.key(2), a, (N,), 'float64') ** 2).mean()
    for _ in range(order):
        f = lazy.grad(f)
    onp.testing.assert_allclose(float(f(onp.float64(2.5))), expected, rtol=0.05)


DIFFERENTIABLE = {
    'beta': (lambda k, a: random.beta(k, a, 2.0, (N,)), lambda a: a / (a + 2)),
    'beta_b': (lambda k, b: random.beta(k, 2.0, b, (N,)), lambda b: 2 / (2 + b)),
    'chisquare': (lambda k, a: random.chisquare(k, a, (N,)), lambda a: a),
    't': (lambda k, a: abs(random.t(k, a + 3, (N,))),
          lambda a: 2 * (a + 3) ** .5 / (a + 2) / special.beta((a + 3) / 2, .5)),
    'generalized_normal': (lambda k, p: abs(random.generalized_normal(k, p, (N,))),
                           lambda p: special.gamma(2 / p) / special.gamma(1 / p)),
    'dirichlet': (lambda k, a: random.dirichlet(k, np.stack([a, 1.0, 2.0]), (N,))[:, 0], lambda a: a / (a + 3)),
    'loggamma': (lambda k, a: random.loggamma(k, a, (N,)), special.digamma),
}


@pytest.mark.parametrize('name', DIFFERENTIABLE)
def test_means_are_differentiated(name):
    draw, mean = DIFFERENTIABLE[name]
    expected = (mean(1.5 + 1e-5) - mean(1.5 - 1e-5)) / 2e-5
    f = lambda a: draw(random.key(5), a).mean()
    onp.testing.assert_allclose(float(lazy.grad(f)(1.5)), expected, rtol=0.05)
    onp.testing.assert_allclose(float(lazy.jvp(f, (1.5,), (1.0,))[1]), expected, rtol=0.05)


def test_counts_have_no_derivative():
    assert float(lazy.grad(lambda m: random.poisson(random.key(0), m).astype(float) * 1.0)(4.0)) == 0.0
    assert float(lazy.grad(lambda p: random.binomial(random.key(0), 9.0, p))(0.5)) == 0.0


# --- shapes, types, special values, transformations ----------------------------------------------------------------

SAMPLERS = {
    'gamma': (2.0,), 'loggamma': (2.0,), 'beta': (2.0, 3.0), 'chisquare': (2.0,), 'f': (2.0, 3.0), 't': (2.0,),
    'poisson': (3.0,), 'binomial': (9.0, 0.5),
}


@pytest.mark.parametrize('name', SAMPLERS)
def test_shapes_and_types(name):
    draw, values = getattr(random, name), SAMPLERS[name]
    key = random.key(1)
    assert draw(key, *values).shape == ()
    assert all(draw(key, *values, shape).shape == shape for shape in [(), (2, 3), (0,)])
    rows = onp.full((2, 1), values[0], 'float32')
    assert draw(key, rows, *values[1:]).shape == (2, 1) and draw(key, rows, *values[1:], (2, 3)).shape == (2, 3)
    assert draw(key, int(values[0]), *values[1:]).shape == ()
    for dtype in ('int8', 'int32', 'uint16') if name == 'poisson' else ('float16', 'bfloat16', 'float32', 'float64'):
        x = draw(key, *values, (50,), dtype)
        assert x.dtype.name == dtype and onp.isfinite(onp.asarray(x.astype('float32'))).all()
    with pytest.raises(ValueError, match='broadcast'):
        draw(key, rows, *values[1:], (3, 3))
    with pytest.raises(ValueError, match='dtype'):
        draw(key, *values, (2,), 'float32' if name == 'poisson' else 'int32')


@pytest.mark.parametrize('name', SAMPLERS)
def test_transformations(name):
    draw, values = getattr(random, name), SAMPLERS[name]
    keys, first = random.split(random.key(2), 3), np.arange(1.0, 4.0)
    by_hand = onp.stack([onp.asarray(draw(k, a, *values[1:], (4,))) for k, a in zip(keys, first)])
    batched = lazy.jit(lazy.vmap(lambda k, a: draw(k, a, *values[1:], (4,))))
    onp.testing.assert_allclose(onp.asarray(batched(keys, first)), by_hand, rtol=1e-5)
    one = lambda a: draw(keys[0], a, *values[1:])
    alone = onp.stack([onp.asarray(one(a)) for a in first])
    onp.testing.assert_allclose(onp.asarray(lazy.vmap(one)(first)), alone, rtol=1e-5)


def test_special_values():
    key, nan, inf = random.key(4), onp.nan, onp.inf
    x = onp.asarray(random.gamma(key, onp.array([nan, -1, 0, inf, 1e30, 1e-30], 'float32')))
    onp.testing.assert_array_equal(x, onp.array([nan, nan, 0, inf, 1e30, 0], 'float32'))
    assert onp.isfinite(float(random.loggamma(key, 1e-30)))
    found = random.poisson(key, onp.array([nan, -1, 0, inf], 'float32'), dtype='int8')
    onp.testing.assert_array_equal(onp.asarray(found), [-1, -1, 0, 127])
    n, p = onp.array([[nan, -1, 5, 5, 5, 0, 5], [.5, .5, -.1, 0, 1, .5, nan]], 'float32')
    found = random.binomial(key, n, p)
    onp.testing.assert_array_equal(onp.asarray(found), [nan, nan, nan, 0, 5, 0, nan])
    x = onp.asarray(random.beta(key, onp.full(100, 1e-5, 'float32'), 1e-5))
    assert onp.isfinite(x).all() and 20 < (x > 0.5).sum() < 80
    assert abs(float(random.binomial(key, 1e20, 0.5)) / 5e19 - 1) < 1e-6


ERRORS = [
    (lambda: random.dirichlet(random.key(0), 1.0), ValueError, 'ndim >= 1'),
    (lambda: random.dirichlet(random.key(0), onp.ones((2, 3), 'float32'), (5,)), ValueError, 'broadcast'),
    (lambda: random.multinomial(random.key(0), 3, 0.5), ValueError, 'ndim >= 1'),
    (lambda: random.poisson(random.key(0), 1j), TypeError, 'real'),
    (lambda: random.ball(random.key(0), 2.5), TypeError, 'integer'),
    (lambda: random.gamma(3, 1.0), TypeError, 'lazy.random.key'),
]


@pytest.mark.parametrize('call, error, text', ERRORS, ids=[str(i) for i in range(len(ERRORS))])
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()


QUANTILES = [(m, None) for m in (1e-3, 0.5, 9.9, 10.0, 13.0, 100.0, 2400.0, 2600.0, 1e5)] + \
    [(1, .3), (15, .5), (20, .5), (21, .48), (40, .25), (1000, .01), (1000, .4), (9000, .4), (10 ** 5, .3),
     (10 ** 6, 1e-5)]


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize('n, p', QUANTILES)
def test_counts_are_quantiles(n, p, dtype):
    """F(count - 1) < Phi(x) <= F(count), compared where the probabilities are small, as far as normal numbers go."""
    x = onp.linspace(-5.4, 5.4, 1001).astype(dtype)
    n, p = onp.array(n, dtype), None if p is None else onp.array(p, dtype)
    expected = stats.poisson(float(n)) if p is None else stats.binom(int(n), float(p))
    parameters = [np.broadcast_to(v, x.shape) for v in (n, p) if v is not None]
    count, = (_poisson if p is None else _binomial)(None, np.asarray(x), *parameters)
    count = onp.asarray(count, 'float64')
    x = x.astype('float64')
    tail, upper = special.ndtr(-abs(x)), x > 0
    most = onp.where(upper, expected.sf(count - 1), expected.cdf(count))
    least = onp.where(upper, expected.sf(count), expected.cdf(count - 1))
    slack = 5e-3 if dtype == 'float32' else 1e-4
    assert (tail <= most * (1 + slack)).all() and (least <= tail * (1 + slack)).all()
