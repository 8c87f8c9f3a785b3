"""Graph to kernels to launches: simplify, schedule, plan, one file per target, cache, runtime."""
import functools
import warnings

from ..ir.errors import FusionError, FusionWarning
from ..ir.graph import line_of, where


def compile_program(found, target, repeated=False):
    """The program for a walk (see lazy.evaluate.walk) on a target, one of lazy.config.TARGETS. repeated: it takes the
    place of one that was outdated, having run a few times.

    Raises FusionError where a `fuse` region can't be one kernel; warns once for each that may be split.
    """
    from . import nibbles, program, regions
    linear, nodes = program.from_walk(found)
    linear = nibbles.pack_arrays(linear)
    try:
        if target == 'native' and _native_works():
            from .plan import Program
            result = Program(linear, repeated)
        elif target == 'cuda':
            from .cuda_program import Program, default_device
            result = Program(linear, default_device())
        elif target == 'triton-interpreter':
            from .triton_plan import InterpretedProgram
            result = InterpretedProgram(linear)
        else:
            from .reference import Program
            from .simplify import simplify
            result = Program(simplify(linear))
    except regions.Refused as refused:
        raise FusionError(refused.refusal.message(lambda source: where(line_of(found.nodes, source)))) from None
    for refusal in result.refusals:
        _warn_once(refusal, found.nodes)
    result.nodes = nodes
    return result


_warned = set()                        # regions, by line, whose splitting has been told


def _warn_once(refusal, nodes):
    key = refusal.region.line, refusal.region.option('derived')
    if key not in _warned:
        _warned.add(key)
        file, _, number = where(refusal.region.line).rpartition(':')
        message = refusal.message(lambda source: where(line_of(nodes, source)))
        warnings.warn_explicit(message, FusionWarning, file or '<unknown>', int(number or 0))


@functools.cache
def _native_works():
    """Whether native code can be run here; said once where it can't."""
    from . import runtime, threads
    if runtime.runner() is not None:
        return True
    warnings.warn(f'lazy computes with NumPy, one operation at a time: {threads.unavailable_reason()}', RuntimeWarning,
                  stacklevel=2)
    return False
