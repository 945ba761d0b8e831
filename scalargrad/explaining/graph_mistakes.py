"""Mistakes in the computation: nan and inf, data that changed too early, and gradients that do not arrive."""

from dataclasses import dataclass, field
from math import isfinite, isnan, nan, sqrt

from scalargrad.engine import Value, reverse_sweep
from scalargrad.explaining.findings import Place, at
from scalargrad.explaining.observations import BackwardPass, Check, Observations, layer_named_in
from scalargrad.explaining.stale import is_stale, recomputed
from scalargrad.operands import flatten
from scalargrad.ops import add, dot, mul, sum
from scalargrad.structure import owner_of
from scalargrad.support.words import plural, short_list

# A relu is called off after so many evaluations that all gave 0, at so many different totals (with a single sample half
# of all units are off); it is reported where this share of its layer is off (random weights leave one in sixteen off).
UNIT_EVALUATIONS, UNIT_SAMPLES, UNIT_SHARE = 20, 4, 0.25
LAYER_RATIO = 1000.0  # gradients vanish or explode where the rms of two layers differs by more than this factor,
LARGEST_RMS = 1e6  # and explode where it is larger than this: in deep relu networks all layers explode together


class NotFinite(Check):
    """The first nan or inf, forward or backward."""

    def made(self, value: Value, place: Place | None) -> None:
        """Is this value the first that is not finite, or did its operands bring that along?"""
        seen = self.seen
        numbers = [x if type(x) is float else x.data for x in flatten(value.args)]
        wrong = [
            x for x in value.operands if x.op is None and (isnan(x.data) or (x in seen.names and not isfinite(x.data)))
        ]
        if wrong:
            what = f"{value.op} used {seen.shown(wrong[:1])}, which was so before."
            if wrong[0] in seen.names:
                what += " It is a parameter: the update before made it so."
            seen.add("nan or inf", place, what)
        elif all(map(isfinite, numbers)) or (isnan(value.data) and not any(map(isnan, numbers))):
            what = f"{value.op} gave {value.data}; its operands: {seen.shown(value.operands)}."
            seen.add("nan or inf", place, what)

    def before_pass(self, coming: BackwardPass) -> None:
        seen, slopes = self.seen, coming.slopes
        if all(isfinite(slopes.get(p, 0.0)) for p in seen.parameters):
            return
        for value, upstream, operands in reverse_sweep(coming.order, slopes):
            for x, dx in operands if isfinite(upstream) else ():
                if not isfinite(dx * upstream) and (x.op is not None or x in seen.names):
                    why = f"its derivative {dx:.6g} times {upstream:.6g} from above"
                    what = f"Backward, {value.op} passes on {dx * upstream}, {why}"
                    place = seen.places.get(value)
                    seen.add("nan or inf", place, f"{what}; its operands: {seen.shown(value.operands)}.")
                    return


class StaleData(Check):
    """Data that is changed between the computation and backward()."""

    def before_pass(self, coming: BackwardPass) -> None:
        seen, order = self.seen, coming.order
        value = next((value for value in order if is_stale(value)), None)
        if value is None:
            return
        before = seen.data_at_start or seen.data
        changed = [x for x in order if x in seen.names and x.data != before.get(x, x.data)]
        leaves = dict.fromkeys(x for x in value.operands if x.op is None)
        others = [x for x in leaves if x not in before] or leaves
        suspects = seen.listed(changed) if changed else " or ".join(map(seen.name, others)) or "a result"
        used, now = seen.places.get(value), recomputed(value)
        becomes = "its index lies outside" if now is None else f"it is {now:.6g}"
        seen.add(
            "stale data",
            used or coming.place,
            f"The data of {suspects} changed after being used{at(used)} and before backward(){at(coming.place)}: "
            f"{value.op} was recorded as {value.data:.6g}, but now {becomes}. "
            "The gradient mixes old and new numbers.",
        )


class NotReached(Check):
    """Parameters that no backward pass reaches, and why.

    cuts   why one is not reached, for certain
    hints  and probably
    """

    def __init__(self, seen: Observations) -> None:
        super().__init__(seen)
        self.labels = {p.label: p for p in seen.parameters if p.label}
        self.cuts: dict[Value, tuple[Place | None, str]] = {}
        self.hints: dict[Value, tuple[Place | None, str]] = {}

    def made_leaf(self, leaf: Value, place: Place | None) -> None:
        twin = self.labels.get(leaf.label)
        if twin is not None and twin is not leaf and twin.data == leaf.data:
            self.hints[twin] = place, "a copy without history, as detach() makes it, was used in its place"

    def used_without_recording(self, operands: tuple[Value, ...], place: Place | None) -> None:
        for x in operands:
            if x in self.seen.names:
                self.hints.setdefault(x, (place, "it was used inside no_grad() only"))

    def before_pass(self, coming: BackwardPass) -> None:
        seen = self.seen
        missing = [p for p in seen.parameters if p not in seen.reached and p not in self.cuts]
        if not missing:
            return
        on_the_way = set(coming.order)
        last_use = {x: value for value in (*seen.places, *coming.order) for x in value.operands}
        for p in missing:
            end = p
            while end in last_use and not (end in on_the_way and _is_flat(end)):
                end = last_use[end]
            place = seen.places.get(end)
            if p in on_the_way:
                self.cuts[p] = place, f"it counts only through {end.op}, which has no slope"
            elif end is not p:
                self.cuts[p] = place, f"its use ends in a result of {end.op}, of which the loss knows no history"

    def conclude(self) -> None:
        seen = self.seen
        if not seen.passes:
            return
        groups: dict[tuple[Place | None, str], list[Value]] = {}
        unknown = seen.pass_places.get(seen.passes), "no operation used it as a Value"
        for p in seen.parameters:
            if p not in seen.reached:
                groups.setdefault(self.cuts.get(p) or self.hints.get(p) or unknown, []).append(p)
        for (place, why), parameters in groups.items():
            what = f"backward() never reaches {seen.listed(parameters)}: {why}."
            seen.add("not reached", place, what, once=False)


def _is_flat(value: Value) -> bool:
    return value.op is not None and value.op.partials is None


class LayersApart(Check):
    """Gradients that vanish or explode from layer to layer."""

    def __init__(self, seen: Observations) -> None:
        super().__init__(seen)
        self.squares: dict[str, list[float]] = {}  # squared gradients by layer: their sum and count

    def before_pass(self, coming: BackwardPass) -> None:
        for p in self.seen.parameters:
            layer, slope = layer_named_in(p.label), coming.slopes.get(p, nan)
            if layer and isfinite(slope):
                squares = self.squares.setdefault(layer, [0.0, 0.0])
                squares[0] += slope * slope
                squares[1] += 1.0

    def conclude(self) -> None:
        rms = {layer: sqrt(total / count) for layer, (total, count) in self.squares.items()}
        if not rms:
            return
        place = self.seen.pass_places.get(self.seen.passes)
        shown = ", ".join(f"{layer} {size:.2g}" for layer, size in rms.items())
        smallest, largest = min(rms, key=rms.__getitem__), max(rms, key=rms.__getitem__)
        times = f"{rms[largest] / rms[smallest]:,.0f} times" if rms[smallest] else "infinitely many times"
        far_apart, layers = rms[largest] > LAYER_RATIO * rms[smallest], list(rms)
        if far_apart and layers.index(smallest) < layers.index(largest):
            kind, what = "gradients vanish", f"The gradients of {smallest} are {times} smaller than those of {largest}"
        elif far_apart:
            kind, what = "gradients explode", f"The gradients of {largest} are {times} larger than those of {smallest}"
        elif rms[largest] > LARGEST_RMS:
            kind, what = "gradients explode", "The gradients are very large"
        else:
            return
        self.seen.add(kind, place, f"{what}; rms by layer: {shown}.")


class UnitsOff(Check):
    """relu units that are off on every sample."""

    def __init__(self, seen: Observations) -> None:
        super().__init__(seen)
        self.units: dict[Value, _Unit] = {}

    def made(self, value: Value, place: Place | None) -> None:
        parameter = _parameter_of_unit(value.first, self.seen.names)
        if parameter is not None:
            self.units.setdefault(parameter, _Unit(place)).count(value)

    def conclude(self) -> None:
        off, place = [], None
        for members in self.seen.by_layer(self.units).values():
            off_here = [p for p in members if self.units[p].is_off()]
            if off_here and len(off_here) >= UNIT_SHARE * len(members):
                off += off_here
                place = place or self.units[off_here[0]].place
        if off:
            least = min(self.units[p].evaluations for p in off)
            what = f"{len(off)} of {plural(len(self.units), 'relu unit')} gave 0 on every one of {least} evaluations"
            names = [self.seen.names[p] for p in off]
            units = short_list([owner_of(name) or f"the unit of {name}" for name in names])
            self.seen.add("units off", place, f"{what}: {units}.")


@dataclass
class _Unit:
    """A relu, known by a parameter of its own."""

    place: Place | None
    evaluations: int = 0
    totals: set[float] = field(default_factory=set)  # some different ones at which it was off
    was_on: bool = False

    def count(self, value: Value) -> None:
        self.evaluations += 1
        self.was_on = self.was_on or value.data != 0.0
        if not self.was_on and len(self.totals) < UNIT_SAMPLES:
            self.totals.add(value.first.data)

    def is_off(self) -> bool:
        return not self.was_on and self.evaluations >= UNIT_EVALUATIONS and len(self.totals) >= UNIT_SAMPLES


def _parameter_of_unit(total: Value, parameters: dict[Value, str]) -> Value | None:
    """The bias or a weight in a sum of weight * input + bias, which tells the units of a layer apart."""
    stack = [total]
    while stack:
        value = stack.pop()
        if value in parameters:
            return value
        if value.op is add or value.op is sum:
            stack += value.operands
        elif value.op is mul or value.op is dot:
            for x in value.operands:
                if x in parameters:
                    return x
    return None
