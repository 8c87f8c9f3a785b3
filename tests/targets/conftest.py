import os
import sys

import pytest

sys.path[:0] = [os.path.dirname(__file__), os.path.dirname(os.path.dirname(__file__))]


@pytest.fixture(autouse=True)
def native():
    """These tests are of the native target whatever the environment asks for."""
    import lazy
    before = lazy.config.target
    lazy.config.update('target', 'native')
    yield
    lazy.config.update('target', before)
