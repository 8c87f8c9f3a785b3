"""Kernel texts that several tests use."""

HEADER = '''\
import triton
import triton.language as tl
from triton.language.extra import libdevice

'''

LINES = '''\
@triton.jit
def kernel({parameters}, n, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    m = i < n
{loads}    tl.store(out + i, {value}, mask=m)
'''


def elementwise(value, operands=('x',), other=None, helpers=''):
    """Text of a kernel `kernel(*operands, out, n, BLOCK)` that stores the expression `value`."""
    fill = '' if other is None else f', other={other}'
    loads = ''.join(f'    {name}_ = tl.load({name} + i, mask=m{fill})\n' for name in operands)
    parameters = ', '.join((*operands, 'out'))
    return HEADER + helpers + LINES.format(parameters=parameters, loads=loads, value=value)


SOFTMAX = HEADER + '''\
@triton.jit
def softmax(x, out, C, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    i = tl.arange(0, BLOCK)
    m = i < C
    v = tl.load(x + row * C + i, mask=m, other=-float('inf')).to(tl.float32)
    e = tl.exp(v - tl.max(v, 0))
    tl.store(out + row * C + i, (e / tl.sum(e, 0)).to(out.dtype.element_ty), mask=m)
'''

WELFORD = HEADER + '''\
@triton.jit
def combine(mean1, square1, weight1, mean2, square2, weight2):
    delta = mean2 - mean1
    weight = weight1 + weight2
    ratio = tl.where(weight == 0.0, 0.0, weight2 / weight)
    return (mean1 + delta * ratio, square1 + square2 + delta * delta * weight1 * ratio, weight)


@triton.jit
def moments(x, mean, variance, C, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    i = tl.arange(0, BLOCK)
    v = tl.load(x + row * C + i, mask=i < C, other=0.0)
    w = tl.where(i < C, 1.0, 0.0)
    m, s, w = tl.reduce((v, tl.zeros_like(v), w), 0, combine)
    tl.store(mean + row, m)
    tl.store(variance + row, s / w)
'''

LOOPED_SUM = HEADER + '''\
@triton.jit
def row_sum(x, out, C, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    total = tl.zeros((BLOCK,), tl.float32)
    for start in range(0, C, BLOCK):
        i = start + tl.arange(0, BLOCK)
        total += tl.load(x + row * C + i, mask=i < C, other=0.0)
    tl.store(out + row, tl.sum(total, 0))
'''

RECURRENCE = HEADER + '''\
@triton.jit
def combine(a1, b1, a2, b2):
    return a1 * a2, b1 * a2 + b2


@triton.jit
def recurrence(a, b, out, C: tl.constexpr, REVERSE: tl.constexpr):
    i = tl.program_id(0) * C + tl.arange(0, C)
    p, h = tl.associative_scan((tl.load(a + i), tl.load(b + i)), 0, combine, reverse=REVERSE)
    tl.store(out + i, h)
'''
