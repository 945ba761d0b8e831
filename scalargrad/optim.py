"""Optimizers: each is one formula for one parameter, in operations of the table, so that it also compiles."""

from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import Any, Self

from scalargrad.checks import listed, plain
from scalargrad.engine import Value
from scalargrad.given import after_parameters, checked_parameters, moving_parameters, parameters_for, take_parameters
from scalargrad.operands import Operand, brief, is_recorded, operand
from scalargrad.ops import dot, less, pow, sqrt, where
from scalargrad.optimizer_state import checked_state, settings_by_name, state_of
from scalargrad.support.words import plural


class Optimizer:
    """The step that all optimizers share; a subclass gives `update`, which is also compiled, or its own `step`.

    Parameters may come before the settings: it keeps them as `own_parameters`, a tuple, which is None otherwise.
    SGD(model.parameters(), lr=0.1).step() is SGD(lr=0.1).step(model.parameters()), and trainers and `fit` move these
    only. Copies and pickles have copies of them: of a model and its optimizer make one of both, (model, optimizer).

    A step moves all the parameters that it gets, but frozen ones (`requires_grad = False`): these and what is
    remembered of them stay as they are, whatever their gradients hold. A gradient of 0 is one: momentum and decay move
    on. PyTorch's defaults skip parameters whose gradient is None, and its Adam counts t for each of them; here `steps`
    counts for all, so that one which is thawed goes on with the t of the others.

    >>> w = Value(1.0)
    >>> optimizer = SGD(lr=0.1)
    >>> for _ in range(3):
    ...     w.grad = 0.0
    ...     (w * w).backward()
    ...     optimizer.step([w])
    >>> round(w.data, 3)
    0.512
    """

    __slots__ = ("__dict__", "__weakref__", "own_parameters")  # these apart: they are no setting
    own_parameters: tuple[Value, ...] | None
    state_size = 0  # how many numbers it remembers for each parameter; they start at 0
    weight_decay = 0.0

    def __new__(cls, *settings: object, **named: object) -> Self:
        optimizer = super().__new__(cls)
        object.__setattr__(optimizer, "own_parameters", None)
        return optimizer

    def __getstate__(self) -> object:
        return super().__getstate__()  # one of its own, which the oldest pickles ask for where there are slots

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        if cls.__module__ != __name__:
            take_parameters(cls, Optimizer)

    @after_parameters
    def __init__(self, lr: float) -> None:
        self.lr = _checked("lr", lr)
        self.steps = 0
        self.state: dict[Value, tuple[float, ...]] = {}

    def __setattr__(self, name: str, setting: Any) -> None:
        super().__setattr__(name, plain(setting))

    def update(self, p: Operand, g: Operand, state: tuple, lr: Operand, t: Operand) -> tuple[Any, tuple]:
        """(parameter, state) after step number t = 1, 2, ... with gradient g.

        The state is a tuple of `state_size` numbers. All arguments are numbers or terms of the compiler: choose with
        where(), not with `if`. Compiled training traces this once for all steps, and so refuses what depends on
        anything else that changes from step to step; what cannot be traced belongs into a `step` of your own.
        """
        name = type(self).__name__
        raise NotImplementedError(f"{name} does not say how a parameter moves: define update(p, g, state, lr, t)")

    def decayed(self, g: Operand, p: Operand) -> Operand:
        """The gradient of the loss plus weight_decay / 2 * p**2."""
        decay = self.weight_decay
        is_term = is_recorded(decay) and not isinstance(decay, Value)  # of the compiler, which may be any number
        return g + decay * p if is_term or decay else g  # 0 * inf would be nan

    def step(self, parameters: Iterable[Value] | None = None, lr: float | None = None) -> None:
        """Move every parameter by its gradient; `lr` is the rate of this step, if not the usual one.

        parameters   those that this optimizer was given, unless said

        A class that overrides it is trained with, compiled or not, by calls of it with parameters that have gradients
        and are not frozen.
        """
        wanted = moving_parameters(f"{type(self).__name__}.step", parameters_for(self, "step", parameters))
        self.steps += 1
        t, fresh, rate = float(self.steps), (0.0,) * self.state_size, _checked("lr", self.lr if lr is None else lr)
        floats = (float,) * (1 + self.state_size)
        for parameter in wanted:
            state = self.state.get(parameter, fresh)
            found = self.update(parameter.data, parameter.grad, state, rate, t)
            # Most are what they should be: a look at their types is quicker than `checked_move`.
            tuples = type(found) is tuple and len(found) == 2 and type(found[1]) is tuple
            if tuples and (type(found[0]), *map(type, found[1])) == floats:
                parameter.data, self.state[parameter] = found
            else:
                moved, kept = checked_move(self, found)
                parameter.data, self.state[parameter] = float(moved), tuple(map(float, kept))

    def zero_grad(self, set_to_none: bool = False) -> None:
        """Set the gradients of the parameters that this optimizer was given to 0, before `backward()` adds to them.

        set_to_none   PyTorch's, for its code to run: here a gradient is a number, and becomes 0 in either case
        """
        for parameter in parameters_for(self, "zero_grad"):
            parameter.grad = 0.0

    def state_dict(self, parameters: Iterable[Value] | None = None) -> dict[str, Any]:
        """The settings, the steps so far, and what is remembered of each parameter, in order: for JSON or pickle.

        parameters   those that this optimizer was given, unless said

        >>> w = Value(1.0)
        >>> w.grad, optimizer = 2.0, SGD([w], lr=0.5, momentum=0.5)
        >>> optimizer.step(); state = optimizer.state_dict(); state["steps"], state["state"]
        (1, [[2.0]])
        >>> SGD([Value(1.0)]).load_state_dict(state)
        """
        name = f"{type(self).__name__}.state_dict"
        return state_of(self, checked_parameters(name, parameters_for(self, "state_dict", parameters)))

    def load_state_dict(self, state: Mapping[str, Any], parameters: Iterable[Value] | None = None) -> None:
        """Go on from what `state_dict` gave, on as many parameters.

        ValueError if it does not fit; then nothing has changed.
        """
        given = parameters_for(self, "load_state_dict", parameters)
        loaded = checked_state(self, checked_parameters(f"{type(self).__name__}.load_state_dict", given), state)
        for name, setting in loaded.settings.items():
            setattr(self, name, setting)
        self.steps, self.state = loaded.steps, loaded.remembered

    def __repr__(self) -> str:
        shown = [f"{name}={setting}" for name, setting in settings_by_name(self).items()]
        given = [] if self.own_parameters is None else [plural(len(self.own_parameters), "parameter")]
        return f"{type(self).__name__}({', '.join([*given, *shown])})"


class SGD(Optimizer):
    """Gradient descent, with momentum as PyTorch defines it: v = momentum * v + g; p -= lr * v.

    nesterov looks ahead: p -= lr * (g + momentum * v). weight_decay adds weight_decay * p to the gradient.
    """

    state_size = 1

    @after_parameters
    def __init__(self, lr: float = 0.01, momentum: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0):
        super().__init__(lr)
        if nesterov and not momentum:
            raise ValueError("nesterov looks ahead along the momentum: set momentum above 0")
        self.momentum, self.nesterov = _checked("momentum", momentum), nesterov
        self.weight_decay = _checked("weight_decay", weight_decay, least=-inf)

    def update(self, p: Operand, g: Operand, state: tuple, lr: Operand, t: Operand) -> tuple[Any, tuple]:
        (velocity,) = state
        g = self.decayed(g, p)
        velocity = self.momentum * velocity + g if self.momentum else g
        direction = g + self.momentum * velocity if self.nesterov else velocity
        return p - lr * direction, (velocity,)


class RMSProp(Optimizer):
    """Each step divided by a running root mean square of the gradient (Hinton's lecture 6e; as in PyTorch)."""

    state_size = 2

    @after_parameters
    def __init__(
        self, lr: float = 0.01, alpha: float = 0.99, eps: float = 1e-8, momentum: float = 0.0, weight_decay: float = 0.0
    ):
        super().__init__(lr)
        self.alpha, self.eps = _checked("alpha", alpha, below=1.0), _checked("eps", eps, least=-inf)
        self.momentum = _checked("momentum", momentum, least=-inf)
        self.weight_decay = _checked("weight_decay", weight_decay, least=-inf)

    def update(self, p: Operand, g: Operand, state: tuple, lr: Operand, t: Operand) -> tuple[Any, tuple]:
        square, velocity = state
        g = self.decayed(g, p)
        square = self.alpha * square + (1.0 - self.alpha) * g * g
        direction = g / (sqrt(square) + self.eps)
        velocity = self.momentum * velocity + direction if self.momentum else direction
        return p - lr * velocity, (square, velocity)


class Adam(Optimizer):
    """Adaptive moments (Kingma and Ba 2015, algorithm 1). weight_decay adds weight_decay * p to the gradient."""

    state_size = 2

    @after_parameters
    def __init__(
        self,
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ):
        super().__init__(lr)
        self.betas = tuple(listed(betas, "betas", "two numbers"))
        for beta in self.betas:
            _checked("betas", beta, below=1.0)
        if len(self.betas) != 2:
            raise ValueError(f"betas={betas} is out of range: there are two")
        self.eps = _checked("eps", eps, least=-inf)
        self.weight_decay = _checked("weight_decay", weight_decay, least=-inf)

    def update(self, p: Operand, g: Operand, state: tuple, lr: Operand, t: Operand) -> tuple[Any, tuple]:
        return self._moments(p, self.decayed(g, p), state, lr, t)

    def _moments(self, p: Operand, g: Operand, state: tuple, lr: Operand, t: Operand) -> tuple[Any, tuple]:
        (first, second), (beta1, beta2) = state, self.betas
        first = beta1 * first + (1.0 - beta1) * g
        second = beta2 * second + (1.0 - beta2) * g * g
        # The moments start at 0; dividing by 1 - beta**t takes that bias out.
        size = sqrt(second) * (1.0 / sqrt(1.0 - pow(beta2, t))) + self.eps
        return p - lr / (1.0 - pow(beta1, t)) * first / size, (first, second)


class AdamW(Adam):
    """Adam with the decay apart from the gradient: p shrinks by lr * weight_decay (Loshchilov and Hutter 2019)."""

    @after_parameters
    def __init__(
        self,
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ):
        super().__init__(lr, betas, eps, weight_decay)

    def update(self, p: Operand, g: Operand, state: tuple, lr: Operand, t: Operand) -> tuple[Any, tuple]:
        return self._moments(p - lr * self.weight_decay * p, g, state, lr, t)


# By name, from a rate: what the commands offer.
OPTIMIZERS: dict[str, Callable[[float], Optimizer]] = {
    "sgd": SGD,
    "momentum": lambda lr: SGD(lr, momentum=0.9),
    "rmsprop": RMSProp,
    "adam": Adam,
    "adamw": AdamW,
}


def clip_grad_norm(parameters: Iterable[Value], max_norm: float) -> float:
    """Scale all gradients together so that their Euclidean norm is at most `max_norm`; returns the norm before.

    As in PyTorch, 1e-6 is added to the norm that is divided by. Frozen parameters do not count.
    """
    parameters = moving_parameters("clip_grad_norm", parameters)
    max_norm = _checked("max_norm", max_norm)
    slopes = tuple(parameter.grad for parameter in parameters)
    norm = sqrt(dot(slopes, slopes))
    scale = scale_of_clipped(norm, max_norm)
    if scale < 1.0:
        for parameter in parameters:
            parameter.grad *= scale
    return norm


def scale_of_clipped(norm: Operand, max_norm: float) -> Any:
    """The factor for gradients of that norm; 1 where the norm is nan. Compiled steps compute it, too."""
    scale = max_norm / (norm + 1e-6)
    return where(less(scale, 1.0), scale, 1.0)


def checked_move(optimizer: Optimizer, found: object) -> tuple[Any, tuple]:
    """The result of `update`, a number or term and a tuple of `state_size` of them; an error if it is not."""
    name, size = f"{type(optimizer).__name__}.update", optimizer.state_size
    if not isinstance(found, tuple | list) or len(found) != 2:
        raise TypeError(f"{name} returns (parameter, state), a number and a tuple of {size}; got {brief(found)}")
    kept = tuple(listed(found[1], f"{name} returns (parameter, state): the state", f"a tuple of {size} numbers"))
    if len(kept) != size:
        raise ValueError(f"{name} returns a state of {len(kept)} numbers, and its state_size is {size}")
    return operand(found[0], f"{name}: the parameter"), tuple(operand(x, f"{name}: the state") for x in kept)


def checked_rate(lr: Operand) -> Operand:
    """A rate that is in range, as a float or a Value; an error for others."""
    return _checked("lr", lr)


def _checked(name: str, setting: Any, least: float = 0.0, below: float | None = None) -> Any:
    """A setting as a float, or as the Value that it is; an error for text, and for a number out of range."""
    setting = operand(setting, name)
    if not least <= setting or (below is not None and not setting < below):
        raise ValueError(f"{name}={setting} is out of range")
    return setting
