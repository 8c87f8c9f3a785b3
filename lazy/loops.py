"""Loops whose length is decided by their values, as one node: what iterative solvers are made of.

`repeat` traces the body once. The node runs it as a program of its own, again and again, until the condition says that
it was the last time; so it works inside of jit and vmap, where nobody can look at values.
"""
import functools
import threading

from . import trees as tree
from .array import wrap
from .config import config
from .evaluate import trace, walk
from .ir import build, dtypes, ops
from .ir.graph import Graph, ancestors, computed, line_of, next_serial, substitute
from .transforms import nodes_of


def repeat(condition, step, state):
    """state = step(state) for as long as condition(state), a boolean scalar, is true; states are trees of arrays.

    Both are traced, and step keeps structure and shapes. There is no derivative: callers bring a rule of their own.
    """
    from .autodiff.calls import captured
    leaves, treedef = tree.flatten(state)
    given = nodes_of([*leaves, condition(state)], 'the state of a loop')
    start = next_serial()
    with trace():
        variables = [build.variable(n.aval) for n in given]
        new = step(tree.unflatten(treedef, [wrap(v) for v in variables[:-1]]))
        outputs = nodes_of([*tree.leaves(new), condition(new)], 'the state of a loop')
        outputs = [build.convert(out, v.aval.dtype, v.aval.weak) for out, v in zip(outputs, variables, strict=True)]
        outside = captured(outputs, variables, start)
        outside += [n for n in ancestors(outputs, start) if n.op is ops.literal]   # other numbers: the same program
        placeholders = [build.variable(n.aval) for n in outside]
        mapping = {n.serial: p for n, p in zip(outside, placeholders)}
        body = Body(Graph((*variables, *placeholders), substitute(outputs, mapping)))
    made = build.make(ops.loop, (*given, *outside), (body,))
    return tree.unflatten(treedef, [wrap(build.project(made, i)) for i in range(len(leaves))])


class Body:
    """What a `loop` node carries: a graph (*state, *constants) -> new state, whose last entry says whether to go on.

    Two are equal where their graphs have one structure, so that programs are found again.
    """

    def __init__(self, graph):
        self.graph, self.programs, self.lock = graph, {}, threading.Lock()
        key, scalars = graph.structure()
        self.key = key, tuple(map(repr, scalars))
        self.hash = hash(self.key)

    def __eq__(self, other):
        return isinstance(other, Body) and self.hash == other.hash and self.key == other.key

    def __hash__(self):
        return self.hash

    def __repr__(self):
        return f'<body of {len(self.graph.nodes())} nodes>'

    def run(self, arrays):
        """The last state (NumPy arrays) from the first one and the constants."""
        from .codegen.reference import to_buffer
        buffers = [to_buffer(a) for a in arrays]
        count = len(self.graph.outputs)
        state, constants = buffers[:count], buffers[count:]
        while state[-1].array((), dtypes.bool_)[()]:
            state = self._program()(state + constants)
        return tuple([b.array(of.shape, of.dtype) for b, of in zip(state, self.graph.avals)])

    def _program(self):
        """A function of the arguments' buffers. Evaluation's lock isn't taken: this may run in the background, while
        whoever has that lock waits for it."""
        with self.lock:
            program, run = self.programs.get(config.target, (None, None))
            if program is None or program.outdated:
                program, run = self.programs[config.target] = self._compiled(program is not None)
            return run

    def _compiled(self, repeated):
        from .codegen import compile_program
        with trace():                                                # what is made here is no pending work
            inputs = [computed(ops.leaf, n.aval, _WITHOUT_BUFFER) for n in self.graph.inputs]
            outputs = self.graph.inline(inputs)
            found = walk(list(dict.fromkeys(outputs)))
        found.live = found.free = ()
        program = compile_program(found, config.target, repeated)
        place = {n.serial: i for i, n in enumerate(inputs)}
        sources = [place[leaf.serial] for leaf in found.leaves]
        order = {found.nodes[index].serial: i for i, index in enumerate(found.roots)}
        picks = [order[out.serial] for out in outputs]
        scalars, lines = found.scalars, functools.partial(line_of, found.nodes)

        def run(buffers):
            results = program.run([buffers[i] for i in sources], scalars, lines)
            return [results[i] for i in picks]
        return program, run


_WITHOUT_BUFFER = object()                     # the value of a body's arguments while it is compiled
