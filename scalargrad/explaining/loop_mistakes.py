"""Mistakes of the training loop: gradients that pile up, parameters that are replaced, steps that lead nowhere."""

from dataclasses import dataclass
from math import isclose, isfinite, sqrt

from scalargrad.engine import Value
from scalargrad.explaining.findings import Place
from scalargrad.explaining.observations import BackwardPass, Check, Observations
from scalargrad.ops import dot, sub

OVERSHOOTS = 3  # steps are too large if the gradient turns round and grows so many times in a row ...
OVERSHOOT_GROWTH = 10.0  # ... by this factor together
IDLE_PASSES = 3  # nothing moves if the parameters stay as they are for so many passes, with zero_grad() between


class Accumulation(Check):
    """Gradients that an update has used, and that were not set to 0 before the next pass."""

    def before_pass(self, coming: BackwardPass) -> None:
        # Without an update in between, several passes are one step on a sum of losses: that is left alone.
        seen, output = self.seen, coming.order[-1]
        left = [p for p in seen.parameters if p in coming.slopes and p in seen.data and p.grad != 0.0]
        updated = [p for p in left if p.data != seen.data[p]]
        if updated:
            what = "backward() adds to gradients that were used for an update and not set to 0 since"
            seen.add("gradients accumulate", coming.place, f"{what}: {seen.listed(updated)}.")
        elif left and id(output) == seen.output and output not in seen.places:
            what = "backward() ran again on the same loss, and added the same gradient once more"
            seen.add("backward twice", coming.place, f"{what}: {seen.listed(left)}.")

    def after_the_fact(self, slopes: dict[Value, float]) -> None:
        """Is every `.grad` the gradient of this loss several times over?"""
        ratios = [p.grad / slopes[p] for p in self.seen.parameters if p in slopes and slopes[p] != 0.0]
        times = round(ratios[0]) if ratios and isfinite(ratios[0]) else 0
        if times > 1 and all(isclose(ratio, times, rel_tol=1e-9) for ratio in ratios):
            what = f"Every .grad is {times} times the gradient of this loss"
            self.seen.add("gradients accumulate", None, f"{what}: backward() ran {times} times without zero_grad().")


@dataclass(frozen=True)
class _Successor:
    """A Value made from a parameter, or from a successor of it, by adding or subtracting a number."""

    parameter: Value
    place: Place | None
    passes: int  # how many backward passes there were before it was made
    downhill: bool  # does it lie where an update would put the parameter?


class Replaced(Check):
    """Parameters that an update replaces by new Values: `w = w - lr * w.grad`.

    successors  the Values made from parameters by adding or subtracting a number
    unused      parameters whose successors were thrown away, by line
    """

    def __init__(self, seen: Observations) -> None:
        super().__init__(seen)
        self.successors: dict[Value, _Successor] = {}
        self.unused: dict[Place | None, list[Value]] = {}

    def made(self, value: Value, place: Place | None) -> None:
        """From one backward pass to the next the same line makes a new w from the old one."""
        seen = self.seen
        source, number = (value.second, value.first) if type(value.first) is float else (value.first, value.second)
        before = self.successors.get(source)
        if type(number) is not float or (before is None and source not in seen.names):
            return
        parameter = before.parameter if before else source
        if before and before.place == place and before.passes < seen.passes:
            name = seen.names[parameter]
            seen.add(
                "parameter replaced",
                place,
                f"This line makes a new Value from {name} after every backward() and gives it the name of the old one; "
                f"{name} itself, which the list of parameters still holds, stays {parameter.data:.6g}.",
            )
        downhill = number * source.grad > 0.0 if value.op is sub else number * source.grad < 0.0
        self.successors[value] = _Successor(parameter, place, seen.passes, downhill)

    def before_pass(self, coming: BackwardPass) -> None:
        """`for p in parameters: p = p - lr * p.grad`: the new Value is thrown away, and p stays as it is."""
        seen = self.seen
        used = set(coming.order) if self.successors else set()
        for value, successor in self.successors.items():
            p = successor.parameter
            thrown_away = successor.passes == seen.passes - 1 and value not in used
            if thrown_away and successor.downhill and p.data == seen.data.get(p):
                self.unused.setdefault(successor.place, []).append(p)
        self.successors = {v: s for v, s in self.successors.items() if v in used or s.passes == seen.passes - 1}

    def conclude(self) -> None:
        seen = self.seen
        for place, thrown_away in self.unused.items():
            if len(thrown_away) > 1 and all(p.data == seen.data[p] for p in thrown_away):
                what = "This line makes new Values, which nothing uses, and leaves the parameters as they were"
                seen.add("parameter replaced", place, f"{what}: {seen.listed(thrown_away)}.")
        last = max(seen.reached.values(), default=seen.passes)
        if last <= seen.passes - 2 and all(p.data == seen.data[p] for p in seen.reached):
            names = seen.listed(seen.reached)
            what = f"Since backward pass {last + 1} new Values, not in the list of parameters, stand in for {names}."
            seen.add("parameter replaced", seen.pass_places[last + 1], what)


class Movement(Check):
    """Steps that are too large, and parameters that do not move.

    overshoots  the norms of gradients, each opposite to the one before and larger
    """

    def __init__(self, seen: Observations) -> None:
        super().__init__(seen)
        self.overshoots: list[float] = []
        self.moved = self.zeroed = False

    def before_pass(self, coming: BackwardPass) -> None:
        seen, slopes = self.seen, coming.slopes
        reached = [p for p in seen.parameters if p in slopes and p in seen.data]
        self.zeroed |= any(p.grad == 0.0 and seen.slopes[p] != 0.0 for p in reached)
        moved = [p for p in reached if p.data != seen.data[p]]
        self.moved |= bool(moved)
        now, before = [slopes[p] for p in moved], [seen.slopes[p] for p in moved]
        size, size_before = _norm(now), _norm(before)
        opposite = dot(now, before) < -0.5 * size * size_before if moved else False
        if opposite and size > size_before:
            self.overshoots = [*(self.overshoots or [size_before]), size]
        else:
            self.overshoots = []
        if len(self.overshoots) > OVERSHOOTS and size > OVERSHOOT_GROWTH * self.overshoots[0]:
            seen.add(
                "steps too large",
                coming.place,
                f"{len(self.overshoots) - 1} times in a row an update turned the gradient round and made it larger, "
                f"from {self.overshoots[0]:.3g} to {size:.3g} (norm): each step jumps over the minimum, ever further.",
            )

    def conclude(self) -> None:
        seen = self.seen
        at_end = any(p.data != seen.data[p] for p in seen.data)
        replaced = any(found.kind in ("parameter replaced", "nan or inf") for found in seen.findings)
        learns = self.moved or at_end or not any(seen.slopes.values())
        if seen.passes >= IDLE_PASSES and self.zeroed and not learns and not replaced:
            what = f"No parameter has moved in {seen.passes} backward passes, although the gradients are not 0."
            seen.add("nothing moves", seen.pass_places[seen.passes], what)


def _norm(numbers: list[float]) -> float:
    return sqrt(dot(numbers, numbers))
