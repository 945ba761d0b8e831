"""Where the checkout and the package lie, and the order of its folders."""

from pathlib import Path

import pytest

import scalargrad

PACKAGE = Path(scalargrad.__file__).parent  # beside the tests in a checkout, elsewhere where it is installed
ROOT = Path(__file__).parent.parent  # the folder of tests/, README.md, notebooks/ and pyproject.toml
in_a_checkout = pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="benchmarks/ lies only in a checkout")
# A folder imports only what stands to its left; the files at the top are the engine. The README shows this line.
FOLDERS = [
    "engine",
    "javascript",
    "files",
    "datasets",
    "drawing",
    "compiler",
    "explaining",
    "plots",
    "training",
    "nn",
    "pages",
    "sklearn",
    "demos",
    "cli",
]
