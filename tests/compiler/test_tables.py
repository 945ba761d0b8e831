"""Tables of parameters, out of which each sample takes rows of its own: their gradients are those of eager Values."""

import math

import numpy
import pytest

from scalargrad import Value, compile, mse
from scalargrad.compiler.program import Kind
from scalargrad.ops import dot, equal, exp, less, mul, relu, sum, take, tanh, where

TOKENS = numpy.array([[0, 2, 1], [1, 1, 0], [2, 0, 2], [2, 2, 2]], dtype="float64")
ROWS, COLUMNS = 3, 2


def table():
    return [[Value(0.3 * (row + 1) - 0.5 * column) for column in range(COLUMNS)] for row in range(ROWS)]


def looked_up(parameters, token):
    return [take(token, column) for column in zip(*parameters, strict=True)]


def bent(numbers, scale=1.0):
    return sum([tanh(scale * (place + 1.0) * x) for place, x in enumerate(numbers)])


def every_token(parameters, tokens):
    return bent([x for token in tokens for x in looked_up(parameters, token)])


def one_token(parameters, tokens):
    return bent(looked_up(parameters, tokens[0]))


def twice(parameters, tokens):
    """The same row for two purposes."""
    return bent(looked_up(parameters, tokens[0])) * bent(looked_up(parameters, tokens[0]), 2.0)


def two_tables(parameters, tokens):
    one, other = looked_up(parameters[:2], relu(tokens[0] - 1.0)), looked_up(parameters, tokens[1])
    return bent([*one, *other])


def other_columns(parameters, tokens):
    """No grid: the second token takes one column only."""
    first, second = looked_up(parameters, tokens[0]), looked_up(parameters, tokens[1])[:1]
    return bent([*first, *second])


def some_rows_unreached(parameters, tokens):
    numbers = looked_up(parameters, tokens[0])
    return bent(numbers) + 0.0 * less(numbers[0], 0.0) * tokens[1]


def a_parameter_twice(parameters, tokens):
    (a, b), *rest = parameters
    return every_token([[a, a], [b, a], *rest[1:]], tokens)


def constants_among_them(parameters, tokens):
    return every_token([[0.5, parameters[0][1]], *parameters[1:]], tokens)


def computed_entries(parameters, tokens):
    return every_token([[exp(x) for x in row] for row in parameters], tokens)


def entries_that_differ_by_sample(parameters, tokens):
    return every_token([[x * tokens[2] for x in row] for row in parameters], tokens)


def an_index_of_the_parameters(parameters, tokens):
    place = where(less(parameters[0][0], 10.0), 1.0, 0.0)
    return bent(looked_up(parameters, place)) * tokens[0]


def an_index_that_is_computed(parameters, tokens):
    return bent(looked_up(parameters, where(equal(tokens[0], tokens[1]), 0.0, 2.0)))


def products_of_rows(parameters, tokens):
    return dot(looked_up(parameters, tokens[0]), looked_up(parameters, tokens[1]))


FUNCTIONS = [
    every_token,
    one_token,
    twice,
    two_tables,
    other_columns,
    some_rows_unreached,
    a_parameter_twice,
    constants_among_them,
    computed_entries,
    entries_that_differ_by_sample,
    an_index_of_the_parameters,
    an_index_that_is_computed,
    products_of_rows,
]


def slopes(parameters):
    return [value.grad for row in parameters for value in row]


def eager(function):
    parameters = table()
    loss = sum([function(parameters, list(tokens)) for tokens in TOKENS.tolist()]) / len(TOKENS)
    loss.backward()
    return loss.data, slopes(parameters)


@pytest.mark.parametrize("backend", ["native", "numpy", "eager"])
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_gradients_are_those_of_values(function, backend):
    parameters = table()
    program = compile(lambda tokens: function(parameters, tokens), backend=backend)
    found = program.backward(TOKENS)
    loss, wanted = eager(function)
    assert found == pytest.approx(loss, rel=1e-12)
    assert slopes(parameters) == pytest.approx(wanted, rel=1e-12, abs=1e-15)
    assert any(wanted)


@pytest.mark.oracle("jax")
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_gradients_are_those_of_values_through_jax(function):
    test_gradients_are_those_of_values(function, "jax")


def kinds(function):
    parameters = table()
    program = compile(lambda tokens: function(parameters, tokens))
    program.value_and_grad(TOKENS)
    return [instruction for instruction in program.last.backward.instructions if instruction.backward]


@pytest.mark.parametrize("function", [every_token, one_token, a_parameter_twice, an_index_that_is_computed])
def test_an_embedding_learns_by_one_outer_product(function):
    instructions = kinds(function)
    assert [instruction.kind for instruction in instructions].count(Kind.OUTER) == 1
    sizes = [instruction.count for instruction in instructions if instruction.op is mul]
    assert max(sizes) <= TOKENS.shape[1] * COLUMNS  # and no product for each entry of the table
    assert sum([instruction.count for instruction in instructions if instruction.op is equal]) <= ROWS * 3


def test_where_it_is_no_grid_entries_learn_one_by_one():
    assert Kind.OUTER not in [instruction.kind for instruction in kinds(other_columns)]


@pytest.mark.parametrize("backend", ["native", "numpy"])
@pytest.mark.parametrize("learned", [False, True])
def test_what_is_not_taken_gets_nan_from_an_infinite_slope_as_in_values(learned, backend):
    """And so does a parameter that the index depends on."""

    def steep(parameters, tokens):
        index = tokens[0] * parameters[2][1] if learned else tokens[0]
        return sum([x**0.5 for x in looked_up(parameters, index)])

    def with_zero():
        return [[Value(0.0), Value(4.0)], [Value(1.0), Value(9.0)], [Value(1.0), Value(1.0)]]

    one, other = with_zero(), with_zero()
    steep(one, [0.0]).backward()
    compile(lambda tokens: steep(other, tokens), backend=backend).backward([[0.0]])
    for wanted, found in zip(slopes(one), slopes(other), strict=True):
        assert found == wanted or (math.isnan(found) and math.isnan(wanted))
    assert math.isnan(slopes(one)[-2])


def test_training_with_an_embedding_is_that_of_values():
    from scalargrad import SGD

    one, other = table(), table()
    targets = numpy.array([0.5, -0.5, 0.25, 0.0])
    trainer = compile(lambda tokens, y: mse(every_token(other, tokens), y)).trainer(SGD(0.1))
    optimizer, parameters = SGD(0.1), [x for row in one for x in row]
    for _ in range(5):
        losses = [mse(every_token(one, row), y) for row, y in zip(TOKENS.tolist(), targets.tolist(), strict=True)]
        loss = sum(losses) / len(losses)
        for parameter in parameters:
            parameter.grad = 0.0
        loss.backward()
        optimizer.step(parameters)
        assert trainer.step(TOKENS, targets) == pytest.approx(loss.data, rel=1e-12)
