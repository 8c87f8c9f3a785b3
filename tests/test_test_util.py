"""lazy.test_util, lazy.typing, lazy.dlpack."""
from functools import partial

import numpy as np
import pytest

import lazy
import lazy.numpy as jnp
from lazy.test_util import check_grads, check_jvp, check_vjp

MODES = ('fwd', 'rev', 'lin')
TREE = {'a': np.array([0.5, -1.0]), 'b': (2.0, np.float32(3))}


@lazy.custom_jvp
def wrong(x):
    """A function with a wrong derivative."""
    return jnp.sin(x)


wrong.defjvp(lambda primals, tangents: (jnp.sin(primals[0]), 2 * tangents[0]))


@lazy.custom_jvp
def wrong_twice(x):
    """A function with a wrong second derivative."""
    return jnp.sin(x)


wrong_twice.defjvp(lambda primals, tangents: (jnp.sin(primals[0]),
                                              lazy.lax.stop_gradient(jnp.cos(primals[0])) * tangents[0]))


@pytest.mark.parametrize('f, args', [
    (jnp.sin, (0.3,)), (jnp.multiply, (np.arange(3.), 2.0)), (lambda x: jnp.exp(x) * x, (np.array([1 + 2j, 0.5j]),)),
    (lambda t: {'s': jnp.sum(t['a'] ** 2) * t['b'][0], 'p': jnp.cos(t['b'][1])}, (TREE,)),
    (lambda x: jnp.zeros((0,)) + x, (1.0,))])
def test_right_derivatives_pass(f, args):
    check_grads(f, args, 2, modes=MODES)


@pytest.mark.parametrize('mode', MODES)
def test_wrong_derivatives_fail(mode):
    name = {'fwd': 'JVP tangent', 'rev': 'VJP cotangent projection', 'lin': 'LIN tangent'}[mode]
    with pytest.raises(AssertionError, match=name):
        check_grads(wrong, (1.0,), 1, modes=(mode,))
    check_grads(wrong_twice, (1.0,), 1, modes=(mode,))
    with pytest.raises(AssertionError):
        check_grads(wrong_twice, (1.0,), 2, modes=(mode,))


def test_tolerances():
    slightly = lambda args, tangents: (jnp.sin(args[0]), (1 + 1e-4) * jnp.cos(args[0]) * tangents[0])
    x = (np.array(0.5),)
    with pytest.raises(AssertionError):
        check_jvp(jnp.sin, slightly, x)
    check_jvp(jnp.sin, slightly, x, rtol=1e-3)
    check_jvp(jnp.sin, slightly, x, rtol={np.float64: 1e-3}, atol={'float64': 1e-3})
    check_vjp(jnp.sin, partial(lazy.vjp, jnp.sin), x, err_msg='sine')


def test_types():
    given = [jnp.ones(2), np.ones(2), np.float32(1), np.bool_(True), True, 1, 1.0, 1j]
    assert all(isinstance(x, lazy.typing.ArrayLike) for x in given)
    assert not any(isinstance(x, lazy.typing.ArrayLike) for x in ([1.0], 'one', None))
    assert isinstance(np.dtype('float32'), lazy.typing.DTypeLike) and isinstance('float32', lazy.typing.DTypeLike)


@pytest.mark.parametrize('dtype', ['bool', 'int8', 'uint16', 'int32', 'int64', 'float16', 'float64', 'complex64'])
def test_dlpack_there_and_back(dtype):
    assert lazy.dlpack.is_supported_dtype(dtype)
    x = np.arange(6).reshape(2, 3).astype(dtype)
    back = lazy.dlpack.from_dlpack(x[:, ::2])
    assert back.dtype == x.dtype and back.tolist() == x[:, ::2].tolist()
    np.testing.assert_array_equal(np.from_dlpack(back), x[:, ::2])


def test_dlpack_errors():
    assert not lazy.dlpack.is_supported_dtype('bfloat16') and not lazy.dlpack.is_supported_dtype('U3')
    with pytest.raises(TypeError, match='dtype=None'):
        lazy.dlpack.is_supported_dtype(None)
    with pytest.raises(TypeError, match='must have __dlpack__'):
        lazy.dlpack.from_dlpack([1, 2])
    with pytest.raises(ValueError, match='copies'):
        lazy.dlpack.from_dlpack(np.ones(3), copy=False)
