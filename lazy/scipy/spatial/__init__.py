"""Geometry, with the signatures of jax.scipy.spatial."""
from . import transform  # noqa: F401
