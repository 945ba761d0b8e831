"""Loaders: the two moons, scikit-learn's digits, and MNIST from its files or from OpenML."""

import os
import warnings
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy
from numpy import ndarray

from scalargrad.arrays import quiet
from scalargrad.checks import file_name, real, whole
from scalargrad.datasets.idx import read_idx

SIDE = 28  # pixels of an MNIST image, in both directions
FILES = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
BELOW = ("raw", "MNIST/raw")  # folders of torchvision's
FOLDER_VARIABLE = "SCALARGRAD_DATA"
REMEDY = f"load_mnist(folder), or the environment variable {FOLDER_VARIABLE}, names the folder of MNIST's four files"


@quiet
def load_moons(samples: int = 100, noise: float = 0.1, seed: int = 0) -> tuple[ndarray, ndarray]:
    """Scikit-learn's two interleaving half circles: points [samples, 2] and labels [samples], 0 or 1.

    noise is the standard deviation of what is added to each coordinate. One seed gives the same points each time.

    >>> points, labels = load_moons(samples=4, noise=0.0)
    >>> points.shape, sorted(labels.tolist())
    ((4, 2), [0, 0, 1, 1])
    """
    samples = whole("samples", samples, 1)
    noise = None if noise is None else real("noise", noise, 0.0)
    seed = None if seed is None else whole("seed", seed, 0, most=2**32 - 1)
    from sklearn.datasets import make_moons

    return make_moons(samples, noise=noise, random_state=seed)


@quiet
def load_digits() -> tuple[ndarray, ndarray]:
    """Scikit-learn's handwritten digits of 8 x 8 pixels: images float64 [1797, 64] and labels int64 [1797], 0 to 9.

    A pixel is 0.0 (paper) to 1.0 (ink) in steps of 1/16; a row of the array holds an image row by row. The digits
    come with scikit-learn, so nothing is downloaded. No one has split them into a training and a test set.

    >>> images, labels = load_digits()
    >>> images.shape, float(images.max()), labels[:10].tolist()
    ((1797, 64), 1.0, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    import sklearn.datasets

    images, labels = sklearn.datasets.load_digits(return_X_y=True)
    return images / 16.0, labels.astype("int64")


class Mnist(NamedTuple):
    """Handwritten digits of 28 x 28 pixels, 60,000 to train on and 10,000 to test with.

    images  float32 [n, 784]: 0.0 (paper) to 1.0 (ink) in steps of 1/255, an image row by row
    labels  int64 [n]: the digits 0 to 9

    float32 is what `compile(..., dtype="float32")` takes without a copy; the training images are 188 MB. The data are
    those of Y. LeCun and C. Cortes, under CC BY-SA 3.0.
    """

    train_images: ndarray
    train_labels: ndarray
    test_images: ndarray
    test_labels: ndarray

    def __repr__(self) -> str:
        return f"Mnist({len(self.train_labels):,} training and {len(self.test_labels):,} test images)"


def load_mnist(folder: str | PathLike[str] | None = None) -> Mnist:
    """MNIST from its four IDX files, gzipped or not, or else from OpenML, with scikit-learn's fetch_openml.

        train_images, train_labels, test_images, test_labels = load_mnist("downloads/mnist")

    folder  where train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte
            are, each also with .gz or as train-images.idx3-ubyte; of several the first in that order. Where none of
            them is, they are looked for below it, in `raw` and `MNIST/raw`: there torchvision puts them, whose `root`
            may be the folder. None: the environment variable SCALARGRAD_DATA says where. If it does not, they are
            downloaded once, into scikit-learn's folder for data, but read anew each time, which takes a minute and 1 GB
            of memory

    FileNotFoundError, if a file is missing; ValueError, if one is not what it should be, by name; ConnectionError, if
    the download fails. Data sets made in MNIST's image, such as Fashion-MNIST, are read as well.

    >>> load_mnist("no/such/folder")
    Traceback (most recent call last):
    FileNotFoundError: there is no folder no/such/folder; load_mnist(folder), or the environment variable ...
    """
    if folder is None:
        folder = os.environ.get(FOLDER_VARIABLE) or None
    if folder is None:
        return _downloaded()
    train_images, train_labels, test_images, test_labels = _found(Path(file_name(folder, "folder")))
    return Mnist(*_read_pair(train_images, train_labels), *_read_pair(test_images, test_labels))


def _found(folder: Path) -> list[Path]:
    """The four files, each under whichever of the names that it is known by: in the folder, or else in one below it."""
    places = [folder, *(folder / below for below in BELOW)]
    known = [_known_names(name) for name in FILES]
    for place in places:
        files = _files_in(place, is_asked_for=place == folder)
        found = [next((name for name in names if name in files), "") for names in known]
        if any(found):
            places = [place]
            break
    if all(found):
        return [places[0] / name for name in found]
    first, *others = known[found.index("")]
    where = " or ".join(map(str, places))
    raise FileNotFoundError(f"in {where} there is no file {first}, nor {', '.join(others)}; {REMEDY}")


def _known_names(name: str) -> list[str]:
    dotted = ".".join(name.rsplit("-", 1))
    return [f"{name}-ubyte", f"{name}-ubyte.gz", f"{dotted}-ubyte", f"{dotted}-ubyte.gz"]


def _files_in(folder: Path, is_asked_for: bool) -> set[str]:
    """The names of files; none, where there is no folder, unless somebody has asked for it."""
    try:
        with os.scandir(folder) as entries:
            # Only files: archives of MNIST exist that unpack to a folder of the one name beside a file of the other.
            return {entry.name for entry in entries if entry.is_file()}
    except (FileNotFoundError, NotADirectoryError) as error:
        if not is_asked_for:
            return set()
        if isinstance(error, FileNotFoundError):
            raise FileNotFoundError(f"there is no folder {folder}; {REMEDY}") from None
        raise _unreadable(folder, error) from error
    except OSError as error:
        raise _unreadable(folder, error) from error


def _unreadable(folder: Path, error: OSError) -> ValueError:
    return ValueError(f"{folder} cannot be read as a folder: {error.strerror or error}; {REMEDY}")


@quiet
def _read_pair(image_path: Path, label_path: Path) -> tuple[ndarray, ndarray]:
    """The images of one file with the labels of the other."""
    labels, pixels = read_idx(label_path), read_idx(image_path, (SIDE, SIDE))
    if len(pixels) != len(labels):
        raise ValueError(f"{image_path} holds {len(pixels):,} images, but {label_path} {len(labels):,} labels")
    if labels.max() > 9:
        place = int((labels > 9).argmax())
        raise ValueError(f"{label_path} holds the label {labels[place]} (item {place:,}); the labels are 0 to 9")
    return numpy.divide(pixels.reshape(len(pixels), -1), 255, dtype="float32"), labels.astype("int64")


@quiet
def _downloaded() -> Mnist:
    """MNIST from OpenML, which keeps all images in one table, those to train on first."""
    from sklearn.datasets import fetch_openml

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one a failed attempt; we say it once
            # This parser needs no pandas.
            table = fetch_openml("mnist_784", version=1, as_frame=False, parser="liac-arff", n_retries=1)
    except Exception as error:  # whatever stands in the way: no network, a portal's page in place of data, a full disk
        reason = f"{type(error).__name__}: {error}"
        raise ConnectionError(f"MNIST could not be downloaded with fetch_openml ({reason}); {REMEDY}") from error
    images, labels = numpy.divide(table.data, 255, dtype="float32", casting="same_kind"), table.target.astype("int64")
    return Mnist(images[:60_000], labels[:60_000], images[60_000:], labels[60_000:])
