"""Scatters as LLVM IR: element after element, in order, so that results are those of the reference.

    f(target, updates, indices, sizes, n, row, step, along) -> whether an index was out of range, in mode 'error'

indices: of each indexed axis (pointer, elements of the target from one to the next, bound, shift): an index below the
bound is shifted, so that it counts from the end; sizes: of these axes. There are n rows of `row` elements; those of
`updates` begin `step` elements apart and theirs lie `along` apart, both 0 where one value is used for all.
"""
import ctypes
import functools

import numpy as np

from ..ir import dtypes, ops
from . import compiled, llvm, llvm_math, native, reference, runtime
from .native_text import Text

TOGETHER = 16                           # indices that are compared at once
_SIGNATURE = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * 4, *[ctypes.c_int64] * 4)


def call(x, keywords):
    """A function of (target, arrays) that does what the scatter x says; None where that isn't native code's work.

    The axes have to be the leading ones: a row is then one stretch of memory.
    """
    axes, mode, kind = keywords['axes'], keywords['mode'], keywords['kind']
    if runtime.runner() is None or tuple(axes) != tuple(range(len(axes))) or dtypes.kind(x.aval.dtype) == 'c':
        return None

    def run(target, arrays):
        operand, updates, *indices = arrays
        turns, turned = [(0, 0)] * len(indices), x.op is ops.scatter_at
        if turned:
            turns, indices = [(int(a), int(b)) for a, b in zip(indices[1::3], indices[2::3])], indices[::3]
        if operand.__array_interface__['data'] != target.__array_interface__['data']:
            np.copyto(target, operand)
        if not target.size or not target.flags.c_contiguous:
            return np.copyto(target, reference.evaluate(x.op, arrays, keywords, x.aval))
        shape = np.broadcast_shapes(*[i.shape for i in indices])
        indices = [np.ascontiguousarray(np.broadcast_to(i, shape)) for i in indices]
        n, row = int(np.prod(shape)), int(np.prod(target.shape[len(axes):]))
        same = not any(stride for size, stride in zip(updates.shape, updates.strides) if size > 1)
        updates = updates if same else np.ascontiguousarray(updates)
        steps = native.contiguous(target.shape)
        places = np.array([(i.ctypes.data, steps[axis], *turn) for i, axis, turn in zip(indices, axes, turns)],
                          np.int64)
        sizes = np.array([target.shape[axis] for axis in axes], np.int64)
        function = _function(x.aval.dtype.name, tuple([i.dtype.name for i in indices]), mode, kind,
                             'rows' if row > 1 else 'one' if same else 'elements', turned)
        if function(target.ctypes.data, updates.ctypes.data, places.ctypes.data, sizes.ctypes.data, n, row,
                    0 if same else row, 0 if same else 1):
            reference.evaluate(x.op, arrays, keywords, x.aval)       # raises, naming the index
            raise AssertionError('native code found an index out of range where the reference finds none')
    return run


@functools.cache
def _function(dtype, index_dtypes, mode, kind, layout, turned):
    text = _emit(dtype, index_dtypes, mode, kind, layout, turned)
    return _SIGNATURE(llvm.functions(text, ['scatter'], llvm.host(), runtime.cache())['scatter'])


def _emit(dtype, index_dtypes, mode, kind, layout, turned):
    """layout: 'rows', or rows of one element: 'elements', 'one' where all are the same. turned: bounds count."""
    module = llvm_math.Module(compiled.features())
    t = Text(module, 1)
    size = np.dtype(dtypes.as_dtype(dtype)).itemsize
    lanes = max(1, compiled.features().width_bits // (8 * max(size, 4)))
    number = lambda array, k: t.new(f'load i64, ptr {t.new(f"getelementptr i64, ptr {array}, i64 {k}")}')
    fields = [[number('%indices', 4 * k + field) for field in range(4)] for k in range(len(index_dtypes))]
    pointers = [t.new(f'inttoptr i64 {each[0]} to ptr') for each in fields]
    sizes = [number('%sizes', k) for k in range(len(index_dtypes))]

    def elements(at, of, width):
        """So many neighbours of the row: target[at] and updates[of]."""
        one, storage = llvm_math.storage_type(dtype, 1), llvm_math.storage_type(dtype, width)
        place = t.new(f'getelementptr {one}, ptr %target, i64 {at}')
        new = t.new(f'load {storage}, ptr {t.new(f"getelementptr {one}, ptr %updates, i64 {of}")}, align {size}')
        if kind != 'set':
            old = t.new(f'load {storage}, ptr {place}, align {size}')
            block = t.block(width)
            values = [llvm_math.load_cast(block.b, raw, dtype) for raw in (old, new)]
            new = llvm_math.store_cast(block.b, llvm_math.emit(block.b, _operation(kind, dtype), dtype, values), dtype)
            block.flush()
        t.line(f'store {storage} {new}, ptr {place}, align {size}')

    def one(i, carried):
        total, ok = '0', None
        for (_, step, bound, shift), pointer, n, name in zip(fields, pointers, sizes, index_dtypes):
            kept = llvm_math.storage_type(name, 1)
            raw = t.new(f'load {kept}, ptr {t.new(f"getelementptr {kept}, ptr {pointer}, i64 {i}")}')
            if kept != 'i64':
                raw = t.new(f'{"zext" if name.startswith("u") else "sext"} {kept} {raw} to i64')
            if turned:
                more = t.new(f'select i1 {t.new(f"icmp slt i64 {raw}, {bound}")}, i64 {shift}, i64 0')
                raw = t.new(f'add i64 {raw}, {more}')
            if mode == 'wrap':
                raw = t.new(f'srem i64 {raw}, {n}')
                raw = t.new(f'select i1 {t.new(f"icmp slt i64 {raw}, 0")}, i64 {t.new(f"add i64 {raw}, {n}")}, i64 {raw}')
            elif mode == 'clip':
                raw = t.new(f'select i1 {t.new(f"icmp slt i64 {raw}, {n}")}, i64 {raw}, i64 {t.new(f"sub i64 {n}, 1")}')
                raw = t.new(f'select i1 {t.new(f"icmp slt i64 {raw}, 0")}, i64 0, i64 {raw}')
            else:
                inside = t.new(f'icmp ult i64 {raw}, {n}')
                ok = inside if ok is None else t.new(f'and i1 {ok}, {inside}')
            contiguous = layout != 'rows' and len(fields) == 1
            total = raw if contiguous else t.new(f'add i64 {total}, {t.new(f"mul i64 {raw}, {step}")}')

        def row():
            if layout != 'rows':
                return elements(total, i if layout == 'elements' else '0', 1)
            start = t.new(f'mul i64 {i}, %step')
            add = lambda a, b: t.new(f'add i64 {a}, {b}')
            t.loop('0', whole, lanes, [], lambda j, _: elements(add(total, j), add(start, j), lanes) or [])
            t.loop(whole, '%row', 1, [], lambda j, _: elements(
                add(total, j), add(start, t.new(f'mul i64 {j}, %along')), 1) or [])
        if ok is None:
            row()
            return carried
        t.when(ok, row)
        return carried if mode != 'error' else [t.new(f'select i1 {ok}, i64 {carried[0]}, i64 1')]
    vectors = t.new(f'mul i64 {t.new(f"sdiv i64 %row, {lanes}")}, {lanes}')
    whole = t.new(f'select i1 {t.new("icmp eq i64 %along, 1")}, i64 {vectors}, i64 0')

    def some(i, carried):
        """Elements whose indices are all in range need no more than being written; others go one by one."""
        kept, wide = (llvm_math.storage_type(index_dtypes[0], width) for width in (1, TOGETHER))
        raw = t.new(f'load {wide}, ptr {t.new(f"getelementptr {kept}, ptr {pointers[0]}, i64 {i}")}, align 4')
        mask = t.new(f'icmp ult {wide} {raw}, {limits}')
        inside = t.new(f'icmp eq i{TOGETHER} {t.new(f"bitcast <{TOGETHER} x i1> {mask} to i{TOGETHER}")}, -1')

        def written():
            for j in range(TOGETHER):
                k = t.new(f'add i64 {i}, {j}')
                at = t.new(f'load {kept}, ptr {t.new(f"getelementptr {kept}, ptr {pointers[0]}, i64 {k}")}')
                elements(at if kept == 'i64' else t.new(f'zext {kept} {at} to i64'), k if layout == 'elements' else '0', 1)
        t.when(inside, written)
        end = t.new(f'add i64 {i}, {TOGETHER}')
        return t.loop(t.new(f'select i1 {inside}, i64 {end}, i64 {i}'), end, 1, [('i64', carried[0])], one)
    done, carried = '0', ('i64', '0')
    if layout != 'rows' and len(fields) == 1 and index_dtypes[0] in ('int32', 'uint32', 'int64', 'uint64'):
        kept, (_, _, bound, _) = llvm_math.storage_type(index_dtypes[0], 1), fields[0]
        limit = t.new(f'select i1 {t.new(f"icmp slt i64 {sizes[0]}, {1 << 31}")}, i64 {sizes[0]}, i64 {1 << 31}')
        limit = sizes[0] if kept == 'i64' else t.new(f'trunc i64 {limit} to i32')
        if turned:                                                   # a bound above 0 is for what goes one by one
            limit = t.new(f'select i1 {t.new(f"icmp sle i64 {bound}, 0")}, {kept} {limit}, {kept} 0')
        limits = llvm_math.storage_type(index_dtypes[0], TOGETHER)
        first = t.new(f'insertelement {limits} poison, {kept} {limit}, i64 0')
        limits = t.new(f'shufflevector {limits} {first}, {limits} poison, <{TOGETHER} x i32> zeroinitializer')
        done = t.new(f'and i64 %n, {-TOGETHER}')
        carried = 'i64', t.loop('0', done, TOGETHER, [carried], some)[0]
    bad, = t.loop(done, '%n', 1, [carried], one)
    t.line(f'ret i64 {bad if mode == "error" else 0}')
    return (module.text() + 'define i64 @scatter(ptr noalias %target, ptr noalias %updates, ptr %indices, ptr %sizes, i64 %n, '
            'i64 %row, i64 %step, i64 %along) {\nentry:\n' + '\n'.join(t.lines) + '\n}\n')


def _operation(kind, dtype):
    return {'add': 'or', 'mul': 'and', 'min': 'and', 'max': 'or'}[kind] if dtype == 'bool' else kind
