"""Hosts, compilation, and the ELF linker against LLVM's own."""
import ctypes
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from lazy.codegen import elf, llvm
from lazy.codegen.cache import DiskCache

pytestmark = pytest.mark.skipif(not llvm.available(), reason='needs llvmlite')
elf_only = pytest.mark.skipif(not elf.fits(),
                              reason='the linker is for Linux on x86-64')
WIDTHS = [width for width in (128, 256, 512) if width <= llvm.host().width_bits]


def axpy(lanes, name='axpy'):
    """y = 2.5 x + y for float32 in vectors of `lanes`; n is a multiple of lanes."""
    vector = f'<{lanes} x float>'
    return f'''
define void @{name}(ptr noalias %x, ptr noalias %y, i64 %n) {{
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %px = getelementptr float, ptr %x, i64 %i
  %py = getelementptr float, ptr %y, i64 %i
  %a = load {vector}, ptr %px, align 4
  %b = load {vector}, ptr %py, align 4
  %c = fmul {vector} %a, splat (float 2.5)
  %d = fadd {vector} %c, %b
  store {vector} %d, ptr %py, align 4
  %next = add i64 %i, {lanes}
  %more = icmp slt i64 %next, %n
  br i1 %more, label %loop, label %exit
exit:
  ret void
}}'''


def check_axpy(address):
    call = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(address)
    x, y = np.arange(64, dtype=np.float32), np.ones(64, np.float32)
    call(x.ctypes.data, y.ctypes.data, 64)
    np.testing.assert_array_equal(y, 2.5 * x + 1)


# ---------------------------------------------------------------- hosts

def test_this_host():
    machine = llvm.host()
    assert machine is llvm.host() and hash(machine) == hash(llvm.host())
    assert machine.width_bits in (128, 256, 512) and machine.lanes(4) == machine.width_bits // 32
    with pytest.raises(AttributeError):
        machine.width_bits = 64
    for name in machine.libmvec:
        assert llvm.address_of(name)


@pytest.mark.parametrize('width', WIDTHS)
def test_forced_hosts(width):
    machine = llvm.host(width)
    assert machine.width_bits == width
    assert all(llvm._vector_bits(name) <= width for name in machine.libmvec)
    without = llvm.host(width, libmvec=False)
    assert not without.libmvec and without.key != machine.key or not machine.libmvec
    check_axpy(llvm.functions(axpy(machine.lanes(4)), ['axpy'], machine)['axpy'])
    check_axpy(llvm.functions(axpy(16), ['axpy'], machine)['axpy'])       # LLVM splits wide ones


def test_keys_differ():
    machines = [llvm.host(width) for width in WIDTHS] + [llvm.host(128, libmvec=False)]
    machines += [llvm.host(fma=False), llvm.host(f16c=False)]
    keys = {llvm.object_key(text, machine) for machine in set(machines) for text in ('a', 'b')}
    assert len(keys) == 2 * len(set(machines))


def test_what_the_cpu_lacks_can_not_be_asked_for():
    with pytest.raises(ValueError, match='vectors of'):
        llvm.host(1024)


@elf_only
def test_registers():
    if llvm.host().width_bits == 512:
        assert 'zmm' in llvm.assembly(axpy(16))
        assert 'zmm' not in llvm.assembly(axpy(16), llvm.host(256))
        server = llvm.host()._replace(cpu='skylake-avx512')        # LLVM prefers 256 bits here
        assert 'zmm' in llvm.assembly(axpy(16), server)
    if llvm.host().width_bits >= 256:
        assert 'ymm' not in llvm.assembly(axpy(8), llvm.host(128))
        contracted = axpy(8).replace('fmul', 'fmul contract').replace('fadd', 'fadd contract')
        assert 'vfmadd' in llvm.assembly(contracted)
        assert 'vfmadd' not in llvm.assembly(contracted, llvm.host(fma=False))


# ---------------------------------------------------------------- loading

# Each defines i64 @f(i64). What they need beside code: constants, tables, data, other functions,
# libraries.
PROGRAMS = {
    'plain': '''
define i64 @f(i64 %x) {
  %r = mul i64 %x, 3
  ret i64 %r
}''',
    'jump table': 'declare i64 @llabs(i64)\ndefine i64 @f(i64 %x) {\n'
                  '  switch i64 %x, label %other ['
                  + ' '.join(f'i64 {i}, label %b{i}' for i in range(12)) + ']\n'
                  + '\n'.join(f'b{i}:\n  %v{i} = call i64 @llabs(i64 {i * i - 50})\n'
                              f'  %w{i} = mul i64 %v{i}, {7 + i % 3}\n  ret i64 %w{i}'
                              for i in range(12))
                  + '\nother:\n  ret i64 -1\n}',
    'table of constants': '''
@table = internal constant [4 x i64] [i64 5, i64 7, i64 11, i64 13]
define i64 @f(i64 %x) {
  %i = and i64 %x, 3
  %p = getelementptr [4 x i64], ptr @table, i64 0, i64 %i
  %r = load i64, ptr %p
  ret i64 %r
}''',
    'data and zeroed data': '''
@count = internal global i64 40
@zeroed = internal global [600 x i64] zeroinitializer, align 64
define i64 @f(i64 %x) {
  %old = load volatile i64, ptr @count
  %new = add i64 %old, %x
  store volatile i64 %new, ptr @count
  %p = getelementptr [600 x i64], ptr @zeroed, i64 0, i64 %x
  %z = load volatile i64, ptr %p
  %z1 = add i64 %z, 1
  store volatile i64 %z1, ptr %p
  %r = add i64 %new, %z1
  ret i64 %r
}''',
    'visible data': '''
@count = global i64 40
define i64 @f(i64 %x) {
  %old = load i64, ptr @count
  %new = add i64 %old, %x
  store i64 %new, ptr @count
  ret i64 %new
}''',
    'pointers to functions': '''
define internal i64 @double(i64 %x) noinline {
  %r = add i64 %x, %x
  ret i64 %r
}
define i64 @square(i64 %x) noinline {
  %r = mul i64 %x, %x
  ret i64 %r
}
@table = internal global [2 x ptr] [ptr @double, ptr @square]
define i64 @f(i64 %x) {
  %i = and i64 %x, 1
  %p = getelementptr [2 x ptr], ptr @table, i64 0, i64 %i
  %g = load volatile ptr, ptr %p
  %a = call i64 %g(i64 %x)
  %b = call i64 @square(i64 %a)
  ret i64 %b
}''',
    'library function': '''
declare double @sin(double)
define i64 @f(i64 %x) {
  %d = sitofp i64 %x to double
  %s = call double @sin(double %d)
  %r = bitcast double %s to i64
  ret i64 %r
}''',
    'address of a library function': '''
declare double @cos(double)
define i64 @f(i64 %x) {
  %d = sitofp i64 %x to double
  %p = alloca ptr
  store volatile ptr @cos, ptr %p
  %g = load volatile ptr, ptr %p
  %s = call double %g(double %d)
  %r = bitcast double %s to i64
  ret i64 %r
}''',
    'memory functions': '''
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
define i64 @f(i64 %x) {
  %p = alloca [4096 x i8]
  %n = add i64 %x, 1000
  call void @llvm.memset.p0.i64(ptr %p, i8 5, i64 %n, i1 true)
  %at = getelementptr i8, ptr %p, i64 %n
  %last = getelementptr i8, ptr %at, i64 -1
  %v = load i8, ptr %last
  %r = zext i8 %v to i64
  ret i64 %r
}''',
    'constant vectors': '''
define i64 @f(i64 %x) {
  %a = insertelement <8 x i64> poison, i64 %x, i64 0
  %b = shufflevector <8 x i64> %a, <8 x i64> poison, <8 x i32> zeroinitializer
  %c = mul <8 x i64> %b, <i64 1, i64 2, i64 3, i64 4, i64 5, i64 6, i64 7, i64 8>
  %d = xor <8 x i64> %c, <i64 9, i64 8, i64 7, i64 6, i64 5, i64 4, i64 3, i64 200>
  %r = call i64 @llvm.vector.reduce.add.v8i64(<8 x i64> %d)
  ret i64 %r
}
declare i64 @llvm.vector.reduce.add.v8i64(<8 x i64>)''',
}


def results(address):
    call = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(address)
    return [call(x) for x in range(12)]


@elf_only
@pytest.mark.parametrize('name', PROGRAMS)
def test_our_linker_does_as_llvm(name):
    data = llvm.compile_object(PROGRAMS[name])
    ours = elf.link(data, ['f'], {})['f']
    assert results(ours) == results(llvm._load_by_llvm(data, ['f'], {})['f'])


@elf_only
def test_two_loads_have_data_of_their_own():
    data = llvm.compile_object(PROGRAMS['visible data'])
    first, second = (llvm.load_object(data, ['f'])['f'] for _ in range(2))
    once = results(first)
    assert results(first) != once                          # it counts
    assert results(second) == once


@elf_only
def test_symbols_far_away_are_reached_through_stubs(monkeypatch):
    """A mapping out of reach of the libraries: below 4 GB."""
    low = 0x4000_0000

    def map_low(size):
        private, anonymous, fixed = 2, 0x20, 0x100000
        base = elf._libc().mmap(low, size, 3, private | anonymous | fixed, -1, 0)
        assert base == low
        return base
    data = {name: llvm.compile_object(PROGRAMS[name]) for name in
            ('library function', 'address of a library function', 'memory functions')}
    expected = {name: results(llvm.load_object(d, ['f'])['f']) for name, d in data.items()}
    monkeypatch.setattr(elf, '_map', map_low)
    for name in data:
        assert results(elf.link(data[name], ['f'], {})['f']) == expected[name]
        low += 1 << 20


@pytest.mark.parametrize('load', [pytest.param(elf.link, marks=elf_only), llvm._load_by_llvm])
def test_symbols_given_by_the_caller(load):
    back = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(lambda x: x + 1000)
    address = ctypes.cast(back, ctypes.c_void_p).value
    data = llvm.compile_object('declare i64 @lazy_test_back(i64)\n' + PROGRAMS['plain'].replace(
        'mul i64 %x, 3', 'call i64 @lazy_test_back(i64 %x)'))
    assert results(load(data, ['f'], {'lazy_test_back': address})['f']) == list(range(1000, 1012))


@elf_only
def test_what_can_not_be_loaded():
    text = PROGRAMS['library function'].replace('@sin', '@nobody_has_this')
    with pytest.raises(llvm.LoadError, match='nobody_has_this'):
        llvm.load_object(llvm.compile_object(text), ['f'])
    data = llvm.compile_object(PROGRAMS['plain'])
    with pytest.raises(llvm.LoadError, match='no function g'):
        llvm.load_object(data, ['g'])
    for size in range(64, len(data) - 1, 97):
        with pytest.raises(llvm.LoadError, match='truncated'):
            llvm.load_object(data[:size], ['f'])
    for load in (llvm.load_object, lambda data, names: llvm._load_by_llvm(data, names, {})):
        for wrong in (b'no object file at all', b'\x7fELF' + bytes(200), data[:500]):
            with pytest.raises(llvm.LoadError):
                load(wrong, ['f'])


@elf_only
def test_vector_functions():
    machine = llvm.host()
    letter, lanes = {512: ('e', 16), 256: ('d', 8), 128: ('b', 4)}[machine.width_bits]
    symbol = f'_ZGV{letter}N{lanes}v_expf'
    if symbol not in machine.libmvec:
        pytest.skip('no libmvec')
    vector = f'<{lanes} x float>'
    text = f'''
declare {vector} @{symbol}({vector})
define void @k(ptr %x) {{
  %a = load {vector}, ptr %x, align 4
  %e = call {vector} @{symbol}({vector} %a)
  store {vector} %e, ptr %x, align 4
  ret void
}}'''
    x = np.linspace(-3, 3, lanes, dtype=np.float32)
    y = x.copy()
    address = llvm.functions(text, ['k'], machine)['k']
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(address)(y.ctypes.data)
    np.testing.assert_allclose(y, np.exp(x), rtol=1e-6)


# ---------------------------------------------------------------- compiling and caching

def test_wrong_text_is_an_error():
    before = llvm.kernel_compilations()
    for text in ('define void @f( {', 'define i32 @f() {\n  ret i64 0\n}'):
        with pytest.raises(RuntimeError):
            llvm.compile_object(text)
    assert llvm.kernel_compilations() == before


def test_functions_are_compiled_once_per_cache(tmp_path):
    cache, machine = DiskCache(tmp_path), llvm.host()
    before = llvm.kernel_compilations()
    for _ in range(3):
        found = llvm.functions(PROGRAMS['plain'], ['f'], machine, cache)
        assert results(found['f'])[:3] == [0, 3, 6]
    assert llvm.kernel_compilations() == before + 1
    llvm.functions(PROGRAMS['plain'], ['f'], llvm.host(128, libmvec=False), cache)
    assert llvm.kernel_compilations() == before + 2 - (llvm.host(128, libmvec=False) == machine)


@pytest.mark.parametrize('data', [b'', b'not code', b'\x7fELF', bytes(1000)])
def test_whole_entries_that_are_not_code_are_replaced(tmp_path, data):
    cache, machine = DiskCache(tmp_path), llvm.host()
    key = llvm.object_key(PROGRAMS['plain'], machine)
    cache.put(key, data)
    assert results(llvm.functions(PROGRAMS['plain'], ['f'], machine, cache)['f'])[:3] == [0, 3, 6]
    assert cache.get(key) not in (data, None)


def run_python(code, *args):
    """Run Python code in a new process that sees what this one imports -> its output."""
    path = os.pathsep.join(p for p in sys.path if p)
    done = subprocess.run([sys.executable, '-c', code, *map(str, args)], capture_output=True,
                          env=dict(os.environ, PYTHONPATH=path), text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


PROCESS = '''
import sys
from lazy.codegen import llvm, threads
from lazy.codegen.cache import DiskCache
cache = DiskCache(sys.argv[1])
text = open(sys.argv[2]).read()
address = llvm.functions(text, ['f'], cache=cache)['f']
import ctypes
value = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(address)(5)
runner = threads.runner(cache)
print(value, llvm.kernel_compilations(), 'llvmlite' in sys.modules)
'''


@elf_only
def test_second_process_neither_compiles_nor_imports_the_compiler(tmp_path):
    (tmp_path / 'f.ll').write_text(PROGRAMS['table of constants'])
    args = tmp_path / 'cache', tmp_path / 'f.ll'
    assert run_python(PROCESS, *args) == ['7', '1', 'True']
    assert run_python(PROCESS, *args) == ['7', '0', 'False']


def test_without_llvmlite():
    assert run_python('''
import sys
sys.modules['llvmlite'] = None
from lazy.codegen import llvm, threads
assert not llvm.available() and llvm.compiler_version() == 'none'
try:
    llvm.compile_object('')
except ImportError as error:
    assert 'pip install llvmlite' in str(error)
    print('said')
assert not threads.available() and 'llvmlite' in threads.unavailable_reason()
''') == ['said']


def test_threads_compile_at_once():
    addresses, errors = {}, []

    def work(number):
        try:
            text = PROGRAMS['plain'].replace('3', str(number))
            addresses[number] = llvm.functions(text, ['f'])['f']
        except Exception as error:
            errors.append(error)
    workers = [threading.Thread(target=work, args=(number,)) for number in range(10, 18)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not errors
    for number, address in addresses.items():
        assert results(address)[:3] == [0, number, 2 * number]


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='needs fork')
@pytest.mark.filterwarnings('ignore:.*fork.*:DeprecationWarning')
def test_fork_while_compiling():
    stop = threading.Event()

    def compile_on():
        while not stop.is_set():
            llvm.compile_object(PROGRAMS['jump table'])
    worker = threading.Thread(target=compile_on)
    worker.start()
    try:
        for _ in range(3):
            child = os.fork()
            if child == 0:
                good = results(llvm.functions(PROGRAMS['plain'], ['f'])['f'])[2] == 6
                os._exit(0 if good else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        worker.join()
