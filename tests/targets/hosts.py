"""Kernels for machines that have less than this one."""
import contextlib
from unittest import mock

from lazy import evaluate
from lazy.codegen import compiled, gemm, llvm

# What `codegen.llvm.host` is asked for, by name.
LESS = {'avx2': dict(width_bits=256), 'sse': dict(width_bits=128), 'no_libmvec': dict(libmvec=False),
        'sse_no_libmvec': dict(width_bits=128, libmvec=False)}


def possible():
    """Names of the reduced machines that this one can be."""
    full = llvm.host()
    return [name for name, less in LESS.items()
            if less.get('width_bits', 0) < full.width_bits and (full.libmvec or 'libmvec' not in less)]


@contextlib.contextmanager
def reduced(name):
    """Compile and run kernels as on a machine with less."""
    machine = llvm.host(**LESS[name])
    _forget()
    try:
        with mock.patch.object(llvm, 'host', lambda *_, **__: machine), \
                mock.patch.dict(compiled._kernels, clear=True), mock.patch.dict(gemm._addresses, clear=True):
            yield machine
    finally:
        _forget()


def _forget():
    evaluate.programs.clear()
    compiled._version.cache_clear()
