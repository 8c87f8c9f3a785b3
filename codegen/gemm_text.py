"""LLVM IR text of the kernels for matrix products; `gemm.py` says what they do and plans their launches.

The micro-kernel is straight-line code around one loop: outer products of a row of B, in vectors, and four rows of A for
each group, element by element. Everything around it walks over blocks and panels with sizes and strides, in bytes, that
come as constants of the plan.
"""
import contextlib

DTYPES = {'float32': ('float', 4, 'f32'), 'float64': ('double', 8, 'f64')}
LINE = 64                               # bytes of a cache line
GROUP = 4                               # rows of A that lie side by side
STACK_BYTES = 64 << 10                  # up to so much scratch memory lies on the stack
AXPY_ROWS = 4                           # of M at once

# Registers of C: (groups of rows, vectors of columns) for a width of vectors and an architecture. Together with the
# vectors of B and a broadcast element of A they just fit into 32 or 16 registers.
TILES = {(512, 'x86_64'): (3, 2), (256, 'x86_64'): (1, 3), (128, 'x86_64'): (1, 2), (128, 'aarch64'): (2, 3)}


class Tile:
    """The registers of C for a dtype on a machine."""

    def __init__(self, dtype, machine):
        self.scalar, self.size, self.suffix = DTYPES[dtype]
        self.lanes = machine.lanes(self.size)
        self.vector = f'<{self.lanes} x {self.scalar}>'
        self.name = f'v{self.lanes}{self.suffix}'
        self.fma, self.masked = machine.fma, machine.width_bits > 128      # masks are dear where the CPU has none
        self.groups, self.vectors = TILES.get((machine.width_bits, machine.arch), (1, 2))
        self.rows, self.columns = GROUP * self.groups, self.lanes * self.vectors
        # Micro-kernels: the whole tile, its first vectors for narrow panels, its first rows for what is left below.
        self.shapes = sorted({(self.groups, self.vectors), (self.groups, 1), (1, self.vectors)}, reverse=True)


def emit_products(dtype, machine):
    """The text of gemm_pack and gemm."""
    tile = Tile(dtype, machine)
    parts = [micro_kernel(tile, groups, vectors) for groups, vectors in tile.shapes]
    parts += [store_part(tile), panel_times_block(tile), pack_group(tile), pack_rows(tile), _pack_panel(tile),
              _gemm_pack(tile), _gemm(tile)]
    return declarations(tile) + '\n'.join(parts)


def emit_matvecs(dtype, machine):
    """The text of gemv_dot and gemv_axpy."""
    tile = Tile(dtype, machine)
    parts = [_rows_dot(tile, 4, 2), _rows_dot(tile, 1, 4), _gemv_dot(tile), _gemv_axpy(tile)]
    return declarations(tile) + '\n'.join(parts)


def declarations(t):
    return f'''
declare i64 @llvm.smin.i64(i64, i64)
declare i64 @llvm.smax.i64(i64, i64)
declare void @llvm.prefetch.p0(ptr, i32, i32, i32)
declare {t.vector} @llvm.fma.{t.name}({t.vector}, {t.vector}, {t.vector})
declare {t.vector} @llvm.masked.load.{t.name}.p0(ptr, i32, <{t.lanes} x i1>, {t.vector})
declare void @llvm.masked.store.{t.name}.p0({t.vector}, ptr, i32, <{t.lanes} x i1>)
declare {t.scalar} @llvm.vector.reduce.fadd.{t.name}({t.scalar}, {t.vector})
'''


class _Function:
    """Text of one function, in SSA form."""

    def __init__(self, tile, head):
        self.t, self.head, self.allocas, self.lines, self.count = tile, head, [], [], 0
        self.kinds, self.values, self.label = [], [], 'entry'          # of variables

    def text(self):
        return '\n'.join([self.head + ' {', 'entry:', *self.allocas, *self.lines, '  ret void', '}', ''])

    # --- plain instructions

    def line(self, text):
        self.lines.append('  ' + text)

    def new(self, rhs):
        self.count += 1
        self.line(f'%t{self.count} = {rhs}')
        return f'%t{self.count}'

    def add(self, x, y):
        return self.new(f'add i64 {x}, {y}')

    def sub(self, x, y):
        return self.new(f'sub i64 {x}, {y}')

    def mul(self, x, y):
        return self.new(f'mul i64 {x}, {y}')

    def divmod(self, x, y):
        return self.new(f'udiv i64 {x}, {y}'), self.new(f'urem i64 {x}, {y}')

    def min(self, x, y):
        return self.new(f'call i64 @llvm.smin.i64(i64 {x}, i64 {y})')

    def max(self, x, y):
        return self.new(f'call i64 @llvm.smax.i64(i64 {x}, i64 {y})')

    def test(self, relation, x, y):
        return self.new(f'icmp {relation} i64 {x}, {y}')

    def both(self, x, y):
        return self.new(f'and i1 {x}, {y}')

    def at(self, pointer, *byte_offsets):
        for offset in byte_offsets:
            pointer = self.new(f'getelementptr i8, ptr {pointer}, i64 {offset}')
        return pointer

    def load(self, kind, pointer):
        return self.new(f'load {kind}, ptr {pointer}, align {self.t.size if kind != "i64" and kind != "ptr" else 8}')

    def store(self, kind, value, pointer):
        self.line(f'store {kind} {value}, ptr {pointer}, align {self.t.size}')

    # --- variables, loops, branches: values of variables are merged where control flow meets

    def fixed(self, kind):
        """Memory of the function's own."""
        self.count += 1
        self.allocas.append(f'  %m{self.count} = alloca {kind}, align 64')
        return f'%m{self.count}'

    def variable(self, kind, value):
        """The number of a new variable; those made inside of a loop or branch end with it."""
        self.kinds.append(kind)
        self.values.append(str(value))
        return len(self.values) - 1

    def get(self, variable):
        return self.values[variable]

    def set(self, variable, value):
        self.values[variable] = value

    def advance(self, variable, nbytes):
        self.set(variable, self.at(self.get(variable), nbytes))

    def begin(self, label):
        self.lines.append(f'{label}:')
        self.label = label

    def leave(self, scope):
        """Forget the variables made since there were `scope` of them."""
        del self.kinds[scope:], self.values[scope:]

    @contextlib.contextmanager
    def loop(self, lo, hi, step=1):
        self.count += 1
        tag, before, start, scope = self.count, self.label, list(self.values), len(self.values)
        self.line(f'br i1 {self.test("slt", lo, hi)}, label %loop{tag}, label %end{tag}')
        self.begin(f'loop{tag}')
        at = len(self.lines)
        self.values = [f'%p{tag}.{number}' for number in range(scope)]
        carried = list(self.values)
        yield f'%i{tag}'
        following = self.add(f'%i{tag}', step)
        self.leave(scope)
        latch, new = self.label, list(self.values)
        self.line(f'br i1 {self.test("slt", following, hi)}, label %loop{tag}, label %end{tag}')
        rows = [('i64', f'%i{tag}', lo, following), *zip(self.kinds, carried, start, new)]
        self.lines[at:at] = [f'  {name} = phi {kind} [ {first}, %{before} ], [ {later}, %{latch} ]'
                             for kind, name, first, later in rows]
        self.begin(f'end{tag}')
        self.values = [first if later == name else self.new(f'phi {kind} [ {first}, %{before} ], [ {later}, %{latch} ]')
                       for kind, name, first, later in rows[1:]]

    def branch(self, condition, then, otherwise=lambda: None):
        self.count += 1
        tag, start, ends = self.count, list(self.values), []
        self.line(f'br i1 {condition}, label %then{tag}, label %else{tag}')
        for label, body in ((f'then{tag}', then), (f'else{tag}', otherwise)):
            self.begin(label)
            self.values = list(start)
            body()
            self.leave(len(start))
            ends.append((self.label, self.values))
            self.line(f'br label %join{tag}')
        self.begin(f'join{tag}')
        (left, xs), (right, ys) = ends
        self.values = [x if x == y else self.new(f'phi {kind} [ {x}, %{left} ], [ {y}, %{right} ]')
                       for kind, x, y in zip(self.kinds, xs, ys)]

    def call(self, name, *values):
        kinds = [parameter.split()[0] for parameter in SIGNATURES[name.rstrip('_0123456789')].split(', ')]
        operands = ', '.join(f'{kind} {value}' for kind, value in zip(kinds, values, strict=True))
        self.line(f'call void @{name}({operands})')

    # --- vectors

    def splat(self, scalar):
        t = self.t
        one = self.new(f'insertelement {t.vector} poison, {t.scalar} {scalar}, i64 0')
        return self.new(f'shufflevector {t.vector} {one}, {t.vector} poison, <{t.lanes} x i32> zeroinitializer')

    def multiply_add(self, x, y, z):
        v = self.t.vector
        if self.t.fma:
            return self.new(f'call {v} @llvm.fma.{self.t.name}({v} {x}, {v} {y}, {v} {z})')
        return self.new(f'fadd {v} {self.new(f"fmul {v} {x}, {y}")}, {z}')

    def mask(self, count):
        """The lanes below `count`."""
        n = self.t.lanes
        limit = self.new(f'insertelement <{n} x i64> poison, i64 {count}, i64 0')
        limit = self.new(f'shufflevector <{n} x i64> {limit}, <{n} x i64> poison, <{n} x i32> zeroinitializer')
        lanes = ', '.join(f'i64 {i}' for i in range(n))
        return self.new(f'icmp slt <{n} x i64> <{lanes}>, {limit}')

    def masked_load(self, pointer, mask):
        t = self.t
        return self.new(f'call {t.vector} @llvm.masked.load.{t.name}.p0(ptr {pointer}, i32 {t.size}, '
                        f'<{t.lanes} x i1> {mask}, {t.vector} zeroinitializer)')

    def masked_store(self, value, pointer, mask):
        t = self.t
        self.line(f'call void @llvm.masked.store.{t.name}.p0({t.vector} {value}, ptr {pointer}, i32 {t.size}, '
                  f'<{t.lanes} x i1> {mask})')

    def total(self, vector):
        t = self.t
        return self.new(f'call reassoc {t.scalar} @llvm.vector.reduce.fadd.{t.name}({t.scalar} 0.0, '
                        f'{t.vector} {vector})')

    def prefetch(self, pointer, locality=3):
        self.line(f'call void @llvm.prefetch.p0(ptr {pointer}, i32 0, i32 {locality}, i32 1)')


SIGNATURES = {
    'micro': 'ptr a, i64 group, ptr b, i64 step, i64 depth, ptr c, i64 row, i64 add, ptr next',
    'panel': 'ptr a, i64 group, ptr b, i64 step, i64 depth, ptr c, i64 row, i64 rows, i64 columns, i64 add, ptr next',
    'store_part': 'ptr tile, ptr c, i64 row, i64 rows, i64 columns, i64 add',
    'pack_group': 'ptr target, i64 step, ptr source, i64 row, i64 column, i64 count, i64 depth',
    'pack_rows': 'ptr target, i64 group, ptr source, i64 row, i64 column, i64 rows, i64 depth',
    'pack_panel': 'ptr target, ptr source, i64 column, i64 row, i64 columns, i64 depth',
    'pack_windows': 'ptr target, ptr source, ptr taps, ptr places, i64 depth',
    'dot': 'ptr matrix, i64 row, ptr x, ptr y, i64 step, i64 k',
    'interleave': 'ptr target, ptr source, i64 step, i64 lanes, i64 elements',
    'separate': 'ptr target, ptr source, i64 step, i64 lanes, i64 elements',
    'pivot': 'ptr column, i64 step, i64 count, ptr chosen',
    'exchange': 'ptr first, i64 row, i64 columns, ptr chosen, i64 count',
    'rotate': 'ptr p, ptr q, ptr p_column, ptr q_column, i64 step, i64 count, ptr rotation',
    'square': 'ptr target, i64 target_step, ptr source, i64 source_step, i64 rows, i64 columns',
    'subtract': 'ptr rows, i64 row, i64 columns, ptr first, ptr factors, i64 step, i64 count',
    'pass': 'ptr source, i64 from, ptr target, i64 to, i64 radix, i64 m, i64 s, ptr roots, ptr factors',
    'dispatch': 'i64 number, ptr source, i64 from, ptr target, i64 to, i64 radix, i64 m, i64 s, ptr roots, ptr factors',
    'fetch': 'ptr source, i64 from, ptr target, i64 n, ptr factors',
    'put': 'ptr source, ptr target, i64 to, i64 n, ptr factors',
    'pair': 'ptr source, i64 from, ptr target, i64 n, ptr factors',
    'unpair': 'ptr source, ptr target, i64 to, i64 n, ptr factors',
    'turn': 'ptr source, ptr target, i64 n, i64 block, ptr row_roots, ptr roots',
    'mirror': 'ptr source, ptr target, i64 lo, i64 hi, i64 n, ptr row_roots, ptr roots',
    'ends': 'ptr source, ptr target, i64 n, i64 back',
    'change': 'ptr source, ptr target, i64 lo, i64 hi, i64 n',
    'transform': 'ptr step, ptr constants, ptr source, ptr target, ptr own, i64 bundle'}


def function(tile, name):
    """An internal function; its parameters are those of its name without numbers at the end."""
    parameters = SIGNATURES[name.rstrip('_0123456789')].replace(' ', ' %').replace(', %', ', ')
    return _Function(tile, f'define internal void @{name}({parameters}) noinline nounwind')


def kernel(tile, name, slots, constants):
    """(function, {name: value}) of a kernel with named slots and constants."""
    f = _Function(tile, f'define void @{name}(ptr noalias %slots, ptr noalias %constants, i64 %lo, i64 %hi, '
                        'i64 %worker)')
    values = {}
    for number, slot in enumerate(slots.split()):
        values[slot] = f.load('ptr', f.at('%slots', 8 * number))
    for number, constant in enumerate(constants.split()):
        values[constant] = f.load('i64', f.at('%constants', 8 * number))
    return f, values


# --- the micro-kernel

def micro_kernel(t, groups, vectors):
    """C (+)= A B for `groups` groups of packed rows and `vectors` vectors of columns; strides in bytes.

    Meanwhile a line of the panel that comes next is fetched in each turn, which the hardware would find out too late.
    """
    f = function(t, f'micro_{groups}_{vectors}')
    nbytes, c_rows = t.lanes * t.size, ['%c']
    acc = [[f.variable(t.vector, 'zeroinitializer') for _ in range(vectors)] for _ in range(GROUP * groups)]
    for _ in acc[1:]:
        c_rows.append(f.at(c_rows[-1], '%row'))
    for pointer in c_rows:
        f.prefetch(pointer)
    next_at = f.variable('ptr', '%next')
    a_at, b_at = f.variable('ptr', '%a'), f.variable('ptr', '%b')
    with f.loop(0, '%depth'):
        bs = [f.load(t.vector, f.at(f.get(b_at), v * nbytes)) for v in range(vectors)]
        for r, row in enumerate(acc):
            if r % GROUP == 0:
                a = f.at(a, '%group') if r else f.get(a_at)
            x = f.splat(f.load(t.scalar, f.at(a, r % GROUP * t.size)))
            for b, total in zip(bs, row):
                f.set(total, f.multiply_add(b, x, f.get(total)))
        f.prefetch(f.get(next_at), 2)
        f.advance(next_at, LINE)
        f.advance(b_at, '%step')
        f.advance(a_at, GROUP * t.size)
    places = [(x, f.at(pointer, v * nbytes)) for row, pointer in zip(acc, c_rows) for v, x in enumerate(row)]

    def add():
        for x, pointer in places:
            f.set(x, f.new(f'fadd {t.vector} {f.get(x)}, {f.load(t.vector, pointer)}'))
    f.branch(f.test('ne', '%add', 0), add)
    for x, pointer in places:
        f.store(t.vector, f.get(x), pointer)
    return f.text()


def store_part(t):
    """C (+)= the first rows and columns of a whole tile."""
    f = function(t, 'store_part')
    kind, lanes = (t.vector, t.lanes) if t.masked else (t.scalar, 1)

    def put(value, load, store):
        value = f.variable(kind, value)
        f.branch(f.test('ne', '%add', 0), lambda: f.set(value, f.new(f'fadd {kind} {f.get(value)}, {load()}')))
        store(f.get(value))
    with f.loop(0, '%rows') as r:
        source, target = f.at('%tile', f.mul(r, t.columns * t.size)), f.at('%c', f.mul(r, '%row'))
        with f.loop(0, '%columns', lanes) as j:
            offset = f.mul(j, t.size)
            value, place = f.load(kind, f.at(source, offset)), f.at(target, offset)
            if t.masked:
                mask = f.mask(f.sub('%columns', j))
                put(value, lambda: f.masked_load(place, mask), lambda x: f.masked_store(x, place, mask))
            else:
                put(value, lambda: f.load(kind, place), lambda x: f.store(kind, x, place))
    return f.text()


def panel_times_block(t):
    """All the rows of a packed block of A times one panel of B. What exceeds C is computed beside it."""
    f = function(t, 'panel')
    tile = f.fixed(f'[{t.rows * t.vectors} x {t.vector}]')
    a, c, left = f.variable('ptr', '%a'), f.variable('ptr', '%c'), f.variable('i64', '%rows')

    def tiles(shape, turns):
        groups, vectors = shape
        fits = f.test('sge', '%columns', vectors * t.lanes)

        def micro(place, row, add, ahead):
            f.call(f'micro_{groups}_{vectors}', f.get(a), '%group', '%b', '%step', '%depth', place, row, add, ahead)

        def beside():
            micro(tile, t.columns * t.size, 0, '%b')
            rows = f.min(f.get(left), GROUP * groups)
            f.call('store_part', tile, f.get(c), '%row', rows, '%columns', '%add')
        with f.loop(0, turns) as turn:
            lines = f.mul(f.mul(turn, '%depth'), LINE)
            some = f.test('slt', turn, -(-t.columns * t.size // LINE))
            ahead = f.new(f'select i1 {some}, ptr {f.at("%next", lines)}, ptr %b')
            whole = f.both(fits, f.test('sge', f.get(left), GROUP * groups))
            f.branch(whole, lambda: micro(f.get(c), '%row', '%add', ahead), beside)
            f.advance(a, f.mul('%group', groups))
            f.advance(c, f.mul('%row', GROUP * groups))
            f.set(left, f.sub(f.get(left), GROUP * groups))
    count = lambda rows: f.divmod(rows, t.rows)[0]
    if t.vectors > 1:
        f.branch(f.test('sle', '%columns', t.lanes), lambda: tiles((t.groups, 1), count('%rows')),
                 lambda: tiles((t.groups, t.vectors), count('%rows')))
    else:
        tiles((t.groups, 1), count('%rows'))
    tiles((1, t.vectors), f.divmod(f.add(f.get(left), GROUP - 1), GROUP)[0])
    return f.text()


# --- packing

def _interleaved(f, rows):
    """Four vectors as the vectors of their elements side by side: r0[0], r1[0], r2[0], r3[0], r0[1], ..."""
    def zip_(x, y):
        n, v = f.t.lanes, f.t.vector
        for half in (0, n // 2):
            order = ', '.join(f'i32 {half + i // 2 + n * (i % 2)}' for i in range(n))
            yield f.new(f'shufflevector {v} {x}, {v} {y}, <{n} x i32> <{order}>')
    even, odd = zip_(rows[0], rows[2]), zip_(rows[1], rows[3])
    return [z for x, y in zip(list(even), list(odd)) for z in zip_(x, y)]


def pack_group(t):
    """target[d, i] = source[i, d] for four i, 0 where there are fewer: by vectors along d or along i, or one by one."""
    f = function(t, 'pack_group')
    quad, done = f'<{GROUP} x {t.scalar}>', f.variable('i64', 0)
    whole = f.test('sge', '%count', GROUP)

    def transposed():
        end, at = f.sub('%depth', f.divmod('%depth', t.lanes)[1]), ['%source']
        for _ in range(GROUP - 1):
            at.append(f.at(at[-1], '%row'))
        with f.loop(0, end, t.lanes) as d:
            place = f.variable('ptr', f.at('%target', f.mul(d, '%step')))
            for vector in _interleaved(f, [f.load(t.vector, f.at(x, f.mul(d, t.size))) for x in at]):
                for q in range(0, t.lanes, GROUP):
                    order = ', '.join(f'i32 {q + i}' for i in range(GROUP))
                    part = f.new(f'shufflevector {t.vector} {vector}, {t.vector} poison, <{GROUP} x i32> <{order}>')
                    f.store(quad, part, f.get(place))
                    f.advance(place, '%step')
        f.set(done, end)

    def copied():
        with f.loop(0, '%depth') as d:
            f.store(quad, f.load(quad, f.at('%source', f.mul(d, '%column'))), f.at('%target', f.mul(d, '%step')))
        f.set(done, '%depth')

    def zeros():
        with f.loop(0, '%depth') as d:
            f.store(quad, 'zeroinitializer', f.at('%target', f.mul(d, '%step')))

    def copied_or_nothing():
        f.branch(f.test('eq', '%row', t.size), copied)

    def fast():
        if t.lanes < GROUP:
            copied_or_nothing()
        else:
            f.branch(f.test('eq', '%column', t.size), transposed, copied_or_nothing)
    f.branch(whole, fast, zeros)
    with f.loop(f.get(done), '%depth') as d:
        to, at = f.at('%target', f.mul(d, '%step')), f.at('%source', f.mul(d, '%column'))
        with f.loop(0, f.min('%count', GROUP)) as i:
            f.store(t.scalar, f.load(t.scalar, f.at(at, f.mul(i, '%row'))), f.at(to, f.mul(i, t.size)))
    return f.text()


def pack_rows(t):
    """Rows in groups: target[g, d, i] = source[4 g + i, d]; a group's missing rows are 0. Strides in bytes."""
    f = function(t, 'pack_rows')
    target = f.variable('ptr', '%target')
    with f.loop(0, '%rows', GROUP) as r:
        f.call('pack_group', f.get(target), GROUP * t.size, f.at('%source', f.mul(r, '%row')), '%row', '%column',
               f.sub('%rows', r), '%depth')
        f.advance(target, '%group')
    return f.text()


def _pack_panel(t):
    """A panel of B: target[d, j] = source[d, j], 0 for the missing columns. Strides in bytes."""
    f = function(t, 'pack_panel')
    nbytes, step = t.lanes * t.size, t.columns * t.size

    def rows():
        with f.loop(0, '%depth') as d:
            at, to = f.at('%source', f.mul(d, '%row')), f.at('%target', f.mul(d, step))
            for v in range(t.vectors):
                f.store(t.vector, f.load(t.vector, f.at(at, v * nbytes)), f.at(to, v * nbytes))

    def groups():
        with f.loop(0, t.columns, GROUP) as j:
            f.call('pack_group', f.at('%target', f.mul(j, t.size)), step, f.at('%source', f.mul(j, '%column')),
                   '%column', '%row', f.sub('%columns', j), '%depth')
    whole = f.test('sge', '%columns', t.columns)
    f.branch(f.both(whole, f.test('eq', '%column', t.size)), rows, groups)
    return f.text()


# --- kernels

def _gemm_pack(t):
    f, v = kernel(t, 'gemm_pack', 'b packed',
                  'n k offset column row batch0 batch1 count1 panels packs depth panel to0 to1')
    with f.loop('%lo', '%hi') as item:
        rest, pack = f.divmod(item, v['packs'])
        rest, number = f.divmod(rest, v['panels'])
        i0, i1 = f.divmod(rest, v['count1'])
        d, j = f.mul(pack, v['depth']), f.mul(number, t.columns)
        source = f.at(v['b'], v['offset'], f.mul(i0, v['batch0']), f.mul(i1, v['batch1']), f.mul(d, v['row']),
                      f.mul(j, v['column']))
        target = f.at(v['packed'], f.mul(i0, v['to0']), f.mul(i1, v['to1']), f.mul(number, v['panel']),
                      f.mul(d, t.columns * t.size))
        f.call('pack_panel', target, source, v['column'], v['row'], f.sub(v['n'], j),
               f.min(v['depth'], f.sub(v['k'], d)))
    return f.text()


def _gemm(t):
    f, v = kernel(t, 'gemm', 'a b c packed scratch',
                  'm n k rows columns depth row_blocks column_blocks count1 mode accumulate '
                  'a_offset a_row a_column a_batch0 a_batch1 b_offset b_column b_row b_batch0 b_batch1 '
                  'c_offset c_row c_batch0 c_batch1 panel packed0 packed1 group edge scratch_bytes ahead')
    stack = f.fixed(f'[{STACK_BYTES} x i8]')
    own = f.new(f'select i1 {f.test("eq", v["scratch_bytes"], 0)}, ptr {stack}, '
                f'ptr {f.at(v["scratch"], f.mul("%worker", v["scratch_bytes"]))}')
    edge = f.at(own, v['edge'])
    before, direct = f.test('eq', v['mode'], 2), f.test('eq', v['mode'], 0)
    with f.loop('%lo', '%hi') as item:
        rest, column = f.divmod(item, v['column_blocks'])
        rest, row = f.divmod(rest, v['row_blocks'])
        i0, i1 = f.divmod(rest, v['count1'])
        i, j_from = f.mul(row, v['rows']), f.mul(column, v['columns'])
        j_to = f.min(v['n'], f.add(j_from, v['columns']))
        rows = f.min(v['rows'], f.sub(v['m'], i))
        a = f.at(v['a'], v['a_offset'], f.mul(i0, v['a_batch0']), f.mul(i1, v['a_batch1']), f.mul(i, v['a_row']))
        b = f.at(v['b'], v['b_offset'], f.mul(i0, v['b_batch0']), f.mul(i1, v['b_batch1']))
        c = f.at(v['c'], v['c_offset'], f.mul(i0, v['c_batch0']), f.mul(i1, v['c_batch1']), f.mul(i, v['c_row']))
        packed = f.at(v['packed'], f.mul(i0, v['packed0']), f.mul(i1, v['packed1']))
        with f.loop(0, f.max(v['k'], 1), v['depth']) as d:           # once for k = 0: zeros
            depth = f.min(v['depth'], f.sub(v['k'], d))
            f.call('pack_rows', own, v['group'], f.at(a, f.mul(d, v['a_column'])), v['a_row'], v['a_column'], rows,
                   depth)
            add = f.new(f'or i64 {d}, {v["accumulate"]}')
            with f.loop(j_from, j_to, t.columns) as j:
                columns = f.min(t.columns, f.sub(j_to, j))
                place, step = f.variable('ptr', edge), f.variable('i64', t.columns * t.size)
                source = f.at(b, f.mul(d, v['b_row']), f.mul(j, v['b_column']))

                def from_packed():
                    number = f.divmod(j, t.columns)[0]
                    f.set(place, f.at(packed, f.mul(number, v['panel']), f.mul(d, t.columns * t.size)))

                def from_b():
                    f.set(place, source)
                    f.set(step, v['b_row'])

                def pack():
                    f.call('pack_panel', edge, source, v['b_column'], v['b_row'], columns, depth)
                f.branch(before, from_packed, lambda: f.branch(
                    f.both(direct, f.test('eq', columns, t.columns)), from_b, pack))

                following = f.at(f.get(place), v['ahead'])
                f.call('panel', own, v['group'], f.get(place), f.get(step), depth, f.at(c, f.mul(j, t.size)),
                       v['c_row'], rows, columns, add, following)
    return f.text()


# --- products with a vector

def _rows_dot(t, rows, vectors):
    """y_j = sum_k M_jk x_k for `rows` rows, contiguous along k."""
    f = function(t, f'dot_{rows}')
    at = ['%matrix']
    for _ in range(rows - 1):
        at.append(f.at(at[-1], '%row'))
    acc = [[f.variable(t.vector, 'zeroinitializer') for _ in range(vectors)] for _ in at]
    nbytes = t.lanes * t.size

    def turn(d, numbers, load):
        offset = f.mul(d, t.size)
        for v in numbers:
            x = load(f.at('%x', offset, v * nbytes))
            for row, pointer in zip(acc, at):
                f.set(row[v], f.multiply_add(load(f.at(pointer, offset, v * nbytes)), x, f.get(row[v])))
    plain = lambda pointer: f.load(t.vector, pointer)
    long_end = f.sub('%k', f.divmod('%k', vectors * t.lanes)[1])
    end = f.sub('%k', f.divmod('%k', t.lanes)[1])
    with f.loop(0, long_end, vectors * t.lanes) as d:
        turn(d, range(vectors), plain)
    with f.loop(long_end, end, t.lanes) as d:
        turn(d, [0], plain)
    with f.loop(end, '%k', t.lanes) as d:
        mask = f.mask(f.sub('%k', d))
        turn(d, [0], lambda pointer: f.masked_load(pointer, mask))
    y = '%y'
    for row in acc:
        values = [f.get(x) for x in row]
        while len(values) > 1:
            values = [f.new(f'fadd {t.vector} {p}, {q}') for p, q in zip(values[::2], values[1::2])]
        f.store(t.scalar, f.total(values[0]), y)
        y = f.at(y, '%step')
    return f.text()


_MATVEC = 'j k block blocks count1 m_offset m_row m_column m_batch0 m_batch1 x_offset x_step x_batch0 x_batch1 ' \
          'y_offset y_step y_batch0 y_batch1'


def _matvec_item(f, v, item):
    """(matrix, x, y, number of rows) of an item."""
    rest, block = f.divmod(item, v['blocks'])
    i0, i1 = f.divmod(rest, v['count1'])
    j = f.mul(block, v['block'])
    base = lambda name: f.at(v[name], v[f'{name}_offset'], f.mul(i0, v[f'{name}_batch0']),
                             f.mul(i1, v[f'{name}_batch1']))
    return (f.at(base('m'), f.mul(j, v['m_row'])), base('x'), f.at(base('y'), f.mul(j, v['y_step'])),
            f.min(v['block'], f.sub(v['j'], j)))


def _gemv_dot(t):
    f, v = kernel(t, 'gemv_dot', 'm x y', _MATVEC)
    with f.loop('%lo', '%hi') as item:
        matrix, x, y, count = _matvec_item(f, v, item)
        end = f.sub(count, f.divmod(count, 4)[1])
        for rows, lo, hi in ((4, 0, end), (1, end, count)):
            with f.loop(lo, hi, rows) as j:
                f.call(f'dot_{rows}', f.at(matrix, f.mul(j, v['m_row'])), v['m_row'], x, f.at(y, f.mul(j, v['y_step'])),
                       v['y_step'], v['k'])
    return f.text()


def _gemv_axpy(t):
    """Some rows of the contraction at a time, so that memory is read in a few long streams."""
    f, v = kernel(t, 'gemv_axpy', 'm x y', _MATVEC)
    with f.loop('%lo', '%hi') as item:
        matrix, x, y, count = _matvec_item(f, v, item)
        whole = f.sub(count, f.divmod(count, t.lanes)[1])
        clear = f.mask(f.sub(count, whole))
        with f.loop(0, whole, t.lanes) as j:
            f.store(t.vector, 'zeroinitializer', f.at(y, f.mul(j, t.size)))
        f.masked_store('zeroinitializer', f.at(y, f.mul(whole, t.size)), clear)
        end = f.sub(v['k'], f.divmod(v['k'], AXPY_ROWS)[1])
        for rows, lo, hi in ((AXPY_ROWS, 0, end), (1, end, v['k'])):
            with f.loop(lo, hi, rows) as d:
                _axpy_rows(f, v, rows, f.at(matrix, f.mul(d, v['m_column'])), f.at(x, f.mul(d, v['x_step'])), y, whole,
                           count, clear)
    return f.text()


def _axpy_rows(f, v, rows, matrix, x, y, whole, count, clear):
    t, at, factors = f.t, [], []
    for _ in range(rows):
        at.append(matrix)
        factors.append(f.splat(f.load(t.scalar, x)))
        matrix, x = f.at(matrix, v['m_column']), f.at(x, v['x_step'])

    def turn(j, load, store):
        offset = f.mul(j, t.size)
        place = f.at(y, offset)
        total = load(place)
        for pointer, factor in zip(at, factors):
            total = f.multiply_add(load(f.at(pointer, offset)), factor, total)
        store(total, place)
    with f.loop(0, whole, t.lanes) as j:
        turn(j, lambda at: f.load(t.vector, at), lambda x, at: f.store(t.vector, x, at))
    f.branch(f.test('slt', whole, count),
             lambda: turn(whole, lambda at: f.masked_load(at, clear), lambda x, at: f.masked_store(x, at, clear)))
