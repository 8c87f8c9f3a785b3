"""Functions as SymPy expressions and back."""
import subprocess
import sys

import numpy as np
import pytest
import sympy

import lazy
from lazy import array as arrays
from lazy.formulas import formula, from_sympy
from lazy.ir import ops
from test_calls import called

x, y = sympy.symbols('x y')


def sin(v): return arrays.unary(ops.sin, v, 'inexact')
def exp(v): return arrays.unary(ops.exp, v, 'inexact')
def a(v): return lazy.numpy.asarray(np.asarray(v))


@pytest.mark.parametrize('f, expected', [
    (lambda v: sin(v) * v ** 2, sympy.sin(x) * x ** 2), (lambda v: 2.0 * v, 2 * x), (lambda v: v * 0.5 - 1, x / 2 - 1),
    (lambda v: v * np.log(2), x * sympy.log(2)), (lambda v: v ** -2, x ** -2), (lambda v: v / 3.0, x / 3),
    (lambda v: 0.044715 * v, sympy.Float(0.044715) * x), (lambda v: lazy.numpy.where(v > 1, v, 0.25),
                                                         sympy.Piecewise((x, x > 1), (sympy.Rational(1, 4), True))),
    (lambda v: v * (v > 1), sympy.Piecewise((x, x > 1), (0, True))), (lambda v: v[None].sum() * 2, 2 * x),
    (lazy.jit(lambda v: exp(v) + 1), sympy.exp(x) + 1), (called(lambda v: exp(v) + 1), sympy.exp(x) + 1)])
def test_formula(f, expected):
    assert sympy.simplify(formula(f)(x) - expected) == 0


def test_formula_of_derivatives():
    f = lambda v: sin(v) * v ** 2
    assert formula(lazy.grad(f))(x) == x ** 2 * sympy.cos(x) + 2 * x * sympy.sin(x)
    second = formula(lazy.grad(lazy.grad(f)))(x)
    assert sympy.simplify(second - sympy.diff(x ** 2 * sympy.sin(x), x, 2)) == 0
    value, tangent = formula(lambda v, t: lazy.jvp(f, (v,), (t,)))(x, y)
    assert sympy.simplify(tangent - y * sympy.diff(value, x)) == 0
    clipped = formula(lazy.grad(lambda v: lazy.numpy.where(v < 1, v * 0.5, v ** 0.5)))(x)
    assert clipped.subs(x, 0) == sympy.Rational(1, 2) and clipped.subs(x, 4) == sympy.Rational(1, 4)


def test_formula_of_vectors_and_trees():
    u = sympy.symbols('u:3')
    assert formula(lambda v: (v * v).sum())(u) == sum(s ** 2 for s in u)
    hessian = formula(lazy.hessian(lambda v: (v ** 3).sum() * v[0]))(u[:2])
    assert hessian == sympy.Array([[12 * u[0] ** 2, 3 * u[1] ** 2], [3 * u[1] ** 2, 6 * u[0] * u[1]]])
    assert formula(lambda v: {'p': v + 1, 'q': (2 * v,)})(x) == {'p': x + 1, 'q': (2 * x,)}
    assert formula(lambda v: v.max())(u) == sympy.Max(*u)
    assert formula(lambda m, v: m @ v)(sympy.Matrix([[x, 1], [0, y]]), [x, y]) == sympy.Array([x ** 2 + y, y ** 2])


def test_formula_prints():
    assert sympy.latex(formula(lazy.grad(lambda v: exp(2.0 * v)))(x)) == '2 e^{2 x}'


def test_formula_refuses():
    with pytest.raises(TypeError, match='sort has no formula'):
        formula(lambda v: arrays.wrap(ops_sort(v)).sum())([x, y])
    with pytest.raises(TypeError, match='function'):
        formula(3)


def ops_sort(v):
    from lazy.ir.graph import make
    return make(ops.sort, (v._node,), (0,))


@pytest.mark.parametrize('text', [
    'x**2*exp(-x)/y', 'gamma(x)', 'gamma(-x)', '1/x', '-x', 'x**(-3)', '1/sqrt(x)', 'x**2.5', 'x**(1/3)',
    'Max(x, 2, y)',
    'Min(x, y)', 'Abs(x) - sinc(x)', 'Mod(x, 2)', 'factorial(x)', 'polygamma(1, x)', 'digamma(x)', 'loggamma(x)',
    'erf(x)*atan2(x, y)', 'erfc(x) + erfinv(y)', '2', 'sqrt(2)*x', 'E**x + pi*y', 'Heaviside(x - 1)',
    'sec(x) + csc(x)*cot(y)',
    'Piecewise((x, x < 1), (y, x < 2), (pi, True))', 'sign(x - 2) + floor(x)*ceiling(y)',
    'tanh(x) + asinh(y) + acosh(x + 1)',
    'Piecewise((x, (x > 1) & (y < 1)), (0, True))', 'log(x, 10)', 'x*y*2/(3*x + 1)', 'sinh(x)/cosh(y)'])
def test_from_sympy(text):
    expression = sympy.sympify(text)
    f = from_sympy(expression, x, y)
    found = np.asarray(f(np.float64(1.7), np.float64(0.4)))
    expected = float(expression.subs({x: 1.7, y: 0.4}).evalf())
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_from_sympy_under_transformations():
    f = from_sympy(x ** 2 * sympy.exp(-x) / y, x, y)
    points = np.linspace(0.1, 2, 5)
    derivative = sympy.lambdify(x, sympy.diff(x ** 2 * sympy.exp(-x) / 2, x))
    for g in (lazy.vmap(lazy.grad(f), (0, None)), lazy.jit(lazy.vmap(lazy.grad(f), (0, None))),
              lazy.grad(lambda p, q: f(p, q).sum())):
        np.testing.assert_allclose(np.asarray(g(a(points), 2.0)), derivative(points), rtol=1e-6)
    assert sympy.simplify(formula(f)(x, y) - x ** 2 * sympy.exp(-x) / y) == 0


def test_from_sympy_arguments():
    assert float(from_sympy('a*b - c')(2, 3, 4)) == 2
    assert from_sympy(x ** 2, x)(a([1, 2, 3])).dtype == np.int64
    assert float(from_sympy('sin(x)', 'x')(0.0)) == 0
    with pytest.raises(ValueError, match='contains y'):
        from_sympy(x + y, x)
    with pytest.raises(TypeError, match='zeta'):
        from_sympy(sympy.zeta(x), x)
    with pytest.raises(TypeError, match='arguments'):
        from_sympy(x + y, x, y)(1.0)
    with pytest.raises(TypeError, match='expression'):
        from_sympy([x, y], x, y)


def test_long_expressions_need_no_recursion():
    deep = x
    for i in range(600):
        deep = sympy.Function('tanh')(deep, evaluate=False) if i % 2 else sympy.Add(deep, 1, evaluate=False)
    assert np.isfinite(float(from_sympy(deep, x)(0.5)))


def test_sympy_is_imported_when_asked_for():
    code = 'import sys, lazy, lazy.formulas, lazy.custom_derivatives; assert "sympy" not in sys.modules'
    subprocess.run([sys.executable, '-c', code], check=True)
