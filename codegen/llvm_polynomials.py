"""Formulas of elementwise operations, written on vectors with operators (see `llvm_math.Vector`).

Imports nothing of ours: a vector brings its operations along. Coefficients are minimax fits (Remez
exchange in 200 bits, then rounded) unless a source is named; the error beside a table is that of
the rounded polynomial relative to the function. Every formula is written for fused multiply-add.
"""
import math
import operator

LN2, LOG10_E = 0.6931471805599453094, 0.4342944819032518277


def horner(x, coefficients):
    """c0 + c1 x + c2 x**2 + ..."""
    result = x.like(coefficients[-1])
    for c in reversed(coefficients[:-1]):
        result = result.fma(x, c)
    return result


def clamp(x, low, high):
    """NaN stays NaN."""
    x = x.like(low).larger(x)
    return x.like(high).smaller(x)


def subtract_multiple(x, n, parts):
    """x - n * sum(parts), the first product exact (Cody and Waite)."""
    for part in parts:
        x = n.fma(-part, x)
    return x


# ------------------------------------------------------------------------------------- exponentials

# The first part has trailing zeros, so that its product with an exponent is exact.
LN2_PARTS = {'float32': (0.693145751953125, 1.4286068203094172e-06),
             'float64': (0.6931471803691238, 1.9082149292705877e-10)}
# exp(r) = 1 + r + r**2 q(r) for |r| <= ln(2)/2, errors 2**-27.9 and 2**-60
EXP = {'float32': (0.4999999403953552, 0.1666651964187622, 0.04166840389370918,
                   0.008368851616978645, 0.0013814271660521626),
       'float64': (0.5, 0.16666666666666682, 0.04166666666666608, 0.008333333333316787,
                   0.0013888888889119213, 0.00019841269897011407, 2.4801586922165063e-05,
                   2.7557234222081323e-06, 2.755758397039992e-07, 2.5112263902465392e-08,
                   2.082640466395137e-09)}
# (2**r - 1) / r for |r| <= 1/2, errors 2**-28.7 and 2**-55.6 of 2**r
EXP2 = {'float32': (0.6931471824645996, 0.24022650718688965, 0.055504102259874344,
                    0.00961803738027811, 0.001333393738605082, 0.00015467009507119656,
                    1.519597299193265e-05),
        'float64': (0.6931471805599453, 0.24022650695910072, 0.05550410866482169,
                    0.009618129107628326, 0.0013333558146392116, 0.0001540353039364487,
                    1.5252733854923079e-05, 1.3215486592585822e-06, 1.0178051669033505e-07,
                    7.054974970552296e-09, 4.4566146458063644e-10, 2.5625226672400292e-11)}
# exp(r) as above, error 2**-25.8 and 2**-60 relative to exp(r) - 1
EXPM1 = {'float32': (0.4999999701976776, 0.16666541993618011, 0.04166720435023308,
                     0.00836664717644453, 0.0013882486382499337),
         'float64': (0.5, 0.16666666666666677, 0.041666666666666505, 0.008333333333321515,
                     0.001388888888896353, 0.0001984126988647706, 2.480158717098259e-05,
                     2.755724380440303e-06, 2.7557403343193004e-07, 2.5109195044650276e-08,
                     2.0875305899392503e-09)}
# Beyond these, results are infinite or zero, also their products with numbers that aren't huge.
EXP_RANGE = {'float32': (-170.0, 89.0), 'float64': (-1400.0, 710.0)}
EXP2_RANGE = {'float32': (-151.0, 129.0), 'float64': (-1076.0, 1025.0)}


def reduced_exponential(x, coefficients):
    """n and exp(r) - 1 where x = n ln 2 + r."""
    n = (x * (1 / LN2)).round()
    r = subtract_multiple(x, n, LN2_PARTS[x.dtype])
    return n, horner(r, coefficients[x.dtype]).fma(r * r, r)


def exp(x):
    n, p = reduced_exponential(clamp(x, *EXP_RANGE[x.dtype]), EXP)
    return (p + 1.0).scale(n)


def exp2(x):
    x = clamp(x, *EXP2_RANGE[x.dtype])
    n = x.round()
    r = x - n
    return horner(r, EXP2[x.dtype]).fma(r, 1.0).scale(n)


def expm1(x):
    """2**n (p + (1 - 2**-n)): nothing overflows early."""
    low = -20.0 if x.dtype == 'float32' else -40.0
    n, p = reduced_exponential(clamp(x, low, EXP_RANGE[x.dtype][1]), EXPM1)
    result = (p + (1.0 - (-n.smaller(64.0)).exp2_integral())).scale(n)
    return x.equals(0.0).select(x, result)


def tanh(x):
    """-e / (2 + e) with e = exp(-2|x|) - 1."""
    high = 20.0 if x.dtype == 'float32' else 40.0
    n, p = reduced_exponential(-clamp(x.abs() * 2.0, 0.0, high), EXPM1)
    power = n.exp2_integral()
    e = power.fma(p, power - 1.0)
    return (-e / (e + 2.0)).copysign(x)


def logistic(x):
    """1 / (1 + exp(-x)), as e / (1 + e) with e = exp(x) where x < 0: there exp(-x) may overflow."""
    e = (-x.abs()).call('exp')
    return (x < 0.0).select(e, 1.0) / (e + 1.0)


def gate(x, y):
    """x / (1 + exp(-y)); where y < 0 as 2**n (x m / (1 + 2**n m)): no factor is subnormal before the result is."""
    low = y < 0.0
    if not x.block.module.features.fma:
        root = (y.abs() * -0.5).call('exp')
        return low.select(x * root * root, x) / (root * root + 1.0)
    n, p = reduced_exponential(clamp(-y.abs(), *EXP_RANGE[y.dtype]), EXP)
    half = p.fma(0.5, 0.5)                          # m/2: its product with x doesn't overflow
    result = low.select(x * half, x) / ((p + 1.0).scale(n) + 1.0)
    result = low.select(result.scale(n + 1.0), result)
    return (y < EXP_RANGE[y.dtype][0]).select(x * 0.0, result)


# --------------------------------------------------------------------------------------- logarithms

# (log(1 + f) - f) / f**2 for f in [-1/4, 1/2], error 2**-26.8
LOG_FLOAT32 = (-0.5, 0.3333345353603363, -0.250000536441803, 0.19990605115890503,
               -0.1664775311946869, 0.14482057094573975, -0.13162367045879364, 0.10448630154132843,
               -0.044911447912454605)
# (2 atanh(s) - 2 s) / s**3 in s**2 for s = f / (2 + f), error 2**-61.5
ATANH_FLOAT64 = (0.666666666666666, 0.40000000000056096, 0.28571428555964457, 0.2222222428147781,
                 0.18181666750846295, 0.15391084043738334, 0.13174058202007968, 0.13839994454186985)
LOG10_2_PARTS = {'float32': (0.301025390625, 4.605038981127131e-06),
                 'float64': (0.30102999566361177, 3.694239077158931e-13)}


def log1p_small(f):
    """log(1 + f) for f in [-1/4, 1/2]; in float64 the form of FreeBSD's e_log.c."""
    if f.dtype == 'float32':
        return horner(f, LOG_FLOAT32).fma(f * f, f)
    s = f / (f + 2.0)
    z = s * s
    half_square = f * f * 0.5
    r = horner(z, ATANH_FLOAT64) * z
    return f - (half_square - s * (half_square + r))


def log_of_parts(e, f):
    """e ln 2 + log(1 + f); an infinite or NaN e is the result."""
    high, low = LN2_PARTS[f.dtype]
    return e.fma(high, e.fma(low, log1p_small(f)))


def log(x):
    m, e = x.split()
    return log_of_parts(e, m - 1.0)


def log2(x):
    m, e = x.split()
    return log1p_small(m - 1.0).fma(1 / LN2, e)


def log10(x):
    m, e = x.split()
    high, low = LOG10_2_PARTS[x.dtype]
    return e.fma(high, log1p_small(m - 1.0).fma(LOG10_E, e * low))


def log1p(x):
    """The exponent is that of 1 + x, the mantissa x 2**-e + (2**-e - 1) is rounded once."""
    m, e = (x + 1.0).split()
    near = e.abs() < 60.0                           # beyond, 1 + x loses nothing that matters
    power = (-near.select(e, 0.0)).exp2_integral()
    f = near.select(x.fma(power, power - 1.0), m - 1.0)
    return x.equals(0.0).select(x, log_of_parts(e, f))


def logaddexp(x, y):
    """log(exp(x) + exp(y)) = max + log1p(exp(-|x - y|)).

    Within 4 ulp of the largest of |x|, |y| and the result: the sum may cancel.
    """
    largest = (x > y).select(x, y)
    difference = x - y
    sum = largest + (-difference.abs()).call('exp').call('log1p')
    return x.equals(y).select(x + LN2, sum)         # infinities of the same sign too


# ------------------------------------------------------------------------------------- trigonometry

PI_PARTS = {'float32': (3.1415927410125732, -8.742277657347586e-08, -3.430142386748305e-15),
            'float64': (3.141592653589793, 1.2246467991473532e-16, -2.9947698097183397e-33)}
# (sin(r) - r) / r**3 in r**2 for |r| <= pi/2, errors 2**-27.1 and 2**-61.5
SIN = {'float32': (-0.16666659712791443, 0.00833306647837162, -0.00019809439254458994,
                   2.6051338863908313e-06),
       'float64': (-0.16666666666666666, 0.008333333333333207, -0.0001984126984121248,
                   2.7557319211569753e-06, -2.5052106904501157e-08, 1.6058941010039397e-10,
                   -7.643019683562679e-13, 2.721423956302839e-15)}
# Three parts of pi suffice up to here; libm does larger arguments.
TRIG_BOUND = {'float32': 1e5, 'float64': 2.0 ** 28}


def beyond_trig_bound(x):
    """Infinities and NaN give NaN by themselves."""
    size = x.abs()
    return (size > TRIG_BOUND[x.dtype]) & (size < math.inf)


def nearest(x, factor, offset):
    """round(x * factor + offset), by adding a large number, and its parity as a sign bit."""
    magic = 1.5 * 2.0 ** (23 if x.dtype == 'float32' else 52)
    shifted = x.fma(factor, magic + offset) if not offset else x.fma(factor, offset) + magic
    return shifted - magic, shifted.as_bits() << x.bits - 1


def signed_sin(r, sign):
    """sin(r) for |r| <= pi/2, with its sign flipped where the bit is set."""
    square = r * r
    result = horner(square, SIN[r.dtype]).fma(square * r, r)
    return (result.as_bits() ^ sign).as_float()


def sin(x):
    n, sign = nearest(x, 1 / math.pi, 0.0)
    result = signed_sin(subtract_multiple(x, n, PI_PARTS[x.dtype]), sign)
    return x.equals(0.0).select(x, result)          # -0


def cos(x):
    """(-1)**n sin(x + pi/2 - n pi) = -(-1)**m sin(x - (m + 1/2) pi)."""
    m, sign = nearest(x, 1 / math.pi, -0.5)
    r = subtract_multiple(x, m + 0.5, PI_PARTS[x.dtype])
    return -signed_sin(r, sign)


# ----------------------------------------------------------------------------------- error function

# erf(x)/x - 1 in x**2 for |x| <= 1, error 2**-27.7
ERF_SMALL = (0.12837916612625122, -0.3761262595653534, 0.1128358468413353, -0.02685380168259144,
             0.00518831005319953, -0.0008010055171325803, 7.85344309406355e-05)
# (log(1 - erf(t)) + t) / t for t in [0.95, 4], error 2**-29.6 of erf; goes to -infinity beyond
ERF_LARGE = (-0.1286657154560089, -0.635081946849823, -0.10635071992874146, 0.023859413340687752,
             -0.003688178723677993, 0.0003339784452691674, -1.2341349247435573e-05)


# erf((i + r) * ERF_STEP), |r| <= 1/2, in r * ERF_STEP for i = 0 to 15, lowest power first, error 2**-25.3 of erf;
# erf rounds to 1 before the last one ends
ERF_STEP = 33 / 128
ERF_TABLE = (
    (0.0, 0.284591436, 0.534123003, 0.725959837, 0.855271816, 0.931698084, 0.971302092,
     0.9892959, 0.996463776, 0.998967111, 0.999733686, 0.999939442, 0.999987841,
     0.999997854, 0.999999642, 1),
    (1.12837911, 1.05581725, 0.8649472, 0.620379865, 0.389576793, 0.214188263, 0.103101626,
     0.0434512831, 0.0160327125, 0.00517939031, 0.00146493281, 0.000362764084,
     7.86499659e-05, 1.49293428e-05, 2.48113861e-06, 3.61018976e-07),
    (0.0, -0.272196323, -0.445980459, -0.479821205, -0.401752293, -0.276105613,
     -0.159488186, -0.0784170926, -0.0330673456, -0.0120173059, -0.00377638033,
     -0.00102856581, -0.000243238974, -5.00095157e-05, -8.94818731e-06, -1.39454164e-06),
    (-0.376122057, -0.305178076, -0.135024026, 0.0406064205, 0.146340847, 0.165879369,
     0.130104244, 0.0798624605, 0.0401244089, 0.0168636385, 0.0060028052, 0.00182391203,
     0.000475535082, 0.000106784617, 2.07097673e-05, 3.47606829e-06),
    (0.0, 0.129031032, 0.182220086, 0.143630296, 0.0586532056, -0.0143220518, -0.0470163375,
     -0.045751676, -0.0303755142, -0.0156370457, -0.00654201163, -0.00227646972,
     -0.000667762361, -0.000166534417, -3.55178599e-05, -6.50541506e-06),
    (0.112157114, 0.0789828002, 0.00357233151, -0.0559984967, -0.0675778016, -0.0420689471,
     -0.00986333936, 0.0089988485, 0.0129182544, 0.00937506743, 0.00490300218,
     0.00201714947, 0.000677455741, 0.000189427839, 4.46294907e-05, 8.9302066e-06))


def erf_float32(x):
    if x.has_table():
        return erf_by_table(x)
    t = x.abs()
    logarithm = horner(t, ERF_LARGE) * t - t
    n, p = reduced_exponential(x.like(-30.0).larger(logarithm), EXP)
    power = n.exp2_integral()
    large = power.fma(-p, 1.0 - power)
    small = horner(t * t, ERF_SMALL).fma(t, t)
    return (t > 0.97).select(large, small).copysign(x)


def erf_by_table(x):
    """Coefficients out of a register: less than half of the instructions."""
    t = x.like(3.99).smaller(x.abs())
    shifter = 1.5 * 2.0 ** 23
    i = t.fma(1 / ERF_STEP, shifter)
    r = (i - shifter).fma(-ERF_STEP, t)
    i = i.as_bits()
    result = i.pick(ERF_TABLE[-1])
    for row in reversed(ERF_TABLE[:-1]):
        result = result.fma(r, i.pick(row))
    return result.copysign(x)


# Inverse normal distribution by M. Wichura, algorithm AS 241 (PPND16), Applied Statistics 37
# (1988): numerators and denominators in 0.425**2 - q**2, r - 1.6 and r - 5 for r = sqrt(-log(p)).
CENTRE = ((3.3871328727963666080e0, 1.3314166789178437745e+2, 1.9715909503065514427e+3,
           1.3731693765509461125e+4, 4.5921953931549871457e+4, 6.7265770927008700853e+4,
           3.3430575583588128105e+4, 2.5090809287301226727e+3),
          (1.0, 4.2313330701600911252e+1, 6.8718700749205790830e+2, 5.3941960214247511077e+3,
           2.1213794301586595867e+4, 3.9307895800092710610e+4, 2.8729085735721942674e+4,
           5.2264952788528545610e+3))
# In the tails r less the quantile over sqrt(2), for the numerators: the ratio is small beside r.
TAIL = ((0.5934779663963121, 1.010963312418408, 0.6557567456000459, 0.20059427897991458,
         0.02838405174558772, 0.0014570525960900544, 6.631770671522707e-06, -9.054223079736005e-08,
         1.0507500716444169e-09),
        (1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
         1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
         1.05075007164441684324e-9))
FAR_TAIL = ((0.2921504780869663, 0.13568167115055627, 0.02241866155232811, 0.0016066960044928613,
             4.8615812610010525e-05, 4.910644073061673e-07, 3.4575203211281514e-10,
             -9.225662560386812e-13, 2.0442631033899397e-15),
            (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
             7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
             2.04426310338993978564e-15))


# The rounding errors of a ratio matter less beside a constant: P/Q = constant + (P - constant Q)/Q.
CENTRE_VALUE = 2.75
CENTRE_EXCESS = tuple(p - CENTRE_VALUE * q for p, q in zip(*CENTRE)), CENTRE[1]


def ratio(x, table):
    return horner(x, table[0]) / horner(x, table[1])


def quantile_tail(p):
    """Minus the normal quantile of p < 0.075, over sqrt(2)."""
    r = (-p.call('log')).sqrt()
    return r - (r > 5.0).select(ratio(r - 5.0, FAR_TAIL), ratio(r - 1.6, TAIL))


def erf_inv(x):
    """Normal quantile of (1 + x)/2 over sqrt(2); float32 in float64."""
    if x.dtype == 'float32':
        return erf_inv(x.widen()).narrow()
    size = x.abs()
    q = size * 0.5
    centre = size * math.sqrt(0.125) * (ratio(q.fma(-q, 0.180625), CENTRE_EXCESS) + CENTRE_VALUE)
    result = (q <= 0.425).select(centre, quantile_tail((1.0 - size) * 0.5))
    return size.equals(1.0).select(math.inf, result).copysign(x)


def ndtri(x):
    """Normal quantile; float32 in float64."""
    if x.dtype == 'float32':
        return ndtri(x.widen()).narrow()
    q = x - 0.5
    centre = q * (ratio(q.fma(-q, 0.180625), CENTRE_EXCESS) + CENTRE_VALUE)
    low = (q < 0.0).select(x, 1.0 - x)
    tail = low.equals(0.0).select(math.inf, quantile_tail(low) * math.sqrt(2.0)).copysign(q)
    return (q.abs() <= 0.425).select(centre, tail)


# erfinv in w = -log(1 - x**2), lowest power first: about w - 2.5 below 5, about sqrt(w) - 3 above (M. Giles,
# Approximating the erfinv function, GPU Computing Gems, 2012).
GILES = ((1.50140941, 0.246640727, -0.00417768164, -0.00125372503, 0.00021858087, -4.39150654e-06,
          -3.5233877e-06, 3.43273939e-07, 2.81022636e-08),
         (2.83297682, 1.00167406, 0.00943887047, -0.0076224613, 0.00573950773, -0.00367342844,
          0.00134934322, 0.000100950558, -0.000200214257))
# Cephes (S. Moshier): log(1 + x) = x - x**2/2 + x**3 P/Q for small x, and with L in place of P/Q.
CEPHES_LOG1P = ((2.0039553499201281259648e1, 5.7112963590585538103336e1, 6.0949667980987787057556e1,
                 2.9911919328553073277375e1, 6.5787325942061044846969, 4.9854102823193375972212e-1,
                 4.5270000862445199635215e-5),
                (6.0118660497603843919306e1, 2.1642788614495947685003e2, 3.0909872225312059774938e2,
                 2.2176239823732856465394e2, 8.3047565967967209469434e1, 1.5062909083469192043167e1, 1.0))
CEPHES_LOG = ((1.1676998740e-1, -1.1514610310e-1, 7.0376836292e-2),
              (-1.6668057665e-1, 1.4249322787e-1, -1.2420140846e-1),
              (3.3333331174e-1, -2.4999993993e-1, 2.0000714765e-1))
CEPHES_LN2 = -2.12194440e-4, 0.693359375


def log1p_cephes(x):
    """log(1 + x) for float32 x in (-1, 0], with the roundings of XLA's."""
    square = x * x
    small = x + square.fma(-0.5, (x * square) * ratio(x, CEPHES_LOG1P))
    m, e = (x + 1.0).split()
    high = m >= 1.41421354                          # twice sqrt(1/2) in float32
    m, e = high.select(m * 0.5, m) - 1.0, high.select(e + 1.0, e)
    square = m * m
    cube = square * m
    first, second, third = (horner(m, table) for table in CEPHES_LOG)
    y = first.fma(cube, second).fma(cube, third).fma(cube, e * CEPHES_LN2[0])
    return (x.abs() < 0.41421356).select(small, e.fma(CEPHES_LN2[1], square.fma(-0.5, m) + y))


def erf_inv_giles(x):
    """The inverse error function that XLA computes in float32: random normal numbers are to be the same."""
    if x.dtype == 'float64':
        return erf_inv(x)
    w = -log1p_cephes(-(x * x))
    near = w < 5.0
    v = near.select(w - 2.5, w.sqrt() - 3.0)
    result = near.select(horner(v, GILES[0]), horner(v, GILES[1])) * x
    size = x.abs()
    return (size < 1.0).select(result, size.equals(1.0).select(x * math.inf, math.nan))


# -------------------------------------------------------------------------------------- remainder

def fmod(x, y):
    """x - trunc(x/y) y, exact while the quotient is: fma rounds only the difference, which fits."""
    size, divisor = x.abs(), y.abs()
    remainder = (size / divisor).trunc().fma(-divisor, size)
    below = remainder < 0.0                         # the quotient was rounded up to an integer
    remainder = below.select(remainder + divisor, remainder)
    return remainder.copysign(x)


def beyond_fmod_bound(x, y):
    bound = 2.0 ** (22 if x.dtype == 'float32' else 51)
    return ~(((x / y).abs() < bound) & (y.abs() < math.inf))


def float_divmod(x, y):
    """NumPy's npy_divmod: (floor of the quotient, remainder with the divisor's sign)."""
    remainder = x.call('fmod', y)
    quotient = (x - remainder) / y
    other_sign = remainder.differs(0.0) & ((y < 0.0) ^ (remainder < 0.0))
    quotient = other_sign.select(quotient - 1.0, quotient)
    remainder = other_sign.select(remainder + y, remainder)
    remainder = remainder.equals(0.0).select(remainder.copysign(y), remainder)
    floor = quotient.floor()
    floor = (quotient - floor > 0.5).select(floor + 1.0, floor)
    floor = quotient.equals(0.0).select(x.like(0.0).copysign(x / y), floor)
    return floor, remainder


def float_floor_divide(x, y):
    exact = y.equals(0.0) | x.abs().equals(math.inf) | y.abs().equals(math.inf)
    return exact.select(x / y, float_divmod(x, y)[0])


def integer_pow(x, n):
    """x**n by repeated squaring; (1/x)**-n for n from -3 to -1, 1 / x**-n below: subnormal results may become 0."""
    if n < 0 and not x.is_float:
        raise ValueError('integers to negative integer powers are not integers')
    if -4 < n < 0:
        x, n = 1.0 / x, -n
    if n == 0:
        return x.like(1)
    if x.is_float and abs(n) > 4:                   # up to there rounding errors stay within 4 ulp
        power, error = repeated_squaring((x, x.like(0.0)), abs(n), multiply_pairs)
        result = power + error
        # the error of an overflow is inf - inf
        result = result.is_nan().select(power, result)
    else:
        result = repeated_squaring(x, abs(n), operator.mul)
    return 1.0 / result if n < 0 else result


def repeated_squaring(x, n, multiply):
    result = None
    while n:
        if n & 1:
            result = x if result is None else multiply(result, x)
        n >>= 1
        if n:
            x = multiply(x, x)
    return result


def multiply_pairs(x, y):
    """Product of values with their rounding errors; fma gives the product's own error exactly."""
    product = x[0] * y[0]
    error = x[0].fma(y[0], -product)
    return product, x[0].fma(y[1], y[0].fma(x[1], error))


# ------------------------------------------------------------------------------------- arithmetic

def sign(x):
    if not x.is_float:
        positive = (x > 0).cast('zext', x.dtype)
        return positive - (x < 0).cast('zext', x.dtype) if x.is_signed else positive
    return (x > 0).select(1.0, (x < 0).select(-1.0, x + 0.0))        # -0 + 0 is +0, NaN stays


def maximum(x, y):
    largest = x.larger(y)
    return x.is_nan().select(x, largest) if x.is_float else largest


def minimum(x, y):
    smallest = x.smaller(y)
    return x.is_nan().select(x, smallest) if x.is_float else smallest


# --------------------------------------------------------------------------------------- integers

def truncated_divide(x, y):
    """Quotient towards zero, 0 where y is 0.

    Vector units divide floats only, so up to 32 bits go through floats of twice the size. Exact: a
    quotient that isn't an integer is at least 1/|y| off the next one, more than the rounding.
    """
    zero, minus_one = y.equals(0), y.equals(-1) if x.is_signed else None
    special = zero | minus_one if x.is_signed else zero
    divisor = special.select(1, y)      # neither 0 nor the smallest integer / -1 may trap
    sign = 's' if x.is_signed else 'u'
    if x.bits == 64 or y.is_constant:
        quotient = x.binary(f'{sign}div', divisor)
    else:
        wide = 'float64' if x.bits == 32 else 'float32'
        numerator, divisor = (v.cast(f'{sign}itofp', wide) for v in (x, divisor))
        quotient = (numerator / divisor).cast(f'fpto{sign}i', x.dtype)
    if x.is_signed:
        quotient = minus_one.select(-x, quotient)
    return zero.select(0, quotient)


def integer_rem(x, y):
    return y.equals(0).select(0, x - truncated_divide(x, y) * y)


def integer_floor_divide(x, y):
    quotient = truncated_divide(x, y)
    if not x.is_signed:
        return quotient
    remainder = x - quotient * y
    below = remainder.differs(0) & ((remainder ^ y) < 0) & y.differs(0)
    return below.select(quotient - 1, quotient)


def integer_remainder(x, y):
    remainder = integer_rem(x, y)
    if not x.is_signed:
        return remainder
    return (remainder.differs(0) & ((remainder ^ y) < 0)).select(remainder + y, remainder)


def in_range(x, shift):
    return shift.compare('ult', x.bits)


def shift_left(x, shift):
    return in_range(x, shift).select(x << shift, x.like(0))


def shift_right_logical(x, shift):
    return in_range(x, shift).select(x.binary('lshr', shift), x.like(0))


def shift_right_arithmetic(x, shift):
    return x.binary('ashr', in_range(x, shift).select(shift, x.bits - 1))


def count_leading_zeros(x):
    return x.intrinsic('ctlz', extra=[('i1', 'false')])


def threefry2x32(k0, k1, c0, c1):
    """Threefry-2x32 with 20 rounds (Salmon et al., Random123, 2011): a pair of random words."""
    keys = k0, k1, k0 ^ k1 ^ 0x1BD11BDA
    x, y = c0 + k0, c1 + k1
    for group in range(5):
        for rotation in ((13, 15, 26, 6), (17, 29, 16, 24))[group % 2]:
            x = x + y
            y = y.intrinsic('fshl', y, rotation) ^ x
        x, y = x + keys[(group + 1) % 3], y + keys[(group + 2) % 3] + (group + 1)
    return x, y


def philox4x32(k0, k1, c0, c1, c2, c3):
    """Philox-4x32 with 10 rounds (Salmon et al., Random123, 2011): four random words."""
    def product(c, factor):
        wide = c.cast('zext', 'uint64')
        wide = wide * wide.like(factor)
        return (wide >> 32).cast('trunc', 'uint32'), wide.cast('trunc', 'uint32')
    for _ in range(10):
        (high, low), (high2, low2) = product(c0, 0xD2511F53), product(c2, 0xCD9E8D57)
        c0, c1, c2, c3 = high2 ^ c1 ^ k0, low2, high ^ c3 ^ k1, low
        k0, k1 = k0 + 0x9E3779B9, k1 + 0xBB67AE85
    return c0, c1, c2, c3


# ------------------------------------------------------------------------------------------ tables

# Functions that need fused multiply-add, by (name, dtype); OUTSIDE: the lanes that go to libm.
OWN = {(f.__name__, dtype): f for dtype in ('float32', 'float64')
       for f in (exp, exp2, expm1, tanh, log, log2, log10, log1p, sin, cos, fmod)}
OWN['erf', 'float32'] = erf_float32
BOUNDS = (('sin', beyond_trig_bound), ('cos', beyond_trig_bound), ('fmod', beyond_fmod_bound))
OUTSIDE = {(op, dtype): beyond for dtype in ('float32', 'float64') for op, beyond in BOUNDS}
# Those that libmvec, where it is, does faster.
SLOWER = {('log1p', 'float64')}
# Functions made of others, and those so long that a block calls them instead of inlining.
COMPOSED = {'logistic': logistic, 'gate': gate, 'logaddexp': logaddexp}
LONG = {'erf_inv': erf_inv, 'ndtri': ndtri, 'erf_inv_giles': erf_inv_giles}
