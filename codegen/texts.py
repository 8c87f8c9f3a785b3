"""The code of a kernel for a target, to read."""


def source(kernel, target, name):
    """LLVM IR of a kernel ('native'), or its Triton source ('triton'). ValueError for another target."""
    if target == 'native':
        return native_source(kernel, name)
    if target == 'triton':
        from . import triton_printer
        return triton_printer.source(kernel, name)
    raise ValueError(f"target is 'native' or 'triton', not {target!r}")


def native_source(kernel, name):
    from . import llvm, llvm_math, native_printer
    host = llvm.host()
    module = llvm_math.Module(llvm_math.Features(host.width_bits, host.fma, host.f16c, host.libmvec, host.arch))
    body = native_printer.emit_kernel(kernel, name, module)
    return f'{module.text()}\n{body}'
