"""lazy.scipy.stats against SciPy: every function of every distribution from one table, gradients, random numbers."""
import inspect
import warnings

import numpy as onp
import pytest
from scipy import special, stats as theirs

import lazy
import lazy.numpy as np
from lazy import random
from lazy.scipy import stats as ours
from rows import target_of_derivatives

REAL, POSITIVE = onp.linspace(-6.03, 6, 41), onp.geomspace(1e-3, 40, 41)
UNIT, COUNT = onp.linspace(1e-3, 0.999, 41), onp.arange(-1.0, 40)
INF, NAN = onp.inf, onp.nan
# name: where it is tested, values of the parameters; and the parameters by which it isn't differentiated.
CASES = {
    'beta': (UNIT, [(0.5, 2.0), (3.0, 1.5)]), 'cauchy': (REAL, [()]), 'chi2': (POSITIVE, [(0.7,), (5.0,)]),
    'expon': (POSITIVE, [()]), 'gamma': (POSITIVE, [(0.3,), (4.5,)]), 'gennorm': (REAL / 2, [(0.8,), (2.5,)]),
    'gumbel_l': (REAL / 2, [()]), 'gumbel_r': (REAL / 2, [()]), 'laplace': (REAL, [()]), 'logistic': (REAL, [()]),
    'norm': (REAL, [()]), 'pareto': (1 + POSITIVE, [(0.5,), (3.0,)]), 't': (REAL, [(1.5,), (30.0,)]),
    'truncnorm': (REAL / 3, [(-1.0, 1.5), (-3.0, -0.5), (0.2, 4.0)]), 'uniform': (UNIT, [()]),
    'vonmises': (REAL / 2, [(0.3,), (20.0,)]), 'wrapcauchy': (REAL + 6.2, [(0.2,), (0.9,)]),
    'bernoulli': (COUNT, [(0.3,)]), 'betabinom': (COUNT, [(20.0, 0.7, 2.0)]),
    'binom': (COUNT, [(20.0, 0.3), (40.0, 0.95)]),
    'geom': (COUNT, [(0.2,)]), 'nbinom': (COUNT, [(3.5, 0.3)]), 'poisson': (COUNT, [(0.4,), (12.0,)]),
}
DISCRETE = ('bernoulli', 'betabinom', 'binom', 'geom', 'nbinom', 'poisson')
WHOLE = {'binom': (0,), 'betabinom': (0,)}
QUANTILES = ('ppf', 'isf')
FUNCTIONS = [(name, method) for name in CASES for method in getattr(ours, name).methods
             if hasattr(getattr(ours, name), method) and method not in ('entropy', 'rvs')]


def call(module, name, method, x, parameters, *more):
    with warnings.catch_warnings(), onp.errstate(all='ignore'):
        warnings.simplefilter('ignore')
        return onp.asarray(getattr(getattr(module, name), method)(x, *parameters, *more), 'float64')


def places(name):
    """(loc,) or (loc, scale) at which a distribution is tested."""
    return (2.0,) if name in DISCRETE else (0.7, 2.5)


@pytest.mark.parametrize('name, method', FUNCTIONS)
def test_values(name, method):
    x, cases = CASES[name]
    x = onp.concatenate([x, [0.0, 1.0, 0.5, 2.5, -1.0, NAN, 100.0]]) if method not in QUANTILES else \
        onp.concatenate([UNIT, [0.0, 1.0, 1e-9, -0.1, 1.1, NAN]])
    for parameters in cases:
        for place in ((), places(name)):
            if name in ('vonmises', 'wrapcauchy') and place:
                place = (0.7, 1.0)                                    # SciPy wraps at another scale
            expected = call(theirs, name, method, x, parameters, *place)
            compared = onp.ones(len(x), bool)
            if method in QUANTILES and name in DISCRETE:
                compared = (x > 0) & (x < 1)                          # SciPy gives what is below the support at 0
            elif name == 'wrapcauchy' and method != 'ppf':
                compared = ~((x == 0) | onp.isnan(x))
            found = call(ours, name, method, x, parameters, *place)
            onp.testing.assert_allclose(found[compared], expected[compared], rtol=2e-9, atol=1e-13)
            if method in QUANTILES:
                q = onp.array([0, 1e-3, .3, .5, .501, .9, 1], 'float32')
                narrow, wide = (call(ours, name, method, q.astype(dtype), onp.array(parameters, dtype), *place)
                                for dtype in ('float32', 'float64'))
                onp.testing.assert_allclose(narrow, wide, rtol=2e-4, atol=2e-5)
            else:
                narrow = call(ours, name, method, x.astype('float32'), [onp.float32(p) for p in parameters], *place)
                wide = call(ours, name, method, x.astype('float32').astype(float),
                            [float(onp.float32(p)) for p in parameters], *place)
                # At the ends of the support x - loc is rounded to another side; float32 ends at exp(-87).
                compared = (onp.arange(len(x)) > 3) & (onp.arange(len(x)) < 40) & ((wide > -80) | (wide == -INF))
                onp.testing.assert_allclose(narrow[compared], wide[compared], rtol=2e-4, atol=2e-5)
    assert getattr(getattr(ours, name), method)(0.5, *cases[0]).dtype == onp.float32


def support(name, x, parameters):
    """Points of x within a distribution's support and away from its ends."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        inside = getattr(getattr(theirs, name), 'pmf' if name in DISCRETE else 'pdf')(x, *parameters) > 0
    return x[inside][1:-1]


@pytest.mark.parametrize('name, method', [c for c in FUNCTIONS if c[0] not in DISCRETE or c[1] not in QUANTILES])
@target_of_derivatives()
def test_gradients(name, method):
    """By x where it is continuous, and by every parameter, against differences of our values in float64."""
    f = getattr(getattr(ours, name), method)
    for parameters in CASES[name][1]:
        x = onp.linspace(0.05, 0.95, 7) if method in QUANTILES else support(name, CASES[name][0], parameters)[::6]
        args = (x, *parameters) if name in DISCRETE else (x, *parameters, 0.0, 1.0)
        skipped = {0} | {1 + i for i in WHOLE.get(name, ())} if name in DISCRETE else set()
        numbers = [i for i in range(len(args)) if i not in skipped]
        args = [onp.broadcast_to(a, x.shape).astype(float) for a in args]
        for i, found in zip(numbers, lazy.grad(lambda *args: f(*args).sum(), numbers)(*map(np.asarray, args))):
            step = 1e-6 * onp.maximum(abs(args[i]), 0.1)
            up, down = (onp.asarray(f(*[a + s if j == i else a for j, a in enumerate(args)])) for s in (step, -step))
            onp.testing.assert_allclose(onp.asarray(found), (up - down) / (2 * step), rtol=2e-5, atol=1e-6)


ENTROPIES = [name for name in CASES if hasattr(getattr(ours, name), 'entropy')]


@pytest.mark.parametrize('name', ENTROPIES)
def test_entropy(name):
    for parameters in CASES[name][1]:
        place = () if name in DISCRETE else (0.7, 2.5)
        args = [onp.float64(p) for p in (*parameters, *place)] or [0.0]
        expected = getattr(theirs, name).entropy(*parameters, *place)
        onp.testing.assert_allclose(float(getattr(ours, name).entropy(*args)), expected, rtol=1e-6)


def test_entropy_of_poisson():
    mu = onp.array([0.0, 1e-3, 0.5, 9.9, 10.0, 99.0, 101.0, 1e4])
    expected = [special.entr(theirs.poisson.pmf(onp.arange(12_000), m)).sum() for m in mu]
    onp.testing.assert_allclose(onp.asarray(ours.poisson.entropy(mu)), expected, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize('name, draw', [
    ('norm', lambda k: random.normal(k, (9,))), ('expon', lambda k: random.exponential(k, (9,))), ('uniform', lambda k: random.uniform(k, (9,))),
    ('cauchy', lambda k: random.cauchy(k, (9,))), ('laplace', lambda k: random.laplace(k, (9,))), ('logistic', lambda k: random.logistic(k, (9,))),
    ('gumbel_r', lambda k: random.gumbel(k, (9,)))])
def test_random_numbers_are_those_of_lazy_random(name, draw):
    """Moved and scaled."""
    key = random.key(4)
    found = onp.asarray(getattr(ours, name).rvs(key, loc=2.0, scale=3.0, shape=(9,)))
    onp.testing.assert_allclose(found, 2 + 3 * onp.asarray(draw(key)), rtol=1e-6, atol=1e-6)
    onp.testing.assert_allclose(onp.asarray(ours.gamma.rvs(key, 1.7, shape=(9,))), onp.asarray(random.gamma(key, 1.7, (9,))), rtol=1e-6)


@pytest.mark.parametrize('name', [name for name in CASES if hasattr(getattr(ours, name), 'rvs')])
def test_random_numbers(name):
    parameters, place = CASES[name][1][-1], places(name)
    x = onp.asarray(getattr(ours, name).rvs(random.key(11), *parameters, *place, shape=(5000,)), 'float64')
    expected = getattr(theirs, name)(*parameters, *place)
    if name in DISCRETE:
        edges = onp.unique(expected.ppf([.1, .25, .5, .75, .9]))
        found = onp.bincount(onp.searchsorted(edges, x), minlength=len(edges) + 1)
        likely = onp.diff(expected.cdf(edges), prepend=0, append=1)
        kept = likely > 1e-9
        assert theirs.chisquare(found[kept], likely[kept] * 5000).pvalue > 1e-3
    else:
        assert theirs.kstest(x, expected.cdf).pvalue > 1e-3
    assert getattr(ours, name).rvs(random.key(0), *parameters, dtype='float16').dtype == onp.float16


@pytest.mark.parametrize('name', CASES)
def test_shapes_and_transformations(name):
    f = getattr(ours, name).logpmf if name in DISCRETE else getattr(ours, name).logpdf
    parameters = CASES[name][1][0]
    x = np.asarray(CASES[name][0][3:9], 'float32')
    by_hand = onp.stack([onp.asarray(f(v, *parameters)) for v in x])
    for made in (lazy.vmap(lambda v: f(v, *parameters))(x), lazy.jit(lambda x: f(x, *parameters))(x)):
        onp.testing.assert_allclose(onp.asarray(made), by_hand, rtol=2e-5, atol=1e-6)
    assert f(x[:0], *parameters).shape == (0,) and f(x[:, None], *parameters, np.zeros(2)).shape == (6, 2)
    assert f(1, *parameters).dtype == onp.float32
    names = list(inspect.signature(f).parameters)
    by_name = f(**dict(zip(names, (x, *parameters, 1.0))))
    onp.testing.assert_allclose(onp.asarray(by_name), onp.asarray(f(x, *parameters, 1.0)))


@pytest.mark.parametrize('dtype', ['float16', 'bfloat16'])
@pytest.mark.parametrize('name', CASES)
def test_narrow_types(name, dtype):
    x, parameters = np.array([0.25, 0.5, 1.0], dtype), [np.array(p, dtype) for p in CASES[name][1][0]]
    methods = [method for method in getattr(ours, name).methods[:8] if hasattr(getattr(ours, name), method)]
    together = lazy.jit(lambda *args: [getattr(getattr(ours, name), method)(*args) for method in methods])
    for method, found in zip(methods, together(x, *parameters)):
        assert found.dtype == dtype
        expected = call(theirs, name, method, onp.asarray(x, float), [float(p) for p in parameters])
        kept = slice(2 if method in QUANTILES and name in DISCRETE else 3)      # SciPy gives what is below the support
        onp.testing.assert_allclose(onp.asarray(found.astype('float32'))[kept], expected[kept], rtol=0.1, atol=0.05)


BAD = {'beta': [(-1, 1), (1, 0)], 'gamma': [(-1,)], 't': [(-1,)], 'truncnorm': [(1, 0)], 'wrapcauchy': [(1.5,)],
       'vonmises': [(-1,)], 'bernoulli': [(1.5,)], 'binom': [(-1, 0.5), (3, 2)], 'geom': [(0,)], 'poisson': [(-1,)],
       'nbinom': [(0, 0.5)], 'betabinom': [(3, 0, 1)], 'pareto': [(0,)], 'gennorm': [(0,)]}


@pytest.mark.parametrize('name', BAD)
def test_parameters_that_make_no_sense(name):
    for parameters in BAD[name]:
        for method in ('logpmf' if name in DISCRETE else 'logpdf', 'cdf'):
            if hasattr(getattr(ours, name), method):
                assert onp.isnan(float(getattr(getattr(ours, name), method)(1.0, *parameters)))
    assert onp.isnan(float(ours.norm.pdf(0.0, 0.0, -1.0)))


@pytest.mark.parametrize('name', CASES)
def test_functions_and_signatures_are_those_of_jax(name):
    stats = pytest.importorskip('jax.scipy.stats')
    module = getattr(stats, name)
    for method in [m for m in dir(module) if not m.startswith('_')]:
        mine = list(inspect.signature(getattr(getattr(ours, name), method)).parameters.items())
        for (a, p), (b, q) in zip(inspect.signature(getattr(module, method)).parameters.items(), mine):
            assert (a == b or a in 'xqp' and b == 'q') and p.default == q.default, (method, a, b)


# --- several variables ----------------------------------------------------------------------------------------------

def test_multivariate_normal():
    rng = onp.random.default_rng(0)
    x, mean = rng.normal(size=(5, 4, 3)), rng.normal(size=3)
    a = rng.normal(size=(3, 3))
    cov = a @ a.T + onp.eye(3)
    logpdf = ours.multivariate_normal.logpdf
    onp.testing.assert_allclose(onp.asarray(logpdf(x, mean, cov)), theirs.multivariate_normal.logpdf(x, mean, cov))
    onp.testing.assert_allclose(onp.asarray(ours.multivariate_normal.pdf(x, mean, cov)),
                                theirs.multivariate_normal.pdf(x, mean, cov))
    onp.testing.assert_allclose(onp.asarray(logpdf(x, mean, onp.float64(2))),
                                theirs.multivariate_normal.logpdf(x, mean, 2.0))
    scalars = map(onp.float64, (.3, 1, 2))
    onp.testing.assert_allclose(float(logpdf(*scalars)), theirs.norm.logpdf(.3, 1, 2 ** .5))
    several = onp.stack([cov, 2 * cov, cov + onp.eye(3), cov])
    expected = onp.stack([theirs.multivariate_normal.logpdf(x[:, i], mean, several[i]) for i in range(4)], 1)
    onp.testing.assert_allclose(onp.asarray(logpdf(x, mean, several)), expected)
    onp.testing.assert_allclose(onp.asarray(lazy.vmap(logpdf, (1, None, 0), 1)(x, mean, several)), expected)
    gradient = onp.asarray(lazy.grad(lambda c: logpdf(x[0, 0], mean, c))(np.asarray(cov)))
    inverse = onp.linalg.inv(cov)
    y = inverse @ (x[0, 0] - mean)
    onp.testing.assert_allclose((gradient + gradient.T) / 2, (onp.outer(y, y) - inverse) / 2, rtol=1e-6, atol=1e-9)
    assert ours.multivariate_normal.rvs(random.key(0), mean, cov, (7,)).shape == (7, 3)


def test_dirichlet_and_multinomial():
    alpha, x = onp.array([.5, 2., 3.]), onp.array([[.2, .1], [.3, .2], [.5, .7]])
    onp.testing.assert_allclose(onp.asarray(ours.dirichlet.logpdf(x, alpha)), theirs.dirichlet.logpdf(x, alpha))
    onp.testing.assert_allclose(onp.asarray(ours.dirichlet.pdf(x[:2], alpha)), theirs.dirichlet.pdf(x[:2], alpha))
    assert float(ours.dirichlet.logpdf(onp.array([.5, .6, -.1]), alpha)) == -INF
    assert ours.dirichlet.rvs(random.key(0), alpha, (7,)).shape == (7, 3)
    p, counts = onp.array([.2, .3, .5]), onp.array([[1, 2, 3], [0, 0, 6], [1, 1, 1]])
    for method in ('logpmf', 'pmf'):
        found = getattr(ours.multinomial, method)(counts, 6, p)
        onp.testing.assert_allclose(onp.asarray(found), getattr(theirs.multinomial, method)(counts, 6, p), atol=1e-15)
    assert ours.multinomial.rvs(random.key(0), 6, p).sum() == 6


@pytest.mark.parametrize('d', [1, 2])
@pytest.mark.parametrize('options', [{}, {'bw_method': 'silverman'}, {'bw_method': 0.3}, {'weights': True},
                                     {'bw_method': lambda kde: 0.5}],
                         ids=['scott', 'silverman', 'number', 'weights', 'function'])
def test_gaussian_kde(d, options):
    rng = onp.random.default_rng(d)
    data, points = rng.normal(size=(d, 30)), rng.normal(size=(d, 7))
    if 'weights' in options:
        options = {'weights': rng.uniform(size=30)}
    mine, other = ours.gaussian_kde(data, **options), theirs.gaussian_kde(data, **options)
    for name in ('pdf', 'logpdf', 'evaluate', '__call__'):
        onp.testing.assert_allclose(onp.asarray(getattr(mine, name)(points)), getattr(other, name)(points), rtol=1e-7)
    onp.testing.assert_allclose(float(mine.neff), other.neff)
    onp.testing.assert_allclose(onp.asarray(mine.covariance), other.covariance)
    mean, cov = rng.normal(size=d), onp.eye(d) * 0.7
    onp.testing.assert_allclose(float(mine.integrate_gaussian(mean, cov)), other.integrate_gaussian(mean, cov))
    second = rng.normal(size=(d, 9))
    onp.testing.assert_allclose(float(mine.integrate_kde(ours.gaussian_kde(second))),
                                other.integrate_kde(theirs.gaussian_kde(second)))
    if d == 1:
        onp.testing.assert_allclose(float(mine.integrate_box_1d(-.5, 1.)), other.integrate_box_1d(-.5, 1.))
    assert mine.resample(random.key(0), (5, 2)).shape == (d, 5, 2)
    found = lazy.jit(lambda kde, x: kde.pdf(x))(mine, points)
    onp.testing.assert_allclose(onp.asarray(found), other.pdf(points), rtol=1e-7)
    assert float(lazy.grad(lambda x: mine.logpdf(x)[0])(np.asarray(points[:, :1])).sum()) != 0


def test_errors():
    kde = ours.gaussian_kde(onp.zeros((2, 5)) + onp.arange(5.0))
    for f, error, text in [
            (lambda: ours.norm.logpdf(), TypeError, 'norm.logpdf.*missing'),
            (lambda: ours.norm.logpdf(1, 2, 3, 4), TypeError, 'norm.logpdf'),
            (lambda: ours.norm.logpdf(1, mu=3), TypeError, 'mu'),
            (lambda: ours.norm.logpdf(1j), TypeError, 'complex'),
            (lambda: ours.norm.logpdf(np.zeros(2), np.zeros(3)), (TypeError, ValueError), 'shape'),
            (lambda: ours.multivariate_normal.logpdf(np.zeros(2), np.zeros(2), np.eye(3)), ValueError, 'covariance'),
            (lambda: ours.dirichlet.logpdf(np.zeros(5), np.ones(3)), ValueError, 'one entry fewer'),
            (lambda: ours.multinomial.logpmf(np.zeros(3), 3, np.ones(3) / 3), ValueError, 'integer'),
            (lambda: ours.gaussian_kde([1.0]), ValueError, 'multiple elements'),
            (lambda: ours.gaussian_kde([1.0, 2.0], 'other'), ValueError, 'bw_method'),
            (lambda: ours.gaussian_kde([1j, 2.0]), NotImplementedError, 'complex'),
            (lambda: kde.pdf(np.zeros((3, 3))), ValueError, 'dimension 3'),
            (lambda: ours.rankdata([1], 'most'), ValueError, 'method'), (lambda: ours.mode([1], 2), ValueError, 'axis'),
            (lambda: ours.mode([1], nan_policy='omit'), NotImplementedError, 'NaN')]:
        with pytest.raises(error, match=text):
            f()


# --- ranks ----------------------------------------------------------------------------------------------------------

VALUES = onp.random.default_rng(0).integers(0, 4, (5, 7)).astype('float32')


@pytest.mark.parametrize('method', ['average', 'min', 'max', 'dense', 'ordinal'])
@pytest.mark.parametrize('axis', [None, 0, 1, -1])
def test_rankdata(method, axis):
    for x in (VALUES, VALUES.astype('int32'), VALUES[:1], onp.where(VALUES[:, :3] == 3, NAN, VALUES[:, :3])):
        found, expected = (module.rankdata(x, method, axis=axis) for module in (ours, theirs))
        onp.testing.assert_array_equal(onp.asarray(found), expected)
    assert lazy.jit(lambda x: ours.rankdata(x, method))(VALUES).tolist() == ours.rankdata(VALUES, method).tolist()
    assert ours.rankdata([], method).shape == (0,)


@pytest.mark.filterwarnings('ignore:After omitting NaNs')
@pytest.mark.parametrize('axis', [None, 0, 1])
@pytest.mark.parametrize('keepdims', [False, True])
def test_mode_and_sem(axis, keepdims):
    for x in (VALUES, VALUES.astype('int32'), VALUES[:1]):
        found, expected = ours.mode(x, axis, keepdims=keepdims), theirs.mode(x, axis, keepdims=keepdims)
        onp.testing.assert_array_equal(onp.asarray(found.mode), expected.mode)
        onp.testing.assert_array_equal(onp.asarray(found.count), expected.count)
    holes = onp.where(VALUES == 3, NAN, VALUES)
    onp.testing.assert_allclose(onp.asarray(ours.sem(VALUES, axis, keepdims=keepdims)),
                                theirs.sem(VALUES, axis, keepdims=keepdims), rtol=1e-5)
    found, expected = (onp.asarray(module.sem(holes, axis, 1, 'omit')) for module in (ours, theirs))
    onp.testing.assert_allclose(found, expected, rtol=1e-5)
