"""The attributes of an object, saved, and of the containers in them, which can be put back."""

from collections import deque
from copy import copy
from typing import Any

CONTAINERS = (list, deque, dict, set, tuple)


class SavedAttributes:
    """The attributes of an object as they are now.

    >>> from scalargrad import SGD
    >>> optimizer = SGD(0.1)
    >>> saved = SavedAttributes(optimizer)
    >>> optimizer.lr, optimizer.state["a"] = 0.2, (1.0,)
    >>> saved.put_back()
    >>> optimizer.lr, optimizer.state
    (0.1, {})
    """

    def __init__(self, thing: object) -> None:
        self.space = vars(thing)
        self.attributes = dict(self.space)
        self.containers: dict[int, tuple[Any, Any]] = {}  # by id: each, and a copy of it
        waiting = list(self.attributes.values())
        while waiting:
            x = waiting.pop()
            if id(x) in self.containers or not isinstance(x, CONTAINERS):
                continue
            self.containers[id(x)] = x, copy(x)
            waiting += [item for item in (x.values() if isinstance(x, dict) else x) if isinstance(item, CONTAINERS)]

    def put_back(self) -> None:
        for container, before in self.containers.values():
            if not isinstance(container, tuple):
                container.clear()
                container.extend(before) if isinstance(container, list | deque) else container.update(before)
        self.space.clear()
        self.space.update(self.attributes)
