"""Nodes with a body: making them, and their derivatives, which are nodes of the same kind.

Before: y = call(x; body), tangent t of x. After: dy = call(x, t; tangent body), whose body computes again what the
tangents need of the primal body; the primal call is kept. It is linear in t, and its transpose is
call(x, ct; transposed body). So the derivative of a fused region is fused, that of a checkpointed one recomputes.
"""
from ..ir import build, dtypes, ops
from ..ir.graph import Graph, ancestors, substitute


def make_call(outputs, variables, arguments, kind, options=(), after=None):
    """The results (nodes) of a call of the body `outputs`, a function of `variables`, with `arguments`.

    What the body uses besides, older than `after` (the oldest variable by default) or a value, becomes an argument.
    """
    if after is None:
        after = min((v.serial for v in variables), default=0) - 1
    outside = captured(outputs, variables, after)
    placeholders = [build.variable(node.aval) for node in outside]
    mapping = {node.serial: p for node, p in zip(outside, placeholders)}
    body = Graph((*variables, *placeholders), substitute(outputs, mapping, after))
    return results(build.make(ops.call, (*arguments, *outside), (body, kind, options)))


def captured(outputs, variables, after):
    """What `outputs` use that is neither newer than `after` nor a constant: nodes, in the order of their making."""
    own, found = {v.serial for v in variables}, {}
    for node in [*ancestors(outputs, after, lambda n: () if n.value is not None else n.inputs), *outputs]:
        for child in (*node.inputs, node) if node.value is None else (node,):
            outside = child.serial <= after or child.value is not None or child.op is ops.leaf
            if outside and not child.op.is_constant and child.serial not in own:
                found[child.serial] = child
    return [found[serial] for serial in sorted(found)]


def results(node):
    """The results of a node with several, as nodes."""
    return [build.project(node, i) for i in range(len(node.aval))]


def derived(kind, options):
    """Options of a body that was derived from a user's: only what he wrote himself must be one kernel."""
    mark = 'derived', True
    return options if kind != 'fuse' or mark in options else (*options, mark)


def call_tangents(node, tangents, push):
    """(list of the results' tangents, call to take the primal's place or None)."""
    body, kind, options = node.params
    live = [i for i, t in enumerate(tangents) if t is not None]
    inner = [build.variable(body.inputs[i].aval) for i in live]
    values, found = push(body.outputs, [body.inputs[i] for i in live], inner)
    kept = [i for i, t in enumerate(found) if t is not None and dtypes.is_inexact(body.outputs[i].aval.dtype)]
    result = [None] * len(found)
    if kept:
        graph, arguments = _pruned([found[i] for i in kept], [*body.inputs, *inner],
                                   [*node.inputs, *[tangents[i] for i in live]])
        call = build.make(ops.call, arguments, (graph, kind, derived(kind, options)))
        call.line = node.line
        for i, tangent in zip(kept, results(call)):
            result[i] = tangent
    replaced = None
    if any(new is not old for new, old in zip(values, body.outputs)):
        replaced = build.make(ops.call, node.inputs, (Graph(body.inputs, values), kind, options))
    return result, replaced


def _pruned(outputs, inputs, arguments):
    """The Graph of those inputs that the outputs depend on, and their arguments."""
    used = {node.serial for node in ancestors(outputs)}
    pairs = [(p, a) for p, a in zip(inputs, arguments) if p.serial in used]
    return Graph([p for p, _ in pairs], outputs), [a for _, a in pairs]


def _call_transpose(ct, node, linear):
    """ct: cotangents by the number of the result."""
    from .transpose import transpose
    body, kind, options = node.params
    indices = sorted(ct)
    inner = [build.variable(body.outputs[i].aval) for i in indices]
    variables = [p for p, flag in zip(body.inputs, linear) if flag]
    found = transpose([body.outputs[i] for i in indices], inner, variables)
    kept = [g for g in found if g is not None]
    if not kept:
        return [None] * len(linear)
    graph, arguments = _pruned(kept, [*body.inputs, *inner], [*node.inputs, *[ct[i] for i in indices]])
    call = build.make(ops.call, arguments, (graph, kind, derived(kind, options)))
    call.line = node.line
    made = iter(results(call))
    cotangents = iter([None if g is None else next(made) for g in found])
    return [next(cotangents) if flag else None for flag in linear]


def _call_jvp(node, tangents):
    from .jvp import push
    return call_tangents(node, tangents, push)[0]


def _loop_jvp(node, tangents):
    raise NotImplementedError('a loop has no derivative: who makes one gives a rule, as custom_linear_solve does')


ops.call.jvp, ops.call.transpose = _call_jvp, _call_transpose
ops.loop.jvp = _loop_jvp
ops.project.jvp = lambda node, tangents: tangents[0][node.params[0]]
ops.project.transpose = lambda ct, node, linear: [{node.params[0]: ct}]
