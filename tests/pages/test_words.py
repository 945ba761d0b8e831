"""Words on pages: JavaScript writes what Python writes, from the same templates."""

import json
import math
import random
import subprocess

import pytest

from scalargrad.drawing import lettering
from scalargrad.engine import Value, topological_order
from scalargrad.explaining.causes import Causes
from scalargrad.explaining.paths import largest_trails, links_from, sums_over_paths
from scalargrad.explaining.steps import Story
from scalargrad.explaining.terms import backward_terms, copy_of
from scalargrad.javascript.bundle import bundle
from scalargrad.javascript.operations import operations_module
from scalargrad.ops import OPERATIONS
from scalargrad.ops import sum as sum_of
from scalargrad.support import words as counting
from tests.explaining.graphs import as_page_data, random_graph, words_of
from tests.explaining.odd_gradients import CASES
from tests.oracles.scripts import plain

ENTRY = """
import { Graph, numberOf } from "./graph.js";
import { OPERATIONS } from "./operations.js";
import { Words, guessed, paths } from "../pages/words/words.js";
import { count, factor, gradientText, number, ordinal, productText } from "../pages/words/numbers.js";
import { shortCount, shortName } from "../pages/words/numbers.js";
"""
ANSWER = """
const data = JSON.parse(require("fs").readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(answer(data)));
"""
# The numbers are those of Python: functions of the engines differ in the last bit, and this is about words.
WORDS = """
const wordsOf = ({ recorded, names, constants, words, grad, slopes }) => {
  const graph = new Graph(recorded, OPERATIONS);
  graph.constants = new Set(constants);
  graph.grad = Float64Array.from(grad, numberOf);
  graph.slopes = slopes.map((row) => Float64Array.from(row, numberOf));
  return new Words(words, graph, names);
};
"""


def in_node(node, script, data, planted=("", "")):
    """What the script's `answer` gives for data: JSON. A bug may be planted: a text in place of another."""
    text = bundle(ENTRY + WORDS + script, {"operations.js": operations_module()})
    assert planted[0] in text
    text = text.replace(*planted) if planted[0] else text
    done = subprocess.run(
        [node, "-e", text + ANSWER], input=json.dumps(plain(data)), capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def page_data(words):
    """What `wordsOf` takes, and the position there of each position here."""
    data, position = as_page_data(words)
    data["grad"], data["slopes"] = [0.0] * len(position), [[]] * len(position)
    for here, there in position.items():
        data["grad"][there] = words.graph.grad[here]
        data["slopes"][there] = words.graph.slopes[here] if here <= words.graph.output else []
    return data, position


# Numbers.


def test_numbers_are_written_alike(node):
    source = random.Random(0)
    numbers = [
        0.0,
        -0.0,
        math.inf,
        -math.inf,
        math.nan,
        5e-324,
        1.7976931348623157e308,
        9999.5,
        99995.0,
        1e15,
        123456.0,
    ]
    numbers += [1000.5, 1001.5, 0.00010005, 0.5, 2.5e-5, 12345.0, 1.0005, 100.25, 100.35, 10.125, 10.375, -1000.5]
    numbers += [source.uniform(-1, 1) * 10.0 ** source.uniform(-320, 308) for _ in range(2000)]
    numbers += [source.randrange(-(2**20), 2**20) / 2.0 ** source.randrange(20) for _ in range(2000)]  # with ties
    script = """globalThis.answer = (all) => all.map(numberOf).map((x, n) =>
        [number(x), factor(x), gradientText(x), productText(x, -x)]);"""
    found = in_node(node, script, numbers)
    for x, texts in zip(numbers, found, strict=True):
        assert texts == [
            *(lettering.number(x), lettering.factor(x), lettering.gradient_text(x), lettering.product_text(x, -x))
        ], repr(x)


def test_counts_and_names_are_written_alike(node):
    counts = [0, 1, 999, 1000, 1234567, 10**15 - 1, 10**15, 2**1000, 10**300, 99999 * 10**40, 2**20_000]
    names = ["", "w", "n" * 40, "n" * 41, "😀" * 50]
    places = [1, 2, 3, 4, 11, 12, 13, 21, 101, 111, 112]
    script = """globalThis.answer = ([counts, names, places]) =>
        [counts.map((n) => shortCount(BigInt(n))), names.map(shortName), places.map(ordinal), places.map(count)];"""
    found = in_node(node, script, [[f"0x{n:x}" for n in counts], names, places])
    assert found == [
        *([*map(counting.short_count, counts)], [*map(counting.short_name, names)], [*map(counting.ordinal, places)]),
        [f"{place:,}" for place in places],
    ]


# Rules, sentences, causes.

ALL_WORDS = """
globalThis.answer = (graphs) => graphs.map((data) => {
  const words = wordsOf(data);
  return data.recorded.op.map((_, n) => words.isConstant(n) ? null : ({
    formula: words.formula(n), withNumbers: words.formula(n, true), partial: words.partial(n),
    rules: words.graph.operands[n].map((_, at) => {
      const { symbols, numbers, reason, sentence } = words.rule(n, at);
      return [symbols, numbers, words.ratio(n, at), reason, sentence];
    }),
    says: words.says(n), why: words.why(n),
  }));
});
"""


def all_words(words, position):
    """The same in Python."""
    graph, causes = words.graph, Causes(words)
    for x in range(graph.output + 1):
        why = causes.why(x)
        yield {
            "formula": words.formula(x),
            "withNumbers": words.formula(x, with_numbers=True),
            "partial": words.partial(x),
            "rules": [
                list(words.rule(x, place)._replace(value=words.local_partial(x, place)))
                for place in range(len(graph.operands[x]))
            ],
            "says": words.says(x),
            "why": why and {"sentence": why.sentence, "cause": position[why.cause]},
        }


def check_words(node, graphs, planted=("", "")):
    written = [words_of(graph)[0] for graph in graphs]
    pages = [page_data(words) for words in written]
    found = in_node(node, ALL_WORDS, [data for data, _ in pages], planted)
    for words, (_, position), answers in zip(written, pages, found, strict=True):
        for x, expected in enumerate(all_words(words, position)):
            assert answers[position[x]] == expected, words.formula(x)


def test_rules_and_sentences_are_written_alike(node):
    source = random.Random(1)
    graphs = [random_graph(source, awkward=number % 2 == 1) for number in range(300)]
    names = {value.op.name for graph in graphs for value in topological_order(graph) if value.op}
    assert names == {*OPERATIONS}
    check_words(node, graphs)


def test_every_sentence_is_written_alike(node):
    check_words(node, [make() for make, *_ in CASES.values()])


@pytest.mark.parametrize(
    "planted",
    [
        ("kept % 2 === 1", "true"),
        ('gradient > 0 ? "rises"', 'gradient < 0 ? "rises"'),
        ("(place + size) % (2 * size)", "place"),
        ("left === right }", "left <= right }"),
        ("level >= least", "level > least"),
        ("if (term.local === 0)", "if (term.local < 0)"),
        ("same.indexOf(place) + 1", "same.indexOf(place)"),
    ],
    ids=lambda planted: planted[1],
)
def test_a_planted_bug_is_found(planted, node):
    source = random.Random(1)
    graphs = [random_graph(source, awkward=number % 2 == 1) for number in range(300)]
    with pytest.raises(AssertionError):
        check_words(node, [*graphs, Value(1000.5, "x") * Value(2.0, "y")], planted)


@pytest.mark.long
def test_rules_and_sentences_of_many_graphs_are_written_alike(node):
    source = random.Random(2)
    check_words(node, [random_graph(source, awkward=number % 2 == 1) for number in range(4000)])


# Steps.

STEPS = "globalThis.answer = (graphs) => graphs.map((data) => wordsOf(data).steps());"


def test_steps_are_told_alike(node):
    source = random.Random(3)
    stories, pages = [], []
    for number in range(200):
        copy = copy_of(random_graph(source, awkward=number % 2 == 1), None)
        story = Story(copy, backward_terms(copy))
        stories.append(story)
        pages.append(page_data(story.words))
    found = in_node(node, STEPS, [data for data, _ in pages])
    for story, (_, position), steps in zip(stories, pages, found, strict=True):
        assert len(steps) == len(story.steps())
        for event, step in zip(story.steps(), steps, strict=True):
            if "changed since" not in event.note:
                assert step["note"] == event.note
            assert step["formula"] == [list(piece) for piece in event.formula]
            assert (step["phase"], step["gives"]) == (event.phase, [position[x] for x in event.gives])
            assert step["gains"] == (None if event.gains is None else position[event.gains])
            edges = {place: key for key, place in story.edge_at.items()}
            expected = [edges[edge] for edge in event.edges]
            there = [[position[result], story.recording.place(result, number)] for result, number in expected]
            assert step["edges"] == there


# Paths.

PATHS = """
globalThis.answer = (all) => all.map(([data, position, most]) => {
  const { paths: found, others, restShare, count } = paths(wordsOf(data).graph, position, most);
  return [found, `${count}`, others, restShare];
});
"""


def test_paths_are_found_alike(node):
    source = random.Random(4)
    asked, expected = [], []
    for number in range(200):
        output = random_graph(source, awkward=number % 3 == 2)
        words, order = words_of(output)
        data, position = page_data(words)
        wrt = source.randrange(len(order))
        links = links_from(order, order[wrt])
        asked.append([data, position[wrt], 3])
        if output not in links:
            expected.append([])
            continue
        count, _, magnitude = sums_over_paths(order, links, order[wrt])
        trails = largest_trails(order, links, order[wrt], 3)
        expected.append([count, magnitude, [edges_of(trail, words, order, position) for trail in trails]])
    for answer, wanted in zip(in_node(node, PATHS, asked), expected, strict=True):
        found, count, others, _ = answer
        if not wanted:
            assert (found, count, others) == ([], "0", 0)
            continue
        assert count == str(wanted[0])
        assert others == wanted[0] - len(found)
        assert [path["edges"] for path in found] == [edges for edges, _ in wanted[2]]
        for path, (_, product) in zip(found, wanted[2], strict=True):
            if math.isfinite(product):
                assert path["product"] == pytest.approx(product, rel=1e-12)
                whole = 0.0 < wanted[1] < math.inf
                assert path["share"] == (pytest.approx(abs(product) / wanted[1], rel=1e-12) if whole else None)


def edges_of(trail, words, order, position):
    index = {value: place for place, value in enumerate(order)}
    edges, factors = [], []
    while trail.link:
        result = index[trail.link.result]
        edges.append([position[result], words.graph.place(result, trail.link.position)])
        factors.append(trail.link.slope)
        trail = trail.before
    return edges, math.prod(reversed(factors), start=1.0)


def test_the_number_of_paths_may_be_astronomic(node):
    value = Value(1.0, "a")
    for _ in range(300):
        value = sum_of([value] * 10)
    data, position = page_data(words_of(value)[0])
    ((found, count, others, rest),) = in_node(node, PATHS, [[data, position[0], 3]])
    assert count == str(10**300)
    assert others == pytest.approx(1e300)
    assert len(found) == 3
    assert rest == pytest.approx(1.0)


# Guesses.

GUESSES = """
globalThis.answer = ([data, asked]) => {
  const words = wordsOf(data);
  return asked.map(([position, typed]) => guessed(words, position, typed));
};
"""


def guesses(node, output, asked):
    """What each typed number is said to be, for (name, number) pairs."""
    words, _ = words_of(output)
    data, position = page_data(words)
    pairs = [[position[words.graph.names.index(name)], number] for name, number in asked]
    return [guess and (guess["what"], guess["rule"]) for guess in in_node(node, GUESSES, [data, pairs])]


def a_neuron():
    x, w, b = Value(2.0, "x"), Value(-3.0, "w"), Value(6.881373587, "b")
    n = x * w + b
    n.label = "n"
    o = n.tanh()
    o.label = "o"
    return o


def test_a_wrong_number_is_named_for_what_it_is(node):
    found = guesses(
        node,
        a_neuron(),
        [
            ("w", -1.5),
            ("w", -1.0),
            ("w", 2.0),
            ("w", 0.5),
            ("w", -3.0),
            ("w", 17.0),
            ("x", 1.0),
            ("n", 0.881),
            ("b", 6.88),
        ],
    )
    assert found[0] == ("w × 0.5", "A product passes on the other factor: x*w changes by x when w changes by 1.")
    assert found[1] == ("the right size with the other sign", "∂(x*w)/∂w is 2, and ∂o/∂(x*w) is 0.5.")
    assert found[2] == ("∂(x*w)/∂w alone", "What comes from above multiplies it: ∂o/∂(x*w) = 0.5.")
    assert found[3] == ("∂o/∂(x*w) alone", "The local derivative multiplies it: ∂(x*w)/∂w is the other factor, x.")
    assert found[4] == ("the data of w", "The gradient says how much o changes when w changes by 1.")
    assert found[5] is None
    assert found[6] == ("x × 0.5", "A product passes on the other factor: x*w changes by w when x changes by 1.")
    assert [guess and guess[0] for guess in found[7:]] == ["the data of n", "the data of b"]


def test_one_of_several_terms_is_named(node):
    a = Value(3.0, "a")
    y = a * 5.0 + a * a
    y.label = "y"
    found = guesses(node, y, [("a", 5.0), ("a", 3.0), ("a", -11.0), ("a", 11.0), ("a", math.nan)])
    assert found[0] == ("one of its 3 terms, 5 × 1", "a is used 3 times, and all terms add up.")
    assert found[1][0] == "one of its 3 terms, 3 × 1"
    assert found[2][0] == "the right size with the other sign"
    assert found[3:] == [None, None]  # right, and no number


def test_a_constant_factor_and_odd_gradients_are_guessed_at(node):
    x = Value(2.0, "x")
    y = (x * 3.0).log() * 0.0
    y.label = "y"
    assert guesses(node, y, [("x", 6.0), ("x", 0.0), ("x*3", 1.0)])[1] is None
    assert guesses(node, x * math.nan, [("x", 7.0), ("x", 2.0)])[0] is None
