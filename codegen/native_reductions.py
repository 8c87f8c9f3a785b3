"""Reductions in vector code: what is carried through the loop, and what becomes of the lanes at its end."""
import numpy as np

from ..ir import dtypes, ops
from . import llvm_math
from .native_memory import Memory
from .native_text import numbers, scalar_int


class Reductions(Memory):
    """Sums, products, extremes and where they are."""

    # --- reductions -----------------------------------------------------------------------------------------------------

    _OPERATION = {'add': 'add', 'mul': 'mul', 'max': 'max', 'min': 'min', 'and': 'and', 'or': 'or'}

    def _identities(self, x):
        """[(type, start value)] of the vectors that a reduction carries."""
        dtype, w = x.operand_dtype, self.width
        kind = llvm_math.llvm_type(dtype.name, w)
        if x.op in (ops.argmax, ops.argmin):
            start = _extreme(dtype, x.op is ops.argmax)
            at = llvm_math.llvm_type(x.dtype.name, w)
            return [(kind, llvm_math.constant(dtype.name, w, start)), (at, 'splat (' + scalar_int(x.dtype) + ' -1)')]
        return [(kind, llvm_math.constant(dtype.name, w, identity(x.op.reduction, dtype)))]

    def _accumulate(self, reductions, values, carried, index, lane, mask):
        new, at = [], 0
        for r in reductions:
            x = self.k.entries[r]
            value, name = values[x.args[0]], x.operand_dtype.name
            if x.op in (ops.argmax, ops.argmin):
                new += self._accumulate_arg(x, value, carried[at], carried[at + 1], index, lane, mask)
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

    def _accumulate_arg(self, x, value, best, place, index, lane, mask):
        """Keep the first extreme and where it was; a NaN is more extreme than everything."""
        w, name, block = self.width, x.operand_dtype.name, self.block()
        at_name = x.dtype.name
        places = llvm_math.convert(block.b, self._place(index, lane), 'int64', at_name)
        better = llvm_math.emit(block.b, 'gt' if x.op is ops.argmax else 'lt', name, [value, best])
        unset = llvm_math.emit(block.b, 'lt', at_name, [place, llvm_math.constant(at_name, w, 0)])
        block.flush()
        better = self.new(f'or <{w} x i1> {better}, {unset}')
        if dtypes.is_inexact(x.operand_dtype):
            nan = llvm_math.emit(block.b, 'is_nan', name, [value])
            was = llvm_math.emit(block.b, 'is_nan', name, [best])
            block.flush()
            first = self.new(f'and <{w} x i1> {nan}, {self.new(f"xor <{w} x i1> {was}, splat (i1 true)")}')
            better = self.new(f'or <{w} x i1> {better}, {first}')
        if mask is not None:
            better = self.new(f'and <{w} x i1> {better}, {mask}')
        kind, at = llvm_math.llvm_type(name, w), llvm_math.llvm_type(at_name, w)
        return [self.new(f'select <{w} x i1> {better}, {kind} {value}, {kind} {best}'),
                self.new(f'select <{w} x i1> {better}, {at} {places}, {at} {place}')]

    def _place(self, index, lane):
        """Row-major numbers along the reduced axes, for every lane."""
        k, w, total = self.k, self.width, None
        for axis in sorted(k.reduced):
            if total is not None:
                total = self.new(f'mul <{w} x i64> {total}, {self._splat64(self.sizes[axis])}')
            along = self._lane_numbers(lane, '1') if axis == k.lane else self._splat64(index[axis])
            total = along if total is None else self.new(f'add <{w} x i64> {total}, {along}')
        return total

    def _finished(self, x, vectors):
        """A column's result from what was carried."""
        return vectors[1] if x.op in (ops.argmax, ops.argmin) else vectors[0]

    def _horizontal(self, x, vectors):
        """The result over all lanes, as a splat: halves are combined until one lane is left."""
        w, name = self.width, x.operand_dtype.name
        if x.op in (ops.argmax, ops.argmin):
            return self._horizontal_arg(x, *vectors)
        value = vectors[0]
        while w > 1:
            half, kind = w // 2, llvm_math.llvm_type(name, w)
            low, high = (self.new(f'shufflevector {kind} {value}, {kind} poison, <{half} x i32> {numbers(range(s, s + half))}')
                         for s in (0, half))
            w = half
            if w == 1:
                low, high = (self.new(f'extractelement <1 x {llvm_math.scalar_type(name)}> {v}, i64 0') for v in (low, high))
            block = self.block(w)
            value = llvm_math.emit(block.b, x.op.reduction, name, [low, high])
            block.flush()
        return self._splat(llvm_math.llvm_type(name, 1), llvm_math.llvm_type(name, self.width), value)

    def _horizontal_arg(self, x, best, place):
        """Among the lanes the extreme one, the first of equals: lane after lane."""
        name, at_name, w = x.operand_dtype.name, x.dtype.name, self.width
        kind, at = llvm_math.llvm_type(name, w), llvm_math.llvm_type(at_name, w)
        one, at_one = llvm_math.llvm_type(name, 1), llvm_math.llvm_type(at_name, 1)
        value, where = (self.new(f'extractelement {t} {v}, i64 0') for t, v in ((kind, best), (at, place)))
        for lane in range(1, w):
            v, p = (self.new(f'extractelement {t} {z}, i64 {lane}') for t, z in ((kind, best), (at, place)))
            block = self.block(1)
            emit = lambda op, dtype, *args: llvm_math.emit(block.b, op, dtype, list(args))
            better = emit('gt' if x.op is ops.argmax else 'lt', name, v, value)
            equal = emit('eq', name, v, value)
            if dtypes.is_inexact(x.operand_dtype):
                nan_v, nan_b = emit('is_nan', name, v), emit('is_nan', name, value)
                better = emit('or', 'bool', better, emit('and', 'bool', nan_v, emit('not', 'bool', nan_b)))
                equal = emit('or', 'bool', equal, emit('and', 'bool', nan_v, nan_b))
            earlier = emit('lt', at_name, p, where)
            set_ = emit('ge', at_name, p, llvm_math.constant(at_name, 1, 0))
            unset = emit('lt', at_name, where, llvm_math.constant(at_name, 1, 0))
            take = emit('and', 'bool', set_, emit('or', 'bool', unset, emit('or', 'bool', better, emit('and', 'bool', equal, earlier))))
            block.flush()
            value = self.new(f'select i1 {take}, {one} {v}, {one} {value}')
            where = self.new(f'select i1 {take}, {at_one} {p}, {at_one} {where}')
        return self._splat(at_one, at, where)


def _extreme(dtype, low):
    kind = dtypes.kind(dtype)
    if kind == 'f':
        return -np.inf if low else np.inf
    if kind == 'b':
        return not low
    return np.iinfo(dtype).min if low else np.iinfo(dtype).max


def identity(reduction, dtype):
    """The neutral element of a reduction."""
    kind = dtypes.kind(dtype)
    if reduction in ('max', 'min'):
        return _extreme(dtype, reduction == 'max')
    if reduction == 'and':
        return True if kind == 'b' else -1 if kind == 'i' else np.iinfo(dtype).max
    return {'add': 0, 'mul': 1, 'or': 0}[reduction]
