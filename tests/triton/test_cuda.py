"""The launch path: against a stub of libcuda everywhere, on a real device where there is one."""

import ctypes
import os
import shutil
import struct
import subprocess
import sys
import threading
import types

import numpy as np
import pytest

from lazy.codegen import cuda
from lazy.codegen.triton_compile import Compiled

CC = shutil.which('cc') or shutil.which('gcc') or shutil.which('clang')
needs_cc = pytest.mark.skipif(CC is None, reason='needs a C compiler for the stub of libcuda')
ELF = b'\x7fELF\0\0rest of a cubin'


class Record(ctypes.Structure):
    """`Record` of stub_cuda.c."""
    _fields_ = [('launches', ctypes.c_long), ('loads', ctypes.c_long), ('unloads', ctypes.c_long),
                ('grid', ctypes.c_uint * 3), ('block', ctypes.c_uint * 3),
                ('shared', ctypes.c_uint), ('function', ctypes.c_void_p),
                ('stream', ctypes.c_void_p),
                ('arguments', ctypes.c_ulonglong * 32), ('shared_attribute', ctypes.c_int),
                ('context', ctypes.c_int)]


@pytest.fixture(scope='session')
def stub_path(tmp_path_factory):
    path = tmp_path_factory.mktemp('stub') / 'libcuda_stub.so'
    source = os.path.join(os.path.dirname(__file__), 'stub_cuda.c')
    subprocess.run([CC, '-shared', '-fPIC', '-o', str(path), source], check=True)
    return str(path)


class Stub:
    """The stub's variables."""

    def __init__(self, path):
        self.library = ctypes.CDLL(path)
        self.record = Record.in_dll(self.library, 'stub_record')

    def set(self, name, value):
        ctypes.c_int.in_dll(self.library, 'stub_' + name).value = value


@pytest.fixture
def stub(stub_path):
    stub = Stub(stub_path)
    ctypes.memset(ctypes.byref(stub.record), 0, ctypes.sizeof(Record))
    yield stub
    for name, value in (('parameters', 0), ('fail_launch', 0), ('fail_load', 0), ('devices', 1),
                        ('version', 13000), ('fail_init', 0)):
        stub.set(name, value)


@pytest.fixture
def driver(stub, stub_path):
    return cuda.Driver(stub_path)


def kernel(name='scale', argument_types=('*fp32', 'i32'), shared=0, binary=ELF, **fields):
    return Compiled(**{**dict(
        name=name, target=('cuda', 90), binary=binary, assembly='', argument_types=argument_types,
        num_warps=4, warp_size=32, shared=shared, global_scratch=0, profile_scratch=0,
        triton_version='3.9.0'), **fields})


# ---- launching -----------------------------------------------------------------------------------

@needs_cc
def test_launch(driver, stub):
    function = cuda.KernelFunction(driver, kernel(shared=1000))
    stub.set('parameters', 4)
    function((7, 2), 0x55, 0x1234_5678_9ABC, -3)
    record = stub.record
    assert record.launches == 1 and record.stream == 0x55 and record.shared == 1000
    assert list(record.grid) == [7, 2, 1] and list(record.block) == [128, 1, 1]
    assert list(record.arguments[:4]) == [0x1234_5678_9ABC, 2**32 - 3, 0, 0]
    function(5, 0, 1, 2)
    assert record.launches == 2 and list(record.grid) == [5, 1, 1]


@needs_cc
def test_every_argument_type(driver, stub):
    values = {'*i8': 2**63, 'i1': True, 'i8': -1, 'u8': 255, 'i16': -2, 'u16': 65535, 'i32': -3,
              'u32': 2**32 - 1, 'i64': -4, 'u64': 2**64 - 1, 'fp32': 1.5, 'fp64': 0.1}
    function = cuda.KernelFunction(driver, kernel(argument_types=tuple(values)))
    stub.set('parameters', len(values) + 2)
    function(1, 0, *values.values())
    codes = {'i1': '?', 'fp32': 'f', 'fp64': 'd'}
    sizes = {'8': 'b', '16': 'h', '32': 'i', '64': 'q'}
    for slot, (name, value) in zip(stub.record.arguments, values.items()):
        code = 'Q' if name[0] == '*' else codes.get(name) or sizes[name[1:]]
        code = code.upper() if name[0] == 'u' else code
        assert struct.unpack_from('=' + code, struct.pack('=Q', slot))[0] == value, name
    assert list(stub.record.arguments[len(values):len(values) + 2]) == [0, 0]


@needs_cc
def test_an_empty_grid_launches_nothing(driver, stub):
    cuda.KernelFunction(driver, kernel())((0, 3), 0, 1, 2)
    assert stub.record.launches == 0


@needs_cc
def test_large_shared_memory_is_asked_for(driver, stub):
    cuda.KernelFunction(driver, kernel(shared=48 << 10))
    assert stub.record.shared_attribute == 0
    cuda.KernelFunction(driver, kernel(shared=200_000))
    assert stub.record.shared_attribute == 200_000
    with pytest.raises(cuda.CudaError, match='300000 bytes of shared memory'):
        cuda.KernelFunction(driver, kernel(shared=300_000))


@needs_cc
def test_unsupported_kernels_are_refused(driver):
    with pytest.raises(ValueError, match='scratch'):
        cuda.KernelFunction(driver, kernel(global_scratch=128))
    for name in ('bf16', 'tensordesc<bf16[64,64]>'):
        with pytest.raises(ValueError, match='by value'):
            cuda.KernelFunction(driver, kernel(argument_types=(name,)))


@needs_cc
@pytest.mark.parametrize('arguments', [(1,), (1, 2, 3), (1, 2**31), (1.5, 2), ('x', 2)])
def test_wrong_arguments(driver, stub, arguments):
    function = cuda.KernelFunction(driver, kernel())
    with pytest.raises(TypeError, match='scale'):
        function(1, 0, *arguments)
    assert stub.record.launches == 0


@needs_cc
def test_threads_do_not_mix_their_arguments(driver, stub):
    function = cuda.KernelFunction(driver, kernel())

    def launch(value):
        for _ in range(200):
            function(1, 0, value, value)
    threads = [threading.Thread(target=launch, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stub.record.launches == 800


@needs_cc
def test_a_real_cubin_is_accepted(driver, stub):
    pytest.importorskip('triton')
    from lazy.codegen.triton_compile import compile_kernel
    from triton_texts import elementwise
    compiled = compile_kernel(elementwise('x_ * 2.0'), 'kernel',
                              {'x': '*fp32', 'out': '*fp32', 'n': 'i32'}, {'BLOCK': 1024})
    function = cuda.KernelFunction(driver, compiled)
    stub.set('parameters', 5)
    function((4,), 0, 16, 32, 1000)
    assert list(stub.record.arguments[:5]) == [16, 32, 1000, 0, 0]


# ---- errors --------------------------------------------------------------------------------------

@needs_cc
def test_error_codes(driver, stub):
    with pytest.raises(cuda.CudaError, match='CUDA_ERROR_NOT_FOUND: text of the stub') as error:
        cuda.KernelFunction(driver, kernel('missing'))
    assert error.value.code == 500 and error.value.name == 'CUDA_ERROR_NOT_FOUND'
    with pytest.raises(cuda.CudaError, match='supports CUDA 13.0'):
        cuda.KernelFunction(driver, kernel(binary=b'not a cubin'))
    function = cuda.KernelFunction(driver, kernel())
    stub.set('fail_launch', 700)
    with pytest.raises(cuda.CudaError, match='launched earlier'):
        function(1, 0, 1, 2)
    stub.set('fail_launch', 2)
    with pytest.raises(MemoryError, match='OUT_OF_MEMORY'):
        function(1, 0, 1, 2)
    stub.set('fail_launch', 0)
    with pytest.raises(cuda.CudaError, match='70000 is more than the limit 65535'):
        function((1, 70000), 0, 1, 2)
    with pytest.raises(ValueError, match='1 to 3 sizes'):
        function((1, 1, 1, 1), 0, 1, 2)


# ---- finding a device ----------------------------------------------------------------------------

def fake_torch():
    """The part of torch that a device is made with; memory is on the host."""
    class Tensor:
        def __init__(self, array):
            self.array = array

        def data_ptr(self):
            return self.array.ctypes.data

        def numel(self):
            return self.array.size

        def copy_(self, other):
            self.array[...] = other.array

        def __getitem__(self, part):
            return Tensor(self.array[part])

    class OutOfMemoryError(RuntimeError):
        pass

    def empty(nbytes, dtype, device):
        if nbytes > 1 << 30:
            raise OutOfMemoryError('full')
        return Tensor(np.empty(nbytes, np.uint8))
    stream = types.SimpleNamespace(cuda_stream=77)
    return types.SimpleNamespace(
        empty=empty, from_numpy=Tensor, uint8='uint8', OutOfMemoryError=OutOfMemoryError,
        cuda=types.SimpleNamespace(current_stream=lambda index: stream, synchronize=lambda i: None))


@needs_cc
def test_device(stub, stub_path):
    device = cuda.find_device(library=stub_path, torch=fake_torch())
    assert device.target == ('cuda', 90) and device.name == 'Stub 0'
    assert device.attributes['multiprocessors'] == 132 and 'Stub 0' in repr(device)
    array = np.arange(6, dtype=np.int16).reshape(2, 3)
    buffer = device.upload(array.T)
    assert buffer.nbytes == 12
    np.testing.assert_array_equal(device.download(buffer, np.int16, (3, 2)), array.T)
    compiled = kernel()
    device.load(compiled)((1,), device.stream(), buffer.address, 6)
    assert device.load(compiled) is device.load(compiled)
    assert stub.record.loads == 1 and stub.record.stream == 77
    with pytest.raises(cuda.OutOfMemory, match='no memory for'):
        device.allocate(1 << 40)


@needs_cc
def test_second_device_has_its_own_context(stub, stub_path):
    stub.set('devices', 2)
    device = cuda.find_device(1, library=stub_path, torch=fake_torch())
    cuda.KernelFunction(device.driver, kernel(), 1)
    assert stub.record.context == 1
    with pytest.raises(cuda.DeviceNotFound, match='no CUDA device 2'):
        cuda.find_device(2, library=stub_path, torch=fake_torch())


@needs_cc
def test_old_drivers_get_the_old_assembler(stub, stub_path, monkeypatch):
    pytest.importorskip('triton')
    monkeypatch.setenv('TRITON_PTXAS_BLACKWELL_PATH', '')
    monkeypatch.delenv('TRITON_PTXAS_BLACKWELL_PATH')
    cuda.find_device(library=stub_path, torch=fake_torch())
    assert 'TRITON_PTXAS_BLACKWELL_PATH' not in os.environ
    stub.set('version', 12080)
    cuda.find_device(library=stub_path, torch=fake_torch())
    assert os.path.exists(os.environ['TRITON_PTXAS_BLACKWELL_PATH'])


def test_a_missing_driver_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'torch', None)
    with pytest.raises(cuda.DeviceNotFound) as error:
        cuda.find_device(library=str(tmp_path / 'libcuda.so.1'))
    text = str(error.value)
    assert 'libcuda.so.1' in text and 'torch' in text and 'pip install lazy-arrays[gpu]' in text


@needs_cc
@pytest.mark.parametrize('name, value, text', [('fail_init', 100, 'CUDA_ERROR_NO_DEVICE'),
                                               ('devices', 0, 'CUDA_VISIBLE_DEVICES')])
def test_a_driver_without_device(stub, stub_path, name, value, text):
    stub.set(name, value)
    with pytest.raises(cuda.DeviceNotFound, match=text):
        cuda.find_device(library=stub_path, torch=fake_torch())


@needs_cc
def test_torch_without_cuda_is_named(stub_path, monkeypatch):
    torch = types.ModuleType('torch')
    torch.__version__ = '2.0+cpu'
    torch.version = types.SimpleNamespace(cuda=None)
    torch.cuda = types.SimpleNamespace(is_available=lambda: False)
    monkeypatch.setitem(sys.modules, 'torch', torch)
    with pytest.raises(cuda.DeviceNotFound, match='2.0.cpu is built without CUDA'):
        cuda.find_device(library=stub_path)


# ---- on a device ---------------------------------------------------------------------------------

def _device_kernel(device, text, name, arguments, constexprs):
    from lazy.codegen.triton_compile import compile_kernel
    from lazy.codegen.triton_interpreter import signature
    facts = tuple(n for n, v in arguments.items() if isinstance(v, np.ndarray))
    return device.load(compile_kernel(text, name, signature(arguments), constexprs, facts,
                                      device.target))


def _launch(device, text, name, grid, arguments, constexprs):
    """Run on the device what `triton_interpreter.run` runs on the host."""
    buffers = {n: device.upload(v) for n, v in arguments.items() if isinstance(v, np.ndarray)}
    values = [buffers[n].address if n in buffers else v for n, v in arguments.items()]
    _device_kernel(device, text, name, arguments, constexprs)(grid, device.stream(), *values)
    device.synchronize()
    return {n: device.download(b, arguments[n].dtype, arguments[n].shape)
            for n, b in buffers.items()}


@pytest.mark.gpu
@pytest.mark.parametrize('value', ['x_ * 2.0 + 1.0', 'tl.exp(x_)', 'libdevice.tanh(x_)',
                                   'x_.to(tl.bfloat16).to(tl.float32)'])
def test_device_agrees_with_the_interpreter(device, value):
    from lazy.codegen.triton_interpreter import run
    from triton_texts import elementwise
    x = np.random.default_rng(0).standard_normal(10_000).astype(np.float32)
    arguments = {'x': x, 'out': np.zeros_like(x), 'n': x.size}
    text = elementwise(value)
    result = _launch(device, text, 'kernel', (10,), arguments, {'BLOCK': 1024})
    run(text, 'kernel', 10, arguments, {'BLOCK': 1024})
    np.testing.assert_allclose(result['out'], arguments['out'], rtol=1e-6)


@pytest.mark.gpu
def test_device_graph(device):
    from triton_texts import elementwise
    x = np.ones(4096, np.float32)
    text = elementwise('x_ + tl.load(out + i, mask=m)')
    arguments = {'x': x, 'out': x, 'n': x.size}
    function = _device_kernel(device, text, 'kernel', arguments, {'BLOCK': 1024})
    source, total = device.upload(x), device.upload(0 * x)
    replay = device.capture(lambda stream: function(4, stream, source.address, total.address, 4096))
    for _ in range(3):
        replay()
    device.synchronize()
    assert (device.download(total, np.float32, x.shape) == 3).all()


def skip_without_driver():
    try:
        cuda.Driver()
    except cuda.DeviceNotFound as error:
        pytest.skip(f'needs a CUDA device: {error}')


@pytest.mark.gpu
def test_device_fault_is_reported_when_waited_for():
    """In a process of its own: the device cannot be used after it."""
    skip_without_driver()
    code = '''
from lazy.codegen import cuda
from lazy.codegen.triton_compile import compile_kernel
from triton_texts import elementwise
try:
    device = cuda.find_device()
except cuda.DeviceNotFound as error:
    print('SKIP', error)
    raise SystemExit
types = {'x': '*fp32', 'out': '*fp32', 'n': 'i32'}
compiled = compile_kernel(elementwise('x_'), 'kernel', types, {'BLOCK': 128}, target=device.target)
device.load(compiled)(1, device.stream(), 64, 64, 128)
try:
    device.synchronize()
except cuda.CudaError as error:
    print('RAISED', error)
'''
    path = os.pathsep.join(p for p in sys.path if p)
    out = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True,
                         env={**os.environ, 'PYTHONPATH': path}).stdout
    if out.startswith('SKIP'):
        pytest.skip(f'needs a CUDA device: {out[5:]}')
    assert out.startswith('RAISED')
