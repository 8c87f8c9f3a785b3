"""Programs of the CUDA target: on the host with interpreted kernels, launched into a stub of libcuda, on a device."""

import ctypes

import numpy as np
import pytest

from lazy.codegen import choices, cuda, cuda_program, reference, runtime
from lazy.codegen.memory import Buffer
from lazy.codegen.triton_interpreter import run as interpret
from lazy.ir import dtypes, ops
from test_cuda import fake_torch, needs_cc, stub, stub_path       # noqa: F401 (fixtures)
from test_triton_printer import Builder, close, random, softmax


class HostDevice(cuda.Device):
    """A device whose memory is the host's."""

    def __init__(self, torch):
        self.driver, self.torch, self.index, self.place, self.name = self, torch, 0, 'cpu', 'host'
        self.waits = 0

    def activate(self, index):
        pass

    def stream(self):
        return 0

    def synchronize(self):
        self.waits += 1


def at(address, elements, dtype):
    """The array at an address."""
    octets = (ctypes.c_ubyte * (elements * dtype.itemsize)).from_address(address)
    return np.frombuffer(octets, dtype, elements) if elements else np.empty(0, dtype)


def interpreted(device, launch):
    """What stands for a compiled kernel: takes addresses as it does."""
    def function(grid, stream, *values):
        if not all(grid):
            return
        arguments = {}
        for argument, (kind, what), value in zip(launch.printed.arguments, launch.sources, values):
            if kind == 'array':
                value = at(value, what[1], what[2])
            elif kind == 'error':
                value = at(value, 2, np.dtype(np.int32))
            arguments[argument.name] = value
        interpret(launch.printed.source, launch.printed.name, grid, arguments, launch.printed.constexprs,
                  types=launch.types, divisible_by_16=launch.divisible,
                  padding=choices.GPU_PADDING if launch.padded else 0)
    return function


class Interpreted(cuda_program.Program):
    function_of = staticmethod(interpreted)


@pytest.fixture
def host():
    return HostDevice(pytest.importorskip('torch'))


def results_of(b, outputs, program, buffers=None):
    buffers = buffers or [Buffer.from_array(x) for x in b.arrays]
    results = program.run(buffers, b.scalars, ())
    return [buffer.array(b.instructions[i].aval.shape, b.instructions[i].aval.dtype)
            for buffer, i in zip(results, outputs)]


def check(b, outputs, program, ulps=16, absolute=1e-5):
    wanted = reference.run_linear(b.linear(outputs), [Buffer.from_array(x) for x in b.arrays], b.scalars, {}, ())
    for result, i in zip(results_of(b, outputs, program), outputs):
        close(result, wanted[i], ulps, absolute=absolute)


def kernels(b):
    """Kernels of every form, literals and an arena."""
    x, row = b.array(random((37, 100))), b.array(random((100,), seed=1))
    total = b(ops.reduce_sum, b.array(random((200_001,), seed=2)), axes=(0,))
    scaled = b(ops.mul, x, b(ops.broadcast, row, shape=(37, 100), axes=(1,)))
    return [softmax(b, scaled, 1), b(ops.reduce_max, x, axes=(0,)), b(ops.add, total, b.scalar(2.5, np.float32)),
            b(ops.add, b(ops.exp, b.array(random((1003,)))), b.scalar(1, np.float32))]


def libraries(b):
    """Products and sorts between kernels, and what only the host computes."""
    x, y = b.array(random((20, 30))), b.array(random((30, 10), seed=1))
    product = b(ops.dot_general, b(ops.exp, x), y, contract_lhs=(1,), contract_rhs=(0,), batch_lhs=(), batch_rhs=())
    ordered = b(ops.sort, b(ops.neg, product), axis=0)
    whole = b.array(random((8, 8), np.int32))
    counts = b(ops.dot_general, whole, whole, contract_lhs=(1,), contract_rhs=(0,), batch_lhs=(), batch_rhs=())
    return [b(ops.cumsum, ordered, axis=1, reverse=True), b(ops.add, counts, counts),
            b(ops.argsort, x, axis=1, dtype=dtypes.int32)]


def parts(b):
    """Arrays that are put together, and a gather that checks its indices."""
    x, y = b.array(random((20, 30))), b.array(random((5, 30), seed=1))
    both = b(ops.concatenate, b(ops.exp, x), b(ops.neg, y), axis=0)
    return [both, b(ops.gather, both, b.array(np.array([3, 24, 0])), axes=(0,), mode='error')]


@pytest.mark.parametrize('build', [kernels, libraries, parts])
def test_programs_with_interpreted_kernels(build, host):
    b = Builder()
    outputs = build(b)
    check(b, outputs, Interpreted(b.linear(outputs), host))


def test_an_index_out_of_range(host):
    b = Builder()
    y = b(ops.gather, b.array(random((40, 6))), b.array(np.array([3, -1, 5])), axes=(0,), mode='error')
    with pytest.raises(IndexError, match='index -1 is out of bounds for axis 0 with size 40'):
        results_of(b, [y], Interpreted(b.linear([y]), host))


def test_results_stay_on_the_device(host):
    b = Builder()
    x = random((1000,))
    y = b(ops.exp, b.array(x))
    program, leaf = Interpreted(b.linear([y]), host), Buffer.from_array(x)
    first, = program.run([leaf], [], ())
    assert leaf.mirror is cuda_program.on_device(host, leaf)           # uploaded once
    assert first.memory is cuda_program.on_device(host, first) and first.host is None
    second, = program.run([first], [], ())
    assert first.host is None
    runtime.wait(second)
    assert host.waits == 1 and second.ticket is None
    np.testing.assert_allclose(second.array((1000,), np.float32), np.exp(np.exp(x)), rtol=1e-5)


def test_memory_that_the_host_may_write_to_is_read_again(host):
    b = Builder()
    y = b(ops.neg, b.array(random((10,))))
    program = Interpreted(b.linear([y]), host)
    buffer, = program.run([Buffer.from_array(random((10,)))], [], ())
    at(buffer.address, 10, np.dtype(np.float32))[:] = 7
    again, = program.run([buffer], [], ())
    assert (again.array((10,), np.float32) == -7).all()


@needs_cc
def test_arguments_of_launches(stub, stub_path, monkeypatch):           # noqa: F811
    """Compiled, cached and launched: what the driver is handed is what the kernel takes."""
    device = cuda.find_device(library=stub_path, torch=fake_torch())
    store = {}
    store_put = type('Store', (dict,), {'put': dict.__setitem__})(store)
    monkeypatch.setattr(runtime, 'cache', lambda: store_put)
    b = Builder()
    y = b(ops.add, b(ops.mul, b.array(random((2000,))), b.scalar(-2.5, np.float32)), b.array(random((2000,))))
    program = cuda_program.Program(b.linear([y]), device)
    assert len(store_put) == 1
    launch, = program.steps
    assert [a.kind for a in launch.printed.arguments] == ['array', 'array', 'array', 'scalar', 'number']
    stub.set('parameters', 7)
    buffers = [Buffer.from_array(x) for x in b.arrays]
    result, = program.run(buffers, b.scalars, ())
    record = stub.record
    addresses = [buffers[0].mirror.address, buffers[1].mirror.address, result.memory.address]
    assert list(record.arguments[:7]) == [*addresses, int(np.float32(-2.5).view(np.uint32)), 2000, 0, 0]
    assert list(record.grid) == [2, 1, 1] and list(record.block) == [128, 1, 1]
    cuda_program.Program(b.linear([y]), device).run(buffers, b.scalars, ())
    assert record.launches == 2 and record.loads == 1 and len(store_put) == 1


@pytest.mark.gpu
@pytest.mark.parametrize('build', [kernels, libraries, parts])
def test_programs_on_a_device(build, device):
    b = Builder()
    outputs = build(b)
    check(b, outputs, cuda_program.Program(b.linear(outputs), device))


@pytest.mark.gpu
@pytest.mark.parametrize('dtype',
                         [np.float32, np.float64, np.int32, np.bool_, 'float8_e4m3fn', 'float8_e5m2', 'int4', 'uint4'])
def test_every_operation_on_a_device(dtype, device):
    from test_triton_printer import ULPS, build as build_operations
    b, outputs, names = build_operations(dtypes.as_dtype(dtype))
    wanted = reference.run_linear(b.linear(outputs), [Buffer.from_array(x) for x in b.arrays], b.scalars, {}, ())
    half = len(outputs) // 8 + 1
    for start in range(0, len(outputs), half):                          # smaller kernels compile faster
        some = outputs[start:start + half]
        for (op, params), result, i in zip(names[start:],
                                           results_of(b, some, cuda_program.Program(b.linear(some), device)),
                                           some):
            close(result, wanted[i], ULPS.get(op.name, 8), f'{op.name} {params}')
