"""Reductions and scans in vector code: what is carried through the loop, and what becomes of the lanes."""
import numpy as np

from ..ir import dtypes, ops
from . import llvm_math
from .kernel import Entry
from .native_memory import Memory
from .native_text import numbers, scalar_int


class Reductions(Memory):
    """Sums, products, extremes and where they are; what is accumulated."""

    # --- reductions ---------------------------------------------------------------------------------------------------

    def _identities(self, x):
        """[(type, start value)] of the vectors that a reduction carries."""
        dtype, w = x.operand_dtype, self.width
        if x.op in (ops.argmax, ops.argmin):
            one = scalar_int(x.dtype)
            places = ', '.join(f'{one} {lane if self.k.form == "row" else 0}' for lane in range(w))   # a lane's first
            kind = llvm_math.llvm_type(_compared_as(x), w)
            return [(kind, self._least_extreme(x)), (f'<{w} x {one}>', f'<{places}>')]
        if x.op is ops.complex_prod:
            kind = llvm_math.llvm_type(dtype.name, w)
            return [(kind, llvm_math.constant(dtype.name, w, part)) for part in (1, 0)]
        neutral = identity(x.op.reduction, dtype)
        return [(llvm_math.llvm_type(dtype.name, w), llvm_math.constant(dtype.name, w, neutral))]

    def _accumulate(self, reductions, values, carried, index, lane, mask):
        new, at = [], 0
        for r in reductions:
            x = self.k.entries[r]
            value, name = values[x.args[0]], x.operand_dtype.name
            if x.op in (ops.argmax, ops.argmin):
                new += self._accumulate_arg(x, value, carried[at], carried[at + 1], index, lane, mask)
                at += 2
                continue
            if x.op is ops.complex_prod:
                new += self._times(x, carried[at:at + 2], self._inside(x, [values[a] for a in x.args], mask))
                at += 2
                continue
            kind = llvm_math.llvm_type(name, self.width)
            if mask is not None:
                neutral = llvm_math.constant(name, self.width, identity(x.op.reduction, x.operand_dtype))
                value = self.new(f'select <{self.width} x i1> {mask}, {kind} {value}, {kind} {neutral}')
            block = self.block()
            new.append(llvm_math.emit(block.b, x.op.reduction, name, [carried[at], value]))
            block.flush()
            at += 1
        return new

    def _least_extreme(self, x):
        name = _compared_as(x)
        return llvm_math.constant(name, self.width, _extreme(dtypes.as_dtype(name), x.op is ops.argmax))

    def _inside(self, x, values, mask):
        """The parts of complex numbers, 1 where the mask isn't set."""
        return values if mask is None else [self.new(f'select <{self.width} x i1> {mask}, {kind} {value}, {kind} {one}')
                                            for value, (kind, one) in zip(values, self._identities(x))]

    def _times(self, x, these, those, width=None):
        """The parts of products of complex numbers."""
        block, name = self.block(width), x.operand_dtype.name
        (a, b), (c, d) = ([llvm_math.Vector(block.b, name, part) for part in parts] for parts in (these, those))
        product = [a * c - b * d, a * d + b * c]
        block.flush()
        return [part.name for part in product]

    def _accumulate_arg(self, x, value, best, place, index, lane, mask):
        """Keep the first extreme and where it was. What is carried from one to the next takes one short instruction."""
        w, name, at = self.width, _compared_as(x), llvm_math.llvm_type(x.dtype.name, self.width)
        kind, block = llvm_math.llvm_type(name, w), self.block()
        value = _comparable(x, llvm_math.Vector(block.b, llvm_math.register_dtype(x.operand_dtype.name), value)).name
        block.flush()
        if mask is not None:
            value = self.new(f'select <{w} x i1> {mask}, {kind} {value}, {kind} {self._least_extreme(x)}')
        new = llvm_math.emit(block.b, 'max' if x.op is ops.argmax else 'min', name, [best, value])
        better = llvm_math.emit(block.b, 'ne', name, [new, best])    # of int4 LLVM 22.1 compiles value > best wrongly
        block.flush()
        return [new, self.new(f'select <{w} x i1> {better}, {at} {self._place(x.dtype, index, lane)}, {at} {place}')]

    def _place(self, dtype, index, lane):
        """Row-major numbers along the reduced axes, for every lane."""
        k, one, total = self.k, scalar_int(dtype), '0'
        for axis in sorted(k.reduced):
            total = self.new(f'mul i64 {total}, {self.sizes[axis]}')
            total = self.new(f'add i64 {total}, {lane if axis == k.lane else index[axis]}')
        if one != 'i64':
            total = self.new(f'trunc i64 {total} to {one}')
        kind = f'<{self.width} x {one}>'
        places = self._splat(one, kind, total)
        if k.lane not in k.reduced:
            return places
        return self.new(f'add {kind} {places}, <{", ".join(f"{one} {j}" for j in range(self.width))}>')

    # --- scans ----------------------------------------------------------------------------------------------------

    def _scanned_as(self, x):
        """Name of the dtype in which a scan combines. Extremes of floats are those of integers in the same order: the
        larger of two is one short instruction, where NaN has to be considered a chain of five. Products of float32 are
        taken in float64: those of a vector's lanes can be beyond float32 where the product of all before is not."""
        name = llvm_math.register_dtype(x.operand_dtype.name)
        if x.op.scan in ('max', 'min') and name in llvm_math.FLOATS:
            return f'int{llvm_math.BITS[name]}'
        return 'float64' if x.op.scan == 'mul' and name == 'float32' else name

    def _to_scan(self, x, value):
        name, block = self._scanned_as(x), self.block()
        value = llvm_math.Vector(block.b, llvm_math.register_dtype(x.operand_dtype.name), value)
        if name in llvm_math.INTEGERS and value.is_float:
            nan = np.array(np.nan if x.op.scan == 'max' else -np.nan, value.dtype).view(name).item()   # the extreme one
            value = _turned_over(value.is_nan().select(nan, value.as_bits()))
        elif name != value.dtype:
            value = value.widen()
        block.flush()
        return value.name

    def _from_scan(self, x, value):
        name, block = llvm_math.register_dtype(x.operand_dtype.name), self.block()
        value = llvm_math.Vector(block.b, self._scanned_as(x), value)
        if name in llvm_math.FLOATS and not value.is_float:
            value = _turned_over(value).as_float()
        elif name != value.dtype:
            value = value.narrow()
        block.flush()
        return value.name

    def _neutral(self, x):
        name = self._scanned_as(x)
        none = identity(x.op.scan, dtypes.as_dtype(name))
        if x.op.scan == 'add' and name in llvm_math.FLOATS:
            none = -0.0                                              # 0 + -0.0 is 0
        return llvm_math.constant(name, self.width, none)

    def _combined(self, x, a, b):
        block = self.block()
        result = llvm_math.emit(block.b, x.op.scan, self._scanned_as(x), [a, b])
        block.flush()
        return result

    def _starts(self, scans, index, lane=None, mask=None):
        """[(type, value)] that scans carry at first: nothing yet, or the totals of the parts before this one."""
        k, found = self.k, []
        for e in scans:
            x = k.entries[e]
            kind, value = llvm_math.llvm_type(self._scanned_as(x), self.width), self._neutral(x)
            if e in k.starts:
                place = Entry('load', None, x.dtype, number=k.starts[e])

                def add(part, carried):
                    block = self.block()
                    at = self.new(f'mul i64 {part}, {self.each_part}')
                    total = self._load(block, place, {}, index, lane, mask, at)
                    block.flush()
                    return [self._combined(x, carried[0], self._to_scan(x, total))]
                value, = self.loop('0', '%worker', 1, [(kind, value)], add)
            found.append((kind, value))
        return found

    def _scan(self, e, x, values, mask):
        """A scan's vector. values: of ('carried', e) the vector before, which is replaced: down a column each lane's,
        along a row one for all lanes, which pass on what they have in log2(width) steps."""
        value, carried = self._to_scan(x, values[x.args[0]]), values['carried', e]
        if self.k.form == 'column':
            values['carried', e] = self._combined(x, carried, value)
            return self._from_scan(x, values['carried', e])
        w, kind, neutral = self.width, llvm_math.llvm_type(self._scanned_as(x), self.width), self._neutral(x)
        if mask is not None:
            value = self.new(f'select <{w} x i1> {mask}, {kind} {value}, {kind} {neutral}')
        step = 1
        while step < w:
            moved = self.new(f'shufflevector {kind} {neutral}, {kind} {value}, <{w} x i32> '
                             f'{numbers([lane if lane < step else w + lane - step for lane in range(w)])}')
            value, step = self._combined(x, moved, value), 2 * step
        last = self.new(f'shufflevector {kind} {value}, {kind} poison, <{w} x i32> {numbers([w - 1] * w)}')
        values['carried', e] = self._combined(x, carried, last)
        return self._from_scan(x, self._combined(x, carried, value))

    def _finished(self, x, vectors):
        """A column's result from what was carried."""
        if x.op is ops.complex_prod:
            return vectors[x.params[0]]
        return vectors[1] if x.op in (ops.argmax, ops.argmin) else vectors[0]

    def _horizontal(self, x, vectors):
        """The result over all lanes, as a splat."""
        if x.op is ops.complex_prod:
            return self._over_lanes(x.operand_dtype.name, vectors,
                                    lambda low, high, w: self._times(x, low, high, w))[x.params[0]]
        if x.op not in (ops.argmax, ops.argmin):
            return self._all_lanes(x.op.reduction, x.operand_dtype.name, vectors[0])
        w, name, at = self.width, _compared_as(x), llvm_math.llvm_type(x.dtype.name, self.width)
        best, block = self._all_lanes('max' if x.op is ops.argmax else 'min', name, vectors[0]), self.block()
        equal = llvm_math.emit(block.b, 'eq', name, [vectors[0], best])
        block.flush()
        last = llvm_math.constant(x.dtype.name, w, dtypes.iinfo(x.dtype).max)
        places = self.new(f'select <{w} x i1> {equal}, {at} {vectors[1]}, {at} {last}')
        return self._all_lanes('min', x.dtype.name, places)

    def _all_lanes(self, operation, name, value):
        def combined(low, high, w):
            block = self.block(w)
            result = llvm_math.emit(block.b, operation, name, [*low, *high])
            block.flush()
            return [result]
        return self._over_lanes(name, [value], combined)[0]

    def _over_lanes(self, name, vectors, combined):
        """Splats of what the lanes of vectors come to: halves are combined until one lane is left."""
        w = self.width
        while w > 1:
            low, high = zip(*[self._cut(v, name, w) for v in vectors])
            w //= 2
            vectors = combined(low, high, w)
        return [self._splat(llvm_math.llvm_type(name, 1), llvm_math.llvm_type(name, self.width), v) for v in vectors]

    def _cut(self, value, name, w):
        """The halves of a vector of w lanes: scalars where w is 2."""
        half, kind = w // 2, llvm_math.llvm_type(name, w)
        halves = [self.new(f'shufflevector {kind} {value}, {kind} poison, <{half} x i32> {numbers(range(s, s + half))}')
                  for s in (0, half)]
        if half > 1:
            return halves
        return [self.new(f'extractelement <1 x {llvm_math.scalar_type(name)}> {v}, i64 0') for v in halves]


def _compared_as(x):
    """Name of the dtype in which argmax and argmin compare."""
    name = llvm_math.register_dtype(x.operand_dtype.name)
    if name in llvm_math.FLOATS:
        return f'int{llvm_math.BITS[name]}'
    return {'bool': 'uint8', 'uint4': 'uint8', 'int4': 'int8'}.get(name, name)


def _comparable(x, value):
    """Of floats whole numbers in their order, as those of scans: both zeros are one, a NaN is the extreme one."""
    if value.is_float:
        nan = np.array(np.nan if x.op is ops.argmax else -np.nan, value.dtype).view(_compared_as(x)).item()
        return _turned_over(value.is_nan().select(nan, (value + 0).as_bits()))
    if value.dtype == _compared_as(x):
        return value
    return value.cast('sext' if value.dtype == 'int4' else 'zext', _compared_as(x))


def _extreme(dtype, low):
    kind = dtypes.kind(dtype)
    if kind == 'f':
        return -np.inf if low else np.inf
    if kind == 'b':
        return not low
    return dtypes.iinfo(dtype).min if low else dtypes.iinfo(dtype).max


def _turned_over(bits):
    """Of negative numbers all bits but the sign, so that integers are in the order of floats, and back."""
    return bits ^ ((bits >> bits.bits - 1) & (1 << bits.bits - 1) - 1)


def identity(reduction, dtype):
    """The neutral element of a reduction."""
    kind = dtypes.kind(dtype)
    if reduction in ('max', 'min'):
        return _extreme(dtype, reduction == 'max')
    if reduction == 'and':
        return True if kind == 'b' else -1 if kind == 'i' else dtypes.iinfo(dtype).max
    return {'add': 0, 'mul': 1, 'or': 0, 'logaddexp': -np.inf}[reduction]
