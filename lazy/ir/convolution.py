"""What is made of convolutions (see `windows`): padding, zeros between elements, the maps that are their transposes."""
import math

import numpy as np

from . import build, ops
from .windows import extent, out_size


def convolve(x, w, stride, dilation, groups=1, feature_first=False):
    """The operation itself: no padding."""
    return build.make(ops.conv, (x, w), (tuple(stride), tuple(dilation), groups, feature_first))


def pad_axes(x, padding):
    """x with zeros around its axes of space; negative amounts cut off."""
    cut = [(max(-a, 0), max(n - max(-b, 0), max(-a, 0))) for n, (a, b) in zip(x.aval.shape[2:], padding)]
    x = build.slice_(x, [0, 0, *[a for a, _ in cut]], [*x.aval.shape[:2], *[b for _, b in cut]])
    return build.pad(x, [0, 0, *[max(a, 0) for a, _ in padding]], [0, 0, *[max(b, 0) for _, b in padding]])


def general(x, w, stride, padding, spread, dilation, groups=1):
    """A convolution over x with `spread` - 1 zeros between its elements and then `padding` around."""
    if all(s == 1 for s in spread):
        return convolve(pad_axes(x, padding), w, stride, dilation, groups)
    sizes = [n + a + b for n, (a, b) in zip([extent(n, s) for n, s in zip(x.aval.shape[2:], spread)], padding)]
    places = [out_size(*each) for each in zip(sizes, w.aval.shape[2:], stride, dilation)]
    if any(s != 1 for s in stride):                               # every place, of which some are taken
        sizes = [extent(p, s) for p, s in zip(places, stride)]
        whole = spread_out(x, w, sizes, [a for a, _ in padding], spread, dilation, groups)
        return build.slice_(whole, [0] * whole.aval.ndim, whole.aval.shape, (1, 1, *stride))
    return spread_out(x, w, places, [a for a, _ in padding], spread, dilation, groups)


def spread_out(x, w, places, low, spread, dilation, groups):
    """out[p] = sum over q of x[(p + q dilation - low) / spread] w[q], where that division has no rest.

    Places p with the same rest by `spread` see the same part of w, and x as it is: a convolution for each of them,
    which multiplies no zeros. Where all of w is outside they are zero.
    """
    out = build.full((x.aval.shape[0], w.aval.shape[0], *places), 0, x.aval.dtype)
    if 0 in out.aval.shape:
        return out
    for rest in np.ndindex(*[min(s, p) for s, p in zip(spread, places)]):
        axes = [_phase(*each) for each in zip(rest, places, low, spread, dilation, w.aval.shape[2:], x.aval.shape[2:])]
        if None in axes:
            continue
        first, step, new_dilation, padding = zip(*axes) if axes else [()] * 4
        part = build.slice_(w, (0, 0, *first), w.aval.shape, (1, 1, *step))
        piece = convolve(pad_axes(x, padding), part, (1,) * len(rest), new_dilation, groups)
        whole = piece.aval.shape == out.aval.shape
        out = piece if whole else build.slice_update(out, piece, (0, 0, *rest), (1, 1, *spread))
    return out


def _phase(rest, places, low, spread, dilation, window, size):
    """Along one axis: (first element of w, step in w, dilation, padding) for places = rest mod spread."""
    common = math.gcd(spread, dilation)
    first = next((q for q in range(min(window, spread // common)) if (rest + q * dilation - low) % spread == 0), None)
    if first is None or not size:
        return None
    step, dilation_here, count = spread // common, dilation // common, -(-(places - rest) // spread)
    start = (rest + first * dilation - low) // spread                  # the element of x that the first place sees
    reach = count - 1 + extent(-(-(window - first) // step), dilation_here)
    return first, step, dilation_here, (-start, start + reach - size)


def input_cotangent(ct, x, w, stride, dilation, groups):
    """The transpose of x -> convolve(x, w): ct, spread out by the stride, convolved with w turned around."""
    if not ct.aval.size or not w.aval.size:
        return build.zeros(x.aval)
    o, c, *window = w.aval.shape
    flipped = build.rev(w, range(2, w.aval.ndim))
    flipped = build.reshape(flipped, (groups, o // groups, c, *window))
    flipped = build.transpose(flipped, (0, 2, 1, *range(3, flipped.aval.ndim)))
    flipped = build.reshape(flipped, (groups * c, o // groups, *window))
    low = [extent(k, d) - 1 for k, d in zip(window, dilation)]
    return spread_out(ct, flipped, x.aval.shape[2:], low, stride, dilation, groups)


PARTS = 16                                      # sums over examples are made in so many parts, side by side
MANY = 32                                       # weights of a feature, of which each is a reduction of its own


def weight_cotangent(ct, x, w, stride, dilation, groups):
    """The transpose of w -> convolve(x, w): x convolved with ct, examples and features in each other's place."""
    if not ct.aval.size or not w.aval.size:
        return build.zeros(w.aval)
    n, features = x.aval.shape[:2]
    o, c, *window = w.aval.shape
    places = ct.aval.shape[2:]
    parts = max(p for p in range(1, PARTS + 1) if n % p == 0)
    used = [extent(p, s) + extent(k, d) - 1 for p, k, s, d in zip(places, window, stride, dilation)]
    if c == 1 and o == groups and math.prod(window) <= MANY:
        return _weight_by_weight(ct, x, w, stride, dilation)
    rest = tuple(range(4, 4 + len(window)))
    x = build.slice_(x, [0] * x.aval.ndim, (n, features, *used))
    # x (parts, n, groups, c) -> (c, groups parts n); ct (parts, n, groups, o) -> (groups parts o, n)
    x = build.reshape(x, (parts, n // parts, groups, c, *used))
    x = build.reshape(build.transpose(x, (3, 2, 0, 1, *rest)), (c, groups * n, *used))
    ct = build.reshape(ct, (parts, n // parts, groups, o // groups, *places))
    ct = build.reshape(build.transpose(ct, (2, 0, 3, 1, *rest)), (parts * o, n // parts, *places))
    out = convolve(x, ct, dilation, stride, groups * parts, True)
    out = build.reshape(out, (groups, parts, o // groups, c, *out.aval.shape[2:]))
    return build.reshape(build.reduce_sum(out, (1,)), w.aval.shape)


def _weight_by_weight(ct, x, w, stride, dilation):
    """The same where every feature has weights of its own: for each weight the sum of a product of two arrays."""
    places, found = ct.aval.shape[2:], []
    axes = [axis for axis in range(ct.aval.ndim) if axis != 1]
    for at in np.ndindex(*w.aval.shape[2:]):
        start = [q * d for q, d in zip(at, dilation)]
        stop = [a + (p - 1) * s + 1 for a, p, s in zip(start, places, stride)]
        seen = build.slice_(x, (0, 0, *start), (*ct.aval.shape[:2], *stop), (1, 1, *stride))
        found.append(build.reshape(build.reduce_sum(build.mul(seen, ct), axes), (w.aval.shape[0], 1)))
    return build.reshape(build.concatenate(found, 1), w.aval.shape)
