"""LLVM IR text of the kernels for Fourier transforms; `fft.py` says what they do and plans their launches.

A *cell* is one complex number of each of some transforms side by side, as many as a vector has lanes: the vector of
their real parts, then that of the imaginary parts. As many neighbours in an array, real and imaginary parts in turn,
take the same bytes, and are *interleaved*. Distances are in bytes and come, with all sizes, as constants of the plan.
"""
import functools
import math
from typing import NamedTuple

import numpy as np

from .gemm_text import DTYPES, SIGNATURES, Tile, declarations, function, kernel

# Radices of the passes of a kernel; ANY: a pass for all others. fft_single does one transform at a time.
ANY = 0
RADICES = {'fft': (1, 2, 4, 8), 'fft_odd': (1, 2, 3, 4, 5, 7, 8, 9, ANY), 'fft_single': (1, 2, 3, 4, 5, 7, 8, 9, ANY)}
OUTER = (1, 4, 8)                       # that also read or write what is interleaved

# What a pass reads and writes (whether interleaved), and whether its results are multiplied by roots of unity.
FIRST, MIDDLE, LAST, OUT = range(4)
KINDS = {FIRST: (True, True, False), MIDDLE: (False, True, False), LAST: (False, False, False),
         OUT: (False, False, True)}

class Place(NamedTuple):
    """Where an array lies, or a piece of one: its slot, then bytes from there, for each of two batch indexes, for the
    first lane, for the bundle; and bytes from an element to the next."""
    slot: int
    offset: int
    batch0: int = 0
    batch1: int = 0
    lane: int = 0
    bundle: int = 0
    step: int = 0


# The numbers of a plan, and of each of its steps. A table is given by its place.
HEAD = 'batch1 bundles steps own'.split()
STEP = ('kind turns lanes n row_roots roots'.split() + [f'source_{key}' for key in Place._fields] +
        [f'target_{key}' for key in Place._fields] +
        'from_kind to_kind passes pass_table factors there block roots_bundle'.split() +       # of a transform
        'blocks share chunk way'.split())                                                      # of a mirror
TRANSFORM, MIRROR = 0, 1                # kinds of steps
DIRECT, TURNED, ROWS, PAIRS = range(4)  # what a transform reads or writes
MIX, UNMIX, WIDEN, HALVE, EXTEND, REALS = range(6)                    # ways of a mirror; of odd numbers the last four


def passes(name):
    """The passes of a kernel: (radix, kind) at their numbers."""
    outer, inner = ((1,), (MIDDLE,)) if name == 'fft_single' else (OUTER, (MIDDLE, LAST))
    return [(r, kind) for r in RADICES[name] for kind in (FIRST, OUT, *inner)
            if (r in outer if kind in (FIRST, OUT) else r == ANY and kind == MIDDLE or r > 1)]


def tile(name, dtype, machine):
    """The vectors of a kernel."""
    return Tile(dtype, machine._replace(width_bits=8 * DTYPES[dtype][1]) if name == 'fft_single' else machine)


def emit(name, dtype, machine):
    """The text of the kernel `name`."""
    t = tile(name, dtype, machine)
    parts = [_pass(t, radix, kind) if radix != ANY else _any_pass(t) for radix, kind in passes(name)]
    if t.lanes > 1:
        parts += [_fetch(t), _put(t), _turn(t), _pair(t), _unpair(t)]
    parts += [_change(t, way) for way in (WIDEN, HALVE, EXTEND, REALS)]
    return declarations(t) + '\n'.join([*parts, _dispatch(name), _mirror(t), _ends(t), _transform(t), _kernel(t, name)])


def roots_of_unity(n, exponents):
    """exp(-2 pi i e / n), its parts last; exact up to rounding, since no angle is above an eighth of a turn."""
    e = np.asarray(exponents, np.int64) % n
    quarter = (4 * e + n // 2) // n
    angle = (4 * e - quarter * n) * (np.pi / (2 * n))
    cos, sin = np.cos(angle), np.sin(angle)
    turned = [np.stack(parts, -1) for parts in ((cos, -sin), (-sin, -cos), (-cos, sin), (sin, cos))]
    return np.choose(quarter[..., None] % 4, turned)


# --- complex vectors: pairs (real, imaginary) -------------------------------------------------------------------------

def _binary(f, op, x, y):
    return f.new(f'{op} {f.t.vector} {x}, {y}')


def _add(f, x, y):
    return tuple([_binary(f, 'fadd', a, b) for a, b in zip(x, y)])


def _sub(f, x, y):
    return tuple([_binary(f, 'fsub', a, b) for a, b in zip(x, y)])


def _neg(f, x):
    return f.new(f'fneg {f.t.vector} {x}')


def _times(f, x, w):
    (a, b), (c, d) = x, w
    return (f.multiply_add(a, c, _neg(f, _binary(f, 'fmul', b, d))), f.multiply_add(a, d, _binary(f, 'fmul', b, c)))


def _constant(f, value):
    value = float(np.float32(value)) if f.t.size == 4 else float(value)
    return f'splat ({f.t.scalar} 0x{np.float64(value).view(np.uint64):016X})'


def _scaled(f, x, factor):
    return tuple([_binary(f, 'fmul', a, factor) for a in x])


def _rotated(f, x, e, n):
    """x exp(-2 pi i e / n)."""
    if e == 0:
        return x
    if 8 * e == n:
        return _scaled(f, (_binary(f, 'fadd', *x), _binary(f, 'fsub', x[1], x[0])), _constant(f, math.sqrt(0.5)))
    if 4 * e >= n:
        return _rotated(f, (x[1], _neg(f, x[0])), e - n / 4, n)
    return _times(f, x, [_constant(f, part) for part in roots_of_unity(4 * n, round(4 * e))])


def _dft(f, xs):
    """y[k] = sum_j x[j] exp(-2 pi i j k / n), in registers."""
    n = len(xs)
    if n == 1:
        return xs
    if n == 2:
        return [_add(f, *xs), _sub(f, *xs)]
    inner = next((r for r in (4, 2, 3, 5, 7) if n % r == 0 and r < n), None)
    if n == 4:
        inner = 2
    if inner is None:
        return _odd_dft(f, xs)
    outer = n // inner
    columns = [_dft(f, xs[j::outer]) for j in range(outer)]
    columns = [[_rotated(f, x, j * k, n) for k, x in enumerate(column)] for j, column in enumerate(columns)]
    rows = [_dft(f, list(row)) for row in zip(*columns)]
    return [rows[k % inner][k // inner] for k in range(n)]


def _odd_dft(f, xs):
    """Of an odd number: of sums and differences of x[j] and x[n - j], whose factors are cosines and sines."""
    n = len(xs)
    pairs = [(j, _add(f, xs[j], xs[n - j]), _sub(f, xs[j], xs[n - j])) for j in range(1, n // 2 + 1)]
    total = functools.reduce(lambda x, pair: _add(f, x, pair[1]), pairs, xs[0])
    front, back = [], []
    for k in range(1, n // 2 + 1):
        (re, im), turned = xs[0], None
        for j, plus, minus in pairs:
            cos, sin = [_constant(f, part) for part in roots_of_unity(n, j * k) * (1, -1)]
            re, im = f.multiply_add(plus[0], cos, re), f.multiply_add(plus[1], cos, im)
            b, a = minus
            turned = _scaled(f, (a, b), sin) if turned is None else (
                f.multiply_add(a, sin, turned[0]), f.multiply_add(b, sin, turned[1]))
        a, b = turned                                                 # -i times the differences is (a, -b)
        front.append((_binary(f, 'fadd', re, a), _binary(f, 'fsub', im, b)))
        back.insert(0, (_binary(f, 'fsub', re, a), _binary(f, 'fadd', im, b)))
    return [total, *front, *back]


# --- memory -----------------------------------------------------------------------------------------------------------

def _shuffle(f, x, y, order):
    n, v = f.t.lanes, f.t.vector
    order = ', '.join([f'i32 {i}' for i in order])
    return f.new(f'shufflevector {v} {x}, {v} {y}, <{n} x i32> <{order}>')


def _load(f, pointer):
    return f.load(f.t.vector, pointer), f.load(f.t.vector, f.at(pointer, f.t.lanes * f.t.size))


def _store(f, x, pointer):
    f.store(f.t.vector, x[0], pointer)
    f.store(f.t.vector, x[1], f.at(pointer, f.t.lanes * f.t.size))


def _load_apart(f, pointer, backwards=False):
    """The cell of what is interleaved; backwards: from the last to the first."""
    low, high = _load(f, pointer)
    places = range(0, 2 * f.t.lanes, 2)
    places = places[::-1] if backwards else places
    return _shuffle(f, low, high, places), _shuffle(f, low, high, [i + 1 for i in places])


def _store_interleaved(f, x, pointer, backwards=False):
    if backwards:
        x = [_shuffle(f, part, 'poison', range(f.t.lanes - 1, -1, -1)) for part in x]
    _store(f, _zip(f, *x), pointer)


def _factor(f, pointer, number):
    return f.splat(f.load(f.t.scalar, f.at(pointer, number * f.t.size)))


def _root(f, pointer):
    return _factor(f, pointer, 0), _factor(f, pointer, 1)


def _transposed(f, rows):
    """Vectors as the vectors of their first elements, their second ones ...: by taking every other one of two."""
    n, inside = f.t.lanes, min(f.t.lanes, 16 // f.t.size)               # shuffles within 128 bits are cheap
    bit = 1
    for unit, group in ((1, inside), (inside, n)):
        while group > unit:
            orders = [[start + lane + u * unit + e for lane in range(0, n, group) for start in (0, n)
                       for u in range(half, group // unit, 2) for e in range(unit)] for half in (0, 1)]
            for i in range(n):
                if not i & bit:
                    pair = rows[i], rows[i | bit]
                    rows[i], rows[i | bit] = [_shuffle(f, *pair, order) for order in orders]
            bit *= 2
            if bit >= group:
                break
    return rows


# --- passes -----------------------------------------------------------------------------------------------------------

def _pass(t, radix, kind):
    """One pass of Stockham's algorithm: y[q + s (r p + k)] = w^(p k) sum_j x[q + s (p + m j)] exp(-2 pi i j k / r) for
    p < m, q < s; w = exp(-2 pi i / (m r))."""
    f = function(t, f'pass_{radix}_{kind}')
    apart, rooted, interleaved = KINDS[kind]
    count, jump_to = f.mul('%m', '%s'), f.mul('%s', '%to')
    jump_from = f.mul(count, '%from')
    sign, scale, both = [_factor(f, '%factors', i) if apart or interleaved else None for i in range(3)]
    source, target, w = f.variable('ptr', '%source'), f.variable('ptr', '%target'), f.variable('ptr', '%roots')
    with f.loop(0, '%m'):
        with f.loop(0, '%s'):
            xs, at = [], f.get(source)
            for j in range(radix):
                at = f.at(at, jump_from) if j else at
                x = _load_apart(f, at) if apart else _load(f, at)
                xs.append((x[0], _binary(f, 'fmul', x[1], sign)) if apart else x)
            at = f.get(target)
            for k, y in enumerate(_dft(f, xs)):
                at = f.at(at, jump_to) if k else at
                if k and rooted:
                    y = _times(f, y, _root(f, f.at(f.get(w), 2 * t.size * (k - 1))))
                if interleaved:
                    _store_interleaved(f, (_binary(f, 'fmul', y[0], scale), _binary(f, 'fmul', y[1], both)), at)
                else:
                    _store(f, y, at)
            f.advance(source, '%from')
            f.advance(target, '%to')
        f.advance(w, 2 * t.size * (radix - 1))
        f.advance(target, f.mul(jump_to, radix - 1))
    return f.text()


def _any_pass(t):
    """The same for an odd radix that is an argument, by the sums themselves; those of k and r - k have the same terms
    but for signs. roots: w^(p k) for all p and k, then those of the sums."""
    f, pair = function(t, f'pass_{ANY}_{MIDDLE}'), 2 * t.size
    jump_from, jump_to, turn = f.mul(f.mul('%m', '%s'), '%from'), f.mul('%s', '%to'), f.mul('%radix', pair)
    source, target, w = f.variable('ptr', '%source'), f.variable('ptr', '%target'), f.variable('ptr', '%roots')
    roots = f.at('%roots', f.mul('%m', turn))
    with f.loop(0, '%m'):
        with f.loop(0, '%s'):
            with f.loop(0, f.add(f.divmod('%radix', 2)[0], 1)) as k:
                at, e, step = f.variable('ptr', f.get(source)), f.variable('i64', '0'), f.mul(k, pair)
                sums = [f.variable(t.vector, 'zeroinitializer') for _ in range(4)]
                with f.loop(0, '%radix'):
                    (a, b), (c, d) = _load(f, f.get(at)), _root(f, f.at(roots, f.get(e)))
                    for total, x, y in zip(sums, (a, b, a, b), (c, d, d, c)):
                        f.set(total, f.multiply_add(x, y, f.get(total)))
                    following = f.add(f.get(e), step)
                    f.set(e, f.new(f'select i1 {f.test("slt", following, turn)}, i64 {following}, '
                                   f'i64 {f.sub(following, turn)}'))
                    f.advance(at, jump_from)
                ac, bd, ad, bc = [f.get(total) for total in sums]
                for place, plus, minus in ((_opposite(f, k, '%radix'), 'fadd', 'fsub'), (k, 'fsub', 'fadd')):
                    y = _times(f, (_binary(f, plus, ac, bd), _binary(f, minus, bc, ad)),
                               _root(f, f.at(f.get(w), f.mul(place, pair))))
                    _store(f, y, f.at(f.get(target), f.mul(place, jump_to)))
            f.advance(source, '%from')
            f.advance(target, '%to')
        f.advance(w, turn)
        f.advance(target, f.sub(f.mul(jump_to, '%radix'), jump_to))
    return f.text()


def _dispatch(name):
    """Calls a pass by its number."""
    head, parameters = [SIGNATURES[key].replace(' ', ' %').replace(', %', ', ') for key in ('dispatch', 'pass')]
    cases = ' '.join(f'i64 {i}, label %c{i}' for i in range(len(passes(name))))
    lines = [f'c{i}:\n  call void @pass_{radix}_{kind}({parameters})\n  ret void'
             for i, (radix, kind) in enumerate(passes(name))]
    return '\n'.join([f'define internal void @dispatch({head}) noinline nounwind "no-jump-tables"="true" {{',
                      f'  switch i64 %number, label %c0 [ {cases} ]', *lines, '}\n'])


# --- on the way in and out --------------------------------------------------------------------------------------------

def _blocks(f, n, size, body):
    """body(number, start) for stretches of `size` up to n; the last one begins earlier where it would go beyond."""
    count = f.divmod(f.add(n, size - 1), size)[0]
    with f.loop(0, count) as number:
        body(number, f.min(f.mul(number, size), f.sub(n, size)))


def _fetch(t):
    """Cells of rows: of as many as there are lanes, so many bytes apart."""
    f = function(t, 'fetch')
    one, sign = _constant(f, 1), _factor(f, '%factors', 0)

    def block(_, start):
        at, rows = f.at('%source', f.mul(start, 2 * t.size)), []
        for i in range(t.lanes):
            at = f.at(at, '%from') if i else at
            rows.append(f.load(t.vector, at))
        at = f.at('%target', f.mul(start, 2 * t.lanes * t.size))
        for i, x in enumerate(_transposed(f, rows)):
            x = _binary(f, 'fmul', x, sign) if i % 2 else x
            f.store(t.vector, x, f.at(at, i * t.lanes * t.size))
    _blocks(f, '%n', t.lanes // 2, block)
    return f.text()


def _put(t):
    """Rows of cells, scaled."""
    f = function(t, 'put')
    factors = _factor(f, '%factors', 1), _factor(f, '%factors', 2)

    def block(_, start):
        at = f.at('%source', f.mul(start, 2 * t.lanes * t.size))
        rows = [_binary(f, 'fmul', f.load(t.vector, f.at(at, i * t.lanes * t.size)), factors[i % 2])
                for i in range(t.lanes)]
        at = f.at('%target', f.mul(start, 2 * t.size))
        for i, x in enumerate(_transposed(f, rows)):
            at = f.at(at, '%to') if i else at
            f.store(t.vector, x, at)
    _blocks(f, '%n', t.lanes // 2, block)
    return f.text()


def _turn(t):
    """What the first step of a long transform hands over: cells times roots of unity, and across what were lanes."""
    f = function(t, 'turn')
    cell = 2 * t.lanes * t.size

    def block(number, start):
        at, roots = f.mul(start, cell), f.mul(start, 2 * t.size)
        cells = []
        for i in range(t.lanes):
            root = _root(f, f.at('%roots', roots, 2 * t.size * i))
            root = _times(f, _load(f, f.at('%row_roots', at, i * cell)), root)
            cells.append(_times(f, _load(f, f.at('%source', at, i * cell)), root))
        at = f.at('%target', f.mul(number, '%block'))
        for part in (0, 1):
            for i, x in enumerate(_transposed(f, [x[part] for x in cells])):
                f.store(t.vector, x, f.at(at, i * cell + part * t.lanes * t.size))
    _blocks(f, '%n', t.lanes, block)
    return f.text()


def _unpair(t):
    """From transforms z of two real columns in the place of a complex one to theirs, a and b, of half the length:
    a[k] = (z[k] + z[n - k]*) / 2, b[k] = -i (z[k] - z[n - k]*) / 2."""
    f = function(t, 'unpair')
    half, cell = _constant(f, 0.5), 2 * t.lanes * t.size
    with f.loop(0, f.add(f.divmod('%n', 2)[0], 1)) as k:
        z, y = _load(f, f.at('%source', f.mul(k, cell))), _load(f, f.at('%source', f.mul(_opposite(f, k), cell)))
        a = _scaled(f, (_binary(f, 'fadd', z[0], y[0]), _binary(f, 'fsub', z[1], y[1])), half)
        b = _scaled(f, (_binary(f, 'fadd', z[1], y[1]), _binary(f, 'fsub', y[0], z[0])), half)
        at = f.at('%target', f.mul(k, '%to'))
        for i, x in enumerate(zip(*[_zip(f, *parts) for parts in zip(a, b)])):
            _store_interleaved(f, x, f.at(at, i * cell))
    return f.text()


def _pair(t):
    """The way back: z[k] = a[k] + i b[k], z[n - k] = a[k]* + i b[k]*. What is real has no imaginary part."""
    f = function(t, 'pair')
    sign, cell, n, v = _factor(f, '%factors', 0), 2 * t.lanes * t.size, t.lanes, t.vector
    with f.loop(0, f.add(f.divmod('%n', 2)[0], 1)) as k:
        at, other = f.at('%source', f.mul(k, '%from')), _opposite(f, k)
        (re0, im0), (re1, im1) = _load_apart(f, at), _load_apart(f, f.at(at, cell))
        re = [_shuffle(f, re0, re1, range(i, 2 * n, 2)) for i in (0, 1)]
        real = f.test('eq', k, other)
        im = [_shuffle(f, im0, im1, range(i, 2 * n, 2)) for i in (0, 1)]
        im = [f.new(f'select i1 {real}, {v} zeroinitializer, {v} {x}') for x in im]
        for place, to, back in ((k, 'fsub', 'fadd'), (other, 'fadd', 'fsub')):
            z = _binary(f, to, re[0], im[1]), _binary(f, 'fmul', _binary(f, back, re[1], im[0]), sign)
            _store(f, z, f.at('%target', f.mul(place, cell)))
    return f.text()


def _opposite(f, k, n='%n'):
    """n - k, 0 for 0."""
    return f.new(f'select i1 {f.test("eq", k, 0)}, i64 0, i64 {f.sub(n, k)}')


def _zip(f, x, y):
    """Elements of two vectors in turn, as two vectors."""
    n = f.t.lanes
    return [_shuffle(f, x, y, [i // 2 + n * (i % 2) for i in range(start, start + n)]) for start in (0, n)]


def _mirror(t):
    """From a transform z of n complex numbers to x of 2 n real ones, or back: x[k] = p + c[k] d, x[n - k]* = p - c[k] d
    with p = (z[k] + z[n - k]*) / 2, d = z[k] - z[n - k]*."""
    f = function(t, 'mirror')
    half, base, size = _constant(f, 0.5), _load(f, '%row_roots'), 2 * t.size
    last = f.max(f.sub(f.add(f.divmod('%n', 2)[0], 1), t.lanes), 1)
    with f.loop('%lo', '%hi') as i:
        k = f.min(f.add(f.mul(i, t.lanes), 1), last)
        other = f.sub(f.sub('%n', k), t.lanes - 1)
        k, other = f.mul(k, size), f.mul(other, size)
        c = _times(f, base, _root(f, f.at('%roots', f.mul(i, size))))
        z, y = _load_apart(f, f.at('%source', k)), _load_apart(f, f.at('%source', other), True)
        p = _scaled(f, (_binary(f, 'fadd', z[0], y[0]), _binary(f, 'fsub', z[1], y[1])), half)
        d = _times(f, (_binary(f, 'fsub', z[0], y[0]), _binary(f, 'fadd', z[1], y[1])), c)
        x = _sub(f, p, d)
        _store_interleaved(f, _add(f, p, d), f.at('%target', k))
        _store_interleaved(f, (x[0], _neg(f, x[1])), f.at('%target', other), True)
    return f.text()


def _ends(t):
    """The first and the last element of that."""
    f = function(t, 'ends')
    of, end = t.scalar, f.mul('%n', 2 * t.size)
    a = f.load(of, '%source')

    def forward():
        b = f.load(of, f.at('%source', t.size))
        for pointer, op in (('%target', 'fadd'), (f.at('%target', end), 'fsub')):
            f.store(of, f.new(f'{op} {of} {a}, {b}'), pointer)
            f.store(of, '0.0', f.at(pointer, t.size))

    def back():
        b = f.load(of, f.at('%source', end))
        for i, op in enumerate(('fadd', 'fsub')):
            f.store(of, f.new(f'fmul {of} {f.new(f"{op} {of} {a}, {b}")}, 0.5'), f.at('%target', i * t.size))
    f.branch(f.test('ne', '%back', 0), back, forward)
    return f.text()


def _change(t, way):
    """What stands in the place of that where the number is odd: n real numbers as complex ones, and the first half of a
    transform; or the half made whole, and the real parts of a transform. What is made whole has room for one more."""
    f, size, pair = function(t, f'change_{way}'), t.size, 2 * t.size
    count = f.add(f.divmod('%n', 2)[0], 1) if way in (HALVE, EXTEND) else '%n'
    with f.loop('%lo', '%hi') as i:
        k = f.min(f.mul(i, t.lanes), f.sub(count, t.lanes))
        source, target = f.at('%source', f.mul(k, pair)), f.at('%target', f.mul(k, pair))
        if way == WIDEN:
            real = f.load(t.vector, f.at('%source', f.mul(k, size)))
            _store_interleaved(f, (real, 'zeroinitializer'), target)
        elif way == REALS:
            f.store(t.vector, _load_apart(f, source)[0], f.at('%target', f.mul(k, size)))
        else:
            _store(f, _load(f, source), target)
        if way == EXTEND:
            re, im = _load_apart(f, source)
            other = f.sub(f.sub('%n', k), t.lanes - 1)
            _store_interleaved(f, (re, _neg(f, im)), f.at('%target', f.mul(other, pair)), True)
    if way == EXTEND:
        first = f.test('eq', '%lo', 0)
        f.branch(first, lambda: f.store(t.scalar, '0.0', f.at('%target', size)))
    return f.text()


# --- the kernel -------------------------------------------------------------------------------------------------------

def _field(f, step, name):
    return f.load('i64', f.at(step, 8 * STEP.index(name)))


def _transform(t):
    """A bundle of transforms: passes from one piece of scratch memory to the other."""
    f = function(t, 'transform')
    g = functools.partial(_field, f, '%step')
    factors, cell = f.at('%constants', g('factors')), str(2 * t.lanes * t.size)
    x, distance = f.variable('ptr', '%source'), f.variable('i64', g('source_step'))
    here, there = f.variable('ptr', '%own'), f.variable('ptr', f.at('%own', g('there')))

    def read(name):
        f.call(name, f.get(x), f.get(distance), f.get(there), g('n'), factors)
        f.set(x, f.get(there))
        f.set(distance, cell)
    if t.lanes > 1:
        f.branch(f.test('eq', g('from_kind'), ROWS), lambda: read('fetch'))
        f.branch(f.test('eq', g('from_kind'), PAIRS), lambda: read('pair'))
    table, count, kind = f.at('%constants', g('pass_table')), g('passes'), g('to_kind')
    last = f.sub(count, 1)
    with f.loop(0, count) as i:
        entry = f.at(table, f.mul(i, 40))
        number, radix, m, s, roots = [f.load('i64', f.at(entry, 8 * k)) for k in range(5)]
        out = f.both(f.test('eq', i, last), f.test('eq', kind, DIRECT))
        to = f.new(f'select i1 {out}, ptr %target, ptr {f.get(here)}')
        step = f.new(f'select i1 {out}, i64 {g("target_step")}, i64 {cell}')
        f.call('dispatch', number, f.get(x), f.get(distance), to, step, radix, m, s, f.at('%constants', roots),
               factors)
        f.set(x, to)
        f.set(distance, cell)
        other = f.get(here)
        f.set(here, f.get(there))
        f.set(there, other)

    def turn():
        f.call('turn', f.get(x), '%target', g('n'), g('block'), f.at('%constants', g('row_roots')),
               f.at('%constants', g('roots'), f.mul('%bundle', g('roots_bundle'))))
    if t.lanes > 1:
        f.branch(f.test('eq', kind, TURNED), turn)
        for name, of in (('put', ROWS), ('unpair', PAIRS)):
            write = functools.partial(f.call, name, f.get(x), '%target', g('target_step'), g('n'), factors)
            f.branch(f.test('eq', kind, of), write)
    return f.text()


def _kernel(t, name):
    """Items are batch indexes and bundles. Of each all steps are done in order; `turns`: bundles of a transform where
    the item has no number of one, rows of a mirror."""
    f, v = kernel(t, name, 'operand result packed scratch', ' '.join(HEAD))
    own, slots = f.at(v['scratch'], f.mul('%worker', v['own'])), f.fixed('[4 x ptr]')
    for number, pointer in enumerate((v['operand'], v['result'], v['packed'], own)):
        f.store('ptr', pointer, f.at(slots, 8 * number))
    with f.loop('%lo', '%hi') as item:
        rest, bundle = f.divmod(item, v['bundles'])
        i0, i1 = f.divmod(rest, v['batch1'])
        at = f.variable('ptr', f.at('%constants', 8 * len(HEAD)))
        with f.loop(0, v['steps']):
            step = f.get(at)
            g = functools.partial(_field, f, step)

            def place(which, bundle):
                base = f.load('ptr', f.at(slots, f.mul(g(f'{which}_slot'), 8)))
                first = f.min(f.mul(bundle, t.lanes), f.sub(g('lanes'), t.lanes))
                return f.at(base, g(f'{which}_offset'), *[f.mul(number, g(f'{which}_{key}')) for key, number in (
                    ('batch0', i0), ('batch1', i1), ('lane', first), ('bundle', bundle))])

            def transforms():
                with f.loop(bundle, f.add(bundle, g('turns'))) as b:
                    f.call('transform', step, '%constants', place('source', b), place('target', b), own, b)

            def mirrors():
                lo = f.mul(bundle, g('share'))
                hi = f.min(f.add(lo, g('chunk')), g('blocks'))
                source, target = f.variable('ptr', place('source', bundle)), f.variable('ptr', place('target', bundle))

                def mix():
                    f.call('mirror', f.get(source), f.get(target), lo, hi, g('n'), f.at('%constants', g('row_roots')),
                           f.at('%constants', g('roots')))
                    f.branch(f.test('eq', lo, 0),
                             lambda: f.call('ends', f.get(source), f.get(target), g('n'), g('way')))
                with f.loop(0, g('turns')):
                    f.branch(f.test('sle', g('way'), UNMIX), mix)
                    for way in (WIDEN, HALVE, EXTEND, REALS):
                        ends = f.get(source), f.get(target)
                        change = functools.partial(f.call, f'change_{way}', *ends, lo, hi, g('n'))
                        f.branch(f.test('eq', g('way'), way), change)
                    f.advance(source, g('source_step'))
                    f.advance(target, g('target_step'))
            f.branch(f.test('eq', g('kind'), TRANSFORM), transforms, mirrors)
            f.advance(at, 8 * len(STEP))
    return f.text()
