"""Products: dot, matmul, einsum and their relatives, all through one operation, `dot_general`."""
from functools import lru_cache


from . import elementwise as el
from . import reductions as red
from ._util import (Array, array_of, axis_of, broadcast_shapes, build, dtypes, node_of, ops, promoted, static_int,
                    takes_out, wrap)

__all__ = ['dot', 'matmul', 'vdot', 'vecdot', 'matvec', 'vecmat', 'inner', 'outer', 'tensordot', 'einsum',
           'einsum_path', 'kron', 'cross', 'convolve', 'correlate']


def _operands(a, b, preferred):
    """Nodes of both in their common dtype, or the one in which the result is asked for."""
    a = a._node if type(a) is Array else node_of(a)
    b = b._node if type(b) is Array else node_of(b)
    if preferred is not None:
        dtype = dtypes.as_dtype(preferred)
        return build.convert(a, dtype), build.convert(b, dtype)
    if a.aval.dtype != b.aval.dtype:
        dtype, _ = dtypes.promote((a.aval.dtype, a.aval.weak), (b.aval.dtype, b.aval.weak))
        a, b = build.convert(a, dtype), build.convert(b, dtype)
    return a, b


def _times(a, b):
    return wrap(build.apply(ops.mul, a, b))


@takes_out
def dot(a, b, *, out=None, precision=None, preferred_element_type=None, out_sharding=None):
    """Sum over the last axis of a and the last but one of b (the only one of a vector); scalars multiply.

    float32 products are computed in float32 on every device, whatever `precision` says.

    Raises TypeError where the sizes of these axes differ.

    >>> import lazy.numpy as np
    >>> float(np.dot(np.arange(3.), np.ones(3)))
    3.0
    """
    a, b = _operands(a, b, preferred_element_type)
    if not a.aval.ndim or not b.aval.ndim:
        return _times(a, b)
    i, j = a.aval.ndim - 1, max(b.aval.ndim - 2, 0)
    _check(a, b, i, j, 'dot')
    return wrap(build.dot_general(a, b, ((i,), (j,))))


def _check(a, b, i, j, name):
    if a.aval.shape[i] != b.aval.shape[j]:
        raise TypeError(f'{name}: incompatible shapes {a.aval.shape} and {b.aval.shape}: axis {i} of the first has '
                        f'size {a.aval.shape[i]}, axis {j} of the second {b.aval.shape[j]}')


@takes_out
def matmul(a, b, *, out=None, precision=None, preferred_element_type=None, out_sharding=None):
    """Matrix product over the last two axes; leading axes broadcast; a vector counts as a row or column.

    Raises ValueError for scalars, TypeError where sizes differ.

    >>> import lazy.numpy as np
    >>> (np.eye(2) @ np.array([[1., 2.], [3., 4.]])).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    a, b = _operands(a, b, preferred_element_type)
    p, q = a.aval.ndim, b.aval.ndim
    if not p or not q:
        raise ValueError(f'matmul input operands must have ndim at least 1, got shapes {a.aval.shape} and '
                         f'{b.aval.shape}')
    _check(a, b, p - 1, max(q - 2, 0), 'matmul')
    if q <= 2:
        return wrap(build.dot_general(a, b, ((p - 1,), (max(q - 2, 0),))))
    # (m, k) x (..., k, n): m comes first, then moves in
    if p <= 2:
        found = build.dot_general(a, b, ((p - 1,), (q - 2,)))
        return wrap(found if p == 1 else build.moveaxis(found, 0, q - 2))
    batch = broadcast_shapes('matmul', a.aval.shape[:-2], b.aval.shape[:-2])
    a = build.broadcast_to(a, batch + a.aval.shape[-2:])
    b = build.broadcast_to(b, batch + b.aval.shape[-2:])
    n = len(batch)
    axes = tuple(range(n))
    return wrap(build.dot_general(a, b, ((n + 1,), (n,)), (axes, axes)))


def vdot(a, b, *, precision=None, preferred_element_type=None):
    """Sum of products of the flattened arrays, the first one conjugated."""
    a, b = _operands(a, b, preferred_element_type)
    if dtypes.kind(a.aval.dtype) == 'c':
        a = build.conj(a)
    return dot(wrap(build.reshape(a, (a.aval.size,))), wrap(build.reshape(b, (b.aval.size,))))


def vecdot(x1, x2, /, *, axis=-1, precision=None, preferred_element_type=None):
    """Sum of products along an axis, the first array conjugated, with broadcasting.

    Raises ValueError where the sizes of the axis differ.
    """
    a, b = _operands(x1, x2, preferred_element_type)
    if not a.aval.ndim or not b.aval.ndim:
        raise ValueError(f'vecdot needs arrays of at least one dimension, got shapes {a.aval.shape} and {b.aval.shape}')
    i, j = axis_of(axis, a.aval.ndim), axis_of(axis, b.aval.ndim)
    if a.aval.shape[i] != b.aval.shape[j]:
        raise ValueError(f'vecdot: shapes {a.aval.shape} and {b.aval.shape} differ along axis {axis}')
    a, b = build.moveaxis(a, i, a.aval.ndim - 1), build.moveaxis(b, j, b.aval.ndim - 1)
    if dtypes.kind(a.aval.dtype) == 'c':
        a = build.conj(a)
    if a.aval.ndim == b.aval.ndim == 1:
        return dot(wrap(a), wrap(b))
    return red.sum(_times(a, b), -1, dtype=a.aval.dtype)


def matvec(x1, x2, /):
    """Products of matrices with vectors, batched over leading axes."""
    x1, x2 = array_of(x1), array_of(x2)
    if x1.ndim < 2 or x2.ndim < 1:
        raise ValueError(f'matvec needs matrices and vectors, got shapes {x1.shape} and {x2.shape}')
    return matmul(x1, x2) if x2.ndim == 1 else matmul(x1, x2[..., None])[..., 0]


def vecmat(x1, x2, /):
    """Products of conjugated vectors with matrices, batched over leading axes."""
    x1, x2 = el.conj(x1), array_of(x2)
    if x1.ndim < 1 or x2.ndim < 2:
        raise ValueError(f'vecmat needs vectors and matrices, got shapes {x1.shape} and {x2.shape}')
    return matmul(x1, x2) if x1.ndim == 1 else matmul(x1[..., None, :], x2)[..., 0, :]


def inner(a, b, *, precision=None, preferred_element_type=None):
    """Sum of products over the last axes."""
    a, b = _operands(a, b, preferred_element_type)
    if not a.aval.ndim or not b.aval.ndim:
        return _times(a, b)
    _check(a, b, a.aval.ndim - 1, b.aval.ndim - 1, 'inner')
    return wrap(build.dot_general(a, b, ((a.aval.ndim - 1,), (b.aval.ndim - 1,))))


@takes_out
def outer(a, b, out=None):
    """Products of all pairs of elements of the flattened arrays."""
    a, b = _operands(a, b, None)
    return _times(build.reshape(a, (a.aval.size, 1)), build.reshape(b, (1, b.aval.size)))


def tensordot(a, b, axes=2, *, precision=None, preferred_element_type=None, out_sharding=None):
    """Sum of products over axes: the last `axes` of a with the first of b, or two lists of axes.

    Raises TypeError where the sizes differ.

    >>> import lazy.numpy as np
    >>> np.tensordot(np.ones((2, 3)), np.ones((3, 2)), axes=([1, 0], [0, 1])).item()
    6.0
    """
    a, b = _operands(a, b, preferred_element_type)
    p, q = a.aval.ndim, b.aval.ndim
    if not isinstance(axes, (tuple, list)):
        n = static_int(axes, 'axes')
        if n < 0 or n > min(p, q):
            raise TypeError(f'number of tensordot axes ({n}) exceeds input ranks ({p} and {q})')
        left, right = tuple(range(p - n, p)), tuple(range(n))
    else:
        if len(axes) != 2:
            raise TypeError(f'tensordot axes must be an integer or a pair, got {axes!r}')
        left, right = [tuple(x) if isinstance(x, (tuple, list)) else (x,) for x in axes]
        left, right = tuple([axis_of(x, p) for x in left]), tuple([axis_of(x, q) for x in right])
        if len(left) != len(right):
            raise TypeError(f'tensordot requires axes lists to have equal length, got {axes!r}')
    for i, j in zip(left, right):
        _check(a, b, i, j, 'tensordot')
    return wrap(build.dot_general(a, b, (left, right)))


def kron(a, b):
    """Kronecker product: every element of a times the whole of b."""
    a, b = _operands(a, b, None)
    rank = max(a.aval.ndim, b.aval.ndim)
    m, n = [(1,) * (rank - x.aval.ndim) + x.aval.shape for x in (a, b)]
    a = build.reshape(a, [k for i in m for k in (i, 1)])
    b = build.reshape(b, [k for j in n for k in (1, j)])
    return wrap(build.reshape(build.apply(ops.mul, a, b), [i * j for i, j in zip(m, n)]))


def cross(a, b, axisa=-1, axisb=-1, axisc=-1, axis=None):
    """Cross product of vectors of 2 or 3 components along an axis; of two with 2 components the third component."""
    from .joining import stack
    from .shape import moveaxis
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = [wrap(n) for n in promoted(a, b)]
    a, b = moveaxis(a, axisa, -1), moveaxis(b, axisb, -1)
    if a.shape[-1] not in (2, 3) or b.shape[-1] not in (2, 3):
        raise ValueError(f'Dimension must be either 2 or 3 for cross product, got shapes {a.shape} and {b.shape}')
    p = [a[..., i] for i in range(a.shape[-1])]
    q = [b[..., i] for i in range(b.shape[-1])]
    if len(p) == len(q) == 2:
        return p[0] * q[1] - p[1] * q[0]
    third = p[0] * q[1] - p[1] * q[0]
    if len(p) == 2:
        parts = [p[1] * q[2], -(p[0] * q[2]), third]
    elif len(q) == 2:
        parts = [-(p[2] * q[1]), p[2] * q[0], third]
    else:
        parts = [p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], third]
    return moveaxis(stack(parts, -1), -1, axisc)


# --- einsum --------------------------------------------------------------------------------------------------------

@takes_out
def einsum(subscripts, /, *operands, out=None, optimize='auto', precision=None, preferred_element_type=None,
           out_sharding=None):
    """Einstein's summation: products of operands summed over indices that the result lacks.

    Several operands are contracted in the order that opt_einsum finds (`optimize` as there).

    Raises ValueError for subscripts that don't fit the operands.

    >>> import lazy.numpy as np
    >>> np.einsum('ij,jk->ik', np.ones((2, 3)), np.ones((3, 4))).shape
    (2, 4)
    """
    if not isinstance(subscripts, str):
        subscripts, operands = _interleaved(subscripts, operands)
    nodes = [node_of(x) for x in operands]
    if preferred_element_type is not None:
        dtype = dtypes.as_dtype(preferred_element_type)
    else:
        dtype, _ = dtypes.promote(*[(n.aval.dtype, n.aval.weak) for n in nodes]) if nodes else (None, None)
    nodes = [build.convert(n, dtype) for n in nodes]
    shapes = tuple([n.aval.shape for n in nodes])
    inputs, output = _parse(subscripts, shapes)
    terms = list(zip(nodes, inputs))
    for group in _path(inputs, output, shapes, _hashable(optimize)):
        chosen = [terms.pop(i) for i in sorted(group, reverse=True)][::-1]
        needed = set(output).union(*[names for _, names in terms])
        while len(chosen) > 1:
            later = needed.union(*[names for _, names in chosen[2:]])
            chosen[:2] = [_contract(*chosen[0], *chosen[1], later)]
        terms.append(_single(*chosen[0], needed))
    (node, names), = terms
    return wrap(build.transpose(node, [names.index(c) for c in output]))


def _hashable(optimize):
    return tuple([tuple(p) if isinstance(p, list) else p for p in optimize]) if isinstance(optimize, list) else optimize


def _interleaved(first, rest):
    """einsum(x, [0, 1], y, [1, 2], [0, 2]) as subscripts and operands."""
    items = [first, *rest]
    operands, texts = items[0:len(items) // 2 * 2:2], items[1:len(items) // 2 * 2:2]
    letter = lambda s: '...' if s is Ellipsis else _LETTERS[s]
    parts = [''.join(letter(s) for s in subscript) for subscript in texts]
    text = ','.join(parts)
    if len(items) % 2:
        text += '->' + ''.join(letter(s) for s in items[-1])
    return text, operands


_LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ' + ''.join(map(chr, range(192, 400)))


@lru_cache(maxsize=4096)
def _parse(subscripts, shapes):
    """(names of each operand's axes, names of the result's), the ellipsis written out with letters of its own."""
    text = subscripts.replace(' ', '')
    left, arrow, output = text.partition('->')
    inputs = left.split(',')
    if len(inputs) != len(shapes):
        raise ValueError(f'einsum subscripts {subscripts!r} name {len(inputs)} operands, got {len(shapes)}')
    free = [c for c in _LETTERS if c not in text]
    counts = [len(shape) - len(term.replace('...', '')) for term, shape in zip(inputs, shapes) if '...' in term]
    if any(n < 0 for n in counts):
        raise ValueError(f'einsum subscripts {subscripts!r} name too many axes for operands of shapes {shapes}')
    longest = max(counts, default=0)
    dots = ''.join(free[:longest])
    expanded = []
    for term, shape in zip(inputs, shapes):
        if '...' in term:
            n = len(shape) - len(term.replace('...', ''))
            term = term.replace('...', dots[longest - n:] if n else '')
        if '.' in term or not all(c in _LETTERS for c in term):
            raise ValueError(f'einsum subscripts {subscripts!r} have invalid characters: {term!r}')
        if len(term) != len(shape):
            raise ValueError(f'einsum subscripts {term!r} of {subscripts!r} have {len(term)} indices for an operand '
                             f'of shape {shape}')
        expanded.append(term)
    if arrow:
        output = output.replace('...', dots)
    else:
        joined = ''.join(expanded)
        output = dots + ''.join(sorted(c for c in set(joined) - set(dots) if joined.count(c) == 1))
    if len(set(output)) != len(output):
        raise ValueError(f'einsum result {output!r} of {subscripts!r} names an index twice')
    sizes = {}
    for term, shape in zip(expanded, shapes):
        for c, n in zip(term, shape):
            if sizes.setdefault(c, n) != n:
                if 1 not in (sizes[c], n):
                    raise ValueError(f'einsum size of label {c!r} is {sizes[c]} and {n} in operands of shapes {shapes}')
                sizes[c] = max(sizes[c], n)
    if not set(output) <= set(sizes):
        raise ValueError(f'einsum result {output!r} of {subscripts!r} has an index that no operand has')
    return tuple(expanded), output


@lru_cache(maxsize=4096)
def _path(inputs, output, shapes, optimize):
    if len(inputs) <= 2:
        return (tuple(range(len(inputs))),)
    if optimize is False:
        return ((0, 1),) * (len(inputs) - 1)
    import opt_einsum
    optimize = {True: 'auto', 'optimal': 'optimal'}.get(optimize, optimize)
    if isinstance(optimize, tuple):
        optimize = [p for p in optimize if not isinstance(p, str)]
    path, _ = opt_einsum.contract_path(','.join(inputs) + '->' + output, *shapes, shapes=True, optimize=optimize)
    return tuple([tuple(p) for p in path])


def einsum_path(subscripts, /, *operands, optimize='auto'):
    """(order of contractions, a printable report) that einsum would use."""
    import opt_einsum
    if not isinstance(subscripts, str):
        subscripts, operands = _interleaved(subscripts, operands)
    shapes = [node_of(x).aval.shape for x in operands]
    path, info = opt_einsum.contract_path(subscripts, *shapes, shapes=True, optimize=optimize)
    return path, str(info)


def _single(node, names, needed):
    """Diagonals of repeated names, sums over names that nobody needs."""
    if len(set(names)) < len(names):
        node, names = _diagonals(node, names)
    if needed.issuperset(names):
        return node, names
    gone = [i for i, c in enumerate(names) if c not in needed]
    return build.reduce_sum(node, gone), ''.join(c for c in names if c in needed)


def _diagonals(node, names):
    for c in set(names):
        while names.count(c) > 1:
            i = names.index(c)
            j = names.index(c, i + 1)
            from .shape import diagonal
            node = diagonal(wrap(node), 0, i, j)._node
            names = names[:i] + names[i + 1:j] + names[j + 1:] + c
    return node, names


def _contract(a, names_a, b, names_b, needed):
    """The product of two operands, summed over the names that are not needed."""
    a, names_a = _single(a, names_a, needed | set(names_b))
    b, names_b = _single(b, names_b, needed | set(names_a))
    if 1 in a.aval.shape or 1 in b.aval.shape:
        a, names_a = _drop_ones(a, names_a, b, names_b)
        b, names_b = _drop_ones(b, names_b, a, names_a)
        a, names_a = _single(a, names_a, needed | set(names_b))
        b, names_b = _single(b, names_b, needed | set(names_a))
    shared = [c for c in names_a if c in names_b]
    summed = [c for c in shared if c not in needed]
    batch = [c for c in shared if c in needed]
    if not summed:                                                   # no sum: an elementwise product
        names = names_a + ''.join(c for c in names_b if c not in names_a)
        return _spread(a, names_a, names, b, names_b), names
    place = lambda names, letters: tuple([names.index(c) for c in letters])
    found = build.dot_general(a, b, (place(names_a, summed), place(names_b, summed)),
                              (place(names_a, batch), place(names_b, batch)))
    rest = [c for c in names_a + names_b if c not in shared]
    return found, ''.join(batch + rest)


def _drop_ones(node, names, other, other_names):
    """Without the axes of size 1 that the other operand has at full size."""
    ones = [i for i, c in enumerate(names) if node.aval.shape[i] == 1 and c in other_names
            and other.aval.shape[other_names.index(c)] != 1]
    return build.squeeze(node, ones), ''.join(c for i, c in enumerate(names) if i not in ones)


def _spread(a, names_a, names, b, names_b):
    def aligned(node, own):
        order = sorted(range(len(own)), key=lambda i: names.index(own[i]))
        node = build.transpose(node, order)
        sizes = iter(node.aval.shape)
        return build.reshape(node, [next(sizes) if c in own else 1 for c in names])
    return build.apply(ops.mul, aligned(a, names_a), aligned(b, names_b))


# --- convolution -----------------------------------------------------------------------------------------------------

def _windows(x, count, width):
    """(count, width): window i of x is x[i:i + width]."""
    rows = build.iota((count, 1), dtypes.int32, 0)
    columns = build.iota((1, width), dtypes.int32, 1)
    return build.gather(x, [build.add(rows, columns)], (0,), 'clip')


def _slide(a, v, mode):
    """Products of v with the windows of a, padded by mode."""
    n, m = a.aval.size, v.aval.size
    low = {'full': m - 1, 'same': m // 2, 'valid': 0}.get(mode)
    if low is None:
        raise ValueError(f"mode is 'full', 'same' or 'valid', not {mode!r}")
    high = {'full': m - 1, 'same': m - 1 - low, 'valid': 0}[mode]
    padded = build.pad(a, [low], [high])
    return wrap(build.dot_general(_windows(padded, n + low + high - m + 1, m), v, ((1,), (0,))))


def convolve(a, v, mode='full', *, precision=None, preferred_element_type=None):
    """Convolution of two vectors; mode 'full', 'same' or 'valid' says how much they must overlap.

    >>> import lazy.numpy as np
    >>> np.convolve(np.array([1., 2.]), np.array([1., 1.])).tolist()
    [1.0, 3.0, 2.0]
    """
    a, v = _vectors(a, v, 'convolve', preferred_element_type)
    if v.aval.size > a.aval.size:
        a, v = v, a
    return _slide(a, build.rev(v, (0,)), mode)


def correlate(a, v, mode='valid', *, precision=None, preferred_element_type=None):
    """Cross-correlation of two vectors, the second conjugated."""
    a, v = _vectors(a, v, 'correlate', preferred_element_type)
    v = build.conj(v) if dtypes.kind(v.aval.dtype) == 'c' else v
    if v.aval.size > a.aval.size:
        return wrap(build.rev(_slide(v, a, mode)._node, (0,)))
    return _slide(a, v, mode)


def _vectors(a, v, name, preferred):
    a, v = promoted(a, v, inexact=True) if preferred is None else _operands(a, v, preferred)
    a, v = [build.reshape(x, (1,)) if x.aval.ndim == 0 else x for x in (a, v)]
    if a.aval.ndim != 1 or v.aval.ndim != 1:
        raise ValueError(f'{name} only supports vectors, got shapes {a.aval.shape} and {v.aval.shape}')
    if not a.aval.size or not v.aval.size:
        raise ValueError(f'{name}: inputs cannot be empty, got shapes {a.aval.shape} and {v.aval.shape}')
    return a, v


def _powers(x, exponents):
    """x to integer powers held in an array, in the dtype of x."""
    return el.power(x, exponents.astype(x.dtype))
