"""Chains of views, drawn at random: index maps are composed, cut and merged, and a wrong one reads the wrong
elements."""
import random

import numpy as np
import pytest

import lazy.numpy as lnp


def some_shape(source, size):
    """A shape of so many elements."""
    shape = []
    while size > 1 and source.random() < 0.8 and len(shape) < 4:
        n = source.choice([d for d in range(1, size + 1) if size % d == 0])
        shape.append(n)
        size //= n
    shape.insert(source.randrange(len(shape) + 1), size)
    return tuple(shape)


def some_slices(source, shape):
    index = []
    for n in shape:
        kind = source.randrange(8)
        ends = [source.choice([None, source.randrange(-n - 1, n + 2)]) for _ in range(2)]
        index.append(slice(None) if kind < 2 else source.randrange(-n, n) if kind == 2 and n else
                     slice(*ends, source.choice([1, 1, 2, 3, -1, -2])))
    return tuple(index)


def axis_of(source, x):
    return source.randrange(x.ndim)


# name -> (whether it applies to x, what is drawn, the function of (module, array, what was drawn))
STEPS = {
    'reshape': (lambda x: x.size, lambda s, x: some_shape(s, x.size), lambda np, a, shape: a.reshape(shape)),
    'transpose': (lambda x: True, lambda s, x: tuple(s.sample(range(x.ndim), x.ndim)),
                  lambda np, a, order: a.transpose(order)),
    'slice': (lambda x: x.ndim, lambda s, x: some_slices(s, x.shape), lambda np, a, index: a[index]),
    'broadcast': (lambda x: x.size < 400,
                  lambda s, x: (s.randrange(1, 4), *[s.randrange(2, 5) if n == 1 else n for n in x.shape]),
                  lambda np, a, shape: np.broadcast_to(a, shape)),
    'flip': (lambda x: x.ndim, axis_of, lambda np, a, axis: np.flip(a, axis)),
    'expand': (lambda x: True, lambda s, x: s.randrange(x.ndim + 1), lambda np, a, axis: np.expand_dims(a, axis)),
    'concatenate': (lambda x: x.ndim and x.size < 400, axis_of, lambda np, a, axis: np.concatenate([a, a * 2], axis)),
    'roll': (lambda x: x.ndim, lambda s, x: (s.randrange(-5, 6), axis_of(s, x)), lambda np, a, by: np.roll(a, *by)),
    'tile': (lambda x: x.size < 300, lambda s, x: [s.randrange(1, 3) for _ in x.shape],
             lambda np, a, times: np.tile(a, times)),
    'repeat': (lambda x: x.ndim and x.size < 300, axis_of, lambda np, a, axis: np.repeat(a, 2, axis)),
    'pad': (lambda x: x.ndim and x.size < 300, lambda s, x: [(s.randrange(3), s.randrange(3)) for _ in x.shape],
            lambda np, a, widths: np.pad(a, widths)),
    'take': (lambda x: x.ndim and x.shape[0], lambda s, x: [s.randrange(-len(x), len(x)) for _ in range(3)],
             lambda np, a, rows: np.take(a, np.asarray(rows), 0)),
    'resize': (lambda x: x.size, lambda s, x: (s.randrange(1, 4), s.randrange(1, 9)),
               lambda np, a, shape: np.resize(a, shape)),
    'compute': (lambda x: True, lambda s, x: None, lambda np, a, _: a * 2 + 1),
}


@pytest.mark.parametrize('block', range(8))
def test_chains_of_views(block):
    for seed in range(50 * block, 50 * block + 50):
        source = random.Random(seed)
        shape = tuple([source.choice([1, 2, 3, 4, 5, 6, 8, 12, 17]) for _ in range(source.randrange(1, 4))])
        x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape) - 7
        a, done = lnp.asarray(x), [shape]
        for _ in range(source.randrange(2, 8)):
            name = source.choice([*STEPS, 'slice', 'slice', 'reshape'])
            applies, draw, step = STEPS[name]
            if applies(x):
                drawn = draw(source, x)
                a, x = step(lnp, a, drawn), step(np, x, drawn)
                done.append((name, drawn))
        if x.ndim and x.size and source.random() < 0.4:
            a, x = a.sum(-1), x.sum(-1)
        np.testing.assert_allclose(np.asarray(a), x, rtol=1e-5, atol=1e-3, err_msg=f'{seed}: {done}')
