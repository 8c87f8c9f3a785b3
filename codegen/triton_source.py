"""Kernel source text to Triton functions, in a process that both interprets and compiles them.

Triton decides at `@triton.jit` whether a function will be interpreted or compiled, and decides for
its own library (`tl.sum`, `tl.cdiv`, ...) when it is imported. Here Triton is always imported for
compiling; `lazy.codegen.triton_interpreter` swaps the library over while it runs a kernel. That
swap is visible to the whole process, so the two uses exclude each other: compilations share
`library`, a run of the interpreter owns it.
"""

import collections
import contextlib
import functools
import hashlib
import linecache
import os
import threading

MODULE = 'lazy_triton_kernel'
KEPT = 1024
_remembered, _remembering = collections.OrderedDict(), threading.Lock()


def missing_triton(error):
    """The ImportError that says what was looked for and how to get it."""
    return ImportError(
        f'GPU kernels need the package `triton`, which cannot be imported here ({error}). '
        'Install it with `pip install lazy-arrays[gpu]` (Linux; wheels for x86-64 and AArch64).')


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
        raise RuntimeError('triton was imported with TRITON_INTERPRET=1 before lazy used it; unset '
                           'TRITON_INTERPRET (lazy interprets without it)')
    return triton


class Library:
    """Who may use Triton's language modules now: many compilations, or one interpreter.

    Meanwhile the knob that `@triton.jit` reads says which, whatever TRITON_INTERPRET is. The
    interpreter may open it again.
    """

    def __init__(self):
        self._changed = threading.Condition(threading.RLock())
        self._compiling = 0
        self._owner = None

    def _set_mode(self, interpret):
        """Set the knob, or with None leave it to the environment. Its setter would write there."""
        knobs = vars(import_triton().knobs.runtime)
        knobs.pop('interpret', None)
        if interpret is not None:
            knobs['interpret'] = interpret

    @contextlib.contextmanager
    def shared(self):
        me = threading.get_ident()
        with self._changed:
            if self._owner == me:
                raise RuntimeError('a kernel cannot be compiled inside a run of the interpreter')
            self._changed.wait_for(lambda: self._owner is None)
            self._compiling += 1
            self._set_mode(False)
        try:
            yield
        finally:
            with self._changed:
                self._compiling -= 1
                if not self._compiling:
                    self._set_mode(None)
                self._changed.notify_all()

    @contextlib.contextmanager
    def owned(self):
        me = threading.get_ident()
        with self._changed:
            nested = self._owner == me
            if not nested:
                self._changed.wait_for(lambda: self._owner is None and not self._compiling)
                self._owner = me
                self._set_mode(True)
        try:
            yield nested
        finally:
            if not nested:
                with self._changed:
                    self._owner = None
                    self._set_mode(None)
                    self._changed.notify_all()


library = Library()


def file_name(source):
    """The name under which tracebacks and `inspect` find this text."""
    return f'<lazy:{hashlib.sha256(source.encode()).hexdigest()[:16]}>'


def remember(source):
    """Make the text known to `inspect`, from which Triton reads it, and to tracebacks.

    An entry whose modification time is None survives `linecache.checkcache`. The last KEPT texts
    stay: the interpreter reads a helper's text when the kernel first calls it.
    """
    file = file_name(source)
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    with _remembering:
        _remembered.pop(file, None)
        _remembered[file] = None
        if len(_remembered) > KEPT:
            linecache.cache.pop(_remembered.popitem(last=False)[0], None)
    return file


def load(source, name):
    """Execute kernel source text and return its function `name`.

    Call it while holding `library`: shared for a compiled, owned for an interpreted function.
    """
    file = remember(source)
    namespace = {'__name__': MODULE}
    exec(compile(source, file, 'exec'), namespace)
    if name not in namespace:
        raise KeyError(f'the source defines no kernel called {name!r}')
    return namespace[name]
