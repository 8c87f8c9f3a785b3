"""Programs: what a walk compiles to, for every target.

A `Linear` is the walk without its nodes: instructions over numbered values, so that a cached program holds no
array alive. `choose_outputs` decides which values that the user still holds are kept.
"""
from ..ir import ops
from . import choices


class Instruction:
    """value[i] = op(*[value[j] for j in inputs], **params): aval. A leaf's or scalar's `slot` is its number."""
    __slots__ = ('op', 'inputs', 'params', 'aval', 'slot')

    def __init__(self, op, inputs, params, aval, slot=None):
        self.op, self.inputs, self.params, self.aval, self.slot = op, inputs, params, aval, slot

    def keywords(self):
        return dict(zip(self.op.param_names, self.params or ()))

    def __repr__(self):
        return f'{self.op.name}({", ".join(map(str, self.inputs))}) {self.params or ""}: {self.aval}'


class Linear:
    """instructions, indices of the leaves in order, of the outputs; indices that may be overwritten."""

    def __init__(self, instructions, leaves, scalars, outputs, free=()):
        self.instructions, self.leaves, self.scalars = instructions, leaves, scalars
        self.outputs, self.free = list(outputs), free


def from_walk(found):
    """The Linear of a walk (see lazy.evaluate), kept outputs included."""
    instructions, leaves, scalars = [], [], []
    for index, node in enumerate(found.nodes):
        if node.value is not None:
            instructions.append(Instruction(ops.leaf, (), None, node.aval, len(leaves)))
            leaves.append(index)
        elif node.op is ops.literal:
            instructions.append(Instruction(ops.literal, (), None, node.aval, len(scalars)))
            scalars.append(index)
        else:
            inputs = tuple([child.mark for child in node.inputs])
            instructions.append(Instruction(node.op, inputs, node.params, node.aval))
    outputs = choose_outputs(instructions, found.roots, found.live)
    return Linear(instructions, leaves, scalars, outputs, _overwritable(instructions, found, outputs))


def choose_outputs(instructions, roots, live):
    """The roots, and those live values that would be dear to compute again from leaves and other outputs."""
    outputs, live = list(roots), set(live)
    cost = [0.0] * len(instructions)
    for index, instruction in enumerate(instructions):
        cost[index] = choices.recompute_cost(instruction) + sum(cost[i] for i in set(instruction.inputs))
        if index in live and cost[index] > choices.KEEP_COST and not isinstance(instruction.aval, tuple):
            outputs.append(index)
            cost[index] = 0.0
    return outputs


def _overwritable(instructions, found, outputs):
    """Leaves that nobody else holds, and that no live value which isn't kept would need again."""
    needed = set(found.live) - set(outputs)
    for index in range(len(instructions) - 1, -1, -1):
        if index in needed:
            needed.update(instructions[index].inputs)
    return tuple([i for i in found.free if i not in needed])
