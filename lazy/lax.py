"""Operations without promotion or implicit conversion: NumPy's functions in lazy.numpy are made of such.

Operands of one call have one dtype (a Python scalar of the same kind adapts) and one number of dimensions, or
none; sizes 1 broadcast. Signatures are those of jax.lax.
"""
import enum
import operator

from . import transforms as _transforms
from .array import Array, as_node, wrap
from .ir import build, dtypes, ops
from .ir.graph import broadcast_shapes as _broadcast_shapes

stop_gradient = _transforms.stop_gradient


# --- operands -----------------------------------------------------------------------------------------------------

def _operands(name, *operands):
    """Nodes of one dtype; TypeError that names the function otherwise."""
    nodes = [as_node(x) for x in operands]
    strong = next((n.aval.dtype for n in nodes if not n.aval.weak), None)
    if strong is not None:
        nodes = [_adapt(n, strong) for n in nodes]
    if any(n.aval.dtype != nodes[0].aval.dtype for n in nodes):
        raise TypeError(f'lax.{name} requires arguments to have the same dtypes, got '
                        f'{", ".join(n.aval.dtype.name for n in nodes)}. The function of that name in lazy.numpy '
                        f'promotes its arguments')
    ranks = {n.aval.ndim for n in nodes} - {0}
    if len(ranks) > 1:
        raise TypeError(f'lax.{name}: arrays must have the same number of dimensions, got shapes '
                        f'{", ".join(str(n.aval.shape) for n in nodes)}')
    return nodes


def _adapt(node, dtype):
    """A weak scalar in the dtype of its companions, where it is of the same kind."""
    kinds = dtypes.kind(node.aval.dtype) + dtypes.kind(dtype)
    if node.aval.weak and node.aval.dtype != dtype and kinds in ('ii', 'iu', 'ui', 'uu', 'ff', 'cc', 'fc'):
        return build.convert(node, dtype, True)
    return node


def _axis(axis, ndim, what='axis'):
    """A dimension number in [0, ndim)."""
    axis = operator.index(axis)
    if not -ndim <= axis < ndim:
        raise ValueError(f'{what} {axis} is out of bounds for an array of {ndim} dimensions')
    return axis % ndim


def _axes(axes, ndim):
    axes = (axes,) if isinstance(axes, int) else axes
    found = tuple([_axis(axis, ndim) for axis in axes])
    if len(set(found)) != len(found):
        raise ValueError(f'duplicate value in axes: {tuple(axes)}')
    return found


def _shape(shape):
    return (operator.index(shape),) if not hasattr(shape, '__iter__') else tuple([operator.index(n) for n in shape])


def _unary(name, op, doc, takes_accuracy=False):
    if takes_accuracy:
        def function(x, accuracy=None):
            return wrap(build.apply(op, as_node(x)))
    else:
        def function(x):
            return wrap(build.apply(op, as_node(x)))
    return _named(function, name, doc)


def _binary(name, op, doc):
    def function(x, y):
        return wrap(build.apply(op, *_operands(name, x, y)))
    return _named(function, name, doc)


def _named(function, name, doc):
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc + '.'
    globals()[name] = function
    return function


for _name, _op, _doc in (
        ('neg', ops.neg, '-x'), ('abs', ops.abs_, '|x|; real for complex x'), ('sign', ops.sign, 'Sign of x'),
        ('floor', ops.floor, 'Largest integer not above x'), ('ceil', ops.ceil, 'Smallest integer not below x'),
        ('square', ops.square, 'x * x'), ('reciprocal', ops.reciprocal, '1 / x'),
        ('erf', ops.erf, 'Error function'), ('erfc', ops.erfc, '1 - erf(x), accurate for large x'),
        ('erf_inv', ops.erf_inv, 'Inverse of the error function'), ('lgamma', ops.lgamma, 'log |Gamma(x)|'),
        ('digamma', ops.digamma, 'Derivative of lgamma'), ('is_finite', ops.is_finite, 'Neither infinite nor NaN'),
        ('bitwise_not', ops.not_, '~x'), ('population_count', ops.population_count, 'Number of bits that are 1'),
        ('clz', ops.clz, 'Number of leading zero bits'), ('asinh', ops.asinh, 'Inverse hyperbolic sine'),
        ('acosh', ops.acosh, 'Inverse hyperbolic cosine'), ('atanh', ops.atanh, 'Inverse hyperbolic tangent'),
        ('sinh', ops.sinh, 'Hyperbolic sine'), ('cosh', ops.cosh, 'Hyperbolic cosine')):
    _unary(_name, _op, _doc)
for _name, _op, _doc in (
        ('exp', ops.exp, 'e**x'), ('exp2', ops.exp2, '2**x'), ('expm1', ops.expm1, 'e**x - 1'),
        ('log', ops.log, 'Natural logarithm'), ('log1p', ops.log1p, 'log(1 + x)'), ('sqrt', ops.sqrt, 'Square root'),
        ('rsqrt', ops.rsqrt, '1 / sqrt(x)'), ('cbrt', ops.cbrt, 'Cube root'), ('sin', ops.sin, 'Sine'),
        ('cos', ops.cos, 'Cosine'), ('tan', ops.tan, 'Tangent'), ('tanh', ops.tanh, 'Hyperbolic tangent'),
        ('asin', ops.asin, 'Inverse sine'), ('acos', ops.acos, 'Inverse cosine'), ('atan', ops.atan, 'Inverse tangent'),
        ('logistic', ops.logistic, '1 / (1 + exp(-x))')):
    _unary(_name, _op, _doc, True)
for _name, _op, _doc in (
        ('add', ops.add, 'x + y'), ('sub', ops.sub, 'x - y'), ('mul', ops.mul, 'x * y'),
        ('rem', ops.rem, 'Remainder of x / y, with the sign of x'), ('max', ops.max_, 'The larger one; NaN if one is NaN'),
        ('min', ops.min_, 'The smaller one; NaN if one is NaN'), ('atan2', ops.atan2, 'Angle of the point (y, x)'),
        ('nextafter', ops.nextafter, 'Next number after x in the direction of y'),
        ('bitwise_and', ops.and_, 'x & y'), ('bitwise_or', ops.or_, 'x | y'), ('bitwise_xor', ops.xor, 'x ^ y'),
        ('shift_left', ops.shift_left, 'x << y; 0 where y is the number of bits or more'),
        ('shift_right_logical', ops.shift_right_logical, 'x >> y, filled with zeros'),
        ('shift_right_arithmetic', ops.shift_right_arithmetic, 'x >> y, filled with the sign'),
        ('eq', ops.eq, 'x == y'), ('ne', ops.ne, 'x != y'), ('lt', ops.lt, 'x < y'), ('le', ops.le, 'x <= y'),
        ('gt', ops.gt, 'x > y'), ('ge', ops.ge, 'x >= y'), ('complex', ops.complex_, 'x + iy')):
    _binary(_name, _op, _doc)


def real(x):
    """Real part; of real x x itself."""
    node = as_node(x)
    return wrap(build.real(node) if dtypes.kind(node.aval.dtype) == 'c' else node)


def imag(x):
    """Imaginary part of a complex array."""
    return wrap(build.imag(as_node(x)))


def conj(x, input_dtype=None):
    """Complex conjugate; real x are converted to complex numbers first."""
    node = as_node(x)
    return wrap(build.conj(build.convert(node, dtypes.complex_of(node.aval.dtype))))


def div(x, y):
    """x / y; of integers the quotient is rounded toward zero.

    >>> import lazy, lazy.numpy as np
    >>> lazy.lax.div(np.array([-7, 7]), np.array([2, 2])).tolist()
    [-3, 3]
    """
    a, b = _operands('div', x, y)
    if dtypes.is_inexact(a.aval.dtype):
        return wrap(build.div(a, b))
    exact = build.sub(a, build.apply(ops.rem, a, b))
    return wrap(build.apply(ops.floor_divide, exact, b))


def pow(x, y):
    """x ** y; an integer y need not have the dtype of x."""
    if type(y) is int:
        return integer_pow(x, y)
    a, b = as_node(x), as_node(y)
    if dtypes.is_inexact(a.aval.dtype) and dtypes.is_integer(b.aval.dtype):
        b = build.convert(b, a.aval.dtype, b.aval.weak)
    return wrap(build.apply(ops.pow_, *_operands('pow', wrap(a), wrap(b))))


def integer_pow(x, y):
    """x ** y for a Python integer y, by repeated products."""
    return wrap(build.integer_pow(as_node(x), operator.index(y)))


def polygamma(m, x):
    """m-th derivative of digamma; m is a Python integer."""
    return wrap(build.make(ops.polygamma, (as_node(x),), (int(m),)))


class RoundingMethod(enum.IntEnum):
    """What `round` does with halves."""
    AWAY_FROM_ZERO = 0
    TO_NEAREST_EVEN = 1


def round(x, rounding_method=RoundingMethod.AWAY_FROM_ZERO):
    """Nearest integer; halves away from zero, or to the even neighbour.

    >>> import lazy
    >>> float(lazy.lax.round(2.5)), float(lazy.lax.round(2.5, lazy.lax.RoundingMethod.TO_NEAREST_EVEN))
    (3.0, 2.0)
    """
    node = as_node(x)
    if RoundingMethod(rounding_method) is RoundingMethod.TO_NEAREST_EVEN:
        return wrap(build.apply(ops.round_, node))
    whole = build.apply(ops.trunc, node)
    half = build.ge(build.apply(ops.abs_, build.sub(node, whole)), build.scalar_like(node, 0.5))
    away = build.add(whole, build.apply(ops.copysign, build.scalar_like(node, 1), node))
    return wrap(build.select(half, away, whole))


def clamp(min, x, max):
    """x limited to [min, max]; the bounds have x's shape or none.

    >>> import lazy, lazy.numpy as np
    >>> lazy.lax.clamp(0., np.array([-1., .5, 3.]), 1.).tolist()
    [0.0, 0.5, 1.0]
    """
    low, node, high = _operands('clamp', min, x, max)
    for bound, name in ((low, 'min'), (high, 'max')):
        if bound.aval.shape not in ((), node.aval.shape):
            raise TypeError(f'clamp requires {name} to have the shape of x, {node.aval.shape}, or (), '
                            f'got {bound.aval.shape}')
    below, above = build.apply(ops.le, node, low), build.ge(node, high)
    return wrap(build.select(above, high, build.select(below, low, node)))


# --- types --------------------------------------------------------------------------------------------------------

def convert_element_type(operand, new_dtype):
    """The values in another dtype; a fraction is cut off, complex numbers lose their imaginary part.

    >>> import lazy
    >>> int(lazy.lax.convert_element_type(2.7, 'int32'))
    2
    """
    return wrap(build.convert(as_node(operand), dtypes.as_dtype(new_dtype)))


def bitcast_convert_type(operand, new_dtype):
    """The bits, read as another dtype of the same size.

    >>> import lazy
    >>> hex(int(lazy.lax.bitcast_convert_type(lazy.numpy.array(1.0), 'uint32')))
    '0x3f800000'
    """
    node, dtype = as_node(operand), dtypes.as_dtype(new_dtype)
    return wrap(node if node.aval.dtype == dtype else build.make(ops.bitcast, (node,), (dtype,)))


def dtype(x):
    """The dtype of an array or scalar."""
    found = getattr(x, 'dtype', None)
    return dtypes.as_dtype(found) if found is not None else as_node(x).aval.dtype


# --- making arrays ------------------------------------------------------------------------------------------------

def full(shape, fill_value, dtype=None, *, sharding=None):
    """An array of one value."""
    node = as_node(fill_value)
    if node.aval.shape:
        raise TypeError(f'full must be called with a scalar fill_value, got shape {node.aval.shape}')
    if dtype is not None:
        node = build.convert(node, dtypes.as_dtype(dtype))
    return wrap(build.broadcast(node, _shape(shape), ()))


def full_like(x, fill_value, dtype=None, shape=None, sharding=None):
    """An array of one value with x's shape and dtype, where no others are given."""
    node = as_node(x)
    return full(node.aval.shape if shape is None else shape, fill_value, dtype or node.aval.dtype)


def empty(shape, dtype, *, out_sharding=None):
    """Zeros: nothing is uninitialised here."""
    return full(shape, 0, dtype)


def iota(dtype, size):
    """0, 1, ... size - 1."""
    return wrap(build.iota((operator.index(size),), dtypes.as_dtype(dtype)))


def broadcasted_iota(dtype, shape, dimension, *, out_sharding=None):
    """Each element's index along one dimension.

    >>> import lazy
    >>> lazy.lax.broadcasted_iota('int32', (2, 2), 1).tolist()
    [[0, 1], [0, 1]]
    """
    shape = _shape(shape)
    return wrap(build.iota(shape, dtypes.as_dtype(dtype), _axis(dimension, len(shape), 'dimension')))


# --- shapes -------------------------------------------------------------------------------------------------------

def reshape(operand, new_sizes, dimensions=None, *, out_sharding=None):
    """The elements in row-major order (of the transposed operand where `dimensions` is given) in another shape."""
    node = as_node(operand)
    if dimensions is not None:
        node = build.transpose(node, _permutation(dimensions, node))
    return wrap(build.reshape(node, _shape(new_sizes)))


def _permutation(permutation, node):
    permutation = tuple([operator.index(axis) for axis in permutation])
    if sorted(permutation) != list(range(node.aval.ndim)):
        raise TypeError(f"transpose permutation isn't a permutation of the operand's dimensions, got permutation "
                        f'{permutation} for shape {node.aval.shape}')
    return permutation


def transpose(operand, permutation):
    """Axis i of the result is axis permutation[i] of the operand."""
    node = as_node(operand)
    return wrap(build.transpose(node, _permutation(permutation, node)))


def broadcast(operand, sizes, *, out_sharding=None):
    """New leading dimensions of these sizes."""
    node, sizes = as_node(operand), _shape(sizes)
    return wrap(build.broadcast_to(node, sizes + node.aval.shape))


def broadcast_in_dim(operand, shape, broadcast_dimensions, *, out_sharding=None):
    """Broadcast to `shape`; axis i of the operand becomes axis broadcast_dimensions[i].

    >>> import lazy, lazy.numpy as np
    >>> lazy.lax.broadcast_in_dim(np.arange(2), (2, 3), (0,)).tolist()
    [[0, 0, 0], [1, 1, 1]]
    """
    node, shape, axes = as_node(operand), _shape(shape), tuple(broadcast_dimensions)
    if len(axes) != node.aval.ndim:
        raise TypeError(f'broadcast_dimensions must have one entry for each dimension of the operand, got {axes} for '
                        f'shape {node.aval.shape}')
    if list(axes) != sorted(set(axes)) or any(not 0 <= a < len(shape) for a in axes):
        raise TypeError(f'broadcast_dimensions must be strictly increasing and in range, got {axes} for {shape}')
    return wrap(build.broadcast(node, shape, axes))


def broadcast_shapes(*shapes):
    """The shape to which shapes broadcast together."""
    return _broadcast_shapes('broadcast_shapes', *[_shape(s) for s in shapes])


def broadcast_to_rank(x, rank):
    """New leading dimensions of size 1 up to `rank` dimensions."""
    node = as_node(x)
    return wrap(build.reshape(node, (1,) * (rank - node.aval.ndim) + node.aval.shape))


def expand_dims(array, dimensions):
    """New dimensions of size 1 at these places of the result."""
    node = as_node(array)
    return wrap(build.expand_dims(node, _axes(dimensions, node.aval.ndim + len(tuple(dimensions)))))


def squeeze(array, dimensions):
    """Without these dimensions, which have size 1."""
    node = as_node(array)
    axes = _axes(dimensions, node.aval.ndim)
    if any(node.aval.shape[a] != 1 for a in axes):
        raise ValueError(f'cannot select an axis to squeeze out which has size not equal to one, got '
                         f'shape={node.aval.shape} and dimensions={tuple(dimensions)}')
    return wrap(build.squeeze(node, axes))


def collapse(operand, start_dimension, stop_dimension=None):
    """Dimensions start to stop (exclusive) as one."""
    node = as_node(operand)
    ndim = node.aval.ndim
    start, stop, _ = _python_slice(start_dimension, stop_dimension).indices(ndim)
    if start > stop:
        raise ValueError(f'collapse: start_dimension {start_dimension} is after stop_dimension {stop_dimension}')
    shape = node.aval.shape
    size = 1
    for n in shape[start:stop]:
        size *= n
    return wrap(build.reshape(node, (*shape[:start], size, *shape[stop:])))


_python_slice = slice


def rev(operand, dimensions):
    """Reversed along these dimensions."""
    node = as_node(operand)
    return wrap(build.rev(node, _axes(dimensions, node.aval.ndim)))


def concatenate(operands, dimension):
    """Arrays one after the other along a dimension; all of one dtype."""
    nodes = [as_node(x) for x in operands]
    if not nodes:
        raise ValueError('concatenate needs at least one operand')
    if len({n.aval.dtype for n in nodes}) > 1:
        raise TypeError('lax.concatenate requires arguments to have the same dtypes, got '
                        + ', '.join(n.aval.dtype.name for n in nodes))
    return wrap(build.concatenate(nodes, _axis(dimension, nodes[0].aval.ndim, 'dimension')))


def stack(operands, axis=0):
    """Arrays of one shape along a new axis."""
    nodes = [as_node(x) for x in operands]
    axis = _axis(axis, nodes[0].aval.ndim + 1)
    return concatenate([wrap(build.expand_dims(n, (axis,))) for n in nodes], axis)


def split(operand, sizes, axis=0):
    """Pieces of these sizes along an axis."""
    node = as_node(operand)
    axis, sizes = _axis(axis, node.aval.ndim), _shape(sizes)
    if sum(sizes) != node.aval.shape[axis]:
        raise ValueError(f'split: the sizes {sizes} do not add up to {node.aval.shape[axis]}, the size of axis {axis}')
    pieces, at = [], 0
    for n in sizes:
        pieces.append(wrap(build.slice_axis(node, axis, at, at + n)))
        at += n
    return pieces


def unstack(operand, axis=0):
    """The slices along an axis, as a list."""
    node = as_node(operand)
    axis = _axis(axis, node.aval.ndim)
    return [wrap(build.squeeze(piece._node, (axis,)))
            for piece in split(operand, (1,) * node.aval.shape[axis], axis)]


def tile(operand, reps):
    """The array repeated reps[i] times along axis i."""
    node, reps = as_node(operand), _shape(reps)
    if len(reps) != node.aval.ndim:
        raise ValueError(f'tile: reps {reps} must have one entry for each dimension of {node.aval.shape}')
    shape = node.aval.shape
    wide = build.broadcast(node, [n for pair in zip(reps, shape) for n in pair], range(1, 2 * len(reps), 2))
    return wrap(build.reshape(wide, [r * n for r, n in zip(reps, shape)]))


def pad(operand, padding_value, padding_config):
    """Padding (low, high, interior) for each dimension; negative low and high cut off.

    >>> import lazy, lazy.numpy as np
    >>> lazy.lax.pad(np.array([1, 2]), np.int32(0), [(1, -1, 1)]).tolist()
    [0, 1, 0]
    """
    x, value = as_node(operand), as_node(padding_value)
    value = _adapt(value, x.aval.dtype)
    if value.aval.dtype != x.aval.dtype or value.aval.shape:
        raise TypeError(f'pad operand and padding_value must be of the same dtype, the latter a scalar: got '
                        f'{x.aval} and {value.aval}')
    if len(padding_config) != x.aval.ndim:
        raise ValueError(f'pad: {len(padding_config)} entries of padding_config for {x.aval.ndim} dimensions')
    if any(interior < 0 for _, _, interior in padding_config):
        raise ValueError(f'pad: interior padding must not be negative, got {padding_config}')
    spread = [n + max_(n - 1, 0) * i for n, (_, _, i) in zip(x.aval.shape, padding_config)]
    low = [max_(a, 0) for a, _, _ in padding_config]
    total = [n + a + max_(b, 0) for n, a, (_, b, _) in zip(spread, low, padding_config)]
    if tuple(total) != x.aval.shape:
        frame = build.broadcast(build.convert(value, x.aval.dtype), total, ())
        x = build.slice_update(frame, x, low, [i + 1 for _, _, i in padding_config])
    start = [max_(-a, 0) for a, _, _ in padding_config]
    stop = [n - max_(-b, 0) for n, (_, b, _) in zip(total, padding_config)]
    return wrap(build.slice_(x, start, [max_(a, b) for a, b in zip(start, stop)]))


def max_(a, b):
    return a if a > b else b


# --- choosing -----------------------------------------------------------------------------------------------------

def select(pred, on_true, on_false):
    """on_true where pred, else on_false; pred has their shape or none.

    >>> import lazy, lazy.numpy as np
    >>> lazy.lax.select(np.array([True, False]), np.array([1, 2]), np.array([3, 4])).tolist()
    [1, 4]
    """
    c = as_node(pred)
    x, y = _operands('select', on_true, on_false)
    if x.aval.shape != y.aval.shape:
        raise TypeError(f'select cases must have the same shapes, got {x.aval.shape} and {y.aval.shape}')
    _check_which(c, x, 'select')
    if dtypes.kind(c.aval.dtype) != 'b':
        raise TypeError(f'select needs a boolean predicate, got {c.aval}')
    return wrap(build.select(c, x, y))


def _check_which(which, case, name):
    if which.aval.shape not in ((), case.aval.shape):
        raise TypeError(f'{name} predicate must be a scalar or have the shape of the cases, {case.aval.shape}, got '
                        f'{which.aval.shape}')


def select_n(which, *cases):
    """cases[which]: two cases for a boolean `which` (False is the first), any number for int32."""
    w, nodes = as_node(which), _operands('select_n', *cases)
    _check_which(w, nodes[0], 'select_n')
    if dtypes.kind(w.aval.dtype) == 'b':
        if len(nodes) > 2:
            raise TypeError(f'select_n with a boolean predicate takes two cases, got {len(nodes)}')
        return wrap(nodes[0] if len(nodes) == 1 else build.select(w, nodes[1], nodes[0]))
    result = nodes[-1]
    for i in range(len(nodes) - 2, -1, -1):
        result = build.select(build.apply(ops.le, w, build.scalar_like(w, i)), nodes[i], result)
    return wrap(result)


# --- slices -------------------------------------------------------------------------------------------------------

def slice(operand, start_indices, limit_indices, strides=None):
    """operand[start:limit:stride] in every dimension, within bounds."""
    x, start, stop = as_node(operand), _shape(start_indices), _shape(limit_indices)
    step = (1,) * len(start) if strides is None else _shape(strides)
    if not len(start) == len(stop) == len(step) == x.aval.ndim:
        raise TypeError(f'slice: indices must have one entry for each dimension of shape {x.aval.shape}, got '
                        f'{start}, {stop}, {step}')
    if any(a < 0 or b > n or a > b or s < 1 for a, b, s, n in zip(start, stop, step, x.aval.shape)):
        raise TypeError(f'slice from {start} to {stop} with strides {step} is not within shape {x.aval.shape}')
    return wrap(build.slice_(x, start, stop, step))


def slice_in_dim(operand, start_index, limit_index, stride=1, axis=0):
    """operand[start:limit:stride] along one axis, as NumPy slices."""
    x = as_node(operand)
    axis = _axis(axis, x.aval.ndim)
    start, stop, step = _python_slice(start_index, limit_index, stride).indices(x.aval.shape[axis])
    if step < 1:
        raise ValueError(f'slice_in_dim: the stride must be positive, got {stride}')
    return wrap(build.slice_axis(x, axis, start, max_(start, stop), step))


def index_in_dim(operand, index, axis=0, keepdims=True):
    """The index-th slice along an axis; a Python integer index."""
    x = as_node(operand)
    axis, index = _axis(axis, x.aval.ndim), operator.index(index)
    n = x.aval.shape[axis]
    if not -n <= index < n:
        raise IndexError(f'index {index} is out of bounds for axis {axis} with size {n}')
    row = build.slice_axis(x, axis, index % n, index % n + 1)
    return wrap(row if keepdims else build.squeeze(row, (axis,)))


def _starts(name, start_indices, x, sizes):
    """Start of a slice for each dimension, so that it lies within x: an int where it is known, else a node."""
    if isinstance(start_indices, Array):
        if start_indices.shape != (x.aval.ndim,):
            raise TypeError(f'{name}: start_indices must have one entry for each dimension of {x.aval.shape}, got shape '
                            f'{start_indices.shape}')
        start_indices = list(start_indices)
    if len(start_indices) != x.aval.ndim or len(sizes) != x.aval.ndim:
        raise TypeError(f'{name}: {len(start_indices)} indices and {len(sizes)} sizes for shape {x.aval.shape}')
    if any(not 0 <= size <= n for size, n in zip(sizes, x.aval.shape)):
        raise TypeError(f'{name}: slice sizes must not be larger than the operand, got {tuple(sizes)} for shape '
                        f'{x.aval.shape}')
    return [_start(name, index, n, n - size) for index, n, size in zip(start_indices, x.aval.shape, sizes)]


def _start(name, index, n, last):
    if last == 0:
        return 0
    if isinstance(index, int):
        return min_(max_(index + n if index < 0 else index, 0), last)
    node = as_node(index)
    if node.aval.shape or not dtypes.is_integer(node.aval.dtype):
        raise TypeError(f'{name}: indices are integer scalars, got {node.aval}')
    if node.op is ops.literal:
        return _start(name, int(node.params[0]), n, last)
    if dtypes.kind(node.aval.dtype) == 'i':
        negative = build.lt(node, build.scalar_like(node, 0))
        node = build.select(negative, build.add(node, build.scalar_like(node, n)), node)
        node = build.apply(ops.max_, node, build.scalar_like(node, 0))
    return build.apply(ops.min_, node, build.scalar_like(node, last))


def min_(a, b):
    return a if a < b else b


def _index_arrays(starts, sizes, axes):
    """start + 0, 1, ... along an axis of its own for each of `axes`."""
    found = []
    for place, axis in enumerate(axes):
        start = starts[axis]
        dtype = dtypes.int32 if isinstance(start, int) else start.aval.dtype
        start = build.literal(start, dtype) if isinstance(start, int) else start
        row = build.add(build.iota((sizes[axis],), dtype), start)
        found.append(build.reshape(row, [sizes[axis] if i == place else 1 for i in range(len(axes))]))
    return found


def dynamic_slice(operand, start_indices, slice_sizes):
    """A slice of static size; starts may be arrays, and are moved so that the slice lies within the operand.

    >>> import lazy, lazy.numpy as np
    >>> lazy.lax.dynamic_slice(np.arange(5), (np.array(4),), (3,)).tolist()
    [2, 3, 4]
    """
    x, sizes = as_node(operand), _shape(slice_sizes)
    starts = _starts('dynamic_slice', start_indices, x, sizes)
    axes = [axis for axis, start in enumerate(starts) if not isinstance(start, int)]
    fixed = [0 if axis in axes else start for axis, start in enumerate(starts)]
    x = build.slice_(x, fixed, [n if axis in axes else a + size
                                for axis, (n, a, size) in enumerate(zip(x.aval.shape, fixed, sizes))])
    if not axes:
        return wrap(x)
    found = build.gather(x, _index_arrays(starts, sizes, axes), axes, 'clip')
    order = axes + [axis for axis in range(x.aval.ndim) if axis not in axes]
    return wrap(build.transpose(found, build.inverse_permutation(order)))


def dynamic_slice_in_dim(operand, start_index, slice_size, axis=0):
    """dynamic_slice along one axis."""
    x = as_node(operand)
    axis = _axis(axis, x.aval.ndim)
    return dynamic_slice(operand, [start_index if a == axis else 0 for a in range(x.aval.ndim)],
                         [slice_size if a == axis else n for a, n in enumerate(x.aval.shape)])


def dynamic_index_in_dim(operand, index, axis=0, keepdims=True):
    """The index-th slice along an axis; the index may be an array."""
    result = dynamic_slice_in_dim(operand, index, 1, axis)
    return result if keepdims else squeeze(result, (axis,))


def dynamic_update_slice(operand, update, start_indices):
    """The operand with a slice replaced by `update`; starts are moved so that it lies within the operand.

    >>> import lazy, lazy.numpy as np
    >>> lazy.lax.dynamic_update_slice(np.zeros(4), np.ones(2), (1,)).tolist()
    [0.0, 1.0, 1.0, 0.0]
    """
    x, y = as_node(operand), as_node(update)
    if x.aval.dtype != y.aval.dtype:
        raise TypeError(f'dynamic_update_slice requires operand and update of one dtype, got {x.aval} and {y.aval}')
    starts = _starts('dynamic_update_slice', start_indices, x, y.aval.shape)
    axes = [axis for axis, start in enumerate(starts) if not isinstance(start, int)]
    if not axes:
        return wrap(build.slice_update(x, y, starts))
    axes = list(range(x.aval.ndim))
    return wrap(build.scatter(x, y, _index_arrays(starts, y.aval.shape, axes), axes, 'clip', 'set'))


def dynamic_update_slice_in_dim(operand, update, start_index, axis):
    """dynamic_update_slice along one axis."""
    x = as_node(operand)
    axis = _axis(axis, x.aval.ndim)
    return dynamic_update_slice(operand, update, [start_index if a == axis else 0 for a in range(x.aval.ndim)])


def dynamic_update_index_in_dim(operand, update, index, axis):
    """The operand with its index-th slice along an axis replaced."""
    x, y = as_node(operand), as_node(update)
    axis = _axis(axis, x.aval.ndim)
    if y.aval.ndim != x.aval.ndim:
        y = build.expand_dims(y, (axis,))
    return dynamic_update_slice_in_dim(operand, wrap(y), index, axis)


def index_take(src, idxs, axes):
    """src at index arrays along `axes`: their shape first, then the axes that are left."""
    x = as_node(src)
    return wrap(build.gather(x, [as_node(i) for i in idxs], _axes(axes, x.aval.ndim), 'clip'))


# --- reductions ---------------------------------------------------------------------------------------------------

def _reduction(name, op, doc):
    def function(operand, axes, *, out_sharding=None):
        x = as_node(operand)
        return wrap(build.reduce(op, x, _axes(axes, x.aval.ndim)) if len(tuple(axes)) else x)
    return _named(function, name, doc)


for _name, _doc in (('reduce_sum', 'Sum over axes'), ('reduce_prod', 'Product over axes'),
                    ('reduce_max', 'Maximum over axes'), ('reduce_min', 'Minimum over axes'),
                    ('reduce_and', 'Bitwise and over axes'), ('reduce_or', 'Bitwise or over axes')):
    _reduction(_name, ops.OPS[_name], _doc)


def argmax(operand, axis, index_dtype):
    """Index of the largest element along an axis, the first of several."""
    x = as_node(operand)
    return wrap(build.make(ops.argmax, (x,), (_axis(axis, x.aval.ndim), dtypes.as_dtype(index_dtype))))


def argmin(operand, axis, index_dtype):
    """Index of the smallest element along an axis, the first of several."""
    x = as_node(operand)
    return wrap(build.make(ops.argmin, (x,), (_axis(axis, x.aval.ndim), dtypes.as_dtype(index_dtype))))


def _cumulative(name, doc):
    op = ops.OPS[name]

    def function(operand, axis=0, reverse=False):
        x = as_node(operand)
        return wrap(build.make(op, (x,), (_axis(axis, x.aval.ndim), bool(reverse))))
    return _named(function, name, doc)


for _name, _doc in (('cumsum', 'Cumulative sum along an axis'), ('cumprod', 'Cumulative product along an axis'),
                    ('cummax', 'Cumulative maximum along an axis'), ('cummin', 'Cumulative minimum along an axis'),
                    ('cumlogsumexp', 'Cumulative logarithm of the sum of exponentials along an axis')):
    _cumulative(_name, _doc)


def reduce(operands, init_values, computation, dimensions, out_sharding=None):
    """Reduction with one of lax.add, mul, max, min, bitwise_and, bitwise_or, from an initial value."""
    known = {add: ops.reduce_sum, mul: ops.reduce_prod, max: ops.reduce_max, min: ops.reduce_min,   # noqa: F821
             bitwise_and: ops.reduce_and, bitwise_or: ops.reduce_or}                                # noqa: F821
    if computation not in known:
        raise NotImplementedError('lax.reduce takes one of lax.add, mul, max, min, bitwise_and and bitwise_or')
    x = as_node(operands)
    reduced = build.reduce(known[computation], x, _axes(dimensions, x.aval.ndim))
    return computation(wrap(reduced), init_values)


# --- sorting ------------------------------------------------------------------------------------------------------

def _along(x, order, axis):
    """x at the index array `order` along an axis, each other axis in step."""
    shape = order.aval.shape
    indices = [order if a == axis else
               build.reshape(build.iota((n,), dtypes.int32), [n if b == a else 1 for b in range(len(shape))])
               for a, n in enumerate(shape)]
    return build.gather(x, indices, range(len(shape)), 'clip')


def sort(operand, dimension=-1, is_stable=True, num_keys=1):
    """Sorted along a dimension, NaN last; of several operands the first num_keys are the keys."""
    if isinstance(operand, (tuple, list)):
        nodes = [as_node(x) for x in operand]
        axis = _axis(dimension, nodes[0].aval.ndim, 'dimension')
        for key in range(num_keys - 1, -1, -1):                      # by the last key first: the sort is stable
            order = build.make(ops.argsort, (nodes[key],), (axis, dtypes.int32))
            nodes = [_along(x, order, axis) for x in nodes]
        return tuple([wrap(x) for x in nodes])
    x = as_node(operand)
    return wrap(build.make(ops.sort, (x,), (_axis(dimension, x.aval.ndim, 'dimension'),)))


def sort_key_val(keys, values, dimension=-1, is_stable=True):
    """Keys sorted along a dimension, and values in the same order.

    >>> import lazy, lazy.numpy as np
    >>> keys, values = lazy.lax.sort_key_val(np.array([3, 1, 2]), np.array([10, 20, 30]))
    >>> values.tolist()
    [20, 30, 10]
    """
    return sort((keys, values), dimension, is_stable)


def top_k(operand, k, *, axis=-1):
    """The k largest elements along an axis in descending order, and their indices; of equal ones the first first.

    >>> import lazy, lazy.numpy as np
    >>> values, indices = lazy.lax.top_k(np.array([1, 4, 2, 4]), 3)
    >>> values.tolist(), indices.tolist()
    ([4, 4, 2], [1, 3, 2])
    """
    x, k = as_node(operand), operator.index(k)
    axis = _axis(axis, x.aval.ndim)
    n = x.aval.shape[axis]
    if not 0 <= k <= n:
        raise ValueError(f'top_k: k must be between 0 and the size of the axis, {n}, got {k}')
    order = build.make(ops.argsort, (build.rev(x, (axis,)),), (axis, dtypes.int32))
    order = build.slice_axis(build.rev(order, (axis,)), axis, 0, k)
    order = build.sub(build.scalar_like(order, n - 1), order)
    return wrap(_along(x, order, axis)), wrap(order)


# --- products -----------------------------------------------------------------------------------------------------

class Precision(enum.Enum):
    """Accepted for compatibility: float32 products are computed in float32 always."""
    DEFAULT = 0
    HIGH = 1
    HIGHEST = 2


def dot_general(lhs, rhs, dimension_numbers, precision=None, preferred_element_type=None, *, out_sharding=None):
    """Sum over contracting dimensions: ((contract_lhs, contract_rhs), (batch_lhs, batch_rhs)).

    The result has the batch dimensions first, then the rest of lhs, then the rest of rhs.
    """
    a, b = as_node(lhs), as_node(rhs)
    if a.aval.dtype != b.aval.dtype or preferred_element_type is not None:
        dtype, _ = dtypes.promote((a.aval.dtype, a.aval.weak), (b.aval.dtype, b.aval.weak))
        dtype = dtype if preferred_element_type is None else dtypes.as_dtype(preferred_element_type)
        a, b = build.convert(a, dtype), build.convert(b, dtype)
    (contract_a, contract_b), (batch_a, batch_b) = dimension_numbers
    contract = _axes(contract_a, a.aval.ndim), _axes(contract_b, b.aval.ndim)
    batch = _axes(batch_a, a.aval.ndim), _axes(batch_b, b.aval.ndim)
    if len(contract[0]) != len(contract[1]) or len(batch[0]) != len(batch[1]):
        raise TypeError(f'dot_general: dimension numbers {dimension_numbers} must pair the dimensions of lhs and rhs')
    return wrap(build.dot_general(a, b, contract, batch))


def dot(lhs, rhs, precision=None, preferred_element_type=None):
    """Product of vectors and matrices.

    Raises TypeError for operands of other than 1 or 2 dimensions or sizes that don't match.
    """
    a, b = as_node(lhs), as_node(rhs)
    if not (1 <= a.aval.ndim <= 2 and 1 <= b.aval.ndim <= 2 and a.aval.shape[-1] == b.aval.shape[0]):
        raise TypeError(f'incompatible shapes for dot: got {a.aval.shape} and {b.aval.shape}')
    return dot_general(wrap(a), wrap(b), (((a.aval.ndim - 1,), (0,)), ((), ())), precision, preferred_element_type)


def batch_matmul(lhs, rhs, precision=None):
    """Matrix products over equal leading dimensions."""
    a, b = as_node(lhs), as_node(rhs)
    if a.aval.ndim != b.aval.ndim or a.aval.ndim < 2:
        raise TypeError(f'arguments to batch_matmul must be of equal dimensions, at least 2: got {a.aval.shape} and '
                        f'{b.aval.shape}')
    batch = tuple(range(a.aval.ndim - 2))
    return dot_general(wrap(a), wrap(b), (((a.aval.ndim - 1,), (a.aval.ndim - 2,)), (batch, batch)), precision)


def optimization_barrier(operand):
    """The operand (a tree), computed before what uses it and not fused with it."""
    from . import tree
    return tree.map(lambda leaf: wrap(build.apply(ops.fusion_barrier, as_node(leaf))), operand)


def shape_as_value(shape):
    """A shape as an integer array."""
    return wrap(as_node(list(shape))) if len(tuple(shape)) else full((0,), 0, dtypes.int32)
