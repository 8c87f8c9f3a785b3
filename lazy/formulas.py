"""Functions as SymPy expressions, and SymPy expressions as functions.

formula traces a function and writes its graph down: each operation by the formula in the table of operations.
SymPy is imported when one of them is called.
"""
import math

import numpy as onp

from . import array as arrays
from . import trees as tree
from .array import wrap
from .evaluate import trace
from .ir import build, dtypes, ops
from .ir.graph import ancestors, aval
from .transforms import nodes_of, wraps

__all__ = ['formula', 'from_sympy']
_LARGEST = 4096                    # elements of an array that are written down one by one
_LARGEST_DOC = 100                 # parts of an expression that is printed in its function's docstring
_FOLDED = 4                        # choices in an expression that are still folded: their cases multiply


# --- from functions to expressions -----------------------------------------------------------------------------

def formula(f):
    """The function of SymPy symbols that gives f's result as an expression: its LaTeX shows in a notebook.

    f: a function of float64 scalars, or of vectors, for which sequences of symbols are given; made of elementwise
    operations, views, sums and products. Derivatives are such functions: formula(grad(f)). An array of results
    becomes a SymPy array.

    Raises TypeError where f contains an operation that has no formula.

    >>> import lazy, sympy
    >>> x = sympy.Symbol('x')
    >>> lazy.formula(lazy.grad(lambda x: 2.0 * lazy.numpy.sin(x) + x ** 2))(x)
    2*x + 2*cos(x)
    """
    if not callable(f):
        raise TypeError(f'formula needs a function, not {type(f).__name__}')

    @wraps(f, 'formula')
    def of_symbols(*symbols):
        given = [_symbol_array(s) for s in symbols]
        with trace():
            variables = [build.variable(aval(g.shape, dtypes.float64)) for g in given]
            result, treedef = tree.flatten(f(*[wrap(v) for v in variables]))
            outputs = nodes_of(result, 'the result of the function')
        known = {v.serial: g for v, g in zip(variables, given)}
        for node in ancestors(outputs):
            if node.serial not in known:
                known[node.serial] = _expression(node, [known[c.serial] for c in node.inputs])
        return tree.unflatten(treedef, [_finished(known[out.serial]) for out in outputs])
    return of_symbols


def _symbol_array(symbol):
    """Symbols, or anything that SymPy understands, as an array of expressions."""
    import sympy
    if isinstance(symbol, sympy.MatrixBase):
        symbol = symbol.tolist()
    symbol = onp.asarray(symbol, dtype=object)
    return _each(sympy.sympify, symbol)


def _each(function, *operands):
    return onp.asarray(onp.frompyfunc(function, len(operands), 1)(*operands), dtype=object)


def _finished(array):
    import sympy
    array = _each(_folded, array)
    return array.item() if array.ndim == 0 else sympy.Array(array.tolist())


def _folded(expression):
    """With choices outside of sums and products, where there are few."""
    import sympy
    choices = len(expression.atoms(sympy.Piecewise)) if hasattr(expression, 'atoms') else 0
    return sympy.piecewise_fold(expression) if 0 < choices <= _FOLDED else expression


def _expression(node, operands):
    """The array of expressions of a node from those of its inputs."""
    op, of = node.op, node.aval
    if not isinstance(of, tuple) and of.size > _LARGEST:
        raise TypeError(f'formula: an array of {of.size} elements is too large to be written down')
    if op is ops.literal:
        return onp.asarray(_number(node.params[0]), dtype=object)
    if node.value is not None:
        return _each(_number, arrays.to_numpy(node).astype(object))
    if op is ops.variable:
        raise TypeError('formula: the function uses an array that has no value')
    if op.elementwise:
        return _elementwise_expression(node, operands)
    if op is ops.call:
        return _call_expressions(node, operands)
    if op is ops.project:
        return operands[0][node.params[0]]
    if op is ops.custom:
        return operands[0]
    if op not in _STRUCTURAL:
        raise TypeError(f'formula: {op.name} has no formula (in {node!r})')
    if op is ops.iota:
        return _each(_number, op.numpy(**_keywords(node)).astype(object))
    if op in _EXTREMES:
        return _extreme_expression(node, operands[0])
    return onp.asarray(op.numpy(*operands, **_keywords(node)), dtype=object)


_STRUCTURAL = {ops.iota, ops.reshape, ops.transpose, ops.broadcast, ops.slice_, ops.rev, ops.concatenate,
               ops.slice_update, ops.reduce_sum, ops.reduce_prod, ops.cumsum, ops.cumprod, ops.dot_general,
               ops.reduce_max, ops.reduce_min}
_EXTREMES = {ops.reduce_max: 'Max', ops.reduce_min: 'Min'}


def _keywords(node):
    return dict(zip(node.op.param_names, node.params or ()))


def _call_expressions(node, operands):
    body = node.params[0]
    known = {p.serial: x for p, x in zip(body.inputs, operands)}
    for inner in body.nodes():
        if inner.serial not in known:
            known[inner.serial] = _expression(inner, [known[c.serial] for c in inner.inputs])
    return [known[out.serial] for out in body.outputs]


def _extreme_expression(node, x):
    import sympy
    function, axes = getattr(sympy, _EXTREMES[node.op]), node.params[0]
    rest = [n for axis, n in enumerate(x.shape) if axis not in axes]
    rows = onp.moveaxis(x, axes, range(-len(axes), 0)).reshape(*rest, -1)
    result = onp.empty(rest, dtype=object)
    for index in onp.ndindex(*rest):
        result[index] = function(*rows[index])
    return result


def _elementwise_expression(node, operands):
    if node.op in _TRUTHS:
        return _each(_truth(node.op), *operands)
    if node.op is ops.convert:
        return _converted(node, operands[0])
    if node.op.formula is None:
        raise TypeError(f'formula: {node.op.name} has no formula (in {node!r})')
    template, letters = _template(node)
    return _each(lambda *values: template.xreplace(dict(zip(letters, values))), *operands)


def _converted(node, x):
    """A conversion: of booleans to 0 and 1, of floats to integers toward zero, else nothing."""
    import sympy
    kinds = dtypes.kind(node.inputs[0].aval.dtype) + dtypes.kind(node.aval.dtype)
    if kinds[0] == 'b' and kinds[1] != 'b':
        return _each(lambda b: sympy.Piecewise((1, b), (0, True)), x)
    if kinds[0] != 'b' and kinds[1] == 'b':
        return _each(lambda e: sympy.Ne(e, 0), x)
    if kinds in ('fi', 'fu'):
        return _each(lambda e: sympy.sign(e) * sympy.floor(sympy.Abs(e)), x)
    return x


def _template(node):
    """The table's formula as an expression, and its letters."""
    import sympy
    letters = [sympy.Dummy(c) for c in 'xyzw'[:len(node.inputs)]]
    names = {**dict(zip('xyzw', letters)), **_keywords(node), 'erfinv': sympy.erfinv, 'I': sympy.I}
    return sympy.sympify(node.op.formula, locals=names), letters


_TRUTHS = {ops.and_: 'And', ops.or_: 'Or', ops.xor: 'Xor', ops.not_: 'Not',
           ops.is_nan: False, ops.is_inf: False, ops.is_finite: True}


def _truth(op):
    """Of booleans; a symbol is taken to be finite."""
    import sympy
    found = _TRUTHS[op]
    return getattr(sympy, found) if isinstance(found, str) else lambda x: sympy.sympify(found)


# --- numbers ---------------------------------------------------------------------------------------------------

_CONSTANTS = ('pi', 'E', 'pi/2', '2*pi', 'log(2)', 'log(10)', '1/log(2)', '1/log(10)', 'sqrt(2)', 'sqrt(2)/2',
              'sqrt(pi)', '1/sqrt(pi)', '2/sqrt(pi)', 'sqrt(pi)/2', 'sqrt(2*pi)', '1/sqrt(2*pi)', 'sqrt(2/pi)',
              'log(2*pi)', 'log(2*pi)/2')
_DENOMINATOR = 1000


def _number(value):
    """A Python number exactly: as an integer, a small fraction, or a known constant where it is one."""
    import sympy
    if isinstance(value, (bool, int)):
        return sympy.sympify(value)
    if isinstance(value, complex):
        return _number(value.real) + sympy.I * _number(value.imag)
    value = float(value)
    if not math.isfinite(value):
        return sympy.nan if value != value else sympy.oo if value > 0 else -sympy.oo
    numerator, denominator = value.as_integer_ratio()
    near = sympy.Rational(numerator, denominator).limit_denominator(_DENOMINATOR)
    if float(near) == value:
        return near
    constant = _constants().get(abs(value))
    if constant is not None:
        return constant if value > 0 else -constant
    return sympy.Float(value)


_known_constants = {}


def _constants():
    import sympy
    if not _known_constants:
        for text in _CONSTANTS:
            expression = sympy.sympify(text)
            _known_constants[float(expression)] = expression
    return _known_constants


# --- from expressions to functions -------------------------------------------------------------------------------

def from_sympy(expression, *symbols):
    """The function of arrays that a SymPy expression stands for; elementwise, with broadcasting.

    expression: SymPy, or text that SymPy reads. symbols: what the function's arguments stand for, in order; by
    default the expression's free symbols by name. grad, vmap and jit apply to it as to any function.

    Raises ValueError where a symbol is missing, TypeError where a function has no array operation.

    >>> import lazy, sympy
    >>> x = sympy.Symbol('x')
    >>> f = lazy.from_sympy(x ** 2 * sympy.exp(-x), x)
    >>> round(float(f(2.0)), 4)
    0.5413
    """
    import sympy
    expression = sympy.sympify(expression)
    if not isinstance(expression, (sympy.Expr, sympy.logic.boolalg.Boolean)):
        raise TypeError(f'from_sympy needs an expression, not {type(expression).__name__}')
    parts = _parts(expression)
    used = {part for part in parts if part.is_Symbol}
    symbols = [sympy.sympify(s) for s in symbols] or sorted(used, key=str)
    missing = used - set(symbols)
    if missing:
        raise ValueError(f'the expression contains {", ".join(sorted(map(str, missing)))}, which is none of the '
                         f'arguments {", ".join(map(str, symbols))}')
    steps = _steps(expression, parts, symbols)

    def function(*args):
        if len(args) != len(symbols):
            raise TypeError(f'{len(symbols)} arguments are needed ({", ".join(map(str, symbols))}), got {len(args)}')
        values = []
        for build_, inputs in steps:
            values.append(wrap(arrays.as_node(args[inputs])) if build_ is None
                          else build_(*[values[i] for i in inputs]))
        return wrap(arrays.as_node(values[-1]))
    function.__name__ = 'from_sympy'
    if len(parts) < _LARGEST_DOC:                                    # printing recurses
        function.__doc__ = f'{expression} of {", ".join(map(str, symbols))}.'
    return function


def _parts(expression):
    """All parts of an expression, each once, those inside before those outside: by a loop, SymPy's walks recurse."""
    found, stack = {}, [(expression, False)]
    while stack:
        part, done = stack.pop()
        if part in found:
            continue
        if done or not part.args:
            found[part] = None
        else:
            stack.append((part, True))
            stack += [(inner, False) for inner in part.args]
    return list(found)


def _steps(expression, parts, symbols):
    """The expression as a list of (function of earlier values, their numbers), each part once.

    Parts without symbols are numbers, which SymPy computes.
    """
    steps, numbers, varying = [], {}, set()
    for part in parts:
        if part.is_Symbol or any(inner in varying for inner in part.args):
            varying.add(part)
    stack = [expression]
    while stack:
        part = stack.pop()
        if part in numbers:
            continue
        if part in symbols:
            function, inner = None, ()
        elif part in varying:
            function, inner = _convert(part)
            varying.update(i for i in inner if i not in numbers and any(p in varying for p in i.args))
        else:
            function, inner = _constant(part), ()
        missing = [p for p in inner if p not in numbers]
        if missing:
            stack += [part, *missing]
            continue
        numbers[part] = len(steps)
        steps.append((function, symbols.index(part) if part in symbols else [numbers[p] for p in inner]))
    return steps


def _constant(part):
    value = _python(part)
    return lambda: value


def _convert(part):
    """(function of values, the parts whose values it takes)."""
    import sympy
    if part.is_Add:
        return _add, part.args
    if part.is_Mul:
        return _product(part)
    if part.is_Pow:
        return _power(part)
    if isinstance(part, sympy.Piecewise):
        return _piecewise(part)
    if isinstance(part, sympy.polygamma):
        return _polygamma(part)
    found = _FUNCTIONS.get(type(part).__name__)
    if found is None:
        raise TypeError(f'from_sympy: there is no array operation for {type(part).__name__} (in {part})')
    return found, part.args


def _python(number):
    import sympy
    if number in (sympy.true, sympy.false):
        return bool(number)
    if number.is_Integer and abs(number) < 2 ** 31:
        return int(number)
    value = complex(number)
    return value if value.imag else value.real


def _op(op, kind='inexact'):
    return lambda *operands: arrays.elementwise(op, *operands, kind=kind)


_plus, _times, _minus = (_op(op, 'arithmetic') for op in (ops.add, ops.mul, ops.neg))
_over = _op(ops.div)
_lt, _eq, _and = _op(ops.lt, 'comparison'), _op(ops.eq, 'comparison'), _op(ops.and_, 'bits')
_sin, _cos, _sinh, _cosh = (_op(op) for op in (ops.sin, ops.cos, ops.sinh, ops.cosh))


def _where(condition, x, y):
    x, y = arrays.as_node(x), arrays.as_node(y)
    dtype, _ = dtypes.promote((x.aval.dtype, x.aval.weak), (y.aval.dtype, y.aval.weak))
    condition = build.convert(arrays.as_node(condition), dtypes.bool_)
    return wrap(build.select(condition, arrays.convert_operand(x, dtype), arrays.convert_operand(y, dtype)))


def _left(function):
    """An n-ary function from a binary one."""
    def fold(first, *rest):
        for other in rest:
            first = function(first, other)
        return first
    return fold


_add = _left(_plus)


def _is_inverse(factor):
    return factor.is_Pow and factor.exp.is_Number and factor.exp.is_negative


def _product(part):
    """Factors with negative exponents divide; -1 negates."""
    above = [f for f in part.args if not _is_inverse(f)]
    below = [1 / f for f in part.args if _is_inverse(f)]
    negative = bool(above) and above[0] == -1
    above = above[1:] if negative else above
    count = len(above)

    def multiply(*values):
        result = _left(_times)(*values[:count]) if count else 1
        if below:
            result = _over(result, _left(_times)(*values[count:]))
        return _minus(result) if negative else result
    return multiply, [*above, *below]


def _power(part):
    import sympy
    base, exponent = part.args
    if exponent == sympy.S.Half:
        return _op(ops.sqrt), (base,)
    if exponent == -sympy.S.Half:
        return _op(ops.rsqrt), (base,)
    if exponent.is_Integer:
        n = int(exponent)
        if n < 0:
            return lambda x: _op(ops.reciprocal)(arrays.power(wrap(arrays.as_node(x)), -n)), (base,)
        return lambda x: arrays.power(wrap(arrays.as_node(x)), n), (base,)
    return _op(ops.pow_), (base, exponent)


def _piecewise(part):
    """Nested choices; NaN where no condition holds."""
    def choose(*values):
        result = float('nan')
        for i in range(len(values) - 2, -1, -2):
            result = values[i] if values[i + 1] is True else _where(values[i + 1], values[i], result)
        return result
    return choose, [p for pair in part.args for p in (pair.expr, pair.cond)]


def _polygamma(part):
    n, x = part.args
    if not n.is_Integer:
        raise TypeError(f'from_sympy: polygamma needs an integer order (in {part})')
    if n == 0:
        return _op(ops.digamma), (x,)

    def polygamma(value):
        node = arrays.as_node(value)
        node = build.convert(node, dtypes.inexact_of(node.aval.dtype))
        return wrap(build.make(ops.polygamma, (node,), (int(n),)))
    return polygamma, (x,)


def _comparison(op):
    return _op(op, 'comparison')


_FUNCTIONS = {
    **{name: _op(ops.OPS[name]) for name in (
        'exp', 'log', 'sin', 'cos', 'tan', 'asin', 'acos', 'atan', 'atan2', 'sinh', 'cosh', 'tanh', 'asinh', 'acosh',
        'atanh', 'erf', 'erfc', 'floor', 'digamma')},
    'erfinv': _op(ops.erf_inv), 'loggamma': _op(ops.lgamma), 'gamma': _op(ops.gamma), 'ceiling': _op(ops.ceil),
    'factorial': lambda n: _op(ops.gamma)(_plus(n, 1.0)),
    'sec': lambda x: _over(1, _cos(x)), 'csc': lambda x: _over(1, _sin(x)), 'cot': lambda x: _over(_cos(x), _sin(x)),
    'sech': lambda x: _over(1, _cosh(x)), 'csch': lambda x: _over(1, _sinh(x)),
    'coth': lambda x: _over(_cosh(x), _sinh(x)),
    'sinc': lambda x: _where(_eq(x, 0), 1.0, _over(_sin(x), _where(_eq(x, 0), 1.0, x))),
    'Abs': _op(ops.abs_, 'arithmetic'), 'sign': _op(ops.sign, 'arithmetic'), 'conjugate': _op(ops.conj),
    're': _op(ops.real), 'im': _op(ops.imag), 'Mod': _op(ops.remainder, 'arithmetic'),
    'Max': _left(_op(ops.max_, 'comparison')), 'Min': _left(_op(ops.min_, 'comparison')),
    'Heaviside': lambda x, half=0.5: _where(_eq(x, 0), half, _where(_lt(x, 0), 0.0, 1.0)),
    'Equality': _comparison(ops.eq), 'Unequality': _comparison(ops.ne), 'StrictLessThan': _lt,
    'LessThan': _comparison(ops.le), 'StrictGreaterThan': _comparison(ops.gt), 'GreaterThan': _comparison(ops.ge),
    'And': _left(_and), 'Or': _left(_op(ops.or_, 'bits')), 'Xor': _left(_op(ops.xor, 'bits')),
    'Not': _op(ops.not_, 'bits')}
