"""The JAX backend: programs that XLA compiles, on one device or on several that share the rows of a batch.

One run on some rows is one call, and so are many steps of training: a `lax.scan`, whose carry is what training changes.
Devices get equal shares of the rows. Where rows are left over, the last one is repeated, and counts nowhere.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from scalargrad.compiler.numpy_backend import Kept, NumpyBackend
from scalargrad.compiler.program import LANE, UNIFORM, Program, Table
from scalargrad.compiler.xla.devices import AXIS, Devices
from scalargrad.compiler.xla.lower import Lowered, Run
from scalargrad.engine import Value

# XLA's simplifier writes log(exp(x)) as x, and x / y as x * (1 / y) for one y of many x: of another value where the
# exponential, or 1 / y, leaves the range of floats. On a processor programs are as fast without it.
AS_WRITTEN = {"xla_disable_hlo_passes": "algsimp"}
AT_ONCE = 10**11  # operations of one call: nobody can interrupt it, or see how far it is
MOST_BYTES = 2**28  # of the samples that are put on devices for one call


class JaxBackend(Kept):
    """`timed` is a block whose time counts as compiling."""

    def __init__(
        self, program: Program, dtype: str, devices: Devices, timed: Callable[[], AbstractContextManager]
    ) -> None:
        super().__init__(program, dtype)
        self.jax, self.devices, self.timed = devices.jax, devices, timed
        self.lowered = Lowered(program, dtype)
        self.options = AS_WRITTEN if devices.platform == "cpu" else None
        self.work = sum(instruction.work for instruction in program.instructions)
        self.compiled: dict[tuple, Callable] = {}
        self.resident: tuple[list, list] = [], []  # arrays that nobody may change, and where they lie
        self.reference: NumpyBackend | None = None

    # What a compiled function asks for.

    def results(self, arrays: list, numbers: list[float], rows: int) -> Any:
        """[rows, numbers of one result], for arrays [rows, numbers of one sample] and the numbers of all leaves."""
        table = self.program.result
        assert table is not None
        lane = table.bank == LANE

        def outputs(run: Run) -> tuple:
            return (run.rows(table), self._any_wrong(run))

        results, wrong = self._call(
            self.devices.here, "results", outputs, (1 if lane else None, None), arrays, numbers, rows
        )
        if wrong:
            return self._reference.results(arrays, numbers, rows)
        results = self.numpy.asarray(results).T[:rows]
        return results if lane else self.numpy.broadcast_to(results, (rows, results.shape[1]))

    def slopes(self, arrays: list, numbers: list[float], rows: int) -> tuple[float, Any, dict[Value, float]]:
        """The mean, its gradient in the order of the parameters, and the new numbers of buffers."""
        program = self.program

        def outputs(run: Run) -> tuple:
            mean, gradient = run.rows(program.mean)[0, 0], run.rows(program.gradient)[:, 0]
            updates = [run.rows(table)[0, 0] for table in program.updates.values()]
            return (mean, gradient, self._any_wrong(run), *updates)

        shared = (None,) * (3 + len(program.updates))
        mean, gradient, wrong, *updates = self._call(self.devices, "slopes", outputs, shared, arrays, numbers, rows)
        if wrong:
            return self._reference.slopes(arrays, numbers, rows)
        return float(mean), self.numpy.array(gradient), dict(zip(program.updates, map(float, updates), strict=True))

    def _call(
        self, devices: Devices, kind: str, outputs: Callable, shared: tuple, arrays: list, numbers: list, rows: int
    ) -> tuple:
        padded = _padded(rows, len(devices))

        def function(arrays: list, leaves: Any) -> tuple:
            return outputs(self._run(devices, arrays, leaves, (), rows))

        def compiled() -> Any:
            return devices.shared(function, [[0] * len(arrays), None], shared)

        leaves = self.numpy.array(numbers, self.dtype)
        positions = self.numpy.minimum(self.numpy.arange(padded), rows - 1)
        placed = [_place_rows(devices, array, positions) for array in arrays]
        return self._compiled((kind, rows), compiled, (placed, _place(devices, leaves)))

    @property
    def _reference(self) -> NumpyBackend:
        """NumPy says which argument was wrong, or knows the result after all."""
        if self.reference is None:
            self.reference = NumpyBackend(self.program, self.dtype)
        return self.reference

    # What a trainer asks for.

    def train(self, arrays: list, order: Any, rows: int, steps: int, advance: int, history: Any) -> bool:
        """Steps of a program with `moves`, on `rows` rows each; False if an operation met a wrong argument.

        It stops after a step with a loss of inf or nan; `done` counts the steps.
        """
        most, done = self._most_steps(arrays, order, rows), 0
        while done < steps:
            count = min(most, steps - done)
            moved = None if order is None else order[done * advance :]
            losses, kept, wrong = self._scan(arrays, moved, rows, count, advance)
            made = int(kept.sum())
            history[done : done + made] = losses[:made]
            done, self.done = done + made, self.done + made
            if wrong:
                return False
            if made < count or not self.numpy.isfinite(losses[made - 1]):
                break
        return True

    def prepare(self, arrays: list, shuffled: bool, rows: int, steps: int) -> None:
        """Compile now what `train` would."""
        order = self.numpy.zeros(rows * steps, int) if shuffled else None
        count = min(self._most_steps(arrays, order, rows), steps)
        self._scan(arrays, order, rows, count, rows if shuffled else 0, only_compile=True)

    def steps_at_once(self, rows: int) -> int:
        """The same in all processes: they walk in step."""
        return max(1, AT_ONCE // (self.work * rows + 1))

    def _most_steps(self, arrays: list, order: Any, rows: int) -> int:
        if order is None or len(self.devices) == 1:
            return 2**31
        return max(1, MOST_BYTES // (rows * sum(array.itemsize * array.shape[1] for array in arrays) + 1))

    def _scan(self, arrays: list, order: Any, rows: int, steps: int, advance: int, only_compile: bool = False) -> Any:
        """So many steps at once: their losses, which of them were made, and whether an argument was wrong."""
        numpy, jax, devices, program = self.numpy, self.jax, self.devices, self.program
        lanes = numpy.minimum(numpy.arange(_padded(rows, len(devices))), rows - 1)
        positions = None if order is None else order[(advance * numpy.arange(steps))[:, None] + lanes]
        if positions is None:
            samples, each = [_place_rows(devices, array, lanes) for array in arrays], None
        elif len(devices) == 1:
            samples, each = self._kept_there(arrays), _place(devices, positions.astype("int32"))
        else:
            samples, each = [], [_place_rows(devices, array, positions) for array in arrays]
        state = [_place(devices, self.kept[rows_of]) for rows_of in self._rows_of_state()]

        def function(samples: list, each: Any, state: list) -> tuple:
            def step(carry: tuple, chosen: Any) -> tuple:
                state, alive, wrong = carry
                if positions is None:
                    batch = samples
                elif len(devices) == 1:
                    batch = [array[chosen] for array in samples]
                else:
                    batch = chosen
                run = self._run(devices, batch, state[0], state[1:], rows)
                loss, following = run.rows(program.mean)[0, 0], self._moved(run, state)
                bad = self._any_wrong(run)
                made = alive & ~bad
                state = [jax.numpy.where(made, new, old) for new, old in zip(following, state, strict=True)]
                return (state, made & jax.numpy.isfinite(loss), wrong | (alive & bad)), (loss, made)

            start = state, jax.numpy.asarray(True), jax.numpy.asarray(False)
            (state, _, wrong), (losses, made) = jax.lax.scan(step, start, each, length=steps)
            return (losses, made, wrong, *state)

        def compiled() -> Any:
            inputs = [[0] * len(samples), [1] * len(each) if isinstance(each, list) else None, [None] * len(state)]
            return devices.shared(function, inputs, (None,) * (3 + len(state)))

        found = self._compiled(
            ("scan", rows, steps, positions is None, tuple(array.shape for array in samples)),
            compiled,
            (samples, each, state),
            only_compile,
        )
        if only_compile:
            return None
        losses, made, wrong, *state = found
        fresh = self.kept.copy()
        for rows_of, numbers in zip(self._rows_of_state(), state, strict=True):
            fresh[rows_of] = numbers
        self.kept = fresh
        return self.numpy.asarray(losses), self.numpy.asarray(made), bool(wrong)

    def _rows_of_state(self) -> list[slice]:
        """What training changes: parameters and buffers, and each `leaf` instruction."""
        return [self.leaves, *(slice(i.first, i.first + i.count) for i in self.lowered.kept)]

    def _moved(self, run: Run, state: list) -> list:
        """The numbers of the next step."""
        following = list(state)
        for source, target in self.program.moves:
            place = next(n for n, rows in enumerate(self._rows_of_state()) if rows.start <= target.rows[0] < rows.stop)
            rows = target.rows - self._rows_of_state()[place].start
            numbers, span = run.rows(source)[:, 0], Table(UNIFORM, rows).range
            if len(rows) == len(following[place]) and span == slice(0, len(rows), 1):
                following[place] = numbers
            else:
                following[place] = following[place].at[rows if span is None else span].set(numbers)
        return following

    def _kept_there(self, arrays: list) -> list:
        """The arrays on the device. Those that nobody may write to stay there from call to call."""
        known, placed = self.resident
        if len(known) != len(arrays) or not all(_is_same(old, new) for old, new in zip(known, arrays, strict=True)):
            placed = [_place(self.devices, array) for array in arrays]
            lasting = not any(array.flags.writeable for array in arrays)
            self.resident = (list(arrays), placed) if lasting else ([], [])
        return placed

    # A call.

    def _run(self, devices: Devices, arrays: list, leaves: Any, kept: Any, rows: int) -> Run:
        axis = AXIS if len(devices) > 1 else None
        lanes, valid = arrays[0].shape[0], None
        if rows % len(devices):
            first = self.jax.lax.axis_index(AXIS) * lanes
            valid = first + self.jax.numpy.arange(lanes) < rows
        return self.lowered.run(arrays, leaves, kept, rows, axis, valid)

    def _any_wrong(self, run: Run) -> Any:
        if run.axis is None or not run.wrong:
            return run.is_wrong
        return self.jax.lax.psum(run.is_wrong.astype("int32"), run.axis) > 0

    def _compiled(self, key: tuple, make: Callable[[], Callable], arguments: tuple, only_compile: bool = False) -> Any:
        with self.jax.enable_x64(True):
            if key not in self.compiled:
                with self.timed():
                    self.compiled[key] = self.jax.jit(make()).lower(*arguments).compile(self.options)
            return None if only_compile else self.compiled[key](*arguments)


def _padded(rows: int, devices: int) -> int:
    return -(-rows // devices) * devices


def _place(devices: Devices, array: Any) -> Any:
    """All of an array on every device."""
    return devices.place(array.shape, None, lambda index: array[index])


def _place_rows(devices: Devices, array: Any, positions: Any) -> Any:
    """The rows of an array at these positions, [lanes] or [steps, lanes], each lane on its device."""
    axis = positions.ndim - 1
    shape = (*positions.shape, array.shape[1])
    return devices.place(shape, axis, lambda index: array[positions[index[: axis + 1]]][..., index[axis + 1]])


def _is_same(old: Any, new: Any) -> bool:
    return old.ctypes.data == new.ctypes.data and old.shape == new.shape and old.strides == new.strides
