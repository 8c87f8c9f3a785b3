"""Rotations of space as unit quaternions (x, y, z, w), with the signatures of jax.scipy.spatial.transform.

A Rotation is a tree of one leaf, its quaternions (4,) or (n, 4): it passes through jit, vmap and grad.
"""
import math
import re
from typing import NamedTuple

from ... import numpy as np
from ... import random as lazy_random
from ...array import Array
from ...numpy._util import inexact_array

__all__ = ['Rotation', 'Slerp']

SMALL = 1e-6          # of squared angles, below which the first terms of a series are exact to rounding


class Rotation(NamedTuple):
    """Rotations of space.

    >>> import lazy, lazy.numpy as np
    >>> quarter = lazy.scipy.spatial.transform.Rotation.from_euler('z', 90, degrees=True)
    >>> quarter.apply(np.array([1., 0., 0.])).round(3).tolist()
    [0.0, 1.0, 0.0]
    """

    quat: Array

    @classmethod
    def concatenate(cls, rotations):
        """Those of several Rotations, one after the other."""
        return cls(np.concatenate([np.atleast_2d(rotation.quat) for rotation in rotations]))

    @classmethod
    def from_euler(cls, seq, angles, degrees=False):
        """By angles about axes, one to three of 'xyz' (fixed axes) or 'XYZ' (axes that turn along): angles (...,
        len(seq)), and for one axis also (...)."""
        axes, intrinsic = _axes(seq, (1, 2, 3))
        angles = inexact_array(angles)
        if len(axes) == 1 and (angles.ndim < 2 or angles.shape[-1] != 1):
            angles = angles[..., None]
        if angles.ndim < 1 or angles.shape[-1] != len(axes):
            raise ValueError(f'Expected `angles` to have shape (..., {len(axes)}) for axes {seq!r}, got {angles.shape}')
        angles = np.deg2rad(angles) if degrees else angles
        quats = [_about(axis, angles[..., k]) for k, axis in enumerate(axes)]
        quat = quats[0]
        for other in quats[1:]:
            quat = _product(quat, other) if intrinsic else _product(other, quat)
        return cls(quat)

    @classmethod
    def from_matrix(cls, matrix):
        """By orthogonal matrices (..., 3, 3) of determinant 1."""
        m = inexact_array(matrix)
        if m.shape[-2:] != (3, 3):
            raise ValueError(f'Expected `matrix` to have shape (..., 3, 3), got {m.shape}')
        e = lambda i, j: m[..., i, j]
        trace = e(0, 0) + e(1, 1) + e(2, 2)
        choice = np.argmax(np.stack([e(0, 0), e(1, 1), e(2, 2), trace], -1), -1)[..., None]
        candidates = []                                             # for each case one with a large component
        for i in range(3):
            j, k = (i + 1) % 3, (i + 2) % 3
            parts = {i: 1 - trace + 2 * e(i, i), j: e(j, i) + e(i, j), k: e(k, i) + e(i, k), 3: e(k, j) - e(j, k)}
            candidates.append(np.stack([parts[p] for p in range(4)], -1))
        quat = np.stack([e(2, 1) - e(1, 2), e(0, 2) - e(2, 0), e(1, 0) - e(0, 1), 1 + trace], -1)
        for i, candidate in enumerate(candidates):
            quat = np.where(choice == i, candidate, quat)
        return cls.from_quat(quat)

    @classmethod
    def from_mrp(cls, mrp):
        """By modified Rodrigues parameters (..., 3): axis times tan(angle / 4)."""
        mrp = _last(inexact_array(mrp), 3, 'mrp')
        square = np.sum(mrp * mrp, -1, keepdims=True)
        return cls(np.concatenate([2 * mrp, 1 - square], -1) / (1 + square))

    @classmethod
    def from_quat(cls, quat):
        """By quaternions (..., 4), x, y, z, w, which are normalised."""
        quat = _last(inexact_array(quat), 4, 'quat')
        return cls(quat / np.linalg.norm(quat, axis=-1, keepdims=True))

    @classmethod
    def from_rotvec(cls, rotvec, degrees=False):
        """By axes times angles (..., 3)."""
        rotvec = _last(inexact_array(rotvec), 3, 'rotvec')
        rotvec = np.deg2rad(rotvec) if degrees else rotvec
        square = np.sum(rotvec * rotvec, -1, keepdims=True)
        small = square <= SMALL
        angle = np.sqrt(np.where(small, 1, square))
        scale = np.where(small, 0.5 - square / 48 + square * square / 3840, np.sin(angle / 2) / angle)
        return cls(np.concatenate([scale * rotvec,
                                   np.where(small, 1 - square / 8 + square * square / 384, np.cos(angle / 2))], -1))

    @classmethod
    def identity(cls, num=None, dtype=float):
        """The rotation that leaves all in place, or num of them."""
        quat = np.array([0.0, 0.0, 0.0, 1.0], dtype=dtype)
        return cls(quat if num is None else np.broadcast_to(quat, (num, 4)))

    @classmethod
    def random(cls, random_key, num=None):
        """A rotation, or num of them, distributed uniformly."""
        return cls.from_quat(lazy_random.normal(random_key, (4,) if num is None else (num, 4)))

    def __getitem__(self, indexer):
        if self.single:
            raise TypeError('Single rotation is not subscriptable.')
        return Rotation(self.quat[indexer])

    def __len__(self):
        if self.single:
            raise TypeError('Single rotation has no len().')
        return self.quat.shape[0]

    def __mul__(self, other):
        """The other rotation first, then this one."""
        return Rotation.from_quat(_product(self.quat, other.quat))

    def apply(self, vectors, inverse=False):
        """The vectors (..., 3), rotated; back with inverse."""
        vectors = _last(inexact_array(vectors), 3, 'vectors')
        matrix = np.matrix_transpose(self.as_matrix()) if inverse else self.as_matrix()
        return np.sum(matrix * vectors[..., None, :], -1)

    def as_euler(self, seq, degrees=False):
        """Angles (..., 3) about three axes, as in `from_euler`; the last is zero where two axes coincide (Bernardes and
        Viollet 2022)."""
        (i, j, k), intrinsic = _axes(seq, (3,))
        i, k = (k, i) if intrinsic else (i, k)
        symmetric = i == k
        k = 3 - i - j if symmetric else k
        sign = (i - j) * (j - k) * (k - i) // 2
        x, y, z, w = self.quat[..., i], self.quat[..., j], self.quat[..., k] * sign, self.quat[..., 3]
        a, b, c, d = (w, x, y, z) if symmetric else (w - y, x + z, y + w, z - x)
        middle = 2 * np.arctan2(np.hypot(c, d), np.hypot(a, b))
        half_sum, half_difference = np.arctan2(b, a), np.arctan2(d, c)
        none, full = np.abs(middle) <= 1e-7, np.abs(middle - math.pi) <= 1e-7
        alone = np.where(none, 2 * half_sum, 2 * half_difference * (1 if intrinsic else -1))
        first, third = half_sum - half_difference, half_sum + half_difference
        angles = [third, middle, first] if intrinsic else [first, middle, third]
        angles[0], angles[2] = np.where(none | full, alone, angles[0]), np.where(none | full, 0, angles[2])
        if not symmetric:
            last = 0 if intrinsic else 2
            angles[last], angles[1] = angles[last] * sign, middle - math.pi / 2
        found = (np.stack(angles, -1) + math.pi) % (2 * math.pi) - math.pi
        return np.rad2deg(found) if degrees else found

    def as_matrix(self):
        """Orthogonal matrices (..., 3, 3)."""
        x, y, z, w = (self.quat[..., k] for k in range(4))
        rows = [[x * x - y * y - z * z + w * w, 2 * (x * y - z * w), 2 * (x * z + y * w)],
                [2 * (x * y + z * w), -x * x + y * y - z * z + w * w, 2 * (y * z - x * w)],
                [2 * (x * z - y * w), 2 * (y * z + x * w), -x * x - y * y + z * z + w * w]]
        return np.stack([np.stack(row, -1) for row in rows], -2)

    def as_mrp(self):
        """Modified Rodrigues parameters (..., 3): axis times tan(angle / 4)."""
        sign = np.where(self.quat[..., 3:] < 0, -1, 1)
        return sign * self.quat[..., :3] / (1 + sign * self.quat[..., 3:])

    def as_rotvec(self, degrees=False):
        """Axes times angles (..., 3), the angles at most pi."""
        quat = np.where(self.quat[..., 3:] < 0, -self.quat, self.quat)
        vector, w = quat[..., :3], quat[..., 3:]
        square = np.sum(vector * vector, -1, keepdims=True)          # of the sine of half the angle
        small = square <= SMALL / 4
        sine = np.sqrt(np.where(small, 1, square))
        scale = np.where(small, 2 + square / 3 + 3 * square * square / 20, 2 * np.arctan2(sine, w) / sine)
        return (np.rad2deg(scale) if degrees else scale) * vector

    def as_quat(self, canonical=False, scalar_first=False):
        """Quaternions (..., 4), x, y, z, w; canonical: the one of q and -q whose first element of w, x, y, z that isn't
        zero is positive. scalar_first: w, x, y, z."""
        quat = self.quat
        if canonical:
            x, y, z, w = (quat[..., k:k + 1] for k in range(4))
            negative = z < 0
            for part in (y, x, w):
                negative = (part < 0) | (part == 0) & negative
            quat = np.where(negative, -quat, quat)
        return np.roll(quat, 1, -1) if scalar_first else quat

    def inv(self):
        """The rotation back."""
        return Rotation(self.quat * np.array([-1, -1, -1, 1], dtype=self.quat.dtype))

    def magnitude(self):
        """The angle, at most pi."""
        return 2 * np.arctan2(np.linalg.norm(self.quat[..., :3], axis=-1), np.abs(self.quat[..., 3]))

    def mean(self, weights=None):
        """The mean of the rotations, weighted: the first eigenvector of the sum of q q^T (Markley et al. 2007)."""
        quat = self.quat
        weights = np.ones(quat.shape[0], quat.dtype) if weights is None else inexact_array(weights).astype(quat.dtype)
        if weights.ndim != 1:
            raise ValueError(f'Expected `weights` to be 1 dimensional, got shape {weights.shape}.')
        if weights.shape[0] != len(self):
            raise ValueError(f'Expected `weights` to have number of values equal to number of rotations, got '
                             f'{weights.shape[0]} values and {len(self)} rotations.')
        _, v = np.linalg.eigh(np.matmul(weights * np.matrix_transpose(quat), quat))
        return Rotation(v[:, -1])

    @property
    def single(self):
        """Whether it is one rotation, not an array of them."""
        return self.quat.ndim == 1


class Slerp(NamedTuple):
    """Rotations between given ones, with constant angular velocity; made by `Slerp.init`."""

    times: Array
    timedelta: Array
    rotations: Rotation
    rotvecs: Array

    @classmethod
    def init(cls, times, rotations):
        """times (n,), rising, of n >= 2 rotations.

        >>> import lazy
        >>> from lazy.scipy.spatial.transform import Rotation, Slerp
        >>> between = Slerp.init([0., 1.], Rotation.from_euler('x', [0., 90.], degrees=True))
        >>> round(float(between(0.5).magnitude()), 4)
        0.7854
        """
        if not isinstance(rotations, Rotation):
            raise TypeError('`rotations` must be a `Rotation` instance.')
        if rotations.single or len(rotations) == 1:
            raise ValueError('`rotations` must be a sequence of at least 2 rotations.')
        times = inexact_array(times).astype(rotations.quat.dtype)
        if times.shape != (len(rotations),):
            raise ValueError(f'Expected one time for each of {len(rotations)} rotations, got shape {times.shape}.')
        first, second = rotations[:-1], rotations[1:]
        return cls(times, np.diff(times), first, (first.inv() * second).as_rotvec())

    def __call__(self, times):
        """The rotation at a time, or those at times (m,)."""
        times = inexact_array(times).astype(self.times.dtype)
        if times.ndim > 1:
            raise ValueError(f'`times` must be at most 1-dimensional, got shape {times.shape}.')
        i = np.clip(np.searchsorted(self.times, times) - 1, 0, self.timedelta.shape[0] - 1)
        at = lambda x: x.at[i].get(mode='clip')
        fraction = (times - at(self.times)) / at(self.timedelta)
        return Rotation(at(self.rotations.quat)) * Rotation.from_rotvec(at(self.rotvecs) * fraction[..., None])


def _last(x, n, name):
    if x.ndim < 1 or x.shape[-1] != n:
        raise ValueError(f'Expected `{name}` to have shape (..., {n}), got {x.shape}')
    return x


def _axes(seq, counts):
    """(numbers of the axes, whether they turn along)."""
    if len(seq) not in counts:
        raise ValueError(f'Expected {" to ".join(str(n) for n in sorted({counts[0], counts[-1]}))} axes, got {seq!r}.')
    intrinsic = re.fullmatch('[XYZ]+', seq) is not None
    if not intrinsic and re.fullmatch('[xyz]+', seq) is None:
        raise ValueError(f"Expected axes from `seq` to be from ['x', 'y', 'z'] or ['X', 'Y', 'Z'], got {seq!r}")
    if any(a == b for a, b in zip(seq, seq[1:])):
        raise ValueError(f'Expected consecutive axes to be different, got {seq!r}')
    return ['xyz'.index(axis) for axis in seq.lower()], intrinsic


def _about(axis, angle):
    """The quaternion of an angle about a coordinate axis."""
    sine, zero = np.sin(angle / 2), np.zeros_like(angle)
    return np.stack([sine if k == axis else zero for k in range(3)] + [np.cos(angle / 2)], -1)


def _product(p, q):
    """Of quaternions."""
    v, w, a, b = p[..., :3], p[..., 3:], q[..., :3], q[..., 3:]
    shape = np.broadcast_shapes(v.shape, a.shape)
    cross = np.cross(np.broadcast_to(v, shape), np.broadcast_to(a, shape))
    return np.concatenate([w * a + b * v + cross, w * b - np.sum(v * a, -1, keepdims=True)], -1)
