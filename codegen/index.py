"""Index maps: where in a value an iteration point reads.

A map is a tuple of expressions, one for each axis of the value. An expression is (offset, coefficients, dynamic):
offset + sum of coefficient * iteration index, plus, where a gather stands between, terms (entry, factor) whose
value is computed in the kernel. Views rewrite maps, so that they cost nothing at run time:

Before: y = transpose(x)[1:], read at (i, j). After: x read at (j, i + 1).
"""
from ..ir import ops


class NeedsSplit(Exception):
    """A reshape can be an index map only if iteration axis `axis` is cut into axes of sizes `sizes`."""

    def __init__(self, axis, sizes):
        self.axis, self.sizes = axis, sizes


class NotAffine(Exception):
    """No index map: the value has to be stored first."""


def identity(sizes):
    n = len(sizes)
    return tuple([(0, tuple([int(i == j) for j in range(n)]), ()) for i in range(n)])


def constant(value, n):
    return value, (0,) * n, ()


def scaled(expression, factor, offset=0):
    base, coefficients, dynamic = expression
    return (base * factor + offset, tuple([c * factor for c in coefficients]),
            tuple([(entry, f * factor) for entry, f in dynamic]))


def plus(a, b):
    return a[0] + b[0], tuple([x + y for x, y in zip(a[1], b[1])]), a[2] + b[2]


def through_view(instruction, shape, where):
    """The map into the input (of `shape`) of a view that is read at `where`."""
    op, params = instruction.op, instruction.params
    if op is ops.transpose:
        result = [None] * len(shape)
        for axis, source in enumerate(params[0]):
            result[source] = where[axis]
        return tuple(result)
    if op is ops.broadcast:
        n = len(where[0][1]) if where else 0
        return tuple([where[axis] if size != 1 or params[0][axis] == 1 else constant(0, n)
                      for size, axis in zip(shape, params[1])])
    if op is ops.slice_:
        return tuple([scaled(e, step, start) for e, start, step in zip(where, params[0], params[2])])
    if op is ops.rev:
        return tuple([scaled(e, -1, n - 1) if axis in params[0] else e
                      for axis, (e, n) in enumerate(zip(where, shape))])
    if op is ops.reshape:
        return through_reshape(shape, instruction.aval.shape, where)
    raise NotImplementedError(op.name)


def broadcast_operand(shape, where):
    """The map into an operand of an elementwise operation that is broadcast to the result."""
    extra = len(where) - len(shape)
    if 1 not in shape:
        return where[extra:] if extra else where
    n = len(where[0][1]) if where else 0
    return tuple([constant(0, n) if size == 1 else e for size, e in zip(shape, where[extra:])])


def through_reshape(old, new, where):
    """The map into the array of shape `old` that is reshaped to `new` and read at `where`.

    Groups of axes with equal products are matched. Several new axes that form one old axis are a sum. One new axis
    that forms several old ones must be an iteration axis, which is then cut (NeedsSplit).
    """
    n = len(where[0][1]) if where else 0
    if 0 in old:                                # nothing is read: what no loop enters must not be taken out of it
        return (where[new.index(0)],) * len(old)
    result, i, j = [], 0, 0
    while i < len(old) or j < len(new):
        olds, news, a, b = [], [], 1, 1
        if i < len(old):
            olds.append(i)
            a = old[i]
            i += 1
        if j < len(new):
            news.append(j)
            b = new[j]
            j += 1
        while a != b:
            if a < b and i < len(old):
                olds.append(i)
                a *= old[i]
                i += 1
            else:
                news.append(j)
                b *= new[j]
                j += 1
        result += _match([(k, old[k]) for k in olds], [(k, new[k]) for k in news], where, n)
    return tuple(result)


def _match(olds, news, where, n):
    flat = constant(0, n)
    for axis, size in news:
        flat = plus(scaled(flat, size), where[axis])
    big = [size for _, size in olds if size != 1]
    if len(big) <= 1:
        return [flat if size != 1 else constant(0, n) for _, size in olds]
    return split_flat([size for _, size in olds], [(where[a], s) for a, s in news if s != 1], flat, n)


def split_flat(sizes, parts, flat, n):
    """Expressions of the axes `sizes` whose row-major number is `flat`."""
    offset, coefficients, dynamic = flat
    if dynamic or offset:
        raise NotAffine('a merged axis is read with an offset')
    strides, stride = [], 1
    for size in reversed(sizes):
        strides.insert(0, stride)
        stride *= size
    result, last = [[0, [0] * n, ()] for _ in sizes], [0] * len(sizes)
    for axis, coefficient in enumerate(coefficients):
        if not coefficient:
            continue
        extent = _extent(parts, axis, coefficient)
        place = _place(sizes, strides, coefficient, extent)
        if place is None:
            raise NeedsSplit(axis, _cut(sizes, strides, coefficient, extent))
        position, factor = place
        result[position][1][axis] += factor
        last[position] += factor * (extent - 1)
    if any(reach >= size for reach, size in zip(last, sizes)):        # each axis stays within it, but not all together
        raise NotAffine('sizes do not divide')
    return [(e[0], tuple(e[1]), e[2]) for e in result]


class _Extents:
    """Sizes of the iteration axes, set by the scheduler while it walks a kernel."""
    sizes = ()


def _extent(parts, axis, coefficient):
    return _Extents.sizes[axis]


def _place(sizes, strides, coefficient, extent):
    """(axis, factor) such that coefficient * i, i < extent, moves along one axis only."""
    for position, (size, stride) in enumerate(zip(sizes, strides)):
        if size != 1 and coefficient % stride == 0 and (extent - 1) * (coefficient // stride) < size:
            return position, coefficient // stride
    return None


def _cut(sizes, strides, coefficient, extent):
    """Sizes into which an iteration axis of `extent` has to be cut so that each part moves along one axis."""
    for size, stride in reversed(list(zip(sizes, strides))):
        if size == 1 or coefficient % stride:
            continue
        inner = size // (coefficient // stride) if size % (coefficient // stride) == 0 else 0
        if inner > 1 and extent % inner == 0 and inner < extent:
            return extent // inner, inner
    raise NotAffine('sizes do not divide')
