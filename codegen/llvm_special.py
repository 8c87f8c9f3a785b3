"""Gamma and Bessel functions on vectors (see `llvm_polynomials`): long formulas, which blocks call.

Coefficients are Chebyshev interpolants in 50 digits, rounded, unless a source is named; the error beside a table is
that of the polynomial relative to the function. Formulas hold within 4 ulp in float64; float32 is computed in float64
where that is simpler.
"""
import math

from lazy.codegen import llvm_polynomials
from lazy.codegen.llvm_polynomials import EXP, EXP_RANGE, LN2, LN2_PARTS, ratio, reduced_exponential, subtract_multiple


def in_float64(formula):
    """float32 by the float64 formula, rounded."""
    def call(x):
        return formula(x.widen()).narrow() if x.dtype == 'float32' else formula(x)
    call.__name__, call.__doc__ = formula.__name__, formula.__doc__
    return call


def horner(x, coefficients):
    """c0 + c1 x + c2 x**2 + ...; long ones as two polynomials in x**2, whose steps the processor interleaves."""
    if len(coefficients) < 8:
        return llvm_polynomials.horner(x, coefficients)
    even, odd = (llvm_polynomials.horner(x * x, coefficients[i::2]) for i in (0, 1))
    return odd.fma(x, even)


# ------------------------------------------------------------------------------------ pairs of floats

def two_sum(x, y):
    """x + y and its rounding error, |x| >= |y| (Dekker)."""
    total = x + y
    return total, y - (total - x)


def two_product(x, y):
    product = x * y
    return product, x.fma(y, -product)


# (2 atanh(s) - 2 s - 2/3 s**3) / s**5 in s**2 for s = f / (2 + f), f in [-1/4, 1/2], error 2**-53
ATANH_TAIL = (0.39999999999999997, 0.28571428571435764, 0.22222222218460067, 0.1818181893024613,
              0.1538454240880213, 0.13337185364142076, 0.11652734508665301, 0.1219635756978303)
TWO_THIRDS = 0.6666666666666666, 3.700743415417188e-17


def log_pair(x):
    """log(x) of a normal float64 as a sum of two, error about 2**-66: e ln 2 + 2 s + 2/3 s**3 + s**5 (...)."""
    m, e = x.split()
    f = m - 1.0
    high, low = two_sum(x.like(2.0), f)
    s = f / high
    s_low = (s.fma(-high, f) - s * low) / high
    z, z_low = two_product(s, s)
    z_low = z_low + s * s_low * 2.0
    cube, cube_low = two_product(s, z)
    cube_low = cube_low + s.fma(z_low, s_low * z)
    third, third_low = two_product(cube, x.like(TWO_THIRDS[0]))
    third_low = third_low + cube.fma(TWO_THIRDS[1], cube_low * TWO_THIRDS[0])
    ln2, ln2_low = LN2_PARTS['float64']
    total, error = two_sum(e * ln2, s * 2.0)
    nonzero = e.differs(0.0)                        # where it is zero, s is the larger one
    error = nonzero.select(error, 0.0)
    total, second = two_sum(nonzero.select(total, s * 2.0), third)
    tail = (cube * z) * horner(z, ATANH_TAIL)
    return two_sum(total, error + second + (e.fma(ln2_low, s_low * 2.0) + third_low + tail))


# ------------------------------------------------------------------------------------------ gamma function

# gamma(1.5 + u) for |u| <= 1/2, error 2**-60; what is lost of the first coefficient
GAMMA = (0.886226925452758, 0.03233839744888502, 0.4148134536883018, -0.10729480456477264,
         0.14464535904449782, -0.07752305229977173, 0.058610303826380196, -0.03800193556100107,
         0.0258376061027181, -0.017222442878105718, 0.011522523362156005, -0.007690216677416653,
         0.0051315298230765775, -0.003422726711413278, 0.0022836521947962353, -0.001522718358989335,
         0.0010082112193192704, -0.0006721864891915583, 0.0004776274435437428, -0.000318425630316548,
         0.00013407432206073702, -8.938401795176073e-05, 0.00017877054902846353, -0.00011918060538282103)
GAMMA_LOW = -3.8332932499128993e-17
# gamma(x) exp(x) / x**(x - 1/2) in 1/x for x >= 10, error 2**-62
STIRLING = (2.5066282746310007, 0.2088856895525827, 0.008703570398253493, -0.006721090503130436,
            -0.0005751993711617288, 0.001965226596941891, 0.00017628428804894754, -0.001504304901688848,
            2.210932169992244e-05, 0.0015756951127961745)
STIRLING_LOW = -1.8328579980459167e-16
# sin(pi r) / (pi r) in r**2 for |r| <= 1/2, error 2**-61
SINC_PI = (1.0, -1.6449340668482264, 0.8117424252833393, -0.19075182412149616, 0.02614784780555096,
           -0.0023460808954639607, 0.0001484278414189103, -6.972099660851199e-06, 2.4502943624559793e-07)


def gamma_small(x):
    """gamma(x) for 1 <= x < 10, gamma(x + 1) for x < 1: x - 1, x - 2, ... are exact down to [1, 2], their product has
    its rounding errors."""
    base = (x < 1.0).select(x + 1.0, x)
    product, error = x.like(1.0), x.like(0.0)
    for _ in range(8):
        above = base >= 2.0
        base = above.select(base - 1.0, base)
        factor = above.select(base, 1.0)
        product, rounding = two_product(product, factor)
        error = error.fma(factor, rounding)
    u = base - 1.5
    value = u.fma(horner(u, GAMMA[1:]), GAMMA_LOW) + GAMMA[0]
    return value.fma(product, value * error)


def gamma_large(x):
    """(m, n), gamma(x) = m 2**n for x >= 10: exp((x - 1/2) log(x) - x) times Stirling's series in 1/x."""
    logarithm, log_low = log_pair(x)
    y = x - 0.5
    exponent, low = two_product(y, logarithm)
    exponent, rounding = two_sum(exponent, -x)
    n = (exponent * (1 / LN2)).round()
    r = subtract_multiple(exponent, n, LN2_PARTS['float64']) + (y.fma(log_low, low) + rounding)
    t = 1.0 / x
    series = t.fma(horner(t, STIRLING[1:]), STIRLING_LOW) + STIRLING[0]
    return horner(r, EXP['float64']).fma(r * r, r).fma(series, series), n


def sinc_pi(x):
    """(r, sin(pi r) / (pi r)) for the distance r of x from the nearest integer."""
    r = x - x.round()
    return r, horner(r * r, SINC_PI)


@in_float64
def gamma(x):
    """Negative x by gamma(x) gamma(-x) = -pi / (x sin(pi x)). NaN at the poles but 0 and at -inf."""
    size = x.like(200.0).smaller(x.abs())
    large, small = size >= 10.0, size < 1.0
    m, n = gamma_large(large.select(size, 10.0))
    m, n = large.select(m, gamma_small(large.select(1.0, size))), large.select(n, 0.0)
    r, sinc = sinc_pi(x)
    product, error = two_product(r * sinc, small.select(1.0, size))
    left = 1.0 / product.fma(m, error * m)                          # small: m is gamma(1 - x)
    half = x.round() * 0.5
    left = half.equals(half.round()).select(left, -left)            # sin(pi x) = (-1)**round(x) sin(pi r)
    left = r.equals(0.0).select(math.nan, left)
    result = (x < 0.0).select(left, small.select(m / size, m)).scale((x < 0.0).select(-n, n))
    result = x.equals(0.0).select(x.like(math.inf).copysign(x), result)
    return (x.is_nan() | x.equals(-math.inf)).select(math.nan, result)


# lgamma(2 + d) / d for |d| <= 1/2, error 2**-61
LGAMMA = (0.42278433509846713, 0.3224670334241132, -0.06735230105319814, 0.02058080842778457,
          -0.0073855510286681535, 0.002890510330738737, -0.0011927539120010226, 0.0005096695248853096,
          -0.00022315475074520367, 9.945750909889392e-05, -4.4926351103833334e-05, 2.050726741605779e-05,
          -9.438458716242811e-06, 4.374374916915131e-06, -2.0449201467015115e-06, 9.578663334114758e-07,
          -4.303558760359961e-07, 2.0304806751615227e-07, -1.3412819758517287e-07, 6.379047507619774e-08)
# lgamma(5/4 + u) / (1/4 + u) for |u| <= 1/4, error 2**-58
LGAMMA_AT_ONE = (-0.3930873456872526, 0.6625352492439489, -0.25548268796157403, 0.13677079348835017,
                 -0.08339250575547115, 0.054390401756987936, -0.03692956433148535, 0.025743857642633955,
                 -0.018282077950516312, 0.013163095200209427, -0.009579045642617183, 0.007030824612832789,
                 -0.00519926250009703, 0.0038659948211805743, -0.002852787856591143, 0.002140993389081943,
                 -0.0019238096770028258, 0.001455912627655452)
# B_2k / (2k (2k - 1))
LGAMMA_SERIES = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)
HALF_LOG_TWO_PI = 0.9189385332046727


def lgamma_near(x):
    """(q, p, whether x < 1), lgamma(x) = q +- log |p| for -20 < x < 20: steps of lgamma(x + 1) = lgamma(x) + log(x)
    lead to 2 + d, |d| <= 1/2. They are exact but for the last two up, which are not taken."""
    up, left = x < -0.5, x < 1.0
    at_one = (x >= 1.0) & (x < 1.5)
    steps = up.select(-(x + 0.5).floor(), (x - 1.5).floor().larger(0.0))
    near = up.select(x + steps, x - steps)
    first = up.select(x, near)
    product = [x.like(1.0), x.like(1.0)]
    for i in range(20):                             # two chains, which the processor interleaves
        product[i % 2] = product[i % 2] * (steps > float(i)).select(first + float(i), 1.0)
    product, half = product[0] * product[1], near < 0.5
    product = product * left.select(half.select(near.fma(near, near), near), 1.0)
    d = left.select(half.select(near, near - 1.0), near - 2.0)
    u = x - 1.0
    return at_one.select(u * horner(u - 0.25, LGAMMA_AT_ONE), d * horner(d, LGAMMA)), product, left


def lgamma_far(x, logarithm):
    """Stirling's series."""
    t = 1.0 / x
    return (x - 0.5).fma(logarithm - 1.0, t.fma(horner(t * t, LGAMMA_SERIES), HALF_LOG_TWO_PI - 0.5))


@in_float64
def lgamma(x):
    """log |gamma(x)|, inf at the poles and at -inf. Within 4 ulp for x > 0; for x < 0 within 4 ulp of log(3 + |x|), for
    its terms cancel near zeros. Far to the left it is log(pi / |x sin(pi x)|) - lgamma(-x)."""
    size = x.abs()
    far = size >= 20.0
    near, product, left = lgamma_near(far.select(1.0, x))
    logarithm = far.select(size, product.abs()).call('log')
    near = near + left.select(-logarithm, logarithm)
    distant = lgamma_far(size, logarithm)
    r, sinc = sinc_pi(x)
    reflected = -(far.select(r * sinc * x, 1.0)).abs().call('log') - distant
    reflected = r.equals(0.0).select(math.inf, reflected)
    result = far.select((x < 0.0).select(reflected, distant), near)
    return size.equals(math.inf).select(math.inf, result)


# digamma(x) = (x - root) (Y + P(x-1)/Q(x-1)) on [1, 2], from Boost.Math (J. Maddock, 53 bits); root
# in three parts.
DIGAMMA_ROOT = (1569415565 / 1073741824, 381566830 / 1073741824 / 1073741824,
                0.9016312093258695918615325266959e-19)
DIGAMMA_Y = 0.99558162689208984375
DIGAMMA = ((0.25479851061131551, -0.32555031186804491, -0.65031853770896507, -0.28919126444774784,
            -0.045251321448739056, -0.0020713321167745952),
           (1.0, 2.0767117023730469, 1.4606242909763515, 0.43593529692665969, 0.054151797245674225,
            0.0021284987017821144, -0.55789841213675513e-6))
# B_2k / 2k
DIGAMMA_SERIES = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12)


def digamma_one_to_two(x):
    g = x
    for part in DIGAMMA_ROOT:
        g = g - part
    return g * DIGAMMA_Y + g * ratio(x - 1.0, DIGAMMA)


def digamma_large(x):
    """log(x) - 1/(2x) - sum B_2k / (2k x**2k) for x >= 10."""
    z = 1.0 / (x * x)
    return x.call('log') - 0.5 / x - z * horner(z, DIGAMMA_SERIES)


def digamma_positive(x):
    """Steps of digamma(x + 1) = digamma(x) + 1/x lead into [1, 2]."""
    small = x < 1.0
    sum = small.select(-1.0 / x, x.like(0.0))
    shifted = small.select(x + 1.0, x)
    for _ in range(8):
        above = shifted > 2.0
        shifted = above.select(shifted - 1.0, shifted)
        sum = above.select(sum + 1.0 / shifted, sum)
    return (x >= 10.0).select(digamma_large(x), sum + digamma_one_to_two(shifted))


@in_float64
def digamma(x):
    """Negative x by digamma(x) = digamma(1 - x) - pi cot(pi x).

    Within 4 ulp for x > 0; for x < 0 within 4 ulp of the larger of the two terms (they cancel near
    zeros).
    """
    negative = x <= 0.0
    angle = (x - x.round()) * math.pi
    cotangent = angle.call('cos') / angle.call('sin')
    positive = digamma_positive(negative.select(1.0 - x, x))
    reflected = positive - cotangent * math.pi
    reflected = x.equals(x.round()).select(math.nan, reflected)                 # poles
    result = negative.select(reflected, positive)
    result = x.equals(math.inf).select(x, result)
    return x.equals(0.0).select(x.like(-math.inf).copysign(-x), result)


# ---------------------------------------------------------------------------------------- Bessel functions

# Where the two forms of modified Bessel functions meet.
BESSEL_CUT = 8.0
# (I0(x) - 1) / y in y = x**2/4 up to the cut; exp(-x) sqrt(x) I0(x) in 2 cut/x - 1 beyond
I0_SMALL = {'float32': (1.0, 0.25000003, 0.0277777184, 0.00173615792, 6.94255868e-05, 1.93336223e-06, 3.87605041e-08,
                        6.67034983e-10, 4.96406518e-12, 1.46044391e-13),
            'float64': (1.0, 0.25, 0.027777777777777762, 0.001736111111111147, 6.944444444440493e-05,
                        1.929012345705309e-06, 3.936759887993035e-08, 6.151187361364193e-10, 7.594057685381156e-12,
                        7.594070019494474e-14, 6.275948796822122e-16, 4.359498405380122e-18, 2.5722398177811744e-20,
                        1.3440225063774028e-22, 5.062353740472856e-25, 3.548836657975522e-27)}
I0_LARGE = {'float32': (0.402176499, 0.00336055318, 0.000136156159, 1.11221561e-05, 1.63903985e-06, 3.54761994e-07),
            'float64': (0.4021765094450081, 0.003360551983667854, 0.00013621607439232746, 1.1143033791556743e-05,
                        1.4838475473607391e-06, 2.973598432479169e-07, 8.87225351128584e-08, 3.932602459703109e-08,
                        2.1545177650836005e-08, 7.553516470355896e-09, -6.729724111923548e-09,
                        -1.3404241991980871e-08, -5.4685974495866e-09, 7.540601378890834e-09, 7.58022133915272e-09,
                        -3.4857887470034955e-09, -6.188265090497361e-09, 1.497880830187091e-09, 3.881151253996067e-09,
                        -5.562201990080394e-10, -1.7789375042917173e-09, 1.4672236659214398e-10,
                        5.181936971288284e-10, -1.9216763724933513e-11, -7.06893851181878e-11)}
# (2 I1(x)/x - 1 - y/2) / y**2 in y; exp(-x) sqrt(x) I1(x) in 2 cut/x - 1
I1_SMALL = {'float32': (0.0833333358, 0.00694444403, 0.000347222958, 1.15736075e-05, 2.75721789e-07, 4.8945088e-09,
                        7.10862549e-11, 5.96773932e-13, 1.18879465e-14),
            'float64': (0.08333333333333333, 0.006944444444444447, 0.0003472222222222119, 1.1574074074090597e-05,
                        2.7557319222609004e-07, 4.9209498682931385e-09, 6.834652363672306e-11, 7.594063277087635e-13,
                        6.9036156892867766e-15, 5.230856784383443e-17, 3.34671111469909e-19, 1.8721534621817452e-21,
                        7.782628864779043e-24, 5.509635991655539e-26)}
I1_LARGE = {'float32': (0.389398456, -0.00974957831, -0.000219168272, -1.50152755e-05, -2.00963723e-06,
                        -4.12091367e-07),
            'float64': (0.38939845902587233, -0.009749577193235728, -0.00021923576383430274, -1.5038547201176271e-05,
                        -1.8349101134666435e-06, -3.483855609009937e-07, -1.0001323461066435e-07,
                        -4.312935369971356e-08, -2.337059627111857e-08, -8.426622829598154e-09, 6.715795128085017e-09,
                        1.4029693589852716e-08, 6.040877342160988e-09, -7.630751970065577e-09, -8.044231276166508e-09,
                        3.406636130196794e-09, 6.4870195719816896e-09, -1.4171698018664596e-09,
                        -4.047785403711858e-09, 5.146498826087142e-10, 1.8513716745511988e-09, -1.342266320082222e-10,
                        -5.388285995923524e-10, 1.7502497778701306e-11, 7.347992441734663e-11)}


def bessel_large(size, table):
    """exp(-x) times the function, of x beyond the cut."""
    return horner((1.0 / size.like(BESSEL_CUT).larger(size)).fma(2 * BESSEL_CUT, -1.0), table[size.dtype]) / size.sqrt()


def bessel_small(size, order):
    """The function up to the cut. Rounding y = x**2/4 changes it by roughly I1/I0 2/x of what is lost."""
    half = size.like(BESSEL_CUT).smaller(size) * 0.5
    y, low = two_product(half, half)
    value = y.fma(horner(y, I0_SMALL[size.dtype]), 1.0) if order == 0 else \
        half * y.fma(y.fma(horner(y, I1_SMALL[size.dtype]), 0.5), 1.0)
    return value.fma(low / (half + 0.5), value)


def scaled_bessel(x, order, table):
    """exp(-|x|) times the function of |x|."""
    size = x.abs()
    small = (-size).call('exp') * bessel_small(size, order)
    return (size > BESSEL_CUT).select(bessel_large(size, table), small)


def bessel(x, order, table):
    """The function of |x|; nothing overflows before it does."""
    size = x.abs()
    size = size.like(EXP_RANGE[x.dtype][1] + 5.0).smaller(size)     # infinite from there on
    n, p = reduced_exponential(size, EXP)
    large = bessel_large(size, table)
    return (size > BESSEL_CUT).select(large.fma(p, large).scale(n), bessel_small(size, order))


def bessel_i0(x):
    """I0(x)."""
    return bessel(x, 0, I0_LARGE)


def bessel_i1(x):
    """I1(x)."""
    return bessel(x, 1, I1_LARGE).copysign(x)


def bessel_i0e(x):
    """exp(-|x|) I0(x)."""
    return scaled_bessel(x, 0, I0_LARGE)


def bessel_i1e(x):
    """exp(-|x|) I1(x)."""
    return scaled_bessel(x, 1, I1_LARGE).copysign(x)


LONG = {f.__name__: f for f in (gamma, lgamma, digamma, bessel_i0, bessel_i1, bessel_i0e, bessel_i1e)}
