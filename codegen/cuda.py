"""Kernels on an NVIDIA GPU: finding the device, its memory and streams, loading cubins, launching.

torch holds memory, streams and graphs: its allocator and ours would otherwise each keep what the
other needs, and arrays pass between the two libraries without a copy. Kernels are loaded and
launched through the driver (libcuda.so.1) with ctypes, in the primary context, which is torch's
too. A launch costs 1 to 2 us of Python and needs neither triton nor a C compiler.

    device = find_device()
    x = device.upload(array)
    kernel = device.load(compiled)
    kernel((blocks,), device.stream(), x.address, n)
"""

import contextlib
import ctypes
import importlib.util
import os
import struct
import threading

import numpy as np

LIBRARY = 'libcuda.so.1'
INSTALL = 'pip install lazy-arrays[gpu]'

_SUCCESS, _OUT_OF_MEMORY = 0, 2
# Faults of kernels, reported by any later call.
_ASYNCHRONOUS = {700, 702, 714, 715, 716, 717, 718, 719}
_WRONG_BINARY = {200, 209, 218, 222}
_MAX_DYNAMIC_SHARED = 8         # CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
_STATIC_LIMIT = 48 << 10        # dynamic shared memory that needs no attribute
_ATTRIBUTES = {'multiprocessors': 16, 'capability_major': 75, 'capability_minor': 76,
               'shared_per_block': 97, 'clock_khz': 13, 'memory_clock_khz': 36, 'bus_bits': 37,
               'l2_bytes': 38}
_GRID_LIMITS = (2**31 - 1, 65535, 65535)

# struct codes of the argument types. Each argument occupies 8 bytes of the parameter block.
_CODES = {'i1': '?', 'i8': 'b', 'u8': 'B', 'i16': 'h', 'u16': 'H', 'i32': 'i', 'u32': 'I',
          'i64': 'q', 'u64': 'Q', 'fp32': 'f', 'fp64': 'd'}


class DeviceNotFound(RuntimeError):
    """There is no usable CUDA device; the message lists what was looked for and how to get it."""


class CudaError(RuntimeError):
    """A call of the CUDA driver failed.

    `code` is the CUresult, `name` as in CUDA_ERROR_NOT_FOUND.
    """

    def __init__(self, message, code=None, name=None):
        super().__init__(message)
        self.code, self.name = code, name


class OutOfMemory(CudaError, MemoryError):
    """The device has no memory left for an allocation or a kernel."""


# ---- driver --------------------------------------------------------------------------------------


class Driver:
    """The functions of libcuda that are used here, with errors as exceptions.

    Raises DeviceNotFound when the library is missing or finds no device.
    """

    def __init__(self, path=LIBRARY):
        try:
            self.library = ctypes.CDLL(path)
        except OSError as error:
            raise DeviceNotFound(f'{path} could not be loaded ({error})') from error
        self._declare()
        code = self.cuInit(0)
        if code:
            raise DeviceNotFound(f'{path} was loaded, but cuInit failed: {self.describe(code)}')
        self.version = self._integer(self.cuDriverGetVersion)
        self._contexts = {}
        self._current = threading.local()

    def _declare(self):
        pointer, text = ctypes.c_void_p, ctypes.c_char_p
        integer, unsigned = ctypes.c_int, ctypes.c_uint
        out_int, out_pointer, out_text = map(ctypes.POINTER, (integer, pointer, text))
        for name, *types in (
                ('cuInit', unsigned), ('cuDriverGetVersion', out_int),
                ('cuDeviceGetCount', out_int), ('cuDeviceGet', out_int, integer),
                ('cuDeviceGetName', text, integer, integer),
                ('cuDeviceGetAttribute', out_int, integer, integer),
                ('cuDevicePrimaryCtxRetain', out_pointer, integer), ('cuCtxSetCurrent', pointer),
                ('cuModuleLoadData', out_pointer, text), ('cuModuleUnload', pointer),
                ('cuModuleGetFunction', out_pointer, pointer, text),
                ('cuFuncSetAttribute', pointer, integer, integer),
                ('cuGetErrorName', integer, out_text), ('cuGetErrorString', integer, out_text),
                ('cuLaunchKernel', pointer, *[unsigned] * 7, pointer, pointer, pointer)):
            function = getattr(self.library, name)
            function.argtypes, function.restype = types, integer
            setattr(self, name, function)

    def describe(self, code):
        """Name and text of a CUresult."""
        texts = []
        for function in (self.cuGetErrorName, self.cuGetErrorString):
            text = ctypes.c_char_p()
            if function(code, ctypes.byref(text)) == _SUCCESS and text.value:
                texts.append(text.value.decode())
        return ': '.join(texts) or f'error {code}'

    def check(self, code, doing):
        if code:
            raise self.error(code, doing)

    def error(self, code, doing):
        """The exception for a CUresult."""
        name = self.describe(code).split(':')[0]
        message = f'{doing}: {self.describe(code)} (CUDA error {code})'
        if code in _ASYNCHRONOUS:
            message += ('. A kernel launched earlier caused it; the device can be used again only '
                        'by a new process')
        if code in _WRONG_BINARY:
            supported = f'{self.version // 1000}.{self.version % 1000 // 10}'
            message += (f'. The driver supports CUDA {supported}; code for another GPU, or made by '
                        'a newer ptxas, does not load')
        return (OutOfMemory if code == _OUT_OF_MEMORY else CudaError)(message, code, name)

    def _integer(self, function, *arguments):
        value = ctypes.c_int()
        self.check(function(ctypes.byref(value), *arguments), function.__name__)
        return value.value

    def _pointer(self, function, *arguments, doing=None):
        value = ctypes.c_void_p()
        self.check(function(ctypes.byref(value), *arguments), doing or function.__name__)
        return value.value

    def device_count(self):
        return self._integer(self.cuDeviceGetCount)

    def attributes(self, index):
        """{'multiprocessors': 132, 'capability_major': 9, ...} and 'name' of device `index`."""
        device = self._integer(self.cuDeviceGet, index)
        text = ctypes.create_string_buffer(256)
        self.check(self.cuDeviceGetName(text, len(text), device), 'cuDeviceGetName')
        values = {name: self._integer(self.cuDeviceGetAttribute, number, device)
                  for name, number in _ATTRIBUTES.items()}
        return {'name': text.value.decode(), **values}

    def activate(self, index):
        """Make the device's primary context current in the calling thread.

        Launches need it; repeating it is free.
        """
        if getattr(self._current, 'index', None) != index:
            if index not in self._contexts:
                device = self._integer(self.cuDeviceGet, index)
                self._contexts[index] = self._pointer(self.cuDevicePrimaryCtxRetain, device)
            self.check(self.cuCtxSetCurrent(self._contexts[index]), 'cuCtxSetCurrent')
            self._current.index = index

    def forget_current(self):
        """Call when someone else (torch.cuda.set_device) may have changed the thread's context."""
        self._current.index = None


# ---- kernels -------------------------------------------------------------------------------------


def _slot(type_text):
    """struct format of one argument, 8 bytes."""
    if type_text[0] == '*':
        return 'Q'
    if type_text not in _CODES:
        raise ValueError(f'{type_text} cannot be passed to a kernel by value; pass fp32, or a '
                         'pointer')
    code = _CODES[type_text]
    return f'{code}{8 - struct.calcsize("=" + code)}x'


def _three(grid):
    sizes = tuple(grid) if isinstance(grid, (tuple, list)) else (grid,)
    if not 1 <= len(sizes) <= 3:
        raise ValueError(f'a grid has 1 to 3 sizes, not {len(sizes)}')
    return sizes + (1,) * (3 - len(sizes))


class KernelFunction:
    """A compiled kernel, loaded: `kernel(grid, stream, *arguments)` launches it.

    grid        number of programs, int or tuple of up to three; nothing is launched if one is 0
    stream      handle of the CUDA stream, an int
    arguments   addresses (int) for pointers, Python numbers for the rest, in the kernel's order

    Takes `Compiled`, or any object with its fields. Threads may share one: the parameter block,
    written in place for each launch and copied by the driver during it, is protected by a lock.
    """

    def __init__(self, driver, compiled, device=0):
        if compiled.global_scratch or compiled.profile_scratch:
            raise ValueError(f'{compiled.name} needs scratch memory (tensor descriptors made on '
                             'the device do); launching such kernels is not supported')
        self._driver, self.device, self.name = driver, device, compiled.name
        self.argument_types = tuple(compiled.argument_types)
        self._binary = compiled.binary
        self._threads, self._shared = compiled.threads, compiled.shared
        self._lock = threading.Lock()
        self._prepare_parameters()
        self._load()

    def _prepare_parameters(self):
        """Parameters are 8-byte slots; two more, NULL, are Triton's global and profile scratch
        memory.
        """
        slots = [_slot(text) for text in self.argument_types] + ['Q', 'Q']
        packing = struct.Struct('=' + ''.join(slots))
        self._block = ctypes.create_string_buffer(packing.size)
        base = ctypes.addressof(self._block)
        addresses = [base + 8 * k for k in range(len(slots))]
        self._parameters = (ctypes.c_void_p * len(slots))(*addresses)
        self._parameters_address = ctypes.addressof(self._parameters)
        self._pack = packing.pack_into

    def _load(self):
        driver = self._driver
        driver.activate(self.device)
        doing = f'loading the kernel {self.name}'
        self._module = driver._pointer(driver.cuModuleLoadData, self._binary, doing=doing)
        self.function = driver._pointer(driver.cuModuleGetFunction, self._module,
                                        self.name.encode(), doing=doing)
        if self._shared > _STATIC_LIMIT:
            code = driver.cuFuncSetAttribute(self.function, _MAX_DYNAMIC_SHARED, self._shared)
            driver.check(code, f'{self.name}: asking for {self._shared} bytes of shared memory')

    def __call__(self, grid, stream, *arguments):
        x, y, z = _three(grid)
        if not (x and y and z):
            return
        with self._lock:
            try:
                self._pack(self._block, 0, *arguments, 0, 0)
            except (struct.error, TypeError) as error:
                raise self._argument_error(arguments, error) from None
            code = self._driver.cuLaunchKernel(self.function, x, y, z, self._threads, 1, 1,
                                               self._shared, stream, self._parameters_address, None)
        if code:
            raise self._launch_error(code, (x, y, z))

    def _argument_error(self, arguments, error):
        if len(arguments) != len(self.argument_types):
            return TypeError(f'{self.name} takes {len(self.argument_types)} arguments, got '
                             f'{len(arguments)}')
        return TypeError(f'{self.name}{self.argument_types}: {error} in {arguments}')

    def _launch_error(self, code, grid):
        doing = f'launching {self.name} on a grid of {grid}'
        for size, limit in zip(grid, _GRID_LIMITS):
            if size > limit:
                doing += f', where {size} is more than the limit {limit},'
        return self._driver.error(code, doing)

    def unload(self):
        """Free the code on the device.

        Not done by itself: at exit the driver may be gone already.
        """
        if self._module:
            self._driver.cuModuleUnload(self._module)
            self._module = self.function = None


# ---- device --------------------------------------------------------------------------------------


class Buffer:
    """Bytes on the device.

    `address` is an int, aligned to 512 bytes; the memory lives as long as the object.
    """

    __slots__ = ('tensor', 'address', 'nbytes')

    def __init__(self, tensor):
        self.tensor, self.address, self.nbytes = tensor, tensor.data_ptr(), tensor.numel()


class Device:
    """One GPU: memory and streams through torch, kernels through the driver."""

    def __init__(self, driver, torch, index=0):
        self.driver, self.torch, self.index = driver, torch, index
        self.place = f'cuda:{index}'
        self.attributes = driver.attributes(index)
        self.name = self.attributes['name']
        self._functions = {}
        self._lock = threading.Lock()
        if driver.version < 13000:
            prefer_old_assembler()

    @property
    def target(self):
        """What kernels are compiled for: ('cuda', 90)."""
        found = self.attributes
        return 'cuda', 10 * found['capability_major'] + found['capability_minor']

    def __repr__(self):
        return f'<{self.place} {self.name}>'

    def allocate(self, nbytes):
        """An uninitialised Buffer.

        Raises OutOfMemory after torch has given back what it keeps and retried.
        """
        try:
            return Buffer(self.torch.empty(nbytes, dtype=self.torch.uint8, device=self.place))
        except self.torch.OutOfMemoryError as error:
            raise OutOfMemory(f'{self}: no memory for {nbytes} bytes: {error}',
                              _OUT_OF_MEMORY) from error

    def upload(self, array):
        """Buffer with a copy of a NumPy array of any dtype."""
        octets = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        buffer = self.allocate(octets.size)
        buffer.tensor.copy_(self.torch.from_numpy(octets))
        return buffer

    def download(self, buffer, dtype, shape):
        """A NumPy array with a copy of the buffer's first elements; waits for the stream."""
        array = np.empty(shape, dtype)
        octets = array.reshape(-1).view(np.uint8)
        self.torch.from_numpy(octets).copy_(buffer.tensor[:octets.size])
        return array

    def stream(self):
        """Handle of torch's current stream, to pass to kernels."""
        return self.torch.cuda.current_stream(self.index).cuda_stream

    def synchronize(self):
        """Wait for all launched work; raises CudaError for a kernel that failed."""
        try:
            self.torch.cuda.synchronize(self.index)
        except RuntimeError as error:
            raise CudaError(f'{self}: work launched earlier failed: {error}') from error

    def load(self, compiled):
        """The KernelFunction of a compiled kernel, loaded once."""
        key = id(compiled)
        with self._lock:
            if key not in self._functions:
                self._functions[key] = compiled, KernelFunction(self.driver, compiled, self.index)
            return self._functions[key][1]

    def capture(self, launch):
        """Record what `launch(stream)` launches as a CUDA graph and return a function that replays
        it.

        Buffers that it allocates meanwhile belong to the graph. It must not wait for the device.
        """
        graph = self.torch.cuda.CUDAGraph()
        with self.torch.cuda.graph(graph):
            launch(self.stream())
        return graph.replay


def _triton_origin():
    found = importlib.util.find_spec('triton')
    return found and found.origin


def prefer_old_assembler():
    """For drivers older than CUDA 13: compile with the older of the two ptxas in the triton wheel.

    Triton 3.9 uses the newer one for Hopper, and what it makes does not load on such drivers. A
    path that the user set stays.
    """
    origin = _triton_origin()
    if origin and 'TRITON_PTXAS_BLACKWELL_PATH' not in os.environ:
        path = os.path.join(os.path.dirname(origin), 'backends', 'nvidia', 'bin', 'ptxas')
        if os.path.exists(path):
            os.environ['TRITON_PTXAS_BLACKWELL_PATH'] = path


def _import_torch():
    """(torch, None), or (None, what is wrong)."""
    try:
        import torch
    except ImportError as error:
        return None, f'the package torch (device memory and streams): cannot be imported ({error})'
    if not torch.cuda.is_available():
        kind = 'is built without CUDA' if torch.version.cuda is None else 'finds no CUDA device'
        return None, f'torch with CUDA: torch {torch.__version__} {kind}'
    return torch, None


def _open_driver(path):
    try:
        driver = Driver(path)
        if driver.device_count() == 0:
            return None, f'a CUDA device: {path} lists none (see CUDA_VISIBLE_DEVICES)'
        return driver, None
    except (DeviceNotFound, CudaError) as error:
        return None, f'the NVIDIA driver {path}: {error}'


def find_device(index=0, library=LIBRARY, torch=None):
    """The CUDA device `index`. Raises DeviceNotFound that says what was looked for and how to get
    it.

    library and torch replace what is looked for, in tests.
    """
    driver, no_driver = _open_driver(library)
    torch, no_torch = (torch, None) if torch else _import_torch()
    problems = [problem for problem in (no_driver, no_torch) if problem]
    if not _triton_origin():
        problems.append('the package triton (compiles kernels, those in the cache do without): not '
                        'installed')
    if no_driver or no_torch:
        raise DeviceNotFound('no CUDA device can be used. Looked for:\n' + ''.join(
            f'  - {problem}\n' for problem in problems)
            + f'Packages: {INSTALL}. Driver: from NVIDIA or the system.')
    if not 0 <= index < driver.device_count():
        raise DeviceNotFound(f'there is no CUDA device {index}; the driver lists '
                             f'{driver.device_count()}')
    return Device(driver, torch, index)


@contextlib.contextmanager
def current(device):
    """Make a device current in this thread, for torch and for launches."""
    with device.torch.cuda.device(device.index):
        device.driver.forget_current()
        device.driver.activate(device.index)
        yield device
    device.driver.forget_current()
