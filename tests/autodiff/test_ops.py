"""Every operation by the table of tests/ops_table.py: values, derivatives, batching, shapes without elements."""
import itertools

import numpy as np
import pytest

import lazy
from lazy.array import as_node, wrap
from lazy.ir import dtypes, ops
from ops_table import BY_NAME, CASES, EXEMPT, NO_FORMULA

SMOOTH = [c for c in CASES if c.order and (set(c.dtypes) & {dtypes.float64, dtypes.complex128})]


def rng_of(case):
    return np.random.default_rng(sum(map(ord, case.name)))


def function(case, arguments, by):
    """The case as a function of the arguments numbered in `by`; a list of its inexact results."""
    def f(*given):
        full = list(arguments)
        for i, value in zip(by, given):
            full[i] = value
        nodes = case.nodes([as_node(x) for x in full])
        return [wrap(n) for n in nodes if dtypes.is_inexact(n.aval.dtype)]
    return f


def evaluate(case, arguments):
    return [np.asarray(wrap(n)) for n in case.nodes([as_node(wrap(as_node(a))) for a in arguments])]


def assert_close(actual, expected, tolerance, what=''):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, (what, actual.shape, expected.shape)
    wide = np.complex128 if 'c' in (actual.dtype.kind, expected.dtype.kind) else np.float64
    scale = np.max(np.abs(expected.astype(wide)), initial=0, where=np.isfinite(expected.astype(wide)))
    np.testing.assert_allclose(actual.astype(wide), expected.astype(wide), rtol=tolerance,
                               atol=tolerance * max(1, scale), err_msg=what)


def widest(case):
    """The dtype that a case is checked exactly in."""
    for dtype in (dtypes.float64, dtypes.complex128):
        if dtype in case.dtypes:
            return dtype
    return case.dtypes[-1]


def narrow_types(case):
    return [d for d in case.dtypes if dtypes.is_inexact(d) and d not in (dtypes.float64, dtypes.complex128)]


# --- the table is complete ---------------------------------------------------------------------------------------

def test_every_operation_has_a_case():
    covered = {case.op.name for case in CASES} | set(EXEMPT)
    assert set(ops.OPS) == covered, set(ops.OPS) ^ covered


@pytest.mark.parametrize('op', [op for op in ops.OPS.values() if 'made by compilation' not in EXEMPT.get(op.name, '')],
                         ids=str)
def test_every_field_is_there(op):
    import lazy.autodiff.batching
    import lazy.autodiff.jvp                                                # noqa: F401
    leaf = op.name in ('leaf', 'variable', 'literal', 'iota')
    assert op.numpy is not None or leaf or op.name in ('call', 'custom_linear')
    assert op.batch is not None or leaf
    assert op.jvp is not None or op.partials is not None or leaf
    assert op.transpose is not None or not op.linear
    if op.elementwise:
        assert (op.formula is None) == (op.name in NO_FORMULA)
        assert op.partials is None or len(op.partials) == (op.arity or 1)
    else:
        assert op.infer is not None or leaf


# --- values --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('case', CASES, ids=str)
def test_forward(case):
    """Results have the inferred types; narrow floats are near what float64 gives for the same arguments."""
    rng = rng_of(case)
    for dtype in case.dtypes:
        arguments = case.arguments(rng, dtype)
        results = evaluate(case, arguments)
        inferred = [n.aval for n in case.nodes([as_node(a) for a in arguments])]
        for result, of in zip(results, inferred):
            assert result.shape == of.shape and result.dtype == of.dtype
        if dtype in narrow_types(case) and case.op not in (ops.nextafter, ops.bitcast, ops.convert, ops.argsort):
            wide = dtypes.complex128 if dtypes.kind(dtype) == 'c' else dtypes.float64
            exact = case.reference([a.astype(wide) if a.dtype == dtype else a for a in arguments])
            for result, expected in zip(results, exact):
                assert_close(result, expected, case.tolerance(dtype), f'{case} {dtype}')


@pytest.mark.parametrize('case', [c for c in CASES if c.shaped], ids=str)
@pytest.mark.parametrize('shapes', [[(), (), (), ()], [(0, 3), (3,), (1, 3), (1,)]], ids=['scalar', 'empty'])
def test_scalars_and_empty_arrays(case, shapes):
    dtype = widest(case)
    arguments = case.arguments(rng_of(case), dtype, shapes)
    results = evaluate(case, arguments)
    assert results[0].shape == np.broadcast_shapes(*[a.shape for a in arguments])
    by = case.differentiable(arguments)
    if by:
        f = function(case, arguments, by)
        given = tuple([arguments[i] for i in by])
        value, pullback = lazy.vjp(f, *given)
        for g, x in zip(pullback(value), given):
            assert g.shape == x.shape and g.dtype == x.dtype


# --- derivatives ---------------------------------------------------------------------------------------------------

def directions(rng, arrays):
    found = []
    for a in arrays:
        t = rng.standard_normal(a.shape)
        if a.dtype.kind == 'c':
            t = t + 1j * rng.standard_normal(a.shape)
        found.append(np.asarray(t, a.dtype))
    return tuple(found)


def differences(f, arrays, tangents, step=1e-6):
    """Central differences of a function that gives a list; 0 where it is NaN."""
    ahead = f(*[a + step * t for a, t in zip(arrays, tangents)])
    behind = f(*[a - step * t for a, t in zip(arrays, tangents)])
    found = [(np.asarray(p) - np.asarray(m)) / (2 * step) for p, m in zip(ahead, behind)]
    return [np.where(np.isnan(np.asarray(p)), 0, d) for p, d in zip(ahead, found)]


def set_up(case):
    rng = rng_of(case)
    arguments = case.arguments(rng, widest(case))
    by = case.differentiable(arguments)
    given = tuple([arguments[i] for i in by])
    return rng, function(case, arguments, by), given, directions(rng, given)


@pytest.mark.parametrize('case', SMOOTH, ids=str)
def test_jvp_against_differences(case):
    rng, f, given, tangents = set_up(case)
    _, found = lazy.jvp(f, given, tangents)
    for t, expected in zip(found, differences(f, given, tangents)):
        assert_close(t, expected, case.derivative_tolerance, str(case))


def pairing(xs, ys):
    return sum(np.sum(np.asarray(x) * np.asarray(y)).real for x, y in zip(xs, ys))


@pytest.mark.parametrize('case', SMOOTH, ids=str)
def test_vjp_against_jvp(case):
    """<ct, J t> = <J^T ct, t>, for each argument alone and for all."""
    rng, f, given, tangents = set_up(case)
    value, pullback = lazy.vjp(f, *given)
    cotangents = list(directions(rng, [np.asarray(v) for v in value]))
    pulled = pullback([lazy.numpy.asarray(ct) for ct in cotangents])
    for g, x in zip(pulled, given):
        assert g.shape == x.shape and g.dtype == x.dtype
    choices = [range(len(given))] + ([[i] for i in range(len(given))] if len(given) > 1 else [])
    for chosen in choices:
        part = tuple([t if i in chosen else np.zeros_like(t) for i, t in enumerate(tangents)])
        _, pushed = lazy.jvp(f, given, part)
        left, right = pairing(cotangents, pushed), pairing(pulled, part)
        assert_close(left, right, max(1e-9, case.derivative_tolerance * 1e-3), str(case))


@pytest.mark.parametrize('case', [c for c in SMOOTH if c.order > 1], ids=str)
def test_second_order(case):
    """Forward over reverse against differences of reverse, and against reverse over reverse."""
    rng, f, given, tangents = set_up(case)
    value = f(*given)
    cotangents = [lazy.numpy.asarray(ct) for ct in directions(rng, [np.asarray(v) for v in value])]
    pull = lambda *x: list(lazy.vjp(f, *x)[1](cotangents))
    _, second = lazy.jvp(pull, given, tangents)
    for t, expected in zip(second, differences(pull, given, tangents)):
        assert_close(t, expected, 10 * case.derivative_tolerance, str(case))
    _, pull_again = lazy.vjp(pull, *given)
    weights = directions(rng, given)
    pulled = pull_again([lazy.numpy.asarray(w) for w in weights])
    assert_close(pairing(weights, second), pairing(pulled, tangents), max(1e-8, case.derivative_tolerance * 1e-2),
                 str(case))


@pytest.mark.parametrize('case', [c for c in CASES if c.order and c.op.elementwise], ids=str)
def test_derivatives_in_narrow_types(case):
    """Gradients have the type of the argument and are near those in float64."""
    rng = rng_of(case)
    for dtype in narrow_types(case):
        arguments = case.arguments(rng, dtype)
        by = case.differentiable(arguments)
        wide = dtypes.complex128 if dtypes.kind(dtype) == 'c' else dtypes.float64
        exact = [a.astype(wide) if a.dtype == dtype else a for a in arguments]
        results = []
        for inputs in (arguments, exact):
            value, pullback = lazy.vjp(function(case, inputs, by), *[inputs[i] for i in by])
            results.append(pullback([lazy.numpy.asarray(np.ones(v.shape, v.dtype)) for v in value]))
        for g, expected in zip(*results):
            assert g.dtype == dtype
            fits = abs(np.asarray(expected)) <= float(lazy.numpy.finfo(dtype).max)
            assert_close(np.where(fits, g, 0), np.where(fits, expected, 0), 8 * case.tolerance(dtype),
                         f'{case} {dtype}')


# --- batching ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('case', CASES, ids=str)
def test_vmap(case):
    """Against a loop, for all choices of batched arguments; the batch axis also at the end."""
    rng, size, dtype = rng_of(case), 3, widest(case)
    examples = [case.arguments(rng, dtype) for _ in range(size)]
    count = len(examples[0])
    f = lambda *args: [wrap(n) for n in case.nodes([as_node(a) for a in args])]
    for flags in itertools.product((True, False), repeat=count):
        if not any(flags):
            continue
        chosen = [[e[i] for e in examples] if flag else [examples[0][i]] * size for i, flag in enumerate(flags)]
        axis = -1 if all(flags) else 0
        inputs = [np.stack(c, axis) if flag else c[0] for c, flag in zip(chosen, flags)]
        found = lazy.vmap(f, in_axes=tuple([axis if flag else None for flag in flags]))(*inputs)
        expected = [np.stack(values) for values in zip(*[case.reference([c[b] for c in chosen]) for b in range(size)])]
        for result, reference in zip(found, expected):
            assert_close(result, reference, 1e-9, f'{case} {flags}')


@pytest.mark.parametrize('name',
                         ['sin', 'mul', 'pow', 'select', 'gather', 'scatter_set', 'scatter_mul_duplicates', 'sort',
                                  'reduce_max_rows', 'reduce_prod_zeros', 'cumprod', 'dot_general_batch', 'cholesky',
                                  'solve', 'triangular_solve_lower', 'qr_tall', 'fft_rfft', 'cumlogsumexp'])
def test_grad_of_vmap_of_jit_and_back(name):
    case = BY_NAME[name]
    rng, size, dtype = rng_of(case), 2, widest(case)
    examples = [case.arguments(rng, dtype) for _ in range(size)]
    by = case.differentiable(examples[0])
    total = lambda values: sum((abs(v) ** 2).sum() if v.dtype.kind == 'c' else (v * v).sum() for v in values)

    def loss(*args):
        return total([wrap(n) for n in case.nodes([as_node(a) for a in args])])
    stacked = [np.stack([e[i] for e in examples]) for i in range(len(examples[0]))]
    expected = [np.stack(g) for g in zip(*[[np.asarray(x) for x in lazy.grad(loss, tuple(by))(*e)] for e in examples])]
    batched_grad = lazy.vmap(lazy.grad(loss, tuple(by)))(*stacked)
    grad_of_batched = lazy.grad(lambda *a: lazy.vmap(loss)(*a).sum(), tuple(by))(*stacked)
    grad_of_jitted = lazy.jit(lazy.grad(lambda *a: lazy.vmap(lazy.jit(loss))(*a).sum(), tuple(by)))(*stacked)
    for found in (batched_grad, grad_of_batched, grad_of_jitted):
        for g, reference in zip(found, expected):
            assert_close(g, reference, 1e-9, name)


# --- formulas ------------------------------------------------------------------------------------------------------

FORMULAS = [c for c in CASES if c.shaped and c.op.formula and c.dtypes and
            (set(c.dtypes) & {dtypes.float64, dtypes.complex128}) and c.op is not ops.convert]


@pytest.mark.parametrize('case', FORMULAS, ids=str)
def test_formula_against_numpy_and_partials(case):
    """The formula gives NumPy's values, and its derivative by SymPy those of the rule."""
    import mpmath
    import sympy
    rng, op = rng_of(case), case.op
    arguments = case.arguments(rng, widest(case), [(4,)] * 4)
    letters = sympy.symbols('x y z w')[:len(arguments)]
    names = {**dict(zip('xyzw', letters)), **dict(zip(op.param_names, case.params or ())), 'I': sympy.I,
             'erfinv': sympy.erfinv}
    expression = sympy.sympify(op.formula, locals=names)
    modules = [{'erfinv': mpmath.erfinv, 'digamma': mpmath.digamma}, 'mpmath']
    value = sympy.lambdify(letters, expression, modules)
    points = [[a[i].item() for a in arguments] for i in range(4)]
    expected = np.array([_number(value(*p)) for p in points])
    assert_close(evaluate(case, arguments)[0], expected, 1e-9, str(case))
    if op.partials is None or not case.order:
        return
    by = case.differentiable(arguments)
    for index in by:
        letter = letters[index]
        derivative = sympy.diff(expression, letter)
        if derivative.has(sympy.Derivative, sympy.Subs, sympy.DiracDelta, sympy.Heaviside, sympy.re, sympy.im,
                          sympy.meijerg):
            numeric = lambda *p, i=index: mpmath.diff(value, p, tuple([int(j == i) for j in range(len(p))]))
        else:
            numeric = sympy.lambdify(letters, derivative, modules)
        expected = np.array([_number(numeric(*p)) for p in points])
        tangents = tuple([np.full_like(arguments[i], float(i == index)) for i in by])
        _, (found,) = lazy.jvp(function(case, arguments, by), tuple([arguments[i] for i in by]), tangents)
        assert_close(found, expected, 1e-7, f'{case} by {letter}')


def _number(value):
    value = complex(value) if not isinstance(value, (bool, np.bool_)) else float(value)
    return value.real if isinstance(value, complex) and value.imag == 0 else value
