"""The summary for the README, made of what `python -m perf` wrote: `python -m perf.report [--write README.md]`."""
import argparse
import json
import os
import sys

from . import libraries
from .tables import markdown_rows, number

RESULTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'results')
BEGIN, END = '<!-- perf -->', '<!-- /perf -->'
PEERS = ('numpy', 'jax', 'numba', 'torch', 'torch_compile')
THROUGHPUT = ('arith', 'trig', 'black_scholes', 'softmax', 'layernorm_grad', 'reduce_columns', 'transpose_add',
              'matmul_bias_relu', 'mlp_step')
OVERHEADS = ('imperative_operation', 'jit_call', 'new_shape_jit', 'first_result', 'second_process', 'import_time')


def summary(folder=RESULTS):
    """Markdown: some rows of throughput and overheads, and one line for each of the other tables that are there."""
    throughput, overheads = read(folder, 'throughput'), read(folder, 'overheads')
    if not throughput:
        raise FileNotFoundError(f'no throughput.json in {folder}: run python -m perf first')
    libs = [lib for lib in ('lazy', *PEERS) if any(lib in row for row in throughput['rows'])]
    rows = picked(throughput, THROUGHPUT, 'ms') + picked(overheads, OVERHEADS, None)
    lines = markdown_rows(['', *[libraries.LABELS[lib] for lib in libs]],
                          [[label, *[cell(row, lib) for lib in libs]] for label, row in rows])
    text = ['Times; in parentheses how many times longer than lazy. The median of repeated calls, the smallest of '
            f'{throughput["settings"].get("rounds", 1)} rounds, all libraries in turn on one machine: '
            f'{short(throughput["machine"])}, {throughput["date"]}.', '', *lines]
    lines = [line for line in (functions_line(folder), bandwidth_line(folder), accuracy_line(folder)) if line]
    return '\n'.join([*text, *(['', *lines] if lines else [])])


def read(folder, name):
    """What was written for a table, or None."""
    path = os.path.join(folder, f'{name}.json')
    if not os.path.exists(path):
        return None
    with open(path) as file:
        return json.load(file)


def picked(data, names, unit):
    """[(label, row)] of some rows, in the order of the names."""
    rows = {row['case']: row for row in data['rows']} if data else {}
    return [(f'{rows[name]["what"]} ({unit or rows[name]["unit"]})', rows[name]) for name in names if name in rows]


def cell(row, lib):
    """A time with its ratio to lazy's."""
    if lib not in row:
        return '-'
    ratio = f' ({row[lib] / row["lazy"]:.1f}x)' if lib != 'lazy' and row.get('lazy') else ''
    return ('**{}**' if lib == 'lazy' else '{}').format(number(row[lib])) + ratio


def short(found):
    """The machine and the peers' versions in one phrase."""
    peers = [f'{name} {found["versions"][name]}' for name in ('numpy', 'jax', 'numba', 'torch') if name in found['versions']]
    return ', '.join([f'{found["processor"]}, {found["cores"]} cores', *found['features'][-2:], *peers])


def functions_line(folder):
    """How library functions stand beside the peers."""
    data = read(folder, 'functions')
    rows = [row for row in data['rows'] if 'to_best' in row] if data else []
    if not rows:
        return ''
    good, other = sum(row['to_best'] <= 1.3 for row in rows), [row for row in rows if 'to_jax' in row]
    return (f'Of {len(rows)} library functions (sort, convolutions, FFT, LAPACK ...) {good} take at most 1.3 times the time '
            f'of the best other library, {sum(row["to_jax"] <= 1 for row in other)} of {len(other)} at most that of JAX.')


def bandwidth_line(folder):
    """How many kernels run at the speed of memory."""
    data = read(folder, 'bandwidth')
    if not data or not data['rows']:
        return ''
    bound = [row for row in data['rows'] if row['limit'] == 'memory']
    good = sum(row['ratio'] <= 1.3 for row in bound)
    return f'Of {len(bound)} kernels that memory limits at 10 M elements, {good} take at most 1.3 times a plain copy.'


def accuracy_line(folder):
    """The largest errors of single operations."""
    data = read(folder, 'accuracy')
    if not data:
        return ''
    parts = []
    for dtype in ('float32', 'float64'):
        found = [(row[dtype]['ulp'], row['case']) for row in data['rows']
                 if row['kind'] == 'basic' and 'error' not in row.get(dtype, {'error': 0}) and row[dtype]['ulp'] is not None]
        if found:
            parts.append(f'{max(found)[0]:.2f} ulp in {dtype} ({max(found)[1]})')
    return f'Largest error of a compiled operation: {", ".join(parts)}; perf/results/accuracy.md has all functions.' if parts else ''


def write(path, text):
    """Replace what stands between the two comment lines of a file. ValueError where it has none."""
    with open(path) as file:
        before, begin, rest = file.read().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f'{path} has no lines {BEGIN} and {END} to write between')
    with open(path, 'w') as file:
        file.write(f'{before}{BEGIN}\n{text}\n{END}{after}')


def main(arguments=None):
    """Print the summary, or write it into a file."""
    parser = argparse.ArgumentParser(prog='python -m perf.report', description=__doc__)
    parser.add_argument('--results', default=RESULTS, metavar='FOLDER', help='where the tables are (perf/results)')
    parser.add_argument('--write', metavar='FILE', help=f'put it between {BEGIN} and {END} in this file')
    args = parser.parse_args(arguments)
    text = summary(args.results)
    write(args.write, text) if args.write else print(text)
    return 0


if __name__ == '__main__':
    sys.exit(main())
