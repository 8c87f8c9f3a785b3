"""Optimizers against their formulas in NumPy, step by step; schedules; states under jit."""
import math

import numpy as onp
import pytest

import lazy
import lazy.numpy as np
from lazy import optimizers as o

START = onp.array([1.0, -2.0, 0.5])
GRADS = [onp.sin(onp.arange(3) + i) * (1 + i) for i in range(6)]


def steps(optimizer, start=START, grads=GRADS, jit=False):
    """Parameters after every step."""
    update = lazy.jit(optimizer.update) if jit else optimizer.update
    params, state, found = np.asarray(start), optimizer.init(np.asarray(start)), []
    for g in grads:
        updates, state = update(np.asarray(g), state, params)
        params = o.apply_updates(params, updates)
        found.append(onp.asarray(params))
    return onp.array(found)


def by_hand(step):
    """Parameters after every step of step(parameters, gradient, n, memory)."""
    p, memory, found = START.copy(), {}, []
    for n, g in enumerate(GRADS, 1):
        p = p + step(p, g, n, memory)
        found.append(p)
    return onp.array(found)


def adam_direction(g, n, memory, b1=0.9, b2=0.999, eps=1e-8, nesterov=False):
    m = memory['m'] = b1 * memory.get('m', 0) + (1 - b1) * g
    v = memory['v'] = b2 * memory.get('v', 0) + (1 - b2) * g * g
    mean = m / (1 - b1 ** n)
    if nesterov:
        mean = b1 * m / (1 - b1 ** (n + 1)) + (1 - b1) * g / (1 - b1 ** n)
    return mean / (onp.sqrt(v / (1 - b2 ** n)) + eps)


def momentum(g, memory, decay, nesterov):
    t = memory['t'] = g + decay * memory.get('t', 0)
    return g + decay * t if nesterov else t


def rms(g, memory, centered=False):
    v = memory['v'] = 0.9 * memory.get('v', 0) + 0.1 * g * g
    m = memory['m'] = 0.9 * memory.get('m', 0) + 0.1 * g
    return g / onp.sqrt((v - m * m if centered else v) + 1e-8)


def ada(g, memory):
    s = memory['s'] = memory.get('s', 0.1) + g * g
    return g / onp.sqrt(s + 1e-7)


def lion(p, g, memory):
    m = memory.get('m', 0)
    memory['m'] = 0.99 * m + 0.01 * g
    return onp.sign(0.9 * m + 0.1 * g) + 1e-3 * p


OPTIMIZERS = {
    'sgd': (o.sgd(0.1), lambda p, g, n, s: -0.1 * g),
    'momentum': (o.sgd(0.1, momentum=0.9), lambda p, g, n, s: -0.1 * momentum(g, s, 0.9, False)),
    'nesterov': (o.sgd(0.1, momentum=0.9, nesterov=True), lambda p, g, n, s: -0.1 * momentum(g, s, 0.9, True)),
    'adam': (o.adam(0.1), lambda p, g, n, s: -0.1 * adam_direction(g, n, s)),
    'nadam': (o.adam(0.1, nesterov=True), lambda p, g, n, s: -0.1 * adam_direction(g, n, s, nesterov=True)),
    'adamw': (o.adamw(0.1, weight_decay=0.01), lambda p, g, n, s: -0.1 * (adam_direction(g, n, s) + 0.01 * p)),
    'rmsprop': (o.rmsprop(0.1), lambda p, g, n, s: -0.1 * rms(g, s)),
    'rmsprop_centered': (o.rmsprop(0.1, centered=True), lambda p, g, n, s: -0.1 * rms(g, s, True)),
    'adagrad': (o.adagrad(0.1), lambda p, g, n, s: -0.1 * ada(g, s)),
    'lion': (o.lion(0.1), lambda p, g, n, s: -0.1 * lion(p, g, s)),
    'schedule': (o.sgd(o.exponential_decay(0.1, 2, 0.5)), lambda p, g, n, s: -0.1 * 0.5 ** ((n - 1) / 2) * g),
}


@pytest.mark.parametrize('name', OPTIMIZERS)
def test_optimizer(name):
    optimizer, step = OPTIMIZERS[name]
    expected = by_hand(step)
    onp.testing.assert_allclose(steps(optimizer), expected, rtol=1e-5)
    onp.testing.assert_allclose(steps(optimizer, jit=True), expected, rtol=1e-5)


@pytest.mark.parametrize('name', OPTIMIZERS)
def test_dtypes_of_parameters_stay(name):
    optimizer = OPTIMIZERS[name][0]
    params = {'a': np.ones(2, 'bfloat16'), 'b': [np.ones(3, 'float32'), np.ones((), 'float64')]}
    updates, state = optimizer.update(params, optimizer.init(params), params)
    new = o.apply_updates(params, updates)
    assert lazy.tree.map(lambda x: x.dtype.name, new) == {'a': 'bfloat16', 'b': ['float32', 'float64']}
    assert lazy.tree.structure(state) == lazy.tree.structure(optimizer.init(params))
    assert [x.dtype for x in lazy.tree.leaves(state)] == [x.dtype for x in lazy.tree.leaves(optimizer.init(params))]


def test_jit_traces_once():
    optimizer, traced = o.adamw(o.warmup_cosine_decay_schedule(0., .1, 3, 10)), []

    @lazy.jit
    def step(params, state, g):
        traced.append(1)
        updates, state = optimizer.update(g, state, params)
        return o.apply_updates(params, updates), state
    params = (np.ones(3), {'b': np.zeros(2)})
    state = optimizer.init(params)
    for _ in range(5):
        params, state = step(params, state, params)
    assert len(traced) == 1 and int(state[0].count) == 5


def test_clipping():
    g = {'a': np.array([3.0, 0.0]), 'b': np.array([[4.0]])}
    assert float(o.global_norm(g)) == 5.0
    clipped, _ = o.clip_by_global_norm(1.0).update(g, o.EmptyState())
    onp.testing.assert_allclose(onp.asarray(clipped['a']), [0.6, 0.0], rtol=1e-6)
    same, _ = o.clip_by_global_norm(10.0).update(g, o.EmptyState())
    assert same['b'].tolist() == [[4.0]]
    zero, _ = o.clip_by_global_norm(1.0).update({'a': np.zeros(2)}, o.EmptyState())
    assert zero['a'].tolist() == [0, 0]
    limited, _ = o.clip(1.5).update(np.array([-3., 1., 2.]), o.EmptyState())
    assert limited.tolist() == [-1.5, 1.0, 1.5]
    assert float(o.global_norm({})) == 0.0


def test_chain_and_masks():
    optimizer = o.chain(o.add_decayed_weights(0.5, mask={'a': True, 'b': False}), o.scale(-1.0))
    params = {'a': np.array([2.0]), 'b': np.array([2.0])}
    updates, state = optimizer.update({'a': np.zeros(1), 'b': np.zeros(1)}, optimizer.init(params), params)
    assert updates['a'].tolist() == [-1.0] and updates['b'].tolist() == [0.0] and len(state) == 2
    with pytest.raises(ValueError, match='needs the parameters'):
        optimizer.update({'a': np.zeros(1), 'b': np.zeros(1)}, state)
    with pytest.raises(ValueError, match='states'):
        optimizer.update({}, (), {})
    by_rank = o.add_decayed_weights(0.5, mask=lambda p: lazy.tree.map(lambda x: x.ndim > 1, p))
    updates, _ = by_rank.update([np.zeros(1), np.zeros((1, 1))], o.EmptyState(), [np.ones(1), np.ones((1, 1))])
    assert [u.tolist() for u in updates] == [[0.0], [[0.5]]]


SCHEDULES = {
    'constant': (o.constant_schedule(0.3), lambda n: 0.3),
    'linear': (o.linear_schedule(1.0, 0.0, 10, 5), lambda n: 1 - min(max(n - 5, 0) / 10, 1)),
    'exponential': (o.exponential_decay(1.0, 10, 0.5), lambda n: 0.5 ** (n / 10)),
    'staircase': (o.exponential_decay(1.0, 10, 0.5, 3, staircase=True), lambda n: 0.5 ** (max(n - 3, 0) // 10)),
    'bounded': (o.exponential_decay(1.0, 10, 0.5, end_value=0.4), lambda n: max(0.5 ** (n / 10), 0.4)),
    'cosine': (o.cosine_decay_schedule(2.0, 20, 0.1),
               lambda n: 2 * (0.9 * 0.5 * (1 + math.cos(math.pi * min(n / 20, 1))) + 0.1)),
    'warmup': (o.warmup_cosine_decay_schedule(0.0, 1.0, 5, 25, 0.2),
               lambda n: n / 5 if n < 5 else 0.8 * 0.5 * (1 + math.cos(math.pi * min((n - 5) / 20, 1))) + 0.2),
    'piecewise': (o.piecewise_constant_schedule(1.0, {5: 0.1, 10: 0.5}),
                  lambda n: (0.1 if n > 5 else 1) * (0.5 if n > 10 else 1)),
}


@pytest.mark.parametrize('name', SCHEDULES)
def test_schedule(name):
    schedule, expected = SCHEDULES[name]
    for n in (0, 1, 5, 6, 10, 11, 24, 40):
        onp.testing.assert_allclose(float(schedule(n)), expected(n), rtol=1e-5, atol=1e-7)
        onp.testing.assert_allclose(float(schedule(np.array(n))), expected(n), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize('name', ['sgd', 'momentum', 'adam', 'rmsprop', 'adagrad'])
def test_finds_a_minimum(name):
    optimizer = {'sgd': o.sgd(0.1), 'momentum': o.sgd(0.02, 0.9), 'adam': o.adam(0.1), 'rmsprop': o.rmsprop(0.02),
                 'adagrad': o.adagrad(0.5)}[name]
    loss = lambda p: ((p['x'] - 3) ** 2).sum() + (p['y'] + 1) ** 2
    params = {'x': np.zeros(2), 'y': np.zeros(())}
    state = optimizer.init(params)

    @lazy.jit
    def step(params, state):
        updates, state = optimizer.update(lazy.grad(loss)(params), state, params)
        return o.apply_updates(params, updates), state
    for _ in range(200):
        params, state = step(params, state)
    onp.testing.assert_allclose(onp.asarray(params['x']), [3, 3], atol=0.05)
    onp.testing.assert_allclose(float(params['y']), -1, atol=0.05)


def test_a_loop_without_jit_repeats_its_programs():
    from lazy import evaluate
    optimizer, params = o.adam(0.1), {'x': np.zeros(2), 'y': np.zeros(())}
    state = optimizer.init(params)
    gradient = lazy.jit(lazy.grad(lambda p: ((p['x'] - 3) ** 2).sum() + (p['y'] + 1) ** 2))
    before = set(evaluate.programs)
    for _ in range(40):
        updates, state = optimizer.update(gradient(params), state, params)
        params = o.apply_updates(params, updates)
    assert len(set(evaluate.programs) - before) < 10
