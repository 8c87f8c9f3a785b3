"""Complex numbers as pairs of real ones, so that kernels fuse what is computed of them.

Before: z = leaf: complex64; y = exp(z * z). After: a = real(z), b = imag(z), which are where they are in z's memory;
p = a * a - b * b, ...; y = complex(e, f), whose parts are written to where they belong in y's memory.

What has memory of its own keeps its type: leaves, what libraries compute, what is put together (concatenate,
slice_update) and scatters. `real` and `imag` are from here on views of such memory, or parts of a literal, which is an
argument; `complex` is memory that its parts are computed into.
"""
from ..ir import dtypes, ops
from ..ir.graph import aval, elementwise_aval
from .complex_functions import FUNCTIONS, Real
from .program import Instruction, Linear
from .simplify import simplify

PARTS = (ops.real, ops.imag)

# Done to each part by itself.
EACH = {ops.neg, ops.add, ops.sub, ops.identity, ops.fusion_barrier, ops.reshape, ops.transpose, ops.broadcast,
        ops.slice_, ops.rev, ops.gather, ops.reduce_sum, ops.cumsum}
# What has memory of its own.
STORED = {ops.leaf, ops.literal, ops.concatenate, ops.slice_update, ops.scatter}
# What is left to NumPy besides those operations that always are, and why. So are gathers of mode 'fill': outside is
# NaN, with an imaginary part of 0.
LEFT = {ops.wofz: 'no formula in real functions', ops.cumprod: 'scans carry one number',
        **dict.fromkeys([ops.argmax, ops.argmin, ops.searchsorted], 'compares pairs in the order of words')}


def is_complex(a):
    return dtypes.kind(a.dtype) == 'c'


def split(linear):
    """The Linear with pairs of real numbers in the place of complex ones."""
    if not any(is_complex(x.aval) for x in linear.instructions):
        return linear
    return simplify(_Splitter(linear).result())


def is_part(i, instructions):
    """Whether value i of a split Linear is a part of what lies in memory (not one of a literal)."""
    x = instructions[i]
    return x.op in PARTS and instructions[x.inputs[0]].op is not ops.literal


def stays(x):
    """Whether an operation on complex numbers isn't replaced: it is given them whole, and gives such."""
    return x.op.library or x.op in STORED or x.op in LEFT or x.op is ops.gather and x.params[1] == 'fill'


class _Splitter:
    """place: {old: new} of real values, and of complex ones that stay; parts: {old: their parts as Reals}."""

    def __init__(self, linear):
        self.linear, self.made, self.sources = linear, [], []
        self.place, self.parts, self.assembled = {}, {}, {}

    def result(self):
        for i, x in enumerate(self.linear.instructions):
            self.region, self.source = x.region, self.linear.sources[i]
            self.shape, self.dtype, complex_ = x.aval.shape, self.part_type(x), is_complex(x.aval)
            if not complex_ and not any(is_complex(self.linear.instructions[j].aval) for j in x.inputs):
                self.place[i] = self.add(x.op, [self.place[j] for j in x.inputs], x.params, x.aval, x.slot)
            elif stays(x):
                self.place[i] = self.add(x.op, self.operands(x), x.params, x.aval, x.slot)
            elif complex_:
                self.parts[i] = tuple(map(self.whole_shape, self.computed(x)))
            else:
                self.place[i] = self.whole_shape(self.computed(x)).number
        outputs = [self.whole(i) for i in self.linear.outputs]
        result = Linear(self.made, outputs, [self.place[i] for i in self.linear.free])
        result.sources = self.sources
        return result

    def part_type(self, x):
        """The type of the parts of the complex numbers that an instruction is about."""
        of = [a.dtype for a in (x.aval, *[self.linear.instructions[j].aval for j in x.inputs]) if is_complex(a)]
        return dtypes.real_of(of[0]) if of else None

    # --- making instructions ------------------------------------------------------------------------------------

    def add(self, op, inputs, params, of, slot=None):
        self.made.append(Instruction(op, tuple(inputs), params, of, slot, self.region))
        self.sources.append(self.source)
        return len(self.made) - 1

    def outside(self, op, inputs, params, of):
        """An instruction that is part of no region: it says where something lies, and computes nothing."""
        self.made.append(Instruction(op, tuple(inputs), params, of))
        self.sources.append(self.source)
        return len(self.made) - 1

    def real(self, number):
        return Real(self.make, number, self.made[number].aval.dtype)

    def make(self, op, operands, params):
        """One more Real: of an operation on Reals and Python numbers, or a constant of the type of a Real."""
        if op is ops.literal:
            return self.constant(params[0], operands[0].dtype)
        of = next((x.dtype for x in operands[op is ops.select:] if type(x) is Real), self.dtype)
        numbers = [x.number if type(x) is Real else self.constant(x, of).number for x in operands]
        avals = [self.made[n].aval for n in numbers]
        made = op.infer(avals, *params) if op.infer else elementwise_aval(op, avals, params)
        return self.real(self.add(op, numbers, params, made))

    def constant(self, value, dtype):
        """A number that is part of the program's text, and spelt as that: 0.0 and -0.0 are two."""
        return self.real(self.add(ops.literal, (), (repr(float(value)),), aval((), dtype)))

    def whole_shape(self, x):
        of = self.made[x.number].aval
        if of.shape == self.shape:
            return x
        axes = tuple(range(len(self.shape) - len(of.shape), len(self.shape)))
        return self.real(self.add(ops.broadcast, (x.number,), (self.shape, axes), aval(self.shape, of.dtype)))

    # --- values ---------------------------------------------------------------------------------------------------

    def pair(self, i):
        """The parts of complex value i; those of a real one as they are."""
        x = self.linear.instructions[i]
        if not is_complex(x.aval):
            return self.real(self.place[i])
        if i not in self.parts:
            of = aval(x.aval.shape, dtypes.real_of(x.aval.dtype))
            self.parts[i] = tuple([self.real(self.outside(op, (self.place[i],), None, of)) for op in PARTS])
        return self.parts[i]

    def whole(self, i):
        """Number of value i as one in memory."""
        if i in self.place:
            return self.place[i]
        if i not in self.assembled:
            self.assembled[i] = self.fresh(i)
        return self.assembled[i]

    def fresh(self, i):
        """Memory of its own with the parts of complex value i."""
        return self.outside(ops.complex_, [x.number for x in self.pair(i)], None, self.linear.instructions[i].aval)

    def operands(self, x):
        """Numbers of what an operation reads that stays. What is put together has parts that nothing else reads, so
        that they can be computed where they belong; a scatter may have one number as all of its updates."""
        instructions = self.linear.instructions
        repeated = lambda y: y.op is ops.broadcast and instructions[y.inputs[0]].op is ops.literal

        def operand(number, j):
            y = instructions[j]
            if not is_complex(y.aval):
                return self.place[j]
            if x.op is ops.concatenate or x.op is ops.slice_update and (number == 1 or j not in self.place):
                return self.fresh(j)
            if x.op is ops.scatter and number == 1 and repeated(y):
                return self.outside(ops.broadcast, (self.place[y.inputs[0]],), y.params, y.aval)
            return self.whole(j)
        return [operand(number, j) for number, j in enumerate(x.inputs)]

    def computed(self, x):
        """The parts of what an instruction computes, or its value where that is real."""
        op, params = x.op, x.params
        if op is ops.iota:
            return self.structural(op, (), (params[0], self.dtype, params[2])), self.constant(0.0, self.dtype)
        if op is ops.convert:
            return self.converted(x)
        operands = [self.pair(j) for j in x.inputs]
        if op is ops.complex_:
            return tuple([_as(part, self.dtype) for part in operands])
        if op in EACH:
            each = [[p[k] if type(p) is tuple else p for p in operands] for k in (0, 1)]
            return tuple([self.structural(op, parts, params) for parts in each])
        if op is ops.reduce_prod:
            return tuple([self.structural(ops.complex_prod, operands[0], (*params, k)) for k in (0, 1)])
        return FUNCTIONS[op](*operands, *(params or ()))

    def structural(self, op, operands, params):
        """A Real of the shape of the instruction that is replaced."""
        return self.real(self.add(op, [p.number for p in operands], params, aval(self.shape, self.dtype)))

    def converted(self, x):
        """To and from complex numbers: what is real gets an imaginary part of 0, and loses it on the way back."""
        source, dtype = self.pair(x.inputs[0]), x.params[0]
        if dtypes.kind(dtype) == 'c':
            real, imag = source if type(source) is tuple else (source, None)
            return _as(real, self.dtype), self.constant(0.0, self.dtype) if imag is None else _as(imag, self.dtype)
        if dtype == dtypes.bool_:
            return source[0].differs(0.0) | source[1].differs(0.0)
        return _as(source[0], dtype)


def _as(x, dtype):
    return x if x.dtype == dtype else x.apply(ops.convert, params=(dtype, False))
