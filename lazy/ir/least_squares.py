"""NumPy reference and shape rule of least squares."""
import numpy as np

from .graph import aval
from .lapack import routine, svd


def infer_least_squares(avals):
    a, rcond, b = avals
    if len(a.shape) < 2 or b.shape[:-1] != a.shape[:-1] or rcond.shape != a.shape[:-2]:
        raise ValueError(f'least_squares: shapes {a.shape}, {rcond.shape} and {b.shape} do not fit')
    return aval(a.shape[:-2] + (a.shape[-1], b.shape[-1]), b.dtype)


def least_squares(a, rcond, b):
    """The x of least norm that minimises |a x - b|; singular values of a up to rcond times the largest count as 0."""
    found = _normal_equations(a, rcond, b) if a.ndim == 2 and a.size else None
    if found is not None:
        return found
    u, s, vh = svd(a, False)
    keep = s > rcond[..., None] * s[..., :1]
    inverse = np.where(keep, 1 / np.where(keep, s, 1), 0).astype(s.dtype)[..., None]
    return vh.conj().swapaxes(-1, -2) @ (inverse * (u.conj().swapaxes(-1, -2) @ b))


def _normal_equations(a, rcond, b):
    """least_squares through the Cholesky factor of a^H a, or a a^H, with two refinements; None for a matrix whose
    condition number doesn't allow it, or might be too large for rcond.

    A refinement divides the error by 1 / eps over the square of the condition number, which has to be 1000 at least.
    The result is then as exact as that of QR factors (Bjoerck, Stability analysis of the method of seminormal
    equations, 1987).
    """
    tall = a.shape[0] >= a.shape[1]
    adjoint = a.conj().T
    gram = adjoint @ a if tall else a @ adjoint
    factor, info = routine('potrf', gram)(gram)
    if info:
        return None
    reciprocal, _ = routine('pocon', gram)(factor, np.abs(gram).sum(0).max())    # (smallest / largest singular value)²
    if not reciprocal > max(1000 * np.finfo(gram.dtype).eps, 10 * rcond**2):     # nor is NaN
        return None
    potrs = routine('potrs', factor)
    step = lambda r: potrs(factor, adjoint @ r)[0] if tall else adjoint @ potrs(factor, r)[0]
    x = step(b)
    for _ in range(2):
        x = x + step(b - a @ x)
    return x
