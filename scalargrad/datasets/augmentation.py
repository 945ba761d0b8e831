"""Augmentation: images changed a little in each epoch, so that a network sees no image twice.

An augmentation is a function (images, seed, epoch) -> images, for `fit(augment=...)`. What it does to an image depends
on the seed, the epoch and the row of the image, and on nothing else: a resumed run sees the same images.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite, isqrt, pi
from numbers import Real

import numpy
from numpy import ndarray

from scalargrad.arrays import quiet, uniform_array
from scalargrad.checks import instance, real, whole
from scalargrad.support.words import brief

ROWS_AT_ONCE = 300  # so that what is made on the way fits into the cache
ROTATE, SHIFT_ACROSS, SHIFT_DOWN = 0xA06, 0xA07, 0xA08  # sites of the counters

Augmentation = Callable[[ndarray, int, int], ndarray]


@dataclass(frozen=True)
class Rotate:
    """Each image turned around its centre by a random angle from -degrees to degrees, bilinearly.

    fill   what comes in from outside: the paper

    Images are [rows, ..., height, width], or [rows, pixels] of a square, and keep their shape and type.

    >>> import numpy
    >>> Rotate(10.0)(numpy.ones((2, 1, 5, 5)), seed=0, epoch=1).shape
    (2, 1, 5, 5)
    """

    degrees: float
    fill: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "degrees", real("degrees", self.degrees, 0.0, 180.0))
        object.__setattr__(self, "fill", real("fill", self.fill))

    def __call__(self, images: ndarray, seed: int, epoch: int) -> ndarray:
        images = as_images(images, "Rotate")
        angles = self.degrees * (pi / 180.0) * (2.0 * _uniform(len(images), seed, epoch, ROTATE) - 1.0)
        return rotated(images, angles, self.fill)


@dataclass(frozen=True)
class Shift:
    """Each image moved by random whole numbers of pixels, at most so many in each direction."""

    pixels: int
    fill: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "pixels", whole("pixels", self.pixels, 0))
        object.__setattr__(self, "fill", real("fill", self.fill))

    def __call__(self, images: ndarray, seed: int, epoch: int) -> ndarray:
        images, choices = as_images(images, "Shift"), 2 * self.pixels + 1
        across, down = (
            (choices * _uniform(len(images), seed, epoch, site)).astype("int64") - self.pixels
            for site in (SHIFT_ACROSS, SHIFT_DOWN)
        )
        return shifted(images, across, down, self.fill)


@dataclass(frozen=True)
class Augment:
    """Several augmentations, one after another.

    >>> Augment(Rotate(7.0), Shift(1))
    Augment(Rotate(degrees=7.0, fill=0.0), Shift(pixels=1, fill=0.0))
    """

    steps: Sequence[Augmentation]

    def __init__(self, *steps: Augmentation) -> None:
        for step in steps:
            instance("steps", step, Callable, "functions (images, seed, epoch) -> images such as Shift(1)")
        object.__setattr__(self, "steps", steps)

    def __call__(self, images: ndarray, seed: int, epoch: int) -> ndarray:
        for step in self.steps:
            images = step(images, seed, epoch)
        return images

    def __repr__(self) -> str:
        return f"Augment({', '.join(map(repr, self.steps))})"


@quiet
def normalised(images: ndarray, mean: float, deviation: float) -> ndarray:
    """(images - mean) / deviation, in the type of the images: for those to train on and those to test with alike."""
    real("mean", mean)
    if not (isinstance(deviation, Real) and isfinite(deviation) and deviation > 0.0):
        raise ValueError(f"deviation is a number above 0, got {deviation!r}")
    return (images - images.dtype.type(mean)) / images.dtype.type(deviation)


@quiet
def rotated(images: ndarray, angles: ndarray, fill: float = 0.0) -> ndarray:
    """Each image turned around its centre by its angle, counterclockwise as seen, in radians.

    A pixel of the result is the bilinear mean of the four around the place that it comes from.
    """
    if images.dtype.kind != "f":
        raise TypeError(
            f"Rotate takes images of floats, got {images.dtype}: a turned pixel is a mean of four; divide them"
        )
    pictures = _pictures(images)
    result = numpy.empty_like(pictures)
    height, width = pictures.shape[-2:]
    up, right = (numpy.arange(size, dtype=images.dtype) - (size - 1) / 2 for size in (height, width))
    # A frame of paper around each image, so that neighbours outside of it need no exception.
    padded = numpy.full((*pictures.shape[:2], height + 3, width + 3), fill, images.dtype)
    padded[:, :, 1 : height + 1, 1 : width + 1] = pictures
    flat = padded.reshape(*pictures.shape[:2], -1)
    for start in range(0, len(pictures), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        cosine, sine = (f(angles[part]).astype(images.dtype)[:, None, None] for f in (numpy.cos, numpy.sin))
        x = cosine * right - sine * up[:, None] + (width - 1) / 2
        y = sine * right + cosine * up[:, None] + (height - 1) / 2
        x, y = numpy.clip(x, -1.0, width), numpy.clip(y, -1.0, height)
        left, above = numpy.floor(x), numpy.floor(y)
        x, y = x - left, y - above
        corner = ((above + 1.0) * (width + 3) + left + 1.0).astype("int64").reshape(len(x), 1, -1)
        weights = ((1.0 - y) * (1.0 - x), (1.0 - y) * x, y * (1.0 - x), y * x)
        total = numpy.zeros_like(result[part])
        for offset, weight in zip((0, 1, width + 3, width + 4), weights, strict=True):
            total += weight[:, None] * numpy.take_along_axis(flat[part], corner + offset, axis=2).reshape(total.shape)
        result[part] = total
    return result.reshape(images.shape)


@quiet
def shifted(images: ndarray, across: ndarray, down: ndarray, fill: float = 0.0) -> ndarray:
    """Each image moved by its number of pixels to the right, and down."""
    pictures = _pictures(images)
    height, width = pictures.shape[-2:]
    rows = numpy.arange(height) - down[:, None]
    columns = numpy.arange(width) - across[:, None]
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    numbers = numpy.arange(len(pictures))[:, None, None]
    moved = pictures[numbers, :, rows.clip(0, height - 1)[:, :, None], columns.clip(0, width - 1)[:, None, :]]
    result = numpy.where(inside[:, None], numpy.moveaxis(moved, -1, 1), images.dtype.type(fill))
    return result.reshape(images.shape)


def as_images(given: object, taker: str) -> ndarray:
    """Images as an array of real numbers, as they are or from lists."""
    images = numpy.asarray(given)
    if images.dtype.kind not in "biuf":
        raise TypeError(f"{taker} takes images, an array of numbers, got {brief(given)}")
    return images


def _pictures(images: ndarray) -> ndarray:
    """As [rows, channels, height, width]."""
    if images.ndim == 2:
        side = isqrt(images.shape[1])
        if side * side != images.shape[1]:
            raise ValueError(f"rows of {images.shape[1]} pixels are no squares: pass images as [rows, height, width]")
        return images.reshape(len(images), 1, side, side)
    if images.ndim < 3:
        raise ValueError(f"images are [rows, ..., height, width] or [rows, pixels], got the shape {images.shape}")
    return images.reshape(len(images), -1, *images.shape[-2:])


@quiet
def _uniform(rows: int, seed: int, epoch: int, site: int) -> ndarray:
    """A random number in [0, 1) for each row."""
    counters = [numpy.array([n], "float64") for n in (seed, epoch)]
    return uniform_array(numpy, [*counters, numpy.arange(rows), numpy.array([site])])
