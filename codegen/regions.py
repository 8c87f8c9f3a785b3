"""Regions: what `fuse` wrapped must lie in one kernel, or else the reasons why it can't.

`schedule` schedules a program and looks at each region. What a region computes is computed in the steps of its roots
(see `schedule`), so that it is one kernel if all of them have one step. A reduction of much data to few results may
take a second, small launch that combines the parts; it belongs to its kernel, and counts as one with it.

Before: s = sort(x) in a region. After: Refused, ['sort runs in a library'].
"""
from ..ir import ops
from ..ir.graph import where
from . import choices
from .complexes import PARTS
from .program import fused
from .schedule import SCATTERS, Schedule, _Store, reduced_axes


class Refusal:
    """A region that is several kernels. reasons: (what, the source of the operation, see Linear) each."""

    def __init__(self, region, reasons, steps):
        self.region, self.reasons, self.steps = region, reasons, steps

    @property
    def strict(self):
        return self.region.option('strict', True) and not self.region.option('derived')

    def message(self, line):
        """The text for the user. line: a function from a source to 'file:line'."""
        what = 'a derivative or batched form of what' if self.region.option('derived') else 'what'
        text = [f'{what} is fused at {where(self.region.line)} {"can not be" if self.strict else "is not"} one kernel:']
        for reason, source in self.reasons:
            place = line(source) if source is not None else ''
            text.append(f'  {reason}{f" ({place})" if place else ""}')
        text.append('Leave that out of the fused function, or pass strict=False to fuse: then it becomes several '
                    'kernels.' if self.strict else f'It was split into {self.steps} steps.')
        return '\n'.join(text)


class Refused(Exception):
    """A strict region can't be one kernel."""

    def __init__(self, refusal):
        self.refusal = refusal


def schedule(linear, supports):
    """(Schedule, refusals of the regions that were split). Raises Refused for a strict one."""
    refusals, dissolved = [], set()
    while True:
        result = Schedule(linear, supports, dissolved)
        broken = violations(result)
        for refusal in broken:
            if refusal.strict:
                raise Refused(refusal)
            refusals.append(refusal)
            dissolved.add(refusal.region)
        if not broken:
            return result, refusals


def has_regions(linear):
    return any(fused(x.region) is not None for x in linear.instructions)


def violations(schedule):
    """A Refusal for each region that is not in one kernel."""
    roots = {}
    for i in sorted(schedule.placed):
        if schedule.region[i] is not None:
            roots.setdefault(schedule.region[i], []).append(i)
    steps = {region: {schedule.placed[i] for i in members} for region, members in roots.items()}
    return [Refusal(region, *_reasons(schedule, region, members)) for region, members in roots.items()
            if len(steps[region]) > 1 or schedule.steps[min(steps[region])].kind != 'kernel']


def _reasons(schedule, region, members):
    """([(reason, source)], number of steps): each thing that stands in the way, the first three of them."""
    home, causes, rest = schedule.homes.get(region), {}, {}
    for i in members:
        own, source = step_of_its_own(schedule, i), schedule.linear.sources[i]
        if own:
            causes.setdefault(own, source)
        elif schedule.placed[i] != home:
            rest.setdefault(why_not(schedule, home, i), source)
    return list((causes or rest).items())[:3], len({schedule.placed[i] for i in members})


# --- reasons in words -----------------------------------------------------------------------------------------------

_NAMES = {'dot_general': 'a matrix product (dot_general)', 'conv': 'a convolution (conv)',
          'slice_update': 'writing into a part of an array (slice_update)',
          'triangular_solve': 'a triangular solve', 'fft': 'a Fourier transform (fft)'}


def name_of(x):
    """An operation's name for the user: reduce_sum is sum, what is packed goes by its own name."""
    return x.params[0].name if x.op is ops.packed else x.op.name.removeprefix('reduce_').removeprefix('complex_')


def step_of_its_own(schedule, i):
    """Why an operation is a step of its own whatever stands around it; '' where it isn't."""
    x = schedule.instructions[i]
    if x.op in PARTS:
        return step_of_its_own(schedule, x.inputs[0])
    name = _NAMES.get(x.op.name, name_of(x))
    if x.op is ops.unpack:
        name = name_of(schedule.instructions[x.inputs[0]])
    if x.op in (ops.dot_general, ops.conv):
        return f'{name} is a kernel of its own'
    if x.op is ops.fft:
        return f'{name} is a step of its own'
    if x.op in SCATTERS:
        return 'scatter writes where the data say, which is a step of its own'
    if x.op.library:
        return f'{name} runs in a library'
    if i in schedule.extra_roots:
        before = schedule.instructions[x.inputs[0]].aval.shape if x.inputs else ()
        return (f'the {name} of shape {before} to {x.aval.shape} cuts across rows: what it reads is stored first')
    if schedule.is_assembled(i):
        return f'{name} has parts that are computed in loops of their own'
    if schedule.library[i]:
        kinds = ', '.join(dict.fromkeys([schedule.instructions[j].aval.dtype.name for j in x.inputs]
                                        or [x.aval.dtype.name]))
        return f'{name} of {kinds} is computed by NumPy'
    return ''


def why_not(schedule, number, i):
    """Why root i is not in a kernel: the first thing that hinders, in words."""
    if number is None or schedule.steps[number].kind != 'kernel':
        return 'it needs what a library computes'
    step, x = schedule.steps[number], schedule.instructions[i]
    reduced = frozenset(reduced_axes(x))
    shape = schedule.instructions[x.inputs[0]].aval.shape if x.op.reduction else x.aval.shape
    try:
        cone = schedule.cone(i, shape)
    except _Store as error:
        return error.reason
    for dep, place in cone.reads:
        y = schedule.instructions[dep]
        if y.op is ops.fusion_barrier and schedule.placed[dep] >= number:
            return 'a fusion_barrier stands between'
        if schedule.placed[dep] == number and schedule.region[i] is None and schedule.comes_in_parts(dep):
            return f'the {name_of(y)} is computed in parts, side by side, which are combined first'
        if schedule.placed[dep] > number:
            return _needs_later(schedule, dep)
        if place == ('gather',) and schedule.placed[dep] == number:
            if any(schedule.instructions[user].op is ops.searchsorted for user in schedule.users[dep]):
                return f'a search reads here and there in the result of {name_of(y)}, so that all of it comes first'
            return f'a gather reads the result of {name_of(y)} where its indices say, so that all of it comes first'
    if schedule._where_in(step, i, cone) is None:
        return _loops(schedule, step, x, shape, reduced, cone)
    for dep, place in cone.reads:
        if schedule.placed[dep] == number and not schedule._aligned(step, dep, place, cone):
            y = schedule.instructions[dep]
            return f'{name_of(x)} reads the result of {name_of(y)} in another order than it is computed in'
    if i in schedule.extra_roots:
        return schedule.extra_roots[i]
    if step.entries + cone.entries > choices.KERNEL_ENTRIES and schedule.region[i] is None:
        return 'the kernel before it is large enough'
    return 'nothing is saved by computing it there'


def _needs_later(schedule, dep):
    own = step_of_its_own(schedule, dep)
    name = name_of(schedule.instructions[dep])
    return f'it needs a result of which {own}' if own else f'it needs the result of {name}, which is not there yet'


def _loops(schedule, step, x, shape, reduced, cone):
    """Two iteration spaces."""
    name = name_of(x)
    if reduced and step.reduced and cone.sizes == step.sizes:
        return (f'the {name} over {_axes(reduced)} needs another loop order than the reduction over '
                f'{_axes(step.reduced)} beside it')
    if reduced and not step.reduced and cone.sizes == step.sizes:
        return f'the {name} over {_axes(reduced)} would change the loops of what is fused'
    kind = f'the {name} over {_axes(reduced)} of shape {tuple(shape)}' if reduced else f'{name} of shape {tuple(shape)}'
    over = f' and reduces {_axes(step.reduced)}' if step.reduced else ''
    return f'{kind} needs loops of its own: the kernel beside it runs over {tuple(step.sizes)}{over}'


def _axes(axes):
    axes = sorted(axes)
    return f'axis {axes[0]}' if len(axes) == 1 else f'axes {", ".join(map(str, axes[:-1]))} and {axes[-1]}'
