"""Graph to kernels to launches: simplify, schedule, plan, one file per target, cache, runtime."""


def compile_program(found, target):
    """The program for a walk (see lazy.evaluate.walk) on a target, 'native' or 'numpy'."""
    from . import program
    linear, nodes = program.from_walk(found)
    if target == 'native' and _native_works():
        from .plan import Program
        result = Program(linear)
    else:
        from .reference import Program
        from .simplify import simplify
        result = Program(simplify(linear))
    result.nodes = nodes
    return result


def _native_works():
    """Whether native code can be run here; said once where it can't."""
    from . import runtime, threads
    if runtime.runner() is not None:
        return True
    import warnings
    warnings.warn(f'lazy computes with NumPy, one operation at a time: {threads.unavailable_reason()}', RuntimeWarning,
                  stacklevel=2)
    return False
