"""Samplers of hundreds of operations as one node each: their graphs are built once."""
import functools

from .. import evaluate
from ..array import wrap
from ..ir import build, dtypes, ops
from ..ir.graph import Graph, next_serial, substitute

_KEPT = 256                                          # graphs, one for each sampler, shape and dtype
_graphs = {}
dtypes.Defaults.caches.append(_graphs.clear)


def template(function):
    """function(static, *Arrays) -> list of Arrays, as a `call` node of a graph kept for each static and types.

    Before: y = 300 operations on x. After: y = call(x; body), which is inlined where it is compiled. Still lazy, and no
    boundary for fusion; but building it takes microseconds.
    """
    @functools.wraps(function)
    def build_call(static, *arrays):
        arguments = [x._node for x in arrays]
        key = function, static, *[node.aval for node in arguments]
        found = _graphs.get(key)
        if found is None:
            if len(_graphs) >= _KEPT:
                _graphs.clear()
            found = _graphs[key] = _trace(function, static, arguments)
        graph, constants = found
        call = build.make(ops.call, (*arguments, *constants), (graph, 'template', ()))
        return [wrap(build.project(call, i)) for i in range(len(graph.outputs))]
    return build_call


def _trace(function, static, arguments):
    """(graph, values that it uses besides its arguments)."""
    from ..autodiff.calls import captured
    start = next_serial()
    with evaluate.trace():
        variables = [build.variable(node.aval) for node in arguments]
        outputs = [x._node for x in function(static, *map(wrap, variables))]
    constants = captured(outputs, variables, start)
    placeholders = [build.variable(node.aval) for node in constants]
    mapping = {node.serial: p for node, p in zip(constants, placeholders)}
    return Graph((*variables, *placeholders), substitute(outputs, mapping, start)), constants
