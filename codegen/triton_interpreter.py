"""Runs Triton kernels on NumPy arrays, without a GPU: Triton's interpreter, repaired and guarded.

    run(source, 'scale', (4,), {'x': x, 'out': out, 'n': 1000}, {'BLOCK': 256})

The stock interpreter (3.6 to 3.9) is wrong or fails in these places, which `repaired()` replaces
while it is open (Triton itself is left as it was):

- bfloat16 and float8: casts truncate, arithmetic works on bit patterns, `tl.dot` too. Here they are
  ml_dtypes arrays, rounded to nearest even; float8 saturates as `cvt.rn.satfinite` does.
- `libdevice` returns None; here it is NumPy and SciPy. Inline assembly: a short table.
- `range()` over a run-time value fails on 3.6; NaN rules of `tl.minimum`, `tl.maximum`, `tl.clamp`,
  one rounding in `tl.fma` and one-bit arithmetic differ before 3.9; argmax raises for NaN.
- generic `tl.reduce` and `tl.associative_scan` call Python once per element; here once per level of
  a tree.
- `and`, `or`, `not` and chained comparisons ask whole tensors for their truth; here they are
  elementwise, as in compiled code.
- arguments must be torch tensors; here they are NumPy arrays.

What the interpreter accepts and the compiler does not (`break`, loop-carried type changes, Python
imports) stays accepted: compile each kernel too. Semantics of both: `//` and `%` on run-time
integers truncate toward zero (C), on constexprs they floor (Python); a load's masked lanes without
`other=` are undefined on a GPU, and poisoned here (NaN, or a large integer).

The guard checks every active lane of every load, store and atomic against the array that its
pointer came from, and who reads and writes each element. Programs run one after another here and at
once on a GPU, so two programs that store to one element, or one that reads what another stores, are
errors though the result is right. It does not see hazards between the lanes of one program.
"""

import functools

import numpy as np

from lazy.codegen import triton_repairs
from lazy.codegen.triton_guard import Guard, OutOfBounds, RaceCondition
from lazy.codegen.triton_repairs import argument, guarded, repaired
from lazy.codegen.triton_source import load, remember

__all__ = ['run', 'repaired', 'signature', 'type_name', 'OutOfBounds', 'RaceCondition',
           'TYPE_NAMES']

# Signature names of the NumPy dtypes.
TYPE_NAMES = {
    'bool': 'i1', 'int8': 'i8', 'uint8': 'u8', 'int16': 'i16', 'uint16': 'u16', 'int32': 'i32',
    'uint32': 'u32', 'int64': 'i64', 'uint64': 'u64', 'float16': 'fp16', 'bfloat16': 'bf16',
    'float32': 'fp32', 'float64': 'fp64',
    'float8_e4m3fn': 'fp8e4nv', 'float8_e5m2': 'fp8e5',
}


def type_name(value):
    """Signature name of an argument: '*fp32' for a float32 array, 'i32' or 'i64' for an int, 'fp32'
    for a float.
    """
    if isinstance(value, np.ndarray):
        return '*' + TYPE_NAMES[value.dtype.name]
    if isinstance(value, np.generic):
        return TYPE_NAMES[value.dtype.name]
    if isinstance(value, bool):
        return 'i1'
    if isinstance(value, int):
        return 'i32' if -2**31 <= value < 2**31 else 'i64' if value < 2**63 else 'u64'
    if isinstance(value, float):
        return 'fp32'
    raise TypeError('a kernel argument must be a NumPy array or a number, not '
                    f'{type(value).__name__}')


def signature(arguments):
    """Types of arguments {name: value}, as `compile_kernel` takes them."""
    return {name: type_name(value) for name, value in arguments.items()}


def _named(arguments, kernel, constexprs):
    if isinstance(arguments, dict):
        return arguments
    names = [name for name in kernel.arg_names if name not in constexprs]
    if len(names) != len(arguments):
        raise TypeError(f'{kernel.__name__} takes {names}, got {len(arguments)} arguments')
    return dict(zip(names, arguments))


def _check_divisible(arguments, names):
    for name in names:
        value = arguments[name]
        number = value.ctypes.data if isinstance(value, np.ndarray) else value
        if number % 16:
            raise ValueError(f'{name} = {number} is said to be divisible by 16 and is not')


def _padded(arguments, padding):
    """Copies of the arrays, each followed by `padding` bytes that a kernel may touch."""
    copies = {}
    for name, value in arguments.items():
        if isinstance(value, np.ndarray):
            memory = np.zeros(value.nbytes + padding + 64, np.uint8)
            start = -memory.ctypes.data % 64
            copies[name] = memory[start:start + value.nbytes].view(value.dtype).reshape(value.shape)
            copies[name][...] = value
    return copies


@functools.lru_cache(maxsize=256)
def _loaded(source, name):
    return load(source, name)


def _programs(grid):
    sizes = tuple(grid) if isinstance(grid, (tuple, list)) else (grid,)
    sizes = sizes + (1,) * (3 - len(sizes))
    triton_repairs.stock.interpreter_builder.set_grid_dim(*sizes)
    return np.ndindex(*sizes)


def _run_programs(kernel, grid, arguments, guard):
    function = kernel.rewrite()
    with guarded(guard):
        for index in _programs(grid):
            triton_repairs.stock.interpreter_builder.set_grid_idx(*index)
            if guard:
                guard.program = index
            function(**arguments)


def _tensors(kernel_name, arguments, types, guard, padding):
    """The arguments as the interpreter holds them, and the guard of their memory."""
    arrays = {name: value for name, value in arguments.items() if isinstance(value, np.ndarray)}
    checks = Guard(kernel_name, arrays, padding, races=guard != 'bounds') if guard else None
    regions = checks.regions if checks else {}
    texts = {**signature(arguments), **(types or {})}
    tensors = {name: argument(value, texts[name], regions.get(name))
               for name, value in arguments.items()}
    return tensors, checks


def run(source, kernel_name, grid, arguments, constexprs=None, guard=True, *, types=None,
        divisible_by_16=(), padding=0):
    """Execute a kernel given as source text on NumPy arrays, which it changes in place.

    source           text that imports what it uses: `import triton`, `import triton.language as
                     tl`, and `from triton.language.extra import libdevice` where needed
    grid             number of programs: int or tuple of up to three
    arguments        {name: array or number}, or a sequence in the kernel's order without
                     constexprs. Arrays are of the dtypes in TYPE_NAMES (bfloat16 and float8 from
                     ml_dtypes); a Python int is i32 where it fits, a float fp32, a NumPy scalar
                     what it says
    types            {name: 'i64', '*bf16', ...} where the default type is not the one wanted
    guard            True: bounds, and stores and loads of one element by several programs (or
                     lanes, for stores); 'bounds': only bounds (for kernels whose programs
                     communicate); False: neither
    divisible_by_16  names whose values (addresses for arrays) are checked to be multiples of 16
    padding          bytes after each array that the kernel may read and write

    Raises OutOfBounds (an IndexError) and RaceCondition; other errors are those of the kernel's
    Python code.
    """
    constexprs = dict(constexprs or {})
    with repaired():
        remember(source)
        kernel = _loaded(source, kernel_name)
        arguments = _named(arguments, kernel, constexprs)
        _check_divisible(arguments, divisible_by_16)
        copies = _padded(arguments, padding) if padding else {}
        tensors, checks = _tensors(kernel_name, {**arguments, **copies}, types, guard, padding)
        _run_programs(kernel, grid, {**tensors, **constexprs}, checks)
    for name, copy in copies.items():
        arguments[name][...] = copy
