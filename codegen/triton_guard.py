"""Checks of the memory accesses of an interpreted kernel: bounds, and races between programs.

Knows nothing of Triton: it sees blocks of addresses, masks, and the index of the program that runs.
"""

import sys

import numpy as np

REGION = 'lazy.region'      # attribute of a pointer's handle: the array that it came from

_NOBODY, _SEVERAL = -1, -2


class OutOfBounds(IndexError):
    """A lane that is not masked off accesses memory outside of the array its pointer came from."""


class RaceCondition(RuntimeError):
    """The result depends on the order in which programs, or the lanes of one store, run."""


def _extent(array):
    low, high = np.lib.array_utils.byte_bounds(array)
    return low, high if array.size else low


def _kernel_line():
    """The kernel's source line that runs now."""
    frame = sys._getframe()
    while frame and not frame.f_code.co_filename.startswith('<lazy:'):
        frame = frame.f_back
    if frame is None:
        return ''
    import linecache
    text = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
    return f' in line {frame.f_lineno}: {text}' if text else f' in line {frame.f_lineno}'


class Memory:
    """Bytes that one array, or several overlapping ones, occupy; who read and wrote each element.
    """

    def __init__(self, low, high, itemsize):
        self.low, self.high, self.itemsize = low, high, itemsize
        self._readers = self._writers = None

    def _owners(self):
        if self._readers is None:
            size = -(-(self.high - self.low) // self.itemsize)
            self._readers, self._writers = (np.full(size, _NOBODY, np.int32) for _ in range(2))
        return self._readers, self._writers

    def elements(self, addresses):
        return (addresses - np.uint64(self.low)).astype(np.int64) // self.itemsize

    def read(self, addresses, program):
        """The element that another program stored to, or None."""
        readers, writers = self._owners()
        where = self.elements(addresses)
        owner = readers[where]
        readers[where] = np.where((owner == _NOBODY) | (owner == program), program, _SEVERAL)
        return _first(where, writers[where], program)

    def write(self, addresses, program):
        """(what happened, element, other program) of the first conflict, or None."""
        readers, writers = self._owners()
        where = self.elements(addresses)
        ordered = np.sort(where)
        twice = ordered[1:][ordered[1:] == ordered[:-1]]
        if twice.size:
            return 'two lanes store to', int(twice[0]), program
        for what, owners in (('another program also stores to', writers),
                             ('another program loads', readers)):
            found = _first(where, owners[where], program)
            if found:
                return what, *found
        writers[where] = program
        return None


def _first(where, owners, program):
    others = (owners != _NOBODY) & (owners != program)
    if not others.any():
        return None
    lane = int(np.argmax(others))
    return int(where[lane]), int(owners[lane])


class Region:
    """One array argument: the bounds of its accesses."""

    def __init__(self, name, low, high, itemsize, shape):
        self.name, self.low, self.high, self.itemsize, self.shape = name, low, high, itemsize, shape
        self.memory = None

    def outside(self, addresses, nbytes):
        ends = addresses + np.uint64(nbytes)
        return (addresses < np.uint64(self.low)) | (ends > np.uint64(self.high))

    def element(self, address):
        return (int(address) - self.low) // self.itemsize


def _memories(regions):
    """One Memory for each group of regions that overlap."""
    memories = []
    for region in sorted(regions, key=lambda r: r.low):
        if not memories or region.low >= memories[-1].high:
            memories.append(Memory(region.low, region.high, region.itemsize))
        memories[-1].high = max(memories[-1].high, region.high)
        memories[-1].itemsize = min(memories[-1].itemsize, region.itemsize)
        region.memory = memories[-1]
    return memories


class Guard:
    """Checks of one launch. `program` is the index of the program that runs."""

    def __init__(self, kernel, arrays, padding=0, races=True):
        self.kernel, self.races, self.program = kernel, races, (0, 0, 0)
        self.regions = {}
        for name, array in arrays.items():
            low, high = _extent(array)
            self.regions[name] = Region(name, low, high + padding, array.itemsize, array.shape)
        _memories(self.regions.values())
        self._numbers = {}

    def load(self, pointers, mask, nbytes, volatile=False):
        addresses, region = self._checked('load', pointers, mask, nbytes)
        if addresses.size and self.races and not volatile:
            found = region.memory.read(addresses, self._number())
            if found:
                self._race(region, 'loads an element that another program stores to', *found)

    def store(self, pointers, mask, nbytes):
        addresses, region = self._checked('store', pointers, mask, nbytes)
        if addresses.size and self.races:
            found = region.memory.write(addresses, self._number())
            if found:
                what, element, other = found
                self._race(region, f'stores where {what} the element', element, other)

    def atomic(self, pointers, mask, nbytes):
        self._checked('atomic operation', pointers, mask, nbytes)

    def _number(self):
        return self._numbers.setdefault(self.program, len(self._numbers))

    def _checked(self, what, pointers, mask, nbytes):
        """Addresses of the active lanes and their region, after the bounds check."""
        active = np.broadcast_to(np.asarray(mask, bool), pointers.data.shape)
        addresses = pointers.data[active]
        if not addresses.size:
            return addresses, None
        region = pointers.attr.get(REGION) or self._find(addresses, what)
        bad = region.outside(addresses, nbytes)
        if bad.any():
            raise OutOfBounds(
                f'{self.kernel}, program {self.program}: {what} outside of `{region.name}`'
                f'{_kernel_line()}: {int(bad.sum())} of {addresses.size} active lanes, the first '
                f'at element {region.element(addresses[bad][0])} of an array of shape '
                f'{region.shape}')
        return addresses, region

    def _find(self, addresses, what):
        """The region of pointers whose origin is unknown (a pointer made from an integer)."""
        for region in self.regions.values():
            if region.low <= int(addresses[0]) < region.high:
                return region
        raise OutOfBounds(f'{self.kernel}, program {self.program}: {what} through a pointer into '
                          f'none of the arrays{_kernel_line()}')

    def _race(self, region, what, element, other):
        names = list(self._numbers)
        whom = 'several programs' if other == _SEVERAL else f'program {names[other]}'
        raise RaceCondition(f'{self.kernel}, program {self.program} {what} ({whom}): element '
                            f'{element} of `{region.name}`{_kernel_line()}')
