"""Derivative and transposition rules of elementwise operations and views; others stand in rules_*.py.

jvp(node, tangents) -> tangent; transpose(ct, node, linear) -> cotangents of the inputs (None where not linear).
"""
from ..ir import build, dtypes, ops


def linear_jvp(node, tangents):
    """For operations that are linear in their first input: the same operation on the tangent."""
    return build.make(node.op, (tangents[0], *node.inputs[1:]), node.params)


def jointly_linear_jvp(node, tangents):
    """For operations that are linear in all inputs together."""
    tangents = [build.zeros(x.aval) if t is None else t for x, t in zip(node.inputs, tangents)]
    return build.make(node.op, tangents, node.params)


def unary_transpose(function):
    """A rule for operations of one input from (ct, x, **params)."""
    def rule(ct, node, linear):
        return [function(ct, node.inputs[0], **dict(zip(node.op.param_names, node.params or ())))]
    return rule


def elementwise_transpose(function):
    """A rule from function(ct, node, index); sums over what broadcasting had added."""
    def rule(ct, node, linear):
        return [build.sum_to(function(ct, node, i), x.aval.shape) if flag else None
                for i, (x, flag) in enumerate(zip(node.inputs, linear))]
    return rule


def check_bilinear(node, linear):
    """A product of two tangents is not linear: a rule that was given by the user may make one."""
    if linear[0] and linear[1]:
        raise ValueError(f'{node.op.name} of two values that depend on the tangents is not linear in them')


def bilinear_transpose(function):
    """As elementwise_transpose, for operations that are linear in each operand but not in both together."""
    rule = elementwise_transpose(function)

    def checked(ct, node, linear):
        check_bilinear(node, linear)
        return rule(ct, node, linear)
    return checked


# --- elementwise -----------------------------------------------------------------------------------------------

for _op in (ops.identity, ops.fusion_barrier, ops.neg, ops.conj, ops.real, ops.imag):
    _op.jvp = linear_jvp
ops.identity.transpose = ops.fusion_barrier.transpose = unary_transpose(lambda ct, x: ct)
ops.neg.transpose = unary_transpose(lambda ct, x: build.neg(ct))
ops.conj.transpose = unary_transpose(lambda ct, x: build.conj(ct))
ops.real.transpose = unary_transpose(lambda ct, x: build.complex_(ct, build.zeros(ct.aval)))
ops.imag.transpose = unary_transpose(lambda ct, x: build.complex_(build.zeros(ct.aval), build.neg(ct)))
ops.complex_.jvp = jointly_linear_jvp
ops.complex_.transpose = elementwise_transpose(
    lambda ct, node, i: build.neg(build.imag(ct)) if i else build.real(ct))
ops.add.transpose = elementwise_transpose(lambda ct, node, i: ct)
ops.sub.transpose = elementwise_transpose(lambda ct, node, i: build.neg(ct) if i else ct)
ops.mul.transpose = bilinear_transpose(lambda ct, node, i: build.mul(ct, node.inputs[1 - i]))
# safe_mul(t, d) is zero where t is: so is the transpose of the map d -> safe_mul(t, d).
ops.safe_mul.transpose = bilinear_transpose(
    lambda ct, node, i: build.safe_mul(node.inputs[0], ct) if i else build.safe_mul(ct, node.inputs[1]))
ops.div.transpose = bilinear_transpose(lambda ct, node, i: build.div(ct, node.inputs[1]))


def _safe_mul_jvp(node, tangents):
    (x, y), (tx, ty) = node.inputs, tangents
    total = None if tx is None else build.safe_mul(tx, y)
    if ty is not None:
        term = build.safe_mul(x, ty)
        total = term if total is None else build.add(total, term)
    return build.broadcast_to(total, node.aval.shape)


def _div_jvp(node, tangents):
    """Tangents of zero stay zero where y is; where y is a literal it is none."""
    y, (tx, ty) = node.inputs[1], tangents
    total = None
    if tx is not None:
        inverse = y.op is not ops.literal
        total = build.safe_mul(tx, build.apply(ops.reciprocal, y)) if inverse else build.div(tx, y)
    if ty is not None:
        term = build.neg(build.safe_mul(ty, build.div(node, y)))
        total = term if total is None else build.add(total, term)
    return build.broadcast_to(total, node.aval.shape)


def _is_complex(x):
    return dtypes.kind(x.aval.dtype) == 'c'


def _one_for_zero(x):
    return build.select(build.eq(x, build.scalar_like(x, 0)), build.scalar_like(x, 1), x)


def _abs_jvp(node, tangents):
    x, t = node.inputs[0], tangents[0]
    if not _is_complex(x):
        return build.mul(t, build.apply(ops.sign, x))
    direction = build.div(build.conj(x), build.convert(_one_for_zero(node), x.aval.dtype))
    return build.real(build.mul(t, direction))


def _sign_jvp(node, tangents):
    """Zero; of a complex number x / |x| what turns it."""
    x, t = node.inputs[0], tangents[0]
    if not _is_complex(x):
        return None
    turning = build.div(t, build.convert(_one_for_zero(build.apply(ops.abs_, x)), x.aval.dtype))
    along = build.real(build.mul(build.conj(node), turning))
    return build.sub(turning, build.mul(node, build.convert(along, x.aval.dtype)))


def _convert_jvp(node, tangents):
    dtype = node.params[0]
    if not dtypes.is_inexact(node.inputs[0].aval.dtype):
        return None
    return build.convert(tangents[0], dtype)


def _convert_transpose(ct, node, linear):
    return [build.convert(ct, node.inputs[0].aval.dtype)]


def _select_jvp(node, tangents):
    predicate, tx, ty = node.inputs[0], tangents[1], tangents[2]
    if tx is None and ty is None:
        return None
    zero = build.literal(0, node.aval.dtype, True)
    result = build.select(predicate, zero if tx is None else tx, zero if ty is None else ty)
    return build.broadcast_to(result, node.aval.shape)


def _select_transpose(ct, node, linear):
    predicate, x, y = node.inputs
    zero = build.scalar_like(ct, 0)
    ct_x = build.sum_to(build.select(predicate, ct, zero), x.aval.shape) if linear[1] else None
    ct_y = build.sum_to(build.select(predicate, zero, ct), y.aval.shape) if linear[2] else None
    return [None, ct_x, ct_y]


ops.div.jvp, ops.abs_.jvp, ops.select.jvp = _div_jvp, _abs_jvp, _select_jvp
ops.sign.jvp, ops.safe_mul.jvp = _sign_jvp, _safe_mul_jvp
for _op in ops.OPS.values():                                     # comparisons and arithmetic of bits have no tangents
    if _op.elementwise and _op.jvp is None and (_op.result == 'bool' or not set(_op.classes) & set('fc')):
        _op.jvp = lambda node, tangents: None
ops.select.transpose = _select_transpose
ops.convert.jvp, ops.convert.transpose = _convert_jvp, _convert_transpose
ops.stop_gradient.jvp = lambda node, tangents: None
ops.bitcast.jvp = ops.unpack_nibbles.jvp = ops.pack_nibbles.jvp = lambda node, tangents: None


# --- views -----------------------------------------------------------------------------------------------------

for _op in (ops.reshape, ops.transpose, ops.broadcast, ops.slice_, ops.rev):
    _op.jvp = linear_jvp


def _broadcast_transpose(ct, x, shape, axes):
    added = [axis for axis in range(len(shape)) if axis not in axes]
    stretched = [axis for n, axis in zip(x.aval.shape, axes) if n == 1 and shape[axis] != 1]
    summed = build.reduce_sum(ct, added + stretched)
    kept = [axis for axis in axes if axis not in stretched]          # in the order of x, those of `summed` ascend
    ordered = build.transpose(summed, [sorted(kept).index(axis) for axis in kept])
    return build.reshape(ordered, x.aval.shape)


ops.reshape.transpose = unary_transpose(lambda ct, x, shape: build.reshape(ct, x.aval.shape))
ops.transpose.transpose = unary_transpose(
    lambda ct, x, permutation: build.transpose(ct, build.inverse_permutation(permutation)))
ops.broadcast.transpose = unary_transpose(_broadcast_transpose)
ops.slice_.transpose = unary_transpose(
    lambda ct, x, start, stop, step: build.slice_update(build.zeros(x.aval), ct, start, step))
ops.rev.transpose = unary_transpose(lambda ct, x, axes: build.rev(ct, axes))


# --- others: they use the helpers above ------------------------------------------------------------------------------
from . import calls, custom, rules_library, rules_matrices, rules_structural  # noqa: E402,F401
