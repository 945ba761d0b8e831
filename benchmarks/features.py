"""What people look for, feature by feature: micrograd, PyTorch on scalars, HIPS autograd, MyGrad, scikit-learn's MLP.

    pip install micrograd autograd mygrad numba torch==2.13.0 && python benchmarks/features.py

No cell comes from a manual: each is a line of code that is run here. "yes": it gives the right result; else what it
gives instead, or "no" where there is nothing of the kind or it raises. A dash: the library is about something else. Our
own cells link to the test that holds them to it. The table goes into README.md beside this file.
"""

import contextlib
import copy
import fractions
import importlib
import io
import math
import pickle
import platform
import subprocess
import sys
import tempfile
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy

HERE = Path(__file__).parent
LIBRARIES = ("scalargrad", "micrograd", "PyTorch", "HIPS autograd", "MyGrad", "scikit-learn")
HEADING = "## Feature by feature\n"


@dataclass
class Row:
    """A feature, and how to see it.

    test    of ours, below tests: file#function
    code    an expression in the names that each library has below
    right   what it gives
    """

    feature: str
    test: str
    code: str
    right: Any = True


# fmt: off
def numbers() -> list[Row]:
    return [
        Row("6 a² has the slope 36 at 3", "engine/test_edge_cases.py#test_six_times_a_square",
            "grad(lambda a: 6.0 * a * a, 3.0)", [36.0]),
        Row("`backward()` twice through one graph adds 27 to 27",
            "engine/test_engine.py#test_leaves_accumulate_and_the_interior_is_set_afresh",
            "twice(3.0)", 54.0),
        Row("20,000 operations in a row",
            "engine/test_engine.py#test_a_deep_chain_is_built_run_and_freed_at_the_default_recursion_limit",
            "grad(chain, 1.0)", [20_001.0]),
        Row("1 / 0 is inf, and its slope -inf",
            "engine/test_edge_cases.py#test_values_and_gradients_of_awkward_arguments",
            "grad(lambda a: 1.0 / a, 0.0)", [-math.inf]),
        Row("x⁰ has the slope 0 at 0", "engine/test_edge_cases.py#test_values_and_gradients_of_awkward_arguments",
            "grad(lambda a: a**0, 0.0)", [0.0]),
        Row("xʸ has two slopes", "engine/test_edge_cases.py#test_values_and_gradients_of_awkward_arguments",
            "grad(lambda a, b: a**b, 2.0, 3.0)", [12.0, 8.0 * math.log(2.0)]),
        Row("tanh'(20) is 1.7e-17", "engine/test_edge_cases.py#test_the_slope_of_tanh_at_20_is_not_lost",
            "grad(lambda a: m.tanh(a), 20.0)", [1.699341702116633e-17]),
        Row("a nan stays a nan in relu", "engine/test_edge_cases.py#test_values_and_gradients_of_awkward_arguments",
            "grad(relu, math.nan)", [math.nan]),
        Row("√(a² + b²) has the slopes 0 at 0: `hypot`",
            "engine/test_edge_cases.py#test_values_and_gradients_of_awkward_arguments",
            "grad(lambda a, b: m.hypot(a, b), 0.0, 0.0)", [0.0, 0.0]),
        Row("ties of `maximum` share", "engine/test_edge_cases.py#test_values_and_gradients_of_awkward_arguments",
            "grad(lambda a, b: m.maximum(a, b), 1.0, 1.0)", [0.5, 0.5]),
        Row("`asinh`, `log2`", "engine/test_ops.py#test_values_and_gradients_match_mpmath",
            "grad(lambda a: m.asinh(a) + m.log2(a), 2.0)",
            [1.0 / math.sqrt(5.0) + 0.5 / math.log(2.0)]),
        Row("`%` and its two slopes", "engine/test_ops.py#test_values_and_gradients_match_mpmath",
            "grad(lambda a, b: a % b, -7.0, 3.0)", [1.0, 3.0]),
        Row("`//`", "engine/test_ops.py#test_values_and_gradients_match_mpmath",
            "grad(lambda a: a // 2.0 + a, 7.0)", [1.0]),
        Row("`silu`, `gelu`, `elu`", "engine/test_ops.py#test_values_and_gradients_match_mpmath",
            "grad(lambda a: f.silu(a) + f.gelu(a) + f.elu(a), 0.5)", [2.607456311958811]),
        Row("`clamp`: slope 1 at its bounds",
            "engine/test_edge_cases.py#test_values_and_gradients_of_awkward_arguments",
            "grad(lambda a: m.clamp(a, 0.0, 1.0), 1.0)",
            [1.0]),
        Row("`float(v)`, `int(v)`, `round(v, 1)`, `v.item()`, `+v`",
            "engine/test_protocol.py#test_conversions_give_pythons_numbers",
            "[float(v), int(v), round(v, 1), v.item(), float(+v)]", [2.5, 2, 2.5, 2.5, 2.5]),
        Row("text, None and complex numbers are refused",
            "engine/test_edge_cases.py#test_a_value_of_something_else_is_refused",
            "refused()", True),
        Row("a Fraction is an operand", "engine/test_edge_cases.py#test_every_real_number_is_an_operand",
            "grad(lambda a: a * fractions.Fraction(1, 2), 3.0)", [0.5]),
        Row("NumPy's functions on an array of Values",
            "engine/test_edge_cases.py#test_numpy_functions_of_object_arrays_give_values",
            "abs(float(numpy.arctan(numpy.array([v]))[0]) - math.atan(2.5)) < 1e-15", True),
        Row("copies and pickles", "engine/test_engine.py#test_leaves_are_copied_and_pickled_with_their_gradient",
            "float(copy.deepcopy(v)) + float(pickle.loads(pickle.dumps(v)))", 5.0),
    ]


def derivatives() -> list[Row]:
    cubic = "lambda a: a * a * a"
    return [
        Row("the third derivative", "engine/test_functional.py#test_grad_of_grad_of_grad",
            "third(lambda a: m.sin(a), 0.5)", -math.cos(0.5)),
        Row("forward mode: `jvp(function, point, direction)`",
            "engine/test_jacobians.py#test_first_derivatives_are_jaxs_in_both_modes",
            f"jvp({cubic}, 2.0, 1.0)", 12.0),
        Row("`vjp`", "engine/test_jacobians.py#test_first_derivatives_are_jaxs_in_both_modes",
            f"vjp({cubic}, 2.0, 1.0)", 12.0),
        Row("Jacobians",
            "engine/test_jacobians.py#test_both_modes_and_the_jacobian_agree_with_differences_in_60_digits",
            "jacobian(lambda x: [x[0] * x[1], x[0] + x[1]], [2.0, 3.0])", [[3.0, 2.0], [1.0, 1.0]]),
        Row("Hessians", "engine/test_jacobians.py#test_gradients_and_second_derivatives_are_jaxs",
            "hessian(lambda x: x[0] * x[0] * x[1], [3.0, 5.0])", [[10.0, 6.0], [6.0, 0.0]]),
        Row("gradients of dictionaries", "engine/test_jacobians.py#test_dictionaries_keep_their_kind_and_order",
            "of_dictionary()", {"a": 3.0, "b": 2.0}),
        Row("`has_aux`: what else a function returns", "engine/test_jacobians.py#test_aux_and_argnums_are_as_in_jax",
            "with_aux()", [12.0, 4.0]),
        Row("gradients checked by differences",
            "engine/test_functional.py#test_gradcheck_names_the_operation_that_is_wrong",
            "checked()", True),
        Row("the line that made the first nan", "engine/test_engine.py#test_an_anomaly_names_its_line",
            "anomaly()", True),
        Row("`detach`", "engine/test_engine.py#test_detach_cuts",
            "grad(lambda a: a * a.detach(), 3.0)", [3.0]),
    ]


def modules() -> list[Row]:
    return [
        Row("`SGD(parameters, lr=...)`, `zero_grad()`, `step()`",
            "engine/test_given.py#test_a_loop_as_in_pytorch_is_pytorchs",
            "stepped()", 0.6),
        Row("an optimizer's `state_dict`",
            "engine/test_given.py#test_a_state_goes_through_json_and_pickle_and_on_to_the_bit",
            "state_of_optimizer()"),
        Row("Adam and RMSprop", "engine/test_optim.py#test_every_step_is_pytorchs",
            "optimizers()"),
        Row("`forward` in place of `__call__`", "nn/test_habits.py#test_a_model_with_a_forward_is_one_with_a_call",
            "with_forward()", 6.0),
        Row("`children`, `modules`, `apply`", "nn/test_habits.py#test_children_and_modules_come_in_pytorchs_order",
            "walked()", 2),
        Row("micrograd's `MLP(nin=2, nouts=[1])`", "nn/test_habits.py#test_sizes_go_by_micrograds_names",
            "keywords()", 3),
        Row("convolutions and recurrence", "nn/test_recurrent.py#test_a_sequence_is_pytorchs",
            "layers()"),
        Row("attention", "nn/test_attention.py#test_attention_is_pytorchs_with_a_causal_mask",
            "attention()"),
        Row("code for one sample runs over many, compiled",
            "compiler/backends/test_backends.py#test_a_function_gives_what_the_loop_gives",
            "batched()", [2.0, 8.0]),
    ]


def training() -> list[Row]:
    return [
        Row("`fit` and `predict` on arrays",
            "training/test_fitting.py#test_predictions_are_those_of_the_model_one_by_one",
            "fitted()"),
        Row("early stopping", "training/test_early_stopping.py#test_the_rule_is_that_of_keras",
            "stopping()"),
        Row("gradients clipped inside `fit`", "training/test_clipping.py#test_fit_is_the_loop_written_by_hand",
            "clipping()"),
        Row("class weights", "training/test_class_weights.py#test_balanced_weights_are_scikit_learns",
            "class_weights()"),
        Row("a killed run goes on, to the bit",
            "training/test_checkpoint.py#test_a_killed_process_is_resumed_in_another_one",
            "resuming()"),
        Row("L-BFGS", "training/test_sklearn_habits.py#test_lbfgs_has_no_epochs",
            "lbfgs()"),
        Row("several labels a sample, several outputs, sparse rows",
            "training/test_sklearn_habits.py#test_several_labels_a_row_are_told_apart",
            "several()"),
        Row("passes scikit-learn's checks of estimators", "training/test_sklearn.py#test_scikit_learns_checks_pass",
            "checks()"),
        Row("models as safetensors, without pickle", "files/test_models.py#test_a_trained_model_goes_on_where_it_was",
            "saved()"),
    ]


def pictures() -> list[Row]:
    return [
        Row("a picture of the graph",
            "drawing/test_drawing.py#test_the_neuron_shows_its_data_gradients_and_local_derivatives",
            "drawn()"),
        Row("the chain rule in words, along every path",
            "explaining/test_explanation.py#test_the_listed_paths_are_all_paths_and_add_up_to_the_gradient",
            "explained()"),
        Row("a page on which values are dragged", "pages/test_explore.py#test_a_drag_moves_data_and_gradients",
            "page()"),
        Row("a trained model as JavaScript", "pages/test_exported.py#test_a_fitted_network_predicts_as_in_python",
            "javascript()"),
        Row("packages that its import needs",
            "docs/test_house.py#test_importing_scalargrad_loads_only_the_standard_library",
            "needed()", 0),
    ]
# fmt: on


# Each library's words for the names in the rows. A name that is missing here is a feature that is missing there.


def of_scalargrad() -> dict[str, Any]:
    import scalargrad
    from scalargrad import MLP, SGD, Adam, Module, RMSProp, Value
    from scalargrad.nn import GRU, CausalSelfAttention, Conv2d

    class Doubled(Module):
        def forward(self, x: Any) -> Any:
            return 2.0 * x

    def stepped() -> float:
        w = Value(1.0)
        optimizer = SGD([w], lr=0.2)
        optimizer.zero_grad()
        (w * w).backward()
        optimizer.step()
        return w.data

    def fit(**settings: Any) -> bool:
        X, y = toy()
        history = MLP(2, [1], rng=0).fit(X, y, "binary_cross_entropy", epochs=3, progress=False, **settings)
        return len(history["loss"]) == 3

    def explained() -> bool:
        x = Value(2.0, "x")
        return "·" in str(scalargrad.explain((x * x).tanh(), x))

    def javascript() -> bool:
        with tempfile.TemporaryDirectory() as folder:
            scalargrad.export(MLP(2, [1], rng=0), Path(folder) / "model.js")
            return "export" in (Path(folder) / "model.js").read_text(encoding="utf-8")

    def saved() -> bool:
        with tempfile.TemporaryDirectory() as folder:
            MLP(2, [1], rng=0).save(Path(folder) / "model.safetensors")
            return isinstance(scalargrad.load(Path(folder) / "model.safetensors"), MLP)

    y = lambda: (Value(2.0, "x") * Value(3.0, "w")).tanh()  # noqa: E731
    return {
        "m": scalargrad,
        "f": scalargrad,
        "leaf": Value,
        **reverse(Value, lambda v: v.grad),
        "relu": scalargrad.relu,
        "text": Value,
        "third": lambda f, x: scalargrad.grad(scalargrad.grad(scalargrad.grad(f)))(x),
        "jvp": lambda f, x, dx: scalargrad.jvp(f, x, dx)[1],
        "vjp": lambda f, x, dy: scalargrad.vjp(f, x)[1](dy)[0],
        "jacobian": lambda f, x: scalargrad.jacobian(f)(x),
        "hessian": lambda f, x: scalargrad.hessian(f)(x),
        "of_dictionary": lambda: scalargrad.grad(lambda p: p["a"] * p["b"])({"a": 2.0, "b": 3.0}),
        "with_aux": lambda: scalargrad.grad(lambda a: (a * a * a, a + a), has_aux=True)(2.0),
        "checked": lambda: scalargrad.gradcheck(lambda a: a * a, [2.0]),
        "anomaly": lambda: stopped_at_nan(scalargrad.anomaly_detection, lambda: Value(-1.0).log()),
        "stepped": stepped,
        "state_of_optimizer": lambda: bool(Adam([Value(1.0)]).state_dict()),
        "optimizers": lambda: all((Adam, RMSProp)),
        "with_forward": lambda: Doubled()(Value(3.0)).data,
        "walked": lambda: len(list(MLP(2, [2, 1], rng=0).layers[0].apply(lambda part: None).children())),
        "keywords": lambda: len(MLP(nin=2, nouts=[1]).parameters()),
        "layers": lambda: all((Conv2d, GRU)),
        "attention": lambda: bool(CausalSelfAttention),
        "batched": lambda: scalargrad.compile(lambda x: [2.0 * x * x])([1.0, 2.0]).ravel().tolist(),
        "fitted": fit,
        "stopping": lambda: fit(validation=0.5, early_stopping=9, min_delta=1e-3),
        "clipping": lambda: fit(clip_grad_norm=1.0),
        "class_weights": lambda: fit(class_weight="balanced"),
        "resuming": lambda: bool(scalargrad.Checkpoint),
        "saved": saved,
        "drawn": lambda: "<svg" in scalargrad.draw(y()).svg(),
        "explained": explained,
        "page": lambda: "<script" in str(scalargrad.explore(y()).html),
        "javascript": javascript,
        "needed": lambda: loaded_by("scalargrad"),
        **of_estimators("scalargrad.sklearn"),
    }


def of_micrograd() -> dict[str, Any]:
    from micrograd.engine import Value
    from micrograd.nn import MLP

    return {
        "m": types.SimpleNamespace(),
        "f": types.SimpleNamespace(),
        "leaf": Value,
        **reverse(Value, lambda v: v.grad),
        "relu": lambda a: a.relu(),
        "text": Value,
        "keywords": lambda: len(MLP(nin=2, nouts=[1]).parameters()),
        "needed": lambda: loaded_by("micrograd.engine"),
    }


def of_pytorch() -> dict[str, Any]:
    import torch

    def leaf(x: float) -> Any:
        return torch.tensor(x, dtype=torch.float64, requires_grad=True)

    def tensors(x: Any) -> Any:
        return torch.tensor(x, dtype=torch.float64)

    class Doubled(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return 2.0 * x

    def stepped() -> float:
        w = leaf(1.0)
        optimizer = torch.optim.SGD([w], lr=0.2)
        optimizer.zero_grad()
        (w * w).backward()
        optimizer.step()
        return w.item()

    func = torch.func
    return {
        "m": torch,
        "f": torch.nn.functional,
        "leaf": leaf,
        **reverse(leaf, lambda v: v.grad.item(), retain=True),
        "relu": torch.relu,
        "text": torch.tensor,
        "third": lambda f, x: func.grad(func.grad(func.grad(f)))(tensors(x)).item(),
        "jvp": lambda f, x, dx: func.jvp(f, (tensors(x),), (tensors(dx),))[1].item(),
        "vjp": lambda f, x, dy: func.vjp(f, tensors(x))[1](tensors(dy))[0].item(),
        "jacobian": lambda f, x: func.jacrev(lambda x: torch.stack(f(x)))(tensors(x)).tolist(),
        "hessian": lambda f, x: func.hessian(f)(tensors(x)).tolist(),
        "of_dictionary": lambda: numbers_in(
            func.grad(lambda p: p["a"] * p["b"])({"a": tensors(2.0), "b": tensors(3.0)})
        ),
        "with_aux": lambda: aux(func.grad(lambda a: (a * a * a, a + a), has_aux=True)(tensors(2.0))),
        "checked": lambda: torch.autograd.gradcheck(lambda a: a * a, (leaf(2.0),)),
        "anomaly": lambda: stopped_at_nan(torch.autograd.detect_anomaly, lambda: leaf(-1.0).log().sqrt().backward()),
        "stepped": stepped,
        "state_of_optimizer": lambda: bool(torch.optim.Adam([leaf(1.0)]).state_dict()),
        "optimizers": lambda: all((torch.optim.Adam, torch.optim.RMSprop)),
        "with_forward": lambda: Doubled()(tensors(3.0)).item(),
        "walked": lambda: len(
            list(torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.ReLU()).apply(nothing).children())
        ),
        "layers": lambda: all((torch.nn.Conv2d, torch.nn.GRU)),
        "attention": lambda: bool(torch.nn.MultiheadAttention),
        "batched": lambda: func.vmap(lambda x: 2.0 * x * x)(tensors([1.0, 2.0])).tolist(),
        "lbfgs": lambda: bool(torch.optim.LBFGS),
        "needed": lambda: loaded_by("torch"),
    }


def of_hips() -> dict[str, Any]:
    import autograd
    import autograd.numpy as m
    from autograd.misc import optimizers
    from autograd.test_util import check_grads

    grad = autograd.grad

    def checked() -> bool:
        check_grads(lambda a: a * a)(2.0)
        return True

    return {
        "m": by_our_names(m),
        "f": types.SimpleNamespace(),
        "grad": lambda f, *xs: [float(grad(f, place)(*xs)) for place in range(len(xs))],
        "relu": lambda a: m.maximum(a, 0.0),
        "third": lambda f, x: float(grad(grad(grad(f)))(x)),
        "jvp": lambda f, x, dx: float(autograd.make_jvp(f)(x)(dx)[1]),
        "vjp": lambda f, x, dy: float(autograd.make_vjp(f)(x)[0](dy)),
        "jacobian": lambda f, x: autograd.jacobian(lambda x: m.array(f(x)))(numpy.array(x)).tolist(),
        "hessian": lambda f, x: autograd.hessian(f)(numpy.array(x)).tolist(),
        "of_dictionary": lambda: numbers_in(grad(lambda p: p["a"] * p["b"])({"a": 2.0, "b": 3.0})),
        "with_aux": lambda: aux(autograd.grad_and_aux(lambda a: (a * a * a, a + a))(2.0)),
        "checked": checked,
        "optimizers": lambda: all((optimizers.adam, optimizers.rmsprop)),
        "needed": lambda: loaded_by("autograd"),
    }


def of_mygrad() -> dict[str, Any]:
    import mygrad
    from mygrad.nnet.layers.conv import conv_nd
    from mygrad.nnet.layers.gru import gru

    def leaf(x: float) -> Any:
        return mygrad.tensor(x)

    return {
        "m": by_our_names(mygrad),
        "f": importlib.import_module("mygrad.nnet.activations"),
        "leaf": leaf,
        **reverse(leaf, lambda v: v.grad.item()),
        "relu": lambda a: mygrad.maximum(a, 0.0),
        "text": mygrad.tensor,
        "layers": lambda: all((conv_nd, gru)),
        "drawn": lambda: bool(importlib.import_module("mygrad.computational_graph").build_graph),
        "needed": lambda: loaded_by("mygrad"),
    }


def of_scikit_learn() -> dict[str, Any]:
    def fitted(**settings: Any) -> bool:
        from sklearn.neural_network import MLPClassifier

        MLPClassifier(max_iter=3, **settings).fit(*toy())
        return True

    return {
        "fitted": fitted,
        "stopping": lambda: fitted(early_stopping=True),
        "clipping": lambda: fitted(clip_grad_norm=1.0),
        "class_weights": lambda: fitted(class_weight="balanced"),
        "optimizers": lambda: fitted(solver="adam"),
        **of_estimators("sklearn.neural_network"),
        "needed": lambda: loaded_by("sklearn.neural_network"),
    }


def by_our_names(functions: Any) -> types.SimpleNamespace:
    """Functions that are called as NumPy calls them."""
    return types.SimpleNamespace(**{**vars(functions), "asinh": functions.arcsinh, "clamp": functions.clip})


def reverse(leaf: Callable[[float], Any], grad_of: Callable[[Any], float], retain: bool = False) -> dict[str, Any]:
    """What libraries have that run `backward()` on a result."""

    def grad(function: Callable, *numbers: float) -> list[float]:
        leaves = [leaf(x) for x in numbers]
        function(*leaves).backward()
        return [float(grad_of(x)) for x in leaves]

    def twice(number: float) -> float:
        a = leaf(number)
        c = (a * a) * a
        c.backward(**({"retain_graph": True} if retain else {}))
        c.backward()
        return float(grad_of(a))

    def refused() -> bool:
        anything: Any = leaf
        return all(map(is_refused, (lambda: anything("3"), lambda: anything(None), lambda: anything(1j) > 0.0)))

    return {"grad": grad, "twice": twice, "refused": refused, "v": leaf(2.5)}


def of_estimators(module: str) -> dict[str, Any]:
    """What scikit-learn's two estimators and ours have in common."""

    def estimators() -> Any:
        return importlib.import_module(module)

    def several() -> bool:
        from scipy.sparse import csr_array

        X, y = toy()
        labels = numpy.stack([y, 1 - y], axis=1)
        classifier = (
            estimators().MLPClassifier(hidden_layer_sizes=(2,), max_iter=2, random_state=0).fit(csr_array(X), labels)
        )
        regressor = estimators().MLPRegressor(hidden_layer_sizes=(2,), max_iter=2, random_state=0).fit(X, 1.0 * labels)
        return classifier.predict(X).shape == regressor.predict(X).shape == labels.shape

    def checks() -> bool:
        from sklearn.utils.estimator_checks import check_estimator

        found = check_estimator(estimators().MLPRegressor(), on_skip=None, on_fail=None)
        return all(result["status"] != "failed" for result in found)

    return {
        "lbfgs": lambda: bool(
            estimators().MLPClassifier(hidden_layer_sizes=(2,), solver="lbfgs", max_iter=3).fit(*toy())
        ),
        "several": several,
        "checks": checks,
    }


def toy() -> tuple[numpy.ndarray, numpy.ndarray]:
    X = numpy.random.default_rng(0).normal(size=(40, 2))
    return X, (X[:, 0] > 0.0).astype(int)


def chain(a: Any) -> Any:
    total = a
    for _ in range(20_000):
        total = total + a
    return total


SHARED = {"numpy": numpy, "copy": copy, "pickle": pickle, "fractions": fractions, "math": math, "chain": chain}


def is_refused(function: Callable[[], Any]) -> bool:
    try:
        function()
    except (TypeError, ValueError):
        return True
    return False


def stopped_at_nan(guard: Callable, function: Callable) -> bool:
    """Does the block raise an error about a nan?"""
    try:
        with guard():
            function()
    except Exception as error:
        return "nan" in str(error).lower()
    return False


def numbers_in(found: dict) -> dict:
    return {name: float(x) for name, x in found.items()}


def aux(found: tuple) -> list:
    return [float(found[0]), float(found[1])]


def nothing(_: object) -> None:
    """For `apply`."""


def loaded_by(module: str) -> int:
    """How many packages an import loads that Python does not bring along, besides its own."""
    code = (
        f"import sys; before = set(sys.modules); import {module}; "
        "new = {name.partition('.')[0] for name, x in sys.modules.items() "
        "if name not in before and 'site-packages' in str(getattr(x, '__file__', ''))}; "
        f"print(len(new - {{{module.partition('.')[0]!r}}}))"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    return int(subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout)


def cell(row: Row, names: dict[str, Any]) -> str:
    """What the library gives."""
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            found = eval(row.code, {**SHARED, **names})
    except Exception:
        return "no"
    if same(found, row.right):
        return "yes" if row.right != 0 else "0"
    return "no" if found is False else shown(found)


def same(found: Any, right: Any) -> bool:
    if isinstance(right, list):
        return isinstance(found, list | tuple) and len(found) == len(right) and all(map(same, found, right))
    if isinstance(right, float):
        return math.isclose(found, right, rel_tol=1e-12) or (math.isnan(right) and math.isnan(found))
    return found == right


def shown(found: Any) -> str:
    if isinstance(found, list):
        return ", ".join(map(shown, found))
    return f"{found:.4g}" if isinstance(found, float) else str(found)


def table() -> Iterator[str]:
    """The rows of the table. An error where we do not do what we say."""
    names = dict(zip(LIBRARIES, [side() for side in SIDES], strict=True))
    yield f"| | {' | '.join(LIBRARIES)} |"
    yield f"|---{'|---' * len(LIBRARIES)}|"
    for about_values, group in GROUPS:
        for row in group():
            cells = {library: cell(row, names[library]) for library in LIBRARIES}
            if cells["scalargrad"] not in ("yes", "0"):
                raise SystemExit(f"{row.feature}: scalargrad gives {cells['scalargrad']}")
            cells["scalargrad"] = f"[{cells['scalargrad']}](../tests/{row.test})"
            if about_values:
                cells["scikit-learn"] = "-"
            yield f"| {row.feature} | {' | '.join(cells.values())} |"


SIDES = (of_scalargrad, of_micrograd, of_pytorch, of_hips, of_mygrad, of_scikit_learn)
GROUPS = ((True, numbers), (True, derivatives), (True, modules), (False, training), (False, pictures))

if __name__ == "__main__":
    page = HERE / "README.md"
    before, after = page.read_text(encoding="utf-8").split(HEADING)
    words, _, rest = after.partition("\n| | ")
    rest = rest.partition("\n\n")[2]
    page.write_text(f"{before}{HEADING}{words}\n{chr(10).join(table())}\n\n{rest}", encoding="utf-8")
    versions = {name: metadata.version(name) for name in ("micrograd", "torch", "autograd", "mygrad", "scikit-learn")}
    print(f"written to {page.name}; {versions}, Python {platform.python_version()}")
