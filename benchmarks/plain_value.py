"""A plain scalar engine, the yardstick of eager.py: slots, tuples, local derivatives stored on the way forward."""

import random
from collections.abc import Iterable


class Value:
    """One number, its operands, and the derivative by each of them."""

    __slots__ = ("data", "grad", "operands", "slopes")

    def __init__(self, data: float, operands: tuple = (), slopes: tuple = ()) -> None:
        self.data, self.operands, self.slopes, self.grad = data, operands, slopes, 0.0

    def __add__(self, other: "Value | float") -> "Value":
        if isinstance(other, Value):
            return Value(self.data + other.data, (self, other), (1.0, 1.0))
        return Value(self.data + other, (self,), (1.0,))

    def __mul__(self, other: "Value | float") -> "Value":
        if isinstance(other, Value):
            return Value(self.data * other.data, (self, other), (other.data, self.data))
        return Value(self.data * other, (self,), (other,))

    __radd__, __rmul__ = __add__, __mul__

    def __sub__(self, other: float) -> "Value":
        return self + -other

    def relu(self) -> "Value":
        return Value(self.data, (self,), (1.0,)) if self.data > 0.0 else Value(0.0, (self,), (0.0,))

    def backward(self) -> None:
        order: list[Value] = []
        seen: set[Value] = set()
        stack: list[Value | None] = [self]
        while stack:
            value = stack.pop()
            if value is None:
                order.append(stack.pop())  # type: ignore[arg-type]
            elif value not in seen:
                seen.add(value)
                stack += (value, None, *value.operands)
        self.grad = 1.0
        for value in reversed(order):
            upstream = value.grad
            for operand, slope in zip(value.operands, value.slopes, strict=True):
                operand.grad += slope * upstream


class MLP:
    """Rows of weights and a bias for each unit; relu between the layers."""

    def __init__(self, inputs: int, sizes: list[int]) -> None:
        self.layers = [
            [([Value(random.random()) for _ in range(fan_in)], Value(0.0)) for _ in range(units)]
            for fan_in, units in zip([inputs, *sizes], sizes, strict=False)
        ]

    def __call__(self, x: Iterable) -> Value:
        for layer in self.layers:
            outputs = [sum((w * xi for w, xi in zip(weights, x, strict=True)), bias) for weights, bias in layer]
            x = [output.relu() for output in outputs]
        return outputs[0]

    def parameters(self) -> list[Value]:
        return [p for layer in self.layers for weights, bias in layer for p in (*weights, bias)]

    def zero_grad(self) -> None:
        for p in self.parameters():
            p.grad = 0.0
