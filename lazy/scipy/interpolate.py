"""Interpolation of functions that are known at points, with the signatures of jax.scipy.interpolate and
scipy.interpolate."""
import functools
import itertools
import math
import operator

from .. import numpy as np
from ..array import wrap
from ..lax.linalg import tridiagonal_solve
from ..numpy._util import axis_of, inexact_array, promoted
from ..tree_util import register_pytree_node

__all__ = ['CubicSpline', 'RegularGridInterpolator', 'interp1d']


def _cell(grid, x):
    """The number of the interval of a rising grid that x is in, the first or last one for x outside; NaN: the last."""
    return np.clip(np.searchsorted(grid, x, side='right') - 1, 0, grid.shape[0] - 2)


def _at(values, index):
    """Elements of an index that is in range."""
    return values.at[index].get(mode='clip')


# --- on grids --------------------------------------------------------------------------------------------------------

class RegularGridInterpolator:
    """Values on the grid of several rising vectors of points, between which it interpolates.

    points: one vector for each of the first dimensions of values. method: 'linear' or 'nearest' (the lower of two that
    are equally near). Outside of the grid it gives fill_value, or extrapolates for None. The call takes points (...,
    dimensions) or a tuple of arrays that broadcast, and gives an array of their leading shape with the further
    dimensions of values.

    Raises ValueError for shapes that don't fit or another method, NotImplementedError for bounds_error=True.

    >>> import lazy, lazy.numpy as np
    >>> f = lazy.scipy.interpolate.RegularGridInterpolator((np.arange(2.), np.arange(3.)), np.arange(6.).reshape(2, 3))
    >>> f(np.array([[0.5, 1.5]])).tolist()
    [3.0]
    """

    def __init__(self, points, values, method='linear', bounds_error=False, fill_value=math.nan):
        _check_method(method)
        if bounds_error:
            raise NotImplementedError('bounds_error=True is not supported: points need not have values yet')
        self.values = inexact_array(values)
        self.grid = tuple([inexact_array(p) for p in points])
        if len(self.grid) > self.values.ndim:
            raise ValueError(f'there are {len(self.grid)} point arrays, but values has {self.values.ndim} dimensions')
        for axis, (grid, n) in enumerate(zip(self.grid, self.values.shape)):
            if grid.shape != (n,) or n < 2:
                raise ValueError(f'there are {n} values along axis {axis}, at least 2 are needed, and points of shape '
                                 f'{grid.shape}')
        self.method, self.bounds_error, self.fill_value = method, bounds_error, fill_value

    def __call__(self, xi, method=None):
        method = self.method if method is None else method
        _check_method(method)
        ndim = len(self.grid)
        xi = _points(xi, ndim)
        if xi.shape[-1:] != (ndim,):
            raise ValueError(f'the requested sample points xi have dimension {xi.shape[-1]}, but this '
                             f'RegularGridInterpolator has dimension {ndim}')
        xs = [xi[..., axis] for axis in range(ndim)]
        cells = [_cell(grid, x) for grid, x in zip(self.grid, xs)]
        fractions = [(x - _at(grid, i)) / (_at(grid, i + 1) - _at(grid, i)) for grid, x, i in zip(self.grid, xs, cells)]
        rest = (...,) + (None,) * (self.values.ndim - ndim)
        if method == 'nearest':
            result = _at(self.values, tuple([np.where(t <= 0.5, i, i + 1) for i, t in zip(cells, fractions)]))
        else:
            result = 0
            for corner in itertools.product((0, 1), repeat=ndim):
                weight = math.prod(t if c else 1 - t for c, t in zip(corner, fractions))
                result = result + _at(self.values, tuple([i + c for i, c in zip(cells, corner)])) * weight[rest]
        if self.fill_value is None:
            return result
        inside = functools.reduce(operator.and_, [(x >= grid[0]) & (x <= grid[-1]) for grid, x in zip(self.grid, xs)])
        return np.where(inside[rest], result, self.fill_value)


def _check_method(method):
    if method not in ('linear', 'nearest'):
        raise ValueError(f"method {method!r} is not defined: it is 'linear' or 'nearest'")


def _points(xi, ndim):
    """Points (..., ndim)."""
    if isinstance(xi, tuple):
        return np.stack(np.broadcast_arrays(*[wrap(n) for n in promoted(*xi, inexact=True)]), -1)
    xi = inexact_array(xi)
    return xi.reshape(-1, ndim) if xi.ndim == 1 else xi


# --- of one variable -------------------------------------------------------------------------------------------------

def _samples(x, y, axis):
    """(points, values along their first axis, the number of the axis) in one precision."""
    x, y = inexact_array(x), inexact_array(y)
    axis = axis_of(axis, y.ndim)
    if x.ndim != 1 or x.shape[0] < 2 or x.shape[0] != y.shape[axis]:
        raise ValueError(f'x must be a vector of at least 2 points, as many as y has along axis {axis}, got shapes '
                         f'{x.shape} and {y.shape}')
    x, _ = [wrap(node) for node in promoted(x, np.real(y))]
    _, y = [wrap(node) for node in promoted(x, y)]
    return x, np.moveaxis(y, axis, 0), axis


class CubicSpline:
    """The twice differentiable piecewise cubic function through y at the rising points x (n >= 2), along an axis of y.

    bc_type: 'not-a-knot' (the first two pieces are one cubic, and the last two), 'natural' (no second derivatives at
    the ends), 'clamped' (no slopes there), 'periodic', or a pair of (order of derivative 1 or 2, its value) for the
    ends. extrapolate: True (default but for 'periodic'), False (NaN outside) or 'periodic'. The call takes points and
    the order nu of the derivative.

    Values, slopes and points are differentiable. Raises ValueError for shapes that don't fit or another bc_type.

    >>> import lazy, lazy.numpy as np
    >>> x = np.arange(4.)
    >>> f = lazy.scipy.interpolate.CubicSpline(x, x ** 3)
    >>> float(f(1.5)), float(f(1.5, 1))
    (3.375, 6.75)
    """

    def __init__(self, x, y, axis=0, bc_type='not-a-knot', extrapolate=None):
        self.x, y, self.axis = _samples(x, y, axis)
        if isinstance(bc_type, str) and bc_type not in ('not-a-knot', 'natural', 'clamped', 'periodic'):
            raise ValueError(f'bc_type={bc_type!r} is not allowed')
        own = (slice(None),) + (None,) * (y.ndim - 1)
        self.extrapolate = ('periodic' if bc_type == 'periodic' else True) if extrapolate is None else extrapolate
        dx = np.diff(self.x)
        slopes = np.diff(y, axis=0) / dx[own]
        s = _periodic_slopes(dx, slopes) if bc_type == 'periodic' else _slopes(dx, slopes, _ends(bc_type))
        t = (s[:-1] + s[1:] - 2 * slopes) / dx[own]
        self.c = np.stack([t / dx[own], (slopes - s[:-1]) / dx[own] - t, s[:-1], y[:-1]])

    def __call__(self, x, nu=0, extrapolate=None):
        extrapolate = self.extrapolate if extrapolate is None else extrapolate
        x = inexact_array(x)
        given, first, last = x, self.x[0], self.x[-1]
        if extrapolate == 'periodic':
            x = first + (x - first) % (last - first)
        i = _cell(self.x, x)
        rest = (...,) + (None,) * (self.c.ndim - 2)
        t, total = (x - _at(self.x, i))[rest], 0
        for power in range(3, nu - 1, -1):                             # Horner's rule, for the derivative of order nu
            total = total * t + math.perm(power, nu) * _at(self.c[3 - power], i)
        result = total + np.zeros_like(t)
        if extrapolate is False:
            result = np.where(((given < first) | (given > last))[rest], math.nan, result)
        return np.moveaxis(result, list(range(given.ndim)), list(range(self.axis, self.axis + given.ndim)))

    def derivative(self, nu=1):
        """The function of points that gives the derivative of order nu."""
        return lambda x: self(x, nu)


def _ends(bc_type):
    """((order, value), (order, value)), 'not-a-knot' being None."""
    names = {'not-a-knot': None, 'natural': (2, 0.0), 'clamped': (1, 0.0)}
    pair = (bc_type, bc_type) if isinstance(bc_type, str) else tuple(bc_type)
    if len(pair) != 2:
        raise ValueError('bc_type must contain 2 elements to specify start and end conditions.')
    found = [names.get(end, end) if isinstance(end, str) else end for end in pair]
    for end in found:
        if end is not None and (isinstance(end, str) or len(end) != 2 or end[0] not in (1, 2)):
            raise ValueError(f'an end of bc_type is a name, (1, slope) or (2, second derivative), not {end!r}')
    return found


def _slopes(dx, slopes, ends):
    """Slopes at the points, from a tridiagonal system (de Boor, A Practical Guide to Splines, chapter IV)."""
    count = dx.shape[0]
    if count == 1:                                       # not-a-knot means nothing: the line's slope
        ends = [(1, slopes[0]) if end is None else end for end in ends]
    elif count == 2 and ends == [None, None]:            # the parabola through three points
        second = (slopes[1] - slopes[0]) / (dx[0] + dx[1])
        return np.stack([slopes[0] - dx[0] * second, slopes[0] + dx[0] * second, slopes[1] + dx[1] * second])
    first = _end_row(dx, slopes, ends[0])
    last = _end_row(np.flip(dx), np.flip(slopes, 0), ends[1], -1)
    own = (slice(None),) + (None,) * (slopes.ndim - 1)
    row = lambda value: np.reshape(value, (1,))
    lower = np.concatenate([row(0 * dx[0]), dx[1:], row(last[1])])
    middle = np.concatenate([row(first[0]), 2 * (dx[:-1] + dx[1:]), row(last[0])])
    upper = np.concatenate([row(first[1]), dx[:-1], row(0 * dx[0])])
    inner = 3 * (dx[1:][own] * slopes[:-1] + dx[:-1][own] * slopes[1:])
    right = np.concatenate([first[2][None], inner, last[2][None]])
    diagonals = [d.astype(right.dtype) for d in (lower, middle, upper)]
    return tridiagonal_solve(*diagonals, right.reshape(count + 1, -1)).reshape(right.shape)


def _end_row(dx, slopes, end, sign=1):
    """(diagonal, beside it, right-hand side) of the equation of an end; of the last one, dx and slopes are reversed and
    second derivatives have the other sign."""
    if end is None:
        d = dx[0] + dx[1]
        return dx[1], d, ((dx[0] + 2 * d) * dx[1] * slopes[0] + dx[0] ** 2 * slopes[1]) / d
    order, value = end
    value = np.broadcast_to(np.asarray(value).astype(slopes.dtype), slopes.shape[1:])
    if order == 1:
        return 1 + 0 * dx[0], 0 * dx[0], value
    return 2 * dx[0], dx[0], 3 * dx[0] * slopes[0] - sign * 0.5 * value * dx[0] ** 2


def _periodic_slopes(dx, slopes):
    """As _slopes, the first and the last point being the same."""
    n = dx.shape[0]
    before, own = np.roll(dx, 1), (slice(None),) + (None,) * (slopes.ndim - 1)
    i, j = np.arange(n)[:, None], np.arange(n)
    matrix = (np.where(i == j, 2 * (before + dx)[:, None], 0) + np.where((i - 1) % n == j, dx[:, None], 0)
              + np.where((i + 1) % n == j, before[:, None], 0))
    right = 3 * (dx[own] * np.roll(slopes, 1, 0) + before[own] * slopes)
    s = np.linalg.solve(matrix.astype(right.dtype), right.reshape(n, -1)).reshape(right.shape)
    return np.concatenate([s, s[:1]])


class interp1d:
    """The function through y at the points x, along an axis of y (the last by default).

    kind: 'linear', 'nearest' (the lower of two equally near), 'nearest-up', 'previous' (or 'zero'), 'next', or 'cubic'
    (a `CubicSpline`, not-a-knot). fill_value: outside of the points, a number or a pair (below, above); 'extrapolate';
    NaN by default. assume_sorted: x rises. copy is accepted for compatibility.

    Raises ValueError for shapes that don't fit, NotImplementedError for another kind or bounds_error=True.

    >>> import lazy
    >>> lazy.scipy.interpolate.interp1d([0., 1., 3.], [0., 2., 6.])([0.5, 2.]).tolist()
    [1.0, 4.0]
    """

    def __init__(self, x, y, kind='linear', axis=-1, copy=True, bounds_error=None, fill_value=math.nan,
                 assume_sorted=False):
        if kind not in ('linear', 'nearest', 'nearest-up', 'zero', 'previous', 'next', 'cubic'):
            raise NotImplementedError(f'interp1d of kind {kind!r} is not implemented')
        if bounds_error:
            raise NotImplementedError('bounds_error=True is not supported: points need not have values yet')
        x, y, self.axis = _samples(x, y, axis)
        if not assume_sorted:
            order = np.argsort(x)
            x, y = _at(x, order), _at(y, order)
        self.x, self.y, self.kind, self.fill_value = x, y, kind, fill_value

    def __call__(self, x):
        x = inexact_array(x)
        rest = (...,) + (None,) * (self.y.ndim - 1)
        if self.kind == 'cubic':
            result = CubicSpline(self.x, self.y)(x)
        else:
            i = _cell(self.x, x)
            a, b = _at(self.x, i), _at(self.x, i + 1)
            if self.kind == 'linear':
                low, high = _at(self.y, i), _at(self.y, i + 1)
                result = low + (high - low) / (b - a)[rest] * (x - a)[rest]
            else:
                up = {'nearest': x > (a + b) / 2, 'nearest-up': x >= (a + b) / 2, 'next': x > a}.get(self.kind, x >= b)
                result = _at(self.y, i + up)
        if not isinstance(self.fill_value, str):
            below, above = self.fill_value if isinstance(self.fill_value, tuple) else (self.fill_value,) * 2
            result = np.where((x < self.x[0])[rest], below, np.where((x > self.x[-1])[rest], above, result))
        return np.moveaxis(result, list(range(x.ndim)), list(range(self.axis, self.axis + x.ndim)))


# --- trees -----------------------------------------------------------------------------------------------------------

def _register(cls, children, aux):
    """Instances are trees: of the attributes `children`, with `aux` beside them."""
    def unflatten(static, values):
        made = object.__new__(cls)
        made.__dict__.update(zip(children + aux, (*values, *static)))
        return made
    register_pytree_node(cls, lambda x: ([getattr(x, n) for n in children], tuple([getattr(x, n) for n in aux])),
                         unflatten)


_register(RegularGridInterpolator, ('grid', 'values', 'fill_value'), ('method', 'bounds_error'))
_register(CubicSpline, ('x', 'c'), ('axis', 'extrapolate'))
_register(interp1d, ('x', 'y'), ('axis', 'kind', 'fill_value'))
