"""The table of operations is complete: every row has what its kind needs, and a case that tests it."""
import pytest

import ops_table
from lazy.ir import ops

OPS = list(ops.OPS.values())


@pytest.mark.parametrize('op', OPS, ids=repr)
def test_row(op):
    assert ops.OPS[op.name] is op
    holds = op.name in ('leaf', 'variable', 'literal', 'call', 'project', 'custom', 'custom_linear')
    assert op.numpy is not None or holds, 'no reference'
    several = op.name in ('packed', 'unpack')                 # results of an operation with several
    if op.elementwise:
        assert op.formula or op.name in ops_table.NO_FORMULA or op.linear, 'no formula, and no reason'
        assert not (op.formula and op.name in ops_table.NO_FORMULA)
    elif not (holds or several):
        assert op.infer is not None, 'no shape rule'
    assert set(op.classes) <= set('biufc')


def test_every_operation_has_a_case():
    tested = {case.op.name for case in ops_table.CASES}
    missing = [op.name for op in OPS if op.name not in tested and op.name not in ops_table.EXEMPT]
    assert not missing
    assert not [name for name in ops_table.EXEMPT if name in tested or name not in ops.OPS]
