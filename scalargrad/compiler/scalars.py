"""The scalar program: one instruction for each number of a sample, as `trace` found them and `simplify` left them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from scalargrad.ops import Op
from scalargrad.structure import Buffer


class Spread(IntEnum):
    """The spread of a term: UNIFORM and BATCH are one number for all samples, which of BATCH depends on the data."""

    UNIFORM = 0
    BATCH = 1
    LANE = 2


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

    def spreads(self) -> list[int]:
        """The Spread of each term: an operation has the widest of its operands."""
        uniform, batch, lane = map(int, Spread)  # plain numbers: there are hundreds of thousands of terms
        spreads: list[int] = []
        of_group: dict[int, int] = {}
        for term, op in enumerate(self.ops):
            if op is None:
                spreads.append(lane if self.leaves[term][0] == "input" else uniform)
                continue
            spread = uniform
            for argument in self.args[term]:
                if argument < 0:
                    if argument not in of_group:
                        of_group[argument] = max(spreads[x] for x in self.groups[-1 - argument])
                    below = of_group[argument]
                else:
                    below = spreads[argument]
                if below > spread:
                    spread = below
            spreads.append(batch if op.name == "batch_mean" else spread)
        return spreads

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
