"""How a case of the tables is run: before its change, after it, by each backend and by eager Values."""

import inspect
import random
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest

import tests.compiler.changes  # noqa: F401 (its cases)
from scalargrad import MLP, SGD, TraceError, compile, no_grad

X = np.array([1.0, 2.0, 3.0])


@contextmanager
def surroundings(case, folder):
    """Fresh ones: the function of the case, and what makes the change. Afterwards nothing global has changed."""
    states = random.getstate(), np.random.get_state()
    with pytest.MonkeyPatch.context() as patch:
        empty = folder / str(len(list(folder.iterdir())))
        empty.mkdir()
        tools = {"patch": patch, "folder": empty}
        steps = case(**{name: tools[name] for name in inspect.signature(case).parameters})
        function = next(steps)
        variables = dict(steps.gi_frame.f_locals)  # what the change leaves is not collected before it is seen
        try:
            yield function, lambda: next(steps, None)
        finally:
            variables.clear()
            steps.close()
            random.setstate(states[0])
            np.random.set_state(states[1])


def eagerly(function):
    """The mean over the rows, by a loop in plain Python."""

    def run():
        with no_grad():
            return float(np.mean([float(function(x)) for x in X.tolist()]))

    return run


def compiled(backend):
    return lambda function: partial(compile(function, backend=backend), X)


def fitted(engine):
    """Each run fits one more epoch, and gives the parameters."""

    def start(function):
        model = MLP(1, [1], rng=0)

        def loss(output, target):
            return (output - target) ** 2 * function(target)

        def run():
            model.fit(X.reshape(-1, 1), X, loss, SGD(0.01), epochs=1, engine=engine, progress=False)
            return [parameter.data for parameter in model.parameters()]

        return run

    return start


COLUMNS = {  # what runs the function, what is right, and how far the two may differ
    "native": (compiled("native"), eagerly, 1e-12),
    "numpy": (compiled("numpy"), eagerly, 1e-12),
    "fit": (fitted("compiled"), fitted("eager"), 1e-9),
}


def answers(case, folder, start):
    """What comes before the change and after it; what is refused is None, and the last."""
    found = []
    with surroundings(case, folder) as (function, change):
        try:
            run = start(function)
            found.append(run())
            change()
            found.append(run())
        except TraceError:
            found.append(None)
    return found


def check(case, folder, column, may_refuse=False):
    """`may_refuse`: from the first call on, and not only after the change."""
    start, right, tolerance = column
    before, after = answers(case, folder, eagerly)
    assert not np.isclose(before, after, rtol=1e-6, atol=0.0), f"{case.__name__} changes nothing: {before}"
    expected, found = answers(case, folder, right), answers(case, folder, start)
    assert found[0] is not None or may_refuse, "refused before anything had changed"
    for when, answer, wanted in zip(("before", "after"), found, expected, strict=False):
        if answer is not None:
            np.testing.assert_allclose(answer, wanted, rtol=tolerance, atol=0.0, err_msg=f"{when} the change")
