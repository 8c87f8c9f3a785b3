"""The numpy target: every operation, one by one. The reference of the others, and the fallback."""
import numpy as np

from ..ir import ops
from ..ir.graph import where
from . import regions
from .complexes import split
from .memory import ALIGNMENT, Buffer, allocate
from .runtime import wait


class Program:
    """Evaluates a Linear instruction by instruction with the operations' NumPy functions."""
    donated, may_fail, outdated = (), True, False

    def __init__(self, linear):
        self.refusals = regions.schedule(split(linear), _everything)[1] if regions.has_regions(linear) else ()
        self.linear, self.outputs = linear, linear.outputs         # compile_program sets `nodes`: whose values they are
        last = {}
        for index, instruction in enumerate(linear.instructions):
            for i in instruction.inputs:
                last[i] = index
        self.dies, kept = {}, set(linear.outputs)
        for i, index in last.items():
            if i not in kept:
                self.dies.setdefault(index, []).append(i)

    def run(self, buffers, scalars, lines, background=False):
        """Buffers of the outputs from buffers of the leaves and the values of the literals."""
        for buffer in buffers:
            if buffer.ticket is not None:
                wait(buffer)
        values = run_linear(self.linear, buffers, scalars, self.dies, lines)
        return [to_buffer(values[i]) for i in self.outputs]


def _everything(x, instructions):
    """What the schedule of the native target could compute itself: here only `fuse` is checked by it."""
    return True


def run_linear(linear, buffers, scalars, dies, lines):
    """Values of the instructions whose life hasn't ended. An error says which of the user's lines it belongs to."""
    instructions = linear.instructions
    values = [None] * len(instructions)
    with np.errstate(all='ignore'):
        for index, instruction in enumerate(instructions):
            if instruction.op is ops.leaf:
                a = instruction.aval
                values[index] = buffers[instruction.slot].array(a.shape, a.dtype)
            elif instruction.op is ops.literal:
                value = float(instruction.params[0]) if instruction.slot is None else scalars[instruction.slot]
                values[index] = np.asarray(value).astype(instruction.aval.dtype)
            else:
                try:
                    values[index] = evaluate(instruction.op, [values[i] for i in instruction.inputs],
                                             instruction.keywords(), instruction.aval)
                except (ArithmeticError, ValueError, IndexError) as error:
                    raise at_line(error, linear.sources[index], lines) from None
            for i in dies.get(index, ()):
                values[i] = None
    return values


def at_line(error, source, lines):
    """The error with the user's line of the operation in its message, once where a loop at that line passes it on."""
    place = where(lines(source)) if source is not None else ''
    return type(error)(f'{error} (operation written at {place})') if place and place not in str(error) else error


def evaluate(op, arguments, keywords, aval):
    """One operation on NumPy arrays."""
    result = op.numpy(*arguments, **keywords)
    if isinstance(aval, tuple):
        return result
    result = np.asarray(result)
    if result.dtype != aval.dtype:                        # ml_dtypes and scalars may compute wider
        result = result.astype(aval.dtype)
    return result


def to_buffer(array):
    """A buffer with an array's values: the array's own memory where that is aligned, as kernels want it."""
    buffer = Buffer.from_array(np.array(array, order='C', copy=None))
    if buffer.address % ALIGNMENT == 0:
        return buffer
    aligned = allocate(array.nbytes)
    np.copyto(aligned.array(array.shape, array.dtype), array)
    return aligned
