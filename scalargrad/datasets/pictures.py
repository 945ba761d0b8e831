"""A handwritten digit from a picture file, prepared as the images of the data sets were."""

import math
import warnings
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy
from numpy import ndarray

from scalargrad.arrays import quiet
from scalargrad.checks import file_name, is_whole
from scalargrad.support.words import brief

if TYPE_CHECKING:
    from PIL.Image import Image

# Of the pictures that Pillow reads: some of the others start programs, or are no pictures of pixels.
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
LARGEST = 512  # pixels a side that are looked at; a larger picture is made smaller first
FAINTEST = 0.1  # of the way from black to white: what differs less from the paper is paper
NOISE = 5  # times what nine of ten pixels of the paper differ from it: a pixel that differs more is ink
MNIST_SIDE, MNIST_BOX = 28, 20
DIGITS_SIDE, DIGITS_BITMAP = 8, 32
DIGITS_WIDTH = 24  # of the bitmap's 32 columns that ink fills: a narrower digit is widened, to twice its width at most


@quiet
def read_digit(path: str | PathLike[str], side: int = MNIST_SIDE) -> ndarray:
    """The digit in a picture file, as float64 [side * side]: 0.0 (paper) to 1.0 (ink), row by row.

    side  28, for a network trained on MNIST: the ink is scaled to fit 20 x 20 pixels and put with its centre of mass
          in the middle of 28 x 28. 8, for scikit-learn's digits: the ink is set upright, scaled to the height of a
          bitmap of 32 x 32 and the width of 24, and each pixel is the mean of 4 x 4 of those, in steps of 1/16

    The picture may have any size and colours, dark on light or light on dark: the paper is what most of the border
    is. What is transparent is white. But a light digit on dark paper of just side x side pixels is an image of the
    data set already, and taken as it is.

    FileNotFoundError, if there is no such file; ValueError, if it holds no picture, or a blank one.

    >>> read_digit("no/such/digit.png")
    Traceback (most recent call last):
    FileNotFoundError: there is no file no/such/digit.png
    """
    if not is_whole(side) or side not in PREPARATIONS:
        raise ValueError(f"side is {' or '.join(map(str, PREPARATIONS))}, got {brief(side)}")
    path = Path(file_name(path))
    size, brightness = _read(path)
    edges = brightness[0], brightness[-1], brightness[:, 0], brightness[:, -1]
    paper = float(numpy.median(numpy.concatenate(edges)))
    light_on_dark = brightness.max() - paper > paper - brightness.min()
    ink = brightness - paper if light_on_dark else paper - brightness
    contrast = float(ink.max())
    noise = NOISE * min(_spread(abs(edge - paper), contrast) for edge in edges)
    if contrast <= max(FAINTEST, noise):
        raise ValueError(f"{path}: the picture is blank")
    if light_on_dark and size == (side, side):
        return brightness.reshape(-1)
    ink[ink < max(noise, FAINTEST * contrast)] = 0.0
    return PREPARATIONS[side](_cropped(ink)).reshape(-1)


def _as_mnist(ink: ndarray) -> ndarray:
    """Fitted into 20 x 20, with its aspect kept, and put by its centre of mass into 28 x 28."""
    scale = MNIST_BOX / max(ink.shape)
    small = _scaled(ink, ink.shape[0] * scale, ink.shape[1] * scale)
    small /= small.max()
    page = numpy.zeros((MNIST_SIDE, MNIST_SIDE))
    corner = []
    for axis in (0, 1):
        length = small.shape[axis]
        centre = float(small.sum(axis=1 - axis) @ (numpy.arange(length) + 0.5) / small.sum())
        # In MNIST, the centre lies up to one pixel beyond the middle, never before it. No ink is lost at the edges.
        corner.append(min(max(math.ceil(MNIST_SIDE / 2 - centre), 0), MNIST_SIDE - length))
    top, left = corner
    page[top : top + small.shape[0], left : left + small.shape[1]] = small
    return page


def _as_digits(ink: ndarray) -> ndarray:
    """Upright, as high as the bitmap and in the middle of it; then the means of 4 x 4 pixels, in steps of 1/16.

    Scikit-learn's digits were normalised so, as the data show: each reaches from the first row to the last, few reach
    the outer columns, and none leans.
    """
    ink = _upright(ink)
    width = min(DIGITS_WIDTH, 2 * ink.shape[1] * DIGITS_BITMAP / ink.shape[0])
    small = _scaled(ink, DIGITS_BITMAP, width)
    small /= small.max()
    bitmap = numpy.zeros((DIGITS_BITMAP, DIGITS_BITMAP))
    left = (DIGITS_BITMAP - small.shape[1]) // 2
    bitmap[:, left : left + small.shape[1]] = small
    block = DIGITS_BITMAP // DIGITS_SIDE
    means = bitmap.reshape(DIGITS_SIDE, block, DIGITS_SIDE, block).mean(axis=(1, 3))
    return numpy.round(means * 16) / 16


PREPARATIONS = {MNIST_SIDE: _as_mnist, DIGITS_SIDE: _as_digits}


def _read(path: Path) -> tuple[tuple[int, int], ndarray]:
    """The size of the picture in the file, and its brightness, 0.0 (black) to 1.0 (white): float64 [height, width]."""
    from PIL import Image, UnidentifiedImageError

    if path.is_dir():
        raise ValueError(f"{path} is a folder, not a picture")
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    if not path.is_file():
        raise ValueError(f"{path} is not a file")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about oddities of the file that do not matter here
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                brightness, white = _grey(image)
                size = image.size
    except UnidentifiedImageError:
        raise ValueError(f"{path} is not a picture; known are {', '.join(FORMATS)}") from None
    # Whatever a decoder raises on a damaged file, and it may be anything, the file is the cause.
    except Exception as error:
        raise ValueError(f"{path} cannot be read as a picture: {error or type(error).__name__}") from error
    reduced = brightness.reduce(-(-max(size) // LARGEST))
    return size, numpy.clip(numpy.asarray(reduced, dtype="float64") / white, 0.0, 1.0)


def _grey(image: "Image") -> tuple["Image", float]:
    """The picture in mode F, floating-point grey without transparency; and what is white in it."""
    from PIL import Image

    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers of no known scale")
    if image.mode.startswith("I"):
        return image.convert("I").convert("F"), 65535.0
    if "transparency" in image.info or image.mode.endswith(("A", "a")):
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), layer)
    return image.convert("L").convert("F"), 255.0


def _spread(differences: ndarray, contrast: float) -> float:
    """The most by which nine of ten pixels of an edge differ from the paper, but for those that ink runs over."""
    paper = differences[differences < contrast / 2]
    return float(numpy.quantile(paper, 0.9)) if paper.size else math.inf


def _cropped(ink: ndarray) -> ndarray:
    """The smallest rectangle around the ink."""
    rows, columns = numpy.flatnonzero(ink.any(axis=1)), numpy.flatnonzero(ink.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _upright(ink: ndarray) -> ndarray:
    """Sheared until it leans to neither side: until how far right ink is tells nothing about how far down it is."""
    from PIL import Image

    down, across = numpy.indices(ink.shape) + 0.5
    middle = (down * ink).sum() / ink.sum()
    variance = ((down - middle) ** 2 * ink).sum()
    if variance == 0.0:  # one row of pixels
        return ink
    lean = float(numpy.clip(((down - middle) * across * ink).sum() / variance, -1.0, 1.0))
    margin = math.ceil(abs(lean) * ink.shape[0])
    page = Image.fromarray(numpy.pad(ink, ((0, 0), (margin, margin))).astype("float32"))
    # A place takes the ink of the place that is `lean` further right for each pixel further down.
    shear = (1.0, lean, -lean * middle, 0.0, 1.0, 0.0)
    sheared = numpy.array(page.transform(page.size, Image.Transform.AFFINE, shear, Image.Resampling.BILINEAR))
    sheared[sheared < FAINTEST * sheared.max()] = 0.0
    return _cropped(sheared)


def _scaled(ink: ndarray, height: float, width: float) -> ndarray:
    """To the size, rounded to whole pixels: each is the mean of those that it stands for."""
    from PIL import Image

    how = Image.Resampling.BOX if height <= ink.shape[0] else Image.Resampling.BILINEAR
    size = max(1, round(width)), max(1, round(height))
    return numpy.array(Image.fromarray(ink.astype("float32")).resize(size, how), dtype="float64")
