"""Derivative and transposition rules of functions of matrices, of matrix equations and of updated factors.

Sources: Higham, "Functions of Matrices", 2008 (the derivative of a function of matrices is a block of the function of
a block matrix, theorem 3.6; sqrtm: a Sylvester equation).
"""
from ..ir import build, ops
from .rules_library import (adjoint, as_columns, as_rows, cholesky_tangent, eigh_tangents, eye, matmul, transposed,
                            triu)


def _sum(terms):
    total = None
    for term in terms:
        total = term if total is None else build.add(total, term)
    return total


# --- equations -----------------------------------------------------------------------------------------------------

def _shifted(x, by):
    """x moved along its last axis but one, zeros where nothing comes from."""
    axis, n = x.aval.ndim - 2, x.aval.shape[-2]
    low, high = [0] * x.aval.ndim, [0] * x.aval.ndim
    low[axis], high[axis] = max(by, 0), max(-by, 0)
    kept = build.slice_axis(x, axis, 0, n - 1) if by > 0 else build.slice_axis(x, axis, 1, n)
    return build.pad(kept, low, high)


def _tridiagonal_solve_jvp(node, tangents):
    """A dx = db - dA x."""
    *diagonals, right = tangents
    products = [build.mul(as_columns(t), x) for t, x in
                zip(diagonals, (_shifted(node, 1), node, _shifted(node, -1))) if t is not None]
    terms = [build.neg(p) for p in products] + ([] if right is None else [right])
    return build.make(ops.tridiagonal_solve, (*node.inputs[:3], _sum(terms)), node.params)


def _tridiagonal_solve_transpose(ct, node, linear):
    lower, d, upper, _ = node.inputs
    along = lambda x, by: build.reshape(_shifted(as_columns(x), by), x.aval.shape)
    return [None, None, None, build.make(ops.tridiagonal_solve, (along(upper, 1), d, along(lower, -1), ct),
                                         node.params)]


def _sylvester_jvp(node, tangents):
    """A dX + dX B = dC - dA X - X dB."""
    a, b, _ = node.inputs
    ta, tb, tc = tangents
    terms = [] if tc is None else [tc]
    terms += [] if ta is None else [build.neg(matmul(ta, node))]
    terms += [] if tb is None else [build.neg(matmul(node, tb))]
    return build.make(ops.sylvester, (a, b, _sum(terms)))


def _sylvester_transpose(ct, node, linear):
    a, b, _ = node.inputs
    return [None, None, build.make(ops.sylvester, (transposed(a), transposed(b), ct))]


ops.tridiagonal_solve.jvp, ops.tridiagonal_solve.transpose = _tridiagonal_solve_jvp, _tridiagonal_solve_transpose
ops.sylvester.jvp, ops.sylvester.transpose = _sylvester_jvp, _sylvester_transpose


# --- functions of matrices -----------------------------------------------------------------------------------------

def _sqrtm_jvp(node, tangents):
    """S dS + dS S = dA."""
    return build.make(ops.sylvester, (node, node, build.convert(tangents[0], node.aval.dtype)))


def _upper_block(a, b):
    """The block matrix [[a, b], [0, a]]."""
    column = a.aval.ndim - 1
    top = build.concatenate([a, b], column)
    return build.concatenate([top, build.concatenate([build.zeros(a.aval), a], column)], column - 1)


def _expm_frechet_jvp(node, tangents):
    """With respect to A: the corner of the derivative at [[A, E], [0, A]] in the direction [[dA, 0], [0, dA]]."""
    (a, e), (ta, te) = node.inputs, tangents
    terms = [] if te is None else [build.make(ops.expm_frechet, (a, te))]
    if ta is not None:
        n, row = a.aval.shape[-1], a.aval.ndim - 2
        both = build.make(ops.expm_frechet, (_upper_block(a, e), _upper_block(ta, build.zeros(ta.aval))))
        terms.append(build.slice_axis(build.slice_axis(both, row, 0, n), row + 1, n, 2 * n))
    return _sum(terms)


def _expm_frechet_transpose(ct, node, linear):
    return [None, build.make(ops.expm_frechet, (transposed(node.inputs[0]), ct))]


ops.sqrtm.jvp = _sqrtm_jvp
ops.expm.jvp = lambda node, tangents: build.make(ops.expm_frechet, (node.inputs[0], tangents[0]))
ops.expm_frechet.jvp, ops.expm_frechet.transpose = _expm_frechet_jvp, _expm_frechet_transpose


# --- factors -------------------------------------------------------------------------------------------------------

def _cholesky_update_jvp(node, tangents):
    """Of the factor of R^T R + w w^T."""
    (r, w), (tr, tw) = node.inputs, tangents
    r = triu(r)
    half = [] if tr is None else [matmul(transposed(r), triu(tr))]
    half += [] if tw is None else [build.mul(as_columns(w), as_rows(tw))]
    half = _sum(half)
    return transposed(cholesky_tangent(transposed(node), build.add(half, transposed(half))))


def _eigh_tridiagonal_jvp(node, tangents):
    w, v = build.project(node, 0), build.project(node, 1)
    n, none = w.aval.shape[-1], [0] * (w.aval.ndim - 1)
    d, e = tangents
    terms = [] if d is None else [build.mul(eye(n, w.aval.dtype), as_rows(d))]
    if e is not None:
        beside = build.mul(eye(n - 1, w.aval.dtype), as_rows(e))
        terms += [build.pad(beside, [*none, 1, 0], [*none, 0, 1]), build.pad(beside, [*none, 0, 1], [*none, 1, 0])]
    return eigh_tangents(w, v, _sum(terms))


def _polar_jvp(node, tangents):
    """H O + O H = U^H dA - dA^H U gives the skew O = U^H dU; dH = U^H dA - O H, and dU = U O + (1 - U U^H) dA H^-1
    (Kenney and Laub, "Polar decomposition and matrix sign function condition estimates", 1991)."""
    u, h = build.project(node, 0), build.project(node, 1)
    t, = tangents
    inner = matmul(adjoint(u), t)
    turn = build.make(ops.sylvester, (h, h, build.sub(inner, adjoint(inner))))
    du, dh = matmul(u, turn), build.sub(inner, matmul(turn, h))
    if t.aval.shape[-2] > t.aval.shape[-1]:
        outside = build.sub(t, matmul(u, inner))
        du = build.add(du, adjoint(build.make(ops.solve, (h, adjoint(outside)))))
    return [du, build.mul(build.add(dh, adjoint(dh)), build.scalar_like(dh, 0.5))]


def _undefined(node, tangents):
    raise NotImplementedError(f'the derivative of {node.op.name} is not defined')


ops.cholesky_update.jvp, ops.eigh_tridiagonal.jvp = _cholesky_update_jvp, _eigh_tridiagonal_jvp
ops.polar.jvp = _polar_jvp
ops.pivots_to_permutation.jvp = lambda node, tangents: None
for _op in (ops.geqrf, ops.hessenberg, ops.tridiagonal, ops.schur, ops.rsf2csf, ops.parlett):
    _op.jvp = _undefined
