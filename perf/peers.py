"""What numba and numexpr need: the programs of `cases` as explicit parallel loops and as expressions.

Both dicts map a program's name to a function of the element type (a NumPy scalar type) that gives the function to
time. Elementwise loops are made from the text of one element.
"""
from . import cases

NUMBA, NUMEXPR = {}, {}


def numba(make):
    NUMBA[make.__name__] = make
    return make


def loop(arguments, lines, results, of=None):
    """A numba function that computes `lines` for each element in parallel; `results` are its outputs.

    Arguments are 1-D; numbers in the text are written c(1.5) and become the element type.
    """
    names = arguments.split()
    outs = [f'out{i}' for i in range(len(results))]
    text = [f'def kernel({", ".join(f"_{name}" for name in names)}):',
            *[f'    {out} = np.empty_like(_{names[0]})' for out in outs],
            f'    for i in prange(_{names[0]}.size):',
            *[f'        {name} = _{name}[i]' for name in names],
            *[f'        {line}' for line in lines],
            *[f'        {out}[i] = {result}' for out, result in zip(outs, results)],
            f'    return {", ".join(outs)}']
    return compiled('\n'.join(text), of)


def compiled(text, of):
    """The function `kernel` of a source text, compiled for parallel loops; c is the element type."""
    import math

    import numba
    import numpy as np
    names = {'np': np, 'prange': numba.prange, 'math': math, 'c': of}
    exec(text, names)
    return numba.njit(parallel=True, fastmath=True, error_model='numpy')(names['kernel'])


@numba
def arith(of):
    lines = [f'a = x * c({cases.COEFFICIENTS[0]})']
    lines += [f'a = (a + c({c})) * {"y" if i % 2 else "x"}' for i, c in enumerate(cases.COEFFICIENTS[1:], 1)]
    return loop('x y', lines, ['a * a - y / (a * a + c(1))'], of)


@numba
def integer_chain(of):
    lines = ['a = c((x * c(3) + y) ^ (x >> c(2)))', 'b = c((a & c(255)) * y - (x | c(7)))']
    return loop('x y', lines, ['c((a - b) * (b >> c(3)) + x)'], of)


@numba
def trig(of):
    lines = ['s, t = math.sin(x), math.cos(x)']
    return loop('x', lines, ['s * s + t * t + math.exp(-x * x) * math.tanh(x)'], of)


@numba
def log_exp(of):
    return loop('x y', [], ['math.log(x) * math.sqrt(y) / (c(1) + math.exp(-x * y)) + math.log(x + y)'], of)


@numba
def black_scholes(of):
    lines = ['root = math.sqrt(t)', 'd1 = (math.log(s / k) + c(0.05) * t) / (c(0.2) * root)', 'd2 = d1 - c(0.2) * root',
             'n1 = c(0.5) + c(0.5) * c(math.erf(d1 * c(0.7071067811865476)))',
             'n2 = c(0.5) + c(0.5) * c(math.erf(d2 * c(0.7071067811865476)))',
             'discounted = k * math.exp(c(-0.03) * t)', 'call = s * n1 - discounted * n2']
    return loop('s k t', lines, ['call', 'call - s + discounted'], of)


@numba
def where_clip(of):
    lines = ['a = x * c(2) if x > y else y - c(1)', 'b = min(max(a, c(-1)), c(1.5))']
    return loop('x y', lines, ['b * y if b > c(0) and x < c(1) else max(b, c(0.25))'], of)


ROWS = '''def kernel(x):
    n, m = x.shape
    out = np.empty({out})
    for i in prange(n):
        {body}
    return out'''


def rows(body, of, out='n, x.dtype'):
    """A loop over the rows of x; `body` is text that fills out[i]."""
    return compiled(ROWS.format(out=out, body=body.strip().replace('\n', '\n        ')), of)


@numba
def broadcast(of):
    return compiled('''def kernel(x, y, z):
    out = np.empty_like(z)
    for i in prange(len(x)):
        for j in range(len(y)):
            out[i, j] = x[i] * y[j] + z[i, j]
    return out''', of)


@numba
def transpose_add(of):
    return compiled('''def kernel(a, b):
    n, m = a.shape
    out = np.empty_like(a)
    for block in prange((n + 31) // 32):
        for start in range(0, m, 32):
            for i in range(block * 32, min(block * 32 + 32, n)):
                for j in range(start, min(start + 32, m)):
                    out[i, j] = a[i, j] + b[j, i]
    return out''', of)


@numba
def stencil(of):
    return compiled('''def kernel(u):
    n, m = u.shape
    out = np.empty_like(u)
    out[0], out[n - 1] = u[0], u[n - 1]
    for i in prange(1, n - 1):
        out[i, 0], out[i, m - 1] = u[i, 0], u[i, m - 1]
        for j in range(1, m - 1):
            out[i, j] = (u[i, j - 1] + u[i, j + 1] + u[i - 1, j] + u[i + 1, j]) * c(0.25)
    return out''', of)


@numba
def reduce_all(of):
    return compiled('''def kernel(x):
    total = 0.0
    for i in prange(x.shape[0]):
        part = c(0)
        for j in range(x.shape[1]):
            part += x[i, j] * x[i, j]
        total += part
    return c(total)''', of)


@numba
def reduce_rows(of):
    return rows('''total = c(0)
for j in range(m):
    total += x[i, j] * x[i, j]
out[i] = total''', of)


@numba
def reduce_columns(of):
    return compiled('''def kernel(x):
    n, m = x.shape
    out = np.zeros(m, x.dtype)
    for block in prange((m + 511) // 512):
        last = min(block * 512 + 512, m)
        for i in range(n):
            for j in range(block * 512, last):
                out[j] += x[i, j] * x[i, j]
    return out''', of)


@numba
def mean_variance(of):
    return compiled('''def kernel(x):
    n, m = x.shape
    means, variances = np.empty(n, x.dtype), np.empty(n, x.dtype)
    for i in prange(n):
        total = c(0)
        for j in range(m):
            total += x[i, j]
        mean = total / c(m)
        total = c(0)
        for j in range(m):
            total += (x[i, j] - mean) * (x[i, j] - mean)
        means[i], variances[i] = mean, total / c(m)
    return means, variances''', of)


@numba
def argmax_rows(of):
    return rows('''best = 0
for j in range(1, m):
    if x[i, j] > x[i, best]:
        best = j
out[i] = best''', of, 'n, np.int64')


@numba
def softmax(of):
    return rows('''top = x[i, 0]
for j in range(m):
    top = max(top, x[i, j])
total = c(0)
for j in range(m):
    e = math.exp(x[i, j] - top)
    out[i, j] = e
    total += e
for j in range(m):
    out[i, j] /= total''', of, '(n, m), x.dtype')


@numba
def matmul_bias_relu(of):
    return compiled('''def kernel(a, b, t):
    out = np.dot(a, b)
    for i in prange(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = max(out[i, j] + t[j], c(0))
    return out''', of)


# --- numexpr -----------------------------------------------------------------------------------------------------

def expression(name, names, *texts):
    """Enter a program of one expression for each output; {0}, {1}, ... stand for constants of the element type."""
    def make(of):
        import numexpr

        def call(*arrays):
            values = dict(zip(names.split(), arrays))
            results = tuple([numexpr.evaluate(text, {**values, **constants(of)}) for text in texts])
            return results[0] if len(results) == 1 else results
        return call
    NUMEXPR[name] = make


def constants(of):
    """Names of the numbers that expressions use: literals in float32 text would be float64."""
    values = {'one': 1, 'two': 2, 'half': 0.5, 'quarter': 0.25, 'top': 1.5, 'zero': 0, 'rate': 0.03, 'drift': 0.05,
              'vol': 0.2, 'root_half': 0.7071067811865476}
    return {**{name: of(value) for name, value in values.items()},
            **{f'c{i}': of(value) for i, value in enumerate(cases.COEFFICIENTS)}}


def _arith_text():
    text = 'x * c0'
    for i in range(1, len(cases.COEFFICIENTS)):
        text = f'({text} + c{i}) * {"y" if i % 2 else "x"}'
    return text


def _numexpr_arith(of):
    import numexpr

    def call(x, y):
        a = numexpr.evaluate(_arith_text(), {'x': x, 'y': y, **constants(of)})
        return numexpr.evaluate('a * a - y / (a * a + one)', {'a': a, 'y': y, **constants(of)})
    return call


def _numexpr_softmax(of):
    import numexpr

    def call(x):
        top = x.max(-1, keepdims=True)
        e = numexpr.evaluate('exp(x - top)', {'x': x, 'top': top})
        total = numexpr.evaluate('sum(e, 1)', {'e': e})[:, None].astype(of)
        return numexpr.evaluate('e / total', {'e': e, 'total': total})
    return call


NUMEXPR['arith'], NUMEXPR['softmax'] = _numexpr_arith, _numexpr_softmax
expression('integer_chain', 'x y', '(((x * 3 + y) ^ (x >> 2)) - ((((x * 3 + y) ^ (x >> 2)) & 255) * y - (x | 7)))'
           ' * (((((x * 3 + y) ^ (x >> 2)) & 255) * y - (x | 7)) >> 3) + x')
expression('trig', 'x', 'sin(x)**2 + cos(x)**2 + exp(-x * x) * tanh(x)')
expression('log_exp', 'x y', 'log(x) * sqrt(y) / (one + exp(-x * y)) + log(x + y)')
expression('where_clip', 'x y', 'where((where(where(x > y, x * two, y - one) > top, top, where(where(x > y, x * two, y - one)'
           ' < -one, -one, where(x > y, x * two, y - one))) > zero) & (x < one), where(where(x > y, x * two, y - one) > top,'
           ' top, where(where(x > y, x * two, y - one) < -one, -one, where(x > y, x * two, y - one))) * y, where(where(where('
           'x > y, x * two, y - one) > top, top, where(x > y, x * two, y - one)) > quarter, where(where(x > y, x * two,'
           ' y - one) > top, top, where(x > y, x * two, y - one)), quarter))')
expression('broadcast', 'x y z', 'x * y + z')
expression('transpose_add', 'a b', 'a + b')
expression('reduce_all', 'x', 'sum(x * x)')
expression('reduce_rows', 'x', 'sum(x * x, 1)')
expression('reduce_columns', 'x', 'sum(x * x, 0)')
expression('stencil', 'left right up down', '(left + right + up + down) * quarter')
