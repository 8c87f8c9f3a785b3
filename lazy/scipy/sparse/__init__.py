"""Linear equations by iteration, with the signatures of jax.scipy.sparse."""
from . import linalg  # noqa: F401
