"""Solutions of linear equations by functions of the user's, differentiated through the equation."""
import functools

from .. import trees as tree
from ..array import wrap
from ..evaluate import trace
from ..ir import build, dtypes, ops
from ..ir.graph import next_serial, substitute
from ..transforms import jvp, linear_transpose, nodes_of, stop_gradient


def custom_linear_solve(matvec, b, solve, transpose_solve=None, symmetric=False, has_aux=False):
    """solve(matvec, b), with the derivatives of the solution x of matvec(x) = b.

    matvec: a linear function from trees like b to trees like b; what it closes over is differentiated by.
    solve(matvec, b) -> x; transpose_solve(vecmat, ct) -> the solution of the transposed equation, which reverse mode
    needs: with symmetric, solve serves for both. All are traced: they can't ask for values. has_aux: solve and
    transpose_solve return (x, aux), and so does this; the derivatives of aux are zero.

    With A x = b, dx solves A dx = db - dA x, and the cotangent of b solves the transposed equation (implicit function
    theorem). Raises TypeError where trees, shapes or dtypes differ, and in reverse mode without transpose_solve.

    >>> import lazy, lazy.numpy as np
    >>> dense = lambda matvec, b: np.linalg.solve(lazy.jacfwd(matvec)(b), b)
    >>> f = lambda d: lazy.lax.custom_linear_solve(lambda x: d * x, np.ones(2), dense, symmetric=True)
    >>> lazy.grad(lambda d: f(d).sum())(np.array([1.0, 2.0])).tolist()
    [-1.0, -0.25]
    """
    leaves, treedef = tree.flatten(b)
    nodes = nodes_of(leaves, 'b of custom_linear_solve')
    if not all(dtypes.is_inexact(n.aval.dtype) for n in nodes):
        raise TypeError(f'custom_linear_solve needs b of floating-point numbers, got {[n.aval for n in nodes]}')
    zeros = tree.unflatten(treedef, [wrap(build.zeros(n.aval)) for n in nodes])
    vecmat = matvec if symmetric else lambda y: linear_transpose(matvec, zeros)(y)[0]
    transpose_solve = solve if symmetric and transpose_solve is None else transpose_solve
    trace_of = functools.partial(_Traced, treedef, [n.aval for n in nodes])
    forms = [trace_of('matvec', matvec), trace_of('solve', lambda x: solve(matvec, x), has_aux)]
    if transpose_solve is not None:
        forms += [trace_of('the transpose of matvec', vecmat),
                  trace_of('transpose_solve', lambda x: transpose_solve(vecmat, x), has_aux)]
    values, aux = forms[1](nodes, forms[1].closed)
    x = _Equation(forms).results(values, nodes, [form.closed for form in forms])
    x = tree.unflatten(treedef, [wrap(n) for n in x])
    return (x, stop_gradient(tree.unflatten(forms[1].aux_treedef, [wrap(n) for n in aux]))) if has_aux else x


class _Traced:
    """A function of trees like b as a graph: of b's leaves, and of the nodes `closed` that it closes over."""

    def __init__(self, treedef, avals, name, function, has_aux=False):
        from ..autodiff.calls import captured
        start = next_serial()
        with trace():
            self.variables = [build.variable(a) for a in avals]
            found = function(tree.unflatten(treedef, [wrap(v) for v in self.variables]))
        result, aux = found if has_aux else (found, ())
        leaves, structure = tree.flatten(result)
        self.outputs = nodes_of(leaves, f'the result of {name}')
        aux, self.aux_treedef = tree.flatten(aux)
        self.aux = nodes_of(aux, f'what {name} returns besides')
        got = [o.aval for o in self.outputs]
        if structure != treedef or [(a.shape, a.dtype) for a in got] != [(a.shape, a.dtype) for a in avals]:
            raise TypeError(f'{name} must give what b is, {avals} in {treedef}, but gave {got} in {structure}')
        self.closed = captured([*self.outputs, *self.aux], self.variables, start)

    def __call__(self, nodes, closed):
        """(results, aux) for other arguments, and other values of what is closed over."""
        mapping = {old.serial: new for old, new in zip([*self.variables, *self.closed], [*nodes, *closed])}
        found = substitute([*self.outputs, *self.aux], mapping)
        return found[:len(self.outputs)], found[len(self.outputs):]


class _Equation:
    """matvec(x) = b as forms [matvec, solve] or [matvec, solve, vecmat, transpose_solve], for each of which `closed`
    is a list of nodes."""

    def __init__(self, forms):
        self.forms = forms

    def solution(self, b, closed):
        return self.results(self.forms[1](b, closed[1])[0], b, closed)

    def results(self, values, b, closed):
        """The solution, computed as `values`, with its derivatives."""
        from ..autodiff.custom import JvpRule
        rule = JvpRule(self._tangents, self._cotangents)
        arguments = [*b, *[node for nodes in closed for node in nodes]]
        return [build.make(ops.custom, (value, *arguments), (rule, i)) for i, value in enumerate(values)]

    def _split(self, arguments):
        """b, and what each form closes over."""
        rest = iter(arguments)
        take = lambda nodes: [next(rest) for _ in nodes]
        return take(self.forms[0].variables), [take(form.closed) for form in self.forms]

    def _tangents(self, arguments, tangents):
        (b, closed), (directions, (of_matrix, *_)) = self._split(arguments), self._split(tangents)
        right = [build.zeros(n.aval) if t is None else t for n, t in zip(b, directions)]
        live = [i for i, t in enumerate(of_matrix) if t is not None]
        if live:
            x = self.solution(b, closed)

            def product(*given):
                new = dict(zip(live, given))
                nodes, _ = self.forms[0](x, [new[i]._node if i in new else n for i, n in enumerate(closed[0])])
                return [wrap(n) for n in nodes]
            _, moved = jvp(product, [wrap(closed[0][i]) for i in live], [wrap(of_matrix[i]) for i in live])
            right = [build.sub(r, m._node) for r, m in zip(right, moved)]
        return self.solution(right, closed)

    def _cotangents(self, arguments, index, ct):
        if len(self.forms) == 2:
            raise TypeError('custom_linear_solve needs transpose_solve, or symmetric=True, for reverse mode')
        b, closed = self._split(arguments)
        right = [ct if i == index else build.zeros(n.aval) for i, n in enumerate(b)]
        turned = _Equation([*self.forms[2:], *self.forms[:2]])
        found = turned.solution(right, [*closed[2:], *closed[:2]])
        return [*found, *[None] * (len(arguments) - len(b))]
