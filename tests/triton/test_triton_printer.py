"""Printed kernels: numerics under the interpreter against the NumPy reference, and machine code for sm_90."""

import ml_dtypes
import numpy as np
import pytest

from lazy.codegen import reference, triton_plan
from lazy.codegen.memory import Buffer
from lazy.codegen.program import Instruction, Linear
from lazy.codegen.triton_compile import compile_kernel, lower, narrowest, spills, widest
from lazy.ir import dtypes, ops
from lazy.ir.graph import aval, elementwise_aval

FLOATS, INTEGERS = dtypes.FLOATS, dtypes.SIGNED + dtypes.UNSIGNED
REAL = (dtypes.bool_, *INTEGERS, *FLOATS)
NARROW = ml_dtypes.float8_e4m3fn, ml_dtypes.int4


class Builder:
    """A Linear, instruction by instruction."""

    def __init__(self):
        self.instructions, self.arrays, self.scalars = [], [], []

    def _add(self, op, inputs, params, aval, slot=None):
        self.instructions.append(Instruction(op, tuple(inputs), params, aval, slot))
        return len(self.instructions) - 1

    def array(self, x):
        x = np.ascontiguousarray(x)
        self.arrays.append(x)
        return self._add(ops.leaf, (), None, aval(x.shape, x.dtype), len(self.arrays) - 1)

    def scalar(self, value, dtype):
        self.scalars.append(value)
        return self._add(ops.literal, (), None, aval((), np.dtype(dtype)), len(self.scalars) - 1)

    def __call__(self, op, *inputs, **params):
        params = tuple(params[name] for name in op.param_names) if op.param_names else None
        avals = [self.instructions[i].aval for i in inputs]
        if op.infer is None:
            result = elementwise_aval(op, avals, params)
        else:
            result = op.infer(avals, **dict(zip(op.param_names, params or ())))
        return self._add(op, inputs, params, result)

    def linear(self, outputs):
        linear = Linear(self.instructions, outputs)
        linear.sources = [None] * len(self.instructions)
        return linear

    def program(self, *outputs):
        return triton_plan.InterpretedProgram(self.linear(outputs))

    def run(self, *outputs):
        """(results, expected): of the interpreted kernels and of the reference."""
        results = self.program(*outputs).run([Buffer.from_array(x) for x in self.arrays], self.scalars, ())
        avals = [self.instructions[i].aval for i in outputs]
        results = [b.array(a.shape, a.dtype) for b, a in zip(results, avals)]
        values = reference.run_linear(self.linear(outputs), [Buffer.from_array(x) for x in self.arrays],
                                      self.scalars, {}, ())
        return results, [values[i] for i in outputs]


def tolerance(dtype, ulps=4):
    return ulps * float(ml_dtypes.finfo(dtype).eps) if dtypes.is_inexact(dtype) else 0


def close(result, expected, ulps=4, what='', absolute=0.0):
    assert result.dtype == expected.dtype and result.shape == expected.shape, what
    if not dtypes.is_inexact(result.dtype):
        wrong = result != expected
    else:
        tiny = float(ml_dtypes.finfo(result.dtype).smallest_subnormal)
        with np.errstate(all='ignore'):
            a, b = result.astype(np.float64), expected.astype(np.float64)
            near = np.abs(a - b) <= tolerance(result.dtype, ulps) * np.abs(b) + max(ulps * tiny, absolute)
        wrong = ~((a == b) | near | (np.isnan(a) & np.isnan(b)))
    assert not wrong.any(), (what, np.argwhere(wrong)[:3], result[wrong][:5], expected[wrong][:5])


# ---- elementwise operations ------------------------------------------------------------------------

N = 999
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, np.inf, -np.inf, np.nan, 1e-3, 3e38, -3e38, 1e-40, 1.5, 2.5]


def operand(dtype, seed, scale=3.0):
    """Values of all kinds, special ones among them in every combination with another operand's."""
    rng = np.random.default_rng(seed)
    if dtype == np.bool_:
        return rng.integers(0, 2, N).astype(bool)
    if dtypes.is_integer(dtype):
        info = dtypes.iinfo(dtype)
        x = rng.integers(info.min, info.max, N, dtype=dtypes.held_as(dtype), endpoint=True).astype(dtype)
        x[200:600] = rng.integers(-9 if info.min else 0, 9, 400).astype(dtype)
        edge = np.array([0, 1, 2, info.max, info.min, info.max - 1, info.min + 1, 7, min(dtypes.bits(dtype), info.max),
                         3], dtype)
        edge[5:7] = np.array([-1, -3]).astype(dtype)
        pairs = np.repeat(edge, 10) if seed % 2 else np.tile(edge, 10)
        x[:100] = pairs
        return x
    x = rng.standard_normal(N) * scale
    pairs = np.repeat(SPECIAL, len(SPECIAL)) if seed % 2 else np.tile(SPECIAL, len(SPECIAL))
    x[:len(pairs)] = pairs
    with np.errstate(all='ignore'):
        return x.astype(dtype)


# Accuracy in units of the last place where it isn't 4: the interpreter computes with NumPy and SciPy, so that these
# are differences of formulas. None: not compared here.
ULPS = {'lgamma': 64, 'logaddexp': 16, 'erf_inv': 64, 'pow': 8, 'erf_inv_giles': 8}
RUN_BY_NUMPY = ('digamma polygamma bessel_i0e bessel_i1e bessel_j bessel_y bessel_ke erfcx dawsn wofz exp1 expi expn '
                'sin_integral cos_integral fresnel_sin fresnel_cos spence igamma igammac igamma_grad_a '
                'random_gamma_grad regularized_incomplete_beta betainc_grad gamma_density beta_density zeta zeta_grad owens_t '
                'hyp1f1 hyp1f1_grad hyp2f1 hyp2f1_grad').split()
_SEVERAL = {ops.integer_pow: [dict(n=n) for n in (0, 1, 2, 3, 7, -1, -2)],
            ops.threefry2x32: [dict(word=0), dict(word=1)],
            ops.philox4x32: [dict(word=i) for i in range(4)],
            ops.polygamma: [dict(n=1)],
            **{op: [dict(by=0)] for op in (ops.betainc_grad, ops.hyp1f1_grad, ops.hyp2f1_grad)},
            **{op: [dict(n=1)] for op in (ops.bessel_j, ops.bessel_y, ops.bessel_ke)}}


def cases(dtype):
    """[(op, params)] of the table's operations that take `dtype` and are printed."""
    for op in ops.OPS.values():
        if not op.elementwise or dtypes.kind(dtype) not in op.classes or op.result == 'complex':
            continue
        if op is ops.convert:
            yield from ((op, dict(dtype=d, weak=False)) for d in REAL)
        elif op is ops.bitcast:
            yield from ((op, dict(dtype=d)) for d in (*INTEGERS, *FLOATS) if dtypes.bits(d) == dtypes.bits(dtype))
        elif op in (ops.threefry2x32, ops.philox4x32):
            yield from ((op, p) for p in _SEVERAL[op] if dtype == dtypes.uint32)
        elif op in _SEVERAL:
            yield from ((op, p) for p in _SEVERAL[op] if p.get('n', 0) >= 0 or dtypes.kind(dtype) == 'f')
        else:
            yield op, {}


def build(dtype):
    """A program of all operations on `dtype`: (builder, outputs, names)."""
    b = Builder()
    xs = [b.array(operand(dtype, seed)) for seed in range(6)]
    conditions = b.array(operand(dtypes.bool_, 9))
    outputs, names = [], []
    for op, params in cases(dtype):
        inputs = xs[:op.arity or 1]
        if op is ops.select:
            inputs = [conditions, *xs[:2]]
        if op is ops.pow_ and dtypes.kind(dtype) == 'i':
            inputs = [xs[0], b(ops.abs_, b(ops.rem, xs[1], b.array(np.full(N, 11, dtype))))]
        i = b(op, *inputs, **params)
        if triton_plan.Plan.supports(b.instructions[i], b.instructions):
            outputs.append(i)
            names.append((op, params))
    return b, outputs, names


@pytest.mark.parametrize('dtype', REAL, ids=str)
def test_every_operation(dtype):
    b, outputs, names = build(dtype)
    results, expected = b.run(*outputs)
    for (op, params), result, wanted in zip(names, results, expected):
        close(result, wanted, ULPS.get(op.name, 4), f'{op.name} {params} {dtype}')


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_gate_far_below_zero(dtype):
    """Where one factor alone would be subnormal, or a constant of float32 not enough."""
    b = Builder()
    x = b.array(np.array([-103.9, -90.0, -60.0, -49.5, -49.0, 0.0, 50.0], dtype))
    result, expected = b.run(b(ops.gate, x, x))
    close(result[0], expected[0])


def test_operations_without_text_are_known():
    missing = {op.name for op in ops.OPS.values() if op.elementwise and op.triton is None}
    by_printer = {'convert', 'bitcast', 'integer_pow'}
    complex_only = {'real', 'imag', 'conj', 'complex'}
    assert missing - by_printer - complex_only <= {'gcd', *RUN_BY_NUMPY}


def compiled(launch, function=compile_kernel, **options):
    printed = launch.printed
    return function(printed.source, printed.name, launch.types, printed.constexprs, launch.divisible,
                    num_warps=printed.num_warps, **options)


@pytest.mark.parametrize('dtype', REAL, ids=str)
def test_every_operation_has_types_that_the_compiler_takes(dtype):
    b, outputs, _ = build(dtype)
    for launch in b.program(*outputs).steps:
        assert compiled(launch, lower, until='ttgir')


# ---- forms of kernels ------------------------------------------------------------------------------

def random(shape, dtype=np.float32, seed=0):
    dtype = np.dtype(dtype)
    rng = np.random.default_rng(seed)
    if dtypes.is_inexact(dtype):
        return rng.standard_normal(shape).astype(dtype)
    return rng.integers(0, 2 if dtype == np.bool_ else 50, shape).astype(dtype)


def near_one(shape, dtype):
    """Values whose sums and products are well conditioned."""
    dtype = np.dtype(dtype)
    if not dtypes.is_inexact(dtype):
        return random(shape, dtype)
    return np.random.default_rng(0).uniform(0.99, 1.01, shape).astype(dtype)


REDUCTIONS = [op for op in ops.OPS.values() if op.reduction and op is not ops.complex_prod]      # that has two operands


@pytest.mark.parametrize('shape, axis', [((7, 100), 1), ((100, 7), 0), ((3, 5000), 1), ((300, 40), 0), ((70000,), 0),
                                         ((20001, 3), 0), ((4, 0), 1), ((0, 4), 1), ((1, 1), 0)])
@pytest.mark.parametrize('dtype',
                         [np.float32, np.float64, np.float16, ml_dtypes.bfloat16, np.int8, np.uint64, np.bool_,
                          *NARROW])
def test_reductions(shape, axis, dtype):
    """All reductions of one array: rows, columns, parts; short, long, empty."""
    dtype = np.dtype(dtype)
    if np.prod(shape) > 10_000 and dtype not in (np.float32, np.int8):
        pytest.skip('long ones in two types are enough')
    b = Builder()
    x = b.array(near_one(shape, dtype))
    outputs = []
    for op in REDUCTIONS:
        if dtypes.kind(dtype) not in op.classes or shape[axis] == 0 and op.reduction not in ('add', 'mul', 'and', 'or'):
            continue
        outputs.append(b(op, x, axis=axis, dtype=dtypes.int32) if 'axis' in op.param_names else b(op, x, axes=(axis,)))
    for i, result, wanted in zip(outputs, *b.run(*outputs)):
        close(result, wanted, 400, b.instructions[i].op.name)


SCANS = [op for op in ops.OPS.values() if op.scan]


@pytest.mark.parametrize('shape, axis', [((7, 100), 1), ((100, 7), 0), ((3, 5000), 1), ((300, 40), 0), ((5, 4, 33), 1),
                                         ((1000,), 0)])
@pytest.mark.parametrize('dtype', [np.float32, np.float64, np.float16, ml_dtypes.bfloat16, np.int8, np.uint64])
def test_scans(shape, axis, dtype):
    """Scans of one array both ways, with what is before and after them: rows and columns in one tile or several."""
    b = Builder()
    x, outputs = b.array(near_one(shape, np.dtype(dtype))), []
    for op in SCANS:
        if dtypes.kind(np.dtype(dtype)) in op.classes:
            squares = b(op, b(ops.mul, x, x), axis=axis, reverse=False)
            outputs += [b(ops.mul, squares, x), b(op, x, axis=axis, reverse=True)]
    for i, result, wanted in zip(outputs, *b.run(*outputs)):
        close(result, wanted, 400, repr(b.instructions[i]), absolute=1e-4)


@pytest.mark.parametrize('shape, axes', [((6, 5, 33), (0, 2)), ((6, 5, 33), (0, 1)), ((2, 3, 4, 40), (1, 3)),
                                         ((5, 6, 7), (0, 1, 2)), ((4, 300, 70), (0, 1)), ((40, 300, 70), (0, 1, 2))])
def test_reductions_over_several_axes(shape, axes):
    b = Builder()
    x = b.array(near_one(shape, np.float32))
    y = b(ops.mul, x, x)
    outputs = [b(ops.reduce_sum, y, axes=axes), b(ops.reduce_max, x, axes=axes)]
    for result, wanted in zip(*b.run(*outputs)):
        close(result, wanted, 400)


@pytest.mark.parametrize('dtype', [np.float32, np.float64, np.float16, ml_dtypes.bfloat16, ml_dtypes.float8_e5m2])
def test_nan_and_infinity_in_reductions(dtype):
    values = np.array([[1, np.nan, 3, np.nan], [-np.inf] * 4, [np.inf, 1, np.inf, 2], [2, 5, 5, 1]]).astype(dtype)
    for axis, x in ((1, values), (0, values.T)):
        b = Builder()
        i = b.array(x)
        outputs = [b(op, i, axes=(axis,)) for op in (ops.reduce_max, ops.reduce_min, ops.reduce_sum)]
        outputs += [b(op, i, axis=axis, dtype=dtypes.int64) for op in (ops.argmax, ops.argmin)]
        for result, wanted in zip(*b.run(*outputs)):
            close(result, wanted)


def test_places_are_counted_along_all_axes_that_one_axis_was_cut_into():
    b = Builder()
    x = b(ops.transpose, b.array(random((30, 12))), permutation=(1, 0))
    flat = b(ops.reshape, b(ops.add, x, b.array(random((12, 30), seed=1))), shape=(360,))
    weighted = b(ops.mul, flat, b.array(random((360,), seed=2)))
    rows = b(ops.reshape, weighted, shape=(4, 90))
    outputs = [b(ops.argmax, weighted, axis=0, dtype=dtypes.int32), b(ops.argmin, rows, axis=1, dtype=dtypes.int64),
               b(ops.reduce_max, weighted, axes=(0,))]
    for result, wanted in zip(*b.run(*outputs)):
        close(result, wanted)


def softmax(b, x, axis):
    shape = b.instructions[x].aval.shape
    axes = tuple(a for a in range(len(shape)) if a != axis)
    spread = lambda i: b(ops.broadcast, i, shape=shape, axes=axes)
    e = b(ops.exp, b(ops.sub, x, spread(b(ops.reduce_max, x, axes=(axis,)))))
    return b(ops.div, e, spread(b(ops.reduce_sum, e, axes=(axis,))))


@pytest.mark.parametrize('shape, axis', [((5, 100), 1), ((33, 20), 1), ((2, 20000), 1), ((100, 30), 0), ((20, 130), 0),
                                         ((1001,), 0), ((2, 10, 30), 1)])
@pytest.mark.parametrize('dtype', [np.float32, ml_dtypes.bfloat16])
def test_softmax_is_one_kernel(shape, axis, dtype):
    b = Builder()
    y = softmax(b, b.array(random(shape, dtype)), axis)
    assert len(b.program(y).steps) == 1
    for result, wanted in zip(*b.run(y)):
        close(result, wanted, 16)


def layer_norm(b, x, scale, shift):
    n, m = b.instructions[x].aval.shape
    rows = lambda i: b(ops.broadcast, i, shape=(n, m), axes=(0,))
    columns = lambda i: b(ops.broadcast, i, shape=(n, m), axes=(1,))
    size, eps = b.scalar(1 / m, np.float32), b.scalar(1e-5, np.float32)
    centred = b(ops.sub, x, rows(b(ops.mul, b(ops.reduce_sum, x, axes=(1,)), size)))
    variance = b(ops.mul, b(ops.reduce_sum, b(ops.mul, centred, centred), axes=(1,)), size)
    unit = b(ops.mul, centred, rows(b(ops.rsqrt, b(ops.add, variance, eps))))
    return b(ops.add, b(ops.mul, unit, columns(scale)), columns(shift))


@pytest.mark.parametrize('shape', [(5, 100), (2, 9000)])
def test_layer_norm_is_one_kernel(shape):
    b = Builder()
    y = layer_norm(b, b.array(random(shape)), b.array(random(shape[1:], seed=1)), b.array(random(shape[1:], seed=2)))
    assert len(b.program(y).steps) == 1
    for result, wanted in zip(*b.run(y)):
        close(result, wanted, 16, absolute=1e-5)


@pytest.mark.parametrize('shape, permutation', [((40, 70), (1, 0)), ((3, 40, 70), (0, 2, 1)), ((40, 3, 70), (2, 1, 0)),
                                                ((5, 6, 7), (2, 0, 1)), ((2, 3, 4, 5), (3, 1, 0, 2))])
@pytest.mark.parametrize('dtype', [np.float32, np.bool_, ml_dtypes.bfloat16, *NARROW])
def test_transposed_operands(shape, permutation, dtype):
    b = Builder()
    x = b(ops.transpose, b.array(random(shape, dtype)), permutation=permutation)
    y = b.array(random(b.instructions[x].aval.shape, dtype, 1))
    for result, wanted in zip(*b.run(b(ops.add, x, y), b(ops.mul, x, y))):
        close(result, wanted)


@pytest.mark.parametrize('shape', [(3, 1000), (300, 3), (7, 8, 9), (5, 1, 2000)])
def test_broadcast_slices_and_reversal(shape):
    b = Builder()
    x = b.array(random(shape))
    row = b(ops.broadcast, b.array(random(shape[-1:], seed=1)), shape=shape, axes=(len(shape) - 1,))
    first = b(ops.broadcast, b.array(random(shape[:1], seed=2)), shape=shape, axes=(0,))
    y = b(ops.mul, b(ops.add, x, row), first)
    turned = b(ops.rev, b(ops.exp, x), axes=(0, len(shape) - 1))
    part = b(ops.slice_, y, start=(1,) + (0,) * (len(shape) - 1), stop=shape, step=(1,) * (len(shape) - 1) + (2,))
    outputs = [y, b(ops.add, turned, row), b(ops.neg, part)]
    for result, wanted in zip(*b.run(*outputs)):
        close(result, wanted)


def test_numbers_as_values():
    """Indices and literals of every dtype."""
    for dtype in REAL:
        b = Builder()
        i = b(ops.iota, shape=(5, 300), dtype=dtype, axis=1) if dtype != np.bool_ else b.array(random((5, 300), dtype))
        c = b.scalar({'b': True, 'i': -3, 'u': 200, 'f': 0.1}[dtypes.kind(dtype)], dtype)
        for result, wanted in zip(*b.run(b(ops.add, i, c), b(ops.mul, i, c))):
            close(result, wanted, 0, str(dtype))


# ---- gathers ---------------------------------------------------------------------------------------

@pytest.mark.parametrize('mode', ['error', 'fill', 'clip', 'wrap'])
@pytest.mark.parametrize('index', [np.int32, np.int64, np.int8, np.uint8, np.uint32])
@pytest.mark.parametrize('dtype', [np.float32, np.bool_, np.int16, np.uint8, ml_dtypes.bfloat16, *NARROW])
def test_gather(mode, index, dtype):
    low = -200 if np.iinfo(index).min and mode != 'error' else 0
    high = 40 if mode == 'error' else 120
    indices = np.random.default_rng(0).integers(max(low, np.iinfo(index).min), high, (3, 50)).astype(index)
    b = Builder()
    x = b.array(random((40, 6), dtype))
    y = b(ops.gather, x, b.array(indices), axes=(0,), mode=mode)
    z = b(ops.gather, x, b.array(indices % 6), b.array(indices), axes=(1, 0), mode=mode)
    for result, wanted in zip(*b.run(y, z)):
        close(result, wanted)


def test_gather_of_computed_indices_into_a_row_reduction():
    b = Builder()
    x = b.array(random((40, 300)))
    i = b.array(np.arange(20) * 2)
    rows = b(ops.gather, x, b(ops.add, i, b.scalar(1, np.int64)), axes=(0,), mode='error')
    for result, wanted in zip(*b.run(b(ops.reduce_sum, rows, axes=(1,)))):
        close(result, wanted, 100)


def test_an_index_out_of_range_is_an_index_error():
    b = Builder()
    y = b(ops.gather, b.array(random((40, 6))), b.array(np.array([3, 40, 5])), axes=(0,), mode='error')
    with pytest.raises(IndexError, match='index 40 is out of bounds for axis 0 with size 40'):
        b.program(y).run([Buffer.from_array(x) for x in b.arrays], b.scalars, ())


# ---- programs --------------------------------------------------------------------------------------

def test_threefry_makes_both_words_at_once():
    b = Builder()
    keys = [b.array(operand(dtypes.uint32, k)) for k in range(4)]
    words = [b(ops.threefry2x32, *keys, word=word) for word in (0, 1)]
    step, = b.program(*words).steps
    assert step.printed.source.count('= lz_threefry2x32(') == 1


def test_libraries_and_kernels_alternate():
    b = Builder()
    x, y = b.array(random((20, 30))), b.array(random((30, 10), seed=1))
    product = b(ops.dot_general, b(ops.exp, x), y, contract_lhs=(1,), contract_rhs=(0,), batch_lhs=(), batch_rhs=())
    out = b(ops.tanh, b(ops.sort, b(ops.neg, product), axis=0))
    for result, wanted in zip(*b.run(out)):
        close(result, wanted, 16)


def test_arrays_put_together():
    b = Builder()
    x, y = b.array(random((20, 30))), b.array(random((5, 30), seed=1))
    both = b(ops.concatenate, b(ops.exp, x), b(ops.neg, y), axis=0)
    changed = b(ops.slice_update, both, b(ops.mul, y, y), start=(3, 0), step=(2, 1))
    for result, wanted in zip(*b.run(both, b(ops.add, changed, changed))):
        close(result, wanted)


# ---- one text for all sizes -------------------------------------------------------------------------

def keys_of(shape, build):
    b = Builder()
    return [(s.printed.source, s.printed.constexprs, s.types, s.divisible) 
            for s in triton_plan.Plan(b.linear([build(b, shape)])).steps]


def test_sizes_are_no_part_of_a_kernel():
    elementwise = lambda b, shape: b(ops.exp, b.array(random(shape)))
    assert keys_of((1003,), elementwise) == keys_of((77, 45), elementwise) == keys_of((4096,), elementwise)
    rows = lambda b, shape: softmax(b, b.array(random(shape)), 1)
    assert keys_of((10, 500), rows) == keys_of((999, 460), rows)
    total = lambda b, shape: b(ops.reduce_sum, b.array(random(shape)), axes=(0,))
    assert keys_of((3 * 10 ** 6,), total) == keys_of((5 * 10 ** 6,), total) != keys_of((96,), total)
    assert keys_of((3 * 10 ** 6 + 1,), total) == keys_of((5 * 10 ** 6 + 3,), total)


def test_offsets_beyond_32_bits_are_computed_in_64():
    tile = lambda shape, axes: triton_plan.choose_tile(_kernel(shape, axes))
    assert not tile((1 << 15, 1 << 15), (0,)).wide
    assert tile((1 << 16, 1 << 16), (0,)).wide


def _kernel(shape, axes):
    """The description of a reduction of an array that is never made."""
    b = Builder()
    b.instructions.append(Instruction(ops.leaf, (), None, aval(shape, dtypes.float32), 0))
    plan = triton_plan.Plan(b.linear([b(ops.reduce_sum, 0, axes=axes)]))
    return plan.kernels[0]


# ---- machine code ----------------------------------------------------------------------------------

def exp_sum(b, dtype):
    x, y = b.array(random((64, 256), dtype)), b.array(random((64, 256), dtype, 1))
    return b(ops.exp, b(ops.add, x, y))


def transposed_sum(b, dtype):
    x, y = b.array(random((256, 128), dtype)), b.array(random((128, 256), dtype, 1))
    return b(ops.add, b(ops.transpose, x, permutation=(1, 0)), y)


def bias(b, dtype):
    x, y = b.array(random((64, 2048), dtype)), b.array(random((2048,), dtype, 1))
    return b(ops.mul, x, b(ops.broadcast, y, shape=(64, 2048), axes=(1,)))


def short_rows(b, dtype):
    x, y = b.array(random((640, 64), dtype)), b.array(random((64,), dtype, 1))
    return b(ops.mul, x, b(ops.broadcast, y, shape=(640, 64), axes=(1,)))


def ragged(b, dtype):
    return b(ops.exp, b.array(random((10003,), dtype)))


def row_softmax(b, dtype):
    return softmax(b, b.array(random((64, 1024), dtype)), 1)


def long_softmax(b, dtype):
    return softmax(b, b.array(random((2, 32768), dtype)), 1)


def long_rows(b, dtype):
    return b(ops.reduce_sum, b.array(random((200, 8192), dtype)), axes=(1,))


def columns(b, dtype):
    return b(ops.reduce_sum, b.array(random((300, 4096), dtype)), axes=(0,))


def column_softmax(b, dtype):
    return softmax(b, b.array(random((32, 512), dtype)), 0)


def everything(b, dtype):
    return b(ops.reduce_sum, b.array(random((1000003,), dtype)), axes=(0,))


def norm(b, dtype):
    vectors = [b.array(random((1024,), seed=k)) for k in (1, 2)]
    return layer_norm(b, b.array(random((64, 1024))), *vectors)


@pytest.mark.parametrize('build', [exp_sum, transposed_sum, bias, short_rows, ragged, row_softmax, long_softmax,
                                   long_rows, columns, column_softmax, everything, norm])
@pytest.mark.parametrize('dtype', [np.float32, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2])
def test_machine_code_moves_16_bytes_and_spills_nothing(build, dtype):
    if build is norm and dtype != np.float32:
        pytest.skip('float32 only')
    b = Builder()
    launch = triton_plan.Plan(b.linear([build(b, np.dtype(dtype))])).steps[0]
    kernel = compiled(launch)
    assert spills(kernel) == 0
    assert narrowest(kernel, 'load') == 16
    assert build in (long_rows, columns, everything) or widest(kernel, 'store') == 16


def test_gathers_ramps_and_64_bit_indices_compile():
    b = Builder()
    x = b.array(random((40, 300)))
    rows = b(ops.gather, x, b.array(np.arange(20)), axes=(0,), mode='error')
    ramp = b(ops.iota, shape=(20, 300), dtype=dtypes.float32, axis=1)
    launch = triton_plan.Plan(b.linear([b(ops.argmax, b(ops.mul, rows, ramp), axis=1, dtype=dtypes.int32)])).steps[-1]
    assert spills(compiled(launch)) == 0
    k = _kernel((1 << 16, 1 << 16), (0,))
    printed = triton_plan.print_kernel(k, triton_plan.choose_tile(k))
    types = {a.name: a.type for a in printed.arguments}
    assert 'i64' in types.values()
    assert compile_kernel(printed.source, printed.name, types, printed.constexprs,
                          [a.name for a in printed.arguments if a.divisible], num_warps=printed.num_warps)


@pytest.mark.parametrize('dtype', [np.bool_, np.int8, np.uint64, ml_dtypes.bfloat16, *NARROW])
@pytest.mark.parametrize('shape, axis',
                         [((70, 100), 1), ((70, 9000), 1), ((30, 70), 0), ((9000, 70), 0), ((9, 8, 30), 1)])
def test_reductions_have_types_that_the_compiler_takes(shape, axis, dtype):
    b, dtype = Builder(), np.dtype(dtype)
    x = b.array(random(shape, dtype))
    outputs = [b(op, x, axis=axis, dtype=dtypes.int64) if 'axis' in op.param_names else b(op, x, axes=(axis,))
               for op in REDUCTIONS if dtypes.kind(dtype) in op.classes]
    for launch in triton_plan.Plan(b.linear(outputs)).steps:
        assert compiled(launch, lower, until='ttgir')


@pytest.mark.parametrize('dtype', [np.int8, np.uint64, np.float32, ml_dtypes.bfloat16])
@pytest.mark.parametrize('shape, axis', [((70, 100), 1), ((200, 9000), 1), ((30, 70), 0), ((9000, 200), 0),
                                         ((5000,), 0)])
def test_scans_have_types_that_the_compiler_takes(shape, axis, dtype):
    b, dtype = Builder(), np.dtype(dtype)
    x = b.array(random(shape, dtype))
    outputs = [b(op, x, axis=axis, reverse=op is ops.cumprod) for op in SCANS if dtypes.kind(dtype) in op.classes]
    for launch in triton_plan.Plan(b.linear(outputs)).steps:
        assert compiled(launch, lower, until='ttgir')


@pytest.mark.parametrize('shape, axis', [((300, 1000), 1), ((200, 9000), 1), ((9000, 200), 0)])
def test_scans_as_machine_code(shape, axis):
    b = Builder()
    scanned = b(ops.cumsum, b(ops.exp, b.array(random(shape))), axis=axis, reverse=False)
    launch, = triton_plan.Plan(b.linear([scanned])).steps
    assert spills(compiled(launch)) == 0


@pytest.mark.parametrize('dtype', [np.float32, np.float64, np.float16, np.int8, np.uint64])
@pytest.mark.parametrize('n', [1, 2, 7, 300])
def test_searches(n, dtype):
    """Tables of a few sizes; queries in tiles of one and of two dimensions, NaN among them."""
    dtype = np.dtype(dtype)
    table, x = np.sort(random((n,), dtype)), random((5, 40), dtype, seed=1)
    x[0, :3] = table[[0, n // 2, -1]]
    if dtypes.is_inexact(dtype) and n > 3:
        table[-2:], x[1, 0] = np.nan, np.nan
    b = Builder()
    t, queries, outputs = b.array(table), b.array(x), []
    for side in ('left', 'right'):
        place = b(ops.searchsorted, t, queries, side=side, dtype=dtypes.int32)
        row = b(ops.searchsorted, t, b.array(x[0]), side=side, dtype=dtypes.int64)
        outputs += [place, b(ops.reduce_max, place, axes=(1,)), row]
    for result, wanted in zip(*b.run(*outputs)):
        close(result, wanted)
    for launch in triton_plan.Plan(b.linear(outputs)).steps:
        assert compiled(launch, lower, until='ttgir')


def test_a_search_as_machine_code():
    b = Builder()
    queries = b(ops.exp, b.array(random((100_000,))))
    place = b(ops.searchsorted, b.array(random((1000,))), queries, side='left', dtype=dtypes.int32)
    launch, = triton_plan.Plan(b.linear([place])).steps
    assert spills(compiled(launch)) == 0
