"""Errors that the library raises, and the user's line that they name."""
import sys

from .ir.errors import FusionError, FusionWarning
from .ir.graph import INTERNAL, where

__all__ = ['JAXTypeError', 'JAXIndexError', 'JaxRuntimeError', 'JaxprTypeError', 'InconclusiveDimensionOperation',
           'ConcretizationTypeError', 'TracerArrayConversionError', 'TracerBoolConversionError',
           'TracerIntegerConversionError', 'NonConcreteBooleanIndexError', 'UnexpectedTracerError', 'KeyReuseError',
           'FusionError', 'FusionWarning', 'DonatedBufferError']


class JAXTypeError(TypeError):
    """What the errors about values that don't exist, and about keys, have in common."""


class JAXIndexError(IndexError):
    """An index that can't be used inside of a trace."""


class JaxRuntimeError(RuntimeError):
    """An error of a program that runs, not of the arguments it was given."""


class JaxprTypeError(TypeError):
    """A traced function whose types contradict each other. Never raised here: the graph is checked as it is built."""


class InconclusiveDimensionOperation(Exception):
    """A comparison of sizes that are symbols. Never raised here: sizes are numbers while a function is traced."""


class ConcretizationTypeError(JAXTypeError):
    """A value was asked for where none exists: inside `jit`, `vmap` or `eval_shape`."""


class TracerArrayConversionError(ConcretizationTypeError):
    """A NumPy array was asked for where no value exists."""


class TracerBoolConversionError(ConcretizationTypeError):
    """A truth value was asked for where no value exists."""


class TracerIntegerConversionError(ConcretizationTypeError):
    """An integer was asked for where no value exists."""


class NonConcreteBooleanIndexError(ConcretizationTypeError, JAXIndexError):
    """A boolean mask whose values don't exist was used as an index."""


class UnexpectedTracerError(JAXTypeError, RuntimeError):
    """A value that exists only inside of a traced function was used after the function had returned."""


class DonatedBufferError(JaxRuntimeError):
    """An array was used after its buffer had been donated."""


class KeyReuseError(JAXTypeError):
    """A key was used a second time, where the setting `debug_key_reuse` forbids it."""


def user_line():
    """'file:line' of the innermost frame that isn't the library's."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_globals.get('__name__', '')[:5] in INTERNAL:
        frame = frame.f_back
    return f'{frame.f_code.co_filename}:{frame.f_lineno}' if frame is not None else '<unknown>'


_ASKED = {'bool': (TracerBoolConversionError, 'the truth value', 'For a choice between values use lazy.numpy.where; '
                   'for a choice between computations lazy.lax.cond; for a loop lazy.lax.while_loop.'),
          'int': (TracerIntegerConversionError, 'an integer',
                  'Mark the argument static (jit(..., static_argnums=...)) where its value decides a shape or an '
                  'index.'),
          'index': (NonConcreteBooleanIndexError, 'the values of a boolean mask',
                    'The shape of the result would depend on them: use lazy.numpy.where(mask, x, other).'),
          'array': (TracerArrayConversionError, 'the value', 'Use functions of lazy.numpy in the place of NumPy\'s, or '
                    'compute the value outside of the transformed function.'),
          'value': (ConcretizationTypeError, 'the value',
                    'Use lazy.numpy.where or lazy.lax.cond for choices, or compute '
                    'it outside of the transformed function.')}


def no_value(node, asked, variable):
    """The error for a value that was asked for inside of a trace: says where, why, and what to use."""
    kind, what, advice = _ASKED[asked]
    made = where(node)
    return kind(f'{user_line()}: {what} of an array of {node.aval} was asked for, but inside of jit, vmap, fuse or '
                f'eval_shape it depends on an argument that has no value'
                f'{f" (the array was made at {made})" if made else ""}. {advice}')
