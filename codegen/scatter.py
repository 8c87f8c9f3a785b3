"""Scatters as LLVM IR: element after element, in order, so that results are those of the reference.

    f(slots, constants, lo, hi, worker): the rows [lo, hi)

A kernel as those of `threads`. Slots: addresses of target, updates, indices, sizes and of an error word, which is set
where an index is out of range in mode 'error'; row, step, along, copy, count (of all rows). indices: of each indexed
axis (pointer, elements of the target from one to the next, bound, shift): an index below the bound is shifted, so that
it counts from the end; sizes: of these axes. A row has `row` elements; those of `updates` begin `step` elements apart
and theirs lie `along` apart, both 0 where one value is used for all.

Many rows that are combined into a small target, a histogram say, are shared out: every part has copies of the target
for itself, `copy` bytes apart, which are combined at the end. Where it has several, neighbouring rows go to different
ones: what meets the same element needn't wait until that is stored. Parts and copies depend on the sizes only, hence
results do too. Long rows are shared out by columns: [lo, hi) are then cache lines of every row.
"""
import ctypes
import functools
import math

import numpy as np

from ..ir import dtypes, ops
from . import choices, compiled, llvm, llvm_math, memory, native, reference, runtime, threads
from .native_reductions import identity
from .native_text import Text

TOGETHER = 16                           # indices that are compared at once
LINE = 64                               # bytes of a cache line
_SIGNATURE = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 2, *[ctypes.c_int64] * 3)
COMBINE = {'add': np.add, 'mul': np.multiply, 'min': np.minimum, 'max': np.maximum}


def call(x, keywords, places):
    """A function of (target, arrays) that does what the scatter x to so many places says; None where the reference does
    it.

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

    launch = None

    def run(target, arrays):
        nonlocal launch
        operand, updates, *indices = arrays
        turns = [(0, 0)] * len(indices)
        if x.op is ops.scatter_at:
            turns, indices = [(int(a), int(b)) for a, b in zip(indices[1::3], indices[2::3])], indices[::3]
        if memory.address_of(operand) != memory.address_of(target):
            np.copyto(target, operand)
        if not target.size or not target.flags.c_contiguous:
            return np.copyto(target, reference.evaluate(x.op, arrays, keywords, x.aval))
        if pairs:
            shape = np.broadcast_shapes(*[i.shape for i in indices])
            updates = _as_floats(np.broadcast_to(updates, shape + target.shape[len(axes):]))
            target = _as_floats(target)
        launch = launch or _launch(x, keywords, target, updates, indices)
        if launch(target, updates, indices, turns):
            reference.evaluate(x.op, arrays, keywords, x.aval)       # raises, naming the index
            raise AssertionError('native code found an index out of range where the reference finds none')
    return run


def _launch(x, keywords, target, updates, indices):
    """What scatters arrays like these: a function of (target, updates, indices, turns) that says whether an index is
    out of range."""
    axes, mode, kind = keywords['axes'], keywords['mode'], keywords['kind']
    shape = np.broadcast_shapes(*[i.shape for i in indices])
    n, row, steps = math.prod(shape), math.prod(target.shape[len(axes):]), native.contiguous(target.shape)
    same = not any(stride for size, stride in zip(updates.shape, updates.strides) if size > 1)
    sizes, rest = np.array(target.shape[:len(axes)], np.int64), [row, 0 if same else row, 0 if same else 1]
    layout = 'rows' if row > 1 else 'one' if same else 'elements'
    parts, copies = choices.scatter_parts(n, row, target.size, target.nbytes) if kind in COMBINE else (1, 1)
    columns = row * target.itemsize // choices.SCATTER_COLUMNS if parts == 1 and n * row >= choices.SPLIT_SIZE else 1
    address = _address(target.dtype.name, tuple([i.dtype.name for i in indices]), mode, kind,
                       'columns' if columns > 1 else layout, x.op is ops.scatter_at, copies)

    def launch(target, updates, indices, turns):
        indices = [np.ascontiguousarray(i if i.shape == shape else np.broadcast_to(i, shape)) for i in indices]
        updates = updates if same else np.ascontiguousarray(updates)
        located = [(memory.address_of(i), steps[axis], *turn) for i, axis, turn in zip(indices, axes, turns)]
        located = np.array(located, np.int64)
        error = np.zeros(1, np.int64)
        slots = [*map(memory.address_of, (target, updates, located, sizes, error)), *rest, 0, n]
        if parts > 1:
            _in_parts(address, slots, target, kind, parts, copies)
        elif columns > 1:
            _run(address, slots, -(-row * target.itemsize // LINE), min(columns, threads.get_num_threads()))
        else:
            slots = np.array(slots, np.int64)
            _SIGNATURE(address)(memory.address_of(slots), 0, 0, n, 0)
        return error[0]
    return launch


def _as_floats(x):
    """A complex array with its parts along a last axis: the same memory where that is contiguous."""
    return np.ascontiguousarray(x).view(dtypes.real_of(x.dtype)).reshape(*x.shape, 2)


def _one(kind, target, arrays):
    """One row at an index that is clipped: less work for NumPy than to call native code."""
    operand, updates, *indices = arrays
    if memory.address_of(operand) != memory.address_of(target):
        np.copyto(target, operand)
    row = target[(*[min(max(int(i.item()), 0), n - 1) for i, n in zip(indices, target.shape)], ...)]
    updates = updates.reshape(row.shape)
    if kind == 'set':
        row[...] = updates
    else:
        COMBINE[kind](row, updates, out=row)


def _in_parts(address, slots, target, kind, parts, each):
    """Scatter into copies of the target that hold nothing yet, then combine."""
    elements = (target.nbytes // 64 + 2) * 64 // target.itemsize      # no two copies in one cache line
    nothing = -0.0 if kind == 'add' and target.dtype.kind == 'f' else identity(kind, dtypes.as_dtype(target.dtype))
    copies = np.full((parts * each, elements), nothing, target.dtype)
    _, *rest, _, n = slots
    _run(address, [memory.address_of(copies), *rest, elements * target.itemsize, n], n, parts)
    totals = COMBINE[kind].reduce(copies[:, :target.size], 0, target.dtype).reshape(target.shape)
    COMBINE[kind](target, totals, out=target)


def _run(address, slots, extent, parts):
    slots = np.array(slots, np.int64)
    record = np.frombuffer(threads.record(address, 0, 0, extent, 1, 1, parts), np.int64)
    runtime.runner().run(memory.address_of(record), 1, memory.address_of(slots))


@functools.cache
def _address(dtype, index_dtypes, mode, kind, layout, turned, copies):
    text = _emit(dtype, index_dtypes, mode, kind, layout, turned, copies)
    return llvm.functions(text, ['scatter'], llvm.host(), runtime.cache())['scatter']


_SLOTS = ('ptr target', 'ptr updates', 'ptr indices', 'ptr sizes', 'ptr error', 'i64 row', 'i64 step', 'i64 along',
          'i64 copy', 'i64 count')


def _emit(dtype, index_dtypes, mode, kind, layout, turned, copies):
    """layout: 'rows', or 'columns' of them; rows of one element: 'elements', 'one' where all are the same.
    turned: bounds count."""
    module = llvm_math.Module(compiled.features())
    t = Text(module, 1)
    size = np.dtype(dtypes.as_dtype(dtype)).itemsize
    lanes = max(1, compiled.features().width_bits // (8 * max(size, 4)))
    single = layout in ('elements', 'one')
    add = lambda a, b: t.new(f'add i64 {a}, {b}')
    number = lambda array, k: t.new(f'load i64, ptr {t.new(f"getelementptr i64, ptr {array}, i64 {k}")}')
    for k, slot in enumerate(_SLOTS):
        of, name = slot.split()
        t.line(f'%{name} = load {of}, ptr {t.new(f"getelementptr i64, ptr %slots, i64 {k}")}')
    first = t.new(f'mul i64 %worker, {copies}')
    targets = [t.new(f'getelementptr i8, ptr %target, i64 {t.new(f"mul i64 {add(first, k)}, %copy")}')
               for k in range(copies)]
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
            contiguous = single and len(fields) == 1
            total = raw if contiguous else add(total, t.new(f'mul i64 {raw}, {step}'))

        def row():
            if single:
                return elements(target, total, i if layout == 'elements' else '0', 1)
            start = t.new(f'mul i64 {i}, %step')

            def vectors(at, of, width):
                for k in range(0, width, lanes):
                    elements(target, add(at, k), add(of, k), lanes)
                return []
            for first, last, width in ((begin, fours, 4 * lanes), (fours, whole, lanes)):
                t.loop(first, last, width, [], lambda j, _: vectors(add(total, j), add(start, j), width))
            t.loop(whole, end, 1, [], lambda j, _: elements(
                target, add(total, j), add(start, t.new(f'mul i64 {j}, %along')), 1) or [])
        if ok is None:
            row()
            return carried
        t.when(ok, row)
        return carried if mode != 'error' else [t.new(f'select i1 {ok}, i64 {carried[0]}, i64 1')]
    first, last, begin, end = '%lo', '%hi', '0', '%row'
    if layout == 'columns':
        line = LINE // size
        first, last = '0', '%count'
        begin, end = t.new(f'mul i64 %lo, {line}'), t._min(t.new(f'mul i64 %hi, {line}'), '%row')
    in_vectors, length = t.new('icmp eq i64 %along, 1'), t.new(f'sub i64 {end}, {begin}')
    whole, fours = [add(begin, t.new(f'select i1 {in_vectors}, i64 {t.new(f"and i64 {length}, {-width}")}, i64 0'))
                    for width in (lanes, 4 * lanes)]

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
    if single and len(fields) == 1 and index_dtypes[0] in ('int32', 'uint32', 'int64', 'uint64'):
        kept, (_, _, bound, _) = llvm_math.storage_type(index_dtypes[0], 1), fields[0]
        limit = t.new(f'select i1 {t.new(f"icmp slt i64 {sizes[0]}, {1 << 31}")}, i64 {sizes[0]}, i64 {1 << 31}')
        limit = sizes[0] if kept == 'i64' else t.new(f'trunc i64 {limit} to i32')
        if turned:                                                   # a bound above 0 is for what goes one by one
            limit = t.new(f'select i1 {t.new(f"icmp sle i64 {bound}, 0")}, {kept} {limit}, {kept} 0')
        limits = llvm_math.storage_type(index_dtypes[0], TOGETHER)
        start = t.new(f'insertelement {limits} poison, {kept} {limit}, i64 0')
        limits = t.new(f'shufflevector {limits} {start}, {limits} poison, <{TOGETHER} x i32> zeroinitializer')
        together, body = TOGETHER, some
    left = t.new(f'and i64 {t.new(f"sub i64 {last}, {first}")}, {together - 1}')
    done = t.new(f'sub i64 {last}, {left}')
    bad, = t.loop(first, done, together, [('i64', '0')], body)
    bad, = t.loop(done, last, 1, [('i64', bad)], one)
    if mode == 'error':
        t.when(t.new(f'icmp ne i64 {bad}, 0'), lambda: t.line('store i64 1, ptr %error'))
    t.line('ret void')
    arguments = 'ptr noalias %slots, ptr noalias %constants, i64 %lo, i64 %hi, i64 %worker'
    return (module.text() + f'define void @scatter({arguments}) {{\nentry:\n' + '\n'.join(t.lines) + '\n}\n')


def _operation(kind, dtype):
    return {'add': 'or', 'mul': 'and', 'min': 'and', 'max': 'or'}[kind] if dtype == 'bool' else kind
