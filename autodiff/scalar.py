"""Derivatives of elementwise operations, from the expressions in the table of operations.

An expression such as '1 - r * r' is parsed once to a small tree and then built as nodes over the operands x, y, z, w
and the result r. Calls name operations: 'integer_pow(x, n=n - 1)'.
"""
import ast
from functools import lru_cache

from ..ir import build, ops
from ..ir.graph import make

_BINARY = {ast.Add: ops.add, ast.Sub: ops.sub, ast.Mult: ops.mul, ast.Div: ops.div, ast.BitOr: ops.or_,
           ast.BitAnd: ops.and_}
_COMPARE = {ast.Gt: ops.gt, ast.Lt: ops.lt, ast.Eq: ops.eq, ast.GtE: ops.ge, ast.LtE: ops.le, ast.NotEq: ops.ne}


@lru_cache(maxsize=None)
def parse(text):
    return ast.parse(text, mode='eval').body


def partial(node, index, tangent, guarded=False):
    """tangent times the derivative of `node` by operand `index`; None where that is zero.

    guarded: a tangent of exactly zero stays zero, whatever the derivative is.
    """
    if node.op is ops.integer_pow:
        return _integer_pow_partial(node, tangent, guarded)
    text = node.op.partials[index]
    if text is None:
        raise NotImplementedError(f'the derivative of {node.op.name} by argument {index} is not defined')
    if text == '0':
        return None
    if text == '1':
        return tangent
    if text == '-1':
        return build.neg(tangent)
    derivative = build_expression(parse(text), node)
    if (guarded or node.op.singular) and derivative.op is not ops.literal:
        return build.safe_mul(tangent, derivative)
    return build.mul(tangent, derivative)


def _integer_pow_partial(node, tangent, guarded):
    """n * x**(n - 1), whose constant cases must not become 0 * inf at 0 when they are differentiated again."""
    x, (n,) = node.inputs[0], node.params
    if n == 0:
        return None
    if n == 1:
        return tangent
    slope = build.mul(build.scalar_like(x, n), build.integer_pow(x, n - 1))
    return build.safe_mul(tangent, slope) if guarded or n < 0 else build.mul(tangent, slope)


def build_expression(tree, node):
    """The nodes of a parsed expression, for the operands, result and parameters of `node`."""
    names = dict(zip('xyzw', node.inputs), r=node)
    params = dict(zip(node.op.param_names, node.params or ()))
    return _built(tree, names, params)


def _built(t, names, params):
    """The node of an expression. (No inner function: one that calls itself keeps what it refers to until the garbage
    collector finds it, and evaluation computes what is kept.)"""
    if isinstance(t, ast.Constant):
        return build.scalar_like(names['x'], t.value)
    if isinstance(t, ast.Name):
        return names[t.id] if t.id in names else build.scalar_like(names['x'], params[t.id])
    if isinstance(t, ast.Call):
        values = tuple([_python(k.value, params) for k in t.keywords]) or None
        return make(ops.OPS[t.func.id], [_built(a, names, params) for a in t.args], values)
    if isinstance(t, ast.UnaryOp):
        return build.neg(_built(t.operand, names, params))
    if isinstance(t, ast.BinOp):
        return build.apply(_BINARY[type(t.op)], _built(t.left, names, params), _built(t.right, names, params))
    return build.apply(_COMPARE[type(t.ops[0])], _built(t.left, names, params), _built(t.comparators[0], names, params))


def _python(tree, params):
    """A parameter's expression over parameters, as a Python value."""
    if isinstance(tree, ast.Constant):
        return tree.value
    if isinstance(tree, ast.Name):
        return params[tree.id]
    left, right = _python(tree.left, params), _python(tree.right, params)
    return left + right if isinstance(tree.op, ast.Add) else left - right
