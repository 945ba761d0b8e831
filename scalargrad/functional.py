"""Derivatives of functions: grad, jacobian, hessian, and the two modes by themselves, jvp and vjp."""

from collections.abc import Callable, Sequence
from functools import partial

from scalargrad.checks import checked_values, is_whole, listed, settle
from scalargrad.engine import Value, gradients, local_derivatives, topological_order
from scalargrad.evaluation import Run, check_function, takes
from scalargrad.finite_differences import GradcheckError, gradcheck
from scalargrad.observers import tell, with_grad
from scalargrad.operands import brief, is_recorded, operand
from scalargrad.ops import dot
from scalargrad.support.words import plural
from scalargrad.trees import Tree, as_lists, leaves_like, on_blocks, outer, with_structure

__all__ = ["GradcheckError", "grad", "gradcheck", "hessian", "hvp", "jacobian", "jvp", "value_and_grad", "vjp"]

Function = Callable[..., Tree]  # of numbers, or of lists, tuples, dictionaries and arrays of them
Places = int | Sequence[int]  # of one argument, or of several


def grad(function: Function, argnum: Places = 0, has_aux: bool = False, *, argnums: Places | None = None) -> Function:
    """The function that gives d function / d argument. It takes what `function` takes, and can be taken again.

    An argument is a number, an array, or a list, tuple or dictionary of arguments; the function gets it with Values in
    place of numbers, and the gradient is built like it. For several places, `argnum=(0, 1)`, it is a tuple; `argnums`
    is JAX's word for the same. Keywords go to the function as they are. With `has_aux` the function returns (value,
    something else), and the result is (gradient, something else).

    The gradient is made of floats; of Values, if `function` also depends on Values from outside the call, arguments or
    not, so that no dependence gets lost and `grad(grad(f))` is the second derivative. TypeError, if the function goes
    on with the number of an argument and not with its Value, as `math.sin` does: where float() was asked for one, or
    the result depends on no argument, the function is run again to find out. `x.data` in a part of the result cuts that
    part off, as `x.detach()` does.

    >>> grad(lambda x: x**3)(2.0)
    12.0
    >>> grad(grad(lambda x: x**3))(2.0)
    12.0
    >>> grad(lambda p: p["w"][0] * p["w"][1] + p["b"])({"w": [2.0, 5.0], "b": 0.5})
    {'w': [5.0, 2.0], 'b': 1.0}
    """
    return _derivative("grad", function, argnum, argnums, has_aux, lambda run: run.beside(_slopes(run)))


def value_and_grad(
    function: Function, argnum: Places = 0, has_aux: bool = False, *, argnums: Places | None = None
) -> Function:
    """The function that gives (function, d function / d argument); with `has_aux` the former is a pair. See `grad`.

    >>> value_and_grad(lambda x, y: x * y, argnum=(0, 1))(3.0, 4.0)
    (12.0, (4.0, 3.0))
    """

    def both(run: Run) -> tuple[Tree, Tree]:
        return run.beside(run.answer(run.is_inner)), _slopes(run)

    return _derivative("value_and_grad", function, argnum, argnums, has_aux, both)


def _slopes(run: Run) -> Tree:
    (output,) = run.outputs
    return with_structure(run.point, gradients(output, run.inputs, create_graph=run.is_inner))


def jacobian(
    function: Function, argnum: Places = 0, has_aux: bool = False, *, argnums: Places | None = None
) -> Function:
    """The function that gives the derivatives of all that `function` returns by all that an argument has; see `grad`.

    The result is built like the function's, and has in place of each number something that is built like the argument:
    for lists a list of rows. Where one is an array, it is an array with the axes of both: [m, n] for a function from
    arrays [n] to arrays [m]. Forward mode, if there are fewer inputs than outputs, else reverse mode.

    >>> jacobian(lambda x: [x[0] * x[1], x[0] + 3.0 * x[1]])([2.0, 5.0])
    [[5.0, 2.0], [1.0, 3.0]]
    """

    def matrix(run: Run) -> Tree:
        if len(run.inputs) < len(run.outputs):
            columns = [_pushed(run.order, run.outputs, {x: 1.0}, run.is_inner) for x in run.inputs]
            rows = [[column[place] for column in columns] for place in range(len(run.outputs))]
        else:
            rows = [gradients(output, run.inputs, create_graph=run.is_inner) for output in run.outputs]
        return run.beside(outer(run.result, run.point, rows))

    return _derivative("jacobian", function, argnum, argnums, has_aux, matrix, several=True)


def hessian(
    function: Function, argnum: Places = 0, has_aux: bool = False, *, argnums: Places | None = None
) -> Function:
    """The function that gives the second derivatives: the matrix [n, n] at a list of n numbers. See `grad`.

    It is the jacobian of the gradient: built like the argument, with something in place of each number that is built
    like the argument. Of an array, too, it is nested lists: numpy.array() of them is the matrix.

    >>> hessian(lambda x: x[0] ** 2 * x[1])([3.0, 5.0])
    [[10.0, 6.0], [6.0, 0.0]]
    """

    def matrix(run: Run) -> Tree:
        (output,) = run.outputs
        slopes = gradients(output, run.inputs, create_graph=True)
        rows = [gradients(slope, run.inputs, create_graph=run.is_inner) for slope in slopes]
        return run.beside(on_blocks(as_lists, outer(run.point, run.point, rows)))

    return _derivative("hessian", function, argnum, argnums, has_aux, matrix)


def _derivative(
    name: str,
    function: Function,
    argnum: Places,
    argnums: Places | None,
    has_aux: bool,
    derive: Callable[[Run], Tree],
    several: bool = False,
) -> Function:
    """The function of the same arguments that gives what `derive` makes of a run of `function`."""
    check_function(name, function)
    word, places = _places(name, argnum, argnums)

    def derived(*args: Tree, **keywords: Tree) -> Tree:
        wanted = (places,) if isinstance(places, int) else places
        if any(not -len(args) <= place < len(args) for place in wanted):
            raise TypeError(f"{name}: {word}={places} does not fit a call with {plural(len(args), 'argument')}")
        with with_grad():  # a no_grad() around this call means its result
            called = partial(function, **keywords) if keywords else function
            run = Run(name, called, args, places, several, has_aux)
            run.refuse_lost_numbers()
            return derive(run)

    return derived


def _places(name: str, argnum: Places, argnums: Places | None) -> tuple[str, int | tuple[int, ...]]:
    """The word that was used for places of arguments, and these."""
    if argnums is not None and argnum not in (0, argnums):
        raise TypeError(f"{name}: argnum={argnum} and argnums={argnums} are two words for the same: pass one of them")
    word, wanted = ("argnum", argnum) if argnums is None else ("argnums", argnums)
    if is_whole(wanted):
        return word, int(wanted)
    if isinstance(wanted, list | tuple) and all(map(is_whole, wanted)):
        return word, tuple(map(int, wanted))
    raise TypeError(
        f"{name}: {word} is the place of an argument, or a tuple of places, got {brief(wanted)}; arguments themselves "
        f"go to the function that {name} returns"
    )


def vjp(function: Function, *points: Tree, has_aux: bool = False) -> tuple:
    """(function(*points), pullback): reverse mode. The pullback takes one number for each number that came out.

    pullback(cotangent), which is built like the function's result, gives the tuple of cotangent times derivative by
    each of the points, built like them. With `has_aux` the function returns (result, something else), and the result is
    (result, pullback, something else).

    >>> value, pullback = vjp(lambda x, y: [x * y, x + y], 3.0, 4.0)
    >>> value, pullback([1.0, 0.0]), pullback([0.0, 1.0])
    ([12.0, 7.0], (4.0, 3.0), (1.0, 1.0))
    """
    check_function("vjp", function)
    if not points:
        raise TypeError("vjp takes the arguments of the function, too: vjp(function, x, y)")
    with with_grad():
        run = Run("vjp", function, points, tuple(range(len(points))), True, has_aux)
        run.refuse_lost_numbers()
    answer = run.answer(run.is_inner)

    def pullback(cotangent: Tree) -> tuple:
        given = leaves_like(run.result, cotangent, "vjp's pullback", "cotangent", "result")
        graph = run.is_inner or any(map(is_recorded, given))
        with with_grad():
            product = dot(tuple(given), run.outputs) if given else Value(0.0)
            return with_structure(run.point, gradients(product, run.inputs, create_graph=graph))

    return (answer, pullback, run.beside(None)[1]) if has_aux else (answer, pullback)


def jvp(
    function: Function | Value, point: Tree, direction: Tree, create_graph: bool = False, has_aux: bool = False
) -> Tree:
    """(function(point), its derivative along `direction`): forward mode. The direction is built like the point.

    A point is one argument, or the tuple of arguments of a function that takes as many, as in JAX. Results are built
    like those of the function: of floats; of Values, where `grad` gives Values, and with `create_graph`. With `has_aux`
    the function returns (result, something else), and so does jvp: (result, derivative, something else).

    In place of a function and a point it also takes an output that is recorded already, and its inputs: a Value, or a
    list of them with a list of tangents. The result is the derivative alone.

    The mirror image of `backward`: tangents are pushed through the recorded graph from operands to results, with the
    same local derivatives.

    >>> jvp(lambda x: [x[0] * x[1], x[0]], [3.0, 4.0], [1.0, 10.0])
    ([12.0, 3.0], [34.0, 1.0])
    >>> x, y = Value(3.0), Value(4.0)
    >>> jvp(x * y, [x, y], [1.0, 10.0])
    34.0
    """
    if is_recorded(function) or not callable(function):
        if has_aux:
            raise TypeError("jvp: has_aux is said of a function, and this is no function: leave it out")
        return _recorded_jvp(function, point, direction, create_graph)
    with with_grad():
        given = leaves_like(point, direction, "jvp", "direction", "point")
        run = Run("jvp", function, *_arguments(function, point), several=True, has_aux=has_aux)
        run.refuse_lost_numbers()
        graph = create_graph or run.is_inner
        tangents = dict(zip(run.inputs, given, strict=True))
        pushed = _pushed(run.order, run.outputs, tangents, graph or any(map(is_recorded, given)))
        answers = run.answer(graph), with_structure(run.result, pushed)
        return (*answers, run.beside(None)[1]) if has_aux else answers


def _recorded_jvp(output: Tree, inputs: Tree, tangents: Tree, create_graph: bool) -> Value | float:
    """The derivative of a recorded output along tangents, one number for each input."""
    if not is_recorded(output):
        raise TypeError(f"jvp takes a function, or a Value that was computed from the inputs, got {brief(output)}")
    wanted = checked_values("jvp", output, inputs)
    given = [tangents] if is_recorded(inputs) else list(listed(tangents, "jvp", "a list of tangents"))
    if len(wanted) != len(given):
        raise ValueError(f"jvp: {len(given)} tangents do not fit {len(wanted)} inputs")
    summed: dict[Value, Value | float] = {}
    for x, tangent in zip(wanted, given, strict=True):
        tangent = operand(tangent, "jvp's tangent")
        summed[x] = summed[x] + tangent if x in summed else tangent
    (derivative,) = _pushed(topological_order(output), (output,), summed, create_graph)
    return derivative


def _pushed(order: list[Value], outputs: tuple[Value, ...], tangents: dict, recorded: bool) -> list:
    """The derivatives of outputs along the tangents of inputs, pushed through the graph from operands to results."""
    tell("before_jvp", order)
    if not recorded:
        tell("frozen", order, "jvp() without a graph", "call jvp(..., create_graph=True)")
    pushed = dict(tangents)
    for value in order:
        if isinstance(value, Value):
            settle(value)
        moved = value.op and value.op.partials and not pushed.keys().isdisjoint(value.operands)
        if moved and value not in tangents:
            terms = [dx * pushed[x] for x, dx in local_derivatives(value, recorded) if x in pushed]
            total = terms[0]
            for term in terms[1:]:
                total = total + term
            pushed[value] = total
    found = [pushed.get(output, 0.0) for output in outputs]
    if not recorded:
        return list(map(float, found))
    return [slope if is_recorded(slope) else Value(slope) for slope in found]


def hvp(function: Function, point: Tree, direction: Tree) -> Tree:
    """Hessian times direction at a point, without the Hessian: the forward derivative of the gradients.

    Point and direction as `jvp` takes them; the result is built like the point.

    >>> hvp(lambda x: x[0] ** 2 * x[1], [3.0, 5.0], [1.0, 0.0])
    [10.0, 6.0]
    """
    check_function("hvp", function)
    with with_grad():
        given = leaves_like(point, direction, "hvp", "direction", "point")
        run = Run("hvp", function, *_arguments(function, point))
        run.refuse_lost_numbers()
        (output,) = run.outputs
        slopes = tuple(gradients(output, run.inputs, create_graph=True))
        tangents = dict(zip(run.inputs, given, strict=True))
        graph = run.is_inner or any(map(is_recorded, given))
        pushed = _pushed(topological_order(slopes), slopes, tangents, graph)
    return with_structure(run.point, pushed)


def _arguments(function: Function, point: Tree) -> tuple[tuple, int | tuple[int, ...]]:
    """The arguments that a point stands for, and their places."""
    if type(point) is tuple and takes(function, point):
        return point, tuple(range(len(point)))
    return (point,), 0
