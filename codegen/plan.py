"""Programs of the native target: where every stored value lies, and the flat list of what is launched.

Values that live only inside of a run lie in one arena; two of them may share memory when their lives don't overlap.
A run allocates the outputs and the arena, fills in the slots and makes one native call for each stretch of kernels
between two library calls.
"""
import math
import operator
import os

import numpy as np

from ..ir import dtypes, ops
from ..ir.graph import aval, broadcast_shapes
from . import (choices, compiled, complexes, convolution, fft, gemm, libraries, matrices, memory, native,
               native_printer, reference, regions, runtime, scatter, threads, tune)
from .kernel import Kernel
from .program import Instruction
from .schedule import is_repeated, Step
from .simplify import (locate_scatters, simplify, spell_depthwise, spell_pads, stage_reductions, unrounded,
                       widen_products)

_workers = max(16, os.cpu_count() or 1)          # scratch is planned for this many


def set_workers(n):
    """Plan for `n` threads at least; True where programs that were made before have scratch for fewer."""
    global _workers
    more = n > _workers
    _workers = max(n, _workers)
    return more


class Program:
    """A compiled Linear. `nodes`: set by evaluation; `donated`: slots of leaves whose memory a run takes.

    Other targets derive from it: they say what they support, describe kernels by a class of their own, and replace
    `_compile` and what runs it.
    """

    kernel_type = Kernel
    products = {ops.dot_general: gemm.from_dot_general, ops.conv: convolution.from_conv, ops.fft: fft.from_fft}
    widened = dtypes.NARROW_FLOATS                                   # types whose products are those of float32
    supports = staticmethod(native.supports)

    outdated = False

    def __init__(self, linear, repeated=False):
        self.repeated, self.provisional, self.runs = repeated, False, 0
        linear = complexes.split(simplify(linear))
        if self.products:
            linear = spell_pads(spell_depthwise(linear))
        linear = widen_products(linear, self.widened)
        if self.products:
            linear = locate_scatters(linear)
        linear = self._schedule(stage_reductions(linear))
        schedule, leaves = self.schedule, {i for i, x in enumerate(linear.instructions) if x.op is ops.leaf}
        self.layouts = native.layouts(linear, schedule.stored | leaves, self._aliases())
        self.places = {i: (offset, strides) for i, (_, offset, strides) in self.layouts.items()}
        self.complex_memory = {i: owner for i, (owner, *_) in self.layouts.items() if complexes.is_complex(
            linear.instructions[owner].aval) and not complexes.is_complex(linear.instructions[i].aval)}
        self.kernels, self.launches = [], []
        for step in schedule.steps:
            if step.kind == 'kernel':
                self._add_kernel(step)
            elif step.kind == 'library':
                self._add_library(step.roots[0])
        self.following = {at: found for at in range(len(self.launches) - 1) if (found := self._following(at))}
        self._place()
        self._compile()

    def _aliases(self):
        """Values that lie in the memory of their operand: reshapes of stored values, and one of several results.

        Not so where that or a reshape of it is an output: outputs have buffers of their own.
        """
        instructions, reshapes, own = self.linear.instructions, self.schedule.extra_roots, set()
        for i in self.linear.outputs if self.products else range(len(instructions)):
            while i in reshapes:
                i = instructions[i].inputs[0]
            own.add(i)
        return {*reshapes, *[i for i, x in enumerate(instructions) if x.op is ops.unpack and i not in own]}

    def _schedule(self, linear):
        """Set the schedule, after which no part of a complex value is read when it has been written over."""
        apart, torn = set(), {None}
        while torn:
            self.linear = native.legalise(linear, self.supports, apart)
            self.schedule, self.refusals = regions.schedule(self.linear, self.supports)
            torn = native.torn(self.linear, self.schedule) - apart
            apart |= torn
        return self.linear

    # --- kernels ------------------------------------------------------------------------------------------------

    def _add_kernel(self, step):
        stored = self.schedule.stored
        if not any(i in stored for i in step.roots):
            return
        kernel = self.kernel_type(step, self.linear.instructions, stored, self.places, self.complex_memory)
        if not kernel.split:
            self._launch(kernel, {})
            return
        reductions = {i: kernel.entries[kernel.results[i]] for i in step.roots if i in stored}
        results = [i for i, e in reductions.items() if e.kind == 'reduce']              # or a view of one
        places = {**self.places, **{i: (0, native.contiguous(self.linear.instructions[i].aval.shape)) for i in results}}
        instructions = list(self.linear.instructions)
        for i in results:
            x = instructions[i]
            instructions[i] = Instruction(x.op, x.inputs, x.params, unrounded(x.aval), x.slot, x.region)
        beside = {i: owner for i, owner in self.complex_memory.items() if i not in results}
        kernel = self.kernel_type(step, instructions, stored, places, beside)
        starts = [kernel.accesses[number].value for number in kernel.starts.values()]
        starts = {value: ('totals', len(self.launches), *value[1:]) for value in starts}
        if starts:
            self._launch(kernel.totals(), starts)
        partial = {i: ('partial', len(self.launches), i, kernel.parts * instructions[i].aval.nbytes)
                   for i in results}
        self._launch(kernel, {**partial, **starts})
        for i, temp in partial.items():
            of = self.linear.instructions[i].aval
            combining = _combining(reductions[i].op, of, self.layouts[i], kernel.parts, self.kernel_type)
            self._launch(combining, {0: temp, 1: i})

    def _launch(self, kernel, renamed):
        """renamed: what the numbers of the kernel's values mean where it isn't the linear's own."""
        self.kernels.append(kernel)
        self.launches.append(('kernel', kernel, renamed))

    def _add_library(self, i):
        """A product of matrices or a convolution by kernels of our own, where there are any; else what a library does.

        They take longer to compile than a few products take in NumPy. Where their code isn't at hand the program is
        provisional: it uses NumPy, and is outdated after choices.PROVISIONAL_RUNS. So with many small matrices.
        """
        x, found = self.linear.instructions[i], None
        if x.op is ops.unpack and self._owner(i) == self._owner(x.inputs[0]):
            return
        if x.op in self.products and all(j in self.layouts for j in (*x.inputs, i)):
            found = self.products[x.op](x, *[(self.linear.instructions[j].aval, *self.layouts[j][1:])
                                             for j in (*x.inputs, i)])
        mine = found and found.launches
        if mine and not self.repeated and not gemm.at_hand(found.launches, dtypes.real_of(x.aval.dtype).name,
                                                              runtime.cache()):
            mine, self.provisional = False, True
        if mine:
            self.launches += [('product', i, launch, found) for launch in found.launches]
            return
        op = x.params[0] if x.op is ops.packed else x.op
        avals = [self.linear.instructions[j].aval for j in x.inputs]
        if self.products and not matrices.prepare(op, avals, self.repeated):
            self.provisional = True
        self.launches.append(('library', i))

    def _following(self, at):
        """Where a kernel needs of the product before it only the rows that belong to its own, it is run for each band
        of rows as soon as that is there: (number of the kernel's items for a band, block of lanes of an item), else
        None."""
        if self.launches[at][0] != 'product' or self.launches[at + 1][0] != 'kernel':
            return None
        (_, i, product, _), (_, k, renamed) = self.launches[at:at + 2]
        if not product.rows or k.split or k.tile is not None:
            return None
        band, step, rows = product.rows
        owner, start = self.layouts[i][:2]
        owners = [self._owner(renamed.get(a.value, a.value)) for a in k.accesses]
        read = [a for a, of in zip(k.accesses, owners) if of == owner]
        written = {owners[number] for _, number in k.stores}
        if written & {owner, *[self._owner(j) for j in self.linear.instructions[i].inputs]} \
                or any(a.dynamic for a in read):
            return None
        if k.form == 'map' and len(k.sizes) == 1:                     # one axis over all the elements
            flat = k.sizes[0] == rows * step and all(a.strides == [1] and a.offset == start for a in read)
            return (1, band * step) if flat else None
        spans = [a.offset - start + sum([(n - 1) * s for n, s in zip(k.sizes[1:], a.strides[1:])]) for a in read]
        if k.parallel[:1] != [0] or k.sizes[0] != rows or any(
                a.strides[0] != step or min(a.strides) < 0 or a.offset < start or span >= step
                for a, span in zip(read, spans)):
            return None
        block, extent, _ = _extent(k)
        return band * (extent // rows), block

    # --- memory -------------------------------------------------------------------------------------------------

    def _owner(self, value):
        return value if isinstance(value, tuple) else self.layouts[value][0]

    def _place(self):
        """Leaves and outputs have buffers; everything else gets an offset in the arena."""
        instructions = self.linear.instructions
        self.slot_of = {i: x.slot for i, x in enumerate(instructions) if x.op is ops.leaf}
        self.outputs, self.output_of, self.donated = [], {}, []
        for i in self.linear.outputs:
            owner = self._owner(i)
            if owner not in self.slot_of and owner not in self.output_of:
                self.output_of[owner] = len(self.outputs)
                self.outputs.append(instructions[owner].aval.nbytes)
        for update, j in self.linear.in_place.items():
            if j in self.slot_of and self.slot_of[j] not in self.donated:
                self.donated.append(self.slot_of[j])
        self.written_over = self._written_over()
        self.arena, self.temp_of = _allocate(self._lives())

    def _written_over(self):
        """{value: output}: a map that reads a value for the last time writes an output in its place, element by element,
        or a transform does so in place. The value lies in the output's memory: fewer bytes pass through the caches."""
        first, last, found = {}, {}, {}
        for at, launch in enumerate(self.launches):
            for value in self._values_of(launch):
                first.setdefault(self._owner(value), at)
                last[self._owner(value)] = at
        for i in [launch[1] for launch in self.launches if launch[0] == 'product' and launch[3].in_place]:
            (owner, *place), (target, *to) = self.layouts[self.linear.instructions[i].inputs[0]], self.layouts[i]
            group = [at for at, launch in enumerate(self.launches) if launch[:2] == ('product', i)]
            if target in self.output_of and owner not in self.slot_of and owner not in self.output_of and place == to \
                    and (first[target], last[owner]) == (group[0], group[-1]) and self._nbytes(owner) == self._nbytes(target):
                found[owner] = target
        for at, (kind, k, *renamed) in enumerate(self.launches):
            if kind != 'kernel' or k.form != 'map' or k.tile is not None:
                continue
            owners = [self._owner(renamed[0].get(a.value, a.value)) for a in k.accesses]
            places = {}                                               # owner -> where this kernel touches it
            for a, owner in zip(k.accesses, owners):
                place = a.offset, *a.strides, a.dtype.itemsize, tuple(a.dynamic), a.packed
                places.setdefault(owner, set()).add(place)
            for target in {owners[number] for _, number in k.stores} & set(self.output_of):
                for owner in owners:
                    if owner not in self.slot_of and owner not in self.output_of and owner not in found \
                            and places[owner] == places[target] and _one_place(places[owner]) \
                            and (first[target], last[owner]) == (at, at) \
                            and self._nbytes(owner) == self._nbytes(target):
                        found[owner] = target
                        break
        return found

    def _lives(self):
        """[(key, bytes, first launch, last launch)] of everything that lies in the arena."""
        first, last, size = {}, {}, {}

        def use(key, at, nbytes):
            first.setdefault(key, at)
            last[key] = at
            size[key] = nbytes
        for number, launch in enumerate(self.launches):
            at = number - (number - 1 in self.following)              # two that are run together live at the same time
            for value in self._values_of(launch):
                owner = self._owner(value)
                if owner not in self.slot_of and owner not in self.output_of and owner not in self.written_over:
                    use(owner, at, self._nbytes(owner))
            if launch[0] == 'product':
                _, i, record, found = launch
                if 'packed' in record.slots:
                    use(('packed', i), at, found.packed)
                if 'scratch' in record.slots:
                    use(('scratch', number), at, _workers * found.scratch)
            if launch[0] == 'kernel' and launch[1].cached:
                k = launch[1]
                use(('scratch', number), at, _workers * len(k.cached) * (k.sizes[k.lane] + 64) * 8)
            if launch[0] == 'kernel' and launch[1].checks:
                use(('error',), 0, 8)
                use(('error',), len(self.launches), 8)
        return [(key, size[key], first[key], last[key]) for key in first]

    def _nbytes(self, owner):
        if isinstance(owner, tuple):
            return owner[3]
        return self.linear.instructions[owner].aval.nbytes

    def _values_of(self, launch):
        if launch[0] != 'kernel':
            x, instructions = self.linear.instructions[launch[1]], self.linear.instructions
            return [j for j in (*x.inputs, launch[1]) if instructions[j].op is not ops.literal
                    and not is_repeated(x, j, instructions)]
        return [launch[2].get(a.value, a.value) for a in launch[1].accesses]

    # --- launches -------------------------------------------------------------------------------------------------

    def _number_buffers(self):
        """pool: where in a run's list of buffers (leaves, outputs, pieces of the arena, scalars) an owner stands."""
        self.n_leaves = max(self.slot_of.values(), default=-1) + 1
        self.temps = list(self.temp_of)
        self.pool = {}                                                # owner -> index in a run's list of addresses
        for i, slot in self.slot_of.items():
            self.pool[i] = slot
        for owner, number in self.output_of.items():
            self.pool[owner] = self.n_leaves + number
        for number, key in enumerate(self.temps):
            self.pool[key] = self.n_leaves + len(self.outputs) + number
        for value, output in self.written_over.items():
            self.pool[value] = self.pool[output]
        instructions = self.linear.instructions
        self.parted = sorted({instructions[x.inputs[0]].slot for x in instructions
                              if x.op in complexes.PARTS and instructions[x.inputs[0]].op is ops.literal})
        self.parts_at = self.n_leaves + len(self.outputs) + len(self.temps)
        self.scalars_at = self.parts_at + 2 * len(self.parted)
        self.offsets = [self.temp_of[key] for key in self.temps]
        self.checked = ('error',) in self.pool

    def scalar_at(self, slot):
        """Where a scalar of a kernel stands in the list: a literal, or (literal, 0 for its real and 1 for its imaginary
        part)."""
        if type(slot) is tuple:
            return self.parts_at + 2 * self.parted.index(slot[0]) + slot[1]
        return self.scalars_at + slot

    def with_parts(self, scalars):
        """The scalars as they stand in that list, after the parts of complex ones."""
        return [part for slot in self.parted for part in (scalars[slot].real, scalars[slot].imag)] + list(scalars)

    def _compile(self):
        self._number_buffers()
        addresses = compiled.addresses([k.text for k in self.kernels], self.kernels)
        address = iter(addresses)
        self.segments, records, picks = [], [], []
        self.keep = []                                                # constants that native code reads
        self.work = 0.0
        for at, launch in enumerate(self.launches):
            if launch[0] == 'kernel':
                records.append(self._record(next(address), launch, at, picks))
            elif launch[0] == 'product':
                records.append(self._product_record(launch, at, picks))
            else:
                self._close(records, picks)
                records, picks = [], []
                self.segments.append(self._library(launch[1]))
        self._close(records, picks)
        self.halves = [(x.slot, x.aval.dtype) for x in self.linear.instructions
                       if x.op is ops.literal and x.aval.dtype in dtypes.NARROW_FLOATS]
        self.may_fail = self.checked or any(launch[0] == 'library' for launch in self.launches)
        self.results = [self._result(i) for i in self.linear.outputs]
        self.simple = len(self.segments) == 1 and type(self.segments[0]) is tuple and not self.arena

    def _result(self, i):
        """(number of an output's buffer, None), or (None, slot) where it is a leaf's."""
        owner = self.layouts[i][0]
        return (None, self.slot_of[owner]) if owner in self.slot_of else (self.output_of[owner], None)

    def _record(self, address, launch, at, picks):
        _, k, renamed = launch
        offset = 8 * len(picks)
        picks += [self.pool[self._owner(renamed.get(a.value, a.value))] for a in k.accesses]
        picks += [self.scalar_at(slot) for slot, _ in k.scalars]
        if k.checks:
            picks.append(self.pool['error',])
        if k.cached:
            picks.append(self.pool['scratch', at])
        block = self.following[at - 1][1] if at - 1 in self.following else tune.block(k, address)
        record, constants, total = kernel_record(k, address, offset, block)
        self.keep.append(constants)
        self.work += total
        return record

    def _product_record(self, launch, at, picks):
        _, i, record, _ = launch
        x, offset = self.linear.instructions[i], 8 * len(picks)
        owners = {'packed': ('packed', i), 'scratch': ('scratch', at)}
        owners.update(zip('abc', [self._owner(j) for j in (*x.inputs, i)]))
        picks += [self.pool[owners[slot]] for slot in record.slots]
        self.keep.append(record.constants)
        self.work += record.nanoseconds
        address = gemm.address(record.name, dtypes.real_of(x.aval.dtype).name, cache=runtime.cache())
        return threads.record(address, offset, record.constants.ctypes.data, record.extent, record.grain,
                              following=self.following.get(at, (0,))[0])

    def _close(self, records, picks):
        if records:
            data = np.frombuffer(b''.join(records), np.int64).copy()
            self.keep.append(data)
            getter = operator.itemgetter(*picks) if len(picks) > 1 else lambda pool, p=picks[0]: (pool[p],)
            self.segments.append((data.ctypes.data, len(records), getter))

    def _library(self, i):
        """A function of (buffers by pool index, arena) that runs instruction i."""
        x = self.linear.instructions[i]
        operands = [self._view(j) for j in x.inputs]
        target = self._view(i)
        self.work += 1e3 + (flops / 50 if (flops := product_flops(x, self.linear.instructions)) else 4 * x.aval.size)
        keywords = x.keywords()
        if x.op is ops.dot_general:
            return _product(x, operands, target, keywords, self.linear.instructions)

        source = self.linear.sources[i]
        call = x.op in (ops.scatter, ops.scatter_at) and scatter.call(x, keywords, self._places(x)) or (
            lambda to, arrays: libraries.write(x, keywords, to, arrays))

        def run(holders, lines):
            with np.errstate(all='ignore'):
                arrays = [view(holders) for view in operands]
                try:
                    call(target(holders), arrays)
                except (ArithmeticError, ValueError, IndexError) as error:
                    raise reference.at_line(error, source, lines) from None
        return run

    def _places(self, scatter):
        shapes = [self.linear.instructions[j].aval.shape for j in scatter.inputs[2:]]
        return math.prod(broadcast_shapes('indices', *shapes))

    def _number(self, literal):
        """A function of holders that gives the value of a literal."""
        if literal.slot is None:
            return lambda holders: float(literal.params[0])
        return operator.itemgetter(self.scalars_at + literal.slot)

    def _view(self, j):
        """A function of holders (Buffers by pool index) that gives stored value j as a NumPy array, or one number again
        and again."""
        x = self.linear.instructions[j]
        if x.op is ops.literal:
            value = self._number(x)
            return lambda holders: np.asarray(value(holders)).astype(x.aval.dtype)
        if j not in self.layouts:
            number, shape = self._view(x.inputs[0]), x.aval.shape
            return lambda holders: np.broadcast_to(number(holders), shape)
        owner, offset, strides = self.layouts[j]
        number, shape, dtype = self.pool[owner], x.aval.shape, x.aval.dtype
        if offset == 0 and strides == native.contiguous(shape):
            return lambda holders: holders[number].array(shape, dtype)
        elements = self._nbytes(owner) // dtype.itemsize
        steps = tuple([s * dtype.itemsize for s in strides])

        def view(holders):
            base = holders[number].array((elements,), dtype)
            return np.ndarray(shape, dtype, base, offset * dtype.itemsize, steps)
        return view

    # --- running --------------------------------------------------------------------------------------------------

    def run(self, buffers, scalars, lines, background=False):
        """Buffers of the outputs for buffers of the leaves and values of the literals.

        Runs at once, or in the queue: where `background` allows it and it takes long, or where an input is still
        being computed there.
        """
        if self.provisional:
            self.runs += 1
            self.outdated = self.runs >= choices.PROVISIONAL_RUNS
        waiting = [b.ticket for b in buffers if b.ticket is not None]
        if waiting or background and self.work >= choices.ASYNC_NS:
            outs = self._enqueue(buffers, scalars, lines, waiting)
        elif self.simple:
            outs = [memory.allocate(n) for n in self.outputs]
            pool = [b.address for b in buffers[:self.n_leaves]]       # those behind the last that is read are dead
            pool += [o.address for o in outs]
            pool += self.with_parts(scalars) if self.parted else scalars
            if self.halves:
                self._round(pool)
            address, count, getter = self.segments[0]
            execute(address, count, getter(pool), self.work)
        else:
            outs, holders, pool = self.prepare(buffers, scalars)
            self._run_all(buffers, scalars, lines, holders, pool)
        return [outs[number] if slot is None else _overwritten(buffers[slot]) for number, slot in self.results]

    def _enqueue(self, buffers, scalars, lines, waiting):
        nbytes = sum(self.outputs) + self.arena + choices.QUEUED_BYTES
        runtime.queue().make_room(nbytes, choices.IN_FLIGHT_BYTES)
        outs, holders, pool = self.prepare(buffers, scalars)

        def job():
            for ticket in waiting:
                ticket.result()                                       # what failed before fails what comes of it
            self._run_all(buffers, scalars, lines, holders, pool)
        runtime.runner().alert()
        ticket = runtime.queue().submit(job, self.work < choices.SHORT_NS)
        runtime.queue().needs(ticket, nbytes)
        for buffer in outs:
            buffer.ticket = ticket
        for slot in self.donated:
            buffers[slot].ticket = ticket
        return outs

    def prepare(self, buffers, scalars):
        """(buffers of the outputs, all buffers, all slots) of one run."""
        outs = [memory.allocate(n) for n in self.outputs]
        arena = memory.allocate(self.arena) if self.arena else None
        scalars = self.with_parts(scalars)
        holders = [*buffers[:self.n_leaves], *outs, *[_Piece(arena, o) for o in self.offsets], *scalars]
        pool = [h.address for h in holders[:self.parts_at]] + scalars
        if self.halves:
            self._round(pool)
        return outs, holders, pool

    def _run_all(self, buffers, scalars, lines, holders, pool):
        if self.checked:
            error = holders[self.pool['error',]].array((1,), np.int64)
            error[0] = 0
        for segment in self.segments:
            if type(segment) is tuple:
                execute(segment[0], segment[1], segment[2](pool), self.work)
            else:
                segment(holders, lines)
        if self.checked and error[0]:
            self._report(buffers, scalars, lines)

    def _round(self, pool):
        for slot, dtype in self.halves:
            pool[self.scalars_at + slot] = float(np.asarray(pool[self.scalars_at + slot], np.float64).astype(dtype))

    def _report(self, buffers, scalars, lines):
        """An index was out of range: the reference finds out which, and raises with the user's line."""
        reference.run_linear(self.linear, buffers, scalars, {}, lines)
        raise AssertionError('native code found an index out of range where the reference finds none')


def _one_place(touched):
    """Whether what a kernel touches of an array is for each point one element, or the two parts of one."""
    (offset, *rest), *others = sorted(touched)
    return not others or [(offset + 1, *rest)] == others and not offset % 2 and not any([s % 2 for s in rest[:-2]])


def product_flops(x, instructions):
    """Operations of a product or convolution, 0 of others."""
    if x.op is ops.dot_general:
        return 2 * x.aval.size * math.prod([instructions[x.inputs[0]].aval.shape[axis] for axis in x.params[0]])
    return 2 * x.aval.size * math.prod(instructions[x.inputs[1]].aval.shape[1:]) if x.op is ops.conv else 0


def _overwritten(buffer):
    """A buffer whose contents have changed: a device's copy of it is of no use any more."""
    buffer.mirror = None
    return buffer


class _Piece:
    """A place in the arena, like a Buffer."""
    __slots__ = ('arena', 'offset', 'address')

    def __init__(self, arena, offset):
        self.arena, self.offset, self.address = arena, offset, arena.address + offset

    def array(self, shape, dtype):
        return self.arena.array(shape, dtype, self.offset)


def execute(records, count, slots, work):
    runner = runtime.runner()
    if work < choices.RELEASE_NS:
        runner.call(records, count, *slots)
    else:
        data = _pack(slots)
        runner.run(records, count, id(data) + _BYTES_HEADER)


_BYTES_HEADER = bytes.__basicsize__ - 1              # where the contents of a bytes object start (CPython)


def _pack(slots):
    import struct
    return struct.pack('<' + ''.join(['d' if type(s) is float else 'q' if s < 0 else 'Q' for s in slots]), *slots)


def kernel_record(k, address, offset, block=None):
    """(launch record of a kernel, constants that it points to, estimated ns). block: elements of a map's last axis."""
    block, extent, parts = _extent(k, block)
    constants = native_printer.constants(k, block)
    total, item = _estimate(k, extent)
    grain = max(1, int(choices.GRAIN_NS / max(item, 1e-9)))
    record = threads.record(address, offset, constants.ctypes.data, extent, min(grain, 1 << 40), 1, parts)
    return record, constants, total


def _extent(k, asked=None):
    """(size of a block of the lane axis, number of items that are shared out, parts)."""
    lanes = k.sizes[k.lane]
    if k.split:
        return max(lanes, 1), k.sizes[min(k.reduced)], k.parts
    outer = 1
    for axis in k.parallel:
        outer *= k.sizes[axis] if axis != k.tile else -(-k.sizes[axis] // choices.TILE_ROWS)
    if k.form == 'row':
        return max(lanes, 1), outer, 0
    if k.form == 'column':
        block = k.columns * 16
    else:
        block = choices.BLOCK if lanes > choices.BLOCK and outer < 64 else max(lanes, 1)
        block = min(asked or block, max(lanes, 1))
    return block, outer * native_printer.blocks(k, block) if lanes else 0, 0


def _estimate(k, extent):
    """Estimated nanoseconds of a launch, and of one item of its extent."""
    elements = 1
    for n in k.sizes:
        elements *= n
    cost = sum([e.cost for e in k.entries if e.kind in ('op', 'search', 'scan')])
    nbytes = sum([a.dtype.itemsize for a in k.accesses])
    total = elements * (0.02 * cost + 0.05 * nbytes)
    return total + 200, total / max(extent, 1)


def _combining(op, of, layout, count, kernel_type):
    """The kernel that adds up the parts of a split reduction: value 0 are the parts, value 1 is the result."""
    parts = aval((count, *of.shape), unrounded(of).dtype)
    instructions = [Instruction(ops.leaf, (), None, parts, 0), Instruction(op, (0,), ((0,),), of)]
    sizes = parts.shape
    step = Step('kernel', sizes, frozenset([0]))
    step.roots, step.reads = [1], {0}
    from .index import identity
    step.source[1] = identity(sizes)
    step.where[1] = step.source[1][1:]
    _, offset, strides = layout
    return kernel_type(step, instructions, {1}, {0: (0, native.contiguous(sizes)), 1: (offset, strides)})


def _product(x, operands, target, keywords, instructions):
    """A dot_general by np.matmul, straight into its place."""
    from ..ir.reference import as_matmul
    a, b = (instructions[j].aval for j in x.inputs)
    left, right, out = as_matmul(a.shape, b.shape, **keywords)
    matrix = (*left[1][:-1], right[1][-1])
    wide = dtypes.held_as(x.aval.dtype)

    def run(holders, lines):
        p, q = (view(holders) for view in operands)
        p, q = p.transpose(left[0]).reshape(left[1]), q.transpose(right[0]).reshape(right[1])
        to = target(holders)
        if wide != x.aval.dtype:
            np.copyto(to, np.matmul(p.astype(wide), q.astype(wide)).reshape(out).astype(x.aval.dtype))
        elif to.flags.c_contiguous:
            np.matmul(p, q, out=to.reshape(matrix))
        else:
            np.copyto(to, np.matmul(p, q).reshape(out))
    return run


def _allocate(lives):
    """(bytes of the arena, {key: offset}): first fit among the places that are free for the whole life."""
    placed, offsets, top = [], {}, 0
    for key, size, first, last in sorted(lives, key=lambda l: (-l[1], l[2])):
        size = -(-max(size, 1) // 64) * 64 + 64
        at = 0
        for other_at, other_size, f, l in sorted(placed):
            if first <= l and f <= last and at < other_at + other_size and other_at < at + size:
                at = other_at + other_size
        placed.append((at, size, first, last))
        offsets[key] = at
        top = max(top, at + size)
    return top, offsets
