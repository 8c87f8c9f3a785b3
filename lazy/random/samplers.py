"""Bits, uniform and normal numbers, integers, permutations and choices."""
import math
import operator

import numpy as onp

from .. import lax
from ..array import Array, as_node, wrap
from ..dtypes import finfo
from ..ir import build, dtypes, ops
from .keys import consume, counters, single, split_words

_UINT = {8: dtypes.uint8, 16: dtypes.uint16, 32: dtypes.uint32, 64: dtypes.uint64}


# --- arguments ----------------------------------------------------------------------------------------------------

def pair_of(name, key):
    """The words of a single key, which is used up, as scalar nodes."""
    pair = single(name, key)
    consume(name, key)
    return pair


def shape_of(name, shape, *parameters):
    """A shape as a tuple; () or None: that of the parameters. Parameters must broadcast to it."""
    shapes = [p.aval.shape for p in parameters]
    if shape is None:
        return lax.broadcast_shapes(*shapes) if shapes else ()
    if not hasattr(shape, '__iter__'):
        shape = (shape,)
    shape = tuple([operator.index(n) for n in shape])
    if any(n < 0 for n in shape):
        raise ValueError(f'{name}: shape must have non-negative sizes, got {shape}')
    if shapes and lax.broadcast_shapes(shape, *shapes) != shape:
        raise ValueError(f'{name} parameter shapes must be broadcast-compatible with shape argument, and the result of '
                         f'broadcasting the shapes must equal the shape argument, but got parameters of '
                         f'{", ".join(map(str, shapes))} for shape argument {shape}')
    return shape


def float_dtype(name, dtype):
    dtype = dtypes.as_dtype(float if dtype is None else dtype)
    if dtypes.kind(dtype) != 'f':
        raise ValueError(f'dtype argument to `{name}` must be a float dtype, got {dtype}')
    return dtype


def parameter(x, dtype):
    """A parameter of a distribution as a node of a dtype."""
    return build.convert(as_node(x), dtype)


def constant(node, value):
    return build.scalar_like(node, value)


def _bitwise(op, x, value):
    return build.apply(op, x, build.scalar_like(x, value))


# --- bits ---------------------------------------------------------------------------------------------------------

def bits_node(pair, shape, width):
    """Random bits of 8, 16, 32 or 64 as unsigned integers."""
    high, low = pair.block(counters(shape))
    if width == 64:
        high, low = build.convert(high, dtypes.uint64), build.convert(low, dtypes.uint64)
        return build.apply(ops.or_, _bitwise(ops.shift_left, high, 32), low)
    return build.convert(build.apply(ops.xor, high, low), _UINT[width])


def bits(key, shape=(), dtype=None, *, out_sharding=None):
    """Uniform random bits as unsigned integers; uint32 (uint64 with enable_x64) where no dtype is given.

    Raises ValueError for other than unsigned dtypes.

    >>> import lazy
    >>> lazy.random.bits(lazy.random.key(0), (2,)).tolist()
    [4070199207, 4202968722]
    """
    dtype = (dtypes.uint64 if dtypes.Defaults.wide else dtypes.uint32) if dtype is None else dtypes.as_dtype(dtype)
    if dtypes.kind(dtype) != 'u':
        raise ValueError(f'dtype argument to `bits` must be an unsigned int dtype, got {dtype}')
    return wrap(bits_node(pair_of('bits', key), shape_of('bits', shape), 8 * dtype.itemsize))


# --- floating-point numbers ---------------------------------------------------------------------------------------

def uniform_node(pair, shape, dtype, low=0.0, high=1.0):
    """Numbers in [low, high): random mantissa bits under the exponent of 1, less 1, scaled.

    low, high: Python floats or nodes of `dtype` that broadcast to the shape.
    """
    drawn = 8 if finfo(dtype).nmant < 8 else 8 * dtype.itemsize       # bfloat16 takes 8 bits
    return uniform_of(bits_node(pair, shape, drawn), dtype, low, high)


def uniform_of(random, dtype, low=0.0, high=1.0):
    """uniform_node of bits that are there."""
    drawn, width = 8 * random.aval.dtype.itemsize, 8 * dtype.itemsize
    random = build.convert(random, _UINT[width])
    random = _bitwise(ops.shift_right_logical, random, drawn - finfo(dtype).nmant)
    one = int(onp.array(1, dtype).view(_UINT[width]))
    number = build.make(ops.bitcast, (_bitwise(ops.or_, random, one),), (dtype,))
    number = build.sub(number, constant(number, 1))
    if isinstance(low, float) and isinstance(high, float):
        if (low, high) == (0.0, 1.0):
            return number
        low, high = onp.array(low, dtype), onp.array(high, dtype)
        low, span = constant(number, float(low)), constant(number, float(high - low))
    else:
        low, high = (build.literal(x, dtype) if isinstance(x, float) else x for x in (low, high))
        span = build.sub(high, low)
    return build.apply(ops.max_, low, _scaled(number, span, low))


def _scaled(number, span, low):
    """number * span + low with one rounding; 16-bit numbers with two, as XLA does."""
    if number.aval.dtype.itemsize > 2:
        return build.apply(ops.fma, number, span, low)
    wide = [build.convert(x, dtypes.float32) for x in (number, span)]
    return build.add(build.convert(build.mul(*wide), number.aval.dtype), low)


def _bound(x, dtype):
    return float(x) if isinstance(x, (int, float)) else parameter(x, dtype)


def uniform(key, shape=(), dtype=None, minval=0., maxval=1., *, out_sharding=None):
    """Uniform numbers in [minval, maxval), floats.

    Raises ValueError for other than floating dtypes.

    >>> import lazy
    >>> [round(float(x), 6) for x in lazy.random.uniform(lazy.random.key(0), (2,))]
    [0.947667, 0.97858]
    """
    dtype = float_dtype('uniform', dtype)
    low, high = _bound(minval, dtype), _bound(maxval, dtype)
    shape = shape_of('uniform', shape, *[x for x in (low, high) if not isinstance(x, float)])
    return wrap(uniform_node(pair_of('uniform', key), shape, dtype, low, high))


def normal_node(pair, shape, dtype):
    """sqrt(2) erfinv(u) for u uniform in (-1, 1)."""
    return _normal_of(uniform_node(pair, shape, dtype, _above_minus_one(dtype), 1.0))


def _above_minus_one(dtype):
    return float(onp.nextafter(onp.array(-1, dtype), onp.array(0, dtype)))


def _normal_of(u):
    number = _quantile(u)
    return build.mul(number, constant(number, float(onp.array(math.sqrt(2), u.aval.dtype))))


def normal_and_uniform(pair, shape, dtype):
    """A normal and a uniform number for each element; both words of one call where 32 bits are enough for each."""
    if dtype.itemsize == 4:
        first, second = pair.block(counters(shape))
    else:
        first, second = [bits_node(p, shape, 8 * dtype.itemsize) for p in split_words(pair, 2)]
    return _normal_of(uniform_of(first, dtype, _above_minus_one(dtype), 1.0)), uniform_of(second, dtype)


def _quantile(u):
    """erfinv(u), of 16-bit numbers in float32 and rounded."""
    if u.aval.dtype.itemsize > 2:
        return build.apply(ops.erf_inv_giles, u)
    return build.convert(build.apply(ops.erf_inv_giles, build.convert(u, dtypes.float32)), u.aval.dtype)


def normal(key, shape=(), dtype=None, *, out_sharding=None):
    """Standard normal numbers; complex ones have variance 1.

    Raises ValueError for integer dtypes.

    >>> import lazy
    >>> x = lazy.random.normal(lazy.random.key(0), (1000,))
    >>> abs(float(x.mean())) < 0.1
    True
    """
    dtype = dtypes.as_dtype(float if dtype is None else dtype)
    if not dtypes.is_inexact(dtype):
        raise ValueError(f'dtype argument to `normal` must be a float or complex dtype, got {dtype}')
    pair, shape = pair_of('normal', key), shape_of('normal', shape)
    if dtypes.kind(dtype) == 'f':
        return wrap(normal_node(pair, shape, dtype))
    first, second = split_words(pair, 2)
    parts = [normal_node(p, shape, dtypes.real_of(dtype)) for p in (first, second)]
    return wrap(build.complex_(*[build.div(x, constant(x, math.sqrt(2))) for x in parts]))


def truncated_normal(key, lower, upper, shape=None, dtype=None, *, out_sharding=None):
    """Standard normal numbers conditioned to lie in (lower, upper).

    >>> import lazy
    >>> x = lazy.random.truncated_normal(lazy.random.key(0), -1., 1., (1000,))
    >>> bool((abs(x) < 1).all())
    True
    """
    dtype = float_dtype('truncated_normal', dtype)
    a, b = parameter(lower, dtype), parameter(upper, dtype)
    shape = shape_of('truncated_normal', shape, a, b)
    root = float(onp.array(math.sqrt(2), dtype))
    low, high = (build.apply(ops.erf, build.div(x, constant(x, root))) for x in (a, b))
    u = uniform_node(pair_of('truncated_normal', key), shape, dtype, low, high)
    number = _quantile(u)
    number = build.mul(number, constant(number, root))
    a, b = build.apply(ops.stop_gradient, a), build.apply(ops.stop_gradient, b)
    least = build.apply(ops.nextafter, a, constant(a, math.inf))
    most = build.apply(ops.nextafter, b, constant(b, -math.inf))
    return wrap(build.apply(ops.min_, build.apply(ops.max_, number, least), most))


def bernoulli(key, p=0.5, shape=None, mode='low', *, out_sharding=None):
    """Booleans that are True with probability p. mode 'high' draws twice the bits, for small p.

    Raises TypeError where p isn't of a floating type.

    >>> import lazy
    >>> float(lazy.random.bernoulli(lazy.random.key(0), 0.25, (4000,)).mean()) < 0.3
    True
    """
    if mode not in ('high', 'low'):
        raise ValueError(f"got mode={mode!r}, expected 'high' or 'low'")
    p = as_node(p)
    if dtypes.kind(p.aval.dtype) != 'f':
        raise TypeError(f'bernoulli probability `p` must have a floating dtype, got {p.aval.dtype}')
    pair, shape = pair_of('bernoulli', key), shape_of('bernoulli', shape, p)
    dtype = p.aval.dtype
    if mode == 'low':
        return wrap(build.lt(uniform_node(pair, shape, dtype), p))
    both = uniform_node(pair, (2, *shape), dtype)
    first, second = (build.reshape(build.slice_axis(both, 0, i, i + 1), shape) for i in (0, 1))
    second = build.mul(second, constant(second, 2.0 ** -finfo(dtype).nmant))
    return wrap(build.lt(second, build.sub(p, first)))


# --- integers -----------------------------------------------------------------------------------------------------

def _integer_bounds(minval, maxval, dtype):
    """(minval, maxval as nodes of dtype within its range, whether maxval was above its largest value).

    The last is a bool, or a node where maxval is an array.
    """
    info = dtypes.iinfo(dtype)
    nodes, above = [], False
    for x in (minval, maxval):
        if isinstance(x, (int, onp.integer)):
            above = int(x) > info.max
            nodes.append(build.literal(min(max(int(x), info.min), info.max), dtype))
            continue
        node = as_node(x)
        if not dtypes.is_integer(node.aval.dtype):
            node = build.convert(node, dtypes.default_int())
        own = dtypes.iinfo(node.aval.dtype)
        above = build.apply(ops.gt, node, constant(node, info.max)) if own.max > info.max else False
        if own.max > info.max:
            node = build.apply(ops.min_, node, constant(node, info.max))
        if own.min < info.min:
            node = build.apply(ops.max_, node, constant(node, info.min))
        nodes.append(build.convert(node, dtype))
    return (*nodes, above)


def _span(low, high, above, dtype):
    """Number of values in [low, high) as an unsigned node: at least 1; 0 stands for all of the type's values."""
    unsigned = _UINT[8 * dtype.itemsize]
    if low.op is ops.literal and high.op is ops.literal and not hasattr(above, 'op'):
        a, b = low.params[0], high.params[0] + above
        return build.literal((b - a) % (1 << 8 * dtype.itemsize) if b > a else 1, unsigned)
    span = build.convert(build.sub(high, low), unsigned)
    empty = build.apply(ops.le, high, low)
    span = build.select(empty, constant(span, 1), span)
    if above is not False:
        above = build.literal(True, dtypes.bool_) if above is True else above
        wider = build.apply(ops.and_, above, build.apply(ops.gt, high, low))
        span = build.select(wider, build.add(span, constant(span, 1)), span)
    return span


def randint(key, shape, minval, maxval, dtype=None, *, out_sharding=None):
    """Uniform integers in [minval, maxval); minval where the interval is empty.

    Two draws are combined, so that the bias of the remainder is below 2**-32 for 32 bits.

    Raises TypeError for other than integer dtypes.

    >>> import lazy
    >>> lazy.random.randint(lazy.random.key(0), (5,), 0, 10).tolist()
    [9, 0, 2, 3, 1]
    """
    dtype = dtypes.as_dtype(int if dtype is None else dtype)
    if not dtypes.is_integer(dtype):
        raise TypeError(f'randint only accepts integer dtypes, got {dtype}')
    pair, drawn = pair_of('randint', key), dtype
    if dtype.itemsize < 4:                                            # drawn with 32 bits against bias
        drawn, info = dtypes.int32, dtypes.iinfo(dtype)
        minval, maxval = _clip(minval, info.min, info.max), _clip(maxval, info.min, info.max + 1)
    low, high, above = _integer_bounds(minval, maxval, drawn)
    shape = shape_of('randint', shape, low, high)
    span = _span(low, high, above, drawn)
    width = 8 * drawn.itemsize
    first, second = [bits_node(p, shape, width) for p in split_words(pair, 2)]
    rem = lambda x, y: build.apply(ops.rem, x, y)
    if span.op is ops.literal:
        n = span.params[0]
        if n:
            multiplier = build.literal((2 ** (width // 2) % n) ** 2 % 2 ** width % n, span.aval.dtype)
        else:
            multiplier = build.literal(0, span.aval.dtype)            # all bits of the second draw
    else:
        multiplier = rem(build.literal(2 ** (width // 2), span.aval.dtype), span)
        multiplier = rem(build.mul(multiplier, multiplier), span)
    if span.op is ops.literal and not span.params[0]:
        offset = second
    else:
        offset = build.add(build.mul(_rem(first, span), multiplier), _rem(second, span))
        offset = _rem(offset, span)
    result = build.add(low, build.convert(offset, drawn))
    return wrap(build.convert(result, dtype))


def _rem(x, y):
    """x % y; a remainder by 0 is x."""
    if y.op is ops.literal:
        return build.apply(ops.rem, x, y)
    none = build.eq(y, constant(y, 0))
    return build.select(none, x, build.apply(ops.rem, x, build.select(none, constant(y, 1), y)))


def _clip(x, low, high):
    if isinstance(x, (int, onp.integer)):
        return min(max(int(x), low), high)
    node = build.convert(as_node(x), dtypes.int32)
    node = build.apply(ops.max_, node, constant(node, low))
    return wrap(build.apply(ops.min_, node, constant(node, high)))


# --- permutations and choices -------------------------------------------------------------------------------------

def _shuffle(pair, x, axis):
    """x in random order along an axis: sorted by random 32-bit keys, as often as collisions of keys make it wise."""
    rounds = math.ceil(3 * math.log(max(1, x.aval.size)) / math.log(2 ** 32 - 1))
    for _ in range(rounds):
        pair, fresh = split_words(pair, 2)
        keys = bits_node(fresh, x.aval.shape, 32)
        x = lax.sort_key_val(wrap(keys), wrap(x), axis)[1]._node
    return x


def permutation(key, x, axis=0, independent=False, *, out_sharding=None):
    """x, or 0, 1, ... x - 1 for an int x, in random order along an axis.

    independent: every slice along the axis in an order of its own.

    >>> import lazy
    >>> sorted(lazy.random.permutation(lazy.random.key(0), 5).tolist())
    [0, 1, 2, 3, 4]
    """
    pair = pair_of('permutation', key)
    if isinstance(x, int) or not as_node(x).aval.ndim:
        n = _static_int('permutation', x)
        return wrap(_shuffle(pair, build.iota((n,), dtypes.default_int()), 0))
    x = as_node(x)
    if not -x.aval.ndim <= axis < x.aval.ndim:
        raise ValueError(f'permutation: axis {axis} is out of bounds for shape {x.aval.shape}')
    axis %= x.aval.ndim
    if independent or x.aval.ndim == 1:
        return wrap(_shuffle(pair, x, axis))
    order = _shuffle(pair, build.iota((x.aval.shape[axis],), dtypes.default_int()), 0)
    return wrap(_take(x, order, axis))


def _static_int(name, x):
    if not isinstance(x, (int, Array, onp.generic, onp.ndarray)) or isinstance(x, (bool, float)):
        raise TypeError(f'{name}: x must be an integer or at least 1-dimensional')
    if not isinstance(x, int) and not dtypes.is_integer(dtypes.as_dtype(x.dtype)):
        raise TypeError(f'{name}: x must be an integer or at least 1-dimensional')
    return int(x)


def _take(x, indices, axis):
    """x at an index array along an axis, whose dimensions take the axis' place."""
    found = build.gather(x, [indices], [axis], 'clip')
    k = indices.aval.ndim
    order = [*range(k, k + axis), *range(k), *range(k + axis, found.aval.ndim)]
    return build.transpose(found, order)


def choice(key, a, shape=(), replace=True, p=None, axis=0, mode=None):
    """Random elements of a (along an axis), or of 0, 1, ... a - 1 for an int a, with probabilities p.

    >>> import lazy
    >>> x = lazy.random.choice(lazy.random.key(0), 5, (3,), replace=False)
    >>> len(set(x.tolist()))
    3
    """
    if not isinstance(shape, (tuple, list)):
        raise TypeError(f'shape argument of lazy.random.choice must be a sequence, got {shape}')
    shape = shape_of('choice', shape)
    whole = isinstance(a, int) or not as_node(a).aval.ndim
    x = None if whole else as_node(a)
    axis = axis if whole else axis % x.aval.ndim
    n = _static_int('choice', a) if whole else x.aval.shape[axis]
    draws = math.prod(shape)
    if draws == 0:
        return wrap(build.full(shape, 0, dtypes.default_int() if whole else x.aval.dtype))
    if n <= 0:
        raise ValueError('a must be greater than 0 unless no samples are taken')
    if not replace and draws > n:
        raise ValueError(f"Cannot take a larger sample (size {draws}) than population (size {n}) when 'replace=False'")
    if p is None and replace:
        index = randint(key, shape, 0, n)._node
    elif p is None:
        if not whole:
            found = build.slice_axis(permutation(key, wrap(x), axis)._node, axis, 0, draws)
            return wrap(build.reshape(found, (*x.aval.shape[:axis], *shape, *x.aval.shape[axis + 1:])))
        order = _shuffle(pair_of('choice', key), build.iota((n,), dtypes.default_int()), 0)
        index = build.slice_(order, (0,), (draws,))
    else:
        index = _weighted(pair_of('choice', key), as_node(p), n, shape, draws, replace, mode)
    if whole:
        return wrap(build.reshape(index, shape))
    return wrap(_take(x, build.reshape(index, shape), axis))


def _weighted(pair, p, n, shape, draws, replace, mode):
    """Indices with probabilities p: by the cumulative distribution, or without replacement by Gumbel's trick."""
    p = build.convert(p, dtypes.inexact_of(p.aval.dtype))
    if p.aval.shape != (n,):
        raise ValueError('p must be None or a 1D vector with the same size as a.shape[axis]. p has shape '
                         f'{p.aval.shape} and a.shape[axis] is {n}')
    if replace:
        total = build.make(ops.cumsum, (p,), (0, False))
        u = uniform_node(pair, shape, p.aval.dtype)
        last = build.reshape(build.slice_(total, (n - 1,), (n,)), ())
        r = build.mul(last, build.sub(constant(u, 1), u))
        return build.make(ops.searchsorted, (total, r), ('left', dtypes.default_int()))
    score = build.add(gumbel_node(pair, (n,), p.aval.dtype, mode), build.apply(ops.log, p))
    return build.convert(lax.top_k(wrap(score), draws)[1]._node, dtypes.default_int())


def gumbel_node(pair, shape, dtype, mode=None):
    mode = 'low' if mode is None else mode
    if mode not in ('highest', 'high', 'low'):
        raise ValueError(f'Must provide valid mode for gumbel got: {mode}')
    log = lambda x: build.apply(ops.log, x)
    if mode == 'low':
        return build.neg(log(build.neg(log(uniform_node(pair, shape, dtype, float(finfo(dtype).tiny), 1.0)))))
    info = finfo(dtype)                                               # 'highest' is 'high' here
    both = uniform_node(pair, (2, *shape), dtype)
    high, low = (build.reshape(build.slice_axis(both, 0, i, i + 1), shape) for i in (0, 1))
    fine = build.add(build.mul(low, constant(low, 2.0 ** -info.nmant)), constant(low, float(info.tiny)))
    x = build.select(build.ge(high, constant(high, 0.5)), high, build.add(high, fine))
    return build.neg(log(build.neg(build.apply(ops.log1p, build.neg(x)))))


def gumbel(key, shape=(), dtype=None, mode=None, *, out_sharding=None):
    """Gumbel numbers, density exp(-(x + exp(-x))). mode 'high': twice the bits, exact in the tail."""
    dtype = float_dtype('gumbel', dtype)
    return wrap(gumbel_node(pair_of('gumbel', key), shape_of('gumbel', shape), dtype, mode))


def categorical(key, logits, axis=-1, shape=None, replace=True, mode=None, *, out_sharding=None):
    """Indices along `axis` of logits, with probabilities softmax(logits): the argmax of logits + Gumbel noise.

    shape: of the result, ending in the shape of logits without the axis. replace=False: the leading dimensions of
    the result hold different indices.

    >>> import lazy, lazy.numpy as np
    >>> lazy.random.categorical(lazy.random.key(0), np.array([0., 50., 0.]), shape=(3,)).tolist()
    [1, 1, 1]
    """
    pair, x = pair_of('categorical', key), as_node(logits)
    x = build.convert(x, dtypes.inexact_of(x.aval.dtype))
    axis %= x.aval.ndim
    batch = x.aval.shape[:axis] + x.aval.shape[axis + 1:]
    shape = batch if shape is None else shape_of('categorical', shape)
    if lax.broadcast_shapes(shape, batch) != shape:
        raise ValueError(f'categorical: shape {shape} must end in the shape of logits without the axis, {batch}')
    prefix, rest = shape[:len(shape) - len(batch)], list(shape[len(shape) - len(batch):])
    index = dtypes.default_int()
    if replace:
        rest.insert(axis, x.aval.shape[axis])
        score = build.add(gumbel_node(pair, (*prefix, *rest), x.aval.dtype, mode), x)
        return wrap(build.make(ops.argmax, (score,), (axis + len(prefix), index)))
    count = math.prod(prefix)
    if count > x.aval.shape[axis]:
        raise ValueError(f'Number of samples without replacement ({count}) cannot exceed number of categories '
                         f'({x.aval.shape[axis]})')
    score = build.moveaxis(build.add(x, gumbel_node(pair, x.aval.shape, x.aval.dtype, mode)), axis, x.aval.ndim - 1)
    found = lax.top_k(wrap(score), count)[1]._node
    return wrap(build.convert(build.reshape(build.moveaxis(found, found.aval.ndim - 1, 0), shape), index))
