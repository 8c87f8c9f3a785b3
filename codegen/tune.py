"""fuse(block=..., tune=True) on the native target: into what pieces the last axis of an elementwise kernel is cut.

Tuning runs the kernel on memory of its own with each of a few blocks, when its program is compiled, and keeps the
fastest one on disk, for this machine, number of threads and the magnitude of the sizes. Kernels with reductions are
shared out by rows and columns; no block applies to them.
"""
import hashlib
import struct
import time

import numpy as np

from ..ir import dtypes
from . import llvm, memory, runtime, threads

_BLOCKS = (4096, 16384, 65536)
_MOST_BYTES = 1 << 30                  # kernels on more memory than this are not tuned
_known = {}


def block(k, address):
    """The block for a kernel that belongs to a `fuse` region: as asked for, or tuned. None: the usual one."""
    region = k.step.region
    if region is None or k.form != 'map':
        return None
    asked = region.option('block')
    if not region.option('tune') or k.sizes[k.lane] <= min(_BLOCKS):
        return asked
    key = hashlib.blake2b(repr((k.text, [n.bit_length() for n in k.sizes], asked, threads.get_num_threads(),
                                llvm.host().key)).encode(), digest_size=16).hexdigest()
    if key not in _known:
        _known[key] = _stored(key) or _measured(k, address, asked, key)
    return _known[key]


def _stored(key):
    data = runtime.cache().get(key)
    return struct.unpack('<q', data)[0] if data is not None and len(data) == 8 else None


def _measured(k, address, asked, key):
    """The fastest block, by the shortest of a few runs each."""
    candidates = dict.fromkeys([*([asked] if asked else []), *_BLOCKS, k.sizes[k.lane]])
    buffers = _buffers(k)
    if buffers is None:
        return asked
    times = {candidate: _time(k, address, candidate, buffers) for candidate in candidates}
    best = min(times, key=times.get)
    runtime.cache().put(key, struct.pack('<q', best))
    return best


def _buffers(k):
    """Memory in the place of each array, filled with ones, and of the error word; None where that is too much."""
    sizes = {}
    for a in k.accesses:
        reach = a.offset + sum([max(s, 0) * (n - 1) for s, n in zip(a.strides, k.sizes)])
        reach += sum([max(stride, 0) * (size - 1) for _, stride, size, _ in a.dynamic])
        sizes[a.value] = max(sizes.get(a.value, 0), (reach + 1) * a.dtype.itemsize)
    if sum(sizes.values()) > _MOST_BYTES:
        return None
    found = {value: memory.allocate(nbytes) for value, nbytes in sizes.items()}
    for a in k.accesses:
        array = found[a.value].array((sizes[a.value] // a.dtype.itemsize,), a.dtype)
        array[:] = 0 if any(a.value is b.value and b.dynamic for b in k.accesses) else 1
    return [found[a.value] for a in k.accesses], memory.allocate(64)


def _time(k, address, candidate, buffers):
    from .plan import execute, kernel_record
    record, constants, work = kernel_record(k, address, 0, candidate)
    data = np.frombuffer(record, np.int64).copy()
    arrays, error = buffers
    slots = [b.address for b in arrays] + [1.0 if dtypes.is_inexact(dtype) else 1 for _, dtype in k.scalars]
    slots += [error.address] * k.checks
    times = []
    for _ in range(4):
        start = time.perf_counter_ns()
        execute(data.ctypes.data, 1, tuple(slots), work)
        times.append(time.perf_counter_ns() - start)
    del constants
    return min(times)
