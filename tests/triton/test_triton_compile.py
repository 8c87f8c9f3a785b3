"""Machine code for sm_90 without a GPU: what decides the width of accesses, keys, the cache,
errors.
"""

import os
import subprocess
import sys

import pytest

from lazy.codegen.triton_compile import (Compiled, accesses, compile_kernel, kernel_key, lower,
                                         narrowest, spills, triton_version, widest)
from triton_texts import HEADER, LOOPED_SUM, SOFTMAX, WELFORD, elementwise

TYPES = {'x': '*fp32', 'out': '*fp32', 'n': 'i32'}
DOUBLE = elementwise('x_ * 2.0')


class Store(dict):
    """A cache in memory."""

    def put(self, key, data):
        self[key] = data


STORE = Store()     # kernels that several tests compile


def compiled(text, name, types, constexprs, divisible_by_16=(), **options):
    options.setdefault('cache', STORE)
    return compile_kernel(text, name, types, constexprs, divisible_by_16, **options)


def pointwise(element='fp32', block=1024, facts=('x', 'out', 'n'), value='x_ * 2.0', **options):
    types = {'x': '*' + element, 'out': '*' + element, 'n': 'i32'}
    return compiled(elementwise(value), 'kernel', types, {'BLOCK': block}, facts, **options)


# ---- width of accesses ---------------------------------------------------------------------------

@pytest.mark.parametrize('element, block', [('fp32', 512), ('fp32', 1024), ('fp64', 512),
                                            ('bf16', 1024), ('fp16', 1024), ('i8', 2048)])
def test_sixteen_bytes_at_a_time(element, block):
    value = 'x_ + x_' if element == 'i8' else 'x_ * 2.0'
    kernel = pointwise(element, block, value=value)
    assert widest(kernel, 'load') == narrowest(kernel, 'load') == 16
    assert widest(kernel, 'store') == narrowest(kernel, 'store') == 16
    assert spills(kernel) == 0


@pytest.mark.parametrize('element, block, facts, width', [
    ('fp32', 1024, ('x', 'out'), 4),            # nothing known about the mask's bound
    ('fp32', 1024, ('out', 'n'), 4),            # nor about the address that is read
    ('bf16', 512, ('x', 'out', 'n'), 8),        # 128 threads of 4 elements of 2 bytes
    ('bf16', 1024, (), 2),
])
def test_what_narrows_loads(element, block, facts, width):
    assert widest(pointwise(element, block, facts), 'load') == width


def test_an_unmasked_branch_or_a_rounded_bound_keep_loads_wide():
    branch = HEADER + '''\
@triton.jit
def kernel(x, out, n, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    if (tl.program_id(0) + 1) * BLOCK <= n:
        tl.store(out + i, tl.load(x + i) * 2.0)
    else:
        m = i < n
        tl.store(out + i, tl.load(x + i, mask=m) * 2.0, mask=m)
'''
    kernel = compiled(branch, 'kernel', TYPES, {'BLOCK': 1024}, ('x', 'out'))
    assert (widest(kernel, 'load'), narrowest(kernel, 'load')) == (16, 4)
    rounded = DOUBLE.replace('m = i < n', 'm = i < (n + 15) // 16 * 16')
    kernel = compiled(rounded, 'kernel', TYPES, {'BLOCK': 1024}, ('x', 'out'))
    assert narrowest(kernel, 'load') == narrowest(kernel, 'store') == 16


def test_a_loop_copies_asynchronously_if_it_is_asked_to():
    """The option num_stages of the compiler concerns loops with tl.dot; others ask for themselves.
    """
    types = {'x': '*fp32', 'out': '*fp32', 'C': 'i32'}
    kernel = compiled(LOOPED_SUM, 'row_sum', types, {'BLOCK': 1024}, tuple(types))
    assert accesses(kernel)['load', 16] > 0 and not accesses(kernel)['copy', 16]
    text = LOOPED_SUM.replace('in range(0, C, BLOCK)', 'in tl.range(0, C, BLOCK, num_stages=3)')
    kernel = compiled(text, 'row_sum', types, {'BLOCK': 1024}, tuple(types))
    assert accesses(kernel)['copy', 16] > 0 and widest(kernel, 'load') == 16


@pytest.mark.parametrize('element', ['fp32', 'bf16', 'fp16', 'fp64'])
def test_softmax(element):
    types = {'x': '*' + element, 'out': '*' + element, 'C': 'i32'}
    kernel = compiled(SOFTMAX, 'softmax', types, {'BLOCK': 1024}, ('x', 'out', 'C'))
    assert spills(kernel) == 0 and widest(kernel, 'load') == widest(kernel, 'store') == 16
    assert kernel.shared > 0 and kernel.argument_types == tuple(types.values())


def test_reduction_with_a_function_of_the_source():
    types = {'x': '*fp32', 'mean': '*fp32', 'variance': '*fp32', 'C': 'i32'}
    kernel = compiled(WELFORD, 'moments', types, {'BLOCK': 1024}, tuple(types))
    assert spills(kernel) == 0 and widest(kernel, 'load') == 16


def test_spills_are_seen():
    assert spills(pointwise(block=2048, value='x_ * tl.sum(x_, 0)', num_warps=1)) == 0
    kernel = pointwise(block=2048, value='x_ * tl.sum(x_, 0)', num_warps=1, maxnreg=32)
    assert spills(kernel) > 0 and kernel.resources['registers'] <= 32


def test_cache_hints_do_not_hide_accesses():
    text = DOUBLE.replace('mask=m)', "mask=m, eviction_policy='evict_first')", 1)
    text = text.replace('x_ * 2.0, mask=m)', "x_ * 2.0, mask=m, cache_modifier='.cs')")
    kernel = compiled(text, 'kernel', TYPES, {'BLOCK': 512}, tuple(TYPES))
    assert accesses(kernel) == {('load', 16): 1, ('store', 16): 1}


# ---- metadata, keys, cache -----------------------------------------------------------------------

def test_metadata():
    kernel = pointwise(num_warps=8)
    assert kernel.name == 'kernel' and kernel.target == ('cuda', 90)
    assert kernel.threads == 256 and kernel.shared == 0 and kernel.global_scratch == 0
    assert kernel.binary[:4] == b'\x7fELF' and '.visible .entry kernel' in kernel.assembly
    assert 8 <= kernel.resources['registers'] <= 255
    assert kernel.triton_version == triton_version()


def test_bytes_and_back():
    kernel = pointwise()
    data = kernel.to_bytes()
    assert Compiled.from_bytes(data) == kernel
    for damaged in (b'', data[:-5], b'x' + data, data[:40] + b'\0' + data[41:]):
        with pytest.raises(ValueError):
            Compiled.from_bytes(damaged)


def test_cache_is_used_and_a_damaged_entry_rewritten():
    store = Store()
    first = pointwise(cache=store)
    assert len(store) == 1
    key, data = next(iter(store.items()))
    assert pointwise(cache=store) == first and len(store) == 1
    store[key] = data[:-5]
    assert pointwise(cache=store) == first and store[key] == data


def test_key_holds_what_code_depends_on():
    base = dict(source=DOUBLE, name='kernel', signature=TYPES, constexprs={'BLOCK': 256},
                divisible_by_16=('x', 'n'), target=('cuda', 90), options={'num_warps': 4})
    keys = {kernel_key(**base)}
    assert keys == {kernel_key(**{**base, 'divisible_by_16': ('n', 'x')})}
    for change in (dict(source=DOUBLE + '\n'), dict(signature={**TYPES, 'n': 'i64'}),
                   dict(constexprs={'BLOCK': 512}), dict(divisible_by_16=()),
                   dict(target=('cuda', 80)), dict(options={'num_warps': 8})):
        keys.add(kernel_key(**{**base, **change}))
    assert len(keys) == 7
    with pytest.raises(TypeError, match='plain value'):
        kernel_key(**{**base, 'constexprs': {'BLOCK': object()}})


def test_key_holds_the_assembler(monkeypatch, tmp_path):
    plain = kernel_key(DOUBLE, 'kernel', TYPES)
    other = tmp_path / 'ptxas'
    other.write_text('')
    monkeypatch.setenv('TRITON_PTXAS_PATH', str(other))
    assert kernel_key(DOUBLE, 'kernel', TYPES) != plain


def test_a_process_that_finds_its_kernels_does_not_import_triton(tmp_path):
    kernel = pointwise()
    (tmp_path / 'entry').write_bytes(kernel.to_bytes())
    code = f'''
import sys
from lazy.codegen.triton_compile import compile_kernel
class Found:
    def get(self, key):
        return open({str(tmp_path / 'entry')!r}, 'rb').read()
kernel = compile_kernel({DOUBLE!r}, 'kernel', {TYPES!r}, {{'BLOCK': 1024}}, cache=Found())
assert kernel.threads == 128 and kernel.binary[:4] == b'\\x7fELF'
assert 'triton' not in sys.modules and 'torch' not in sys.modules
'''
    path = os.pathsep.join(p for p in sys.path if p)
    subprocess.run([sys.executable, '-c', code], check=True,
                   env={**os.environ, 'PYTHONPATH': path})


def test_same_code_as_through_triton_compile(monkeypatch, tmp_path):
    monkeypatch.setenv('TRITON_CACHE_DIR', str(tmp_path))
    from lazy.codegen import triton_compile
    direct = pointwise(cache=None)
    monkeypatch.setattr(triton_compile, 'TESTED', ((0, 0), (0, 0)))
    public = pointwise(cache=None)
    assert public == direct


def test_nothing_is_written_outside(monkeypatch, tmp_path):
    monkeypatch.setenv('TRITON_CACHE_DIR', str(tmp_path / 'cache'))
    pointwise(cache=None)
    assert not (tmp_path / 'cache').exists()


# ---- other targets and errors --------------------------------------------------------------------

@pytest.mark.parametrize('target, threads', [(('cuda', 80), 128), (('cuda', 100), 128),
                                             (('hip', 'gfx942'), 256), (('hip', 'gfx1100'), 128)])
def test_other_targets(target, threads):
    kernel = pointwise(target=target)
    assert kernel.threads == threads and kernel.target == target and kernel.binary


def test_lowering_to_an_early_stage():
    text = lower(SOFTMAX, 'softmax', {'x': '*fp32', 'out': '*fp32', 'C': 'i32'}, {'BLOCK': 512},
                 until='ttir')
    assert 'tt.func' in text and 'tt.load' in text


def test_errors_say_where():
    from triton.compiler.errors import CompilationError
    with pytest.raises(CompilationError, match='missing') as error:
        compiled(elementwise('x_ + missing'), 'kernel', TYPES, {'BLOCK': 128})
    assert 'while compiling the kernel kernel' in error.value.__notes__[0]


def test_names_are_checked():
    for types, constants, facts in (({'x': '*fp32'}, {'BLOCK': 1}, ()),
                                    (TYPES, {}, ()), ({**TYPES, 'y': 'i32'}, {'BLOCK': 1}, ()),
                                    (TYPES, {'BLOCK': 128}, ('z',))):
        with pytest.raises(TypeError, match='do not match'):
            compiled(DOUBLE, 'kernel', types, constants, facts)
    with pytest.raises(KeyError, match='no kernel called'):
        compiled(DOUBLE, 'other', TYPES, {'BLOCK': 128})


def test_missing_triton_says_how_to_get_it(monkeypatch):
    from lazy.codegen import triton_compile
    triton_version.cache_clear()

    def version(name):
        raise triton_compile.importlib.metadata.PackageNotFoundError(name)
    monkeypatch.setattr(triton_compile.importlib.metadata, 'version', version)
    with pytest.raises(ImportError, match='pip install'):
        kernel_key(DOUBLE, 'kernel', TYPES)
    triton_version.cache_clear()
