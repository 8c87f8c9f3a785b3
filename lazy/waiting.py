"""Waiting for results, and the threads that compute them."""
from . import evaluate, trees
from .array import Array, value

__all__ = ['block_until_ready', 'set_num_threads', 'get_num_threads']


def block_until_ready(x):
    """Wait for all arrays of a pytree; returns it. Pending ones are computed together. Raises what computing raised.

    >>> import lazy, lazy.numpy as np
    >>> lazy.block_until_ready((np.ones(2), [np.zeros(1)]))[1][0].tolist()
    [0.0]
    """
    nodes = [leaf._node for leaf in trees.leaves(x) if isinstance(leaf, Array)]
    evaluate.force(nodes)
    for node in nodes:
        value(node)
    return x


def set_num_threads(n):
    """Let kernels use `n` threads at most (1 to 1024), the caller's included.

    The default is the smallest of OMP_NUM_THREADS, the CPU affinity, the cgroup's quota and the number of CPUs.
    """
    from .codegen import plan, threads
    if plan.set_workers(n):
        evaluate.forget_programs()
    threads.set_num_threads(n)


def get_num_threads():
    """How many threads kernels may use.

    >>> import lazy
    >>> lazy.get_num_threads() >= 1
    True
    """
    from .codegen import threads
    return threads.get_num_threads()
