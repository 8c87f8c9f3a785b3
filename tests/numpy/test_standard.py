"""The Python array API standard: a row for each thing that its test suite has taught, and what the suite can't see."""
import copy
import math

import numpy as onp
import pytest

import lazy
import lazy.numpy as np

inf, nan = math.inf, math.nan


@pytest.fixture(autouse=True)
def mutable():
    lazy.config.update('mutable_arrays', True)
    yield
    lazy.config.update('mutable_arrays', False)


def written(x, index, value):
    x[index] = value
    return x


def float64(*values):
    return np.asarray(values, np.float64)


def strong(value):
    return np.asarray(value, np.float32)


CASES = [                                        # expression, repr of the value as Python numbers
    # floor_divide is floor(x / y) at infinities too, where NumPy has nan and -1
    ('float64(inf, -inf, inf, 0) // float64(2, 2, -2, 2)', '[inf, -inf, -inf, 0.0]'),
    ('float64(1, -1, 1, inf) // float64(-inf, inf, inf, inf)', '[-0.0, -0.0, 0.0, nan]'),
    ('np.floor_divide(strong([7., inf]), strong([-inf, 0.]))', '[-0.0, inf]'),
    # complex functions at what is not finite
    ('np.expm1(complex(inf, 0))', '(inf+0j)'), ('np.expm1(complex(-inf, inf))', '(-1+0j)'),
    ('np.expm1(complex(inf, nan))', '(inf+nanj)'), ('np.expm1(complex(nan, 0))', '(nan+0j)'),
    ('np.expm1(complex(-0.0, 0))', '0j'), ('np.tanh(complex(inf, 2.5))', '(1+0j)'),
         ('np.tanh(complex(-inf, -1))', '(-1-0j)'),
    # masks of no dimensions, of size 0, and next to other indices
    ('strong(7)[np.asarray(True)]', '[7.0]'), ('np.zeros((2, 3))[np.asarray(False)].shape', '(0, 2, 3)'),
    ('written(strong(7), np.asarray(True), 3)', '3.0'), ('written(np.zeros(2), False, 3)', '[0.0, 0.0]'),
    ('np.zeros((2, 3))[:, True].shape', '(2, 1, 3)'), ('np.zeros((2, 3, 4))[0, True].shape', '(1, 3, 4)'),
    ('np.zeros((2, 3))[np.zeros((0, 0), bool)].shape', '(0,)'), ('np.zeros((2, 3))[np.zeros(0, bool)].shape', '(0, 3)'),
    # Python numbers keep their value until they meet a dtype
    ('float64(.5) + .1', '[0.6]'), ('np.outer(float64(1), .1)', '[[0.1]]'),
         ('np.diff(float64(1), prepend=.1)', '[0.9]'),
    ('np.asarray([1j], np.complex128) * .1j', '[(-0.1+0j)]'),
         ('written(np.asarray([0j], np.complex128), 0, .1j)', '[0.1j]'),
    ('np.isin(np.asarray([2**31], np.uint32), 2**31)', '[True]'), ('np.asarray([3], np.int64) / 2**40 > 0', '[True]'),
    ('np.where(True, np.asarray([1], np.int64), 2**40)', '[1]'),
         ('written(np.asarray([1], np.int64), 0, 2**40)', '[1099511627776]'),
    ('np.result_type(np.asarray([1], np.uint64), 2**63).name', "'uint64'"),
    ('np.asarray(-2**31).dtype.name', "'int32'"),
         ('(np.asarray([1], np.int64) + -2**63).tolist()', '[-9223372036854775807]'),
    ('strong(.1).astype(np.float64)', '0.10000000149011612'),          # but a float32 has been rounded
    # creation
    ('np.arange(1, step=.25)', '[0.0, 0.25, 0.5, 0.75]'), ('np.eye(2, k=2**31)', '[[0.0, 0.0], [0.0, 0.0]]'),
    ('np.tril(np.ones((2, 2)), k=-2**40)', '[[0.0, 0.0], [0.0, 0.0]]'),
    ('np.zeros(2, device=np.__array_namespace_info__().default_device())', '[0.0, 0.0]'),
    # dtypes
    ('np.result_type(np.float32, np.float64).name', "'float64'"), ('np.float64 == None', 'False'),
         ("np.int8 == 'not a type'", 'False'),
    ('type(np.finfo(np.float32).eps)', "<class 'float'>"), ('{np.float32: 1}[np.zeros(1).dtype]', '1'),
    ('type(np.meshgrid(np.arange(2)))', "<class 'tuple'>"),
         ('type(np.broadcast_arrays(np.arange(2)))', "<class 'tuple'>"),
    # a kernel without elements must not look at an index: what the sum of nothing is doesn't depend on the memory
    ('np.sum(np.ones((1, 2, 3))[None, np.zeros(0, np.int32)])', '0.0'),
    ('np.linalg.det(np.ones((0, 4, 4))).shape', '(0,)'),
         ('repr(np.zeros((0, 3)))', "'Array([], shape=(0, 3), dtype=float32)'"),
]


@pytest.mark.parametrize('text, expected', CASES, ids=[text for text, _ in CASES])
def test_value(text, expected):
    found = eval(text)
    if isinstance(found, np.ndarray):
        found = found.tolist()
    assert repr(found) == expected


UNCHANGED = '''np.array(x) np.asarray(x,copy=True) np.copy(x) x.copy() x.astype(x.dtype) np.astype(x,x.dtype) +x
np.positive(x) copy.copy(x) copy.deepcopy(x) np.round(i) np.floor(i) np.clip(x) np.nan_to_num(i) np.diff(x,0)
np.rot90(x,0) x.view() np.real(x) np.conj(x) np.ravel(x) np.reshape(x,x.shape) np.squeeze(x) np.expand_dims(x,())
np.broadcast_to(x,x.shape) np.concat([x]) np.flip(x,()) np.roll(x,0) np.tile(x,1) np.moveaxis(x,0,0)
np.permute_dims(x,(0,1)) np.linalg.matrix_power(x,1) np.fft.fftn(x*1j,axes=()) np.from_dlpack(x,copy=True) x[...]
np.atleast_1d(x) np.put(x,[],0,inplace=False) np.stack([x])[0] np.pad(x,0) np.unstack(x)[0] np.meshgrid(i)[0]
np.trunc(i)'''.split()


@pytest.mark.parametrize('text', UNCHANGED)
def test_what_is_written_into_a_result_does_not_reach_the_argument(text):
    x, i = np.ones((2, 2)), np.arange(3)
    result = eval(text)
    result[...] = 7
    assert x.tolist() == [[1, 1], [1, 1]] and i.tolist() == [0, 1, 2] and (np.asarray(result) == 7).all()


def test_functions_that_write_into_their_argument():
    x = np.zeros((2, 2))
    for write, expected in ((lambda **k: np.fill_diagonal(x, 5, **k), [[5, 0], [0, 5]]),
                            (lambda **k: np.put(x, 1, 7, **k), [[5, 7], [0, 5]]),
                            (lambda **k: np.put_along_axis(x, np.asarray([[0], [0]]), 1, 1, **k), [[1, 7], [1, 5]]),
                            (lambda **k: np.place(x, x > 4, 2, **k), [[1, 2], [1, 2]])):
        before, result = x.tolist(), write(inplace=False)
        assert result.tolist() == expected and x.tolist() == before
        lazy.config.update('mutable_arrays', False)
        with pytest.raises(ValueError, match='inplace=False'):
            write()
        lazy.config.update('mutable_arrays', True)
        assert write() is None and x.tolist() == expected


def test_copy_false_refuses_what_needs_a_copy():
    x = np.ones(2)
    assert np.asarray(x, copy=False) is x is np.asarray(x, np.float32,
                                                        copy=False) is np.astype(x, np.float32, copy=False)
    for make in (lambda: np.asarray(x, np.float64, copy=False), lambda: np.asarray([1.], copy=False),
                 lambda: np.asarray(onp.ones(2), copy=False), lambda: np.from_dlpack(onp.ones(2), copy=False)):
        with pytest.raises(ValueError, match='copy'):
            make()


def test_namespace_says_what_it_can_do():
    x, info = np.ones(1), np.__array_namespace_info__()
    assert x.__array_namespace__() is np is x.__array_namespace__(api_version=np.__array_api_version__)
    with pytest.raises(ValueError, match='1999'):
        x.__array_namespace__(api_version='1999.12')
    assert info.capabilities()['boolean indexing'] and info.default_device() in info.devices() \
        and x.device in info.devices()
    assert list(info.dtypes(kind='real floating').values()) == [np.float32, np.float64] and len(info.dtypes()) == 13
    assert info.default_dtypes(device=x.device)['integral'] == np.arange(2).dtype
    with pytest.raises(ValueError, match='signed integer'):
        info.dtypes(kind='string')
    assert x.to_device(x.device).device == x.device


def test_dlpack_hands_out_memory_that_is_not_written_into():
    x = np.arange(3.)
    shared = onp.from_dlpack(x)
    assert not shared.flags.writeable and onp.shares_memory(shared, onp.asarray(x))
    for options in ({}, {'copy': True}, {'copy': False}, {'max_version': (1, 0)}, {'dl_device': (1, 0)}):
        assert 'dltensor' in repr(x.__dlpack__(**options))
    copied = onp.from_dlpack(x, copy=True)
    copied[0] = 9
    assert x.tolist() == [0, 1, 2] and np.from_dlpack(copied).tolist() == [9, 1, 2]
