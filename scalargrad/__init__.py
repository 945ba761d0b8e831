"""scalargrad: a scalar autograd engine to learn from, with nothing but the standard library behind an import."""

import builtins
import sys
from typing import TYPE_CHECKING

from scalargrad import ops
from scalargrad.support import moved
from scalargrad.support.doors import door

if TYPE_CHECKING:  # the same names once more, for editors and type checkers: a test compares
    from scalargrad.anomaly import AnomalyError as AnomalyError
    from scalargrad.anomaly import anomaly_detection as anomaly_detection
    from scalargrad.compiler import TraceError as TraceError
    from scalargrad.compiler import compile as compile
    from scalargrad.drawing import DecisionBoundary as DecisionBoundary
    from scalargrad.drawing import draw as draw
    from scalargrad.drawing import draw_frames as draw_frames
    from scalargrad.engine import Value as Value
    from scalargrad.engine import gradients as gradients
    from scalargrad.engine import topological_order as topological_order
    from scalargrad.explaining.diagnosis import diagnose as diagnose
    from scalargrad.explaining.explanation import explain as explain
    from scalargrad.finite_differences import GradcheckError as GradcheckError
    from scalargrad.finite_differences import gradcheck as gradcheck
    from scalargrad.functional import grad as grad
    from scalargrad.functional import hessian as hessian
    from scalargrad.functional import hvp as hvp
    from scalargrad.functional import jacobian as jacobian
    from scalargrad.functional import jvp as jvp
    from scalargrad.functional import value_and_grad as value_and_grad
    from scalargrad.functional import vjp as vjp
    from scalargrad.losses import binary_cross_entropy_with_logits as binary_cross_entropy_with_logits
    from scalargrad.losses import cross_entropy as cross_entropy
    from scalargrad.losses import hinge as hinge
    from scalargrad.losses import huber as huber
    from scalargrad.losses import l2 as l2
    from scalargrad.losses import mse as mse
    from scalargrad.nn import MLP as MLP
    from scalargrad.nn import Buffer as Buffer
    from scalargrad.nn import Layer as Layer
    from scalargrad.nn import Module as Module
    from scalargrad.nn import Neuron as Neuron
    from scalargrad.nn import Parameter as Parameter
    from scalargrad.nn.functions import log_softmax as log_softmax
    from scalargrad.nn.functions import softmax as softmax
    from scalargrad.nn.loading import load as load
    from scalargrad.nn.loading import load_into as load_into
    from scalargrad.observers import no_grad as no_grad
    from scalargrad.ops import *  # noqa: F403
    from scalargrad.optim import SGD as SGD
    from scalargrad.optim import Adam as Adam
    from scalargrad.optim import AdamW as AdamW
    from scalargrad.optim import RMSProp as RMSProp
    from scalargrad.optim import clip_grad_norm as clip_grad_norm
    from scalargrad.pages.explore import explore as explore
    from scalargrad.pages.exported import export as export
    from scalargrad.pages.live import live as live
    from scalargrad.pages.playing import playground as playground
    from scalargrad.pages.stepping import step_through as step_through
    from scalargrad.schedules import Constant as Constant
    from scalargrad.schedules import Cosine as Cosine
    from scalargrad.schedules import LinearDecay as LinearDecay
    from scalargrad.schedules import OneCycle as OneCycle
    from scalargrad.schedules import Schedule as Schedule
    from scalargrad.schedules import Step as Step
    from scalargrad.schedules import WarmUp as WarmUp
    from scalargrad.support.version import __version__ as __version__
    from scalargrad.training.checkpoint import Checkpoint as Checkpoint

# The public names, by module.
NAMES = {
    "ops": [*ops.OPERATIONS],
    "anomaly": ["AnomalyError", "anomaly_detection"],
    "observers": ["no_grad"],
    "engine": ["Value", "gradients", "topological_order"],
    "functional": ["grad", "hessian", "hvp", "jacobian", "jvp", "value_and_grad", "vjp"],
    "finite_differences": ["GradcheckError", "gradcheck"],
    "losses": ["binary_cross_entropy_with_logits", "cross_entropy", "hinge", "huber", "l2", "mse"],
    "optim": ["SGD", "Adam", "AdamW", "RMSProp", "clip_grad_norm"],
    "nn": ["MLP", "Buffer", "Layer", "Module", "Neuron", "Parameter"],
    "schedules": ["Constant", "Cosine", "LinearDecay", "OneCycle", "Schedule", "Step", "WarmUp"],
    "drawing": ["DecisionBoundary", "draw", "draw_frames"],
    "explaining.explanation": ["explain"],
    "pages.explore": ["explore"],
    "pages.exported": ["export"],
    "pages.live": ["live"],
    "pages.playing": ["playground"],
    "pages.stepping": ["step_through"],
    "explaining.diagnosis": ["diagnose"],
    "compiler": ["TraceError", "compile"],
    "nn.functions": ["log_softmax", "softmax"],
    "nn.loading": ["load", "load_into"],
    "training.checkpoint": ["Checkpoint"],
    "support.version": ["__version__"],
}
# What everybody uses is loaded with the package, the rest when it is first used.
AT_ONCE = ["engine", "losses", "nn", "observers", "ops", "optim"]

__getattr__, __dir__, __all__ = door(sys.modules[__name__], NAMES, AT_ONCE)

# A star import leaves the builtins abs, compile, pow and sum as they are, and random the module.
__all__ = [name for name in __all__ if not hasattr(builtins, name) and name not in ("random", "__version__")]

moved.install()
if sys.platform == "emscripten":
    from scalargrad.support.emscripten import free_one_by_one

    free_one_by_one(sys.modules[__name__].Value)
