"""Stores: numbers of parameters and buffers in one place for all programs, while their Values are away.

A program has a block of its own, in its order and its type. Its `Lease` says which of the numbers are other ones than
those that it has, and takes back what the program has changed. So a call costs nothing for each parameter as long as
nobody looks at them; where many are looked at between calls, they stay at home for longer and longer.
"""

import weakref
from array import array
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from itertools import repeat
from operator import is_
from typing import Any

import numpy
from numpy import ndarray

from scalargrad.away import HOMES, Keeper, class_away, in_slot, is_place, moving, numbers_of, put_in_slot, set_numbers
from scalargrad.engine import Value
from scalargrad.holders import Buffer
from scalargrad.support.collecting import uncollected

AWAY = {home: class_away(home) for home in HOMES}  # others stay: `data` may be their own
HOME = {kind: home for home, away in AWAY.items() for kind in (home, away)}
set_class = vars(object)["__class__"].__set__
LONGEST_STAY = 256  # calls of a program for which numbers stay at home
WORTH_GOING = 64  # calls while they were away, after which they go again at once
MOST_STORES = 8  # of one program: those that many small programs have made become one

# Stores that a program has left which is no more: they come home, lest they hold Values that nobody else does.
left: deque[weakref.ref["Store"]] = deque()

Places = slice | ndarray


class Store(Keeper):
    """The numbers of some Values, float64.

    is_away   are all of them away, so that these are their numbers?

    One call of a function in C is not broken up, by a signal or by another thread: so no number is ever in between.
    """

    def __init__(self, values: Sequence[Value]) -> None:
        self.values = list(values)
        self.homes = list(map(HOME.__getitem__, map(type, self.values)))
        self.places: list[tuple[Any, int]] = list(
            zip(repeat(self, len(self.values)), range(len(self.values)), strict=True)
        )
        self.numbers = numpy.zeros(len(self.values))
        self.changes = self.looks = 0
        self.is_away = False

    @property
    def numbers(self) -> ndarray:
        return numpy.asarray(self.view)

    @numbers.setter
    def numbers(self, fresh: ndarray) -> None:
        self.view = memoryview(fresh)  # type: ignore[arg-type]  # NumPy's arrays are buffers

    def go_out(self) -> None:
        """Take the numbers of all, which are floats in their slots."""
        values = self.values
        try:
            with moving, uncollected():
                self.numbers = numpy.zeros(len(values))
                deque(map(set_class, values, map(AWAY.__getitem__, self.homes)), 0)  # from now on writes wait
                taken = map(self.view.__setitem__, range(len(values)), map(in_slot, values))
                deque(zip(taken, map(put_in_slot, values, self.places), strict=True), 0)
                self.changes, self.looks, self.is_away = self.changes + 1, 0, True
        except BaseException:
            self.come_home()
            raise

    def come_home(self) -> None:
        try:
            self._come_home()
        except BaseException:  # such as a Ctrl-C
            self._come_home()
            raise

    def _come_home(self) -> None:
        with moving, uncollected():
            is_away, self.is_away = self.is_away, False
            self.changes += 1
            if is_away and all(map(is_, map(in_slot, self.values), self.places)):
                deque(map(put_in_slot, self.values, self.view), 0)
                deque(map(set_class, self.values, self.homes), 0)
                return
            for value, home, place in zip(self.values, self.homes, self.places, strict=True):  # broken off before
                with suppress(AttributeError):  # somebody has deleted it
                    if in_slot(value) is place:
                        put_in_slot(value, self.view[place[1]])
                    if type(in_slot(value)) is not tuple and type(value) in HOME:
                        set_class(value, home)

    def put(self, positions: Places, numbers: ndarray) -> None:
        """Set some numbers at once: whoever reads meanwhile finds the old ones or the new ones."""
        with moving:
            is_all = isinstance(positions, slice) and len(numbers) == len(self.values)
            fresh = numpy.empty(len(self.values)) if is_all else self.numbers.copy()
            fresh[positions] = numbers
            self.numbers, self.changes = fresh, self.changes + 1


class Part:
    """The leaves of a program that lie in one store.

    positions   of them in the store, and their `places` in the program
    back        positions of those that the program changes, and which ones of these they are
    seen        the changes that the program knows; -1 for none
    """

    def __init__(self, store: Store, positions: ndarray, places: ndarray, leaves: int, changed: ndarray) -> None:
        self.store, self.positions, self.places = store, as_places(positions), as_places(places)
        position_of = numpy.full(leaves, -1)
        position_of[places] = positions
        which = numpy.flatnonzero(position_of[changed] >= 0)
        self.back = as_places(position_of[changed[which]]), as_places(which)
        self.changes_some, self.seen = bool(len(which)), -1

    def of(self, numbers: ndarray) -> ndarray:
        """The numbers of these leaves, from those of the store."""
        # Three times as fast as an index.
        return numbers[self.positions] if isinstance(self.positions, slice) else numbers.take(self.positions)


class Lease:
    """The leaves of a program, and whether the numbers that it has are still theirs.

    changed   the places of those that the program itself changes: `mine`; `own` is the same, a slice if in a row
    parts     where the leaves lie while they are away; none while they are at home
    rest      the places of those that stay at home in any case; of these, `back` has (place, which one in `changed`)
    calls     of the program since the leaves came or went; before they go, so many as `stay` says
    """

    def __init__(self, leaves: Sequence[Value], changed: Sequence[int] | ndarray = ()) -> None:
        self.leaves, self.changed = list(leaves), numpy.array(changed, int)
        self.own, self.mine = as_places(self.changed), [self.leaves[place] for place in self.changed.tolist()]
        self.parts: list[Part] = []
        self.rest: list[int] = []
        self.back: list[tuple[int, int]] = []
        self.calls, self.stay = 0, 1

    @property
    def is_out(self) -> bool:
        for part in self.parts:
            if not part.store.is_away:
                return False
        return bool(self.parts)

    def copy_to(self, block: ndarray) -> None:
        """Bring the block of a program up to date: the numbers of its leaves, in their order and in its type."""
        if left:
            _come_home_from_left()
        if self.parts and not self.is_out:
            self.stay = 1 if self.calls > WORTH_GOING else min(2 * self.stay, LONGEST_STAY)
            self.parts, self.calls = [], 0
        self.calls += 1
        if not self.parts and (self.calls <= self.stay or not self._have_gone_out()):
            block[:] = _array(numbers_of(self.leaves))
            return
        for part in self.parts:
            store = part.store
            store.looks, changes = 0, store.changes
            if part.seen != changes:
                block[part.places] = part.of(store.numbers)
                part.seen = changes
        if self.rest:
            block[self.rest] = _array([self.leaves[place].data for place in self.rest])

    def forget(self) -> None:
        """Let all numbers count as other ones than those that the program has."""
        for part in self.parts:
            part.seen = -1

    def take(self, numbers: ndarray) -> None:
        """Take back the numbers of the leaves in `changed`, as the program has them now."""
        with moving:
            if not self.is_out:
                set_numbers(self.mine, numbers.tolist())
                return
            for place, n in self.back:
                self.leaves[place].data = float(numbers[n])
            for part in self.parts:
                if part.changes_some:
                    positions, which = part.back
                    is_known = part.seen == part.store.changes
                    part.store.put(positions, numbers[which])
                    part.seen = part.store.changes if is_known else -1

    def _have_gone_out(self) -> bool:
        """Let the leaves go, those that can."""
        with uncollected():
            self._go_out()
        self.calls = 0
        if not self.parts:
            self.stay = LONGEST_STAY
        return bool(self.parts)

    def _go_out(self) -> None:
        """Let leaves go that are at home, and note where all are: everything in the end, should it be broken off."""
        leaves = self.leaves
        with moving:
            slots = self._slots()
            stores = {x[0] for x in slots if type(x) is tuple}
            if len(stores) <= MOST_STORES:  # more would be asked each time: they become one
                stores = {store for store in stores if not store.is_away}  # broken off on their way
            for store in stores:
                store.come_home()
            if stores:
                slots = self._slots()
            homes: dict[bool, list[int]] = {False: [], True: []}  # buffers lie apart: other code sets them each time
            for place in [place for place, x in enumerate(slots) if type(x) is float]:
                homes[isinstance(leaves[place], Buffer)].append(place)
            away: dict[Store, list[tuple[int, int]]] = {}
            for place, x in [(place, x) for place, x in enumerate(slots) if type(x) is tuple]:
                away.setdefault(x[0], []).append((x[1], place))
            rest = [place for place, x in enumerate(slots) if type(x) is not float and type(x) is not tuple]
            parts = []
            for places in filter(None, homes.values()):
                store = Store([leaves[place] for place in places])
                store.go_out()
                where = numpy.arange(len(places)), numpy.array(places)
                parts.append(Part(store, *where, len(leaves), self.changed))
            for store, pairs in away.items():
                positions, of_program = numpy.array(pairs).T
                parts.append(Part(store, positions, of_program, len(leaves), self.changed))
            staying = set(rest)
            back = [(place, n) for n, place in enumerate(self.changed.tolist()) if place in staying] if rest else []
            for part in parts:
                weakref.finalize(self, left.append, weakref.ref(part.store)).atexit = False
            self.parts, self.rest, self.back = parts, rest, back

    def _slots(self) -> list[Any]:
        """A number or a place for each leaf; None for those that stay."""
        if HOME.keys() >= set(map(type, self.leaves)):
            found = list(map(in_slot, self.leaves))
        else:
            found = [in_slot(leaf) if type(leaf) in HOME else None for leaf in self.leaves]
        if tuple in set(map(type, found)):
            found = [None if type(x) is tuple and not is_place(x) else x for x in found]
        return found


def _come_home_from_left() -> None:
    with moving:
        while left:
            if (store := left.popleft()()) is not None and store.is_away:
                store.come_home()


def _array(numbers: list) -> ndarray:
    try:
        return numpy.frombuffer(array("d", numbers))
    except (TypeError, OverflowError) as problem:
        raise TypeError(f"a parameter holds no number: {problem}") from None


def as_places(numbers: ndarray) -> Places:
    """A slice, where they follow each other."""
    first = int(numbers[0]) if len(numbers) else 0
    follows = len(numbers) < 2 or bool((numpy.diff(numbers) == 1).all())
    return slice(first, first + len(numbers)) if follows else numbers
