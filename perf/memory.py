"""Peak memory, each in a fresh process: how much more than before the work the process held at its highest."""
import dataclasses
import re
import sys

import numpy as onp

from . import cases, libraries, processes
from .tables import Column, Table, library_columns

NAME, TITLE = 'memory', 'Peak memory on the CPU'
EXPLANATION = """MiB by which the peak of the resident memory (VmHWM) rises above what the process holds once the library
is imported and the inputs exist. In parentheses: this over lazy's. Compiling is part of it. The smallest over the rounds."""
ROWS = {}
ALL = ('lazy', 'numpy', 'jax', 'torch')


@dataclasses.dataclass
class Row:
    """prepare(L, n) -> the work, a function without arguments."""
    what: str
    prepare: object
    libraries: tuple


def row(what, libraries=ALL):
    def add(prepare):
        ROWS[prepare.__name__] = Row(what, prepare, libraries)
        return prepare
    return add


def table(options):
    """The table, measured."""
    libs = [lib for lib in libraries.installed(options.libraries) if lib in ALL]
    columns = [Column('case', 'case'), *library_columns(libs, libraries.LABELS), Column('what', 'what')]
    result = Table(NAME, TITLE, EXPLANATION, columns, settings=options.settings())
    for name, one in ROWS.items():
        if options.cases and name not in options.cases:
            continue
        best, errors = processes.in_turn('memory', [lib for lib in libs if lib in one.libraries], options.rounds,
                                         case=name, quick=options.quick)
        result.add({'case': name, 'what': one.what, **best})
        for lib, error in errors.items():
            result.note(f'{name}, {libraries.LABELS[lib]}: {error}')
    return result


def measure(case, library, quick):
    """{'value': MiB} of a row on a library."""
    L = libraries.load(library)
    work = ROWS[case].prepare(L, cases.quick_size if quick else cases.full_size)
    reset_peak()
    before = peak_bytes('VmRSS')
    work()
    return {'value': max(peak_bytes('VmHWM') - before, 0) / 2**20}


def reset_peak():
    """Let the peak be what the process holds now, where the system can (Linux)."""
    try:
        with open('/proc/self/clear_refs', 'w') as file:
            file.write('5')
    except OSError:
        pass


def peak_bytes(what):
    """VmRSS or VmHWM in bytes; the peak since the start where there is no /proc."""
    try:
        with open('/proc/self/status') as file:
            return int(re.search(rf'{what}:\s+(\d+) kB', file.read())[1]) * 1024
    except OSError:
        import resource
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return used * (1 if sys.platform == 'darwin' else 1024)


def inputs(L, case, n):
    return [L.wait(L.array(x)) for x in cases.draw(cases.CASES[case], n)]


@row('44 multiply-adds over 10 M float32 (40 MB), jit where there is one')
def chain(L, n):
    arrays, f = inputs(L, 'arith', n), L.compile(libraries.bound(cases.CASES['arith'].program, L))
    return lambda: L.wait(f(*arrays))


@row('the same, no jit')
def chain_imperative(L, n):
    arrays, f = inputs(L, 'arith', n), libraries.bound(cases.CASES['arith'].program, L)
    return lambda: L.wait(f(*arrays))


@row('layer norm and GELU on 2048² (16 MB), value and gradients')
def layernorm_grad(L, n):
    return _program(L, n, 'layernorm_grad')


@row('softmax of 4096² (64 MB)')
def softmax(L, n):
    return _program(L, n, 'softmax')


def _program(L, n, name):
    case = cases.CASES[name]
    text = case.numpy if type(L) is libraries.NumPy and case.numpy else case.program
    arrays, f = inputs(L, name, n), L.compile(libraries.bound(text, L))
    return lambda: L.wait(f(*arrays))


@row('20 training steps of a 784-4096-10 classifier, batch 2048')
def training(L, n):
    case, random = cases.CASES['mlp_step'], onp.random.default_rng(0)
    text = case.numpy if type(L) is libraries.NumPy else case.program
    shapes = [(784, n(4096)), (n(4096),), (n(4096), 10), (10,), (n(2048), 784), (n(2048), 10)]
    arrays = [L.wait(L.array(random.uniform(-0.05, 0.05, s).astype('float32'))) for s in shapes]
    step = L.compile(libraries.bound(text, L))

    def work():
        parameters, data = arrays[:4], arrays[4:]
        for _ in range(20):
            value, *parameters = step(*parameters, *data)
        L.wait(value)
    return work


@row('100 000 steps of x = x * 0.999 + y on 1000 numbers, looked at once at the end')
def loop(L, n):
    x0, y = [L.wait(L.array(onp.full(1000, value, 'float32'))) for value in (1.0, 0.5)]

    def work():
        x = x0
        for _ in range(n(100_000)):
            x = x * 0.999 + y
        L.wait(x)
    return work


@row('100 000 updates x.at[i].set(1) of 1000 numbers', ('lazy', 'numpy'))
def loop_of_updates(L, n):
    x0 = L.wait(L.array(onp.zeros(1000, 'float32')))

    def work():
        x = x0
        for i in range(n(100_000)):
            x = L.put(x, i % 1000, 1.0)
        L.wait(x)
    return work
