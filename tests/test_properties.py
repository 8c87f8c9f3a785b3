"""Random programs, computed natively, by the NumPy target and by NumPy itself.

A program is a list of steps on a pool of arrays. All values are small whole numbers in every dtype, so that every
result is exact and is compared for equality, whatever the order of the additions. What grows is clipped.
"""
import functools
import random
import warnings

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

import lazy
import lazy.numpy as lnp
from lazy import evaluate

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
# Largest magnitude that may stay in the pool: products and short sums of such values are exact.
BOUNDS = {np.dtype(np.bool_): 1, np.dtype(np.int8): 7, np.dtype(np.int32): 1 << 10, np.dtype(np.int64): 1 << 10,
          np.dtype(np.float16): 7, BFLOAT16: 3, np.dtype(np.float32): 1 << 8, np.dtype(np.float64): 1 << 10,
          np.dtype(np.uint8): 15, np.dtype(np.complex64): 1 << 5}
INT32, FLOAT32, BOOL, COMPLEX64 = np.dtype(np.int32), np.dtype(np.float32), np.dtype(np.bool_), np.dtype(np.complex64)
SIZES = (1, 2, 3, 4, 6, 8, 15, 16, 17, 31, 33, 40)
LARGEST = 6000                                     # elements of an array in the pool


class Steps:
    """Chooses operations that fit the arrays of a pool, runs them with NumPy, and remembers them.

    A step is (function of (library, arrays), indices of arrays): it runs the same with NumPy and with lazy.
    """

    def __init__(self, seed, main=FLOAT32):
        """main: the dtype that inputs mostly have."""
        self.random, self.main = random.Random(seed), main
        self.inputs, self.steps, self.pool, self.dropped = [], [], [], set()
        self.sizes = [self.random.choice(SIZES) for _ in range(3)]

    # --- the pool ---
    def start(self):
        for _ in range(self.random.randint(1, 4)):
            dtype = self.random.choice(list(BOUNDS)) if self.random.random() < 0.4 else self.main
            bound = min(BOUNDS[dtype], 4)
            low = 0 if dtype.kind in 'bu' else -bound
            rng, shape = np.random.default_rng(self.random.randrange(1 << 30)), self.shape()
            array = rng.integers(low, bound + 1, shape)
            array = (array + 1j * rng.integers(low, bound + 1, shape) if dtype.kind == 'c' else array).astype(dtype)
            self.inputs.append(array)
            self.pool.append(array)

    def shape(self):
        if self.random.random() < 0.03:
            return (0, *self.sizes[:1])
        while True:
            shape = tuple([self.random.choice([1, *self.sizes, *self.sizes])
                           for _ in range(self.random.choice((0, 1, 2, 2, 3, 4)))])
            if np.prod(shape, dtype=int) <= LARGEST:
                return shape

    def pick(self, accept=lambda x: True):
        """Index of an array of the pool, rather a late one; None where none is acceptable."""
        fit = [i for i, x in enumerate(self.pool) if i not in self.dropped and accept(x)]
        if not fit:
            return None
        return fit[-1] if self.random.random() < 0.5 else self.random.choice(fit)

    def add(self, function, *indices):
        if None in indices:
            return
        result = function(np, *[self.pool[i] for i in indices])
        if result.size > LARGEST:
            return
        self.steps.append((function, indices))
        self.pool.append(result)
        bound = BOUNDS[result.dtype]
        if result.size and magnitude(result) > bound and result.dtype != BOOL:
            low = 0 if result.dtype.kind == 'u' else -bound
            clip = lambda lib, x: lib.minimum(lib.maximum(x, scalar(lib, low, x)), scalar(lib, bound, x))
            if result.dtype.kind == 'c':
                self.add(lambda lib, x: clip(lib, x.real) + 1j * clip(lib, x.imag), len(self.pool) - 1)
            else:
                self.add(clip, len(self.pool) - 1)

    def maybe_drop(self, i):
        """x = update of x: the memory of x may be taken."""
        if i is not None and self.random.random() < 0.5:
            self.dropped.add(i)
            self.steps.append(('drop', (i,)))

    def step(self):
        getattr(self, self.random.choice(OPERATIONS))()

    # --- elementwise ---
    def unary(self):
        i = self.pick(lambda x: x.dtype.kind not in 'bu')
        parts = i is not None and self.pool[i].dtype.kind == 'c'
        name = self.random.choice(['negative', 'conj', 'square', 'real', 'imag'] if parts else ['negative', 'abs', 'square', 'sign'])
        self.add(lambda lib, x: getattr(lib, name)(x), i)

    def logical(self):
        i = self.pick(lambda x: x.dtype == BOOL)
        self.add(lambda lib, x: ~x, i)

    def convert(self):
        i, dtype = self.pick(lambda x: x.dtype.kind != 'c'), self.random.choice(list(BOUNDS))
        low = 0 if dtype.kind == 'u' else -BOUNDS[dtype]
        if i is not None and dtype != BOOL and (self.pool[i].dtype != BOOL) and self.pool[i].size and (
                self.pool[i].astype(np.float64).max() > BOUNDS[dtype] or self.pool[i].astype(np.float64).min() < low):
            return
        self.add(lambda lib, x: x.astype(dtype), i)

    def binary(self):
        i, j = self.pair()
        if i is not None and self.pool[i].dtype == BOOL:
            name = self.random.choice(['logical_and', 'logical_or', 'logical_xor', 'equal'])
        elif i is not None and self.pool[i].dtype.kind == 'c':
            name = self.random.choice(['add', 'subtract', 'multiply', 'multiply', 'equal', 'not_equal'])
        elif i is not None and self.pool[i].dtype.kind == 'u':
            name = self.random.choice(['add', 'maximum', 'minimum', 'multiply', 'less', 'equal'])
        else:
            name = self.random.choice(['add', 'add', 'subtract', 'multiply', 'maximum', 'minimum', 'less',
                                       'greater_equal', 'equal'])
        self.add(lambda lib, x, y: getattr(lib, name)(x, y), i, j)

    def with_scalar(self):
        i, value = self.pick(lambda x: x.dtype != BOOL), self.random.randint(0, 3)
        name = self.random.choice(['add', 'multiply', 'maximum', 'minimum', 'less'])
        if i is not None and self.pool[i].dtype.kind == 'c':
            name, value = self.random.choice(['add', 'multiply', 'equal']), value - 2j
        self.add(lambda lib, x: getattr(lib, name)(x, scalar(lib, value, x)), i)

    def pair(self):
        """Two arrays of one dtype that broadcast."""
        i = self.pick()
        x = self.pool[i] if i is not None else None
        return i, self.pick(lambda y: x is not None and y.dtype == x.dtype and fits(x.shape, y.shape))

    def select(self):
        i, j = self.pair()
        if i is None or j is None:
            return
        shape = np.broadcast_shapes(self.pool[i].shape, self.pool[j].shape)
        c = self.pick(lambda m: m.dtype == BOOL and fits(m.shape, shape))
        self.add(lambda lib, c, x, y: lib.where(c, x, y), c, i, j)

    # --- views ---
    def transpose(self):
        i = self.pick(lambda x: x.ndim > 1)
        if i is not None:
            order = self.random.sample(range(self.pool[i].ndim), self.pool[i].ndim)
            self.add(lambda lib, x: lib.transpose(x, order), i)

    def reshape(self):
        i = self.pick()
        if i is not None:
            shape = self.factors(self.pool[i].size)
            self.add(lambda lib, x: lib.reshape(x, shape), i)

    def factors(self, n):
        shape = []
        while n > 1 and len(shape) < 3 and self.random.random() < 0.7:
            k = self.random.choice([k for k in range(1, min(n, 64) + 1) if n % k == 0])
            shape.append(k)
            n //= k
        shape.append(n)
        self.random.shuffle(shape)
        return tuple(shape)

    def expand(self):
        i = self.pick(lambda x: x.ndim < 4)
        if i is not None:
            axis = self.random.randint(0, self.pool[i].ndim)
            self.add(lambda lib, x: lib.expand_dims(x, axis), i)

    def broadcast(self):
        i = self.pick(lambda x: x.ndim < 4)
        if i is not None:
            shape = tuple([self.random.choice(self.sizes) if n == 1 else n for n in self.pool[i].shape])
            shape = (self.random.choice(self.sizes), *shape) if self.random.random() < 0.5 else shape
            self.add(lambda lib, x: lib.broadcast_to(x, shape), i)

    def slice(self):
        i = self.pick(lambda x: x.ndim)
        if i is not None:
            index = self.index(self.pool[i].shape)
            self.add(lambda lib, x: x[index], i)

    def index(self, shape, drop=True):
        """A basic index, with steps of either sign."""
        index = []
        for n in shape:
            way = self.random.random()
            if way < 0.4:
                index.append(slice(None))
            elif way < 0.6 and n and drop:
                index.append(self.random.randrange(-n, n))
            else:
                step = self.random.choice((1, 1, 2, 3, -1, -2))
                ends = sorted([self.random.randint(0, n), self.random.randint(0, n)])
                a, b = ends if step > 0 else (ends[1], ends[0])
                index.append(slice(a, b, step) if self.random.random() < 0.7 else slice(None, None, step))
        if drop and self.random.random() < 0.2:
            index.insert(self.random.randint(0, len(index)), None)
        return tuple(index)

    # --- reductions ---
    def reduce(self):
        i = self.pick(lambda x: x.ndim and x.size)
        if i is None:
            return
        x = self.pool[i]
        axes = tuple(self.random.sample(range(x.ndim), self.random.randint(1, x.ndim)))
        keep, dtype = self.random.random() < 0.5, x.dtype
        names = ['any', 'all'] if dtype == BOOL else ['sum', 'any'] if dtype.kind == 'c' else ['sum', 'sum', 'max', 'min']
        name = self.random.choice(names)
        count = np.prod([x.shape[a] for a in axes], dtype=int)
        largest = {'f': {2: 255 if dtype == BFLOAT16 else 2047, 4: 1 << 24}.get(dtype.itemsize, 1 << 50),
                   'V': 255}.get(dtype.kind)
        if name == 'sum' and largest and count * magnitude(x) > largest:
            name = 'max'
        more = {'dtype': dtype} if name == 'sum' else {}
        self.add(lambda lib, x: lib.asarray(getattr(lib, name)(x, axis=axes, keepdims=keep, **more)), i)

    def where_is(self):
        i = self.pick(lambda x: x.ndim and x.size and x.dtype.kind != 'c')
        if i is not None:
            axis, name = self.random.randrange(self.pool[i].ndim), self.random.choice(['argmax', 'argmin'])
            self.add(lambda lib, x: lib.asarray(getattr(lib, name)(x, axis=axis)).astype(np.int32), i)

    def scan(self):
        i = self.pick(lambda x: x.ndim and x.dtype in (INT32, np.dtype(np.int64), COMPLEX64) and x.size)
        if i is not None:
            axis, dtype = self.random.randrange(self.pool[i].ndim), self.pool[i].dtype
            self.add(lambda lib, x: lib.cumsum(x, axis=axis, dtype=dtype), i)

    def sort(self):
        i = self.pick(lambda x: x.ndim and x.dtype not in (BFLOAT16, COMPLEX64))
        if i is not None:
            axis = self.random.randrange(self.pool[i].ndim)
            self.add(lambda lib, x: lib.sort(x, axis=axis), i)

    def product(self):
        i = self.pick(lambda x: x.ndim == 2 and x.dtype in (FLOAT32, np.dtype(np.float64), INT32))
        if i is None:
            return
        x = self.pool[i]
        if x.size and np.abs(x.astype(np.float64)).max() ** 2 * x.shape[1] > 1 << 24:
            return
        j = self.pick(lambda y: y.ndim == 2 and y.dtype == x.dtype and y.shape[0] == x.shape[1] and
                      (not y.size or np.abs(y.astype(np.float64)).max() ** 2 * x.shape[1] < 1 << 24))
        self.add(lambda lib, x, y: lib.matmul(x, y), i, j)

    # --- indexing and updates ---
    def gather(self):
        i = self.pick(lambda x: x.ndim and x.size)
        if i is None:
            return
        axis = self.random.randrange(self.pool[i].ndim)
        n = self.pool[i].shape[axis]
        rng = np.random.default_rng(self.random.randrange(1 << 30))
        indices = rng.integers(-n, n, self.random.choice([(), (3,), (2, 5), (17,)])).astype(np.int32)
        index = (slice(None),) * axis + (indices,)
        self.add(lambda lib, x: x[index] if lib is np else x[(*index[:-1], lib.asarray(indices))], i)

    def gather_computed(self):
        """Indices that are results themselves."""
        i = self.pick(lambda x: x.ndim and x.size)
        j = self.pick(lambda x: x.dtype == INT32 and x.ndim < 3)
        if i is not None:
            axis = self.random.randrange(self.pool[i].ndim)
            mode = self.random.choice(['clip', 'wrap'])
            self.add(lambda lib, x, y: lib.take(x, y, axis=axis, mode=mode), i, j)

    def update(self):
        i = self.pick(lambda x: x.ndim)
        if i is None:
            return
        index = self.index(self.pool[i].shape)
        dtype = self.pool[i].dtype
        kind = 'set' if dtype == BOOL else self.random.choice(['set', 'set', 'add', 'max' if dtype.kind != 'c' else 'add'])
        target = self.pool[i][index].shape
        j = self.pick(lambda y: y.dtype == dtype and fits(y.shape, target)
                      and np.broadcast_shapes(y.shape, target) == target)
        self.add(lambda lib, x, y: updated(lib, x, index, y, kind), i, j)
        self.maybe_drop(i)

    def update_scalar(self):
        i = self.pick(lambda x: x.ndim)
        if i is not None:
            index, value = self.index(self.pool[i].shape), self.random.randint(0, 1)
            self.add(lambda lib, x: updated(lib, x, index, scalar(lib, value, x), 'set'), i)
            self.maybe_drop(i)

    def update_indexed(self):
        i = self.pick(lambda x: x.ndim and x.size and x.dtype != BOOL)
        if i is None:
            return
        axis, rng = self.random.randrange(self.pool[i].ndim), np.random.default_rng(self.random.randrange(1 << 30))
        n = self.pool[i].shape[axis]
        kind = self.random.choice(['set', 'add', 'max' if self.pool[i].dtype.kind != 'c' else 'add'])
        count = self.random.randint(0, n)
        indices = (rng.permutation(n)[:count] if kind == 'set' else rng.integers(-n, n, count)).astype(np.int32)
        index, value = (slice(None),) * axis + (indices,), self.random.randint(0, 2)
        self.add(lambda lib, x: updated(lib, x, index, scalar(lib, value, x), kind), i)
        self.maybe_drop(i)

    # --- putting together ---
    def concatenate(self):
        i = self.pick(lambda x: x.ndim)
        if i is None:
            return
        x, axis = self.pool[i], self.random.randrange(self.pool[i].ndim)
        rest = lambda s: s[:axis] + s[axis + 1:]
        others = [self.pick(lambda y: y.dtype == x.dtype and y.ndim == x.ndim and rest(y.shape) == rest(x.shape))
                  for _ in range(self.random.randint(1, 3))]
        self.add(lambda lib, *parts: lib.concatenate(parts, axis=axis), i, *others)

    def stack(self):
        i = self.pick(lambda x: x.ndim < 4)
        if i is not None:
            x, axis = self.pool[i], self.random.randint(0, self.pool[i].ndim)
            j = self.pick(lambda y: y.dtype == x.dtype and y.shape == x.shape)
            self.add(lambda lib, x, y: lib.stack([x, y, x], axis=axis), i, j)

    def roll(self):
        i = self.pick(lambda x: x.ndim)
        if i is not None:
            axis, by = self.random.randrange(self.pool[i].ndim), self.random.randint(-3, 3)
            self.add(lambda lib, x: lib.roll(x, by, axis=axis), i)

    def pad(self):
        i = self.pick(lambda x: x.ndim)
        if i is not None:
            widths = [(self.random.randint(0, 2), self.random.randint(0, 2)) for _ in self.pool[i].shape]
            self.add(lambda lib, x: lib.pad(x, widths), i)

    def count(self):
        i = self.pick(lambda x: x.ndim and x.dtype == INT32)
        if i is not None:
            n = self.pool[i].shape[-1]
            self.add(lambda lib, x: x + lib.arange(n, dtype=np.int32), i)

    # --- not operations: who holds what, and when it is computed ---
    def drop(self):
        i = self.pick()
        if i is not None and len(self.pool) - len(self.dropped) > 1:
            self.dropped.add(i)
            self.steps.append(('drop', (i,)))

    def force(self):
        i = self.pick()
        if i is not None:
            self.steps.append(('force', (i,)))


OPERATIONS = [name for name, count in dict(
    unary=2, logical=1, convert=2, binary=8, with_scalar=2, select=2, transpose=3, reshape=4, expand=1, broadcast=2,
    slice=4, reduce=6, where_is=1, scan=1, sort=1, product=1, gather=2, gather_computed=2, update=6, update_scalar=4,
    update_indexed=2, concatenate=3, stack=1, roll=1, pad=1, count=1, drop=5, force=3).items() for _ in range(count)]


def magnitude(x):
    """The largest magnitude of an element, or of a part of one."""
    parts = (x.real, x.imag) if x.dtype.kind == 'c' else (x,)
    return max([np.abs(part.astype(np.float64)).max() for part in parts])


def fits(a, b):
    try:
        np.broadcast_shapes(a, b)
    except ValueError:
        return False
    return True


def scalar(lib, value, x):
    return np.asarray(value, x.dtype) if lib is np else lib.asarray(value, dtype=x.dtype)


def updated(lib, x, index, y, kind):
    if lib is not np:
        index = tuple([lib.asarray(i) if isinstance(i, np.ndarray) else i for i in index])
        return getattr(x.at[index], kind)(y)
    x = x.copy()
    if kind == 'set':
        x[index] = y
    else:
        {'add': np.add, 'max': np.maximum}[kind].at(x, index, y)
    return x


def run(steps, target):
    """Values of the pool at the end as NumPy arrays; None for what was dropped."""
    lazy.config.update('target', target)
    evaluate.programs.clear()
    pool = [lnp.asarray(x) for x in steps.inputs]
    for function, indices in steps.steps:
        if function == 'drop':
            pool[indices[0]] = None
        elif function == 'force':
            pool[indices[0]].block_until_ready()
        else:
            pool.append(function(lnp, *[pool[i] for i in indices]))
    return lazy.block_until_ready(pool)


@pytest.fixture(autouse=True)
def target():
    before = lazy.config.target
    yield
    lazy.config.update('target', before)
    evaluate.programs.clear()


def run_wrapped(steps, wrap):
    """The same as one function of the inputs, jitted or fused as far as that goes."""
    lazy.config.update('target', 'native')
    evaluate.programs.clear()

    def whole(*inputs):
        pool = list(inputs)
        for function, indices in steps.steps:
            if function == 'drop':
                pool[indices[0]] = None
            elif function != 'force':
                pool.append(function(lnp, *[pool[i] for i in indices]))
        return pool
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', lazy.errors.FusionWarning)
        return lazy.block_until_ready(wrap(whole)(*[lnp.asarray(x) for x in steps.inputs]))


def compare(steps, pool, target):
    for number, (got, want) in enumerate(zip(pool, steps.pool)):
        if got is None:
            continue
        got = np.asarray(got)
        assert got.shape == want.shape, (target, number)
        assert got.dtype == want.dtype, (target, number)
        if not np.array_equal(got, want):
            raise AssertionError(f'{target} differs in value {number}: {got} is not {want}')


def check(seed, count, main=FLOAT32):
    steps = Steps(seed, main)
    steps.start()
    for _ in range(count):
        steps.step()
    for target in ('native', 'numpy'):
        compare(steps, run(steps, target), target)
    name, wrap = [('jit', lazy.jit), ('fuse', functools.partial(lazy.fuse, strict=False))][seed % 2]
    compare(steps, run_wrapped(steps, wrap), name)


@settings(max_examples=200, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck),
          phases=[Phase.generate])
@given(st.integers(0, 1 << 40), st.integers(1, 25))
def test_random_programs(seed, count):
    check(seed, count)


@settings(max_examples=50, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck),
          phases=[Phase.generate])
@given(st.integers(0, 1 << 40), st.integers(1, 25))
def test_random_programs_of_complex_numbers(seed, count):
    check(seed, count, COMPLEX64)
