"""Operations of `codegen/llvm_math.py` as kernels that are compiled in process, for this machine and for lesser
ones."""
import ctypes
import dataclasses
import functools
import platform
import sys

import numpy as np
import pytest

llvm = pytest.importorskip('llvmlite.binding')

from lazy.codegen import llvm_math  # noqa: E402
from lazy.ir.dtypes import as_dtype  # noqa: E402

FLOATS, NARROW_FLOATS = llvm_math.FLOATS, llvm_math.NARROW_FLOATS
NARROW_INTEGERS = ('int4', 'uint4')                     # operations on them: tests/targets/test_native.py
INTEGERS = tuple(d for d in llvm_math.INTEGERS if d not in NARROW_INTEGERS)
PREDICATES = ('eq', 'ne', 'lt', 'le', 'gt', 'ge', 'is_finite', 'is_nan', 'is_inf', 'signbit')
BINARY = ('add sub mul div pow max min fmax fmin rem floor_divide remainder atan2 hypot nextafter '
          'copysign logaddexp gate safe_mul eq ne lt le gt ge and or xor shift_left '
          'shift_right_logical shift_right_arithmetic').split()
PADDING = 64            # the largest width tested


def arity(op):
    return {'select': 3, 'fma': 3, 'threefry2x32': 4, 'philox4x32': 6}.get(op, 2 if op in BINARY else 1)


# ------------------------------------------------------------------------------------------ compile

def initialize():
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    for library in ('libm.so.6', 'libmvec.so.1'):
        if sys.platform == 'linux':
            try:
                llvm.load_library_permanently(library)
            except RuntimeError:
                pass


initialize()


def host_features():
    cpu = llvm.get_host_cpu_features()
    arm = platform.machine() in ('aarch64', 'arm64')
    arch = 'aarch64' if arm else platform.machine()
    libmvec = frozenset(name for name in llvm_math.vector_symbols(arch)
                        if llvm.address_of_symbol(name))
    width = 512 if cpu.get('avx512f') and cpu.get('avx512dq') else 256 if cpu.get('avx2') else 128
    return llvm_math.Features(width, bool(arm or cpu.get('fma')), bool(arm or cpu.get('f16c')),
                              libmvec, arch)


HOST = host_features()
X86 = HOST.arch == 'x86_64'
# Features, native vectors per vector (0: scalar code), CPU to compile for.
CONFIGURATIONS = {
    'host': (HOST, 1, None),
    'no_libmvec': (dataclasses.replace(HOST, libmvec=frozenset()), 1, None),
    'twice': (HOST, 2, None),
    'scalar': (HOST, 0, None),
    'narrow': (dataclasses.replace(HOST, width_bits=128), 1, None),
    'plain': (llvm_math.Features(128, arch=HOST.arch), 1, 'x86-64' if X86 else None),
}
if X86 and HOST.width_bits == 512:
    CONFIGURATIONS['avx2'] = dataclasses.replace(HOST, width_bits=256), 1, 'haswell'


def width_of(configuration, dtype):
    features, vectors, _ = CONFIGURATIONS[configuration]
    lanes = vectors * features.width_bits // max(8, llvm_math.BITS[dtype])
    return max(1, min(PADDING, lanes))


LOOP = '''define void @kernel.{name}({parameters}, i64 %n) {{
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
{body}
  %next = add i64 %i, {width}
  %more = icmp slt i64 %next, %n
  br i1 %more, label %loop, label %exit
exit:
  ret void
}}
'''


def kernel_text(module, name, width, inputs, outputs, body):
    """A loop without tail: loads, body(block, registers) -> registers, stores."""
    storage, block = llvm_math.storage_type, llvm_math.Block(module, width, 'b')
    registers = []
    for k, dtype in enumerate(inputs):
        block.line(f'  %a{k} = getelementptr {storage(dtype, 1)}, ptr %p{k}, i64 %i')
        block.line(f'  %x{k} = load {storage(dtype, width)}, ptr %a{k}, align 1')
        registers.append(llvm_math.load_cast(block, f'%x{k}', dtype))
    results = body(block, registers)
    results = results if isinstance(results, tuple) else (results,)
    for k, (dtype, result) in enumerate(zip(outputs, results)):
        raw = llvm_math.store_cast(block, result, dtype)
        block.line(f'  %o{k} = getelementptr {storage(dtype, 1)}, ptr %q{k}, i64 %i')
        block.line(f'  store {storage(dtype, width)} {raw}, ptr %o{k}, align 1')
    names = [f'%p{k}' for k in range(len(inputs))] + [f'%q{k}' for k in range(len(outputs))]
    parameters, body = ', '.join(f'ptr noalias {p}' for p in names), '\n'.join(block.lines)
    return LOOP.format(name=name, parameters=parameters, body=body, width=width)


def compile_text(text, cpu=None):
    module = llvm.parse_assembly(text)
    module.verify()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=cpu or llvm.get_host_cpu_name(), opt=2,
        features='' if cpu else llvm.get_host_cpu_features().flatten())
    module.triple, module.data_layout = llvm.get_default_triple(), str(machine.target_data)
    options = llvm.create_pipeline_tuning_options(speed_level=1)
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return engine


def numpy_dtype(dtype):
    return as_dtype(dtype)


class Kernels:
    """Kernels compiled together: name -> (dtypes of inputs, dtypes of outputs, body)."""

    def __init__(self, configuration, width, table):
        features, _, cpu = CONFIGURATIONS[configuration]
        module, text = llvm_math.Module(features), []
        self.table = table
        for name, (inputs, outputs, body) in table.items():
            text.append(kernel_text(module, name, width, inputs, outputs, body))
        self.engine = compile_text(module.text() + '\n'.join(text), cpu)

    def __call__(self, name, *arrays):
        inputs, outputs, _ = self.table[name]
        size = len(arrays[0])
        padded = -(-size // PADDING) * PADDING
        arrays = [np.resize(a, padded).astype(numpy_dtype(d), copy=False)
                  for a, d in zip(arrays, inputs)]
        results = [np.empty(padded, numpy_dtype(d)) for d in outputs]
        pointers = [ctypes.c_void_p(a.ctypes.data) for a in arrays + results]
        call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(pointers), ctypes.c_int64)
        call(self.engine.get_function_address(f'kernel.{name}'))(*pointers, padded)
        return results[0][:size] if len(results) == 1 else [r[:size] for r in results]


def operation(op, dtype, **params):
    inputs = (['bool'] if op == 'select' else []) + [dtype] * (arity(op) - (op == 'select'))
    words = {'threefry2x32': 2, 'philox4x32': 4}.get(op)
    outputs = ['uint32'] * words if words else ['bool' if op in PREDICATES else dtype]
    return inputs, outputs, lambda block, xs: llvm_math.emit(block, op, dtype, xs, **params)


POWERS = (-7, -3, 0, 1, 2, 4, 5, 8, 100)


@functools.cache
def kernels(dtype, configuration):
    ops = [op for op in llvm_math.OPS if llvm_math.supports(op, dtype) and op != 'integer_pow']
    table = {op: operation(op, dtype) for op in ops}
    if llvm_math.supports('integer_pow', dtype):
        powers = [n for n in POWERS if n >= 0 or dtype in FLOATS + NARROW_FLOATS]
        table.update({f'integer_pow_{n}'.replace('-', 'm'): operation('integer_pow', dtype, n=n)
                      for n in powers})
    return Kernels(configuration, width_of(configuration, dtype), table)
