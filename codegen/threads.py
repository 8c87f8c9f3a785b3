"""How many threads, the native runner of kernel programs, and the queue for asynchronous work.

    set_num_threads(n), get_num_threads()      # default: OMP_NUM_THREADS, affinity, cgroup quota
    runner(cache).run(records, count, args)    # a whole program of launches in one native call
    queue = Queue(); ticket = queue.submit(f); queue.wait(ticket)

A *kernel* is machine code with the signature

    void kernel(i64* slots, i64* constants, i64 lo, i64 hi, i64 worker)

that does the part [lo, hi) of its parallel axis. `slots` are 8 bytes each: addresses of data and
scalar arguments of this call; `constants` are sizes and strides of the plan. A *record* (`record`)
is eight int64: kernel, byte offset of its slots within args, address of its constants, extent of
the parallel axis, grain (fewest items worth a thread), alignment of split points, parts, following.
Records run in order, each one complete before the next starts.

- parts = 0: [0, extent) is split into some chunks per thread, taken by whoever is free. `worker` is
  the number of the thread, < get_num_threads(): an index of scratch space. An extent that isn't
  worth two threads is one call kernel(slots, constants, 0, extent, 0) in the caller.
- parts = n > 0: exactly n calls, for the n equal contiguous ranges of [0, extent), the last of
  which may be shorter or empty (lo = hi); `worker` is the number of the range. For reductions: n
  partial results, the same ones whatever the number of threads.
- following = r > 0: the next record has r items for each of this one's, and needs nothing but those
  of its own: who has done [lo, hi) does [r lo, r hi) of the next at once, while it is in the cache.

Threads are started when a record first needs them. An idle one spins for 50 us and then sleeps. A
fork's child has none and starts its own. They are never joined: at exit they sleep, or spin over
memory that stays mapped. Several Python threads may run programs at once: while one has the pool,
records of the others run in their callers.

The runner is LLVM IR text, compiled and cached as kernels are; the entry points that Python calls
are built-in functions made at run time: a call costs 0.1 us instead of ctypes' 0.5.
"""
import atexit
import collections
import ctypes
import operator
import os
import queue
import signal
import struct
import sys
import threading
import weakref

from lazy.codegen import cgroups, llvm, threads_ir

__all__ = ['set_num_threads', 'get_num_threads', 'default_num_threads', 'runner', 'available',
           'unavailable_reason', 'record', 'RECORD', 'Queue']

RECORD = struct.Struct('<8q')
MAX_THREADS = 1024
SPIN_NS = 50_000            # about what it costs to put a thread to sleep and to wake it
CHUNKS_PER_THREAD = 4       # more even out uneven ranges, fewer cost less
POLL, POLLS = 0.002, 20     # seconds; how often the queue's thread looks before it sleeps


def record(kernel, slots_offset, constants, extent, grain=1, alignment=1, parts=0, following=0):
    """The 64 bytes of one launch; see the module's text. All are integers, addresses included."""
    return RECORD.pack(kernel, slots_offset, constants, extent, grain, alignment, parts, following)


def chunks(items, workers):
    """Into how many chunks the runner cuts so many items, each of them worth a thread."""
    most = min(items, workers * CHUNKS_PER_THREAD)
    return most if most < workers else most - most % workers


# ---------------------------------------------------------------- number of threads

_requested = None           # by set_num_threads
_default = None


def set_num_threads(n):
    """Use `n` threads at most, the caller's included. ValueError unless 1 <= n <= 1024."""
    global _requested
    n = int(n)
    if not 1 <= n <= MAX_THREADS:
        raise ValueError(f'the number of threads must be in 1 ... {MAX_THREADS}, not {n}')
    _requested = n
    if _runner is not None:
        _runner._set_limit(n)


def get_num_threads():
    """How many threads a kernel may use: what was set, else `default_num_threads()` once."""
    global _default
    if _requested is not None:
        return _requested
    if _default is None:
        _default = default_num_threads()
    return _default


def default_num_threads(environ=None, root='/'):
    """Least of OMP_NUM_THREADS, the CPUs of this process and its cgroup's quota, at least 1.

    environ: a mapping (default `os.environ`); root: where /proc and /sys are, for tests.
    """
    environ = os.environ if environ is None else environ
    limits = [_omp_threads(environ), _affinity(), _cgroup_cpus(root)]
    return max(1, min([n for n in limits if n] + [MAX_THREADS]))


def _omp_threads(environ):
    """The first number of OMP_NUM_THREADS (a list gives one for each level of nesting), or None."""
    first = environ.get('OMP_NUM_THREADS', '').split(',')[0].strip()
    return int(first) if first.isdecimal() and int(first) else None


def _affinity():
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _cgroup_cpus(root='/'):
    """CPUs' worth of time that control groups allow, rounded up, or None."""
    quotas = []
    for version, directory in cgroups.directories('cpu', root):
        names = ['cpu.max'] if version == 2 else ['cpu.cfs_quota_us', 'cpu.cfs_period_us']
        fields = [word for name in names for word in cgroups.words(os.path.join(directory, name))]
        if len(fields) == 2:
            quotas.append(_cpus(*fields))
    return min((quota for quota in quotas if quota), default=None)


def _cpus(quota, period):
    """Quota over period, rounded up; None where there is no quota ('max' or -1)."""
    try:
        quota, period = int(quota), int(period)
    except ValueError:
        return None
    return -(-quota // period) if quota > 0 and period > 0 else None


# ---------------------------------------------------------------- the runner

_runner = None
_reason = None
_setup = threading.Lock()


def available():
    """Whether there is a native runner here. Compiles or loads it at the first call."""
    return runner() is not None


def unavailable_reason():
    """Why `runner()` is None, as a sentence; None where it isn't."""
    runner()
    return _reason


def runner(cache=None):
    """The process's `Runner`, or None: no llvmlite, no pthreads, no executable memory.

    cache: a `DiskCache` for its code; only the first call's is used.
    """
    global _runner, _reason
    if _runner is None and _reason is None:
        with _setup:
            if _runner is None and _reason is None:
                try:
                    _runner = Runner(cache)
                    _runner._set_limit(get_num_threads())
                except (ImportError, OSError, RuntimeError) as error:
                    _reason = f'kernels can not be run natively: {error}'
    return _runner


class Runner:
    """Runs programs of records natively.

    run(records, count, args): `count` records at address `records`, slots at address `args`.
        Releases the GIL.
    call(records, count, *args): keeps the GIL and makes the slots of its arguments: an int becomes
        64 bits (modulo 2**64), a float those of a float64. For small programs.
    alert(): wakes the threads that sleep; they spin for SPIN_NS. To be called before the queue's thread is woken: where
        processors are few it would be given the one that a thread of the pool needs, and that one would have to wait
        for the caller's (measured with two processors: every other matrix product took twice as long).
    """

    __slots__ = ('run', 'call', 'alert', '_addresses', '_limit', '_started', '_reset')

    def __init__(self, cache=None, machine=None, futex=None, fast=None):
        machine = machine or llvm.host()
        if os.name != 'posix' or machine.arch not in threads_ir.PAUSE_IR:
            raise OSError(f'no thread pool for {sys.platform} on {machine.arch}')
        linux = sys.platform == 'linux'
        fast = _fast_calls() if fast is None else fast
        text = threads_ir.text(machine.arch, linux, linux if futex is None else futex, fast,
                               SPIN_NS, CHUNKS_PER_THREAD)
        names = ['lazy_run', 'lazy_limit', 'lazy_started', 'lazy_alert', 'lazy_reset'] + _FAST_NAMES * fast
        symbols = _python_symbols() if fast else None
        self._addresses = llvm.functions(text, names, machine, cache, symbols, kernel=False)
        self._limit = self._native('lazy_limit', None, ctypes.c_int64)
        self._started = self._native('lazy_started', ctypes.c_int64)
        self._reset = self._native('lazy_reset', None)
        self.alert = ctypes.PYFUNCTYPE(None)(self._addresses['lazy_alert'])
        self.run, self.call = self._fast_entries() if fast else self._slow_entries()
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def started(self):
        """How many threads were started, the callers' not counted."""
        return self._started()

    def _set_limit(self, n):
        self._limit(n)

    def _native(self, name, result, *arguments):
        return ctypes.CFUNCTYPE(result, *arguments)(self._addresses[name])

    def _fast_entries(self):
        return tuple(_builtin(name, self._addresses['lazy_py_' + name]) for name in ('run', 'call'))

    def _slow_entries(self):
        run = self._native('lazy_run', None, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)

        def call(records, count, *args):
            slots = struct.pack(f'<{len(args)}Q', *map(_bits, args))
            run(records, count, ctypes.cast(slots, ctypes.c_void_p).value)
        return run, call


def _bits(value):
    """What a slot holds for an int or a float."""
    try:
        return operator.index(value) % 2**64
    except TypeError:
        return struct.unpack('<Q', struct.pack('<d', value))[0]


_FAST_NAMES = ['lazy_py_run', 'lazy_py_call']
_PYTHON_SYMBOLS = '''
    PyFloat_Type PyExc_TypeError _Py_NoneStruct PyLong_AsUnsignedLongLongMask PyFloat_AsDouble
    PyErr_Occurred PyErr_ExceptionMatches PyErr_Clear PyErr_SetString Py_IncRef PyEval_SaveThread
    PyEval_RestoreThread'''.split()


def _fast_calls():
    """Whether Python's functions can be made by us: a CPython whose objects start (count, type)."""
    return (sys.implementation.name == 'cpython' and object.__basicsize__ == 16
            and 't' not in getattr(sys, 'abiflags', ''))         # t: without the GIL


def _python_symbols():
    api = ctypes.pythonapi
    return {name: ctypes.cast(getattr(api, name), ctypes.c_void_p).value
            for name in _PYTHON_SYMBOLS}


class _MethodDefinition(ctypes.Structure):
    _fields_ = [('name', ctypes.c_char_p), ('function', ctypes.c_void_p), ('flags', ctypes.c_int),
                ('doc', ctypes.c_char_p)]


def _builtin(name, address):
    """A built-in function of Python from the address of its METH_FASTCALL implementation."""
    fastcall = 0x80
    definition = _MethodDefinition(name.encode(), address, fastcall, None)
    # The function refers to the definition without owning it.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(definition))
    make = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)(
        ('PyCFunction_NewEx', ctypes.pythonapi))
    return make(ctypes.addressof(definition), None, None)


# ---------------------------------------------------------------- the queue

class Ticket:
    """One callable of a queue. done: whether it was run; error: what it raised, or None; short: whoever waits may run
    it, since it doesn't matter that Ctrl-C has to wait for its end."""

    __slots__ = ('call', 'error', 'done', 'short', '_finished', '_traceback')

    def __init__(self, call, short):
        self.call, self.error, self.done, self.short = call, None, False, short
        self._finished = threading.Lock()        # held until done: a tenth of what an Event costs
        self._finished.acquire()

    def run(self):
        try:
            self.call()
        except BaseException as error:           # whatever it is, it belongs to those who wait
            self.error, self._traceback = error, error.__traceback__
        self.call = None                         # with it go the buffers that it used

    def finish(self):
        self.done = True
        self._finished.release()

    def join(self):
        """Wait for the thread to have run it; Ctrl-C interrupts the waiting."""
        with self._finished:
            pass

    def result(self):
        if self.error is not None:
            raise self.error.with_traceback(self._traceback)


class _Line:
    """Tickets that wait, and the one who runs them: `alone` is held from taking a ticket until it is done.

    The thread is called for a ticket, but not while those who submit also wait at once (`eager` is False): a thread
    that is woken for nothing takes a processor from the pool's, a twentieth of 5 ms on two processors. It then looks
    every POLL seconds, and sleeps after POLLS times without work; who finds it `asleep` calls it.
    """

    __slots__ = ('tickets', 'alone', 'runner', 'completed', 'calls', 'eager', 'asleep')

    def __init__(self):
        self.tickets, self.alone, self.runner, self.completed = collections.deque(), threading.Lock(), None, 0
        self.calls = queue.SimpleQueue()         # True: there may be tickets; None: run the rest and end
        self.eager, self.asleep = True, False

    def add(self, ticket):
        self.tickets.append(ticket)
        if self.eager or self.asleep or not ticket.short:
            self.calls.put(True)

    def next_call(self):
        """For the thread: wait until it is called or finds a ticket. -> what it is called with."""
        for _ in range(POLLS):
            try:
                return self.calls.get(timeout=POLL)
            except queue.Empty:
                if self.tickets:
                    return True
        self.asleep = True                       # who adds a ticket from now on calls, and those before are seen here
        call = True if self.tickets else self.calls.get()
        self.asleep = False
        return call

    def run_next(self):
        """For the thread: run the ticket that waits longest, if there is one."""
        with self.alone:
            if self.tickets:
                self.eager = True
                self._run()

    def work_until(self, ticket):
        """Run what is due until `ticket` is done; what takes long is left to the thread."""
        while not ticket.done:
            with self.alone:
                first = self.tickets[0] if self.tickets and not ticket.done else ticket
                if not first.done and first.short:
                    self.eager = False
                    with _Uninterrupted():
                        self._run()
            if not first.short:
                first.join()

    def _run(self):
        ticket = self.tickets.popleft()
        self.runner = threading.get_ident()
        ticket.run()
        self.runner = None
        self.completed += 1
        ticket.finish()


try:
    from _signal import getsignal as _getsignal, signal as _signal
except ImportError:                              # those of `signal` look for handlers in an Enum: 20 us each
    from signal import getsignal as _getsignal, signal as _signal
_SIGINT = int(signal.SIGINT)


class _Uninterrupted:
    """In the main thread, Ctrl-C takes effect at the end: an interrupted callable would leave half of its results."""

    def __enter__(self):
        self.handler, self.came = None, None
        if threading.get_ident() == threading.main_thread().ident and callable(_getsignal(_SIGINT)):
            self.handler = _signal(_SIGINT, self._note)

    def _note(self, *came):
        self.came = came

    def __exit__(self, *_):
        if self.handler is not None:
            _signal(_SIGINT, self.handler)
            if self.came is not None:
                self.handler(*self.came)


def _serve(line):
    """The thread's loop. It doesn't know the Queue, so that one can die."""
    call = True
    while call:
        call = line.next_call()
        while line.tickets:
            line.run_next()


class Queue:
    """Callables, run in order, one at a time: by a daemon thread that starts with the first of them, or, if they are
    short, by whoever waits. (A waiter is awake and has a processor, which the thread must be given first.)

    What a callable raises is raised by `wait` for its ticket, each time. Before a fork the queue is
    emptied, hence parent and child agree about what was done; at exit too, for a thread that
    outlives the interpreter would write to freed memory.

    >>> queue = Queue()
    >>> ticket = queue.submit(lambda: print('done'))
    >>> queue.wait(ticket)
    done
    """

    __slots__ = ('_lock', '_line', '_last', '_thread', '_submitted', '_memory', '_held', '__weakref__')

    def __init__(self):
        self._lock = threading.RLock()           # re-entrant: a finaliser may submit while we do
        self._forget()
        _queues.add(self)

    def __del__(self):
        if self._thread is not None:
            self._line.calls.put(None)           # the thread ends once it has done the rest

    def submit(self, call, short=False):
        """Run `call()` after everything submitted before -> a ticket to wait for."""
        ticket = Ticket(call, short)
        with self._lock:
            if self._thread is None:
                self._start()
            self._last = ticket
            self._submitted += 1
            self._line.add(ticket)
        return ticket

    def make_room(self, nbytes, most):
        """Wait until those that are not done need at most so many bytes together with nbytes: see `needs`."""
        memory = self._memory
        while memory and (memory[0][0].done or nbytes + self._held > most):
            ticket, size = memory[0]
            if not ticket.done:
                self._line.work_until(ticket)
            with self._lock:                     # another thread may have been faster
                if memory and memory[0][0] is ticket:
                    memory.popleft()
                    self._held -= size

    def needs(self, ticket, nbytes):
        """A ticket's callable holds so many bytes until it is done."""
        with self._lock:
            self._memory.append((ticket, nbytes))
            self._held += nbytes

    def wait(self, ticket):
        """Return when `ticket` is done; raise what its callable raised.

        RuntimeError in a callable of this queue that waits for a later one.
        """
        if not ticket.done and self._line.runner == threading.get_ident():
            raise RuntimeError('a callable of the queue waits for one that can only run after it')
        self._line.work_until(ticket)
        ticket.result()

    def wait_all(self):
        """Return when everything submitted so far is done. Raises nothing: tickets hold errors."""
        last = self._last
        if last is not None and self._line.runner != threading.get_ident():
            self._line.work_until(last)

    def pending(self):
        """How many callables are not done."""
        return self._submitted - self._line.completed

    def _start(self):
        self._thread = threading.Thread(target=_serve, args=(self._line,), daemon=True, name='lazy-queue')
        self._thread.start()

    def _forget(self):
        """As new, without a thread."""
        self._line, self._last, self._thread, self._submitted = _Line(), None, None, 0
        self._memory, self._held = collections.deque(), 0

    def _before_fork(self):
        self._lock.acquire()
        self.wait_all()

    def _in_parent(self):
        self._lock.release()

    def _in_child(self):
        if self._thread is not None and self._thread is not threading.current_thread():
            self._forget()                       # that thread exists in the parent only
        self._lock = threading.RLock()


_queues = weakref.WeakSet()
_forking = []                                    # the queues whose locks the present fork holds


def _before_fork():
    for each in list(_queues):
        each._before_fork()
        _forking.append(each)
    _setup.acquire()                             # nobody is making the runner: the child could not


def _after_fork(method):
    _setup.release()
    while _forking:
        getattr(_forking.pop(), method)()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(before=_before_fork, after_in_parent=lambda: _after_fork('_in_parent'),
                        after_in_child=lambda: _after_fork('_in_child'))


@atexit.register
def _at_exit():
    for each in list(_queues):
        each.wait_all()
