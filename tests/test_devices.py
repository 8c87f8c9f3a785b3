"""lazy.devices, lazy.debug, lazy.dtypes: what users ask the library about."""
import pickle
import subprocess
import sys

import numpy as onp
import pytest

import lazy
import lazy.numpy as np


def test_devices():
    cpu, = lazy.devices()
    assert lazy.devices('cpu') == lazy.local_devices() == [cpu] \
        and lazy.device_count() == lazy.local_device_count() == 1
    assert str(cpu) == 'cpu:0' and cpu.platform == 'cpu' == lazy.default_backend() and cpu == 'cpu' \
        and hash(cpu) == hash(cpu)
    assert np.ones(2).device == cpu == lazy.default_device() and pickle.loads(pickle.dumps(cpu)) == cpu
    assert lazy.device_put({'a': [1, 2.5]}, cpu)['a'][1].device == cpu
    got = lazy.device_get({'a': np.arange(2), 'b': 3})
    assert isinstance(got['a'], onp.ndarray) and got['b'] == 3
    with pytest.raises(RuntimeError, match='unknown platform'):
        lazy.devices('abacus')
    with pytest.raises(RuntimeError, match='cpu:3'):
        lazy.device_put(1, 'cpu:3')
    with pytest.raises(ValueError, match='is no device'):
        lazy.device_put(1, 5)


def test_a_missing_gpu_is_explained():
    try:
        found = lazy.devices('gpu')
    except RuntimeError as error:
        assert 'libcuda' in str(error) and 'torch' in str(error) and 'pip install lazy-arrays[gpu]' in str(error)
    else:
        assert found


def test_importing_and_asking_stays_cheap():
    code = ("import sys, lazy, lazy.numpy as np; lazy.devices(); lazy.random.key(0); lazy.nn.relu;"
            "lazy.optimizers.adam(1);"
            "print([m for m in ('torch', 'triton', 'sympy', 'scipy', 'jaxlib', 'sklearn') if m in sys.modules])")
    assert subprocess.run([sys.executable, '-c', code], capture_output=True, text=True,
                          check=True).stdout.strip() == '[]'


def test_debug_print(capsys):
    lazy.debug.print('x = {} and {y:.2f}', np.arange(3), y=np.array(1.5))
    assert capsys.readouterr().out == 'x = [0 1 2] and 1.50\n'

    @lazy.jit
    def f(x):
        lazy.debug.print('{x} {y:.3f}', x=x, y=x.sum())
        return x
    f(np.ones(2)), f(np.ones(2))
    assert capsys.readouterr().out == 'Traced<float32[2]> Traced<float32[]>\n'
    before = lazy.debug.kernel_compilations()
    assert isinstance(before, int)


def test_dtypes():
    d = lazy.dtypes
    assert d.finfo('bfloat16').bits == 16 and d.finfo(np.complex64).bits == 32 and d.iinfo('int8').max == 127
    assert d.issubdtype('bfloat16', onp.floating) and d.issubdtype(d.bfloat16, onp.inexact)
    assert not d.issubdtype('bfloat16', onp.integer) and not d.issubdtype('float32', d.bfloat16)
    assert d.issubdtype('int8', onp.integer) and d.issubdtype(lazy.random.key(0).dtype, d.prng_key)
    assert d.issubdtype(d.prng_key, d.extended) and not d.issubdtype('uint32', d.prng_key)
    assert d.canonicalize_dtype(float) == onp.float32 and d.itemsize_bits(bool) == 1 and d.itemsize_bits('int16') == 16
    assert d.result_type('int32', 'uint32') == onp.int64 and d.result_type(np.ones(1, 'float16'), 1.0) == onp.float16
    assert d.result_type(1, 2.0, return_weak_type_flag=True) == (onp.dtype('float32'), True)
    assert d.scalar_type_of(np.ones(1, 'int8')) is int and d.scalar_type_of(1j) is complex
