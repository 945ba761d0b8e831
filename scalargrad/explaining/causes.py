"""Causes: where on the paths a gradient became 0, tiny, huge, inf or nan. pages/words/causes.js does the same."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from scalargrad.drawing.lettering import factor, gradient_text, number
from scalargrad.engine import Value
from scalargrad.explaining.formula import TEXT, signed_sum
from scalargrad.explaining.recording import Recording
from scalargrad.explaining.symbols import RESULT
from scalargrad.explaining.templates import LIMITS, MOST_TERMS, SENTENCES
from scalargrad.explaining.words import Atoms, Words, chained


class Why(NamedTuple):
    """One sentence about an odd gradient, and the position of the value that is the cause."""

    sentence: str
    cause: int


class Use(NamedTuple):
    """One use of a value, and what it adds to its gradient: local × upstream."""

    result: int
    place: int
    local: float
    upstream: float

    @property
    def product(self) -> float:
        return self.local * self.upstream


class Clause(NamedTuple):
    """The words for what happened, at which value, and the cause."""

    words: str
    at: int
    cause: int


class Causes:
    """Looks for what made gradients odd."""

    def __init__(self, words: Words) -> None:
        self.words, self.graph = words, words.graph

    def why(self, x: int) -> Why | None:
        """Why the gradient of a value is 0, tiny, huge, inf or nan, or a sum of terms that cancel; else None."""
        graph, gradient = self.graph, self.graph.grad[x]
        if x == graph.output:
            return None
        if not graph.consumers[x]:
            return self._told("here", x, self._no_path(x))
        if gradient == 0.0:
            return self._why_zero(x)
        if not math.isfinite(gradient):
            clause = self._not_finite(x)
            return self._told("here" if clause.at == x else "on the way", x, clause)
        odd = self._nearly_cancelled(x) or self._odd_factor(x)
        return odd and self._told("here" if odd.at == x else "on the way", x, odd)

    def _told(self, template: str, x: int, clause: Clause, count: int = 1) -> Why:
        holes = {"count": f"{count:,}", "at": self.words.name(clause.at), "why": clause.words}
        return Why(self._said(template, x, **holes), clause.cause)

    def _said(self, template: str, x: int, **holes: str) -> str:
        """A sentence about a value, its holes filled."""
        words, graph = self.words, self.graph
        gradient, partial = gradient_text(graph.grad[x]), words.partial(x)
        known = {"x": words.name(x), "o": words.name(graph.output), "partial": partial, "gradient": gradient}
        return words.fill(SENTENCES[template], {**known, "x=": number(graph.data[x]), **holes})

    def _said_of(self, template: str, term: Use, **holes: str) -> str:
        """A clause about a local derivative."""
        words, (result, place, local, upstream) = self.words, term
        above = {
            "above": words.partial(result),
            "upstream": factor(upstream + 0.0),
            "local": gradient_text(local),
        }
        rule = words.rule(result, place)
        whole = chained(rule.symbols, rule.numbers, gradient_text(local))
        own = {"reason": rule.reason, "rule": chained(rule.symbols, rule.numbers), "whole": whole}
        texts = {**own, **above, **holes}
        return words.filled(template, Atoms(words, result, place), texts)

    def terms(self, x: int) -> list[Use]:
        """The uses of a value, in the order in which backward() adds to its gradient."""
        graph = self.graph
        return [Use(r, place, graph.slopes[r][place], graph.grad[r]) for r, place in graph.consumers[x]]

    def sum_of(self, terms: Iterable[Use]) -> str:
        """`3 − 3`."""
        terms = list(terms)
        shown = signed_sum([term.product + 0.0 for term in terms[:MOST_TERMS]], TEXT)
        return shown if len(terms) <= MOST_TERMS else f"{shown} + …"

    # 0.

    def _no_path(self, x: int) -> Clause:
        graph = self.graph
        flat: dict[str, int] = {}
        for result in self._results_of(x):
            if (op := graph.ops[result]) and op.partials is None:
                flat.setdefault(op.name, result)
        return Clause(self._said("no path", x, ops=", ".join(flat)), x, next(iter(flat.values()), x))

    def _results_of(self, x: int) -> list[int]:
        """The results that follow from a value, in order."""
        depends, found = {x}, []
        for result in range(x + 1, self.graph.output + 1):
            if not depends.isdisjoint(self.graph.operands[result]):
                depends.add(result)
                found.append(result)
        return found

    def _why_zero(self, x: int) -> Why:
        first, *others = self._dead_ends(x)
        if others:
            return self._told("dead ends", x, first, 1 + len(others))
        return self._told("here" if first.at == x else "on the way", x, first)

    def _dead_ends(self, x: int) -> Iterable[Clause]:
        """Where the ways from a value to the output end at a 0, the nearest first."""
        pending, seen = [x], {x}
        for value in pending:
            terms = self.terms(value)
            alive = [term for term in terms if term.product != 0.0]
            if alive:  # the gradient is 0 all the same
                words = self._said("cancel", value, count=f"{len(alive):,}", sum=self.sum_of(alive))
                yield Clause(words, value, value)
                continue
            for term in terms:
                if term.local == 0.0:
                    yield self._zero(term, value == x)
                elif term.upstream != 0.0:
                    yield Clause(self._said_of(SENTENCES["vanished"], term), value, term.result)
                elif term.result not in seen:
                    seen.add(term.result)
                    pending.append(term.result)

    def _zero(self, term: Use, is_here: bool) -> Clause:
        place = self.words.derivative(term.result, term.place)
        operand = self.graph.operands[term.result][term.place]
        moves_it = self._other_factor(term) in (operand, *self._results_of(operand))  # as in x * x
        words = self._said_of(place["zero"] + ("" if moves_it else place["stays"]), term)
        return Clause(words, operand if is_here else term.result, self._cause(term))

    def _cause(self, term: Use) -> int:
        """The other factor, if it is no constant; else the result."""
        other = self._other_factor(term)
        return term.result if other is None or not self.graph.names[other] else other

    def _other_factor(self, term: Use) -> int | None:
        """The operand that the derivative is, if it is one."""
        name = self.words.derivative(term.result, term.place)["cause"]
        return None if name == RESULT else Atoms(self.words, term.result, term.place).position(name)

    # Tiny and huge.

    def _nearly_cancelled(self, x: int) -> Clause | None:
        terms = [term for term in self.terms(x) if term.product != 0.0]
        size = sum(abs(term.product) for term in terms)
        if len(terms) < 2 or not 0.0 < abs(self.graph.grad[x]) < LIMITS["cancelled"] * size < math.inf:
            return None
        return Clause(self._said("nearly cancel", x, count=f"{len(terms):,}", sum=self.sum_of(terms)), x, x)

    def _odd_factor(self, x: int) -> Clause | None:
        """The reason for a tiny or huge gradient: one factor on the path of the largest terms, or many."""
        size = abs(self.graph.grad[x])
        if LIMITS["tiny"] <= size <= LIMITS["huge"]:
            return None
        tiny = size < LIMITS["tiny"]
        path = self._largest_path(x)
        product = math.prod(term.local for term in path)
        if tiny and abs(product) >= LIMITS["tiny"]:
            return self._cancelled_on(x, path)
        if not tiny and abs(product) <= LIMITS["huge"]:
            return Clause(self._said("paths", x, product=gradient_text(product)), x, x)
        odd = (min if tiny else max)(path, key=lambda term: abs(term.local))
        at = x if odd is path[0] else odd.result
        if abs(odd.local) < LIMITS["flat"] if tiny else abs(odd.local) > LIMITS["steep"]:
            saturated = tiny and self.words.derivative(odd.result, odd.place)["flat"]
            kind = "saturated" if saturated else "small" if tiny else "large"
            other = self._other_factor(odd)
            if other is not None:
                words = self._said_of(SENTENCES[f"{kind} factor"], odd, factor=self.words.with_number(other))
                return Clause(words, at, self._cause(odd))
            return Clause(self._said_of(SENTENCES[kind], odd), at, self._cause(odd))
        alone = all(len(self.terms(value)) == 1 for value in [x, *(term.result for term in path[:-1])])
        where = "" if alone else SENTENCES["one of many"]
        holes = {"count": f"{len(path):,}", "product": gradient_text(product), "where": where}
        return Clause(
            self._said_of(SENTENCES["many small" if tiny else "many large"], odd, **holes), x, self._cause(odd)
        )

    def _cancelled_on(self, x: int, path: list[Use]) -> Clause:
        """The value on a path of which most was lost in the sum of its terms."""

        def left(value: int) -> float:
            return abs(self.graph.grad[value]) / (sum(abs(term.product) for term in self.terms(value)) or 1.0)

        value = min([x, *(term.result for term in path[:-1])], key=left)
        terms = self.terms(value)
        words = self._said("nearly cancel", value, count=f"{len(terms):,}", sum=self.sum_of(terms))
        return Clause(words, value, value)

    def _largest_path(self, x: int) -> list[Use]:
        path = []
        while x != self.graph.output:
            path.append(max(self.terms(x), key=lambda term: abs(term.product)))
            x = path[-1].result
        return path

    # inf and nan.

    def _not_finite(self, x: int) -> Clause:
        """Where on the way back the first inf or nan came up."""
        value = x
        while True:
            terms, gradient = self.terms(value), self.graph.grad[value]
            wrong = next((term for term in terms if math.isnan(term.product)), None)
            if wrong is None and math.isinf(gradient):
                wrong = next((term for term in terms if math.isinf(term.product)), None)
            if wrong is None:  # inf − inf, or a sum beyond the floats
                return Clause(self._said("sum", value, sum=self.sum_of(terms)), value, value)
            meets = 0.0 in (wrong.local, wrong.upstream) and math.isinf(wrong.local + wrong.upstream)
            if math.isfinite(wrong.upstream) or meets:
                at = x if value == x else wrong.result
                steep = "no slope" if math.isnan(wrong.local) else "steep"
                template = "0 times inf" if meets else "beyond" if math.isfinite(wrong.local) else steep
                clause = Clause(self._said_of(SENTENCES[template], wrong), at, wrong.result)
                return self._first_number(wrong.result, at) or clause
            value = wrong.result

    def _first_number(self, result: int, at: int) -> Clause | None:
        """The first number that is not finite among those that a result was computed from, and itself."""
        graph = self.graph
        pending, seen = [result], {result}
        for value in pending:
            new = {operand for operand in graph.operands[value] if graph.names[operand]} - seen
            seen |= new
            pending += new
        first = min((value for value in pending if not math.isfinite(graph.data[value])), default=None)
        if first is None:
            return None
        template = "became" if graph.ops[first] else "given"
        return Clause(self._said(template, first, numbers=self.words.formula(first, with_numbers=True)), at, first)


def why_odd(
    order: Sequence[Value], names: Mapping[Value, str], x: Value, gradient: float, magnitude: float = math.inf
) -> str:
    """A sentence, if the gradient of a value is odd; else "". `magnitude` is a bound of the sum of its |terms|."""
    size = abs(gradient)
    if LIMITS["tiny"] <= size <= LIMITS["huge"] and not size < LIMITS["cancelled"] * magnitude:
        return ""
    why = Causes(Words(Recording(order, names))).why(order.index(x))
    return why.sentence if why else ""
