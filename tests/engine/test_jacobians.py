"""jacobian, jvp, vjp, and arguments of every structure: against JAX, and against each other."""

import importlib
import inspect
import math
import random
from collections import OrderedDict, defaultdict, deque
from types import MappingProxyType
from typing import NamedTuple

import pytest

import scalargrad
from scalargrad import MLP, TraceError, Value, compile, dot, gradients, maximum, mul, no_grad, sin, tanh
from scalargrad.functional import (
    GradcheckError,
    grad,
    gradcheck,
    hessian,
    hvp,
    jacobian,
    jvp,
    value_and_grad,
    vjp,
)
from scalargrad.observers import Observer, observed_by
from scalargrad.trees import on_blocks
from tests.platforms import Later

numpy = Later("numpy")
mpmath = Later("mpmath")


class Line(NamedTuple):
    slope: float
    shift: object


def array(*shape):
    return numpy.linspace(-1.0, 1.5, math.prod(shape)).reshape(shape)


# Points as functions take them: of each kind one, and mixtures.
POINTS = {
    "a number": lambda: 0.7,
    "a list": lambda: [0.7, -1.3, 0.4],
    "a list of one": lambda: [0.7],
    "nested lists": lambda: [[0.7, -1.3], [], [0.4]],
    "a tuple": lambda: (0.7, (-1.3, 0.4)),
    "a named tuple": lambda: Line(0.7, [-1.3]),
    "a dictionary": lambda: {"w": [0.7, -1.3], "b": 0.4},
    "keys that are numbers": lambda: {2: 0.7, 1: -1.3},
    "an array": lambda: array(3),
    "a matrix": lambda: array(2, 3),
    "an array of one": lambda: array(1, 1),
    "an array without numbers": lambda: [array(0, 2), 0.3],
    "a layer": lambda: {"W": array(2, 2), "b": (array(2), 0.3)},
    "arrays in a list": lambda: [array(2), {"x": array(1, 2)}, 0.7],
}
# What functions return: made of as many numbers as it needs.
RESULTS = {
    "a number": next,
    "a list": lambda x: [next(x), next(x)],
    "nested": lambda x: [next(x), ([next(x)], [])],
    "a dictionary": lambda x: {"z": next(x), "a": [next(x)]},
    "a named tuple": lambda x: Line(next(x), next(x)),
    "an array": lambda x: x.array(3),
    "a matrix": lambda x: x.array(2, 2),
    "a mixture": lambda x: (x.array(2), {"loss": next(x)}),
    "many": lambda x: [next(x) for _ in range(9)],
}


def numbers_of(tree):
    """The numbers of a tree in order, by a walk that is not the package's."""
    if isinstance(tree, dict):
        return [x for key in sorted(tree) for x in numbers_of(tree[key])]
    if isinstance(tree, list | tuple) or getattr(tree, "shape", ()) != ():
        return [x for item in tree for x in numbers_of(item)]
    return [tree]


STEPS = [
    lambda f, factor, x, y: x * y,
    lambda f, factor, x, y: x - factor * y,
    lambda f, factor, x, y: f.tanh(x + y),
    lambda f, factor, x, y: f.sin(factor * x) * y,
    lambda f, factor, x, y: x / (1.0 + y * y),
]


class Drawn:
    """Numbers that depend on those of a tree in a random way, the same for all that draw with this seed."""

    def __init__(self, tree, seed, functions=scalargrad):
        self.functions, self.chance, self.pool = functions, random.Random(seed), numbers_of(tree)

    def __iter__(self):
        return self

    def __next__(self):
        for _ in range(5):
            step, factor = self.chance.choice(STEPS), self.chance.uniform(0.5, 2.0)
            x, y = self.chance.choice(self.pool), self.chance.choice(self.pool)
            self.pool.append(step(self.functions, factor, x, y))
        return self.pool[-1]

    def array(self, *shape):
        numbers = [next(self) for _ in range(math.prod(shape))]
        return getattr(self.functions, "stack", object_array)(numbers).reshape(shape)


def object_array(numbers):
    return numpy.array(numbers, object)


def both(result, seed):
    """The same random function in scalars and in JAX."""
    jax = importlib.import_module("jax.numpy")
    return drawn(result, seed), drawn(result, seed, jax)


def drawn(result, seed, functions=scalargrad):
    return lambda *points: RESULTS[result](Drawn(list(points), seed, functions))


def check_same(ours, theirs, floats=True):
    """The same structure with the same numbers; JAX gives arrays without axes for numbers."""
    if isinstance(theirs, dict):
        assert type(ours) is dict
        assert ours.keys() == theirs.keys()
        for key in ours:
            check_same(ours[key], theirs[key], floats)
    elif isinstance(theirs, list | tuple):
        assert type(ours) is type(theirs)
        for pair in zip(ours, theirs, strict=True):
            check_same(*pair, floats)
    elif numpy.shape(theirs):
        assert ours.shape == theirs.shape
        assert ours.dtype == float
        numpy.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)
    else:
        assert type(ours) is float
        assert ours == pytest.approx(float(theirs), rel=1e-10, abs=1e-12)


def direction_for(tree, seed=5):
    """Another tree built like this one."""
    chance = random.Random(seed)
    return built_like(tree, iter(lambda: chance.uniform(-1.0, 1.0), None))


def built_like(tree, numbers):
    """A tree with other numbers, in the order of `numbers_of`."""
    if isinstance(tree, dict):
        found = {key: built_like(tree[key], numbers) for key in sorted(tree)}
        return {key: found[key] for key in tree}
    if isinstance(tree, Line):
        return Line(*(built_like(item, numbers) for item in tree))
    if isinstance(tree, list | tuple):
        return type(tree)(built_like(item, numbers) for item in tree)
    if getattr(tree, "shape", ()):
        flat = [next(numbers) for _ in tree.flat]
        return numpy.array(flat, float if type(flat[0]) is float else object).reshape(tree.shape) if flat else tree
    return next(numbers)


@pytest.fixture
def jax64():
    import jax

    jax.config.update("jax_enable_x64", True)
    return jax


CASES = [(point, result) for place, point in enumerate(POINTS) for result in list(RESULTS)[place % 2 :: 2]]


@pytest.mark.long
@pytest.mark.oracle("jax")
@pytest.mark.parametrize(("point", "result"), CASES)
def test_first_derivatives_are_jaxs_in_both_modes(point, result, jax64):
    at = POINTS[point]()
    ours, theirs = both(result, seed=len(point) + len(result))
    way = direction_for(at)
    value, pullback = vjp(ours, at, 0.5)
    cotangent = direction_for(value, seed=6)

    @jax64.jit
    def expected(at, way, cotangent):
        value, pullback = jax64.vjp(theirs, at, 0.5)
        pushed = jax64.jvp(lambda at: theirs(at, 0.5), (at,), (way,))
        return pushed, value, pullback(cotangent), jax64.jacrev(theirs, argnums=(1, 0))(at, 0.5)

    matrix = jacobian(ours, argnums=(1, 0))(at, 0.5)
    pushed = jvp(lambda at: ours(at, 0.5), (at,), (way,))
    check_same((pushed, value, pullback(cotangent), matrix), expected(at, way, cotangent))


def in_lists(tree):
    """Arrays as nested lists, as hessian gives them."""
    return on_blocks(lambda block: block.tolist() if hasattr(block, "shape") else block, tree)


@pytest.mark.long
@pytest.mark.oracle("jax")
@pytest.mark.parametrize("point", POINTS)
def test_gradients_and_second_derivatives_are_jaxs(point, jax64):
    at = POINTS[point]()
    ours, theirs = both("a number", seed=7)
    way = direction_for(at)

    @jax64.jit
    def expected(at, way):
        product = jax64.jvp(jax64.grad(theirs), (at, 0.3), (way, 0.0))[1]
        matrices = [jax64.hessian(theirs, places)(at, 0.3) for places in (0, (0, 1))]
        return jax64.grad(theirs)(at, 0.3), product, *matrices

    slope, product, matrix, matrix_of_both = expected(at, way)
    check_same(grad(ours)(at, 0.3), slope)
    check_same(hessian(ours)(at, 0.3), in_lists(matrix))
    check_same(jacobian(grad(ours))(at, 0.3), matrix)
    check_same(hessian(ours, argnums=(0, 1))(at, 0.3), in_lists(matrix_of_both))
    check_same(hvp(ours, (at, 0.3), (way, 0.0))[0], product)
    check_same(jvp(grad(ours), (at, 0.3), (way, 0.0))[1], product)
    check_same(vjp(grad(ours), at, 0.3)[1](way)[0], product)  # the matrix is symmetric


@pytest.mark.oracle("jax")
def test_aux_and_argnums_are_as_in_jax(jax64):
    def ours(p, x, scale=1.0):
        return scale * tanh(p["w"] * x + p["b"]), {"seen": [x * 2.0], "name": "loss"}

    def theirs(p, x, scale=1.0):
        return scale * jax64.numpy.tanh(p["w"] * x + p["b"]), {"seen": [x * 2.0]}

    p = {"w": 0.3, "b": -0.2}
    calls = [
        (grad, jax64.grad, {}),
        (grad, jax64.grad, {"argnums": 1}),
        (grad, jax64.grad, {"argnums": (1, 0)}),
        (value_and_grad, jax64.value_and_grad, {"argnums": [0, 1]}),
        (hessian, jax64.hessian, {"argnums": (0, 1)}),
        (jacobian, jax64.jacrev, {"argnums": 1}),
    ]
    for mine, other, settings in calls:
        found = mine(ours, has_aux=True, **settings)(p, 0.7, scale=2.0)
        expected = other(theirs, has_aux=True, **settings)(p, 0.7, scale=2.0)
        aux = found[0][1] if mine is value_and_grad else found[1]
        assert aux.pop("name") == "loss"
        check_same(found, expected)
    value, pullback, aux = vjp(ours, p, 0.7, has_aux=True)
    expected, their_pullback, their_aux = jax64.vjp(theirs, p, 0.7, has_aux=True)
    assert aux.pop("name") == "loss"
    check_same((value, aux, pullback(2.0)), (expected, their_aux, their_pullback(2.0)))
    value, slope, aux = jvp(ours, (p, 0.7), (p, 1.0), has_aux=True)
    assert aux.pop("name") == "loss"
    check_same((value, slope, aux), jax64.jvp(theirs, (p, 0.7), (p, 1.0), has_aux=True))


def exact_columns(function, at):
    """For each number of the point the derivatives of all numbers of the result: differences, in 60 digits."""
    numbers, step = [mpmath.mpf(float(x)) for x in numbers_of(at)], mpmath.mpf(10) ** -20

    def moved(place, way):
        beside = [x + way if i == place else x for i, x in enumerate(numbers)]
        return numbers_of(function(built_like(at, iter(beside))))

    return [
        [float((right - left) / (2 * step)) for right, left in zip(moved(i, step), moved(i, -step), strict=True)]
        for i in range(len(numbers))
    ]


@pytest.mark.parametrize(("point", "result"), CASES)
def test_both_modes_and_the_jacobian_agree_with_differences_in_60_digits(point, result):
    at, seed = POINTS[point](), len(point)
    function = drawn(result, seed)
    with mpmath.workdps(60):
        columns = exact_columns(drawn(result, seed, mpmath), at)
    rows = [[column[i] for column in columns] for i in range(len(columns[0]))]
    value, pullback = vjp(function, at)
    assert numbers_of(value) == numbers_of(function(at))
    for i, row in enumerate(rows):
        unit = built_like(value, iter([float(i == j) for j in range(len(rows))]))
        assert numbers_of(pullback(unit)) == pytest.approx(row, rel=1e-12, abs=1e-15)
    for j, column in enumerate(columns):
        unit = built_like(at, iter([float(i == j) for i in range(len(columns))]))
        same, slopes = jvp(function, (at,), (unit,))
        assert numbers_of(same) == numbers_of(value)
        assert numbers_of(slopes) == pytest.approx(column, rel=1e-12, abs=1e-15)
    matrix = sorted(numbers_of(jacobian(function)(at)))
    assert matrix == pytest.approx(sorted(x for row in rows for x in row), rel=1e-12, abs=1e-15)


# Without an oracle.


@pytest.mark.parametrize("point", POINTS)
def test_gradcheck_takes_every_structure(point):
    function = drawn("a number", seed=9)
    at = POINTS[point]()
    assert gradcheck(function, [at])
    assert gradcheck(function, [at, 0.3])
    if numbers_of(at)[0:1]:

        def cut(point):
            return function(point) + 3.0 * numbers_of(point)[0].detach()

        with pytest.raises(GradcheckError):
            gradcheck(cut, [at])


@pytest.mark.parametrize("point", POINTS)
def test_a_derivative_is_built_like_its_point(point):
    at = POINTS[point]()
    function = drawn("a number", seed=4)

    def structure(tree):
        if isinstance(tree, dict):
            return {key: structure(tree[key]) for key in tree}
        if isinstance(tree, list | tuple):
            return type(tree), [*map(structure, tree)]
        return getattr(tree, "shape", ())

    found = grad(function)(at)
    assert structure(found) == structure(at)
    if isinstance(at, dict):
        assert [*found] == [*at]
    assert structure(hvp(function, at, direction_for(at))) == structure(at)
    assert structure(jacobian(function)(at)) == structure(at)
    assert structure(vjp(function, at)[1](1.0)) == (tuple, [structure(at)])
    assert repr(in_lists(jacobian(grad(function))(at))) == repr(hessian(function)(at))


def test_dictionaries_keep_their_kind_and_order():
    ordered = OrderedDict(z=1.0, a=2.0)
    found = grad(lambda p: p["z"] * p["a"] ** 2)(ordered)
    assert type(found) is OrderedDict
    assert found == OrderedDict(z=4.0, a=4.0)
    assert ordered == OrderedDict(z=1.0, a=2.0)
    counted = defaultdict(list, x=3.0)
    assert grad(lambda p: p["x"] ** 2)(counted) == {"x": 6.0}


def test_forward_and_reverse_mode_agree():
    for n, m in ((2, 5), (5, 2), (3, 3), (0, 2), (2, 0)):

        def function(x, m=m):
            return [sin(sum(x, 1.0) * place) * (x[place % len(x)] if x else 1.0) for place in range(m)]

        at = [0.3 * place - 0.4 for place in range(n)]
        rows = jacobian(function)(at)
        units = [[float(i == j) for j in range(n)] for i in range(n)]
        columns = [jvp(function, at, unit)[1] for unit in units]
        assert rows == [pytest.approx([column[i] for column in columns], rel=1e-13) for i in range(m)]
        pullback = vjp(function, at)[1]
        assert rows == [pytest.approx(pullback([float(i == j) for j in range(m)])[0], rel=1e-13) for i in range(m)]


@pytest.mark.parametrize(("n", "m", "told"), [(2, 5, "before_jvp"), (5, 2, "before_gradients")])
def test_a_jacobian_goes_the_way_that_has_fewer_passes(n, m, told, monkeypatch):
    watch, seen = Observer(), []
    for event in ("before_jvp", "before_gradients"):
        monkeypatch.setattr(watch, event, lambda order, event=event: seen.append(event))
    with observed_by(watch):
        jacobian(lambda x: [x[0] * x[-1]] * m)([0.5] * n)
    assert seen == [told] * min(n, m)


def test_a_direction_finds_its_key_and_an_input_keeps_its_tangent():
    assert jvp(lambda p: p["w"] * p["b"], {"w": 3.0, "b": 4.0}, {"b": 10.0, "w": 1.0}) == (12.0, 34.0)
    x = Value(3.0)
    y = x * x
    assert jvp(x + y, [x, y], [1.0, 0.0]) == 1.0  # y is an input of its own


def test_a_jacobian_of_arrays_has_the_axes_of_both():
    found = jacobian(lambda x: x @ array(3, 4))(array(2, 3))
    expected = numpy.einsum("ij,kl->iljk", numpy.eye(2), array(3, 4))
    numpy.testing.assert_allclose(found, expected, rtol=1e-15)
    assert jacobian(lambda x: [x.sum(), 2.0])(array(2, 2))[1].tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert jacobian(lambda x: numpy.array([x[0], x[1] * 2.0]))([1.0, 2.0])[1].tolist() == [0.0, 2.0]
    assert numpy.shape(hessian(lambda x: (x * x * x).sum())(array(2, 3))) == (2, 3, 2, 3)


def test_nested_derivatives_are_not_confused_in_any_mode():
    def forward(function):
        return lambda x: jvp(function, x, 1.0)[1]

    def pulled(function):
        return lambda x: vjp(function, x)[1](1.0)[0]

    modes = [grad, jacobian, forward, pulled]
    for outer in modes:
        for inner in modes:
            assert outer(lambda x, inner=inner: x * inner(lambda y: x + y)(1.0))(3.0) == 1.0
            assert outer(lambda x, inner=inner: x * inner(lambda y: x * y)(x))(3.0) == 6.0
            for third in modes:
                assert third(outer(inner(lambda x: x**4)))(2.0) == 48.0
            assert (
                outer(lambda x, inner=inner: hessian(lambda y: inner(lambda z: z**3 * x * y**2)(1.0))(2.0))(5.0) == 6.0
            )
            assert (
                outer(lambda x, inner=inner: hvp(lambda y: inner(lambda z: z**3 * x * y**2)(1.0), 2.0, x))(5.0) == 60.0
            )


def test_directions_and_cotangents_may_be_differentiated():
    assert grad(lambda v: jvp(lambda x: x**3, 2.0, v)[1])(5.0) == 12.0
    assert grad(lambda c: vjp(lambda x: x**3, 2.0)[1](c)[0] * c)(5.0) == 120.0
    assert grad(lambda v: dot(hvp(lambda x: x[0] ** 2 * x[1], [3.0, 5.0], [v, 0.0]), [1.0, 1.0]))(7.0) == 16.0


def test_a_function_of_several_arguments_takes_a_tuple():
    assert jvp(lambda x, y: x * y, (3.0, 4.0), (1.0, 10.0)) == (12.0, 34.0)
    assert jvp(lambda v: v[0] * v[1], (3.0, 4.0), (1.0, 10.0)) == (12.0, 34.0)  # one argument, a tuple
    assert jvp(sin, (0.5,), (1.0,)) == jvp(sin, 0.5, 1.0) == (math.sin(0.5), math.cos(0.5))
    assert hvp(lambda x, y: x**2 * y, (3.0, 5.0), (1.0, 0.0)) == (10.0, 6.0)
    assert hvp(lambda v: v[0] ** 2 * v[1], (3.0, 5.0), (1.0, 0.0)) == (10.0, 6.0)
    assert hessian(lambda x: x**3)(2.0) == hvp(lambda x: x**3, 2.0, 1.0) == 12.0
    assert jvp(mul, (3.0, 4.0), (1.0, 10.0)) == (12.0, 34.0)  # operations know how many they take
    assert jvp(scalargrad.sum, (3.0, 4.0), (1.0, 10.0)) == (7.0, 11.0)
    assert jvp(maximum, (3.0, 4.0), (1.0, 10.0)) == (4.0, 10.0)


def test_results_that_depend_on_no_argument_have_derivative_0():
    for result in (7, True, 2.5, numpy.float32(3.0), numpy.array(4), Value(5.0)):
        assert float(grad(lambda x, r=result: r)(1.0)) == 0.0
        value, slope = jvp(lambda x, r=result: [r, x], 1.0, 1.0)
        assert (float(value[0]), [*map(float, slope)]) == (float(result), [0.0, 1.0])
        assert [*map(float, jacobian(lambda x, r=result: [r, x])(1.0))] == [0.0, 1.0]
        assert float(vjp(lambda x, r=result: r, 1.0)[1](3.0)[0]) == 0.0
        assert float(hessian(lambda x, r=result: r)(1.0)) == float(hvp(lambda x, r=result: r, 1.0, 1.0)) == 0.0
    assert jacobian(lambda x, y: x, argnum=1)(1.0, [2.0, 3.0]) == [0.0, 0.0]
    assert (grad(lambda x: 1.0)([]), hessian(lambda x: 1.0)({}), jacobian(lambda x: [])(1.0)) == ([], {}, [])
    assert vjp(lambda x: [], 2.0)[1]([]) == (0.0,)


def test_no_grad_around_a_call_means_its_result():
    with no_grad():
        assert jacobian(lambda x: [x**2, x])(3.0) == [6.0, 1.0]
        assert jvp(lambda x: x**2, 3.0, 1.0) == (9.0, 6.0)
        pullback = vjp(lambda x: x**2, 3.0)[1]
        assert pullback(1.0) == (6.0,)
    assert pullback(2.0) == pullback(2.0) == (12.0,)  # as often as one likes


def test_a_derivative_that_depends_on_a_value_outside_keeps_that_dependence():
    w = Value(3.0)
    for slope in (
        jacobian(lambda x: [w * x, x * w * w])(2.0)[1],
        jvp(lambda x: w * w * x, 2.0, 1.0)[1],
        vjp(lambda x: w * w * x, 2.0)[1](1.0)[0],
        hessian(lambda x: w * w * x * x / 2.0)(2.0),
        hvp(lambda x: w * w * x * x / 2.0, 2.0, 1.0),
    ):
        assert (slope.data, gradients(slope, w)) == (9.0, 6.0)
    rows = jacobian(MLP(2, [3, 2], rng=0))([0.5, -0.5])
    assert [[type(x) for x in row] for row in rows] == [[Value, Value]] * 2


def test_aux_comes_as_numbers_unless_it_depends_on_a_value_outside():
    w = Value(3.0)
    kept = object()

    def function(x):
        pairs = numpy.array([x, x * x])
        return x * x, {"slope": 2.0 * x, "list": (x, 1), "array": pairs, "whole": numpy.array([1, 2]), "kept": kept}

    slope, aux = grad(function, has_aux=True)(5.0)
    assert (slope, aux["slope"], aux["list"], aux["kept"]) == (10.0, 10.0, (5.0, 1), kept)
    assert jvp(function, 5.0, 2.0, has_aux=True)[:2] == (25.0, 20.0)
    assert jvp(function, 5.0, 2.0, has_aux=True)[2]["slope"] == vjp(function, 5.0, has_aux=True)[2]["slope"] == 10.0
    assert (aux["array"].dtype, aux["array"].tolist()) == (float, [5.0, 25.0])
    assert aux["whole"].dtype == int
    slope, aux = grad(lambda x: (x * x, [w * x, x]), has_aux=True)(5.0)
    assert (slope, type(aux[0]), aux[1]) == (10.0, Value, 5.0)
    assert gradients(aux[0], w) == 5.0
    assert grad(lambda x: grad(lambda y: (y**3, x * y), has_aux=True)(3.0)[1])(2.0) == 3.0


def test_a_function_may_change_what_it_gets():
    def function(p):
        p["y"] = p.pop("x") * 2.0
        p["w"].append(p["y"])
        p["a"][0] = p["y"]
        return p["w"][0] * p["w"][-1] * p["a"].sum()

    def at():
        return {"x": 2.0, "w": [3.0], "a": array(2)}

    point = at()
    assert [*grad(function)(point)] == ["x", "w", "a"]
    assert repr(point) == repr(at())
    assert grad(function)(point)["w"] == [22.0]
    assert hessian(function)(point)["x"]["w"] == [19.0]
    assert hvp(function, point, at())["w"] == vjp(grad(function), point)[1](at())[0]["w"]
    assert jvp(function, point, point)[0] == 66.0
    assert gradcheck(function, [point])


def test_argnum_may_be_a_number_of_numpy():
    assert grad(lambda x, y: x * y**2, argnum=numpy.int64(1))(3.0, 4.0) == 24.0
    assert grad(lambda x, y: x * y**2, argnums=[numpy.int64(1), 0])(3.0, 4.0) == (24.0, 16.0)


def test_a_lost_number_is_told_in_every_transform():
    for function in (math.sin, lambda x: x * math.exp(x), lambda x: x.data * 2.0):
        for call in (
            lambda f=function: jacobian(lambda x: [x, f(x)])(0.5),
            lambda f=function: jacobian(lambda x: {"a": numpy.array([f(x)])})(0.5),
            lambda f=function: jvp(f, 0.5, 1.0),
            lambda f=function: jvp(lambda x: [x * x, f(x)], 0.5, 1.0),
            lambda f=function: vjp(lambda x: [x * x, f(x)], 0.5),
            lambda f=function: grad(lambda p: f(p["x"]))({"x": 0.5}),
            lambda f=function: grad(lambda x: (f(x), x), has_aux=True)(0.5),
            lambda f=function: hessian(lambda p: f(p["x"][0]))({"x": array(1)}),
        ):
            with pytest.raises(TypeError, match=r"^\w+: the function took the number out of a Value"):
                call()
    assert jacobian(lambda x: [x * x, 7.0, x.detach()])(0.5) == [1.0, 0.0, 0.0]
    assert grad(lambda x: (x * x, float(x)), has_aux=True)(0.5) == (1.0, 0.5)
    before = Value(3.0)
    assert jacobian(lambda x: [before, x * x])(before * 1.0)[0].data == 0.0  # what the point was made of


def test_transforms_compile():
    w = Value(3.0)
    functions = [
        lambda x: jvp(lambda t: t**3 * w, x, 2.0)[1],
        lambda x: jvp(lambda t: [t * x, t], x, x)[1][0],
        lambda x: vjp(lambda t: t**3 * w, x)[1](x)[0],
        lambda x: sum(jacobian(lambda p: {"a": p["u"] * p["v"], "b": p["u"]})({"u": x, "v": w})["a"].values()),
        lambda x: hessian(lambda p: p[0] ** 2 * p[1])([x, w])[0][1],
        lambda x: hvp(lambda p: p[0] ** 2 * p[1] * w, [x, 2.0], [1.0, x])[1],
        lambda x: grad(lambda t: (t**3, w * t), has_aux=True)(x)[1],
        lambda x: grad(lambda t: jvp(tanh, t, w)[1])(x),
    ]
    X = numpy.array([0.5, -1.5, 2.0])
    found = compile(lambda x: [function(x) for function in functions], backend="numpy")(X)
    for row, x in zip(found, X, strict=True):
        assert row.tolist() == pytest.approx([float(function(Value(x))) for function in functions], rel=1e-12)
    with pytest.raises(TraceError):
        compile(lambda x: [jvp(lambda t: t if t > 0.0 else -t, x, 1.0)[1]])(X)


FROZEN, QUEUE = MappingProxyType({"a": 1.0}), deque([1.0])
WRONG = [
    ("grad(3.0)", TypeError, "grad takes a function, got 3.0: pass the function itself"),
    ("grad(square(Value(3.0)))", TypeError, "grad takes a function, got Value"),
    ("jacobian([1.0])", TypeError, "jacobian takes a function"),
    (
        "hessian(square, [3.0, 5.0])",
        TypeError,
        r"hessian: argnum is the place .* got \[3.0, 5.0\]; arguments .* returns",
    ),
    ("grad(square, argnum=True)(1.0)", TypeError, "grad: argnum is the place"),
    ("grad(square, argnum='x')(1.0)", TypeError, "grad: argnum is the place"),
    ("grad(square, argnum=None)(1.0)", TypeError, "grad: argnum is the place"),
    ("grad(square, 1, argnums=2)", TypeError, "grad: argnum=1 and argnums=2"),
    ("grad(square)()", TypeError, "grad: argnum=0 does not fit a call with 0 arguments"),
    ("value_and_grad(square, argnums=-2)(1.0)", TypeError, "value_and_grad: argnums=-2 does not fit .* 1 argument$"),
    ("grad(square)(None)", TypeError, "grad takes a real number, got None"),
    ("grad(square)('1.0')", TypeError, "grad takes a real number, got '1.0'"),
    ("grad(square)([1.0, None])", TypeError, "grad takes a real number, got None"),
    ("grad(square)({'a': '1.0'})", TypeError, "grad takes a real number, got '1.0'"),
    ("grad(square)({1.0, 2.0})", TypeError, "grad takes a real number, or a list.* no order"),
    ("grad(square)(range(3))", TypeError, r"grad takes a real number, or a list, .* got range\(0, 3\)"),
    ("grad(square)(FROZEN)", TypeError, "grad takes a real number, or .*: pass it as a dict"),
    ("grad(square)(QUEUE)", TypeError, "grad takes a real number, or .*: pass it as a list or an array"),
    ("grad(square)(MLP(1, [1]))", TypeError, r"grad takes a real number, or .*pass parameters\(\)"),
    ("grad(square)(1j)", TypeError, "grad takes a real number, got 1j"),
    ("grad(lambda x: [x, x])(1.0)", TypeError, "grad: a function to differentiate returns one Value.*take jacobian"),
    ("grad(lambda x: None)(1.0)", TypeError, "grad: a function .* got None; is a `return` missing"),
    ("hessian(lambda x: {'a': x})(1.0)", TypeError, "hessian: a function .* returns one Value"),
    ("hvp(lambda x: (x, x), 1.0, 1.0)", TypeError, "hvp: a function .* returns one Value"),
    ("jacobian(lambda x: [x, None])(1.0)", TypeError, "jacobian: a function .* got None; is a `return` missing"),
    ("vjp(lambda x: 'text', 1.0)", TypeError, "vjp: a function .* got 'text'"),
    ("grad(square, has_aux=True)(1.0)", TypeError, r"grad: with has_aux a function returns \(value, something else\)"),
    ("jvp(Value(1.0), [], [], has_aux=True)", TypeError, "jvp: has_aux is said of a function"),
    ("jvp(square, 1.0, 1.0, has_aux=True)", TypeError, r"jvp: with has_aux a function returns \(value"),
    ("jvp(3.0, 1.0, 1.0)", TypeError, "jvp takes a function, or a Value"),
    ("jvp([1.0], square, [1.0])", TypeError, "jvp takes a function, or a Value"),
    ("jvp(square, 1.0, [1.0])", TypeError, r"jvp: the direction is built like the point, but there is \[1.0\] for 1.0"),
    ("jvp(first, [1.0, 2.0], 1.0)", TypeError, "jvp: the direction is built like the point"),
    ("jvp(first, [1.0, 2.0], [1.0])", ValueError, "jvp: the direction is built like the point"),
    ("jvp(first, {'a': 1.0}, {'b': 1.0})", ValueError, "jvp: the direction is built like the point.*'b'"),
    ("jvp(first, {'a': 1.0}, [1.0])", TypeError, "jvp: the direction is built like the point"),
    ("jvp(square, 1.0, None)", TypeError, "jvp's direction takes a real number, got None"),
    ("jvp(square, 1.0, '1')", TypeError, "jvp's direction takes a real number, got '1'"),
    ("jvp(square, None, 1.0)", TypeError, "jvp takes a real number, got None"),
    ("jvp(square, numpy.zeros((2, 3)), numpy.zeros((3, 2)))", ValueError, "jvp: the direction is built like"),
    ("hvp([3.0, 5.0], square, [1.0, 0.0])", TypeError, "hvp takes a function"),
    ("hvp(first, [3.0, 5.0], [1.0, 0.0, 0.0])", ValueError, "hvp: the direction is built like the point"),
    ("hvp(first, [3.0, [5.0]], [1.0, 0.0])", TypeError, "hvp: the direction is built like the point"),
    ("vjp(1.0, square)", TypeError, "vjp takes a function"),
    ("vjp(square)", TypeError, r"vjp takes the arguments of the function, too: vjp\(function, x, y\)"),
    ("vjp(square, None)", TypeError, "vjp takes a real number, got None"),
    ("vjp(square, 1.0)[1]([1.0])", TypeError, "vjp's pullback: the cotangent is built like the result"),
    ("vjp(lambda x: [x, x], 1.0)[1]([1.0])", ValueError, "vjp's pullback: the cotangent is built like the result"),
    ("vjp(square, 1.0)[1](None)", TypeError, "vjp's pullback's cotangent takes a real number"),
    ("gradcheck([0.5], square)", TypeError, "gradcheck takes a function"),
    ("gradcheck(first, {'a': 1.0})", TypeError, r"gradcheck takes a list of the function's arguments, got {'a': 1.0}"),
    ("gradcheck(square, [None])", TypeError, "gradcheck takes a real number, got None"),
    ("gradcheck(square, '1')", TypeError, "gradcheck takes a list"),
    (
        "gradcheck(first, [0.5, 1.0])",
        TypeError,
        "gradcheck takes a list of .* does not take 2, got .* put that into a list",
    ),
    ("gradcheck(square, [0.5], tolerance=None)", ValueError, "gradcheck's tolerance is a number from 0 on, got None"),
    ("gradcheck(square, [0.5], float('nan'))", ValueError, "gradcheck's tolerance is a number from 0 on, got nan"),
    ("gradcheck(lambda x: [x, x], [1.0])", TypeError, "gradcheck: a function .* returns one Value"),
]


def square(x):
    return x * x


def first(p):
    return numbers_of(p)[0]


@pytest.mark.parametrize(("call", "error", "words"), WRONG, ids=[row[0] for row in WRONG])
def test_a_wrong_call_is_told_in_one_line(call, error, words):
    with pytest.raises(error, match=f"^{words}") as told:
        eval(call)
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 300


def test_every_transform_says_how_it_is_called():
    for transform in (grad, value_and_grad, jacobian, hessian):
        assert [*inspect.signature(transform).parameters] == ["function", "argnum", "has_aux", "argnums"]
    for transform in (jvp, hvp):
        assert [*inspect.signature(transform).parameters][:3] == ["function", "point", "direction"]
