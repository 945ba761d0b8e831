"""The vector functions against mpmath at random points and at the edges, in both precisions and all widths."""

import itertools
import math
from fractions import Fraction
from functools import cache

import numpy
import pytest
from mpmath import mp, mpf

from scalargrad import ieee
from scalargrad.compiler.backends.native import functions as vector_math
from scalargrad.compiler.backends.native.code import function, rounded
from scalargrad.compiler.backends.native.functions import FUNCTIONS, exponentials, logarithms
from scalargrad.compiler.backends.native.functions.quarter_turns import pi
from scalargrad.ops import OPERATIONS
from tests.machines import WIDTHS, machine_with
from tests.oracles.native_functions import (
    DIGITS,
    LARGEST,
    LEAST_EXPONENT,
    TYPES,
    Native,
    declarations,
    in_ulp,
    places,
    worst,
)
from tests.oracles.polynomials import APPROXIMATIONS, computed, error, written

inf, nan = math.inf, math.nan

ULP, ULP_WITHOUT_FMA = 2.0, 4.0


@cache
def native(number: str, fma: bool = True) -> Native:
    return Native(FUNCTIONS, number, machine_with(fma=fma))


def bound(native: Native) -> float:
    """How far from the truth a function may be on that processor."""
    return ULP if native.machine.fma else ULP_WITHOUT_FMA


# Against mpmath.


@pytest.mark.sampled(5)
@pytest.mark.parametrize("number", TYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_two_ulp(name, number):
    off, args = worst(name, number, native(number), places(name, number, 800))
    assert off <= bound(native(number)), f"{name}{args} is {off:.3g} ulp off"


@pytest.mark.long
@pytest.mark.parametrize("number", TYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_two_ulp_at_many_points(name, number):
    off, args = worst(name, number, native(number), places(name, number, 10_000, seed=1))
    assert off <= bound(native(number)), f"{name}{args} is {off:.3g} ulp off"


@pytest.mark.sampled(5)
@pytest.mark.parametrize("number", TYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_without_fused_multiply_add(name, number):
    off, args = worst(name, number, native(number, fma=False), places(name, number, 200, seed=2))
    assert off <= ULP_WITHOUT_FMA, f"{name}{args} is {off:.3g} ulp off"


@pytest.mark.parametrize("number", TYPES)
@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_angles_next_to_multiples_of_a_quarter_turn(name, number):
    largest = 1024 if number == "double" else 128
    angles = [math.ldexp(nearest_to_a_multiple(e, DIGITS[number]), e) for e in range(-40, largest - DIGITS[number])]
    angles += [22.0, 355.0, 2.0**15, 2.0**30, math.nextafter(2.0**30, inf) if number == "double" else 2.0**31]
    off, args = worst(name, number, native(number), [(sign * x,) for x in angles for sign in (1, -1)])
    assert off <= bound(native(number)), f"{name}{args} is {off:.3g} ulp off"


def nearest_to_a_multiple(exponent: int, digits: int) -> int:
    """The m < 2**digits that brings m * 2**exponent nearest to a multiple of pi/2, by a continued fraction."""
    rest = Fraction(2) ** exponent * 2 / pi(1400)
    previous, denominator = 0, 1
    while denominator < 2**digits:
        found = denominator
        rest = 1 / (rest - math.floor(rest))
        previous, denominator = denominator, math.floor(rest) * denominator + previous
    return found


@pytest.mark.parametrize("name", FUNCTIONS)
def test_floats_of_all_sizes_agree_with_doubles(name):
    compare_with_doubles(name, 1 << 16)


@pytest.mark.long
@pytest.mark.parametrize("name", FUNCTIONS)
def test_many_floats_agree_with_doubles(name):
    compare_with_doubles(name, 1 << 23)


def compare_with_doubles(name: str, count: int) -> None:
    arrays = [numbers_by_their_bits("float", count, 3 + place) for place in range(OPERATIONS[name].scalars)]
    largest = float(LARGEST["float"])
    with numpy.errstate(over="ignore", invalid="ignore"):
        values = getattr(native("float"), name)(*arrays).astype(float)
        exact = getattr(native("double"), name)(*[x.astype(float) for x in arrays])
        exponents = numpy.frexp(numpy.minimum(abs(exact), largest))[1]
        units = numpy.ldexp(1.0, numpy.maximum(exponents - DIGITS["float"], LEAST_EXPONENT["float"]))
        off = abs(values - exact) / units
        same = (values == exact) | (numpy.isnan(values) & numpy.isnan(exact))
        same |= (abs(exact) > largest) & (values == numpy.copysign(inf, exact))
    wrong = ~(same | (off <= bound(native("float"))))
    assert not wrong.any(), f"{name}, floats: wrong at {[x[wrong][:3] for x in arrays]}"


# At the edges: what scalargrad.ieee gives.

TINY, HUGE = {"double": 5e-324, "float": 2.0**-149}, {"double": 1.7e308, "float": 3.4e38}
EDGES = [0.0, 1.0, 0.5, 1.5, 2.0, 3.0, 20.0, 40.0, 88.8, 103.5, 709.9, 710.6, 745.0, 746.0, 1e4, 2.0**53 - 1, 1e30, inf]


def edges(number: str) -> list[float]:
    sizes = [*EDGES, TINY[number], 3 * TINY[number], HUGE[number], 1e-30]
    return [nan, *(sign * rounded(x) if number == "float" else sign * x for x in sizes for sign in (1.0, -1.0))]


@pytest.mark.parametrize("number", TYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_edges(name, number):
    reference = getattr(ieee, name, None) or getattr(math, name)
    arguments = list(itertools.product(edges(number), repeat=OPERATIONS[name].scalars))
    values = getattr(native(number), name)(*numpy.array(arguments, dtype=TYPES[number]).T).tolist()
    for args, value in zip(arguments, values, strict=True):
        exact = reference(*args)
        assert same_kind(value, exact, number), f"{name}{args} is {value}, not {exact}"
        assert in_ulp(value, mpf(exact), number) <= bound(native(number)) + 1, f"{name}{args} is {value}, not {exact}"


def same_kind(value: float, exact: float, number: str) -> bool:
    """nan, or the same sign, which zero and inf have, too; 0 where the exact value is 0."""
    if exact != exact or value != value:
        return exact != exact and value != value
    return math.copysign(1.0, value) == math.copysign(1.0, exact) and (value == 0.0 or exact != 0.0)


@pytest.mark.parametrize("number", TYPES)
@pytest.mark.parametrize(
    "name", ["sin", "tan", "asin", "atan", "sinh", "tanh", "asinh", "atanh", "expm1", "log1p", "erf"]
)
def test_minus_zero_and_the_smallest_numbers_stay_what_they_are(name, number):
    for x in (0.0, -0.0, TINY[number], -TINY[number], 7 * TINY[number]):
        factor = 2.0 / math.sqrt(math.pi) if name == "erf" else 1.0
        (value,) = getattr(native(number), name)([x]).tolist()
        assert abs(value - factor * x) <= TINY[number] / 2
        assert math.copysign(1.0, value) == math.copysign(1.0, x)


@pytest.mark.parametrize("number", TYPES)
def test_powers_that_are_whole_numbers_are_exact(number):
    cases = [(x, n) for x in range(-40, 41) for n in range(40) if abs(x) ** n < 2 ** DIGITS[number]]
    values = native(number).pow(*numpy.array(cases, dtype=float).T)
    assert values.tolist() == [float(x**n) for x, n in cases]


@pytest.mark.parametrize("number", TYPES)
def test_logarithms_that_are_whole_numbers_are_exact(number):
    exponents = numpy.arange(-149, 128) if number == "float" else numpy.arange(-1074, 1024)
    powers = numpy.ldexp(1.0, exponents)
    assert native(number).log2(powers).tolist() == exponents.tolist()
    assert native(number).exp2(exponents).tolist() == powers.tolist()
    exact = 10 if number == "float" else 22  # the largest power of ten that is a number
    assert native(number).log10([10.0**n for n in range(exact + 1)]).tolist() == list(range(exact + 1))


def numbers_by_their_bits(number: str, count: int, seed: int) -> numpy.ndarray:
    """Of all sizes: as many between 2**-100 and 2**-99 as between 1/2 and 1, subnormals, inf and nan."""
    bits = numpy.random.default_rng(seed).integers(
        0, 2 ** (64 if number == "double" else 32), count, dtype=numpy.uint64
    )
    return bits.astype(numpy.uint64 if number == "double" else numpy.uint32).view(TYPES[number])


@pytest.mark.parametrize("fma", [True, False], ids=["fma", "no fma"])
@pytest.mark.parametrize("number", TYPES)
def test_remainders_are_exact_however_long_the_quotient(number, fma):
    """Python's `%` of floats is C's fmod, with the sign of the divisor."""
    x, y = numbers_by_their_bits(number, 1 << 14, 8), numbers_by_their_bits(number, 1 << 14, 9)
    check_remainders(native(number, fma), number, x, y)


@pytest.mark.parametrize("fma", [True, False], ids=["fma", "no fma"])
@pytest.mark.parametrize("number", TYPES)
def test_remainders_next_to_multiples_are_exact(number, fma):
    """Their quotients are rounded to whole numbers that may be one too many."""
    source = numpy.random.default_rng(10)
    y = source.uniform(-2.0, 2.0, 4096).astype(TYPES[number])
    multiples = y * (2.0 ** source.uniform(0.0, DIGITS[number] - 3, 4096)).round().astype(TYPES[number])
    for x in (numpy.nextafter(multiples, TYPES[number](0)), multiples, numpy.nextafter(multiples, multiples * 2)):
        check_remainders(native(number, fma), number, source.choice([-1, 1], 4096).astype(TYPES[number]) * x, y)


def check_remainders(native: Native, number: str, x: numpy.ndarray, y: numpy.ndarray) -> None:
    with numpy.errstate(invalid="ignore"):
        found = native.mod(x, y)
    for a, b, rest in zip(x.tolist(), y.tolist(), found.tolist(), strict=True):
        exact = nan if b == 0.0 or math.isinf(a) else a % b
        exact = rounded(exact) if number == "float" else exact
        assert same_kind(rest, exact, number), (a, b)
        assert rest == exact or exact != exact, (a, b, rest, exact)


@pytest.mark.parametrize("number", TYPES)
@pytest.mark.parametrize("name", ["sin", "tan", "asin", "atan", "sinh", "tanh", "asinh", "atanh", "erf"])
def test_odd_functions_are_odd_to_the_bit(name, number):
    x = numpy.random.default_rng(4).normal(0.0, 1.0, 1000)
    with numpy.errstate(invalid="ignore"):
        assert numpy.array_equal(getattr(native(number), name)(-x), -getattr(native(number), name)(x), equal_nan=True)


# As code.


@pytest.mark.sampled(5)
@pytest.mark.parametrize("number", TYPES)
@pytest.mark.parametrize("width", [1, 2, 4, 8, 16])
def test_every_width_gives_the_same_bits(width, number):
    check_equal(Native(FUNCTIONS, number, machine_with(), width), native(number), number)


@pytest.mark.sampled(5)
@pytest.mark.parametrize("number", TYPES)
@pytest.mark.parametrize("vector_bytes", WIDTHS)
def test_every_processor_gives_the_same_bits(vector_bytes, number):
    """Those with fused multiply-adds, and those without: the accuracy of both is tested above."""
    machine = machine_with(vector_bytes, machine_with().fma)
    check_equal(Native(FUNCTIONS, number, machine), native(number, machine.fma), number)


def check_equal(one: Native, other: Native, number: str) -> None:
    for name in FUNCTIONS:
        arrays = numpy.array(places(name, number, 200), dtype=TYPES[number]).T
        assert numpy.array_equal(getattr(one, name)(*arrays), getattr(other, name)(*arrays), equal_nan=True), name


@pytest.mark.parametrize("number", TYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_nothing_is_called_but_instructions(name, number):
    """No function of the C library: those below are single instructions, or a few."""
    known = {"fma", "fabs", "copysign", "sqrt", "floor", "nearbyint", "vector"}
    text = function("f", FUNCTIONS[name], OPERATIONS[name].scalars, number, 4, True)
    called = {line.split("@")[1].split("(")[0].split(".")[1] for line in declarations(text.split("\n"))}
    assert called <= known
    assert "fptosi" not in text  # undefined beyond the integers' range


def test_other_bases_are_in_two_parts_and_log10_2_has_exact_products():
    with mp.workdps(60):
        for base, ((large, small), factor) in ((2, logarithms.BASE_2), (10, logarithms.BASE_10)):
            assert abs(mpf(large) + mpf(small) - mp.log(2, base)) < mpf(2) ** -90
            assert abs(mpf(factor[0]) + mpf(factor[1]) - 1 / mp.log(base)) < mpf(2) ** -100
            for product in (Fraction(large) * k for k in range(1100)):
                assert product == Fraction(float(product))


def test_ln_2_is_in_two_parts_of_which_the_first_has_exact_products():
    for number, (large, small) in exponentials.LN2.items():
        with mp.workdps(60):
            assert abs(mpf(large) + mpf(small) - mp.log(2)) < mpf(2) ** (-14 - DIGITS[number])
        largest_exponent = 1100 if number == "double" else 160
        for product in (Fraction(large) * k for k in range(largest_exponent)):
            assert product == Fraction(float(product) if number == "double" else rounded(float(product)))


@pytest.mark.parametrize("approximation", APPROXIMATIONS, ids=lambda row: f"{row.module}.{row.name}")
def test_the_coefficients_are_those_of_the_interpolation(approximation):
    found, expected = written(approximation), computed(approximation)
    assert found == expected
    for number, polynomial in found.items():
        assert error(approximation, polynomial) < 2.0 ** -(DIGITS[number] + 3)


# The checks themselves.


@pytest.mark.parametrize("number", TYPES)
@pytest.mark.parametrize(("term", "bit"), [(0, 7), (2, 14), (4, 22)])
def test_a_wrong_digit_in_a_coefficient_is_found(monkeypatch, number, term, bit):
    wrong = list(exponentials.EXP[number])
    wrong[term] *= 1.0 + 2.0 ** (bit - DIGITS[number])  # the higher the term, the less its last bits matter
    monkeypatch.setitem(exponentials.EXP, number, wrong)
    broken = Native({"exp": exponentials.exp}, number, machine_with())
    assert worst("exp", number, broken, places("exp", number, 400))[0] > bound(broken)


def test_a_wrong_special_value_is_found(monkeypatch):
    unguarded = {"sin": vector_math.FUNCTIONS["cos"], "log": lambda code, x: code.add(x, x)}
    broken = Native(unguarded, "double", machine_with())
    assert not same_kind(*broken.sin([-0.0]).tolist(), -0.0, "double")
    assert not same_kind(*broken.log([-1.0]).tolist(), nan, "double")
