"""Python source of a kernel, rewritten so that executing it means what compiling it means.

    x = a < b < c and not d
    ->  x = lazy_value(lazy_logical(True, lambda: a < b, lambda: b < c, lambda: lazy_not(d)))

The compiler makes tensors of assigned numbers, and applies `and`, `or`, `not` and chained
comparisons elementwise, while Python asks whole tensors for their truth. Triton's own library
(argmax) relies on that. The stock interpreter rewrites assignments, and from 3.9 on comparisons.
"""

import ast

VALUE, LOGICAL, NOT = 'lazy_value', 'lazy_logical', 'lazy_not'


def _call(function, *operands):
    return ast.Call(func=ast.Name(id=function, ctx=ast.Load()), args=list(operands), keywords=[])


def _later(value):
    empty = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
    return ast.Lambda(args=empty, body=value)


def _logical(conjunction, values):
    return _call(LOGICAL, ast.Constant(value=conjunction), *map(_later, values))


class Rewriter(ast.NodeTransformer):
    """Replaces the four constructs named above."""

    def visit_Assign(self, node):
        self.generic_visit(node)
        if len(node.targets) > 1:
            raise SyntaxError('a kernel cannot assign to several targets at once (a = b = c)')
        node.value = _call(VALUE, node.value)
        return node

    def visit_Compare(self, node):
        self.generic_visit(node)
        if len(node.ops) == 1:
            return node
        operands = [node.left, *node.comparators]
        pairs = [ast.Compare(left=left, ops=[op], comparators=[right])
                 for left, op, right in zip(operands, node.ops, node.comparators)]
        return ast.copy_location(_logical(True, pairs), node)

    def visit_BoolOp(self, node):
        self.generic_visit(node)
        return ast.copy_location(_logical(isinstance(node.op, ast.And), node.values), node)

    def visit_UnaryOp(self, node):
        self.generic_visit(node)
        if isinstance(node.op, ast.Not):
            return ast.copy_location(_call(NOT, node.operand), node)
        return node


def helpers(tensor_type, make_tensor):
    """The functions that rewritten source calls: {name: function}."""

    def logical(conjunction, *values):
        """Numbers known in advance decide at once or drop out; tensors are combined elementwise."""
        result = None
        for value in values:
            value = value()
            if not isinstance(value, tensor_type):
                if bool(value) is not conjunction:
                    return value
                last = value
            elif result is None:
                result = value
            else:
                result = result.logical_and(value) if conjunction else result.logical_or(value)
        return last if result is None else result

    def negation(value):
        return value.__not__() if isinstance(value, tensor_type) else not value

    return {VALUE: lambda value: make_tensor(value, False), LOGICAL: logical, NOT: negation}
