"""What libraries compute, written straight into its place; many small matrices are shared out among threads.

An operation without an entry here is evaluated by its reference, and the result copied.
"""
import importlib
import threading as python_threads

import numpy as np

from ..ir import lapack, ops
from ..ir.graph import aval
from . import choices, matrices, radix, reference, runtime, threads

BUSY = 1 << 16                          # elements or products from which a thread is worth its start


def write(x, keywords, to, arrays):
    """Run instruction x on arrays and put the result into the array `to`."""
    into = _INTO.get(x.op)
    if into is not None and to.size:
        into(to, arrays, **keywords)
    else:
        np.copyto(to, reference.evaluate(x.op, arrays, keywords, x.aval))


# --- sorting, Fourier transforms ------------------------------------------------------------------------------------

def _sort(to, arrays, axis):
    _rows(to, arrays[0], axis, lambda rows: rows.sort(axis))


def _partition(to, arrays, kth, axis):
    _rows(to, arrays[0], axis, lambda rows: rows.partition(kth, axis))


def _argsort(to, arrays, axis, dtype):
    """By digits, short rows by comparing."""
    x, = arrays
    rows = axis == x.ndim - 1 and x.shape[axis] >= choices.RADIX_ROW
    if rows and x.dtype in (np.int32, np.int64) and runtime.runner():
        x = np.ascontiguousarray(x)
        found = to if to.flags.c_contiguous else np.empty(to.shape, to.dtype)
        radix.argsort(found, x)
        return found is to or np.copyto(to, found)

    def part(start, stop):
        np.copyto(to[start:stop], np.argsort(x[start:stop], axis, kind='stable'))
    _at_once(_ranges(len(to), to.size // BUSY if axis else 1), part)


def _rows(to, x, axis, work):
    """x copied and worked on in its place, its rows by as many threads as they are worth."""
    def part(start, stop):
        rows = to[start:stop]
        np.copyto(rows, x[start:stop])
        work(rows)
    _at_once(_ranges(len(to), to.size // (2 * BUSY) if axis else 1), part)


def _fft(to, arrays, kind, axis, length):
    """What `fft` has no kernel for, or none yet. In place where input and result have the same type and size."""
    x, = arrays
    function = getattr(importlib.import_module('scipy.fft'), kind)
    workers = threads.get_num_threads() if to.size >= BUSY and to.size > length else 1
    if x.shape == to.shape and x.dtype == to.dtype:
        np.copyto(to, x)
        found = function(to, length, axis, overwrite_x=True, workers=workers)
    else:
        found = function(x, length, axis, workers=workers)
    if not np.may_share_memory(found, to):
        np.copyto(to, found)


# --- matrices -------------------------------------------------------------------------------------------------------

_MATRICES = {ops.cholesky, ops.solve, ops.inverse, ops.qr, ops.svd, ops.svdvals, ops.eigh, ops.eigvalsh}


def _matrices(op):
    return lambda to, arrays, **params: _in_parts(op, [to], arrays, params)


def _packed(to, arrays, op, params):
    """Several results, each at a multiple of 64 bytes."""
    keywords = dict(zip(op.param_names, params or ()))
    avals = op.infer([aval(x.shape, x.dtype) for x in arrays], **keywords)
    offsets = ops.packed_offsets(avals)
    places = [to[at:at + a.nbytes].view(a.dtype).reshape(a.shape) for at, a in zip(offsets, avals)]
    _in_parts(op, places, arrays, keywords)


def _unpack(to, arrays, offset, shape, dtype):
    np.copyto(to, arrays[0][offset:offset + to.nbytes].view(dtype).reshape(shape))


def _in_parts(op, places, arrays, keywords):
    """The results of an operation, of many small matrices by as many threads as their number and size are worth."""
    if matrices.run(op, places, arrays, keywords):
        return

    def part(start, stop):
        results = op.numpy(*[x[start:stop] if many else matrices.by_columns(op, x) for x in arrays], **keywords)
        for place, result in zip(places, results if isinstance(results, tuple) else (results,)):
            matrices.copy(place[start:stop] if many else place, result)
    x = arrays[0]
    many = op in _MATRICES and x.ndim > 2 and min(x.shape[-2:]) <= lapack.SMALL
    _at_once(_ranges(len(x), 1 + x.size * min(x.shape[-2:]) // BUSY) if many else [(0, 1)], part)


def _ranges(count, worth):
    """(start, stop) that part `count` evenly among the threads that it is worth, 1 at least."""
    parts = max(1, min(threads.get_num_threads(), count, worth))
    return [(count * i // parts, count * (i + 1) // parts) for i in range(parts)]


def _at_once(ranges, call):
    """call(start, stop) for all ranges, each in a thread; the first error is raised here."""
    errors = []

    def guarded(start, stop):
        try:
            with np.errstate(all='ignore'):
                call(start, stop)
        except Exception as error:                                   # raised below, in the caller's thread
            errors.append(error)
    others = [python_threads.Thread(target=guarded, args=each) for each in ranges[1:]]
    for thread in others:
        thread.start()
    try:
        guarded(*ranges[0])
    finally:                                                         # nobody writes any more when this is left
        for thread in others:
            thread.join()
    if errors:
        raise errors[0]


_INTO = {ops.sort: _sort, ops.argsort: _argsort, ops.partition: _partition, ops.fft: _fft, ops.packed: _packed,
         ops.unpack: _unpack,
         **{op: _matrices(op) for op in (ops.cholesky, ops.solve, ops.inverse, ops.triangular_solve, ops.svdvals,
                                          ops.eigvalsh)}}
