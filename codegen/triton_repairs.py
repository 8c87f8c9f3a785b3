"""The repairs of Triton's interpreter: see `lazy.codegen.triton_interpreter`.

`repaired()` installs them for a while. Names of Triton are bound on first use.
"""

import contextlib
import functools
import inspect
import sys
import types

import ml_dtypes
import numpy as np

from lazy.codegen import triton_guard, triton_libdevice, triton_rewrite
from lazy.codegen.triton_source import import_triton, library

# Bound by _bind(): triton costs 0.2 s to import and may be missing.
tl = stock = None

SMALL = {'bf16': ml_dtypes.bfloat16, 'fp8e4nv': ml_dtypes.float8_e4m3fn,
         'fp8e5': ml_dtypes.float8_e5m2}
EIGHT_BITS = {np.dtype(ml_dtypes.float8_e4m3fn), np.dtype(ml_dtypes.float8_e5m2)}
INLINE_ASSEMBLY = {
    'tanh.approx.f32': np.tanh, 'ex2.approx.f32': np.exp2, 'ex2.approx.ftz.f32': np.exp2,
    'lg2.approx.f32': np.log2, 'rcp.approx.f32': np.reciprocal,
    'rsqrt.approx.f32': lambda x: 1 / np.sqrt(x),
}


def _bind():
    """Import triton and bind the names used below."""
    global tl, stock
    import_triton()
    import triton.language
    from triton.runtime import interpreter
    tl, stock = triton.language, interpreter


# ---- types ---------------------------------------------------------------------------------------


def _numpy_dtype(dtype):
    """The dtype that holds values of a Triton type: bfloat16 and float8 as themselves, not as
    integers.
    """
    small = SMALL.get(dtype.scalar.name)
    return np.dtype(small) if small else _stock_numpy_dtype(dtype)


def _stock_numpy_dtype(dtype):
    return _REPLACED['_get_np_dtype'](dtype)


def _container(dtype):
    """The dtype that Triton's C++ load and store move: ml_dtypes are unknown to them."""
    return np.dtype(f'u{dtype.itemsize}') if dtype.kind == 'V' or dtype in EIGHT_BITS else dtype


def _handle(data, dtype):
    return stock.TensorHandle(data, dtype.scalar)


def _block(data, dtype):
    data = np.ascontiguousarray(data)
    return tl.tensor(stock.TensorHandle(data, dtype), tl.block_type(dtype, list(data.shape)))


def _widened(data):
    """float32 values of a narrow floating-point array, the array itself otherwise."""
    narrow = data.dtype == np.float16 or data.dtype.kind == 'V' or data.dtype in EIGHT_BITS
    return data.astype(np.float32) if narrow else data


# ---- arguments -----------------------------------------------------------------------------------

_LANGUAGE_NAMES = {'fp16': 'float16', 'bf16': 'bfloat16', 'fp32': 'float32', 'fp64': 'float64',
                   'fp8e4nv': 'float8e4nv', 'fp8e5': 'float8e5'}


def _language_type(name):
    if name in _LANGUAGE_NAMES:
        return getattr(tl, _LANGUAGE_NAMES[name])
    return getattr(tl, {'i': 'int', 'u': 'uint'}[name[0]] + name[1:])


def argument(value, type_text, region):
    """An argument as the interpreter holds it."""
    if type_text[0] == '*':
        dtype = tl.pointer_type(_language_type(type_text[1:]))
        handle = stock.TensorHandle(np.array([value.ctypes.data], np.uint64), dtype)
        handle.attr[triton_guard.REGION] = region
    else:
        dtype = _language_type(type_text)
        handle = stock.TensorHandle(np.array([value]).astype(_numpy_dtype(dtype)), dtype)
    return tl.tensor(handle, dtype)


# ---- casts ---------------------------------------------------------------------------------------


def _round_to_odd(data):
    """float64 to float32 such that a second rounding to fewer bits is right."""
    single = data.astype(np.float32)
    outside = np.abs(single.astype(np.float64)) > np.abs(data)
    single = np.where(outside, np.nextafter(single, np.float32(0)), single)
    inexact = (single != data) & np.isfinite(single)
    return (single.view(np.uint32) | inexact.astype(np.uint32)).view(np.float32)


def _to_small(data, dtype):
    exact = data.dtype.kind in 'fV' and data.dtype.itemsize <= 4 or data.dtype in EIGHT_BITS
    if dtype in EIGHT_BITS and not exact:
        raise TypeError(f'{data.dtype} to {dtype}: the compiler has no such conversion; go through '
                        'float32')
    data = data.astype(np.float32) if exact else _round_to_odd(data.astype(np.float64))
    if dtype in EIGHT_BITS:
        largest = np.float32(ml_dtypes.finfo(dtype).max)
        data = np.where(np.isnan(data), data, np.clip(data, -largest, largest))
    return data.astype(dtype)


def _convert(data, dtype):
    """Values in another dtype, as the hardware's cvt makes them."""
    floating = data.dtype.kind in 'fV' or data.dtype in EIGHT_BITS
    if data.dtype == dtype:
        return data
    if dtype.kind == 'V' or dtype in EIGHT_BITS:
        return _to_small(data, dtype)
    if floating and dtype.kind in 'iu':
        wide = np.dtype(f'{dtype.kind}{max(2, dtype.itemsize)}')     # there is no cvt to 8 bits
        return triton_libdevice.saturate(_widened(data), wide).astype(dtype)
    return data.astype(dtype)


def _cast(self, source, target):
    return _handle(_convert(source.data, _numpy_dtype(target)), target)


def _toward_zero(source, rounded):
    """`rounded` moved back by one unit where rounding to nearest went away from zero."""
    bits = np.ascontiguousarray(rounded).view(_container(rounded.dtype) if rounded.dtype.kind != 'f'
                                              else f'u{rounded.dtype.itemsize}')
    away = np.abs(rounded.astype(np.float64)) > np.abs(source.astype(np.float64))
    return (bits - away.astype(bits.dtype)).view(rounded.dtype)


def _float_to_float(self, source, target, rounding):
    if 'fp8e4b15' in (source.dtype.scalar.name, target.scalar.name):
        return _REPLACED['create_fp_to_fp'](self, source, target, rounding)
    result = _convert(source.data, _numpy_dtype(target))
    if rounding == stock._ir.ROUNDING_MODE.RTZ:
        result = _toward_zero(source.data, result)
    return _handle(result, target)


# ---- arithmetic ----------------------------------------------------------------------------------


def _binary(self, left, right, operation):
    """int1 is an integer of one bit that wraps around; NumPy's bool is not. Comparisons are int1."""
    a, b = left.data, right.data
    if a.dtype == bool and b.dtype == bool:
        result = (operation(a.astype(np.int8), b.astype(np.int8)) & 1).astype(bool)
    else:
        result = operation(a, b)
    dtype = tl.int1 if result.dtype == bool else left.dtype.scalar
    if not stock._validate_np_data_size(result, dtype):
        result = result.astype(_numpy_dtype(dtype))
    return stock.TensorHandle(result, dtype)


def _minimum_number(self, left, right):
    return self.binary_op(left, right, np.fmin)


def _maximum_number(self, left, right):
    return self.binary_op(left, right, np.fmax)


def _clamp(self, x, low, high, propagate_nan):
    if propagate_nan == stock._ir.PROPAGATE_NAN.NONE:
        return self.binary_op(self.binary_op(x, low, np.fmax), high, np.fmin)
    return self.ternary_op(x, low, high, lambda a, b, c: np.minimum(np.maximum(a, b), c))


def _fused_multiply_add(self, x, y, z):
    dtype = z.data.dtype
    if dtype in (np.float32, np.float64):
        return _handle(triton_libdevice.FUNCTIONS['fma'](x.data, y.data, z.data), z.dtype)
    exact = x.data.astype(np.float64) * y.data.astype(np.float64) + z.data.astype(np.float64)
    return _handle(_convert(exact, dtype), z.dtype)


def _erf(self, x):
    return _handle(triton_libdevice.function('__nv_erf')(x.data), x.dtype)


def _bfloat16(self, value):
    single = np.array([value], np.float32)
    return _handle(_convert(single, np.dtype(ml_dtypes.bfloat16)), tl.bfloat16)


def _tf32(data):
    """The 19 bits of a float32 that the tensor core reads."""
    return (np.ascontiguousarray(data).view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)


def _dot(self, a, b, accumulator, input_precision, max_num_imprecise_acc):
    """Products of narrow types are exact in float32 (int8: in float64) and are summed there."""
    x, y = _widened(a.data), _widened(b.data)
    if x.dtype.kind in 'iu':
        x, y = x.astype(np.float64), y.astype(np.float64)
    elif a.data.dtype == np.float32 and input_precision == stock._ir.INPUT_PRECISION.TF32:
        x, y = _tf32(x), _tf32(y)
    dtype = accumulator.data.dtype
    total = np.matmul(x, y)
    if dtype.kind in 'iu':
        return _handle(total.astype(np.int64).astype(dtype) + accumulator.data, accumulator.dtype)
    return _handle(_convert(total + _widened(accumulator.data), dtype), accumulator.dtype)


def _smallest_dot(left, right):
    """The rule of the CUDA target, so that a product too small for it is refused here as well."""
    return (1, 1, {8: 32, 16: 16, 32: 8, 64: 4}[left.scalar.primitive_bitwidth])


def _extern_elementwise(self, library_name, path, symbol, operands, result_type, is_pure):
    dtype = _numpy_dtype(result_type)
    result = triton_libdevice.function(symbol)(*[operand.data for operand in operands])
    return _handle(np.asarray(result).astype(dtype), result_type)


def _inline_assembly(self, assembly, constraints, values, result_types, is_pure, pack):
    function = INLINE_ASSEMBLY.get(assembly.split()[0])
    if function is None or len(result_types) != 1:
        raise NotImplementedError(f'the interpreter has no NumPy equivalent of {assembly!r}')
    result = function(*[value.data for value in values]).astype(_numpy_dtype(result_types[0]))
    handle = _handle(result, result_types[0])
    return types.SimpleNamespace(get_result=lambda index: handle)


# ---- memory --------------------------------------------------------------------------------------

_guard = None       # the guard of the run in progress


@contextlib.contextmanager
def guarded(guard):
    """Accesses are checked by `guard`, a triton_guard.Guard or None."""
    global _guard
    before, _guard = _guard, guard
    try:
        yield
    finally:
        _guard = before


def _poison(shape, dtype):
    """What masked lanes hold when no `other=` is given: any value, as far as a kernel may rely on
    it.
    """
    if dtype.kind == 'b':
        return np.ones(shape, bool)
    if dtype.kind in 'iu':
        return np.full(shape, np.iinfo(dtype).max // 3, dtype)
    return np.full(shape, np.nan, np.float32).astype(dtype)


def _masked_load(self, pointers, mask, other, *policy, **named):
    """Policies differ between versions; whether the load is volatile comes last, or by name."""
    element = pointers.get_element_ty()
    dtype = _numpy_dtype(element)
    if _guard:
        volatile = named['is_volatile'] if named else policy[-1]
        _guard.load(pointers, mask.data, dtype.itemsize, volatile)
    if other is not None:
        fill = other.data
    elif _guard:
        fill = _poison(pointers.data.shape, dtype)
    else:
        fill = np.zeros(pointers.data.shape, dtype)
    container = _container(dtype)
    data = stock._interpreter.load(pointers.data, mask.data, fill.astype(dtype).view(container),
                                   container)
    return stock.TensorHandle(data.view(dtype), element)


def _masked_store(self, pointers, value, mask, *policy):
    dtype = value.data.dtype
    if _guard:
        _guard.store(pointers, mask.data, dtype.itemsize)
    return stock._interpreter.store(pointers.data, value.data.view(_container(dtype)), mask.data)


def _atomic_update(self, operation, pointers, value, mask, order, scope):
    dtype = value.data.dtype
    if _container(dtype) != dtype:
        raise NotImplementedError(f'atomic operations on {dtype} are not interpreted; accumulate '
                                  'in float32')
    if _guard:
        _guard.atomic(pointers, mask.data, dtype.itemsize)
    return _REPLACED['create_atomic_rmw'](self, operation, pointers, value, mask, order, scope)


def _atomic_exchange(self, pointers, compare, value, order, scope):
    if _guard:
        _guard.atomic(pointers, np.ones(pointers.data.shape, bool), value.data.dtype.itemsize)
    return _REPLACED['create_atomic_cas'](self, pointers, compare, value, order, scope)


def _keeping_region(function):
    """A builder method whose result points into the same array as its pointer operand does."""
    @functools.wraps(function)
    def build(self, *operands, **named):
        result = function(self, *operands, **named)
        for operand in operands:
            region = getattr(operand, 'attr', {}).get(triton_guard.REGION)
            if region is not None:
                result.attr[triton_guard.REGION] = region
                break
        return result
    return build


# ---- reductions and scans ------------------------------------------------------------------------


def _combine(function, left, right, dtypes):
    operands = [_block(array, dtype) for side in (left, right)
                for array, dtype in zip(side, dtypes)]
    results = function(*operands)
    results = results if isinstance(results, tuple) else (results,)
    arrays = [r.handle.data if isinstance(r, tl.tensor) else np.asarray(r) for r in results]
    return [_convert(np.broadcast_to(a, x.shape), x.dtype) for a, x in zip(arrays, left)]


def _part(array, axis, part):
    return array[(slice(None),) * axis + (part,)]


_EVEN, _ODD = slice(0, None, 2), slice(1, None, 2)


def _tree_reduce(self, inputs):
    """Neighbours are combined, left before right: log2(n) calls of the combining function."""
    tensors, axis = self.unravel(inputs, self.axis)
    dtypes = [t.dtype for t in tensors]
    arrays = [t.handle.data for t in tensors]
    axis %= arrays[0].ndim
    while arrays[0].shape[axis] > 1:
        left, right = ([_part(a, axis, half) for a in arrays] for half in (_EVEN, _ODD))
        arrays = _combine(self.combine_fn, left, right, dtypes)
    return [self.to_tensor(_reduced(self, a, axis, t), t.dtype) for a, t in zip(arrays, inputs)]


def _reduced(self, array, axis, operand):
    if self.keep_dims:
        return array if self.axis is not None else array.reshape((1,) * operand.handle.data.ndim)
    return np.squeeze(array, axis) if self.axis is not None else array.reshape(())


def _reduce(self, inputs):
    """Sum, minimum and maximum through NumPy; everything else, arg-reductions included, as the
    kernel writes it.
    """
    functions = {id(tl.standard._sum_combine): np.add, id(tl.standard._elementwise_max): np.fmax,
                 id(tl.standard._elementwise_min): np.fmin}
    function = functions.get(id(self.combine_fn))
    if function is None:
        return _tree_reduce(self, inputs)
    data, axis = inputs[0].handle.data, self.axis
    wide = _widened(data) if function is np.add else data
    axes = tuple(range(data.ndim)) if axis is None else axis
    result = function.reduce(wide, axis=axes, keepdims=self.keep_dims)
    return [self.to_tensor(_convert(np.asarray(result), data.dtype), inputs[0].dtype)]


def _tree_scan(function, arrays, axis, dtypes):
    if arrays[0].shape[axis] == 1:
        return arrays
    even, odd = ([_part(a, axis, half) for a in arrays] for half in (_EVEN, _ODD))
    pairs = _tree_scan(function, _combine(function, even, odd, dtypes), axis, dtypes)
    before = [np.concatenate([_part(e, axis, slice(0, 1)), _part(p, axis, slice(0, -1))], axis)
              for e, p in zip(even, pairs)]
    through = _combine(function, before, even, dtypes)
    results = []
    for array, first, other, pair in zip(arrays, even, through, pairs):
        result = np.empty_like(array)
        _part(result, axis, _EVEN)[...] = other
        _part(result, axis, slice(0, 1))[...] = _part(first, axis, slice(0, 1))
        _part(result, axis, _ODD)[...] = pair
        results.append(result)
    return results


def _scan(self, inputs):
    arrays = [t.handle.data for t in inputs]
    axis = self.axis % arrays[0].ndim
    flip = (lambda a: np.ascontiguousarray(np.flip(a, axis))) if self.reverse else (lambda a: a)
    arrays = [flip(a) for a in arrays]
    functions = {id(tl.standard._sum_combine): np.add, id(tl.standard._prod_combine): np.multiply}
    function = functions.get(id(self.combine_fn))
    if function is None:
        arrays = _tree_scan(self.combine_fn, arrays, axis, [t.dtype for t in inputs])
    else:
        arrays = [_convert(function.accumulate(_widened(a), axis=axis), a.dtype) for a in arrays]
    return [self.to_tensor(flip(a), t.dtype) for a, t in zip(arrays, inputs)]


# ---- installing ----------------------------------------------------------------------------------

_REPLACED = {}      # what the repairs call of the stock interpreter
_CASTS = ('cast_impl', 'create_si_to_fp', 'create_ui_to_fp', 'create_fp_to_si', 'create_fp_to_ui',
          'create_fp_ext', 'create_fp_trunc')
_BUILDER = {
    **{name: _cast for name in _CASTS},
    'create_int_cast': lambda self, source, target, signed: _cast(self, source, target),
    'create_fp_to_fp': _float_to_float, 'binary_op': _binary, 'create_minnumf': _minimum_number,
    'create_maxnumf': _maximum_number, 'create_clampf': _clamp, 'create_fma': _fused_multiply_add,
    'create_erf': _erf, 'get_bf16': _bfloat16, 'create_dot': _dot,
    'create_extern_elementwise': _extern_elementwise, 'create_inline_asm': _inline_assembly,
    'create_masked_load': _masked_load, 'create_masked_store': _masked_store,
    'create_atomic_rmw': _atomic_update, 'create_atomic_cas': _atomic_exchange,
}
_POINTER_METHODS = ('create_addptr', 'create_splat', 'create_broadcast', 'create_expand_dims',
                    'create_bitcast', 'create_reshape', 'create_trans', 'create_unsplat')


class _Scope:
    """Attributes set for a while. Restores the namespaces themselves: classes hold descriptors."""

    def __init__(self):
        self._before = []

    def set_attr(self, owner, name, value):
        self._before.append((owner, name, vars(owner).get(name, self)))
        setattr(owner, name, value)

    def restore(self):
        while self._before:
            owner, name, value = self._before.pop()
            if value is self:
                delattr(owner, name)
            else:
                setattr(owner, name, value)


def _call_interpreted(function, /, *operands, **named):
    """A device function called by a kernel: the language is already patched, and errors pass as
    they are.
    """
    return function.rewrite()(*operands, **named)


def _execute_rewritten(self, tree):
    """Compile a rewritten function beside the original, adding three names to its globals."""
    names = self.fn.__globals__
    names.update(triton_rewrite.helpers(tl.tensor, stock.interpreter_semantic.to_tensor))
    local = dict(self.kwargs)
    exec(compile(tree, filename=self.filename, mode='exec'), names, local)
    return local[self.fn.__name__]


def _definition(self):
    """File and line of the `def`; the stock way compiles the function to find out."""
    lines, first = inspect.getsourcelines(self.fn)
    offset = next(k for k, line in enumerate(lines) if line.lstrip().startswith('def '))
    return self.fn.__code__.co_filename, first + offset


def _repair_builder(scope):
    builder = stock.InterpreterBuilder
    for name in ('create_fp_to_fp', 'create_atomic_rmw', 'create_atomic_cas'):
        _REPLACED[name] = getattr(builder, name)
    for name in _POINTER_METHODS:
        if hasattr(builder, name):
            scope.set_attr(builder, name, _keeping_region(getattr(builder, name)))
    for name, method in _BUILDER.items():
        scope.set_attr(builder, name, method)
    scope.set_attr(stock.interpreter_builder, 'codegen_fns',
                   {**stock.interpreter_builder.codegen_fns, 'min_dot_size': _smallest_dot})


def _repair_interpreter(scope):
    _REPLACED['_get_np_dtype'] = stock._get_np_dtype
    scope.set_attr(stock, '_get_np_dtype', _numpy_dtype)
    _repair_builder(scope)
    scope.set_attr(stock.ReduceOps, 'apply_impl', _reduce)
    scope.set_attr(stock.ScanOps, 'apply_impl', _scan)
    scope.set_attr(stock.InterpretedFunction, '__call__', _call_interpreted)
    scope.set_attr(stock.FunctionRewriter, 'ast_transformer', triton_rewrite.Rewriter())
    scope.set_attr(stock.FunctionRewriter, '_compile_and_exec', _execute_rewritten)
    scope.set_attr(stock.FunctionRewriter, '_get_jit_fn_file_line', _definition)


@functools.lru_cache(maxsize=None)
def _interpreted(function):
    """Called with the Python function: the hash of a JITFunction costs a walk over its source."""
    return stock.InterpretedFunction(function)


def _member(function):
    """A plain function: instances of InterpretedFunction do not bind as methods."""
    return lambda *operands, **named: function(*operands, **named)


def _language_modules():
    return [module for name, module in sys.modules.items()
            if name.startswith('triton.language') and isinstance(module, types.ModuleType)]


def _interpret_library(scope):
    """Triton's own library functions (`tl.sum`, ...), compiled ones since the import, become
    interpreted ones.
    """
    from triton.runtime import JITFunction
    for module in _language_modules():
        for name, value in list(vars(module).items()):
            if isinstance(value, JITFunction):
                scope.set_attr(module, name, _interpreted(value.fn))
    for name, value in list(vars(tl.tensor).items()):
        if isinstance(value, JITFunction):
            scope.set_attr(tl.tensor, name, _member(_interpreted(value.fn)))


def _patch_libdevice(scope):
    """`libdevice` is a module of stubs; the CUDA one checks types and names symbols."""
    from triton.language.extra import libdevice as stubs
    from triton.language.extra.cuda import libdevice
    stock._patch_builtin(libdevice, stock.interpreter_builder, scope)
    for name in list(vars(stubs)):
        if not name.startswith('__') and hasattr(libdevice, name):
            scope.set_attr(stubs, name, getattr(libdevice, name))


def _truth(self):
    """Of a number, its own. A block has none: `tl.load` asks only whether there is an `other`."""
    return self.type.is_block() or bool(self.handle.data.reshape(-1)[0])


def _patch_language(scope):
    """What the stock interpreter patches for each call of each function, once, and with its own
    scope class.
    """
    scope.set_attr(stock, '_LangPatchScope', lambda: scope)
    stock._patch_lang(types.SimpleNamespace(__globals__={'tl': tl, 'core': tl.core}))
    scope.set_attr(tl.tensor, '__index__', lambda self: int(self.handle.data.reshape(-1)[0]))
    scope.set_attr(tl.tensor, '__bool__', _truth)


@contextlib.contextmanager
def repaired():
    """Triton's interpreter with the repairs.

    Owns the language meanwhile: nothing can be compiled. Re-entrant.
    """
    _bind()
    with library.owned() as nested:
        if nested:
            yield
            return
        scope = _Scope()
        try:
            _repair_interpreter(scope)
            _interpret_library(scope)
            _patch_language(scope)
            _patch_libdevice(scope)
            with np.errstate(all='ignore'):
                yield
        finally:
            scope.restore()
