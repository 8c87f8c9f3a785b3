"""Rules that the user gives for derivatives: what `custom` and `custom_linear` nodes carry.

Before: y = custom(value, x; rule), tangent t of x. After, for a JvpRule: dy = what the rule makes of x and t, and
`value` isn't looked at. For a VjpRule: dy = project(custom_linear(t, *residuals; pullback)), with the residuals of
the rule's forward pass; transposing it calls the rule's backward pass.
"""
from ..ir import build, dtypes, ops

FORWARD_ERROR = ("can't apply forward-mode differentiation (jvp) to a custom_vjp function: it has a rule for reverse "
                 'mode only. Use custom_jvp, which serves both modes')


class Rule:
    """A rule takes no part in evaluation: for programs' keys all rules are alike, or none would be found again."""
    reverse_only = False

    def __init__(self):
        self._batched = {}

    def __eq__(self, other):
        return isinstance(other, Rule)

    def __hash__(self):
        return 0

    def __repr__(self):
        return type(self).__name__

    def batched(self, flags, size):
        """The rule for a batch of examples, with the batch axis leading in the flagged arguments."""
        key = flags, size
        if key not in self._batched:
            self._batched[key] = self._make_batched(flags, size)
        return self._batched[key]


class JvpRule(Rule):
    """push(args, tangents) -> tangents of all results (None where zero); tangents may be None. pull, of what is linear
    in some of the arguments: pull(args, index, ct) -> cotangents of these, None for the others, from that of one
    result."""

    def __init__(self, push, pull=None):
        super().__init__()
        self.push, self.pull = push, pull

    def _make_batched(self, flags, size):
        def push(args, tangents):
            lower = _Lower(size)
            args = [lower(x, flag) for x, flag in zip(args, flags)]
            tangents = [None if t is None else lower(t, flag) for t, flag in zip(tangents, flags)]
            return lower.batch(self.push(args, tangents))

        def pull(args, index, ct):
            one = lambda args, cts: self.pull(args, index, *cts)
            return _batched_backward(one, args, flags, [ct], flags, size)
        return JvpRule(push, self.pull and pull)


class VjpRule(Rule):
    """forward(args) -> (results, residuals, backward); backward(residuals, cotangents) -> cotangents of the args,
    None where zero."""
    reverse_only = True

    def __init__(self, forward):
        super().__init__()
        self.forward = forward

    def _make_batched(self, flags, size):
        def forward(args):
            lower = _Lower(size)
            results, residuals, backward = self.forward([lower(x, flag) for x, flag in zip(args, flags)])
            kept = lower.pairs(residuals)
            residual_flags = [is_batched for _, is_batched in kept]
            return (lower.batch(results), [r for r, _ in kept],
                    lambda residuals, cts: _batched_backward(backward, residuals, residual_flags, cts, flags, size))
        return VjpRule(forward)


def _batched_backward(backward, residuals, residual_flags, cotangents, flags, size):
    """Cotangents of arguments that all examples share are summed over the batch."""
    lower = _Lower(size)
    found = backward([lower(r, flag) for r, flag in zip(residuals, residual_flags)],
                     [lower(ct, True) for ct in cotangents])
    return [ct if ct is None or flag else build.reduce_sum(ct, (0,)) for ct, flag in zip(lower.batch(found), flags)]


class _Lower:
    """From arrays with a batch axis to variables for one example, and back by `batch`."""

    def __init__(self, size):
        self.size, self.variables, self.nodes = size, [], []

    def __call__(self, x, flag):
        if not flag:
            return x
        from .batching import unbatched_aval
        self.variables.append(build.variable(unbatched_aval(x)))
        self.nodes.append(x)
        return self.variables[-1]

    def pairs(self, outputs):
        from .batching import batch
        return batch(outputs, self.variables, self.nodes, self.size)

    def batch(self, outputs):
        from .batching import broadcast_batch
        found = iter(self.pairs([out for out in outputs if out is not None]))
        result = []
        for out in outputs:
            node, is_batched = (None, True) if out is None else next(found)
            result.append(node if is_batched else broadcast_batch(node, self.size))
        return result


# --- derivatives ---------------------------------------------------------------------------------------------

class Pullback(Rule):
    """What a custom_linear node carries: backward(residuals, cotangents), and which arguments have tangents."""

    def __init__(self, backward, live, out_avals):
        super().__init__()
        self.backward, self.live, self.out_avals = backward, live, out_avals

    __eq__, __hash__ = object.__eq__, object.__hash__


def custom_tangent(node, tangents, seen):
    """(tangent, node to take the primal's place or None) of a custom node; `seen` keeps what all its results share."""
    rule, index = node.params
    args = node.inputs[1:]
    key = (id(rule), *[x.serial for x in args], *[None if t is None else t.serial for t in tangents])
    if key not in seen:
        seen[key] = _vjp_tangents(rule, args, tangents) if rule.reverse_only else (rule.push(args, tangents), None)
    found, values = seen[key]
    return found[index], None if values is None else values[index]


def _vjp_tangents(rule, args, tangents):
    values, residuals, backward = rule.forward(args)
    live = tuple([i for i, t in enumerate(tangents) if t is not None])
    pullback = Pullback(backward, live, tuple([v.aval for v in values]))
    linear = build.make(ops.custom_linear, (*[tangents[i] for i in live], *residuals), (pullback,))
    found = [build.project(linear, i) if dtypes.is_inexact(v.aval.dtype) else None for i, v in enumerate(values)]
    return found, values


def _custom_transpose(ct, node, linear):
    rule, index = node.params
    found = None if rule.reverse_only or rule.pull is None else rule.pull(node.inputs[1:], index, ct)
    if found is None or any(flag and g is None for flag, g in zip(linear[1:], found)):
        raise NotImplementedError('the transpose of a function with a derivative rule of its own is not defined')
    return [None, *found]


def _custom_linear_transpose(ct, node, linear):
    pullback, = node.params
    cotangents = [ct[i] if i in ct else build.zeros(of) for i, of in enumerate(pullback.out_avals)]
    found = pullback.backward(node.inputs[len(pullback.live):], cotangents)
    return [found[i] for i in pullback.live] + [None] * (len(node.inputs) - len(pullback.live))


def _custom_linear_jvp(node, tangents):
    raise TypeError(FORWARD_ERROR)


def check_forward(tangents, after):
    """TypeError where tangents can't be computed but only transposed: a custom_vjp function in forward mode."""
    from ..ir.graph import ancestors
    todo = [ancestors([t for t in tangents if t is not None], after)]
    while todo:
        for node in todo.pop():
            if node.op is ops.custom_linear:
                raise TypeError(FORWARD_ERROR)
            if node.op is ops.call:
                todo.append(node.params[0].nodes())


ops.custom.jvp = lambda node, tangents: custom_tangent(node, tangents, {})[0]
ops.custom.transpose = _custom_transpose
ops.custom_linear.jvp, ops.custom_linear.transpose = _custom_linear_jvp, _custom_linear_transpose
