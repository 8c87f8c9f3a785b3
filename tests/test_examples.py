"""examples/digits.py: what it prints, what it writes, and what it says about missing packages."""
import os
import pathlib
import re
import subprocess
import sys

import pytest

EXAMPLE = pathlib.Path(__file__).parent.parent / 'examples' / 'digits.py'
pytestmark = pytest.mark.skipif(not EXAMPLE.exists(), reason='examples/ is not part of the installed package')


def run(*arguments, cwd=None, prelude='', **environment):
    code = (f'{prelude}\nimport runpy, sys; sys.argv[1:] = {list(arguments)!r};'
            f'runpy.run_path({str(EXAMPLE)!r}, run_name="__main__")')
    return subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=cwd, timeout=300,
                          env={**os.environ, **environment})


def test_digits(tmp_path):
    pytest.importorskip('sklearn')
    pytest.importorskip('matplotlib')
    cache = str(tmp_path / 'cache')
    first = run('--epochs', '8', cwd=tmp_path, LAZY_CACHE_DIR=cache)
    assert first.returncode == 0, first.stderr
    accuracy = re.search(r'accuracy on 360 held-out images: ([\d.]+)%', first.stdout)
    assert float(accuracy[1]) > 95 and 'epoch 8/8' in first.stdout
    picture = (tmp_path / 'digits.png').read_bytes()
    assert picture[:8] == b'\x89PNG\r\n\x1a\n' and len(picture) > 20_000
    second = run('--epochs', '2', '--out', 'other.png', cwd=tmp_path, LAZY_CACHE_DIR=cache)
    assert second.returncode == 0 and (tmp_path / 'other.png').exists()
    assert ' 0 kernels compiled in this process' in second.stdout, second.stdout


def test_missing_packages(tmp_path):
    for module, package in (('sklearn', 'scikit-learn'), ('matplotlib', 'matplotlib')):
        hide = (f'import importlib.util as u; find = u.find_spec\n'
                f'u.find_spec = lambda name, *a: None if name == {module!r} else find(name, *a)')
        result = run(cwd=tmp_path, prelude=hide)
        assert result.returncode != 0 and f'pip install {package}' in result.stderr and 'Traceback' not in result.stderr


def test_bad_arguments(tmp_path):
    result = run('--epochs', '0', cwd=tmp_path)
    assert result.returncode == 2 and '--epochs must be at least 1' in result.stderr
