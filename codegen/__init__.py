"""Graph to kernels to launches: simplify, schedule, plan, one file per target, cache, runtime."""


def compile_program(found, target):
    """The program for a walk (see lazy.evaluate.walk) on a target, 'native' or 'numpy'."""
    from . import program, reference
    linear = program.from_walk(found)
    return reference.Program(linear)
