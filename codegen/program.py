"""From a walk to a Linear: what every target compiles.

A `Linear` is the walk without its nodes: instructions over numbered values, so that a cached program holds no
array alive. Calls are inlined; the instructions of a `fuse` body carry its region. `choose_outputs` decides which
values that the user still holds are kept.
"""
from ..ir import dtypes, ops
from ..ir.graph import aval
from . import choices


class Instruction:
    """value[i] = op(*[value[j] for j in inputs], **params): aval. A leaf's or scalar's `slot` is its number.

    A literal without a slot is a constant of the program: its params are the number's text.
    """
    __slots__ = ('op', 'inputs', 'params', 'aval', 'slot', 'region')

    def __init__(self, op, inputs, params, aval, slot=None, region=None):
        self.op, self.inputs, self.params, self.aval, self.slot, self.region = op, inputs, params, aval, slot, region

    def keywords(self):
        return dict(zip(self.op.param_names, self.params or ()))

    def __repr__(self):
        return f'{self.op.name}({", ".join(map(str, self.inputs))}) {self.params or ""}: {self.aval}'


class Linear:
    """instructions; the indices of outputs, and of leaves that may be overwritten.

    sources: for each instruction the number of the walk's node that it came from, or (number, number in the body, ...)
    where that is a call, or None. A program serves all walks of its structure, so the user's line of an instruction is
    looked up in the walk that is run (see `ir.graph.line_of`).
    before: {value: values that are computed first, since it writes over what they read}, see native.legalise.
    """
    before = {}

    def __init__(self, instructions, outputs, free=()):
        self.instructions, self.outputs, self.free = instructions, list(outputs), tuple(free)


class _Flattener:
    """Appends instructions, calls inlined, scalars numbered in the order of the walk (a `same` one by its first)."""

    def __init__(self, same):
        self.instructions, self.sources, self.leaves, self.scalars = [], [], 0, 0
        self.same, self.numbers = same, {}

    def add(self, source, op, inputs, params, of, slot=None, region=None):
        self.instructions.append(Instruction(op, inputs, params, of, slot, region))
        self.sources.append(source)
        return len(self.instructions) - 1

    def node(self, source, node, inputs, region=None):
        """Index of a node's value, or a tuple of them for one with several results."""
        op = node.op
        if node.value is not None:
            self.leaves += 1
            return self.add(source, ops.leaf, (), None, node.aval, self.leaves - 1)
        if op is ops.literal:
            number = self.same[self.scalars] if self.same else self.scalars
            self.scalars += 1
            slot = self.numbers.setdefault((number, node.aval.dtype), self.scalars - 1)
            return self.add(source, op, (), None, node.aval, slot)
        if op is ops.call:
            return self.call(source, node, inputs, region)
        if op is ops.project:
            return self.project(source, node, inputs[0], region)
        if isinstance(node.aval, tuple):
            of = aval((ops.packed_offsets(node.aval)[-1],), dtypes.uint8)
            return self.add(source, ops.packed, tuple(inputs), (op, node.params), of, None, region)
        return self.add(source, op, tuple(inputs), node.params, node.aval, None, region)

    def project(self, source, node, values, region):
        """One of several results: of a call a value; of another operation a part of the bytes that hold them all."""
        index, = node.params
        if type(values) is tuple:
            return values[index]
        offset = ops.packed_offsets(node.inputs[0].aval)[index]
        params = (offset, node.aval.shape, node.aval.dtype)
        return self.add(source, ops.unpack, (values,), params, node.aval, None, region)

    def call(self, source, node, inputs, region):
        body, kind, options = node.params
        if kind in ('fuse', 'checkpoint'):
            region = Region(kind, options, node.line, region)
        values = {p.serial: i for p, i in zip(body.inputs, inputs)}
        path = source if type(source) is tuple else (source,)
        for number, inner in enumerate(body.nodes()):
            if inner.serial not in values:
                inner_inputs = [values[c.serial] for c in inner.inputs]
                values[inner.serial] = self.node((*path, number), inner, inner_inputs, region)
        return tuple([values[out.serial] for out in body.outputs])


class Region:
    """Where a `fuse` or `checkpoint` body was inlined: its options, the user's line, the region around it."""
    __slots__ = ('kind', 'options', 'line', 'outer')

    def __init__(self, kind, options, line, outer):
        self.kind, self.options, self.line, self.outer = kind, options, line, outer

    def option(self, name, default=None):
        return next((value for key, value in self.options or () if key == name), default)


def fused(region, dissolved=()):
    """The outermost `fuse` region that isn't `dissolved` around an instruction of `region`, or None."""
    found = None
    while region is not None:
        if region.kind == 'fuse' and region not in dissolved:
            found = region
        region = region.outer
    return found


def from_walk(found):
    """(Linear, node indices of its outputs) of a walk (see lazy.evaluate), kept outputs included."""
    flat, place = _Flattener(found.same), []
    for number, node in enumerate(found.nodes):
        inputs = [place[child.mark] for child in node.inputs] if node.value is None else ()
        place.append(flat.node(number, node, inputs))
    live = {place[i]: i for i in found.live if type(place[i]) is int and not isinstance(found.nodes[i].aval, tuple)}
    roots = [place[i] for i in found.roots]
    free = [place[i] for i in found.free]
    outputs = choose_outputs(flat.instructions, roots, live, free)
    linear = Linear(flat.instructions, outputs, _overwritable(flat.instructions, free, live, outputs))
    linear.sources = flat.sources
    return linear, list(found.roots) + [live[i] for i in outputs[len(roots):]]


def choose_outputs(instructions, roots, live, free=()):
    """The roots, and those live values that are worth keeping.

    A live value is kept where computing it again from leaves and other outputs would be dear, or where it needs a leaf
    that nobody else holds: keeping the value then takes the place of keeping the leaf, and the next program starts
    from it. (The state of an optimizer is such a case: without this it would be computed anew from the first step.)
    Scalars are kept anyway: a counter must not become a chain of additions.
    """
    outputs, chosen, free = list(roots), set(roots), set(free)
    cost, holds = [0.0] * len(instructions), [False] * len(instructions)
    for index, instruction in enumerate(instructions):
        inputs = set(instruction.inputs)
        cost[index] = sum([cost[i] for i in inputs], float(choices.recompute_cost(instruction)))    # inf at most
        holds[index] = index in free or any([holds[i] for i in inputs])
        if index not in chosen and index in live and instruction.op is not ops.leaf \
                and (holds[index] or cost[index] > choices.KEEP_COST or instruction.aval.size == 1 and cost[index]):
            outputs.append(index)
            chosen.add(index)
        if index in chosen:
            cost[index], holds[index] = 0.0, False
    return outputs


def _overwritable(instructions, free, live, outputs):
    """Leaves that nobody else holds, and that no live value which isn't kept would need again."""
    needed = set(live) - set(outputs)
    for index in range(len(instructions) - 1, -1, -1):
        if index in needed:
            needed.update(instructions[index].inputs)
    return [i for i in free if i not in needed]
