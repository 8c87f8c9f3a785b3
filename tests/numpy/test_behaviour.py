"""Errors, sizes that values decide, transformations, protocols and types of lazy.numpy."""
import copy
import pickle

import numpy as onp
import pytest

import lazy
import lazy.numpy as np

x = onp.arange(12, dtype=onp.float32).reshape(3, 4) / 7 + 0.1

ERRORS = [
    ('np.sum(x, axis=2)', onp.exceptions.AxisError, 'axis 2 is out of bounds for array of dimension 2'),
    ('np.sum(x, axis=(0, 0))', ValueError, 'duplicate'), ('np.sum(x, axis=1.5)', TypeError, 'integer'),
    ('np.max(np.zeros((0, 3)))', ValueError, 'no identity'),
    ('np.max(x, where=x > 1)', ValueError, 'identity'), ('np.argmax(np.zeros((0,)))', ValueError, 'empty'),
    ('np.sum("abc")', TypeError, 'str'), ('np.sin(None)', TypeError, 'NoneType'),
    ('np.sum(x, out=x)', TypeError, 'immutable'), ('np.add(x, np.ones(3))', ValueError, r'\(3, 4\) \(3,\)'),
    ('x @ x', TypeError, r'\(3, 4\)'), ('np.matmul(1.0, x)', ValueError, 'ndim'),
    ('np.dot(x, np.ones(3))', TypeError, 'incompatible'), ('np.reshape(x, (5, 2))', TypeError, r'\(5, 2\)'),
    ('np.reshape(x, (-1, -1))', ValueError, 'one unknown'), ('np.transpose(x, (0, 0))', ValueError, 'match'),
    ('np.concatenate([x, x[:, :2]])', ValueError, 'match exactly'),
    ('np.concatenate([x, x[0]])', TypeError, 'numbers of dimensions'),
    ('np.concatenate([])', ValueError, 'at least one'), ('np.concatenate(x[0, 0])', TypeError, 'sequence'),
    ('np.stack([x, x[0]])', ValueError, 'same shape'), ('np.split(x, 5)', ValueError, 'equal division'),
    ('np.squeeze(x, axis=0)', ValueError, 'size not equal to one'),
    ('np.expand_dims(x, 5)', onp.exceptions.AxisError, 'axis 5'),
    ('np.broadcast_to(x, (3, 5))', ValueError, r'\(3, 5\)'), ('np.take(x, np.array([1.5]))', TypeError, 'integer'),
    ('np.take_along_axis(x, np.array([1]), 0)', ValueError, 'dimensions'),
    ('np.where(x, x)', ValueError, 'both or neither'),
    ('np.bitwise_and(x, x)', TypeError, 'integers'), ('np.floor(x) << 1', TypeError, 'integers'),
    ('np.zeros((-1,))', ValueError, 'negative'), ('np.zeros("a")', TypeError, 'shapes'),
    ('np.arange(0, 3, 0)', ValueError, 'zero'),
    ('np.array([[1, 2], [3]])', ValueError, 'lengths'), ('np.array("text")', TypeError, 'str'),
    ('np.array(300, np.uint8)', OverflowError, '300'), ('np.array([1, 300], np.int8)', OverflowError, '300'),
    ('np.ones(2, np.uint8) + 256', OverflowError, '256'),
    ('np.zeros(2, "float99")', TypeError, 'float99'), ('np.linalg.solve(x, x)', ValueError, 'square'),
    ('np.linalg.inv(x)', ValueError, 'square'), ('np.linalg.norm(x, "nope")', ValueError, 'nope'),
    ('np.linalg.det(x[0])', ValueError, 'two dimensions'),
    ('np.einsum("ij,jk", x, x)', ValueError, 'label'), ('np.einsum("ij", x, x)', ValueError, 'operands'),
    ('np.einsum("i$", x)', ValueError, 'invalid'), ('np.einsum("ijk", x)', ValueError, '3 indices'),
    ('np.einsum("ij->ik", x)', ValueError, 'no operand'), ('np.einsum("ij->ii", x)', ValueError, 'twice'),
    ('np.pad(x, 1, mode="nope")', NotImplementedError, 'nope'), ('np.pad(x, -1)', ValueError, 'negative'),
    ('np.pad(x, ((1, 1), (1, 1), (1, 1)))', ValueError, 'broadcast'),
    ('np.linspace(0, 1, -1)', ValueError, 'non-negative'), ('np.quantile(x, 2.0)', ValueError, 'range'),
    ('np.quantile(x, 0.5, method="nope")', ValueError, 'method'), ('np.searchsorted(x, 1)', ValueError, 'vector'),
    ('np.bincount(np.array([1.0]))', TypeError, 'integer'), ('np.clip(1j, 0, 1)', ValueError, 'complex'),
    ('np.fft.fft(x, 0)', ValueError, 'data points'), ('np.fft.fft(x, norm="nope")', ValueError, 'nope'),
    ('np.moveaxis(x, 0, (0, 1))', ValueError, 'as many'), ('np.diagonal(x[0])', ValueError, 'two dimensions'),
    ('np.delete(x, 7, axis=0)', IndexError, 'out of bounds'),
    ('np.insert(x, 9, 1.0, axis=0)', IndexError, 'out of bounds'), ('np.fill_diagonal(x[0], 1)', ValueError, '2-d'),
    ('np.median(1j)', ValueError, 'complex'), ('np.select([x], [x])', TypeError, 'booleans'),
    ('np.iinfo(np.float32)', ValueError, 'not integer'), ('np.finfo(np.int32)', ValueError, 'not inexact'),
    ('np.sum(x).item(1)', IndexError, 'index'), ('np.astype(x, "nope")', TypeError, 'nope'),
    ('np.tensordot(x, x, axes=1)', TypeError, 'incompatible'), ('np.cross(x, x)', ValueError, 'cross'),
    ('np.nonzero(np.asarray(1.0))', ValueError, '0-d'), ('np.unique(x, axis=3)', onp.exceptions.AxisError, 'axis 3'),
    ('np.negative(True)', TypeError, 'bool'), ('np.sort(np.asarray(1.0))', ValueError, 'no dimensions'),
]


@pytest.mark.parametrize('text, kind, message', ERRORS, ids=[e[0] for e in ERRORS])
def test_error_at_once(text, kind, message):
    with pytest.raises(kind, match=message):
        eval(text, {'np': np, 'x': np.asarray(x)})


LATE = [('np.linalg.inv(np.zeros((2, 2)))', onp.linalg.LinAlgError),
        ('np.linalg.cholesky(-np.eye(2))', onp.linalg.LinAlgError),
        ('np.take(x, np.array([0, 99]))', IndexError), ('x[np.array([5])]', IndexError),
        ('np.take_along_axis(x, np.array([[9]]), 0)', IndexError)]


@pytest.mark.parametrize('text, kind', LATE, ids=[e[0] for e in LATE])
def test_error_when_waited_for(text, kind):
    result = eval(text, {'np': np, 'x': np.asarray(x)})
    with pytest.raises(kind):
        result.block_until_ready()


@pytest.mark.parametrize('text',
                         ['np.nonzero(v)', 'np.unique(v)', 'v[v > 0]', 'np.repeat(v, v.astype(int))', 'np.arange(v[0])',
                          'np.argwhere(v)', 'bool(v[0] > 0)', 'float(v.sum())'])
def test_values_are_not_there_under_jit(text):
    with pytest.raises(lazy.errors.ConcretizationTypeError):
        lazy.jit(lambda v: eval(text, {'np': np, 'v': v}))(np.ones(3))


SIZED = [
    ('np.nonzero(a, size=3)', [[1, 2, 4]]), ('np.nonzero(a, size=5)', [[1, 2, 4, 0, 0]]),
    ('np.nonzero(a, size=5, fill_value=-1)', [[1, 2, 4, -1, -1]]), ('np.nonzero(a, size=2)', [[1, 2]]),
    ('np.flatnonzero(a, size=4, fill_value=9)', [1, 2, 4, 9]),
    ('np.argwhere(a, size=4)', [[1], [2], [4], [0]]), ('np.where(a > 2, size=2)', [[2, 4]]),
    ('np.unique(a, size=4)', [0, 2, 3, 0]), ('np.unique(a, size=4, fill_value=-1)', [0, 2, 3, -1]),
    ('np.unique(a, size=3, return_counts=True)', [[0, 2, 3], [2, 1, 2]]),
    ('np.unique(a, size=3, return_inverse=True, return_index=True)', [[0, 2, 3], [0, 1, 2], [0, 1, 2, 0, 2]]),
    ('np.compress(a > 0, a, size=4, fill_value=7)', [2, 3, 3, 7]), ('np.extract(a > 0, a, size=2)', [2, 3]),
    ('np.repeat(a, a, total_repeat_length=10)', [2, 2, 3, 3, 3, 3, 3, 3, 3, 3]),
    ('np.bincount(a, length=5)', [2, 0, 1, 2, 0]), ('np.bincount(a, length=3)', [2, 0, 1]),
    ('np.union1d(a, a + 1, size=6, fill_value=9)', [0, 1, 2, 3, 4, 9]),
    ('np.intersect1d(a, a + 1, size=3, fill_value=-1)', [3, -1, -1]), ('np.setdiff1d(a, a + 1, size=3)', [0, 2, 0]),
    ('np.setxor1d(a, a + 1, size=5)', [0, 1, 2, 4, 0]),
    ('np.searchsorted(np.sort(a), a)', [0, 2, 3, 0, 3]), ('np.roll(a, a[1])', [0, 3, 0, 2, 3]),
    ('np.roll(a, a[1], 0)', [0, 3, 0, 2, 3]),
]


@pytest.mark.parametrize('text, expected', SIZED, ids=[e[0] for e in SIZED])
def test_given_size_works_under_jit(text, expected):
    found = lazy.jit(lambda a: eval(text, {'np': np, 'a': a}))(onp.array([0, 2, 3, 0, 3], onp.int32))
    found = [f.tolist() for f in found] if isinstance(found, tuple) else found.tolist()
    assert found == expected


GRADIENTS = ['np.sum(x ** 3)', 'np.mean(np.sin(x) * x)', 'np.var(x)', 'np.std(x, axis=0).sum()', 'np.linalg.norm(x)',
             'np.max(x)', 'np.min(x, axis=1).sum()', 'np.prod(x[:2])', 'np.cumsum(x, 1)[:, 2].sum()',
             'np.sort(x, axis=0)[1].sum()', 'np.where(x > 0.5, x ** 2, 0).sum()',
             'np.clip(x, 0.3, 1.2).sum()', 'np.einsum("ij,kj->ik", x, x).sum()', 'np.dot(x, x.T)[0, 1]',
             'np.concatenate([x, 2 * x])[4].sum()', 'np.pad(x, 1, mode="edge").sum()',
             'np.take(x, np.array([1, 1, 3]), axis=1).sum()', 'np.tile(x, 2)[1].sum()', 'np.median(x, axis=0).sum()',
             'np.quantile(x, 0.3)', 'np.kron(x, x)[1].sum()',
             'np.interp(x, np.array([0., 1., 2.]), np.array([1., 3., 2.])).sum()', 'np.trapezoid(x).sum()',
             'np.diff(x).prod()', 'np.flip(x, 1)[0, 0] * 3', 'np.diagonal(x).prod()', 'np.tril(x).sum()',
             'np.roll(x, 1).cumsum()[3]', 'np.sinc(x).sum()',
             'np.logaddexp(x, 2 * x).sum()', 'np.convolve(x[0], x[1]).prod()', 'np.polyval(x[0], x[1]).sum()',
             'np.cov(x)[0, 1]', 'np.linalg.det(x @ x.T + np.eye(3))', 'np.linalg.inv(x @ x.T + np.eye(3)).sum()',
             'np.linalg.slogdet(x @ x.T + np.eye(3))[1]', 'np.abs(np.fft.rfft(x))[:, 1].sum()',
             'np.gradient(x)[0].prod()',
             'np.apply_along_axis(lambda r: r / r.sum(), 1, x)[0, 1]', 'np.average(x, axis=0, weights=x[:, 0]).sum()',
             'np.nanmean(x)', 'np.take_along_axis(x, np.argsort(x, 1), 1)[:, 0].sum()', 'np.repeat(x, 2).prod()',
             'np.hypot(x, 1.0).sum()', 'np.power(x, x).sum()', 'np.i0(x).sum()', 'np.unwrap(x * 4).sum()',
             'np.vander(x[0]).sum()']


@pytest.mark.parametrize('text', GRADIENTS)
def test_gradient(text):
    """Reverse mode against central differences in float64, plain and under jit."""
    function = lambda v: eval(text, {'np': np, 'x': v})
    point = x.astype(onp.float64) + onp.random.RandomState(1).uniform(0, 0.02, x.shape)
    found = onp.asarray(lazy.grad(function)(point))
    jitted = onp.asarray(lazy.jit(lazy.grad(function))(point))
    h = 1e-6
    expected = onp.zeros_like(point)
    evaluate = lazy.jit(function)
    for place in onp.ndindex(point.shape):
        step = onp.zeros_like(point)
        step[place] = h
        expected[place] = (float(evaluate(point + step)) - float(evaluate(point - step))) / (2 * h)
    onp.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)
    onp.testing.assert_allclose(jitted, found, rtol=1e-9, atol=1e-12)


BATCHED = ['np.sum(x)', 'np.mean(x, 0)', 'np.sort(x)', 'np.argmax(x, 0)', 'np.dot(x, x.T)',
           'np.einsum("ij,ik->jk", x, x)', 'np.concatenate([x, x], 1)', 'np.take(x, np.array([0, 2]), 0)',
           'np.cumsum(x, 0)', 'np.pad(x, 1)', 'np.median(x)', 'np.linalg.norm(x, axis=0)',
           'np.linalg.inv(x @ x.T + np.eye(3))', 'np.where(x > 0.5, x, 0)', 'np.nonzero(x > 0.5, size=3)[0]',
           'np.searchsorted(np.sort(x[0]), x[1])', 'np.fft.fft(x)', 'np.linalg.det(x @ x.T)', 'np.diagonal(x)',
           'np.diag(x[0])', 'np.roll(x, 1)', 'np.take_along_axis(x, np.argsort(x), 1)',
           'x[np.array([0, 1]), np.array([1, 2])]',
           'np.interp(x, np.array([0., 1.]), x[0, :2])', 'np.bincount((x * 3).astype(int).ravel(), length=4)',
           'np.var(x, 1)', 'np.linspace(x[0], x[1], 3)', 'np.unique((x * 3).astype(int), size=5)']


@pytest.mark.parametrize('text', BATCHED)
def test_vmap(text):
    """A batch gives what its elements give."""
    function = lambda v: eval(text, {'np': np, 'x': v})
    batch = onp.stack([x, x[::-1] * 0.7 + 0.2])
    found = onp.asarray(lazy.vmap(function)(batch))
    expected = onp.stack([onp.asarray(function(row)) for row in batch])
    onp.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)


def test_gradients_at_degenerate_points_are_finite():
    zero = np.zeros(3)
    assert lazy.grad(lambda v: np.linalg.norm(v) ** 2)(zero).tolist() == [0, 0, 0]
    assert lazy.grad(lambda v: np.var(v))(zero).tolist() == [0, 0, 0]
    assert lazy.grad(lambda v: np.where(v > 0, np.sqrt(v), 0.).sum())(zero).tolist() == [0, 0, 0]
    assert lazy.grad(np.sinc)(0.0) == 0
    assert lazy.grad(lambda v: np.sum(v ** 2))(zero).tolist() == [0, 0, 0]


def test_numpy_functions_on_lazy_arrays():
    a = np.asarray(x)
    assert type(onp.sin(a)) is onp.ndarray
    assert isinstance(x + a, np.ndarray) and isinstance(onp.float32(2) * a, np.ndarray) \
        and isinstance(a * onp.float32(2), np.ndarray)
    assert isinstance(x @ a.T, np.ndarray) and isinstance(x < a, np.ndarray) and isinstance(x == a, np.ndarray)
    assert onp.allclose(onp.mean(a), x.mean())
    assert onp.concatenate([a, a]).shape == (6, 4)


def test_a_numpy_array_changed_later_changes_nothing():
    source = x.copy()
    a = np.asarray(source)
    source[:] = 0
    assert onp.array_equal(a, x)


def test_values_are_read_only():
    values = onp.asarray(np.asarray(x))
    with pytest.raises(ValueError):
        values[0] = 1


def test_pickle_and_copy():
    a = np.asarray(x)
    assert onp.array_equal(pickle.loads(pickle.dumps(a)), x) and onp.array_equal(copy.deepcopy(a), x)


@pytest.mark.parametrize('text, dtype', [
    ('np.zeros(3)', 'float32'), ('np.arange(3)', 'int32'), ('np.arange(3.)', 'float32'), ('np.array([1, 2])', 'int32'),
    ('np.array([1., 2.])', 'float32'), ('np.array(onp.ones(2))', 'float64'), ('np.asarray(onp.arange(3))', 'int64'),
    ('np.zeros(3, np.float64) + 1', 'float64'), ('np.float32(1) + 2.0', 'float32'), ('np.int32(1) + 2.0', 'float32'),
    ('np.int8(1) + 2', 'int8'), ('np.uint8(1) + np.int8(1)', 'int16'), ('np.int32(1) / 2', 'float32'),
    ('np.float16(1) + np.bfloat16(1)', 'float32'), ('np.ones(2, bool) + np.ones(2, bool)', 'bool'),
    ('np.sum(np.ones(2, bool))', 'int32'), ('np.sum(np.ones(2, np.int8))', 'int32'),
    ('np.sum(np.ones(2, np.uint8))', 'uint32'), ('np.cumsum(np.ones(2, np.int8))', 'int8'),
    ('np.mean(np.ones(2, int))', 'float32'), ('np.where(True, 1, 2.0)', 'float32'), ('np.full(2, 1)', 'int32'),
    ('np.sin(np.int32(1))', 'float32'),
    ('np.abs(np.complex64(1j))', 'float32'), ('np.concatenate([np.ones(1), np.ones(1, int)])', 'float32'),
    ('np.bfloat16(1) * 2', 'bfloat16'), ('np.argmax(np.ones(3))', 'int32'),
    ('np.linspace(0, 1, 3, dtype=np.float64)', 'float64'),
    ('np.matmul(np.ones((1, 1), np.int8), np.ones((1, 1), np.int8))', 'int8'),
    ('np.ones(2, np.float64) * np.float32(2)', 'float64'),
    ('np.ones(2, np.float32) * onp.float64(2)', 'float64'), ('np.result_type(np.int32, 1.0)', 'float32'),
    ('np.promote_types("int32", "float32")', 'float32'), ('np.fft.fft(np.ones(2, np.float64))', 'complex128'),
    ('np.exp2(np.ones(2, np.float16))', 'float16'), ('np.var(np.complex64(1))', 'float32')])
def test_dtype(text, dtype):
    result = eval(text, {'np': np, 'onp': onp})
    assert getattr(result, 'dtype',
                   result) == (np.bool_ if dtype == 'bool' else onp.dtype(dtype) if dtype != 'bfloat16'
                               else np.bfloat16)


def test_scalar_types_are_dtypes():
    assert onp.dtype(np.float32) == 'float32' and np.zeros(1, np.int16).dtype == np.int16 and np.float32 == onp.float32 and np.float32 != np.bfloat16 and onp.float32 != np.int8
    assert hash(np.float32) == hash(np.zeros(1).dtype) and np.int_.dtype == 'int32' and np.bool_ is np.bool
    assert np.issubdtype(np.bfloat16, np.floating) and not np.issubdtype(np.int32, np.floating)
    assert np.float32(np.ones(2, int)).dtype == np.float32
    with pytest.raises(TypeError):
        np.zeros(2, np.float8_e3m4)


def test_wide_defaults():
    lazy.config.update('enable_x64', True)
    try:
        assert np.zeros(2).dtype == 'float64' and np.arange(2).dtype == 'int64' \
            and np.sum(np.ones(2, np.int32)).dtype == 'int64'
        assert np.sin(np.ones(2, np.int64)).dtype == 'float64' and np.sin(np.ones(2, np.int32)).dtype == 'float32' and np.int_.dtype == 'int64' \
            and np.argmax(np.ones(3)).dtype == 'int64'
    finally:
        lazy.config.update('enable_x64', False)
    assert np.sum(np.ones(2, np.int32)).dtype == 'int32' and np.sin(np.ones(2, np.int32)).dtype == 'float32'


def test_narrow_floats_accumulate_wide():
    a = np.full(4096, 1, np.float16)
    assert float(np.sum(a)) == 4096 and float(np.mean(a * 100)) == 100 \
        and float(np.linalg.norm(np.full(4, 300, np.float16))) == 600


def test_few_nodes():
    """Nodes are the run-time cost of programs that are not compiled."""
    from lazy.ir.graph import ancestors
    a = np.asarray(x)
    count = lambda array: len(ancestors([array._node])) - 1
    assert count(a.sum()) == 1 and count(a.mean()) == 3 and count(a.var()) <= 9 and count(np.sqrt(a)) == 1 \
        and count(a.max(0)) == 1
    assert count(a @ a.T) == 2 and count(np.clip(a, 0, 1)) == 4 and count(np.linalg.norm(a)) == 3 \
        and count(np.where(a > 0, a, 0)) == 4
    assert count(np.concatenate([a, a])) == 1 and count(a.reshape(2, 6)) == 1 and count(a[0]) == 2 \
        and count(np.zeros((3, 3))) <= 2


@pytest.mark.parametrize('name',
                         sorted(n for n in dir(np) if callable(getattr(np, n))
                                and getattr(getattr(np, n), '__module__', '') .startswith('lazy.numpy')))
def test_has_a_docstring(name):
    assert getattr(np, name).__doc__


def test_default_width_reaches_operators_that_were_used_before():
    a = np.ones(2, np.int32)
    assert (a / 2).dtype == 'float32' and (a * 1.0).dtype == 'float32'
    lazy.config.update('enable_x64', True)
    try:
        assert (a * 1.0).dtype == 'float64' and (a / 2).dtype == 'float32'      # int32 / int: float32, in JAX too
        assert (a.astype('int64') / 2).dtype == np.mean(a.astype('int64')).dtype == 'float64'
    finally:
        lazy.config.update('enable_x64', False)
    assert (a / 2).dtype == 'float32'


def test_functions_have_numpys_methods():
    assert np.add.at(np.zeros(3), np.array([0, 0, 2]), 1.0, inplace=False).tolist() == [2, 0, 1]
    assert np.frompyfunc(lambda a, b: a * 2 + b, 2, 1).reduce(np.arange(4)).tolist() == 11
    assert np.frompyfunc(lambda a, b: a * b, 2, 1, identity=1).accumulate(np.arange(1, 4)).tolist() == [1, 2, 6]


@pytest.mark.parametrize('kind', ['set', 'add', 'multiply', 'min', 'max', 'divide', 'power'])
def test_update_at_a_mask_under_jit(kind):
    mask = x > 0.8
    expected = x.copy()
    expected[mask] = {'set': lambda v: onp.full_like(v, 2), 'add': lambda v: v + 2, 'multiply': lambda v: v * 2,
                      'min': lambda v: onp.minimum(v, 2),
                      'max': lambda v: onp.maximum(v, 2), 'divide': lambda v: v / 2,
                      'power': lambda v: v ** 2}[kind](x[mask])
    for function in (lambda v: getattr(v.at[v > 0.8], kind)(2.0),
                     lazy.jit(lambda v: getattr(v.at[v > 0.8], kind)(2.0))):
        assert onp.allclose(function(np.asarray(x)), expected, rtol=1e-5)


def test_update_at_a_mask_of_rows():
    expected = x.copy()
    expected[[True, False, True]] = x[1]
    assert onp.array_equal(np.asarray(x).at[np.array([True, False, True])].set(x[1]), expected)
    expected[[True, False, True]] = x[:2]
    assert onp.array_equal(np.asarray(x).at[np.array([True, False, True])].set(x[:2]), expected)
