"""Distributions of vectors."""
import math

from ... import numpy as np, random
from ...array import as_node, wrap
from ...ir import build, dtypes, ops
from .. import special
from ..special import _args

__all__ = ['dirichlet', 'multinomial', 'multivariate_normal']


class dirichlet:
    """Dirichlet distribution of probabilities: density proportional to the product of x[i]**(alpha[i] - 1).

    >>> import lazy
    >>> round(float(lazy.scipy.stats.dirichlet.pdf([0.2, 0.3, 0.5], [1.0, 1.0, 1.0])), 4)
    2.0
    """

    @staticmethod
    def logpdf(x, alpha):
        """Logarithm of the density at x [n, ...] or [n - 1, ...], where the last entry is what is left of 1; alpha [n].

        -inf where x isn't positive with sum 1 (within 1e-6).
        """
        x, alpha = _args('dirichlet.logpdf', np.asarray(x), np.asarray(alpha))
        if alpha.ndim != 1:
            raise ValueError(f'`alpha` must be one-dimensional; got alpha.shape={alpha.shape}')
        if not x.ndim or x.shape[0] not in (alpha.shape[0], alpha.shape[0] - 1):
            raise ValueError('`x` must have either the same number of entries as `alpha` or one entry fewer; got '
                             f'x.shape={x.shape}, alpha.shape={alpha.shape}')
        if x.shape[0] != alpha.shape[0]:
            x = np.concatenate([x, 1 - x.sum(0, keepdims=True)])
        each = alpha.reshape(-1, *[1] * (x.ndim - 1))
        inside = (x > 0).all(0) & (abs(x.sum(0) - 1) < 1e-6)
        result = special.xlogy(each - 1, x).sum(0) - special.gammaln(alpha).sum() + special.gammaln(alpha.sum())
        return np.where(inside, result, -math.inf)

    @staticmethod
    def pdf(x, alpha):
        """Density: see logpdf."""
        return np.exp(dirichlet.logpdf(x, alpha))

    @staticmethod
    def rvs(key, alpha, shape=None, dtype=None):
        """Random probabilities (*shape, n): see lazy.random.dirichlet."""
        return random.dirichlet(key, alpha, shape, dtype)


class multinomial:
    """Multinomial distribution: counts of n draws in categories of probabilities p [..., k].

    >>> import lazy, lazy.numpy as np
    >>> round(float(lazy.scipy.stats.multinomial.pmf(np.array([1, 2]), 3, np.array([0.5, 0.5]))), 4)
    0.375
    """

    @staticmethod
    def logpmf(x, n, p):
        """Logarithm of the probability of counts x [..., k], integers; -inf where their sum isn't n."""
        p, = _args('multinomial.logpmf', np.asarray(p))
        x, n = wrap(as_node(np.asarray(x))), wrap(as_node(n))
        if not dtypes.is_integer(x.dtype) or not dtypes.is_integer(n.dtype):
            raise ValueError(f'x and n must be of integer type; got x.dtype={x.dtype}, n.dtype={n.dtype}')
        counts = x.astype(p.dtype)
        each = special.xlogy(counts, p) - special.gammaln(counts + 1)
        result = special.gammaln(n.astype(p.dtype) + 1) + each.sum(-1)
        return np.where((x.sum(-1) == n) & (x >= 0).all(-1), result, -math.inf)

    @staticmethod
    def pmf(x, n, p):
        """Probability: see logpmf."""
        return np.exp(multinomial.logpmf(x, n, p))

    @staticmethod
    def rvs(key, n, p, shape=None, dtype=None):
        """Random counts: see lazy.random.multinomial."""
        return random.multinomial(key, n, p, shape=shape, dtype=dtype)


def _whitened_square(factor, y):
    """|factor**-1 y|**2 for lower triangular factors [..., n, n] and vectors y [..., n]: one solution for all vectors
    where there is one factor."""
    n = y.shape[-1]
    solve = lambda a, b: wrap(build.make(ops.triangular_solve, (a._node, b._node), (True, False, False)))
    if factor.ndim == 2:
        z = solve(factor, y.reshape(-1, n).T)
        return (z * z).sum(0).reshape(y.shape[:-1])
    batch = np.broadcast_shapes(y.shape[:-1], factor.shape[:-2])
    z = solve(np.broadcast_to(factor, (*batch, n, n)), np.broadcast_to(y, (*batch, n))[..., None])
    return (z * z).sum((-2, -1))


class multivariate_normal:
    """Normal distribution of vectors with a mean [..., n] and a covariance [..., n, n], or a variance.

    >>> import lazy, lazy.numpy as np
    >>> round(float(lazy.scipy.stats.multivariate_normal.pdf(np.zeros(2), np.zeros(2), np.eye(2))), 4)
    0.1592
    """

    @staticmethod
    def logpdf(x, mean, cov, allow_singular=None):
        """Logarithm of the density at x [..., n]."""
        if allow_singular is not None:
            raise NotImplementedError('allow_singular argument of multivariate_normal.logpdf')
        x, mean, cov = _args('multivariate_normal.logpdf', *map(np.asarray, (x, mean, cov)))
        y = x - mean
        if not mean.ndim:
            return -0.5 * (y * y / cov + math.log(2 * math.pi) + np.log(cov))
        n = mean.shape[-1]
        if not cov.ndim:
            return -0.5 * ((y * y).sum(-1) / cov + n * (math.log(2 * math.pi) + np.log(cov)))
        if cov.ndim < 2 or cov.shape[-2:] != (n, n):
            raise ValueError(f'multivariate_normal.logpdf: a mean of shape {mean.shape} needs a covariance of shape '
                             f'(..., {n}, {n}), got {cov.shape}')
        factor = np.linalg.cholesky(cov)
        square = _whitened_square(factor, y)
        return -0.5 * (square + n * math.log(2 * math.pi)) - np.log(np.diagonal(factor, axis1=-2, axis2=-1)).sum(-1)

    @staticmethod
    def pdf(x, mean, cov):
        """Density at x [..., n]."""
        return np.exp(multivariate_normal.logpdf(x, mean, cov))

    @staticmethod
    def rvs(key, mean, cov, shape=None, dtype=None):
        """Random vectors (*shape, n): see lazy.random.multivariate_normal."""
        return random.multivariate_normal(key, mean, cov, shape, dtype)
