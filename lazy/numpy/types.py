"""Data types as names: `float32` is a dtype and converts when called. Promotion and inspection of types."""
import ml_dtypes
import numpy as onp

from ._util import Array, dtypes, node_of

_abstract = ('character', 'complexfloating', 'flexible', 'floating', 'generic', 'inexact', 'integer', 'number',
             'signedinteger', 'unsignedinteger')
character, complexfloating, flexible, floating, generic, inexact, integer, number, signedinteger, unsignedinteger = [
    getattr(onp, name) for name in _abstract]
object_ = onp.object_
dtype = onp.dtype

__all__ = [*_abstract, 'object_', 'dtype', 'can_cast', 'finfo', 'iinfo', 'isdtype', 'issubdtype', 'promote_types',
           'result_type', 'iscomplexobj', 'isrealobj', 'isscalar']


class ScalarType(type):
    """The type of `float32` and its like: stands for a dtype, and makes an array of that dtype when called."""

    def __new__(mcs, name, dtype):
        return super().__new__(mcs, name, (), {'__module__': 'lazy.numpy', '_given': dtype,
                                               '__doc__': f'The dtype {name}; called, an array of it.'})

    def __init__(cls, name, dtype):
        super().__init__(name, (), {})

    @property
    def dtype(cls):
        given = cls._given
        return given if isinstance(given, onp.dtype) else given()

    def __call__(cls, x=0):
        from .creation import asarray
        return asarray(x, cls.dtype)

    def __hash__(cls):
        return hash(cls.dtype)

    def __eq__(cls, other):
        if cls is other or other is None:                            # None names a dtype for NumPy
            return cls is other
        try:
            return cls.dtype == (other.dtype if isinstance(other, ScalarType) else onp.dtype(other))
        except (TypeError, ValueError, SyntaxError):                 # NumPy parses any text as fields of a record
            return NotImplemented

    def __ne__(cls, other):
        equal = ScalarType.__eq__(cls, other)                        # cls.__eq__ would be that of its instances
        return equal if equal is NotImplemented else not equal

    def __instancecheck__(cls, value):
        return isinstance(value, cls.dtype.type)

    def __repr__(cls):
        return f'lazy.numpy.{cls.__name__}'


_named = {'bool_': dtypes.bool_, **{d.name: d for d in dtypes.ALL if d != dtypes.bool_},
          'single': dtypes.float32, 'double': dtypes.float64, 'csingle': dtypes.complex64, 'cdouble': dtypes.complex128,
          'int_': dtypes.default_int, 'float_': dtypes.default_float, 'complex_': dtypes.default_complex,
          'uint': lambda: dtypes.uint64 if dtypes.Defaults.wide else dtypes.uint32,
          **{name: onp.dtype(getattr(onp, name)) for name in (           # the types of C
              'byte', 'ubyte', 'short', 'ushort', 'intc', 'uintc', 'long', 'ulong', 'longlong', 'ulonglong', 'intp',
              'uintp', 'half')}}
_packed = ('float4_e2m1fn', 'float6_e2m3fn', 'float6_e3m2fn', 'float8_e3m4', 'float8_e4m3', 'float8_e4m3b11fnuz',
           'float8_e4m3fn', 'float8_e4m3fnuz', 'float8_e5m2', 'float8_e5m2fnuz', 'float8_e8m0fnu', 'int1', 'int2',
           'int4', 'uint1', 'uint2', 'uint4')
_named.update({name: onp.dtype(getattr(ml_dtypes, name)) for name in _packed if hasattr(ml_dtypes, name)})
for _name, _dtype in _named.items():
    globals()[_name] = ScalarType(_name, _dtype)
    __all__.append(_name)
globals()['bool'] = globals()['bool_']
__all__.append('bool')


def _plain(value):
    """A dtype from anything that names or has one."""
    return value.dtype if isinstance(value, Array) else dtypes.as_dtype(value)


class finfo:
    """Limits of a floating dtype, or of the parts of a complex one, as Python numbers; `dtype` is the dtype itself.

    eps, epsneg, max, min, tiny (also smallest_normal), smallest_subnormal, resolution; bits, precision, nmant, nexp,
    iexp, machep, negep, minexp, maxexp. Raises ValueError for a dtype that is not floating.

    >>> import lazy.numpy as np
    >>> np.finfo(np.float32).eps
    1.1920928955078125e-07
    """

    def __init__(self, dtype):
        found = _plain(dtype)
        if dtypes.kind(found) not in 'fc':
            raise ValueError(f'data type {found} not inexact')
        self.dtype = dtypes.real_of(found)
        limits = ml_dtypes.finfo(self.dtype)
        for name in ('eps', 'epsneg', 'max', 'min', 'tiny', 'smallest_normal', 'smallest_subnormal', 'resolution'):
            setattr(self, name, float(getattr(limits, name)))
        for name in ('bits', 'precision', 'nmant', 'nexp', 'iexp', 'machep', 'negep', 'minexp', 'maxexp'):
            setattr(self, name, int(getattr(limits, name)))

    def __repr__(self):
        return f'finfo(dtype={self.dtype.name}, bits={self.bits}, eps={self.eps}, min={self.min}, max={self.max})'


class iinfo:
    """Limits of an integer dtype: bits, min, max.

    >>> import lazy.numpy as np
    >>> np.iinfo(np.int32).max
    2147483647
    """

    def __new__(cls, dtype):
        found = _plain(dtype)
        if not dtypes.is_integer(found):
            raise ValueError(f'data type {found} not integer')
        return dtypes.iinfo(found)


def result_type(*args):
    """The dtype that operands of these arrays, scalars and dtypes are promoted to.

    >>> import lazy.numpy as np
    >>> np.result_type(np.int32, np.float32(1)).name
    'float32'
    """
    if not args:
        raise ValueError('at least one array or dtype is required')
    return dtypes.promote(*[_type_of(x) for x in args])[0]


def _type_of(x):
    if isinstance(x, Array):
        return x.dtype, x.weak_type
    if any(x is t for t in (bool_builtin, int, float, complex)):
        return dtypes.as_dtype(x), True
    if isinstance(x, (type, str, onp.dtype)):
        return dtypes.as_dtype(x), False
    if hasattr(x, 'dtype') and hasattr(x, 'shape'):
        return dtypes.as_dtype(x.dtype), getattr(x, 'weak_type', False)
    node = node_of(x)
    return node.aval.dtype, node.aval.weak


bool_builtin = type(True)


def promote_types(a, b):
    """The smallest dtype that both are promoted to; Python's scalar types are weak."""
    return dtypes.promote(_type_of(a if isinstance(a, type) else dtypes.as_dtype(a)),
                          _type_of(b if isinstance(b, type) else dtypes.as_dtype(b)))[0]


def can_cast(from_, to, casting='safe'):
    """Whether a conversion between dtypes is possible under a rule of casting, as NumPy defines it."""
    source = _plain(from_) if not isinstance(from_, (bool_builtin, int, float, complex)) else dtypes.scalar_dtype(from_)
    target = dtypes.as_dtype(to)
    if casting == 'safe' and dtypes.bfloat16 in (source, target) and 1 < min(source.itemsize, target.itemsize):
        return dtypes.promote((source, False), (target, False))[0] == target
    return onp.can_cast(source, target, casting)


_KINDS = {'bool': 'b', 'signed integer': 'i', 'unsigned integer': 'u', 'integral': 'iu', 'real floating': 'f',
          'complex floating': 'c', 'numeric': 'iufc'}


def isdtype(dtype, kind):
    """Whether a dtype is of a kind: a dtype; 'bool', 'integral', 'numeric', ... of the array API; a tuple of such."""
    found = dtypes.as_dtype(dtype)
    if isinstance(kind, tuple):
        return any(isdtype(found, k) for k in kind)
    if isinstance(kind, str) and kind in _KINDS:
        return dtypes.kind(found) in _KINDS[kind]
    if isinstance(kind, str) and kind not in [d.name for d in dtypes.ALL]:
        raise ValueError(f'{kind!r} is no kind of dtype: the kinds are {", ".join(_KINDS)}')
    return found == dtypes.as_dtype(kind)


def issubdtype(arg1, arg2):
    """NumPy's issubdtype, where bfloat16 and float8 count as floating, int4 as an integer."""
    first = dtypes.as_dtype(arg1) if not (isinstance(arg1, type) and issubclass(arg1, onp.generic)
                                          and arg1.__name__ in _abstract) else arg1
    second = arg2
    if isinstance(second, type) and not isinstance(second, ScalarType) and issubclass(second, onp.generic) \
            and second.__name__ in _abstract:
        return onp.issubdtype(dtypes.held_as(first), second)
    if isinstance(first, type):
        return False
    return first == dtypes.as_dtype(second)


def iscomplexobj(x):
    """Whether the dtype is complex."""
    return x is not None and dtypes.kind(_type_of(x)[0]) == 'c'


def isrealobj(x):
    """Whether the dtype is not complex."""
    return not iscomplexobj(x)


def isscalar(element):
    """Whether it is a number, or an array of no dimensions."""
    if isinstance(element, Array):
        return element.ndim == 0
    return onp.isscalar(element) or hasattr(element, 'shape') and element.shape == ()
