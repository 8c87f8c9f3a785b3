"""Elementwise functions where simple formulas lose digits: within 4 ulp of values that mpmath computed with 50 digits.

The arguments are numbers of float32, so that the rows hold for it too. `python -m perf accuracy` measures whole ranges.
"""
import numpy as onp
import pytest

import lazy

# function, or call of x: (argument, value rounded to float64)
VALUES = {
        'nn.silu': ((-745.1329956054688, -1.843e-321), (-110.5, -1.1319364047845441e-46), (-103.97200012207031,
        -7.2853508782186e-44), (-88.0, -5.328049667953043e-37), (-49.5, -1.574085595597886e-20),
        (-0.6800469756126404, -0.22866635196844734), (3.0, 2.8577223804672998)),
        'nn.gelu': ((-21.299999237060547, -1.26344952653e-313), (-20.373199462890625, -1.3773695405066942e-275),
        (-9.4375, -2.4327889318698805e-32), (-8.980330467224121, -1.9338903359905309e-28), (-3.0,
        -0.003637392081773019), (-0.5, -0.15428599017485609), (2.0, 1.954597694087775)),
        'nn.mish': ((-3.381190061569214, -0.1130299607216774), (-5.280129909515381, -0.026816757526783343),
        (-745.0, -2.105e-321), (-103.9000015258789, -7.823808673600256e-44), (-90.0,
        -7.374611361591464e-38), (-5.0, -0.033576237730161704), (-0.18988800048828125, -0.10234404943340958),
        (1.5, 1.4033782663958025)),
        'nn.squareplus': ((-1.6999999760721821e+38, 5.882353023971689e-39), (-884.5, 0.0011305808047337976), (-3.25,
        0.2830421903092185), (0.0, 1.0), (5.0, 5.192582403567252)),
        'nn.gelu(x, approximate=False)': ((-38.400001525878906, -2.535e-321), (-37.0, -2.1184613523340935e-298),
        (-14.199999809265137, -6.504498799833305e-45), (-13.0, -7.952313719414843e-38), (-6.432600021362305,
        -4.0345084610694956e-10), (-0.5, -0.15426876936299344), (2.0, 1.9544997361036416)),
        'scipy.special.exp1': ((0.49900001287460327, 0.5609884626552264), (0.9885830283164978,
        0.22363241605785192), (1.5, 0.10001958240663265), (2.372230052947998, 0.029510886576316207), (19.5,
        1.6613201049093579e-10), (600.0, 4.409989794509838e-264)),
        'scipy.special.expi': ((-2.5, -0.024914917870269736), (9.999999747378752e-05, -8.633024729839246),
        (0.37250739336013794, -6.7876866341454e-08), (0.4326060116291046, 0.22357034128123968),
        (0.8999999761581421, 1.6228116485396364), (26.36829948425293, 11170044168.876501), (39.63869857788086,
        4247696076369631.5), (80.0, 7.0146000049048e+32)),
        'scipy.special.erfcx': ((-26.600000381469727, 3.8944167528352884e+307), (-9.0, 3.0121946291700612e+35),
        (0.00716573977842927, 0.9919654008686307), (0.8999999761581421, 0.45653165863355993),
        (1.100000023841858, 0.4017304548054406), (60.0, 0.009401854275176388)),
        'scipy.special.dawsn': ((0.49000000953674316, 0.41860968137401705), (0.5433670282363892,
        0.4480468514750294), (4.316830158233643, 0.11922574807003646), (9.899999618530273, 0.05076675262845231),
        (35.0, 0.01429155234399954)),
        'scipy.special.spence': ((0.0010000000474974513, 1.6370226049476886), (0.23999999463558197,
        0.9970990983790324), (0.25999999046325684, 0.9601266925939163), (1.000100016593933,
        -0.00010001409321450016), (2.003999948501587, -0.8252380427647734), (4.042325973510742,
        -1.9588711752867145), (5000.0, -37.91432037779603)),
        'scipy.special.k0e': ((0.0010000000474974513, 7.0307159551674), (0.2816919982433319, 1.895846073352076),
        (0.9387170076370239, 1.1758806354800049), (1.4349900484085083, 0.9773008997361425), (7.900000095367432,
        0.4393000793236063), (40.0, 0.19755558495729816)),
        'scipy.special.k1e': ((0.0010000000474974513, 1000.9966870614879), (0.44999998807907104,
        2.9664964755911716), (1.4176700115203857, 1.2902864979710453), (2.525700092315674, 0.894584732410044),
        (7.900000095367432, 0.46631778168418136), (40.0, 0.20000996725443349)),
        'scipy.special.kn(5, x)': ((0.029629599303007126, 16814288834.560757), (1.5, 44.06778115930108), (30.0,
        3.210333510589026e-14)),
        'scipy.special.boxcox(x, 5.5)': ((0.009999999776482582, -0.18181818181636364), (1.0010000467300415,
        0.0010022995673410443), (9.715609550476074, 49059.26000231178)),
        'scipy.special.boxcox1p(x, 5.5)': ((-0.9900000095367432, -0.18181818181636364), (0.0010000000474974513,
        0.0010022526743526815), (9.687170028686523, 82866.9418094072)),
        'scipy.special.beta(x, 12.75)': ((0.30000001192092896, 1.405530881293188), (15.384499549865723,
        3.678201519546565e-09), (19.25860023498535, 4.112363158388903e-10)),
        'scipy.special.poch(x, 18.375)': ((0.30000001192092896, 831459032081485.0), (16.91699981689453,
        5.012952342829379e+25)),
        'scipy.special.comb(x, 7.25)': ((31.33289909362793, 3833384.9786824733), (53.6150016784668,
        264556408.34244522)),
        'scipy.special.factorial': ((0.30000001192092896, 0.8974706944961574), (31.261199951171875,
        2.0270019073137614e+34), (127.96399688720703, 3.237689281714785e+215)),
        'numpy.sinc': ((0.25, 0.9003163161571061), (1.5, -0.2122065907891938), (337.5, -0.0009431404035075279),
        (1304.25, 0.00017257357028121643), (8000.125, 1.5226252064880746e-05)),
    'lax.integer_pow(x, -2)': ((1.844670009324444e+19, 2.9387498900904764e-39), (3.0, 0.1111111111111111)),
}
# The same in ulp of the amplitude sqrt(2/(pi x)), of x > 1.
OSCILLATING = {
    'scipy.special.yn(3, x)': ((0.45843300223350525, -54.28930856168632), (5.289130210876465, 0.22031797671477515),
        (12.763799667358398, 0.21965599545674822), (29.5, -0.12248910666954171)),
    'scipy.special.j0': ((0.41999998688697815, 0.9563838293561089), (2.5, -0.048383776468198),
        (4.699999809265137, -0.269330842650175), (19.72719955444336, 0.1789505206782979), (24.899999618530273,
        0.0832459169096424)),
        'scipy.special.j1': ((0.41999998688697815, 0.2054034032467101), (3.9000000953674316,
        -0.027244077275690743), (7.5, 0.1352484275797055), (24.899999618530273, -0.13485573335321466),
        (43.20899963378906, -0.12136760881984539)),
        'scipy.special.y0': ((0.41999998688697815, -0.5711520384293783), (3.9484400749206543,
        0.0037231220411440623), (8.100000381469727, 0.2380913794944511), (12.310199737548828,
        -0.19737004859018717), (24.899999618530273, -0.13649921680412755)),
        'scipy.special.y1': ((0.41999998688697815, -1.707554992505928), (3.933300018310547, 0.4049175067772211),
        (8.100000381469727, -0.13314869885720826), (24.899999618530273, -0.08600250684280655),
        (57.83380126953125, -0.09176460245081455)),
}

SCIPY = {'nn.gelu(x, approximate=False)': 24, 'scipy.special.beta(x, 12.75)': 8}        # by its erfc and gamma


@pytest.fixture(params=('native', 'numpy'))
def target(request):
    before = lazy.config.target
    lazy.config.update('target', request.param)
    yield
    lazy.config.update('target', before)


def ulps(found, exact, scale):
    """The error in units in the last place of what is larger, the exact value or the scale."""
    info = onp.finfo(found.dtype)
    size = onp.maximum(onp.maximum(abs(exact), scale), float(info.tiny))
    error = abs(found.astype('float64') - exact) / onp.ldexp(1.0, onp.frexp(size)[1] - 1 - info.nmant)
    return onp.where(abs(exact) > float(info.max), onp.where(found == exact * onp.inf, 0, onp.inf), error)


@pytest.mark.parametrize('name', [*VALUES, *OSCILLATING])
def test_within_four_ulp(name, target):
    x, exact = onp.array({**VALUES, **OSCILLATING}[name]).T
    scale = onp.where(x > 1, onp.sqrt(2 / onp.pi / onp.maximum(x, 1)), 0) if name in OSCILLATING else 0
    text = name if '(' in name else f'{name}(x)'
    for dtype in ('float64', 'float32'):
        found = onp.asarray(eval(f'lazy.{text}', {'lazy': lazy, 'x': onp.array(x, dtype)}))
        assert found.dtype == dtype
        error = ulps(found, exact, scale)
        limit = SCIPY.get(name, 4.5) if lazy.config.target == 'numpy' else 4.5  # the value is rounded too
        assert error.max() <= limit, (dtype, x[error.argmax()], error.max())


def test_gradients_in_the_tails():
    """Finite wherever the argument is, and near the function's own slope."""
    x = onp.array([-1e18, -300.0, -104.0, -40.0, 0.0, 40.0, 1e18], 'float32')
    for f in (lazy.nn.silu, lazy.nn.gelu, lazy.nn.mish, lazy.nn.squareplus,
              lambda x: lazy.nn.gelu(x, approximate=False)):
        slope = onp.asarray(lazy.vmap(lazy.grad(f))(x))
        onp.testing.assert_allclose(slope[[0, 1, 5, 6]], [0, 0, 1, 1], atol=1e-3)
        assert onp.isfinite(slope).all()
        for order in (f, lazy.grad(f)):                             # also second derivatives
            ends = [float(order(onp.float64(0.7 + step))) for step in (1e-6, -1e-6)]
            found = float(lazy.grad(order)(onp.float64(0.7)))
            onp.testing.assert_allclose(found, (ends[0] - ends[1]) / 2e-6, rtol=1e-7)


def test_16_bits_are_rounded_once():
    import ml_dtypes
    x = onp.linspace(-12, 4, 999)
    for dtype in (onp.float16, ml_dtypes.bfloat16):
        narrow = x.astype(dtype)
        for f in (lazy.nn.silu, lazy.nn.gelu, lazy.nn.mish, lazy.scipy.special.factorial, lazy.scipy.special.exp1):
            found, wide = onp.asarray(f(narrow)), onp.asarray(f(narrow.astype('float32'))).astype(dtype)
            onp.testing.assert_array_equal(found.astype('float64'), wide.astype('float64'))


def test_special_values():
    for f in (lazy.nn.silu, lazy.nn.gelu, lazy.nn.mish, lazy.nn.squareplus, lazy.nn.softplus,
              lambda x: lazy.nn.gelu(x, approximate=False)):
        assert float(f(onp.inf)) == onp.inf and onp.isnan(float(f(onp.nan)))
    from lazy.scipy import special
    inf, nan = onp.inf, onp.nan
    cases = {special.exp1: [inf, nan, 0.0], special.expi: [-inf, 0.0, inf], special.erfcx: [1.0, inf, 0.0],
             special.dawsn: [0.0, 0.0, 0.0], special.spence: [1.6449340668482264, nan, -inf],
             special.k0e: [inf, nan, 0.0], special.k1e: [inf, nan, 0.0], special.j0: [1.0, 0.0, 0.0],
             special.j1: [0.0, 0.0, 0.0], special.y0: [-inf, nan, 0.0], special.y1: [-inf, nan, 0.0]}
    for f, expected in cases.items():
        onp.testing.assert_array_equal(onp.asarray(f(onp.array([0.0, -inf, inf]))), expected)
        assert onp.isnan(float(f(nan))) and f(onp.zeros((2, 0))).shape == (2, 0)
