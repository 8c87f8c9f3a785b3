"""Reading and writing arrays from vector code: contiguous, strided, broadcast, gathered, scratch, and ramps."""
import functools

from ..ir import dtypes
from . import choices, llvm_math
from .native_packed import Packed
from .native_text import numbers, suffix


class Memory(Packed):
    """What the printer's loads, scalars, ramps, stores and scratch rows come to. Needs its arguments' names."""

    def _offset(self, access, index, skip=()):
        """Element offset of an access at the given indices of axes. What accesses of one array share comes first, what
        varies most last."""
        def terms(axes):
            for axis in axes:
                kind = self.k.stride_class(access, axis)
                if axis not in skip and kind != '0':
                    i, stride = index[axis], self.strides[access][axis]
                    yield i if kind == '1' else self.new(f'mul i64 {i}, {stride}')
        outer = list(terms([axis for axis in index if axis != self.k.lane]))
        lane = list(terms([axis for axis in index if axis == self.k.lane]))
        return functools.reduce(lambda a, b: self.new(f'add i64 {a}, {b}'), [*outer, self.offsets[access], *lane])

    def _prefetch(self, access, pointer):
        """Ask for what a reduction reads soon: further along the row, or rows below in a column."""
        one = llvm_math.storage_type(self.k.accesses[access].dtype.name, 1)
        if self.k.form == 'row' or self.k.in_a_row:
            distance = choices.PREFETCH_IN_A_ROW if self.k.in_a_row else choices.PREFETCH_BYTES
            ahead, locality = self.new(f'getelementptr i8, ptr {pointer}, i64 {distance}'), 3
        else:
            step = self.new(f'mul i64 {self.strides[access][max(self.k.loop)]}, {choices.PREFETCH_ROWS}')
            ahead, locality = self.new(f'getelementptr {one}, ptr {pointer}, i64 {step}'), 0
        self.module.declare('declare void @llvm.prefetch.p0(ptr, i32, i32, i32)')
        self.line(f'call void @llvm.prefetch.p0(ptr {ahead}, i32 0, i32 {locality}, i32 1)')

    def _load(self, block, x, values, index, lane, mask, partial=None):
        access = x.number
        a = self.k.accesses[access]
        if a.dynamic:
            return self._load_gathered(block, x, values, index, lane, mask)
        if a.packed:
            return llvm_math.load_cast(block.b, self._load_packed(access, index, lane, mask, partial), a.dtype.name)
        storage = llvm_math.storage_type(a.dtype.name, self.width)
        one = llvm_math.storage_type(a.dtype.name, 1)
        kind = self.k.stride_class(access, self.k.lane) if lane is not None else '0'
        if kind == 'p':
            return self._load_half(access, index, mask)
        offset = self._offset(access, index, () if kind != 's' else (self.k.lane,))
        if partial is not None:
            offset = self.new(f'add i64 {offset}, {partial}')
        pointer = self.new(f'getelementptr {one}, ptr {self.pointers[access]}, i64 {offset}')
        if kind == '1' and self.k.far and self.k.form != 'map':
            self._prefetch(access, pointer)
        if kind == '0':
            raw = self._splat(one, storage, self.new(f'load {one}, ptr {pointer}, align {a.dtype.itemsize}'))
        elif kind == '1':
            raw = self._load_vector(pointer, storage, one, a.dtype.itemsize, mask)
        elif kind == 'r':
            first = self.new(f'getelementptr {one}, ptr {pointer}, i64 {1 - self.width}')
            lanes = mask and self._turned(f'<{self.width} x i1>', mask)
            raw = self._turned(storage, self._load_vector(first, storage, one, a.dtype.itemsize, lanes))
        else:
            stride, pairs = self.strides[access][self.k.lane], self.k.pairs(access) and self.width <= 16
            raw = self._load_strided(pointer, one, storage, lane, stride, mask, a.dtype.itemsize, pairs)
        return llvm_math.load_cast(block.b, raw, a.dtype.name)

    def _load_half(self, access, index, mask):
        """Real or imaginary parts of a vector of complex numbers: every second element of two vectors. Loads of both
        parts read the same two, and LLVM keeps one."""
        one, beside = llvm_math.storage_type(self.k.accesses[access].dtype.name, 1), self._beside(access)
        pointer = self.new(f'getelementptr {one}, ptr {self._pair_pointer(beside)}, i64 {self._offset(beside, index)}')
        if self.k.far and self.k.form != 'map':
            self._prefetch(beside, pointer)
        return self._half_at(access, pointer, mask)

    def _beside(self, access):
        """The access to real parts beside one to imaginary parts, where there is one."""
        mate = self.k.accesses[access].mate
        return access if mate is None else mate

    def _pair_pointer(self, access):
        """What an access's offsets count from, such that they lead to complex numbers and not to their second parts."""
        a, pointer = self.k.accesses[access], self.pointers[access]
        if not a.half:
            return pointer
        return self.new(f'getelementptr {llvm_math.storage_type(a.dtype.name, 1)}, ptr {pointer}, i64 -1')

    def _half_at(self, access, pointer, mask):
        a, w = self.k.accesses[access], self.width
        one, storage = llvm_math.storage_type(a.dtype.name, 1), llvm_math.storage_type(a.dtype.name, w)
        parts = [self._load_vector(at, storage, one, a.dtype.itemsize, m)
                 for at, m in zip(self._two(one, pointer), self._both_halves(mask))]
        return self.new(f'shufflevector {storage} {parts[0]}, {storage} {parts[1]}, <{w} x i32> '
                        f'{numbers(range(a.half, 2 * w, 2))}')

    def _two(self, one, pointer):
        """Addresses of two vectors in a row."""
        return pointer, self.new(f'getelementptr {one}, ptr {pointer}, i64 {self.width}')

    def _both_halves(self, mask):
        """Masks of the two vectors that hold the complex numbers of a mask's lanes."""
        if mask is None:
            return None, None
        w, kind = self.width, f'<{self.width} x i1>'
        return [self.new(f'shufflevector {kind} {mask}, {kind} poison, <{w} x i32> '
                         f'{numbers([(start + j) // 2 for j in range(w)])}') for start in (0, w)]

    def _splat(self, one, storage, value):
        w = self.width
        first = self.new(f'insertelement {storage} poison, {one} {value}, i64 0')
        return self.new(f'shufflevector {storage} {first}, {storage} poison, <{w} x i32> zeroinitializer')

    def _load_vector(self, pointer, storage, one, align, mask):
        if mask is None:
            return self.new(f'load {storage}, ptr {pointer}, align {align}')
        w, s = self.width, suffix(one, self.width)
        self.module.declare(f'declare {storage} @llvm.masked.load.{s}.p0(ptr, i32, <{w} x i1>, {storage})')
        return self.new(f'call {storage} @llvm.masked.load.{s}.p0(ptr {pointer}, i32 {align}, <{w} x i1> {mask}, '
                        f'{storage} zeroinitializer)')

    def _turned(self, kind, vector):
        """The lanes in the other order."""
        return self.new(f'shufflevector {kind} {vector}, {kind} poison, '
                        f'<{self.width} x i32> {numbers(reversed(range(self.width)))}')

    def _iota(self):
        return '<' + ', '.join(f'i64 {j}' for j in range(self.width)) + '>'

    def _splat64(self, value):
        return self._splat('i64', f'<{self.width} x i64>', value)

    def _lane_numbers(self, lane, stride):
        """(lane + 0, lane + 1, ...) * stride."""
        w = self.width
        numbers = self.new(f'add <{w} x i64> {self._splat64(lane)}, {self._iota()}')
        return self.new(f'mul <{w} x i64> {numbers}, {self._splat64(stride)}')

    def _strided(self, pointer, one, lane, stride):
        """Addresses of `width` elements so far apart, from lane on: four from each base, as addressing modes have it."""
        steps = ['0', stride] + [self.new(f'mul i64 {stride}, {j}') for j in (2, 3, 4)]
        base = self.new(f'getelementptr {one}, ptr {pointer}, i64 {self.new(f"mul i64 {lane}, {stride}")}')
        for j in range(self.width):
            if j and j % 4 == 0:
                base = self.new(f'getelementptr {one}, ptr {base}, i64 {steps[4]}')
            yield self.new(f'getelementptr {one}, ptr {base}, i64 {steps[j % 4]}')

    def _load_strided(self, pointer, one, storage, lane, stride, mask, align, pairs):
        """Elements that are apart, one load each: gather instructions take longer, and nothing is fetched ahead of them.
        Every second of 10 M float32 on a Zen 4: 6.7 ms by gathers, 1.2 ms so."""
        if pairs:
            first = self.new(f'getelementptr {one}, ptr {pointer}, i64 {self.new(f"shl i64 {lane}, 1")}')
            return self._load_pairs(first, storage, one, mask, align)
        if mask is not None:
            return self._load_gather(pointer, one, storage, self._lane_numbers(lane, stride), mask, align)
        return self._load_each(self._strided(pointer, one, lane, stride), one, storage, align)

    def _load_pairs(self, pointer, storage, one, mask, align):
        """Every second element, of two vectors that end with the last of them. Masks are of the first lanes."""
        w, masks = self.width, (None, None)
        if mask is not None:
            self.module.declare('declare i64 @llvm.ctpop.i64(i64)')
            lanes = self.new(f'zext i{w} {self.new(f"bitcast <{w} x i1> {mask} to i{w}")} to i64')
            twice = self.new(f'shl i64 {self.new(f"call i64 @llvm.ctpop.i64(i64 {lanes})")}, 1')
            ones = self.new(f'sub i64 {self.new(f"shl i64 1, {twice}")}, 1')
            reach = self.new(f'lshr i64 {ones}, 1')
            masks = [self.new(f'bitcast i{w} {self.new(f"trunc i64 {bits} to i{w}")} to <{w} x i1>')
                     for bits in (reach, self.new(f'lshr i64 {reach}, {w - 1}'))]
        second = self.new(f'getelementptr {one}, ptr {pointer}, i64 {w - 1}')
        a, b = [self._load_vector(at, storage, one, align, m) for at, m in zip((pointer, second), masks)]
        return self.new(f'shufflevector {storage} {a}, {storage} {b}, <{w} x i32> '
                        f'{numbers([2 * j + (j >= w // 2) for j in range(w)])}')

    def _load_each(self, addresses, one, storage, align):
        raw = 'poison'
        for j, address in enumerate(addresses):
            value = self.new(f'load {one}, ptr {address}, align {align}')
            raw = self.new(f'insertelement {storage} {raw}, {one} {value}, i64 {j}')
        return raw

    def _load_scattered(self, pointer, one, storage, steps, inside, mask, sizes, same, align):
        """Elements anywhere, one load each. inside: lanes that may be read (None: all), mask: of those that are wanted; same: all
        lanes are one."""
        if mask is not None:
            return self._load_gather(pointer, one, storage, steps, inside or mask, align)
        if inside is not None:                                       # there is no first: these are read
            for size in sizes:
                pointer = self.new(f'select i1 {self.new(f"icmp sgt i64 {size}, 0")}, ptr {pointer}, ptr %constants')

        def address(j):
            step = self.new(f'extractelement <{self.width} x i64> {steps}, i64 {j}')
            return self.new(f'getelementptr {one}, ptr {pointer}, i64 {step}')
        if same:
            return self._splat(one, storage, self.new(f'load {one}, ptr {address(0)}, align {align}'))
        return self._load_each(map(address, range(self.width)), one, storage, align)

    def _load_gather(self, pointer, one, storage, steps, mask, align):
        w, s = self.width, suffix(one, self.width)
        addresses = self.new(f'getelementptr {one}, ptr {pointer}, <{w} x i64> {steps}')
        self.module.declare(f'declare {storage} @llvm.masked.gather.{s}.v{w}p0(<{w} x ptr>, i32, <{w} x i1>, {storage})')
        return self.new(f'call {storage} @llvm.masked.gather.{s}.v{w}p0(<{w} x ptr> {addresses}, i32 {align}, <{w} x i1> '
                        f'{mask}, {storage} zeroinitializer)')

    def _load_gathered(self, block, x, values, index, lane, mask):
        access, w = x.number, self.width
        kind = '0' if lane is None else self.k.stride_class(access, self.k.lane)
        access = self._beside(access) if kind == 'p' else access
        a = self.k.accesses[access]
        one, storage = llvm_math.storage_type(a.dtype.name, 1), llvm_math.storage_type(a.dtype.name, w)
        skip = (self.k.lane,) if lane is not None else ()
        base = self._pair_pointer(access) if kind == 'p' else self.pointers[access]
        start = self._offset(access, index, skip)
        pointer = self.new(f'getelementptr {one}, ptr {base}, i64 {0 if a.packed else start}')
        total = self._splat64(start) if a.packed else 'zeroinitializer'
        if lane is not None and self.k.stride_class(access, self.k.lane) != '0':
            steps = self._lane_numbers(lane, self.strides[access][self.k.lane])
            total = self.new(f'add <{w} x i64> {total}, {steps}')
        inside = mask
        for dynamic, (stride, size) in zip(a.dynamic, self.dynamic[access]):
            entry, (dtype, neighbours) = dynamic[0], self.k.position_class(dynamic)
            position = llvm_math.convert(block.b, values[entry], self.k.entries[entry].dtype.name, dtype)
            block.flush()
            of = llvm_math.llvm_type(dtype, w)
            bound = self._splat(*(('i64', of, size) if dtype == 'int64' else
                                  ('i32', of, self.new(f'trunc i64 {size} to i32'))))
            position, ok = self._in_range(position, bound, of, a.mode)
            if ok is not None:
                if a.mode == 'error':
                    self._report(ok, mask)
                inside = ok if inside is None else self.new(f'and <{w} x i1> {inside}, {ok}')
                if mask is None:                                     # what is outside reads the last
                    position = self._at_most(position, size, of)
            if dtype != 'int64':
                position = self.new(f'sext {of} {position} to <{w} x i64>')
            step = position if neighbours else self.new(f'mul <{w} x i64> {position}, {self._splat64(stride)}')
            total = self.new(f'add <{w} x i64> {total}, {step}')
        sizes = [size for _, size in self.dynamic[access]]
        same = lane is None or not any([self.k.lane in self.k.entries[entry].axes for entry, *_ in a.dynamic])
        if same and kind in ('1', 'p'):                              # a row, or part of one, that the index says
            first = self.new(f'extractelement <{w} x i64> {total}, i64 0')
            if a.packed:
                raw = self._packed_vector(pointer, first, inside)
            else:
                first = self.new(f'getelementptr {one}, ptr {pointer}, i64 {first}')
                raw = self._half_at(x.number, first, inside) if kind == 'p' else self._load_vector(
                    first, storage, one, a.dtype.itemsize, inside)
        elif a.packed:
            raw = self._packed_each(pointer, total, inside, mask, sizes, same and kind == '0')
        else:
            if kind == 'p':
                pointer = self.new(f'getelementptr {one}, ptr {pointer}, i64 {self.k.accesses[x.number].half}')
            raw = self._load_scattered(pointer, one, storage, total, inside, mask, sizes, same and kind == '0', a.dtype.itemsize)
        value = llvm_math.load_cast(block.b, raw, a.dtype.name)
        if a.mode == 'fill':
            from ..ir.reference import fill_value
            block.flush()
            kind = llvm_math.llvm_type(a.dtype.name, w)
            filled = llvm_math.constant(a.dtype.name, w, fill_value(a.dtype)[()])
            value = self.new(f'select <{w} x i1> {inside}, {kind} {value}, {kind} {filled}')
        return value

    def _search(self, block, x, query):
        """How many elements of a sorted array come before each lane's: half of what is left in each step. Reads
        inside of the array whatever the lanes hold, so that none is masked. NaN comes after all numbers."""
        access, w = x.number, self.width
        a, ((stride, size),) = self.k.accesses[access], self.dynamic[access]
        name, kind, right = a.dtype.name, f'<{w} x i32>', x.params[0] == 'right'
        one, storage = llvm_math.storage_type(name, 1), llvm_math.storage_type(name, w)
        pointer = self.new(f'getelementptr {one}, ptr {self.pointers[access]}, i64 {self.offsets[access]}')
        inexact = dtypes.is_inexact(a.dtype)
        emit = lambda b, *args: llvm_math.emit(b, *args)
        nan = emit(block.b, 'is_nan', name, [query]) if inexact else None
        block.flush()

        def address(places, j):
            place = self.new(f'zext i32 {self.new(f"extractelement {kind} {places}, i64 {j}")} to i64')
            place = place if a.mode == 'in a row' else self.new(f'mul i64 {place}, {stride}')
            return self.new(f'getelementptr {one}, ptr {pointer}, i64 {place}')

        def passed(first, ahead):
            """first + ahead, where the element before that comes before the query's, else first."""
            beyond = self.new(f'add {kind} {first}, {self._splat("i32", kind, self.new(f"trunc i64 {ahead} to i32"))}')
            places = self.new(f'add {kind} {beyond}, splat (i32 -1)')
            raw = self._load_each([address(places, j) for j in range(w)], one, storage, a.dtype.itemsize)
            inner = self.block()
            element = llvm_math.load_cast(inner.b, raw, name)
            before = emit(inner.b, 'le' if right else 'lt', name, [element, query])
            if inexact and not right:                                # all numbers come before NaN
                number = emit(inner.b, 'not', 'bool', [emit(inner.b, 'is_nan', name, [element])])
                before = emit(inner.b, 'or', 'bool', [before, emit(inner.b, 'and', 'bool', [nan, number])])
            inner.flush()
            return self.new(f'select <{w} x i1> {before}, {kind} {beyond}, {kind} {first}')

        def step(carried):
            left, first = carried
            half = self.new(f'lshr i64 {left}, 1')                   # a little less: see choices.SEARCH_SHIFT
            half = self.new(f'sub i64 {half}, {self.new(f"lshr i64 {half}, {choices.SEARCH_SHIFT}")}')
            half = self.new(f'select i1 {self.new(f"icmp eq i64 {left}, 1")}, i64 1, i64 {half}')
            left = self.new(f'sub i64 {left}, {half}')
            return [left, passed(first, half)], self.new(f'icmp ne i64 {left}, 0')
        _, found = self.repeat('true', [('i64', size), (kind, 'zeroinitializer')], step)
        if inexact and right:
            everything = self._splat('i32', kind, self.new(f'trunc i64 {size} to i32'))
            found = self.new(f'select <{w} x i1> {nan}, {kind} {everything}, {kind} {found}')
        return llvm_math.convert(block.b, found, 'int32', x.dtype.name)

    def _in_range(self, position, size, kind, mode):
        """(a position that may be read, mask of those that were inside or None); kind: of vectors of both."""
        w, one = self.width, kind.split()[-1].rstrip('>')
        if mode == 'wrap':
            r = self.new(f'srem {kind} {position}, {size}')
            negative = self.new(f'icmp slt {kind} {r}, zeroinitializer')
            return self.new(f'select <{w} x i1> {negative}, {kind} {self.new(f"add {kind} {r}, {size}")}, {kind} {r}'), None
        if mode == 'clip':
            last = self.new(f'sub {kind} {size}, splat ({one} 1)')
            for intrinsic, bound in (('smin', last), ('smax', 'zeroinitializer')):
                self.module.declare(f'declare {kind} @llvm.{intrinsic}.v{w}{one}({kind}, {kind})')
                position = self.new(f'call {kind} @llvm.{intrinsic}.v{w}{one}({kind} {position}, {kind} {bound})')
            return position, None
        return position, self.new(f'icmp ult {kind} {position}, {size}')

    def _at_most(self, position, size, kind):
        """The smaller of a position without a sign and size - 1, or 0."""
        one = kind.split()[-1].rstrip('>')
        last = self.new(f'select i1 {self.new(f"icmp sgt i64 {size}, 0")}, i64 {self.new(f"sub i64 {size}, 1")}, i64 0')
        last = last if one == 'i64' else self.new(f'trunc i64 {last} to {one}')
        name = f'@llvm.umin.v{self.width}{one}'
        self.module.declare(f'declare {kind} {name}({kind}, {kind})')
        return self.new(f'call {kind} {name}({kind} {position}, {kind} {self._splat(one, kind, last)})')

    def _report(self, ok, mask):
        """Set the error word where an active lane is out of range."""
        w = self.width
        bad = self.new(f'xor <{w} x i1> {ok}, splat (i1 true)')
        if mask is not None:
            bad = self.new(f'and <{w} x i1> {bad}, {mask}')
        self.module.declare(f'declare i1 @llvm.vector.reduce.or.v{w}i1(<{w} x i1>)')
        some = self.new(f'call i1 @llvm.vector.reduce.or.v{w}i1(<{w} x i1> {bad})')
        self.when(some, lambda: self.line(f'store i64 1, ptr {self.error}, align 8'))

    def _scalar(self, block, x):
        """A literal: slots hold a float64 for floats, an int64 for integers and booleans."""
        kind = dtypes.kind(x.dtype)
        address = self.new(f'getelementptr i64, ptr %slots, i64 {self.scalar_slots + x.number}')
        source, one = ('float64', 'double') if kind == 'f' else ('uint64' if kind == 'u' else 'int64', 'i64')
        value = self._splat(one, f'<{self.width} x {one}>', self.new(f'load {one}, ptr {address}, align 8'))
        return llvm_math.convert(block.b, value, source, x.dtype.name)

    def _ramp(self, block, x, index, lane):
        offset, coefficients = self.ramps[x.number]
        kind, total = f'<{self.width} x i64>', offset
        table = self.k.ramps[x.number][1]
        for axis, i in index.items():
            if table[axis] and not (axis == self.k.lane and lane is not None):
                total = self.new(f'add i64 {total}, {self.new(f"mul i64 {i}, {coefficients[axis]}")}')
        vector = self._splat64(total)
        if lane is not None and table[self.k.lane]:
            vector = self.new(f'add {kind} {vector}, {self._lane_numbers(lane, coefficients[self.k.lane])}')
        return llvm_math.convert(block.b, vector, 'int64', x.dtype.name)

    # --- stores -----------------------------------------------------------------------------------------------------------

    def _store_all(self, stores, values, index, lane, mask, partial=None):
        """Vectors of entries to their accesses [(entry, access)]: real and imaginary parts side by side as such."""
        entries = {access: e for e, access in stores}
        pairs = self.k.whole_pairs(entries) if partial is None else {}
        for access, e in entries.items():
            if access in pairs:
                self._store_pair(access, [values[e], values[entries[pairs[access]]]], index, mask)
            elif access not in pairs.values():
                self._store(access, values[e], index, lane, mask, partial)

    def _store_pair(self, access, parts, index, mask):
        a, w = self.k.accesses[access], self.width
        one, storage = llvm_math.storage_type(a.dtype.name, 1), llvm_math.storage_type(a.dtype.name, w)
        pointer = self.new(f'getelementptr {one}, ptr {self.pointers[access]}, i64 {self._offset(access, index)}')
        for start, at, m in zip((0, w), self._two(one, pointer), self._both_halves(mask)):
            lanes = numbers([(start + j) // 2 + w * (j % 2) for j in range(w)])
            raw = self.new(f'shufflevector {storage} {parts[0]}, {storage} {parts[1]}, <{w} x i32> {lanes}')
            self._store_vector(raw, at, storage, one, a.dtype.itemsize, m)

    def _store_vector(self, raw, pointer, storage, one, item, mask):
        w = self.width
        if mask is None and self.k.stream:                            # buffers and blocks are aligned to vectors
            self.line(f'store {storage} {raw}, ptr {pointer}, align {min(w * item, 64)}, !nontemporal !1')
        elif mask is None:
            self.line(f'store {storage} {raw}, ptr {pointer}, align {item}')
        else:
            s = suffix(one, w)
            self.module.declare(f'declare void @llvm.masked.store.{s}.p0({storage}, ptr, i32, <{w} x i1>)')
            self.line(f'call void @llvm.masked.store.{s}.p0({storage} {raw}, ptr {pointer}, i32 {item}, <{w} x i1> {mask})')

    def _store(self, access, value, index, lane, mask, partial=None):
        a, w = self.k.accesses[access], self.width
        name = a.dtype.name
        one, storage = llvm_math.storage_type(name, 1), llvm_math.storage_type(name, w)
        block = self.block()
        raw = llvm_math.store_cast(block.b, value, name)
        block.flush()
        kind = self.k.stride_class(access, self.k.lane)
        apart = kind in ('s', 'p')
        offset = self._offset(access, index, () if not apart else (self.k.lane,))
        if partial is not None:
            offset = self.new(f'add i64 {offset}, {partial}')
        pointer = self.new(f'getelementptr {one}, ptr {self.pointers[access]}, i64 {offset}')
        if kind == 'r':
            pointer = self.new(f'getelementptr {one}, ptr {pointer}, i64 {1 - w}')
            raw, mask = self._turned(storage, raw), mask and self._turned(f'<{w} x i1>', mask)
        if not apart:                                                # '0': one element, under a mask
            return self._store_vector(raw, pointer, storage, one, a.dtype.itemsize, mask)
        stride = self.strides[access][self.k.lane]
        if mask is None:
            for j, address in enumerate(self._strided(pointer, one, lane, stride)):
                element = self.new(f'extractelement {storage} {raw}, i64 {j}')
                self.line(f'store {one} {element}, ptr {address}, align {a.dtype.itemsize}')
            return
        addresses = self.new(f'getelementptr {one}, ptr {pointer}, <{w} x i64> {self._lane_numbers(lane, stride)}')
        s = suffix(one, w)
        self.module.declare(f'declare void @llvm.masked.scatter.{s}.v{w}p0({storage}, <{w} x ptr>, i32, <{w} x i1>)')
        self.line(f'call void @llvm.masked.scatter.{s}.v{w}p0({storage} {raw}, <{w} x ptr> {addresses}, '
                  f'i32 {a.dtype.itemsize}, <{w} x i1> {mask})')

    def _store_one(self, access, value, index, partial):
        """Lane 0 of a splat, as one element."""
        a = self.k.accesses[access]
        name = a.dtype.name
        one = llvm_math.storage_type(name, 1)
        scalar = self.new(f'extractelement {llvm_math.llvm_type(name, self.width)} {value}, i64 0')
        block = self.block(1)
        raw = llvm_math.store_cast(block.b, scalar, name)
        block.flush()
        offset = self._offset(access, index)
        if partial is not None:
            offset = self.new(f'add i64 {offset}, {partial}')
        pointer = self.new(f'getelementptr {one}, ptr {self.pointers[access]}, i64 {offset}')
        self.line(f'store {one} {raw}, ptr {pointer}, align {a.dtype.itemsize}')

    # --- scratch ----------------------------------------------------------------------------------------------------------

    def _scratch_address(self, e, lane):
        """Scratch: for every worker a row for every cached value, 8 bytes an element."""
        row = self.new(f'mul i64 %worker, {len(self.cached)}')
        row = self.new(f'add i64 {row}, {self.cached[e]}')
        padded = self.new(f'add i64 {self.sizes[self.k.lane]}, 64')
        start = self.new(f'mul i64 {row}, {padded}')
        size = llvm_math.BITS[self.k.entries[e].dtype.name] // 8 or 1
        start = self.new(f'mul i64 {start}, 8')
        return self.new(f'getelementptr i8, ptr {self.scratch}, i64 '
                        f'{self.new(f"add i64 {start}, " + self.new(f"mul i64 {lane}, {size}"))}')

    def _write_scratch(self, e, value, lane):
        kind = llvm_math.llvm_type(self.k.entries[e].dtype.name, self.width)
        self.line(f'store {kind} {value}, ptr {self._scratch_address(e, lane)}, align 1')

    def _read_scratch(self, e, lane):
        kind = llvm_math.llvm_type(self.k.entries[e].dtype.name, self.width)
        return self.new(f'load {kind}, ptr {self._scratch_address(e, lane)}, align 1')

    # --- squares that are turned around ---------------------------------------------------------------------------------

    def _turn(self, access, board, index, lane):
        """Read `width` vectors along the tile axis, transpose them in registers (log2(width) rounds), store them. The two
        parts of complex numbers stay together."""
        w, dtype, unit = self.width, self.k.accesses[access].dtype, self.k.accesses[access].unit
        one, storage = llvm_math.storage_type(dtype.name, 1), llvm_math.storage_type(dtype.name, unit * w)
        base, start, rows = self._pair_pointer(access), self._offset(access, {**index, self.k.lane: lane}), []

        def lanes(found):
            return numbers([unit * l + part for l in found for part in range(unit)])
        for j in range(w):
            step = self.new(f'mul i64 {self.strides[access][self.k.lane]}, {j}')
            place = self.new(f'add i64 {start}, {step}')
            if self.k.accesses[access].packed:
                rows.append(self._packed_vector(self.pointers[access], place, None))
                continue
            pointer = self.new(f'getelementptr {one}, ptr {base}, i64 {place}')
            rows.append(self.new(f'load {storage}, ptr {pointer}, align {dtype.itemsize}'))
        s = w // 2
        while s:
            low = lanes([l if not l & s else w + l - s for l in range(w)])
            high = lanes([l + s if not l & s else w + l for l in range(w)])
            for j in [j for j in range(w) if not j & s]:
                a, b = rows[j], rows[j + s]
                rows[j], rows[j + s] = (self.new(f'shufflevector {storage} {a}, {storage} {b}, <{unit * w} x i32> {m}')
                                        for m in (low, high))
            s //= 2
        for j, row in enumerate(rows):
            address = self.new(f'getelementptr {storage}, ptr {board}, i64 {j}')
            self.line(f'store {storage} {row}, ptr {address}')
