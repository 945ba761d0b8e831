"""The JavaScript backend: programs in a process of node: the text that pages run, under the suite of backends."""

import weakref
from typing import Any

import numpy
from numpy import ndarray

from scalargrad.compiler.backends import Slopes, Source, Toolchain
from scalargrad.compiler.backends.javascript.lower import Text, kept_rows
from scalargrad.compiler.backends.javascript.module import FILES, NEEDED
from scalargrad.compiler.backends.javascript.process import node
from scalargrad.compiler.backends.reference import Kept, NumpyBackend
from scalargrad.compiler.program import Program
from scalargrad.javascript.picked import picked

AT_ONCE = 5 * 10**7  # operations between two looks at an epoch: half a second, about


class JavascriptBackend(Kept):
    """A program whose state travels to node and back with each call: there it is only text and memory for a run."""

    def __init__(self, program: Program, dtype: str) -> None:
        super().__init__(program, dtype)
        self.text = text_of(program)
        self.parts = kept_rows(program)
        self.work = sum(instruction.work for instruction in program.instructions)
        self.start = self.number = 0
        self.reference: NumpyBackend | None = None

    @classmethod
    def made(cls, source: Source, toolchain: Toolchain) -> "JavascriptBackend":
        with node.lock:
            node.started()
        return cls(source.program, toolchain.dtype)

    def results(self, arrays: list[ndarray], rows: int) -> ndarray:
        self.lease.copy_to(self.read(self.leaves))
        found, answers = self._call("results", rows, arrays)
        if found.get("wrong"):
            return self._reference.results(arrays, rows)
        return answers[0].reshape(rows, -1)

    def slopes(self, arrays: list[ndarray], rows: int) -> Slopes:
        self.lease.copy_to(self.read(self.leaves))
        found, answers = self._call("slopes", rows, arrays)
        if found.get("wrong"):
            return self._reference.slopes(arrays, rows)
        (mean,), gradient, updates = answers
        return float(mean), gradient.copy(), dict(zip(self.program.updates, updates.tolist(), strict=True))

    def train(
        self, arrays: list[ndarray], order: ndarray | None, rows: int, steps: int, advance: int, history: ndarray
    ) -> bool:
        ordered = [] if order is None else [order]
        asked = {"steps": steps, "advance": advance, "ordered": order is not None}
        found, (state, losses) = self._call("train", rows, [*arrays, *ordered], **asked)
        fresh, place = self.kept.copy(), 0
        for part in self.parts:
            count = part.stop - part.start
            fresh[part] = state[place : place + count]
            place += count
        history[: len(losses)] = losses
        self.kept, self.done = fresh, self.done + len(losses)
        return not found["wrong"]

    def prepare(self, arrays: list[ndarray], shuffled: bool, sizes: list[tuple[int, int]]) -> None:
        """There is nothing to compile: node does so while it runs."""

    def steps_at_once(self, rows: int) -> int:
        return max(1, AT_ONCE // (self.work * rows + 1))

    def report(self, rows: int) -> str:
        return f"javascript: all {len(self.program.instructions)} instructions, in node"

    def _call(self, name: str, rows: int, arrays: list[ndarray], **asked: object) -> tuple[dict[str, Any], list]:
        with node.lock:
            if node.started() != self.start:
                self._define()
            state = numpy.concatenate([self.kept[part] for part in self.parts])
            head = {"call": name, "program": self.number, "samples": rows, **asked}
            return node.call(head, [state, *arrays])

    def _define(self) -> None:
        node.programs += 1
        self.number = node.programs
        node.call({"call": "define", "program": self.number, "text": self.text}, [])
        self.start = node.starts
        weakref.finalize(self, node.dropped.append, self.number).atexit = False

    @property
    def _reference(self) -> NumpyBackend:
        """NumPy says which argument was wrong."""
        if self.reference is None:
            self.reference = NumpyBackend(self.program, self.dtype)
        return self.reference


def text_of(program: Program) -> str:
    """The body of a function that returns the program, in JavaScript."""
    text = Text()
    added = text.add("program", program)
    functions = picked(FILES, [*text.functions, *NEEDED])
    return "\n".join(['"use strict";', functions, text.declarations, added, "return program;"])
