"""Graphs to write about: random ones with every operation and awkward numbers, and as data for pages."""

import math

from scalargrad import ops
from scalargrad.drawing.snapshot import Snapshot
from scalargrad.engine import Value
from scalargrad.explaining.recording import Recording
from scalargrad.explaining.words import Words
from scalargrad.ops import OPERATIONS
from scalargrad.support.words import distinct, short_name

NUMBERS = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.0, 0.4, -2.5, 7.0]
AWKWARD = [math.inf, -math.inf, math.nan, 1e-300, 1e200, -1e200, 40.0, 1e-5, 12345.0, 1000.5]
NAMES = ["x", "w1", "h", "a b", "layers.0.weights.1", "x*w", "й", "−", "{x}", "{o=}", "n" * 60, "tanh(x)", "<b>", "3"]


def random_graph(source, awkward=False):
    """A graph of up to 20 operations on shared operands, some of them constants."""
    numbers = NUMBERS + (AWKWARD if awkward else [])
    values = [Value(source.choice(numbers), source.choice(NAMES)) for _ in range(source.randint(1, 4))]
    for _ in range(source.randint(1, 20)):
        op = OPERATIONS[source.choice([*OPERATIONS])]
        xs = [source.choice(values[-6:]) for _ in range(source.randint(1, 7))]
        if op.scalars:
            args = [source.choice(values[-6:]) for _ in range(op.scalars)]
            if op.scalars == 2 and source.random() < 0.3:
                args[source.randrange(2)] = source.choice(numbers)
        elif op.name in ("take", "surprisal"):
            place = float(source.randrange(len(xs)))
            args = [source.choice([place, Value(place, "index")]), xs]
        elif op.name in ("where", "clamp"):
            args = [source.choice(values[-6:]), *(source.choice(values) for _ in range(2))]
        elif op.name == "dot" and source.random() < 0.3:
            args = [[source.choice(numbers) for _ in xs], xs]
        elif op.name == "random":
            args = [1.0, 2.0, 3.0, Value(4.0)]
        else:
            args = xs if op.collects else [xs] * len(op.arguments)
        values.append(op(*args))
        if source.random() < 0.3:
            values[-1].label = source.choice(NAMES)
    return ops.sum(values[-3:]) if source.random() < 0.3 else values[-1]


def words_of(output):
    """The words about a graph, and its values in order."""
    snapshot = Snapshot(output)
    names = map(short_name, distinct(snapshot.name(position) for position in range(len(snapshot.values))))
    return Words(Recording(snapshot.values, dict(zip(snapshot.values, names, strict=True)))), snapshot.values


def as_page_data(words):
    """The same graph as a page has it, and the position there of each position here: constants stand before results."""
    graph = words.graph
    found = {"operations": [*OPERATIONS], "op": [], "operands": [], "data": []}
    names, constants, position = [], [], {}

    def add(x):
        position[x] = len(names)
        names.append(graph.names[x] or str(graph.data[x]))
        if not graph.names[x]:
            constants.append(position[x])
        op = graph.ops[x]
        found["op"].append(found["operations"].index(op.name) if op else -1)
        found["operands"].append([position[operand] for operand in graph.operands[x]] if op else [])
        found["data"].append(graph.data[x] if math.isfinite(graph.data[x]) else str(graph.data[x]))

    for x in range(graph.output + 1):
        for operand in graph.operands[x]:
            if operand not in position:
                add(operand)
        add(x)
    return {"recorded": found, "names": names, "constants": constants, "words": words.words}, position
