"""Each row of the page "What may change around a compiled function" has its tests, and its example is right."""

import ast
import doctest
import re

import numpy as np
import pytest

from scalargrad import TraceError
from scalargrad.compiler import variants
from tests.compiler.changes.cases import CHANGES, ORACLES, REFUSABLE
from tests.compiler.changes.frozen import KINDS
from tests.compiler.changes.running import answers, compiled
from tests.compiler.losses_of_users import INDICES, LOSSES, evaluate
from tests.paths import ROOT, in_a_checkout

PATH = ROOT / "notebooks" / "what_may_change.md"
PAGE = PATH.read_text(encoding="utf-8")


def rows(heading):
    """The rows of the table below a heading: a list of cells each."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def name_of(cell):
    """What is in bold, or all before a colon."""
    bold = re.match(r"\*\*(.+?)\*\*", cell)
    return bold[1] if bold else cell.partition(":")[0].replace("`", "")


# For each row, cases of tests/changes that are noticed; or tests elsewhere.
NOTICED = {
    "numbers and texts": "a_number a_flag a_text a_path a_member_of_an_enum a_zero_that_changes_its_sign "
    "an_int_that_becomes_a_bool",
    "lists": "an_item_of_a_list a_list_that_is_sorted a_list_that_grows a_list_in_a_list a_deque a_bytearray "
    "a_list_subclass",
    "dictionaries and sets": "an_item_of_a_dict the_order_of_a_dict a_key_that_appears a_key_that_goes a_set "
    "the_default_of_a_defaultdict a_counter_of_collections the_values_of_a_dict_kept_as_a_view",
    "attributes": "an_attribute an_attribute_of_a_dataclass a_slot an_attribute_of_a_namespace the_dict_of_an_object "
    "an_attribute_with_a_default an_attribute_that_is_tried the_dict_behind_getattr",
    "holders": "a_module_behind_a_weak_reference a_context_variable the_object_behind_a_proxy "
    "a_module_behind_a_queue a_list_in_an_object_array a_module_behind_a_mappingproxy",
    "classes": "an_attribute_of_a_class a_method_of_a_class a_property the_state_of_a_descriptor the_bases_of_a_class "
    "an_attribute_of_a_metaclass the_class_of_an_object",
    "variables": "a_variable_of_a_closure_in_a_closure the_variable_of_a_decorator the_defaults a_keyword_default "
    "an_attribute_of_a_function a_list_in_a_partial",
    "functions": "a_function_made_by_a_factory the_code_of_a_function the_key_of_sorted map_over_a_list "
    "a_generator_function a_cached_function_that_reads_a_list a_method_of_a_base_class",
    "modules": "a_global_of_a_helper a_function_of_a_helper an_attribute_of_a_submodule a_builtin "
    "a_global_of_an_installed_package a_global_that_hides_a_builtin an_environment_variable",
    "Modules": "a_layer_that_is_another a_layer_that_is_added the_settings_of_a_module the_activation_of_a_neuron "
    "an_attribute_of_a_module_class the_call_of_a_module_class a_module_behind_an_object",
    "Parameters": "a_parameter_that_is_another a_list_of_values_in_another_order a_parameter_that_moves "
    "a_value_that_is_an_attribute_of_a_class",
    "arrays": "an_array_in_place an_array_that_a_view_shows the_mask_of_a_masked_array the_shape_of_an_array "
    "a_tensor_of_pytorch a_frame_of_pandas",
    "optimizers and schedules": "test_trainer.py::test_what_callbacks_change_is_honoured "
    "test_trainer.py::test_every_optimizer_moves_as_in_the_loop",
}
# Losses that look at their label, cases of tests/changes, or tests elsewhere: each is refused.
REFUSED = {
    "a branch": "an_if_equal an_if_larger an_and a_hinge_with_max a_sorted_list a_ternary",
    "a float": "a_float an_int a_round a_logarithm_of_math",
    "an index": "an_item_of_a_list a_range_of_a_float the_start_of_a_list",
    "a dictionary key": "a_dictionary_by_label a_set a_hash a_cached_function",
    "text": "a_text_by_label an_f_string a_format",
    "its class": "an_isinstance_of_float a_match_of_a_class",
    "random numbers": "a_random_branch noise_on_the_label a_clock a_generator_of_numpy",
    "an iterator": "an_iterator_of_weights a_cycle a_count a_generator_of_python",
    "changing what it reads": "a_count_of_calls a_global_that_counts a_list_that_the_function_takes_from",
    "a result from outside": "a_result_from_outside the_number_of_a_result_from_outside",
    "NumPy's functions": "a_floor_of_numpy an_isnan_of_numpy a_sign_of_numpy",
    "leaving the graph": "the_data_of_an_output a_detached_output "
    "test_trace.py::test_no_grad_inside_a_function_is_not_ignored",
    "another compiled function": "test_watching.py::test_a_compile_inside_is_refused_and_leaves_no_watcher",
    "other threads": "test_trace.py::test_work_in_another_thread_is_refused",
}
ALLOWED = {  # which the rows mention, too
    "text": "losses_of_users.py::a_print",
    "changing what it reads": "test_net.py::test_functions_that_write_are_checked_and_do_not_loop",
}
TABLES = {"What is noticed": NOTICED, "What is refused": REFUSED}
PAIRS = {
    heading: [(row, case) for row, cases in table.items() for case in cases.split()]
    for heading, table in TABLES.items()
}


@pytest.fixture(autouse=True)
def _no_net(monkeypatch):
    """Nothing is traced again without a reason."""
    monkeypatch.setattr(variants.Variant, "check", lambda self: None)


def assert_rows_are_named(page_rows, names):
    assert [name_of(row[0]) for row in page_rows] == [*names]


@pytest.mark.parametrize("heading", TABLES)
def test_each_row_names_its_tests(heading):
    assert_rows_are_named(rows(heading), TABLES[heading])
    assert all(TABLES[heading].values())
    assert all(len(row) == 2 and all(row) for row in rows(heading))


def test_a_row_without_tests_is_seen():
    with pytest.raises(AssertionError):
        assert_rows_are_named([*rows("What is noticed"), ["**tides**", "the moon"]], NOTICED)


def functions_of(file):
    tree = ast.parse((ROOT / "tests" / "compiler" / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(
    "case", [case for pairs in (*PAIRS.values(), ALLOWED.items()) for _, case in pairs if "::" in case]
)
def test_tests_elsewhere_are_there(case):
    file, name = case.split("::")
    assert name in functions_of(file)


@pytest.mark.parametrize(
    ("row", "case"),
    [
        pytest.param(row, case, marks=pytest.mark.oracle(ORACLES[case]) if case in ORACLES else ())
        for row, case in PAIRS["What is noticed"]
        if "::" not in case
    ],
)
def test_what_the_page_says_is_noticed(row, case, tmp_path):
    """And not refused: there is an answer after the change, the eager one."""
    right = answers(CHANGES[case], tmp_path, lambda function: lambda: float(np.mean([float(function(x)) for x in X])))
    found = answers(CHANGES[case], tmp_path, compiled("numpy"))
    np.testing.assert_allclose(np.array(found, float), right, rtol=1e-12)


X = [1.0, 2.0, 3.0]


@pytest.mark.parametrize(("row", "case"), [pair for pair in PAIRS["What is refused"] if "::" not in pair[1]])
def test_what_the_page_says_is_refused(row, case, tmp_path):
    """With the remedy that the page names, or one of them."""
    remedy = next(cells[1] for cells in rows("What is refused") if name_of(cells[0]) == row)
    if case in REFUSABLE:
        assert answers(REFUSABLE[case], tmp_path, compiled("numpy"))[-1] is None
        return
    table = INDICES if row == "an index" else LOSSES
    with pytest.raises(TraceError) as refused:
        evaluate(table[case].make(), "compiled")
    words = set(re.findall(r"\w+", remedy)) - {"or", "and", "it", "the", "an", "of", "with"}
    assert words & set(re.findall(r"\w+", str(refused.value)))


def test_what_rows_let_through():
    assert ALLOWED.keys() <= REFUSED.keys()
    eager, found = (evaluate(LOSSES["a_print"].make(), engine) for engine in ("eager", "compiled"))
    np.testing.assert_allclose(found, eager, rtol=1e-9)


def test_what_stays_frozen_is_what_the_tests_show():
    """Those tests are in test_what_may_change.py and test_losses_of_users.py."""
    listed = {name_of(kind): finder for kind, finder in rows("What stays frozen")}
    assert listed == {kind: "the net" if is_found else "nobody" for kind, (_, is_found) in KINDS.items()}
    assert len(listed) <= 5


def test_the_example_is_right():
    failed, tried = doctest.testfile(
        str(PATH), module_relative=False, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE, encoding="utf-8"
    )
    assert (failed, tried) == (0, 7)


def test_the_page_is_short():
    lines = PAGE.splitlines()
    assert len(lines) <= 90
    assert max(map(len, lines)) <= 120


@in_a_checkout
def test_the_page_is_linked():
    from scalargrad import compile

    assert "(notebooks/what_may_change.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "notebooks/what_may_change.md" in compile.__doc__
    for link in re.findall(r"\]\((?!https?:|#)([^)]+)\)", PAGE):
        assert (PATH.parent / link).exists(), link
