"""Functions of functions."""
from ..array import as_node, wrap
from ..hardware import default_backend


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
