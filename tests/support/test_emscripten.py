"""What a browser's small stack asks for, tried here: long chains of Values are freed one by one, all of them."""

import sys

import pytest

from scalargrad import Value
from scalargrad.ops import add, dot, neg
from scalargrad.support.emscripten import free_one_by_one


class Own(Value):
    """A Value whose class may be changed."""

    __slots__ = ()


free_one_by_one(Own)
KINDS = {
    "the first": lambda value: (neg, value),
    "the second": lambda value: (add, 1.0, value),
    "both": lambda value: (add, value, value),
    "in a tuple": lambda value: (dot, (value, value), (1.0, 2.0)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_one_dies_after_the_other_and_none_stays(kind):
    depths = []

    class Label(str):
        def __del__(self):  # with its Value
            frame, depth = sys._getframe(), 0
            while frame := frame.f_back:
                depth += frame.f_code.co_name == "finalizer"
            depths.append(depth)

    value = Own(1.0, Label())
    for _ in range(5_000):
        value = Own(1.0, Label(), *KINDS[kind](value))
    assert depths == []
    del value
    assert len(depths) == 5_001
    assert max(depths) == 1


def test_what_others_hold_stays_whole():
    x = Own(1.0)
    middle = Own(2.0, "", neg, x)
    end = Own(3.0, "", neg, middle)
    del end
    assert middle.operands == (x,)


def test_one_whose_making_failed_is_freed_in_silence():
    with pytest.raises(TypeError):
        Own("no number")
