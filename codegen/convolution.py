"""Convolutions as products of matrices: C = W B with B[k, j] = x[taps[k] + places[j]], which is never there as a whole.

    found = from_conv(instruction, x, w, out)            # a gemm.Plan; `gemm` says what its kernels have in common

k counts the weights of one result (features, window), j the places of the window: where an element of x stands is a
sum of one offset for each, since the operation knows no padding. Panels of B are gathered from x into the place where
`gemm` packs them, so that the windows (im2col) take no memory and reach no cache but the first. An item is some
examples of a group (all of them with `feature_first`) times a block of rows times a block of columns; small images
are taken together, so that weights are packed for many columns.
"""

import numpy as np

from . import choices, gemm, llvm
from .gemm_text import (DTYPES, GROUP, STACK_BYTES, Tile, declarations, function, kernel,
                        micro_kernel, pack_group, pack_rows, panel_times_block, store_part)

GATHER_NS = 0.4                         # estimate for an element of B
COLUMNS = 512                           # of images that share packed weights


def from_conv(x, source, weights, out, workers=None):
    """The plan of a conv without padding; None where the layouts of weights or result aren't that of a product.

    x: the instruction; source, weights, out: (aval, offset, strides) of its operands and the result, in elements.
    """
    stride, dilation, groups, feature_first = x.params
    (a, at_a, s_a), (w, at_w, s_w), (c, at_c, s_c) = source, weights, out
    if x.aval.dtype.name not in DTYPES or not c.size:
        return None if c.size else gemm.Plan((), 0, 0)
    n, m, places = a.shape[0], w.shape[0] // groups, c.shape[2:]
    lead = [(n, s_a[0], s_c[1])] if feature_first else []
    columns = gemm.merged([(size, step) for size, _, step in lead] + list(zip(places, s_c[2:])))
    depth = gemm.merged(list(zip(w.shape[1:], s_w[1:])))
    if len(columns) > 1 or len(depth) > 1 or columns and columns[0][1] != 1 or depth and depth[0][1] != 1:
        return None
    size, row = DTYPES[x.aval.dtype.name][1], s_c[0] if feature_first else s_c[1]
    taps = _offsets(w.shape[1:], (s_a[1], *[d * s for d, s in zip(dilation, s_a[2:])])) * size
    at = _offsets([axis[0] for axis in lead] + list(places), [axis[1] for axis in lead] +
                  [d * s for d, s in zip(stride, s_a[2:])]) * size
    if at.size and at.max() >= 1 << 31 or at.size and at.min() < 0:
        return None
    batch = (groups, 1 if feature_first else n)
    offsets = {'w': (at_w, s_w[0], m * s_w[0]), 'x': (at_a, a.shape[1] // groups * s_a[1], s_a[0]),
               'c': (at_c, row, m * row, s_c[0])}
    offsets = {name: [n * size for n in of] for name, of in offsets.items()}
    return _plan(m, len(at), len(taps), x.aval.dtype.name, batch, offsets, taps, at,
                 workers or gemm.threads.get_num_threads())


def _offsets(shape, strides):
    """Of all elements of an array, in elements."""
    found = np.zeros(1, np.int64)
    for n, stride in zip(shape, strides):
        found = (found[:, None] + np.arange(n) * stride).ravel()
    return found


def _plan(m, n, k, dtype, batch, offsets, taps, places, workers):
    size, tile = DTYPES[dtype][1], Tile(dtype, llvm.host())
    depth = gemm.depth_of(k, tile)
    rows, columns = gemm.blocks(m, n, k, depth, tile, batch[0] * batch[1], workers)
    row_blocks, column_blocks = -(-m // rows), -(-n // columns)
    images = max(1, min(-(-COLUMNS // n), batch[1], batch[0] * batch[1] * row_blocks * column_blocks // (4 * workers)))
    group = (GROUP * depth + tile.lanes) * size
    edge = -(-rows // GROUP) * group
    scratch = -(-(edge + depth * tile.columns * size) // 64) * 64
    slots, own = ('b', 'a', 'c', 'scratch'), scratch
    if scratch <= STACK_BYTES:
        slots, own, scratch = ('b', 'a', 'c', 'c'), 0, 0
    places = np.append(places, np.zeros(-n % tile.columns + 1, np.int64)).astype(np.int32)
    tables = np.append(taps, places[:len(places) // 2 * 2].view(np.int64))
    sizes = [m, n, k, rows, columns, depth, row_blocks, column_blocks, batch[1], images, -(-batch[1] // images), group,
             edge, own,
             *offsets['w'], *offsets['x'], *offsets['c']]
    elements = batch[0] * batch[1] * n * max(k, 1)
    nanoseconds = 100 + elements * (2 * m / gemm.FLOPS_PER_NS * (2 if size == 8 else 1) + GATHER_NS)
    extent = batch[0] * -(-batch[1] // images) * row_blocks * column_blocks
    constants = np.concatenate([np.array(sizes, np.int64), tables])
    grain = max(1, int(choices.GRAIN_NS * extent / nanoseconds))
    return gemm.Plan((gemm.Launch('conv', slots, constants, extent, grain, nanoseconds),), 0, scratch)


# --- text -----------------------------------------------------------------------------------------------------------

_CONSTANTS = ('m n k rows columns depth row_blocks column_blocks count images count1 group edge scratch_bytes '
              'w_offset w_row w_batch0 x_offset x_batch0 x_batch c_offset c_row c_batch0 c_batch')


def emit(dtype, machine):
    """The text of the kernel conv."""
    t = Tile(dtype, machine)
    n = t.lanes
    gather = f'declare {t.vector} @llvm.masked.gather.{t.name}.v{n}p0(<{n} x ptr>, i32, <{n} x i1>, {t.vector})\n'
    parts = [micro_kernel(t, *shape) for shape in t.shapes]
    parts += [store_part(t), panel_times_block(t), pack_group(t), pack_rows(t), _pack_windows(t), _conv(t)]
    return declarations(t) + gather + '\n'.join(parts)


def _pack_windows(t):
    """target[d, j] = source[taps[d] + places[j]] for a panel: by vectors where the places are one run or two, of
    neighbours or of every second element."""
    f = function(t, 'pack_windows')
    n, step = t.lanes, t.columns * t.size
    numbers, whole = f'<{n} x i32>', f'<{n} x i1>'

    def run(lane, apart):
        """(offset of what would be the first place if all were in one run with a lane's, the lanes where this is so)"""
        first = f.new(f'sub i32 {f.new(f"extractelement {numbers} {at}, i64 {lane}")}, {lane * apart * t.size}')
        row = f.new(f'insertelement {numbers} poison, i32 {first}, i64 0')
        row = f.new(f'shufflevector {numbers} {row}, {numbers} poison, {numbers} zeroinitializer')
        steps = f'<{", ".join(f"i32 {i * apart * t.size}" for i in range(n))}>'
        mask = f.new(f'icmp eq {numbers} {at}, {f.new(f"add {numbers} {row}, {steps}")}')
        return f.new(f'sext i32 {first} to i64'), mask

    def every(mask):
        return f.new(f'icmp eq i{n} {f.new(f"bitcast {whole} {mask} to i{n}")}, -1')

    def others(mask):
        return f.new(f'xor {whole} {mask}, splat (i1 true)')

    def load(pointer, mask, otherwise):
        return f.new(f'call {t.vector} @llvm.masked.load.{t.name}.p0(ptr {pointer}, i32 {t.size}, {whole} {mask}, '
                     f'{t.vector} {otherwise})')

    def copied(load):
        with f.loop(0, '%depth') as d:
            base = f.at('%source', f.load('i64', f.at('%taps', f.mul(d, 8))))
            f.store(t.vector, load(base), f.at('%target', f.mul(d, step), v * n * t.size))

    def shuffled(kind, a, b, order):
        return f.new(f'shufflevector {kind} {a}, {kind} {b}, <{n} x i32> <{", ".join(f"i32 {k}" for k in order)}>')

    def neighbours():
        (first, ahead), (last, _) = run(0, 1), run(n - 1, 1)
        rest = others(ahead)
        copied(lambda base: load(f.at(base, last), rest, load(f.at(base, first), ahead, 'zeroinitializer')))

    def pairs():
        """Vectors from the first place of a run on, and to its last one: between them every place."""
        (first, ahead), (last, _) = run(0, 2), run(n - 1, 2)
        here = [[k // 2 if k % 2 == 0 else n for k in range(n)], [n // 2 + k // 2 if k % 2 else n for k in range(n)]]
        masks = [[shuffled(whole, mask, 'zeroinitializer', order) for order in here] for mask in (ahead, others(ahead))]

        def taken(base):
            found = ['zeroinitializer'] * 2
            for start, halves in zip((first, last), masks):
                found = [load(f.at(base, start, half * (n - 1) * t.size), halves[half], found[half]) for half in (0, 1)]
            return shuffled(t.vector, *found, [2 * k + (k >= n // 2) for k in range(n)])
        copied(taken)

    def gathered():
        wide = f.new(f'sext {numbers} {at} to <{n} x i64>')

        def taken(base):
            pointers = f.new(f'getelementptr i8, ptr {base}, <{n} x i64> {wide}')
            return f.new(f'call {t.vector} @llvm.masked.gather.{t.name}.v{n}p0(<{n} x ptr> {pointers}, i32 {t.size}, '
                         f'{whole} splat (i1 true), {t.vector} poison)')
        copied(taken)

    for v in range(t.vectors):
        at = f.new(f'load {numbers}, ptr {f.at("%places", v * n * 4)}, align 4')
        (first, ahead), (_, behind) = run(0, 1), run(n - 1, 1)
        two = every(f.new(f'or {whole} {ahead}, {behind}'))
        apart = every(f.new(f'or {whole} {run(0, 2)[1]}, {run(n - 1, 2)[1]}'))
        f.branch(every(ahead), lambda: copied(lambda base: f.load(t.vector, f.at(base, first))),
                 lambda: f.branch(two, neighbours, lambda: f.branch(apart, pairs, gathered)))
    return f.text()


def _conv(t):
    f, v = kernel(t, 'conv', 'w x c scratch', _CONSTANTS)
    taps = f.at('%constants', 8 * len(_CONSTANTS.split()))
    places = f.at(taps, f.mul(v['k'], 8))
    stack = f.fixed(f'[{STACK_BYTES} x i8]')
    own = f.new(f'select i1 {f.test("eq", v["scratch_bytes"], 0)}, ptr {stack}, '
                f'ptr {f.at(v["scratch"], f.mul("%worker", v["scratch_bytes"]))}')
    edge = f.at(own, v['edge'])
    with f.loop('%lo', '%hi') as item:
        rest, column = f.divmod(item, v['column_blocks'])
        rest, row = f.divmod(rest, v['row_blocks'])
        i0, i1 = f.divmod(rest, v['count1'])
        i, j_from = f.mul(row, v['rows']), f.mul(column, v['columns'])
        j_to = f.min(v['n'], f.add(j_from, v['columns']))
        rows = f.min(v['rows'], f.sub(v['m'], i))
        base = lambda name: f.at(v[name], v[f'{name}_offset'], f.mul(i0, v[f'{name}_batch0']))
        w, x, c = f.at(base('w'), f.mul(i, v['w_row'])), base('x'), f.at(base('c'), f.mul(i, v['c_row']))
        first = f.mul(i1, v['images'])
        last = f.min(v['count'], f.add(first, v['images']))
        with f.loop(0, f.max(v['k'], 1), v['depth']) as d:           # once for k = 0: zeros
            depth = f.min(v['depth'], f.sub(v['k'], d))
            f.call('pack_rows', own, v['group'], f.at(w, f.mul(d, t.size)), v['w_row'], t.size, rows, depth)
            with f.loop(first, last) as image, f.loop(j_from, j_to, t.columns) as j:
                f.call('pack_windows', edge, f.at(x, f.mul(image, v['x_batch'])), f.at(taps, f.mul(d, 8)),
                       f.at(places, f.mul(j, 4)), depth)
                f.call('panel', own, v['group'], edge, t.columns * t.size, depth,
                       f.at(c, f.mul(image, v['c_batch']), f.mul(j, t.size)), v['c_row'], rows,
                       f.min(t.columns, f.sub(j_to, j)), d, edge)
    return f.text()
