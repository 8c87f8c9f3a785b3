"""Devices: where arrays live.

    lazy.devices()            # [CpuDevice(id=0)]
    lazy.devices('gpu')       # RuntimeError that says what was looked for and how to get it

torch, which holds the memory of GPUs, is imported only when a GPU is asked for.
"""
import ctypes
import ctypes.util
import functools
import importlib.util
import platform as _platform

__all__ = ['Device', 'check_device', 'default_backend', 'default_device', 'device_count', 'device_get', 'device_put',
           'devices', 'local_device_count', 'local_devices', 'process_count', 'process_index', 'search_report']

_GPU = ('gpu', 'cuda', 'rocm')


class Device:
    """A device: platform ('cpu' or 'gpu'), id, device_kind. Equal to its name ('cpu', 'cpu:0')."""
    __slots__ = ('platform', 'id', 'device_kind')
    process_index = 0

    def __init__(self, platform, id, device_kind):
        self.platform, self.id, self.device_kind = platform, id, device_kind

    client = property(lambda self: None, doc='For compatibility: there is none.')
    local_hardware_id = property(lambda self: self.id, doc='Same as id.')

    def memory_stats(self):
        """Bytes in use and at most allowed, by the names of JAX; empty where that isn't known."""
        return {}

    def __eq__(self, other):
        if isinstance(other, str):
            return other in (self.platform, str(self))
        return isinstance(other, Device) and (self.platform, self.id) == (other.platform, other.id)

    def __hash__(self):
        return hash((self.platform, self.id))

    def __str__(self):
        return f'{self.platform}:{self.id}'

    def __repr__(self):
        return f'{self.platform.capitalize()}Device(id={self.id})'

    def __reduce__(self):
        return Device, (self.platform, self.id, self.device_kind)


_CPU = Device('cpu', 0, _platform.machine() or 'cpu')


@functools.cache
def _driver():
    """Which GPU driver library the system has: 'libcuda', 'libamdhip64' or ''."""
    for name, file in (('cuda', 'libcuda.so.1'), ('amdhip64', 'libamdhip64.so')):
        try:
            ctypes.CDLL(ctypes.util.find_library(name) or file)
            return f'lib{name}'
        except OSError:
            continue
    return ''


def search_report():
    """What was looked for to find a GPU, and what was found: [(what, found, advice)]."""
    driver, torch = _driver(), importlib.util.find_spec('torch') is not None
    rows = [('a GPU driver (libcuda or libamdhip64)', driver or 'not found',
             '' if driver else "install the vendor's driver; without one there is no GPU to use"),
            ('torch', 'installed' if torch else 'not installed', '' if torch else 'pip install lazy-arrays[gpu]')]
    if torch and driver:
        count = _torch_count()
        rows.append(('torch with CUDA or ROCm', f'{count} devices' if count else 'sees no device',
                     '' if count else 'install a build of torch for this driver: pip install lazy-arrays[gpu]'))
    return rows


@functools.cache
def _torch_count():
    import torch
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


@functools.cache
def _gpus():
    """The GPUs that can be used: none as long as there is no target for them in this version."""
    if not _driver() or importlib.util.find_spec('torch') is None or not _torch_count():
        return ()
    import torch
    return tuple([Device('gpu', i, torch.cuda.get_device_name(i)) for i in range(_torch_count())])


def devices(backend=None):
    """The devices of a platform: 'cpu' or 'gpu' ('cuda', 'rocm'); by default those that arrays are made on.

    Raises RuntimeError that says what was looked for and how to get it, where a platform has none.

    >>> import lazy
    >>> lazy.devices()
    [CpuDevice(id=0)]
    """
    if backend in (None, 'cpu'):
        return [_CPU]
    if backend in _GPU:
        found = _gpus()
        if not found:
            raise RuntimeError(f'no device of platform {backend!r}. Looked for: ' + '; '.join(
                f'{what}: {state}{f" ({advice})" if advice else ""}' for what, state, advice in search_report())
                + '. GPU support is installed by: pip install lazy-arrays[gpu]')
        return list(found)
    if backend == 'tpu':
        raise RuntimeError("no device of platform 'tpu': this version has no target for TPUs")
    raise RuntimeError(f"unknown platform {backend!r}: there are 'cpu' and 'gpu'")


def local_devices(process_index=None, backend=None, host_id=None):
    """The devices of this process, which are all."""
    return devices(backend)


def device_count(backend=None):
    """Number of devices of a platform."""
    return len(devices(backend))


def local_device_count(backend=None):
    """Number of devices of this process."""
    return len(local_devices(backend=backend))


def process_count(backend=None):
    """Number of processes that compute together: 1."""
    return 1


def process_index(backend=None):
    """Number of this process: 0."""
    return 0


def default_backend():
    """Platform of the default device."""
    return 'cpu'


def default_device():
    """The device that arrays are made on.

    >>> import lazy
    >>> str(lazy.default_device())
    'cpu:0'
    """
    return _CPU


def check_device(device):
    """The Device that is meant by None, a Device, or a name such as 'cpu' or 'cpu:0'; RuntimeError otherwise."""
    if device is None:
        return default_device()
    if isinstance(device, Device):
        platform, number = device.platform, device.id
    elif isinstance(device, str):
        platform, _, digits = device.partition(':')
        if digits and not digits.isdigit():
            raise ValueError(f"{device!r} is no device: a name is like 'cpu' or 'cpu:0'")
        number = int(digits or 0)
    else:
        raise ValueError(f'{device!r} is no device')
    found = devices(platform)
    if number >= len(found):
        raise RuntimeError(f'no device {platform}:{number}: there are {len(found)} of that platform')
    if found[number].platform != 'cpu':
        raise RuntimeError(f'arrays on {found[number]} are not possible in this version: only on the CPU')
    return found[number]


def device_put(x, device=None, src=None, *, donate=False, may_alias=None):
    """A tree of arrays on a device.

    >>> import lazy
    >>> str(lazy.device_put([1, 2], lazy.devices('cpu')[0])[0].device)
    'cpu:0'
    """
    from . import trees
    from .array import as_node, wrap
    check_device(device)
    return trees.map(lambda leaf: wrap(as_node(leaf)), x)


def device_get(x):
    """A tree of arrays as NumPy arrays; waits for them.

    >>> import lazy
    >>> lazy.device_get({'a': lazy.numpy.array([1, 2])})['a']
    array([1, 2], dtype=int32)
    """
    import numpy

    from . import tree
    return tree.map(lambda leaf: numpy.asarray(leaf) if hasattr(leaf, '__array__') else leaf, x)
