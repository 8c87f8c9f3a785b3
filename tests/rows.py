"""Rows of tests of functions on arrays: ours, another library's, and arguments.

    ROWS = [Row('solve', lazy.scipy.linalg.solve, scipy.linalg.solve, [a, b])]

    test_values, test_jit_and_vmap, test_derivatives = checks_of(ROWS)

Derivatives are evaluated on the NumPy target, as in tests/autodiff: what is tested is the graph, not the kernels.
LAZY_TEST_TARGET=native runs the same tests on native code.
"""
import os
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest

import lazy
from lazy.test_util import check_grads, check_jvp

NARROW = {np.dtype(np.float64): np.float32, np.dtype(np.complex128): np.complex64}


@contextmanager
def target_of_derivatives():
    before = lazy.config.target
    lazy.config.update('target', os.environ.get('LAZY_TEST_TARGET', 'numpy'))
    try:
        yield
    finally:
        lazy.config.update('target', before)


def leaves(tree):
    return [np.asarray(x) for x in lazy.tree.leaves(tree)]


class Row:
    """ours, theirs: functions of args (float64 or complex arrays, by which they are differentiated, and others).
    order: how often they are differentiated. narrow: the tolerance in 32 bits, None where these are not tested.
    vmap: whether ours is the same function of each example of a batch."""

    def __init__(self, name, ours, theirs, args, order=2, tolerance=1e-9, narrow=2e-3, vmap=True):
        self.name, self.ours, self.theirs, self.args = name, ours, theirs, [np.asarray(a) for a in args]
        self.order, self.tolerance, self.narrow, self.vmap = order, tolerance, narrow, vmap

    def __repr__(self):
        return self.name

    def close(self, found, expected, tolerance):
        found, expected = leaves(found), leaves(expected)
        assert len(found) == len(expected)
        for x, y in zip(found, expected):
            assert x.shape == y.shape, (x.shape, y.shape)
            scale = max(1.0, np.max(np.abs(y[np.isfinite(y)]), initial=0))
            np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance * scale, err_msg=self.name)

    def check_values(self):
        """Against the other library, in the dtypes given and in those of 32 bits, whose results have 32 bits too."""
        expected = self.theirs(*self.args)
        self.close(self.ours(*self.args), expected, self.tolerance)
        if self.narrow is not None:
            found = self.ours(*[a.astype(NARROW.get(a.dtype, a.dtype)) for a in self.args])
            assert not any(x.dtype in NARROW for x in leaves(found)), [x.dtype for x in leaves(found)]
            self.close(found, expected, self.narrow)

    def check_jit_and_vmap(self):
        """Compiled whole; and of a batch what it is of each example."""
        self.close(lazy.jit(self.ours)(*self.args), self.ours(*self.args), self.tolerance)
        if self.vmap and self.args:
            other = [a * np.linspace(0.9, 1.1, a.size).reshape(a.shape) if a.dtype in NARROW else a for a in self.args]
            found = lazy.vmap(self.ours)(*[np.stack(pair) for pair in zip(self.args, other)])
            each = zip(leaves(self.ours(*self.args)), leaves(self.ours(*other)))
            self.close(leaves(found), [np.stack(pair) for pair in each], self.tolerance)

    @target_of_derivatives()
    def check_derivatives(self):
        """Forward and reverse, and forward over reverse where order is 2, against central differences. (All ways to the
        second order are tested with each operation, in tests/autodiff.)"""
        by = [i for i, a in enumerate(self.args) if a.dtype in NARROW]
        given = tuple([self.args[i] for i in by])

        def f(*given):
            full = list(self.args)
            for i, x in zip(by, given):
                full[i] = x
            return [x for x in lazy.tree.leaves(self.ours(*full)) if x.dtype.kind in 'fc']

        def pulled(*given):
            value, pullback = lazy.vjp(f, *given)
            return pullback(value)
        check_grads(f, given, 1, atol=1e-4, rtol=1e-4)
        if self.order > 1:
            check_jvp(pulled, partial(lazy.jvp, pulled), given, atol=1e-4, rtol=1e-4, err_msg='JVP of VJP')


def checks_of(rows, transformed=None):
    """Tests of values, of jit and vmap (of fewer rows where they are given), and of derivatives of a module's rows."""
    def test_of(chosen, check):
        @pytest.mark.parametrize('row', chosen, ids=str)
        def test(row):
            check(row)
        return test
    return (test_of(rows, Row.check_values), test_of(transformed or rows, Row.check_jit_and_vmap),
            test_of([row for row in rows if row.order], Row.check_derivatives))
