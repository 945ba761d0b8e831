"""The training of a network as data and programs for a page: the loss with its gradient, steps of optimizers, maps.

The page has one list of numbers, the parameters and then the buffers; each program says which of them it reads.
"""

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy
from numpy import ndarray

from scalargrad.compiler import compile
from scalargrad.compiler.backends.javascript.lower import Text
from scalargrad.compiler.backends.javascript.module import FILES, NEEDED
from scalargrad.compiler.compiled import Compiled
from scalargrad.compiler.own_steps import is_one_formula
from scalargrad.compiler.program import Program
from scalargrad.datasets.nested import numbers_in
from scalargrad.engine import Value
from scalargrad.javascript.picked import picked
from scalargrad.losses import Nested
from scalargrad.losses import l2 as sum_of_squares
from scalargrad.observers import observed_by, with_grad
from scalargrad.operands import Operand
from scalargrad.optim import OPTIMIZERS, Optimizer, checked_move
from scalargrad.pages.units import Unit, recorded, units_of
from scalargrad.structure import Buffer, Structure, in_mode
from scalargrad.training.objectives import Objective
from scalargrad.training.programs import Updates, one_value

TITLES = {"sgd": "SGD", "momentum": "SGD, momentum 0.9", "rmsprop": "RMSProp", "adam": "Adam", "adamw": "AdamW"}


class Choice(NamedTuple):
    """An optimizer that the page offers.

    name    its class, as Python writes it without the rate: "SGD(lr, momentum=0.9)"
    """

    title: str
    optimizer: Optimizer


@dataclass(frozen=True, eq=False)
class Sample:
    """One sample that the model has computed in evaluation: a graph that every row of numbers can go through.

    inputs     the two Values that it began with
    outputs    the numbers that the model returned
    units      see `units_of`
    """

    inputs: list[Value]
    outputs: list[Value]
    units: list[Unit]

    def again(self, inputs: Sequence[Any], wanted: Sequence[Value]) -> list[Any]:
        """The numbers that `wanted` have for other inputs, which may be stand-ins of a trace."""
        found: dict[Value, Any] = dict(zip(self.inputs, inputs, strict=True))
        tuples: dict[int, tuple] = {}  # operands that many results share stay shared

        def new(x: Nested) -> Nested:
            if type(x) is not tuple:
                return found.get(x, x)
            if id(x) not in tuples:
                tuples[id(x)] = tuple(map(new, x))
            return tuples[id(x)]

        for value in recorded(wanted):
            if value.op is not None:
                found[value] = value.op(*map(new, value.args))
        return [found.get(value, value) for value in wanted]


def sample_of(model: Structure, row: Sequence[float]) -> Sample:
    """The model's work on one row."""
    inputs = [Value(float(number)) for number in row]
    with in_mode(model, training=False), with_grad(), observed_by(Updates()):
        outputs = [x if isinstance(x, Value) else Value(float(x)) for x in numbers_in(model(tuple(inputs)))]
    return Sample(inputs, outputs, units_of(inputs, outputs, model.parameters()))


class Leaves:
    """The numbers that programs read, each with its place: parameters, then buffers, as programs ask for them."""

    def __init__(self, parameters: Sequence[Value]) -> None:
        self.values = list(parameters)
        self.place = {value: place for place, value in enumerate(self.values)}

    def places(self, values: Iterable[Value]) -> list[int]:
        """The places of these; of new ones the next."""
        for value in values:
            if value not in self.place:
                self.place[value] = len(self.values)
                self.values.append(value)
        return [self.place[value] for value in values]


class Training:
    """All programs of a page, and where their numbers are.

    strength   the factor of the L2 penalty, `rate` and `time` of the optimizer, `step` as random() counts
    programs   by name: "loss", "measure", "outputs", "units" and a step of each optimizer, "adam" ...
    """

    def __init__(
        self, model: Structure, objective: Objective, rows: tuple[ndarray, ndarray], sample: Sample, l2: float
    ) -> None:
        self.model = model
        self.leaves = Leaves(model.parameters())
        self.count = len(self.leaves.values)
        self.strength, self.rate, self.time = Buffer(l2, "l2"), Buffer(0.0, "rate"), Buffer(0.0, "time")
        self.programs: dict[str, Program] = {}
        self.compiled: dict[str, Compiled] = {}
        self.sample = sample
        strength, parameters = self.strength, model.parameters()

        def penalised(outputs: Nested, y: Nested) -> Value:
            return one_value(objective.loss(outputs, y)) + strength * sum_of_squares(parameters)

        def loss(x: Nested, y: Nested) -> Value:
            return penalised(model(x), y)

        def measure(x: Nested, y: Nested) -> list:
            outputs = model(x)
            return [penalised(outputs, y), *numbers_in(outputs)]

        with in_mode(model, training=True):
            self.counts_rows = self._add("loss", loss, *rows)
        self.step = self.compiled["loss"].steps
        self.leaves.places([self.strength, self.rate, self.time, self.step])
        with in_mode(model, training=False):
            self._add("measure", measure, *rows)
        points, targets = rows
        self.shape_of_targets = targets.shape[1:]
        self._add("outputs", lambda x: sample.again(x, sample.outputs), points)

    def add_units(self, units: Sequence[Unit]) -> None:
        """A program that gives for each unit its total, and then the outputs of all."""
        wanted = [unit.total for unit in units] + [unit.output for unit in units]
        self._add("units", lambda x: self.sample.again(x, wanted), numpy.zeros((1, 2)))

    def add_optimizer(self, name: str, optimizer: Optimizer) -> None:
        """A program for one step of all parameters that move, a lane for each: (p, g, *state) -> [p, *state]."""

        def step(p: Operand, g: Operand, *state: Operand) -> list:
            moved, kept = checked_move(optimizer, optimizer.update(p, g, state, self.rate, self.time))
            return [moved, *kept]

        self._add(name, step, *numpy.ones((2 + optimizer.state_size, 1)))

    def facts(self, name: str) -> dict[str, Any]:
        """The places of the numbers that a program reads, and how many results it gives, or where its slopes belong."""
        program, places = self.programs[name], self.leaves.places
        facts: dict[str, Any] = {"leaves": places(program.leaves)}
        if program.gradient is None:
            assert program.result is not None
            return facts | {"results": program.result.rows.size}
        return facts | {"slopes": places(program.parameters), "updates": places(program.updates)}

    def text(self) -> str:
        """The programs as a module, which share what their instructions need."""
        text = Text()
        added = [text.add(f"program_{name}", program) for name, program in self.programs.items()]
        functions = picked(FILES, [*text.functions, *NEEDED, "order"])
        names = ", ".join(["order", *(f"{name}: program_{name}" for name in self.programs)])
        return "\n".join([functions, text.declarations, *added, f"export const PROGRAMS = {{ {names} }};"])

    def outputs(self, points: ndarray) -> ndarray:
        """The numbers that the model returns for points [rows, 2], as they are in Python now, [rows, numbers]."""
        return self.compiled["outputs"](points)

    def measured(self, points: ndarray, targets: ndarray) -> tuple[float, ndarray]:
        """The mean loss over points, and the outputs [rows, numbers]."""
        with in_mode(self.model, training=False):
            found = self.compiled["measure"](points, targets.reshape(len(targets), *self.shape_of_targets))
        return float(found[:, 0].mean()), found[:, 1:]

    def _add(self, name: str, function: Callable, *arrays: ndarray) -> bool:
        """Compile a function for such arrays. Does its program ask for the number of the row?"""
        compiled = self.compiled[name] = compile(function, backend="numpy")  # which compiles nothing before it runs
        variant, _, _ = compiled.prepared(arrays)
        program = self.programs[name] = variant.program
        self.leaves.places(program.leaves)
        return variant.trace.row is not None


def offered(optimizer: Optimizer) -> dict[str, Choice]:
    """The user's optimizer first, by the name "own" unless it is one of the table; then those of the table.

    ValueError for one that is no formula: a page has no Python that could call its `step`.
    """
    kind = type(optimizer).__name__
    if not is_one_formula(optimizer):
        raise ValueError(f"{kind} has a step of its own, which is Python: a page takes optimizers that define update()")
    table = {name: Choice(TITLES.get(name, name), make(optimizer.lr)) for name, make in OPTIMIZERS.items()}
    own = Choice(kind, _forgetful(optimizer))
    same = [name for name, choice in table.items() if _settings(choice.optimizer) == _settings(own.optimizer)]
    first = same[0] if same else "own"
    return {first: Choice(table[first].title, own.optimizer) if same else own} | {
        name: choice for name, choice in table.items() if name != first
    }


def _settings(optimizer: Optimizer) -> tuple:
    return type(optimizer), {name: x for name, x in vars(optimizer).items() if name not in ("steps", "state", "lr")}


def _forgetful(optimizer: Optimizer) -> Optimizer:
    fresh = copy(optimizer)
    fresh.state, fresh.steps = {}, 0
    return fresh
