"""Fourier transforms by kernels of our own: plans of launches for what `fft_text` emits. (wip)"""
import functools
import math
import os

import numpy as np

from ..ir import dtypes
from . import choices, gemm, llvm, threads
from .fft_text import (FIRST, HEAD, INTERLEAVED, LAST, MIDDLE, MIRROR, OUT, OUTER, RADICES, ROWS, STEP, TRANSFORM, TURNED,
                       emit, passes)  # noqa: F401
from .gemm_text import Tile

ROW_BYTES = 1 << 18                     # longest row that one thread transforms at once: with its copy in a near cache
COST = {1: 1.5, 2: 2, 3: 2.4, 4: 2.4, 5: 3, 6: 3, 7: 4, 8: 3, 9: 4, 10: 4.2, 11: 6.5, 13: 7.5, 15: 5, 16: 4}
BYTES_PER_NS, PASS_NS = 10, 0.5


def from_fft(x, source, out, workers=None):
    """The plan of an fft; None where SciPy does it."""
    kind, axis, length = x.params
    (a, at_a, s_a), (c, at_c, s_c) = source, out
    real = dtypes.real_of(x.aval.dtype)
    if real.name not in ('float32', 'float64') or not c.size:
        return None if c.size else gemm.Plan((), 0, 0)
    n = length
    pair = 2 * real.itemsize
    if kind in ('rfft', 'irfft'):
        if length % 2 or s_a[axis] != 1 or s_c[axis] != 1:
            return None
        n = length // 2
    size = {'c': pair, 'f': real.itemsize}
    a_size, c_size = size[dtypes.kind(a.dtype)], size[dtypes.kind(c.dtype)]
    axes = [(m, s * a_size, t * c_size) for i, (m, s, t) in enumerate(zip(a.shape, s_a, s_c)) if i != axis]
    batch = gemm.merged(axes)
    p = _Planner(kind, n, real.name, at_a * a_size, at_c * c_size, workers or threads.get_num_threads())
    if s_a[axis] == s_c[axis] == 1:
        return p.rows(batch)
    return p.columns(batch, s_a[axis] * pair, s_c[axis] * pair)


class _Planner:
    def __init__(self, kind, n, dtype, from_offset, to_offset, workers):
        self.kind, self.n, self.dtype, self.workers = kind, n, dtype, workers
        self.tile = Tile(dtype, llvm.host())
        self.v, self.pair = self.tile.lanes, 2 * self.tile.size
        self.cell = self.v * self.pair
        inverse = kind in ('ifft', 'irfft')
        sign, scale = (-1.0, 1.0 / n) if inverse else (1.0, 1.0)
        self.factors = np.array([sign, scale, sign * scale, 0])
        self.source = {'slot': 0, 'offset': from_offset}
        self.target = {'slot': 1, 'offset': to_offset}

    def columns(self, batch, from_step, to_step):
        lanes = next((axis for axis in batch if axis[1] == axis[2] == self.pair and axis[0] >= self.v), None)
        rest = [axis for axis in batch if axis is not lanes]
        if lanes is None or len(rest) > 2:
            return None
        radices = factors(self.n, True, True)
        if radices is None:
            return None
        source, target = self.batched(rest)
        bundles = -(-lanes[0] // self.v)
        step = self.step(radices, lanes=lanes[0], source=dict(source, lane=self.pair), from_step=from_step,
                         target=dict(target, lane=self.pair), to_step=to_step, first=FIRST, last=OUT)
        return self.plan([self.launch(radices, rest, bundles, [step], 2 * self.n * self.cell)])

    def batched(self, batch):
        """The places of the arrays with the strides of batch axes."""
        return [dict(place, **{f'batch{2 - len(batch) + i}': axis[1 + which] for i, axis in enumerate(batch)})
                for which, place in enumerate((self.source, self.target))]

    def rows(self, batch):
        split = split_of(self.n, self.v)
        many = [axis for axis in batch if axis[0] >= self.v]
        if split is None or many and self.n < 4 * self.v * self.v // 2:
            return self.bundled_rows(batch, many)
        if len(batch) > 2:
            return None
        source, target = self.batched(batch)
        n1, n2 = split
        one, two = factors(n1, True, False), factors(n2, False, True)
        work = 2 * max(n1, n2) * self.cell
        first2 = -(-n1 // self.v)
        inter = first2 * n2 * self.cell
        h, count = self.n, math.prod([axis[0] for axis in batch])
        row = 64 + -(-h * self.pair // 64) * 64 + 64 + self.pair
        long = h * self.pair > ROW_BYTES or count < self.workers and h * self.pair > ROW_BYTES // 8
        real = self.kind in ('rfft', 'irfft')
        if long:
            held = {'slot': 2, 'batch0': inter * (batch[1][0] if len(batch) > 1 else 1), 'batch1': inter}
            held2 = {'slot': 2, 'offset': count * inter, 'batch0': row * (batch[1][0] if len(batch) > 1 else 1), 'batch1': row}
        else:
            held = {'slot': 3, 'offset': work, 'worker': work + inter + row}
            held2 = {'slot': 3, 'offset': work + inter, 'worker': work + inter + row}
        start, end = source, target
        if self.kind == 'irfft':
            start = held2
        if self.kind == 'rfft':
            end = held2
        step1 = self.step(one, lanes=n2, source=dict(start, lane=self.pair), from_step=n2 * self.pair, first=FIRST,
                          target=dict(held, lane=self.cell), last=LAST, to_kind=TURNED, block=n2 * self.cell,
                          row_roots=cells(self.n, n1, self.v), roots=between(self.n, n1, n2, self.v),
                          roots_bundle=n1 * self.pair)
        step2 = self.step(two, lanes=n1, source=dict(held, bundle=n2 * self.cell), from_step=self.cell, first=MIDDLE,
                          target=dict(end, lane=self.pair), to_step=n1 * self.pair, last=OUT)
        steps = [(one, step1, -(-n2 // self.v)), (two, step2, first2)]
        if real:
            mirror = self.mirror(source if self.kind == 'irfft' else held2, held2 if self.kind == 'irfft' else target)
            chunks = -(-mirror['blocks'] // 256)
            at = 0 if self.kind == 'irfft' else 2
            steps.insert(at, (one, mirror, chunks))
        if not long:
            for _, step, bundles in steps:
                step['bundles'] = bundles if step['kind'] == TRANSFORM else 1
                if step['kind'] == MIRROR:
                    step['chunk'], step['share'] = step['blocks'], 0
            return self.plan([self.launch(one + two, batch, 1, [s for _, s, _ in steps], work + inter + row)])
        for _, step, _ in steps:
            step['bundles'] = 1
            if step['kind'] == MIRROR:
                step['chunk'] = step['share'] = 256
        return self.plan([self.launch(radices, batch, bundles, [step], work) for radices, step, bundles in steps],
                         count * (inter + (row if real else 0)))

    def bundled_rows(self, batch, many):
        radices = factors(self.n, False, False)
        if not many or radices is None or self.n < self.v // 2 or len(batch) > 3:
            return None
        lanes = many[-1]
        rest = [axis for axis in batch if axis is not lanes]
        source, target = self.batched(rest)
        work = 2 * self.n * self.cell
        row = self.n * self.pair + self.pair
        real = self.kind in ('rfft', 'irfft')
        if real and self.n < self.v + 1:
            return None
        held = {'slot': 3, 'offset': work, 'worker': work + self.v * row}
        source['lane'], target['lane'] = lanes[1], lanes[2]
        start, end, from_step, to_step = source, target, lanes[1], lanes[2]
        if self.kind == 'irfft':
            start, from_step = held, row
        if self.kind == 'rfft':
            end, to_step = held, row
        step = self.step(radices, lanes=lanes[0], source=start, from_step=from_step, from_rows=1, first=MIDDLE,
                         target=end, to_step=to_step, to_kind=ROWS, last=LAST)
        steps = [step]
        if real:
            mirror = self.mirror(source if self.kind == 'irfft' else held, held if self.kind == 'irfft' else target)
            mirror.update(bundles=self.v, chunk=mirror['blocks'], share=0, lanes=lanes[0])
            if self.kind == 'irfft':
                mirror['from_step'], mirror['to_step'] = lanes[1], row
            else:
                mirror['from_step'], mirror['to_step'] = row, lanes[2]
            steps.insert(0 if self.kind == 'irfft' else 1, mirror)
        return self.plan([self.launch(radices, rest, -(-lanes[0] // self.v), steps, work + self.v * row)])

    def mirror(self, source, target):
        h, v = self.n, self.v
        last = max(h // 2 + 1 - v, 1)
        blocks = -(-(h // 2) // v)
        c = roots(2 * h, np.arange(v)) * -0.5j
        s = roots(2 * h, np.minimum(1 + v * np.arange(blocks), last))
        if self.kind == 'irfft':
            c, s = c.conj(), s.conj()
        step = {'kind': MIRROR, 'n': h, 'lanes': v, 'back': self.kind == 'irfft', 'blocks': blocks,
                'row_roots': _apart(c[None]), 'roots': _pairs(s)}
        step.update({f'from_{key}': value for key, value in source.items()})
        step.update({f'to_{key}': value for key, value in target.items()})
        return step

    def step(self, radices, lanes, source, target, first, last, **more):
        numbers = {each: i for i, each in enumerate(passes(self.name(radices)))}
        self_passes, s, n = [], 1, math.prod(radices)
        for i, r in enumerate(radices):
            m = n // (s * r)
            kind = MIDDLE
            if i == 0 and first == FIRST:
                kind = FIRST
            elif i == len(radices) - 1:
                kind = last
            self_passes.append((r, kind, m, s))
            s *= r
        step = {'kind': TRANSFORM, 'lanes': lanes, 'n': n, 'passes': len(radices), 'list': self_passes, 'bundles': 1, **more}
        step.update({f'from_{key}': value for key, value in source.items()})
        step.update({f'to_{key}': value for key, value in target.items()})
        step['here'], step['there'] = 0, n * self.cell
        return step

    def name(self, radices):
        return 'fft' if set(radices) <= set(RADICES['fft']) else 'fft_odd'

    def launch(self, radices, batch, bundles, steps, scratch):
        name = self.name(radices)
        numbers = {each: i for i, each in enumerate(passes(name))}
        scratch = -(-scratch // 64) * 64 + 64
        batch1 = batch[-1][0] if batch else 1
        head = [batch1, bundles, len(steps), scratch]
        words = len(HEAD) + len(STEP) * len(steps)
        tables, at = [], -(-words // 8) * 8
        def put(table):
            nonlocal at
            data = np.ascontiguousarray(table).view(np.uint8).ravel()
            data = np.concatenate([data, np.zeros(-data.size % 64, np.uint8)]).view(np.int64)
            tables.append(data)
            at += data.size
            return 8 * (at - data.size)
        of = np.dtype(self.dtype)
        factors_at = put(self.factors.astype(of))
        body = []
        for step in steps:
            step = dict(step, factors=factors_at)
            for key in ('row_roots', 'roots'):
                if key in step:
                    step[key] = put(step[key].astype(of))
            if 'list' in step:
                rows = [(numbers[r, kind], m, s, put(_pairs(pass_roots(r, m)).astype(of)) if r > 1 else 0)
                        for r, kind, m, s in step.pop('list')]
                step['pass_table'] = put(np.array(rows, np.int64))
            body += [int(step.pop(key, 0)) for key in STEP]
            assert not step, step
        whole = np.zeros(at + 8, np.int64)
        skip = -whole.ctypes.data // 8 % 8
        whole = whole[skip:skip + at]
        whole[:words] = head + body
        position = -(-words // 8) * 8
        whole[position:] = np.concatenate(tables)
        self.scratch = max(getattr(self, 'scratch', 0), scratch)
        extent = math.prod([axis[0] for axis in batch]) * bundles
        bytes_ = sum([step['lanes'] * step['n'] if 'n' in step else 0 for step in steps])
        per = 0.15 * len(radices) * (self.tile.size // 4)
        ns = 500 + extent * per * sum([s['bundles'] * self.v * s['n'] for s in steps if s['kind'] == TRANSFORM] or [4 * 256 * self.v])
        grain = max(1, int(choices.GRAIN_NS * extent / ns))
        slots = ('a', 'b', 'b' if not any(s.get('from_slot') == 2 or s.get('to_slot') == 2 for s in steps) else 'packed', 'scratch')
        return gemm.Launch(name, slots, whole, extent, grain, ns)

    def plan(self, launches, packed=0):
        return gemm.Plan(tuple(launches), packed, self.scratch)


@functools.lru_cache(4096)
def factors(n, first, last):
    """Radices of passes whose product is n, None where it has other factors. first, last: whether these are OUTER ones."""
    found = []
    for r in OUTER if first else [None]:
        for q in OUTER if last else [None]:
            ends = [[x] * (x is not None) for x in (r, q)]
            product = math.prod(ends[0] + ends[1])
            if n % product == 0:
                cost, rest = _middle(n // product)
                found.append((cost + sum([COST[x] for x in ends[0] + ends[1]]), [*ends[0], *rest, *ends[1]]))
    cost, best = min(found)
    return best if cost < math.inf and best else None


@functools.lru_cache(1 << 14)
def _middle(n):
    """(cost, radices)"""
    if n == 1:
        return 0, ()
    found = [(math.inf, ())]
    for r in RADICES['fft_odd'][1:]:
        if n % r == 0:
            cost, rest = _middle(n // r)
            found.append((cost + COST[r], (r, *rest)))
    return min(found)


def cost_of(n, first, last):
    radices = factors(n, first, last)
    return math.inf if radices is None else sum([COST[r] for r in radices])


def split_of(n, v):
    best, found = math.inf, None
    for n1 in range(v, math.isqrt(n) + 1):
        if n % n1 == 0:
            for one, two in ((n1, n // n1), (n // n1, n1)):
                if two < v:
                    continue
                a, b = cost_of(one, True, False), cost_of(two, False, True)
                cost = (-(-one // v) * v * b * two + -(-two // v) * v * one * (a + 3))
                if cost < best:
                    best, found = cost, (one, two)
    return found


def roots(n, exponents):
    """exp(-2 pi i e / n), exact to the last bit or so: angles are at most an eighth of a turn."""
    e = np.asarray(exponents, np.int64) % n
    quarter = (4 * e + n // 2) // n
    angle = (4 * e - quarter * n) * (2 * np.pi / (4 * n))
    cos, sin = np.cos(angle), -np.sin(angle)
    return np.choose(quarter % 4, [cos + 1j * sin, sin - 1j * cos, -cos - 1j * sin, -sin + 1j * cos])


def _pairs(z):
    return np.stack([z.real, z.imag], -1)


def _apart(z):
    return np.stack([z.real, z.imag], -2)


def pass_roots(r, m):
    return roots(r * m, np.arange(m)[:, None] * np.arange(1, r))


def cells(n, n1, v):
    return _apart(roots(n, np.arange(n1)[:, None] * np.arange(v)))


def between(n, n1, n2, v):
    starts = np.minimum(np.arange(-(-n2 // v)) * v, n2 - v)
    return _pairs(roots(n, starts[:, None] * np.arange(n1)))
