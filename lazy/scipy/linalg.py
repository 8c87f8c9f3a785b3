"""Linear algebra over leading axes, with the signatures of jax.scipy.linalg.

LAPACK and SciPy do the work. Integers are computed in the default float type, and narrow floats in float32. A matrix
for which there is no result (singular, not positive definite) is a LinAlgError when the result is waited for. Arguments
that tell SciPy it may overwrite or need not check (overwrite_a, overwrite_b, check_finite, debug, turbo, lapack_driver,
lwork) are accepted without effect.
"""
import math

import numpy as onp

from .. import numpy as np
from ..array import wrap
from ..ir import build, dtypes, ops
from ..lax import linalg as lax_linalg
from ..numpy import linalg as np_linalg
from ..numpy._util import promoted
from . import special_matrices
from .special_matrices import *  # noqa: F401,F403

__all__ = ['cho_factor', 'cho_solve', 'cholesky', 'det', 'eigh', 'eigh_tridiagonal', 'expm', 'expm_frechet', 'funm',
           'hessenberg', 'inv', 'lu', 'lu_factor', 'lu_solve', 'polar', 'qr', 'qr_multiply', 'rsf2csf', 'schur',
           'solve', 'solve_sylvester', 'solve_triangular', 'sqrtm', 'svd', *special_matrices.__all__]


def _floats(*arrays):
    """Arrays of one inexact dtype that LAPACK has."""
    found = [wrap(node) for node in promoted(*arrays, inexact=True)]
    return [x.astype(dtypes.float32) if x.dtype.itemsize < 4 else x for x in found]


def _square(name, *arrays):
    found = _floats(*arrays)
    for x in found:
        if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
            raise ValueError(f'{name} needs square matrices, got shape {x.shape}')
    return found


def _complex(x):
    return x.astype(dtypes.complex_of(x.dtype))


def _adjoint(x):
    return np.conj(np.matrix_transpose(x))


def _apply(op, *arrays):
    """An operation over leading axes: the result, or the list of several results."""
    node = build.make(op, tuple([x._node for x in arrays]))
    return [wrap(build.project(node, i)) for i in range(len(node.aval))] if isinstance(node.aval, tuple) else wrap(node)


def _together(*pairs):
    """Arrays with equal leading axes; pairs: (array, number of its own axes)."""
    batch = np.broadcast_shapes(*[x.shape[:x.ndim - own] for x, own in pairs])
    return [np.broadcast_to(x, batch + x.shape[x.ndim - own:]) for x, own in pairs]


def _right(name, a, b):
    """(matrices, right-hand sides as matrices, whether these are vectors): b is a vector where it has one axis."""
    if b.ndim < 1 or b.shape[0 if b.ndim == 1 else -2] != a.shape[-1]:
        raise ValueError(f'{name}: shapes {a.shape} and {b.shape} do not fit')
    return *_together((a, 2), (b[:, None] if b.ndim == 1 else b, 2)), b.ndim == 1


# --- equations -------------------------------------------------------------------------------------------------------

def solve(a, b, lower=False, overwrite_a=False, overwrite_b=False, debug=False, check_finite=True, assume_a='gen'):
    """x in a x = b; assume_a: 'gen', or 'sym', 'her', 'pos' for what a is known to be. Of positive definite matrices
    one triangle is read, the lower one where `lower`.

    >>> import lazy
    >>> lazy.scipy.linalg.solve([[2., 1.], [1., 2.]], [3., 3.], assume_a='pos').round(5).tolist()
    [1.0, 1.0]
    """
    if assume_a not in ('gen', 'sym', 'her', 'pos'):
        raise ValueError(f"Expected assume_a to be one of ['gen', 'sym', 'her', 'pos']; got {assume_a!r}")
    if assume_a == 'pos':
        return cho_solve(cho_factor(a, lower), b)
    return np_linalg.solve(*_floats(a, b))


def solve_triangular(a, b, trans=0, lower=False, unit_diagonal=False, overwrite_b=False, debug=None, check_finite=True):
    """x in op(a) x = b for triangular a; trans: 0 or 'N' for a itself, 1 or 'T' transposed, 2 or 'C' adjoint."""
    transposes, conjugates = _trans(trans)
    a, b = _floats(a, b)
    a, b, vector = _right('solve_triangular', *_square('solve_triangular', a), b)
    x = lax_linalg.triangular_solve(a, b, left_side=True, lower=lower, transpose_a=transposes, conjugate_a=conjugates,
                                    unit_diagonal=unit_diagonal)
    return x[..., 0] if vector else x


def _trans(trans):
    """(whether to transpose, whether to conjugate)."""
    for names, found in (((0, 'N'), (False, False)), ((1, 'T'), (True, False)), ((2, 'C'), (True, True))):
        if trans in names:
            return found
    raise ValueError(f"Invalid 'trans' value {trans}: it is 0, 1, 2, 'N', 'T' or 'C'")


def solve_sylvester(A, B, C, *, method='schur', tol=1e-8):
    """X in A X + X B = C, of shapes (..., m, m), (..., n, n) and (..., m, n), by Bartels and Stewart's algorithm.

    method and tol are accepted for compatibility. Raises LinAlgError, when the result is waited for, where A and -B
    have a common eigenvalue.
    """
    if method not in ('schur', 'eigen'):
        raise ValueError(f'Unrecognized method {method}. The two valid methods are either "schur" or "eigen".')
    A, B, C = _floats(A, B, C)
    if C.ndim < 2 or A.shape[-2:] != C.shape[-2:-1] * 2 or B.shape[-2:] != C.shape[-1:] * 2:
        raise ValueError(f'Incompatible shapes for Sylvester equation:\nA: {A.shape}\nB: {B.shape}\nC: {C.shape}')
    return _apply(ops.sylvester, *_together((A, 2), (B, 2), (C, 2)))


def inv(a, overwrite_a=False, check_finite=True):
    """The inverse of square matrices."""
    return np_linalg.inv(*_floats(a))


def det(a, overwrite_a=False, check_finite=True):
    """The determinant of square matrices."""
    return np_linalg.det(*_floats(a))


# --- factors ---------------------------------------------------------------------------------------------------------

def cholesky(a, lower=False, overwrite_a=False, check_finite=True):
    """Upper triangular U with U^H U = a, or lower triangular L with L L^H = a; the same triangle of a is read.

    >>> import lazy
    >>> lazy.scipy.linalg.cholesky([[4., 2.], [2., 2.]]).tolist()
    [[2.0, 1.0], [0.0, 1.0]]
    """
    a, = _square('cholesky', a)
    factor = _apply(ops.cholesky, a if lower else _adjoint(a))
    return factor if lower else _adjoint(factor)


def cho_factor(a, lower=False, overwrite_a=False, check_finite=True):
    """(cholesky(a, lower), lower), for `cho_solve`."""
    return cholesky(a, lower), lower


def cho_solve(c_and_lower, b, overwrite_b=False, check_finite=True):
    """x in a x = b from cho_factor(a)."""
    c, lower = c_and_lower
    first, second = (0, 'C') if lower else ('C', 0)
    return solve_triangular(c, solve_triangular(c, b, first, lower), second, lower)


def lu(a, permute_l=False, overwrite_a=False, check_finite=True):
    """(P, L, U) with a = P L U, a permutation matrix, a lower triangular one with ones on its diagonal, an upper one;
    or (P L, U) with permute_l."""
    a, = _floats(a)
    factors, _, permutation = lax_linalg.lu(a)
    m, n = a.shape[-2:]
    k = min(m, n)
    lower = np.tril(factors[..., :k], -1) + np.eye(m, k, dtype=a.dtype)
    p = (permutation[..., None, :] == np.arange(m, dtype=dtypes.int32)[:, None]).astype(dtypes.real_of(a.dtype))
    upper = np.triu(factors[..., :k, :])
    return (np.matmul(p.astype(a.dtype), lower), upper) if permute_l else (p, lower, upper)


def lu_factor(a, overwrite_a=False, check_finite=True):
    """(L and U in one matrix, pivots: the rows exchanged with rows 0, 1, ... in turn), for `lu_solve`."""
    factors, pivots, _ = lax_linalg.lu(*_floats(a))
    return factors, pivots


def lu_solve(lu_and_piv, b, trans=0, overwrite_b=False, check_finite=True):
    """x in op(a) x = b from lu_factor(a); trans: 0 for a itself, 1 transposed, 2 adjoint."""
    transposes, _ = _trans(trans)
    factors, pivots = lu_and_piv
    factors, b = _floats(factors, b)
    factors, b, vector = _right('lu_solve', *_square('lu_solve', factors), b)
    order = lax_linalg.lu_pivots_to_permutation(pivots, factors.shape[-1])[..., None]
    order = np.broadcast_to(order, b.shape[:-1] + (1,))
    if not transposes:
        b = solve_triangular(factors, np.take_along_axis(b, order, -2), 0, True, True)
        x = solve_triangular(factors, b)
    else:
        b = solve_triangular(factors, solve_triangular(factors, b, trans), trans, True, True)
        x = np.take_along_axis(b, np.argsort(order, -2), -2)
    return x[..., 0] if vector else x


def qr(a, overwrite_a=False, lwork=None, mode='full', pivoting=False, check_finite=True):
    """(Q, R), with square Q for mode 'full' and thin Q for 'economic'; (R,) for 'r'. pivoting: also the order p of the
    columns with a[..., p] = Q R and a falling diagonal of R."""
    if mode not in ('full', 'r', 'economic'):
        raise ValueError(f"Unsupported QR decomposition mode '{mode}'")
    found = lax_linalg.qr(*_floats(a), pivoting=pivoting, full_matrices=mode != 'economic')
    return found[1:] if mode == 'r' else found


def qr_multiply(a, c, mode='right', pivoting=False, conjugate=False, overwrite_a=False, overwrite_c=False):
    """(c Q, R), or (Q c, R) for mode 'left', for the thin factors of a, Q conjugated where asked for; pivoting: also
    the order of the columns. c may be a vector."""
    if mode not in ('right', 'left'):
        raise ValueError(f"mode must be 'right' or 'left', got {mode!r}")
    a, c = _floats(a, c)
    q, *rest = qr(a, mode='economic', pivoting=pivoting)
    q = np.conj(q) if conjugate else q
    m, k = q.shape[-2:]
    needed, have = (k, c.shape[0 if c.ndim == 1 else -2]) if mode == 'left' else (m, c.shape[-1])
    if needed != have:
        raise ValueError(f'Array shapes are not compatible: a has shape {a.shape}, Q has shape {q.shape}, c has shape '
                         f'{c.shape}')
    return np.matmul(q, c) if mode == 'left' else np.matmul(c, q), *rest


def svd(a, full_matrices=True, compute_uv=True, overwrite_a=False, check_finite=True, lapack_driver='gesdd'):
    """(U, s, Vh) with a = U diag(s) Vh and falling s; only s unless compute_uv."""
    return lax_linalg.svd(*_floats(a), full_matrices=full_matrices, compute_uv=compute_uv)


def eigh(a, b=None, lower=True, eigvals_only=False, overwrite_a=False, overwrite_b=False, turbo=True, eigvals=None,
         type=1, check_finite=True):
    """(rising eigenvalues w, eigenvectors v) of Hermitian matrices, one triangle of which is read; only w with
    eigvals_only.

    b, positive definite: of a v = w b v (type 1), a b v = w v (2) or b a v = w v (3), through the Cholesky factor of b.
    eigvals: (first, last) of the eigenvalues wanted.
    """
    if type not in (1, 2, 3):
        raise ValueError(f'type must be 1, 2 or 3, got {type}')
    a, *more = _square('eigh', a) if b is None else _square('eigh', a, b)
    a = a if lower else _adjoint(a)
    if more:
        factor = cholesky(more[0], lower)
        factor = factor if lower else _adjoint(factor)
        a = np.tril(a) + _adjoint(np.tril(a, -1))
        if type == 1:
            half = solve_triangular(factor, a, lower=True)
            a = _adjoint(solve_triangular(factor, _adjoint(half), lower=True))
        else:
            a = np.matmul(_adjoint(factor), np.matmul(a, factor))
    w, v = _apply(ops.eigh, a)
    if more:
        v = np.matmul(factor, v) if type == 3 else solve_triangular(factor, v, 'C', True)
    if eigvals is not None:
        chosen = slice(eigvals[0], eigvals[1] + 1)
        w, v = w[..., chosen], v[..., chosen]
    return w if eigvals_only else (w, v)


def eigh_tridiagonal(d, e, *, eigvals_only=False, select='a', select_range=None, tol=None, key=None):
    """(rising eigenvalues w, eigenvectors v) of the tridiagonal matrix with diagonal d (..., n), real, and subdiagonal
    e (..., n - 1); only w with eigvals_only.

    select: 'a' for all, 'i' for those numbered select_range[0] to select_range[1]. tol and key are accepted for
    compatibility. Raises NotImplementedError for select='v', whose results have no fixed size.
    """
    if select == 'v':
        raise NotImplementedError("eigh_tridiagonal(..., select='v') is not implemented: the number of results depends "
                                  "on values")
    if select not in ('a', 'i'):
        raise ValueError("'select must have a value in {'a', 'i', 'v'}.")
    d, e = _floats(d, e)
    phase = None
    if dtypes.kind(d.dtype) == 'c':                                  # similar to the matrix with |e|
        d, size = np.real(d), np.abs(e)
        turn = np.where(size == 0, 1, e / np.where(size == 0, 1, size))
        phase = np.cumprod(np.concatenate([np.ones_like(turn, shape=turn.shape[:-1] + (1,)), turn], -1), -1)
        e = size
    w, v = _apply(ops.eigh_tridiagonal, *_together((d, 1), (e, 1)))
    v = v if phase is None else phase[..., None] * v
    if select == 'i':
        if select_range is None:
            raise ValueError("for select='i', select_range must be specified.")
        if select_range[0] > select_range[1]:
            raise ValueError('Got empty index range in select_range.')
        chosen = slice(select_range[0], select_range[1] + 1)
        w, v = w[..., chosen], v[..., chosen]
    return w if eigvals_only else (w, v)


def polar(a, side='right', *, method='qdwh', eps=None, max_iterations=None):
    """(U, P) with a = U P, or a = P U for side 'left': orthonormal rows or columns U, positive semidefinite P.

    The derivatives exist for equal singular values too; they need a of full rank (LinAlgError when they are waited
    for). method ('qdwh' or 'svd'), eps and max_iterations are accepted for compatibility: it is always found from the
    singular values.
    """
    a, = _floats(a)
    if a.ndim < 2:
        raise ValueError('The input `a` must be at least a 2-D array.')
    if side not in ('right', 'left'):
        raise ValueError("The argument `side` must be either 'right' or 'left'.")
    if method not in ('qdwh', 'svd'):
        raise ValueError(f'Unknown polar decomposition method {method}.')
    tall = a.shape[-2] >= a.shape[-1]
    u, p = _apply(ops.polar, a if tall else _adjoint(a))
    if tall != (side == 'right'):
        p = np.matmul(u, np.matmul(p, _adjoint(u)))
    return u if tall else _adjoint(u), p


# --- forms -----------------------------------------------------------------------------------------------------------

def schur(a, output='real'):
    """(T, Z) with a = Z T Z^H, Z unitary and T upper triangular; for real matrices and output='real' T has blocks of
    size 2 on its diagonal for complex eigenvalues. Raises NotImplementedError for derivatives."""
    if output not in ('real', 'complex'):
        raise ValueError(f"Expected 'output' to be either 'real' or 'complex', got output={output!r}.")
    a, = _square('schur', a)
    return tuple(lax_linalg.schur(_complex(a) if output == 'complex' else a))


def rsf2csf(T, Z, check_finite=True):
    """The complex Schur form from a real one. Raises NotImplementedError for derivatives."""
    T, Z = _square('rsf2csf', T, Z)
    if T.shape[-1] != Z.shape[-1]:
        raise ValueError(f'Input array shapes must match: Z: {Z.shape} vs. T: {T.shape}')
    return tuple(_apply(ops.rsf2csf, *_together((T, 2), (Z, 2))))


def hessenberg(a, *, calc_q=False, overwrite_a=False, check_finite=True):
    """H, zero below its subdiagonal, with a = Q H Q^H; (H, Q) with calc_q. Raises NotImplementedError for
    derivatives."""
    a, = _square('hessenberg', a)
    packed, taus = lax_linalg.hessenberg(a)
    h = np.triu(packed, -1)
    if not calc_q:
        return h
    n = a.shape[-1]
    if n == 0:
        return h, h
    q = lax_linalg.householder_product(packed[..., 1:, :-1], taus)
    corner = np.eye(n, dtype=a.dtype) * (np.arange(n) == 0)
    return h, corner + np.pad(q, [(0, 0)] * (a.ndim - 2) + [(1, 0), (1, 0)])


# --- functions of matrices -------------------------------------------------------------------------------------------

def expm(A, *, upper_triangular=False, max_squarings=16):
    """The exponential of square matrices, by scaling and squaring (Al-Mohy and Higham 2009); NaN where more than
    max_squarings would be needed. upper_triangular is accepted for compatibility: it is found out.

    >>> import lazy, lazy.numpy as np
    >>> lazy.scipy.linalg.expm(np.array([[0., 1.], [0., 0.]])).tolist()
    [[1.0, 1.0], [0.0, 1.0]]
    """
    A, = _square('expm', A)
    largest = 5.371920351148152 if dtypes.real_of(A.dtype) == dtypes.float64 else 3.92572478313866
    size = np_linalg.norm(A, 1, (-2, -1), True) if A.size else np.zeros(A.shape[:-2] + (1, 1))
    return np.where(size < largest * 2. ** (max_squarings + 1), _apply(ops.expm, A), math.nan)


def expm_frechet(A, E, *, method=None, compute_expm=True):
    """(expm(A), its derivative in the direction E), or the latter alone. method is accepted for compatibility."""
    A, E = _square('expm_frechet', A, E)
    if A.shape != E.shape:
        raise ValueError(f'expected A and E to be the same shape, got A.shape={A.shape} E.shape={E.shape}')
    derivative = _apply(ops.expm_frechet, A, E)
    return (expm(A), derivative) if compute_expm else derivative


def sqrtm(A, blocksize=1):
    """The principal square root of square matrices, complex; by the Schur method (Deadman, Higham and Ralha 2013).

    Raises NotImplementedError for blocksize > 1.
    """
    if blocksize > 1:
        raise NotImplementedError('Blocked version is not implemented yet.')
    return _apply(ops.sqrtm, *_square('sqrtm', A))


def funm(A, func, disp=True):
    """A function of square matrices, complex, from the function of arrays of numbers, by the Schur form and Parlett's
    recurrence; with disp=False also an estimate of the relative error. Eigenvalues have to differ.

    Raises NotImplementedError for derivatives.
    """
    A, = _square('funm', A)
    t, z = rsf2csf(*schur(A))
    f = wrap(build.convert(np.asarray(func(np.diagonal(t, axis1=-2, axis2=-1)))._node, t.dtype))
    found, least = _apply(ops.parlett, t, f)
    found = np.matmul(z, np.matmul(found, _adjoint(z)))
    if disp:
        return found
    precision = float(onp.finfo(t.dtype).eps)
    least = np.where(least == 0, precision, least)
    error = np.minimum(1, np.maximum(precision, precision / least * np_linalg.norm(np.triu(t, 1), 1, (-2, -1))))
    return found, np.where(np.any(np.isinf(found), axis=(-2, -1)), math.inf, error)
