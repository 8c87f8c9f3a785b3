"""lazy.nn against formulas in NumPy with float64, and against values of JAX for attention and initializers."""
import functools
import math

import ml_dtypes
import numpy as onp
import pytest
from scipy import special

import lazy
import lazy.numpy as np
from lazy import nn

X = onp.linspace(-7, 7, 57).reshape(3, 19)               # contains 0, where several have a corner
sigmoid = special.expit
ACTIVATIONS = {
    'relu': lambda x: onp.maximum(x, 0),
    'relu6': lambda x: onp.clip(x, 0, 6),
    'sigmoid': sigmoid,
    'tanh': onp.tanh,
    'softplus': lambda x: onp.logaddexp(x, 0),
    'soft_sign': lambda x: x / (1 + onp.abs(x)),
    'silu': lambda x: x * sigmoid(x),
    'swish': lambda x: x * sigmoid(x),
    'mish': lambda x: x * onp.tanh(onp.logaddexp(x, 0)),
    'log_sigmoid': lambda x: -onp.logaddexp(-x, 0),
    'elu': lambda x: onp.where(x > 0, x, onp.expm1(x)),
    'celu': lambda x: onp.where(x > 0, x, onp.expm1(x)),
    'selu': lambda x: 1.0507009873554805 * onp.where(x > 0, x, 1.6732632423543772 * onp.expm1(x)),
    'leaky_relu': lambda x: onp.where(x >= 0, x, 0.01 * x),
    'gelu': lambda x: x / 2 * (1 + onp.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3))),
    'hard_tanh': lambda x: onp.clip(x, -1, 1),
    'hard_sigmoid': lambda x: onp.clip(x + 3, 0, 6) / 6,
    'hard_silu': lambda x: x * onp.clip(x + 3, 0, 6) / 6,
    'hard_swish': lambda x: x * onp.clip(x + 3, 0, 6) / 6,
    'squareplus': lambda x: (x + onp.sqrt(x * x + 4)) / 2,
    'sparse_plus': lambda x: onp.where(x <= -1, 0, onp.where(x >= 1, x, (x + 1) ** 2 / 4)),
    'sparse_sigmoid': lambda x: onp.clip(x + 1, 0, 2) / 2,
    'identity': lambda x: x,
}


@pytest.mark.parametrize('name', ACTIVATIONS)
def test_activation(name):
    f, expected = getattr(nn, name), ACTIVATIONS[name]
    onp.testing.assert_allclose(onp.asarray(f(X)), expected(X), rtol=1e-12, atol=1e-13)
    for dtype, tolerance in (('float32', 2e-6), ('bfloat16', 3e-2), ('float16', 4e-3)):
        y = f(np.asarray(X, dtype))
        assert y.dtype == np.dtype(dtype) and y.shape == X.shape
        reference = expected(onp.asarray(np.asarray(X, dtype)).astype('float64'))
        onp.testing.assert_allclose(onp.asarray(y).astype('float64'), reference, rtol=tolerance, atol=tolerance)
    assert lazy.jit(f)(X).dtype == onp.float64


@pytest.mark.parametrize('name', ACTIVATIONS)
def test_activation_gradient(name):
    f, expected = getattr(nn, name), ACTIVATIONS[name]
    x = X.ravel() + 0.013                                  # beside the corners
    found = onp.asarray(lazy.vmap(lazy.grad(f))(x))
    numeric = (expected(x + 1e-6) - expected(x - 1e-6)) / 2e-6
    onp.testing.assert_allclose(found, numeric, rtol=1e-6, atol=1e-7)
    second = onp.asarray(lazy.vmap(lazy.grad(lazy.grad(f)))(x))
    assert onp.isfinite(second).all()


def test_corners():
    assert float(lazy.grad(nn.relu)(0.0)) == 0.0 and float(lazy.grad(nn.relu)(1.0)) == 1.0
    assert float(lazy.grad(nn.relu6)(6.0)) == 0.0 and float(lazy.grad(nn.relu6)(0.0)) == 0.0
    assert onp.isnan(float(nn.relu(onp.nan)))
    assert nn.relu(np.array([-1, 2])).tolist() == [0, 2] and nn.relu(np.array([-1, 2])).dtype == onp.int32
    assert float(nn.softplus(1000.)) == 1000.0 and float(nn.log_sigmoid(-1000.)) == -1000.0
    onp.testing.assert_allclose(onp.asarray(lazy.vmap(lazy.grad(nn.elu))(np.array([-100., 100.]))), [0, 1], atol=1e-30)
    assert nn.gelu(np.array([1, 2])).dtype == onp.float32


def test_gelu_exact_glu_and_log1mexp():
    expected = X * special.ndtr(X)
    onp.testing.assert_allclose(onp.asarray(nn.gelu(X, approximate=False)), expected, rtol=1e-12, atol=1e-14)
    y = onp.concatenate([X, X[::-1]], 1)
    onp.testing.assert_allclose(onp.asarray(nn.glu(y)), X * sigmoid(X[::-1]), rtol=1e-12)
    with pytest.raises(ValueError, match='even'):
        nn.glu(X)
    x = onp.array([1e-10, 0.1, 0.7, 3., 50.])
    expected = onp.where(x < 0.7, onp.log(-onp.expm1(-x)), onp.log1p(-onp.exp(-x)))
    onp.testing.assert_allclose(onp.asarray(nn.log1mexp(x)), expected, rtol=1e-12)
    onp.testing.assert_allclose(onp.asarray(lazy.vmap(lazy.grad(nn.log1mexp))(x)), 1 / onp.expm1(x), rtol=1e-10)


# --- whole axes ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('axis', [-1, 0, (0, 1)])
@pytest.mark.parametrize('masked', [False, True])
def test_softmax_and_relatives(axis, masked):
    where = (onp.arange(57).reshape(3, 19) % 4 > 0) if masked else None
    x = X if where is None else onp.where(where, X, -onp.inf)
    expected = special.softmax(x, axis)
    onp.testing.assert_allclose(onp.asarray(nn.softmax(X, axis, where=where)), expected, rtol=1e-12)
    onp.testing.assert_allclose(onp.asarray(nn.log_softmax(X, axis, where=where)), special.log_softmax(x, axis),
                                rtol=1e-12)
    onp.testing.assert_allclose(onp.asarray(nn.logsumexp(X, axis, where=where)), special.logsumexp(x, axis), rtol=1e-12)
    count = onp.sum(onp.ones_like(X), axis, where=True if where is None else where)
    onp.testing.assert_allclose(onp.asarray(nn.logmeanexp(X, axis, where=where)), special.logsumexp(x, axis)
                                - onp.log(count), rtol=1e-12)
    w = onp.cos(onp.arange(57.)).reshape(3, 19)
    found = onp.asarray(lazy.grad(lambda x: (nn.softmax(x, axis, where=where) * w).sum())(X))
    onp.testing.assert_allclose(found, expected * (w - onp.sum(w * expected, axis, keepdims=True)), rtol=1e-9,
                                atol=1e-14)


def test_softmax_is_stable():
    big = np.array([1e4, 1e4 + 1, -1e4])
    onp.testing.assert_allclose(onp.asarray(nn.softmax(big)), special.softmax([0, 1, -2e4]), rtol=1e-6)
    onp.testing.assert_allclose(onp.asarray(nn.log_softmax(big)), special.log_softmax([0., 1., -2e4]), rtol=1e-6)
    gradient = lazy.grad(lambda x: nn.log_softmax(x)[0])(big)
    assert onp.isfinite(onp.asarray(gradient)).all()
    assert onp.isfinite(onp.asarray(lazy.hessian(nn.logsumexp)(big))).all()


def test_logsumexp():
    x, b = onp.array([1., 2., -onp.inf]), onp.array([1., -1., 0.])
    value, sign = nn.logsumexp(x, b=b, return_sign=True)
    onp.testing.assert_allclose(float(value), onp.log(onp.e ** 2 - onp.e), rtol=1e-12)
    assert float(sign) == -1 and onp.isnan(float(nn.logsumexp(x, b=b)))
    assert float(nn.logsumexp(np.full(3, -np.inf))) == -onp.inf \
        and float(nn.logsumexp(np.array([onp.inf, 1.]))) == onp.inf
    assert nn.logsumexp(X, axis=0, keepdims=True).shape == (1, 19)
    assert float(nn.logsumexp(np.zeros((0,)))) == -onp.inf
    assert nn.softmax(np.zeros((2, 0))).shape == (2, 0)


def test_standardize():
    for algorithm in ('fast', 'stable'):
        y = onp.asarray(nn.standardize(X, algorithm=algorithm))
        onp.testing.assert_allclose(y.mean(-1), 0, atol=1e-12)
        onp.testing.assert_allclose(y.var(-1), X.var(-1) / (X.var(-1) + 1e-5), rtol=1e-10)
    where = onp.arange(57).reshape(3, 19) % 2 == 0
    y = onp.asarray(nn.standardize(X, where=where))
    onp.testing.assert_allclose(onp.mean(y, -1, where=where), 0, atol=1e-12)
    with pytest.raises(ValueError, match='algorithm'):
        nn.standardize(X, algorithm='quick')


def test_one_hot():
    labels = np.array([[0, 2], [1, 7]])
    assert nn.one_hot(labels, 3).tolist() == [[[1, 0, 0], [0, 0, 1]], [[0, 1, 0], [0, 0, 0]]]
    assert nn.one_hot(labels, 3, axis=0).shape == (3, 2, 2) and nn.one_hot(labels, 3).dtype == onp.float32
    assert nn.one_hot(labels, 3, dtype=bool).dtype == onp.bool_ and nn.one_hot(1, 3).tolist() == [0, 1, 0]
    assert lazy.vmap(lambda i: nn.one_hot(i, 3))(np.arange(3)).tolist() == onp.eye(3).tolist()
    with pytest.raises(ValueError, match='axis'):
        nn.one_hot(labels, 3, axis=4)


# --- attention ----------------------------------------------------------------------------------------------------

def attention(q, k, v, bias=0., mask=True, scale=None):
    """In NumPy: one head at a time."""
    b, t, n, h = q.shape
    out = onp.zeros_like(q)
    logits = onp.zeros((b, n, t, k.shape[1]))
    for head in range(n):
        other = head // (n // k.shape[2])
        logits[:, head] = onp.einsum('bth,bsh->bts', q[:, :, head], k[:, :, other]) * (scale or 1 / math.sqrt(h))
    logits = onp.where(mask, logits + bias, -2e38)
    weights = special.softmax(logits, -1)
    for head in range(n):
        out[:, :, head] = onp.einsum('bts,bsh->bth', weights[:, head], v[:, :, head // (n // k.shape[2])])
    return out


RNG = onp.random.default_rng(0)
Q, K, V = (RNG.standard_normal(s).astype('float32') for s in ((2, 5, 4, 8), (2, 7, 2, 8), (2, 7, 2, 8)))
BIAS = RNG.standard_normal((1, 4, 5, 7)).astype('float32')
ROWS, COLUMNS = onp.arange(5)[:, None], onp.arange(7)[None]
INSIDE = (onp.arange(5)[None, None, :, None] < onp.array([3, 5])[:, None, None, None])
VARIANTS = {
    'plain': ({}, {}),
    'causal': (dict(is_causal=True), dict(mask=ROWS >= COLUMNS)),
    'bias': (dict(bias=BIAS), dict(bias=BIAS)),
    'mask': (dict(mask=BIAS > 0), dict(mask=BIAS > 0)),
    'scale': (dict(scale=0.3), dict(scale=0.3)),
    'window': (dict(local_window_size=(2, 1)), dict(mask=(ROWS <= COLUMNS + 2) & (ROWS >= COLUMNS - 1))),
    'keys': (dict(key_value_seq_lengths=onp.array([7, 4])),
             dict(mask=onp.arange(7)[None, None, None] < onp.array([7, 4])[:, None, None, None])),
}


@pytest.mark.parametrize('name', VARIANTS)
def test_attention(name):
    ours, theirs = VARIANTS[name]
    onp.testing.assert_allclose(onp.asarray(nn.dot_product_attention(Q, K, V, **ours)), attention(Q, K, V, **theirs),
                                rtol=2e-5, atol=2e-6)


def test_attention_more():
    single = nn.dot_product_attention(Q[0], K[0], V[0])
    onp.testing.assert_allclose(onp.asarray(single), attention(Q, K, V)[0], rtol=2e-5, atol=2e-6)
    lengths = nn.dot_product_attention(Q, K, V, query_seq_lengths=onp.array([3, 5]))
    assert (onp.asarray(lengths)[0, 3:] == 0).all()
    _, residual = nn.dot_product_attention(Q, K, V, return_residual=True)
    assert residual.shape == (2, 5, 4)
    gradient = lazy.grad(lambda q: nn.dot_product_attention(q, K, V, is_causal=True).sum())(Q)
    assert gradient.shape == Q.shape and onp.isfinite(onp.asarray(gradient)).all()
    assert nn.dot_product_attention(*(np.asarray(x, 'bfloat16') for x in (Q, K, V))).dtype == np.bfloat16
    with pytest.raises(ValueError, match='do not fit'):
        nn.dot_product_attention(Q[:, :, :3], K, V)
    product = nn.scaled_matmul(np.ones((1, 2, 8)), np.ones((1, 3, 8)), np.full((1, 2, 2), 2.), np.ones((1, 3, 2)))
    assert product.tolist() == [[[16.] * 3] * 2]


def rounded_in_blocks(x, axis, mode, whole=1.0):
    """What a mode keeps of x, by the types of ml_dtypes."""
    size, largest, kept = {'mxfp8': (32, 448, ml_dtypes.float8_e4m3fn), 'nvfp4': (16, 6, ml_dtypes.float4_e2m1fn)}[mode]
    x = onp.moveaxis(x, axis, -1)
    blocks = x.reshape(*x.shape[:-1], -1, size) / onp.float32(whole)
    scales = abs(blocks).max(-1, keepdims=True) / onp.float32(largest)
    powers = onp.exp2(onp.ceil(onp.log2(scales)))
    scales = powers if mode == 'mxfp8' else scales.astype(ml_dtypes.float8_e4m3fn).astype('f4')
    kept = onp.clip(blocks / scales, -largest, largest).astype(kept).astype('f4') * scales * onp.float32(whole)
    return onp.moveaxis(kept.reshape(x.shape), -1, axis)


@pytest.mark.parametrize('mode', ['mxfp8', 'nvfp4'])
def test_products_of_numbers_rounded_in_blocks(mode):
    rng, whole = onp.random.default_rng(0), {'mxfp8': 1.0, 'nvfp4': 0.5}[mode]
    x, y, g = (rng.standard_normal(shape).astype('f4') for shape in ((2, 32, 64), (2, 96, 64), (2, 32, 96)))
    keep = lambda x, axis: rounded_in_blocks(x, axis, mode, whole)
    given = () if mode == 'mxfp8' else (np.full((1,), whole),)
    configs = [nn.get_scaled_dot_general_config(mode, *given)] * 3
    f = lambda x, y: nn.scaled_dot_general(x, y, (((2,), (2,)), ((0,), (0,))), configs=configs)
    close = functools.partial(onp.testing.assert_allclose, rtol=1e-5, atol=2e-5)
    close(f(x, y), onp.einsum('bmk,bnk->bmn', keep(x, 2), keep(y, 2)))
    close(lazy.jit(f)(x, y), f(x, y))
    one = lambda x, y: nn.scaled_dot_general(x, y, (((1,), (1,)), ((), ())), 'bfloat16', configs)
    close(lazy.vmap(one)(x, y).astype('float32'), f(x, y), rtol=1e-2, atol=1e-2)
    (u, v), (p, q) = (keep(g, 2),
                      keep(g, 1)) if mode == 'mxfp8' else (g,
                                                           g), (keep(y, 1), keep(x, 1)) if mode == 'mxfp8' else (y, x)
    _, pull = lazy.vjp(f, x, y)
    for found, expected in zip(pull(np.asarray(g)),
                               (onp.einsum('bmn,bnk->bmk', u, p), onp.einsum('bmn,bmk->bnk', v, q))):
        close(found, expected)
    turned = nn.scaled_dot_general(x.transpose(2, 0, 1), y, (((0,), (2,)), ((1,), (0,))), configs=configs)
    close(turned, f(x, y))
    with pytest.raises(ValueError, match='multiple of'):
        nn.scaled_dot_general(x[..., :40], y[..., :40], (((2,), (2,)), ((0,), (0,))), configs=configs)
    with pytest.raises(ValueError, match='Unsupported mode'):
        nn.get_scaled_dot_general_config('fp3')


# --- initializers -------------------------------------------------------------------------------------------------

INITIALIZERS = {                                           # first number that JAX 0.10.2 gives, and the variance
    'glorot_uniform': 1 / 250, 'glorot_normal': 1 / 250, 'lecun_uniform': 1 / 200, 'lecun_normal': 1 / 200,
    'he_uniform': 2 / 200, 'he_normal': 2 / 200}


@pytest.mark.parametrize('name', INITIALIZERS)
def test_initializer_variance(name):
    w = onp.asarray(getattr(nn.initializers, name)()(lazy.random.key(0), (200, 300)))
    assert w.dtype == onp.float32 and abs(w.var() / INITIALIZERS[name] - 1) < 0.05 and abs(w.mean()) < 3e-3


def test_initializers():
    init, key = nn.initializers, lazy.random.key(0)
    assert init.zeros(key, (2,)).tolist() == [0, 0] and init.ones(key, (2,), 'float64').dtype == onp.float64
    assert init.constant(2.5)(key, (2, 1)).tolist() == [[2.5], [2.5]]
    onp.testing.assert_allclose(onp.asarray(init.normal(0.1)(key, (5,))),
                                0.1 * onp.asarray(lazy.random.normal(key, (5,))),
                                rtol=1e-6)
    assert (onp.asarray(init.uniform(3.0)(key, (100,))) < 3).all()
    assert onp.abs(onp.asarray(init.truncated_normal(1.0)(key, (1000,)))).max() < 2
    assert isinstance(init.he_normal(), init.Initializer)
    w = init.variance_scaling(1.0, 'fan_out', 'normal', in_axis=(0, 1), out_axis=2)(key, (3, 3, 64, 64))
    assert w.shape == (3, 3, 64, 64)
    with pytest.raises(ValueError, match='at least 2D|2D'):
        init.he_normal()(key, (5,))
    with pytest.raises(ValueError, match='mode'):
        init.variance_scaling(1.0, 'fan', 'normal')(key, (5, 5))
    with pytest.raises(ValueError, match='distribution'):
        init.variance_scaling(1.0, 'fan_in', 'cauchy')(key, (5, 5))


def test_orthogonal_initializers():
    key = lazy.random.key(0)
    for shape in ((4, 6), (6, 4), (2, 3, 4)):
        w = onp.asarray(nn.initializers.orthogonal(2.0)(key, shape)).reshape(-1, shape[-1])
        gram = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
        onp.testing.assert_allclose(gram, 4 * onp.eye(len(gram)), atol=1e-5)
    w = onp.asarray(nn.initializers.delta_orthogonal()(key, (3, 3, 4, 4)))
    assert (w[0] == 0).all()
    onp.testing.assert_allclose(w[1, 1] @ w[1, 1].T, onp.eye(4), atol=1e-5)
