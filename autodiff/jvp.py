"""Forward mode: tangents are pushed through the graph, node by node.

Before: y = sin(x) * x, tangent t of x. After: dy = t * cos(x) * x + sin(x) * t, new nodes over the old ones; the
old graph is unchanged. A tangent that is zero is None (a symbolic zero) and costs nothing.
"""
from ..ir import build, dtypes, ops
from ..ir.graph import ancestors
from . import rules                                              # enters the rules into the operations
from .scalar import partial


def differentiable_inputs(node):
    """The inputs through which derivatives go: a custom rule hides how the value was computed."""
    return node.inputs[1:] if node.op is ops.custom else node.inputs


def jvp(outputs, variables, tangents):
    """Tangents of `outputs` (None where zero), given those of `variables` (None where zero)."""
    after = min((v.serial for v in variables), default=0) - 1
    known = {v.serial: t for v, t in zip(variables, tangents)}
    zero_from = {v.serial for v in variables}
    for node in ancestors(outputs, after, differentiable_inputs):
        if node.serial in zero_from:
            continue
        incoming = [known.get(c.serial) for c in differentiable_inputs(node)]
        if all(t is None for t in incoming):
            continue
        known[node.serial] = node_tangent(node, incoming)
    return [known.get(out.serial) for out in outputs]


def node_tangent(node, tangents):
    """The tangent of one node from its inputs' tangents."""
    op = node.op
    if isinstance(node.aval, tuple):
        return op.jvp(node, tangents)
    if not dtypes.is_inexact(node.aval.dtype):
        return None
    if op.jvp is not None:
        return op.jvp(node, tangents)
    if op.partials is not None:
        return elementwise_tangent(node, tangents)
    raise NotImplementedError(f'the derivative of {op.name} is not defined')


def elementwise_tangent(node, tangents):
    """Sum over the operands of tangent times partial derivative."""
    total = None
    for index, tangent in enumerate(tangents):
        term = None if tangent is None else partial(node, index, tangent)
        if term is not None:
            total = term if total is None else build.add(total, term)
    return None if total is None else build.broadcast_to(total, node.aval.shape)
