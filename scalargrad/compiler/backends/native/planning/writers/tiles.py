"""Tiles: how many rows or terms of a product are computed at once, as their sums must fit into the registers."""

from scalargrad.compiler.backends.native.kernels.operands import Access
from scalargrad.compiler.backends.native.planning.table import RecordTable


def most_rows(table: RecordTable, weights: Access) -> int:
    """Rows of weights of this kind whose sums stay in registers."""
    few = 6 if table.machine.registers == 16 else 12
    return few if weights in (Access.NUMBER, Access.NUMBER_TABLE) else few // 2


def most_of_outer(table: RecordTable) -> tuple[int, int]:
    """Rows and terms of an outer product's tile. Upstream rows and an input must fit, too: a spill halves the speed."""
    return (3, 3) if table.machine.registers == 16 else (6, 4)


def tiles_of(count: int, most: int) -> list[tuple[int, int]]:
    """The rows as (height of a tile, number of tiles): one height if one fits well, else two that differ by one."""
    if count <= most:
        return [(count, 1)]
    for height in range(most, (most + 1) // 2, -1):
        if count % height == 0:
            return [(height, count // height)]
    tiles = -(-count // most)
    high, larger = -(-count // tiles), count % tiles or tiles
    return [(high, larger)] + ([(high - 1, tiles - larger)] if tiles > larger else [])
