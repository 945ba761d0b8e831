"""lower: a program as one function of arrays, in operations of JAX.

Each instruction's result is an array [rows, lanes], or [rows, 1] where all lanes share it. A table of rows is read from
such arrays by slices where it is a pattern, and by a gather where it is none.

On several devices each has some of the lanes, and calls the same function with these. Only sums over lanes need the
others: what the devices found is added up.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy
from numpy import ndarray

from scalargrad.compiler.backends.xla.derivatives import with_partials
from scalargrad.compiler.backends.xla.primitives import primitives, random, wrong_index
from scalargrad.compiler.backends.xla.windows import window
from scalargrad.compiler.program import LANE, UNIFORM, Instruction, Kind, Program, Table

if TYPE_CHECKING:
    from jax import Array

MOST_PIECES = 16  # of a table, each read from an array of its own; more are one gather from all these arrays

Reader = Callable[["Environment"], Any]  # an array of JAX, or of NumPy where all is known


class Lowered:
    """A program made ready for tracing: `run` may be called where JAX traces, any number of times.

    differentiable   with the derivatives of the table, for those who let JAX differentiate it once more
    """

    def __init__(self, program: Program, dtype: str, differentiable: bool = False) -> None:
        import jax

        self.jax, self.program, self.dtype = jax, program, dtype
        self.primitives = with_partials(jax, primitives(jax)) if differentiable else primitives(jax)
        self.known = program.known_numbers()
        # Where the rows of each array begin: inputs, leaves and results.
        lane_starts = [sum(program.inputs[:i]) for i in range(len(program.inputs))]
        self.starts = {LANE: lane_starts, UNIFORM: [0, len(program.constants), program.batch_row]}
        for instruction in program.instructions:
            self.starts[instruction.bank].append(instruction.first)
        self.ends = {
            LANE: [*self.starts[LANE][1:], program.lane_rows],
            UNIFORM: [*self.starts[UNIFORM][1:], program.uniform_rows],
        }
        self.constants = {
            n: numpy.array(self.known[UNIFORM][1][start:end], dtype)[:, None]
            for n, (start, end) in enumerate(zip(self.starts[UNIFORM], self.ends[UNIFORM], strict=True))
            if self.known[UNIFORM][0][start:end].all()
        }
        self.readers: dict[tuple, Reader] = {}
        self.steps = [self._step(i) for i in program.instructions if not i.kind.is_given]
        self.kept = [instruction for instruction in program.instructions if instruction.kind is Kind.LEAF]

    def run(
        self,
        arrays: Sequence["Array"],
        leaves: "Array",
        kept: Sequence["Array"] = (),
        rows: int | None = None,
        axis: str | None = None,
        valid: "Array | None" = None,
    ) -> "Environment":
        """The program on lanes [lanes, numbers of one sample] of each input.

        leaves   the numbers of parameters and buffers, [n]
        kept     those of the `leaf` instructions, [n] each
        rows     of the whole batch; the lanes, unless said
        axis     the name of the axis of devices that share the batch
        valid    which lanes take part in sums, [lanes]; None for all
        """
        run = Environment(self, arrays, leaves, kept, rows, axis, valid)
        for step in self.steps:
            step(run)
        return run

    # Instructions.

    def _step(self, instruction: Instruction) -> Callable[["Environment"], None]:
        compute = self._computation(instruction)
        where, count = self.owner(instruction.bank, instruction.first), instruction.count
        across = instruction.kind.sums_lanes

        def step(run: "Environment") -> None:
            result = compute(run).astype(self.dtype)
            if across and run.axis is not None:
                result = self.jax.lax.psum(result, run.axis)  # XLA sends several of them together
            lanes = run.lanes if instruction.bank == LANE else 1
            run.arrays[instruction.bank][where] = self.jax.numpy.broadcast_to(result, (count, lanes))

        return step

    def _computation(self, instruction: Instruction) -> Reader:
        kind, args = instruction.kind, instruction.args
        if kind is Kind.CONTRACT:
            return self._contraction(*args)
        if kind is Kind.OUTER:
            return self._outer(*args)
        if kind is Kind.LANE_SUM:
            terms = self.reader(args[0])
            return lambda run: run.selected(terms(run)).sum((1, 2))[:, None]
        if kind is Kind.BROADCAST:
            return self.operand(args[0])
        assert instruction.op is not None
        operation = instruction.op.name
        if operation == "random":
            return self._random(args[0])
        if operation == "sum" and (columns := self._columns(args[0])) is not None:
            return lambda run: sum((column(run) for column in columns[1:]), start=columns[0](run))
        readers, function = [self.operand(table) for table in args], self.primitives[operation]
        if operation == "take":
            return lambda run: self._take(run, *(read(run) for read in readers))
        return lambda run: function(*(read(run) for read in readers))

    def _contraction(self, weights: Table, inputs: Table) -> Reader:
        first, second = ("l" if table.bank == LANE else "" for table in (weights, inputs))
        r, weights = _without_axis("r", weights)
        c, inputs = _without_axis("c", inputs)
        left, right = self.reader(weights), self.reader(inputs)
        formula = f"{r}k{first},{c}k{second}->{r}{c}{first or second}"

        def compute(run: "Environment") -> "Array":
            weights, inputs = left(run), right(run)
            result = self._product(formula, weights if first else weights[..., 0], inputs if second else inputs[..., 0])
            return result.reshape(-1, run.lanes if first or second else 1)

        return compute

    def _outer(self, above: Table, inputs: Table) -> Reader:
        c, rows = _without_axis("c", Table(above.bank, above.rows.T))
        _, columns = _without_axis("c", inputs)
        left, right = self.reader(rows), self.reader(columns)
        formula = f"{c}rl,{c}kl->rk"
        return lambda run: self._product(formula, run.selected(left(run)), run.selected(right(run))).reshape(-1, 1)

    def _product(self, formula: str, left: "Array", right: "Array") -> "Array":
        """In full precision on accelerators, too, which would else round float32 to fewer bits."""
        return self.jax.numpy.einsum(formula, left, right, precision="highest")

    def _take(self, run: "Environment", index: "Array", values: "Array") -> "Array":
        run.wrong.append(wrong_index(self.jax.numpy, index, values))
        return self.primitives["take"](index, values)

    def _random(self, table: Table) -> Reader:
        known, numbers = (of_rows[table.rows][..., None] for of_rows in self.known[table.bank])
        columns = [self.operand(Table(table.bank, column)) for column in table.rows.T]

        def compute(run: "Environment") -> "Array":
            counters = [(column(run), known[:, place], numbers[:, place]) for place, column in enumerate(columns)]
            result, wrong = random(self.jax, counters, self.dtype)
            run.wrong.append(wrong)
            return self.jax.numpy.where(wrong, numpy.nan, result)

        return compute

    # Tables.

    def reader(self, table: Table) -> Reader:
        """A function that gives the rows of a table, [shape of the table, lanes]."""
        key = table.bank, table.rows.shape, table.rows.tobytes()
        if key not in self.readers:
            self.readers[key] = _remembered(self._reader(table.bank, table.rows), key)
        return self.readers[key]

    def operand(self, table: Table) -> Reader:
        """A reader for an operand of an elementwise operation: of a column that repeats one row, that row."""
        rows = table.rows
        repeats = rows.ndim == 1 and rows.size and (rows == rows[0]).all()
        return self.reader(Table(table.bank, rows[:1]) if repeats else table)

    def _reader(self, bank: str, rows: ndarray) -> Reader:
        if not rows.size:
            return lambda run: numpy.zeros((*rows.shape, 1), self.dtype)
        if bank == UNIFORM:
            known, numbers = self.known[bank]
            if known[rows].all():
                constant = numbers[rows].astype(self.dtype)[..., None]
                return lambda run: constant
        owners = self.owner(bank, rows)
        first = owners.flat[0]
        if (owners == first).all():
            return self._from_one(bank, int(first), rows - self.starts[bank][first])
        for axis in range(rows.ndim):
            changes = numpy.diff(owners, axis=axis) != 0
            cuts = numpy.flatnonzero(changes if rows.ndim == 1 else changes.any(axis=1 - axis))
            if 0 < len(cuts) < MOST_PIECES:
                parts = [self._reader(bank, part) for part in numpy.split(rows, cuts + 1, axis)]
                return lambda run: self._joined([part(run) for part in parts], axis)
        return self._from_several(bank, owners, rows)

    def _from_one(self, bank: str, owner: int, rows: ndarray) -> Reader:
        count = self.ends[bank][owner] - self.starts[bank][owner]
        if bank == LANE and owner < len(self.program.inputs) and numpy.array_equal(rows, numpy.arange(count)):
            return lambda run: run.samples[owner].T  # as a factor of a product they need not be turned
        pattern = window(rows, count)
        if pattern is not None:
            return lambda run: pattern.read(self.jax.numpy, run.arrays[bank][owner])
        return lambda run: self.jax.numpy.take(run.arrays[bank][owner], rows, axis=0, mode="clip")

    def _from_several(self, bank: str, owners: ndarray, rows: ndarray) -> Reader:
        """A reader from all arrays that have some of the rows, one after another."""
        there, place = numpy.unique(owners, return_inverse=True)
        starts, ends = (numpy.array(ends[bank])[there] for ends in (self.starts, self.ends))
        moved = numpy.concatenate([[0], numpy.cumsum(ends - starts)[:-1]]) - starts
        rows = rows + moved[place.reshape(rows.shape)]
        key = (bank, tuple(there.tolist()))

        def join(run: "Environment") -> "Array":
            return self._joined([run.arrays[bank][owner] for owner in there.tolist()], 0)

        joined = _remembered(join, key)
        return lambda run: self.jax.numpy.take(joined(run), rows, axis=0, mode="clip")

    def _joined(self, arrays: list, axis: int) -> "Array":
        """One array of several, one after another along an axis."""
        jnp, shapes = self.jax.numpy, [array.shape for array in arrays]
        if shapes[0][-1] != 1:
            return jnp.concatenate(arrays, axis)
        # Without lanes XLA would ask number by number which of the arrays it is from: each is copied into its place.
        length = sum(shape[axis] for shape in shapes)
        whole, first = jnp.zeros((*shapes[0][:axis], length, *shapes[0][axis + 1 :]), self.dtype), 0
        for array in arrays:
            whole = self.jax.lax.dynamic_update_slice_in_dim(whole, array, first, axis)
            first += array.shape[axis]
        return whole

    def _columns(self, table: Table) -> list[Reader] | None:
        """Readers of the columns of a table, if each is an array's own: then nothing needs to be put together."""
        owners = self.owner(table.bank, table.rows)
        many = 1 < owners.shape[1] <= MOST_PIECES and len(owners) and len(set(owners[0].tolist())) > 1
        if not many or not (owners == owners[0]).all():
            return None
        return [self.operand(Table(table.bank, column)) for column in table.rows.T]

    def owner(self, bank: str, rows: ndarray | int) -> Any:
        """The numbers of the arrays that have the rows."""
        return numpy.searchsorted(self.starts[bank], rows, side="right") - 1


class Environment:
    """The results of the instructions so far.

    wrong   [rows, lanes] each: where take() and random() were asked for what is not there
    """

    def __init__(
        self,
        lowered: Lowered,
        arrays: Sequence["Array"],
        leaves: "Array",
        kept: Sequence["Array"],
        rows: int | None,
        axis: str | None,
        valid: "Array | None",
    ) -> None:
        jnp = lowered.jax.numpy
        self.lowered, self.axis, self.valid = lowered, axis, valid
        self.lanes = arrays[0].shape[0]
        share = jnp.full((1, 1), 1.0 / (self.lanes if rows is None else rows), lowered.dtype)
        self.arrays: dict[str, dict[int, Any]] = {LANE: {}, UNIFORM: {1: leaves[:, None], 2: share}}
        # Behind a barrier samples are turned once. Else each of a convolution's slices would turn them for itself.
        self.samples, turn = arrays, lowered.jax.lax.optimization_barrier
        self.arrays[LANE].update((n, turn(array.T)) for n, array in enumerate(arrays))
        self.arrays[UNIFORM].update(lowered.constants)
        for instruction, numbers in zip(lowered.kept, kept, strict=True):
            self.arrays[UNIFORM][lowered.owner(UNIFORM, instruction.first)] = numbers[:, None]
        self.wrong: list[Array] = []
        self.read: dict[tuple, Array] = {}

    def rows(self, table: Table | None) -> "Array":
        """The numbers of a table, [shape, lanes]."""
        assert table is not None
        return self.lowered.reader(table)(self)

    def selected(self, numbers: "Array") -> "Array":
        """0 in lanes that do not take part."""
        if self.valid is None:
            return numbers
        return self.lowered.jax.numpy.where(self.valid, numbers, 0.0)

    @property
    def is_wrong(self) -> "Array":
        """Did any lane of this device ask for what is not there?"""
        jnp = self.lowered.jax.numpy
        return sum((jnp.any(one) for one in self.wrong), start=jnp.asarray(False))


def _without_axis(letter: str, table: Table) -> tuple[str, Table]:
    """The letter of a table's first axis, or none for a table of one line, which a product takes without that axis.

    XLA then sees a product of two matrices, and turns none of them around.
    """
    return (letter, table) if len(table.rows) > 1 else ("", Table(table.bank, table.rows[0]))


def _remembered(read: Reader, key: tuple) -> Reader:
    """A reader that reads once in a run."""

    def remembered(run: Environment) -> "Array":
        if key not in run.read:
            run.read[key] = read(run)
        return run.read[key]

    return remembered
