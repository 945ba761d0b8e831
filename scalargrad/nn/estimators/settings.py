"""Settings: the parameters of an estimator. Each is one field, with its default, its check and what an error says."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from math import inf
from numbers import Integral
from typing import Any

import numpy
from numpy import ndarray
from numpy.random import RandomState
from sklearn.utils import check_random_state

from scalargrad.checks import is_real, is_whole
from scalargrad.nn.dense import ACTIVATIONS
from scalargrad.operands import brief

OTHER_NAMES = {"logistic": "sigmoid", "identity": "linear"}  # of activations: scikit-learn's and ours
SOLVERS = ("adam", "sgd", "lbfgs", "adamw", "rmsprop")
LEARNING_RATES = ("constant", "invscaling", "adaptive")
LOSSES = ("squared_error", "poisson")  # of a regressor


def facts(fits: Callable[[Any], bool], what: str) -> dict[str, Any]:
    """Facts about a field: `fits` says if a setting makes sense, `what` it is in the words of an error."""
    return {"fits": fits, "what": what}


def setting(default: object, fits: Callable[[Any], bool], what: str) -> Any:
    """A field with its default and these facts."""
    return field(default=default, metadata=facts(fits, what))


def choice(*names: str) -> Any:
    """A field that is one of these names, the first unless said."""
    return setting(names[0], lambda x: isinstance(x, str) and x in names, f"one of {', '.join(names)}")


def flag(default: bool) -> Any:
    return setting(default, lambda x: isinstance(x, bool | numpy.bool_ | Integral), "True or False")


def count(default: float, least: int = 1) -> Any:
    return setting(default, lambda x: is_whole(x) and x >= least, f"a whole number from {least} on")


def share(default: float) -> Any:
    return setting(default, lambda x: is_real(x) and 0.0 <= x < 1.0, "a number from 0 on and below 1")


def from_0_on(default: float) -> Any:
    return setting(default, lambda x: is_real(x) and 0.0 <= x < inf, "a number from 0 on")


def above_0(default: float) -> Any:
    return setting(default, lambda x: is_real(x) and 0.0 < x < inf, "a number above 0")


def hidden_sizes(sizes: object) -> list:
    """The sizes as a list: of a list, of an array, or of one number."""
    return list(sizes) if isinstance(sizes, Iterable) and not isinstance(sizes, str) else [sizes]


def _are_sizes(sizes: object) -> bool:
    return all(is_whole(size) and size >= 1 for size in hidden_sizes(sizes))


def _is_random_state(x: object) -> bool:
    try:
        check_random_state(x)
    except ValueError:
        return False
    return True


@dataclass(repr=False, eq=False)
class Settings:
    """The parameters of an estimator, which mean what they mean in scikit-learn.

    hidden_layer_sizes    neurons of each hidden layer; () for none, a number for one layer
    activation            "relu", "tanh", "logistic", "identity", or any other of `scalargrad.MLP`, such as "gelu"
    solver                "adam", "sgd", "lbfgs" (SciPy's, on all rows at once), or ours: "adamw" (it also shrinks
                          parameters by its own 0.01), "rmsprop"
    alpha                 alpha / 2 * (sum of the squared weights, without biases) / (the sum of the sample weights of
                          a batch, which is its rows unless said) is added to the loss
    batch_size            rows of a step; "auto": 200, or all of fewer
    learning_rate         of "sgd": "constant"; "invscaling", learning_rate_init / (rows seen + 1)**power_t after each
                          epoch; "adaptive", a fifth where fit would end for lack of progress, until it is 1e-6
    learning_rate_init    the first rate, and that of every step unless learning_rate says otherwise
    power_t               of "invscaling"
    max_iter              epochs at most, of "lbfgs" iterations; a ConvergenceWarning says that it ended there
    shuffle               the rows of each epoch in an order of its own: scikit-learn's for the same random_state
    random_state          of the first weights, the shuffles and the validation rows: None, a seed, or a RandomState
    tol                   fit ends where the loss (with early_stopping: the validation score) was no better than the
    n_iter_no_change      best one by tol for more than n_iter_no_change epochs in a row; "lbfgs" ends where no slope
                          is larger than tol
    verbose               prints the loss of every epoch
    warm_start            fit goes on from the network of the last fit
    momentum, nesterovs_momentum    of "sgd"
    early_stopping        holds out validation_fraction of the rows and keeps the network that scored best on these
    beta_1, beta_2        of "adam" and "adamw": how much of the two means is kept in each step
    epsilon               of these and "rmsprop": is added to what the step is divided by
    max_fun               of "lbfgs": how often the loss is computed at most
    """

    hidden_layer_sizes: int | Sequence[int] | ndarray = field(
        default=(100,), metadata=facts(_are_sizes, "a list of whole numbers from 1 on")
    )
    activation: str = choice("relu", *OTHER_NAMES, *(name for name in ("linear", *ACTIVATIONS) if name != "relu"))
    _: KW_ONLY
    solver: str = choice(*SOLVERS)
    alpha: float = from_0_on(0.0001)
    batch_size: int | str = setting(
        "auto", lambda x: x == "auto" if isinstance(x, str) else is_whole(x) and x >= 1, '"auto" or 1, 2, ...'
    )
    learning_rate: str = choice(*LEARNING_RATES)
    learning_rate_init: float = above_0(0.001)
    power_t: float = from_0_on(0.5)
    max_iter: int = count(200)
    shuffle: bool = flag(True)
    random_state: int | RandomState | None = field(
        default=None, metadata=facts(_is_random_state, "None, a seed below 2**32, or a numpy.random.RandomState")
    )
    tol: float = setting(1e-4, lambda x: is_real(x) and x >= 0.0, "a number from 0 on")
    verbose: bool = flag(False)
    warm_start: bool = flag(False)
    momentum: float = setting(0.9, lambda x: is_real(x) and 0.0 <= x <= 1.0, "a number from 0 to 1")
    nesterovs_momentum: bool = flag(True)
    early_stopping: bool = flag(False)
    validation_fraction: float = share(0.1)
    beta_1: float = share(0.9)
    beta_2: float = share(0.999)
    epsilon: float = above_0(1e-8)
    n_iter_no_change: float = setting(
        10, lambda x: x == inf or (is_whole(x) and x >= 1), "a whole number from 1 on, or inf"
    )
    max_fun: int = count(15000)


def check_settings(settings: Settings) -> None:
    """A ValueError that names the first setting that makes no sense, or does not go with another one."""
    for known in fields(settings):
        given = getattr(settings, known.name)
        if not known.metadata["fits"](given):
            remedy = f"; the loss is passed by its name, loss={given!r}" if given in LOSSES else ""
            raise ValueError(f"{known.name} is {known.metadata['what']}, got {brief(given)}{remedy}")
    if settings.early_stopping and settings.solver == "lbfgs":
        raise ValueError(
            'early_stopping looks at held-out rows after each epoch, and "lbfgs" has no epochs: '
            'set early_stopping=False, or solver="adam"'
        )
