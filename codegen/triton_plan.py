"""Programs of Triton kernels: how kernels are cut into tiles, and what is launched with which arguments.

`Plan` is the plan of the native target (schedule, layouts, arena) with Triton kernels in place of native ones.
`InterpretedProgram` runs it without a GPU, on NumPy arrays; `cuda_program` on a device.
"""
import dataclasses
import functools
import math

import numpy as np

from ..ir import dtypes, ops
from . import choices, plan, triton_printer
from .kernel import Kernel
from .schedule import IN_ONE_PIECE
from .triton_printer import Tile, print_kernel


def power_of_two(n):
    """The smallest power of two that is at least n."""
    return 1 << max(0, int(n) - 1).bit_length()


class GpuKernel(Kernel):
    """A kernel description with the thresholds of GPUs. split_axis: the longest reduced axis."""

    split, passes, turns = False, (), False

    def _should_split(self):
        if not self.reduced or self.scans() or any(
                self.entries[e].kind != 'reduce' or self.entries[e].stage != 1
                or self.entries[e].op in IN_ONE_PIECE for e, _ in self.stores):
            return False
        self.split_axis = max(self.reduced, key=lambda axis: (self.sizes[axis], -axis))
        work = math.prod([self.sizes[axis] for axis in self.reduced])
        tile = choose_tile(self)
        programs = max(1, number_of_programs(self, tile))
        blocks = self.sizes[self.split_axis] // (tile.lanes if self.split_axis == self.lane else tile.rows)
        wanted = min(choices.GPU_MAX_PARTS, choices.GPU_PROGRAMS // programs, blocks // 2)
        self.parts = 1 << max(0, wanted.bit_length() - 1)             # few numbers, so that few kernels combine them
        lanes = tile.lanes if self.form == 'column' else tile.rows
        return work * lanes >= choices.GPU_SPLIT_WORK and self.parts >= 4

    def _choose_cached(self):
        """Nothing: a row that is read again is held in registers, or computed again."""


# --- tiles ------------------------------------------------------------------------------------------------------


def choose_tile(k):
    """The Tile of a kernel: from its form, types, accesses and the magnitude of its sizes."""
    shape = {'map': _map_tile, 'row': _row_tile, 'column': _column_tile}[k.form](k)
    return dataclasses.replace(shape, wide=_is_wide(k), **_asked(k, shape))


def _asked(k, tile):
    """What `fuse` was told about the kernel: warps, stages, and for maps along one axis the block."""
    region, found = k.step.region, {}
    for name in ('num_warps', 'num_stages'):
        if region is not None and region.option(name):
            found[name] = region.option(name)
    if region is not None and region.option('block') and k.form == 'map' \
            and tile.row_axis is None and not tile.resident:
        found['lanes'] = region.option('block')
    return found


def _item_sizes(k):
    return [a.dtype.itemsize for a in k.accesses] or [4]


def _map_tile(k):
    n, across = k.sizes[k.lane], _axis_across(k)
    block = max(choices.GPU_BLOCK, 32 * choices.GPU_WARPS * 16 // min(_item_sizes(k)))
    if across is not None:
        side = max(16, choices.GPU_TILE_BYTES // max(min(_item_sizes(k)), 2))
        return Tile(side, side, row_axis=across, num_warps=_warps(k, side * side))
    if not k.parallel or n > block // 2:
        return Tile(block, num_warps=choices.GPU_WARPS)
    lanes = power_of_two(n)
    return Tile(lanes, block // lanes, resident=True, num_warps=choices.GPU_WARPS)


def _row_tile(k):
    n, across = k.sizes[k.lane], _axis_across(k)
    if across is not None:
        return Tile(32, 32, row_axis=across)
    loads = max(1, len({e for e, x in enumerate(k.entries) if x.kind == 'load' and k.lane in x.axes}))
    limit = choices.GPU_ROW_PASSES // loads if len(k.passes) > 1 else choices.GPU_ROW_ONE_PASS
    lanes = power_of_two(n)
    if lanes > limit or len(k.reduced) > 1 and lanes > choices.GPU_ROW_BLOCK or k.split:
        return Tile(choices.GPU_ROW_BLOCK, num_warps=_warps(k, choices.GPU_ROW_BLOCK))
    rows = max(1, choices.GPU_BLOCK // lanes) if k.parallel else 1
    return Tile(lanes, rows, resident=True, num_warps=_warps(k, lanes * rows))


def _column_tile(k):
    lanes = min(power_of_two(k.sizes[k.lane]), choices.GPU_COLUMN_LANES * max(1, 4 // min(_item_sizes(k))))
    column = power_of_two(k.sizes[max(k.reduced)])
    rows = max(1, choices.GPU_COLUMN_BLOCK // lanes)
    if column <= choices.GPU_COLUMN_RESIDENT and len(k.reduced) == 1 and not k.split:
        return Tile(lanes, column, resident=True, num_warps=_warps(k, lanes * column))
    return Tile(lanes, min(rows, column), num_warps=_warps(k, lanes * rows))


def _warps(k, elements):
    """Each thread has a few elements, and of the narrowest array 16 bytes."""
    each = max(choices.GPU_ELEMENTS_PER_THREAD, 16 // min(_item_sizes(k)))
    return min(choices.GPU_MAX_WARPS, max(1, power_of_two(elements // (32 * each))))


def _axis_across(k):
    """The parallel axis along which an array lies element by element whose lanes are apart, or None."""
    found = {axis for a in k.accesses for axis in k.parallel
             if a.strides[axis] == a.unit and a.strides[k.lane] not in (0, a.unit) and k.sizes[axis] >= 16}
    return max(found, key=lambda axis: k.sizes[axis]) if found and k.sizes[k.lane] >= 16 else None


def _is_wide(k):
    """Whether an index or offset, or one just beyond the end, may not fit into 32 bits."""
    limit = 2 ** 31 - 2 ** 21
    reach = [abs(a.offset) + sum([abs(s) * n for s, n in zip(a.strides, k.sizes)])
             + sum([abs(stride) * size for _, stride, size, _ in a.dynamic]) for a in k.accesses]
    reach += [abs(offset) + sum([abs(c) * n for c, n in zip(coefficients, k.sizes)])
              for offset, coefficients in k.ramps]
    return max([*reach, math.prod([max(n, 1) for n in k.sizes])]) > limit


def number_of_programs(k, tile):
    """Size of the grid, without parts."""
    outer = [axis for axis in k.parallel if axis != tile.row_axis]
    count = math.prod([k.sizes[axis] for axis in outer])
    if k.form == 'column' or k.form == 'map' and not tile.resident:
        count *= -(-k.sizes[k.lane] // tile.lanes)
    if tile.row_axis is not None:
        count *= -(-k.sizes[tile.row_axis] // tile.rows)
    elif k.form != 'column':
        count = -(-count // tile.rows)
    return count if all(k.sizes[axis] for axis in range(len(k.sizes)) if axis not in k.reduced) else 0


# --- launches -----------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Launch:
    """One launch: what is printed, the grid, and for each argument where it comes from.

    sources: (kind, what) each: ('array', (number of the buffer, elements, dtype)), ('error', number of the buffer),
    ('scalar', (number of the scalar, dtype)), ('number', int).
    """
    printed: triton_printer.Printed
    grid: tuple
    sources: tuple
    padded: bool

    @property
    def types(self):
        return {a.name: a.type for a in self.printed.arguments}

    @property
    def divisible(self):
        return tuple([a.name for a in self.printed.arguments if a.divisible])


class Plan(plan.Program):
    """A Linear as launches of Triton kernels and calls of libraries."""

    kernel_type = GpuKernel
    supports = staticmethod(triton_printer.supports)
    products = {}                      # by the library, which has none for float8
    widened = (dtypes.float8_e4m3fn, dtypes.float8_e5m2)
    simple = False
    halves = ()

    def _compile(self):
        self._number_buffers()
        self.work = 0.0
        self.steps = [self._kernel_launch(*launch[1:]) if launch[0] == 'kernel' else self._library(launch[1])
                      for launch in self.launches]
        self.may_fail = True
        self.results = [self._result(i) for i in self.linear.outputs]

    def tile(self, kernel):
        return choose_tile(kernel)

    def _kernel_launch(self, k, renamed):
        tile = dataclasses.replace(self.tile(k), padded=self._is_padded(k, renamed))
        printed = print_kernel(k, tile)
        grid = number_of_programs(k, tile), k.parts if k.split else 1
        return Launch(printed, grid, tuple([self._source(k, renamed, a) for a in printed.arguments]), tile.padded)

    def _source(self, k, renamed, argument):
        if argument.kind == 'array':
            access = k.accesses[argument.value]
            owner = self._owner(renamed.get(access.value, access.value))
            dtype = dtypes.uint8 if access.packed else in_memory(access.dtype)
            return 'array', (self.pool[owner], self._nbytes(owner) // dtype.itemsize, dtype)
        if argument.kind == 'error':
            return 'error', self.pool['error',]
        if argument.kind == 'scalar':
            slot, dtype = k.scalars[argument.value]
            return 'scalar', (self.scalar_at(slot), dtype)
        return 'number', argument.value

    def _is_padded(self, k, renamed):
        """Whether a kernel along one axis may go on to the next multiple of 16 elements: all arrays lie along it as a
        whole, and each that is written is nobody else's.
        """
        if len(k.sizes) > 1 or k.form == 'column' or k.sizes[0] % 16 == 0:
            return False
        owners = [self._owner(renamed.get(a.value, a.value)) for a in k.accesses]
        stores = {number for _, number in k.stores}
        written = {owners[number] for number in stores}
        read = {owner for number, owner in enumerate(owners) if number not in stores}
        if written & read or len(written) < len(stores) or any(owner in self.slot_of for owner in written):
            return False
        return all([not a.dynamic and a.strides == [0] or a.strides == [1] and a.offset == 0
                    and self._nbytes(owner) == k.sizes[0] * a.dtype.itemsize
                    for number, (a, owner) in enumerate(zip(k.accesses, owners))
                    if k.form == 'map' or number not in stores])


def in_memory(dtype):
    """The dtype that a kernel finds in memory: bytes in the place of integers of 4 bits."""
    return dtypes.held_as(dtype) if dtype in dtypes.NARROW_INTEGERS else dtype


def scalar_value(value, dtype):
    """What is passed for a literal: rounded to its dtype first."""
    value = np.asarray(value).astype(dtype)
    return value.astype(dtypes.held_as(dtype))[()]


class InterpretedProgram(Plan):
    """Runs the kernels in Triton's interpreter, on the host's memory. Blocks of maps are larger, for speed."""

    largest_block = 1 << 16

    def tile(self, kernel):
        tile = choose_tile(kernel)
        if kernel.form == 'map' and not tile.resident and tile.row_axis is None:
            lanes = max(tile.lanes, min(self.largest_block, power_of_two(kernel.sizes[kernel.lane])))
            return dataclasses.replace(tile, lanes=lanes)
        return tile

    def _compile(self):
        super()._compile()
        self.segments = [functools.partial(_interpret, step) if isinstance(step, Launch) else step
                         for step in self.steps]


def _interpret(launch, holders, lines):
    from .triton_interpreter import run
    if not all(launch.grid):
        return
    values = {argument.name: _host_value(source, holders)
              for argument, source in zip(launch.printed.arguments, launch.sources)}
    run(launch.printed.source, launch.printed.name, launch.grid, values, launch.printed.constexprs,
        types=launch.types, divisible_by_16=launch.divisible, padding=choices.GPU_PADDING if launch.padded else 0)


def _host_value(source, holders):
    kind, what = source
    if kind == 'array':
        number, elements, dtype = what
        return holders[number].array((elements,), dtype)
    if kind == 'error':
        return holders[what].array((2,), np.int32)
    if kind == 'scalar':
        return scalar_value(holders[what[0]], what[1])
    return what
