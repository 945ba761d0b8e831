"""The JAX backend: programs that XLA compiles, on one device or on several that share the rows of a batch.

One run on some rows is one call, and so are many steps of training: a `lax.scan`, whose carry is what training changes.
Devices get equal shares of the rows. Where rows are left over, the last one is repeated, and counts nowhere.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy
from numpy import ndarray

from scalargrad.compiler.backends import Slopes, Source, Toolchain
from scalargrad.compiler.backends.reference import Kept, NumpyBackend
from scalargrad.compiler.backends.xla.devices import AXIS, Devices
from scalargrad.compiler.backends.xla.lower import Environment, Lowered
from scalargrad.compiler.program import LANE, UNIFORM, Program, Table

if TYPE_CHECKING:
    from jax import Array

# XLA's simplifier writes log(exp(x)) as x, and x / y as x * (1 / y) for one y of many x: of another value where the
# exponential, or 1 / y, leaves the range of floats. On a processor programs are as fast without it.
AS_WRITTEN = {"xla_disable_hlo_passes": "algsimp"}
AT_ONCE = 10**10  # operations between two looks at an epoch: nobody can interrupt a call, or see how far it is
MOST_COMPILED = 16  # for numbers of rows and steps that come back
MOST_BYTES = 2**28  # of the samples that are put on devices for one call


Chosen = Any  # by each step: nothing, positions of samples, or a list of samples


class JaxBackend(Kept):
    """`timed` is a block whose time counts as compiling."""

    def __init__(
        self, program: Program, dtype: str, devices: Devices, timed: Callable[[], AbstractContextManager]
    ) -> None:
        super().__init__(program, dtype)
        self.jax, self.devices, self.timed = devices.jax, devices, timed
        self.lowered = Lowered(program, dtype)
        self.options = AS_WRITTEN if devices.platform == "cpu" else None
        works = [(i.bank == LANE or i.kind.sums_lanes, i.work) for i in program.instructions]
        self.work_of_row = sum(work for of_lanes, work in works if of_lanes)
        self.work_of_step = sum(work for of_lanes, work in works if not of_lanes)
        # What training changes: parameters and buffers, and each `leaf` instruction.
        self.state = [self.leaves, *(slice(leaf.first, leaf.first + leaf.count) for leaf in self.lowered.kept)]
        self.moves = self._moves() if program.moves else []
        self.compiled: dict[tuple, Callable] = {}
        self.lasting: list[tuple[ndarray, Array]] = []  # arrays that do not change, and where they lie
        self.reference: NumpyBackend | None = None

    @classmethod
    def made(cls, source: Source, toolchain: Toolchain) -> "JaxBackend":
        return cls(source.program, toolchain.dtype, toolchain.devices, lambda: toolchain.timed("compiling"))

    # What a compiled function asks for.

    def results(self, arrays: list[ndarray], rows: int) -> ndarray:
        table = self.program.result
        assert table is not None
        lane = table.bank == LANE

        def outputs(run: Environment) -> tuple:
            return (run.rows(table), self._any_wrong(run))

        results, wrong = self._call(self.devices.here, "results", outputs, (1 if lane else None, None), arrays, rows)
        if wrong:
            return self._reference.results(arrays, rows)
        results = numpy.asarray(results).T[:rows]
        return results if lane else numpy.broadcast_to(results, (rows, results.shape[1]))

    def slopes(self, arrays: list[ndarray], rows: int) -> Slopes:
        program = self.program

        def outputs(run: Environment) -> tuple:
            mean, gradient = run.rows(program.mean)[0, 0], run.rows(program.gradient)[:, 0]
            updates = [run.rows(table)[0, 0] for table in program.updates.values()]
            return (mean, gradient, self._any_wrong(run), *updates)

        shared = (None,) * (3 + len(program.updates))
        mean, gradient, wrong, *updates = self._call(self.devices, "slopes", outputs, shared, arrays, rows)
        if wrong:
            return self._reference.slopes(arrays, rows)
        return float(mean), numpy.array(gradient), dict(zip(program.updates, map(float, updates), strict=True))

    def _call(self, devices: Devices, kind: str, outputs: Callable, shared: tuple, arrays: list, rows: int) -> tuple:
        def function(arrays: list, leaves: "Array") -> tuple:
            return outputs(self._run(devices, arrays, leaves, (), rows))

        lanes = self._lanes(devices, rows)
        self.lease.copy_to(self.read(self.leaves))
        arguments = [devices.place_rows(array, lanes) for array in arrays], devices.place(self.kept[self.leaves])
        inputs = [[0] * len(arrays), None]
        return self._compiled((kind, rows), lambda: devices.shared(function, inputs, shared), arguments)(*arguments)

    def report(self, rows: int) -> str:
        return f"jax: all {len(self.program.instructions)} instructions, on {self.devices}"

    @property
    def _reference(self) -> NumpyBackend:
        """NumPy says which argument was wrong, or knows the result after all."""
        if self.reference is None:
            self.reference = NumpyBackend(self.program, self.dtype)
        return self.reference

    # What a trainer asks for.

    def train(
        self, arrays: list[ndarray], order: ndarray | None, rows: int, steps: int, advance: int, history: ndarray
    ) -> bool:
        samples, most, done = self._samples(arrays, order, rows), self._most_steps(arrays, order, rows), 0
        while done < steps:
            count = min(most, steps - done)
            chosen = self._chosen(arrays, order, rows, count, advance, done * advance)
            scan, arguments = self._scan(samples, chosen, rows, count)
            losses, steps_made, wrong, *state = scan(*arguments)
            fresh = self.kept.copy()
            for part, numbers in zip(self.state, state, strict=True):
                fresh[part] = numbers
            made = int(steps_made.sum())
            history[done : done + made] = losses[:made]
            self.kept, self.done, done = fresh, self.done + made, done + made
            if wrong:
                return False
            if made < count or not numpy.isfinite(history[done - 1]):
                break
        return True

    def prepare(self, arrays: list, shuffled: bool, sizes: list[tuple[int, int]]) -> None:
        if len(self.devices) == 1:
            self.lasting = [(array, self.devices.place(array)) for array in arrays]
        for rows, steps in sizes:
            order = numpy.zeros(rows * steps, int) if shuffled else None
            count = min(steps, self._most_steps(arrays, order, rows))
            chosen = self._chosen(arrays, order, rows, count, rows, 0)
            self._scan(self._samples(arrays, order, rows), chosen, rows, count)

    def steps_at_once(self, rows: int) -> int:
        """The same number in all processes: they walk in step."""
        return max(1, AT_ONCE // (self.work_of_row * rows + self.work_of_step + 1))

    def _most_steps(self, arrays: list[ndarray], order: ndarray | None, rows: int) -> int:
        """The steps of an epoch, if nothing speaks against it: another number of epochs is compiled already."""
        if order is None:
            return 2**31
        most = len(arrays[0]) // rows
        if len(self.devices) > 1:
            most = min(most, MOST_BYTES // (rows * sum(array.itemsize * array.shape[1] for array in arrays) + 1))
        return max(1, most)

    def _samples(self, arrays: list[ndarray], order: ndarray | None, rows: int) -> list:
        """The samples that all steps see: those of a batch that is always the same, or, on one device, all samples."""
        if order is None:
            return [self.devices.place_rows(array, self._lanes(self.devices, rows)) for array in arrays]
        return list(map(self._on_device, arrays)) if len(self.devices) == 1 else []

    def _chosen(
        self, arrays: list[ndarray], order: ndarray | None, rows: int, steps: int, advance: int, first: int
    ) -> Chosen:
        """The part that a step sees of the samples: none, their positions, or, on several devices, the samples."""
        if order is None:
            return None
        starts = first + advance * numpy.arange(steps)
        positions = order[starts[:, None] + self._lanes(self.devices, rows)]
        if len(self.devices) == 1:
            return self.devices.place(positions.astype("int32"))
        return [self.devices.place_rows(array, positions) for array in arrays]

    def _scan(self, samples: list, chosen: Chosen, rows: int, steps: int) -> tuple[Callable, tuple]:
        """A call of so many steps, compiled, and its arguments.

        It gives the losses, which of the steps were made, whether an argument was wrong, and the new state.
        """
        jax, devices, program, each_has_its_own = self.jax, self.devices, self.program, isinstance(chosen, list)

        def step(samples: list, carry: tuple, chosen: Chosen) -> tuple:
            state, going_on, wrong = carry
            if each_has_its_own:
                samples = chosen
            elif chosen is not None:
                samples = [array[chosen] for array in samples]
            run = self._run(devices, samples, state[0], state[1:], rows)
            loss, following, bad = run.rows(program.mean)[0, 0], self._moved(run, state), self._any_wrong(run)
            made = going_on & ~bad
            state = [jax.numpy.where(made, new, old) for new, old in zip(following, state, strict=True)]
            return (state, made & jax.numpy.isfinite(loss), wrong | (going_on & bad)), (loss, made)

        def function(samples: list, chosen: Chosen, state: list) -> tuple:
            start = state, jax.numpy.asarray(True), jax.numpy.asarray(False)
            (state, _, wrong), (losses, made) = jax.lax.scan(partial(step, samples), start, chosen, length=steps)
            return (losses, made, wrong, *state)

        arguments = samples, chosen, [devices.place(self.kept[part]) for part in self.state]
        inputs = [[0] * len(samples), [1] * len(chosen) if each_has_its_own else None, [None] * len(self.state)]
        key = ("scan", rows, steps, chosen is None, *(array.shape for array in samples))
        shared = (None,) * (3 + len(self.state))
        return self._compiled(key, lambda: devices.shared(function, inputs, shared), arguments), arguments

    def _moves(self) -> list[tuple[ndarray, ndarray]]:
        """The numbers of each part of the state that a step changes, and the rows that they come from."""
        targets, sources = (numpy.concatenate([move[side].rows for move in self.program.moves]) for side in (1, 0))
        moves = []
        for part in self.state:
            mine = numpy.flatnonzero((targets >= part.start) & (targets < part.stop))
            mine = mine[numpy.argsort(targets[mine])]
            moves.append((targets[mine] - part.start, sources[mine]))
        return moves

    def _moved(self, run: Environment, state: list) -> list:
        """The state after a step."""
        following = []
        for old, (places, sources) in zip(state, self.moves, strict=True):
            new = run.rows(Table(UNIFORM, sources))[:, 0]
            following.append(new if len(places) == len(old) else old.at[places].set(new, unique_indices=True))
        return following

    def _on_device(self, array: ndarray) -> "Array":
        """The array on the device."""
        placed = next((placed for known, placed in self.lasting if _is_same(known, array)), None)
        return self.devices.place(array) if placed is None else placed

    # A call.

    def _run(self, devices: Devices, arrays: list, leaves: "Array", kept: Sequence["Array"], rows: int) -> Environment:
        axis = AXIS if len(devices) > 1 else None
        lanes, valid = arrays[0].shape[0], None
        if rows % len(devices):
            first = self.jax.lax.axis_index(AXIS) * lanes
            valid = first + self.jax.numpy.arange(lanes) < rows
        return self.lowered.run(arrays, leaves, kept, rows, axis, valid)

    def _any_wrong(self, run: Environment) -> "Array":
        if run.axis is None or not run.wrong:
            return run.is_wrong
        return self.jax.lax.psum(run.is_wrong.astype(self.dtype), run.axis) > 0

    def _compiled(self, key: tuple, make: Callable[[], Callable], arguments: tuple) -> Callable:
        if key not in self.compiled:
            with self.timed(), self.jax.enable_x64(True):
                self.compiled[key] = self.jax.jit(make()).lower(*arguments).compile(self.options)
            if len(self.compiled) > MOST_COMPILED:
                self.compiled.pop(next(iter(self.compiled)))
        return self.compiled[key]

    def _lanes(self, devices: Devices, rows: int) -> ndarray:
        """The rows of a batch, and the last one again until all devices have equally many."""
        padded = -(-rows // len(devices)) * len(devices)
        return numpy.minimum(numpy.arange(padded), rows - 1)


def _is_same(old: ndarray, new: ndarray) -> bool:
    return old.ctypes.data == new.ctypes.data and old.shape == new.shape and old.strides == new.strides
