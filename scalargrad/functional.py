"""Derivatives of functions: grad, hessian, forward mode, and a check of gradients that names the wrong operation."""

from collections.abc import Callable, Sequence
from math import isclose, isfinite
from typing import Any

from scalargrad.contexts import about_to_freeze, observed_by, observers
from scalargrad.engine import Value, data_of, gradients, local_derivatives, topological_order
from scalargrad.operands import flatten, is_recorded


def grad(function: Callable[..., Any], argnum: int | Sequence[int] = 0) -> Callable[..., Any]:
    """The function that gives d function / d argument. It takes what `function` takes, and can be taken again.

    An argument is a number or a (nested) list of numbers; the gradient has its shape. It is made of floats; of Values,
    if `function` also depends on Values from outside the call, arguments or not, so that no dependence gets lost and
    `grad(grad(f))` is the second derivative.

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
        births = _Births()
        with observed_by(births):
            fresh = list(args)
            for position in wanted:
                fresh[position] = _as_values(args[position])
            output = _one_value(function(*fresh))
        order = topological_order(output)
        # Whoever made a leaf from outside may differentiate this derivative, too.
        inner = any(value.op is None and value not in births.leaves for value in order)
        slopes = tuple(
            _with_structure(fresh[position], gradients(output, list(_leaves(fresh[position])), create_graph=inner))
            for position in wanted
        )
        return (output if inner else output.data), (slopes[0] if isinstance(argnum, int) else slopes)

    return evaluate


def hessian(function: Callable[..., Any]) -> Callable[[Sequence[Any]], list[list[float]]]:
    """The function that gives the matrix of second derivatives at a list of numbers, [n, n].

    >>> hessian(lambda x: x[0] ** 2 * x[1])([3.0, 5.0])
    [[10.0, 6.0], [6.0, 0.0]]
    """

    def matrix(point: Sequence[Any]) -> list[list[float]]:
        inputs = _as_values(list(point))
        slopes = gradients(_one_value(function(inputs)), inputs, create_graph=True)
        return [gradients(slope, inputs) for slope in slopes]

    return matrix


def jvp(output: Value, inputs: Value | Sequence[Value], tangents: Any, create_graph: bool = False) -> Any:
    """The derivative of a recorded `output` along `tangents`, one number for each input: forward mode.

    The mirror image of `backward`: tangents are pushed through the recorded graph from operands to results, with the
    same local derivatives. A float, or with `create_graph` a Value that can be differentiated again.

    >>> x, y = Value(3.0), Value(4.0)
    >>> jvp(x * y, [x, y], [1.0, 10.0])
    34.0
    """
    if is_recorded(inputs):
        inputs, tangents = [inputs], [tangents]  # type: ignore[list-item]
    if len(inputs) != len(tangents):
        raise ValueError(f"jvp: {len(tangents)} tangents do not fit {len(inputs)} inputs")
    pushed: dict[Value, Any] = {}
    for x, tangent in zip(inputs, tangents, strict=True):
        tangent = tangent if is_recorded(tangent) else Value(tangent).data
        pushed[x] = pushed[x] + tangent if x in pushed else tangent
    given, order = set(inputs), topological_order(output)
    for observer in observers.get():
        if hasattr(observer, "before_jvp"):
            observer.before_jvp(order)
    if not create_graph:
        about_to_freeze(order, "jvp() without a graph", "call jvp(..., create_graph=True)")
    for value in order:
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
    inputs = _as_values(list(point))
    slopes = gradients(_one_value(function(inputs)), inputs, create_graph=True)
    return [jvp(slope, inputs, direction) for slope in slopes]


class _Births:
    """The leaves that were made inside a block."""

    def __init__(self) -> None:
        self.leaves: set[Value] = set()

    def recorded(self, value: Value) -> None:
        if value.op is None:
            self.leaves.add(value)

    def before_backward(self, order: list[Value]) -> None:
        pass

    before_gradients = before_backward


class GradcheckError(AssertionError):
    """A gradient disagrees with finite differences."""


def gradcheck(function: Callable[..., Any], inputs: Sequence[Any], tolerance: float = 1e-6) -> bool:
    """True if the gradients of `function(*inputs)` agree with finite differences; a GradcheckError if not.

    Each operation of the recorded graph is checked by itself first, so that the error names the one that is wrong, with
    its operands. At a kink of an operation, what lies between the slopes from the left and from the right is right.
    `tolerance` is relative to the larger of the slope and 1. An inf or nan on both sides agrees.

    >>> gradcheck(lambda x, y: (x * y).tanh(), [0.5, -1.5])
    True
    """
    fresh = [_as_values(x) for x in inputs]
    output = _one_value(function(*fresh))
    for value in topological_order(output):
        _check_operation(value, tolerance)
    leaves = list(_leaves(fresh))
    at = [leaf.data for leaf in leaves]

    def along(position: int) -> Callable[[float], float]:
        def evaluate(x: float) -> float:
            moved = iter([Value(x if place == position else data) for place, data in enumerate(at)])
            return _one_value(function(*(_map(lambda _: next(moved), argument) for argument in fresh))).data

        return evaluate

    for position, slope in enumerate(gradients(output, leaves)):
        if problem := _disagreement(along(position), at[position], slope, tolerance, any_at_kinks=True):
            raise GradcheckError(
                f"input {position} = {at[position]}: the gradient is {slope}, {problem}; "
                "every operation by itself is right, so the recorded graph is not the function (a detach, a .data?)"
            )
    return True


def _check_operation(value: Value, tolerance: float) -> None:
    if value.op is None or value.op.partials is None:
        return
    op, data = value.op, [data_of(argument) for argument in value.args]
    places = [
        (number, place)
        for number, argument in enumerate(value.args)
        for place, operand in enumerate(flatten((argument,)))
        if is_recorded(operand)
    ]
    for (number, place), (operand, slope) in zip(places, local_derivatives(value), strict=True):

        def along(x: float, number: int = number, place: int = place) -> float:
            moved = list(data)
            if isinstance(moved[number], list):
                moved[number] = [x if i == place else old for i, old in enumerate(moved[number])]
            else:
                moved[number] = x
            return float(op.compute(*moved))

        if op.name in ("take", "surprisal") and number == 0:
            continue  # between two positions there is no value
        if problem := _disagreement(along, operand.data, slope, tolerance):
            named = f"operand {number if isinstance(data[number], float) else place}"
            raise GradcheckError(
                f"{op.name}: its derivative by {operand.label or named} at {data} is declared as {slope}, {problem}"
            )


def _disagreement(
    function: Callable[[float], float], x: float, slope: float, tolerance: float, any_at_kinks: bool = False
) -> str:
    """What finite differences say against `slope`, or "" if they agree."""
    here = function(x)
    if not (isfinite(x) and isfinite(here) and isfinite(slope)):
        return ""  # edge cases have no finite difference: the tests of the table decide there
    step = 6e-6 * max(1.0, abs(x))  # the cube root of the rounding error: best for central differences
    ahead, behind = function(x + step), function(x - step)
    central = (ahead - behind) / (2.0 * step)
    wider = (function(x + 2.0 * step) - function(x - 2.0 * step)) / (4.0 * step)
    noise = 1e-15 * max(abs(here), abs(ahead), abs(behind)) / step
    margin = max(tolerance, abs(central - wider) * 2.0) * max(1.0, abs(slope)) + 10.0 * noise
    if not isfinite(central) or isclose(central, slope, rel_tol=tolerance, abs_tol=margin):
        return ""
    right, left = (ahead - here) / step, (here - behind) / step
    kinked = abs(right - left) > 1e-3 * max(1.0, abs(right), abs(left))
    if kinked and (any_at_kinks or min(left, right) - margin <= slope <= max(left, right) + margin):
        return ""  # a sum of subgradients need not lie between the slopes of the sum
    return f"but finite differences give {central:.10g}"


# Arguments may be numbers or nested lists of numbers.


def _map(function: Callable[[Any], Any], structure: Any) -> Any:
    if isinstance(structure, list | tuple):
        return [_map(function, item) for item in structure]
    return function(structure)


def _as_values(structure: Any) -> Any:
    """Fresh results for Values, so that a use elsewhere does not count, and new leaves for numbers."""
    return _map(lambda x: x * 1.0 if is_recorded(x) else Value(x), structure)


def _leaves(structure: Any) -> Any:
    if isinstance(structure, list | tuple):
        for item in structure:
            yield from _leaves(item)
    else:
        yield structure


def _with_structure(structure: Any, flat: list) -> Any:
    items = iter(flat)
    return _map(lambda _: next(items), structure)


def _one_value(output: Any) -> Value:
    if is_recorded(output):
        return output
    if isinstance(output, float | int):
        return Value(output)  # constant: every derivative is 0
    raise TypeError(f"a function to differentiate returns one Value, got {output!r}; for several, take one at a time")
