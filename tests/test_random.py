"""Random numbers: bits as JAX's, distributions by their statistics, keys under every transformation."""
import hashlib
import pickle

import numpy as onp
import pytest
from scipy import stats

import lazy
import lazy.numpy as np
from lazy import evaluate, random
from lazy.array import wrap
from lazy.ir import build, ops

MATRIX = onp.arange(24, dtype='float32').reshape(4, 6)
WEIGHTS = onp.array([.1, .2, .3, .4], 'float32')
LOGITS = onp.cos(onp.arange(105)).astype('float32').reshape(3, 5, 7)
MEAN, COVARIANCE = onp.array([1., -1.], 'float32'), onp.array([[2., .5], [.5, 1.]], 'float32')

CASES = {
    'key': lambda R: R.key_data(R.key(1234567)),
    'key_negative': lambda R: R.key_data(R.key(-1)),
    'split': lambda R: R.key_data(R.split(R.key(42), 7)),
    'split_shape': lambda R: R.key_data(R.split(R.key(42), (2, 3))),
    'fold_in': lambda R: R.key_data(R.fold_in(R.key(42), 99)),
    'bits8': lambda R: R.bits(R.key(42), (3, 50), 'uint8'),
    'bits16': lambda R: R.bits(R.key(42), (3, 50), 'uint16'),
    'bits32': lambda R: R.bits(R.key(42), (3, 50), 'uint32'),
    'bits_scalar': lambda R: R.bits(R.key(42)),
    'uniform16': lambda R: R.uniform(R.key(42), (1000,), 'float16'),
    'uniform_bfloat16': lambda R: R.uniform(R.key(42), (1000,), 'bfloat16', -3.25, 7.5),
    'uniform32': lambda R: R.uniform(R.key(42), (10, 100), 'float32'),
    'uniform_range': lambda R: R.uniform(R.key(42), (1000,), 'float32', -3.3, 7.1),
    'normal16': lambda R: R.normal(R.key(42), (1000,), 'float16'),
    'normal32': lambda R: R.normal(R.key(42), (100, 1000), 'float32'),
    'normal_raw_key': lambda R: R.normal(R.PRNGKey(3), (1000,)),
    'randint': lambda R: R.randint(R.key(42), (1000,), 0, 10),
    'randint_wide': lambda R: R.randint(R.key(42), (1000,), -2 ** 31, 2 ** 31 - 1),
    'randint_uint8': lambda R: R.randint(R.key(42), (1000,), 0, 256, 'uint8'),
    'randint_int8': lambda R: R.randint(R.key(42), (1000,), -128, 100, 'int8'),
    'randint_uint32': lambda R: R.randint(R.key(42), (1000,), 5, 2 ** 31 - 1, 'uint32'),
    'randint_empty': lambda R: R.randint(R.key(42), (10,), 5, 2),
    'permutation': lambda R: R.permutation(R.key(42), 1000),
    'permutation_rounds': lambda R: R.permutation(R.key(42), 3000),
    'permutation_axis': lambda R: R.permutation(R.key(42), MATRIX, 1),
    'permutation_independent': lambda R: R.permutation(R.key(42), MATRIX, 1, True),
    'bernoulli': lambda R: R.bernoulli(R.key(42), 0.3, (1000,)),
    'bernoulli_high': lambda R: R.bernoulli(R.key(42), 0.3, (1000,), mode='high'),
    'choice': lambda R: R.choice(R.key(42), 10, (20,)),
    'choice_axis': lambda R: R.choice(R.key(42), MATRIX, (2, 3), axis=1),
    'choice_once': lambda R: R.choice(R.key(42), 10, (5,), False),
    'choice_once_axis': lambda R: R.choice(R.key(42), MATRIX, (2, 2), False, axis=1),
    'choice_weighted': lambda R: R.choice(R.key(42), 4, (50,), p=WEIGHTS),
    'choice_weighted_once': lambda R: R.choice(R.key(42), 4, (3,), False, p=WEIGHTS),
    'categorical': lambda R: R.categorical(R.key(42), LOGITS),
    'categorical_shape': lambda R: R.categorical(R.key(42), LOGITS, axis=1, shape=(4, 3, 7)),
    'categorical_once': lambda R: R.categorical(R.key(42), LOGITS, axis=1, shape=(4, 3, 7), replace=False),
    'rademacher': lambda R: R.rademacher(R.key(42), (1000,)),
    'geometric': lambda R: R.geometric(R.key(42), 0.2, (100,)),
}
# Begin of the SHA-256 of the bytes that JAX 0.10.2 gives on a CPU.
EXPECTED = {
    'key': 'd81f9064269a12c9',
    'key_negative': '5981693c8df83eea',
    'split': '05c2ac3af1a1bbca',
    'split_shape': '9e95f196719de71b',
    'fold_in': '4d0b103257749e17',
    'bits8': '4f80443e33053cda',
    'bits16': '63e092680f3eb2bb',
    'bits32': 'ed13c9dbc31a8c0d',
    'bits_scalar': '0663fcf4cd439a92',
    'uniform16': 'af537c66d332c2da',
    'uniform_bfloat16': '0478ecbe35006e17',
    'uniform32': '1d1ee8bc4a3d7707',
    'uniform_range': 'ac82f3f1166fb5a7',
    'normal16': '96e1786d9be324f1',
    'normal32': '9f08dc3faf6cd365',
    'normal_raw_key': 'c760a20cfb8c3c0a',
    'randint': 'f70af1d6afeb287a',
    'randint_wide': '7400d6e14155e4dc',
    'randint_uint8': '7871915f01321ac2',
    'randint_int8': '86fab5f63506f97d',
    'randint_uint32': '8c796a950bec827a',
    'randint_empty': '14c3647e6bb009f0',
    'permutation': 'aad600d8bdc4874f',
    'permutation_rounds': '5b58db841e113c2b',
    'permutation_axis': 'f89068caea04b214',
    'permutation_independent': 'e794d4cc41d33d19',
    'bernoulli': '608db2a39f151e03',
    'bernoulli_high': '608db2a39f151e03',
    'choice': '54fb8be29952690c',
    'choice_axis': '3ce65eb426a04847',
    'choice_once': '038067aecfcd3939',
    'choice_once_axis': 'b5e7e1614193dae8',
    'choice_weighted': '1d401a411fcf14d6',
    'choice_weighted_once': '9413299b9d7b8a24',
    'categorical': '716421a7a3bdd433',
    'categorical_shape': 'a9b03d55cb427a82',
    'categorical_once': 'aae1c9e8c1545e36',
    'rademacher': '0a2b4e34fa4fbecd',
    'geometric': '0dea93426fe9be9d',
}

WIDE_CASES = {
    'key': lambda R: R.key_data(R.key(2 ** 40 + 5)),
    'bits64': lambda R: R.bits(R.key(42), (3, 50)),
    'uniform64': lambda R: R.uniform(R.key(42), (1000,)),
    'uniform64_range': lambda R: R.uniform(R.key(42), (1000,), minval=-3.3, maxval=7.1),
    'randint64': lambda R: R.randint(R.key(42), (1000,), -2 ** 62, 2 ** 63 - 1),
    'permutation64': lambda R: R.permutation(R.key(42), 100),
}
# The same with 64-bit default types.
WIDE = {
    'key': '8076970a7e5a672e',
    'bits64': '2eb2c0b0c2d72670',
    'uniform64': 'ad3253bf5bd8c071',
    'uniform64_range': 'cfebaa98e7c3a174',
    'randint64': '89d1a6786c7d2416',
    'permutation64': 'eed1e3c8485c2548',
}

CLOSE = {
    'normal': lambda R: R.normal(R.key(0), (3,)),
    'complex': lambda R: R.normal(R.key(0), (3,), 'complex64'),
    'truncated_normal': lambda R: R.truncated_normal(R.key(0), -1., 2., (3,)),
    'gumbel': lambda R: R.gumbel(R.key(0), (3,)),
    'gumbel_high': lambda R: R.gumbel(R.key(0), (3,), mode='high'),
    'exponential': lambda R: R.exponential(R.key(0), (3,)),
    'cauchy': lambda R: R.cauchy(R.key(0), (3,)),
    'laplace': lambda R: R.laplace(R.key(0), (3,)),
    'logistic': lambda R: R.logistic(R.key(0), (3,)),
    'maxwell': lambda R: R.maxwell(R.key(0), (3,)),
    'double_sided_maxwell': lambda R: R.double_sided_maxwell(R.key(0), 1., 2., (3,)),
    'weibull_min': lambda R: R.weibull_min(R.key(0), 1.5, 2., (3,)),
    'pareto': lambda R: R.pareto(R.key(0), 3., (3,)),
    'rayleigh': lambda R: R.rayleigh(R.key(0), onp.float32(2.), (3,)),
    'wald': lambda R: R.wald(R.key(0), onp.float32(2.), (3,)),
    'triangular': lambda R: R.triangular(R.key(0), -1., 0., 3., (3,)),
    'lognormal': lambda R: R.lognormal(R.key(0), 0.5, (3,)),
    'multivariate_normal': lambda R: R.multivariate_normal(R.key(0), MEAN, COVARIANCE, (2,)),
    'orthogonal': lambda R: R.orthogonal(R.key(0), 3)[0],
}
# What JAX 0.10.2 gives.
VALUES = {
    'normal': [1.622642159461975, 2.0252647399902344, -0.4335944354534149],
    'complex': [0.7099452614784241 - 1.7270770072937012j, -0.6408771872520447 - 1.4394434690475464j,
                -0.5290376543998718 + 0.14534172415733337j],
    'truncated_normal': [1.5094677209854126, 1.747393012046814, -0.1746756136417389],
    'gumbel': [2.923372507095337, 3.83261775970459, -0.09689324349164963],
    'gumbel_high': [-1.0818486213684082, -1.3463637828826904, 0.9065790176391602],
    'exponential': [2.9501280784606934, 3.8434245586395264, 0.4039035439491272],
    'cauchy': [6.027494430541992, 14.837895393371582, -0.5817222595214844],
    'laplace': [-2.256981611251831, -3.1502788066864014, 0.4085954427719116],
    'logistic': [2.896375894546509, 3.8217716217041016, -0.6978392004966736],
    'maxwell': [2.631096601486206, 0.9910328388214111, 0.9649305939674377],
    'double_sided_maxwell': [4.091442108154297, 4.148255348205566, -3.1650609970092773],
    'weibull_min': [2.576390504837036, 2.9406981468200684, 0.9533010721206665],
    'pareto': [2.673466682434082, 3.600747585296631, 1.1441185474395752],
    'rayleigh': [0.6557566523551941, 0.41620054841041565, 2.9688284397125244],
    'wald': [0.5334219932556152, 0.5981154441833496, 0.7254838943481445],
    'triangular': [2.20753812789917, 2.4930074214935303, 0.16936349868774414],
    'lognormal': [2.2508795261383057, 2.752837896347046, 0.8050932288169861],
    'multivariate_normal': [[3.29476261138916, 1.4681522846221924], [0.38680487871170044, -1.2268385887145996]],
    'orthogonal': [0.9554101228713989, 0.2941357493400574, 0.02599557861685753],
}


def digest(array):
    return hashlib.sha256(onp.ascontiguousarray(array).tobytes()).hexdigest()[:16]


@pytest.fixture(params=['native', 'numpy'])
def target(request):
    before = lazy.config.target
    lazy.config.update('target', request.param)
    evaluate.programs.clear()
    yield request.param
    lazy.config.update('target', before)
    evaluate.programs.clear()


@pytest.fixture
def wide():
    lazy.config.update('enable_x64', True)
    yield
    lazy.config.update('enable_x64', False)


@pytest.mark.parametrize('name', CASES)
def test_bits_are_those_of_jax(name, target):
    assert digest(CASES[name](random)) == EXPECTED[name]


@pytest.mark.parametrize('name', WIDE_CASES)
def test_bits_with_64_bit_defaults(name, target, wide):
    assert digest(WIDE_CASES[name](random)) == WIDE[name]


@pytest.mark.parametrize('name', CLOSE)
def test_numbers_are_those_of_jax(name, target):
    onp.testing.assert_allclose(onp.asarray(CLOSE[name](random)), VALUES[name], rtol=2e-5, atol=1e-5)


# --- distributions ------------------------------------------------------------------------------------------------

N = 20_000
DISTRIBUTIONS = {
    'uniform': (lambda k: random.uniform(k, (N,), minval=-1., maxval=3.), stats.uniform(-1, 4)),
    'uniform64': (lambda k: random.uniform(k, (N,), 'float64'), stats.uniform()),
    'normal': (lambda k: random.normal(k, (N,)), stats.norm()),
    'normal64': (lambda k: random.normal(k, (N,), 'float64'), stats.norm()),
    'truncated_normal': (lambda k: random.truncated_normal(k, -1., 2., (N,)), stats.truncnorm(-1, 2)),
    'exponential': (lambda k: random.exponential(k, (N,)), stats.expon()),
    'gumbel': (lambda k: random.gumbel(k, (N,)), stats.gumbel_r()),
    'gumbel_high': (lambda k: random.gumbel(k, (N,), mode='high'), stats.gumbel_r()),
    'cauchy': (lambda k: random.cauchy(k, (N,)), stats.cauchy()),
    'laplace': (lambda k: random.laplace(k, (N,)), stats.laplace()),
    'logistic': (lambda k: random.logistic(k, (N,)), stats.logistic()),
    'maxwell': (lambda k: random.maxwell(k, (N,)), stats.maxwell()),
    'weibull_min': (lambda k: random.weibull_min(k, 1.5, 2., (N,)), stats.weibull_min(2, scale=1.5)),
    'pareto': (lambda k: random.pareto(k, 3., (N,)), stats.pareto(3)),
    'rayleigh': (lambda k: random.rayleigh(k, 2., (N,)), stats.rayleigh(scale=2)),
    'wald': (lambda k: random.wald(k, 2., (N,)), stats.invgauss(2)),
    'triangular': (lambda k: random.triangular(k, -1., 0., 3., (N,)), stats.triang(0.25, -1, 4)),
    'lognormal': (lambda k: random.lognormal(k, 0.5, (N,)), stats.lognorm(0.5)),
}


@pytest.mark.parametrize('name', DISTRIBUTIONS)
def test_distribution(name):
    draw, expected = DISTRIBUTIONS[name]
    assert stats.kstest(onp.asarray(draw(random.key(7)), 'float64'), expected.cdf).pvalue > 1e-3


COUNTS = {
    'randint': (lambda k: random.randint(k, (N,), 0, 6), onp.full(6, 1 / 6)),
    'choice': (lambda k: random.choice(k, 4, (N,), p=WEIGHTS), WEIGHTS),
    'categorical': (lambda k: random.categorical(k, np.log(np.asarray(WEIGHTS)), shape=(N,)), WEIGHTS),
    'bernoulli': (lambda k: random.bernoulli(k, 0.3, (N,)).astype(int), [.7, .3]),
    'geometric': (lambda k: np.minimum(random.geometric(k, 0.5, (N,)), 5) - 1, [1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 16]),
}


@pytest.mark.parametrize('name', COUNTS)
def test_counts(name):
    draw, probabilities = COUNTS[name]
    found = onp.bincount(onp.asarray(draw(random.key(5))), minlength=len(probabilities))
    expected = onp.asarray(probabilities, 'float64')
    assert stats.chisquare(found, expected / expected.sum() * N).pvalue > 1e-3


def test_multivariate_normal_has_its_covariance():
    x = onp.asarray(random.multivariate_normal(random.key(3), MEAN, COVARIANCE, (50_000,)))
    onp.testing.assert_allclose(x.mean(0), MEAN, atol=0.03)
    onp.testing.assert_allclose(onp.cov(x.T), COVARIANCE, atol=0.05)


def test_permutation_is_one_and_uniform():
    orders = [tuple(random.permutation(random.fold_in(random.key(0), i), 3).tolist()) for i in range(600)]
    assert set(orders) == {(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)}
    assert stats.chisquare([orders.count(o) for o in set(orders)]).pvalue > 1e-3
    assert sorted(random.permutation(random.key(0), 1000).tolist()) == list(range(1000))


def test_words_of_neighbouring_keys_are_independent():
    x = onp.asarray(lazy.vmap(lambda k: random.normal(k, (500,)))(random.split(random.key(0), 20)))
    assert onp.abs(onp.corrcoef(x) - onp.eye(20)).max() < 0.25


# --- keys ---------------------------------------------------------------------------------------------------------

def test_key_array_looks_like_an_array():
    keys = random.split(random.key(0), (2, 3))
    assert keys.shape == (2, 3) and keys.ndim == 2 and keys.size == 6 and str(keys.dtype) == 'key<fry>' \
        and len(keys) == 2
    assert keys[1].shape == (3,) and keys[1, 2].shape == () and keys[..., 0].shape == (2,) \
        and keys[:, 1:].shape == (2, 2)
    assert keys.reshape(3, 2).shape == keys.reshape((3, -1)).shape == keys.T.shape == (3, 2)
    assert keys.flatten().shape == (6,) and keys[None].squeeze(0).shape == (2, 3)
    assert [k.shape for k in keys] == [(3,), (3,)]
    a, b = random.split(random.key(0))
    assert bool(a == a) and bool(a != b) and not bool(a == b)
    assert random.key_data(pickle.loads(pickle.dumps(a))).tolist() == random.key_data(a).tolist()
    assert lazy.dtypes.issubdtype(keys.dtype, lazy.dtypes.prng_key) and 'key<fry>' in repr(a)


def test_raw_keys_are_accepted_everywhere():
    raw, typed = random.PRNGKey(4), random.key(4)
    assert raw.dtype == onp.uint32 and raw.shape == (2,)
    assert random.normal(raw, (3,)).tolist() == random.normal(typed, (3,)).tolist()
    assert random.normal(onp.asarray(raw), (3,)).tolist() == random.normal(typed, (3,)).tolist()
    assert random.split(raw, 3).tolist() == random.key_data(random.split(typed, 3)).tolist()
    assert random.key_impl(raw) == random.key_impl(typed) == 'threefry2x32'
    assert bool(random.wrap_key_data(raw) == typed) and random.clone(raw) is raw


def test_keys_under_transformations():
    key = random.key(1)
    assert bool(lazy.jit(lambda k: random.split(k)[0])(key) == random.split(key)[0])
    keys = random.split(key, 3)
    assert bool((lazy.vmap(lambda k: random.fold_in(k, 2))(keys)
                 == lazy.jit(lazy.vmap(lambda k: random.fold_in(k, 2)))(keys)).all())
    by_hand = np.stack([random.uniform(k, (4,)) for k in keys])
    assert lazy.vmap(lambda k: random.uniform(k, (4,)))(keys).tolist() == by_hand.tolist()
    assert lazy.vmap(random.randint, (0, None, None, None))(keys, (2,), 0, 9).tolist() == \
        [random.randint(k, (2,), 0, 9).tolist() for k in keys]
    assert lazy.vmap(lambda s: random.key_data(random.key(s)))(np.arange(2)).tolist() == [[0, 0], [0, 1]]
    gradient = lazy.grad(lambda x, k: (x * random.normal(k, (3,))).sum())(2.0, key)
    onp.testing.assert_allclose(float(gradient), float(random.normal(key, (3,)).sum()), rtol=1e-6)
    scale = lazy.grad(lambda b: random.truncated_normal(key, -b, b, (100,)).mean())(1.0)
    assert onp.isfinite(float(scale))


def test_keys_in_trees():
    key = random.key(1)
    params = {'a': np.zeros(2), 'b': (np.zeros(3),)}
    treedef = lazy.tree.structure(params)
    keys = lazy.tree.unflatten(treedef, list(random.split(key, treedef.num_leaves)))
    noise = lazy.tree.map(lambda k, p: random.normal(k, p.shape), keys, params)
    assert noise['b'][0].tolist() == random.normal(random.split(key)[1], (3,)).tolist()
    both = lazy.jit(lambda tree: lazy.tree.map(lambda k: random.split(k)[0], tree))(keys)
    assert bool(both['a'] == random.split(keys['a'])[0])


def test_a_size_or_seed_that_changes_draws_the_same_prefix():
    key = random.key(9)
    assert random.bits(key, (10,)).tolist() == random.bits(key, (4, 25)).ravel()[:10].tolist()


def test_laziness():
    evaluate.flush()                                                   # what other tests left isn't added to
    x = random.normal(random.key(0), (100, 100))
    assert x.shape == (100, 100) and not x.is_ready()
    assert onp.isfinite(onp.asarray(x)).all()
    assert random.normal(random.key(0), (0, 3)).shape == (0, 3) and random.bits(random.key(0), (0,)).tolist() == []


ERRORS = [
    (lambda: random.key(onp.arange(2)), TypeError, 'scalar seed'),
    (lambda: random.key(1.5), TypeError, 'integer'),
    (lambda: random.key(np.array(1.5)), TypeError, 'integer'),
    (lambda: random.key(random.key(0)), TypeError, 'given a PRNG key'),
    (lambda: random.key(0, impl='rbg2'), ValueError, 'unrecognized PRNG implementation'),
    (lambda: random.PRNGKey(0, impl='philox4x32'), ValueError, 'raw keys'),
    (lambda: random.normal(random.split(random.key(0)), (2,)), ValueError, 'accepts a single key'),
    (lambda: random.normal(3, (2,)), TypeError, 'lazy.random.key'),
    (lambda: random.normal(np.zeros(2), (2,)), TypeError, 'uint32'),
    (lambda: random.normal(random.key(0), (2,), int), ValueError, 'float or complex'),
    (lambda: random.normal(random.key(0), (-1,)), ValueError, 'non-negative'),
    (lambda: random.uniform(random.key(0), (2,), 'int32'), ValueError, 'float dtype'),
    (lambda: random.uniform(random.key(0), (2,), minval=np.zeros(3)), ValueError, 'broadcast'),
    (lambda: random.bits(random.key(0), (2,), 'int32'), ValueError, 'unsigned'),
    (lambda: random.randint(random.key(0), (2,), 0, 5, float), TypeError, 'integer dtypes'),
    (lambda: random.bernoulli(random.key(0), 1), TypeError, 'floating'),
    (lambda: random.choice(random.key(0), 3, (4,), replace=False), ValueError, 'larger sample'),
    (lambda: random.choice(random.key(0), 0, (4,)), ValueError, 'greater than 0'),
    (lambda: random.choice(random.key(0), 3, (4,), p=WEIGHTS), ValueError, 'same size'),
    (lambda: random.categorical(random.key(0), LOGITS, shape=(2,)), ValueError, 'shape'),
    (lambda: random.permutation(random.key(0), 2.5), TypeError, 'integer'),
    (lambda: random.fold_in(random.key(0), np.arange(2)), TypeError, 'scalar'),
    (lambda: onp.asarray(random.key(0)), TypeError, 'key_data'),
    (lambda: len(random.key(0)), TypeError, 'single key'),
    (lambda: random.multivariate_normal(random.key(0), MEAN, COVARIANCE, method='qr'), ValueError, 'method'),
]


@pytest.mark.parametrize('call, error, text', ERRORS, ids=[text for _, _, text in ERRORS])
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()


# --- the other generator -------------------------------------------------------------------------------------------

def test_philox_known_answers(target):
    """Those of Random123 for philox4x32 with 10 rounds, word by word."""
    known = [((0,) * 2, (0,) * 4, (0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8)),
             ((0xffffffff,) * 2, (0xffffffff,) * 4, (0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd)),
             ((0xa4093822, 0x299f31d0), (0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344),
              (0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1))]
    words = [np.asarray(onp.array(w, 'uint32')) for w in zip(*[key + counter for key, counter, _ in known])]
    for i in range(4):
        found = wrap(build.make(ops.philox4x32, [w._node for w in words], (i,)))
        assert found.tolist() == [answer[i] for *_, answer in known]


def test_philox_keys(target):
    key = random.key(5, impl='philox4x32')
    assert str(key.dtype) == 'key<philox>' and random.key_impl(key) == 'philox4x32' \
        and random.key_data(key).tolist() == [0, 5]
    place, zero = onp.arange(6, dtype='uint32'), onp.zeros(6, 'uint32')
    words = [ops.philox4x32.numpy(zero, zero + onp.uint32(5), place, zero, zero, zero, i) for i in (0, 1)]
    assert random.bits(key, (6,)).tolist() == (words[0] ^ words[1]).tolist()
    assert random.key_data(random.split(key, 6)).tolist() == onp.stack(words, 1).tolist()
    a, b = random.split(key)
    assert a.dtype == key.dtype and random.fold_in(a, 3).dtype == key.dtype and a.dtype != random.key(0).dtype
    assert random.bits(a, (100,)).tolist() != random.bits(b, (100,)).tolist()
    assert random.bits(a, (4, 3)).tolist() == random.bits(a, (12,)).reshape(4, 3).tolist()
    assert lazy.jit(random.normal)(a).tolist() == random.normal(a).tolist()
    batched = lazy.vmap(lambda k: random.bits(k, (2,)))(random.split(key, 3))
    assert batched.tolist() == [random.bits(k, (2,)).tolist() for k in random.split(key, 3)]


@pytest.mark.parametrize('draw, expected', [
    (lambda k: random.uniform(k, (N,)), stats.uniform()), (lambda k: random.normal(k, (N,)), stats.norm()),
    (lambda k: random.normal(k, (N,), 'float64'), stats.norm()),
    (lambda k: random.gamma(k, 0.7, (N,)), stats.gamma(0.7)),
    (lambda k: random.permutation(k, N) + random.uniform(random.fold_in(k, 1), (N,)), stats.uniform(0, N)),
], ids=['uniform', 'normal', 'normal64', 'gamma', 'permutation'])
def test_philox_distributions(draw, expected):
    x = onp.asarray(draw(random.key(1, impl='philox4x32')), 'float64')
    assert stats.kstest(x, expected.cdf).pvalue > 1e-3
    assert abs(onp.corrcoef(x[1:], x[:-1])[0, 1]) < 0.03


def test_key_reuse():
    config = lazy.config
    key = random.key(0)
    random.bits(key), random.bits(key)                                 # nothing is noted while the setting is off
    config.update('debug_key_reuse', True)
    try:
        a, b = random.split(key)
        assert random.clone(a).shape == random.normal(random.fold_in(a, 1)).shape == random.normal(a).shape == ()
        for again in (random.split, random.normal, lambda k: random.choice(k, 5, (3,)),
                      lambda k: random.poisson(k, 2.0)):
            with pytest.raises(lazy.errors.KeyReuseError, match=r'normal at .*test_random.py:\d+.*lazy.random.split'):
                again(a)
        assert random.normal(random.clone(a)).tolist() == random.normal(random.clone(a)).tolist()
        random.choice(b, 5, (3,)), random.choice(random.clone(b), 5, (3,), replace=False)
        with pytest.raises(lazy.errors.KeyReuseError):
            lazy.jit(lambda k: random.normal(k) + random.uniform(k))(random.key(1))
        raw = random.PRNGKey(0)
        assert random.bits(raw).tolist() == random.bits(raw).tolist()
        lazy.vmap(lambda k: random.gamma(k, 2.0))(random.split(random.key(3), 4))
    finally:
        config.update('debug_key_reuse', False)
