"""Wrong input gives the right result or an error of the right type that says what, where, and what instead."""
import errno
import os
import subprocess
import sys
import textwrap

import numpy as onp
import pytest

import lazy
import lazy.numpy as np
from lazy.codegen.cache import DiskCache


def raises(kind, match, f, *args, **kwargs):
    with pytest.raises(kind, match=match or None):
        lazy.block_until_ready(f(*args, **kwargs))


# --- shapes, dtypes, axes ---------------------------------------------------------------------------------------------

def test_shapes_that_do_not_broadcast():
    a, b = np.ones((2, 3)), np.ones((4,))
    for f in (lambda: a + b, lambda: np.maximum(a, b), lambda: np.where(a > 0, a, b), lambda: a == b,
              lambda: a * onp.ones(4)):
        raises(ValueError, r'\(2, 3\).*\(4,\)', f)
    raises(ValueError, r'\(2, 3\)', np.broadcast_to, a, (2, 4))
    raises((TypeError, ValueError), r'\(2, 3\)', np.reshape, a, (4, 2))
    raises(ValueError, r'\(2, 3\)', np.concatenate, [a, np.ones((2, 4))])
    raises(ValueError, r'\(2,\)|\(2, 3\)', np.stack, [a, np.ones(2)])
    raises((ValueError, TypeError), r'\(2, 3\)', lambda: a @ b)
    raises(ValueError, 'shape', lambda: a.at[0].set(np.ones(5)))
    raises(ValueError, '', np.einsum, 'ij,jk->ik', a, b)


def test_errors_are_raised_where_the_mistake_is():
    """Shapes and dtypes are checked when an operation is written, not when it is computed."""
    a, b = np.ones((2, 3)), np.ones((4,))
    with pytest.raises(ValueError) as error:
        a + b
    assert any(entry.name == 'test_errors_are_raised_where_the_mistake_is' for entry in error.traceback)


def test_wrong_dtypes():
    x, i = np.ones(3), np.arange(3)
    raises(TypeError, 'bool|integer', lambda: x & 1)
    raises(TypeError, 'float32', lambda: ~x)
    raises(TypeError, 'integer', lambda: x << 1)
    raises(TypeError, 'bool', lambda: (x > 0) - (x > 1))
    raises(IndexError, 'integer', lambda: x[np.asarray([0.5])])
    raises(IndexError, 'float', lambda: x[1.5])
    raises(TypeError, 'str|dtype', lambda: x.astype('text'))
    raises(TypeError, '', lambda: np.ones(3, dtype=object))
    raises(OverflowError, '300', lambda: np.asarray([1], onp.int8) + 300)
    raises(OverflowError, '-1', lambda: np.asarray([1], onp.uint8) * -1)
    raises(ValueError, 'negative', lambda: i ** -2)
    raises(TypeError, 'index', lambda: [1, 2][x[0]])
    raises(TypeError, '', lambda: i.at[0].set(1.5 + 2j))


def test_axes_out_of_range():
    x = np.ones((2, 3))
    for f in (lambda: x.sum(2), lambda: x.max(-3), lambda: np.sort(x, axis=5), lambda: np.concatenate([x, x], 2),
              lambda: np.flip(x, 4), lambda: np.expand_dims(x, 7), lambda: np.argmax(x, axis=2),
              lambda: np.cumsum(x, 2),
              lambda: np.take(x, 0, axis=3), lambda: np.squeeze(x, 4), lambda: np.swapaxes(x, 0, 2),
              lambda: np.stack([x], 4)):
        raises((ValueError, IndexError), 'axis|axes', f)
    raises(ValueError, 'repeat|duplicate|axes|axis', lambda: np.transpose(x, (0, 0)))
    raises(ValueError, 'twice|duplicate|repeat|axis', lambda: x.sum((0, 0)))
    raises(ValueError, '', lambda: np.squeeze(x, 0))


def test_static_indices_out_of_range():
    x = np.ones((2, 3))
    raises(IndexError, 'index 2 is out of bounds for axis 0 with size 2', lambda: x[2])
    raises(IndexError, 'index -4 is out of bounds for axis 1 with size 3', lambda: x[0, -4])
    raises(IndexError, 'out of bounds', lambda: x.at[5].set(1.0))
    raises(IndexError, 'too many', lambda: x[0, 0, 0])
    raises(IndexError, 'ellipsis', lambda: x[..., ...])
    raises(IndexError, r'\(3,\)|boolean', lambda: x[np.asarray([True, False, True])])


def test_reductions_of_nothing():
    for f in (np.max, np.min, np.argmax, np.argmin):
        raises(ValueError, '', f, np.zeros((0,)))


def test_item_assignment():
    x = np.ones(3)
    with pytest.raises(TypeError, match=r'x = x.at\[i\].set\(v\)'):
        x[0] = 1.0
    with pytest.raises(TypeError, match='hash'):
        hash(x)
    with pytest.raises(ValueError, match='any'):
        bool(x > 0)
    with pytest.raises(TypeError, match='delete'):
        del x[0]
    for f in (float, int, complex):
        with pytest.raises(TypeError):
            f(x)
    with pytest.raises(TypeError):
        len(np.asarray(1.0))


# --- things that are no arrays ----------------------------------------------------------------------------------------

@pytest.mark.parametrize('thing', ['text', object(), {'a': 1}, None, len, {1, 2}, [1, 'a'], [[1], 'b']],
                         ids=lambda x: type(x).__name__)
def test_objects_that_are_no_arrays(thing):
    raises((TypeError, ValueError), '', np.asarray, thing)
    raises((TypeError, ValueError), '', np.sin, thing)
    with pytest.raises(TypeError):
        np.ones(2) + thing
    if thing is not None and not isinstance(thing, (dict, list)):
        with pytest.raises(TypeError):
            lazy.grad(lambda x: x * 1.0)(thing)


def test_ragged_lists():
    raises(ValueError, 'length|shape', np.asarray, [[1, 2], [3]])
    raises(ValueError, 'shape', np.asarray, [np.ones(2), np.ones(3)])


# --- transformations --------------------------------------------------------------------------------------------------

def test_grad_of_what_has_none():
    raises(TypeError, 'scalar.*shape.*(3,)', lazy.grad(lambda x: x * 2), np.ones(3))
    raises(TypeError, 'int32', lazy.grad(lambda x: x * 2), np.asarray(3))
    raises(TypeError, 'int', lazy.grad(lambda x: x * 2), 3)
    raises(TypeError, 'bool', lazy.grad(lambda x: (x > 0) * 1.0), True)
    raises(TypeError, 'complex', lazy.grad(lambda x: x * 2), 1j)
    raises(TypeError, 'real|int', lazy.grad(lambda x: x.astype(int)), 1.0)
    raises(TypeError, 'tuple', lazy.grad(lambda x: (x, x)), 1.0)
    raises(ValueError, 'argnums', lazy.grad(lambda x: x, argnums=3), 1.0)
    raises(TypeError, 'function', lazy.grad, 3)
    raises(TypeError, '', lazy.grad(lambda x: 'text'), 1.0)
    raises(TypeError, 'aux', lazy.grad(lambda x: x, has_aux=True), 1.0)
    raises(ValueError, 'shape', lazy.jvp, np.sin, (np.ones(3),), (np.ones(2),))
    raises(TypeError, 'structure', lazy.jvp, np.sin, (np.ones(3),), ((np.ones(3), 1.0),))
    raises(ValueError, 'shape', lazy.vjp(np.sin, np.ones(3))[1], np.ones(2))


def test_in_axes_that_do_not_match():
    f, x = lambda a, b: a + b, np.ones((3, 4))
    raises(ValueError, '3.*4|size', lazy.vmap(f), x, np.ones((4, 3)))
    raises((ValueError, TypeError), 'in_axes', lazy.vmap(f, in_axes=(0,)), x, x)
    raises((ValueError, IndexError), 'axis|axes', lazy.vmap(f, in_axes=(2, 0)), x, x)
    raises((ValueError, TypeError), '', lazy.vmap(f, in_axes=(None, None)), x, x)
    raises((ValueError, TypeError), 'in_axes', lambda: lazy.vmap(f, in_axes='a')(x, x))
    raises((ValueError, IndexError), 'axis|dimension|scalar|axes', lazy.vmap(f), 1.0, x)
    raises((ValueError, IndexError, TypeError), '', lazy.vmap(f, out_axes=4), x, x)


def test_static_arguments():
    f = lazy.jit(lambda x, n: x * len(n), static_argnums=1)
    raises(ValueError, 'hash.*list', f, 1.0, [1, 2])
    raises(ValueError, 'hash', f, 1.0, np.ones(2))
    assert float(f(1.0, (1, 2))) == 2
    raises(ValueError, 'static_argnums', lazy.jit, lambda x: x, static_argnums=4)
    raises(ValueError, 'static and donated', lazy.jit, lambda x: x, static_argnums=0, donate_argnums=0)
    raises(TypeError, 'function', lazy.jit, 3)
    raises(TypeError, 'str|text', lazy.jit(lambda x: 'text'), 1.0)
    raises(TypeError, 'str|text', lazy.jit(lambda x: x), 'text')


def test_values_that_do_not_exist():
    """The error names the user's line, says why, and what to use."""
    x = np.ones(3)
    for use, what in [(lambda v: 1 if v.sum() > 0 else 2, 'where.*cond'), (lambda v: onp.sin(v), 'lazy.numpy'),
                      (lambda v: float(v.sum()), 'jit'), (lambda v: v[v > 0], 'where'),
                      (lambda v: [1, 2][v.sum().astype(int)], 'static'),
                      (lambda v: np.ones(v.shape)[:v.sum().astype(int)], 'integer')]:
        for transform in (lazy.jit, lazy.vmap):
            with pytest.raises((TypeError, IndexError), match=what) as error:
                lazy.block_until_ready(transform(use)(np.ones((2, 3)) if transform is lazy.vmap else x))
            assert 'test_bad_input.py:' in str(error.value), str(error.value)


def test_mode_names():
    raises(ValueError, 'sideways', lambda: np.ones(3).at[0].get(mode='sideways'))
    raises(AttributeError, 'no setting', lazy.config.update, 'nothing', 1)
    raises(ValueError, 'native', lazy.config.update, 'target', 'abacus')


# --- memory -----------------------------------------------------------------------------------------------------------

def test_arrays_too_large_for_memory():
    huge = 1 << 50
    x = np.zeros((huge,))                                    # costs nothing as long as nobody looks
    assert x.shape == (huge,)
    with pytest.raises(MemoryError, match='room|memory'):
        (x + 1).block_until_ready()
    assert float((x[:3] + 1).sum()) == 3                     # only what is needed is computed
    assert float(np.zeros(3).sum()) == 0


def test_a_flush_survives_arrays_too_large_for_memory():
    x, huge = np.zeros(3), np.zeros((1 << 50,)) + 1
    for _ in range(4000):
        x = x + 1.0
    assert float(x[0]) == 4000
    with pytest.raises(MemoryError):
        huge.block_until_ready()


# --- the cache directory ----------------------------------------------------------------------------------------------

PROGRAM = '''
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter('always')
    import lazy, lazy.numpy as np
    x = np.arange(50.0)
    for k in range(3):
        assert float((np.sin(x) * 0 + x * k).sum()) == 1225 * k
    assert float(np.sort(x).max()) == 49
print([str(w.message)[:30] for w in caught], lazy.debug.kernel_compilations())
'''


def run(directory, program=PROGRAM, before=''):
    environment = {**os.environ, 'LAZY_CACHE_DIR': str(directory), 'LAZY_TARGET': 'native'}
    done = subprocess.run([sys.executable, '-c', textwrap.dedent(before) + program], env=environment,
                          capture_output=True,
                          text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    messages, _, count = done.stdout.strip().rpartition(' ')
    return eval(messages), int(count)


def test_missing_directory(tmp_path):
    directory = tmp_path / 'a' / 'b'
    messages, count = run(directory)
    assert not messages and count and any(directory.iterdir())
    assert run(directory) == ([], 0)


def test_file_in_the_place_of_the_directory(tmp_path):
    place = tmp_path / 'cache'
    place.write_text('a file')
    messages, count = run(place)
    assert len(messages) == 1 and 'compiled code is not kept' in messages[0] and count
    assert place.read_text() == 'a file'
    assert len(run(place / 'below')[0]) == 1


def test_read_only_directory(tmp_path):
    """What is in it is used; what is not can't be added, and that is said once."""
    directory = tmp_path / 'cache'
    run(directory)
    if os.geteuid():
        directory.chmod(0o500)
    else:                                                     # permissions don't bind the superuser
        before = f'''
            import os
            real = os.open
            def refuse(path, flags, *mode, **more):
                if flags & os.O_CREAT and str(path).startswith({str(directory)!r}):
                    raise PermissionError({errno.EACCES}, 'Permission denied', str(path))
                return real(path, flags, *mode, **more)
            os.open = refuse
            '''
    more = PROGRAM.replace('np.sin(x) * 0', 'np.sin(x) * np.cos(x) * 0')
    try:
        assert run(directory, before='' if os.geteuid() else before) == ([], 0)
        messages, count = run(directory, more, before='' if os.geteuid() else before)
        assert len(messages) == 1 and count
    finally:
        directory.chmod(0o700)


def test_full_disk(tmp_path):
    before = f'''
        import os
        def full(*_):
            raise OSError({errno.ENOSPC}, 'No space left on device')
        os.write = full
        '''
    messages, count = run(tmp_path / 'cache', before=before)
    assert len(messages) == 1 and count
    assert not list((tmp_path / 'cache').glob('*.tmp')) and not list((tmp_path / 'cache').glob('.*.tmp'))


@pytest.mark.parametrize('damage', ['empty', 'half', 'changed', 'garbage', 'swapped', 'directory'])
def test_corrupt_entries(tmp_path, damage):
    directory = tmp_path / 'cache'
    run(directory)
    files = sorted(directory.iterdir())
    contents = [file.read_bytes() for file in files]
    for file, data in zip(files, contents[1:] + contents[:1] if damage == 'swapped' else contents):
        if damage == 'directory':
            file.unlink()
            file.mkdir()
            continue
        file.write_bytes({'empty': b'', 'half': data[:len(data) // 2], 'garbage': os.urandom(200), 'swapped': data,
                          'changed': data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]}[damage])
    messages, count = run(directory)
    assert count
    assert damage == 'directory' or not messages and run(directory) == ([], 0)


def test_module_without_its_index_and_the_other_way_round(tmp_path):
    """Entries are evicted one by one: what is left over must not be a trap."""
    directory = tmp_path / 'cache'
    run(directory)
    for file in sorted(directory.iterdir()):
        data = file.read_bytes()
        file.unlink()
        assert run(directory)[0] == []
        file.write_bytes(data)
    assert run(directory) == ([], 0)


def test_relative_and_unusual_names(tmp_path):
    for name in ('with space', 'ünïcode', "quo'te"):
        assert run(tmp_path / name)[0] == [] and (tmp_path / name).is_dir()


def test_keys_of_other_files_are_refused(tmp_path):
    cache = DiskCache(tmp_path)
    for key in ('../up', 'a/b', '', 'x\0y', 'a.b'):
        with pytest.raises(ValueError):
            cache.get(key)


# --- what the issue of robustness is made of, against NumPy ---------------------------------------------------------------

SAME_ERROR = '''np.einsum('ij,jk->ik', a) | np.einsum('ij->k', a) | np.einsum('ij,jk', a, b, b) | np.einsum('i', a) | np.einsum('ijk', a)
np.einsum('i-j', a) | np.einsum('ij->ii', a) | np.einsum('i$->i', a) | np.einsum('ij,jk->ik', a, np.ones((4, 4))) | np.einsum('ii', a)
np.einsum('ij->ij->ij', a) | np.einsum('ij,', a) | np.einsum('', a) | np.einsum('ij->...ij.', a) | np.einsum('..ij', a)
np.linalg.solve(np.eye(2), np.ones((3, 1))) | np.hstack([a, b]) | np.interp(1., np.ones(3), np.ones(2)) | np.cross(np.ones(4), np.ones(4))
np.take_along_axis(a, np.zeros((1, 3, 1), int), 0) | np.convolve(a, a) | np.polyfit(np.ones(3), np.ones(2), 1) | np.reshape(a, (4, -1))
np.asarray(300, np.int8) | np.array([1, 300], np.int8) | np.full(3, -1, np.uint8) | np.arange(3, dtype=np.int8) + 300 | int(np.asarray(np.inf))
int(np.asarray(np.nan)) | np.max(e) | np.min(e) | np.argmax(e) | np.argmin(e) | np.ptp(e) | np.nanmax(e) | np.nanargmax(e) | np.max(np.zeros((0, 3)), axis=0)
np.maximum.reduce(e) | np.linalg.inv(0 * s) | np.linalg.solve(0 * s, np.ones(2)) | np.linalg.cholesky(-s) | np.linalg.eigvals(s * np.nan)
np.linalg.svd(s * np.nan) | np.linalg.matrix_power(0 * s, -1) | np.linalg.tensorsolve(0 * s, np.ones(2)) | np.linalg.inv(np.stack([s, 0 * s]))
np.split(a, 4) | np.stack([]) | np.concatenate([]) | np.unravel_index(9, (2, 'a')) | np.bincount(np.asarray([0.5]))
np.linspace(0, 1, -1) | np.eye(-1) | np.histogram(e, 0) | np.quantile(a, 1.5) | np.partition(np.ones(2), 5) | np.vander(a) | np.block([a, [b]])'''


@pytest.mark.parametrize('text', [t.strip() for line in SAME_ERROR.splitlines() for t in line.split(' | ')])
def test_errors_are_those_of_numpy(text):
    """At once or when waited for; those that come later name the line."""
    names = {'a': onp.ones((2, 3)), 'b': onp.ones((3, 4)), 'e': onp.zeros(0), 's': onp.eye(2)}
    with onp.errstate(all='ignore'), pytest.raises(Exception) as theirs:
        eval(text, {'np': onp, **names})
    with pytest.raises((theirs.type, TypeError) if theirs.type is ValueError else theirs.type) as ours:
        lazy.block_until_ready(eval(text, {'np': np, **{k: np.asarray(v) for k, v in names.items()}}))
    assert str(ours.value)
    if theirs.type is onp.linalg.LinAlgError and 'operation' in str(ours.value):
        assert 'test_bad_input.py:' in str(ours.value) or '<string>' in str(ours.value)


def test_a_singular_matrix_is_reported_when_waited_for_with_its_line():
    inverse = np.linalg.inv(np.zeros((3, 3)))                         # nothing is said yet
    line = test_a_singular_matrix_is_reported_when_waited_for_with_its_line.__code__.co_firstlineno + 1
    for wait in (lambda: inverse.block_until_ready(), lambda: (inverse + 1).tolist(), lambda: lazy.block_until_ready({'x': inverse})):
        with pytest.raises(onp.linalg.LinAlgError, match=rf'ingular.*test_bad_input.py:{line}'):
            wait()


@pytest.mark.parametrize('name', 'sort argsort argmax argmin nanargmax nanargmin max min nanmax nanmin median unique nanmedian searchsorted'.split())
def test_nans_in_sorts_and_searches(name):
    nan = onp.nan
    for dtype in (onp.float32, onp.float64, onp.complex64, onp.float16):
        x = onp.array([3, nan, 1, nan, 2, -0.0, onp.inf, -onp.inf], dtype)
        more = (onp.array([nan, 1, 5], dtype),) if name == 'searchsorted' else ()
        x = onp.sort(x) if more else x
        if name in ('median', 'nanmedian') and dtype == onp.complex64:
            continue
        with onp.errstate(all='ignore'):
            expected = getattr(onp, name)(x, *more, **({'kind': 'stable'} if name == 'argsort' else {}))
        onp.testing.assert_array_equal(onp.asarray(getattr(np, name)(np.asarray(x), *more)), expected)


def test_a_key_that_is_used_twice():
    """Split or drawn from: with the setting it is an error that names both lines."""
    lazy.config.update('debug_key_reuse', True)
    try:
        for use in (lambda key: lazy.random.normal(key), lambda key: lazy.random.split(key), lambda key: lazy.random.bits(key)):
            key = lazy.random.key(0)
            lazy.random.split(key)
            with pytest.raises(lazy.errors.KeyReuseError, match='test_bad_input.py'):
                lazy.block_until_ready(use(key))
    finally:
        lazy.config.update('debug_key_reuse', False)


# --- sizes beyond 32 bits ------------------------------------------------------------------------------------------------

HUGE = 1 << 40
VIEWS = [('np.broadcast_to(1.0, (HUGE,)).shape', (HUGE,)), ('np.broadcast_to(np.arange(3.), (HUGE, 3))[HUGE - 1].tolist()', [0, 1, 2]),
         ('np.zeros((HUGE, 3))[1 << 35:(1 << 35) + 2].sum().tolist()', 0), ('np.arange(HUGE, dtype=np.int64)[-2:].tolist()', [HUGE - 2, HUGE - 1]),
         ('np.arange(HUGE, dtype=np.int64)[::1 << 38].tolist()', [0, 1 << 38, 1 << 39, 3 << 38]),
         ('np.arange(HUGE, dtype=np.int64)[::-1][:2].tolist()', [HUGE - 1, HUGE - 2]),
         ('np.arange(HUGE, dtype=np.int64).reshape(1 << 20, -1).T[3, -1].tolist()', ((1 << 20) - 1 << 20) + 3),
         ('np.flip(np.arange(HUGE, dtype=np.int64).reshape(1 << 20, -1))[0, :2].tolist()', [HUGE - 1, HUGE - 2]),
         ('np.where(np.arange(HUGE, dtype=np.int64) > 5, 1, 0)[4:8].tolist()', [0, 0, 1, 1]), ('np.eye(1 << 20)[-1, -2:].tolist()', [0, 1]),
         ('np.tril(np.ones((1 << 25, 1 << 25)))[5, 3:8].tolist()', [1, 1, 1, 0, 0]), ('np.zeros((1 << 31, 1 << 31, 2)).size', 1 << 63),
         ('[int(i) for i in np.unravel_index(HUGE + 5, (1 << 30, 1 << 30))]', [1024, 5]),
         ('int(np.ravel_multi_index((1 << 20, 5), (1 << 30, 1 << 30)))', (1 << 50) + 5),
         ('lazy.vmap(lambda x: x + 1)(np.zeros(HUGE))[:2].tolist()', [1, 1]), ('np.linspace(0, 1, HUGE, dtype=np.float64)[-1].tolist()', 1.0),
         ('lazy.random.bits(lazy.random.key(0), ((1 << 32) + 4,))[-3:].shape', (3,))]


@pytest.mark.parametrize('text, expected', VIEWS, ids=[text for text, _ in VIEWS])
def test_views_of_huge_arrays(text, expected):
    assert eval(text) == expected


def memory_available():
    with open('/proc/meminfo') as file:
        return next(int(line.split()[1]) >> 10 for line in file if line.startswith('MemAvailable'))


@pytest.mark.skipif(not os.environ.get('LAZY_TEST_LARGE') or memory_available() < 12_000,
                    reason='an array of 2 GiB: set LAZY_TEST_LARGE=1 with 12 GB of free memory')
def test_positions_beyond_32_bits():
    n = (1 << 31) + 8
    values = onp.zeros(n, onp.int8)
    values[-3:] = 5, 9, 7
    x = np.asarray(values)
    for found, expected in [
            (x.argmax(), n - 2), (np.flatnonzero(x), [n - 3, n - 2, n - 1]), (np.where(x > 5)[0], [n - 2, n - 1]), (x[np.asarray([-2, 0])], [9, 0]),
            (x[np.asarray([n - 2], np.int64)], [9]), (x.at[n - 2].set(3)[-3:], [5, 3, 7]), (x.reshape(2, -1).max(1), [0, 9]), (np.roll(x, 3)[:4], [5, 9, 7, 0]),
            (x.at[np.asarray([-1])].set(1)[-2:], [9, 1]), (x[::-1][:4], [7, 9, 5, 0]), (np.cumsum(x, dtype=np.int8)[-2:], [14, 21]),
            (lazy.jit(lambda x: x.argmax())(x), n - 2), ((x + 1)[-2:], [10, 8])]:
        assert found.tolist() == expected
