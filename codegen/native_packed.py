"""Reading integers of 4 bits that lie two in a byte. What is returned are bytes whose lower halves count."""
from .native_text import numbers, suffix, Text


class Packed(Text):
    """Loads of packed accesses, for Memory. Places are numbers of elements from the begin of the array."""

    def _load_packed(self, access, index, lane, mask, partial):
        kind = self.k.stride_class(access, self.k.lane) if lane is not None else '0'
        place = self._offset(access, index, () if kind in '01r' else (self.k.lane,))
        if partial is not None:
            place = self.new(f'add i64 {place}, {partial}')
        pointer, w = self.pointers[access], self.width
        if kind == '1':
            return self._packed_vector(pointer, place, mask)
        if kind == 'r':
            first = self.new(f'add i64 {place}, {1 - w}')
            lanes = mask and self._turned(f'<{w} x i1>', mask)
            return self._turned(f'<{w} x i8>', self._packed_vector(pointer, first, lanes))
        if kind == '2':
            return self._packed_halves(pointer, place, lane, mask)
        places = self._splat64(place)
        if kind == '0':
            return self._packed_each(pointer, places, None, None, [], True)
        places = self.new(f'add <{w} x i64> {places}, {self._lane_numbers(lane, self.strides[access][self.k.lane])}')
        return self._packed_each(pointer, places, None, mask, [], False)

    def _packed_each(self, pointer, places, inside, mask, sizes, same):
        """Elements anywhere; the arguments are those of _load_scattered."""
        w, kind = self.width, f'<{self.width} x i64>'
        halves = self.new(f'ashr {kind} {places}, splat (i64 1)')
        raw = self._load_scattered(pointer, 'i8', f'<{w} x i8>', halves, inside, mask, sizes, same, 1)
        upper = self.new(f'trunc {kind} {self.new(f"and {kind} {places}, splat (i64 1)")} to <{w} x i8>')
        return self.new(f'lshr <{w} x i8> {raw}, {self.new(f"shl <{w} x i8> {upper}, splat (i8 2)")}')

    def _packed_vector(self, pointer, place, mask):
        """`width` elements from a place on: bytes and those that follow, of which the last and first halves make words
        where the place is the second in its byte; then each byte is spread over two."""
        h, word = self.width // 2, f'<{self.width // 2} x i16>'
        first, odd = self._byte_of(pointer, place)
        second = self.new(f'getelementptr i8, ptr {first}, i64 {odd}')    # the same bytes where no others are needed
        masks = self._byte_masks(odd, mask) if mask is not None else (None, None)
        a, b = (self.new(f'zext <{h} x i8> {self._load_bytes(at, h, m)} to {word}')
                for at, m in zip((first, second), masks))
        both = self.new(f'or {word} {a}, {self.new(f"shl {word} {b}, splat (i16 8)")}')
        shift = self.new(f'trunc i64 {self.new(f"shl i64 {odd}, 2")} to i16')
        one = self.new(f'insertelement {word} poison, i16 {shift}, i64 0')
        shift = self.new(f'shufflevector {word} {one}, {word} poison, <{h} x i32> zeroinitializer')
        pair = self.new(f'and {word} {self.new(f"lshr {word} {both}, {shift}")}, splat (i16 255)')
        spread = self.new(f'or {word} {pair}, {self.new(f"shl {word} {pair}, splat (i16 4)")}')
        return self.new(f'bitcast {word} {spread} to <{self.width} x i8>')

    def _packed_halves(self, pointer, place, lane, mask):
        """The same halves of bytes that lie side by side: elements from a place on, `lane` bytes behind it."""
        byte, odd = self._byte_of(pointer, place)
        raw = self._load_bytes(self.new(f'getelementptr i8, ptr {byte}, i64 {lane}'), self.width, mask)
        shift = self.new(f'trunc i64 {self.new(f"shl i64 {odd}, 2")} to i8')
        kind = f'<{self.width} x i8>'
        return self.new(f'lshr {kind} {raw}, {self._splat("i8", kind, shift)}')

    def _byte_of(self, pointer, place):
        """(address of the byte that an element lies in, 1 where it is the second there, else 0)."""
        byte = self.new(f'getelementptr i8, ptr {pointer}, i64 {self.new(f"ashr i64 {place}, 1")}')
        return byte, self.new(f'and i64 {place}, 1')

    def _load_bytes(self, pointer, n, mask):
        if mask is None:
            return self.new(f'load <{n} x i8>, ptr {pointer}, align 1')
        w = max(n, 16)                                               # fewer are loaded one by one
        if n < w:
            mask = self.new(f'shufflevector <{n} x i1> {mask}, <{n} x i1> zeroinitializer, <{w} x i32> '
                            f'{numbers([min(j, n) for j in range(w)])}')
        name = f'@llvm.masked.load.{suffix("i8", w)}.p0'
        self.module.declare(f'declare <{w} x i8> {name}(ptr, i32, <{w} x i1>, <{w} x i8>)')
        raw = self.new(f'call <{w} x i8> {name}(ptr {pointer}, i32 1, <{w} x i1> {mask}, <{w} x i8> zeroinitializer)')
        if n == w:
            return raw
        return self.new(f'shufflevector <{w} x i8> {raw}, <{w} x i8> poison, <{n} x i32> {numbers(range(n))}')

    def _byte_masks(self, odd, mask):
        """Which bytes the active lanes need, of those from the first one's on and of those that follow."""
        w, h = self.width, self.width // 2
        even_lanes, odd_lanes = (self.new(f'shufflevector <{w} x i1> {mask}, <{w} x i1> poison, <{h} x i32> '
                                          f'{numbers(range(start, w, 2))}') for start in (0, 1))
        aligned = self.new(f'icmp eq i64 {odd}, 0')
        within = self.new(f'select i1 {aligned}, <{h} x i1> {odd_lanes}, <{h} x i1> zeroinitializer')
        return self.new(f'or <{h} x i1> {even_lanes}, {within}'), odd_lanes
