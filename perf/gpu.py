"""The throughput table on a CUDA device. Where there is none it says so, and what was looked for."""
from . import libraries, processes, throughput
from .tables import Table

NAME, TITLE = 'gpu', 'Throughput on a CUDA device'
EXPLANATION = throughput.EXPLANATION.replace('compared with NumPy', 'compared with NumPy (on the CPU)')
PEERS = ('lazy', 'jax', 'torch', 'torch_compile')


def table(options):
    """The table, measured; without rows where no device was found."""
    libs = [lib for lib in libraries.installed(options.libraries) if lib in PEERS]
    found, reasons = devices(libs)
    result = Table(NAME, TITLE, EXPLANATION if found else 'No CUDA device was found: nothing was measured.',
                   throughput.columns(libs), settings=options.settings())
    if not found:
        print('No CUDA device was found: nothing was measured.')
    for lib, reason in reasons.items():
        result.note(f'{libraries.LABELS[lib]}: {reason}')
    if found:
        result.settings['device'] = next(iter(found.values()))
        for case in throughput.chosen(options):
            if case.gpu:
                throughput.add_case(result, case, list(found), options, 'gpu', 'cuda')
    return result


def devices(libs):
    """({library: name of its device}, {library: why it has none})."""
    found, reasons = {}, {}
    for lib in libs:
        try:
            found[lib] = processes.run('gpu', library=lib)['device']
        except processes.Failed as error:
            reasons[lib] = str(error)
    return found, reasons


def measure(library, case=None, **more):
    """{'device': name} of a library, or {'value': ms} of a case on it."""
    return throughput.measure(library, case, **more) if case else {'device': device_name(library)}


def device_name(library):
    """The name of the library's first CUDA device; RuntimeError where it has none or can't use it."""
    if library in ('torch', 'torch_compile'):
        import torch
        if not torch.cuda.is_available():
            raise RuntimeError(f'torch {torch.__version__} sees no CUDA device')
        return torch.cuda.get_device_name(0)
    if library == 'jax':
        import jax
        return jax.devices('gpu')[0].device_kind
    import lazy
    device = lazy.devices('gpu')[0]
    lazy.device_put(0.0, device)
    return device.device_kind
