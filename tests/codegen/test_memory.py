"""Buffers: alignment, reuse only after the last view is gone, bounds, honest MemoryErrors."""
import gc
import os
import random
import subprocess
import sys
import threading

import numpy as np
import pytest

from lazy.codegen import memory
from lazy.codegen.memory import Buffer, allocate, class_size, statistics, trim

SIZES = [0, 1, 63, 64, 65, 1000, 1024, 65_471, 65_472, 65_473, 65_536, 1_000_000,
         1 << 20, 5 << 20, 40 << 20]


@pytest.fixture(autouse=True)
def empty_pool():
    gc.collect()
    trim()
    yield
    memory.set_pool_limit(None)


@pytest.mark.parametrize('size', SIZES)
def test_blocks_are_aligned_padded_and_not_much_larger(size):
    buffer = allocate(size)
    assert buffer.address % 64 == 0 and buffer.nbytes == size
    block = class_size(size)
    assert block % 64 == 0 and block >= size + 64
    assert block <= 1.125 * (size + 128)
    padded = -(-size // 64) * 64 + 64
    buffer.array((size,), np.uint8).fill(1)
    whole = Buffer(buffer.address, padded).array((padded,), np.uint8)
    whole.fill(2)                                          # padding may be read and written


def test_classes_are_few_and_increase():
    classes = [class_size(n) for n in range(0, 1 << 20, 100)]
    assert classes == sorted(classes)
    assert len(set(classes)) < 120
    assert class_size(memory.SMALL) == memory.SMALL_BLOCK < class_size(memory.SMALL + 1)


@pytest.mark.parametrize('size', SIZES)
def test_memory_is_reused_after_the_last_view(size):
    size = max(size, 8)
    buffer = allocate(size)
    address = buffer.address
    view = buffer.array((size // 8,), np.float64)
    part = view.reshape(-1, 1)[:1].T
    part[...] = 3
    del buffer, view
    other = allocate(size)
    assert other.address != address and part[0, 0] == 3
    del part
    assert allocate(size).address == address


def test_views_have_shape_dtype_offset():
    buffer = allocate(1000)
    buffer.array((250,), np.int32)[:] = np.arange(250)
    view = buffer.array((3, 4), np.dtype('i4'), offset=40)
    np.testing.assert_array_equal(view, np.arange(10, 22).reshape(3, 4))
    assert view.flags.writeable and view.flags.c_contiguous
    assert memory.address_of(view) == buffer.address + 40
    assert buffer.array((), np.float64).shape == () and buffer.array((0, 5), np.int8).size == 0
    with pytest.raises(TypeError):
        buffer.array((1000,), np.float64)


def test_buffer_of_an_array():
    array = np.arange(12.0).reshape(3, 4)
    buffer = Buffer.from_array(array)
    assert (buffer.address, buffer.nbytes, buffer.owner) == (array.ctypes.data, 96, array)
    view = buffer.array((4, 3), np.float64)
    view[0, 0] = 7
    assert array[0, 0] == 7
    with pytest.raises(ValueError, match='contiguous'):
        Buffer.from_array(array.T)
    array.flags.writeable = False
    assert not Buffer.from_array(array).array((12,), np.float64).flags.writeable


@pytest.mark.parametrize('array', [np.zeros(0), np.array(1.5), np.zeros((2, 3))[1:],
                                   np.arange(5)[::-1], np.zeros(3, 'U4'),
                                   np.zeros(3).view(np.recarray)])
def test_addresses_of_arrays(array):
    assert memory.address_of(array) == array.ctypes.data


def test_statistics_and_trim():
    before = statistics()
    small, large = allocate(1000), allocate(3 << 20)
    held = class_size(1000) + class_size(3 << 20)
    assert statistics()['in_use'] == before['in_use'] + held
    del small, large
    after = statistics()
    assert after['in_use'] == before['in_use'] and after['pooled'] == before['pooled'] + held
    assert after['peak'] >= held
    trim()
    assert statistics()['pooled'] == 0


def test_pool_is_bounded_and_the_least_recently_used_go_first():
    memory.set_pool_limit(64 << 20)
    blocks = [allocate(size << 20) for size in (1, 2, 3, 5, 8, 13)]
    newest = allocate(40 << 20)
    address = newest.address
    del blocks[:]
    assert statistics()['pooled'] < 64 << 20
    del newest
    assert statistics()['pooled'] <= 48 << 20
    assert allocate(40 << 20).address == address
    memory.set_pool_limit(0)
    assert memory._pool.large == 0


def test_small_blocks_are_bounded():
    blocks = [allocate(1000) for _ in range(20_000)]
    del blocks
    assert statistics()['pooled'] <= memory.SMALL_KEPT


def test_sizes_that_can_not_be():
    for size in (1 << 45, 1 << 62):
        with pytest.raises(MemoryError, match='available'):
            allocate(size)
    with pytest.raises(ValueError):
        allocate(-1)
    with pytest.raises(ValueError):
        allocate(-1000)


def test_room_is_asked_for_and_the_pool_given_up_first(monkeypatch):
    block = allocate(100 << 20)
    del block
    room = [50 << 20, 1 << 40]
    monkeypatch.setattr(memory, 'available_memory', lambda: room.pop(0))
    held = allocate(300 << 20)
    assert statistics()['pooled'] == 0 and not room
    monkeypatch.setattr(memory, 'available_memory', lambda: 50 << 20)
    with pytest.raises(MemoryError, match='no room for 256 MiB.*50 MiB are available'):
        allocate((256 << 20) - 64)
    del held


def write(root, path, text):
    os.makedirs(os.path.dirname(root / path), exist_ok=True)
    (root / path).write_text(text)


def test_available_memory_of_the_machine_and_its_groups(tmp_path):
    assert memory.available_memory(tmp_path) is None
    write(tmp_path, 'proc/meminfo',
          'MemTotal: 16000 kB\nMemAvailable:   8000 kB\nSwapFree: 100 kB\n')
    assert memory.available_memory(tmp_path) == 8100 << 10
    write(tmp_path, 'proc/self/cgroup', '0::/a/b\n')
    write(tmp_path, 'sys/fs/cgroup/a/b/memory.max', 'max\n')
    write(tmp_path, 'sys/fs/cgroup/a/memory.max', f'{5000 << 10}\n')
    write(tmp_path, 'sys/fs/cgroup/a/memory.current', f'{3000 << 10}\n')
    write(tmp_path, 'sys/fs/cgroup/a/memory.stat', f'anon 5\ninactive_file {1000 << 10}\n')
    assert memory.available_memory(tmp_path) == 3000 << 10


def test_available_memory_in_groups_of_version_1(tmp_path):
    write(tmp_path, 'proc/self/cgroup', '4:memory:/host/path\n3:cpu,cpuacct:/\n')
    write(tmp_path, 'sys/fs/cgroup/memory/memory.limit_in_bytes', '1000000\n')
    write(tmp_path, 'sys/fs/cgroup/memory/memory.usage_in_bytes', '400000\n')
    assert memory.available_memory(tmp_path) == 600_000


def test_aligned_mapping_gives_the_ends_back():
    address = memory._map_aligned(3 << 20)
    assert address % memory.HUGE_PAGE == 0
    Buffer(address, 3 << 20).array((3 << 20,), np.uint8).fill(1)
    memory._munmap(address, 3 << 20)


def test_a_finaliser_in_the_middle_of_everything():
    class Cycle:
        def __init__(self):
            self.buffers, self.me = [allocate(100), allocate(1 << 20)], self
    before = statistics()['in_use']
    for _ in range(2000):
        Cycle()
    gc.collect()
    assert statistics()['in_use'] == before


def test_threads_never_share_a_block():
    def use(seed, errors):
        source, held = random.Random(seed), []
        for step in range(4000):
            if held and source.random() < 0.5:
                view, mark = held.pop(source.randrange(len(held)))
                if not (view == mark).all():
                    errors.append(step)
            else:
                size = source.choice([16, 100, 1000, 80_000])
                view = allocate(size * 8).array((size,), np.int64)
                mark = seed * 10_000 + step
                view.fill(mark)
                held.append((view, mark))
    errors = []
    threads = [threading.Thread(target=use, args=(seed, errors)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


def test_blocks_may_outlive_the_module():
    """When the interpreter ends it clears modules, and something may hold memory even then."""
    program = ('from lazy.codegen import memory; held = [memory.allocate(n) for n in (64, 4096, 1 << 20, 1 << 25)]; '
               'memory.__dict__.update(dict.fromkeys(memory.__dict__)); del held')
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ''
