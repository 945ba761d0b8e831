"""The package as a whole: which module may import which, what an import loads, how long the engine is."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import scalargrad

PACKAGE = Path(scalargrad.__file__).parent  # beside the tests in a checkout, elsewhere where it is installed
ROOT = Path(__file__).parent.parent  # the folder of tests/, README.md, notebooks/ and pyproject.toml
in_a_checkout = pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="benchmarks/ lies only in a checkout")

# A module imports, at its top, only modules of lines above its own. The README shows this picture.
LEVELS = [
    ["forks"],
    ["ieee", "stepwise", "contexts", "randomness", "progress", "idx", "atomic_file"],
    ["operands", "safetensors_file", "augmentation"],
    ["samples", "digit_images"],
    ["ops"],
    ["methods"],
    ["engine", "emscripten"],
    ["anomaly", "functional", "nn", "losses", "optim", "schedules", "drawing", "expressions", "datasets"],
    ["compiler", "explanation", "diagnosis", "objectives", "architectures", "summaries", "training", "plots"],
    ["digits_network", "names"],
    ["stepping", "checkpoint", "model_programs"],
    ["learners", "prediction"],
    ["resuming"],
    ["fitting"],
    ["sklearn"],
    ["runs", "commandline"],
    ["moons", "digits", "graph_commands"],
    ["moons_command", "digit_commands"],
    ["cli"],
    ["__main__"],
]
# What a part needs in order to define its classes; it is imported only where a user asks for it.
BASES = {"sklearn": {"numpy", "sklearn"}}
RANK = {name: rank for rank, names in enumerate(LEVELS) for name in names}


def top_level_imports(path):
    """Modules imported when `path` is: not in functions, not under TYPE_CHECKING."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module == "scalargrad":
                yield from (f"scalargrad.{alias.name}" for alias in node.names)
            else:
                yield node.module


def modules():
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def part(path):
    """The line of the picture that a file belongs to: nn/dense.py is part of nn."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_level_imports_point_one_way(path):
    own = part(path)
    assert own in RANK, f"{own} has no place in the picture"
    for name in top_level_imports(path):
        if name.startswith("scalargrad"):
            imported = name.split(".")[1]
            assert imported == own or RANK[imported] < RANK[own], f"{own} may not import {imported}"
        else:
            known = sys.stdlib_module_names | BASES.get(own, set())
            assert name.split(".")[0] in known, f"{own} imports {name} where it is not yet used"


def test_importing_scalargrad_loads_only_the_standard_library():
    code = (
        "import sys; before = set(sys.modules); import scalargrad; "
        "new = {name.split('.')[0] for name in set(sys.modules) - before}; "
        "print(sorted(new - sys.stdlib_module_names - {'scalargrad'}))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True, cwd=ROOT)
    assert loaded.stdout.strip() == "[]"


def test_the_engine_is_read_in_one_sitting():
    lines = sum(len((PACKAGE / name).read_text(encoding="utf-8").splitlines()) for name in ("ops.py", "engine.py"))
    assert lines <= 600


def test_no_module_bears_the_name_of_a_public_function():
    files = {path.stem for path in PACKAGE.iterdir()} - {"__init__"}
    functions = {name for name in vars(scalargrad) if callable(getattr(scalargrad, name))}
    assert not files & functions


def test_only_dot_and_sum_are_known_by_name_outside_the_table():
    engine = (PACKAGE / "engine.py").read_text(encoding="utf-8")
    imported = next(line for line in engine.splitlines() if line.startswith("from scalargrad.ops"))
    assert imported == "from scalargrad.ops import Op, dot"


def test_every_operation_is_a_method_and_a_function():
    from scalargrad.ops import OPERATIONS

    for name, op in OPERATIONS.items():
        assert callable(getattr(scalargrad.Value, name))
        assert getattr(scalargrad, name) is op


def test_a_star_import_hides_no_builtin():
    import builtins

    assert not {name for name in scalargrad.__all__ if hasattr(builtins, name)}


def test_layers_are_loaded_when_they_are_first_used():
    import scalargrad.nn

    assert {*scalargrad.nn.FILES} < {*scalargrad.nn.__all__}
    for name, file in scalargrad.nn.FILES.items():
        assert getattr(scalargrad.nn, name).__module__ == f"scalargrad.nn.{file}"
    code = "import sys, scalargrad; sys.exit('scalargrad.nn.convolution' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
