"""lazy.scipy.ndimage against SciPy: values, dtypes, derivatives, jit and batches from one table, errors."""
import numpy as np
import pytest
import scipy.ndimage as theirs

import lazy
import lazy.numpy as lnp
from lazy.scipy import ndimage as ours
from rows import Row, checks_of

rng = np.random.default_rng(5)
IMAGE, LINE, CUBE = rng.normal(size=(6, 7)), rng.normal(size=9), rng.normal(size=(3, 4, 5))
SPOTS = (rng.random((9, 11)) < 0.55) * rng.integers(1, 9, (9, 11))
CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])
MODES = ['reflect', 'mirror', 'nearest', 'constant', 'wrap', 'grid-wrap', 'grid-mirror', 'grid-constant']
SPLINES = ('shift', 'zoom', 'rotate', 'affine_transform', 'spline_filter', 'spline_filter1d')


def row(name, *args, times=0, image=IMAGE, tolerance=1e-8, narrow=2e-3, label='', **options):
    """A function of an image, and of arrays, that SciPy has too. SciPy's splines of reflected images are near only: at the
    elements they differ from the image by 4e-7 for five of them and order 3, and more for higher orders."""
    if options.get('order', 3) > 1 and options.get('mode') in ('reflect', 'grid-mirror') and name in SPLINES:
        tolerance = 1e-3
    arrays = [a for a in args if isinstance(a, np.ndarray) and a.dtype == float]
    call = lambda module: lambda x, *given: getattr(module, name)(
        x, *[given[[a is b for b in arrays].index(True)] if any(a is b for b in arrays) else a for a in args], **options)
    title = ' '.join(map(str, [name, label, *[np.shape(a) if np.ndim(a) > 1 else a for a in args],
                               *[f'{k}={v}' for k, v in options.items()], image.shape])).replace('\n', '')
    return Row(title[:110], call(ours), call(theirs), [image, *arrays], times, tolerance, narrow)


MATRIX, SHEAR = np.array([[0.913, 0.227], [-0.317, 1.131]]), np.array([[1.0, 0.3, -0.4], [0.1, 0.8, 0.6]])
ROWS = [
    *[row('correlate1d', np.array([1., -2, 4]), mode=mode, cval=0.6, axis=axis) for mode in MODES for axis in (0, -1)],
    *[row('correlate1d', np.arange(1., n), origin=o, image=LINE) for n, o in ((2, 0), (3, 0), (3, -1), (4, 1), (5, -2), (5, 1))],
    *[row('convolve1d', np.arange(1., n), origin=o, image=LINE) for n, o in ((2, 0), (3, 0), (4, 1), (5, -2), (5, 1))],
    row('correlate1d', np.arange(1., 20), times=1, image=LINE), row('convolve1d', np.arange(1., 20), mode='wrap', image=LINE),
    row('correlate1d', rng.normal(size=300), image=LINE, mode='mirror', tolerance=1e-8, times=0),
    *[row(name, rng.normal(size=shape), mode=mode, cval=0.3) for name in ('correlate', 'convolve')
      for shape, mode in (((3, 3), 'reflect'), ((2, 4), 'wrap'), ((1, 3), 'constant'), ((5, 2), 'mirror'))],
    row('convolve', rng.normal(size=(2, 3)), times=2, origin=(0, -1)), row('correlate', rng.normal(size=(9, 9)), times=0),
    *[row('gaussian_filter1d', s, axis, image=image) for s, axis, image in
      ((0.7, -1, LINE), (1.3, 0, IMAGE))],
    *[row('gaussian_filter', 1.0, k) for k in (0, 1, 2, 3)],
    row('gaussian_filter', [1.0, 0.5], [0, 1], times=1, mode=['wrap', 'nearest']), row('gaussian_filter', 0.8, radius=2),
    row('gaussian_filter', 0.8, truncate=2.0, image=CUBE), row('gaussian_filter', 0),
    row('gaussian_filter', 0.8, axes=(0, 2), image=CUBE), row('gaussian_laplace', 1.0), row('gaussian_gradient_magnitude', 1.0, times=1),
    row('laplace', times=1), row('laplace', image=CUBE, mode='wrap'), *[row(f, axis, image=CUBE) for f in ('sobel', 'prewitt') for axis in (0, -1)],
    *[row('uniform_filter1d', n, image=LINE, mode=mode, origin=o) for n, mode, o in ((3, 'reflect', 0), (4, 'constant', 1), (15, 'wrap', 0))],
    row('uniform_filter', 3, times=1), row('uniform_filter', [2, 5], mode='nearest'), row('uniform_filter', 2, origin=-1, image=CUBE),
    *[row(f'{f}_filter1d', n, image=LINE, mode=mode) for f in ('maximum', 'minimum') for n, mode in ((3, 'reflect'), (4, 'constant'))],
    *[row(f'{f}_filter', 3, mode=mode, cval=9.0) for f in ('maximum', 'minimum', 'median') for mode in MODES[:5]],
    *[row(f'{f}_filter', footprint=CROSS, label='cross') for f in ('maximum', 'minimum', 'median')],
    *[row('rank_filter', k, 3) for k in (0, 2, -1)], *[row('percentile_filter', k, 3) for k in (0, 20, 55.0, 100, -10)],
    row('median_filter', (1, 4), times=1), row('maximum_filter', (2, 3), times=1, origin=(0, 1)),
    *[row('shift', (0.3, -1.4), order=k, mode=mode, cval=0.6) for k in range(6) for mode in MODES],
    row('shift', 2, order=1, image=CUBE), row('shift', 0.5, image=LINE), row('shift', -11.3, times=1, mode='mirror', image=LINE),
    *[row('zoom', z, order=k, mode=mode, cval=0.6) for k in (0, 1, 3) for mode in MODES for z in (1.6,)],
    *[row('zoom', z, grid_mode=g) for z in (0.5, (2, 0.7), 1.0) for g in (False, True)],
    row('zoom', 2, mode='grid-constant', grid_mode=True), row('zoom', 1.7, image=CUBE), row('zoom', 0.3, times=1, image=LINE),
    *[row('rotate', a, order=k, reshape=r, label='r') for a, k, r in ((20, 3, True), (-50, 1, False), (90, 0, True), (135, 3, False), (200, 1, True))],
    row('rotate', 30, (0, 2), image=CUBE), row('rotate', 30, (2, 1), times=1, reshape=False, mode='nearest', image=CUBE),
    row('affine_transform', MATRIX, order=1, mode='wrap', times=1),
    *[row('affine_transform', MATRIX, (0.4, 1.2), order=k, mode=mode, cval=0.6) for k in (0, 1, 3) for mode in MODES],
    row('affine_transform', SHEAR, times=1), row('affine_transform', MATRIX, output_shape=(3, 4), order=2, mode='mirror'),
    row('affine_transform', np.array([0.7, 1.3]), 0.2, order=1, narrow=None), row('affine_transform', np.eye(3) + 0.1, image=CUBE, mode='mirror'),
    row('affine_transform', np.vstack([SHEAR, [[0, 0, 1.0]]])),
    *[row('spline_filter', k, mode=mode) for k in (2, 3, 4, 5) for mode in ('mirror', 'reflect', 'grid-wrap')],
    row('spline_filter1d', 3, 0, times=1, image=CUBE), row('spline_filter1d', 5, image=LINE, mode='reflect'),
    row('spline_filter', image=np.ones((1, 4))),
    Row('geometric_transform', lambda x: ours.geometric_transform(x, lambda p: (p[1] * 0.5, p[0] + 0.3), (5, 4)),
        lambda x: theirs.geometric_transform(x, lambda p: (p[1] * 0.5, p[0] + 0.3), (5, 4)), [IMAGE], 0),
    Row('shift by an array', lambda x, s: ours.shift(x, s, mode='mirror'), lambda x, s: theirs.shift(x, s, mode='mirror'),
        [IMAGE, np.array([0.4, -1.3])], 1),
    Row('rotate by an array', lambda x, a: ours.rotate(x, a, reshape=False, mode='mirror'),
        lambda x, a: theirs.rotate(x, float(a), reshape=False, mode='mirror'), [IMAGE, np.array(23.0)], 1),
    Row('unfiltered', lambda x: ours.zoom(ours.spline_filter(x), 2, prefilter=False, mode='mirror'),
        lambda x: theirs.zoom(theirs.spline_filter(x), 2, prefilter=False, mode='mirror'), [IMAGE], 1),
    Row('by sigma', lambda x, s: ours.gaussian_filter(x, s, radius=3), lambda x, s: theirs.gaussian_filter(x, float(s), radius=3),
        [IMAGE, np.array(0.9)], 1),
    *[Row(f'{name} {index}', lambda x, f=getattr(ours, name), i=index: f(x, SPOTS[:6, :7], i),
          lambda x, f=getattr(theirs, name), i=index: np.asarray(f(x, SPOTS[:6, :7], i)), [IMAGE], index == (2, 8, 1))
      for name in ('sum_labels', 'mean', 'variance', 'standard_deviation', 'maximum', 'minimum') for index in (None, 3, (2, 8, 1))],
    Row('center_of_mass', lambda x: lnp.stack(ours.center_of_mass(x * x)), lambda x: np.stack(theirs.center_of_mass(x * x)), [IMAGE]),
    Row('sum without labels', ours.sum_labels, theirs.sum_labels, [IMAGE]),
]
test_values, *_ = checks_of(ROWS)
_, test_jit_and_vmap, test_derivatives = checks_of([row for row in ROWS if row.order])

# --- integers and booleans ------------------------------------------------------------------------------------------

WHOLE = rng.integers(0, 200, (6, 7)).astype(np.uint8)
CALLS = ['gaussian_filter(x, 1.0)', 'uniform_filter(x, 3)', 'maximum_filter(x, 3)', 'median_filter(x, 3)', 'zoom(x, 1.7)',
         'shift(x, 1.4)', 'rotate(x, 25)', 'correlate1d(x.astype(np.int32), [1, 2])', 'sobel(x.astype(np.int32))', 'minimum_filter(x > 90, 2)',
         'gaussian_filter(x, 1.0, output=np.float32)', 'affine_transform(x, [[0, 1], [1, 0]], order=1)', 'spline_filter(x)',
         'laplace(x.astype(np.int16))', 'binary_dilation(x > 90)', 'binary_erosion(x > 40)', 'label(x > 90)[0]',
         'binary_dilation(x > 150, np.ones((2, 3)), 2, border_value=1)', 'binary_erosion(x > 40, border_value=1, origin=1)',
         'binary_dilation(x > 190, iterations=0, mask=x > 50)', 'generate_binary_structure(2, 2)', 'maximum(x, x // 90, [0, 1, 7])',
         'sum_labels(x, x > 100)']


@pytest.mark.parametrize('call', CALLS)
def test_other_types(call):
    found, expected = (eval(call, {**vars(m), 'x': WHOLE, 'np': np}) for m in (ours, theirs))
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    if expected.dtype not in (np.float64, np.uint64):                # types of 32 bits are the default ones here
        assert found.dtype == expected.dtype
    if call.startswith('maximum(x'):
        found, expected = found[:2], expected[:2]             # SciPy gives 0 for a label that isn't there
    np.testing.assert_allclose(found.astype(float), expected.astype(float), rtol=1e-5, atol=1 if found.dtype == np.uint8 else 1e-3)


@pytest.mark.parametrize('structure', [None, np.ones((3, 3)), [[0, 0, 0], [1, 1, 1], [0, 0, 0]], [[1, 0, 0], [0, 1, 0], [0, 0, 1]]])
def test_labels(structure):
    spiral = np.zeros((31, 31), int)
    for k in range(0, 15, 2):
        spiral[k, k:31 - k] = spiral[k:31 - k, 30 - k] = spiral[30 - k, k:31 - k] = spiral[k + 2:31 - k, k] = 1
        spiral[k + 2, k:k + 2] = 1
    for image in (SPOTS, spiral, np.zeros((3, 4)), np.ones((4, 2)), rng.random((40, 50)) < 0.6, np.zeros((0, 3))):
        found, count = ours.label(image, structure)
        expected, number = theirs.label(image, structure)
        assert int(count) == number and found.dtype == np.int32
        np.testing.assert_array_equal(found, expected)
        if image.size:
            np.testing.assert_array_equal(lazy.jit(lambda x: ours.label(x, structure)[0])(image), expected)
    several = np.stack([SPOTS, SPOTS[::-1], 0 * SPOTS])
    found = lazy.vmap(lambda x: ours.label(x, structure)[0])(several)
    np.testing.assert_array_equal(found, np.stack([theirs.label(x, structure)[0] for x in several]))


def test_labels_of_other_dimensions():
    for image in (LINE > 0, CUBE > 0, rng.random((3, 4, 2, 3)) < 0.4):
        np.testing.assert_array_equal(ours.label(image)[0], theirs.label(image)[0])


def test_complex_images():
    z = IMAGE + 1j * IMAGE[::-1]
    for call in ('gaussian_filter(z, 1.0)', 'correlate(z, w)', 'convolve(z, w)', 'zoom(z, 1.5)', 'rotate(z, 20, mode="mirror")'):
        found, expected = (eval(call, {**vars(m), 'z': z, 'w': np.ones((2, 2)) * (1 if 'zoom' in call else 1j)}) for m in (ours, theirs))
        np.testing.assert_allclose(found, expected, atol=1e-9, err_msg=call)


@pytest.mark.parametrize('call, error, message', [
    (lambda: ours.zoom(IMAGE, 2, order=6), ValueError, 'between 0 and 5'),
    (lambda: ours.zoom(IMAGE, (2, 2, 2)), RuntimeError, 'each of the 2 axes, got 3'),
    (lambda: ours.shift(IMAGE, 1, mode='torn'), RuntimeError, "mode not supported: 'torn'"),
    (lambda: ours.gaussian_filter(IMAGE, 1, mode='torn'), RuntimeError, "mode not supported: 'torn'"),
    (lambda: ours.gaussian_filter1d(IMAGE, 1, order=-1), ValueError, 'non-negative'),
    (lambda: ours.gaussian_filter(IMAGE, 1, output=np.zeros((6, 7))), NotImplementedError, 'immutable'),
    (lambda: ours.correlate1d(IMAGE, [1, 2], origin=2), ValueError, 'invalid origin'),
    (lambda: ours.correlate1d(IMAGE, np.ones((2, 2))), RuntimeError, 'vector'),
    (lambda: ours.correlate(IMAGE, np.ones(3)), RuntimeError, '2 dimensions'),
    (lambda: ours.maximum_filter(IMAGE), RuntimeError, 'no footprint'),
    (lambda: ours.rank_filter(IMAGE, 9, 3), RuntimeError, 'rank 9'),
    (lambda: ours.percentile_filter(IMAGE, 101, 3), RuntimeError, 'percentile'),
    (lambda: ours.rotate(LINE, 3), ValueError, 'at least 2D'),
    (lambda: ours.affine_transform(IMAGE, np.ones((3, 2))), RuntimeError, 'affine matrix'),
    (lambda: ours.label(IMAGE, np.ones((3, 2))), RuntimeError, 'symmetric'),
    (lambda: ours.spline_filter(IMAGE, 1), RuntimeError, 'between 2 and 5'),
    (lambda: lazy.jit(ours.gaussian_filter)(IMAGE, 1.0), lazy.errors.ConcretizationTypeError, 'asked for'),
])
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
