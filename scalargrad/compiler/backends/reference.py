"""The NumPy backend: the readable reference, one line of NumPy for each primitive, BLAS for contractions."""

from collections.abc import Callable, Sequence
from functools import partial
from types import ModuleType
from typing import NoReturn

import numpy
from numpy import ndarray

from scalargrad.arrays import uniform_array
from scalargrad.compiler.backends import Slopes, Source, Toolchain
from scalargrad.compiler.program import LANE, UNIFORM, Instruction, Kind, Program, Table
from scalargrad.compiler.store import Lease, Places, as_places
from scalargrad.randomness import LARGEST

Banks = dict[str, ndarray]  # lane rows [rows, lanes], uniform rows [rows, 1]


def primitives() -> dict[str, Callable]:
    """Operation -> a function of arrays and the array for its result. Operands in a tuple are the second axis."""
    from scipy import special  # of all backends only this one needs it

    return {
        **elementary(numpy),
        "pow": _power,
        "sech": _sech,
        "tanh": numpy.tanh,
        "sigmoid": _sigmoid,
        "relu": lambda x, out: numpy.add(numpy.maximum(x, 0.0, out=out), 0.0, out=out),  # -0.0 + 0.0 is 0.0
        "erf": special.erf,
        "erfc": special.erfc,
        "abs": numpy.absolute,
        "step": lambda x, out: numpy.heaviside(x, 0.0, out=out),
        "maximum": lambda xs, out: numpy.max(xs, axis=1, out=out),
        "where": lambda condition, xs, out: numpy.copyto(out, numpy.where(condition != 0.0, xs[:, 0], xs[:, 1])),
        "less": numpy.less,
        "less_equal": numpy.less_equal,
        "equal": numpy.equal,
        "both": numpy.logical_and,
        "either": numpy.logical_or,
        "invert": numpy.logical_not,
        "take": _take,
        "sum": lambda xs, out: numpy.add.reduce(xs, axis=1, out=out),
        "dot": lambda weights, inputs, out: numpy.einsum(
            "nkl,nkl->nl", *numpy.broadcast_arrays(weights, inputs), out=out
        ),
        "batch_mean": lambda x, out: numpy.copyto(out, x),
        "random": lambda counters, out: numpy.copyto(
            out, uniform_array(numpy, numpy.moveaxis(counters, 1, 0), str(out.dtype))
        ),
    }


def _power(x: ndarray, n: ndarray, out: ndarray) -> None:
    numpy.power(x, n, out=out)
    # Where 0.5 is the exponent of all, NumPy takes the square root: that of -0.0 and -inf is another number.
    numpy.copyto(out, numpy.absolute(x), where=(n == 0.5) & ((x == 0.0) | (x == -numpy.inf)))


def _sech(x: ndarray, out: ndarray) -> None:
    e = numpy.exp(-numpy.absolute(x))
    numpy.divide(2.0 * e, 1.0 + e * e, out=out)


def _sigmoid(x: ndarray, out: ndarray) -> None:
    e = numpy.exp(-numpy.absolute(x))  # exp(-x) would overflow where the result is still a float
    numpy.divide(numpy.where(x < 0.0, e, 1.0), 1.0 + e, out=out)


def _take(index: ndarray, values: ndarray, out: ndarray) -> None:
    count = values.shape[1]
    wrong = ~((index >= 0) & (index < count) & (index == numpy.floor(index)))
    if wrong.any():
        row = int(numpy.argwhere(wrong)[0][-1])
        bad = numpy.broadcast_to(index, wrong.shape)[wrong][0]
        raise IndexError(f"take: index {bad} in row {row} is not one of the {count} positions 0..{count - 1}")
    places = numpy.broadcast_to(index.astype(int), out.shape)
    values = numpy.broadcast_to(values, (*values.shape[:2], out.shape[1]))
    numpy.copyto(out, numpy.take_along_axis(values, places[:, None], axis=1)[:, 0])


def elementary(numpy: ModuleType) -> dict[str, Callable]:
    """Operations for which NumPy has a function, and JAX one of the same name."""
    return {
        "add": numpy.add,
        "sub": numpy.subtract,
        "mul": numpy.multiply,
        "div": numpy.divide,
        "neg": numpy.negative,
        "exp": numpy.exp,
        "exp2": numpy.exp2,
        "expm1": numpy.expm1,
        "log": numpy.log,
        "log1p": numpy.log1p,
        "log2": numpy.log2,
        "log10": numpy.log10,
        "sqrt": numpy.sqrt,
        "sin": numpy.sin,
        "cos": numpy.cos,
        "tan": numpy.tan,
        "asin": numpy.arcsin,
        "acos": numpy.arccos,
        "atan": numpy.arctan,
        "atan2": numpy.arctan2,
        "sinh": numpy.sinh,
        "cosh": numpy.cosh,
        "asinh": numpy.arcsinh,
        "acosh": numpy.arccosh,
        "atanh": numpy.arctanh,
        "hypot": numpy.hypot,
        "floor": numpy.floor,
        "ceil": numpy.ceil,
        "round": numpy.rint,
        "mod": numpy.mod,
    }


class Kept:
    """The numbers of a program's leaves that last from run to run, in an array that is replaced after each."""

    def __init__(self, program: Program, dtype: str) -> None:
        self.program, self.dtype = program, dtype
        self.kept = numpy.zeros(program.uniform_rows, dtype)
        self.leaves = slice(len(program.constants), program.batch_row)
        self.lease = Lease(program.leaves)
        self.done = 0  # steps of training so far

    def located(self, rows: ndarray) -> Places:
        """The places of uniform rows that last from run to run."""
        return as_places(rows)

    def read(self, places: Places) -> ndarray:
        return self.kept[places]

    def write(self, places: Places, numbers: Sequence[float] | ndarray) -> None:
        self.kept[places] = numbers

    def refuse(self, arrays: list[ndarray]) -> NoReturn:
        refuse(self.program, self.dtype, arrays, self.read(self.leaves))


class NumpyBackend(Kept):
    """A program ready to run on arrays of one number of lanes after another.

    instead   why it runs what another backend should have
    """

    def __init__(self, program: Program, dtype: str, instead: str = "") -> None:
        super().__init__(program, dtype)
        self.instead = instead
        self.primitives = primitives()
        self.plans: dict[int, tuple[ndarray, ndarray, list[Callable]]] = {}

    @classmethod
    def made(cls, source: Source, toolchain: Toolchain) -> "NumpyBackend":
        return cls(source.program, toolchain.dtype)

    def results(self, arrays: list[ndarray], rows: int) -> ndarray:
        table = self.program.result
        assert table is not None
        self.lease.copy_to(self.read(self.leaves))
        lane_bank, uniform_bank = self.run(columns_of(arrays), rows)
        if table.bank == LANE:
            return lane_bank[table.rows].T
        return numpy.broadcast_to(uniform_bank[table.rows, 0], (rows, len(table.rows)))

    def slopes(self, arrays: list[ndarray], rows: int) -> Slopes:
        program = self.program
        assert program.mean is not None
        assert program.gradient is not None
        self.lease.copy_to(self.read(self.leaves))
        _, uniform = self.run(columns_of(arrays), rows)
        updates = {buffer: float(uniform[table.rows[0], 0]) for buffer, table in program.updates.items()}
        return float(uniform[program.mean.rows[0], 0]), uniform[program.gradient.rows, 0], updates

    def train(
        self, arrays: list[ndarray], order: ndarray | None, rows: int, steps: int, advance: int, history: ndarray
    ) -> bool:
        program = self.program
        assert program.mean is not None
        sources, leaves = (numpy.concatenate([move[side].rows for move in program.moves]) for side in (0, 1))
        for step in range(steps):
            chosen = arrays if order is None else [a[order[step * advance : step * advance + rows]] for a in arrays]
            _, uniform = self.run(columns_of(chosen), rows)
            history[step] = uniform[program.mean.rows[0], 0]
            fresh = self.kept.copy()
            fresh[leaves] = uniform[sources, 0]
            self.kept, self.done = fresh, self.done + 1
            if not numpy.isfinite(history[step]):
                break
        return True

    def prepare(self, arrays: list[ndarray], shuffled: bool, sizes: list[tuple[int, int]]) -> None:
        """There is nothing to compile."""

    def steps_at_once(self, rows: int) -> int:
        return 100  # the user can interrupt each

    def report(self, rows: int) -> str:
        instead = f": {self.instead}" if self.instead else ""
        return f"numpy: all {len(self.program.instructions)} instructions run in NumPy{instead}"

    def run(self, columns: ndarray, lanes: int) -> tuple[ndarray, ndarray]:
        """The banks after a run: lane rows [rows, lanes] and uniform rows [rows, 1].

        columns   the inputs, [numbers of one sample, lanes]
        """
        program = self.program
        if lanes not in self.plans:
            self.plans.clear()  # the memory of one batch size at a time
            self.plans[lanes] = self._steps(lanes)
        lane_bank, uniform_bank, steps = self.plans[lanes]
        lane_bank[: len(columns)] = columns
        uniform_bank[self.leaves, 0] = self.kept[self.leaves]
        for instruction in program.instructions:
            if instruction.kind is Kind.LEAF:
                uniform_bank[instruction.rows, 0] = self.kept[instruction.rows]
        with numpy.errstate(all="ignore"):
            for step in steps:
                step()
        return lane_bank, uniform_bank

    def _steps(self, lanes: int) -> tuple[ndarray, ndarray, list[Callable]]:
        program = self.program
        banks = {
            LANE: numpy.zeros((program.lane_rows, lanes), self.dtype),
            UNIFORM: numpy.zeros((program.uniform_rows, 1), self.dtype),
        }
        banks[UNIFORM][: len(program.constants), 0] = program.constants
        banks[UNIFORM][program.batch_row] = 1.0 / lanes
        steps = []
        for instruction in program.instructions:
            out = banks[instruction.bank][instruction.first : instruction.first + instruction.count]
            if instruction.kind is Kind.CONSTANT:
                out[:] = instruction.number
            elif instruction.kind is not Kind.LEAF:
                steps.append(self._step(instruction, banks, out))
        return banks[LANE], banks[UNIFORM], steps

    def _step(self, instruction: Instruction, banks: Banks, out: ndarray) -> Callable:
        if instruction.kind is Kind.CONTRACT:
            return self._contraction(instruction, banks, out)
        if instruction.kind is Kind.OUTER:
            above, inputs = instruction.args
            rows = len(above.rows)
            upstream, columns = _block(above, banks), _block(Table(inputs.bank, inputs.rows.T), banks)
            return lambda: numpy.matmul(upstream(), columns().T, out=out.reshape(rows, -1))
        if instruction.kind is Kind.LANE_SUM:
            terms = _block(instruction.args[0], banks)
            return lambda: numpy.add.reduce(terms(), axis=1, keepdims=True, out=out)
        arrays = [_reader(table, banks) for table in instruction.args]
        if instruction.kind is Kind.BROADCAST:
            return self._called(lambda x, out: numpy.copyto(out, x), arrays, out)
        assert instruction.op is not None
        if instruction.op.name == "random":
            counters = self._counters(instruction.args[0], banks)
            return lambda: self.primitives["random"](counters(), out=out)
        return self._called(self.primitives[instruction.op.name], arrays, out)

    def _counters(self, table: Table, banks: Banks) -> Callable:
        """A function that gives the counters of random() as float64: constants to the bit, in every precision."""
        known, constants = (of_rows[table.rows] for of_rows in self.program.known_numbers()[table.bank])
        constants = constants[known]

        def counters() -> ndarray:
            numbers = banks[table.bank][table.rows].astype(numpy.float64)
            rounded = numpy.absolute(numbers[~known])
            if self.dtype == "float32" and ((rounded >= 2**24) & (rounded < LARGEST)).any():
                raise ValueError("random: float32 has no whole numbers of its own from 2**24 on; use dtype='float64'")
            numbers[known] = constants[:, None]
            wrong = numbers[~((numbers == numpy.floor(numbers)) & (numpy.absolute(numbers) < LARGEST))]
            if wrong.size:
                raise ValueError(f"random counts in whole numbers below 2**63, got {wrong[0]}")
            return numbers

        return counters

    @staticmethod
    def _called(function: Callable, arrays: list, out: ndarray) -> Callable:
        """A step without arguments: views are bound once, gathered rows are read anew by each run."""
        if all(not callable(array) for array in arrays):
            return (
                partial(function, *arrays, out) if not _wants_keyword(function) else partial(function, *arrays, out=out)
            )
        return lambda: function(*(array() if callable(array) else array for array in arrays), out=out)

    def _contraction(self, instruction: Instruction, banks: Banks, out: ndarray) -> Callable:
        weights, inputs = instruction.args
        rows, columns = len(weights.rows), len(inputs.rows)
        if weights.bank == UNIFORM:
            left, right = _block(weights, banks), _block(Table(inputs.bank, inputs.rows.T), banks)
            return lambda: numpy.matmul(left(), right(), out=out.reshape(rows, -1))
        shaped = out.reshape(rows, columns, -1)
        return lambda: numpy.einsum(
            "rkl,ckl->rcl", banks[weights.bank][weights.rows], banks[inputs.bank][inputs.rows], out=shaped
        )


def _wants_keyword(function: Callable) -> bool:
    return not hasattr(function, "nin")  # a ufunc takes its result as its last argument


def _reader(table: Table, banks: Banks) -> ndarray | Callable:
    """A view of the rows where they are evenly spaced, else a function that gathers them."""
    bank, span = banks[table.bank], table.range
    if span is not None:
        return bank[span]
    return lambda: bank[table.rows]


def _block(table: Table, banks: Banks) -> Callable:
    """A function that gives the rows of a table [n, m] as the matrix [n, m * lanes]."""
    bank, flat = banks[table.bank], Table(table.bank, table.rows.ravel())
    n, m = table.rows.shape
    if flat.range is not None and (flat.range.step == 1 or m == 1):
        view = bank[flat.range]
        if view.flags.c_contiguous or m == 1:
            matrix = view.reshape(n, -1) if view.flags.c_contiguous else view
            return lambda: matrix
    turned = Table(table.bank, table.rows.T.ravel())
    if turned.range is not None and turned.range.step == 1 and bank.shape[1] == 1:
        matrix = bank[turned.range].reshape(m, n).T
        return lambda: matrix
    return lambda: bank[table.rows].reshape(n, -1)


def refuse(program: Program, dtype: str, arrays: list[ndarray], numbers: ndarray) -> NoReturn:
    """Say which argument of an operation is wrong in these arrays: NumPy runs the program and finds out.

    numbers   those of the parameters and then of the buffers
    """
    backend = NumpyBackend(program, dtype)
    backend.write(backend.leaves, numbers)
    backend.run(columns_of(arrays), len(arrays[0]))
    raise ValueError("an operation met a number that it cannot take")


def columns_of(arrays: list[ndarray]) -> ndarray:
    """The inputs one after another, [numbers of one sample, rows]."""
    return (arrays[0] if len(arrays) == 1 else numpy.concatenate(arrays, axis=1)).T
