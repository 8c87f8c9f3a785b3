"""LLVM IR text to machine code, and machine code to addresses.

    machine = host()                                   # what this CPU can do; host(256) for less
    data = compile_object(text, machine)               # an object file; needs llvmlite
    address = load_object(data, ['kernel'])['kernel']  # needs nothing on Linux and x86-64
    address = functions(text, ['kernel'], machine, cache)['kernel']      # both, or from the cache

Importing llvmlite takes 50 ms, more than most programs take to run once their kernels are on disk.
Hence `host`, `object_key`, `compiler_version` and `load_object` do without: a process that only
finds its code in the cache never imports it. Objects are linked by `elf.py` where that can, else by
LLVM.

Loaded code is never unmapped: threads may be inside it until the process ends.
"""
import ctypes
import functools
import hashlib
import importlib.util
import os
import re
import sys
import threading
from typing import NamedTuple

from lazy.codegen import elf
from lazy.codegen.elf import LoadError, address_of

__all__ = ['Host', 'host', 'compile_object', 'load_object', 'functions', 'object_key', 'assembly',
           'compiler_version', 'kernel_compilations', 'available', 'address_of', 'CompilerMissing',
           'LoadError']


class CompilerMissing(ImportError):
    """Something must be compiled and llvmlite is not installed."""


# ---------------------------------------------------------------- the machine

class Host(NamedTuple):
    """What code is compiled for.

    cpu: a name LLVM knows, or 'native': LLVM asks the CPU itself when it compiles.
    features: LLVM's notation ('+avx2,-avx512f'); with 'native', additions to what LLVM finds.
    width_bits: of the vectors to use, 512, 256 or 128.
    fma, f16c: fused multiply-add; conversion between float16 and float32 in hardware.
    libmvec: names of glibc's vector functions, '_ZGVeN16v_expf', for this and narrower widths.
    identity: of the CPU; code for 'native' serves equal ones only.
    """

    arch: str
    triple: str
    cpu: str
    features: str
    width_bits: int
    fma: bool
    f16c: bool
    libmvec: frozenset
    identity: str

    def lanes(self, itemsize):
        """How many items of `itemsize` bytes one vector holds."""
        return self.width_bits // (8 * itemsize)

    @property
    def key(self):
        """A digest of everything here, for keys of compiled code."""
        return _host_key(self)


@functools.lru_cache(maxsize=None)
def _host_key(machine):
    text = '\n'.join(str(field) for field in machine[:-2])
    text += '\n' + machine.identity + '\n' + ' '.join(sorted(machine.libmvec))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def host(width_bits=None, fma=None, f16c=None, libmvec=None):
    """This machine, or this machine with less. ValueError for what the CPU lacks.

    `host(256)` is without AVX-512, `host(128, libmvec=False)` without AVX and vector functions.
    """
    if width_bits is None and fma is None and f16c is None and libmvec is None:
        return _this_host()
    full = _this_host()
    width = full.width_bits if width_bits is None else width_bits
    narrow = width < full.width_bits
    wanted = {'fma': fma, 'f16c': f16c}
    has = {name: (getattr(full, name) and not (narrow and width == 128 and full.arch == 'x86_64'))
           if value is None else value for name, value in wanted.items()}
    if width not in (128, 256, 512) or width > full.width_bits or any(
            has[name] and not getattr(full, name) for name in has):
        raise ValueError(f'this CPU has vectors of {full.width_bits} bits, fma={full.fma}, '
                         f'f16c={full.f16c}; asked for {width} bits, {has}')
    cpu, features = _reduced(full, width, has)
    symbols = full.libmvec if libmvec is None else frozenset(libmvec or ())
    return full._replace(cpu=cpu, features=features, width_bits=width, **has,
                         libmvec=frozenset(s for s in symbols if _vector_bits(s) <= width))


def _reduced(full, width, has):
    """(cpu, features) for `full` without what is above `width`, and with `has` for fma and f16c."""
    if full.arch != 'x86_64':
        return full.cpu, full.features
    if width == full.width_bits and has['fma'] == full.fma and has['f16c'] == full.f16c:
        return full.cpu, full.features
    cpu = {512: 'x86-64-v4', 256: 'x86-64-v3', 128: 'x86-64-v2'}[width]
    return cpu, ','.join(('+' if has[name] else '-') + name for name in sorted(has))


@functools.lru_cache(maxsize=None)
def _this_host():
    arch = elf.arch()
    flags, identity = _cpu_flags(arch)
    x86 = arch == 'x86_64'
    wide = {'avx512f', 'avx512vl', 'avx512dq', 'avx512bw'} <= flags
    width = 512 if wide else 256 if 'avx2' in flags else 128
    # Some CPUs ask LLVM to split 512-bit vectors; text with 512-bit vectors means them.
    return Host(arch, _triple(arch), 'native', '-prefer-256-bit' if x86 and wide else '', width,
                not x86 or 'fma' in flags, not x86 or 'f16c' in flags,
                _libmvec_symbols(arch, width), identity)


def _triple(arch):
    return arch + {'linux': '-unknown-linux-gnu', 'darwin': '-apple-darwin',
                   'win32': '-pc-windows-msvc'}.get(sys.platform, '-unknown-unknown')


def _cpu_flags(arch):
    """(set of Linux's names of CPU features, text that equal CPUs share)."""
    try:
        with open('/proc/cpuinfo', encoding='ascii', errors='replace') as file:
            first = file.read(8192).split('\n\n')[0]      # the whole can be megabytes
    except OSError:
        return _flags_by_llvm(arch)
    fields = {name.strip().lower(): value.strip() for name, _, value in
              (line.partition(':') for line in first.splitlines())}
    names = ('vendor_id', 'cpu family', 'model', 'stepping', 'cpu implementer', 'cpu variant',
             'cpu part', 'flags', 'features')
    flags = fields.get('flags', fields.get('features', ''))
    return set(flags.split()), '|'.join(fields.get(name, '') for name in names)


def _flags_by_llvm(arch):
    """As `_cpu_flags` where there is no /proc: ARM's vectors have 128 bits, for others ask LLVM."""
    if arch != 'x86_64':
        return set(), ' '.join(getattr(os, 'uname', tuple)())
    binding = _binding()
    names = {name for name, on in binding.get_host_cpu_features().items() if on}
    return names, binding.get_host_cpu_name() + ' ' + ' '.join(sorted(names))


# One argument, then two. Those that a glibc lacks are not found and so not listed.
UNARY = ('acos acosh asin asinh atan atanh cbrt cos cosh erf erfc exp exp10 exp2 expm1 '
         'log log10 log1p log2 sin sinh tan tanh').split()
BINARY = ['atan2', 'hypot', 'pow']
WIDTH_LETTER = {'x86_64': {512: 'e', 256: 'd', 128: 'b'}, 'aarch64': {128: 'n'}}


def _vector_bits(symbol):
    """128, 256 or 512: the width a libmvec function's name says ('_ZGVeN16v_expf' -> 512)."""
    return {'b': 128, 'n': 128, 'c': 256, 'd': 256, 'e': 512}[symbol[4]]


def _libmvec_symbols(arch, width):
    library = elf.library('libmvec.so.1')
    if library is None:
        return frozenset()
    found = set()
    for bits, letter in WIDTH_LETTER.get(arch, {}).items():
        if bits <= width:
            found.update(name for name in _libmvec_names(letter, bits) if elf.symbol(library, name))
    return frozenset(found)


def _libmvec_names(letter, bits):
    for functions_, arguments in ((UNARY, 'v'), (BINARY, 'vv')):
        for name in functions_:
            yield f'_ZGV{letter}N{bits // 64}{arguments}_{name}'
            yield f'_ZGV{letter}N{bits // 32}{arguments}_{name}f'


# ---------------------------------------------------------------- compiling

_lock = threading.RLock()
_machines = {}
_count = 0
# A child must not inherit a lock (ours, or llvmlite's, taken under ours) that a vanished thread
# holds.
if hasattr(os, 'register_at_fork'):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release,
                        after_in_child=_lock.release)


def kernel_compilations():
    """How many kernels this process compiled (code from the disk cache is not compiled)."""
    return _count


@functools.lru_cache(maxsize=None)
def compiler_version():
    """Name and version of the compiler for cache keys, 'none' without one. Does not import it."""
    try:
        spec = importlib.util.find_spec('llvmlite')
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.origin:
        return 'none'
    try:
        path = os.path.join(os.path.dirname(spec.origin), '_version.py')
        with open(path, encoding='utf-8') as file:
            found = re.search(r"version\w*\s*=\s*['\"]([^'\"]+)['\"]", file.read())
    except OSError:
        found = None
    if found is None:
        from importlib.metadata import version   # 20 ms
        return 'llvmlite-' + version('llvmlite')
    return 'llvmlite-' + found.group(1)


def available():
    """Whether something can be compiled here."""
    return compiler_version() != 'none'


@functools.lru_cache(maxsize=None)
def _binding():
    try:
        import llvmlite.binding as binding
    except ImportError as error:
        raise CompilerMissing(f'compiling for the CPU needs llvmlite, which can not be imported '
                              f'({error}): pip install llvmlite') from error
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    binding.initialize_native_asmparser()        # text may hold inline assembly
    return binding


def compile_object(ir_text, machine=None, *, kernel=True):
    """The object file (bytes) for LLVM IR text. RuntimeError with LLVM's words for wrong text.

    machine: a `Host` (default: this one). kernel: whether it is a kernel, which `kernel_compilations` counts and which
    is worth optimising: other code is translated as it is, in a fifth of the time.
    """
    global _count
    with _lock:
        data = _emit(ir_text, machine or host(), 'emit_object', 2 if kernel else 0)
        _count += kernel
    return data


def assembly(ir_text, machine=None):
    """The machine's assembly text for LLVM IR text, to look at."""
    with _lock:
        return _emit(ir_text, machine or host(), 'emit_assembly')


def _emit(ir_text, machine, emit, level=2):
    """Optimise the text and emit what is asked for.

    Called under the lock, and all that it makes dies under it: to free a module takes llvmlite's.
    """
    binding = _binding()
    target = _target_machine(machine, level)
    context = binding.create_context()           # the global one keeps every constant ever seen
    module = binding.parse_assembly(ir_text, context=context)
    module.triple, module.data_layout = target.triple, str(target.target_data)
    module.verify()
    # The text is vector code in SSA form already: inlining, merging and folding are what is left to do. LLVM's
    # default pipeline takes three times as long, mostly for unrolling loops, and its code isn't faster.
    if not level:
        return getattr(target, emit)(module)
    builder = binding.create_pass_builder(target, binding.create_pipeline_tuning_options(speed_level=1))
    passes = binding.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    passes.add_new_gvn_pass()
    passes.add_instruction_combine_pass()
    passes.add_simplify_cfg_pass()
    passes.run(module, builder)
    return getattr(target, emit)(module)


def _target_machine(machine, level):
    if (machine, level) not in _machines:
        binding = _binding()
        cpu, features = machine.cpu, machine.features
        if cpu == 'native':
            cpu = binding.get_host_cpu_name()
            found = binding.get_host_cpu_features().flatten()
            features = ','.join(part for part in (found, features) if part)
        triple = binding.get_process_triple() if _is_this_machine(machine) else machine.triple
        # Position-independent: symbols of other libraries may be further away than 2 GB.
        _machines[machine, level] = binding.Target.from_triple(triple).create_target_machine(
            cpu=cpu, features=features, opt=level, reloc='pic', codemodel='small')
    return _machines[machine, level]


def _is_this_machine(machine):
    return machine.triple == _this_host().triple


# ---------------------------------------------------------------- loading

def load_object(data, names, symbols=None):
    """{name: address} of functions in an object file made by `compile_object`, in any process.

    symbols: {name: address} of what the code calls beyond libm, libmvec and libc.
    LoadError where that fails. The code stays mapped until the process ends.
    """
    if elf.fits():
        try:
            return elf.link(data, names, symbols or {})
        except elf.Unsupported as reason:
            if not available():
                raise LoadError(f'this object file needs llvmlite to be linked ({reason}): '
                                'pip install llvmlite') from None
    return _load_by_llvm(data, names, symbols or {})


def _load_by_llvm(data, names, symbols):
    elf.check(data, symbols)
    with _lock:
        found = _link_by_llvm(data, names, symbols)
    missing = [name for name in names if not found[name]]
    if missing:
        raise LoadError(f'no function {", ".join(missing)} in the object file')
    return found


def _link_by_llvm(data, names, symbols):
    binding = _binding()
    _give_symbols(binding, symbols)
    empty = binding.parse_assembly('', context=binding.create_context())
    host_target = binding.Target.from_triple(binding.get_process_triple())
    target = host_target.create_target_machine(jit=True)
    engine = binding.create_mcjit_compiler(empty, target)
    try:
        engine.add_object_file(binding.ObjectFileRef.from_data(data))
    except RuntimeError as error:
        raise LoadError(str(error)) from error
    engine.finalize_object()
    _keep_for_ever(engine)
    return {name: engine.get_function_address(name) for name in names}


def _give_symbols(binding, symbols):
    """LLVM looks in the libraries of the process and, last, among what it was given by name."""
    for name in filter(None, elf.libraries()):
        if elf.library(name) is not None:
            binding.load_library_permanently(name)
    for name, address in symbols.items():
        binding.add_symbol(name, address)


def _keep_for_ever(thing):
    """Even past the interpreter's end: modules are cleared then, while threads run the code."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


# ---------------------------------------------------------------- all together

def object_key(text, machine):
    """The key of the object file for `text` (IR, or whatever determines it) on `machine`."""
    parts = '\0'.join((text, machine.key, compiler_version()))
    return hashlib.blake2b(parts.encode(), digest_size=20).hexdigest()


def functions(ir_text, names, machine=None, cache=None, symbols=None, *, kernel=True):
    """{name: address} of functions in LLVM IR text, from the disk cache or compiled and put there.

    cache: has `get(key)` and `put(key, data)` as a `DiskCache`, or None.
    """
    machine = machine or host()
    if cache is None:
        return load_object(compile_object(ir_text, machine, kernel=kernel), names, symbols)
    key = object_key(ir_text, machine)
    data = cache.get(key)
    if data is not None:
        try:
            return load_object(data, names, symbols)
        except LoadError:
            pass                                 # whole, and yet no code for here: compile again
    data = compile_object(ir_text, machine, kernel=kernel)
    cache.put(key, data)
    return load_object(data, names, symbols)
