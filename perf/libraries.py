"""The libraries that are compared, each behind the same few names so that one program text serves all.

A library has `np` (functions with NumPy's names), `erf`, `logsumexp`, `put`, `conv`, `max_pool`, `value_and_grad`, and
for the harness `array`, `compile`, `wait`, `numpy`. `device` is None or a kind such as 'cuda'.
"""
import functools
import importlib.util
import os

import numpy as onp

LABELS = {'lazy': 'lazy', 'numpy': 'NumPy', 'jax': 'JAX', 'numba': 'numba', 'numexpr': 'numexpr', 'torch': 'torch',
          'torch_compile': 'torch.compile'}
_MODULE = {'torch_compile': 'torch'}


def installed(names=None):
    """Those of `names` (default: all) that can be imported, lazy first."""
    return [name for name in names or LABELS if importlib.util.find_spec(_MODULE.get(name, name))]


def load(name, device=None):
    """The library of a name; imports it."""
    return {'lazy': Lazy, 'numpy': NumPy, 'jax': Jax, 'numba': Numba, 'numexpr': Numexpr, 'torch': Torch,
            'torch_compile': TorchCompile}[name](device)


def bfloat16():
    """NumPy's dtype for bfloat16."""
    import ml_dtypes
    return onp.dtype(ml_dtypes.bfloat16)


class NumPy:
    """Plain NumPy; SciPy where it has no function."""

    np = onp

    def __init__(self, device=None):
        self.device = device
        if device:
            raise RuntimeError('this library has no arrays on a GPU')

    def array(self, x):
        return x

    def compile(self, f):
        return f

    def wait(self, result):
        return result

    def numpy(self, x):
        return onp.asarray(x)

    def erf(self, x):
        from scipy.special import erf
        return erf(x)

    def logsumexp(self, x):
        from scipy.special import logsumexp
        return logsumexp(x, axis=-1, keepdims=True)

    def put(self, x, index, value):
        """x with value at index."""
        x = x.copy()
        x[index] = value
        return x


    def conv(self, x, w, padding):
        """Convolution of images (batch, channel, y, x) with weights (out, channel, y, x)."""
        return onp.einsum('ncyxij,ocij->noyx', self._windows(x, w.shape[2:], padding, 0), w, optimize=True)

    def max_pool(self, x, window, stride, padding):
        found = self._windows(x, (window, window), padding, -onp.inf)
        return found[:, :, ::stride, ::stride].max((-1, -2))

    def _windows(self, x, shape, padding, value):
        wide = onp.pad(x, [(0, 0)] * 2 + [(padding, padding)] * 2, constant_values=value)
        return onp.lib.stride_tricks.sliding_window_view(wide, shape, (2, 3))


class Numba(NumPy):
    """Cases have explicit loops for it."""


class Numexpr(NumPy):
    """Cases have expressions for it."""


class _Jaxlike:
    """lazy and JAX, which have the same names."""

    def compile(self, f):
        return self.module.jit(f)

    def wait(self, result):
        return self.module.block_until_ready(result)

    def numpy(self, x):
        return onp.asarray(x)

    def erf(self, x):
        return self.module.scipy.special.erf(x)

    def logsumexp(self, x):
        return self.module.scipy.special.logsumexp(x, axis=-1, keepdims=True)

    def put(self, x, index, value):
        return x.at[index].set(value)

    def conv(self, x, w, padding):
        return self.module.lax.conv(x, w, (1, 1), 'SAME' if padding else 'VALID')

    def max_pool(self, x, window, stride, padding):
        lax, amounts = self.module.lax, [(0, 0)] * 2 + [(padding, padding)] * 2
        return lax.reduce_window(x, -onp.inf, lax.max, (1, 1, window, window), (1, 1, stride, stride), amounts)

    def value_and_grad(self, f, count):
        """(value, gradients) by the first `count` arguments."""
        return self.module.value_and_grad(f, argnums=tuple(range(count)))

    def array(self, x):
        x = self.np.asarray(x)
        return self.module.device_put(x, self.where) if self.where else x


class Lazy(_Jaxlike):
    def __init__(self, device=None):
        import lazy
        import lazy.numpy
        self.module, self.np = lazy, lazy.numpy
        self.where = lazy.devices('gpu')[0] if device else None


class Jax(_Jaxlike):
    def __init__(self, device=None):
        if not device:
            os.environ.setdefault('JAX_PLATFORMS', 'cpu')
        import jax
        import jax.numpy
        import jax.scipy.special
        self.module, self.np = jax, jax.numpy
        self.where = jax.devices('gpu')[0] if device else None


class Torch:
    """torch, one operation after another."""

    def __init__(self, device=None):
        import torch
        self.torch, self.device, self.np = torch, device, TorchNames(torch)

    def array(self, x):
        if x.dtype == bfloat16():
            made = self.torch.from_numpy(x.view('int16')).view(self.torch.bfloat16)
        else:
            made = self.torch.from_numpy(onp.ascontiguousarray(x))
        return made.to(self.device) if self.device else made.clone()

    def compile(self, f):
        return f

    def wait(self, result):
        if self.device:
            self.torch.cuda.synchronize()
        return result

    def numpy(self, x):
        x = x.detach().cpu()
        return (x.float() if x.dtype == self.torch.bfloat16 else x).numpy()

    def erf(self, x):
        return self.torch.erf(x)

    def logsumexp(self, x):
        return self.torch.logsumexp(x, -1, keepdim=True)

    def put(self, x, index, value):
        x = x.clone()
        x[index] = value
        return x

    def conv(self, x, w, padding):
        return self.torch.nn.functional.conv2d(x, w, padding=padding)

    def max_pool(self, x, window, stride, padding):
        return self.torch.nn.functional.max_pool2d(x, window, stride, padding)

    def value_and_grad(self, f, count):
        """By torch.func, in the order (value, gradients)."""
        both = self.torch.func.grad_and_value(f, argnums=tuple(range(count)))
        return lambda *args: both(*args)[::-1]


class TorchCompile(Torch):
    """torch.compile with its default settings."""

    def compile(self, f):
        return self.torch.compile(f, dynamic=False)


class TorchNames:
    """Functions of torch under NumPy's names and arguments."""

    def __init__(self, torch):
        for name in 'sin cos tan exp log sqrt tanh abs where sigmoid'.split():
            setattr(self, name, getattr(torch, name))
        self.torch = torch
        self.sum = self._reduction(torch.sum)
        self.mean = self._reduction(torch.mean)
        self.max = self._reduction(torch.amax)

    def _reduction(self, function):
        def reduce(x, axis=None, keepdims=False):
            return function(x) if axis is None else function(x, axis, keepdim=keepdims)
        return reduce

    def var(self, x, axis):
        return self.torch.var(x, axis, correction=0)

    def argmax(self, x, axis):
        return self.torch.argmax(x, axis)

    def maximum(self, x, y):
        return self.torch.clamp_min(x, y) if isinstance(y, (int, float)) else self.torch.maximum(x, y)

    def clip(self, x, low, high):
        return self.torch.clamp(x, low, high)

    def transpose(self, x):
        return x.T


def bound(program, library):
    """`program(np, L, *arrays)` as a function of the arrays."""
    return functools.partial(program, library.np, library)
