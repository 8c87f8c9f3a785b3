"""lazy.image against JAX, Pillow where it is installed, and what weights must satisfy."""
import numpy as onp
import pytest

import lazy
import lazy.image
import lazy.numpy as np

rng = onp.random.default_rng(2)
METHODS = ['nearest', 'linear', 'cubic', 'cubic-pytorch', 'lanczos3', 'lanczos5', 'area']
SHAPES = [(7, 9, 3), (12, 5, 3), (3, 20, 3), (6, 8, 3), (1, 1, 3), (6, 3, 2)]


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('antialias', [True, False])
def test_resize_against_jax(method, antialias):
    jax = pytest.importorskip('jax')
    x = rng.standard_normal((6, 8, 3)).astype('float32')
    for shape in SHAPES[:4:3] if antialias else SHAPES[1:3]:
        found, expected = (m.image.resize(x, shape, method, antialias) for m in (lazy, jax))
        assert found.dtype == onp.float32
        onp.testing.assert_allclose(onp.asarray(found), onp.asarray(expected), atol=2e-5)
    f = lambda m: lambda x: (m.image.resize(x, (9, 3, 3), method, antialias) ** 2).sum()
    onp.testing.assert_allclose(onp.asarray(lazy.grad(f(lazy))(x)), onp.asarray(jax.jit(jax.grad(f(jax)))(x)),
                                atol=1e-4)


@pytest.mark.parametrize('method', METHODS[1:])
def test_scale_and_translate_against_jax(method):
    jax = pytest.importorskip('jax')
    x = rng.standard_normal((6, 8, 3)).astype('float32')
    scale, move = onp.array([0.7, 1.3], 'float32'), onp.array([0.4, -1.2], 'float32')
    for antialias in [False] if method == 'cubic-pytorch' else (True, False):
        f = lambda m: lambda x, s, t: m.image.scale_and_translate(x, (5, 9, 3), (0, 1), s, t, method, antialias)
        onp.testing.assert_allclose(onp.asarray(f(lazy)(x, scale, move)), onp.asarray(jax.jit(f(jax))(x, scale, move)),
                                    atol=2e-5)
    g, e = (m.jit(m.grad(lambda x, s, t: (f(m)(x, s, t) ** 2).sum(), (0, 1, 2)))(x, scale, move) for m in (lazy, jax))
    for a, b in zip(g, e):
        onp.testing.assert_allclose(onp.asarray(a), onp.asarray(b), rtol=2e-3, atol=2e-3)
    jitted = lazy.jit(lazy.vmap(f(lazy), (None, 0, None)))(x, onp.stack([scale, 2 * scale]), move)
    onp.testing.assert_allclose(onp.asarray(jitted[1]), onp.asarray(f(lazy)(x, 2 * scale, move)), atol=1e-5)


@pytest.mark.parametrize('method', METHODS)
def test_of_a_constant_image(method):
    """Weights add up to 1, and an image in its own size stays as it is."""
    for shape in SHAPES:
        onp.testing.assert_allclose(onp.asarray(lazy.image.resize(np.ones((6, 8, shape[2])), shape, method)), 1,
                                    atol=1e-6)
    x = rng.standard_normal((4, 5))
    assert lazy.image.resize(x, (4, 5), method).tolist() == x.tolist()
    whole = lazy.image.resize(onp.arange(12).reshape(3, 4), (6, 4), method)
    assert (whole.dtype == onp.int64) == (method == 'nearest')


def test_against_pillow():
    Image = pytest.importorskip('PIL.Image')
    x = rng.standard_normal((20, 30)).astype('float32')
    for method, name in (('linear', 'BILINEAR'), ('cubic', 'BICUBIC'), ('lanczos3', 'LANCZOS')):
        for shape in ((9, 44), (33, 7)):
            expected = onp.asarray(Image.fromarray(x).resize(shape[::-1], getattr(Image.Resampling, name)))
            onp.testing.assert_allclose(onp.asarray(lazy.image.resize(x, shape, method)), expected, atol=1e-4)


def test_errors():
    x = np.ones((3, 4))
    for call in (lambda: lazy.image.resize(x, (3,), 'linear'), lambda: lazy.image.resize(x, (3, 4), 'smooth'),
                 lambda: lazy.image.scale_and_translate(x, (3, 4), (0,), np.ones(1), np.ones(1), 'nearest'),
                 lambda: lazy.image.scale_and_translate(x, (3, 4), (0, 1), np.ones(1), np.ones(1), 'linear')):
        with pytest.raises(ValueError):
            call()
