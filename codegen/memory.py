"""Memory for arrays: aligned, padded, and kept for reuse.

    buffer = allocate(nbytes)                     # address is a multiple of 64
    view = buffer.array(shape, dtype)             # a NumPy array that keeps the memory
    buffer = Buffer.from_array(array)             # the memory of a NumPy array

A buffer's memory goes back to a pool when the last of the buffer and its views is gone, and is
handed out again as it is: fresh pages cost more than most arithmetic on them. Blocks come in sizes
of at most 12.5 % more than asked for, 64 bytes of padding included, so that code may read one
vector past the end.

Blocks of 1 MiB and more are mapped at multiples of 2 MiB with transparent huge pages asked for:
first use of 40 MB takes 2 ms instead of 18. The pool keeps a quarter of the machine's memory at
most, those block sizes that were used least recently go first; small blocks are kept to 2 MiB for
each size.

No lock is taken. Free blocks are in lists, whose append and pop are atomic, and a finaliser may run
in the middle of any of these functions. (Counters are exact under the GIL; without one they may
drift, and are set right by every `trim`.)
"""
import ctypes
import functools
import os
import sys
import time

import numpy as np

from lazy.codegen import cgroups

__all__ = ['Buffer', 'allocate', 'address_of', 'trim', 'statistics', 'set_pool_limit',
           'available_memory', 'ALIGNMENT']

ALIGNMENT = 64                      # a cache line, and the widest vector
SMALL_BLOCK = 64 << 10              # up to here a table has the list of free blocks
SMALL = SMALL_BLOCK - ALIGNMENT     # bytes to ask for that need such a block
MAPPED = 1 << 20                    # from here on blocks are mapped one by one
HUGE_PAGE = 2 << 20
CHECKED = 64 << 20                  # from here on the machine is asked whether it has as much
SMALL_KEPT = 2 << 20                # bytes of free blocks of one small size
POOL_SHARE = 0.25                   # of the machine's memory, for free blocks above SMALL_BLOCK


_ndarray = np.ndarray


@functools.lru_cache(maxsize=256)
def _exporter(nbytes):
    """address -> an object with a buffer of `nbytes` bytes there, and room for attributes."""
    return type('Memory', (ctypes.c_char * nbytes,), {}).from_address


class Buffer:
    """Memory at `address`, `nbytes` of it; `owner` is what it belongs to (or None).

    ticket: of the queue's work that fills it, None where nothing is outstanding.
    mirror: a device's copy of the memory, unset where there never was one.
    """

    __slots__ = ('address', 'nbytes', 'owner', 'ticket', 'mirror')

    def __init__(self, address, nbytes, owner=None):
        self.address, self.nbytes, self.owner, self.ticket = address, nbytes, owner, None

    def __repr__(self):
        return f'{type(self).__name__}({self.nbytes} bytes at {self.address:#x})'

    @classmethod
    def from_array(cls, array):
        """The memory of a C-contiguous NumPy array, not copied. ValueError for other arrays."""
        if not array.flags.c_contiguous:
            raise ValueError('the array is not contiguous')
        return cls(address_of(array), array.nbytes, array)

    def array(self, shape, dtype, offset=0):
        """A NumPy array on this memory, which it keeps. TypeError where the memory is too small."""
        if isinstance(self.owner, np.ndarray):
            return _ndarray(shape, dtype, self.owner, offset)
        exporter = _exporter(self.nbytes)(self.address)
        exporter.buffer = self
        return _ndarray(shape, dtype, exporter, offset)


class _Pooled(Buffer):
    """Memory of the pool, which goes back there. `owner` is its list of free blocks."""

    __slots__ = ()

    def array(self, shape, dtype, offset=0):
        exporter = (self.owner.exporter or self.owner.make_exporter())(self.address)
        exporter.buffer = self                    # array -> exporter -> buffer
        return _ndarray(shape, dtype, exporter, offset)


class _Small(_Pooled):
    __slots__ = ()

    def __del__(self, ending=sys.is_finalizing):
        free = self.owner
        if len(free) < free.most:
            free.append(self.address)
        elif not ending():                        # this module's globals may be gone already
            free.release(self.address)


class _Large(_Pooled):
    __slots__ = ()

    def __del__(self):
        if _pool is not None:                     # this module is cleared before the last objects die
            self.owner.put_back(self.address)


class _Free(list):
    """Addresses of the free blocks of one size."""

    __slots__ = ('size', 'most', 'exporter', 'used')

    def __init__(self, size):
        self.size = size
        self.most = max(8, SMALL_KEPT // size)
        self.used = 0.0
        self.exporter = None

    def make_exporter(self):
        """address -> an object that shows NumPy a block of this size."""
        self.exporter = _exporter(self.size)
        return self.exporter

    def fresh(self):
        """The address of a new block. MemoryError where the machine has no room for it."""
        if self.size >= CHECKED:
            _check_room(self.size)
        address = _take(self.size)
        if not address:
            trim()
            address = _take(self.size)
            if not address:
                raise _out_of_memory(self.size, available_memory())
        if self.size > SMALL_BLOCK:
            _pool.bound()                         # now: finalisers may run when no file can be read
        _pool.reserved += self.size
        if _pool.reserved > _pool.peak:
            _pool.peak = _pool.reserved
        return address

    def release(self, address):
        """Give a block back to the system."""
        _give(address, self.size)
        _pool.reserved -= self.size

    def put_back(self, address):
        """Keep a large block for reuse; where that makes too many, give the oldest back."""
        self.used = time.monotonic()
        self.append(address)
        _pool.large += self.size
        if _pool.large > _pool.limit:
            trim(int(_pool.limit * 0.75))


class _Pool:
    """Counters in bytes. reserved: taken from the system; large: free ones above SMALL_BLOCK."""

    __slots__ = ('reserved', 'peak', 'large', 'limit')

    def __init__(self):
        self.reserved = self.peak = self.large = 0
        self.limit = None

    def bound(self):
        if self.limit is None:
            self.limit = int((_total_memory() or 4 << 30) * POOL_SHARE)
        return self.limit


def class_size(nbytes):
    """The size of the block for `nbytes`: padded, a multiple of 64, at most 1/8 above that."""
    padded = (nbytes + 2 * ALIGNMENT - 1) & -ALIGNMENT
    if padded <= 1024:
        return padded
    step = max(ALIGNMENT, 1 << ((padded - 1).bit_length() - 4))
    if padded >= 16 * HUGE_PAGE:
        step = max(step, HUGE_PAGE)
    return (padded + step - 1) & -step


_pool = _Pool()
_by_size = {}


def _free_list(size):
    free = _by_size.get(size)
    return free if free is not None else _by_size.setdefault(size, _Free(size))


_small = [_free_list(class_size(64 * lines)) for lines in range(SMALL // 64 + 1)]
_new = object.__new__


def allocate(nbytes):
    """An uninitialised buffer of `nbytes` bytes. MemoryError where the machine can't hold it.

    >>> buffer = allocate(12)
    >>> buffer.address % 64, buffer.nbytes
    (0, 12)
    """
    if 0 <= nbytes <= SMALL:
        free = _small[(nbytes + 63) >> 6]
        try:
            address = free.pop()
        except IndexError:
            address = free.fresh()
        buffer = _new(_Small)
    else:
        free, address = _large_block(nbytes)
        buffer = _new(_Large)
    buffer.owner, buffer.address, buffer.nbytes, buffer.ticket = free, address, nbytes, None
    return buffer


def _large_block(nbytes):
    """(its list of free blocks, address)."""
    if nbytes < 0:
        raise ValueError(f'a buffer of {nbytes} bytes')
    free = _free_list(class_size(nbytes))
    free.used = time.monotonic()
    try:
        address = free.pop()
    except IndexError:
        return free, free.fresh()
    _pool.large -= free.size
    return free, address


def trim(keep=0):
    """Give free blocks back to the system until at most `keep` bytes of large ones are left.

    The sizes used longest ago go first, of each the oldest block. keep=0 gives small ones back too.
    """
    lists = sorted((free for free in list(_by_size.values()) if free), key=lambda free: free.used)
    _pool.large = sum(len(free) * free.size for free in lists if free.size > SMALL_BLOCK)
    for free in lists:
        if free.size > SMALL_BLOCK:
            while free and _pool.large > keep:
                _release_oldest(free)
                _pool.large -= free.size
        elif keep == 0:
            while free:
                _release_oldest(free)


def _release_oldest(free):
    try:
        free.release(free.pop(0))
    except IndexError:
        pass                                      # another thread took the last one


def statistics():
    """Bytes of blocks: {'in_use', 'pooled': free and kept, 'peak': most ever of both together}."""
    pooled = sum(len(free) * free.size for free in list(_by_size.values()))
    return {'in_use': _pool.reserved - pooled, 'pooled': pooled, 'peak': _pool.peak}


def set_pool_limit(nbytes):
    """Keep at most `nbytes` bytes of free large blocks; None: a quarter of the machine's memory."""
    _pool.limit = nbytes
    bound = _pool.bound()
    if _pool.large > bound:
        trim(bound)


# ---------------------------------------------------------------- addresses of NumPy arrays

def _address_by_interface(array):
    return array.__array_interface__['data'][0]


_pointer_at = ctypes.c_void_p.from_address


def _address_by_layout(array):
    """An array begins with Python's header and the pointer to its data (NumPy's C API fixes that).

    0.1 us; `__array_interface__` and `array.ctypes.data` take 0.9.
    """
    return _pointer_at(id(array) + object.__basicsize__).value or 0


def _layout_is_as_thought():
    if sys.implementation.name != 'cpython':
        return False
    probes = [np.empty(3), np.empty((2, 3), np.int8)[1:, 1:]]
    return all(_address_by_layout(probe) == _address_by_interface(probe) for probe in probes)


address_of = _address_by_layout if _layout_is_as_thought() else _address_by_interface


# ---------------------------------------------------------------- the system's memory

def available_memory(root='/'):
    """Bytes that can still be taken without breaking a limit, or None where that is unknown.

    root: where /proc and /sys are, for tests.
    """
    known = [_meminfo(root, 'MemAvailable:', 'SwapFree:'), _group_room(root)]
    return min((n for n in known if n is not None), default=None)


def _total_memory(root='/'):
    known = [_meminfo(root, 'MemTotal:'), _group_limit(root)]
    try:
        known.append(os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE'))
    except (AttributeError, ValueError, OSError):
        pass
    return min((n for n in known if n), default=None)


def _meminfo(root, *names):
    """Sum of fields of /proc/meminfo, in bytes, or None."""
    words = cgroups.words(os.path.join(root, 'proc/meminfo'))
    if names[0] not in words:
        return None
    return sum(int(words[words.index(name) + 1]) << 10 for name in names if name in words)


# Names of (limit, use, cache that can be dropped) for versions 1 and 2.
GROUP_FILES = {1: ('memory.limit_in_bytes', 'memory.usage_in_bytes', 'total_inactive_file'),
               2: ('memory.max', 'memory.current', 'inactive_file')}


def _group_limits(root):
    """(version, directory, limit) of the control groups that limit memory."""
    for version, directory in cgroups.directories('memory', root):
        words = cgroups.words(os.path.join(directory, GROUP_FILES[version][0]))
        if words and words[0].isdecimal() and int(words[0]) < 1 << 60:     # 'max', or version 1's
            yield version, directory, int(words[0])


def _group_limit(root):
    return min((limit for _, _, limit in _group_limits(root)), default=None)


def _group_room(root):
    return min((max(0, limit - _group_use(version, directory))
                for version, directory, limit in _group_limits(root)), default=None)


def _group_use(version, directory):
    _, use, cache = GROUP_FILES[version]
    used = cgroups.words(os.path.join(directory, use))
    stat = cgroups.words(os.path.join(directory, 'memory.stat'))
    droppable = int(stat[stat.index(cache) + 1]) if cache in stat else 0
    return int(used[0]) - droppable if used else 0


def _check_room(size):
    """MemoryError rather than the kernel's killer, which comes when the pages are written."""
    room = available_memory()
    if room is not None and size > room:
        trim()
        room = available_memory()
        if size > room:
            raise _out_of_memory(size, room)


def _out_of_memory(size, room):
    held = statistics()
    available = '' if room is None else f', {_readable(room)} are available'
    return MemoryError(f'no room for {_readable(size)}{available}; '
                       f'arrays hold {_readable(held["in_use"])} in this process')


def _readable(nbytes):
    for unit in ('bytes', 'KiB', 'MiB', 'GiB'):
        if nbytes < 1024:
            break
        nbytes /= 1024
    else:
        unit = 'TiB'
    return f'{nbytes:.4g} {unit}'


# ---------------------------------------------------------------- blocks from the system

def _declare(function, result, *arguments):
    function.restype, function.argtypes = result, arguments
    return function


_pointer, _size, _int = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int

if os.name == 'nt':
    _crt = ctypes.CDLL('msvcrt')
    _aligned = _declare(_crt._aligned_malloc, _pointer, _size, _size)
    _give_heap = _declare(_crt._aligned_free, None, _pointer)

    def _take(size):
        return _aligned(size, ALIGNMENT)

    def _give(address, size):
        _give_heap(address)
else:
    _libc = ctypes.CDLL(None)
    _aligned = _declare(_libc.aligned_alloc, _pointer, _size, _size)
    _give_heap = _declare(_libc.free, None, _pointer)
    _mmap = _declare(_libc.mmap, _pointer, _pointer, _size, _int, _int, _int, ctypes.c_long)
    _munmap = _declare(_libc.munmap, _int, _pointer, _size)
    _madvise = _declare(_libc.madvise, _int, _pointer, _size, _int)
    _ANONYMOUS = 0x1000 if sys.platform == 'darwin' else 0x20
    _FAILED = _pointer(-1).value

    def _take(size):
        """The address of `size` new bytes, or None."""
        return _map(size) if size >= MAPPED else _aligned(ALIGNMENT, size)

    def _give(address, size):
        if size >= MAPPED:
            _munmap(address, _whole_pages(size))
        else:
            _give_heap(address)


def _whole_pages(size):
    return (size + 4095) & -4096


def _map(size):
    size = _whole_pages(size)
    address = _map_raw(size)
    if size < HUGE_PAGE or address is None:
        return address
    if address % HUGE_PAGE:                       # recent kernels align by themselves
        _munmap(address, size)
        address = _map_aligned(size)
    if address is not None and sys.platform == 'linux':
        huge_pages = 14
        _madvise(address, size, huge_pages)
    return address


def _map_raw(size):
    read_write, private = 3, 2
    address = _mmap(None, size, read_write, private | _ANONYMOUS, -1, 0)
    return None if address == _FAILED else address


def _map_aligned(size):
    """Map a huge page more, and give the ends back."""
    raw = _map_raw(size + HUGE_PAGE)
    if raw is None:
        return None
    address = -(-raw // HUGE_PAGE) * HUGE_PAGE
    if address > raw:
        _munmap(raw, address - raw)
    if raw + HUGE_PAGE > address:
        _munmap(address + size, raw + HUGE_PAGE - address)
    return address
