"""explain: what a report says, as text, as objects and as a drawing."""
import re
import xml.etree.ElementTree as ElementTree

import numpy as onp
import pytest

import lazy
import lazy.numpy as np
from lazy import evaluate
from lazy.reports import Report, table

rng = onp.random.default_rng(0)
X = np.asarray(rng.standard_normal((64, 256)).astype('float32')).block_until_ready()
W = np.asarray(rng.standard_normal((256, 8)).astype('float32')).block_until_ready()


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def mixed(x, w):
    return np.sort(np.tanh(x) @ w, 1).sum(0)


# --- what is explained ----------------------------------------------------------------------------------------------

def test_a_function():
    calls = []

    def f(x):
        calls.append(1)
        return softmax(x)
    report = lazy.explain(f, X)
    kernel, = report.kernels
    assert calls == [1] and report.launches == [kernel]
    assert kernel.text == 'max → exp(sub) → sum → div' and kernel.operations == ('max', 'sub', 'exp', 'sum', 'div')
    assert kernel.shape == (64, 256) and kernel.dtypes == ('float32',)
    assert kernel.bytes_read == kernel.bytes_written == X.nbytes
    assert kernel.flops == 5 * X.size and kernel.estimated_ns > 0 and kernel.measured_ns is None
    assert any(line.startswith(__file__) for line in kernel.lines)


def test_a_pending_array_stays_pending():
    y = softmax(X)
    report = lazy.explain(y)
    assert len(report.kernels) == 1 and not y.is_ready()
    onp.testing.assert_allclose(onp.asarray(y.sum(-1)), onp.ones(64), rtol=1e-5)


def test_a_tree_of_arrays():
    assert len(lazy.explain({'a': np.sin(X), 'b': (np.cos(X), None)}).kernels) == 1


def test_nothing_to_run():
    for report in (lazy.explain(X), lazy.explain([]), lazy.explain(lambda x: x, X), lazy.explain(lambda: None)):
        assert report.launches == [] and 'nothing to run' in str(report)
        ElementTree.fromstring(report._repr_svg_())


def test_jitted_fused_and_transformed_functions():
    for f in (lazy.jit(softmax), lazy.fuse(softmax), lazy.jit(lazy.fuse(softmax)), lazy.vmap(softmax)):
        assert len(lazy.explain(f, X).kernels) == 1
    report = lazy.explain(lazy.jit(lambda x, n: x ** n, static_argnums=1), X, 3)
    assert report.kernels[0].operations == ('power',)
    assert lazy.explain(lazy.value_and_grad(lambda x: (x ** 2).sum()), X).kernels


def test_arguments_without_values():
    struct = lazy.ShapeDtypeStruct((1000, 1000), 'float32')
    report = lazy.explain(softmax, struct)
    assert report.kernels[0].bytes_read == 4_000_000
    with pytest.raises(ValueError, match='needs arguments with values'):
        lazy.explain(softmax, struct, measure=True)


def test_python_branches_on_arguments():
    assert lazy.explain(lambda x: np.sin(x) if x.sum() < 1e9 else x, X).kernels[0].operations == ('sin',)


def test_pending_arguments_are_no_part_of_a_call():
    y = np.exp(X)
    assert lazy.explain(lambda y: y + 1, y).kernels[0].operations == ('add',)


def test_errors():
    with pytest.raises(TypeError, match='arrays or a function'):
        lazy.explain('text')
    with pytest.raises(TypeError, match='only with a function'):
        lazy.explain(X + 1, 2)
    with pytest.raises(lazy.errors.FusionError, match='sort'):
        lazy.explain(lazy.fuse(np.sort), X)
    with pytest.raises(ZeroDivisionError):
        lazy.explain(lambda x: 1 / 0, X)
    with pytest.raises(ValueError, match='target'):
        lazy.explain(softmax, X).source('metal')


# --- what it says ---------------------------------------------------------------------------------------------------

def test_libraries_and_reasons():
    report = lazy.explain(mixed, X, W)
    assert [work.kind for work in report.launches] == ['kernel', 'product', 'library', 'kernel']
    tanh, product, sort, total = report.launches
    assert product.flops == 2 * 64 * 256 * 8 and product.operations == ('dot_general',)
    assert 'operand of a product' in tanh.reason and 'runs in a library' in sort.reason
    assert 'sort runs in a library' in total.reason
    assert report.stored == X.nbytes + 2 * 64 * 8 * 4


@pytest.mark.parametrize('f, reason', [
    (lambda x: (x.sum(0), (x - x.max(1, keepdims=True)).sum(1)), None),
    (lambda x: np.exp(x.sum(1)).sum(), 'the sum over axis 0 of shape (64,) needs loops of its own'),
    (lambda x: np.sin(lazy.fusion_barrier(np.exp(x))), 'a fusion_barrier stands between'),
    (lambda x: np.sort(np.exp(x), 0), 'sort runs in a library'),
    (lambda x: np.exp(x)[np.asarray([3, 1])], 'a gather reads the result of exp where its indices say'),
])
def test_each_split_has_a_reason(f, reason):
    report = lazy.explain(f, X)
    assert len(report.launches) > 1
    assert reason is None or any(reason in work.reason for work in report.launches), report


def test_what_is_read_and_written():
    report = lazy.explain(lambda x, s: x[:, ::2] * s + x[:, 1::2], X, np.ones(128).block_until_ready())
    kernel, = report.kernels
    assert kernel.bytes_read == X.nbytes + 128 * 4 and kernel.bytes_written == 64 * 128 * 4
    assert lazy.explain(lambda: np.arange(1000) + 1).kernels[0].bytes_read == 0


def test_operations_in_short():
    short = lambda f: [kernel.text for kernel in lazy.explain(f, X).kernels]
    assert short(lambda x: x.T + 0) != [] and short(lambda x: np.maximum(x, 0).max()) == ['maximum → max']
    assert short(lambda x: x[3:, ::-1].T.reshape(-1)) in (['copy'], [])
    assert 'gather' in short(lambda x: x[np.asarray([1, 2])] * 2)[0]
    assert short(lambda x: np.zeros((3, 4))) == ['fill']
    assert short(lambda x: np.sin(x) + np.cos(x) * np.sin(x + 1)) == ['2 sin, 2 add, cos, mul']


def test_measured_times_do_not_disturb_values():
    before = onp.array(X)
    report = lazy.explain(mixed, X, W, measure=True)
    assert all(work.measured_ns > 0 for work in report.launches) and report.measured_ns > 0
    assert 'measured' in str(report)
    y = X * 1
    y.block_until_ready()
    z = y.at[0].set(0.)
    del y
    lazy.explain(z, measure=True)
    onp.testing.assert_array_equal(onp.asarray(X), before)
    onp.testing.assert_array_equal(onp.asarray(z)[1:], before[1:])


def test_flushes_are_told():
    evaluate.flushes.append(('1001 pending operations', 1001, 'loop.py:7'))
    try:
        assert 'loop.py:7' in str(lazy.explain(np.sin(X)))
    finally:
        evaluate.flushes.pop()


def test_the_numpy_target():
    lazy.config.update('target', 'numpy')
    try:
        report = lazy.explain(softmax, X)
        assert report.kernels == [] and len(report.launches) >= 5 and 'one by one' in str(report)
        ElementTree.fromstring(report._repr_svg_())
    finally:
        lazy.config.update('target', 'native')


# --- text, code and drawing -----------------------------------------------------------------------------------------

@pytest.mark.parametrize('width', [80, 100, 120])
def test_the_table_fits(width):
    def long(x, w):
        for _ in range(40):
            x = np.sin(x) * 1.5 + np.sqrt(np.abs(x))
        return x.astype('float64'), mixed(x, w)
    report = lazy.explain(long, X, W, measure=True)
    lines = table(report, width).splitlines()
    assert max(map(len, lines)) <= width
    text = '\n'.join(lines)
    for word in ('sin', 'float32', 'float64', 'why', 'test_explain.py', 'total', '64×256'):
        assert word in text, (word, text)


def test_code():
    report = lazy.explain(softmax, X)
    assert 'define void @kernel1' in report.source() and report.source() == report.kernels[0].source('native')
    assert 'tl.load' in report.source('triton') and '@triton.jit' in report.source('triton')
    compile(report.source('triton'), 'kernel', 'exec')


def svg(report):
    text = report._repr_svg_()
    return ElementTree.fromstring(text), text


def test_the_drawing():
    report = lazy.explain(mixed, X, W)
    root, text = svg(report)
    words = [element.text for element in root.iter('{http://www.w3.org/2000/svg}text')]
    for word in ('tanh', 'sort (library)', 'kernel 1 · 64×256', 'float32 64×256', '64 KiB'):
        assert word in words, (word, words)
    rectangles = [e for e in root.iter('{http://www.w3.org/2000/svg}rect')]
    kinds = [e.get('class') for e in rectangles]
    assert kinds.count('kernel') == 2 and kinds.count('product') == kinds.count('library') == 1 \
        and kinds.count('result') == 1
    boxes = [[float(e.get(k)) for k in ('x', 'y', 'width', 'height')] for e in rectangles
             if e.get('class') in ('kernel', 'product', 'library', 'array', 'result')]
    for i, (x, y, w, h) in enumerate(boxes):
        assert x >= 0 and y >= 0 and x + w <= float(root.get('width')) and y + h <= float(root.get('height'))
        for other_x, other_y, other_w, other_h in boxes[:i]:
            assert x >= other_x + other_w or other_x >= x + w or y >= other_y + other_h or other_y >= y + h
    assert re.fullmatch(r'(?s)<div><svg.*</svg><details>.*</details></div>', report._repr_html_())


def test_a_long_drawing_is_cut():
    def f(x):
        for _ in range(80):
            x = lazy.fusion_barrier(np.sin(x))
        return x
    root, text = svg(lazy.explain(f, np.ones(3)))
    assert 'more steps' in text


def test_an_empty_report():
    assert str(Report([], [], 0)).startswith('nothing')
