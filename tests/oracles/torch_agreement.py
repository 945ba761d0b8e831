"""Is a layer PyTorch's layer of the same weights? Outputs, gradients of the inputs and of every parameter, to 1e-10."""

import random

import numpy as np
import pytest

from scalargrad.compiler import compile
from scalargrad.engine import gradients
from scalargrad.ops import dot
from tests.oracles.functions import flat, value_of_row

TOLERANCE = 1e-10
EVERY_WAY = pytest.mark.parametrize("way", ["one sample", "numpy", "native"])


class Agreement:
    """A layer and its peer of PyTorch, whose weights are drawn at random and loaded into both.

    outputs        of the layer, for one sample: nested lists
    peer_outputs   of the peer, for a batch of samples: a tensor, or several, whose first axis is the row
    batch          an array with a row for each sample
    """

    def __init__(self, layer, peer, outputs, peer_outputs, batch):
        import torch

        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in peer.parameters():
                parameter.normal_(0.0, 0.5, generator=generator)
        layer.load_state_dict(peer.state_dict())
        self.layer, self.peer, self.batch = layer, peer, batch
        self.outputs = lambda sample: flat_of(outputs(sample))
        self.inputs = torch.tensor(batch, dtype=torch.float64, requires_grad=True)
        found = peer_outputs(self.inputs)
        parts = found if isinstance(found, tuple | list) else [found]
        self.expected = torch.cat([part.reshape(len(batch), -1) for part in parts], dim=1)
        rng = random.Random(2)
        self.slopes = slopes = tuple(rng.uniform(-1.0, 1.0) for _ in range(self.expected.shape[1]))
        # A number that depends on every output, on each in another way. It does not reach the peer: a compiled function
        # watches what it can reach, and all of PyTorch would take seconds.
        self.loss = lambda sample: dot(slopes, flat_of(outputs(sample)))

    def peer_gradients(self, rows):
        """Of the mean of the loss over the first rows: of the inputs, and of each parameter by its name."""
        import torch

        total = (self.expected[:rows] @ torch.tensor(self.slopes, dtype=torch.float64)).mean()
        self.peer.zero_grad()
        self.inputs.grad = None
        total.backward(retain_graph=True)
        named = {name: parameter.grad.numpy().copy() for name, parameter in self.peer.named_parameters()}
        return self.inputs.grad[:rows].numpy(), named

    def check(self, way):
        """Values on one sample, or a compiled program of this backend on the batch."""
        if way == "one sample":
            self.check_one_sample()
        else:
            self.check_compiled(way)

    def check_one_sample(self):
        sample = value_of_row(self.batch[0])
        found = self.outputs(sample)
        close([x.data for x in found], self.expected[0].tolist(), "outputs")
        self.layer.zero_grad()
        self.loss(sample).backward()
        of_inputs, of_parameters = self.peer_gradients(1)
        close([x.grad for x in flat(sample)], of_inputs.ravel(), "gradients of the inputs")
        self.check_parameters(of_parameters)

    def check_compiled(self, backend):
        options = {"backend": backend, "threads": 1}
        rows, loss = len(self.batch), self.loss
        close(compile(self.outputs, **options)(self.batch), self.expected.tolist(), "outputs")
        of_inputs, of_parameters = self.peer_gradients(rows)

        def slopes(sample):
            return gradients(loss(sample), flat_of(sample), create_graph=True)

        close(compile(slopes, **options)(self.batch), of_inputs.reshape(rows, -1) * rows, "gradients of the inputs")
        self.layer.zero_grad()
        compile(self.loss, **options).backward(self.batch)
        self.check_parameters(of_parameters)

    def check_parameters(self, expected):
        found = dict(self.layer.named_arrays())
        assert found.keys() == expected.keys()
        for name, array in found.items():
            close(slopes_of(array), expected[name], f"gradients of {name}")


def close(found, expected, what):
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape, what
    assert found == pytest.approx(expected, rel=TOLERANCE, abs=TOLERANCE), what


def slopes_of(array):
    return [slopes_of(item) for item in array] if isinstance(array, list | tuple) else array.grad


def flat_of(nested):
    """The numbers of nested lists, Values or what stands for them in a compiled function."""
    if isinstance(nested, list | tuple):
        return [x for item in nested for x in flat_of(item)]
    return [nested]
