"""Programs of updates, drawn at random: where an array is updated in place, nothing may read it too late."""
import random

import numpy as np
import pytest

import lazy
import lazy.numpy as lnp
from lazy import evaluate
from lazy.codegen import llvm

N = 12


def some_index(source):
    kind = source.randrange(5)
    i, j = sorted([source.randrange(N), source.randrange(N)])
    return [i, slice(i, j), slice(i, j, 2), slice(None),
            np.array([source.randrange(N) for _ in range(source.randrange(1, 4))])][kind]


def reads(source, names):
    """name -> (NumPy's or lazy's function of the arrays) for one value that is read from one of them."""
    a, b, i, j = source.choice(names), source.choice(names), source.randrange(N), source.randrange(N)
    return source.choice([
        lambda np, v: v[a][i] * 0.5 + 1, lambda np, v: v[a][i] - v[b][j], lambda np, v: v[a].sum() * 0.25,
        lambda np, v: v[a].real.max(), lambda np, v: v[a][np.asarray([j])][0], lambda np, v: np.dot(v[a], v[b]) * 0.01,
        lambda np, v: np.cumsum(v[a])[j] * 0.1, lambda np, v: np.where(v[a][i].real > v[b][j].real, v[a][i], 1.0),
        lambda np, v: float(i), lambda np, v: v['s'][0] + v[a][i], lambda np, v: v[a][j]])


def parts(source, names):
    """The new part of an array, computed from the same and other places of arrays."""
    a, i = source.choice(names), some_index(source)
    shift = source.randrange(3)
    return i, source.choice([
        lambda np, v: v[a][i] * 0.5 + 1, lambda np, v: np.roll(v[a], shift)[i] * 0.5, lambda np, v: v[a][::-1][i] + 1,
        lambda np, v: v['s'][0] * 0.5, lambda np, v: v[a][i] - v['x'][i], lambda np, v: v[a].mean() + v['y'][i] * 0.5,
        lambda np, v: np.roll(v[a], shift)[i], lambda np, v: v[a][i], lambda np, v: v[a][::-1][i],
        lambda np, v: v[a][i] * v['unit'] + v['y'][i].conj()])


def draw(source, hows):
    """[(function of (module, arrays, update) that changes the arrays)] of one program."""
    names, steps = ['x', 'y'], []
    for _ in range(source.randrange(3, 14)):
        target, kind = source.choice(names), source.randrange(8)
        if kind < 3:
            read, i, how = reads(source, names), source.randrange(N), source.choice(hows)
            steps.append(lambda np, v, update, t=target, f=read, i=i, how=how:
                         v.__setitem__(t, update(v[t], i, f(np, v), how)))
        elif kind < 6:
            (i, part), how = parts(source, names), source.choice(['set', 'set', 'add'])
            if isinstance(i, np.ndarray):                             # which of several is set last isn't defined
                how = 'add'
            steps.append(lambda np, v, update, t=target, f=part, i=i, how=how:
                         v.__setitem__(t, update(v[t], i, f(np, v), how)))
        elif kind == 6:
            read = reads(source, names)
            steps.append(lambda np, v, update, f=read:
                         v.__setitem__('s', np.concatenate([v['s'][1:], np.reshape(f(np, v), 1)])))
        else:
            steps.append(lambda np, v, update, t=target: v.__setitem__('old', v[t]))    # this value must stay as it is
    return steps


def numpy_update(x, i, value, how):
    x, value = x.copy(), np.asarray(value).astype(x.dtype)
    {'set': lambda: x.__setitem__(i, value), 'add': lambda: np.add.at(x, i, value),
     'max': lambda: np.maximum.at(x, i, value), 'multiply': lambda: np.multiply.at(x, i, value)}[how]()
    return x


def lazy_update(x, i, value, how):
    return getattr(x.at[i], how)(value)


def start(module, dtype):
    unit = np.asarray(1j if dtype.startswith('c') else -1, dtype)
    return {'x': module.asarray((np.linspace(-1, 1, N) * (1 + unit / 2)).astype(dtype)) + 0,
            'y': module.asarray((np.arange(N) - unit).astype(dtype)) + 0, 'unit': unit,
            's': module.asarray(np.ones(3, dtype)) + 0, 'old': module.asarray(np.zeros(N, dtype)) + 0}


def run_numpy(steps, dtype):
    values = start(np, dtype)
    for step in steps:
        step(np, values, numpy_update)
    return values


def run_lazy(steps, values, forced=()):
    for number, step in enumerate(steps):
        step(lnp, values, lazy_update)
        if number in forced:
            evaluate.flush()
    return values


@pytest.mark.parametrize('block', range(6))
@pytest.mark.parametrize('dtype, hows', [('float32', ['set', 'add', 'max', 'multiply']), ('complex64', ['set', 'add', 'multiply'])])
def test_programs_of_updates(dtype, hows, block):
    for seed in range(25 * block, 25 * block + 25):
        source = random.Random(seed)
        steps = draw(source, hows)
        want = run_numpy(steps, dtype)
        forced = {source.randrange(len(steps)) for _ in range(2)}
        inputs = start(lnp, dtype)
        jitted = lazy.jit(lambda values: run_lazy(steps, dict(values)))
        for name, got in (('pending', run_lazy(steps, start(lnp, dtype))), ('flushed', run_lazy(steps, start(lnp, dtype), forced)),
                          ('jit', jitted(inputs)), ('jit again', jitted(inputs))):
            for key in want:
                np.testing.assert_allclose(np.asarray(got[key]), want[key], rtol=2e-4, atol=1e-4,
                                           err_msg=f'{seed} {name} {key}')


MOVES = ['x.at[0].set(x[1])', 'x.at[0:2].set(x[1:3])', 'x.at[1:].set(x[:-1])', 'x.at[:, 1:].set(x[:, :-1])', 'x.at[::-1].set(x)',
         'x.at[0].set(x[0][::-1])', 'x.at[:, 0].set(x[:, 1])', 'x.at[0:3].add(x[1:4])', 'x.at[0].multiply(x[1])',
         'x.at[0].set(x[1]).at[1].set(x[0])', 'x.at[:2].set(x[2:]).at[2:].set(x[:2])', 'x.at[np.asarray([0, 1])].set(x[1:3])',
         'x.at[0, 0].set(x[1, 1])', 'x.at[0].set(x.max(0))', 'x.at[0].set(np.sort(x[1])[::-1])']


@pytest.mark.parametrize('move', MOVES)
@pytest.mark.parametrize('wrap', [lambda f: f, lazy.jit])
def test_parts_of_an_array_moved_within_it(move, wrap):
    step = wrap(eval(f'lambda x: {move}', {'np': lnp}))
    x = lnp.asarray(np.arange(12.0).reshape(4, 3)) + 0
    y = x + 0
    np.asarray(x), np.asarray(y)
    want = np.asarray(eval(move, {'np': lnp, 'x': y}))                   # y lives on: nothing is done in its memory
    assert np.asarray(y).tolist() == np.arange(12.0).reshape(4, 3).tolist()
    x = step(x)
    assert np.asarray(x).tolist() == want.tolist()


def test_a_new_part_is_not_written_where_something_is_still_to_be_read():
    @lazy.jit
    def f(x, c, d):
        x = lazy.lax.sort(x)
        return x[2:5] * c + d, x.at[3:6].set(c * 2 - d)              # both read c and d: one kernel, but for x
    x, c, d = np.arange(12, dtype=np.float32)[::-1].copy(), np.array([1, 2, 3], np.float32), np.ones(3, np.float32)
    read, updated = f(x, c, d)
    assert read.tolist() == [3, 7, 13] and updated.tolist() == [0, 1, 2, 1, 3, 5, 6, 7, 8, 9, 10, 11]


@pytest.mark.parametrize('step', [
    lambda x, i: x.at[i].set(x[i - 1] * 0.5 + 1), lambda x, i: x.at[i].add(x[i - 1] + x[0]),
    lambda x, i: x.at[lnp.asarray([i, 3])].add(x[:2]), lambda x, i: x.at[i].set(x[:4].sum() + x[-1]),
    lambda x, i: x.at[i:].multiply(1 - i)])
@pytest.mark.parametrize('dtype', ['float32', 'complex64'])
def test_an_update_by_other_places_of_the_array_copies_nothing(step, dtype):
    """n updates take O(n), also where each reads what the one before wrote."""
    x = (lnp.zeros(1 << 16, dtype) + 0).block_until_ready()
    address = x._node.value.address
    for i in range(1, 9):
        x = step(x, i)
        if i == 4:
            x.block_until_ready()
            assert x._node.value.address == address
    x.block_until_ready()
    assert x._node.value.address == address
    assert all(program.arena < x.nbytes for program in list(evaluate.programs.values())[-2:])


def test_what_failed_half_way_is_not_computed_again_from_what_was_updated():
    """An array whose memory an update took before something else failed is not there any more."""
    table = lnp.arange(3.0) + 0
    x = (lnp.zeros(5) + 0).block_until_ready()
    x = x.at[1].add(1.0)
    y = x * 1 + table[lnp.asarray([7])]
    good = x + 1
    for _ in range(2):
        with pytest.raises(IndexError):
            y.block_until_ready()
    assert good.tolist() == [1, 2, 1, 1, 1] and x.tolist() == [0, 1, 0, 0, 0]
    x = x.at[1].add(1.0)
    del good, y
    x = x + table[lnp.asarray([9])]
    for _ in range(2):
        with pytest.raises(IndexError):
            x.block_until_ready()


LOOPS = {
    'set': lambda np, set_, x, s, i: (set_(x, i, i * 0.5), s),
    'from the one before': lambda np, set_, x, s, i: (set_(x, i, x[i - 1] * 0.5 + 1), s),
    'from the end': lambda np, set_, x, s, i: (set_(x, -i - 1, x[i] + x[-i] + 1), s),
    'read': lambda np, set_, x, s, i: (x, s + x[i] * x[i - 1]),
    'slice': lambda np, set_, x, s, i: (x, s + x[i:i + 4].sum() + x[i - 1:i + 3].max()),
    'steps': lambda np, set_, x, s, i: (set_(x, slice(i, i + 5, 2), x[i - 1:i + 5:2] * 0.5 + i), s),
    'back': lambda np, set_, x, s, i: (set_(x, slice(i, i + 5), x[i:i + 5][::-1] * 0.9), s),
    'two loops': lambda np, set_, x, s, i: (set_(x, i % 7, x[i // 2] + 1), s + x[i // 3]),
    'one place stays': lambda np, set_, x, s, i: (set_(x, 0, x[i] + x[3]), s + x[0]),
}


@pytest.mark.parametrize('shape, dtype', [((80,), 'float32'), ((80, 3), 'float32'), ((80, 3), 'complex64')])
@pytest.mark.parametrize('name', LOOPS)
def test_places_that_vary_are_arguments(name, shape, dtype):
    """A loop over i, flushed now and then, is right, and after some rounds makes no programs any more."""
    step, counts = LOOPS[name], []
    x = (np.random.default_rng(0).standard_normal((*shape, 2)) @ [1, 1j if dtype == 'complex64' else 0]).astype(dtype)
    s, got_x, got_s = np.zeros(shape[1:], dtype), lnp.asarray(x) + 0, lnp.zeros(shape[1:], dtype)
    for i in range(1, 61):
        x, s = step(np, lambda x, i, v: numpy_update(x, i, v, 'set'), x, s, i)
        got_x, got_s = step(lnp, lambda x, i, v: x.at[i].set(v), got_x, got_s, i)
        if i % 5 == 0:
            evaluate.flush()
            counts.append(len(evaluate.programs) + llvm.kernel_compilations())
            np.testing.assert_allclose(np.asarray(got_x + 0), x, rtol=1e-4, atol=1e-4)
            np.testing.assert_allclose(np.asarray(got_s + 0), s, rtol=1e-4, atol=1e-4)
    assert counts[-1] - counts[4] <= 1, counts


def test_errors_name_the_line_where_places_vary():
    table = lnp.arange(4.0) + 0
    for i in range(6):
        x = lnp.arange(50.0) + 0
        y = x.at[i].set(x[i + 3] + 1)
        bad = table[lnp.asarray([9])] + y[i + 1]
        with pytest.raises(IndexError, match=r'index 9 .*test_updates.py:\d+'):
            bad.block_until_ready()
        assert y.tolist()[i] == i + 4


def test_large_parts_have_programs_of_their_own():
    x = lnp.asarray(np.arange(1 << 20, dtype=np.float32))
    total = 0.0
    for i in range(5):
        total = total + (x[i:i + (1 << 19)] * 2).sum()
        evaluate.flush()
    want = sum(2.0 * np.arange(i, i + (1 << 19), dtype=np.float64).sum() for i in range(5))
    np.testing.assert_allclose(float(total), want, rtol=1e-5)


@pytest.mark.parametrize('shape, rank', [((6,), 1), ((4, 3), 1), ((4, 3), 2), ((0,), 1)])
@pytest.mark.parametrize('how', ['set', 'add', 'multiply', 'max'])
def test_masks_whose_values_are_not_known(shape, rank, how):
    """x.at[mask].set(values) where the mask is an argument of jit, vmap, grad in jit."""
    source = np.random.default_rng(1)
    x, mask = source.standard_normal(shape).astype(np.float32), source.random(shape[:rank]) < 0.5
    values = source.standard_normal((mask.sum(), *shape[rank:])).astype(np.float32)
    want, update = numpy_update(x, mask, values, how), lambda x, mask, values: getattr(x.at[mask], how)(values)
    args = lnp.asarray(x), lnp.asarray(mask), lnp.asarray(values)
    np.testing.assert_array_equal(np.asarray(lazy.jit(update)(*args)), want)
    batched = lazy.vmap(update, in_axes=(0, None, 0))(lnp.stack([args[0]] * 2), args[1],
                                                      lnp.stack([args[2], args[2] + 1]))
    np.testing.assert_array_equal(np.asarray(batched[0]), want)
    derivative = lazy.jit(lazy.grad(lambda v, x, mask: (update(x, mask, v) * 2).sum()))(args[2], args[0], args[1])
    plain = lazy.grad(lambda v, x, mask: (update(x, mask, v) * 2).sum())(args[2], args[0], args[1])
    np.testing.assert_array_equal(np.asarray(derivative), np.asarray(plain))


@pytest.mark.parametrize('rows', [0, 2, 4, 5])
def test_masks_that_pick_another_number_of_places(rows):
    x, mask = lnp.arange(5.0), lnp.asarray([True, False, True, True, False])
    with pytest.raises(IndexError, match='test_updates.py'):
        lazy.jit(lambda x, mask: x.at[mask].set(lnp.ones(rows)))(x, mask).block_until_ready()
    with pytest.raises(ValueError, match='broadcast'):
        lazy.jit(lambda x, mask: x.at[mask].set(lnp.ones(6)))(x, mask)
    assert lazy.jit(lambda x, mask: x.at[mask].set(lnp.full(1, 9.0)))(x, mask).tolist() == [9, 1, 9, 9, 4]
