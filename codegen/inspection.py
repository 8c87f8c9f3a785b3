"""Reading a compiled native program: what each launch does, what it reads and writes, and why it is one of its own."""
import math

from ..ir import ops
from . import measure, plan, regions, threads
from .schedule import is_repeated

_NS_PER_OPERATION = 0.02               # of one thread, for a simple operation on one element: as `plan` estimates


class Part:
    """A kernel with what combines its parts, a product ('product': by kernels of our own), or a library call. launches:
    their numbers in the program.

    reads, writes: (name, shape, dtype name, bytes). sources: see Linear. weight: operations, weighted by their cost.
    """

    def __init__(self, kind, step):
        self.kind, self.step, self.launches, self.kernels = kind, step, [], []
        self.operations, self.text, self.shape, self.dtypes = [], '', (), []
        self.reads, self.writes, self.sources, self.reason = [], [], [], ''
        self.flops = self.weight = 0

    bytes_read = property(lambda self: sum(nbytes for *_, nbytes in self.reads))
    bytes_written = property(lambda self: sum(nbytes for *_, nbytes in self.writes))

    def estimate(self):
        """(nanoseconds that the machine takes at least, 'memory' or 'arithmetic')."""
        memory = (self.bytes_read + self.bytes_written) / measure.copy_rate()
        if self.kind == 'kernel':
            arithmetic = self.weight * _NS_PER_OPERATION / threads.get_num_threads()
        else:
            arithmetic = self.flops / measure.product_rate() if self.operations[0] in ('dot_general', 'conv') else 0
        return max(memory, arithmetic), 'memory' if memory >= arithmetic else 'arithmetic'


class Inspector:
    """parts in order; edges: (from, to, name, shape, dtype, bytes) between numbers of parts, None being outside;
    stored: bytes of what one part stores for another."""

    def __init__(self, program):
        self.program, self.linear, self.schedule = program, program.linear, program.schedule
        self.instructions = self.linear.instructions
        self.parts = []
        steps = {id(step): number for number, step in enumerate(self.schedule.steps)}
        self.part_of = {}                                            # number of a step -> of its part
        for number, launch in enumerate(program.launches):
            if launch[0] == 'product' and self.parts and program.launches[number - 1][:2] == launch[:2]:
                self.parts[-1].launches.append(number)               # packing comes first
                continue
            if launch[0] != 'kernel':
                step = self.schedule.steps[self.schedule.placed[launch[1]]]
                part = self._whole(launch[0], launch[1], step)
            elif id(launch[1].step) not in steps:                    # combines the parts of a split reduction
                self.parts[-1].launches.append(number)
                self.parts[-1].kernels.append(launch[1])
                continue
            else:
                step = launch[1].step
                part = self._kernel(launch[1], step)
                if self.parts and self.parts[-1].step is step:        # the totals that a scan in parts begins with
                    totals = self.parts.pop()
                    part.launches, part.kernels = totals.launches, [*part.kernels, *totals.kernels]
            part.launches.append(number)
            self.part_of[steps[id(step)]] = len(self.parts)
            self.parts.append(part)
        for part in self.parts:
            part.reason = '; '.join(self._reasons(part))
        self.edges, self.stored = [], 0
        self._connect()

    # --- parts ------------------------------------------------------------------------------------------------------

    def _kernel(self, kernel, step):
        part = Part('kernel', step)
        part.kernels, part.shape = [kernel], step.sizes
        part.operations, part.text = phrases(kernel)
        part.dtypes = list(dict.fromkeys([self._whole_value(a).dtype.name for a in kernel.accesses]))
        for e in kernel.entries:
            if e.kind in ('op', 'search', 'scan', 'reduce'):
                axes = e.axes | kernel.entries[e.args[0]].axes if e.kind == 'reduce' else e.axes
                elements = math.prod([kernel.sizes[axis] for axis in axes])
                part.flops += elements
                part.weight += elements * max(e.cost, 1)
        stores = {a for _, a in kernel.stores}
        part.reads = self._arrays(kernel, [a for a in range(len(kernel.accesses)) if a not in stores])
        part.writes = self._arrays(kernel, sorted(stores))
        part.sources = self._sources(step)
        return part

    def _arrays(self, kernel, numbers):
        touched = {}
        for number in numbers:
            access = kernel.accesses[number]
            if type(access.value) is tuple:                          # totals of parts
                continue
            axes = {axis for axis, stride in enumerate(access.strides) if stride}
            for entry, *_ in access.dynamic:
                axes |= kernel.entries[entry].axes
            elements = math.prod([kernel.sizes[axis] for axis in axes])
            value = self.program.complex_memory.get(access.value, access.value)
            touched[value] = touched.get(value, 0) + (elements * access.dtype.itemsize >> access.packed)
        return [self._array(i, nbytes) for i, nbytes in touched.items()]

    def _whole_value(self, access):
        """What an access is to as the user knows it: complex memory for its parts."""
        value = self.program.complex_memory.get(access.value)
        return access if value is None else self.instructions[value].aval

    def _array(self, i, nbytes=None):
        of = self.instructions[i].aval
        return i, of.shape, of.dtype.name, of.nbytes if nbytes is None else min(nbytes, of.nbytes)

    def _whole(self, kind, i, step):
        """A part that is one operation."""
        x = self.instructions[i]
        part = Part(kind, step)
        name = regions.name_of(x)
        part.operations, part.text, part.shape = [name], name + ' (library)' * (kind == 'library'), x.aval.shape
        part.dtypes = [x.aval.dtype.name]
        part.reads = [self._array(j) for j in dict.fromkeys(x.inputs) if not is_repeated(x, j, self.instructions)]
        part.writes = [self._array(i)]
        part.flops = plan.product_flops(x, self.instructions) or x.aval.size
        part.sources = [s for s in [self.linear.sources[i]] if s is not None]
        return part

    def _sources(self, step):
        """Sources of everything that a step computes, in order."""
        waiting, seen = list(step.roots), set()
        while waiting:
            i = waiting.pop()
            if i in seen or i not in step.where and i in self.schedule.placed:
                continue
            seen.add(i)
            waiting += self.instructions[i].inputs
        return [self.linear.sources[i] for i in sorted(seen) if self.linear.sources[i] is not None
                and self.instructions[i].op is not ops.literal]

    # --- reasons ------------------------------------------------------------------------------------------------------

    def _reasons(self, part):
        """Why a part isn't one with the parts that it reads from; why it stores what isn't a result."""
        found = []
        here = next(iter([self.schedule.placed[i] for i in part.step.roots]))
        own = regions.step_of_its_own(self.schedule, part.step.roots[0]) if part.kind != 'kernel' else ''
        if own:
            return [own]
        for i in part.step.roots:
            for j in self._read_by(i, part.step):
                before = self.schedule.placed[j]
                if not 0 <= before < here:
                    continue
                own = regions.step_of_its_own(self.schedule, j)
                why = own or regions.why_not(self.schedule, before, i)
                number = self.part_of.get(before)
                found.append(f'apart from {number + 1}: {why}' if number is not None else why)
        outputs = set(self.linear.outputs)
        for i in self.linear.outputs:
            if self.instructions[i].op is ops.complex_:
                outputs.update(self.instructions[i].inputs)
        for i in part.step.roots:
            if i in self.schedule.stored and i not in outputs:
                found.append(f'stores {regions.name_of(self.instructions[i])} for others: {self._stored_for(i)}')
        if not found and part.step.region is not None:
            found.append('one fused region')
        return list(dict.fromkeys(found))

    def _stored_for(self, i):
        why = self.schedule.why.get(i, '')
        return {'reduction': 'a reduction with readers outside', 'output': 'a result'}.get(why, why)

    def _read_by(self, i, step):
        x = self.instructions[i]
        if self.schedule.library[i]:
            return list(x.inputs)
        waiting, seen, found = list(x.inputs), set(), []
        while waiting:
            j = waiting.pop()
            if j in seen:
                continue
            seen.add(j)
            if j in self.schedule.placed and self.instructions[j].op is not ops.unpack_nibbles:
                found.append(j)
            else:
                waiting += self.instructions[j].inputs
        return sorted(found)

    # --- edges --------------------------------------------------------------------------------------------------------

    def _connect(self):
        writer = {}
        for number, part in enumerate(self.parts):
            for i, *_ in part.writes:
                writer[self._owner(i)] = writer[i] = number
        outputs = {self._owner(i) for i in self.linear.outputs}
        counted = set()
        for number, part in enumerate(self.parts):
            for i, shape, dtype, nbytes in part.reads:
                if self.instructions[i].op is ops.literal:
                    continue
                before = writer.get(i, writer.get(self._owner(i)))
                before = before if before is not None and before < number else None
                self.edges.append((before, number, i, shape, dtype, nbytes))
                if before is not None and i not in counted and self._owner(i) not in outputs:
                    counted.add(i)
                    self.stored += self.instructions[i].aval.nbytes
            for i, shape, dtype, nbytes in part.writes:
                if self._owner(i) in outputs:
                    self.edges.append((number, None, i, shape, dtype, nbytes))

    def _owner(self, i):
        layout = self.program.layouts.get(i)
        return layout[0] if layout else i


# --- operations in short --------------------------------------------------------------------------------------------

def phrases(kernel):
    """(names of the operations in order, the same in short): [max, sub, exp, sum], 'max → exp(sub) → sum'."""
    names, texts = [], []
    last = max([e.stage for e in kernel.entries], default=0)
    for stage in range(last + 1):
        body = [i for i, e in enumerate(kernel.entries) if e.stage == stage and
                (e.kind in ('op', 'search', 'scan') or e.kind == 'load' and kernel.accesses[e.number].dynamic)]
        sums = [i for i, e in enumerate(kernel.entries) if e.kind == 'reduce' and e.stage == stage + 1]
        for group, nested in ((body, True), (sums, False)):
            if group:
                labels = [_label(kernel.entries[i]) for i in group]
                names += labels
                chain = nested and _is_chain(kernel, group)
                texts.append(_nested(labels) if chain else _counted(labels))
    if not names:
        kind = 'copy' if any(e.kind == 'load' for e in kernel.entries) else 'fill'
        return [kind], kind
    return names, ' → '.join(texts)


_ELEMENTWISE = {'max': 'maximum', 'min': 'minimum', 'integer_pow': 'power', 'pow': 'power'}
_REDUCTIONS = {'reduce_and': 'all', 'reduce_or': 'any', 'complex_prod': 'prod'}


def _label(entry):
    """What NumPy calls it: `max` is a reduction, `maximum` goes element by element."""
    if entry.kind == 'load':
        return 'gather'
    name = entry.op.name
    return _ELEMENTWISE.get(name, name) if entry.kind == 'op' else _REDUCTIONS.get(name, name.removeprefix('reduce_'))


def _is_chain(kernel, group):
    """Whether each of a few operations is used by the next."""
    return 1 < len(group) <= 3 and all(a in kernel.entries[b].args for a, b in zip(group, group[1:]))


def _nested(labels):
    text = labels[0]
    for label in labels[1:]:
        text = f'{label}({text})'
    return text


def _counted(labels):
    counts = {}
    for label in labels:
        counts[label] = counts.get(label, 0) + 1
    return ', '.join(label if n == 1 else f'{n} {label}' for label, n in counts.items())
