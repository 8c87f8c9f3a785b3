"""Every threshold of the compiler in one place, each with the reason for its value."""

# A live value is kept when computing it again costs more than this many simple operations an element: about what
# storing and loading it costs.
KEEP_COST = 24

# A value with several users is computed once and shared from this cost on; below it every user computes it.
SHARE_COST = 48

# A value that is stretched this much by broadcasting is stored first if it costs more than STRETCH_COST.
STRETCH, STRETCH_COST = 8, 8

# Longest chain of operations in one kernel: more saves nothing, but compiling takes longer than linearly.
KERNEL_DEPTH = 100
KERNEL_ENTRIES = 400

# A value of a row that later passes over the row read again is kept in scratch memory from this cost on, if the
# row fits into this many bytes (half of a small second-level cache).
SCRATCH_COST, SCRATCH_BYTES = 8, 256 << 10

# A reduction to few results over much is done in PARTS parts, whose results are then combined: the number does not
# depend on the threads, so that results do not either.
# SPLIT_LANES bounds the results (times lanes, where lanes are added up) that each part has.
SPLIT_SIZE, SPLIT_LANES, PARTS = 1 << 16, 256, 64

# Columns reduced together, in vectors: so many cache lines are read in a row. More of them hide latency, but the body
# is repeated for each.
COLUMN_VECTORS = 8

# Rows of a tile in which what is read across is turned around: two cache lines of float32 along the other axis.
TILE_ROWS = 32

# Elements of a long axis that are one item of what threads share out.
BLOCK = 16384

# Work worth a thread, in estimated nanoseconds.
GRAIN_NS = 10_000

# From this many estimated nanoseconds on a program runs in the background.
ASYNC_NS = 50_000


def column_vectors(entries):
    """How many vectors of columns a kernel of so many entries takes together."""
    return COLUMN_VECTORS if entries <= 6 else COLUMN_VECTORS // 2 if entries <= 20 else COLUMN_VECTORS // 4


def recompute_cost(instruction):
    """Cost of one instruction an element, in simple operations. What touches much memory is always dear."""
    op = instruction.op
    if op.elementwise:
        return op.cost
    if op.view or op.is_constant or op.name in ('leaf', 'project'):
        return 0
    return 1000
