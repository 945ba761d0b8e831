"""Which values share a card: everything apart, or folded into sums, units, layers, stacks and blocks.

A folding is a list that gives each value the card it lies on; two values with equal entries share one. No folding makes
a cycle of cards, for it joins values in two ways only:
- inwards: a value joins the card on which all of its consumers lie, so that a card's values leave it in one place;
- sideways: cards of one level (the longest way from a leaf) that no edge can connect.
Blocks, the last resort, join what is connected between two levels.
"""

from collections.abc import Callable, Hashable, Sequence

from scalargrad.drawing.owners import is_sum
from scalargrad.drawing.snapshot import Snapshot
from scalargrad.ops import dot
from scalargrad.ops import sum as sum_of
from scalargrad.structure import layer_of, owner_of

DETAILS = ("values", "folded", "units", "layers")
COARSER = ("stacks", "blocks", "few blocks")  # where there is no room for any of these

MOST_VALUES = 60  # that are drawn apart unless the user asks for it
MOST_UNITS = 60
MOST_OTHERS = 30  # cards around the units or layers: inputs, the loss of each sample
MOST_CARDS_APART = 5000  # at detail="values", asked for
MOST_CARDS = 240  # at any other detail
MOST_LEVELS = 80
BLOCKS = 12  # into which the levels of a deep or large graph are cut
FEW_BLOCKS = 2

Folding = Sequence[Hashable]


def fold(snapshot: Snapshot, detail: str | None) -> tuple[Folding, str]:
    """The card of each value, and the detail that was taken (given, or chosen by size)."""
    count = len(snapshot.values)
    if detail is None:
        detail = _detail_by_size(snapshot)
    if detail == "values":
        if count > MOST_CARDS_APART:
            raise ValueError(
                f"detail='values' draws up to {MOST_CARDS_APART} values and this graph has {count}; "
                "use detail='folded', or leave detail out"
            )
        return range(count), detail
    if detail == "folded":
        return _within_budget(snapshot, sums_folded(snapshot)), detail
    if detail in COARSER:
        folded = sums_folded(snapshot)
        stacks = stacked(snapshot, folded, _keys_of_operations(snapshot))
        blocks = BLOCKS if detail == "blocks" else FEW_BLOCKS
        return stacks if detail == "stacks" else bands(snapshot, folded, blocks), detail
    owners = snapshot.owners
    names = owners if detail == "units" else [owner and layer_of(owner) for owner in owners]
    card: Folding = units_folded(snapshot, owners, names)
    if len({home for home, owner in zip(card, owners, strict=True) if not owner}) > MOST_OTHERS:
        keys = _keys_of_operations(snapshot)
        card = stacked(snapshot, card, [None if owners[x] else keys[x] for x in range(count)])
    return _within_budget(snapshot, card), detail


def _detail_by_size(snapshot: Snapshot) -> str:
    if len(snapshot.values) <= MOST_VALUES:
        return "values"
    owners = snapshot.owners
    if not any(owners):
        return "folded"
    return "units" if len(set(units_folded(snapshot, owners, owners))) <= MOST_UNITS else "layers"


def _joined_inwards(snapshot: Snapshot, may_join: Callable[[int, int], bool]) -> list[int]:
    """Each value on the card of its consumers, if that is one card and `may_join(value, consumer)` holds for all."""
    card = list(range(len(snapshot.values)))
    for position in reversed(range(len(card))):
        consumers = snapshot.consumers[position]
        if not consumers:
            continue
        home = card[consumers[0]]
        if all(card[consumer] == home and may_join(position, consumer) for consumer in consumers):
            card[position] = home
    return card


# Sums.


def sums_folded(snapshot: Snapshot) -> list[int]:
    """A dot, or a chain of unlabelled additions with the products that it adds, is one card with its parameters."""

    def adds(position: int) -> bool:
        return is_sum(snapshot.op(position))

    def may_join(position: int, consumer: int) -> bool:
        op = snapshot.op(position)
        if op is None or snapshot.labels[position] or not adds(consumer) or len(snapshot.consumers[position]) > 1:
            return False
        return adds(position) or op is dot or op.special == "mul"

    card = _joined_inwards(snapshot, may_join)
    results = [0] * len(card)
    for position, home in enumerate(card):
        results[home] += snapshot.op(position) is not None
    for position, consumers in enumerate(snapshot.consumers):
        if snapshot.is_parameter(position) and len(consumers) == 1:
            home = card[consumers[0]]
            if results[home] > 1 or snapshot.op(home) in (dot, sum_of):
                card[position] = home
    return card


# Units and layers.


def units_folded(snapshot: Snapshot, owners: Sequence[str | None], names: Sequence[str | None]) -> list[Hashable]:
    """One card for each of the `names`, units or layers: their calls stacked, their parameters on them."""

    def may_join(position: int, consumer: int) -> bool:
        if owners[position] is None or owners[position] != owners[consumer] or snapshot.op(position) is None:
            return False
        # What is multiplied with a parameter is an input of the unit: the last state of a recurrent one, say.
        consumers_op = snapshot.op(consumer)
        multiplies = consumers_op is dot or (consumers_op is not None and consumers_op.special == "mul")
        return not (multiplies and any(snapshot.is_parameter(x) for x in snapshot.operands[consumer]))

    calls = _joined_inwards(snapshot, may_join)
    stacks = stacked(snapshot, calls, [None if snapshot.op(x) is None else name for x, name in enumerate(names)])
    for position, consumers in enumerate(snapshot.consumers):
        if snapshot.is_parameter(position) and owners[position] is not None:
            homes = {stacks[consumer] for consumer in consumers}
            belongs = all(owners[consumer] == owners[position] for consumer in consumers)
            stacks[position] = homes.pop() if belongs and len(homes) == 1 else ("parameters", names[position])
    return stacks


# Stacks and blocks.


def levels(snapshot: Snapshot, card: Folding) -> dict[Hashable, int]:
    """The level of each card: leaves are at 0, every other card one above its highest operand.

    Cards are visited in a topological order (Kahn 1962).
    """
    operands: dict[Hashable, set[Hashable]] = {home: set() for home in card}
    for home, used in zip(card, snapshot.operands, strict=True):
        operands[home].update(map(card.__getitem__, used))
    waiting: dict[Hashable, int] = {}
    consumers: dict[Hashable, list[Hashable]] = {home: [] for home in operands}
    for home, below in operands.items():
        below.discard(home)
        waiting[home] = len(below)
        for operand in below:
            consumers[operand].append(home)
    level = dict.fromkeys(waiting, 0)
    ready = [home for home, count in waiting.items() if count == 0]
    for home in ready:  # grows while it is read
        for above in consumers[home]:
            level[above] = max(level[above], level[home] + 1)
            waiting[above] -= 1
            if waiting[above] == 0:
                ready.append(above)
    assert len(ready) == len(level), "a folding has made a cycle of cards"
    return level


def stacked(snapshot: Snapshot, card: Folding, keys: Sequence[Hashable]) -> list[Hashable]:
    """Cards of one level whose exits have the same key become one; a key None leaves its card alone."""
    level = levels(snapshot, card)
    exits = {home: position for position, home in enumerate(card)}  # the last of its values is the exit
    merged: dict[Hashable, Hashable] = {}
    for home, position in exits.items():
        key = keys[position]
        if key is None:
            merged[home] = home
        elif snapshot.op(position) is None and snapshot.consumers[position]:
            merged[home] = (key, min(level[card[consumer]] for consumer in snapshot.consumers[position]))
        else:
            merged[home] = (key, level[home])
    return [merged[home] for home in card]


def bands(snapshot: Snapshot, card: Folding, count: int) -> list[Hashable]:
    """A few cards one after the other: all that lies between two levels on one, leaves with what they go to first."""
    level = levels(snapshot, card)
    height = max(level.values()) + 1
    band: list[Hashable] = []
    for position, home in enumerate(card):
        consumers = snapshot.consumers[position]
        is_leaf = snapshot.op(position) is None and consumers
        place = min(level[card[x]] for x in consumers) if is_leaf else level[home]
        band.append(place * count // height)
    return band


def _within_budget(snapshot: Snapshot, card: Folding) -> Folding:
    """The same folding if it is small enough to be looked at, or else stacks, or else blocks."""
    if len(set(card)) > MOST_CARDS:
        card = stacked(snapshot, card, _keys_of_operations(snapshot))
    level = levels(snapshot, card)
    if len(level) > MOST_CARDS or max(level.values()) > MOST_LEVELS:
        card = _blocks(snapshot, card, level)
    return card


def _keys_of_operations(snapshot: Snapshot) -> list[Hashable]:
    """Values are alike in their operation, or leaves in their kind, and in the module that owns them."""
    return [
        (getattr(snapshot.op(position), "name", snapshot.kind(position)), owner_of(snapshot.labels[position]))
        for position in range(len(snapshot.values))
    ]


def _blocks(snapshot: Snapshot, card: Folding, level: dict[Hashable, int]) -> Folding:
    """The levels cut into a few bands, and what hangs together inside a band as one card; or else the whole band."""
    height = max(level.values()) + 1
    band = {home: place * BLOCKS // height for home, place in level.items()}
    leader: dict[Hashable, Hashable] = {home: home for home in band}  # union-find (Galler and Fischer 1964)

    def find(home: Hashable) -> Hashable:
        while leader[home] != home:
            leader[home] = home = leader[leader[home]]
        return home

    blocks: dict[Hashable, Hashable] = {}
    for position, operands in enumerate(snapshot.operands):
        home = card[position]
        if snapshot.op(position) is None:  # leaves with the first band that they go to
            first = min((band[card[x]] for x in snapshot.consumers[position]), default=0)
            blocks[home] = (snapshot.kind(position), first)
            continue
        for operand in operands:
            if snapshot.op(operand) is not None and band[card[operand]] == band[home]:
                leader[find(card[operand])] = find(home)
    joined = [blocks.get(home) or find(home) for home in card]
    if len(set(joined)) > MOST_CARDS:
        joined = [blocks.get(home) or ("block", band[home]) for home in card]
    return joined
