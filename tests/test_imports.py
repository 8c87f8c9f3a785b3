"""What importing the library pulls in, and which part may import which."""
import ast
import os
import pathlib
import subprocess
import sys

import pytest

import lazy

LAZY = pathlib.Path(lazy.__file__).resolve().parent
HEAVY = ['torch', 'triton', 'sympy', 'scipy', 'jaxlib', 'llvmlite']


def run(code, **more):
    environment = {**os.environ, **more.pop('environment', {})}
    return subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=120, env=environment,
                          **more)


def test_import_is_light():
    done = run(f'import sys, lazy, lazy.numpy\nprint([m for m in {HEAVY} if m in sys.modules])')
    assert done.stdout.strip() == '[]', done.stdout + done.stderr


def test_a_second_process_needs_no_compiler(tmp_path):
    code = f'''import sys, lazy, lazy.numpy as np
assert float((np.sin(np.arange(100.0)) * 2).sum()) is not None
print([m for m in {HEAVY} if m in sys.modules], lazy.debug.kernel_compilations())'''
    first, second = (run(code, environment={'LAZY_CACHE_DIR': str(tmp_path), 'LAZY_TARGET': 'native'})
                     for _ in range(2))
    assert first.stdout.split()[-1] != '0', first.stderr
    assert second.stdout.strip() == '[] 0', second.stdout + second.stderr


# --- directions -------------------------------------------------------------------------------------------------------

# package of ours -> packages of ours that it may import. The rest of lazy may import all.
ALLOWED = {'kernels': {'kernels'}, 'ir': {'ir'}, 'autodiff': {'autodiff', 'ir'},
           'codegen': {'codegen', 'ir', 'kernels'}}


def folders():
    checkout = (LAZY.parent / 'autodiff').is_dir()
    for name in ('kernels', 'autodiff', 'codegen'):
        yield name, (LAZY.parent if checkout else LAZY) / name
    yield 'ir', LAZY / 'ir'


def package_of(dotted):
    """'ir' for lazy.ir.graph; 'lazy' for what is none of the layers; None for what isn't ours."""
    parts = dotted.split('.')
    if parts[0] != 'lazy':
        return None
    return parts[1] if len(parts) > 1 and parts[1] in ALLOWED else 'lazy'


def imports(path, package):
    """(line, dotted name) of all imports in a file of lazy.<package>, relative ones made absolute."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            here = ['lazy', package]
            base = here[:len(here) - node.level + 1] if node.level else []
            dotted = '.'.join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, f'{dotted}.{alias.name}'


@pytest.mark.parametrize('package, folder', list(folders()), ids=lambda value: str(value)[-12:])
def test_imports_go_one_way(package, folder):
    wrong = []
    for path in sorted(folder.rglob('*.py')):
        for line, dotted in imports(path, package):
            other = package_of(dotted)
            if other is not None and other not in ALLOWED[package]:
                wrong.append(f'{path.name}:{line} imports {dotted}')
    assert not wrong, '\n'.join(wrong)


@pytest.mark.parametrize('name',
                         ['torch', 'triton', 'sympy', 'scipy', 'jaxlib', 'jax', 'llvmlite', 'matplotlib', 'sklearn'])
def test_costly_imports_happen_where_used(name):
    """Never at the top of a module that `import lazy` imports."""
    done = run(f'''import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] == {name!r}:
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
import lazy, lazy.numpy
print('fine')''')
    assert done.stdout.strip() == 'fine', done.stderr


def test_code_of_ours_is_imported_by_its_full_name():
    wrong = []
    for _, folder in folders():
        for path in folder.rglob('*.py'):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else \
                    [node.module or ''] if isinstance(node, ast.ImportFrom) and not node.level else []
                wrong += [f'{path.name}: {n}' for n in names if n.split('.')[0] in ('autodiff', 'codegen', 'kernels')]
    assert not wrong, '\n'.join(wrong)


@pytest.mark.skipif(not (LAZY.parent / 'autodiff').is_dir(), reason='not a checkout')
def test_runs_from_a_checkout_that_is_not_installed(tmp_path):
    """Without the finder that an editable installation leaves behind, from another folder."""
    code = f'''import sys
sys.meta_path[:] = [f for f in sys.meta_path if 'editable' not in getattr(f, '__name__', type(f).__name__).lower()]
sys.path.insert(0, {str(LAZY.parent)!r})
import lazy, lazy.autodiff, lazy.codegen, lazy.kernels, lazy.numpy as np
assert lazy.__file__.startswith({str(LAZY.parent)!r})
print(float(lazy.grad(lambda x: x ** 2)(3.0)))'''
    done = run(code, cwd=tmp_path)
    assert done.stdout.strip() == '6.0', done.stderr
