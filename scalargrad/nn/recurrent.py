"""Recurrent networks: cells that take one step, and RNN, GRU and LSTM that take them along a sequence.

Formulas, names and shapes of the arrays, and the order of the gates in them are PyTorch's. Backpropagation through time
needs no code: the steps of a sequence are one graph, in which every step reads the same weights.
"""

import random
import reprlib
from collections.abc import Iterator
from functools import cache, partial
from math import sqrt
from typing import Any

from scalargrad.checks import one_of
from scalargrad.datasets.nested import Sample, checked_shape, is_nested, shown
from scalargrad.engine import Value
from scalargrad.files.architecture import Arguments, Shapes, check_flag, described
from scalargrad.holders import arrays_of
from scalargrad.nn.dense import as_operands, checked_size, generator
from scalargrad.nn.module import Module, Parameter
from scalargrad.nn.sequences import as_sequence, linear, matrix
from scalargrad.ops import sigmoid, tanh
from scalargrad.structure import OwnName

NONLINEARITIES = ("tanh", "relu")
MOST_LAYERS = 1000  # of a network in a file, which may demand any number of them


class Cell(Module):
    """The base of the cells: two matrices, of which one reads the inputs and one the hidden state of the step before.

    weight_ih   [gates * hidden_size, input_size]; the rows of the first gate come first
    weight_hh   [gates * hidden_size, hidden_size]
    bias_ih, bias_hh   [gates * hidden_size]; () without biases
    letters     what a unit computes is called, in pictures and explanations: `i.0` is that of the first unit
    """

    gates = 1
    letters = "h"
    options: tuple[str, ...] = ()  # names of further arguments of the constructor

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, rng: int | random.Random | None = None
    ) -> None:
        input_size, hidden_size = checked_size("input_size", input_size), checked_size("hidden_size", hidden_size)
        self.input_size, self.hidden_size = input_size, hidden_size
        rows, source, scale = self.gates * hidden_size, generator(rng), 1.0 / sqrt(hidden_size)

        def draw() -> float:
            return source.uniform(-scale, scale)

        self.weight_ih, self.weight_hh = matrix(rows, input_size, draw), matrix(rows, hidden_size, draw)
        self.bias_ih = tuple(Parameter(draw()) for _ in range(rows)) if bias else ()
        self.bias_hh = tuple(Parameter(draw()) for _ in range(rows)) if bias else ()

    def totals(self, inputs: Sample, hidden: tuple) -> Iterator[tuple[tuple, tuple]]:
        """For each unit what arrives at its gates: from the inputs, and from the hidden state."""
        operands = as_operands(inputs, self.input_size, repr(self))
        from_inputs = linear(self.weight_ih, self.bias_ih, operands)
        from_hidden = linear(self.weight_hh, self.bias_hh, hidden)
        return zip(self._by_unit(from_inputs), self._by_unit(from_hidden), strict=True)

    def names(self) -> tuple[tuple[OwnName, ...], ...]:
        """The names of each unit's results, for those who have none of their own for them."""
        return own_names(self.letters, self.hidden_size)

    def _by_unit(self, totals: list) -> Iterator[tuple]:
        size = self.hidden_size
        return zip(*(totals[gate * size : (gate + 1) * size] for gate in range(self.gates)), strict=True)

    def remembered(self, numbers: Sample, which: str = "hidden") -> tuple:
        """A state of hidden_size Values to start from: zeros for None, called h0 and c0."""
        if numbers is None:
            return (Value(0.0, OwnName(f"{which[0]}0")),) * self.hidden_size
        wanted = f"a {which} state [{self.hidden_size}]"
        shape = checked_shape(numbers, self, wanted)
        if shape != (self.hidden_size,):
            raise ValueError(f"this {self} takes {wanted}, got {shown(shape)}")
        return as_operands(numbers, self.hidden_size, "state")

    def _options(self) -> str:
        return "" if self.bias_ih else ", bias=False"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.input_size}, {self.hidden_size}{self._options()})"


@cache
def own_names(letters: str, units: int) -> tuple[tuple[OwnName, ...], ...]:
    """
    >>> own_names("rz", 2), own_names("rz", 1)
    ((('r.0', 'z.0'), ('r.1', 'z.1')), (('r', 'z'),))
    """
    endings = [f".{unit}" for unit in range(units)] if units > 1 else [""]
    return tuple(tuple(OwnName(letter + ending) for letter in letters) for ending in endings)


def _cell_arguments(cell: Cell) -> Arguments:
    given = {name: getattr(cell, name) for name in ("input_size", "hidden_size", *cell.options)}
    return {**given, "bias": bool(cell.bias_ih)}


def _cell_shapes(kind: type[Cell], input_size: int, hidden_size: int, bias: bool, **options: Any) -> Shapes:
    checked_size("hidden_size", hidden_size)
    check_flag("bias", bias)
    if options.keys() != {*kind.options}:
        raise ValueError(f"{kind.__name__} has the options {list(kind.options)}, got {list(options)}")
    rows = kind.gates * hidden_size
    biases = {"bias_ih": [rows], "bias_hh": [rows]} if bias else {}
    return {"weight_ih": [rows, input_size], "weight_hh": [rows, hidden_size], **biases}


def _described_cell(kind: Any) -> Any:
    return described(partial(_cell_shapes, kind), _cell_arguments)(kind)


@_described_cell
class RNNCell(Cell):
    """hidden = tanh(W_ih inputs + b_ih + W_hh hidden + b_hh), Elman's network (1990).

    nonlinearity   "tanh" or "relu"

    >>> cell = RNNCell(2, 3, rng=0)
    >>> hidden = cell([1.0, 2.0])
    >>> hidden = cell([3.0, 4.0], hidden)
    >>> cell, len(hidden)
    (RNNCell(2, 3, tanh), 3)
    """

    options = ("nonlinearity",)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        rng: int | random.Random | None = None,
    ) -> None:
        one_of("nonlinearity", nonlinearity, NONLINEARITIES)
        super().__init__(input_size, hidden_size, bias, rng)
        self.nonlinearity = nonlinearity

    def __call__(self, inputs: Sample, hidden: Sample = None) -> tuple:
        totals = self.totals(inputs, self.remembered(hidden))
        after = []
        for (name,), ((a,), (b,)) in zip(self.names(), totals, strict=True):
            h = getattr(a + b, self.nonlinearity)()
            h.label = name
            after.append(h)
        return tuple(after)

    def _options(self) -> str:
        return f", {self.nonlinearity}{super()._options()}"


@_described_cell
class GRUCell(Cell):
    """A gated recurrent unit (Cho et al. 2014), with the reset gate where PyTorch and cuDNN have it:

    r, z = sigmoid(...), sigmoid(...)       reset and update gate
    n = tanh(W_in x + b_in + r (W_hn h + b_hn))
    h = (1 - z) n + z h

    Of the 3 * hidden_size rows of each matrix the first are those of r, then come z and n.

    >>> cell = GRUCell(2, 3, rng=0)
    >>> hidden = cell([1.0, 2.0])
    >>> cell, len(cell.weight_ih)
    (GRUCell(2, 3), 9)
    """

    gates = 3
    letters = "rznh"

    def __call__(self, inputs: Sample, hidden: Sample = None) -> tuple:
        before, after = self.remembered(hidden), []
        for names, (from_inputs, from_hidden), h in zip(self.names(), self.totals(inputs, before), before, strict=True):
            (input_r, input_z, input_n), (hidden_r, hidden_z, hidden_n) = from_inputs, from_hidden
            r, z = sigmoid(input_r + hidden_r), sigmoid(input_z + hidden_z)
            n = tanh(input_n + r * hidden_n)
            h_after = (1.0 - z) * n + z * h
            r.label, z.label, n.label, h_after.label = names
            after.append(h_after)
        return tuple(after)


@_described_cell
class LSTMCell(Cell):
    """Long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 1999):

    i, f, o = sigmoid(...), sigmoid(...), sigmoid(...)       input, forget and output gate
    g = tanh(...)
    c = f c + i g
    h = o tanh(c)

    Its state is (hidden, cell), each of hidden_size numbers. Of the 4 * hidden_size rows of each matrix the first are
    those of i, then come f, g and o.

    >>> lstm = LSTMCell(2, 3, rng=0)
    >>> hidden, cell = lstm([1.0, 2.0])
    >>> hidden, cell = lstm([3.0, 4.0], (hidden, cell))
    >>> lstm, len(hidden), len(cell)
    (LSTMCell(2, 3), 3, 3)
    """

    gates = 4
    letters = "ifgoch"

    def __call__(self, inputs: Sample, state: Sample = None) -> tuple[tuple, tuple]:
        hidden, cell = (None, None) if state is None else pair(state, self)
        hidden, cell = self.remembered(hidden), self.remembered(cell, "cell")
        hidden_after, cell_after = [], []
        for names, (from_inputs, from_hidden), before in zip(
            self.names(), self.totals(inputs, hidden), cell, strict=True
        ):
            input_i, input_f, input_g, input_o = (a + b for a, b in zip(from_inputs, from_hidden, strict=True))
            i, f, g, o = sigmoid(input_i), sigmoid(input_f), tanh(input_g), sigmoid(input_o)
            c = f * before + i * g
            h = o * tanh(c)
            i.label, f.label, g.label, o.label, c.label, h.label = names
            hidden_after.append(h)
            cell_after.append(c)
        return tuple(hidden_after), tuple(cell_after)


class Recurrent(Module):
    """Cells along a sequence: the first reads its steps, each other one the outputs of the one below.

    input_size    how many numbers each step has
    hidden_size   how many a step puts out
    num_layers    how many cells stand on each other
    rng           a seed or a random.Random; None uses Python's global one

    It takes a sequence [steps][input_size] and, if it does not begin with zeros, a state; it returns the outputs of the
    last layer, [steps][hidden_size], and the state after the last step. Its arrays are called as in PyTorch:
    `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, `weight_ih_l1` ...
    """

    cell: type[Cell]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        rng: int | random.Random | None = None,
        **options: Any,
    ) -> None:
        num_layers, source = checked_size("num_layers", num_layers), generator(rng)
        self.cells = [
            self.cell(hidden_size if layer else input_size, hidden_size, bias, rng=source, **options)
            for layer in range(num_layers)
        ]

    def __call__(self, sequence: Sample, state: Sample = None) -> tuple[tuple, Any]:
        steps = as_sequence(sequence, self.cells[0].input_size, self)
        last = []
        for cell, memory in zip(self.cells, self.memories(state), strict=True):
            outputs = []
            for step in steps:
                memory = cell(step, memory)
                outputs.append(self.output_of(memory))
            steps = tuple(outputs)
            last.append(memory)
        return steps, self.state_of(last)

    def memories(self, state: Sample) -> list:
        """The memory that each cell starts from, of a state [num_layers][hidden_size]; Nones for None."""
        if state is None:
            return [None] * len(self.cells)
        wanted = len(self.cells), self.cells[0].hidden_size
        shape = checked_shape(state, self, f"a state {shown(wanted)}")
        if shape != wanted:
            raise ValueError(f"this {self} takes a state {shown(wanted)}, a row for each layer, got {shown(shape)}")
        return list(state)

    def output_of(self, memory: Any) -> tuple:
        """The part of its memory that a layer shows to the next one."""
        return memory

    def state_of(self, memories: list) -> tuple:
        """The state of the network, of the memories of its cells."""
        return tuple(memories)

    def named_arrays(self) -> Iterator[tuple[str, Any]]:
        """PyTorch's names: those of the cells, with the number of the layer."""
        for layer, cell in enumerate(self.cells):
            for name, array in cell.named_arrays():
                yield f"{name}_l{layer}", array
        yield from arrays_of(self, but=("cells",))  # what somebody has added

    def __repr__(self) -> str:
        first = self.cells[0]
        layers = f", num_layers={len(self.cells)}" if len(self.cells) > 1 else ""
        return f"{type(self).__name__}({first.input_size}, {first.hidden_size}{layers}{first._options()})"


def _network_arguments(network: Recurrent) -> Arguments | None:
    cells = [_cell_arguments(cell) for cell in network.cells if type(cell) is network.cell]
    if not cells or len(cells) < len(network.cells):
        return None
    alike = all({**cell, "input_size": None} == {**cells[0], "input_size": None} for cell in cells)
    return {**cells[0], "num_layers": len(cells)} if alike else None


def _network_shapes(
    kind: type[Recurrent], input_size: int, hidden_size: int, num_layers: int, bias: bool, **options: Any
) -> Shapes:
    checked_size("num_layers", num_layers)
    if num_layers > MOST_LAYERS:
        raise ValueError(f"num_layers is at most {MOST_LAYERS} in a file, got {num_layers}")
    sizes = [input_size, *[hidden_size] * (num_layers - 1)]
    layers = [_cell_shapes(kind.cell, size, hidden_size, bias, **options) for size in sizes]
    return {f"{name}_l{n}": shape for n, layer in enumerate(layers) for name, shape in layer.items()}


def _described_network(kind: Any) -> Any:
    return described(partial(_network_shapes, kind), _network_arguments)(kind)


@_described_network
class RNN(Recurrent):
    """RNNCells along a sequence; `nonlinearity` is "tanh" or "relu". Its state is [num_layers][hidden_size].

    >>> outputs, state = RNN(2, 3, rng=0)([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> len(outputs), outputs[-1] == state[0]
    (3, True)
    """

    cell = RNNCell


@_described_network
class GRU(Recurrent):
    """GRUCells along a sequence. Its state is [num_layers][hidden_size].

    >>> outputs, state = GRU(2, 3, num_layers=2, rng=0)([[1.0, 2.0], [3.0, 4.0]])
    >>> len(outputs), len(state), outputs[-1] == state[1]
    (2, 2, True)
    """

    cell = GRUCell


@_described_network
class LSTM(Recurrent):
    """LSTMCells along a sequence. Its state is (hidden, cell), each [num_layers][hidden_size].

    >>> model = LSTM(2, 3, rng=0)
    >>> outputs, (hidden, cell) = model([[1.0, 2.0], [3.0, 4.0]])
    >>> more, state = model([[5.0, 6.0]], (hidden, cell))
    >>> len(outputs), outputs[-1] == hidden[0]
    (2, True)
    """

    cell = LSTMCell

    def memories(self, state: Sample) -> list:
        if state is None:
            return super().memories(None)
        hidden, cell = pair(state, self)
        return list(zip(super().memories(hidden), super().memories(cell), strict=True))

    def output_of(self, memory: Any) -> tuple:
        return memory[0]

    def state_of(self, memories: list) -> tuple:
        return tuple(zip(*memories, strict=True))


def pair(state: Sample, layer: object) -> Any:
    """A state of two parts, checked."""
    if not is_nested(state) or len(state) != 2:
        raise ValueError(f"this {layer} takes a state (hidden, cell), got {reprlib.repr(state)}")
    return state
