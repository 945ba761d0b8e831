"""Graphs with odd gradients: what is asked about, the sentence that says why, and the value that is the cause."""

import math

from scalargrad import ops
from scalargrad.engine import Value


def named(label, value):
    value.label = label
    return value


def leaf(label, data):
    return Value(float(data), label)


def off_relu():
    x, w = leaf("x", 2), leaf("w", -3)
    h = named("h", (x * w).relu())
    return named("L", (h - 1.0) ** 2)


def halved():
    y = leaf("x", 2)
    for _ in range(40):
        y = y * 0.5
    return named("y", y)


def doubled():
    y = leaf("x", 2)
    for _ in range(40):
        y = y * 2.0
    return named("y", y)


def halved_twice():
    y = leaf("x", 2)
    for _ in range(14):
        y = y * 0.25 + y * 0.25
    return named("y", y)


def added_to_itself():
    y = leaf("x", 2)
    for _ in range(20):
        y = y + y
    return named("y", y)


def zero_factor():
    return named("o", named("p", leaf("x2", 0) * leaf("w2", 1)) + leaf("b", 1))


def of(function, label="y"):
    """A graph of one x, at this number."""
    return lambda data: lambda: named(label, function(leaf("x", data)))


# A graph, the value asked about, the sentence, and the cause.
CASES = {
    "a factor": (zero_factor, "w2", "w2 is multiplied by x2, and x2 is 0: however w2 moves, p stays 0.", "x2"),
    "a constant factor": (of(lambda x: x * 0.0)(3), "x", "x is multiplied by 0: however x moves, y stays 0.", "y"),
    "a dot": (
        lambda: named("y", ops.dot([leaf("x", 2), leaf("z", 1)], [leaf("w", 0), leaf("v", 1)])),
        *("x", "x is multiplied by w, and w is 0: however x moves, its part of y stays 0.", "w"),
    ),
    "a million paths": (
        added_to_itself,
        *("x", "The paths from x to y add up to 1.049e6, and the largest of them gives 1.", "x"),
    ),
    "many paths": (
        halved_twice,
        *(
            "x",
            "28 factors multiply to 3.725e−9 on the largest path, of which the smallest is ∂(x*0.25#2)/∂x = 0.25.",
            None,
        ),
    ),
    "a difference on the way": (
        lambda: named("y", (lambda h: h * 3.0 - h * 2.9999)(named("h", leaf("x", 2) * 1.5))),
        *("x", "On the way from x to y, at h: 2 terms of ∂y/∂h nearly cancel: −3 + 3 = 0.0001.", "h"),
    ),
    "a square": (
        of(lambda x: x * x)(0),
        *("x", "Each of the 2 ways from x to y ends at a 0; one of them: x is multiplied by x, and x is 0.", "x"),
    ),
    "a factor that moves along": (
        of(lambda x: x * named("h", x.sin()).relu())(0),
        *(
            "x",
            "Each of the 2 ways from x to y ends at a 0; one of them: x is multiplied by relu(h), and relu(h) is 0.",
            "relu(h)",
        ),
    ),
    "a dot with itself": (
        lambda: named("y", ops.dot(*[[leaf("x", 0), leaf("z", 1)]] * 2)),
        *("x", "Each of the 2 ways from x to y ends at a 0; one of them: x is multiplied by x, and x is 0.", "x"),
    ),
    "an off relu": (
        off_relu,
        *("w", "On the way from w to L, at h: relu is off, since its input −6 is not above 0.", "h"),
    ),
    "an off relu here": (
        of(lambda x: x.relu())(-0.4),
        *("x", "relu is off, since its input −0.4 is not above 0.", "y"),
    ),
    "a flat tanh": (
        of(lambda x: x.tanh())(800),
        *("x", "tanh is saturated: where x is 800, it is flat.", "y"),
    ),
    "a peak": (
        of(lambda x: x.sech())(0),
        *("x", "sech(x) is flat where x is 0: ∂y/∂x is −sech(x) × tanh(x) = −1 × tanh(0).", "y"),
    ),
    "a flat power": (
        of(lambda x: x**2)(0),
        *("x", "x**2 is flat where x is 0: ∂y/∂x is 2 × x = 2 × 0.", "y"),
    ),
    "a flat cosine": (
        of(lambda x: x.cos())(0),
        *("x", "cos(x) is flat where x is 0: ∂y/∂x is −sin(x) = −sin(0).", "y"),
    ),
    "another one": (
        lambda: named("y", ops.maximum(leaf("x", 1), leaf("z", 2))),
        *("x", "maximum took z = 2, and not x.", "y"),
    ),
    "a choice": (
        lambda: named("y", ops.where(leaf("c", 0), leaf("x", 1), leaf("z", 2))),
        *("x", "where chose the other one, since c is false.", "y"),
    ),
    "an index": (
        lambda: named("y", ops.take(leaf("i", 1), [leaf("x", 1), leaf("z", 2)])),
        *("i", "take only chooses by i: it has no slope by it.", "y"),
    ),
    "no path": (
        of(lambda x: ops.step(x) * 2.0)(3),
        *("x", "x reaches y only through step, which has no slope to pass on.", "step(x)"),
    ),
    "two terms": (
        of(lambda x: x * 3.0 - x * 3.0)(1),
        *("x", "2 terms of ∂y/∂x cancel: −3 + 3 = 0.", "x"),
    ),
    "two terms that nearly cancel": (
        of(lambda x: x * 3.0000001 - x * 3.0)(1),
        *("x", "2 terms of ∂y/∂x nearly cancel: −3 + 3 = 1e−7.", "x"),
    ),
    "dead ends": (
        lambda: named("y", (lambda x: (x * -1.0).relu() + (x * -2.0).relu())(leaf("x", 2))),
        "x",
        "Each of the 2 ways from x to y ends at a 0; one of them: relu is off, since its input −4 is not above 0.",
        None,
    ),
    "less than the smallest float": (
        of(lambda x: x * 1e-200 * 1e-200)(1),
        *("x", "1e−200 × 1e−200 is smaller than the smallest float: 0 is left of it.", "x*1e−200"),
    ),
    "a saturated tanh": (
        of(lambda x: (x * 2.0).tanh())(3),
        "x",
        "On the way from x to y, at y: tanh is saturated: where x*2 is 6, it passes on only 2.458e−5 of a change.",
        "y",
    ),
    "a small factor": (
        lambda: named("y", leaf("x", 3) * leaf("w", 1e-5)),
        *("x", "x is multiplied by w = 1e−5, a small number.", "w"),
    ),
    "many small factors": (
        halved,
        *("x", "40 factors multiply to 9.095e−13, of which the smallest is ∂(x*0.5)/∂x = 0.5.", "x*0.5"),
    ),
    "a large factor": (
        of(lambda x: 1.0 / x)(1e-4),
        "x",
        "1 / x is steep where x is 0.0001: ∂y/∂x is −1 / x² = −1 / 0.0001² = −1e8.",
        "y",
    ),
    "a large constant": (
        of(lambda x: x * -1e5)(1),
        *("x", "x is multiplied by −1e5, a large number.", "y"),
    ),
    "a flat exponential": (
        of(lambda x: x.exp())(-20),
        *("x", "exp(x) is nearly flat where x is −20: ∂y/∂x is exp(x) = 2.061e−9.", "y"),
    ),
    "many large factors": (
        doubled,
        *("x", "40 factors multiply to 1.1e12, of which the largest is ∂(x*2)/∂x = 2.", "x*2"),
    ),
    "the first number": (
        of(lambda x: x.log() * 2.0)(0),
        *("x", "log(x) is −inf, the first number that is not finite: log(0).", "log(x)"),
    ),
    "a number that was given": (
        of(lambda x: x * x)(math.nan),
        *("x", "x is NaN, the first number that is not finite.", "x"),
    ),
    "a steep root": (
        of(lambda x: x.sqrt())(0),
        *("x", "sqrt(x) is infinitely steep where x is 0: ∂y/∂x is inf.", "y"),
    ),
    "0 times inf": (
        of(lambda x: (x * x).sqrt())(0),
        *("x", "∂(x*x)/∂(1st x) is 0 and ∂y/∂(x*x) is inf, and 0 × inf is NaN.", "x*x"),
    ),
    "inf minus inf": (
        of(lambda x: x.sqrt() - x.sqrt())(0),
        *("x", "the terms of ∂y/∂x add up to NaN: −inf + inf.", "x"),
    ),
    "no slope": (
        lambda: named("y", ops.pow(leaf("x", -2), leaf("n", 3))),
        *("n", "x**n has no slope by n where n is 3: ∂y/∂n is NaN.", "y"),
    ),
    "a sum beyond the floats": (
        of(lambda x: x * 1.5e308 + x * 1.5e308)(1e-9),
        *("x", "the terms of ∂y/∂x add up to inf: 1.5e308 + 1.5e308.", "x"),
    ),
    "more than the largest float": (
        of(lambda x: x * 1e200 * 1e200)(1e-200),
        *("x", "1e200 × 1e200 is beyond the largest float.", "x*1e200"),
    ),
}
