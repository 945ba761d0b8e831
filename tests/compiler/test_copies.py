"""Copies and pickles of compiled functions, trainers and models that have them: they work, or one line says why not."""

import copy
import pickle
import threading
from functools import partial

import numpy as np
import pytest

import scalargrad
from scalargrad.engine import Value
from scalargrad.nn import Layer, Module, Parameter
from scalargrad.optim import SGD, Adam

X, Y = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.25]]), np.array([0.0, 1.0, 1.0])
w = Value(2.0, "w")


def loss(x, y):
    return (w * x[0] - y) ** 2


def of(model, x, y):
    return (model(x) - y) ** 2


def pure(x, y):
    return (x[0] - y) ** 2


@scalargrad.compile(dtype="float32", backend="numpy")
def decorated(x, y):
    return sum((w * part - y) ** 2 for part in x)


class Line(Module):
    def __init__(self):
        self.layer = Layer(2, 1, rng=0)

    def __call__(self, x):
        return self.layer(x)

    def loss(self, x, y):
        return (self.layer(x) - y) ** 2


class Locked:
    def __init__(self):
        self.lock = threading.Lock()

    def __call__(self, x, y):
        return x[0] - y


def roundtrip(x):
    return pickle.loads(pickle.dumps(x))


HOWS = {"copy": copy.copy, "deepcopy": copy.deepcopy, "pickle": roundtrip}
every_way = pytest.mark.parametrize("how", HOWS.values(), ids=HOWS)


def used(program):
    program.backward(X, Y)
    return program


@every_way
@pytest.mark.parametrize("calls", [0, 1])
def test_a_copy_is_a_fresh_compiled_function(how, calls):
    settings = {"dtype": "float32", "backend": "native", "threads": 1}
    program = scalargrad.compile(loss, **settings)
    for _ in range(calls):
        used(program)
    other = how(program)
    assert other is not program
    assert type(other) is type(program)
    assert other.function is loss
    assert (other.dtype, other.backend_name, other.toolchain.threads) == ("float32", "native", 1)
    assert other.lock is not program.lock
    assert other.variants == {}
    assert "not called yet" in str(other)
    assert other(X, Y) == program(X, Y)
    assert other.parameters == [w]
    assert other.__name__ == "loss"


@pytest.mark.parametrize("backend", ["eager", "numpy", "native"])
def test_every_backend_is_copied(backend):
    program = used(scalargrad.compile(loss, backend=backend))
    for how in HOWS.values():
        assert how(program).backend_name == backend
        assert how(how(program))(X, Y) == program(X, Y)


def test_a_decorated_function_is_pickled_by_its_name():
    used(decorated)
    assert roundtrip(decorated) is decorated
    assert roundtrip({"a": [decorated]}) == {"a": [decorated]}
    for other in (copy.copy(decorated), copy.deepcopy(decorated), roundtrip(copy.copy(decorated))):
        assert other is not decorated
        assert other.function is decorated.function
        assert (other.dtype, other.backend_name) == ("float32", "numpy")
        assert other(X, Y) == decorated(X, Y)


def test_a_lambda_and_a_closure_are_copied_and_say_why_they_are_not_pickled():
    model = Line()
    for function in (lambda x, y: model.loss(x, y), partial(of, model), partial(lambda a, x, y: loss(x, y) + a, 2.0)):
        program = used(scalargrad.compile(function))
        for how in (copy.copy, copy.deepcopy):
            assert how(program)(X, Y) == pytest.approx(program(X, Y), rel=1e-12)
    for function in (lambda x, y: model.loss(x, y), partial(lambda a, x, y: loss(x, y) + a, 2.0), Locked()):
        refused(lambda function=function: pickle.dumps(scalargrad.compile(function)), "pickled")
    refused(lambda: copy.deepcopy(scalargrad.compile(Locked())), "copied")
    assert copy.copy(scalargrad.compile(Locked()))(X, Y) == pytest.approx(np.mean(X[:, 0] - Y))


def refused(action, *words):
    with pytest.raises(TypeError) as error:
        action()
    message = str(error.value)
    assert "\n" not in message
    assert len(message) < 400
    assert "compile" in message
    assert "RLock" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize("how", [copy.deepcopy, roundtrip], ids=["deepcopy", "pickle"])
@pytest.mark.parametrize(
    "function", [lambda m: m.loss, lambda m: partial(of, m), lambda m: m], ids=["method", "partial", "module"]
)
def test_what_belongs_to_the_function_is_copied_along(how, function):
    model = Line()
    program = scalargrad.compile(function(model))
    if function(model) is model:
        other = how(program)
        assert other.function is not model
        assert other.function.parameters()[0].data == model.parameters()[0].data
        return
    used(program)
    other = how(program)
    assert other(X, Y) == program(X, Y)
    assert set(other.parameters).isdisjoint(model.parameters())
    model.zero_grad()
    used(other)
    assert not any(p.grad for p in model.parameters())
    assert copy.copy(program).function == program.function or isinstance(program.function, partial)


@pytest.mark.parametrize("how", [copy.deepcopy, roundtrip], ids=["deepcopy", "pickle"])
def test_a_model_with_a_compiled_method_is_copied(how):
    model = Line()
    model.program, model.again = scalargrad.compile(model.loss), scalargrad.compile(model)
    used(model.program)
    other = how(model)
    assert other.program.function.__self__ is other
    assert other.again.function is other
    used(other.program)
    assert set(other.program.parameters) == set(other.parameters())
    assert set(other.parameters()).isdisjoint(model.parameters())
    program = how(model.program)
    assert program.function.__self__.program.function == program.function
    if how is copy.deepcopy:
        assert program.function.__self__.program is program
    before = model.program(X, Y)
    for p in other.parameters():
        p.data += 1.0
    assert model.program(X, Y) == before != other.program(X, Y)


def test_a_model_whose_compiled_closure_reads_it_is_not_copied_without_a_word():
    model, other = Line(), Line()
    parameter, values = model.layer.neurons[0].bias, [w]
    for function in (
        lambda x, y: model.loss(x, y),
        lambda x, y: parameter * x[0] - y,
        lambda x, y, net=model: net(x) - y,
        lambda x, y, *, net=model: net(x) - y,
        lambda x, y: values[0] * x[0] - y,
        lambda x, y: sum(w * part - y for part in x),
        lambda x, y: sum([other.loss(x, y)]),
        partial(lambda a, x, y: model.loss(x, y) * a, 2.0),
        loss,
    ):
        model.program = scalargrad.compile(function)
        refused(lambda: copy.deepcopy(model), "a method of what is copied")
        refused(lambda: copy.deepcopy([model.program]), "Values")
        assert copy.copy(model).program is model.program
    model.program = scalargrad.compile(pure)
    assert copy.deepcopy(model).program.function is pure
    model.program = scalargrad.compile(lambda x, y: model.loss(x, y))
    refused(lambda: pickle.dumps(model), "pickled")


@pytest.mark.parametrize("how", [copy.deepcopy, roundtrip], ids=["deepcopy", "pickle"])
@pytest.mark.parametrize("steps", [0, 3])
def test_a_trainer_of_a_method_is_copied_with_what_it_remembers(how, steps):
    model = Line()
    model.trainer = scalargrad.compile(model.loss).trainer(Adam(0.1), batch_size=2, rng=3)
    if steps:
        model.trainer.run(X, Y, epochs=steps)
    other = how(model)
    assert other.trainer.compiled.function.__self__ is other
    histories = [m.trainer.run(X, Y, epochs=3)["loss"] for m in (model, other)]
    np.testing.assert_allclose(*histories, rtol=1e-12)
    np.testing.assert_allclose(*[[p.data for p in m.parameters()] for m in (model, other)], rtol=1e-12)


def test_a_trainer_of_a_function_says_why_it_is_not_copied():
    trainer = scalargrad.compile(loss).trainer(Adam(0.1))
    assert roundtrip(trainer).compiled.function is loss
    assert copy.copy(trainer).compiled is trainer.compiled
    refused(lambda: copy.deepcopy(trainer), "Values that loss reads")
    before = w.data
    trainer.run(X, Y, epochs=1)
    w.data = before
    for how in HOWS.values():
        refused(lambda how=how: how(trainer), "program.trainer(optimizer)")
    model = Line()
    trainer = scalargrad.compile(lambda x, y: model.loss(x, y)).trainer(SGD(0.1))
    refused(lambda: copy.deepcopy(trainer), "Values")
    refused(lambda: pickle.dumps(trainer), "pickled")


def test_a_model_that_was_fitted_is_still_copied():
    model = Line()
    model.fit(X, Y, epochs=1, progress=False)
    for how in (copy.deepcopy, roundtrip):
        np.testing.assert_array_equal(how(model).predict(X), model.predict(X))


def test_a_parameter_in_a_compiled_function_is_shared_by_a_copy():
    p = Parameter(1.0)
    program = scalargrad.compile(lambda x, y: p * x[0] - y)
    other = copy.deepcopy(program)
    p.data = 5.0
    assert other(X, Y) == program(X, Y)
