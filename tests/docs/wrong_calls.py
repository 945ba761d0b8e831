"""Wrong calls, made from the signatures of all public callables, and what is to be said of an error that one ends in.

A callable is called with arguments that fit, of which then one is something else: by the kind of the parameter, each
of `WRONG` that it cannot take. What is raised is a TypeError or a ValueError of one line, which begins with the name of
the callable or of the parameter. `python -m tests.docs.wrong_calls [word]` prints what is not so.
"""

import contextlib
import copy
import importlib
import inspect
import io
import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy

import scalargrad
from scalargrad import MLP, SGD, Value, nn, training
from scalargrad.drawing import draw
from scalargrad.ops import OPERATIONS
from scalargrad.protocol import NUMPY_NAMES

# What is passed in place of an argument.
WRONG = {
    "none": None,
    "text": "nonsense",
    "bytes": b"7",
    "complex": 1j,
    "object": object(),
    "class": Exception,
    "function": len,
    "dict": {"a": 1.0},
    "set": {1.0},
    "empty": [],
    "list": [1.0, 2.0],
    "words": ["a", "b"],
    "array": numpy.zeros((2, 3, 4)),
    "huge": [object()] * 30_000,
    "nan": float("nan"),
    "minus": -1,
    "fraction": 2.5,
    "value": Value(0.5),
}
NUMBERS = {"nan", "minus", "fraction"}
LISTS = {"empty", "list", "array"}

# What a parameter takes: an example, made anew for each call, and which of WRONG it takes, too.
Kind = tuple[Callable[[], object], set[str]]


def squares(values: list) -> object:
    return values[0] ** 2 + values[1] ** 2


def scaled(x: object) -> object:
    return WEIGHT * x


def compiled() -> object:
    program = scalargrad.compile(scaled, backend="numpy")
    program([1.0, 2.0])
    return program


@cache
def trained() -> MLP:
    model = MLP(2, [1], rng=0)
    model.fit(POINTS, TARGETS, "binary_cross_entropy", epochs=1, backend="numpy", progress=False)
    return model


def network() -> MLP:
    return copy.deepcopy(trained())


def result() -> Value:
    x, w = Value(2.0, "x"), Value(-3.0, "w")
    return x * w + 1.0


WEIGHT = Value(2.0)
POINTS, TARGETS = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]
PICTURE = [[[0.5, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 0.0, 1.0]]]

WHOLE: Kind = (lambda: 2, set())
ONE: Kind = (lambda: 1, set())
NUMBER: Kind = (lambda: 0.5, {"fraction"})
SIGNED: Kind = (lambda: 0.5, {"minus", "fraction"})
LEARNED: Kind = (lambda: 0.5, {"minus", "fraction", "value"})  # of an optimizer, which may itself be a Value
SHARE: Kind = (lambda: 0.5, set())
OPERAND: Kind = (lambda: 0.5, NUMBERS | {"value"})
SEED: Kind = (lambda: 0, {"none", "minus"})
FLAG: Kind = (lambda: True, set(WRONG))  # as Python's `if` takes anything
TITLE: Kind = (lambda: "title", {"text"})
HEADING: Kind = (lambda: "title", {"text", "none"})  # None: as the page is called
FILE: Kind = (lambda: "file.svg", set())
ANYTHING: Kind = (lambda: None, set(WRONG))
NUMBERS_LIST: Kind = (lambda: [0.5, 1.0], {"list"})
ROWS: Kind = (lambda: POINTS, set())
LABELS: Kind = (lambda: TARGETS, set())
FUNCTION: Kind = (lambda: squares, {"function", "class"})


def optional(kind: Kind) -> Kind:
    return kind[0], kind[1] | {"none"}


NAMES_KIND: Kind = (dict, {"none", "dict"})

# By "callable.parameter", or else by the name of the parameter alone.
KINDS: dict[str, Kind] = {
    "data": OPERAND,
    "gradient": OPERAND,
    "label": ANYTHING,  # a Value is made too often to look at it
    "output": (result, {"value"}),
    "value": (result, {"value"}),
    "wrt": (result, {"value"}),
    "gradients.inputs": (lambda: [Value(0.5)], {"value", "empty"}),
    "explore.inputs": (list, {"none", "empty"}),
    "inputs": NUMBERS_LIST,
    "create_graph": FLAG,
    "has_aux": FLAG,
    "sloped": FLAG,
    "compile.function": (lambda: squares, {"function", "class", "none"}),
    "function": FUNCTION,
    "argnum": (lambda: 0, {"minus", "empty"}),
    "argnums": (lambda: 0, {"none", "minus", "empty"}),
    "point": NUMBERS_LIST,
    "direction": NUMBERS_LIST,
    "tangents": NUMBERS_LIST,
    "tolerance": NUMBER,
    "logits": (lambda: [0.5, 1.0], {"list"}),
    "labels": (lambda: 1, {"value"}),
    "scores": OPERAND,
    "predictions": OPERAND,
    "targets": OPERAND,
    "binary_cross_entropy_with_logits.logits": OPERAND,
    "binary_cross_entropy_with_logits.labels": OPERAND,
    "hinge.scores": OPERAND,
    "hinge.labels": OPERAND,
    "delta": (lambda: 0.5, {"fraction", "value"}),
    "diagnose.parameters": (network, {"none", "value"}),
    "trainer.parameters": (lambda: [WEIGHT], {"none", "empty"}),
    "l2.parameters": (lambda: [0.5, 1.0], {"empty", "list"}),
    "parameters": (lambda: [Value(0.5), Value(1.0)], {"empty"}),
    "lr": (lambda: 0.5, {"fraction", "value"}),
    "momentum": SHARE,
    "BatchNorm.momentum": SHARE,
    "alpha": (lambda: 0.5, {"value"}),
    "betas": (lambda: (0.9, 0.999), set()),
    **{f"{optimizer}.eps": LEARNED for optimizer in ("Adam", "AdamW", "RMSProp")},
    **{f"{optimizer}.momentum": LEARNED for optimizer in ("SGD", "RMSProp")},
    "eps": NUMBER,
    "weight_decay": LEARNED,
    "nesterov": FLAG,
    "clip_grad_norm": (lambda: 0.5, {"none", "fraction"}),
    "min_delta": NUMBER,
    "class_weight": (lambda: "balanced", {"none"}),
    "max_norm": (lambda: 0.5, {"fraction", "value"}),
    "fan_in": WHOLE,
    "fan_out": WHOLE,
    "fan_outs": (lambda: [2], set()),
    "nonlin": FLAG,
    "activation": (lambda: "tanh", set()),
    "output_activation": (lambda: "tanh", set()),
    "nonlinearity": (lambda: "tanh", set()),
    "init": (lambda: "he", set()),
    **{f"{verb}.rng": (lambda: 0, {"function", "class"}) for verb in ("fit", "trainer")},
    "playground.rng": (lambda: 0, set()),
    "rng": SEED,
    "final": SHARE,
    "warm_up": SHARE,
    "start": SHARE,
    "every": SHARE,
    "by": NUMBER,
    "part": SHARE,
    "then": (scalargrad.Cosine, set()),
    "score": (lambda: lambda points: [0.5 for _ in points], set()),
    "points": ROWS,
    "classes": LABELS,
    "theme": (lambda: "light", {"none"}),
    **{f"{page}.title": HEADING for page in ("explore", "step_through", "playground", "export")},
    "explore.theme": (lambda: "light", set()),
    "step_through.theme": (lambda: "light", set()),
    "playground.theme": (lambda: "light", set()),
    "detail": (lambda: "values", {"none"}),
    "names": NAMES_KIND,
    "playground.names": (lambda: ["a", "b"], {"words"}),
    "title": TITLE,
    "frames": (lambda: [draw(result())], set()),
    "draw_frames.path": (lambda: "file.svg", {"none"}),
    "path": FILE,
    "seconds": NUMBER,
    "show": WHOLE,
    "model": (network, set()),
    "X": ROWS,
    "y": LABELS,
    "evaluate.loss": (lambda: "mse", {"none", "function", "class"}),
    "loss": (lambda: "mse", {"function", "class"}),
    "optimizer": (SGD, {"none"}),
    "epochs": (lambda: 1, set()),
    "batch_size": (lambda: 2, {"none"}),
    "shape": (lambda: [2], {"none"}),
    "subject": (network, {"value"}),
    "every_epoch": WHOLE,
    "l2": NUMBER,
    "validation": (lambda: 0.5, {"none"}),
    "early_stopping": (lambda: 2, {"none"}),
    "callbacks": (list, {"empty"}),
    "backend": (lambda: "numpy", set()),
    "engine": (lambda: "compiled", {"none"}),
    "progress": FLAG,
    "schedule": (lambda: "cosine", {"none"}),
    "augment": (lambda: None, {"none", "function", "class"}),
    "sample_weight": (lambda: [1.0] * 4, {"none"}),
    "resume": (lambda: None, {"none"}),
    "devices": (lambda: None, {"none"}),
    "sample": (lambda: [0.5, 1.0], {"none", "list"}),
    "mode": FLAG,
    "requires_grad": FLAG,
    "set_to_none": FLAG,
    "state": (lambda: network().state_dict(), set()),
    "numbers": (lambda: [0.5] * 3, set()),
    "embed_dim": WHOLE,
    "num_heads": (lambda: 1, set()),
    "d_model": WHOLE,
    "nhead": ONE,
    "dim_feedforward": ONE,
    "layer_norm_eps": NUMBER,
    "in_channels": WHOLE,
    "out_channels": WHOLE,
    "kernel_size": WHOLE,
    "AvgPool2d.stride": (lambda: 2, {"none"}),
    "MaxPool2d.stride": (lambda: 2, {"none"}),
    "stride": WHOLE,
    "padding": WHOLE,
    "bias": FLAG,
    "num_embeddings": WHOLE,
    "embedding_dim": WHOLE,
    "num_features": WHOLE,
    "normalized_shape": WHOLE,
    "input_size": WHOLE,
    "hidden_size": WHOLE,
    "num_layers": WHOLE,
    "mean": SIGNED,
    "deviation": SIGNED,
    "p": SHARE,
    "values": NUMBERS_LIST,
    "degrees": SIGNED,
    "pixels": WHOLE,
    "fill": SIGNED,
    "folder": (lambda: "folder", {"none"}),
    "samples": WHOLE,
    "noise": (lambda: 0.5, {"none", "fraction"}),
    "seed": SEED,
    "side": WHOLE,
    "weights": (lambda: [[[1.0], [0.5, 0.5]]], set()),
    "tokens": (lambda: [0, 1], set()),
    "plot_attention.tokens": (lambda: ["a", "b"], {"words"}),
    "histories": (lambda: {"a": {"loss": [1.0, 0.5]}}, set()),
    "trainer.measures": (dict, set()),
    "measures": (lambda: ["loss"], {"empty"}),
    "history": (lambda: {"loss": [1.0, 0.5]}, set()),
    "first_epoch": WHOLE,
    "losses": (lambda: [1.0, 0.5], {"list"}),
    "known": (dict, {"dict"}),
    "matrix": (lambda: [[1, 0], [0, 1]], set()),
    "plot_confusion.classes": (lambda: ["a", "b"], {"words", "list", "array"}),
    "images": (lambda: numpy.zeros((2, 9)), set()),
    "titles": (lambda: ["a", "b"], {"words", "list", "array"}),
    "columns": WHOLE,
    "plot_boundary.output": (lambda: lambda point: 0.5, {"function"}),
    "plot_boundary.labels": LABELS,
    "plot_points.labels": LABELS,
    "patience": WHOLE,
    "dtype": (lambda: "float64", set()),
    "threads": (lambda: 1, {"none"}),
    "Checkpoint.every": (lambda: 1, set()),
    "steps": (lambda: 4, {"none"}),
    "image": (lambda: PICTURE, {"array"}),
    "sequence": (lambda: [[0.5, 1.0], [1.0, 0.0]], set()),
    "hidden": (lambda: [0.5, 1.0], {"none", "list"}),
    "level": SIGNED,
    "resolution": WHOLE,
    "layers": (lambda: nn.Flatten(), {"function", "class"}),
    "Augment.steps": (lambda: len, {"function", "class"}),
    "curves": (dict, {"dict"}),
    "run": (lambda: None, set()),  # never right from outside: fit makes it
    "suffix": (lambda: ".svg", set()),
    "buffers": FLAG,
    "watch": (lambda: None, {"none", "function", "class"}),
}
NEEDED = {"Trainer.run.epochs"}  # in spite of a default: they may also come last of several
# Parameters that nobody passes: how results are made, and what subclasses give each other.
OWN = {"op", "first", "second", "self"}
NOT_CALLED = {"AnomalyError", "GradcheckError", "TraceError", "Run", "EarlyStopping", "Mnist"}
OWN_METHODS = """
apply_operation lift factor update decayed pooled check of_parts cell memories output_of state_of names remembered
totals elements areas dots unknown image go around restore stop build keeps prepared load_buffers contents count index
add clear copy fromkeys get items keys pop popitem setdefault values at_line conjugate
"""


@dataclass(frozen=True)
class Subject:
    """A public callable: `make()` gives it with a fresh object of which it is a method, or of which it is the call.

    names   with one of which an error may begin
    """

    name: str
    make: Callable[[], Callable]
    names: tuple[str, ...]

    def kind(self, parameter: str) -> Kind:
        for key in (*(f"{name}.{parameter}" for name in (self.name, *self.names)), parameter):
            if key in KINDS:
                return KINDS[key]
        raise KeyError(f"{self.name} has a parameter of which KINDS says nothing: {parameter}")


INSTANCES: dict[str, Callable[[], object]] = {
    "Value": result,
    "MLP": network,
    "Layer": lambda: nn.Layer(2, 2, rng=0),
    "Neuron": lambda: nn.Neuron(2, rng=0),
    "Flatten": nn.Flatten,
    "Sequential": lambda: nn.Sequential(network(), nn.Flatten()),
    "Conv2d": lambda: nn.Conv2d(1, 2, 2, rng=0),
    "AvgPool2d": lambda: nn.AvgPool2d(2),
    "MaxPool2d": lambda: nn.MaxPool2d(2),
    "GlobalAvgPool": nn.GlobalAvgPool,
    "Dropout": lambda: nn.Dropout(0.5),
    "Embedding": lambda: nn.Embedding(4, 2, rng=0),
    "BatchNorm1d": lambda: nn.BatchNorm1d(2),
    "BatchNorm2d": lambda: nn.BatchNorm2d(1),
    "LayerNorm": lambda: nn.LayerNorm(2),
    "Normalize": lambda: nn.Normalize(0.5, 0.5),
    "CausalSelfAttention": lambda: nn.CausalSelfAttention(2, 1, rng=0),
    "TransformerBlock": lambda: nn.TransformerBlock(2, 1, 2, rng=0),
    "RNN": lambda: nn.RNN(2, 2, rng=0),
    "GRU": lambda: nn.GRU(2, 2, rng=0),
    "LSTM": lambda: nn.LSTM(2, 2, rng=0),
    "RNNCell": lambda: nn.RNNCell(2, 2, rng=0),
    "GRUCell": lambda: nn.GRUCell(2, 2, rng=0),
    "LSTMCell": lambda: nn.LSTMCell(2, 2, rng=0),
    "SGD": SGD,
    "Adam": scalargrad.Adam,
    "History": lambda: training.History({"loss": [1.0, 0.5]}),
    "Checkpoint": lambda: scalargrad.Checkpoint("file.safetensors"),
    "Drawing": lambda: draw(result()),
    "Film": lambda: scalargrad.draw_frames([draw(result())]),
    "ExplorePage": lambda: scalargrad.explore(result()),
    "Compiled": compiled,
    "Trainer": lambda: scalargrad.compile(Line(), backend="numpy").trainer(SGD()),
}
KINDS |= {
    "gradcheck.inputs": (lambda: [[0.5, 1.0]], set()),
    "export.path": (lambda: "file.js", set()),
    "History.title": TITLE,
    "Normalize.sample": (lambda: [0.5, 1.0], NUMBERS | {"list", "array", "value", "empty"}),
    "BatchNorm1d.sample": (lambda: [0.5, 1.0], {"list"}),
    "BatchNorm2d.sample": (lambda: PICTURE, set()),
    "LayerNorm.sample": (lambda: [0.5, 1.0], {"list"}),
    "Embedding.tokens": (lambda: [0, 1], {"fraction", "value", "empty", "list", "minus", "nan"}),  # IndexError
    "RNNCell.inputs": NUMBERS_LIST,
    "LSTMCell.state": (lambda: None, {"none"}),
    "RNN.state": (lambda: None, {"none"}),
    "GRU.state": (lambda: None, {"none"}),
    "LSTM.state": (lambda: None, {"none"}),
    "Flatten.inputs": (lambda: [[0.5], [1.0]], NUMBERS | {"list", "array", "value", "empty"}),
    "Dropout.inputs": (lambda: [0.5, 1.0], NUMBERS | {"list", "array", "value", "empty"}),
    "History.path": (lambda: "file.csv", {"text"}),
    "Checkpoint.path": (lambda: "file.safetensors", {"text"}),
    "MLP.path": (lambda: "file.safetensors", {"text"}),
    "load_into.path": FILE,
    "GlobalAvgPool.image": (lambda: PICTURE, {"array"}),
    "Trainer.arrays": (lambda: [1.0, 2.0], {"list", "array"}),
    "Compiled.arrays": (lambda: [1.0, 2.0], {"list", "array"}),
    "Compiled.x": (lambda: [1.0, 2.0], {"empty", "list", "array"}),
    "Compiled.args": (lambda: [1.0, 2.0], {"list", "array"}),
    "Compiled.names": FLAG,
}


class Line(nn.Module):
    def __init__(self) -> None:
        self.slope = nn.Parameter(2.0)

    def __call__(self, x: object) -> object:
        return (self.slope * x - 1.0) ** 2


# By what else an error may begin: with the function that was compiled, with a layer inside, with what it takes.
LAYER = ("a layer", "state")
SPOKEN = {
    "Neuron": ("dot",),
    "Sequential": ("MLP",),
    "Compiled": ("scaled", "argument", "the arrays"),
    "Trainer": ("Line", "argument", "the arrays"),
}


def callables() -> dict[str, tuple[str, str]]:
    """Public functions and classes: a name, and the package and the module that have it."""
    found = {}
    for package in ("scalargrad", "scalargrad.nn", "scalargrad.datasets", "scalargrad.plots", "scalargrad.training"):
        for module, names in importlib.import_module(package).NAMES.items():
            if module not in ("ops", "support.version"):
                found |= {name: (package, module) for name in names if name not in NOT_CALLED}
    return found


def subjects(name: str) -> list[Subject]:
    """A function or a constructor, or of an object, "MLP(…)", the call and the methods."""
    if not name.endswith("(…)"):
        thing = getattr(importlib.import_module(callables()[name][0]), name)
        bases = [kind.__name__ for kind in getattr(thing, "__mro__", ())]  # one of which may have the constructor
        return [Subject(name, lambda: thing, (name, *bases))]
    name = name.removesuffix("(…)")
    kind, found = type(INSTANCES[name]()), []
    spoken = (name, *SPOKEN.get(name, LAYER))
    bases = [f"{base.__name__}(…)" for base in kind.__mro__]
    own = {*OWN_METHODS.split(), *OPERATIONS, *NUMPY_NAMES}
    for method in dir(kind):
        inherited = name != "MLP" and method in dir(nn.Module)
        if method == "__call__":
            found.append(Subject(name, INSTANCES[name], (*spoken, *bases)))
        elif not (inherited or method in own or method.startswith("_")) and callable(getattr(kind, method)):
            found.append(
                Subject(
                    f"{name}.{method}",
                    lambda method=method: getattr(INSTANCES[name](), method),
                    (*spoken, method, *bases, *(f"{base.__name__}.{method}" for base in kind.__mro__)),
                )
            )
    return found


def wrong_calls(subject: Subject) -> Iterator[tuple[str, Callable[[], object]]]:
    """(what is wrong, the call)."""
    parameters = [p for p in inspect.signature(subject.make()).parameters.values() if p.name not in OWN]
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    needed = [p for p in named if p.default is p.empty or f"{subject.name}.{p.name}" in NEEDED]
    stars = [p for p in parameters if p.kind is p.VAR_POSITIONAL]

    def called(positional: list | None = None, **arguments: object) -> object:
        """With examples of all that is needed and not said otherwise."""
        examples = {p.name: subject.kind(p.name)[0]() for p in needed}
        given = positional if positional is not None else [subject.kind(p.name)[0]() for p in stars]
        return subject.make()(*given, **examples | arguments)

    if needed:
        yield "no arguments", lambda: subject.make()()
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        yield "an unknown keyword", lambda: called(nonsense=1)
    if not stars:
        positional = [p for p in named if p.kind is not p.KEYWORD_ONLY]
        everything = lambda: [subject.kind(p.name)[0]() for p in positional]  # noqa: E731
        more = {p.name for p in named if p.kind is p.KEYWORD_ONLY and p.default is p.empty}
        if subject.name not in ("Value", "Parameter", "Buffer"):
            yield "one too many", lambda: subject.make()(*everything(), None, **{n: subject.kind(n)[0]() for n in more})
    for p in [*named, *stars]:
        for what, wrong in WRONG.items():
            if what not in subject.kind(p.name)[1]:
                arguments = {"positional": [wrong]} if p in stars else {p.name: wrong}
                yield f"{p.name}={what}", lambda arguments=arguments: called(**arguments)
    for first, second in pairwise(needed):
        if subject.kind(first.name) != subject.kind(second.name):
            names = {first.name: second.name, second.name: first.name}
            yield (
                f"{first.name} and {second.name} swapped",
                lambda names=names: called(**{name: subject.kind(other)[0]() for name, other in names.items()}),
            )


@dataclass(frozen=True)
class Complaint:
    subject: str
    what: str
    why: str
    said: str

    def __str__(self) -> str:
        return f"{self.why:10} {self.subject}({self.what}): {self.said:.230}".replace("\n", "\\n")


def complaint(subject: Subject, what: str, parameters: list[str], call: Callable[[], object]) -> Complaint | None:
    """What is to be said of a wrong call, or None."""
    quiet = io.StringIO()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
            warnings.simplefilter("ignore")
            found = call()
    except (TypeError, ValueError) as error:
        text, why = str(error), unclear(subject, str(error), parameters)
        said = f"{type(error).__name__}: {text}"
    except Exception as error:
        said, why = f"{type(error).__name__}: {error}", "another error"
        if isinstance(error, FileNotFoundError):
            return None
    else:
        said, why = f"returned a {type(found).__name__}", "accepted"
    return Complaint(subject.name, what, why, said) if why else None


def unclear(subject: Subject, text: str, parameters: list[str]) -> str:
    """Why a message is not clear, or ""."""
    if "\n" in text:
        return "lines"
    if len(text) > 400:
        return "long"
    if re.search(r"__\w+__", text):
        return "dunder"
    if re.search(r"\bat 0x[0-9a-f]+", text):
        return "address"
    text = text.removeprefix("this ")
    names = [*subject.names, *parameters]
    if not any(text.startswith(name) and not text[len(name) :][:1].isalnum() for name in names):
        return "beginning"
    return ""


def complaints(name: str) -> list[Complaint]:
    """Of a name of `callables`, or of an object of `INSTANCES`."""
    found = []
    for subject in subjects(name):
        parameters = [*inspect.signature(subject.make()).parameters]
        found += [complaint(subject, what, parameters, call) for what, call in wrong_calls(subject)]
    return [each for each in found if each]


NAMES = [*callables(), *(f"{name}(…)" for name in INSTANCES)]

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary, contextlib.chdir(temporary):
        for name in NAMES:
            for each in complaints(name) if not sys.argv[1:] or re.search(sys.argv[1], name) else ():
                print(each)
