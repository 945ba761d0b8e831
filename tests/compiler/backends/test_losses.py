"""Losses compiled keep their digits on every backend, with derivatives of derivatives inside the program."""

import itertools

import numpy as np
import pytest
from mpmath import mp

from scalargrad.compiler import compile
from scalargrad.engine import Value, gradients
from scalargrad.losses import binary_cross_entropy_with_logits, cross_entropy
from tests.compiler.backends.suite import EVERY_BACKEND
from tests.oracles.losses import FAR, exact_binary_cross_entropy, exact_cross_entropy


@EVERY_BACKEND
def test_compiled_losses_keep_their_digits(backend):
    """Where XLA takes subnormal numbers for 0 there are none."""

    def binary(logit, label):
        loss = binary_cross_entropy_with_logits(logit, label)
        slope = gradients(loss, logit, create_graph=True)
        return [loss, slope, gradients(slope, logit, create_graph=True)]

    rows = [(x, label) for x in FAR for label in (0.0, 1.0)]
    found = compile(binary, backend=backend)(*np.array(rows).T)
    with mp.workdps(700):
        for (x, label), computed in zip(rows, found.tolist(), strict=True):
            expected = [float(exact) for exact in exact_binary_cross_entropy(x, label)]
            assert computed == pytest.approx(expected, rel=1e-13, abs=0.0), (x, label)


@EVERY_BACKEND
@pytest.mark.parametrize("common", [0.0, 1e15])
def test_compiled_cross_entropy_keeps_its_digits(common, backend):
    def everything(logits, label):
        loss = cross_entropy(logits, label)
        slopes = gradients(loss, logits, create_graph=True)
        return [loss, *slopes, *(x for slope in slopes for x in gradients(slope, logits, create_graph=True))]

    rows = [(row, label) for row in itertools.product([40.0, 39.0, -300.0], repeat=3) for label in range(3)]
    logits = np.array([row for row, _ in rows]) + common
    found = compile(everything, backend=backend)(logits, [label for _, label in rows])
    with mp.workdps(700):
        for row, (_, label), computed in zip(logits.tolist(), rows, found.tolist(), strict=True):
            expected = [float(exact) for part in exact_cross_entropy(row, label) for exact in part]
            assert computed == pytest.approx(expected, rel=1e-13, abs=0.0), (row, label)


@EVERY_BACKEND
def test_compiled_gradients_of_losses_keep_their_digits(backend):
    """By the reverse pass over array instructions, which differentiates by the same partials."""
    shifts = [Value(-0.0) for _ in range(3)]
    program = compile(lambda z, t: cross_entropy([x + s for x, s in zip(z, shifts, strict=True)], t), backend=backend)
    shift = Value(-0.0)
    binary = compile(lambda x, t: binary_cross_entropy_with_logits(x + shift, t), backend=backend)
    with mp.workdps(700):
        for row, label in [((40.0, 39.0, 0.0), 0), ((0.0, 300.0, 1.0), 1), ((1e15 + 40.0, 1e15, 1e15), 0)]:
            (value,), slopes, _ = exact_cross_entropy(row, label)
            found, found_slopes = program.value_and_grad(np.array([row]), [label])
            assert found == pytest.approx(float(value), rel=1e-13)
            by_leaf = dict(zip(program.parameters, found_slopes.tolist(), strict=True))
            assert [by_leaf[s] for s in shifts] == pytest.approx(list(map(float, slopes)), rel=1e-13, abs=0.0)
        for x, label in [(40.0, 1.0), (-40.0, 0.0), (300.0, 1.0)]:
            value, slope, _ = exact_binary_cross_entropy(x, label)
            found, found_slopes = binary.value_and_grad(np.array([x]), [label])
            assert (found, found_slopes[0]) == pytest.approx((float(value), float(slope)), rel=1e-13, abs=0.0)
