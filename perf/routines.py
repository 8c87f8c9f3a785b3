"""Library functions, one call each: sorting, counting, indexing, images, FFT, random numbers, LAPACK.

A row is one entry, `routine(name, what, inputs, program, torch, numpy)`: program(J, *arrays) serves lazy and JAX, where
J is the module, and NumPy, where J.numpy is NumPy itself, unless `numpy` is another text for it, or None where it has
no such function; torch(t, *arrays) is for torch, None where it has none. `compared` says which part of the results must be
NumPy's: signs and orders of equal elements are free.
"""
import dataclasses
import os
import tempfile
import types

import numpy as onp

from . import cases, libraries, processes, throughput
from .tables import Column, Table, library_columns, number

NAME, TITLE = 'functions', 'Library functions on the CPU'
EXPLANATION = """Milliseconds of a call that is compiled already: the median of repeated calls, of which the smallest over
the rounds. In parentheses: this time over lazy's, above 1 lazy is faster. The columns "/ JAX" and "/ best" are lazy's
time over that of JAX and of the best other library: below 1 lazy is faster. Every figure is from a process of its own;
the libraries take turns, each with its defaults on all cores, and results are compared with NumPy's before anything is
timed. float64 and int64 in JAX are with its flag for them. '-' stands for what a library does not have."""
PEERS = ('lazy', 'numpy', 'jax', 'torch')
ROUTINES = {}


@dataclasses.dataclass
class Routine:
    """inputs: a function of the sizes' function n -> [NumPy array]; programs: {library: program or None}."""
    name: str
    what: str
    inputs: object
    programs: dict
    compared: object

    @property
    def wide(self):
        """Whether JAX needs its flag for 64 bits."""
        return any(x.dtype.itemsize == 8 and x.dtype.kind != 'c' for x in self.inputs(lambda size: 8))


def everything(result, *inputs):
    return result


def nothing(result, *inputs):
    return ()


_SAME = object()


def routine(name, what, inputs, program, torch, numpy=_SAME, compared=everything):
    """Enter a function into the table."""
    programs = {'lazy': program, 'jax': program, 'numpy': program if numpy is _SAME else numpy, 'torch': torch}
    ROUTINES[name] = Routine(name, what, inputs, programs, compared if programs['numpy'] else nothing)


def table(options):
    """The table, measured."""
    libs = [lib for lib in libraries.installed(options.libraries) if lib in PEERS]
    columns = [Column('case', 'case'), *library_columns(libs, libraries.LABELS),
               Column('to_jax', '/ JAX', number), Column('to_best', '/ best', number), Column('what', 'what')]
    result = Table(NAME, TITLE, EXPLANATION, columns, settings=options.settings())
    for name, one in ROUTINES.items():
        if not options.cases or name in options.cases:
            add_row(result, one, [lib for lib in libs if one.programs[lib]], options)
    return result


def add_row(result, one, libs, options):
    """Measure one function on the libraries that have it."""
    environ = {'JAX_ENABLE_X64': '1'} if one.wide else {}
    with tempfile.TemporaryDirectory() as folder:
        task = {'case': one.name, 'quick': options.quick, 'reference': os.path.join(folder, 'reference.npz')}
        if one.programs['numpy']:
            processes.run('routines', library='numpy', write=True, **task)
        best, errors = processes.in_turn('routines', libs, options.rounds, environ=environ, **task)
    result.add({'case': one.name, 'what': one.what, **best, **ratios(best)})
    for lib, error in errors.items():
        result.note(f'{one.name}, {libraries.LABELS[lib]}: {error}')


def ratios(times):
    """lazy's time over JAX's and over that of the best of the others."""
    peers = [value for lib, value in times.items() if lib != 'lazy']
    if 'lazy' not in times or not peers:
        return {}
    to_jax = {'to_jax': times['lazy'] / times['jax']} if 'jax' in times else {}
    return {'to_best': times['lazy'] / min(peers), **to_jax}


# --- in a process of its own -------------------------------------------------------------------------------------

def measure(library, case, quick, reference, write=False):
    """{'value': ms} of a function on a library; with `write` its result becomes the reference instead.

    ValueError where the result is not the reference's.
    """
    one, lib = ROUTINES[case], libraries.load(library)
    inputs = one.inputs(cases.quick_size if quick else cases.full_size)
    function, arrays = program(one, lib, library), [lib.array(x) for x in inputs]
    call = lambda: lib.wait(function(*arrays))
    found = compared(one, lib, call(), inputs)
    if write:
        onp.savez(reference, *found)
        return {}
    if one.compared is not nothing:
        check(found, throughput.load_reference(reference))
    return {'value': processes.median_ms(call, seconds=0.05 if quick else 1.0)}


def program(one, lib, library):
    """The function of the arrays to time."""
    modules = {'numpy': lambda: types.SimpleNamespace(numpy=onp), 'torch': lambda: lib.torch}
    module = modules.get(library, lambda: lib.module)()
    return lib.compile(lambda *arrays: one.programs[library](module, *arrays))


def compared(one, lib, result, inputs):
    """What of the results has to be equal in all libraries, as a list of NumPy arrays."""
    if one.compared is nothing:
        return []
    results = [lib.numpy(x) for x in throughput.as_tuple(result)]
    return list(throughput.as_tuple(one.compared(results if len(results) > 1 else results[0], *inputs)))


def check(got, expected):
    """ValueError unless the results agree within single precision."""
    for i, (x, y) in enumerate(zip(got, expected, strict=True)):
        if x.shape != y.shape:
            raise ValueError(f'result {i} has shape {x.shape} instead of {y.shape}')
        kind = 'complex128' if y.dtype.kind == 'c' else 'float64'
        x, y = x.astype(kind), y.astype(kind)
        wrong = ~(abs(x - y) <= 1e-3 * (abs(y) + abs(y).mean()))
        if wrong.any():
            raise ValueError(f'result {i} differs from the reference at {wrong.mean():.2%} of its elements, '
                             f'by up to {abs(x - y).max():.3g}')


# --- inputs ------------------------------------------------------------------------------------------------------

M = 1_000_000


def normal(*shape, dtype='float32', seed=0):
    """Normal numbers; of integer type: between -1000 M and 1000 M."""
    random, dtype = onp.random.default_rng(seed), onp.dtype(dtype)
    if dtype.kind == 'i':
        return random.integers(-10**9, 10**9, shape, dtype)
    if dtype.kind == 'c':
        return (random.standard_normal(shape) + 1j * random.standard_normal(shape)).astype(dtype)
    return random.standard_normal(shape).astype(dtype)


def below(most, *shape, dtype='int32', seed=1):
    """Integers in [0, most)."""
    return onp.random.default_rng(seed).integers(0, most, shape, dtype)


def vector(size=M, dtype='float32'):
    return lambda n: [normal(n(size), dtype=dtype)]


def rows(dtype='float32'):
    return lambda n: [normal(n(1024), n(1024), dtype=dtype)]


def images(channels, side, *weights):
    """8 images, and weights where there are any."""
    return lambda n: [normal(8, channels, n(side), n(side)), *([normal(*weights, seed=1)] if weights else [])]


def matrices(size, batch=(), definite=False, right=0):
    """Well-conditioned matrices, and right sides."""
    def make(n):
        a = normal(*batch, n(size), n(size))
        a = a @ a.swapaxes(-1, -2) / n(size) + onp.eye(n(size), dtype='float32') if definite else a
        return [a, *([normal(*batch, n(size), right, seed=1)] if right else [])]
    return make


# --- sorting -----------------------------------------------------------------------------------------------------

def sorted_by(index, x, *rest):
    return onp.take_along_axis(x, index.astype('int64'), -1)


for dtype in ('float32', 'float64', 'int32'):
    routine(f'sort_{dtype}', f'sort of 1 M {dtype}', vector(dtype=dtype), lambda J, x: J.numpy.sort(x),
            lambda t, x: t.sort(x).values)
for dtype in ('float32', 'float64', 'int64'):
    routine(f'argsort_{dtype}', f'argsort of 1 M {dtype}', vector(dtype=dtype), lambda J, x: J.numpy.argsort(x),
            lambda t, x: t.argsort(x, stable=True), lambda np, x: np.numpy.argsort(x, kind='stable'),
            compared=sorted_by)
routine('sort_rows', 'sort of the rows of 1024²', rows(), lambda J, x: J.numpy.sort(x, 1),
        lambda t, x: t.sort(x, 1).values)
routine('sort_columns', 'sort of the columns of 1024²', rows(), lambda J, x: J.numpy.sort(x, 0),
        lambda t, x: t.sort(x, 0).values)
routine('argsort_rows', 'argsort of the rows of 1024²', rows(), lambda J, x: J.numpy.argsort(x, 1),
        lambda t, x: t.argsort(x, dim=1, stable=True), lambda J, x: J.numpy.argsort(x, 1, kind='stable'),
        compared=sorted_by)
routine('top_k_rows', 'the 8 largest of each row of 1024²', rows(), lambda J, x: J.lax.top_k(x, 8)[0],
        lambda t, x: t.topk(x, 8, 1)[0], lambda J, x: J.numpy.sort(J.numpy.partition(x, -8, 1)[:, -8:])[:, ::-1])
routine('top_k_vector', 'the 100 largest of 1 M, with their places', vector(), lambda J, x: J.lax.top_k(x, 100),
        lambda t, x: tuple(t.topk(x, 100)), lambda J, x: top_of_numpy(x, 100), compared=lambda found, x: found[0])
routine('median_rows', 'median of the rows of 1024²', rows(), lambda J, x: J.numpy.median(x, 1),
        lambda t, x: t.quantile(x, 0.5, dim=1))
routine('percentile', '10 %, 50 % and 90 % of 1 M', lambda n: [normal(n(M)), onp.array([10, 50, 90], 'float32')],
        lambda J, x, q: J.numpy.percentile(x, q), lambda t, x, q: t.quantile(x, q / 100))
routine('partition', 'partition of 1 M at the middle', vector(),
        lambda J, x: J.numpy.partition(x, x.shape[0] // 2), None,
        compared=lambda found, x: found[len(x) // 2])
routine('searchsorted', 'places of 1 M in 100 000 sorted numbers',
        lambda n: [onp.sort(normal(n(100_000))), normal(n(M), seed=1)],
        lambda J, a, x: J.numpy.searchsorted(a, x), lambda t, a, x: t.searchsorted(a, x))


def top_of_numpy(x, k):
    places = onp.argpartition(x, -k)[-k:]
    places = places[onp.argsort(-x[places])]
    return x[places], places


# --- counting, accumulating --------------------------------------------------------------------------------------

routine('histogram', 'histogram of 1 M with 100 bins', vector(), lambda J, x: J.numpy.histogram(x, 100)[0],
        lambda t, x: t.histogram(x, 100).hist)
routine('bincount', 'counts of 1 M of 1000 integers', lambda n: [below(1000, n(M))],
        lambda J, i: J.numpy.bincount(i, length=1000), lambda t, i: t.bincount(i, minlength=1000),
        lambda J, i: J.numpy.bincount(i, minlength=1000))
routine('bincount_weights', 'sums of 1 M weights of 1000 integers', lambda n: [below(1000, n(M)), normal(n(M))],
        lambda J, i, w: J.numpy.bincount(i, w, length=1000), lambda t, i, w: t.bincount(i, w, minlength=1000),
        lambda J, i, w: J.numpy.bincount(i, w, minlength=1000))
routine('scatter_add', 'sums of 1 M at 5000 random places', lambda n: [below(5000, n(M)), normal(n(M))],
        lambda J, i, x: J.numpy.zeros(5000, x.dtype).at[i].add(x), lambda t, i, x: t.zeros(5000).index_add_(0, i, x),
        lambda J, i, x: J.numpy.bincount(i, x, 5000))
routine('scatter_add_rows', 'sums of 20 000 rows of 128 at 5000 random places',
        lambda n: [below(5000, n(20_000)), normal(n(20_000), 128)],
        lambda J, i, x: J.numpy.zeros((5000, 128), x.dtype).at[i].add(x),
        lambda t, i, x: t.zeros(5000, 128).index_add_(0, i, x), lambda J, i, x: added_at(i, x))
routine('segment_sum', 'sums of 5000 sorted segments of 1 M', lambda n: [onp.sort(below(5000, n(M))), normal(n(M))],
        lambda J, i, x: J.ops.segment_sum(x, i, 5000, indices_are_sorted=True),
        lambda t, i, x: t.zeros(5000).index_add_(0, i, x),
        lambda J, i, x: J.numpy.bincount(i, x, 5000))
routine('cumsum', 'cumulative sum of 1 M', vector(), lambda J, x: J.numpy.cumsum(x), lambda t, x: t.cumsum(x, 0))
routine('cumsum_rows', 'cumulative sums of the rows of 1024²', rows(), lambda J, x: J.numpy.cumsum(x, 1),
        lambda t, x: t.cumsum(x, 1))
routine('cumsum_columns', 'cumulative sums of the columns of 1024²', rows(), lambda J, x: J.numpy.cumsum(x, 0),
        lambda t, x: t.cumsum(x, 0))
routine('cummax', 'cumulative maximum of 1 M', vector(), lambda J, x: J.lax.cummax(x),
        lambda t, x: t.cummax(x, 0).values,
        lambda J, x: J.numpy.maximum.accumulate(x))


def added_at(i, x):
    total = onp.zeros((5000, x.shape[1]), x.dtype)
    onp.add.at(total, i, x)
    return total


# --- indexing ----------------------------------------------------------------------------------------------------

routine('gather', '1 M random elements of 1 M', lambda n: [normal(n(M)), below(n(M), n(M))], lambda J, x, i: x[i],
        lambda t, x, i: x[i])
routine('gather_rows', '100 000 random rows of 2048 x 512',
        lambda n: [normal(n(2048), 512), below(n(2048), n(100_000))],
        lambda J, x, i: x[i], lambda t, x, i: x[i])
routine('take_along_axis', 'one random permutation for each row of 1024²',
        lambda n: [normal(n(1024), n(1024)), onp.argsort(normal(n(1024), n(1024), seed=1), 1).astype('int32')],
        lambda J, x, i: J.numpy.take_along_axis(x, i, 1), lambda t, x, i: t.take_along_dim(x, i.long(), 1))

# --- images ------------------------------------------------------------------------------------------------------

def convolution(name, what, inputs, stride, padding, groups=1):
    """A convolution of images (batch, channel, y, x) with weights (out, channel, y, x)."""
    routine(name, what, inputs, lambda J, x, w: J.lax.conv_general_dilated(
        x, w, (stride, stride), [(padding, padding)] * 2, feature_group_count=groups),
            lambda t, x, w: t.nn.functional.conv2d(x, w, None, stride, padding, 1, groups), None)


def pooling(name, what, window, stride, padding, mean=False):
    """Largest or mean numbers of windows."""
    places = (1, 1, window, window), (1, 1, stride, stride), [(0, 0)] * 2 + [(padding, padding)] * 2

    def program(J, x):
        if mean:
            return J.lax.reduce_window(x, 0.0, J.lax.add, *places) / window**2
        return J.lax.reduce_window(x, -onp.inf, J.lax.max, *places)

    def torch(t, x):
        return (t.nn.functional.avg_pool2d if mean else t.nn.functional.max_pool2d)(x, window, stride, padding)
    routine(name, what, images(32, 112), program, torch, None)


convolution('conv_3x3', '3x3 convolution, 8 x 32 x 56², 64 channels out', images(32, 56, 64, 32, 3, 3), 1, 1)
convolution('conv_3x3_stride', '3x3 convolution at every other place, 8 x 64 x 56², 128 out',
            images(64, 56, 128, 64, 3, 3), 2, 1)
convolution('conv_1x1', '1x1 convolution, 8 x 64 x 56², 128 channels out', images(64, 56, 128, 64, 1, 1), 1, 0)
convolution('conv_7x7_stride', '7x7 convolution at every other place, 8 x 3 x 112², 64 out',
            images(3, 112, 64, 3, 7, 7), 2, 3)
convolution('conv_depthwise', '3x3 convolution of each of 64 channels, 8 x 64 x 56²',
            images(64, 56, 64, 1, 3, 3), 1, 1, 64)
pooling('max_pool_2x2', 'largest of each 2x2, 8 x 32 x 112²', 2, 2, 0)
pooling('max_pool_3x3', 'largest of 3x3 at every other place, 8 x 32 x 112²', 3, 2, 1)
pooling('avg_pool_2x2', 'mean of each 2x2, 8 x 32 x 112²', 2, 2, 0, mean=True)

# --- Fourier transforms ------------------------------------------------------------------------------------------

for name, what, inputs in [
        ('fft', 'complex FFT of 2^20', vector(1 << 20, 'complex64')),
        ('fft_real', 'FFT of 2^20 real numbers', vector(1 << 20)),
        ('fft_odd', 'complex FFT of 3^5 5^3 7 2', vector(3**5 * 5**3 * 14, 'complex64')),
        ('fft_small', 'complex FFT of 4096', lambda n: [normal(4096, dtype='complex64')]),
        ('fft_rows', 'complex FFT of the rows of 1024²', rows('complex64')),
        ('rfft', 'real FFT of 2^20', vector(1 << 20)),
        ('rfft_rows', 'real FFT of the rows of 1024²', rows()),
        ('irfft', 'inverse real FFT of 2^20', vector((1 << 19) + 1, 'complex64')),
        ('fft2', 'complex FFT of 1024²', rows('complex64')),
        ('rfft2', 'real FFT of 1024²', rows())]:
    function = name.partition('_')[0]
    routine(name, what, inputs, lambda J, x, f=function: getattr(J.numpy.fft, f)(x),
            lambda t, x, f=function: getattr(t.fft, f)(x))


# --- random numbers ----------------------------------------------------------------------------------------------

def random(name, what, size, program, torch, numpy):
    """Random numbers of a seed that is an argument."""
    routine(name, what, lambda n: [onp.uint32(0)[...]], lambda J, seed: program(J.random, J.random.key(seed), size),
            lambda t, seed: torch(t, size), lambda J, seed: numpy(onp.random.default_rng(0), size), nothing)


for size, label in ((M, '1 M'), (10 * M, '10 M')):
    random(f'uniform_{label.replace(" ", "").lower()}', f'{label} uniform float32', size,
           lambda r, key, n: r.uniform(key, (n,)),
           lambda t, n: t.rand(n), lambda r, n: r.random(n, 'float32'))
    random(f'normal_{label.replace(" ", "").lower()}', f'{label} normal float32', size,
           lambda r, key, n: r.normal(key, (n,)),
           lambda t, n: t.randn(n), lambda r, n: r.standard_normal(n, 'float32'))
random('bits', '1 M random words of 32 bits', M, lambda r, key, n: r.bits(key, (n,)),
       lambda t, n: t.randint(-2**31, 2**31, (n,), dtype=t.int32), lambda r, n: r.integers(0, 2**32, n, 'uint32'))
random('randint', '1 M integers below 1000', M, lambda r, key, n: r.randint(key, (n,), 0, 1000),
       lambda t, n: t.randint(0, 1000, (n,), dtype=t.int32), lambda r, n: r.integers(0, 1000, n, 'int32'))
random('permutation', 'a random order of 1 M', M, lambda r, key, n: r.permutation(key, n),
       lambda t, n: t.randperm(n), lambda r, n: r.permutation(n))

# --- linear algebra ----------------------------------------------------------------------------------------------

linalg = lambda name: lambda J, *arrays: getattr(J.numpy.linalg, name)(*arrays)
of_torch = lambda name: lambda t, *arrays: getattr(t.linalg, name)(*arrays)
for name, what, inputs, compare in [
        ('cholesky', 'Cholesky factor of 512²', matrices(512, definite=True), everything),
        ('cholesky_batch', 'Cholesky factors of 10 000 of 8²', matrices(8, (10_000,), True), everything),
        ('solve', 'A x = b, 512² and 8 columns', matrices(512, right=8), everything),
        ('solve_batch', 'A x = b, 10 000 of 8² and 1 column', matrices(8, (10_000,), True, 1), everything),
        ('inv', 'inverse of 512²', matrices(512, definite=True), everything),
        ('inv_batch', 'inverses of 10 000 of 8²', matrices(8, (10_000,), True), everything),
        ('det', 'determinant of 128²', matrices(128, definite=True), everything),
        ('qr', 'QR factors of 512²', matrices(512), lambda found, a: abs(found[1])),
        ('svd', 'singular values and vectors of 256²', matrices(256), lambda found, a: found[1]),
        ('svd_batch', 'singular values and vectors of 1000 of 16²', matrices(16, (1000,)), lambda found, a: found[1]),
        ('svdvals', 'singular values of 256²', matrices(256), everything),
        ('eigh', 'eigenvalues and vectors of a symmetric 256²', matrices(256, definite=True),
         lambda found, a: found[0]),
        ('eigh_batch', 'eigenvalues and vectors of 1000 symmetric 16²', matrices(16, (1000,), True),
         lambda found, a: found[0]),
        ('eigvalsh', 'eigenvalues of a symmetric 256²', matrices(256, definite=True), everything),
        ('eig', 'eigenvalues and vectors of 128²', matrices(128), nothing),
        ('slogdet', 'logarithm of the determinant of 512²', matrices(512, definite=True), everything)]:
    function = name.removesuffix('_batch')
    routine(name, what, inputs, linalg(function), of_torch(function), compared=compare)
routine('lstsq', 'least squares, 1000 x 100', lambda n: [normal(n(1000), n(100) + 8), normal(n(1000), seed=1)],
        lambda J, a, b: J.numpy.linalg.lstsq(a, b)[0], lambda t, a, b: t.linalg.lstsq(a, b[:, None]).solution[:, 0],
        lambda J, a, b: J.numpy.linalg.lstsq(a, b, None)[0])
routine('solve_triangular', 'L x = b, 512² and 8 columns', matrices(512, definite=True, right=8),
        lambda J, a, b: J.scipy.linalg.solve_triangular(a, b, lower=True),
        lambda t, a, b: t.linalg.solve_triangular(a, b, upper=False), None)
