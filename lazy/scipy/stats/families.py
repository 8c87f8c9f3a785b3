"""What all distributions of one variable share: arguments, location and scale, support, and what follows from what."""
import functools
import inspect
import math

from ... import numpy as np
from ..special import _args

_CONTINUOUS = ('logpdf', 'pdf', 'cdf', 'sf', 'logcdf', 'logsf', 'ppf', 'isf', 'entropy', 'rvs')
_DISCRETE = ('logpmf', 'pmf', 'cdf', 'sf', 'logcdf', 'logsf', 'ppf', 'isf', 'entropy', 'rvs')
_DOCS = {'logpdf': 'Logarithm of the density at x', 'pdf': 'Density at x',
         'logpmf': 'Logarithm of the probability of k', 'pmf': 'Probability of k',
         'cdf': 'Probability of values up to {x}', 'sf': 'Probability of values above {x}',
         'logcdf': 'Logarithm of the probability of values up to {x}',
         'logsf': 'Logarithm of the probability of values above {x}',
         'ppf': 'The value that cdf maps to q', 'isf': 'The value that sf maps to q', 'entropy': 'Entropy in nats',
         'rvs': 'Random numbers of a shape, by default that of the parameters'}


class Distribution:
    """A distribution as functions of arrays: `norm.logpdf(x, loc, scale)`. Arguments broadcast.

    formulas: functions of the standard variable and the parameters, each for a member at location 0 of scale 1;
    what isn't given follows from the others where it can.
    support(*parameters) -> (lowest, highest) value; valid(*parameters) -> where they make sense.
    symmetric: about 0. draw(key, shape, dtype, *parameters) -> random numbers.
    """
    variable = 'x'
    scales = ('loc', 'scale')
    methods = _CONTINUOUS

    def __init__(self, name, doc, parameters='', support=None, valid=None, symmetric=False, draw=None, **formulas):
        self.name, self.parameters, self.symmetric = name, tuple(parameters.split()), symmetric
        self._support, self._valid, self._draw = support, valid, draw
        self._formulas = dict(formulas)
        self._derive(self._formulas, symmetric)
        available = [m for m in self.methods if m in self._formulas or m == 'rvs' and draw]
        for method in available:
            setattr(self, method, self._function(method))
        self.__doc__ = f'{doc}\n\nFunctions: {", ".join(available)}.'

    def __repr__(self):
        return f'<distribution {self.name}>'

    def _derive(self, f, symmetric):
        """Add the formulas that follow from those that are given."""
        def other(name, source, made):
            if name not in f and source in f:
                f[name] = made(f[source])
        flip = lambda g: lambda x, *p: g(-x, *p)
        log = lambda g: lambda x, *p: np.log(g(x, *p))
        exp = lambda g: lambda x, *p: np.exp(g(x, *p))
        rest = lambda g: lambda x, *p: 1 - g(x, *p)
        mirror = lambda g: lambda q, *p: g(1 - q, *p)
        if symmetric:
            other('sf', 'cdf', flip), other('logsf', 'logcdf', flip)
            other('isf', 'ppf', lambda g: lambda q, *p: -g(q, *p))
        other('cdf', 'logcdf', exp), other('sf', 'logsf', exp)
        other('cdf', 'sf', rest), other('sf', 'cdf', rest)
        other('logcdf', 'cdf', log), other('logsf', 'sf', log)
        other('ppf', 'isf', mirror), other('isf', 'ppf', mirror)
        density = self.methods[0]
        if density in f:
            f[self.methods[1]] = None                                  # the exponential of the logarithm

    def _function(self, method):
        """A method as a function with its own signature."""
        scales = dict(zip(self.scales, (0, 1)))
        if method == 'rvs':
            first, last = 'key', {'shape': None, 'dtype': None}
        else:
            first, last = {'ppf': 'q', 'isf': 'q', 'entropy': None}.get(method, self.variable), {}
        plain = inspect.Parameter.POSITIONAL_OR_KEYWORD
        signature = inspect.Signature(
            [inspect.Parameter(n, plain) for n in (first, *self.parameters) if n is not None] +
            [inspect.Parameter(n, plain, default=v) for n, v in {**scales, **last}.items()])

        def function(*args, **kwargs):
            if kwargs or len(args) < len(signature.parameters):
                try:
                    bound = signature.bind(*args, **kwargs)
                except TypeError as error:
                    raise TypeError(f'{self.name}.{method}{signature}: {error}') from None
                bound.apply_defaults()
                args = bound.args
            elif len(args) > len(signature.parameters):
                raise TypeError(f'{self.name}.{method}{signature}: got {len(args)} arguments')
            return call(*args)
        call = getattr(self, f'_{method}', None) or functools.partial(self._evaluate, method)
        function.__name__, function.__qualname__ = method, f'{self.name}.{method}'
        function.__module__, function.__signature__ = 'lazy.scipy.stats', signature
        function.__doc__ = _DOCS[method].format(x=self.variable) + '; NaN where parameters make no sense.'
        return function

    def _checked(self, result, parameters, scale=None):
        """NaN where parameters make no sense."""
        checks = [] if self._valid is None else [self._valid(*parameters)]
        if scale is not None:
            checks.append(scale > 0)
        for ok in checks:
            result = np.where(ok, result, math.nan)
        return result

    def _ends(self, parameters):
        return self._support(*parameters) if self._support else (-math.inf, math.inf)

    def _bounded(self, result, y, parameters, below, above):
        """A function's value outside of the support."""
        low, high = self._ends(parameters)
        if below is not None and not (isinstance(low, float) and low == -math.inf):
            result = np.where(y < low, below, result)
        if above is not None and not (isinstance(high, float) and high == math.inf):
            result = np.where(y >= high, above, result)
        return result

    _BEYOND = {'cdf': (0.0, 1.0), 'sf': (1.0, 0.0), 'logcdf': (-math.inf, 0.0), 'logsf': (0.0, -math.inf)}

    def _rvs_arguments(self, parameters, shape, dtype):
        from ...random.samplers import float_dtype, shape_of
        shape = shape_of(f'{self.name}.rvs', shape, *[p._node for p in parameters])
        return shape, float_dtype(f'{self.name}.rvs', dtype)


class Continuous(Distribution):
    """A distribution with a density, at a location and of a scale."""
    __doc__ = Distribution.__doc__

    def _evaluate(self, method, x, *rest):
        x, *parameters, loc, scale = _args(f'{self.name}.{method}', x, *rest)
        y = (x - loc) / scale
        result = self._bounded(self._formulas[method](y, *parameters), y, parameters, *self._BEYOND[method])
        return self._checked(result, parameters, scale)

    def _logpdf(self, x, *rest):
        x, *parameters, loc, scale = _args(f'{self.name}.logpdf', x, *rest)
        y = (x - loc) / scale
        result = self._formulas['logpdf'](y, *parameters) - np.log(scale)
        low, high = self._ends(parameters)
        if not (isinstance(low, float) and low == -math.inf):
            result = np.where(y < low, -math.inf, result)
        if not (isinstance(high, float) and high == math.inf):
            result = np.where(y > high, -math.inf, result)
        return self._checked(result, parameters, scale)

    def _pdf(self, *args):
        return np.exp(self._logpdf(*args))

    def _quantile(self, method, q, *rest):
        q, *parameters, loc, scale = _args(f'{self.name}.{method}', q, *rest)
        result = self._formulas[method](q, *parameters) * scale + loc
        return self._checked(np.where((q >= 0) & (q <= 1), result, math.nan), parameters, scale)

    def _ppf(self, *args):
        return self._quantile('ppf', *args)

    def _isf(self, *args):
        return self._quantile('isf', *args)

    def _entropy(self, *rest):
        *parameters, loc, scale = _args(f'{self.name}.entropy', *rest)
        return self._checked(self._formulas['entropy'](*parameters) + np.log(scale) + 0 * loc, parameters, scale)

    def _rvs(self, key, *rest):
        *values, shape, dtype = rest
        *parameters, loc, scale = values = _args(f'{self.name}.rvs', *values)
        shape, dtype = self._rvs_arguments(values, shape, dtype)
        return (self._draw(key, shape, dtype, *parameters) * scale + loc).astype(dtype)


class Discrete(Distribution):
    """A distribution of integers, moved by an integer location."""
    __doc__ = Distribution.__doc__
    variable = 'k'
    scales = ('loc',)
    methods = _DISCRETE

    def _evaluate(self, method, k, *rest):
        k, *parameters, loc = _args(f'{self.name}.{method}', k, *rest)
        y = np.floor(k - loc)
        result = self._bounded(self._formulas[method](y, *parameters), y, parameters, *self._BEYOND[method])
        return self._checked(result, parameters)

    def _logpmf(self, k, *rest):
        k, *parameters, loc = _args(f'{self.name}.logpmf', k, *rest)
        y = k - loc
        low, high = self._ends(parameters)
        impossible = (y < low) | (y > high) | (np.floor(y) != y) & (y == y)
        return self._checked(np.where(impossible, -math.inf, self._formulas['logpmf'](y, *parameters)), parameters)

    def _pmf(self, *args):
        return np.exp(self._logpmf(*args))

    def _quantile(self, method, q, *rest):
        q, *parameters, loc = _args(f'{self.name}.{method}', q, *rest)
        result = self._formulas[method](q, *parameters) + loc
        return self._checked(np.where((q >= 0) & (q <= 1), result, math.nan), parameters)

    _ppf, _isf = Continuous._ppf, Continuous._isf

    def _entropy(self, *rest):
        *parameters, loc = _args(f'{self.name}.entropy', *rest)
        return self._checked(self._formulas['entropy'](*parameters) + 0 * loc, parameters)

    def _rvs(self, key, *rest):
        *values, shape, dtype = rest
        *parameters, loc = values = _args(f'{self.name}.rvs', *values)
        shape, dtype = self._rvs_arguments(values, shape, dtype)
        return (self._draw(key, shape, dtype, *parameters) + loc).astype(dtype)
