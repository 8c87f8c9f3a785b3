"""Programs that copy a few elements, which views pick out of what is there: x[i], a row, a small slice.

Each index is another structure, and planning a kernel for one takes as long as some twenty such copies by NumPy. Values
are copied, not computed, so that they don't depend on who does it.
"""
from ..ir import dtypes
from . import choices, memory, runtime


def program_of(found):
    """The program of a walk (see lazy.evaluate.walk) that only copies a few elements of leaves, else None."""
    steps, slots = [], iter(range(len(found.leaves)))
    for node in found.nodes:
        if node.value is not None:
            if node.aval.dtype in dtypes.NARROW_INTEGERS:            # they lie two in a byte
                return None
            steps.append((None, next(slots), (node.aval.shape, node.aval.dtype)))
        elif node.op.view:
            steps.append((node.op.numpy, node.inputs[0].mark, dict(zip(node.op.param_names, node.params))))
        else:
            return None
    results = [found.nodes[i].aval for i in found.roots]
    few = sum([of.nbytes for of in results]) <= choices.COPY_BYTES
    return Program(steps, list(found.roots), results) if few else None


class Program:
    """steps: for each value (None, slot, (shape, dtype)) of a leaf or (function, number of the operand, keywords)."""
    donated, may_fail, outdated = (), False, False

    def __init__(self, steps, nodes, results):
        self.steps, self.nodes, self.results = steps, nodes, results

    def run(self, buffers, scalars, lines, background=False):
        """Buffers of the results; at once, or in the queue where it may be and a leaf is still being computed there."""
        outs = [memory.allocate(of.nbytes) for of in self.results]
        waiting = [b.ticket for b in buffers if b.ticket is not None]

        def job():
            for ticket in waiting:
                ticket.result()
            self._copy(buffers, outs)
        if waiting and background:
            ticket = runtime.queue().submit(job, True)
            for out in outs:
                out.ticket = ticket
            return outs
        for buffer in buffers:
            if buffer.ticket is not None:
                runtime.wait(buffer)
        self._copy(buffers, outs)
        return outs

    def _copy(self, buffers, outs):
        values = []
        for function, number, rest in self.steps:
            values.append(buffers[number].array(*rest) if function is None else function(values[number], **rest))
        for out, node, of in zip(outs, self.nodes, self.results):
            out.array(of.shape, of.dtype)[...] = values[node]
