"""Cases of every backend, from the package's own table: a new row there is tested by all that is decorated with these.

EVERY_BACKEND    each, and eager
EVERY_PRECISION  each with each type of its numbers
COMPILED         each that runs compiled programs
SINGLE           each that runs compiled programs in float32
TRAINING         each that trains
"""

import pytest

from scalargrad.compiler.backends import BACKENDS
from tests.oracles.needed import ORACLES_OF_BACKENDS

EVERY_BACKEND = pytest.mark.parametrize("backend", BACKENDS)
EVERY_PRECISION = pytest.mark.parametrize(
    ("backend", "dtype"), [(name, dtype) for name, row in BACKENDS.items() for dtype in row.dtypes]
)
SINGLE = pytest.mark.parametrize(
    "backend", [name for name, row in BACKENDS.items() if name != "eager" and "float32" in row.dtypes]
)
COMPILED = pytest.mark.parametrize("backend", [name for name in BACKENDS if name != "eager"])
TRAINERS = [name for name, row in BACKENDS.items() if row.trains]
TRAINING = pytest.mark.parametrize("backend", TRAINERS)
# Of many cases, each of which XLA compiles for a second: test_xla.py has some of them.
TRAINING_AT_LENGTH = pytest.mark.parametrize(
    "backend", [pytest.param(name, marks=pytest.mark.long) if name == "jax" else name for name in TRAINERS]
)
# Without oracles: for what is compared with PyTorch, or within one test.
INSTALLED = [name for name in BACKENDS if name not in ORACLES_OF_BACKENDS]
