"""Scheduling: which values are stored, and which are computed together in one kernel.

Roots are the values that must or should exist on their own: outputs, operands of libraries, reductions, dear values
with several users. Everything else is inlined into the roots that use it. Roots are placed, in topological order, in
the first step that may hold them: the list of steps is an execution order, and a root is placed no earlier than what
it depends on, so every step stays convex.

Before: m = max(x, 1); e = exp(x - m); s = sum(e, 1); y = e / s, four roots. After: one step over (rows, columns) that
stores y.
"""
import math

from ..ir import ops
from . import choices, index
from .complexes import is_part, PARTS
from .program import fused

ASSEMBLED = {ops.concatenate, ops.slice_update, ops.complex_}
SCATTERS = {ops.scatter, ops.scatter_at}
UPDATES = {ops.slice_update, *SCATTERS}
IN_ONE_PIECE = {ops.argmax, ops.argmin, ops.complex_prod}           # reductions that are not done in parts


class Step:
    """A kernel in the making (kind 'kernel'), a library call, or an assembled value ('library', 'assemble').

    sizes: iteration axes; reduced: those that are reduced, or gone along by scans; where: root -> index map of its
    store; roots in order.
    region: what `fuse` made this kernel for.
    """

    def __init__(self, kind, sizes=(), reduced=frozenset()):
        self.kind, self.sizes, self.reduced = kind, tuple(sizes), reduced
        self.roots, self.where, self.source, self.reads, self.memory, self.entries = [], {}, {}, set(), set(), 0
        self.region = None


class Schedule:
    """steps in order; placed: root -> number of its step; stored: roots that are needed outside of their step.

    extra_roots: reshapes that no index map describes, and numbers of 4 bits in bytes, with the reason; their operands
    are stored, and they share that memory.

    region: for each instruction the `fuse` region that it belongs to, but for `dissolved` ones. A region has one step
    of its own if anything allows it: thresholds don't count inside of it, and of its neighbours only those join that
    leave its loops as they are. `regions` checks the outcome.
    """

    def __init__(self, linear, supports, dissolved=()):
        self.linear, self.supports = linear, supports
        self.instructions = linear.instructions
        self.region = [fused(x.region, dissolved) for x in linear.instructions]
        self.extra_roots = {i: 'bytes with two numbers in each' for i, x in enumerate(self.instructions)
                            if x.op is ops.unpack_nibbles}
        while True:
            try:
                self._build()
                return
            except _Store as error:
                self.extra_roots[error.value] = error.reason

    def _build(self):
        self._count_uses()
        self._find_roots()
        self.steps, self.placed, self.homes = [], {}, {}
        waiting = []
        for i in range(len(self.instructions)):
            if i in self.roots:
                waiting.append(i)
                for j in [j for j in waiting if not self._waits(j)]:
                    waiting.remove(j)
                    self._place(j)
        self._find_stored()

    def _waits(self, i):
        """Whether i is the new part of an array that has no place yet, or is still to be read: that comes first."""
        return any([j not in self.placed for j in self.linear.before.get(i, ())]) or any(
            [x.inputs[0] not in self.placed for x in self._updates_by(i)])

    def _updates_by(self, i):
        """The updates of which i is the new part, or the real or imaginary part of that."""
        for user in self.users[i]:
            x = self.instructions[user]
            if x.op is ops.complex_:
                yield from self._updates_by(user)
            elif x.op is ops.slice_update and x.inputs[1] == i and x.inputs[0] != i:
                yield x

    # --- roots ------------------------------------------------------------------------------------------------

    def _count_uses(self):
        self.users = [[] for _ in self.instructions]
        for i, x in enumerate(self.instructions):
            for j in set(x.inputs):
                self.users[j].append(i)

    def is_library(self, i):
        """Whether an instruction is run by a library, on stored operands."""
        x = self.instructions[i]
        if x.op in PARTS or x.op in ASSEMBLED or x.op is ops.broadcast:    # of a complex literal: see is_repeated
            return False
        return x.op.library or x.op in SCATTERS or not self.supports(x, self.instructions)

    def is_assembled(self, i):
        """Whether a value needs no kernel: its parts are written into it, or it is a reshape or a part of a stored value."""
        return self.instructions[i].op in ASSEMBLED or i in self.extra_roots or is_part(i, self.instructions)

    def _find_roots(self):
        roots, why, self.read_twice = set(self.extra_roots), dict(self.extra_roots), set()
        depth, cost = [0] * len(self.instructions), [0.0] * len(self.instructions)
        size = [1] * len(self.instructions)
        self.library = [x.op not in (ops.leaf, ops.literal) and self.is_library(i)
                        for i, x in enumerate(self.instructions)]

        def root(i, reason):
            if self.instructions[i].op is not ops.literal:
                roots.add(i)
                why.setdefault(i, reason)
        for i in self.linear.outputs:
            root(i, 'output')
        for readers in self.linear.before.values():
            for i in readers:
                root(i, 'read from an array that is updated in place')
        for i, x in enumerate(self.instructions):
            if x.op is ops.leaf:
                roots.add(i)
            elif self.library[i]:
                root(i, x.op.name)
                for j in x.inputs:
                    if not is_repeated(x, j, self.instructions):
                        root(j, 'operand of a product' if x.op is ops.dot_general else 'operand of a library')
            elif x.op in ASSEMBLED:
                root(i, x.op.name)
                for j in x.inputs:
                    root(j, 'part of a complex value' if x.op is ops.complex_ else 'part of an array that is put together')
            elif i in self.extra_roots:
                root(x.inputs[0], self.extra_roots[i])
            elif is_part(i, self.instructions):
                root(i, 'part of a complex value')
            elif x.op.reduction:
                root(i, 'reduction')
            elif x.op.scan:
                root(i, 'cumulative operation')
                if self.region[i] is None and cost[x.inputs[0]] > choices.SHARE_COST and self._reads_twice(x):
                    root(x.inputs[0], 'dear, and read twice by a scan in parts')
                    self.read_twice.add(x.inputs[0])
            elif x.op in (ops.gather, ops.searchsorted):
                root(x.inputs[0], 'source of a gather' if x.op is ops.gather else 'table of a search')
            elif x.op is ops.fusion_barrier:
                root(i, 'fusion_barrier')
            region = self.region[i]
            if region is not None and any(self.region[user] is not region for user in self.users[i]):
                root(i, 'result of a fused function')
            for j in x.inputs:
                self._stretched(i, j, cost, root)
            depth[i] = 1 + max([depth[j] for j in x.inputs], default=0)
            cost[i] = sum([cost[j] for j in set(x.inputs)], float(choices.recompute_cost(x)))
            size[i] = 1 + sum([size[j] for j in set(x.inputs)])
            if i not in roots and region is None and len(self.users[i]) > 1 and cost[i] > choices.SHARE_COST:
                root(i, 'dear and used more than once')
            if i not in roots and region is None and depth[i] > choices.KERNEL_DEPTH and x.op.elementwise:
                root(i, 'chain of operations is long enough')
            if i not in roots and region is None and size[i] > choices.KERNEL_ENTRIES // 2 and x.op.elementwise:
                root(i, 'enough operations for a kernel')
            if i in roots:
                depth[i], cost[i], size[i] = 0, 0.0, 1
        self.roots, self.why = roots, why

    def _reads_twice(self, x):
        """Whether a scan is done in parts, of which the totals are computed first."""
        n, axis = x.aval.shape[x.params[0]], x.params[0]
        return choices.scan_in_parts(n, x.aval.size // max(n, 1), axis < len(x.aval.shape) - 1)

    def _stretched(self, i, j, cost, root):
        """A dear value that broadcasting repeats often is computed once."""
        x, y = self.instructions[i], self.instructions[j]
        while y.op.view:
            j = y.inputs[0]
            y = self.instructions[j]
        if self.region[j] is not None and self.region[j] is self.region[i]:
            return
        if y.op.elementwise and 1 < y.aval.size and y.aval.size * choices.STRETCH <= x.aval.size \
                and cost[j] > choices.STRETCH_COST and x.op.elementwise:
            root(j, 'dear and repeated by broadcasting')

    # --- placing ----------------------------------------------------------------------------------------------

    def _place(self, i):
        x = self.instructions[i]
        if x.op is ops.leaf:
            self.placed[i] = -1
        elif is_part(i, self.instructions):
            self.placed[i] = self.placed[x.inputs[0]]
        elif self.library[i] or self.is_assembled(i):
            step = Step('library' if self.library[i] else 'assemble')
            step.roots.append(i)
            self._append(step, i)
        else:
            self._place_in_kernel(i, x)

    def _append(self, step, i):
        self.steps.append(step)
        self.placed[i] = len(self.steps) - 1

    def _place_in_kernel(self, i, x):
        shape = self.instructions[x.inputs[0] if x.op.reduction else i].aval.shape
        cone = self.cone(i, shape)
        cones, region = [cone, *self._turned(i, x, shape, cone)], self.region[i]
        if region is not None and region not in self.homes:
            self._open(region)
        earliest = self._earliest(i, cone)
        best, best_score = None, 0
        for number in range(max(earliest, len(self.steps) - choices.LOOKBACK, 0), len(self.steps)):
            for each in cones:
                score = self._score(self.steps[number], number, i, each)
                if score > best_score:
                    best, best_score, cone = number, score, each
        if best is None:
            step = Step('kernel', cone.sizes, cone.reduced)
            step.region = region
            self._append(step, i)
            self._join(step, i, cone, cone.where_out(x))
        else:
            step = self.steps[best]
            self.placed[i] = best
            where = self._where_in(step, i, cone)
            step.reduced = step.reduced or cone.reduced
            self._join(step, i, cone, where)

    def _turned(self, i, x, shape, cone):
        """The cone with the loops of a scan that it reads and that goes backwards, if there is one."""
        if x.op.scan or x.op in (ops.argmax, ops.argmin):            # whose order matters
            return []
        for dep, _ in cone.reads:
            where = self.steps[self.placed[dep]].where.get(dep) if self.placed[dep] >= 0 else None
            if where and self.instructions[dep].aval.shape == shape:
                for axis, (_, coefficients, _) in enumerate(where):
                    if any(c < 0 for c in coefficients):
                        return [self.cone(i, shape, axis)]
        return []

    def _open(self, region):
        """The step of a region, for the loops of its largest reduction, or else of its largest root."""
        best, key = None, (False, -1)
        for i in sorted(self.roots):
            x = self.instructions[i]
            if self.region[i] is region and not self.library[i] and not self.is_assembled(i):
                cone = self.cone(i, self.instructions[x.inputs[0]].aval.shape if x.op.reduction else x.aval.shape)
                size = math.prod(cone.sizes)
                if (bool(cone.reduced), size) > key:
                    best, key = Step('kernel', cone.sizes, cone.reduced), (bool(cone.reduced), size)
        best.region = region
        self.steps.append(best)
        self.homes[region] = len(self.steps) - 1

    def _join(self, step, i, cone, where):
        step.roots.append(i)
        step.where[i], step.source[i] = where, cone.start
        step.reads.update([d for d, _ in cone.reads])
        step.memory.update([self._memory(d) for d, _ in cone.reads])
        step.entries += cone.entries

    def _earliest(self, i, cone):
        """First step in which i may stand: that of its dependencies where they may share one, else the next."""
        earliest = 0
        for dep, where in cone.reads:
            placed = self.placed[dep]
            step = self.steps[placed] if placed >= 0 else None
            together = step is not None and step.kind == 'kernel' and not self._barred(dep, i)
            earliest = max(earliest, placed if together else placed + 1)
        for before in self._must_follow(i):
            earliest = max(earliest, self.placed[before] + 1)
        return earliest

    def _must_follow(self, i):
        """The part of an updated array is written after the array itself, and after what is read from that before."""
        yield from self.linear.before.get(i, ())
        for x in self._updates_by(i):
            if self.placed.get(x.inputs[0], -1) >= 0:
                yield x.inputs[0]

    def _barred(self, dep, i):
        """Whether a value must be complete before root i uses it; a region's root can't wait for parts."""
        twice = dep in self.read_twice and self.instructions[i].op.scan
        return self.instructions[dep].op is ops.fusion_barrier or self.region[i] is None and (
            twice or self.comes_in_parts(dep))

    def comes_in_parts(self, i):
        """Whether a root reduces much data to few results: parts of it are computed side by side, and combined."""
        step = self.steps[self.placed[i]] if self.placed[i] >= 0 else None
        if step is None or not step.reduced or not self.instructions[i].op.reduction:
            return False
        if any(self.instructions[j].op in IN_ONE_PIECE for j in step.roots):
            return False
        height = math.prod([step.sizes[axis] for axis in step.reduced])
        columns = max([axis for axis, n in enumerate(step.sizes) if n != 1], default=0) not in step.reduced
        nbytes = sum([self.instructions[j].aval.nbytes for j in step.reads])
        return choices.parts_first(height, math.prod(step.sizes) // max(height, 1), columns, nbytes)

    def _score(self, step, number, i, cone):
        """Bytes saved by putting root i in a step; 0 where it can't be there. A region's own roots save one more."""
        region = self.region[i]
        if step.kind != 'kernel' or not self._welcome(step, region, cone):
            return 0
        if self._where_in(step, i, cone) is None:
            return 0
        saved = int(region is not None)
        for dep, where in cone.reads:
            if self.placed[dep] == number:
                if not self._aligned(step, dep, where, cone) or self._barred(dep, i):
                    return 0
                saved += 2 * self.instructions[dep].aval.nbytes + 1
            elif self.placed[dep] > number:
                return 0
            elif self._memory(dep) in step.memory:
                saved += self.instructions[dep].aval.nbytes
        if any([self._other_part(user, i) in step.roots for user in self.users[i]]):    # both parts of a complex value
            saved += self.instructions[i].aval.nbytes
        for before in self._must_follow(i):
            if self.placed[before] >= number:
                return 0
        return saved

    def _memory(self, i):
        """The value in whose memory a root's lies."""
        return self.instructions[i].inputs[0] if self.instructions[i].op in PARTS else i

    def _other_part(self, user, i):
        """The imaginary part for the real one, and the other way round; None where i is none of them."""
        x = self.instructions[user]
        return x.inputs[x.inputs[0] == i] if x.op is ops.complex_ else None

    def _welcome(self, step, region, cone):
        """Whether a root may join as far as regions and limits are concerned."""
        if region is not None:
            return step.region is region
        return step.entries + cone.entries <= choices.KERNEL_ENTRIES and not (
            step.region is not None and cone.reduced and not step.reduced)

    def _where_in(self, step, i, cone):
        """Index map of root i's store in a step's axes, None where it has no place there."""
        x = self.instructions[i]
        if cone.sizes == step.sizes:
            if cone.reduced and step.reduced and step.reduced != cone.reduced:
                return None
            return cone.where_out(x)
        if not cone.reduced and step.reduced:
            rows = [axis for axis in range(len(step.sizes)) if axis not in step.reduced and step.sizes[axis] != 1]
            big = [n for n in x.aval.shape if n != 1]
            if big == [step.sizes[axis] for axis in rows] and tuple(cone.sizes) == x.aval.shape:
                return row_map(x.aval.shape, rows, len(step.sizes))
        return None

    def _aligned(self, step, dep, where, cone):
        """Whether a value computed in the step is read exactly where it is computed."""
        shape = self.instructions[dep].aval.shape
        if where == ('gather',):
            return False
        if cone.sizes == step.sizes:
            return normal(where, shape, step.sizes) == normal(step.where[dep], shape, step.sizes)
        # a value of rows: its own axes are the step's rows
        rows = [axis for axis in range(len(step.sizes)) if axis not in step.reduced and step.sizes[axis] != 1]
        big = [axis for axis, n in enumerate(cone.sizes) if n != 1]
        if len(rows) != len(big):
            return False
        lifted = tuple([relabel(e, dict(zip(big, rows)), len(step.sizes)) for e in where])
        return normal(lifted, shape, step.sizes) == normal(step.where[dep], shape, step.sizes)

    def _find_stored(self):
        """Roots that somebody outside of their step needs."""
        stored = set(self.linear.outputs)
        for i in self.roots:
            for user in self.users[i]:
                if self._used_elsewhere(i, user):
                    stored.add(i)
        self.stored = stored

    def _used_elsewhere(self, i, user):
        home, waiting, seen = self.placed[i], [user], set()
        while waiting:
            u = waiting.pop()
            if u in seen:
                continue
            seen.add(u)
            if u in self.placed:
                if self.placed[u] != home or self.steps[home].kind != 'kernel':
                    return True
            else:
                waiting += self.users[u]
        return False

    # --- cones ------------------------------------------------------------------------------------------------

    def cone(self, i, sizes, backwards=None):
        """What root i reads when it is computed over iteration axes of `sizes`, along `backwards` from the end."""
        x = self.instructions[i]
        if x.op.scan and x.params[1]:
            backwards = x.params[0]
        factors = [(n,) for n in sizes]
        while True:
            flat = tuple([n for group in factors for n in group])
            try:
                return self._walk(i, x, sizes, factors, flat, backwards)
            except index.NeedsSplit as split:
                self._refine(factors, split)

    def _refine(self, factors, split):
        at = 0
        for k, group in enumerate(factors):
            if at <= split.axis < at + len(group):
                inside = split.axis - at
                factors[k] = group[:inside] + tuple(split.sizes) + group[inside + 1:]
                return
            at += len(group)
        raise AssertionError('no such axis')

    def _walk(self, i, x, shape, factors, sizes, backwards):
        index._Extents.sizes = sizes
        start = merged_map(factors, len(sizes))
        if backwards is not None:
            turned = index.scaled(start[backwards], -1, shape[backwards] - 1)
            start = (*start[:backwards], turned, *start[backwards + 1:])
        cone = Cone(sizes, start, reduced_factors(x, factors))
        stack = [(j, start) for j in x.inputs] if x.op.reduction or x.op.scan else self._operand_maps(i, start)
        seen = set()
        while stack:
            j, where = stack.pop()
            if (j, where) in seen:
                continue
            seen.add((j, where))
            cone.entries += 1
            if j in self.roots:
                cone.reads.append((j, where))
                continue
            stack += self._operand_maps(j, where)
        return cone

    def _operand_maps(self, i, where):
        try:
            return operand_maps(self.instructions[i], self.instructions, where)
        except index.NotAffine as error:
            raise _Store(i, f'read through a reshape: {error}') from None


class _Store(Exception):
    """A reshape turned out to be no index map: its operand has to be stored, whose memory it shares."""

    def __init__(self, value, reason):
        self.value, self.reason = value, reason


class Cone:
    """reads: (root, index map); entries: number of values; sizes: iteration axes, of which `reduced` are reduced;
    start: the map of the shape."""

    def __init__(self, sizes, start, reduced):
        self.sizes, self.start, self.reduced, self.reads, self.entries = tuple(sizes), start, reduced, [], 0

    def where_out(self, x):
        """The map of the root's own store."""
        if not x.op.reduction:
            return self.start
        axes = reduced_axes(x)
        return tuple([e for axis, e in enumerate(self.start) if axis not in axes])


def is_repeated(x, j, instructions):
    """Whether operand j is one number, again and again, which a scatter x needs not have stored."""
    y = instructions[j]
    return x.op in SCATTERS and j == x.inputs[1] and y.op is ops.broadcast \
        and instructions[y.inputs[0]].op is ops.literal


def reduced_axes(x):
    """The axes that a reduction reduces; the one that a scan goes along."""
    if x.op.reduction or x.op.scan:
        return x.params[0] if x.op.param_names[0] == 'axes' else x.params[:1]
    return ()


def reduced_factors(x, factors):
    """The iteration axes of the loop of a reduction or scan, where the axes of its operand are cut into `factors`."""
    axes, found, at = reduced_axes(x), [], 0
    for axis, group in enumerate(factors):
        if axis in axes:
            found += range(at, at + len(group))
        at += len(group)
    return frozenset(found)


def merged_map(factors, n):
    """Index map of a shape whose axes are cut into `factors`."""
    result, at = [], 0
    for group in factors:
        coefficients, stride = [0] * n, 1
        for k in range(len(group) - 1, -1, -1):
            coefficients[at + k] = stride
            stride *= group[k]
        result.append((0, tuple(coefficients), ()))
        at += len(group)
    return tuple(result)


def operand_maps(x, instructions, where):
    """[(operand, map)] for an inlined instruction that is read at `where`."""
    if x.op in PARTS:                                               # of a literal
        return []
    if x.op.view:
        j = x.inputs[0]
        return [(j, index.through_view(x, instructions[j].aval.shape, where))]
    if x.op.elementwise:
        return [(j, index.broadcast_operand(instructions[j].aval.shape, where)) for j in x.inputs]
    if x.op is ops.gather:
        rank = len(x.aval.shape) - (len(instructions[x.inputs[0]].aval.shape) - len(x.params[0]))
        found = [(j, index.broadcast_operand(instructions[j].aval.shape, where[:rank])) for j in x.inputs[1:]]
        return [(x.inputs[0], ('gather',)), *found]
    if x.op is ops.searchsorted:
        return [(x.inputs[0], ('gather',)), (x.inputs[1], where)]
    return []                                                       # iota, literal


def normal(where, shape, sizes):
    """A map in which what doesn't matter is zero: axes of size 1."""
    result = []
    for expression, n in zip(where, shape):
        offset, coefficients, dynamic = expression
        if n == 1:
            result.append((0, (0,) * len(sizes), ()))
        else:
            result.append((offset, tuple([c if s != 1 else 0 for c, s in zip(coefficients, sizes)]), dynamic))
    return tuple(result)


def row_map(shape, rows, n):
    """Index map of a value of rows (axes of size 1 may be anywhere) in a step with `n` axes."""
    free = iter(rows)
    result = []
    for size in shape:
        axis = next(free) if size != 1 else None
        result.append((0, tuple([int(a == axis) for a in range(n)]), ()))
    return tuple(result)


def relabel(expression, mapping, n):
    """An expression in other axes: mapping {old axis: new axis}, axes of size 1 are dropped."""
    offset, coefficients, dynamic = expression
    new = [0] * n
    for axis, c in enumerate(coefficients):
        if axis in mapping:
            new[mapping[axis]] += c
    return offset, tuple(new), dynamic
