"""Graphs of 100 000 nodes, deep nesting, processes and threads: nothing recurses, nothing is quadratic, nobody
hangs."""
import multiprocessing
import os
import subprocess
import sys
import threading

import numpy as onp
import pytest

import lazy
import lazy.numpy as np
from lazy import evaluate

N = 100_000


@pytest.fixture
def no_flush(monkeypatch):
    monkeypatch.setattr(evaluate, 'FLUSH_NODES', 10 ** 9)


@pytest.fixture(params=['numpy', 'native'])
def target(request):
    before = lazy.config.target
    lazy.config.update('target', request.param)
    yield request.param
    lazy.config.update('target', before)
    evaluate.programs.clear()


def chain(x, n=N // 2):
    for _ in range(n):
        x = x * 1.0 + 0.0
    return x


def tree_sum(parts):
    while len(parts) > 1:
        parts = [a + b for a, b in zip(parts[::2], parts[1::2])] + parts[len(parts) & ~1:]
    return parts[0]


# --- 100 000 nodes ----------------------------------------------------------------------------------------------------

def test_deep(target, no_flush):
    x = chain(np.arange(4.0) + 0)
    assert x.tolist() == [0, 1, 2, 3]


def test_wide(target, no_flush):
    x = np.ones(3).block_until_ready()
    assert tree_sum([x * 2 for _ in range(N // 2)]).tolist() == [N] * 3


def test_many_results(target, no_flush):
    x = np.ones(3).block_until_ready()
    count = N // 10 if target == 'native' else N
    found = lazy.block_until_ready([x + float(i) for i in range(count)])
    assert found[-1].tolist() == [count] * 3


def test_freed_without_having_been_computed(no_flush):
    start = len(evaluate.here.pending)
    x = chain(np.ones(3))
    del x
    evaluate.flush()
    assert len(evaluate.here.pending) <= start + 10


def test_differentiated(no_flush):
    slope = lazy.grad(lambda x: chain(x, N // 4).sum())(np.ones(3))
    assert slope.tolist() == [1, 1, 1]


def test_forward_mode(no_flush):
    _, tangent = lazy.jvp(lambda x: chain(x, N // 4), (np.ones(3),), (np.full(3, 2.0),))
    assert tangent.tolist() == [2, 2, 2]


def test_vmapped(no_flush):
    found = lazy.vmap(lambda x: chain(x, N // 2))(np.arange(6.0).reshape(2, 3))
    assert found.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_jitted():
    f = lazy.jit(lambda x: chain(x, N // 4))
    assert f(np.ones(3)).tolist() == [1, 1, 1] and f(np.zeros(3)).tolist() == [0, 0, 0]


def test_updates(target, no_flush):
    n = 4000
    x = np.zeros(n)
    for i in range(n):
        x = x.at[i].set(float(i))
    assert onp.array_equal(onp.asarray(x), onp.arange(n))


def test_concatenated_again_and_again(no_flush):
    x = np.zeros(1)
    for i in range(300):
        x = np.concatenate([x, np.full(1, float(i))])
    assert x.tolist() == [0.0, *map(float, range(300))]


def test_reductions_one_after_the_other(target, no_flush):
    x = np.arange(8.0)
    for _ in range(1500):
        x = x - x.sum() * 0.0
    assert x.tolist() == list(range(8))


# --- nesting ----------------------------------------------------------------------------------------------------------

def test_nested_jits():
    f = lambda x: x + 1.0
    for _ in range(60):
        f = lazy.jit(lambda x, f=f: f(x) * 1.0)
    assert float(f(1.0)) == 2


def test_nested_derivatives():
    f = lambda x: x ** 5
    for n, want in enumerate([5, 20, 60, 120, 120]):
        f = lazy.grad(f)
        assert float(f(1.0)) == want


def test_nested_batches():
    f, x = lambda x: x * 2, np.ones((1, 2) * 4)
    for _ in range(8):
        f = lazy.vmap(f)
    assert f(x).shape == x.shape


def test_deep_trees():
    tree = np.ones(2)
    for i in range(200):
        tree = [tree] if i % 2 else {'a': tree}
    assert lazy.jit(lambda t: lazy.tree.map(lambda x: x * 2, t))(tree) is not None


# --- processes --------------------------------------------------------------------------------------------------------

@pytest.mark.skipif(not hasattr(os, 'fork'), reason='no fork here')
@pytest.mark.filterwarnings('ignore:.*fork.*:DeprecationWarning')
def test_forked_child_computes():
    x = np.arange(300_000.0)
    assert float((x * 0 + 1).sum()) == 300_000                 # threads have been started
    pending = x * 2
    children = []
    for number in range(3):
        child = os.fork()
        if not child:
            ok = False
            try:
                large = float((np.ones(500_000) * (number + 1)).sum()) == 500_000 * (number + 1)
                ok = large and float(pending[3]) == 6 and float(lazy.grad(lambda v: (v * v).sum())(x)[2]) == 4
            finally:
                os._exit(0 if ok else 1)
        children.append(child)
    assert float(pending[4]) == 8
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0, 0]


def _work(number):
    x = np.arange(1000.0)
    return float((np.tanh(x) * number).sum())


def test_multiprocessing():
    with multiprocessing.get_context('spawn').Pool(2) as pool:
        found = pool.map(_work, range(4))
    assert found[0] == 0 and abs(found[3] - 3 * found[1]) < 1e-2


def test_many_processes_share_an_empty_cache(tmp_path):
    code = '''import lazy, lazy.numpy as np
x = np.arange(100.0)
for k in range(1, 6):
    y = x
    for _ in range(k):
        y = np.sqrt(y * y + k)
    assert float((y * 0 + k).sum()) == 100 * k'''
    environment = {**os.environ, 'LAZY_CACHE_DIR': str(tmp_path), 'LAZY_TARGET': 'native'}
    running = [subprocess.Popen([sys.executable, '-c', code], env=environment, stderr=subprocess.PIPE, text=True)
               for _ in range(6)]
    for process in running:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0 and not errors, errors
    done = subprocess.run([sys.executable, '-c', code + '\nprint(lazy.debug.kernel_compilations())'], env=environment,
                          capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == '0', done.stderr
    assert not [f for f in os.listdir(tmp_path) if f.endswith('.tmp')]


# --- threads ----------------------------------------------------------------------------------------------------------

def _in_another_thread(work):
    failed = []

    def run():
        try:
            work()
        except BaseException as error:                              # noqa: raised below
            failed.append(error)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


def test_a_flush_leaves_alone_what_another_thread_traces(target):
    def elsewhere():
        y = np.arange(8.0)
        for _ in range(2500):                                       # flushes
            y = y + 1.0
        assert y.tolist() == [2500.0 + i for i in range(8)]
        assert lazy.jit(lambda u: u * 2)(y).tolist() == [5000.0 + 2 * i for i in range(8)]

    def f(v):
        y = v * v
        _in_another_thread(elsewhere)
        z = np.sin(y)
        _in_another_thread(elsewhere)
        return z.sum()
    x = np.arange(3.0)
    expected = np.cos(x * x) * 2 * x
    for transformed in (lazy.grad(f), lazy.jit(lazy.grad(f)), lazy.vmap(lazy.grad(lambda v: f(v[None])))):
        assert abs(transformed(x) - expected).max() < 1e-6


def test_another_thread_may_ask_for_values_under_differentiation(target):
    def f(v):
        y, seen = v * v, []
        _in_another_thread(lambda: seen.append(float(y.sum())))
        return np.sin(y).sum() * seen[0]
    x = np.arange(3.0)
    assert abs(lazy.grad(f)(x) - 5 * np.cos(x * x) * 2 * x).max() < 1e-5


def test_pending_work_survives_its_thread(target):
    made = []
    _in_another_thread(lambda: made.append(np.arange(5.0) * 2 + 1))
    (x,) = made
    assert x._node.held == 0
    assert (x * 2).tolist() == [2.0, 6.0, 10.0, 14.0, 18.0] and x.tolist() == [1.0, 3.0, 5.0, 7.0, 9.0]


def test_threads_build_flush_and_trace(target):
    """Every thread runs long loops, flushes and differentiates."""
    failed = []

    def work(seed):
        try:
            x = np.full(50, float(seed))
            for i in range(3000):
                x = x + 1.0
                if i % 500 == 0:
                    assert float(lazy.grad(lambda v: (v * v).sum())(x)[0]) == 2 * (seed + i + 1)
            assert x.tolist() == [seed + 3000.0] * 50
        except BaseException as error:                              # noqa: reported below
            failed.append(repr(error))
    threads = [threading.Thread(target=work, args=(i,)) for i in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, failed


def test_threads_update_their_own_copies():
    shared, failed = np.zeros(64).block_until_ready(), []

    def work(k):
        for _ in range(20):
            x = shared
            for i in range(10):
                x = x.at[i].set(float(k))
            if x.tolist() != [float(k)] * 10 + [0.0] * 54:
                failed.append(k)
    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed and shared.tolist() == [0.0] * 64
