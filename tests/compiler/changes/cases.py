"""The tables of cases, and how a case is written.

A case is a generator. It sets up, yields a function of one sample, and makes the change when it is resumed:

    @change
    def an_item_of_a_list():
        scales = [2.0, 5.0]
        yield lambda x: x * scales[0]
        scales[0] = 3.0

It may ask for `patch`, pytest's monkeypatch, and for `folder`, an empty one: both are undone after the case.
"""

import importlib.util
import sys

import numpy as np

from scalargrad.nn import Module

CHANGES = {}  # the function runs before the change; after it, too, or it is refused
REFUSABLE = {}  # it may be refused at once: most give something else in each run
FROZEN = {}  # what no guard can see, and the documentation lists
ORACLES = {}  # what a case needs that is no dependency


def added_to(table):
    """A decorator for the cases of a table."""

    def add(case):
        assert case.__name__ not in CHANGES | REFUSABLE | FROZEN, f"there are two cases {case.__name__}"
        table[case.__name__] = case
        return case

    return add


def needing(oracle):
    """A decorator for a case that takes a package which is no dependency."""

    def mark(case):
        ORACLES[case.__name__] = oracle
        return case

    return mark


change, refusable, frozen = map(added_to, (CHANGES, REFUSABLE, FROZEN))


def module(patch, folder, name, *lines):
    """A module of these lines in a file, as `import` makes it."""
    path = folder / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    made = importlib.util.module_from_spec(spec)
    patch.setitem(sys.modules, path.stem, made)
    patch.setattr(sys, "dont_write_bytecode", True)  # a file written twice in a second would be the old one
    spec.loader.exec_module(made)
    return made


def object_array(thing):
    """An array of one object."""
    array = np.empty(1, dtype=object)
    array[0] = thing
    return array


class Doubling(Module):
    """Doubles in training, triples in evaluation."""

    def __call__(self, x):
        return x * 2.0 if self.training else x * 3.0
