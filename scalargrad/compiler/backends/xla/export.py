"""A program as a pure function of arrays, for a user's own JAX code: jit, vmap, grad, an optimizer, many devices."""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy

from scalargrad.compiler.backends.xla.devices import jax_or_error
from scalargrad.compiler.backends.xla.lower import Lowered
from scalargrad.compiler.program import Program
from scalargrad.engine import Value

if TYPE_CHECKING:
    from jax import Array


def exported(
    program: Program, dtype: str, order: Sequence[Value], counts_rows: bool, steps: Value
) -> tuple[Callable, "Array", "Array"]:
    """(parameters, buffers, *arrays) -> (loss, gradients, buffers), and the flat parameters and buffers of now.

    order         the Values that the flat parameters are
    counts_rows   is the last input the number of the row?
    steps         the buffer that counts steps, should the program read it
    """
    jax = jax_or_error()
    _refuse_narrow(jax, dtype)
    lowered = Lowered(program, dtype, differentiable=True)
    place = {value: n for n, value in enumerate(order)}
    read = numpy.array([place[value] for value in program.parameters], int)
    written = numpy.full(len(order), len(read))  # a parameter that the program does not read has the gradient 0
    written[read] = numpy.arange(len(read))
    widths = program.inputs[: len(program.inputs) - counts_rows]

    def compute(parameters: Any, buffers: Any, *arrays: Any) -> tuple:
        _refuse_narrow(jax, dtype)  # it may have been switched off since
        jnp = jax.numpy
        parameters, buffers, *inputs = [jnp.asarray(array, dtype) for array in (parameters, buffers, *arrays)]
        _check_numbers("parameters", parameters, len(order))
        _check_numbers("buffers", buffers, len(program.buffers))
        _check_inputs(inputs, widths)
        rows = len(inputs[0])
        inputs = [array.reshape(rows, -1) for array in inputs]
        if counts_rows:
            inputs.append(jnp.arange(rows, dtype=dtype)[:, None])
        leaves = jnp.concatenate([parameters[read], buffers])
        run = lowered.run(inputs, leaves)
        gradient = jnp.append(run.rows(program.gradient)[:, 0], jnp.zeros((), dtype))[written]
        following = [
            run.rows(program.updates[buffer])[0, 0]
            if buffer in program.updates
            else buffers[n] + float(buffer is steps)
            for n, buffer in enumerate(program.buffers)
        ]
        return run.rows(program.mean)[0, 0], gradient, jnp.array(following, dtype)

    parameters = jax.numpy.array([value.data for value in order], dtype)
    return (
        _with_own_gradient(jax, compute),
        parameters,
        jax.numpy.array([buffer.data for buffer in program.buffers], dtype),
    )


def _with_own_gradient(jax: ModuleType, compute: Callable) -> Callable:
    """The function, whose loss has the gradient that it returns, should JAX be asked for it.

    JAX itself would multiply by 0 what the program leaves out: rows that no gradient reaches, which may be infinite.
    """
    function = jax.custom_jvp(compute)

    def derivative(arguments: tuple, changes: tuple) -> tuple:
        moving = [n for n, x in enumerate(changes) if not isinstance(x, jax.custom_derivatives.SymbolicZero)]

        def change(places: list[int]) -> tuple:
            def moved(*some: object) -> tuple:
                return compute(*(some[places.index(n)] if n in places else x for n, x in enumerate(arguments)))

            return jax.jvp(moved, [arguments[n] for n in places], [changes[n] for n in places])

        results, (slope, *others) = change(moving)
        if 0 in moving:  # the parameters
            slope = results[1] @ changes[0]
            if len(moving) > 1:
                slope += change(moving[1:])[1][0]
        return results, (slope, *others)

    function.defjvp(derivative, symbolic_zeros=True)
    return function


def _refuse_narrow(jax: ModuleType, dtype: str) -> None:
    if str(jax.dtypes.canonicalize_dtype(dtype)) != dtype:
        raise ValueError(
            f'{dtype} takes jax.config.update("jax_enable_x64", True) at the start; or compile with dtype="float32"'
        )


def _check_numbers(name: str, numbers: "Array", count: int) -> None:
    if numbers.shape != (count,):
        raise ValueError(f"the {name} are one array of {count} numbers, and this has the shape {numbers.shape}")


def _check_inputs(arrays: list, widths: list[int]) -> None:
    if len(arrays) != len(widths):
        raise TypeError(f"the program takes {len(widths)} arrays, got {len(arrays)}")
    for array, width in zip(arrays, widths, strict=True):
        if array.ndim < 1 or array.size != len(array) * width:
            raise ValueError(
                f"the program takes {width} numbers for each row, and an array has the shape {array.shape}"
            )
        if len(array) != len(arrays[0]):
            raise ValueError(f"the arrays have {len(arrays[0])} and {len(array)} rows: one for each sample")
    if not len(arrays[0]):
        raise ValueError("the arrays have no rows: a mean over no samples is not defined")
