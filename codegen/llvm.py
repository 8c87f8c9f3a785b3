"""LLVM IR text to machine code, and machine code to addresses.

    machine = host()                                   # what this CPU can do; host(width_bits=256) forces
    data = compile_object(text, machine)               # bytes of an object file; needs llvmlite
    address = load_object(data, ['kernel'])['kernel']  # needs nothing but the operating system on Linux x86-64
    address = functions(text, ['kernel'], machine, cache)['kernel']      # all of it, through the disk cache

Importing llvmlite takes 50 ms, more than most programs take to run once their kernels are on disk. Hence
`host`, `object_key`, `compiler_version` and `load_object` do without: a process that only finds its code
in the cache never imports it. `load_object` links ELF objects for x86-64 by itself (a few kinds of
relocation, symbols looked up with dlsym) and hands everything else to LLVM's linker.

Loaded code is never unmapped: threads may be inside it until the process ends.
"""
import ctypes
import functools
import hashlib
import importlib.util
import os
import re
import struct
import sys
import threading
from typing import NamedTuple

__all__ = ['Host', 'host', 'compile_object', 'load_object', 'functions', 'object_key', 'compiler_version',
           'kernel_compilations', 'available', 'address_of', 'assembly', 'CompilerMissing', 'LoadError']


class CompilerMissing(ImportError):
    """Something must be compiled and llvmlite is not installed."""


class LoadError(OSError):
    """Machine code can't be loaded: not an object file for this machine, or a symbol that nobody has."""


# ---------------------------------------------------------------------------------------- the machine

class Host(NamedTuple):
    """What code is compiled for.

    cpu: a name LLVM knows, or 'native': LLVM asks the CPU itself when it compiles.
    features: LLVM's notation ('+avx2,-avx512f'); with 'native', additions to what LLVM finds.
    width_bits: of the vectors to use, 512, 256 or 128.
    fma, f16c: fused multiply-add; conversion between float16 and float32 in hardware.
    libmvec: names of glibc's vector functions for this and narrower widths, such as '_ZGVeN16v_expf'.
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
    """This machine, or this machine with less: `host(256)` is without AVX-512, `host(128, libmvec=False)`
    without AVX and without vector functions. What the CPU lacks can't be asked for (ValueError)."""
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
        raise ValueError(f'this CPU has vectors of {full.width_bits} bits, fma={full.fma}, f16c={full.f16c}; '
                         f'asked for {width} bits, {has}')
    cpu, features = _reduced(full, width, has)
    symbols = full.libmvec if libmvec is None else frozenset(libmvec or ())
    return full._replace(cpu=cpu, features=features, width_bits=width, **has,
                         libmvec=frozenset(s for s in symbols if _vector_bits(s) <= width))


def _reduced(full, width, has):
    """(cpu, features) for `full` without what is above `width` and without fma or f16c where not in `has`."""
    if full.arch != 'x86_64':
        return full.cpu, full.features
    if width == full.width_bits and has['fma'] == full.fma and has['f16c'] == full.f16c:
        return full.cpu, full.features
    cpu = {512: 'x86-64-v4', 256: 'x86-64-v3', 128: 'x86-64-v2'}[width]
    return cpu, ','.join(('+' if has[name] else '-') + name for name in sorted(has))


@functools.lru_cache(maxsize=None)
def _this_host():
    arch = _arch()
    flags, identity = _cpu_flags(arch)
    x86 = arch == 'x86_64'
    wide = {'avx512f', 'avx512vl', 'avx512dq', 'avx512bw'} <= flags
    width = 512 if wide else 256 if 'avx2' in flags else 128
    # Some CPUs ask LLVM to split 512-bit vectors; text with 512-bit vectors means them.
    return Host(arch, _triple(arch), 'native', '-prefer-256-bit' if x86 and wide else '', width,
                not x86 or 'fma' in flags, not x86 or 'f16c' in flags, _libmvec_symbols(arch, width), identity)


def _arch():
    if hasattr(os, 'uname'):
        name = os.uname().machine.lower()
    else:
        import platform                          # 9 ms
        name = platform.machine().lower()
    return {'amd64': 'x86_64', 'arm64': 'aarch64'}.get(name, name)


def _triple(arch):
    return arch + {'linux': '-unknown-linux-gnu', 'darwin': '-apple-darwin',
                   'win32': '-pc-windows-msvc'}.get(sys.platform, '-unknown-unknown')


def _cpu_flags(arch):
    """(set of Linux's names of CPU features, text that equal CPUs share)."""
    try:
        with open('/proc/cpuinfo', encoding='ascii', errors='replace') as file:
            first = file.read(8192).split('\n\n')[0]      # all of it can be megabytes on large machines
    except OSError:
        return _flags_by_llvm(arch)
    fields = {name.strip().lower(): value.strip() for name, _, value in
              (line.partition(':') for line in first.splitlines())}
    names = ('vendor_id', 'cpu family', 'model', 'stepping', 'cpu implementer', 'cpu variant', 'cpu part',
             'flags', 'features')
    flags = fields.get('flags', fields.get('features', ''))
    return set(flags.split()), '|'.join(fields.get(name, '') for name in names)


def _flags_by_llvm(arch):
    """As `_cpu_flags` where there is no /proc: vectors of ARM always have 128 bits, others ask LLVM."""
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
    library = _library('libmvec.so.1')
    if library is None:
        return frozenset()
    found = set()
    for bits, letter in WIDTH_LETTER.get(arch, {}).items():
        if bits <= width:
            found.update(name for name in _libmvec_names(letter, bits) if _symbol(library, name))
    return frozenset(found)


def _libmvec_names(letter, bits):
    for functions_, arguments in ((UNARY, 'v'), (BINARY, 'vv')):
        for name in functions_:
            yield f'_ZGV{letter}N{bits // 64}{arguments}_{name}'
            yield f'_ZGV{letter}N{bits // 32}{arguments}_{name}f'


# ------------------------------------------------------------------------------------------- compiling

_lock = threading.RLock()
_machines = {}
_count = 0
# A child must not inherit a lock (ours, or llvmlite's, taken under ours) that a vanished thread holds.
if hasattr(os, 'register_at_fork'):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


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
        with open(os.path.join(os.path.dirname(spec.origin), '_version.py'), encoding='utf-8') as file:
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
        raise CompilerMissing('compiling for the CPU needs llvmlite, which can not be imported '
                              f'({error}): pip install llvmlite. Without it NumPy is used.') from error
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    binding.initialize_native_asmparser()        # text may hold inline assembly
    return binding


def compile_object(ir_text, machine=None, *, kernel=True):
    """The object file (bytes) for LLVM IR text. RuntimeError with LLVM's message where the text is wrong.

    machine: a `Host` (default: this one). kernel: whether `kernel_compilations` counts it.
    """
    global _count
    with _lock:
        module, target, _context = _optimised(ir_text, machine or host())
        data = target.emit_object(module)
        _count += kernel
    return data


def assembly(ir_text, machine=None):
    """The machine's assembly text for LLVM IR text, to look at."""
    with _lock:
        module, target, _context = _optimised(ir_text, machine or host())
        return target.emit_assembly(module)


def _optimised(ir_text, machine):
    """(module, target machine, context); the context has to outlive the module. Called under the lock."""
    binding = _binding()
    target = _target_machine(machine)
    context = binding.create_context()           # the global one would keep every constant ever seen
    module = binding.parse_assembly(ir_text, context=context)
    module.triple, module.data_layout = target.triple, str(target.target_data)
    module.verify()
    options = binding.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = False     # the text is vector code already
    builder = binding.create_pass_builder(target, options)
    builder.getModulePassManager().run(module, builder)
    return module, target, context


def _target_machine(machine):
    if machine not in _machines:
        binding = _binding()
        cpu, features = machine.cpu, machine.features
        if cpu == 'native':
            cpu = binding.get_host_cpu_name()
            found = binding.get_host_cpu_features().flatten()
            features = ','.join(part for part in (found, features) if part)
        triple = binding.get_process_triple() if _is_this_machine(machine) else machine.triple
        # Position-independent: symbols of other libraries may be further away than 2 GB.
        _machines[machine] = binding.Target.from_triple(triple).create_target_machine(
            cpu=cpu, features=features, opt=2, reloc='pic', codemodel='small')
    return _machines[machine]


def _is_this_machine(machine):
    return machine.triple == _this_host().triple


# --------------------------------------------------------------------------------------------- loading

@functools.lru_cache(maxsize=None)
def _library(name):
    """The shared library `name`, or None. `None` as name: everything this process has loaded."""
    try:
        return ctypes.CDLL(name)
    except (OSError, TypeError):                 # TypeError: CDLL(None) on Windows
        return None


def _symbol(library, name):
    """Address of `name` in a library or None."""
    if library is None:
        return None
    try:
        return _look_up(library, name)
    except (OSError, AttributeError):
        return None


try:
    from _ctypes import dlsym

    def _look_up(library, name):                 # 0.4 us; a ctypes function object takes 10
        return dlsym(library._handle, name)
except ImportError:                              # Windows

    def _look_up(library, name):
        return ctypes.cast(getattr(library, name), ctypes.c_void_p).value


def _math_libraries():
    if sys.platform == 'win32':
        return ['ucrtbase.dll', 'msvcrt.dll']
    if sys.platform == 'darwin':
        return [None]
    return ['libm.so.6', 'libmvec.so.1', None, 'libc.so.6', 'libgcc_s.so.1']   # last: float16 without f16c


@functools.lru_cache(maxsize=None)
def address_of(name):
    """Address of a symbol of libm, libmvec, libc or this process, or None."""
    for library in map(_library, _math_libraries()):
        address = _symbol(library, name)
        if address:
            return address
    return None


def load_object(data, names, symbols=None):
    """{name: address} of functions in an object file made by `compile_object`, here or in another process.

    symbols: {name: address} of what the code calls beyond libm, libmvec and libc.
    LoadError where that fails. The code stays mapped until the process ends.
    """
    try:
        return _load_elf(data, names, symbols or {})
    except _Unsupported as reason:
        if not available():
            raise LoadError(f'this object file needs llvmlite to be linked ({reason}): '
                            'pip install llvmlite') from None
    return _load_by_llvm(data, names, symbols or {})


def _load_by_llvm(data, names, symbols):
    with _lock:
        binding = _binding()
        _give_symbols(binding, symbols)
        empty = binding.parse_assembly('', context=binding.create_context())
        target = binding.Target.from_triple(binding.get_process_triple()).create_target_machine(jit=True)
        engine = binding.create_mcjit_compiler(empty, target)
        try:
            engine.add_object_file(binding.ObjectFileRef.from_data(data))
        except RuntimeError as error:
            raise LoadError(str(error)) from error
        engine.finalize_object()
        found = {name: engine.get_function_address(name) for name in names}
    missing = [name for name in names if not found[name]]
    if missing:
        raise LoadError(f'no function {", ".join(missing)} in the object file')
    _keep_for_ever(engine)
    return found


def _give_symbols(binding, symbols):
    """LLVM looks in the libraries of the process and, last, among what it was given by name."""
    for name in filter(None, _math_libraries()):
        if _library(name) is not None:
            binding.load_library_permanently(name)
    for name, address in symbols.items():
        binding.add_symbol(name, address)


def _keep_for_ever(thing):
    """Even past the interpreter's end: modules are cleared then, while threads may still run the code."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


# ------------------------------------------------------------------- a linker for ELF objects on x86-64

class _Unsupported(Exception):
    """What this linker doesn't do and LLVM's may."""


ELF_HEADER = struct.Struct('<4sBBB9xHHIQQQIHHHHHH')
SECTION = struct.Struct('<IIQQQQIIQQ')
SYMBOL = struct.Struct('<IBBHQQ')
RELOCATION = struct.Struct('<QQq')
NOBITS, RELA, SYMTAB = 8, 4, 2                   # section types
WRITE, ALLOC, TLS = 1, 2, 0x400                  # section flags
UNWIND = 0x70000001
UNDEFINED, ABSOLUTE, FIRST_RESERVED = 0, 0xfff1, 0xff00
R_64, R_PC32, R_PLT32, R_GOTPCREL, R_32, R_32S, R_PC64, R_GOTPCRELX, R_REX_GOTPCRELX = (
    1, 2, 4, 9, 10, 11, 24, 41, 42)
GOT_KINDS = (R_GOTPCREL, R_GOTPCRELX, R_REX_GOTPCRELX)
# A stub jumps to the address that follows it: `jmp *2(%rip)`, two bytes of padding, eight of address.
# The address alone serves as entry of a global offset table.
STUB = struct.Struct('<8sQ')
JUMP = b'\xff\x25\x02\x00\x00\x00\x66\x90'
PAGE = 4096


class Section(NamedTuple):
    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry_size: int


def _load_elf(data, names, symbols):
    """Map an object file, resolve its symbols, apply its relocations -> {name: address}."""
    data = bytes(data)
    sections = _sections(data)
    table = next((s for s in sections if s.kind == SYMTAB), None)
    if table is None:
        raise _Unsupported('it has no symbols')
    entries = list(SYMBOL.iter_unpack(data[table.offset:table.offset + table.size]))
    strings = sections[table.link]
    labels = [_string(data, strings.offset + entry[0]) for entry in entries]
    relocations = _relocations(data, sections)
    code, writable, places = _layout(sections)
    stubs = _stubs_needed(relocations, entries)
    stub_at = {index: code + 16 * number for number, index in enumerate(stubs)}
    data_at = _round_up(code + 16 * len(stubs), PAGE)
    size = data_at + _round_up(writable, PAGE)
    places = {i: (offset if not sections[i].flags & WRITE else data_at + offset)
              for i, offset in places.items()}
    resolve = functools.partial(_resolve, entries, labels, symbols)
    base = _map(size)
    try:
        image = _fill(data, sections, places, size)
        values = _Values(base, places, resolve)
        for index, offset in stub_at.items():
            STUB.pack_into(image, offset, JUMP, values.of(index))
        _relocate(image, base, relocations, places, values, stub_at)
        ctypes.memmove(base, bytes(image), size)
        _protect(base, data_at)
        found = {label: base + places[entry[3]] + entry[4] for label, entry in zip(labels, entries)
                 if label in names and entry[3] in places}
        missing = [name for name in names if name not in found]
        if missing:
            raise LoadError(f'no function {", ".join(missing)} in the object file')
    except BaseException:
        _unmap(base, size)
        raise
    return found


def _sections(data):
    if sys.platform != 'linux' or _arch() != 'x86_64':
        raise _Unsupported('not Linux on x86-64')
    if len(data) < ELF_HEADER.size or data[:4] != b'\x7fELF':
        raise _Unsupported('not in ELF format')
    (_, bits, order, _, kind, machine, _, _, _, at, _, _, _, _, entry, count, _) = ELF_HEADER.unpack_from(data)
    if (bits, order, kind, machine, entry) != (2, 1, 1, 62, SECTION.size):
        raise _Unsupported('not a relocatable object for x86-64')
    if at + count * entry > len(data):
        raise LoadError('the object file is truncated')
    sections = [Section(*fields) for fields in SECTION.iter_unpack(data[at:at + count * entry])]
    for section in sections:
        if section.kind != NOBITS and section.offset + section.size > len(data):
            raise LoadError('the object file is truncated')
    return sections


def _string(data, at):
    return data[at:data.index(b'\0', at)].decode()


def _loaded(section):
    """Unwinding tables are left out: kernels throw nothing."""
    return section.flags & ALLOC and section.size and section.kind != UNWIND


def _layout(sections):
    """(bytes of read-only sections, bytes of writable ones, {section index: offset in its part})."""
    ends, places = [0, 0], {}
    for index, section in enumerate(sections):
        if not _loaded(section):
            continue
        if section.flags & TLS or section.alignment > PAGE:
            raise _Unsupported('thread-local data or alignment above a page')
        part = bool(section.flags & WRITE)
        places[index] = _round_up(ends[part], section.alignment or 1)
        ends[part] = places[index] + section.size
    return _round_up(ends[0], 16), ends[1], places


def _relocations(data, sections):
    """(section index, offset, kind, symbol index, addend) for the sections that are loaded."""
    found = []
    for section in sections:
        if section.kind == RELA and _loaded(sections[section.info]):
            for offset, info, addend in RELOCATION.iter_unpack(
                    data[section.offset:section.offset + section.size]):
                found.append((section.info, offset, info & 0xffffffff, info >> 32, addend))
    return found


def _stubs_needed(relocations, entries):
    """Symbols (by index) that need an entry to jump through or to load an address from, in order."""
    return list(dict.fromkeys(
        index for _, _, kind, index, _ in relocations
        if kind in GOT_KINDS or kind == R_PLT32 and entries[index][3] == UNDEFINED))


def _resolve(entries, labels, symbols, index):
    """Address of an undefined or absolute symbol."""
    if entries[index][3] == ABSOLUTE:
        return entries[index][4]
    name = labels[index]
    address = symbols.get(name) or address_of(name)
    if address is None and entries[index][1] >> 4 != 2:         # weak symbols may be absent
        raise LoadError(f'no library has the symbol {name}')
    return address or 0


class _Values:
    """Addresses of symbols, by index, looked up once."""

    def __init__(self, base, places, resolve):
        self.base, self.places, self.resolve, self.known = base, places, resolve, {}

    def of(self, index):
        if index not in self.known:
            self.known[index] = self._find(index)
        return self.known[index]

    def _find(self, index):
        section, value = self.resolve.args[0][index][3:5]
        if section in self.places:
            return self.base + self.places[section] + value
        if section not in (UNDEFINED, ABSOLUTE):
            raise _Unsupported(f'a symbol in section {section}')
        return self.resolve(index)


def _relocate(image, base, relocations, places, values, stub_at):
    for section, offset, kind, index, addend in relocations:
        at = places[section] + offset
        if kind in (R_PC32, R_PLT32):
            _pack32(image, at, _reachable(values.of(index), addend, base + at,
                                          base + stub_at[index] if index in stub_at else None, kind))
        elif kind in GOT_KINDS:
            _pack32(image, at, base + stub_at[index] + 8 + addend - (base + at))
        elif kind == R_64:
            struct.pack_into('<Q', image, at, (values.of(index) + addend) % 2**64)
        elif kind == R_PC64:
            struct.pack_into('<q', image, at, values.of(index) + addend - (base + at))
        elif kind == R_32S:
            _pack32(image, at, values.of(index) + addend)
        else:
            raise _Unsupported(f'relocation {kind}')


def _reachable(target, addend, here, stub, kind):
    """The distance to a symbol, or to its stub where a call can't reach it."""
    distance = target + addend - here
    if -2**31 <= distance < 2**31 or kind != R_PLT32 or stub is None:
        return distance
    return stub + addend - here


def _pack32(image, at, value):
    if not -2**31 <= value < 2**31:
        raise _Unsupported('a symbol too far away')
    struct.pack_into('<i', image, at, value)


def _fill(data, sections, places, size):
    image = bytearray(size)
    for index, offset in places.items():
        section = sections[index]
        if section.kind != NOBITS:
            image[offset:offset + section.size] = data[section.offset:section.offset + section.size]
    return image


def _round_up(value, multiple):
    return -(-value // multiple) * multiple


@functools.lru_cache(maxsize=None)
def _libc():
    """mmap and its relatives. Python's mmap objects unmap when they die; these mappings must not."""
    libc = ctypes.CDLL(None, use_errno=True)
    pointer, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    libc.mmap.restype = pointer
    libc.mmap.argtypes = [pointer, size, number, number, number, ctypes.c_long]
    libc.mprotect.argtypes = [pointer, size, number]
    libc.munmap.argtypes = [pointer, size]
    return libc


def _map(size):
    private, anonymous, read_write = 2, 0x20, 3
    base = _libc().mmap(None, size, read_write, private | anonymous, -1, 0)
    if base in (None, ctypes.c_void_p(-1).value):
        raise LoadError(ctypes.get_errno(), 'no memory can be mapped for machine code')
    return base


def _protect(base, size):
    read_execute = 5
    if size and _libc().mprotect(base, size, read_execute):
        raise LoadError(ctypes.get_errno(), 'the system forbids memory to be made executable')


def _unmap(base, size):
    _libc().munmap(base, size)


# ----------------------------------------------------------------------------------------- all together

def object_key(text, machine):
    """The key of the object file for `text` (IR, or whatever determines it) on `machine`."""
    parts = '\0'.join((text, machine.key, compiler_version()))
    return hashlib.blake2b(parts.encode(), digest_size=20).hexdigest()


def functions(ir_text, names, machine=None, cache=None, symbols=None, *, kernel=True):
    """{name: address} of the functions in LLVM IR text, from the disk cache or compiled and put there.

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
            pass                                 # whole, and yet not code that loads here: compile again
    data = compile_object(ir_text, machine, kernel=kernel)
    cache.put(key, data)
    return load_object(data, names, symbols)
