"""Functions of functions."""
from .. import trees
from ..array import as_node, wrap
from ..custom_derivatives import closure_convert, custom_jvp
from ..hardware import default_backend
from ..ir import build
from ..transforms import jvp


def composite(decomposition, name, version=0):
    """A function that is made of others, under a name: it computes what `decomposition` computes.

    >>> import lazy
    >>> lazy.lax.composite(lambda x: lazy.lax.sin(x) / lazy.lax.cos(x), 'my.tangent').__name__
    'my.tangent'
    """
    def function(*args, **kwargs):
        return decomposition(*args, **kwargs)
    function.__name__ = function.__qualname__ = name
    function.__wrapped__ = decomposition
    return function


def platform_dependent(*args, default=None, **per_platform):
    """per_platform[platform](*args) for the platform that results are computed on ('cpu', 'cuda', 'rocm', 'tpu').

    Raises NotImplementedError where there is neither a function for it nor a default.

    >>> import lazy
    >>> lazy.lax.platform_dependent(2, cpu=lambda x: x + 1, default=lambda x: x)
    3
    """
    platform = default_backend()
    function = per_platform.get(platform, default)
    if function is None:
        raise NotImplementedError(f'platform_dependent: nothing is given for {platform}, only for '
                                  f'{", ".join(per_platform) or "none"}')
    return function(*args)


def stage(x, /):
    """x as an array of the graph."""
    return wrap(as_node(x))


def custom_root(f, initial_guess, solve, tangent_solve, has_aux=False):
    """solve(f, initial_guess), a root of f, with the derivative that the implicit function theorem gives.

    f: from a tree of arrays to a tree like it; what it closes over can be differentiated by. solve(f, guess) returns a
    root (and what else it likes, with has_aux). tangent_solve(g, y) returns x such that g(x) = y for the linear
    function g, for numbers `lambda g, y: y / g(1.0)`. How solve comes to the root isn't looked at: Python's control
    flow works in it where values exist.

    >>> import lazy
    >>> newton = lambda f, x: x if abs(float(f(x))) < 1e-6 else newton(f, x - f(x) / lazy.grad(f)(x))
    >>> root = lambda a: lazy.lax.custom_root(lambda x: x * x - a, 1.0, newton, lambda g, y: y / g(1.0))
    >>> [round(float(v), 4) for v in (root(4.0), lazy.grad(root)(4.0))]
    [2.0, 0.25]
    """
    converted, values = closure_convert(f, initial_guess)

    def root(*values):
        found = solve(lambda x: converted(x, *values), initial_guess)
        return found if has_aux else (found, ())
    root = custom_jvp(root)

    @root.defjvp
    def rule(values, tangents):
        x, aux = root(*values)
        at_root = jvp(lambda *v: converted(x, *v), values, tangents)[1]
        step = tangent_solve(lambda v: jvp(lambda x: converted(x, *values), (x,), (v,))[1], at_root)
        zero = trees.map(lambda a: wrap(build.zeros(as_node(a).aval)), aux)
        return (x, aux), (trees.map(lambda t: -t, step), zero)
    found = root(*values)
    return found if has_aux else found[0]
