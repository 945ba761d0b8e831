"""The folder of the native backend: what its docstring says of its files is true."""

import ast
import re

from scalargrad.compiler.backends import native
from tests.paths import PACKAGE

FOLDER = PACKAGE / "compiler" / "backends" / "native"
FILES = {
    f"{native.__name__}.{'.'.join(path.relative_to(FOLDER).with_suffix('').parts)}": path
    for path in FOLDER.rglob("*.py")
    if path.stem != "__init__"
}


def files_in_the_order_of_reading() -> list[str]:
    """The table in the docstring: a row names a file, or a folder and, after a colon, its files."""
    table = native.__doc__.split("\n\n")[2].strip()
    found = []
    for row in re.split(r"\n(?=\S)", table):
        name, _, told = row.partition(" ")
        files = [name + word for word in told.partition(":")[2].split()] if name.endswith("/") else [name]
        found += [f"{native.__name__}.{file.replace('/', '.')}" for file in files]
    return found


def imports_of(file: str) -> set[str]:
    nodes = ast.walk(ast.parse(FILES[file].read_text(encoding="utf-8")))
    imported = [node for node in nodes if isinstance(node, ast.ImportFrom)]
    names = {node.module for node in imported} | {f"{node.module}.{a.name}" for node in imported for a in node.names}
    return names & FILES.keys()


def test_the_docstring_names_every_file():
    assert sorted(files_in_the_order_of_reading()) == sorted(FILES)


def test_a_file_imports_only_what_stands_above_it():
    files = files_in_the_order_of_reading()
    below = {file: imports_of(file) - set(files[:place]) for place, file in enumerate(files)}
    assert {file: imported for file, imported in below.items() if imported} == {}


def test_each_kernel_shows_its_loop_nest():
    kernels = [
        node
        for path in FILES.values()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and (node.name.endswith("_kernel") or node.name == "driver")
    ]
    assert len(kernels) > 10
    assert [
        kernel.name for kernel in kernels if "\n    for " not in (ast.get_docstring(kernel, clean=False) or "")
    ] == []
