"""The target: the processor at hand and its features; kernels as machine code, compiled once a process by llvmlite."""

import ctypes
import sys
from functools import cache
from types import ModuleType

from scalargrad.compiler.backends.native.code import BITS, function
from scalargrad.compiler.backends.native.functions import FUNCTIONS
from scalargrad.compiler.backends.native.kernels.driver import barrier, driver
from scalargrad.compiler.backends.native.kernels.kernel_code import VECTORS, KernelCode
from scalargrad.ops import OPERATIONS
from scalargrad.support.forks import in_whole, whole

NUMBERS = {"float64": "double", "float32": "float"}
# By LLVM's names: features of x86 processors, each of which has those before it, and what has wider vectors.
FEATURES = ("avx", "fma", "avx512f")
WIDER = {16: "avx", 32: "avx512f"}


class UnavailableError(Exception):
    """There is no native code here, and why."""


@cache
def machine() -> "Machine":
    """The machine of this process. UnavailableError, where llvmlite is missing or does not know the processor."""
    with whole:  # LLVM's own memory and locks, which nobody else can set afresh
        return Machine()


class Machine:
    """The processor at hand, or one that can do less: its code is what such a processor would run.

    vector_bytes  of its vectors: 16, 32 or 64. What is wider than the processor's own is split by LLVM
    fma           False: code does without fused multiply-adds, even if the processor has them
    """

    def __init__(self, vector_bytes: int | None = None, fma: bool = True) -> None:
        try:
            import llvmlite.binding as llvm

            llvm.initialize_native_target()
            llvm.initialize_native_asmprinter()
            features = _features(llvm)
            present = {name for name, there in features.items() if there}
            left_out = ([] if fma else ["fma"]) + ([WIDER[vector_bytes]] if vector_bytes in WIDER else [])
            self.has = present.difference(*(FEATURES[FEATURES.index(name) :] for name in left_out))
            signs = [("+" if name in self.has else "-") + name for name in features]
            # LLVM goes from left to right, and a feature brings those that it needs: what is left out comes last.
            self.target = llvm.Target.from_default_triple().create_target_machine(
                cpu=llvm.get_host_cpu_name() if features else "generic",
                features=",".join(sorted(signs)),
                opt=2,
                jit=True,
            )
            # The pointers of kernels have no type, which an old LLVM does not understand.
            self.engine = llvm.create_mcjit_compiler(llvm.parse_assembly("declare void @any(ptr)"), self.target)
        except Exception as problem:
            raise UnavailableError(" ".join(f"{type(problem).__name__}: {problem}".split())) from problem
        if hasattr(llvm.ffi.lib, "_lock"):
            in_whole(llvm.ffi.lib._lock)  # others use LLVM, too, and finalizers do
        self.llvm = llvm
        architecture = self.target.triple.partition("-")[0]
        self.arm, self.x86 = architecture in ("arm64", "aarch64"), architecture == "x86_64"
        self.fma = fma and (self.arm or "fma" in self.has)
        widest = 64 if "avx512f" in self.has else 32 if "avx" in self.has else 16
        self.vector_bytes = vector_bytes or widest
        self.registers = 32 if self.arm or "avx512f" in self.has else 16
        self.addresses: dict[str, int] = {}

    def width(self, dtype: str) -> int:
        """Numbers in a vector."""
        return self.vector_bytes * 8 // BITS[NUMBERS[dtype]]

    def code(self, dtype: str, vectors: int = VECTORS, width: int | None = None) -> KernelCode:
        """An empty kernel for numbers of this type."""
        return KernelCode(NUMBERS[dtype], width or self.width(dtype), self.fma, vectors=vectors)

    def compiled(self, texts: dict[str, str]) -> dict[str, int]:
        """The addresses of functions, given as text by name; what was compiled before is not compiled again."""
        with whole:
            fresh = {name: text for name, text in texts.items() if name not in self.addresses}
            if fresh:
                self._compile(fresh)
            return {name: self.addresses[name] for name in texts}

    def _compile(self, texts: dict[str, str]) -> None:
        needed: dict[str, str] = {}
        for text in texts.values():
            needed |= self._functions(text)
        declared = set()
        bodies = []
        for text in [*texts.values(), *needed.values()]:
            for line in text.split("\n"):
                if line.startswith("declare"):
                    declared.add(line)
            bodies.append("\n".join(line for line in text.split("\n") if not line.startswith("declare")))
        own = {f"@{name}(" for name in (*texts, *needed)}
        heads = sorted(line for line in declared if not any(name in line for name in own))
        module = self.llvm.parse_assembly("\n".join([*heads, *bodies]))
        module.verify()
        self.engine.add_module(module)
        self.engine.finalize_object()
        for name in (*texts, *needed):
            self.addresses[name] = self.engine.get_function_address(name)

    def _functions(self, text: str) -> dict[str, str]:
        """The functions of vectors that a text calls and that are not there yet."""
        found = {}
        for line in text.split("\n"):
            if line.startswith("declare") and "@vector_" in line:
                name = line.split("@")[1].split("(")[0]
                if name not in self.addresses:
                    operation, number, width = name.removeprefix("vector_").rsplit("_", 2)
                    formula, arguments = FUNCTIONS[operation], OPERATIONS[operation].scalars
                    found[name] = function(name, formula, arguments, number, int(width), self.fma)
        return found

    def run_address(self, dtype: str) -> int:
        """The address of the driver."""
        number = NUMBERS[dtype]
        with whole:
            if f"run_{number}" not in self.addresses:
                text = driver(self.code(dtype)) + barrier(self._pause(), self._give_way())
                for name in ("run", "walk", "barrier", "barrier_kernel"):
                    text = text.replace(f"@{name}(", f"@{name}_{number}(")
                self.compiled({f"run_{number}": text})
                for name in ("walk", "barrier_kernel"):
                    self.addresses[f"{name}_{number}"] = self.engine.get_function_address(f"{name}_{number}")
            return self.addresses[f"run_{number}"]

    def barrier_address(self, dtype: str) -> int:
        """The address of the kernel in which threads wait for each other."""
        self.run_address(dtype)
        return self.addresses[f"barrier_kernel_{NUMBERS[dtype]}"]

    def walk_address(self, dtype: str) -> int:
        """The address of the loop that walks records."""
        self.run_address(dtype)
        return self.addresses[f"walk_{NUMBERS[dtype]}"]

    def _pause(self) -> str:
        return "llvm.x86.sse2.pause()" if self.x86 else ""

    def _give_way(self) -> int:
        try:
            if sys.platform == "win32":
                library, name = ctypes.windll.kernel32, "SwitchToThread"  # type: ignore[attr-defined]
            else:
                library, name = ctypes.CDLL(None), "sched_yield"
            return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
        except (OSError, AttributeError, TypeError):  # the last one from CDLL(None), where it means nothing
            return 0


def _features(llvm: ModuleType) -> dict[str, bool]:
    """The features, and whether the processor has each; none where LLVM cannot find out: code suits any of its kind."""
    try:
        return dict(llvm.get_host_cpu_features())
    except RuntimeError:
        return {}
