"""Matrix products as LLVM IR in the ABI of kernels: C = A B, or C += A B, for operands with any strides.

    found = plan(m, n, k, 'float32', a, b, c, batch)     # a: (offset, stride of m, stride of k, batch strides ...)
    found.launches                                       # records for the runner: see `Launch`
    address('gemm', 'float32')                           # one compilation for a dtype: sizes are run-time values

The scheme is that of Goto and van de Geijn (Anatomy of high-performance matrix multiplication, ACM TOMS 34, 2008) in
the form of Van Zee and van de Geijn (BLIS, ACM TOMS 41, 2015). A micro-kernel holds a tile of C in registers and adds
up `depth` outer products to it: vectors of a row of B times broadcast elements of a column of A. B is packed into
panels as wide as the tile, which stay in a near cache while it passes over the rows; blocks of A are packed, four rows
side by side, into scratch memory of the thread, which stays in the second-level cache.

Kernels (their text: `gemm_text`) with the slots that they take:

    gemm_pack  b, packed                 panels of B for all to use; where A is one block of rows, gemm packs by the way
    gemm       a, b, c, packed, scratch  tiles of C; one item is a block of rows times a block of columns
    gemv_dot   matrix, x, y              y_j = sum_k M_jk x_k where the k are contiguous
    gemv_axpy  matrix, x, y              the same where the j are contiguous

A result does not depend on the number of threads: each element of C is added up by one of them, in order of k.
"""
import copy
import functools
import os
from typing import NamedTuple

import numpy as np

from . import choices, gemm_text, llvm, threads
from .gemm_text import DTYPES, GROUP, STACK_BYTES, Tile

# Size of a panel of B relative to the first-level cache, and of a block of A to the second-level cache. A panel is read
# once for all the rows of a tile: from 8 rows on the second-level cache is fast enough for it, and with deeper panels C
# is read and written less often.
PANEL_SHARE, PANEL_SHARE_TALL, BLOCK_SHARE = 0.7, 1.4, 0.7

ROWS = 240                              # up to so many rows are one block: B is read once, and packed by the way
MIN_ROWS, MIN_COLUMNS = 48, 128         # of an item, where the product is cut for threads: packing costs less than 5 %
DIRECT_ROWS = 24                        # up to here B is read where it lies: packing costs more than it saves
DIRECT_BYTES = 32 << 10                 # the same for a B that fits into the first-level cache
PACK_DEPTH = 512                        # rows of a panel that are one item of packing
AXPY_COLUMNS = 256                      # columns of M that are one item
DOT_ROWS = 64                           # rows of M that are one item
FLOPS_PER_NS, BYTES_PER_NS = 100, 10    # estimates, for the work that is worth a thread


# --- plans ----------------------------------------------------------------------------------------------------------

class Launch(NamedTuple):
    """One record: the kernel's name, its slots ('a', 'b', 'c', 'packed', 'scratch'), constants, what is shared out.

    rows: where items are bands of whole rows of C, (rows of a band, elements from row to row, number of all rows).
    """
    name: str
    slots: tuple
    constants: np.ndarray
    extent: int
    grain: int
    nanoseconds: float
    rows: tuple = ()


class Plan(NamedTuple):
    """Launches in order; bytes of packed panels of B, and of scratch memory for each worker."""
    launches: tuple
    packed: int
    scratch: int


def plan(m, n, k, dtype, a, b, c, batch=(), accumulate=False, workers=None):
    """The launches of C[i, m, n] = sum_k A[i, m, k] B[i, k, n] (added to C with `accumulate`); None: no kernel does it.

    a, b, c: (offset, strides ...) in elements: (offset, m, k, *batch), (offset, n, k, *batch), (offset, m, n, *batch).
    batch: sizes of at most two batch axes. C must be contiguous along n or along m. workers: threads to plan for.
    """
    if dtype not in DTYPES or len(batch) > 2:
        return None
    batch = (1,) * (2 - len(batch)) + tuple(batch)
    size = DTYPES[dtype][1]
    a, b, c = (_Strides(x, size) for x in (a, b, c))
    workers = workers or threads.get_num_threads()
    if 0 in (m, n, *batch):
        return Plan((), 0, 0)
    if 1 in (m, n) and not accumulate:
        found = _matvec(m, n, k, size, a, b, c, batch)
        if found is not None:
            return found
    names = 'ab'
    if n > 1 and c.second != size:
        if m > 1 and c.first != size:
            return None
        m, n, a, b, c, names = n, m, b, a, c.swapped(), 'ba'             # the transposed product
    return _matmul(m, n, k, dtype, a, b, c, batch, accumulate, workers, names)


class _Strides:
    """Offset and strides in bytes: of the first axis, of the second, of two batch axes."""

    def __init__(self, elements, size):
        offset, first, second, *batch = [int(x) * size for x in elements]
        self.offset, self.first, self.second = offset, first, second
        self.batch = (0,) * (2 - len(batch)) + tuple(batch)

    def swapped(self):
        other = copy.copy(self)
        other.first, other.second = self.second, self.first
        return other


def _launch(name, slots, constants, extent, nanoseconds, rows=()):
    grain = max(1, int(choices.GRAIN_NS * extent / max(nanoseconds, 1.0)))
    return Launch(name, slots, np.array(constants, np.int64), extent, grain, nanoseconds, rows)


def _matvec(m, n, k, size, a, b, c, batch):
    """A product with a vector, where the matrix is contiguous one way or the other; else None."""
    if n == 1:
        j, matrix, x, step, names = m, a, b, c.first, ('a', 'b', 'c')
    else:
        j, matrix, x, step, names = n, b, a, c.second, ('b', 'a', 'c')
    nanoseconds = batch[0] * batch[1] * (50 + (j * k + j + k) * size / BYTES_PER_NS)
    if matrix.second == size and (x.second == size or k == 1):
        name, block = 'gemv_dot', DOT_ROWS
    elif matrix.first == size and (step == size or j == 1):
        name, block = 'gemv_axpy', AXPY_COLUMNS
    else:
        return None
    blocks = -(-j // block)
    constants = [j, k, block, blocks, batch[1], matrix.offset, matrix.first, matrix.second, *matrix.batch,
                 x.offset, x.second, *x.batch, c.offset, step, *c.batch]
    return Plan((_launch(name, names, constants, batch[0] * batch[1] * blocks, nanoseconds),), 0, 0)


def _matmul(m, n, k, dtype, a, b, c, batch, accumulate, workers, names):
    machine = llvm.host()
    size = DTYPES[dtype][1]
    tile = Tile(dtype, machine)
    depth = depth_of(k, tile)
    rows, columns = blocks(m, n, k, depth, tile, batch[0] * batch[1], workers)
    row_blocks, column_blocks = -(-m // rows), -(-n // columns)
    group_stride = (GROUP * depth + tile.lanes) * size
    edge = -(-rows // GROUP) * group_stride                       # where a panel that gemm packs itself lies
    scratch = -(-(edge + depth * tile.columns * size) // 64) * 64
    flops = 2 * m * n * max(k, 1) * batch[0] * batch[1]
    direct = b.first == size and (m <= DIRECT_ROWS or n * k * size <= DIRECT_BYTES)
    mode = 0 if direct else 1 if row_blocks == 1 else 2
    launches, slots, packed = [], [*names, 'c', 'c', 'scratch'], 0
    if scratch <= STACK_BYTES:
        slots[4], scratch = 'c', 0
    panel, packed_batch = k * tile.columns * size, (0, 0)
    if mode == 2:
        slots[3] = 'packed'
        panels, packs = -(-n // tile.columns), -(-k // PACK_DEPTH)
        counts = [count if stride else 1 for count, stride in zip(batch, b.batch)]
        strides = panels * panel * counts[1], panels * panel
        packed_batch = [stride if own else 0 for stride, own in zip(strides, b.batch)]
        packed = counts[0] * strides[0]
        launches.append(_launch('gemm_pack', (names[1], 'packed'),
                                [n, k, b.offset, b.first, b.second, *b.batch, counts[1], panels, packs, PACK_DEPTH,
                                 panel, *strides], counts[0] * counts[1] * panels * packs, packed / BYTES_PER_NS))
    constants = [m, n, k, rows, columns, depth, row_blocks, column_blocks, batch[1], mode, int(accumulate),
                 a.offset, a.first, a.second, *a.batch, b.offset, b.first, b.second, *b.batch,
                 c.offset, c.first, *c.batch, panel, *packed_batch, group_stride, edge, scratch,
                 panel if mode == 2 else 0]
    extent = batch[0] * batch[1] * row_blocks * column_blocks
    nanoseconds = 100 + flops / FLOPS_PER_NS * (2 if size == 8 else 1)
    whole = names == 'ab' and column_blocks == 1 and (batch == (1, 1) or m % rows == 0 and all(
        count == 1 or stride == step
        for count, stride, step in zip(batch, c.batch, (batch[1] * m * c.first, m * c.first))))
    bands = (rows, c.first // size, batch[0] * batch[1] * m) if whole else ()
    launches.append(_launch('gemm', tuple(slots), constants, extent, nanoseconds, bands))
    return Plan(tuple(launches), packed, scratch)


def depth_of(k, tile):
    """How many k at once, in equal parts."""
    share = PANEL_SHARE_TALL if tile.rows >= 8 else PANEL_SHARE
    most = max(64, int(share * _cache_bytes(1) / (tile.columns * tile.size)) // 16 * 16)
    parts = max(1, -(-k // most))
    return max(1, -(-k // parts))


def blocks(m, n, k, depth, tile, batch, workers):
    """(rows, columns) of an item: blocks that fit the cache, and as many of them as feed the threads."""
    worth = 2.0 * m * n * max(k, 1) / (FLOPS_PER_NS * choices.GRAIN_NS)
    wanted = min(4 * workers, worth) / batch if workers > 1 else 1
    most = max(tile.rows, int(BLOCK_SHARE * _cache_bytes(2) / (depth * tile.size)) // tile.rows * tile.rows)
    row_blocks = 1
    if m > ROWS:
        row_blocks = -(-m // most)
        if wanted > 1:
            row_blocks = min(-(-row_blocks // (4 * workers)) * 4 * workers, max(row_blocks, m // MIN_ROWS))
    rows = -(-(-(-m // row_blocks)) // tile.rows) * tile.rows
    if wanted > 1 and row_blocks > 1:                                 # somewhat fewer where that shares them out better
        rows = min(range(rows, rows // 2, -tile.rows), key=lambda r: (_longest_share(m, r, workers), -r))
    rows = min(m, rows)
    column_blocks = max(1, min(int(wanted / row_blocks), n // MIN_COLUMNS))
    columns = -(-(-(-n // column_blocks)) // tile.columns) * tile.columns
    return rows, columns


def _longest_share(m, rows, workers):
    """Most rows that a worker gets of m in blocks of so many, taken in turn in the chunks that the runner makes."""
    blocks = -(-m // rows)
    chunk = rows * -(-blocks // threads.chunks(blocks, workers))
    whole, rest = divmod(m, chunk)
    return -(-whole // workers) * chunk + (rest if whole % workers == 0 else 0)


@functools.lru_cache(maxsize=None)
def _cache_bytes(level):
    """Size of the data cache of the first or second level, what is usual where the system doesn't say."""
    folder = '/sys/devices/system/cpu/cpu0/cache'
    try:
        for index in sorted(os.listdir(folder)):
            found = [_word(os.path.join(folder, index, name)) for name in ('level', 'type', 'size')]
            if found[0] == str(level) and found[1] in ('Data', 'Unified') and found[2].endswith('K'):
                return int(found[2][:-1]) << 10
    except (OSError, ValueError):
        pass
    return (32 << 10, 512 << 10)[level - 1]


def _word(path):
    try:
        with open(path, encoding='ascii') as file:
            return file.read().strip()
    except OSError:
        return ''


# --- a dot_general as a product ---------------------------------------------------------------------------------------

def from_dot_general(x, a, b, c, workers=None):
    """The plan of a dot_general; None where its axes don't make a product of matrices without a copy.

    x: the instruction; a, b, c: (aval, offset, strides) of its operands and the result, in elements.
    """
    if x.aval.dtype.name not in DTYPES:
        return None
    contract_a, contract_b, batch_a, batch_b = x.params
    (a, at_a, s_a), (b, at_b, s_b), (_, at_c, s_c) = a, b, c
    free_a = [i for i in range(len(a.shape)) if i not in contract_a + batch_a]
    free_b = [i for i in range(len(b.shape)) if i not in contract_b + batch_b]
    n_batch = len(batch_a)
    batch = [(a.shape[i], s_a[i], s_b[j], s_c[t]) for t, (i, j) in enumerate(zip(batch_a, batch_b))]
    rows = [(a.shape[i], s_a[i], 0, s_c[n_batch + t]) for t, i in enumerate(free_a)]
    columns = [(b.shape[j], 0, s_b[j], s_c[n_batch + len(free_a) + t]) for t, j in enumerate(free_b)]
    depth = [(a.shape[i], s_a[i], s_b[j], 0) for i, j in zip(contract_a, contract_b)]
    depth = merged(sorted(depth, key=lambda axis: (-axis[1], -axis[2])))
    rows, columns = merged(rows), merged(columns)
    batch = merged([*batch, *rows[:-1], *columns[:-1]])            # what has a stride of its own is another batch axis
    none = (1, 0, 0, 0)
    (m, a_m, _, c_m), (n, _, b_n, c_n) = rows[-1] if rows else none, columns[-1] if columns else none
    if len(depth) > 1 or len(batch) > 2:
        return None
    k, a_k, b_k, _ = depth[0] if depth else none
    return plan(m, n, k, x.aval.dtype.name, (at_a, a_m, a_k, *[axis[1] for axis in batch]),
                (at_b, b_n, b_k, *[axis[2] for axis in batch]), (at_c, c_m, c_n, *[axis[3] for axis in batch]),
                [axis[0] for axis in batch], workers=workers)


def merged(axes):
    """Axes (size, strides ...) with neighbours made one where one stride serves both; those of size 1 are left out."""
    result = []
    for size, *strides in axes:
        if size == 1:
            continue
        if result and all(outer == size * inner for outer, inner in zip(result[-1][1:], strides)):
            size *= result.pop()[0]
        result.append((size, *strides))
    return result


# --- compiled -----------------------------------------------------------------------------------------------------

_addresses = {}
_PRODUCTS, _MATVECS = ('gemm_pack', 'gemm'), ('gemv_dot', 'gemv_axpy')


def at_hand(launches, dtype, cache):
    """Whether no launch of a plan needs anything compiled: its code was used before, or is on disk."""
    missing = {launch.name for launch in launches if (launch.name, dtype, None) not in _addresses}
    return all(cache.get(llvm.object_key(_text(name, dtype, llvm.host()), llvm.host())) is not None for name in missing)


def _group(name):
    """(names of the kernels that are compiled together with one, what gives their text)"""
    if name == 'conv':
        from . import convolution                                    # which is made of this module
        return ('conv',), convolution.emit
    return (_PRODUCTS, gemm_text.emit_products) if name in _PRODUCTS else (_MATVECS, gemm_text.emit_matvecs)


@functools.lru_cache(maxsize=8)
def _text(name, dtype, machine):
    return _group(name)[1](dtype, machine)


def address(name, dtype, machine=None, cache=None):
    """The address of a kernel, from the disk cache or compiled."""
    key = name, dtype, machine
    if key not in _addresses:
        names = _group(name)[0]
        found = llvm.functions(_text(name, dtype, machine or llvm.host()), list(names), machine, cache)
        _addresses.update({(each, dtype, machine): found[each] for each in names})
    return _addresses[key]
