"""Machine code of native kernels: found in this process, found on disk, or compiled.

What a program misses is compiled as one module. On disk a kernel's entry (under a digest of its canonical text, of the
machine and of all that decides the code) says which module has it under which name; the module is an entry of its own.
"""
import functools
import hashlib
import os
import threading

from . import llvm, llvm_math, native_printer, runtime


def _sources():
    """Changes with the sources of this package, which decide what code is emitted."""
    with os.scandir(os.path.dirname(__file__)) as files:
        found = sorted([(file.name, file.stat()) for file in files if file.name.endswith('.py')], key=lambda f: f[0])
    return '-'.join([f'{status.st_size}.{status.st_mtime_ns}' for _, status in found])


_SOURCES = _sources()                  # now, when they are read: a running process must not answer for later ones
_kernels = {}                          # canonical text -> address
_loaded = {}                           # (module, name) -> address
_lock = threading.Lock()


def addresses(texts, kernels):
    """Addresses of kernels, given their canonical texts."""
    missing = {t: k for t, k in zip(texts, kernels) if t not in _kernels}
    if missing:
        with _lock:
            _find_on_disk(missing)
            missing = {t: k for t, k in missing.items() if t not in _kernels}
            if missing:
                _compile(missing)
    return [_kernels[t] for t in texts]


def _find_on_disk(missing):
    store = runtime.cache()
    for t in missing:
        entry = None if t in _kernels else store.get(_digest(t))
        if entry is None:
            continue
        name, module = entry.decode().split()
        if (module, name) in _loaded or _load(module, store.get(module)):
            _kernels[t] = _loaded[module, name]


def _load(module, data):
    """Make the kernels of a module known; False where its code is gone from the disk or can't be linked here."""
    if data is None:
        return False
    names = [f'k{i}' for i in range(int.from_bytes(data[-4:], 'little'))]
    try:
        found = llvm.load_object(data[:-4], names)
    except llvm.LoadError:
        return False
    for name, address in found.items():
        _loaded[module, name] = address
    return True


def _compile(missing):
    """Compile kernels as one module: its object code, then four bytes with the number of kernels in it."""
    module = llvm_math.Module(features())
    names = {t: f'k{i}' for i, t in enumerate(missing)}
    bodies = [native_printer.emit_kernel(kernel, names[t], module) for t, kernel in missing.items()]
    text = module.text() + '\n'.join(bodies) + '\n!0 = !{}\n!1 = !{i32 1}\n'
    data = llvm.compile_object(text, llvm.host()) + len(names).to_bytes(4, 'little')
    identity = hashlib.blake2b(data, digest_size=16).hexdigest()
    if not _load(identity, data):
        raise llvm.LoadError('code that was just compiled can not be linked')
    store = runtime.cache()
    store.put(identity, data)
    for t, name in names.items():
        _kernels[t] = _loaded[identity, name]
        store.put(_digest(t), f'{name} {identity}'.encode())


def features():
    """What this machine offers, as the emitter of scalar operations wants to know it."""
    host = llvm.host()
    return llvm_math.Features(host.width_bits, host.fma, host.f16c, host.libmvec, host.arch)


def _digest(text):
    return hashlib.blake2b(f'{_version()}\n{text}'.encode(), digest_size=16).hexdigest()


@functools.lru_cache(maxsize=None)
def _version():
    return f'{_SOURCES}\n{llvm.host().key}\n{llvm.compiler_version()}'
