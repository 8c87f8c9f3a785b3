"""NumPy references and shape rules of the operations that LAPACK does, by NumPy or SciPy, and of functions of matrices.

All go over leading axes, one matrix after the other. SciPy is imported when first needed.
"""
import functools
import importlib
import warnings

import numpy as np

from . import dtypes
from .graph import aval


def scipy_linalg():
    return importlib.import_module('scipy.linalg')


def routine(name, *arrays):
    """LAPACK's routine for the arrays' dtype."""
    return _routine('lapack', name, *[x.dtype for x in arrays])


@functools.cache
def _routine(library, name, *dtypes_):
    module = importlib.import_module(f'scipy.linalg.{library}')
    function, = getattr(module, f'get_{library}_funcs')((name,), [np.empty(0, dtype) for dtype in dtypes_])
    return function


def each(function, operands, rank, results):
    """A function of one example over leading axes: of `operands`, the first of which has `rank` axes of its own,
    to arrays whose own (shape, dtype) are given. What is empty stays empty."""
    batch = operands[0].shape[:operands[0].ndim - rank]
    if not batch and operands[0].size:
        return tuple([np.asarray(value, dtype) for value, (_, dtype) in zip(function(*operands), results)])
    found = tuple([np.zeros(batch + shape, dtype) for shape, dtype in results])
    if operands[0].size:
        for index in np.ndindex(batch):
            for result, value in zip(found, function(*[x[index] for x in operands])):
                result[index] = value
    return found


def checked(name, info):
    if info:
        raise np.linalg.LinAlgError(f'{name} failed: LAPACK says {info}')


def check_finite(*arrays):
    """LinAlgError as NumPy's, for routines that do not return on other numbers."""
    if not all(np.isfinite(x).all() for x in arrays):
        raise np.linalg.LinAlgError('Array must not contain infs or NaNs')


def square(a, name):
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ValueError(f'{name} needs square matrices, got shape {a.shape}')


def infer_square(avals, **params):
    square(avals[0], 'the operation')
    return aval(avals[0].shape, avals[0].dtype)


# --- factors ---------------------------------------------------------------------------------------------------------
# Of small matrices by NumPy's loop, of others by SciPy's LAPACK, whose BLAS is the quicker one. LAPACK reads columns, so it
# gets the transpose, which costs no copy, and what it finds is transposed.

SMALL = 32


def cholesky(a):
    """L with L L^H = a, from the lower triangle."""
    if a.shape[-1] <= SMALL:
        return np.linalg.cholesky(a)
    potrf = routine('potrf', a)

    def one(x):
        upper, info = potrf(x.T, lower=0, clean=1)
        if info:
            raise np.linalg.LinAlgError('Matrix is not positive definite')
        return upper.T,
    return each(one, (a,), 2, [(a.shape[-2:], a.dtype)])[0]


def _factors(x):
    """LU factors and pivots of the transpose."""
    factors, pivots, info = routine('getrf', x)(x.T)
    if info > 0:
        raise np.linalg.LinAlgError('Singular matrix')
    return factors, pivots


def solve(a, b):
    """x in a x = b."""
    if a.shape[-1] <= SMALL:
        return np.linalg.solve(a, b)
    one = lambda x, y: (routine('getrs', x)(*_factors(x), y, trans=1)[0],)
    return each(one, (a, b), 2, [(b.shape[-2:], b.dtype)])[0] if b.size else b


def inverse(a):
    n = a.shape[-1]
    if n <= SMALL:
        return np.linalg.inv(a)
    one = lambda x: (routine('getri', x)(*_factors(x), lwork=64 * n, overwrite_lu=1)[0].T,)
    return each(one, (a,), 2, [((n, n), a.dtype)])[0]


def infer_lu(avals):
    a, = avals
    batch = a.shape[:-2]
    return (aval(a.shape, a.dtype), aval(batch + a.shape[-2:-1], dtypes.int32), aval(batch, dtypes.int32),
            aval(batch + (min(a.shape[-2:]),), dtypes.int32))


def lu(a):
    """Factors of a[permutation] = L U with partial pivoting, the permutation, its sign, the pivots. Where a is singular
    zeros on the diagonal of U say so."""
    (m, n), k = a.shape[-2:], min(a.shape[-2:])
    count = int(np.prod(a.shape[:-2]))
    if count > k:
        factors, pivots = eliminate(a.reshape(count, m, n))
        factors, pivots = factors.reshape(a.shape), pivots.reshape(a.shape[:-2] + (k,))
    else:
        getrf = routine('getrf', a)
        factors, pivots = each(lambda x: getrf(x)[:2], (a,), 2, [((m, n), a.dtype), ((k,), np.int32)])
    return factors, *order_and_sign(pivots, m), pivots


def order_and_sign(pivots, m):
    """The permutation of m rows that exchanges make, and its sign."""
    exchanges = np.count_nonzero(pivots != np.arange(pivots.shape[-1]), axis=-1)
    return pivots_to_permutation(pivots, m), np.asarray(1 - 2 * (exchanges % 2)).astype(np.int32)


def infer_svd(avals, full):
    a, = avals
    (m, n), batch = a.shape[-2:], a.shape[:-2]
    k = min(m, n)
    return (aval(batch + (m, m if full else k), a.dtype), aval(batch + (k,), dtypes.real_of(a.dtype)),
            aval(batch + (n if full else k, n), a.dtype))


def _gesdd(x, vectors, full):
    """(U, S, V^H) by divide and conquer."""
    gesdd, query = routine('gesdd', x), routine('gesdd_lwork', x)
    work = query(*x.shape, compute_uv=vectors, full_matrices=full)[0].real
    *found, info = gesdd(x, compute_uv=vectors, full_matrices=full, lwork=int(np.nextafter(work, np.inf)))
    if info:
        raise np.linalg.LinAlgError('SVD did not converge')
    return found


def svd(a, full):
    """(U, S, V^H), the singular values falling."""
    m, n = a.shape[-2:]
    if min(m, n) <= SMALL:
        return tuple(np.linalg.svd(a, full_matrices=full))

    def one(x):
        if m > n:                                                    # tall is what gesdd does better than wide
            return _gesdd(x, True, full)
        u, s, vh = _gesdd(x.T, True, full)
        return vh.T, s, u.T
    return each(one, (a,), 2, [(r.shape, r.dtype) for r in infer_svd([aval((m, n), a.dtype)], full)])


def infer_values(avals):
    a, = avals
    return aval(a.shape[:-2] + (min(a.shape[-2:]),), dtypes.real_of(a.dtype))


def svdvals(a):
    """The singular values, falling."""
    (m, n), k = a.shape[-2:], min(a.shape[-2:])
    if k <= SMALL:
        return np.linalg.svd(a, compute_uv=False)
    return each(lambda x: _gesdd(x if m > n else x.T, False, False)[1:2], (a,), 2, [((k,), dtypes.real_of(a.dtype))])[0]


def _evd(x, vectors):
    """(eigenvalues, conjugate eigenvectors) of a Hermitian matrix, whose transpose is its conjugate."""
    w, v, info = routine('heevd' if dtypes.kind(x.dtype) == 'c' else 'syevd', x)(x.T, lower=0, compute_v=vectors)
    if info:
        raise np.linalg.LinAlgError('Eigenvalues did not converge')
    return w, v


def eigh(a):
    """(eigenvalues, eigenvectors), rising, from the lower triangle."""
    if a.shape[-1] <= SMALL:
        return tuple(np.linalg.eigh(a))

    def one(x):
        w, v = _evd(x, True)
        return w, v.conj()
    return each(one, (a,), 2, [(a.shape[-1:], dtypes.real_of(a.dtype)), (a.shape[-2:], a.dtype)])


def eigvalsh(a):
    """The eigenvalues, rising, from the lower triangle."""
    if a.shape[-1] <= SMALL:
        return np.linalg.eigvalsh(a)
    return each(lambda x: _evd(x, False)[:1], (a,), 2, [(a.shape[-1:], dtypes.real_of(a.dtype))])[0]


def infer_qr(avals, full, pivoting):
    a, = avals
    (m, n), batch = a.shape[-2:], a.shape[:-2]
    k = m if full else min(m, n)
    found = aval(batch + (m, k), a.dtype), aval(batch + (k, n), a.dtype)
    return (*found, aval(batch + (n,), dtypes.int32)) if pivoting else found


def qr(a, full, pivoting):
    """(Q, R) of a, with pivoting (Q, R, order of the columns) of a[:, order]."""
    m, n = a.shape[-2:]
    if not a.size or not pivoting and min(m, n) <= SMALL:
        order = np.broadcast_to(np.arange(n, dtype=np.int32), a.shape[:-2] + (n,))
        return *np.linalg.qr(a, 'complete' if full else 'reduced'), *[order] * pivoting
    geqrf, geqp3 = routine('geqrf', a), routine('geqp3', a)
    gqr = routine('ungqr' if dtypes.kind(a.dtype) == 'c' else 'orgqr', a)
    columns, k, work = m if full else min(m, n), min(m, n), 64 * max(m, n)

    def one(x):
        if pivoting:
            packed, order, taus, _, _ = geqp3(x, lwork=work + 2 * n)
        else:
            packed, taus, _, _ = geqrf(x, lwork=work)
        r = np.triu(packed[:columns])
        reflectors = np.zeros((m, columns), x.dtype, 'F')
        reflectors[:, :k] = packed[:, :k]
        q = gqr(reflectors, taus, lwork=work, overwrite_a=1)[0]
        return (q, r, order - 1) if pivoting else (q, r)
    return each(one, (a,), 2, [(r.shape, r.dtype) for r in infer_qr([aval((m, n), a.dtype)], full, pivoting)])


# --- many small matrices: all at once, row by row ---------------------------------------------------------------------

def substitute(a, b, lower, unit_diagonal):
    """x in a x = b for triangular matrices a (count, n, n) and b (count, n, m)."""
    n = a.shape[-1]
    x, diagonal = np.array(b), np.einsum('eii->ei', a)
    check_diagonal(a, unit_diagonal)
    for i in range(n) if lower else range(n - 1, -1, -1):
        if not unit_diagonal:
            x[:, i] /= diagonal[:, i, None]
        rest = slice(i + 1, n) if lower else slice(0, i)
        x[:, rest] -= a[:, rest, i, None] * x[:, i, None]
    return x


def eliminate(a):
    """(L and U in one matrix, pivots) of matrices (count, m, n), with partial pivoting."""
    a, examples, (m, n) = np.array(a), np.arange(len(a)), a.shape[-2:]
    pivots = np.empty((len(a), min(m, n)), np.int32)
    for i in range(min(m, n)):
        column = a[:, i:, i]
        pivots[:, i] = i + np.argmax(np.abs(column.real) + np.abs(column.imag), -1)       # as LAPACK's i?amax
        exchange_rows(a, examples, i, pivots[:, i])
        pivot = a[:, i, i, None]
        a[:, i + 1:, i] /= np.where(pivot == 0, 1, pivot)
        a[:, i + 1:, i + 1:] -= a[:, i + 1:, i, None] * a[:, i, None, i + 1:]
    return a, pivots


# --- equations and factors that NumPy has ----------------------------------------------------------------------------

def infer_solve(avals, **params):
    a, b = avals
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ValueError(f'solve needs square matrices, got shape {a.shape}')
    if b.ndim < 2 or b.shape[-2] != a.shape[-1] or b.shape[:-2] != a.shape[:-2]:
        raise ValueError(f'solve: shapes {a.shape} and {b.shape} do not fit')
    return aval(b.shape, b.dtype)


def triangular_solve(a, b, lower, transpose, unit_diagonal):
    """x in op(a) x = b for triangular a, batched over leading axes; op is transposition when asked for."""
    count, n = int(np.prod(a.shape[:-2])), a.shape[-1]
    if count > n:
        a = (a.swapaxes(-1, -2) if transpose else a).reshape(count, n, n)
        return substitute(a, b.reshape(count, n, b.shape[-1]), lower != transpose, unit_diagonal).reshape(b.shape)
    if not b.size:
        return b
    check_diagonal(a, unit_diagonal)
    trsm = _routine('blas', 'trsm', a.dtype, b.dtype)

    def one(a, b):                                                   # x^T op(a)^T = b^T, as columns: no copies
        return trsm(1, a.T, b.T, side=1, lower=not lower, trans_a=int(transpose), diag=int(unit_diagonal)).T,
    return each(one, (a, b), 2, [(b.shape[-2:], b.dtype)])[0]


def check_diagonal(a, unit_diagonal):
    """LinAlgError where a triangular matrix has a 0 on its diagonal."""
    if not unit_diagonal and not np.einsum('...ii->...i', a).all():
        raise np.linalg.LinAlgError('Singular matrix')


def infer_eigh(avals):
    square(avals[0], 'eigh')
    a, = avals
    return aval(a.shape[:-1], dtypes.real_of(a.dtype)), aval(a.shape, a.dtype)


def infer_eig(avals, left):
    square(avals[0], 'eig')
    a, = avals
    dtype = dtypes.complex_of(a.dtype)
    return (aval(a.shape[:-1], dtype), *[aval(a.shape, dtype)] * (2 if left else 1))


def _geev(x):
    """(eigenvalues, right eigenvectors) of one matrix. LAPACK has the vectors of conjugate eigenvalues as real and
    imaginary part in neighbouring columns."""
    n = len(x)
    geev, query = routine('geev', x), routine('geev_lwork', x)
    *w, _, v, info = geev(x, compute_vl=0, lwork=int(query(n, compute_vl=0)[0].real))
    checked('eig', info)
    if len(w) == 1:
        return w[0], v
    real, imaginary = w
    vectors = v.astype(dtypes.complex_of(x.dtype))
    first, = np.nonzero(imaginary > 0)
    vectors[:, first] += 1j * v[:, first + 1]
    vectors[:, first + 1] = vectors[:, first].conj()
    return real + np.asarray(1j, vectors.dtype) * imaginary, vectors


def eig(a, left):
    """Eigenvalues and right eigenvectors; left: also those of the adjoint for the conjugate eigenvalues, in step."""
    dtype = dtypes.complex_of(a.dtype)
    check_finite(a)
    if not left and a.shape[-1] > SMALL:
        return each(_geev, (a,), 2, [(a.shape[-1:], dtype), (a.shape[-2:], dtype)])
    if not left:
        return tuple([x.astype(dtype, copy=False) for x in np.linalg.eig(a)])

    def one(x):
        w, of_left, of_right = scipy_linalg().eig(x, left=True, check_finite=False)
        return w, of_right, of_left
    return each(one, (a,), 2, [(a.shape[-1:], dtype), (a.shape[-2:], dtype), (a.shape[-2:], dtype)])


# --- pivots, updates -----------------------------------------------------------------------------------------------

def infer_pivots_to_permutation(avals, size):
    pivots, = avals
    if pivots.shape[-1] > size:
        raise ValueError(f'a permutation of {size} can not have {pivots.shape[-1]} pivots')
    return aval(pivots.shape[:-1] + (size,), dtypes.int32)


def pivots_to_permutation(pivots, size):
    """The order of rows after row i was exchanged with row pivots[i], for all i in turn."""
    *batch, k = pivots.shape
    count = int(np.prod(batch))
    if count <= k and size:                                          # one after the other, else all at once
        laswp = routine('laswp', np.empty(0))
        one = lambda p: (laswp(np.arange(size, dtype=np.float64)[:, None], p)[:, 0],)
        return each(one, (pivots,), 1, [((size,), np.int32)])[0]
    order, examples = np.tile(np.arange(size, dtype=np.int32), (count, 1)), np.arange(count)
    for i, p in enumerate(pivots.reshape(count, k).T):
        exchange_rows(order, examples, i, p)
    return order.reshape(*batch, size)


def exchange_rows(x, examples, i, p):
    """Row i with row p[e] of each example e, in place."""
    moved = x[examples, p]
    x[examples, p] = x[:, i]
    x[:, i] = moved


def infer_cholesky_update(avals):
    r, w = avals
    square(r, 'cholesky_update')
    if w.shape != r.shape[:-1]:
        raise ValueError(f'cholesky_update: shapes {r.shape} and {w.shape} do not fit')
    return aval(r.shape, r.dtype)


def cholesky_update(r, w):
    """Upper triangular R' with R'^T R' = R^T R + w w^T, by one Givens rotation a row."""
    r, w = np.triu(r), np.array(w)
    for k in range(w.shape[-1]):
        x, y = r[..., k, k, None], w[..., k, None]
        size = np.hypot(x, y)
        still = y == 0
        size = np.where(still, 1, size)
        c, s = np.where(still, 1, x / size), np.where(still, 0, y / size)
        row = r[..., k, :].copy()
        r[..., k, :] = c * row + s * w
        w = c * w - s * row
    return r


def infer_geqrf(avals):
    a, = avals
    return aval(a.shape, a.dtype), aval(a.shape[:-2] + (min(a.shape[-2:]),), a.dtype)


def geqrf(a):
    """(R with Householder's vectors below its diagonal, their factors)."""
    packed, taus = np.linalg.qr(a, 'raw')
    return packed.swapaxes(-1, -2), taus


# --- forms of matrices ---------------------------------------------------------------------------------------------

def infer_hessenberg(avals):
    a, = avals
    square(a, 'hessenberg')
    return aval(a.shape, a.dtype), aval(a.shape[:-2] + (max(a.shape[-1] - 1, 0),), a.dtype)


def hessenberg(a):
    """(the Hessenberg matrix with reflectors below it, factors of the reflectors)."""
    n = a.shape[-1]
    gehrd = routine('gehrd', a)

    def one(x):
        packed, taus, info = gehrd(x)
        checked('hessenberg', info)
        return packed, taus[:n - 1]
    return each(one, (a,), 2, [((n, n), a.dtype), ((max(n - 1, 0),), a.dtype)])


def infer_tridiagonal(avals, lower):
    a, = avals
    square(a, 'tridiagonal')
    batch, n, real = a.shape[:-2], a.shape[-1], dtypes.real_of(a.dtype)
    rest = max(n - 1, 0)
    return aval(a.shape, a.dtype), aval(batch + (n,), real), aval(batch + (rest,), real), aval(batch + (rest,), a.dtype)


def tridiagonal(a, lower):
    """(the tridiagonal matrix with reflectors beside it, its diagonal, its off-diagonal, factors of the reflectors)."""
    n, real = a.shape[-1], dtypes.real_of(a.dtype)
    rest = max(n - 1, 0)
    trd = routine('hetrd' if dtypes.kind(a.dtype) == 'c' else 'sytrd', a)

    def one(x):
        packed, d, e, taus, info = trd(x, lower=int(lower))
        checked('tridiagonal', info)
        return packed, d, e[:rest], taus[:rest]
    return each(one, (a,), 2, [((n, n), a.dtype), ((n,), real), ((rest,), real), ((rest,), a.dtype)])


def infer_schur(avals):
    square(avals[0], 'schur')
    return avals[0], avals[0]


def schur(a):
    """(T, Q) with a = Q T Q^H, T triangular; for real matrices with blocks of size 2 on its diagonal."""
    own = a.shape[-2:], a.dtype
    return each(lambda x: scipy_linalg().schur(x, check_finite=False), (a,), 2, [own, own])


def infer_rsf2csf(avals):
    t, z = avals
    square(t, 'rsf2csf')
    if t.shape != z.shape:
        raise ValueError(f'rsf2csf: shapes {t.shape} and {z.shape} do not fit')
    found = aval(t.shape, dtypes.complex_of(t.dtype))
    return found, found


def rsf2csf(t, z):
    """The complex Schur form of a real one."""
    check_finite(t, z)
    own = t.shape[-2:], dtypes.complex_of(t.dtype)
    return each(lambda *given: scipy_linalg().rsf2csf(*given, check_finite=False), (t, z), 2, [own, own])


def infer_eigh_tridiagonal(avals):
    d, e = avals
    if d.ndim < 1 or e.shape != d.shape[:-1] + (max(d.shape[-1] - 1, 0),):
        raise ValueError(f'eigh_tridiagonal: shapes {d.shape} and {e.shape} do not fit')
    return aval(d.shape, d.dtype), aval(d.shape + d.shape[-1:], d.dtype)


def eigh_tridiagonal(d, e):
    n = d.shape[-1]
    if n == 1:
        return d, np.ones(d.shape + (1,), d.dtype)
    return each(lambda *given: scipy_linalg().eigh_tridiagonal(*given, check_finite=False), (d, e), 1,
                [((n,), d.dtype), ((n, n), d.dtype)])


def infer_polar(avals):
    a, = avals
    n = a.shape[-1]
    if a.ndim < 2 or a.shape[-2] < n:
        raise ValueError(f'polar needs at least as many rows as columns, got shape {a.shape}')
    return a, aval(a.shape[:-2] + (n, n), a.dtype)


def polar(a):
    """(U, H) with a = U H, from the singular values; NaN for what is not finite."""
    finite = np.isfinite(a).all((-2, -1), keepdims=True)
    u, s, vh = np.linalg.svd(np.where(finite, a, 0), full_matrices=False)
    h = (vh.conj().swapaxes(-1, -2) * s[..., None, :]) @ vh
    nan = a.dtype.type(np.nan)
    return np.where(finite, u @ vh, nan), np.where(finite, h, nan)


# --- equations -----------------------------------------------------------------------------------------------------

def infer_tridiagonal_solve(avals, perturb):
    lower, d, upper, b = avals
    if not lower.shape == d.shape == upper.shape or b.shape[:-1] != d.shape:
        raise ValueError(f'tridiagonal_solve: shapes {lower.shape}, {d.shape}, {upper.shape} and {b.shape} do not fit')
    return aval(b.shape, b.dtype)


def tridiagonal_solve(lower, d, upper, b, perturb):
    """x in A x = b for A with these diagonals, lower[0] and upper[-1] being ignored. perturb: pivots that are nearly
    zero are replaced by the machine precision times the largest element of the triangular factor."""
    gttrf, gttrs = routine('gttrf', d), routine('gttrs', d)

    def one(lower, d, upper, b):
        if not b.size:
            return b,
        if len(d) < 3:                                               # SciPy's gttrf wants a second superdiagonal
            a = np.diag(d) + np.diag(lower[1:], -1) + np.diag(upper[:-1], 1)
            return np.linalg.solve(a, b),
        *factors, pivots, info = gttrf(lower[1:], d, upper[:-1])
        if perturb:
            largest = max(np.abs(x).max(initial=0) for x in factors[1:])
            least = np.finfo(d.dtype).eps * (largest or 1)
            factors[1] = np.where(np.abs(factors[1]) < least, least, factors[1])
        elif info > 0:
            raise np.linalg.LinAlgError('Singular matrix')
        x, info = gttrs(*factors, pivots, b)
        checked('tridiagonal_solve', info)
        return x,
    return each(one, (lower, d, upper, b), 1, [(b.shape[-2:], b.dtype)])[0]


def infer_sylvester(avals):
    a, b, c = avals
    square(a, 'sylvester')
    square(b, 'sylvester')
    if c.shape != a.shape[:-1] + b.shape[-1:] or a.shape[:-2] != b.shape[:-2]:
        raise ValueError(f'Incompatible shapes for Sylvester equation: A {a.shape}, B {b.shape}, C {c.shape}')
    return aval(c.shape, c.dtype)


def sylvester(a, b, c):
    """X in A X + X B = C."""
    def one(a, b, c):
        if not c.size:
            return c,
        schur_, dtype = scipy_linalg().schur, c.dtype
        (r, u), (s, v) = schur_(a, check_finite=False), schur_(b.conj().T, check_finite=False)
        y, scale, info = routine('trsyl', r)(r, s, u.conj().T @ c @ v, tranb='C')
        if info:
            raise np.linalg.LinAlgError('A X + X B = C has no unique solution: A and -B have a common eigenvalue')
        return (u @ (y / dtype.type(scale)) @ v.conj().T),
    return each(one, (a, b, c), 2, [(c.shape[-2:], c.dtype)])[0]


# --- functions of matrices -----------------------------------------------------------------------------------------

def infer_sqrtm(avals):
    square(avals[0], 'sqrtm')
    return aval(avals[0].shape, dtypes.complex_of(avals[0].dtype))


def sqrtm(a):
    """The principal square root, complex."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')                              # singular: NaNs say so
        return each(lambda x: (scipy_linalg().sqrtm(x),), (a,), 2, [(a.shape[-2:], dtypes.complex_of(a.dtype))])[0]


def expm(a):
    return scipy_linalg().expm(a).astype(a.dtype, copy=False) if a.size else a


def infer_expm_frechet(avals):
    a, e = avals
    square(a, 'expm_frechet')
    if a.shape != e.shape:
        raise ValueError(f'expected A and E to be the same shape, got {a.shape} and {e.shape}')
    return aval(a.shape, a.dtype)


def expm_frechet(a, e):
    """The derivative of expm at a in the direction e (Al-Mohy and Higham 2009)."""
    def one(a, e):
        if not np.isfinite(a).all() or not np.isfinite(e).all():
            return np.full_like(a, np.nan),
        return scipy_linalg().expm_frechet(a, e, compute_expm=False, check_finite=False),
    return each(one, (a, e), 2, [(a.shape[-2:], a.dtype)])[0]


def infer_parlett(avals):
    t, f = avals
    square(t, 'funm')
    if f.shape != t.shape[:-1]:
        raise ValueError(f'funm: the function gives shape {f.shape} for {t.shape[:-1]} eigenvalues')
    return aval(t.shape, t.dtype), aval(t.shape[:-2], dtypes.real_of(t.dtype))


def parlett(t, f):
    """A function of an upper triangular matrix from the function of its diagonal, and the least distance of two
    eigenvalues (Golub and Van Loan, Matrix Computations, algorithm 9.1.1)."""
    n = t.shape[-1]
    found = f[..., None] * np.eye(n, dtype=t.dtype)
    least = np.abs(t[..., 0, 0]) if n else np.zeros(t.shape[:-2], dtypes.real_of(t.dtype))
    for offset in range(1, n):
        for i in range(n - offset):
            j = i + offset
            inner = slice(i + 1, j)
            s = t[..., i, j] * (found[..., j, j] - found[..., i, i])
            s = s + (t[..., i, inner] * found[..., inner, j] - found[..., i, inner] * t[..., inner, j]).sum(-1)
            difference = t[..., j, j] - t[..., i, i]
            apart = difference != 0
            found[..., i, j] = np.where(apart, s / np.where(apart, difference, 1), s)
            least = np.minimum(least, np.abs(difference))
    return found, least
