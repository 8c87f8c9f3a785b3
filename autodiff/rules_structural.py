"""Derivative and transposition rules of joining, indexing, reductions, cumulative operations and products."""
from ..ir import build, convolution, dtypes, ops
from . import rules as _rules


# --- joining ---------------------------------------------------------------------------------------------------

def _concatenate_transpose(ct, node, linear):
    axis, = node.params
    parts, at = [], 0
    for x, flag in zip(node.inputs, linear):
        n = x.aval.shape[axis]
        parts.append(build.slice_axis(ct, axis, at, at + n) if flag else None)
        at += n
    return parts


def _slice_update_transpose(ct, node, linear):
    start, step = node.params
    x, y = node.inputs
    ct_x = build.slice_update(ct, build.zeros(y.aval), start, step) if linear[0] else None
    stop = [a + max(0, (n - 1) * s + 1) if n else a for a, n, s in zip(start, y.aval.shape, step)]
    return [ct_x, build.slice_(ct, start, stop, step) if linear[1] else None]


ops.concatenate.jvp, ops.concatenate.transpose = _rules.jointly_linear_jvp, _concatenate_transpose
ops.slice_update.jvp, ops.slice_update.transpose = _rules.jointly_linear_jvp, _slice_update_transpose


# --- indexing --------------------------------------------------------------------------------------------------

def _zero(x):
    return build.scalar_like(x, 0)


def _masked(mask, x):
    return build.select(mask, x, _zero(x))


def gather_or_zero(x, indices, axes, mode):
    """A gather that is zero where mode 'fill' would give NaN: what linear maps need."""
    if mode != 'fill':
        return build.gather(x, indices, axes, mode)
    inside = None
    for index, axis in zip(indices, axes):
        size = build.literal(x.aval.shape[axis], dtypes.int64)
        index = build.convert(index, dtypes.int64)
        ok = build.apply(ops.and_, build.ge(index, build.literal(0, dtypes.int64)), build.lt(index, size))
        inside = ok if inside is None else build.apply(ops.and_, inside, ok)
    rest = x.aval.ndim - len(axes)
    inside = build.reshape(inside, (*inside.aval.shape, *[1] * rest))
    if not x.aval.size:                        # nothing to take, and no index that could be clipped
        return _no_elements(x, inside, axes)
    return _masked(inside, build.gather(x, indices, axes, 'clip'))


def _no_elements(x, inside, axes):
    rest = [n for axis, n in enumerate(x.aval.shape) if axis not in axes]
    ndim = inside.aval.ndim - len(rest)
    return build.full((*inside.aval.shape[:ndim], *rest), 0, x.aval.dtype)


def _gather_jvp(node, tangents):
    axes, mode = node.params
    return gather_or_zero(tangents[0], node.inputs[1:], axes, mode)


def _gather_transpose(ct, node, linear):
    axes, mode = node.params
    x, *indices = node.inputs
    return [build.scatter(build.zeros(x.aval), ct, indices, axes, mode, 'add'), *[None] * len(indices)]


def _winners(node):
    """For a scatter of kind 'set' whether each index's update is the one that stays, shaped for the updates."""
    x, updates, *indices = node.inputs
    axes, mode, _ = node.params
    window = x.aval.ndim - len(axes)
    shape = updates.aval.shape[:updates.aval.ndim - window]
    count = 1
    for n in shape:
        count *= n
    numbers = build.reshape(build.iota((count,), dtypes.int32), shape)
    board = build.full([x.aval.shape[axis] for axis in axes], -1, dtypes.int32)
    order = range(len(axes))
    board = build.scatter(board, numbers, indices, order, mode, 'set')
    won = build.eq(build.gather(board, indices, order, 'clip' if mode == 'fill' else mode), numbers)
    return build.reshape(won, (*shape, *[1] * window))


def _scatter_jvp(node, tangents):
    x, updates, *indices = node.inputs
    axes, mode, kind = node.params
    tx, tu = [build.zeros(v.aval) if t is None else t for v, t in zip((x, updates), tangents)]
    if kind in ('set', 'add'):
        return build.scatter(tx, tu, indices, axes, mode, kind)
    rule = _scatter_mul_jvp if kind == 'mul' else _scatter_extreme_jvp
    return rule(node, x, updates, indices, tx, tu, axes, mode)


def _scatter_mul_jvp(node, x, updates, indices, tx, tu, axes, mode):
    """x times each update's tangent times the product of the other updates of the same element."""
    ones = build.ones(x.aval)
    is_zero = build.eq(updates, _zero(updates))
    nonzero = build.select(is_zero, build.scalar_like(updates, 1), updates)
    zeros_here = build.scatter(build.zeros(x.aval), build.convert(is_zero, x.aval.dtype), indices, axes, mode, 'add')
    take = lambda values: gather_or_zero(values, indices, axes, mode)
    product = take(build.scatter(ones, nonzero, indices, axes, mode, 'mul'))
    count = take(zeros_here)
    others = build.select(is_zero, _masked(build.eq(count, build.scalar_like(count, 1)), product),
                          _masked(build.eq(count, _zero(count)), build.div(product, nonzero)))
    from_updates = build.scatter(build.zeros(x.aval), build.mul(tu, build.mul(take(x), others)), indices, axes, mode,
                                 'add')
    return build.add(build.mul(tx, build.scatter(ones, updates, indices, axes, mode, 'mul')), from_updates)


def _scatter_extreme_jvp(node, x, updates, indices, tx, tu, axes, mode):
    """Shared equally among the element itself and the updates that equal the result."""
    from_x, from_u = build.eq(x, node), build.eq(updates, gather_or_zero(node, indices, axes, mode))
    as_float = lambda mask: build.convert(mask, x.aval.dtype)
    count = build.scatter(as_float(from_x), as_float(from_u), indices, axes, mode, 'add')
    total = build.scatter(_masked(from_x, tx), _masked(from_u, tu), indices, axes, mode, 'add')
    return build.div(total, count)


def _scatter_transpose(ct, node, linear):
    x, updates, *indices = node.inputs
    axes, mode, kind = node.params
    ct_x = ct_u = None
    if linear[0]:
        ct_x = ct if kind == 'add' else build.scatter(ct, build.zeros(updates.aval), indices, axes, mode, 'set')
    if linear[1]:
        ct_u = gather_or_zero(ct, indices, axes, mode)
        if kind == 'set':
            ct_u = _masked(_winners(node), ct_u)
    return [ct_x, ct_u, *[None] * len(indices)]


ops.gather.jvp, ops.gather.transpose = _gather_jvp, _gather_transpose
ops.scatter.jvp, ops.scatter.transpose = _scatter_jvp, _scatter_transpose


def take_along_axis(x, indices, axis):
    """x at `indices` (of x's number of axes) along one axis."""
    shape = indices.aval.shape
    places = [indices if a == axis else build.iota(shape, indices.aval.dtype, a) for a in range(len(shape))]
    return build.gather(x, places, range(len(shape)), 'clip')


# --- reductions ------------------------------------------------------------------------------------------------

def _spread(x, like, axes):
    """A reduction's result against the array that was reduced."""
    kept = [axis for axis in range(like.aval.ndim) if axis not in axes]
    return build.broadcast(x, like.aval.shape, kept)


def _reduce_sum_transpose(ct, x, axes):
    return _spread(ct, x, axes)


def _reduce_extreme_jvp(node, tangents):
    """The mean of the tangents of those elements that equal the result."""
    axes, x = node.params[0], node.inputs[0]
    hit = build.eq(x, _spread(node, x, axes))
    count = build.reduce_sum(build.convert(hit, node.aval.dtype), axes)
    return build.div(build.reduce_sum(_masked(hit, tangents[0]), axes), count)


def _reduce_prod_jvp(node, tangents):
    """Each tangent times the product of the other elements, which is exact where elements are zero."""
    axes, x = node.params[0], node.inputs[0]
    if not axes:
        return tangents[0]
    kept = [axis for axis in range(x.aval.ndim) if axis not in axes]
    rows = lambda v: build.reshape(build.transpose(v, [*kept, *axes]), (*node.aval.shape, _count(x, axes)))
    flat, last = rows(x), len(kept)
    others = build.mul(_exclusive_product(flat, last, False), _exclusive_product(flat, last, True))
    return build.reduce_sum(build.mul(rows(tangents[0]), others), (last,))


def _count(x, axes):
    count = 1
    for axis in axes:
        count *= x.aval.shape[axis]
    return count


def _exclusive_product(x, axis, reverse):
    """Products of the elements before each one (after it, if reverse)."""
    if not x.aval.size:
        return x
    return shifted(build.make(ops.cumprod, (x,), (axis, reverse)), axis, 1, 1, reverse)


def shifted(x, axis, by, fill, reverse=False):
    """x moved `by` places along an axis, `fill` (a number) coming in."""
    n = x.aval.shape[axis]
    by = min(by, n)
    rest = build.slice_axis(x, axis, by, n) if reverse else build.slice_axis(x, axis, 0, n - by)
    amounts = [by if a == axis else 0 for a in range(x.aval.ndim)]
    zero = [0] * x.aval.ndim
    low, high = (zero, amounts) if reverse else (amounts, zero)
    return build.pad(rest, low, high, build.literal(fill, x.aval.dtype))


def no_tangent(node, tangents):
    """Of operations that are constant almost everywhere or not of a floating-point type."""
    return None


ops.reduce_sum.jvp, ops.reduce_sum.transpose = _rules.linear_jvp, _rules.unary_transpose(_reduce_sum_transpose)
ops.reduce_max.jvp = ops.reduce_min.jvp = _reduce_extreme_jvp
ops.reduce_prod.jvp = _reduce_prod_jvp
for _op in (ops.reduce_and, ops.reduce_or, ops.argmax, ops.argmin, ops.argsort, ops.searchsorted, ops.iota):
    _op.jvp = no_tangent


# --- cumulative --------------------------------------------------------------------------------------------------

def recurrence(a, b, axis, reverse):
    """h[i] = a[i] * h[i-1] + b[i] along an axis by doubling (Hillis and Steele 1986): linear in b, log2(n) steps."""
    step, n = 1, a.aval.shape[axis]
    while step < n:
        b = build.add(b, build.mul(a, shifted(b, axis, step, 0, reverse)))
        a = build.mul(a, shifted(a, axis, step, 0, reverse))
        step *= 2
    return b


def _cumprod_jvp(node, tangents):
    """y[i] = x[i] y[i-1], hence dy[i] = x[i] dy[i-1] + y[i-1] dx[i]: right where elements are zero, to any order."""
    axis, reverse = node.params
    before = shifted(node, axis, 1, 1, reverse)
    return recurrence(node.inputs[0], build.mul(tangents[0], before), axis, reverse)


def _cumlogsumexp_jvp(node, tangents):
    """dy[i] = exp(y[i-1] - y[i]) dy[i-1] + exp(x[i] - y[i]) dx[i]; weights of -inf are zero."""
    axis, reverse = node.params
    before = shifted(node, axis, 1, -float('inf'), reverse)
    weight = lambda v: _masked(build.apply(ops.gt, v, build.literal(-float('inf'), v.aval.dtype)),
                               build.apply(ops.exp, build.sub(v, node)))
    return recurrence(weight(before), build.safe_mul(tangents[0], weight(node.inputs[0])), axis, reverse)


def _cumextreme_jvp(node, tangents):
    """The tangent of the element that the extreme so far was first seen at."""
    axis, reverse = node.params
    flip = (lambda v: build.rev(v, (axis,))) if reverse else (lambda v: v)
    x, y, t = flip(node.inputs[0]), flip(node), flip(tangents[0])
    if not x.aval.size:
        return tangents[0]
    order = ops.le if node.op is ops.cummax else ops.ge
    places = build.iota(x.aval.shape, dtypes.int32, axis)
    stays = build.apply(order, x, shifted(y, axis, 1, 0))
    first = build.eq(places, build.literal(0, dtypes.int32))
    record = build.apply(ops.or_, first, build.apply(ops.not_, stays))
    found = build.make(ops.cummax, (_masked(record, places),), (axis, False))
    return flip(take_along_axis(t, found, axis))


ops.cumsum.jvp = _rules.linear_jvp
ops.cumsum.transpose = _rules.unary_transpose(
    lambda ct, x, axis, reverse: build.make(ops.cumsum, (ct,), (axis, not reverse)))
ops.cumprod.jvp, ops.cumlogsumexp.jvp = _cumprod_jvp, _cumlogsumexp_jvp
ops.cummax.jvp = ops.cummin.jvp = _cumextreme_jvp


# --- products ------------------------------------------------------------------------------------------------------

def _product_jvp(node, tangents):
    (a, b), (ta, tb) = node.inputs, tangents
    first = build.make(node.op, (ta, b), node.params) if ta is not None else None
    second = build.make(node.op, (a, tb), node.params) if tb is not None else None
    return second if first is None else first if second is None else build.add(first, second)


def _dot_general_transpose(ct, node, linear):
    """Each operand's cotangent is the product of ct with the other, axes put back where they were."""
    _rules.check_bilinear(node, linear)
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


def _conv_transpose(ct, node, linear):
    _rules.check_bilinear(node, linear)
    x, w = node.inputs
    stride, dilation, groups, feature_first = node.params
    ct = build.moveaxis(ct, 1, 0) if feature_first else ct
    rules = convolution.input_cotangent, convolution.weight_cotangent
    return [rule(ct, x, w, stride, dilation, groups) if flag else None for rule, flag in zip(rules, linear)]


ops.dot_general.jvp, ops.dot_general.transpose = _product_jvp, _dot_general_transpose
ops.conv.jvp, ops.conv.transpose = _product_jvp, _conv_transpose
