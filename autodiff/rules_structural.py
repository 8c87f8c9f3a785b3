"""Derivative and transposition rules of joining, indexing, reductions and products."""
from ..ir import build, ops
from . import rules as _rules


def _concatenate_transpose(ct, node, linear):
    axis, = node.params
    parts, at = [], 0
    for x in node.inputs:
        n = x.aval.shape[axis]
        parts.append(build.slice_axis(ct, axis, at, at + n))
        at += n
    return parts


def _slice_update_transpose(ct, node, linear):
    start, step = node.params
    x, y = node.inputs
    ct_x = build.slice_update(ct, build.zeros(y.aval), start, step) if linear[0] else None
    stop = [a + max(0, (n - 1) * s + 1) if n else a for a, n, s in zip(start, y.aval.shape, step)]
    return [ct_x, build.slice_(ct, start, stop, step) if linear[1] else None]


def _reduce_sum_transpose(ct, x, axes):
    kept = [axis for axis in range(x.aval.ndim) if axis not in axes]
    return build.broadcast(ct, x.aval.shape, kept)


def _dot_general_jvp(node, tangents):
    (a, b), (ta, tb) = node.inputs, tangents
    first = build.make(ops.dot_general, (ta, b), node.params) if ta is not None else None
    second = build.make(ops.dot_general, (a, tb), node.params) if tb is not None else None
    return second if first is None else first if second is None else build.add(first, second)


def _dot_general_transpose(ct, node, linear):
    """Each operand's cotangent is the product of ct with the other, axes put back where they were."""
    return [_operand_cotangent(ct, node, side) if flag else None for side, flag in enumerate(linear)]


def _operand_cotangent(ct, node, side):
    contract, batch = node.params[:2], node.params[2:]
    x, y = node.inputs[side], node.inputs[1 - side]
    free = lambda of, s: [a for a in range(of.aval.ndim) if a not in contract[s] and a not in batch[s]]
    free_x, free_y = free(x, side), free(y, 1 - side)
    n_batch = len(batch[0])
    offset = n_batch + (len(free_x) if side == 0 else 0)
    ct_y = list(range(offset, offset + len(free_y)))              # axes of ct that belong to y
    product = build.dot_general(ct, y, (ct_y, free_y), (list(range(n_batch)), batch[1 - side]))
    # axes of the product: batch, free axes of x, then y's contracted axes in y's order
    contracted = [contract[side][contract[1 - side].index(a)] for a in sorted(contract[1 - side])]
    order = list(batch[side]) + free_x + contracted
    return build.transpose(product, build.inverse_permutation(order))


ops.concatenate.jvp, ops.concatenate.transpose = _rules.jointly_linear_jvp, _concatenate_transpose
ops.slice_update.jvp, ops.slice_update.transpose = _rules.jointly_linear_jvp, _slice_update_transpose
ops.reduce_sum.jvp, ops.reduce_sum.transpose = _rules.linear_jvp, _rules.unary_transpose(_reduce_sum_transpose)
ops.dot_general.jvp, ops.dot_general.transpose = _dot_general_jvp, _dot_general_transpose
