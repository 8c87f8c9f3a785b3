"""Activation functions, elementwise. Integer arguments are computed in the default float type unless stated."""
import functools
import math

import numpy as onp

from ..array import Array, as_node, elementwise, unary, wrap
from ..ir import build, dtypes, ops

__all__ = ['celu', 'elu', 'gelu', 'glu', 'hard_sigmoid', 'hard_silu', 'hard_swish', 'hard_tanh', 'identity',
           'leaky_relu', 'log1mexp', 'log_sigmoid', 'mish', 'relu', 'relu6', 'selu', 'sigmoid', 'silu', 'soft_sign',
           'softplus', 'sparse_plus', 'sparse_sigmoid', 'squareplus', 'swish', 'tanh']


def inexact(x):
    """x as an Array of a float or complex dtype."""
    node = as_node(x)
    if dtypes.is_inexact(node.aval.dtype):
        return x if isinstance(x, Array) else wrap(node)
    return wrap(build.convert(node, dtypes.default_float(), node.aval.weak))


def in_float32(function):
    """The function of one array; 16-bit numbers are computed in float32 and rounded once."""
    @functools.wraps(function)
    def call(x):
        x = inexact(x)
        if x.dtype.itemsize > 2:
            return function(x)
        result = function(wrap(build.convert(x._node, dtypes.float32, x._node.aval.weak)))._node
        return wrap(build.convert(result, x.dtype, x._node.aval.weak))
    return call


def _select(condition, x, y):
    """where() of an Array, and Arrays or Python numbers of which at least one is an Array."""
    of = x if isinstance(x, Array) else y
    x, y = (v._node if isinstance(v, Array) else build.scalar_like(of._node, v) for v in (x, y))
    return wrap(build.select(condition._node, x, y))


def identity(x):
    """x itself."""
    return wrap(as_node(x))


def relu(x):
    """max(x, 0), with derivative 0 at 0; integers stay integers.

    >>> import lazy, lazy.numpy as np
    >>> lazy.nn.relu(np.array([-1., 0., 2.])).tolist()
    [0.0, 0.0, 2.0]
    """
    node = as_node(x)
    zero = build.scalar_like(node, 0)
    return wrap(build.select(build.apply(ops.le, node, zero), zero, node))


def relu6(x):
    """min(max(x, 0), 6), with derivative 0 at 0 and 6 (Howard et al., MobileNets, 2017)."""
    x = inexact(x)
    return _select(x <= 0, 0, _select(x >= 6, 6, x))


def sigmoid(x):
    """1 / (1 + exp(-x)).

    >>> import lazy
    >>> float(lazy.nn.sigmoid(0.))
    0.5
    """
    return unary(ops.logistic, x, 'inexact')


def tanh(x):
    """Hyperbolic tangent."""
    return unary(ops.tanh, x, 'inexact')


def softplus(x):
    """log(1 + exp(x)), without overflow.

    >>> import lazy
    >>> float(lazy.nn.softplus(100.))
    100.0
    """
    return elementwise(ops.logaddexp, inexact(x), 0.0)


def soft_sign(x):
    """x / (1 + |x|)."""
    x = inexact(x)
    return x / (unary(ops.abs_, x) + 1)


def silu(x):
    """x sigmoid(x), also called swish (Hendrycks and Gimpel, 2016)."""
    x = inexact(x)
    return elementwise(ops.gate, x, x)


swish = silu


@in_float32
def mish(x):
    """x tanh(softplus(x)) = x s (1 + s t / (1 + t**2)) with s = sigmoid(x), t = 1 - s (Misra, 2019)."""
    s, product = unary(ops.logistic, x), elementwise(ops.gate, x, x)
    t = 1.0 - s
    return product * (1.0 + s * t / (1.0 + t * t))


def log_sigmoid(x):
    """log(sigmoid(x)) = -softplus(-x)."""
    return -softplus(-inexact(x))


def elu(x, alpha=1.0):
    """x where x > 0, else alpha (exp(x) - 1) (Clevert, Unterthiner and Hochreiter, 2015)."""
    x = inexact(x)
    positive = x > 0
    return _select(positive, x, alpha * unary(ops.expm1, _select(positive, 0, x)))


def celu(x, alpha=1.0):
    """max(x, 0) + min(0, alpha (exp(x / alpha) - 1)) (Barron, 2017)."""
    x = inexact(x)
    return elementwise(ops.max_, x, 0.0) + alpha * unary(ops.expm1, elementwise(ops.min_, x, 0.0) / alpha)


def selu(x):
    """Scaled elu that keeps mean 0 and variance 1 (Klambauer et al., Self-normalizing neural networks, 2017)."""
    return 1.0507009873554804934193349852946 * elu(x, 1.6732632423543772848170429916717)


def leaky_relu(x, negative_slope=0.01):
    """x where x >= 0, else negative_slope x."""
    x = inexact(x)
    return _select(x >= 0, x, negative_slope * x)


def gelu(x, approximate=True):
    """x times the normal distribution function of x; `approximate`: by logistic(2 z) = (1 + tanh(z))/2.

    Source: Hendrycks and Gimpel, Gaussian error linear units, 2016.

    >>> import lazy
    >>> round(float(lazy.nn.gelu(1.)), 4), round(float(lazy.nn.gelu(1., approximate=False)), 4)
    (0.8412, 0.8413)
    """
    return _tanh_gelu(x) if approximate else _normal_gelu(x)


def _rounding(x, y, product):
    """x y - product, the rounding error of a product."""
    return elementwise(ops.fma, x, y, -product)


def _constants(*arrays):
    """Arrays with derivative zero."""
    return [unary(ops.stop_gradient, x) for x in arrays]


# Constants of gelu in float64, and what is lost in rounding them.
_CUBIC, _SLOPE = (0.044715, 2.1960211427085595e-18), (1.5957691216057308, -9.96930880911092e-17)


def _low(constant, dtype):
    """(a constant in a dtype, what is lost)."""
    high = float(onp.asarray(constant[0], dtype))
    return high, constant[0] - high + constant[1]


@in_float32
def _tanh_gelu(x):
    """x logistic(z), z = sqrt(8/pi) (x + 0.044715 x**3), and what the rounding of z changes: logistic(z) is nearly
    exp(z) to the left, which magnifies it |z| times."""
    (cubic, cubic_low), (slope, slope_low) = (_low(constant, x.dtype) for constant in (_CUBIC, _SLOPE))
    square = x * x
    factor = square * cubic + 1.0
    v = x * factor
    z = v * slope
    result = elementwise(ops.gate, x, z)
    x, square, factor, v, z, copy = _constants(x, square, factor, v, z, result)
    factor_low = elementwise(ops.fma, square, cubic, 1.0 - factor) + square * cubic_low
    factor_low = factor_low + _rounding(x, x, square) * cubic
    v_low = _rounding(x, factor, v) + x * factor_low
    z_low = _rounding(v, slope, z) + v_low * slope + v * slope_low
    return result + _select((x < 0.0) & (x > -32.0), copy * z_low, 0.0)


@in_float32
def _normal_gelu(x):
    """x ndtr(x); where ndtr is subnormal by its asymptotic series, -density(x) (1 - 1/x**2 + 3/x**4 - 15/x**6 ...)."""
    from ..scipy.special import ndtr
    cut = -36.0 if x.dtype == dtypes.float64 else -12.0
    far = x < cut
    t = _select(x < -50.0, -50.0, _select(far, x, cut))             # the result is 0 beyond
    square = t * t
    density = unary(ops.exp, -0.5 * square) * math.sqrt(0.5 / math.pi)
    t, square_, density_ = _constants(t, square, density)
    density = density - 0.5 * density_ * _rounding(t, t, square_)
    series = 1.0
    for n in range(13, 0, -2):
        series = 1.0 - n * series / square
    return _select(far, -density * series, x * ndtr(_select(far, 0.0, x)))


def glu(x, axis=-1):
    """First half along an axis times the sigmoid of the second (Dauphin et al., 2016)."""
    node = inexact(x)._node
    axis %= node.aval.ndim
    half, odd = divmod(node.aval.shape[axis], 2)
    if odd:
        raise ValueError(f'glu: the size of axis {axis} must be even, got shape {node.aval.shape}')
    first, second = (wrap(build.slice_axis(node, axis, i, i + half)) for i in (0, half))
    return elementwise(ops.gate, first, second)


def hard_tanh(x):
    """x limited to [-1, 1]."""
    x = inexact(x)
    return _select(x > 1, 1, _select(x < -1, -1, x))


def hard_sigmoid(x):
    """relu6(x + 3) / 6."""
    return relu6(inexact(x) + 3.0) / 6.0


def hard_silu(x):
    """x hard_sigmoid(x) (Howard et al., Searching for MobileNetV3, 2019)."""
    x = inexact(x)
    return x * hard_sigmoid(x)


hard_swish = hard_silu


def squareplus(x, b=4):
    """(x + sqrt(x**2 + b)) / 2 (Barron, 2021); terms would cancel where x < 0: b/2 over their difference there."""
    x = inexact(x)
    root = elementwise(ops.hypot, x, b ** 0.5)
    left = x < 0
    return _select(left, 0.25 * b / (0.5 * root - 0.5 * _select(left, x, -1.0)), 0.5 * x + 0.5 * root)


def sparse_plus(x):
    """0 below -1, x above 1, (x + 1)**2 / 4 between."""
    x = inexact(x)
    return _select(x <= -1.0, 0, _select(x >= 1.0, x, (x + 1.0) ** 2 / 4))


def sparse_sigmoid(x):
    """0 below -1, 1 above 1, (x + 1)/2 between."""
    return 0.5 * elementwise(ops.min_, elementwise(ops.max_, inexact(x) + 1.0, 0.0), 2.0)


def log1mexp(x):
    """log(1 - exp(-x)) for x > 0, accurate for small and large x (Maechler, 2012)."""
    x = inexact(x)
    small = x < math.log(2)
    near = unary(ops.log, -unary(ops.expm1, -_select(small, x, 1.0)))
    return _select(small, near, unary(ops.log1p, -unary(ops.exp, -_select(small, 1.0, x))))
