"""Convolutions: the operation, and what lazy.lax makes of it, against a loop in NumPy and against JAX."""
import itertools

import numpy as onp
import pytest

import lazy
import lazy.numpy as np
from lazy import lax

rng = onp.random.default_rng(7)


@pytest.fixture(scope='module', autouse=True)
def compiled():
    """A program that is run again is compiled: from then on the kernel is there for all."""
    for _, dtype in itertools.product(range(4), ('float32', 'float64')):
        onp.asarray(lax.conv(np.ones((1, 1, 4), dtype), np.ones((1, 1, 2), dtype), (1,), 'VALID'))


def direct(x, w, strides, padding, spread, dilation, feature_groups=1, batch_groups=1):
    """The definition: a sum over windows of the padded and spread out operand."""
    n, c, *space = x.shape
    wide = onp.zeros((n, c, *[(s - 1) * d + 1 if s else 0 for s, d in zip(space, spread)]), x.dtype)
    wide[(..., *[slice(None, None, d) for d in spread])] = x
    wide = onp.pad(wide, [(0, 0), (0, 0), *[(max(a, 0), max(b, 0)) for a, b in padding]])
    wide = wide[(..., *[slice(max(-a, 0), s - max(-b, 0)) for s, (a, b) in zip(wide.shape[2:], padding)])]
    places = [max(0, (s - ((k - 1) * d + 1)) // a + 1)
              for s, k, d, a in zip(wide.shape[2:], w.shape[2:], dilation, strides)]
    o = w.shape[0]
    out = onp.zeros((n // batch_groups, o, *places), x.dtype)
    for p in itertools.product(*map(range, places)):
        window = wide[(..., *[slice(i * a, i * a + (k - 1) * d + 1, d)
                              for i, a, k, d in zip(p, strides, w.shape[2:], dilation)])]
        groups = feature_groups * batch_groups
        for g in range(groups):
            part = window[:, g * w.shape[1]:(g + 1) * w.shape[1]] if feature_groups > 1 else window
            if batch_groups > 1:
                part = part[g * n // groups:(g + 1) * n // groups]
            rows = slice(g * o // groups, (g + 1) * o // groups)
            out[(slice(None), rows, *p)] = onp.tensordot(part, w[rows], (range(1, x.ndim), range(1, x.ndim)))
    return out


# shapes, strides, padding, spread, dilation, groups by features and by examples
CASES = [
    ((2, 3, 6, 5), (4, 3, 3, 2), (1, 1), ((0, 0), (0, 0)), (1, 1), (1, 1), 1, 1),
    ((2, 3, 6, 5), (4, 3, 3, 2), (2, 1), ((1, 2), (0, 1)), (1, 1), (1, 2), 1, 1),
    ((2, 3, 6, 5), (4, 3, 3, 2), (2, 3), ((2, 2), (3, 1)), (1, 1), (2, 1), 1, 1),
    ((2, 3, 6, 5), (4, 3, 3, 2), (1, 1), ((2, 2), (1, 1)), (2, 3), (1, 1), 1, 1),
    ((2, 3, 5, 4), (4, 3, 3, 2), (1, 1), ((3, 1), (1, 2)), (2, 4), (2, 2), 1, 1),
    ((2, 3, 5, 4), (4, 3, 3, 2), (2, 3), ((3, 1), (1, 2)), (2, 3), (1, 3), 1, 1),
    ((2, 3, 6, 5), (4, 3, 2, 2), (1, 1), ((-1, -2), (-1, 2)), (1, 1), (1, 1), 1, 1),
    ((2, 3, 6, 5), (4, 3, 2, 2), (1, 1), ((-1, 0), (1, -2)), (2, 2), (1, 1), 1, 1),
    ((2, 6, 5, 4), (6, 2, 3, 2), (1, 2), ((1, 1), (0, 1)), (1, 1), (1, 1), 3, 1),
    ((2, 4, 5, 4), (4, 1, 3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), (1, 1), 4, 1),
    ((2, 4, 5, 4), (8, 1, 2, 2), (2, 2), ((1, 1), (1, 1)), (1, 1), (1, 1), 4, 1),
    ((2, 4, 9, 8), (4, 1, 3, 2), (2, 3), ((1, 1), (0, 2)), (1, 1), (2, 1), 4, 1),
    ((2, 3, 9), (3, 1, 4), (2,), ((1, 1),), (1,), (1,), 3, 1),
    ((4, 3, 5, 4), (6, 3, 2, 2), (1, 1), ((0, 1), (0, 0)), (1, 1), (1, 1), 1, 2),
    ((2, 3, 9), (2, 3, 4), (3,), ((2, 0),), (1,), (2,), 1, 1),
    ((1, 2, 4, 3, 4), (2, 2, 2, 2, 2), (1, 2, 1), ((0, 1), (1, 0), (1, 1)), (1, 1, 2), (1, 1, 1), 1, 1),
    ((3, 4), (2, 4), (), (), (), (), 1, 1),
    ((2, 4, 5, 5), (3, 4, 1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1), (1, 1), 1, 1),
    ((2, 4, 5, 5), (3, 4, 1, 1), (2, 2), ((0, 0), (0, 0)), (1, 1), (1, 1), 1, 1),
    ((2, 3, 2, 2), (4, 3, 3, 3), (1, 1), ((0, 0), (0, 0)), (1, 1), (1, 1), 1, 1),
    ((0, 3, 4, 4), (4, 3, 3, 3), (1, 1), ((0, 0), (0, 0)), (1, 1), (1, 1), 1, 1),
]


def apply(case, x, w, **more):
    _, _, strides, padding, spread, dilation, features, batch = case
    return lax.conv_general_dilated(x, w, strides, padding, spread, dilation, None, features, batch, **more)


@pytest.mark.parametrize('case', CASES, ids=lambda c: f'{c[0]}{c[1]}')
@pytest.mark.parametrize('dtype', ['float32', 'float64', 'int32', 'complex64'])
def test_values(case, dtype):
    x, w = (rng.integers(-4, 5, shape).astype(dtype) for shape in case[:2])
    found = apply(case, x, w)
    assert found.dtype == dtype
    onp.testing.assert_array_equal(onp.asarray(found), direct(x, w, *case[2:]))


@pytest.mark.parametrize('case', CASES, ids=lambda c: f'{c[0]}{c[1]}')
def test_derivatives(case):
    """Of a bilinear map: <f(x + dx, w), c> is linear in dx, and its transpose gives the same product."""
    x, w, dx, dw = (rng.standard_normal(shape) for shape in case[:2] * 2)
    f = lambda x, w: apply(case, x, w)
    value, tangent = lazy.jvp(f, (x, w), (dx, dw))
    expected = direct(dx, w, *case[2:]) + direct(x, dw, *case[2:])
    onp.testing.assert_allclose(onp.asarray(tangent), expected, atol=1e-12)
    ct = rng.standard_normal(value.shape)
    cx, cw = lazy.vjp(f, x, w)[1](ct)
    onp.testing.assert_allclose(onp.sum(onp.asarray(cx) * dx), onp.sum(direct(dx, w, *case[2:]) * ct), atol=1e-10)
    onp.testing.assert_allclose(onp.sum(onp.asarray(cw) * dw), onp.sum(direct(x, dw, *case[2:]) * ct), atol=1e-10)
    again = lambda x, w: sum([(g ** 2).sum() for g in lazy.grad(lambda a, b: (f(a, b) ** 2).sum(), (0, 1))(x, w)])
    gx, gw = lazy.jit(lazy.grad(again, (0, 1)))(x, w)
    step = 1e-6
    numeric = [(float(again(x + step * a, w + step * b)) - float(again(x - step * a, w - step * b))) / (2 * step)
               for a, b in ((dx, 0 * dw), (0 * dx, dw))]
    onp.testing.assert_allclose([float((gx * dx).sum()), float((gw * dw).sum())], numeric, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('case', CASES[::2], ids=lambda c: f'{c[0]}{c[1]}')
@pytest.mark.parametrize('axes', [(0, None), (None, 0), (0, 0), (2, 1)])
def test_vmap(case, axes):
    if axes == (2, 1) and len(case[0]) < 3:
        return
    sizes = [shape if a is None else (*shape[:a], 3, *shape[a:]) for shape, a in zip(case[:2], axes)]
    x, w = (rng.standard_normal(shape) for shape in sizes)
    found = lazy.vmap(lambda x, w: apply(case, x, w), axes)(x, w)
    each = lambda v, a, i: v if a is None else v.take(i, a)
    expected = onp.stack([direct(each(x, axes[0], i), each(w, axes[1], i), *case[2:]) for i in range(3)])
    onp.testing.assert_allclose(onp.asarray(found), expected, atol=1e-12)


def test_types():
    x, w = np.ones((1, 1, 8), 'bfloat16'), np.ones((1, 1, 3), 'bfloat16')
    assert lax.conv(x, w, (1,), 'SAME').dtype == np.bfloat16
    assert lax.conv(x, w, (1,), 'SAME', preferred_element_type='float32').dtype == onp.float32
    with pytest.raises(TypeError, match='same dtypes'):
        lax.conv(x, np.ones((1, 1, 3)), (1,), 'SAME')


def test_errors():
    x, w = np.ones((2, 4, 5, 5)), np.ones((6, 4, 3, 3))
    for error, call in (
            (ValueError, lambda: lax.conv(x, np.ones((6, 3, 3, 3)), (1, 1), 'SAME')),
            (TypeError, lambda: lax.conv(x, w, (1,), 'SAME')),
            (RuntimeError, lambda: lax.conv(x, w, (1, 1), 'ALL')),
            (TypeError, lambda: lax.conv(x, w[0], (1, 1), 'SAME')),
            (ValueError, lambda: lax.conv_general_dilated(x, w, (1, 1), 'SAME', (2, 2))),
            (TypeError, lambda: lax.conv_general_dilated(x, w, (1, 1), 'SAME',
                                                         dimension_numbers=('NCHW', 'OIHH', 'NCHW'))),
            (TypeError, lambda: lax.conv_general_dilated(x, w, (1, 1), 'SAME', dimension_numbers=('NCHW', 'OIHW'))),
            (TypeError, lambda: lax.conv_general_dilated(x, w, (1, 1), [(1, 1)])),
            (TypeError, lambda: lax.conv(x, w, (0, 1), 'SAME')),
            (ValueError, lambda: lax.conv_general_dilated(x, w, (1, 1), 'SAME', feature_group_count=3)),
            (ValueError, lambda: lax.conv_general_dilated(x, w, (1, 1), 'SAME', batch_group_count=4)),
            (ValueError, lambda: lax.conv_general_dilated(x, w, (1, 1), [(-3, -3), (0, 0)]))):
        with pytest.raises(error):
            call()


# --- against JAX ------------------------------------------------------------------------------------------------------

LAYOUTS = [('NCHW', 'OIHW', 'NCHW'), ('NHWC', 'HWIO', 'NHWC'), ('CHWN', 'WIHO', 'HNCW')]


def arranged(x, spec, letters):
    return x.transpose([letters.index(c) for c in spec])


@pytest.mark.parametrize('layout', LAYOUTS, ids=lambda l: l[0])
@pytest.mark.parametrize('padding', ['SAME', 'VALID', 'SAME_LOWER', [(1, 2), (0, 1)]], ids=str)
def test_layouts_against_jax(layout, padding):
    jax = pytest.importorskip('jax')
    x = arranged(rng.standard_normal((2, 3, 7, 6)).astype('float32'), layout[0], 'NCHW')
    w = arranged(rng.standard_normal((4, 3, 3, 2)).astype('float32'), layout[1], 'OIHW')
    for kwargs in ({}, {'rhs_dilation': (2, 1)}):
        found, expected = (m.conv_general_dilated(x, w, (2, 1), padding, dimension_numbers=layout, **kwargs)
                           for m in (lax, jax.lax))
        onp.testing.assert_allclose(onp.asarray(found), onp.asarray(expected), atol=1e-5)
    for transpose_kernel, consistent in itertools.product((False, True), (False, True)):
        if padding == 'SAME_LOWER':
            break
        kernel = w.swapaxes(layout[1].index('O'), layout[1].index('I')) if transpose_kernel else w
        found, expected = (m.conv_transpose(x, kernel, (2, 3), padding, (1, 2), layout, transpose_kernel,
                                            use_consistent_padding=consistent) for m in (lax, jax.lax))
        onp.testing.assert_allclose(onp.asarray(found), onp.asarray(expected), atol=1e-5)
    patches = [m.conv_general_dilated_patches(x, (3, 2), (2, 1), padding, None, (1, 2), layout) for m in (lax, jax.lax)]
    onp.testing.assert_allclose(onp.asarray(patches[0]), onp.asarray(patches[1]), atol=1e-6)
    sizes = dict(zip(layout[2], patches[0].shape))
    local = [{'O': 2, 'I': 18}.get(c, sizes.get(c)) for c in layout[1]]
    kernel = rng.standard_normal(local).astype('float32')
    found, expected = (m.conv_general_dilated_local(x, kernel, (2, 1), padding, (3, 2), None, (1, 2), layout)
                       for m in (lax, jax.lax))
    onp.testing.assert_allclose(onp.asarray(found), onp.asarray(expected), atol=1e-4)


def test_shapes_against_jax():
    jax = pytest.importorskip('jax')
    for layout, strides, padding in itertools.product(LAYOUTS[:2], [(1, 1), (2, 3)],
                                                      ['SAME', 'VALID', [(1, 2), (0, 3)]]):
        x, w = (2, 3, 7, 6), (4, 3, 3, 2)
        sizes = [arranged(onp.empty(s), spec, letters).shape
                 for s, spec, letters in ((x, layout[0], 'NCHW'), (w, layout[1], 'OIHW'))]
        for name in ('conv_general_shape_tuple', 'conv_transpose_shape_tuple'):
            found, expected = (getattr(m, name)(*sizes, strides, padding, layout) for m in (lax, jax.lax))
            assert found == tuple(map(int, expected))
        assert lax.conv_shape_tuple(x, w, strides, padding) == jax.lax.conv_shape_tuple(x, w, strides, padding)
        assert tuple(lax.conv_dimension_numbers(x, w, layout)) == tuple(jax.lax.conv_dimension_numbers(x, w, layout))
    for name in ('SAME', 'VALID', 'same_lower'):
        assert lax.padtype_to_pads((5, 8), (3, 4), (2, 3), name) == jax.lax.padtype_to_pads(
            onp.array((5, 8)), onp.array((3, 4)), onp.array((2, 3)), name)


def test_transposed_without_layout():
    jax = pytest.importorskip('jax')
    for rank in (1, 2, 3):
        x = rng.standard_normal((2, *[4] * rank, 3)).astype('float32')
        w = rng.standard_normal((*[3] * rank, 3, 2)).astype('float32')
        found, expected = (m.conv_transpose(x, w, (2,) * rank, 'SAME') for m in (lax, jax.lax))
        onp.testing.assert_allclose(onp.asarray(found), onp.asarray(expected), atol=1e-4)
