"""Forward mode: tangents are pushed through the graph, node by node.

Before: y = sin(x) * x, tangent t of x. After: dy = t * cos(x) * x + sin(x) * t, new nodes over the old ones; the
old graph is unchanged. A tangent that is zero is None (a symbolic zero) and costs nothing. The tangent of a node
with several results is a list.
"""
from ..ir import build, dtypes, ops
from ..ir.graph import Node, ancestors
from . import rules                                              # noqa: F401  (enters the rules into the operations)
from .calls import call_tangents
from .custom import custom_tangent
from .scalar import partial


def differentiable_inputs(node):
    """The inputs through which derivatives go: a custom rule hides how the value was computed."""
    return node.inputs[1:] if node.op is ops.custom else node.inputs


def jvp(outputs, variables, tangents):
    """Tangents of `outputs` (None where zero), given those of `variables` (None where zero)."""
    return push(outputs, variables, tangents)[1]


def push(outputs, variables, tangents):
    """(outputs, their tangents). The outputs are the given ones but behind a custom_vjp function: there they are
    computed from what its forward pass returns, so that they can be differentiated again."""
    after = min((v.serial for v in variables), default=0) - 1
    known = {v.serial: t for v, t in zip(variables, tangents)}
    given, seen, new = set(known), {}, {}
    nodes = ancestors(outputs, after, differentiable_inputs)
    wanted, guarded = None, _guarded(nodes)
    if any(node.op is ops.call or node.op is ops.custom and node.params[0].reverse_only for node in nodes):
        wanted = {node.serial for node in nodes}
        nodes = ancestors(outputs, after)                        # values hidden by other custom rules are rebuilt too
    for node in nodes:
        serial = node.serial
        if serial in given:
            continue
        primal = _rebuilt(node, new) if new else node
        if wanted is not None and serial not in wanted:
            continue
        incoming = [known.get(child.serial) for child in differentiable_inputs(node)]
        for tangent in incoming:
            if tangent is not None:
                break
        else:
            continue
        if node.op is ops.call:
            known[serial], replaced = call_tangents(primal, incoming, push)
        elif node.op is ops.custom:
            known[serial], replaced = custom_tangent(primal, incoming, seen)
        else:
            known[serial], replaced = node_tangent(primal, incoming, serial in guarded), None
        if replaced is not None:
            new[serial] = replaced
    return [new.get(out.serial, out) for out in outputs], [known.get(out.serial) for out in outputs]


def _rebuilt(node, new):
    """The node over replaced inputs; itself where none was replaced."""
    for child in node.inputs:
        if child.serial in new:
            break
    else:
        return node
    inputs = tuple([new.get(child.serial, child) for child in node.inputs])
    copy = new[node.serial] = Node(node.op, inputs, node.params, node.aval, node.value)
    copy.line = node.line
    return copy


def _guarded(nodes):
    """Serials of nodes that a `select` or a `safe_mul` may discard elements of.

    Their cotangents can be exactly zero where their derivative is infinite or NaN: it is multiplied by `safe_mul`,
    so that the branch that wasn't taken contributes nothing. Nothing comes back through `stop_gradient`.
    """
    found = set()
    for node in reversed(nodes):
        if node.op is ops.stop_gradient:
            continue
        if node.serial in found or node.op is ops.select or node.op is ops.safe_mul:
            for child in node.inputs:
                found.add(child.serial)
    return found


def node_tangent(node, tangents, guarded=False):
    """The tangent of one node from its inputs' tangents."""
    op = node.op
    if not isinstance(node.aval, tuple) and not dtypes.is_inexact(node.aval.dtype):
        return None
    if op.jvp is not None:
        return op.jvp(node, tangents)
    if op.partials is not None:
        return elementwise_tangent(node, tangents, guarded)
    raise NotImplementedError(f'the derivative of {op.name} is not defined')


def elementwise_tangent(node, tangents, guarded):
    """Sum over the operands of tangent times partial derivative."""
    total = None
    for index, tangent in enumerate(tangents):
        term = None if tangent is None else partial(node, index, tangent, guarded)
        if term is not None:
            total = term if total is None else build.add(total, term)
    return None if total is None else build.broadcast_to(total, node.aval.shape)
