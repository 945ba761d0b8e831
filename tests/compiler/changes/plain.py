"""Numbers, texts and other plain things that a closure reads."""

import datetime
import decimal
import fractions
import math
import pathlib
import re

from tests.compiler.changes.cases import change


@change
def a_number():
    scale = 2.0
    yield lambda x: x * scale
    scale = 3.0


@change
def a_number_that_becomes_an_int():
    count = 2.0
    yield lambda x: x * len(str(count))
    count = 2


@change
def an_int_that_becomes_a_bool():
    flag = 1
    yield lambda x: x * (2.0 if flag is True else 3.0)
    flag = True


@change
def an_int_beyond_the_floats():
    count = 10**30
    yield lambda x: x * (2.0 + count % 7)
    count = 10**30 + 1


@change
def a_zero_that_changes_its_sign():
    zero = 0.0
    yield lambda x: x * math.copysign(2.0, zero)
    zero = -0.0


@change
def a_nan_that_becomes_another():
    nan = float("nan")
    weights = {nan: 2.0}
    yield lambda x: x * weights.get(nan, 3.0)
    nan = float("nan")


@change
def a_flag():
    double = True
    yield lambda x: x * 2.0 if double else x
    double = False


@change
def a_text():
    mode = "double"
    yield lambda x: x * 2.0 if mode == "double" else x
    mode = "single"


@change
def a_text_in_a_match():
    mode = "double"

    def function(x):
        match mode:
            case "double":
                return x * 2.0
            case _:
                return x

    yield function
    mode = "single"


@change
def some_bytes():
    code = b"\x02"
    yield lambda x: x * code[0]
    code = b"\x03"


@change
def none_that_becomes_a_number():
    scale = None
    yield lambda x: x if scale is None else x * scale
    scale = 3.0


@change
def a_range():
    powers = range(2)
    yield lambda x: sum(x * 2.0**power for power in powers)
    powers = range(3)


@change
def a_slice():
    scales, part = [2.0, 3.0, 4.0], slice(1)
    yield lambda x: x * sum(scales[part])
    part = slice(2)


@change
def a_complex_number():
    z = 1.0 + 2.0j
    yield lambda x: x * z.imag
    z = 1.0 + 3.0j


@change
def a_fraction():
    scale = fractions.Fraction(1, 2)
    yield lambda x: x * float(scale)
    scale = fractions.Fraction(1, 3)


@change
def a_decimal():
    price = decimal.Decimal("2.0")
    yield lambda x: x * float(price)
    price = decimal.Decimal("3.0")


@change
def a_date():
    today = datetime.date(2024, 5, 2)
    yield lambda x: x * today.day
    today = today + datetime.timedelta(days=1)


@change
def a_path():
    path = pathlib.PurePath("weights", "2.txt")
    yield lambda x: x * float(path.stem)
    path = path.with_stem("3")


@change
def a_regular_expression():
    pattern = re.compile("ab")
    yield lambda x: x * 2.0 if pattern.match("abc") else x
    pattern = re.compile("c")


@change
def a_tuple():
    scales = (2.0, 5.0)
    yield lambda x: x * scales[0]
    scales = (3.0, 5.0)


@change
def a_class_that_a_name_stands_for():
    class Linear:
        scale = 2.0

    class Other:
        scale = 3.0

    kind = Linear
    yield lambda x: x * kind().scale
    kind = Other
