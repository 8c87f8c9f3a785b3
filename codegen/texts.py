"""The code of a kernel for a target, to read."""


def source(kernel, target, name):
    """LLVM IR of a native kernel ('native'), or the Triton source for its step ('triton'). ValueError for others."""
    if target == 'native':
        return _native(kernel, name)
    if target == 'triton':
        return _triton(kernel, name)
    raise ValueError(f"target is 'native' or 'triton', not {target!r}")


def _native(kernel, name):
    from . import compiled, llvm_math, native_printer
    module = llvm_math.Module(compiled.features())
    body = native_printer.emit_kernel(kernel, name, module)
    return f'{module.text()}\n{body}'


def _triton(kernel, name):
    from .triton_plan import GpuKernel, choose_tile
    from .triton_printer import print_kernel
    kernel = GpuKernel(kernel.step, kernel.instructions, kernel.stored, kernel.layouts)
    printed = print_kernel(kernel, choose_tile(kernel))
    settings = {**printed.constexprs, 'num_warps': printed.num_warps}
    settings = ', '.join([f'{key}={value}' for key, value in settings.items()])
    return f'# {name}: {settings}\n{printed.source}'
