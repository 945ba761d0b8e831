"""Code: one function in LLVM's language, written line by line. A number in it is a vector with one element a lane.

LLVM's language names every intermediate result once (`%7 = fadd <4 x double> %5, %6`). A method here writes such a line
and returns the name of its result, so that formulas read as in Python: `code.add(code.mul(a, b), c)`.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

BITS = {"double": 64, "float": 32}


@dataclass
class Code:
    """The body of a function being written.

    number  LLVM's name of the floating-point type: "double" or "float"
    width   how many of them a vector has
    fma     has the processor a fused multiply-add?
    calls   the declarations of the functions that it calls
    """

    number: str
    width: int
    fma: bool = True
    lines: list[str] = field(default_factory=list)
    calls: dict[str, str] = field(default_factory=dict)
    count: int = 0

    @property
    def bits(self) -> int:
        return BITS[self.number]

    @property
    def vector(self) -> str:
        return f"<{self.width} x {self.number}>"

    @property
    def integers(self) -> str:
        """The type of integers of the numbers' size, one a lane."""
        return f"<{self.width} x i{self.bits}>"

    # Lines.

    def __call__(self, text: str) -> str:
        """Write `%name = text`; returns the name."""
        self.count += 1
        self.lines.append(f"  %t{self.count} = {text}")
        return f"%t{self.count}"

    def write(self, text: str) -> None:
        self.lines.append(f"  {text}")

    def label(self, name: str) -> None:
        self.lines.append(f"{name}:")

    def fresh(self, name: str) -> str:
        """A name that was not used yet."""
        self.count += 1
        return f"{name}{self.count}"

    # Constants.

    def constant(self, x: float) -> str:
        """The number in every lane."""
        return f"<{', '.join([f'{self.number} {literal(x, self.number)}'] * self.width)}>"

    def integer(self, n: int) -> str:
        """The integer in every lane."""
        n &= (1 << self.bits) - 1
        return f"<{', '.join([f'i{self.bits} {n}'] * self.width)}>"

    # Arithmetic, lane by lane.

    def add(self, x: str, y: str) -> str:
        return self(f"fadd {self.vector} {x}, {y}")

    def sub(self, x: str, y: str) -> str:
        return self(f"fsub {self.vector} {x}, {y}")

    def mul(self, x: str, y: str) -> str:
        return self(f"fmul {self.vector} {x}, {y}")

    def div(self, x: str, y: str) -> str:
        return self(f"fdiv {self.vector} {x}, {y}")

    def neg(self, x: str) -> str:
        return self(f"fneg {self.vector} {x}")

    def multiply_add(self, x: str, y: str, z: str) -> str:
        """x * y + z, rounded once where the processor can."""
        return self.intrinsic("fma", x, y, z) if self.fma else self.add(self.mul(x, y), z)

    def sqrt(self, x: str) -> str:
        return self.intrinsic("sqrt", x)

    def abs(self, x: str) -> str:
        return self.intrinsic("fabs", x)

    def copysign(self, size: str, sign: str) -> str:
        return self.intrinsic("copysign", size, sign)

    def floor(self, x: str) -> str:
        return self.intrinsic("floor", x)

    def ceil(self, x: str) -> str:
        return self.intrinsic("ceil", x)

    def nearest(self, x: str) -> str:
        """The nearest whole number, the even one at a tie."""
        return self.intrinsic("nearbyint", x)

    def intrinsic(self, name: str, *args: str) -> str:
        function = f"llvm.{name}.v{self.width}f{self.bits}"
        return self.call(function, *args)

    def call(self, function: str, *args: str) -> str:
        """A function of vectors that gives a vector."""
        self.calls[function] = f"declare {self.vector} @{function}({', '.join([self.vector] * len(args))})"
        return self(f"call {self.vector} @{function}({', '.join(f'{self.vector} {x}' for x in args)})")

    def polynomial(self, x: str, coefficients: list[float]) -> str:
        """c[0] + c[1] x + c[2] x**2 + ..., by Horner's rule."""
        result = self.constant(coefficients[-1])
        for c in reversed(coefficients[:-1]):
            result = self.multiply_add(result, x, self.constant(c))
        return result

    # Comparisons give a mask, one bit a lane. The "o" in a predicate means false for nan, the "u" true.

    def compare(self, predicate: str, x: str, y: str) -> str:
        return self(f"fcmp {predicate} {self.vector} {x}, {y}")

    def select(self, mask: str, x: str, y: str) -> str:
        """x in the lanes where the mask is set, else y."""
        return self(f"select <{self.width} x i1> {mask}, {self.vector} {x}, {self.vector} {y}")

    def mask(self, operation: str, x: str, y: str) -> str:
        """Masks combined: "and", "or" or "xor"."""
        return self(f"{operation} <{self.width} x i1> {x}, {y}")

    def invert(self, mask: str) -> str:
        return self.mask("xor", mask, f"<{', '.join(['i1 true'] * self.width)}>")

    def truth(self, mask: str) -> str:
        """1.0 where the mask is set, else 0.0."""
        return self(f"uitofp <{self.width} x i1> {mask} to {self.vector}")

    # Integers of the numbers' size.

    def on_integers(self, operation: str, x: str, y: str) -> str:
        """ "add", "sub", "mul", "and", "or", "xor", "shl", "lshr" or "ashr"."""
        return self(f"{operation} {self.integers} {x}, {y}")

    def compare_integers(self, predicate: str, x: str, y: str) -> str:
        """ "eq", "ne", "slt", "sgt", "ult", "ugt", ..."""
        return self(f"icmp {predicate} {self.integers} {x}, {y}")

    def bits_of(self, x: str) -> str:
        """The bits of the numbers, as integers."""
        return self(f"bitcast {self.vector} {x} to {self.integers}")

    def with_bits(self, n: str) -> str:
        """The numbers that have these bits."""
        return self(f"bitcast {self.integers} {n} to {self.vector}")

    def converted(self, n: str) -> str:
        """Integers to numbers."""
        return self(f"sitofp {self.integers} {n} to {self.vector}")


def literal(x: float, number: str) -> str:
    """A number as LLVM writes it: the bits of the double; of a float those of the double that equals it."""
    if number == "float":
        x = rounded(x)
    return f"0x{struct.unpack('<Q', struct.pack('<d', x))[0]:016X}"


def rounded(x: float) -> float:
    """The nearest number of single precision."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", x))[0])
    except OverflowError:
        return x * float("inf")


Formula = Callable[..., str]  # (code, names of the arguments) -> name of the result


def function(name: str, formula: Formula, arguments: int, number: str, width: int, fma: bool) -> str:
    """A whole function of vectors, as text: `name` computes `formula`, and so do the functions that it calls."""
    code = Code(number, width, fma)
    names = [f"%x{i}" for i in range(arguments)]
    result = formula(code, *names)
    head = f"define {code.vector} @{name}({', '.join(f'{code.vector} {x}' for x in names)}) {{"
    body = [head, *code.lines, f"  ret {code.vector} {result}", "}"]
    return "\n".join([*code.calls.values(), *body])
