"""Derivatives checked against differences, for tests. Signatures are those of jax.test_util."""
from functools import partial

import numpy as onp

from . import transforms, tree
from .array import as_node

__all__ = ['check_grads', 'check_jvp', 'check_vjp']

EPS = 1e-4                                                          # step of differences in a random direction
TOLERANCES = {'float8_e4m3fn': 2e-1, 'float8_e5m2': 4e-1, 'bfloat16': 1e-1, 'float16': 1e-2, 'float32': 2e-3,
              'float64': 1e-5, 'complex64': 1e-3, 'complex128': 1e-5}


def _like(x, value):
    """A value in the type of x: a Python number where x is one."""
    dtype = onp.asarray(x).dtype
    result = onp.asarray(value, dtype)
    return result.item() if isinstance(x, (bool, int, float, complex)) and not isinstance(x, onp.generic) else result


def _random(rng, x):
    shape, kind = onp.shape(x), onp.asarray(x).dtype.kind
    value = rng.standard_normal(shape)
    return _like(x, value + 1j * rng.standard_normal(shape) if kind == 'c' else value)


def _random_tree(seed, xs):
    rng = onp.random.RandomState(seed)
    return tree.map(partial(_random, rng), xs)


def _moved(xs, tangents, step):
    return tree.map(lambda x, t: _like(x, onp.asarray(x) + onp.asarray(step * onp.asarray(t), onp.asarray(x).dtype)),
                    xs, tangents)


def _differences(f, args, tangents, eps):
    """Central differences of f in a direction; 0 where both values are equal (infinities too)."""
    def difference(ahead, behind):
        ahead, behind = onp.asarray(ahead), onp.asarray(behind)
        with onp.errstate(invalid='ignore'):
            return onp.asarray(onp.where(ahead == behind, 0, (ahead - behind) * (0.5 / eps)), ahead.dtype)
    return tree.map(difference, f(*_moved(args, tangents, eps)), f(*_moved(args, tangents, -eps)))


def _tolerance(tolerance, dtypes):
    """The largest one for the dtypes, from a number, or from a dictionary over the defaults."""
    if tolerance is not None and not isinstance(tolerance, dict):
        return tolerance
    table = {**TOLERANCES, **{onp.dtype(d).name: value for d, value in (tolerance or {}).items()}}
    return max([table.get(d.name, 0) for d in dtypes])


def _check_close(found, expected, args, atol, rtol, message):
    """Two trees, by the dtypes of their leaves and of the arguments."""
    of_args = [as_node(x).aval.dtype for x in tree.leaves(args)]

    def check(x, y):
        x, y = onp.asarray(x), onp.asarray(y)
        assert x.shape == y.shape, f'{message}: shapes {x.shape} and {y.shape}'
        wide = onp.complex128 if 'c' in x.dtype.kind + y.dtype.kind else onp.float64
        dtypes, size = [*of_args, x.dtype, y.dtype], max(1, x.size)
        onp.testing.assert_allclose(x.astype(wide), y.astype(wide), err_msg=message,
                                    atol=_tolerance(atol, dtypes) * size, rtol=_tolerance(rtol, dtypes) * size)
    tree.map(check, found, expected)


def _inner(xs, ys):
    """Real part of the inner product of two trees."""
    pairs = zip(tree.leaves(xs), tree.leaves(ys))
    return sum(onp.real(onp.vdot(onp.asarray(x), onp.asarray(y))) for x, y in pairs)


def _conj(xs):
    return tree.map(lambda x: _like(x, onp.conj(onp.asarray(x))), xs)


def check_jvp(f, f_jvp, args, atol=None, rtol=None, eps=EPS, err_msg=''):
    """Check f_jvp, which takes (primals, tangents) as lazy.jvp(f, ...) does, against central differences of f.

    args: a tuple of arguments, trees of floats. atol, rtol: a number, or a dictionary over the defaults of each dtype.

    Raises AssertionError where values or tangents differ.

    >>> import lazy, lazy.numpy as np
    >>> from functools import partial
    >>> lazy.test_util.check_jvp(np.sin, partial(lazy.jvp, np.sin), (0.5,))
    """
    prefix = f'{err_msg} ' if err_msg else ''
    tangents = _random_tree(0, args)
    values, found = f_jvp(args, tangents)
    _check_close(values, f(*args), args, atol, rtol, prefix + 'primal')
    _check_close(found, _differences(f, args, tangents, eps), args, atol, rtol, prefix + 'tangent')


def check_vjp(f, f_vjp, args, atol=None, rtol=None, eps=EPS, err_msg=''):
    """Check f_vjp, which returns (value, pullback) as lazy.vjp(f, ...) does, against central differences of f.

    Raises AssertionError where values differ, or the projection of the cotangents on a random direction.

    >>> import lazy, lazy.numpy as np
    >>> from functools import partial
    >>> lazy.test_util.check_vjp(np.sin, partial(lazy.vjp, np.sin), (0.5,))
    """
    prefix = f'{err_msg} ' if err_msg else ''
    values, pullback = f_vjp(*args)
    _check_close(values, f(*args), args, atol, rtol, prefix + 'primal')
    tangents, cotangents = _random_tree(0, args), _random_tree(1, values)
    pulled = _conj(pullback(_conj(cotangents)))
    pushed = _differences(f, args, tangents, eps)
    _check_close(_inner(tangents, pulled), _inner(cotangents, pushed), (args, values), atol, rtol,
                 prefix + 'cotangent projection')


def check_grads(f, args, order, modes=('fwd', 'rev'), atol=None, rtol=None, eps=None):
    """Check derivatives of f up to `order` against central differences, in forward ('fwd') and reverse mode ('rev') or
    by linearisation ('lin').

    args: arguments, trees of floats. atol, rtol: a number, or a dictionary over the defaults of each dtype.

    Raises AssertionError that names the combination of modes that is wrong.

    >>> import lazy, lazy.numpy as np
    >>> lazy.test_util.check_grads(lambda x: np.sum(np.sin(x) * x), (np.arange(3.),), order=2)
    """
    eps = eps or EPS
    options = dict(atol=atol, rtol=rtol, eps=eps)

    def check(f, args, order, message=''):
        named = lambda mode: f'{mode} of {message}' if message else mode
        if 'fwd' in modes:
            pushed = partial(transforms.jvp, f)
            check_jvp(f, pushed, args, err_msg=named('JVP'), **options)
            if order > 1:
                check(pushed, (args, args), order - 1, named('JVP'))
        if 'rev' in modes:
            check_vjp(f, partial(transforms.vjp, f), args, err_msg=named('VJP'), **options)
            if order > 1:
                def pulled(*args):
                    value, pullback = transforms.vjp(f, *args)
                    return pullback(value)
                check(pulled, args, order - 1, named('VJP'))
        if 'lin' in modes:
            def linear(primals, tangents):
                value, push = transforms.linearize(f, *primals)
                return value, push(*tangents)
            check_jvp(f, linear, args, err_msg=named('LIN'), **options)
            if order > 1:
                check(linear, (args, args), order - 1, named('LIN'))
    check(f, tuple(args), order)
