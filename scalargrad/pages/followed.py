"""Followed leaves: Values that tell the pages on which they are shown when somebody sets their numbers.

A followed Value is away (away.py): its class is one where `data` is a property, and its number lies in a store, which
here is one for each Value and learns of every write. Programs that want its number take it from there, and follow it no
longer: so who shows it looks once more when the code of a cell has run.
"""

from array import array
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Protocol
from weakref import WeakSet

from scalargrad.away import HOMES, Keeper, class_away, in_slot, is_place, moving, put_in_slot
from scalargrad.checks import is_real
from scalargrad.engine import Value

set_class: Callable[[Value, type[Value]], None] = vars(object)["__class__"].__set__


class Follower(Protocol):
    """Somebody who is told that the number of a leaf has changed, or that it is not followed any longer."""

    def changed(self) -> None: ...


class Followed(Keeper):
    """The store of one Value, and who follows it."""

    is_away = False  # to programs: they let it come home, and take it

    def __init__(self, value: Value) -> None:
        self.value, self.home = value, type(value)
        self.view = memoryview(array("d", [0.0]))
        self.places = [(self, 0)]
        self.changes = self.looks = self.told = 0
        self.followers: WeakSet[Follower] = WeakSet()

    def go_out(self) -> None:
        """Take the number of the Value, which is a real one in its slot."""
        with moving:
            set_class(self.value, class_away(self.home))  # type: ignore[arg-type]  # from now on writes wait
            self.view[0] = float(in_slot(self.value))  # type: ignore[call-overload]
            put_in_slot(self.value, self.places[0])

    def come_home(self) -> None:
        with moving:
            with suppress(AttributeError):  # somebody has deleted it
                if in_slot(self.value) is self.places[0]:
                    put_in_slot(self.value, self.view[0])
            set_class(self.value, self.home)
            self._tell()

    def look(self, times: int) -> None:
        """Tell of a write, which looks after it has counted a change; reads cost nothing here."""
        if self.told != self.changes:
            self._tell()

    def _tell(self) -> None:
        self.told = self.changes
        for follower in list(self.followers):
            follower.changed()


def follow(leaves: Iterable[Value], follower: Follower) -> None:
    """Tell the follower of writes to these from now on, those of Value's own classes whose numbers are at home."""
    with moving:
        for leaf in leaves:
            store = _store_of(leaf)
            if store is None and type(leaf) in HOMES and is_real(getattr(leaf, "data", None)):
                store = Followed(leaf)
                store.go_out()
            if store is not None:
                store.followers.add(follower)


def leave(leaves: Iterable[Value], follower: Follower) -> None:
    """Tell the follower nothing more; what nobody follows comes home."""
    with moving:
        for leaf in leaves:
            if (store := _store_of(leaf)) is not None:
                store.followers.discard(follower)
                if not store.followers:
                    store.come_home()


def _store_of(leaf: Value) -> Followed | None:
    try:
        place = in_slot(leaf)
    except AttributeError:  # somebody has deleted its number
        return None
    return place[0] if is_place(place) and isinstance(place[0], Followed) else None
