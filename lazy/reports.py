"""explain: which kernels, products and library calls a value or a function takes, what is in each, why, at what cost.

The report is read off the compiled program: what `explain` shows is what runs. Bytes and operations are counted from
the kernels' accesses and bodies; the limit is what memory and arithmetic of this machine need for them at least.
"""
import html
import os
import textwrap

import numpy as onp

from . import evaluate, trees as tree
from .array import Array, as_node, wrap
from .config import config
from .ir import build, ops
from .ir.graph import line_of, where
from .transforms import ShapeDtypeStruct

__all__ = ['explain', 'Report', 'Work']


def explain(x, *args, measure=False, **kwargs):
    """What computing `x` would run, or what the call `x(*args, **kwargs)` of a function runs: a Report.

    x: an array that is pending, a pytree of such, or a function. Nothing is run, unless the function itself asks for a
    value; arguments may be `lazy.ShapeDtypeStruct` as well. measure: run it a few times, and give the shortest time of
    each kernel beside the estimated one; arguments need values then. Raises what compiling raises: FusionError where
    a fused function can't be one kernel.

    print(report) is a table; in a notebook the report is a drawing. For programs: report.kernels, report.launches
    (kernels, matrix products and library calls in order), and of each .operations, .shape, .dtypes, .bytes_read,
    .bytes_written, .flops, .estimated_ns, .measured_ns, .lines, .reason; report.source('native') or ('triton') is the
    kernels' code.

    >>> import lazy, lazy.numpy as np
    >>> report = lazy.explain(lambda x: np.exp(x).sum(-1), np.ones((8, 100)))
    >>> [kernel.text for kernel in report.kernels]
    ['exp → sum']
    """
    if callable(x) and not isinstance(x, Array):
        found = _traced(x, args, kwargs)
    else:
        if args or kwargs:
            raise TypeError('explain takes further arguments only with a function')
        found = _pending(x)
    if found is None:
        return Report([], [], 0)
    from .codegen import compile_program
    with evaluate.lock:
        program = compile_program(found, config.target)
    return _report(program, found, measure)


# --- what is to be computed -----------------------------------------------------------------------------------------

def _pending(x):
    """The walk from the arrays in x, or None where all have values."""
    leaves = tree.leaves(x)
    for leaf in leaves:
        if not isinstance(leaf, Array):
            raise TypeError(f'explain takes arrays or a function with its arguments, not {type(leaf).__name__}')
    roots = [node for node in dict.fromkeys([leaf._node for leaf in leaves]) if node.value is None]
    with evaluate.lock:
        return evaluate.walk(roots) if roots else None


def _traced(f, args, kwargs):
    """The walk from the results of f, its arguments being given; None where nothing is computed."""
    leaves, treedef = tree.flatten((args, kwargs))
    evaluate.force([leaf._node for leaf in leaves if isinstance(leaf, Array) and not evaluate.thread.tracing])
    variables = []
    with evaluate.trace():
        for i, leaf in enumerate(leaves):
            if isinstance(leaf, ShapeDtypeStruct):
                node = build.variable(_aval(leaf))
                variables.append(node)
            elif isinstance(leaf, (Array, onp.ndarray, onp.generic)):
                given = as_node(leaf)
                node = build.leaf(given.value, given.aval.shape, given.aval.dtype, given.aval.weak)
            else:
                continue
            leaves[i] = wrap(node)
        new_args, new_kwargs = tree.unflatten(treedef, leaves)
        results = tree.leaves(f(*new_args, **new_kwargs))
        outputs = [as_node(leaf) for leaf in results if not _is_no_array(leaf)]
    for variable in variables:
        variable.value = _Missing()
    roots = [node for node in dict.fromkeys(outputs) if node.value is None and node.op is not ops.literal]
    if not roots:
        return None
    with evaluate.lock:
        found = evaluate.walk(roots)
    found.live = found.free = ()
    return found


def _aval(struct):
    from .transforms import _aval_of
    return _aval_of(struct)


def _is_no_array(leaf):
    return not isinstance(leaf, (Array, onp.ndarray, onp.generic))


class _Missing:
    """Stands in the place of the buffer of an argument that is a ShapeDtypeStruct."""

    def __getattr__(self, name):
        raise ValueError('explain(..., measure=True) needs arguments with values')


# --- the report -----------------------------------------------------------------------------------------------------

class Work:
    """One kernel, one matrix product by kernels of our own, or one call of a library.

    kind: 'kernel', 'product' or 'library'. operations: names in order. text: the same in short. shape: of the loops (of
    the result, for others). dtypes: names. bytes_read, bytes_written: of memory outside of the kernel. flops:
    operations on elements, a `tanh` counting as one. estimated_ns: what the machine takes at least, and `limit` says of
    what: 'memory' or 'arithmetic'. measured_ns: with measure=True. lines: 'file:line' of what is in it. reads, writes:
    (name, shape, dtype, bytes) of arrays. launches: 2 where a second small kernel combines parts of a reduction.
    reason: why it is a step of its own.
    """

    def __init__(self, kind, number, operations, text, shape, dtypes, flops, lines, reason):
        self.kind, self.number, self.operations, self.text = kind, number, tuple(operations), text
        self.shape, self.dtypes, self.flops, self.lines, self.reason = tuple(shape), tuple(dtypes), flops, lines, reason
        self.bytes_read = self.bytes_written = self.estimated_ns = 0
        self.measured_ns, self.limit, self.launches = None, 'memory', 1
        self.reads, self.writes = [], []
        self._kernels = []

    def __repr__(self):
        return f'<{self.kind} {self.number}: {self.text}>'

    def source(self, target='native'):
        """The code of a kernel: LLVM IR ('native') or Python ('triton'). A product or a library call has none."""
        from .codegen import texts
        return '\n\n'.join([texts.source(kernel, target, f'kernel{self.number}{"_combine" if i else ""}')
                            for i, kernel in enumerate(self._kernels)])


class Report:
    """What `explain` found. str(report) is a table; notebooks draw it.

    launches: all work in order; kernels: the kernels of them; stored: bytes of values that one kernel stores for
    another; flushes: (why, operations, line) of the last times that pending work was started by itself.
    """

    def __init__(self, launches, edges, stored, target='native'):
        self.launches, self.edges, self.stored, self.target = launches, edges, stored, target
        self.kernels = [work for work in launches if work.kind == 'kernel']
        self.flushes = list(evaluate.flushes)[-3:]

    bytes_read = property(lambda self: sum(work.bytes_read for work in self.launches))
    bytes_written = property(lambda self: sum(work.bytes_written for work in self.launches))
    flops = property(lambda self: sum(work.flops for work in self.launches))
    estimated_ns = property(lambda self: sum(work.estimated_ns for work in self.launches))

    @property
    def measured_ns(self):
        times = [work.measured_ns for work in self.launches]
        return None if None in times else sum(times)

    def source(self, target='native'):
        """The code of all kernels: LLVM IR for 'native', Triton's Python for 'triton'."""
        return '\n\n'.join([kernel.source(target) for kernel in self.kernels])

    def __repr__(self):
        return str(self)

    def __str__(self):
        return table(self)

    def _repr_svg_(self):
        from .drawing import svg
        return svg(self)

    def _repr_html_(self):
        text = html.escape(str(self))
        return f'<div>{self._repr_svg_()}<details><summary>table</summary><pre>{text}</pre></details></div>'


def _report(program, found, measure):
    if not hasattr(program, 'launches'):
        return _reference_report(program, found)
    from .codegen.inspection import Inspector
    inspector = Inspector(program)
    lines = lambda sources: list(dict.fromkeys([where(line_of(found.nodes, source)) for source in sources]))
    launches = []
    for number, part in enumerate(inspector.parts, 1):
        work = Work(part.kind, number, part.operations, part.text, part.shape, part.dtypes, part.flops,
                    [line for line in lines(part.sources) if line], part.reason)
        work.reads, work.writes = part.reads, part.writes
        work.launches, work._kernels = len(part.launches), part.kernels
        work.bytes_read, work.bytes_written = part.bytes_read, part.bytes_written
        work.estimated_ns, work.limit = part.estimate()
        launches.append(work)
    if measure:
        _measure(program, found, inspector, launches)
    return Report(launches, inspector.edges, inspector.stored)


def _measure(program, found, inspector, launches):
    from .codegen.measure import launch_times
    buffers = [leaf.value for leaf in found.leaves]
    for buffer in buffers:
        evaluate.wait(buffer)
    with evaluate.lock:
        times = launch_times(program, buffers, found.scalars, lambda source: line_of(found.nodes, source))
    for part, work in zip(inspector.parts, launches):
        work.measured_ns = sum(times[i] for i in part.launches)


def _reference_report(program, found):
    """The numpy target runs operation by operation."""
    launches = []
    instructions = program.linear.instructions
    for x, source in zip(instructions, program.linear.sources):
        if x.op in (ops.leaf, ops.literal) or isinstance(x.aval, tuple):
            continue
        line = where(line_of(found.nodes, source)) if source is not None else ''
        work = Work('library', len(launches) + 1, [x.op.name], x.op.name, x.aval.shape, [x.aval.dtype.name],
                    x.aval.size, [line] if line else [], 'the target numpy runs operations one by one')
        avals = [instructions[j].aval for j in x.inputs]
        work.bytes_read = sum(of.nbytes for of in avals if not isinstance(of, tuple))
        work.bytes_written = x.aval.nbytes
        launches.append(work)
    return Report(launches, [], 0, 'numpy')


# --- the table ------------------------------------------------------------------------------------------------------

_WIDTH = 100
_COLUMNS = (('', 3), ('what', 0), ('loops', 16), ('dtypes', 9), ('read', 8), ('written', 8), ('ops', 6), ('limit', 8))


def table(report, width=None):
    """The report as text of at most `width` columns (80 to 120, by default what the terminal has)."""
    width = width or min(120, max(80, _terminal()))
    if not report.launches:
        return 'nothing to run: every value is there'
    measured = report.measured_ns is not None
    columns = [*_COLUMNS, ('measured', 9)] if measured else list(_COLUMNS)
    sizes = [size for _, size in columns]
    sizes[1] = width - sum(sizes) - len(sizes) + 1
    lines = [_title(report), '', _row([name for name, _ in columns], sizes), ' '.join('─' * n for n in sizes)]
    for work in report.launches:
        cells = [str(work.number), work.text, _shape(work.shape), ' '.join(work.dtypes), _bytes(work.bytes_read),
                 _bytes(work.bytes_written), _count(work.flops), _time(work.estimated_ns)]
        lines.append(_row(cells + [_time(work.measured_ns)] if measured else cells, sizes))
        lines += _notes(work, width)
    if len(report.launches) > 1:
        lines.append(' '.join('─' * n for n in sizes))
        cells = ['', 'total', '', '', _bytes(report.bytes_read), _bytes(report.bytes_written), _count(report.flops),
                 _time(report.estimated_ns)]
        lines.append(_row(cells + [_time(report.measured_ns)] if measured else cells, sizes))
    for why, count, line in report.flushes:
        lines += textwrap.wrap(f'earlier: {count} operations were started by themselves ({why})'
                               + (f' at {_short(line)}' if line else ''), width)
    return '\n'.join(line.rstrip() for line in lines)


_KINDS = {'kernel': 'kernel', 'product': 'matrix product', 'library': 'library call'}


def _title(report):
    kinds = [work.kind for work in report.launches]
    parts = [f'{kinds.count(kind)} {name}{"s" * (kinds.count(kind) != 1)}'
             for kind, name in _KINDS.items() if kind in kinds]
    rest = f', {_bytes(report.stored)} stored between them' if report.stored else ''
    return ' and '.join(filter(None, [', '.join(parts[:-1]), parts[-1]])) + rest


def _notes(work, width):
    """Why, and where: below a row."""
    notes = [f'why: {work.reason}'] if work.reason else []
    if work.launches > 1 and work.kind == 'kernel':
        notes.append('a second, small launch adds up the parts of the reduction')
    if work.lines:
        more = f' and {len(work.lines) - 4} more lines' if len(work.lines) > 4 else ''
        notes.append(f'at: {_places(work.lines[:4])}{more}')
    return [line for note in notes for line in textwrap.wrap(note, width, initial_indent='      ',
                                                             subsequent_indent='           ')]


def _places(lines):
    """file:line, file:line of one file as file:line,line."""
    files = {}
    for line in lines:
        name, _, number = _short(line).rpartition(':')
        files.setdefault(name, []).append(number)
    return '; '.join(f'{name}:{",".join(numbers)}' for name, numbers in files.items())


def _row(cells, sizes):
    wrapped = [textwrap.wrap(cell, size, break_long_words=True) or [''] for cell, size in zip(cells, sizes)]
    height = max(map(len, wrapped))
    left = {0, 1, 2, 3}
    return '\n'.join(' '.join([(text[k] if k < len(text) else '').ljust(size) if i in left else
                               (text[k] if k < len(text) else '').rjust(size)
                               for i, (text, size) in enumerate(zip(wrapped, sizes))]).rstrip() for k in range(height))


def _terminal():
    try:
        return os.get_terminal_size().columns
    except (OSError, ValueError):
        return _WIDTH


def _short(line):
    return os.path.basename(line)


def _shape(shape):
    return '×'.join(map(str, shape)) or '1'


def _bytes(n):
    for unit, size in (('GiB', 1 << 30), ('MiB', 1 << 20), ('KiB', 1 << 10)):
        if n >= size:
            return f'{n / size:.3g} {unit}' if n < 999.5 * size else f'{n / size:.0f} {unit}'
    return f'{n} B'


def _count(n):
    for unit, size in (('T', 1e12), ('G', 1e9), ('M', 1e6), ('k', 1e3)):
        if n >= size:
            return f'{n / size:.3g} {unit}'
    return str(int(n))


def _time(ns):
    if ns is None:
        return ''
    for unit, size in (('s', 1e9), ('ms', 1e6), ('µs', 1e3)):
        if ns >= size:
            return f'{ns / size:.3g} {unit}'
    return f'{ns:.0f} ns'
