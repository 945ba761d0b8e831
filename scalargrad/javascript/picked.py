"""Functions picked out of modules, with what they need: for code that stands alone."""

import re
from collections.abc import Iterable
from pathlib import Path

BEGIN = re.compile(r"(?:function|class|const|let) (\w+)")


def picked(paths: Iterable[Path], names: Iterable[str]) -> str:
    """The declarations of these names, and those that they need, in the order of the modules, without `export`.

    The modules share no names, and each of their declarations begins at the left margin. ValueError for a name that
    none of them declares.
    """
    found: dict[str, str] = {}
    for path in paths:
        found |= _declarations(path.read_text(encoding="utf-8"))
    wanted, stack = set(), list(names)
    while stack:
        name = stack.pop()
        if name not in found:
            raise ValueError(f"no module declares {name!r}")
        if name not in wanted:
            wanted.add(name)
            words = set(re.findall(r"(?<![.\w])\w+", re.sub(r"//.*|`.*?`", "", found[name])))
            stack += words & found.keys()
    return "\n".join(text for name, text in found.items() if name in wanted)


def _declarations(text: str) -> dict[str, str]:
    """Each declaration of a module by its name: it ends where something else begins at the left margin."""
    starts = [match.start() for match in re.finditer(r"^(?=[\w/])", text, re.MULTILINE)]
    found = {}
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        block = text[start:end].rstrip().removeprefix("export ")
        if match := BEGIN.match(block):
            found[match[1]] = block
    return found
