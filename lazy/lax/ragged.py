"""Products with groups of rows, with scales, and names of ways to compute products."""
import dataclasses
import enum
from collections.abc import Sequence
from typing import NamedTuple

from ..array import as_node, wrap
from ..ir import build, dtypes, ops
from .operands import axis_number
from .reductions import dot_general

DotDimensionNumbers = tuple[tuple[Sequence[int], Sequence[int]], tuple[Sequence[int], Sequence[int]]]


@dataclasses.dataclass(frozen=True, init=False)
class RaggedDotDimensionNumbers:
    """Axes of ragged_dot_general: those of dot_general, the axis of lhs that is cut into groups, the axis of rhs that
    counts groups (none where groups are cut from a contracting or batch axis)."""
    dot_dimension_numbers: tuple
    lhs_ragged_dimensions: tuple
    rhs_group_dimensions: tuple

    def __init__(self, dot_dimension_numbers, lhs_ragged_dimensions, rhs_group_dimensions):
        fixed = tuple([tuple([tuple(axes) for axes in pair]) for pair in dot_dimension_numbers])
        object.__setattr__(self, 'dot_dimension_numbers', fixed)
        object.__setattr__(self, 'lhs_ragged_dimensions', tuple(lhs_ragged_dimensions))
        object.__setattr__(self, 'rhs_group_dimensions', tuple(rhs_group_dimensions))


def ragged_dot(lhs, rhs, group_sizes, precision=None, preferred_element_type=None, group_offset=None,
               out_sharding=None):
    """Rows of lhs (m, k) in groups, one after the other, each times its matrix of rhs (g, k, n): (m, n).

    group_sizes: (g,) integers; rows behind the last group give zeros.

    >>> import lazy, lazy.numpy as np
    >>> rhs = np.stack([np.eye(2), 10 * np.eye(2)])
    >>> lazy.lax.ragged_dot(np.ones((3, 2)), rhs, np.array([1, 2])).tolist()
    [[1.0, 1.0], [10.0, 10.0], [10.0, 10.0]]
    """
    numbers = RaggedDotDimensionNumbers((((1,), (1,)), ((), ())), (0,), (0,))
    return ragged_dot_general(lhs, rhs, group_sizes, numbers, precision, preferred_element_type, group_offset)


def ragged_dot_general(lhs, rhs, group_sizes, ragged_dot_dimension_numbers, precision=None, preferred_element_type=None,
                       group_offset=None, out_sharding=None):
    """dot_general with an axis of lhs cut into groups of group_sizes.

    Cut from an axis that is kept, each group has a matrix of its own along rhs's group dimension; from a contracting
    axis, the result has one more axis in front, of the sums of each group; from a batch axis groups change nothing.
    group_sizes: (g,), or with leading axes for those of the batch, and of lhs's kept or contracting axes before the
    ragged one.
    """
    if group_offset is not None:
        raise NotImplementedError('ragged_dot_general: group_offset is not supported')
    x, w, sizes, numbers = as_node(lhs), as_node(rhs), as_node(group_sizes), ragged_dot_dimension_numbers
    (contract, contract_rhs), (batch, batch_rhs) = numbers.dot_dimension_numbers
    if len(numbers.lhs_ragged_dimensions) != 1 or not dtypes.is_integer(sizes.aval.dtype):
        raise TypeError('ragged_dot_general: lhs has one ragged dimension and group_sizes are integers, got '
                        f'{numbers.lhs_ragged_dimensions} and {sizes.aval}')
    ragged = axis_number(numbers.lhs_ragged_dimensions[0], x.aval.ndim)
    if ragged in batch:
        return dot_general(lhs, rhs, numbers.dot_dimension_numbers, precision, preferred_element_type)
    outer = contract[:contract.index(ragged)] if ragged in contract else [
        a for a in range(ragged) if a not in batch and a not in contract]
    x = _in_groups(x, sizes, ragged, [*batch, *outer])
    groups = x.aval.ndim - 1
    if ragged in contract:
        if numbers.rhs_group_dimensions:
            raise TypeError('ragged_dot_general: rhs has no group dimension where groups are cut from a contracting '
                            'one')
        result = dot_general(wrap(x), rhs, numbers.dot_dimension_numbers, precision, preferred_element_type)
        kept = groups - len(contract)                           # the groups' place: behind batch and what lhs keeps
        return wrap(build.moveaxis(as_node(result), kept, 0))
    if len(numbers.rhs_group_dimensions) != 1 or w.aval.shape[numbers.rhs_group_dimensions[0]] != sizes.aval.shape[-1]:
        raise TypeError(f'ragged_dot_general: rhs of shape {w.aval.shape} must have one group dimension, of the size '
                        f'of {sizes.aval.shape[-1]} groups, got {numbers.rhs_group_dimensions}')
    pairs = ((*contract, groups), (*contract_rhs, numbers.rhs_group_dimensions[0]))
    return dot_general(wrap(x), rhs, (pairs, (batch, batch_rhs)), precision, preferred_element_type)


def _in_groups(x, sizes, ragged, prefix):
    """x with a last axis of groups: zero but for its part of the ragged axis."""
    lead, count = [x.aval.shape[a] for a in prefix], sizes.aval.shape[-1]
    if sizes.aval.ndim == 1:
        prefix = []
    elif list(sizes.aval.shape[:-1]) != lead:
        raise TypeError(f'ragged_dot_general: group_sizes must have shape {(*lead, count)} or {(count,)}, got '
                        f'{sizes.aval.shape}')
    last = sizes.aval.ndim - 1
    sizes = build.convert(sizes, dtypes.int32)
    ends = build.make(ops.cumsum, (sizes,), (last, False))
    starts = build.sub(ends, sizes)
    shape = (*x.aval.shape, count)
    spread = lambda v: build.broadcast(v, shape, [*prefix, x.aval.ndim])
    place = build.iota(shape, dtypes.int32, ragged)
    mine = build.apply(ops.and_, build.ge(place, spread(starts)), build.lt(place, spread(ends)))
    return build.select(mine, build.broadcast(x, shape, range(x.aval.ndim)), build.scalar_like(x, 0))


def scaled_dot(lhs, rhs, *, lhs_scale=None, rhs_scale=None, dimension_numbers=None, preferred_element_type=None):
    """dot_general of operands times scales, of which each serves a block of a contracting axis.

    Scales have the shape of their operand but for contracting axes, of whose sizes theirs are divisors. Without
    dimension numbers it is a matrix product over equal leading axes; the result is bfloat16 where no type is asked for.

    >>> import lazy, lazy.numpy as np
    >>> x, s = np.ones((1, 4), 'bfloat16'), np.array([[1, 2]], 'bfloat16')
    >>> float(lazy.lax.scaled_dot(x, x.T, lhs_scale=s, preferred_element_type='float32')[0, 0])
    6.0
    """
    a, b = as_node(lhs), as_node(rhs)
    if dimension_numbers is None:
        n = a.aval.ndim
        if n < 2:
            raise TypeError('scaled_dot does not support 0-rank and 1-rank operands.')
        dimension_numbers = (((n - 1,), (n - 2,)), (tuple(range(n - 2)), tuple(range(n - 2))))
    dtype = dtypes.bfloat16 if preferred_element_type is None else dtypes.as_dtype(preferred_element_type)
    a, b = _scaled(a, lhs_scale), _scaled(b, rhs_scale)
    result = dot_general(wrap(a), wrap(b), dimension_numbers)
    return wrap(build.convert(as_node(result), dtype))


def _scaled(x, scale):
    wide = dtypes.float64 if x.aval.dtype == dtypes.float64 else dtypes.float32
    x = build.convert(x, wide)
    if scale is None:
        return x
    s = build.convert(as_node(scale), wide)
    if s.aval.ndim != x.aval.ndim or any(not n or m % n for m, n in zip(x.aval.shape, s.aval.shape)):
        raise TypeError(f'scaled_dot: a scale of shape {s.aval.shape} does not divide an operand of shape '
                        f'{x.aval.shape}')
    blocks = [part for m, n in zip(x.aval.shape, s.aval.shape) for part in (n, m // n)]
    spread = build.broadcast(s, blocks, range(0, len(blocks), 2))
    return build.mul(x, build.reshape(spread, x.aval.shape))


# --- ways to compute --------------------------------------------------------------------------------------------------

class DotAlgorithm(NamedTuple):
    """Types in which a product is computed: accepted as `precision`. Products are never computed in less than their
    type says, so that it changes nothing."""
    lhs_precision_type: object
    rhs_precision_type: object
    accumulation_type: object
    lhs_component_count: int = 1
    rhs_component_count: int = 1
    num_primitive_operations: int = 1
    allow_imprecise_accumulation: bool = False


DotAlgorithmPreset = enum.Enum('DotAlgorithmPreset', [
    'DEFAULT', 'ANY_F8_ANY_F8_F32', 'ANY_F8_ANY_F8_F32_FAST_ACCUM', 'ANY_F8_ANY_F8_ANY', 'ANY_F8_ANY_F8_ANY_FAST_ACCUM',
    'F16_F16_F16', 'F16_F16_F32', 'BF16_BF16_BF16', 'BF16_BF16_F32', 'BF16_BF16_F32_X3', 'BF16_BF16_F32_X6',
    'BF16_BF16_F32_X9', 'TF32_TF32_F32', 'TF32_TF32_F32_X3', 'F32_F32_F32', 'F64_F64_F64'], module=__name__)
DotAlgorithmPreset.__doc__ = """Names of ways to compute products, accepted as `precision`; see DotAlgorithm."""


class AccuracyMode(enum.Enum):
    """How accurate functions of one number are: accepted for compatibility, they are within a few units in the last
    place always."""
    HIGHEST = 1
    DEFAULT = 2


class Tolerance:
    """How inaccurate a function of one number may be: accepted for compatibility. Raises ValueError for negative
    numbers, and where none is given."""

    def __init__(self, atol=0.0, rtol=0.0, ulps=0):
        if min(atol, rtol, ulps) < 0:
            raise ValueError('Tolerances must be non-negative.')
        if not (atol or rtol or ulps):
            raise ValueError('At least one of atol, rtol, or ulps must be set.')
        self.atol, self.rtol, self.ulps = atol, rtol, ulps

    def __repr__(self):
        return f'Tolerance(atol={self.atol}, rtol={self.rtol}, ulps={self.ulps})'
