"""lower: a planned program becomes a table of records, each a kernel's address with its offsets and counts."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import pairwise
from typing import Any

from scalargrad.compiler.backends.native.kernels import maps, packing, products, sums
from scalargrad.compiler.backends.native.kernels.kernel_code import VECTORS, KernelCode
from scalargrad.compiler.backends.native.kernels.maps import (
    HEAD_RESULT,
    NUMBER,
    NUMBER_ONCE,
    NUMBER_TABLE,
    NUMBERS,
    ROW,
    ROW_ONCE,
    ROW_TABLE,
    WHOLE,
)
from scalargrad.compiler.backends.native.planning.accumulation import with_sums_in_products
from scalargrad.compiler.backends.native.planning.fusion import Group, Grouping
from scalargrad.compiler.backends.native.planning.memory import Layout, layout, line, plane
from scalargrad.compiler.backends.native.planning.schedule import Task, tasks_of
from scalargrad.compiler.backends.native.running.target import Machine
from scalargrad.compiler.program import LANE, UNIFORM, Program, Table

MOST_KERNELS = 80  # before groups are given up, as they multiply the kernels of an irregular graph
MEET = "meet"  # the kernel in which threads wait for each other
UNLUCKY = 2048  # bytes: rows a multiple of this apart share lines of the first cache
LONGEST = 16_384  # bytes of a column that stays in the first cache while all weights meet it
FEWEST_ROWS = 3  # of an outer product that is worth turning its inputs around
SHARED = 4096  # uniform rows, from which on the threads do them together
ALL = slice(0, None)  # rows of a group


@dataclass
class Record:
    """A row of the table before it has addresses."""

    kernel: str
    fields: list[int]
    group: Group | None = None  # for reports
    shared: bool = False  # all threads do it together


@dataclass
class NativeProgram:
    """The table: for each stage the records of uniform rows, of lanes, and of sums; what the memory must hold."""

    program: Program
    layout: Layout
    stages: list[tuple[list[Record], list[Record], list[Record]]]
    tables: Any  # 32-bit row numbers
    addresses: dict[str, int]
    row_bytes: int
    crosses_stages: bool  # lane rows live on from one stage to the next
    kernels: dict[str, str]
    aside: int  # rows of lanes that a kernel puts aside

    @property
    def panel_bytes(self) -> int:
        return self.layout.lane_places * self.row_bytes


def lower(program: Program, machine: Machine, dtype: str) -> NativeProgram:
    """Compiles what kernels it needs."""
    tasks = with_sums_in_products(program, tasks_of(program))
    lowered = _Lowering(program, tasks, machine, dtype, fuse=True)
    if len(lowered.texts) > MOST_KERNELS:
        lowered = _Lowering(program, tasks, machine, dtype, fuse=False)
    return lowered.result()


class _Lowering:
    def __init__(self, program: Program, tasks: list[Task], machine: Machine, dtype: str, fuse: bool) -> None:
        import numpy

        self.numpy, self.program, self.machine, self.dtype, self.tasks = numpy, program, machine, dtype, tasks
        self.grouping = Grouping(program, tasks, fuse)
        self.layout = layout(program, self.grouping)
        self.size = 8 if dtype == "float64" else 4
        self.row_bytes = VECTORS * machine.width(dtype) * self.size
        self.entries: list[Any] = []
        self.entry_count = 0
        self.aside = 0
        self.entry_places: dict[bytes, int] = {}
        self.texts: dict[str, str] = {}
        self.names: dict[Any, str] = {}
        self.lane_stages, self.crosses_stages = self._stages_of_lanes()
        last = max((task.stage for task in tasks), default=0)
        self.stages: list[tuple[list[Record], list[Record], list[Record]]] = [([], [], []) for _ in range(last + 1)]
        self._imports()
        for group in self.grouping.groups:
            self._group(group)
        self._sums_and_exports()

    def result(self) -> NativeProgram:
        addresses = self.machine.compiled(self.texts) | {MEET: self.machine.meet_address(self.dtype)}
        tables = self.numpy.concatenate([self.numpy.zeros(1, "int32"), *self.entries]).astype("int32")
        return NativeProgram(
            self.program,
            self.layout,
            self.stages,
            tables,
            addresses,
            self.row_bytes,
            self.crosses_stages,
            self.texts,
            self.aside,
        )

    def _stages_of_lanes(self) -> Any:
        """The stage of each lane row, and whether one is read in a later stage."""
        stages = self.numpy.zeros(self.program.lane_rows, int)
        crosses = False
        for task in self.tasks:
            for column in task.columns:
                crosses = crosses or (column.bank == LANE and bool((stages[column.rows] < task.stage).any()))
            if task.bank == LANE:
                stages[task.rows] = task.stage
        return stages, crosses

    # Kernels and tables by what they hold.

    def _kernel(self, key: tuple, write: Callable[[KernelCode], Any], uniform: bool = False, width: int = 0) -> str:
        if key not in self.names:
            code = self.machine.code(self.dtype, 1 if uniform else VECTORS, width or None)
            write(code)
            text = code.text("KERNEL")
            name = f"kernel_{sha256(text.encode()).hexdigest()[:20]}"
            self.names[key] = name
            self.texts[name] = text.replace("@KERNEL(", f"@{name}(")
        return self.names[key]

    def _table(self, places: Any) -> int:
        """Where the table with these entries starts."""
        flat = self.numpy.ascontiguousarray(places, dtype="int32").ravel()
        key = flat.tobytes()
        if key not in self.entry_places:
            self.entry_places[key] = 1 + self.entry_count
            self.entries.append(flat)
            self.entry_count += len(flat)
        return self.entry_places[key]

    def _places(self, table: Table) -> Any:
        return (self.layout.lanes if table.bank == LANE else self.layout.uniform)[table.rows]

    def _bytes(self, bank: str) -> int:
        return self.row_bytes if bank == LANE else self.size

    def _add(self, stage: int, part: int, kernel: str, fields: list[int], group: Group | None = None) -> None:
        self.stages[stage][part].append(Record(kernel, [int(x) for x in fields], group))

    # Groups.

    def _group(self, group: Group) -> None:
        head = group.head
        if head.kind == "map":
            self._map(group)
        elif head.kind == "contract":
            self._contraction(group)
        elif head.kind == "fold":
            self._fold(group)
        elif head.kind == "outer":
            self._outer(group)
        else:
            self._lane_sum(group)

    def _body(self, group: Group, uniform: bool) -> tuple[maps.Body, list[tuple[Table, int | None]]]:
        """The body of a group without the kinds of its operands, and the operands: each once."""
        numpy = self.numpy
        operands: list[tuple[Table, int | None]] = []
        steps: list[maps.Step] = []
        number_of: dict[int, int] = {}
        found: dict[Any, int] = {}
        tasks = group.tasks if group.head.kind == "map" else group.tasks[1:]
        if tasks is not group.tasks:
            number_of[id(group.head)] = HEAD_RESULT
        made = [group.head] if tasks is not group.tasks else []
        for task in tasks:
            args = []
            for column, whole in zip(task.columns, task.whole or (None,) * len(task.columns), strict=True):
                inside = [t for t in made if t.bank == column.bank and not t.is_update]
                writer = next((t for t in inside if numpy.array_equal(t.rows, column.rows)), None)
                if writer is not None:
                    args.append(("step", number_of[id(writer)]))
                    continue
                key = whole if whole is not None else (column.bank, column.rows.tobytes())
                if key not in found:
                    found[key] = len(operands)
                    operands.append((column, whole))
                args.append(("in", found[key]))
            number_of[id(task)] = len(steps)
            made.append(task)
            steps.append(maps.Step(task.op, tuple(args)))
        stores = tuple(number_of[id(task)] for task in group.stored)
        return maps.Body((), tuple(steps), stores), operands

    def _operand(self, column: Table, whole: int | None, vector: bool, counter: bool) -> tuple[str, list[int]]:
        """The kind of an operand and its fields.

        vector    uniform rows are what the vector runs over
        counter   it is one of random(): worth telling apart if it is the same for all rows
        """
        if whole is not None:
            return WHOLE, [whole]
        places, unit = self._places(column), self._bytes(column.bank)
        start, step = line(places)
        if step is None:
            assert not vector
            return (ROW_TABLE if column.bank == LANE else NUMBER_TABLE), [self._table(places)]
        if vector and step == 1:
            return NUMBERS, [start * unit]
        if counter and step == 0:
            return (ROW_ONCE if column.bank == LANE else NUMBER_ONCE), [start * unit]
        return (ROW if column.bank == LANE else NUMBER), [start * unit, step * unit]

    def _filled(
        self, body: maps.Body, operands: list, group: Group, vector: bool, piece: slice = ALL
    ) -> tuple[maps.Body, list[int]]:
        """The body with the kinds of its operands, and their fields, for all rows or a piece of them."""
        kinds, fields = [], []
        counters = {n for step in body.steps if step.op == "random" for kind, n in step.args if kind == "in"}
        for number, (column, whole) in enumerate(operands):
            cut = Table(column.bank, column.rows[piece])
            kind, more = self._operand(cut, whole, vector, number in counters)
            kinds.append(kind)
            fields += more
        for task in group.stored:
            start, step = line(self._places(Table(task.bank, task.rows)))
            assert step == 1 or task.count == 1, "results follow each other"
            fields.append((start + piece.start) * self._bytes(task.bank))
        return maps.Body(tuple(kinds), body.steps, body.stores), fields

    def _map(self, group: Group) -> None:
        head = group.head
        body, operands = self._body(group, head.bank == UNIFORM)
        if group.sums:
            self._lane_sum(group)
            return
        if head.bank == LANE:
            for rows in self._keys(body, operands, head.count):
                filled, fields = self._filled(body, operands, group, False, rows)
                name = self._kernel(("map", filled), partial(maps.map_kernel, body=filled))
                self._add(head.stage, 1, name, [rows.stop - rows.start, *fields], group)
            return
        if len(group.tasks) == 1 and head.op == "copy" and head.is_update and self._in_place(head):
            return
        for piece in self._pieces(group, operands):
            self._uniform(piece, head.stage, group)

    def _in_place(self, task: Task) -> bool:
        return self.numpy.array_equal(task.columns[0].rows, task.rows)

    def _uniform(self, piece: slice | None, stage: int, group: Group) -> None:
        """Rows of a group: a slice in which all operands are stretches, or, for None, all rows one by one."""
        body, operands = self._body(group, True)
        count = group.head.count if piece is None else piece.stop - piece.start
        vector = piece is not None
        body, fields = self._filled(body, operands, group, vector, piece or ALL)
        write = maps.uniform_kernel if vector else maps.uniform_rows_kernel
        name = self._kernel(
            ("uniform", vector, body), lambda code: write(code, body), uniform=True, width=0 if vector else 1
        )
        shared = count >= SHARED
        self._add_uniform(stage, name, [count, shared, *fields], group, shared)

    def _add_uniform(
        self, stage: int, kernel: str, fields: list[int], group: Group | None, shared: bool = False
    ) -> None:
        records = self.stages[stage][0]
        if records and (shared or records[-1].shared):  # what one thread wrote, others will read
            records.append(Record(MEET, []))
        records.append(Record(kernel, [int(x) for x in fields], group, shared))

    def _pieces(self, group: Group, operands: list) -> list[slice | None]:
        """The rows cut where an operand jumps, if there are few jumps; else [None]."""
        numpy, count = self.numpy, group.head.count
        if count < self.machine.width(self.dtype):
            return [None]
        columns = [self._places(column) for column, whole in operands if whole is None]
        jumps = numpy.zeros(count - 1, bool)
        for places in columns:
            steps = numpy.diff(places)
            jumps |= (steps != 1) & (steps != 0)
            jumps[1:] |= steps[1:] != steps[:-1]
        pieces = self._cut(jumps)
        if pieces is None:
            return [None]
        plain = all(line(places[piece])[1] in (0, 1) for piece in pieces for places in columns)
        return list(pieces) if plain else [None]

    def _keys(self, body: maps.Body, operands: list, count: int) -> list[slice]:
        """The rows cut where random() gets another key, so that it is mixed once for each piece of them."""
        made = [n for step in body.steps if step.op == "random" for kind, n in step.args[:-1] if kind == "in"]
        jumps = self.numpy.zeros(count - 1, bool)
        for column, whole in (operands[n] for n in made):
            if whole is None:
                jumps |= self.numpy.diff(self._places(column)) != 0
        return self._cut(jumps) or [slice(0, count)]

    def _cut(self, jumps: Any) -> list[slice] | None:
        """Pieces of rows that end where a jump to the next one is; None, if there are too many to be worth it."""
        count = len(jumps) + 1
        edges = [0, *(self.numpy.flatnonzero(jumps) + 1).tolist(), count]
        return [slice(a, b) for a, b in pairwise(edges)] if len(edges) <= 2 + count // 32 else None

    def _matrix(self, table: Table) -> tuple[str, list[int]]:
        """Kind and (start, step, stride) of the operands [i, k]: bytes, or places in a table."""
        places, unit = self._places(table), self._bytes(table.bank)
        start, step, stride = plane(places)
        if step is not None:
            return (ROW if table.bank == LANE else NUMBER), [start * unit, step * unit, stride * unit]
        kind = ROW_TABLE if table.bank == LANE else NUMBER_TABLE
        return kind, [self._table(places), places.shape[1], 1]

    def _contraction(self, group: Group) -> None:
        head = group.head
        weights, inputs = head.columns
        rows, terms = weights.rows.shape
        uniform = head.bank == UNIFORM
        (left, left_fields), (right, right_fields) = self._matrix(weights), self._matrix(inputs)
        if uniform and len(group.tasks) == 1 and self._long_dot(group, weights, inputs):
            return
        body, operands = self._body(group, uniform)
        body, fields = self._filled(body, operands, group, False)
        most, single = 1 if uniform else self._most_rows(left), len(inputs.rows) == 1
        # Only where several tiles read a column again it matters where its rows are, and how many.
        again = not uniform and not single and rows > most
        unlucky = right == ROW and right_fields[2] % UNLUCKY == 0
        aside = again and terms > 4 and (unlucky or right == ROW_TABLE)
        part = LONGEST // self.row_bytes if again and terms * self.row_bytes > LONGEST else 0
        totals, targets = self._totals(group, group.sums)
        self.aside = max(self.aside, (part or terms) * aside + rows * bool(part) + rows * len(totals.steps))
        adds = [] if head.adds_to is None else [self._table(head.adds_to), head.count]
        first = 0
        for height, tiles in heights(rows, most):
            name = self._kernel(
                ("contract", bool(adds), height, left, right, body, uniform, single, aside, part, totals),
                partial(
                    products.contraction_kernel,
                    height=height,
                    weights=left,
                    inputs=right,
                    body=body,
                    uniform=uniform,
                    single=single,
                    aside=aside,
                    part=part,
                    sums=totals,
                    adds=bool(adds),
                ),
                uniform=uniform,
                width=int(uniform),
            )
            record = [tiles, first, len(inputs.rows), terms, *left_fields, *right_fields, *targets, *adds, *fields]
            adds[1:] = [0] * len(adds[1:])  # places are cleared once
            if uniform:
                self._add_uniform(head.stage, name, record, group)
            else:
                self._add(head.stage, 1, name, record, group)
            first += height * tiles

    def _most_rows(self, weights: str) -> int:
        """Rows of weights whose sums stay in registers."""
        few = 6 if self.machine.registers == 16 else 12
        return few if weights in (NUMBER, NUMBER_TABLE) else few // 2

    def _long_dot(self, group: Group, *tables: Table) -> bool:
        """A single dot or sum of long stretches of uniform rows has a kernel of its own."""
        starts = []
        for table in tables:
            start, step = line(self._places(Table(table.bank, table.rows.ravel())))
            if len(table.rows) != 1 or step != 1 or table.rows.size < 4 * self.machine.width(self.dtype):
                return False
            starts.append(start * self.size)
        product = len(tables) == 2
        name = self._kernel(("long dot", product), lambda code: products.long_dot_kernel(code, product), uniform=True)
        head = group.head
        target = int(self.layout.uniform[head.rows[0]]) * self.size
        self._add_uniform(head.stage, name, [tables[0].rows.size, target, *starts], group)
        return True

    def _fold(self, group: Group) -> None:
        head, uniform = group.head, group.head.bank == UNIFORM
        if uniform and len(group.tasks) == 1 and head.op in ("dot", "sum") and self._long_dot(group, *head.columns):
            return
        tables = [t if t.rows.ndim == 2 else Table(t.bank, t.rows[:, None]) for t in head.columns]
        matrices = []
        for place, table in enumerate(tables):
            kind, fields = self._matrix(table)
            if head.op == "take" and place == 1 and kind in (ROW, NUMBER):  # gathered through a table
                places = self._places(table)
                kind = ROW_TABLE if table.bank == LANE else NUMBER_TABLE
                fields = [self._table(places), places.shape[1], 1]
            matrices.append((kind, fields))
        body, operands = self._body(group, uniform)
        body, fields = self._filled(body, operands, group, False)
        kinds = tuple(kind for kind, _ in matrices)
        name = self._kernel(
            ("fold", head.op, kinds, body, uniform),
            lambda code: maps.fold_kernel(code, head.op, kinds, body, uniform),
            uniform=uniform,
            width=int(uniform),
        )
        record = [head.count, tables[-1].rows.shape[1], *(x for _, more in matrices for x in more), *fields]
        if uniform:
            self._add_uniform(head.stage, name, record, group)
        else:
            self._add(head.stage, 1, name, record, group)

    # Sums over lanes.

    def _partial(self, rows: Any) -> Any:
        """Places in the partial sums."""
        return self.layout.uniform[rows] - self.layout.sums

    def _lane_sum(self, group: Group) -> None:
        """Sums over lanes of rows as they are, or of what a group of maps computes for each row."""
        head, sums_of = group.head, group.sums or [group.head]
        if group.sums:
            body, operands = self._body(group, False)
        else:
            body = maps.Body((), (maps.Step("copy", (("in", 0),)),), ())
            operands = [(Table(LANE, head.columns[0].rows.ravel()), None)]
        body, fields = self._filled(body, operands, group, False)
        totals, targets = self._totals(group, sums_of)
        name = self._kernel(("lane_sum", body, totals), partial(sums.lane_sum_kernel, body=body, sums=totals))
        self._add(head.stage, 1, name, [*sums_of[0].columns[0].rows.shape, *targets, *fields], group)

    def _totals(self, group: Group, tasks: list[Task]) -> tuple[sums.Sums, list[int]]:
        """Which steps of a group are summed over lanes, and the fields that say where the sums go."""
        targets, tables = [], []
        for task in tasks:
            places = self._partial(task.rows)
            start, step = line(places)
            tables.append(step is None)
            targets += [self._table(places), 1] if step is None else [start * self.size, step * self.size]
        steps = tuple(self._step_of(group, task) if group.sums else 0 for task in tasks)
        return sums.Sums(steps, tuple(tables)), targets

    def _step_of(self, group: Group, task: Task) -> int:
        """The number of the step whose results a lane_sum adds up."""
        wanted = task.columns[0].rows.ravel()
        place = next(n for n, t in enumerate(group.tasks) if self.numpy.array_equal(t.rows, wanted))
        return place if group.head.kind == "map" else place - 1 if place else HEAD_RESULT

    def _outer(self, group: Group) -> None:
        head = group.head
        upstream, inputs = head.columns
        rows, terms = len(upstream.rows), inputs.rows.shape[1]
        start, step, stride = plane(self._partial(head.rows).reshape(rows, terms))
        assert step is not None, "gradients of a product lie evenly"
        target = [start * self.size, step * self.size, stride * self.size]
        single, first = len(inputs.rows) == 1, 0
        if single and stride == 1 and rows >= FEWEST_ROWS:  # vectors along the terms, as many as fill them
            width = self.machine.width(self.dtype)
            for vectors in (2, 1):
                tiles = (terms - first) // (vectors * width)
                if tiles:
                    self._dense_outer(group, vectors, first, tiles, target[:2])
                    first += tiles * vectors * width
        (left, left_fields), (right, right_fields) = self._matrix(upstream), self._matrix(inputs)
        # Their sums, the upstream rows and an input must fit into the registers: one spilled sum costs half the speed.
        many, wide = (3, 3) if self.machine.registers == 16 else (6, 4)
        first_row = 0
        for height, row_tiles in heights(rows, many):
            first_term = first
            for width, term_tiles in heights(terms - first, wide) if terms > first else ():
                name = self._kernel(
                    ("outer", height, width, left, right, stride == 1, single),
                    partial(
                        sums.outer_kernel,
                        height=height,
                        width=width,
                        upstream=left,
                        inputs=right,
                        adjacent=stride == 1,
                        single=single,
                    ),
                )
                if not single:  # their sums wait there
                    self.aside = max(self.aside, -(-term_tiles * height * width // VECTORS))
                record = [row_tiles, term_tiles, inputs.rows.shape[0], first_row, first_term]
                self._add(head.stage, 1, name, [*record, *left_fields, *right_fields, *target], group)
                first_term += width * term_tiles
            first_row += height * row_tiles

    def _dense_outer(self, group: Group, vectors: int, first: int, tiles: int, target: list[int]) -> None:
        upstream, inputs = group.head.columns
        (left, left_fields), (right, right_fields) = self._matrix(upstream), self._matrix(inputs)
        first_row = 0
        for height, row_tiles in heights(len(upstream.rows), self._most_rows(NUMBER)):
            name = self._kernel(
                ("dense outer", height, vectors, left, right),
                partial(sums.dense_outer_kernel, height=height, vectors=vectors, upstream=left, inputs=right),
            )
            record = [row_tiles, first_row, tiles, first]
            self._add(group.head.stage, 1, name, [*record, *left_fields, *right_fields, *target], group)
            first_row += height * row_tiles

    # The ends.

    def _imports(self) -> None:
        name, first = "", 0
        for array, numbers in enumerate(self.program.inputs):
            if numbers:
                name = name or self._kernel(("import",), packing.import_kernel)
                place = int(self.layout.lanes[first])
                self._add(0, 1, name, [array, numbers, place])
            first += numbers

    def _sums_and_exports(self) -> None:
        for stage, (begin, count) in enumerate(self.layout.sum_ranges):
            if count:
                name = self._kernel(("reduce",), sums.reduce_kernel, uniform=True)
                target = (self.layout.sums + begin) * self.size
                self._add(stage, 2, name, [count, int(count >= SHARED), begin * self.size, target])
        result = self.program.result
        if self.program.mean is None and result is not None and result.bank == LANE and result.rows.size:
            name = self._kernel(("export",), packing.export_kernel)
            stages = self.lane_stages[result.rows]
            self.crosses_stages = self.crosses_stages or bool((stages < stages.max()).any())
            self._add(int(stages.max()), 1, name, [result.rows.size, self._table(self._places(result))])


def heights(count: int, most: int) -> list[tuple[int, int]]:
    """So many rows as (height of a tile, tiles): one height if one fits well, else two that differ by one."""
    if count <= most:
        return [(count, 1)]
    for height in range(most, (most + 1) // 2, -1):
        if count % height == 0:
            return [(height, count // height)]
    tiles = -(-count // most)
    high, larger = -(-count // tiles), count % tiles or tiles
    return [(high, larger)] + ([(high - 1, tiles - larger)] if tiles > larger else [])
