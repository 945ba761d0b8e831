"""summary: the layers of a model with their shapes, parameters and work, as seen while it computes one sample."""

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from scalargrad.datasets.nested import Sample
from scalargrad.drawing.lettering import escaped
from scalargrad.drawing.tables import table, titled
from scalargrad.engine import Value
from scalargrad.holders import attributes, inventory, walk, without_frozen
from scalargrad.observers import Observer, observed_only_by
from scalargrad.operands import is_recorded, number
from scalargrad.ops import dot, mul
from scalargrad.structure import Parameter, Structure, in_mode
from scalargrad.support.forks import freed, undone

HEADINGS = ("", "layer", "output", "parameters", "multiply-adds")
_classes = freed(threading.RLock())  # held by the one who changes classes of layers


class Summary(str):
    """The table as text, which a notebook shows as HTML."""

    html = ""

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return self.html


def summary(model: Structure, sample: Sample = None) -> Summary:
    """A table of a model's layers: the shape that each puts out, its parameters, its multiply-adds for one sample.

    sample   the numbers of one sample, such as X[0], on which the model is run. An MLP, a Layer or a Neuron can do
             without and is run on zeros; ValueError for other models without a sample

    A layer is a module that is an attribute of the model, or stands in a list, tuple or the like that is one. What the
    model has and computes outside of its layers stands in the row "itself". A multiply-add is a pair of a dot product,
    or a multiplication. A layer that was not called has dashes; one that was called several times shows its last output
    and the work of all calls. A last line says how many parameters are frozen. The model computes in evaluation mode,
    and is as it was afterwards.

    >>> from scalargrad import MLP
    >>> print(summary(MLP(2, [8, 8, 1], rng=0)))
    MLP(2, [8, 8, 1]), 105 parameters
                layer                output  parameters  multiply-adds
      layers.0  Layer(2, 8, relu)       [8]          24             16
      layers.1  Layer(8, 8, relu)       [8]          72             64
      layers.2  Layer(8, 1, linear)  number           9              8
      total                          number         105             88
    """
    inputs = _zeros_for(model) if sample is None else _as_values(sample)
    model.parameters()  # raises an error if some are lost
    own: set[Parameter] = set()
    inside: set[Parameter] = set()
    rows: dict[int, _Row] = {}
    layers: list[Structure] = []
    for path, part in walk(attributes(model).items(), model, into_modules=False):
        if isinstance(part, Parameter):
            own.add(part)
        elif isinstance(part, Structure) and part is not model:
            parameters = inventory([part]).parameters
            inside.update(parameters)
            rows[id(part)] = _Row(path, _title(repr(part)), len(parameters))
            layers.append(part)
    shown = repr(model)
    itself = _Row("itself", _title(shown), len(own - inside))

    observer = _Observer(itself)
    with in_mode(model, training=False), observed_only_by(observer), _calls_shown(layers, rows, observer):
        itself.output = _shape(model(inputs))

    lines = list(rows.values())
    if not rows or itself.parameters or itself.work:
        lines.append(itself)
    total = _Row("total", "", len(own | inside), itself.output, sum(row.work for row in lines))
    notes = []
    if sum(row.parameters for row in lines) > total.parameters:
        notes.append("Parameters that several layers share are counted once in the total.")
    trainable = len(without_frozen([*(own | inside)]))
    if trainable < total.parameters:
        notes.append(f"Trainable are {trainable:,} of them; {total.parameters - trainable:,} are frozen.")
    title, cells = shown.splitlines()[0], [row.cells() for row in (*lines, total)]
    text = Summary("\n".join([title, *_table([HEADINGS, *cells]), *(f"  {note}" for note in notes)]))
    text.html = titled(title, table(HEADINGS, cells, words=2), *(f"<div>{escaped(note)}</div>" for note in notes))
    return text


@dataclass
class _Row:
    """A line of the table, filled in while the model computes. work: in multiply-adds."""

    path: str
    title: str
    parameters: int
    output: str = "-"
    work: int = 0
    calls: int = 0

    def cells(self) -> tuple[str, ...]:
        title = f"{self.title}, {self.calls} calls" if self.calls > 1 else self.title
        work = "-" if self.output == "-" else f"{self.work:,}"
        return self.path, title, self.output, f"{self.parameters:,}", work


class _Observer(Observer):
    """Sees each new Value, and counts its work in the row of the innermost layer that is being called."""

    def __init__(self, row: _Row) -> None:
        self.row = row

    def recorded(self, value: Value) -> None:
        if value.op is dot:
            self.row.work += len(value.first)
        elif value.op is mul:
            self.row.work += 1

    def updated(self, buffer: Value, expression: Any) -> bool:
        return True  # and leave it as it is: this is not training

    def watch(self, row: _Row, call: Callable, *inputs: Sample, **options: Any) -> Any:
        outer, self.row = self.row, row
        try:
            outputs = call(*inputs, **options)
        finally:
            self.row = outer
        row.calls += 1
        row.output = _shape(outputs)
        return outputs


@contextmanager
def _calls_shown(layers: list[Structure], rows: dict[int, _Row], observer: _Observer) -> Iterator[None]:
    """A block in which the calls of the layers, which have rows by their ids, pass through the observer."""

    def watched(kind: type[Structure], plain: Callable) -> Callable:
        def call(self: Structure, *inputs: Sample, **options: Any) -> Any:
            # Of a layer's own class only: `super().__call__` is part of the same call.
            if type(self) is kind and id(self) in rows:
                return observer.watch(rows[id(self)], plain, self, *inputs, **options)
            return plain(self, *inputs, **options)

        return call

    # On the class, where Python looks for `__call__`. The lock: two that put back in the wrong order would leave it.
    with _classes:
        plain = {kind: kind.__call__ for kind in map(type, layers)}
        own = {kind for kind in plain if "__call__" in vars(kind)}

        def put_back() -> None:
            for kind in plain:
                if kind in own:
                    kind.__call__ = plain[kind]  # type: ignore[method-assign]
                elif "__call__" in vars(kind):
                    del kind.__call__

        with undone(put_back):
            try:
                for kind in plain:
                    kind.__call__ = watched(kind, plain[kind])  # type: ignore[method-assign]
                yield
            finally:
                put_back()


def _zeros_for(model: Any) -> tuple[Value, ...]:
    """A sample for a model whose weights say how many numbers it takes."""
    try:
        return model._zeros()
    except (AttributeError, IndexError):  # another model, or a layer in an MLP that somebody has put there or removed
        raise ValueError(
            f"a {type(model).__name__} does not say what a sample looks like: show it one, summary(sample=X[0])"
        ) from None


def _as_values(sample: Sample) -> Any:
    """The numbers of a sample as Values, in nested tuples, as a model meets them in training."""
    if hasattr(sample, "tolist"):
        sample = sample.tolist()
    if isinstance(sample, list | tuple):
        return tuple(map(_as_values, sample))
    return sample if is_recorded(sample) else Value(number(sample, "sample"))


def _shape(outputs: Sample) -> str:
    """[3, 4] for three lists of four numbers; each part by itself where they differ."""
    if hasattr(outputs, "tolist"):
        outputs = outputs.tolist()
    if not isinstance(outputs, list | tuple):
        return "number" if is_recorded(outputs) or isinstance(outputs, int | float) else type(outputs).__name__
    parts = [_shape(item) for item in outputs]
    if len(set(parts)) > 1:
        return f"({', '.join(parts)})"
    rest = parts[0] if parts else "number"
    if rest == "number":
        return f"[{len(parts)}]"
    return f"[{len(parts)}, {rest[1:-1]}]" if rest[0] == "[" else f"{len(parts)} of {rest}"


def _title(shown: str) -> str:
    """The first line of a repr, without the number of parameters, which has a column of its own."""
    return re.sub(r", \d+ parameters?$", "", shown.splitlines()[0])


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of aligned columns: words to the left, numbers and shapes to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [f"{cell:<{width}}" for cell, width in zip(row[:2], widths[:2], strict=True)]
        cells += [f"{cell:>{width}}" for cell, width in zip(row[2:], widths[2:], strict=True)]
        lines.append("  " + "  ".join(cells))
    return lines
