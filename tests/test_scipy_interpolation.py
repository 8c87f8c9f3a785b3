"""lazy.scipy.interpolate, ndimage, integrate, cluster and spatial against SciPy: values, derivatives, batches,
errors."""
import numpy as np
import pytest
import scipy.cluster.vq
import scipy.integrate
import scipy.interpolate
import scipy.ndimage
import scipy.spatial.transform as their_transform

import lazy
import lazy.numpy as jnp
from lazy.scipy import cluster, integrate, interpolate, ndimage
from lazy.scipy.spatial.transform import Rotation, Slerp
from rows import Row, checks_of

rng = np.random.default_rng(13)
normal = lambda *shape: rng.normal(size=shape)
GRID = (np.array([0., 1, 2.5]), np.array([-1., 0, 1, 3]))
TABLE, INSIDE = normal(3, 4), np.stack([rng.uniform(0, 2.5, 6), rng.uniform(-1, 3, 6)], -1)
KNOTS, POINTS = np.cumsum(rng.uniform(0.5, 1.5, 7)), rng.uniform(1.5, 6, 9)
IMAGE, PLACES = normal(5, 6), np.stack([rng.uniform(0.1, 3.9, 7), rng.uniform(0.1, 4.9, 7)])
WIDE_PLACES = rng.uniform(-7, 12, (2, 9))
HALVES = np.linspace(0., 6, 13)
ENDS = ('not-a-knot', 'natural', 'clamped', ((1, 0.5), (2, -0.3)), ('natural', (1, 1.0)))
QUATERNIONS = normal(5, 4)
QUATERNIONS /= np.linalg.norm(QUATERNIONS, axis=-1, keepdims=True)
THEIRS = their_transform.Rotation


def spline(module, **options):
    nu = options.pop('nu', 0)
    return lambda x, y, t: module.CubicSpline(x, y, **options)(t, nu)


def grid(module, points=GRID, **options):
    return lambda values, xi: module.RegularGridInterpolator(points, values, **options)(xi)


def coordinates(module, **options):
    """SciPy's 'constant' and 'wrap' are other modes than JAX's."""
    if module is scipy.ndimage:
        options['mode'] = {'constant': 'grid-constant', 'wrap': 'grid-wrap'}.get(options['mode'], options['mode'])
    return lambda image, places: module.map_coordinates(image, places, **options)


def rotated(name, *args, order=1, narrow=2e-3, **options):
    """A method of rotations by their quaternions."""
    call = lambda cls, quat: getattr(cls.from_quat(quat), name)(*args, **options)
    label = ' '.join([name, *[str(np.shape(a) or a) for a in args], *options])
    return Row(label, lambda q: call(Rotation, q), lambda q: call(THEIRS, q), [QUATERNIONS], order, narrow=narrow,
               vmap=False)


def made(name, x, *args, order=2, label='', **options):
    """The quaternions, but for their sign, of rotations made from x."""
    return Row(' '.join([name, label, *args, *options, str(np.shape(x))]),
               lambda x: getattr(Rotation, name)(*args, x, **options).as_matrix(),
               lambda x: getattr(THEIRS, name)(*args, x, **options).as_matrix(), [x], order, vmap=False)


MATRICES = THEIRS.from_quat(np.concatenate([QUATERNIONS, np.eye(4), [[1, 1e-9, 0, 1e-9]]])).as_matrix()
ROWS = [
    *[Row(f'grid {method} {fill}', grid(interpolate, method=method, fill_value=fill),
          grid(scipy.interpolate, method=method, fill_value=fill, bounds_error=False), [TABLE, xi], order=order,
          narrow=None)
      for method in ('linear', 'nearest') for fill, xi, order in
      ((np.nan, INSIDE, 2), (7.0, 2 * INSIDE, 0), (None, 2 * INSIDE, 1))],
    Row('grid with more dimensions', grid(interpolate), grid(scipy.interpolate),
        [normal(3, 4, 2), INSIDE.reshape(2, 3, 2)], narrow=None),
    Row('grid of a tuple', lambda v, x, y: interpolate.RegularGridInterpolator(GRID, v)((x, y)),
        lambda v, x, y: scipy.interpolate.RegularGridInterpolator(GRID, v)((x, y)),
        [TABLE, INSIDE[:, :1], INSIDE[0, 1]], narrow=None),
    *[Row(f'spline {ends} {nu}', spline(interpolate, bc_type=ends, nu=nu),
          spline(scipy.interpolate, bc_type=ends, nu=nu),
          [KNOTS, normal(*(7, 2) if isinstance(ends, str) else (7,)), POINTS],
          order=2 if ends == 'natural' and not nu else 1) for ends in ENDS for nu in range(4)],
    *[Row(f'spline of {n} points {ends}', spline(interpolate, bc_type=ends), spline(scipy.interpolate, bc_type=ends),
          [KNOTS[:n], normal(n), POINTS], order=1) for n in (2, 3, 4) for ends in ('not-a-knot', 'natural', 'clamped')],
    Row('spline periodic', spline(interpolate, bc_type='periodic'), spline(scipy.interpolate, bc_type='periodic'),
        [KNOTS, np.array([1., 2, -1, 3, 0, 2, 1]), POINTS + 20], order=0),
    Row('spline along another axis', spline(interpolate, axis=1), spline(scipy.interpolate, axis=1),
        [KNOTS, normal(2, 7, 3), POINTS], order=1),
    Row('spline of complex numbers', spline(interpolate), spline(scipy.interpolate),
        [KNOTS, normal(7) + 1j * normal(7), POINTS], order=1),
    Row('interp1d of complex numbers', lambda x, y, t: interpolate.interp1d(x, y)(t),
        lambda x, y, t: scipy.interpolate.interp1d(x, y)(t), [KNOTS, normal(7) + 1j * normal(7), POINTS], order=1),
    Row('spline without extrapolation', spline(interpolate, extrapolate=False),
        spline(scipy.interpolate, extrapolate=False),
        [KNOTS, normal(7), POINTS + 4], order=0),
    *[Row(f'interp1d {kind}', lambda x, y, t, kind=kind: interpolate.interp1d(x, y, kind)(t),
          lambda x, y, t, kind=kind: scipy.interpolate.interp1d(x, y, kind)(t),
          [KNOTS[::-1].copy(), normal(2, 7), POINTS], order=1)
      for kind in ('linear', 'nearest', 'nearest-up', 'zero', 'previous', 'next', 'cubic')],
    *[Row(f'interp1d at points {kind}', lambda x, y, kind=kind: interpolate.interp1d(x, y, kind)(HALVES),
          lambda x, y, kind=kind: scipy.interpolate.interp1d(x, y, kind)(HALVES),
          [np.arange(7.), normal(7)], order=0, narrow=None)
      for kind in ('linear', 'nearest', 'nearest-up', 'previous', 'next')],
    *[Row(f'interp1d filled {fill}', lambda x, y, t, fill=fill: interpolate.interp1d(x, y, fill_value=fill, axis=0)(t),
          lambda x, y, t, fill=fill: scipy.interpolate.interp1d(x, y, fill_value=fill, bounds_error=False, axis=0)(t),
          [KNOTS, normal(7, 2), 3 * POINTS.reshape(3, 3)], order=0)
          for fill in (np.nan, 4.0, (1.0, 2.0), 'extrapolate')],
    *[Row(f'map_coordinates {order} {mode}', coordinates(ndimage, order=order, mode=mode, cval=0.7),
          coordinates(scipy.ndimage, order=order, mode=mode, cval=0.7),
          [IMAGE, WIDE_PLACES] if order < 2 else [IMAGE[0], WIDE_PLACES[:1]], order=0, vmap=order < 2,
          tolerance=1e-3 if order > 1 and mode in ('constant', 'nearest', 'reflect') else 1e-9)
      for order in range(6) for mode in ('constant', 'nearest', 'wrap', 'mirror', 'reflect')],
    *[Row(f'map_coordinates inside {order}', coordinates(ndimage, order=order, mode='mirror'),
          coordinates(scipy.ndimage, order=order, mode='mirror'),
          [IMAGE, PLACES], order=order < 3) for order in (1, 2, 3, 5)],
    Row('map_coordinates of one axis', coordinates(ndimage, order=3, mode='mirror'),
        coordinates(scipy.ndimage, order=3, mode='mirror'),
        [normal(8), rng.uniform(0.1, 6.9, (1, 2, 3))]),
    Row('trapezoid', integrate.trapezoid, scipy.integrate.trapezoid, [normal(3, 7), KNOTS]),
    Row('trapezoid axis', lambda y: integrate.trapezoid(y, dx=0.5, axis=0),
        lambda y: scipy.integrate.trapezoid(y, dx=0.5, axis=0), [TABLE]),
    Row('vq', cluster.vq.vq, scipy.cluster.vq.vq, [normal(6, 3), normal(4, 3)]),
    Row('vq numbers', cluster.vq.vq, scipy.cluster.vq.vq, [normal(6), normal(4)]),
    *[rotated(name, order=2) for name in ('as_matrix', 'as_mrp', 'as_rotvec', 'magnitude', 'as_quat')],
    rotated('as_quat', canonical=True), rotated('as_quat', canonical=True, scalar_first=True),
    rotated('as_rotvec', degrees=True),
    *[rotated('as_euler', seq) for seq in ('xyz', 'zxy', 'XYZ', 'YZX', 'zxz', 'ZYZ')],
    rotated('as_euler', 'xyz', degrees=True),
    rotated('apply', normal(3), narrow=None), rotated('apply', normal(5, 3), inverse=True, narrow=None),
    made('from_matrix', MATRICES, order=0), made('from_matrix', MATRICES[:5], label='smooth', order=1),
    made('from_mrp', normal(5, 3)),
    made('from_rotvec', normal(5, 3)),
    made('from_rotvec', np.concatenate([np.zeros((1, 3)), 1e-4 * normal(2, 3)]), label='small'),
    made('from_rotvec', normal(3), degrees=True), made('from_quat', normal(5, 4)),
    *[made('from_euler', normal(2, len(seq)), seq, order=1) for seq in ('x', 'zx', 'XYZ', 'zyz')],
    made('from_euler', 50.0, 'y', degrees=True),
    made('from_euler', normal(4, 1), 'y', label='several'),
    Row('product', lambda p, q: (Rotation.from_quat(p) * Rotation.from_quat(q)).as_matrix(),
        lambda p, q: (THEIRS.from_quat(p) * THEIRS.from_quat(q)).as_matrix(), [QUATERNIONS, QUATERNIONS[0]], order=1,
        vmap=False),
    Row('inverse', lambda q: Rotation.from_quat(q).inv().as_matrix(), lambda q: THEIRS.from_quat(q).inv().as_matrix(),
        [QUATERNIONS], order=1),
    Row('mean', lambda q, w: Rotation.from_quat(q).mean(w).as_matrix(),
        lambda q, w: THEIRS.from_quat(q).mean(w).as_matrix(),
        [QUATERNIONS, np.arange(1., 6)], vmap=False),
    Row('slerp', lambda q, t: Slerp.init(np.arange(5.), Rotation.from_quat(q))(t).as_matrix(),
        lambda q, t: their_transform.Slerp(np.arange(5.), THEIRS.from_quat(q))(t).as_matrix(),
        [QUATERNIONS, rng.uniform(0.1, 3.9, 4)], order=1),
]

test_values, test_jit_and_vmap, test_derivatives = checks_of(ROWS, transformed=ROWS[::2])


def test_rotations_where_axes_coincide():
    for seq in ('xyz', 'XYZ', 'zxz', 'ZXZ'):
        quat = THEIRS.from_euler(seq, [0.3, 0.0 if seq.lower() == 'zxz' else np.pi / 2, 0.4]).as_quat()
        found = THEIRS.from_euler(seq, np.asarray(Rotation.from_quat(quat).as_euler(seq)))
        np.testing.assert_allclose(found.as_matrix(), THEIRS.from_quat(quat).as_matrix(), atol=1e-7)


def test_rotations_are_sequences():
    rotations = Rotation.from_quat(QUATERNIONS)
    assert len(rotations) == 5 and rotations[1:3].quat.shape == (2, 4) and rotations[0].single
    assert len(Rotation.concatenate([rotations, rotations[0]])) == 6
    assert Rotation.identity(3).quat.shape == (3, 4)
    sizes = np.linalg.norm(np.asarray(Rotation.random(lazy.random.key(0), 7).quat), axis=-1)
    np.testing.assert_allclose(sizes, 1, rtol=1e-6)


def test_interpolators_pass_through_transformations():
    f = interpolate.RegularGridInterpolator(GRID, TABLE)
    np.testing.assert_allclose(lazy.jit(lambda f, x: f(x))(f, INSIDE), f(INSIDE))
    g = lazy.grad(lambda s: s(POINTS).sum())(interpolate.CubicSpline(KNOTS, normal(7)))
    assert g.c.shape == (4, 6)
    rotation = lazy.jit(lambda r: r * r)(Rotation.from_quat(QUATERNIONS[0]))
    assert isinstance(rotation, Rotation)


def test_integers_are_rounded():
    found = ndimage.map_coordinates(jnp.array([0, 3]), [[0.1, 0.5, 0.9]], order=1)
    assert found.tolist() == [0, 2, 3] and found.dtype == jnp.int32


@pytest.mark.parametrize('call, error, words', [
    (lambda: interpolate.RegularGridInterpolator(GRID, TABLE, 'spline'), ValueError, "method 'spline'"),
    (lambda: interpolate.RegularGridInterpolator(GRID, TABLE.T), ValueError, 'there are 4 values along axis 0'),
    (lambda: interpolate.RegularGridInterpolator(GRID, TABLE, bounds_error=True), NotImplementedError, 'bounds_error'),
    (lambda: interpolate.RegularGridInterpolator(GRID, TABLE)(normal(2, 3)), ValueError, 'have dimension 3'),
    (lambda: interpolate.CubicSpline(KNOTS, normal(5)), ValueError, 'as many as y has'),
    (lambda: interpolate.CubicSpline(KNOTS, KNOTS, bc_type='loose'), ValueError, "bc_type='loose'"),
    (lambda: interpolate.CubicSpline(KNOTS, KNOTS, bc_type=((3, 1.), (2, 0.))), ValueError, 'an end of bc_type'),
    (lambda: interpolate.interp1d(KNOTS, KNOTS, 'quintic'), NotImplementedError, "kind 'quintic'"),
    (lambda: ndimage.map_coordinates(IMAGE, [1.0], 1), ValueError, 'length input.ndim, but 1 != 2'),
    (lambda: ndimage.map_coordinates(IMAGE, [1.0, 1.0], 6), ValueError, 'between 0 and 5'),
    (lambda: ndimage.map_coordinates(IMAGE, [1.0, 1.0], 1, 'torn'), NotImplementedError, 'mode torn'),
    (lambda: cluster.vq.vq(normal(3), normal(3, 2)), ValueError, 'same rank'),
    (lambda: cluster.vq.vq(normal(3, 1), normal(3, 2)), ValueError, 'differ in length'),
    (lambda: Rotation.from_euler('xq', [1., 2.]), ValueError, 'Expected axes'),
    (lambda: Rotation.from_euler('xx', [1., 2.]), ValueError, 'consecutive'),
    (lambda: Rotation.from_euler('xyz', [1., 2.]), ValueError, r'\(..., 3\)'),
    (lambda: Rotation.from_quat(normal(3)), ValueError, r'\(..., 4\)'),
    (lambda: Rotation.identity()[0], TypeError, 'not subscriptable'),
    (lambda: len(Rotation.identity()), TypeError, 'no len'),
    (lambda: Slerp.init([1.], Rotation.identity()), ValueError, 'at least 2'),
])
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call()
