"""Derivative and transposition rules of sorting, LAPACK and Fourier operations.

Sources: Giles, "An extended collection of matrix derivative results for forward and reverse mode AD", 2008 (solve,
eigh, eig, svd); Murray, "Differentiation of the Cholesky decomposition", arXiv:1602.07527; Walter and Lehmann,
"Algorithmic differentiation of linear algebra functions", 2012 (qr, lu).
"""
from ..ir import build, dtypes, ops, ordering
from . import rules as _rules
from .rules_structural import take_along_axis


# --- matrices over leading axes ------------------------------------------------------------------------------------

def matmul(a, b):
    ndim = a.aval.ndim
    batch = list(range(ndim - 2))
    return build.dot_general(a, b, ([ndim - 1], [ndim - 2]), (batch, batch))


def transposed(a):
    ndim = a.aval.ndim
    return build.transpose(a, [*range(ndim - 2), ndim - 1, ndim - 2])


def adjoint(a):
    a = transposed(a)
    return build.conj(a) if dtypes.kind(a.aval.dtype) == 'c' else a


def _compared(op, rows, columns, offset=0):
    """op(column - row, offset) as a matrix of booleans."""
    row, column = (build.iota((rows, columns), dtypes.int32, axis) for axis in (0, 1))
    return build.apply(op, build.sub(column, row), build.literal(offset, dtypes.int32))


def _keep(a, op, offset=0):
    return build.select(_compared(op, *a.aval.shape[-2:], offset), a, build.scalar_like(a, 0))


def tril(a, offset=0):
    return _keep(a, ops.le, offset)


def triu(a, offset=0):
    return _keep(a, ops.ge, offset)


def eye(n, dtype, columns=None):
    return build.convert(_compared(ops.eq, n, n if columns is None else columns), dtype)


def diagonal(a):
    """The diagonals of square matrices."""
    return build.reduce_sum(_keep(a, ops.eq), (a.aval.ndim - 1,))


def as_rows(x):
    """x[..., n] as x[..., 1, n]."""
    return build.reshape(x, (*x.aval.shape[:-1], 1, x.aval.shape[-1]))


def as_columns(x):
    return build.reshape(x, (*x.aval.shape, 1))


def real(x):
    return build.real(x) if dtypes.kind(x.aval.dtype) == 'c' else x


def from_lower(a):
    """The Hermitian matrix that has the lower triangle of a: what LAPACK takes a for."""
    diagonal_ = _keep(a, ops.eq)
    strict = tril(a, -1)
    if dtypes.kind(a.aval.dtype) == 'c':
        diagonal_ = build.complex_(build.real(diagonal_), build.zeros(build.real(diagonal_).aval))
    return build.add(build.add(strict, adjoint(strict)), diagonal_)


def triangular_solve(a, b, lower, transpose=False, unit_diagonal=False):
    return build.make(ops.triangular_solve, (a, b), (lower, transpose, unit_diagonal))


def solve_right(a, b, lower):
    """b a^-1 for triangular a."""
    return transposed(triangular_solve(a, transposed(b), lower, True))


def inverse_differences(x):
    """1 / (x[j] - x[i]) as matrices; 0 on the diagonal and where two are equal."""
    difference = build.sub(as_rows(x), as_columns(x))
    equal = build.eq(difference, build.scalar_like(difference, 0))
    inverse = build.apply(ops.reciprocal, build.select(equal, build.scalar_like(difference, 1), difference))
    return build.select(equal, build.scalar_like(difference, 0), inverse)


# --- sorting ---------------------------------------------------------------------------------------------------

def _sort_jvp(node, tangents):
    axis, = node.params
    order = ordering.argsort(node.inputs[0], axis, dtypes.int32)
    return take_along_axis(tangents[0], order, axis)


ops.sort.jvp = _sort_jvp


# --- solving ---------------------------------------------------------------------------------------------------

def _cholesky_jvp(node, tangents):
    """dL = L phi(L^-1 dA L^-H), phi keeping the lower triangle with half of the diagonal."""
    inner = triangular_solve(node, from_lower(tangents[0]), True)
    inner = adjoint(triangular_solve(node, adjoint(inner), True))
    half = _keep(inner, ops.eq)
    return matmul(node, build.sub(tril(inner), build.mul(half, build.scalar_like(half, 0.5))))


def _solve_jvp(node, tangents):
    """a dx = db - da x."""
    a, (ta, tb) = node.inputs[0], tangents
    right = tb
    if ta is not None:
        term = build.neg(matmul(_seen(ta, node), node))
        right = term if right is None else build.add(right, term)
    return build.make(node.op, (a, right), node.params)


def _seen(t, node):
    """Of the matrix's tangent what the operation sees."""
    if node.op is ops.solve:
        return t
    lower, transpose, unit_diagonal = node.params
    t = tril(t, -int(unit_diagonal)) if lower else triu(t, int(unit_diagonal))
    return transposed(t) if transpose else t


def _solve_transpose(ct, node, linear):
    return [None, build.make(ops.solve, (transposed(node.inputs[0]), ct))]


def _triangular_solve_transpose(ct, node, linear):
    lower, transpose, unit_diagonal = node.params
    return [None, triangular_solve(node.inputs[0], ct, lower, not transpose, unit_diagonal)]


ops.cholesky.jvp = _cholesky_jvp
ops.solve.jvp = ops.triangular_solve.jvp = _solve_jvp
ops.solve.transpose, ops.triangular_solve.transpose = _solve_transpose, _triangular_solve_transpose


# --- factorisations ------------------------------------------------------------------------------------------------

def _lu_jvp(node, tangents):
    """dL = L tril(L^-1 P dA U^-1, -1), dU = triu(...) U; L and U are completed to square by the identity."""
    factors, permutation, _ = (build.project(node, i) for i in range(3))
    dtype = factors.aval.dtype
    batch = factors.aval.shape[:-2]
    m, n = factors.aval.shape[-2:]
    k, none = min(m, n), [0] * len(batch)
    left = build.slice_axis(factors, len(batch) + 1, 0, k)
    lower = build.add(build.pad(tril(left, -1), [*none, 0, 0], [*none, 0, m - k]), eye(m, dtype))
    upper = build.pad(triu(build.slice_axis(factors, len(batch), 0, k)), [*none, 0, 0], [*none, n - k, 0])
    rest = build.select(_compared(ops.eq, n, n), build.convert(
        build.ge(build.iota((n, n), dtypes.int32, 0), build.literal(k, dtypes.int32)), dtype), build.literal(0, dtype))
    upper = build.add(upper, rest)
    rows = build.broadcast(permutation, tangents[0].aval.shape, range(len(batch) + 1))
    moved = take_along_axis(tangents[0], rows, len(batch))
    inner = solve_right(upper, triangular_solve(lower, moved, True, False, True), False)
    tangent = build.add(matmul(lower, tril(inner, -1)), matmul(triu(inner), upper))
    return [tangent, None, None]


def _qr_jvp(node, tangents):
    """dQ = Q (O - X) + dA R^-1, dR = (X - O) R with X = Q^H dA R^-1 and O = tril(X, -1) - tril(X, -1)^H."""
    q, r = build.project(node, 0), build.project(node, 1)
    (m, n), ndim = node.inputs[0].aval.shape[-2:], q.aval.ndim
    if node.params[0] and m > n:
        raise NotImplementedError("the derivative of qr with mode='complete' is only defined for matrices with at "
                                  "least as many columns as rows")
    t = tangents[0]
    square = n <= m
    t1, r1 = (t, r) if square else (build.slice_axis(v, ndim - 1, 0, m) for v in (t, r))
    t_r = solve_right(r1, t1, False)
    x = matmul(adjoint(q), t_r)
    strict = tril(x, -1)
    o = build.sub(strict, adjoint(strict))
    if dtypes.kind(x.aval.dtype) == 'c':
        imaginary = build.imag(_keep(x, ops.eq))
        o = build.add(o, build.complex_(build.zeros(imaginary.aval), imaginary))
    dq = build.add(matmul(q, build.sub(o, x)), t_r)
    dr = matmul(build.sub(x, o), r1)
    if not square:
        t2 = build.slice_axis(t, ndim - 1, m, n)
        a2 = build.slice_axis(node.inputs[0], ndim - 1, m, n)
        dr = build.concatenate([dr, build.add(matmul(adjoint(dq), a2), matmul(adjoint(q), t2))], ndim - 1)
    return [dq, dr]


def _eigh_jvp(node, tangents):
    """dw = diag(V^H dA V), dV = V (V^H dA V / (w[j] - w[i])); equal eigenvalues contribute nothing to dV."""
    w, v = build.project(node, 0), build.project(node, 1)
    inner = matmul(adjoint(v), matmul(from_lower(tangents[0]), v))
    factor = build.convert(inverse_differences(w), inner.aval.dtype)
    return [real(diagonal(inner)), matmul(v, build.mul(inner, factor))]


def _eig_jvp(node, tangents):
    """As eigh with V^-1 for V^H. Eigenvectors have norm 1; their phase is taken to be constant."""
    w, v = build.project(node, 0), build.project(node, 1)
    inner = build.make(ops.solve, (v, matmul(build.convert(tangents[0], v.aval.dtype), v)))
    dv = matmul(v, build.mul(inner, inverse_differences(w)))
    along = build.reduce_sum(build.mul(build.conj(v), dv), (v.aval.ndim - 2,))
    return [diagonal(inner), build.sub(dv, build.mul(v, as_rows(along)))]


def _svd_jvp(node, tangents):
    u, s, vh = (build.project(node, i) for i in range(3))
    t, dtype = tangents[0], u.aval.dtype
    m, n = t.aval.shape[-2:]
    if node.params[0] and m != n:
        raise NotImplementedError('the derivative of svd with full_matrices=True is not defined: pass '
                                  'full_matrices=False')
    v, cast = adjoint(vh), lambda x: build.convert(x, dtype)
    inner = matmul(adjoint(u), matmul(t, v))
    sums = build.add(as_rows(s), as_columns(s))
    factor = cast(build.mul(inverse_differences(s), _inverse_or_zero(sums)))
    right, left = build.mul(inner, cast(as_rows(s))), build.mul(inner, cast(as_columns(s)))
    skew = _keep(build.sub(inner, adjoint(inner)), ops.eq)
    skew = build.mul(skew, cast(build.mul(as_rows(_inverse_or_zero(s)), build.scalar_like(s, 0.5))))
    du = matmul(u, build.add(build.mul(factor, build.add(right, adjoint(right))), skew))
    dv = matmul(v, build.mul(factor, build.add(left, adjoint(left))))
    if m > n:
        du = build.add(du, _outside(matmul(t, v), u, s))
    if n > m:
        dv = build.add(dv, _outside(matmul(adjoint(t), u), v, s))
    return [du, real(diagonal(inner)), adjoint(dv)]


def _inverse_or_zero(x):
    zero = build.eq(x, build.scalar_like(x, 0))
    inverse = build.apply(ops.reciprocal, build.select(zero, build.scalar_like(x, 1), x))
    return build.select(zero, build.scalar_like(x, 0), inverse)


def _outside(x, basis, s):
    """What of x is orthogonal to the basis, divided by the singular values."""
    rest = build.sub(x, matmul(basis, matmul(adjoint(basis), x)))
    return build.mul(rest, build.convert(as_rows(_inverse_or_zero(s)), rest.aval.dtype))


ops.lu.jvp, ops.qr.jvp, ops.eigh.jvp, ops.eig.jvp, ops.svd.jvp = _lu_jvp, _qr_jvp, _eigh_jvp, _eig_jvp, _svd_jvp


# --- Fourier transforms --------------------------------------------------------------------------------------------

def _fft_transpose(ct, node, linear):
    """The matrices are symmetric; a real transform is the complex one of which a part is taken."""
    kind, axis, length = node.params
    x = node.inputs[0]
    transform = lambda v, k: build.make(ops.fft, (v,), (k, axis, length))
    if kind == 'irfft':
        found = build.conj(_irfft_weights(transform(ct, 'rfft'), axis, length))
    elif kind == 'rfft':
        found = transform(_fit(ct, axis, length), 'fft')
    else:
        found = transform(ct, kind)
    return [build.convert(_fit(found, axis, x.aval.shape[axis]), x.aval.dtype)]


def _irfft_weights(x, axis, length):
    """x / length, times two for the frequencies that stand for their conjugates too."""
    n = x.aval.shape[axis]
    place = build.iota((n,), dtypes.int32)
    zero, last = build.literal(0, dtypes.int32), build.literal(length // 2 if length % 2 == 0 else -1, dtypes.int32)
    single = build.apply(ops.or_, build.eq(place, zero), build.eq(place, last))
    dtype = dtypes.real_of(x.aval.dtype)
    weights = build.select(single, build.literal(1 / length, dtype), build.literal(2 / length, dtype))
    weights = build.broadcast(build.convert(weights, x.aval.dtype), x.aval.shape, (axis,))
    return build.mul(x, weights)


def _fit(x, axis, length):
    """x cut or filled with zeros to a length along an axis."""
    n = x.aval.shape[axis]
    if n >= length:
        return build.slice_axis(x, axis, 0, length)
    none = [0] * x.aval.ndim
    return build.pad(x, none, [length - n if a == axis else 0 for a in range(x.aval.ndim)])


ops.fft.jvp, ops.fft.transpose = _rules.linear_jvp, _fft_transpose
