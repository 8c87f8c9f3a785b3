"""python -m perf: measure, print and write the tables."""
import argparse
import dataclasses
import importlib
import os
import sys
import time

from . import libraries, processes

TABLES = {'throughput': 'compiled programs of all kinds against NumPy, JAX, numba, numexpr and torch',
          'functions': 'sorting, counting, indexing, images, FFT, random numbers, LAPACK against NumPy, JAX and torch',
          'overheads': 'building, forcing, calls, new shapes, first results, import, indexing',
          'bandwidth': 'every elementwise and reduction kernel against a plain copy of as many bytes',
          'memory': 'peak memory of a chain, of a training step, of a loop of 100 000 steps',
          'accuracy': 'largest error in ulp of every elementwise function and dtype',
          'gpu': 'the throughput table on a CUDA device, where there is one'}
MODULES = {'functions': 'routines'}                                  # perf.functions are the elementwise ones
RESULTS = os.path.join(processes.ROOT, 'perf', 'results')


@dataclasses.dataclass
class Options:
    """What the command line asks for."""
    rounds: int = 3
    quick: bool = False
    cases: tuple = ()
    libraries: tuple = ()

    def settings(self):
        """What the reader of a table must know."""
        return {'rounds': self.rounds, **({'sizes': 'quick (the figures mean nothing)'} if self.quick else {})}


def parser():
    """The command line."""
    made = argparse.ArgumentParser(
        prog='python -m perf', description='Measure, print one table each, and write them as Markdown and JSON.',
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog='tables:\n' + '\n'.join(f'  {name:12} {what}' for name, what in TABLES.items())
        + '\n\nPeers that are not installed are left out: pip install -e ".[perf]" installs them.'
          '\n`python -m perf.report` makes the summary for the README of what was written.')
    made.add_argument('tables', nargs='*', metavar='table', help='which tables (default: all)')
    made.add_argument('--rounds', type=int, default=3, help='rounds in which the libraries take turns (3)')
    made.add_argument('--quick', action='store_true', help='small sizes and one round: shows that it works')
    made.add_argument('--cases', nargs='+', default=(), metavar='CASE', help='only these rows')
    made.add_argument('--libraries', nargs='+', default=(), choices=list(libraries.LABELS), metavar='LIBRARY',
                      help=f'only these of {", ".join(libraries.LABELS)}')
    made.add_argument('--output', default=RESULTS, metavar='FOLDER', help='where to write (perf/results)')
    return made


def main(arguments=None):
    """Run the tables that the command line names; returns the exit status."""
    command = parser()
    args = command.parse_args(arguments)
    unknown = [name for name in args.tables if name not in TABLES]
    if unknown:
        command.error(f'there is no table {unknown[0]!r}; there are {", ".join(TABLES)}')
    options = Options(1 if args.quick else args.rounds, args.quick, tuple(args.cases), tuple(args.libraries))
    for name in args.tables or TABLES:
        start = time.perf_counter()
        made = importlib.import_module(f'perf.{MODULES.get(name, name)}').table(options)
        made.write(args.output)
        print(f'  {name}: {time.perf_counter() - start:.0f} s, written to {args.output}', flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
