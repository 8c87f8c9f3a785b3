"""Throughput: the programs of `cases` on every library, after a check that their results agree."""
import os
import tempfile

import numpy as onp

from . import cases, libraries, peers, processes
from .tables import Column, Table, library_columns

NAME, TITLE = 'throughput', 'Throughput on the CPU'
EXPLANATION = """Milliseconds of a call that is compiled already: the median of repeated calls, of which the smallest over
the rounds. In parentheses: this time over lazy's, above 1 lazy is faster. Every figure is from a process of its own; the
libraries take turns, and each one's result is compared with NumPy's before it is timed. torch.compile and numba run with
their defaults (numba: prange, fastmath). '-' stands for what a library has no program for, or where it failed (see the
notes)."""


def table(options):
    """The table, measured."""
    libs = libraries.installed(options.libraries)
    result = Table(NAME, TITLE, EXPLANATION, columns(libs), settings=options.settings())
    for case in chosen(options):
        add_case(result, case, libs, options, NAME)
    return result


def columns(libs):
    """Case, a column for each library, and the description."""
    return [Column('case', 'case'), *library_columns(libs, libraries.LABELS), Column('what', 'what')]


def chosen(options):
    """The cases that are asked for."""
    return [case for name, case in cases.CASES.items() if not options.cases or name in options.cases]


def add_case(result, case, libs, options, module, device=None):
    """Measure one case on all libraries that have it and add the row."""
    libs = [lib for lib in libs if has(case, lib)]
    environ = {'JAX_ENABLE_X64': '1'} if case.dtype == 'float64' else {}
    with tempfile.TemporaryDirectory() as folder:
        reference = os.path.join(folder, 'reference.npz')
        try:
            processes.run(module, library='numpy', case=case.name, quick=options.quick, reference=reference, write=True)
        except processes.Failed as error:
            return result.note(f'{case.name}: no reference: {error}')
        best, errors = processes.in_turn(module, libs, options.rounds, environ=environ, case=case.name,
                                         quick=options.quick, reference=reference, device=device)
    result.add({'case': case.name, 'what': case.what, **best})
    for lib, error in errors.items():
        result.note(f'{case.name}, {libraries.LABELS[lib]}: {error}')


def has(case, library):
    """Whether a library has a program for a case."""
    if library in ('numba', 'numexpr'):
        known = peers.NUMBA if library == 'numba' else peers.NUMEXPR
        return case.program.__name__ in known and case.dtype != 'bfloat16'
    return True


# --- in a process of its own -------------------------------------------------------------------------------------

def measure(library, case, quick, reference, device=None, write=False):
    """{'value': ms} of a case on a library; with `write` its result becomes the reference instead.

    ValueError where the result is not the reference's.
    """
    case = cases.CASES[case]
    arrays = cases.draw(case, cases.quick_size if quick else cases.full_size)
    if write:
        return write_reference(case, arrays, reference)
    lib = libraries.load(library, device)
    function, arrays = program(case, lib, library), [lib.array(x) for x in arrays]
    call = lambda: lib.wait(function(*arrays))
    check(case, [lib.numpy(x) for x in as_tuple(call())], as_tuple(load_reference(reference)))
    return {'value': processes.median_ms(call, seconds=0.1 if quick else 1.5)}


def program(case, lib, library):
    """The function to time."""
    of = onp.dtype(case.dtype).type if case.dtype != 'bfloat16' else None
    name = case.program.__name__
    if library == 'numba':
        return peers.NUMBA[name](of)
    if library == 'numexpr':
        made = peers.NUMEXPR[name](of)
        return _ARRANGED.get(name, lambda f: f)(made)
    text = case.numpy if library == 'numpy' and case.numpy else case.program
    return lib.compile(libraries.bound(text, lib))


def _stencil(evaluate):
    def call(u):
        out = u.copy()
        out[1:-1, 1:-1] = evaluate(u[1:-1, :-2], u[1:-1, 2:], u[:-2, 1:-1], u[2:, 1:-1])
        return out
    return call


# How the inputs of a case are arranged for numexpr, which has no indexing.
_ARRANGED = {'broadcast': lambda f: lambda x, y, z: f(x[:, None], y, z),
             'transpose_add': lambda f: lambda a, b: f(a, b.T), 'stencil': _stencil}


def as_tuple(result):
    return tuple(result) if isinstance(result, (tuple, list)) else (result,)


def write_reference(case, arrays, file):
    """The result by NumPy; of bfloat16 inputs in float32."""
    lib = libraries.load('numpy')
    arrays = [x.astype('float32') if case.dtype == 'bfloat16' else x for x in arrays]
    results = as_tuple(libraries.bound(case.numpy or case.program, lib)(*arrays))
    onp.savez(file, *[onp.asarray(x) for x in results])
    return {}


def load_reference(file):
    with onp.load(file) as found:
        return [found[name] for name in sorted(found.files, key=lambda name: int(name[4:]))]


def check(case, got, expected):
    """ValueError unless all outputs agree within the tolerance of the case's dtype."""
    if len(got) != len(expected):
        raise ValueError(f'{len(got)} results instead of {len(expected)}')
    tolerance = cases.TOLERANCE[case.dtype]
    for i, (x, y) in enumerate(zip(got, expected)):
        if x.shape != y.shape:
            raise ValueError(f'result {i} has shape {x.shape} instead of {y.shape}')
        kind = 'float64' if y.dtype.kind == 'f' else 'int64'
        x, y = x.astype(kind), y.astype(kind)
        allowed = tolerance * (abs(y) + abs(y).mean()) if kind == 'float64' else 0
        wrong = ~(abs(x - y) <= allowed)
        if wrong.any():
            raise ValueError(f'result {i} differs from the reference at {wrong.mean():.2%} of its elements, '
                             f'by up to {abs(x - y).max():.3g}')
