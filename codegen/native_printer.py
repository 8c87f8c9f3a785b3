"""Kernel descriptions as LLVM IR: explicit vectors, masked tails, several passes over a row.

A kernel is `void kernel(i64* slots, i64* constants, i64 lo, i64 hi, i64 worker)`. Slots: addresses of the accesses in
order, then scalars, then (with checks) the address of an error word, then scratch. Constants: see `constants`.

Forms. map: parallel axes outside, the last axis in vectors. row: the same, the last axis being reduced; one loop for
each pass, then what belongs to the row. column: the last axis is kept, blocks of it go down the reduced axes. With
`split` the first reduced axis is what [lo, hi) shares out, and results go to partial results number `worker`; scans
begin with the totals of the parts before.
"""
import numpy as np

from ..ir import ops
from . import choices, llvm_math
from .native_reductions import Reductions
from .native_text import numbers


def vector_width(kernel, features):
    """Lanes: those of the widest type that is computed with, so that no value takes more than one register. Searches,
    of which each step waits for the one before, are done for four times as many."""
    widest = 4
    for e in kernel.entries:
        widest = max(widest, e.dtype.itemsize, e.operand_dtype.itemsize if e.operand_dtype else 0)
    lanes = features.width_bits // 8 // widest
    return min(4 * lanes, 64) if any(e.kind == 'search' for e in kernel.entries) else lanes


def constants(kernel, block_size):
    """The constants of a kernel for its sizes: the int64 that stand behind the `constants` argument."""
    values = list(kernel.sizes) + [block_size, blocks(kernel, block_size)]
    for a in kernel.accesses:
        values += [a.offset, *a.strides]
        for _, stride, size, _ in a.dynamic:
            values += [stride, size]
    for offset, coefficients in kernel.ramps:
        values += [offset, *coefficients]
    return np.array(values, np.int64)


def blocks(kernel, block_size):
    """Number of blocks into which the lane axis is cut (1 where it isn't shared out)."""
    return max(1, -(-kernel.sizes[kernel.lane] // block_size))


def emit_kernel(kernel, name, module):
    """The text of the kernel's function; declarations and helpers go to `module`."""
    return _Printer(kernel, name, module).text()


class _Printer(Reductions):
    def __init__(self, kernel, name, module):
        super().__init__(module, vector_width(kernel, module.features))
        self.k, self.name, self.n = kernel, name, len(kernel.sizes)
        self.cached, self.first_pass, self.passes = kernel.cached, kernel.first_pass, kernel.passes

    # --- arguments ----------------------------------------------------------------------------------------------

    def text(self):
        self._arguments()
        self._body()
        self.line('ret void')
        head = (f'define void @{self.name}(ptr noalias %slots, ptr noalias %constants, i64 %lo, i64 %hi, '
                f'i64 %worker) {{\nentry:\n')
        return head + '\n'.join(self.allocas + self.lines) + '\n}\n'

    def _arguments(self):
        k = self.k
        at = iter(range(10 ** 9))
        constant = lambda: self._constant(next(at))
        self.sizes = [constant() for _ in k.sizes]
        self.block_size, self.n_blocks = constant(), constant()
        self.offsets, self.strides, self.dynamic = [], [], []
        for number, a in enumerate(k.accesses):
            self.offsets.append(constant())
            self.strides.append([constant() for _ in a.strides])
            self.strides[-1] = self.strides[k.like(number)]          # so that sums of terms are the same
            self.dynamic.append([(constant(), constant()) for _ in a.dynamic])
        self.ramps = [(constant(), [constant() for _ in c]) for _, c in k.ramps]
        self.pointers = [self._slot(i, 'ptr') for i in range(len(k.accesses))]
        self.scalar_slots = len(k.accesses)
        extra = self.scalar_slots + len(k.scalars)
        self.error = self._slot(extra, 'ptr') if k.checks else None
        self.scratch = self._slot(extra + k.checks, 'ptr') if self.cached else None

    def _constant(self, number):
        address = self.new(f'getelementptr i64, ptr %constants, i64 {number}')
        return self.new(f'load i64, ptr {address}, align 8, !invariant.load !0')

    def _slot(self, number, kind):
        address = self.new(f'getelementptr i64, ptr %slots, i64 {number}')
        return self.new(f'load {kind}, ptr {address}, align 8, !invariant.load !0')

    # --- structure --------------------------------------------------------------------------------------------------

    def _body(self):
        k = self.k
        if k.split:
            self._split_body()
        elif k.form == 'column':
            self._outer(lambda index, lo, hi: self._column(index, lo, hi))
        elif k.form == 'map':
            self._outer(lambda index, lo, hi: self._map(index, lo, hi))
        else:
            self._outer(lambda index, lo, hi: self._row(index))

    def _outer(self, body):
        """The parallel loop over [lo, hi): its number is cut into the parallel axes and a block of the lane axis."""
        k = self.k
        lane_range = k.form in ('map', 'column')
        if lane_range and not k.parallel:
            size = self.sizes[k.lane]
            lo = self.new(f'mul i64 %lo, {self.block_size}')
            hi = self._min(self.new(f'mul i64 %hi, {self.block_size}'), size)
            if k.form == 'map' and k.short is None:
                body({}, lo, hi)
            else:
                self.loop(lo, hi, self.block_size, [], lambda i, _: self._one_block(body, {}, i, size))
            return

        sizes = list(self.sizes)
        if k.tile is not None:
            padded = self.new(f'add i64 {self.sizes[k.tile]}, {choices.TILE_ROWS - 1}')
            sizes[k.tile] = self.new(f'udiv i64 {padded}, {choices.TILE_ROWS}')

        axes = [*['block'] * lane_range, *reversed(k.parallel)]      # those that vary fastest first
        sizes = [self.n_blocks if axis == 'block' else sizes[axis] for axis in axes]

        def one(_, numbers):
            index = dict(zip(axes, numbers))
            if lane_range:
                start = self.new(f'mul i64 {index.pop("block")}, {self.block_size}')
                self._one_block(body, index, start, self.sizes[k.lane])
            else:
                body(index, None, None)
            return self._following(numbers, sizes)
        self.loop('%lo', '%hi', 1, [('i64', number) for number in self._digits('%lo', sizes)], one)

    def _digits(self, number, sizes):
        """Indices of axes of these sizes, the one that varies fastest first, from their number."""
        found = []
        for size in sizes[:-1]:
            some = self.new(f'select i1 {self.new(f"icmp sgt i64 {size}, 0")}, i64 {size}, i64 1')
            found.append(self.new(f'urem i64 {number}, {some}'))
            number = self.new(f'udiv i64 {number}, {some}')
        return [*found, *[number] * bool(sizes)]

    def _following(self, digits, sizes):
        """The next indices: those of a division, but divisions take longer than a short row."""
        found, step = [], '1'
        for place, (digit, size) in enumerate(zip(digits, sizes)):
            up = self.new(f'add i64 {digit}, {step}')
            if place < len(digits) - 1:
                over = self.new(f'icmp eq i64 {up}, {size}')
                step, up = self.new(f'zext i1 {over} to i64'), self.new(f'select i1 {over}, i64 0, i64 {up}')
            found.append(up)
        return found

    def _one_block(self, body, index, start, size):
        body(index, start, self._min(self.new(f'add i64 {start}, {self.block_size}'), size))
        return []

    def _min(self, a, b):
        smaller = self.new(f'icmp slt i64 {a}, {b}')
        return self.new(f'select i1 {smaller}, i64 {a}, i64 {b}')

    # --- map ------------------------------------------------------------------------------------------------------

    def _map(self, index, lo, hi):
        if self.k.short is not None:
            self.loop('0', self.sizes[self.k.short], 1, [],
                      lambda i, _: self._map_row({**index, self.k.short: i}, lo, hi) or [])
        elif self.k.tile is None:
            self._map_row(index, lo, hi)
        else:
            self._map_tiles(index, lo, hi)

    def _map_row(self, index, lo, hi):
        values, (_, _, stores) = self._invariant(index, {}, 0), self.passes[0]
        self._vectors(lo, hi, index, stores, [], lambda i, mask, _: self._map_vector(index, dict(values), i, mask))

    def _map_vector(self, index, values, i, mask):
        at, (_, _, stores) = {**index, self.k.lane: i}, self.passes[0]
        self._compute(self.k.closure([], stores), values, at, i, mask)
        self._store_all(stores, values, at, i, mask)
        return []

    def _map_tiles(self, index, lo, hi):
        """Rows [r, r + TILE_ROWS) of the tile axis: whole squares through turned-around registers, the rest plainly."""
        k, w = self.k, self.width
        first = self.new(f'mul i64 {index[k.tile]}, {choices.TILE_ROWS}')
        last = self._min(self.new(f'add i64 {first}, {choices.TILE_ROWS}'), self.sizes[k.tile])
        whole = self.new(f'icmp eq i64 {self.new(f"sub i64 {last}, {first}")}, {choices.TILE_ROWS}')
        length = self.new(f'sub i64 {hi}, {lo}')
        squares = self.new(f'select i1 {whole}, i64 {self.new(f"and i64 {length}, -{w}")}, i64 0')
        end = self.new(f'add i64 {lo}, {squares}')
        loads = [e for e, x in enumerate(k.entries) if x.kind == 'load' and k.transposed(x.number)]
        boards = {number: self._board(k.accesses[number])
                  for number in dict.fromkeys([self._beside(k.entries[e].number) for e in loads])}

        def square(i, _):
            self.loop(first, last, w, [], lambda r, _: self._square(index, loads, boards, i, r))
            return []
        self.loop(lo, end, w, [], square)

        def row(r, _):
            self._map_row({**index, k.tile: r}, end, hi)
            return []
        self.loop(first, last, 1, [], row)

    def _board(self, access):
        """Memory on the stack for one turned-around square."""
        self.count += 1
        storage = llvm_math.storage_type(access.dtype.name, access.unit * self.width)
        self.allocas.append(f'  %board{self.count} = alloca [{self.width} x {storage}], align 64')
        return f'%board{self.count}'

    def _square(self, index, loads, boards, i, r):
        k, w = self.k, self.width
        for number, board in boards.items():
            self._turn(number, board, {**index, k.tile: r}, i)

        def row(j, _):
            at = {**index, k.tile: self.new(f'add i64 {r}, {j}')}
            values = self._invariant(at, {}, 0)
            for e in loads:
                number = k.entries[e].number
                a, board, block = k.accesses[number], boards[self._beside(number)], self.block()
                storage = llvm_math.storage_type(a.dtype.name, a.unit * w)
                raw = self.new(f'load {storage}, ptr {self.new(f"getelementptr {storage}, ptr {board}, i64 {j}")}')
                if a.half is not None:
                    raw = self.new(f'shufflevector {storage} {raw}, {storage} poison, <{w} x i32> '
                                   f'{numbers(range(a.half, 2 * w, 2))}')
                values[e] = llvm_math.load_cast(block.b, raw, a.dtype.name)
                block.flush()
            self._map_vector(at, values, i, None)
            return []
        self.loop('0', str(w), 1, [], row)
        return []

    @property
    def masks_are_free(self):
        """With mask registers every vector is masked and the body is there once, which halves the code. Not so where
        elements are read or written one by one (but by searches, which need no mask), or are half a byte."""
        apart = any(a.dynamic and not a.searched or a.packed or self.k.stride_class(i, self.k.lane) in ('s', 'p')
                    for i, a in enumerate(self.k.accesses))
        return self.has_mask_registers and not apart

    @property
    def has_mask_registers(self):
        return self.module.features.width_bits == 512

    def _vectors(self, lo, hi, index, stores, carried, body):
        """Vectors from lo to hi of the lane axis, with carried [(type, value)]; body(i, mask or None, values) -> new
        values. The last ones are masked: in the same loop, or apart where masks cost something. Those that are stored
        past the caches begin with a cache line; the first ones are masked for that."""
        masked = lambda lo, hi, carried: self.loop(lo, hi, self.width, carried,
                                                   lambda i, c: body(i, self._mask(i, hi), c))
        if self.masks_are_free and not (self.k.stream and stores) and self.k.together == 1:
            return masked(lo, hi, carried)
        kinds, step, start = [kind for kind, _ in carried], self.k.together * self.width, lo
        if self.k.stream == 'peeled' and stores:
            start = self._line_start(stores[0][1], {**index, self.k.lane: lo}, lo, hi)
            carried = list(zip(kinds, masked(lo, start, carried)))
        whole = self.new(f'and i64 {self.new(f"sub i64 {hi}, {start}")}, -{step}')
        end = self.new(f'add i64 {start}, {whole}')
        values = self.loop(start, end, step, carried, lambda i, c: self._side_by_side(i, body, c))
        return masked(end, hi, list(zip(kinds, values)))

    def _line_start(self, access, index, lo, hi):
        """The first lane from lo on that is stored to the begin of a cache line, at most hi."""
        item = self.k.accesses[access].dtype.itemsize
        rest = self.new(f'and i64 {self.new(f"sub i64 0, {self._offset(access, index)}")}, {64 // item - 1}')
        return self._min(self.new(f'add i64 {lo}, {rest}'), hi)

    def _side_by_side(self, i, body, carried):
        """The straight-line body for several vectors, a line of each in turn: a processor looks only some hundred
        instructions ahead, which is one long chain of dependent ones, or parts of several."""
        together = self.k.together
        if together == 1:
            return body(i, None, carried)
        starts = [i] + [self.new(f'add i64 {i}, {u * self.width}') for u in range(1, together)]
        parts = []
        for start in starts:
            before = len(self.lines)
            body(start, None, [])
            parts.append(self.lines[before:])
            del self.lines[before:]
        for lines in zip(*parts, strict=True):
            self.lines += lines
        return []

    def _mask(self, i, hi):
        """Lanes j with i + j < hi."""
        w = self.width
        if not self.has_mask_registers:
            self.module.declare(f'declare <{w} x i1> @llvm.get.active.lane.mask.v{w}i1.i64(i64, i64)')
            return self.new(f'call <{w} x i1> @llvm.get.active.lane.mask.v{w}i1.i64(i64 {i}, i64 {hi})')
        lanes = self._min(self.new(f'sub i64 {hi}, {i}'), str(w))
        ones = self.new(f'lshr i64 -1, {self.new(f"sub i64 64, {lanes}")}')
        ones = ones if w == 64 else self.new(f'trunc i64 {ones} to i{w}')
        return self.new(f'bitcast i{w} {ones} to <{w} x i1>')

    # --- row ------------------------------------------------------------------------------------------------------

    def _row(self, index, first_range=None, partial=None):
        values, stored = {}, set()
        self._invariant(index, values, 0)
        for number, (stage, reductions, stores) in enumerate(self.passes):
            results = self._pass(number, index, values, reductions, stores, first_range)
            for r, vector in zip(reductions, results):
                values[r] = self._horizontal(self.k.entries[r], vector)
            self._invariant(index, values, stage + 1)
            self._store_rows(index, values, stage + 1, stored, partial)
        self._store_rows(index, values, 10 ** 9, stored, partial)

    def _store_rows(self, index, values, stage, stored, partial):
        """Store what belongs to the row as soon as it is there: lane 0 of a vector of equals."""
        k = self.k
        for e, a in k.stores:
            if a in stored or k.stored_in_loop(a) or k.entries[e].stage > stage:
                continue
            stored.add(a)
            self._store_one(a, values[e], index, partial)

    def _pass(self, number, index, values, reductions, stores, first_range=None):
        """Loops over the reduced axes, the lane axis innermost; the reductions' vectors."""
        k = self.k
        read_back = {e for e in self.cached if self.first_pass[e] < number}
        needed = self.k.closure(reductions, stores, stop=read_back)
        axes = [axis for axis in range(self.n) if axis in k.loop]
        scans = k.scans(needed)
        start = [kv for r in reductions for kv in self._identities(k.entries[r])] + self._starts(scans, index)

        def nest(depth, index, carried):
            axis = axes[depth]
            lo, hi = first_range if depth == 0 and first_range else ('0', self.sizes[axis])
            if depth < len(axes) - 1:
                return self.loop(lo, hi, 1, list(zip([t for t, _ in start], carried)),
                                 lambda i, c: nest(depth + 1, {**index, axis: i}, c))
            return self._lanes(lo, hi, index, axis, carried, [t for t, _ in start], needed, values, reductions, stores,
                               number)
        flat = nest(0, index, [v for _, v in start])
        return self._grouped(reductions, flat)

    def _carried(self, scans, carried):
        """What scans carry, which stands behind what reductions do, by name."""
        return {('carried', e): value for e, value in zip(scans, carried[len(carried) - len(scans):])}

    def _grouped(self, reductions, flat):
        result, at = [], 0
        for r in reductions:
            count = len(self._identities(self.k.entries[r]))
            result.append(flat[at:at + count])
            at += count
        return result

    def _lanes(self, lo, hi, index, axis, carried, kinds, needed, values, reductions, stores, number):
        """The innermost loop: full vectors, then the masked rest, reductions and scans carried along."""
        scans = self.k.scans(needed)

        def vector(i, mask, carried):
            here, at = {**values, **self._carried(scans, carried)}, {**index, axis: i}
            self._compute(needed, here, at, i, mask, number)
            self._store_all(stores, here, at, i, mask)
            return self._accumulate(reductions, here, carried, at, i, mask) + [here['carried', e] for e in scans]
        return self._vectors(lo, hi, index, stores, list(zip(kinds, carried)), vector)

    # --- column -----------------------------------------------------------------------------------------------------

    def _column(self, index, lo, hi, first_range=None, partial=None):
        """Several vectors side by side where the block is full, one at a time under a mask otherwise."""
        length = self.new(f'sub i64 {hi}, {lo}')
        if self.k.in_a_row:
            end = self.new(f'add i64 {lo}, {self.new(f"and i64 {length}, -{self.width}")}')
            piece = choices.ROW_VECTORS * self.width
            self.loop(lo, end, piece, [], lambda i, _: self._in_a_row(
                index, i, self._min(self.new(f'add i64 {i}, {piece}'), end), first_range, partial))
            self.loop(end, hi, self.width, [],
                      lambda i, _: self._columns(index, [i], self._mask(i, hi), first_range, partial) or [])
            return
        wide = self.k.columns * self.width
        groups = self.new(f'udiv i64 {length}, {wide}')
        end = self.new(f'add i64 {lo}, {self.new(f"mul i64 {groups}, {wide}")}')

        def full(i, _):
            lanes = [i] + [self.new(f'add i64 {i}, {u * self.width}') for u in range(1, self.k.columns)]
            self._columns(index, lanes, None, first_range, partial)
            return []
        self.loop(lo, end, wide, [], full)

        def masked(i, _):
            self._columns(index, [i], self._mask(i, hi), first_range, partial)
            return []
        self.loop(end, hi, self.width, [], masked)

    def _columns(self, index, lanes, mask, first_range, partial):
        k = self.k
        at = [{**index, k.lane: i} for i in lanes]
        values = [{} for _ in lanes]
        for v, a, i in zip(values, at, lanes):
            self._invariant(a, v, 0, i, mask)
        for number, (stage, reductions, stores) in enumerate(self.passes):
            needed = self.k.closure(reductions, stores)
            axes = [axis for axis in range(self.n) if axis in k.loop]
            scans = k.scans(needed)
            identities = [kv for r in reductions for kv in self._identities(k.entries[r])]
            start = [kv for where, i in zip(at, lanes) for kv in identities + self._starts(scans, where, i, mask)]
            each = len(start) // len(lanes)

            def nest(depth, extra, carried):
                axis = axes[depth]
                lo, hi = first_range if depth == 0 and first_range else ('0', self.sizes[axis])
                body = inner if depth == len(axes) - 1 else (lambda e, c: nest(depth + 1, e, c))
                return self.loop(lo, hi, 1, list(zip([t for t, _ in start], carried)),
                                 lambda i, c: body({**extra, axis: i}, c))

            def inner(extra, carried):
                new = []
                for u, (v, a, i) in enumerate(zip(values, at, lanes)):
                    mine = carried[u * each:(u + 1) * each]
                    here, where = {**v, **self._carried(scans, mine)}, {**a, **extra}
                    self._compute(needed, here, where, i, mask)
                    self._store_all(stores, here, where, i, mask)
                    new += self._accumulate(reductions, here, mine, where, i, None)
                    new += [here['carried', e] for e in scans]
                return new
            flat = nest(0, {}, [v for _, v in start])
            for u, (v, a, i) in enumerate(zip(values, at, lanes)):
                for r, vector in zip(reductions, self._grouped(reductions, flat[u * each:(u + 1) * each])):
                    v[r] = self._finished(k.entries[r], vector)
                self._invariant(a, v, stage + 1, i, mask)
        results = [(e, a) for e, a in k.stores if not k.stored_in_loop(a)]
        for v, where, i in zip(values, at, lanes):
            self._store_all(results, v, where, i, mask, partial)

    def _in_a_row(self, index, lo, hi, first_range, partial):
        """The columns from lo to hi, row after row: what is carried lies in memory, a vector for each of columns."""
        k, w = self.k, self.width
        (stage, reductions, _), = self.passes
        needed = k.closure(reductions, ())
        axes = [axis for axis in range(self.n) if axis in k.loop]
        start = [kv for r in reductions for kv in self._identities(k.entries[r])]
        boards = [f'%{self.fresh("board")}' for _ in start]
        self.allocas += [f'  {board} = alloca [{choices.ROW_VECTORS} x {kind}], align 64'
                         for board, (kind, _) in zip(boards, start)]

        def places(i):
            number = self.new(f'udiv i64 {self.new(f"sub i64 {i}, {lo}")}, {w}')
            return [self.new(f'getelementptr {kind}, ptr {board}, i64 {number}')
                    for board, (kind, _) in zip(boards, start)]

        def carried(i):
            return [self.new(f'load {kind}, ptr {place}') for place, (kind, _) in zip(places(i), start)]

        def carry(i, values):
            for place, value, (kind, _) in zip(places(i), values, start):
                self.line(f'store {kind} {value}, ptr {place}')
            return []

        def add_up(i, index):
            at, before = {**index, k.lane: i}, carried(i)
            values = self._invariant(at, {}, 0, i)
            self._compute(needed, values, at, i, None)
            return carry(i, self._accumulate(reductions, values, before, at, i, None))

        def nest(depth, index):
            if depth == len(axes):
                self.loop(lo, hi, w, [], lambda i, _: add_up(i, index))
            else:
                bounds = first_range if depth == 0 else ('0', self.sizes[axes[depth]])
                self.loop(*bounds, 1, [], lambda i, _: nest(depth + 1, {**index, axes[depth]: i}))
            return []

        def results(i, _):
            at = {**index, k.lane: i}
            values = self._invariant(at, {}, 0, i)
            for r, vector in zip(reductions, self._grouped(reductions, carried(i))):
                values[r] = self._finished(k.entries[r], vector)
            self._invariant(at, values, stage + 1, i)
            self._store_all(k.stores, values, at, i, None, partial)
            return []
        self.loop(lo, hi, w, [], lambda i, _: carry(i, [value for _, value in start]))
        nest(0, index)
        self.loop(lo, hi, w, [], results)
        return []

    # --- split ------------------------------------------------------------------------------------------------------

    def _split_body(self):
        """[lo, hi) is a range of the first reduced axis; the parallel axes are few and gone through in order."""
        k = self.k
        rows = '1'
        for axis in k.parallel:
            rows = self.new(f'mul i64 {rows}, {self.sizes[axis]}')
        self.each_part = rows if k.form == 'row' else self.new(f'mul i64 {rows}, {self.sizes[k.lane]}')
        partial = self.new(f'mul i64 %worker, {self.each_part}')

        def one(i, _):
            axes = list(reversed(k.parallel))
            index = dict(zip(axes, self._digits(i, [self.sizes[axis] for axis in axes])))
            if k.form == 'row':
                self._row(index, ('%lo', '%hi'), partial)
            else:
                self._column(index, '0', self.sizes[k.lane], ('%lo', '%hi'), partial)
            return []
        self.loop('0', rows, 1, [], one)

    # --- entries ------------------------------------------------------------------------------------------------------

    def _invariant(self, index, values, stage, lane=None, mask=None):
        """Compute what doesn't change in the loops and has become known: splats, or columns' vectors."""
        k = self.k
        wanted = [e for e, x in enumerate(k.entries) if e not in values and x.kind not in ('reduce', 'unused')
                  and x.stage <= stage and not k.in_loop(e)]
        for e in wanted:
            if all(a in values for a in k.entries[e].args):
                self._entry(e, values, index, lane, mask)
        return values

    def _compute(self, needed, values, index, lane, mask, number=None):
        for e in needed:
            if e in values:
                continue
            if number is not None and e in self.cached and self.first_pass[e] < number:
                values[e] = self._read_scratch(e, lane)
                continue
            self._entry(e, values, index, lane, mask)
            if number is not None and self.first_pass_of(e) == number:
                self._write_scratch(e, values[e], lane)

    def first_pass_of(self, e):
        return self.first_pass[e] if e in self.cached else None

    def _entry(self, e, values, index, lane, mask):
        x, block = self.k.entries[e], self.block()
        name = x.dtype.name
        if x.kind == 'load':
            values[e] = self._load(block, x, values, index, lane, mask)
        elif x.kind == 'scalar':
            values[e] = self._scalar(block, x)
        elif x.kind == 'constant':
            values[e] = llvm_math.constant(name, self.width, float(x.params[0]))
        elif x.kind == 'index':
            values[e] = self._ramp(block, x, index, lane)
        elif x.kind == 'search':
            values[e] = self._search(block, x, values[x.args[0]])
        elif x.kind == 'scan':
            values[e] = self._scan(e, x, values, mask)
        else:
            values[e] = self._operation(block, x, [values[a] for a in x.args])
        block.flush()
        return name

    def _operation(self, block, x, args):
        operand = x.operand_dtype.name
        if x.op is ops.convert:
            source = self.k.entries[x.args[0]].dtype.name
            return llvm_math.convert(block.b, args[0], source, x.params[0].name)
        if x.op is ops.bitcast:
            return self._bitcast(block, args[0], operand, x.params[0].name)
        params = dict(zip(x.op.param_names, x.params or ()))
        if x.op in (ops.threefry2x32, ops.philox4x32):
            return llvm_math.emit(block.b, x.op.name, operand, args)[params['word']]
        return llvm_math.emit(block.b, x.op.name, operand, args, **params)

    def _bitcast(self, block, value, source, target):
        w = self.width
        raw = llvm_math.store_cast(block.b, value, source)
        return llvm_math.load_cast(block.b, block.b.new(
            f'bitcast {llvm_math.storage_type(source, w)} {raw} to {llvm_math.storage_type(target, w)}'), target)
