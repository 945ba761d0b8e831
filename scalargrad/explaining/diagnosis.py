"""The gradient doctor: watches a few training steps and says in words what is wrong, on which line, and what helps."""

import linecache
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from math import isclose, isfinite, isnan, nan, sqrt
from pathlib import Path
from typing import Any

from scalargrad import observers
from scalargrad.engine import Value, local_derivatives, topological_order
from scalargrad.explaining.stale import is_stale, recomputed
from scalargrad.explaining.words import listed, plural
from scalargrad.operands import flatten
from scalargrad.ops import add, dot, mul, relu, sub, sum
from scalargrad.parameter_names import layer_of, owner_of

# What helps against each kind of finding; the most serious first.
REMEDIES = {
    "nan or inf": "Keep the operation inside its domain: a loss that takes logits, log(x + 1e-9), a smaller learning "
    "rate. `with anomaly_detection():` stops at the line where it happens.",
    "parameter replaced": "Change the number inside the parameter: `w.data -= lr * w.grad`, or optimizer.step().",
    "stale data": "Change .data only after backward(), and compute the loss anew in every step.",
    "gradients accumulate": "Set the gradients to 0 once a step, before backward(): model.zero_grad(), or "
    "`p.grad = 0.0` for every p. If they are carried over on purpose (momentum by hand), nothing is wrong.",
    "backward twice": "Call backward() once for each loss, or set the gradients to 0 before the second call. "
    "If the sum is what you want, nothing is wrong.",
    "not reached": "Compute with the Value itself: .data, float(), detach(), no_grad() and comparisons let no gradient "
    "through. A parameter that is not meant to learn: leave it out of the list.",
    "nothing moves": "Look at the learning rate (is it 0?) and call optimizer.step() with these parameters "
    "after backward().",
    "steps too large": "Divide the learning rate by 3 or by 10, until the loss falls from step to step.",
    "gradients explode": 'Start from smaller weights (init="he" or "xavier"), scale the inputs to about 1, '
    "or clip with clip_grad_norm().",
    "gradients vanish": 'Use relu in place of tanh or sigmoid, init="he" or "xavier", or fewer layers.',
    "units off": 'Such a unit passes no gradient and cannot recover: start again with init="he", a smaller learning '
    'rate, or activation="gelu".',
}

# A relu is called off after so many evaluations that all gave 0, at so many different totals (with a single sample half
# of all units are off); it is reported where this share of its layer is off (random weights leave one in sixteen off).
UNIT_EVALUATIONS, UNIT_SAMPLES, UNIT_SHARE = 20, 4, 0.25
LAYER_RATIO = 1000.0  # gradients vanish or explode where the rms of two layers differs by more than this factor,
LARGEST_RMS = 1e6  # and explode where it is larger than this: in deep relu networks all layers explode together
OVERSHOOTS = 3  # steps are too large if the gradient turns round and grows so many times in a row ...
OVERSHOOT_GROWTH = 10.0  # ... by this factor together
IDLE_PASSES = 3  # nothing moves if the parameters stay as they are for so many passes, with zero_grad() between
REMEMBERED = 300_000  # Values whose lines are known, if no backward() comes to forget them

Place = tuple[str, int]  # a file and a line


@dataclass(frozen=True)
class Finding:
    """Something that is wrong.

    kind    a key of REMEDIES
    where   "train.py:14"; "" where no line is known
    what    what happened
    remedy  what to do about it
    code    the text of that line
    """

    kind: str
    where: str
    what: str
    remedy: str
    code: str = ""


@dataclass
class Report:
    """What `diagnose` found: `findings`, the most serious first. Print it, or show it in a notebook."""

    findings: list[Finding] = field(default_factory=list)
    seen: str = "the block is still running"

    def __str__(self) -> str:
        return "\n\n".join([self._title(), *(_as_text(number, found) for number, found in enumerate(self.findings, 1))])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        items = "".join(
            f"<li><b>{escape(found.kind)}</b> <code>{escape(found.where)}</code> <code>{escape(found.code)}</code>"
            f"<br>{escape(found.what)}<br><i>Remedy:</i> {escape(found.remedy)}</li>"
            for found in self.findings
        )
        return f"<div><p>{escape(self._title())}</p><ol>{items}</ol></div>"

    def _title(self) -> str:
        count = len(self.findings)
        return f"diagnose: {plural(count, 'finding') if count else 'nothing found'} ({self.seen})"


def diagnose(subject: Any, parameters: Any = None) -> Any:
    """Find the usual mistakes of training: `with diagnose(parameters) as report:` around a few steps, or afterwards.

    As a block it records lines of code: gradients that accumulate over steps, parameters that backward() never reaches
    or that were replaced, relu units that are off on every sample, the first nan or inf, data changed between the
    computation and backward(), gradients that vanish or explode from layer to layer, steps that are too large or do
    not move. The report is complete when the block ends. `diagnose(loss, parameters)` gives at once the report of what
    one recorded loss tells, without lines. `parameters` is a list of Values, or a model.

    Several calls of backward() without an update between them are gradient accumulation, which is not a mistake.
    A step takes about five times as long inside the block.

    >>> w = Value(1.0, "w")
    >>> with diagnose([w]) as report:
    ...     for _ in range(2):
    ...         loss = (w - 3.0) ** 2
    ...         loss.backward()
    ...         w.data -= 0.1 * w.grad
    >>> print(report)
    diagnose: 1 finding (2 backward passes, 1 parameter)
    <BLANKLINE>
    1. gradients accumulate  <doctest scalargrad.explaining.diagnosis.diagnose[1]>:4  loss.backward()
       backward() adds to gradients that were used for an update and not set to 0 since: w.
       Remedy: Set the gradients to 0 once a step, before backward(): model.zero_grad(), or `p.grad = 0.0` for
       every p. If they are carried over on purpose (momentum by hand), nothing is wrong.
    >>> print(diagnose((w - 3.0) ** 2, [w]))
    diagnose: nothing found (one graph of 3 values, 1 parameter)
    """
    if parameters is None:
        return _watched(_Examination(_parameter_list(subject)))
    if not isinstance(subject, Value):
        raise TypeError(f"diagnose(loss, parameters) takes a Value as loss, got {subject!r}")
    return _of_one_graph(subject, _Examination(_parameter_list(parameters)))


@contextmanager
def _watched(examination: "_Examination") -> Iterator[Report]:
    report = Report()
    try:
        with observers.observed_by(examination):
            yield report
    finally:  # after an exception the report is needed most
        passes = plural(examination.passes, "backward pass", "backward passes")
        report.findings = examination.conclusions()
        report.seen = f"{passes}, {plural(len(examination.parameters), 'parameter')}"


def _of_one_graph(loss: Value, examination: "_Examination") -> Report:
    order = topological_order(loss)
    slopes = _slopes(order)
    examination.passes = 1
    for value in order:
        examination.look_at(value, None)
    examination.look_for_broken_gradients(order, slopes)
    if loss.grad == 0.0:  # once backward() has run, an update may well have changed the data
        examination.look_for_stale_data(order, None)
    examination.note_reached(order, slopes)
    examination.note_layers(slopes)
    examination.look_for_multiples(slopes)
    seen = f"one graph of {plural(len(order), 'value')}, {plural(len(examination.parameters), 'parameter')}"
    return Report(examination.conclusions(), seen)


class _Examination:
    """What has been seen of one training run. Graphs are kept until their backward pass, then only numbers."""

    def __init__(self, parameters: list[Value]) -> None:
        self.parameters = parameters
        self.names = {p: p.label or f"parameters[{position}]" for position, p in enumerate(parameters)}
        self.labels = {p.label: p for p in parameters if p.label}
        self.findings: list[Finding] = []
        self.passes = 0
        # Of the present step: since the last backward pass.
        self.places: dict[Value, Place | None] = {}  # the line that made each Value
        self.data_at_start: dict[Value, float] = {}  # the parameters' data at the first operation
        # Of the steps before: the parameters' data and slopes at the latest pass that reached them, and when that was.
        self.data: dict[Value, float] = {}
        self.slopes: dict[Value, float] = {}
        self.pass_number: dict[Value, int] = {}
        self.pass_place: dict[int, Place | None] = {}
        self.output = 0  # the id of the output of the latest pass
        # For the conclusions.
        self.cuts: dict[Value, tuple[Place | None, str]] = {}  # why a parameter is not reached, for certain
        self.hints: dict[Value, tuple[Place | None, str]] = {}  # and probably
        self.units: dict[Value, _Unit] = {}
        self.squares: dict[str, list[float]] = {}  # squared gradients by layer: their sum and count
        self.successors: dict[Value, _Successor] = {}
        self.unused: dict[Place | None, list[Value]] = {}  # parameters whose successors were thrown away, by line
        self.overshoots: list[float] = []  # the norms of gradients, each opposite to the one before and larger
        self.moved = self.zeroed = False

    # What a block is told.

    def recorded(self, value: Value) -> None:
        place = observers.place_of_user_code()
        if observers.recording.get():
            if not self.data_at_start:
                self.data_at_start = {p: p.data for p in self.parameters}
            if len(self.places) >= REMEMBERED:
                self.places.clear()
            self.places[value] = place
        else:
            for x in value.operands:
                if x in self.names:
                    self.hints.setdefault(x, (place, "it was used inside no_grad() only"))
        self.look_at(value, place)

    def before_backward(self, order: list[Value]) -> None:
        place, slopes = observers.place_of_user_code(), _slopes(order)
        self.passes += 1
        self.pass_place[self.passes] = place
        self.look_for_broken_gradients(order, slopes)
        self.look_for_stale_data(order, place)
        self.look_for_accumulation(order, slopes, place)
        self.look_for_unused_successors(order)
        self.look_for_overshoots(slopes, place)
        self.note_reached(order, slopes)
        self.note_layers(slopes)
        self.remember(order, slopes)

    def before_gradients(self, order: list[Value]) -> None:
        """`gradients()` touches no `.grad`: it is no pass of training."""

    # What is looked at when a Value is made.

    def look_at(self, value: Value, place: Place | None) -> None:
        op = value.op
        if op is None:
            twin = self.labels.get(value.label)
            if twin is not None and twin is not value and twin.data == value.data:
                self.hints[twin] = place, "a copy without history, as detach() makes it, was used in its place"
            return
        if not isfinite(value.data):
            self.look_for_origin(value, place)
        if op is relu:
            parameter = _parameter_of_unit(value.first, self.names)
            if parameter is not None:
                self.units.setdefault(parameter, _Unit(place)).count(value)
        elif op is sub or op is add:
            self.look_for_successor(value, place)

    def look_for_origin(self, value: Value, place: Place | None) -> None:
        """Is this value the first that is not finite, or did its operands bring that along?"""
        numbers = [x if type(x) is float else x.data for x in flatten(value.args)]
        wrong = [
            x for x in value.operands if x.op is None and (isnan(x.data) or (x in self.names and not isfinite(x.data)))
        ]
        if wrong:
            what = f"{value.op} used {self.shown(wrong[:1])}, which was so before."
            if wrong[0] in self.names:
                what += " It is a parameter: the update before made it so."
            self.add("nan or inf", place, what)
        elif all(map(isfinite, numbers)) or (isnan(value.data) and not any(map(isnan, numbers))):
            self.add("nan or inf", place, f"{value.op} gave {value.data}; its operands: {self.shown(value.operands)}.")

    def look_for_successor(self, value: Value, place: Place | None) -> None:
        """`w = w - lr * w.grad`: from one backward pass to the next the same line makes a new w from the old one."""
        source, number = (value.second, value.first) if type(value.first) is float else (value.first, value.second)
        before = self.successors.get(source)
        if type(number) is not float or (before is None and source not in self.names):
            return
        parameter = before.parameter if before else source
        if before and before.place == place and before.passes < self.passes:
            name = self.names[parameter]
            self.add(
                "parameter replaced",
                place,
                f"This line makes a new Value from {name} after every backward() and gives it the name of the old one; "
                f"{name} itself, which the list of parameters still holds, stays {parameter.data:.6g}.",
            )
        downhill = number * source.grad > 0.0 if value.op is sub else number * source.grad < 0.0
        self.successors[value] = _Successor(parameter, place, self.passes, downhill)

    # What is looked for when backward() runs.

    def look_for_broken_gradients(self, order: list[Value], slopes: dict[Value, float]) -> None:
        if all(isfinite(slopes.get(p, 0.0)) for p in self.parameters):
            return
        for value in reversed(order):
            upstream = slopes.get(value, nan)
            for x, dx in local_derivatives(value) if isfinite(upstream) else ():
                if not isfinite(dx * upstream) and (x.op is not None or x in self.names):
                    why = f"its derivative {dx:.6g} times {upstream:.6g} from above"
                    what = f"Backward, {value.op} passes on {dx * upstream}, {why}"
                    place = self.places.get(value)
                    self.add("nan or inf", place, f"{what}; its operands: {self.shown(value.operands)}.")
                    return

    def look_for_stale_data(self, order: list[Value], place: Place | None) -> None:
        for value in order:
            if is_stale(value):
                before = self.data_at_start or self.data
                changed = [x for x in order if x in self.names and x.data != before.get(x, x.data)]
                leaves = dict.fromkeys(x for x in value.operands if x.op is None)
                others = [x for x in leaves if x not in before] or leaves
                suspects = self.listed(changed) if changed else " or ".join(map(self.name, others)) or "a result"
                used = self.places.get(value)
                self.add(
                    "stale data",
                    used or place,
                    f"The data of {suspects} changed after being used{_at(used)} and before backward(){_at(place)}: "
                    f"{value.op} was recorded as {value.data:.6g}, but now it is {recomputed(value):.6g}. "
                    "The gradient mixes old and new numbers.",
                )
                return

    def look_for_accumulation(self, order: list[Value], slopes: dict[Value, float], place: Place | None) -> None:
        # Without an update in between, several passes are one step on a sum of losses: that is left alone.
        reached = [p for p in self.parameters if p in slopes and p in self.data]
        self.zeroed |= any(p.grad == 0.0 and self.slopes[p] != 0.0 for p in reached)
        left = [p for p in reached if p.grad != 0.0]
        updated = [p for p in left if p.data != self.data[p]]
        if updated:
            what = "backward() adds to gradients that were used for an update and not set to 0 since"
            self.add("gradients accumulate", place, f"{what}: {self.listed(updated)}.")
        elif left and id(order[-1]) == self.output and order[-1] not in self.places:
            what = "backward() ran again on the same loss, and added the same gradient once more"
            self.add("backward twice", place, f"{what}: {self.listed(left)}.")

    def look_for_unused_successors(self, order: list[Value]) -> None:
        """`for p in parameters: p = p - lr * p.grad`: the new Value is thrown away, and p stays as it is."""
        used = set(order) if self.successors else set()
        for value, successor in self.successors.items():
            p = successor.parameter
            thrown_away = successor.passes == self.passes - 1 and value not in used
            if thrown_away and successor.downhill and p.data == self.data.get(p):
                self.unused.setdefault(successor.place, []).append(p)
        self.successors = {v: s for v, s in self.successors.items() if v in used or s.passes == self.passes - 1}

    def look_for_overshoots(self, slopes: dict[Value, float], place: Place | None) -> None:
        moved = [p for p in self.parameters if p in slopes and p in self.data and p.data != self.data[p]]
        self.moved = self.moved or bool(moved)
        now, before = [slopes[p] for p in moved], [self.slopes[p] for p in moved]
        size, size_before = _norm(now), _norm(before)
        opposite = dot(now, before) < -0.5 * size * size_before if moved else False
        if opposite and size > size_before:
            self.overshoots = [*(self.overshoots or [size_before]), size]
        else:
            self.overshoots = []
        if len(self.overshoots) > OVERSHOOTS and size > OVERSHOOT_GROWTH * self.overshoots[0]:
            times = len(self.overshoots) - 1
            self.add(
                "steps too large",
                place,
                f"{times} times in a row an update turned the gradient round and made it larger, from "
                f"{self.overshoots[0]:.3g} to {size:.3g} (norm): each step jumps over the minimum, ever further.",
            )

    def look_for_multiples(self, slopes: dict[Value, float]) -> None:
        """After the fact: is every `.grad` the gradient of this loss several times over?"""
        ratios = [p.grad / slopes[p] for p in self.parameters if p in slopes and slopes[p] != 0.0]
        times = round(ratios[0]) if ratios and isfinite(ratios[0]) else 0
        if times > 1 and all(isclose(ratio, times, rel_tol=1e-9) for ratio in ratios):
            why = f"backward() ran {times} times without zero_grad()"
            self.add("gradients accumulate", None, f"Every .grad is {times} times the gradient of this loss: {why}.")

    # What is kept for the conclusions.

    def note_reached(self, order: list[Value], slopes: dict[Value, float]) -> None:
        for p in self.parameters:
            if p in slopes:
                self.pass_number[p] = self.passes
        missing = [p for p in self.parameters if p not in self.pass_number and p not in self.cuts]
        if not missing:
            return
        seen = set(order)
        last_use = {x: value for value in (*self.places, *order) for x in value.operands}
        for p in missing:
            end = p
            while end in last_use and not (end in seen and _is_flat(end)):
                end = last_use[end]
            place = self.places.get(end)
            if p in seen:
                self.cuts[p] = place, f"it counts only through {end.op}, which has no slope"
            elif end is not p:
                self.cuts[p] = place, f"its use ends in a result of {end.op}, of which the loss knows no history"

    def note_layers(self, slopes: dict[Value, float]) -> None:
        for p in self.parameters:
            layer = _layer(p.label)
            if layer and p in slopes and isfinite(slopes[p]):
                squares = self.squares.setdefault(layer, [0.0, 0.0])
                squares[0] += slopes[p] * slopes[p]
                squares[1] += 1.0

    def remember(self, order: list[Value], slopes: dict[Value, float]) -> None:
        for p in self.parameters:
            if p in slopes:
                self.data[p], self.slopes[p] = p.data, slopes[p]
        self.output = id(order[-1])
        self.data_at_start = {}
        self.places.clear()

    # What follows from all of it.

    def conclusions(self) -> list[Finding]:
        self.conclude_replaced()
        self.conclude_reached()
        self.conclude_movement()
        self.conclude_layers()
        self.conclude_units()
        return sorted(self.findings, key=lambda found: list(REMEDIES).index(found.kind))

    def conclude_replaced(self) -> None:
        for place, thrown_away in self.unused.items():
            if len(thrown_away) > 1 and all(p.data == self.data[p] for p in thrown_away):
                names = self.listed(list(dict.fromkeys(thrown_away)))
                what = (
                    f"This line makes new Values, which nothing uses, and leaves the parameters as they were: {names}."
                )
                self.add("parameter replaced", place, what)
        last = max(self.pass_number.values(), default=self.passes)
        if last <= self.passes - 2 and all(p.data == self.data[p] for p in self.pass_number):
            names = self.listed(list(self.pass_number))
            what = f"Since backward pass {last + 1} new Values, not in the list of parameters, stand in for {names}."
            self.add("parameter replaced", self.pass_place[last + 1], what)

    def conclude_reached(self) -> None:
        if not self.passes:
            return
        groups: dict[tuple[Place | None, str], list[Value]] = {}
        unknown = self.pass_place.get(self.passes), "no operation used it as a Value"
        for p in self.parameters:
            if p not in self.pass_number:
                groups.setdefault(self.cuts.get(p) or self.hints.get(p) or unknown, []).append(p)
        for (place, why), parameters in groups.items():
            self.add("not reached", place, f"backward() never reaches {self.listed(parameters)}: {why}.", once=False)

    def conclude_movement(self) -> None:
        at_end = any(p.data != self.data[p] for p in self.data)
        replaced = any(found.kind in ("parameter replaced", "nan or inf") for found in self.findings)
        learns = self.moved or at_end or not any(self.slopes.values())
        if self.passes >= IDLE_PASSES and self.zeroed and not learns and not replaced:
            what = f"No parameter has moved in {self.passes} backward passes, although the gradients are not 0."
            self.add("nothing moves", self.pass_place[self.passes], what)

    def conclude_layers(self) -> None:
        rms = {layer: sqrt(total / count) for layer, (total, count) in self.squares.items()}
        if not rms:
            return
        place, shown = self.pass_place.get(self.passes), ", ".join(f"{layer} {size:.2g}" for layer, size in rms.items())
        smallest, largest = min(rms, key=rms.__getitem__), max(rms, key=rms.__getitem__)
        times = f"{rms[largest] / rms[smallest]:,.0f} times" if rms[smallest] else "infinitely many times"
        far_apart, layers = rms[largest] > LAYER_RATIO * rms[smallest], list(rms)
        if far_apart and layers.index(smallest) < layers.index(largest):
            what = f"The gradients of {smallest} are {times} smaller than those of {largest}"
            self.add("gradients vanish", place, f"{what}; rms by layer: {shown}.")
        elif far_apart:
            what = f"The gradients of {largest} are {times} larger than those of {smallest}"
            self.add("gradients explode", place, f"{what}; rms by layer: {shown}.")
        elif rms[largest] > LARGEST_RMS:
            self.add("gradients explode", place, f"The gradients are very large; rms by layer: {shown}.")

    def conclude_units(self) -> None:
        layers: dict[str, list[Value]] = {}
        for p in self.units:
            layers.setdefault(_layer(p.label) or self.names[p], []).append(p)
        off, place = [], None
        for members in layers.values():
            off_here = [p for p in members if self.units[p].is_off()]
            if off_here and len(off_here) >= UNIT_SHARE * len(members):
                off += off_here
                place = place or self.units[off_here[0]].place
        if off:
            least = min(self.units[p].evaluations for p in off)
            what = f"{len(off)} of {plural(len(self.units), 'relu unit')} gave 0 on every one of {least} evaluations"
            self.add("units off", place, f"{what}: {listed([_unit_name(self.names[p]) for p in off])}.")

    # Words.

    def add(self, kind: str, place: Place | None, what: str, once: bool = True) -> None:
        """A finding; of each kind the first, which is the cause of those that follow."""
        if not once or all(found.kind != kind for found in self.findings):
            code = linecache.getline(*place).strip() if place else ""
            self.findings.append(Finding(kind, _line(place), what, REMEDIES[kind], code))

    def name(self, value: Value) -> str:
        return self.names.get(value) or value.label or f"an unnamed Value ({value.data:.6g})"

    def shown(self, operands: Iterable[Value]) -> str:
        return listed([f"{self.names.get(x) or x.label or 'operand'} = {x.data:.6g}" for x in dict.fromkeys(operands)])

    def listed(self, parameters: list[Value]) -> str:
        """The names of parameters; layers of which all parameters are meant by the layers' names."""
        layers: dict[str, list[Value]] = {}
        chosen = set(parameters)
        for p in self.parameters:
            layers.setdefault(_layer(p.label) or self.names[p], []).append(p)
        names = []
        for layer, members in layers.items():
            if chosen.issuperset(members) and len(members) > 1:
                names.append(f"{layer} ({plural(len(members), 'parameter')})")
            else:
                names += [self.names[p] for p in members if p in chosen]
        return listed(names)


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


@dataclass(frozen=True)
class _Successor:
    """A Value made from a parameter, or from a successor of it, by adding or subtracting a number."""

    parameter: Value
    place: Place | None
    passes: int  # how many backward passes there were before it was made
    downhill: bool  # does it lie where an update would put the parameter?


def _slopes(order: list[Value]) -> dict[Value, float]:
    """d output / d value for each value that the output depends on: a backward pass that leaves every `.grad` alone."""
    slopes = {order[-1]: 1.0}
    for value in reversed(order):
        if value in slopes and value.op is not None and value.op.partials is not None:
            upstream = slopes[value]
            for x, dx in local_derivatives(value):
                slopes[x] = slopes.get(x, 0.0) + dx * upstream
    return slopes


def _is_flat(value: Value) -> bool:
    return value.op is not None and value.op.partials is None


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


def _unit_name(parameter: str) -> str:
    return owner_of(parameter) or f"the unit of {parameter}"


def _layer(parameter: str) -> str:
    """The name of the layer, or "" for a parameter that belongs to none."""
    owner = owner_of(parameter)
    return owner and (layer_of(owner, "neurons") or "the layer")


def _parameter_list(parameters: Any) -> list[Value]:
    if hasattr(parameters, "parameters"):
        parameters = parameters.parameters()
    if isinstance(parameters, Value) or not isinstance(parameters, Iterable):
        raise TypeError(
            f"diagnose takes a list of parameters or a model, got {parameters!r}; one parameter: diagnose([w])"
        )
    found = list(dict.fromkeys(parameters))
    for parameter in found:
        if not isinstance(parameter, Value):
            raise TypeError(f"diagnose takes Values as parameters, got {parameter!r}")
    if not found:
        raise ValueError("diagnose got no parameters: is the list empty, or a generator that was used up?")
    return found


def _line(place: Place | None) -> str:
    return f"{Path(place[0]).name}:{place[1]}" if place else ""


def _at(place: Place | None) -> str:
    return f" at {_line(place)}" if place else ""


def _as_text(number: int, found: Finding) -> str:
    paragraphs = [found.what, f"Remedy: {found.remedy}"]
    head = "  ".join(filter(None, [f"{number}. {found.kind}", found.where, found.code]))
    return "\n".join([head, *(textwrap.indent(textwrap.fill(text, 104), "   ") for text in paragraphs)])


def _norm(numbers: list[float]) -> float:
    return sqrt(dot(numbers, numbers))
