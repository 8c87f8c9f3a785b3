"""Every example in a docstring, and every Python block of the README, does what it says."""
import doctest
import importlib
import pathlib
import pkgutil
import re
import sys

import numpy as onp
import pytest

import lazy

SKIPPED = ('lazy.codegen', 'lazy.kernels', 'lazy.autodiff')                # not for users
README = pathlib.Path(__file__).parent.parent / 'README.md'


def modules():
    names = ['lazy']
    for found in pkgutil.walk_packages([str(pathlib.Path(lazy.__file__).parent)], 'lazy.'):
        if not found.name.startswith(SKIPPED):
            names.append(found.name)
    return sorted(names)


@pytest.mark.parametrize('name', modules())
def test_module(name):
    importlib.import_module(name)
    with onp.printoptions():
        result = doctest.testmod(sys.modules[name], extraglobs={}, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0


@pytest.mark.skipif(not README.exists(), reason='the README is not part of the installed package')
def test_readme(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r'^```python\n(.*?)^```', README.read_text(), re.M | re.S)
    assert blocks
    for block in blocks:
        exec(compile(block, 'README.md', 'exec'), {'__name__': 'readme'})
