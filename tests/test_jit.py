"""jit: what a trace keeps, what it closes over, and what happens when one is made inside of another."""
import numpy as np
import pytest

import lazy
import lazy.numpy as lnp


def test_traced_first_inside_of_another_trace():
    """The inner function's entry serves calls outside too."""
    inner = lazy.jit(lambda x: lnp.exp(x))
    outer = lazy.jit(lambda x: inner(x) * 2)
    x = lnp.arange(3.0)
    np.testing.assert_allclose(outer(x), 2 * np.exp(np.arange(3)), rtol=1e-6)
    np.testing.assert_allclose(inner(x), np.exp(np.arange(3)), rtol=1e-6)
    assert len(inner.entries) == 1


@pytest.mark.parametrize('transform', [lazy.jit, lambda f: lazy.grad(lambda x: f(x).sum()), lazy.vmap],
                         ids=['jit', 'grad', 'vmap'])
def test_what_holds_an_outer_array_is_not_kept(transform):
    """An inner function that reads an array of an outer trace is traced again for each of these."""
    held = []
    inner = lazy.jit(lambda y: y * held[-1])

    def outer(x):
        held.append(x * 2)
        return inner(lnp.asarray(np.float32(3)))

    def expected(x):
        return 6 * np.ones_like(x) if transform not in (lazy.jit, lazy.vmap) else 6 * x
    for x in (np.float32([1, 2]), np.float32([4, 5]), np.float32([1, 2, 3])):
        np.testing.assert_allclose(transform(outer)(lnp.asarray(x)), expected(x))


def test_closes_over_a_pending_array():
    pending = lnp.arange(3.0) * 2
    inner = lazy.jit(lambda x: x + pending)
    outer = lazy.jit(lambda x: inner(x) * 2)
    np.testing.assert_allclose(outer(lnp.ones(3)), [2, 6, 10])
    np.testing.assert_allclose(inner(lnp.ones(3)), [1, 3, 5])


def test_an_array_that_left_a_trace():
    left = []
    lazy.jit(lambda x: left.append(x) or x + 1)(lnp.ones(2))
    with pytest.raises(lazy.errors.UnexpectedTracerError, match='after the function had returned'):
        (left[0] * 2).block_until_ready()
    lazy.jit(lambda x: lazy.jit(lambda y: left.append(y) or y)(x))(lnp.ones(2))
    with pytest.raises(lazy.errors.UnexpectedTracerError, match='after the function had returned'):
        (left[1] * 2).block_until_ready()
