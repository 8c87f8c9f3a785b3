"""Estimates of densities from samples."""
import math

from ... import numpy as np, random, trees
from .. import special
from ..special import _args
from .multivariate import _whitened_square

__all__ = ['gaussian_kde']


def _points(name, x):
    try:
        x, = _args(f'gaussian_kde{name}', np.atleast_2d(np.asarray(x)))
    except TypeError:
        raise NotImplementedError('gaussian_kde does not support complex data') from None
    return x


class gaussian_kde:
    """Density of samples [d, n] (or [n]): the mean of normal densities around each, of the samples' covariance times a
    squared bandwidth.

    bw_method: 'scott' (n**(-1 / (d + 4)), the default), 'silverman', a number, or a function of this object that
    returns one. weights [n]: of the samples. A pytree: estimates may be passed through jit and vmap.

    >>> import lazy
    >>> kde = lazy.scipy.stats.gaussian_kde(lazy.random.normal(lazy.random.key(0), (2000,)))
    >>> 0.3 < float(kde(0.0)[0]) < 0.45
    True
    """
    __slots__ = ('neff', 'dataset', 'weights', 'covariance', 'inv_cov')

    def __init__(self, dataset, bw_method=None, weights=None):
        dataset = _points('', dataset)
        if dataset.size <= 1:
            raise ValueError('`dataset` input should have multiple elements.')
        d, n = dataset.shape
        if weights is None:
            weights = np.full((n,), 1 / n, dataset.dtype)
        else:
            dataset, weights = _args('gaussian_kde', dataset, np.atleast_1d(np.asarray(weights)))
            if weights.ndim != 1:
                raise ValueError('`weights` input should be one-dimensional.')
            if weights.shape[0] != n:
                raise ValueError(f'`weights` input should be of length {n}, got {weights.shape[0]}')
            weights = weights / weights.sum()
        self.dataset, self.weights, self.neff = dataset, weights, 1 / (weights * weights).sum()
        factor = self._bandwidth(bw_method)
        covariance = np.atleast_2d(np.cov(dataset, rowvar=True, bias=False, aweights=weights)).astype(dataset.dtype)
        self.covariance, self.inv_cov = covariance * factor ** 2, np.linalg.inv(covariance) / factor ** 2

    def _bandwidth(self, method):
        if method is None or isinstance(method, str) and method in ('scott', 'silverman'):
            size = self.neff * (self.d + 2) / 4 if method == 'silverman' else self.neff
            return size ** (-1 / (self.d + 4))
        if callable(method):
            return method(self)
        if not isinstance(method, str) and not np.ndim(method):
            return method
        raise ValueError("`bw_method` should be 'scott', 'silverman', a scalar, or a callable.")

    d = property(lambda self: self.dataset.shape[0], doc='Number of dimensions.')
    n = property(lambda self: self.dataset.shape[1], doc='Number of samples.')

    def _at(self, points):
        """Points as [d, m], or ValueError."""
        points = _points('', points)
        d, m = points.shape
        if d != self.d and (d, m) == (1, self.d):
            return points.reshape(self.d, 1)
        if d != self.d:
            raise ValueError(f'points have dimension {d}, dataset has dimension {self.d}')
        return points

    def logpdf(self, x):
        """Logarithm of the density at points [d, m] (or [m], or a single point): an array [m]."""
        x = self._at(x)
        factor = np.linalg.cholesky(self.covariance)
        square = _whitened_square(factor, (x[:, :, None] - self.dataset[:, None, :]).transpose(1, 2, 0))
        constant = np.log(np.diagonal(factor)).sum() + 0.5 * self.d * math.log(2 * math.pi)
        return special.logsumexp(np.log(self.weights) - 0.5 * square, axis=-1) - constant

    def pdf(self, x):
        """Density at points [d, m] (or [m], or a single point): an array [m]."""
        return np.exp(self.logpdf(x))

    evaluate = __call__ = pdf

    def _overlap(self, covariance, mean):
        """Weighted mean over samples of the normal density of a covariance at their distances from mean [d, m]: [m]."""
        other = gaussian_kde.__new__(gaussian_kde)
        other.dataset, other.weights, other.covariance = self.dataset, self.weights, covariance
        return other.pdf(mean)

    def integrate_gaussian(self, mean, cov):
        """Integral of the density times a normal density of a mean [d] and a covariance [d, d]."""
        mean, cov = np.atleast_1d(np.squeeze(np.asarray(mean))), np.atleast_2d(np.asarray(cov))
        if mean.shape != (self.d,):
            raise ValueError(f'mean does not have dimension {self.d}')
        if cov.shape != (self.d, self.d):
            raise ValueError(f'covariance does not have dimension {self.d}')
        return self._overlap(self.covariance + cov, mean[:, None])[0]

    def integrate_box_1d(self, low, high):
        """Probability of an interval, in one dimension."""
        if self.d != 1:
            raise ValueError('integrate_box_1d() only handles 1D pdfs')
        low, high = _args('gaussian_kde.integrate_box_1d', low, high)
        if low.ndim or high.ndim:
            raise ValueError('the limits of integration in integrate_box_1d must be scalars')
        deviation = np.sqrt(self.covariance[0, 0])
        low, high = ((x - self.dataset[0]) / deviation for x in (low, high))
        return (self.weights * (special.ndtr(high) - special.ndtr(low))).sum()

    def integrate_kde(self, other):
        """Integral of the product with another estimate's density."""
        if other.d != self.d:
            raise ValueError(f'KDEs are not the same dimensionality: {self.d} and {other.d}')
        return (self._overlap(self.covariance + other.covariance, other.dataset) * other.weights).sum()

    def resample(self, key, shape=()):
        """Random points of the estimated density: an array (d, *shape)."""
        first, second = random.split(key)
        chosen = random.choice(first, self.n, shape, p=self.weights)
        noise = random.multivariate_normal(second, np.zeros((self.d,), self.covariance.dtype), self.covariance,
                                           shape, self.dataset.dtype)
        return self.dataset[:, chosen] + np.moveaxis(noise, -1, 0)

    def integrate_box(self, low_bounds, high_bounds, maxpts=None):
        raise NotImplementedError('only 1D box integrations are supported; use `integrate_box_1d`')

    def set_bandwidth(self, bw_method=None):
        raise NotImplementedError('the bandwidth is chosen when the estimate is made: make a new one')


def _rebuilt(_, children):
    kde = gaussian_kde.__new__(gaussian_kde)
    for name, child in zip(gaussian_kde.__slots__, children):
        setattr(kde, name, child)
    return kde


trees.register(gaussian_kde, lambda kde: ([getattr(kde, name) for name in gaussian_kde.__slots__], None), _rebuilt)
