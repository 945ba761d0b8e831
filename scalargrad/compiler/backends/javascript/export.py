"""A compiled function as a module: its programs, and the optimizer's formula in a third one."""

from scalargrad.compiler.backends.javascript.module import Facts, Training, module_of
from scalargrad.compiler.errors import TraceError
from scalargrad.compiler.own_steps import is_one_formula
from scalargrad.compiler.program import Program
from scalargrad.compiler.step import with_optimizer
from scalargrad.compiler.variants import Variant
from scalargrad.engine import Value
from scalargrad.given import given_among
from scalargrad.holders import without_frozen
from scalargrad.optim import Optimizer
from scalargrad.support.words import brief

DECAY = "weight_decay"
CLOCK = {"steps": 0, "lr": 1, DECAY: 4}  # places in the clock of a step


def exported(variant: Variant, optimizer: Optimizer | None, steps: Value, names: bool) -> str:
    """The text of a module.

    steps   the buffer that counts steps, should the program read it
    names   does the module name parameters and buffers?
    """
    program = variant.program
    read = set(program.parameters)
    shapes = [shape for shape in variant.arguments[1] if shape is not None]
    function = variant.arguments[0]
    facts = Facts(
        title=f"{getattr(function, '__qualname__', type(function).__name__)}, compiled by scalargrad.",
        parameters=[parameter for parameter in variant.parameters_of_modules() if parameter in read],
        buffers=program.buffers,
        inputs=shapes,
        output=variant.shape or (),
        counts_rows=variant.trace.row is not None,
        names=names,
    )
    backward = variant.backward if variant.shape is None or optimizer is not None else None
    training = None if optimizer is None else _training(variant.backward, optimizer, steps)
    return module_of(facts, variant.forward, backward, training)


def _training(program: Program, optimizer: Optimizer, steps: Value) -> Training:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"javascript takes an optimizer such as SGD(lr=0.1), got {brief(optimizer)}")
    if not is_one_formula(optimizer):
        name = type(optimizer).__name__
        raise ValueError(f"{name} has a step of its own, which is Python: javascript() takes a formula, update()")
    moving = list(without_frozen(given_among(optimizer, program.parameters)))
    settings = {"steps": 0.0, "lr": float(optimizer.lr)}
    try:
        step, clock, memory, _ = with_optimizer(program, optimizer, None, steps, moving, [DECAY])
        settings[DECAY] = float(optimizer.weight_decay)
    except TraceError:  # an `if` on it, say: then it is a part of the formula
        step, clock, memory, _ = with_optimizer(program, optimizer, None, steps, moving)
    return Training(step, settings, {name: int(clock[CLOCK[name]]) for name in settings}, memory)
