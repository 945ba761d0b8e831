"""Away: Values whose numbers lie in a store, where programs compute with them, until somebody looks.

At home a Value has its number in its slot `data`, and nothing here concerns it. While it is away, its class is another
one with the same slots, where `data` is a property, and its slot has a place: (store, position). A slot that holds a
number has the right one, whatever the class: so a Value may be on its way while another thread reads it.
"""

import sys
import threading
from collections.abc import Callable, Sequence
from functools import cache
from types import CodeType
from typing import Any, NamedTuple, Protocol

from scalargrad.engine import Value
from scalargrad.holders import Buffer, Parameter
from scalargrad.support.forks import freed

SLOT = vars(Value)["data"]
in_slot, put_in_slot = SLOT.__get__, SLOT.__set__
moving = freed(threading.RLock())  # held while Values go or come, or a number in a store is changed


class Keeper(Protocol):
    """A store, as Values see it that are away.

    view      their numbers
    places    of each the place, (store, position): the content of its slot
    changes   counts the changes of numbers
    looks     counts the reads and writes of Values since a program was here
    """

    view: memoryview
    places: list[tuple["Keeper", int]]
    changes: int
    looks: int

    def come_home(self) -> None:
        """Give all Values their numbers."""


class Guard(NamedTuple):
    """The guard of a trace, which refuses reads and writes by the code that is traced.

    read    takes a Value, its number and the code that reads it; returns the number
    write   takes a Value and the code that sets its number
    """

    read: Callable[[Any, Any, CodeType], Any]
    write: Callable[[Any, CodeType], None]


guards: dict[str, list[Guard]] = {"data": [], "grad": []}  # while a function is traced, its guard of each field


def _read(value: Value) -> float:
    number = in_slot(value)
    if type(number) is tuple:
        store, position = number
        number = store.view[position]
        store.looks += 1
        if store.looks > len(store.view):  # all at once take as long as so many one by one
            store.come_home()
    for guard in guards["data"]:
        number = guard.read(value, number, sys._getframe(1).f_code)
    return number


def _write(value: Value, number: object) -> None:
    for guard in guards["data"]:
        guard.write(value, sys._getframe(1).f_code)
    with moving:
        place = in_slot(value)
        if type(place) is not tuple:
            put_in_slot(value, number)
            return
        store, position = place
        if type(number) is not float:  # no store holds it
            store.come_home()
            put_in_slot(value, number)
            return
        store.view[position] = number
        store.changes += 1
        store.looks += 1
        if store.looks > len(store.view):
            store.come_home()


plain: set[type] = {Value, Parameter, Buffer}  # classes whose Values have their numbers in the slot, or in a store


@cache
def class_away(home: type[Value]) -> Any:
    """The class of a Value of the class `home`, one of these, while its number is away."""

    reduced = vars(home).get("__reduce__", Value.__reduce__)

    def __reduce__(value: Value) -> tuple:  # noqa: N807
        kind, *rest = reduced(value)
        return home if kind is away else kind, *rest

    same = {name: getattr(home, name) for name in ("__module__", "__qualname__", "__doc__")}
    other = {"data": property(_read, _write), "__reduce__": __reduce__, "__class__": property(lambda value: home)}
    away = type(home.__name__, (home,), {"__slots__": (), **same, **other})
    plain.add(away)
    return away


def numbers_of(values: Sequence[Value]) -> list[Any]:
    """The number of each Value, wherever it lies: as quick as it can be for many."""
    if guards["data"] or not plain.issuperset(map(type, values)):
        return [value.data for value in values]
    found = list(map(in_slot, values))
    if tuple in set(map(type, found)):
        store, first = next(place for place in found if type(place) is tuple)
        last = first + len(found)
        if found == store.places[first:last]:
            return store.view[first:last].tolist()
        found = [x[0].view[x[1]] if type(x) is tuple else x for x in found]
    return found
