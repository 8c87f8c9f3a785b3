"""What this machine does: nanoseconds of each launch of a program, and the limits that they are compared with.

The limits are measured once in a process, with the threads that kernels have: a kernel that reads and writes much
memory, and a matrix product as this program would run it.
"""
import functools
import time

import numpy as np

from ..ir import ops
from ..ir.graph import aval
from . import memory, plan, runtime, threads
from .program import Instruction, Linear

_COPY_BYTES = 1 << 26


def launch_times(program, buffers, scalars, lines, repeats=5):
    """The shortest time of each launch of a native program, in nanoseconds, of `repeats` runs after a first one."""
    buffers = [_copied(b) if slot in program.donated else b for slot, b in enumerate(buffers)]
    _one_run(program, buffers, scalars, lines)
    return [min(times) for times in zip(*[_one_run(program, buffers, scalars, lines) for _ in range(repeats)])]


def _copied(buffer):
    copy = memory.allocate(buffer.nbytes)
    np.copyto(copy.array((buffer.nbytes,), np.uint8), buffer.array((buffer.nbytes,), np.uint8))
    return copy


def _one_run(program, buffers, scalars, lines):
    outs, holders, pool = program.prepare(buffers, scalars)
    times = []
    for segment in program.segments:
        if type(segment) is tuple:
            records, count, getter = segment
            slots = getter(pool)
            calls = [functools.partial(plan.execute, records + k * threads.RECORD.size, 1, slots, program.work)
                     for k in range(count)]
        else:
            calls = [functools.partial(segment, holders, lines)]
        for call in calls:
            start = time.perf_counter_ns()
            call()
            times.append(time.perf_counter_ns() - start)
    return times


@functools.cache
def copy_rate():
    """Bytes read and written in a nanosecond by a kernel that does nothing else."""
    n = _COPY_BYTES // 4
    source, target = np.zeros(n, np.float32), np.empty(n, np.float32)
    run = lambda: np.copyto(target, source)
    return 2 * _COPY_BYTES / _shortest(_compiled(source, ops.neg, (0,), None) or run, 6)


@functools.cache
def product_rate():
    """Multiplications and additions in a nanosecond of a large float32 product."""
    n = 512
    a = np.ones((n, n), np.float32)
    return 2 * n ** 3 / _shortest(_compiled(a, ops.dot_general, (0, 0), ((1,), (0,), (), ())) or (lambda: a @ a), 10)


def _compiled(x, op, inputs, params):
    """A call that runs a program of one operation on x, whose result has x's shape; None where nothing is compiled."""
    if runtime.runner() is None:
        return None
    of = aval(x.shape, x.dtype)
    linear = Linear([Instruction(ops.leaf, (), None, of, 0), Instruction(op, inputs, params, of)], [1])
    linear.sources = [None, None]
    program, source = plan.Program(linear, repeated=True), memory.allocate(x.nbytes)
    source.array(x.shape, x.dtype)[...] = x
    return lambda: program.run([source], [], None)


def _shortest(run, repeats):
    times = []
    for _ in range(repeats):
        start = time.perf_counter_ns()
        run()
        times.append(time.perf_counter_ns() - start)
    return min(times)
