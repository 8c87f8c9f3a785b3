"""One table of all operations: arguments, types, order of differentiability, tolerances.

Every row of lazy.ir.ops.OPS has a case here or a reason in EXEMPT. Tests of derivatives and of batching use it, and
so do those that compare a target with the NumPy reference:

    for case in CASES:
        for dtype in case.dtypes:
            arguments = case.arguments(rng, dtype)               # list of NumPy arrays
            expected = case.reference(arguments)                 # list of NumPy arrays
            close(run(case.nodes([leaf(a) for a in arguments])), expected, case.tolerance(dtype))
"""
import numpy as np

from lazy.array import from_numpy
from lazy.ir import build, dtypes, ops
from lazy.ir.graph import make

FLOATS, COMPLEXES = list(dtypes.FLOATS), list(dtypes.COMPLEXES)
KINDS = {'b': [dtypes.bool_], 'i': list(dtypes.SIGNED), 'u': list(dtypes.UNSIGNED), 'f': FLOATS, 'c': COMPLEXES}
TOLERANCES = {dtypes.float8_e4m3fn: 0.15, dtypes.float8_e5m2: 0.3, dtypes.bfloat16: 2e-2, dtypes.float16: 4e-3, dtypes.float32: 2e-5, dtypes.float64: 1e-12,
              dtypes.complex64: 4e-5, dtypes.complex128: 1e-11}

# Operations without a case, and why.
EXEMPT = {'leaf': 'holds a value', 'variable': 'has no value', 'literal': 'a number; part of every other test',
          'call': 'tests/autodiff/test_calls.py', 'project': 'with lu, qr, eigh, eig, svd and test_calls.py',
          'custom': 'tests/autodiff/test_custom.py', 'custom_linear': 'never evaluated; tests/autodiff/test_custom.py',
          'loop': 'tests/test_scipy_sparse.py',
          'packed': 'made by compilation, of lu, qr, eigh, eig, svd', 'unpack': 'made by compilation',
          'svdvals': 'made by compilation, of svd', 'eigvalsh': 'made by compilation, of eigh',
          'scatter_at': 'made by compilation, of scatter', 'complex_prod': 'made by compilation, of reduce_prod'}

# Elementwise operations without a formula, and why.
NO_FORMULA = {'round': 'rounds halves to even', 'is_finite': 'of special values', 'is_nan': 'of special values',
              'is_inf': 'of special values', 'signbit': 'tells -0 from 0', 'not': 'of bits', 'population_count': 'of bits',
              'clz': 'of bits', 'bitcast': 'of bits', 'nextafter': 'of bits', 'gcd': 'of integers', 'and': 'of bits',
              'or': 'of bits', 'xor': 'of bits', 'shift_left': 'of bits', 'shift_right_logical': 'of bits',
              'shift_right_arithmetic': 'of bits', 'threefry2x32': 'of bits', 'philox4x32': 'of bits',
              'owens_t': 'an integral',
              **dict.fromkeys(['igamma_grad_a', 'random_gamma_grad', 'zeta_grad', 'betainc_grad', 'hyp1f1_grad', 'hyp2f1_grad'],
                              'a derivative that has no name in SymPy')}


class Case:
    """An operation with parameters, and how to make arguments for it.

    make(rng, dtype): list of NumPy arrays. dtypes: those the case is for. order: how often it can be differentiated
    (0: no derivative). by: numbers of the arguments that it is differentiated by (all inexact ones by default).
    outputs: of an operation with several results those that are compared. tolerances: {dtype: rtol} where it is not
    TOLERANCES. shaped: make takes shapes=... (elementwise operations).
    """

    def __init__(self, name, op, make, dtypes_, params=None, order=2, by=None, outputs=None, tolerances=None,
                 shaped=False, derivative_tolerance=2e-6):
        self.name, self.op, self.make, self.dtypes, self.params = name, op, make, list(dtypes_), params
        self.order, self.by, self.outputs, self.shaped = order, by, outputs, shaped
        self.tolerances, self.derivative_tolerance = tolerances or {}, derivative_tolerance

    def __repr__(self):
        return self.name

    def arguments(self, rng, dtype, shapes=None):
        found = self.make(rng, dtype) if shapes is None else self.make(rng, dtype, shapes)
        return [np.asarray(a) for a in found]

    def nodes(self, inputs):
        """The results as nodes (a list)."""
        node = make(self.op, inputs, self.params)
        if not isinstance(node.aval, tuple):
            return [node]
        return [build.project(node, i) for i in (self.outputs or range(len(node.aval)))]

    def reference(self, arguments):
        """The results by the operation's NumPy function (a list)."""
        keywords = dict(zip(self.op.param_names, self.params or ()))
        with np.errstate(all='ignore'):
            result = self.op.numpy(*arguments, **keywords)
        if isinstance(result, tuple):
            return [result[i] for i in (self.outputs or range(len(result)))]
        of, = [node.aval.dtype for node in self.nodes([from_numpy(a) for a in arguments])]
        return [np.asarray(result).astype(of, copy=False)]               # ml_dtypes may compute wider

    def tolerance(self, dtype):
        return self.tolerances.get(dtype, TOLERANCES.get(dtype, 0))

    def differentiable(self, arguments):
        """Numbers of the arguments to differentiate by."""
        if not self.order:
            return []
        inexact = [i for i, a in enumerate(arguments) if dtypes.is_inexact(a.dtype)]
        return inexact if self.by is None else [i for i in self.by if i in inexact]


def of_classes(classes):
    return [d for kind in classes for d in KINDS[kind]]


def values(rng, shape, dtype, low=-2.0, high=2.0):
    """Values of a dtype in a range; complex ones have an imaginary part, integers are small."""
    kind = dtypes.kind(dtype)
    if kind == 'b':
        return rng.random(shape) < 0.5
    if kind == 'u':
        return rng.integers(max(0, int(low)), max(1, int(high)) + 4, shape).astype(dtype)
    if kind == 'i':
        return rng.integers(int(low), int(high) + 4, shape).astype(dtype)
    x = np.asarray(rng.uniform(low, high, shape))
    if kind == 'c':
        x = x + 1j * rng.uniform(0.2, 0.9, shape)
    return x.astype(dtype)


# --- elementwise -----------------------------------------------------------------------------------------------

SHAPES = {1: [(3, 4)], 2: [(3, 4), (4,)], 3: [(3, 1), (3, 4), (4,)], 4: [(), (1,), (3, 4), (4,)]}
# Ranges of the operands where they aren't (-2, 2), one for each operand or one for all.
RANGES = {'sqrt': (0.2, 4), 'rsqrt': (0.2, 4), 'cbrt': (0.2, 4), 'reciprocal': (0.3, 3), 'log': (0.2, 4), 'log2': (0.2, 4),
          'log10': (0.2, 4), 'log1p': (-0.7, 3), 'tan': (-1.2, 1.2), 'asin': (-0.9, 0.9), 'acos': (-0.9, 0.9),
          'acosh': (1.2, 4), 'atanh': (-0.9, 0.9), 'erf_inv': (-0.9, 0.9), 'erf_inv_giles': (-0.9, 0.9),
          'ndtri': (0.05, 0.95), 'lgamma': (0.3, 5), 'gamma': (0.3, 5), 'digamma': (0.3, 5), 'polygamma': (0.5, 5), 'div': [(-2, 2), (0.4, 3)],
          'pow': [(0.3, 3), (-2, 2)], 'rem': [(-9, 9), (1.3, 3.7)], 'remainder': [(-9, 9), (1.3, 3.7)],
          'floor_divide': [(-9, 9), (1.3, 3.7)], 'round': (-4, 4), 'floor': (-4, 4), 'ceil': (-4, 4), 'trunc': (-4, 4),
          'shift_left': [(0, 9), (0, 3)], 'shift_right_logical': [(0, 90), (0, 3)],
          'shift_right_arithmetic': [(-90, 90), (0, 3)], 'exp1': (0.3, 4), 'expi': (0.5, 4), 'spence': (0.2, 4),
          'sin_integral': (0.2, 4), 'cos_integral': (0.2, 4), 'bessel_y': (0.5, 5), 'bessel_ke': (0.5, 5),
          'igamma': (0.4, 5), 'igammac': (0.4, 5), 'igamma_grad_a': (0.4, 5), 'gamma_density': (0.4, 5),
          'beta_density': [(0.5, 4), (0.5, 4), (0.1, 0.9)], 'random_gamma_grad': (0.4, 5),
          'regularized_incomplete_beta': [(0.5, 4), (0.5, 4), (0.1, 0.9)],
          'betainc_grad': [(0.5, 4), (0.5, 4), (0.1, 0.9)],
          'zeta': [(1.5, 5), (0.5, 4)], 'zeta_grad': [(1.5, 5), (0.5, 4)], 'expn': [(1.1, 3.9), (0.4, 4)], 'hyp1f1': [(0.5, 3), (0.5, 3), (-2, 2)],
          'hyp1f1_grad': [(0.5, 3), (0.5, 3), (-2, 2)], 'hyp2f1': [(0.5, 3), (0.5, 3), (0.5, 3), (-2, 0.7)],
          'hyp2f1_grad': [(0.5, 3), (0.5, 3), (0.5, 3), (-2, 0.7)]}
# Order of differentiability where it isn't 2.
ORDERS = dict.fromkeys(['nextafter', 'is_finite', 'is_nan', 'is_inf', 'signbit', 'not', 'population_count', 'clz', 'gcd',
                        'bitcast', 'and', 'or', 'xor', 'shift_left', 'shift_right_logical', 'shift_right_arithmetic',
                        'threefry2x32', 'philox4x32', 'stop_gradient', 'eq', 'ne', 'lt', 'le', 'gt', 'ge'], 0)
ORDERS.update(dict.fromkeys(['zeta', 'zeta_grad', 'igamma', 'igammac', 'regularized_incomplete_beta', 'hyp1f1', 'hyp2f1'], 1))
# Other parameters than one case without: name -> [(suffix, params)].
PARAMS = {'polygamma': [('1', (1,)), ('2', (2,))], 'betainc_grad': [('a', (0,)), ('b', (1,))],
          'hyp1f1_grad': [('a', (0,)), ('b', (1,))], 'hyp2f1_grad': [('a', (0,)), ('b', (1,)), ('c', (2,))],
          **dict.fromkeys(('bessel_j', 'bessel_y', 'bessel_ke'), [(str(n), (n,)) for n in (0, 1, 3)]),
          'integer_pow': [(str(n), (n,)) for n in (0, 1, 2, 3, 7, -1, -2)],
          'convert': [(d.name, (d, False)) for d in (dtypes.float64, dtypes.float32, dtypes.int32, dtypes.complex128, dtypes.bool_,
                                                     dtypes.float8_e4m3fn, dtypes.float8_e5m2, dtypes.int4, dtypes.uint4)],
          'threefry2x32': [('0', (0,)), ('1', (1,))], 'philox4x32': [(str(i), (i,)) for i in range(4)]}
CLASSES = {'integer_pow': 'fc'}
_WIDE = {dtypes.float8_e4m3fn: 0.4, dtypes.float8_e5m2: 0.8, dtypes.bfloat16: 5e-2, dtypes.float16: 1e-2, dtypes.float32: 2e-4, dtypes.float64: 1e-10,
         dtypes.complex64: 2e-4, dtypes.complex128: 1e-10}
WIDE = ('polygamma', 'digamma', 'lgamma', 'gamma', 'pow', 'tan', 'erf_inv', 'ndtri', 'erf_inv_giles', 'acosh', 'atanh',
        'log1p', 'remainder', 'rem', 'floor_divide', 'erfc', 'bessel_i1', 'bessel_i1e', 'fma', 'wofz', 'exp1', 'expi',
        'cos_integral', 'bessel_y', 'bessel_ke',
        'igamma', 'igammac', 'igamma_grad_a', 'random_gamma_grad', 'regularized_incomplete_beta', 'betainc_grad',
        'zeta', 'zeta_grad', 'gamma_density', 'beta_density',
        'expn', 'hyp1f1', 'hyp1f1_grad', 'hyp2f1', 'hyp2f1_grad')
PARTLY = {*dtypes.NARROW_FLOATS}                       # discontinuous functions: narrow types jump elsewhere
DISCONTINUOUS = ('rem', 'remainder', 'floor_divide', 'floor', 'ceil', 'trunc', 'round')


def _elementwise_maker(op):
    arity = op.arity or 1
    ranges = RANGES.get(op.name, (-2, 2))
    ranges = ranges if isinstance(ranges, list) else [ranges] * arity

    def make_arguments(rng, dtype, shapes=None):
        shapes = (2 * list(SHAPES[min(arity, 4)] if shapes is None else shapes))[:arity]
        found = [values(rng, shape, dtype, *bounds) for shape, bounds in zip(shapes, ranges)]
        if op is ops.select:
            found[0] = values(rng, shapes[0], dtypes.bool_)
        if op is ops.pow_ and dtypes.kind(dtype) == 'i':
            found[1] = abs(found[1]).astype(dtype)
        if op is ops.expn:
            found[0] = np.floor(found[0])
        return found
    return make_arguments


def _elementwise_cases():
    for op in ops.OPS.values():
        if not op.elementwise:
            continue
        maker, wide = _elementwise_maker(op), _WIDE if op.name in WIDE else None
        classes = CLASSES.get(op.name, op.classes)
        for suffix, params in PARAMS.get(op.name, [('', None)]):
            if op is ops.bitcast:
                continue
            types = of_classes(classes)
            if op in (ops.threefry2x32, ops.philox4x32):
                types = [dtypes.uint32]
            if op.name in DISCONTINUOUS:
                types = [d for d in types if d not in PARTLY]
            order = ORDERS.get(op.name, 2)
            if op is ops.convert and (not dtypes.is_inexact(params[0]) or params[0] in dtypes.NARROW_FLOATS):
                order = 0                                            # a step function, to differences
            tolerance = 0.1 if op is ops.convert and params[0] == dtypes.float32 else 2e-6
            by = [i for i, partial in enumerate(op.partials) if partial is not None] if op.partials else None
            yield Case(f'{op.name}{"_" if suffix else ""}{suffix}', op, maker, types, params, order, by,
                       tolerances=wide, shaped=True, derivative_tolerance=tolerance)
    for a, b in ((dtypes.float32, dtypes.int32), (dtypes.int64, dtypes.float64), (dtypes.float16, dtypes.uint16),
                 (dtypes.float8_e4m3fn, dtypes.int8), (dtypes.uint8, dtypes.float8_e5m2), (dtypes.int4, dtypes.uint4)):
        yield Case(f'bitcast_{a.name}_{b.name}', ops.bitcast, _elementwise_maker(ops.bitcast), [a], (b,), 0, shaped=True)
    same = lambda rng, dtype: [np.array([1, 2, 2, -1]).astype(dtype), np.array([1, 3, 2, -1]).astype(dtype)]
    for op in (ops.max_, ops.min_):
        yield Case(f'{op.name}_ties', op, same, FLOATS, order=0)


# --- others -------------------------------------------------------------------------------------------------------

def given(*shapes, low=-2.0, high=2.0):
    return lambda rng, dtype: [values(rng, shape, dtype, low, high) for shape in shapes]


def distinct(*shape):
    """All elements different, also in narrow types."""
    def make_arguments(rng, dtype):
        count = int(np.prod(shape))
        if dtypes.kind(dtype) == 'b':
            return [values(rng, shape, dtype)]
        return [((rng.permutation(count) - count // (2 if dtypes.kind(dtype) != 'u' else count or 1)) / 4 *
                 (1 if dtypes.is_inexact(dtype) else 4)).astype(dtype).reshape(shape)]
    return make_arguments


def holding(arguments, by):
    """The same arguments each time, as the dtype for those numbered in `by`."""
    def make_arguments(rng, dtype):
        return [np.asarray(a, dtype if i in by else None) for i, a in enumerate(arguments)]
    return make_arguments


def indexed(x_shape, index_shape, axes, updates=False, outside=0):
    """x (and updates) with one index array for each axis; `outside` allows indices beyond the ends."""
    def make_arguments(rng, dtype):
        indices = [rng.integers(-outside, x_shape[a] + outside, index_shape).astype(np.int32) for a in axes]
        x = values(rng, x_shape, dtype)
        if not updates:
            return [x, *indices]
        rest = tuple(n for a, n in enumerate(x_shape) if a not in axes)
        return [x, values(rng, index_shape + rest, dtype), *indices]
    return make_arguments


def square(n, *batch, kind='general'):
    """Well-conditioned square matrices."""
    def make_arguments(rng, dtype):
        a = values(rng, (*batch, n, n), dtype, -0.5, 0.5)
        a = a.astype(np.complex128 if dtypes.kind(dtype) == 'c' else np.float64)
        if kind == 'positive':
            a = a @ np.swapaxes(a.conj(), -1, -2)
        if kind == 'hermitian':
            a = a + np.swapaxes(a.conj(), -1, -2)
        return [(a + np.diag(np.arange(1, n + 1) * (1.0 if kind == 'hermitian' else 2.0))).astype(dtype)]
    return make_arguments


def with_right(matrix, *shape):
    return lambda rng, dtype: [*matrix(rng, dtype), values(rng, shape, dtype)]


def with_cutoff(*shape):
    """A matrix of full rank, what its singular values have to exceed relative to the largest, and two right sides."""
    def make_arguments(rng, dtype):
        a, = with_scale(shape)(rng, dtype)
        cutoff = np.full(shape[:-2], 1e-3, dtypes.real_of(dtype))
        return [a, cutoff, values(rng, (*shape[:-1], 2), dtype)]
    return make_arguments


def searched(rng, dtype):
    return [np.sort(values(rng, (7,), dtype, -3, 3)), values(rng, (2, 3), dtype, -3, 3)]


ALL = of_classes('biufc')
NUMBERS = of_classes('iufc')
REALS = of_classes('biuf')
LAPACK = [dtypes.float32, dtypes.float64, dtypes.complex64, dtypes.complex128]
LAPACK_TOLERANCE = {dtypes.float32: 2e-4, dtypes.float64: 1e-9, dtypes.complex64: 2e-4, dtypes.complex128: 1e-9}
I32 = dtypes.int32


def _case(op, suffix, maker, types, params=None, order=2, **more):
    return Case(f'{op.name}_{suffix}' if suffix else op.name, op, maker, types, params, order, **more)


def _view_cases():
    yield _case(ops.iota, '', given(), ALL[:0] + [dtypes.float32], ((3, 4), I32, 1), 0)
    yield _case(ops.reshape, '', given((3, 4)), ALL, ((2, 6),))
    yield _case(ops.reshape, 'empty', given((0, 4)), ALL, ((2, 0, 3),))
    yield _case(ops.reshape, 'scalar', given((1, 1)), ALL, ((),))
    yield _case(ops.transpose, '', given((2, 3, 4)), ALL, ((2, 0, 1),))
    yield _case(ops.broadcast, '', given((3, 1)), ALL, ((2, 3, 4), (1, 2)))
    yield _case(ops.broadcast, 'scalar', given(()), ALL, ((2, 3), ()))
    yield _case(ops.broadcast, 'swapped', given((3, 2)), ALL, ((2, 3), (1, 0)))
    yield _case(ops.broadcast, 'stretched', given((1, 3, 2)), ALL, ((2, 4, 3), (1, 2, 0)))
    yield _case(ops.slice_, '', given((5, 6)), ALL, ((1, 0), (4, 6), (1, 2)))
    yield _case(ops.slice_, 'empty', given((5, 6)), ALL, ((2, 0), (2, 6), (1, 1)))
    yield _case(ops.rev, '', given((3, 4, 2)), ALL, ((0, 2),))
    yield _case(ops.unpack_nibbles, '', given((3, 4)), [dtypes.uint8], ((2, 6, 2), dtypes.int4), 0)
    yield _case(ops.pack_nibbles, '', given((3, 4)), [dtypes.int4, dtypes.uint4], ((2, 3),), 0)
    yield _case(ops.concatenate, '', given((2, 3), (2, 1), (2, 2)), ALL, (1,))
    yield _case(ops.concatenate, 'empty', given((0, 3), (2, 3)), ALL, (0,))
    yield _case(ops.slice_update, '', given((5, 6), (2, 3)), ALL, ((1, 0), (2, 2)))
    yield _case(ops.slice_update, 'empty', given((5, 6), (0, 6)), ALL, ((1, 0), (1, 1)))


def _index_cases():
    yield _case(ops.gather, '', indexed((5, 4), (3,), (0,)), ALL, ((0,), 'error'))
    yield _case(ops.gather, 'scalar', indexed((5, 4), (), (1,)), ALL, ((1,), 'error'))
    yield _case(ops.gather, 'middle', indexed((2, 5, 3), (2, 2), (1,)), ALL, ((1,), 'clip'))
    yield _case(ops.gather, 'two', indexed((4, 3, 5), (6,), (2, 0)), ALL, ((2, 0), 'error'))
    yield _case(ops.gather, 'all', indexed((4, 3), (2, 3), (0, 1)), ALL, ((0, 1), 'error'))
    yield _case(ops.gather, 'clip', indexed((4, 3), (7,), (0,), outside=3), ALL, ((0,), 'clip'))
    yield _case(ops.gather, 'wrap', indexed((4, 3), (7,), (0,), outside=9), ALL, ((0,), 'wrap'))
    yield _case(ops.gather, 'fill', indexed((4, 3), (7,), (0,), outside=3), ALL, ((0,), 'fill'))
    yield _case(ops.gather, 'empty', indexed((4, 3), (0,), (0,)), ALL, ((0,), 'error'))
    yield _case(ops.gather, 'aligned', lambda rng, d: [values(rng, (4, 5), d), rng.integers(0, 4, (3, 1)),
                                                       rng.integers(0, 5, 2)], ALL, ((0, 1), 'error'))
    for kind in ('set', 'add', 'mul', 'min', 'max'):
        types = {'set': ALL, 'add': NUMBERS, 'mul': NUMBERS}.get(kind, REALS)
        narrow = {dtypes.bfloat16: 6e-2, dtypes.float16: 1e-2}
        case = lambda suffix, maker, axes, mode: _case(ops.scatter, f'{kind}{suffix}', maker, types, (axes, mode, kind),
                                                       tolerances=narrow)
        yield case('', indexed((5, 4), (3,), (0,), True), (0,), 'error')
        yield case('_duplicates', indexed((3, 2), (9,), (0,), True), (0,), 'error')
        yield case('_two', indexed((3, 4, 2), (2, 3), (2, 0), True), (2, 0), 'clip')
        yield case('_fill', indexed((4, 3), (6,), (0,), True, 3), (0,), 'fill')
        yield case('_wrap', indexed((4, 3), (6,), (0,), True, 9), (0,), 'wrap')
        yield case('_clip', indexed((4, 3), (6,), (0,), True, 9), (0,), 'clip')
        yield case('_empty', indexed((4, 3), (0,), (0,), True), (0,), 'error')
        yield case('_scalar', indexed((4,), (), (0,), True), (0,), 'error')


def _reduction_cases():
    loose = {dtypes.bfloat16: 6e-2, dtypes.float16: 1e-2, dtypes.float32: 1e-4}
    for op in (ops.reduce_sum, ops.reduce_prod, ops.reduce_max, ops.reduce_min, ops.reduce_and, ops.reduce_or):
        types, order = of_classes(op.classes), 2 if 'f' in op.classes else 0
        maker = distinct if op in (ops.reduce_max, ops.reduce_min) else given
        as_maker = lambda *shape: maker(*shape) if maker is distinct else given(shape)
        for suffix, shape, axes in (('rows', (3, 5), (1,)), ('columns', (3, 5), (0,)), ('all', (3, 5), (0, 1)),
                                    ('none', (3,), ()), ('middle', (2, 3, 2), (1,)), ('outer', (2, 3, 2), (0, 2)),
                                    ('empty', (0, 3), (1,)), ('scalar', (), ())):
            yield _case(op, suffix, as_maker(*shape), types, (axes,), order, tolerances=loose)
    zeros = [[2., 0, 3], [0, 5, 0], [1, 2, 3]]
    yield _case(ops.reduce_sum, 'of_nothing', given((0, 3)), NUMBERS, ((0,),))
    yield _case(ops.reduce_prod, 'of_nothing', given((0, 3)), NUMBERS, ((0,),))
    yield _case(ops.reduce_prod, 'zeros', holding([zeros], (0,)), FLOATS, ((1,),))
    for op in (ops.argmax, ops.argmin):
        yield _case(op, 'rows', distinct(3, 5), REALS, (1, I32), 0)
        yield _case(op, 'ties', holding([[[1, 2, 2], [3, 3, 1]]], (0,)), REALS, (1, dtypes.int64), 0)
    for op in (ops.cumsum, ops.cumprod, ops.cummax, ops.cummin, ops.cumlogsumexp):
        extreme = op in (ops.cummax, ops.cummin)
        types = FLOATS if op is ops.cumlogsumexp else of_classes('iuf') if extreme else NUMBERS
        maker = distinct if extreme else lambda *shape: given(shape)
        for suffix, shape, axis, reverse in (('', (3, 6), 1, False), ('reverse', (3, 6), 1, True),
                                             ('columns', (5, 2), 0, False), ('empty', (0, 3), 0, False),
                                             ('one', (2, 1), 1, True)):
            yield _case(op, suffix, maker(*shape), types, (axis, reverse), tolerances=loose)
    yield _case(ops.cumprod, 'zeros', holding([zeros], (0,)), FLOATS, (1, False))
    yield _case(ops.cumprod, 'zeros_reverse', holding([zeros], (0,)), FLOATS, (1, True))


def _product_cases():
    loose = {dtypes.bfloat16: 6e-2, dtypes.float16: 1e-2, dtypes.float32: 1e-4}
    for suffix, shapes, params in (
            ('matmul', [(3, 4), (4, 2)], ((1,), (0,), (), ())), ('inner', [(5,), (5,)], ((0,), (0,), (), ())),
            ('vector', [(3, 4), (4,)], ((1,), (0,), (), ())), ('outer', [(3,), (2,)], ((), (), (), ())),
            ('batch', [(2, 3, 4), (2, 4, 5)], ((2,), (1,), (0,), (0,))),
            ('batch_inside', [(3, 2, 4), (4, 5, 2)], ((2,), (0,), (1,), (2,))),
            ('two', [(3, 4, 5), (5, 2, 4)], ((1, 2), (2, 0), (), ())), ('scalars', [(), ()], ((), (), (), ())),
            ('diagonal', [(3, 4), (4, 3)], ((), (), (0, 1), (1, 0))), ('empty', [(3, 0), (0, 2)], ((1,), (0,), (), ()))):
        yield _case(ops.dot_general, suffix, given(*shapes), NUMBERS, params, tolerances=loose)
    for suffix, shapes, params in (
            ('', [(2, 3, 5, 4), (4, 3, 3, 2)], ((1, 1), (1, 1), 1, False)),
            ('line', [(2, 4, 9), (3, 4, 3)], ((2,), (1,), 1, False)),
            ('strided', [(2, 1, 7, 6), (2, 1, 2, 3)], ((3, 2), (2, 1), 1, False)),
            ('groups', [(2, 4, 6), (6, 2, 2)], ((1,), (3,), 2, False)),
            ('first', [(3, 4, 6), (2, 2, 2)], ((2,), (2,), 2, True)),
            ('space', [(1, 1, 3, 3, 3), (2, 1, 2, 2, 2)], ((1,) * 3, (1,) * 3, 1, False)),
            ('point', [(3, 4), (2, 4)], ((), (), 1, False)),
            ('too_large', [(2, 1, 2), (3, 1, 4)], ((1,), (1,), 1, False))):
        yield _case(ops.conv, suffix, given(*shapes), NUMBERS, params, tolerances=loose)


def _library_cases():
    yield _case(ops.sort, '', distinct(3, 6), of_classes('biuf'), (1,))
    yield _case(ops.sort, 'columns', distinct(6, 2), of_classes('biuf'), (0,))
    yield _case(ops.sort, 'empty', given((0, 2)), of_classes('iuf'), (0,))
    yield _case(ops.partition, '', distinct(3, 6), of_classes('biuf'), (2, 1))
    yield _case(ops.partition, 'columns', distinct(6, 2), of_classes('biuf'), (4, 0))
    yield _case(ops.partition, 'empty', given((0, 2)), of_classes('iuf'), (1, 1))
    yield _case(ops.argsort, '', distinct(3, 6), of_classes('iuf'), (1, I32), 0)
    yield _case(ops.argsort, 'ties', holding([[[1, 2, 1, 2]]], (0,)), of_classes('iuf'), (1, I32), 0)
    for side in ('left', 'right'):
        yield _case(ops.searchsorted, side, searched, of_classes('iuf'), (side, I32), 0)
    more = dict(tolerances=LAPACK_TOLERANCE, derivative_tolerance=2e-5)
    matrices = LAPACK
    yield _case(ops.cholesky, '', square(3, kind='positive'), matrices, **more)
    yield _case(ops.cholesky, 'batch', square(2, 3, kind='positive'), matrices, **more)
    for lower in (True, False):
        for transpose in (False, True):
            for unit in (False, True):
                suffix = ('lower' if lower else 'upper') + '_transpose' * transpose + '_unit' * unit
                yield _case(ops.triangular_solve, suffix, with_right(square(3), 3, 2), matrices,
                            (lower, transpose, unit), **more)
    yield _case(ops.triangular_solve, 'batch', with_right(square(3, 2), 2, 3, 1), matrices, (True, False, False), **more)
    for lower in (True, False):
        for transpose in (False, True):
            yield _case(ops.triangular_solve, f'many_{lower}_{transpose}', with_right(square(2, 4), 4, 2, 3), matrices,
                        (lower, transpose, transpose), **more)
    yield _case(ops.solve, '', with_right(square(3), 3, 2), matrices, **more)
    yield _case(ops.solve, 'batch', with_right(square(3, 2), 2, 3, 2), matrices, **more)
    yield _case(ops.inverse, '', square(3), matrices, **more)
    yield _case(ops.inverse, 'batch', square(3, 2), matrices, **more)
    for suffix, shape in (('tall', (5, 3)), ('wide', (3, 4)), ('batch', (2, 4, 3))):
        yield _case(ops.least_squares, suffix, with_cutoff(*shape), matrices, by=(0, 2), **more)
    real = matrices[:2]
    yield _case(ops.lu, '', square(3), matrices, outputs=(0,), **more)
    yield _case(ops.lu, 'tall', given((4, 3)), matrices, outputs=(0,), **more)
    yield _case(ops.lu, 'many', given((5, 3, 2)), matrices, outputs=(0,), **more)
    yield _case(ops.lu, 'wide', given((3, 5)), matrices, outputs=(0,), **more)
    yield _case(ops.lu, 'permutation', given((3, 3)), matrices, order=0, outputs=(1, 2, 3), **more)
    yield _case(ops.lu, 'permutations', given((5, 4, 3)), matrices, order=0, outputs=(1, 2, 3), **more)
    yield _case(ops.qr, '', square(3), matrices, (False, False), **more)
    yield _case(ops.qr, 'tall', given((2, 4, 3)), matrices, (False, False), **more)
    yield _case(ops.qr, 'wide', given((3, 5)), matrices, (True, False), **more)
    yield _case(ops.qr, 'complete', given((5, 3)), matrices, (True, False), **more)
    yield _case(ops.qr, 'pivoting', with_scale((2, 4, 3)), matrices, (False, True), **more)
    yield _case(ops.eigh, '', square(3, kind='hermitian'), real, **more)
    yield _case(ops.eigh, 'values', square(3, 2, kind='hermitian'), matrices, outputs=(0,), **more)
    yield _case(ops.eig, 'values', square(3), matrices, (False,), outputs=(0,), **more)
    yield _case(ops.eig, 'vectors', with_scale((3, 3)), matrices[-1:], (True,), **more)
    yield _case(ops.svd, '', square(3), real, (False,), **more)
    yield _case(ops.svd, 'tall', with_scale((5, 3)), real, (False,), **more)
    yield _case(ops.svd, 'wide', with_scale((3, 5)), real, (False,), **more)
    yield _case(ops.svd, 'values', with_scale((4, 3)), matrices, (False,), outputs=(1,), **more)
    yield from _matrix_cases(**more)
    for kind in ('fft', 'ifft', 'rfft', 'irfft'):
        types = real if kind == 'rfft' else matrices[2:]
        for suffix, shape, axis, length in (('', (2, 6), 1, 6), ('odd', (5, 2), 0, 5), ('cut', (2, 8), 1, 5),
                                            ('padded', (2, 3), 1, 8)):
            yield _case(ops.fft, f'{kind}_{suffix}' if suffix else kind, given(shape), types, (kind, axis, length), **more)


def _matrix_cases(**more):
    for odd in (False, True):
        for type_ in (1, 2, 3, 4):
            yield _case(ops.dct, f'{"sines" if odd else "cosines"}_{type_}', given((3, 5, 2)), LAPACK[:2],
                        (odd, type_, 1), **more)
    matrices, real = LAPACK, LAPACK[:2]
    for suffix, n, perturb in (('', 5, False), ('two', 2, False), ('perturbed', 4, True)):
        yield _case(ops.tridiagonal_solve, suffix, tridiagonal(n, 2), matrices, (perturb,), **more)
    yield _case(ops.sylvester, '', lambda rng, d: [*square(3)(rng, d), *square(2)(rng, d), values(rng, (3, 2), d)],
                matrices, **more)
    yield _case(ops.sqrtm, '', square(2, 3, kind='positive'), matrices, **more)
    yield _case(ops.expm, '', square(3, 2), matrices, **more)
    yield _case(ops.expm_frechet, '', with_right(square(3), 3, 3), matrices, **more)
    yield _case(ops.cholesky_update, '', lambda rng, d: [np.triu(square(4)(rng, d)[0]), values(rng, (4,), d)], real, **more)
    yield _case(ops.eigh_tridiagonal, '', lambda rng, d: [3 * np.arange(4).astype(d), values(rng, (3,), d, 0.5, 1)],
                real, **more)
    yield _case(ops.polar, '', square(2, 3), matrices, **more)
    yield _case(ops.polar, 'tall', with_scale((4, 2)), matrices, **more)
    yield _case(ops.geqrf, '', given((2, 4, 3)), matrices, order=0, **more)
    yield _case(ops.hessenberg, '', square(4), matrices, order=0, **more)
    for lower in (True, False):
        yield _case(ops.tridiagonal, 'lower' if lower else 'upper', square(4, kind='hermitian'), matrices, (lower,), 0,
                    **more)
    yield _case(ops.schur, '', square(4), matrices[1::2], order=0, **more)
    triangular = lambda rng, d: np.triu(square(4)(rng, d)[0])
    yield _case(ops.rsf2csf, '', lambda rng, d: [triangular(rng, d), np.eye(4, dtype=d)], matrices, order=0, **more)
    yield _case(ops.parlett, '', lambda rng, d: [triangular(rng, d), values(rng, (4,), d)], matrices, order=0, **more)
    yield _case(ops.pivots_to_permutation, '', holding([[[2, 2, 3], [0, 1, 2]]], (0,)), [I32], (5,), 0)


def tridiagonal(n, columns):
    """Three diagonals, the middle one large, and a right-hand side."""
    def make_arguments(rng, dtype):
        lower, d, upper = (values(rng, (n,), dtype, -1, 1) for _ in range(3))
        return [lower, d + dtype.type(4), upper, values(rng, (n, columns), dtype)]
    return make_arguments


def with_scale(shape):
    """Matrices whose singular values are apart."""
    def make_arguments(rng, dtype):
        a = values(rng, shape, dtype, -0.4, 0.4)
        return [a + np.eye(*shape[-2:]).astype(dtype) * np.arange(1, shape[-1] + 1).astype(dtype) * dtype.type(2)]
    return make_arguments


CASES = [*_elementwise_cases(), *_view_cases(), *_index_cases(), *_reduction_cases(), *_product_cases(),
         *_library_cases()]
BY_NAME = {case.name: case for case in CASES}
assert len(BY_NAME) == len(CASES), 'two cases of one name'
