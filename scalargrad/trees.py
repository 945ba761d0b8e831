"""Trees: numbers in nested lists, tuples, dictionaries and arrays, as functions take and return them."""

from collections.abc import Callable, Iterable, KeysView, Mapping, Sequence
from copy import copy
from itertools import repeat
from typing import Any

from scalargrad.checks import is_list, listed
from scalargrad.engine import Value
from scalargrad.operands import brief, is_recorded, number

Tree = Any  # a number or Value, an array of them, or a list, tuple or dictionary of trees
NUMBERS = "a real number, or a list, tuple, dictionary or array of them"


def on_blocks(function: Callable[[Any], Tree], tree: Tree) -> Tree:
    """The tree with function(block) in place of each block, which is a number or a whole array.

    >>> on_blocks(lambda x: -x, {"w": [1.0, 2.0], "b": (3.0,)})
    {'w': [-1.0, -2.0], 'b': (-3.0,)}
    """
    if is_recorded(tree):
        return function(tree)
    if isinstance(tree, dict):
        items = copy(tree)  # of its own kind, and in its order
        for key in tree:
            items[key] = on_blocks(function, tree[key])
        return items
    if isinstance(tree, list):
        return [on_blocks(function, item) for item in tree]
    if isinstance(tree, tuple):
        parts = [on_blocks(function, item) for item in tree]
        return tree._make(parts) if hasattr(tree, "_make") else tuple(parts)
    return function(tree)


def mapped(function: Callable[[Any], Any], tree: Tree) -> Tree:
    """The tree with function(x) in place of each number x."""

    def on_block(block: Any) -> Any:
        return _array(list(map(function, block.flat)), block.shape) if is_array(block) else function(block)

    return on_blocks(on_block, tree)


def leaves(tree: Tree) -> list:
    """The numbers of a tree in their order.

    >>> leaves({"w": [1.0, 2.0], "b": (3.0,)})
    [1.0, 2.0, 3.0]
    """
    found: list = []
    on_blocks(lambda block: found.extend(block.flat if is_array(block) else [block]), tree)
    return found


def with_structure(tree: Tree, flat: Iterable) -> Tree:
    """The tree with other numbers, in their order."""
    items = iter(flat)
    return mapped(lambda _: next(items), tree)


def as_values(tree: Tree, taker: str) -> Tree:
    """Fresh results for Values, so that a use elsewhere does not count, and new leaves for numbers."""

    def fresh(x: Tree) -> Value:
        leaf = checked_leaf(x, taker)
        return leaf * 1.0 if is_recorded(leaf) else Value(leaf)

    return mapped(fresh, tree)


def checked_leaf(x: Tree, taker: str) -> Any:
    """A Value as it is, or a float; a TypeError for what is neither a number nor a tree."""
    if type(x) is float or is_recorded(x):
        return x
    if getattr(x, "shape", None) == () and is_recorded(x.item()):
        return x.item()  # in an array without axes
    if isinstance(x, Mapping):
        raise TypeError(f"{taker} takes {NUMBERS}, got {brief(x)}: pass it as a dict")
    if hasattr(x, "parameters") or (is_list(x) and not isinstance(x, str | bytes)):
        listed(x, taker, NUMBERS)
        raise TypeError(f"{taker} takes {NUMBERS}, got {brief(x)}: pass it as a list or an array")
    return number(x, taker)


def leaves_like(tree: Tree, other: Tree, taker: str, role: str, whose: str) -> list:
    """The numbers of `other` in the order of `tree`; an error, if it is built in another way.

    A list will do for a tuple or an array, and for a list either of them.

    >>> leaves_like({"w": [1.0, 2.0], "b": 3.0}, {"b": 0.5, "w": (0.0, 1.0)}, "jvp", "direction", "point")
    [0.0, 1.0, 0.5]
    """
    tree, other = as_lists(tree), as_lists(other)
    keys, others = _keys(tree), _keys(other)
    if keys is None and others is None:
        return [checked_leaf(other, f"{taker}'s {role}")]
    if keys is None or keys != others:
        error = ValueError if type(keys) is type(others) else TypeError
        raise error(f"{taker}: the {role} is built like the {whose}, but there is {brief(other)} for {brief(tree)}")
    return [x for key in keys for x in leaves_like(tree[key], other[key], taker, role, whose)]


def _keys(tree: Tree) -> KeysView | range | None:
    """The keys of a dictionary, the places of a list or tuple, None of a number."""
    if is_recorded(tree) or not isinstance(tree, dict | list | tuple):
        return None
    return tree.keys() if isinstance(tree, dict) else range(len(tree))


def outer(tree: Tree, inner: Tree, rows: Sequence[Sequence]) -> Tree:
    """For each block of `tree` the tree `inner`; where one is an array, an array with the axes of both.

    `rows` has for each number of `tree` one number for each of `inner`.

    >>> outer({"y": 0.0, "z": 0.0}, [0.0, 0.0], [[1.0, 2.0], [3.0, 4.0]])
    {'y': [1.0, 2.0], 'z': [3.0, 4.0]}
    """
    remaining = iter(rows)

    def of_row(block: Any) -> Tree:
        shape, count = (block.shape, block.size) if is_array(block) else ((), 1)
        own = [next(remaining) for _ in range(count)]
        columns = iter(zip(*own, strict=True)) if own else repeat(())

        def of_cell(cell: Any) -> Any:
            if is_array(cell):
                numbers = [next(columns) for _ in range(cell.size)]
                return _array([x for row in zip(*numbers, strict=True) for x in row], shape + cell.shape)
            return _array(list(next(columns)), shape) if is_array(block) else next(columns)[0]

        return on_blocks(of_cell, inner)

    return on_blocks(of_row, tree)


def as_lists(x: Any) -> Any:
    """An array as nested lists, anything else as it is."""
    return x.tolist() if is_array(x) else x


def is_array(x: Any) -> bool:
    """Is it one of NumPy's arrays, with an axis?"""
    return not is_recorded(x) and hasattr(x, "flat") and bool(x.shape)


def _array(items: list, shape: tuple) -> Any:
    """Floats as an array of floats, anything else as objects."""
    import numpy

    array = numpy.empty(len(items), float if all(type(x) is float for x in items) else object)
    array[:] = items
    return array.reshape(shape)
