"""Samples and targets as they come from other libraries: like lists of the same numbers, or one clear line."""

from array import array

import numpy
import pytest

from scalargrad import (
    MLP,
    Value,
    binary_cross_entropy_with_logits,
    compile,
    cross_entropy,
    hinge,
    huber,
    mse,
)
from scalargrad.datasets.arrays import checked_inputs
from tests.oracles.needed import marked


def tensors(kind, numbers):
    if kind == "array":
        return array("d", numbers)
    if kind == "memoryview":
        return memoryview(numpy.array(numbers))
    if kind in ("jax", "jax bfloat16", "list of jax"):
        import jax

        made = jax.numpy.array(numbers, "bfloat16" if "bfloat16" in kind else "float32")
        return list(made) if kind.startswith("list") else made
    import torch

    if kind == "list of torch":
        return [torch.tensor(number) for number in numbers]
    dtype = torch.bfloat16 if "bfloat16" in kind else torch.float32
    return torch.tensor(numbers, dtype=dtype, requires_grad="gradient" in kind)


TENSORS = ["torch", "torch gradient", "torch bfloat16", "jax", "jax bfloat16"]
KINDS = [*TENSORS, "list of torch", "list of jax", "array", "memoryview"]
LIBRARIES = {kind: library for kind in KINDS for library in ("torch", "jax") if library in kind}


@pytest.mark.parametrize("kind", marked(KINDS, LIBRARIES))
def test_targets_and_samples_come_as_anybodys_arrays(kind):
    """Like lists of the same numbers, in losses, `fit`, `evaluate`, `predict` and compiled functions."""
    numbers, rows = [1.0, 0.0], [[1.0, 0.5], [0.25, 2.0]]
    for loss in (mse, huber, hinge, binary_cross_entropy_with_logits):
        ends = []
        for targets in (numbers, tensors(kind, numbers)):
            outputs = [Value(0.5), Value(1.5)]
            found = loss(outputs, targets)
            assert type(found) is Value
            found.backward()
            ends.append([found.data, *(output.grad for output in outputs)])
            assert loss(targets, [0.5, 1.5]) == loss(numbers, [0.5, 1.5])
        assert ends[0] == ends[1]
    logits = [[Value(0.5), Value(1.5)]] * 2
    assert cross_entropy(logits, tensors(kind, numbers)).data == cross_entropy(logits, numbers).data
    ends = []
    for targets in (numbers, tensors(kind, numbers)):
        model = MLP(2, [1], rng=0)
        model.fit(rows, targets, epochs=2, sample_weight=tensors(kind, [1.0, 2.0]))
        program = compile(lambda x, y, w=model.layers[0].neurons[0].weights[0]: (w * x - y) ** 2)
        ends.append([model.evaluate(rows, targets).loss, program([1.0, 2.0], targets)])
    assert ends[0] == pytest.approx(ends[1], rel=1e-6)


@pytest.mark.parametrize("kind", marked(TENSORS, LIBRARIES))
def test_samples_come_as_tensors_and_keep_their_precision(kind):
    rows = tensors(kind, [[1.0, 0.5], [0.25, 2.0]])
    assert checked_inputs(rows).dtype == "float32"
    model = MLP(2, [1], rng=0)
    assert model.predict(rows) == pytest.approx(model.predict([[1.0, 0.5], [0.25, 2.0]]), rel=1e-6)


def test_a_tensor_that_is_no_array_is_one_clear_line(torch):
    sparse = torch.tensor([[1.0, 0.0]]).to_sparse()
    for use in (lambda: checked_inputs(sparse), lambda: compile(lambda x: x[0])(sparse)):
        with pytest.raises(TypeError, match=r"to_dense\(\)") as error:
            use()
        assert "\n" not in str(error.value)
