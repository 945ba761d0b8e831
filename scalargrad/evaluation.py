"""One run of a function that is to be differentiated, and whether the number of an input went on without its Value."""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from inspect import signature
from numbers import Real

from scalargrad.engine import Value, topological_order
from scalargrad.observers import Observer, observed_by
from scalargrad.operands import brief, flatten, is_recorded
from scalargrad.ops import Op
from scalargrad.trees import Tree, as_values, checked_leaf, is_array, leaves, mapped, on_blocks, with_structure


class Run(Observer):
    """One run of a function on fresh Values in some places of its arguments, and what was made and read on the way.

    point       the argument at a place, or the tuple of those at several: Values
    inputs      these Values, in order
    result      what the function returned, one Value or, with `several`, a tree of them
    outputs     these Values, in order
    aux         what it returned beside that, with `has_aux`
    order       all that the outputs were computed from, operands before results
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., Tree],
        args: Sequence[Tree],
        places: int | tuple[int, ...] = 0,
        several: bool = False,
        has_aux: bool = False,
    ) -> None:
        self.name, self.has_aux = name, has_aux
        self.setting = name, function, args, places, several, has_aux
        self.made: set[Value] = set()  # leaves from inside
        self.cut: set[Value] = set()  # and of these the ones that detach() made
        self.read_values: list[Value] = []  # by float()
        self.took_numbers = False  # did numbers come into the graph since?
        with observed_by(self):
            arguments = list(args)
            for place in (places,) if isinstance(places, int) else places:
                arguments[place] = as_values(args[place], name)
            point = arguments[places] if isinstance(places, int) else tuple(arguments[i] for i in places)
            self.inputs = leaves(point)
            self.point = with_structure(point, self.inputs)  # the function may change what it gets
            result = function(*arguments)
            result, aux = _with_aux(result, name) if has_aux else (result, None)
            self.result = _values(result, name) if several else one_value(result, name)
        self.aux: Tree = aux
        self.outputs = tuple(leaves(self.result))
        self.order = topological_order(self.outputs)

    def recorded(self, value: Value) -> None:
        if value.op is None:
            self.made.add(value)
        if self.read_values and not self.took_numbers:
            self.took_numbers = value.op is None or any(type(x) is float for x in flatten(value.args))

    def read(self, value: Value) -> None:
        self.read_values.append(value)

    def detached(self, leaf: Value) -> None:
        self.cut.add(leaf)

    @cached_property
    def is_inner(self) -> bool:
        """Does an output depend on leaves from outside? Whoever made them may differentiate this derivative, too."""
        return any(self._is_outside(value) for value in self.order)

    def _is_outside(self, value: Value) -> bool:
        return value.op is None and value not in self.made

    def answer(self, recorded: bool) -> Tree:
        """The result: Values if `recorded`, else their numbers."""
        return mapped(lambda x: x if recorded else x.data, self.result)

    def beside(self, answer: Tree) -> Tree:
        """The answer, with `has_aux` together with what the function returned beside its result, Values as numbers."""
        if not self.has_aux:
            return answer
        order = topological_order(tuple(x for x in leaves(self.aux) if is_recorded(x)))
        outer = _dependents(order, filter(self._is_outside, order))

        def plain(block: Tree) -> Tree:
            if is_array(block):
                return mapped(plain, block) if any(map(is_recorded, block.flat)) else block
            return block.data if is_recorded(block) and block not in outer else block

        return answer, on_blocks(plain, self.aux)

    def refuse_lost_numbers(self) -> None:
        """A TypeError, if the number of an input went on without its Value: the derivative would lack that part.

        Whether it did is asked of the function itself, a little beside. But only where there is a reason to ask: an
        output that depends on no input, or numbers that came into the graph after float() had read some.
        """
        inputs = set(self.inputs)
        if not all(isinstance(x, Value) for x in inputs):
            return  # terms of the compiler have no number that could be taken
        if len(self.outputs) == 1:  # which is what most functions give, and quick
            felt = set() if inputs.isdisjoint(self.order) else {*self.outputs}
        else:
            felt = _dependents(self.order, inputs)
        if felt.issuperset(self.outputs) and not (
            self.took_numbers and any(not inputs.isdisjoint(topological_order(value)) for value in self.read_values)
        ):
            return
        for way in (-(2.0**-10), 2.0**-10):  # inwards first: there log, sqrt and asin are defined, too
            moved = self._again(way)
            pairs = moved and self._beside(moved)
            if not moved or not pairs:
                continue
            replayed, scale = self._replayed(pairs)
            if any(
                abs(replayed.get(y, y.data) - other.data) > (1e-12 * scale if y in felt else 0.0)
                for y, other in zip(self.outputs, moved.outputs, strict=True)
            ):
                same = self._again(0.0)
                if same is None or repr(same.answer(False)) != repr(self.answer(False)):
                    return  # it is drawn at random, say
                raise TypeError(
                    f"{self.name}: the function took the number out of a Value, by float(), .data, math or NumPy, and "
                    "went on with that, so that a part of the derivative would be lost: use the functions of "
                    "scalargrad (scalargrad.sin, not math.sin), or detach() to leave that part out"
                )
            return

    def _again(self, way: float) -> "Run | None":
        """The same with inputs moved by this part of themselves, or None where that is an error."""

        def moved(x: Tree) -> Value | float:
            x = checked_leaf(x, self.name)
            at = x.data if is_recorded(x) else x
            at = at + at * way if at else way
            return Value(at) if is_recorded(x) else at

        name, function, args, places, *rest = self.setting
        args = list(args)
        for place in {places} if isinstance(places, int) else {*places}:
            args[place] = mapped(moved, args[place])
        try:
            return Run(name, function, args, places, *rest)
        except Exception:
            return None

    def _beside(self, moved: "Run") -> list[tuple[Value, Value]]:
        """Pairs of Values that both runs computed from their inputs; none, if they went different ways."""
        before = {value for x in (*self.inputs, *moved.inputs) for value in topological_order(x)[:-1]}
        orders = [[value for value in run.order if value not in before] for run in (self, moved)]
        is_alike = [value.op for value in orders[0]] == [value.op for value in orders[1]]
        return list(zip(*orders, strict=True)) if is_alike else []

    def _replayed(self, pairs: list[tuple[Value, Value]]) -> tuple[dict[Value, float], float]:
        """The numbers of the recorded graph for the inputs of another run, and the largest of them."""
        moving = {*self.inputs, *self.cut}
        data: dict[Value, float] = {}

        def of(argument: Tree) -> Tree:
            if type(argument) is tuple:
                return tuple(map(of, argument))
            return argument if type(argument) is float else data.get(argument, argument.data)

        for value, other in pairs:
            if value in moving or (value.op is None and value not in self.made):  # what no_grad() left, too
                data[value] = other.data
            else:
                data[value] = float(value.op.compute(*map(of, value.args))) if value.op else value.data
        return data, max(map(abs, data.values()))


def _dependents(order: Sequence[Value], seeds: Iterable[Value]) -> set[Value]:
    """These Values, and all that was computed from them."""
    found = set(seeds)
    for value in order:
        if not found.isdisjoint(value.operands):
            found.add(value)
    return found


def one_value(result: Tree, name: str) -> Value:
    """The Value that a function returned, or a new one for a number: a constant, every derivative of which is 0."""
    leaf = _value_or_none(result)
    if leaf is None:
        remedy = "is a `return` missing?" if result is None else "for several, take jacobian"
        raise TypeError(f"{name}: a function to differentiate returns one Value, got {brief(result)}; {remedy}")
    return leaf


def _values(result: Tree, name: str) -> Tree:
    """The result of a function, with new Values for numbers."""

    def leaf(x: Tree) -> Value:
        value = _value_or_none(x)
        if value is None:
            remedy = "; is a `return` missing?" if x is None else ""
            raise TypeError(
                f"{name}: a function to differentiate returns Values, in lists, tuples, dictionaries and arrays, "
                f"got {brief(x)}{remedy}"
            )
        return value

    return mapped(leaf, result)


def _value_or_none(x: Tree) -> Value | None:
    if not is_recorded(x) and not isinstance(x, Real) and getattr(x, "shape", None) != ():
        return None
    x = checked_leaf(x, "Value")
    return x if is_recorded(x) else Value(x)


def _with_aux(result: Tree, name: str) -> tuple[Tree, Tree]:
    if not (isinstance(result, tuple) and len(result) == 2):
        raise TypeError(f"{name}: with has_aux a function returns (value, something else), got {brief(result)}")
    return result


def check_function(name: str, function: object) -> None:
    """A TypeError for what is no function."""
    if not callable(function):
        raise TypeError(f"{name} takes a function, got {brief(function)}: pass the function itself, not its result")


def takes(function: Callable[..., Tree], args: Sequence[Tree]) -> bool:
    """Does the function take so many arguments, as far as it says?"""
    if isinstance(function, Op):
        return function.collects or len(args) == len(function.arguments)
    try:
        signature(function).bind(*args)
    except TypeError:
        return False
    except ValueError:  # one of C, which does not say
        return True
    return True
