"""NumPy's functions over dtypes, shapes, special values and keywords, each from one row; every public function has a row
somewhere.

A row is an expression of x (and y) in the names of NumPy. It is evaluated for arrays of all types and of all kinds of
shapes: what NumPy refuses, or has only for other types, is left out.
"""
import importlib
import pathlib
import re
import warnings

import numpy as onp
import pytest

import lazy.numpy as np

import cases

DTYPES = 'bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 complex128'.split()
TOLERANCE = {'float16': 1e-2, 'float32': 1e-4, 'complex64': 1e-4, 'float64': 1e-9, 'complex128': 1e-9}
# shape of x, shape of y: equal, 0-d, empty, broadcast, turned round, with steps, transposed
LAYOUTS = {'plain': lambda x, y: (x, y), '0-d': lambda x, y: (x[1, 2], y[0, 1]), 'empty': lambda x, y: (x[:0], y[:0]),
           'broadcast': lambda x, y: (x[:, None], y[0]), 'turned': lambda x, y: (x[::-1, ::-1], y[:, ::-1]),
           'steps': lambda x, y: (x[::2, 1::2], y[1::2, ::2][:1]), 'transposed': lambda x, y: (x.T, y.T)}

ELEMENTWISE = cases._UNARY + '''degrees radians rad2deg acos asin atan acosh asinh atanh abs absolute conjugate invert bitwise_not
bitwise_invert bitwise_count round around fix'''.split()
BINARY = cases._BINARY + cases._INTEGERS + '''true_divide mod atan2 bitwise_left_shift bitwise_right_shift pow divmod'''.split()
REDUCED = [f'np.{f}(x{k})' for f in 'sum prod max min mean var std all any ptp amax amin count_nonzero argmax argmin median'.split()
           for k in ('', ', axis=0', ', axis=-1, keepdims=True')] + \
    [f'np.{f}(x, axis={axis}, keepdims={keep})' for f in ('sum', 'max', 'any', 'mean') for axis in ((0, 1), (-1,), ()) for keep in (0, 1)] + \
    [f'np.{f}(x, where=m{k})' for f in ('sum', 'prod', 'mean', 'all', 'any', 'var', 'std') for k in (', axis=1', '')] + \
    [f'np.{f}(x, axis=0, initial=1, where=m)' for f in ('sum', 'prod', 'max', 'min')] + \
    [f'np.{f}(x, dtype={d})' for f in ('sum', 'prod', 'mean', 'cumsum', 'cumprod') for d in ('np.float64', 'np.int64', 'np.complex64')] + \
    [f'np.{f}(x, axis={axis})' for f in 'cumsum cumprod nancumsum nansum nanprod nanmax nanmin nanmean nanmedian nanvar nanstd'.split() for axis in (None, 0, -1)] + \
    ['np.var(x, ddof=1)', 'np.std(x, axis=0, ddof=1, keepdims=True)', 'np.var(x, axis=0, mean=np.mean(x, axis=0, keepdims=True))',
     'np.average(x, axis=0)', 'np.nanargmax(x, axis=0)', 'np.nanargmin(x)', 'np.linalg.norm(x)', 'np.linalg.vector_norm(x, axis=0)']
ARRANGED = '''np.sort(x) np.sort(x,axis=0) np.argsort(x,axis=0,kind="stable") np.flip(x) np.roll(x,1,0) np.ravel(x,order="F") np.transpose(x)
np.concatenate([x,x]) np.stack([x,y],axis=-1) np.tile(x,(2,1)) np.repeat(x,2,axis=0) np.pad(x,1) np.diff(x,axis=0) np.tril(x) np.triu(x)
np.where(x!=0,x,y) np.clip(x,0,1) np.copy(x) np.atleast_1d(x) np.atleast_2d(x) np.atleast_3d(x) np.squeeze(x) np.expand_dims(x,0) np.rot90(x)
np.nan_to_num(x) np.array_equal(x,x) np.isin(x,y) np.trim_zeros(np.ravel(x)) np.partition(np.sort(x,axis=0),0,axis=0) np.outer(x,y) np.matmul(x,x.T)
np.dot(x,x.T) np.inner(x,x) np.vdot(x,x) np.tensordot(x,x.T,1) np.kron(x,y) np.trace(x) np.diagonal(x) np.take(x,0,axis=0) np.searchsorted(np.sort(np.ravel(x)),y)
np.unique(x) np.nonzero(x) np.flatnonzero(x) np.argwhere(x) np.sort(np.unique_values(x)) np.iscomplexobj(x) np.isrealobj(x) np.isscalar(x) np.histogram(np.real(x),3,(-1,1))[0]
np.zeros_like(x) np.ones_like(x) np.full_like(x,1) np.broadcast_to(x,(2,)+x.shape) np.swapaxes(x,0,-1) np.moveaxis(x,0,-1) np.apply_along_axis(np.sum,0,x)
np.fft.fft(x) np.fft.ifft(x,axis=0) np.fft.rfft(x) np.fft.fft2(x) np.fft.fftshift(x) np.linalg.matrix_transpose(x) np.vander(np.ravel(x)[:3],3)
np.tril_indices_from(x) np.triu_indices_from(x) np.diag_indices_from(x[:2,:2]) np.convolve(np.ravel(x),np.ravel(y)) np.correlate(np.ravel(x),np.ravel(y))
np.bincount(np.ravel(x)) np.digitize(np.ravel(x),np.array([0,1])) np.gradient(x,axis=0) np.interp(np.ravel(x),[-1,0,2],[3,4,5]) np.cov(x) np.polyval(np.ravel(x)[:3],y)'''.split()
ROWS = [f'np.{f}(x)' for f in dict.fromkeys(ELEMENTWISE)] + [f'np.{f}(x, y)' for f in dict.fromkeys(BINARY)] + REDUCED + ARRANGED


def arrays(dtype):
    """Two arrays (4, 6) of small values with signs and zeros, and special ones."""
    rng = onp.random.default_rng(0)
    x, y = rng.integers(-3, 4, (4, 6)), rng.integers(-3, 4, (4, 6))
    kind = onp.dtype(dtype).kind
    if kind == 'b':
        return x > 0, y > 0
    if kind == 'u':
        return abs(x).astype(dtype), abs(y).astype(dtype)
    if kind == 'i':
        return x.astype(dtype), y.astype(dtype)
    x, y = x / 4, y / 4
    if kind == 'c':
        x, y = x + 0.5j * rng.integers(-3, 4, x.shape) + 0.125j, y - 0.25j
    return x.astype(dtype), y.astype(dtype)


def special():
    values = onp.array([0., -0., 1, -1, onp.inf, -onp.inf, onp.nan, 1e-30, 3e30, 0.5, 2, -7.5])
    return values[:, None], values


def flat(value):
    return [leaf for item in value for leaf in flat(item)] if isinstance(value, (tuple, list)) else [value]


def value_of(row, module, x, y):
    mask = onp.arange(24).reshape(4, 6) % 3 > 0
    m = onp.broadcast_to(mask, x.shape) if x.shape in ((4, 6),) else onp.ones(x.shape, bool)
    return flat(eval(row, {'np': module, 'x': x, 'y': y, 'm': m}))


# What isn't as in NumPy, and why: (start of the row, part of the label, reason).
OTHERWISE = [
    ('np.reciprocal(', 'int', 'of integers are floats'), ('np.reciprocal(', 'bool', 'of booleans are floats'),
    ('np.i0(', 'special', 'inf of inf, where NumPy has nan'), ('np.floor_divide(', 'special', 'floor(x / y) at infinities too'),
    ('np.divmod(', 'special', 'floor(x / y) at infinities too'), ('np.sum(x, dtype=np.int64', 'special', 'no integer is nan'),
    ('np.cumsum(x, dtype=np.int64', 'special', 'no integer is nan'), ('np.mean(x, dtype=np.int64', 'empty', 'no integer is nan'),
    *[(f'np.{f}(', 'bool', 'of booleans are booleans, as in JAX') for f in ('square', 'conj', 'conjugate', 'round', 'around')],
    ('np.isscalar(', '0-d', 'arrays without dimensions are scalars, as in JAX'), ('np.convolve(', 'bool', 'of booleans are floats'),
    ('np.correlate(', 'bool', 'of booleans are floats'), ('np.cov(', 'complex64 empty', 'NumPy forgets the type')]
# Errors where NumPy has a result: (type, part of the message, reason).
REFUSED = [(onp.exceptions.AxisError, 'dimension 0', 'arrays without dimensions have no axis'),
           (ValueError, 'complex', 'complex numbers are ordered, but between two of them there is nothing'),
           (ValueError, 'no dimensions cannot be sorted', 'as the array API standard has it'),
           (ValueError, 'out of bounds (0)', 'nothing is the least of nothing')]


def compare(row, x, y, label):
    """What is wrong with a row for these arrays, or None."""
    if any(row.startswith(start) and part in label for start, part, _ in OTHERWISE):
        return None
    with warnings.catch_warnings(), onp.errstate(all='ignore'):
        warnings.simplefilter('ignore')
        try:
            expected = value_of(row, onp, x, y)
        except (TypeError, ValueError, IndexError, onp.linalg.LinAlgError):
            return None
        try:
            found = [onp.asarray(f) for f in value_of(row, np, np.asarray(x), np.asarray(y))]
        except (TypeError, ValueError) as error:
            known = any(type(error) is kind and part in str(error) for kind, part, _ in REFUSED)
            return None if known else f'{row} {label}: {type(error).__name__} {error}'
    if len(found) != len(expected):
        return f'{row} {label}: {len(found)} results, NumPy {len(expected)}'
    for f, e in zip(found, map(onp.asarray, expected)):
        if f.shape != e.shape or (f.dtype.kind == 'c') != (e.dtype.kind == 'c') or (f.dtype.kind == 'b') != (e.dtype.kind == 'b'):
            return f'{row} {label}: {f.dtype} {f.shape}, NumPy {e.dtype} {e.shape}'
        wide, tolerance = complex if f.dtype.kind == 'c' else float, max(TOLERANCE.get(str(d), 0) for d in (f.dtype, e.dtype))
        if not onp.allclose(f.astype(wide), e.astype(wide), tolerance, tolerance, equal_nan=True):
            return f'{row} {label}: {f.ravel()[:6]}, NumPy {e.ravel()[:6]}'
    return None


SPECIAL = tuple([f'np.{f}(' for f in (*ELEMENTWISE, *BINARY, 'sum', 'max', 'min', 'argmax', 'argmin', 'sort', 'argsort', 'cumsum',
                                      'nanmax', 'median')])


@pytest.mark.parametrize('row', ROWS)
def test_row(row):
    wrong = []
    for dtype in DTYPES:
        x, y = arrays(dtype)
        layouts = LAYOUTS if dtype in ('int32', 'float32') else {'plain': LAYOUTS['plain'], **({'empty': LAYOUTS['empty']} if dtype == 'complex64' else {})}
        wrong += [compare(row, *map(onp.asarray, layout(x, y)), f'{dtype} {name}') for name, layout in layouts.items()]
    if row.startswith(SPECIAL):
        wrong.append(compare(row, *special(), 'special values'))
    assert not any(wrong), '\n'.join([w for w in wrong if w])


# --- every function has a row ---------------------------------------------------------------------------------------------

TABLES = [*cases.PLAIN, *cases.FORCED, *cases.FUNCTIONAL, *ROWS]
# Functions of lazy.numpy that the tables can't hold, each with what is to be true of it; `path` is a file's name.
ALONE = {
    'save': 'np.save(path, x) is None and (onp.load(path) == onp.asarray(x)).all()',
    'load': 'np.save(path, x) is None and (np.load(path) == x).all() and type(np.load(path)) is np.ndarray',
    'savez': "np.savez(path, a=x) is None and (np.load(path + '.npz')['a'] == onp.asarray(x)).all()",
    'fromfile': 'onp.arange(3).tofile(path) is None and np.fromfile(path, dtype=int).tolist() == [0, 1, 2]',
    'fromiter': 'np.fromiter(range(3), np.int32).tolist() == [0, 1, 2]',
    'frombuffer': "np.frombuffer(b'\\x01\\x02', np.uint8).tolist() == [1, 2] and np.frombuffer(onp.ones(2).tobytes()).tolist() == [1, 1]",
    'fromstring': "np.fromstring('1 2', dtype=np.int32, sep=' ').tolist() == [1, 2]",
    'fromregex': "pathlib.Path(path).write_text('a 1 b 2') and np.fromregex(path, r'(\\d)', [('n', int)])['n'].tolist() == [1, 2]",
    'nditer': '[int(i) for i in np.nditer(np.arange(3))] == [0, 1, 2]', 'shares_memory': 'not np.shares_memory(x, np.ones(3))',
    'from_dlpack': '(np.from_dlpack(onp.arange(3)) == onp.arange(3)).all()',
    'frompyfunc': 'np.frompyfunc(lambda a, b: a * b, nin=2, nout=1, identity=1).reduce(x.ravel()[:3]).shape == ()',
    'einsum_path': "np.einsum_path('ij,jk', x, x.T)[0] == [(0, 1)]",
    'array_repr': 'np.array_repr(x) == repr(x)', 'array_str': 'np.array_str(x) == str(x)',
    'promote_types': "np.promote_types(np.int32, np.float16) == np.float16", 'result_type': 'np.result_type(x, 1) == x.dtype',
    'empty': 'np.empty((2, 3)).shape == (2, 3)', 'concat': '(np.concat([x, x]) == np.concatenate([x, x])).all()',
    'argpartition': '(np.take_along_axis(x, np.argpartition(x, 2), -1)[:, 2] == np.sort(x)[:, 2]).all()',
    'fill_diagonal': '(np.fill_diagonal(x, 7.0, inplace=False).diagonal() == 7).all()',
    'place': '(np.place(x, x > 0, 0, inplace=False) <= 0).all()', 'put': 'np.put(x, 1, 5.0, inplace=False)[0, 1] == 5',
    'put_along_axis': '(np.put_along_axis(x, np.argmin(x, 1, keepdims=True), 9.0, 1, inplace=False).max(1) == 9).all()'}
HELPERS = {'wrap', 'node_of', 'array_of', 'axes_of', 'axis_of', 'broadcast_shapes', 'dtype_of', 'fresh', 'inexact_array', 'promoted', 'static_int'}


@pytest.mark.parametrize('name', ALONE)
def test_alone(name, tmp_path):
    x = np.asarray(arrays('float32')[0])
    assert eval(ALONE[name], {'np': np, 'pathlib': pathlib, 'onp': onp, 'x': x, 'path': str(tmp_path / 'file.npy')})


def public(module):
    """Names of the functions that are of a module itself."""
    found = {n: getattr(module, n) for n in dir(module) if not n.startswith('_') and n not in HELPERS}
    return {n for n, f in found.items() if callable(f) and not isinstance(f, type)
            and (getattr(f, '__module__', None) or '').startswith('lazy')}


def test_every_function_of_numpy_has_a_row():
    text = '\n'.join(TABLES) + (TESTS / 'numpy' / 'test_host.py').read_text()
    assert public(np) - set(re.findall(r'np\.(\w+)', text)) - set(ALONE) == set()
    for module in (np.linalg, np.fft):
        rows = set(re.findall(rf'np\.{module.__name__.rpartition(".")[2]}\.(\w+)', text))
        assert {n for n in public(module) - rows if getattr(module, n) is not getattr(np, n, None)} == set()


TESTS = pathlib.Path(__file__).parent.parent
SCIPY = {'special': 'test_special*.py', 'linalg': 'test_scipy_linalg.py', 'fft': '*/cases.py test_scipy_fft.py', 'signal': 'test_scipy_signal.py',
         'interpolate': 'test_scipy_interpolation.py', 'ndimage': 'test_scipy_ndimage.py test_scipy_interpolation.py', 'integrate': 'test_scipy_interpolation.py',
         'cluster.vq': 'test_scipy_interpolation.py', 'spatial.transform': 'test_scipy_interpolation.py',
         'sparse.linalg': 'test_scipy_sparse.py', 'stats': 'test_stats.py'}


@pytest.mark.parametrize('name', SCIPY)
def test_every_function_of_scipy_has_a_row(name):
    module = importlib.import_module(f'lazy.scipy.{name}')
    text = '\n'.join(path.read_text() for pattern in SCIPY[name].split() for path in TESTS.glob(pattern))
    names = set(module.__all__) if hasattr(module, '__all__') else public(module)
    named = set(re.findall(r'\w+', text)) | {f'{f}_filter1d' for f in ('maximum', 'minimum')} | {f'{f}_filter' for f in ('maximum', 'minimum')}
    assert names - named == set()
