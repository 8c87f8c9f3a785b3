"""LU factors of one large matrix, in its place, by a few launches for each panel of WIDTH columns.

    for each panel:
        lu_panel   factors of the panel, with partial pivoting, in contiguous memory; also -L below its square
        lu_rows    the rows exchanged in all other columns; L^-1 times the panel's rows to the right of it
        gemm       what is right of and below the panel += -L times these rows

The right-looking scheme of LAPACK's getrf (Golub and Van Loan, Matrix Computations, 3.4) on our matrix product. All
launches are records of one native call: which rows are exchanged is decided in kernels. float32 of size 512 takes
0.77 ms, and 1.2 in OpenBLAS.
"""
import functools
import os

import numpy as np

from . import choices, gemm, llvm, memory, runtime, threads
from .gemm_text import DTYPES, Tile, declarations, kernel

WIDTH = 32                              # columns of a panel
SEARCHES = 4                            # rows in a row among which the largest element is looked for independently
_WORKERS = max(16, os.cpu_count() or 1)  # threads that there is scratch memory for, if more are asked for meanwhile
SLOTS = ('a', 'minus', 'pivots', 'packed', 'scratch')
PANEL, ROWS = ('a', 'minus', 'pivots'), ('a', 'pivots')


class Plan:
    """Launches for matrices of a size: records, the slots that they take, bytes of memory that they need."""

    def __init__(self, m, n, dtype, workers):
        self.constants, records, self.picks = [], [], []
        size = DTYPES[dtype][1]
        self.minus, self.packed, self.scratch = (m + 1) * WIDTH * size, 0, 0
        row = n * size

        def launch(name, address, slots, constants, extent, grain):
            constants = np.array(constants, np.int64)
            self.constants.append(constants)
            records.append(threads.record(address, 8 * len(self.picks), constants.ctypes.data, extent, grain))
            self.picks += [SLOTS.index(slot) for slot in slots]
        for k in range(0, min(m, n), WIDTH):
            width, below, right = min(WIDTH, n - k), m - k, n - k - WIDTH
            done = min(width, below)
            launch('lu_panel', _addresses['lu_panel', dtype], PANEL, [k, below, width, row], 1, 1)
            lanes = llvm.host().lanes(size) * 2
            blocks = -(-k // lanes), -(-max(right, 0) // lanes)
            launch('lu_rows', _addresses['lu_rows', dtype], ROWS, [k, done, width, n, row, blocks[0]], sum(blocks),
                   max(1, int(choices.GRAIN_NS / WIDTH**2)))
            if right > 0 and below > WIDTH:
                at = k + WIDTH
                found = gemm.plan(m - at, right, WIDTH, dtype, (WIDTH * WIDTH, WIDTH, 1), (k * n + at, 1, n),
                                  (at * n + at, n, 1), accumulate=True, workers=workers)
                self.packed, self.scratch = max(self.packed, found.packed), max(self.scratch, found.scratch)
                names = {'a': 'minus', 'b': 'a', 'c': 'a'}
                for each in found.launches:
                    launch(each.name, gemm.address(each.name, dtype, cache=runtime.cache()),
                           [names.get(slot, slot) for slot in each.slots], each.constants, each.extent, each.grain)
        self.count, self.records = len(records), np.frombuffer(b''.join(records), np.int64).copy()
        self.address = memory.address_of(self.records)


def eliminate(a):
    """The pivots of a C-contiguous matrix, which becomes its factors: L, without its diagonal of ones, and U.

    `prepare` must have said that it can be.
    """
    workers = threads.get_num_threads()
    plan = _plan(*a.shape, a.dtype.name, workers)
    pivots, minus = np.empty(min(a.shape), np.int32), memory.allocate(plan.minus)
    packed, scratch = memory.allocate(plan.packed), memory.allocate(max(workers, _WORKERS) * plan.scratch)
    places = [memory.address_of(a), minus.address, memory.address_of(pivots), packed.address, scratch.address]
    slots = np.array([places[number] for number in plan.picks])
    runtime.runner().run(plan.address, plan.count, memory.address_of(slots))
    return pivots


@functools.lru_cache(maxsize=256)
def _plan(m, n, dtype, workers):
    return Plan(m, n, dtype, workers)


_addresses = {}


def fits(avals):
    """Whether operands of these shapes and dtypes are one matrix for which this is faster than LAPACK."""
    shape, dtype = avals[0].shape, avals[0].dtype.name
    return len(shape) == 2 and min(shape) >= 3 * WIDTH and max(shape) <= 4 * min(shape) and dtype in DTYPES


def ready(dtype):
    """Whether `prepare` was successful."""
    return ('lu_panel', dtype) in _addresses


def prepare(dtype, compile_):
    """Have the code for matrices of a dtype at hand; False where it would have to be compiled, and isn't to be."""
    machine, cache = llvm.host(), runtime.cache()
    if ready(dtype) or runtime.runner() is None:
        return True
    product = gemm.plan(WIDTH, WIDTH, WIDTH, dtype, (0, 1, WIDTH), (0, 1, WIDTH), (0, WIDTH, 1))
    if not compile_ and (cache.get(llvm.object_key(emit(dtype, machine), machine)) is None
                         or not gemm.at_hand(product.launches, dtype, cache)):
        return False
    found = llvm.functions(emit(dtype, machine), ['lu_panel', 'lu_rows'], machine, cache)
    _addresses.update({(name, dtype): address for name, address in found.items()})
    return True


# --- text -----------------------------------------------------------------------------------------------------------

@functools.lru_cache(maxsize=8)
def emit(dtype, machine):
    tile = Tile(dtype, machine)
    absolute = f'declare {tile.scalar} @llvm.fabs.{tile.suffix}({tile.scalar})\n'
    return declarations(tile) + absolute + _panel(tile) + _rows(tile)


def _panel(t):
    """Of `below` rows from row and column k on `width` columns: copied, factored, copied back, negated in the copy."""
    f, v = kernel(t, 'lu_panel', 'a minus pivots', 'k below width row')
    w, step, nbytes, vectors = v['minus'], WIDTH * t.size, t.lanes * t.size, WIDTH // t.lanes
    source = f.at(v['a'], f.mul(v['k'], v['row']), f.mul(v['k'], t.size))
    pivots = f.at(v['pivots'], f.mul(v['k'], 4))
    masks = [f.mask(f.sub(v['width'], number * t.lanes)) for number in range(vectors)]
    tops = [(f.variable(t.scalar, '-1.0'), f.variable('i64', 0)) for _ in range(SEARCHES)]     # largest so far, its row
    row_of = lambda i: f.at(w, f.mul(i, step))
    parts = lambda pointer: [f.at(pointer, number * nbytes) for number in range(vectors)]

    def watch(i, column, best, where):
        value = f.load(t.scalar, f.at(row_of(i), f.mul(column, t.size)))
        size = f.new(f'call {t.scalar} @llvm.fabs.{t.suffix}({t.scalar} {value})')
        larger = f.new(f'fcmp ogt {t.scalar} {size}, {f.get(best)}')
        f.set(best, f.new(f'select i1 {larger}, {t.scalar} {size}, {t.scalar} {f.get(best)}'))
        f.set(where, f.new(f'select i1 {larger}, i64 {i}, i64 {f.get(where)}'))

    def each_row(start, column, body):
        """body(i) for all rows from `start` on, of which the first with the largest element of the column is found."""
        for best, where in tops:
            f.set(best, '-1.0')
            f.set(where, start)
        whole = f.sub(v['below'], f.new(f'urem i64 {f.sub(v["below"], start)}, {SEARCHES}'))

        def row(i, top):
            body(i)
            watch(i, column, *top)
        with f.loop(start, whole, SEARCHES) as i:
            for number, top in enumerate(tops):
                row(f.add(i, number), top)
        with f.loop(whole, v['below']) as i:
            row(i, tops[0])
        best, where = tops[0]
        for other, its in tops[1:]:
            larger = f.new(f'fcmp ogt {t.scalar} {f.get(other)}, {f.get(best)}')
            equal = f.new(f'fcmp oeq {t.scalar} {f.get(other)}, {f.get(best)}')
            better = f.new(f'or i1 {larger}, {f.both(equal, f.test("slt", f.get(its), f.get(where)))}')
            f.set(best, f.new(f'select i1 {better}, {t.scalar} {f.get(other)}, {t.scalar} {f.get(best)}'))
            f.set(where, f.new(f'select i1 {better}, i64 {f.get(its)}, i64 {f.get(where)}'))

    def copied(i):
        for mask, x, place in zip(masks, parts(f.at(source, f.mul(i, v['row']))), parts(row_of(i))):
            f.store(t.vector, f.masked_load(x, mask), place)
    each_row('0', '0', copied)
    where = tops[0][1]
    with f.loop(0, f.min(v['width'], v['below'])) as j:
        own, other = parts(row_of(j)), parts(row_of(f.get(where)))
        f.store('i32', f.new(f'trunc i64 {f.add(f.get(where), v["k"])} to i32'), f.at(pivots, f.mul(j, 4)))
        for x, y in zip(own, other):
            p, q = f.load(t.vector, x), f.load(t.vector, y)
            f.store(t.vector, p, y)
            f.store(t.vector, q, x)
        pivot = f.load(t.scalar, f.at(row_of(j), f.mul(j, t.size)))
        zero = f.new(f'fcmp oeq {t.scalar} {pivot}, 0.0')
        pivot = f.new(f'select i1 {zero}, {t.scalar} 1.0, {t.scalar} {pivot}')
        here, after = zip(*[_lanes(f, number * t.lanes, j) for number in range(vectors)])
        uppers = [f.new(f'select <{t.lanes} x i1> {mask}, {t.vector} {f.load(t.vector, x)}, {t.vector} zeroinitializer')
                  for mask, x in zip(after, own)]
        following = f.add(j, 1)

        def eliminated(i):
            factor = f.new(f'fdiv {t.scalar} {f.load(t.scalar, f.at(row_of(i), f.mul(j, t.size)))}, {pivot}')
            many, minus = f.splat(factor), f.splat(f.new(f'fneg {t.scalar} {factor}'))
            for x, upper, mask in zip(parts(row_of(i)), uppers, here):
                value = f.multiply_add(minus, upper, f.load(t.vector, x))
                f.store(t.vector, f.new(f'select <{t.lanes} x i1> {mask}, {t.vector} {many}, {t.vector} {value}'), x)
        each_row(following, following, eliminated)
    with f.loop(0, v['below']) as i:
        for mask, x, place in zip(masks, parts(f.at(source, f.mul(i, v['row']))), parts(row_of(i))):
            value = f.load(t.vector, place)
            f.masked_store(value, x, mask)
            f.store(t.vector, f.new(f'fneg {t.vector} {value}'), place)
    return f.text()


def _lanes(f, first, j):
    """(masks of the lane that is column j, of those after it) of a vector whose first lane is column `first`."""
    n = f.t.lanes
    splat = f.new(f'insertelement <{n} x i64> poison, i64 {j}, i64 0')
    splat = f.new(f'shufflevector <{n} x i64> {splat}, <{n} x i64> poison, <{n} x i32> zeroinitializer')
    columns = ', '.join([f'i64 {first + lane}' for lane in range(n)])
    return [f.new(f'icmp {relation} <{n} x i64> <{columns}>, {splat}') for relation in ('eq', 'sgt')]


def _rows(t):
    """An item is a block of columns beside the panel: its rows are exchanged; right of the panel L^-1 is applied."""
    f, v = kernel(t, 'lu_rows', 'a pivots', 'k done width n row left')
    nbytes, size = t.lanes * t.size, 2 * t.lanes
    top = f.at(v['a'], f.mul(v['k'], v['row']))
    square = f.at(top, f.mul(v['k'], t.size))
    with f.loop('%lo', '%hi') as item:
        is_left = f.test('slt', item, v['left'])
        beyond = f.add(v['k'], v['width'])
        choose = lambda x, y: f.new(f'select i1 {is_left}, i64 {x}, i64 {y}')
        column = choose(f.mul(item, size), f.add(beyond, f.mul(f.sub(item, v['left']), size)))
        count = f.sub(choose(v['k'], v['n']), column)
        masks = [f.mask(f.sub(count, number * t.lanes)) for number in range(2)]
        offset = f.mul(column, t.size)
        parts = lambda row: [f.at(row, offset, number * nbytes) for number in range(2)]
        with f.loop(0, v['done']) as j:
            far = f.new(f'zext i32 {f.load("i32", f.at(v["pivots"], f.mul(f.add(v["k"], j), 4)))} to i64')
            near = f.add(v['k'], j)

            def exchanged():
                rows = [parts(f.at(v['a'], f.mul(number, v['row']))) for number in (near, far)]
                for x, y, mask in zip(*rows, masks):
                    p, q = f.masked_load(x, mask), f.masked_load(y, mask)
                    f.masked_store(p, y, mask)
                    f.masked_store(q, x, mask)
            f.branch(f.test('ne', near, far), exchanged)

        def solved():
            with f.loop(1, v['done']) as r:
                own = parts(f.at(top, f.mul(r, v['row'])))
                factors = f.at(square, f.mul(r, v['row']))
                totals = [f.variable(t.vector, f.masked_load(x, mask)) for x, mask in zip(own, masks)]
                with f.loop(0, r) as s:
                    minus = f.splat(f.new(f'fneg {t.scalar} {f.load(t.scalar, f.at(factors, f.mul(s, t.size)))}'))
                    for total, x, mask in zip(totals, parts(f.at(top, f.mul(s, v['row']))), masks):
                        f.set(total, f.multiply_add(minus, f.masked_load(x, mask), f.get(total)))
                for total, x, mask in zip(totals, own, masks):
                    f.masked_store(f.get(total), x, mask)
        f.branch(is_left, lambda: None, solved)
    return f.text()
