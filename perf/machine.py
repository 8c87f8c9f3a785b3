"""What a table was measured on: features of the processor, memory, and versions. No names of hosts or users."""
import importlib.metadata
import os
import platform
import sys

PACKAGES = ('lazy-arrays', 'numpy', 'llvmlite', 'scipy', 'ml_dtypes', 'jax', 'jaxlib', 'numba', 'numexpr', 'torch',
            'mpmath')
_FEATURES = {'avx2': 'AVX2', 'fma': 'FMA', 'avx512f': 'AVX-512', 'avx512_bf16': 'AVX-512 BF16',
             'avx512_fp16': 'AVX-512 FP16', 'amx_tile': 'AMX', 'asimd': 'NEON', 'sve': 'SVE'}


def describe():
    """The machine, the versions of all packages that are installed, as a dict for JSON."""
    return {'processor': processor(), 'features': features(), 'cores': cores(), 'caches': caches(),
            'memory_gib': memory_gib(), 'system': f'{platform.system()} {platform.machine()}',
            'python': platform.python_version(), 'versions': versions()}


def in_words(machine):
    """A description of `describe` as two lines of text."""
    caches = ', '.join(f'{level} {size}' for level, size in machine['caches'].items())
    parts = [machine['processor'], f'{machine["cores"]} cores', ', '.join(machine['features']), caches,
             f'{machine["memory_gib"]} GiB of memory', machine['system']]
    versions = ', '.join(f'{name} {version}' for name, version in machine['versions'].items())
    return f'{"; ".join(filter(None, parts))}.\nPython {machine["python"]}, {versions}.'


def versions():
    """{package: version} of the installed ones."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def cores():
    """The processors that this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def processor():
    """The processor's name, or the architecture where the system doesn't tell."""
    return _cpuinfo().get('model name') or platform.processor() or platform.machine()


def features():
    """Those instruction sets that matter to array code."""
    info = _cpuinfo()
    flags = set((info.get('flags') or info.get('Features') or '').split())
    return [name for flag, name in _FEATURES.items() if flag in flags]


def memory_gib():
    """Physical memory in GiB, 0 where the system doesn't tell."""
    try:
        return round(os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30)
    except (ValueError, OSError, AttributeError):
        return 0


def caches():
    """{level: size} of the first core's data caches, as Linux tells."""
    found, base = {}, '/sys/devices/system/cpu/cpu0/cache'
    try:
        for index in sorted(os.listdir(base)):
            kind, level, size = [_read(f'{base}/{index}/{name}') for name in ('type', 'level', 'size')]
            if kind != 'Instruction' and size:
                found[f'L{level}'] = size
    except OSError:
        pass
    return found


def _read(path):
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ''


def _cpuinfo():
    if sys.platform != 'linux':
        return {}
    first = _read('/proc/cpuinfo').split('\n\n')[0]
    pairs = [line.split(':', 1) for line in first.splitlines() if ':' in line]
    return {name.strip(): value.strip() for name, value in pairs}
