"""Every threshold of the compiler in one place, each with the reason for its value."""

# A live value is kept when computing it again costs more than this many simple operations an element: about what
# storing and loading it costs.
KEEP_COST = 24


def recompute_cost(instruction):
    """Cost of one instruction an element, in simple operations. What touches much memory is always dear."""
    op = instruction.op
    if op.elementwise:
        return op.cost
    if op.view or op.is_constant or op.name in ('leaf', 'project'):
        return 0
    return 1000
