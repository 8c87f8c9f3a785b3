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
