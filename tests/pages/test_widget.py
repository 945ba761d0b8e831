"""The widget of explore: leaves that are followed, and the two ways between them and a page. In notebooks themselves:
test_notebooks.py."""

import copy
import gc
import math
import pickle
import threading
import weakref

import numpy as np
import pytest

import scalargrad
from scalargrad import MLP, SGD, Parameter, Value, compile, no_grad, take
from scalargrad.away import HOMES, in_slot
from scalargrad.engine import topological_order
from scalargrad.pages.followed import follow, leave
from scalargrad.pages.widget import Link


class Notes:
    """A follower that counts."""

    def __init__(self):
        self.count = 0

    def changed(self):
        self.count += 1


def is_home(value):
    return type(in_slot(value)) is float


# Followed leaves.


def test_a_write_is_told_and_a_read_is_the_number():
    w, notes = Value(2.0, "w"), Notes()
    follow([w], notes)
    assert (w.data, notes.count) == (2.0, 0)
    w.data = 3.0
    assert (w.data, notes.count) == (3.0, 1)
    w.data -= 0.5
    SGD(lr=0.1).step([w])
    assert (w.data, notes.count) == (2.5, 3)


@pytest.mark.parametrize("number", [3, np.float32(3.0), True], ids=["int", "float32", "bool"])
def test_other_numbers_are_told_too_and_come_home(number):
    w, notes = Value(2.0), Notes()
    follow([w], notes)
    w.data = number
    assert notes.count > 0
    assert w.data is number
    follow([w], notes)
    assert not is_home(w)
    assert w.data == 3.0 or number is True


def test_what_somebody_deletes_or_makes_a_text_is_left_alone():
    w, v, notes = Value(2.0), Value(2.0), Notes()
    follow([w, v], notes)
    del w.data
    v.data = "two"
    follow([w, v], notes)
    leave([w, v], notes)
    assert not hasattr(w, "data")
    assert v.data == "two"


@pytest.mark.parametrize("kind", sorted(HOMES, key=lambda kind: kind.__name__))
def test_a_followed_value_is_what_it_was(kind):
    w, notes = kind(2.0), Notes()
    w.label = "w"
    follow([w], notes)
    assert type(w) is not kind
    assert w.__class__ is kind
    assert isinstance(w, kind)
    assert repr(w) == repr(kind(2.0, "w"))
    for other in (copy.copy(w), copy.deepcopy(w), pickle.loads(pickle.dumps(w))):
        assert (type(other), other.data, other.label) == (kind, 2.0, "w")
    y = w * w
    y.backward()
    assert (y.data, w.grad) == (4.0, 4.0)
    leave([w], notes)
    assert (type(w), w.data) == (kind, 2.0)


def test_a_users_own_class_is_not_followed():
    class Mine(Value):
        pass

    w = Mine(2.0)
    follow([w], Notes())
    assert type(w) is Mine


def test_leaves_come_home_when_the_last_follower_leaves_or_is_gone():
    w, first, second = Value(2.0), Notes(), Notes()
    follow([w], first)
    follow([w], second)
    leave([w], first)
    w.data = 3.0
    assert (first.count, second.count, is_home(w)) == (0, 1, False)
    leave([w], second)
    assert is_home(w)
    follow([w], first)
    gone = weakref.ref(first)
    del first
    gc.collect()
    assert gone() is None
    w.data = 4.0
    assert w.data == 4.0


def test_a_program_takes_what_it_needs_and_finds_the_numbers_of_now():
    weights, notes = [Parameter(float(n)) for n in range(12)], Notes()
    follow(weights, notes)
    program = compile(lambda x: scalargrad.dot(weights, [x[0]] * 12), backend="numpy")
    for n in range(4):
        weights[n].data = 10.0 * n
        expected = sum(w.data for w in weights)
        assert program([[1.0]]) == pytest.approx(expected)
    follow(weights, notes)  # those at home
    weights[5].data = 0.0
    assert program([[1.0]]) == pytest.approx(sum(w.data for w in weights))


def test_the_compiler_refuses_the_number_of_a_followed_value_as_of_any_other():
    w = Value(2.0)
    follow([w], notes := Notes())
    with pytest.raises(scalargrad.TraceError):
        compile(lambda x: x[0] * w.data, backend="numpy")([[1.0]])
    assert (w.data, notes.count) == (2.0, 0)


def test_training_is_the_same_with_parameters_that_are_followed():
    X = np.random.default_rng(0).normal(size=(20, 2))
    found = []
    for followed in (False, True):
        model = MLP(2, [4, 1], rng=0)
        notes = Notes()
        if followed:
            follow(model.parameters(), notes)
        history = model.fit(X, X[:, 0], epochs=3, batch_size=7, backend="numpy")
        follow(model.parameters() if followed else [], notes)
        history["loss"] += model.fit(X, X[:, 0], epochs=3, batch_size=7, backend="numpy")["loss"]
        found.append((history["loss"], [x.data for x in model.parameters()]))
    assert found[0] == found[1]


def test_numbers_are_whole_while_a_value_comes_and_goes_under_the_eyes_of_another_thread():
    w, stop, wrong = Value(2.0), threading.Event(), []

    def look():
        while not stop.is_set():
            if w.data not in (2.0, 3.0):
                wrong.append(w.data)

    thread = threading.Thread(target=look)
    thread.start()
    for n in range(300):
        follow([w], notes := Notes())
        w.data = 2.0 + n % 2
        leave([w], notes)
    stop.set()
    thread.join()
    assert wrong == []


# The two ways.


class Widget:
    """A stand-in with the traits of the widget, which the page or Python sets."""

    def __init__(self):
        self.handlers, self.sent = {}, []
        self.numbers, self.count = {}, 0

    def observe(self, handler, name):
        self.handlers[name] = handler

    @property
    def leaves(self):
        return self.numbers

    @leaves.setter
    def leaves(self, numbers):  # by Python
        self.sent.append({name: x for name, x in numbers.items() if self.numbers.get(name) != x})
        self.from_page(numbers)

    def from_page(self, numbers):
        self.numbers = dict(numbers)
        self.handlers["leaves"]({"new": self.numbers})

    @property
    def shown(self):
        return self.count

    @shown.setter
    def shown(self, count):
        self.count = count
        self.handlers["shown"]({"new": count})


def linked(output, leaves):
    widget = Widget()
    link = Link(topological_order(output), dict(enumerate(leaves)), widget)
    widget.shown = 1
    return widget, link


def worked_example():
    x, w, b = Value(2.0, "x"), Value(-3.0, "w"), Value(1.0, "b")
    return (x * w + b).tanh() * w, [x, w, b]


@pytest.mark.parametrize("ran", [0, 1, 3])
def test_what_the_page_moves_moves_in_python_with_all_that_follows(ran):
    output, leaves = worked_example()
    for _ in range(ran):
        output.backward()
    widget, _ = linked(output, leaves)
    widget.from_page({"0": 0.25, "2": 0.5})
    fresh, others = worked_example()
    x, w, b = others
    x.data, b.data = 0.25, 0.5
    fresh = (x * w + b).tanh() * w
    fresh.backward()
    assert [x.data for x in topological_order(output)] == [x.data for x in topological_order(fresh)]
    assert [x.grad for x in topological_order(output)] == [x.grad for x in topological_order(fresh)]
    assert widget.sent == []  # the page knows


def test_what_python_sets_is_sent_once():
    output, leaves = worked_example()
    widget, link = linked(output, leaves)
    leaves[0].data = 5.0
    link.tell()
    link.tell()
    assert widget.sent == [{"0": 5.0}]
    leaves[0].data = 6.0
    leaves[2].data = 7
    link.tell()
    assert {**widget.sent[-2], **widget.sent[-1]} == {"0": 6.0, "2": 7}
    assert output.data == worked_example()[0].data  # a result is what was computed, as ever


def test_numbers_that_json_lacks_go_both_ways():
    output, leaves = worked_example()
    widget, link = linked(output, leaves)
    for number, text in ((math.inf, "inf"), (-math.inf, "-inf"), (math.nan, "nan")):
        leaves[0].data = number
        link.tell()
        assert widget.leaves["0"] == text
        widget.from_page({"0": 1.0})
        widget.from_page({"0": text})
        assert repr(leaves[0].data) == text
    before = len(widget.sent)
    link.tell()
    assert len(widget.sent) == before


def test_two_pages_of_the_same_leaves_move_together():
    x, w = Value(2.0), Value(3.0)
    first, second = linked(x * w, [x, w]), linked(x + w, [w, x])
    first[0].from_page({"0": 5.0})
    second[1].tell()
    assert second[0].leaves == {"1": 5.0}
    second[0].from_page({"0": 7.0, "1": 5.0})
    first[1].tell()
    assert (first[0].leaves, w.data) == ({"0": 5.0, "1": 7.0}, 7.0)


def test_while_it_is_not_displayed_nothing_is_sent_and_afterwards_what_was_missed():
    output, leaves = worked_example()
    widget, link = linked(output, leaves)
    widget.shown = 0
    assert all(map(is_home, leaves))
    leaves[0].data = 9.0
    link.after_a_cell()
    assert widget.sent == []
    widget.shown = 1
    link.after_a_cell()
    assert widget.sent == [{"0": 9.0}]


def test_after_a_cell_the_page_knows_what_a_program_has_changed():
    model = MLP(2, [3, 1], rng=0)
    leaves = model.parameters()
    widget, link = linked(model([1.0, 2.0]), leaves)
    X = np.random.default_rng(0).normal(size=(20, 2))
    model.fit(X, X[:, 0], epochs=2, backend="numpy")
    link.after_a_cell()
    assert {int(place): x for place, x in widget.leaves.items()} == {n: leaf.data for n, leaf in enumerate(leaves)}


def test_a_loop_that_sets_numbers_is_shown_now_and_then(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("scalargrad.pages.widget.perf_counter", lambda: now[0])
    output, leaves = worked_example()
    widget, link = linked(output, leaves)
    for n in range(1000):
        now[0] += 0.001
        leaves[0].data = float(n)
    assert 10 <= len(widget.sent) <= 30
    link.after_a_cell()
    assert widget.leaves["0"] == 999.0


def test_an_index_that_leads_nowhere_leaves_the_result():
    index, values = Value(1.0, "index"), [Value(5.0), Value(6.0)]
    widget, _ = linked(take(index, values) * 2.0, [index])
    widget.from_page({"0": 7.0})
    assert index.data == 7.0
    widget.from_page({"0": 0.0})
    assert values[0].grad == 2.0


def test_unknown_positions_are_left_out_and_blocks_around_do_not_matter():
    output, leaves = worked_example()
    widget, _ = linked(output, leaves)
    with no_grad():
        widget.from_page({"0": 1.0, "99": 3.0})
    assert output.grad == 1.0
    assert leaves[0].grad != 0.0
