"""Inventories of models, kept for as long as all is where it was: to see that takes a hundredth of a search."""

from itertools import chain
from operator import is_
from typing import Any

from scalargrad.holders import BARE, NOTHING, Holder, Inventory, attributes_of_class, inventory, note, noted


class Kept:
    """An inventory, and what the modules, lists and dictionaries held in which it was found.

    parameters   each once, in order
    """

    def __init__(self, found: Inventory) -> None:
        self.found, self.parameters = found, list(found.parameters)
        contents = found.contents or []
        self.modules = [x for x, _ in contents if isinstance(x, Holder)]
        self.lists = [x for x, _ in contents if type(x) is list]
        self.dicts = [x for x, _ in contents if type(x) is dict]
        self.kinds = list(dict.fromkeys(map(type, self.modules)))
        self.classes = list(dict.fromkeys(base for kind in self.kinds for base in kind.__mro__ if base not in BARE))
        held = {id(x): inside for x, inside in contents}
        parts = [held[id(x)] for x in (*self.modules, *self.lists)]
        items = [held[id(x)] for x in self.dicts]
        parts += [keys[: len(keys) // 2] for keys in items] + [values[len(values) // 2 :] for values in items]
        self.before = list(map(len, parts)), [*chain.from_iterable(parts), *self._of_classes()]
        # Classes that hold parameters, too, were looked into, and it is not known what they held.
        self.may_last = found.contents is not None and all(attributes_of_class(kind) is NOTHING for kind in self.kinds)

    @property
    def is_current(self) -> bool:
        """Has nothing changed since it was found?"""
        if not self.may_last:
            return False
        parts: list[Any] = [*map(dict.values, map(vars, self.modules)), *self.lists]
        parts += [*map(dict.keys, self.dicts), *map(dict.values, self.dicts)]
        lengths, things = self.before
        try:
            now = [*chain.from_iterable(parts), *self._of_classes()]
        except RuntimeError:  # another thread puts something in
            return False
        return list(map(len, parts)) == lengths and len(now) == len(things) and all(map(is_, now, things))

    def _of_classes(self) -> list:
        """All that may change in the classes of its modules."""
        parts = [vars(base).values() for base in self.classes]
        return [*map(type, self.modules), *(kind.__mro__ for kind in self.kinds), *chain.from_iterable(parts)]


def inventory_of(model: Holder) -> Kept:
    """The inventory of all that a model holds: the same object as before, if nothing has changed."""
    kept = noted(model, "inventory")
    if kept is None or not kept.is_current:
        kept = Kept(inventory([model]))
        note(model, "inventory", kept if kept.may_last else None)
    return kept
