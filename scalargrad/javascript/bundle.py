"""Bundles: ES modules and what they import, as one script or one module. Node imports the same files as they are."""

import re
from collections.abc import Mapping
from os.path import normpath
from pathlib import Path

HERE = Path(__file__).parent
IMPORT = re.compile(r'^import \{ ?(.*?) ?\} from "(.*?)";$', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|class|const|let) (\w+))", re.MULTILINE)
PARTS = re.compile(r"^export (?=const \{ ?(.*?) ?\} =)", re.MULTILINE)
LIST = re.compile(r"^export \{ ?(.*?) ?\};$", re.MULTILINE)
DEFAULT = re.compile(r"^export default ", re.MULTILINE)


def bundle(entry: str | Path, texts: Mapping[str, str] | None = None, module: bool = False) -> str:
    """One classic script of a module and of all that it imports; or, with `module`, one ES module.

    entry   the path of a module, or its text, whose imports then begin in this folder, as in "./graph.js"
    texts   modules that are no files, by their name: {"operations.js": operations_module()}

    Imports and exports are those of whole lines: `import { a, b as c } from "./other.js";`, `export function f`,
    `export const { a, b } = ...`, `export { a, b as c };`, `export default ...;`. Each module is a function of its own,
    so that equal names do not meet. ValueError for an import that is written otherwise, leads nowhere, or in a circle.
    """
    found = _Bundle(texts or {})
    if isinstance(entry, Path):
        name, exports = found.add(normpath(entry))
    else:
        name, exports = found.add_text(entry, str(HERE / "entry.js"))
    body = "\n".join(found.parts)
    if not module:
        return f'(() => {{\n"use strict";\n{body}\n}})();\n'
    names = ", ".join(outer for outer in exports if outer != "default")
    tail = f"export const {{ {names} }} = {name};\n" if names else ""
    return f"{body}\n{tail}" + (f"export default {name}.default;\n" if "default" in exports else "")


class _Bundle:
    """The modules so far, each as `const module_name = (() => {...})();`."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts
        self.parts: list[str] = []
        self.known: dict[str, tuple[str, list[str]] | None] = {}  # by path; None while it is being added

    def add(self, path: str) -> tuple[str, list[str]]:
        """The name of a module's constant, and what it exports."""
        if path not in self.known:
            text = self.texts.get(Path(path).name)
            if text is None:
                try:
                    text = Path(path).read_text(encoding="utf-8")
                except FileNotFoundError:
                    raise ValueError(f"there is no module {path!r} to bundle") from None
            return self.add_text(text, path)
        known = self.known[path]
        if known is None:
            raise ValueError(f"{Path(path).name} imports itself, by way of others")
        return known

    def add_text(self, text: str, path: str) -> tuple[str, list[str]]:
        self.known[path] = None
        names: dict[str, str] = {}
        text = IMPORT.sub(lambda match: self._imported(match, path), text)
        for pattern in (EXPORT, PARTS, LIST):
            for match in pattern.finditer(text):
                for inner, outer in _pairs(match[1]):
                    names[outer] = inner
        text = LIST.sub("", PARTS.sub("", EXPORT.sub("", text)))
        if DEFAULT.search(text):
            text = DEFAULT.sub("const whole = ", text)
            names["default"] = "whole"
        if stray := re.search(r"^(import|export)\b.*", text, re.MULTILINE):
            raise ValueError(f"{Path(path).name}: {stray[0]!r} is no import or export that bundle() can read")
        name = re.sub(r"\W", "_", f"module_{Path(path).stem}_{len(self.parts)}")
        exported = ", ".join(inner if inner == outer else f"{outer}: {inner}" for outer, inner in names.items())
        self.parts.append(f"const {name} = (() => {{\n{text.strip()}\nreturn {{ {exported} }};\n}})();")
        self.known[path] = name, list(names)
        return name, list(names)

    def _imported(self, match: re.Match, path: str) -> str:
        listed, where = match.groups()
        name, exports = self.add(normpath(Path(path).parent / where))
        pairs = _pairs(listed)
        if missing := [inner for inner, _ in pairs if inner not in exports]:
            raise ValueError(f"{Path(path).name} imports {missing[0]}, which {where} does not export")
        taken = ", ".join(inner if inner == outer else f"{inner}: {outer}" for inner, outer in pairs)
        return f"const {{ {taken} }} = {name};"


def _pairs(listed: str) -> list[tuple[str, str]]:
    """("a", "a") for `a`, ("a", "b") for `a as b`."""
    names = [name.split(" as ") for name in re.split(r", ?", listed.strip().rstrip(",")) if name]
    return [(name[0].strip(), name[-1].strip()) for name in names]
