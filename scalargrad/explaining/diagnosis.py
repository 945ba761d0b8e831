"""The gradient doctor: watches a few training steps and says in words what is wrong, on which line, and what helps."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import overload

from scalargrad import observers
from scalargrad.engine import Value, topological_order
from scalargrad.explaining.examination import Examination
from scalargrad.explaining.findings import Report
from scalargrad.holders import without_frozen
from scalargrad.support.words import brief, plural


@overload
def diagnose(subject: object) -> AbstractContextManager[Report]: ...
@overload
def diagnose(subject: Value, parameters: object) -> Report: ...
def diagnose(subject: object, parameters: object = None) -> AbstractContextManager[Report] | Report:
    """Find the usual mistakes of training: `with diagnose(parameters) as report:` around a few steps, or afterwards.

    As a block it records lines of code: gradients that accumulate over steps, parameters that backward() never reaches
    or that were replaced, relu units that are off on every sample, the first nan or inf, data changed between the
    computation and backward(), gradients that vanish or explode from layer to layer, steps that are too large or do
    not move. The report is complete when the block ends. `diagnose(loss, parameters)` gives at once the report of what
    one recorded loss tells, without lines. `parameters` is a list of Values, or a model; frozen ones are not to learn.

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
        return examined(Examination(_parameter_list(subject)))
    if not isinstance(subject, Value):
        raise TypeError(f"diagnose(loss, parameters) takes a Value as loss, got {brief(subject)}")
    return _of_one_graph(subject, Examination(_parameter_list(parameters)))


@contextmanager
def examined(examination: Examination) -> Iterator[Report]:
    """A block that is examined; its report is complete at the end."""
    report, seen = Report(), examination.seen
    try:
        with observers.observed_by(examination):
            yield report
    finally:  # after an exception the report is needed most
        passes = plural(seen.passes, "backward pass", "backward passes")
        report.findings = examination.conclusions()
        report.seen = f"{passes}, {plural(len(seen.parameters), 'parameter')}"


def _of_one_graph(loss: Value, examination: Examination) -> Report:
    order = topological_order(loss)
    examination.look_at_graph(loss, order)
    parameters = plural(len(examination.seen.parameters), "parameter")
    return Report(examination.conclusions(), f"one graph of {plural(len(order), 'value')}, {parameters}")


def _parameter_list(parameters: object) -> list[Value]:
    if hasattr(parameters, "parameters"):
        parameters = parameters.parameters()
    if isinstance(parameters, Value) or not isinstance(parameters, Iterable):
        raise TypeError(
            f"diagnose takes a list of parameters or a model, got {brief(parameters)}; one parameter: diagnose([w])"
        )
    found = list(parameters)
    for parameter in found:
        if not isinstance(parameter, Value):
            raise TypeError(f"diagnose takes Values as parameters, got {brief(parameter)}")
    found = list(dict.fromkeys(found))
    if not without_frozen(found):
        raise ValueError(
            "diagnose got no parameters: is the list empty, or a generator that was used up, or are all frozen?"
        )
    return found
