"""simplify: a trace as a scalar program without what is equal, constant, dead, or a chain that is a dot or a sum.

Only rewrites that change no bit of any result, nan, inf and -0.0 included (`0.0 + x` stays: it turns -0.0 into 0.0).
"""

from typing import Any

from scalargrad.compiler.scalars import ScalarProgram, Spread
from scalargrad.compiler.tracer import SHARE, Trace, Tracer, flatten_results, result_operand
from scalargrad.engine import Value, topological_order
from scalargrad.ops import Op, add, dot, mul, sum
from scalargrad.structure import Buffer


def simplify(trace: Trace) -> ScalarProgram:
    return without_dead_terms(chains_as_dots(scalar_program(trace)))


def scalar_program(trace: Trace) -> ScalarProgram:
    """The trace as terms, with constants computed and equal terms merged."""
    builder = Terms()
    terms = [-1] * len(trace.tracers)
    place: dict[Value, int] = {}  # Values -> terms
    groups: dict[int, int] = {}  # tuples, by identity -> groups
    for argument, flat in enumerate(trace.inputs):
        for position, tracer in enumerate(flat):
            terms[tracer.index] = builder.leaf("input", argument, position)

    def number_of(argument: Any) -> int:
        kind = type(argument)
        if kind is Tracer:
            return terms[argument.index]
        if kind is float:
            return builder.constant(argument)
        if kind is tuple:
            if id(argument) not in groups:
                groups[id(argument)] = builder.group(tuple(map(number_of, argument)))
            return groups[id(argument)]
        if argument not in place:
            for value in topological_order(argument):
                add_value(value)
        return place[argument]

    def add_value(value: Value) -> None:
        if value in place:
            return
        if value.op is not None:
            trace.refuse_from_outside(value)
            place[value] = builder.emit(value.op, tuple(map(number_of, value.args)))
        elif value in trace.constants:
            place[value] = builder.constant(value.data)
        elif value is SHARE:
            place[value] = builder.leaf("share")
        else:
            place[value] = builder.leaf("buffer" if isinstance(value, Buffer) else "parameter", value)

    for tracer in trace.tracers:
        if tracer.op is not None:
            args = [terms[x.index] if type(x) is Tracer else number_of(x) for x in tracer.args]
            terms[tracer.index] = builder.emit(tracer.op, tuple(args))
    builder.program.results = [number_of(result) for result in flatten_results(trace.result)]
    builder.program.updates = {buffer: number_of(result_operand(x)) for buffer, x in trace.updates.items()}
    return builder.program


class Terms:
    """Adds terms to a program, each only once."""

    def __init__(self) -> None:
        self.program = ScalarProgram()
        self.known: dict[tuple, int] = {}
        self.known_groups: dict[tuple[int, ...], int] = {}
        self.constants: dict[float | str, int] = {}
        self.numbers: dict[int, Any] = {}  # of the constant terms, and of the groups of such terms

    def leaf(self, kind: str, *what: object) -> int:
        term = self._append(None, ())
        self.program.leaves[term] = (kind, *what)
        return term

    def constant(self, number: float) -> int:
        key = number if number < 0.0 or number > 0.0 else number.hex()  # the bits: 0.0 is not -0.0, and nan is nan
        if key not in self.constants:
            self.constants[key] = term = self.leaf("constant", number)
            self.numbers[term] = number
        return self.constants[key]

    def group(self, terms: tuple[int, ...]) -> int:
        if terms not in self.known_groups:
            self.program.groups.append(terms)
            self.known_groups[terms] = group = -len(self.program.groups)
            if all(x in self.numbers for x in terms):
                self.numbers[group] = tuple(self.numbers[x] for x in terms)
        return self.known_groups[terms]

    def emit(self, op: Op, args: tuple[int, ...]) -> int:
        key = (op, args)
        term = self.known.get(key)
        if term is None:
            if not self.numbers.keys().isdisjoint(args):
                term = self._simplified(op, args)
            if term is None:
                term = self._append(op, args)
            self.known[key] = term
        return term

    def _append(self, op: Op | None, args: tuple[int, ...]) -> int:
        self.program.ops.append(op)
        self.program.args.append(args)
        return len(self.program.ops) - 1

    def _simplified(self, op: Op, args: tuple[int, ...]) -> int | None:
        """The term that it is anyway, where arguments are constants."""
        numbers = [self.numbers.get(x) for x in args]
        if None in numbers:
            same = same_as_operand(op, numbers)
            return None if same is None else args[same]
        return None if op.name == "batch_mean" else self._constant_result(op, numbers)

    def _constant_result(self, op: Op, numbers: list) -> int:
        return self.constant(float(op.compute(*numbers)))


def same_as_operand(op: Op, numbers: list[float | None]) -> int | None:
    """The operand that the result is, to the bit: x * 1, 1 * x, x / 1, x ** 1, x + -0.0, -0.0 + x, x - 0.0.

    `numbers`: the operands that are constants, None for the others.
    """
    for unchanged, neutral in enumerate(NEUTRAL.get(op.name, ())):
        other = numbers[1 - unchanged]
        if neutral is not None and other is not None and other.hex() == neutral.hex():
            return unchanged
    return None


# For each operand, the other one that leaves it unchanged.
NEUTRAL: dict[str, tuple[float | None, float | None]] = {
    "add": (-0.0, -0.0),
    "sub": (0.0, None),
    "mul": (1.0, 1.0),
    "div": (1.0, None),
    "pow": (1.0, None),
}


def chains_as_dots(program: ScalarProgram) -> ScalarProgram:
    """((a*b + c*d) + e*f) + ... as one dot, and (a + b) + c + ... as one sum: both add from left to right, too."""
    uses = [0] * len(program.ops)
    for group in program.groups:
        for x in group:
            uses[x] += 2  # a group may be used several times
    for args in program.args:
        for argument in args:
            if argument >= 0:
                uses[argument] += 1
    for x in (*program.results, *program.updates.values()):
        uses[x] += 2
    inner = set()  # additions that only continue a chain
    for op, args in zip(program.ops, program.args, strict=True):
        if op is add and program.ops[args[0]] is add and uses[args[0]] == 1:
            inner.add(args[0])
    if not inner:
        return program
    builder, spreads = Terms(), program.spreads()
    place: list[int] = []
    groups: dict[int, int] = {}

    def moved(argument: int) -> int:
        if argument >= 0:
            return place[argument]
        if argument not in groups:
            groups[argument] = builder.group(tuple(place[x] for x in program.groups[-1 - argument]))
        return groups[argument]

    for term, op in enumerate(program.ops):
        if op is None:
            leaf = program.leaves[term]
            place.append(builder.constant(leaf[1]) if leaf[0] == "constant" else builder.leaf(*leaf))
        elif term in inner:
            place.append(-1)  # nobody but the chain uses it
        elif op is add and program.args[term][0] in inner:
            place.append(_chain(program, term, inner, spreads, builder, place))
        else:
            place.append(builder.emit(op, tuple(map(moved, program.args[term]))))
    builder.program.results = [place[x] for x in program.results]
    builder.program.updates = {buffer: place[x] for buffer, x in program.updates.items()}
    return builder.program


def _in_order(factors: tuple[int, ...], spreads: list[int]) -> tuple[int, ...]:
    """The factor that is the same for all samples first: a dot's weights, and then its inputs."""
    return factors[::-1] if spreads[factors[0]] > spreads[factors[1]] else factors


def _chain(
    program: ScalarProgram, term: int, inner: set[int], spreads: list[int], builder: Terms, place: list[int]
) -> int:
    addends = [program.args[term][1]]
    head = program.args[term][0]
    while head in inner:
        addends.append(program.args[head][1])
        head = program.args[head][0]
    addends.append(head)
    addends.reverse()

    def is_product(x: int) -> bool:
        return program.ops[x] is mul

    # 0.0 + p + q is 0.0 + (p + q) to the bit: Python's sum() starts that way.
    leaf = program.leaves.get(addends[0])
    zero = addends.pop(0) if leaf and leaf[0] == "constant" and leaf[1].hex() == (0.0).hex() else None
    # A head that is no product is one with 1.0: micrograd's neurons start their sums with the bias.
    skip = 0 if is_product(addends[0]) else 1
    products = skip
    while products < len(addends) and is_product(addends[products]):
        products += 1
    if products - skip >= 2:
        pairs = [tuple(place[x] for x in _in_order(program.args[x], spreads)) for x in addends[skip:products]]
        if skip:
            head_pair = (place[addends[0]], builder.constant(1.0))
            pairs.insert(0, head_pair if spreads[addends[0]] < Spread.LANE else head_pair[::-1])
        firsts, seconds = builder.group(tuple(p[0] for p in pairs)), builder.group(tuple(p[1] for p in pairs))
        total = builder.emit(dot, (firsts, seconds))
        rest = addends[products:]
    else:
        total, rest = place[addends[0]], addends[1:]
    if len(rest) > 2:
        total = builder.emit(sum, (builder.group((total, *(place[x] for x in rest))),))
    else:
        for addend in rest:
            total = builder.emit(add, (total, place[addend]))
    return total if zero is None else builder.emit(add, (place[zero], total))


def without_dead_terms(program: ScalarProgram) -> ScalarProgram:
    """Only what the results need; inputs stay, so that programs keep their arguments."""
    alive = {*program.results, *program.updates.values()}  # terms and groups
    for term in range(len(program.ops) - 1, -1, -1):
        if term in alive:
            for argument in program.args[term]:
                if argument < 0 and argument not in alive:
                    alive.update(program.groups[-1 - argument])
                alive.add(argument)
    alive.update(term for term, leaf in program.leaves.items() if leaf[0] == "input")
    result = program if len(alive) == len(program.ops) + len(program.groups) else _only(alive, program)
    result.verify()
    return result


def _only(alive: set[int], program: ScalarProgram) -> ScalarProgram:
    """The program of these terms and groups, with new numbers for both."""
    result = ScalarProgram()
    place: dict[int, int] = {}  # of terms and groups
    for term, op in enumerate(program.ops):
        if term not in alive:
            continue
        place[term] = len(result.ops)
        for argument in program.args[term]:
            if argument < 0 and argument not in place:
                result.groups.append(tuple(place[x] for x in program.groups[-1 - argument]))
                place[argument] = -len(result.groups)
        if op is None:
            result.leaves[place[term]] = program.leaves[term]
        result.ops.append(op)
        result.args.append(tuple([place[x] for x in program.args[term]]))
    result.results = [place[x] for x in program.results]
    result.updates = {buffer: place[x] for buffer, x in program.updates.items()}
    return result
