"""Guards: what a trace depends on, as it was, and the quick question whether it still is.

Most are asked together, at the price of a lookup each: `Reads` are names in namespaces, `Sizes` see names that appear,
`Spaces` have both of layers, `Kinds` the classes of objects, `Items` what a container holds and `Containers` what all
do, `Bits` the numbers of arrays, `Dicts` whether modules have the attributes in which others look, `Modes` whether they
are in training. Each has `changed()`, which says what differs, or "", and `renew()`, after which what is there now
counts.
"""

from array import array
from collections.abc import Callable, Iterable
from functools import partial
from operator import call, is_
from typing import Any

from scalargrad.engine import Value
from scalargrad.structure import Structure, replaced

PLAIN = (bool, int, float, str, bytes, type(None), complex)
NUMBERS = {bool, int, float, complex}
Columns = tuple[list[Callable[[], Any]], list[Any], list[str]]
MOST_TYPES = 1000  # items of a container, up to which 1 is told from True and 1.0 everywhere; beyond that, zeros are


class Identity:
    """An object as a token: equal to the token of the same object only."""

    __slots__ = ("content",)

    def __init__(self, content: object) -> None:
        self.content = content

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity) and other.content is self.content

    def __hash__(self) -> int:
        return id(self.content)


MISSING = Identity(None)  # an empty cell, an attribute that is not there


def token(content: Any) -> Any:
    """A token of a number, a text or an object: equal as long as a trace cannot tell the difference.

    >>> token(float("nan")) == token(float("nan")), token(0.0) == token(-0.0), token(1) == token(True)
    (True, False, False)
    """
    kind = type(content)  # isinstance() would ask an object for its class
    if issubclass(kind, float):
        return kind, float.hex(content)
    if issubclass(kind, complex):
        return complex, complex.__repr__(content)
    return (kind, content) if issubclass(kind, PLAIN) else Identity(content)


def tokens(items: Iterable) -> Any:
    """Tokens of several, in a form that is quick to make and to compare."""
    items = tuple(items)
    if set(map(type, items)) == {float}:
        return array("d", items).tobytes()  # the bits: 0.0 is not -0.0, nan is nan
    return tuple(map(token, items))


def told_by_equality(kind: type) -> bool:
    """Can what is equal to an object of this type hardly be another? Then many are compared at once, by ==."""
    return kind is str or kind is bytes or kind is type(None) or kind.__eq__ is object.__eq__


def is_itself(content: object) -> bool:
    """Is nothing else equal to it?"""
    return type(content).__eq__ is object.__eq__


def is_text_or_row(content: Any) -> bool:
    """Can an equal one take its place, a text, or a row of Values that only this package reads?"""
    kind = type(content)
    return told_by_equality(kind) or (kind is tuple and bool(content) and issubclass(type(content[0]), Value))


class Reads:
    """Questions, each a call such as `scope.get(name, MISSING)`, and what the answers were.

    >>> scope = {"rate": 0.5}
    >>> reads = Reads()
    >>> reads.add("the global rate", dict.get, scope, "rate")
    0.5
    >>> scope["rate"] = 0.25
    >>> reads.changed()
    'the global rate'
    """

    def __init__(self, by_equality: Callable[[Any], bool] = is_itself) -> None:
        self.by_equality = by_equality
        self.known: set[tuple[int, ...]] = set()
        # Questions, answers and labels. Whether an answer is another one now is told by equality, or else by identity.
        self.told: Columns = ([], [], [])
        self.mixed_up: Columns = ([], [], [])

    def __bool__(self) -> bool:
        return bool(self.known)

    def add(self, label: str, get: Callable, *arguments: Any) -> Any:
        """Ask `get(*arguments)` from now on; returns the answer.

        A traced number the function has put there itself: one that asks before it does so is told from the next run.
        """
        ask, key = partial(get, *arguments), tuple(map(id, (get, *arguments)))
        answer = _answer(ask)
        if key not in self.known and not is_traced(answer):
            self.known.add(key)
            asks, before, labels = self.told if self.by_equality(answer) else self.mixed_up
            asks.append(ask)
            before.append(answer)
            labels.append(label)
        return answer

    def changed(self) -> str:
        asks, before, _ = self.told
        try:
            is_same = [ask() for ask in asks] == before and self.has_same_mixed_up()
        except Exception:  # an empty cell, or an array that compares element by element
            is_same = False
        return "" if is_same else self.first_change()

    def has_same_mixed_up(self) -> bool:
        """Are those as they were that equality may mix up? May raise."""
        asks, before, _ = self.mixed_up
        return all(map(is_, map(call, asks), before))

    def first_change(self) -> str:
        """The label of the first that code can tell from what was there; if there is none, what is there now counts."""
        for asks, before, labels in (self.told, self.mixed_up):
            now = list(map(_answer, asks))
            for answer, known, label in zip(now, before, labels, strict=True):
                if _differ(answer, known):
                    return label
            before[:] = now
        return ""

    def renew(self) -> None:
        for asks, before, _ in (self.told, self.mixed_up):
            before[:] = map(_answer, asks)

    def differences(self) -> list[tuple[str, Any, Any]]:
        """(label, before, now) of all that differ."""
        return [
            (label, known, now)
            for columns in (self.told, self.mixed_up)
            for ask, known, label in zip(*columns, strict=True)
            if _differ(now := _answer(ask), known)
        ]


def _answer(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except ValueError:  # of an empty cell
        return MISSING


class Kinds:
    """The classes of objects: an object may be given another."""

    def __init__(self) -> None:
        self.things: list[Any] = []
        self.kinds: list[type] = []
        self.labels: list[str] = []

    def __bool__(self) -> bool:
        return bool(self.things)

    def add(self, thing: object, label: str) -> None:
        self.things.append(thing)
        self.kinds.append(type(thing))
        self.labels.append(label)

    def changed(self) -> str:
        now = list(map(type, self.things))
        if now == self.kinds:
            return ""
        return next(name for name, one, other in zip(self.labels, now, self.kinds, strict=True) if one is not other)

    def renew(self) -> None:
        self.kinds = list(map(type, self.things))


class Sizes:
    """Namespaces in which names are absent that a function asks for: a namespace that has grown is looked at."""

    def __init__(self) -> None:
        self.spaces: list[Any] = []
        self.sizes: list[int] = []
        self.absent: list[Callable[[str], bool]] = []  # is this name one that would be noticed?
        self.labels: list[str] = []
        self.known: list[set[str]] = []

    def __bool__(self) -> bool:
        return bool(self.spaces)

    def add(self, space: Any, wanted: Callable[[str], bool], label: str) -> None:
        self.spaces.append(space)
        self.sizes.append(len(space))
        self.known.append({name for name in list(space) if wanted(name)})
        self.absent.append(wanted)
        self.labels.append(label)

    def changed(self) -> str:
        now = list(map(len, self.spaces))
        if now == self.sizes:
            return ""
        for place, (size, known) in enumerate(zip(now, self.known, strict=True)):
            if size != self.sizes[place]:
                wanted = self.absent[place]
                found = next((name for name in list(self.spaces[place]) if name not in known and wanted(name)), None)
                if found is not None:
                    return self.labels[place].format(found)
        self.sizes = now
        return ""

    def renew(self) -> None:
        for place, space in enumerate(self.spaces):
            self.known[place] = {name for name in list(space) if self.absent[place](name)}
        self.sizes = list(map(len, self.spaces))


class Spaces:
    """Whole namespaces, compared at once by all that they hold; names one by one only where something is another.

    reads   the names in them, of which those that `==` may mix up are always read
    sizes   likewise, for names that appear
    """

    def __init__(self, reads: Reads, sizes: Sizes) -> None:
        self.reads, self.sizes = reads, sizes
        self.renew()

    def __bool__(self) -> bool:
        return bool(self.sizes)

    @property
    def parts(self) -> tuple[Reads, Sizes]:
        return self.reads, self.sizes

    def renew(self) -> None:
        for part in self.parts:
            part.renew()
        self.copies = list(map(dict.copy, self.sizes.spaces))

    def changed(self) -> str:
        try:
            if self.sizes.spaces == self.copies and self.reads.has_same_mixed_up():
                return ""
        except Exception:  # an array, say, that compares element by element
            pass
        what = self.reads.first_change() or self.sizes.changed()
        if not what:
            self.copies = list(map(dict.copy, self.sizes.spaces))
        return what


class Items:
    """The items of a container, in their order.

    >>> rates = [0.5, 0.25]
    >>> items = Items(rates, list, "a list")
    >>> items.changed()
    ''
    >>> rates[1] = 0.125
    >>> items.changed()
    'a list'
    """

    def __init__(self, container: Any, read: Callable[[Any], list], label: str, name: str = "") -> None:
        self.container, self.read, self.label, self.name = container, read, label, name
        self.renew()

    def renew(self) -> None:
        self.items = items = self.read(self.container)
        kinds = set(map(type, items))
        self.by_equality = all(kind in NUMBERS or told_by_equality(kind) for kind in kinds)
        self.types: list[type] | None = None
        self.zeros: list[int] = []
        if self.by_equality and not NUMBERS.isdisjoint(kinds):  # 0.0 == -0.0, 1 == True
            self.zeros = [place for place, item in enumerate(items) if type(item) in NUMBERS and item == 0]
            self.types = list(map(type, items)) if len(items) <= MOST_TYPES else None
        self.signs = [token(items[place]) for place in self.zeros]
        self.direct = type(self.container) is list  # compared without a copy
        self.told = self.direct and self.by_equality and self.types is None and not self.zeros  # by equality alone

    def changed(self) -> str:
        if self.by_equality:
            now = self.container if self.direct else self.read(self.container)
            if (
                _same(now, self.items)
                and (self.types is None or list(map(type, now)) == self.types)
                and (not self.zeros or [token(now[place]) for place in self.zeros] == self.signs)
            ):
                return ""
        now = self.read(self.container)
        if len(now) == len(self.items) and all(map(is_, now, self.items)):
            return ""
        if tokens(now) != tokens(self.items):
            return self.label
        self.renew()
        return ""

    def more(self) -> list:
        """The new items at the end of a list, if these are all that has changed."""
        now, count = self.read(self.container), len(self.items)
        return now[count:] if issubclass(type(self.container), list) and all(map(is_, now, self.items)) else []


class Containers:
    """Many containers. Lists that equality tells are compared at once, one by one only where something is another."""

    def __init__(self, parts: list[Items]) -> None:
        self.parts = parts
        self._sort()

    def __bool__(self) -> bool:
        return bool(self.parts)

    def _sort(self) -> None:
        self.lists = [part.container for part in self.parts if part.told]
        self.copies = [part.items for part in self.parts if part.told]
        self.others = [part for part in self.parts if not part.told]

    def renew(self) -> None:
        for part in self.parts:
            part.renew()
        self._sort()

    def changed(self) -> str:
        is_same = _same(self.lists, self.copies)
        for part in self.others if is_same else self.parts:
            if what := part.changed():
                return what
        if not is_same:
            self._sort()
        return ""


class Modes:
    """The modes of modules, as code that runs here sees them: in a block of `in_mode`, say."""

    def __init__(self, modules: Iterable) -> None:
        self.modules = tuple(modules)
        self.renew()

    def renew(self) -> None:
        self.modes = [module.training for module in self.modules]

    def changed(self) -> str:
        for module, before in zip(self.modules, self.modes, strict=True):
            if _differ(module.training, before):
                return f"training of a {type(module).__name__}"
        return ""


class Dicts:
    """Modules, each with the `__dict__` that other guards look into. As long as none is given another, nobody looks."""

    def __init__(self, modules: list[Structure]) -> None:
        self.modules, self.dicts, self.count = modules, list(map(vars, modules)), replaced[0]

    def __bool__(self) -> bool:
        return bool(self.modules)

    def renew(self) -> None:
        """Nothing: the other guards look where they did."""

    def changed(self) -> str:
        count = replaced[0]
        if count != self.count:
            for module, known in zip(self.modules, self.dicts, strict=True):
                if vars(module) is not known:
                    return f"the attributes of a {type(module).__name__}"
            self.count = count
        return ""


class Bits:
    """The numbers of an array, or of what else has some in a row."""

    def __init__(self, read: Callable[[], Any], label: str) -> None:
        self.read, self.label = read, label
        self.renew()

    def renew(self) -> None:
        self.bits = self.read()

    def changed(self) -> str:
        return "" if self.read() == self.bits else self.label


def _differ(now: object, before: object) -> bool:
    """Could code tell the two from each other? Each nan is another key of a dictionary."""
    return now is not before and (token(now) != token(before) or now != now)


def _same(now: list, before: list) -> bool:
    try:
        return list.__eq__(now, before) is True
    except Exception:  # an array, say, that compares element by element
        return False


def is_traced(content: object) -> bool:
    """Does this stand for a number of a sample?"""
    return is_made_inside(content) and not issubclass(type(content), Value)


def is_made_inside(content: object) -> bool:
    """Is this a number of the graph, a new one in each run of a function?"""
    return hasattr(type(content), "apply_operation")


def is_alike(before: Any, now: Any) -> bool:
    """Can these two be what two runs of a function wrote down: numbers of the graph, at the same places of containers?

    >>> is_alike([Value(1.0), 2], [Value(3.0), 2]), is_alike([Value(1.0)], [Value(1.0), Value(1.0)])
    (True, False)
    """
    pairs = [(before, now)]
    while pairs:
        before, now = pairs.pop()
        if type(now) in (list, tuple, dict) and type(before) is type(now) and len(before) == len(now):
            pairs += zip(before, now, strict=True)
            pairs += zip(before.values(), now.values(), strict=True) if isinstance(now, dict) else ()
        elif not (is_made_inside(before) and is_made_inside(now)) and _differ(now, before):
            return False
    return True
