"""Derivatives are tested on the NumPy target: what is tested is the graph, not the kernels."""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..'))           # ops_table


@pytest.fixture(autouse=True)
def numpy_target():
    from lazy import evaluate
    from lazy.config import config
    before = config.target
    if before != 'numpy':
        evaluate.programs.clear()
        config.update('target', 'numpy')
    yield
    if before != 'numpy':
        evaluate.programs.clear()
        config.update('target', before)
