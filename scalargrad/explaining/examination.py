"""The examination of a training run: an observer that shows what happens to the checks."""

from math import isfinite

from scalargrad import observers
from scalargrad.engine import Value
from scalargrad.explaining.findings import REMEDIES, Finding, Place
from scalargrad.explaining.graph_mistakes import LayersApart, NotFinite, NotReached, StaleData, UnitsOff
from scalargrad.explaining.loop_mistakes import Accumulation, Movement, Replaced
from scalargrad.explaining.observations import BackwardPass, Check, Observations, slopes_of
from scalargrad.ops import add, relu, sub
from scalargrad.support.callers import frame_of_user

REMEMBERED = 300_000  # Values whose lines are known, if no backward() comes to forget them


class Examination(observers.Observer):
    """Watches a block of training, or looks at one graph."""

    def __init__(self, parameters: list[Value]) -> None:
        self.seen = seen = Observations(parameters)
        self.not_finite, self.stale_data, self.accumulation = NotFinite(seen), StaleData(seen), Accumulation(seen)
        self.replaced, self.not_reached, self.units_off = Replaced(seen), NotReached(seen), UnitsOff(seen)
        self.checks: list[Check] = [
            *(self.not_finite, self.stale_data, self.accumulation, self.replaced, self.not_reached),
            *(Movement(seen), LayersApart(seen), self.units_off),
        ]
        # What looks at a new Value, by its operation.
        self.makers = {None: self.not_reached.made_leaf, relu: self.units_off.made}
        self.makers |= {add: self.replaced.made, sub: self.replaced.made}

    def recorded(self, value: Value) -> None:
        seen, place = self.seen, _place_of_user()
        if observers.recording.get():
            if not seen.data_at_start:
                seen.data_at_start = {p: p.data for p in seen.parameters}
            if len(seen.places) >= REMEMBERED:
                seen.places.clear()
            seen.places[value] = place
        else:
            self.not_reached.used_without_recording(value.operands, place)
        self.look_at(value, place)

    def before_backward(self, order: list[Value]) -> None:
        coming = BackwardPass(order, slopes_of(order), _place_of_user())
        self.look_at_pass(coming, self.checks)
        self.seen.end_pass(coming)

    def look_at_graph(self, loss: Value, order: list[Value]) -> None:
        """Look at a loss after the fact."""
        slopes = slopes_of(order)
        for value in order:
            self.look_at(value, None)
        # Once backward() has run, an update may well have changed the data.
        checks = [check for check in self.checks if check is not self.stale_data or loss.grad == 0.0]
        self.look_at_pass(BackwardPass(order, slopes, None), checks)
        self.accumulation.after_the_fact(slopes)

    def look_at(self, value: Value, place: Place | None) -> None:
        if value.op is not None and not isfinite(value.data):
            self.not_finite.made(value, place)
        if look := self.makers.get(value.op):
            look(value, place)

    def look_at_pass(self, coming: BackwardPass, checks: list[Check]) -> None:
        self.seen.begin_pass(coming)
        for check in checks:
            check.before_pass(coming)

    def conclusions(self) -> list[Finding]:
        """All findings, the most serious first."""
        for check in self.checks:
            check.conclude()
        return sorted(self.seen.findings, key=lambda found: list(REMEDIES).index(found.kind))


def _place_of_user() -> Place:
    frame = frame_of_user()
    return frame.f_code.co_filename, frame.f_lineno
