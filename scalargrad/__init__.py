"""scalargrad: a scalar autograd engine to learn from, with nothing but the standard library behind an import."""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from scalargrad import moved
from scalargrad.anomaly import AnomalyError, anomaly_detection
from scalargrad.engine import Value, gradients, topological_order
from scalargrad.forks import whole
from scalargrad.functional import GradcheckError, grad, gradcheck, hessian, hvp, jvp, value_and_grad
from scalargrad.losses import binary_cross_entropy_with_logits, cross_entropy, hinge, huber, l2, mse
from scalargrad.nn import MLP, Buffer, Layer, Module, Neuron, Parameter
from scalargrad.observers import no_grad
from scalargrad.ops import (
    abs,
    acos,
    add,
    asin,
    atan,
    batch_mean,
    both,
    cos,
    cosh,
    div,
    dot,
    either,
    equal,
    erf,
    erfc,
    exp,
    expm1,
    gelu,
    invert,
    leaky_relu,
    less,
    less_equal,
    log,
    log1p,
    logsumexp,
    maximum,
    mean,
    minimum,
    mul,
    neg,
    pow,
    random,
    relu,
    sech,
    sigmoid,
    sign,
    sin,
    sinh,
    softplus,
    sqrt,
    step,
    sub,
    sum,
    surprisal,
    take,
    tan,
    tanh,
    where,
)
from scalargrad.optim import SGD, Adam, AdamW, RMSProp, clip_grad_norm

moved.install()
if sys.platform == "emscripten":
    from scalargrad.emscripten import free_one_by_one

    free_one_by_one(Value)

if TYPE_CHECKING:
    from scalargrad.compiler import TraceError, compile
    from scalargrad.drawing import DecisionBoundary, draw, draw_frames
    from scalargrad.explaining.diagnosis import diagnose
    from scalargrad.explaining.explanation import explain
    from scalargrad.nn.loading import load, load_into
    from scalargrad.pages.stepping import step_through
    from scalargrad.schedules import Constant, Cosine, OneCycle, Schedule, Step, WarmUp
    from scalargrad.training.checkpoint import Checkpoint
    from scalargrad.version import __version__ as __version__

# Tools that are loaded when they are first used: an import of the engine stays quick.
LATER = {
    "__version__": "scalargrad.version",
    "draw": "scalargrad.drawing",
    "draw_frames": "scalargrad.drawing",
    "DecisionBoundary": "scalargrad.drawing",
    "explain": "scalargrad.explaining.explanation",
    "step_through": "scalargrad.pages.stepping",
    "diagnose": "scalargrad.explaining.diagnosis",
    "compile": "scalargrad.compiler",
    "TraceError": "scalargrad.compiler",
    "load": "scalargrad.nn.loading",
    "load_into": "scalargrad.nn.loading",
    "Checkpoint": "scalargrad.training.checkpoint",
    "Constant": "scalargrad.schedules",
    "Cosine": "scalargrad.schedules",
    "OneCycle": "scalargrad.schedules",
    "Schedule": "scalargrad.schedules",
    "Step": "scalargrad.schedules",
    "WarmUp": "scalargrad.schedules",
}


def __getattr__(name: str) -> Any:
    if name not in LATER:
        raise AttributeError(f"module 'scalargrad' has no attribute {name!r}")
    with whole:
        return getattr(import_module(LATER[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *LATER})


# What a star import brings; abs, compile, pow and sum stay the builtins there, random the module.
__all__ = [
    "AnomalyError",
    "anomaly_detection",
    "no_grad",
    "Value",
    "gradients",
    "topological_order",
    "GradcheckError",
    "grad",
    "gradcheck",
    "hessian",
    "hvp",
    "jvp",
    "value_and_grad",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "hinge",
    "huber",
    "l2",
    "mse",
    "MLP",
    "Buffer",
    "Layer",
    "Module",
    "Neuron",
    "Parameter",
    "acos",
    "add",
    "asin",
    "atan",
    "batch_mean",
    "both",
    "cos",
    "cosh",
    "div",
    "dot",
    "either",
    "equal",
    "erf",
    "erfc",
    "exp",
    "expm1",
    "gelu",
    "invert",
    "leaky_relu",
    "less",
    "less_equal",
    "log",
    "log1p",
    "logsumexp",
    "maximum",
    "mean",
    "minimum",
    "mul",
    "neg",
    "relu",
    "sech",
    "sigmoid",
    "sign",
    "sin",
    "sinh",
    "softplus",
    "sqrt",
    "step",
    "sub",
    "surprisal",
    "take",
    "tan",
    "tanh",
    "where",
    "SGD",
    "Adam",
    "AdamW",
    "RMSProp",
    "clip_grad_norm",
    "Constant",
    "Cosine",
    "OneCycle",
    "Schedule",
    "Step",
    "WarmUp",
    "draw",
    "draw_frames",
    "DecisionBoundary",
    "explain",
    "step_through",
    "diagnose",
    "TraceError",
    "load",
    "load_into",
    "Checkpoint",
]
