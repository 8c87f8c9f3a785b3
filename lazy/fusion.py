"""fuse: one kernel of what a function computes, or an error that says why not. fusion_barrier is its opposite.

A fused function is traced at each call, which costs what building its graph costs; the graph becomes the body of one
`call` node that the compiler inlines as a region (see lazy.codegen.regions). Whatever else the function uses - what it
closes over - becomes an argument of the call, so that derivatives and batches go through it.
"""
import functools

import numpy as onp

from . import evaluate, trees as tree
from .array import Array, as_node, wrap
from .ir import build, ops
from .ir.graph import Graph, ancestors, next_serial, substitute

__all__ = ['fuse', 'fusion_barrier']


def fuse(*arguments, block=None, num_warps=None, num_stages=None, tune=False, strict=True):
    """Make one kernel of what a function computes: `fuse(f)`, `@fuse`, `@fuse(block=1024)`.

    The result is a function of the same arguments, in which Array and NumPy arguments (leaves of pytrees) are arrays
    and everything else is passed on as it is. It composes with grad, vmap, jit and itself; of nested ones the outer
    counts. Inside of it no limit of the compiler applies: values are recomputed or kept in registers, not stored.
    `fuse(a, b)` of arrays makes one kernel of what is still to be computed for them, and returns them as arrays.

    One kernel: one pass of loops over one iteration space, in which the reductions all go over the same axes; a
    reduction of much data to few results may take a second, small launch that combines its parts. Sorting, matrix
    products and other work of libraries can't be part of it, nor can concatenation.

    strict: raise `lazy.errors.FusionError` when the result is computed and it can't be one kernel; the message has the
    reasons and the lines. With strict=False, and for derivatives and batched forms of a fused function, it is split,
    and a FusionWarning says so once.
    block: elements of the last axis that are one piece of work of an elementwise kernel, a power of two (kernels with
    reductions are shared out by rows and columns). num_warps: of the kernel on a GPU; num_stages: how many blocks a
    loop of a GPU's kernel loads ahead; neither has an effect on a CPU. tune: on a CPU, try several blocks (the given
    one among them) before the first run and keep the best one on disk.

    >>> import lazy, lazy.numpy as np
    >>> @lazy.fuse
    ... def softmax(x):
    ...     e = np.exp(x - x.max(-1, keepdims=True))
    ...     return e / e.sum(-1, keepdims=True)
    >>> softmax(np.zeros((2, 4)))[0].tolist()
    [0.25, 0.25, 0.25, 0.25]
    >>> len(lazy.explain(softmax, np.zeros((2, 4))).kernels)
    1
    """
    given = {'block': block, 'num_warps': num_warps, 'num_stages': num_stages, 'tune': tune, 'strict': strict}
    if not arguments:
        return functools.partial(fuse, **given)
    options = _options(**given)
    if len(arguments) == 1 and callable(arguments[0]):
        return Fused(arguments[0], options)
    return _fuse_arrays(arguments, options)


def _options(block, num_warps, num_stages, tune, strict):
    """What isn't the default, hashable: part of the call node. ValueError for what can't be."""
    for name, value, least in (('block', block, 16), ('num_warps', num_warps, 1), ('num_stages', num_stages, 1)):
        if value is not None and (type(value) is not int or value < least):
            raise ValueError(f'fuse: {name} is an integer of at least {least}, not {value!r}')
    for name, value in (('block', block), ('num_warps', num_warps)):
        if value is not None and value & value - 1:
            raise ValueError(f'fuse: {name} is a power of two, not {value}')
    options = [(name, value) for name, value in (('block', block), ('num_warps', num_warps), ('num_stages', num_stages))
               if value is not None]
    return (*options, *[('tune', True)] * bool(tune), *[('strict', False)] * (not strict))


class Fused:
    """A function whose result is one kernel; made by `fuse`."""

    def __init__(self, fun, options):
        functools.update_wrapper(self, fun, updated=())
        self.fun, self.options = fun, options

    def __repr__(self):
        return f'<fused {getattr(self.fun, "__name__", self.fun)}>'

    def __get__(self, instance, owner=None):
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args, **kwargs):
        leaves, treedef = tree.flatten((args, kwargs))
        places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, (Array, onp.ndarray, onp.generic))]
        arguments = [as_node(leaves[i]) for i in places]
        start = next_serial()
        with evaluate.trace():
            variables = [build.variable(node.aval) for node in arguments]
            for i, variable in zip(places, variables):
                leaves[i] = wrap(variable)
            new_args, new_kwargs = tree.unflatten(treedef, leaves)
            results, out_treedef = tree.flatten(self.fun(*new_args, **new_kwargs))
            outputs = [self._result(leaf) for leaf in results]
        made = _call(outputs, variables, arguments, self.options, start)
        return tree.unflatten(out_treedef, [wrap(node) for node in made])

    def _result(self, leaf):
        try:
            return as_node(leaf)
        except TypeError:
            raise TypeError(f'{self!r} returned a {type(leaf).__name__}, which is no array: {str(leaf)[:80]}') from None


def _call(outputs, variables, arguments, options, start):
    """The outputs, computed by one call node of those of them that are computed here at all."""
    from .autodiff.calls import make_call
    given = {v.serial: a for v, a in zip(variables, arguments)}
    inside = [out for out in dict.fromkeys(outputs) if out.serial > start and out.serial not in given
              and out.value is None and not out.op.is_constant]
    made = make_call(inside, variables, arguments, 'fuse', options, start) if inside else ()
    given.update({out.serial: node for out, node in zip(inside, made)})
    return [given.get(out.serial, out) for out in outputs]


def _fuse_arrays(arguments, options):
    """Arrays for `arguments` (pytrees), what is pending of them being one call."""
    leaves, treedef = tree.flatten(arguments)
    nodes = [as_node(leaf) for leaf in leaves]
    roots = [node for node in dict.fromkeys(nodes) if not _is_given(node) and not node.op.is_constant]
    needed = ancestors(roots, into=lambda n: () if _is_given(n) else n.inputs)
    outside = [node for node in needed if _is_given(node)]
    new = {}
    if roots:
        placeholders = [build.variable(node.aval) for node in outside]
        inner = substitute(roots, {n.serial: p for n, p in zip(outside, placeholders)})
        call = build.make(ops.call, outside, (Graph(placeholders, inner), 'fuse', options))
        new = {root.serial: build.project(call, i) for i, root in enumerate(roots)}
    results = tree.unflatten(treedef, [wrap(new.get(node.serial, node)) for node in nodes])
    return results[0] if len(arguments) == 1 else results


def _is_given(node):
    """Whether a node ends what is pending: a value, a variable of a trace, or what a derivative is taken by."""
    return node.value is not None or node.op is ops.leaf or node.op is ops.variable or node.op is ops.identity


def fusion_barrier(x):
    """x, computed and stored on its own: nothing after it is fused with what is before it. Pytrees leaf by leaf.

    >>> import lazy, lazy.numpy as np
    >>> f = lambda x: lazy.fusion_barrier(np.sin(x)) + 1
    >>> len(lazy.explain(f, np.ones(8)).kernels)
    2
    """
    return tree.map(lambda leaf: wrap(build.apply(ops.fusion_barrier, as_node(leaf))), x)
