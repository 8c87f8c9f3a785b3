"""The Array: what the user holds. A name for a node, with NumPy's operators and methods.

Functions of lazy.numpy become methods in lazy/numpy/__init__.py. Operators are the hot path: what types do to
each other is decided once for each pair of avals and kept in a table.
"""
import numbers
import sys
from array import array as pythons_array

import numpy as onp

from . import evaluate
from .config import config
from .ir import build, dtypes, nibbles, ops
from .ir.graph import Node, aval, computed, here, result_aval

_new = object.__new__
_literal = ops.literal


def _temporary_count():
    """sys.getrefcount(self) in a __setitem__ whose object has no name; -1 where Python counts those with names alike."""
    class Probe:
        def __setitem__(self, index, value):
            value.append(sys.getrefcount(self))
    named, counts = Probe(), []
    named[0] = counts
    Probe()[0] = counts
    return counts[1] if counts[1] < counts[0] else -1


_TEMPORARY = _temporary_count()


class Array:
    """An array whose value is computed when somebody asks for it. Made by the functions of lazy.numpy.

    >>> import lazy.numpy as np
    >>> (np.arange(3.) + 1).tolist()
    [1.0, 2.0, 3.0]
    """
    __slots__ = ('_node', '__weakref__')
    __array_priority__ = 1000
    __hash__ = None

    def __init__(self):
        raise TypeError('arrays are made by the functions of lazy.numpy: array, asarray, zeros, ...')

    # --- what is known without computing ---------------------------------------------------------------
    @property
    def shape(self):
        return self._node.aval.shape

    @property
    def dtype(self):
        return self._node.aval.dtype

    @property
    def ndim(self):
        return self._node.aval.ndim

    @property
    def size(self):
        return self._node.aval.size

    @property
    def nbytes(self):
        """Bytes that the value takes; of int4 and uint4 two elements take one."""
        return dtypes.nbytes(self.size, self.dtype)

    @property
    def itemsize(self):
        return self._node.aval.dtype.itemsize

    @property
    def weak_type(self):
        return self._node.aval.weak

    @property
    def aval(self):
        return self._node.aval

    @property
    def device(self):
        from .hardware import default_device
        return default_device()

    def devices(self):
        return {self.device}

    def to_device(self, device, /, *, stream=None):
        from .hardware import check_device
        check_device(device)
        return self

    # --- waiting for the value ---------------------------------------------------------------------------
    def block_until_ready(self):
        """Wait until the value is computed; returns the array itself. Raises what its computation raised."""
        value(self._node)
        return self

    def is_ready(self):
        found = self._node.value
        return found is not None and evaluate.is_ready(found)

    def is_deleted(self):
        return self._node.op is ops.leaf and self._node.value is None

    def copy_to_host_async(self):
        evaluate.force([self._node], background=True)

    def __array__(self, dtype=None, copy=None):
        if copy is False and self.dtype in dtypes.NARROW_INTEGERS:
            raise ValueError(f"NumPy's arrays have one {self.dtype} in a byte: that needs a copy (x.view('uint8') not)")
        result = to_numpy(self._node, 'array')
        if dtype is not None and dtype != result.dtype:
            if copy is False:
                raise ValueError(f'a conversion from {result.dtype} to {dtype} needs a copy')
            return result.astype(dtype)
        return result.copy() if copy else result

    def item(self, *index):
        if index:
            index = index[0] if len(index) == 1 and isinstance(index[0], tuple) else index
            return (self.ravel()[index] if len(index) == 1 else self[index]).item()
        if self.size != 1:
            raise ValueError(f'can only convert an array of size 1 to a Python scalar, not one of shape {self.shape}')
        return to_numpy(self._node, 'value').item()

    def tolist(self):
        return to_numpy(self._node, 'array').tolist()

    def tobytes(self, order='C'):
        return to_numpy(self._node, 'array').tobytes(order)

    def _scalar(self, asked):
        if self.size != 1 or self.ndim > 0 and asked == 'index':
            raise TypeError(f'only arrays of one element can be converted to Python scalars, not shape {self.shape}')
        return to_numpy(self._node, asked).reshape(())[()]

    def __bool__(self):
        if self.size != 1:
            raise ValueError(f'the truth value of an array of shape {self.shape} is ambiguous: use a.any() or a.all()')
        return bool(to_numpy(self._node, 'bool').reshape(())[()])

    def __int__(self):
        return int(self._scalar('int'))

    def __float__(self):
        return float(self._scalar('value'))

    def __complex__(self):
        return complex(self._scalar('value'))

    def __index__(self):
        if not dtypes.is_integer(self.dtype):
            raise TypeError(f'only integer arrays can be used as an index, not {self.dtype}')
        return int(self._scalar('int'))

    def __len__(self):
        if not self.ndim:
            raise TypeError('len() of an array of no dimensions')
        return self.shape[0]

    def __iter__(self):
        if not self.ndim:
            raise TypeError('iteration over an array of no dimensions')
        return (self[i] for i in range(self.shape[0]))

    def __contains__(self, item):
        return bool((self == item).any())

    def __reversed__(self):
        return iter(self[::-1])

    def __repr__(self):
        return _format(self, 'Array(', f', dtype={self.dtype.name}{", weak_type=True" if self.weak_type else ""})')

    def __str__(self):
        return _format(self, '', '')

    def __format__(self, spec):
        return format(to_numpy(self._node, 'value')[()], spec) if not self.ndim else format(str(self), spec)

    def _repr_pretty_(self, printer, cycle):
        printer.text(repr(self))

    # --- protocols -----------------------------------------------------------------------------------------
    def __array_namespace__(self, *, api_version=None):
        from . import numpy
        from .numpy.standard import VERSIONS
        if api_version is not None and api_version not in VERSIONS:
            raise ValueError(f'array API version {api_version!r} is not supported; there are {", ".join(VERSIONS)}')
        return numpy

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        """A capsule of the value, marked read-only. Consumers older than DLPack 1.0 don't understand that: they get a
        copy, or with copy=False the memory itself, which they must not write into."""
        if self.dtype in dtypes.NARROW_INTEGERS:
            raise BufferError(f"NumPy's DLPack has no {self.dtype}: x.view('uint8') hands on bytes of two numbers each")
        old = max_version is None or max_version[0] < 1
        array = to_numpy(self._node, 'array', writable=old and copy is False)
        copy = True if old and copy is None else copy
        return array.__dlpack__(stream=stream, max_version=max_version, dl_device=dl_device, copy=copy)

    def __dlpack_device__(self):
        return 1, 0

    def __reduce__(self):
        if self.dtype in dtypes.NARROW_INTEGERS:
            packed = value(self._node, 'array').array((self.nbytes,), dtypes.uint8)
            return _unpickle, (onp.array(packed), self.weak_type, (self.shape, self.dtype.name))
        return _unpickle, (onp.array(to_numpy(self._node, 'array')), self.weak_type)

    def __copy__(self):
        return wrap(self._node)

    def __deepcopy__(self, memo):
        return wrap(self._node)

    # --- indexing ------------------------------------------------------------------------------------------
    def __getitem__(self, index):
        return wrap(indexing.get(self._node, index))

    def __setitem__(self, index, values):
        if not config.mutable_arrays:
            raise TypeError('arrays are immutable: instead of x[i] = v write x = x.at[i].set(v)')
        if sys.getrefcount(self) == _TEMPORARY:
            raise ValueError('x[i][j] = v would be lost: x[i] is an array of its own, not a view. Write x[i, j] = v, '
                             'or y = x[i]; y[j] = v; x[i] = y')
        self._node = self.at[index].set(_assigned(values, self.dtype))._node

    def __delitem__(self, index):
        raise TypeError('elements of an array cannot be deleted: use lazy.numpy.delete')

    @property
    def at(self):
        """`x.at[index].set(v)` and its relatives: the updated array, in place where nobody sees the old one."""
        return indexing.At(self)

    def __matmul__(self, other):
        return _product(self, other)

    def __rmatmul__(self, other):
        return _product(other, self)

    def __divmod__(self, other):
        return self // other, self % other

    def __rdivmod__(self, other):
        return other // self, other % self

    def __pow__(self, other):
        return power(self, other)

    def __rpow__(self, other):
        return power(other, self)

    def __pos__(self):
        return wrap(self._node)

    def __neg__(self):
        return unary(ops.neg, self)

    def __abs__(self):
        from . import numpy
        return numpy.abs(self)

    def __invert__(self):
        return unary(ops.not_, self)

    def __round__(self, ndigits=None):
        from . import numpy
        return numpy.round(self, ndigits or 0)


def wrap(node):
    """The Array of a node."""
    result = _new(Array)
    result._node = node
    if len(here.pending) > evaluate.FLUSH_NODES:
        evaluate.check_pending(node)
    return result


# --- values ----------------------------------------------------------------------------------------------------

def value(node, asked='value'):
    """The buffer of a node, computed and ready."""
    if node.value is None:
        evaluate.force([node], asked)
    buffer = node.value
    evaluate.wait(buffer)
    if config.debug_nans:
        _check_nans(node)
    return buffer


def _check_nans(node):
    if dtypes.is_inexact(node.aval.dtype):
        array = node.value.array(node.aval.shape, node.aval.dtype)
        if onp.isnan(array).any():
            from .ir.graph import where
            raise FloatingPointError(f'NaN in the result of {where(node) or "an operation"}')


def to_numpy(node, asked='array', writable=False):
    """The value as a NumPy array that shares the buffer, read-only unless asked otherwise. Integers of 4 bits, of which
    NumPy's arrays have one in a byte, are copied."""
    buffer, of = value(node, asked), node.aval
    if of.dtype in dtypes.NARROW_INTEGERS:
        result = nibbles.unpack(buffer.array((buffer.nbytes,), dtypes.uint8), of.shape, of.dtype)
    else:
        result = buffer.array(of.shape, of.dtype)
    if not writable:
        result.flags.writeable = False
    return result


def _unpickle(array, weak, packed=None):
    """packed: (shape, dtype's name) of integers of 4 bits, whose bytes the array is."""
    node = from_numpy(array)
    shape, dtype = (node.aval.shape, node.aval.dtype) if packed is None else (packed[0], dtypes.as_dtype(packed[1]))
    return wrap(computed(ops.leaf, aval(shape, dtype, weak), node.value))


def _format(array, before, after):
    """As NumPy formats; where no value exists, the aval."""
    from .errors import ConcretizationTypeError
    try:
        data = to_numpy(array._node, 'value')
    except ConcretizationTypeError:
        return f'Traced<{array.aval}>'
    if not before:
        return str(data)
    if data.dtype.type.__module__ != 'numpy':                        # which NumPy doesn't line up
        data = data.astype(dtypes.held_as(data.dtype))
    if not data.size and data.shape != (0,):
        after = f', shape={data.shape}{after}'
    return before + onp.array2string(data, separator=', ', prefix=before, suffix=after) + after


# --- making nodes of anything ------------------------------------------------------------------------------------

_SEQUENCES = (memoryview, bytearray, range, pythons_array)
_SCALARS = (bool, int, float, complex)


def from_numpy(array):
    """A leaf with a copy of a NumPy array: later changes of the array don't reach it."""
    from .codegen import memory
    if isinstance(array, onp.ma.MaskedArray):
        raise ValueError('masked arrays are not possible: use x.filled(value), or lazy.numpy.where with x.mask')
    dtype = dtypes.as_dtype(array.dtype if array.dtype.isnative else array.dtype.newbyteorder('='))
    nbytes = dtypes.nbytes(array.size, dtype)
    buffer = memory.allocate(nbytes)
    if dtype in dtypes.NARROW_INTEGERS:
        buffer.array((nbytes,), dtypes.uint8)[...] = nibbles.pack(array, (nbytes,))
    else:
        onp.copyto(buffer.array(array.shape, dtype), array)
    evaluate.count_input(nbytes)
    return build.leaf(buffer, array.shape, dtype)


def _assigned(values, dtype):
    """What becomes of values that are assigned to elements of a dtype: converted as NumPy does it, which may round."""
    node = as_node(values)
    if dtypes.kind(node.aval.dtype) == 'c' != dtypes.kind(dtype):
        raise TypeError(f'cannot assign {node.aval} to elements of dtype {dtype}: take its real part')
    return wrap(convert_operand(node, dtype) if dtypes.is_integer(node.aval.dtype) else build.convert(node, dtype))


def python_scalar(scalar, dtype=None):
    """A literal for a Python scalar: weak unless a dtype is given. An integer beyond the default width has the next."""
    if dtype is None:
        kind = dtypes.scalar_dtype(scalar)
        if type(scalar) is int and not -1 << (8 * kind.itemsize - 1) <= scalar < 1 << (8 * kind.itemsize - 1):
            kind = dtypes.uint64 if scalar >= 1 << 63 else dtypes.int64
    else:
        kind = dtype
    check_integer(scalar, kind)
    return build.literal(scalar, kind, dtype is None)


def check_integer(scalar, dtype):
    """OverflowError where a Python integer does not fit into an integer dtype."""
    if type(scalar) is int and dtypes.is_integer(dtype):
        info = dtypes.iinfo(dtype)
        if not info.min <= scalar <= info.max:
            raise OverflowError(f'Python integer {scalar} out of bounds for {dtype.name}')


def as_node(x, dtype=None):
    """The node of an Array, a Python or NumPy scalar, a NumPy array, or anything that NumPy makes an array of."""
    if type(x) is Array or isinstance(x, Array):
        return x._node
    if isinstance(x, _SCALARS) and not isinstance(x, onp.generic):
        return python_scalar(x, dtype)
    if isinstance(x, (onp.ndarray, onp.generic)):
        return from_numpy(x if isinstance(x, onp.ndarray) else onp.asarray(x))
    return _from_object(x)


def _from_object(x):
    if isinstance(x, (list, tuple)):
        return _from_sequence(x)
    if hasattr(x, '__array__') or hasattr(x, '__array_interface__') or isinstance(x, _SEQUENCES):
        return from_numpy(onp.asarray(x))
    if isinstance(x, numbers.Number):
        return python_scalar(complex(x) if isinstance(x, numbers.Complex) and not isinstance(x, numbers.Real)
                             else float(x))
    if hasattr(x, '__lazy_array__'):
        return x.__lazy_array__()._node
    raise TypeError(f'an array or a number is needed, not {type(x).__name__}: {str(x)[:60]}')


def _from_sequence(items):
    """Nested lists; Arrays inside are stacked, Python numbers get the default width."""
    leaves = list(_flatten(items))
    if any(isinstance(leaf, Array) for leaf in leaves):
        parts = [_from_sequence(item) if isinstance(item, (list, tuple)) else as_node(item) for item in items]
        dtype, weak = dtypes.promote(*[(p.aval.dtype, p.aval.weak) for p in parts])
        shape = parts[0].aval.shape
        if any(p.aval.shape != shape for p in parts):
            raise ValueError('an array of sequences of different shapes is not possible: '
                             + ', '.join(str(p.aval.shape) for p in parts))
        return build.concatenate([build.expand_dims(build.convert(p, dtype), (0,)) for p in parts], 0)
    try:
        array = onp.asarray(items)
    except ValueError as error:
        raise ValueError(f'an array of sequences of different lengths is not possible: {error}') from None
    if array.dtype == object or array.dtype.kind not in 'biufc' and array.dtype not in dtypes.ALL:
        wrong = [type(leaf).__name__ for leaf in leaves if not isinstance(leaf, numbers.Number)]
        raise TypeError(f'an array of {wrong[0] if wrong else "objects"} is not possible')
    if not leaves:
        return from_numpy(array.astype(dtypes.default_float()))
    if all(type(leaf) in _SCALARS for leaf in leaves):
        wanted = {'b': dtypes.bool_, 'i': dtypes.default_int(), 'u': dtypes.uint64, 'f': dtypes.default_float(),
                  'c': dtypes.default_complex()}[array.dtype.kind]
        if array.dtype.kind in 'iu' and array.size:
            check_integer(int(array.max()), wanted)
            check_integer(int(array.min()), wanted)
        array = array.astype(wanted)
    elif all(hasattr(leaf, 'dtype') or type(leaf) in _SCALARS for leaf in leaves):
        wanted, _ = dtypes.promote(*{(dtypes.scalar_dtype(leaf), True) if type(leaf) in _SCALARS else
                                     (dtypes.as_dtype(leaf.dtype), False) for leaf in leaves})
        array = array.astype(wanted)
    return from_numpy(array)


def _flatten(items):
    for item in items:
        if isinstance(item, (list, tuple)):
            yield from _flatten(item)
        else:
            yield item


# --- promotion -----------------------------------------------------------------------------------------------------
# A kind says what an operation does with its operands' types: promote them; go on to a float; or be refused.

def common(kind, name, avals):
    """(dtype, weak) in which an operation of a kind computes for operands of these avals."""
    dtype, weak = dtypes.promote(*[(a.dtype, a.weak) for a in avals])
    letter = dtypes.kind(dtype)
    if kind == 'inexact' and letter in 'biu':
        return dtypes.inexact_of(dtype), weak
    if kind == 'integer' and letter == 'b' and name.startswith('shift'):
        return dtypes.default_int(), weak
    if kind == 'bits' and letter in 'fc' or kind == 'integer' and letter not in 'iu':
        what = 'integers' if kind == 'integer' else 'integers and booleans'
        raise TypeError(f'{name} is for {what}, got {", ".join(map(repr, avals))}')
    if kind == 'number' and letter == 'b':
        raise TypeError(f'{name} is not for booleans: use ^, |, & or logical functions')
    if kind == 'arithmetic' and letter == 'b' and name in ('floor_divide', 'remainder', 'rem', 'sub', 'neg', 'pow'):
        if name in ('sub', 'neg'):
            raise TypeError(f'{name} is not for booleans: use ^ or logical_not')
        return dtypes.default_int() if name != 'pow' else dtypes.int32, weak
    return dtype, weak


def unary(op, x, kind='arithmetic'):
    node = as_node(x)
    dtype, weak = common(kind, op.name, [node.aval])
    node = build.convert(node, dtype, weak)
    return wrap(Node(op, (node,), None, result_aval(op, (node,), None)))


def elementwise(op, *operands, kind='arithmetic'):
    """op of operands (anything array-like) after promotion and with broadcasting."""
    nodes = [as_node(x) for x in operands]
    dtype, weak = common(kind, op.name, [n.aval for n in nodes])
    nodes, op = tuple([convert_operand(n, dtype) for n in nodes]), _of_type(op, dtype)
    return wrap(Node(op, nodes, None, result_aval(op, nodes, None)))


def _of_type(op, dtype):
    """The operation for operands of a dtype: >> fills unsigned integers with zeros."""
    return ops.shift_right_logical if op is ops.shift_right_arithmetic and dtypes.kind(dtype) == 'u' else op


def convert_operand(node, dtype):
    """Like build.convert, keeping weakness; a Python integer must fit."""
    if node.aval.dtype == dtype:
        return node
    if node.op is _literal:
        check_integer(node.params[0], dtype)
    return build.convert(node, dtype, node.aval.weak)


# of each operation: what two avals, or an aval and a Python type, come to
_plans = {}


def clear_plans():
    """Forget what types do to each other: the default width has changed."""
    for plans in _plans.values():
        plans.clear()


dtypes.Defaults.caches.append(clear_plans)


def _plan(op, kind, a, b):
    """(operation, dtype to convert the first operand to or None, the second likewise, the result's aval)."""
    dtype, weak = common(kind, op.name, [a, b])
    op = _of_type(op, dtype)
    inputs = [Node(ops.leaf, (), None, aval(x.shape, dtype, x.weak), 0) for x in (a, b)]
    result = result_aval(op, inputs, None)
    return op, (dtype if a.dtype != dtype else None), (dtype if b.dtype != dtype else None), result


def _operator(op, kind='arithmetic'):
    """A binary operator's method and its reflection."""
    name, plans = op.name, _plans.setdefault(op.name, {})

    def build_node(a, b):
        key = a.aval, b.aval
        plan = plans.get(key)
        if plan is None:
            plan = plans[key] = _plan(op, kind, a.aval, b.aval)
        chosen, to_a, to_b, result = plan
        if to_a is not None:
            a = convert_operand(a, to_a)
        if to_b is not None:
            b = convert_operand(b, to_b)
        array = _new(Array)
        array._node = node = Node(chosen, (a, b), None, result, None, 3)
        if len(here.pending) > evaluate.FLUSH_NODES:
            evaluate.check_pending(node)
        return array

    def operand(other, aval_of):
        kind_of = type(other)
        if kind_of is float or kind_of is int:
            key = aval_of, kind_of
            found = plans.get(key)
            if found is None:
                weak = dtypes.scalar_dtype(other)
                dtype, _ = common(kind, name, [aval_of, aval((), weak, True)])
                fits = dtype if dtype == aval_of.dtype else weak
                found = plans[key] = (fits, aval((), fits, True), dtypes.is_integer(fits))
            fits, literal_aval, check = found
            if check:
                if fits is not aval_of.dtype and other.bit_length() > 31:
                    return python_scalar(other)
                check_integer(other, fits)
            elif kind_of is int:
                other = float(other) if fits.kind != 'c' else complex(other)
            return computed(_literal, literal_aval, None, (other,))
        if isinstance(other, (Array, onp.ndarray, onp.generic, *_SCALARS)) or hasattr(other, '__array__'):
            return as_node(other)
        return None

    def method(self, other):
        a = self._node
        b = other._node if type(other) is Array else operand(other, a.aval)
        return NotImplemented if b is None else build_node(a, b)

    def reflected(self, other):
        b = self._node
        a = operand(other, b.aval)
        return NotImplemented if a is None else build_node(a, b)
    return method, reflected


for _symbol, _op, _kind in (('add', ops.add, 'arithmetic'), ('sub', ops.sub, 'arithmetic'),
                            ('mul', ops.mul, 'arithmetic'), ('truediv', ops.div, 'inexact'),
                            ('floordiv', ops.floor_divide, 'arithmetic'),
                            ('mod', ops.remainder, 'arithmetic'), ('and', ops.and_, 'bits'), ('or', ops.or_, 'bits'),
                            ('xor', ops.xor, 'bits'), ('lshift', ops.shift_left, 'integer'),
                            ('rshift', ops.shift_right_arithmetic, 'integer')):
    _method, _reflected = _operator(_op, _kind)
    setattr(Array, f'__{_symbol}__', _method)
    setattr(Array, f'__r{_symbol}__', _reflected)
for _symbol in ('eq', 'ne', 'lt', 'le', 'gt', 'ge'):
    setattr(Array, f'__{_symbol}__', _operator(ops.OPS[_symbol], 'comparison')[0])
Array.__hash__ = None


def _in_place(operator_name):
    """x += y and its like: the next value of the same name; of the array object itself where arrays are mutable."""
    def method(self, other):
        if not config.mutable_arrays:
            return NotImplemented                                    # Python goes on with x = x + y
        result = getattr(self, f'__{operator_name}__')(other)
        if result is NotImplemented:
            return result
        if result.shape != self.shape:
            raise ValueError(f'non-broadcastable output operand with shape {self.shape} does not match the broadcast '
                             f'shape {result.shape}')
        if result.dtype != self.dtype:
            raise TypeError(f'cannot cast the result of {operator_name} from {result.dtype} to {self.dtype} in place')
        self._node = result._node
        return self
    return method


for _symbol in ('add', 'sub', 'mul', 'truediv', 'floordiv', 'mod', 'pow', 'and', 'or', 'xor', 'lshift', 'rshift',
                'matmul'):
    setattr(Array, f'__i{_symbol}__', _in_place(_symbol))


def power(x, y):
    """x ** y; a Python integer exponent is a power by repeated products."""
    if type(y) is int and not isinstance(y, bool):
        node = as_node(x)
        if dtypes.kind(node.aval.dtype) == 'b':
            node = build.convert(node, dtypes.int32)
        if abs(y) <= 64 and (y >= 0 or dtypes.is_inexact(node.aval.dtype)):
            return wrap(build.integer_pow(node, y))
        if y < 0 and not dtypes.is_inexact(node.aval.dtype):
            raise ValueError('integers to negative integer powers are not allowed')
    return elementwise(ops.pow_, x, y)


def _product(x, y):
    if not isinstance(y, (Array, onp.ndarray)) and not hasattr(y, '__array__') or \
            not isinstance(x, (Array, onp.ndarray)) and not hasattr(x, '__array__'):
        return NotImplemented
    from . import numpy
    return numpy.matmul(x, y)


from . import indexing  # noqa: E402  (it needs this module)
