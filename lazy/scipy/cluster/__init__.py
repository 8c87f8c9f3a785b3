"""Clusters, with the signatures of jax.scipy.cluster."""
from . import vq  # noqa: F401
