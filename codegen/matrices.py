"""Matrices by kernels of our own: many small ones at once, and copies of large ones for LAPACK, which reads columns.

LAPACK has a call for each matrix, whose overhead and short loops take longer than the arithmetic: Cholesky factors of
10 000 float32 matrices of size 8 took 2.5 ms by NumPy's loop over it. Here each lane of a vector has a matrix of its
own, and they take 0.2 ms.
Sizes are run-time values: one compilation serves an operation on a dtype.

`prepare` says at planning whether a kernel is missing, and has it at hand; `run`, `copy` and `by_columns` are what
`libraries` calls.
"""
import functools

import numpy as np

from ..ir import lapack, ops
from . import choices, llvm, lu, matrices_text, memory, runtime, threads
from .gemm_text import DTYPES

KERNELS = {ops.cholesky: 'small_cholesky', ops.lu: 'small_lu', ops.solve: 'small_solve', ops.inverse: 'small_solve',
           ops.triangular_solve: 'small_triangular_solve', ops.eigh: 'small_eigh', ops.eigvalsh: 'small_eigvalsh'}
LARGEST = {ops.eigvalsh: 16}            # where LAPACK is faster above, which takes no rotations; others: lapack.SMALL
BY_COLUMNS = {ops.lu, ops.qr, ops.eig}                               # LAPACK gets what isn't turned around for free
TURNED = BY_COLUMNS | {ops.eigh, ops.svd}                            # they, or what it finds, are turned around
LARGE = 128                             # sizes from which such a copy by NumPy takes longer than to call a kernel
COPIED_PER_NS = 20                      # bytes, an estimate for the work that is worth a thread
_addresses = {}                                                      # (kernel, dtype) -> address


def kernel_of(op, avals):
    """(kernel, dtype) that does the operation on operands of these shapes and dtypes; None where LAPACK does it."""
    name = KERNELS.get(op)
    if name is None or avals[0].dtype.name not in DTYPES or len(avals[0].shape) < 3:
        return None
    first = avals[0]
    (m, n), (*_, columns) = first.shape[-2:], avals[-1].shape
    count, lanes = _product(first.shape[:-2]), llvm.host().lanes(first.dtype.itemsize)
    few = max(m, n) <= LARGEST.get(op, lapack.SMALL) and columns <= 2 * lapack.SMALL and m * n * columns
    return (name, first.dtype.name) if few and 2 * count >= lanes else None


def _copied_by(op, avals):
    """(kernel, dtype) that turns operands or results of LAPACK around; None where NumPy copies as fast."""
    return _turning(avals[0]) if op in TURNED else None


def _turning(x):
    if len(x.shape) != 2 or min(x.shape) < LARGE:
        return None
    return {4: ('turn', 'float32'), 8: ('turn', 'float64')}.get(x.dtype.itemsize)


def prepare(op, avals, compile_):
    """Have the kernel at hand that `run` or `copy` uses, if any; False where it would have to be compiled first, and
    isn't to be."""
    if op in LARGE_RUNS and lu.fits(avals):
        return lu.prepare(avals[0].dtype.name, compile_)
    key = kernel_of(op, avals) or _copied_by(op, avals)
    if key is None or key in _addresses or runtime.runner() is None:
        return True
    text = _text(*key, llvm.host())
    if not compile_ and runtime.cache().get(llvm.object_key(text, llvm.host())) is None:
        return False
    _addresses[key] = llvm.functions(text, [key[0]], llvm.host(), runtime.cache())[key[0]]
    return True


def run(op, places, arrays, keywords):
    """The results of an operation into `places`; False where that is LAPACK's work. LinAlgError as NumPy's."""
    if op in LARGE_RUNS and lu.fits(arrays) and lu.ready(arrays[0].dtype.name):
        LARGE_RUNS[op](places, *arrays)
        return True
    key = kernel_of(op, arrays)
    if key not in _addresses:
        return False
    _RUNS[op](_addresses[key], places, arrays, **keywords)
    return True


def by_columns(op, x):
    """A matrix whose columns lie in memory one after the other where LAPACK reads it so."""
    if op not in BY_COLUMNS or _turning(x) not in _addresses:
        return x
    made = np.empty(x.shape, x.dtype, 'F')
    copy(made.T, x.T)
    return made


def copy(to, x):
    """np.copyto, also of a matrix that lies in memory the other way round than `to`.

    That takes NumPy up to eight times as long where its sizes are powers of two.
    """
    size, address = x.itemsize, _addresses.get(_turning(x))
    if address is None or x.dtype != to.dtype or x.strides[0] != size or to.strides[1] != size:
        return np.copyto(to, x)
    blocks = -(-len(to) // llvm.host().lanes(size))
    slots, numbers = np.array([x.ctypes.data, to.ctypes.data]), np.array([*x.shape, x.strides[1], to.strides[0]])
    grain = max(1, int(choices.GRAIN_NS * blocks / x.nbytes * COPIED_PER_NS))
    _execute(threads.record(address, 0, numbers.ctypes.data, blocks, grain), slots)


def _execute(record, slots):
    runtime.runner().run(np.frombuffer(record, np.int64).ctypes.data, 1, slots.ctypes.data)


@functools.lru_cache(maxsize=16)
def _text(name, dtype, machine):
    return matrices_text.emit(name, dtype, machine)


def _product(sizes):
    return int(np.prod(sizes))


# --- launches -------------------------------------------------------------------------------------------------------

def _launch(address, arrays, results, constants, cells, work):
    """Run a kernel on all matrices; whether it found one that has no result.

    arrays: (array, axes of its own) with the matrices on the leading axes, whole ones next to each other in memory;
    results: the same, written; cells: elements of one matrix in scratch memory; work: operations on each matrix.
    """
    count = _product(arrays[0][0].shape[:arrays[0][0].ndim - arrays[0][1]])
    itemsize = arrays[0][0].itemsize
    lanes = llvm.host().lanes(itemsize)
    groups = -(-count // lanes)
    steps = [_product(x.shape[x.ndim - own:]) * itemsize if x.ndim > own else 0 for x, own in (*arrays, *results)]
    parts = max(1, min(threads.get_num_threads(), groups, int(groups * work // choices.GRAIN_NS)))
    nbytes = (cells + lanes * (len(steps) + 1)) * lanes * itemsize
    scratch, error = memory.allocate(parts * nbytes), np.zeros(1, np.int64)
    slots = np.array([*[x.ctypes.data for x, _ in (*arrays, *results)], error.ctypes.data, scratch.address], np.int64)
    numbers = np.array([count, nbytes, *constants[0], *steps, *constants[1]], np.int64)
    _execute(threads.record(address, 0, numbers.ctypes.data, groups, 1, 1, parts), slots)
    return bool(error[0])


def _written(places, dtypes, launch):
    """launch(arrays to write), which are the places where these are contiguous and of the dtypes that kernels write."""
    made = [to if to.flags.c_contiguous and to.dtype == dtype else np.empty(to.shape, dtype)
            for to, dtype in zip(places, dtypes)]
    failed = launch(made)
    for to, x in zip(places, made):
        if to is not x:
            np.copyto(to, x)
    return failed


def _cholesky(address, places, arrays):
    a = np.ascontiguousarray(arrays[0])
    n = a.shape[-1]
    if _written(places, [a.dtype], lambda to: _launch(
            address, [(a, 2)], [(to[0], 2)], ([n], []), n * n, n**3 / 3)):
        raise np.linalg.LinAlgError('Matrix is not positive definite')


def _lu(address, places, arrays):
    a = np.ascontiguousarray(arrays[0])
    (m, n), integer = a.shape[-2:], np.dtype(f'i{a.itemsize}')
    _written(places, [a.dtype, *[integer] * 3], lambda to: _launch(
        address, [(a, 2)], list(zip(to, (2, 1, 0, 1))), ([m, n], []), m * n + 2 * m, m * n * min(m, n)))


def _large_lu(places, a):
    factors, order, sign, pivots = places
    to = factors if factors.flags.c_contiguous else np.empty_like(a)
    np.copyto(to, a)
    pivots[...] = lu.eliminate(to)
    order[...], sign[...] = lapack.order_and_sign(pivots, len(a))
    if to is not factors:
        np.copyto(factors, to)


def _large_solve(places, a, b):
    factors = np.array(a, order='C')
    order, _ = lapack.order_and_sign(lu.eliminate(factors), len(a))
    below = lapack.triangular_solve(factors, b[order], True, False, True)
    np.copyto(places[0], lapack.triangular_solve(factors, below, False, False, False))


def _solve(address, places, arrays):
    a, b = map(np.ascontiguousarray, arrays)
    _singular(_written(places, [a.dtype], lambda to: _solved(address, a, b, to)))


def _inverse(address, places, arrays):
    a = np.ascontiguousarray(arrays[0])
    _singular(_written(places, [a.dtype], lambda to: _solved(address, a, np.eye(a.shape[-1], dtype=a.dtype), to)))


def _solved(address, a, b, to):
    m, n = b.shape[-2:]
    return _launch(address, [(a, 2), (b, 2)], [(to[0], 2)], ([m, n], []), m * (m + n), m * m * (m + 2 * n))


def _triangular_solve(address, places, arrays, lower, transpose, unit_diagonal):
    a, b = map(np.ascontiguousarray, arrays)
    m, n = b.shape[-2:]
    cell = a.itemsize * llvm.host().lanes(a.itemsize)
    steps = (cell, m * cell) if transpose else (m * cell, cell)
    _singular(_written(places, [a.dtype], lambda to: _launch(
        address, [(a, 2), (b, 2)], [(to[0], 2)], ([m, n], [*steps, lower == transpose, unit_diagonal]), m * (m + n),
        m * (m + m * n))))


def _eigh(address, places, arrays):
    a = np.ascontiguousarray(arrays[0])
    n = a.shape[-1]
    if _written(places, [a.dtype] * len(places), lambda to: _launch(
            address, [(a, 2)], list(zip(to, (1, 2))), ([n], []), n * (2 * n + 1), 20 * n**3)):
        raise np.linalg.LinAlgError('Eigenvalues did not converge')


def _singular(failed):
    if failed:
        raise np.linalg.LinAlgError('Singular matrix')


_RUNS = {ops.cholesky: _cholesky, ops.lu: _lu, ops.solve: _solve, ops.inverse: _inverse,
         ops.triangular_solve: _triangular_solve, ops.eigh: _eigh, ops.eigvalsh: _eigh}
LARGE_RUNS = {ops.lu: _large_lu, ops.solve: _large_solve}
