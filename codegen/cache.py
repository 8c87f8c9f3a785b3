"""Compiled code on disk, shared by processes.

    cache = DiskCache()                 # LAZY_CACHE_DIR, else the user's cache directory
    cache.put(key, data)                # key: hexadecimal digest of everything that data depends on
    cache.get(key)                      # -> data, or None

An entry is one file: a header with magic, version, length and checksum, then the data. The checksum
covers the key as well, so a file that was truncated, damaged, renamed or made by something else
reads as absent and the next `put` replaces it. Files appear by `os.replace`, hence a reader sees a
whole entry or none, and any number of processes may share the directory without a lock.

The size is bounded in the mean: each `put` looks through the directory with a probability
proportional to the bytes that it adds, so that the cost of a scan is spread over `limit_bytes / 32`
of new entries or so, however many short-lived processes wrote them. Least recently used ones go
first.

A directory that can't be written (read-only, full, in the way of a file) costs one warning: the
cache then holds nothing and the program runs.
"""
import hashlib
import os
import struct
import sys
import time
import warnings

__all__ = ['DiskCache', 'default_directory', 'DEFAULT_LIMIT']

DEFAULT_LIMIT = 512 << 20
MAGIC = b'lazyobj\x01'                      # the last byte is the version of this layout
HEADER = struct.Struct('<8sQ16s')           # magic, length of the data, checksum of key and data
SUFFIX = '.lzc'
FLAGS = getattr(os, 'O_BINARY', 0) | getattr(os, 'O_CLOEXEC', 0)
SCANS_PER_LIMIT = 32                        # a scan per limit/32 new bytes
KEEP = 0.75                                 # a scan that finds too much leaves this much of it
BLOCK = 4096                                # a file takes at least one block of the disk
TOUCH_AFTER = 3600                          # seconds; times of use are no more exact than this
STALE_AFTER = 3600                          # seconds; an older temporary file is a leftover


def default_directory(environ=None, platform=None):
    """Where compiled code is kept: LAZY_CACHE_DIR, else the platform's cache directory of the user.

    environ: a mapping (default `os.environ`); platform: as `sys.platform`.
    """
    environ = os.environ if environ is None else environ
    if environ.get('LAZY_CACHE_DIR'):
        return os.path.abspath(os.path.expanduser(environ['LAZY_CACHE_DIR']))
    return os.path.join(_user_cache(environ, platform or sys.platform), 'lazy-arrays')


def _user_cache(environ, platform):
    home = environ.get('HOME') or os.path.expanduser('~')
    if platform == 'win32':
        return environ.get('LOCALAPPDATA') or os.path.join(home, 'AppData', 'Local')
    if platform == 'darwin':
        return os.path.join(home, 'Library', 'Caches')
    xdg = environ.get('XDG_CACHE_HOME', '')
    # Relative paths are invalid, says the XDG specification.
    return xdg if os.path.isabs(xdg) else os.path.join(home, '.cache')


class DiskCache:
    """Files of compiled code under `directory`, about `limit_bytes` of them.

    directory: a path; None means `default_directory()`. It is made by the first `put`.
    limit_bytes: bound of the sum of file sizes, exceeded by a few percent between scans.

    >>> import tempfile
    >>> cache = DiskCache(tempfile.mkdtemp())
    >>> cache.put('0a1b', b'code')
    >>> cache.get('0a1b')
    b'code'
    """

    __slots__ = ('directory', 'limit_bytes', '_prefix', '_warned')

    def __init__(self, directory=None, limit_bytes=DEFAULT_LIMIT):
        self.directory = os.fspath(directory) if directory is not None else default_directory()
        self.limit_bytes = int(limit_bytes)
        self._prefix = os.path.join(self.directory, '')
        self._warned = False

    def __repr__(self):
        return f'DiskCache({self.directory!r}, limit_bytes={self.limit_bytes})'

    def path(self, key):
        """The file that holds `key`, a hexadecimal digest; ValueError for what is none."""
        if not key.isalnum() or not key.isascii():
            raise ValueError(f'cache key {key!r} is not a hexadecimal digest')
        return self._prefix + key + SUFFIX

    def get(self, key):
        """The data put under `key`, or None where there is none that is whole."""
        try:
            raw = _read_and_touch(self.path(key))
        except OSError:
            return None
        return _unwrap(key, raw)

    def put(self, key, data):
        """Keep `data` (bytes-like) under `key`. Where the disk refuses, warn once and go on."""
        raw = _wrap(key, bytes(data))
        if len(raw) > self.limit_bytes:
            return
        try:
            self._write(self.path(key), raw)
        except OSError as error:
            self._warn(error)
            return
        if _chance() * self.limit_bytes < max(len(raw), BLOCK) * SCANS_PER_LIMIT:
            self.evict()

    def evict(self):
        """Where the directory holds too much, delete what was used least recently."""
        entries = self._entries()
        total = sum(size for _, size, _ in entries)
        if total <= self.limit_bytes:
            return
        for _, size, path in sorted(entries):
            if total <= self.limit_bytes * KEEP:
                break
            _unlink(path)
            total -= size

    def clear(self):
        """Delete every entry."""
        for _, _, path in self._entries():
            _unlink(path)

    def size(self):
        """Bytes of disk that the entries take, in whole blocks."""
        return sum(size for _, size, _ in self._entries())

    def _write(self, path, raw):
        temporary = f'{self._prefix}.{os.getpid()}-{os.urandom(6).hex()}.tmp'
        try:
            descriptor = _create(temporary)
        except FileNotFoundError:
            # Code lies here: nobody else may write it.
            os.makedirs(self.directory, mode=0o700, exist_ok=True)
            descriptor = _create(temporary)
        try:
            try:
                _write_all(descriptor, raw)
            finally:
                os.close(descriptor)
            os.replace(temporary, path)
        except BaseException:
            _unlink(temporary)
            raise

    def _entries(self):
        """(time of use, size, path) of every entry. Leftovers of dead processes are deleted."""
        found = []
        try:
            with os.scandir(self.directory) as files:
                for file in files:
                    _note(file, found)
        except OSError:
            pass
        return found

    def _warn(self, error):
        if not self._warned:
            self._warned = True
            warnings.warn(f'compiled code is not kept: {self.directory} can not be written '
                          f'({error.strerror or error}). Every process compiles anew; set '
                          'LAZY_CACHE_DIR to a directory that can be written.',
                          RuntimeWarning, stacklevel=3)


def _chance():
    """Uniform in [0, 1), from the system: forked processes must not draw alike."""
    return int.from_bytes(os.urandom(4), 'little') / 2**32


def _checksum(key, data):
    digest = hashlib.blake2b(key.encode(), digest_size=16)
    digest.update(data)
    return digest.digest()


def _wrap(key, data):
    return HEADER.pack(MAGIC, len(data), _checksum(key, data)) + data


def _unwrap(key, raw):
    """The data of a whole entry made for `key`, else None."""
    if len(raw) < HEADER.size:
        return None
    magic, length, checksum = HEADER.unpack_from(raw)
    data = raw[HEADER.size:]
    if magic != MAGIC or length != len(data) or checksum != _checksum(key, data):
        return None
    return data


def _read_and_touch(path):
    """The file's bytes. Its modification time serves as time of use: access times are often off."""
    descriptor = os.open(path, os.O_RDONLY | FLAGS)
    try:
        status = os.fstat(descriptor)
        raw = _read_all(descriptor, status.st_size)
    finally:
        os.close(descriptor)
    if time.time() - status.st_mtime > TOUCH_AFTER:
        _touch(path)
    return raw


def _read_all(descriptor, size):
    raw = os.read(descriptor, size + 1)
    while len(raw) < size:                       # a signal or a network file system gave less
        more = os.read(descriptor, size - len(raw))
        if not more:
            break
        raw += more
    return raw


def _touch(path):
    try:
        os.utime(path)
    except OSError:
        pass                                     # a read-only cache still serves


def _create(path):
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | FLAGS, 0o600)


def _write_all(descriptor, raw):
    view = memoryview(raw)
    while view:
        view = view[os.write(descriptor, view):]


def _unlink(path):
    try:
        os.unlink(path)
    except OSError:
        pass                                     # another process was quicker, or may not


def _note(file, found):
    """Append the entry `file` to `found`; delete what a dead process left half-written."""
    try:
        if file.name.endswith(SUFFIX):
            status = file.stat(follow_symlinks=False)
            size = -(-status.st_size // BLOCK) * BLOCK
            found.append((status.st_mtime, size, file.path))
        elif file.name.startswith('.') and file.name.endswith('.tmp'):
            if time.time() - file.stat(follow_symlinks=False).st_mtime > STALE_AFTER:
                _unlink(file.path)
    except OSError:
        pass
