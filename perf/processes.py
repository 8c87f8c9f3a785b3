"""Each measurement in a process of its own, and the clock that they use.

The parent calls `run('throughput', case='softmax', library='jax', ...)`; the child imports `perf.throughput`, calls
`measure(case='softmax', library='jax', ...)` and prints its result, a dict, as the last line.
"""
import importlib
import json
import os
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TIMEOUT = 600
_MARK = 'perf-result:'


class Failed(Exception):
    """A measurement that gave no result; the text is the last line of what the process said."""


def run(table, environ=None, timeout=TIMEOUT, **task):
    """The result of `perf.<table>.measure(**task)` in a fresh process. Failed: it raised, crashed or took too long."""
    command = [sys.executable, '-m', 'perf.processes', table, json.dumps(task)]
    environ = {**os.environ, **(environ or {}), 'PYTHONPATH': _python_path()}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, cwd=ROOT, env=environ)
    except subprocess.TimeoutExpired:
        raise Failed(f'no result in {timeout} s') from None
    for line in reversed(done.stdout.splitlines()):
        if line.startswith(_MARK):
            return json.loads(line[len(_MARK):])
    raise Failed(_last_words(done))


def _last_words(done):
    if done.returncode < 0:
        return f'killed by signal {-done.returncode}'
    lines = [line for line in done.stderr.strip().splitlines() if line.strip() and not line.startswith(' ')]
    errors = [line for line in lines if 'Error' in line.split(':')[0]]
    return (errors or lines or ['no output'])[-1][:300]


def _python_path():
    return os.pathsep.join(filter(None, [ROOT, os.environ.get('PYTHONPATH')]))


def in_turn(table, libraries, rounds, **task):
    """The smallest 'value' of each library over rounds in which they take turns -> ({library: value}, {library: error}).

    A library that fails once is left out of the later rounds.
    """
    best, errors = {}, {}
    for _ in range(rounds):
        for library in libraries:
            if library in errors:
                continue
            try:
                value = run(table, library=library, **task)['value']
            except Failed as error:
                errors[library] = str(error)
                best.pop(library, None)
                continue
            best[library] = min(value, best.get(library, float('inf')))
    return best, errors


def median_ms(call, seconds=1.0, at_least=5, at_most=100, warm=2):
    """The median time of a call in ms: as many calls as fit into `seconds`, within bounds."""
    for _ in range(warm):
        call()
    times, end = [], time.perf_counter() + seconds
    while len(times) < at_least or len(times) < at_most and time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2] * 1e3


def main():
    table, task = sys.argv[1:]
    result = importlib.import_module(f'perf.{table}').measure(**json.loads(task))
    sys.stdout.flush()
    print(_MARK + json.dumps(result), flush=True)


if __name__ == '__main__':
    main()
