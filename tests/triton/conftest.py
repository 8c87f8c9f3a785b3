"""Triton kernels without a GPU: interpreted for their numerics, compiled for their machine code.

Both happen in this process: kernels come as source text, and `lazy.codegen.triton_interpreter`
swaps Triton's library over only while it runs one. TRITON_INTERPRET plays no part.
"""

import importlib.util
import pathlib

import pytest

HERE = pathlib.Path(__file__).parent
# This directory may be found as a namespace package of that name; a package has an origin.
SPEC = importlib.util.find_spec('triton')
TRITON = SPEC is not None and SPEC.origin is not None


def pytest_collection_modifyitems(items):
    if not TRITON:
        for item in items:
            if item.path.parent == HERE and item.path.name.startswith('test_triton_'):
                item.add_marker(pytest.mark.skip(reason='needs the package triton'))


@pytest.fixture(scope='session')
def device():
    """The CUDA device, or a skip that says what is missing."""
    from lazy.codegen import cuda
    try:
        cuda.Driver()           # says no at once; find_device imports torch, which takes seconds
        return cuda.find_device()
    except cuda.DeviceNotFound as error:
        pytest.skip(f'needs a CUDA device: {error}')
