"""Words: the local derivatives of a graph in symbols, numbers and words. pages/words/words.js does the same."""

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from scalargrad.drawing.formulas import TEXTBOOK
from scalargrad.drawing.lettering import gradient_text, number
from scalargrad.explaining.formula import TEXT
from scalargrad.explaining.paths import occurrence
from scalargrad.explaining.recording import Recording
from scalargrad.explaining.symbols import RESULT, Term
from scalargrad.explaining.templates import LIMITS, MOST_ARGUMENTS, SENTENCES, words_for_pages
from scalargrad.explaining.written import Piece, names_in, piece_of, simplified, written

HOLE = re.compile(r"\{(\w+)(=|:is|:zero)?\}")


class Rule(NamedTuple):
    """A local derivative: `1 − tanh²(n)`, `1 − 0.7071²`, 0.5, and why it is so, in a few words and in a sentence."""

    symbols: str
    numbers: str
    value: float
    reason: str
    sentence: str


class Words:
    """Writes about a recording. A `place` is one among the operands of a result, its constants among them."""

    def __init__(self, graph: Recording) -> None:
        self.graph = graph
        self.words = words_for_pages(op.name for op in graph.ops if op)
        self.rows, self.spellings = self.words["rows"], self.words["spellings"]

    # Names, numbers, formulas.

    def name(self, position: int) -> str:
        return self.graph.names[position] or number(self.graph.data[position])

    def with_number(self, position: int) -> str:
        """`w1 = −3`."""
        name, data = self.name(position), number(self.graph.data[position])
        return name if name == data else f"{name} = {data}"

    def partial(self, position: int) -> str:
        return TEXT.ratio(self.name(self.graph.output), self.name(position))

    def local_partial(self, result: int, place: int) -> str:
        operands = self.graph.operands[result]
        return TEXT.ratio(self.name(result), self.name(operands[place]), occurrence(operands, place))

    def formula(self, result: int, with_numbers: bool = False) -> str:
        """The operation on the names of its operands, or on their numbers: `x1 × w1`, `2 × (−3)`."""
        graph, op = self.graph, self.graph.ops[result]
        if op is None:
            return number(graph.data[result])
        if (values := sum(graph.names[x] != "" for x in graph.operands[result])) > MOST_ARGUMENTS:
            return f"{op}(… {values:,} operands …)"
        texts = [number(graph.data[x]) if with_numbers else self.name(x) for x in graph.operands[result]]
        singles, size = self.shape(result)
        groups = [f"[{', '.join(texts[start : start + size])}]" for start in range(singles, len(texts), size or 1)]
        return TEXTBOOK.formula(op, [*texts[:singles], *groups])

    def shape(self, result: int) -> tuple[int, int]:
        """How many arguments of a result are single operands, the first ones, and how many each of the others has."""
        op, count = self.graph.ops[result], len(self.graph.operands[result])
        assert op is not None
        arguments = self.rows[op.name]["arguments"]
        singles = sum(name[0] != "[" for name in arguments)
        return singles, (count - singles) // (len(arguments) - singles or 1)

    # Rules.

    def rule(self, result: int, place: int) -> Rule:
        """The derivative of a result by one of its operands."""
        atoms = Atoms(self, result, place)
        cases = atoms.cases()
        symbols = self._in_symbols(cases, atoms)
        _, term, reason, sentence = next(case for case in cases if atoms.holds(case[0]))
        numbers = written(term, atoms.number_piece, self.spellings).text
        value = self.graph.slopes[result][place]
        whole = chained(symbols, numbers, gradient_text(value))
        texts = {"symbols": symbols, "numbers": numbers, "rule": chained(symbols, numbers), "whole": whole}
        return Rule(symbols, numbers, value, *(self.filled(text, atoms, texts) for text in (reason, sentence)))

    def derivative(self, result: int, place: int) -> dict[str, Any]:
        """The words of the row for the derivative of a result by one of its operands."""
        op = self.graph.ops[result]
        assert op is not None
        places = self.rows[op.name]["places"]
        return places[min(place, len(places) - 1)]

    def _in_symbols(self, cases: list[tuple], atoms: "Atoms") -> str:
        """`1 where x > 0, −1 where x < 0, else 0`."""
        pieces: list[str] = []
        for condition, term, *_ in cases:
            text = written(term, atoms.name_piece, self.spellings).text
            if condition is not None:
                text += f" where {written(condition, atoms.name_piece, self.spellings).text}"
            pieces.append(text if condition is not None or not pieces else f"else {text}")
        return ", ".join(pieces)

    @staticmethod
    def fill(template: str, texts: Mapping[str, str]) -> str:
        """A template with its holes filled by these texts."""
        return HOLE.sub(lambda hole: texts[hole[0].strip("{}")], template)

    def filled(self, template: str, atoms: "Atoms", texts: Mapping[str, str]) -> str:
        """A template with its holes filled: by these texts, or by names and numbers of the atoms."""

        def text(hole: re.Match) -> str:
            name, kind = hole.groups()
            if name in texts:
                return texts[name]
            if name in FILLERS:
                return FILLERS[name](self, atoms.result, atoms.place)
            position = atoms.position(name)
            if position is None:
                return number(atoms.number(name))
            if kind == ":is":
                return self.with_number(position)
            if kind == ":zero":
                name = self.name(position)
                return f"{name}, and {name} is 0" if self.graph.names[position] else name
            return number(self.graph.data[position]) if kind == "=" else self.name(position)

        return HOLE.sub(text, template)

    # Gradients.

    def says(self, x: int) -> str:
        """`Raise x1 by 0.01, and o falls by about 0.015.`"""
        graph, step = self.graph, LIMITS["step"]
        gradient = graph.grad[x]
        if x == graph.output:
            kind = "output"
        elif not math.isfinite(gradient):
            kind = "none"
        else:
            kind = "still" if gradient == 0.0 else "rises" if gradient > 0.0 else "falls"
        texts = {"x": self.name(x), "o": self.name(graph.output), "partial": self.partial(x)}
        numbers = {"gradient": gradient_text(gradient), "step": number(step), "change": number(abs(gradient) * step)}
        return self.fill(SENTENCES[kind], {**texts, **numbers})


def chained(*texts: str) -> str:
    """`a = b = c`, each text once."""
    return " = ".join(dict.fromkeys(texts))


FILLERS = {
    "formula": lambda words, result, place: words.formula(result),
    "partial": lambda words, result, place: words.local_partial(result, place),
    "slope": lambda words, result, place: gradient_text(words.graph.slopes[result][place]),
    "op": lambda words, result, place: words.graph.ops[result].name,
}


class Atoms:
    """The names in the rule of a result by one of its operands: what values and numbers they stand for."""

    def __init__(self, words: Words, result: int, place: int) -> None:
        self.words, self.result, self.place = words, result, place
        self.graph = words.graph
        op = self.graph.ops[result]
        assert op is not None
        self.row = words.rows[op.name]
        self.operands = self.graph.operands[result]
        self.singles, self.size = words.shape(result)

    def position(self, name: str) -> int | None:
        """The position of the value; None for a number."""
        operands, arguments = self.operands, self.row["arguments"]
        if name == RESULT:
            return self.result
        if name in arguments[: self.singles]:
            return operands[arguments.index(name)]
        if name in ("x", "this"):
            return operands[self.place]
        if name == "other":
            return operands[(self.place + self.size) % (2 * self.size)]
        if name == "taken":
            data = self.graph.data
            return next((x for x in operands if data[x] == data[self.result]), operands[self.place])
        if name == "chosen":
            index = self.graph.data[operands[0]]  # another one than it was, where it has been changed since
            return operands[self.singles + int(index) if 0.0 <= index < self.size else self.place]
        return None

    def number(self, name: str) -> float:
        position = self.position(name)
        if position is not None:
            return self.graph.data[position]
        if name == "ties":
            data = self.graph.data
            return sum(data[x] == data[self.result] for x in self.operands)
        return {"count": self.size, "place": (self.place - self.singles) % (self.size or 1)}[name]

    def constant(self, name: str) -> float | None:
        """The number of a name that always has the same."""
        position = self.position(name)
        if position is None:
            return None if name in ("ties", "pi") else self.number(name)
        return None if self.graph.names[position] else self.graph.data[position]

    def name_piece(self, name: str) -> Piece:
        position = self.position(name)
        if position == self.result:
            op = self.graph.ops[position]
            assert op is not None
            spelling = self.words.spellings[op.name]
            return Piece(self.words.formula(position), spelling["level"], spelling["kind"] == "call")
        if position is None or (name == "chosen" and self.graph.names[self.operands[0]]):
            return piece_of(name)  # another one for another index
        return piece_of(self.words.name(position))

    def number_piece(self, name: str) -> Piece:
        return piece_of(number(self.number(name)))

    def cases(self) -> list[tuple]:
        """The cases of the rule that are possible with these constants, the last without a condition."""
        found: list[tuple] = []
        for condition, term, *texts in self.words.derivative(self.result, self.place)["cases"]:
            condition = None if condition is None else simplified(condition, self.constant)
            certain = condition is None or not names_in(condition)
            if certain and not self.holds(condition):
                continue
            found.append((None if certain else condition, simplified(term, self.constant), *texts))
            if certain:
                break
        return found

    def holds(self, condition: Term | None) -> bool:
        """Is a condition true for the numbers of now?"""
        if condition is None:
            return True
        if not isinstance(condition, list):
            return self._data(condition) != 0.0
        head, left, right = condition[0], *map(self._data, condition[1:])
        return {"less": left < right, "less_equal": left <= right, "equal": left == right}[head]

    def _data(self, atom: str | float) -> float:
        return self.number(atom) if isinstance(atom, str) else atom
