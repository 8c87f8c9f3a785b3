"""The guard finds out-of-bounds accesses and races, and nothing else."""

import numpy as np
import pytest

from triton_texts import HEADER, elementwise
from lazy.codegen.triton_interpreter import OutOfBounds, RaceCondition, run

BODY = HEADER + '''\
@triton.jit
def kernel(x, out, n, BLOCK: tl.constexpr):
    p = tl.program_id(0)
    i = p * BLOCK + tl.arange(0, BLOCK)
    {body}
'''


def launch(body, programs=4, n=1000, guard=True, x=None, out=None, **options):
    x = np.arange(n, dtype=np.float32) if x is None else x
    out = np.zeros(n, np.float32) if out is None else out
    run(BODY.format(body=body), 'kernel', programs, (x, out, n), {'BLOCK': 256}, guard, **options)
    return out


@pytest.mark.parametrize('body, what', [
    ('tl.store(out + i, tl.load(x + i), mask=i < n)', 'load outside of `x`'),
    ('tl.store(out + i, tl.load(x + i, mask=i < n))', 'store outside of `out`'),
    ('tl.load(x + i - 1, mask=i < n)', 'element -1 of'),
    ('tl.load(x + n, mask=i[0] < 0) if False else tl.load(x + n)', 'element 1000 of'),
    ('tl.atomic_add(out + i, 1.0)', 'atomic operation outside of `out`'),
    ('tl.load((x + i).to(tl.int64, bitcast=True).to(tl.pointer_type(tl.float32)) + 10**6)',
     'none of the'),
])
def test_out_of_bounds(body, what):
    with pytest.raises(OutOfBounds, match=what):
        launch(body.replace('tl.load(x + n, mask=i[0] < 0) if False else ', ''))


def test_message_names_program_lanes_and_line():
    with pytest.raises(OutOfBounds) as error:
        launch('tl.store(out + i, tl.load(x + i), mask=i < n)')
    for part in ('program (3, 0, 0)', '24 of 256 active lanes', 'element 1000', 'shape (1000,)',
                 'tl.store(out + i, tl.load(x + i), mask=i < n)'):
        assert part in str(error.value)


def test_memory_of_a_neighbour_is_out_of_bounds_too():
    both = np.zeros(2000, np.float32)
    with pytest.raises(OutOfBounds):
        launch('tl.store(out + i, tl.load(x + i + 10), mask=i < n)', x=both[:1000], out=both[1000:])


def test_masked_lanes_may_point_anywhere():
    out = launch('tl.store(out + i, tl.load(x + i * 1000, mask=i == 0, other=7.0), mask=i < n)')
    assert out[0] == 0 and (out[1:] == 7).all()


def test_padding_is_accessible():
    body = ('m = i < (n + 15) // 16 * 16\n'
            '    tl.store(out + i, tl.load(x + i, mask=m), mask=m)')
    with pytest.raises(OutOfBounds):
        launch(body, n=1001)
    out = launch(body, n=1001, padding=64)
    np.testing.assert_array_equal(out, np.arange(1001))


@pytest.mark.parametrize('body, what', [
    ('tl.store(out + i // 2, tl.load(x + i, mask=i < n), mask=i < n)', 'two lanes'),
    ('tl.store(out, 1.0)', 'another program also stores'),
    ('tl.store(x + (n - 1 - i), tl.load(x + i, mask=i < n), mask=i < n)', 'another program'),
    ('tl.store(x + i, tl.load(x + i + 256, mask=i + 256 < n), mask=i < n)', 'another program'),
])
def test_races(body, what):
    with pytest.raises(RaceCondition, match=what):
        launch(body)
    launch(body, guard='bounds')


def test_no_race_within_a_program_in_place_or_through_atomics():
    launch('tl.store(x + i, tl.load(x + i, mask=i < n) * 2.0, mask=i < n)\n'
           '    tl.store(x + i, tl.load(x + i, mask=i < n) + 1.0, mask=i < n)')
    out = launch('tl.atomic_add(out + i % 10, 1.0, mask=i < n)')
    assert (out[:10] == 100).all()
    launch('tl.store(out + i, tl.load(x) + tl.load(x + i, mask=i < n), mask=i < n)')


def test_arguments_that_share_memory_race():
    x = np.arange(1000, dtype=np.float32)
    launch('tl.store(out + i, tl.load(x + i, mask=i < n), mask=i < n)', x=x, out=x)
    with pytest.raises(RaceCondition):
        launch('tl.store(out + i, tl.load(x + (n - 1 - i), mask=i < n), mask=i < n)', x=x, out=x)


def test_volatile_loads_may_see_other_programs():
    launch('tl.store(out + p, 1.0)\n    tl.load(out + (p + 3) % 4, volatile=True)')


def test_masked_lanes_without_other_hold_no_useful_value():
    x, out = np.ones(4, np.float32), np.zeros(1, np.float32)
    text = HEADER + '''\
@triton.jit
def kernel(x, out):
    tl.store(out, tl.sum(tl.load(x + tl.arange(0, 8), mask=tl.arange(0, 8) < 4{other}), 0))
'''
    run(text.format(other=''), 'kernel', 1, (x, out))
    assert np.isnan(out[0])
    run(text.format(other=', other=0.0'), 'kernel', 1, (x, out))
    assert out[0] == 4


def test_views_are_bounded_by_their_extent():
    x, out = np.arange(2000, dtype=np.float32)[::2], np.zeros(1000, np.float32)
    text = elementwise('x_').replace('x + i', 'x + 2 * i')
    run(text, 'kernel', 1, {'x': x, 'out': out, 'n': 1000}, {'BLOCK': 1024})
    np.testing.assert_array_equal(out, x)
    with pytest.raises(OutOfBounds):
        run(text.replace('2 * i', '2 * i + 1'), 'kernel', 1, {'x': x, 'out': out, 'n': 1000},
            {'BLOCK': 1024})
