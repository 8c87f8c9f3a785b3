"""Initial values of weights: functions of (key, shape, dtype). Signatures are those of jax.nn.initializers."""
import math
from typing import Protocol, runtime_checkable

import numpy as onp

from .. import lax, random
from ..array import wrap
from ..ir import build, dtypes

__all__ = ['Initializer', 'constant', 'delta_orthogonal', 'glorot_normal', 'glorot_uniform', 'he_normal', 'he_uniform',
           'kaiming_normal', 'kaiming_uniform', 'lecun_normal', 'lecun_uniform', 'normal', 'ones', 'orthogonal',
           'truncated_normal', 'uniform', 'variance_scaling', 'xavier_normal', 'xavier_uniform', 'zeros']


@runtime_checkable
class Initializer(Protocol):
    """What initializers are: init(key, shape, dtype)."""

    def __call__(self, key, shape, dtype=None, out_sharding=None):
        raise NotImplementedError


def _dtype(dtype):
    return dtypes.as_dtype(float if dtype is None else dtype)


def _scalar(value, dtype):
    """A constant of a dtype, strong."""
    return wrap(build.literal(complex(value) if dtypes.kind(dtype) == 'c' else float(value), dtype))


def zeros(key, shape, dtype=None, out_sharding=None):
    """Zeros."""
    return lax.full(shape, 0, _dtype(dtype))


def ones(key, shape, dtype=None, out_sharding=None):
    """Ones."""
    return lax.full(shape, 1, _dtype(dtype))


def constant(value, dtype=None):
    """An initializer that fills with one value, or broadcasts an array.

    >>> import lazy
    >>> lazy.nn.initializers.constant(3)(lazy.random.key(0), (2,)).tolist()
    [3.0, 3.0]
    """
    def init(key, shape, dtype=dtype, out_sharding=None):
        from ..array import as_node
        return wrap(build.broadcast_to(build.convert(as_node(value), _dtype(dtype)), tuple(shape)))
    return init


def uniform(scale=1e-2, dtype=None):
    """An initializer: uniform numbers in [0, scale)."""
    def init(key, shape, dtype=dtype, out_sharding=None):
        dtype = _dtype(dtype)
        return random.uniform(key, shape, dtype) * _scalar(scale, dtype)
    return init


def normal(stddev=1e-2, dtype=None):
    """An initializer: normal numbers of a standard deviation."""
    def init(key, shape, dtype=dtype, out_sharding=None):
        dtype = _dtype(dtype)
        return random.normal(key, shape, dtype) * _scalar(stddev, dtype)
    return init


def truncated_normal(stddev=1e-2, dtype=None, lower=-2.0, upper=2.0):
    """An initializer: normal numbers within lower and upper standard deviations, times stddev."""
    def init(key, shape, dtype=dtype, out_sharding=None):
        dtype = _dtype(dtype)
        return random.truncated_normal(key, lower, upper, shape, dtype) * _scalar(stddev, dtype)
    return init


def _fans(shape, in_axis, out_axis, batch_axis):
    """Numbers of inputs and outputs that one element of the result sees."""
    if in_axis == -2 and len(shape) <= 1:
        raise ValueError(f"Can't compute input and output sizes of a {len(shape)}-dimensional weights tensor with "
                         f'default in_axis. Must be at least 2D or specify in_axis explicitly.')

    def size(axes):
        return shape[axes] if isinstance(axes, int) else math.prod([shape[i] for i in axes])
    inputs, outputs, batch = size(in_axis), size(out_axis), size(batch_axis)
    field = math.prod(shape) / inputs / outputs / batch
    return inputs * field, outputs * field


def variance_scaling(scale, mode, distribution, in_axis=-2, out_axis=-1, batch_axis=(), dtype=None):
    """An initializer of variance scale / n, n being the fan_in, fan_out, their fan_avg or fan_geo_avg.

    distribution: 'truncated_normal', 'normal' or 'uniform'. Real dtypes.

    >>> import lazy
    >>> init = lazy.nn.initializers.variance_scaling(1.0, 'fan_in', 'normal')
    >>> w = init(lazy.random.key(0), (100, 100))
    >>> abs(float((w ** 2).mean()) - 0.01) < 1e-3
    True
    """
    def init(key, shape, dtype=dtype, out_sharding=None):
        shape, dtype = tuple(shape), _dtype(dtype)
        if dtypes.kind(dtype) != 'f':
            raise ValueError(f'variance_scaling: the dtype must be real, got {dtype.name}')
        fan_in, fan_out = _fans(shape, in_axis, out_axis, batch_axis)
        try:
            n = {'fan_in': fan_in, 'fan_out': fan_out, 'fan_avg': (fan_in + fan_out) / 2,
                 'fan_geo_avg': (fan_in * fan_out) ** 0.5}[mode]
        except KeyError:
            raise ValueError(f'invalid mode for variance scaling initializer: {mode}') from None
        variance = onp.array(scale / n, dtype)
        if distribution == 'truncated_normal':                       # .8796: deviation of the truncated distribution
            deviation = onp.sqrt(variance) / onp.array(.87962566103423978, dtype)
            return random.truncated_normal(key, -2, 2, shape, dtype) * _scalar(deviation, dtype)
        if distribution == 'normal':
            return random.normal(key, shape, dtype) * _scalar(onp.sqrt(variance), dtype)
        if distribution == 'uniform':
            return random.uniform(key, shape, dtype, -1) * _scalar(onp.sqrt(onp.array(3, dtype) * variance), dtype)
        raise ValueError(f'invalid distribution for variance scaling initializer: {distribution}')
    return init


def _family(name, scale, mode, distribution, source):
    def make(in_axis=-2, out_axis=-1, batch_axis=(), dtype=None):
        return variance_scaling(scale, mode, distribution, in_axis, out_axis, batch_axis, dtype)
    make.__name__ = make.__qualname__ = name
    make.__doc__ = f'An initializer: variance_scaling({scale}, {mode!r}, {distribution!r}) ({source}).'
    return make


_GLOROT, _LECUN, _HE = 'Glorot and Bengio, 2010', 'LeCun et al., 1998', 'He et al., 2015'
glorot_uniform = xavier_uniform = _family('glorot_uniform', 1.0, 'fan_avg', 'uniform', _GLOROT)
glorot_normal = xavier_normal = _family('glorot_normal', 1.0, 'fan_avg', 'truncated_normal', _GLOROT)
lecun_uniform = _family('lecun_uniform', 1.0, 'fan_in', 'uniform', _LECUN)
lecun_normal = _family('lecun_normal', 1.0, 'fan_in', 'truncated_normal', _LECUN)
he_uniform = kaiming_uniform = _family('he_uniform', 2.0, 'fan_in', 'uniform', _HE)
he_normal = kaiming_normal = _family('he_normal', 2.0, 'fan_in', 'truncated_normal', _HE)


def orthogonal(scale=1.0, column_axis=-1, dtype=None):
    """An initializer: matrices with orthonormal rows or columns, times scale (Saxe et al., 2013)."""
    def init(key, shape, dtype=dtype, out_sharding=None):
        shape, dtype = tuple(shape), _dtype(dtype)
        if len(shape) < 2:
            raise ValueError('orthogonal initializer requires at least a 2D shape')
        if 0 in shape:
            return lax.full(shape, 0, dtype)
        columns = shape[column_axis]
        q = random.orthogonal(key, math.prod(shape) // columns, (), dtype, columns)
        rest = [n for a, n in enumerate(shape) if a != column_axis % len(shape)]
        node = build.reshape(q._node, (*rest, columns))
        return _scalar(scale, dtype) * wrap(build.moveaxis(node, len(rest), column_axis % len(shape)))
    return init


def delta_orthogonal(scale=1.0, column_axis=-1, dtype=None):
    """An initializer of convolutions: an orthogonal matrix in the middle, else 0 (Xiao et al., 2018)."""
    def init(key, shape, dtype=dtype, out_sharding=None):
        shape, dtype = tuple(shape), _dtype(dtype)
        if len(shape) not in (3, 4, 5):
            raise ValueError('Delta orthogonal initializer requires a 3D, 4D or 5D shape')
        if shape[-1] < shape[-2]:
            raise ValueError('`fan_in` must be less or equal than `fan_out`')
        matrix = orthogonal(scale, column_axis, dtype)(key, shape[-2:])
        middle = tuple([(n - 1) // 2 for n in shape[:-2]])
        return lax.full(shape, 0, dtype).at[middle].set(matrix)
    return init
