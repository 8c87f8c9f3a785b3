"""Integers of 4 bits lie two in a byte in every array that lives, see lazy.ir.nibbles. Leaves and outputs become bytes.

Before: x = leaf: int4[6]; y = x + 1, the output. After: p = leaf: uint8[3]; x = unpack_nibbles(p); y = x + 1;
q = y[0::2] | y[1::2] << 4, the output.

`unpack_nibbles` costs nothing: its value lies in the memory of the bytes, of which kernels pick halves. What is
computed in between has a byte for each number. Updates of what is packed are updates of its bytes, so that they happen
in place.
"""
import math

from ..ir import dtypes, ops
from ..ir.graph import aval, broadcast_shapes
from ..ir.nibbles import number_of_bytes, packed_shape
from .program import Instruction, Linear

_SAME = {ops.identity, ops.stop_gradient, ops.custom, ops.convert, ops.bitcast, ops.reshape}
_COMBINE = {'add': ops.add, 'mul': ops.mul, 'min': ops.min_, 'max': ops.max_}


def pack_arrays(linear):
    """The Linear with bytes in the place of leaves and outputs of 4 bits a number."""
    if not any([x.aval.dtype in dtypes.NARROW_INTEGERS for x in linear.instructions]):
        return linear
    return _Packer(linear).result()


def _rows_are_apart(shape):
    """Whether rows of an array have no byte in common: packed_shape has the same axes."""
    return shape != () and shape[-1] % 2 == 0


class _Packer:
    """Appends instructions. packed: {value of 4 bits a number: its bytes, in packed_shape}."""

    def __init__(self, linear):
        self.linear, self.made, self.sources = linear, [], []
        self.packed, self.place, self.region, self.source = {}, [], None, None

    def result(self):
        for x, self.source in zip(self.linear.instructions, self.linear.sources):
            self.region = x.region
            self.place.append(self._value(x, tuple([self.place[i] for i in x.inputs])))
        self.region = None
        outputs = []
        for i in self.linear.outputs:
            self.source = self.linear.sources[i]
            outputs.append(self._bytes(self.place[i]) if self._is_narrow(self.place[i]) else self.place[i])
        free = [self.packed.get(self.place[i], self.place[i]) for i in self.linear.free]
        result = Linear(self.made, outputs, free)
        result.sources = self.sources
        return result

    # --- instructions ---------------------------------------------------------------------------------------------

    def _add(self, op, inputs, params, shape, dtype, slot=None):
        self.made.append(Instruction(op, tuple(inputs), params, aval(tuple(shape), dtype), slot, self.region))
        self.sources.append(self.source)
        return len(self.made) - 1

    def _of(self, value):
        return self.made[value].aval

    def _is_narrow(self, value):
        return self._of(value).dtype in dtypes.NARROW_INTEGERS

    def _apply(self, op, *operands):
        """An elementwise operation."""
        shape = broadcast_shapes(op.name, *[self._of(v).shape for v in operands])
        dtype = dtypes.bool_ if op.result == 'bool' else self._of(operands[-1]).dtype
        return self._add(op, operands, None, shape, dtype)

    def _number(self, n, dtype=dtypes.uint8):
        """A constant, of shape (1,), as one element of an iota: the scalars of a program are those of the walk."""
        if dtype == dtypes.int64:
            high, low = divmod(n, 1 << 16)                           # the reference makes the whole iota
            high = self._apply(ops.mul, self._element(high, dtype), self._element(1 << 16, dtype))
            return self._apply(ops.add, high, self._element(low, dtype))
        return self._element(n, dtype)

    def _element(self, n, dtype):
        return self._slice(self._iota(n + 1, dtype), (n,), (n + 1,))

    def _iota(self, n, dtype):
        return self._add(ops.iota, (), ((n,), dtype, 0), (n,), dtype)

    def _slice(self, x, start, stop, step=None):
        step = step or (1,) * len(start)
        shape = [max(0, -(-(b - a) // s)) for a, b, s in zip(start, stop, step)]
        return self._add(ops.slice_, (x,), (tuple(start), tuple(stop), tuple(step)), shape, self._of(x).dtype)

    def _last(self, x, start, stop):
        """x[..., start:stop]."""
        shape = self._of(x).shape
        return self._slice(x, (*[0] * (len(shape) - 1), start), (*shape[:-1], stop))

    def _reshape(self, x, shape):
        of = self._of(x)
        return x if of.shape == tuple(shape) else self._add(ops.reshape, (x,), (tuple(shape),), shape, of.dtype)

    def _convert(self, x, dtype):
        of = self._of(x)
        return x if of.dtype == dtype else self._add(ops.convert, (x,), (dtype, False), of.shape, dtype)

    # --- values ---------------------------------------------------------------------------------------------------

    def _value(self, x, inputs):
        """The number of what stands in x's place."""
        narrow = x.aval.dtype in dtypes.NARROW_INTEGERS
        if x.op is ops.leaf and narrow:
            return self._unpacked(self._add(x.op, (), None, packed_shape(x.aval.shape), dtypes.uint8, x.slot), x.aval)
        if x.op is ops.unpack_nibbles:
            return self._unpacked(self._reshape(inputs[0], packed_shape(x.aval.shape)), x.aval)
        if x.op is ops.pack_nibbles:
            return self._reshape(self._bytes(inputs[0]), x.aval.shape)
        if narrow and inputs and inputs[0] in self.packed:
            found = self._reshape(self.packed[inputs[0]], packed_shape(x.aval.shape)) if x.op in _SAME else \
                self._slice_updated(x, *inputs) if x.op is ops.slice_update else \
                self._scattered(x, *inputs) if x.op is ops.scatter else None
            if found is not None:
                return self._unpacked(found, x.aval)
        return self._add(x.op, inputs, x.params, x.aval.shape, x.aval.dtype, x.slot)

    def _unpacked(self, packed, of):
        """The numbers in bytes that are stored anyway, or else computed where they are read."""
        shape, stored = of.shape, packed
        while self.made[stored].op is ops.reshape:
            stored, = self.made[stored].inputs
        if self.made[stored].op in (ops.leaf, ops.slice_update, ops.scatter):
            region, self.region = self.region, None                  # it is nothing that is computed
            value = self._add(ops.unpack_nibbles, (stored,), (shape, of.dtype), shape, of.dtype)
            self.region = region
        else:
            pairs = *self._of(packed).shape, 2
            wide = self._add(ops.broadcast, (packed,), (pairs, tuple(range(len(pairs) - 1))), pairs, dtypes.uint8)
            places = self._apply(ops.mul, self._iota(2, dtypes.uint8), self._number(4))
            value = self._convert(self._apply(ops.shift_right_logical, wide, places), of.dtype)
            if of.size % 2:
                value = self._last(self._reshape(value, (of.size + 1,)), 0, of.size)
            value = self._reshape(value, shape)
        self.packed[value] = packed
        return value

    def _bytes(self, value):
        """The bytes of a value of 4 bits a number."""
        found = self.packed.get(value)
        if found is None:
            region, self.region = self.region, None                  # an array's layout is no part of what is fused
            found = self.packed[value] = self._pack(value)
            self.region = region
        return found

    def _pack(self, value):
        of, bits = self._of(value), self._low(value)
        if _rows_are_apart(of.shape):
            return self._joined(bits)
        flat, even = self._reshape(bits, (of.size,)), of.size // 2 * 2
        if of.size < 2:
            return flat
        parts = [self._joined(self._last(flat, 0, even))] + [self._last(flat, even, of.size)] * (of.size % 2)
        if len(parts) == 1:
            return parts[0]
        return self._add(ops.concatenate, parts, (0,), (number_of_bytes(of.size),), dtypes.uint8)

    def _low(self, value):
        """Numbers of 4 bits as bytes with zeros in their upper halves."""
        of = self._of(value)
        if of.dtype != dtypes.uint4:
            value = self._add(ops.bitcast, (value,), (dtypes.uint4,), of.shape, dtypes.uint4)
        return self._convert(value, dtypes.uint8)

    def _joined(self, bits):
        """Two neighbours along the last axis in a byte."""
        *front, n = self._of(bits).shape
        pairs = self._reshape(bits, (*front, n // 2, 2))
        high = self._apply(ops.shift_left, self._last(pairs, 1, 2), self._number(4))
        return self._reshape(self._apply(ops.or_, self._last(pairs, 0, 1), high), (*front, n // 2))

    # --- updates --------------------------------------------------------------------------------------------------

    def _slice_updated(self, x, base, part):
        """The bytes of slice_update(base, part), in place of those of the base; None where rows share bytes."""
        start, step = x.params
        packed, shape, sizes = self.packed[base], x.aval.shape, self._of(part).shape
        if 0 in sizes:
            return packed
        bits = self._low(part)
        if not _rows_are_apart(shape):
            first = next((axis for axis, n in enumerate(sizes) if n != 1), len(sizes))   # in one stretch: 1, any, whole
            if sizes[first + 1:] != shape[first + 1:] or step[first:first + 1] not in ((), (1,)):
                return None
            start = sum([a * math.prod(shape[axis + 1:]) for axis, a in enumerate(start)]),
            step, bits = (1,), self._reshape(bits, (math.prod(sizes),))
        elif step[-1] != 1 and sizes[-1] > 1:
            return None
        return self._write(packed, bits, start, (*step[:-1], 1))

    def _write(self, packed, bits, start, step):
        """packed with numbers at `start` of the array of numbers: whole bytes, and at both ends halves of them."""
        *front, at = start
        n, done = self._of(bits).shape[-1], 0
        for length in (at % 2, (n - at % 2) // 2 * 2, (n - at % 2) % 2):
            length = min(length, n - done)
            if not length:
                continue
            part, first = self._last(bits, done, done + length), (*front, (at + done) // 2)
            if length > 1:
                new = self._joined(part)
            else:
                stop = [a + (m - 1) * s + 1 for a, m, s in zip(first, self._of(part).shape, step)]
                upper = (at + done) % 2
                kept = self._apply(ops.and_, self._slice(packed, first, stop, step), self._number(15 if upper else 240))
                new = self._apply(ops.or_, kept, self._apply(ops.shift_left, part, self._number(4)) if upper else part)
            packed = self._add(ops.slice_update, (packed, new), (first, step), self._of(packed).shape, dtypes.uint8)
            done += length
        return packed

    def _scattered(self, x, base, updates, *indices):
        """The bytes of a scatter of whole rows, or to single elements; None for others, and for what is combined where
        places share bytes."""
        axes, mode, kind = x.params
        shape, packed = x.aval.shape, self.packed[base]
        where = broadcast_shapes('indices', *[self._of(i).shape for i in indices])
        if math.prod(where) == 1 and kind != 'set':
            updates, kind = self._apply(_COMBINE[kind], self._gather(base, indices, axes, mode), updates), 'set'
        if kind == 'set' and len(shape) - 1 not in axes and _rows_are_apart(shape):
            new = self._joined(self._low(updates))
            return self._add(ops.scatter, (packed, new, *indices), x.params, self._of(packed).shape, dtypes.uint8)
        if kind != 'set' or self._of(updates).size != math.prod(where):
            return None
        return self._written_at(x, base, updates, indices, where or (1,))

    def _gather(self, x, indices, axes, mode):
        of, where = self._of(x), broadcast_shapes('indices', *[self._of(i).shape for i in indices])
        rest = [n for axis, n in enumerate(of.shape) if axis not in axes]
        return self._add(ops.gather, (x, *indices), (tuple(axes), mode), (*where, *rest), of.dtype)

    def _written_at(self, x, base, new, indices, where):
        """The bytes of a scatter to elements: first those in lower halves of bytes, then the others. Halves are changed
        by what differs from the old elements, which are gathered at the indices as they are: errors name these."""
        axes, mode, _ = x.params
        packed = self.packed[base]
        change = self._apply(ops.xor, self._low(self._gather(base, indices, axes, mode)), self._low(new))
        change = self._reshape(change, where)
        axes, places, number = self._bytes_at(x, indices)
        upper = self._convert(self._apply(ops.and_, number, self._number(1, dtypes.int64)), dtypes.uint8)
        if math.prod(where) == 1:
            change = self._apply(ops.shift_left, change, self._apply(ops.mul, upper, self._number(4)))
            return self._changed(packed, change, places, axes, 'fill' if mode == 'fill' else 'clip')
        first, beyond = places[0], self._number(self._of(packed).shape[axes[0]], dtypes.int64)
        for half in (0, 1):
            places[0] = self._apply(ops.select, self._apply(ops.eq, upper, self._number(half)), first, beyond)
            packed = self._changed(packed, change, places, axes, 'fill')
            change = self._apply(ops.shift_left, change, self._number(4))
        return packed

    def _changed(self, packed, change, places, axes, mode):
        """packed with bits changed in the bytes at places."""
        byte = self._gather(packed, places, axes, 'clip')
        byte = self._apply(ops.xor, byte, self._reshape(change, self._of(byte).shape))
        return self._add(ops.scatter, (packed, byte, *places), (tuple(axes), mode, 'set'), self._of(packed).shape,
                         dtypes.uint8)

    def _bytes_at(self, x, indices):
        """(axes, indices of bytes along them, number of the element: odd where it lies in the upper half)."""
        (axes, mode, _), shape = x.params, x.aval.shape
        located, inside, zero = [], [], self._number(0, dtypes.int64)
        for index, axis in zip(indices, axes):
            index = self._convert(index, dtypes.int64)
            index = self._reshape(index, self._of(index).shape or (1,))
            size = self._number(shape[axis], dtypes.int64)
            if mode == 'wrap':
                index = self._apply(ops.remainder, index, size)
            elif mode == 'clip':
                last = self._number(shape[axis] - 1, dtypes.int64)
                index = self._apply(ops.max_, self._apply(ops.min_, index, last), zero)
            else:
                inside += [self._apply(ops.ge, index, zero), self._apply(ops.lt, index, size)]
            located.append(index)
        if _rows_are_apart(shape):
            last = len(shape) - 1
            places = [self._half(i) if axis == last else i for i, axis in zip(located, axes)]
            return axes, places, located[axes.index(last)]
        number = zero
        for index, axis in zip(located, axes):
            stride = self._number(math.prod(shape[axis + 1:]), dtypes.int64)
            number = self._apply(ops.add, number, self._apply(ops.mul, index, stride))
        place, beyond = self._half(number), self._number(number_of_bytes(x.aval.size), dtypes.int64)
        for ok in inside:
            place = self._apply(ops.select, ok, place, beyond)
        return (0,), [place], number

    def _half(self, number):
        return self._apply(ops.shift_right_arithmetic, number, self._number(1, dtypes.int64))
