"""Fourier transforms as LLVM IR in the ABI of kernels; `gemm` says what plans, launches and slots are.

    found = from_fft(instruction, source, out)           # a gemm.Plan, or None where SciPy does it

As many transforms as a vector has lanes, a *bundle*, are computed side by side by Stockham's algorithm: passes of
radix 2 to 9, or a prime, over a piece of scratch memory that stays in a near cache (Van Loan, Computational Frameworks
for the Fast Fourier Transform, SIAM 1992, section 1.7). What lies side by side:

    columns   the axis isn't the last one: neighbouring elements of a later axis
    rows      the last axis, too short for what follows: rows, which are transposed on the way in and out
    long      one row of n = n1 n2: its n2 columns of length n1 and, transposed and multiplied by roots of unity, then
              its n1 columns of length n2 (section 3.3 there); one thread does both where the row stays in its cache
    single    little work and too few transforms for that: one after the other, by a kernel whose vectors have one lane

Of real numbers, two neighbours in a row or two columns are taken for one complex number, and what that mixes is taken
apart; the inverse is the other way round. An odd row is transformed as complex numbers. The inverse transform is that
of the conjugates, conjugated. A result doesn't depend on the number of threads.

SciPy does what is left: lengths with large prime factors; operands that have to be padded; an odd number of columns of
real numbers; very long columns; much work on transforms too few to be a bundle;
batches whose elements have more than two strides.
"""
import functools
import math

import numpy as np

from ..ir import dtypes
from . import choices, gemm, llvm
from .fft_text import (ANY, DIRECT, EXTEND, FIRST, HALVE, HEAD, LAST, MIDDLE, MIRROR, MIX, OUT, OUTER, PAIRS, Place,
                       REALS, ROWS, STEP, TRANSFORM, TURNED, UNMIX, WIDEN, passes, roots_of_unity, tile)
from .gemm_text import DTYPES, LINE

PAD = 17 * LINE                         # between pieces of scratch memory: equal places in a page hinder each other
CHUNK = 256                             # blocks of a mirror that are one item
PASS_NS = 0.015                         # estimate, for a pass over a byte
COSTS = {1: 2, 2: 2, 3: 2.4, 4: 2.4, 5: 3, 7: 4, 8: 3, 9: 4}      # of passes, relative to each other
A, B, PACKED, OWN = range(4)            # slots: operand, result, memory for all workers, a worker's own


def from_fft(x, source, out, workers=None):
    """The plan of an fft; None where SciPy does it.

    x: the instruction; source, out: (aval, offset, strides) of operand and result, in elements; workers: threads.
    """
    kind, axis, length = x.params
    (a, at_a, s_a), (c, at_c, s_c) = source, out
    dtype, padded = dtypes.real_of(x.aval.dtype).name, a.shape[axis] < (length // 2 + 1 if kind == 'irfft' else length)
    if dtype not in DTYPES or not c.size or padded or kind != 'rfft' and dtypes.kind(a.dtype) != 'c':
        return None
    real, rows = kind in ('rfft', 'irfft'), s_a[axis] == s_c[axis] == 1
    size_a, size_c = a.dtype.itemsize, c.dtype.itemsize
    axes = [(n, s * size_a, t * size_c) for n, s, t in zip(a.shape, s_a, s_c)]
    batch = gemm.merged(axes[:axis] + axes[axis + 1:])
    if len(batch) > 3:
        return None
    steps = (s_a[axis] * size_a, s_c[axis] * size_c)
    planner = functools.partial(_Planner, kind, length, dtype, (at_a * size_a, at_c * size_c), batch)
    if real and not rows:
        return planner(length).paired_columns(steps)
    if not rows:
        return planner(length).columns(steps) or planner(length, 'fft_single').single(steps)
    n = length // 2 if real and length % 2 == 0 else length
    return (planner(n).long(workers or gemm.threads.get_num_threads()) or planner(n).rows()
            or planner(n, 'fft_single').single([max(size_a, size_c)] * 2))


class _Planner:
    """Plans transforms of n complex numbers, of `length` numbers for the user; a method for each form, None where it
    doesn't fit. batch: other axes as (size, strides in bytes of operand and result). name: of the kernel."""

    def __init__(self, kind, length, dtype, offsets, batch, n, name=None):
        self.odd = length % 2 == 1
        self.kind, self.n, self.dtype, self.offsets, self.batch = kind, n, dtype, offsets, batch
        self.name = name or ('fft_odd' if n & (n - 1) else 'fft')
        t = tile(self.name, dtype, llvm.host())
        self.v, self.pair, self.cell = t.lanes, 2 * t.size, 2 * t.lanes * t.size
        self.row = n * self.pair + self.pair
        self.own = self.packed = 0                                    # bytes of scratch memory, and of memory for all

    def single(self, step):
        places, radices = self._places(None, (0, 0), step), _inner_factors(self.n)
        elements = self.n * math.prod([axis[0] for axis in self.batch])
        if radices is None or places is None or elements * _cost(radices) > choices.FFT_SINGLE:
            return None
        self.own = self._work(self.n)
        transform = lambda source, target: [self._transform((1, *radices, 1), 1, source, target)]
        steps = self._steps(transform, *places, lambda: self._piece(self.row)._replace(step=self.pair))
        return self._plan([self._launch(steps, 1)], True)

    def columns(self, step):
        lanes = self._lanes(lambda axis: axis[1] == axis[2] == self.pair)
        places, radices = self._places(lanes, (self.pair, self.pair), step), factors(self.n, True, True)
        self.own = self._work(self.n)
        if lanes is None or radices is None or places is None or self.own > choices.FFT_WORK_BYTES:
            return None
        return self._bundles([self._transform(radices, lanes[0], *places)], lanes[0])

    def paired_columns(self, step):
        """Two columns of real numbers in the place of one of complex numbers."""
        forward = self.kind == 'rfft'
        sizes = (self.pair // 2, self.pair) if forward else (self.pair, self.pair // 2)
        lanes = self._lanes(lambda axis: axis[1:] == sizes and axis[0] % 2 == 0, 2 * self.v)
        places = self._places(lanes, [2 * size for size in sizes], step)
        radices = factors(self.n, forward, not forward)
        self.own = self._work(self.n)
        if lanes is None or radices is None or places is None or self.own > choices.FFT_WORK_BYTES:
            return None
        count = lanes[0] // 2
        pairs = {'to_kind' if forward else 'from_kind': PAIRS}
        return self._bundles([self._transform(radices, count, *places, **pairs)], count)

    def rows(self):
        lanes, radices = self._lanes(lambda axis: True), factors(self.n, False, False)
        real = self.kind in ('rfft', 'irfft')
        least = self.v // 2 if not real else 2 * self.v if self.odd else self.v + 1       # of a block
        if lanes is None or radices is None or self.n < least:
            return None
        places = self._places(lanes, lanes[1:], lanes[1:])
        self.own = self._work(self.n)
        transform = lambda source, target: [
            self._transform(radices, lanes[0], source, target, from_kind=ROWS, to_kind=ROWS)]
        between = lambda: self._piece(self.v * self.row)._replace(step=self.row)
        return self._bundles(self._steps(transform, *places, between, rows=self.v, lanes=lanes[0]), lanes[0])

    def long(self, workers):
        split, places = None, self._places(None, (self.pair, self.pair), (0, 0))
        if self.n >= choices.FFT_LONG * self.v**2 or not self._lanes(lambda axis: True):
            split = split_of(self.n, self.v)
        if split is None or places is None:
            return None
        n1, n2 = split
        self.own, few = self._work(max(split)), math.prod([axis[0] for axis in self.batch]) < workers
        shared = self.row > (choices.FFT_SHARED_BYTES if few else choices.FFT_ROW_BYTES)
        turned = self._piece(self._count(n1) * n2 * self.cell, shared)

        def transforms(source, target):
            source = source._replace(lane=self.pair, step=n2 * self.pair)
            target = target._replace(lane=self.pair, step=n1 * self.pair)
            to, back = turned._replace(lane=self.cell), turned._replace(bundle=n2 * self.cell, step=self.cell)
            return [self._transform(factors(n1, True, False), n2, source, to, to_kind=TURNED, block=n2 * self.cell,
                                    roots_bundle=n1 * self.pair, **_between(self.n, n1, n2, self.v)),
                    self._transform(factors(n2, False, True), n1, back, target)]
        steps = self._steps(transforms, *places, lambda: self._piece(self.row, shared))
        if not shared:
            for step in steps:
                step['turns'] = self._count(step['lanes']) if step['kind'] == TRANSFORM else 1
            return self._plan([self._launch(steps, 1)], True)
        launches = []
        for step in steps:
            items = self._count(step['lanes']) if step['kind'] == TRANSFORM else -(-step['blocks'] // CHUNK)
            launches.append(self._launch([dict(step, share=CHUNK, chunk=CHUNK)], items))
        return self._plan(launches, True)

    def _bundles(self, steps, lanes):
        """The plan where an item is a bundle: the last one overlaps another where they don't come out even."""
        return self._plan([self._launch(steps, self._count(lanes))], lanes % self.v == 0)

    def _plan(self, launches, in_place):
        return gemm.Plan(tuple(launches), self.packed, self.own, in_place and self.kind in ('fft', 'ifft'))

    def _count(self, lanes):
        """How many bundles these are."""
        return -(-lanes // self.v)

    # --- places -------------------------------------------------------------------------------------------------------

    def _lanes(self, suitable, least=None):
        """The last suitable axis of the batch that makes a bundle, None where there is none."""
        return next((axis for axis in self.batch[::-1] if axis[0] >= (least or self.v) and suitable(axis)), None)

    def _places(self, lanes, lane, step):
        """Places of operand and result, where an axis of the batch becomes lanes; None: too many axes are left."""
        self.rest = [axis for axis in self.batch if axis is not lanes]
        if len(self.rest) > 2:
            return None
        outer, inner = [(1, 0, 0)] * (2 - len(self.rest)) + self.rest
        self.inner = inner[0]
        return [Place(slot, self.offsets[slot], outer[1 + slot], inner[1 + slot], lane[slot], 0, step[slot])
                for slot in (A, B)]

    def _work(self, n):
        """Bytes of the two pieces of scratch memory that passes go between."""
        return 2 * (n * self.cell + PAD)

    def _piece(self, nbytes, shared=False):
        """More scratch memory, or memory for all workers, in which each transform of the batch has a piece."""
        nbytes = -(-nbytes // LINE) * LINE + PAD
        if not shared:
            self.own += nbytes
            return Place(OWN, self.own - nbytes)
        at, self.packed = self.packed, self.packed + math.prod([axis[0] for axis in self.rest]) * nbytes
        return Place(PACKED, at, self.inner * nbytes, nbytes)

    # --- steps --------------------------------------------------------------------------------------------------------

    def _steps(self, transforms, source, target, between, rows=1, lanes=0):
        """Those of transforms(source, target), and before or after them what makes real numbers of complex ones, which
        are kept in the place that `between` makes."""
        if self.kind in ('fft', 'ifft'):
            return transforms(source, target)
        before, after = {('rfft', True): (WIDEN, HALVE), ('irfft', True): (EXTEND, REALS), ('rfft', False): (None, MIX),
                         ('irfft', False): (UNMIX, None)}[self.kind, self.odd]
        start, end = source if before is None else between(), target if after is None else between()
        steps = transforms(start, end)
        if before is not None:
            steps.insert(0, self._mirror(before, source, start, rows, lanes))
        if after is not None:
            steps.append(self._mirror(after, end, target, rows, lanes))
        return steps

    def _transform(self, radices, lanes, source, target, from_kind=DIRECT, to_kind=DIRECT, **more):
        """A step of bundles of transforms. Cells are read where the source has a piece for each bundle, or rows."""
        n, s, found = math.prod(radices), 1, []
        for i, r in enumerate(radices):
            kind = FIRST if i == 0 and not (source.bundle or from_kind) else MIDDLE
            if i == len(radices) - 1 and kind == MIDDLE:
                kind = OUT if to_kind == DIRECT else LAST
            found.append((r, kind, n // (r * s), s))
            s *= r
        return dict(kind=TRANSFORM, turns=1, lanes=lanes, n=n, source=source, target=target, from_kind=from_kind,
                    to_kind=to_kind, passes=found, there=n * self.cell + PAD, **more)

    def _mirror(self, way, source, target, rows, lanes):
        """A step from transforms of complex numbers to real ones or back, of so many rows for each item."""
        blocks = self._count({WIDEN: self.n, REALS: self.n}.get(way, self.n // 2 + (way in (HALVE, EXTEND))))
        tables = _mixing(self.n, self.v, way) if way in (MIX, UNMIX) else {}
        return dict(kind=MIRROR, turns=rows, lanes=lanes or self.v, n=self.n, source=source, target=target,
                    blocks=blocks, chunk=blocks, share=0, way=way, **tables)

    # --- launches -----------------------------------------------------------------------------------------------------

    def _launch(self, steps, bundles):
        """One launch of steps in order, for the batch and so many bundles."""
        extent, nanoseconds = math.prod([axis[0] for axis in self.rest]) * bundles, 0
        sign, scale = (-1.0, 1 / self.n) if self.kind in ('ifft', 'irfft') else (1.0, 1.0)
        tables = _Tables(len(HEAD) + len(steps) * len(STEP), self.dtype)
        words = [self.inner, bundles, len(steps), self.own]
        for step in steps:
            width = step['n'] if step['kind'] == TRANSFORM else 2 * step['chunk']
            nanoseconds += PASS_NS * extent * step['turns'] * width * self.cell * (len(step.get('passes', ())) + 1)
            words += self._words(step, tables, tables.add(np.array([sign, scale, sign * scale])))
        used = {step[which].slot for step in steps for which in ('source', 'target')}
        slots = ('a', 'b', 'packed' if PACKED in used else 'b', 'scratch')
        grain = max(1, int(choices.GRAIN_NS * extent / max(nanoseconds, 1)))
        return gemm.Launch(self.name, slots, tables.behind(words), extent, grain, nanoseconds)

    def _words(self, step, tables, factors):
        """A step as numbers; where its tables are is counted in bytes from the first of all numbers."""
        found = dict(step, factors=factors)
        for which in ('source', 'target'):
            found.update({f'{which}_{key}': value for key, value in found.pop(which)._asdict().items()})
        for key in ('row_roots', 'roots'):
            found[key] = tables.add(found[key]) if key in found else 0
        if step['kind'] == TRANSFORM:
            numbers = {each: number for number, each in enumerate(passes(self.name))}
            rows = [(numbers.get((r, kind), numbers.get((ANY, MIDDLE))), r, m, s, tables.add(_pass_roots(r, m)))
                    for r, kind, m, s in step['passes']]
            found.update(passes=len(rows), pass_table=tables.add(np.array(rows, np.int64)))
        return [int(found.get(key, 0)) for key in STEP]


class _Tables:
    """Tables that lie behind so many numbers, each at a multiple of a cache line."""

    def __init__(self, count, dtype):
        self.dtype, self.parts, self.at = np.dtype(dtype), [], -(-8 * count // LINE) * LINE

    def add(self, table):
        """The place of a table in bytes."""
        data = np.ascontiguousarray(table, None if table.dtype.kind == 'i' else self.dtype).view(np.uint8).ravel()
        self.parts.append((self.at, data))
        self.at += -(-data.size // LINE) * LINE
        return self.parts[-1][0]

    def behind(self, words):
        """All together, as int64."""
        memory = np.zeros(self.at + LINE, np.uint8)
        memory = memory[-memory.ctypes.data % LINE:][:self.at]
        memory[:8 * len(words)] = np.array(words, np.int64).view(np.uint8)
        for at, data in self.parts:
            memory[at:at + data.size] = data
        return memory.view(np.int64)


# --- lengths ----------------------------------------------------------------------------------------------------------

@functools.lru_cache(maxsize=4096)
def factors(n, first, last):
    """Radices of passes for a length, None where there are none. first, last: whether these passes are OUTER ones."""
    found = []
    for before in [(r,) for r in OUTER] if first else [()]:
        for after in [(r,) for r in OUTER] if last else [()]:
            rest, left = divmod(n, math.prod(before + after))
            if not left and (radices := _inner_factors(rest)) is not None:
                found.append(before + radices + after)
    return min(found, key=_cost, default=None) or None


@functools.lru_cache(maxsize=4096)
def _inner_factors(n):
    if n == 1:
        return ()
    radices = [r for r in COSTS if r > 1 and n % r == 0]
    radices = radices or [r for r in range(11, choices.FFT_PRIME + 1) if n % r == 0][:1]
    found = [(r, *rest) for r in radices if (rest := _inner_factors(n // r)) is not None]
    return min(found, key=_cost, default=None)


def _cost(radices):
    return sum([COSTS.get(r, 0.6 * r) for r in radices])


@functools.lru_cache(maxsize=4096)
def split_of(n, v):
    """The factors (n1, n2) of n, of at least v, that take the least time; None where there are none."""
    found = []
    for n1 in [k for k in range(v, math.isqrt(n) + 1) if n % k == 0]:
        for pair in {(n1, n // n1), (n // n1, n1)}:
            one, two = factors(pair[0], True, False), factors(pair[1], False, True)
            if one and two:
                passes = _cost(one) + COSTS[4] + _cost(two)
                lanes = [-(-k // v) * v / k for k in pair]
                found.append((passes * sum(lanes) * math.log2(sum(pair)), pair))      # short ones stay in a near cache
    return min(found, default=(0, None))[1]


# --- roots of unity ---------------------------------------------------------------------------------------------------

@functools.lru_cache(maxsize=64)
def _pass_roots(r, m):
    table = roots_of_unity(r * m, np.arange(m)[:, None] * np.arange(r))
    return table[:, 1:] if r in COSTS else np.concatenate([table.reshape(-1, 2), roots_of_unity(r, np.arange(r))])


@functools.lru_cache(maxsize=8)
def _between(n, n1, n2, v):
    """What a long transform multiplies by between its steps, exp(-2 pi i k j / n) with j = first lane + lane, as the
    product of two tables: cells for k and a lane (row_roots), and numbers for k and a bundle (roots)."""
    firsts = np.minimum(np.arange(-(-n2 // v)) * v, n2 - v)
    cells = roots_of_unity(n, np.arange(n1)[:, None] * np.arange(v))
    return {'row_roots': np.moveaxis(cells, -1, -2), 'roots': roots_of_unity(n, firsts[:, None] * np.arange(n1))}


def _mixing(n, v, way):
    """c[k] = -i / 2 exp(-pi i k / n) of a mirror, or its conjugate: a cell for the lanes times a number for a block."""
    firsts = np.minimum(1 + v * np.arange(-(-(n // 2) // v)), max(n // 2 + 1 - v, 1))
    lanes, blocks = roots_of_unity(2 * n, np.arange(v)), roots_of_unity(2 * n, firsts)
    lanes = np.stack([lanes[:, 1], -lanes[:, 0]]) / 2
    back = np.array([1, -1 if way == UNMIX else 1])
    return {'row_roots': lanes * back[:, None], 'roots': blocks * back}
