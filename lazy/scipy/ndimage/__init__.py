"""Images of any number of dimensions: `map_coordinates` has the signature of jax.scipy.ndimage, the others SciPy's.

Results have the dtype of the input, or the one that `output` names (integers are rounded by interpolation and cut off
by filters, as in SciPy); arrays are immutable, so `output` is no array.

mode, what surrounds the image (a b c d): 'reflect' or 'grid-mirror' (d c b a | a b c d | d c b a), 'mirror'
(d c b | a b c d | c b a), 'nearest' (a a a | a b c d | d d d), 'constant' or 'grid-constant' (cval), 'wrap' or
'grid-wrap' (a b c d | a b c d | a b c d). For interpolation 'constant' gives cval wherever a coordinate is outside, and
'wrap' repeats with a period of n - 1, where 'grid-constant' and 'grid-wrap' are the extensions above.
"""
from .filters import (convolve, convolve1d, correlate, correlate1d, gaussian_filter, gaussian_filter1d,  # noqa: F401
                      gaussian_gradient_magnitude, gaussian_laplace, laplace, maximum_filter, maximum_filter1d,
                      median_filter, minimum_filter, minimum_filter1d, percentile_filter, prewitt, rank_filter, sobel,
                      uniform_filter, uniform_filter1d)
from .interpolation import (affine_transform, geometric_transform, map_coordinates, rotate, shift,  # noqa: F401
                            spline_filter, spline_filter1d, zoom)
from .labels import (binary_dilation, binary_erosion, center_of_mass, generate_binary_structure, label,  # noqa: F401
                     maximum, mean, minimum, standard_deviation, sum_labels, variance)
