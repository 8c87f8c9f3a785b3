"""Optimizers: pairs (init, update) on pytrees, in the style of optax.

    optimizer = lazy.optimizers.adam(1e-3)
    state = optimizer.init(params)
    updates, state = optimizer.update(grads, state, params)
    params = lazy.optimizers.apply_updates(params, updates)

A transformation of gradients is such a pair too; `chain` puts several behind each other. Learning rates are numbers
or schedules, functions of the step count. States are named tuples of arrays: under jit nothing is traced again.
"""
import math
from typing import Any, Callable, NamedTuple

from . import trees
from .array import Array, as_node, unary, wrap
from .ir import build, dtypes, ops

__all__ = ['GradientTransformation', 'adagrad', 'adam', 'adamw', 'add_decayed_weights', 'apply_updates', 'chain',
           'clip', 'clip_by_global_norm', 'constant_schedule', 'cosine_decay_schedule', 'exponential_decay',
           'global_norm', 'identity', 'lion', 'linear_schedule', 'piecewise_constant_schedule', 'rmsprop', 'scale',
           'scale_by_adam', 'scale_by_learning_rate', 'scale_by_schedule', 'sgd', 'trace',
           'warmup_cosine_decay_schedule']


class GradientTransformation(NamedTuple):
    """init(params) gives a state; update(updates, state, params) gives (updates, state)."""
    init: Callable
    update: Callable


class EmptyState(NamedTuple):
    """The state of what remembers nothing."""


def _zeros_like(params):
    return trees.map(lambda p: wrap(build.zeros(as_node(p).aval)), params)


def _zero_count():
    return wrap(build.full((), 0, dtypes.int32))


def _map(f, tree, *rest):
    """f of the leaves, as Arrays."""
    return trees.map(lambda *leaves: f(*[x if isinstance(x, Array) else wrap(as_node(x)) for x in leaves]), tree, *rest)


def _cast(x, like):
    """x in the dtype of `like`: a schedule or a state in float32 doesn't widen the parameters."""
    return wrap(build.convert(as_node(x), as_node(like).aval.dtype))


def _select(condition, x, y):
    return wrap(build.select(condition._node, as_node(x), as_node(y)))


def _needs(params, name):
    if params is None:
        raise ValueError(f'{name}: update needs the parameters: update(grads, state, params)')


def _float(count):
    return wrap(build.convert(as_node(count), dtypes.default_float()))


# --- applying -----------------------------------------------------------------------------------------------------

def apply_updates(params, updates):
    """params + updates, leaf by leaf, in the dtypes of params.

    >>> import lazy, lazy.numpy as np
    >>> lazy.optimizers.apply_updates({'w': np.array([1., 2.])}, {'w': np.array([.5, -1.])})['w'].tolist()
    [1.5, 1.0]
    """
    return _map(lambda p, u: _cast(p + u, p), params, updates)


def chain(*transformations):
    """Transformations one after the other; the state is the tuple of their states.

    >>> import lazy
    >>> o = lazy.optimizers
    >>> optimizer = o.chain(o.clip_by_global_norm(1.0), o.adam(1e-3))
    """
    def init(params):
        return tuple([t.init(params) for t in transformations])

    def update(updates, state, params=None):
        if len(state) != len(transformations):
            raise ValueError(f'chain of {len(transformations)} transformations was given {len(state)} states')
        new = []
        for t, s in zip(transformations, state):
            updates, s = t.update(updates, s, params)
            new.append(s)
        return updates, tuple(new)
    return GradientTransformation(init, update)


def _stateless(f):
    """A transformation that remembers nothing: f(updates, params)."""
    return GradientTransformation(lambda params: EmptyState(),
                                  lambda updates, state, params=None: (f(updates, params), state))


def identity():
    """Updates as they are."""
    return _stateless(lambda updates, params: updates)


def scale(step_size):
    """Updates times a number."""
    return _stateless(lambda updates, params: _map(lambda u: step_size * u, updates))


def add_decayed_weights(weight_decay=0.0, mask=None):
    """Adds weight_decay * params to the updates. mask: a tree of booleans (or a function that makes one of params)."""
    def f(updates, params):
        _needs(params, 'add_decayed_weights')
        if mask is None:
            return _map(lambda u, p: u + weight_decay * p, updates, params)
        chosen = mask(params) if callable(mask) else mask
        return trees.map(lambda m, u, p: wrap(as_node(u)) + weight_decay * wrap(as_node(p)) if m else u,
                         chosen, updates, params)
    return _stateless(f)


# --- clipping -----------------------------------------------------------------------------------------------------

def global_norm(updates):
    """Square root of the sum of squares of all leaves.

    >>> import lazy, lazy.numpy as np
    >>> float(lazy.optimizers.global_norm([np.array([3.]), np.array([4.])]))
    5.0
    """
    total = None
    for leaf in trees.leaves(updates):
        node = as_node(leaf)
        if dtypes.kind(node.aval.dtype) == 'c':
            node = build.apply(ops.abs_, node)
        square = build.reduce_sum(build.apply(ops.square, node), range(node.aval.ndim))
        total = wrap(square) if total is None else total + wrap(square)
    if total is None:
        return wrap(build.full((), 0, dtypes.default_float()))
    return unary(ops.sqrt, total, 'inexact')


def clip_by_global_norm(max_norm):
    """Scales the updates down where their global norm is above max_norm (Pascanu et al., 2012)."""
    def f(updates, params):
        norm = global_norm(updates)
        below = norm < max_norm
        return _map(lambda u: _select(below, u, _cast(u / _cast(norm, u) * max_norm, u)), updates)
    return _stateless(f)


def clip(max_delta):
    """Limits every element of the updates to [-max_delta, max_delta]."""
    def limit(u):
        node = u._node
        node = build.apply(ops.max_, node, build.scalar_like(node, -max_delta))
        return wrap(build.apply(ops.min_, node, build.scalar_like(node, max_delta)))
    return _stateless(lambda updates, params: _map(limit, updates))


# --- learning rates -----------------------------------------------------------------------------------------------

class ScaleByScheduleState(NamedTuple):
    """Number of updates made."""
    count: Any


def scale_by_schedule(step_size_fn):
    """Updates times step_size_fn(number of updates made before)."""
    def init(params):
        return ScaleByScheduleState(_zero_count())

    def update(updates, state, params=None):
        size = step_size_fn(state.count)
        return _map(lambda u: _cast(size, u) * u, updates), ScaleByScheduleState(state.count + 1)
    return GradientTransformation(init, update)


def scale_by_learning_rate(learning_rate):
    """Updates times minus the learning rate, a number or a schedule."""
    if callable(learning_rate):
        return scale_by_schedule(lambda count: -1 * learning_rate(count))
    return scale(-learning_rate)


def constant_schedule(value):
    """The same rate always."""
    return lambda count: value


def linear_schedule(init_value, end_value, transition_steps, transition_begin=0):
    """From init_value to end_value in transition_steps equal steps."""
    def schedule(count):
        part = _limit((_float(count) - transition_begin) / max(transition_steps, 1), 0.0, 1.0)
        return init_value + (end_value - init_value) * part
    return schedule


def _limit(x, low, high):
    node = x._node
    node = build.apply(ops.max_, node, build.scalar_like(node, low))
    return wrap(build.apply(ops.min_, node, build.scalar_like(node, high)))


def exponential_decay(init_value, transition_steps, decay_rate, transition_begin=0, staircase=False, end_value=None):
    """init_value * decay_rate**((count - transition_begin) / transition_steps); not beyond end_value.

    staircase: the exponent is rounded down.

    >>> import lazy
    >>> float(lazy.optimizers.exponential_decay(1.0, 10, 0.5)(20))
    0.25
    """
    if transition_steps <= 0 or decay_rate == 0:
        return constant_schedule(init_value)

    def schedule(count):
        steps = _float(count) - transition_begin
        power = steps / transition_steps
        power = unary(ops.floor, power) if staircase else power
        value = _select(steps <= 0, _like(steps, init_value), init_value * _power(decay_rate, power))
        if end_value is None:
            return value
        return _limit(value, end_value, math.inf) if decay_rate < 1.0 else _limit(value, -math.inf, end_value)
    return schedule


def _like(x, value):
    """A constant in the dtype of x."""
    return wrap(build.scalar_like(x._node, value))


def _power(base, exponent):
    return wrap(build.apply(ops.pow_, build.scalar_like(exponent._node, base), exponent._node))


def cosine_decay_schedule(init_value, decay_steps, alpha=0.0, exponent=1.0):
    """From init_value to alpha init_value along half a cosine (Loshchilov and Hutter, SGDR, 2017).

    >>> import lazy
    >>> round(float(lazy.optimizers.cosine_decay_schedule(1.0, 10)(5)), 6)
    0.5
    """
    if decay_steps <= 0:
        raise ValueError(f'cosine_decay_schedule needs positive decay_steps, got {decay_steps}')

    def schedule(count):
        part = _limit(_float(count) / decay_steps, 0.0, 1.0)
        cosine = 0.5 * (1 + unary(ops.cos, math.pi * part))
        cosine = cosine if exponent == 1.0 else cosine ** exponent
        return init_value * ((1 - alpha) * cosine + alpha)
    return schedule


def warmup_cosine_decay_schedule(init_value, peak_value, warmup_steps, decay_steps, end_value=0.0, exponent=1.0):
    """Linear from init_value to peak_value in warmup_steps, then a cosine to end_value at decay_steps.

    >>> import lazy
    >>> schedule = lazy.optimizers.warmup_cosine_decay_schedule(0., 1., 10, 30)
    >>> [round(float(schedule(n)), 3) for n in (0, 5, 10, 20, 30)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    alpha = 0.0 if peak_value == 0.0 else end_value / peak_value
    rise = linear_schedule(init_value, peak_value, warmup_steps)
    fall = cosine_decay_schedule(peak_value, decay_steps - warmup_steps, alpha, exponent)

    def schedule(count):
        count = _float(count)
        return _select(count < warmup_steps, rise(count), fall(count - warmup_steps))
    return schedule


def piecewise_constant_schedule(init_value, boundaries_and_scales=None):
    """init_value times the scales {step: scale} of all steps that have been passed.

    >>> import lazy
    >>> float(lazy.optimizers.piecewise_constant_schedule(1.0, {5: 0.1})(7)) < 0.11
    True
    """
    def schedule(count):
        count = _float(count)
        value = _like(count, init_value)
        for step, factor in sorted((boundaries_and_scales or {}).items()):
            value = value * _select(count > step, _like(count, factor), _like(count, 1.0))
        return value
    return schedule


# --- optimizers ---------------------------------------------------------------------------------------------------

class TraceState(NamedTuple):
    """Sum of decaying past gradients."""
    trace: Any


def trace(decay, nesterov=False):
    """Momentum: t = g + decay t; with nesterov the update is g + decay t (Sutskever et al., 2013)."""
    def init(params):
        return TraceState(_zeros_like(params))

    def update(updates, state, params=None):
        new = _map(lambda g, t: g + decay * t, updates, state.trace)
        return (_map(lambda g, t: g + decay * t, updates, new) if nesterov else new), TraceState(new)
    return GradientTransformation(init, update)


def sgd(learning_rate, momentum=None, nesterov=False):
    """Gradient descent, with momentum where given: p -= learning_rate * trace (Robbins and Monro, 1951).

    >>> import lazy, lazy.numpy as np
    >>> optimizer = lazy.optimizers.sgd(0.1)
    >>> w = np.array([1.0, 2.0])
    >>> updates, state = optimizer.update(np.array([1.0, 0.0]), optimizer.init(w), w)
    >>> [round(float(x), 3) for x in lazy.optimizers.apply_updates(w, updates)]
    [0.9, 2.0]
    """
    first = identity() if momentum is None else trace(momentum, nesterov)
    return chain(first, scale_by_learning_rate(learning_rate))


class ScaleByAdamState(NamedTuple):
    """Number of updates, and decaying means of gradients and of their squares."""
    count: Any
    mu: Any
    nu: Any


def scale_by_adam(b1=0.9, b2=0.999, eps=1e-8, eps_root=0.0, nesterov=False):
    """Updates m / (sqrt(v) + eps) for the bias-corrected moments m and v of gradients.

    Source: Kingma and Ba, Adam: a method for stochastic optimization, 2014; with nesterov Dozat, 2016.
    """
    def init(params):
        return ScaleByAdamState(_zero_count(), _zeros_like(params), _zeros_like(params))

    def update(updates, state, params=None):
        count = state.count + 1
        mu = _map(lambda g, m: (1 - b1) * g + b1 * m, updates, state.mu)
        nu = _map(lambda g, v: (1 - b2) * _square(g) + b2 * v, updates, state.nu)
        n = _float(count)
        correction1, correction2 = 1 - _power(b1, n), 1 - _power(b2, n)
        if nesterov:
            ahead = 1 - _power(b1, n + 1)
            mean = _map(lambda g, m: b1 * m / _cast(ahead, m) + (1 - b1) * g / _cast(correction1, g), updates, mu)
        else:
            mean = _map(lambda m: m / _cast(correction1, m), mu)
        new = _map(lambda m, v: m / (unary(ops.sqrt, v / _cast(correction2, v) + eps_root) + eps), mean, nu)
        return new, ScaleByAdamState(count, mu, nu)
    return GradientTransformation(init, update)


def _square(g):
    """|g|**2."""
    return g * g if dtypes.kind(g.dtype) != 'c' else unary(ops.abs_, g) ** 2


def adam(learning_rate, b1=0.9, b2=0.999, eps=1e-8, eps_root=0.0, *, nesterov=False):
    """Adam: p -= learning_rate * m / (sqrt(v) + eps) (Kingma and Ba, 2014).

    >>> import lazy, lazy.numpy as np
    >>> optimizer = lazy.optimizers.adam(0.1)
    >>> w = np.array([1.0])
    >>> updates, state = optimizer.update(np.array([5.0]), optimizer.init(w), w)
    >>> round(float(updates[0]), 4), int(state[0].count)
    (-0.1, 1)
    """
    return chain(scale_by_adam(b1, b2, eps, eps_root, nesterov), scale_by_learning_rate(learning_rate))


def adamw(learning_rate, b1=0.9, b2=0.999, eps=1e-8, eps_root=0.0, weight_decay=1e-4, mask=None, *, nesterov=False):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019). mask: which leaves decay."""
    return chain(scale_by_adam(b1, b2, eps, eps_root, nesterov), add_decayed_weights(weight_decay, mask),
                 scale_by_learning_rate(learning_rate))


class ScaleByRmsState(NamedTuple):
    """Decaying mean of squared gradients, and of gradients where they are centred."""
    nu: Any
    mu: Any


def rmsprop(learning_rate, decay=0.9, eps=1e-8, initial_scale=0.0, eps_in_sqrt=True, centered=False, momentum=None,
            nesterov=False):
    """p -= learning_rate * g / sqrt(mean of g**2 + eps) (Tieleman and Hinton, 2012; centred: Graves, 2013)."""
    def init(params):
        nu = _map(lambda p: wrap(build.full(p.shape, initial_scale, p.dtype)), params)
        return ScaleByRmsState(nu, _zeros_like(params) if centered else None)

    def update(updates, state, params=None):
        nu = _map(lambda g, v: (1 - decay) * _square(g) + decay * v, updates, state.nu)
        mu = _map(lambda g, m: (1 - decay) * g + decay * m, updates, state.mu) if centered else None
        spread = _map(lambda v, m: v - _square(m), nu, mu) if centered else nu
        if eps_in_sqrt:
            new = _map(lambda g, v: g * unary(ops.rsqrt, v + eps), updates, spread)
        else:
            new = _map(lambda g, v: g / (unary(ops.sqrt, v) + eps), updates, spread)
        return new, ScaleByRmsState(nu, mu)
    return chain(GradientTransformation(init, update), scale_by_learning_rate(learning_rate),
                 identity() if momentum is None else trace(momentum, nesterov))


class ScaleByRssState(NamedTuple):
    """Sum of squared gradients."""
    sum_of_squares: Any


def adagrad(learning_rate, initial_accumulator_value=0.1, eps=1e-7):
    """p -= learning_rate * g / sqrt(sum of g**2 + eps) (Duchi, Hazan and Singer, 2011)."""
    def init(params):
        return ScaleByRssState(_map(lambda p: wrap(build.full(p.shape, initial_accumulator_value, p.dtype)), params))

    def update(updates, state, params=None):
        total = _map(lambda g, s: _square(g) + s, updates, state.sum_of_squares)

        def scaled(g, s):
            return _select(s > 0, g * unary(ops.rsqrt, s + eps), wrap(build.zeros(g._node.aval)))
        return _map(scaled, updates, total), ScaleByRssState(total)
    return chain(GradientTransformation(init, update), scale_by_learning_rate(learning_rate))


class ScaleByLionState(NamedTuple):
    """Number of updates, and decaying mean of gradients."""
    count: Any
    mu: Any


def lion(learning_rate, b1=0.9, b2=0.99, weight_decay=1e-3, mask=None):
    """p -= learning_rate * (sign(b1 m + (1 - b1) g) + weight_decay p) (Chen et al., 2023)."""
    def init(params):
        return ScaleByLionState(_zero_count(), _zeros_like(params))

    def update(updates, state, params=None):
        new = _map(lambda g, m: unary(ops.sign, (1 - b1) * g + b1 * m), updates, state.mu)
        mu = _map(lambda g, m: (1 - b2) * g + b2 * m, updates, state.mu)
        return new, ScaleByLionState(state.count + 1, mu)
    return chain(GradientTransformation(init, update), add_decayed_weights(weight_decay, mask),
                 scale_by_learning_rate(learning_rate))
