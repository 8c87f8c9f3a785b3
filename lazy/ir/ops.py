"""The table of operations. One row says what an operation is; an elementwise operation is one line.

Letters in `formula` and `partials`: x, y, z, w are the operands, r is the result, parameters go by their names.
`partials` are expressions of this table's own operations. They are written down rather than derived when first
needed since importing SymPy costs more than compiling a kernel; the tests derive them again from `formula`.
A partial that is None is not defined. `singular` marks partials that may be infinite or NaN where the function is
fine: they are multiplied by `safe_mul`, so that a zero tangent stays zero. `triton` is text with {0}, {1}, ... for the operands; names that begin
with `lz_` are functions of codegen's prelude.
"""
import numpy as np

from . import elements, lapack, least_squares as squares, nibbles, reference as ref, special, windows
from .graph import Op, aval

OPS = {}


def _add(op):
    OPS[op.name] = op
    return op


def elementwise(name, numpy, formula=None, partials=None, classes='f', triton=None, arity=1, **more):
    partials = (partials,) if isinstance(partials, str) else partials
    return _add(Op(name, numpy, elementwise=True, arity=arity, formula=formula, partials=partials,
                   classes=classes, triton=triton, **more))


def binary(name, numpy, formula=None, partials=None, classes='f', triton=None, **more):
    return elementwise(name, numpy, formula, partials, classes, triton, 2, **more)


def comparison(name, numpy, triton, formula, classes='biuf'):
    return binary(name, numpy, formula, None, classes, triton, result='bool')


def scipy(name):
    return elements.scipy_special(name)


ld = 'libdevice.'
E, B = elementwise, binary

# --- elementwise, one operand ------------------------------------------------------------------------------
neg = E('neg', np.negative, '-x', '-1', 'iufc', '-{0}', linear=True)
abs_ = E('abs', np.abs, 'Abs(x)', 'sign(x)', 'iufc', 'tl.abs({0})', result='real')
sign = E('sign', np.sign, 'sign(x)', '0', 'iufc', 'lz_sign({0})')
floor = E('floor', np.floor, 'floor(x)', '0', 'f', 'tl.floor({0})')
ceil = E('ceil', np.ceil, 'ceiling(x)', '0', 'f', 'tl.ceil({0})')
trunc = E('trunc', np.trunc, 'sign(x)*floor(Abs(x))', '0', 'f', ld + 'trunc({0})')
round_ = E('round', np.rint, None, '0', 'f', ld + 'rint({0})')
sqrt = E('sqrt', np.sqrt, 'sqrt(x)', '0.5 / r', 'fc', 'lz_sqrt({0})', singular=True, cost=4)
rsqrt = E('rsqrt', elements.rsqrt, '1/sqrt(x)', '-0.5 * r / x', 'fc', 'lz_reciprocal(lz_sqrt({0}))', singular=True, cost=6)
cbrt = E('cbrt', np.cbrt, 'cbrt(x)', '1 / (3 * r * r)', 'f', ld + 'cbrt({0})', singular=True, cost=12)
reciprocal = E('reciprocal', elements.reciprocal, '1/x', '-r * r', 'fc', 'lz_reciprocal({0})', singular=True, cost=3)
square = E('square', np.square, 'x**2', '2 * x', 'iufc', '{0} * {0}')
exp = E('exp', np.exp, 'exp(x)', 'r', 'fc', ld + 'exp({0})', cost=10)
exp2 = E('exp2', np.exp2, '2**x', '0.6931471805599453 * r', 'f', ld + 'exp2({0})', cost=9)
expm1 = E('expm1', elements.expm1, 'exp(x) - 1', 'r + 1', 'fc', ld + 'expm1({0})', cost=14)
log = E('log', np.log, 'log(x)', '1 / x', 'fc', ld + 'log({0})', singular=True, cost=12)
log2 = E('log2', np.log2, 'log(x)/log(2)', '1.4426950408889634 / x', 'f', ld + 'log2({0})', singular=True, cost=12)
log10 = E('log10', np.log10, 'log(x)/log(10)', '0.4342944819032518 / x', 'f', ld + 'log10({0})', singular=True, cost=12)
log1p = E('log1p', np.log1p, 'log(x + 1)', '1 / (x + 1)', 'fc', ld + 'log1p({0})', singular=True, cost=14)
sin = E('sin', np.sin, 'sin(x)', 'cos(x)', 'fc', ld + 'sin({0})', cost=14)
cos = E('cos', np.cos, 'cos(x)', '-sin(x)', 'fc', ld + 'cos({0})', cost=14)
tan = E('tan', np.tan, 'tan(x)', '1 + r * r', 'fc', ld + 'tan({0})', cost=20)
asin = E('asin', np.arcsin, 'asin(x)', 'rsqrt(1 - x * x)', 'fc', ld + 'asin({0})', singular=True, cost=16)
acos = E('acos', np.arccos, 'acos(x)', '-rsqrt(1 - x * x)', 'fc', ld + 'acos({0})', singular=True, cost=16)
atan = E('atan', np.arctan, 'atan(x)', '1 / (1 + x * x)', 'fc', ld + 'atan({0})', cost=16)
sinh = E('sinh', np.sinh, 'sinh(x)', 'cosh(x)', 'fc', ld + 'sinh({0})', cost=16)
cosh = E('cosh', np.cosh, 'cosh(x)', 'sinh(x)', 'fc', ld + 'cosh({0})', cost=16)
tanh = E('tanh', elements.tanh, 'tanh(x)', '1 - r * r', 'fc', ld + 'tanh({0})', cost=14)
asinh = E('asinh', np.arcsinh, 'asinh(x)', 'rsqrt(x * x + 1)', 'fc', ld + 'asinh({0})', cost=20)
acosh = E('acosh', np.arccosh, 'acosh(x)', 'rsqrt(x - 1) * rsqrt(x + 1)', 'fc', ld + 'acosh({0})', singular=True, cost=20)
atanh = E('atanh', np.arctanh, 'atanh(x)', '1 / (1 - x * x)', 'fc', ld + 'atanh({0})', singular=True, cost=20)
logistic = E('logistic', scipy('expit'), '1/(1 + exp(-x))', 'r * (1 - r)', 'f', 'lz_logistic({0})', cost=14)
erf = E('erf', scipy('erf'), 'erf(x)', '1.1283791670955126 * exp(-x * x)', 'f', ld + 'erf({0})', cost=16)
erfc = E('erfc', scipy('erfc'), 'erfc(x)', '-1.1283791670955126 * exp(-x * x)', 'f', ld + 'erfc({0})', cost=24)
erf_inv = E('erf_inv', scipy('erfinv'), 'erfinv(x)', '0.886226925452758 * exp(r * r)', 'f', ld + 'erfinv({0})', singular=True, cost=24)
erf_inv_giles = E('erf_inv_giles', elements.erf_inv_giles, 'erfinv(x)', '0.886226925452758 * exp(r * r)', 'f', 'lz_erf_inv_giles({0})', singular=True, cost=30)
ndtri = E('ndtri', scipy('ndtri'), 'sqrt(2)*erfinv(2*x - 1)', '2.5066282746310002 * exp(0.5 * r * r)', 'f', ld + 'normcdfinv({0})', singular=True, cost=24)
lgamma = E('lgamma', scipy('gammaln'), 'log(Abs(gamma(x)))', 'digamma(x)', 'f', ld + 'lgamma({0})', singular=True, cost=60)
gamma = E('gamma', special.scipy('gamma'), 'gamma(x)', 'r * digamma(x)', 'f', ld + 'tgamma({0})', singular=True, cost=60)
digamma = E('digamma', scipy('digamma'), 'digamma(x)', 'polygamma(x, n=1)', 'f', None, singular=True, cost=60)
polygamma = E('polygamma', special.polygamma, 'polygamma(n, x)', 'polygamma(x, n=n + 1)', 'f', None, param_names=('n',), singular=True, cost=99)
bessel_i0 = E('bessel_i0', special.bessel_i0, 'besseli(0, x)', 'bessel_i1(x)', 'f', ld + 'cyl_bessel_i0({0})', cost=30)
bessel_i1 = E('bessel_i1', special.bessel_i1, 'besseli(1, x)', 'select(x == 0, 0.5, bessel_i0(x) - r / select(x == 0, 1, x))', 'f', ld + 'cyl_bessel_i1({0})', cost=30)
bessel_i0e = E('bessel_i0e', scipy('i0e'), 'exp(-Abs(x))*besseli(0, x)', 'bessel_i1e(x) - sign(x) * r', 'f', None, cost=30)
bessel_i1e = E('bessel_i1e', scipy('i1e'), 'exp(-Abs(x))*besseli(1, x)', 'select(x == 0, 0.5, bessel_i0e(x) - r * (sign(x) + 1 / select(x == 0, 1, x)))', 'f', None, cost=30)
erfcx = E('erfcx', special.erfcx, 'exp(x**2)*erfc(x)', '2 * x * r - 1.1283791670955126', 'f', None, cost=30)
dawsn = E('dawsn', special.dawsn, 'sqrt(pi)/2*exp(-x**2)*erfi(x)', '1 - 2 * x * r', 'f', None, cost=30)
wofz = E('wofz', special.scipy('wofz'), 'exp(-x**2)*erfc(-I*x)', '1.1283791670955126j - 2 * x * r', 'c', None, cost=99)
exp1 = E('exp1', special.exp1, 'expint(1, x)', '-exp(-x) / x', 'f', None, singular=True, cost=60)
expi = E('expi', special.expi, 'Ei(x)', 'exp(x) / x', 'f', None, singular=True, cost=60)
sin_integral = E('sin_integral', special.scipy('sici', 0), 'Si(x)', 'select(x == 0, 1, sin(x) / select(x == 0, 1, x))', 'f', None, cost=60)
cos_integral = E('cos_integral', special.scipy('sici', 1), 'Ci(x)', 'cos(x) / x', 'f', None, singular=True, cost=60)
fresnel_sin = E('fresnel_sin', special.scipy('fresnel', 0), 'fresnels(x)', 'sin(1.5707963267948966 * x * x)', 'f', None, cost=60)
fresnel_cos = E('fresnel_cos', special.scipy('fresnel', 1), 'fresnelc(x)', 'cos(1.5707963267948966 * x * x)', 'f', None, cost=60)
spence = E('spence', special.spence, 'polylog(2, 1 - x)', 'select(x == 1, -1, log(x) / (1 - select(x == 1, 0, x)))', 'f', None, singular=True, cost=60)
bessel_j = E('bessel_j', special.bessel_j, 'besselj(n, x)', '0.5 * (bessel_j(x, n=n - 1) - bessel_j(x, n=n + 1))', 'f', None, param_names=('n',), cost=99)
bessel_y = E('bessel_y', special.bessel_y, 'bessely(n, x)', '0.5 * (bessel_y(x, n=n - 1) - bessel_y(x, n=n + 1))', 'f', None, param_names=('n',), singular=True, cost=99)
bessel_ke = E('bessel_ke', special.bessel_ke, 'exp(x)*besselk(n, x)', 'r - 0.5 * (bessel_ke(x, n=n - 1) + bessel_ke(x, n=n + 1))', 'f', None, param_names=('n',), singular=True, cost=99)
integer_pow = E('integer_pow', elements.integer_pow, 'x**n', 'n * integer_pow(x, n=n - 1)', 'iufc', None, param_names=('n',), singular=True, cost=3)
is_finite = E('is_finite', np.isfinite, None, None, 'fc', 'lz_is_finite({0})', result='bool')
is_nan = E('is_nan', np.isnan, None, None, 'fc', '{0} != {0}', result='bool')
is_inf = E('is_inf', np.isinf, None, None, 'fc', 'lz_is_inf({0})', result='bool')
signbit = E('signbit', np.signbit, None, None, 'f', ld + 'signbit({0}) != 0', result='bool')
not_ = E('not', np.invert, None, None, 'biu', '~{0}')
population_count = E('population_count', elements.population_count, None, None, 'iu', 'lz_popcount({0})')
clz = E('clz', elements.clz, None, None, 'iu', 'lz_clz({0})')
real = E('real', np.real, 're(x)', None, 'c', None, result='real', linear=True)
imag = E('imag', np.imag, 'im(x)', None, 'c', None, result='real', linear=True)
conj = E('conj', np.conj, 'conjugate(x)', None, 'c', None, linear=True)
convert = E('convert', elements.convert, 'x', None, 'biufc', None, param_names=('dtype', 'weak'), linear=True,
            infer=lambda a, dtype, weak: aval(a[0].shape, dtype, weak))
bitcast = E('bitcast', elements.bitcast, None, None, 'iuf', None, param_names=('dtype',),
            infer=elements.infer_bitcast)

# --- elementwise, two and more operands --------------------------------------------------------------------
add = B('add', np.add, 'x + y', ('1', '1'), 'biufc', '{0} + {1}', linear=True)
sub = B('sub', np.subtract, 'x - y', ('1', '-1'), 'iufc', '{0} - {1}', linear=True)
mul = B('mul', np.multiply, 'x * y', ('y', 'x'), 'biufc', '{0} * {1}', linear=True)
div = B('div', np.true_divide, 'x / y', ('1 / y', '-r / y'), 'fc', 'lz_div({0}, {1})', linear=True, singular=True, cost=3)
safe_mul = B('safe_mul', elements.safe_mul, 'x * y', ('y', 'x'), 'fc', 'tl.where({0} == 0, 0.0, {0} * {1})', linear=True)
pow_ = B('pow', np.power, 'x**y', ('y * pow(x, select((y == 0) & (x == 0), 1, y - 1))', 'log(select(x == 0, 1, x)) * r'), 'iufc', 'lz_pow({0}, {1})', singular=True, cost=40)
gate = B('gate', elements.gate, 'x/(1 + exp(-y))', ('logistic(y)', 'x * logistic(y) * (1 - logistic(y))'), 'f', 'lz_gate({0}, {1})', cost=18)
max_ = B('max', np.maximum, 'Max(x, y)', ('select(x > y, 1, select(x == y, 0.5, 0))', 'select(y > x, 1, select(x == y, 0.5, 0))'), 'biufc', 'lz_max({0}, {1})')
min_ = B('min', np.minimum, 'Min(x, y)', ('select(x < y, 1, select(x == y, 0.5, 0))', 'select(y < x, 1, select(x == y, 0.5, 0))'), 'biufc', 'lz_min({0}, {1})')
fmax = B('fmax', np.fmax, 'Max(x, y)', ('select(is_nan(y) | (x > y), 1, select(x == y, 0.5, 0))', 'select(is_nan(x) | (y > x), 1, select(x == y, 0.5, 0))'), 'fc', 'tl.maximum({0}, {1})')
fmin = B('fmin', np.fmin, 'Min(x, y)', ('select(is_nan(y) | (x < y), 1, select(x == y, 0.5, 0))', 'select(is_nan(x) | (y < x), 1, select(x == y, 0.5, 0))'), 'fc', 'tl.minimum({0}, {1})')
rem = B('rem', elements.rem, 'x - y*sign(x/y)*floor(Abs(x/y))', ('1', '-trunc(x / y)'), 'iuf', 'lz_rem({0}, {1})', cost=10)
floor_divide = B('floor_divide', elements.floor_divide, 'floor(x/y)', ('0', '0'), 'iuf', 'lz_floor_divide({0}, {1})', cost=12)
remainder = B('remainder', elements.remainder, 'x - y*floor(x/y)', ('1', '-floor(x / y)'), 'iuf', 'lz_remainder({0}, {1})', cost=12)
atan2 = B('atan2', np.arctan2, 'atan2(x, y)', ('y / (x * x + y * y)', '-x / (x * x + y * y)'), 'f', ld + 'atan2({0}, {1})', singular=True, cost=24)
hypot = B('hypot', np.hypot, 'sqrt(x**2 + y**2)', ('x / r', 'y / r'), 'f', ld + 'hypot({0}, {1})', singular=True, cost=12)
nextafter = B('nextafter', np.nextafter, None, ('0', '0'), 'f', 'lz_nextafter({0}, {1}, {2})')
copysign = B('copysign', np.copysign, 'Abs(x)*sign(y)', ('copysign(1, x) * copysign(1, y)', '0'), 'f', ld + 'copysign({0}, {1})')
logaddexp = B('logaddexp', np.logaddexp, 'log(exp(x) + exp(y))', ('logistic(select((x == y) & is_inf(x), 0, x - y))', 'logistic(select((x == y) & is_inf(x), 0, y - x))'), 'f', 'lz_logaddexp({0}, {1})', cost=24)
igamma = B('igamma', special.scipy('gammainc'), 'lowergamma(x, y)/gamma(x)', ('igamma_grad_a(x, y)', 'gamma_density(x, y)'), 'f', None, singular=True, cost=99)
igammac = B('igammac', special.scipy('gammaincc'), 'uppergamma(x, y)/gamma(x)', ('-igamma_grad_a(x, y)', '-gamma_density(x, y)'), 'f', None, singular=True, cost=99)
gamma_density = B('gamma_density', special.gamma_density, 'y**(x - 1)*exp(-y)/gamma(x)', ('r * (log(y) - digamma(x))', 'r * ((x - 1) / y - 1)'), 'f', None, singular=True, cost=99)
igamma_grad_a = B('igamma_grad_a', special.igamma_grad_a, None, (None, '(log(y) - digamma(x)) * gamma_density(x, y)'), 'f', None, singular=True, cost=999)
random_gamma_grad = B('random_gamma_grad', special.random_gamma_grad, None, (None, 'digamma(x) - log(y) - r * ((x - 1) / y - 1)'), 'f', None, singular=True, cost=999)
regularized_incomplete_beta = E('regularized_incomplete_beta', special.scipy('betainc'), 'betainc(x, y, 0, z)*gamma(x + y)/(gamma(x)*gamma(y))', ('betainc_grad(x, y, z, by=0)', 'betainc_grad(x, y, z, by=1)', 'beta_density(x, y, z)'), 'f', None, 3, singular=True, cost=99)
beta_density = E('beta_density', special.beta_density, 'z**(x - 1)*(1 - z)**(y - 1)*gamma(x + y)/(gamma(x)*gamma(y))', ('r * (log(z) - digamma(x) + digamma(x + y))', 'r * (log1p(-z) - digamma(y) + digamma(x + y))', 'r * ((x - 1) / z - (y - 1) / (1 - z))'), 'f', None, 3, singular=True, cost=99)
betainc_grad = E('betainc_grad', special.betainc_grad, None, (None, None, '(digamma(x + y) + select(by == 0, log(z) - digamma(x), log1p(-z) - digamma(y))) * beta_density(x, y, z)'), 'f', None, 3, param_names=('by',), singular=True, cost=999)
zeta = B('zeta', special.zeta, 'zeta(x, y)', ('zeta_grad(x, y)', '-x * zeta(x + 1, y)'), 'f', None, singular=True, cost=99)
zeta_grad = B('zeta_grad', special.zeta_grad, None, (None, '-zeta(x + 1, y) - x * zeta_grad(x + 1, y)'), 'f', None, singular=True, cost=199)
expn = B('expn', special.expn, 'expint(x, y)', (None, '-expn(x - 1, y)'), 'f', None, singular=True, cost=99)
owens_t = B('owens_t', special.scipy('owens_t'), None, ('-0.19947114020071635 * exp(-0.5 * x * x) * erf(0.7071067811865476 * x * y)', '0.15915494309189535 * exp(-0.5 * x * x * (1 + y * y)) / (1 + y * y)'), 'f', None, cost=99)
hyp1f1 = E('hyp1f1', special.scipy('hyp1f1'), 'hyper([x], [y], z)', ('hyp1f1_grad(x, y, z, by=0)', 'hyp1f1_grad(x, y, z, by=1)', 'x / y * hyp1f1(x + 1, y + 1, z)'), 'f', None, 3, cost=99)
hyp1f1_grad = E('hyp1f1_grad', special.hyp1f1_grad, None, (None, None, 'x / y * hyp1f1_grad(x + 1, y + 1, z, by=by) + hyp1f1(x + 1, y + 1, z) * select(by == 0, 1 / y, -x / (y * y))'), 'f', None, 3, param_names=('by',), cost=999)
hyp2f1 = E('hyp2f1', special.scipy('hyp2f1'), 'hyper([x, y], [z], w)', ('hyp2f1_grad(x, y, z, w, by=0)', 'hyp2f1_grad(x, y, z, w, by=1)', 'hyp2f1_grad(x, y, z, w, by=2)', 'x * y / z * hyp2f1(x + 1, y + 1, z + 1, w)'), 'f', None, 4, cost=99)
hyp2f1_grad = E('hyp2f1_grad', special.hyp2f1_grad, None, (None, None, None, 'x * y / z * hyp2f1_grad(x + 1, y + 1, z + 1, w, by=by) + hyp2f1(x + 1, y + 1, z + 1, w) * select(by == 0, y / z, select(by == 1, x / z, -x * y / (z * z)))'), 'f', None, 4, param_names=('by',), cost=999)
gcd = B('gcd', np.gcd, None, None, 'iu', None, cost=60)
and_ = B('and', np.bitwise_and, None, None, 'biu', '{0} & {1}')
or_ = B('or', np.bitwise_or, None, None, 'biu', '{0} | {1}')
xor = B('xor', np.bitwise_xor, None, None, 'biu', '{0} ^ {1}')
shift_left = B('shift_left', elements.shift_left, None, None, 'iu', 'lz_shift_left({0}, {1})')
shift_right_logical = B('shift_right_logical', elements.shift_right_logical, None, None, 'iu', 'lz_shift_right_logical({0}, {1})')
shift_right_arithmetic = B('shift_right_arithmetic', elements.shift_right_arithmetic, None, None, 'iu', 'lz_shift_right_arithmetic({0}, {1})')
complex_ = B('complex', elements.complex_, 'x + I*y', None, 'f', None, result='complex', linear=True)
eq = comparison('eq', np.equal, '{0} == {1}', 'Eq(x, y)', 'biufc')
ne = comparison('ne', np.not_equal, '{0} != {1}', 'Ne(x, y)', 'biufc')
lt = comparison('lt', np.less, '{0} < {1}', 'x < y', 'biufc')
le = comparison('le', np.less_equal, '{0} <= {1}', 'x <= y', 'biufc')
gt = comparison('gt', np.greater, '{0} > {1}', 'x > y', 'biufc')
ge = comparison('ge', np.greater_equal, '{0} >= {1}', 'x >= y', 'biufc')
select = E('select', np.where, 'Piecewise((y, x), (z, True))', None, 'biufc', 'tl.where({0}, {1}, {2})', arity=3, linear=True)
fma = E('fma', elements.fma, 'x*y + z', ('y', 'x', '1'), 'f', 'tl.fma({0}, {1}, {2})', arity=3)
threefry2x32 = E('threefry2x32', elements.threefry2x32, None, None, 'u', 'lz_threefry2x32({0}, {1}, {2}, {3})[{word}]', arity=4, param_names=('word',), cost=60)
philox4x32 = E('philox4x32', elements.philox4x32, None, None, 'u', 'lz_philox4x32({0}, {1}, {2}, {3}, {4}, {5})[{word}]', arity=6, param_names=('word',), cost=60)
identity = E('identity', elements.identity, 'x', '1', 'biufc', '{0}', linear=True)
stop_gradient = E('stop_gradient', elements.identity, 'x', '0', 'biufc', '{0}')
fusion_barrier = E('fusion_barrier', elements.identity, 'x', '1', 'biufc', '{0}', linear=True)

# --- leaves --------------------------------------------------------------------------------------------------
leaf = _add(Op('leaf'))                                    # has a value
variable = _add(Op('variable'))                            # has none: an argument of a trace
literal = _add(Op('literal', param_names=('scalar',), is_constant=True))
iota = _add(Op('iota', ref.iota, infer=lambda a, shape, dtype, axis: aval(shape, dtype),
               param_names=('shape', 'dtype', 'axis'), is_constant=True))


# --- views -------------------------------------------------------------------------------------------------
def view(name, numpy, infer, *param_names, **more):
    return _add(Op(name, numpy, infer=infer, param_names=param_names, view=True, linear=True, **more))


reshape = view('reshape', ref.reshape, ref.infer_reshape, 'shape')
transpose = view('transpose', ref.transpose, ref.infer_transpose, 'permutation')
broadcast = view('broadcast', ref.broadcast, ref.infer_broadcast, 'shape', 'axes')
slice_ = view('slice', ref.slice_, ref.infer_slice, 'start', 'stop', 'step')
rev = view('rev', ref.rev, ref.infer_same, 'axes')


# --- structural ----------------------------------------------------------------------------------------------
def structural(name, numpy, infer, *param_names, **more):
    return _add(Op(name, numpy, infer=infer, param_names=param_names, **more))


concatenate = structural('concatenate', ref.concatenate, ref.infer_concatenate, 'axis', linear=True)
slice_update = structural('slice_update', ref.slice_update, ref.infer_slice_update, 'start', 'step', linear=True)
gather = structural('gather', ref.gather, ref.infer_gather, 'axes', 'mode', linear=True)
# Integers of 4 bits from bytes with two of them each, and the way back; programs read arrays so.
unpack_nibbles = structural('unpack_nibbles', nibbles.unpack, nibbles.infer_unpack, 'shape', 'dtype')
pack_nibbles = structural('pack_nibbles', nibbles.pack, nibbles.infer_pack, 'shape')
searchsorted = structural('searchsorted', ref.searchsorted, ref.infer_searchsorted, 'side', 'dtype', cost=200)
scatter = structural('scatter', ref.scatter, ref.infer_scatter, 'axes', 'mode', 'kind', linear=True)


def reduction(name, numpy, kind, classes, **more):
    return _add(Op(name, numpy, infer=ref.infer_reduce, param_names=('axes',), reduction=kind, classes=classes, **more))


reduce_sum = reduction('reduce_sum', ref.reduce_sum, 'add', 'iufc', linear=True)
reduce_prod = reduction('reduce_prod', ref.reduce_prod, 'mul', 'iufc')
reduce_max = reduction('reduce_max', ref.reduce_max, 'max', 'biuf')
reduce_min = reduction('reduce_min', ref.reduce_min, 'min', 'biuf')
reduce_and = reduction('reduce_and', ref.reduce_and, 'and', 'biu')
reduce_or = reduction('reduce_or', ref.reduce_or, 'or', 'biu')
argmax = structural('argmax', ref.argmax, ref.infer_arg, 'axis', 'dtype', reduction='argmax')
argmin = structural('argmin', ref.argmin, ref.infer_arg, 'axis', 'dtype', reduction='argmin')


def scan(name, kind, classes, **more):
    return structural(name, getattr(ref, name), ref.infer_same, 'axis', 'reverse', scan=kind, classes=classes, **more)


cumsum = scan('cumsum', 'add', 'iufc', linear=True, cost=6)
cumprod = scan('cumprod', 'mul', 'iufc', cost=6)
cummax = scan('cummax', 'max', 'biuf', cost=8)
cummin = scan('cummin', 'min', 'biuf', cost=8)
cumlogsumexp = scan('cumlogsumexp', 'logaddexp', 'f', cost=120)


# --- products, LAPACK, sorting: the libraries' work ------------------------------------------------------------
def library(name, numpy, infer, *param_names, **more):
    return structural(name, numpy, infer, *param_names, library=True, **more)


dot_general = library('dot_general', ref.dot_general, ref.infer_dot_general,
                      'contract_lhs', 'contract_rhs', 'batch_lhs', 'batch_rhs', linear=True)
conv = library('conv', windows.conv, windows.infer_conv, 'stride', 'dilation', 'groups', 'feature_first',
               classes='iufc', linear=True)
sort = library('sort', ref.sort, ref.infer_same, 'axis')
partition = library('partition', ref.partition, ref.infer_same, 'kth', 'axis')     # the kth is where sorting puts it
argsort = library('argsort', ref.argsort, ref.infer_argsort, 'axis', 'dtype')
cholesky = library('cholesky', lapack.cholesky, ref.infer_same)
triangular_solve = library('triangular_solve', lapack.triangular_solve, lapack.infer_solve, 'lower', 'transpose',
                           'unit_diagonal', linear=True)
solve = library('solve', lapack.solve, lapack.infer_solve, linear=True)
inverse = library('inverse', lapack.inverse, lapack.infer_square)
least_squares = library('least_squares', squares.least_squares, squares.infer_least_squares, linear=True)  # a, rcond, b

tridiagonal_solve = library('tridiagonal_solve', lapack.tridiagonal_solve, lapack.infer_tridiagonal_solve, 'perturb',
                            linear=True)
sylvester = library('sylvester', lapack.sylvester, lapack.infer_sylvester, linear=True)             # X in A X + X B = C
sqrtm = library('sqrtm', lapack.sqrtm, lapack.infer_sqrtm)
expm = library('expm', lapack.expm, lapack.infer_square)
expm_frechet = library('expm_frechet', lapack.expm_frechet, lapack.infer_expm_frechet, linear=True)
cholesky_update = library('cholesky_update', lapack.cholesky_update, lapack.infer_cholesky_update)
pivots_to_permutation = library('pivots_to_permutation', lapack.pivots_to_permutation,
                                lapack.infer_pivots_to_permutation, 'size')

# Several results; `project` takes one. lu: (L and U in one matrix, permutation of the rows, +1 or -1 its sign, the
# row exchanged with each row in turn).
lu = library('lu', lapack.lu, lapack.infer_lu)
qr = library('qr', lapack.qr, lapack.infer_qr, 'full', 'pivoting')         # (q, r), and the columns' order with pivoting
eigh = library('eigh', lapack.eigh, lapack.infer_eigh)                     # (eigenvalues, eigenvectors), lower triangle read
eig = library('eig', lapack.eig, lapack.infer_eig, 'left')                 # (eigenvalues, right eigenvectors[, left ones])
svd = library('svd', lapack.svd, lapack.infer_svd, 'full')                 # (u, s, vh)
polar = library('polar', lapack.polar, lapack.infer_polar)           # (u, h) with a = u h, of at least as many rows
geqrf = library('geqrf', lapack.geqrf, lapack.infer_geqrf)                                     # (packed, taus)
hessenberg = library('hessenberg', lapack.hessenberg, lapack.infer_hessenberg)                 # (packed, taus)
tridiagonal = library('tridiagonal', lapack.tridiagonal, lapack.infer_tridiagonal, 'lower')    # (packed, d, e, taus)
eigh_tridiagonal = library('eigh_tridiagonal', lapack.eigh_tridiagonal, lapack.infer_eigh_tridiagonal)   # (w, v)
schur = library('schur', lapack.schur, lapack.infer_schur)                                     # (t, q)
rsf2csf = library('rsf2csf', lapack.rsf2csf, lapack.infer_rsf2csf)                             # (t, z)
parlett = library('parlett', lapack.parlett, lapack.infer_parlett)   # (function of a triangular matrix, least gap)
# kind: fft, ifft, rfft, irfft along `axis`, whose length is `length` (of the result for irfft); unnormalised but for
# ifft and irfft, as NumPy's.
fft = library('fft', ref.fft, ref.infer_fft, 'kind', 'axis', 'length', linear=True)
# The cosine or, where `odd`, sine transform of type 1, 2, 3 or 4 along `axis`, unnormalised, of real numbers.
dct = library('dct', ref.dct, ref.infer_same, 'odd', 'type', 'axis', linear=True)


def packed_offsets(avals):
    """Where each of several results begins in the bytes that hold them all, and the number of these."""
    offsets = [0]
    for a in avals:
        offsets.append(offsets[-1] + -(-a.nbytes // 64) * 64)
    return offsets


# What programs compute in the place of svd and eigh where nobody asks for the vectors.
svdvals = library('svdvals', lapack.svdvals, lapack.infer_values)
eigvalsh = library('eigvalsh', lapack.eigvalsh, lapack.infer_values)
# What native programs make of a scatter whose indices count from the end where they are negative.
scatter_at = library('scatter_at', ref.scatter_at, ref.infer_same, 'axes', 'mode', 'kind')
# What kernels make of reduce_prod of complex numbers x + iy: its real (part 0) and imaginary part (1).
complex_prod = structural('complex_prod', ref.complex_prod, ref.infer_complex_prod, 'axes', 'part',
                          reduction='complex_mul', classes='f')
# Programs know one result an instruction: several are packed in bytes, and `unpack` takes one out.
packed = library('packed', ref.packed, None, 'op', 'params')
unpack = library('unpack', ref.unpack, None, 'offset', 'shape', 'dtype')


# --- nodes with a body -----------------------------------------------------------------------------------------
call = structural('call', None, lambda a, body, kind, options: body.avals, 'body', 'kind', 'options')
project = structural('project', lambda values, index: values[index], lambda a, index: a[0][index], 'index', linear=True)
# (*state, *constants) -> state: body(state, constants) as often as the state's last entry is true; a lazy.loops.Body.
loop = library('loop', lambda *arrays, body: body.run(arrays), lambda a, body: body.graph.avals, 'body')
# Same value as its first input; differentiated by `rule` with respect to the others.
custom = structural('custom', lambda value, *_, rule, index: value, lambda a, rule, index: a[0], 'rule', 'index')
# The linear map whose transpose is `rule`, a custom_vjp's backward pass: (tangents..., residuals...) -> all tangents.
custom_linear = structural('custom_linear', None, lambda a, rule: rule.out_avals, 'rule', linear=True)
