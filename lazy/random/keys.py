"""Keys: arrays of pairs of 32-bit words, and what makes new ones of them.

Threefry-2x32 (Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011) is a function from a key and a
counter to two random words. The words for element i of an array are those of counter i, whatever the array's
shape: bits are the same as JAX's with its default settings. Philox-4x32, of the same authors, is the other choice.
"""
import operator

import numpy as onp

from .. import trees
from ..array import Array, as_node, from_numpy, wrap
from ..config import config
from ..dtypes import prng_key
from ..errors import KeyReuseError, user_line
from ..ir import build, dtypes, ops


class Threefry(tuple):
    """The words of a single key as scalar nodes, and the words that Threefry-2x32 makes of counters."""
    name = 'fry'

    def block(self, counter):
        """Two random words for a counter of two (high, low)."""
        return tuple([build.make(ops.threefry2x32, (*self, *counter), (word,)) for word in (0, 1)])


class Philox(tuple):
    """The same with Philox-4x32, of whose block two words are used. Its counter is (low, high, 0, 0)."""
    name = 'philox'

    def block(self, counter):
        """Two random words for a counter of two (high, low)."""
        high, low = counter
        none = build.literal(0, dtypes.uint32)
        return tuple([build.make(ops.philox4x32, (*self, low, high, none, none), (word,)) for word in (0, 1)])


_IMPLEMENTATIONS = {'threefry2x32': Threefry, 'philox4x32': Philox}


class KeyType:
    """The dtype of key arrays, key<fry> or key<philox>."""
    __slots__ = ('implementation',)
    type, kind, itemsize = prng_key, 'V', 8

    def __init__(self, implementation):
        self.implementation = implementation

    name = property(lambda self: f'key<{_IMPLEMENTATIONS[self.implementation].name}>')

    def __repr__(self):
        return self.name

    def __eq__(self, other):
        return isinstance(other, KeyType) and self.implementation == other.implementation

    def __hash__(self):
        return hash(self.implementation)

    def __reduce__(self):
        return KeyType, (self.implementation,)


class KeyArray:
    """An array of PRNG keys. Indexing and shapes as with other arrays; its words are `random.key_data(keys)`.

    For `lazy.tree` it is a leaf; jit, vmap and the like see the words.
    """
    __slots__ = ('_words', 'dtype', '_used')
    __hash__ = None

    def __init__(self, words, dtype):
        self._words, self.dtype, self._used = words, dtype, None

    shape = property(lambda self: self._words.shape[:-1])
    ndim = property(lambda self: self._words.ndim - 1)
    size = property(lambda self: self._words.size // 2)
    nbytes = property(lambda self: self._words.nbytes)
    itemsize = property(lambda self: 8)
    device = property(lambda self: self._words.device)
    T = property(lambda self: self.transpose())

    def _new(self, words):
        return KeyArray(words, self.dtype)

    def __len__(self):
        if not self.ndim:
            raise TypeError('len() of a single key')
        return self.shape[0]

    def __iter__(self):
        if not self.ndim:
            raise TypeError('iteration over a single key')
        return (self[i] for i in range(self.shape[0]))

    def __getitem__(self, index):
        index = index if isinstance(index, tuple) else (index,)
        if type(index[0]) is int and len(index) == 1 and not self.ndim:
            raise IndexError('too many indices for a single key')
        return self._new(self._words[(*index, *([] if Ellipsis in _plain(index) else [Ellipsis]), slice(None))])

    def reshape(self, *shape):
        shape = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        if -1 in shape:
            known = -int(onp.prod(shape))
            shape = [self.size // max(known, 1) if n == -1 else n for n in shape]
        return self._new(wrap(build.reshape(self._words._node, (*shape, 2))))

    def flatten(self):
        return self.reshape(self.size)

    ravel = flatten

    def squeeze(self, axis=None):
        axes = range(self.ndim) if axis is None else [axis] if isinstance(axis, int) else axis
        drop = [a % self.ndim for a in axes if axis is not None or self.shape[a] == 1]
        return self.reshape([n for a, n in enumerate(self.shape) if a not in drop])

    def transpose(self, *axes):
        axes = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        order = [a % self.ndim for a in axes] if axes else range(self.ndim)[::-1]
        return self._new(wrap(build.transpose(self._words._node, (*order, self.ndim))))

    def block_until_ready(self):
        self._words.block_until_ready()
        return self

    def devices(self):
        return self._words.devices()

    def is_ready(self):
        return self._words.is_ready()

    def __eq__(self, other):
        return _equal(self, other, False)

    def __ne__(self, other):
        return _equal(self, other, True)

    def __array__(self, dtype=None, copy=None):
        raise TypeError('a key array has no NumPy form: use lazy.random.key_data(keys)')

    def __reduce__(self):
        return KeyArray, (self._words, self.dtype)

    def __repr__(self):
        return f'Array({self.shape}, dtype={self.dtype}) overlaying:\n{self._words}'


def _plain(index):
    """The items of an index that may be compared with Ellipsis."""
    return [item for item in index if item is Ellipsis]


def _equal(a, b, negate):
    if not isinstance(b, KeyArray):
        return NotImplemented
    differs = build.apply(ops.ne, a._words._node, b._words._node)
    differs = build.reduce(ops.reduce_or, differs, (differs.aval.ndim - 1,))
    return wrap(differs if negate else build.apply(ops.not_, differs))


trees.register(KeyArray, lambda keys: ((keys._words,), keys.dtype), lambda dtype, words: KeyArray(words[0], dtype),
               (trees.NODES,))


# --- what is accepted as a key -----------------------------------------------------------------------------------

def _key_type(what):
    """The dtype that an implementation's name or a dtype of keys stands for."""
    if what is None:
        return KeyType('threefry2x32')
    if isinstance(what, KeyType):
        return what
    if not isinstance(what, str):
        raise TypeError(f'unrecognized type {type(what).__name__} for specifying PRNG implementation')
    if what not in _IMPLEMENTATIONS:
        raise ValueError(f'unrecognized PRNG implementation "{what}": there is {", ".join(_IMPLEMENTATIONS)}')
    return KeyType(what)


def key_words(name, keys, batched=False):
    """The words of keys, an Array[..., 2] of uint32; raises for what is no key, and for several where one is needed."""
    words = keys._words if isinstance(keys, KeyArray) else keys
    if not isinstance(words, Array):
        if not isinstance(words, onp.ndarray):
            raise TypeError(f'{name}: unexpected PRNG key type {type(keys).__name__}: make keys with '
                            'lazy.random.key(seed)')
        words = wrap(as_node(words))
    if words.dtype != dtypes.uint32 or not words.ndim or words.shape[-1] != 2:
        raise TypeError(f'{name}: a raw key array has dtype uint32 and a last dimension of size 2, got '
                        f'{words.dtype.name}[{",".join(map(str, words.shape))}]')
    if words.ndim > 1 and not batched:
        raise ValueError(f'{name} accepts a single key, but was given a key array of shape {words.shape[:-1]} != (). '
                         f'Use lazy.vmap for batching')
    return words


def consume(name, key):
    """Note that a key is used up; KeyReuseError where it was before, while the setting `debug_key_reuse` is on.

    What is noted stays with this object: each index into an array of keys, and each trace, has objects of its own.
    """
    if config.debug_key_reuse and isinstance(key, KeyArray):
        if key._used is not None:
            raise KeyReuseError(f'{name}: this key was used before, by {key._used}. Make new keys of one with '
                                f'lazy.random.split, or say that the same numbers are wanted with lazy.random.clone')
        key._used = f'{name} at {user_line()}'


def single(name, key):
    """The words of a single key as scalar nodes, of its implementation's class."""
    words = key_words(name, key)
    return _pair(_IMPLEMENTATIONS[_implementation(key)], words._node)


def _implementation(keys):
    return keys.dtype.implementation if isinstance(keys, KeyArray) else 'threefry2x32'


def _pair(kind, node):
    return kind([build.reshape(build.slice_(node, (i,), (i + 1,)), ()) for i in (0, 1)])


def _like(key, words):
    """Words as keys of the kind of `key`: typed, or raw words."""
    words = wrap(words)
    return KeyArray(words, key.dtype) if isinstance(key, KeyArray) else words


def join(first, second):
    """Two nodes of words as one, along a new last axis."""
    ndim = first.aval.ndim
    return build.concatenate([build.expand_dims(first, (ndim,)), build.expand_dims(second, (ndim,))], ndim)


def counters(shape):
    """The position of each element as two words: (high, low), the high word being a scalar where that is enough."""
    size = int(onp.prod(shape, dtype=object)) if shape else 1
    if not shape:
        return build.literal(0, dtypes.uint32), build.literal(0, dtypes.uint32)
    if size <= 1 << 32:
        low = build.reshape(build.iota((size,), dtypes.uint32), shape)
        return build.literal(0, dtypes.uint32), low
    place = build.reshape(build.iota((size,), dtypes.uint64), shape)
    high = build.apply(ops.shift_right_logical, place, build.scalar_like(place, 32))
    return build.convert(high, dtypes.uint32), build.convert(place, dtypes.uint32)


# --- the public functions ----------------------------------------------------------------------------------------

def key_dtype(impl_spec=None):
    """The dtype of keys of an implementation.

    >>> import lazy
    >>> lazy.random.key_dtype()
    key<fry>
    """
    return _key_type(impl_spec)


def key(seed, *, impl=None, dtype=None):
    """A key from an integer seed.

    seed: int or integer scalar array; of a Python int the lower 32 bits count (64 with enable_x64).
    impl: 'threefry2x32' (the default, whose numbers are JAX's) or 'philox4x32' (Salmon et al., Random123, 2011).

    >>> import lazy
    >>> key = lazy.random.key(0)
    >>> key.shape, key.dtype
    ((), key<fry>)
    """
    if dtype is not None and impl is not None:
        raise ValueError('cannot specify both `impl` and `dtype`')
    kind = _key_type(impl if dtype is None else dtype)
    return KeyArray(wrap(_seed('key', seed)), kind)


def PRNGKey(seed, *, impl=None):
    """A raw key, an array of two uint32, from an integer seed: the older form of `key`.

    >>> import lazy
    >>> lazy.random.PRNGKey(7).tolist()
    [0, 7]
    """
    if _key_type(impl) != _key_type(None):
        raise ValueError(f'raw keys are those of threefry2x32: use lazy.random.key(seed, impl={impl!r})')
    return wrap(_seed('PRNGKey', seed))


def _seed(name, seed):
    if isinstance(seed, KeyArray):
        raise TypeError(f'{name} accepts a scalar seed, but was given a PRNG key')
    if isinstance(seed, (bool, onp.bool_)) or isinstance(seed, (float, complex)):
        raise TypeError(f'PRNG key seed must be an integer; got {seed!r}')
    if isinstance(seed, int):
        if not -1 << 63 <= seed < 1 << 64:
            raise OverflowError(f'the seed {seed} does not fit into 64 bits')
        high = seed >> 32 & 0xFFFFFFFF if dtypes.Defaults.wide else 0
        return from_numpy(onp.array([high, seed & 0xFFFFFFFF], onp.uint32))
    node = as_node(seed)
    if node.aval.shape:
        raise TypeError(f'{name} accepts a scalar seed, but was given an array of shape {node.aval.shape} != (). '
                        f'Use lazy.vmap for batching')
    if not dtypes.is_integer(node.aval.dtype):
        raise TypeError(f'PRNG key seed must be an integer; got {node.aval}')
    high = build.literal(0, dtypes.uint32)
    if node.aval.dtype.itemsize == 8:
        high = build.convert(build.apply(ops.shift_right_logical, node, build.scalar_like(node, 32)), dtypes.uint32)
    return join(high, build.convert(node, dtypes.uint32))


def split(key, num=2):
    """Independent new keys from one, which should not be used again: an array of shape (num,) or num.

    >>> import lazy
    >>> a, b = lazy.random.split(lazy.random.key(0))
    >>> lazy.random.key_data(a).tolist()
    [1797259609, 2579123966]
    """
    pair = single('split', key)
    consume('split', key)
    shape = tuple([operator.index(n) for n in num]) if isinstance(num, (tuple, list)) else (operator.index(num),)
    return _like(key, join(*pair.block(counters(shape))))


def split_words(pair, num):
    """split for samplers: pairs of word nodes from a pair of word nodes."""
    words = join(*pair.block(counters((num,))))
    rows = [build.reshape(build.slice_(words, (i, 0), (i + 1, 2)), (2,)) for i in range(num)]
    return [_pair(type(pair), row) for row in rows]


def fold_in(key, data):
    """A new key from a key and an integer, such as the number of a step.

    >>> import lazy
    >>> lazy.random.key_data(lazy.random.fold_in(lazy.random.key(0), 1)).tolist()
    [928981903, 3453687069]
    """
    pair = single('fold_in', key)
    if isinstance(data, int):
        node = build.literal(data & 0xFFFFFFFF, dtypes.uint32)
    else:
        node = as_node(data)
        if node.aval.shape:
            raise TypeError(f'fold_in accepts a scalar, but was given an array of shape {node.aval.shape} != (). Use '
                            f'lazy.vmap for batching')
        node = build.convert(node, dtypes.uint32)
    return _like(key, join(*pair.block((build.literal(0, dtypes.uint32), node))))


def key_data(keys):
    """The words of keys: an array of uint32 with a last axis of size 2."""
    return key_words('key_data', keys, batched=True)


def wrap_key_data(key_bits_array, *, impl=None, dtype=None):
    """Keys of the words that key_data gave.

    >>> import lazy
    >>> key = lazy.random.key(3)
    >>> bool(lazy.random.wrap_key_data(lazy.random.key_data(key)) == key)
    True
    """
    if dtype is not None and impl is not None:
        raise ValueError('cannot specify both `impl` and `dtype`')
    if isinstance(key_bits_array, KeyArray):
        raise TypeError('wrap_key_data takes the words of keys, but was given keys')
    words = key_words('wrap_key_data', key_bits_array if isinstance(key_bits_array, Array) else
                      onp.asarray(key_bits_array), batched=True)
    return KeyArray(words, _key_type(impl if dtype is None else dtype))


def key_impl(keys):
    """Name of the implementation of keys.

    >>> import lazy
    >>> lazy.random.key_impl(lazy.random.key(0))
    'threefry2x32'
    """
    key_words('key_impl', keys, batched=True)
    return _implementation(keys)


def clone(key):
    """The same key, which may be used again on purpose (see the setting `debug_key_reuse`).

    >>> import lazy
    >>> lazy.config.update('debug_key_reuse', True)
    >>> key = lazy.random.key(0)
    >>> bool(lazy.random.bits(lazy.random.clone(key)) == lazy.random.bits(key))
    True
    >>> lazy.config.update('debug_key_reuse', False)
    """
    words = key_words('clone', key, batched=True)
    return KeyArray(words, key.dtype) if isinstance(key, KeyArray) else key
