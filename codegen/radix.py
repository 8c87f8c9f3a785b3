"""Indices that sort whole numbers, by their digits (radix sort), as LLVM IR.

    argsort(to, x)         # rows of int32 or int64, equal numbers in order

Numbers and their indices are moved as pairs, once for each digit, the lowest first, which keeps equal digits in order.
A look at all numbers comes first: what they have in common, the bits below the lowest and above the highest in which
they differ from the smallest, is no digit. Where the rest has 32 bits at most a pair is one word: the number above, the
index below; else two of them.

A row is sorted by one thread, in scratch memory of its own. Rows that are fewer than threads, and long, are sorted by
all of them: each counts the digits in its part, and the counts say where in the result the numbers of its part begin.
"""
import functools

import numpy as np

from . import choices, llvm, memory, runtime, threads
from .native_text import Text

DIGITS = 256                            # of 8 bits: more of them are more streams of stores than the caches hold


def argsort(to, x):
    """Indices that sort the rows of x, int32 or int64, into the array `to` of int32 or int64. Both are contiguous."""
    n = x.shape[-1]
    rows, workers = x.size // n, threads.get_num_threads()
    least, low, bits = _span(x, workers)
    passes = max(1, -(-bits // 8))
    slots = np.array([0, 0, 0, 0, n, least, low, passes, -(-bits // passes), 0, 0], np.int64)
    wide = bits > 32 or n > 1 << 32
    size = n * (16 if wide else 8) + 64
    kernels = _kernels(x.dtype, wide, to.dtype)
    if rows >= workers or n < choices.RADIX_SHARED:
        grain = max(1, choices.GRAIN_NS // (2 * n * (passes + 1)))
        parts = max(1, min(workers, rows // grain))                  # each with scratch memory of its own
        scratch = memory.allocate(2 * size * parts)
        slots[:4] = x.ctypes.data, to.ctypes.data, scratch.address, scratch.address + size
        slots[9] = 2 * size
        return _run(kernels['rows'], slots, rows, grain, parts)
    scratch, parts = memory.allocate(2 * size), min(2 * workers, n >> 12)
    for row in range(rows):
        start = row * n
        slots[:4] = (x.ctypes.data + start * x.itemsize, to.ctypes.data + start * to.itemsize, scratch.address,
                     scratch.address + size)
        slots[6] = low
        _together(kernels, slots, n, passes, parts)


def _span(x, workers):
    """(smallest number, lowest bit in which numbers differ from it, bits from there to the highest)."""
    parts = max(1, min(2 * workers, x.size >> 14))
    found = np.zeros((parts, 8), np.int64)                           # a cache line each
    slots = np.array([x.ctypes.data, found.ctypes.data, *[0] * (len(_SLOTS) - 2)], np.int64)
    _run(_survey(x.dtype), slots, x.size, 1, parts)
    least, most, different = int(found[:, 0].min()), int(found[:, 1].max()), int(np.bitwise_or.reduce(found[:, 2]))
    low = (different & -different).bit_length() - 1 if different else 0
    return least, low, (most - least >> low).bit_length()


def _together(kernels, slots, n, passes, parts):
    """Sort one row by all threads."""
    counts = np.empty((parts, DIGITS), np.int64)
    slots[10] = counts.ctypes.data
    _run(kernels['pack_part'], slots, n, 1, parts)
    for digit in range(passes):
        slots[6] = digit * slots[8]
        _run(kernels['count_part'], slots, n, 1, parts)
        ends = np.cumsum(counts.T).reshape(DIGITS, parts).T          # digit by digit, in each part by part
        if counts.sum(0).max() < n:                                  # else all have the same digit
            counts[:] = ends - counts
            _run(kernels['move_part'], slots, n, 1, parts)
            slots[2], slots[3] = slots[3], slots[2]
    _run(kernels['finish_part'], slots, n, 1, parts)


def _run(address, slots, extent, grain, parts=0):
    record = np.frombuffer(threads.record(address, 0, 0, extent, grain, 1, parts), np.int64)
    runtime.runner().run(record.ctypes.data, 1, slots.ctypes.data)


@functools.cache
def _survey(key):
    return llvm.functions(_survey_text(_KINDS[key]), ['survey'], llvm.host(), runtime.cache())['survey']


@functools.cache
def _kernels(key, wide, index):
    names = ['rows', 'pack_part', 'count_part', 'move_part', 'finish_part']
    return llvm.functions(_text(_KINDS[key], wide, _KINDS[index]), names, llvm.host(), runtime.cache())


_KINDS = {np.dtype(np.int32): 'i32', np.dtype(np.int64): 'i64'}


# --- text -----------------------------------------------------------------------------------------------------------

_SLOTS = ('ptr keys', 'ptr to', 'ptr here', 'ptr there', 'i64 n', 'i64 least', 'i64 low', 'i64 passes', 'i64 bits',
          'i64 scratch', 'ptr counts')


class _Text(Text):
    def at(self, pointer, index, kind='i64'):
        return self.new(f'getelementptr {kind}, ptr {pointer}, i64 {index}')

    def load(self, pointer, index, kind='i64'):
        return self.new(f'load {kind}, ptr {self.at(pointer, index, kind)}')

    def store(self, value, pointer, index, kind='i64'):
        self.line(f'store {kind} {value}, ptr {self.at(pointer, index, kind)}')

    def number(self, pointer, index, kind):
        """An integer as a word."""
        found = self.load(pointer, index, kind)
        return found if kind == 'i64' else self.new(f'sext {kind} {found} to i64')

    def each(self, body, lo='%lo', hi='%hi'):
        self.loop(lo, hi, 1, [], lambda i, _: body(i) or [])


def _function(name, parameters, body):
    t = _Text(None, 1)
    body(t)
    return '\n'.join([f'define internal void @{name}({parameters}) {{', 'entry:', *t.lines, '  ret void', '}', ''])


def _kernel(name, body):
    """Text of a kernel, which has the values of its slots under their names."""
    def all(t):
        for k, slot in enumerate(_SLOTS):
            kind, slot = slot.split()
            t.line(f'%{slot} = load {kind}, ptr {t.at("%slots", k)}')
        body(t)
    text = _function(name, 'ptr %slots, ptr %constants, i64 %lo, i64 %hi, i64 %worker', all)
    return text.replace('internal ', '')


def _survey_text(key):
    """survey(lo, hi, worker): the smallest and largest number, and all bits in which any differs from the first."""
    def survey(t):
        first = t.number('%keys', 0, key)

        def step(i, carried):
            least, most, different = carried
            x = t.number('%keys', i, key)
            return [t.new(f'call i64 @llvm.smin.i64(i64 {least}, i64 {x})'),
                    t.new(f'call i64 @llvm.smax.i64(i64 {most}, i64 {x})'),
                    t.new(f'or i64 {different}, {t.new(f"xor i64 {x}, {first}")}')]
        found = t.loop('%lo', '%hi', 1, [('i64', first), ('i64', first), ('i64', 0)], step)
        mine = t.at('%to', t.new('mul i64 %worker, 8'))
        for k, x in enumerate(found):
            t.store(x, mine, k)
    return 'declare i64 @llvm.smin.i64(i64, i64)\ndeclare i64 @llvm.smax.i64(i64, i64)\n' + _kernel('survey', survey)


def _text(key, wide, index):
    """The kernels for numbers and indices of these kinds; in wide pairs the number has a word of its own."""
    pair = '<2 x i64>' if wide else 'i64'

    def pack(t):
        def one(i):
            x = t.new(f'sub i64 {t.number("%keys", i, key)}, %least')
            x = t.new(f'lshr i64 {x}, %low')
            if wide:
                x = t.new(f'insertelement {pair} poison, i64 {x}, i64 0')
                x = t.new(f'insertelement {pair} {x}, i64 {i}, i64 1')
            else:
                x = t.new(f'or i64 {t.new(f"shl i64 {x}, 32")}, {i}')
            t.store(x, '%pairs', i, pair)
        t.each(one)

    def finish(t):
        def one(i):
            x = t.load('%pairs', i, pair)
            x = t.new(f'extractelement {pair} {x}, i64 1' if wide else f'and i64 {x}, {(1 << 32) - 1}')
            t.store(x if index == 'i64' else t.new(f'trunc i64 {x} to {index}'), '%to', i, index)
        t.each(one)

    def digits(t, body):
        """body(i, pair, address of what is counted under its digit)."""
        mask = t.new(f'sub i64 {t.new("shl i64 1, %bits")}, 1')
        low = '%low' if wide else t.new('add i64 %low, 32')

        def one(i):
            x = t.load('%pairs', i, pair)
            word = t.new(f'extractelement {pair} {x}, i64 0') if wide else x
            body(i, x, t.at('%counts', t.new(f'and i64 {t.new(f"lshr i64 {word}, {low}")}, {mask}')))
        t.each(one)

    def count(t):
        t.line(f'call void @llvm.memset.p0.i64(ptr %counts, i8 0, i64 {8 * DIGITS}, i1 false)')
        digits(t, lambda i, x, place: t.store(t.new(f'add i64 {t.load(place, 0)}, 1'), place, 0))

    def move(t):
        def one(i, x, place):
            to = t.load(place, 0)
            t.store(x, '%to', to, pair)
            t.store(t.new(f'add i64 {to}, 1'), place, 0)
        digits(t, one)

    def rows(t):
        counts = t.new(f'alloca [{DIGITS} x i64]')
        here = t.at('%here', t.new('mul i64 %worker, %scratch'), 'i8')
        there = t.at('%there', t.new('mul i64 %worker, %scratch'), 'i8')

        def row(r):
            start = t.new(f'mul i64 {r}, %n')
            t.line(f'call void @pack(ptr {t.at("%keys", start, key)}, ptr {here}, i64 %least, i64 %low, i64 0, i64 %n)')

            def one(p, carried):
                source, target = carried
                low = t.new(f'mul i64 {p}, %bits')
                rest = f'ptr {counts}, i64 {low}, i64 %bits, i64 0, i64 %n'
                t.line(f'call void @count(ptr {source}, {rest})')
                t.loop('0', DIGITS, 1, [('i64', 0)], starts)
                t.line(f'call void @move(ptr {source}, ptr {target}, {rest})')
                return [target, source]

            def starts(k, carried):
                found = t.load(counts, k)
                t.store(carried[0], counts, k)
                return [t.new(f'add i64 {found}, {carried[0]}')]
            found, _ = t.loop('0', '%passes', 1, [('ptr', here), ('ptr', there)], one)
            t.line(f'call void @finish(ptr {found}, ptr {t.at("%to", start, index)}, i64 0, i64 %n)')
        t.each(row)

    def part(name, *operands):
        def call(t):
            mine = t.at('%counts', t.new(f'mul i64 %worker, {DIGITS}'))
            given = [f'ptr {mine}' if x == 'ptr %counts' else x for x in operands]
            t.line(f'call void @{name}({", ".join(given)}, i64 %lo, i64 %hi)')
        return _kernel(f'{name}_part', call)
    return ''.join([
        'declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)\n',
        _function('pack', 'ptr %keys, ptr %pairs, i64 %least, i64 %low, i64 %lo, i64 %hi', pack),
        _function('finish', 'ptr %pairs, ptr %to, i64 %lo, i64 %hi', finish),
        _function('count', 'ptr %pairs, ptr %counts, i64 %low, i64 %bits, i64 %lo, i64 %hi', count),
        _function('move', 'ptr %pairs, ptr %to, ptr %counts, i64 %low, i64 %bits, i64 %lo, i64 %hi', move),
        _kernel('rows', rows),
        part('pack', 'ptr %keys', 'ptr %here', 'i64 %least', 'i64 %low'),
        part('finish', 'ptr %here', 'ptr %to'),
        part('count', 'ptr %here', 'ptr %counts', 'i64 %low', 'i64 %bits'),
        part('move', 'ptr %here', 'ptr %there', 'ptr %counts', 'i64 %low', 'i64 %bits')])
