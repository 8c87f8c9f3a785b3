"""Probability distributions and statistics, with the signatures of jax.scipy.stats.

A distribution is a name with functions: `norm.logpdf(x, loc, scale)`, `poisson.pmf(k, mu)`. They broadcast, and are
differentiable by whatever is continuous. There are more of them than in JAX: entropies, tails and quantiles where
formulas exist, and random numbers, `norm.rvs(key, loc, scale, shape=(3,))`.

    >>> import lazy
    >>> from lazy.scipy.stats import norm
    >>> round(float(norm.cdf(3.0, loc=1.0, scale=2.0)), 4)
    0.8413
    >>> float(lazy.grad(norm.logpdf)(1.0))
    -1.0
"""
import sys

from .continuous import (beta, cauchy, chi2, expon, gamma, gennorm, gumbel_l, gumbel_r, laplace, logistic,  # noqa: F401
                         norm, pareto, t, truncnorm, uniform, vonmises, wrapcauchy)
from .discrete import bernoulli, betabinom, binom, geom, nbinom, poisson  # noqa: F401
from .kde import gaussian_kde  # noqa: F401
from .multivariate import dirichlet, multinomial, multivariate_normal  # noqa: F401
from .ranks import ModeResult, mode, rankdata, sem  # noqa: F401

# `import lazy.scipy.stats.norm`: in JAX a distribution is a module.
for _name in ('bernoulli', 'beta', 'betabinom', 'binom', 'cauchy', 'chi2', 'dirichlet', 'expon', 'gamma', 'gennorm',
              'geom', 'gumbel_l', 'gumbel_r', 'laplace', 'logistic', 'multinomial', 'multivariate_normal', 'nbinom', 'norm',
              'pareto', 'poisson', 't', 'truncnorm', 'uniform', 'vonmises', 'wrapcauchy'):
    sys.modules[f'{__name__}.{_name}'] = globals()[_name]
