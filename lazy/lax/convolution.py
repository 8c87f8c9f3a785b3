"""Convolutions, as cross-correlations: the window of weights isn't turned around."""
import math
import operator
from typing import NamedTuple

import numpy as onp

from ..array import as_node, wrap
from ..ir import build, dtypes
from ..ir.convolution import general, pad_axes
from ..ir.windows import extent, out_size
from .operands import operands, sizes_of
from .reductions import dot_general


class ConvDimensionNumbers(NamedTuple):
    """Axes of operands and result (batch, features, space ...), and of the weights (out, in features, space ...)."""
    lhs_spec: tuple
    rhs_spec: tuple
    out_spec: tuple


def padtype_to_pads(in_shape, window_shape, window_strides, padding):
    """(low, high) for each axis: none for 'VALID', ceil(n / stride) results for 'SAME' and 'SAME_LOWER' (more before).

    >>> import lazy
    >>> lazy.lax.padtype_to_pads((5, 6), (3, 3), (1, 2), 'SAME')
    [(1, 1), (0, 1)]
    """
    name = str(getattr(padding, 'name', padding)).upper()
    if name == 'VALID':
        return [(0, 0)] * len(in_shape)
    if name not in ('SAME', 'SAME_LOWER'):
        raise RuntimeError(f"Unrecognized padding type: expected 'VALID', 'SAME', or 'SAME_LOWER', got {padding}.")
    total = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in zip(in_shape, window_shape, window_strides)]
    return [(t // 2, t - t // 2) if name == 'SAME' else (t - t // 2, t // 2) for t in total]


def conv_general_permutations(dimension_numbers):
    """Axes (batch, features, space ...) for strings such as ('NHWC', 'HWIO', 'NHWC'); space in the order of the second.

    >>> import lazy
    >>> lazy.lax.conv_general_permutations(('NHWC', 'HWIO', 'NHWC'))
    ((0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2))
    """
    pairs = ('NC', 'OI', 'NC')
    for spec, pair in zip(dimension_numbers, pairs):
        if any(spec.count(c) != 1 for c in pair) or len(set(spec)) != len(spec):
            raise TypeError(f"convolution dimension_numbers must contain '{pair[0]}', '{pair[1]}' and every other "
                            f'character exactly once, got {spec!r}')
    space = [c for c in dimension_numbers[1] if c not in 'OI']
    if any(set(spec) - set(pair) != set(space) for spec, pair in zip(dimension_numbers, pairs)):
        raise TypeError('convolution dimension_numbers elements must each have the same set of spatial characters, got '
                        f'{tuple(dimension_numbers)}')
    return tuple([tuple([spec.index(c) for c in (*pair, *space)]) for spec, pair in zip(dimension_numbers, pairs)])


def conv_dimension_numbers(lhs_shape, rhs_shape, dimension_numbers):
    """dimension_numbers (None: batch, features, space ...; strings; ConvDimensionNumbers) as ConvDimensionNumbers."""
    if isinstance(dimension_numbers, ConvDimensionNumbers):
        return dimension_numbers
    if len(lhs_shape) != len(rhs_shape):
        raise TypeError(f'convolution requires lhs and rhs ndim to be equal, got {len(lhs_shape)} and '
                        f'{len(rhs_shape)}.')
    if dimension_numbers is None:
        return ConvDimensionNumbers(*[tuple(range(len(lhs_shape)))] * 3)
    if not isinstance(dimension_numbers, (list, tuple)) or len(dimension_numbers) != 3:
        raise TypeError(f'convolution dimension_numbers must be None or three strings, got {dimension_numbers!r}')
    for spec in dimension_numbers:
        if not isinstance(spec, str) or len(spec) != len(lhs_shape):
            raise TypeError(f'convolution dimension_numbers must be strings as long as lhs and rhs have dimensions, '
                            f'{len(lhs_shape)}, got {spec!r} for shapes {tuple(lhs_shape)} and {tuple(rhs_shape)}')
    return ConvDimensionNumbers(*conv_general_permutations(dimension_numbers))


def _per_axis(name, values, count, default=1):
    found = (default,) * count if values is None else sizes_of(values)
    if len(found) != count or any(n < 1 for n in found):
        raise TypeError(f'{name} must have one positive entry for each of the {count} spatial dimensions, got {values}')
    return found


def _paddings(padding, space, window, strides, spread, dilation):
    if isinstance(padding, str) or hasattr(padding, 'name'):
        if any(s != 1 for s in spread) and str(padding).upper() != 'VALID':
            raise ValueError('String padding is not implemented for transposed convolution using this op. Please '
                             'either exactly specify the required padding or use conv_transpose.')
        return padtype_to_pads(space, [extent(k, d) for k, d in zip(window, dilation)], strides, padding)
    found = [(operator.index(a), operator.index(b)) for a, b in padding]
    if len(found) != len(space):
        raise TypeError(f'Wrong number of explicit pads for convolution: expected {len(space)}, got {len(found)}.')
    for n, s, (a, b) in zip(space, spread, found):
        if extent(n, s) + a + b < 0:
            raise ValueError(f'Negative padding is larger than the size of the corresponding dimension: got padding='
                             f'{padding} for sizes {tuple(space)}')
    return found


def conv_general_dilated(lhs, rhs, window_strides, padding, lhs_dilation=None, rhs_dilation=None,
                         dimension_numbers=None, feature_group_count=1, batch_group_count=1, precision=None,
                         preferred_element_type=None, *, out_sharding=None):
    """Convolution over any number of spatial dimensions.

    lhs: batch, features, space; rhs: out features, in features / groups, window; in the order that dimension_numbers
    says. padding: 'VALID', 'SAME', 'SAME_LOWER' or (low, high) for each spatial dimension, negative ones cut off.
    lhs_dilation: one more than the zeros put between elements of lhs; rhs_dilation: the distance of elements of the
    window. feature_group_count: features are taken in so many groups, each with its part of rhs's out features;
    batch_group_count: examples are. Raises TypeError or ValueError for shapes and dtypes that don't fit.

    >>> import lazy, lazy.numpy as np
    >>> x, w = np.arange(5.).reshape(1, 1, 5), np.ones((1, 1, 3))
    >>> lazy.lax.conv_general_dilated(x, w, (1,), 'SAME').tolist()
    [[[1.0, 3.0, 6.0, 9.0, 7.0]]]
    """
    x, w = as_node(lhs), as_node(rhs)
    numbers = conv_dimension_numbers(x.aval.shape, w.aval.shape, dimension_numbers)
    if preferred_element_type is not None:
        x, w = (build.convert(v, dtypes.as_dtype(preferred_element_type)) for v in (x, w))
    x, w = operands('conv_general_dilated', wrap(x), wrap(w))
    x, w = build.transpose(x, numbers.lhs_spec), build.transpose(w, numbers.rhs_spec)
    count = x.aval.ndim - 2
    strides = _per_axis('window_strides', window_strides, count)
    spread, dilation = _per_axis('lhs_dilation', lhs_dilation, count), _per_axis('rhs_dilation', rhs_dilation, count)
    padding = _paddings(padding, x.aval.shape[2:], w.aval.shape[2:], strides, spread, dilation)
    groups = _check_groups(x.aval.shape, w.aval.shape, feature_group_count, batch_group_count)
    if batch_group_count > 1:                                      # examples of several groups become features
        n, c, *space = x.aval.shape
        x = build.moveaxis(build.reshape(x, (groups, n // groups, c, *space)), 0, 1)
        x = build.reshape(x, (n // groups, groups * c, *space))
    out = general(x, w, strides, padding, spread, dilation, groups)
    return wrap(build.transpose(out, build.inverse_permutation(numbers.out_spec)))


def _check_groups(x, w, feature_groups, batch_groups):
    feature_groups, batch_groups = operator.index(feature_groups), operator.index(batch_groups)
    if feature_groups < 1 or batch_groups < 1 or feature_groups > 1 and batch_groups > 1:
        raise ValueError('feature_group_count and batch_group_count must be positive and at most one of them larger '
                         f'than 1, got {feature_groups} and {batch_groups}')
    if x[1] != feature_groups * w[1]:
        raise ValueError('conv_general_dilated lhs feature dimension size divided by feature_group_count must equal '
                         f'the rhs input feature dimension size, but {x[1]} // {feature_groups} != {w[1]}.')
    groups = feature_groups * batch_groups
    if w[0] % groups or x[0] % batch_groups:
        raise ValueError(f'the sizes of the out features, {w[0]}, and of the batch, {x[0]}, must be multiples of the '
                         f'number of groups, {groups}')
    return groups


def conv(lhs, rhs, window_strides, padding, precision=None, preferred_element_type=None):
    """Convolution with strides; axes are (batch, features, space ...) and (out, in features, window ...)."""
    return conv_general_dilated(lhs, rhs, window_strides, padding, preferred_element_type=preferred_element_type)


def conv_with_general_padding(lhs, rhs, window_strides, padding, lhs_dilation, rhs_dilation, precision=None,
                              preferred_element_type=None):
    """Convolution with strides, padding and dilations; axes as for `conv`."""
    return conv_general_dilated(lhs, rhs, window_strides, padding, lhs_dilation, rhs_dilation,
                                preferred_element_type=preferred_element_type)


_TRANSPOSE_LAYOUTS = {2: ('NC', 'IO', 'NC'), 3: ('NHC', 'HIO', 'NHC'), 4: ('NHWC', 'HWIO', 'NHWC'),
                      5: ('NHWDC', 'HWDIO', 'NHWDC')}


def conv_transpose(lhs, rhs, strides, padding, rhs_dilation=None, dimension_numbers=None, transpose_kernel=False,
                   precision=None, preferred_element_type=None, use_consistent_padding=False):
    """Convolution with a fraction of a stride: what upsamples where `conv` with these strides and padding downsamples.

    By default axes are (batch, space ..., features) and (window ..., in, out features). transpose_kernel: turn the
    window around and exchange its features, for the gradient of a convolution. padding in numbers is that of the
    convolution over the spread out lhs; of the convolution that this one is the transpose of with
    use_consistent_padding.

    >>> import lazy, lazy.numpy as np
    >>> lazy.lax.conv_transpose(np.ones((1, 2, 1)), np.ones((2, 1, 1)), (2,), 'VALID').ravel().tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    x, w = as_node(lhs), as_node(rhs)
    if dimension_numbers is None and x.aval.ndim not in _TRANSPOSE_LAYOUTS:
        raise ValueError('conv_transpose has default dimension_numbers for 2 to 5 dimensions, got shape '
                         f'{x.aval.shape}: pass dimension_numbers')
    numbers = conv_dimension_numbers(x.aval.shape, w.aval.shape, dimension_numbers or _TRANSPOSE_LAYOUTS[x.aval.ndim])
    window = [w.aval.shape[axis] for axis in numbers.rhs_spec[2:]]
    strides, dilation = (_per_axis(name, values, len(window))
                         for name, values in (('strides', strides), ('rhs_dilation', rhs_dilation)))
    if isinstance(padding, str) or use_consistent_padding:
        padding = [padding] * len(window) if isinstance(padding, str) else padding
        padding = [_transpose_padding(extent(k, d), s, p) for k, d, s, p in zip(window, dilation, strides, padding)]
    if transpose_kernel:
        w = build.rev(w, numbers.rhs_spec[2:])
        order = list(range(w.aval.ndim))
        order[numbers.rhs_spec[0]], order[numbers.rhs_spec[1]] = numbers.rhs_spec[1], numbers.rhs_spec[0]
        w = build.transpose(w, order)
    return conv_general_dilated(wrap(x), wrap(w), (1,) * len(window), padding, strides, dilation, numbers,
                                preferred_element_type=preferred_element_type)


def _transpose_padding(k, s, padding):
    """(low, high) around the spread out operand, for the padding of the convolution that is transposed."""
    if padding == 'SAME':
        low = k - 1 if s > k - 1 else -(-(k + s - 2) // 2)
        return low, k + s - 2 - low
    if padding == 'VALID':
        return k - 1, s - 1 + max(k - s, 0)
    if isinstance(padding, str):
        raise ValueError(f'Invalid padding mode: {padding}')
    return k - 1 - padding[0], k - 1 - padding[1]


# --- patches ----------------------------------------------------------------------------------------------------------

def conv_general_dilated_patches(lhs, filter_shape, window_strides, padding, lhs_dilation=None, rhs_dilation=None,
                                 dimension_numbers=None, precision=None, preferred_element_type=None):
    """What a window sees at each of its places, as features: ordered by lhs's features, then the window's dimensions.

    >>> import lazy, lazy.numpy as np
    >>> lazy.lax.conv_general_dilated_patches(np.arange(4.).reshape(1, 1, 4), (2,), (1,), 'VALID').tolist()
    [[[0.0, 1.0, 2.0], [1.0, 2.0, 3.0]]]
    """
    x, window = as_node(lhs), sizes_of(filter_shape)
    numbers = conv_dimension_numbers(x.aval.shape, (1, 1, *window), dimension_numbers)
    x, count = build.transpose(x, numbers.lhs_spec), len(window)
    strides = _per_axis('window_strides', window_strides, count)
    spread, dilation = _per_axis('lhs_dilation', lhs_dilation, count), _per_axis('rhs_dilation', rhs_dilation, count)
    padding = _paddings(padding, x.aval.shape[2:], window, strides, spread, dilation)
    if preferred_element_type is not None:
        x = build.convert(x, dtypes.as_dtype(preferred_element_type))
    n, c, *space = x.aval.shape
    if any(s != 1 for s in spread):
        whole = build.full((n, c, *[extent(size, s) for size, s in zip(space, spread)]), 0, x.aval.dtype)
        x = build.slice_update(whole, x, [0] * x.aval.ndim, (1, 1, *spread))
    x = pad_axes(x, padding)
    places = [out_size(*each) for each in zip(x.aval.shape[2:], window, strides, dilation)]
    seen = []
    for at in onp.ndindex(*window):
        start = [q * d for q, d in zip(at, dilation)]
        stop = [a + max((p - 1) * s + 1, 0) for a, p, s in zip(start, places, strides)]
        piece = build.slice_(x, (0, 0, *start), (n, c, *stop), (1, 1, *strides))
        seen.append(build.expand_dims(piece, (2,)))
    out = build.concatenate(seen, 2)
    out = build.reshape(out, (n, c * math.prod(window), *places))
    return wrap(build.transpose(out, build.inverse_permutation(numbers.out_spec)))


def conv_general_dilated_local(lhs, rhs, window_strides, padding, filter_shape, lhs_dilation=None, rhs_dilation=None,
                               dimension_numbers=None, precision=None):
    """Convolution with weights of its own at every place: rhs's spatial dimensions are those of the result, and its in
    features those of `conv_general_dilated_patches`."""
    x = as_node(lhs)
    patches = conv_general_dilated_patches(lhs, filter_shape, window_strides, padding, lhs_dilation, rhs_dilation,
                                           dimension_numbers)
    _, rhs_spec, out_spec = conv_dimension_numbers(x.aval.shape, (1, 1, *sizes_of(filter_shape)), dimension_numbers)
    out = dot_general(patches, rhs, (((out_spec[1],), (rhs_spec[1],)), (out_spec[2:], rhs_spec[2:])), precision)
    count = len(out_spec) - 2
    order = (count, count + 1, *range(count))                     # the result's axes: space, batch, features
    out = build.transpose(as_node(out), order)
    return wrap(build.transpose(out, build.inverse_permutation(out_spec)))


# --- shapes -----------------------------------------------------------------------------------------------------------

def conv_shape_tuple(lhs_shape, rhs_shape, strides, pads, batch_group_count=1):
    """Shape of a convolution's result for axes as `conv` takes them."""
    ones = (1,) * (len(lhs_shape) - 2)
    pads = _paddings(pads, lhs_shape[2:], rhs_shape[2:], strides, ones, ones)
    space = [out_size(n + a + b, k, s, 1) for n, (a, b), k, s in zip(lhs_shape[2:], pads, rhs_shape[2:], strides)]
    return (lhs_shape[0] // batch_group_count, rhs_shape[0], *space)


def _in_order(shape, spec):
    return tuple([shape[axis] for axis in spec])


def conv_general_shape_tuple(lhs_shape, rhs_shape, window_strides, padding, dimension_numbers):
    """Shape of a convolution's result for dimension numbers as strings."""
    lhs, rhs, out = conv_general_permutations(dimension_numbers)
    found = conv_shape_tuple(_in_order(lhs_shape, lhs), _in_order(rhs_shape, rhs), window_strides, padding)
    return _in_order(found, build.inverse_permutation(out))


def conv_transpose_shape_tuple(lhs_shape, rhs_shape, window_strides, padding, dimension_numbers):
    """Shape of conv_transpose's result for dimension numbers as strings."""
    lhs, rhs, out = conv_general_permutations(dimension_numbers)
    x, w = _in_order(lhs_shape, lhs), _in_order(rhs_shape, rhs)
    if isinstance(padding, str):
        padding = [_transpose_padding(k, s, padding) for k, s in zip(w[2:], window_strides)]
    space = [(n - 1) * s - k + 2 + sum(p) for n, k, s, p in zip(x[2:], w[2:], window_strides, padding)]
    return _in_order((x[0], w[0], *space), build.inverse_permutation(out))
