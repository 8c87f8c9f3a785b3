"""The programs of the throughput table. Adding a case is one entry: `@case(what, inputs)` over a program.

A program is `f(np, L, *arrays)`: `np` has NumPy's names, `L` is the library (see `libraries`). The same text runs on
every library; `numpy=` names a version for NumPy where the text needs what it has not (derivatives), and the module
`peers` holds what numba and numexpr need. Inputs are drawn evenly; `n` makes sizes smaller for quick runs.
"""
import dataclasses

import numpy as onp

from . import libraries

CASES = {}
TOLERANCE = {'float32': 2e-4, 'float64': 1e-10, 'bfloat16': 0.06, 'int32': 0}


@dataclasses.dataclass
class Case:
    """inputs: a function of the sizes' function n -> [Uniform]; dtype: of all of them; gpu: part of that table."""
    name: str
    what: str
    program: object
    inputs: object
    dtype: str = 'float32'
    numpy: object = None
    gpu: bool = True


@dataclasses.dataclass
class Uniform:
    """An input drawn evenly from [low, high)."""
    shape: tuple
    low: float = -2.0
    high: float = 2.0

    def draw(self, dtype, seed):
        """The array, the same one in every process."""
        random = onp.random.default_rng(seed)
        dtype = libraries.bfloat16() if dtype == 'bfloat16' else onp.dtype(dtype)
        if dtype.kind == 'i':
            return random.integers(int(self.low), int(self.high), self.shape, dtype)
        return random.uniform(self.low, self.high, self.shape).astype(dtype)


def case(what, inputs, dtypes=('float32',), numpy=None, gpu=True):
    """Enter a program into the table, once for each dtype; other dtypes than float32 are part of the name."""
    def add(program):
        for dtype in dtypes:
            name = program.__name__ + ('' if dtype in ('float32', 'int32') else f'_{dtype}')
            text = what + ('' if dtype == 'float32' else f', {dtype}')
            CASES[name] = Case(name, text, program, inputs, dtype, numpy, gpu)
        return program
    return add


def full_size(size):
    """Sizes as they are."""
    return size


def quick_size(size):
    """Sizes for a run that shows that everything works."""
    return max(size // 100, 1000) if size >= 100_000 else size // 8 if size >= 128 else size


def draw(case, n=full_size):
    """The inputs of a case as NumPy arrays."""
    return [each.draw(case.dtype, seed) for seed, each in enumerate(case.inputs(n))]


def vectors(count, size=10_000_000, low=-2.0, high=2.0):
    return lambda n: [Uniform((n(size),), low, high)] * count


def square(count, size=4096):
    return lambda n: [Uniform((n(size), n(size)))] * count


# --- elementwise chains ------------------------------------------------------------------------------------------

COEFFICIENTS = [round(0.1 + 0.045 * i, 3) for i in range(20)]


@case('44 multiply-adds over 10 M', vectors(2, low=0.2, high=1.1), ('float32', 'float64', 'bfloat16'))
def arith(np, L, x, y):
    a = x * COEFFICIENTS[0]
    for i, c in enumerate(COEFFICIENTS[1:], 1):
        a = (a + c) * (y if i % 2 else x)
    return a * a - y / (a * a + 1.0)


@case('shifts, products, exclusive or over 10 M', vectors(2, low=-1000, high=1000), ('int32',))
def integer_chain(np, L, x, y):
    a = (x * 3 + y) ^ (x >> 2)
    b = (a & 255) * y - (x | 7)
    return (a - b) * (b >> 3) + x


@case('sin² + cos² + exp tanh over 10 M', vectors(1), ('float32', 'float64'))
def trig(np, L, x):
    return np.sin(x)**2 + np.cos(x)**2 + np.exp(-x * x) * np.tanh(x)


@case('log, exp, sqrt, sigmoid over 10 M', vectors(2, low=0.1, high=4.0), ('float32', 'bfloat16'))
def log_exp(np, L, x, y):
    return np.log(x) * np.sqrt(y) / (1.0 + np.exp(-x * y)) + np.log(x + y)


@case('call and put prices of 4 M options', lambda n: [Uniform((n(4_000_000),), *r) for r in
                                                       ((10, 50), (10, 50), (0.5, 2))], ('float32', 'float64'))
def black_scholes(np, L, s, k, t):
    rate, vol = 0.03, 0.2
    d1 = (np.log(s / k) + (rate + vol * vol / 2) * t) / (vol * np.sqrt(t))
    d2 = d1 - vol * np.sqrt(t)
    n1, n2 = 0.5 + 0.5 * L.erf(d1 * 0.7071067811865476), 0.5 + 0.5 * L.erf(d2 * 0.7071067811865476)
    call = s * n1 - k * np.exp(-rate * t) * n2
    return call, call - s + k * np.exp(-rate * t)


@case('where, clip, comparisons over 10 M', vectors(2))
def where_clip(np, L, x, y):
    a = np.where(x > y, x * 2.0, y - 1.0)
    b = np.clip(a, -1.0, 1.5)
    return np.where((b > 0.0) & (x < 1.0), b * y, np.maximum(b, 0.25))


@case('x[:, None] * y + z on 4096²', lambda n: [Uniform((n(4096),)), Uniform((n(4096),)), Uniform((n(4096), n(4096)))])
def broadcast(np, L, x, y, z):
    return x[:, None] * y + z


@case('a + b.T on 4096²', square(2))
def transpose_add(np, L, a, b):
    return a + np.transpose(b)


@case('one step of the heat equation on 4096²', square(1))
def stencil(np, L, u):
    inner = (u[1:-1, :-2] + u[1:-1, 2:] + u[:-2, 1:-1] + u[2:, 1:-1]) * 0.25
    return L.put(u, (slice(1, -1), slice(1, -1)), inner)


# --- reductions --------------------------------------------------------------------------------------------------

@case('sum of squares of 16 M', square(1))
def reduce_all(np, L, x):
    return np.sum(x * x)


@case('sums of squares of the rows of 4096²', square(1), ('float32', 'float64'))
def reduce_rows(np, L, x):
    return np.sum(x * x, -1)


@case('sums of squares of the columns of 4096²', square(1), ('float32', 'float64'))
def reduce_columns(np, L, x):
    return np.sum(x * x, 0)


@case('mean and variance of the rows of 4096²', square(1))
def mean_variance(np, L, x):
    return np.mean(x, -1), np.var(x, -1)


@case('argmax of the rows of 4096²', square(1))
def argmax_rows(np, L, x):
    return np.argmax(x, -1)


@case('argmax of the columns of 4096²', square(1))
def argmax_columns(np, L, x):
    return np.argmax(x, 0)


@case('softmax of the rows of 4096²', square(1), ('float32', 'float64', 'bfloat16'))
def softmax(np, L, x):
    e = np.exp(x - np.max(x, -1, keepdims=True))
    return e / np.sum(e, -1, keepdims=True)


def layernorm_grad_by_hand(np, L, x, scale, shift):
    """The derivative as somebody writes it who has only NumPy."""
    d = x - np.mean(x, -1, keepdims=True)
    r = 1 / np.sqrt(np.mean(d * d, -1, keepdims=True) + 1e-5)
    u = d * r
    h = u * scale + shift
    t = np.tanh(0.7978845608 * (h + 0.044715 * h * h * h))
    gh = 0.5 * (1 + t) + 0.5 * h * (1 - t * t) * 0.7978845608 * (1 + 0.134145 * h * h)
    gu = gh * scale
    gx = r * (gu - np.mean(gu, -1, keepdims=True) - u * np.mean(gu * u, -1, keepdims=True))
    return np.sum(0.5 * h * (1 + t)), gx, np.sum(gh * u, 0), np.sum(gh, 0)


@case('layer norm and GELU on 2048², value and gradients',
      lambda n: [Uniform((n(2048), n(2048))), Uniform((n(2048),)), Uniform((n(2048),))], numpy=layernorm_grad_by_hand)
def layernorm_grad(np, L, *arrays):
    def f(x, scale, shift):
        m = np.mean(x, -1, keepdims=True)
        v = np.mean((x - m)**2, -1, keepdims=True)
        h = (x - m) / np.sqrt(v + 1e-5) * scale + shift
        return np.sum(0.5 * h * (1 + np.tanh(0.7978845608 * (h + 0.044715 * h**3))))
    value, grads = L.value_and_grad(f, 3)(*arrays)
    return value, *grads


# --- products ----------------------------------------------------------------------------------------------------

def product(size):
    return lambda n: [Uniform((n(size), n(size))), Uniform((n(size), n(size))), Uniform((n(size),))]


@case('relu(a @ b + c) at 1024', product(1024))
def matmul_bias_relu(np, L, a, b, c):
    return np.maximum(a @ b + c, 0.0)


@case('gelu(a @ b + c) at 256', lambda n: [Uniform((n(256), n(256)), -0.1, 0.1)] * 2 + [Uniform((n(256),))])
def matmul_bias_gelu(np, L, a, b, c):
    h = a @ b + c
    return 0.5 * h * (1 + np.tanh(0.7978845608 * (h + 0.044715 * h * h * h)))


def mlp_inputs(n):
    """Weights of a 784-256-10 classifier, images, targets."""
    parameters = [Uniform(s, -0.05, 0.05) for s in ((n(784), n(256)), (n(256),), (n(256), 10), (10,))]
    return [*parameters, Uniform((n(128), n(784))), Uniform((n(128), 10), 0.0, 0.2)]


def mlp_step_by_hand(np, L, w1, b1, w2, b2, x, y):
    """One step with the derivative written out."""
    a = x @ w1 + b1
    h = np.maximum(a, 0)
    z = h @ w2 + b2
    z = z - L.logsumexp(z)
    gz = (np.exp(z) * np.sum(y, -1, keepdims=True) - y) / len(x)
    ga = (gz @ w2.T) * (a > 0)
    grads = x.T @ ga, np.sum(ga, 0), h.T @ gz, np.sum(gz, 0)
    return -np.mean(np.sum(z * y, -1)), *[p - 0.1 * g for p, g in zip((w1, b1, w2, b2), grads)]


@case('one SGD step of a 784-256-10 classifier, batch 128', mlp_inputs, numpy=mlp_step_by_hand)
def mlp_step(np, L, *arrays):
    parameters, (x, y) = arrays[:4], arrays[4:]

    def loss(w1, b1, w2, b2):
        h = np.maximum(x @ w1 + b1, 0.0)
        z = h @ w2 + b2
        z = z - L.logsumexp(z)
        return -np.mean(np.sum(z * y, -1))
    value, grads = L.value_and_grad(loss, 4)(*parameters)
    return value, *[p - 0.1 * g for p, g in zip(parameters, grads)]


# --- images ----------------------------------------------------------------------------------------------------------

def images(channels, size, out, window):
    return lambda n: [Uniform((n(32), channels, n(size), n(size))), Uniform((out, channels, window, window), -0.1, 0.1)]


@case('relu of a 3x3 convolution, 32 images of 64 x 56², 64 channels out', images(64, 56, 64, 3))
def conv_relu(np, L, x, w):
    return np.maximum(L.conv(x, w, 1), 0.0)


@case('relu of a 1x1 convolution, 32 images of 64 x 56², 256 channels out', images(64, 56, 256, 1))
def conv_point_relu(np, L, x, w):
    return np.maximum(L.conv(x, w, 0), 0.0)


@case('largest of 3x3 at every other place, 32 images of 64 x 112²', lambda n: images(64, 112, 1, 1)(n)[:1])
def max_pool(np, L, x):
    return L.max_pool(x, 3, 2, 1)
