"""fuse and fusion_barrier: one kernel or an error that says why not, and how they compose."""
import inspect

import numpy as onp
import pytest

import lazy
import lazy.numpy as np
from lazy.errors import FusionError, FusionWarning

rng = onp.random.default_rng(0)


def array(*shape):
    return np.asarray(rng.standard_normal(shape).astype('float32')).block_until_ready()


def kernels(f, *args):
    return len(lazy.explain(f, *args).launches)


def close(actual, expected, rtol=1e-4, atol=1e-5):
    onp.testing.assert_allclose(onp.asarray(actual), onp.asarray(expected), rtol=rtol, atol=atol)


def norm(x, scale):
    h = x * 0.5 * (1 + np.tanh(0.7978845608 * (x + 0.044715 * x**3)))
    return (h - h.mean(-1, keepdims=True)) / np.sqrt(h.var(-1, keepdims=True) + 1e-5) * scale


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


X, S = array(16, 48), array(48)


# --- one kernel -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('f, args', [
    (norm, (X, S)), (softmax, (X,)), (lambda x: x.T + 1, (X,)), (lambda x: x.sum(), (X,)),
    (lambda x: (x - x.mean(0)) / x.std(0), (X,)), (lambda x: x.argmax(-1), (X,)),
    (lambda x, s: np.exp(s) * x, (X, S)), (lambda x: x[::-1, 3:], (X,)),
], ids=['norm', 'softmax', 'transposed', 'sum', 'columns', 'argmax', 'broadcast', 'slice'])
def test_is_one_kernel_with_the_same_result(f, args):
    fused = lazy.fuse(f)
    close(fused(*args), f(*args))
    assert kernels(fused, *args) == 1


def test_several_results_of_one_kernel():
    f = lambda x: {'rows': x.sum(-1), 'largest': x.max(-1, keepdims=True), 'all': (np.exp(x), x * 2)}
    got, want = lazy.fuse(f)(X), f(X)
    assert kernels(lazy.fuse(f), X) == 1
    lazy.tree.map(close, got, want)


def test_limits_do_not_apply_inside():
    def long(x):
        for _ in range(150):
            x = np.sin(x) * 1.01
        return x
    assert kernels(long, X) > 1
    assert kernels(lazy.fuse(long), X) == 1


def test_a_dear_value_with_several_users_stays_inside():
    def f(x, s):
        t = np.exp(np.sin(np.cos(np.tanh(np.log(np.abs(s) + 1)))))
        return (t * x, t + x, t - x)
    assert kernels(f, X, S) > 1
    assert kernels(lazy.fuse(f), X, S) == 1


def test_neighbours_join_only_where_loops_stay():
    fused = lazy.fuse(lambda x: np.exp(x) + x)
    assert kernels(lambda x: fused(x + 1) * 2, X) == 1
    assert kernels(lambda x: (fused(x), fused(x).sum(0)), X) >= 2


def test_reductions_of_neighbours_do_not_cut_a_region():
    fused = lazy.fuse(lambda x: np.exp(x).sum())
    total, largest = fused(X), np.exp(X).max(-1)
    lazy.explain([total, largest])
    close(total, onp.exp(onp.asarray(X)).sum())


def test_arguments_that_are_not_read_stay_as_they_are():
    s = np.asarray(onp.ones(48, 'float32'))
    largest, _ = lazy.fuse(lambda x, s: (x.max(-1, keepdims=True), np.sin(s)), strict=False)(X, s)
    close(largest, onp.asarray(X).max(-1, keepdims=True))
    close(s, onp.ones(48))


def test_a_large_reduction_may_combine_its_parts_in_a_second_launch():
    x = np.ones((512, 1024)).block_until_ready()
    report = lazy.explain(lazy.fuse(lambda x: np.exp(x).sum()), x)
    assert len(report.kernels) == 1
    assert float(lazy.fuse(lambda x: x.sum())(x)) == 512 * 1024


def test_nothing_to_compute():
    assert lazy.fuse(lambda x: x)(X) is not None
    close(lazy.fuse(lambda x: (x, x + 0))(X)[0], X)
    assert lazy.fuse(lambda: None)() is None
    assert float(lazy.fuse(lambda: np.float32(2))()) == 2


# --- arguments ------------------------------------------------------------------------------------------------------

def test_python_values_are_passed_on():
    @lazy.fuse
    def f(x, axis, scale, mode='mean'):
        return getattr(np, mode)(x, axis) * scale if isinstance(axis, int) else x
    close(f(X, 0, 2.5), onp.asarray(X).mean(0) * 2.5)
    close(f(X, 1, 2.5, mode='max'), onp.asarray(X).max(1) * 2.5)


def test_pytrees_and_numpy_arguments():
    f = lazy.fuse(lambda p, x: [p['w'] * x + p['b']])
    close(f({'w': onp.full(48, 2, 'float32'), 'b': S}, X)[0], 2 * onp.asarray(X) + onp.asarray(S))


def test_captured_arrays_are_inputs():
    pending = S * 2
    f = lazy.fuse(lambda x: x * S + pending)
    close(f(X), onp.asarray(X) * onp.asarray(S) + 2 * onp.asarray(S))
    grads = lazy.grad(lambda s: lazy.fuse(lambda x: (x * s).sum())(X))(S)
    close(grads, onp.asarray(X).sum(0), rtol=1e-3)


def test_a_closure_is_seen_anew_at_each_call():
    factor = 1.0
    f = lazy.fuse(lambda x: x * factor)
    f(X)
    factor = 3.0
    close(f(X), 3 * onp.asarray(X))


def test_fresh_closures_compile_nothing():
    make = lambda rate: lazy.fuse(lambda x: np.tanh(x * rate) + rate)
    make(0.5)(X).block_until_ready()
    before = lazy.debug.kernel_compilations()
    close(make(0.7)(X), onp.tanh(onp.asarray(X) * 0.7) + 0.7)
    assert lazy.debug.kernel_compilations() == before


def test_methods_and_names():
    class Layer:
        scale = 2

        @lazy.fuse
        def apply(self, x):
            """Doc."""
            return x * self.scale
    close(Layer().apply(X), 2 * onp.asarray(X))
    assert Layer.apply.__name__ == 'apply' and Layer.apply.__doc__ == 'Doc.' and 'fused' in repr(Layer.apply)


def test_a_result_that_is_no_array():
    with pytest.raises(TypeError, match='returned a str'):
        lazy.fuse(lambda x: 'text')(X)


def test_branching_on_a_value_inside():
    with pytest.raises(lazy.errors.ConcretizationTypeError, match='where'):
        lazy.fuse(lambda x: x if x.sum() > 0 else -x)(X)


# --- arrays ---------------------------------------------------------------------------------------------------------

def test_arrays():
    e = np.exp(X - X.max(-1, keepdims=True))
    total = e.sum(-1, keepdims=True)
    probabilities, total = lazy.fuse(e / total, total)
    assert len(lazy.explain([probabilities, total]).kernels) == 1
    close(probabilities.sum(-1), onp.ones(16))
    assert total.shape == (16, 1)
    assert lazy.fuse(X)._node is X._node
    tree = lazy.fuse({'a': X + 1, 'b': [X * 2]})
    close(tree['b'][0], 2 * onp.asarray(X))


def test_arrays_under_transformations():
    f = lambda x: lazy.fuse(np.sin(x) * x).sum()
    plain = lambda x: (np.sin(x) * x).sum()
    close(lazy.grad(f)(S), lazy.grad(plain)(S))
    close(lazy.vmap(f)(X), lazy.vmap(plain)(X))
    close(lazy.jit(f)(S), plain(S))


def test_arrays_that_cannot_be_one_kernel():
    with pytest.raises(FusionError, match='sort'):
        lazy.fuse(np.sort(X + 1) * 2).block_until_ready()


# --- composition ----------------------------------------------------------------------------------------------------

def test_the_derivative_is_one_kernel():
    fused = lazy.fuse(norm)
    gradient = lambda f: lazy.grad(lambda x: (f(x, S) ** 2).sum())
    close(gradient(fused)(X), gradient(norm)(X), rtol=1e-3, atol=1e-4)
    report = lazy.explain(lazy.grad(lambda x: fused(x, S).sum()), X)
    assert len(report.launches) == 1, report


def test_second_derivatives():
    fused = lazy.fuse(lambda x: np.sin(x) * x)
    for order in range(3):
        fused_f, plain = lambda x: fused(x).sum(), lambda x: (np.sin(x) * x).sum()
        for _ in range(order):
            derived = lambda g: lambda x: lazy.grad(g)(x).sum()
            fused_f, plain = derived(fused_f), derived(plain)
        close(fused_f(S), plain(S), rtol=1e-3)


def test_forward_mode_and_vjp():
    fused = lazy.fuse(softmax)
    for got, want in zip(lazy.jvp(fused, (X,), (X,)), lazy.jvp(softmax, (X,), (X,))):
        close(got, want)
    close(lazy.vjp(fused, X)[1](X)[0], lazy.vjp(softmax, X)[1](X)[0])


def test_vmap_is_one_kernel():
    fused = lazy.vmap(lazy.fuse(softmax))
    batch = array(5, 16, 48)
    close(fused(batch), softmax(batch))
    assert kernels(fused, batch) == 1
    close(lazy.vmap(lazy.fuse(norm), (0, None))(batch, S), norm(batch, S))
    close(lazy.vmap(lazy.grad(lambda x: lazy.fuse(norm)(x, S)[0, 0]))(batch),
          lazy.vmap(lazy.grad(lambda x: norm(x, S)[0, 0]))(batch), rtol=1e-3)


def test_jit_around_and_inside():
    calls = []

    def f(x):
        calls.append(1)
        return softmax(x) * 2
    outer = lazy.jit(lazy.fuse(f))
    close(outer(X), 2 * softmax(X))
    close(outer(X), 2 * softmax(X))
    assert len(calls) == 1 and kernels(outer, X) == 1
    inner = lazy.fuse(lazy.jit(softmax))
    close(inner(X), softmax(X))
    assert kernels(inner, X) == 1


def test_nested_fusions_are_the_outer_ones():
    inner = lazy.fuse(softmax)
    outer = lazy.fuse(lambda x: np.log(inner(x)) + inner(x))
    close(outer(X), np.log(softmax(X)) + softmax(X))
    assert kernels(outer, X) == 1


def test_python_control_flow_over_other_values_under_grad():
    fused = lazy.fuse(lambda x: x * x)
    f = lambda x: fused(x) if x > 0 else -fused(x)
    assert float(lazy.grad(f)(3.0)) == 6.0 and float(lazy.grad(f)(-3.0)) == 6.0


# --- refusals -------------------------------------------------------------------------------------------------------

def line_of(text, function):
    """'file:line' of the line of a function that contains a text."""
    lines, start = inspect.getsourcelines(function)
    return f'{__file__}:{start + next(i for i, line in enumerate(lines) if text in line)}'


def test_library_operations_are_refused_with_both_lines():
    def impossible(a, b):
        product = a @ b
        return np.sort(product, axis=0)

    def call():
        return lazy.fuse(impossible)(np.ones((8, 8)), np.ones((8, 8)))
    with pytest.raises(FusionError) as caught:
        call().block_until_ready()
    text = str(caught.value)
    assert 'sort runs in a library' in text and 'matrix product' in text
    assert line_of('np.sort', impossible) in text and line_of('a @ b', impossible) in text
    assert line_of('lazy.fuse(impossible)', call) in text and 'strict=False' in text


def test_the_error_comes_each_time_and_only_when_computed():
    y = lazy.fuse(np.sort)(X)
    assert y.shape == X.shape
    for _ in range(2):
        with pytest.raises(FusionError):
            y.block_until_ready()


@pytest.mark.parametrize('f, reason', [
    (lambda x: (x.sum(0), x.sum(1)), 'the sum over axis 1 needs another loop order than the reduction over axis 0'),
    (lambda x: x.sum(1).max(), 'the max over axis 0 of shape (16,) needs loops of its own'),
    (lambda x: np.concatenate([np.sin(x), np.cos(x)]), 'concatenate has parts that are computed in loops of their own'),
    (lambda x: np.exp(lazy.fusion_barrier(np.sin(x))), 'fusion_barrier'),
    (lambda x: (np.exp(x), np.exp(x[0])), 'loops of its own'),
    (lambda x: np.sin(x)[np.asarray([1, 0, 1])], 'a gather reads the result of sin where its indices say'),
    (lambda x: x.at[np.asarray([1, 0])].add(1.), 'scatter writes where the data say'),
    (lambda x: np.sort(x, 0), 'sort runs in a library'),
    (lambda x: np.cumprod(x + 1j, 0).real, 'complex64 is computed by NumPy'),
    (lambda x: np.exp(x) @ x.T, 'a matrix product'),
    (lambda x: np.sin(x).reshape(24, 32).sum(-1), 'cuts across rows'),
], ids=['orders', 'two reductions', 'concatenate', 'barrier', 'two spaces', 'gather', 'scatter', 'sort', 'complex',
        'dot', 'reshape'])
def test_reasons(f, reason):
    with pytest.raises(FusionError) as caught:
        lazy.tree.leaves(lazy.fuse(f)(X))[-1].block_until_ready()
        lazy.explain(lazy.fuse(f), X)
    assert reason in str(caught.value)
    assert 'test_fuse.py' in str(caught.value)


def test_the_numpy_target_refuses_alike():
    lazy.config.update('target', 'numpy')
    try:
        with pytest.raises(FusionError, match='sort'):
            lazy.fuse(np.sort)(X).block_until_ready()
        close(lazy.fuse(softmax)(X), softmax(X))
    finally:
        lazy.config.update('target', 'native')


def test_not_strict_splits_and_warns_once():
    f = lazy.fuse(lambda x: np.sort(np.exp(x)) * 2, strict=False)
    with pytest.warns(FusionWarning, match='sort runs in a library') as caught:
        for n in (3, 4):
            x = array(n, 5)
            close(f(x), onp.sort(onp.exp(onp.asarray(x))) * 2)
    assert len(caught) == 1 and caught[0].filename == __file__


def test_a_derivative_that_is_several_kernels_is_split():
    fused = lazy.fuse(norm)
    loss = lambda f: lazy.grad(lambda x, s: (f(x, s) ** 2).sum(), (0, 1))
    with pytest.warns(FusionWarning, match='derivative'):
        got = loss(fused)(X, S)
        lazy.tree.map(close, [onp.asarray(g) for g in got], [onp.asarray(g) for g in loss(norm)(X, S)])


def test_other_work_goes_on_after_a_refusal():
    bad, good = lazy.fuse(np.sort)(X), X + 1
    with pytest.raises(FusionError):
        bad.block_until_ready()
    close(good, onp.asarray(X) + 1)


# --- options --------------------------------------------------------------------------------------------------------

def test_options():
    x = array(100_000)
    for options in ({'block': 1024}, {'num_warps': 8, 'num_stages': 2}, {'block': 32, 'strict': False}):
        f = lazy.fuse(lambda x: np.exp(x) * 2, **options)
        close(f(x), 2 * onp.exp(onp.asarray(x)))
    decorated = lazy.fuse(block=64)(lambda x: x + 1)
    close(decorated(x), onp.asarray(x) + 1)


@pytest.mark.parametrize('options', [{'block': 100}, {'block': 8}, {'num_warps': 3}, {'num_stages': 0}, {'block': 2.0}])
def test_wrong_options(options):
    with pytest.raises(ValueError, match='fuse: '):
        lazy.fuse(lambda x: x, **options)


def test_options_reach_kernels():
    x = array(100_000)
    text = lazy.explain(lazy.fuse(lambda x: np.exp(x), block=2048, num_warps=2), x).source('triton')
    assert 'LANES=2048' in text and 'num_warps=2' in text
    f = lazy.fuse(lambda x: np.exp(x).sum(-1), num_stages=3)
    assert 'num_stages=3' in lazy.explain(f, lazy.ShapeDtypeStruct((4, 100_000), 'float32')).source('triton')


def test_tuning(tmp_path, monkeypatch):
    from lazy.codegen import runtime, tune
    from lazy.codegen.cache import DiskCache
    cache = DiskCache(str(tmp_path))
    monkeypatch.setattr(runtime, '_cache', cache)
    monkeypatch.setattr(tune, '_known', {})
    x = array(300_000)
    f = lazy.fuse(lambda x: np.exp(x) * 3, tune=True)
    close(f(x), 3 * onp.exp(onp.asarray(x)))
    (key, block), = tune._known.items()
    assert block in (4096, 16384, 65536, 300_000) and tune._stored(key) == block
    tune._known.clear()
    monkeypatch.setattr(tune, '_measured', lambda *_: pytest.fail('the best block is on disk'))
    lazy.evaluate.programs.clear()
    close(f(x), 3 * onp.exp(onp.asarray(x)))


# --- fusion_barrier -------------------------------------------------------------------------------------------------

def test_fusion_barrier_splits():
    assert kernels(lambda x: np.exp(np.sin(x)), X) == 1
    assert kernels(lambda x: np.exp(lazy.fusion_barrier(np.sin(x))), X) == 2
    tree = lazy.fusion_barrier({'a': X, 'b': (S,)})
    close(tree['b'][0], S)


def test_fusion_barrier_under_transformations():
    f = lambda x: (lazy.fusion_barrier(np.sin(x)) ** 2).sum()
    close(lazy.grad(f)(S), onp.sin(2 * onp.asarray(S)), rtol=1e-3)
    close(lazy.vmap(f)(X), (onp.sin(onp.asarray(X)) ** 2).sum(-1), rtol=1e-3)
