"""What all programs of the process share: the disk cache, the runner of kernels, the queue."""
import threading

from . import threads
from .cache import DiskCache

_lock = threading.RLock()
_cache = _queue = None


def cache():
    """The process's disk cache of compiled code."""
    global _cache
    if _cache is None:
        with _lock:
            _cache = _cache or DiskCache()
    return _cache


def runner():
    """The native runner, or None where native code can't be run."""
    return threads.runner(cache())


def wait(buffer):
    """Wait until a buffer is filled; raises what its computation raised."""
    ticket = buffer.ticket
    if ticket is not None:
        queue().wait(ticket)
        buffer.ticket = None


def queue():
    """The queue of work that runs in the background."""
    global _queue
    if _queue is None:
        with _lock:
            _queue = _queue or threads.Queue()
    return _queue
