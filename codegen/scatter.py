"""Scatters as LLVM IR: element after element, in order, so that results are those of the reference.

    f(slots, constants, lo, hi, worker): the rows [lo, hi)

A kernel as those of `threads`. Slots: addresses of target, updates, indices, sizes and of an error word, which is set
where an index is out of range in mode 'error'; row, step, along, copy. indices: of each indexed axis (pointer, elements
of the target from one to the next, bound, shift): an index below the bound is shifted, so that it counts from the end;
sizes: of these axes. A row has `row` elements; those of `updates` begin `step` elements apart and theirs lie `along`
apart, both 0 where one value is used for all.

Many rows that are combined into a small target, a histogram say, are shared out: every part has copies of the target
for itself, `copy` bytes apart, which are combined at the end. Where it has several, neighbouring rows go to different
ones: what meets the same element needn't wait until that is stored. Parts and copies depend on the sizes only, hence
results do too.
"""
import ctypes
import functools

import numpy as np

from ..ir import dtypes, ops
from . import choices, compiled, llvm, llvm_math, native, reference, runtime, threads
from .native_reductions import identity
from .native_text import Text

TOGETHER = 16                           # indices that are compared at once
_SIGNATURE = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 2, *[ctypes.c_int64] * 3)
COMBINE = {'add': np.add, 'mul': np.multiply, 'min': np.minimum, 'max': np.maximum}


def call(x, keywords, places):
    """A function of (target, arrays) that does what the scatter x to so many places says; None where the reference does it.

    The axes have to be the leading ones: a row is then one stretch of memory.
    """
    axes, mode, kind = keywords['axes'], keywords['mode'], keywords['kind']
    if tuple(axes) != tuple(range(len(axes))):
        return None
    if mode == 'clip' and places == 1 and x.aval.size and x.op is ops.scatter:
        return functools.partial(_one, kind)
    pairs = dtypes.kind(x.aval.dtype) == 'c'                          # rows of twice as many floats
    if runtime.runner() is None or pairs and kind not in ('set', 'add'):
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
        if pairs:
            updates = _as_floats(np.broadcast_to(updates, shape + target.shape[len(axes):]))
            target = _as_floats(target)
        indices = [np.ascontiguousarray(np.broadcast_to(i, shape)) for i in indices]
        n, row = int(np.prod(shape)), int(np.prod(target.shape[len(axes):]))
        same = not any(stride for size, stride in zip(updates.shape, updates.strides) if size > 1)
        updates = updates if same else np.ascontiguousarray(updates)
        steps = native.contiguous(target.shape)
        located = np.array([(i.ctypes.data, steps[axis], *turn) for i, axis, turn in zip(indices, axes, turns)], np.int64)
        sizes, error = np.array([target.shape[axis] for axis in axes], np.int64), np.zeros(1, np.int64)
        rest = [updates.ctypes.data, located.ctypes.data, sizes.ctypes.data, error.ctypes.data, row, 0 if same else row,
                0 if same else 1]
        parts, copies = choices.scatter_parts(n, row, target.size, target.nbytes) if kind in COMBINE else (1, 1)
        make = functools.partial(_address, target.dtype.name, tuple([i.dtype.name for i in indices]), mode, kind,
                                 'rows' if row > 1 else 'one' if same else 'elements', turned)
        if parts == 1:
            slots = np.array([target.ctypes.data, *rest, 0], np.int64)
            _SIGNATURE(make(1))(slots.ctypes.data, 0, 0, n, 0)
        else:
            _in_parts(make(copies), rest, target, kind, n, parts, copies)
        if error[0]:
            reference.evaluate(x.op, arrays, keywords, x.aval)       # raises, naming the index
            raise AssertionError('native code found an index out of range where the reference finds none')
    return run


def _as_floats(x):
    """A complex array with its parts along a last axis: the same memory where that is contiguous."""
    return np.ascontiguousarray(x).view(dtypes.real_of(x.dtype)).reshape(*x.shape, 2)


def _one(kind, target, arrays):
    """One row at an index that is clipped: less work for NumPy than to call native code."""
    operand, updates, *indices = arrays
    if operand.__array_interface__['data'] != target.__array_interface__['data']:
        np.copyto(target, operand)
    row = target[(*[min(max(int(i.item()), 0), n - 1) for i, n in zip(indices, target.shape)], ...)]
    updates = updates.reshape(row.shape)
    if kind == 'set':
        row[...] = updates
    else:
        COMBINE[kind](row, updates, out=row)


def _in_parts(address, rest, target, kind, n, parts, each):
    """Scatter into copies of the target that hold nothing yet, then combine."""
    elements = (target.nbytes // 64 + 2) * 64 // target.itemsize      # no two copies in one cache line
    nothing = -0.0 if kind == 'add' and target.dtype.kind == 'f' else identity(kind, dtypes.as_dtype(target.dtype))
    copies = np.full((parts * each, elements), nothing, target.dtype)
    slots = np.array([copies.ctypes.data, *rest, elements * target.itemsize], np.int64)
    record = np.frombuffer(threads.record(address, 0, 0, n, 1, 1, parts), np.int64)
    runtime.runner().run(record.ctypes.data, 1, slots.ctypes.data)
    totals = COMBINE[kind].reduce(copies[:, :target.size], 0, target.dtype).reshape(target.shape)
    COMBINE[kind](target, totals, out=target)


@functools.cache
def _address(dtype, index_dtypes, mode, kind, layout, turned, copies):
    text = _emit(dtype, index_dtypes, mode, kind, layout, turned, copies)
    return llvm.functions(text, ['scatter'], llvm.host(), runtime.cache())['scatter']


_SLOTS = ('ptr target', 'ptr updates', 'ptr indices', 'ptr sizes', 'ptr error', 'i64 row', 'i64 step', 'i64 along',
          'i64 copy')


def _emit(dtype, index_dtypes, mode, kind, layout, turned, copies):
    """layout: 'rows', or rows of one element: 'elements', 'one' where all are the same. turned: bounds count."""
    module = llvm_math.Module(compiled.features())
    t = Text(module, 1)
    size = np.dtype(dtypes.as_dtype(dtype)).itemsize
    lanes = max(1, compiled.features().width_bits // (8 * max(size, 4)))
    add = lambda a, b: t.new(f'add i64 {a}, {b}')
    number = lambda array, k: t.new(f'load i64, ptr {t.new(f"getelementptr i64, ptr {array}, i64 {k}")}')
    for k, slot in enumerate(_SLOTS):
        of, name = slot.split()
        t.line(f'%{name} = load {of}, ptr {t.new(f"getelementptr i64, ptr %slots, i64 {k}")}')
    first = t.new(f'mul i64 %worker, {copies}')
    targets = [t.new(f'getelementptr i8, ptr %target, i64 {t.new(f"mul i64 {add(first, k)}, %copy")}') for k in range(copies)]
    fields = [[number('%indices', 4 * k + field) for field in range(4)] for k in range(len(index_dtypes))]
    pointers = [t.new(f'inttoptr i64 {each[0]} to ptr') for each in fields]
    sizes = [number('%sizes', k) for k in range(len(index_dtypes))]

    def elements(target, at, of, width):
        """So many neighbours of the row: target[at] and updates[of]."""
        one, storage = llvm_math.storage_type(dtype, 1), llvm_math.storage_type(dtype, width)
        place = t.new(f'getelementptr {one}, ptr {target}, i64 {at}')
        new = t.new(f'load {storage}, ptr {t.new(f"getelementptr {one}, ptr %updates, i64 {of}")}, align {size}')
        if kind != 'set':
            old = t.new(f'load {storage}, ptr {place}, align {size}')
            block = t.block(width)
            values = [llvm_math.load_cast(block.b, raw, dtype) for raw in (old, new)]
            new = llvm_math.store_cast(block.b, llvm_math.emit(block.b, _operation(kind, dtype), dtype, values), dtype)
            block.flush()
        t.line(f'store {storage} {new}, ptr {place}, align {size}')

    def one(i, carried, target=targets[0]):
        total, ok = '0', None
        for (_, step, bound, shift), pointer, n, name in zip(fields, pointers, sizes, index_dtypes):
            kept = llvm_math.storage_type(name, 1)
            raw = t.new(f'load {kept}, ptr {t.new(f"getelementptr {kept}, ptr {pointer}, i64 {i}")}')
            if kept != 'i64':
                raw = t.new(f'{"zext" if name.startswith("u") else "sext"} {kept} {raw} to i64')
            if turned:
                raw = add(raw, t.new(f'select i1 {t.new(f"icmp slt i64 {raw}, {bound}")}, i64 {shift}, i64 0'))
            if mode == 'wrap':
                raw = t.new(f'srem i64 {raw}, {n}')
                raw = t.new(f'select i1 {t.new(f"icmp slt i64 {raw}, 0")}, i64 {add(raw, n)}, i64 {raw}')
            elif mode == 'clip':
                raw = t.new(f'select i1 {t.new(f"icmp slt i64 {raw}, {n}")}, i64 {raw}, i64 {t.new(f"sub i64 {n}, 1")}')
                raw = t.new(f'select i1 {t.new(f"icmp slt i64 {raw}, 0")}, i64 0, i64 {raw}')
            else:
                inside = t.new(f'icmp ult i64 {raw}, {n}')
                ok = inside if ok is None else t.new(f'and i1 {ok}, {inside}')
            contiguous = layout != 'rows' and len(fields) == 1
            total = raw if contiguous else add(total, t.new(f'mul i64 {raw}, {step}'))

        def row():
            if layout != 'rows':
                return elements(target, total, i if layout == 'elements' else '0', 1)
            start = t.new(f'mul i64 {i}, %step')
            t.loop('0', whole, lanes, [], lambda j, _: elements(target, add(total, j), add(start, j), lanes) or [])
            t.loop(whole, '%row', 1, [], lambda j, _: elements(
                target, add(total, j), add(start, t.new(f'mul i64 {j}, %along')), 1) or [])
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
                k = add(i, j)
                at = t.new(f'load {kept}, ptr {t.new(f"getelementptr {kept}, ptr {pointers[0]}, i64 {k}")}')
                at = at if kept == 'i64' else t.new(f'zext {kept} {at} to i64')
                elements(targets[j % copies], at, k if layout == 'elements' else '0', 1)
        t.when(inside, written)
        end = add(i, TOGETHER)
        return t.loop(t.new(f'select i1 {inside}, i64 {end}, i64 {i}'), end, 1, [('i64', carried[0])], one)

    def several(i, carried):
        for k, target in enumerate(targets):
            carried = one(add(i, k), carried, target)
        return carried
    together, body = copies, several
    if layout != 'rows' and len(fields) == 1 and index_dtypes[0] in ('int32', 'uint32', 'int64', 'uint64'):
        kept, (_, _, bound, _) = llvm_math.storage_type(index_dtypes[0], 1), fields[0]
        limit = t.new(f'select i1 {t.new(f"icmp slt i64 {sizes[0]}, {1 << 31}")}, i64 {sizes[0]}, i64 {1 << 31}')
        limit = sizes[0] if kept == 'i64' else t.new(f'trunc i64 {limit} to i32')
        if turned:                                                   # a bound above 0 is for what goes one by one
            limit = t.new(f'select i1 {t.new(f"icmp sle i64 {bound}, 0")}, {kept} {limit}, {kept} 0')
        limits = llvm_math.storage_type(index_dtypes[0], TOGETHER)
        start = t.new(f'insertelement {limits} poison, {kept} {limit}, i64 0')
        limits = t.new(f'shufflevector {limits} {start}, {limits} poison, <{TOGETHER} x i32> zeroinitializer')
        together, body = TOGETHER, some
    left = t.new(f'and i64 {t.new("sub i64 %hi, %lo")}, {together - 1}')
    done = t.new(f'sub i64 %hi, {left}')
    bad, = t.loop('%lo', done, together, [('i64', '0')], body)
    bad, = t.loop(done, '%hi', 1, [('i64', bad)], one)
    if mode == 'error':
        t.when(t.new(f'icmp ne i64 {bad}, 0'), lambda: t.line('store i64 1, ptr %error'))
    t.line('ret void')
    arguments = 'ptr noalias %slots, ptr noalias %constants, i64 %lo, i64 %hi, i64 %worker'
    return (module.text() + f'define void @scatter({arguments}) {{\nentry:\n' + '\n'.join(t.lines) + '\n}\n')


def _operation(kind, dtype):
    return {'add': 'or', 'mul': 'and', 'min': 'and', 'max': 'or'}[kind] if dtype == 'bool' else kind
