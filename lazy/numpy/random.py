"""NumPy's random generators: the same numbers from the same seeds, as arrays of this library.

Functions and generators are NumPy's (`numpy.random`), with their state, drawn on the host when they are called, in the
dtypes that NumPy gives (float64). Under `jit` and `vmap`, where a function runs once and its program many times, they
raise RuntimeError.
`lazy.random` draws within compiled programs, from keys in the place of state, and faster.

    >>> import lazy.numpy as np
    >>> np.random.default_rng(0).integers(10, size=4).tolist()
    [8, 6, 5, 2]
    >>> np.random.seed(0)
    >>> float(np.random.rand())
    0.5488135039273248
"""
import functools

import numpy as onp

from .. import evaluate
from ..array import Array
from ._util import into
from .creation import asarray
from .host import from_host, to_host


def _drawn(name, draw):
    """A function or method of NumPy's that draws."""
    @functools.wraps(draw)
    def drawn(*args, **keywords):
        if evaluate.thread.tracing > evaluate.thread.keeping:            # differentiation alone has values
            raise RuntimeError(f'numpy.random.{name} would be called once, when the function is traced, and its numbers '
                               'be the same in each call of the compiled function: pass a key and use lazy.random')
        if name == 'shuffle' and args:
            return _shuffle(draw, *args, **keywords)
        return from_host(draw(*map(to_host, args), **to_host(keywords)))
    return drawn


def _shuffle(draw, x, *args, **keywords):
    values = onp.array(x) if isinstance(x, Array) else x
    draw(values, *args, **keywords)
    if values is not x:
        into(x, asarray(values))


class _Stateful:
    """A generator of NumPy's, whose methods draw arrays of this library."""

    def __init__(self, generator):
        self._generator = generator

    def __getattr__(self, name):
        value = getattr(self._generator, name)
        return _drawn(name, value) if callable(value) and not name.startswith('_') else value

    def __repr__(self):
        return repr(self._generator)

    def __reduce__(self):
        return type(self), (self._generator,)

    def spawn(self, n_children):
        """Independent generators, as numpy.random.Generator.spawn."""
        return [type(self)(g) for g in self._generator.spawn(n_children)]


class Generator(_Stateful):
    """numpy.random.Generator of a bit generator such as PCG64(seed)."""

    def __init__(self, bit_generator):
        is_one = isinstance(bit_generator, onp.random.Generator)
        super().__init__(bit_generator if is_one else onp.random.Generator(bit_generator))


class RandomState(_Stateful):
    """numpy.random.RandomState of a seed."""

    def __init__(self, seed=None):
        super().__init__(seed if isinstance(seed, onp.random.RandomState) else onp.random.RandomState(to_host(seed)))


def default_rng(seed=None):
    """A Generator as numpy.random.default_rng makes it; generators are returned as they are.

    >>> import lazy.numpy as np
    >>> rng = np.random.default_rng(0)
    >>> rng.permutation(np.arange(4)).tolist()
    [2, 0, 1, 3]
    """
    return seed if isinstance(seed, Generator) else Generator(onp.random.default_rng(to_host(seed)))


def __getattr__(name):
    value = getattr(onp.random, name)
    return value if isinstance(value, type) or not callable(value) else _drawn(name, value)


def __dir__():
    return sorted({*globals(), *dir(onp.random)})
