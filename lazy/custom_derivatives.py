"""Functions whose derivatives the user gives: custom_jvp, custom_vjp, custom_gradient; closure_convert.

A call evaluates the function as it stands; its results are `custom` nodes, which derivatives enter through the
rule instead of through the function.
"""
import functools
import inspect

from . import trees as tree
from .array import wrap
from .evaluate import trace
from .ir import build, dtypes, ops
from .ir.graph import next_serial, substitute
from .transforms import nodes_of

__all__ = ['custom_jvp', 'custom_vjp', 'custom_gradient', 'closure_convert']


class _Custom:
    """What custom_jvp and custom_vjp share: arguments apart from those that aren't differentiated by."""
    kind = None

    def __init__(self, fun, nondiff_argnums=(), nondiff_argnames=()):
        if not callable(fun):
            raise TypeError(f'{self.kind} needs a function, not {type(fun).__name__}')
        functools.update_wrapper(self, fun)
        self.fun = fun
        numbers = (nondiff_argnums,) if isinstance(nondiff_argnums, int) else tuple(nondiff_argnums)
        names = (nondiff_argnames,) if isinstance(nondiff_argnames, str) else tuple(nondiff_argnames)
        if names:
            parameters = list(inspect.signature(fun).parameters)
            numbers = tuple(sorted({*numbers, *[parameters.index(name) for name in names]}))
        self.nondiff_argnums = numbers

    def __get__(self, instance, owner=None):
        return self if instance is None else functools.partial(self, instance)

    def __repr__(self):
        return f'<{self.kind} {self._name()}>'

    def _name(self):
        return getattr(self.fun, '__name__', str(self.fun))

    def _positional(self, args, kwargs):
        """All arguments by position: rules take no keywords."""
        if not kwargs:
            return args
        try:
            bound = inspect.signature(self.fun).bind(*args, **kwargs)
        except ValueError:
            raise TypeError(f'{self.kind} function {self._name()} takes no keyword arguments') from None
        bound.apply_defaults()
        if bound.kwargs:
            raise TypeError(f'the following keyword arguments of the {self.kind} function {self._name()} could not be '
                            f'resolved to positions: {", ".join(bound.kwargs)}')
        return bound.args

    def __call__(self, *args, **kwargs):
        self._check_defined()
        args = self._positional(args, kwargs)
        skipped = {n % len(args) for n in self.nondiff_argnums if -len(args) <= n < len(args)}
        nondiff = [args[i] for i in sorted(skipped)]
        leaves, treedef = tree.flatten([a for i, a in enumerate(args) if i not in skipped])
        nodes = nodes_of(leaves, f'an argument of {self._name()} (mark what is no array with nondiff_argnums)')

        def join(nodes):
            values, fixed = iter(tree.unflatten(treedef, [wrap(n) for n in nodes])), iter(nondiff)
            return [next(fixed) if i in skipped else next(values) for i in range(len(args))]
        result, out_treedef = tree.flatten(self.fun(*join(nodes)))
        values = nodes_of(result, f'the result of {self._name()}')
        rule = self._rule(_Call(self, nondiff, nodes, treedef, values, out_treedef, join))
        return tree.unflatten(out_treedef, [wrap(build.make(ops.custom, (value, *nodes), (rule, i)))
                                            for i, value in enumerate(values)])


class _Call:
    """One call of such a function, as its rule sees it: structures and types, no values."""

    def __init__(self, function, nondiff, nodes, treedef, values, out_treedef, join):
        self.function, self.nondiff, self.treedef, self.out_treedef = function, nondiff, treedef, out_treedef
        self.in_avals = [n.aval for n in nodes]
        self.out_avals = [n.aval for n in values]
        self.join = join

    def primals(self, nodes):
        return tree.unflatten(self.treedef, [wrap(n) for n in nodes])

    def results(self, value, what):
        """Nodes of a rule's primal result; TypeError where it hasn't the function's structure."""
        leaves, treedef = tree.flatten(value)
        if treedef != self.out_treedef:
            raise TypeError(f'{what} must produce a primal result with the structure of the function\'s, '
                            f'{self.out_treedef}, but it has {treedef}')
        nodes = nodes_of(leaves, what)
        for node, of in zip(nodes, self.out_avals):
            if node.aval.shape != of.shape or node.aval.dtype != of.dtype:
                raise TypeError(f'{what} must produce primal results with the shapes and dtypes of the function\'s, '
                                f'{of}, but produced {node.aval}')
        return nodes


def _fitting(node, of, what):
    """A tangent or cotangent as a node of the aval `of`: another width is converted, another kind refused."""
    if node.aval.shape != of.shape:
        raise TypeError(f'{what} has shape {node.aval.shape}, {of.shape} is needed')
    if dtypes.kind(node.aval.dtype) == 'c' and dtypes.kind(of.dtype) != 'c' or \
            not dtypes.is_inexact(node.aval.dtype) and not node.aval.weak:
        raise TypeError(f'{what} has dtype {node.aval.dtype.name}, {of.dtype.name} is needed')
    return build.convert(node, of.dtype)


def _zero_tangent(of):
    """Zeros; of integers and booleans in the default floating-point type."""
    return build.full(of.shape, 0, of.dtype if dtypes.is_inexact(of.dtype) else dtypes.default_float())


# --- forward rules ---------------------------------------------------------------------------------------------

class custom_jvp(_Custom):
    """A function with a rule for its derivatives, `defjvp(rule)`: rule(primals, tangents) -> (result, its tangent).

    The rule must be linear in the tangents; reverse mode transposes it. nondiff_argnums: arguments that are no
    arrays; the rule takes them first. Raises AttributeError when called without a rule.

    >>> import lazy, lazy.numpy as np
    >>> @lazy.custom_jvp
    ... def log1pexp(x):
    ...     return np.log(1 + np.exp(x))
    >>> @log1pexp.defjvp
    ... def rule(primals, tangents):
    ...     (x,), (t,) = primals, tangents
    ...     return log1pexp(x), t * (1 - 1 / (1 + np.exp(x)))
    >>> float(lazy.grad(log1pexp)(100.))
    1.0
    """
    kind = 'custom_jvp'
    jvp = None

    def defjvp(self, jvp, symbolic_zeros=False):
        """Set the rule: jvp(*nondiff, primals, tangents) -> (result, tangent of the result). Returns it."""
        self.jvp = jvp
        return jvp

    def defjvps(self, *jvps):
        """One function for each argument: jvp(tangent, result, *primals) -> its part of the tangent; None for zero."""
        if self.nondiff_argnums:
            raise TypeError("defjvps can't be used with nondiff_argnums")

        def jvp(primals, tangents):
            out = self(*primals)
            parts = [rule(t, out, *primals) for rule, t in zip(jvps, tangents) if rule is not None]
            if not parts:
                return out, tree.map(lambda leaf: wrap(build.zeros(leaf._node.aval)), out)
            return out, functools.reduce(lambda a, b: tree.map(lambda x, y: x + y, a, b), parts)
        self.jvp = jvp

    def _check_defined(self):
        if self.jvp is None:
            raise AttributeError(f'No JVP defined for custom_jvp function {self._name()} using defjvp.')

    def _rule(self, call):
        from .autodiff.custom import JvpRule
        return JvpRule(functools.partial(_push_custom, self.jvp, call))


def _push_custom(jvp, call, args, tangents):
    """Tangents of a call's results by the user's rule."""
    what = f'the custom JVP rule of {call.function._name()}'
    tangents = [_zero_tangent(x.aval) if t is None else t for x, t in zip(args, tangents)]
    result = jvp(*call.nondiff, tuple(call.primals(args)), tuple(call.primals(tangents)))
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise TypeError(f'{what} must produce a pair (tuple or list of length two) of primal and tangent results, but '
                        f'it produced {type(result).__name__}')
    call.results(result[0], what)
    leaves, treedef = tree.flatten(result[1])
    if treedef != call.out_treedef:
        raise TypeError(f'{what} must produce primal and tangent results with equal container (pytree) structures, '
                        f'but it produced {call.out_treedef} and {treedef}')
    nodes = nodes_of(leaves, what)
    return [_fitting(t, of, f'a tangent of {what}') if dtypes.is_inexact(of.dtype) else None
            for t, of in zip(nodes, call.out_avals)]


# --- backward rules ----------------------------------------------------------------------------------------------

class custom_vjp(_Custom):
    """A function with a rule for reverse mode, `defvjp(fwd, bwd)`.

    fwd(*args) -> (result, residuals); bwd(*nondiff, residuals, cotangent) -> a tuple with the cotangent of each
    argument, None where zero. Forward mode (jvp, jacfwd, linearize) raises TypeError.

    >>> import lazy, lazy.numpy as np
    >>> @lazy.custom_vjp
    ... def clip_gradient(x):
    ...     return x
    >>> clip_gradient.defvjp(lambda x: (x, None), lambda _, ct: (np.clip(ct, -1, 1),))
    >>> float(lazy.grad(lambda x: 5 * clip_gradient(x))(2.0))
    1.0
    """
    kind = 'custom_vjp'
    fwd = bwd = None

    def defvjp(self, fwd, bwd, symbolic_zeros=False, optimize_remat=False):
        """Set the forward and backward passes."""
        self.fwd, self.bwd = fwd, bwd

    def _check_defined(self):
        if self.fwd is None or self.bwd is None:
            raise AttributeError(f'No VJP defined for custom_vjp function {self._name()} using defvjp.')

    def _rule(self, call):
        from .autodiff.custom import VjpRule
        return VjpRule(functools.partial(_forward_custom, self.fwd, self.bwd, call))


def _forward_custom(fwd, bwd, call, args):
    """(results, residuals, backward) by the user's rules, as nodes."""
    what = f'the custom VJP fwd rule of {call.function._name()}'
    result = fwd(*call.join(args))
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise TypeError(f'{what} must produce a pair (tuple or list of length two) of the primal result and the '
                        f'residuals, but it produced {type(result).__name__}')
    values = call.results(result[0], what)
    residuals, treedef = tree.flatten(result[1])

    def backward(residuals, cotangents):
        residual = tree.unflatten(treedef, [wrap(r) for r in residuals])
        given = tree.unflatten(call.out_treedef, [wrap(ct) for ct in cotangents])
        return _cotangents(bwd(*call.nondiff, residual, given), call)
    return values, nodes_of(residuals, what), backward


def _cotangents(found, call):
    """Nodes, or None where zero, for all leaves of the arguments, from what a bwd rule returned."""
    what = f'the custom VJP bwd rule of {call.function._name()}'
    arguments = tree.unflatten(call.treedef, range(len(call.in_avals)))
    if not isinstance(found, (tuple, list)) or len(found) != len(arguments):
        count = f'{type(found).__name__} of length {len(found)}' if isinstance(found, (tuple, list)) else \
            type(found).__name__
        raise TypeError(f'{what} must produce an output with the same container (pytree) structure as the args tuple '
                        f'of the primal function: a tuple of length {len(arguments)}, but it produced a {count}')
    result = []
    for ct, argument in zip(found, arguments):
        avals = [call.in_avals[i] for i in tree.leaves(argument)]
        result += [None if leaf is None else _cotangent(leaf, of, what)
                   for leaf, of in zip(_leaves_like(ct, argument, what), avals)]
    return result


def _leaves_like(ct, argument, what):
    """The leaves of ct for those of an argument; None stands for zeros of a whole subtree."""
    structure = tree.structure(argument)
    if ct is None:
        return [None] * structure.num_leaves
    leaves, treedef = tree.flatten(ct)
    if treedef != structure:
        leaves, treedef = tree.flatten(ct, is_leaf=lambda x: x is None)
        if len(leaves) != structure.num_leaves:
            raise TypeError(f'{what} must produce cotangents with the structure of the arguments: {structure} is '
                            f'needed, got {tree.structure(ct)}')
    return leaves


def _cotangent(leaf, of, what):
    if not dtypes.is_inexact(of.dtype):
        return None
    node, = nodes_of([leaf], what)
    return _fitting(node, of, f'a cotangent of {what}')


def custom_gradient(fun):
    """A function that returns (result, vjp function), as one with that derivative in reverse mode.

    >>> import lazy
    >>> @lazy.custom_gradient
    ... def f(x):
    ...     return x ** 2, lambda ct: ct * 10
    >>> float(f(3.0)), float(lazy.grad(f)(3.0))
    (9.0, 10.0)
    """
    @custom_vjp
    def value(*args):
        return fun(*args)[0]

    def forward(*args):
        result, vjp = fun(*args)
        cotangents = tree.map(lambda leaf: wrap(build.variable(nodes_of([leaf], 'custom_gradient')[0].aval)), result)
        converted, residuals = closure_convert(vjp, cotangents)
        return result, (residuals, _Static((converted, len(args))))

    def backward(residual, cotangents):
        residuals, static = residual
        converted, count = static.value
        found = converted(cotangents, *residuals)
        return (found,) if count == 1 and not isinstance(found, (tuple, list)) else tuple(found)
    value.defvjp(forward, backward)
    return functools.wraps(fun)(value)


class _Static:
    """A Python value inside of a pytree that has no leaves."""

    def __init__(self, value):
        self.value = value


tree.register(_Static, lambda s: ((), s), lambda s, _: s)


def closure_convert(fun, *example_args):
    """(converted, values): what fun closes over as arguments, fun(*args) == converted(*args, *values).

    For rules of custom_vjp that take functions: the values that fun closes over get cotangents like any argument.

    >>> import lazy
    >>> scale = lazy.numpy.array(3.0)
    >>> converted, values = lazy.closure_convert(lambda x: scale * x, 1.0)
    >>> float(converted(2.0, *values))
    6.0
    """
    from .autodiff.calls import captured
    leaves, treedef = tree.flatten(example_args)
    start = next_serial()
    avals = [n.aval for n in nodes_of(leaves, 'closure_convert')]
    with trace():
        variables = [build.variable(of) for of in avals]
        result, out_treedef = tree.flatten(fun(*tree.unflatten(treedef, [wrap(v) for v in variables])))
        outputs = nodes_of(result, 'the result of the function')
    outside = [n for n in captured(outputs, variables, start) if dtypes.is_inexact(n.aval.dtype)]

    def converted(*args):
        count = len(example_args)
        given = nodes_of(tree.leaves(args[:count]) + list(args[count:]), 'closure_convert')
        mapping = {old.serial: build.convert(new, old.aval.dtype, old.aval.weak)
                   for old, new in zip([*variables, *outside], given)}
        return tree.unflatten(out_treedef, [wrap(n) for n in substitute(outputs, mapping)])
    return converted, [wrap(n) for n in outside]
