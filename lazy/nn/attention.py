"""Attention."""
import math

from ..array import as_node, wrap
from ..ir import build, dtypes, ops
from .normalize import logsumexp, softmax

__all__ = ['dot_product_attention']


def dot_product_attention(query, key, value, bias=None, mask=None, *, scale=None, is_causal=False,
                          query_seq_lengths=None, key_value_seq_lengths=None, local_window_size=None,
                          implementation=None, return_residual=False):
    """softmax(query key^T scale + bias) value.

    query: [B, T, N, H] or [T, N, H]; key, value: [B, S, K, H], N a multiple of K (each key head serves N/K query
    heads). bias, mask: broadcast to [B, N, T, S]; a mask is True where to attend. scale: 1/sqrt(H) by default.
    is_causal: position t attends to positions up to t. *_seq_lengths: [B]. local_window_size: an int or (left,
    right). implementation: None or 'xla'. return_residual: also the logsumexp [B, T, N]. Softmax in float32.

    Source: Vaswani et al., Attention is all you need, 2017.

    >>> import lazy, lazy.numpy as np
    >>> x = np.ones((1, 4, 2, 8))
    >>> lazy.nn.dot_product_attention(x, x, x, is_causal=True).shape
    (1, 4, 2, 8)
    """
    if implementation not in (None, 'xla'):
        raise ValueError(f'dot_product_attention: there is no implementation {implementation!r}')
    q, k, v = (as_node(x) for x in (query, key, value))
    batched = q.aval.ndim == 4
    if not batched:
        q, k, v = (build.expand_dims(x, (0,)) for x in (q, k, v))
    if q.aval.ndim != 4 or k.aval.ndim != 4 or k.aval.shape != v.aval.shape:
        raise ValueError(f'dot_product_attention: query, key and value must have 3 or 4 dimensions, and key and value '
                         f'one shape, got {as_node(query).aval.shape}, {as_node(key).aval.shape}, '
                         f'{as_node(value).aval.shape}')
    (b, t, n, h), (s, groups) = q.aval.shape, k.aval.shape[1:3]
    if n % groups or k.aval.shape[0] != b or k.aval.shape[3] != h:
        raise ValueError(f'dot_product_attention: query {q.aval.shape} and key {k.aval.shape} do not fit')
    wide = dtypes.held_as(q.aval.dtype)
    q5 = build.reshape(build.convert(q, wide), (b, t, groups, n // groups, h))
    logits = build.dot_general(q5, build.convert(k, wide), ((4,), (3,)), ((0, 2), (0, 2)))      # b, k, t, g, s
    logits = build.reshape(build.transpose(logits, (0, 1, 3, 2, 4)), (b, n, t, s))
    logits = wrap(logits) * (1 / math.sqrt(h) if scale is None else scale)
    if bias is not None:
        logits = wrap(build.convert((logits + wrap(_four(bias)))._node, wide))
    allowed = _allowed(mask, is_causal, query_seq_lengths, key_value_seq_lengths, local_window_size, t, s)
    node = logits._node
    if allowed is not None:
        low = -0.7 * 3.4028234663852886e38                            # finite: a row without any stays finite
        node = build.select(build.broadcast_to(allowed, (b, n, t, s)), node, build.scalar_like(node, low))
    weights = build.convert(softmax(wrap(node))._node, k.aval.dtype)
    weights = build.reshape(weights, (b, groups, n // groups, t, s))
    result = build.dot_general(weights, v, ((4,), (1,)), ((0, 1), (0, 2)))                        # b, k, g, t, h
    result = build.reshape(build.transpose(result, (0, 3, 1, 2, 4)), (b, t, n, h))
    if query_seq_lengths is not None:
        inside = _below(_four_lengths(query_seq_lengths), (1, t, 1, 1), 1)
        result = build.mul(result, build.convert(inside, result.aval.dtype))
    result = result if batched else build.squeeze(result, (0,))
    if not return_residual:
        return wrap(result)
    residual = build.transpose(logsumexp(wrap(node), axis=-1)._node, (0, 2, 1))
    residual = build.apply(ops.stop_gradient, build.convert(residual, k.aval.dtype))
    return wrap(result), wrap(residual if batched else build.squeeze(residual, (0,)))


def _four(x):
    node = as_node(x)
    return build.reshape(node, (1,) * (4 - node.aval.ndim) + node.aval.shape)


def _four_lengths(lengths):
    node = as_node(lengths)
    return build.reshape(node, (node.aval.size, 1, 1, 1))


def _below(lengths, shape, axis):
    """Whether the position along an axis is below the length of the example."""
    return build.lt(build.iota(shape, lengths.aval.dtype, axis), lengths)


def _allowed(mask, is_causal, query_lengths, key_lengths, window, t, s):
    """Where to attend, broadcastable to [B, N, T, S]; None for everywhere."""
    masks = [] if mask is None else [build.convert(_four(mask), dtypes.bool_)]
    rows, columns = build.iota((1, 1, t, s), dtypes.int32, 2), build.iota((1, 1, t, s), dtypes.int32, 3)
    if is_causal:
        masks.append(build.ge(rows, columns))
    if window is not None:
        left, right = (window, window) if isinstance(window, int) else window
        masks.append(build.apply(ops.le, rows, build.add(columns, build.scalar_like(columns, left))))
        masks.append(build.ge(rows, build.sub(columns, build.scalar_like(columns, right))))
    if query_lengths is not None:
        masks.append(_below(_four_lengths(query_lengths), (1, 1, t, 1), 2))
    if key_lengths is not None:
        masks.append(_below(_four_lengths(key_lengths), (1, 1, 1, s), 3))
    if not masks:
        return None
    result = masks[0]
    for other in masks[1:]:
        result = build.apply(ops.and_, result, other)
    return result
