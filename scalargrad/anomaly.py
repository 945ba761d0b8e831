"""anomaly_detection: the first inf or nan becomes an error that names its operation and its line."""

from math import isfinite
from typing import Any

from scalargrad.engine import Value, reverse_sweep
from scalargrad.observers import Observer, observed_by
from scalargrad.support.callers import frame_of_user, line_of


class AnomalyError(ArithmeticError):
    """An operation gave inf or nan inside `anomaly_detection()`."""


def anomaly_detection() -> Any:
    """A block in which the first inf or nan, forward or backward, is an AnomalyError.

    It names the operation, its operands and the line of user code that made it. A backward pass is checked before it
    touches any `.grad`.

    >>> from scalargrad import log
    >>> with anomaly_detection():
    ...     log(Value(-1.0, "x"))
    Traceback (most recent call last):
    scalargrad.anomaly.AnomalyError: <doctest scalargrad.anomaly.anomaly_detection[1]>:2: log gave nan; x = -1.0
    """
    return observed_by(_Anomalies())


class _Anomalies(Observer):
    def __init__(self) -> None:
        self.lines: dict[Value, str] = {}

    def recorded(self, value: Value) -> None:
        if value.op is not None:
            self.lines[value] = line_of(frame_of_user())
            if not isfinite(value.data):
                self.report(value, f"gave {value.data}")

    def before_backward(self, order: list[Value]) -> None:
        slopes = {order[-1]: 1.0}
        for value, upstream, operands in reverse_sweep(order, slopes):
            for x, dx in operands:
                term = dx * upstream
                if not isfinite(term):
                    self.report(value, f"passes back {term}, its derivative {dx} times {upstream} from above")
                slopes[x] = slopes.get(x, 0.0) + term
        self.lines.clear()  # the graph need not outlive its backward pass

    before_gradients = before_backward

    def report(self, value: Value, what: str) -> None:
        shown = [f"{x.label or 'operand'} = {x.data}" for x in value.operands[:8]]
        line = self.lines.get(value, "made before anomaly_detection()")
        raise AnomalyError(f"{line}: {value.op} {what}; {', '.join(shown)}")
