"""Expressions that mean the same in NumPy, JAX and here, and the arrays that they are about.

One line is one case: evaluated by NumPy for the value, by JAX (where installed) for shape and dtype.
"""
import numpy as onp

_r = onp.random.RandomState(0)


def _f(*shape):
    return _r.uniform(0.1, 0.9, shape).astype(onp.float32)


ARRAYS = {
    's': onp.float32(0.6).reshape(()), 'v': _f(5), 'w': _f(5), 'm': _f(3, 4), 'c': _f(3, 1), 't': _f(2, 3, 4), 'q': _f(3, 3),
    'g': _r.uniform(-3, 3, (4, 3)).astype(onp.float32), 'd': _r.uniform(-3, 3, 6), 'h': _f(6).astype(onp.float16),
    'e': onp.zeros((0, 3), onp.float32), 'r': _f(8)[::-2], 'f': onp.asfortranarray(_f(3, 4)),
    'i': onp.array([[3, -1, 4], [1, -5, 9]], onp.int32), 'j': onp.array([2, 7, 1, 8, 2, 8], onp.int32),
    'k': onp.array([0, 2, 1, 1], onp.int32), 'u': onp.array([1, 200, 7], onp.uint8), 'l': onp.array([5, -6, 7], onp.int64),
    'b': onp.array([True, False, True, True]), 'n': onp.array([[1, onp.nan, 3], [4, 5, onp.nan]], onp.float32),
    'o': onp.array([onp.inf, -onp.inf, onp.nan, 0.0, -0.0, 1.5], onp.float32),
    'z': (_r.randn(4) + 1j * _r.randn(4)).astype(onp.complex64), 'Z': (_r.randn(3, 3) + 1j * _r.randn(3, 3)).astype(onp.complex64),
    'bm': onp.array([[True, False, True, False], [False, False, False, False], [True, True, True, True]]),
}

_UNARY = '''sqrt cbrt exp expm1 log log1p sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arctanh negative floor ceil
trunc isnan isinf isfinite abs fabs positive sign signbit square reciprocal exp2 log2 log10 real imag conj angle rint
isposinf isneginf isreal iscomplex sinc deg2rad rad2deg nan_to_num logical_not spacing i0'''.split()
_BINARY = '''add subtract multiply divide floor_divide remainder fmod maximum minimum fmax fmin arctan2 hypot nextafter copysign
logaddexp logaddexp2 equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor power
float_power heaviside isclose'''.split()
_INTEGERS = 'bitwise_and bitwise_or bitwise_xor left_shift right_shift gcd lcm'.split()
_COMPLEX = '''sqrt exp log sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh negative abs square
reciprocal exp2 log2 log10 real imag conj angle isreal iscomplex sign isnan isfinite'''.split()
_REDUCTIONS = 'sum prod max min mean var std all any ptp count_nonzero median'.split()
_NAN = 'nansum nanprod nanmax nanmin nanmean nanvar nanstd nanmedian'.split()

ELEMENTWISE = [
    *[f'np.{f}({a})' for f in _UNARY for a in 'sv'], *[f'np.{f}(o)' for f in _UNARY if f not in ('spacing', 'i0')],
    *[f'np.{f}({a})' for f in 'abs sign square sqrt exp negative floor isnan'.split() for a in 'iml'],
    *[f'np.{f}({a})' for f in _BINARY for a in ('v, w', 'm, c', 'm, 0.5', 'e, s')],
    *[f'np.{f}(g, g[::-1])' for f in 'floor_divide remainder fmod arctan2 copysign maximum'.split()],
    *[f'np.{f}(o[:, None], o)' for f in 'maximum minimum fmax fmin hypot logaddexp equal less'.split()],
    *[f'np.{f}({a})' for f in _INTEGERS for a in ('j, 3', 'np.abs(i), np.array([1, 2, 3], np.int32)')],
    *[f'np.{f}(z, z[::-1])' for f in 'less less_equal greater greater_equal maximum minimum fmax fmin'.split()], 'z < z[::-1]',
    *[f'np.{f}(np.array([0, 3 + 4j, complex(-np.inf, 2), complex(np.inf, -np.inf)], np.complex64))' for f in ('log2', 'log10')],
    'np.fmax(i, 2)', 'np.digitize(i, np.array([9, 4, 3, -1]))', 'np.digitize(o, np.array([2.0, 1.5, 0.0]), right=True)', 'np.digitize(i, np.array([-1, 3, 9]), True)', "np.choose(np.array([0, -1, 5]), [v[:3], w[:3]], mode='clip')", 'np.max(np.zeros((0, 2), np.complex64), axis=())', 'np.add(i, j[:3], dtype=np.float32)', 'np.exp(i, dtype=np.float32)',
    *[f'np.{f}(z)' for f in _COMPLEX], 'z * z', 'z / z[::-1]', 'z + v[:4]', 'np.equal(z, z)', 'np.power(z, 2)',
    'np.arccosh(1 + v)', 'np.invert(i)', 'np.invert(b)', 'np.bitwise_count(i)', 'np.divmod(g, 0.7)', 'np.divmod(i, 2)',
    'np.modf(g)', 'np.frexp(g)', 'np.frexp(o[3:])', 'np.ldexp(v, k[0])', 'np.ldexp(v, np.array([-3, 0, 1, 5, 20], np.int32))',
    'np.round(g, 2)', 'np.round(g)', 'np.round(i, -1)', 'np.unwrap(np.cumsum(g[:, 0]))', 'np.unwrap(g * 5)', 'np.angle(g, deg=True)',
    'np.floor_divide(i, 2)', 'np.remainder(i, -3)', 'np.fmod(i, -3)', 'np.isclose(n, n, equal_nan=True)',
    'np.nan_to_num(o, nan=1.0, posinf=2.0, neginf=3.0)', 'np.clip(g, -1, 1)', 'np.clip(i, 0, None)', 'np.power(i, 2)',
    'np.exp(h)', 'h + 1', 'h * v[0]', 'u + u', 'u + i[0]', 'l + 1', 'd * 2', 'i / 2', 'i // 2', 'i % 4', 'i ** 2', '2.0 ** v', '-i',
    '~b', 'b & True', 'b | b', 'i << 1', 'i >> 1', '(u + np.uint8(200)) >> 1', 'np.right_shift(~u, u)', 'v > 0.5', '1 - v', '1 / v', 'abs(g)', 'i == 3', 'l * 1.5', 'b + b', 'b * 2.0',
]

REDUCTIONS = [
    *[f'np.{f}({a})' for f in _REDUCTIONS for a in ('s', 'v', 'm', 'r', 'f', 'i', 'm, axis=0', 'm, axis=-1', 't, axis=(0, 2)',
                                                    'm, axis=1, keepdims=True', 't, keepdims=True', 'i, axis=0', 'h')],
    *[f'np.{f}({a})' for f in 'sum prod mean var std all any'.split() for a in ('e', 'e, axis=1', 'b')],
    *[f'np.{f}(n{a})' for f in _NAN for a in ('', ', axis=0', ', axis=1, keepdims=True')],
    *[f'np.{f}(n{a})' for f in 'sum max min mean median'.split() for a in ('', ', axis=0')],
    *[f'np.{f}({a})' for f in ('argmax', 'argmin') for a in ('v', 'm', 'i', 'i, axis=0', 'm, axis=-1', 't, axis=1, keepdims=True',
                                                             'n', 'n, axis=1', 'b', 's', 'j')],
    'np.nanargmax(n, axis=1)', 'np.nanargmin(n)', 'np.sum(m, where=bm)', 'np.sum(m, axis=0, initial=2.0)', 'np.sum(i, dtype=np.float32)',
    'np.prod(m, where=bm, axis=1)', 'np.max(m, where=bm, initial=0.0)', 'np.min(m, axis=0, where=bm, initial=9.0)', 'np.max(e, initial=1.0)',
    'np.mean(m, where=bm[:1])', 'np.var(m, axis=1, ddof=1)', 'np.std(m, ddof=1)', 'np.mean(m, axis=0, where=bm, keepdims=True)',
    'np.var(m, where=bm)', 'np.mean(i)', 'np.mean(z)', 'np.var(z)', 'np.sum(z)', 'np.prod(z)', 'np.max(z)', 'np.min(Z, axis=0)',
    'np.argmax(z)', 'np.mean(h)', 'np.sum(u)', 'np.sum(b)', 'np.sum(l)', 'np.sum(d)', 'np.all(m > 0, axis=0)', 'np.any(bm, axis=1)',
    'np.all(bm, where=bm)', 'np.any(bm, axis=0, keepdims=True)', 'np.average(m, axis=0, weights=np.array([1., 2., 3.], np.float32))',
    'np.average(m)', 'np.average(m, weights=f, returned=True)', 'np.cumsum(v)', 'np.cumsum(m, axis=1)', 'np.cumsum(m)', 'np.cumprod(m, axis=0)',
    'np.cumsum(b)', 'np.cumsum(i, axis=0)', 'np.nancumsum(n, axis=1)', 'np.nancumprod(n)', 'np.cumulative_sum(v, include_initial=True)',
    'np.cumulative_prod(m, axis=1)', 'np.trace(q)', 'np.trace(t, 1, 0, 2)', 'np.allclose(m, m)', 'np.array_equal(m, f)', 'np.array_equal(n, n, equal_nan=True)',
    'np.array_equiv(v, v[None])', 'np.trapezoid(t, dx=t[:, :, 1:] + 1, axis=2)', 'np.trapezoid(t, t, 1)', 'np.trapezoid(v)', 'np.trapezoid(m, dx=0.5, axis=0)', 'np.trapezoid(v, np.cumsum(w))', 'np.cumsum(e, axis=0)',
    'np.quantile(v, 0.3)', 'np.quantile(m, 0.3, axis=0)', 'np.percentile(t, 40, axis=(0, 1), keepdims=True)', 'np.quantile(n, 0.5, axis=0)',
    'np.quantile(m, np.array([0.1, 0.5, 0.9], np.float32), axis=1)', 'np.nanquantile(n, 0.4, axis=1)', 'np.nanpercentile(n, 40)', 'np.median(j)',
    *[f"np.quantile(m, {q}, axis=1, method='{method}')" for q in (0.0, 0.37, 0.5, 1.0)
      for method in ('lower', 'higher', 'nearest', 'midpoint', 'hazen', 'weibull', 'median_unbiased')],
    'm.sum()', 'm.mean(axis=0)', 'm.max(1)', 'm.std()', 'm.argmax(0)', 'b.any()', 'v.cumsum()', 'm.min()', 'q.trace()',
]

SHAPES = [
    'np.reshape(m, (4, 3))', "np.reshape(m, (2, -1), order='F')", 'm.reshape(2, 6)', 'm.reshape((-1,))', 'np.ravel(t)', "m.ravel(order='F')",
    'np.transpose(t)', 'np.transpose(t, (1, 0, 2))', 't.transpose(2, 0, 1)', 't.T', 'np.moveaxis(t, 0, -1)', 'np.moveaxis(t, (0, 1), (-1, 0))',
    'np.swapaxes(t, 0, 2)', 'np.rollaxis(t, 2)', 'np.rollaxis(t, 0, 3)', 'np.squeeze(c)', 'np.squeeze(c, axis=1)', 'np.expand_dims(v, 0)',
    'np.expand_dims(v, (0, 2))', 'np.broadcast_to(c, (2, 3, 4))', 'np.broadcast_arrays(m, c)', 'np.flip(m)', 'np.flip(m, 0)', 'np.fliplr(m)',
    'np.flipud(m)', *[f'np.rot90(t, {k}, (0, 2))' for k in range(-1, 5)], 'np.roll(m, 2)', 'np.roll(m, -1, 1)', 'np.roll(m, (1, 2), (0, 1))', 'np.tile(v, 2)',
    'np.tile(m, (2, 1))', 'np.tile(v, (2, 3))', 'np.tile(t, 2)', 'np.repeat(v, 3)', 'np.repeat(m, 2, axis=1)', 'np.repeat(s, 3)',
    'np.atleast_1d(s)', 'np.atleast_2d(v)', 'np.atleast_3d(m)', 'np.atleast_3d(v)', 'np.atleast_2d(s, v)', 'np.concatenate([m, f])',
    'np.concatenate([m, c], axis=1)', 'np.concatenate([m, v], axis=None)', 'np.concatenate([v, i[0]])', 'np.stack([v, w])', 'np.stack([m, f], axis=-1)', 'np.vstack([v, w])', 'np.hstack([v, w])',
    'np.hstack([m, c])', 'np.dstack([v, w])', 'np.column_stack([v, w])', 'np.block([[m, c], [f, c]])', 'np.append(m, v)', 'np.append(m, f, axis=0)',
    'np.split(m, 2, axis=1)', 'np.split(v, [1, 3])', 'np.array_split(v, 3)', 'np.hsplit(m, 2)', 'np.vsplit(m, 3)', 'np.dsplit(t, 2)', 'np.unstack(m)',
    'np.split(v, [3, 1, 9])', 'np.pad(v, 2)', 'np.pad(m, ((1, 0), (2, 3)), constant_values=7)', 'np.pad(m, 1, constant_values=((1, 2), (3, 4)))',
    *[f"np.pad(m, ((2, 1), (0, 5)), mode='{mode}')" for mode in ('edge', 'reflect', 'symmetric', 'wrap', 'linear_ramp', 'maximum', 'minimum', 'mean', 'median')],
    "np.pad(v, 3, mode='reflect', reflect_type='odd')", "np.pad(v, (7, 11), mode='reflect')", "np.pad(v, 1, mode='mean', stat_length=2)",
    'np.diagonal(m)', 'np.diagonal(m, 1)', 'np.diagonal(m, -1)', 'np.diagonal(t, 0, 1, 2)', 'np.diagonal(m, 9)', 'np.diff(v)', 'np.diff(m, 2, axis=0)',
    'np.diff(v, prepend=0.0)', 'np.diff(v, append=w)', 'np.diff(b)', 'np.ediff1d(m)', 'np.ediff1d(v, to_begin=w[:1], to_end=w)', 'np.resize(v, (3, 3))', 'np.diag(v)', 'np.diag(v, -2)',
    'np.diag(m, 1)', 'np.diagflat(m, 1)', 'np.tril(m)', 'np.triu(m, 1)', 'np.tril(t, -1)', 'np.triu(m, -1)', 'np.matrix_transpose(t)', 'np.delete(m, 1, axis=1)',
    'np.delete(v, [0, 2])', 'np.delete(v, slice(1, 3))', 'np.insert(v, 2, 7.0)', 'np.insert(m, 1, v[:3], axis=1)', 'np.insert(v, [1, 1, 4], w[:3])', 'np.permute_dims(t, (2, 0, 1))',
    'np.concatenate([e, m[:, :3]])', 'np.stack([e, e])', 'm.flatten()', 'm.swapaxes(0, 1)', 'v.repeat(2)', 'q.diagonal()', 'c.squeeze()', 'v.astype(np.int32)', 'z.real', 'z.imag', 'z.conj()',
    'np.vander(v)', 'np.vander(j, 3, increasing=True)', 'np.meshgrid(v, w[:2])', "np.meshgrid(v, w[:2], indexing='ij', sparse=True)", 'np.ix_(k, k)',
    'm[1]', 'm[:, 1]', 'm[::-1, ::2]', 'm[None, ..., 0]', 'v[k]', 'm[k[:2], k[:2]]', 't[:, k[:2]]', 't[:, k[:2], 1]', 'v[-1]', 'm[np.array([[0], [2]]), np.array([1, 3])]',
]

CREATION = [
    'np.zeros((2, 3), np.float32)', 'np.ones(3, np.int32)', 'np.full((2,), 7.0, np.float32)', 'np.full((2, 3), v[:3])', 'np.zeros_like(m)', 'np.ones_like(i)', 'np.full_like(m, 2)',
    'np.full_like(i, 2.7)', 'np.empty_like(m).shape', 'np.arange(5, dtype=np.int32)', 'np.arange(2, 9, 3, dtype=np.int32)', 'np.arange(0, 1, 0.1, dtype=np.float32)', 'np.arange(5, 0, -1, dtype=np.int32)',
    'np.arange(3, 3, dtype=np.int32)', 'np.linspace(0, 1, 7, dtype=np.float32)', 'np.linspace(-1, 2, 5, endpoint=False, dtype=np.float32)', 'np.linspace(v, w, 4)', 'np.linspace(v, w, 4, axis=1)',
    'np.linspace(0, 10, 1, dtype=np.float32)', 'np.linspace(1, 5, 3, dtype=np.int32)', 'np.logspace(0, 2, 5, dtype=np.float32)', 'np.geomspace(1, 1000, 4, dtype=np.float32)', 'np.eye(3, dtype=np.float32)',
    'np.eye(2, 4, 1, dtype=np.int32)', 'np.identity(2, dtype=np.float32)', 'np.tri(3, 4, -1, dtype=np.float32)', 'np.indices((2, 3), dtype=np.int32)', 'np.indices((2, 3), dtype=np.int32, sparse=True)',
    'np.array([1.5, 2.5], np.float32)', 'np.array([[1, 2], [3, 4]], np.int32)', 'np.asarray(m)', 'np.array(3, np.float32)', 'np.array([v, w])', 'np.array(m, ndmin=3)', 'np.copy(m)',
    'np.tril_indices(3)', 'np.triu_indices(3, 1)', 'np.diag_indices(3)', 'np.mgrid[0:3, 0:2]', 'np.ogrid[0:3, 0:2]', 'np.mgrid[0:1:3j]', 'np.r_[v, 0.5, w]', 'np.c_[v, w]',
    'np.bartlett(5).astype(np.float32)', 'np.blackman(6).astype(np.float32)', 'np.hamming(5).astype(np.float32)', 'np.hanning(5).astype(np.float32)', 'np.kaiser(6, 3.0).astype(np.float32)',
    'np.fromfunction(lambda a, b: a + 2 * b, (2, 3), dtype=np.float32)', 'np.astype(i, np.float32)', 'np.isdtype(np.float32, "real floating")', 'np.issubdtype(np.int32, np.integer)', 'np.finfo(np.float32).max',
    'np.iinfo(np.int8).max', 'np.can_cast(np.int32, np.int64)', 'np.broadcast_shapes((3, 1), (1, 4))', 'np.shape(t)', 'np.size(t, 1)', 'np.ndim(t)',
    'np.arange(10, dtype=np.uint8)', 'np.zeros(0, np.float32)', 'np.eye(0, dtype=np.float32)',
]

INDEXING = [
    'np.where(m > 0.5, m, 0)', 'np.where(bm, m, c)', 'np.where(b, 1, 2)', 'np.select([v > 0.7, v > 0.4], [v, w], 0.0)', 'np.clip(m, 0.2, 0.6)', 'np.clip(m, c, None)', 'np.choose(k, [v[:4], w[:4], v[1:]])',
    "np.choose(np.array([0, 5], np.int32), [v[:2], w[:2]], mode='clip')", 'np.take(v, k)', 'np.take(m, k[:2], axis=0)', 'np.take(t, k[:2], axis=1)', 'np.take(m, 1, axis=1)', "np.take(v, j, mode='wrap')",
    "np.take(v, j, mode='clip')", 'np.take_along_axis(m, np.argsort(m, axis=1), axis=1)', 'np.take_along_axis(m, np.argmax(m, axis=0, keepdims=True), axis=0)', 'np.take_along_axis(v, k, axis=0)',
    'np.ravel_multi_index((np.array([1, 2]), np.array([0, 3])), (3, 4))', 'np.unravel_index(np.array([5, 11]), (3, 4))', 'np.piecewise(v, [v < 0.3, v > 0.6], [lambda a: -a, lambda a: 2 * a, 7.0])',
    'm.take(k[:2], axis=1)', 'm.clip(0.3, 0.5)', 'k.choose([v[:4], w[:4], v[1:]])',
]
FORCED = [                                     # shapes depend on values: no jit
    'np.nonzero(i > 0)', 'np.flatnonzero(b)', 'np.argwhere(bm)', 'np.where(bm)', 'np.compress(b, m, axis=1)', 'np.extract(m > 0.5, m)', 'm[bm]', 'm[bm[:, 0]]', 'v[v > 2]', 'np.unique(j)', 'np.unique(n)',
    'np.unique(j, return_index=True, return_inverse=True, return_counts=True)', 'np.unique(k[:, None] > 0, axis=0)', 'np.unique(np.concatenate([i, i]), axis=0, return_counts=True)', 'np.unique(np.array([[1, 1], [2, 2]]), axis=1)', 'np.union1d(j, k)',
    'np.intersect1d(j, k)', 'np.setdiff1d(j, k)', 'np.setxor1d(j, k)', 'np.intersect1d(j, k, return_indices=True)', 'np.trim_zeros(np.array([0, 0, 1, 0, 2, 0]))', 'np.bincount(j)', 'np.bincount(k, weights=v[:4], minlength=6)',
    'np.repeat(v[:4], k)', 'np.repeat(m, np.array([1, 0, 2]), axis=0)', 'np.unique_counts(j)', 'np.unique_all(j)', 'np.unique_inverse(j)', 'np.mask_indices(3, np.triu)', 'b.nonzero()', 'np.delete(j[:4], b)',
    'np.unique(e)', 'np.unique(Z)', 'np.histogram_bin_edges(v, "auto")',
]
SORTING = [
    'np.sort(g)', 'np.sort(g, axis=0)', 'np.sort(m, axis=None)', 'np.sort(o)', 'np.sort(i)', 'np.sort(z)', 'np.sort(b)', 'np.sort(e)', 'np.argsort(v)', 'np.argsort(m, axis=0)', 'np.argsort(j, stable=True)', 'np.argsort(o)', 'np.lexsort((j, j[::-1]))',
    'np.sort_complex(z)', 'np.partition(np.sort(v), 2)', 'np.searchsorted(np.sort(v), w)', "np.searchsorted(np.sort(j), j, side='right')", 'np.searchsorted(np.sort(v), 0.5)', 'np.digitize(v, np.array([0.2, 0.5, 0.8], np.float32))',
    'np.digitize(v, np.array([0.8, 0.5, 0.2], np.float32), right=True)', 'np.isin(j, k)', 'np.isin(j, [1, 2], invert=True)', 'np.histogram(v, 4)', 'np.histogram(v, 4, range=(0, 1))', 'np.histogram(g, np.array([-2, 0, 1, 3], np.float32), density=True)',
    'np.histogram2d(v, w, 3)', 'np.histogramdd(g, 2)', 'np.histogram_bin_edges(v, 3)', 'np.interp(v, np.array([0.2, 0.5, 0.8], np.float32), w[:3])', 'np.interp(v, np.array([0.2, 0.5], np.float32), w[:2], left=-1.0, right=2.0)',
    'np.interp(g, np.array([0.2, 0.5, 0.8], np.float32), w[:3], period=1.0)', 'np.gradient(v)', 'np.gradient(v, edge_order=2)', 'np.gradient(m, 0.5, axis=1, edge_order=2)', 'np.gradient(v, np.cumsum(w), edge_order=2)', 'np.interp(d, np.arange(4.), np.array([0., np.inf, np.inf, 2.]))', 'np.convolve(v, 2.0)', 'np.gradient(m)', 'np.gradient(m, 2.0, axis=0)', 'np.gradient(v, np.cumsum(w))', 'np.cov(m)', 'np.cov(m, rowvar=False)', 'np.cov(v, w)', 'np.cov(v)', 'np.corrcoef(m)',
    'np.corrcoef(v, w)', 'np.packbits(b)', 'np.packbits(bm, axis=1)', 'np.unpackbits(u)', 'np.unpackbits(u, count=10)', 'np.cov(m, fweights=k)', 'np.cov(m, aweights=v[:4])',
]
PRODUCTS = [
    'np.dot(v, w)', 'np.dot(m, f.T)', 'np.dot(t, f.T)', 'np.dot(t, m.T)', 'np.dot(s, v)', 'np.matmul(m, f.T)', 'np.matmul(t, f.T)', 'm @ v[:4]', 'v[:3] @ m', 'np.matmul(q, t)', 'np.matmul(t, t[:1].transpose(0, 2, 1))',
    'v[:4] @ t.transpose(0, 2, 1)', 'np.matmul(i, i.T)', 'z @ z', 'np.vdot(z, z)', 'np.vdot(m, f)', 'np.vecdot(z, z)', 'np.vecdot(m, c.T[:, :1] * m)', 'np.vecdot(t, m)', 'np.matvec(t, v[:4])', 'np.vecmat(v[:3], t)', 'np.inner(m, f)', 'np.inner(v, w)', 'np.inner(t, m)',
    'np.outer(v, w)', 'np.tensordot(t, t, axes=([0, 2], [0, 2]))', 'np.tensordot(t, f.T, axes=1)', 'np.tensordot(v, w, axes=0)', 'np.kron(m, c)', 'np.kron(v, w)', 'np.kron(m, v)', 'np.cross(q, q[::-1])', 'np.cross(v[:3], w[:3])', 'np.cross(g, q[0])', 'h @ h', 'i @ i.T', 'b @ b', 'e.T @ e',
    "np.einsum('ij->ji', m)", "np.einsum('ij,jk->ik', m, f.T)", "np.einsum('ii', q)", "np.einsum('ii->i', q)", "np.einsum('ij,ij->i', m, f)", "np.einsum('i,j->ij', v, w)", "np.einsum('bij,jk->bik', t, f.T)", "np.einsum('...ij->...', t)", "np.einsum('...j,j', t, v[:4])",
    "np.einsum('ij,jk,kl->il', m, f.T, m)", "np.einsum('i,i,i', v, w, v)", "np.einsum('ab,bc,cd,de->ae', q, q, q, q, optimize='greedy')", "np.einsum(m, [0, 1], f, [0, 1], [0])", "np.einsum('ij,ik->jk', c, m)", "np.einsum('i->', v)", "np.einsum('bij,bjk->bik', t, t.transpose(0, 2, 1))",
    "np.einsum('...i,...i->...', t, m)", 'np.convolve(v, w[:3])', "np.convolve(v, w[:3], 'same')", "np.convolve(v, w[:2], 'same')", "np.convolve(w[:3], v, 'valid')", 'np.correlate(v, w[:3])', "np.correlate(v, w[:2], 'full')", "np.correlate(z[:2], z, 'full')", "np.correlate(v, w[:4], 'same')", 'np.convolve(i[0], i[1])',
    'v.dot(w)', 'm.dot(f.T)', 'm.T @ f',
]
FUNCTIONAL = [
    'np.add.reduce(m)', 'np.add.reduce(m, axis=None, keepdims=True)', 'np.multiply.accumulate(m, axis=1)', 'np.maximum.reduce(m, axis=1)', 'np.maximum.accumulate(g)', 'np.subtract.outer(v, w)', 'np.logical_or.reduce(bm)', 'np.subtract.reduce(m)',
    'np.add.reduceat(v, [0, 2, 4])', 'np.multiply.outer(m, v)',
    'np.apply_along_axis(lambda a: a - a.mean(), 1, m)', 'np.apply_along_axis(lambda a: a.sum(), 0, m)', 'np.apply_over_axes(np.sum, t, (0, 2))',
    "np.vectorize(lambda a, b: a + 2 * b)(v, w)", "np.vectorize(lambda a, b: a + 2 * b)(m, c)", "np.vectorize(lambda a, b: a @ b, signature='(n),(n)->()')(t, m[:, :4])",
]
_SPD = 'q @ q.T + np.eye(3, dtype=np.float32)'
_BIG = '(np.arange(25, dtype=np.float32).reshape(5, 5) ** 2 % 7)'
LINALG = [
    *[f'np.linalg.norm({a})' for a in ('v', 'm', 't', 'z', 'i', 'm, axis=1', 'm, axis=0, keepdims=True', 't, axis=(0, 2)', 'v, 1', 'v, 3', 'v, 0', 'v, np.inf', 'v, -np.inf', 'm, np.inf', 'm, 1', 'm, -1', 'm, 2', "m, 'nuc'", "m, 'fro'",
                                       't, 2, axis=(1, 2)', 't, 1, axis=(0, 1), keepdims=True', 'm, 1, axis=1', 'h')],
    'np.linalg.vector_norm(m)', 'np.linalg.vector_norm(m, axis=0, ord=1)', 'np.linalg.matrix_norm(t)', 'np.linalg.matrix_norm(t, ord=2)', f'np.linalg.solve({_SPD}, v[:3])', f'np.linalg.solve({_SPD}, m)', f'np.linalg.inv({_SPD})', f'np.linalg.cholesky({_SPD})',
    'np.linalg.inv(Z)', f'np.linalg.det({_SPD})', f'np.linalg.det({_BIG})', 'np.linalg.det(q[:2, :2])', 'np.linalg.det(Z)', f'np.linalg.slogdet({_BIG})', 'np.linalg.slogdet(Z)', 'np.abs(np.linalg.qr(m).R)', 'np.abs(np.linalg.qr(m, "complete").Q)[:, 0]', 'np.linalg.svdvals(m)',
    'np.linalg.svd(m, compute_uv=False)', 'np.abs(np.linalg.svd(m, full_matrices=False).U)', f'np.linalg.eigh({_SPD}).eigenvalues', f'np.linalg.eigvalsh({_SPD})', 'np.sort(np.abs(np.linalg.eigvals(q)))', f'np.sort(np.real(np.linalg.eig({_SPD})[0]))', 'np.linalg.pinv(m)', 'np.linalg.pinv(t)',
    'np.linalg.matrix_rank(m)', 'np.linalg.matrix_rank(np.ones((3, 3), np.float32))', 'np.linalg.lstsq(m.T, v[:4])[0]', 'np.linalg.lstsq(m.T, f.T)[1]', 'np.linalg.matrix_power(q, 5)', 'np.linalg.matrix_power(q, -2)', 'np.linalg.matrix_power(i[:, :2], 3)', 'np.linalg.matrix_power(q, 0)',
    f'np.linalg.cond({_SPD})', f'np.linalg.cond({_SPD}, 1)', f"np.linalg.cond({_SPD}, 'fro')", 'np.linalg.cond(np.zeros((2, 2), np.float32), 1)', 'np.linalg.cond(np.stack([q, q]), -np.inf)', 'np.linalg.multi_dot([m, f.T, q])', 'np.linalg.multi_dot([v[:3], m, v[:4]])', 'np.linalg.tensorinv(np.eye(6, dtype=np.float32).reshape(2, 3, 3, 2) + 0.1)', 'np.linalg.tensorsolve(np.eye(6, dtype=np.float32).reshape(2, 3, 6), v[:6].sum() + m[:2, :3])',
    'np.linalg.cross(q, q[::-1])', 'np.linalg.diagonal(t)', 'np.linalg.trace(t)', 'np.linalg.outer(v, w)', 'np.linalg.matmul(m, f.T)', 'np.linalg.matrix_transpose(t)', 'np.linalg.tensordot(m, f.T, axes=1)', 'np.linalg.vecdot(m, f)',
]
FFT = [
    *[f'np.fft.{f}({a})' for f in ('fft', 'ifft', 'rfft', 'ihfft') for a in ('v', 'm', 'm, axis=0', 'v, 8', 'v, 3', 'v, norm="ortho"', 'v, norm="forward"')],
    *[f'np.fft.{f}({a})' for f in ('fft', 'ifft', 'irfft', 'hfft') for a in ('z', 'Z, axis=0', 'z, 5', 'z, norm="ortho"', 'z, norm="forward"')],
    *[f'np.fft.{f}({a})' for f in ('fft2', 'ifft2', 'fftn', 'ifftn', 'rfft2', 'rfftn') for a in ('m', 't', 'm, (2, 6)', 'm, axes=(1, 0)')],
    'np.fft.irfft2(Z)', 'np.fft.irfftn(Z)', 'np.fft.fftn(t, axes=(0, 2))', 'np.fft.fftfreq(5)', 'np.fft.rfftfreq(6, 0.5)', 'np.fft.fftshift(m)', 'np.fft.fftshift(v)', 'np.fft.ifftshift(m, axes=1)',
]
POLYNOMIALS = [
    'np.polyval(v, w)', 'np.polyval(v, 2.0)', 'np.polyadd(v, w[:2])', 'np.polysub(w[:2], v)', 'np.polymul(v, w[:3])', 'np.polydiv(v, w[:3])[0]', 'np.polyder(v)', 'np.polyder(v, 2)', 'np.polyint(v)', 'np.polyint(v, 2, k=np.array([1, 2]))', 'np.poly(v)',
    'np.sort(np.abs(np.roots(np.array([1., -6., 11., -6.], np.float32))))', 'np.polyfit(v, w, 2)', 'np.polyfit(v, w, 1, w=v)', 'np.polyfit(v, w, 1, cov=True)',
]
PLAIN = ELEMENTWISE + REDUCTIONS + SHAPES + CREATION + INDEXING + SORTING + PRODUCTS + LINALG + FFT + POLYNOMIALS
