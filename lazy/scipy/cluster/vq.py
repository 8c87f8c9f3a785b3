"""Vector quantisation, with the signatures of jax.scipy.cluster.vq."""
from ... import numpy as np
from ...array import wrap
from ...ir import dtypes
from ...numpy._util import promoted

__all__ = ['vq']


def vq(obs, code_book, check_finite=True):
    """(codes, distances): for each observation (m, n) the nearest vector of the code book (k, n), the first of several,
    and its distance; for arrays of one dimension, numbers. check_finite is accepted for compatibility.

    Raises ValueError for other numbers of dimensions, or vectors of different lengths.

    >>> import lazy, lazy.numpy as np
    >>> codes, distances = lazy.scipy.cluster.vq.vq(np.array([0.1, 2.0]), np.array([0.0, 1.0]))
    >>> codes.tolist(), distances.round(3).tolist()
    ([0, 1], [0.10000000149011612, 1.0])
    """
    obs, code_book = [wrap(node) for node in promoted(obs, code_book, inexact=True)]
    if obs.ndim != code_book.ndim:
        raise ValueError(f'Observation and code_book should have the same rank, got shapes {obs.shape} and '
                         f'{code_book.shape}')
    if obs.ndim not in (1, 2):
        raise ValueError(f'ndim different than 1 or 2 are not supported, got shape {obs.shape}')
    if obs.ndim == 1:
        obs, code_book = obs[:, None], code_book[:, None]
    if obs.shape[1] != code_book.shape[1]:
        raise ValueError(f'vectors of observations and code book differ in length: shapes {obs.shape} and '
                         f'{code_book.shape}')
    distances = np.linalg.norm(obs[:, None, :] - code_book, axis=-1)
    codes = np.argmin(distances, axis=-1).astype(dtypes.default_int())
    return codes, np.take_along_axis(distances, codes[:, None], -1, mode='clip')[:, 0]
