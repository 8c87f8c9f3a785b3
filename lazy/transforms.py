"""Transformations of functions: derivatives, batching, abstract evaluation.

A function is traced by calling it with arrays whose nodes are variables; what it returns is the graph, and the
graph is transformed. Under differentiation variables have values (they are aliases of the arguments), so that
Python's `if` works; under vmap, jit and eval_shape they have none.
"""
import functools

from . import trees as tree
from .array import as_node, wrap
from .evaluate import trace
from .ir import build, dtypes, ops
from .ir.graph import Node, aval, next_serial, substitute

__all__ = ['grad', 'value_and_grad', 'jvp', 'vjp', 'linearize', 'vmap', 'stop_gradient', 'eval_shape',
           'ShapeDtypeStruct', 'linear_transpose']


# --- helpers that all share -------------------------------------------------------------------------------------

def alias(node):
    """A node with the value of `node` and an identity of its own: what a derivative is taken by."""
    return Node(ops.identity, (node,), None, node.aval)


def nodes_of(values, what):
    """Nodes of leaves; TypeError that names the leaf which is no array."""
    result = []
    for leaf in values:
        try:
            result.append(as_node(leaf))
        except TypeError as error:
            raise TypeError(f'{what}: {error}') from None
    return result


def _outputs(result, what):
    """(leaves as nodes, treedef) of what a function returned."""
    leaves, treedef = tree.flatten(result)
    return nodes_of(leaves, f'the result of {what}'), treedef


def _name(f):
    return getattr(f, '__name__', type(f).__name__)


def wraps(f, name):
    def decorate(g):
        try:
            functools.update_wrapper(g, f)
            g.__name__ = f'{name}_{_name(f)}'
        except (AttributeError, TypeError):
            pass                                                     # callables without attributes
        return g
    return decorate


def _check_inexact(node, what):
    if not dtypes.is_inexact(node.aval.dtype):
        raise TypeError(f'{what} requires real- or complex-valued inputs (input dtype that is a sub-dtype of '
                        f'np.inexact), but got {node.aval.dtype.name}. Convert the argument to a float, or use '
                        f'argnums to differentiate by another.')


# --- reverse mode -------------------------------------------------------------------------------------------------

def _argnums(argnums, args, name):
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for n in numbers:
        if not -len(args) <= n < len(args):
            raise ValueError(f'{name} by argument {n} (argnums={argnums}), but only {len(args)} positional '
                             f'arguments were given')
    return tuple([n % len(args) for n in numbers])


def value_and_grad(fun, argnums=0, has_aux=False, holomorphic=False, allow_int=False):
    """Function of the same arguments that gives (value, gradient).

    fun: returns a scalar (a pair (scalar, anything) with has_aux). argnums: the positional arguments, int or
    sequence, to differentiate by; each may be a pytree of floating-point arrays. The gradient has the structure,
    shapes and dtypes of those arguments. Reverse mode: the cost of a few evaluations of fun whatever their number.
    By complex x + iy the gradient of a real fun is df/dx - i df/dy, as JAX's: a step along its conjugate climbs.
    holomorphic: fun is complex, of complex arguments, and the gradient is its derivative.

    Raises TypeError where fun isn't scalar-valued, or real without holomorphic, or an argument isn't inexact.

    >>> import lazy
    >>> value, slope = lazy.value_and_grad(lambda x: x ** 2)(3.0)
    >>> float(value), float(slope)
    (9.0, 6.0)
    """
    if not callable(fun):
        raise TypeError(f'value_and_grad needs a function, not {type(fun).__name__}')

    def differentiated(args, kwargs):
        """Nodes only, (value, aux, gradients, structure): what lies between is gone when they become arrays."""
        chosen = _argnums(argnums, args, 'grad')
        flat, treedef = tree.flatten([args[i] for i in chosen])
        primals = nodes_of(flat, 'grad')
        for node in primals:
            if not (allow_int and not dtypes.is_inexact(node.aval.dtype)):
                _check_inexact(node, 'grad')
            if dtypes.kind(node.aval.dtype) != 'c' and holomorphic:
                raise TypeError(f'grad with holomorphic=True requires inputs with complex dtype, but got '
                                f'{node.aval.dtype.name}')
        with trace(keeping=True):
            variables = [alias(node) for node in primals]
            new = list(args)
            for i, value in zip(chosen, tree.unflatten(treedef, [wrap(v) for v in variables])):
                new[i] = value
            result, aux = fun(*new, **kwargs), None
            if has_aux:
                if not isinstance(result, (tuple, list)) or len(result) != 2:
                    raise TypeError('with has_aux=True the function must return a pair (value, aux)')
                result, aux = result
            out = _scalar_result(result, holomorphic)
            (out,), pullback = _linearized([out], variables)
            return out, aux, pullback([build.ones(out.aval)]), treedef

    @wraps(fun, 'value_and_grad')
    def value_and_gradient(*args, **kwargs):
        out, aux, grads, treedef = differentiated(args, kwargs)
        gradient = tree.unflatten(treedef, [wrap(g) for g in grads])
        gradient = gradient[0] if isinstance(argnums, int) else tuple(gradient)
        return ((wrap(out), aux), gradient) if has_aux else (wrap(out), gradient)
    return value_and_gradient


def grad(fun, argnums=0, has_aux=False, holomorphic=False, allow_int=False):
    """Function of the same arguments that gives the gradient: see value_and_grad.

    >>> import lazy
    >>> float(lazy.grad(lambda x: x ** 3)(2.0))
    12.0
    """
    if not callable(fun):
        raise TypeError(f'grad needs a function, not {type(fun).__name__}')
    both = value_and_grad(fun, argnums, has_aux, holomorphic, allow_int)

    @wraps(fun, 'grad')
    def gradient(*args, **kwargs):
        value, slope = both(*args, **kwargs)
        return (slope, value[1]) if has_aux else slope
    return gradient


def _scalar_result(result, holomorphic):
    leaves, _ = tree.flatten(result)
    if len(leaves) != 1 or isinstance(result, (tuple, list, dict)):
        raise TypeError(f'grad is for functions with one scalar result, this one returned {type(result).__name__} '
                        f'of {len(leaves)} leaves')
    out = nodes_of(leaves, 'the result of the function')[0]
    if out.aval.shape:
        raise TypeError(f'grad is for scalar-output functions, but this one returned shape {out.aval.shape}. Use '
                        'jacrev or jacfwd, or reduce the result first')
    kind = dtypes.kind(out.aval.dtype)
    if kind not in ('c' if holomorphic else 'f'):
        hint = '' if holomorphic or kind != 'c' else '. For holomorphic functions pass holomorphic=True, for others use vjp'
        raise TypeError(f'grad requires {"complex" if holomorphic else "real"}-valued outputs, but got '
                        f'{out.aval.dtype.name}{hint}')
    return out


def _linearized(outputs, variables):
    """(outputs, pullback): forward with fresh tangents at once, so that values computed later don't cut the graph.

    pullback(cotangents) transposes the tangents' graph: cotangents of the variables.
    """
    from .autodiff.jvp import push
    from .autodiff.transpose import transpose
    tangents = [build.variable(v.aval) if dtypes.is_inexact(v.aval.dtype) else None for v in variables]
    outputs, out_tangents = push(outputs, variables, tangents)
    live = [t for t in tangents if t is not None]

    def pullback(cotangents):
        found = iter(transpose(out_tangents, cotangents, live))
        grads = []
        for v, t in zip(variables, tangents):
            g = None if t is None else next(found)
            grads.append(build.zeros(v.aval) if g is None else build.convert(g, v.aval.dtype, v.aval.weak))
        return grads
    return outputs, pullback


def vjp(fun, *primals, has_aux=False):
    """(fun(*primals), pullback); pullback(cotangents) gives a tuple of cotangents of the primals.

    >>> import lazy, lazy.numpy as np
    >>> y, pullback = lazy.vjp(np.sin, 0.0)
    >>> float(pullback(np.float32(2.))[0])
    2.0
    """
    flat, treedef = tree.flatten(primals)
    nodes = nodes_of(flat, 'vjp')
    with trace(keeping=True):
        variables = [alias(node) for node in nodes]
        result = fun(*tree.unflatten(treedef, [wrap(v) for v in variables]))
        if has_aux:
            result, aux = result
        outputs, out_treedef = _outputs(result, _name(fun))
        outputs, pull = _linearized(outputs, variables)

    def pullback(cotangents):
        leaves, given = tree.flatten(cotangents)
        if given != out_treedef:
            raise TypeError(f'the cotangent has the structure {given}, the result {out_treedef}')
        cts = nodes_of(leaves, 'the cotangent')
        for ct, out in zip(cts, outputs):
            if ct.aval.shape != out.aval.shape:
                raise ValueError(f'a cotangent has shape {ct.aval.shape}, the result {out.aval.shape}')
        cts = [build.convert(ct, out.aval.dtype) if dtypes.is_inexact(out.aval.dtype) else None
               for ct, out in zip(cts, outputs)]
        with trace(keeping=True):
            grads = pull(cts)
        return tree.unflatten(treedef, [wrap(g) for g in grads])
    value = tree.unflatten(out_treedef, [wrap(out) for out in outputs])
    return (value, pullback, aux) if has_aux else (value, pullback)


# --- forward mode -------------------------------------------------------------------------------------------------

def jvp(fun, primals, tangents, has_aux=False):
    """(fun(*primals), tangent of the result) for tangents of the primals.

    primals, tangents: tuples of pytrees of the same structure; a tangent has its primal's shape and dtype.

    >>> import lazy, lazy.numpy as np
    >>> y, t = lazy.jvp(np.sin, (0.0,), (2.0,))
    >>> float(t)
    2.0
    """
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise TypeError('jvp takes its primals and tangents as tuples or lists')
    flat, treedef = tree.flatten(tuple(primals))
    flat_tangents, tangent_treedef = tree.flatten(tuple(tangents))
    if treedef != tangent_treedef:
        raise TypeError(f'primals and tangents differ in structure: {treedef} and {tangent_treedef}')
    nodes, directions = nodes_of(flat, 'jvp'), nodes_of(flat_tangents, 'jvp')
    with trace(keeping=True):
        variables = [alias(node) for node in nodes]
        given = [_tangent(t, v) for t, v in zip(directions, variables)]
        result = fun(*tree.unflatten(treedef, [wrap(v) for v in variables]))
        if has_aux:
            result, aux = result
        outputs, out_treedef = _outputs(result, _name(fun))
        found = _push_forward(outputs, variables, given)
        found = [build.zeros(_tangent_aval(out)) if t is None else build.convert(t, out.aval.dtype, out.aval.weak)
                 for out, t in zip(outputs, found)]
    value = tree.unflatten(out_treedef, [wrap(out) for out in outputs])
    tangent = tree.unflatten(out_treedef, [wrap(t) for t in found])
    return (value, tangent, aux) if has_aux else (value, tangent)


def _push_forward(outputs, variables, tangents):
    """Tangents of outputs; TypeError where a custom_vjp function is on the way."""
    from .autodiff.custom import check_forward
    from .autodiff.jvp import jvp as push
    start = next_serial()
    found = push(outputs, variables, tangents)
    check_forward(found, start)
    return found


def _tangent(tangent, primal):
    if tangent.aval.shape != primal.aval.shape:
        raise ValueError(f'jvp: a tangent of shape {tangent.aval.shape} was given for a primal of shape '
                         f'{primal.aval.shape}')
    if not dtypes.is_inexact(primal.aval.dtype):
        return None
    if tangent.aval.dtype != primal.aval.dtype and not tangent.aval.weak:
        raise TypeError(f'jvp: a tangent of dtype {tangent.aval.dtype} was given for a primal of '
                        f'{primal.aval.dtype}')
    return build.convert(tangent, primal.aval.dtype)


def _tangent_aval(node):
    """Integers and booleans have float tangents that are zero."""
    a = node.aval
    return a if dtypes.is_inexact(a.dtype) else aval(a.shape, dtypes.default_float())


def linearize(fun, *primals):
    """(fun(*primals), f_jvp): the linear map of tangents, with what fun computed reused at each call.

    >>> import lazy, lazy.numpy as np
    >>> y, push = lazy.linearize(np.sin, 0.0)
    >>> float(push(3.0))
    3.0
    """
    flat, treedef = tree.flatten(primals)
    nodes = nodes_of(flat, 'linearize')
    with trace(keeping=True):
        variables = [alias(node) for node in nodes]
        result = fun(*tree.unflatten(treedef, [wrap(v) for v in variables]))
        outputs, out_treedef = _outputs(result, _name(fun))
        placeholders = [build.variable(v.aval) if dtypes.is_inexact(v.aval.dtype) else None for v in variables]
        found = _push_forward(outputs, variables, placeholders)

    def f_jvp(*tangents):
        leaves, given = tree.flatten(tangents)
        if given != treedef:
            raise TypeError(f'the tangents have the structure {given}, the primals {treedef}')
        with trace(keeping=True):
            values = [_tangent(t, v) for t, v in zip(nodes_of(leaves, 'linearize'), variables)]
            mapping = {p.serial: t for p, t in zip(placeholders, values) if p is not None}
            new = substitute([build.zeros(_tangent_aval(o)) if t is None else t for o, t in zip(outputs, found)],
                             mapping)
        return tree.unflatten(out_treedef, [wrap(t) for t in new])
    return tree.unflatten(out_treedef, [wrap(out) for out in outputs]), f_jvp


def linear_transpose(fun, *primals):
    """The transpose of a linear function: cotangents of results to cotangents of arguments.

    >>> import lazy, lazy.numpy as np
    >>> float(lazy.linear_transpose(lambda x: 3 * x, np.float32(0))(np.float32(2))[0])
    6.0
    """
    from .autodiff.transpose import transpose
    flat, treedef = tree.flatten(primals)
    variables = [build.variable(_aval_of(leaf)) for leaf in flat]
    with trace():
        outputs, out_treedef = _outputs(fun(*tree.unflatten(treedef, [wrap(v) for v in variables])), _name(fun))

    def transposed(cotangent):
        cts = nodes_of(tree.leaves(cotangent), 'linear_transpose')
        with trace(keeping=True):
            found = transpose(outputs, cts, variables)
        return tree.unflatten(treedef, [wrap(build.zeros(v.aval) if g is None else g)
                                        for v, g in zip(variables, found)])
    return transposed


# --- batching -------------------------------------------------------------------------------------------------------

def vmap(fun, in_axes=0, out_axes=0, axis_name=None, axis_size=None, spmd_axis_name=None):
    """fun over a batch axis of its arguments, by rewriting the graph of one call.

    in_axes: an int, None (not batched), or a tree prefix of the arguments' tuple; out_axes likewise for the result.

    Raises ValueError where the sizes of batch axes differ or in_axes doesn't fit the arguments.

    >>> import lazy, lazy.numpy as np
    >>> lazy.vmap(np.dot)(np.ones((3, 2)), np.ones((3, 2))).tolist()
    [2.0, 2.0, 2.0]
    """
    if not callable(fun):
        raise TypeError(f'vmap needs a function, not {type(fun).__name__}')
    if isinstance(in_axes, list):
        in_axes = tuple(in_axes)
    if not (in_axes is None or isinstance(in_axes, (int, tuple, dict))):
        raise TypeError(f'in_axes of vmap must be an int, None, or a tuple, got {type(in_axes).__name__}')

    @wraps(fun, 'vmap')
    def batched(*args, **kwargs):
        from .autodiff.batching import batch
        flat, treedef = tree.flatten((args, kwargs))
        axes = _axes_of(in_axes, args, kwargs)
        nodes = nodes_of(flat, 'vmap')
        size = _batch_size(nodes, axes, axis_size)
        leading = [n if a is None else build.moveaxis(n, _positive(a, n), 0) for n, a in zip(nodes, axes)]
        with trace():
            variables = [n if a is None else build.variable(aval(n.aval.shape[1:], n.aval.dtype, n.aval.weak))
                         for n, a in zip(leading, axes)]
            new_args, new_kwargs = tree.unflatten(treedef, [wrap(v) for v in variables])
            outputs, out_treedef = _outputs(fun(*new_args, **new_kwargs), _name(fun))
        pairs = [(v, n) for v, n, a in zip(variables, leading, axes) if a is not None]
        found = batch(outputs, [v for v, _ in pairs], [n for _, n in pairs], size)
        out = _prefix(out_axes, out_treedef, 'out_axes')
        return tree.unflatten(out_treedef, [wrap(_place(n, is_batched, a, size))
                                            for (n, is_batched), a in zip(found, out)])
    return batched


def _positive(axis, node):
    if not -node.aval.ndim <= axis < node.aval.ndim:
        raise ValueError(f'vmap got an in_axes of {axis} for an argument of shape {node.aval.shape}')
    return axis % node.aval.ndim


def _axes_of(in_axes, args, kwargs):
    """A batch axis or None for every leaf of (args, kwargs); keyword arguments are batched along axis 0."""
    if isinstance(in_axes, tuple) and len(in_axes) != len(args):
        raise ValueError(f'vmap in_axes must have as many entries as there are positional arguments: got '
                         f'{len(in_axes)} in_axes for {len(args)} arguments')
    per_argument = in_axes if isinstance(in_axes, tuple) else (in_axes,) * len(args)
    axes = []
    for axis, argument in zip(per_argument, args):
        axes += _prefix(axis, tree.structure(argument), 'in_axes', argument)
    return axes + [0] * len(tree.leaves(kwargs))


def _prefix(axes, treedef, what, value=None):
    """`axes` (a tree prefix; None counts as a leaf) for every leaf of a treedef."""
    if axes is None or isinstance(axes, int):
        return [axes] * treedef.num_leaves
    result = []
    full = tree.unflatten(treedef, range(treedef.num_leaves))

    def walk(prefix, sub):
        if prefix is None or isinstance(prefix, int):
            result.extend([prefix] * len(tree.leaves(sub)))
        elif isinstance(prefix, dict) and isinstance(sub, dict) and prefix.keys() == sub.keys():
            for key in tree.structure(sub).entries():
                walk(prefix[key], sub[key])
        elif isinstance(prefix, (tuple, list)) and isinstance(sub, (tuple, list)) and len(prefix) == len(sub):
            for p, s in zip(prefix, sub):
                walk(p, s)
        else:
            raise ValueError(f'vmap {what} must be a tree prefix of the corresponding value: {axes} does not fit '
                             f'{treedef}')
    walk(axes, full)
    return result


def _batch_size(nodes, axes, given):
    sizes = {}
    for node, axis in zip(nodes, axes):
        if axis is not None:
            if not node.aval.ndim:
                raise ValueError('vmap was asked to map over an array of no dimensions; use in_axes=None for it')
            sizes.setdefault(node.aval.shape[_positive(axis, node)], node.aval.shape)
    if given is not None:
        sizes.setdefault(given, 'axis_size')
    if len(sizes) > 1:
        raise ValueError('vmap got inconsistent sizes for array axes to be mapped: '
                         + ', '.join(f'{n} (shape {s})' for n, s in sizes.items()))
    if not sizes:
        raise ValueError('vmap must have at least one non-None value in in_axes')
    return next(iter(sizes))


def _place(node, is_batched, axis, size):
    if axis is None:
        if is_batched:
            raise ValueError('vmap has a mapped result but its out_axes is None')
        return node
    if not is_batched:
        node = build.broadcast(node, (size, *node.aval.shape), range(1, node.aval.ndim + 1))
    if not -node.aval.ndim <= axis < node.aval.ndim:
        raise ValueError(f'vmap out_axes {axis} is out of range for a result of shape {node.aval.shape}')
    return build.moveaxis(node, 0, axis % node.aval.ndim)


# --- others -------------------------------------------------------------------------------------------------------

def stop_gradient(x):
    """x, as a constant for derivatives; a pytree is taken leaf by leaf.

    >>> import lazy
    >>> float(lazy.grad(lambda x: x * lazy.lax.stop_gradient(x))(3.0))
    3.0
    """
    return tree.map(lambda leaf: wrap(build.apply(ops.stop_gradient, as_node(leaf))), x)


class ShapeDtypeStruct:
    """A shape and dtype without data: argument and result of eval_shape."""
    __slots__ = ('shape', 'dtype', 'weak_type')

    def __init__(self, shape, dtype, weak_type=False):
        self.shape, self.dtype, self.weak_type = tuple(shape), dtypes.as_dtype(dtype), weak_type

    ndim = property(lambda self: len(self.shape))
    size = property(lambda self: aval(self.shape, self.dtype).size)

    def __eq__(self, other):
        return isinstance(other, ShapeDtypeStruct) and (self.shape, self.dtype) == (other.shape, other.dtype)

    def __hash__(self):
        return hash((self.shape, self.dtype))

    def __repr__(self):
        return f'ShapeDtypeStruct(shape={self.shape}, dtype={self.dtype.name})'


def _aval_of(leaf):
    if hasattr(leaf, 'shape') and hasattr(leaf, 'dtype'):
        return aval(tuple(leaf.shape), dtypes.as_dtype(leaf.dtype), getattr(leaf, 'weak_type', False))
    return as_node(leaf).aval


def eval_shape(fun, *args, **kwargs):
    """The shapes and dtypes of fun's result, without computing: a tree of ShapeDtypeStruct.

    >>> import lazy, lazy.numpy as np
    >>> lazy.eval_shape(np.sin, lazy.ShapeDtypeStruct((2, 3), 'float32'))
    ShapeDtypeStruct(shape=(2, 3), dtype=float32)
    """
    leaves, treedef = tree.flatten((args, kwargs))
    with trace():
        variables = [wrap(build.variable(_aval_of(leaf))) for leaf in leaves]
        new_args, new_kwargs = tree.unflatten(treedef, variables)
        outputs, out_treedef = _outputs(fun(*new_args, **new_kwargs), _name(fun))
    return tree.unflatten(out_treedef, [ShapeDtypeStruct(o.aval.shape, o.aval.dtype, o.aval.weak) for o in outputs])
