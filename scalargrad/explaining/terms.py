"""The backward pass, addition by addition, on a copy of the graph."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scalargrad.drawing.snapshot import Snapshot
from scalargrad.engine import Value, reverse_sweep, topological_order
from scalargrad.explaining.recording import places_in_order
from scalargrad.holders import Parameter
from scalargrad.ops import dot
from scalargrad.support.words import distinct

MOST_VALUES = 300
MOST_TERMS = 1000


class Term(NamedTuple):
    """One addition of the chain rule: the gradient of an operand += local × upstream.

    result, operand   positions in the topological order
    place             which operand of the result it is
    before, after     the gradient of the operand: the running sum
    turn              1 for the operand's first term
    """

    result: int
    operand: int
    place: int
    local: float
    upstream: float
    before: float
    after: float
    turn: int


def backward_terms(output: Value) -> list[Term]:
    """List what `output.backward()` adds, addition by addition in its order; sets `.grad` of all values, from 0.

    >>> x = Value(3.0, "x")
    >>> [(term.local, term.upstream, term.after) for term in backward_terms(x * x)]
    [(3.0, 1.0, 3.0), (3.0, 1.0, 6.0)]
    """
    order = topological_order(output)
    index = {value: position for position, value in enumerate(order)}
    turns: Counter[Value] = Counter()
    terms = []
    slopes = {output: 1.0}
    for value, upstream, operands in reverse_sweep(order, slopes):
        for place in _places_in_order(value):
            operand, local = operands[place]
            before = slopes.get(operand, 0.0)
            slopes[operand] = after = before + local * upstream
            turns[operand] += 1
            terms.append(Term(index[value], index[operand], place, local, upstream, before, after, turns[operand]))
    for value in order:
        value.grad = slopes.get(value, 0.0)
    return terms


def _places_in_order(value: Value) -> Sequence[int]:
    """The operands of `value` in the order in which backward() adds to them."""
    count = len(value.operands)
    is_whole = value.op is dot and count == 2 * len(value.first)  # else one side are constants
    assert value.op is not None
    return places_in_order(value.op, count) if is_whole else range(count)


def copy_of(output: Value, names: Mapping[str, object] | None) -> Value:
    """The same graph in Values of its own, with `names` as labels, and no label twice: the second `h` is `h#2`."""
    snapshot = Snapshot(output, names)
    if len(snapshot.values) > MOST_VALUES or sum(map(len, snapshot.operands)) > MOST_TERMS:
        raise ValueError(
            f"step_through shows up to {MOST_VALUES} values and {MOST_TERMS:,} chain-rule terms, and this graph has "
            f"{len(snapshot.values):,} and {sum(map(len, snapshot.operands)):,}: draw(detail='units') shows it folded, "
            "and a smaller network or fewer samples can be stepped through"
        )
    called = [snapshot.name(position) for position in range(len(snapshot.values))]
    copies: dict[Value, Value] = {}
    for position, (value, name) in enumerate(zip(snapshot.values, distinct(called), strict=True)):
        kind = Parameter if snapshot.is_parameter(position) else Value
        label = snapshot.labels[position] if name == called[position] else name
        first, second = _moved(value.first, copies), _moved(value.second, copies)
        copies[value] = kind(value.data, label, value.op, first, second)
    return copies[output]


def _moved(argument: Value | float | tuple, copies: Mapping[Value, Value]) -> Value | float | tuple:
    """An argument of an operation with its Values replaced by their copies."""
    if isinstance(argument, tuple):
        return tuple(_moved(x, copies) for x in argument)
    return argument if isinstance(argument, float) else copies[argument]
