"""Code on a page: the source of a function, its words by kind, and the lines of a compiled program."""

import ast
import inspect
import io
import keyword
import textwrap
import tokenize
from collections.abc import Callable
from typing import Any

from scalargrad.compiler.program import Instruction, Program

MOST_LINES = 60
KINDS = {tokenize.NUMBER: "number", tokenize.STRING: "text", tokenize.COMMENT: "comment"}


def source_of(*things: Callable) -> tuple[str, str]:
    """The name and the source of the first of these that has one, a loss or a model; "" and "", if none has."""
    for thing in things:
        try:
            source = textwrap.dedent(inspect.getsource(thing)).strip("\n")
        except (OSError, TypeError):  # made by exec(), or in C
            continue
        if getattr(thing, "__module__", "").startswith("scalargrad."):
            source = without_docstring(source)
        lines = source.splitlines()
        if len(lines) > MOST_LINES:
            source = "\n".join([*lines[:MOST_LINES], "    ..."])
        return getattr(thing, "__name__", type(thing).__name__), source
    return "", ""


def without_docstring(source: str) -> str:
    """A function or a class as it is written, but for what it says of itself."""
    definition = ast.parse(source).body[0]
    if not isinstance(definition, ast.FunctionDef | ast.ClassDef) or ast.get_docstring(definition) is None:
        return source
    said, lines = definition.body[0], source.splitlines()
    rest = lines[said.end_lineno :]
    return "\n".join([*lines[: said.lineno - 1], *(rest[1:] if rest and not rest[0] else rest)])


def words_of(source: str) -> list[tuple[str, str]]:
    """Python in parts: ("keyword", "def"), ("", " loss(") ... One part, if it is none that can be read.

    >>> words_of("return 2")
    [('keyword', 'return'), ('', ' '), ('number', '2')]
    """
    lines, parts, at = source.splitlines(keepends=True), list[tuple[str, str]](), (1, 0)

    def between(begin: tuple[int, int], end: tuple[int, int]) -> str:
        if begin[0] == end[0]:
            return lines[begin[0] - 1][begin[1] : end[1]] if begin[0] <= len(lines) else ""
        middle = "".join(lines[begin[0] : end[0] - 1])
        last = lines[end[0] - 1][: end[1]] if end[0] <= len(lines) else ""
        return lines[begin[0] - 1][begin[1] :] + middle + last

    def add(kind: str, text: str) -> None:
        if text and parts and parts[-1][0] == kind:
            parts[-1] = kind, parts[-1][1] + text
        elif text:
            parts.append((kind, text))

    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            kind = "keyword" if keyword.iskeyword(token.string) else KINDS.get(token.type, "")
            add("", between(at, token.start))
            if token.start < token.end:
                add(kind, between(token.start, token.end))
            at = token.end
    except (tokenize.TokenError, SyntaxError):  # a part of an expression, such as a lambda among arguments
        return [("", source)]
    return parts


def program_lines(program: Program) -> list[tuple[str, str, str]]:
    """(line, module, pass) of the program as it is printed: "forward" or "backward", "" for a heading."""
    return [
        (line, instruction.module if instruction else "", _pass(instruction)) for line, instruction in program.lines()
    ]


def _pass(instruction: Instruction | None) -> str:
    return "" if instruction is None else "backward" if instruction.backward else "forward"


def code_of(loss: str | Callable, function: Callable, model: object) -> dict[str, Any]:
    """The code that a page shows: the user's own loss, or, where nobody can read that, the model's class."""
    name, source = source_of(function, type(model))
    return {"name": name, "words": words_of(source)}
