"""Slices at many places: gathered into an array, or scattered into one."""
import enum
from typing import NamedTuple

import numpy as onp

from ..array import as_node, wrap
from ..ir import build, dtypes, ops
from ..ir.reference import fill_value as default_fill
from .operands import adapt, sizes_of


class GatherDimensionNumbers(NamedTuple):
    """What the axes of a gather's operands and result are.

    offset_dims: axes of the result that are axes of a slice. collapsed_slice_dims: axes of the operand of which slices
    have one element, left out of the result. start_index_map: the axis of the operand that each entry of an index
    belongs to. operand_batching_dims, start_indices_batching_dims: axes that go together.
    """
    offset_dims: tuple
    collapsed_slice_dims: tuple
    start_index_map: tuple
    operand_batching_dims: tuple = ()
    start_indices_batching_dims: tuple = ()


class ScatterDimensionNumbers(NamedTuple):
    """What the axes of a scatter's operands are: update_window_dims, axes of updates that are axes of a slice;
    inserted_window_dims, axes of the operand of which slices have one element that updates lack; the rest as for a
    gather."""
    update_window_dims: tuple
    inserted_window_dims: tuple
    scatter_dims_to_operand_dims: tuple
    operand_batching_dims: tuple = ()
    scatter_indices_batching_dims: tuple = ()


class GatherScatterMode(enum.Enum):
    """What happens to a slice that isn't within the operand: CLIP moves it, FILL_OR_DROP gives a fill value or leaves
    the update out. PROMISE_IN_BOUNDS says that there is none (and moves it if there is), ONE_HOT means FILL_OR_DROP.
    Without a mode such a slice is an IndexError when the result is waited for."""
    CLIP = enum.auto()
    FILL_OR_DROP = enum.auto()
    PROMISE_IN_BOUNDS = enum.auto()
    ONE_HOT = enum.auto()

    @staticmethod
    def from_any(s):
        """The mode of that name; None, 'fill' and 'drop' are FILL_OR_DROP."""
        if isinstance(s, GatherScatterMode):
            return s
        found = {'clip': 'CLIP', None: 'FILL_OR_DROP', 'fill': 'FILL_OR_DROP', 'drop': 'FILL_OR_DROP',
                 'promise_in_bounds': 'PROMISE_IN_BOUNDS', 'one_hot': 'ONE_HOT'}.get(s)
        if found is None:
            raise ValueError(f'Unknown gather mode "{s}": there are clip, fill, drop, promise_in_bounds')
        return GatherScatterMode[found]


class _Places:
    """Slices of an operand: index arrays for `axes` of it, in the order of their numbers, which broadcast to the
    batch's shape and one more axis for each of `axes`. inside: whether a slice lies within the operand, None where all
    do."""

    def __init__(self, name, x, starts, index_map, batching, sizes, mode):
        shape, indices = x.aval.shape, as_node(starts)
        if not dtypes.is_integer(indices.aval.dtype) or not indices.aval.ndim:
            raise TypeError(f'{name}: indices must be integers with at least one axis, got {indices.aval}')
        if len(index_map) != indices.aval.shape[-1] or len(set(index_map)) != len(index_map):
            raise TypeError(f'{name}: an index has {indices.aval.shape[-1]} entries, which belong to axes '
                            f'{tuple(index_map)}')
        named = [*index_map, *batching]
        if any(not 0 <= axis < len(shape) for axis in named) or len(set(named)) != len(named):
            raise TypeError(f'{name}: axes {tuple(index_map)} and {tuple(batching)} must be different axes of {shape}')
        if any(not 0 <= size <= n for size, n in zip(sizes, shape)):
            raise TypeError(f'{name}: slices of {tuple(sizes)} are larger than the operand of shape {shape}')
        self.batch, self.sizes = indices.aval.shape[:-1], sizes
        self.axes = sorted({*index_map, *batching})
        self.mode = 'error' if mode is None else 'fill' if GatherScatterMode.from_any(mode) in (
            GatherScatterMode.FILL_OR_DROP, GatherScatterMode.ONE_HOT) else 'clip'
        wide = dtypes.int64 if indices.aval.dtype.itemsize == 8 or indices.aval.dtype == dtypes.uint32 else dtypes.int32
        indices = build.convert(indices, wide)
        self.inside, self.indices = None, []
        for place, axis in enumerate(self.axes):
            if axis in index_map:
                number, last = index_map.index(axis), shape[axis] - sizes[axis]
                at = build.reshape(build.slice_axis(indices, len(self.batch), number, number + 1), self.batch)
                at = self._limited(at, last)
            else:
                at = build.iota(self.batch, wide, batching[axis])
            window = [1] * len(self.axes)
            window[place] = sizes[axis]
            offsets = build.reshape(build.iota((sizes[axis],), wide), window)
            self.indices.append(build.add(build.reshape(at, (*self.batch, *[1] * len(self.axes))), offsets))

    def _limited(self, at, last):
        if self.mode == 'error':
            return at
        low, high = build.literal(0, at.aval.dtype), build.literal(last, at.aval.dtype)
        if self.mode == 'fill':
            ok = build.apply(ops.and_, build.ge(at, low), build.apply(ops.le, at, high))
            self.inside = ok if self.inside is None else build.apply(ops.and_, self.inside, ok)
        return build.apply(ops.max_, build.apply(ops.min_, at, high), low)

    def gather(self, x):
        """Batch, one axis for each of `axes`, the other axes of x."""
        x = build.slice_(x, [0] * x.aval.ndim, [n if a in self.axes else size for a, (n, size) in
                                                enumerate(zip(x.aval.shape, self.sizes))])
        return build.gather(x, self.indices, self.axes, 'error' if self.mode == 'error' else 'clip') if self.axes else \
            build.broadcast(x, (*self.batch, *x.aval.shape), range(len(self.batch), len(self.batch) + x.aval.ndim))

    def scatter(self, x, updates, kind):
        """The inverse: x with updates of that shape."""
        part = build.slice_(x, [0] * x.aval.ndim, [n if a in self.axes else size for a, (n, size) in
                                                   enumerate(zip(x.aval.shape, self.sizes))])
        indices, axes = self.indices, self.axes
        if not axes:                                               # one more axis, of which there is nothing to choose
            part, axes = build.expand_dims(part, (0,)), [0]
            indices = [build.full(self.batch, 0, dtypes.int32)]
            found = build.scatter(part, updates, indices, axes, 'clip', kind)
            return build.slice_update(x, build.squeeze(found, (0,)), [0] * x.aval.ndim)
        if self.inside is not None:
            inside = build.reshape(self.inside, (*self.batch, *[1] * len(axes)))
            beyond = build.literal(max(x.aval.shape), indices[0].aval.dtype)
            indices = [build.select(inside, indices[0], beyond), *indices[1:]]
        found = build.scatter(part, updates, indices, axes, self.mode, kind)
        return found if part is x else build.slice_update(x, found, [0] * x.aval.ndim)

    def order(self, ndim):
        """The axes of the operand in the order in which they follow the batch in what `gather` gives."""
        return [*self.axes, *[axis for axis in range(ndim) if axis not in self.axes]]


def _pairs(name, first, second):
    if len(first) != len(second):
        raise TypeError(f'{name}: batching dimensions {tuple(first)} and {tuple(second)} must be as many')
    return dict(zip(first, second))


def gather(operand, start_indices, dimension_numbers, slice_sizes, *, unique_indices=False, indices_are_sorted=False,
           mode=None, fill_value=None):
    """Slices of the operand at start_indices, whose last axis is an index; see GatherDimensionNumbers.

    mode: see GatherScatterMode; fill_value is by default NaN, the smallest signed or the largest unsigned integer.
    x[index] and x.at[index].get() are easier to read. Raises TypeError for dimension numbers that don't fit, IndexError
    for slices that aren't within the operand where no mode is given.

    >>> import lazy, lazy.numpy as np
    >>> rows = lazy.lax.GatherDimensionNumbers(offset_dims=(1,), collapsed_slice_dims=(0,), start_index_map=(0,))
    >>> lazy.lax.gather(np.arange(6).reshape(3, 2), np.array([[2], [0]]), rows, (1, 2)).tolist()
    [[4, 5], [0, 1]]
    """
    x, d, sizes = as_node(operand), dimension_numbers, sizes_of(slice_sizes)
    batching = _pairs('gather', d.operand_batching_dims, d.start_indices_batching_dims)
    gone = {*d.collapsed_slice_dims, *batching}
    kept = [axis for axis in range(x.aval.ndim) if axis not in gone]
    if len(sizes) != x.aval.ndim or len(kept) != len(d.offset_dims) or any(sizes[a] != 1 for a in gone):
        raise TypeError(f'gather: slices of {sizes} of shape {x.aval.shape} do not fit {d}: collapsed and batching '
                        'dimensions have slices of one element, the others are as many as offset_dims')
    places = _Places('gather', x, start_indices, d.start_index_map, batching, sizes, mode)
    found = places.gather(x)
    if places.inside is not None:
        value = default_fill(x.aval.dtype) if fill_value is None else onp.asarray(fill_value).astype(x.aval.dtype)
        inside = build.reshape(places.inside, (*places.batch, *[1] * x.aval.ndim))
        found = build.apply(ops.select, inside, found, build.literal(value.item(), x.aval.dtype))
    rank, order = len(places.batch), places.order(x.aval.ndim)
    found = build.transpose(found, [*range(rank), *[rank + a for a in build.inverse_permutation(order)]])
    found = build.reshape(found, (*places.batch, *[sizes[a] for a in kept]))
    return wrap(build.transpose(found, build.inverse_permutation(_batch_then(d.offset_dims, found.aval.ndim))))


def _batch_then(window, ndim):
    """Axes in the order: those of the batch, those of slices."""
    return [*[axis for axis in range(ndim) if axis not in window], *window]


def _scatter(name, kind, operand, indices, updates, d, mode):
    x, u = as_node(operand), as_node(updates)
    u = adapt(u, x.aval.dtype)
    if u.aval.dtype != x.aval.dtype:
        raise TypeError(f'{name}: operand and updates must have one dtype, got {x.aval} and {u.aval}')
    places, arranged = _located(name, x, indices, u.aval.shape, d, mode)
    return wrap(places.scatter(x, arranged(u), kind))


def _located(name, x, indices, shape, d, mode):
    """(_Places, what brings updates of a shape in the order that they want)"""
    batching = _pairs(name, d.operand_batching_dims, d.scatter_indices_batching_dims)
    gone = {*d.inserted_window_dims, *batching}
    kept = [axis for axis in range(x.aval.ndim) if axis not in gone]
    if len(kept) != len(d.update_window_dims) or any(not 0 <= a < len(shape) for a in d.update_window_dims):
        raise TypeError(f'{name}: updates of shape {shape} for an operand of {x.aval.shape} do not fit {d}: an axis '
                        'that is not inserted or batching has an axis of the updates')
    sizes = [1] * x.aval.ndim
    for axis, window in zip(kept, d.update_window_dims):
        sizes[axis] = shape[window]
    places = _Places(name, x, indices, d.scatter_dims_to_operand_dims, batching, sizes, mode)
    order = _batch_then(d.update_window_dims, len(shape))
    if tuple([shape[a] for a in order[:len(order) - len(kept)]]) != places.batch:
        raise TypeError(f'{name}: updates of shape {shape} do not have the axes {places.batch} of the indices beside '
                        'those of slices')
    rank = len(places.batch)

    def arranged(u):
        u = build.reshape(build.transpose(u, order), (*places.batch, *sizes))
        return build.transpose(u, [*range(rank), *[rank + a for a in places.order(x.aval.ndim)]])
    return places, arranged


def _scatter_function(name, kind, doc):
    def function(operand, scatter_indices, updates, dimension_numbers, *, indices_are_sorted=False,
                 unique_indices=False, mode=None):
        return _scatter(name, kind, operand, scatter_indices, updates, dimension_numbers, mode)
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""The operand with {doc} by slices at scatter_indices, whose last axis is an index.

    See ScatterDimensionNumbers, and GatherScatterMode for what isn't within the operand: without a mode it is an
    IndexError. x.at[index] offers the same and is easier to read.
    """
    return function


scatter = _scatter_function('scatter', 'set', 'slices replaced; of several at one place the last stays')
scatter_add = _scatter_function('scatter_add', 'add', 'updates added')
scatter_mul = _scatter_function('scatter_mul', 'mul', 'slices multiplied')
scatter_min = _scatter_function('scatter_min', 'min', 'the smaller of element and update')
scatter_max = _scatter_function('scatter_max', 'max', 'the larger of element and update')


def scatter_sub(operand, scatter_indices, updates, dimension_numbers, *, indices_are_sorted=False, unique_indices=False,
                mode=None):
    """scatter_add of -updates."""
    updates = wrap(build.neg(as_node(updates)))
    return _scatter('scatter_sub', 'add', operand, scatter_indices, updates, dimension_numbers, mode)


def scatter_apply(operand, scatter_indices, func, dimension_numbers, *, update_shape=(), indices_are_sorted=False,
                  unique_indices=False, mode=None):
    """The operand with func of its elements at slices of scatter_indices in their place, once for each place.

    update_shape: what shape updates would have in `scatter`. func is elementwise.
    """
    x = as_node(operand)
    places, _ = _located('scatter_apply', x, scatter_indices, sizes_of(update_shape), dimension_numbers, mode)
    new = as_node(func(wrap(places.gather(x))))
    return wrap(places.scatter(x, build.convert(new, x.aval.dtype), 'set'))
