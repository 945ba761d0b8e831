"""Digits from picture files: read back as the data sets' own images, and files that are no such pictures."""

import warnings

import numpy as np
import pytest
from PIL import Image
from sklearn.svm import SVC

from scalargrad.datasets import load_digits, load_mnist
from scalargrad.datasets.pictures import read_digit

# A 7: a bar across the top, and a stroke that leans to the left.
SEVEN = np.zeros((100, 100))
SEVEN[20:28, 30:70] = 1.0
for down in range(60):
    SEVEN[20 + down, 64 - down // 2 : 70 - down // 2] = 1.0
WHITE_PAPER = 1.0 - SEVEN


def written(folder, brightness, name="digit.png", mode="L"):
    """A file of the picture, 0.0 black to 1.0 white."""
    image = Image.fromarray((brightness.clip(0.0, 1.0) * 255).round().astype("uint8"))
    image.convert(mode).save(folder / name)
    return folder / name


def enlarged(ink, side, times, margin):
    """Each pixel of an image of a data set as a square of `times` pixels, on a page that is larger all around."""
    return np.pad(ink.reshape(side, side).repeat(times, 0).repeat(times, 1), margin)


@pytest.fixture(scope="module")
def digits():
    """Images that a classifier of scikit-learn did not see, their labels, and the classifier."""
    images, labels = load_digits()
    held_back = np.arange(len(labels)) % 15 == 0
    classifier = SVC(gamma=0.64, C=10.0).fit(images[~held_back], labels[~held_back])
    assert classifier.score(images[held_back], labels[held_back]) > 0.97
    return images[held_back], labels[held_back], classifier


@pytest.mark.long
@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize("paper", ["white", "black"])
def test_a_classifier_of_digits_knows_them_when_read_from_pictures(digits, paper, noise, tmp_path):
    images, labels, classifier = digits
    rng = np.random.default_rng(0)
    read = []
    for ink in images:
        page = enlarged(ink, 8, 10, margin=25)
        page = page + noise * rng.standard_normal(page.shape)
        read.append(read_digit(written(tmp_path, 1.0 - page if paper == "white" else page), 8))
    assert np.isin(np.array(read) * 16, np.arange(17)).all()
    assert classifier.score(read, labels) >= 0.92


@pytest.mark.oracle("mnist")
def test_mnist_read_from_shifted_pictures_on_white_is_mnist(tmp_path):
    rng = np.random.default_rng(0)
    differences = []
    for ink in load_mnist().test_images[:100]:
        shift = rng.integers(-80, 81, 2)
        page = np.roll(enlarged(ink, 28, 10, margin=100), shift, (0, 1))
        differences.append(abs(read_digit(written(tmp_path, 1.0 - page)) - ink).mean())
    assert sum(difference < 0.05 for difference in differences) >= 97


@pytest.mark.parametrize("side", [8, 28])
def test_an_image_of_the_data_set_passes_unchanged(side, tmp_path):
    ink = np.zeros((side, side))
    ink[1:4, 1:3] = np.arange(5, 11).reshape(3, 2) * 25 / 255  # far from the middle, and faint
    assert read_digit(written(tmp_path, ink), side).tolist() == ink.ravel().tolist()
    assert read_digit(written(tmp_path, 1.0 - ink), side).max() == 1.0  # on white it is a picture like any other


def test_ink_fits_mnists_box_and_has_its_centre_in_the_middle(tmp_path):
    digit = read_digit(written(tmp_path, WHITE_PAPER)).reshape(28, 28)
    assert (digit.min(), digit.max()) == (0.0, 1.0)
    rows, columns = np.flatnonzero(digit.any(axis=1)), np.flatnonzero(digit.any(axis=0))
    assert (rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1) == (20, 13)  # 60 and 40 pixels
    for axis in (0, 1):
        centre = digit.sum(axis=1 - axis) @ np.arange(28) / digit.sum()
        assert 13.5 <= centre < 14.5  # as in every image of MNIST


def test_ink_at_the_edge_of_mnists_page_is_not_lost(tmp_path):
    heavy_foot = np.ones((120, 60))
    heavy_foot[10:80, 10:12] = heavy_foot[80:110, 10:50] = 0.0
    assert read_digit(written(tmp_path, heavy_foot)).reshape(28, 28).any(axis=1).sum() == 20


def test_a_leaning_stroke_is_set_upright_for_side_8(tmp_path):
    leaning = np.ones((100, 100))
    for down in range(80):
        leaning[10 + down, 60 - down // 2 : 70 - down // 2] = 0.0
    digit = read_digit(written(tmp_path, leaning), 8).reshape(8, 8)
    assert digit.any(axis=1).all()
    middles = digit @ np.arange(8) / digit.sum(axis=1)
    assert middles.max() - middles.min() < 0.5


def in_colour(folder):
    Image.fromarray(np.where(SEVEN[:, :, None] > 0, [20, 0, 120], [255, 250, 200]).astype("uint8")).save(
        folder / "a.png"
    )


def on_nothing(folder):
    pixels = np.zeros((100, 100, 4), dtype="uint8")  # what is transparent is black, and must not be seen
    pixels[:, :, 3] = SEVEN * 255
    Image.fromarray(pixels).save(folder / "a.png")


def with_a_transparent_colour(folder):
    image = Image.fromarray(SEVEN.astype("uint8") * 3)
    image.putpalette([0, 0, 0] * 4)
    image.save(folder / "a.png", transparency=0)


def in_16_bits(folder):
    Image.fromarray(((0.1 + 0.6 * WHITE_PAPER) * 65535).astype("uint16")).save(folder / "a.png")


def faint(folder):
    written(folder, 0.9 - 0.3 * SEVEN, "a.png")


KINDS = {
    "light on dark": lambda folder: written(folder, SEVEN, "a.png"),
    "dark on grey": lambda folder: written(folder, 0.4 - 0.4 * SEVEN, "a.png"),
    "faint": faint,
    "palette": lambda folder: written(folder, WHITE_PAPER, "a.png", "P"),
    "one bit": lambda folder: written(folder, WHITE_PAPER, "a.png", "1"),
    "colour": in_colour,
    "transparent": on_nothing,
    "a transparent colour": with_a_transparent_colour,
    "16 bits": in_16_bits,
    "large": lambda folder: written(folder, WHITE_PAPER.repeat(7, 0).repeat(7, 1), "a.png"),
    "gif": lambda folder: written(folder, WHITE_PAPER, "a.gif").rename(folder / "a.png"),
    "cmyk": lambda folder: written(folder, WHITE_PAPER, "a.tiff", "CMYK").rename(folder / "a.png"),
}


@pytest.mark.parametrize("write", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("side", [8, 28])
def test_every_kind_of_picture_gives_the_same_digit(side, write, tmp_path):
    expected = read_digit(written(tmp_path, WHITE_PAPER), side)
    write(tmp_path)
    assert abs(read_digit(tmp_path / "a.png", side) - expected).mean() < 0.02


def test_an_image_of_16_bits_passes_unchanged(tmp_path):
    ink = np.zeros((28, 28))
    ink[5:9, 5:9] = 0.2
    Image.fromarray((ink * 65535).astype("uint16")).save(tmp_path / "a.png")
    assert read_digit(tmp_path / "a.png").tolist() == ink.ravel().tolist()


def truncated(folder, length):
    path = written(folder, WHITE_PAPER)
    path.write_bytes(path.read_bytes()[:length])


def damaged(folder):
    path = written(folder, WHITE_PAPER)
    contents = bytearray(path.read_bytes())
    contents[len(contents) // 2] ^= 0xFF
    path.write_bytes(contents)


def noise_alone(folder):
    written(folder, 0.7 + 0.05 * np.random.default_rng(0).standard_normal((200, 200)), "digit.png")


BAD = {
    "no file": (lambda folder: None, FileNotFoundError, "there is no file"),
    "folder": (lambda folder: (folder / "digit.png").mkdir(), ValueError, "is a folder"),
    "empty": (lambda folder: (folder / "digit.png").touch(), ValueError, "is empty"),
    "text": (
        lambda folder: (folder / "digit.png").write_text("seven", encoding="utf-8"),
        ValueError,
        "is not a picture",
    ),
    "eps": (lambda folder: written(folder, SEVEN, "a.eps").rename(folder / "digit.png"), ValueError, "not a picture"),
    "cut in the header": (lambda folder: truncated(folder, 20), ValueError, "picture"),
    "cut in the pixels": (lambda folder: truncated(folder, 120), ValueError, "cannot be read as a picture"),
    "damaged": (damaged, ValueError, "cannot be read as a picture"),
    "floating point": (
        lambda folder: Image.fromarray(SEVEN.astype("float32")).save(folder / "digit.png", "TIFF"),
        ValueError,
        "floating-point",
    ),
    "white": (lambda folder: written(folder, np.ones((50, 50))), ValueError, "the picture is blank"),
    "black": (lambda folder: written(folder, np.zeros((28, 28))), ValueError, "the picture is blank"),
    "noise alone": (noise_alone, ValueError, "the picture is blank"),
}


@pytest.mark.parametrize(("write", "error", "words"), BAD.values(), ids=BAD)
def test_a_bad_file_is_named_in_one_line(write, error, words, tmp_path):
    write(tmp_path)
    with pytest.raises(error, match=words) as caught:
        read_digit(tmp_path / "digit.png")
    assert str(tmp_path / "digit.png") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_picture_beyond_pillows_limit_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = written(tmp_path, WHITE_PAPER)
    for limit in (6000, 4000):  # Pillow warns from the limit on, and raises from twice the limit
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as in a program: pytest would make an error of the warning by itself
            with pytest.raises(ValueError, match="decompression bomb"):
                read_digit(path)


@pytest.mark.parametrize("side", [0, 16, "28"])
def test_only_the_sides_of_the_data_sets_are_known(side, tmp_path):
    with pytest.raises(ValueError, match="side is 28 or 8"):
        read_digit(written(tmp_path, WHITE_PAPER), side)
