"""Overheads: what the library itself costs beside the arithmetic. Adding a row is one entry: `@row(what, unit)`.

A measurement is `f(L, quick)` that returns the time in the row's unit; L is a library of `libraries`. Where `cache` is
'cold' the process has an empty directory for compiled code; where it is 'warm' an earlier process has filled it.
"""
import dataclasses
import itertools
import subprocess
import sys
import tempfile
import time

import numpy as onp

from . import cases, libraries, processes
from .tables import Column, Table, library_columns

NAME, TITLE = 'overheads', 'Overheads on the CPU'
EXPLANATION = """What calling, building and compiling cost beside the arithmetic. Median of repeated measurements in one
process, of which the smallest over the rounds; in parentheses this time over lazy's. Figures of other libraries stand
where they have the same thing: for the rows about single operations, NumPy and torch compute at once what lazy and JAX
build or dispatch."""
ROWS = {}
ALL, COMPILING = ('lazy', 'numpy', 'jax', 'torch'), ('lazy', 'jax')


@dataclasses.dataclass
class Row:
    """cache: None, 'cold' or 'warm'; environ: for a peer's process."""
    what: str
    unit: str
    measure: object
    libraries: tuple
    cache: str = None
    environ: dict = None


def row(what, unit, libraries=COMPILING, **more):
    """Enter a measurement into the table."""
    def add(measure):
        ROWS[measure.__name__] = Row(what, unit, measure, libraries, **more)
        return measure
    return add


def table(options):
    """The table, measured."""
    libs = [lib for lib in libraries.installed(options.libraries) if lib in ALL]
    columns = [Column('case', 'case'), Column('unit', 'unit'), *library_columns(libs, libraries.LABELS),
               Column('what', 'what')]
    result = Table(NAME, TITLE, EXPLANATION, columns, settings=options.settings())
    for name, one in ROWS.items():
        if not options.cases or name in options.cases:
            add_row(result, name, one, [lib for lib in libs if lib in one.libraries], options)
    return result


def add_row(result, name, one, libs, options):
    """Measure one row on its libraries."""
    best, errors = {}, {}
    for _ in range(options.rounds):
        for lib in libs:
            try:
                value = once(name, one, lib, options.quick)
                best[lib] = min(value, best.get(lib, float('inf')))
            except processes.Failed as error:
                errors[lib] = str(error)
    result.add({'case': name, 'unit': one.unit, 'what': one.what, **best})
    for lib, error in errors.items():
        result.note(f'{name}, {libraries.LABELS[lib]}: {error}')


def once(name, one, library, quick):
    """One measurement in a fresh process, with the caches that the row asks for."""
    if not one.cache:
        return processes.run('overheads', case=name, library=library, quick=quick)['value']
    with tempfile.TemporaryDirectory() as folder:
        environ = {'LAZY_CACHE_DIR': folder, **{k: v.format(folder) for k, v in (one.environ or {}).items()}}
        for _ in range(1 if one.cache == 'cold' else 2):
            found = processes.run('overheads', environ=environ, case=name, library=library, quick=quick)
    return found['value']


def measure(case, library, quick):
    """{'value': time} of a row on a library, in the row's unit."""
    if case == 'import_time':
        return {'value': import_ms(library, quick)}
    return {'value': ROWS[case].measure(libraries.load(library), quick)}


def numbers(L, shape, low=0.1, high=0.5, seed=0):
    """A float32 array of the library."""
    return L.array(onp.random.default_rng(seed).uniform(low, high, shape).astype('float32'))


def per_call_us(call, count, quick):
    """Microseconds of one of the `count` things that `call` does."""
    return processes.median_ms(call, seconds=0.05 if quick else 0.7, at_most=300) / count * 1e3


# --- single operations -------------------------------------------------------------------------------------------

@row('building one operation, nothing computed', 'us', ('lazy',))
def build_operation(L, quick):
    """Chains of additions and products that are dropped: below the number at which pending work is flushed."""
    x = numbers(L, 8)

    def call():
        a = x
        for _ in range(100):
            a = (a + x) * x
    return per_call_us(call, 200, quick)


@row('building one operation with a Python number', 'us', ('lazy',))
def build_with_scalar(L, quick):
    x = numbers(L, 8)

    def call():
        a = x
        for _ in range(100):
            a = (a + 1.5) * 0.5
    return per_call_us(call, 200, quick)


@row('building one function call (np.sin)', 'us', ('lazy',))
def build_function(L, quick):
    x, sin = numbers(L, 8), L.np.sin

    def call():
        a = x
        for _ in range(200):
            a = sin(a)
    return per_call_us(call, 200, quick)


@row('forcing, per node, what was compiled before (400 nodes on 8 numbers)', 'us', ('lazy',))
def force_node(L, quick):
    x, times = numbers(L, 8), []

    def once():
        a = x
        for _ in range(200):
            a = (a + x) * x
        start = time.perf_counter()
        L.wait(a)
        times.append(time.perf_counter() - start)
    for _ in range(5 if quick else 200):
        once()
    return sorted(times)[len(times) // 2] / 400 * 1e6


@row('one operation on 8 numbers, waited for', 'us', ALL)
def operation_and_wait(L, quick):
    x = numbers(L, 8)

    def call():
        for _ in range(100):
            L.wait(x + x)
    return per_call_us(call, 100, quick)


@row('one of 1000 operations on 1000 numbers, no jit', 'us', ALL)
def imperative_operation(L, quick):
    x = numbers(L, 1000)

    def call():
        a = x
        for _ in range(500):
            a = (a + 1.5) * x
        L.wait(a)
    return per_call_us(call, 1000, quick)


@row('one step of the heat equation on 128², no jit, of 100', 'us', ALL)
def imperative_stencil(L, quick):
    u0, inside = numbers(L, (128, 128)), (slice(1, -1), slice(1, -1))

    def call():
        u = u0
        for _ in range(100):
            u = L.put(u, inside, (u[1:-1, :-2] + u[1:-1, 2:] + u[:-2, 1:-1] + u[2:, 1:-1]) * 0.25)
        L.wait(u)
    return per_call_us(call, 100, quick)


@row('float(x[0]): an index and a value for Python', 'us', ALL)
def scalar_to_python(L, quick):
    x = numbers(L, 8)
    return per_call_us(lambda: [float(x[0]) for _ in range(50)], 50, quick)


# --- indexing ----------------------------------------------------------------------------------------------------

def _indexing(name, what, index):
    """A row for one kind of index, waited for each time."""
    def measured(L, quick):
        x, i = numbers(L, 1000), index(L)
        return per_call_us(lambda: [L.wait(x[i]) for _ in range(50)], 50, quick)
    measured.__name__ = name
    row(what, 'us', ALL)(measured)


_indexing('index_integer', 'x[0], waited for', lambda L: 0)
_indexing('index_slice', 'x[1:], waited for', lambda L: slice(1, None))
_indexing('index_array', 'x[i], i an array of 10 integers, waited for', lambda L: L.array(onp.arange(10)))
_indexing('index_mask', 'x[mask], waited for', lambda L: L.array(onp.arange(1000) % 2 == 0))


@row('x[i] with 50 different Python integers', 'us', ALL)
def index_varying(L, quick):
    x = numbers(L, 1000)
    return per_call_us(lambda: [L.wait(x[i]) for i in range(50)], 50, quick)


@row('one of 1000 updates of one element in a loop, 100 000 numbers', 'us', ALL)
def update_element(L, quick):
    x0, steps = numbers(L, 100_000), 100 if quick else 1000

    def call():
        x = x0 + 0.0
        for i in range(steps):
            x = L.put(x, i, 1.0)
        L.wait(x)
    return processes.median_ms(call, 0.5, 3, 20, 1) / steps * 1e3


@row('the same, each from the element before, at places that never come again', 'us', ALL)
def update_recurrence(L, quick):
    x0, steps, at = numbers(L, 100_000), 100 if quick else 1000, iter(range(1, 100_000))

    def call():
        x = x0 + 0.0
        for i in itertools.islice(at, steps):
            x = L.put(x, i, x[i - 1] * 0.5 + 1)
        L.wait(x)
    return processes.median_ms(call, 0.5, 3, 20, 4) / steps * 1e3


# --- jit ---------------------------------------------------------------------------------------------------------

@row('one call of a jitted function on 8 numbers', 'us')
def jit_call(L, quick):
    g, x = L.compile(lambda x: x * 2 + 1), numbers(L, 8)

    def call():
        for _ in range(1000):
            y = g(x)
        L.wait(y)
    return per_call_us(call, 1000, quick)


@row('one call of a jitted function, waited for', 'us')
def jit_call_and_wait(L, quick):
    g, x = L.compile(lambda x: x * 2 + 1), numbers(L, 8)
    return per_call_us(lambda: [L.wait(g(x)) for _ in range(200)], 200, quick)


@row('one call with a dict of 20 arrays', 'us')
def jit_call_tree(L, quick):
    g = L.compile(lambda tree: {name: x * 0.9 for name, x in tree.items()})
    tree = {f'w{i}': numbers(L, 8, seed=i) for i in range(20)}

    def call():
        for _ in range(100):
            out = g(tree)
        L.wait(out)
    return per_call_us(call, 100, quick)


def affine_softmax(np, w):
    """A program for many batch sizes."""
    def f(x):
        z = np.tanh(x @ w) * 2 + 1
        e = np.exp(z - np.max(z, -1, keepdims=True))
        return e / np.sum(e, -1, keepdims=True)
    return f


def new_shapes_ms(L, quick, compiled):
    """Milliseconds per batch size that was never seen, after three others."""
    f = affine_softmax(L.np, numbers(L, (64, 64)))
    g = L.compile(f) if compiled else f
    inputs = [L.wait(numbers(L, (n, 64))) for n in range(101, 109 if quick else 134)]
    for x in inputs[:3]:
        L.wait(g(x))
    start = time.perf_counter()
    for x in inputs[3:]:
        L.wait(g(x))
    return (time.perf_counter() - start) / len(inputs[3:]) * 1e3


@row('a jitted function at a new batch size', 'ms', cache='cold')
def new_shape_jit(L, quick):
    return new_shapes_ms(L, quick, True)


@row('the same without jit', 'ms', cache='cold')
def new_shape(L, quick):
    return new_shapes_ms(L, quick, False)


# --- the first result --------------------------------------------------------------------------------------------

def first_step_ms(L, quick):
    """The first call of a jitted training step."""
    case = cases.CASES['mlp_step']
    arrays = [L.wait(L.array(x)) for x in cases.draw(case, cases.quick_size if quick else cases.full_size)]
    start = time.perf_counter()
    L.wait(L.compile(libraries.bound(case.program, L))(*arrays))
    return (time.perf_counter() - start) * 1e3


@row('first call of a jitted training step, nothing on disk', 'ms', cache='cold')
def first_result(L, quick):
    return first_step_ms(L, quick)


@row('the same in a second process, defaults of both libraries', 'ms', cache='warm')
def second_process(L, quick):
    return first_step_ms(L, quick)


@row("the same, JAX's cache on disk switched on", 'ms', cache='warm',
     environ={'JAX_COMPILATION_CACHE_DIR': '{}', 'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0',
              'JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES': '-1'})
def second_process_with_cache(L, quick):
    return first_step_ms(L, quick)


@row('first x + 1 that is waited for, nothing on disk', 'ms', ALL, cache='cold')
def first_operation(L, quick):
    x = L.wait(numbers(L, 1000))
    start = time.perf_counter()
    L.wait(x + 1)
    return (time.perf_counter() - start) * 1e3


IMPORTS = {'lazy': 'lazy, lazy.numpy', 'jax': 'jax, jax.numpy', 'numpy': 'numpy', 'torch': 'torch'}


def import_ms(library, quick):
    """Wall time of an interpreter that imports a library, less that of one that imports nothing."""
    def spent(code):
        return processes.median_ms(lambda: subprocess.run([sys.executable, '-c', code], check=True), 0,
                                   1 if quick else 7, 1 if quick else 7, 1)
    return max(spent(f'import {IMPORTS[library]}') - spent('pass'), 0.0)


@row('import of the library and its numpy', 'ms', ALL)
def import_time(L, quick):
    """Measured by `import_ms`, from a process that has imported nothing."""
    raise NotImplementedError
