"""Accuracy: the largest error of each elementwise function and dtype, through the public functions.

Arguments: all values of the 16-bit types; for the others every exponent with random mantissas, random bit patterns,
powers of two and their neighbours, special values, ranges of everyday size, and neighbourhoods of critical points.
The reference is float64 for float32 and 16 bits, long double or mpmath (140 bits) for float64.
"""
import functools
import time

import numpy as np

from . import functions, libraries, processes
from .tables import Column, Table

NAME, TITLE = 'accuracy', 'Accuracy of elementwise functions'
EXPLANATION = """The largest error in units in the last place (ulp) of the exact result, rounded to the dtype, and the
argument where it is. 0.5 is the best that rounding allows; 0.500 to 0.501 is correctly rounded. Errors above 4 are
marked with `!`. Subnormal results are measured in the smallest subnormal. `differs` says that one of the two is a
special value and the other is not. Where terms of a formula cancel (gammaln and digamma at negative arguments,
logaddexp, rel_entr, betaln), the unit is that of the larger term; of oscillating functions (Bessel functions, Ci, sinc)
it is that of their amplitude. Rows of kind `library` are functions that NumPy and SciPy compute in float64, on the
ranges that perf/functions.py says."""
DTYPES = ('float32', 'float64', 'float16', 'bfloat16')
LIMIT = 4.0
SAMPLES = {'float32': 400_000, 'float64': 200_000, 'float16': 1 << 16, 'bfloat16': 1 << 16}
SCIPY_ERROR = 2.0**-48      # relative, of the float64 functions that serve as reference for narrower types


def table(options):
    """The table, measured: a process for each function."""
    columns = [Column('case', 'function'), *[Column(name, name, show) for name in DTYPES], Column('kind', 'kind')]
    result = Table(NAME, TITLE, EXPLANATION, columns, settings=options.settings())
    for name, function in functions.FUNCTIONS.items():
        if options.cases and name not in options.cases:
            continue
        try:
            found = processes.run('accuracy', timeout=120, case=name, quick=options.quick)
        except processes.Failed as error:
            result.note(f'{name}: {error}')
            continue
        result.add({'case': name, 'kind': function.kind, **found['errors']})
    for kind, what in (('basic', 'operations'), ('composed', 'functions of several operations'),
                       ('library', 'functions that NumPy computes')):
        above = [f'{row["case"]} {dtype}' for row in result.rows for dtype in ('float32', 'float64')
                 if row['kind'] == kind and is_above(row[dtype])]
        result.note(f'{what} above {LIMIT:g} ulp in float32 or float64: {", ".join(above) or "none"}')
    return result


def is_above(found):
    """Whether a cell is marked."""
    return found['ulp'] is None or found['ulp'] > LIMIT


def show(found, _row):
    """A cell: the error and where it is."""
    if 'error' in found:
        return found['error']
    where = ', '.join(f'{x:.6g}' for x in found['at'])
    if found['ulp'] is None:
        return f'differs ! at {where}: {found["got"]} not {found["exact"]}'
    return f'{found["ulp"]:.4g}{" !" if is_above(found) else ""}' + (f' at {where}' if found['ulp'] else '')


def measure(case, quick):
    """{'errors': {dtype: {'ulp', 'at', 'got', 'exact', 'samples'}}} of a function; 'ulp' is None where special values
    differ."""
    function, errors = functions.FUNCTIONS[case], {}
    for dtype in DTYPES:
        try:
            errors[dtype] = worst(function, dtype, quick)
        except (TypeError, NotImplementedError) as error:
            errors[dtype] = {'error': type(error).__name__, 'ulp': 0.0, 'text': str(error)[:200]}
    return {'errors': errors}


def worst(function, dtype, quick):
    """The largest error of a function in a dtype."""
    with np.errstate(all='ignore'):
        xs = [with_quiet_nans(x) for x in arguments(function, dtype, SAMPLES[dtype] // (50 if quick else 1))]
        xs, exact = reference(function, dtype, xs, 0.5 if quick else 3.0)
        got = evaluate(function, xs)
        if got.dtype != xs[0].dtype:
            raise TypeError(f'the result is {got.dtype}')
        scale = function.scale(*[x.astype(exact.dtype) for x in xs]) if function.scale else 0
        error = ulps(got, exact, xs[0].dtype, scale)
    i = int(np.argmax(error))
    return {'ulp': float(error[i]) if np.isfinite(error[i]) else None, 'at': [float(x[i]) for x in xs],
            'got': str(got[i]), 'exact': str(exact[i]), 'samples': len(got)}


def evaluate(function, xs):
    """The result of the library on the default target."""
    import lazy.numpy
    return np.asarray(functions.public(function)(*[lazy.numpy.asarray(x) for x in xs]))


# --- arguments ---------------------------------------------------------------------------------------------------

def type_of(dtype):
    return libraries.bfloat16() if dtype == 'bfloat16' else np.dtype(dtype)


def arguments(function, dtype, count):
    """Arrays of arguments, the same in every run."""
    random, kind = np.random.default_rng(7), type_of(dtype)
    ranges = [[box] for box in function.ranges] if function.arity == 1 else function.ranges
    boxes = [[random.uniform(*one, count // 8).astype(kind) for one in box] for box in ranges]
    if function.confined:
        return [np.concatenate(column) for column in zip(*boxes)]
    if function.arity == 1 and kind.itemsize == 2:
        return [np.arange(1 << 16, dtype='uint16').view(kind)]
    line = numbers(function, kind, count, random)
    if function.arity == 1:
        return [line]
    columns = [[random.permutation(line), random.permutation(line)], edges(function, kind), *boxes]
    return [np.concatenate(column) for column in zip(*columns)]


def with_quiet_nans(x):
    """x with the usual NaN in place of signalling ones, for which functions may do anything."""
    return np.where(np.isnan(x), np.array(np.nan, x.dtype), x)


def numbers(function, kind, count, random):
    """One operand: every kind of argument that the explanation at the top names."""
    ranges = function.ranges if function.arity == 1 else ()
    everyday = [(-1, 1), (-10, 10), (0, 3), (-100, 100), (-1e4, 1e4), *ranges]
    parts = [every_exponent(kind, random, max(4, count // 4096)), bit_patterns(kind, random, count // 3),
             special_values(kind), powers(kind)]
    parts += [random.uniform(*one, count // 12).astype(kind) for one in everyday]
    parts += [neighbourhood(point, kind, random) for point in function.near]
    return np.concatenate(parts)


def bits_of(kind):
    return np.dtype(f'uint{8 * kind.itemsize}')


def bit_patterns(kind, random, count):
    return random.integers(0, np.iinfo(bits_of(kind)).max, count, bits_of(kind), endpoint=True).view(kind)


def mantissa_bits(kind):
    return {'float16': 10, 'bfloat16': 7, 'float32': 23, 'float64': 52}[kind.name]


def every_exponent(kind, random, each):
    """`each` random mantissas for each exponent and sign."""
    bits, mantissa = bits_of(kind), mantissa_bits(kind)
    heads = np.arange(1 << 8 * kind.itemsize - mantissa, dtype=bits) << bits.type(mantissa)
    tails = random.integers(0, 1 << mantissa, (each, len(heads)), bits)
    return (heads | tails).ravel().view(kind)


def powers(kind):
    """Powers of two and their neighbours, of both signs."""
    bits, mantissa = bits_of(kind), mantissa_bits(kind)
    heads = np.arange(1, 1 << 8 * kind.itemsize - mantissa - 1, dtype=bits) << bits.type(mantissa)
    sign = bits.type(1 << 8 * kind.itemsize - 1)
    around = np.concatenate([heads - bits.type(1), heads, heads + bits.type(1)])
    return np.concatenate([around, around | sign]).view(kind)


def special_values(kind):
    values = np.array([0, 1, 0.5, 2, 3, np.inf, 1e-5, 0.25, 20, 100, 1000], kind)
    largest, tiny = [np.array([v], bits_of(kind)).view(kind) for v in _limits(kind)]
    values = np.concatenate([values, largest, tiny, np.array([1], bits_of(kind)).view(kind)])
    return np.concatenate([values, -values, np.array([np.nan], kind)])


def _limits(kind):
    """Bit patterns of the largest finite and the smallest normal number."""
    mantissa = mantissa_bits(kind)
    infinity = (1 << 8 * kind.itemsize - 1) - (1 << mantissa)
    return infinity - 1, 1 << mantissa


def neighbourhood(point, kind, random):
    """The nearest 200 numbers on both sides, and numbers that come closer by factors."""
    centre = np.array([point], kind)
    steps = np.arange(-200, 201).astype(bits_of(kind))
    near = (centre.view(bits_of(kind)) + steps).view(kind)
    distance = 10.0 ** random.uniform(-18, -0.5, 600) * random.choice([-1, 1], 600) * max(abs(point), 1)
    return np.concatenate([near, (point + distance).astype(kind)])


def edges(function, kind):
    """All pairs of special values and critical points."""
    values = np.concatenate([special_values(kind), np.array(function.near, kind)])
    return [edge.ravel() for edge in np.meshgrid(values, values)]


# --- references --------------------------------------------------------------------------------------------------

def reference(function, dtype, xs, seconds):
    """(arguments, exact results): fewer arguments where mpmath computes them, as many as fit into `seconds`."""
    if dtype != 'float64':
        exact = function.exact(*[x.astype(np.float64) for x in xs])
        return xs, exact.astype(np.float64)
    if function.mp:
        return by_mpmath(function, xs, seconds)
    if np.finfo(np.longdouble).nmant < 63:
        raise NotImplementedError('long double is not wider than float64 here')
    return xs, function.exact(*[x.astype(np.longdouble) for x in xs])


def by_mpmath(function, xs, seconds):
    """(arguments, exact results) for as many of the arguments, in random order, as there is time for.

    Infinities, NaN, poles and arguments outside of the domain, for which mpmath has no number, are SciPy's.
    """
    order = np.random.default_rng(3).permutation(len(xs[0]))
    xs = [x[order] for x in xs]
    rough, finite = function.exact(*xs).astype(np.longdouble), np.all([np.isfinite(x) for x in xs], 0)
    asked = finite & (np.all([abs(x) < 1e5 for x in xs], 0) | ~np.isfinite(rough) & (xs[0] > 0))
    kept, exact, end = [], [], time.perf_counter() + seconds
    for i in np.flatnonzero(asked):
        value = one_by_mpmath(function, *[float(x[i]) for x in xs])
        if value is not None or not np.isfinite(rough[i]):
            kept.append(i)
            exact.append(rough[i] if value is None else value)
        if time.perf_counter() > end:
            break
    special = np.flatnonzero(~finite)
    kept = np.concatenate([np.array(kept, int), special])
    return [x[kept] for x in xs], np.concatenate([np.array(exact, np.longdouble), rough[special]])


def one_by_mpmath(function, *values):
    """The exact result as long double; None where mpmath has none."""
    import mpmath
    try:
        with mpmath.workprec(140):
            found = function.mp(mpmath, *map(mpmath.mpf, values))
            if found is None or isinstance(found, mpmath.mpc):
                return None
            return np.longdouble(mpmath.nstr(mpmath.mpf(found), 25))
    except (ValueError, ZeroDivisionError, OverflowError, NotImplementedError, mpmath.libmp.NoConvergence):
        return None


@functools.cache
def limits(name):
    """(largest number, smallest normal one, mantissa bits) of a dtype."""
    kind = type_of(name)
    largest, tiny = [float(np.array([v], bits_of(kind)).view(kind)[0]) for v in _limits(kind)]
    return largest, tiny, mantissa_bits(kind)


@np.errstate(all='ignore')
def ulps(got, exact, kind, scale=0):
    """|got - exact| in ulp of exact, or of `scale` where that is larger; infinite where special values differ."""
    largest, tiny, mantissa = limits(kind.name)
    rounded, got = exact.astype(kind).astype(exact.dtype), got.astype(exact.dtype)
    size = np.maximum(np.maximum(abs(exact), scale), tiny)
    size = np.where(np.isfinite(size), np.minimum(size, largest), 1)
    unit = np.ldexp(np.ones_like(size), np.frexp(size)[1] - 1 - mantissa)
    error = abs(got - exact) / unit
    special = ~(np.isfinite(rounded) & np.isfinite(got))
    finite = np.where(np.isfinite(got), got, rounded)       # if one overflows, the other must be the largest number
    near = (abs(finite) == largest) & (np.sign(got) == np.sign(rounded))
    same = (got == rounded) | (np.isnan(got) & np.isnan(rounded)) | near
    return np.where(special, np.where(same, 0, np.inf), error)
