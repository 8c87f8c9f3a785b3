"""Simplification of a Linear: exact algebra, common subexpressions, dead code.

Before: a = identity(x); b = a + y; c = x + y; out = b * c. After: b = x + y; out = b * b.
Nothing here changes a result in floating point.
"""
import itertools
import math

from ..ir import dtypes, ops
from ..ir.graph import aval
from . import choices
from .program import Instruction, Linear, fused

_ALIASES = {ops.identity, ops.stop_gradient, ops.custom}


class _Rewriter:
    """Builds the new instruction list; equal instructions of one region are made once."""

    def __init__(self):
        self.instructions, self.sources, self.seen = [], [], {}

    def add(self, instruction, inputs, source):
        """Index of the simplified instruction over new inputs."""
        op, params, made = instruction.op, instruction.params, self.instructions
        if instruction.aval.size == 0 and op is not ops.leaf:        # nothing to compute: no need for its operands
            op, inputs, params = ops.iota, (), (instruction.aval.shape, instruction.aval.dtype, 0)
        if op in _ALIASES or op.reduction and params[0] == ():       # a reduction over no axes
            return inputs[0]
        if op.scan and instruction.aval.shape[params[0]] == 1:
            return inputs[0]
        if op is ops.convert:
            params = (params[0], False)
            if made[inputs[0]].aval.dtype == params[0]:
                return inputs[0]
        elif op is ops.bitcast and made[inputs[0]].aval.dtype == params[0]:
            return inputs[0]
        elif op is ops.select and inputs[1] == inputs[2] and made[inputs[1]].aval.shape == instruction.aval.shape:
            return inputs[1]
        elif op is ops.neg and made[inputs[0]].op is ops.neg:
            return made[inputs[0]].inputs[0]
        elif op is ops.reshape and made[inputs[0]].op is ops.reshape:
            inputs = list(made[inputs[0]].inputs)
        elif op is ops.dot_general:
            inputs, params = self.fold_transposes(inputs, params)
        elif op is ops.transpose:
            swapped = self.swapped_product(inputs[0], params[0])
            if swapped is not None:
                source = self.sources[inputs[0]]                     # it is the product that the user will look for
                op, inputs, params = swapped
        if op is ops.reshape and made[inputs[0]].aval.shape == instruction.aval.shape:
            return inputs[0]
        key = (op, tuple(inputs), params, instruction.aval.shape, instruction.aval.dtype, instruction.slot,
               instruction.region)
        found = self.seen.get(key)
        if found is None:
            made.append(Instruction(op, tuple(inputs), params, instruction.aval, instruction.slot, instruction.region))
            self.sources.append(source)
            found = self.seen[key] = len(made) - 1
        return found

    def swapped_product(self, product, permutation):
        """A product whose free axes are swapped afterwards is the product of the operands in the other order."""
        x = self.instructions[product]
        if x.op is not ops.dot_general:
            return None
        contract_a, contract_b, batch_a, batch_b = x.params
        n = len(batch_a)
        free_a = len(self.instructions[x.inputs[0]].aval.shape) - n - len(contract_a)
        total = len(x.aval.shape)
        if permutation != (*range(n), *range(n + free_a, total), *range(n, n + free_a)):
            return None
        return ops.dot_general, [x.inputs[1], x.inputs[0]], (contract_b, contract_a, batch_b, batch_a)

    def fold_transposes(self, inputs, params):
        """Products read their operands with any strides: a transposition becomes other axis numbers."""
        inputs, params = list(inputs), list(params)
        for side in (0, 1):
            x = self.instructions[inputs[side]]
            contract, batch = params[side], params[2 + side]
            if x.op is not ops.transpose or len(x.aval.shape) - len(contract) - len(batch) > 1:
                continue
            permutation = x.params[0]
            params[side] = tuple([permutation[a] for a in contract])
            params[2 + side] = tuple([permutation[a] for a in batch])
            inputs[side] = x.inputs[0]
        return inputs, tuple(params)


def simplify(linear):
    """The simplified Linear."""
    rewriter, new = _Rewriter(), []
    for instruction, source in zip(linear.instructions, linear.sources):
        new.append(rewriter.add(instruction, [new[i] for i in instruction.inputs], source))
    return _values_alone(_without_dead(rewriter.instructions, rewriter.sources, [new[i] for i in linear.outputs],
                                       [new[i] for i in linear.free]))


# {operation: (which of its results, what computes that one alone)}
_VALUES = {ops.svd: (1, ops.svdvals), ops.eigh: (0, ops.eigvalsh)}


def _values_alone(linear):
    """Singular and eigenvalues are computed without vectors where nobody asks for these.

    Before: p = packed(x, svd), s = unpack(p, place of the values). After: s = svdvals(x).
    """
    instructions, changed = linear.instructions, False
    for i, x in enumerate(instructions):
        if x.op is not ops.packed or x.params[0] not in _VALUES:
            continue
        of, params = x.params
        number, values = _VALUES[of]
        avals = of.infer([instructions[j].aval for j in x.inputs], **dict(zip(of.param_names, params or ())))
        users = [j for j, user in enumerate(instructions) if i in user.inputs]
        if all(instructions[j].params[0] == ops.packed_offsets(avals)[number] for j in users):
            for j in users:
                user = instructions[j]
                instructions[j] = Instruction(values, x.inputs, None, user.aval, None, user.region)
            changed = True
    return _without_dead(instructions, linear.sources, linear.outputs, linear.free) if changed else linear


_STAGED = (ops.reduce_sum, ops.reduce_max, ops.reduce_min, ops.reduce_and, ops.reduce_or)


def unrounded(a):
    """The aval of a part of a reduction, `a` being that of the whole: narrow floats are not rounded yet."""
    return aval(a.shape, dtypes.held_as(a.dtype)) if dtypes.is_inexact(a.dtype) else a


def stage_reductions(linear):
    """Reduce rows first where other reductions, of the same `fuse` if any, have the same rows: both happen in one pass.

    Before: a = sum(x, (0, 1)), b = max(x, 1). After: r = sum(x, 1), a = sum(r, 0), b = max(x, 1).
    """
    rows = {(fused(x.region), linear.instructions[x.inputs[0]].aval.shape, x.params[0]) for x in linear.instructions
            if x.op.reduction and x.op.param_names == ('axes',)}
    if len(rows) < 2:                                                # with one there are no others
        return linear
    made, sources, place = [], [], []
    for x, source in zip(linear.instructions, linear.sources):
        inputs, params = tuple([place[i] for i in x.inputs]), x.params
        if x.op in _STAGED:
            shape = made[inputs[0]].aval.shape
            last = (len(shape) - 1,)
            if params[0] != last and params[0][-1:] == last and (fused(x.region), shape, last) in rows:
                rows_aval = unrounded(aval(shape[:-1], x.aval.dtype))
                made.append(Instruction(x.op, inputs, (last,), rows_aval, None, x.region))
                sources.append(source)
                inputs, params = (len(made) - 1,), (params[0][:-1],)
        made.append(Instruction(x.op, inputs, params, x.aval, x.slot, x.region))
        sources.append(source)
        place.append(len(made) - 1)
    result = Linear(made, [place[i] for i in linear.outputs], [place[i] for i in linear.free])
    result.sources = sources
    return result


def locate_scatters(linear):
    """Scatters take indices that count from the end where they are negative, and one value for all, as they are.

    Before: j = select(lt(i, a), add(i, b), i), v = broadcast(y), s = scatter(x, v, j).
    After: s = scatter_at(x, y, i, a, b).
    """
    instructions = linear.instructions
    for k, x in enumerate(instructions):
        found = [_from_the_end(instructions, i) for i in x.inputs[2:]] if x.op is ops.scatter else [None]
        if None in found:
            continue
        updates = instructions[x.inputs[1]]
        one = updates.op is ops.broadcast and instructions[updates.inputs[0]].aval.size == 1
        inputs = x.inputs[0], updates.inputs[0] if one else x.inputs[1], *[i for each in found for i in each]
        instructions[k] = Instruction(ops.scatter_at, inputs, x.params, x.aval, None, x.region)
    return _without_dead(instructions, linear.sources, linear.outputs, linear.free)


def _from_the_end(instructions, j):
    """(i, a, b) where j = select(lt(i, a), add(i, b), i) for literals a and b, else None."""
    x = instructions[j]
    if x.op is not ops.select:
        return None
    below, shifted = (instructions[i] for i in x.inputs[:2])
    i = x.inputs[2]
    if below.op is not ops.lt or shifted.op is not ops.add or below.inputs[0] != i or shifted.inputs[0] != i:
        return None
    a, b = below.inputs[1], shifted.inputs[1]
    return (i, a, b) if instructions[a].op is instructions[b].op is ops.literal else None


def widen_products(linear, narrow):
    """Compute products of `narrow` floats in float32, which kernels around them convert from and to.

    Before: c = dot_general(a, b). After: p = convert(a), q = convert(b), r = dot_general(p, q), c = convert(r).
    """
    wide = {}

    def widened(x, inputs, made, add):
        def converted(i, dtype):
            return add(ops.convert, (i,), (dtype, False), aval(made[i].aval.shape, dtype))
        for i in inputs:
            if i not in wide:
                wide[i] = converted(i, dtypes.float32)
        product = add(x.op, tuple([wide[i] for i in inputs]), x.params, aval(x.aval.shape, dtypes.float32))
        return converted(product, x.aval.dtype)
    return _replaced(linear, lambda x: x.op is ops.dot_general and x.aval.dtype in narrow, widened)


def spell_depthwise(linear):
    """A convolution of each feature by itself is a sum of products, one for each weight: a kernel with all around it.

    Before: y = conv(x, w, groups=features). After: y = slice(x) * broadcast(slice(w)) + ...
    """
    return _replaced(linear, lambda x: _is_depthwise(linear, x), _spelled)


def _replaced(linear, chosen, replace):
    """The Linear with other instructions for those that are chosen.

    replace(x, inputs, made, add): number of the value in x's place, made[number] being the instructions so far and
    add(op, inputs, params, aval) making one more, for x's region and line.
    """
    if not any([chosen(x) for x in linear.instructions]):
        return linear
    made, sources, place = [], [], []

    def add(op, inputs, params, of, slot=None):
        made.append(Instruction(op, inputs, params, of, slot, x.region))
        sources.append(source)
        return len(made) - 1
    for x, source in zip(linear.instructions, linear.sources):
        inputs = tuple([place[i] for i in x.inputs])
        place.append(replace(x, inputs, made, add) if chosen(x) else add(x.op, inputs, x.params, x.aval, x.slot))
    result = Linear(made, [place[i] for i in linear.outputs], [place[i] for i in linear.free])
    result.sources = sources
    return result


def _is_depthwise(linear, x):
    if x.op is not ops.conv or x.aval.dtype not in (dtypes.float32, dtypes.float64):
        return False
    (_, _, groups, feature_first), window = x.params, linear.instructions[x.inputs[1]].aval.shape
    weights = math.prod(window[2:])
    return window[0] == groups > 1 == window[1] and not feature_first and 0 < weights <= choices.DEPTHWISE_WEIGHTS


def _spelled(x, inputs, made, add):
    """Number of the sum over the weights of a depthwise convolution."""
    stride, dilation, features, _ = x.params
    shape, window, total = x.aval.shape, made[inputs[1]].aval.shape, None

    def value(op, inputs, params, shape):
        return add(op, inputs, params, aval(shape, x.aval.dtype))
    for q in itertools.product(*map(range, window[2:])):
        start = tuple([k * d for k, d in zip(q, dilation)])
        stop = tuple([a + (n - 1) * s + 1 for a, n, s in zip(start, shape[2:], stride)])
        part = value(ops.slice_, inputs[:1], ((0, 0, *start), (*shape[:2], *stop), (1, 1, *stride)), shape)
        at = (0, 0, *q), (features, 1, *[k + 1 for k in q]), (1,) * len(window)
        weight = value(ops.slice_, inputs[1:], at, (features,) + (1,) * (len(window) - 1))
        weight = value(ops.reshape, (weight,), ((features,),), (features,))
        product = value(ops.mul, (part, value(ops.broadcast, (weight,), (shape, (1,)), shape)), None, shape)
        total = product if total is None else value(ops.add, (total, product), None, shape)
    return total


def _without_dead(instructions, sources, outputs, free):
    """Drop what no output needs; leaves and scalars keep their slots."""
    alive = set(outputs)
    for index in range(len(instructions) - 1, -1, -1):
        if index in alive:
            alive.update(instructions[index].inputs)
    place, kept, kept_sources = {}, [], []
    for index, x in enumerate(instructions):
        if index in alive:
            place[index] = len(kept)
            kept.append(Instruction(x.op, tuple([place[i] for i in x.inputs]), x.params, x.aval, x.slot, x.region))
            kept_sources.append(sources[index])
    result = Linear(kept, [place[i] for i in outputs], [place[i] for i in free if i in place])
    result.sources = kept_sources
    return result
