"""lazy.scipy.fft against SciPy: all types, norms, lengths; derivatives, batches, errors."""
import numpy as np
import pytest
import scipy.fft as theirs

import lazy
from lazy.scipy import fft as ours
from rows import Row, checks_of

rng = np.random.default_rng(7)
X, Z = rng.normal(size=(3, 6)), rng.normal(size=5) + 1j * rng.normal(size=5)


def both(name, x, **options):
    text = ' '.join([name, *[f'{k}={v}' for k, v in options.items()], str(x.shape)])
    return Row(text, lambda x: getattr(ours, name)(x, **options), lambda x: getattr(theirs, name)(x, **options), [x])


ROWS = [
    *[both(name, x, type=type, norm=norm) for name in ('dct', 'idct', 'dst', 'idst') for type in (1, 2, 3, 4)
      for norm, x in ((None, X), ('ortho', X), ('forward', X[:, :5]))],
    both('dct', X, norm='ortho', orthogonalize=False), both('idct', X, orthogonalize=True),
    both('dst', X, orthogonalize=True),
    both('dct', X, n=4), both('idct', X, n=9, axis=0), both('dst', X, n=9, type=3), both('dct', Z),
    both('idst', Z, norm='ortho'),
    both('dct', X[:1, :1]), both('idct', X[:1, :1]), both('dst', X[:1, :1], type=1), both('dct', X[:, :2], type=1),
    *[both(name, X, norm='ortho') for name in ('dctn', 'idctn', 'dstn', 'idstn')],
    both('dctn', X, s=(4, 4)), both('idctn', X, axes=(0,)), both('dctn', X, type=1, s=(3,)),
    both('dctn', X, type=3, s=(5, 7), axes=(1, 0)),
]

test_values, test_jit_and_vmap, test_derivatives = checks_of(ROWS)


@pytest.mark.parametrize('type', [1, 2, 3, 4])
@pytest.mark.parametrize('name', ['dct', 'dst'])
def test_inverse(name, type):
    there, back = getattr(ours, name), getattr(ours, 'i' + name)
    for norm in ('backward', 'ortho', 'forward'):
        np.testing.assert_allclose(back(there(X, type, norm=norm), type, norm=norm), X, rtol=1e-12)


def test_integers_and_narrow_floats():
    assert ours.dct([1, 2, 3]).dtype == np.float32
    assert ours.dct(np.ones(3, np.float16)).dtype == np.float32


def test_gradient_is_the_transposed_transform():
    weights = rng.normal(size=6)
    found = lazy.grad(lambda x: (ours.dct(x, norm='ortho') * weights).sum())(X[0])
    np.testing.assert_allclose(found, theirs.idct(weights, norm='ortho'), rtol=1e-12)


@pytest.mark.parametrize('call, words', [
    (lambda: ours.dct(X, 5), 'type must be 1, 2, 3 or 4'), (lambda: ours.dct(X, norm='max'), "norm must be 'backward'"),
    (lambda: ours.dct(X[:, :1], 1), 'at least 2'), (lambda: ours.dct(X[:, :0]), 'at least 1'),
    (lambda: ours.dct(1.0), 'out of bounds'), (lambda: ours.dctn(X, s=(1, 2), axes=(0,)), 'different lengths'),
    (lambda: ours.dctn(X, axes=(0, 0)), 'unique')])
def test_errors(call, words):
    with pytest.raises(ValueError, match=words):
        call()
