"""Gradients against finite differences: a check that names the operation that is wrong."""

from collections.abc import Callable, Mapping, Sequence
from math import inf, isclose, isfinite, nan, ulp

from scalargrad.checks import data_of, listed, real
from scalargrad.engine import Value, gradients, local_derivatives, partials_of_floats, topological_order
from scalargrad.evaluation import check_function, one_value, takes
from scalargrad.observers import with_grad
from scalargrad.operands import brief, flatten, is_recorded
from scalargrad.trees import Tree, as_values, leaves, with_structure


class GradcheckError(AssertionError):
    """A gradient disagrees with finite differences."""


def gradcheck(function: Callable[..., Tree], inputs: Sequence[Tree], tolerance: float = 1e-6) -> bool:
    """True if the gradients of `function(*inputs)` agree with finite differences; a GradcheckError if not.

    `inputs` is the list of the function's arguments, each of which may be all that `grad` takes: a number, an array, or
    a list, tuple or dictionary.

    Each operation of the recorded graph is checked by itself first, so that the error names the one that is wrong, with
    its operands. Then the function: between two points near an input, on either side of it, it changes by the integral
    of its slopes there. So a lost part is seen beside a kink as well, and what has a step or a kink at the input passes
    with any of the slopes there. `tolerance` is relative to the slope. Where the function is inf or nan, or beside an
    input not defined, there is nothing to compare.

    >>> gradcheck(lambda x, y: (x * y).tanh(), [0.5, -1.5])
    True
    >>> gradcheck(lambda p, x: p["w"] * x + p["b"], [{"w": 0.5, "b": -1.5}, 2.0])
    True
    """
    check_function("gradcheck", function)
    if isinstance(inputs, Mapping):
        raise TypeError(f"gradcheck takes a list of the function's arguments, got {brief(inputs)}: put it into one")
    tolerance = real("gradcheck's tolerance", tolerance, 0.0)
    given = list(listed(inputs, "gradcheck", "a list of the function's arguments"))
    if not takes(function, given):
        raise TypeError(
            f"gradcheck takes a list of the function's arguments, and the function does not take {len(given)}, "
            f"got {brief(inputs)}: for one that is a list, put that into a list"
        )
    with with_grad():
        fresh = as_values(given, "gradcheck")
        inputs_here = leaves(fresh)
        output = one_value(function(*with_structure(fresh, inputs_here)), "gradcheck")
        rough = [value for value in topological_order(output) if not _is_smooth(value, tolerance)]
        at = [leaf.data for leaf in inputs_here]

        def output_at(position: int, x: float) -> tuple[Value, Value]:
            moved = [Value(x if place == position else data) for place, data in enumerate(at)]
            try:
                result = one_value(function(*with_structure(fresh, moved)), "gradcheck")
            except (ArithmeticError, LookupError, ValueError):  # beside x the function is not defined: an index, say
                result = Value(nan)
            return result, moved[position]

        for position, slope in enumerate(gradients(output, inputs_here)):

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
