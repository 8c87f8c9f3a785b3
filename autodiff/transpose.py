"""Reverse mode: the linear graph that forward mode made, run backwards.

Before: dy = mul(t, c), cotangent ct of dy. After: the cotangent of t is mul(ct, c). Every linear operation has a
rule `transpose(ct, node, linear)` that gives the cotangents of its inputs, None for those that aren't linear.
"""
from ..ir import build
from ..ir.graph import ancestors, dependents
from . import rules  # noqa: F401  (enters the rules into the operations)


def transpose(outputs, cotangents, variables):
    """Cotangents of `variables` (None where zero) under which `outputs` are linear in them."""
    if not variables:
        return []
    after = min(v.serial for v in variables) - 1
    nodes = ancestors([out for out in outputs if out is not None], after)
    linear = dependents(nodes, variables)
    known = {}
    for out, ct in zip(outputs, cotangents):
        if out is not None and ct is not None:
            _accumulate(known, out, ct)
    arguments = {v.serial for v in variables}
    for node in reversed(nodes):
        if node.serial in arguments or node.serial not in known or node.serial not in linear:
            continue
        ct = known.pop(node.serial)
        flags = [c.serial in linear for c in node.inputs]
        if node.op.transpose is None:
            raise NotImplementedError(f'the transpose of {node.op.name} is not defined: a derivative rule or a '
                                      'function to transpose must be linear in its tangents')
        for child, value, flag in zip(node.inputs, node.op.transpose(ct, node, flags), flags):
            if flag and value is not None:
                _accumulate(known, child, value)
    return [known.get(v.serial) for v in variables]


def _accumulate(known, node, ct):
    """Cotangents add up; those of a node with several results are kept apart, in a dict by index."""
    old = known.get(node.serial)
    if isinstance(ct, dict):
        merged = dict(old or {})
        for index, value in ct.items():
            merged[index] = build.add(merged[index], value) if index in merged else value
        known[node.serial] = merged
    else:
        known[node.serial] = ct if old is None else build.add(old, ct)
