"""The benchmarks: that every table can be produced, at tiny sizes. No time is asserted."""
import importlib.util
import json
import os
import sys

import numpy as onp
import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if not os.path.isdir(os.path.join(ROOT, 'perf')):
    pytest.skip('the benchmarks are not part of an installed package', allow_module_level=True)
sys.path.insert(0, ROOT)

from perf import __main__ as command  # noqa: E402
from perf import (accuracy, bandwidth, cases, functions, libraries, memory, overheads, peers, processes,  # noqa: E402
                  report, routines, tables, throughput)

needs_mpmath = pytest.mark.skipif(not importlib.util.find_spec('mpmath'), reason='mpmath is not installed')


def quick_command(tmp_path, *arguments):
    assert command.main([*arguments, '--quick', '--output', str(tmp_path)]) == 0
    with open(tmp_path / f'{arguments[0]}.json') as file:
        return json.load(file)


def test_throughput_table_and_summary(tmp_path):
    data = quick_command(tmp_path, 'throughput', '--cases', 'softmax', 'mlp_step', '--libraries', 'lazy', 'numpy')
    assert [row['case'] for row in data['rows']] == ['softmax', 'mlp_step'] and not data['notes']
    assert all(row[lib] > 0 for row in data['rows'] for lib in ('lazy', 'numpy'))
    assert data['machine']['cores'] >= 1 and 'numpy' in data['machine']['versions']
    assert '| softmax |' in (tmp_path / 'throughput.md').read_text()
    assert 'softmax' in report.summary(str(tmp_path))


@pytest.mark.parametrize('name', cases.CASES)
def test_every_program_gives_the_result_of_numpy(name, tmp_path):
    """The text that is timed, on arrays of a few thousand elements."""
    tiny = lambda size: cases.quick_size(size) if size < 100_000 else 1000
    case = cases.CASES[name]
    arrays, lazy, file = cases.draw(case, tiny), libraries.load('lazy'), str(tmp_path / 'reference.npz')
    throughput.write_reference(case, arrays, file)
    got = lazy.compile(libraries.bound(case.program, lazy))(*[lazy.array(x) for x in arrays])
    throughput.check(case, [lazy.numpy(x) for x in throughput.as_tuple(got)], throughput.load_reference(file))


def test_a_wrong_result_is_refused():
    case, right = cases.CASES['softmax'], [onp.full((4, 4), 0.25)]
    throughput.check(case, right, right)
    for wrong in ([right[0] + 0.01], [right[0] * onp.nan], [right[0][:2]], right * 2):
        with pytest.raises(ValueError):
            throughput.check(case, wrong, right)


def test_peers_have_programs_of_the_table():
    programs = {case.program.__name__ for case in cases.CASES.values()}
    assert set(peers.NUMBA) <= programs and set(peers.NUMEXPR) <= programs


@pytest.mark.parametrize('name', [name for name in overheads.ROWS if name != 'import_time'])
def test_overheads(name):
    assert overheads.measure(name, 'lazy', quick=True)['value'] >= 0


def test_overheads_table(tmp_path):
    data = quick_command(tmp_path, 'overheads', '--cases', 'second_process', 'import_time', '--libraries', 'lazy')
    assert [row['case'] for row in data['rows']] == ['second_process', 'import_time'] and not data['notes']


@pytest.mark.parametrize('name', routines.ROUTINES)
def test_library_functions(name, tmp_path):
    """Each of them gives NumPy's result."""
    file = str(tmp_path / 'reference.npz')
    if routines.ROUTINES[name].programs['numpy']:
        routines.measure('numpy', name, True, file, write=True)
    assert routines.measure('lazy', name, True, file)['value'] > 0


def test_functions_table(tmp_path):
    data = quick_command(tmp_path, 'functions', '--cases', 'sort_int32', 'conv_1x1', '--libraries', 'lazy', 'numpy')
    assert [row['case'] for row in data['rows']] == ['sort_int32', 'conv_1x1'] and not data['notes']
    sort = data['rows'][0]
    assert sort['to_best'] == pytest.approx(sort['lazy'] / sort['numpy']) and 'numpy' not in data['rows'][1]
    assert '| sort_int32 |' in (tmp_path / 'functions.md').read_text()


@pytest.mark.parametrize('name', memory.ROWS)
def test_memory(name):
    assert memory.measure(name, 'lazy', quick=True)['value'] >= 0


@pytest.mark.parametrize('name', ['copy', 'sum_columns', 'add_bfloat16', 'softmax', 'exp'])
def test_bandwidth(name):
    found = bandwidth.measure(name, quick=True)
    assert found['ratio'] > 0 and found['limit'] in ('memory', 'compute')


@needs_mpmath
@pytest.mark.parametrize('name', ['exp', 'remainder', 'scipy.special.erf'])
def test_accuracy(name):
    errors = accuracy.measure(name, quick=True)['errors']
    assert set(errors) == set(accuracy.DTYPES)
    assert all(errors[dtype]['ulp'] <= 4 for dtype in ('float32', 'float64'))


def test_every_function_of_the_accuracy_table_is_public():
    for function in functions.FUNCTIONS.values():
        assert callable(functions.public(function))


def test_ulps():
    kind, exact = onp.dtype('float32'), onp.array([1.0, 1.0, 0.0, onp.inf, onp.nan, 1e39])
    got = onp.array([1.0, 1 + 2.0**-22, 1e-45, onp.inf, onp.nan, onp.finfo('float32').max], 'float32')
    assert accuracy.ulps(got, exact, kind).tolist() == [0, 2, 1, 0, 0, 0]
    assert accuracy.ulps(onp.array([1.0], 'float32'), onp.array([onp.nan]), kind)[0] == onp.inf


def test_gpu_table_says_when_there_is_none(tmp_path):
    data = quick_command(tmp_path, 'gpu', '--libraries', 'lazy', '--cases', 'none')
    assert data['rows'] or data['notes'] or 'device' in data['settings']


def test_unknown_names_are_refused(capsys):
    with pytest.raises(SystemExit):
        command.main(['speed'])
    assert "no table 'speed'" in capsys.readouterr().err


def test_a_failure_is_told():
    with pytest.raises(processes.Failed, match='KeyError'):
        processes.run('throughput', case='nothing', library='lazy', quick=True, reference='')


def test_numbers_of_tables():
    assert [tables.number(x) for x in (0.01234, 1.234, 12.34, 123.4,
                                       12345)] == ['0.012', '1.23', '12.3', '123', '12345']


def test_summary_is_written_between_its_marks(tmp_path):
    path = tmp_path / 'README.md'
    path.write_text(f'a\n{report.BEGIN}\nold\n{report.END}\nb\n')
    report.write(str(path), 'new')
    assert path.read_text() == f'a\n{report.BEGIN}\nnew\n{report.END}\nb\n'
    with pytest.raises(ValueError):
        path.write_text('nothing')
        report.write(str(path), 'new')
