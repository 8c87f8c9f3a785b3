"""jit: trace once for each combination of argument types, then one look-up a call.

Nothing needs jit to be compiled; it saves the Python time of building the graph and marks a boundary. Inside of
another trace a jitted function is inlined from its graph, so that everything fuses across the boundary.
"""
import functools
import inspect
import weakref

import numpy as onp

from . import evaluate, trees as tree
from .array import Array, as_node, from_numpy, wrap, _new
from .errors import UnexpectedTracerError
from .ir import build, dtypes, ops
from .ir.graph import Graph, ancestors, computed, line_of, next_serial

__all__ = ['jit']
_ENTRIES_KEPT = 4096


class _NoValue:
    """Stands in the place of the buffer of a trace's variable once the trace has ended."""
    @property
    def address(self):
        raise UnexpectedTracerError('an array that exists only inside of a traced function was used after the '
                                    'function had returned: return it instead of storing it elsewhere')

    ticket = array = address


_NO_VALUE = _NoValue()


class _Entry:
    """A traced function: its graph, and when first run, its program.

    lasting: False where it closes over arrays of an outer trace, and so holds for this one call only.
    """

    def __init__(self, graph, treedef, donated, lasting):
        self.graph, self.treedef, self.donated, self.lasting = graph, treedef, donated, lasting
        self.program = None
        self.single = treedef.num_nodes == 1 and treedef.num_leaves == 1

    def compile(self):
        with evaluate.lock:
            found = evaluate.walk(list(dict.fromkeys(self.graph.outputs)))
            place = {n.serial: i for i, n in enumerate(self.graph.inputs)}
            found.free = tuple([leaf.mark for leaf in found.leaves if place.get(leaf.serial) in self.donated])
            found.live = ()
            roots, order = tuple(found.roots), {}
            found.same = _same_scalars(found)
            found.key = (*found.key[:-3], roots, (), found.free, found.same)
            self.scalars = found.scalars
            self.lines = functools.partial(line_of, found.nodes)
            # where each leaf of the program comes from: an argument's number, or a captured node
            self.sources = [place[leaf.serial] if leaf.serial in place else leaf for leaf in found.leaves]
            for position, index in enumerate(roots):
                order.setdefault(found.nodes[index].serial, position)
            self.picks = [order[out.serial] for out in self.graph.outputs]
            self.avals = [out.aval for out in self.graph.outputs]
            self.simple = (self.picks == list(range(len(self.picks)))
                           and self.sources == list(range(len(self.graph.inputs))))
            program = evaluate._program(found)
            self.program = program
            evaluate.program_holders.add(self)
        return program

    def run(self, nodes):
        """Arrays of the outputs for argument nodes that have values."""
        program = self.program
        if program is None or program.outdated:
            program = self.compile()
        if self.simple:
            results = program.run([node.value for node in nodes], self.scalars, self.lines, True)
        else:
            buffers = [nodes[s].value if type(s) is int else s.value for s in self.sources]
            found = program.run(buffers, self.scalars, self.lines, True)
            results = [found[i] for i in self.picks]
        if self.donated:
            for i in self.donated:
                nodes[i].value = None
        arrays = []
        for of, buffer in zip(self.avals, results):
            array = _new(Array)
            array._node = computed(ops.leaf, of, buffer)
            arrays.append(array)
        return arrays[0] if self.single else tree.unflatten(self.treedef, arrays)


def _same_scalars(found):
    """For each scalar the number of the first with its type and value: in a trace they don't vary any more."""
    first = {}
    return tuple([first.setdefault((type(value), repr(value)), i) for i, value in enumerate(found.scalars)])


_all = weakref.WeakSet()


def _retrace():
    for function in _all:
        function.entries.clear()


dtypes.Defaults.caches.append(_retrace)                              # traces hold default types


class Jitted:
    """A function compiled by `jit`; calls trace it when they bring types that are new."""

    def __init__(self, fun, static_argnums, static_argnames, donate_argnums):
        functools.update_wrapper(self, fun, updated=())
        self.fun, self.static_argnums, self.static_argnames = fun, static_argnums, static_argnames
        self.donate_argnums = donate_argnums
        self.entries = {}
        _all.add(self)
        self.plain = not static_argnums and not static_argnames and not donate_argnums

    def __repr__(self):
        return f'<jitted {getattr(self.fun, "__name__", self.fun)}>'

    def __get__(self, instance, owner=None):
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args, **kwargs):
        if self.plain and not kwargs:
            nodes = []
            for x in args:
                if type(x) is not Array:
                    break
                nodes.append(x._node)
            else:
                key = tuple([node.aval for node in nodes])
                entry = self.entries.get(key)
                if entry is not None:
                    return self._finish(entry, nodes)
                return self._call(key, nodes, None, args, kwargs)
        static, args, kwargs = self._split_static(args, kwargs)
        leaves, treedef = tree.flatten((args, kwargs))
        nodes = [leaf._node if type(leaf) is Array else _argument(leaf) for leaf in leaves]
        key = (static, treedef, *[node.aval for node in nodes])
        entry = self.entries.get(key)
        if entry is not None:
            return self._finish(entry, nodes)
        return self._call(key, nodes, (static, treedef), args, kwargs)

    def _finish(self, entry, nodes):
        if evaluate.thread.tracing:
            return tree.unflatten(entry.treedef, [wrap(n) for n in entry.graph.inline(nodes)])
        for node in nodes:
            if node.value is None:
                evaluate.force(nodes, background=True)
                break
        return entry.run(nodes)

    def _call(self, key, nodes, structure, args, kwargs):
        static, treedef = structure or ((), tree.structure((args, kwargs)))
        entry = self.trace(nodes, static, treedef)
        if len(self.entries) > _ENTRIES_KEPT:
            self.entries.clear()
        if entry.lasting:
            self.entries[key] = entry
        return self._finish(entry, nodes)

    def trace(self, nodes, static, treedef):
        """The entry for arguments of these types: calls the function once."""
        start = next_serial()
        with evaluate.trace():
            variables = [build.variable(node.aval) for node in nodes]
            args, kwargs = tree.unflatten(treedef, [wrap(v) for v in variables])
            args, kwargs = self._join_static(static, args, kwargs)
            result = self.fun(*args, **kwargs)
            leaves, out_treedef = tree.flatten(result)
            outputs = [self._result(leaf) for leaf in leaves]
        used = {c.serial for n in ancestors(outputs, start) for c in n.inputs} | {out.serial for out in outputs}
        older = [n for n in ancestors(outputs) if n.serial < start and n.serial in used and n.op is not ops.literal]
        for variable in variables:
            variable.value = _NO_VALUE
        lasting = not (evaluate.thread.tracing and any(n.serial > evaluate.thread.first for n in older))
        if lasting:                                                  # what the function closes over is computed once
            evaluate.force([n for n in older if n.value is None])
        donated = self._donated(args, nodes, static) if self.donate_argnums else ()
        return _Entry(Graph(variables, outputs), out_treedef, donated, lasting)

    def _result(self, leaf):
        try:
            return as_node(leaf)
        except TypeError:
            raise TypeError(f'{self!r} returned a {type(leaf).__name__}, which is no array: '
                            f'{str(leaf)[:80]}') from None

    def _donated(self, args, nodes, static):
        """Numbers of the leaves that belong to donated arguments."""
        skip = {i for i, _ in static[0]} if static else set()
        numbers, at = [], 0
        for i, argument in enumerate(args):
            count = 0 if i in skip else len(tree.leaves(argument))
            if i in self.donate_argnums:
                numbers += range(at, at + count)
            at += count
        return tuple(numbers)

    # --- static arguments: replaced by None in the arguments, and part of the key ---
    def _split_static(self, args, kwargs):
        if not self.static_argnums and not self.static_argnames:
            return (), args, kwargs
        positional, new = [], list(args)
        for i in self.static_argnums:
            i = i % len(args) if -len(args) <= i < len(args) else None
            if i is not None:
                positional.append((i, _hashable(args[i], i)))
                new[i] = None
        named = [(name, _hashable(kwargs[name], name)) for name in sorted(self.static_argnames) if name in kwargs]
        kwargs = {k: v for k, v in kwargs.items() if k not in self.static_argnames}
        return (tuple(positional), tuple(named)), tuple(new), kwargs

    def _join_static(self, static, args, kwargs):
        if not static:
            return args, kwargs
        args = list(args)
        for i, value in static[0]:
            args[i] = value.value
        return tuple(args), {**kwargs, **{name: value.value for name, value in static[1]}}

    def lower(self, *args, **kwargs):
        """The traced graph of a call, as text: for reading."""
        static, args, kwargs = self._split_static(args, kwargs)
        leaves, treedef = tree.flatten((args, kwargs))
        return self.trace([as_node(leaf) for leaf in leaves], static, treedef).graph

    def clear_cache(self):
        self.entries.clear()


def _hashable(value, which):
    try:
        hash(value)
    except TypeError:
        raise ValueError(f'non-hashable static arguments are not possible: argument {which!r} of jit is a '
                         f'{type(value).__name__}; pass a tuple in the place of a list or an array') from None
    return _Static(value)


class _Static:
    """A static argument, compared with its type: 1, 1.0 and True are different arguments."""
    __slots__ = ('value',)

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return type(self.value) is type(other.value) and self.value == other.value

    def __hash__(self):
        return hash(self.value)


def _argument(leaf):
    """The node of an argument that is no Array, with a value: literals are made leaves."""
    node = as_node(leaf)
    if node.op is ops.literal and not evaluate.thread.tracing:
        made = from_numpy(onp.asarray(node.params[0], node.aval.dtype))
        return computed(ops.leaf, node.aval, made.value)
    return node


def jit(fun=None, *, static_argnums=(), static_argnames=(), donate_argnums=(), donate_argnames=(), inline=False,
        keep_unused=False, device=None, backend=None):
    """Compile fun for each combination of its arguments' types (shapes, dtypes, structure).

    static_argnums, static_argnames: arguments that are Python values, hashable, part of the key. donate_argnums:
    arguments whose buffers may be overwritten; using them afterwards raises. Can be used as a decorator.

    >>> import lazy, lazy.numpy as np
    >>> @lazy.jit
    ... def f(x):
    ...     return np.maximum(x, 1) * 2
    >>> f(np.arange(3.)).tolist()
    [2.0, 2.0, 4.0]
    """
    if fun is None:
        return functools.partial(jit, static_argnums=static_argnums, static_argnames=static_argnames,
                                 donate_argnums=donate_argnums, donate_argnames=donate_argnames)
    if not callable(fun):
        raise TypeError(f'jit needs a function, not {type(fun).__name__}')
    numbers = (static_argnums,) if isinstance(static_argnums, int) else tuple(static_argnums)
    names = (static_argnames,) if isinstance(static_argnames, str) else tuple(static_argnames)
    donate = (donate_argnums,) if isinstance(donate_argnums, int) else tuple(donate_argnums)
    if numbers or names or donate_argnames:
        numbers, names, donate = _complete(fun, numbers, names, donate, donate_argnames)
    if set(donate) & set(numbers):
        raise ValueError('an argument can not be both static and donated')
    return Jitted(fun, numbers, names, donate)


def _complete(fun, numbers, names, donate, donate_names):
    """Positions of static names and names of static positions, as far as the signature tells."""
    try:
        parameters = list(inspect.signature(fun).parameters.values())
    except (ValueError, TypeError):
        return numbers, names, donate
    positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    varargs = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    for n in numbers:
        if not varargs and not -len(positional) <= n < len(positional):
            raise ValueError(f'jit got static_argnums={numbers}, but {fun.__name__} takes {len(positional)} '
                             f'positional arguments')
    by_name = tuple([positional.index(n) for n in names if n in positional])
    by_number = tuple([positional[n] for n in numbers if -len(positional) <= n < len(positional)])
    donate = donate + tuple([positional.index(n) for n in donate_names if n in positional])
    return tuple(dict.fromkeys(numbers + by_name)), tuple(dict.fromkeys(names + by_number)), donate
