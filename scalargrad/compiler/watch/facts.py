"""Facts about a code, as its instructions say: names of attributes and globals, modules that it imports."""

import re
import sys
from collections.abc import Iterable
from dis import EXTENDED_ARG, Instruction, get_instructions, hasjabs, hasjrel, hasname, opmap, opname, stack_effect
from itertools import pairwise
from types import CodeType

from scalargrad.compiler.watch.libraries import is_of_library
from scalargrad.support.callers import PACKAGE

# Code that uses one of these may ask for any name.
COMPUTED = {
    *("getattr", "hasattr", "vars", "dir", "__dict__", "__getattribute__", "eval", "exec", "globals", "locals"),
    *("f_globals", "f_locals", "attrgetter", "methodcaller", "dumps", "copy", "deepcopy"),
}
ASKING = {"getattr", "hasattr"}
FIELD = re.compile(r"\{[^{}]*")  # of a text for str.format: {0.rate}
IMPORTS = {"import_module", "__import__"}
CALLED = {"LOAD_ATTR", "LOAD_METHOD"}
LOOKUPS = {opmap.get(name, -1) for name in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")}
READING = {opcode for opcode in hasname if not opname[opcode].startswith(("STORE_", "DELETE_"))}
JUMPS = {*hasjrel, *hasjabs}
SHIFTS = {"LOAD_GLOBAL": 1, **({"LOAD_ATTR": 1, "LOAD_SUPER_ATTR": 2} if sys.version_info >= (3, 12) else {})}


class Facts:
    """The names that a code reads, and the functions and comprehensions inside it.

    names    of attributes, and texts that may be names
    globals  what it looks up in its module
    imports  modules that it imports when it runs
    computes whether it may ask anything for any name
    asked    globals that it asks for names that it computes: getattr(functions, name)
    """

    def __init__(self, code: CodeType) -> None:
        self.names: set[str] = set()
        self.globals: set[str] = set()
        self.imports: set[str] = set()
        self.asked: set[str] = set()
        extended, raw = 0, code.co_code
        for opcode, low in zip(raw[::2], raw[1::2], strict=True):
            argument = extended | low
            extended = argument << 8 if opcode == EXTENDED_ARG else 0
            if opcode not in READING:
                continue
            read = code.co_names[argument >> SHIFTS.get(opname[opcode], 0)]
            self.names.add(read)
            if opcode in LOOKUPS:
                self.globals.add(read)
            elif opname[opcode] == "IMPORT_NAME":
                self.imports.add(read)
        asked = self.names & COMPUTED
        self.computes = not asked <= ASKING or (bool(asked) and not self._asks_only(code))
        self._constants(code.co_consts)

    def _asks_only(self, code: CodeType) -> bool:
        """Does each getattr() and hasattr() ask for a text that stands there, or else a global, which is noted?"""
        steps = list(get_instructions(code))
        for place, step in enumerate(steps):
            if step.argval not in ASKING or not step.opname.startswith("LOAD_"):
                continue
            depth = 0  # of what lies above the function on the stack
            arguments: list[Instruction | None] = [None, None, None]
            for following in steps[place + 1 :]:
                if following.opcode in JUMPS:  # a choice between arguments
                    return False
                effect = stack_effect(following.opcode, following.arg, jump=False)
                depth += effect
                if 0 < depth <= 2:
                    arguments[depth] = following if effect == 1 else None
                if depth <= 0 and following.opname not in ("PUSH_NULL", "CACHE"):
                    break
            _, first, second = arguments
            if second is not None and second.opname == "LOAD_CONST" and isinstance(second.argval, str):
                continue
            if first is None or first.opname != "LOAD_GLOBAL":
                return False
            self.asked.add(first.argval)
        return True

    def _constants(self, constants: Iterable) -> None:
        for constant in constants:
            if isinstance(constant, str):
                if constant in sys.modules and not IMPORTS.isdisjoint(self.names):
                    self.imports.add(constant)
                self.names |= {part for part in constant.split(".") if part.isidentifier()}
                self.names |= {part for field in FIELD.findall(constant) for part in re.findall(r"\w+", field)}
            elif isinstance(constant, tuple | frozenset):
                self._constants(constant)
            elif isinstance(constant, CodeType):
                inner = facts_of(constant)
                self.names |= inner.names
                self.globals |= inner.globals
                self.imports |= inner.imports
                self.asked |= inner.asked
                self.computes = self.computes or inner.computes


_of_this_package: dict[int, Facts] = {}  # by the id of a code, which stays: of others there may come ever more


def facts_of(code: CodeType) -> Facts:
    if not code.co_filename.startswith(PACKAGE):
        return Facts(code)
    if id(code) not in _of_this_package:
        _of_this_package[id(code)] = Facts(code)
    return _of_this_package[id(code)]


def only_appends_to(name: str, codes: Iterable[CodeType]) -> bool:
    """Does code do nothing else with a list of this name? "" is that of a list which has none."""
    if not name:
        return False
    for code in codes:
        if not is_of_library(code):
            steps = [step for step in get_instructions(code) if step.opname != "PUSH_NULL"]
            for step, following in pairwise(steps):
                is_read = step.opname.startswith("LOAD_") and name in (step.argval, *_texts(step.argval))
                if is_read and not (following.opname in CALLED and following.argval == "append"):
                    return False
    return True


def _texts(argument: object) -> tuple:
    return argument if isinstance(argument, tuple) else ()
