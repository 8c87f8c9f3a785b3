"""Parts of floating-point numbers: fraction and whole, mantissa and exponent, the distance to the next one."""
import numpy as onp

from ._util import array_of, build, dtypes, inexact_array, ops, takes_out, wrap
from .elementwise import _real_only, abs, as_ufunc, copysign, exp2, isfinite, isinf, maximum, minimum, nextafter, trunc
from .indexing import where

__all__ = ['modf', 'frexp', 'ldexp', 'spacing']


@takes_out
def modf(x, /, out=None):
    """(fraction, integer part), both with the sign of x."""
    x = inexact_array(_real_only(x, 'modf'))
    whole = trunc(x)
    return copysign(where(isinf(x), 0, x - whole), x), whole


@as_ufunc
def frexp(x, /):
    """(mantissa, exponent) with x = mantissa * 2**exponent and 0.5 <= |mantissa| < 1."""
    x = inexact_array(_real_only(x, 'frexp'))
    wide = x if x.dtype.itemsize >= 4 else x.astype(dtypes.float32)
    digits, bits = (52, 64) if wide.dtype == dtypes.float64 else (23, 32)
    integer = onp.dtype(f'int{bits}')
    scaled = wide * 2.0 ** (digits + 2)                              # subnormals become normal
    raw = wrap(build.make(ops.bitcast, (scaled._node,), (integer,)))
    bias = (1 << (bits - digits - 2)) - 1
    stored = (raw >> digits) & (2 * bias + 1)
    plain = wrap(build.make(ops.bitcast, (wide._node,), (integer,)))
    stored_plain = (plain >> digits) & (2 * bias + 1)
    small = stored_plain == 0
    exponent = where(small, stored - (digits + 2), stored_plain) - (bias - 1)
    chosen = where(small, raw, plain)
    mantissa = (chosen & ~((2 * bias + 1) << digits)) | ((bias - 1) << digits)
    special = (wide == 0) | ~isfinite(wide)
    mantissa, exponent = wrap(build.make(ops.bitcast, (mantissa._node,), (wide.dtype,))), where(special, 0, exponent)
    constant = wrap(build.apply(ops.stop_gradient, wide._node))
    slope = exp2(-maximum(exponent, 2 - bias).astype(wide.dtype))        # bits have no derivative: this is it, times 0
    mantissa = where(special, wide, mantissa + (wide - constant) * slope)
    return mantissa.astype(x.dtype), exponent.astype(dtypes.int32)


@as_ufunc
def ldexp(x1, x2, /):
    """x1 * 2**x2."""
    x = inexact_array(_real_only(x1, 'ldexp'))
    n = array_of(x2)
    if not dtypes.is_integer(n.dtype) and n.dtype != dtypes.bool_:
        raise TypeError(f'ldexp needs an integer exponent, got {n.dtype}')
    wide = x.astype(dtypes.float32) if x.dtype.itemsize < 4 else x
    digits, bias = (52, 1023) if wide.dtype == dtypes.float64 else (23, 127)
    n = maximum(minimum(n.astype(dtypes.int32), 3 * bias - 3), 3 - 3 * bias)
    third = n // 3                                                   # three factors: 2**n itself may overflow

    def two_to(e):
        bits = (e + bias).astype(f'int{8 * wide.dtype.itemsize}') << digits
        return wrap(build.make(ops.bitcast, (bits._node,), (wide.dtype,)))
    return (wide * two_to(third) * two_to(third) * two_to(n - 2 * third)).astype(x.dtype)


@as_ufunc
def spacing(x, /):
    """Distance from x to the next float of larger magnitude, with the sign of x."""
    x = inexact_array(_real_only(x, 'spacing'))
    size = abs(x)
    return copysign(nextafter(size, dtypes.highest(x.dtype)) - size, x)
