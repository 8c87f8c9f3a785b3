"""One program for work that differs only in where slices begin.

A loop over x[i] and x.at[i].set(v), i a Python integer, has another structure at each flush. When some have been met
that differ in nothing else, a program is made that takes these places as scalars; it serves all that follow.

Before: y = slice(x, start (7, 0)); u = slice_update(x, v, start (7, 0)). After, i being literal(7): y = gather(x, i),
u = scatter(x, v, i).
"""
from collections import OrderedDict

from .ir import build, dtypes, ops
from .ir.graph import Node, ancestors, here, release_pending

MET_BEFORE = 2                     # so many programs with other places are made before the one for all places
PART_BYTES = 1 << 20               # parts above this, but for whole rows, are worth a program with loops of their own
_FAMILIES_KEPT = 500
_families = OrderedDict()          # (structure without the places, target) -> _Family


class _Family:
    """Walks that differ in where slices begin. starts: of the first one; varying: numbers of those that have been seen
    to vary; general: the program that takes these as scalars."""

    def __init__(self, starts):
        self.starts, self.varying, self.met, self.general = starts, frozenset(), 0, None


def program_of(found, target, compile_program):
    """The program for a walk (see lazy.evaluate.walk) for which none was made, if one takes the places as scalars.

    None where not enough walks of its structure were met, or where parts are too large to be picked by an index.
    """
    structure, starts = list(found.key), []
    for at in found.places:
        first, *_, step = structure[at]
        structure[at] = step                                          # the avals have the sizes of the parts
        starts += first
    family = _family((tuple(structure), target), starts)
    varying = family.varying.union([n for n, (a, b) in enumerate(zip(family.starts, starts)) if a != b])
    family.met += 1
    stale = family.general is not None and family.general.program.outdated
    if family.met > MET_BEFORE and varying and (stale or varying != family.varying or family.general is None):
        nodes = _with_places(found.nodes, starts, varying)
        if nodes is None:
            return None
        family.general = _General(found, *nodes, lambda walk: compile_program(walk, target, stale))
    family.varying = varying
    return _Placed(family.general, [starts[n] for n in sorted(varying)]) if family.general is not None else None


def forget():
    """All programs are made anew when they are next needed."""
    _families.clear()


def _family(key, starts):
    family = _families.get(key)
    if family is None:
        family = _families[key] = _Family(starts)
        if len(_families) > _FAMILIES_KEPT:
            _families.popitem(last=False)
    return family


# --- the graph with places as literals ------------------------------------------------------------------------------

def _with_places(nodes, starts, varying):
    """(what stands for each of `nodes`, the literals of the varying starts); None where a part is too large."""
    literals = {n: build.literal(starts[n], dtypes.int64) for n in sorted(varying)}
    pending, new, at = len(here.pending), [], 0
    for node in nodes:
        inputs = tuple([new[child.mark] for child in node.inputs]) if node.value is None else ()
        if node.value is None and node.op in (ops.slice_, ops.slice_update):
            rank = len(node.params[0])
            places = {axis: literals[at + axis] for axis in range(rank) if at + axis in literals}
            at += rank
            made = _placed(node, inputs, places)
        elif any([a is not b for a, b in zip(inputs, node.inputs)]):
            made = Node(node.op, inputs, node.params, node.aval)
        else:
            made = node
        new.append(made)
    release_pending(pending)
    return (new, list(literals.values())) if None not in new else None


def _placed(node, inputs, places):
    """A slice, or the update of one, that begins at `places` {axis: literal}; None where its part is too large."""
    start, step = node.params[0], node.params[-1]
    x, part = inputs[0], (node if node.op is ops.slice_ else inputs[1]).aval
    axes = set(places)
    if axes and node.op is ops.slice_update:                          # a scatter takes whole rows
        axes.update([axis for axis, n in enumerate(x.aval.shape) if part.shape[axis] != n])
        if x.aval.dtype in dtypes.NARROW_INTEGERS and (x.aval.ndim - 1 in axes or x.aval.shape[-1] % 2):
            axes.update(range(x.aval.ndim))                           # or single elements, where rows share bytes
    if not axes:
        return Node(node.op, inputs, node.params, node.aval)
    if any([part.shape[axis] > 1 for axis in axes]) and part.nbytes > PART_BYTES:
        return None
    axes = sorted(axes)
    order = axes + [axis for axis in range(part.ndim) if axis not in axes]
    indices = []
    for number, axis in enumerate(axes):
        index = places.get(axis)
        index = build.literal(start[axis], dtypes.int64) if index is None else index
        if part.shape[axis] != 1:
            steps = build.literal(step[axis], dtypes.int64)
            index = build.add(build.mul(build.iota((part.shape[axis],), dtypes.int64), steps), index)
        indices.append(build.reshape(index, [part.shape[axis] if k == number else 1 for k in range(len(axes))]))
    if node.op is ops.slice_update:
        return build.scatter(x, build.transpose(inputs[1], order), indices, axes, 'clip', 'set')
    stop = node.params[1]
    whole = [axis in axes for axis in range(part.ndim)]
    x = build.slice_(x, [0 if w else n for n, w in zip(start, whole)],
                     [m if w else n for m, n, w in zip(x.aval.shape, stop, whole)],
                     [1 if w else n for n, w in zip(step, whole)])
    return build.transpose(build.gather(x, indices, axes, 'clip'), build.inverse_permutation(order))


# --- the program ----------------------------------------------------------------------------------------------------

class _General:
    """A program made from `new`, which stand for found's nodes.

    origin: for each node of the program that of found's for which it stands, or None. scalars: where a run finds the
    program's scalars: (0, number) among the places, (1, number) among those of the walk, (2, value).
    """

    def __init__(self, found, new, places, compile_walk):
        nodes = ancestors([new[i] for i in (*found.roots, *found.live)],
                          into=lambda n: n.inputs if n.value is None else ())
        stands_for = {node.serial: i for i, node in enumerate(new)}
        self.origin = [stands_for.get(node.serial) for node in nodes]
        self.scalars = list(_scalars(found.nodes, nodes, stands_for, {node.serial: n for n, node in enumerate(places)}))
        at = {node.serial: number for number, node in enumerate(nodes)}
        for number, node in enumerate(nodes):
            node.mark = number
        walk = _Walk()
        walk.nodes, walk.same = nodes, None
        walk.roots, walk.live, walk.free = ([at[new[i].serial] for i in of]
                                            for of in (found.roots, found.live, found.free))
        self.program = compile_walk(walk)
        self.nodes = [self.origin[i] for i in self.program.nodes]


class _Walk:
    """What a program is compiled from, see lazy.evaluate.Walk."""


def _scalars(old, nodes, stands_for, places):
    """Where each scalar of `nodes` is found, in their order, see _General."""
    first, count = {}, 0
    for i, node in enumerate(old):
        first[i] = count
        count += _count(node)
    for node in nodes:
        if node.serial in places:
            yield 0, places[node.serial]
        elif node.op is ops.literal and node.serial not in stands_for:
            yield 2, node.params[0]
        else:
            for k in range(_count(node)):
                yield 1, first[stands_for[node.serial]] + k


def _count(node):
    """How many scalars a node brings."""
    if node.value is not None or node.op not in (ops.literal, ops.call):
        return 0
    return 1 if node.op is ops.literal else len(node.params[0].structure()[1])


class _Placed:
    """A general program with its places, run like any other."""

    def __init__(self, general, places):
        self.general, self.places = general, places
        self.nodes, program = general.nodes, general.program
        self.donated, self.may_fail = program.donated, program.may_fail

    def run(self, buffers, scalars, lines, background=False):
        general = self.general
        sources = self.places, scalars

        def line(source):
            number = general.origin[source if type(source) is int else source[0]]
            return lines(number if type(source) is int else (number, *source[1:])) if number is not None else None
        values = [sources[of][n] if of < 2 else n for of, n in general.scalars]
        return general.program.run(buffers, values, lines and line, background)
