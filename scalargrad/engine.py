"""Value: a number that remembers how it was computed, and the chain rule that runs back through its memory."""

from collections.abc import Iterable, Iterator
from typing import Any

from scalargrad import observers
from scalargrad.checks import as_float, checked_outputs, checked_values, data_of, settle
from scalargrad.ieee import Number
from scalargrad.methods import stamp_operations
from scalargrad.operands import Operand, flatten, is_recorded, operand
from scalargrad.ops import Op, dot
from scalargrad.protocol import RealNumber


class Value(RealNumber):
    """A number that remembers the operation and the operands that it was computed from.

    data     the number, a float
    grad     d(output) / d(this), a float, set by `output.backward()`
    label    a name for pictures and explanations
    op       the operation that made it, a row of the table; None for a leaf, a Value that the user made
    first    its first argument: a Value, a float, or a tuple of Values; () where there is none
    second   its second argument, likewise

    >>> x = Value(3.0, label="x")
    >>> y = x * x + 1
    >>> y.backward()
    >>> y.data, x.grad
    (10.0, 6.0)
    """

    # Two fields for the arguments, not one tuple: the garbage collector then has half as many objects to look at.
    __slots__ = ("data", "first", "grad", "label", "op", "second")

    def __init__(self, data: Any, label: str = "", op: Op | None = None, first: Any = (), second: Any = ()) -> None:
        self.data: float = data if type(data) is float else as_float(data, op, first, second)
        self.grad: float = 0.0
        self.label = label
        self.op = op
        self.first = first
        self.second = second
        if observers.open_blocks:
            observers.show(self)

    def backward(self, gradient: Operand = 1.0) -> None:
        """Set `.grad` of every Value that this one was computed from; leaves add it to what they have.

        The grad of a result is d(self) / d(result), set afresh by each call, times `gradient` where a number or a Value
        is passed. A leaf accumulates over calls, as in PyTorch: set it to 0 (`zero_grad`) before the next step.
        """
        gradient = data_of(operand(gradient, "backward"))
        for observer in observers.observers.get():
            observer.before_backward(topological_order(self))
        order = topological_order(self, sloped=True)
        for value in order:
            if value.op is not None:
                value.grad = 0.0
            elif type(value.data) is not float or type(value.grad) is not float:
                settle(value)
        self.grad += gradient
        for value in reversed(order):
            op, upstream = value.op, value.grad
            if op is None or op.partials is None:  # a leaf, or a predicate: no slope to pass on
                continue
            partials = op.partials_on_floats
            try:
                if op.scalars == 2:
                    x, y = value.first, value.second
                    if type(y) is float:
                        x.grad += partials(value.data, x.data, y)[0] * upstream
                    elif type(x) is float:
                        y.grad += partials(value.data, x, y.data)[1] * upstream
                    else:
                        dx, dy = partials(value.data, x.data, y.data)
                        x.grad += dx * upstream
                        y.grad += dy * upstream
                    continue
                if op.scalars == 1:
                    x = value.first
                    (dx,) = partials(value.data, x.data)
                    x.grad += dx * upstream
                    continue
                if op is dot and type(value.first[0]) is not float and type(value.second[0]) is not float:
                    for w, x in zip(value.first, value.second):  # noqa: B905 (equally long, and hot)
                        w.grad += x.data * upstream
                        x.grad += w.data * upstream
                    continue
            except (ZeroDivisionError, OverflowError):
                pass  # local_derivatives() gives the inf or nan that Python refuses to
            for x, dx in local_derivatives(value):
                x.grad += dx * upstream

    @property
    def args(self) -> tuple:
        """The arguments of the operation: Values, floats, or tuples. `op(*args)` makes this Value again."""
        return (self.first, self.second)[: len(self.op.arguments)] if self.op else ()

    @property
    def operands(self) -> tuple["Value", ...]:
        """The Values that this one was computed from, in order; one that was used twice stands twice."""
        return tuple(x for x in flatten((self.first, self.second)) if type(x) is not float)

    def detach(self) -> "Value":
        """A leaf with the same number: no gradient flows through it."""
        leaf = Value(self.data, self.label)
        if observers.open_blocks:
            observers.tell("frozen", topological_order(self), "detach()", "use the Value itself")
            observers.tell("detached", leaf)
        return leaf

    def __repr__(self) -> str:
        label = f", label={self.label!r}" if self.label else ""
        return f"{type(self).__name__}(data={self.data}, grad={self.grad}{label})"

    def __reduce__(self) -> tuple:
        if self.op is not None:
            raise TypeError(f"{self!r} has a history, which is neither copied nor pickled: use detach(), or a leaf")
        observers.tell("frozen", [self], "a copy", "use the Value itself")
        return type(self), (self.data, self.label), (None, {"grad": self.grad})

    @staticmethod
    def apply_operation(op: Op, args: tuple) -> "Value":
        """Record `op` on arguments of which at least one is a Value."""
        try:
            if op is dot and type(args[0]) is type(args[1]) is tuple and len(args[0]) == len(args[1]):
                weights, inputs = args
                data = -0.0  # the formula of dot once more, in a loop without tuples of data: half the time
                for w, x in zip(weights, inputs):  # noqa: B905
                    data += w.data * x.data
                return Value(data, "", op, weights, inputs)
            data = op.compute(*map(data_of, args))
        except (AttributeError, IndexError, TypeError, ValueError, OverflowError):  # a list, an int, one too few, ...
            args = op.checked(args)
            foreign = [x for x in flatten(args) if type(x) is not float and not isinstance(x, Value)]
            if foreign:  # a compiler term takes over
                return foreign[0].apply_operation(op, args)
            data = op.compute(*map(data_of, args))
        return Value(data, "", op, *args)

    @staticmethod
    def lift(number: float) -> "Value":
        """A number as a Value, where it stands among Values."""
        return Value(number)


def topological_order(output: Value | tuple[Value, ...], sloped: bool = False) -> list[Value]:
    """Every Value that `output`, or a tuple of them, was computed from, and itself: operands before results, each once.

    With `sloped` not what predicates were computed from: no gradient leads through them.
    """
    # Iterative: a sum over 10,000 samples is deeper than Python's stack.
    order: list[Value] = []
    seen: set = set()
    stack: list = [output if type(output) is Value else checked_outputs(output)]
    while stack:
        value = stack.pop()
        kind = type(value)
        if value is None:  # all operands of the value below are placed
            order.append(stack.pop())
        elif kind is tuple:  # operands that many results may share: looked at once
            if id(value) not in seen:
                seen.add(id(value))
                stack += value
        elif kind is not float and value not in seen:
            seen.add(value)
            op = value.op
            if op is None or (sloped and op.partials is None):
                order.append(value)
            elif op.scalars == 1:
                stack += (value, None, value.first)
            else:
                stack += (value, None, value.second, value.first)
    return order


def local_derivatives(value: Value, recorded: bool = False) -> list[tuple[Value, Any]]:
    """(operand, d value / d operand) for each operand: floats, or Values of a graph of their own if `recorded`.

    >>> a, b = Value(2.0, "a"), Value(5.0, "b")
    >>> [(operand.label, slope) for operand, slope in local_derivatives(a * b)]
    [('a', 5.0), ('b', 2.0)]
    """
    op = value.op
    if op is None:
        return []
    if op.partials is None:
        return [(x, 0.0) for x in value.operands]
    if recorded:
        partials = op.partials(value, *value.args)
    else:
        partials = partials_of_floats(op, value.data, tuple(map(data_of, value.args)))
    pairs = zip(flatten(value.args), flatten(partials), strict=True)
    return [(x, dx if recorded else float(dx)) for x, dx in pairs if type(x) is not float]


def partials_of_floats(op: Op, result: float, data: tuple) -> tuple:
    """The partials of an operation at these numbers, inf and nan where Python's floats would raise."""
    try:
        return op.partials_on_floats(result, *data)
    except (ZeroDivisionError, OverflowError):
        numbers = [tuple(map(Number, x)) if isinstance(x, tuple | list) else Number(x) for x in data]
        return op.partials(Number(result), *numbers)


def gradients(output: Value, inputs: Value | Iterable[Value], create_graph: bool = False) -> Any:
    """d output / d input for each of the inputs, which may be leaves or results; every `.grad` stays as it is.

    Floats, or with `create_graph` Values that can be differentiated again. 0 for an input that was not used.
    One gradient for one input, a list for a list.

    >>> x = Value(2.0)
    >>> (slope,) = gradients(x**3, [x], create_graph=True)
    >>> slope.data, gradients(slope, x)
    (12.0, 12.0)
    """
    wanted = checked_values("gradients", output, inputs)
    order = topological_order(output)
    observers.tell("before_gradients", order)
    if not create_graph:
        observers.tell("frozen", order, "gradients() without a graph", "call gradients(..., create_graph=True)")
    depends = set(wanted)  # only these lie on a path from an input
    for value in order:
        if isinstance(value, Value):  # and no term of the compiler
            settle(value)
        if not depends.isdisjoint(value.operands):
            depends.add(value)
    zero, one = (Value(0.0), Value(1.0)) if create_graph else (0.0, 1.0)
    slopes: dict[Value, Any] = {output: one} if output in depends else {}
    for _, upstream, operands in reverse_sweep(order, slopes, recorded=create_graph):
        for x, dx in operands:
            if x in depends:
                term = dx * upstream
                slopes[x] = slopes[x] + term if x in slopes else term
    found: list[Any] = [slopes.get(x, zero) for x in wanted]
    return found[0] if is_recorded(inputs) else found


def reverse_sweep(order: list[Value], slopes: dict, recorded: bool = False) -> Iterator[tuple[Value, Any, list]]:
    """The chain rule, from the last of `order` back: (value, d output / d value, [(operand, local derivative), ...]).

    `slopes` has d output / d value: at first of the output alone. The caller adds local * upstream to that of each
    operand, before it asks for the next value. What has none when its turn comes is left out, as are leaves and
    predicates. `recorded`: derivatives are Values of a graph of their own.
    """
    for value in reversed(order):
        if value in slopes and value.op and value.op.partials:
            yield value, slopes[value], local_derivatives(value, recorded)


stamp_operations(Value, numeric=True)  # __add__, exp and all the others
