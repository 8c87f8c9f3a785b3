"""Names that order, keep or draw at run time elsewhere. Here nothing has effects, so that there is nothing to order."""
import itertools

from .. import trees as tree
from ..array import as_node, wrap
from ..ir import dtypes

_draws = itertools.count()


class Token:
    """What orders effects elsewhere: here it only says that it is one."""

    def __repr__(self):
        return 'Token()'


tree.register(Token, lambda token: ((), None), lambda aux, leaves: Token())


def create_token(_=None):
    """A token. The argument is ignored.

    >>> import lazy
    >>> lazy.lax.after_all(lazy.lax.create_token(), lazy.lax.create_token())
    Token()
    """
    return Token()


def after_all(*operands):
    """A token that stands for all these. Raises TypeError for what is no token."""
    if not all(isinstance(x, Token) for x in operands):
        raise TypeError('Arguments to after_all must be tokens')
    return Token()


def dce_sink(val, *, prevent_mlir_dce=False):
    """Nothing: values that nobody asks for are not computed. Raises TypeError where a leaf of val is no array."""
    tree.map(as_node, val)


def rng_uniform(a, b, shape):
    """Random numbers in [a, b), others at each call; under jit they are drawn once, when the function is traced.

    a, b: scalars of one real dtype, which is that of the result. lazy.random has generators with explicit state.
    Raises ValueError for operands that are no scalars or of different dtypes, TypeError for others than real numbers.

    >>> import lazy
    >>> bool((lazy.lax.rng_uniform(2.0, 3.0, (5,)) >= 2).all())
    True
    """
    from .. import random
    low, high = as_node(a), as_node(b)
    dtype = low.aval.dtype
    if dtype != high.aval.dtype:
        raise ValueError(f'Arguments to rng_uniform must have identical dtypes, got {dtype} and {high.aval.dtype}.')
    if low.aval.shape != () or high.aval.shape != ():
        raise ValueError(f'Arguments to rng_uniform must be scalars; got shapes {low.aval.shape} and '
                         f'{high.aval.shape}.')
    if dtypes.kind(dtype) not in 'iuf':
        raise TypeError(f'rng_uniform draws real numbers, got {dtype}')
    draw = random.uniform if dtypes.is_inexact(dtype) else random.randint
    key = random.fold_in(random.key(0), next(_draws))
    return draw(key, tuple(shape), minval=wrap(low), maxval=wrap(high), dtype=dtype)
