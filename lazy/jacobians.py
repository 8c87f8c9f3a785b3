"""Jacobians and Hessians: derivatives along all directions of a basis, as one batch."""
from . import trees as tree
from .array import wrap
from .ir import build, dtypes
from .transforms import _argnums, _check_inexact, jvp, nodes_of, vjp, vmap, wraps

__all__ = ['jacfwd', 'jacrev', 'jacobian', 'hessian']


def _basis(nodes):
    """For each node a stack of unit tangents, and the total number of elements."""
    total = sum(n.aval.size for n in nodes)
    result, at = [], 0
    for n in nodes:
        rows = build.iota((total, n.aval.size), dtypes.int32, 0)
        columns = build.iota((total, n.aval.size), dtypes.int32, 1)
        hit = build.eq(rows, build.add(columns, build.scalar_like(columns, at)))
        result.append(build.reshape(build.convert(hit, n.aval.dtype), (total, *n.aval.shape)))
        at += n.aval.size
    return result, total


def _split_rows(node, nodes, move_to_end):
    """Cut the leading axis of a stack into the pieces that belong to `nodes`, each with its node's shape."""
    pieces, at = [], 0
    for n in nodes:
        piece = build.slice_axis(node, 0, at, at + n.aval.size)
        rest = node.aval.shape[1:]
        if move_to_end:
            piece = build.transpose(piece, [*range(1, piece.aval.ndim), 0])
            pieces.append(build.reshape(piece, (*rest, *n.aval.shape)))
        else:
            pieces.append(build.reshape(piece, (*n.aval.shape, *rest)))
        at += n.aval.size
    return pieces


def jacfwd(fun, argnums=0, has_aux=False, holomorphic=False):
    """Jacobian by forward mode: for each result leaf and argument leaf an array of shape result + argument.

    >>> import lazy, lazy.numpy as np
    >>> lazy.jacfwd(lambda x: x ** 2)(np.array([1., 2.])).tolist()
    [[2.0, 0.0], [0.0, 4.0]]
    """
    @wraps(fun, 'jacfwd')
    def jacobian_function(*args, **kwargs):
        chosen = _argnums(argnums, args, 'jacfwd')
        flat, treedef = tree.flatten([args[i] for i in chosen])
        nodes = nodes_of(flat, 'jacfwd')
        for node in nodes:
            _check_inexact(node, 'jacfwd')

        def on(*leaves):
            new = list(args)
            for i, value in zip(chosen, tree.unflatten(treedef, leaves)):
                new[i] = value
            return fun(*new, **kwargs)
        primals = tuple([wrap(n) for n in nodes])
        basis, _ = _basis(nodes)
        push = lambda *ts: jvp(on, primals, ts, has_aux=has_aux)[1:] if has_aux else (jvp(on, primals, ts)[1],)
        stacked, *aux = vmap(push, out_axes=(0, None) if has_aux else 0)(*[wrap(b) for b in basis])
        leaves, out_treedef = tree.flatten(stacked)
        per_result = [_per_argument(_split_rows(leaf._node, nodes, True), treedef, argnums) for leaf in leaves]
        result = tree.unflatten(out_treedef, per_result)
        return (result, aux[0]) if has_aux else result
    return jacobian_function


def jacrev(fun, argnums=0, has_aux=False, holomorphic=False, allow_int=False):
    """Jacobian by reverse mode: for each result leaf and argument leaf an array of shape result + argument.

    >>> import lazy, lazy.numpy as np
    >>> lazy.jacrev(lambda x: x ** 2)(np.array([1., 2.])).tolist()
    [[2.0, 0.0], [0.0, 4.0]]
    """
    @wraps(fun, 'jacrev')
    def jacobian_function(*args, **kwargs):
        chosen = _argnums(argnums, args, 'jacrev')

        def on(*leaves):
            new = list(args)
            for i, value in zip(chosen, leaves):
                new[i] = value
            return fun(*new, **kwargs)
        primals = [args[i] for i in chosen]
        flat = nodes_of(tree.leaves(primals), 'jacrev')
        for node in flat:
            _check_inexact(node, 'jacrev')
        value, pullback, *aux = vjp(on, *primals, has_aux=has_aux)
        out_leaves, out_treedef = tree.flatten(value)
        outputs = [leaf._node for leaf in out_leaves]
        for node in outputs:
            _check_inexact(node, 'jacrev of results')
        basis, _ = _basis(outputs)
        pull = lambda *cts: pullback(tree.unflatten(out_treedef, cts))
        stacked = vmap(pull)(*[wrap(b) for b in basis])
        leaves, treedef = tree.flatten(list(stacked))
        columns = [_split_rows(leaf._node, outputs, False) for leaf in leaves]
        per_result = [_per_argument([c[i] for c in columns], treedef, argnums) for i in range(len(outputs))]
        result = tree.unflatten(out_treedef, per_result)
        return (result, aux[0]) if has_aux else result
    return jacobian_function


jacobian = jacrev


def _per_argument(nodes, treedef, argnums):
    values = tree.unflatten(treedef, [wrap(n) for n in nodes])
    return values[0] if isinstance(argnums, int) else tuple(values)


def hessian(fun, argnums=0, has_aux=False, holomorphic=False):
    """Second derivatives: jacfwd of jacrev.

    >>> import lazy, lazy.numpy as np
    >>> lazy.hessian(lambda x: (x ** 3).sum())(np.array([1., 2.])).tolist()
    [[6.0, 0.0], [0.0, 12.0]]
    """
    return jacfwd(jacrev(fun, argnums, has_aux, holomorphic), argnums, has_aux, holomorphic)
