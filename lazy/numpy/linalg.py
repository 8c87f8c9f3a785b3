"""Linear algebra on batches of matrices: norms, solutions, factors, eigenvalues. LAPACK does the work."""
import math
from typing import NamedTuple

import numpy as onp

from . import elementwise as el
from . import products
from . import reductions as red
from ._util import (Array, array_of, axes_of, axis_of, broadcast_shapes, build, dtypes, fresh, inexact_array, ops,
                    promoted, static_int, wrap)
from .creation import eye
from .indexing import where
from .shape import diagonal as _diagonal, expand_dims, matrix_transpose, moveaxis, squeeze

__all__ = ['norm', 'vector_norm', 'matrix_norm', 'solve', 'inv', 'cholesky', 'det', 'slogdet', 'qr', 'svd', 'svdvals',
           'eig', 'eigh', 'eigvals', 'eigvalsh', 'lstsq', 'pinv', 'matrix_rank', 'matrix_power', 'cond', 'multi_dot',
           'tensorinv', 'tensorsolve', 'cross', 'diagonal', 'matmul', 'matrix_transpose', 'outer', 'tensordot', 'trace',
           'vecdot', 'LinAlgError']

LinAlgError = onp.linalg.LinAlgError


class EigResult(NamedTuple):
    eigenvalues: Array
    eigenvectors: Array


class EighResult(NamedTuple):
    eigenvalues: Array
    eigenvectors: Array


class QRResult(NamedTuple):
    Q: Array
    R: Array


class SVDResult(NamedTuple):
    U: Array
    S: Array
    Vh: Array


class SlogdetResult(NamedTuple):
    sign: Array
    logabsdet: Array


def _matrices(a, name, square=False):
    """The argument as floats, at least float32, and the dtype of the result."""
    x = inexact_array(a)
    if x.ndim < 2:
        raise ValueError(f'{name} needs arrays of at least two dimensions, got shape {x.shape}')
    if square and x.shape[-1] != x.shape[-2]:
        raise ValueError(f'{name} needs square matrices, got shape {x.shape}')
    return _wide(x), x.dtype


def _wide(x):
    """LAPACK has no narrow floats."""
    return x.astype(dtypes.float32) if x.dtype.itemsize < 4 else x


def _results(op, x, params=None):
    """The results of an operation that has several."""
    node = build.make(op, (x._node,), params)
    return [wrap(build.project(node, i)) for i in range(len(node.aval))]


def _adjoint(x):
    return el.conj(matrix_transpose(x))


# --- norms -----------------------------------------------------------------------------------------------------------

def norm(x, ord=None, axis=None, keepdims=False):
    """Norm of a vector or matrix: of the whole array, of vectors along an axis, or of matrices along two axes.

    ord: None the square root of the sum of squares; for vectors a number; for matrices 'fro', 'nuc', 1, -1, 2, -2, inf, -inf.

    Raises ValueError for an order that does not exist, or more than two axes.

    >>> import lazy.numpy as np
    >>> float(np.linalg.norm(np.array([3., 4.])))
    5.0
    """
    x = inexact_array(x)
    if axis is None:
        if ord is None:
            return _two_norm(x, None, keepdims)
        if x.ndim > 2:
            raise ValueError(f'Improper number of axes for norm: an axis is needed for shape {x.shape}')
        axis = tuple(range(x.ndim))
    axes = tuple([axis_of(i, x.ndim) for i in (axis if isinstance(axis, (tuple, list)) else (axis,))])
    if len(set(axes)) != len(axes):
        raise ValueError(f'duplicate axes given: {axis}')
    if len(axes) == 1:
        return _vector_norm(x, 2 if ord is None else ord, axes, keepdims)
    if len(axes) == 2:
        return _matrix_norm(x, 'fro' if ord is None else ord, axes, keepdims)
    raise ValueError(f'Improper number of dimensions to norm: axes {axes}')


def _two_norm(x, axes, keepdims):
    """sqrt of the sum of squares; narrow floats are squared in float32, so that they don't overflow."""
    wide = _wide(x)
    squares = el.real(wide * el.conj(wide)) if dtypes.kind(x.dtype) == 'c' else el.square(wide)
    result = el.sqrt(red.sum(squares, axes, keepdims=keepdims))
    return result if wide is x else result.astype(x.dtype)


def _vector_norm(x, ord, axes, keepdims):
    if isinstance(ord, str):
        raise ValueError(f"Invalid order '{ord}' for vector norm.")
    if ord == 2:
        return _two_norm(x, axes, keepdims)
    size = el.abs(x)
    if ord in (math.inf, -math.inf):
        return (red.max if ord > 0 else red.min)(size, axes, keepdims=keepdims,
                                                 initial=0 if ord > 0 and not x.size else None)
    if ord == 0:
        return red.sum(x != 0, axes, dtype=size.dtype, keepdims=keepdims)
    if ord == 1:
        return red.sum(size, axes, keepdims=keepdims)
    return red.sum(size ** ord, axes, keepdims=keepdims) ** (1.0 / ord)


def _matrix_norm(x, ord, axes, keepdims):
    row, column = axes
    if ord in ('fro', 'f'):
        return _two_norm(x, axes, keepdims)
    if ord in (1, -1, math.inf, -math.inf):
        summed, rest = (row, column) if ord in (1, -1) else (column, row)
        total = red.sum(el.abs(x), summed, keepdims=True)
        result = (red.max if ord > 0 else red.min)(total, rest, keepdims=True)
    elif ord in (2, -2, 'nuc'):
        values = svdvals(moveaxis(x, axes, (-2, -1)))
        result = red.sum(values, -1) if ord == 'nuc' else red.max(values, -1) if ord == 2 else red.min(values, -1)
        return expand_dims(result, tuple(sorted(axes))) if keepdims else result
    else:
        raise ValueError(f"Invalid order '{ord}' for matrix norm.")
    return result if keepdims else squeeze(result, axes)


def vector_norm(x, /, *, axis=None, keepdims=False, ord=2):
    """Norm of vectors along axes; of the flattened array when axis is None."""
    x = inexact_array(x)
    return _vector_norm(x, ord, axes_of(axis, x.ndim), keepdims)


def matrix_norm(x, /, *, keepdims=False, ord='fro'):
    """Norm of the matrices in the last two axes."""
    x, _ = _matrices(x, 'matrix_norm')
    return _matrix_norm(x, ord, (x.ndim - 2, x.ndim - 1), keepdims)


# --- solutions --------------------------------------------------------------------------------------------------------

def solve(a, b):
    """x in a x = b, batched; b is a vector where it has one axis, matrices otherwise.

    Raises ValueError for shapes that don't fit; LinAlgError, when the result is waited for, for a singular matrix.

    >>> import lazy.numpy as np
    >>> np.linalg.solve(np.array([[2., 0.], [0., 4.]]), np.array([2., 4.])).tolist()
    [1.0, 1.0]
    """
    a, b = [_wide(wrap(n)) for n in promoted(a, b, inexact=True)]
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ValueError(f'solve needs square matrices, got shape {a.shape}')
    if b.ndim < 1 or b.shape[-1 if b.ndim == 1 else -2] != a.shape[-1]:
        raise ValueError(f'solve: shapes {a.shape} and {b.shape} do not fit')
    vector = b.ndim == 1
    b = b[:, None] if vector else b
    batch = broadcast_shapes('solve', a.shape[:-2], b.shape[:-2])
    a, b = [wrap(build.broadcast_to(x._node, batch + x.shape[-2:])) for x in (a, b)]
    result = wrap(build.make(ops.solve, (a._node, b._node)))
    return result[..., 0] if vector else result


def inv(a):
    """The inverse of matrices.

    Raises ValueError where they are not square; LinAlgError, when the result is waited for, where one is singular.
    """
    x, dtype = _matrices(a, 'inv', True)
    return wrap(build.make(ops.inverse, (x._node,))).astype(dtype)


def cholesky(a, *, upper=False, symmetrize_input=True):
    """The lower triangular L with L L^H = a, or its adjoint, of positive definite matrices.

    Raises LinAlgError, when the result is waited for, where a matrix is not positive definite.
    """
    x, dtype = _matrices(a, 'cholesky', True)
    if symmetrize_input:
        x = (x + _adjoint(x)) / 2
    result = wrap(build.make(ops.cholesky, (x._node,))).astype(dtype)
    return _adjoint(result) if upper else result


def slogdet(a, *, method=None):
    """(sign, logarithm of the absolute value) of the determinants of matrices, without overflow.

    method: None or 'lu' through LU factors, 'qr' through QR factors.
    """
    x, dtype = _matrices(a, 'slogdet', True)
    if method not in (None, 'lu', 'qr'):
        raise ValueError(f"method is 'lu' or 'qr', not {method!r}")
    factors, _, parity, _ = _results(ops.lu, x)
    diagonal_ = _diagonal(factors, 0, -2, -1)
    size = el.abs(diagonal_)
    sign = red.prod(el.sign(diagonal_), -1) * parity.astype(dtypes.real_of(x.dtype))
    return SlogdetResult(sign.astype(dtype), red.sum(el.log(size), -1).astype(dtypes.real_of(dtype)))


def det(a):
    """The determinants of matrices; those of size 1, 2 and 3 by their formula."""
    x, dtype = _matrices(a, 'det', True)
    n = x.shape[-1]
    e = lambda i, j: x[..., i, j]
    if n == 0:
        return wrap(build.full(x.shape[:-2], 1, dtype))
    if n == 1:
        result = e(0, 0)
    elif n == 2:
        result = e(0, 0) * e(1, 1) - e(0, 1) * e(1, 0)
    elif n == 3:
        result = (e(0, 0) * (e(1, 1) * e(2, 2) - e(1, 2) * e(2, 1)) - e(0, 1) * (e(1, 0) * e(2, 2) - e(1, 2) * e(2, 0))
                  + e(0, 2) * (e(1, 0) * e(2, 1) - e(1, 1) * e(2, 0)))
    else:
        factors, _, parity, _ = _results(ops.lu, x)
        result = red.prod(_diagonal(factors, 0, -2, -1), -1) * parity.astype(dtypes.real_of(x.dtype))
    return result.astype(dtype)


# --- factors ----------------------------------------------------------------------------------------------------------

def qr(a, mode='reduced'):
    """(Q, R) with orthonormal columns Q and upper triangular R; 'complete' a square Q, 'r' only R.

    'raw': (packed, taus), the transpose of R with Householder's vectors above its diagonal, and their factors, which
    `lazy.lax.linalg.ormqr` takes; without derivatives.
    """
    x, dtype = _matrices(a, 'qr')
    if mode not in ('reduced', 'complete', 'r', 'full', 'raw'):
        raise ValueError(f"mode is 'reduced', 'complete', 'r' or 'raw', not {mode!r}")
    if mode == 'raw':
        packed, taus = _results(ops.geqrf, x)
        return QRResult(matrix_transpose(packed).astype(dtype), taus.astype(dtype))
    q, r = _results(ops.qr, x, (mode in ('complete', 'full'), False))
    return r.astype(dtype) if mode == 'r' else QRResult(q.astype(dtype), r.astype(dtype))


def svd(a, full_matrices=True, compute_uv=True, hermitian=False, subset_by_index=None):
    """(U, S, Vh) with a = U diag(S) Vh, the singular values S falling; only S unless compute_uv.

    Raises LinAlgError, when the result is waited for, where it does not converge. The vectors that complete U or Vh with
    full_matrices have the derivative that `lazy.lax.linalg.svd` describes.
    """
    x, dtype = _matrices(a, 'svd')
    if subset_by_index is not None:
        if full_matrices and compute_uv and subset_by_index != (0, min(x.shape[-2:])):
            raise ValueError('full_matrices and subset_by_index cannot both be set')
    u, s, vh = _results(ops.svd, x, (bool(full_matrices and compute_uv),))
    if subset_by_index is not None:
        i, j = subset_by_index
        u, s, vh = u[..., i:j], s[..., i:j], vh[..., i:j, :]
    s = s.astype(dtypes.real_of(dtype))
    return SVDResult(u.astype(dtype), s, vh.astype(dtype)) if compute_uv else s


def svdvals(x, /):
    """The singular values of matrices, falling."""
    return svd(x, compute_uv=False)


def eigh(a, UPLO=None, symmetrize_input=True):
    """(eigenvalues, eigenvectors) of Hermitian matrices, rising; read from the lower triangle, or as UPLO says.

    symmetrize_input: both triangles are averaged first, unless UPLO is given.
    """
    x, dtype = _matrices(a, 'eigh', True)
    if UPLO not in (None, 'L', 'U', 'l', 'u'):
        raise ValueError(f"UPLO must be one of None, 'L', or 'U', got {UPLO}")
    if UPLO is None and symmetrize_input:
        x = (x + _adjoint(x)) / 2
    elif UPLO in ('U', 'u'):
        x = _adjoint(x)
    w, v = _results(ops.eigh, x)
    return EighResult(w.astype(dtypes.real_of(dtype)), v.astype(dtype))


def eigvalsh(a, UPLO='L', *, symmetrize_input=True):
    """The eigenvalues of Hermitian matrices, rising."""
    return eigh(a, None if symmetrize_input else UPLO, symmetrize_input).eigenvalues


def eig(a):
    """(eigenvalues, right eigenvectors) of square matrices, complex."""
    x, _ = _matrices(a, 'eig', True)
    return EigResult(*_results(ops.eig, x, (False,)))


def eigvals(a):
    """The eigenvalues of square matrices, complex."""
    return eig(a).eigenvalues


# --- what factors are used for ----------------------------------------------------------------------------------------

def _cutoff(rcond, shape, dtype):
    return max(shape[-2:]) * float(onp.finfo(dtypes.real_of(dtype)).eps) * 10 if rcond is None else rcond


def pinv(a, rtol=None, hermitian=False, *, rcond=None):
    """The pseudoinverse of matrices; singular values below rtol times the largest count as zero."""
    x, dtype = _matrices(a, 'pinv')
    if not x.size:
        return wrap(build.full(x.shape[:-2] + (x.shape[-1], x.shape[-2]), 0, dtype))
    u, s, vh = svd(x, full_matrices=False)
    rtol = array_of(_cutoff(rcond if rtol is None else rtol, x.shape, x.dtype))
    keep = s > rtol[..., None] * red.max(s, -1, keepdims=True)
    inverse = where(keep, 1 / where(keep, s, 1), 0)
    return products.matmul(_adjoint(vh), inverse[..., None] * _adjoint(u)).astype(dtype)


def matrix_rank(M, rtol=None, *, hermitian=False, tol=None):
    """The number of singular values above rtol times the largest."""
    x = inexact_array(M)
    if x.ndim < 2:
        return red.any(x != 0).astype(dtypes.default_int())
    s = svdvals(x)
    rtol = tol if rtol is None else rtol
    rtol = max(x.shape[-2:]) * float(onp.finfo(s.dtype).eps) if rtol is None else rtol
    return red.sum(s > array_of(rtol)[..., None] * red.max(s, -1, keepdims=True, initial=0), -1)


def lstsq(a, b, rcond=None, *, numpy_resid=False):
    """(x, residuals, rank, singular values): the x of smallest norm that minimises |a x - b|."""
    a, b = [_wide(wrap(n)) for n in promoted(a, b, inexact=True)]
    if a.ndim != 2:
        raise TypeError(f'lstsq needs a matrix, got shape {a.shape}')
    if b.ndim not in (1, 2) or b.shape[0] != a.shape[0]:
        raise ValueError(f'lstsq: leading dimensions of shapes {a.shape} and {b.shape} must agree')
    m, n = a.shape
    vector = b.ndim == 1
    b = b[:, None] if vector else b
    u, s, vh = svd(a, full_matrices=False)
    rcond = max(m, n) * float(onp.finfo(s.dtype).eps) if rcond is None or rcond == -1 and numpy_resid else rcond
    keep = s > rcond * s[0] if s.size else s > 0
    rank = red.sum(keep)
    inverse = where(keep, 1 / where(keep, s, 1), 0).astype(s.dtype)[:, None]
    x = products.matmul(_adjoint(vh), inverse * products.matmul(_adjoint(u), b))
    residuals = red.sum(el.abs(b - products.matmul(a, x)) ** 2, 0)
    if numpy_resid and (m <= n or int(rank) < n):
        residuals = wrap(build.full((0,), 0, residuals.dtype))
    return x[:, 0] if vector else x, residuals, rank, s


def matrix_power(a, n):
    """Integer powers of square matrices, negative ones of the inverse."""
    x = fresh(a)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise TypeError(f'Last 2 dimensions of the array must be square, got shape {x.shape}')
    try:
        n = static_int(n, 'n')
    except TypeError:
        raise TypeError(f'exponent must be an integer, got {n}') from None
    if n == 0:
        return wrap(build.broadcast_to(eye(x.shape[-1], dtype=x.dtype)._node, x.shape))
    if n < 0:
        x, n = inv(x), -n
    result = None
    while n:
        if n & 1:
            result = x if result is None else products.matmul(result, x)
        n >>= 1
        if n:
            x = products.matmul(x, x)
    return result


def cond(x, p=None):
    """Condition number: the norm of a matrix times that of its inverse, for norm p (the 2-norm by default)."""
    x, _ = _matrices(x, 'cond')
    if p in (None, 2, -2):
        s = svdvals(x)
        result = s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    else:
        from ..lax.linalg import lu, triangular_solve
        factors, _, order = lu(x)
        one = eye(x.shape[-1], dtype=factors.dtype)
        pivots = diagonal(factors)
        factors = factors + one * (pivots == 0)[..., None]             # a singular matrix is no error here
        inverse = triangular_solve(factors, one[order], left_side=True, lower=True, unit_diagonal=True)
        inverse = triangular_solve(factors, inverse, left_side=True, lower=False)
        result = norm(x, p, (-2, -1)) * norm(inverse, p, (-2, -1))
        result = where(red.any(pivots == 0, -1), math.inf, result)
    return where(el.isnan(result) & ~red.any(el.isnan(x), (-2, -1)), math.inf, result)


def multi_dot(arrays, *, precision=None):
    """The product of several matrices, in the order that costs least; the first and last may be vectors."""
    parts = [array_of(a) for a in arrays]
    if len(parts) < 2:
        raise ValueError(f'multi_dot requires at least two arrays; got {len(parts)}')
    for i, x in enumerate(parts):
        if x.ndim != 2 and not (x.ndim == 1 and i in (0, len(parts) - 1)):
            raise ValueError(f'multi_dot: arrays must be matrices (the first and last may be vectors), got shape {x.shape}')
    letters = products._LETTERS
    terms, at = [], 0
    for x in parts:
        terms.append(letters[at:at + x.ndim])
        at += x.ndim - 1
    output = (terms[0][0] if parts[0].ndim == 2 else '') + (terms[-1][-1] if parts[-1].ndim == 2 else '')
    for left, right in zip(parts, parts[1:]):
        if left.shape[-1] != right.shape[0]:
            raise ValueError(f'multi_dot: incompatible shapes {[x.shape for x in parts]}')
    return products.einsum(','.join(terms) + '->' + output, *parts, optimize='optimal')


def tensorinv(a, ind=2):
    """The inverse with respect to tensordot(a, b, ind)."""
    x = array_of(a)
    ind = static_int(ind, 'ind')
    if ind <= 0:
        raise ValueError(f'ind must be a positive integer; got ind={ind}')
    shape, rest = x.shape[:ind], x.shape[ind:]
    if math.prod(shape) != math.prod(rest):
        raise ValueError(f'tensorinv is only defined where the sizes of the first {ind} axes and the others agree, got {x.shape}')
    return inv(x.reshape(math.prod(shape), -1)).reshape(rest + shape)


def tensorsolve(a, b, axes=None):
    """x in tensordot(a, x, x.ndim) = b."""
    a, b = array_of(a), array_of(b)
    if axes is not None:
        a = moveaxis(a, tuple(axes), tuple(range(a.ndim - len(axes), a.ndim)))
    shape = a.shape[b.ndim:]
    if a.shape[:b.ndim] != b.shape or math.prod(shape) != b.size:
        raise ValueError(f'tensorsolve: shapes {a.shape} and {b.shape} do not fit')
    return solve(a.reshape(b.size, b.size), b.reshape(-1)).reshape(shape)


# --- the array API's names --------------------------------------------------------------------------------------------

vecdot = products.vecdot


def matmul(x1, x2, /, *, precision=None, preferred_element_type=None):
    """As `lazy.numpy.matmul`."""
    return products.matmul(x1, x2, precision=precision, preferred_element_type=preferred_element_type)


def tensordot(x1, x2, /, *, axes=2, precision=None, preferred_element_type=None, out_sharding=None):
    """As `lazy.numpy.tensordot`."""
    return products.tensordot(x1, x2, axes, precision=precision, preferred_element_type=preferred_element_type)


def cross(x1, x2, /, *, axis=-1):
    """Cross product of vectors of 3 components along an axis."""
    a, b = array_of(x1), array_of(x2)
    if a.shape[axis_of(axis, a.ndim)] != 3 or b.shape[axis_of(axis, b.ndim)] != 3:
        raise ValueError(f'both inputs must be arrays of 3-dimensional vectors, got shapes {a.shape} and {b.shape}')
    return products.cross(a, b, axis=axis)


def diagonal(x, /, *, offset=0):
    """A diagonal of the matrices in the last two axes."""
    return _diagonal(x, offset, -2, -1)


def outer(x1, x2, /):
    """Products of all pairs of elements of two vectors."""
    a, b = array_of(x1), array_of(x2)
    if a.ndim != 1 or b.ndim != 1:
        raise ValueError(f'Input arrays must be one-dimensional, but they are of shapes {a.shape} and {b.shape}')
    return products.outer(a, b)


def trace(x, /, *, offset=0, dtype=None):
    """Sum of a diagonal of the matrices in the last two axes."""
    return red.trace(x, offset, -2, -1, dtype)
