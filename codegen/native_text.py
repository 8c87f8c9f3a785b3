"""LLVM IR text in the making: values, labels, loops whose carried values are phi nodes."""
from . import llvm_math


class Text:
    """The lines of one function, and what names and labels are used up. Subclasses say what it computes."""

    def __init__(self, module, width):
        self.module, self.width = module, width
        self.lines, self.allocas, self.count, self.label = [], [], 0, 'entry'

    def new(self, rhs):
        self.count += 1
        self.lines.append(f'  %t{self.count} = {rhs}')
        return f'%t{self.count}'

    def line(self, text):
        self.lines.append('  ' + text)

    def begin(self, label):
        self.lines.append(f'{label}:')
        self.label = label

    def fresh(self, stem):
        self.count += 1
        return f'{stem}{self.count}'

    def block(self, width=None):
        self.count += 1
        return _Lines(self, llvm_math.Block(self.module, width or self.width, f'b{self.count}_'))

    def loop(self, lo, hi, step, carried, body):
        """for i in range(lo, hi, step) with carried [(type, value)]; body(i, values) -> new values. -> final values."""
        before, loop, end = self.label, self.fresh('loop'), self.fresh('end')
        enter = self.new(f'icmp slt i64 {lo}, {hi}')
        self.line(f'br i1 {enter}, label %{loop}, label %{end}')
        self.begin(loop)
        i = f'%{self.fresh("i")}'
        at = len(self.lines)
        self.lines.append('')
        names = [f'%{self.fresh("c")}' for _ in carried]
        self.lines += [''] * len(carried)
        new = body(i, names)
        following = self.new(f'add nsw i64 {i}, {step}')
        more = self.new(f'icmp slt i64 {following}, {hi}')
        latch = self.label
        self.line(f'br i1 {more}, label %{loop}, label %{end}')
        self.lines[at] = f'  {i} = phi i64 [ {lo}, %{before} ], [ {following}, %{latch} ]'
        for k, ((kind, start), name, value) in enumerate(zip(carried, names, new)):
            self.lines[at + 1 + k] = f'  {name} = phi {kind} [ {start}, %{before} ], [ {value}, %{latch} ]'
        self.begin(end)
        return [self.new(f'phi {kind} [ {start}, %{before} ], [ {value}, %{latch} ]')
                for (kind, start), value in zip(carried, new)]

    def repeat(self, enter, carried, body):
        """Again and again where `enter` is set, with carried [(type, value)]; body(values) -> (new values, whether
        again). -> final values."""
        before, loop, end = self.label, self.fresh('loop'), self.fresh('end')
        self.line(f'br i1 {enter}, label %{loop}, label %{end}')
        self.begin(loop)
        at, names = len(self.lines), [f'%{self.fresh("c")}' for _ in carried]
        self.lines += [''] * len(carried)
        new, again = body(names)
        latch = self.label
        self.line(f'br i1 {again}, label %{loop}, label %{end}')
        for k, ((kind, start), name, value) in enumerate(zip(carried, names, new)):
            self.lines[at + k] = f'  {name} = phi {kind} [ {start}, %{before} ], [ {value}, %{latch} ]'
        self.begin(end)
        return [self.new(f'phi {kind} [ {start}, %{before} ], [ {value}, %{latch} ]')
                for (kind, start), value in zip(carried, new)]

    def when(self, condition, body):
        yes, end = self.fresh('then'), self.fresh('join')
        self.line(f'br i1 {condition}, label %{yes}, label %{end}')
        self.begin(yes)
        body()
        self.line(f'br label %{end}')
        self.begin(end)

    def _min(self, a, b):
        smaller = self.new(f'icmp slt i64 {a}, {b}')
        return self.new(f'select i1 {smaller}, i64 {a}, i64 {b}')


class _Lines:
    """A Block of llvm_math whose lines are handed to the printer in order."""

    def __init__(self, printer, block):
        self.printer, self.b, self.done = printer, block, 0

    def flush(self):
        self.printer.lines += self.b.lines[self.done:]
        self.done = len(self.b.lines)


def suffix(one, width):
    return f'v{width}' + {'float': 'f32', 'double': 'f64'}.get(one, one)


def scalar_int(dtype):
    return llvm_math.scalar_type(dtype.name)


def numbers(values):
    return '<' + ', '.join(f'i32 {v}' for v in values) + '>'
