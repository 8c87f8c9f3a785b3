"""Looking at what happens: counters, and printing values that are computed later."""
import builtins

__all__ = ['kernel_compilations', 'print']


def kernel_compilations():
    """How many kernels this process has compiled so far; those that came from the disk cache are not counted.

    >>> import lazy
    >>> lazy.debug.kernel_compilations() >= 0
    True
    """
    try:
        from .codegen import llvm
    except ImportError:
        return 0
    return llvm.kernel_compilations()


def print(fmt, *args, ordered=False, partitioned=False, skip_format_check=False, **kwargs):
    """print(fmt.format(*args, **kwargs)) with the values of arrays. Arrays are waited for.

    Inside of jit and vmap, where no values exist, the types of the arrays are printed, once, when the function is
    traced.

    >>> import lazy
    >>> lazy.debug.print('x = {x}', x=lazy.numpy.array([1, 2]))
    x = [1 2]
    """
    builtins.print(fmt.format(*[_Shown(x) for x in args], **{name: _Shown(x) for name, x in kwargs.items()}))


class _Shown:
    """A value that formats as its type where it has no value."""

    def __init__(self, value):
        self.value = value

    def __getattr__(self, name):
        return _Shown(getattr(self.value, name))

    def __getitem__(self, index):
        return _Shown(self.value[index])

    def __repr__(self):
        return repr(self.value)

    def __str__(self):
        return str(self.value)

    def __format__(self, spec):
        from .errors import ConcretizationTypeError
        try:
            return format(self.value, spec)
        except ConcretizationTypeError:
            return str(self.value)
