"""Random numbers from explicit keys: the same key gives the same numbers, in any order of evaluation.

    key = lazy.random.key(0)
    key, fresh = lazy.random.split(key)
    x = lazy.random.normal(fresh, (3,))

Bits are those of JAX with its default settings (threefry-2x32). Signatures are those of jax.random.
"""
from .counts import binomial, multinomial, poisson  # noqa: F401
from .distributions import (cauchy, double_sided_maxwell, exponential, geometric, laplace, logistic,  # noqa: F401
                            lognormal, maxwell, multivariate_normal, orthogonal, pareto, rademacher, rayleigh,
                            triangular, wald, weibull_min)
from .gamma import ball, beta, chisquare, dirichlet, f, gamma, generalized_normal, loggamma, t  # noqa: F401
from .keys import (KeyArray, PRNGKey, clone, fold_in, key, key_data, key_dtype, key_impl, split,  # noqa: F401
                   wrap_key_data)
from .samplers import (bernoulli, bits, categorical, choice, gumbel, normal, permutation, randint,  # noqa: F401
                       truncated_normal, uniform)
