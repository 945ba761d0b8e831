"""The package as a whole: which module may import which, what an import loads, how long the engine is."""

import ast
import importlib
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import scalargrad
from scalargrad.ops import OPERATIONS
from scalargrad.support.moved import MOVED
from tests.paths import FOLDERS, PACKAGE, ROOT

FACES = {"scalargrad", "scalargrad.__main__"}  # which users see, and nobody inside imports


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in PACKAGE.rglob("*.py")}


@cache
def imports_of(module: str) -> list[tuple[str, str]]:
    """What a module imports of this package, and where: at its top, "inside" of functions, for "types" only."""
    found = []

    def visit(node: ast.AST, where: str) -> None:
        for child in ast.iter_child_nodes(node):
            here = where
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                here = "inside"
            elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                here = "types"
            elif isinstance(child, ast.Import):
                found.extend((alias.name, where) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                for alias in child.names:
                    full = f"{child.module}.{alias.name}"
                    found.append((full if full in MODULES else child.module, where))
            visit(child, here)

    visit(ast.parse(MODULES[module].read_text(encoding="utf-8")), "top")
    return [(name, where) for name, where in found if name.partition(".")[0] == "scalargrad"]


def folder_of(module: str) -> str:
    """A name of the line above."""
    first = module.split(".")[1]
    return first if first in FOLDERS else "engine"


def upward_imports() -> list[str]:
    found = []
    for module in MODULES.keys() - FACES:
        for imported, where in imports_of(module):
            own = FOLDERS.index(folder_of(module))
            if imported in FACES or FOLDERS.index(folder_of(imported)) > own:
                found.append(f"{module} imports {imported} ({where})")
    return sorted(found)


def circles() -> list[list[str]]:
    """Modules that import each other, by imports of all three kinds: Tarjan's strongly connected components."""
    number, lowest, stack, found = {}, {}, [], []

    def visit(module: str) -> None:
        number[module] = lowest[module] = len(number)
        stack.append(module)
        for imported, _ in imports_of(module):
            if imported not in MODULES:
                continue
            if imported not in number:
                visit(imported)
                lowest[module] = min(lowest[module], lowest[imported])
            elif imported in stack:
                lowest[module] = min(lowest[module], number[imported])
        if lowest[module] == number[module]:
            place = stack.index(module)
            if len(stack) > place + 1:
                found.append(sorted(stack[place:]))
            del stack[place:]

    for module in MODULES:
        if module not in number:
            visit(module)
    return found


def test_a_folder_imports_only_what_stands_to_its_left():
    assert upward_imports() == []


def test_no_module_imports_itself_by_way_of_others():
    assert circles() == []


def test_importing_scalargrad_loads_only_the_standard_library():
    code = (
        "import sys; before = set(sys.modules); import scalargrad; "
        "new = {name.split('.')[0] for name in set(sys.modules) - before}; "
        "print(sorted(new - sys.stdlib_module_names - {'scalargrad'}))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True, cwd=ROOT)
    assert loaded.stdout.strip() == "[]"


def test_the_engine_is_read_in_one_sitting():
    seven = ["ieee", "operands", "ops", "methods", "observers", "engine", "randomness"]
    lines = {name: len((PACKAGE / f"{name}.py").read_text(encoding="utf-8").splitlines()) for name in seven}
    more = 2 * (len(OPERATIONS) - 48)  # another operation may have its row
    advice = "a row has two lines; what else it needs is paid for elsewhere"
    assert lines["ops"] + lines["engine"] <= 560 + more, advice
    assert sum(lines.values()) <= 1070 + more, advice


@pytest.mark.parametrize(
    "pattern",
    [
        r"isinstance\([\w.]+, bool\) or not isinstance|and not isinstance\([\w.]+, bool\)",
        r"raise ValueError\(f.*is not known; there are",
    ],
    ids=["whole numbers", "known names"],
)
def test_settings_are_checked_in_one_place(pattern):
    written = [path for path in PACKAGE.rglob("*.py") if re.search(pattern, path.read_text(encoding="utf-8"))]
    assert [path.name for path in written] == ["checks.py"]


@cache
def definitions() -> list[tuple[str, ast.AST]]:
    """(module, node) for each function, class and module of the whole package."""
    kinds = (ast.FunctionDef, ast.ClassDef, ast.Module)
    trees = {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in MODULES.items()}
    return [(module, node) for module, tree in trees.items() for node in ast.walk(tree) if isinstance(node, kinds)]


@pytest.mark.parametrize(("kind", "most"), [(ast.FunctionDef, 80), (ast.ClassDef, 300)])
def test_functions_and_classes_are_read_at_a_glance(kind, most):
    long = [
        f"{module}.{node.name}"
        for module, node in definitions()
        if isinstance(node, kind) and node.end_lineno - node.lineno >= most
    ]
    assert long == []


def test_docstrings_begin_with_a_verb_or_a_noun_of_the_subject():
    texts = [(module, ast.get_docstring(node) or "") for module, node in definitions()]
    assert [pair for pair in texts if re.match(r"(What|It|Those|That|Whatever)\b", pair[1])] == []


def test_anything_is_said_where_something_may_be_anything():
    written = {
        module: len(re.findall(r": Any\b", path.read_text(encoding="utf-8"))) for module, path in MODULES.items()
    }
    assert sum(written.values()) <= 200, sorted(written.items(), key=lambda pair: -pair[1])[:12]


def test_no_module_bears_the_name_of_a_public_function():
    files = {path.stem for path in PACKAGE.iterdir()} - {"__init__"}
    functions = {name for name in vars(scalargrad) if callable(getattr(scalargrad, name))}
    assert not files & functions


def test_only_dot_and_sum_are_known_by_name_outside_the_table():
    engine = (PACKAGE / "engine.py").read_text(encoding="utf-8")
    imported = next(line for line in engine.splitlines() if line.startswith("from scalargrad.ops"))
    assert imported == "from scalargrad.ops import Op, dot"


def test_every_operation_is_a_method_and_a_function():
    from scalargrad.compiler.tracer import Tracer
    from scalargrad.compiler.writer import Rows

    for name, op in OPERATIONS.items():
        specials = [f"__{op.special}__", f"__r{op.special}__"][: op.scalars] if op.special else []
        for kind in (scalargrad.Value, Tracer, Rows):  # all stamped alike
            assert {vars(kind)[method].__module__ for method in (name, *specials)} == {"scalargrad.methods"}
        assert getattr(scalargrad, name) is op


@pytest.mark.parametrize(
    "package", ["scalargrad", "scalargrad.nn", "scalargrad.datasets", "scalargrad.plots", "scalargrad.training"]
)
def test_type_checkers_and_editors_see_the_table_of_names(package):
    door = importlib.import_module(package)
    source = ast.parse(Path(door.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in source.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    seen = {}
    for line in block.body:
        names = [alias.name for alias in line.names]
        assert names == ["*"] or [alias.asname for alias in line.names] == names  # "as" makes them public
        seen.setdefault(line.module.removeprefix(f"{package}."), []).extend(names)
    if package == "scalargrad":
        assert seen.pop("ops") == ["*"]
        assert door.NAMES["ops"] == [*OPERATIONS]
    assert {module: sorted(names) for module, names in seen.items()} == {
        module: sorted(names) for module, names in door.NAMES.items() if module != "ops"
    }
    for module, names in door.NAMES.items():
        for name in names:
            assert getattr(door, name) is getattr(importlib.import_module(f"{package}.{module}"), name)
            assert name in dir(door)
        if "." not in module:
            assert getattr(door, module) is importlib.import_module(f"{package}.{module}")
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'Vaule'"):
        door.Vaule  # noqa: B018


def test_a_star_import_hides_no_builtin():
    import builtins

    assert not {name for name in scalargrad.__all__ if hasattr(builtins, name)}


def test_layers_are_loaded_when_they_are_first_used():
    import scalargrad.nn

    for file, names in scalargrad.nn.NAMES.items():
        for name in set(names) - {"Buffer", "Parameter"}:  # which stand below
            assert getattr(scalargrad.nn, name).__module__ == f"scalargrad.nn.{file}"
    code = "import sys, scalargrad; sys.exit('scalargrad.nn.convolution' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


# What old modules defined and there still is: functions and classes, and constants that lie in another module.
OLD_NAMES = {
    "architectures": "Architecture describe shapes_of build difference array_shapes check_depth",
    "atomic_file": "replace_file writable_target",
    "augmentation": "Rotate Shift Augment normalised rotated shifted",
    "checkpoint": "save load load_into",
    "commandline": "add_settings chosen_settings plain_where_needed finish_output finished_files check_writable",
    "contexts": "Observer Block show no_grad with_grad observed_by observed_only_by open_blocks observers recording",
    "diagnosis": "Finding Report diagnose REMEDIES UNIT_SHARE LAYER_RATIO LARGEST_RMS OVERSHOOTS IDLE_PASSES",
    "digit_commands": "add_digits_options add_mnist_options add_predict_options run_digits run_mnist run_predict",
    "digit_images": "read_digit",
    "digits": "Settings Images Result split_digits learn new_model shaped run worst_classified summarised",
    "digits_network": "convolutional_network",
    "emscripten": "free_one_by_one",
    "explanation": "Path Explanation explain short_count short_share ordinal",
    "expressions": "ExpressionError evaluate parse_assignments check_name applied quoted",
    "fitting": "Data fit SPLIT",
    "forks": "freed kept undone in_whole loaded in_children",
    "graph_commands": "add_formula add_draw_options add_explain_options run_draw run_explain computed",
    "idx": "read_idx",
    "learners": "Counters CompiledLearner EagerLearner",
    "model_programs": "training_program outputs_program loss_program Updates rows_as_tuples flat shape_of",
    "moons": "Settings Result learn run boundary_frame draw_neuron draw_model summarised",
    "moons_command": "add_moons_options run_moons",
    "names": "generate_names probability surprise encode decode LSTMNames AttentionNames name_loss sample_names",
    "nn.holders": "Parameter Buffer Holder inventory walk arrays arrays_of shape_of_array nested opened attributes",
    "nn.nested": "shape_of is_nested numbers_in on_each_number like check_image checked_shape shown",
    "objectives": "Objective objective_of measure_of confusion refuse_one_class MOST_LABELS NUMBER_THE_CLASSES",
    "prediction": "Evaluation predict predict_proba evaluate outputs_of measured",
    "progress": "progress_bar",
    "resuming": "Details Checkpoint write_run numbers_of read_run",
    "runs": "check_training check write_summary versions",
    "safetensors_file": "Entry write_arrays read_arrays",
    "samples": "checked_inputs checked_numbers checked_weights as_numbers as_array variable",
    "stepping": "SteppingPage step_through Term backward_terms Reading",
    "stepwise": "decorated",
    "summaries": "summary",
}


@pytest.mark.parametrize("old", MOVED)
def test_an_old_path_of_a_module_goes_on_working_and_warns(old):
    with pytest.warns(DeprecationWarning, match=rf"scalargrad\.{old} is scalargrad\."):
        module = importlib.import_module(f"scalargrad.{old}")
    del sys.modules[f"scalargrad.{old}"]
    for new in MOVED[old].split():
        own = importlib.import_module(f"scalargrad.{new}")
        for name, content in vars(own).items():
            assert name.startswith("__") or vars(module)[name] is content
    assert {name for name in OLD_NAMES[old].split() if not hasattr(module, name)} == set()
    assert module is own or " " in MOVED[old]  # so that what is set later is seen there, too


def test_a_package_knows_its_old_paths_and_warns_at_the_line_that_asks():
    code = """import sys, scalargrad
loaded = {*sys.modules}
assert not hasattr(scalargrad, "context")
assert "contexts" not in dir(scalargrad)
assert scalargrad.contexts is scalargrad.observers
assert scalargrad.nn.holders is scalargrad.nn.holders
new = {name for name in {*sys.modules} - loaded if name.startswith("scalargrad")}
assert new == {"scalargrad.contexts", "scalargrad.nn.holders"}, new
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True, cwd=ROOT)
    warned = re.findall(r"^(\S+) DeprecationWarning: (.*)", done.stderr, re.MULTILINE)
    assert warned == [
        ("<string>:5:", "scalargrad.contexts is scalargrad.observers now"),
        ("<string>:6:", "scalargrad.nn.holders is scalargrad.holders now"),
    ]


def test_what_tests_share_lies_in_no_test_file():
    """But code for a process of its own may be that of its own test file."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for found in re.findall(r"^ *from (tests\.[\w.]*\btest_\w+) import", text, re.MULTILINE):
            assert ROOT.joinpath(*found.split(".")).with_suffix(".py") == path, f"{path.name} imports from {found}"
