"""Matrix products by our own kernels, against NumPy in float64."""
import ctypes
import functools
import itertools
import mmap
import sys

import numpy as np
import pytest

pytest.importorskip('llvmlite')

import lazy  # noqa: E402
import lazy.numpy as lnp  # noqa: E402
from lazy.codegen import gemm, llvm, threads  # noqa: E402

pytestmark = pytest.mark.skipif(not threads.available(), reason='needs the native runner')

WORKERS = 4
LAYOUTS = ['plain', 'transposed', 'sliced', 'backwards', 'mirrored']
GUARD = 80                              # elements around C that must stay as they are
SIZES = [(1, 1, 1), (2, 3, 5), (4, 32, 16), (12, 32, 8), (13, 33, 9), (11, 31, 100), (23, 65, 17), (1, 40, 70),
         (40, 1, 70), (70, 40, 1), (3, 5, 600), (100, 100, 100), (47, 53, 59), (241, 100, 70), (250, 129, 530),
         (600, 40, 40), (16, 1500, 20), (1, 1100, 19), (67, 1, 1037), (265, 40, 1100)]
EMPTY = [(0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0), (1, 4, 0), (4, 1, 0), (300, 40, 0)]
MACHINES = {'host': llvm.host(), '128': llvm.host(128), 'plain': llvm.host(fma=False, f16c=False)}
if llvm.host().width_bits == 512:
    MACHINES['256'] = llvm.host(256)


@functools.cache
def generator():
    return np.random.default_rng(0)


def elements(array):
    return [step // array.itemsize for step in array.strides]


def execute(found, dtype, arrays, machine=None):
    """Run the launches of a plan on arrays {'a': ..., 'b': ..., 'c': ...}."""
    scratch, packed = np.empty(found.scratch * 1024 + 64, np.uint8), np.empty(found.packed, np.uint8)
    packed[:] = 255                                                   # NaN, if it is read before it is written
    scratch[:found.scratch * WORKERS] = 255
    address = {name: array.ctypes.data for name, array in {**arrays, 'scratch': scratch, 'packed': packed}.items()}
    slots, records = [], b''
    for launch in found.launches:
        records += threads.record(gemm.address(launch.name, dtype, machine), 8 * len(slots),
                                  launch.constants.ctypes.data, launch.extent, launch.grain)
        slots += [address[slot] for slot in launch.slots]
    if found.launches:
        slots, records = np.array(slots, np.int64), np.frombuffer(records, np.int64)
        threads.runner().run(records.ctypes.data, len(found.launches), slots.ctypes.data)


def product(a, b, out, machine=None, accumulate=False, workers=1):
    """out (+)= a @ b; batch axes of all three, which may have strides 0."""
    dtype, (sa, sb, sc) = out.dtype.name, map(elements, (a, b, out))
    found = plan_for(machine, a.shape[-2], b.shape[-1], a.shape[-1], dtype, (0, sa[-2], sa[-1], *sa[:-2]),
                     (0, sb[-1], sb[-2], *sb[:-2]), (0, sc[-2], sc[-1], *sc[:-2]), out.shape[:-2], accumulate, workers)
    assert found is not None
    execute(found, dtype, {'a': a, 'b': b, 'c': out}, machine)


def plan_for(machine, *arguments):
    """A plan for another machine: tiles differ."""
    if machine is None:
        return gemm.plan(*arguments)
    host, gemm.llvm.host = gemm.llvm.host, lambda: machine
    try:
        return gemm.plan(*arguments)
    finally:
        gemm.llvm.host = host


def guarded(shape, dtype, order='C'):
    """(memory, array inside of it): the array is surrounded by values that nobody may touch, and badly aligned."""
    size = int(np.prod(shape))
    memory = np.full(size + 2 * GUARD + 1, 77, dtype)
    inside = memory[GUARD + 1:GUARD + 1 + size]
    return memory, inside.reshape(shape, order=order)


def check(a, b, machine=None, accumulate=False, workers=1, order='C', out=None):
    dtype, shape = a.dtype, (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
    memory, c = guarded(shape, dtype, order)
    expected = np.matmul(a.astype(np.float64), b.astype(np.float64)) + (77 if accumulate else 0)
    product(np.broadcast_to(a, (*shape[:-2], *a.shape[-2:])), np.broadcast_to(b, (*shape[:-2], *b.shape[-2:])), c,
            machine, accumulate, workers)
    bound = np.matmul(np.abs(a).astype(np.float64), np.abs(b).astype(np.float64)) + (77 if accumulate else 0)
    assert np.all(np.abs(c - expected) <= 40 * np.finfo(dtype).eps * bound), (a.shape, b.shape)
    assert np.all(memory[:GUARD + 1] == 77) and np.all(memory[GUARD + 1 + c.size:] == 77), (a.shape, b.shape)
    return c


def operand(shape, dtype, layout):
    """Random numbers with strides of a kind; what lies between and around them is NaN."""
    rows, columns = shape
    if layout == 'transposed':
        return operand((columns, rows), dtype, 'plain').T
    step = {'plain': (1, 1), 'rows': (2, 1), 'sliced': (3, 2), 'backwards': (-1, 1), 'mirrored': (1, -1)}[layout]
    memory = np.full((rows * abs(step[0]) + 1, columns * abs(step[1]) + 3), np.nan, dtype)
    found = memory[:rows * abs(step[0]), 1:1 + columns * abs(step[1])][::step[0], ::step[1]]
    assert found.shape == (rows, columns)
    found[...] = generator().standard_normal(shape)
    return found


# --- numbers ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize('machine', MACHINES)
def test_sizes_on_machines(machine, dtype):
    for m, n, k in SIZES + EMPTY:
        check(operand((m, k), dtype, 'plain'), operand((k, n), dtype, 'plain'), MACHINES[machine])


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_every_edge_of_a_tile(dtype):
    tile = gemm.Tile(dtype, llvm.host())
    for m in range(1, 2 * tile.rows + 2):
        check(operand((m, 7), dtype, 'plain'), operand((7, tile.columns + 1), dtype, 'plain'))
    for n in range(1, 2 * tile.columns + 2):
        check(operand((tile.rows + 1, 6), dtype, 'plain'), operand((6, n), dtype, 'plain'))


@pytest.mark.parametrize('machine', ['host', '128'])
@pytest.mark.parametrize('layouts', [*itertools.product(LAYOUTS, repeat=2)])
def test_strides(layouts, machine):
    for m, n, k in [(13, 33, 9), (1, 40, 70), (40, 1, 70), (50, 70, 30), (260, 90, 140)]:
        check(operand((m, k), 'float32', layouts[0]), operand((k, n), 'float32', layouts[1]), MACHINES[machine])


def test_operands_with_stride_0():
    a = np.broadcast_to(generator().standard_normal((1, 30)).astype(np.float32), (20, 30))
    b = np.broadcast_to(np.float32(2), (30, 40))
    check(a, b)
    check(np.broadcast_to(np.float32(3), (300, 30)), np.broadcast_to(generator().standard_normal((30, 1)), (30, 40))
          .astype(np.float32))


@pytest.mark.parametrize('shapes', [
    ((3, 20, 30), (3, 30, 40)), ((2, 3, 20, 30), (2, 3, 30, 40)), ((3, 20, 30), (30, 40)), ((20, 30), (3, 30, 40)),
    ((2, 1, 300, 30), (2, 3, 30, 40)), ((5, 1, 30), (5, 30, 40)), ((2, 3, 20, 30), (2, 3, 30, 1)),
    ((2, 3, 260, 30), (3, 30, 40))])
def test_batches(shapes):
    a, b = (generator().standard_normal(shape).astype(np.float32) for shape in shapes)
    for workers in (1, 4):
        check(a, b, workers=workers)
    if a.ndim > 2:
        check(np.ascontiguousarray(a.swapaxes(0, -2)).swapaxes(0, -2), b)


@pytest.mark.parametrize('sizes', [(13, 33, 9), (250, 129, 530), (1, 40, 70), (40, 1, 70), (3, 4, 0), (300, 5, 70)])
def test_accumulates(sizes):
    m, n, k = sizes
    check(operand((m, k), 'float32', 'plain'), operand((k, n), 'float32', 'plain'), accumulate=True)


@pytest.mark.parametrize('sizes', [(13, 33, 9), (250, 129, 530), (1, 40, 70), (40, 1, 70), (40, 300, 20)])
def test_result_in_columns(sizes):
    m, n, k = sizes
    check(operand((m, k), 'float64', 'plain'), operand((k, n), 'float64', 'plain'), order='F')


def test_result_inside_of_another_array():
    whole = np.full((50, 90), 77, np.float32)
    a, b = operand((30, 20), 'float32', 'plain'), operand((20, 41), 'float32', 'plain')
    product(a, b, whole[7:37, 11:52])
    np.testing.assert_allclose(whole[7:37, 11:52], a @ b, atol=1e-4)
    whole[7:37, 11:52] = 77
    assert np.all(whole == 77)


def test_no_plan():
    assert gemm.plan(3, 4, 5, 'float32', (0, 5, 1), (0, 1, 4), (0, 8, 2)) is None        # no unit stride in C
    assert gemm.plan(3, 4, 5, 'complex64', (0, 5, 1), (0, 1, 4), (0, 4, 1)) is None
    assert gemm.plan(3, 4, 5, 'float32', *[(0, 1, 1, 1, 1, 1)] * 3, (2, 2, 2)) is None


@pytest.mark.parametrize('sizes', [(13, 33, 9), (1, 40, 70), (40, 1, 70)])
def test_nan_and_inf_spread_as_in_numpy(sizes):
    m, n, k = sizes
    for value in (np.nan, np.inf):
        a, b = np.ones((m, k), np.float32), np.ones((k, n), np.float32)
        a[m // 2, k - 1], b[0, n // 2] = value, -value
        memory, c = guarded((m, n), np.float32)
        product(a, b, c)
        with np.errstate(invalid='ignore'):
            np.testing.assert_array_equal(c, a @ b)


@pytest.mark.skipif(sys.platform != 'linux', reason='asks the system for a page that may not be read')
@pytest.mark.parametrize('machine', MACHINES)
def test_nothing_beyond_the_operands_is_read(machine):
    for m, n, k in SIZES:
        for transposed in (False, True):
            a, b = at_end_of_memory((m, k)), at_end_of_memory((k, n))
            if transposed:
                a, b = at_end_of_memory((k, m)).T, at_end_of_memory((n, k)).T
            c = at_end_of_memory((m, n))
            product(a, b, c, MACHINES[machine])
            np.testing.assert_array_equal(c, k)


def at_end_of_memory(shape):
    """Ones before a page that may not be read."""
    nbytes = 4 * int(np.prod(shape))
    size = -(-nbytes // mmap.PAGESIZE) * mmap.PAGESIZE
    pages = mmap.mmap(-1, size + mmap.PAGESIZE)
    end = np.frombuffer(pages, np.uint8).ctypes.data + size
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(end), ctypes.c_size_t(mmap.PAGESIZE), 0) == 0
    found = np.frombuffer(pages, np.float32, nbytes // 4, size - nbytes).reshape(shape)
    found[...] = 1
    return found


# --- threads ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('sizes', [(500, 300, 200), (100, 1024, 300), (1, 9000, 300), (9000, 1, 300), (2000, 30, 40)])
def test_same_result_on_several_threads(sizes):
    m, n, k = sizes
    a, b = operand((m, k), 'float32', 'plain'), operand((k, n), 'float32', 'plain')
    before, results = threads.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            threads.set_num_threads(count)
            results.append(check(a, b, workers=count))
    finally:
        threads.set_num_threads(before)
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)


def test_blocks_are_shared_out():
    found = gemm.plan(1024, 1024, 1024, 'float32', (0, 1024, 1), (0, 1, 1024), (0, 1024, 1), workers=2)
    assert [launch.name for launch in found.launches] == ['gemm_pack', 'gemm']
    assert found.launches[1].extent >= 8
    found = gemm.plan(128, 1024, 512, 'float32', (0, 512, 1), (0, 1, 1024), (0, 1024, 1), workers=2)
    assert [launch.extent for launch in found.launches] == [8]
    found = gemm.plan(32, 32, 32, 'float32', (0, 32, 1), (0, 1, 32), (0, 32, 1), workers=2)
    assert [launch.extent for launch in found.launches] == [1] and found.scratch == 0


# --- as part of programs ---------------------------------------------------------------------------------------------

def test_products_of_a_program_are_kernels():
    def f(x, w):
        return lnp.tanh(lnp.maximum(x @ w, 0) @ w.T)
    x, w = (generator().standard_normal(shape).astype(np.float32) for shape in ((70, 50), (50, 30)))
    np.testing.assert_allclose(np.asarray(lazy.jit(f)(x, w)), np.tanh(np.maximum(x @ w, 0) @ w.T), atol=1e-4)


@pytest.mark.parametrize('equation', [
    'ij,jk->ik', 'ji,jk->ik', 'ij,kj->ik', 'ij,jk->ki', 'bthd,bshd->bhts', 'bhts,bshd->bthd', 'ij,j->i', 'i,ij->j',
    'i,i->', 'i,j->ij', 'abij,abjk->abik', 'abcij,abcjk->abcik', 'ijk,jkl->il', 'ijk,kjl->il', 'aij,jk->aik',
    'ija,jk->iak', 'iaj,bkj->iabk'])
def test_axes_in_any_order(equation):
    sizes = dict(zip('abcdhijklst', (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)))
    operands = [generator().standard_normal([sizes[i] for i in names])
                for names in equation.split('->')[0].split(',')]
    np.testing.assert_allclose(np.asarray(lnp.einsum(equation, *[lnp.asarray(x) for x in operands])),
                               np.einsum(equation, *operands), rtol=1e-12, atol=1e-12)


def test_new_sizes_compile_nothing():
    lazy.block_until_ready(lnp.ones((4, 5)) @ lnp.ones((5, 6)))
    f = lazy.jit(lambda a, b: a @ b)
    lazy.block_until_ready(f(np.ones((9, 8), np.float32), np.ones((8, 40), np.float32)))
    before = llvm.kernel_compilations()
    for n in range(41, 50):
        lazy.block_until_ready(f(np.ones((n, 8), np.float32), np.ones((8, n), np.float32)))
    assert llvm.kernel_compilations() == before


@pytest.mark.parametrize('dtype', [lnp.float16, lnp.bfloat16], ids=['float16', 'bfloat16'])
def test_narrow_floats_are_multiplied_in_float32(dtype):
    """The very result of the float32 product, rounded once, by kernels of our own."""
    a = lnp.asarray(generator().standard_normal((70, 90)), dtype)
    f = lambda a: a.T @ (a + 1)
    wide = lambda a: lnp.matmul(a.T.astype(lnp.float32), (a + 1).astype(lnp.float32)).astype(dtype)
    assert 'product' in [work.kind for work in lazy.explain(f, a).launches]
    got, want = lazy.jit(f), lazy.jit(wide)
    for _ in range(4):
        assert got(a).dtype == dtype and lnp.array_equal(got(a), want(a))


def test_parts_of_a_concatenation():
    a, b = (generator().standard_normal(shape).astype(np.float32) for shape in ((30, 20), (20, 10)))
    f = lazy.jit(lambda a, b: lnp.concatenate([a @ b, a @ (2 * b)], axis=1))
    np.testing.assert_allclose(np.asarray(f(a, b)), np.concatenate([a @ b, 2 * (a @ b)], 1), atol=1e-4)
