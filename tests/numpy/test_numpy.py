"""Every case of the table gives NumPy's values and JAX's types, at once and under jit."""
import warnings

import numpy as onp
import pytest

import lazy
import lazy.numpy as np

import cases
from cases import ARRAYS

TOLERANCE = {onp.dtype('float16'): 2e-2, onp.dtype('float32'): 3e-5, onp.dtype('complex64'): 3e-5}


def leaves(value):
    if isinstance(value, (tuple, list)):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


def evaluate(text, module, arrays):
    return eval(text, {'np': module}, dict(arrays))


def reference(text):
    with warnings.catch_warnings(), onp.errstate(all='ignore'):
        warnings.simplefilter('ignore')
        return leaves(evaluate(text, onp, ARRAYS))


def lazy_arrays():
    return {name: np.asarray(value) for name, value in ARRAYS.items()}


def compare(text, found, expected):
    assert len(found) == len(expected), text
    for a, b in zip(found, expected):
        if isinstance(b, tuple) or not hasattr(a, 'dtype'):
            assert a == b
            continue
        a, b = onp.asarray(a), onp.asarray(b)
        assert a.shape == b.shape
        tolerance = max(TOLERANCE.get(x.dtype, 1e-9) for x in (a, b))
        with onp.errstate(all='ignore'):
            onp.testing.assert_allclose(a.astype(b.dtype), b, rtol=tolerance, atol=tolerance, err_msg=text)


@pytest.mark.parametrize('text', cases.PLAIN + cases.FORCED)
def test_value(text):
    compare(text, leaves(evaluate(text, np, lazy_arrays())), reference(text))


@pytest.mark.parametrize('text', cases.FUNCTIONAL)
def test_functional(text):
    compare(text, leaves(evaluate(text, np, lazy_arrays())), reference(text))


JITTED = [t for t in cases.PLAIN if any(c in t for c in '(@[+-*/~') and 'mode=' not in t and 'np.iinfo' not in t
          and 'np.finfo' not in t and 'ravel_multi' not in t]


@pytest.mark.parametrize('text', JITTED[::3])
def test_value_under_jit(text):
    names = [name for name in ARRAYS if name in text]

    def function(*arrays):
        return [x for x in leaves(evaluate(text, np, zip(names, arrays))) if isinstance(x, np.ndarray)]
    found = lazy.jit(function)(*[ARRAYS[name] for name in names])
    expected = [b for b in reference(text)]
    if len(found) == len(expected):
        compare(text, found, expected)


@pytest.fixture(scope='module')
def jax():
    jax = pytest.importorskip('jax')
    before = jax.config.jax_enable_x64
    yield jax
    jax.config.update('jax_enable_x64', before)


WIDE = ('d', 'l')                                # JAX has no 64-bit arrays by default
OURS = ('np.finfo', 'np.divmod(i', 'np.frexp', 'np.histogram', 'np.mgrid', 'np.unravel', 'np.ravel_multi')


@pytest.mark.parametrize('group',
                         ['ELEMENTWISE', 'REDUCTIONS', 'SHAPES', 'CREATION', 'INDEXING', 'SORTING', 'PRODUCTS',
                          'LINALG', 'FFT', 'POLYNOMIALS'])
def test_types_are_those_of_jax(group, jax):
    """Shapes, dtypes and weakness of all cases, by abstract evaluation."""
    wrong = []
    for text in getattr(cases, group):
        arrays = {k: v for k, v in ARRAYS.items() if k not in WIDE}
        try:
            expected = abstract(jax, jax.numpy, text, arrays)
        except Exception:
            continue                             # JAX lacks it, or wants a known value
        found = abstract(lazy, np, text, arrays)
        if found != expected and not text.startswith(OURS):
            wrong.append(f'{text}: {found}, JAX has {expected}')
    assert not wrong, '\n'.join(wrong)


def abstract(library, module, text, arrays):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        function = lambda kw: [x for x in leaves(evaluate(text, module, kw)) if hasattr(x, 'dtype')]
        return [(x.shape, x.dtype.name) for x in library.eval_shape(function, arrays)]
