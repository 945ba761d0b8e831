"""Layers that bring numbers to mean 0 and variance 1: over the batch (BatchNorm1d, BatchNorm2d), or in each sample.

Normalize learns nothing: its mean and deviation are known from the data.
"""

from collections.abc import Sequence
from typing import Any

from scalargrad.checks import is_whole, listed, real
from scalargrad.datasets.nested import Sample, check_image, checked_shape, like, numbers_in, on_each_number, shown
from scalargrad.files.architecture import Shapes, check_number, described
from scalargrad.nn.dense import checked_size
from scalargrad.nn.module import Buffer, Module, Parameter
from scalargrad.operands import operand
from scalargrad.ops import batch_mean, dot, less, mean, sqrt, where
from scalargrad.randomness import current_share

A_SHAPE = "a whole number, or a list of them, as normalized_shape"


def _batch_norm_shapes(num_features: int, eps: float, momentum: float) -> Shapes:
    check_number("eps", eps)
    check_number("momentum", momentum, largest=1.0)
    names = ("weight", "bias", "running_mean", "running_var")
    return {**{name: [num_features] for name in names}, "num_batches_tracked": []}


class BatchNorm(Module):
    """The base of BatchNorm1d and BatchNorm2d (Ioffe and Szegedy 2015).

    num_features   the channels of a sample
    eps            added to the variance
    momentum       the weight of a batch in the running averages

    weight, bias                what is learned: the standard deviation and the mean of each channel afterwards
    running_mean, running_var   averages over the batches of training, used in evaluation
    num_batches_tracked         how many batches these have seen

    In training the mean and the variance of a channel are those of all its numbers in the batch: compile the function
    of a sample, or `fit`. One sample by itself is a batch of 1: ValueError, if a channel has a single number then.
    (In a compiled function a batch of 1 is only known when it runs: such a batch leaves the averages as they are.)
    The variance is divided by n, and for the running average by n - 1, as in PyTorch.
    """

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        num_features = checked_size("num_features", num_features)
        self.num_features, self.eps = num_features, real("eps", eps, 0.0)
        self.momentum = real("momentum", momentum, 0.0, 1.0)
        self.weight = tuple(Parameter(1.0) for _ in range(num_features))
        self.bias = tuple(Parameter(0.0) for _ in range(num_features))
        self.running_mean = tuple(Buffer(0.0) for _ in range(num_features))
        self.running_var = tuple(Buffer(1.0) for _ in range(num_features))
        self.num_batches_tracked = Buffer(0.0)

    def __call__(self, sample: Sample) -> tuple:
        self.check(sample)
        channels = [tuple([operand(x, type(self).__name__) for x in numbers_in(channel)]) for channel in sample]
        if self.training:
            self._refuse_single_numbers(len(channels[0]))
            self.num_batches_tracked.update(self.num_batches_tracked + 1.0)
        return like(sample, (x for place, numbers in enumerate(channels) for x in self._normalised(place, numbers)))

    def check(self, sample: Sample) -> None:
        """ValueError for a sample of another shape."""
        raise NotImplementedError

    def _normalised(self, place: int, numbers: tuple) -> list:
        """The numbers of a channel with the mean and the standard deviation that this layer has learned for it."""
        if self.training:
            centre = batch_mean(mean(numbers))
            deviations = tuple(x - centre for x in numbers)
            variance = batch_mean(dot(deviations, deviations)) / len(numbers)
            self._track(place, centre, variance, len(numbers))
        else:
            centre, variance = self.running_mean[place], self.running_var[place]
            deviations = tuple(x - centre for x in numbers)
        factor, bias = self.weight[place] / sqrt(variance + self.eps), self.bias[place]
        return [x * factor + bias for x in deviations]

    def _track(self, place: int, centre: Any, variance: Any, count: int) -> None:
        """Move the running averages of a channel of `count` numbers a sample."""
        part = current_share() / count  # 1 / n, and so n / (n - 1) is 1 / (1 - part)
        mean_and_variance = ((self.running_mean[place], centre), (self.running_var[place], variance / (1.0 - part)))
        for average, found in mean_and_variance:
            moved = (1.0 - self.momentum) * average + self.momentum * found
            average.update(where(less(part, 1.0), moved, average))

    def _refuse_single_numbers(self, count: int) -> None:
        share = current_share()
        if count == 1 and isinstance(share, float) and share == 1.0:
            raise ValueError(
                f"this {self} is in training and got one number of each channel, whose variance says nothing: "
                "call eval(), or compile the function of a sample and call it with a batch"
            )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.num_features})"


@described(_batch_norm_shapes)
class BatchNorm1d(BatchNorm):
    """Normalisation over the batch of samples [channels] or [channels][positions]; see BatchNorm for the settings.

    >>> layer = BatchNorm1d(2).eval()
    >>> [x.data for x in layer([1.0, 2.0])] == [1.0 / (1.0 + 1e-5) ** 0.5, 2.0 / (1.0 + 1e-5) ** 0.5]
    True
    """

    def check(self, sample: Sample) -> None:
        wanted = f"[{self.num_features}] or [{self.num_features}, positions]"
        shape = checked_shape(sample, self, wanted)
        if len(shape) not in (1, 2) or shape[0] != self.num_features:
            raise ValueError(f"this {self} takes {wanted}, got {shown(shape)}")


@described(_batch_norm_shapes)
class BatchNorm2d(BatchNorm):
    """Normalisation over the batch of images [channels][rows][columns]; see BatchNorm for the settings.

    >>> layer = BatchNorm2d(1)  # eagerly in training: over the positions of one image
    >>> [[round(x.data, 3) for x in row] for row in layer([[[1.0, 3.0], [3.0, 1.0]]])[0]]
    [[-1.0, 1.0], [1.0, -1.0]]
    """

    def check(self, sample: Sample) -> None:
        check_image(sample, self, self.num_features)


def _layer_norm_shapes(normalized_shape: list[int], eps: float) -> Shapes:
    check_number("eps", eps)
    return {"weight": list(normalized_shape), "bias": list(normalized_shape)}


@described(_layer_norm_shapes)
class LayerNorm(Module):
    """Normalisation over the numbers of one sample, or of each of its parts (Ba, Kiros and Hinton 2016).

    normalized_shape   the shape of what is normalised: a number for a list of so many, or the sizes of the last axes
    eps                added to the variance

    weight and bias have this shape. A sample [5, 8] is 5 parts for LayerNorm(8), and one for LayerNorm((5, 8)).

    >>> [round(x.data, 3) for x in LayerNorm(3)([1.0, 2.0, 3.0])]
    [-1.225, 0.0, 1.225]
    """

    def __init__(self, normalized_shape: int | Sequence[int], eps: float = 1e-5) -> None:
        sizes = (normalized_shape,) if is_whole(normalized_shape) else listed(normalized_shape, "LayerNorm", A_SHAPE)
        shape = tuple([checked_size("normalized_shape: each size", size) for size in sizes])
        if not shape:
            raise ValueError(f"LayerNorm takes {A_SHAPE}, and normalized_shape is empty")
        self.normalized_shape, self.eps = shape, real("eps", eps, 0.0)
        self.weight, self.bias = (_filled(shape, number) for number in (1.0, 0.0))

    def __call__(self, sample: Sample) -> tuple:
        sizes = str(list(self.normalized_shape))[1:-1]
        shape = checked_shape(sample, self, f"[..., {sizes}]")
        if shape[-len(self.normalized_shape) :] != self.normalized_shape:
            raise ValueError(f"this {self} takes [..., {sizes}], got {shown(shape)}")
        return self.of_parts(sample, len(shape) - len(self.normalized_shape))

    def of_parts(self, sample: Sample, axes: int) -> tuple:
        """The parts of a sample below so many axes, each normalised."""
        if axes:
            return tuple(self.of_parts(part, axes - 1) for part in sample)
        numbers = tuple([operand(x, "LayerNorm") for x in numbers_in(sample)])
        centre = mean(numbers)
        deviations = tuple(x - centre for x in numbers)
        factor = 1.0 / sqrt(dot(deviations, deviations) / len(numbers) + self.eps)
        learned = zip(deviations, numbers_in(self.weight), numbers_in(self.bias), strict=True)
        return like(sample, (x * factor * weight + bias for x, weight, bias in learned))

    def __repr__(self) -> str:
        shape = self.normalized_shape
        return f"LayerNorm({shape[0] if len(shape) == 1 else shape})"


@described(lambda mean, deviation: {})
class Normalize(Module):
    """(x - mean) / deviation of each number of a sample, in training and evaluation alike, with nothing to learn.

    A network that begins with it takes the numbers of the data as they are, in training and ever after.

    >>> Normalize(0.5, 0.25)([0.0, 0.5, 1.0])
    (-2.0, 0.0, 2.0)
    """

    def __init__(self, mean: float, deviation: float) -> None:
        self.mean, self.deviation = real("mean", mean), real("deviation", deviation)
        if self.deviation <= 0.0:
            raise ValueError(f"deviation is a number above 0, got {deviation}")

    def __call__(self, sample: Sample) -> Any:
        return on_each_number(lambda x: (operand(x, "Normalize") - self.mean) / self.deviation, sample)

    def __repr__(self) -> str:
        return f"Normalize({self.mean:g}, {self.deviation:g})"


def _filled(shape: tuple[int, ...], number: float) -> Any:
    return tuple(_filled(shape[1:], number) for _ in range(shape[0])) if shape else Parameter(number)
