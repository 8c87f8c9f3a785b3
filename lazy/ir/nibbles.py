"""Integers of 4 bits, two in a byte: the first in its lower half, row by row. The last byte of an odd number of them
has zeros in its upper half.
"""
import numpy as np

from .graph import aval

_PAIRS = np.array([[byte & 15, byte >> 4] for byte in range(256)], np.uint8).view(np.uint16).ravel()


def number_of_bytes(size):
    """How many bytes hold `size` numbers."""
    return (size + 1) // 2


def packed_shape(shape):
    """A shape for the bytes of an array: that of the array with half the last axis, or flat where rows share a byte."""
    if shape and shape[-1] % 2 == 0:
        return *shape[:-1], shape[-1] // 2
    size = 1
    for n in shape:
        size *= n
    return number_of_bytes(size),


def unpack(x, shape, dtype):
    """The numbers in bytes `x`, as an array of `shape` and `dtype` with a byte for each."""
    size = int(np.prod(shape, dtype=np.int64))
    return _PAIRS[x.reshape(-1)].view(np.uint8)[:size].view(dtype).reshape(shape)


def pack(x, shape):
    """The numbers of x in bytes, as an array of `shape`. Only the lower half of each element counts."""
    flat = np.ascontiguousarray(x).reshape(-1).view(np.uint8) & 15
    result = flat[::2].copy()
    result[:flat.size // 2] |= flat[1::2] << 4
    return result.reshape(shape)


def infer_unpack(avals, shape, dtype):
    size = aval(shape, dtype).size
    if number_of_bytes(size) != avals[0].size:
        raise ValueError(f'{avals[0].size} bytes hold {2 * avals[0].size} numbers of 4 bits, not shape {shape}')
    return aval(shape, dtype)


def infer_pack(avals, shape):
    result, needed = aval(shape, np.dtype(np.uint8)), number_of_bytes(avals[0].size)
    if result.size != needed:
        raise ValueError(f'{avals[0].size} numbers of 4 bits take {needed} bytes, not shape {shape}')
    return result
