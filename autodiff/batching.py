"""vmap: the graph of one example rewritten for a batch, the batch axis leading.

Before: y = sin(x) + c with x: f32[3]. After: y' = sin(x') + c with x': f32[B,3]. What doesn't depend on the batched
variables stays as it is and is computed once. Every operation has a rule `batch(node, inputs, flags, size)` that
makes the node for the batch: `inputs` are those of `node`, with the leading axis where `flags` says so.
"""
from ..ir import build, convolution, dtypes, ops
from ..ir.graph import Graph, ancestors, aval, here, release_pending
from .calls import derived
from . import rules  # noqa: F401  (a batched custom rule is differentiated later)


def batch(outputs, variables, nodes, size):
    """(node, whether batched) for each output, with `variables` replaced by `nodes` (batch axis leading)."""
    new = {v.serial: n for v, n in zip(variables, nodes)}
    if not new:
        return [(out, False) for out in outputs]
    for node in ancestors(outputs, min(new) - 1):
        if node.serial in new:
            continue
        flags = [child.serial in new for child in node.inputs]
        if True not in flags:
            continue
        if node.op.batch is None:
            raise NotImplementedError(f'vmap of {node.op.name} is not defined')
        inputs = [new.get(child.serial, child) for child in node.inputs]
        made = new[node.serial] = node.op.batch(node, inputs, flags, size)
        made.line = node.line
    return [(new.get(out.serial, out), out.serial in new) for out in outputs]


# --- helpers -------------------------------------------------------------------------------------------------

def broadcast_batch(x, size):
    """x, the same for every example, with a batch axis."""
    return build.broadcast(x, (size, *x.aval.shape), range(1, x.aval.ndim + 1))


def all_batched(inputs, flags, size):
    return [x if flag else broadcast_batch(x, size) for x, flag in zip(inputs, flags)]


def unbatched_aval(x):
    return aval(x.aval.shape[1:], x.aval.dtype, x.aval.weak)


def _aligned(x, flag, ndim):
    """A batched operand of an operation that broadcasts to ndim axes (the batch's not counted)."""
    missing = ndim + 1 - x.aval.ndim
    if not flag or missing <= 0:
        return x
    return build.reshape(x, (x.aval.shape[0], *[1] * missing, *x.aval.shape[1:]))


def _shift(axes):
    return tuple([axis + 1 for axis in axes])


# --- elementwise, views, joining -------------------------------------------------------------------------------

def _elementwise(node, inputs, flags, size):
    ndim = node.aval.ndim
    return build.make(node.op, [_aligned(x, flag, ndim) for x, flag in zip(inputs, flags)], node.params)


def _unary(function):
    """A rule for operations of one input: function(size, **params) gives the new parameters."""
    def rule(node, inputs, flags, size):
        params = function(size, inputs[0], *node.params)
        return build.make(node.op, inputs, params)
    return rule


def _axis_params(size, x, axis, *rest):
    return axis + 1, *rest


_reshape = _unary(lambda size, x, shape: ((size, *shape),))
_shaped = _unary(lambda size, x, shape, *rest: ((size, *shape), *rest))
_transpose = _unary(lambda size, x, permutation: ((0, *_shift(permutation)),))
_broadcast = _unary(lambda size, x, shape, axes: ((size, *shape), (0, *_shift(axes))))
_slice = _unary(lambda size, x, start, stop, step: ((0, *start), (size, *stop), (1, *step)))
_axes = _unary(lambda size, x, axes: (_shift(axes),))
_axis = _unary(_axis_params)


def _concatenate(node, inputs, flags, size):
    return build.concatenate(all_batched(inputs, flags, size), node.params[0] + 1)


def _slice_update(node, inputs, flags, size):
    start, step = node.params
    x, y = all_batched(inputs, flags, size)
    return build.slice_update(x, y, (0, *start), (1, *step))


# --- indexing --------------------------------------------------------------------------------------------------

def _batched_indices(indices, flags, size, ndim):
    """The index arrays with batch axes, preceded by one that counts the examples."""
    count = build.reshape(build.iota((size,), dtypes.int32), (size, *[1] * ndim))
    return [count, *[_aligned(i, flag, ndim) for i, flag in zip(indices, flags)]]


def _index_ndim(node, first):
    return max(i.aval.ndim for i in node.inputs[first:])


def _gather(node, inputs, flags, size):
    axes, mode = node.params
    x, *indices = inputs
    ndim = _index_ndim(node, 1)
    if not any(flags[1:]):                     # the batch axis stands behind those of the indices
        return build.moveaxis(build.gather(x, indices, _shift(axes), mode), ndim, 0)
    if not flags[0]:
        return build.gather(x, [_aligned(i, flag, ndim) for i, flag in zip(indices, flags[1:])], axes, mode)
    return build.gather(x, _batched_indices(indices, flags[1:], size, ndim), (0, *_shift(axes)), mode)


def _scatter(node, inputs, flags, size):
    axes, mode, kind = node.params
    x, updates = all_batched(inputs[:2], flags[:2], size)
    indices, ndim = inputs[2:], _index_ndim(node, 2)
    if not any(flags[2:]):
        return build.scatter(x, build.moveaxis(updates, 0, ndim), indices, _shift(axes), mode, kind)
    indices = _batched_indices(indices, flags[2:], size, ndim)
    return build.scatter(x, updates, indices, (0, *_shift(axes)), mode, kind)


# --- products, sorting, LAPACK ------------------------------------------------------------------------------------

def _dot_general(node, inputs, flags, size):
    """Both batched: one more batch axis. One batched: a free axis, moved to the front."""
    contract, batch_axes = node.params[:2], node.params[2:]
    new_contract = [_shift(axes) if flag else axes for axes, flag in zip(contract, flags)]
    new_batch = [_shift(axes) if flag else axes for axes, flag in zip(batch_axes, flags)]
    if all(flags):
        return build.dot_general(*inputs, new_contract, [(0, *axes) for axes in new_batch])
    result = build.dot_general(*inputs, new_contract, new_batch)
    at = len(batch_axes[0])
    if flags[1]:
        a = node.inputs[0].aval
        at = a.ndim - len(contract[0])
    return build.moveaxis(result, at, 0)


def _conv(node, inputs, flags, size):
    """Examples of x are more examples; of the weights more results of each group; of both more groups."""
    x, w = inputs
    stride, dilation, groups, feature_first = node.params
    n, o = node.inputs[0].aval.shape[0], node.inputs[1].aval.shape[0]
    if all(flags):
        x = build.moveaxis(x, 0, 1)
        x = build.reshape(x, (n, size * x.aval.shape[2], *x.aval.shape[3:]))
        w = build.reshape(w, (size * o, *w.aval.shape[2:]))
        out, split = convolution.convolve(x, w, stride, dilation, size * groups), (n, size, o)
    elif flags[0]:
        x = build.reshape(x, (size * n, *x.aval.shape[2:]))
        out, split = convolution.convolve(x, w, stride, dilation, groups), (size, n, o)
    else:
        each = w.aval.shape[2:]
        w = build.moveaxis(build.reshape(w, (size, groups, o // groups, *each)), 0, 1)
        w = build.reshape(w, (size * o, *each))
        out, split = convolution.convolve(x, w, stride, dilation, groups), (n, groups, size, o // groups)
    space = out.aval.shape[2:]
    out = build.reshape(out, (*split, *space))
    if not flags[0]:
        out = build.reshape(build.moveaxis(out, 2, 0), (size, n, o, *space))
    elif flags[1]:
        out = build.moveaxis(out, 1, 0)
    return build.moveaxis(out, 2, 1) if feature_first else out


def _searchsorted(node, inputs, flags, size):
    a, v = inputs
    if not flags[0]:
        return build.make(node.op, (a, v), node.params)
    side, dtype = node.params
    return binary_search(a, v if flags[1] else broadcast_batch(v, size), side, dtype)


def binary_search(a, v, side, dtype):
    """Places of v (batch, ...) in the rows of a (batch, n), in as many steps as n has bits. NaNs are largest."""
    size, n = a.aval.shape
    scalar = lambda number: build.literal(number, dtype)
    rows = build.iota(v.aval.shape, dtype)
    low, high = (build.full(v.aval.shape, number, dtype) for number in (0, n))
    if n == 0:
        return low
    for _ in range(n.bit_length()):
        middle = build.apply(ops.shift_right_arithmetic, build.add(low, high), scalar(1))
        open_ = build.lt(low, high)
        pivot = build.gather(a, [rows, middle], (0, 1), 'clip')
        after = _less(pivot, v) if side == 'left' else build.apply(ops.not_, _less(v, pivot))
        low = build.select(build.apply(ops.and_, open_, after), build.add(middle, scalar(1)), low)
        high = build.select(build.apply(ops.and_, open_, build.apply(ops.not_, after)), middle, high)
    return low


def _less(x, y):
    if not dtypes.is_inexact(x.aval.dtype):
        return build.lt(x, y)
    nan_y = build.apply(ops.and_, build.apply(ops.is_nan, y), build.apply(ops.not_, build.apply(ops.is_nan, x)))
    return build.apply(ops.or_, build.lt(x, y), nan_y)


def _solve(node, inputs, flags, size):
    """With one matrix for all examples, the examples become columns of the right-hand side."""
    *matrix, b = inputs
    if any(flags[:-1]):
        return build.make(node.op, all_batched(inputs, flags, size), node.params)
    m = b.aval.shape[-1]
    columns = build.moveaxis(b, 0, b.aval.ndim - 2)
    columns = build.reshape(columns, (*b.aval.shape[1:-1], size * m))
    result = build.make(node.op, (*matrix, columns), node.params)
    result = build.reshape(result, (*result.aval.shape[:-1], size, m))
    return build.moveaxis(result, result.aval.ndim - 2, 0)


def _same(node, inputs, flags, size):
    """For operations over leading axes."""
    return build.make(node.op, all_batched(inputs, flags, size), node.params)


# --- nodes with a body or a rule -----------------------------------------------------------------------------------

def batch_graph(graph, flags, size):
    """The body for a batch: flagged inputs and all outputs have the leading axis."""
    inputs = [build.variable(aval((size, *p.aval.shape), p.aval.dtype, p.aval.weak)) if flag else p
              for p, flag in zip(graph.inputs, flags)]
    pairs = [(old, new) for old, new, flag in zip(graph.inputs, inputs, flags) if flag]
    found = batch(graph.outputs, [old for old, _ in pairs], [new for _, new in pairs], size)
    return Graph(inputs, [out if is_batched else broadcast_batch(out, size) for out, is_batched in found])


def _call(node, inputs, flags, size):
    body, kind, options = node.params
    return build.make(ops.call, inputs, (batch_graph(body, flags, size), kind, derived(kind, options)))


def _loop(node, inputs, flags, size):
    """Examples whose loop has ended keep their state while others go on.

    Before: (x, go) = loop(x, go; body). After: (x', go', any(go')) = loop(x', go', any(go'); body'), where body'
    selects by go' between what the batched body gives and what was there.
    """
    body, = node.params
    count, start = len(body.graph.outputs), len(here.pending)
    inner = batch_graph(body.graph, [True] * count + flags[count:], size)
    old, constants = inner.inputs[:count], inner.inputs[count:]
    kept = [build.select(build.broadcast(old[-1], x.aval.shape, (0,)), x, y) for x, y in zip(inner.outputs, old)]
    some = lambda go: build.make(ops.reduce_or, (go,), ((0,),))
    graph = Graph((*old, build.variable(aval((), dtypes.bool_)), *constants), (*kept, some(kept[-1])))
    release_pending(start)                     # of the body nothing is to be computed outside of the loop
    state = all_batched(inputs[:count], flags, size)
    return build.make(ops.loop, (*state, some(state[-1]), *inputs[count:]), (type(body)(graph),))


def _custom(node, inputs, flags, size):
    rule, index = node.params
    value = inputs[0] if flags[0] else broadcast_batch(inputs[0], size)
    return build.make(ops.custom, (value, *inputs[1:]), (rule.batched(tuple(flags[1:]), size), index))


def _custom_linear(node, inputs, flags, size):
    raise TypeError("forward-mode differentiation (jvp) can't be applied to a custom_vjp function")


# --- registration ----------------------------------------------------------------------------------------------------

for _op in ops.OPS.values():
    if _op.elementwise:
        _op.batch = _elementwise
    elif _op.name.startswith('reduce_'):
        _op.batch = _axes
    elif _op.name.startswith(('cum', 'arg')) or _op is ops.sort:
        _op.batch = _axis

ops.reshape.batch, ops.transpose.batch, ops.broadcast.batch = _reshape, _transpose, _broadcast
ops.slice_.batch, ops.rev.batch = _slice, _axes
ops.concatenate.batch, ops.slice_update.batch = _concatenate, _slice_update
ops.unpack_nibbles.batch = ops.pack_nibbles.batch = _shaped
ops.gather.batch, ops.scatter.batch = _gather, _scatter
ops.dot_general.batch, ops.conv.batch, ops.searchsorted.batch = _dot_general, _conv, _searchsorted
ops.project.batch = _same
ops.partition.batch = _unary(lambda size, x, kth, axis: (kth, axis + 1))
ops.triangular_solve.batch = ops.solve.batch = ops.tridiagonal_solve.batch = ops.least_squares.batch = _solve
ops.call.batch, ops.loop.batch, ops.custom.batch, ops.custom_linear.batch = _call, _loop, _custom, _custom_linear
for _op in (ops.cholesky, ops.inverse, ops.cholesky_update, ops.pivots_to_permutation, ops.lu, ops.qr, ops.eigh,
            ops.eig, ops.svd,
            ops.geqrf, ops.schur, ops.rsf2csf, ops.hessenberg, ops.tridiagonal, ops.eigh_tridiagonal, ops.sylvester,
            ops.sqrtm, ops.expm, ops.expm_frechet, ops.parlett, ops.polar):
    _op.batch = _same
ops.fft.batch = _unary(lambda size, x, kind, axis, length: (kind, axis + 1, length))
ops.dct.batch = _unary(lambda size, x, odd, type_, axis: (odd, type_, axis + 1))
