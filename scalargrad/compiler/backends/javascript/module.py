"""Modules: what a page imports of a compiled function: forward, backward, and steps of training."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy
from numpy import ndarray

from scalargrad.compiler.backends.javascript.lower import Text, kept_rows
from scalargrad.compiler.program import Program
from scalargrad.engine import Value
from scalargrad.javascript.bundle import HERE
from scalargrad.javascript.picked import picked
from scalargrad.javascript.terms import number

FILES = [HERE / "elementary.js", *(Path(__file__).parent / name for name in ("runtime.js", "functions.js"))]
NEEDED = ("Program", "evenly", "crossed", "joined")  # by each program


@dataclass(frozen=True)
class Training:
    """A program of whole steps.

    settings  the numbers of a state that are single, as they are at the start, and `clock`, the row of each
    memory    the rows of what the optimizer remembers
    """

    program: Program
    settings: Mapping[str, float]
    clock: Mapping[str, int]
    memory: ndarray


@dataclass(frozen=True)
class Facts:
    """The facts about a function that its module states.

    title        the first line
    parameters   in the order in which the module names them, and the buffers
    inputs       the shapes of one sample of each argument; `output`, that of one result
    counts_rows  is the last input of the programs the number of the row?
    names        does it name them?
    """

    title: str
    parameters: Sequence[Value]
    buffers: Sequence[Value]
    inputs: Sequence[Sequence[int]]
    output: Sequence[int]
    counts_rows: bool
    names: bool = True


def module_of(facts: Facts, forward: Program, backward: Program | None, training: Training | None) -> str:
    """One ES module, without imports: the package's docstring says what it exports."""
    text = Text()
    programs = {"forward": forward, "backward": backward, "step": training.program if training else None}
    declared, exports = [], {"order": "order"}
    for name, program in programs.items():
        if program is not None:
            places = _places(text, program, facts, training if name == "step" else None)
            declared += [text.add(f"{name}Program", program), f"const {name}Places = {places};"]
            exports[name] = f"{name}Of({name}Program, {name}Places, facts)"
    if training is not None:
        settings = ", ".join(f"{name}: {number(x)}" for name, x in training.settings.items())
        exports["start"] = f"startOf(stepPlaces, facts, {{ {settings} }})"
    functions = picked(
        FILES, {"order", *NEEDED, *(f"{name}Of" for name in exports if name != "order"), *text.functions}
    )
    returned = ",\n  ".join(f"{name}: {made}" for name, made in exports.items())
    return "\n".join(
        [
            *_head(facts),
            f"export const {{ {', '.join(exports)} }} = (() => {{",
            functions,
            text.declarations,
            *declared,
            FACTS,
            f"return {{\n  {returned},\n}};",
            "})();",
            "",
        ]
    )


FACTS = "const facts = { parameters: NUMBERS, buffers: BUFFER_NUMBERS, inputs: INPUTS, countsRows: COUNTS_ROWS };"


def _head(facts: Facts) -> list[str]:
    def named(kind: str, numbers: str, values: Sequence[Value]) -> list[str]:
        listed = [f"export const {kind} = {_text([value.label for value in values])};"] if facts.names else []
        return [
            *listed,
            f"export const {numbers} = Float64Array.of({', '.join(number(float(value)) for value in values)});",
        ]

    return [
        f"// {' '.join(facts.title.split()).replace('</', '< /')}",
        *named("PARAMETERS", "NUMBERS", facts.parameters),
        *named("BUFFERS", "BUFFER_NUMBERS", facts.buffers),
        f"export const INPUTS = {json.dumps([list(shape) for shape in facts.inputs])};",
        f"export const OUTPUT = {json.dumps(list(facts.output))};",
        f"const COUNTS_ROWS = {json.dumps(facts.counts_rows)};",
    ]


def _text(names: list[str]) -> str:
    """Names as JSON that may stand inside a script element."""
    return json.dumps(names).replace("<", "\\u003c")


def _places(text: Text, program: Program, facts: Facts, training: Training | None = None) -> str:
    """An object in JavaScript: where numbers lie in a state of the program."""
    where = _positions(program)
    first = len(program.constants)
    rows = {value: first + n for n, value in enumerate(program.leaves)}
    found = {
        name: text.table(where([rows[value] for value in values]))
        for name, values in (("parameters", facts.parameters), ("buffers", facts.buffers))
    }
    if training is not None:
        found["memory"] = text.table(where(training.memory))
        found |= {name: str(int(where([row])[0])) for name, row in training.clock.items()}
    return f"{{ {', '.join(f'{name}: {place}' for name, place in found.items())} }}"


def _positions(program: Program) -> Callable[[Sequence[int] | ndarray], ndarray]:
    """A function from uniform rows of a program to their positions in its state."""

    position = numpy.full(program.uniform_rows, -1)
    begin = 0
    for part in kept_rows(program):
        count = part.stop - part.start
        position[part] = begin + numpy.arange(count)
        begin += count
    return lambda rows: position[numpy.asarray(rows, int)]
