"""FitSettings: how `fit` trains. A setting is one field, with its check and what of it a resumed run must share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from scalargrad.checks import functions, real, whole
from scalargrad.compiler.backends import checked_backend, chosen_backend, old_word
from scalargrad.optim import Adam, Optimizer
from scalargrad.optimizer_state import NO_SETTINGS
from scalargrad.schedules import Constant, Schedule, schedule_of
from scalargrad.support.words import brief
from scalargrad.training.class_weights import ClassWeight, checked_class_weight
from scalargrad.training.data import SPLIT
from scalargrad.training.objectives import objective_of

ALL, WAIT = ", or None for all rows", " (how many epochs to wait), or None"


def settings_of(formula: object, but: Sequence[str] = ()) -> str:
    """A class and its settings `but` some, a function by its name: the same in another process.

    >>> from scalargrad.optim import SGD
    >>> settings_of(SGD(lr=0.1, momentum=0.9), but=("lr", "state", "steps"))
    'SGD(momentum=0.9, nesterov=False, weight_decay=0.0)'
    """
    if hasattr(formula, "__qualname__"):
        return formula.__qualname__
    if not hasattr(formula, "__dict__"):
        return repr(formula)
    settings = ", ".join(f"{name}={settings_of(x)}" for name, x in vars(formula).items() if name not in but)
    return f"{type(formula).__name__}({settings})"


def rule_of(optimizer: Optimizer) -> str:
    """An optimizer without what it remembers."""
    return settings_of(optimizer, but=NO_SETTINGS)


def _facts(checked: Callable[[Any], Any] | None = None, shared: Callable[[Any], Any] | None = None) -> dict[str, Any]:
    """Facts about a setting.

    checked   gives it as it is kept, or raises an error
    shared    says what of it a resumed run must share; without one, a resumed run may have another
    """
    return {"checked": checked, "shared": shared}


def _as_it_is(setting: object) -> object:
    return setting


def _or_none(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda setting: None if setting is None else function(setting)


def _whole(name: str, least: int, more: str = "") -> Callable[[Any], int]:
    return lambda setting: whole(name, setting, least, f"a whole number from {least} on{more};")


def _optimizer(optimizer: object) -> Optimizer:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer is one such as Adam(lr=0.001), got {brief(optimizer)}")
    return optimizer


def _seed(rng: object) -> int | Callable:
    if callable(rng):
        return rng
    seed = whole("rng", rng, 0, "a whole number from 0 on;")
    if seed >= SPLIT:
        raise ValueError(f"rng is a seed below 2**52, got {rng}")
    return seed


def _penalty(l2: object) -> float:
    return real("l2", l2, 0.0)


def _norm(clip_grad_norm: object) -> float:
    return real("clip_grad_norm", clip_grad_norm, 0.0)


def _gain(min_delta: object) -> float:
    return real("min_delta", min_delta, 0.0)


def _functions(callbacks: object) -> tuple[Callable, ...]:
    return functions("callbacks", callbacks, "a list of functions of the run")


def _augmentation(augment: object) -> Callable:
    if not callable(augment):
        raise TypeError(f"augment is a function (images, seed, epoch) -> images such as Shift(1), got {brief(augment)}")
    return augment


@dataclass(frozen=True)
class FitSettings:
    """The settings of a fit, checked in this order: arguments of `Module.fit`, which says what they are."""

    loss: str | Callable = field(metadata=_facts(shared=lambda loss: objective_of(loss).name))
    optimizer: Optimizer = field(metadata=_facts(_optimizer, rule_of))
    epochs: int = field(metadata=_facts(_whole("epochs", 0)))
    batch_size: int | None = field(metadata=_facts(_or_none(_whole("batch_size", 1, ALL)), _as_it_is))
    early_stopping: int | None = field(metadata=_facts(_or_none(_whole("early_stopping", 1, WAIT))))
    min_delta: float = field(metadata=_facts(_gain))
    rng: int | Callable = field(metadata=_facts(_seed, lambda rng: settings_of(rng) if callable(rng) else rng))
    l2: float = field(metadata=_facts(_penalty, _as_it_is))
    clip_grad_norm: float | None = field(metadata=_facts(_or_none(_norm), _as_it_is))
    class_weight: ClassWeight | None = field(metadata=_facts(_or_none(checked_class_weight), _or_none(str)))
    callbacks: Sequence[Callable] = field(metadata=_facts(_functions))
    augment: Callable | None = field(metadata=_facts(_or_none(_augmentation), settings_of))
    backend: str = field(metadata=_facts(checked_backend))
    devices: int | str | None = field(metadata=_facts())
    schedule: str | Schedule | None = field(metadata=_facts(shared=lambda schedule: settings_of(schedule_of(schedule))))
    progress: bool = field(metadata=_facts())

    @classmethod
    def among(cls, arguments: Mapping[str, Any]) -> "FitSettings":
        """Settings from the arguments of a call, by name."""
        given = {setting.name: arguments[setting.name] for setting in fields(cls)}
        given["backend"] = chosen_backend(given["backend"], arguments.get("engine"))
        if given["optimizer"] is None:
            given["optimizer"] = Adam()
        return cls(**given)

    def __post_init__(self) -> None:
        for setting in fields(self):
            if check := setting.metadata["checked"]:
                object.__setattr__(self, setting.name, check(getattr(self, setting.name)))
        if self.min_delta and self.early_stopping is None:
            raise ValueError(f"min_delta={self.min_delta} is for early_stopping: pass that, too, early_stopping=10")
        if self.augment is not None and callable(self.rng):
            raise ValueError("rng is a function, and augment takes a seed: pass a whole number as rng")
        if self.devices is not None and self.backend != "jax":
            raise ValueError(f'devices are those of JAX: backend="jax", not {self.backend!r}')

    def shared(self) -> dict[str, Any]:
        """The settings that a resumed run must share, by name, as they are now."""
        facts = {setting.name: setting.metadata["shared"] for setting in fields(self)}
        found = {name: shared(getattr(self, name)) for name, shared in facts.items() if shared}
        found["engine"] = old_word(self.backend)  # as files of before say it
        if schedule_of(self.schedule) != Constant():
            found["epochs"] = int(self.epochs)
        return found
