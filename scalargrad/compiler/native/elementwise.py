"""The table of operations as vector code: a row for each operation on numbers, lane by lane."""

from collections.abc import Callable
from typing import Any

from scalargrad.compiler.native.kernel_code import KernelCode
from scalargrad.compiler.native.vector_math import FUNCTIONS
from scalargrad.randomness import FIRST, GAMMA, SECOND


def _relu(code: KernelCode, x: str) -> str:
    zero = code.constant(0.0)
    return code.select(code.compare("ole", x, zero), zero, x)  # nan stays nan


def _step(code: KernelCode, x: str) -> str:
    zero, one = code.constant(0.0), code.constant(1.0)
    return code.select(code.compare("ogt", x, zero), one, code.select(code.compare("ole", x, zero), zero, x))


def _larger(code: KernelCode, x: str, y: str) -> str:
    wins = code.mask("or", code.compare("oge", x, y), code.compare("uno", x, x))
    return code.select(wins, x, y)


def _where(code: KernelCode, condition: str, x: str, y: str) -> str:
    return code.select(_true(code, condition), x, y)


def _true(code: KernelCode, x: str) -> str:
    return code.compare("une", x, code.constant(0.0))  # nan is true, as in Python


def _truth(predicate: str) -> Callable[..., str]:
    return lambda code, x, y: code.truth(code.compare(predicate, x, y))


def _sech(code: KernelCode, x: str) -> str:
    e = _called("exp")(code, code.neg(code.abs(x)))
    return code.div(code.add(e, e), code.multiply_add(e, e, code.constant(1.0)))


def _both(code: KernelCode, operation: str, x: str, y: str) -> str:
    return code.truth(code.mask(operation, _true(code, x), _true(code, y)))


def _dot(code: KernelCode, *operands: str) -> str:
    half = len(operands) // 2
    result = code.mul(operands[0], operands[half])
    for weight, x in zip(operands[1:half], operands[half + 1 :], strict=True):
        result = code.multiply_add(weight, x, result)
    return result


def _folded(function: Callable[..., str]) -> Callable[..., str]:
    """A function of two as one of many, from left to right."""

    def folded(code: KernelCode, *operands: str) -> str:
        result = operands[0]
        for operand in operands[1:]:
            result = function(code, result, operand)
        return result

    return folded


def _take(code: KernelCode, index: str, *operands: str) -> str:
    result, found = operands[0], code.compare("oeq", index, code.constant(0.0))
    for place, operand in enumerate(operands[1:], 1):
        hit = code.compare("oeq", index, code.constant(float(place)))
        result, found = code.select(hit, operand, result), code.mask("or", found, hit)
    code.fail_where(code.invert(found))
    return result


def mixed(code: KernelCode, state: str, counter: str) -> str:
    """The state of random() after one more counter: vectors of 64-bit integers. See `scalargrad.randomness`."""
    kind = f"<{code.width} x i64>"
    state = code(f"add {kind} {code(f'add {kind} {state}, {counter}')}, {whole(code, GAMMA)}")
    for shift, factor in ((30, FIRST), (27, SECOND), (31, None)):
        state = code(f"xor {kind} {state}, {code(f'lshr {kind} {state}, {whole(code, shift)}')}")
        if factor is not None:
            state = code(f"mul {kind} {state}, {whole(code, factor)}")
    return state


def random_number(code: KernelCode, state: str) -> str:
    """The number in [0, 1) that the state after all counters stands for."""
    kind, doubles = f"<{code.width} x i64>", f"<{code.width} x double>"

    def everywhere(number: str) -> str:
        return f"<{', '.join([f'double {number}'] * code.width)}>"

    # 53 bits as a double, in halves that are the last bits of 2**52 and of 2**84: many processors convert 64-bit
    # integers one by one only.
    bits = code(f"lshr {kind} {state}, {whole(code, 11)}")
    low = code(f"or {kind} {code(f'and {kind} {bits}, {whole(code, 2**32 - 1)}')}, {whole(code, 0x433 << 52)}")
    high = code(f"or {kind} {code(f'lshr {kind} {bits}, {whole(code, 32)}')}, {whole(code, 0x453 << 52)}")
    low, high = (code(f"bitcast {kind} {half} to {doubles}") for half in (low, high))
    high = code(f"fsub {doubles} {high}, {everywhere('0x4530000000100000')}")  # 2**84 + 2**52
    number = code(
        f"fmul {doubles} {code(f'fadd {doubles} {high}, {low}')}, {everywhere('0x3CA0000000000000')}"
    )  # 2**-53
    return number if code.number == "double" else code(f"fptrunc {doubles} {number} to {code.vector}")


def whole(code: KernelCode, n: int) -> str:
    """A 64-bit integer in every lane."""
    n = n - 2**64 if n >= 2**63 else n
    return f"<{', '.join([f'i64 {n}'] * code.width)}>"


def counter(code: KernelCode, x: str) -> str:
    """A counter of random() as 64-bit integers; it fails where the number is not whole."""
    largest = 2.0**63 if code.number == "double" else 2.0**24
    fits = code.compare("olt", code.abs(x), code.constant(largest))
    fits = code.mask("and", fits, code.compare("oeq", code.floor(x), x))
    code.fail_where(code.invert(fits))
    return code(f"fptosi {code.vector} {code.select(fits, x, code.constant(0.0))} to <{code.width} x i64>")


def _called(name: str) -> Callable[..., str]:
    """A function of its own, compiled once: see `vector_math`."""
    return lambda code, *operands: code.call(function_name(name, code.number, code.width), *operands)


def function_name(name: str, number: str, width: int) -> str:
    return f"vector_{name}_{number}_{width}"


# fmt: off
ELEMENTWISE: dict[str, Callable[..., Any]] = {
    **{name: _called(name) for name in FUNCTIONS},
    "add":        lambda code, x, y: code.add(x, y),
    "sub":        lambda code, x, y: code.sub(x, y),
    "mul":        lambda code, x, y: code.mul(x, y),
    "div":        lambda code, x, y: code.div(x, y),
    "neg":        lambda code, x: code.neg(x),
    "sqrt":       lambda code, x: code.sqrt(x),
    "abs":        lambda code, x: code.abs(x),
    "square":     lambda code, x: code.mul(x, x),  # pow(x, 2)
    "cube":       lambda code, x: code.mul(code.mul(x, x), x),  # pow(x, 3)
    "inverse":    lambda code, x: code.div(code.constant(1.0), x),  # pow(x, -1)
    "sech":       _sech,
    "relu":       _relu,
    "step":       _step,
    "maximum":    _folded(_larger),
    "where":      _where,
    "less":       _truth("olt"),
    "less_equal": _truth("ole"),
    "equal":      _truth("oeq"),
    "both":       lambda code, x, y: _both(code, "and", x, y),
    "either":     lambda code, x, y: _both(code, "or", x, y),
    "invert":     lambda code, x: code.truth(code.compare("oeq", x, code.constant(0.0))),
    "take":       _take,
    "sum":        _folded(lambda code, x, y: code.add(x, y)),
    "dot":        _dot,
    "batch_mean": lambda code, x: x,
    "copy":       lambda code, x: x,
}
# fmt: on
