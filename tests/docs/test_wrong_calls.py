"""Every public callable, called wrongly in all ways that its signature tells: one clear line."""

import pytest

from scalargrad import nn
from tests.docs.wrong_calls import NAMES, Subject, complaint, complaints

LONG = {"MLP(…)", "Compiled(…)", "export", "plot_boundary", "plot_points"}


def case(name):
    return pytest.param(name, marks=[pytest.mark.long] if name in LONG else [])


@pytest.mark.parametrize("name", [case(name) for name in NAMES])
def test_a_wrong_call_ends_in_one_line_that_names_the_callable(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some of them write files
    found = complaints(name)
    assert not found, "\n".join(map(str, found[:20]))


def raising(error):
    def scale(factor):
        raise error

    return Subject("scale", lambda: scale, ("scale",))


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (TypeError("scale takes a number, got 'a'"), None),
        (ValueError("factor is a number, got 'a'"), None),
        (ValueError("unsupported operand type(s) for *"), "beginning"),
        (ValueError("scaled is not defined"), "beginning"),
        (TypeError("scale: Layer.__init__() takes 2 arguments"), "dunder"),
        (TypeError("scale takes a number,\\ngot 'a'".replace("\\n", "\n")), "lines"),
        (TypeError("scale takes a number, got <object object at 0x7f12>"), "address"),
        (TypeError(f"scale takes a number, got {'a' * 400}"), "long"),
        (IndexError("scale takes a number"), "another error"),
    ],
)
def test_an_unclear_error_is_seen(error, why):
    found = complaint(raising(error), "factor=text", ["factor"], lambda: raising(error).make()("a"))
    assert (found and found.why) == why


def test_a_call_that_goes_through_is_seen():
    found = complaint(Subject("len", lambda: len, ("len",)), "obj=text", ["obj"], lambda: len("a"))
    assert found.why == "accepted"


def test_constructors_and_calls_of_subclasses_bear_the_names_of_their_class():
    with pytest.raises(TypeError, match=r"^Neuron\(\) missing 1 required positional argument: 'fan_in'$"):
        nn.Neuron()
    with pytest.raises(TypeError, match=r"^Neuron\(…\)\(\) missing 1 required positional argument: 'inputs'$"):
        nn.Neuron(2)()
