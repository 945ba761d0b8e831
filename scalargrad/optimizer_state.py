"""The state of an optimizer as plain data, which JSON takes: its settings, its steps, and what it remembers."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from scalargrad.checks import is_real, is_whole, plain, real
from scalargrad.engine import Value
from scalargrad.operands import brief

NO_SETTINGS = ("steps", "state")  # attributes that change from step to step
PARTS = ("optimizer", "settings", "steps", "state")


class Rememberer(Protocol):
    """An optimizer, which stands above."""

    state_size: int
    state: dict[Value, tuple[float, ...]]
    steps: int


class State(NamedTuple):
    """A state that fits an optimizer and its parameters."""

    settings: dict[str, object]
    steps: int
    remembered: dict[Value, tuple[float, ...]]


def state_of(optimizer: Rememberer, parameters: Sequence[Value]) -> dict[str, Any]:
    """See `Optimizer.state_dict`."""
    remembered, fresh = optimizer.state.copy(), (0.0,) * optimizer.state_size
    return {
        "optimizer": type(optimizer).__name__,
        "settings": {
            name: _in_plain(optimizer, name, setting) for name, setting in settings_by_name(optimizer).items()
        },
        "steps": optimizer.steps,
        "state": [list(remembered.get(parameter, fresh)) for parameter in parameters],
    }


def checked_state(optimizer: Rememberer, parameters: Sequence[Value], state: object) -> State:
    """The state, if it fits: else a ValueError that says why not."""
    kind = type(optimizer).__name__
    if not isinstance(state, Mapping):
        raise TypeError(f"{kind}.load_state_dict takes what state_dict() gave, got {brief(state)}")
    try:
        _refuse_other_names(state, PARTS)
        if state["optimizer"] != kind:
            raise ValueError(f"it is that of {brief(state['optimizer'])}")
        settings = _checked_settings(optimizer, state["settings"])
        if not (is_whole(state["steps"]) and state["steps"] >= 0):
            raise ValueError(f"steps is a whole number from 0 on, got {brief(state['steps'])}")
        rows = _checked_rows(state["state"], len(parameters), optimizer.state_size)
    except (TypeError, ValueError) as error:
        raise ValueError(f"this state does not fit the {kind}: {error}") from None
    return State(settings, int(state["steps"]), dict(zip(parameters, rows, strict=True)))


def settings_by_name(optimizer: Rememberer) -> dict[str, Any]:
    """The settings by name: all attributes but those that change from step to step."""
    return {name: setting for name, setting in vars(optimizer).items() if name not in NO_SETTINGS}


def _in_plain(optimizer: Rememberer, name: str, setting: object) -> object:
    setting = plain(setting)
    if setting is None or type(setting) in (bool, int, float, str):
        return setting
    if isinstance(setting, list | tuple):
        return [_in_plain(optimizer, name, item) for item in setting]
    if isinstance(setting, dict) and all(type(key) is str for key in setting):
        return {key: _in_plain(optimizer, name, item) for key, item in setting.items()}
    raise TypeError(
        f"{type(optimizer).__name__}.state_dict holds numbers, texts and lists, and {name} is or has a "
        f"{type(setting).__name__}: copy or pickle the optimizer itself"
    )


def _checked_settings(optimizer: Rememberer, found: object) -> dict[str, object]:
    own = settings_by_name(optimizer)
    if not isinstance(found, Mapping):
        raise ValueError(f"settings is a dict, got {brief(found)}")
    _refuse_other_names(found, own)
    settings = {name: _as_before(own[name], _in_plain(optimizer, name, found[name])) for name in own}
    constructor = getattr(type(optimizer).__init__, "__wrapped__", type(optimizer).__init__)
    code = constructor.__code__
    if {*code.co_varnames[1 : code.co_argcount]} == {*settings}:
        type(optimizer)(**settings)  # which checks them
    elif "lr" in settings:
        real("lr", settings["lr"], 0.0)
    return settings


def _as_before(own: object, found: object) -> object:
    """A list as a tuple again, where the setting was one: JSON knows no tuples."""
    return tuple(found) if isinstance(own, tuple) and isinstance(found, list) else found


def _checked_rows(rows: object, count: int, size: int) -> list[tuple[float, ...]]:
    if not isinstance(rows, list | tuple) or len(rows) != count:
        length = len(rows) if isinstance(rows, list | tuple) else brief(rows)
        raise ValueError(f"it remembers {length} parameters, and here are {count}")
    for row in rows:
        if not isinstance(row, list | tuple) or len(row) != size or not all(map(is_real, row)):
            raise ValueError(f"of each parameter it remembers {size} numbers, got {brief(row)}")
    return [tuple(map(float, row)) for row in rows]


def _refuse_other_names(found: Mapping[str, object], wanted: Sequence[str] | Mapping[str, object]) -> None:
    problems = [f"missing {name}" for name in wanted if name not in found]
    problems += [f"unknown {name}" for name in found if name not in wanted]
    if problems:
        raise ValueError(brief(", ".join(map(str, problems)))[1:-1])
