"""Matrix product with a fused tail, as Triton source text.

    out[b, m, n] = tail(sum over k of a[b, m, k] * b[b, k, n])

The tail is text: lines that change `acc`, so that a code generator puts any elementwise expression
there. Sizes and strides are run-time arguments; a new shape is a new kernel only if other facts
hold about it (`Product`, `facts`) or another tile suits it (`choices`).

    product = Product('bf16', 'bf16', 'bf16', epilogue=RELU, extra={'bias': '*fp32'})
    choice = choices(M, N, K, 'bf16')
    text, types, constants = source(product), signature(product), constexprs(choice)

How it stays fast (measured on the machine code for sm_90): the main loop over K has no mask, a
masked tail follows it; rows and columns beyond the edge wrap around (`% M`) and are declared
contiguous, so that a mask is needed only for the store; addresses are 16-byte aligned when the
strides are multiples of 16, whatever M, N and K are. A stride that is not costs vector loads and
asynchronous copies, whatever else is done.

A wrapped row still reads at most the 16-byte chunk of an element inside of the matrix. Nothing is
read when M, N or the batch is 0; K = 0 gives the tail of zeros.
"""

import dataclasses

HEADER = 'import triton\nimport triton.language as tl\n'
NAME = 'matmul'

# Type of the sum for each operand type, and how tl.dot takes the operands.
ACCUMULATORS = {'fp64': 'float64', 'i8': 'int32'}
PRECISIONS = ('ieee', 'tf32', 'tf32x3')
_LANGUAGE = {'fp64': 'float64', 'fp32': 'float32', 'fp16': 'float16', 'bf16': 'bfloat16',
             'fp8e4nv': 'float8e4nv', 'fp8e5': 'float8e5', 'i8': 'int8', 'i32': 'int32'}
ITEM_BYTES = {'fp64': 8, 'fp32': 4, 'i32': 4, 'fp16': 2, 'bf16': 2, 'fp8e4nv': 1, 'fp8e5': 1,
              'i8': 1}

# Depth of the masked slices by element size: the smallest that tl.dot takes on each version of
# Triton.
TAIL_DEPTH = {8: 16, 4: 16, 2: 16, 1: 32}

# Tails. Names that a tail may use: acc, rows (BM), columns (BN), mask (BM, BN), offsets (BM, BN: of
# the elements of out, without the batch), batch, M, N, K, out, and the parameters in `extra`.
BIAS = ('acc += tl.load(bias + columns, mask=columns < N, other=0.0).to(acc.dtype)[None, :]',)
RELU = ('acc = tl.maximum(acc, 0.0, propagate_nan=tl.PropagateNan.ALL)',)
RESIDUAL = ('acc += tl.load(residual + out_batch + offsets, mask=mask, other=0.0).to(acc.dtype)',)


@dataclasses.dataclass(frozen=True)
class Product:
    """What a kernel is specialised for, sizes apart.

    a, b, out        element types, as in 'bf16'
    a_unit           axis of a with stride 1: 'k' (row-major), 'm' (a transposed view), None:
                     neither
    b_unit           'n', 'k' or None
    out_unit         'n', 'm' or None
    batched          a leading axis with strides of its own (0 to broadcast)
    wide             64-bit offsets: needed when an operand has an element 2**31 or more elements
                     from its start
    precision        of float32 products: 'ieee', or by name 'tf32', 'tf32x3'
    epilogue         lines of text that change `acc`
    extra            {parameter: type} of the epilogue's own parameters, in order
    """
    a: str
    b: str
    out: str
    a_unit: str | None = 'k'
    b_unit: str | None = 'n'
    out_unit: str | None = 'n'
    batched: bool = False
    wide: bool = False
    precision: str = 'ieee'
    epilogue: tuple = ()
    extra: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        for operand, axes in (('a', 'mk'), ('b', 'kn'), ('out', 'mn')):
            if getattr(self, operand) not in ITEM_BYTES:
                raise ValueError(f'{operand}: no matrix product for the type '
                                 f'{getattr(self, operand)}')
            if getattr(self, operand + '_unit') not in (*axes, None):
                raise ValueError(f'{operand}_unit must be one of {tuple(axes)} or None')
        if (self.a == 'i8') != (self.b == 'i8'):
            raise ValueError(f'no matrix product of {self.a} and {self.b}: convert one of them')
        if self.precision not in PRECISIONS:
            raise ValueError(f'precision must be one of {PRECISIONS}, not {self.precision!r}')

    @property
    def operand(self):
        """Type in which the operands are multiplied: the smallest that holds both exactly."""
        if self.a == self.b:
            return self.a
        sizes = ITEM_BYTES[self.a], ITEM_BYTES[self.b]
        if sizes[0] != sizes[1]:
            return self.a if sizes[0] > sizes[1] else self.b
        return 'fp16' if sizes[0] == 1 else 'fp32'


def unit_axis(strides, axes):
    """The axis of a matrix that has stride 1, for `a_unit` and its like; None if neither has.

    strides   two strides in elements
    axes      names of the two axes: 'mk', 'kn' or 'mn'
    """
    return axes[1] if strides[1] == 1 else axes[0] if strides[0] == 1 else None


def _strides(product):
    """Names of the stride parameters: those that are not 1."""
    axes = (('a', 'mk', product.a_unit), ('b', 'kn', product.b_unit),
            ('out', 'mn', product.out_unit))
    return [f'{operand}_{axis}' for operand, pair, unit in axes for axis in pair if axis != unit]


def _batch_strides(product):
    return ['a_batch', 'b_batch', 'o_batch'] if product.batched else []


def signature(product):
    """{parameter: type} in the kernel's order, without constexprs.

    a, b, out, the parameters of `extra`, M, N, K, then strides in elements: a_m, a_k, b_k, b_n,
    out_m, out_n except those that are 1, then a_batch, b_batch, o_batch if batched.
    """
    stride = 'i64' if product.wide else 'i32'
    return {'a': '*' + product.a, 'b': '*' + product.b, 'out': '*' + product.out, **product.extra,
            'M': 'i32', 'N': 'i32', 'K': 'i32', **{name: stride for name in _strides(product)},
            **{name: 'i64' for name in _batch_strides(product)}}


def facts(product, values):
    """Names of the parameters to declare divisible by 16, of `values` {parameter: address, size or
    stride}.

    M is left out: nothing depends on it, and each fact doubles the number of kernels. N decides the
    width of the store, K that of what is left over from the main loop.
    """
    pointers = ['a', 'b', 'out', *(n for n, t in product.extra.items() if t[0] == '*')]
    names = [*pointers, 'N', 'K', *_strides(product), *_batch_strides(product)]
    return tuple(name for name in names if name in values and values[name] % 16 == 0)


def _offset(operand, axis, index, unit, wide):
    """Offset of an index along an axis, broadcast to the tile's two dimensions."""
    text = f'{index}.to(tl.int64)' if wide and axis != unit else index
    return text + {'m': '[:, None]', 'n': '[None, :]'}[axis] if axis == unit else \
        f'({text} * {operand}_{axis})' + {'m': '[:, None]', 'n': '[None, :]'}[axis]


def _along_k(operand, unit, index):
    return index if unit == 'k' else f'{index} * {operand}_k'


def _step(operand, unit):
    return '{}' if unit == 'k' else '{} * ' + operand + '_k'


def _dot(product, depth):
    """The statement that adds a tile's product.

    float8 sums lose bits on Hopper unless promoted regularly.
    """
    accumulator = ACCUMULATORS.get(product.operand, 'float32')
    options = f'out_dtype=tl.{accumulator}'
    if product.operand == 'fp32':
        options += f', input_precision={product.precision!r}'
    if product.operand.startswith('fp8'):
        options += f', max_num_imprecise_acc={depth}'
    operands = [name if own == product.operand else f'{name}.to(tl.{_LANGUAGE[product.operand]})'
                for name, own in (('x', product.a), ('y', product.b))]
    return f'acc = tl.dot({operands[0]}, {operands[1]}, acc, {options})'


_TILE = '''\
    program = tl.program_id(0)
    tiles_m = tl.cdiv(M, BM)
    tiles_n = tl.cdiv(N, BN)
    tiles = tiles_m * tiles_n
    batch = (program // tiles).to(tl.int64)
    program = program % tiles
    in_group = GROUP * tiles_n
    first = program // in_group * GROUP
    height = tl.minimum(tiles_m - first, GROUP)
    tile_m = first + program % in_group % height
    tile_n = program % in_group // height
    rows = tile_m * BM + tl.arange(0, BM)
    columns = tile_n * BN + tl.arange(0, BN)
    inner_rows = tl.max_contiguous(tl.multiple_of(rows % M, BM), BM)
    inner_columns = tl.max_contiguous(tl.multiple_of(columns % N, BN), BN)
    depth = tl.arange(0, BK)
'''


def _pointers(product, depth):
    """Statements that make the pointers to a tile of a and of b, at depths `depth`."""
    a_batch, b_batch = (' + batch * a_batch', ' + batch * b_batch') if product.batched else ('', '')
    rows = _offset('a', 'm', 'inner_rows', product.a_unit, product.wide)
    columns = _offset('b', 'n', 'inner_columns', product.b_unit, product.wide)
    return (f"at = a{a_batch} + {rows} + {_along_k('a', product.a_unit, depth + '[None, :]')}",
            f"bt = b{b_batch} + {_along_k('b', product.b_unit, depth + '[:, None]')} + {columns}")


def _loop(product):
    """The product: unmasked over whole blocks of K, then what is left of K in slices that are as
    thin as can be.

    One masked block instead of slices needs up to 192 byte loads at once, and spills.
    """
    fill = '0' if product.operand == 'i8' else '0.0'
    accumulator = ACCUMULATORS.get(product.operand, 'float32')
    a_step, b_step = _step('a', product.a_unit), _step('b', product.b_unit)
    thin = TAIL_DEPTH[ITEM_BYTES[product.operand]]
    start_a, start_b = _pointers(product, 'depth')
    left_a, left_b = _pointers(product, '(whole + thin)')
    return f'''\
    {start_a}
    {start_b}
    acc = tl.zeros((BM, BN), dtype=tl.{accumulator})
    for block in range(0, K // BK):
        x = tl.load(at)
        y = tl.load(bt)
        {_dot(product, 'BK')}
        at += {a_step.format('BK')}
        bt += {b_step.format('BK')}
    whole = K // BK * BK
    thin = tl.arange(0, {thin})
    {left_a}
    {left_b}
    for k in tl.range(whole, K, {thin}, num_stages=1):
        x = tl.load(at, mask=thin[None, :] < K - k, other={fill})
        y = tl.load(bt, mask=thin[:, None] < K - k, other={fill})
        {_dot(product, thin)}
        at += {a_step.format(thin)}
        bt += {b_step.format(thin)}
'''


def _tail(product):
    """Epilogue and store."""
    indent = '    '
    rows = _offset('out', 'm', 'rows', product.out_unit, product.wide)
    columns = _offset('out', 'n', 'columns', product.out_unit, product.wide)
    lines = ['mask = (rows[:, None] < M) & (columns[None, :] < N)',
             f'offsets = {rows} + {columns}',
             f'out_batch = {"batch * o_batch" if product.batched else "0"}',
             *product.epilogue,
             'tl.store(out + out_batch + offsets, acc.to(out.dtype.element_ty), mask=mask)']
    return ''.join(f'{indent}{line}\n' for line in lines)


def source(product):
    """Source text of the kernel `matmul`; constexprs: BM, BN, BK, GROUP."""
    constants = [f'{name}: tl.constexpr' for name in ('BM', 'BN', 'BK', 'GROUP')]
    head = f'def {NAME}({", ".join([*signature(product), *constants])}):\n'
    return f'{HEADER}\n\n@triton.jit\n{head}{_TILE}{_loop(product)}{_tail(product)}'


# ---- tiles ---------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Choice:
    """A tile: BM x BN elements of the result, BK deep; GROUP rows of tiles share columns in the
    cache.
    """
    BM: int
    BN: int
    BK: int
    num_warps: int
    num_stages: int
    GROUP: int = 8

    @property
    def sums(self):
        """Elements of the result that one thread holds."""
        return self.BM * self.BN // (32 * self.num_warps)


# By operand type, from large to small. The first tile that fills the processors is taken. Each of
# them compiles to sm_90 without spills (a test asserts it). 128 x 256 needs 8 warps, and float8,
# whose sums are kept twice, spills there.
_HALF = (Choice(128, 256, 64, 8, 3), Choice(128, 128, 64, 8, 3), Choice(64, 128, 64, 4, 4),
         Choice(64, 64, 64, 4, 4), Choice(16, 128, 64, 4, 4), Choice(16, 64, 128, 4, 4))
_EIGHT = (Choice(128, 128, 128, 8, 3), Choice(64, 128, 128, 4, 4), Choice(64, 64, 128, 4, 4),
          Choice(16, 64, 128, 4, 4))
_INTEGER = (Choice(128, 256, 128, 8, 3), *_EIGHT)
_FULL = (Choice(128, 128, 16, 8, 3), Choice(64, 64, 16, 4, 3), Choice(32, 64, 16, 4, 3),
         Choice(16, 64, 32, 4, 3))
_TF32 = (Choice(128, 128, 32, 8, 3), Choice(64, 128, 32, 4, 3), Choice(64, 64, 32, 4, 4),
         Choice(16, 64, 32, 4, 4))
_DOUBLE = (Choice(64, 64, 16, 8, 3), Choice(32, 32, 16, 4, 3), Choice(16, 32, 16, 4, 3))
TILES = {'fp16': _HALF, 'bf16': _HALF, 'fp8e4nv': _EIGHT, 'fp8e5': _EIGHT, 'i8': _INTEGER,
         'fp32': _FULL, 'tf32': _TF32, 'fp64': _DOUBLE}


def _tiles(size, block):
    return -(-size // block)


def choices(M, N, K, dtype, batch=1, processors=132, heavy_tail=False):
    """The tile for a product of these sizes.

    dtype       operand type; 'tf32' for float32 with that precision
    processors  multiprocessors of the device (132 on an H100)
    heavy_tail  the tail loads or stores whole tiles (a residual), or calls functions (erf, exp): a
                thread with 128 sums has no registers left for that, and spills
    """
    tiles = [c for c in TILES[dtype] if not heavy_tail or c.sums <= 64]
    fitting = [c for c in tiles
               if c.BM <= max(16, _power_of_two(M)) and c.BN <= max(64, _power_of_two(N))]
    for choice in fitting or tiles[-1:]:
        if batch * _tiles(M, choice.BM) * _tiles(N, choice.BN) >= processors:
            return choice
    return (fitting or tiles)[-1]


def _power_of_two(size):
    return 1 << max(0, size - 1).bit_length()


def constexprs(choice):
    """Constexprs of the kernel."""
    return {'BM': choice.BM, 'BN': choice.BN, 'BK': choice.BK, 'GROUP': choice.GROUP}


def options(choice):
    """Options of the compiler."""
    return {'num_warps': choice.num_warps, 'num_stages': choice.num_stages}


def grid(M, N, choice, batch=1):
    """Number of programs."""
    return (_tiles(M, choice.BM) * _tiles(N, choice.BN) * batch,)
