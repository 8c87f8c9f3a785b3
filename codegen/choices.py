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

# How many of the latest steps a root may join: bounds the time that scheduling takes.
LOOKBACK = 64

# A value of a row that later passes over the row read again is kept in scratch memory from this cost on, if the
# row fits into this many bytes (half of a small second-level cache).
SCRATCH_COST, SCRATCH_BYTES = 8, 256 << 10

# A reduction to few results over much is done in PARTS parts, whose results are then combined: the number does not
# depend on the threads, so that results do not either.
# SPLIT_LANES bounds the results (times lanes, where lanes are added up) that each part has.
# SCAN_LANES is that bound for scans.
SPLIT_SIZE, SPLIT_LANES, PARTS, SPLIT_ALONE, SCAN_LANES = 1 << 16, 256, 64, 1 << 18, 64

# Columns of so many rows that lie in memory are split as well, and each part goes through its rows from end to end,
# with what is carried for ROW_VECTORS vectors in the first-level cache. The sum of squares of 4096 x 4096 float32 over
# the leading axis takes 1.1 ms so, and 1.6 where 256 columns after the other are added up in registers.
SPLIT_ROWS, ROW_VECTORS = 1024, 256

# Columns reduced together, in vectors: so many cache lines are read in a row. More of them hide latency, but the body
# is repeated for each. Twice as many for what comes from memory.
COLUMN_VECTORS = 8

# A search splits what is left not in the middle but a (1 << SEARCH_SHIFT)th of the half before: the middles of a power
# of two are such powers apart, which compete for a few places of a cache. 1 M queries in 1 << 20 float32 take 17 ms so,
# and 69 ms with the middle.
SEARCH_SHIFT = 6

# A scatter is done in parts that have this many times as many elements as their copies of its target: SCATTER_COPIES of
# one of SCATTER_COPIED_BYTES at most, for where there are many more places neighbours rarely meet in one.
SCATTER_SHARE, SCATTER_COPIES, SCATTER_COPIED_BYTES = 16, 4, 1 << 13

# How far ahead reductions of STREAM_BYTES ask for data. Processors look ahead too little for one sequence of loads: the
# sum of squares of 4096 x 4096 float32 along rows takes 1.2 ms with this and 2.9 without, along columns 1.6 and 2.0.
PREFETCH_BYTES, PREFETCH_ROWS = 4096, 16
PREFETCH_IN_A_ROW = 8192

# A kernel that reads and writes this many bytes in a row writes past the caches: little of it would still be there when
# it is read, and lines need not be read before they are written. Measured with 32 MiB of third-level cache, an exp of
# 2 M float32 and one more pass over it: 0.65 ms past the caches, 1.1 ms through them; of 1 M float32 0.29 and 0.19 ms.
# Where rows don't begin with a cache line, both ends of a row go through the caches: not worth it for short ones.
STREAM_BYTES, STREAM_ROW_BYTES = 12 << 20, 2048

# Rows of a tile in which what is read across is turned around: two cache lines of float32 along the other axis.
TILE_ROWS = 32

# A last axis of so few elements beside one of so many is no axis for vectors. Rows of 1 M float32 times a row: with 3
# columns 2.4 ms along rows, and 0.4 across them; with 8 columns 3.2 and 2.1.
SHORT_AXIS, LONG_AXIS = 8, 256

# Elements of a long axis that are one item of what threads share out.
BLOCK = 16384

# Work worth a thread, in estimated nanoseconds.
GRAIN_NS = 20_000

# After so many runs a program is worth compiling matrix products for, which takes 60 to 80 ms once on a machine.
PROVISIONAL_RUNS = 2

# Up to so many bytes of a result that only copies elements are copied by NumPy.
COPY_BYTES = 1 << 14

# From this many estimated nanoseconds on native code gives other Python threads the chance to run.
RELEASE_NS = 50_000

# From this many estimated nanoseconds on a program runs in the background: to hand it over, and to take it back when it
# is waited for at once, was measured to take 6 to 40 microseconds, since the thread that is woken wants Python's lock.
ASYNC_NS = 500_000

# Memory that programs in the queue may hold before who submits another waits for the first of them: a training loop
# that never looks at a result would run ahead until memory is full. Each counts as QUEUED_BYTES at least.
IN_FLIGHT_BYTES, QUEUED_BYTES = 256 << 20, 1 << 17

# Up to this many estimated nanoseconds who waits for a queued program runs it: Ctrl-C takes effect when it ends.
SHORT_NS = 50_000_000


def in_parts(height, results, columns, nbytes):
    """Whether a reduction of `height` elements to each of so many results is done in parts. columns: the last axis is
    kept; nbytes: what it reads."""
    if height * results < SPLIT_SIZE or height < 4 * PARTS:
        return False
    return (results if columns else 16 * results) <= SPLIT_LANES or (
        columns and height >= SPLIT_ROWS and nbytes >= STREAM_BYTES)


def scan_in_parts(height, results, columns):
    """Whether scans of `height` elements to each of so many results are done in parts: what they accumulate is then
    read twice, so that few rows or columns, of which threads can't take one each, are worth it."""
    lanes = results if columns else 16 * results
    return height * results >= SPLIT_SIZE and height >= 4 * PARTS and lanes <= SCAN_LANES


def scatter_parts(n, row, size, nbytes):
    """(number of parts, copies of the target for each) of n rows that are scattered into a target of so many elements:
    (1, 1) where the copies would not be small beside what is scattered."""
    copies = SCATTER_COPIES if nbytes <= SCATTER_COPIED_BYTES else 1
    parts = min(PARTS, n * row // (SCATTER_SHARE * copies * size))
    return (parts, copies) if n * row >= SPLIT_SIZE // 4 and parts >= 2 else (1, 1)


def parts_first(height, results, columns, nbytes):
    """Whether what uses such a reduction is no reason to leave it in one piece: so much to so few results that one
    thread would do nearly all. A softmax of 16 rows of 4096 is one kernel, the mean of 1000 x 1000 is parts and what
    follows."""
    return height * results >= SPLIT_ALONE and (columns or results <= 4) and in_parts(height, results, columns, nbytes)


def column_vectors(entries, far):
    """How many vectors of columns a kernel of so many entries takes together; far: what it reads is in no cache."""
    return (COLUMN_VECTORS if entries <= 12 else COLUMN_VECTORS // 2) * (2 if far else 1)


def vectors_together(entries, cost, elements):
    """How many vectors an elementwise kernel of so many entries computes side by side: where the chain of dependent
    instructions is long, and the work is worth compiling the body that often. Black-Scholes over 4 M float32 takes
    4.7 ms with one, 3.7 with two, 3.3 with four; to compile it 20, 25 and 57 ms."""
    if cost < 24 or elements < 1 << 18:
        return 1
    return 4 if entries <= 48 else 2


# --- GPU ---------------------------------------------------------------------------------------------------------
# Figures are for Hopper (132 processors); every block is a power of two.

# Elements of a program that computes elementwise: 4 warps with two 16-byte accesses a thread of float32, one of
# bfloat16. 8-bit types take more so that a thread's access stays 16 bytes wide.
GPU_BLOCK, GPU_WARPS = 1024, 4

# Side of a square tile where an array is read across: 128 bytes along both axes.
GPU_TILE_BYTES = 128

# Longest row that one program holds as a whole: with one pass a loop is as fast and takes fewer registers; with
# several, reading the row once saves a pass over memory. Elements times distinct loads.
GPU_ROW_ONE_PASS, GPU_ROW_PASSES = 2048, 16384

# Block in which longer rows are gone through, and elements a thread gets before a program takes more warps.
GPU_ROW_BLOCK, GPU_ELEMENTS_PER_THREAD, GPU_MAX_WARPS = 2048, 8, 16

# Columns: lanes of a block (a 128-byte line or two), elements of a block, longest column held as a whole.
GPU_COLUMN_LANES, GPU_COLUMN_BLOCK, GPU_COLUMN_RESIDENT = 64, 2048, 64

# A reduction is split where it has fewer programs than fill the machine, each with so many elements that a second
# launch (2 us) costs less than waiting for it. Parts are added for about GPU_PROGRAMS programs; their number depends
# on sizes only, so that results repeat.
GPU_PROGRAMS, GPU_SPLIT_WORK, GPU_MAX_PARTS = 512, 65536, 512

# A scan along rows is one program a row: so many of them, or so short ones. Else it is a library's, which cuts rows.
GPU_SCAN_LENGTH, GPU_SCAN_ROWS = 1 << 14, 128
# A convolution of each feature by itself with up to so many weights is spelt out as a sum of products.
DEPTHWISE_WEIGHTS = 32

# Bytes after an array that may be read and overwritten: up to 15 elements of 8 bytes, when a size is rounded up to
# 16 elements so that accesses stay 16 bytes wide.
GPU_PADDING = 128


def recompute_cost(instruction):
    """Cost of one instruction an element, in simple operations. What touches much memory is always dear."""
    op = instruction.op
    if op.elementwise:
        return op.cost
    if op.view or op.is_constant or op.name in ('leaf', 'project', 'unpack_nibbles', 'pack_nibbles'):
        return 0
    return 1000
