"""What the native target makes of a Linear around the schedule: parts of arrays, and where values lie.

Before the schedule, parts of arrays that are put together (concatenate, slice_update) get a copy where they can't
be computed in place. After it every stored value has a layout: an owner buffer, an offset and strides.
"""
from ..ir import dtypes, ops
from ..ir.graph import aval
from . import llvm_math
from .complexes import is_complex, is_part, PARTS
from .program import Instruction, Linear
from .schedule import ASSEMBLED, SCATTERS, UPDATES


def supports(x, instructions):
    """Whether the printer can emit an instruction (else NumPy runs it)."""
    kinds = [dtypes.kind(x.aval.dtype), *[dtypes.kind(instructions[j].aval.dtype) for j in x.inputs]]
    if 'c' in kinds:
        return False
    if x.op is ops.searchsorted:                                     # positions are held in 32 bits
        table = instructions[x.inputs[0]].aval
        return 0 < table.size < 1 << 31 and table.dtype != dtypes.bool_
    if not x.op.elementwise or x.op in (ops.convert, ops.bitcast, ops.identity, ops.fusion_barrier):
        return True
    if x.op is ops.integer_pow:
        return abs(x.params[0]) <= 64
    return llvm_math.supports(x.op.name, instructions[x.inputs[-1]].aval.dtype.name)


_NO_KERNEL = ops.leaf, ops.literal, ops.reshape, ops.unpack_nibbles      # they have memory, or need none


# --- parts that are put together ------------------------------------------------------------------------------------

def legalise(linear, supports=supports, torn=()):
    """Give every part of a concatenate or slice_update a place of its own, and find updates that happen in place.

    Before: u = slice_update(x, y), x used elsewhere. After: c = identity(x); u = slice_update(c, y).
    Sets `in_place`: {update: the value whose memory it takes}, and `before`: {what writes there, the new part or the
    scatter: the values that are read from that memory, and so are computed first}, and `updates`: {update: its number
    here}. torn: numbers of updates whose real and imaginary parts can't be written by one kernel.
    """
    users = [[] for _ in linear.instructions]
    for i, x in enumerate(linear.instructions):
        for j in set(x.inputs):
            users[j].append(i)
    outputs, free = set(linear.outputs), set(linear.free)
    new, sources, place, in_place, before, early = [], [], [], {}, {}, set()

    def is_library(x):
        return x.op.library or x.op in SCATTERS or x.op is ops.searchsorted or not supports(x, linear.instructions)

    def add(op, inputs, of, region):
        new.append(Instruction(op, inputs, None, of, None, region))
        sources.append(None)
        return len(new) - 1

    def copied(j, x):
        of = linear.instructions[j].aval
        if not is_complex(of):
            return add(ops.identity, (place[j],), of, x.region)
        part = aval(of.shape, dtypes.real_of(of.dtype))
        parts = [add(ops.identity, (add(op, (place[j],), part, None),), part, x.region) for op in PARTS]
        return add(ops.complex_, tuple(parts), of, None)
    for i, x in enumerate(linear.instructions):
        inputs = [place[j] for j in x.inputs]
        readers = None
        if x.op in UPDATES and x.inputs[0] not in outputs:
            readers = _readers(linear, users, i, free, torn)
        early.update(readers or ())
        if x.op in ASSEMBLED:
            for position, j in enumerate(x.inputs):
                y = linear.instructions[j]
                private = users[j] == [i] and j not in outputs and x.inputs.count(j) == 1
                if position == 0 and readers is not None:
                    continue
                nested = x.op is y.op is ops.concatenate
                if not private or not early.isdisjoint((j, *y.inputs) if y.op is ops.complex_ else (j,)) \
                        or not nested and not _computed_in_place(j, linear.instructions, supports):
                    inputs[position] = copied(j, x)
        if x.op not in (ops.leaf, ops.literal) and is_library(x):    # it takes a byte for each number
            packed = [linear.instructions[j].op is ops.unpack_nibbles for j in x.inputs]
            inputs = [copied(j, x) if is_packed else i for j, i, is_packed in zip(x.inputs, inputs, packed)]
        new.append(Instruction(x.op, tuple(inputs), x.params, x.aval, x.slot, x.region))
        sources.append(linear.sources[i])
        place.append(len(new) - 1)
        if readers is not None:
            in_place[place[i]] = inputs[0]
            for writer in _writers(new, inputs[1]) if x.op is ops.slice_update else [place[i]]:
                before[writer] = [place[z] for z in readers]
    results = [place[i] if _has_memory(i, linear.instructions) else copied(i, linear.instructions[i])
               for i in linear.outputs]
    result = Linear(new, results, [place[i] for i in linear.free])
    result.sources, result.in_place, result.before = sources, in_place, before
    result.updates = {place[i]: i for i, x in enumerate(linear.instructions) if place[i] in in_place}
    return result


def torn(linear, schedule):
    """Numbers, before `legalise`, of updates whose real and imaginary parts are not written at once: what the second
    reads there may be written over by the first."""
    found = set()
    for update, number in linear.updates.items():
        x = linear.instructions[update]
        parts = _writers(linear.instructions, x.inputs[1]) if x.op is ops.slice_update else ()
        steps = {schedule.placed[j] for j in parts}
        if len(parts) == 2 and (len(steps) > 1 or schedule.steps[min(steps)].reduced):
            found.add(number)
    return found


def _computed_in_place(j, instructions, supports):
    """Whether a part of what is put together can be computed where it belongs, by a kernel."""
    y = instructions[j]
    if y.op is ops.complex_:                                         # its own parts are
        return True
    return not (y.op in _NO_KERNEL or y.op.library or y.op in SCATTERS or y.op in ASSEMBLED
                or is_part(j, instructions)) and supports(y, instructions)


def _has_memory(i, instructions):
    """Whether an output can be what it is: not a number, nor a part of a complex value, nor a reshape of one."""
    x = instructions[i]
    i = x.inputs[0] if x.op is ops.reshape else i
    return x.op is not ops.literal and not is_part(i, instructions)


def _writers(instructions, part):
    """What kernels compute where a new part lies: that itself, or the parts of a complex one."""
    return instructions[part].inputs if instructions[part].op is ops.complex_ else [part]


def _readers(linear, users, update, free, torn):
    """The values that are computed from the base of an update before its memory may be written over; None where it may
    not: it isn't ours, somebody reads it later, or what is read from it is no smaller than a copy of it.

    What reads only where the update writes, element by element, needs no order.
    """
    x = linear.instructions[update]
    base, part = x.inputs[:2]
    y = linear.instructions[base]
    if not (y.op.library or y.op in UPDATES or y.op is ops.concatenate or y.op is ops.leaf and base in free) \
            or x.inputs.count(base) > 1:
        return None
    found = []
    readers = [(z, None) for z in _through_packed(linear, users, base) if linear.instructions[z].op not in PARTS]
    parts = [(z, k) for z in users[base] for k, op in enumerate(PARTS) if linear.instructions[z].op is op]
    readers += [(user, k) for z, k in parts for user in users[z]]
    for user, k in readers:
        z = linear.instructions[user]
        if user == update or x.op is ops.slice_update and _reads_in_step(
                linear, users, user, k if update in torn else None, part, update):
            continue
        small = (2 if k is None else 4) * z.aval.nbytes <= y.aval.nbytes and (
            z.op.view or z.op.elementwise or z.op is ops.gather)
        whole = (z.op.reduction or z.op.library) and not any(linear.instructions[k].op in ASSEMBLED
                                                             for k in users[user])
        if user > update or z.region is not None or not (small or whole):
            return None
        found.append(user)
    return found


def _through_packed(linear, users, base):
    """Who reads a value; of numbers of 4 bits, which lie in the memory of their bytes, those who read these."""
    for j in users[base]:
        yield from users[j] if linear.instructions[j].op is ops.unpack_nibbles else (j,)


def _reads_in_step(linear, users, reader, k, part, update):
    """Whether a slice of the base is that which the update writes, and is used only on the way there. k: which part of
    the base it reads, where the parts are written one after the other: only the same part of what is new may depend
    on it."""
    z = linear.instructions[reader]
    start, step = linear.instructions[update].params
    if k is not None:
        parts = linear.instructions[part].inputs
        if linear.instructions[part].op is not ops.complex_ or parts[0] == parts[1]:
            return False
        part, update = parts[k], part
    return z.op is ops.slice_ and z.params[0] == start and z.params[2] == step \
        and linear.instructions[z.inputs[0]].op is not ops.unpack_nibbles \
        and z.aval.shape == linear.instructions[part].aval.shape \
        and _only_elementwise(linear, users, reader, part, update)


def _only_elementwise(linear, users, source, part, update):
    """Whether everything that uses `source` is elementwise, or a reshape, on the way to `part`: element by element."""
    waiting, seen = [source], set()
    while waiting:
        i = waiting.pop()
        if i in seen:
            continue
        seen.add(i)
        if i in linear.outputs:
            return False
        for user in users[i]:
            z = linear.instructions[user]
            if user == update and i == part:
                continue
            if z.op is not ops.reshape and not (z.op.elementwise and z.aval.shape == linear.instructions[i].aval.shape):
                return False
            waiting.append(user)
    return True


# --- layouts --------------------------------------------------------------------------------------------------------

def contiguous(shape):
    strides, stride = [], 1
    for n in reversed(shape):
        strides.insert(0, stride)
        stride *= n
    return tuple(strides)


def layouts(linear, stored, aliases=()):
    """({value: (owner, offset, strides)}) of stored values: parts lie inside of what they are put into, and `aliases`,
    which are reshapes or one of the results of stored values, in the memory of those."""
    instructions, inside = linear.instructions, {}
    in_leaf = {i for i, x in enumerate(instructions) if x.op is ops.leaf}
    halves = {}                                                      # part of a complex value -> (that value, which)
    for i, x in enumerate(instructions):
        if is_part(i, instructions):
            halves[i] = x.inputs[0], PARTS.index(x.op)
        elif x.op is ops.complex_:
            halves.update({j: (i, k) for k, j in enumerate(x.inputs)})
        elif x.op is ops.concatenate:
            at = 0
            for j in x.inputs:
                start = [0] * len(x.aval.shape)
                start[x.params[0]] = at
                inside[j] = (i, start, [1] * len(start))
                at += instructions[j].aval.shape[x.params[0]]
        elif x.op is ops.slice_update or i in linear.in_place:
            base, whole = x.inputs[0], ([0] * len(x.aval.shape), [1] * len(x.aval.shape))
            if x.op is ops.slice_update:
                inside[x.inputs[1]] = (i, *x.params)
            if linear.in_place.get(i) == base and base in in_leaf:       # updates of a leaf live in its memory
                inside[i] = (base, *whole)
                in_leaf.add(i)
            elif base not in inside:
                inside[base] = (i, *whole)
    result = {}
    for i in sorted(stored | set(inside) | set(halves)):
        path = []
        while i not in result and (i in inside or i in aliases or i in halves):
            path.append(i)
            i = inside[i][0] if i in inside else halves[i][0] if i in halves else instructions[i].inputs[0]
        result.setdefault(i, (i, 0, contiguous(instructions[i].aval.shape)))
        for j in reversed(path):
            owner, offset, strides = result[i]
            if j in inside:
                _, start, step = inside[j]
                offset += sum([a * s for a, s in zip(start, strides)])
                result[j] = owner, offset, tuple([a * s for a, s in zip(step, strides)])
            elif j in halves:                                        # offset and strides count elements of the own type
                result[j] = owner, 2 * offset + halves[j][1], tuple([2 * s for s in strides])
            else:
                x, apart = instructions[j], strides[-1] if strides else 1     # 2 where it is a reshape of a part
                offset += x.params[0] // x.aval.dtype.itemsize if x.op is ops.unpack else 0
                result[j] = owner, offset, tuple([apart * s for s in contiguous(x.aval.shape)])
            i = j
    return result
