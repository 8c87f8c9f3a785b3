"""Bandwidth: every elementwise and reduction kernel on 10 M elements against a plain copy of as many bytes."""
import concurrent.futures

import numpy as np

from . import functions, libraries, processes
from .tables import Column, Table, number

NAME, TITLE = 'bandwidth', 'Kernels against a plain copy'
EXPLANATION = """A kernel over 10 M elements (matrices: 4096 x 2441), its bytes read and written, and its time over that of
np.copyto with as many threads on as many bytes in all, measured in turn with the kernel in one process: 1 is the speed of
memory, and kernels that read more than they write can be below. 'in cache' is the time of the same arithmetic on arrays that
fit into the caches, over that of the copy: where it is above 1 the arithmetic limits, not memory, and the row says `compute`.
Rows that memory limits and that take more than 1.3 copies are marked with `!`."""
LIMIT = 1.3
ROWS, COLUMNS_ = 4096, 2441
KERNELS = {}


def kernel(name, call, dtypes=('float32',), shape=(ROWS * COLUMNS_,), count=1, low=0.1, high=0.9):
    """Enter a kernel: call(np, *arrays) on `count` arrays of a shape."""
    for dtype in dtypes:
        KERNELS[name if dtype == 'float32' else f'{name}_{dtype}'] = (call, dtype, shape, count, low, high)


def _all_functions():
    """Every function of the accuracy table that is compiled."""
    for function in functions.BASIC + functions.COMPOSED:
        call = lambda np, *xs, function=function: functions.public(function)(*xs)
        kernel(function.name, call, count=function.arity, low=function.low, high=function.high)


TYPES = ('float64', 'float16', 'bfloat16', 'int32', 'int64', 'int8')
FLOATS = ('float64', 'float16', 'bfloat16')
MATRIX = {'shape': (ROWS, COLUMNS_)}
kernel('copy', lambda np, x: -x)
_all_functions()
kernel('add', lambda np, x, y: x + y, TYPES, count=2, high=9)
kernel('multiply_add', lambda np, x, y: x * y + 1, ('float32', *TYPES), count=2, high=9)
kernel('exp', lambda np, x: np.exp(x), FLOATS)
kernel('tanh', lambda np, x: np.tanh(x), FLOATS)
kernel('less', lambda np, x, y: x < y, ('float32', 'int32'), count=2, high=9)
kernel('where', lambda np, x, y: np.where(x > 0.5, x, y), count=2)
kernel('clip', lambda np, x: np.clip(x, 0.2, 0.7))
kernel('to_int32', lambda np, x: x.astype('int32'))
kernel('to_bfloat16', lambda np, x: x.astype('bfloat16'))
kernel('from_int8', lambda np, x: x.astype('float32'), ('int8',), high=9)
COMPLEX = ('complex64', 'complex128')
kernel('multiply_add', lambda np, x, y: x * y + 1, COMPLEX, count=2)
kernel('divide', lambda np, x, y: x / y, COMPLEX, count=2)
kernel('abs', lambda np, x: np.abs(x), COMPLEX)
kernel('exp', lambda np, x: np.exp(x), COMPLEX)
kernel('sum_rows', lambda np, x: np.sum(x, 1), COMPLEX, **MATRIX)
kernel('sum_columns', lambda np, x: np.sum(x, 0), COMPLEX, **MATRIX)
kernel('add_row', lambda np, x: x + x[0], **MATRIX)
kernel('add_column', lambda np, x: x + x[:, :1], **MATRIX)
kernel('add_transposed', lambda np, x: x + np.transpose(np.reshape(x, (COLUMNS_, ROWS))), **MATRIX)
kernel('reverse', lambda np, x: x[::-1] + 1)
kernel('slice_step', lambda np, x: x[::2] + 1)
for _name in ('sum', 'max', 'mean', 'var', 'argmax', 'prod', 'any'):
    for _where, _axis in (('all', None), ('rows', 1), ('columns', 0)):
        kernel(f'{_name}_{_where}', lambda np, x, name=_name, axis=_axis: getattr(np, name)(x, axis), **MATRIX)
kernel('sum_rows', lambda np, x: np.sum(x, 1), (*FLOATS, 'int32'), high=9, **MATRIX)
kernel('sum_columns', lambda np, x: np.sum(x, 0), (*FLOATS, 'int32'), high=9, **MATRIX)
kernel('norm', lambda np, x: np.sqrt(np.sum(x * x)), **MATRIX)
kernel('dot', lambda np, x, y: np.sum(x * y), count=2)
kernel('softmax', lambda np, x: np.exp(x - np.max(x, 1, keepdims=True))
       / np.sum(np.exp(x - np.max(x, 1, keepdims=True)), 1, keepdims=True), **MATRIX)
kernel('normalise_rows', lambda np, x: (x - np.mean(x, 1, keepdims=True))
       / np.sqrt(np.var(x, 1, keepdims=True) + 1e-5), **MATRIX)


def table(options):
    """The table, measured: a process for each kernel and round, of which the smallest ratio."""
    columns = [Column('case', 'kernel'), Column('ratio', 'time / copy', _ratio), Column('limit', 'limited by'),
               Column('in_cache', 'in cache / copy', number), Column('lazy', 'lazy ms', number),
               Column('copy', 'copy ms', number), Column('gigabytes', 'GB/s', number), Column('mib', 'MiB', number)]
    result = Table(NAME, TITLE, EXPLANATION, columns, settings=options.settings())
    for name in KERNELS:
        if options.cases and name not in options.cases:
            continue
        try:
            found = [processes.run('bandwidth', case=name, quick=options.quick) for _ in range(options.rounds)]
        except processes.Failed as error:
            result.note(f'{name}: {error}')
            continue
        result.add({'case': name, **min(found, key=lambda each: each['ratio'])})
    above = [row['case'] for row in result.rows if missed(row)]
    result.note(f'limited by memory and above {LIMIT} copies: {", ".join(above) or "none"}')
    return result


def missed(row):
    """Whether memory should limit a kernel that is slower than it."""
    return row['limit'] == 'memory' and row['ratio'] > LIMIT


def _ratio(value, row):
    return f'{value:.2f}{" !" if missed(row) else ""}'


# --- in a process of its own -------------------------------------------------------------------------------------

def measure(case, quick):
    """A row's figures."""
    lib = libraries.load('lazy')
    call, dtype, shape, count, low, high = KERNELS[case]
    shape = tuple(size // 10 for size in shape) if quick else shape
    if case == 'add_transposed' and quick:
        shape = ROWS, COLUMNS_
    g = lib.compile(lambda *xs: call(lib.np, *xs))
    xs = [lib.array(x) for x in inputs(dtype, shape, count, low, high)]
    out = lib.wait(g(*xs))
    nbytes = sum(x.nbytes for x in xs) + out.nbytes
    if case == 'slice_step':
        nbytes = 3 * out.nbytes                    # a step of two still reads every line of memory
    copier = Copier(nbytes // 2, lib.module.get_num_threads())
    lazy_ms, copy_ms = in_turn([lambda: lib.wait(g(*xs)), copier], 0.1 if quick else 1.0)
    small = inputs(dtype, small_shape(shape), count, low, high)
    in_cache = cached_ms(lib, g, small, case) * float(np.prod(shape) / np.prod(small_shape(shape))) / copy_ms
    return {'ratio': lazy_ms / copy_ms, 'limit': 'compute' if in_cache > 1 else 'memory', 'in_cache': in_cache,
            'lazy': lazy_ms, 'copy': copy_ms, 'gigabytes': nbytes / lazy_ms / 1e6, 'mib': nbytes / 2**20}


def inputs(dtype, shape, count, low, high):
    """Arrays of a dtype, drawn evenly."""
    kind, random = libraries.bfloat16() if dtype == 'bfloat16' else np.dtype(dtype), np.random.default_rng(0)
    if kind.kind == 'i':
        return [random.integers(1, int(high) + 1, shape, kind) for _ in range(count)]
    draw = lambda: random.uniform(low, high, shape)
    return [(draw() + 1j * draw() if kind.kind == 'c' else draw()).astype(kind) for _ in range(count)]


def small_shape(shape):
    """A shape of about 100 000 elements with rows of the same length."""
    return (100_000,) if len(shape) == 1 else (40, shape[1])


def cached_ms(lib, g, small, case):
    """The shortest time on small arrays, without the cost of a call."""
    if case == 'add_transposed':
        return 0.0                                 # its shape is part of the program
    xs, tiny = [lib.array(x) for x in small], [lib.array(x[:1].copy()) for x in small]
    call, empty = lambda: lib.wait(g(*xs)), lambda: lib.wait(g(*tiny))
    spent = [processes.median_ms(f, 0.05, 20, 200) for f in (call, empty)]
    return max(spent[0] - spent[1], 0.0)


def in_turn(calls, seconds):
    """The median time of each call in ms, measured in turn so that what disturbs one disturbs all."""
    times = [[processes.median_ms(call, 0, 1, 1, 0) for call in calls] for _ in range(2)]
    spent = sum(times[-1]) / 1e3
    times = [[processes.median_ms(call, 0, 1, 1, 0) for call in calls]
             for _ in range(max(7, min(60, int(seconds / max(spent, 1e-6)))))]
    return [sorted(column)[len(column) // 2] for column in zip(*times)]


class Copier:
    """np.copyto of n bytes by several threads, each with its part."""

    def __init__(self, nbytes, threads):
        source, target = np.ones(nbytes, np.uint8), np.zeros(nbytes, np.uint8)
        self.parts = list(zip(np.array_split(target, threads), np.array_split(source, threads)))
        self.pool = concurrent.futures.ThreadPoolExecutor(threads)

    def __call__(self):
        rest = [self.pool.submit(np.copyto, *part) for part in self.parts[1:]]
        np.copyto(*self.parts[0])
        for each in rest:
            each.result()
