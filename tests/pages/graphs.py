"""Graphs that pages show."""

import random

from scalargrad.engine import Value, topological_order
from scalargrad.nn import MLP, Parameter
from scalargrad.ops import dot, less, maximum, mean, take, where
from scalargrad.ops import sum as sum_of


def neuron():
    x1, x2 = Value(2.0, "x1"), Value(0.0, "x2")
    w1, w2, b = Parameter(-3.0, "w1"), Parameter(1.0, "w2"), Parameter(6.8813735870195432, "b")
    n = x1 * w1 + x2 * w2 + b
    n.label = "n"
    o = n.tanh()
    o.label = "o"
    return o


def network(*widths, inputs=(1.0, -2.0)):
    """The loss of a network for one sample."""
    model = MLP(len(inputs), [*widths, 1], rng=0)
    x = [Value(data, f"x{place}") for place, data in enumerate(inputs, 1)]
    y = model(x)
    loss = ((y if isinstance(y, Value) else y[0]) - 1.0) ** 2
    loss.label = "loss"
    return loss


def many_kinds():
    x, y = Value(0.7, "x"), Value(-1.2, "y")
    chosen = where(less(x, y), x * 2.0, y - 1.0)
    return (
        maximum(x, y, chosen) + mean((x, y, x)) + sum_of((x, x)) - (2.0 / y) + x**2 + y.relu() + dot((x, y), (y, 3.0))
    )


def choice():
    index = Value(1.0, "index")
    return take(index, [Value(float(n), f"v{n}") for n in (5, 7, 9)]) * 2.0


def not_finite():
    x = Value(0.0, "x")
    return x.log() + x.sqrt() * x + (x - 1.0) ** 0.5


def chain(length):
    """x + x + ... of so many values."""
    x = value = Value(1.0, "x")
    for _ in range(length - 1):
        value = value + x
    return value


def formula(size):
    """Sums and products of random earlier values: so many, each with a card of its own."""
    chance = random.Random(0)
    values = [Value(chance.uniform(-1.0, 1.0), f"x{place}") for place in range(10)]
    while len(values) < size - 1:
        first, second = chance.choice(values[-12:]), chance.choice(values)
        values.append(first * second if chance.random() < 0.5 else (first + second).tanh() * 0.5)
        values = topological_order(sum_of(tuple(values)))[:-1]
    used = {operand for value in values for operand in value.operands}
    return sum_of(tuple(value for value in values if value not in used))


GRAPHS = [neuron, lambda: network(3), lambda: network(4, 4), many_kinds, choice, not_finite]
