"""Oracles that are no dependency: packages, programs and data that some tests compare with.

A test that takes one bears the mark `oracle`, by which the README's command leaves it out and the second run of .ci/run
finds it. The mark is there when tests are collected, in one of three ways:

    def test_a_step_is_pytorchs(torch): ...                      a fixture of that name, or one that asks for it
    @pytest.mark.parametrize("backend", ["numpy", "jax"])        the case of JAX, or of "javascript"
    @pytest.mark.oracle("dot")                                   the mark itself, of a test or of a pytest.param

Where what is named is missing the test is skipped, or fails if SCALARGRAD_REQUIRE_ORACLES is set. There is no other way
to skip for a missing oracle: a test that imports one without the mark fails where there is none.
"""

import os
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from shutil import which

import pytest

MODULES = {  # a name, and the module that the fixture of that name gives
    "torch": "torch",
    "jax": "jax",
    "optax": "optax",
    "pandas": "pandas",
    "safetensors": "safetensors",
    "yaml": "yaml",
    "jupytext": "jupytext",
    "nbclient": "nbclient",
    "ipykernel": "ipykernel",
    "playwright": "playwright.sync_api",
}
NOTEBOOKS = os.environ.get("SCALARGRAD_NOTEBOOKS", "/nowhere")  # an environment of Python that has these programs
PROGRAMS = {
    "dot": "dot",
    "chromium": "/usr/bin/chromium",
    "node": "node",
    "jupyterlab": f"{NOTEBOOKS}/bin/jupyter-lab",
    "marimo": f"{NOTEBOOKS}/bin/marimo",
}

FILES = {"axe": "SCALARGRAD_AXE"}  # a name, and the variable of the environment that has the path of the file
ORACLES_OF_BACKENDS = {"jax": "jax", "javascript": "node"}


def lack(name: str) -> str:
    """Why there is no such oracle; empty where there is one."""
    if name == "mnist":
        return "" if os.environ.get("SCALARGRAD_DATA") else "SCALARGRAD_DATA does not name the folder of MNIST"
    if name in FILES:
        return (
            "" if os.path.isfile(os.environ.get(FILES[name], "")) else f"{FILES[name]} does not name the file of {name}"
        )
    if name in PROGRAMS:
        return "" if which(PROGRAMS[name]) else f"{PROGRAMS[name]} is not installed"
    return "" if find_spec(MODULES[name].partition(".")[0]) else f"{name} is not installed"


def oracles_of(item: pytest.Item) -> list[str]:
    """The oracles that a test asks for by its fixtures, or as its backend."""
    found = [name for name in getattr(item, "fixturenames", ()) if name in {*MODULES, *PROGRAMS, *FILES}]
    case = item.callspec.params if hasattr(item, "callspec") else {}
    words = [case[parameter] for parameter in ("backend", "engine") if isinstance(case.get(parameter), str)]
    return found + [ORACLES_OF_BACKENDS[word] for word in words if word in ORACLES_OF_BACKENDS]


def marked(cases: Iterable, oracles: Mapping) -> list:
    """Cases for parametrize: those that the mapping names bear the mark, with their oracle."""
    return [pytest.param(case, marks=pytest.mark.oracle(oracles[case])) if case in oracles else case for case in cases]
