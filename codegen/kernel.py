"""The kernel description that every printer prints.

Iteration axes (parallel or reduced), accesses with their index maps, and a straight-line body of entries in
topological order. Sizes, strides and offsets are constants of the plan, not part of the description: `text` is the
same for all shapes that need the same code, and is the kernel's key.
"""
import copy
import math

from ..ir import dtypes, ops
from . import choices, index
from .complexes import PARTS
from .schedule import IN_ONE_PIECE, operand_maps

TOTALS = {'add': ops.reduce_sum, 'mul': ops.reduce_prod, 'max': ops.reduce_max, 'min': ops.reduce_min}


class Access:
    """One array read or written: element offset + sum of strides * axis index (+ dynamic entries * their strides).

    half: of real or imaginary parts in complex memory 0 or 1; mate: number of the access to the real parts beside.

    packed: elements lie two in a byte, the first in its lower half; such arrays are only read.
    """
    __slots__ = ('value', 'dtype', 'offset', 'strides', 'dynamic', 'mode', 'packed', 'half', 'mate')

    def __init__(self, value, dtype, offset, strides, dynamic=(), mode=None, packed=False):
        self.value, self.dtype, self.offset, self.strides = value, dtype, offset, list(strides)
        self.dynamic, self.mode, self.packed = dynamic, mode, packed    # dynamic: (entry, stride, size, axis) each
        self.half = self.mate = None

    @property
    def unit(self):
        """Elements from one number to the next where they lie in a row."""
        return 1 if self.half is None else 2

    @property
    def searched(self):
        return self.mode in ('in a row', 'apart')


class Entry:
    """One value of the body. kind: load, scalar, constant, index, op, search, scan, reduce. `axes`: those that it depends on.

    A search is the place of its operand in the array of its access, of which it reads what it needs.
    A scan accumulates its operand along the reduced axes: what it has carried so far is its value in the loop.
    stage: the number of passes over the reduced axes that must be complete before it can be computed.
    """
    __slots__ = ('kind', 'op', 'dtype', 'operand_dtype', 'args', 'params', 'number', 'axes', 'stage', 'cost')

    def __init__(self, kind, op, dtype, operand_dtype=None, args=(), params=None, number=None, axes=frozenset(),
                 stage=0, cost=0):
        self.kind, self.op, self.dtype, self.operand_dtype = kind, op, dtype, operand_dtype
        self.args, self.params, self.number, self.axes = tuple(args), params, number, axes
        self.stage, self.cost = stage, cost


class Kernel:
    """sizes, reduced (indices), accesses, entries, stores [(entry, access number)], scalars [(slot, dtype)], ramps.

    A ramp is an index used as a value: offset + sum of coefficient * axis index.
    parts: number of parts that a loop with `split` is done in. starts: {scan: access} then, where each part finds the
    totals of all parts, and begins with those before it; `totals` is the kernel that computes them.
    """

    parts, turns = choices.PARTS, True

    def __init__(self, step, instructions, stored, layouts, complex_memory=()):
        """complex_memory: {value: owner} of real values that lie in an owner's complex memory."""
        self.step, self.stored, self.layouts = step, stored, layouts
        self.instructions = instructions
        self.sizes, self.reduced = list(step.sizes), set(step.reduced)
        self.accesses, self.entries, self.stores, self.scalars, self.ramps = [], [], [], [], []
        self.memo, self.home = {}, {i for i in step.roots}
        self.results = {}
        index._Extents.sizes = step.sizes
        for i in step.roots:
            self._root(i)
        for i in step.roots:
            if i in stored:
                self._store(i)
        if complex_memory:
            self._pair(complex_memory)
        self._order_axes()
        self._collapse()
        self._finish()

    # --- building ---------------------------------------------------------------------------------------------

    def _root(self, i):
        x = self.instructions[i]
        if x.op.reduction:
            args = [self._value(j, self.step.source[i]) for j in x.inputs]
            parts = [self.entries[a] for a in args]
            axes = frozenset().union(*[a.axes for a in parts]) - self.reduced
            params = x.params[1:] if len(args) > 1 else None
            self.results[i] = self._add(Entry('reduce', x.op, x.aval.dtype, parts[0].dtype, args, params, None, axes,
                                              max([a.stage for a in parts]) + 1))
        elif x.op.scan:
            arg = self._value(x.inputs[0], self.step.source[i])
            a = self.entries[arg]
            self.results[i] = self._add(Entry('scan', x.op, x.aval.dtype, a.dtype, (arg,), None, None,
                                              a.axes | self.reduced, a.stage, x.op.cost))
        else:
            where = self.step.where[i]
            self.results[i] = self._compute(i, where)

    def _value(self, j, where):
        """Entry of value j read at `where` (iterative: a stack of what is still to be computed)."""
        key = (j, where)
        found = self.memo.get(key)
        if found is not None:
            return found
        if j in self.home and j in self.results:
            return self.results[j]
        stack = [key]
        while stack:
            k = stack[-1]
            if k in self.memo:
                stack.pop()
                continue
            missing = [d for d in self._needs(*k) if d not in self.memo]
            if missing:
                stack += missing
            else:
                stack.pop()
                self.memo[k] = self._make(*k)
        return self.memo[key]

    def _needs(self, j, where):
        if self._is_given(j):
            return []
        return [(k, w) for k, w in self._operands(j, where) if w != ('gather',)]

    def _operands(self, j, where):
        """operand_maps of value j at `where`, which are asked for twice."""
        key = ('operands', j, where)
        if key not in self.memo:
            self.memo[key] = operand_maps(self.instructions[j], self.instructions, where)
        return self.memo[key]

    def _is_given(self, j):
        return j in self.results or j in self.step.reads and j not in self.home or self.instructions[j].op is ops.leaf

    def _make(self, j, where):
        if j in self.results:
            return self.results[j]
        if self._is_given(j):
            return self._load(j, where)
        return self._compute(j, where)

    def _compute(self, j, where):
        """Entry of what instruction j computes at `where`; its operands are made first."""
        x = self.instructions[j]
        if x.op.view:
            return self._value(*self._operands(j, where)[0])
        if x.op is ops.literal:
            return self._scalar(x)
        if x.op in PARTS:
            return self._scalar(x, (self.instructions[x.inputs[0]].slot, PARTS.index(x.op)))
        if x.op is ops.iota:
            return self._ramp(x.params[1], where[x.params[2]])
        if x.op is ops.gather:
            return self._gather(x, where)
        if x.op is ops.searchsorted:
            return self._search(x, where)
        args = [self._value(k, w) for k, w in self._operands(j, where)]
        parts = [self.entries[a] for a in args]
        if x.op in (ops.fusion_barrier, ops.identity):
            return args[0]
        axes = frozenset().union(*[p.axes for p in parts])
        return self._add(Entry('op', x.op, x.aval.dtype, parts[-1].dtype, args, x.params, None, axes,
                               max([p.stage for p in parts]), x.op.cost))

    def _add(self, entry):
        key = (entry.kind, entry.op, entry.dtype, entry.args, entry.params, entry.number)
        found = self.memo.get(key)
        if found is None:
            self.entries.append(entry)
            found = self.memo[key] = len(self.entries) - 1
        return found

    def _linear(self, j, where):
        """Offset and strides (elements) of stored value j, read at `where`."""
        offset, steps = self.layouts[j]
        strides = [0] * len(self.sizes)
        for stride, (base, coefficients, _) in zip(steps, where):
            offset += base * stride
            for axis, c in enumerate(coefficients):
                strides[axis] += c * stride
        return offset, strides

    def _depends(self, strides):
        return frozenset([axis for axis, s in enumerate(strides) if s and self.sizes[axis] != 1])

    def _load(self, j, where):
        offset, strides = self._linear(j, where)
        key = ('access', j, offset, tuple(strides))
        number = self.memo.get(key)
        if number is None:
            x = self.instructions[j]
            self.accesses.append(Access(j, x.aval.dtype, offset, strides, packed=x.op is ops.unpack_nibbles))
            number = self.memo[key] = len(self.accesses) - 1
        return self._add(Entry('load', None, self.instructions[j].aval.dtype, number=number,
                               axes=self._depends(strides)))

    def _gather(self, x, where):
        source = x.inputs[0]
        axes, mode = x.params
        shape = self.instructions[source].aval.shape
        maps = operand_maps(x, self.instructions, where)[1:]
        indices = [self._value(j, w) for j, w in maps]
        rank = len(where) - (len(shape) - len(axes))
        rest = iter(where[rank:])
        n = len(self.sizes)
        full = tuple([index.constant(0, n) if axis in axes else next(rest) for axis in range(len(shape))])
        offset, strides = self._linear(source, full)
        steps, dynamic = self.layouts[source][1], []
        for e, a in zip(indices, axes):
            ramp = self._ramp_inside(e, shape[a])
            if ramp:                                                 # x[arange(n), i]: no more than a stride
                offset += steps[a] * ramp[0]
                strides = [s + steps[a] * c for s, c in zip(strides, ramp[1])]
            else:
                dynamic.append((e, steps[a], shape[a], a))
        dtype, args = self.instructions[source].aval.dtype, tuple([e for e, *_ in dynamic])
        packed = self.instructions[source].op is ops.unpack_nibbles
        self.accesses.append(Access(source, dtype, offset, strides, tuple(dynamic), mode if dynamic else None, packed))
        parts = [self.entries[e] for e in args]
        depends = self._depends(strides).union(*[p.axes for p in parts])
        return self._add(Entry('load', None, dtype, args=args, number=len(self.accesses) - 1, axes=depends,
                               stage=max([p.stage for p in parts], default=0), cost=4))

    def _ramp_inside(self, e, size):
        """(offset, coefficients) of a ramp, if that is what entry e is, and all of it lies in [0, size); else None."""
        if self.entries[e].kind != 'index':
            return None
        offset, coefficients = ramp = self.ramps[self.entries[e].number]
        ends = [c * (n - 1) for c, n in zip(coefficients, self.sizes)]
        inside = 0 <= offset + sum([min(end, 0) for end in ends]) and offset + sum([max(end, 0) for end in ends]) < size
        return ramp if inside and min(self.sizes, default=1) > 0 else None

    def _search(self, x, where):
        query = self._value(*operand_maps(x, self.instructions, where)[1])
        table, of = x.inputs[0], self.instructions[x.inputs[0]].aval
        offset, (stride,) = self.layouts[table]
        dynamic, mode = ((query, stride, of.size, 0),), 'in a row' if stride == 1 else 'apart'
        self.accesses.append(Access(table, of.dtype, offset, [0] * len(self.sizes), dynamic, mode))
        q, number = self.entries[query], len(self.accesses) - 1
        return self._add(Entry('search', x.op, x.aval.dtype, of.dtype, (query,), x.params, number, q.axes, q.stage,
                               x.op.cost))

    def _scalar(self, x, slot=None):
        """A literal, or a part of one: slot then says of which and what (see plan.Program.scalar_at)."""
        slot = x.slot if slot is None else slot
        if slot is None:
            return self._add(Entry('constant', None, x.aval.dtype, params=x.params))
        key = ('slot', slot, x.aval.dtype)
        if key not in self.memo:
            self.scalars.append((slot, x.aval.dtype))
            self.memo[key] = len(self.scalars) - 1
        return self._add(Entry('scalar', None, x.aval.dtype, number=self.memo[key]))

    def _ramp(self, dtype, expression):
        offset, coefficients, _ = expression
        key = ('ramp', offset, coefficients)
        if key not in self.memo:
            self.ramps.append([offset, list(coefficients) or [0] * len(self.sizes)])
            self.memo[key] = len(self.ramps) - 1
        return self._add(Entry('index', None, dtype, number=self.memo[key], axes=self._depends(coefficients)))

    def _store(self, i):
        offset, strides = self._linear(i, self.step.where[i])
        self.accesses.append(Access(i, self.instructions[i].aval.dtype, offset, strides))
        self.stores.append((self.results[i], len(self.accesses) - 1))

    def _pair(self, complex_memory):
        """Find out which accesses are to real and imaginary parts side by side."""
        stored, real = {number for _, number in self.stores}, {}
        for number, a in enumerate(self.accesses):
            if a.value in complex_memory and not any([s % 2 for s in (*a.strides, *[d[1] for d in a.dynamic])]):
                a.half = a.offset % 2
        for half in (0, 1):
            for number, a in enumerate(self.accesses):
                if a.half == half:
                    key = complex_memory[a.value], a.offset - half, tuple(a.strides), a.dynamic, a.mode, number in stored
                    a.mate = real.setdefault(key, number) if not half else real.get(key)

    # --- axes -------------------------------------------------------------------------------------------------

    def _tables(self):
        return [a.strides for a in self.accesses] + [r[1] for r in self.ramps]

    def _order_axes(self):
        """The axis along which most bytes are walked element by element goes last: it becomes the lane axis."""
        score = [sum([self._bytes(a) for a in self.accesses if a.strides[axis] == a.unit]) if self.sizes[axis] > 1 else -1
                 for axis in range(len(self.sizes))]
        ordered = any(e.kind == 'scan' or e.op in (ops.argmax, ops.argmin) for e in self.entries)
        if not score or score[-1] == max(score) or ordered and len(self.reduced) > 1:
            return                                                   # what is done in the order of the axes
        self._move_last(max(range(len(score)), key=lambda axis: (score[axis], axis)))

    def _move_last(self, last):
        order = [axis for axis in range(len(self.sizes)) if axis != last] + [last]
        place = {axis: i for i, axis in enumerate(order)}
        self.sizes = [self.sizes[axis] for axis in order]
        self.reduced = {place[axis] for axis in self.reduced}
        for table in self._tables():
            table[:] = [table[axis] for axis in order]
        for e in self.entries:
            e.axes = frozenset([place[axis] for axis in e.axes])

    def _bytes(self, access):
        return access.dtype.itemsize * math.prod([n for n, s in zip(self.sizes, access.strides) if s])

    def _collapse(self):
        """Drop axes of size 1, merge neighbours that every access walks as one; keep at least one axis, and a reduced
        one where there is a reduction."""
        keep = [axis for axis, n in enumerate(self.sizes) if n != 1]
        if self.reduced and self.reduced.isdisjoint(keep):
            keep = sorted([*keep, max(self.reduced)])
            for table in self._tables():
                table[max(self.reduced)] = 0                          # nothing depends on it, see _depends
        groups = []
        for axis in keep:
            if groups and self._merges(groups[-1][-1], axis):
                groups[-1].append(axis)
            else:
                groups.append([axis])
        sizes, reduced, new_of = [], set(), {}
        for number, group in enumerate(groups):
            total = 1
            for axis in group:
                total *= self.sizes[axis]
                new_of[axis] = number
            sizes.append(total)
            if group[0] in self.reduced:
                reduced.add(number)
        for table in self._tables():
            table[:] = [table[group[-1]] for group in groups] or [0]
        for e in self.entries:
            e.axes = frozenset([new_of[a] for a in e.axes if a in new_of])
        self.sizes, self.reduced = sizes or [1], reduced

    def _merges(self, a, b):
        if (a in self.reduced) != (b in self.reduced):
            return False
        between = range(a + 1, b)
        if any(self.sizes[k] != 1 for k in between):
            return False
        return all(t[a] == t[b] * self.sizes[b] for t in self._tables())

    # --- form --------------------------------------------------------------------------------------------------

    def _short_axis(self):
        """Of a map whose last axis is short, so that vectors along it would be nearly empty: lanes are along the
        longest axis then, and the short one is gone through for each block of them. Its number, or None."""
        longest = max(range(len(self.sizes)), key=self.sizes.__getitem__)
        if self.reduced or not self.turns \
                or self.sizes[-1] > choices.SHORT_AXIS or self.sizes[longest] < choices.LONG_AXIS:
            return None
        self._move_last(longest)
        return len(self.sizes) - 2

    def _finish(self):
        self.short = self._short_axis()
        self.lane = len(self.sizes) - 1
        if not self.reduced:
            self.form = 'map'
        else:
            self.form = 'row' if self.lane in self.reduced else 'column'
        self.loop = frozenset(self.reduced) if self.reduced else frozenset([self.lane])
        self.parallel = [axis for axis in range(len(self.sizes)) if axis not in self.loop
                         and not (self.form == 'column' and axis == self.lane) and axis != self.short]
        self.far = sum(map(self._bytes, self.accesses)) >= choices.STREAM_BYTES
        self.split, self.starts = self._should_split(), {}
        if self.split:
            self._add_starts()
        self.tile = self._tile_axis()
        self.columns = choices.column_vectors(len(self.entries), self.far)
        self.together = self._together()
        self._plan()

    def _plan(self):
        self.stream = self._streams() if self.far else ''
        self._plan_passes()
        self.in_a_row = self.form == 'column' and self.split and self.far and not self.passes[0][2] and not self.scans()
        self.text = self._describe()

    def scans(self, needed=None):
        """The scans among entries."""
        return [e for e in (range(len(self.entries)) if needed is None else needed) if self.entries[e].kind == 'scan']

    def _should_split(self):
        """Whether the reduced axis is shared out instead of the parallel ones: few results of much data, or data that
        is then read in a row. in_a_row: columns from memory, reduced row by row, with what is carried in memory."""
        if not self.reduced or self.sizes[min(self.reduced)] < 4 * choices.PARTS:
            return False
        height = math.prod([self.sizes[axis] for axis in self.reduced])
        results, columns = math.prod(self.sizes) // height, self.form == 'column'
        if not all(self.stored_in_loop(number) if self.entries[e].stage == 0 else self._adds_up(self.entries[e])
                   for e, number in self.stores):
            return False
        if self.scans():
            return choices.scan_in_parts(height, results, columns) and all(map(self._starts_anywhere, self.scans()))
        return choices.in_parts(height, results, columns, sum(map(self._bytes, self.accesses)))

    def _starts_anywhere(self, scan):
        """Whether a scan can begin with the total of what comes before: no other scan before it, and not the product of
        floats, since the totals of two parts can be 0 and infinite where that of both is neither."""
        x = self.entries[scan]
        stack = list(x.args)
        while stack:
            e = self.entries[stack.pop()]
            if e.kind in ('scan', 'reduce'):
                return False
            stack += e.args
        return x.op.scan in TOTALS and not (x.op.scan == 'mul' and dtypes.is_inexact(x.dtype))

    def _add_starts(self):
        """Give each scan an access to the totals of its parts: an array over all axes that are not reduced."""
        for e in self.scans():
            strides, size = [0] * len(self.sizes), 1
            for axis in reversed(range(len(self.sizes))):
                if axis not in self.loop:
                    strides[axis], size = size, size * self.sizes[axis]
            dtype = self.entries[e].dtype
            dtype = dtypes.float32 if dtype in (dtypes.float16, dtypes.bfloat16) else dtype
            self.accesses.append(Access(('totals', e, self.parts * size * dtype.itemsize), dtype, 0, strides))
            self.starts[e] = len(self.accesses) - 1

    def totals(self):
        """The kernel that reduces each part of what the scans accumulate, in place of all that this one computes."""
        def entry(e):
            if e.kind not in ('scan', 'reduce'):
                return e
            kind, op = ('reduce', TOTALS[e.op.scan]) if e.kind == 'scan' else ('unused', e.op)
            return Entry(kind, op, e.dtype, e.operand_dtype, e.args, None, None, e.axes - self.reduced, 1)
        k = copy.copy(self)
        k.entries, k.stores, k.starts = list(map(entry, self.entries)), list(self.starts.items()), {}
        k._plan()
        return k

    def _adds_up(self, entry):
        """Whether results of parts can be combined to the result."""
        return entry.kind == 'reduce' and entry.stage == 1 and entry.op not in IN_ONE_PIECE

    def _tile_axis(self):
        """The axis along which a map reads something element by element while its lanes are far apart, or None."""
        found = {axis for a in self.accesses[:] for axis in self.parallel
                 if not a.dynamic and a.strides[axis] == a.unit and a.strides[self.lane] not in (0, a.unit)}
        big = self.form == 'map' and all(self.sizes[axis] >= 2 * choices.TILE_ROWS for axis in (*found, self.lane))
        stores = {number for _, number in self.stores}
        apart = not all(map(self.in_a_line, stores))
        return found.pop() if len(found) == 1 and big and not apart else None

    def _streams(self):
        """Whether stores go past the caches: 'aligned' where rows begin with a cache line, 'peeled' where all begin at
        the same place of one and are long, '' otherwise."""
        numbers = [number for _, number in self.stores if self.stored_in_loop(number)]
        stored = [self.accesses[number] for number in numbers]
        if not stored or self.split or self.tile is not None or not all(map(self.in_a_line, numbers)):
            return ''
        starts = {tuple([n * a.dtype.itemsize % 64 for n in (a.offset - (a.half or 0), *a.strides[:self.lane])])
                  for a in stored}
        if all(not any(start) for start in starts):
            return 'aligned'
        if self.form == 'column' or any(a.half is not None for a in stored):
            return ''
        long = all(self.sizes[self.lane] * a.dtype.itemsize >= choices.STREAM_ROW_BYTES for a in stored)
        return 'peeled' if long and len(starts) == len({a.dtype.itemsize for a in stored}) == 1 else ''

    def _together(self):
        """How many vectors a map computes side by side."""
        cost = sum([e.cost for e in self.entries if e.kind == 'op' and self.lane in e.axes])
        if self.form != 'map' or self.tile is not None or self.sizes[self.lane] < 1024 \
                or any(a.dynamic for a in self.accesses):
            return 1
        return choices.vectors_together(len(self.entries), cost, math.prod(self.sizes))

    def in_a_line(self, number):
        """Whether a store fills memory along the lane axis, with the other parts where it is of complex numbers."""
        a, stores = self.accesses[number], [number for _, number in self.stores]
        return a.strides[self.lane] == a.unit and (a.half is None or a.mate in self.whole_pairs(stores))

    def whole_pairs(self, numbers):
        """{number of an access to real parts: that to the imaginary parts beside} of those numbered, in the lane axis."""
        return {self.accesses[n].mate: n for n in numbers if self.accesses[n].half == 1
                and self.accesses[n].mate in numbers and self.stride_class(n, self.lane) == 'p'}

    def transposed(self, access):
        """Whether a load is to be turned around in tiles."""
        a = self.accesses[access]
        return self.tile is not None and not a.dynamic and a.strides[self.tile] == a.unit \
            and a.strides[self.lane] not in (0, a.unit)

    def in_loop(self, e):
        return bool(self.entries[e].axes & self.loop)

    def stored_in_loop(self, access):
        """Whether a store happens inside of the loops (else once for each result)."""
        strides = self.accesses[access].strides
        return self.form == 'map' or any(strides[axis] for axis in self.loop)

    # --- passes -------------------------------------------------------------------------------------------------

    def _plan_passes(self):
        """passes: (stage, reductions, stores in the loop). cached: entries that a later pass reads back from scratch,
        with their number; first_pass: where they are computed."""
        self.passes, self.cached, self.first_pass = [], {}, {}
        last = max([e.stage for e in self.entries], default=0)
        for stage in range(last + 1):
            reductions = [i for i, e in enumerate(self.entries) if e.kind == 'reduce' and e.stage == stage + 1]
            stores = [(e, a) for e, a in self.stores if self.stored_in_loop(a) and self.entries[e].stage == stage]
            if reductions or stores:
                self.passes.append((stage, reductions, stores))
        if self.form == 'row' and len(self.reduced) == 1 and len(self.passes) > 1:
            self._choose_cached()

    def _choose_cached(self):
        seen, again = {}, []
        for number, (stage, reductions, stores) in enumerate(self.passes):
            for e in self.closure(reductions, stores, stop=set(seen)):
                entry = self.entries[e]
                if e in seen and seen[e] != number:
                    again.append(e)
                elif entry.kind == 'op' and entry.cost >= choices.SCRATCH_COST and self.in_loop(e):
                    seen[e] = number
        again = list(dict.fromkeys(again))
        room = choices.SCRATCH_BYTES // (8 * (self.sizes[self.lane] + 64))
        self.cached = {e: n for n, e in enumerate(again[:room])}
        self.first_pass = {e: seen[e] for e in self.cached}

    def closure(self, reductions, stores, stop=()):
        """Entries that a pass computes inside of the loop, in order. What feeds `stop` is left out."""
        stack, found = [], set()
        for r in reductions:
            stack += self.entries[r].args
        stack += [e for e, _ in stores]
        while stack:
            e = stack.pop()
            if e not in found and self.in_loop(e) and self.entries[e].kind != 'reduce':
                found.add(e)
                if e not in stop:
                    stack += self.entries[e].args
        return sorted(found)

    @property
    def checks(self):
        """Whether the kernel reports indices out of range."""
        return any(a.mode == 'error' for a in self.accesses)

    def _describe(self):
        """The canonical text: everything the code depends on, no sizes."""
        lines = [f'{self.form} axes={len(self.sizes)} reduced={sorted(self.reduced)} split={self.split} '
                 f'tile={self.tile} short={self.short} '
                 f'far={self.far} stream={self.stream} together={self.together}']
        for number, a in enumerate(self.accesses):
            classes = ''.join(self.stride_class(number, axis) for axis in range(len(self.sizes)))
            dynamic = [(d[0], self.position_class(d)) for d in a.dynamic]
            lines.append(f'array {dtypes.NAMES[a.dtype]} {classes} {dynamic} {a.mode} like {self.like(number)} '
                         f'{"pairs" * self.pairs(number)}{"packed" * a.packed} {a.half} {a.mate}')
        for _, dtype in self.scalars:
            lines.append(f'scalar {dtypes.NAMES[dtype]}')
        for r in self.ramps:
            lines.append('ramp ' + ''.join('0' if not c else 's' for c in r[1]))
        for e in self.entries:
            params = '' if e.params is None else repr([getattr(p, 'name', p) for p in e.params])
            lines.append(f'{e.kind} {e.op and e.op.name} {dtypes.NAMES[e.dtype]} {e.args} {params} {e.number}')
        lines += [f'store {e} {a}' for e, a in self.stores] + [f'start {e} {a}' for e, a in self.starts.items()]
        lines.append(f'cached {sorted(self.cached)} columns {self.columns}')
        return '\n'.join(lines)

    def like(self, access):
        """The first access of the same array with the same strides: windows read it at several offsets."""
        a = self.accesses[access]
        return next(i for i, b in enumerate(self.accesses) if b.value == a.value and b.strides == a.strides)

    def pairs(self, access):
        """Whether every second element is read along the lanes."""
        a = self.accesses[access]
        return self.lane is not None and a.strides[self.lane] == 2 and a.half is None and not a.packed

    def position_class(self, dynamic):
        """(type in which a position is compared with the size, whether the elements are neighbours)."""
        entry, stride, size, _ = dynamic
        dtype = self.entries[entry].dtype
        narrow = dtype.itemsize <= 4 and dtype != dtypes.uint32 and size < 1 << 31
        return 'int32' if narrow else 'int64', stride == 1

    def stride_class(self, access, axis):
        s = self.accesses[access].strides[axis]
        if axis == self.lane and s == -1:
            return 'r'
        if axis == self.lane and s == 2 and self.accesses[access].packed:
            return '2'                                                # the same half of each byte
        if axis == self.lane and s == 2 and self.accesses[access].half is not None:
            return 'p'
        return '0' if not s else '1' if s == 1 and axis in (self.lane, self.tile) else 's'


