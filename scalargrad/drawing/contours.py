"""Where a function of the plane, known on a grid, is above a level: marching squares (Lorensen and Cline 1987).

A point is (column, row), both from 0; along the edges of the grid the function is taken to be linear.
"""

from collections.abc import Sequence
from typing import NamedTuple

Point = tuple[float, float]
Grid = Sequence[Sequence[float]]  # rows of finite numbers
Node = tuple[int, int]  # row, column
Side = tuple[Node, Node]  # of a square: the node that is above the level, and the other


class Contours(NamedTuple):
    """The outlines of all that is at a level or above it.

    outlines  closed, along the border of the grid too; holes are outlines inside of others
    lines     those parts of them that are not on the border, where the function is at the level
    """

    outlines: list[list[Point]]
    lines: list[list[Point]]


def contours(grid: Grid, level: float) -> Contours:
    """
    >>> contours([[0.0, 2.0], [0.0, 2.0]], 1.0).lines
    [[(0.5, 1.0), (0.5, 0.0)]]
    """
    following = _segments(grid, level)
    outlines, lines = [], []
    while following:
        first = side = min(following)
        sides = []
        while side in following:
            sides.append(side)
            side = following.pop(side)
        assert side == first, "an outline is not closed"
        outlines.append([_place(grid, level, side) for side in sides])
        lines += _inner_lines(grid, level, sides)
    return Contours(outlines, lines)


def _segments(grid: Grid, level: float) -> dict[Side, Side]:
    """Where an outline enters and leaves each square; outside of the grid all is below the level."""
    rows, columns = len(grid), len(grid[0])
    above = [[False] * (columns + 2)]
    above += [[False, *(x >= level for x in row), False] for row in grid]
    above += [[False] * (columns + 2)]
    following: dict[Side, Side] = {}
    for row in range(rows + 1):
        upper, lower = above[row], above[row + 1]
        for column in range(columns + 1):
            inside = (upper[column], upper[column + 1], lower[column + 1], lower[column])
            count = sum(inside)
            if count in (0, 4):
                continue
            corners = [(row - 1, column - 1), (row - 1, column), (row, column), (row, column - 1)]  # clockwise
            leaving, entering = [], []
            for corner in range(4):
                here, there = corner, (corner + 1) % 4
                if inside[here] and not inside[there]:
                    leaving.append((corners[here], corners[there]))
                elif inside[there] and not inside[here]:
                    entering.append((corners[there], corners[here]))
            if len(leaving) == 2:  # a saddle: the middle says which corners hang together
                middle = sum(grid[r][c] for r, c in corners) / 4 >= level
                entering = entering if middle == inside[0] else entering[::-1]
            following.update(zip(leaving, entering, strict=True))
    return following


def _place(grid: Grid, level: float, side: Side) -> Point:
    """Where the function is at the level on a side."""
    (row, column), (other_row, other_column) = side
    if not _is_inner(grid, side):
        return float(column), float(row)
    here, there = grid[row][column], grid[other_row][other_column]
    share = (level - here) / (there - here)
    return column + share * (other_column - column), row + share * (other_row - row)


def _is_inner(grid: Grid, side: Side) -> bool:
    row, column = side[1]
    return 0 <= row < len(grid) and 0 <= column < len(grid[0])


def _inner_lines(grid: Grid, level: float, sides: list[Side]) -> list[list[Point]]:
    """The pieces of an outline between visits to the border, or all of it and its beginning."""
    inner = [_is_inner(grid, side) for side in sides]
    if all(inner):
        return [[_place(grid, level, side) for side in (*sides, sides[0])]]
    begin = inner.index(False)
    lines: list[list[Point]] = [[]]
    for place in range(begin, begin + len(sides)):
        place %= len(sides)
        if inner[place]:
            lines[-1].append(_place(grid, level, sides[place]))
        elif lines[-1]:
            lines.append([])
    return [line for line in lines if len(line) > 1]
