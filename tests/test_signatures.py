"""Public functions take the parameters that JAX's functions of the same names take, in the same order."""
import importlib
import inspect

import pytest

import lazy

MODULES = ('numpy', 'numpy.linalg', 'numpy.fft', 'lax', 'lax.linalg', 'random', 'nn', 'nn.initializers', 'image', 'ops', 'dtypes',
           'tree', 'tree_util', 'flatten_util', 'scipy.special', 'scipy.linalg', 'scipy.fft', 'scipy.ndimage', 'scipy.signal',
           'scipy.interpolate', 'scipy.integrate', 'scipy.cluster.vq', 'scipy.spatial.transform',
           *[f'scipy.stats.{name}' for name in (
               'bernoulli', 'beta', 'betabinom', 'binom', 'cauchy', 'chi2', 'dirichlet', 'expon', 'gamma', 'gennorm', 'geom',
               'laplace', 'logistic', 'multinomial', 'multivariate_normal', 'nbinom', 'norm', 'pareto', 'poisson', 't',
               'truncnorm', 'uniform', 'vonmises', 'wrapcauchy')])
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
KEYWORD = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
# What concerns devices that work together.
ELSEWHERE = {'out_sharding', 'sharding', 'axis_name'}
OTHERWISE = {('scipy.stats.logistic', 'ppf'), ('scipy.stats.logistic', 'isf')}        # q in SciPy, x in JAX


def _parameters(function):
    try:
        return inspect.signature(function).parameters
    except (ValueError, TypeError):                         # a type alias, or a function of C without a signature
        return None


def _pairs(module):
    jax = pytest.importorskip('jax')
    theirs, ours = (importlib.import_module(f'{library.__name__}.{module}') for library in (jax, lazy))
    for name in dir(ours):
        a, b = getattr(ours, name), getattr(theirs, name, None)
        if not name.startswith('_') and callable(a) and callable(b) and not inspect.isclass(b):
            mine, other = _parameters(a), _parameters(b)
            if mine is not None and other is not None:
                yield name, mine, other


@pytest.mark.parametrize('module', MODULES)
def test_parameters(module):
    wrong = []
    for name, mine, other in _pairs(module):
        unnamed = any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in other.values())
        if unnamed or (module, name) in OTHERWISE:
            continue
        by_name = [p.name for p in other.values() if p.kind in KEYWORD and not p.name.startswith('_')]
        missing = [n for n in by_name if n not in ELSEWHERE and (n not in mine or mine[n].kind not in KEYWORD)]
        ordered = [p.name for p in other.values() if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
        places = [p.name for p in mine.values() if p.kind in POSITIONAL]
        if missing or [n for n in places if n in ordered] != [n for n in ordered if n in places]:
            wrong.append((name, missing, places, ordered))
    assert not wrong
