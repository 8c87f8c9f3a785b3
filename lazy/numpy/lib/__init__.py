"""What there is of numpy.lib: stride_tricks."""
from . import stride_tricks  # noqa: F401
