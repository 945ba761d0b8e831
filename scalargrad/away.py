"""Away: Values whose numbers lie in a store, where programs compute with them, until somebody looks.

At home a Value has its number in its slot `data`, and nothing here concerns it. While it is away, its class is another
one with the same slots, where `data` is a property, and its slot has a place: (store, position). A slot that holds a
number has the right one, whatever the class: so a Value may be on its way while another thread reads it.
"""

import copyreg
import sys
import threading
from collections.abc import Callable, Sequence
from functools import cache
from types import CodeType
from typing import Any, NamedTuple, TypeGuard

from scalargrad.engine import Value
from scalargrad.holders import Buffer, Parameter
from scalargrad.support.forks import freed

SLOTS = {field: vars(Value)[field] for field in ("data", "grad")}
in_slot, put_in_slot = SLOTS["data"].__get__, SLOTS["data"].__set__
moving = freed(threading.RLock())  # held while Values go or come, or a number in a store is changed
OF_A_WRITE, ENOUGH = 5, 4  # looks that a write counts for; all come home after a look at one in so many


class Keeper:
    """The base of a store: as Values see it that are away.

    view      their numbers
    places    of each the place, (store, position): the content of its slot
    changes   counts the changes of numbers
    looks     counts the looks at Values since a program was here
    """

    view: memoryview
    places: list[tuple["Keeper", int]]
    changes: int
    looks: int

    def come_home(self) -> None:
        """Give all Values their numbers."""
        raise NotImplementedError

    def look(self, times: int) -> None:
        """Count; after some looks it would have cost less to have all numbers at home."""
        self.looks += times
        if ENOUGH * self.looks > len(self.view):
            self.come_home()


def is_place(number: object) -> TypeGuard[tuple[Keeper, int]]:
    """Is this what the slot of a Value holds that is away?"""
    return type(number) is tuple and len(number) == 2 and isinstance(number[0], Keeper)


def bring_home(value: Value) -> None:
    """Have its number in its slot."""
    with moving:
        if is_place(place := in_slot(value)):
            place[0].come_home()


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
        store.look(1)
    for guard in guards["data"]:
        number = guard.read(value, number, sys._getframe(1).f_code)
    return number


def _write(value: Value, number: object) -> None:
    for guard in guards["data"]:
        guard.write(value, sys._getframe(1).f_code)
    with moving:
        place = in_slot(value)
        if type(place) is tuple and type(number) is float:
            store, position = place
            store.view[position] = number
            store.changes += 1
            store.look(OF_A_WRITE)
        else:  # no store holds other things
            bring_home(value)
            put_in_slot(value, number)


def _delete(value: Value) -> None:
    bring_home(value)
    del value.data


def _set_class(value: Value, kind: type) -> None:
    bring_home(value)
    value.__class__ = kind  # type: ignore[assignment]


HOMES: frozenset[type] = frozenset((Value, Parameter, Buffer))  # classes whose Values may go
PLAIN: set[type] = {*HOMES}  # those, and those of Values that are away


@cache
def class_away(home: type[Value]) -> Any:
    """The class of a Value of the class `home`, one of these, while its number is away."""
    reduced = vars(home).get("__reduce__", Value.__reduce__)

    def __reduce__(value: Value) -> Any:  # noqa: N807
        if home in copyreg.dispatch_table:
            return copyreg.dispatch_table[home](value)
        kind, *rest = reduced(value)
        return home if kind is away else kind, *rest

    same = {name: getattr(home, name) for name in ("__module__", "__qualname__", "__doc__")}
    other = {
        "data": property(_read, _write, _delete),
        "__class__": property(lambda value: home, _set_class),
        "__new__": lambda kind, *arguments, **named: home(*arguments, **named),  # type(value)(3.0) is at home
        "__reduce__": __reduce__,
    }
    away: Any = type(home.__name__, (home,), {"__slots__": (), **same, **other})
    away.__slots__ = home.__slots__
    PLAIN.add(away)
    return away


# Apart from others: Python learns that these meet no Value that is away, and is four times as fast.


def _numbers_at_home(values: Sequence[Value]) -> list[Any]:
    return [value.data for value in values]


def _set_at_home(values: Sequence[Value], numbers: Sequence[float]) -> None:
    for value, number in zip(values, numbers, strict=True):
        value.data = number


def set_numbers(values: Sequence[Value], numbers: Sequence[float]) -> None:
    """Set the number of each Value, wherever it lies."""
    if HOMES.issuperset(map(type, values)):
        _set_at_home(values, numbers)
    else:
        for value, number in zip(values, numbers, strict=True):
            value.data = number


def numbers_of(values: Sequence[Value]) -> list[Any]:
    """The number of each Value, wherever it lies: as quick as it can be for many."""
    kinds = set(map(type, values))
    if kinds <= HOMES:
        return _numbers_at_home(values)
    if guards["data"] or not kinds <= PLAIN:
        return [value.data for value in values]
    found = list(map(in_slot, values))
    store, first = next(filter(is_place, found), (None, 0))
    last = first + len(found)
    if store is not None and found == store.places[first:last]:
        return store.view[first:last].tolist()
    return [x[0].view[x[1]] if is_place(x) else x for x in found]
