"""The number of threads, the native runner under stress, fork and exit, and the queue."""
import ctypes
import os
import random
import signal
import subprocess
import sys
import threading
import time
import weakref

import numpy as np
import pytest

from lazy.codegen import llvm, threads
from lazy.codegen.threads import Queue, record

needs_runner = pytest.mark.skipif(not llvm.available() or os.name != 'posix',
                                  reason='needs llvmlite and pthreads')
needs_fork = pytest.mark.skipif(not hasattr(os, 'fork'), reason='needs fork')
quiet_fork = pytest.mark.filterwarnings('ignore:.*fork.*:DeprecationWarning')


# ---------------------------------------------------------------- number of threads

@pytest.fixture
def threads_as_before():
    before = threads.get_num_threads()
    yield
    threads.set_num_threads(before)


def write(root, path, text):
    os.makedirs(os.path.dirname(root / path), exist_ok=True)
    (root / path).write_text(text)


def default(root, **environ):
    return threads.default_num_threads(environ, str(root))


def test_set_and_get(threads_as_before):
    threads.set_num_threads(3)
    assert threads.get_num_threads() == 3
    for wrong in (0, -1, 5000):
        with pytest.raises(ValueError):
            threads.set_num_threads(wrong)


def test_default_follows_openmp_and_affinity(tmp_path, monkeypatch):
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: set(range(6)), raising=False)
    assert default(tmp_path) == 6
    assert default(tmp_path, OMP_NUM_THREADS='4') == 4
    assert default(tmp_path, OMP_NUM_THREADS=' 3,2 ') == 3
    assert default(tmp_path, OMP_NUM_THREADS='64') == 6
    for strange in ('', '0', 'many', '-1'):
        assert default(tmp_path, OMP_NUM_THREADS=strange) == 6


@pytest.mark.parametrize('quota, expected', [('max 100000', 6), ('200000 100000', 2),
                                             ('150000 100000', 2), ('1000 100000', 1),
                                             ('nonsense', 6)])
def test_default_follows_cgroups_2(tmp_path, monkeypatch, quota, expected):
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: set(range(6)), raising=False)
    write(tmp_path, 'proc/self/cgroup', '0::/outer/inner\n')
    write(tmp_path, 'sys/fs/cgroup/outer/inner/cpu.max', 'max 100000\n')
    write(tmp_path, 'sys/fs/cgroup/outer/cpu.max', quota + '\n')
    assert default(tmp_path) == expected


@pytest.mark.parametrize('quota, expected', [('-1', 6), ('300000', 3)])
def test_default_follows_cgroups_1(tmp_path, monkeypatch, quota, expected):
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: set(range(6)), raising=False)
    write(tmp_path, 'proc/self/cgroup', '5:memory:/x\n4:cpu,cpuacct:/not/visible/here\n')
    write(tmp_path, 'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us', quota + '\n')
    write(tmp_path, 'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us', '100000\n')
    assert default(tmp_path) == expected


# ---------------------------------------------------------------- the runner

# add: out[i] += slot 1 for i in [lo, hi); who: one row (lo, hi, worker) at out[3 * worker], and
# out[3n] += 1; scale: constants[0] * float slot 1 into double out[i]; slow: as who, but takes its
# time.
KERNELS = '''
define void @add(ptr %slots, ptr %constants, i64 %lo, i64 %hi, i64 %worker) {
entry:
  %out = load ptr, ptr %slots
  %p = getelementptr i64, ptr %slots, i64 1
  %value = load i64, ptr %p
  %any = icmp slt i64 %lo, %hi
  br i1 %any, label %loop, label %exit
loop:
  %i = phi i64 [ %lo, %entry ], [ %next, %loop ]
  %a = getelementptr i64, ptr %out, i64 %i
  %old = load i64, ptr %a
  %new = add i64 %old, %value
  store i64 %new, ptr %a
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %hi
  br i1 %more, label %loop, label %exit
exit:
  ret void
}
define void @who(ptr %slots, ptr %constants, i64 %lo, i64 %hi, i64 %worker) {
  %out = load ptr, ptr %slots
  %row = mul i64 %worker, 3
  %a = getelementptr i64, ptr %out, i64 %row
  store i64 %lo, ptr %a
  %b = getelementptr i64, ptr %a, i64 1
  store i64 %hi, ptr %b
  %c = getelementptr i64, ptr %a, i64 2
  %times = atomicrmw add ptr %c, i64 1 seq_cst
  ret void
}
define void @scale(ptr %slots, ptr %constants, i64 %lo, i64 %hi, i64 %worker) {
  %out = load ptr, ptr %slots
  %p = getelementptr double, ptr %slots, i64 1
  %x = load double, ptr %p
  %factor = load i64, ptr %constants
  %f = sitofp i64 %factor to double
  %y = fmul double %f, %x
  store double %y, ptr %out
  ret void
}
define void @slow(ptr %slots, ptr %constants, i64 %lo, i64 %hi, i64 %worker) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %next = add i64 %i, 1
  call void asm sideeffect "", ""()
  %more = icmp slt i64 %next, 50000
  br i1 %more, label %loop, label %exit
exit:
  call void @who(ptr %slots, ptr %constants, i64 %lo, i64 %hi, i64 %worker)
  ret void
}
'''


@pytest.fixture(scope='module')
def kernels():
    return llvm.functions(KERNELS, ['add', 'who', 'scale', 'slow'])


@pytest.fixture(scope='module', params=['process', 'condition', 'slow'])
def runner(request):
    """The process's runner; one with condition variables; one that Python calls by ctypes."""
    if request.param == 'process':
        return threads.runner()
    return threads.Runner(**{'condition': {'futex': False}, 'slow': {'fast': False}}[request.param])


@pytest.fixture(params=[1, 2, 5])
def limit(request, runner, threads_as_before):
    runner._set_limit(request.param)
    return request.param


class Program:
    """Records in memory."""

    def __init__(self, *records):
        self.memory = ctypes.create_string_buffer(b''.join(records), 64 * len(records))
        self.address, self.count = ctypes.addressof(self.memory), len(records)


def address(array):
    return array.ctypes.data


@needs_runner
def test_program_runs_in_order(runner, kernels, limit):
    out = np.zeros(100_003, np.int64)
    program = Program(*[record(kernels['add'], offset, 0, len(out), grain, 16)
                        for offset, grain in ((0, 1000), (16, 10**9), (0, 1), (16, 50_001))])
    slots = np.array([address(out), 3, address(out), 40], np.int64)
    for times in range(1, 30):
        runner.run(program.address, program.count, address(slots))
        assert (out == 86 * times).all()
    runner.call(program.address, program.count, address(out), -3, address(out), -40)
    assert (out == 86 * 28).all()


@needs_runner
def test_small_extents_are_one_call(runner, kernels, limit):
    rows = np.zeros((8, 3), np.int64)
    program = Program(record(kernels['who'], 0, 0, 100, 100))
    runner.call(program.address, 1, address(rows))
    np.testing.assert_array_equal(rows[0], [0, 100, 1])
    assert not rows[1:].any()
    runner.run(program.address, 0, 0)                      # an empty program


@needs_runner
def test_arguments_and_constants(runner, kernels):
    out, constants = np.zeros(1), np.array([7])
    program = Program(record(kernels['scale'], 0, address(constants), 1))
    for value, expected in ((1.5, 10.5), (np.float64(2.5), 17.5), (np.float32(0.5), 3.5),
                            (-1.0, -7)):
        runner.call(program.address, 1, address(out), value)
        assert out[0] == expected
    large = np.zeros(1, np.uint64)
    program = Program(record(kernels['add'], 0, 0, 1))
    for value in (2**64 - 1, -1, np.int64(-1), np.uint64(2**64 - 1), True):
        large[0] = 5
        runner.call(program.address, 1, address(large), value)
        assert large[0] == (6 if value is True else 4)


@needs_runner
def test_wrong_arguments_are_type_errors(kernels):
    runner = threads.runner()
    for call, args in ((runner.run, ()), (runner.run, (1, 2)), (runner.run, (0, 0, 'x')),
                       (runner.call, (0,)), (runner.call, (0, 0, 'x')),
                       (runner.call, (0, 0, None))):
        with pytest.raises(TypeError):
            call(*args)


@needs_runner
@pytest.mark.parametrize('parts', [1, 2, 3, 8])
@pytest.mark.parametrize('extent, alignment', [(1000, 16), (1000, 1), (1, 1), (33, 16), (0, 4)])
def test_parts_are_the_same_whatever_the_threads(runner, kernels, limit, parts, extent, alignment):
    rows = np.zeros((parts, 3), np.int64)
    program = Program(record(kernels['who'], 0, 0, extent, 1, alignment, parts))
    runner.call(program.address, 1, address(rows))
    size = -(-(-(-extent // parts)) // alignment) * alignment
    expected = [[min(i * size, extent), min((i + 1) * size, extent), 1] for i in range(parts)]
    np.testing.assert_array_equal(rows, expected)


@needs_runner
def test_without_items_a_kernel_is_not_called(runner, kernels):
    """It may read, before its loops, what only exists where there are items."""
    row = np.zeros(3, np.int64)
    program = Program(record(kernels['who'], 0, 0, 0), record(kernels['who'], 0, 0, 0, 5, 16))
    runner.call(program.address, 2, address(row))
    assert not row.any()


@needs_runner
def test_ranges_cover_the_extent_once_and_are_aligned(runner, kernels, limit):
    source = random.Random(0)
    for _ in range(100):
        extent, grain = source.randrange(1, 3000), source.randrange(1, 200)
        alignment = source.choice([1, 8, 16, 64])
        out = np.zeros(extent, np.int64)
        program = Program(record(kernels['add'], 0, 0, extent, grain, alignment))
        runner.call(program.address, 1, address(out), 1)
        assert (out == 1).all()


@needs_runner
def test_threads_take_part(runner, kernels):
    """Every thread gets some of a kernel that takes its time; no thread number is out of range."""
    runner._set_limit(2)
    rows = np.zeros((8, 3), np.int64)
    program = Program(record(kernels['slow'], 0, 0, 64, 1))
    for _ in range(50):
        runner.call(program.address, 1, address(rows))
        assert rows[:, 2].sum() == 8 and not rows[2:].any()
        if rows[1, 2]:
            break
        rows[:] = 0
    assert rows[1, 2], 'the second thread never took part'
    assert runner.started() >= 1


@needs_runner
def test_no_thread_starts_before_it_is_needed(kernels):
    runner = threads.Runner()
    assert runner.started() == 0
    runner._set_limit(4)
    out = np.zeros(1000, np.int64)
    small, large = (Program(record(kernels['add'], 0, 0, 1000, grain)) for grain in (1000, 1))
    runner.call(small.address, 1, address(out), 1)
    assert runner.started() == 0
    runner.call(large.address, 1, address(out), 1)
    assert runner.started() == 3
    runner._set_limit(2)
    runner.call(large.address, 1, address(out), 1)
    assert runner.started() == 3 and (out == 3).all()


@needs_runner
def test_stress_of_sleeping_and_waking(runner, kernels, limit):
    """Pauses around the time that threads spin for: some sleep, some are about to."""
    out = np.zeros(4096, np.int64)
    program = Program(record(kernels['add'], 0, 0, 4096, 16, 16))
    source, end, times = random.Random(1), time.perf_counter() + 0.3, 0
    while time.perf_counter() < end:
        runner.run(program.address, 1, address(np.array([address(out), 1])))
        times += 1
        pause = time.perf_counter() + source.choice([0, 0, 40e-6, 50e-6, 60e-6, 120e-6])
        while time.perf_counter() < pause:
            pass
    assert (out == times).all()


@needs_runner
def test_python_threads_run_programs_at_once(runner, kernels, limit):
    def work(failures):
        out = np.zeros(5000, np.int64)
        rows = np.zeros((3, 3), np.int64)
        program = Program(*[record(kernels['add'], 0, 0, 5000, 16, 16)] * 5,
                          record(kernels['who'], 16, 0, 5000, 1, 1, 3))
        slots = np.array([address(out), 1, address(rows)])
        for times in range(1, 100):
            runner.run(program.address, 6, address(slots))
            if not (out == 5 * times).all() or not (rows[:, 2] == times).all():
                failures.append(times)
    failures = []
    workers = [threading.Thread(target=work, args=(failures,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures


@needs_runner
@needs_fork
@quiet_fork
def test_fork(runner, kernels):
    runner._set_limit(3)
    out = np.zeros(10_000, np.int64)
    program = Program(record(kernels['add'], 0, 0, len(out), 16))
    runner.call(program.address, 1, address(out), 1)
    for _ in range(3):
        child = os.fork()
        if child == 0:
            good = runner.started() == 0
            for _ in range(10):
                runner.call(program.address, 1, address(out), 1)
            os._exit(0 if good and (out == 11).all() and runner.started() == 2 else 1)
        assert os.waitpid(child, 0)[1] == 0
    runner.call(program.address, 1, address(out), 1)
    assert (out == 2).all()


@needs_runner
@needs_fork
@quiet_fork
def test_fork_while_programs_run(runner, kernels):
    runner._set_limit(3)
    stop = threading.Event()
    program = Program(record(kernels['add'], 0, 0, 100_000, 16))

    def work():
        out = np.zeros(100_000, np.int64)
        while not stop.is_set():
            runner.run(program.address, 1, address(np.array([address(out), 1])))
    worker = threading.Thread(target=work)
    worker.start()
    try:
        for _ in range(5):
            child = os.fork()
            if child == 0:
                out = np.zeros(100_000, np.int64)
                runner.call(program.address, 1, address(out), 1)
                os._exit(0 if (out == 1).all() else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        worker.join()


@needs_runner
def test_signals_go_to_python(kernels):
    runner = threads.runner()
    runner._set_limit(4)
    program = Program(record(kernels['slow'], 0, 0, 1000, 1))
    rows = np.zeros((8, 3), np.int64)
    runner.call(program.address, 1, address(rows))
    got = []
    before = signal.signal(signal.SIGUSR1, lambda *_: got.append(threading.current_thread()))
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(0.01)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert got == [threading.main_thread()]


def run_python(code):
    path = os.pathsep.join(p for p in sys.path if p)
    return subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=60,
                          env=dict(os.environ, PYTHONPATH=path))


@needs_runner
@pytest.mark.parametrize('end', ['', 'sys.exit(0)', 'os._exit(0)', 'gc.collect()',
                                 'time.sleep(0.002)'])
def test_exit_is_clean(end):
    """With threads that spin, and with work in the queue."""
    done = run_python(f'''
import gc, os, sys, time, ctypes
import numpy as np
from lazy.codegen import llvm, threads
text = """{KERNELS}"""
f = llvm.functions(text, ['slow'])['slow']
threads.set_num_threads(4)
rows = np.zeros((8, 3), np.int64)
records = ctypes.create_string_buffer(threads.record(f, 0, 0, 200, 1) * 100)
slots = np.array([rows.ctypes.data])
run = lambda: threads.runner().run(ctypes.addressof(records), 100, slots.ctypes.data)
run()
queue = threads.Queue()
tickets = [queue.submit(run) for _ in range(3)]
{end}
''')
    assert (done.returncode, done.stderr) == (0, '')


# ---------------------------------------------------------------- the queue

def test_queue_runs_in_order():
    queue, seen = Queue(), []
    assert queue._thread is None
    tickets = [queue.submit(lambda i=i: seen.append(i)) for i in range(1000)]
    queue.wait(tickets[500])
    assert seen[:501] == list(range(501))
    queue.wait_all()
    assert seen == list(range(1000)) and queue.pending() == 0 and all(t.done for t in tickets)
    queue.wait_all()


def test_errors_are_raised_to_each_who_waits():
    queue = Queue()

    def fail():
        raise ZeroDivisionError('mine')
    bad, good = queue.submit(fail), queue.submit(lambda: None)
    queue.wait_all()
    queue.wait(good)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError, match='mine') as caught:
            queue.wait(bad)
    frames = [entry.name for entry in caught.traceback]
    assert frames.count('fail') == 1 and len(frames) < 8


def test_callables_are_released_when_done():
    class Held:
        def __call__(self):
            pass
    queue, held = Queue(), Held()
    gone = weakref.ref(held)
    ticket = queue.submit(held)
    del held
    queue.wait(ticket)
    assert gone() is None


def test_waiting_for_what_comes_later_is_an_error():
    queue, box, ready = Queue(), [], threading.Event()

    def early():
        ready.wait()
        queue.wait(box[0])
    first = queue.submit(early)
    box.append(queue.submit(lambda: None))
    ready.set()
    with pytest.raises(RuntimeError, match='after it'):
        queue.wait(first)


def test_callables_may_submit():
    queue, seen = Queue(), []
    queue.wait(queue.submit(lambda: seen.append(queue.submit(lambda: seen.append(2)))))
    queue.wait_all()
    assert seen[1:] == [2]


def test_a_dropped_queue_finishes_and_its_thread_ends():
    queue, seen = Queue(), []
    ticket = queue.submit(lambda: (time.sleep(0.02), seen.append(1)))
    thread = queue._thread
    del queue
    thread.join(5)
    assert not thread.is_alive() and seen == [1] and ticket.done


@needs_fork
@quiet_fork
def test_queue_and_fork():
    queue, seen = Queue(), []
    for _ in range(5):
        queue.submit(lambda: (time.sleep(0.005), seen.append(1)))
    child = os.fork()
    if child == 0:
        good = len(seen) == 5 and queue.pending() == 0
        queue.wait(queue.submit(lambda: seen.append(2)))
        os._exit(0 if good and seen[5:] == [2] else 1)
    assert os.waitpid(child, 0)[1] == 0
    queue.wait(queue.submit(lambda: seen.append(3)))
    assert seen[5:] == [3]


@needs_fork
@quiet_fork
def test_fork_in_a_callable():
    queue = Queue()

    def body():
        child = os.fork()
        if child == 0:
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    queue.wait(queue.submit(body))


def test_waiters_help_and_the_order_stays():
    """Whoever waits runs what is due: one callable at a time, in the order of submission."""
    queue, ran, active = threads.Queue(), [], []

    def job(number):
        active.append(number)
        assert active == [number]
        ran.append(number)
        active.pop()

    def waiter(tickets):
        for ticket in tickets:
            queue.wait(ticket)
    tickets = [queue.submit(lambda n=n: job(n), short=n % 3 > 0) for n in range(300)]
    others = [threading.Thread(target=waiter, args=(tickets[start::3],)) for start in range(3)]
    for other in others:
        other.start()
    queue.wait(tickets[-1])
    for other in others:
        other.join()
    assert ran == list(range(300)) and queue.pending() == 0


def test_waiting_inside_of_a_callable():
    queue, found = threads.Queue(), []
    first = queue.submit(lambda: None)

    def inner():
        queue.wait(first)                        # done before: no matter
        later = queue.submit(lambda: None)
        with pytest.raises(RuntimeError, match='only run after it'):
            queue.wait(later)
        found.append(later)
    queue.wait(queue.submit(inner))
    queue.wait(found[0])


@pytest.mark.skipif(not hasattr(signal, 'raise_signal'), reason='needs signals')
def test_an_interrupt_waits_for_the_end_of_a_callable(monkeypatch):
    """Ctrl-C while the main thread runs what it waits for: the callable ends, its result is there."""
    queue, ended = threads.Queue(), []

    def job():
        if threading.current_thread() is threading.main_thread():
            signal.raise_signal(signal.SIGINT)
        ended.append(threading.current_thread())
    monkeypatch.setattr(threads, '_serve', lambda line: None)      # the queue's thread can't come first
    ticket = queue.submit(job, short=True)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)   # ignored in what a shell runs in the background
    try:
        with pytest.raises(KeyboardInterrupt):
            queue.wait(ticket)
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended == [threading.main_thread()] and ticket.done
    queue.wait(ticket)
