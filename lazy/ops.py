"""Sums and the like over segments: rows with the same number. Signatures are those of jax.ops."""
import operator

import numpy as onp

from .array import as_node, to_numpy, wrap
from .indexing import index_mode
from .ir import build, dtypes

__all__ = ['segment_max', 'segment_min', 'segment_prod', 'segment_sum']


def _segment(name, kind, identity, data, segment_ids, num_segments, mode):
    x, ids = as_node(data), as_node(segment_ids)
    if not dtypes.is_integer(ids.aval.dtype):
        raise TypeError(f'{name}: segment_ids must be integers, got {ids.aval}')
    if x.aval.shape[:ids.aval.ndim] != ids.aval.shape:
        raise ValueError(f'{name}: data of shape {x.aval.shape} must begin with the shape of segment_ids, '
                         f'{ids.aval.shape}')
    if num_segments is None:
        found = to_numpy(ids, 'int')
        num_segments = int(found.max()) + 1 if found.size else 0
    rest = x.aval.shape[ids.aval.ndim:]
    start = build.full((operator.index(num_segments), *rest), identity(x.aval.dtype), x.aval.dtype)
    mode = 'fill' if mode is None else index_mode(mode)
    return wrap(build.scatter(start, x, [ids], [0], mode, kind))


def segment_sum(data, segment_ids, num_segments=None, indices_are_sorted=False, unique_indices=False, bucket_size=None,
                mode=None):
    """Sum of the rows of each segment.

    data: [n, ...]; segment_ids: [n] integers; rows with numbers outside [0, num_segments) are left out. num_segments:
    the largest number and 1 where it isn't given, which forces segment_ids.

    >>> import lazy, lazy.numpy as np
    >>> lazy.ops.segment_sum(np.array([1, 2, 3]), np.array([0, 0, 2]), 3).tolist()
    [3, 0, 3]
    """
    return _segment('segment_sum', 'add', lambda dtype: 0, data, segment_ids, num_segments, mode)


def segment_prod(data, segment_ids, num_segments=None, indices_are_sorted=False, unique_indices=False,
                 bucket_size=None, mode=None):
    """Product of the rows of each segment, 1 where it has none."""
    return _segment('segment_prod', 'mul', lambda dtype: 1, data, segment_ids, num_segments, mode)


def segment_max(data, segment_ids, num_segments=None, indices_are_sorted=False, unique_indices=False,
                bucket_size=None, mode=None):
    """Maximum of the rows of each segment, the smallest value of the type where it has none."""
    return _segment('segment_max', 'max', dtypes.lowest, data, segment_ids, num_segments, mode)


def segment_min(data, segment_ids, num_segments=None, indices_are_sorted=False, unique_indices=False,
                bucket_size=None, mode=None):
    """Minimum of the rows of each segment, the largest value of the type where it has none."""
    return _segment('segment_min', 'min', dtypes.highest, data, segment_ids, num_segments, mode)
