"""Derivatives are tested on the NumPy target: what is tested is the graph, not the kernels.

LAZY_TEST_TARGET=native runs the same tests on native code.
"""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..'))           # ops_table
TARGET = os.environ.get('LAZY_TEST_TARGET', 'numpy')


@pytest.fixture(autouse=True)
def one_target():
    from lazy import evaluate
    from lazy.config import config
    before = config.target
    if before != TARGET:
        evaluate.programs.clear()
        config.update('target', TARGET)
    yield
    if before != TARGET:
        evaluate.programs.clear()
        config.update('target', before)
