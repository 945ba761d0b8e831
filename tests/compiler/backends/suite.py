"""Cases of every backend, from the package's own table: a new row there is tested by all that is decorated with these.

EVERY_BACKEND    each, and eager
COMPILED         each that runs compiled programs
TRAINING         each that trains
"""

import pytest

from scalargrad.compiler.backends import BACKENDS

EVERY_BACKEND = pytest.mark.parametrize("backend", BACKENDS)
COMPILED = pytest.mark.parametrize("backend", [name for name in BACKENDS if name != "eager"])
TRAINERS = [name for name, row in BACKENDS.items() if row.trains]
TRAINING = pytest.mark.parametrize("backend", TRAINERS)
# Of many cases, each of which XLA compiles for a second: test_xla.py has some of them.
TRAINING_AT_LENGTH = pytest.mark.parametrize(
    "backend", [pytest.param(name, marks=pytest.mark.long) if name == "jax" else name for name in TRAINERS]
)
# Without oracles: for what is compared with PyTorch, or within one test.
INSTALLED = [name for name in BACKENDS if name != "jax"]
