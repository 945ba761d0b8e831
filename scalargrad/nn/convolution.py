"""Layers that move over an image: Conv2d, MaxPool2d, AvgPool2d, GlobalAvgPool.

An image is nested tuples, [channels][rows][columns], and so is what these layers return. `fit` and compiled functions
take arrays of images, [n, channels, rows, columns].
"""

import random
from collections.abc import Iterator, Sequence
from math import sqrt
from typing import Any

from scalargrad.checks import is_list, is_whole, listed, one_of
from scalargrad.datasets.nested import Sample, check_image, numbers_in, on_each_number
from scalargrad.engine import Value
from scalargrad.files.architecture import Arguments, Shapes, check_flag, described, no_shapes
from scalargrad.nn.dense import INITIALISATIONS, checked_size, generator
from scalargrad.nn.module import Module, Parameter
from scalargrad.operands import brief, is_recorded
from scalargrad.ops import dot, maximum, mean

Pair = tuple[int, int]
Size = int | Sequence[int]  # of rows and of columns

FIRST_WEIGHTS = {
    "fan_in": lambda rng, fan_in, fan_out: rng.uniform(-1.0, 1.0) / sqrt(fan_in),  # PyTorch's; LeCun et al. 1998
    **INITIALISATIONS,
}


def _convolution_arguments(layer: "Conv2d") -> Arguments:
    names = ("kernel_size", "stride", "padding")
    sizes = {name: list(getattr(layer, name)) for name in names}
    channels = {"in_channels": layer.in_channels, "out_channels": layer.out_channels}
    return {**channels, **sizes, "bias": layer.bias is not None}


def _convolution_shapes(
    in_channels: int, out_channels: int, kernel_size: Any, stride: Any, padding: Any, bias: bool
) -> Shapes:
    kernel, frame = pair("kernel_size", kernel_size), pair("padding", padding, least=0)
    # The sizes of kernels are checked against arrays. Padding has none, and takes memory for each image.
    if any(beside > size for beside, size in zip(frame, kernel, strict=True)):
        raise ValueError(f"padding is at most as large as the kernel, {kernel_size}, got {padding}")
    check_flag("bias", bias)
    return {"weight": [out_channels, in_channels, *kernel], **({"bias": [out_channels]} if bias else {})}


@described(_convolution_shapes, _convolution_arguments)
class Conv2d(Module):
    """A convolution is a dot that moves: each output is the dot of a kernel and the patch of the image below it.

    in_channels, out_channels   the channels of the image, and how many kernels look at it
    kernel_size                 rows and columns of a kernel: a number for both, or a pair
    stride                      how far the kernel moves from one output to the next: a number, or a pair
    padding                     rows and columns of zeros that are put around the image: a number, or a pair
    bias                        add a number to each output channel?
    init                        "fan_in" (PyTorch's: weights and biases evenly from -1 to 1, divided by the root of the
                                size of a patch), or as in Neuron, with biases of 0
    rng                         a seed or a random.Random; None uses Python's global one

    weight is [out_channels][in_channels][rows][columns], bias is [out_channels], or None.

    >>> edges = Conv2d(1, 1, (1, 2), bias=False)
    >>> edges.load_state_dict({"weight": [[[[-1.0, 1.0]]]]})
    >>> image = [[[0.0, 0.0, 5.0, 5.0], [0.0, 0.0, 0.0, 5.0]]]
    >>> [[cell.data for cell in row] for row in edges(image)[0]]
    [[0.0, 5.0, 0.0], [0.0, 0.0, 5.0]]
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        bias: bool = True,
        init: str = "fan_in",
        rng: int | random.Random | None = None,
    ) -> None:
        in_channels, out_channels = checked_size("in_channels", in_channels), checked_size("out_channels", out_channels)
        one_of("init", init, FIRST_WEIGHTS)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size = pair("kernel_size", kernel_size)
        self.stride, self.padding = pair("stride", stride), pair("padding", padding, least=0)
        rows, columns = self.kernel_size
        rng, area = generator(rng), rows * columns

        def draw() -> Parameter:
            return Parameter(FIRST_WEIGHTS[init](rng, in_channels * area, out_channels * area))

        self.weight = tuple(
            tuple(tuple(tuple(draw() for _ in range(columns)) for _ in range(rows)) for _ in range(in_channels))
            for _ in range(out_channels)
        )
        self.bias: tuple[Parameter, ...] | None = None
        if bias:
            self.bias = tuple(draw() if init == "fan_in" else Parameter(0.0) for _ in range(out_channels))

    def __call__(self, image: Sample) -> tuple:
        check_image(image, self, self.in_channels)
        image = padded(on_each_number(as_value, image), self.padding)
        # One tuple for a kernel and one for a patch, however many outputs they meet in: what they share can be seen.
        kernels = [tuple(numbers_in(kernel)) for kernel in self.weight]
        patches = [
            [tuple(numbers_in(patch)) for patch in row] for row in windows(image, self.kernel_size, self.stride, self)
        ]
        outputs = tuple(tuple(tuple(dot(kernel, patch) for patch in row) for row in patches) for kernel in kernels)
        if self.bias is None:
            return outputs
        return tuple(
            tuple(tuple(x + bias for x in row) for row in channel)
            for channel, bias in zip(outputs, self.bias, strict=True)
        )

    def __repr__(self) -> str:
        options = [("stride", self.stride, (1, 1)), ("padding", self.padding, (0, 0))]
        settings = [f", {name}={plain(size)}" for name, size, default in options if size != default]
        settings += [] if self.bias else [", bias=False"]
        return f"Conv2d({self.in_channels}, {self.out_channels}, {plain(self.kernel_size)}{''.join(settings)})"


def _pool_shapes(kernel_size: Any, stride: Any) -> Shapes:
    pair("stride", stride)  # which the constructor can do without
    return {}


class Pool2d(Module):
    """The base of MaxPool2d and AvgPool2d: one number for each window of each channel.

    kernel_size   rows and columns of a window: a number for both, or a pair
    stride        from one window to the next: a number, or a pair; windows lie side by side unless said
    """

    def __init__(self, kernel_size: Size, stride: Size | None = None) -> None:
        self.kernel_size = pair("kernel_size", kernel_size)
        self.stride = self.kernel_size if stride is None else pair("stride", stride)

    def __call__(self, image: Sample) -> tuple:
        check_image(image, self)
        return tuple(
            tuple(
                tuple(self.pooled(tuple(numbers_in(window))) for window in row)
                for row in windows((channel,), self.kernel_size, self.stride, self)
            )
            for channel in image
        )

    def pooled(self, window: tuple) -> Any:
        """The one number for the numbers of a window."""
        raise NotImplementedError

    def __repr__(self) -> str:
        stride = "" if self.stride == self.kernel_size else f", stride={plain(self.stride)}"
        return f"{type(self).__name__}({plain(self.kernel_size)}{stride})"


@described(_pool_shapes)
class MaxPool2d(Pool2d):
    """The largest number of each window; where several are, they share the gradient. See Pool2d for the settings.

    >>> MaxPool2d(2)([[[1.0, 2.0, 5.0, 6.0], [3.0, 4.0, 7.0, 8.0]]])
    (((4.0, 8.0),),)
    """

    def pooled(self, window: tuple) -> Any:
        return maximum(*window)


@described(_pool_shapes)
class AvgPool2d(Pool2d):
    """The mean of each window; see Pool2d for the settings.

    >>> AvgPool2d((1, 2))([[[1.0, 2.0, 5.0, 6.0]]])
    (((1.5, 5.5),),)
    """

    def pooled(self, window: tuple) -> Any:
        return mean(window)


@described(no_shapes)
class GlobalAvgPool(Module):
    """The mean of each channel, as an image [channels][1][1]: PyTorch's AdaptiveAvgPool2d(1).

    >>> GlobalAvgPool()([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 5.0], [5.0, 5.0]]])
    (((2.5,),), ((5.0,),))
    """

    def __call__(self, image: Sample) -> tuple:
        check_image(image, self)
        return tuple(((mean(tuple(numbers_in(channel))),),) for channel in image)

    def __repr__(self) -> str:
        return "GlobalAvgPool()"


def windows(image: Sample, size: Pair, stride: Pair, layer: Module) -> Iterator[list]:
    """For each row of outputs the windows of its outputs, nested as the image is. ValueError, if none fits."""
    rows, columns = len(image[0]), len(image[0][0])
    if size[0] > rows or size[1] > columns:
        raise ValueError(f"this {layer} takes an image of at least {by(size)}, got {by((rows, columns))}")
    for top in range(0, rows - size[0] + 1, stride[0]):
        bands = [channel[top : top + size[0]] for channel in image]
        yield [
            [[row[left : left + size[1]] for row in band] for band in bands]
            for left in range(0, columns - size[1] + 1, stride[1])
        ]


def padded(image: tuple, padding: Pair) -> tuple:
    """The image in a frame of zeros, which are all one constant."""
    if padding == (0, 0):
        return image
    zero = Value(0.0)
    above, beside = padding
    edge, band = (zero,) * beside, ((zero,) * (len(image[0][0]) + 2 * beside),) * above
    return tuple((*band, *((*edge, *row, *edge) for row in channel), *band) for channel in image)


def as_value(x: Any) -> Any:
    return x if is_recorded(x) else Value(x)


def pair(name: str, size: Size, least: int = 1) -> Pair:
    """Two whole numbers, from one for both or from two."""
    wanted = f"a whole number of at least {least}, or a pair of them"
    both = tuple(listed(size, name, wanted)) if is_list(size) and not isinstance(size, str) else (size, size)
    if len(both) != 2 or not all(is_whole(n) and n >= least for n in both):
        raise ValueError(f"{name} is {wanted}, got {brief(size)}")
    first, second = both
    return int(first), int(second)


def plain(size: Pair) -> Any:
    """3 for (3, 3)."""
    return size[0] if size[0] == size[1] else size


def by(size: Pair) -> str:
    return f"{size[0]}x{size[1]}"
