"""The kernel of convolutions on several machines, against the operation's reference."""
import numpy as np
import pytest

pytest.importorskip('llvmlite')

import test_gemm  # noqa: E402
from lazy.codegen import convolution, gemm, native, threads  # noqa: E402
from lazy.codegen.program import Instruction  # noqa: E402
from lazy.ir import ops, windows  # noqa: E402
from lazy.ir.graph import aval  # noqa: E402

pytestmark = pytest.mark.skipif(not threads.available(), reason='needs the native runner')

# shapes of x and of the weights, stride, dilation, groups, feature_first
CASES = [((2, 3, 9, 40), (5, 3, 3, 3), (1, 1), (1, 1), 1, False),
         ((3, 4, 7, 20), (14, 2, 2, 3), (2, 2), (1, 2), 2, False),
         ((40, 2, 5, 5), (70, 2, 3, 3), (1, 1), (1, 1), 1, False), ((4, 6, 8), (9, 2, 3), (1,), (2,), 3, True),
         ((2, 300, 3, 3), (260, 300, 2, 2), (1, 1), (1, 1), 1, False),
         ((1, 1, 60, 90), (3, 1, 1, 1), (1, 1), (1, 1), 1, False),
         ((5, 2), (3, 2), (), (), 1, False), ((2, 2, 3, 34), (3, 2, 1, 1), (1, 2), (1, 1), 1, True)]


def run(case, dtype, machine, workers):
    """The kernel's result, with x inside of larger memory and what lies around the result guarded."""
    x_shape, w_shape, *params = case
    rng = np.random.default_rng(0)
    wide = np.full((*x_shape[:-1], x_shape[-1] + 3), np.nan, dtype)
    x = wide[..., 1:1 + x_shape[-1]]
    x[...], w = rng.standard_normal(x_shape), rng.standard_normal(w_shape).astype(dtype)
    of = windows.infer_conv([aval(x_shape, x.dtype), aval(w_shape, x.dtype)], *params)
    memory, out = test_gemm.guarded(of.shape, dtype)
    host, convolution.llvm.host = convolution.llvm.host, lambda *_, **__: machine
    try:
        found = convolution.from_conv(Instruction(ops.conv, (0, 1), tuple(params), of),
                                      (aval(x_shape, x.dtype), 0, tuple(test_gemm.elements(x))),
                                      (aval(w_shape, x.dtype), 0, native.contiguous(w_shape)),
                                      (of, 0, native.contiguous(of.shape)), workers)
    finally:
        convolution.llvm.host = host
    test_gemm.execute(found, dtype, {'a': x, 'b': w, 'c': out}, machine)
    assert np.all(memory[:test_gemm.GUARD + 1] == 77) and np.all(memory[test_gemm.GUARD + 1 + out.size:] == 77)
    wide_result = windows.conv(np.ascontiguousarray(x).astype(np.float64), w.astype(np.float64), *params)
    np.testing.assert_allclose(out, wide_result, rtol=2e-5 if dtype == 'float32' else 1e-12,
                               atol=1e-4 if dtype == 'float32' else 1e-11)
    return out


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize('machine', test_gemm.MACHINES)
def test_machines(machine, dtype):
    for case in CASES:
        run(case, dtype, test_gemm.MACHINES[machine], 1)


def test_threads_do_not_change_results():
    for case in CASES:
        one, four = (run(case, 'float32', test_gemm.MACHINES['host'], workers) for workers in (1, 4))
        assert np.array_equal(one, four)


def test_what_has_no_plan():
    """Other dtypes, and layouts that are no product: NumPy computes them."""
    x, w, out = (aval((1, 1, n), np.dtype('int32')) for n in (4, 2, 3))
    layout = lambda a: (a, 0, native.contiguous(a.shape))
    plan = lambda x, w, out: convolution.from_conv(Instruction(ops.conv, (0, 1), ((1,), (1,), 1, False), out[0]), x, w,
                                                   out)
    assert plan(layout(x), layout(w), layout(out)) is None
    x, w, out = (aval(a.shape, np.dtype('float32')) for a in (x, w, out))
    assert plan(layout(x), layout(w), (out, 0, (6, 6, 2))) is None
    assert isinstance(plan(layout(x), layout(w), layout(out)), gemm.Plan)


def test_by_torch():
    """What a GPU's library is asked for, on the CPU."""
    torch = pytest.importorskip('torch')
    from lazy.codegen import cuda_program
    for x_shape, w_shape, *params in CASES:
        x, w = (np.random.default_rng(1).standard_normal(shape) for shape in (x_shape, w_shape))
        keywords = dict(zip(ops.conv.param_names, params))
        found = cuda_program._BY_TORCH[ops.conv](torch, torch.from_numpy(x), torch.from_numpy(w), **keywords)
        np.testing.assert_allclose(found.numpy(), windows.conv(x, w, **keywords), atol=1e-10)
