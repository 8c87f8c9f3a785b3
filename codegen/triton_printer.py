"""Kernel descriptions as Triton source text, one launch each.

A program computes a tile: rows by lanes. Lanes run along the kernel's last axis. What rows are depends on the form:
    map     parallel axes; nothing is reduced
    row     parallel axes; the lanes are reduced
    column  the last reduced axis; results belong to lanes
With one row a program's values are one-dimensional blocks. Of the reduced axes the innermost is gone through in blocks
of the tile, or lies in the tile as a whole (`resident`): then each value is loaded and computed once, however many
passes there are. Other reduced axes are loops around that.

With `split`, program_id(1) is the number of a part of axis `split_axis`, and results are partial ones.

Narrower floats are computed in float32, and rounded where they are stored or converted to.
"""
import dataclasses
import re

import numpy as np

from ..ir import dtypes, ops
from . import choices
from .triton_prelude import prelude
from .triton_values import TYPES, Values, constant, extreme, identity, register_type

HEADER = 'import triton\nimport triton.language as tl\n'
LIBDEVICE = 'from triton.language.extra import libdevice\n'

_COMBINE = {'add': 'lz_add', 'logaddexp': 'lz_logaddexp', 'mul': 'lz_mul', 'max': 'lz_max', 'min': 'lz_min',
            'and': 'lz_and', 'or': 'lz_or'}
_COMBINE_BOOL = {'max': 'lz_or', 'min': 'lz_and', 'and': 'lz_and', 'or': 'lz_or'}
_BY_PRINTER = (ops.convert, ops.bitcast, ops.integer_pow, ops.nextafter, ops.threefry2x32, ops.philox4x32)


@dataclasses.dataclass(frozen=True)
class Tile:
    """How a kernel is cut into programs.

    lanes, rows   powers of two
    row_axis      the parallel axis that rows run along; None: all of them, numbered in order
    resident      the innermost reduced axis (of a map: the lane axis) lies in one tile
    wide          64-bit index arithmetic
    padded        memory may be touched up to the next multiple of 16 elements after the lane axis's end
    num_stages    blocks of a loop that are being loaded at once, where that was asked for
    """
    lanes: int
    rows: int = 1
    row_axis: int = None
    resident: bool = False
    wide: bool = False
    padded: bool = False
    num_warps: int = 4
    num_stages: int = None


@dataclasses.dataclass(frozen=True)
class Argument:
    """A parameter of a kernel. kind: 'array' (value: its number), 'error', 'scalar' (value: number in the kernel's
    scalars), 'number' (value: an int, a size or stride of this plan).
    """
    name: str
    type: str
    kind: str
    value: object = None
    divisible: bool = False


@dataclasses.dataclass(frozen=True)
class Printed:
    """Source text, the name of the kernel in it, its Arguments in order, its constexprs."""
    source: str
    name: str
    arguments: tuple
    constexprs: dict
    num_warps: int


def supports(x, instructions):
    """Whether the printer can emit an instruction (else a library runs it)."""
    kinds = [dtypes.kind(x.aval.dtype), *[dtypes.kind(instructions[j].aval.dtype) for j in x.inputs]]
    if 'c' in kinds:
        return False
    if x.op is ops.searchsorted:                                     # positions are held in 32 bits
        return 0 < instructions[x.inputs[0]].aval.size < 1 << 31 and kinds[1] != 'b'
    if x.op.scan:                                                    # one program goes along a row
        n = max(x.aval.shape[x.params[0]], 1)
        return kinds[0] != 'b' and (n <= choices.GPU_SCAN_LENGTH or x.aval.size // n >= choices.GPU_SCAN_ROWS)
    if x.op is ops.gather:
        return instructions[x.inputs[0]].aval.size > 0
    if not x.op.elementwise or x.op in _BY_PRINTER:
        return x.op is not ops.integer_pow or abs(x.params[0]) <= 64
    return x.op.triton is not None


def print_kernel(kernel, tile):
    """The Printed kernel."""
    return _Printer(kernel, tile).printed()


class _Printer(Values):
    def __init__(self, kernel, tile):
        self.k, self.tile = kernel, tile
        self.column = kernel.form == 'column'
        self.flat = tile.rows == 1 and not self.column
        self.index_type = 'i64' if tile.wide else 'i32'
        self.body, self.depth, self.count = [], 1, 0
        self.arguments, self.index, self.masks = {}, {}, {}
        self.loaded_as = {}                                         # load -> what its masked lanes hold, or None
        self._name_arrays()

    # --- text ---------------------------------------------------------------------------------------------------

    def line(self, text):
        self.body.append('    ' * self.depth + text)

    def fresh(self, stem):
        self.count += 1
        return f'{stem}_{self.count}'

    def let(self, stem, expression):
        name = self.fresh(stem)
        self.line(f'{name} = {expression}')
        return name

    def printed(self):
        self._program()
        body = '\n'.join(self.body) + '\n'
        constexprs = {name: value for name, value in (('ROWS', self.tile.rows), ('LANES', self.tile.lanes))
                      if re.search(rf'\b{name}\b', body)}
        arguments = sorted(self.arguments.values(), key=lambda a: ('array', 'error', 'scalar', 'number').index(a.kind))
        parameters = [a.name for a in arguments] + [f'{name}: tl.constexpr' for name in constexprs]
        name = self._kernel_name()
        text = f'@triton.jit\ndef {name}({_wrapped(parameters, len(name) + 5)}):\n{self._comment()}{body}'
        functions = prelude(body)
        libdevice = LIBDEVICE if 'libdevice.' in functions + body else ''
        return Printed(f'{HEADER}{libdevice}\n\n{functions}{text}', name, tuple(arguments), constexprs,
                       self.tile.num_warps)

    def _kernel_name(self):
        words = [e.op.name.removeprefix('reduce_') for e in self.k.entries if e.op is not None]
        return '_'.join([self.k.form, *dict.fromkeys(words or ['copy'])])[:60]

    def _comment(self):
        """What the kernel computes."""
        k = self.k
        axes = [f'i{axis}' for axis in range(len(k.sizes))]
        lines = [f'# for each ({", ".join(axes[axis] for axis in range(len(k.sizes)) if axis not in k.reduced)})'
                 + (f', reduced over {", ".join(axes[axis] for axis in sorted(k.reduced))}' if k.reduced else '')
                 + (f', in parts of {axes[k.split_axis]}' if k.split else '')]
        stored = {number for _, number in k.stores}
        for number, a in enumerate(k.accesses):
            where = [axis for axis, s in zip(axes, a.strides) if s] + [f'gathered ({a.mode})'] * bool(a.dynamic)
            where = ', '.join(where)
            what = 'writes' if number in stored else 'reads'
            lines.append(f'# {what} {self.array_of[number]} {a.dtype.name} at ({where})')
        return ''.join(f'    {line}\n' for line in lines)

    # --- arguments ----------------------------------------------------------------------------------------------

    def _name_arrays(self):
        """Pointers are shared by the accesses of one array; each access has a prefix for its strides."""
        k = self.k
        stored = {number for _, number in k.stores}
        self.array_of, self.prefix, names, seen = [], [], {}, {}
        for number, a in enumerate(k.accesses):
            letter = 'out' if number in stored else 'x'
            key = letter, a.value
            if key not in names:
                names[key] = f'{letter}{len([n for n in names if n[0] == letter])}'
                pointer = '*' + TYPES['uint8' if a.packed else a.dtype.name]
                self.arguments[names[key]] = Argument(names[key], pointer, 'array', number, True)
            name = names[key]
            self.array_of.append(name)
            seen[name] = seen.get(name, 0) + 1
            self.prefix.append(name if seen[name] == 1 else f'{name}_{seen[name]}')

    def number(self, name, value, fact=False):
        """A size, stride or offset as an argument. fact: whether its being a multiple of 16 matters."""
        if name not in self.arguments:
            self.arguments[name] = Argument(name, self.index_type, 'number', int(value), fact and value % 16 == 0)
        return name

    def size(self, axis):
        if self.tile.padded and self.k.form == 'map':
            return self.number('n0', -(-self.k.sizes[0] // 16) * 16, True)
        return self.number(f'n{axis}', self.k.sizes[axis], axis == self.k.lane or axis == self.tile.row_axis)

    def scalar(self, number):
        _, dtype = self.k.scalars[number]
        name = f'c{number}'
        kind = TYPES[dtypes.held_as(dtype).name]
        self.arguments.setdefault(name, Argument(name, kind, 'scalar', number))
        return name

    def error(self):
        self.arguments.setdefault('error', Argument('error', '*i32', 'error', None, True))
        return 'error'

    # --- structure --------------------------------------------------------------------------------------------------

    def _program(self):
        self._decode_program()
        self.values = {}
        {'map': self._map, 'row': self._reducing, 'column': self._reducing}[self.k.form]()

    def _lanes(self, start):
        across = '' if self.flat else '[None, :]'
        return f'{start}tl.arange(0, LANES){across}'

    def _rows(self, start):
        return f'{start}tl.arange(0, ROWS)[:, None]'

    def _decode_program(self):
        """Which tile this program computes: indices of all axes but those that are looped over."""
        k, tile = self.k, self.tile
        program = 'tl.program_id(0)' + ('.to(tl.int64)' if tile.wide else '')
        lane_blocks = self.column or k.form == 'map' and not tile.resident
        outer = [axis for axis in k.parallel if axis != tile.row_axis]
        row_blocks = tile.row_axis is not None
        if lane_blocks + row_blocks + bool(outer) > 1:
            self.line(f'program = {program}')
            program = 'program'
        if lane_blocks:
            count = f'tl.cdiv({self.size(k.lane)}, LANES)'
            block, program = self._divide(program, count, row_blocks or outer, 'program')
            self._set_lane(f'{block} * LANES + ')
        elif k.form == 'map':
            self._set_lane('')
        if row_blocks:
            axis = tile.row_axis
            block, program = self._divide(program, f'tl.cdiv({self.size(axis)}, ROWS)', outer, 'program')
            self.line(f'i{axis} = {self._rows(f"{block} * ROWS + ")}')
            self.index[axis] = f'i{axis}'
            self._set_mask('r', f'i{axis} < {self.size(axis)}')
        elif not self.column and not self.flat and outer:
            axis = f'i{outer[0]}' if len(outer) == 1 else 'row'
            self.line(f'{axis} = {self._rows(f"{program} * ROWS + ")}')
            self._set_mask('r', f'{axis} < {" * ".join(self.size(a) for a in outer)}')
            program = axis
        self._decode(program, outer)
        if k.form == 'map':
            self._combine_masks()
        if k.split:
            self._part()

    def _divide(self, number, count, more, rest):
        """(number of a block, what remains of the program's number)."""
        if not more:
            return number, None
        self.line(f'blocks = {count}')
        block = self.let('block', f'{number} % blocks')
        self.line(f'{rest} = {number} // blocks')
        return block, rest

    def _decode(self, number, axes):
        for position, axis in enumerate(reversed(axes)):
            name = f'i{axis}'
            if position == len(axes) - 1:
                if number != name:
                    self.line(f'{name} = {number}')
            else:
                self.line(f'{name} = {number} % {self.size(axis)}')
                rest = self.let('outer', f'{number} // {self.size(axis)}')
                number = rest
            self.index[axis] = name

    def _set_lane(self, start):
        lane = self.k.lane
        self.line(f'i{lane} = {self._lanes(start)}')
        self.index[lane] = f'i{lane}'
        self._set_mask('l', f'i{lane} < {self.size(lane)}')

    def _set_mask(self, dim, condition):
        name = 'inside' if self.flat else {'r': 'row_inside', 'l': 'lane_inside'}[dim]
        self.line(f'{name} = {condition}')
        self.masks[dim] = name

    def _combine_masks(self):
        """The mask of the whole tile."""
        both = [self.masks[dim] for dim in 'rl' if dim in self.masks]
        if len(both) == 2:
            self.line(f'inside = {both[0]} & {both[1]}')
            self.masks['rl'] = 'inside'
        elif both:
            self.masks['rl'] = both[0]

    def mask(self, dims):
        """Mask for what varies along `dims`, or None."""
        if 'r' in dims and 'l' in dims:
            return self.masks.get('rl')
        return self.masks.get('r') if 'r' in dims else self.masks.get('l') if 'l' in dims else None

    def _part(self):
        axis = self.k.split_axis
        chunk = self.number('chunk', self.chunk(), True)
        self.line('part = tl.program_id(1)' + ('.to(tl.int64)' if self.tile.wide else ''))
        self.line(f'start = part * {chunk}')
        self.line(f'stop = tl.minimum(start + {chunk}, {self.size(axis)})')

    def chunk(self):
        """Size of a part: a multiple of the block in which the axis is gone through."""
        n = -(-self.k.sizes[self.k.split_axis] // self.k.parts)
        block = self.block_of(self.k.split_axis)
        return -(-n // block) * block

    def block_of(self, axis):
        if axis != self.inner_axis():
            return 1
        return self.tile.rows if self.column else self.tile.lanes

    def inner_axis(self):
        """The reduced axis that lies in the tile."""
        return max(self.k.reduced)

    # --- forms ------------------------------------------------------------------------------------------------------

    def _map(self):
        self._invariant(0)
        for stage, reductions, stores in self.k.passes:
            self._compute(self.k.closure(reductions, stores), self.values)
            for e, a in stores:
                self._store(a, self.values[e])

    def _reducing(self):
        k = self.k
        loops = sorted(k.reduced - {self.inner_axis()})
        resident = self.tile.resident and not loops
        if resident:
            self._set_inner('')
        stored = set()
        self._invariant(0)
        for stage, reductions, stores in k.passes:
            needed = k.closure(reductions, stores)
            if resident:
                self._compute(needed, self.values, reductions)
                for r in reductions:
                    self._reduce_now(r)
                for e, a in stores:
                    self._store(a, self.values[e])
            else:
                self._looped(loops, reductions, stores, needed)
            self._invariant(stage + 1)
            self._store_results(stage + 1, stored)
        self._store_results(10 ** 9, stored)

    def _store_results(self, stage, stored):
        """Store what belongs to a row or column as soon as it is there."""
        k = self.k
        for e, a in k.stores:
            if a not in stored and not k.stored_in_loop(a) and k.entries[e].stage <= stage:
                stored.add(a)
                self._store(a, self.values[e])

    def _set_inner(self, start):
        """Index and mask of the reduced axis that lies in the tile."""
        axis = self.inner_axis()
        if self.column:
            self.line(f'i{axis} = {self._rows(start)}')
        else:
            self.line(f'i{axis} = {self._lanes(start)}')
        self.index[axis] = f'i{axis}'
        self._set_mask('r' if self.column else 'l', f'i{axis} < {self.size(axis)}')
        self._combine_masks()
        if self.tile.padded:
            rounded = -(-self.k.sizes[axis] // 16) * 16
            self.line(f'readable = i{axis} < {self.number(f"n{axis}_padded", rounded, True)}')

    def _range(self, axis, step=''):
        if self.k.split and axis == self.k.split_axis:
            return f'range(start, stop{step})'
        return f'range(0, {self.size(axis)}{step})'

    def _looped(self, loops, reductions, stores, needed):
        """Accumulators, loops over the reduced axes, and what the accumulators add up to."""
        k, inner = self.k, self.inner_axis()
        carried = {r: self._accumulators(r) for r in reductions}
        scans = {('carried', e): self._start_of_scan(e) for e in k.scans(needed)}
        depth = self.depth
        for axis in loops:
            self.line(f'for i{axis} in {self._range(axis)}:')
            self.index[axis] = f'i{axis}'
            self.depth += 1
        if self.tile.resident and not (k.split and k.split_axis == inner):
            self._set_inner('')
        else:
            step = 'ROWS' if self.column else 'LANES'
            blocks = self._range(inner, ', ' + step)
            if self.tile.num_stages is not None:
                blocks = f'tl.{blocks[:-1]}, num_stages={self.tile.num_stages})'
            self.line(f'for block in {blocks}:')
            self.depth += 1
            self._set_inner('block + ')
        values = {**self.values, **scans}
        self._compute(needed, values, reductions)
        for r in reductions:
            self._accumulate(r, carried[r], values)
        for e, a in stores:
            self._store(a, values[e])
        self.depth = depth
        for axis in (*loops, inner):
            self.index.pop(axis)
        self.masks = {dim: name for dim, name in self.masks.items() if dim == ('l' if self.column else 'r')}
        for r in reductions:
            self._finish(r, carried[r])

    # --- entries ------------------------------------------------------------------------------------------------------

    def dims(self, axes):
        """Which dimensions of the tile something that depends on iteration axes `axes` varies along."""
        k, found = self.k, ''
        for axis in axes:
            if axis == k.lane:
                found += 'l'
            elif self.column:
                found += 'r' if axis == self.inner_axis() else ''
            elif not self.flat and axis in k.parallel and (self.tile.row_axis in (None, axis)):
                found += 'r'
        return ''.join(dim for dim in 'rl' if dim in found)

    def _invariant(self, stage):
        """Compute what doesn't change in the loops and has become known."""
        k = self.k
        for e, x in enumerate(k.entries):
            if e not in self.values and x.kind != 'reduce' and x.stage <= stage and not k.in_loop(e) \
                    and all(a in self.values for a in x.args):
                self._entry(e, self.values)

    def _compute(self, needed, values, reductions=()):
        for e in needed:
            if e not in values:
                self._entry(e, values, reductions)

    def _entry(self, e, values, reductions=()):
        x = self.k.entries[e]
        if x.kind == 'load':
            values[e] = self._load(e, x, values, reductions)
        elif x.kind == 'scalar':
            values[e] = self.scalar(x.number)
        elif x.kind == 'constant':
            values[e] = self.let('constant', f'tl.full([], {constant(float(x.params[0]))}, {register_type(x.dtype)})')
        elif x.kind == 'index':
            values[e] = self._ramp(x)
        elif x.kind == 'search':
            values[e] = self._search(x, values[x.args[0]])
        elif x.kind == 'scan':
            values[e] = self._scan(e, x, values)
        else:
            values[e] = self._operation(x, [values[a] for a in x.args], values)

    # --- reductions ---------------------------------------------------------------------------------------------------

    def _is_arg(self, r):
        return self.k.entries[r].op in (ops.argmax, ops.argmin)

    @property
    def _axis(self):
        return '0' if self.flat or self.column else '1'

    @property
    def _keep(self):
        return '' if self.flat else ', keep_dims=True'

    def _masked(self, r, values):
        """The operand of a reduction, with the neutral element where a lane is outside."""
        x = self.k.entries[r]
        neutral = self._neutral(x)
        e = x.args[0]
        value = values[e]
        if self.loaded_as.get(e) == neutral and self.k.entries[e].kind == 'load':
            return value
        if self._is_arg(r) and x.operand_dtype == dtypes.bool_:
            value = f'{value}.to(tl.int32)'
        return self.let('masked', f'tl.where({self.masks["rl"]}, {value}, {neutral})')

    def _parts(self, r, values):
        """The operands of a product of complex numbers, 1 where a lane is outside."""
        return [self.let('masked', f'tl.where({self.masks["rl"]}, {values[e]}, {one})')
                for e, one in zip(self.k.entries[r].args, ('1.0', '0.0'))]

    def _product_of(self, x, real, imag):
        """The part of the product of complex numbers that an entry is."""
        parts = [self.fresh('real'), self.fresh('imag')]
        self.line(f'{parts[0]}, {parts[1]} = tl.reduce(({real}, {imag}), {self._axis}, lz_complex_mul{self._keep})')
        return parts[x.params[0]]

    def _neutral(self, x):
        if x.op in (ops.argmax, ops.argmin):
            return constant(extreme(x.operand_dtype, x.op is ops.argmax), x.operand_dtype == dtypes.bool_)
        if x.op.scan == 'add' and dtypes.is_inexact(x.operand_dtype):
            return constant(-0.0)                                    # 0 + -0.0 is 0
        return constant(identity(x.op.reduction or x.op.scan, x.operand_dtype))

    def _function(self, x):
        return (_COMBINE_BOOL if x.operand_dtype == dtypes.bool_ else _COMBINE)[x.op.reduction or x.op.scan]

    def _scan(self, e, x, values):
        """A tile of a scan; in a loop it goes on with what is carried there."""
        function, value = self._function(x), self._masked(e, values)
        if not self.k.in_loop(x.args[0]):
            value = self.let('masked', f'{value}.to({register_type(x.operand_dtype)})')
        result = self.let(x.op.name, f'tl.associative_scan({value}, {self._axis}, {function})')
        carried = values.get(('carried', e))
        if carried is not None:
            result = self.let(x.op.name, f'{function}({carried}, {result})')
            self.line(f'{carried} = {function}({carried}, tl.reduce({value}, {self._axis}, {function}{self._keep}))')
        return result

    def _start_of_scan(self, e):
        x, shape = self.k.entries[e], '[1]' if self.flat else '[1, LANES]' if self.column else '[ROWS, 1]'
        return self.let('carried', f'tl.full({shape}, {self._neutral(x)}, {register_type(x.operand_dtype)})')

    def _reduce_now(self, r):
        """The result over the whole axis from a resident operand."""
        x = self.k.entries[r]
        if x.op is ops.complex_prod:
            self.values[r] = self._product_of(x, *self._parts(r, self.values))
            return
        value = self._masked(r, self.values)
        if self._is_arg(r):
            place = self._place()
            places = place if self.flat else f'tl.broadcast_to({place}, {self._shape})'
            self.values[r] = self._reduced_arg(x, value, places)
        else:
            self.values[r] = self._reduced(x, value)

    def _reduced(self, x, value):
        stem = x.op.name.removeprefix('reduce_')
        narrow = f'.to({register_type(x.dtype)})' if dtypes.kind(x.dtype) in 'iu' and x.dtype.itemsize < 4 else ''
        if x.op.reduction == 'add':
            text = f'tl.sum({value}, {self._axis}{self._keep}){narrow}'
        else:
            text = f'tl.reduce({value}, {self._axis}, {self._function(x)}{self._keep})'
        return self.let(stem, self.wrapped(text, x.dtype))

    def _reduced_arg(self, x, value, places):
        best, place = self.fresh('best'), self.fresh('place')
        self.line(f'{best}, {place} = tl.reduce(({value}, {places}), {self._axis}, lz_{x.op.name}{self._keep})')
        return self.let(x.op.name, f'{place}.to({register_type(x.dtype)})')

    @property
    def _shape(self):
        return '[LANES]' if self.flat else '[ROWS, LANES]'

    def _accumulators(self, r):
        x = self.k.entries[r]
        kind = 'tl.int32' if self._is_arg(r) and x.operand_dtype == dtypes.bool_ else register_type(x.operand_dtype)
        if self._is_arg(r):
            most = np.iinfo(np.int64 if self.tile.wide else np.int32).max
            index = 'tl.int64' if self.tile.wide else 'tl.int32'
            return (self.let('best', f'tl.full({self._shape}, {self._neutral(x)}, {kind})'),
                    self.let('place', f'tl.full({self._shape}, {most}, {index})'))
        if x.op is ops.complex_prod:
            return [self.let('so_far', f'tl.full({self._shape}, {one}, {kind})') for one in ('1.0', '0.0')]
        stem = 'total' if x.op.reduction == 'add' else 'so_far'
        return self.let(stem, f'tl.full({self._shape}, {self._neutral(x)}, {kind})')

    def _place(self):
        """Text of the row-major number along the reduced axes."""
        first, *others = sorted(self.k.reduced)
        text = self.index[first]
        for axis in others:
            text = f'({text}) * {self.size(axis)} + {self.index[axis]}' if ' ' in text else \
                f'{text} * {self.size(axis)} + {self.index[axis]}'
        return text

    def _accumulate(self, r, carried, values):
        x = self.k.entries[r]
        if x.op is ops.complex_prod:
            real, imag = carried
            self.line(f'{real}, {imag} = lz_complex_mul({real}, {imag}, {", ".join(self._parts(r, values))})')
            return
        value = self._masked(r, values)
        if self._is_arg(r):
            best, place = carried
            self.line(f'{best}, {place} = lz_{x.op.name}({best}, {place}, {value}, {self._place()})')
        elif x.op.reduction == 'add':
            self.line(f'{carried} += {value}')
        else:
            self.line(f'{carried} = {self._function(x)}({carried}, {value})')

    def _finish(self, r, carried):
        x = self.k.entries[r]
        if x.op is ops.complex_prod:
            self.values[r] = self._product_of(x, *carried)
        elif self._is_arg(r):
            self.values[r] = self._reduced_arg(x, *carried)
        else:
            self.values[r] = self._reduced(x, carried)


def _wrapped(parameters, indent):
    """Parameters over lines of 100 columns."""
    lines, line = [], ''
    for k, p in enumerate(parameters):
        p += ', ' if k < len(parameters) - 1 else ''
        if len(line) + len(p) + indent > 100:
            lines.append(line.rstrip())
            line = ''
        line += p
    return ('\n' + ' ' * indent).join([*lines, line])
