"""Triton source text to machine code, without a GPU, without torch, without Triton's own cache.

    types = {'x': '*fp32', 'out': '*fp32', 'n': 'i32'}
    compiled = compile_kernel(source, 'scale', types, {'BLOCK': 1024},
                              divisible_by_16=('x', 'out', 'n'))
    compiled.binary         # a cubin for sm_90a
    accesses(compiled)      # {('load', 16): 1, ('store', 16): 1}

`triton.compile` hashes the 0.4 GB compiler library once per process (0.3 to 0.45 s) to key a cache
without a bound on its size. The stages are run here directly instead, the result is kept by the
`cache` passed in, and its key is known without importing triton: a process that finds everything in
the cache never imports it.

Facts that decide the width of memory accesses (3.6 to 3.9, see `accesses`): pointers are declared
divisible by 16, and so is the bound of the mask, or there is no mask; a block has at least
32 * num_warps * 16 / itemsize elements. The option `num_stages` pipelines loops with `tl.dot` only;
others ask for it by `tl.range(..., num_stages=3)`.
"""

import collections
import dataclasses
import functools
import hashlib
import importlib.metadata
import json
import os
import re
import subprocess
import tempfile
import zlib

from lazy.codegen.triton_source import import_triton, library, load, missing_triton

FORMAT = 1              # of Compiled.to_bytes and of what this module does with its inputs
TESTED = ((3, 6), (3, 9))
_MAGIC = b'lazy-triton\n'
_PTXAS_VARIABLES = ('TRITON_PTXAS_PATH', 'TRITON_PTXAS_BLACKWELL_PATH')
_PLAIN = (int, float, bool, str, type(None))


@dataclasses.dataclass(frozen=True)
class Compiled:
    """A kernel in machine code and what a launcher must know about it.

    binary           cubin (CUDA) or hsaco (ROCm)
    assembly         PTX or AMDGCN text
    argument_types   signature names ('*fp32', 'i32', ...) in the order of the kernel's run-time
                     parameters
    shared           bytes of dynamic shared memory
    threads          per program
    global_scratch, profile_scratch   bytes of scratch memory per program; the last two parameters
                                      point to them
    """
    name: str
    target: tuple
    binary: bytes
    assembly: str
    argument_types: tuple
    num_warps: int
    warp_size: int
    shared: int
    global_scratch: int
    profile_scratch: int
    triton_version: str

    @property
    def threads(self):
        return self.num_warps * self.warp_size

    @functools.cached_property
    def resources(self):
        """Per thread: {'registers', 'stack', 'local'} in registers and bytes; 'shared': static
        bytes. CUDA only.
        """
        return resource_usage(self.binary)

    def to_bytes(self):
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        binary = fields.pop('binary')
        header = json.dumps(fields).encode()
        body = zlib.compress(len(header).to_bytes(8, 'little') + header + binary, 1)
        return _MAGIC + bytes([FORMAT]) + body

    @classmethod
    def from_bytes(cls, data):
        """The kernel that `to_bytes` wrote. Raises ValueError for anything else."""
        start = len(_MAGIC) + 1
        if data[:start] != _MAGIC + bytes([FORMAT]):
            raise ValueError('not a compiled kernel of this version')
        try:
            body = zlib.decompress(data[start:])
            end = 8 + int.from_bytes(body[:8], 'little')
            fields = json.loads(body[8:end])
            fields.update({name: tuple(fields[name]) for name in ('target', 'argument_types')})
            return cls(binary=body[end:], **fields)
        except (zlib.error, KeyError, TypeError, UnicodeDecodeError) as error:
            raise ValueError(f'a damaged compiled kernel: {error}') from error


# ---- keys ----------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=None)
def triton_version():
    """Version of the installed triton, without importing it."""
    try:
        return importlib.metadata.version('triton')
    except importlib.metadata.PackageNotFoundError as error:
        raise missing_triton(error) from error


def _assembler():
    """What identifies ptxas: the one in the wheel goes with Triton's version, another one by its
    file.
    """
    chosen = []
    for variable in _PTXAS_VARIABLES:
        path = os.environ.get(variable)
        if path:
            status = os.stat(path)
            chosen.append([variable, path, status.st_size, status.st_mtime_ns])
    return chosen


def kernel_key(source, name, signature, constexprs=None, divisible_by_16=(),
               target=('cuda', 90), options=None):
    """Hexadecimal digest of all that the machine code depends on.

    Run-time sizes are not among it.
    """
    for constant in (constexprs or {}).values():
        if not isinstance(constant, _PLAIN):
            raise TypeError(f'a constexpr must be a plain value, not {type(constant).__name__}')
    content = [FORMAT, triton_version(), _assembler(), list(target), source, name,
               list(signature.items()), sorted((constexprs or {}).items()), sorted(divisible_by_16),
               sorted((options or {}).items())]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


# ---- compiling -----------------------------------------------------------------------------------


def compile_kernel(source, name, signature, constexprs=None, divisible_by_16=(),
                   target=('cuda', 90), *, num_warps=4, num_stages=3, enable_fp_fusion=True,
                   cache=None, **options):
    """Machine code of the kernel `name` in the source text.

    signature         {parameter: type} of the run-time parameters; types as in '*fp32', '*bf16',
                      'i32', 'fp32'
    constexprs        {parameter: plain value}
    divisible_by_16   run-time parameters whose value (for pointers, the address) is a multiple of
                      16. The launcher must see to it
    target            ('cuda', 90), ('hip', 'gfx942')
    enable_fp_fusion  a*b + c may become one fma
    options           of the Triton backend: maxnreg, num_ctas, ...
    cache             an object with get(key) -> bytes or None, and put(key, bytes)

    Raises ImportError without triton, and Triton's CompilationError with the source line.
    """
    if options.get('num_ctas', 1) != 1:
        raise ValueError('clusters of blocks (num_ctas > 1) are not supported by the launcher')
    options = {'num_warps': num_warps, 'num_stages': num_stages,
               'enable_fp_fusion': enable_fp_fusion, **options}
    inputs = source, name, signature, constexprs or {}, divisible_by_16, target, options
    if cache is None:
        return _compile(*inputs)
    key = kernel_key(*inputs)
    found = _read(cache, key)
    if found is None:
        found = _compile(*inputs)
        cache.put(key, found.to_bytes())
    return found


def _read(cache, key):
    data = cache.get(key)
    try:
        return None if data is None else Compiled.from_bytes(data)
    except ValueError:
        return None


def _gpu_target(target):
    from triton.backends.compiler import GPUTarget
    backend, architecture = target
    wide = backend == 'hip' and str(architecture).startswith('gfx9')
    return GPUTarget(backend, architecture, 64 if wide else 32)


def _ast_source(function, signature, constexprs, divisible_by_16):
    from triton.compiler import ASTSource
    unknown = set(divisible_by_16) - set(signature)
    missing = set(function.arg_names) ^ (set(signature) | set(constexprs))
    if unknown or missing:
        raise TypeError(f'{function.__name__}{tuple(function.arg_names)}: these names do not match '
                        f'the signature: {sorted(unknown | missing)}')
    types = {**signature, **{constant: 'constexpr' for constant in constexprs}}
    types = {parameter: types[parameter] for parameter in function.arg_names}
    facts = {(function.arg_names.index(parameter),): [['tt.divisibility', 16]]
             for parameter in divisible_by_16}
    return ASTSource(function, types, dict(constexprs), facts)


def _is_tested(version):
    return TESTED[0] <= tuple(int(part) for part in version.split('.')[:2]) <= TESTED[1]


def _run_stages(source, target, options, until=None):
    """({stage: module or text}, metadata) of the backend's pipeline."""
    from triton._C.libtriton import ir
    from triton.compiler.compiler import make_backend
    backend = make_backend(target)
    options = backend.parse_options(dict(options))
    stages = {}
    backend.add_stages(stages, options, source.language)
    context = ir.context()
    ir.load_dialects(context)
    backend.load_dialects(context)
    implementations = backend.get_codegen_implementation(options)
    module = source.make_ir(target, options, implementations, backend.get_module_map(), context)
    metadata, results = {'target': target, **options.__dict__}, {}
    for stage, lower in stages.items():
        module = lower(module, metadata)
        if isinstance(module, (str, bytes)):
            results[stage] = module
        if stage == until:
            results[stage] = str(module)
            break
    return results, metadata


def _triton_compile(source, target, options):
    """The public way, for versions of Triton that the direct one was not tried with."""
    kernel = import_triton().compile(source, target=target, options=options)
    return kernel.asm, kernel.metadata._asdict()


def _compile(source, name, signature, constexprs, divisible_by_16, target, options):
    triton = import_triton()
    gpu = _gpu_target(target)
    with library.shared():
        tree = _ast_source(load(source, name), signature, constexprs, divisible_by_16)
        try:
            run = _run_stages if _is_tested(triton.__version__) else _triton_compile
            stages, metadata = run(tree, gpu, options)
        except Exception as error:
            error.add_note(f'while compiling the kernel {name} for {target}, {signature}, '
                           f'{constexprs}')
            raise
    binary, assembly = ('cubin', 'ptx') if gpu.backend == 'cuda' else ('hsaco', 'amdgcn')
    return Compiled(
        name=metadata['name'], target=tuple(target), binary=stages[binary],
        assembly=stages[assembly],
        argument_types=tuple(t for t in tree.signature.values() if t != 'constexpr'),
        num_warps=metadata['num_warps'], warp_size=gpu.warp_size, shared=metadata['shared'],
        global_scratch=metadata.get('global_scratch_size') or 0, triton_version=triton.__version__,
        profile_scratch=metadata.get('profile_scratch_size') or 0)


def lower(source, name, signature, constexprs=None, divisible_by_16=(), target=('cuda', 90), *,
          until='ttgir', num_warps=4, num_stages=3, **options):
    """Text of an early stage ('ttir', 'ttgir'): finds type and layout errors in a tenth of the
    time.
    """
    import_triton()
    options = {'num_warps': num_warps, 'num_stages': num_stages, 'enable_fp_fusion': True,
               **options}
    with library.shared():
        tree = _ast_source(load(source, name), signature, constexprs or {}, divisible_by_16)
        stages, _ = _run_stages(tree, _gpu_target(target), options, until)
    return stages[until]


# ---- reading the result --------------------------------------------------------------------------


def _tool(name):
    """Path of a CUDA program in the triton wheel."""
    root = os.path.dirname(import_triton().__file__)
    return os.path.join(root, 'backends', 'nvidia', 'bin', name)


def _run_on_file(command, binary):
    with tempfile.NamedTemporaryFile(suffix='.cubin') as file:
        file.write(binary)
        file.flush()
        return subprocess.run([*command, file.name], capture_output=True, text=True,
                              check=True).stdout


def resource_usage(cubin):
    """{'registers', 'stack', 'local', 'shared'} of the one kernel in a cubin."""
    text = _run_on_file([_tool('cuobjdump'), '--dump-resource-usage'], cubin)
    found = re.search(r'REG:(\d+) STACK:(\d+) SHARED:(\d+) LOCAL:(\d+)', text)
    if not found:
        raise ValueError(f'cuobjdump printed no resource usage: {text!r}')
    return dict(zip(('registers', 'stack', 'shared', 'local'), map(int, found.groups())))


def spills(compiled):
    """Bytes per thread that registers spill to: the stack frame and local memory.

    0 is what a kernel should have.
    """
    return compiled.resources['stack'] + compiled.resources['local']


_ACCESS = re.compile(r'\b(ld|st)\.(?:[\w:]+\.)*?global(?:\.[\w:]+)*?(?:\.v(\d))?\.[bfsu](\d+)\b')
_COPY = re.compile(r'cp\.async\.c[ag]\.shared\.global(?:\.[\w:]+)*[^;]*?\],\s*(0x[0-9a-fA-F]+|\d+)')
_TENSOR_COPY = re.compile(r'cp\.async\.bulk\.tensor')


def accesses(compiled):
    """Counter {('load' | 'store' | 'copy', bytes): instructions} of the global memory accesses of
    one thread.

    'copy' is cp.async, from global to shared memory; ('tensor copy', 0) a TMA transfer. CUDA only.
    """
    text, found = compiled.assembly, collections.Counter()
    for kind, width, bits in _ACCESS.findall(text):
        found['load' if kind == 'ld' else 'store', int(width or 1) * int(bits) // 8] += 1
    for size in _COPY.findall(text):
        found['copy', int(size, 0)] += 1
    if copies := len(_TENSOR_COPY.findall(text)):
        found['tensor copy', 0] = copies
    return found


def widest(compiled, kind):
    """Bytes of the widest access of a kind ('load' or 'store'), copies counted as loads; 0 without
    one.
    """
    kinds = ('load', 'copy') if kind == 'load' else (kind,)
    return max((size for (name, size) in accesses(compiled) if name in kinds), default=0)


def narrowest(compiled, kind):
    """Bytes of the narrowest access of a kind; 0 without one."""
    kinds = ('load', 'copy') if kind == 'load' else (kind,)
    return min((size for (name, size) in accesses(compiled) if name in kinds), default=0)


def matrix_instructions(compiled):
    """Counter {'wgmma' | 'mma': instructions}: which tensor-core instructions the kernel uses."""
    found = collections.Counter()
    for name, pattern in (('wgmma', r'\bwgmma\.mma_async'), ('mma', r'\bmma\.sync')):
        if number := len(re.findall(pattern, compiled.assembly)):
            found[name] = number
    return found
