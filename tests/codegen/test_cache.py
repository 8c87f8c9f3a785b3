"""The disk cache: whole entries or none, whatever happens to files, directory and disk."""
import errno
import os
import random
import subprocess
import sys
import time
import warnings

import pytest

from lazy.codegen import cache as module
from lazy.codegen.cache import DiskCache, default_directory

KEY = 'ab' * 20


@pytest.fixture
def cache(tmp_path):
    return DiskCache(tmp_path / 'sub' / 'cache')


def test_round_trip(cache):
    assert cache.get(KEY) is None
    for data in (b'', b'x', os.urandom(100_000)):
        cache.put(KEY, data)
        assert cache.get(KEY) == data
    assert DiskCache(cache.directory).get(KEY) == data
    assert os.listdir(cache.directory) == [KEY + '.lzc']
    cache.clear()
    assert cache.get(KEY) is None


def test_only_the_user_may_write_where_code_lies(cache):
    cache.put(KEY, b'code')
    assert os.stat(cache.directory).st_mode & 0o077 == 0
    assert os.stat(cache.path(KEY)).st_mode & 0o077 == 0


@pytest.mark.parametrize('key', ['', '../up', 'a/b', 'a.b', 'ä'])
def test_keys_are_digests(cache, key):
    with pytest.raises(ValueError):
        cache.get(key)


def damage(raw, how):
    middle = len(raw) // 2
    return {'empty': b'', 'truncated': raw[:middle], 'header only': raw[:32], 'longer': raw + b'x',
            'flipped': raw[:middle] + bytes([raw[middle] ^ 1]) + raw[middle + 1:],
            'last byte': raw[:-1] + bytes([raw[-1] ^ 1]), 'foreign': b'\x7fELF' + raw[4:],
            'other version': raw[:7] + b'\x63' + raw[8:], 'zeros': bytes(len(raw))}[how]


@pytest.mark.parametrize('how', ['empty', 'truncated', 'header only', 'longer', 'flipped',
                                 'last byte', 'foreign', 'other version', 'zeros'])
def test_damaged_entries_are_absent_and_rewritten(cache, how):
    cache.put(KEY, b'data' * 100)
    with open(cache.path(KEY), 'rb') as file:
        raw = file.read()
    with open(cache.path(KEY), 'wb') as file:
        file.write(damage(raw, how))
    assert cache.get(KEY) is None
    cache.put(KEY, b'new')
    assert cache.get(KEY) == b'new'


def test_an_entry_under_another_name_is_foreign(cache):
    cache.put(KEY, b'data')
    os.rename(cache.path(KEY), cache.path('cd' * 20))
    assert cache.get('cd' * 20) is None


def test_a_directory_in_the_place_of_an_entry(cache):
    cache.put('00', b'x')
    os.mkdir(cache.path(KEY))
    assert cache.get(KEY) is None
    with pytest.warns(RuntimeWarning, match='is not kept'):
        cache.put(KEY, b'x')
    assert sorted(os.listdir(cache.directory)) == sorted(['00.lzc', KEY + '.lzc'])


def test_directory_that_can_not_be_made_warns_once(tmp_path):
    (tmp_path / 'file').write_text('in the way')
    cache = DiskCache(tmp_path / 'file' / 'cache')
    with pytest.warns(RuntimeWarning, match='LAZY_CACHE_DIR'):
        cache.put(KEY, b'x')
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        cache.put(KEY, b'x')
        assert cache.get(KEY) is None
        cache.evict()
        assert cache.size() == 0


@pytest.mark.parametrize('call, code', [('open', errno.EROFS), ('open', errno.EACCES),
                                        ('write', errno.ENOSPC), ('replace', errno.EPERM)])
def test_disk_that_refuses(tmp_path, monkeypatch, call, code):
    cache = DiskCache(tmp_path)
    cache.put('00', b'there before')
    real = getattr(os, call)

    def refuse(*args, **kwargs):
        if call == 'open' and not args[1] & os.O_CREAT:
            return real(*args, **kwargs)
        raise OSError(code, os.strerror(code))
    with monkeypatch.context() as patch:
        patch.setattr(os, call, refuse)
        with pytest.warns(RuntimeWarning, match='is not kept'):
            cache.put(KEY, b'x')
        assert cache.get(KEY) is None
        assert cache.get('00') == b'there before'
    assert os.listdir(tmp_path) == ['00.lzc']              # nothing half-written stays


def test_directory_deleted_meanwhile_is_made_again(cache):
    cache.put(KEY, b'x')
    os.unlink(cache.path(KEY))
    os.rmdir(cache.directory)
    assert cache.get(KEY) is None
    cache.put(KEY, b'y')
    assert cache.get(KEY) == b'y'


def age(cache, key, seconds):
    then = time.time() - seconds
    os.utime(cache.path(key), (then, then))


def test_eviction_takes_what_was_used_least_recently(tmp_path, monkeypatch):
    monkeypatch.setattr(module, '_chance', lambda: 1.0)    # no scan but ours
    cache = DiskCache(tmp_path, limit_bytes=40 * 4096)
    for i in range(50):
        cache.put(f'{i:04x}', bytes(3000))
        age(cache, f'{i:04x}', 100_000 - i)
    assert cache.get('0000') is not None                   # use makes it young
    cache.evict()
    assert cache.get('0000') is not None
    assert cache.get('0001') is None
    assert cache.get(f'{49:04x}') is not None
    assert cache.size() <= 0.75 * cache.limit_bytes


def test_size_stays_bounded_without_a_scan_each_time(tmp_path, monkeypatch):
    scans = []
    real = DiskCache.evict
    monkeypatch.setattr(DiskCache, 'evict', lambda self: (scans.append(1), real(self)))
    source = random.Random(0)
    monkeypatch.setattr(module, '_chance', source.random)
    cache = DiskCache(tmp_path, limit_bytes=400 * 4096)
    for i in range(1500):
        cache.put(f'{i:05x}', bytes(1000))
    assert cache.size() <= 1.3 * cache.limit_bytes
    assert 40 < len(scans) < 300


def test_entry_above_the_limit_is_not_kept(tmp_path):
    cache = DiskCache(tmp_path, limit_bytes=1000)
    cache.put(KEY, bytes(2000))
    assert cache.get(KEY) is None


def test_leftovers_of_dead_processes_go(cache):
    cache.put(KEY, b'x')
    old, young = (os.path.join(cache.directory, name) for name in ('.1-0.tmp', '.2-0.tmp'))
    for path in (old, young):
        open(path, 'w').close()
    os.utime(old, (1, 1))
    cache.evict()
    assert not os.path.exists(old) and os.path.exists(young)


PROCESS = '''
import hashlib, random, sys
from lazy.codegen.cache import DiskCache
cache = DiskCache(sys.argv[1], limit_bytes=60 * 4096)
source = random.Random(int(sys.argv[2]))
hits = 0
for _ in range(600):
    key = hashlib.sha1(str(source.randrange(120)).encode()).hexdigest()
    data = key.encode() * 50
    found = cache.get(key)
    assert found is None or found == data, 'a wrong entry'
    hits += found is not None
    if found is None:
        cache.put(key, data)
print(hits)
'''


def test_processes_share_a_directory(tmp_path):
    command = [sys.executable, '-W', 'error', '-c', PROCESS, str(tmp_path)]
    children = [subprocess.Popen(command + [str(i)], stdout=subprocess.PIPE, env=with_path())
                for i in range(4)]
    outputs = [child.communicate()[0] for child in children]
    assert all(child.returncode == 0 for child in children)
    assert sum(map(int, outputs)) > 0


def with_path():
    return dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path))


def test_directory():
    def where(platform='linux', **environ):
        return default_directory({'HOME': '/home/u', **environ}, platform)
    assert where() == '/home/u/.cache/lazy-arrays'
    assert where(XDG_CACHE_HOME='/x') == '/x/lazy-arrays'
    assert where(XDG_CACHE_HOME='relative') == '/home/u/.cache/lazy-arrays'
    assert where(LAZY_CACHE_DIR='/y', XDG_CACHE_HOME='/x') == '/y'
    assert where('darwin') == '/home/u/Library/Caches/lazy-arrays'
    assert where('win32', LOCALAPPDATA='/local') == '/local/lazy-arrays'
