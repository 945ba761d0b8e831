"""The table of operations as vector code: a row for each operation on numbers, lane by lane."""

from collections.abc import Callable

from scalargrad.compiler.backends.native.code import Formula
from scalargrad.compiler.backends.native.functions import FUNCTIONS
from scalargrad.compiler.backends.native.kernels.kernel_code import KernelCode
from scalargrad.randomness import GAMMA, MIX, SCRAMBLE, WORD


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


def mixed(code: KernelCode, key: str, counter: str) -> str:
    """The key of random() after one more counter: vectors of 64-bit integers. See `scalargrad.randomness`."""
    kind = f"<{code.width} x i64>"
    return code(f"add {kind} {_mixed(code, code(f'add {kind} {key}, {counter}'), 64, MIX)}, {whole(code, GAMMA)}")


def random_number(code: KernelCode, key: str, counter: str) -> str:
    """The number in [0, 1) for the last counter, a vector of 64-bit integers like the key."""
    (low, high), (site, above) = _words(code, key), _words(code, counter)
    words, integers = f"<{code.width} x i32>", f"<{code.width} x i64>"
    word = _mixed(code, code(f"add {words} {site}, {low}"), 32, SCRAMBLE)
    word = _mixed(code, code(f"xor {words} {word}, {code(f'add {words} {above}, {high}')}"), 32, SCRAMBLE)
    if code.number == "float":
        return code.mul(code.converted(code(f"lshr {words} {word}, {whole(code, 8, 32)}")), code.constant(2.0**-24))
    more = code(f"lshr {words} {_mixed(code, code(f'xor {words} {word}, {low}'), 32, SCRAMBLE)}, {whole(code, 11, 32)}")
    word, more = (code(f"zext {words} {x} to {integers}") for x in (word, more))
    bits = code(f"or {integers} {code(f'shl {integers} {word}, {whole(code, 21)}')}, {more}")
    # 53 bits as a double, in halves that are the last bits of 2**52 and of 2**84: many processors convert 64-bit
    # integers one by one only.
    low = code(f"or {integers} {code(f'and {integers} {bits}, {whole(code, WORD)}')}, {whole(code, 0x433 << 52)}")
    high = code(f"or {integers} {code(f'lshr {integers} {bits}, {whole(code, 32)}')}, {whole(code, 0x453 << 52)}")
    large = code.sub(code.with_bits(high), code.constant(2.0**84 + 2.0**52))
    return code.mul(code.add(large, code.with_bits(low)), code.constant(2.0**-53))


def _mixed(code: KernelCode, x: str, bits: int, steps: tuple) -> str:
    kind = f"<{code.width} x i{bits}>"
    for shift, factor in steps:
        x = code(f"xor {kind} {x}, {code(f'lshr {kind} {x}, {whole(code, shift, bits)}')}")
        if factor is not None:
            x = code(f"mul {kind} {x}, {whole(code, factor, bits)}")
    return x


def _words(code: KernelCode, x: str) -> tuple[str, str]:
    """The low and the high 32 bits of 64-bit integers."""
    kind = f"<{code.width} x i64>"
    upper = code(f"lshr {kind} {x}, {whole(code, 32)}")
    low, high = (code(f"trunc {kind} {y} to <{code.width} x i32>") for y in (x, upper))
    return low, high


def whole(code: KernelCode, n: int, bits: int = 64) -> str:
    """An integer of so many bits in every lane."""
    return f"<{', '.join([f'i{bits} {n}'] * code.width)}>"


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
ELEMENTWISE: dict[str, Formula] = {
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
    "floor":      lambda code, x: code.floor(x),
    "ceil":       lambda code, x: code.ceil(x),
    "round":      lambda code, x: code.nearest(x),
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
