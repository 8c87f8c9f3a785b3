"""Indexing: NumPy's index expressions as slices, reversals, reshapes, gathers and scatters.

An index is first split in its basic part (integers, slices, new axes) and its advanced part (integer arrays; a
boolean mask whose value is known becomes integer arrays). The basic part is a view. Static integers are checked
at once; indices held in arrays are checked when the value is computed.
"""
import operator

import numpy as onp

from . import array as arrays
from .errors import NonConcreteBooleanIndexError, no_value
from .ir import build, dtypes, ops
from .ir.graph import Node, aval, broadcast_shapes, make

_MODES = {None: 'error', 'error': 'error', 'raise': 'error', 'clip': 'clip', 'wrap': 'wrap', 'fill': 'fill',
          'drop': 'fill', 'promise_in_bounds': 'clip'}


def index_mode(mode):
    """Our name of an indexing mode; accepts JAX's and NumPy's."""
    name = getattr(mode, 'name', mode)
    name = name.lower() if isinstance(name, str) else name
    if name not in _MODES:
        raise ValueError(f'mode {mode!r} is none of {", ".join(str(m) for m in _MODES if m)}')
    return _MODES[name]


class Located:
    """Where an index points: slices for every axis, ints to drop, new axes, and index arrays.

    entries, for each axis of the result of the basic part in order: ('slice', axis) or ('new',) or ('array', axis,
    node); dropped axes have no entry.
    """

    def __init__(self, start, stop, step, reversed_axes, dropped, entries):
        self.start, self.stop, self.step, self.reversed_axes = start, stop, step, reversed_axes
        self.dropped, self.entries = dropped, entries

    def is_whole(self, shape):
        return not any(self.start) and tuple(self.stop) == shape and all(s == 1 for s in self.step) \
            and not self.reversed_axes


_BASIC_KEPT = 20_000
_basic = {}                          # (aval, key of a basic index) -> the operations that it comes to


def basic_key(index):
    """A hashable form of an index of integers, slices, new axes and an ellipsis; None for any other."""
    key = []
    for item in index if type(index) is tuple else (index,):
        kind = type(item)
        if kind is slice:
            key.append((item.start, item.stop, item.step))
        elif kind is int or item is None or item is Ellipsis:
            key.append(item)
        else:
            return None
    return tuple(key)


def get(x, index, mode='error'):
    """x[index] as a node. What a basic index comes to is remembered by the type of x."""
    if type(index) is int and x.aval.ndim:
        return _row(x, index, mode)
    key = basic_key(index) if mode == 'error' else None
    try:
        steps = _basic.get((x.aval, key)) if key is not None else None
    except TypeError:                                               # a slice of arrays
        key = steps = None
    if steps is None:
        if key is None:
            x, index, _ = _with_scalar_masks(x, index)
        result = select(x, locate(x.aval.shape, index, mode), mode)
        if key is not None:
            _remember(x, key, result)
        return result
    for op, params, of in steps:
        x = Node(op, (x,), params, of)
    return x


def _remember(x, key, result):
    steps, node = [], result
    while node is not x:
        steps.insert(0, (node.op, node.params, node.aval))
        node = node.inputs[0]
    if len(_basic) > _BASIC_KEPT:
        _basic.clear()
    _basic[x.aval, key] = steps


_rows = {}                           # aval -> what rows of such an array have in common


def _row(x, index, mode):
    """x[i] for a static i."""
    a = x.aval
    found = _rows.get(a)
    if found is None:
        rest = a.shape[1:]
        found = _rows[a] = ((0,) * len(rest), rest, (1,) * a.ndim, aval((1, *rest), a.dtype, a.weak), (rest,),
                            aval(rest, a.dtype, a.weak))
        if len(_rows) > _BASIC_KEPT:
            _rows.clear()
    zeros, rest, ones, of_row, params, of_result = found
    i = _static(index, a.shape[0], 0, mode)
    row = Node(ops.slice_, (x,), ((i, *zeros), (i + 1, *rest), ones), of_row)
    return Node(ops.reshape, (row,), params, of_result)


def select(x, found, mode):
    view = basic_view(x, found)
    kept = [axis for axis in range(x.aval.ndim) if axis not in found.dropped]
    view = build.squeeze(view, found.dropped)
    arrays_ = [(kept.index(entry[1]), entry[2]) for entry in found.entries if entry[0] == 'array']
    if arrays_:
        view = gather_axes(view, [a for a, _ in arrays_], [i for _, i in arrays_], mode)
        return _arrange(view, found, len(broadcast_shapes('index', *[i.aval.shape for _, i in arrays_])))
    shape, sizes = [], iter(view.aval.shape)
    for entry in found.entries:
        shape.append(1 if entry[0] == 'new' else next(sizes))
    return build.reshape(view, shape)


def basic_view(x, found):
    view = build.slice_(x, found.start, found.stop, found.step)
    return build.rev(view, found.reversed_axes)


def gather_axes(x, axes, indices, mode):
    indices = [_wrap_negative(i, x.aval.shape[a], mode) for a, i in zip(axes, indices)]
    return build.gather(x, indices, axes, mode)


def _wrap_negative(index, size, mode):
    """Indices from the end, for all modes alike."""
    if dtypes.kind(index.aval.dtype) == 'u' or mode == 'wrap':
        return index
    if index.aval.dtype.itemsize < 4 or size > 1 << 31 and index.aval.dtype.itemsize < 8:
        index = build.convert(index, dtypes.int64 if size > 1 << 31 else dtypes.int32)
    zero, length = build.literal(0, index.aval.dtype, True), build.literal(size, index.aval.dtype, True)
    return build.select(build.lt(index, zero), build.add(index, length), index)


def _arrange(gathered, found, rank):
    """From indices-first to where NumPy puts them: at the first of adjacent index arrays, in front otherwise."""
    return build.transpose(_with_new_axes(gathered, found, rank), _order(found, rank))


def _with_new_axes(gathered, found, rank):
    sizes = iter(gathered.aval.shape[rank:])
    rest = [1 if entry[0] == 'new' else next(sizes) for entry in found.entries if entry[0] != 'array']
    return build.reshape(gathered, gathered.aval.shape[:rank] + tuple(rest))


def _order(found, rank):
    kinds = [entry[0] == 'array' for entry in found.entries]
    first, count = kinds.index(True), sum(kinds)
    at = first if all(kinds[first:first + count]) else 0
    total = rank + len(kinds) - count
    rest = list(range(rank, total))
    return rest[:at] + list(range(rank)) + rest[at:]


def locate(shape, index, mode='error'):
    """The Located of an index expression for an array of `shape`."""
    items = _expand(list(index) if isinstance(index, tuple) else [index], shape)
    has_arrays = any(_is_array(item) for item in items)
    start, stop, step, reversed_axes, dropped, entries = [], [], [], [], [], []
    axis = 0
    for item in items:
        if item is None:
            entries.append(('new',))
            continue
        n = shape[axis]
        if isinstance(item, slice):
            a, b, s, backwards = _slice(item, n)
            if backwards:
                reversed_axes.append(axis)
            entries.append(('slice', axis))
        elif _is_array(item) or has_arrays:
            a, b, s = 0, n, 1
            node = item if _is_array(item) else build.literal(_static(item, n, axis, mode), dtypes.index_int(n))
            entries.append(('array', axis, node))
        else:
            a = _static(item, n, axis, mode)
            b, s = a + 1, 1
            dropped.append(axis)
        start.append(a), stop.append(b), step.append(s)
        axis += 1
    return Located(tuple(start), tuple(stop), tuple(step), tuple(reversed_axes), tuple(dropped), entries)


def _is_array(item):
    return hasattr(item, 'aval')


def _expand(items, shape):
    """Items with the ellipsis written out, masks as integer arrays, and one item for each axis."""
    result = []
    used = sum(_consumed(item) for item in items)
    if sum(item is Ellipsis for item in items) > 1:
        raise IndexError('an index can only have a single ellipsis (\'...\')')
    if used > len(shape):
        raise IndexError(f'too many indices for array: array is {len(shape)}-dimensional, but {used} were indexed')
    if not any(item is Ellipsis for item in items):
        items = items + [Ellipsis]
    axis = 0
    for item in items:
        if item is Ellipsis:
            result += [slice(None)] * (len(shape) - used)
            axis += len(shape) - used
        elif item is None or isinstance(item, slice):
            result.append(item)
            axis += item is not None
        else:
            entries = _integers(item, shape, axis)
            result += entries
            axis += sum(entry is not None for entry in entries)
    return result


def _consumed(item):
    if item is None or item is Ellipsis:
        return 0
    if isinstance(item, (bool, onp.bool_)):
        return 0
    dtype = getattr(item, 'dtype', None)
    if isinstance(item, (list, tuple)):
        item = onp.asarray(item) if not any(isinstance(i, arrays.Array) for i in arrays._flatten(item)) else item
        dtype = getattr(item, 'dtype', None)
    if dtype is not None and dtype == onp.bool_:
        return onp.ndim(item) if not isinstance(item, arrays.Array) else item.ndim
    return 1


def _integers(item, shape, axis):
    """An integer or array item as a list of static integers, nodes of integer arrays, or new axes."""
    if isinstance(item, (int, onp.integer)):
        return [int(item)]
    if isinstance(item, (list, tuple)) and not len(item):
        item = onp.zeros(0, onp.int32)
    if not isinstance(item, (arrays.Array, onp.ndarray, list, tuple)) and hasattr(item, '__index__'):
        return [operator.index(item)]
    if isinstance(item, (float, complex, str)) or not isinstance(item, (arrays.Array, onp.ndarray, list, tuple)) \
            and not hasattr(item, '__array__'):
        raise IndexError(f'only integers, slices, ellipsis, None and integer or boolean arrays are valid indices, '
                         f'not {type(item).__name__}')
    if isinstance(item, onp.ndarray) and item.ndim == 0 and item.dtype.kind in 'iu':
        return [int(item)]
    node = arrays.as_node(item)
    kind = dtypes.kind(node.aval.dtype)
    if kind == 'b':
        return _mask(node, shape, axis)
    if kind not in 'iu':
        raise IndexError(f'arrays used as indices must be of integer or boolean type, not {node.aval.dtype}')
    return [node]


def _mask(node, shape, axis):
    size = node.aval.shape
    if not all([n in (0, m) for n, m in zip(size, shape[axis:axis + len(size)], strict=True)]):
        raise IndexError(f'boolean index of shape {size} does not fit axes of sizes {shape[axis:axis + len(size)]}')
    return [arrays.from_numpy(i) for i in onp.nonzero(arrays.to_numpy(node, 'index'))]


def _is_scalar_mask(item):
    return isinstance(item, (bool, onp.bool_)) or getattr(item, 'shape', None) == () and item.dtype == onp.bool_


def _with_scalar_masks(x, index):
    """(x, index, new axes): a mask of no dimensions picks all or nothing of a new axis of size 1, where it stands."""
    items = index if isinstance(index, tuple) else (index,)
    if not any(_is_scalar_mask(item) for item in items):
        return x, index, ()
    rest, at, axes = x.aval.ndim - sum(_consumed(item) for item in items), 0, []
    if rest < 0:
        raise IndexError(f'too many indices for array: array is {x.aval.ndim}-dimensional')
    for item in items:
        if _is_scalar_mask(item):
            axes.append(at + len(axes))
        at += rest if item is Ellipsis else _consumed(item)
    items = tuple([onp.zeros(int(bool(item)), onp.int32) if _is_scalar_mask(item) else item for item in items])
    return build.expand_dims(x, axes), items, tuple(axes)


def _static(i, n, axis, mode='error'):
    """A static integer in [0, n); IndexError at once where it is outside and the mode says nothing else."""
    if -n <= i < n:
        return i + n if i < 0 else i
    if mode == 'clip':
        return max(0, min(i + n if i < 0 else i, n - 1))
    if mode == 'wrap' and n:
        return i % n
    raise IndexError(f'index {i} is out of bounds for axis {axis} with size {n}')


def _slice(item, n):
    """(start, stop, positive step, whether reversed) of a slice along n elements."""
    for part in (item.start, item.stop, item.step):
        if isinstance(part, arrays.Array) and part._node.value is None and part._node.op is ops.variable:
            raise no_value(part._node, 'int', part._node)
    start, stop, step = item.indices(n)
    count = len(range(start, stop, step))
    if step > 0:
        return start, start + max(0, (count - 1) * step + 1) if count else start, step, False
    last = start + (count - 1) * step
    return (last, start + 1, -step, True) if count else (0, 0, 1, False)


# --- updates -----------------------------------------------------------------------------------------------------

class At:
    """x.at: indexed by an index expression, it offers the updates."""
    __slots__ = ('array',)

    def __init__(self, array):
        self.array = array

    def __getitem__(self, index):
        return Updates(self.array, index)

    def __repr__(self):
        return f'x.at for an array of {self.array.aval}'


class Updates:
    """x.at[index]: every method gives a new array (in place where nobody can see the old one).

    mode says what happens outside: None or 'error' IndexError when the result is waited for, 'drop' or 'fill' leaves
    it out, 'clip' takes the nearest, 'wrap' goes around.

    >>> import lazy.numpy as np
    >>> np.zeros(3).at[1].set(5.).tolist()
    [0.0, 5.0, 0.0]
    """
    __slots__ = ('array', 'index')

    def __init__(self, array, index):
        self.array, self.index = array, index

    def get(self, *, mode=None, fill_value=None, indices_are_sorted=False, unique_indices=False):
        mode = index_mode(mode)
        node = self.array._node
        if mode == 'fill':
            return _get_filled(node, self.index, fill_value)
        return arrays.wrap(get(node, self._dynamic(mode), mode))

    def set(self, values, *, mode=None, indices_are_sorted=False, unique_indices=False):
        return self._update('set', values, mode)

    def add(self, values, *, mode=None, indices_are_sorted=False, unique_indices=False):
        return self._update('add', values, mode)

    def subtract(self, values, *, mode=None, indices_are_sorted=False, unique_indices=False):
        return self._update('add', arrays.unary(ops.neg, values), mode)

    def multiply(self, values, *, mode=None, indices_are_sorted=False, unique_indices=False):
        return self._update('mul', values, mode)

    mul = multiply

    def divide(self, values, *, mode=None, indices_are_sorted=False, unique_indices=False):
        return self.array / _ones_like(self.array).at[self.index].multiply(values, mode=mode)

    def power(self, values, *, mode=None, indices_are_sorted=False, unique_indices=False):
        return self.array ** _ones_like(self.array).at[self.index].multiply(values, mode=mode)

    def min(self, values, *, mode=None, indices_are_sorted=False, unique_indices=False):
        return self._update('min', values, mode)

    def max(self, values, *, mode=None, indices_are_sorted=False, unique_indices=False):
        return self._update('max', values, mode)

    def apply(self, function, *, mode=None, indices_are_sorted=False, unique_indices=False):
        return self.set(function(self.get(mode='clip' if index_mode(mode) == 'fill' else mode)), mode=mode)

    def _dynamic(self, mode):
        return self.index

    def _update(self, kind, values, mode):
        x, mode = self.array._node, index_mode(mode)
        values = arrays.as_node(values)
        dtype, _ = dtypes.promote((x.aval.dtype, x.aval.weak), (values.aval.dtype, values.aval.weak))
        if dtype != x.aval.dtype and not (dtypes.is_inexact(x.aval.dtype) or not dtypes.is_inexact(dtype)):
            raise TypeError(f'an update of {values.aval} does not fit into an array of {x.aval}: convert one of them')
        values = build.convert(arrays.convert_operand(values, x.aval.dtype), x.aval.dtype)
        return arrays.wrap(update(x, self.index, values, kind, mode))


def _ones_like(array):
    return arrays.wrap(build.ones(array._node.aval))


def _get_filled(x, index, fill_value):
    """Out-of-range elements are `fill_value`, by default NaN or the extreme integer."""
    items = index if isinstance(index, tuple) else (index,)
    items = tuple([arrays.wrap(build.literal(i, dtypes.index_int(abs(i)))) if type(i) is int else i for i in items])
    found = locate(x.aval.shape, items, 'fill')
    result = select(x, found, 'fill')
    if fill_value is None:
        return arrays.wrap(result)
    inside = select(build.full(x.aval.shape, True, dtypes.bool_), found, 'clip')
    ones = build.full(x.aval.shape, 1, dtypes.int32)
    marks = select(ones, found, 'fill')                              # the fill of int32 is not 1
    inside = build.eq(marks, build.scalar_like(marks, 1))
    return arrays.wrap(build.select(inside, result, build.convert(arrays.as_node(fill_value), x.aval.dtype)))


_COMBINE = {'add': ops.add, 'mul': ops.mul, 'min': ops.min_, 'max': ops.max_}


def update(x, index, values, kind, mode):
    """x with x[index] combined with `values` (a node of x's dtype)."""
    if isinstance(index, arrays.Array) and index.dtype == dtypes.bool_:
        masked = _masked(x, index._node, values, kind)
        if masked is not None:
            return masked
    if basic_key(index) is None:
        x, index, new_axes = _with_scalar_masks(x, index)
        if new_axes:
            return build.squeeze(update(x, index, values, kind, mode), new_axes)
    try:
        found = _update_location(x, index, mode)
    except NonConcreteBooleanIndexError:
        if not isinstance(index, arrays.Array):
            raise
        return _masked_in_turn(x, index._node, values, kind)
    indexed = [(found.kept.index(entry[1]), entry[2]) for entry in found.entries if entry[0] == 'array']
    squeezed = None
    if indexed or kind != 'set':
        squeezed = build.squeeze(basic_view(x, found), found.dropped)
    if indexed:
        new = _scatter(squeezed, found, indexed, values, kind, mode)
    else:
        new = build.reshape(_fit(values, found.result_shape), found.squeezed_shape)
        if kind != 'set':
            new = build.apply(_COMBINE[kind], squeezed, new)
    if found.whole and not found.dropped:
        return new
    new = build.rev(build.reshape(new, found.view_shape), found.reversed_axes)
    return build.slice_update(x, new, found.start, found.step)


def _masked(x, mask, values, kind):
    """x[mask] updated with values that are the same at each place: a choice, for which the mask need not be known."""
    rank = mask.aval.ndim
    if mask.aval.shape != x.aval.shape[:rank] or values.aval.ndim > x.aval.ndim - rank:
        return None
    new = values if kind == 'set' else build.apply(_COMBINE[kind], x, values)
    mask = build.broadcast(mask, x.aval.shape, range(rank))
    return build.apply(ops.select, mask, _fit(new, x.aval.shape), x)


def _masked_in_turn(x, mask, values, kind):
    """x[mask] updated with one row of values after the other, where the mask has no value yet.

    IndexError, when the result is waited for, where the mask does not pick as many places as there are rows.
    """
    rank, rest = mask.aval.ndim, x.aval.shape[mask.aval.ndim:]
    if mask.aval.shape != x.aval.shape[:rank]:
        raise IndexError(f'boolean index of shape {mask.aval.shape} does not fit axes of sizes {x.aval.shape[:rank]}')
    if values.aval.ndim != 1 + len(rest) or values.aval.shape[0] > mask.aval.size:
        raise ValueError(f'could not broadcast input array from shape {values.aval.shape} into at most '
                         f'{mask.aval.size} rows of shape {rest}')
    n = values.aval.shape[0]
    if n == 1:                                                        # is broadcast
        return _masked(x, mask, build.reshape(values, values.aval.shape[1:]), kind)
    picked = build.convert(build.reshape(mask, (mask.aval.size,)), dtypes.int64)
    if n:
        rows = _fit(values, (n, *rest))
        count = build.broadcast(build.reduce_sum(picked, (0,)), picked.aval.shape, ())
        zero, rows_given = build.scalar_like(count, 0), build.scalar_like(count, n)
        wrong = build.select(build.eq(count, rows_given), zero, rows_given)
        turn = build.sub(make(ops.cumsum, (picked,), (0, False)), build.scalar_like(picked, 1))
        turn = build.select(build.reshape(mask, picked.aval.shape), turn, wrong)
    else:
        rows, turn = build.full((1, *rest), 0, x.aval.dtype), picked  # any place that is picked is out of range
    new = build.reshape(build.gather(rows, [turn], (0,), 'error'), x.aval.shape)
    new = new if kind == 'set' else build.apply(_COMBINE[kind], x, new)
    return build.apply(ops.select, build.broadcast(mask, x.aval.shape, range(rank)), new, x)


_update_locations = {}


def _update_location(x, index, mode):
    """Where an update goes, with the shapes on the way there; basic ones are remembered by the type of x."""
    key = basic_key(index) if mode == 'error' else None
    try:
        found = _update_locations.get((x.aval, key)) if key is not None else None
    except TypeError:                                               # a slice of arrays
        key = found = None
    if found is not None:
        return found
    if mode != 'error':
        items = index if isinstance(index, tuple) else (index,)
        index = tuple([arrays.wrap(build.literal(i, dtypes.index_int(abs(i)))) if type(i) is int else i for i in items])
    found = locate(x.aval.shape, index, mode)
    found.view_shape = tuple([max(0, -(-(b - a) // s)) for a, b, s in zip(found.start, found.stop, found.step)])
    found.kept = [axis for axis in range(x.aval.ndim) if axis not in found.dropped]
    found.squeezed_shape = tuple([found.view_shape[axis] for axis in found.kept])
    sizes = iter(found.squeezed_shape)
    found.result_shape = tuple([1 if entry[0] == 'new' else next(sizes) for entry in found.entries])
    found.whole = found.is_whole(x.aval.shape)
    if key is not None:
        if len(_update_locations) > _BASIC_KEPT:
            _update_locations.clear()
        _update_locations[x.aval, key] = found
    return found


def _fit(values, shape):
    """Values broadcast to the indexed shape; leading axes of size 1 too many are dropped, as NumPy does."""
    have = values.aval.shape
    if have == shape:
        return values
    extra = len(have) - len(shape)
    if extra > 0 and all(n == 1 for n in have[:extra]):
        values = build.reshape(values, have[extra:])
        have = values.aval.shape
    try:
        if broadcast_shapes('update', have, shape) != shape:
            raise ValueError
    except ValueError:
        raise ValueError(f'could not broadcast input array from shape {values.aval.shape} into shape {shape}') from None
    return build.broadcast_to(values, shape)


def _scatter(x, found, indexed, values, kind, mode):
    axes = [a for a, _ in indexed]
    indices = [_wrap_negative(i, x.aval.shape[a], mode) for a, i in indexed]
    index_shape = broadcast_shapes('index', *[i.aval.shape for i in indices])
    rank = len(index_shape)
    rest = [n for a, n in enumerate(x.aval.shape) if a not in axes]
    sizes = iter(rest)
    with_new = [1 if entry[0] == 'new' else next(sizes) for entry in found.entries if entry[0] != 'array']
    order = _order(found, rank)
    front = list(index_shape) + with_new
    values = _fit(values, tuple([front[i] for i in order]))
    values = build.transpose(values, build.inverse_permutation(order))
    values = build.reshape(values, list(index_shape) + rest)
    return build.scatter(x, values, indices, axes, mode, kind)
