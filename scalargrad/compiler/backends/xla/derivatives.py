"""Derivatives of the primitives in JAX from the table of operations, for those who differentiate a program once more.

JAX would derive its own: of exp(-|x|), inside a sigmoid, one that is 0 at 0. Partials are operations of the table, so
they differentiate again, and again.
"""

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from scalargrad.methods import stamp_operations
from scalargrad.ops import OPERATIONS, Op

if TYPE_CHECKING:
    from jax import Array as JaxArray

# What JAX derives as the table does: sums, products, choices.
PLAIN = {"add", "sub", "mul", "neg", "sum", "dot", "where", "take", "batch_mean"}


def with_partials(jax: ModuleType, code: dict[str, Callable]) -> dict[str, Callable]:
    """The functions of arrays, with the derivatives of the table."""
    functions = dict(code)

    class Array:
        """An array to which operations of the table can be applied."""

        def __init__(self, array: "JaxArray") -> None:
            self.array = array

        @staticmethod
        def apply_operation(op: Op, args: tuple) -> Any:
            args = op.checked(args)
            if op.composite:
                return op.formula(*args[:-1], *args[-1]) if op.collects else op.formula(*args)
            return Array(functions[op.name](*map(bare, args)))

        @staticmethod
        def lift(number: float) -> float:
            return number

    stamp_operations(Array)

    def bare(argument: object) -> Any:
        """Without `Array`, [rows, lanes]; the operands of a list as one array."""
        if type(argument) is tuple:
            return jax.numpy.stack(jax.numpy.broadcast_arrays(*map(bare, argument)), axis=1)
        return argument.array if isinstance(argument, Array) else jax.numpy.asarray(argument).reshape(1, 1)

    def differentiable(op: Op, compute: Callable) -> Callable:
        function = jax.custom_jvp(compute)

        def derivative(arrays: tuple, changes: tuple) -> tuple:
            result, change = function(*arrays), 0.0
            operands = [_columns(array, Array) if jax.numpy.ndim(array) == 3 else Array(array) for array in arrays]
            for partial, moved in zip(op.partials(Array(result), *operands), changes, strict=True):
                if isinstance(moved, jax.custom_derivatives.SymbolicZero):
                    continue  # 0 times an infinite partial is nan
                if type(partial) is tuple:
                    change += sum(bare(slope) * moved[:, n] for n, slope in enumerate(partial))
                else:
                    change += bare(partial) * moved
            return result, jax.numpy.broadcast_to(change, result.shape).astype(result.dtype)

        function.defjvp(derivative, symbolic_zeros=True)
        return function

    for name, compute in code.items():
        if OPERATIONS[name].partials is None:
            functions[name] = _flat(jax, compute)
        elif name not in PLAIN:
            functions[name] = differentiable(OPERATIONS[name], compute)
    return functions


def _flat(jax: ModuleType, compute: Callable) -> Callable:
    """Without a slope, also at nan, which `step` hands on."""
    return lambda *arrays: jax.lax.stop_gradient(compute(*arrays))


def _columns(array: "JaxArray", kind: type) -> tuple:
    return tuple(kind(array[:, n]) for n in range(array.shape[1]))
