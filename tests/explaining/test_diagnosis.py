"""The gradient doctor: each mistake planted and found on its line, and healthy runs in which nothing is found."""

import gc
import inspect
import math
import random
import time
from contextlib import suppress

import pytest

from scalargrad import ops
from scalargrad.engine import Value, topological_order
from scalargrad.explaining import examination
from scalargrad.explaining.diagnosis import diagnose, examined
from scalargrad.explaining.findings import REMEDIES, Finding, Report
from scalargrad.explaining.observations import Check, slopes_of
from scalargrad.explaining.stale import is_stale
from scalargrad.losses import binary_cross_entropy_with_logits, cross_entropy, hinge, mse
from scalargrad.nn import MLP, Layer, Module, Neuron, Parameter
from scalargrad.observers import no_grad
from scalargrad.ops import OPERATIONS
from scalargrad.optim import SGD, Adam, clip_grad_norm

SAMPLES = [(x, y) for x in (-1.0, -0.4, 0.3, 1.0) for y in (-0.9, -0.2, 0.5, 1.1)]
LABELS = [1 if x * y > 0.0 else -1 for x, y in SAMPLES]


def model_loss(model, samples=SAMPLES, labels=LABELS):
    return mse([model(sample) for sample in samples], labels)


def report_of(run, parameters, *rest):
    with diagnose(parameters) as report:
        run(*rest)
    return report


# The mistakes. The line that the report is to name ends in "# here".


def forgotten_zero_grad():
    w, b = Value(0.5, "w"), Value(0.1, "b")
    with diagnose([w, b]) as report:
        for _ in range(3):
            loss = (w * 2.0 + b - 3.0) ** 2
            loss.backward()  # here
            SGD(lr=0.01).step([w, b])
    return report, "w, b"


def forgotten_zero_grad_with_clipping():
    model = MLP(2, [3, 1], activation="tanh", rng=0)
    with diagnose(model) as report:
        for _ in range(2):
            model_loss(model).backward()  # here
            clip_grad_norm(model.parameters(), 0.1)
            SGD(lr=0.01).step(model.parameters())
    return report, "layers.0 (9 parameters), layers.1 (4 parameters)"


def the_same_loss_twice():
    w = Value(3.0, "w")
    with diagnose([w]) as report:
        loss = w * w
        loss.backward()
        loss.backward()  # here
    return report, "the same loss"


def cut_by_data():
    w, v = Value(0.5, "w"), Value(1.5, "v")
    with diagnose([w, v]) as report:
        hidden = (w * 2.0).tanh()  # here
        (v * hidden.data).backward()
    return report, "never reaches w: its use ends in a result of tanh"


def cut_by_float_of_the_parameter():
    w, v = Value(0.5, "w"), Value(1.5, "v")
    with diagnose([w, v]) as report:
        (v * float(w)).backward()  # here
    return report, "never reaches w: no operation used it as a Value"


def cut_by_detach():
    w, v = Value(0.5, "w"), Value(1.5, "v")
    with diagnose([w, v]) as report:
        frozen = w.detach()  # here
        (v * frozen).backward()
    return report, "w: a copy without history"


def cut_by_no_grad():
    w, v = Value(0.5, "w"), Value(1.5, "v")
    with diagnose([w, v]) as report:
        with no_grad():
            hidden = w * 2.0  # here
        (v * hidden).backward()
    return report, "w: it was used inside no_grad() only"


def cut_by_a_step():
    w, v = Value(0.5, "w"), Value(1.5, "v")
    with diagnose([w, v]) as report:
        fires = (w * 2.0).step()  # here
        (v * fires).backward()
    return report, "w: it counts only through step, which has no slope"


def a_layer_that_is_not_used():
    class TwoLayers(Module):
        def __init__(self):
            self.first, self.second = Layer(2, 2, rng=0), Layer(2, 1, rng=0)

        def __call__(self, inputs):
            return self.second(inputs)

    model = TwoLayers()
    with diagnose(model) as report:
        (model([1.0, 2.0]) - 1.0).backward()  # here
    return report, "never reaches first (6 parameters): no operation used it"


def units_that_are_off():
    model = MLP(2, [3, 1], rng=1)
    for neuron in model.layers[0].neurons[:2]:
        neuron.bias.data = -50.0
    with diagnose(model) as report:
        for _ in range(2):
            model.zero_grad()
            loss = model_loss(model)
            loss.backward()
            SGD(lr=0.01).step(model.parameters())
    report.findings[:] = [moved(found) for found in report.findings]
    return report, "2 of 3 relu units gave 0 on every one of 32 evaluations: layers.0.neurons.0, layers.0.neurons.1"


def moved(found):
    """The line is in `model_loss`, where the model is called; the test looks for it in the mistake."""
    assert found.code == "return mse([model(sample) for sample in samples], labels)"
    return Finding(found.kind, HERE, found.what, found.remedy, found.code)


HERE = "where the model is called"


def a_unit_off_without_modules():
    w, b = Value(1.0, "w"), Value(-9.0, "b")
    with diagnose([w, b]) as report:
        for x in range(8):
            for y in (-1.0, 0.0, 1.0):
                hidden = (w * (x * y) + b).relu()  # here
                (hidden - 1.0).backward()
                w.grad = b.grad = 0.0
    return report, "1 of 1 relu unit gave 0 on every one of 24 evaluations: the unit of b"


def log_of_zero():
    w, x = Value(0.0, "w"), Value(2.0, "x")
    with diagnose([w]) as report:
        product = w * x
        logarithm = product.log()  # here
        (logarithm * 3.0).backward()
    return report, "log gave -inf; its operands: operand = 0"


def infinity_minus_infinity():
    w = Value(800.0, "w")
    with diagnose([w]) as report:
        large = w.exp()  # here
        (large - large).backward()
    return report, "exp gave inf; its operands: w = 800"


def a_missing_number_in_the_data():
    w = Value(1.0, "w")
    with diagnose([w]) as report:
        x = Value(math.nan, "x")
        (w * x).backward()  # here
    return report, "mul used x = nan"


def a_parameter_that_an_update_broke():
    w = Value(-1.7e308, "w")
    with diagnose([w]) as report:
        (w * 1.0).backward()
        w.data -= 1e308 * w.grad
        w.grad = 0.0
        (w * 1.0).backward()  # here
    return report, "mul used w = -inf, which was so before. It is a parameter"


def square_root_at_zero_backward():
    w = Value(0.0, "w")
    with diagnose([w]) as report:
        square = w * w
        short = square.sqrt().less(1.0)
        length = square.sqrt()  # here
        (length * short).backward()
    return report, "Backward, sqrt passes on inf"


def a_step_before_backward():
    w = Value(1.0, "w")
    with diagnose([w]) as report:
        for _ in range(2):
            w.grad = 0.0
            loss = w * w  # here
            w.data -= 0.1
            loss.backward()
    return report, "The data of w changed after being used"


def one_of_two_changed_before_backward():
    w, v = Value(1.0, "w"), Value(2.0, "v")
    with diagnose([w, v]) as report:
        (w * v).backward()
        w.data, v.data = 0.9, 1.8
        w.grad = v.grad = 0.0
        loss = w * v  # here
        w.data = 0.8
        loss.backward()
    return report, "The data of w changed"


def an_input_changed_before_backward():
    w, x = Value(3.0, "w"), Value(2.0, "x")
    with diagnose([w]) as report:
        loss = w * x  # here
        x.data = 5.0
        loss.backward()
    return report, "The data of x changed"


def a_loss_computed_once():
    w = Value(1.0, "w")
    with diagnose([w]) as report:
        loss = w * w
        for _ in range(3):
            w.grad = 0.0
            loss.backward()  # here
            w.data -= 0.1 * w.grad
    return report, "The data of w changed"


def an_index_changed_to_one_outside():
    index, w = Value(0.0, "index"), Value(1.0, "w")
    with diagnose([w]) as report:
        loss = ops.take(index, [2.0, 1.0]) * w  # here
        index.data = 9.0
        loss.backward()
    return report, "take was recorded as 2, but now its index lies outside."


def a_parameter_replaced():
    w = Value(1.0, "w")
    with diagnose([w]) as report:
        for _ in range(2):
            loss = (w - 3.0) ** 2
            loss.backward()
            w = w - 0.1 * w.grad  # here
    return report, "makes a new Value from w after every backward()"


def a_parameter_replaced_by_a_sum():
    w = Value(1.0, "w")
    with diagnose([w]) as report:
        for _ in range(2):
            ((w - 3.0) ** 2).backward()
            w += -0.1 * w.grad  # here
    return report, "makes a new Value from w"


def a_parameter_replaced_without_recording():
    w = Value(1.0, "w")
    with diagnose([w]) as report:
        for _ in range(2):
            ((w * 2.0 - 3.0) ** 2).backward()
            with no_grad():
                w = w - 0.1 * w.grad  # here
    return report, "makes a new Value from w"


def parameters_replaced_in_a_list():
    parameters = [Value(1.0), Value(2.0)]
    with diagnose(parameters) as report:
        for _ in range(2):
            (parameters[0] * parameters[1]).backward()
            parameters = [p - 0.1 * p.grad for p in parameters]  # here
    return report, "makes a new Value from parameters[0]"


def new_values_thrown_away():
    model = MLP(2, [2, 1], activation="tanh", rng=0)
    with diagnose(model) as report:
        for _ in range(3):
            model.zero_grad()
            model_loss(model).backward()
            for p in model.parameters():
                p = p - 0.1 * p.grad  # here
    return report, "leaves the parameters as they were: layers.0 (6 parameters), layers.1 (3 parameters)"


def a_parameter_replaced_by_a_new_leaf():
    w = Value(1.0, "w")
    with diagnose([w]) as report:
        for _ in range(3):
            ((w * 2.0 - 3.0) ** 2).backward()  # here
            w = Value(w.data - 0.1 * w.grad)
    return report, "Since backward pass 2 new Values"


def deep_sigmoids():
    model = MLP(2, [3] * 8 + [1], activation="sigmoid", rng=0)
    with diagnose(model) as report:
        model_loss(model).backward()  # here
    return report, "times smaller than those of layers.8"


def large_weights():
    model = MLP(2, [4] * 5 + [1], activation="gelu", rng=3)
    for p in model.parameters():
        p.data *= 30.0
    with diagnose(model.parameters()) as report:
        model_loss(model).backward()  # here
    return report, "The gradients are very large; rms by layer: layers.0"


def large_weights_above_small_ones():
    model = MLP(2, [4, 4, 1], activation="gelu", rng=3)
    for layer, scale in zip(model.layers, (1e-4, 50.0, 50.0), strict=True):
        for p in layer.parameters():
            p.data *= scale
    with diagnose(model.parameters()) as report:
        model_loss(model).backward()  # here
    return report, "times larger than those of layers.2"


def no_learning():
    w = Value(1.0, "w")
    optimizer = SGD(lr=0.0)
    with diagnose([w]) as report:
        for _ in range(3):
            w.grad = 0.0
            ((w - 3.0) ** 2).backward()  # here
            optimizer.step([w])
    return report, "No parameter has moved in 3 backward passes"


def too_large_a_rate():
    w = Value(1.0, "w")
    with diagnose([w]) as report:
        for _ in range(6):
            w.grad = 0.0
            ((w - 3.0) ** 2).backward()  # here
            w.data -= 1.5 * w.grad
    return report, "turned the gradient round and made it larger"


MISTAKES = [
    ("gradients accumulate", forgotten_zero_grad),
    ("gradients accumulate", forgotten_zero_grad_with_clipping),
    ("backward twice", the_same_loss_twice),
    ("not reached", cut_by_data),
    ("not reached", cut_by_float_of_the_parameter),
    ("not reached", cut_by_detach),
    ("not reached", cut_by_no_grad),
    ("not reached", cut_by_a_step),
    ("not reached", a_layer_that_is_not_used),
    ("units off", units_that_are_off),
    ("units off", a_unit_off_without_modules),
    ("nan or inf", log_of_zero),
    ("nan or inf", infinity_minus_infinity),
    ("nan or inf", a_missing_number_in_the_data),
    ("nan or inf", a_parameter_that_an_update_broke),
    ("nan or inf", square_root_at_zero_backward),
    ("stale data", a_step_before_backward),
    ("stale data", one_of_two_changed_before_backward),
    ("stale data", an_input_changed_before_backward),
    ("stale data", an_index_changed_to_one_outside),
    ("stale data", a_loss_computed_once),
    ("parameter replaced", a_parameter_replaced),
    ("parameter replaced", a_parameter_replaced_by_a_sum),
    ("parameter replaced", a_parameter_replaced_without_recording),
    ("parameter replaced", parameters_replaced_in_a_list),
    ("parameter replaced", new_values_thrown_away),
    ("parameter replaced", a_parameter_replaced_by_a_new_leaf),
    ("gradients vanish", deep_sigmoids),
    ("gradients explode", large_weights),
    ("gradients explode", large_weights_above_small_ones),
    ("nothing moves", no_learning),
    ("steps too large", too_large_a_rate),
]


@pytest.mark.parametrize(("kind", "mistake"), MISTAKES, ids=[mistake.__name__ for _, mistake in MISTAKES])
def test_a_mistake_is_found_on_its_line(kind, mistake):
    report, words = mistake()
    lines, first = inspect.getsourcelines(mistake)
    marked = [number for number, line in enumerate(lines, first) if "# here" in line]
    expected = f"test_diagnosis.py:{marked[0]}" if marked else HERE
    assert [found.kind for found in report.findings] == [kind], report
    (found,) = report.findings
    assert found.where == expected
    assert words in found.what
    assert found.remedy == REMEDIES[kind]
    assert found.code in str(report)


def test_there_is_a_mistake_for_each_remedy():
    assert {kind for kind, _ in MISTAKES} == set(REMEDIES)


# Healthy runs.


def by_hand():
    w, b = Value(0.5, "w"), Value(0.1, "b")
    with diagnose([w, b]) as report:
        for _ in range(20):
            loss = (w * 2.0 + b - 3.0) ** 2
            for p in (w, b):
                p.grad = 0.0
            loss.backward()
            for p in (w, b):
                p.data -= 0.05 * p.grad
    return report


def minibatches_with(optimizer, loss=model_loss, **options):
    def run():
        model = MLP(2, [6, 6, 1], rng=4, **options)
        rng = random.Random(0)
        with diagnose(model) as report:
            for _ in range(12):
                rows = rng.sample(range(len(SAMPLES)), 5)
                model.zero_grad()
                loss(model, [SAMPLES[row] for row in rows], [LABELS[row] for row in rows]).backward()
                clip_grad_norm(model.parameters(), 5.0)
                optimizer.step(model.parameters())
        return report

    return run


def hinge_loss(model, samples, labels):
    return hinge([model(sample) for sample in samples], labels)


def hinge_by_hand(model, samples, labels):
    margins = [(1.0 - label * model(sample)).relu() for sample, label in zip(samples, labels, strict=True)]
    return ops.sum(margins) / len(margins) + 1e-4 * ops.dot(model.parameters(), model.parameters())


def logistic_loss(model, samples, labels):
    return binary_cross_entropy_with_logits([model(sample) for sample in samples], [label > 0 for label in labels])


def a_hinge_that_is_satisfied():
    neuron = Neuron(1, nonlin=False, rng=0)
    neuron.weights[0].data = 5.0
    with diagnose(neuron) as report:
        for _ in range(2):
            for x in (-6.0, -5.0, -4.0, -3.0, -2.0, 2.0, 3.0, 4.0, 5.0, 6.0) * 2:
                neuron.zero_grad()
                (1.0 - neuron([x]) * math.copysign(1.0, x)).relu().backward()
    return report


def gradients_accumulated_on_purpose():
    model = MLP(2, [4, 1], activation="tanh", rng=0)
    optimizer = Adam(lr=0.01)
    with diagnose(model) as report:
        for _ in range(3):
            model.zero_grad()
            for start in range(0, 16, 4):
                (model_loss(model, SAMPLES[start : start + 4], LABELS[start : start + 4]) / 4.0).backward()
            optimizer.step(model.parameters())
    return report


def two_losses():
    model = MLP(2, [4, 1], activation="tanh", rng=0)
    with diagnose(model) as report:
        for _ in range(4):
            model.zero_grad()
            outputs = [model(sample) for sample in SAMPLES]
            first, second = mse(outputs, LABELS), 0.01 * ops.dot(model.parameters(), model.parameters())
            first.backward()
            second.backward()
            SGD(lr=0.05).step(model.parameters())
    return report


def evaluation_between_steps():
    model = MLP(2, [4, 1], activation="tanh", rng=0)
    with diagnose(model) as report:
        for _ in range(4):
            with no_grad():
                model_loss(model)
            model.zero_grad()
            model_loss(model).backward()
            SGD(lr=0.05).step(model.parameters())
            model_loss(model)  # recorded, and never run backward
    return report


def only_evaluation():
    model = MLP(2, [4, 1], rng=0)
    with diagnose(model) as report, no_grad():
        model_loss(model)
    return report


def frozen_parameters():
    model = MLP(2, [4, 1], activation="tanh", rng=0)
    trained = model.layers[1].parameters()
    with diagnose(model) as report:
        for _ in range(4):
            for p in trained:
                p.grad = 0.0
            model_loss(model).backward()
            SGD(lr=0.05).step(trained)
    return report


def a_list_of_the_trained_ones():
    model = MLP(2, [4, 1], activation="tanh", rng=0)
    with diagnose(model.layers[1].parameters()) as report:
        for _ in range(4):
            model.zero_grad()
            model_loss(model).backward()
            SGD(lr=0.05).step(model.layers[1].parameters())
    return report


def dropout():
    model, rng = MLP(2, [6, 1], rng=4), random.Random(1)
    with diagnose(model) as report:
        for _ in range(4):
            model.zero_grad()
            outputs = []
            for sample in SAMPLES:
                hidden = model.layers[0](sample)
                kept = tuple(ops.where(float(rng.random() < 0.7), h / 0.7, 0.0) for h in hidden)
                outputs.append(model.layers[1](kept))
            mse(outputs, LABELS).backward()
            SGD(lr=0.05).step(model.parameters())
    return report


def an_input_that_changes_between_steps():
    w, x = Value(0.5, "w"), Value(1.0, "x")
    with diagnose([w]) as report:
        for step in range(5):
            x.data = 1.0 + step / 10.0
            loss = (w * x - 2.0) ** 2
            w.grad = 0.0
            loss.backward()
            w.data -= 0.1 * w.grad
    return report


def units_off_on_some_samples():
    neuron = Neuron(2, rng=0)
    with diagnose(neuron) as report:
        for _ in range(3):
            for sample, label in zip(SAMPLES, LABELS, strict=True):
                neuron.zero_grad()
                ((neuron(sample) - label) ** 2).backward()
                SGD(lr=0.01).step(neuron.parameters())
    return report


def one_sample_that_turns_units_off():
    layer = Layer(2, 8, rng=0)
    with diagnose(layer) as report:
        for _ in range(30):
            layer.zero_grad()
            mse(layer([1.0, 2.0]), [1.0] * 8).backward()
            SGD(lr=0.01).step(layer.parameters())
    return report


def one_unit_of_sixteen_off():
    layer = Layer(2, 16, rng=0)
    layer.neurons[3].bias.data = -50.0
    with diagnose(layer) as report:
        for _ in range(2):
            layer.zero_grad()
            mse([ops.sum(layer(sample)) for sample in SAMPLES], LABELS).backward()
            SGD(lr=1e-4).step(layer.parameters())
    return report


def masks_of_minus_infinity():
    scores = [Parameter(0.3, "a.0"), Parameter(-0.2, "a.1")]
    with diagnose(scores) as report:
        for _ in range(3):
            masked = [*scores, Value(-math.inf), scores[0] + -math.inf, scores[1] + Value(-math.inf)]
            loss = cross_entropy(masked, 0)
            scores[0].grad = scores[1].grad = 0.0
            loss.backward()
            SGD(lr=0.1).step(scores)
    return report


def two_networks_in_turn():
    maker, judge = (MLP(1, [3, 1], activation="tanh", rng=seed) for seed in (1, 2))
    with diagnose(maker) as report:
        for _ in range(3):
            for _ in range(4):
                judge.zero_grad()
                (judge([maker([0.5]).detach()]) - judge([1.0])).backward()
                SGD(lr=0.01).step(judge.parameters())
            maker.zero_grad()
            (-judge([maker([0.5])])).backward()
            SGD(lr=0.01).step(maker.parameters())
        for _ in range(4):
            judge([maker([0.5]).detach()]).backward()
    return report


def distance_from_a_number():
    a, b = Value(1.0, "a"), Value(1.0, "b")  # alike, and used through a difference with a number
    with diagnose([a, b]) as report:
        for _ in range(6):
            loss = (a - 3.0) ** 2 + (b - 3.0) ** 2
            a.grad = b.grad = 0.0
            loss.backward()
            a.data -= 0.1 * a.grad
            b.data -= 0.1 * b.grad
    return report


def gradients_looked_at_without_learning():
    w = Value(1.0, "w")
    with diagnose([w]) as report:
        for target in range(2, 8):
            ((w - float(target)) ** 2).backward()
            assert (w - 1.0).data == 0.0  # a Value that nothing uses
    return report


def a_sum_of_gradients():
    w = Value(1.0, "w")
    with diagnose([w]) as report:
        for x in (1.0, 2.0, 3.0):
            (w * x).backward()  # the new loss may lie where the old one lay in memory
    return report


def a_recurrence():
    w = Value(1.0, "w")
    with diagnose([w]) as report:
        for _ in range(3):
            h = w
            for _ in range(3):
                h = h - 0.1
            loss = (h - 3.0) ** 2
            w.grad = 0.0
            loss.backward()
            w.data -= 0.1 * w.grad
    return report


def a_difference_used_by_two_losses():
    w = Value(1.0, "w")
    with diagnose([w]) as report:
        h = w - 3.0
        (h * h).backward()
        ((h - 1.0) ** 2).backward()
    return report


def a_gradient_that_grows_one_way():
    w = Value(1.0, "w")
    with diagnose([w]) as report:
        for _ in range(8):
            w.grad = 0.0
            (-w * w).backward()
            w.data -= 0.3 * w.grad
    return report


def few_samples_that_turn_a_unit_off():
    w = Value(-1.0, "w")
    with diagnose([w]) as report:
        for x in (1.0, 2.0, 3.0, 4.0, 5.0):
            (w * x).relu().backward()
    return report


HEALTHY = {
    "by hand": by_hand,
    "minibatches, SGD": minibatches_with(SGD(lr=0.05, momentum=0.9)),
    "minibatches, Adam": minibatches_with(Adam(lr=0.01), activation="tanh"),
    "hinge": minibatches_with(SGD(lr=0.05), hinge_loss),
    "hinge by hand": minibatches_with(SGD(lr=0.05), hinge_by_hand),
    "logits": minibatches_with(Adam(lr=0.01), logistic_loss, activation="gelu"),
    "a hinge that is satisfied": a_hinge_that_is_satisfied,
    "gradients accumulated on purpose": gradients_accumulated_on_purpose,
    "two losses": two_losses,
    "evaluation between steps": evaluation_between_steps,
    "only evaluation": only_evaluation,
    "frozen parameters": frozen_parameters,
    "a list of the trained ones": a_list_of_the_trained_ones,
    "dropout": dropout,
    "an input that changes between steps": an_input_that_changes_between_steps,
    "units off on some samples": units_off_on_some_samples,
    "one sample": one_sample_that_turns_units_off,
    "one unit of sixteen off": one_unit_of_sixteen_off,
    "masks of minus infinity": masks_of_minus_infinity,
    "two networks in turn": two_networks_in_turn,
    "distance from a number": distance_from_a_number,
    "gradients without learning": gradients_looked_at_without_learning,
    "a sum of gradients": a_sum_of_gradients,
    "a recurrence": a_recurrence,
    "a difference used by two losses": a_difference_used_by_two_losses,
    "a gradient that grows one way": a_gradient_that_grows_one_way,
    "few samples": few_samples_that_turn_a_unit_off,
}


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_run_reports_nothing(name):
    report = HEALTHY[name]()
    assert report.findings == [], report
    assert str(report).startswith("diagnose: nothing found (")


# One graph, afterwards.


def test_one_healthy_graph_reports_nothing_before_backward_after_it_and_after_the_step():
    model = MLP(2, [4, 1], activation="tanh", rng=0)
    loss = model_loss(model)
    assert diagnose(loss, model).findings == []
    loss.backward()
    assert diagnose(loss, model.parameters()).findings == []
    SGD(lr=0.1).step(model.parameters())
    assert diagnose(loss, model).findings == []


def test_one_graph_tells_what_needs_no_lines():
    def unreached():
        w, v = Value(0.5, "w"), Value(1.5, "v")
        return v * float(w), [w, v]

    def detached():
        w, v = Value(0.5, "w"), Value(1.5, "v")
        return v * w.detach(), [w, v]

    def infinite():
        w = Value(0.0, "w")
        return (w * 2.0).log() * 2.0, [w]

    def infinite_backward():
        w = Value(0.0, "w")
        return (w * w).sqrt(), [w]

    def stale():
        w = Value(2.0, "w")
        loss = w * w
        w.data = 3.0
        return loss, [w]

    def twice():
        w = Value(2.0, "w")
        loss = w * w
        loss.backward()
        loss.backward()
        return loss, [w]

    def vanishing():
        model = MLP(2, [3] * 8 + [1], activation="sigmoid", rng=0)
        return model_loss(model), model

    def off():
        layer = Layer(2, 2, rng=0)
        layer.neurons[1].bias.data = -50.0
        return ops.sum([ops.sum(layer((x, y * scale))) for x, y in SAMPLES for scale in (1.0, 2.0)]), layer

    for kind, graph in [
        ("not reached", unreached),
        ("not reached", detached),
        ("nan or inf", infinite),
        ("nan or inf", infinite_backward),
        ("stale data", stale),
        ("gradients accumulate", twice),
        ("gradients vanish", vanishing),
        ("units off", off),
    ]:
        (found,) = diagnose(*graph()).findings
        assert (found.kind, found.where, found.code) == (kind, "", "")
        assert "  " not in found.what
        assert " at ." not in found.what


# What the doctor rests on.


@pytest.mark.parametrize("op", [op for op in OPERATIONS.values() if op.name != "random"], ids=str)
def test_an_operation_computed_again_gives_the_same_bits(op):
    rng = random.Random(op.name)
    for _ in range(50):
        lowest, highest = (max(op.domain[0][0], -3.0), min(op.domain[0][1], 3.0))
        x, y, z = (Value(rng.uniform(lowest, highest)) for _ in range(3))
        args = {"x": x, "y": y, "n": 1.5, "slope": 0.1, "index": 1.0, "condition": y, "alpha": 0.5, "value": y}
        args |= {
            "[values]": [x, y, z],
            "[weights]": [x, y, z],
            "[inputs]": [y, z, 0.3],
            "*xs": x,
            "*choices": x,
            "*bounds": x,
        }
        value = op(*(args[name] for name in op.arguments), *([z] if op.name in ("where", "clamp") else []))
        assert not is_stale(value)


def test_the_doctors_slopes_are_those_of_backward_and_leave_every_gradient_alone():
    model = MLP(2, [5, 5, 1], rng=0)
    loss = model_loss(model)
    slopes = slopes_of(topological_order(loss))
    assert all(p.grad == 0.0 for p in model.parameters())
    loss.backward()
    assert [slopes[p] for p in model.parameters()] == pytest.approx([p.grad for p in model.parameters()], rel=1e-12)


def test_training_goes_the_same_way_under_the_eyes_of_the_doctor():
    def train(model):
        for _ in range(5):
            model.zero_grad()
            model_loss(model).backward()
            SGD(lr=0.1).step(model.parameters())
        return [p.data for p in model.parameters()]

    alone, watched = MLP(2, [4, 1], rng=0), MLP(2, [4, 1], rng=0)
    expected = train(alone)
    with diagnose(watched):
        assert train(watched) == expected


def test_another_kind_of_mistake_is_a_class_and_its_place_in_the_list(monkeypatch):
    class LargeWeights(Check):
        def before_pass(self, coming):
            large = [p for p in self.seen.parameters if abs(p.data) > 100.0]
            if large:
                self.seen.add("weights too large", coming.place, f"Weights above 100: {self.seen.listed(large)}.")

    monkeypatch.setitem(REMEDIES, "weights too large", "Use weight decay.")
    w, v = Value(1000.0, "w"), Value(1.0, "v")
    doctor = examination.Examination([w, v])
    doctor.checks.append(LargeWeights(doctor.seen))
    with examined(doctor) as report:
        (w * v).backward()
    assert [found.what for found in report.findings] == ["Weights above 100: w."]
    assert report.findings[0].code == "(w * v).backward()"


def test_a_graph_is_freed_after_its_backward_pass():
    model = MLP(2, [4, 1], activation="tanh", rng=0)

    def step():
        model.zero_grad()
        model_loss(model).backward()
        SGD(lr=0.1).step(model.parameters())

    def values():
        return sum(type(x) is Value for x in gc.get_objects())

    gc.collect()
    before = values()
    gc.disable()
    try:
        with diagnose(model):
            for _ in range(3):
                step()
                assert values() == before
    finally:
        gc.enable()


def test_lines_are_forgotten_where_no_backward_pass_forgets_them(monkeypatch):
    monkeypatch.setattr(examination, "REMEMBERED", 100)
    w = Value(1.0, "w")
    watching = examination.Examination([w])
    with examined(watching):
        for _ in range(1000):
            w * 2.0
            assert len(watching.seen.places) <= 100


def test_a_step_takes_at_most_ten_times_as_long():
    model = MLP(2, [8, 8, 1], rng=0)

    def seconds():
        start = time.process_time()  # another process may have the processor for a while
        model.zero_grad()
        model_loss(model).backward()
        return time.process_time() - start

    alone = min(seconds() for _ in range(10))
    with diagnose(model):
        watched = min(seconds() for _ in range(10))
    assert watched < 10.0 * alone


# The report.


def test_the_report_survives_an_error_in_the_block():
    w = Value(0.0, "w")
    with suppress(KeyboardInterrupt), diagnose([w]) as report:
        w.log()
        raise KeyboardInterrupt
    assert [found.kind for found in report.findings] == ["nan or inf"]


def test_the_most_serious_finding_comes_first_and_prints_within_the_width():
    w, v = Value(0.0, "w"), Value(1.0, "v")
    with diagnose([w, v]) as report:
        w.log().backward()
    assert [found.kind for found in report.findings] == ["nan or inf", "not reached"]
    lines = str(report).splitlines()
    assert lines[0] == "diagnose: 2 findings (1 backward pass, 2 parameters)"
    assert lines[2].endswith("w.log().backward()")
    assert all(len(line) <= 110 for line in lines)


def test_a_notebook_shows_labels_as_text():
    w = Value(0.0, "<script>alert(1)</script>")
    with diagnose([w]) as report:
        w.log()
    shown = report._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert "<ol" in shown
    assert "diagnose: nothing found (the block is still running)" in Report()._repr_html_()
    assert "<ol" not in Report()._repr_html_()


def test_wrong_arguments_are_explained():
    w = Value(1.0)
    for arguments, words in [
        (([1.0],), "Values as parameters, got 1.0"),
        ((w,), r"diagnose\(\[w\]\)"),
        ((3.0,), "a list of parameters or a model"),
        ((1.0, [w]), "a Value as loss, got 1.0"),
    ]:
        with pytest.raises(TypeError, match=words):
            diagnose(*arguments)
    with pytest.raises(ValueError, match="used up"):
        diagnose(p for p in [])
