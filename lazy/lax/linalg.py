"""Factors of matrices and solutions of equations, over leading axes; signatures are those of jax.lax.linalg.

LAPACK does the work, on the CPU. Arguments are floats of 32 or 64 bits, or complex; others are a TypeError (the
functions of lazy.numpy.linalg and lazy.scipy.linalg convert them). A matrix for which there is no result (singular,
not positive definite) is a LinAlgError when the result is waited for.
"""
import enum

from .. import numpy as np
from ..array import as_node, wrap
from ..ir import build, dtypes, ops

__all__ = ['EigImplementation', 'EighImplementation', 'SvdAlgorithm', 'cholesky', 'cholesky_update', 'eig', 'eigh',
           'hessenberg', 'householder_product', 'lu', 'lu_pivots_to_permutation', 'ormqr', 'qdwh', 'qr', 'schur', 'svd',
           'symmetric_product', 'triangular_solve', 'tridiagonal', 'tridiagonal_solve']


class EigImplementation(enum.Enum):
    """Accepted for compatibility: LAPACK is used always."""
    CUSOLVER = 'cusolver'
    MAGMA = 'magma'
    LAPACK = 'lapack'


class EighImplementation(enum.Enum):
    """Accepted for compatibility: LAPACK's divide and conquer is used always."""
    QR = 'qr'
    JACOBI = 'jacobi'
    QDWH = 'qdwh'


class SvdAlgorithm(enum.Enum):
    """Accepted for compatibility: LAPACK's divide and conquer is used always."""
    DEFAULT = 'default'
    QR = 'QR'
    JACOBI = 'Jacobi'
    POLAR = 'polar'
    DIVIDE_AND_CONQUER = 'divide_and_conquer'


def _operands(name, *given):
    """Arrays of one dtype that LAPACK has; given: (argument, its least number of axes)."""
    arrays = [wrap(as_node(x)) for x, _ in given]
    for x, (_, ndim) in zip(arrays, given):
        if x.dtype not in (dtypes.float32, dtypes.float64, dtypes.complex64, dtypes.complex128):
            raise TypeError(f'{name} does not accept dtype {x.dtype.name}: it must be float32, float64, complex64 or '
                            f'complex128')
        if x.dtype != arrays[0].dtype:
            raise TypeError(f'{name} requires arguments of one dtype, got {", ".join(a.dtype.name for a in arrays)}')
        if x.ndim < ndim:
            raise TypeError(f'{name} needs arrays of at least {ndim} dimensions, got shape {x.shape}')
    return arrays


def _square(name, x):
    x, = _operands(name, (x, 2))
    if x.shape[-1] != x.shape[-2]:
        raise ValueError(f'The input to {name} must be a square matrix. Got shape {x.shape}.')
    return x


def _make(op, arrays, *params):
    """An operation on arrays: the result, or the list of several results."""
    node = build.make(op, tuple([x._node for x in arrays]), params or None)
    return [wrap(build.project(node, i)) for i in range(len(node.aval))] if isinstance(node.aval, tuple) else wrap(node)


def _adjoint(x):
    return np.conj(np.matrix_transpose(x))


def _symmetrized(x):
    return (x + _adjoint(x)) / 2


# --- factors -------------------------------------------------------------------------------------------------------

def cholesky(x, *, symmetrize_input=True):
    """Lower triangular L with L L^H = x, positive definite; its lower triangle is read unless symmetrize_input.

    Raises LinAlgError, when the result is waited for, where x is not positive definite.

    >>> import lazy, lazy.numpy as np
    >>> lazy.lax.linalg.cholesky(np.array([[4., 2.], [2., 2.]])).tolist()
    [[2.0, 0.0], [1.0, 1.0]]
    """
    x = _square('cholesky', x)
    return _make(ops.cholesky, [_symmetrized(x) if symmetrize_input else x])


def cholesky_update(r_matrix, w_vector):
    """Upper triangular R' with R'^T R' = R^T R + w w^T, in O(n^2): r_matrix of shape (..., n, n), w_vector (..., n).

    >>> import lazy, lazy.numpy as np
    >>> lazy.lax.linalg.cholesky_update(3 * np.eye(2), np.array([4., 0.])).tolist()
    [[5.0, 0.0], [0.0, 3.0]]
    """
    r, w = _operands('cholesky_update', (r_matrix, 2), (w_vector, 1))
    if dtypes.kind(r.dtype) == 'c':
        raise TypeError(f'cholesky_update does not accept dtype {r.dtype.name}: it is for real matrices')
    return _make(ops.cholesky_update, [r, w])


def lu(x):
    """(lu, pivots, permutation) of matrices (..., m, n) with x[permutation] = L U.

    lu holds L, whose diagonal is 1, and U; pivots (..., min(m, n)) are the rows exchanged with rows 0, 1, ... in turn;
    permutation has shape (..., m). The derivative takes the permutation to be constant.
    """
    factors, permutation, _, pivots = _make(ops.lu, _operands('lu', (x, 2)))
    return [factors, pivots, permutation]


def lu_pivots_to_permutation(pivots, permutation_size):
    """The permutation (..., permutation_size) that exchanging row i with row pivots[..., i], for all i in turn, makes.

    >>> import lazy, lazy.numpy as np
    >>> lazy.lax.linalg.lu_pivots_to_permutation(np.array([2, 2]), 3).tolist()
    [2, 0, 1]
    """
    pivots = wrap(as_node(pivots))
    if not dtypes.is_integer(pivots.dtype) or pivots.ndim < 1:
        raise TypeError(f'lu_pivots_to_permutation needs an array of integers, got {pivots.aval}')
    return _make(ops.pivots_to_permutation, [pivots.astype(dtypes.int32)], int(permutation_size))


def qr(x, *, pivoting=False, full_matrices=True, use_magma=None):
    """(q, r) of matrices (..., m, n): orthonormal columns, m of them with full_matrices and min(m, n) without, and an
    upper triangular matrix; (q, r, p) with x[..., p] = q r and a falling diagonal of r with pivoting.

    Differentiable for all shapes where the first min(m, n) columns are independent.
    """
    return tuple(_make(ops.qr, _operands('qr', (x, 2)), bool(full_matrices), bool(pivoting)))


def svd(x, *, full_matrices=True, compute_uv=True, subset_by_index=None, algorithm=None):
    """(u, s, vh) of matrices (..., m, n) with x = u diag(s) vh and falling s; only s unless compute_uv.

    subset_by_index: (start, stop) of the singular values wanted. algorithm: accepted for compatibility.

    The columns that complete u or vh with full_matrices are determined by x up to a rotation: their derivative is the
    one that does not turn them among themselves, right for what depends on the space that they span.
    """
    x, = _operands('svd', (x, 2))
    if subset_by_index is not None and full_matrices and compute_uv and subset_by_index != (0, min(x.shape[-2:])):
        raise ValueError('full_matrices and subset_by_index cannot both be set')
    u, s, vh = _make(ops.svd, [x], bool(full_matrices and compute_uv))
    if subset_by_index is not None:
        chosen = slice(*subset_by_index)
        u, s, vh = u[..., chosen], s[..., chosen], vh[..., chosen, :]
    return (u, s, vh) if compute_uv else s


def eigh(x, *, lower=True, symmetrize_input=True, sort_eigenvalues=True, subset_by_index=None, implementation=None):
    """(eigenvectors, rising eigenvalues) of Hermitian matrices: v of shape (..., n, n), w of shape (..., n).

    One triangle is read unless symmetrize_input. subset_by_index: (start, stop) of the eigenvalues wanted.
    """
    x = _square('eigh', x)
    w, v = _make(ops.eigh, [_symmetrized(x) if symmetrize_input else x if lower else _adjoint(x)])
    if subset_by_index is not None:
        w, v = w[..., slice(*subset_by_index)], v[..., slice(*subset_by_index)]
    return v, w


def eig(x, *, compute_left_eigenvectors=True, compute_right_eigenvectors=True, enable_eigvec_derivs=False,
        implementation=None, use_magma=None):
    """[w, vl, vr], complex, of square matrices: x vr = vr diag(w) and vl^H x = diag(w) vl^H; vl and vr as asked for.

    Vectors have norm 1 and a largest component that is real. Their derivatives are right where the eigenvalues differ
    and no two components are equally large; enable_eigvec_derivs is accepted for compatibility.
    """
    w, right, *left = _make(ops.eig, [_square('eig', x)], bool(compute_left_eigenvectors))
    return [w, *left, right] if compute_right_eigenvectors else [w, *left]


# --- forms -----------------------------------------------------------------------------------------------------------

def schur(x, *, compute_schur_vectors=True, sort_eig_vals=False, select_callable=None):
    """[T, Q] with x = Q T Q^H, unitary Q, and T upper triangular but for blocks of size 2 where x is real; [T] without
    compute_schur_vectors.

    Raises NotImplementedError for derivatives and for sorted eigenvalues.
    """
    if sort_eig_vals or select_callable is not None:
        raise NotImplementedError('schur does not sort eigenvalues: leave sort_eig_vals and select_callable out')
    t, q = _make(ops.schur, [_square('schur', x)])
    return [t, q] if compute_schur_vectors else [t]


def hessenberg(a):
    """[packed, taus] of square matrices: the upper Hessenberg form with Householder's vectors below the subdiagonal,
    and their factors, as `householder_product` takes them. Raises NotImplementedError for derivatives."""
    return _make(ops.hessenberg, [_square('hessenberg', a)])


def tridiagonal(a, *, lower=True):
    """[packed, d, e, taus] of Hermitian matrices: the tridiagonal form beside Householder's vectors, its diagonal, its
    off-diagonal and the vectors' factors; `lower` says which triangle is read. Raises NotImplementedError for
    derivatives."""
    return _make(ops.tridiagonal, [_square('tridiagonal', a)], bool(lower))


def _reflections(name, a, taus):
    """V, T with product I - V T V^H of the reflections I - tau v v^H: T = (I + D S)^-1 D with D = diag(taus) and S the
    strict upper triangle of V^H V (Schreiber and Van Loan 1989)."""
    m, k = a.shape[-2], taus.shape[-1]
    if k > min(a.shape[-2:]) or taus.shape[:-1] != a.shape[:-2]:
        raise ValueError(f'{name}: shapes {a.shape} and {taus.shape} do not fit')
    v = np.tril(a[..., :k], -1) + np.eye(m, k, dtype=a.dtype)
    inner = np.eye(k, dtype=a.dtype) + taus[..., None] * np.triu(np.matmul(_adjoint(v), v), 1)
    d = np.eye(k, dtype=a.dtype) * taus[..., None, :]
    return v, _make(ops.triangular_solve, [inner, d], False, False, True)


def householder_product(a, taus):
    """The first n columns of the product of k reflections I - tau v v^H, whose v stand below the diagonal of a: a of
    shape (..., m, n) with m >= n, taus (..., k)."""
    a, taus = _operands('householder_product', (a, 2), (taus, 1))
    if a.shape[-2] < a.shape[-1]:
        raise ValueError(f'householder_product needs at least as many rows as columns, got shape {a.shape}')
    v, t = _reflections('householder_product', a, taus)
    n = a.shape[-1]
    return np.eye(a.shape[-2], n, dtype=a.dtype) - np.matmul(v, np.matmul(t, _adjoint(v[..., :n, :])))


def ormqr(a, taus, c, *, left=True, transpose=False):
    """Q c, or c Q where not left, for Q the product of the reflections in a and taus, which is not formed; Q^H for Q
    with transpose. c of shape (..., m, p) or, where not left, (..., p, m)."""
    a, taus, c = _operands('ormqr', (a, 2), (taus, 1), (c, 2))
    side = 'rows' if left else 'columns'
    if c.shape[-2 if left else -1] != a.shape[-2]:
        raise ValueError(f'ormqr: c must have as many {side} as the reflections have components, got shapes {a.shape} '
                         f'and {c.shape}')
    if not left:
        return _adjoint(ormqr(a, taus, _adjoint(c), transpose=not transpose))
    v, t = _reflections('ormqr', a, taus)
    return c - np.matmul(v, np.matmul(_adjoint(t) if transpose else t, np.matmul(_adjoint(v), c)))


# --- products and equations ----------------------------------------------------------------------------------------

def symmetric_product(a_matrix, c_matrix, *, alpha=1., beta=0., symmetrize_output=False):
    """alpha a a^T + beta c for a of shape (..., m, n) and symmetric c (..., m, m), all of the result being computed."""
    a, c = _operands('symmetric_product', (a_matrix, 2), (c_matrix, 2))
    if c.shape != a.shape[:-1] + a.shape[-2:-1]:
        raise ValueError(f'symmetric_product: shapes {a.shape} and {c.shape} do not fit')
    result = alpha * np.matmul(a, np.matrix_transpose(a)) + beta * c
    if symmetrize_output:
        result = np.tril(result) + np.matrix_transpose(np.tril(result, -1))
    return result


def triangular_solve(a, b, *, left_side=False, lower=False, transpose_a=False, conjugate_a=False, unit_diagonal=False):
    """x in op(a) x = b, or in x op(a) = b unless left_side; one triangle of a is read, with ones for the diagonal where
    unit_diagonal. op transposes, conjugates or both. b may have one axis less than a: vectors.

    >>> import lazy, lazy.numpy as np
    >>> a, b = np.array([[2., 0.], [1., 1.]]), np.array([4., 3.])
    >>> lazy.lax.linalg.triangular_solve(a, b, left_side=True, lower=True).tolist()
    [2.0, 1.0]
    """
    a, b = _operands('triangular_solve', (a, 2), (b, 1))
    if b.ndim == a.ndim - 1:
        b = b[..., None] if left_side else b[..., None, :]
        solved = triangular_solve(a, b, left_side=left_side, lower=lower, transpose_a=transpose_a,
                                  conjugate_a=conjugate_a, unit_diagonal=unit_diagonal)
        return solved[..., 0] if left_side else solved[..., 0, :]
    a = np.conj(a) if conjugate_a else a
    if not left_side:
        b, transpose_a = np.matrix_transpose(b), not transpose_a
    x = _make(ops.triangular_solve, [a, b], bool(lower), bool(transpose_a), bool(unit_diagonal))
    return x if left_side else np.matrix_transpose(x)


def tridiagonal_solve(dl, d, du, b, *, perturb_singular=False):
    """x in A x = b for tridiagonal A: dl, d, du of shape (..., m) with dl[i] = A[i, i-1], d[i] = A[i, i] and
    du[i] = A[i, i+1], dl[0] and du[m-1] being ignored; b of shape (..., m, n).

    Raises LinAlgError, when the result is waited for, for a singular matrix. perturb_singular: instead, pivots that are
    nearly zero are replaced by the machine precision times the largest element of the triangular factor.

    >>> import lazy, lazy.numpy as np
    >>> one = np.ones(3)
    >>> lazy.lax.linalg.tridiagonal_solve(one, 4 * one, one, np.array([[5.], [6.], [5.]])).round(3).tolist()
    [[1.0], [1.0], [1.0]]
    """
    arrays = _operands('tridiagonal_solve', (dl, 1), (d, 1), (du, 1), (b, 2))
    return _make(ops.tridiagonal_solve, arrays, bool(perturb_singular))


# --- polar decomposition -------------------------------------------------------------------------------------------

def qdwh(x, *, is_hermitian=False, max_iterations=None, eps=None, dynamic_shape=None):
    """(u, h, iterations, is_converged) with x = u h, orthonormal columns u and positive semidefinite h, for matrices
    (..., m, n) with m >= n.

    It is found from the singular values, in no iterations, and has converged where x is finite; is_hermitian,
    max_iterations and eps are accepted for compatibility. Unlike those of the SVD, the derivatives exist for equal
    singular values too; they need x of full rank (LinAlgError when they are waited for). dynamic_shape: of the part of
    x that counts.

    >>> import lazy, lazy.numpy as np
    >>> u, h, *_ = lazy.lax.linalg.qdwh(np.array([[0., -2.], [3., 0.]]))
    >>> u.round(5).tolist(), h.round(5).tolist()
    ([[0.0, -1.0], [1.0, 0.0]], [[3.0, 0.0], [0.0, 2.0]])
    """
    x, = _operands('qdwh', (x, 2))
    m, n = x.shape[-2:]
    if m < n:
        raise ValueError(f'The input matrix of shape M x N must have M >= N, got shape {x.shape}.')
    rows, columns = (m, n) if dynamic_shape is None else dynamic_shape
    u, h = _make(ops.polar, [x[..., :rows, :columns]])
    converged = np.all(np.isfinite(h), (-2, -1))
    if dynamic_shape is not None:
        u, h = _embedded(u, m, n), _embedded(h, n, n)
    return u, h, np.zeros((), dtypes.int32), converged


def _embedded(x, rows, columns):
    """x in the corner of a matrix of zeros."""
    return np.zeros(x.shape[:-2] + (rows, columns), x.dtype).at[..., :x.shape[-2], :x.shape[-1]].set(x)
