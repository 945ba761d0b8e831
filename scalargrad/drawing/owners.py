"""Names that modules give the results of a graph: whose parameters made them, and what they are called there."""

from collections import Counter
from collections.abc import Iterable, Sequence

from scalargrad.ops import Op
from scalargrad.ops import sum as sum_of
from scalargrad.structure import owner_of

WORDS = {"add": "sum"}


def is_sum(op: Op | None) -> bool:
    """Does it add numbers up, two or more?"""
    return op is not None and (op is sum_of or op.special == "add")


def owners_of(
    ops: Sequence[Op | None], operands: Sequence[Sequence[int]], labels: Sequence[str], parameters: Sequence[bool]
) -> list[str | None]:
    """The module whose parameters a value was made with, or whose sum or activation it is; None for all others."""
    owners: list[str | None] = []
    for op, used, label, is_parameter in zip(ops, operands, labels, parameters, strict=True):
        if op is None:
            owners.append(owner_of(label) if is_parameter and label else None)
            continue
        of_parameters = {owners[x] for x in used if parameters[x]}
        of_operands = {owners[x] for x in used}
        is_activation = len(used) == 1 and (op.scalars == 1 or bool(op.defaults))
        if of_parameters:
            owners.append(of_parameters.pop() if len(of_parameters) == 1 else None)
        elif len(of_operands) == 1 and (is_sum(op) or is_activation):
            owners.append(of_operands.pop())
        else:
            owners.append(None)
    return owners


def names_in_modules(
    ops: Sequence[Op | None],
    operands: Sequence[Sequence[int]],
    consumers: Sequence[Sequence[int]],
    labels: Sequence[str],
    owners: Sequence[str | None],
) -> list[str]:
    """For each result of a module a name that no other one has; "" for all others.

    What leaves a unit is called as the unit, `layers.0.neurons.3`; what comes before that, by its operation there:
    `layers.0.neurons.3.sum`, `layers.0.neurons.3.dot`.
    """
    names, units = [""] * len(ops), [""] * len(ops)
    of_modules = {place for place, label in enumerate(labels) if "." in label}  # `weights.0`, but not a user's `w`
    given = Counter(filter(None, labels))
    for position, (op, owner) in enumerate(zip(ops, owners, strict=True)):
        if op is None or owner is None or of_modules.isdisjoint(operands[position]):
            continue
        of_modules.add(position)
        used = operands[position]
        units[position] = name = _unit(owner, (labels[x] for x in used), {units[x] for x in used})
        if not owner or not consumers[position] or all(owners[x] == owner for x in consumers[position]):
            name = ".".join(filter(None, (name, WORDS.get(op.name, op.name))))
        given[name] += 1
        names[position] = name if given[name] == 1 else f"{name}#{given[name]}"
    return names


def _unit(owner: str, operands: Iterable[str], before: set[str]) -> str:
    """The part of a module that made a result: a row of its matrix, or that of the only operand that has one, or all.

    >>> _unit("head", ["head.weight.3.0", "head.weight.3.1"], {""}), _unit("", ["weight.3.0"], {""})
    ('head.3', 'weight.3')
    >>> _unit("neurons.3", ["neurons.3.weights.0", "x"], {""}), _unit("head", ["head.bias.3"], {"head.3"})
    ('neurons.3', 'head.3')
    """
    rows = set()
    for label in operands:
        array, _, last = label.rpartition(".")
        if last.isdigit() and array.rpartition(".")[2].isdigit() and owner_of(label) == owner:
            rows.add(f"{owner}.{array.rpartition('.')[2]}" if owner else array)
    before = before - {""}
    for found in (rows, before):
        if len(found) == 1:
            return found.pop()
    return owner
