"""Kernel source text to Triton functions, in a process that both interprets and compiles them.

Triton decides at `@triton.jit` whether a function will be interpreted or compiled, and decides for its
own library (`tl.sum`, `tl.cdiv`, ...) when it is imported. Here Triton is always imported for compiling;
`lazy.codegen.triton_interpreter` swaps the library over while it runs a kernel. That swap is visible to the
whole process, so the two uses exclude each other: compilations share `library`, a run of the interpreter owns it.
"""

import contextlib
import functools
import hashlib
import linecache
import os
import threading

MODULE = 'lazy_triton_kernel'


def missing_triton(error):
    """The ImportError that says what was looked for and how to get it."""
    return ImportError(
        f'GPU kernels need the package `triton`, which cannot be imported here ({error}). '
        'Install it with `pip install lazy-arrays[gpu]` (Linux; wheels exist for x86-64 and AArch64).')


@functools.lru_cache(maxsize=None)
def import_triton():
    """The triton package, imported so that its own library functions are compiled ones."""
    interpreted = os.environ.pop('TRITON_INTERPRET', None)
    try:
        import triton
        import triton.language
    except ImportError as error:
        raise missing_triton(error) from error
    finally:
        if interpreted is not None:
            os.environ['TRITON_INTERPRET'] = interpreted
    if not isinstance(triton.language.sum, triton.runtime.JITFunction):
        raise RuntimeError('triton was imported with TRITON_INTERPRET=1 before lazy used it; import lazy first '
                           'or unset TRITON_INTERPRET (lazy runs its interpreter without it)')
    return triton


class Library:
    """Who may use Triton's language modules now: many compilations, or one interpreter (re-entrant)."""

    def __init__(self):
        self._changed = threading.Condition(threading.RLock())
        self._compiling = 0
        self._owner = None

    @contextlib.contextmanager
    def shared(self):
        me = threading.get_ident()
        with self._changed:
            if self._owner == me:
                raise RuntimeError('a kernel cannot be compiled inside a run of the interpreter')
            self._changed.wait_for(lambda: self._owner is None)
            self._compiling += 1
        try:
            yield
        finally:
            with self._changed:
                self._compiling -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def owned(self):
        me = threading.get_ident()
        with self._changed:
            nested = self._owner == me
            if not nested:
                self._changed.wait_for(lambda: self._owner is None and not self._compiling)
                self._owner = me
        try:
            yield nested
        finally:
            if not nested:
                with self._changed:
                    self._owner = None
                    self._changed.notify_all()


library = Library()


def file_name(source):
    """The name under which tracebacks and `inspect` find this text."""
    return f'<lazy:{hashlib.sha256(source.encode()).hexdigest()[:16]}>'


def load(source, name, interpret=False):
    """Execute kernel source text and return its function `name`.

    `@triton.jit` reads the text of a function through `inspect`, hence `linecache`: an entry whose
    modification time is None survives `linecache.checkcache`.
    """
    triton = import_triton()
    file = file_name(source)
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    namespace = {'__name__': MODULE}
    with _interpret(triton, interpret):
        exec(compile(source, file, 'exec'), namespace)
    if name not in namespace:
        raise KeyError(f'the source defines no kernel called {name!r}')
    return namespace[name]


def forget(source):
    """Drop the text kept for tracebacks."""
    linecache.cache.pop(file_name(source), None)


@contextlib.contextmanager
def _interpret(triton, value):
    """Set what `@triton.jit` makes, without touching the environment (that is what assigning the knob does)."""
    knobs = vars(triton.knobs.runtime)
    before = knobs.get('interpret')
    knobs['interpret'] = value
    try:
        yield
    finally:
        if before is None:
            knobs.pop('interpret', None)
        else:
            knobs['interpret'] = before
