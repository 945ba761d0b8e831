"""Kinds of change around a compiled function, a file for each family; `cases` says how one is written."""

from tests.compiler.changes import (  # noqa: F401 (each adds its cases to the tables)
    arrays,
    attributes,
    classes,
    containers,
    frozen,
    functions,
    holders,
    imports,
    models,
    plain,
    subclasses,
    unsteady,
    written,
)
