"""Functions that take functions: vectorize, apply_along_axis, ufunc."""
import functools
import re

import numpy as onp

from . import elementwise, reductions
from ._util import Array, array_of, axis_of, broadcast_shapes, build, node_of, takes_out, wrap

__all__ = ['vectorize', 'apply_along_axis', 'apply_over_axes', 'frompyfunc', 'ufunc']


def apply_along_axis(func1d, axis, arr, *args, **kwargs):
    """func1d of every vector along an axis; what it returns takes the place of that axis."""
    from .shape import moveaxis
    from ..transforms import vmap
    x = array_of(arr)
    axis = axis_of(axis, x.ndim)
    function = lambda vector: func1d(vector, *args, **kwargs)
    for _ in range(x.ndim - 1):
        function = vmap(function)
    result = function(moveaxis(x, axis, -1))
    extra = result.ndim - (x.ndim - 1)
    behind, at = range(x.ndim - 1, result.ndim), range(axis, axis + extra)
    return moveaxis(result, tuple(behind), tuple(at)) if extra else result


def apply_over_axes(func, a, axes):
    """func(a, axis) over several axes, one after the other; it may keep or drop the axis."""
    from .shape import expand_dims
    x = array_of(a)
    for axis in axes if isinstance(axes, (tuple, list)) else [axes]:
        axis = axis_of(axis, x.ndim)
        result = func(x, axis)
        if result.ndim != x.ndim:
            result = expand_dims(result, axis)
            if result.ndim != x.ndim:
                raise ValueError('function is not returning an array of the correct shape')
        x = result
    return x


_SIGNATURE = re.compile(r'^(\([\w\s,]*\)(?:\s*,\s*\([\w\s,]*\))*)->(\([\w\s,]*\)(?:\s*,\s*\([\w\s,]*\))*)$')


def _core(text):
    return [tuple([d.strip() for d in part.split(',') if d.strip()]) for part in re.findall(r'\(([\w\s,]*)\)', text)]


def vectorize(pyfunc, *, excluded=frozenset(), signature=None):
    """A function of scalars (or of arrays with the dimensions of `signature`) as one that broadcasts over the others.

    signature: as NumPy's, '(m,n),(n)->(m)'. excluded: positions and names of arguments that are passed on as they are.

    >>> import lazy.numpy as np
    >>> np.vectorize(lambda a, b: a * b)(np.arange(3), 2).tolist()
    [0, 2, 4]
    """
    if any(not isinstance(e, (int, str)) for e in excluded):
        raise TypeError(f'excluded argument must be a set of integers and strings, got {excluded}')
    if signature is not None and not _SIGNATURE.match(signature.replace(' ', '')):
        raise ValueError(f'not a valid gufunc signature: {signature}')
    core_in, core_out = [_core(part) for part in signature.split('->')] if signature is not None else (None, None)

    @functools.wraps(pyfunc)
    def vectorized(*args, **kwargs):
        from ..transforms import vmap
        mapped = [i for i in range(len(args)) if i not in excluded]
        named = [k for k in kwargs if k not in excluded]
        arrays = [array_of(args[i]) for i in mapped] + [array_of(kwargs[k]) for k in named]
        cores = core_in if core_in is not None else [()] * len(arrays)
        if len(cores) != len(arrays):
            raise TypeError(f'wrong number of positional arguments: expected {len(cores)}, got {len(arrays)}')
        sizes = _check_cores(arrays, cores)
        leading = [x.shape[:x.ndim - len(c)] for x, c in zip(arrays, cores)]
        batch = broadcast_shapes('vectorize', *leading) if leading else ()

        def on(*values):
            new, extra = list(args), dict(kwargs)
            for i, v in zip(mapped, values):
                new[i] = v
            extra.update(zip(named, values[len(mapped):]))
            result = pyfunc(*new, **extra)
            if core_out is not None:
                _check_results(result, core_out, sizes)
            return result
        for axis in range(len(batch)):                               # innermost axis first
            has = [len(lead) > axis for lead in leading]
            keeps = [h and lead[-1 - axis] != 1 or h and batch[-1 - axis] == 1 for h, lead in zip(has, leading)]
            arrays = [x if not h or k else wrap(build.squeeze(x._node, (len(lead) - 1 - axis,)))
                      for x, lead, h, k in zip(arrays, leading, has, keeps)]
            on = vmap(on, tuple([0 if k else None for k in keeps]))
        return on(*arrays)
    return vectorized


def _check_cores(arrays, cores):
    sizes = {}
    for x, core in zip(arrays, cores):
        if x.ndim < len(core):
            raise ValueError(f'input with shape {x.shape} does not have enough dimensions for all core dimensions '
                             f'{core}')
        for name, n in zip(core, x.shape[x.ndim - len(core):]):
            wanted = int(name) if name.isdigit() else sizes.setdefault(name, n)
            if wanted != n:
                raise ValueError(f'inconsistent size for core dimension {name!r}: {n} vs {wanted}')
    return sizes


def _check_results(result, core_out, sizes):
    results = result if isinstance(result, tuple) else (result,)
    if len(results) != len(core_out):
        raise TypeError(f'wrong number of results: expected {len(core_out)}, got {len(results)}')
    for x, core in zip(results, core_out):
        shape = node_of(x).aval.shape
        if len(shape) != len(core):
            raise ValueError(f'output shape {shape} does not match core dimensions {core}')
        for name, n in zip(core, shape):
            if sizes.setdefault(name, n) != n:
                raise ValueError(f'inconsistent size for core dimension {name!r}: {n} vs {sizes[name]}')


class ufunc:
    """A function of scalars with NumPy's methods: broadcasting calls, reduce, accumulate, reduceat, outer, at."""

    def __init__(self, func, /, nin, nout, *, name=None, nargs=None, identity=None, call=None, reduce=None,
                 accumulate=None, at=None, reduceat=None):
        if not callable(func):
            raise TypeError(f'func must be callable, got {type(func).__name__}')
        self._func, self.nin, self.nout, self.identity = func, nin, nout, identity
        self.nargs = nargs or nin + nout
        self.__name__ = name or getattr(func, '__name__', 'ufunc')
        self._call = call or vectorize(func)

    def __repr__(self):
        return f'<lazy.numpy.ufunc {self.__name__!r}>'

    def __call__(self, *args):
        """The function of each element, with broadcasting."""
        if len(args) != self.nin:
            raise TypeError(f'{self.__name__} takes {self.nin} arguments, got {len(args)}')
        return self._call(*args)

    def _binary(self, name):
        if (self.nin, self.nout) != (2, 1):
            raise ValueError(f'{name} only supported for binary ufuncs returning a single value')

    @takes_out
    def reduce(self, a, axis=0, dtype=None, out=None, keepdims=False, initial=None, where=None):
        """The elements along axes combined from first to last."""
        from .shape import expand_dims, moveaxis
        self._binary('reduce')
        x = array_of(a) if dtype is None else array_of(a).astype(dtype)
        if where is not None:
            from .indexing import where as choose
            start = self.identity if initial is None else initial
            if start is None:
                raise ValueError(f'reduction operation {self.__name__} does not have an identity, so to use a where '
                                 'mask one has to specify initial')
            x = choose(where, x, start)
        axes = tuple(range(x.ndim)) if axis is None else tuple(
            [axis_of(i, x.ndim) for i in (axis if isinstance(axis, tuple) else (axis,))])
        flat = moveaxis(x, axes, tuple(range(len(axes))))
        flat = flat.reshape(-1, *flat.shape[len(axes):]) if flat.size else flat.reshape(0, *flat.shape[len(axes):])
        parts = [flat[i] for i in range(flat.shape[0])]
        if initial is not None or not parts:
            start = self.identity if initial is None else initial
            if start is None:
                raise ValueError(f'zero-size array to reduction operation {self.__name__} which has no identity')
            parts.insert(0, array_of(start).astype(x.dtype) + wrap(build.full(flat.shape[1:], 0, x.dtype)))
        result = functools.reduce(self, parts)
        return expand_dims(result, tuple(sorted(axes))) if keepdims else result

    @takes_out
    def accumulate(self, a, axis=0, dtype=None, out=None):
        """The elements along an axis combined up to each."""
        from .joining import stack
        from .shape import moveaxis
        self._binary('accumulate')
        x = array_of(a) if dtype is None else array_of(a).astype(dtype)
        front = moveaxis(x, axis, 0)
        parts = [front[i] for i in range(front.shape[0])]
        for i in range(1, len(parts)):
            parts[i] = self(parts[i - 1], parts[i])
        return moveaxis(stack(parts), 0, axis) if parts else x

    @takes_out
    def reduceat(self, a, indices, axis=0, dtype=None, out=None):
        """The elements combined between known indices."""
        from .joining import stack
        from .shape import moveaxis
        self._binary('reduceat')
        x = array_of(a) if dtype is None else array_of(a).astype(dtype)
        front, known = moveaxis(x, axis, 0), [int(i) for i in onp.asarray(indices)]
        n = front.shape[0]
        ends = known[1:] + [n]
        parts = [self.reduce(front[i:j]) if i < j else front[i] for i, j in zip(known, ends)]
        return moveaxis(stack(parts), 0, axis)

    def outer(self, a, b):
        """The function of all pairs of elements."""
        self._binary('outer')
        a, b = array_of(a), array_of(b)
        return self(a.reshape(*a.shape, *(1,) * b.ndim), b)

    def at(self, a, indices, b=None, *, inplace=True):
        """Elements at known indices replaced by the function of them (and b), once for each time an index occurs: in `a`
        where arrays are mutable, with inplace=False in a new array."""
        from .indexing import written
        x = array_of(a)
        place = onp.arange(x.size).reshape(x.shape)[_known(indices)]
        b = None if b is None else wrap(build.broadcast_to(node_of(b), place.shape)).ravel()
        flat = x.ravel()
        for turn in _turns(place.ravel()):
            operands = (flat[place.flat[turn]],) if b is None else (flat[place.flat[turn]], b[turn])
            flat = flat.at[place.flat[turn]].set(self(*operands))
        return written(a, flat.reshape(x.shape)._node, inplace, f'{self.__name__}.at')


def _known(indices):
    """An index whose arrays are NumPy's."""
    if isinstance(indices, tuple):
        return tuple([_known(i) for i in indices])
    return onp.asarray(indices) if isinstance(indices, (Array, list)) else indices


def _turns(places):
    """Positions in `places`, in groups in which no place occurs twice: the first occurrences, the second ones, ..."""
    order = onp.argsort(places, kind='stable')
    starts = onp.flatnonzero(onp.diff(places[order], prepend=-1))
    turn = onp.empty(places.size, int)
    turn[order] = onp.arange(places.size) - onp.repeat(starts, onp.diff(starts, append=places.size))
    return [onp.flatnonzero(turn == t) for t in range(turn.max(initial=-1) + 1)]


def frompyfunc(func, /, nin, nout, *, identity=None):
    """A `ufunc` of a function of scalars."""
    return ufunc(func, nin, nout, identity=identity)


# --- NumPy's methods of the functions themselves ----------------------------------------------------------------------

def _add_methods(function, reduce=None, accumulate=None, identity=None):
    """`add.reduce` and its like; a reduction or cumulative operation of its own is used where there is one."""
    general = ufunc(function, 2, 1, name=function.__name__, identity=identity, call=function)

    @takes_out
    def reduce_(a, axis=0, dtype=None, out=None, keepdims=False, initial=None, where=None):
        """The elements along axes combined from first to last."""
        if reduce is None:
            return general.reduce(a, axis, dtype, keepdims=keepdims, initial=initial, where=where)
        x = array_of(a) if dtype is None else array_of(a).astype(dtype)
        options = {} if initial is None else {'initial': initial}
        return reduce(x, axis=axis, keepdims=keepdims, where=where, **options)

    @takes_out
    def accumulate_(a, axis=0, dtype=None, out=None):
        """The elements along an axis combined up to each."""
        return accumulate(a, axis, dtype) if accumulate is not None else general.accumulate(a, axis, dtype)
    function.reduce, function.accumulate, function.outer = reduce_, accumulate_, general.outer
    function.at, function.reduceat = general.at, general.reduceat
    function.identity, function.nin, function.nout = identity, 2, 1


_add_methods(elementwise.add, reductions.sum, reductions.cumsum, 0)
_add_methods(elementwise.multiply, reductions.prod, reductions.cumprod, 1)
_add_methods(elementwise.maximum, reductions.max)
_add_methods(elementwise.minimum, reductions.min)
_add_methods(elementwise.logical_and, reductions.all, None, True)
_add_methods(elementwise.logical_or, reductions.any, None, False)
for _name in ('subtract', 'divide', 'power', 'bitwise_and', 'bitwise_or', 'bitwise_xor', 'logical_xor', 'logaddexp',
              'arctan2'):
    _add_methods(getattr(elementwise, _name),
                 identity={'bitwise_or': 0, 'bitwise_xor': 0, 'logical_xor': False}.get(_name))


def _add_at(name, update):
    """`at` by a scatter operation, for indices that may depend on arguments without values."""
    def at(a, indices, b, *, inplace=True):
        from .indexing import written
        x = array_of(a)
        return written(a, getattr(x.at[indices], update)(b)._node, inplace, f'{name}.at')
    at.__doc__ = ufunc.at.__doc__.replace('known indices', 'indices')
    getattr(elementwise, name).at = at


for _name, _update in (('add', 'add'), ('subtract', 'subtract'), ('multiply', 'multiply'), ('divide', 'divide'),
                       ('maximum', 'max'), ('minimum', 'min')):
    _add_at(_name, _update)
