"""Other libraries' functions on our arrays: SciPy and scikit-learn through the array API standard, NumPy's own."""
import os
import subprocess
import sys

import numpy as onp
import pytest

import lazy.numpy as np

SCIPY = '''
scipy.special.erf(v) | scipy.special.logsumexp(m, axis=1) | scipy.special.softmax(m, axis=1) | scipy.special.betainc(v, w, p)
scipy.stats.zscore(m) | scipy.stats.skew(m) | scipy.stats.ttest_ind(v, w).pvalue | scipy.stats.pearsonr(v, w).statistic
scipy.stats.entropy(p) | scipy.stats.gmean(w) | scipy.stats.quantile(v, 0.3) | scipy.stats.false_discovery_control(p)
scipy.fft.fft(m) | scipy.fft.rfftn(m) | scipy.fft.dct(v) | scipy.cluster.vq.vq(m, m[:3])[0]
scipy.signal.fftconvolve(v, w) | scipy.signal.lfilter(v[:3], w[:3], v) | scipy.signal.hilbert(v) | scipy.signal.detrend(v)
scipy.ndimage.gaussian_filter(m, 1.) | scipy.ndimage.median_filter(m, 3) | scipy.integrate.trapezoid(v)
scipy.integrate.cumulative_simpson(v) | scipy.optimize.rosen_hess(v) | scipy.differentiate.derivative(xp.sin, v).df
scipy.interpolate.PchipInterpolator(xp.arange(12.), v)(p * 3) | scipy.spatial.transform.Rotation.from_rotvec(m).as_matrix()
'''
SKLEARN = '''
fit(linear_model.Ridge(solver='svd'), m, v).predict(m) | fit(linear_model.LogisticRegression(), m, k).predict_proba(m)
fit(linear_model.RidgeClassifier(solver='svd'), m, k).predict(m) | fit(decomposition.PCA(2, svd_solver='full'), m).transform(m)
fit(discriminant_analysis.LinearDiscriminantAnalysis(), m, k).predict_proba(m) | fit(naive_bayes.GaussianNB(), m, k).predict_proba(m)
fit(preprocessing.StandardScaler(), m).transform(m) | fit(preprocessing.MinMaxScaler(), m).transform(m)
fit(preprocessing.Normalizer(), m).transform(m) | fit(preprocessing.PolynomialFeatures(2), m).transform(m)
fit(pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.Ridge(solver='svd')), m, v).predict(m)
fit(kernel_approximation.Nystroem(n_components=5, random_state=0), m).transform(m) | model_selection.train_test_split(m, random_state=0)[0]
metrics.pairwise.rbf_kernel(m) | metrics.pairwise.cosine_similarity(m) | metrics.confusion_matrix(k, k)
'''
SKLEARN_NUMBERS = '''
metrics.accuracy_score(k, 1 - k) | metrics.f1_score(k, k) | metrics.roc_auc_score(k, p) | metrics.log_loss(k, p)
metrics.mean_squared_error(v, w) | metrics.r2_score(v, w) | metrics.mean_absolute_error(v, w)
model_selection.cross_val_score(linear_model.Ridge(solver='svd'), m, v, cv=3)
'''
SCRIPT = '''
import importlib, sys
import numpy as onp
import lazy.numpy as np

library, modules, ours, plain = sys.argv[1:]
names = {}
for name in modules.split():
    module = importlib.import_module(library + '.' + name)
    names[name] = module
names[library] = importlib.import_module(library)
if library == 'sklearn':
    names[library].set_config(array_api_dispatch=True)

def fit(model, *data):
    return model.fit(*data)

r = onp.random.RandomState(0)
arrays = {'m': r.rand(12, 3), 'v': r.rand(12), 'w': r.rand(12) + 0.1, 'p': r.uniform(0.1, 0.9, 12), 'k': onp.arange(12) % 3 // 2}
names['fit'] = fit
for text in [t.strip() for block in (ours, plain) for line in block.splitlines() for t in line.split(' | ') if t.strip()]:
    expected = eval(text, {**names, **arrays, 'xp': onp})
    found = eval(text, {**names, **{k: np.asarray(v) for k, v in arrays.items()}, 'xp': np})
    if text in ours:
        assert type(found) is np.ndarray, (text, type(found))
    onp.testing.assert_allclose(onp.asarray(found), expected, 1e-6, 1e-9, err_msg=text)
'''


@pytest.mark.parametrize('library, version, modules, ours, plain', [
    ('scipy', '1.17', 'special stats fft cluster.vq signal ndimage integrate optimize differentiate interpolate spatial.transform', SCIPY, ''),
    ('sklearn', '1.8', 'linear_model decomposition discriminant_analysis naive_bayes preprocessing pipeline kernel_approximation '
     'model_selection metrics metrics.pairwise', SKLEARN, SKLEARN_NUMBERS)], ids=['scipy', 'sklearn'])
def test_functions_of_other_libraries_work_on_lazy_arrays(library, version, modules, ours, plain):
    pytest.importorskip(library, minversion=version)
    environment = {**os.environ, 'SCIPY_ARRAY_API': '1', 'LAZY_MUTABLE_ARRAYS': '1', 'PYTHONWARNINGS': 'ignore'}
    command = [sys.executable, '-c', SCRIPT, library, modules, ours, plain]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert not done.returncode, done.stderr[-2000:]


NUMPYS = '''n + x | x + n | n - x | n / x | n ** x | n // x | n % x | n @ x | x @ n | n == x | n < x | onp.float64(3) * x | divmod(n, x)[0]
onp.mean(x) | onp.sum(x, axis=0) | onp.round(x) | onp.reshape(x, (2, 2)) | onp.argsort(x) | onp.clip(x, 1, 2)'''
ARRAYS = '''onp.sin(x) | onp.add(x, n) | onp.add(n, x) | onp.maximum(x, 2) | onp.exp(x, out=onp.zeros(4)) | onp.divmod(n, x)[0]
onp.concatenate([x, n]) | onp.stack([x, x]) | onp.asarray(x) | onp.array([x, x]) | onp.array([x[0], x[1]]) | onp.where(x > 2, x, n)
onp.multiply.outer(x, n) | onp.fft.fft(x) | n[x > 2] | n[np.asarray([0, 1])] | onp.linalg.inv(np.eye(2)) | onp.full(3, x[0])'''


# Expressions whose value is to be NumPy's; what they give (our array or NumPy's) is left to NumPy.
VALUES = '''onp.sum(x) | onp.prod(x) | onp.max(x) | onp.min(x, axis=0) | onp.mean(x) | onp.std(x) | onp.var(x) | onp.all(x) | onp.any(x > 3) | onp.ptp(x)
onp.cumsum(x) | onp.cumprod(x) | onp.argmax(x) | onp.argmin(x) | onp.sort(x) | onp.median(x) | onp.percentile(x, 30) | onp.quantile(x, 0.3) | onp.average(x, weights=n)
onp.add.reduce(x) | onp.multiply.accumulate(x) | onp.add.at(n.copy(), [0, 1], x[:2]) | onp.maximum.reduce(x) | onp.add.reduceat(x, [0, 2]) | onp.subtract.outer(x, x)
onp.vstack([x, n]) | onp.hstack([x, n]) | onp.dstack([x, n]) | onp.column_stack([x, n]) | onp.append(x, n) | onp.split(x, 2) | onp.tile(x, 2) | onp.repeat(x, 2)
onp.unique(x) | onp.nonzero(x > 2) | onp.flatnonzero(x > 2) | onp.searchsorted(x, 2.5) | onp.take(x, [0, 2]) | onp.compress(x > 2, x) | onp.choose([0, 1, 0, 1], [x, n])
onp.dot(x, n) | onp.matmul(x, n) | onp.inner(x, x) | onp.outer(x, n) | onp.tensordot(x, n, 1) | onp.einsum('i,i', x, n) | onp.vdot(x, x) | onp.kron(x, x) | onp.cross(x[:3], n[:3])
onp.allclose(x, n) | onp.array_equal(x, n) | onp.isclose(x, n) | onp.isnan(x) | onp.interp(2.5, x, n) | onp.polyfit(x, n, 1) | onp.histogram(x, 2) | onp.bincount(i) | onp.diff(x)
onp.gradient(x) | onp.trapezoid(x) | onp.convolve(x, n) | onp.corrcoef(x, n) | onp.cov(x) | onp.meshgrid(x, n) | onp.broadcast_to(x, (2, 4)) | onp.expand_dims(x, 0) | onp.pad(x, 1)
onp.linalg.norm(x) | onp.linalg.svd(m, compute_uv=False) | onp.linalg.solve(m, x) | onp.linalg.det(m) | onp.linalg.eigvalsh(m) | onp.linalg.qr(m)[1] | onp.linalg.matrix_rank(m)
onp.fft.rfft(x) | onp.fft.ifft(x) | onp.ones_like(x) | onp.zeros_like(x) | onp.full_like(x, 3) | onp.copy(x) | onp.ravel(m) | onp.transpose(m) | onp.swapaxes(m, 0, 1) | onp.squeeze(x)
onp.diag(x) | onp.tril(m) | onp.trace(m) | onp.diagonal(m) | onp.roll(x, 1) | onp.flip(x) | onp.rot90(m) | onp.insert(x, 1, 9.) | onp.delete(x, 1) | onp.isin(x, [1, 2]) | onp.intersect1d(x, n)
onp.vectorize(lambda a: a + 1)(x) | onp.apply_along_axis(onp.sum, 0, m) | onp.nan_to_num(x) | onp.real(x) | onp.angle(x) | onp.heaviside(x - 2, 0.5) | onp.select([x > 2], [x], 0) | onp.piecewise(n, [n > 2], [1, 2])
onp.lexsort((x, n)) | onp.argsort(-x) | onp.partition(x, 2) | onp.count_nonzero(x) | onp.nansum(x) | onp.nanmean(x) | onp.size(x) | onp.ndim(x) | onp.shape(m) | onp.result_type(x) | onp.iscomplexobj(x)
onp.array(x, dtype=int) | onp.asarray(x, onp.float32) | onp.array([[1, x[0]], [x[1], 2]]) | onp.float64(x[0]) | float(x[1]) | list(x) | onp.fromiter(x, float) | onp.ldexp(x, i) | onp.frexp(x) | onp.modf(x)
onp.logical_and(x, n) | onp.bitwise_or(i, 1) | onp.power(n, x) | onp.arctan2(x, n) | onp.hypot(n, x) | onp.fmod(x, 2) | onp.sign(x) | onp.floor(x) | onp.round(x, 1) | n + x[0] | n * x[:, None]
onp.triu_indices_from(m) | onp.take_along_axis(m, onp.argsort(m, 0), 0) | onp.array_split(x, 3) | onp.block([[x], [n]]) | onp.moveaxis(m, 0, 1) | onp.c_[x, n] | onp.r_[x, n] | onp.ix_(i, i) | n[i % 4]'''


@pytest.mark.parametrize('text', [t.strip() for line in VALUES.splitlines() for t in line.split(' | ')])
def test_values_of_numpys_functions(text):
    n, i, m = onp.arange(1., 5), onp.arange(4), onp.eye(4) * 3 + onp.arange(4)[:, None] % 2 + onp.arange(4) % 2
    ours = {'x': np.asarray(n), 'i': np.asarray(i), 'm': np.asarray(m)}
    found, expected = (eval(text, {'onp': onp, 'n': n, **names}) for names in (ours, {'x': n, 'i': i, 'm': m}))
    if not isinstance(expected, (tuple, list)):
        found, expected = [found], [expected]
    assert len(found) == len(expected)
    for a, b in zip(found, expected):
        if b is not None and not isinstance(b, onp.dtype):
            onp.testing.assert_allclose(onp.asarray(a), b, 1e-6, 1e-12)


def test_numpys_arrays_take_what_lazy_arrays_hold():
    n, x = onp.zeros(4), np.arange(4.)
    n[1:3] = x[2:]
    n[0] = x[3]
    onp.copyto(n[3:], x[:1])
    assert n.tolist() == [3, 2, 3, 0] and type(n) is onp.ndarray
    onp.add(n, x, out=n)
    assert n.tolist() == [3, 3, 5, 3]
    onp.testing.assert_allclose(x, [0, 1, 2, 3])
    onp.testing.assert_array_equal([x, x], onp.stack([x, x]))


@pytest.mark.parametrize('kind, texts', [(np.ndarray, NUMPYS), (onp.ndarray, ARRAYS)], ids=['ours', 'numpys'])
def test_numpy_with_lazy_arrays(kind, texts):
    """Operators, and functions that NumPy leaves to a method of that name, give our arrays; other functions give
    NumPy's."""
    n, x = onp.arange(1., 5), np.arange(1., 5, dtype=np.float64)
    for text in [t.strip() for line in texts.splitlines() for t in line.split(' | ')]:
        found, expected = eval(text), eval(text, {'onp': onp, 'np': onp, 'n': n, 'x': n})
        assert isinstance(found, kind), (text, type(found))
        onp.testing.assert_allclose(onp.asarray(found), expected, 1e-6, err_msg=text)
        assert found.dtype == expected.dtype or text == 'onp.argsort(x)' or 'eye' in text, text


def test_scalars_go_where_python_wants_a_number():
    import math
    import operator
    x = np.asarray(2)
    assert operator.index(x) == 2 and [1, 2, 3][x] == 3 and math.sqrt(x + 2) == 2 and range(x)[-1] == 1 \
        and f'{x:d}' == '2'
    assert float(x) == complex(x) == int(x) == 2 and bool(x) and round(np.asarray(2.5)) == 2
    with pytest.raises(TypeError):
        operator.index(np.asarray(2.))
