"""KernelCode: what all kernels share. A kernel is a function of a record of the program's table and of a context.

The record is a row of 64-bit integers: the kernel's address, the length of the record, and the fields that the kernel
asks for, in that order. The context is another such row, one for each thread: where the memory is, which lanes.

Lanes come in panels of VECTORS vectors. In a panel the rows follow each other: row r is at r * row_bytes.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from scalargrad.compiler.backends.native.code import Code

VECTORS = 2  # of lanes in a row of a panel
CACHE_LINE = 64  # bytes
HEADER = 2  # integers of a record before its fields: address and length
Integer = str | int  # the name of a 64-bit integer, or a constant

# What each integer of a context is. Addresses are of bytes.
CONTEXT = (
    "lanes",  # memory of the lane rows of the first panel
    "uniform",  # memory of the uniform rows
    "tables",  # of 32-bit row numbers
    "partial",  # where this share of the batch adds up its sums over lanes
    "scratch",  # memory of this thread: for packed rows, and accumulators between two blocks
    "panels",  # how many there are in this block
    "panel_bytes",
    "valid",  # lanes of this block that are samples; the others repeat the last one
    "fresh",  # 1 in the first block of a share: its sums start here
    "position",  # of the block's first lane in the batch
    "order",  # of the batch: 64-bit numbers of rows of the data, one for each position
    "ahead",  # positions in the order to the next batch; 0 if there is none
    "last_position",  # of the order
    "thread",
    "threads",
    "shares",
    "share_bytes",  # from one partial to the next
    "failed",  # where an operation on a wrong argument leaves a 1
    "barrier",  # where threads count who has arrived
    "result",  # where results go, [rows, numbers of one result]
    "inputs",  # addresses of the arrays, [rows, numbers of one sample] each
)


@dataclass
class KernelCode(Code):
    """`vectors` registers hold a row of a panel; for uniform rows it is one."""

    vectors: int = VECTORS
    entry: list[str] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)  # what a record must hold, in order
    known: dict[str, str] = field(default_factory=dict)
    block: str = "start"

    @property
    def size(self) -> int:
        """Bytes of a number."""
        return self.bits // 8

    @property
    def row_bytes(self) -> int:
        return self.vectors * self.width * self.size

    # The record and the context.

    def field(self, name: str) -> str:
        """The next integer of the record."""
        self.fields.append(name)
        return self._entry_load("%record", HEADER + len(self.fields) - 1)

    def context(self, name: str, kind: str = "i64") -> str:
        key = f"{name} {kind}"
        if key not in self.known:
            self.known[key] = self._entry_load("%context", CONTEXT.index(name), kind)
        return self.known[key]

    def _entry_load(self, base: str, place: int, kind: str = "i64") -> str:
        self.count += 2
        address, result = f"%t{self.count - 1}", f"%t{self.count}"
        self.entry.append(f"  {address} = getelementptr i64, ptr {base}, i64 {place}")
        self.entry.append(f"  {result} = load {kind}, ptr {address}, align 8")
        return result

    def text(self, name: str) -> str:
        """The whole function."""
        head = f"define void @{name}(ptr noalias %record, ptr noalias %context) {{"
        return "\n".join(
            [*self.calls.values(), head, *self.entry, "  br label %start", "start:", *self.lines, "  ret void", "}"]
        )

    # Integers and addresses.

    def integer_add(self, x: Integer, y: Integer) -> str:
        return self(f"add i64 {x}, {y}")

    def integer_sub(self, x: Integer, y: Integer) -> str:
        return self(f"sub i64 {x}, {y}")

    def integer_mul(self, x: Integer, y: Integer) -> str:
        return self(f"mul i64 {x}, {y}")

    def integer_min(self, x: Integer, y: Integer) -> str:
        less = self(f"icmp slt i64 {x}, {y}")
        return self(f"select i1 {less}, i64 {x}, i64 {y}")

    def at(self, base: str, offset: Integer) -> str:
        """The address so many bytes on."""
        return self(f"getelementptr i8, ptr {base}, i64 {offset}")

    def table_entry(self, table: str, index: str) -> str:
        """A 32-bit row number of a table that starts at entry `table`."""
        address = self(f"getelementptr i32, ptr {self.context('tables', 'ptr')}, i64 {self.integer_add(table, index)}")
        return self(f"sext i32 {self(f'load i32, ptr {address}, align 4')} to i64")

    # Memory.

    def load(self, address: str, index: int = 0) -> str:
        """Vector number `index` from there on."""
        address = self.at(address, index * self.width * self.size) if index else address
        return self(f"load {self.vector}, ptr {address}, align {self.size}")

    def store(self, x: str, address: str, index: int = 0) -> None:
        address = self.at(address, index * self.width * self.size) if index else address
        self.write(f"store {self.vector} {x}, ptr {address}, align {self.size}")

    def store_all(self, vectors: list[str], address: str) -> None:
        """One vector after another from there on."""
        for index, x in enumerate(vectors):
            self.store(x, address, index)

    def load_number(self, address: str) -> str:
        return self(f"load {self.number}, ptr {address}, align {self.size}")

    def store_number(self, x: str, address: str) -> None:
        self.write(f"store {self.number} {x}, ptr {address}, align {self.size}")

    def splat(self, x: str) -> str:
        """One number in every lane."""
        one = self(f"insertelement {self.vector} poison, {self.number} {x}, i32 0")
        return self(f"shufflevector {self.vector} {one}, {self.vector} poison, {self._indices([0] * self.width)}")

    def element(self, x: str, place: Integer) -> str:
        return self(f"extractelement {self.vector} {x}, i64 {place}")

    def _indices(self, places: list[int]) -> str:
        return f"<{len(places)} x i32> <{', '.join(f'i32 {p}' for p in places)}>"

    def shuffle(self, x: str, y: str, places: list[int], width: int | None = None) -> str:
        """Elements of x (0, 1, ...) and y (counted on) of vectors `width` long."""
        kind = f"<{width or self.width} x {self.number}>"
        return self(f"shufflevector {kind} {x}, {kind} {y}, {self._indices(places)}")

    # Control.

    def loop(
        self,
        count: Integer,
        body: Callable[..., list[str] | None],
        carried: list[tuple[str, str]] = [],  # noqa: B006 (never changed)
        first: Integer = 0,
        step: Integer = 1,
    ) -> list[str]:
        """Run body(index, *names) for index = first, first + step, ... below count.

        carried  (type, initial name) of what each turn hands to the next: the body returns the new names
        """
        index, again, done, before = "%" + self.fresh("i"), self.fresh("loop"), self.fresh("done"), self.block
        names = ["%" + self.fresh("c") for _ in carried]
        enter = self(f"icmp slt i64 {first}, {count}")
        self.write(f"br i1 {enter}, label %{again}, label %{done}")
        self.start_block(again)
        place = len(self.lines)
        results = body(index, *names) or []
        following = self(f"add i64 {index}, {step}")
        more = self(f"icmp slt i64 {following}, {count}")
        self.write(f"br i1 {more}, label %{again}, label %{done}")
        head = [f"  {index} = phi i64 [ {first}, %{before} ], [ {following}, %{self.block} ]"]
        for name, (kind, initial), result in zip(names, carried, results, strict=True):
            head.append(f"  {name} = phi {kind} [ {initial}, %{before} ], [ {result}, %{self.block} ]")
        self.lines[place:place] = head
        last = self.block
        self.start_block(done)
        ends = []
        for (kind, initial), result in zip(carried, results, strict=True):
            ends.append(self(f"phi {kind} [ {initial}, %{before} ], [ {result}, %{last} ]"))
        return ends

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        """A block that runs if the condition, of type i1, holds."""
        inside, after = self.fresh("then"), self.fresh("after")
        self.write(f"br i1 {condition}, label %{inside}, label %{after}")
        self.start_block(inside)
        yield
        self.write(f"br label %{after}")
        self.start_block(after)

    def start_block(self, name: str) -> None:
        self.label(name)
        self.block = name

    # Lanes.

    def over_panels(self, body: Callable[[str], None]) -> None:
        """Run body(address of the panel's lane rows) for each panel of the block."""
        self.loop(self.context("panels"), lambda panel: body(self.panel(panel)))

    def panel(self, number: str) -> str:
        """The address of the lane rows of a panel of the block."""
        return self.at(self.context("lanes", "ptr"), self.integer_mul(number, self.context("panel_bytes")))

    def masks(self, panel: str) -> list[str]:
        """Masks of the lanes that are samples, for each vector of a panel."""
        left = self.integer_sub(self.context("valid"), self.integer_mul(panel, self.vectors * self.width))
        kind = f"<{self.width} x i64>"
        one = self(f"insertelement {kind} poison, i64 {left}, i32 0")
        limit = self(f"shufflevector {kind} {one}, {kind} poison, {self._indices([0] * self.width)}")
        lanes = [f"<{', '.join(f'i64 {v * self.width + i}' for i in range(self.width))}>" for v in range(self.vectors)]
        return [self(f"icmp slt {kind} {numbers}, {limit}") for numbers in lanes]

    def total(self, x: str) -> str:
        """The sum of the elements of a vector, halves first."""
        width = self.width
        while width > 1:
            half = width // 2
            low = self.shuffle(x, x, list(range(half)), width)
            high = self.shuffle(x, x, list(range(half, width)), width)
            x = self(f"fadd <{half} x {self.number}> {low}, {high}")
            width = half
        return self(f"extractelement <1 x {self.number}> {x}, i32 0")

    def transposed(self, rows: list[str]) -> list[str]:
        """A square of numbers transposed: pairs of rows trade halves, then quarters, and so on."""
        width, half = self.width, self.width // 2
        while half:
            fresh = list(rows)
            for i in range(width):
                if i & half:
                    continue
                x, y = rows[i], rows[i + half]
                low = [p if not p & half else p - half + width for p in range(width)]
                high = [p + half if not p & half else p + width for p in range(width)]
                fresh[i], fresh[i + half] = self.shuffle(x, y, low), self.shuffle(x, y, high)
            rows, half = fresh, half // 2
        return rows

    def fail_where(self, mask: str) -> None:
        """Report a wrong argument, if the mask is set in any lane."""
        bits = self(f"bitcast <{self.width} x i1> {mask} to i{self.width}")
        with self.when(self(f"icmp ne i{self.width} {bits}, 0")):
            self.write(f"store atomic i64 1, ptr {self.context('failed', 'ptr')} monotonic, align 8")
