"""JAX, where it is installed, is a reference on small arrays: it compiles without optimisation, which is quicker."""
import os

os.environ.setdefault('JAX_DISABLE_MOST_OPTIMIZATIONS', '1')
