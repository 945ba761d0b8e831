"""Derivatives of functions: grad, hessian, forward mode, and a check of gradients that names the wrong operation."""

from collections.abc import Callable, Sequence
from math import inf, isclose, isfinite, nan, ulp
from numbers import Real
from typing import Any

from scalargrad.checks import checked_values, data_of, listed, settle
from scalargrad.engine import (
    Value,
    gradients,
    local_derivatives,
    partials_of_floats,
    topological_order,
)
from scalargrad.observers import Observer, observed_by, tell, with_grad
from scalargrad.operands import brief, flatten, is_recorded, operand

Argument = Any  # a number or Value, a (nested) list of these, or an array


def grad(function: Callable[..., Any], argnum: int | Sequence[int] = 0) -> Callable[..., Any]:
    """The function that gives d function / d argument. It takes what `function` takes, and can be taken again.

    An argument is a number, a (nested) list of numbers, or a NumPy array, which the function gets as one of Values;
    the gradient has its shape. It is made of floats; of Values, if `function` also depends on Values from outside the
    call, arguments or not, so that no dependence gets lost and `grad(grad(f))` is the second derivative. TypeError, if
    the function goes on with the number of an argument and not with its Value, as `math.sin` does: where float() was
    asked for one, or the result depends on no argument, the function is run again to find out. `x.data` in a part of
    the result cuts that part off, as `x.detach()` does.

    >>> grad(lambda x: x**3)(2.0)
    12.0
    >>> grad(grad(lambda x: x**3))(2.0)
    12.0
    >>> grad(lambda w: w[0] * w[1])([2.0, 5.0])
    [5.0, 2.0]
    """
    value_and_gradient = value_and_grad(function, argnum)

    def gradient(*args: Any) -> Any:
        return value_and_gradient(*args)[1]

    return gradient


def value_and_grad(function: Callable[..., Any], argnum: int | Sequence[int] = 0) -> Callable[..., tuple[Any, Any]]:
    """The function that gives (function, d function / d argument); see `grad`.

    >>> value_and_grad(lambda x, y: x * y, argnum=(0, 1))(3.0, 4.0)
    (12.0, (4.0, 3.0))
    """

    def evaluate(*args: Any) -> tuple[Any, Any]:
        wanted = (argnum,) if isinstance(argnum, int) else tuple(argnum)
        if any(not -len(args) <= position < len(args) for position in wanted):
            raise TypeError(f"argnum={argnum} does not fit a call with {len(args)} arguments")
        with with_grad():  # a no_grad() around this call means its result
            run = _Run(function, args, wanted)
            run.refuse_lost_numbers("grad")
            slopes = tuple(
                _with_structure(x, gradients(run.output, list(_leaves(x)), create_graph=run.is_inner))
                for x in (run.arguments[position] for position in wanted)
            )
        value = run.output if run.is_inner else run.output.data
        return value, (slopes[0] if isinstance(argnum, int) else slopes)

    return evaluate


def hessian(function: Callable[..., Any]) -> Callable[[Sequence[Any]], list[list[float]]]:
    """The function that gives the matrix of second derivatives at a list of numbers, [n, n].

    >>> hessian(lambda x: x[0] ** 2 * x[1])([3.0, 5.0])
    [[10.0, 6.0], [6.0, 0.0]]
    """

    def matrix(point: Sequence[Any]) -> list[list[float]]:
        with with_grad():
            inputs, slopes = _recorded_slopes("hessian", function, point)
            return [gradients(slope, inputs) for slope in slopes]

    return matrix


def jvp(output: Value, inputs: Value | Sequence[Value], tangents: Argument, create_graph: bool = False) -> Any:
    """The derivative of a recorded `output` along `tangents`, one number for each input: forward mode.

    The mirror image of `backward`: tangents are pushed through the recorded graph from operands to results, with the
    same local derivatives. A float, or with `create_graph` a Value that can be differentiated again.

    >>> x, y = Value(3.0), Value(4.0)
    >>> jvp(x * y, [x, y], [1.0, 10.0])
    34.0
    """
    wanted = checked_values("jvp", output, inputs)
    given_tangents = [tangents] if is_recorded(inputs) else list(listed(tangents, "jvp", "a list of tangents"))
    if len(wanted) != len(given_tangents):
        raise ValueError(f"jvp: {len(given_tangents)} tangents do not fit {len(wanted)} inputs")
    pushed: dict[Value, Any] = {}
    for x, tangent in zip(wanted, given_tangents, strict=True):
        tangent = operand(tangent, "jvp's tangent")
        pushed[x] = pushed[x] + tangent if x in pushed else tangent
    given, order = set(wanted), topological_order(output)
    tell("before_jvp", order)
    if not create_graph:
        tell("frozen", order, "jvp() without a graph", "call jvp(..., create_graph=True)")
    for value in order:
        if isinstance(value, Value):
            settle(value)
        moved = value.op and value.op.partials and not pushed.keys().isdisjoint(value.operands)
        if moved and value not in given:
            terms = [dx * pushed[x] for x, dx in local_derivatives(value, recorded=create_graph) if x in pushed]
            total = terms[0]
            for term in terms[1:]:
                total = total + term
            pushed[value] = total
    derivative = pushed.get(output, 0.0)
    if create_graph:
        return derivative if is_recorded(derivative) else Value(derivative)
    return float(derivative)


def hvp(function: Callable[..., Any], point: Sequence[Any], direction: Sequence[Any]) -> list[float]:
    """Hessian times direction at a point, without the Hessian: the forward derivative of the gradients.

    >>> hvp(lambda x: x[0] ** 2 * x[1], [3.0, 5.0], [1.0, 0.0])
    [10.0, 6.0]
    """
    with with_grad():
        inputs, slopes = _recorded_slopes("hvp", function, point)
        return [jvp(slope, inputs, direction) for slope in slopes]


def _recorded_slopes(name: str, function: Callable[..., Any], point: Argument) -> tuple[list[Value], list[Value]]:
    """The Values at a point, a list of numbers, and the slopes along each, which can be differentiated again."""
    listed(point, name, "a list of numbers as the point")
    run = _Run(function, (point,), (0,))
    run.refuse_lost_numbers(name)
    inputs = list(_leaves(run.arguments[0]))
    return inputs, gradients(run.output, inputs, create_graph=True)


class _Run(Observer):
    """One run of a function on fresh Values in some places of its arguments, and what was made and read on the way.

    arguments   with Values in these places
    output      the Value that it returned
    """

    def __init__(self, function: Callable[..., Any], args: Sequence[Any], places: Sequence[int]) -> None:
        self.function, self.args, self.places = function, args, places
        self.made: set[Value] = set()  # leaves from inside
        self.cut: set[Value] = set()  # and of these the ones that detach() made
        self.read_values: list[Value] = []  # by float()
        self.took_numbers = False  # did numbers come into the graph since?
        with observed_by(self):
            self.arguments = list(args)
            for place in places:
                self.arguments[place] = _as_values(args[place])
            self.inputs = [leaf for place in places for leaf in _leaves(self.arguments[place])]
            self.output = _one_value(function(*self.arguments))
        self.order = topological_order(self.output)

    def recorded(self, value: Value) -> None:
        if value.op is None:
            self.made.add(value)
        if self.read_values and not self.took_numbers:
            self.took_numbers = value.op is None or any(type(x) is float for x in flatten(value.args))

    def read(self, value: Value) -> None:
        self.read_values.append(value)

    def detached(self, leaf: Value) -> None:
        self.cut.add(leaf)

    @property
    def is_inner(self) -> bool:
        """Does the output depend on leaves from outside? Whoever made them may differentiate this derivative, too."""
        return any(value.op is None and value not in self.made for value in self.order)

    def refuse_lost_numbers(self, name: str) -> None:
        """A TypeError, if the number of an input went on without its Value: the derivative would lack that part.

        Whether it did is asked of the function itself, a little beside. But only where there is a reason to ask: an
        output that depends on no input, or numbers that came into the graph after float() had read some.
        """
        inputs = set(self.inputs)
        if not all(isinstance(x, Value) for x in inputs):
            return  # terms of the compiler have no number that could be taken
        if not inputs.isdisjoint(self.order) and not (
            self.took_numbers and any(not inputs.isdisjoint(topological_order(value)) for value in self.read_values)
        ):
            return
        for way in (-(2.0**-10), 2.0**-10):  # inwards first: there log, sqrt and asin are defined, too
            moved = self._again(way)
            pairs = moved and self._beside(moved)
            if not moved or not pairs:
                continue
            replayed, scale = self._replayed(pairs)
            if abs(replayed - moved.output.data) > (0.0 if inputs.isdisjoint(self.order) else 1e-12 * scale):
                same = self._again(0.0)
                if same is None or repr(same.output.data) != repr(self.output.data):
                    return  # it is drawn at random, say
                raise TypeError(
                    f"{name}: the function took the number out of a Value, by float(), .data, math or NumPy, and "
                    "went on with that, so that a part of the derivative would be lost: use the functions of "
                    "scalargrad (scalargrad.sin, not math.sin), or detach() to leave that part out"
                )
            return

    def _again(self, way: float) -> "_Run | None":
        """The same with inputs moved by this part of themselves, or None where that is an error."""

        def moved(x: Any) -> Any:
            number = x.data if is_recorded(x) else float(x)
            number = number + number * way if number else way
            return Value(number) if is_recorded(x) else number

        args = list(self.args)
        for place in set(self.places):
            args[place] = _map(moved, self.args[place])
        try:
            return _Run(self.function, args, self.places)
        except Exception:
            return None

    def _beside(self, moved: "_Run") -> list[tuple[Value, Value]]:
        """Pairs of Values that both runs computed from their inputs; none, if they went different ways."""
        before = {value for x in (*self.inputs, *moved.inputs) for value in topological_order(x)[:-1]}
        orders = [[value for value in run.order if value not in before] for run in (self, moved)]
        is_alike = [value.op for value in orders[0]] == [value.op for value in orders[1]]
        return list(zip(*orders, strict=True)) if is_alike else []

    def _replayed(self, pairs: list[tuple[Value, Value]]) -> tuple[float, float]:
        """The output of the recorded graph for the inputs of another run, and the largest number on the way."""
        moving = {*self.inputs, *self.cut}
        data: dict[Value, float] = {}

        def of(argument: Any) -> Any:
            if type(argument) is tuple:
                return tuple(map(of, argument))
            return argument if type(argument) is float else data.get(argument, argument.data)

        for value, other in pairs:
            if value in moving or (value.op is None and value not in self.made):  # what no_grad() left, too
                data[value] = other.data
            else:
                data[value] = float(value.op.compute(*map(of, value.args))) if value.op else value.data
        return data[self.output], max(map(abs, data.values()))


class GradcheckError(AssertionError):
    """A gradient disagrees with finite differences."""


def gradcheck(function: Callable[..., Any], inputs: Sequence[Any], tolerance: float = 1e-6) -> bool:
    """True if the gradients of `function(*inputs)` agree with finite differences; a GradcheckError if not.

    Each operation of the recorded graph is checked by itself first, so that the error names the one that is wrong, with
    its operands. Then the function: between two points near an input, on either side of it, it changes by the integral
    of its slopes there. So a lost part is seen beside a kink as well, and what has a step or a kink at the input passes
    with any of the slopes there. `tolerance` is relative to the slope. Where the function is inf or nan, or beside an
    input not defined, there is nothing to compare.

    >>> gradcheck(lambda x, y: (x * y).tanh(), [0.5, -1.5])
    True
    """
    with with_grad():
        fresh = [_as_values(x) for x in listed(inputs, "gradcheck", "a list of the function's arguments")]
        output = _one_value(function(*fresh))
        rough = [value for value in topological_order(output) if not _is_smooth(value, tolerance)]
        leaves = list(_leaves(fresh))
        at = [leaf.data for leaf in leaves]

        def output_at(position: int, x: float) -> tuple[Value, Value]:
            moved = [Value(x if place == position else data) for place, data in enumerate(at)]
            numbers = iter(moved)
            try:
                result = _one_value(function(*(_map(lambda _: next(numbers), argument) for argument in fresh)))
            except (ArithmeticError, LookupError, ValueError):  # beside x the function is not defined: an index, say
                result = Value(nan)
            return result, moved[position]

        for position, slope in enumerate(gradients(output, leaves)):

            def along(x: float, position: int = position) -> tuple[float, float]:
                result, leaf = output_at(position, x)
                return result.data, gradients(result, leaf)

            x = at[position]
            reach = LARGEST_STEP * max(1.0, abs(x))
            noise = max(_noise(output_at(position, near)[0]) for near in (x, x - reach, x + reach))
            problem, _ = _disagreement(along, x, output.data, slope, noise, tolerance, any_slope=bool(rough))
            if problem:
                raise GradcheckError(
                    f"input {position} = {x}: the gradient is {slope}, {problem}; "
                    "every operation by itself is right, so the recorded graph is not the function (a detach, a .data?)"
                )
    return True


EPSILON = 8.0 * 2.0**-53  # how far an operation may be off, relative to what it adds up
LARGEST_STEP = 2.0**-17


def _noise(output: Value) -> float:
    """The error of a result by rounding, to first order: of each step, its own times how much the result feels it."""
    order = topological_order(output)
    felt = gradients(output, order)
    errors = [abs(slope) * _own_noise(value) for value, slope in zip(order, felt, strict=True) if value.op]
    return sum(error for error in errors if error == error)


def _own_noise(value: Value) -> float:
    terms = [value.data]
    if value.op and (value.op.composite or not value.op.scalars):  # several steps of rounding
        terms += [x.data * dx for x, dx in local_derivatives(value)]
    return EPSILON * sum(map(abs, terms)) + 8.0 * 5e-324


def _is_smooth(value: Value, tolerance: float) -> bool:
    """Has the operation surely no kink at its operands? A GradcheckError, if a slope is wrong."""
    op, is_smooth = value.op, True
    if op is None or op.partials is None:
        return True
    data = tuple([tuple(x) if isinstance(x, list) else x for x in map(data_of, value.args)])
    places = [
        (number, place)
        for number, argument in enumerate(value.args)
        for place, x in enumerate(flatten((argument,)))
        if is_recorded(x)
    ]
    noise = _own_noise(value)
    for (number, place), (x, slope) in zip(places, local_derivatives(value), strict=True):
        if op.arguments[number] == "index":
            continue  # between two positions there is no value

        def along(x: float, number: int = number, place: int = place) -> tuple[float, float]:
            moved = list(data)
            of_tuple = isinstance(moved[number], tuple)
            moved[number] = (*data[number][:place], x, *data[number][place + 1 :]) if of_tuple else x
            result = float(op.compute(*moved))
            partial = partials_of_floats(op, result, tuple(moved))[number]
            return result, float(partial[place] if of_tuple else partial)

        problem, smooth_here = _disagreement(along, x.data, value.data, slope, noise, tolerance)
        if problem:
            named = f"operand {number if isinstance(data[number], float) else place}"
            raise GradcheckError(
                f"{op.name}: its derivative by {x.label or named} at {list(data)} is declared as {slope}, {problem}"
            )
        is_smooth = is_smooth and smooth_here
    return is_smooth


Point = tuple[float, float]  # a value and a slope


def _disagreement(
    along: Callable[[float], Point],
    x: float,
    here: float,
    slope: float,
    noise: float,
    tolerance: float,
    any_slope: bool = False,
) -> tuple[str, bool]:
    """The objection of values near x to the slopes there, "" if they agree; and is it surely smooth at x?

    along      x -> (value, slope)
    here       the value at x, and `slope` the slope there
    noise      how far rounding may move a value
    any_slope  is every slope right at x itself?
    """
    if not (isfinite(x) and isfinite(here)):
        return "", False  # edge cases have no finite difference: the tests of the table decide there
    # So small that curvature does not matter, so large that rounding does not.
    seen = tolerance * abs(slope)
    wanted = 10.0 * noise / seen if 0.0 < seen < inf else inf
    smallest = 32.0 * ulp(x) if x else 2.0**-300
    steps = [min(max(wanted, smallest), LARGEST_STEP * max(1.0, abs(x)))]
    if wanted > steps[0] and smallest < LARGEST_STEP * abs(x) < steps[0]:
        steps.append(LARGEST_STEP * abs(x))  # where the slope says nothing of the scale, x may
    sides = [_Side(along, x, way, noise, tolerance) for step in steps for way in (step, -step)]
    if quotients := [side.quotients[0] for side in sides if side.quotients][:2]:
        mean = sum(quotients) / len(quotients)  # of both sides: curvature cancels
        shown = [mean] if isclose(quotients[0], mean, rel_tol=1e-3) else quotients
        return f"but finite differences give {' and '.join(f'{quotient:.10g}' for quotient in shown)}", False
    right, left = (side.slopes for side in sides[:2])
    if not all(side.agrees for side in sides[:2]):
        return "", False
    low, high = min(*left, *right), max(*left, *right)
    slack = max(left) - min(left) + max(right) - min(right) + tolerance * max(abs(low), abs(high))
    is_smooth = high - low <= 2.0 * slack
    if any_slope or abs(slope) == inf or low - slack <= slope <= high + slack:
        return "", is_smooth
    return f"but the slopes beside it are {left[0]:.10g} and {right[0]:.10g}", False


class _Side:
    """The values on one side of x beside the slopes there, over three distances that are far apart from each other.

    A step or a kink of the function is within one of them at most.

    agrees      do they, wherever one can tell?
    slopes      at the first distance
    quotients   what finite differences give instead, if they surely do not
    """

    def __init__(self, along: Callable[[float], Point], x: float, way: float, noise: float, tolerance: float) -> None:
        self.agrees, self.quotients, wrong, sizes = False, [], [], []
        self.slopes: list[float] = []
        is_straight = True
        for scale in (1.0, 0.125, 8.0):
            places = [x + way * scale * part for part in (1.0, 1.5, 2.0)]
            points = [along(place) for place in places]
            if not all(isfinite(number) for point in points for number in point):
                continue
            first, middle, last = slopes = [slope for _, slope in points]
            self.slopes += slopes
            run = places[2] - places[0]
            quotient = (points[2][0] - points[0][0]) / run
            mean = (first + 4.0 * middle + last) / 6.0  # Simpson's rule
            size, bend = max(abs(mean), abs(quotient)), abs(first - 2.0 * middle + last)
            margin = tolerance * size + bend + 4.0 * noise / abs(run)
            sizes.append(size)
            is_straight = is_straight and bend <= 1e-3 * (max(slopes) - min(slopes))
            if not abs(quotient - mean) <= margin:
                wrong.append(quotient)
                if len(wrong) > 1:
                    break
            elif quotient == mean or margin <= 0.01 * size:  # else rounding or curvature hides everything
                self.agrees = True
                return
        # Where slopes vary much, and not along a line, the steps may be longer than a period.
        if len(wrong) > 1 and (is_straight or max(self.slopes) - min(self.slopes) <= 0.1 * max(sizes)):
            self.quotients = wrong


# Arguments may be numbers, nested lists of numbers, or arrays.


def _map(function: Callable[[Any], Any], structure: Argument) -> Any:
    if isinstance(structure, list | tuple):
        return [_map(function, item) for item in structure]
    if _is_array(structure):
        return _array([function(x) for x in structure.flat], structure.shape)
    return function(structure)


def _is_array(x: Any) -> bool:
    return hasattr(x, "flat") and bool(x.shape)  # NumPy's, with an axis


def _array(items: list, shape: tuple) -> Any:
    """Floats as an array of floats, anything else as objects."""
    import numpy

    array = numpy.empty(len(items), float if all(type(x) is float for x in items) else object)
    array[:] = items
    return array.reshape(shape)


def _as_values(structure: Argument) -> Any:
    """Fresh results for Values, so that a use elsewhere does not count, and new leaves for numbers."""
    return _map(lambda x: x * 1.0 if is_recorded(x) else Value(x), structure)


def _leaves(structure: Argument) -> Any:
    if isinstance(structure, list | tuple) or _is_array(structure):
        for item in structure.flat if _is_array(structure) else structure:
            yield from _leaves(item)
    else:
        yield structure


def _with_structure(structure: Argument, flat: list) -> Any:
    items = iter(flat)
    return _map(lambda _: next(items), structure)


def _one_value(output: Any) -> Value:
    if is_recorded(output):
        return output
    if isinstance(output, Real) or getattr(output, "shape", None) == ():
        return Value(output)  # constant: every derivative is 0
    raise TypeError(
        f"a function to differentiate returns one Value, got {brief(output)}; for several, take one at a time"
    )
