"""Embedding, cells and sequences: agreement with PyTorch's of the same weights, states, names, errors."""

import math

import numpy as np
import pytest

from scalargrad.compiler import compile
from scalargrad.engine import Value
from scalargrad.nn.embedding import Embedding
from scalargrad.nn.recurrent import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell
from tests.oracles.functions import numbers
from tests.oracles.torch_agreement import EVERY_WAY, Agreement, flat_of

ROWS, STEPS, INPUTS, HIDDEN = 5, 4, 3, 2
CELLS = [
    (RNNCell, {}),
    (RNNCell, {"nonlinearity": "relu"}),
    (RNNCell, {"bias": False}),
    (GRUCell, {}),
    (GRUCell, {"bias": False}),
    (LSTMCell, {}),
    (LSTMCell, {"bias": False}),
]
SEQUENCES = [
    (RNN, {}),
    (RNN, {"num_layers": 2, "nonlinearity": "relu"}),
    (GRU, {}),
    (GRU, {"num_layers": 3}),
    (LSTM, {}),
    (LSTM, {"num_layers": 2, "bias": False}),
]


def shown(x):
    return x.__name__ if isinstance(x, type) else ", ".join(f"{name}={option}" for name, option in x.items()) or "plain"


@EVERY_WAY
@pytest.mark.parametrize(("cell", "options"), CELLS, ids=shown)
def test_a_cell_is_pytorchs(cell, options, way, torch):
    """The state is part of the input: its gradient is compared, too."""
    layer, peer = cell(INPUTS, HIDDEN, **options), getattr(torch.nn, cell.__name__)(INPUTS, HIDDEN, **options).double()
    states = 2 if cell is LSTMCell else 1

    def parts(x):
        pieces = [x[..., :INPUTS], x[..., INPUTS : INPUTS + HIDDEN], x[..., INPUTS + HIDDEN :]]
        return pieces[0], tuple(pieces[1:]) if states == 2 else pieces[1]

    def outputs(x):
        state = x[INPUTS : INPUTS + HIDDEN]
        return layer(x[:INPUTS], (state, x[INPUTS + HIDDEN :]) if states == 2 else state)

    batch = numbers(ROWS, INPUTS + states * HIDDEN, seed=3)
    Agreement(layer, peer, outputs, lambda x: peer(*parts(x)), batch).check(way)


@EVERY_WAY
@pytest.mark.parametrize(("module", "options"), SEQUENCES, ids=shown)
def test_a_sequence_is_pytorchs(module, options, way, torch):
    layer = module(INPUTS, HIDDEN, **options)
    peer = getattr(torch.nn, module.__name__)(INPUTS, HIDDEN, batch_first=True, **options).double()

    def peer_outputs(x):
        outputs, state = peer(x)
        states = state if module is LSTM else [state]
        return [outputs, *(part.transpose(0, 1) for part in states)]  # PyTorch has the layer before the row

    Agreement(layer, peer, layer, peer_outputs, numbers(ROWS, STEPS, INPUTS, seed=4)).check(way)


@EVERY_WAY
def test_an_embedding_is_pytorchs(way, torch):
    """Its sums with other numbers, so that there are gradients of inputs to compare."""
    layer, peer = Embedding(5, INPUTS), torch.nn.Embedding(5, INPUTS).double()
    tokens = [2, 0, 4, 2]

    def outputs(x):
        return [[a * b for a, b in zip(row, step, strict=True)] for row, step in zip(layer(tokens), x, strict=True)]

    batch = numbers(ROWS, STEPS, INPUTS, seed=5)
    Agreement(layer, peer, outputs, lambda x: peer(torch.tensor(tokens)) * x, batch).check(way)


@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_one_compiled_program_serves_every_token(backend, torch):
    layer = Embedding(6, 3, rng=0)
    peer = torch.nn.Embedding(6, 3).double()
    peer.load_state_dict({name: torch.tensor(array) for name, array in layer.state_dict().items()})
    program = compile(lambda tokens: dot_with_positions(flat_of(layer(tokens))), backend=backend, threads=1)
    factors = torch.arange(6, dtype=torch.float64)
    for tokens in ([[0, 5], [3, 3]], [[1, 2], [4, 0], [5, 5]]):
        layer.zero_grad()
        peer.zero_grad()
        expected = (peer(torch.tensor(tokens)).reshape(len(tokens), 6) @ factors).mean()
        expected.backward()
        assert program.backward(tokens) == pytest.approx(expected.item(), abs=1e-12)
        slopes = [[p.grad for p in row] for row in layer.weight]
        assert np.array(slopes) == pytest.approx(peer.weight.grad.numpy(), abs=1e-12)
    (variants,) = program.variants.values()
    assert len(variants) == 1


def dot_with_positions(values):
    return sum(place * value for place, value in enumerate(values))


@pytest.mark.parametrize("module", [RNN, GRU, LSTM])
def test_a_sequence_in_two_parts_is_the_whole_sequence(module):
    layer = module(2, 3, num_layers=2, rng=0)
    sequence = numbers(5, 2, seed=6).tolist()
    whole, last = layer(sequence)
    first, state = layer(sequence[:2])
    second, end = layer(sequence[2:], state)
    assert [x.data for x in flat_of([first, second, end])] == [x.data for x in flat_of([whole, last])]


@pytest.mark.parametrize(("module", "cell"), [(RNN, RNNCell), (GRU, GRUCell), (LSTM, LSTMCell)])
def test_a_sequence_is_its_cell_called_step_by_step(module, cell):
    layer = module(2, 3, rng=0)
    assert type(layer.cells[0]) is cell
    sequence, state = numbers(4, 2, seed=7).tolist(), None
    for step in sequence:
        state = layer.cells[0](step, state)
    _, last = layer(sequence)
    assert [x.data for x in flat_of(last)] == [x.data for x in flat_of(state)]


def test_the_dots_of_all_gates_read_the_same_tuple_of_inputs():
    cell = LSTMCell(2, 3, rng=0)
    seen, stack = [], list(cell([1.0, 2.0])[1])
    while stack:
        value = stack.pop()
        if value.op and value.op.name == "dot":
            seen.append(value.second)
        stack += [x for x in value.operands if x.op]
    assert len({id(inputs) for inputs in seen}) == 2  # the inputs, and the hidden state


def test_every_step_reads_the_same_weights_and_all_of_them_learn():
    model = GRU(1, 2, rng=0)
    outputs, _ = model([[0.5], [-1.0], [2.0]])
    assert len(model.parameters()) == 3 * 2 * (1 + 2 + 1 + 1)
    sum(outputs[-1]).backward()
    assert all(p.grad for p in model.parameters())


def test_backpropagation_through_time_is_the_product_of_the_steps():
    """Of h = tanh(w h) d h_n / d h_0 is the product of w (1 - h^2) over the steps: it vanishes."""
    cell = RNNCell(1, 1, bias=False, rng=0)
    cell.load_state_dict({"weight_ih": [[0.0]], "weight_hh": [[0.9]]})
    first = hidden = Value(0.5)
    expected = 1.0
    for _ in range(30):
        (hidden,) = cell([0.0], [hidden])
        expected *= 0.9 * (1.0 - hidden.data**2)
    hidden.backward()
    assert first.grad == pytest.approx(expected, rel=1e-12)
    assert 0.0 < first.grad < 0.9**30


def test_first_weights_are_drawn_as_in_pytorch_and_a_seed_repeats_them():
    model, other = (LSTM(3, 16, rng=5) for _ in range(2))
    drawn = [p.data for p in model.parameters()]
    assert drawn == [p.data for p in other.parameters()]
    assert max(map(abs, drawn)) <= 1.0 / math.sqrt(16)
    assert max(map(abs, drawn)) > 0.24
    table = [p.data for p in Embedding(100, 20, rng=0).parameters()]
    assert np.std(table) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (RNNCell(2, 3), "RNNCell(2, 3, tanh)"),
        (GRUCell(2, 3, bias=False), "GRUCell(2, 3, bias=False)"),
        (LSTMCell(2, 3), "LSTMCell(2, 3)"),
        (RNN(2, 3, nonlinearity="relu", bias=False), "RNN(2, 3, relu, bias=False)"),
        (LSTM(2, 3, num_layers=2), "LSTM(2, 3, num_layers=2)"),
        (Embedding(7, 2), "Embedding(7, 2)"),
    ],
)
def test_layers_say_what_they_are(layer, text):
    assert repr(layer) == text


STEP = [1.0, 2.0]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: GRUCell(2, 3)([1.0]), ValueError, r"this GRUCell\(2, 3\) takes 2 inputs, got 1"),
        (lambda: GRUCell(2, 3)(1.0), TypeError, "takes a list of 2 numbers or Values, got 1.0"),
        (lambda: GRUCell(2, 3)(STEP, [1.0]), ValueError, r"this GRUCell\(2, 3\) takes a hidden state \[3\], got \[1\]"),
        (lambda: GRUCell(2, 3)(STEP, 1.0), ValueError, r"takes a hidden state \[3\], got a number"),
        (lambda: LSTMCell(2, 1)(STEP, [1.0]), ValueError, r"takes a state \(hidden, cell\), got \[1.0\]"),
        (lambda: LSTMCell(2, 1)(STEP, ([1.0], [])), ValueError, r"takes a cell state \[1\], got \[0\]"),
        (lambda: LSTM(2, 3)(STEP), ValueError, r"this LSTM\(2, 3\) takes a sequence \[steps, 2\], got \[2\]"),
        (lambda: LSTM(2, 3)([[1.0]]), ValueError, r"takes a sequence \[steps, 2\], got \[1, 1\]"),
        (lambda: LSTM(2, 3)([STEP, [1.0]]), ValueError, r"differ in length: \[1\] and \[2\]"),
        (lambda: LSTM(2, 3)([]), ValueError, r"got \[0\], which holds no numbers"),
        (lambda: LSTM(2, 3)(1.0), ValueError, r"takes a sequence \[steps, 2\], got a number"),
        (lambda: LSTM(2, 1)([STEP], [[1.0]]), ValueError, r"takes a state \(hidden, cell\), got \[\[1.0\]\]"),
        (
            lambda: LSTM(2, 1)([STEP], ([[1.0]], [1.0])),
            ValueError,
            r"a state \[1, 1\], a row for each layer, got \[1\]",
        ),
        (lambda: GRU(2, 1, 2)([STEP], [[1.0]]), ValueError, r"a state \[2, 1\], a row for each layer, got \[1, 1\]"),
        (lambda: GRU(2, 3, 0), ValueError, "num_layers is a whole number of at least 1, got 0"),
        (lambda: GRU(2, 0), ValueError, "hidden_size is a whole number of at least 1, got 0"),
        (lambda: RNN(2, 3, nonlinearity="sin"), ValueError, "nonlinearity 'sin' is not known; there are tanh, relu"),
        (lambda: Embedding(3, 2)(3), IndexError, r"this Embedding\(3, 2\) has the tokens 0 to 2, got 3"),
        (lambda: Embedding(3, 2)([0, -1]), IndexError, "has the tokens 0 to 2, got -1"),
        (lambda: Embedding(3, 2)(0.5), IndexError, "has the tokens 0 to 2, got 0.5"),
        (lambda: Embedding(3, 2)([[0]]), TypeError, r"takes a token or a list of tokens, got a list that holds \[0\]"),
        (lambda: Embedding(3, 2)("a"), TypeError, "Embedding takes a real number, got 'a'"),
        (lambda: Embedding(0, 2), ValueError, "num_embeddings is a whole number of at least 1, got 0"),
    ],
)
def test_a_wrong_use_is_told(call, error, words):
    with pytest.raises(error, match=words):
        call()
