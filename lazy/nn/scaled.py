"""Products of numbers that are kept in narrow types, with a scale for each block along the contracted axes."""
import dataclasses
import functools

from .. import lax
from .. import numpy as np
from ..array import as_node, wrap
from ..custom_derivatives import custom_vjp
from ..ir import build, dtypes
from ..transforms import vjp
from .normalize import axes_of

__all__ = ['BlockScaleConfig', 'get_scaled_dot_general_config', 'scaled_dot_general', 'scaled_matmul']


@dataclasses.dataclass(eq=False)
class BlockScaleConfig:
    """How scaled_dot_general rounds an operand; made by get_scaled_dot_general_config."""
    mode: str
    block_size: int
    data_type: str
    scale_type: str
    global_scale: object
    infer_only: bool = False


def get_scaled_dot_general_config(mode, global_scale=None):
    """How scaled_dot_general rounds an operand: BlockScaleConfig for 'mxfp8' or 'nvfp4'.

    'mxfp8': float8_e4m3fn in blocks of 32, whose scales are powers of two. 'nvfp4': numbers of 4 bits (e2m1) in blocks
    of 16 whose scales are float8_e4m3fn, all times global_scale (float32 [1], 1 by default). Raises ValueError for
    other modes.

    Source: OCP Microscaling Formats (MX) Specification 1.0, 2023.

    >>> import lazy
    >>> lazy.nn.get_scaled_dot_general_config('mxfp8').block_size
    32
    """
    if mode == 'nvfp4':
        one = np.ones((1,), dtypes.float32) if global_scale is None else global_scale
        return BlockScaleConfig(mode, 16, 'float4_e2m1fn', 'float8_e4m3fn', one)
    if mode == 'mxfp8':
        return BlockScaleConfig(mode, 32, 'float8_e4m3fn', 'float8_e8m0fnu', None)
    raise ValueError(f'Unsupported mode: {mode}')


_LARGEST = {'float8_e4m3fn': 448.0, 'float4_e2m1fn': 6.0}


def _power_of_two(x):
    """The least power of two that is at least x, from 2**-127 to 2**127, for positive float32."""
    bits = lax.bitcast_convert_type(x, dtypes.uint32)
    up = lax.bitcast_convert_type((bits + np.uint32(0x7fffff)) & np.uint32(0xff800000), dtypes.float32)
    return np.where(x <= 2.0 ** -127, 2.0 ** -127, np.where(x >= 2.0 ** 127, 2.0 ** 127, up))


def _e2m1(x):
    """The nearest of 0, 0.5, 1, 1.5, 2, 3, 4 and 6, with its sign, for |x| <= 6; ties to the one with an even last
    bit."""
    size = abs(x)
    spacing = np.where(size < 2, 0.5, np.where(size < 4, 1.0, 2.0))
    return np.round(x / spacing) * spacing


def _rounded(x, axes, config):
    """x in float32 with the values that the narrow type keeps, in blocks along `axes` taken together."""
    axes = tuple(axes)
    kept = [a for a in range(x.ndim) if a not in axes]
    moved = np.transpose(x, (*kept, *axes)).astype(dtypes.float32)
    shape, size, largest = moved.shape, config.block_size, _LARGEST[config.data_type]
    count = functools.reduce(lambda m, a: m * x.shape[a], axes, 1)
    if count < size or count % size:
        raise ValueError(f'{config.mode} needs a multiple of {size} elements along the contracted axes, got {count} in '
                         f'shape {x.shape}')
    blocks = moved.reshape(*shape[:len(kept)], count // size, size)
    if config.global_scale is not None:
        blocks = blocks / config.global_scale
    scales = np.max(abs(blocks), axis=-1, keepdims=True) / largest
    if config.mode == 'mxfp8':
        scales = _power_of_two(scales)
        values = np.clip(blocks / scales, -largest, largest).astype(dtypes.float8_e4m3fn).astype(dtypes.float32)
    else:
        scales = np.clip(scales, 0, _LARGEST[config.scale_type]).astype(dtypes.float8_e4m3fn).astype(dtypes.float32)
        values = _e2m1(np.clip(np.where(scales == 0, 0, blocks / scales), -largest, largest)) * config.global_scale
    order = sorted(range(x.ndim), key=(*kept, *axes).__getitem__)
    return np.transpose((values * scales).reshape(shape), order)


def scaled_dot_general(lhs, rhs, dimension_numbers, preferred_element_type='float32', configs=None,
                       implementation=None):
    """lax.dot_general of operands rounded to narrow types in scaled blocks; of the operands themselves without configs.

    configs: of lhs, rhs and gradients, by get_scaled_dot_general_config. The gradients are such products too for
    'mxfp8'; for 'nvfp4' they are of the operands themselves, and 0 where an operand is beyond what its type and scales
    reach. Raises ValueError where blocks don't divide the contracted axes, in reverse mode the other axes.

    >>> import lazy, lazy.numpy as np
    >>> configs = [lazy.nn.get_scaled_dot_general_config('mxfp8')] * 3
    >>> x = np.linspace(-1, 1, 64).reshape(2, 32)
    >>> float(abs(lazy.nn.scaled_dot_general(x, x, (((1,), (1,)), ((), ())), configs=configs) - x @ x.T).max()) < 0.3
    True
    """
    dtype = dtypes.as_dtype(preferred_element_type)
    if configs is None:
        return lax.dot_general(lhs, rhs, dimension_numbers, preferred_element_type=dtype)
    a, b = wrap(as_node(lhs)), wrap(as_node(rhs))
    contract, batch = [tuple([axes_of(tuple(axes), x.ndim) for axes, x in zip(pair, (a, b))])
                       for pair in dimension_numbers]
    return _product(a, b, (contract, batch), tuple(configs)).astype(dtype)


@functools.partial(custom_vjp, nondiff_argnums=(2, 3))
def _product(a, b, dimensions, configs):
    rounded = [_rounded(x, axes, config) for x, axes, config in zip((a, b), dimensions[0], configs)]
    return lax.dot_general(*rounded, dimensions)


def _backward(dimensions, configs, operands, ct):
    """The cotangent of each operand is a product of ct and the other, contracted along the axes that this one keeps."""
    kept = [[axis for axis in range(x.ndim) if axis not in (*contract, *batch)]
            for x, contract, batch in zip(operands, *dimensions)]
    first = ct.ndim - len(kept[0]) - len(kept[1])
    places = list(range(first, first + len(kept[0]))), list(range(first + len(kept[0]), ct.ndim))

    def cotangent(i):
        mine, other, axes, given = operands[i], operands[1 - i], kept[1 - i], ct
        if configs[2].mode == 'mxfp8':
            other, given = _rounded(other, axes, configs[1 - i]), _rounded(ct, places[1 - i], configs[2])
        ordered = lambda x, y: (x, y) if i == 0 else (y, x)
        wide = [x.astype(dtypes.float32) for x in (mine, other)]
        _, pull = vjp(lambda x: lax.dot_general(*ordered(x, wide[1]), dimensions), wide[0])
        found, = pull(given)
        if configs[2].mode == 'nvfp4':
            reach = _LARGEST[configs[i].data_type] * _LARGEST[configs[i].scale_type]
            found = np.where(abs(mine) <= configs[i].global_scale * reach, found, 0)
        return found.astype(mine.dtype)
    return cotangent(0), cotangent(1)


_product.defvjp(lambda a, b, dimensions, configs: (_product(a, b, dimensions, configs), (a, b)), _backward)


def scaled_matmul(lhs, rhs, lhs_scales, rhs_scales, preferred_element_type='float32'):
    """Batched lhs [B, M, K] times rhs [B, N, K] transposed; scales [B, M, K/block] multiply blocks along K.

    Computed in float32. Raises ValueError where scales do not divide an operand.

    >>> import lazy, lazy.numpy as np
    >>> x, scales = np.ones((1, 2, 8), 'float8_e4m3fn'), np.full((1, 2, 2), 0.5, 'float8_e4m3fn')
    >>> lazy.nn.scaled_matmul(x, x, scales, scales).tolist()
    [[[2.0, 2.0], [2.0, 2.0]]]
    """
    def scaled(x, scales):
        x, scales = (build.convert(as_node(v), dtypes.float32) for v in (x, scales))
        if x.aval.ndim != 3 or scales.aval.ndim != 3 or x.aval.shape[2] % scales.aval.shape[2]:
            raise ValueError(f'scaled_matmul: scales of shape {scales.aval.shape} do not fit {x.aval.shape}')
        b, m, blocks = scales.aval.shape
        wide = build.broadcast(scales, (b, m, blocks, x.aval.shape[2] // blocks), (0, 1, 2))
        return build.mul(x, build.reshape(wide, x.aval.shape))
    a, b = scaled(lhs, lhs_scales), scaled(rhs, rhs_scales)
    product = build.dot_general(a, b, ((2,), (2,)), ((0,), (0,)))
    return wrap(build.convert(product, dtypes.as_dtype(preferred_element_type)))
