"""Values of a Triton kernel: the text of operations, conversions, loads and stores.

Floats narrower than float32 are held as float32 ("register types"), and rounded where they are stored or converted to.
Integers of 4 bits are held in 8, and wrapped after every operation; in memory they are the low bits of a byte.
"""
import math

import numpy as np

from ..ir import dtypes, ops
from ..ir.reference import fill_value
from .schedule import IN_ONE_PIECE

TYPES = {'bool': 'i1', 'int8': 'i8', 'uint8': 'u8', 'int16': 'i16', 'uint16': 'u16', 'int32': 'i32', 'uint32': 'u32',
         'int64': 'i64', 'uint64': 'u64', 'float16': 'fp16', 'bfloat16': 'bf16', 'float32': 'fp32', 'float64': 'fp64',
         'float8_e4m3fn': 'fp8e4nv', 'float8_e5m2': 'fp8e5', 'int4': 'i8', 'uint4': 'u8'}
_LANGUAGE = {'bool': 'int1', 'float8_e4m3fn': 'float8e4nv', 'float8_e5m2': 'float8e5', 'int4': 'int8', 'uint4': 'uint8'}
# Operations on the bits that a value has, not on its number: as what those of 4 bits are taken.
_OF_BITS = {ops.population_count: 'uint4', ops.clz: 'uint4', ops.shift_right_logical: 'uint4',
            ops.shift_right_arithmetic: 'int4'}

# Of booleans, int1 to Triton, arithmetic would wrap around.
_OF_BOOL = {'add': '{0} | {1}', 'mul': '{0} & {1}', 'max': '{0} | {1}', 'min': '{0} & {1}', 'eq': '~({0} ^ {1})',
            'ne': '{0} ^ {1}', 'lt': '~{0} & {1}', 'le': '~{0} | {1}', 'gt': '{0} & ~{1}', 'ge': '{0} | ~{1}'}


def register_type(dtype):
    """Triton's name of the type in which values of a dtype are held."""
    return storage_type(dtypes.held_as(dtype))


def storage_type(dtype):
    return 'tl.' + _LANGUAGE.get(dtype.name, dtype.name)


def rounded(text, dtype):
    """Text of a float32 in the type that a narrow float is stored in."""
    if dtype in (dtypes.float8_e4m3fn, dtypes.float8_e5m2):
        return f'lz_{dtype.name}({text})'                            # the hardware's conversions know no infinity
    return f'{text}.to({storage_type(dtype)})'


def extreme(dtype, low):
    kind = dtypes.kind(dtype)
    if kind == 'f':
        return -np.inf if low else np.inf
    if kind == 'b':
        return not low
    return dtypes.iinfo(dtype).min if low else dtypes.iinfo(dtype).max


def identity(reduction, dtype):
    """The neutral element of a reduction."""
    kind = dtypes.kind(dtype)
    if reduction in ('max', 'min'):
        return extreme(dtype, reduction == 'max')
    if reduction == 'and':
        return True if kind == 'b' else -1 if kind == 'i' else dtypes.iinfo(dtype).max
    value = {'add': 0, 'mul': 1, 'or': 0, 'logaddexp': -np.inf}[reduction]
    return bool(value) if kind == 'b' else float(value) if kind == 'f' else value


def constant(value, as_int=False):
    """A constant in Triton source."""
    if isinstance(value, (bool, np.bool_)):
        return str(int(value)) if as_int else str(bool(value))
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    value = float(value)
    return repr(value) if np.isfinite(value) else f"float('{value}')"


class Values:
    """The part of the printer that computes entries and moves them. The rest of it says where a program stands: the
    indices of axes, the masks, the arguments.
    """

    # --- operations ---------------------------------------------------------------------------------------------

    def _operation(self, x, args, values):
        source, op, params = x.operand_dtype, x.op, dict(zip(x.op.param_names, x.params or ()))
        if op is ops.convert:
            return self._convert(args[0], self.k.entries[x.args[0]].dtype, params['dtype'])
        if op is ops.bitcast:
            return self._bitcast(args[0], source, params['dtype'])
        if op is ops.integer_pow:
            return self._power(args[0], source, params['n'])
        if op is ops.nextafter:
            return self._nextafter(args, source)
        if op in (ops.threefry2x32, ops.philox4x32):
            return self._random_word(op, args, params['word'], values)
        if source in dtypes.NARROW_INTEGERS and op in _OF_BITS:
            args = [f'lz_{_OF_BITS[op]}({args[0]})', *args[1:]]
        text = (_OF_BOOL.get(op.name) if source == dtypes.bool_ else None) or op.triton
        if source in dtypes.NARROW_INTEGERS and op is ops.clz:
            text += ' - 4'
        return self.let(op.name, self.wrapped(text.format(*args, **params), x.dtype))

    def wrapped(self, text, dtype):
        """The text, with only the low bits kept where the dtype has only these."""
        return f'lz_{dtype.name}({text})' if dtype in dtypes.NARROW_INTEGERS else text

    def _convert(self, value, source, target):
        if target == dtypes.bool_:
            return self.let('nonzero', f'{value} != 0')
        kind, to = dtypes.kind(target), register_type(target)
        if dtypes.kind(source) == 'f' and kind in 'iu':
            info = dtypes.iinfo(target)
            return self.let('integer', f'lz_saturate({value}, {info.min}, {info.max}, {to})')
        if target in dtypes.NARROW_FLOATS:
            if source == dtypes.float64 and target.itemsize == 1:
                single = f'lz_round_to_odd({value})'
            else:
                single = value if register_type(source) in ('tl.float32', 'tl.float64') else f'{value}.to(tl.float32)'
            return self.let('rounded', f'{rounded(single, target)}.to(tl.float32)')
        if target in dtypes.NARROW_INTEGERS:
            return self.let(target.name, self.wrapped(value, target))
        if register_type(source) == to:
            return value
        return self.let(target.name, f'{value}.to({to})')

    def _bitcast(self, value, source, target):
        if target in dtypes.NARROW_INTEGERS:
            return self.let('bits', self.wrapped(value, target))
        narrow = rounded(value, source) if source in dtypes.NARROW_FLOATS else value
        wide = '.to(tl.float32)' if target in dtypes.NARROW_FLOATS else ''
        return self.let('bits', f'{narrow}.to({storage_type(target)}, bitcast=True){wide}')

    def _power(self, x, dtype, n):
        """x**n by repeated squaring, the same order of products as the reference."""
        if n == 0:
            return self.let('one', f'tl.where({x} == {x}, 1, 1).to({register_type(dtype)})')
        result, left, square = None, abs(n), x
        while left:
            if left & 1:
                result = square if result is None else self.let('power', self.wrapped(f'{result} * {square}', dtype))
            left >>= 1
            if left:
                square = self.let('square', self.wrapped(f'{square} * {square}', dtype))
        return self.let('power', f'lz_reciprocal({result})') if n < 0 else result

    def _nextafter(self, args, dtype):
        """Steps are those of the stored type."""
        x, y = [self._convert(arg, dtypes.float32, dtype) if dtype in dtypes.NARROW_FLOATS else arg for arg in args]
        integer = dtypes.as_dtype(f'int{8 * dtype.itemsize}')
        bits = self.let('bits', f'lz_step({x}, {y}, {self._bitcast(x, dtype, integer)})')
        return self.let('nextafter', ops.nextafter.triton.format(x, y, self._bitcast(bits, integer, dtype)))

    def _random_word(self, op, args, word, values):
        """All words of a block are made at once."""
        key = op.name, *args
        if key not in values:
            words = [self.fresh('random') for _ in range(2 if op is ops.threefry2x32 else 4)]
            self.line(f"{', '.join(words)} = {op.triton.removesuffix('[{word}]').format(*args)}")
            values[key] = words
        return values[key][word]

    def _ramp(self, x):
        offset, coefficients = self.k.ramps[x.number]
        terms = [self.number(f'ramp{x.number}', offset)] if offset else []
        for axis, c in enumerate(coefficients):
            if c and self.k.sizes[axis] != 1:
                i = self.index[axis]
                terms.append(i if c == 1 else f'{i} * {self.number(f"ramp{x.number}_s{axis}", c)}')
        if not terms:
            return self.let('zero', f'tl.full([], 0, {register_type(x.dtype)})')
        text = ' + '.join(terms)
        if x.dtype in dtypes.NARROW_FLOATS:
            return self.let('index', f'{rounded(f"tl.cast({text}, tl.float32)", x.dtype)}.to(tl.float32)')
        if x.dtype == dtypes.bool_:
            return self.let('index', f'{text} != 0')
        return self.let('index', self.wrapped(f'tl.cast({text}, {register_type(x.dtype)})', x.dtype))

    # --- memory -------------------------------------------------------------------------------------------------------

    def _pointer(self, number, more=()):
        """Text of the address."""
        return ' + '.join([self.array_of[number], *self._place_terms(number), *more])

    def _place_terms(self, number):
        """Terms of an element's number; what all of the tile shares comes first."""
        a, prefix = self.k.accesses[number], self.prefix[number]
        terms = [self.number(f'{prefix}_offset', a.offset, True)] if a.offset else []
        for axis in sorted(range(len(a.strides)), key=lambda axis: (len(self.dims([axis])), axis == self.k.lane)):
            s = a.strides[axis]
            if s and self.k.sizes[axis] != 1 and axis in self.index:
                terms.append(self.index[axis] if s == 1 else
                             f'{self.index[axis]} * {self.number(f"{prefix}_s{axis}", s, True)}')
        return terms

    def _load(self, e, x, values, reductions):
        a, number = self.k.accesses[x.number], x.number
        dims = self.dims(x.axes)
        options, more = [], []
        mask = self.mask(dims)
        if self.tile.padded and mask and not self.k.form == 'map':
            mask = 'readable'
        elif a.dynamic:
            more, mask, fill = self._positions(number, values, mask)
            options = [fill] if fill else []
        else:
            other = self.loaded_as[e] = self._identity_of_first(e, dims, reductions)
            options = [f'other={other}'] if other is not None else []
        masked = [f'mask={mask}'] if mask else []
        if a.packed:
            return self._load_packed(number, more, masked, options, a.dtype)
        options = masked + options
        suffix = '.to(tl.float32)' if a.dtype in dtypes.NARROW_FLOATS else ''
        stem = self.array_of[number] + ('_at' if a.dynamic else '_value')
        text = f'tl.load({", ".join([self._pointer(number, more), *options])}){suffix}'
        return self.let(stem, self.wrapped(text, a.dtype))

    def _load_packed(self, number, more, mask, options, dtype):
        """A load of elements that lie two in a byte."""
        terms = [*self._place_terms(number), *more]
        place = self.let('place', ' + '.join(terms)) if terms else '0'
        both = [f'other={(int(each.removeprefix("other=")) & 15) * 17}' for each in options]
        byte = self.let('byte', f'tl.load({", ".join([f"{self.array_of[number]} + ({place} >> 1)", *mask, *both])})')
        half = f'{byte} >> (({place} & 1) * 4).to(tl.uint8)' if terms else byte
        return self.let(f'{self.array_of[number]}_value', self.wrapped(half, dtype))

    def _identity_of_first(self, e, dims, reductions):
        """What masked lanes of a load are to hold so that a reduction can take them as they are."""
        if dims != ('l' if self.flat else 'rl'):
            return None
        for r in reductions:
            x = self.k.entries[r]
            if x.args[0] == e and x.op not in IN_ONE_PIECE:
                return constant(identity(x.op.reduction, x.operand_dtype))
        return None

    def _positions(self, number, values, mask):
        """(terms of the address, mask, 'other=...' or None) of a load at computed indices."""
        a, prefix = self.k.accesses[number], self.prefix[number]
        terms, conditions = [], [mask] if mask else []
        for entry, stride, size, axis in a.dynamic:
            dtype = self.k.entries[entry].dtype
            wide = self.tile.wide or dtype.itemsize == 8 or dtype == dtypes.uint32
            kind = 'tl.int64' if wide else 'tl.int32'
            at = values[entry] if dtype.name == kind[3:] else self.let('at', f'{values[entry]}.to({kind})')
            n = self.number(f'{prefix}_size{axis}', size)
            if a.mode == 'wrap':
                at = self.let('at', f'lz_wrap({at}, {n})')
            elif a.mode == 'clip':
                at = self.let('at', f'tl.minimum(tl.maximum({at}, 0), {n} - 1)')
            else:
                ok = self.let('valid', f'({at} >= 0) & ({at} < {n})')
                if a.mode == 'error':
                    self._report(ok, self.mask(self.dims(self.k.entries[entry].axes)))
                conditions.append(ok)
            if wide and not self.tile.wide:
                at = f'{at}.to(tl.int32)'
            terms.append(at if stride == 1 else f'{at} * {self.number(f"{prefix}_step{axis}", stride)}')
        outside = fill_value(a.dtype).astype(dtypes.held_as(a.dtype))[()]
        fill = f'other={constant(outside)}' if a.mode == 'fill' else None
        return terms, ' & '.join(conditions) or None, fill

    def _search(self, x, query):
        (_, stride, size, _), = self.k.accesses[x.number].dynamic
        prefix, to = self.prefix[x.number], register_type(x.dtype)
        n, step = self.number(f'{prefix}_size', size), '1' if stride == 1 else self.number(f'{prefix}_step', stride)
        found = f'lz_search({self._pointer(x.number)}, {n}, {step}, {query}, {x.params[0] == "right"})'
        return self.let('place', found if to == 'tl.int32' else f'{found}.to({to})')

    def _report(self, ok, mask):
        self.line(f'lz_report({self.error()}, ~{ok}{f" & {mask}" if mask else ""})')

    def _store(self, number, value):
        k, a = self.k, self.k.accesses[number]
        axes = [axis for axis, s in enumerate(a.strides) if s and k.sizes[axis] != 1 and axis in self.index]
        mask = self.mask(self.dims(axes))
        more = []
        if k.split:
            results = math.prod([n for axis, n in enumerate(k.sizes) if axis not in k.reduced])
            more = [f'part * {self.number("results", results)}']
        if a.dtype in dtypes.NARROW_INTEGERS:
            value = f'{value} & 15'
        elif a.dtype in dtypes.NARROW_FLOATS:
            value = rounded(value, a.dtype)
        self.line(f'tl.store({self._pointer(number, more)}, {value}{f", mask={mask}" if mask else ""})')
