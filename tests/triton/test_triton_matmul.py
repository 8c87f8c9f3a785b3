"""The matrix product: numerics under the guarded interpreter, machine code for sm_90."""

import ml_dtypes
import numpy as np
import pytest

from lazy.codegen.triton_compile import (accesses, compile_kernel, lower, matrix_instructions,
                                         narrowest, spills, widest)
from lazy.codegen.triton_interpreter import OutOfBounds, run
from lazy.kernels import matmul
from lazy.kernels.matmul import BIAS, RELU, RESIDUAL, Choice, Product

DTYPES = {'fp64': np.float64, 'fp32': np.float32, 'fp16': np.float16, 'bf16': ml_dtypes.bfloat16,
          'fp8e4nv': ml_dtypes.float8_e4m3fn, 'fp8e5': ml_dtypes.float8_e5m2, 'i8': np.int8,
          'i32': np.int32}
NAMES = {np.dtype(dtype): name for name, dtype in DTYPES.items()}
SMALL = Choice(32, 32, 32, 4, 3, GROUP=3)


def random(dtype, *shape, seed=0):
    values = np.random.default_rng(seed).standard_normal(shape) * (10 if dtype == 'i8' else 1)
    return values.astype(DTYPES[dtype])


def elements(array):
    return tuple(stride // array.itemsize for stride in array.strides)


def launch(a, b, out, choice=SMALL, extra=None, **options):
    """Run the kernel on arrays of any strides; with a leading axis, batched."""
    extra = extra or {}
    batched = out.ndim == 3
    strides = {name: elements(array)[-2:] for name, array in (('a', a), ('b', b), ('out', out))}
    types = {name: '*' + NAMES[value.dtype] if isinstance(value, np.ndarray) else 'fp32'
             for name, value in extra.items()}
    product = Product(NAMES[a.dtype], NAMES[b.dtype], NAMES[out.dtype],
                      matmul.unit_axis(strides['a'], 'mk'), matmul.unit_axis(strides['b'], 'kn'),
                      matmul.unit_axis(strides['out'], 'mn'), batched, extra=types, **options)
    (M, K), N = a.shape[-2:], b.shape[-1]
    values = {'a': a, 'b': b, 'out': out, **extra, 'M': M, 'N': N, 'K': K}
    for name, axes in (('a', 'mk'), ('b', 'kn'), ('out', 'mn')):
        values.update({f'{name}_{axis}': s for axis, s in zip(axes, strides[name])})
    if batched:
        values.update(a_batch=elements(a)[0], b_batch=elements(b)[0], o_batch=elements(out)[0])
    signature = matmul.signature(product)
    arguments = {name: values[name] for name in signature}
    batch = out.shape[0] if batched else 1
    run(matmul.source(product), matmul.NAME, matmul.grid(M, N, choice, batch), arguments,
        matmul.constexprs(choice), types=signature)
    return out


def check(out, expected, dtype):
    """Within the rounding of the result and of the sums."""
    precision = {'fp64': 1e-13, 'fp32': 3e-6, 'fp16': 2e-3, 'bf16': 1e-2}.get(dtype, 1e-5)
    scale = np.abs(expected).max(initial=1)
    np.testing.assert_allclose(out.astype(np.float64), expected, rtol=precision,
                               atol=precision * scale / 10)


def exact(a, b):
    return a.astype(np.float64) @ b.astype(np.float64)


# ---- numerics ------------------------------------------------------------------------------------

OUT = {'fp8e4nv': 'fp32', 'fp8e5': 'bf16', 'i8': 'i32'}
SHAPES = [(1, 1, 1), (64, 64, 64), (70, 130, 50), (33, 17, 100), (5, 200, 7), (100, 65, 33)]


@pytest.mark.parametrize('dtype', ['fp64', 'fp32', 'fp16', 'bf16', 'fp8e4nv', 'fp8e5', 'i8'])
@pytest.mark.parametrize('shape', SHAPES, ids=str)
def test_types_and_odd_shapes(dtype, shape):
    M, N, K = shape
    a, b = random(dtype, M, K), random(dtype, K, N, seed=1)
    out = np.full((M, N), 7).astype(DTYPES[OUT.get(dtype, dtype)])
    check(launch(a, b, out), exact(a, b), OUT.get(dtype, dtype))


@pytest.mark.parametrize('types', [('fp16', 'bf16'), ('bf16', 'fp32'), ('fp8e4nv', 'fp8e5'),
                                   ('fp8e5', 'fp16'), ('fp32', 'fp64')], ids=str)
def test_mixed_types_are_multiplied_exactly(types):
    a, b = random(types[0], 20, 40), random(types[1], 40, 36, seed=1)
    out = np.zeros((20, 36), np.float32)
    check(launch(a, b, out), exact(a, b), 'fp32')


def test_float32_means_float32_unless_tf32_is_asked_for():
    a, b = random('fp32', 40, 64), random('fp32', 64, 40, seed=1)
    expected = exact(a, b)
    full = launch(a, b, np.zeros((40, 40), np.float32))
    fast = launch(a, b, np.zeros((40, 40), np.float32), precision='tf32')
    assert np.abs(full - expected).max() < 1e-5 < 1e-3 < np.abs(fast - expected).max()


LAYOUTS = {
    'rows': lambda x: x, 'columns': lambda x: np.asfortranarray(x),
    'padded': lambda x: np.pad(x, ((0, 0), (0, 5)))[:, :x.shape[1]],
    'neither': lambda x: np.repeat(np.repeat(x, 2, 0), 3, 1)[::2, ::3],
}


@pytest.mark.parametrize('a_layout', LAYOUTS)
@pytest.mark.parametrize('b_layout', LAYOUTS)
def test_layouts_of_operands(a_layout, b_layout):
    a, b = random('fp32', 37, 45), random('fp32', 45, 50, seed=1)
    out = np.zeros((37, 50), np.float32)
    check(launch(LAYOUTS[a_layout](a), LAYOUTS[b_layout](b), out), exact(a, b), 'fp32')


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('wide', [False, True])
def test_layouts_of_the_result(layout, wide):
    a, b = random('fp32', 37, 45), random('fp32', 45, 50, seed=1)
    out = LAYOUTS[layout](np.zeros((37, 50), np.float32))
    check(launch(a, b, out, wide=wide), exact(a, b), 'fp32')


@pytest.mark.parametrize('wide', [False, True])
def test_batches_and_broadcast_operands(wide):
    a, b = random('fp32', 3, 20, 40), random('fp32', 3, 40, 50, seed=1)
    out = np.zeros((3, 20, 50), np.float32)
    check(launch(a, b, out, wide=wide), exact(a, b), 'fp32')
    one = np.broadcast_to(b[:1], b.shape)
    check(launch(a, one, out), exact(a, one), 'fp32')


def test_empty_sizes():
    a, b = np.zeros((4, 0), np.float32), np.zeros((0, 5), np.float32)
    out = np.full((4, 5), 7, np.float32)
    assert (launch(a, b, out) == 0).all()
    assert launch(np.zeros((0, 8), np.float32), np.zeros((8, 5), np.float32),
                  np.zeros((0, 5), np.float32)).size == 0


@pytest.mark.parametrize('dtype', ['fp32', 'bf16', 'fp16'])
def test_bias_activation_residual_and_cast(dtype):
    a, b = random(dtype, 40, 50), random(dtype, 50, 70, seed=1)
    bias, residual = random('fp32', 70, seed=2), random(dtype, 40, 70, seed=3)
    out = np.zeros((40, 70), DTYPES[dtype])
    launch(a, b, out, extra={'bias': bias, 'residual': residual}, epilogue=BIAS + RELU + RESIDUAL)
    check(out, np.maximum(exact(a, b) + bias, 0) + residual.astype(np.float64), dtype)


def test_tails_with_numbers_functions_and_second_results():
    lines = ('acc = acc * scale',
             'tl.store(before + offsets, acc, mask=mask)',
             'acc = acc / (1.0 + tl.exp(-acc))')
    a, b = random('fp32', 33, 20), random('fp32', 20, 40, seed=1)
    before, out = np.zeros((33, 40), np.float32), np.zeros((33, 40), np.float32)
    launch(a, b, out, extra={'scale': 0.5, 'before': before}, epilogue=lines)
    z = 0.5 * exact(a, b)
    check(before, z, 'fp32')
    check(out, z / (1 + np.exp(-z)), 'fp32')


def test_relu_keeps_nan():
    a = np.full((1, 1), np.nan, np.float32)
    assert np.isnan(launch(a, a, np.zeros((1, 1), np.float32), epilogue=RELU)).all()


@pytest.mark.parametrize('dtype', ['bf16', 'fp32'])
def test_every_tile_gives_the_same(dtype):
    a, b = random(dtype, 150, 140), random(dtype, 140, 270, seed=1)
    for choice in matmul.TILES[dtype]:
        check(launch(a, b, np.zeros((150, 270), np.float32), choice), exact(a, b), 'fp32')


def test_the_guard_watches():
    a, b = random('fp32', 40, 40), random('fp32', 40, 40, seed=1)
    with pytest.raises(OutOfBounds):
        launch(a, b, np.zeros((40, 40), np.float32), extra={'bias': a[0, :30]}, epilogue=BIAS)


# ---- descriptions --------------------------------------------------------------------------------

def test_signature_and_facts():
    product = Product('bf16', 'bf16', 'fp32', b_unit='k', out_unit=None, batched=True,
                      epilogue=BIAS, extra={'bias': '*fp32', 'scale': 'fp32'})
    assert list(matmul.signature(product)) == [
        'a', 'b', 'out', 'bias', 'scale', 'M', 'N', 'K', 'a_m', 'b_n', 'out_m', 'out_n',
        'a_batch', 'b_batch', 'o_batch']
    values = {'a': 256, 'b': 512, 'out': 8, 'bias': 64, 'M': 16, 'N': 32, 'K': 33, 'a_m': 48,
              'b_n': 33, 'a_batch': 0}
    assert matmul.facts(product, values) == ('a', 'b', 'bias', 'N', 'a_m', 'a_batch')
    assert matmul.signature(Product('fp32', 'fp32', 'fp32', wide=True))['a_m'] == 'i64'


@pytest.mark.parametrize('fields, message', [
    (dict(a='bool'), 'no matrix product for'), (dict(a_unit='n'), 'a_unit must be'),
    (dict(precision='fast'), 'precision must be'), (dict(a='i8'), 'convert one')])
def test_refusals(fields, message):
    with pytest.raises(ValueError, match=message):
        Product(**{**dict(a='fp32', b='fp32', out='fp32'), **fields})


def test_text_does_not_depend_on_sizes():
    product = Product('bf16', 'bf16', 'bf16')
    assert matmul.source(product) == matmul.source(Product('bf16', 'bf16', 'bf16'))


@pytest.mark.parametrize('dtype', matmul.TILES)
def test_choices(dtype):
    tiles = matmul.TILES[dtype]
    assert matmul.choices(8192, 8192, 8192, dtype) == tiles[0]
    assert matmul.choices(1, 1, 1, dtype) in tiles
    for M, N in ((1, 4096), (512, 512), (4096, 16), (8192, 128)):
        choice = matmul.choices(M, N, 1024, dtype)
        bigger = tiles[:tiles.index(choice)]
        assert choice.BM <= max(16, 2 * M)
        (programs,) = matmul.grid(M, N, choice, batch=3)
        assert programs == 3 * -(-M // choice.BM) * -(-N // choice.BN)
        for other in bigger:        # those that fit would leave processors idle
            fits = other.BM <= max(16, 2 * M) and other.BN <= max(64, 2 * N)
            assert not fits or matmul.grid(M, N, other)[0] < 132 or other.BM > M


# ---- machine code --------------------------------------------------------------------------------

def compiled(product, choice, without=('M', 'K')):
    """With every fact but those named."""
    types = matmul.signature(product)
    return compile_kernel(matmul.source(product), matmul.NAME, types, matmul.constexprs(choice),
                          tuple(name for name in types if name not in without),
                          **matmul.options(choice))


def usual(dtype, **fields):
    """The variant that a dense layer needs.

    8-bit operands are multiplied fast with b in columns.
    """
    element = 'fp32' if dtype == 'tf32' else dtype
    tail = {} if dtype == 'i8' else dict(epilogue=BIAS + RELU, extra={'bias': '*fp32'})
    fields = {'b_unit': 'k' if dtype in ('fp8e4nv', 'i8') else 'n',
              'precision': 'tf32' if dtype == 'tf32' else 'ieee', **tail, **fields}
    return Product(element, element, {'fp8e4nv': 'bf16', 'i8': 'i32'}.get(dtype, element), **fields)


@pytest.mark.parametrize('choice', matmul.TILES['bf16'], ids=str)
def test_bf16_uses_tensor_cores_and_wide_copies(choice):
    kernel = compiled(usual('bf16'), choice)
    found = accesses(kernel)
    assert spills(kernel) == 0
    assert found['copy', 16] > 0 and narrowest(kernel, 'store') == 16
    assert not any(kind == 'copy' and size < 16 for kind, size in found)
    assert set(matrix_instructions(kernel)) == {'wgmma' if choice.BM >= 64 else 'mma'}
    assert kernel.shared <= 227 << 10


@pytest.mark.parametrize('dtype, choice', [
    (dtype, choice) for dtype, number in (('fp32', 4), ('tf32', 1), ('fp64', 1), ('fp8e4nv', 2),
                                          ('i8', 1), ('fp16', 1))
    for choice in matmul.TILES[dtype][:number]], ids=str)
def test_other_types_do_not_spill(dtype, choice):
    kernel = compiled(usual(dtype), choice)
    assert spills(kernel) == 0 and widest(kernel, 'load') == narrowest(kernel, 'store') == 16
    kinds = {'fp32': set(), 'fp64': {'mma'}}.get(dtype, {'wgmma'})
    assert set(matrix_instructions(kernel)) == kinds


LARGE = matmul.TILES['bf16'][0]


VARIANTS = {'columns of b': dict(b_unit='k'), 'columns of a': dict(a_unit='m'),
            'batched, wide': dict(batched=True, wide=True)}


@pytest.mark.parametrize('fields', VARIANTS.values(), ids=VARIANTS)
def test_variants_keep_wide_copies(fields):
    kernel = compiled(usual('bf16', **fields), LARGE)
    assert spills(kernel) == 0 and accesses(kernel)['copy', 16] > 0
    assert matrix_instructions(kernel)['wgmma'] > 0


SCALE = ('acc *= tl.load(scale + out_batch + offsets, mask=mask, other=0.0).to(acc.dtype)',)
GELU = ('acc = acc * 0.5 * (1.0 + tl.erf(acc * 0.7071067811865476))',)
TAILS = {'residual': (BIAS + RESIDUAL, {'bias': '*fp32', 'residual': '*bf16'}),
         'two tiles': (RESIDUAL + SCALE, {'residual': '*bf16', 'scale': '*fp32'}),
         'gelu': (BIAS + GELU, {'bias': '*fp32'})}


@pytest.mark.parametrize('tail', TAILS.values(), ids=TAILS)
def test_heavy_tails_do_not_spill_in_the_tile_chosen_for_them(tail):
    choice = matmul.choices(8192, 8192, 8192, 'bf16', heavy_tail=True)
    assert choice.sums == 64
    kernel = compiled(usual('bf16', epilogue=tail[0], extra=tail[1]), choice)
    assert spills(kernel) == 0 and accesses(kernel)['copy', 16] > 0


def test_what_an_unknown_size_or_stride_costs():
    unknown_n = compiled(usual('bf16'), matmul.TILES['bf16'][3], without=('M', 'N', 'K'))
    assert accesses(unknown_n)['copy', 16] > 0 and widest(unknown_n, 'store') == 2
    odd_rows = compiled(usual('bf16'), matmul.TILES['bf16'][3],
                        without=('M', 'N', 'K', 'a_m', 'b_k', 'out_m'))
    assert not accesses(odd_rows)['copy', 16] and accesses(odd_rows)['load', 2] > 0
    assert spills(odd_rows) == 0


@pytest.mark.parametrize('types', [('fp16', 'bf16'), ('bf16', 'fp32'), ('fp8e4nv', 'fp8e5')])
def test_mixed_types_pass_the_compiler(types):
    product = Product(*types, 'fp32')
    lower(matmul.source(product), matmul.NAME, matmul.signature(product),
          matmul.constexprs(matmul.TILES['bf16'][3]))


# ---- on a device ---------------------------------------------------------------------------------

@pytest.mark.gpu
@pytest.mark.parametrize('dtype', ['bf16', 'fp16', 'fp32', 'fp64', 'fp8e4nv', 'i8'])
@pytest.mark.parametrize('shape', [(512, 512, 512), (300, 272, 208), (33, 17, 100)], ids=str)
def test_device_product(device, dtype, shape):
    M, N, K = shape
    a, b = random(dtype, M, K), random(dtype, K, N, seed=1)
    product = Product(dtype, dtype, OUT.get(dtype, dtype))
    choice = matmul.choices(M, N, K, dtype)
    buffers = {'a': device.upload(a), 'b': device.upload(b)}
    out = np.zeros((M, N), DTYPES[OUT.get(dtype, dtype)])
    buffers['out'] = device.upload(out)
    values = {**{name: buffer.address for name, buffer in buffers.items()},
              'M': M, 'N': N, 'K': K, 'a_m': K, 'b_k': N, 'out_m': N}
    types = matmul.signature(product)
    kernel = compile_kernel(matmul.source(product), matmul.NAME, types, matmul.constexprs(choice),
                            matmul.facts(product, values), device.target, **matmul.options(choice))
    device.load(kernel)(matmul.grid(M, N, choice), device.stream(), *(values[n] for n in types))
    device.synchronize()
    result = device.download(buffers['out'], out.dtype, out.shape)
    check(result, exact(a, b), OUT.get(dtype, dtype))
