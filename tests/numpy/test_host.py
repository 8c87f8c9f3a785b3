"""What NumPy does on the host, its generators with state, and results written into arrays."""
import array
import io
import pickle
import sys

import numpy as onp
import pytest

import lazy
import lazy.numpy as np

X = onp.array([[1.5, -2.0, 3.25], [0.0, 4.0, -1.0]], onp.float32)


@pytest.fixture
def mutable():
    lazy.config.update('mutable_arrays', True)
    yield
    lazy.config.update('mutable_arrays', False)


SAME = ['np.array2string(x, precision=2)', 'np.base_repr(10, 3)', 'np.binary_repr(-5, 8)', 'np.format_float_positional(x[0, 0])',
        'np.format_float_scientific(2.5)', 'np.min_scalar_type(300)', 'np.common_type(x)', 'np.common_type(x, x.astype("int32"))',
        'np.real_if_close(x + 0j)', 'np.real_if_close(x + 1j)', 'np.asarray_chkfinite(x)', 'np.ascontiguousarray(x.T)',
        'np.ascontiguousarray(x[0, 0])', 'np.asanyarray([1, 2.5])', 'np.asfortranarray(x)', 'np.require(x, "float64")',
        'np.typename("f")', 'np.mintypecode("fd")', 'list(np.ndindex(2, 1))', 'list(np.ndenumerate(x))', 'np.row_stack([x, x])',
        'np.may_share_memory(x, x)', 'np.zeros(2, np.intp).dtype', 'np.zeros(2, np.ubyte).dtype', 'np.half(1).dtype']


@pytest.mark.parametrize('case', SAME)
def test_as_numpy(case):
    expected = eval(case.replace('np.row_stack', 'np.vstack'), {'np': onp, 'x': X})
    found = eval(case, {'np': np, 'x': np.array(X)})
    assert not isinstance(found, onp.ndarray)
    if isinstance(expected, onp.ndarray):
        assert onp.array_equal(found, expected) and found.shape == expected.shape
    else:
        assert found == expected


def test_text_files(tmp_path):
    text = io.StringIO()
    np.savetxt(text, np.array(X), header='numbers')
    text.seek(0)
    assert onp.array_equal(np.loadtxt(text), X)
    text.seek(0)
    assert isinstance(np.genfromtxt(text), np.ndarray)
    np.savez_compressed(tmp_path / 'x.npz', x=np.array(X))
    assert onp.array_equal(np.load(tmp_path / 'x.npz')['x'], X)


MADE = ["np.r_['r', [1, 2], [3]]", "np.r_['c', [1, 2], [3]]", 'np.array(array.array("l", [1, 2]))', 'np.array(x).item(4)', 'np.array(x).item(1, 2)',
        'np.array(5).item(0)', 'np.mgrid[()].shape', 'np.array([0, onp.float16(1)])', 'np.array([[onp.int8(1), 2], [3, 4]])']


@pytest.mark.parametrize('case', MADE)
def test_made_of_pythons_values(case):
    expected, found = [eval(case, {'np': library, 'onp': onp, 'x': X, 'array': array}) for library in (onp, np)]
    assert onp.array_equal(found, expected)


def test_dtypes_of_lists_are_promoted_as_arrays_are():
    assert np.array([0, onp.float16(1)]).dtype == 'float16' and np.array([onp.float32(1), onp.int32(2)]).dtype == 'float32'
    assert np.array([[onp.int8(1), 2], [3, 4]]).dtype == 'int8'


@pytest.mark.parametrize('case,error,message', [
    ('np.array([0.0, None])', TypeError, 'NoneType'), ('np.array(onp.ma.array([1, 2], mask=[0, 1]))', ValueError, 'masked'),
    ('np.take(np.zeros((0, 3)), np.array([0]), 0)', IndexError, 'non-empty take')])
def test_not_made(case, error, message):
    with pytest.raises(error, match=message):
        eval(case, {'np': np, 'onp': onp})


def test_bfloat16_in_files(tmp_path):
    np.save(tmp_path / 'x.npy', np.array([1.5, -2], 'bfloat16'))
    assert np.load(tmp_path / 'x.npy').dtype == 'bfloat16' and np.load(tmp_path / 'x.npy').tolist() == [1.5, -2]


def test_delete_without_known_positions():
    f = lazy.jit(lambda x, i: np.delete(x, i, 0, assume_unique_indices=True))
    assert onp.array_equal(f(np.arange(12).reshape(6, 2), np.array([1, -2])), onp.delete(onp.arange(12).reshape(6, 2), [1, -2], 0))


def test_places_that_are_out_of_range():
    assert [i.tolist() for i in np.unravel_index(np.array([-1, 7, 4, -9]), (2, 3))] == [[1, 1, 1, 0], [2, 2, 1, 0]]
    assert lazy.jit(lambda k: np.tri(2, 2, k))(2**40).tolist() == [[1, 1], [1, 1]]


def test_derivatives_at_zero():
    f, found = np.sinc, []
    for _ in range(5):
        found.append(float(f(0.0)))
        f = lazy.grad(f)
    assert onp.allclose(found, [1, 0, -onp.pi ** 2 / 3, 0, onp.pi ** 4 / 5], rtol=1e-5)
    assert float(lazy.grad(lambda x: np.frexp(x)[0])(3.0)) == 0.25


def test_not_finite():
    with pytest.raises(ValueError, match='infs or NaNs'):
        np.asarray_chkfinite([1.0, onp.nan])


# --- generators -------------------------------------------------------------------------------------------------------

DRAWS = ['default_rng(7).normal(size=(2, 3))', 'default_rng(7).integers(10, size=5)', 'default_rng(7).permutation(x)',
         'default_rng(7).choice(x[0], 2)', 'RandomState(7).rand(3)', 'RandomState(7).multivariate_normal(x[0, :2], np.eye(2))',
         'Generator(np.random.PCG64(3)).random(4)', 'default_rng(7).normal(x, 0.1)', 'default_rng(7).random()',
         'default_rng(7).bytes(3)']


@pytest.mark.parametrize('case', DRAWS)
def test_numbers_are_numpys(case):
    expected = eval(f'np.random.{case}', {'np': onp, 'x': X})
    found = eval(f'np.random.{case}', {'np': np, 'x': np.array(X)})
    assert onp.array_equal(found, expected) and type(found) is (np.ndarray if onp.ndim(expected) else type(expected))


def test_global_state():
    draws = []
    for library in (onp, np):
        library.random.seed(3)
        draws.append([onp.asarray(library.random.randn(2)), library.random.randint(5), library.random.get_state()[2]])
    assert onp.array_equal(draws[0][0], draws[1][0]) and draws[0][1:] == draws[1][1:]


def test_generators_as_values():
    rng = np.random.default_rng(1)
    assert np.random.default_rng(rng) is rng and 'PCG64' in repr(rng)
    again = pickle.loads(pickle.dumps(rng))
    assert onp.array_equal(again.random(3), rng.random(3))
    assert all(isinstance(child.random(2), np.ndarray) for child in rng.spawn(2))
    with pytest.raises(AttributeError):
        rng.nothing


def test_shuffle(mutable):
    found = []
    for library in (onp, np):
        x, numbers = library.arange(6), list(range(6))
        rng = library.random.default_rng(5)
        rng.shuffle(x), rng.shuffle(numbers)
        found.append((x.tolist(), numbers))
    assert found[0] == found[1] and found[0][0] != sorted(found[0][0])


def test_no_state_in_compiled_functions():
    with pytest.raises(RuntimeError, match='lazy.random'):
        lazy.jit(lambda x: x + np.random.rand())(1.0)
    assert float(lazy.grad(lambda x: x * np.random.RandomState(0).rand())(1.0)) == pytest.approx(0.5488135)


# --- results written into arrays --------------------------------------------------------------------------------------

OUT = [('np.exp(x, out=y)', 'y'), ('np.add(x, 1, out=x)', 'x'), ('np.add(x, 1, out=y, where=x > 0)', 'y'),
       ('np.floor(x, out=y)', 'y'), ('np.isnan(x, out=b)', 'b'), ('np.logical_and(x, y, out=b)', 'b'), ('np.sum(x, 0, None, z)', 'z'),
       ('np.mean(x, axis=0, out=z)', 'z'), ('np.max(x, 0, z)', 'z'), ('np.argmax(x, axis=0, out=k)', 'k'), ('np.cumsum(x, 0, out=y)', 'y'),
       ('np.clip(x, -1, 1, out=x)', 'x'), ('np.matmul(x, q, out=y)', 'y'), ('np.dot(x, q, out=y)', 'y'), ('x.sum(axis=0, out=z)', 'z'),
       ('np.concatenate([x[:1], x[:1]], out=y)', 'y'), ('np.median(x, axis=0, out=z)', 'z'), ('np.round(x, 0, y)', 'y'),
       ('np.take(x, k, axis=1, out=y)', 'y'), ('np.einsum("ij,jk->ik", x, q, out=y)', 'y'), ('np.copyto(y, x, where=x > 0)', 'y'),
       ('np.modf(x, out=(y, w))', 'y'), ('np.modf(x, out=(y, w))', 'w'), ('np.putmask(x, x > 1, [7, 8])', 'x'),
       ('np.exp(x, out=(y,))', 'y'), ('np.copyto(y, 2)', 'y'), ('np.copyto(k, x[0], casting="unsafe")', 'k')]


def _names(library):
    return {'np': library, 'x': library.array(X), 'y': library.ones((2, 3), library.float32),
            'w': library.ones((2, 3), library.float32), 'z': library.zeros(3, library.float32),
            'q': library.array(X.T @ X), 'b': library.zeros((2, 3), bool), 'k': library.array([2, 0, 1])}


@pytest.mark.parametrize('case,name', OUT)
def test_out(mutable, case, name):
    expected, found = _names(onp), _names(np)
    result = eval(case, expected)
    mine = found[name]
    written = eval(case, found)
    assert found[name] is mine
    assert onp.allclose(mine, expected[name], rtol=1e-5)
    assert written is mine if isinstance(result, onp.ndarray) else (written is None) == (result is None)


@pytest.mark.parametrize('case,error,message', [
    ('np.exp(x, out=z)', ValueError, 'non-broadcastable'), ('np.exp(x, out=k)', ValueError, 'broadcast'),
    ('np.exp(x, out=np.zeros((2, 3), "int32"))', TypeError, 'cannot cast'), ('np.exp(x, out=[1])', TypeError, 'out'),
    ('np.exp(x, where=x > 0)', NotImplementedError, 'lazy.numpy.where'), ('np.copyto(z, x)', ValueError, 'non-broadcastable'),
    ('np.copyto(3.0, x)', TypeError, 'immutable')])
def test_bad_out(mutable, case, error, message):
    with pytest.raises(error, match=message):
        eval(case, _names(np))


def test_out_of_immutable_arrays():
    x = np.ones(3)
    for call in (lambda: np.sum(x, out=x), lambda: np.add(x, 1, out=x), lambda: np.copyto(x, 2), lambda: np.random.shuffle(x)):
        with pytest.raises(TypeError, match='mutable_arrays'):
            call()
    assert x.tolist() == [1, 1, 1]


# --- arrays written into by methods, and by functions that are applied at places -----------------------------------------

WRITTEN = ['x.sort()', 'x.sort(axis=0)', 'x.partition(1)', 'x.fill(3)', 'x.resize((3, 2))', 'x.resize(4)', 'x.put([0, 4], [7, 8])', 'x.shape = (3, 2)',
           'x.real = 5', 'c.real = 5', 'c.imag = x', 'np.add.at(x, ([0, 0, 1], [1, 1, 2]), 2)', 'np.subtract.at(x, [0, 0], 1)',
           'np.maximum.at(x, ([0, 0], [1, 1]), [9, 3])', 'np.minimum.at(x, ([0, 0], [1, 1]), [-9, 3])', 'np.multiply.at(x, [1, 1], 2)',
           'np.divide.at(x, [1, 1], 2)', 'np.power.at(x, ([0, 0, 1], [0, 0, 1]), 2)', 'np.arctan2.at(x, 1, x[0])',
           'np.logical_xor.at(m, [0, 0, 1], True)', 'x.flat[::2] = 5', 'x.flat[-1] = x.flat[0]', 'x.flat = 3', 'np.copyto(x, [[[1, 2, 3]]])',
           'x = x.astype("int32"); x[0] = 2.7', 'x = x.astype("int32"); x[:, 1] = x[0, 2] * 0.5', 'x = x.astype("uint8"); np.copyto(x, 3)', 'm[0] = 5',
           'np.nan_to_num(x, copy=False)', 'x[x > 1] = 0', 'x[:, ::2] += 1', 'x[0] = x[1]', 'x += 1', 'np.fill_diagonal(x, 4)']


@pytest.mark.parametrize('case', WRITTEN)
def test_written(mutable, case):
    results = []
    for library in (onp, np):
        names = {'np': library, 'x': library.array(X), 'c': library.array(X + 1j), 'm': library.array([True, False, True])}
        exec(case, names)
        results.append([onp.asarray(names[name]) for name in 'xcm'])
    for expected, found in zip(*results):
        assert found.shape == expected.shape and onp.allclose(found, expected, rtol=1e-6)


def test_writing_methods_of_immutable_arrays():
    x = np.array(X)
    assert x.sort().tolist() == onp.sort(X).tolist() and x.partition(1).shape == x.shape      # new arrays, as JAX's
    assert np.add.at(x, 0, 1.0, inplace=False)[0].tolist() == (X[0] + 1).tolist()
    for case in ('x.fill(1)', 'x.resize(3)', 'x.put([0], [1])', 'x.shape = (6,)', 'x.real = 1', 'np.add.at(x, 0, 1)',
                 'np.power.at(x, 0, 2)'):
        with pytest.raises((TypeError, ValueError, AttributeError), match='immutable|mutable_arrays|inplace'):
            exec(case, {'np': np, 'x': x})
    assert x.tolist() == X.tolist()


@pytest.mark.skipif(sys.version_info >= (3, 14), reason='references on the stack are not counted')
@pytest.mark.parametrize('case', ['x[0][1] = 5', 'x.T[1] = 5', 'x[:1][x[:1] > 1] = 0', 'x.reshape(-1)[0] += 1', 'x.real[0] = 1'])
def test_what_would_be_lost(mutable, case):
    with pytest.raises(ValueError, match='would be lost'):
        exec(case, {'x': np.array(X)})


def test_what_is_not_lost(mutable):
    class Holder:
        pass
    holder, rows, by_name = Holder(), [np.zeros(2)], {'a': np.zeros(2)}
    holder.x = np.zeros(2)
    holder.x[0], rows[0][0], by_name['a'][0] = 1, 1, 1
    assert holder.x[0] == rows[0][0] == by_name['a'][0] == 1


def test_memory_as_numpy_sees_it(mutable):
    x, y = onp.zeros((2, 3, 4)), np.zeros((2, 3, 4), 'float64')
    assert y.strides == x.strides and y.flags.c_contiguous and y.flags.writeable and not y.flags.f_contiguous
    lazy.config.update('mutable_arrays', False)
    assert not y.flags.writeable and np.zeros(3).flags.f_contiguous


def test_elements_as_one_vector():
    x = np.array(X)
    assert [float(v) for v in x.flat] == X.ravel().tolist() and len(x.flat) == 6 and float(x.flat[4]) == 4.0
    assert onp.array_equal(onp.asarray(x.flat), X.ravel()) and x.flat.copy().tolist() == X.ravel().tolist()
    with pytest.raises(TypeError, match='immutable'):
        x.flat[0] = 1


def test_conversions_of_assigned_values(mutable):
    x = np.zeros(3, 'uint8')
    with pytest.raises(TypeError, match='real part'):
        x[0] = 1j
    with pytest.raises(OverflowError):
        x[0] = 300
    assert np.array(onp.arange(3, dtype='>f4')).dtype == 'float32' and np.array(onp.arange(3, dtype='>i8')).tolist() == [0, 1, 2]
    with pytest.raises(TypeError, match='same_kind'):
        np.array([1.5]).astype('int32', casting='same_kind')
    assert np.zeros((2, 3), order='F').shape == np.ones_like(np.zeros((2, 3)), order='C').shape == (2, 3)


STRIDES = ['sliding_window_view(x, (2, 2))', 'sliding_window_view(x, 2, 1)', 'sliding_window_view(x, (2, 1), axis=(1, 1))',
           'sliding_window_view(x, (1, 3)).sum((-2, -1))', 'as_strided(x, (2, 2), (12, 4))', 'as_strided(x[0], (3, 2), (0, 4))']


@pytest.mark.parametrize('case', STRIDES)
def test_stride_tricks(case):
    expected, found = [eval(case, {**vars(library.lib.stride_tricks), 'x': library.array(X)}) for library in (onp, np)]
    assert onp.array_equal(found, expected)


@pytest.mark.parametrize('case', ['sliding_window_view(x, (3, 3))', 'sliding_window_view(x, 2)', 'sliding_window_view(x, -1, 0)',
                                  'as_strided(x, (7,), (4,))', 'as_strided(x, (2,), (3,))'])
def test_bad_strides(case):
    with pytest.raises(ValueError):
        eval(case, {**vars(np.lib.stride_tricks), 'x': np.array(X)})


def test_printed_as_asked():
    x = np.array([1.23456789, 1e-9])
    y = onp.asarray(x)
    for options in ({}, {'precision': 2}, {'precision': 3, 'suppress_small': True}):
        assert np.array_str(x, **options) == onp.array_str(y, **options)
