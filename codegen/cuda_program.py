"""The CUDA target: the plan of `triton_plan` on a device.

Results stay on the device; the host gets a copy when it asks for one. What the host made is copied to the device by the
first program that reads it, and stays there too. Products, sorts and scans are torch's; what neither a kernel nor torch
does is computed on the host, by the reference.
"""
import functools
import threading

import numpy as np

from ..ir import ops
from . import choices, cuda, memory, reference, runtime
from .triton_plan import Launch, Plan, scalar_value

_functions = {}                        # what a kernel is compiled from, and for which device -> its KernelFunction
_lock = threading.Lock()


@functools.cache
def default_device():
    """The first CUDA device. Raises DeviceNotFound that says what was looked for."""
    return cuda.find_device()


class Pending:
    """What a result on a device waits for. Has what a ticket of the queue has."""
    __slots__ = ('device', 'done')
    short = False

    def __init__(self, device):
        self.device, self.done = device, False

    def join(self):
        if not self.done:
            self.device.synchronize()
            self.done = True

    result = join


class DeviceBuffer:
    """A result on a device, like memory.Buffer to the host: a copy is made when its memory is asked for.

    `address` is the host copy's; whoever asks for it may write there, so that the device's memory is given up.
    """
    __slots__ = ('device', 'memory', 'host', 'nbytes', 'ticket')
    owner = None

    def __init__(self, device, on_device, nbytes):
        self.device, self.memory, self.host, self.nbytes = device, on_device, None, nbytes
        self.ticket = Pending(device)

    def __repr__(self):
        return f'DeviceBuffer({self.nbytes} bytes on {self.device})'

    def _on_host(self):
        if self.host is None:
            self.host = memory.allocate(self.nbytes)
            octets = self.device.download(self.memory, np.dtype(np.uint8), (self.nbytes,))
            np.copyto(self.host.array((self.nbytes,), np.uint8), octets)
        return self.host

    @property
    def address(self):
        address = self._on_host().address
        self.memory = None
        return address

    def array(self, shape, dtype, offset=0):
        return self._on_host().array(shape, dtype, offset)


def on_device(device, buffer):
    """The device's memory with the contents of a buffer, padded."""
    if isinstance(buffer, DeviceBuffer):
        if buffer.memory is None:
            buffer.memory = _upload(device, buffer.host, buffer.nbytes)
        return buffer.memory
    mirror = getattr(buffer, 'mirror', None)
    if mirror is None:
        mirror = buffer.mirror = _upload(device, buffer, buffer.nbytes)
    return mirror


def _upload(device, buffer, nbytes):
    result = device.allocate(nbytes + choices.GPU_PADDING)
    write(device, result, buffer.array((nbytes,), np.uint8))
    return result


def write(device, target, array):
    """Copy an array of the host into device memory."""
    octets = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    if octets.size:
        target.tensor[:octets.size].copy_(device.torch.from_numpy(octets))


def compiled_function(device, launch):
    """The loaded kernel of a launch: from this process, the disk cache, or the compiler."""
    from .triton_compile import compile_kernel
    printed = launch.printed
    key = (device, printed.source, printed.name, *launch.types.items(), *printed.constexprs.items(),
           launch.divisible, printed.num_warps)
    with _lock:
        if key not in _functions:
            # Functions of libdevice are asked to keep subnormals.
            compiled = compile_kernel(printed.source, printed.name, launch.types, printed.constexprs, launch.divisible,
                                      device.target, num_warps=printed.num_warps, cache=runtime.cache(),
                                      enable_reflect_ftz=False)
            _functions[key] = device.load(compiled)
        return _functions[key]


class Program(Plan):
    """A compiled Linear on a device. A run returns when everything is launched; programs that check indices wait."""

    function_of = staticmethod(compiled_function)

    def __init__(self, linear, device):
        self.device = device
        super().__init__(linear)

    def _compile(self):
        super()._compile()
        self.segments = [self._launcher(step) if isinstance(step, Launch) else step for step in self.steps]

    # --- kernels ------------------------------------------------------------------------------------------------

    def _launcher(self, launch):
        function, grid, sources = self.function_of(self.device, launch), launch.grid, launch.sources

        def run(holders, lines):
            function(grid, self.device.stream(), *[_argument(source, holders) for source in sources])
        return run

    # --- libraries ----------------------------------------------------------------------------------------------

    def _library(self, i):
        x = self.linear.instructions[i]
        by_torch = _BY_TORCH.get(x.op)
        avals = [self.linear.instructions[j].aval for j in x.inputs]
        if x.op is ops.conv and (len(x.params[0]) > 3 or not x.aval.size):      # more axes, or less, than torch takes
            by_torch = None
        if by_torch is not None and all(a.dtype.name in _TORCH_FLOATS for a in avals):
            return self._by_torch(i, x, by_torch)
        return self._by_reference(i, x)

    def _by_torch(self, i, x, function):
        operands, target = [self._tensor(j) for j in x.inputs], self._tensor(i)

        def run(holders, lines):
            target(holders).copy_(function(self.device.torch, *[t(holders) for t in operands], **x.keywords()))
        return run

    def _by_reference(self, i, x):
        """On the host, with copies there and back."""
        source, keywords = self.linear.sources[i], x.keywords()
        operands = [self._host_view(j) for j in x.inputs]
        owner = self.layouts[i][0]
        number, nbytes, whole = self.pool[owner], self._nbytes(owner), self._view(i)

        def run(holders, lines):
            arrays = [view(holders) for view in operands]
            with np.errstate(all='ignore'):
                try:
                    result = reference.evaluate(x.op, arrays, keywords, x.aval)
                except (ArithmeticError, ValueError, IndexError) as error:
                    raise reference.at_line(error, source, lines) from None
            copy = _HostCopy(self.device, holders[number], nbytes)
            np.copyto(whole({number: copy}), result)
            write(self.device, holders[number], copy.octets)
        return run

    def _host_view(self, j):
        x, view = self.linear.instructions[j], self._view(j)
        if x.op is ops.literal or j not in self.layouts:
            return view
        owner = self.layouts[j][0]
        number, nbytes = self.pool[owner], self._nbytes(owner)
        return lambda holders: view({number: _HostCopy(self.device, holders[number], nbytes)})

    def _tensor(self, j):
        """A function of holders that gives stored value j as a tensor on the device."""
        x = self.linear.instructions[j]
        if x.op is ops.literal:
            value = self._number(x)
            return lambda holders: self.device.torch.tensor(float(value(holders)), device=self.device.place,
                                                            dtype=getattr(self.device.torch, x.aval.dtype.name))
        owner, offset, strides = self.layouts[j]
        number, shape, dtype = self.pool[owner], x.aval.shape, x.aval.dtype
        nbytes = self._nbytes(owner)

        def tensor(holders):
            flat = holders[number].tensor[:nbytes].view(getattr(self.device.torch, dtype.name))
            return flat.as_strided(shape, strides, flat.storage_offset() + offset)
        return tensor

    # --- running --------------------------------------------------------------------------------------------------

    def run(self, buffers, scalars, lines, background=False):
        """Buffers of the outputs for buffers of the leaves and values of the literals."""
        device = self.device
        for buffer in buffers:
            if buffer.ticket is not None and not isinstance(buffer.ticket, Pending):
                runtime.wait(buffer)                                  # computed on the host, in the background
        device.driver.activate(device.index)
        leaves = [on_device(device, buffer) for buffer in buffers[:self.n_leaves]]
        outs = [device.allocate(n + choices.GPU_PADDING) for n in self.outputs]
        holders = [*leaves, *outs, *self._pieces(), *self.with_parts(scalars)]
        if self.checked:
            write(device, holders[self.pool['error',]], np.zeros(2, np.int32))
        for segment in self.segments:
            segment(holders, lines)
        if self.checked and device.download(holders[self.pool['error',]], np.dtype(np.int32), (1,))[0]:
            self._report(buffers, scalars, lines)
        return [self._result_buffer(buffers, leaves, outs, *result) for result in self.results]

    def _pieces(self):
        """Pieces of one allocation for what lives only inside of the run."""
        if not self.arena:
            return []
        arena = self.device.allocate(self.arena + choices.GPU_PADDING)
        return [cuda.Buffer(arena.tensor[offset:]) for offset in self.offsets]

    def _result_buffer(self, buffers, leaves, outs, number, slot):
        if slot is None:
            return DeviceBuffer(self.device, outs[number], self.outputs[number])
        return DeviceBuffer(self.device, leaves[slot], buffers[slot].nbytes)


def _argument(source, holders):
    kind, what = source
    if kind == 'array':
        return holders[what[0]].address
    if kind == 'error':
        return holders[what].address
    if kind == 'scalar':
        return scalar_value(holders[what[0]], what[1]).item()
    return what


class _HostCopy:
    """A copy on the host of device memory, with a Buffer's `array`."""

    def __init__(self, device, buffer, nbytes):
        self.octets = device.download(buffer, np.dtype(np.uint8), (nbytes,))

    def array(self, shape, dtype, offset=0):
        return np.ndarray(shape, dtype, self.octets, offset)


# --- torch's functions ------------------------------------------------------------------------------------------

_TORCH_FLOATS = ('float16', 'bfloat16', 'float32', 'float64')


def _product(torch, a, b, **axes):
    from ..ir.reference import as_matmul
    left, right, out = as_matmul(tuple(a.shape), tuple(b.shape), **axes)
    return torch.matmul(a.permute(left[0]).reshape(left[1]), b.permute(right[0]).reshape(right[1])).reshape(out)


def _conv(torch, x, w, stride, dilation, groups, feature_first):
    """In the type of the operands: cuDNN would take float32 for TF32."""
    if not stride:
        return _conv(torch, x[..., None], w[..., None], (1,), (1,), groups, feature_first)[..., 0]
    function = getattr(torch.nn.functional, f'conv{len(stride)}d')
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        result = function(x, w, None, stride, 0, dilation, groups)
    return result.transpose(0, 1) if feature_first else result


def _cumulative(name):
    def call(torch, x, axis, reverse):
        x = x.flip(axis) if reverse else x
        result = getattr(torch, name)(x, axis)
        result = result if name in ('cumsum', 'cumprod', 'logcumsumexp') else result.values
        return result.flip(axis) if reverse else result
    return call


_BY_TORCH = {
    ops.dot_general: _product, ops.conv: _conv,
    ops.sort: lambda torch, x, axis: torch.sort(x, axis).values,
    ops.partition: lambda torch, x, kth, axis: torch.sort(x, axis).values,
    ops.argsort: lambda torch, x, axis, dtype: torch.argsort(x, dim=axis, stable=True),
    ops.cumsum: _cumulative('cumsum'), ops.cumprod: _cumulative('cumprod'), ops.cummax: _cumulative('cummax'),
    ops.cummin: _cumulative('cummin'), ops.cumlogsumexp: _cumulative('logcumsumexp'),
}
