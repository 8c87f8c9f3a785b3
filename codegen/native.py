"""What the native target makes of a Linear around the schedule: parts of arrays, and where values lie.

Before the schedule, parts of arrays that are put together (concatenate, slice_update) get a copy where they can't
be computed in place. After it every stored value has a layout: an owner buffer, an offset and strides.
"""
from ..ir import dtypes, ops
from . import llvm_math
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

def legalise(linear, supports=supports):
    """Give every part of a concatenate or slice_update a place of its own, and find updates that happen in place.

    Before: u = slice_update(x, y), x used elsewhere. After: c = identity(x); u = slice_update(c, y).
    Sets `in_place`: {update: the value whose memory it takes}, and `before`: {what writes there, the new part or the
    scatter: the values that are read from that memory, and so are computed first}.
    """
    users = [[] for _ in linear.instructions]
    for i, x in enumerate(linear.instructions):
        for j in set(x.inputs):
            users[j].append(i)
    outputs, free = set(linear.outputs), set(linear.free)
    new, sources, place, in_place, before, early = [], [], [], {}, {}, set()

    def is_library(x):
        return x.op.library or x.op in SCATTERS or x.op is ops.searchsorted or not supports(x, linear.instructions)

    def copied(j, x):
        new.append(Instruction(ops.identity, (place[j],), None, linear.instructions[j].aval, None, x.region))
        sources.append(None)
        return len(new) - 1
    for i, x in enumerate(linear.instructions):
        inputs = [place[j] for j in x.inputs]
        readers = None
        if x.op in UPDATES and x.inputs[0] not in outputs:
            readers = _readers(linear, users, i, free)
        early.update(readers or ())
        if x.op in ASSEMBLED:
            for position, j in enumerate(x.inputs):
                y = linear.instructions[j]
                private = users[j] == [i] and j not in outputs and x.inputs.count(j) == 1
                if position == 0 and readers is not None:
                    continue
                if not private or j in early or y.op in _NO_KERNEL or y.op.library or y.op in SCATTERS \
                        or y.op in ASSEMBLED or not supports(y, linear.instructions):
                    inputs[position] = copied(j, x)
        if x.op not in (ops.leaf, ops.literal) and is_library(x):    # it takes a byte for each number
            packed = [linear.instructions[j].op is ops.unpack_nibbles for j in x.inputs]
            inputs = [copied(j, x) if is_packed else i for j, i, is_packed in zip(x.inputs, inputs, packed)]
        new.append(Instruction(x.op, tuple(inputs), x.params, x.aval, x.slot, x.region))
        sources.append(linear.sources[i])
        place.append(len(new) - 1)
        if readers is not None:
            in_place[place[i]] = inputs[0]
            before[inputs[1] if x.op is ops.slice_update else place[i]] = [place[z] for z in readers]
    results = [copied(i, linear.instructions[i]) if linear.instructions[i].op is ops.literal else place[i]
               for i in linear.outputs]
    result = Linear(new, results, [place[i] for i in linear.free])
    result.sources, result.in_place, result.before = sources, in_place, before
    return result


def _readers(linear, users, update, free):
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
    for user in _through_packed(linear, users, base):
        z = linear.instructions[user]
        if user == update or x.op is ops.slice_update and _reads_in_step(linear, users, user, part, update):
            continue
        small = 2 * z.aval.nbytes <= y.aval.nbytes and (z.op.view or z.op.elementwise or z.op is ops.gather)
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


def _reads_in_step(linear, users, reader, part, update):
    """Whether a slice of the base is that which the update writes, and is used only on the way there."""
    z, x = linear.instructions[reader], linear.instructions[update]
    start, step = x.params
    return z.op is ops.slice_ and z.inputs[0] == x.inputs[0] and z.params[0] == start and z.params[2] == step \
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
    which are reshapes of stored values, in the memory of those."""
    instructions, inside = linear.instructions, {}
    in_leaf = {i for i, x in enumerate(instructions) if x.op is ops.leaf}
    for i, x in enumerate(instructions):
        if x.op is ops.concatenate:
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
    for i in sorted(stored | set(inside)):
        path = []
        while i not in result and (i in inside or i in aliases):
            path.append(i)
            i = inside[i][0] if i in inside else instructions[i].inputs[0]
        result.setdefault(i, (i, 0, contiguous(instructions[i].aval.shape)))
        for j in reversed(path):
            owner, offset, strides = result[i]
            if j in inside:
                _, start, step = inside[j]
                offset += sum([a * s for a, s in zip(start, strides)])
                result[j] = owner, offset, tuple([a * s for a, s in zip(step, strides)])
            else:
                result[j] = owner, offset, contiguous(instructions[j].aval.shape)
            i = j
    return result
