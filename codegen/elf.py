"""A linker for ELF object files on Linux and x86-64, and the addresses of library functions.

    link(data, names, symbols)         # -> {name: address}, or Unsupported: ask LLVM's linker

It does what code made by `llvm.compile_object` needs: sections are mapped in one piece, read-only
ones executable; calls to libraries go directly where they reach, else through stubs; a few kinds of
relocation. No unwinding tables (kernels throw nothing), no thread-local data, no debugger's
interface. Linking takes 0.1 to 0.3 ms, and no import of llvmlite, which takes 50.

The mappings are for ever: threads may be in them until the process ends.
"""
import ctypes
import functools
import os
import struct
import sys
from typing import NamedTuple

__all__ = ['LoadError', 'Unsupported', 'link', 'check', 'fits', 'address_of', 'library', 'symbol',
           'libraries', 'arch']


class LoadError(OSError):
    """Code that can't be loaded: no object file for this machine, or a symbol that nobody has."""


class Unsupported(Exception):
    """What this linker doesn't do and LLVM's may."""


def fits():
    """Whether this linker is for this machine."""
    return sys.platform == 'linux' and arch() == 'x86_64'


def arch():
    """The architecture, as in LLVM's triples."""
    if hasattr(os, 'uname'):
        name = os.uname().machine.lower()
    else:
        import platform                          # 9 ms
        name = platform.machine().lower()
    return {'amd64': 'x86_64', 'arm64': 'aarch64'}.get(name, name)


# ---------------------------------------------------------------- library functions

@functools.lru_cache(maxsize=None)
def library(name):
    """The shared library `name`, or None. `None` as name: everything this process has loaded."""
    try:
        return ctypes.CDLL(name)
    except (OSError, TypeError):                 # TypeError: CDLL(None) on Windows
        return None


def symbol(where, name):
    """Address of `name` in a library or None."""
    if where is None:
        return None
    try:
        return _look_up(where, name)
    except (OSError, AttributeError):
        return None


try:
    from _ctypes import dlsym

    def _look_up(where, name):                   # 0.4 us; a ctypes function object takes 10
        return dlsym(where._handle, name)
except ImportError:                              # Windows

    def _look_up(where, name):
        return ctypes.cast(getattr(where, name), ctypes.c_void_p).value


def libraries():
    """Names of the libraries that code may call, in the order of the search."""
    if sys.platform == 'win32':
        return ['ucrtbase.dll', 'msvcrt.dll']
    if sys.platform == 'darwin':
        return [None]
    # The last one converts float16 on CPUs without f16c.
    return ['libm.so.6', 'libmvec.so.1', None, 'libc.so.6', 'libgcc_s.so.1']


@functools.lru_cache(maxsize=None)
def address_of(name):
    """Address of a symbol of libm, libmvec, libc or this process, or None."""
    found = (symbol(library(each), name) for each in libraries())
    return next((address for address in found if address), None)


# ---------------------------------------------------------------- the linker

ELF_HEADER = struct.Struct('<4sBBB9xHHIQQQIHHHHHH')
SECTION = struct.Struct('<IIQQQQIIQQ')
SYMBOL = struct.Struct('<IBBHQQ')
RELOCATION = struct.Struct('<QQq')
NOBITS, RELA, SYMTAB = 8, 4, 2                   # section types
WRITE, ALLOC, TLS = 1, 2, 0x400                  # section flags
UNWIND = 0x70000001
UNDEFINED, ABSOLUTE, WEAK = 0, 0xfff1, 2
R_64, R_PC32, R_PLT32, R_GOTPCREL, R_32, R_32S, R_PC64, R_GOTPCRELX, R_REX_GOTPCRELX = (
    1, 2, 4, 9, 10, 11, 24, 41, 42)
GOT_KINDS = (R_GOTPCREL, R_GOTPCRELX, R_REX_GOTPCRELX)
# A stub jumps to the address that follows it: `jmp *2(%rip)`, two bytes of padding, eight of
# address. The address alone, at ENTRY, serves as entry of a global offset table.
STUB = struct.Struct('<8sQ')
ENTRY = 8
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


class Symbol(NamedTuple):
    name: int
    info: int
    other: int
    section: int
    value: int
    size: int


class Relocation(NamedTuple):
    section: int
    offset: int
    kind: int
    symbol: int
    addend: int


def link(data, names, symbols):
    """Map an object file, resolve its symbols, apply its relocations -> {name: address}.

    LoadError where a name or symbol is missing, Unsupported for what LLVM's linker may know.
    """
    image = _Image(bytes(data), symbols)
    missing = [name for name in names if name not in image.exports]
    if missing:
        raise LoadError(f'no function {", ".join(missing)} in the object file')
    base = _map(image.size)
    try:
        ctypes.memmove(base, image.relocated(base), image.size)
        _protect(base, image.writable_at)
    except BaseException:
        _unmap(base, image.size)
        raise
    return {name: base + image.exports[name] for name in names}


class _Image:
    """An object file laid out: read-only sections, stubs, and from a new page on writable sections.

    Offsets in it: places, of sections; stubs, of symbols' stubs; exports, of symbols by name.
    """

    def __init__(self, data, symbols):
        self.data, self.sections = data, _sections(data, x86_64=True)
        self.symbols, self.labels = _symbols(data, self.sections)
        self.relocations = _relocations(data, self.sections)
        self.lay_out()
        self.exports = {label: self.places[entry.section] + entry.value
                        for label, entry in zip(self.labels, self.symbols)
                        if entry.section in self.places}
        self.outside = {index: _resolve(self.symbols[index], self.labels[index], symbols)
                        for index in {relocation.symbol for relocation in self.relocations}
                        if self.symbols[index].section not in self.places}

    def lay_out(self):
        code, written, places = _places(self.sections)
        wanted = _stubs_needed(self.relocations, self.symbols)
        self.stubs = {index: code + STUB.size * number for number, index in enumerate(wanted)}
        self.writable_at = _round_up(code + STUB.size * len(wanted), PAGE)
        self.size = self.writable_at + _round_up(written, PAGE)
        self.places = {index: at + (self.writable_at if self.sections[index].flags & WRITE else 0)
                       for index, at in places.items()}

    def address(self, index, base):
        """Where the symbol is when the image is at `base`."""
        entry = self.symbols[index]
        if entry.section in self.places:
            return base + self.places[entry.section] + entry.value
        return self.outside[index]

    def relocated(self, base):
        """The bytes to put at `base`."""
        image = bytearray(self.size)
        for index, at in self.places.items():
            section = self.sections[index]
            if section.kind != NOBITS:
                image[at:at + section.size] = _bytes(self.data, section)
        for index, at in self.stubs.items():
            STUB.pack_into(image, at, JUMP, self.address(index, base))
        for relocation in self.relocations:
            self.relocate(image, base, relocation)
        return bytes(image)

    def relocate(self, image, base, relocation):
        section, offset, kind, index, addend = relocation
        at = self.places[section] + offset
        target, here = self.address(index, base) + addend, base + at
        if kind == R_64:
            struct.pack_into('<Q', image, at, target % 2**64)
        elif kind == R_PC64:
            struct.pack_into('<q', image, at, target - here)
        elif kind in GOT_KINDS:
            _pack32(image, at, base + self.stubs[index] + ENTRY + addend - here)
        elif kind == R_PLT32 and index in self.stubs and not _fits32(target - here):
            _pack32(image, at, base + self.stubs[index] + addend - here)
        elif kind in (R_PC32, R_PLT32):
            _pack32(image, at, target - here)
        elif kind == R_32S:
            _pack32(image, at, target)
        else:
            raise Unsupported(f'relocation {kind}')


def check(data, symbols):
    """LoadError for what makes LLVM's linker end the process: no object file, unknown symbols."""
    mach, coff, coff_arm = b'\xcf\xfa\xed\xfe', b'\x64\x86', b'\x64\xaa'
    if data.startswith((mach, coff, coff_arm)):
        return
    entries, labels = _symbols(data, _sections(data))
    for entry, label in zip(entries[1:], labels[1:]):           # the first is no symbol
        if entry.section == UNDEFINED:
            _resolve(entry, label, symbols)


def _sections(data, x86_64=False):
    """The section headers of an object file in ELF format with 64 bits."""
    if len(data) < ELF_HEADER.size or data[:4] != b'\x7fELF':
        raise LoadError('not an object file in ELF format')
    (_, bits, order, _, kind, machine, _, _, _, at, _, _, _, _, entry, count, _) = (
        ELF_HEADER.unpack_from(data))
    if (bits, order, kind, entry) != (2, 1, 1, SECTION.size) or x86_64 and machine != 62:
        raise LoadError('not a relocatable object for this machine')
    if at + count * entry > len(data):
        raise LoadError('the object file is truncated')
    sections = [Section(*fields) for fields in SECTION.iter_unpack(data[at:at + count * entry])]
    for section in sections:
        if section.kind != NOBITS and section.offset + section.size > len(data):
            raise LoadError('the object file is truncated')
    return sections


def _symbols(data, sections):
    """(entries of the symbol table, their names)."""
    table = next((s for s in sections if s.kind == SYMTAB), None)
    if table is None:
        raise LoadError('the object file has no symbols')
    entries = [Symbol(*fields) for fields in SYMBOL.iter_unpack(_bytes(data, table))]
    strings = sections[table.link]
    return entries, [_string(data, strings.offset + entry.name) for entry in entries]


def _bytes(data, section):
    return data[section.offset:section.offset + section.size]


def _string(data, at):
    return data[at:data.index(b'\0', at)].decode()


def _loaded(section):
    """Unwinding tables are left out: kernels throw nothing."""
    return section.flags & ALLOC and section.size and section.kind != UNWIND


def _places(sections):
    """(bytes of read-only sections, bytes of writable ones, {section: offset within its kind})."""
    ends, places = [0, 0], {}
    for index, section in enumerate(sections):
        if not _loaded(section):
            continue
        if section.flags & TLS or section.alignment > PAGE:
            raise Unsupported('thread-local data or alignment above a page')
        written = bool(section.flags & WRITE)
        places[index] = _round_up(ends[written], section.alignment or 1)
        ends[written] = places[index] + section.size
    return _round_up(ends[0], STUB.size), ends[1], places


def _relocations(data, sections):
    """Those of the sections that are loaded."""
    return [Relocation(section.info, offset, info & 0xffffffff, info >> 32, addend)
            for section in sections if section.kind == RELA and _loaded(sections[section.info])
            for offset, info, addend in RELOCATION.iter_unpack(
                _bytes(data, section))]


def _stubs_needed(relocations, symbols):
    """Symbols that need an entry to jump through or to load an address from, in order."""
    return list(dict.fromkeys(r.symbol for r in relocations if r.kind in GOT_KINDS
                              or r.kind == R_PLT32 and symbols[r.symbol].section == UNDEFINED))


def _resolve(entry, label, symbols):
    """Address of a symbol that isn't in the object file."""
    if entry.section == ABSOLUTE:
        return entry.value
    if entry.section != UNDEFINED:
        raise Unsupported(f'the symbol {label} in section {entry.section}')
    address = symbols.get(label) or address_of(label)
    if address is None and entry.info >> 4 != WEAK:             # weak ones may be absent
        raise LoadError(f'no library has the symbol {label}')
    return address or 0


def _fits32(value):
    return -2**31 <= value < 2**31


def _pack32(image, at, value):
    if not _fits32(value):
        raise Unsupported('a symbol too far away')
    struct.pack_into('<i', image, at, value)


def _round_up(value, multiple):
    return -(-value // multiple) * multiple


@functools.lru_cache(maxsize=None)
def _libc():
    """mmap and its relatives. Python's mmap objects unmap when they die; these must not."""
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
