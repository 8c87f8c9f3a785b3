"""Printed kernels: numerics under the interpreter against the NumPy reference, and machine code for sm_90."""

import ml_dtypes
import numpy as np
import pytest

from lazy.codegen import choices, reference, triton_plan
from lazy.codegen.memory import Buffer
from lazy.codegen.program import Instruction, Linear
from lazy.ir import dtypes, ops
from lazy.ir.graph import aval, elementwise_aval

FLOATS, INTEGERS = dtypes.FLOATS, dtypes.SIGNED + dtypes.UNSIGNED
REAL = (dtypes.bool_, *INTEGERS, *FLOATS)


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


def close(result, expected, ulps=4, what=''):
    assert result.dtype == expected.dtype and result.shape == expected.shape, what
    if not dtypes.is_inexact(result.dtype):
        wrong = result != expected
    else:
        wide = np.float64
        a, b = result.astype(wide), expected.astype(wide)
        tiny = float(ml_dtypes.finfo(result.dtype).smallest_subnormal)
        with np.errstate(all='ignore'):
            near = np.abs(a - b) <= tolerance(result.dtype, ulps) * np.abs(b) + ulps * tiny
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
        info = np.iinfo(dtype)
        x = rng.integers(info.min, info.max, N, dtype=dtype, endpoint=True)
        x[200:600] = rng.integers(-9 if info.min else 0, 9, 400).astype(dtype)
        edge = np.array([0, 1, 2, info.max, info.min, info.max - 1, info.min + 1, 7, 8 * dtype.itemsize, 3], dtype)
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
_SEVERAL = {ops.integer_pow: [dict(n=n) for n in (0, 1, 2, 3, 7, -1, -2)], ops.threefry2x32: [dict(word=0), dict(word=1)],
            ops.polygamma: [dict(n=1)]}


def cases(dtype):
    """[(op, params)] of the table's operations that take `dtype` and are printed."""
    for op in ops.OPS.values():
        if not op.elementwise or dtypes.kind(dtype) not in op.classes or op.result == 'complex':
            continue
        if op is ops.convert:
            yield from ((op, dict(dtype=d, weak=False)) for d in REAL)
        elif op is ops.bitcast:
            yield from ((op, dict(dtype=d)) for d in (*INTEGERS, *FLOATS) if d.itemsize == dtype.itemsize)
        elif op is ops.threefry2x32:
            yield from ((op, p) for p in _SEVERAL[op] if dtype == dtypes.uint32)
        elif op in _SEVERAL:
            yield from ((op, p) for p in _SEVERAL[op] if p.get('n', 0) >= 0 or dtypes.kind(dtype) == 'f')
        else:
            yield op, {}


def build(dtype):
    """A program of all operations on `dtype`: (builder, outputs, names)."""
    b = Builder()
    xs = [b.array(operand(dtype, seed)) for seed in range(4)]
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


def test_operations_without_text_are_known():
    missing = {op.name for op in ops.OPS.values() if op.elementwise and op.triton is None}
    by_printer = {'convert', 'bitcast', 'integer_pow'}
    complex_only = {'real', 'imag', 'conj', 'complex'}
    assert missing - by_printer - complex_only <= {'gcd', 'digamma', 'polygamma', 'bessel_i0e', 'bessel_i1e'}
