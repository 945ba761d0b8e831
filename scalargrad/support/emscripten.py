"""Python in a browser: there a long chain of Values that dies would overflow the stack, so they go one by one."""

from typing import Any


def free_one_by_one(kind: type) -> None:
    """From now on the operands of a `kind` that dies are freed after it, not inside its own deallocation.

    CPython bounds how deep deallocations may nest by the stack of C. In WebAssembly the stack of JavaScript is the
    smaller one: 10,000 objects in a chain end the interpreter.
    """
    dying: list[Any] = []
    free = True

    def finalizer(value: Any) -> None:
        nonlocal free
        dying.append((getattr(value, "first", ()), getattr(value, "second", ())))  # one whose making failed has none
        value.first = value.second = ()
        if free:
            free = False
            try:
                while dying:
                    dying.pop()  # what dies of this puts its own operands on the list
            finally:
                free = True

    kind.__del__ = finalizer  # type: ignore[attr-defined]
