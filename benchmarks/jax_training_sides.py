"""What jax_training.py compares: networks, data, and a side for each library that trains them.

The convolutional network by hand has its channels last, and its convolutions of one pixel are products. On a processor
it takes its steps one by one: inside of a scan XLA's convolutions are ten times slower there.
"""

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy
from numpy import ndarray
from peers import BETA1, BETA2, EPSILON, adam_in_jax, dense_in_jax

import scalargrad
from scalargrad import Adam, cross_entropy
from scalargrad.arrays import shuffled
from scalargrad.demos.networks import convolutional_network

RATE = 1e-3  # of Adam
SEED, CLASSES, PIXELS = 0, 10, 784
MEAN, DEVIATION = 0.1307, 0.3081  # that the convolutional network takes images to have
NORMALISED = 1e-5, 0.1  # of its batch normalisation: what is added to the variance, the weight of a new average

Train = Callable[[], list[float]]


class Network(NamedTuple):
    """multiply_adds  of one image: forward, and those of the first layer, which needs no gradient of its inputs
    outputs        of all layers, for one image: a step writes each, and reads it again on the way back
    tolerance      of the first epoch's loss, relative
    goals          the time of scalargrad / that of hand-written JAX, on a processor and on a GPU; None for no goal
    """

    parameters: int
    multiply_adds: tuple[int, int]
    outputs: int
    tolerance: float
    goals: dict[str, float]


MLP, CONVOLUTIONAL = "MLP 784-128-64-10", "convolutional network of 13,808 parameters"
NETWORKS = {
    MLP: Network(109_386, (109_184, 100_352), 202, 1e-4, {"cpu": 1.15, "gpu": 1.15}),
    CONVOLUTIONAL: Network(13_808, (3_393_376, 97_344), 40_250, 1e-3, {"gpu": 2.0}),
}


class Row(NamedTuple):
    network: str
    batch: int
    devices: int = 1
    images: int = 65_536  # of an epoch
    epochs: int = 1  # of a turn: scalargrad hands its numbers to Values only so often

    @property
    def multiply_adds(self) -> int:
        """Of an epoch: forward, and twice that backward."""
        forward, first_layer = NETWORKS[self.network].multiply_adds
        return self.images * (3 * forward - first_layer)

    @property
    def least_bytes(self) -> int:
        """That an epoch moves if each layer is computed by itself; parameters and both moments are read and written."""
        network = NETWORKS[self.network]
        steps = self.images // self.batch
        return 4 * (self.images * (PIXELS + 2 * network.outputs) + steps * 6 * network.parameters)

    def __str__(self) -> str:
        devices = "one device" if self.devices == 1 else f"{self.devices} devices"
        return f"{self.network}, batches of {self.batch:,}, {devices}; {self.images // self.batch} steps an epoch"


ROWS = {
    "cpu": [Row(MLP, 1024), Row(MLP, 1024, 8), Row(CONVOLUTIONAL, 64, images=512)],
    "gpu": [Row(network, batch, epochs=8) for network in NETWORKS for batch in (128, 1024, 8192)],
}


def model_of(row: Row) -> Any:
    if row.network == MLP:
        return scalargrad.MLP(PIXELS, [128, 64, CLASSES], init="he", rng=SEED)
    return convolutional_network(dropout=0.0, rng=SEED)


def first_parameters(row: Row) -> list[ndarray]:
    """In the order of the layers: weights and bias, or the weights of a convolution, and scale and shift behind it."""
    arrays = model_of(row).state_dict().items()
    return [array.astype("float32") for name, array in arrays if "running" not in name and "tracked" not in name]


def data_of(row: Row) -> tuple[ndarray, ndarray]:
    """Images and labels. Each class has a pattern, so that losses fall: on mere noise all networks would be equal."""
    source = numpy.random.default_rng(SEED)
    patterns, labels = source.random((CLASSES, PIXELS), dtype="float32"), source.integers(0, CLASSES, row.images)
    images = 0.7 * source.random((row.images, PIXELS), dtype="float32") + 0.3 * patterns[labels]
    return images if row.network == MLP else images.reshape(-1, 1, 28, 28), labels


# The sides: each gives a function that trains for the epochs of a turn, and returns the mean loss of each.


def scalargrad_side(row: Row) -> Train:
    """On one device the data lie there, and steps pick their rows; else the host hands each device its share."""
    images, labels = data_of(row)
    labels = labels.astype("float32")
    model = model_of(row)
    program = scalargrad.compile(
        lambda x, y: cross_entropy(model(x), y), dtype="float32", backend="jax", devices=row.devices
    )
    trainer = program.trainer(Adam(RATE, (BETA1, BETA2), EPSILON), batch_size=row.batch, rng=SEED)
    trainer.prepare(images, labels)
    return lambda: trainer.run(images, labels, row.epochs, progress=False)["loss"]


def jax_side(row: Row) -> Train:
    """A scan over the steps of an epoch, compiled as one, where the data lie and move as on scalargrad's side."""
    import jax
    import jax.numpy as jnp
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    jax.config.update("jax_default_matmul_precision", "highest")
    mesh = Mesh(numpy.array(jax.devices()[: row.devices]), ("rows",))
    everywhere, shares = NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec(None, "rows"))
    logits_of = dense_logits if row.network == MLP else convolutional_logits
    in_a_scan = row.network == MLP or jax.devices()[0].platform != "cpu"
    images, labels = data_of(row)
    labels, parameters = labels.astype("int32"), first_parameters(row)
    if row.network == CONVOLUTIONAL:
        images = images.reshape(-1, 28, 28, 1)
        parameters = [p.transpose(2, 3, 1, 0) if p.ndim == 4 else p for p in parameters]

    def loss_of(parameters: list, averages: list, x: Any, y: Any) -> tuple[Any, list]:
        logits, averages = logits_of(parameters, averages, x)
        chosen = jax.nn.log_softmax(logits) * jax.nn.one_hot(y, CLASSES, dtype=logits.dtype)
        return -jnp.mean(chosen.sum(axis=1)), averages

    def step(state: tuple, x: Any, y: Any) -> tuple[tuple, Any]:
        parameters, averages, *moments = state
        (loss, averages), slopes = jax.value_and_grad(loss_of, has_aux=True)(parameters, averages, x, y)
        parameters, *moments = adam_in_jax(parameters, slopes, *moments, RATE)
        return (parameters, averages, *moments), loss

    @partial(jax.jit, donate_argnums=0)
    def epoch_of_rows(state: tuple, x: Any, y: Any, order: Any) -> tuple[tuple, Any]:
        return jax.lax.scan(lambda state, chosen: step(state, x[chosen], y[chosen]), state, order)

    @partial(jax.jit, donate_argnums=0)
    def step_of_rows(state: tuple, x: Any, y: Any, chosen: Any) -> tuple[tuple, Any]:
        return step(state, x[chosen], y[chosen])

    @partial(jax.jit, donate_argnums=0)
    def epoch_of_batches(state: tuple, x: Any, y: Any) -> tuple[tuple, Any]:
        return jax.lax.scan(lambda state, batch: step(state, *batch), state, (x, y))

    scales = [p for p in parameters if p.ndim == 1][::2]
    averages = [] if row.network == MLP else [(numpy.zeros_like(p), numpy.ones_like(p)) for p in scales]
    moments = [[numpy.zeros_like(p) for p in parameters] for _ in range(2)]
    state = jax.device_put((parameters, averages, *moments, numpy.float32(0.0)), everywhere)
    there: Any = jax.device_put((images, labels)) if row.devices == 1 else None
    epochs = itertools.count()

    def epoch() -> float:
        nonlocal state
        order = shuffled(row.images, SEED, next(epochs)).reshape(-1, row.batch)
        if not in_a_scan:
            total = 0.0
            for chosen in order.astype("int32"):
                state, loss = step_of_rows(state, *there, chosen)
                total += loss
            return float(total) / len(order)
        if there is not None:
            state, losses = epoch_of_rows(state, *there, order.astype("int32"))
        else:
            state, losses = epoch_of_batches(state, *jax.device_put((images[order], labels[order]), shares))
        return float(losses.mean())

    return lambda: [epoch() for _ in range(row.epochs)]


def dense_logits(parameters: list, averages: list, x: Any) -> tuple[Any, list]:
    return dense_in_jax(parameters, x), averages


def convolutional_logits(parameters: list, averages: list, x: Any) -> tuple[Any, list]:
    """The logits, and the running averages of batch normalisation, which move in each step."""
    import jax

    remaining, known, moved = iter(parameters), iter(averages), []
    epsilon, momentum = NORMALISED

    def convolution(h: Any, padding: str = "VALID") -> Any:
        weights, layout = next(remaining), ("NHWC", "HWIO", "NHWC")
        if weights.shape[:2] == (1, 1):
            return h @ weights[0, 0]
        return jax.lax.conv_general_dilated(h, weights, (1, 1), padding, dimension_numbers=layout)

    def block(h: Any, padding: str = "VALID") -> Any:
        h = jax.nn.relu(convolution(h, padding))
        count = h.size // h.shape[-1]
        mean, variance = h.mean(axis=(0, 1, 2)), h.var(axis=(0, 1, 2))
        found = mean, variance * count / (count - 1)
        moved.append(jax.tree.map(lambda old, new: (1.0 - momentum) * old + momentum * new, next(known), found))
        return (h - mean) * (next(remaining) * jax.lax.rsqrt(variance + epsilon)) + next(remaining)

    h = convolution(block(block((x - MEAN) / DEVIATION)))
    h = h.reshape(-1, 12, 2, 12, 2, 10).max(axis=(2, 4))
    h = block(block(block(block(h))), "SAME").mean(axis=(1, 2))
    return convolution(h), moved


def torch_side(row: Row, compiled: str | None = None) -> Train:
    """The data lie on the device, and steps pick their rows. `compiled`: a mode of torch.compile."""
    import torch
    from torch import nn

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    model = dense_layers(nn) if row.network == MLP else convolutional_layers(nn)
    with torch.no_grad():
        for parameter, array in zip(model.parameters(), first_parameters(row), strict=True):
            parameter.copy_(torch.from_numpy(array))
    model.to(device)
    optimizer = torch.optim.Adam(model.parameters(), RATE, (BETA1, BETA2), EPSILON, fused=True)
    images, labels = (torch.from_numpy(array).to(device) for array in data_of(row))
    epochs = itertools.count()

    def loss_of(x: Any, y: Any) -> Any:
        return nn.functional.cross_entropy(model(x if row.network == MLP else (x - MEAN) / DEVIATION), y)

    if compiled is not None:
        loss_of = torch.compile(loss_of, mode=compiled)

    def epoch() -> float:
        order = torch.from_numpy(shuffled(row.images, SEED, next(epochs))).to(device).view(-1, row.batch)
        total = torch.zeros((), device=device)
        for chosen in order:
            torch.compiler.cudagraph_mark_step_begin()
            optimizer.zero_grad()
            loss = loss_of(images[chosen], labels[chosen])
            loss.backward()
            optimizer.step()
            total += loss.detach()
        return total.item() / len(order)

    return lambda: [epoch() for _ in range(row.epochs)]


def dense_layers(nn: Any) -> Any:
    layers = nn.Linear(PIXELS, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, CLASSES)
    return nn.Sequential(*layers)


def convolutional_layers(nn: Any) -> Any:
    def block(inputs: int, outputs: int, padding: int = 0) -> list:
        return [nn.Conv2d(inputs, outputs, 3, padding=padding, bias=False), nn.ReLU(), nn.BatchNorm2d(outputs)]

    layers = [*block(1, 16), *block(16, 32), nn.Conv2d(32, 10, 1, bias=False), nn.MaxPool2d(2)]
    layers += [*block(10, 16), *block(16, 16), *block(16, 16), *block(16, 16, padding=1)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Conv2d(16, CLASSES, 1, bias=False), nn.Flatten())


OURS, BY_HAND = "scalargrad", "JAX by hand"
SIDES: dict[str, Callable[[Row], Train]] = {
    OURS: scalargrad_side,
    BY_HAND: jax_side,
    "PyTorch, eager": torch_side,
    "PyTorch, compiled": partial(torch_side, compiled="default"),
    "PyTorch, compiled, CUDA graphs": partial(torch_side, compiled="reduce-overhead"),
}
