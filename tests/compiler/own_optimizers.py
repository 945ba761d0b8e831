"""Optimizers and schedules as people write them, by name: what a compiled fit must make of them, and how they are made.

EQUAL: it computes what an eager fit computes. REFUSED: it says why not, before anything has moved.
"""

import itertools
import math
import random
import time
from collections import defaultdict, deque
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from types import MethodType, SimpleNamespace

import numpy as np

from scalargrad import Value, ops
from scalargrad.nn import Buffer
from scalargrad.ops import less, maximum, minimum, sign, sqrt, where
from scalargrad.optim import SGD, Adam, AdamW, Optimizer, RMSProp, clip_grad_norm
from scalargrad.schedules import Cosine, Schedule, Step, WarmUp

EQUAL, REFUSED = "equal", "refused"
RULES, SCHEDULES = {}, {}


def rule(name, what, make=None):
    """Note down an optimizer of that name; a class is made with the rate 0.1."""

    def note(kind):
        RULES[name] = what, kind if make is None else make
        return kind

    return note


def schedule(name, what):
    def note(kind):
        SCHEDULES[name] = what, kind
        return kind

    return note


# Formulas.


@rule("plain descent", EQUAL)
class Plain(Optimizer):
    def update(self, p, g, state, lr, t):
        return p - lr * g, ()


@rule("momentum by hand", EQUAL)
class Momentum(Optimizer):
    state_size = 1

    def __init__(self, lr, beta=0.9):
        super().__init__(lr)
        self.beta = beta

    def update(self, p, g, state, lr, t):
        v = self.beta * state[0] + g
        return p - lr * v, (v,)


@rule("Nesterov by hand", EQUAL)
class Nesterov(Momentum):
    def update(self, p, g, state, lr, t):
        v = self.beta * state[0] - lr * g
        return p - self.beta * state[0] + (1 + self.beta) * v, (v,)


@rule("a subclass that scales the gradient", EQUAL)
class Halved(Adam):
    def update(self, p, g, state, lr, t):
        return super().update(p, 0.5 * g, state, lr, t)


@rule("sign descent with where", EQUAL)
class SignByWhere(Optimizer):
    def update(self, p, g, state, lr, t):
        return p - lr * where(less(0.0, g), 1.0, where(less(g, 0.0), -1.0, 0.0)), ()


@rule("sign descent with sign", EQUAL)
class Sign(Optimizer):
    def update(self, p, g, state, lr, t):
        return p - lr * sign(g), ()


@rule("sign descent with numpy.sign", REFUSED)
class SignByNumpy(Optimizer):
    def update(self, p, g, state, lr, t):
        return p - lr * np.sign(g), ()


@rule("sign descent with if", REFUSED)
class SignByIf(Optimizer):
    def update(self, p, g, state, lr, t):
        return (p - lr if g > 0 else p + lr), ()


@rule("sign descent with copysign", REFUSED)
class SignByMath(Optimizer):
    def update(self, p, g, state, lr, t):
        return p - math.copysign(lr, g), ()


@rule("sign descent with a comparison as a number", REFUSED)
class SignByComparison(Optimizer):
    def update(self, p, g, state, lr, t):
        return p - lr * ((g > 0) - (g < 0)), ()


@rule("clipping with maximum and minimum", EQUAL)
class ClippedByMaximum(Optimizer):
    def update(self, p, g, state, lr, t):
        return p - lr * maximum(minimum(g, 0.01), -0.01), ()


@rule("clipping with max and min", REFUSED)
class ClippedByMax(Optimizer):
    def update(self, p, g, state, lr, t):
        return p - lr * max(min(g, 0.01), -0.01), ()


@rule("clipping with numpy.clip", REFUSED)
class ClippedByNumpy(Optimizer):
    def update(self, p, g, state, lr, t):
        return p - lr * np.clip(g, -0.01, 0.01), ()


@rule("clipping with abs and if", REFUSED)
class ClippedByIf(Optimizer):
    def update(self, p, g, state, lr, t):
        if abs(g) > 0.01:
            g = g / abs(g) * 0.01
        return p - lr * g, ()


@rule("Adam by hand", EQUAL)
class HandAdam(Optimizer):
    state_size = 2

    def update(self, p, g, state, lr, t):
        m, v = state
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g**2
        return p - lr * (m / (1 - 0.9**t)) / ((v / (1 - 0.99**t)) ** 0.5 + 1e-8), (m, v)


@rule("Adam with math.sqrt", REFUSED)
class MathAdam(Optimizer):
    state_size = 2

    def update(self, p, g, state, lr, t):
        m, v = 0.9 * state[0] + 0.1 * g, 0.99 * state[1] + 0.01 * g * g
        return p - lr * m / (math.sqrt(v) + 1e-8), (m, v)


@rule("Adam with numpy.sqrt", EQUAL)
class NumpyAdam(Optimizer):
    state_size = 2

    def update(self, p, g, state, lr, t):
        m, v = 0.9 * state[0] + 0.1 * g, 0.99 * state[1] + 0.01 * np.square(g)
        return p - lr * m / (np.sqrt(v) + 1e-8), (m, v)


@rule("a method that floats do not have", REFUSED)
class Squashed(Optimizer):
    def update(self, p, g, state, lr, t):
        return p - lr * g.tanh(), ()


@rule("AMSGrad", EQUAL)
class AMSGrad(Optimizer):
    state_size = 3

    def update(self, p, g, state, lr, t):
        m, v, most = state
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g * g
        most = maximum(most, v)
        return p - lr * m / (sqrt(most) + 1e-8), (m, v, most)


@rule("AMSGrad with max", REFUSED)
class AMSGradByMax(Optimizer):
    state_size = 2

    def update(self, p, g, state, lr, t):
        m, most = 0.9 * state[0] + 0.1 * g, max(state[1], g * g)
        return p - lr * m / (most**0.5 + 1e-8), (m, most)


@rule("AdaMax", EQUAL)
class AdaMax(Optimizer):
    state_size = 2

    def update(self, p, g, state, lr, t):
        m, u = 0.9 * state[0] + 0.1 * g, maximum(0.999 * state[1], abs(g))
        return p - lr / (1 - 0.9**t) * m / (u + 1e-8), (m, u)


@rule("Adagrad", EQUAL)
class Adagrad(Optimizer):
    state_size = 1

    def update(self, p, g, state, lr, t):
        total = state[0] + g * g
        return p - lr * g / sqrt(total + 1e-10), (total,)


@rule("Adadelta", EQUAL)
class Adadelta(Optimizer):
    state_size = 2

    def update(self, p, g, state, lr, t):
        squares, moves = state
        squares = 0.9 * squares + 0.1 * g * g
        move = sqrt(moves + 1e-6) / sqrt(squares + 1e-6) * g
        return p - lr * move, (squares, 0.9 * moves + 0.1 * move * move)


@rule("Lion", EQUAL)
class Lion(Optimizer):
    state_size = 1

    def update(self, p, g, state, lr, t):
        return p - lr * (sign(0.9 * state[0] + 0.1 * g) + 0.01 * p), (0.99 * state[0] + 0.01 * g,)


@rule("Rprop with where", EQUAL)
class Rprop(Optimizer):
    state_size = 2

    def update(self, p, g, state, lr, t):
        before, size = state
        size = where(less(size, 1e-12), lr, size)
        size = where(less(0.0, g * before), 1.2 * size, where(less(g * before, 0.0), 0.5 * size, size))
        return p - size * sign(g), (g, size)


@rule("lookahead in the state", EQUAL)
class Lookahead(Optimizer):
    """Every third step the slow weights go half of the way. They start where the fast ones do."""

    state_size = 2

    def update(self, p, g, state, lr, t):
        slow, count = where(less(t, 1.5), p, state[0]), state[1] + 1.0
        fast = p - lr * g
        due = less(2.5, count)
        slow = where(due, slow + 0.5 * (fast - slow), slow)
        return where(due, slow, fast), (slow, where(due, 0.0, count))


@rule("lookahead with a remainder of t", REFUSED)
class LookaheadByRemainder(Optimizer):
    state_size = 1

    def update(self, p, g, state, lr, t):
        fast = p - lr * g
        return (fast, state) if t % 3 else (0.5 * (fast + state[0]), (fast,))


@rule("warm-up of the rate by t", EQUAL)
class WarmedUp(Optimizer):
    def update(self, p, g, state, lr, t):
        return p - lr * minimum(1.0, t / 5) * g, ()


@rule("warm-up of the rate by min of t", REFUSED)
class WarmedUpByMin(Optimizer):
    def update(self, p, g, state, lr, t):
        return p - lr * min(1.0, t / 5) * g, ()


@rule("a rate by t in a dictionary", REFUSED)
class RateByDictionary(Optimizer):
    def update(self, p, g, state, lr, t):
        return p - lr * {1.0: 1.0, 3.0: 0.1}.get(t, 0.5) * g, ()


@rule("a rate by t as the key of a dictionary", REFUSED)
class RateByKey(Optimizer):
    def update(self, p, g, state, lr, t):
        return p - lr * {float(n): 1.0 / n for n in range(1, 99)}[t] * g, ()


@rule("a check of a setting that fails", REFUSED)
class Checking(Optimizer):
    def update(self, p, g, state, lr, t):
        if not isinstance(self, SGD):
            raise ValueError("use momentum")
        return p, ()


@rule("a rate by t in a list", REFUSED)
class RateByList(Optimizer):
    def update(self, p, g, state, lr, t):
        return p - lr * [1.0, 0.5, 0.25][min(int(t), 2)] * g, ()


@rule("decay that skips small parameters", EQUAL)
class DecayWhere(AdamW):
    def decayed(self, g, p):
        return g + where(less(abs(p), 0.1), 0.0, 0.01 * p)


@rule("a helper function", EQUAL)
class Helped(Optimizer):
    def update(self, p, g, state, lr, t):
        return smoothed(p, g, lr), ()


def smoothed(p, g, lr):
    return p - lr * g / (1.0 + abs(g))


@rule("settings in a dictionary", EQUAL, lambda lr: WithOptions(lr, {"scale": 0.5}))
class WithOptions(Optimizer):
    def __init__(self, lr, options):
        super().__init__(lr)
        self.options = options

    def update(self, p, g, state, lr, t):
        return p - lr * self.options["scale"] * g, ()


@rule("settings in an object", EQUAL, lambda lr: WithOptions2(lr))
class WithOptions2(Optimizer):
    def __init__(self, lr):
        super().__init__(lr)
        self.options = SimpleNamespace(scale=0.5)

    def update(self, p, g, state, lr, t):
        return p - lr * self.options.scale * g, ()


@rule("a rate that is a Value", EQUAL, lambda lr: SGD(Value(lr)))
class _Rate: ...


@rule("momentum that is a Value", EQUAL, lambda lr: SGD(lr, momentum=Value(0.9)))
class _Momentum: ...


@rule("betas that are Values", EQUAL, lambda lr: Adam(lr, betas=(Value(0.8), Value(0.99)), weight_decay=Value(0.01)))
class _Betas: ...


@rule("a Value in a list", EQUAL, lambda lr: ValueInAList(lr))
class ValueInAList(Optimizer):
    def __init__(self, lr):
        super().__init__(lr)
        self.scales = [Value(0.5) * 3.0, Value(0.25)]

    def update(self, p, g, state, lr, t):
        return p - lr * (self.scales[0] * self.scales[1] + 0.1) * g, ()


# State of other kinds.


@rule("state as a list", EQUAL)
class ListState(Optimizer):
    state_size = 2

    def update(self, p, g, state, lr, t):
        m, n = state
        return [p - lr * m, [0.9 * m + g, n + 1]]


@rule("state as an array", EQUAL)
class ArrayState(Optimizer):
    state_size = 2

    def update(self, p, g, state, lr, t):
        state = 0.9 * np.array(state) + np.array([g, 1.0])
        return p - lr * state[0], state


@rule("state with whole numbers", EQUAL)
class WholeState(Optimizer):
    state_size = 2

    def update(self, p, g, state, lr, t):
        return p - lr * g, (1, np.float32(0.5))


@rule("a parameter that becomes a whole number", EQUAL)
class WholeParameter(Optimizer):
    def update(self, p, g, state, lr, t):
        return 1, ()


@rule("state as a Value", EQUAL)
class ValueState(Optimizer):
    state_size = 1

    def update(self, p, g, state, lr, t):
        v = Value(0.9) * state[0] + g
        return p - lr * v, (v,)


@rule("too little state", REFUSED)
class LittleState(Optimizer):
    state_size = 2

    def update(self, p, g, state, lr, t):
        return p - lr * g, (g,)


@rule("too much state", REFUSED)
class MuchState(Optimizer):
    def update(self, p, g, state, lr, t):
        return p - lr * g, (g,)


@rule("no state at all", REFUSED)
class OnlyTheParameter(Optimizer):
    def update(self, p, g, state, lr, t):
        return p - lr * g


@rule("None as the state", REFUSED)
class NoneState(Optimizer):
    state_size = 1

    def update(self, p, g, state, lr, t):
        return p - lr * g, None


@rule("None in the state", REFUSED)
class NoneInState(Optimizer):
    state_size = 1

    def update(self, p, g, state, lr, t):
        return p - lr * g, (None,)


@rule("a number as the state", REFUSED)
class NumberState(Optimizer):
    state_size = 1

    def update(self, p, g, state, lr, t):
        return p - lr * g, g


@rule("a forgotten return", REFUSED)
class Forgotten(Optimizer):
    def update(self, p, g, state, lr, t):
        p = p - lr * g


@rule("text as the parameter", REFUSED)
class TextParameter(Optimizer):
    def update(self, p, g, state, lr, t):
        return "0.5", ()


# What is no formula.


@rule("self.lr", REFUSED)
class OwnRate(Optimizer):
    def update(self, p, g, state, lr, t):
        return p - self.lr * g, ()


@rule("self.steps", REFUSED)
class OwnSteps(Optimizer):
    def update(self, p, g, state, lr, t):
        return p - lr / self.steps * g, ()


@rule("self.state", REFUSED)
class OwnState(Optimizer):
    def update(self, p, g, state, lr, t):
        return p - lr * (1.0 if len(self.state) > 2 else 0.5) * g, ()


@rule("self.steps under except", REFUSED)
class OwnStepsTried(Optimizer):
    def update(self, p, g, state, lr, t):
        try:
            scale = 1.0 / self.steps
        except TypeError:
            scale = 0.3
        return p - lr * scale * g, ()


@rule("self.steps in a text", REFUSED)
class OwnStepsAsText(Optimizer):
    def update(self, p, g, state, lr, t):
        return p - lr * (0.5 if f"{self.steps}" == "1" else 1.0) * g, ()


@rule("self.lr made smaller", REFUSED)
class Decaying(Optimizer):
    def update(self, p, g, state, lr, t):
        self.lr *= 0.99
        return p - lr * g, ()


@rule("self.lr set", REFUSED)
class RateSet(Optimizer):
    def update(self, p, g, state, lr, t):
        self.lr = 0.01
        return p - lr * g, ()


@rule("a counter on self", REFUSED)
class Counting(Optimizer):
    calls = 0

    def update(self, p, g, state, lr, t):
        self.calls += 1
        return p - lr * g * (1.0 if self.calls % 2 else 0.5), ()


@rule("a counter on self that changes nothing twice", REFUSED)
class CountingToOne(Counting):
    def update(self, p, g, state, lr, t):
        self.calls += 1
        return p - lr * g * min(self.calls, 1), ()


@rule("a counter on self with a late effect", REFUSED)
class CountingLate(Counting):
    def update(self, p, g, state, lr, t):
        self.calls += 1
        return p - lr * g * (1.0 if self.calls < 30 else 0.1), ()


@rule("a counter on the class", REFUSED)
class CountingOnTheClass(Optimizer):
    calls = 0

    def update(self, p, g, state, lr, t):
        CountingOnTheClass.calls += 1
        return p - lr * g * (1.0 if self.calls % 60 < 30 else 0.1), ()


calls = 0


@rule("a global counter", REFUSED)
class CountingGlobally(Optimizer):
    def update(self, p, g, state, lr, t):
        global calls
        calls += 1
        return p - lr * g * (1.0 if calls % 60 < 30 else 0.1), ()


@rule("a global list that grows", REFUSED)
class Logging(Optimizer):
    def update(self, p, g, state, lr, t):
        LOG.append(1)
        return p - lr * g * (1.0 if len(LOG) % 60 < 30 else 0.1), ()


LOG = []


def counted_in_a_closure(lr):
    count = 0

    class Closed(Optimizer):
        def update(self, p, g, state, lr, t):
            nonlocal count
            count += 1
            return p - lr * g * (1.0 if count < 30 else 0.1), ()

    return Closed(lr)


rule("a counter in a closure", REFUSED, counted_in_a_closure)(None)


@rule("a mutable default", REFUSED)
class MutableDefault(Optimizer):
    def update(self, p, g, state, lr, t, seen=[]):  # noqa: B006
        seen.append(1)
        return p - lr * g * (1.0 if len(seen) % 60 < 30 else 0.1), ()


@rule("a history on self", REFUSED)
class History(Optimizer):
    def __init__(self, lr):
        super().__init__(lr)
        self.history = {"seen": deque(maxlen=2)}

    def update(self, p, g, state, lr, t):
        self.history["seen"].append(1)
        return p - lr * g * (1.0 if len(self.history["seen"]) < 2 else 0.1), ()


@rule("an array on self that is written to", REFUSED)
class ArrayWritten(Optimizer):
    def __init__(self, lr):
        super().__init__(lr)
        self.memory = np.zeros(3)

    def update(self, p, g, state, lr, t):
        self.memory[0] += 1.0
        return p - lr * g, ()


@rule("noise", REFUSED)
class Noisy(Optimizer):
    def update(self, p, g, state, lr, t):
        return p - lr * (g + random.gauss(0.0, 0.1)), ()


@rule("noise of a generator of its own", REFUSED)
class NoisyByItsOwn(Optimizer):
    def __init__(self, lr):
        super().__init__(lr)
        self.rng = random.Random(0)

    def update(self, p, g, state, lr, t):
        return p - lr * g * (1.0 if self.rng.random() < 0.9 else 0.5), ()


@rule("noise of NumPy's generator", REFUSED)
class NoisyByNumpy(Optimizer):
    def __init__(self, lr):
        super().__init__(lr)
        self.rng = np.random.default_rng(0)

    def update(self, p, g, state, lr, t):
        return p - lr * g * (1.0 if self.rng.random() < 0.99 else 0.5), ()


@rule("noise of NumPy's older generator", REFUSED)
class NoisyByOlderNumpy(NoisyByNumpy):
    def __init__(self, lr):
        super().__init__(lr)
        self.rng = np.random.RandomState(0)

    def update(self, p, g, state, lr, t):
        return p - lr * g * (1.0 if self.rng.rand() < 0.99 else 0.5), ()


@rule("noise by counting", EQUAL)
class NoisyByCounting(Optimizer):
    def update(self, p, g, state, lr, t):
        return p - lr * (g + 0.1 * (ops.random(7.0, t) - 0.5)), ()


@rule("the clock", REFUSED)
class Timed(Optimizer):
    def update(self, p, g, state, lr, t):
        return p - lr * g * (1.0 + 1e-3 * (time.perf_counter() % 1.0)), ()


@rule("float() under except", REFUSED)
class Tried(Optimizer):
    def update(self, p, g, state, lr, t):
        try:
            scale = 1.0 / (1.0 + float(t))
        except (TypeError, ValueError):
            scale = 0.25
        return p - lr * scale * g, ()


@rule("max under suppress", REFUSED)
class TriedIf(Optimizer):
    def update(self, p, g, state, lr, t):
        with suppress(Exception):
            g = max(g, -0.01)
        return p - lr * g, ()


@rule("a number out of the text of a Value", REFUSED)
class ReadsAText(Optimizer):
    def __init__(self, lr):
        super().__init__(lr)
        self.scales = [Value(0.5)]

    def update(self, p, g, state, lr, t):
        return p - lr * float(repr(self.scales[0]).split("=")[1].split(",")[0]) * g, ()


@rule("isinstance", REFUSED)
class LooksAtTheType(Optimizer):
    def update(self, p, g, state, lr, t):
        return p - lr * g * (0.5 if isinstance(t, float) else 1.0), ()


@rule("type", REFUSED)
class LooksAtTheExactType(Optimizer):
    def update(self, p, g, state, lr, t):
        return p - lr * g * (0.5 if type(t) is float else 1.0), ()


@rule("a cached function of t", REFUSED)
class Cached(Optimizer):
    def update(self, p, g, state, lr, t):
        return p - lr * damping(t) * g, ()


@lru_cache
def damping(t):
    return 0.5 if t == 1.0 else 1.0


@rule("an iterator on self", REFUSED)
class Iterating(Optimizer):
    def __init__(self, lr):
        super().__init__(lr)
        self.scales = itertools.chain([1.0] * 40, itertools.repeat(0.1))

    def update(self, p, g, state, lr, t):
        return p - lr * next(self.scales) * g, ()


@rule("a Buffer that is updated", REFUSED)
class Buffered(Optimizer):
    def __init__(self, lr):
        super().__init__(lr)
        self.largest = Buffer(0.0)

    def update(self, p, g, state, lr, t):
        self.largest.update(maximum(self.largest, abs(g)))
        return p - lr * g, ()


# Steps of their own, which are run.


@rule("step: clip_grad_norm", EQUAL)
class Clipped(SGD):
    def step(self, parameters, *rest):
        parameters = list(parameters)
        clip_grad_norm(parameters, 1e-2)
        super().step(parameters, *rest)


@rule("step: without a rate", EQUAL)
class WithoutARate(Adam):
    def step(self, parameters):
        parameters = list(parameters)
        clip_grad_norm(parameters, 0.5)
        super().step(parameters)


@rule("step: rate by name only", EQUAL)
class RateByName(Adam):
    def step(self, parameters, *, lr=None):
        super().step(parameters, lr)


@rule("step: twice", EQUAL)
class Twice(Momentum):
    def step(self, parameters, lr=None):
        parameters = list(parameters)
        super().step(parameters, lr)
        super().step(parameters, lr)


@rule("step: all by itself", EQUAL)
class ByItself(Optimizer):
    def step(self, parameters, lr=None):
        for p in parameters:
            p.data -= (self.lr if lr is None else lr) * p.grad


@rule("step: a dictionary by parameter", EQUAL)
class ByParameter(Optimizer):
    def __init__(self, lr):
        super().__init__(lr)
        self.velocity = defaultdict(float)

    def step(self, parameters, lr=None):
        self.steps += 1
        for p in parameters:
            self.velocity[p] = 0.9 * self.velocity[p] + p.grad
            p.data -= lr * self.velocity[p]


@rule("step: lists by place", EQUAL)
class ByPlace(Optimizer):
    memory = None

    def step(self, parameters, lr=None):
        parameters = list(parameters)
        if self.memory is None:
            self.memory = [[0.0, place] for place, _ in enumerate(parameters)]
        for p, memory in zip(parameters, self.memory, strict=True):
            memory[0] = 0.5 * memory[0] + p.grad
            p.data -= lr * memory[0] / (1 + memory[1] % 3)


@rule("step: gradients of two steps together", EQUAL)
class Accumulating(SGD):
    def __init__(self, lr):
        super().__init__(lr, momentum=0.5)
        self.sums, self.calls = {}, 0

    def step(self, parameters, lr=None):
        parameters = list(parameters)
        self.calls += 1
        for p in parameters:
            self.sums[p] = self.sums.get(p, 0.0) + p.grad
        if self.calls % 2 == 0:
            for p in parameters:
                p.grad = self.sums.pop(p) / 2
            super().step(parameters, lr)


@rule("step: noise in the gradients", EQUAL)
class NoisySteps(SGD):
    def step(self, parameters, lr=None):
        parameters = list(parameters)
        for p in parameters:
            p.grad += random.gauss(0.0, 0.01)
        super().step(parameters, lr)


@rule("step: one parameter at a time", EQUAL)
class InTurn(SGD):
    def step(self, parameters, lr=None):
        parameters = list(parameters)
        super().step([parameters[self.steps % len(parameters)]], lr)


@rule("step: lookahead", EQUAL)
class LookaheadSteps(Adam):
    def __init__(self, lr):
        super().__init__(lr)
        self.slow = {}

    def step(self, parameters, lr=None):
        parameters = list(parameters)
        for p in parameters:
            self.slow.setdefault(p, p.data)
        super().step(parameters, lr)
        if self.steps % 3 == 0:
            for p in parameters:
                p.data = self.slow[p] = 0.5 * (self.slow[p] + p.data)


@rule("step: the rate falls on self", EQUAL)
class RateFalls(SGD):
    def step(self, parameters, lr=None):
        super().step(parameters, lr)
        self.lr *= 0.95


@rule("step: counts in update", EQUAL)
class CountsAndSteps(Counting):
    def step(self, parameters, lr=None):
        super().step(parameters, lr)


def patched(lr):
    optimizer = SGD(lr, momentum=0.5)
    original = optimizer.step

    def step(self, parameters, lr=None):
        parameters = list(parameters)
        clip_grad_norm(parameters, 0.1)
        original(parameters, lr)

    optimizer.step = MethodType(step, optimizer)
    return optimizer


rule("step: of one object", EQUAL, patched)(None)


class ClippingFirst:
    def step(self, parameters, lr=None):
        parameters = list(parameters)
        clip_grad_norm(parameters, 0.1)
        super().step(parameters, lr)


@rule("step: of a mixin", EQUAL)
class Mixed(ClippingFirst, RMSProp):
    pass


@rule("the rate as a property", EQUAL, lambda lr: RateAsProperty(lr))
class RateAsProperty(SGD):
    @property
    def lr(self):
        return self.first_rate * 0.9**self.steps

    @lr.setter
    def lr(self, rate):
        self.first_rate = rate


@rule("steps as a property", EQUAL)
class StepsAsProperty(Adam):
    @property
    def steps(self):
        return self.count

    @steps.setter
    def steps(self, count):
        self.count = count
        if count:
            self.weight_decay = 0.01 * count


@rule("state as a property", EQUAL)
class StateAsProperty(Momentum):
    @property
    def state(self):
        return self.kept

    @state.setter
    def state(self, kept):
        self.kept = dict.fromkeys(kept, (0.5,))


@rule("attributes that are watched", EQUAL)
class Watching(SGD):
    def __setattr__(self, name, setting):
        super().__setattr__(name, setting)
        if name == "steps" and setting == 4:
            self.lr = 0.01


# Schedules.


@schedule("by where", EQUAL)
class ByWhere(Schedule):
    def factor(self, t, steps):
        return where(less(t, 3.0), 1.0, 0.1)


@schedule("exponential", EQUAL)
class Exponential(Schedule):
    def factor(self, t, steps):
        return 0.9**t


@schedule("inverse root", EQUAL)
class InverseRoot(Schedule):
    def factor(self, t, steps):
        return minimum((t + 1) ** -0.5, (t + 1) / 4)


@schedule("warm restarts", EQUAL)
class Restarts(Schedule):
    """t less the last multiple of 4, as a sum of steps."""

    def factor(self, t, steps):
        place = t - 4.0 * ops.sum(tuple(ops.less_equal(4.0 * n, t) for n in range(1, 20)))
        return 0.5 * (1.0 + ops.cos(math.pi * place / 4.0))


@schedule("linear", EQUAL)
class Linear(Schedule):
    def factor(self, t, steps):
        return 1 - t / steps


@schedule("a setting", EQUAL)
@dataclass(frozen=True)
class WithASetting(Schedule):
    power: float = 2.0

    def factor(self, t, steps):
        return (1 - t / steps) ** self.power


@schedule("a subclass of a schedule", EQUAL)
class HalfOfTheWave(Cosine):
    def factor(self, t, steps):
        return 0.5 * super().factor(t, steps)


@schedule("inside of another", EQUAL)
class _Inside(WarmUp):
    def __init__(self):
        super().__init__(0.5, Linear())


@schedule("two in turn", EQUAL)
class InTurns(Schedule):
    def __init__(self):
        self.parts = [Step(0.5), Cosine()]

    def factor(self, t, steps):
        return self.parts[0].factor(t, steps) * self.parts[1].factor(t, steps)


@schedule("one as a whole number", EQUAL)
class WholeNumber(Schedule):
    def factor(self, t, steps):
        return 1


@schedule("a Value as a setting", EQUAL)
class ValueSetting(Schedule):
    def __init__(self):
        self.scale = Value(0.5)

    def factor(self, t, steps):
        return self.scale * 0.9**t if self.scale else 1.0


@schedule("numpy.cos", EQUAL)
class NumpyCosine(Schedule):
    def factor(self, t, steps):
        return 0.5 * (1.0 + np.cos(np.pi * t / steps))


@schedule("math.cos", REFUSED)
class MathCosine(Schedule):
    def factor(self, t, steps):
        return 0.5 * (1.0 + math.cos(math.pi * t / steps))


@schedule("if", REFUSED)
class ByIf(Schedule):
    def factor(self, t, steps):
        return 1.0 if t < 3 else 0.1


@schedule("a remainder", EQUAL)
class ByRemainder(Schedule):
    def factor(self, t, steps):
        return 0.5 ** (t % 4)


@schedule("a quotient", EQUAL)
class ByQuotient(Schedule):
    def factor(self, t, steps):
        return 0.5 ** (t // 4)


@schedule("int", REFUSED)
class ByInt(Schedule):
    def factor(self, t, steps):
        return 0.5 ** int(t / 4)


@schedule("a dictionary", REFUSED)
class ByDictionary(Schedule):
    def __init__(self):
        self.rates = {0: 1.0, 3: 0.5, 6: 0.1}

    def factor(self, t, steps):
        return self.rates.get(t, 0.7)


@schedule("a key", REFUSED)
class ByKey(ByDictionary):
    def factor(self, t, steps):
        return dict(enumerate([1.0, 0.5] * 99))[t]


@schedule("a set", REFUSED)
class BySet(Schedule):
    def factor(self, t, steps):
        return 0.1 if t in {2, 3} else 1.0


@schedule("a list", REFUSED)
class ByList(Schedule):
    def factor(self, t, steps):
        return [1.0, 0.5, 0.2][int(min(t, 2))]


@schedule("a list by t", REFUSED)
class ByListItem(Schedule):
    def factor(self, t, steps):
        return ([1.0, 0.5, 0.2] * 40)[t] if not isinstance(t, float) else 1.0


@schedule("text of t", REFUSED)
class ByText(Schedule):
    def factor(self, t, steps):
        return 0.5 if f"{t:g}" == "2" else 1.0


@schedule("float() under except", REFUSED)
class TriedFactor(Schedule):
    def factor(self, t, steps):
        try:
            return 0.9 ** float(t)
        except Exception:
            return 1.0


@schedule("a counter", REFUSED)
class CountingFactor(Schedule):
    def __init__(self):
        self.calls = 0

    def factor(self, t, steps):
        self.calls += 1
        return 1.0 if self.calls <= 3 else 0.1


@schedule("a counter in a frozen dataclass", REFUSED)
@dataclass(frozen=True)
class CountingInAList(Schedule):
    calls: list = field(default_factory=list)

    def factor(self, t, steps):
        self.calls.append(1)
        return 1.0 if len(self.calls) <= 3 else 0.1


@schedule("a counter on the class", REFUSED)
class CountingFactorOnTheClass(Schedule):
    calls = 0

    def factor(self, t, steps):
        type(self).calls += 1
        return 1.0 if self.calls % 20 < 10 else 0.1


@schedule("a rate that it multiplies", REFUSED)
class Multiplying(Schedule):
    def __init__(self):
        self.rate = 1.0

    def factor(self, t, steps):
        self.rate *= 0.9
        return self.rate


@schedule("an iterator", REFUSED)
class IteratingFactor(Schedule):
    def __init__(self):
        self.rates = iter([1.0] * 3 + [0.1] * 99)

    def factor(self, t, steps):
        return next(self.rates)


@schedule("a generator", REFUSED)
class GeneratingFactor(Schedule):
    def __init__(self):
        self.rates = (1.0 if n < 3 else 0.1 for n in itertools.count())

    def factor(self, t, steps):
        return next(self.rates)


@schedule("chance", REFUSED)
class ByChance(Schedule):
    def factor(self, t, steps):
        return random.uniform(0.5, 1.0)


@schedule("None", REFUSED)
class NoFactor(Schedule):
    def factor(self, t, steps): ...


@schedule("a list of one", REFUSED)
class ListOfOne(Schedule):
    def factor(self, t, steps):
        return [1.0]
