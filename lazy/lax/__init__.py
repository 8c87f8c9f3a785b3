"""Operations without promotion or implicit conversion: NumPy's functions in lazy.numpy are made of such.

Operands of one call have one dtype (a Python scalar of the same kind adapts) and one number of dimensions, or none;
sizes 1 broadcast. Signatures are those of jax.lax.
"""
from ..transforms import stop_gradient  # noqa: F401
from .bits import RandomAlgorithm, bitcast_convert_type, mulhi, reduce_precision, rng_bit_generator  # noqa: F401
from .convolution import (ConvDimensionNumbers, conv, conv_dimension_numbers, conv_general_dilated,  # noqa: F401
                          conv_general_dilated_local, conv_general_dilated_patches, conv_general_permutations,
                          conv_general_shape_tuple, conv_shape_tuple, conv_transpose, conv_transpose_shape_tuple,
                          conv_with_general_padding, padtype_to_pads)
from .elementwise import (RoundingMethod, abs, acos, acosh, add, asin, asinh, atan, atan2, atanh,  # noqa: F401
                          bessel_i0e, bessel_i1e, betainc, bitwise_and, bitwise_not,
                          bitwise_or, bitwise_xor, cbrt, ceil, clamp, clz, complex, conj,
                          convert_element_type, cos, cosh, digamma, div, dtype, eq, erf, erf_inv, erfc, exp,
                          exp2, expm1, floor, ge, gt, igamma, igamma_grad_a, igammac, imag, integer_pow,
                          is_finite, le, lgamma, log, log1p, logistic, lt, max, min, mul, ne, neg, nextafter,
                          optimization_barrier, polygamma, population_count, pow, random_gamma_grad, real,
                          reciprocal, rem, round, rsqrt, select, select_n, shift_left,
                          shift_right_arithmetic, shift_right_logical, sign, sin, sinh, sqrt, square, sub,
                          tan, tanh, zeta)
from .functions import composite, custom_root, platform_dependent, stage  # noqa: F401
from .gathering import (GatherDimensionNumbers, GatherScatterMode, ScatterDimensionNumbers, gather,  # noqa: F401
                        scatter, scatter_add, scatter_apply, scatter_max, scatter_min, scatter_mul, scatter_sub)
from .ragged import (AccuracyMode, DotAlgorithm, DotAlgorithmPreset, DotDimensionNumbers,  # noqa: F401
                     RaggedDotDimensionNumbers, Tolerance, ragged_dot, ragged_dot_general, scaled_dot)
from .scans import associative_scan  # noqa: F401
from .shapes import (broadcast, broadcast_in_dim, broadcast_like, broadcast_shapes, broadcast_to_rank,  # noqa: F401
                     broadcasted_iota, collapse, concatenate, empty, expand_dims, full, full_like, iota,
                     pad, reshape, rev, shape_as_value, split, squeeze, stack, tile, transpose, unstack)
from .slicing import (dynamic_index_in_dim, dynamic_slice, dynamic_slice_in_dim,  # noqa: F401
                      dynamic_update_index_in_dim, dynamic_update_slice, dynamic_update_slice_in_dim,
                      index_in_dim, index_take, slice, slice_in_dim)
from .reductions import (Precision, approx_max_k, approx_min_k, argmax, argmin, batch_matmul,  # noqa: F401
                         cumlogsumexp, cummax, cummin, cumprod, cumsum, dot, dot_general, reduce, reduce_and,
                         reduce_max, reduce_min, reduce_or, reduce_prod, reduce_sum, reduce_xor, sort, sort_key_val,
                         top_k)
from .solves import custom_linear_solve  # noqa: F401
from .tokens import after_all, create_token, dce_sink, rng_uniform  # noqa: F401
from .windows import reduce_window, reduce_window_shape_tuple  # noqa: F401
from .fourier import FftType, fft  # noqa: F401


def __getattr__(name):
    """What is imported when first used."""
    if name == 'linalg':
        import importlib
        return importlib.import_module('.linalg', __name__)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__():
    return sorted({*globals(), 'linalg'})
