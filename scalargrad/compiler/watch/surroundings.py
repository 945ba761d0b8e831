"""Surroundings: all that a traced function depends on besides its arguments, found after its first run, then guarded.

What ran decides what is watched. The code that ran says by which names it reads: globals, attributes, items of modules.
From the function on, all objects in reach are walked once, and what they hold under these names is guarded: names that
are absent, too, for they may appear. A container that is read is guarded by its items, an array by its numbers.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Set
from itertools import chain
from types import CodeType, MappingProxyType

from scalargrad.compiler.watch.facts import only_appends_to
from scalargrad.compiler.watch.guards import MISSING, Containers, Items, Modes, Reads, Spaces, is_alike, is_made_inside
from scalargrad.compiler.watch.walk import Reached, Walk
from scalargrad.compiler.watch.watching import tracing

NOTHING: Mapping = MappingProxyType({})


class Surroundings:
    """The things that a function reads around itself, and whether they are as they were.

    What the trace of another thread has replaced for a while is no change.

    codes      what ran while it was traced
    arguments  what it was given besides arrays
    without    attributes that are not watched, by the id of their object
    asked      modules that were asked for their mode
    modules    the Modules that it reads
    sources    the generators of random numbers and the iterators in its reach
    """

    def __init__(
        self,
        function: Callable,
        codes: set[CodeType],
        arguments: Iterable = (),
        without: Mapping[int, Set[str]] = NOTHING,
        asked: Collection = (),
    ) -> None:
        reached = Reached(codes)
        roots = [(function, "the function"), *((argument, "an argument") for argument in arguments)]
        extent = None
        with tracing:
            while extent != reached.extent:
                extent = reached.extent
                walk = Walk(roots, reached, without)
        self.codes, self.guards, self.modules, self.sources = reached.codes, walk.guards, walk.modules, walk.sources
        self.guards += [Modes(asked)] if asked else []

    def changed(self) -> str:
        """The first change of something that a trace depends on, in words; "" if there is none."""
        for guard in self.guards:
            if guard.changed():
                break
        else:
            return ""
        with tracing:
            return next((what for guard in self.guards if (what := guard.changed())), "")

    def renew(self) -> None:
        """Let what is there now count."""
        with tracing:
            for guard in self.guards:
                guard.renew()

    def changed_by_a_run(self) -> tuple[str, bool]:
        """The first thing that the function itself has changed, and is that only a list which has grown at its end?

        What it only writes down does not count: numbers of the graph, and a list to which it appends and no more.
        """
        with tracing:
            return self._changed_by_a_run()

    def _changed_by_a_run(self) -> tuple[str, bool]:
        grown = ""
        for guard in chain.from_iterable(
            guard.parts if isinstance(guard, Spaces | Containers) else (guard,) for guard in self.guards
        ):
            if isinstance(guard, Reads):
                for label, before, now in guard.differences():
                    if not (is_alike(before, now) or (is_made_inside(now) and (before is MISSING or before is None))):
                        return label, False
            elif isinstance(guard, Items) and (more := guard.more()):
                if not all(map(is_made_inside, more)) and not only_appends_to(guard.name, self.codes):
                    grown = guard.label
            elif isinstance(guard, Items) and is_alike(guard.items, guard.read(guard.container)):
                continue
            elif what := guard.changed():
                return what, False
        return grown, bool(grown)
