"""Ranks, modes and standard errors."""
import math
from typing import NamedTuple

from ... import lax, numpy as np
from ...array import Array, as_node, wrap
from ...ir import dtypes
from ..special import _args

__all__ = ['mode', 'rankdata', 'sem']


class ModeResult(NamedTuple):
    """Most frequent values, and how often they are there."""
    mode: Array
    count: Array


def _check_policy(name, policy):
    if policy not in ('propagate', 'omit', 'raise'):
        raise ValueError(f"Illegal nan_policy value {policy!r}; expected one of {{'propagate', 'omit', 'raise'}}")
    if policy != 'propagate':
        raise NotImplementedError(f"{name}: nan_policy {policy!r}: the shape of what is left would depend on the "
                                  'values. Take NaNs out before')


def _runs(x):
    """(where a run of equal values starts, positions of runs' starts, of their ends), of sorted values along the last
    axis. NaNs are equal here."""
    n = x.shape[-1]
    position = np.broadcast_to(np.arange(n), x.shape)
    same = (x[..., 1:] == x[..., :-1]) | (x[..., 1:] != x[..., 1:]) & (x[..., :-1] != x[..., :-1])
    edge = np.ones((*x.shape[:-1], 1), bool)
    first, last = np.concatenate([edge, ~same], -1), np.concatenate([~same, edge], -1)
    return (first, lax.cummax(np.where(first, position, 0), axis=x.ndim - 1),
            lax.cummin(np.where(last, position, n), axis=x.ndim - 1, reverse=True))


def _axis(name, axis, ndim):
    if not -ndim <= axis < ndim:
        raise ValueError(f'{name}: axis {axis} is out of bounds for an array of {ndim} dimensions')
    return axis % ndim


def mode(a, axis=0, nan_policy='propagate', keepdims=False):
    """The most frequent value along an axis, or of all for None; the smallest of several. A pair (mode, count).

    >>> import lazy, lazy.numpy as np
    >>> value, count = lazy.scipy.stats.mode(np.array([3, 1, 2, 1, 3]))
    >>> int(value), int(count)
    (1, 2)
    """
    _check_policy('mode', nan_policy)
    x = np.atleast_1d(np.asarray(a))
    shape = x.shape
    if axis is None:
        x, axis = x.ravel(), 0
        kept = (1,) * len(shape)
    else:
        axis = _axis('mode', axis, x.ndim)
        kept = shape[:axis] + (1,) + shape[axis + 1:]
    x = np.sort(np.moveaxis(x, axis, -1), -1)
    if x.shape[-1]:
        _, start, end = _runs(x)
        length = end - start + 1
        value = np.take_along_axis(x, np.argmax(length, -1)[..., None], -1)[..., 0]
        result = value, length.max(-1)
    else:
        result = np.full(x.shape[:-1], math.nan), np.zeros(x.shape[:-1])
    return ModeResult(*[r.reshape(kept) if keepdims else r for r in result])


def rankdata(a, method='average', *, axis=None, nan_policy='propagate'):
    """Ranks 1, 2, ... of values along an axis, or of all values (flattened) for None, as floats.

    method: what equal values get: the 'average', 'min' or 'max' of their ranks, one rank for all without gaps
    ('dense'), or ranks in their order ('ordinal'). All ranks are NaN where a value is.

    >>> import lazy
    >>> lazy.scipy.stats.rankdata([10, 20, 10, 30]).tolist()
    [1.5, 3.0, 1.5, 4.0]
    """
    _check_policy('rankdata', nan_policy)
    if method not in ('average', 'min', 'max', 'dense', 'ordinal'):
        raise ValueError(f"unknown method {method!r}: there is 'average', 'min', 'max', 'dense', 'ordinal'")
    x = np.asarray(a)
    x, axis = (x.ravel(), 0) if axis is None else (x, _axis('rankdata', axis, x.ndim))
    x = np.moveaxis(x, axis, -1)
    if not x.shape[-1]:
        return np.zeros(x.shape, dtypes.default_float())
    order = np.argsort(x, -1)
    place = np.argsort(order, -1)
    first, start, end = _runs(np.take_along_axis(x, order, -1))
    if method == 'ordinal':
        ranks = place + 1
    else:
        each = {'min': lambda: start + 1, 'max': lambda: end + 1, 'dense': lambda: np.cumsum(first, -1),
                'average': lambda: (start + end) * 0.5 + 1}[method]()
        ranks = np.take_along_axis(each, place, -1)
    ranks = np.where((x != x).any(-1, keepdims=True), math.nan, ranks.astype(dtypes.default_float()))
    return np.moveaxis(ranks, -1, axis)


def sem(a, axis=0, ddof=1, nan_policy='propagate', *, keepdims=False):
    """Standard error of the mean along an axis, or of all for None: the standard deviation over sqrt(n).

    nan_policy: 'propagate', or 'omit' for a result of what isn't NaN.

    >>> import lazy
    >>> round(float(lazy.scipy.stats.sem([1.0, 2.0, 3.0, 4.0])), 4)
    0.6455
    """
    x, = _args('sem', wrap(as_node(np.asarray(a))))
    if nan_policy == 'propagate':
        n = x.size if axis is None else x.shape[axis]
        return np.std(x, axis, ddof=ddof, keepdims=keepdims) / math.sqrt(n)
    if nan_policy == 'omit':
        count = (x == x).sum(axis, keepdims=keepdims)
        return np.nanstd(x, axis, ddof=ddof, keepdims=keepdims) / np.sqrt(count).astype(x.dtype)
    raise ValueError(f'{nan_policy} is not supported')
