"""The scalar program: one instruction for each number of a sample, as `trace` found them and `simplify` left them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from scalargrad.ops import Op
from scalargrad.structure import Buffer

# How many rows share a term: uniform terms are the same for every sample, batch terms too but depend on the data.
UNIFORM, BATCH, LANE = 0, 1, 2
KINDS = ("uniform", "batch", "lane")


@dataclass
class ScalarProgram:
    """Terms, by number. An operation has an op; a leaf has None and says in `leaves` what it is.

    ops      for each term the operation, or None
    args     for each term the numbers of its arguments; a tuple of operands is one number, -1 - its place in `groups`
    groups   tuples of terms, shared by all the operations that were given the same operands
    leaves   term -> ("input", argument, position), ("parameter", Value), ("buffer", Value), ("constant", float),
             or ("share",): 1 / the number of samples
    results  the terms that the function returned
    updates  for each buffer the term that becomes its number
    """

    ops: list[Op | None] = field(default_factory=list)
    args: list[tuple[int, ...]] = field(default_factory=list)
    groups: list[tuple[int, ...]] = field(default_factory=list)
    leaves: dict[int, tuple] = field(default_factory=dict)
    results: list[int] = field(default_factory=list)
    updates: dict[Buffer, int] = field(default_factory=dict)

    def operands(self, term: int) -> Iterator[int]:
        """The terms that a term is computed from, groups opened."""
        for argument in self.args[term]:
            if argument < 0:
                yield from self.groups[-1 - argument]
            else:
                yield argument

    def kinds(self) -> list[int]:
        """UNIFORM, BATCH or LANE for each term: an operation is of its operands' highest kind."""
        kinds: list[int] = []
        of_group: dict[int, int] = {}
        for term, op in enumerate(self.ops):
            if op is None:
                kinds.append(LANE if self.leaves[term][0] == "input" else UNIFORM)
                continue
            kind = UNIFORM
            for argument in self.args[term]:
                if argument < 0:
                    if argument not in of_group:
                        of_group[argument] = max(kinds[x] for x in self.groups[-1 - argument])
                    below = of_group[argument]
                else:
                    below = kinds[argument]
                if below > kind:
                    kind = below
            kinds.append(BATCH if op.name == "batch_mean" else kind)
        return kinds

    def verify(self) -> None:
        """Every operand is computed before its use, and every leaf says what it is."""
        assert len(self.ops) == len(self.args)
        highest = [max(group, default=-1) for group in self.groups]
        for term, op in enumerate(self.ops):
            assert (op is None) == (term in self.leaves), f"term {term} is neither a leaf nor an operation"
            for argument in self.args[term]:
                last = highest[-1 - argument] if argument < 0 else argument
                assert last < term, f"term {term} uses term {last} before it is computed"
        assert all(0 <= term < len(self.ops) for term in (*self.results, *self.updates.values()))

    def __str__(self) -> str:
        counts = Counter(op.name for op in self.ops if op)
        leaves = Counter(leaf[0] for leaf in self.leaves.values())
        lines = [f"{len(self.ops):,} scalars"]
        lines += [f"  {count:>9,} {name}" for name, count in (leaves + counts).most_common()]
        return "\n".join(lines)

    def listing(self, limit: int = 200) -> str:
        """The first terms, one a line: `%7 = add %3 %5`."""

        def shown(argument: int) -> str:
            if argument >= 0:
                return f"%{argument}"
            return "(" + " ".join(f"%{x}" for x in self.groups[-1 - argument]) + ")"

        lines = []
        for term, op in enumerate(self.ops[:limit]):
            if op is None:
                kind, *what = self.leaves[term]
                named: Any = (
                    what[0].label or what[0].data if kind in ("parameter", "buffer") else " ".join(map(str, what))
                )
                lines.append(f"%{term} = {kind} {named}")
            else:
                lines.append(f"%{term} = {op} {' '.join(map(shown, self.args[term]))}")
        return "\n".join(lines)
