"""Solvers: scikit-learn's formulas for a step, how its rate changes, the order of rows, and SciPy's L-BFGS."""

from collections.abc import Callable
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy
from numpy import ndarray
from numpy.random import RandomState

from scalargrad.away import numbers_of, set_numbers
from scalargrad.compiler import compile
from scalargrad.holders import without_frozen
from scalargrad.nn import MLP
from scalargrad.nn.estimators.settings import Settings
from scalargrad.operands import Operand
from scalargrad.ops import pow, sqrt
from scalargrad.optim import SGD, Adam, AdamW, Optimizer, RMSProp

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

SLOWEST = 1e-6  # an "adaptive" rate that is no larger is not divided any more


class Momentum(SGD):
    """Gradient descent whose velocity holds the rate, v = momentum * v - lr * g: a new rate meets old steps as made."""

    def update(self, p: Operand, g: Operand, state: tuple, lr: Operand, t: Operand) -> tuple[Any, tuple]:
        (velocity,) = state
        velocity = self.momentum * velocity - lr * g
        return p + (self.momentum * velocity - lr * g if self.nesterov else velocity), (velocity,)


class EfficientAdam(Adam):
    """Adam in the order of computation that section 2 of its paper ends with: eps is added to a biased root."""

    def update(self, p: Operand, g: Operand, state: tuple, lr: Operand, t: Operand) -> tuple[Any, tuple]:
        (first, second), (beta1, beta2) = state, self.betas
        first = beta1 * first + (1.0 - beta1) * g
        second = beta2 * second + (1.0 - beta2) * g * g
        rate = lr * sqrt(1.0 - pow(beta2, t)) / (1.0 - pow(beta1, t))
        return p - rate * first / (sqrt(second) + self.eps), (first, second)


def _betas(network: Settings) -> tuple[float, float]:
    return network.beta_1, network.beta_2


OPTIMIZERS: dict[str, Callable[[Settings], Optimizer]] = {
    "adam": lambda network: EfficientAdam(network.learning_rate_init, _betas(network), network.epsilon),
    "adamw": lambda network: AdamW(network.learning_rate_init, _betas(network), network.epsilon),
    "rmsprop": lambda network: RMSProp(network.learning_rate_init, eps=network.epsilon),
    "sgd": lambda network: Momentum(
        network.learning_rate_init, network.momentum, bool(network.nesterovs_momentum and network.momentum)
    ),
}


class Order:
    """The order of the rows in each epoch, (rows, epoch) -> order: each shuffles that of the epoch before."""

    def __init__(self, random_state: RandomState) -> None:
        self.random_state = random_state
        self.epoch, self.order = -1, numpy.arange(0)

    def __call__(self, rows: int, epoch: int) -> ndarray:
        if epoch != self.epoch:
            order = self.order if len(self.order) == rows else numpy.arange(rows)
            self.epoch, self.order = epoch, order[self.random_state.permutation(rows)]
        return self.order


def in_their_order(rows: int, epoch: int) -> ndarray:
    """Rows as they came, in each epoch."""
    return numpy.arange(rows)


def minimise(
    network: Settings, module: MLP, loss: Callable, arrays: tuple[ndarray, ndarray], watch: Callable[[float], None]
) -> "OptimizeResult":
    """Move the parameters that are not frozen to a minimum of the mean loss over all rows, by SciPy's L-BFGS-B.

    loss     (outputs, target) -> Value of one sample
    arrays   samples and targets, in float64
    watch    is called with the loss after every iteration

    After a Ctrl-C the parameters are those of the last iteration, and `status` is None.
    FloatingPointError, if the loss becomes inf or nan: then the parameters are as they were.
    """
    from scipy.optimize import OptimizeResult
    from scipy.optimize import minimize as scipy_minimize

    program = compile(lambda x, y: loss(module(x), y))
    parameters = without_frozen(module.parameters())
    start = last = numpy.array(numbers_of(parameters))
    places: list[int] = []  # of these in the gradient

    def loss_and_slopes(numbers: ndarray) -> tuple[float, ndarray]:
        set_numbers(parameters, numbers.tolist())
        mean, slopes = program.value_and_grad(*arrays)
        if not places:
            order = {parameter: place for place, parameter in enumerate(program.parameters)}
            places.extend(order[parameter] for parameter in parameters)
        if not isfinite(mean):
            raise FloatingPointError(f"the loss is {mean}: scale the samples, or begin with a smaller alpha")
        return mean, slopes[places]

    def finished(intermediate_result: "OptimizeResult") -> None:
        nonlocal last
        last = numpy.array(intermediate_result.x)
        watch(float(intermediate_result.fun))

    options = {"maxfun": network.max_fun, "maxiter": network.max_iter, "gtol": network.tol}
    try:
        found = scipy_minimize(loss_and_slopes, start, method="L-BFGS-B", jac=True, options=options, callback=finished)
        last = found.x
    except KeyboardInterrupt:
        found = OptimizeResult(status=None)
    except BaseException:
        last = start
        raise
    finally:
        set_numbers(parameters, last.tolist())
    return found
