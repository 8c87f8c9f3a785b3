"""Fourier transforms by our own kernels, against SciPy in a wider type."""
import ctypes
import functools
import mmap
import sys
import types

import numpy as np
import pytest

pytest.importorskip('llvmlite')
scipy_fft = pytest.importorskip('scipy.fft')

import lazy  # noqa: E402
import lazy.numpy as lnp  # noqa: E402
from lazy.codegen import choices, fft, gemm, llvm, runtime, threads  # noqa: E402
from lazy.codegen import plan as plan_module  # noqa: E402
from lazy.codegen.cache import DiskCache  # noqa: E402
from lazy.ir import dtypes  # noqa: E402
from lazy.ir.graph import aval  # noqa: E402

pytestmark = pytest.mark.skipif(not threads.available(), reason='needs the native runner')

WORKERS = 4
GUARD = 80                              # elements around the result that must stay as they are
MACHINES = {'128': llvm.host(128), 'plain': llvm.host(fma=False, f16c=False)}
if llvm.host().width_bits == 512:
    MACHINES['256'] = llvm.host(256)
KINDS = ('fft', 'ifft', 'rfft', 'irfft')
REALS = ('float32', 'float64')


@functools.cache
def generator():
    return np.random.default_rng(0)


def largest_prime(n):
    p, largest = 2, 1
    while n > 1:
        if n % p:
            p += 1
        else:
            n, largest = n // p, p
    return largest


SMOOTH = [n for n in range(1, 301) if largest_prime(n) <= choices.FFT_PRIME]


def operand(shape, kind, real):
    """Random numbers of the type that a kind of transform takes."""
    x = generator().standard_normal((*shape, 2)).astype(real)
    return x[..., 0].copy() if kind == 'rfft' else x.view(f'complex{16 * x.itemsize}')[..., 0]


def elements(array):
    return [step // array.itemsize for step in array.strides]


def plan(kind, x, axis, length, out, machine=None, workers=WORKERS):
    """The plan for arrays, for another machine: vectors differ."""
    host = llvm.host
    fft.llvm.host = (lambda *_: machine) if machine else host
    try:
        avals = [aval(a.shape, dtypes.as_dtype(a.dtype)) for a in (x, out)]
        instruction = types.SimpleNamespace(params=(kind, axis, length), aval=avals[1])
        return fft.from_fft(instruction, *[(of, 0, elements(a)) for of, a in zip(avals, (x, out))], workers)
    finally:
        fft.llvm.host = host


def execute(found, x, out, machine=None):
    scratch, packed = np.empty(found.scratch * WORKERS + 64, np.uint8), np.empty(found.packed, np.uint8)
    packed[:] = scratch[:] = 255                                      # NaN, if it is read before it is written
    address = {'a': x.ctypes.data, 'b': out.ctypes.data, 'packed': packed.ctypes.data, 'scratch': scratch.ctypes.data}
    slots, records = [], b''
    for launch in found.launches:
        code = gemm.address(launch.name, out.real.dtype.name, machine, runtime.cache())
        records += threads.record(code, 8 * len(slots), launch.constants.ctypes.data, launch.extent, launch.grain)
        slots += [address[slot] for slot in launch.slots]
    slots, records = np.array(slots, np.int64), np.frombuffer(records, np.int64)
    threads.runner().run(records.ctypes.data, len(found.launches), slots.ctypes.data)


def result_of(kind, x, axis, length=None):
    """(length, memory, the place inside of it for the result): surrounded by values that nobody may touch."""
    length = length or (2 * (x.shape[axis] - 1) if kind == 'irfft' else x.shape[axis])
    shape = list(x.shape)
    shape[axis] = length // 2 + 1 if kind == 'rfft' else length
    dtype = x.real.dtype if kind == 'irfft' else np.result_type(x, np.complex64)
    memory = np.full(int(np.prod(shape)) + 2 * GUARD + 1, 77, dtype)
    return length, memory, memory[GUARD + 1:-GUARD].reshape(shape)


def exact(kind, x, axis, length):
    wide = np.longdouble if kind == 'rfft' else np.clongdouble
    return getattr(scipy_fft, kind)(x.astype(wide), length, axis)


def check(kind, x, axis, machine=None, workers=WORKERS, planned=True, length=None):
    """The result of the transform; None where there is no plan, which `planned` says (None: either way)."""
    length, memory, out = result_of(kind, x, axis, length)
    found = plan(kind, x, axis, length, out, machine, workers)
    assert planned is None or bool(found) == planned, (kind, x.shape, axis)
    if not found:
        return None
    execute(found, x, out, machine)
    assert np.all(memory[:GUARD + 1] == 77) and np.all(memory[-GUARD:] == 77)
    expected = exact(kind, x, axis, length)
    error = np.sqrt(np.mean(np.abs(out - expected)**2) / np.mean(np.abs(expected)**2))
    prime = largest_prime(length)
    bound = 1 + 0.1 * np.log2(length) + 0.1 * (prime if prime > 7 else 0)**0.5              # such sums are spelt out
    assert error <= np.finfo(out.real.dtype).eps * bound, (kind, x.shape, axis, error)
    return out


# --- numbers ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('real', REALS)
@pytest.mark.parametrize('kind', KINDS)
def test_columns_of_every_length(kind, real):
    lanes = llvm.host().lanes(np.dtype(real).itemsize)
    for n in SMOOTH:
        check_columns(kind, n, lanes + n % 3 if kind in ('fft', 'ifft') else 2 * (lanes + n % 3), real)


def check_columns(kind, n, columns, real, machine=None):
    if kind != 'irfft':
        check(kind, operand((n, columns), kind, real), 0, machine)
    else:
        for length in {n - 1, n} & set(SMOOTH):
            check(kind, operand((length // 2 + 1, columns), kind, real), 0, machine, length=length)


@pytest.mark.parametrize('real', REALS)
@pytest.mark.parametrize('kind', KINDS)
def test_rows_of_every_length(kind, real):
    lanes = llvm.host().lanes(np.dtype(real).itemsize)
    for n in SMOOTH:
        check_rows(kind, n, lanes + n % 5, real, planned=True if n > 2 * lanes else None)


def check_rows(kind, n, rows, real, planned=True):
    for length in {n, 2 * n} if kind in ('rfft', 'irfft') else {n}:
        shape = (rows, length // 2 + 1 if kind == 'irfft' else length)
        check(kind, operand(shape, kind, real), 1, length=length, planned=planned)


@pytest.mark.parametrize('kind, n', [('fft', 8), ('ifft', 8), ('rfft', 34), ('rfft', 33), ('irfft', 34), ('irfft', 33)])
def test_many_short_rows(kind, n):
    check(kind, operand((1000, n // 2 + 1 if kind == 'irfft' else n), kind, 'float32'), 1, length=n)


@pytest.mark.parametrize('real', REALS)
@pytest.mark.parametrize('kind', KINDS)
def test_one_row_of_every_length(kind, real):
    for n in SMOOTH:
        check_rows(kind, n, 1, real, planned=True if largest_prime(n) <= 7 else None)


@pytest.mark.parametrize('real', REALS)
@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('n', [256, 320, 1000, 1024, 2187, 5 * 7 * 11 * 16, 8192, 1 << 15, 3 * 5 * 7 * 1024])
def test_long_rows(kind, real, n):
    shape = (2, n // 2 + 1 if kind == 'irfft' else n)
    for rows in (1, 2):
        check(kind, operand(shape, kind, real)[:rows], 1, length=n)


@pytest.mark.parametrize('machine, real', [(name, 'float32') for name in MACHINES] + [('128', 'float64')])
def test_machines(machine, real):
    machine = MACHINES[machine]
    for n in (8, 60, 77, 128, 1024, 44100):
        for kind in ('fft', 'ifft'):
            check(kind, operand((n, 33), kind, real), 0, machine)
            check(kind, operand((33, n), kind, real), 1, machine)
    for n in (60, 77, 1024):
        check_columns('rfft', n, 36, real, machine)
        check_columns('irfft', n, 36, real, machine)
    for n in (60, 1024, 44100):
        check('rfft', operand((35, n), 'rfft', real), 1, machine)
        check('irfft', operand((35, n // 2 + 1), 'irfft', real), 1, machine)


@pytest.mark.parametrize('shape, axis', [
    ((3, 4, 64), 2), ((3, 64, 40), 1), ((2, 30, 3, 40), 1), ((40, 2, 3, 20), 0), ((2, 3, 600), -1), ((5, 1, 18, 24), 2),
    ((1, 18, 1, 24), 1), ((20, 20, 20), 2)])
def test_batches(shape, axis):
    for kind in ('fft', 'ifft'):
        check(kind, operand(shape, kind, 'float64'), axis % len(shape))


def test_parts_of_arrays():
    """Strides that aren't those of a whole array; what lies between is left alone."""
    x = operand((40, 70), 'fft', 'float32')
    for part, to, axis in ((x[3:35, 7:67], np.s_[2:34, 1:61], 1), (x[3:39, 7:59], np.s_[2:38, 5:57], 0)):
        whole = np.full((50, 90), 77, np.complex64)
        execute(plan('fft', part, axis, part.shape[axis], whole[to]), part, whole[to])
        np.testing.assert_allclose(whole[to], np.fft.fft(part, axis=axis), atol=1e-4)
        whole[to] = 77
        assert np.all(whole == 77)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('shape, axis', [((3, 100), 1), ((40, 100), 1), ((40, 70), 0), ((3, 600), 1)])
def test_cut_and_padded(kind, shape, axis):
    """An operand longer than the transform is cut; a shorter one, which has to be padded, is left to SciPy."""
    check(kind, operand(shape, kind, 'float32'), axis, length=shape[axis] - 10 if shape[axis] < 512 else 512)
    check(kind, operand(shape, kind, 'float32'), axis, length=4 * shape[axis], planned=False)


def test_imaginary_parts_that_irfft_leaves_out():
    x = operand((3, 1025), 'irfft', 'float32')
    assert np.all(x[:, [0, -1]].imag != 0)
    check('irfft', x, 1)


@pytest.mark.parametrize('kind, shape, axis', [
    ('fft', (40, 101), 1), ('fft', (1009,), 0), ('fft', (14, 300), 1), ('rfft', (64, 65), 0),
    ('irfft', (33, 65), 0), ('fft', (2048, 3), 0), ('fft', (0, 64), 1)])
def test_what_is_left_to_scipy(kind, shape, axis):
    assert check(kind, operand(shape, kind, 'float32'), axis, planned=False) is None


@pytest.mark.skipif(sys.platform != 'linux', reason='asks the system for a page that may not be read')
@pytest.mark.parametrize('machine', ['host', *MACHINES])
def test_nothing_beyond_the_operand_is_read(machine):
    for shape, axis, kind in (((30, 33), 0, 'fft'), ((33, 30), 1, 'fft'), ((1, 1008), 1, 'fft'), ((2, 1000), 1, 'rfft'),
                              ((33, 100), 1, 'rfft'), ((2, 501), 1, 'irfft'), ((33, 51), 1, 'irfft')):
        check(kind, at_end_of_memory(operand(shape, kind, 'float32')), axis, MACHINES.get(machine))


def at_end_of_memory(x):
    """A copy before a page that may not be read."""
    size = -(-x.nbytes // mmap.PAGESIZE) * mmap.PAGESIZE
    pages = mmap.mmap(-1, size + mmap.PAGESIZE)
    end = np.frombuffer(pages, np.uint8).ctypes.data + size
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(end), ctypes.c_size_t(mmap.PAGESIZE), 0) == 0
    found = np.frombuffer(pages, x.dtype, x.size, size - x.nbytes).reshape(x.shape)
    found[...] = x
    return found


@pytest.mark.parametrize('n', [2, 12, 64, 1000, 4095, 1 << 20])
def test_roots_of_unity(n):
    e = generator().integers(-3 * n, 3 * n, 50)
    pi = np.arctan2(np.longdouble(0), np.longdouble(-1))
    angle = -2 * pi * (e % n).astype(np.longdouble) / n
    expected = np.stack([np.cos(angle), np.sin(angle)], -1)
    np.testing.assert_allclose(fft.roots_of_unity(n, e), expected, atol=2e-16, rtol=0)


# --- threads ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('kind, shape, axis', [
    ('fft', (1 << 17,), 0), ('rfft', (1 << 18,), 0), ('irfft', ((1 << 17) + 1,), 0),
    ('rfft', (3**11,), 0), ('ifft', (300, 1024), 1),
    ('fft', (256, 700), 0), ('rfft', (2000, 100), 1)])
def test_same_result_on_several_threads(kind, shape, axis):
    x = operand(shape, kind, 'float32')
    before, results = threads.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            threads.set_num_threads(count)
            results.append(check(kind, x, axis))
    finally:
        threads.set_num_threads(before)
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)


# --- as part of programs ---------------------------------------------------------------------------------------------

FUNCTIONS = [
    ('fft', (1000,), {}), ('fft', (64, 64), {'axis': 0}), ('ifft', (2, 30, 40), {'axis': 1}), ('fft', (1, 1), {}),
    ('fft', (20, 100), {'n': 64}), ('rfft', (3, 1024), {}), ('irfft', (3, 513), {}), ('rfft', (30, 77), {}),
    ('fft2', (32, 48), {}),
    ('ifft2', (3, 32, 48), {}), ('rfft2', (64, 48), {}), ('irfft2', (64, 25), {}), ('fftn', (16, 24, 32), {}),
    ('rfftn', (16, 24, 32), {'axes': (0, 2)}), ('rfft', (48, 64), {'axis': 0}), ('irfft', (25, 64), {'axis': 0}),
    ('fft', (0, 64), {}), ('hfft', (1025,), {}), ('ihfft', (2048,), {}), ('fft', (1009,), {}),
    ('ifft', (1000,), {'norm': 'ortho'})]


@pytest.mark.parametrize('real', REALS)
@pytest.mark.parametrize('name, shape, keywords', FUNCTIONS)
def test_functions(name, shape, keywords, real):
    x = operand(shape, 'rfft' if name in ('rfft', 'rfft2', 'rfftn', 'ihfft') else 'fft', real)
    f = lazy.jit(lambda x: getattr(lnp.fft, name)(x, **keywords))
    expected = getattr(np.fft, name)(x, **keywords)
    for _ in range(choices.PROVISIONAL_RUNS + 1):
        found = np.asarray(f(x))
        np.testing.assert_allclose(found, expected, atol=np.finfo(real).eps * 20 * max(1, abs(expected).max(initial=0)))


@pytest.mark.parametrize('view', [lambda x: x.T, lambda x: x[::2, 1::2], lambda x: x[::-1], lambda x: x[:, None, 3:60]],
                         ids=['transposed', 'sliced', 'backwards', 'new axis'])
def test_views(view):
    x = operand((64, 64), 'fft', 'float32')
    f = lazy.jit(lambda x: lnp.fft.fft(view(x), axis=0) + lnp.fft.ifft(view(x)))
    expected = np.fft.fft(view(x), axis=0) + np.fft.ifft(view(x))
    np.testing.assert_allclose(np.asarray(f(x)), expected, atol=1e-4)


def test_new_sizes_compile_nothing():
    f = lazy.jit(lnp.fft.fft)
    for _ in range(choices.PROVISIONAL_RUNS + 1):
        for n in (1024, 1000):
            lazy.block_until_ready(f(np.ones(n, np.complex64)))
    before = llvm.kernel_compilations()
    for n in (2048, 1 << 17, 3000, 1155 * 16):
        for _ in range(choices.PROVISIONAL_RUNS + 1):
            np.testing.assert_allclose(np.asarray(f(np.ones(n, np.complex64)))[:2], [n, 0], atol=1e-2)
    assert llvm.kernel_compilations() == before
    assert [work.kind for work in lazy.explain(lnp.fft.fft, lnp.ones(2048, 'complex64')).launches] == ['product']


def test_first_runs_are_scipys(monkeypatch, tmp_path):
    """Nothing is compiled before a program has run a few times."""
    monkeypatch.setattr(gemm, '_addresses', {})
    monkeypatch.setattr(runtime, '_cache', DiskCache(tmp_path))
    f, x = lazy.jit(lambda x: lnp.fft.fft(x) * 3), operand((2, 1536), 'fft', 'float32')
    before = llvm.kernel_compilations()
    results = []
    for run in range(choices.PROVISIONAL_RUNS + 2):
        results.append(np.asarray(f(x)))
        assert (llvm.kernel_compilations() > before) == (run >= choices.PROVISIONAL_RUNS)
    for found in results:
        np.testing.assert_allclose(found, 3 * np.fft.fft(x), atol=1e-3)


@pytest.mark.parametrize('shape, in_place', [((64, 48), True), ((65, 48), True), ((48, 65), False), ((20, 1024), True)])
def test_last_of_several_axes_in_place(monkeypatch, shape, in_place):
    """Where bundles don't overlap what the last transform reads lies in the memory of its result."""
    programs, place = [], plan_module.Program._place
    monkeypatch.setattr(plan_module.Program, '_place', lambda self: (place(self), programs.append(self)))
    x = operand(shape, 'fft', 'float32')
    for f, expected in ((lnp.fft.fft2, [np.fft.fft2(x)]),
                        (lambda x: (lnp.fft.fft2(x), lnp.fft.fft(x)), [np.fft.fft2(x), np.fft.fft(x)])):
        f = lazy.jit(f)
        for _ in range(choices.PROVISIONAL_RUNS + 1):
            for found, wanted in zip(lazy.tree.leaves(f(x)), expected):
                np.testing.assert_allclose(found, wanted, atol=1e-3)
        assert bool(programs[-1].written_over) == (in_place and len(expected) == 1)


def test_numpy_target():
    x = operand((64, 64), 'fft', 'float32')
    native = np.asarray(lazy.jit(lnp.fft.fft)(x))
    lazy.config.update('target', 'numpy')
    try:
        np.testing.assert_allclose(np.asarray(lnp.fft.fft(x)), native, atol=1e-4)
    finally:
        lazy.config.update('target', 'native')


def test_explain_says_what_it_is():
    report = str(lazy.explain(lambda x: lnp.fft.fft(x), lnp.ones(1024, 'complex64')))
    assert report.startswith('1 Fourier transform') and 'a step of its own' in report, report
