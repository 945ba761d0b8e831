"""Data sets: what they hold, and that a broken file gives one clear error, whatever is wrong with it."""

import gzip
import inspect
import itertools
import os
import random
import re
import socket
import struct
import time
import tracemalloc
import zlib
from contextlib import suppress
from pathlib import Path

import numpy
import pytest
import sklearn.datasets

from scalargrad.datasets import load_digits, load_mnist
from scalargrad.datasets.idx import MOST_ITEMS, read_idx
from tests.platforms import needs_posix

ITEMS = numpy.arange(30, dtype="uint8").reshape(5, 2, 3)
SHAPE = (2, 3)  # of one of these items
LABELS = numpy.array([7, 2, 1, 0, 9], "uint8")


def header(*dimensions):
    return bytes([0, 0, 8, len(dimensions)]) + struct.pack(f">{len(dimensions)}I", *dimensions)


def idx(items):
    return header(*items.shape) + items.tobytes()


def packed(content):
    return gzip.compress(content, mtime=0)


WHOLE = idx(ITEMS)
HEADER = 16  # bytes of it


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some-idx3-ubyte"


def refusal(path, content, shape=SHAPE):
    """What the error says about a file of this content, after the name of the file."""
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))} ") as caught:
        read_idx(path, shape)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250 + len(str(path))
    return str(caught.value).removeprefix(f"{path} ")


# Files that are whole.


def test_the_bytes_of_a_file_written_by_hand(path):
    path.write_bytes(bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 10, 11, 12, 20, 21, 255]))
    items = read_idx(path, SHAPE)
    assert (items.dtype, items.tolist()) == ("uint8", [[[10, 11, 12], [20, 21, 255]]])


@pytest.mark.parametrize("pack", [bytes, packed], ids=["plain", "gzip"])
@pytest.mark.parametrize("items", [ITEMS, LABELS, ITEMS[:1], numpy.ones((700, 28, 28), "uint8")], ids=numpy.shape)
def test_what_was_written_is_read(path, items, pack):
    path.write_bytes(pack(idx(items)))
    assert (read_idx(path, items.shape[1:]) == items).all()
    assert (read_idx(str(path), items.shape[1:], most=len(items)) == items).all()


def test_a_name_in_the_header_of_gzip_is_skipped(path):
    with path.open("wb") as file, gzip.GzipFile("named", "wb", fileobj=file) as packer:
        packer.write(WHOLE)
    assert (read_idx(path, SHAPE) == ITEMS).all()


# Files that are not.

REFUSED = {
    "empty": (b"", "is empty"),
    "empty gzip": (packed(b""), "is empty"),
    "a page": (b"<html>not found", "begins with 3c 68 74 6d and not with 00 00 08 03"),
    "one byte of gzip": (b"\x1f", "begins with 1f and not with"),
    "gzip of gzip": (packed(packed(WHOLE)), "begins with 1f 8b 08 00 and not with"),
    "labels": (idx(LABELS), "begins with 00 00 08 01 and not with 00 00 08 03, as an IDX file .* in 3 dimensions"),
    "floats": (b"\0\0\x0d\3" + WHOLE[4:], "begins with 00 00 0d 03"),
    "little-endian": (struct.pack("<I", 2051), "begins with 03 08 00 00"),
    "magic alone": (WHOLE[:4], "is too short: of the 16 bytes of a header, 12 are missing"),
    "half a dimension": (WHOLE[:14], "is too short: of the 16 bytes of a header, 2 are missing"),
    "no items at all": (WHOLE[:16], "is too short: of the 30 bytes of its 5 items, 30 are missing"),
    "one byte less": (WHOLE[:-1], "is too short: of the 30 bytes of its 5 items, 1 are missing"),
    "one byte less in gzip": (packed(WHOLE[:-1]), "is too short: of the 30 bytes of its 5 items, 1 are missing"),
    "one byte more": (WHOLE + b"\0", "has trailing bytes: it goes on after the 5 items"),
    "one byte more in gzip": (packed(WHOLE + b"\0"), "has trailing bytes: it goes on after the 5 items"),
    "one byte after gzip": (packed(WHOLE) + b"\0", "is damaged gzip: the file goes on after the end"),
    "two streams": (packed(WHOLE) + packed(b""), "is damaged gzip: the file goes on after the end"),
    "other rows": (header(5, 3, 2) + ITEMS.tobytes(), "holds items of 3 x 2 bytes and not of 2 x 3"),
    "no columns": (header(5, 2, 0), "holds items of 2 x 0 bytes and not of 2 x 3"),
    "no items": (header(0, 2, 3), "claims to hold 0 items; 1 to 60,000 are accepted"),
    "too many": (header(60_001, 2, 3), "claims to hold 60,001 items"),
    "as many as can be": (header(2**32 - 1, 2, 3), "claims to hold 4,294,967,295 items"),
    "wrong checksum": (packed(WHOLE)[:-8] + bytes(4) + packed(WHOLE)[-4:], "is damaged gzip: .*incorrect data check"),
    "wrong length": (packed(WHOLE)[:-4] + bytes(4), "is damaged gzip: .*incorrect length check"),
}


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_the_error_says_what_is_wrong(path, content, message):
    assert re.match(message, refusal(path, content))


@pytest.mark.parametrize("length", range(len(WHOLE)))
def test_a_file_cut_off_anywhere_is_refused_by_what_is_missing(path, length):
    message = refusal(path, WHOLE[:length])
    if length >= HEADER:
        assert message.endswith(f"{len(WHOLE) - length} are missing")
    elif length >= 4:
        assert message.endswith(f"{HEADER - length} are missing")


@pytest.mark.parametrize("length", range(2, len(packed(WHOLE))))
def test_gzip_cut_off_anywhere_is_refused(path, length):
    assert "cut off before the end" in refusal(path, packed(WHOLE)[:length])


def flipped(content):
    """The content with one bit changed, for each bit, after the number of its byte."""
    for place, bit in itertools.product(range(len(content)), range(8)):
        changed = bytearray(content)
        changed[place] ^= 1 << bit
        yield place, bytes(changed)


def test_each_flipped_bit_of_the_header_is_refused(path):
    for _, content in flipped(WHOLE[:HEADER]):
        assert refusal(path, content + WHOLE[HEADER:])


def test_each_flipped_bit_of_gzip_is_refused_or_harmless(path):
    harmless = set()
    for place, content in flipped(packed(WHOLE)):
        path.write_bytes(content)
        with suppress(ValueError):
            assert (read_idx(path, SHAPE) == ITEMS).all()
            harmless.add(place)
    # Whether it is text, its date, how hard it was packed and on what system; and the unused bits of the last byte.
    assert harmless <= {3, *range(4, 10), len(packed(WHOLE)) - 9}


@pytest.mark.parametrize(
    "start", [b"", b"\x1f\x8b", b"\x1f\x8b\x08", packed(WHOLE)[:10], WHOLE[:4], WHOLE[:12]], ids=bytes.hex
)
def test_noise_is_refused(path, start):
    generator = random.Random(0)
    for _ in range(100):
        assert refusal(path, start + generator.randbytes(generator.randrange(1, 200)))


def bomb(start):
    """Gzip of these bytes and then 6 GiB of zeros: one packed piece again and again."""
    packer = zlib.compressobj(9, wbits=31)
    head = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    packer = zlib.compressobj(9, wbits=-15)
    piece = packer.compress(bytes(2**24)) + packer.flush(zlib.Z_FULL_FLUSH)  # which leaves no trace of what came before
    return head + piece * 400


GZIP_START = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
BOMBS = {
    "that claims one image": (lambda: bomb(header(1, 28, 28)), "has trailing bytes"),
    "that claims 60,000 images": (lambda: bomb(header(60_000, 28, 28)), "has trailing bytes"),
    "that claims 2**32 - 1 images": (lambda: bomb(header(2**32 - 1, 28, 28)), "claims to hold"),
    "of zeros": (lambda: bomb(b""), "begins with 00 00 00 00"),
    "of a long name": (lambda: GZIP_START[:3] + b"\x08" + GZIP_START[4:] + b"A" * 2**24, "is damaged gzip: .*cut off"),
    "of empty blocks": (lambda: GZIP_START + b"\0\0\0\xff\xff" * 2**22, "is damaged gzip: .*cut off"),
    "of empty streams": (lambda: packed(b"") * 2**19, "is damaged gzip: .*goes on"),
}


@pytest.mark.parametrize(("content", "message"), BOMBS.values(), ids=BOMBS)
def test_a_gzip_bomb_is_refused_soon_and_in_64_megabytes(path, content, message):
    path.write_bytes(content())
    tracemalloc.start()
    start = time.process_time()
    try:
        with pytest.raises(ValueError, match=f"^{re.escape(str(path))} {message}"):
            read_idx(path, (28, 28))
        assert time.process_time() - start < 2
        assert tracemalloc.get_traced_memory()[1] < 64e6
    finally:
        tracemalloc.stop()


def test_a_file_larger_than_all_that_could_be_in_it_is_not_even_opened(path, monkeypatch):
    path.touch()
    os.truncate(path, 10**10)
    monkeypatch.setattr(Path, "open", None)
    with pytest.raises(ValueError, match="has 10,000,000,000 bytes, more than the 360,016 of 60,000 items"):
        read_idx(path, SHAPE)


def test_what_gzip_cannot_make_smaller_is_read_up_to_the_last_item(path):
    items = numpy.frombuffer(random.Random(0).randbytes(MOST_ITEMS * 6), "uint8").reshape(MOST_ITEMS, 2, 3)
    path.write_bytes(packed(idx(items)))
    assert path.stat().st_size > len(idx(items))
    assert (read_idx(path, SHAPE) == items).all()


def test_what_is_no_file_is_refused(path):
    with pytest.raises(FileNotFoundError, match=f"^there is no file {re.escape(str(path))}$"):
        read_idx(path)
    path.mkdir()
    with pytest.raises(ValueError, match="some-idx3-ubyte is not a file but a folder"):
        read_idx(path)


@needs_posix
def test_a_file_that_stands_where_a_folder_should_is_named():
    with pytest.raises(ValueError, match="cannot be read: Not a directory"):
        read_idx(Path(__file__) / "inside")


@needs_posix
def test_a_pipe_is_not_waited_for(path):
    os.mkfifo(path)
    with pytest.raises(ValueError, match="some-idx3-ubyte is not a file"):
        read_idx(path)


def test_a_file_that_may_not_be_read_is_named(path, monkeypatch):
    path.write_bytes(WHOLE)

    def forbidden(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)
    with pytest.raises(ValueError, match="some-idx3-ubyte cannot be read: Permission denied"):
        read_idx(path)


# MNIST.

PARTS = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
NAMINGS = [  # what stands before idx, the end of the name, and what is done to the content
    ("-", "", bytes),
    ("-", ".gz", packed),
    (".", "", bytes),
    (".", ".gz", packed),
    ("-", ".gz", bytes),  # as some browsers leave it
    ("-", "", packed),
]


def small_mnist():
    """Three images to train on and two to test with, by the name of the file."""
    pixels = numpy.random.default_rng(0).integers(0, 256, (5, 28, 28), "uint8")
    return dict(zip(PARTS, (pixels[:3], LABELS[:3], pixels[3:], LABELS[3:]), strict=True))


def write(folder, arrays, mark="-", end="", pack=bytes):
    for part, array in arrays.items():
        (folder / (part.replace("-idx", f"{mark}idx") + end)).write_bytes(pack(idx(array)))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv("SCALARGRAD_DATA", raising=False)
    write(tmp_path, small_mnist())
    return tmp_path


@pytest.mark.parametrize(("mark", "end", "pack"), NAMINGS)
def test_four_files_make_mnist_under_all_their_names(tmp_path, mark, end, pack):
    arrays = small_mnist()
    write(tmp_path, arrays, mark, end, pack)
    mnist = load_mnist(tmp_path)
    for ours, pixels in ((mnist.train_images, arrays[PARTS[0]]), (mnist.test_images, arrays[PARTS[2]])):
        assert (ours.dtype, ours.shape, ours.flags.c_contiguous) == ("float32", (len(pixels), 784), True)
        assert (ours.reshape(-1, 28, 28) == pixels / numpy.float32(255)).all()
        assert (ours * 255).round().astype("uint8").tobytes() == pixels.tobytes()
    for ours, labels in ((mnist.train_labels, arrays[PARTS[1]]), (mnist.test_labels, arrays[PARTS[3]])):
        assert (ours.dtype, ours.tolist()) == ("int64", labels.tolist())
    assert repr(mnist) == "Mnist(3 training and 2 test images)"


def test_white_is_0_and_black_is_1(folder):
    write(folder, {PARTS[2]: numpy.stack([numpy.zeros((28, 28), "uint8"), numpy.full((28, 28), 255, "uint8")])})
    test_images = load_mnist(folder).test_images
    assert (test_images[0] == 0.0).all()
    assert (test_images[1] == 1.0).all()


def test_the_folder_is_the_argument_or_else_of_the_environment(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("SCALARGRAD_DATA", str(folder))
    assert load_mnist().train_labels.tolist() == [7, 2, 1]
    other = tmp_path / "other"
    other.mkdir()
    write(other, small_mnist() | {PARTS[1]: LABELS[-3:]})
    assert load_mnist(str(other)).train_labels.tolist() == [1, 0, 9]


def test_of_several_files_the_plain_one_is_read(folder):
    write(folder, {PARTS[1]: LABELS[-3:]}, "-", ".gz", packed)
    assert load_mnist(folder).train_labels.tolist() == [7, 2, 1]


def test_folders_of_the_same_name_are_passed_over(folder):
    for part in PARTS:
        (folder / part).rename(folder / part.replace("-idx", ".idx"))
        (folder / part).mkdir()
    assert load_mnist(folder).train_labels.tolist() == [7, 2, 1]


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_file_is_named_with_its_folder_and_the_way_out(folder, part):
    (folder / part).unlink()
    with pytest.raises(FileNotFoundError) as caught:
        load_mnist(folder)
    dotted = part.replace("-idx", ".idx")
    assert str(caught.value).startswith(
        f"in {folder} there is no file {part}, nor {part}.gz, {dotted}, {dotted}.gz; load_mnist(folder), or "
    )


@pytest.mark.parametrize("below", ["", "raw", "MNIST/raw"])
@pytest.mark.parametrize(("mark", "end", "pack"), NAMINGS)
def test_torchvisions_folders_are_found(tmp_path, below, mark, end, pack):
    """Its `root`, the folder of the data set in it, and that of the files."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    write(raw, small_mnist(), mark, end, pack)
    assert load_mnist(raw / "/".join([".."] * len(Path(below).parts))).train_labels.tolist() == [7, 2, 1]


def test_files_of_two_folders_are_not_mixed(folder):
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    write(raw, small_mnist() | {PARTS[1]: LABELS[-3:]})
    assert load_mnist(folder).train_labels.tolist() == [7, 2, 1]
    (folder / PARTS[3]).unlink()
    with pytest.raises(FileNotFoundError, match=f"^in {re.escape(str(folder))} there is no file {PARTS[3]}, nor"):
        load_mnist(folder)
    for part in PARTS[:3]:
        (folder / part).unlink()
    assert load_mnist(folder).train_labels.tolist() == [1, 0, 9]
    (raw / PARTS[0]).unlink()
    with pytest.raises(FileNotFoundError, match=f"^in {re.escape(str(raw))} there is no file {PARTS[0]}, nor"):
        load_mnist(folder)


@pytest.mark.parametrize("beside", [None, "a file", "other folders"])
def test_where_nothing_is_the_error_lists_where_it_looked(tmp_path, beside):
    if beside == "a file":
        (tmp_path / "raw").write_bytes(b"")
        (tmp_path / "MNIST").write_bytes(b"")
    elif beside:
        (tmp_path / "FashionMNIST" / "raw").mkdir(parents=True)
        write(tmp_path / "FashionMNIST" / "raw", small_mnist())
    with pytest.raises(FileNotFoundError) as caught:
        load_mnist(tmp_path)
    words = f"in {tmp_path} or {tmp_path / 'raw'} or {tmp_path / 'MNIST' / 'raw'} there is no file {PARTS[0]}, nor "
    assert str(caught.value).startswith(words)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("part", PARTS)
def test_a_broken_file_is_named(folder, part):
    whole = (folder / part).read_bytes()
    (folder / part).write_bytes(whole[:-1])
    with pytest.raises(ValueError, match=f"^{re.escape(str(folder / part))} is too short"):
        load_mnist(folder)


WRONG_TOGETHER = {
    "a label too few": ({PARTS[1]: LABELS[:2]}, "train-images.* holds 3 images, but .*train-labels.* 2 labels"),
    "an image too few": (
        {PARTS[2]: ITEMS[:1, :1, :1].repeat(28, 1).repeat(28, 2)},
        "t10k-images.* holds 1 images, but",
    ),
    "a label of ten": ({PARTS[3]: numpy.array([9, 10], "uint8")}, r"t10k-labels.* the label 10 \(item 1\)"),
    "small images": ({PARTS[0]: ITEMS[:3]}, "train-images.* holds items of 2 x 3 bytes and not of 28 x 28"),
}


@pytest.mark.parametrize(("arrays", "message"), WRONG_TOGETHER.values(), ids=WRONG_TOGETHER)
def test_files_that_do_not_fit_together_are_refused(folder, arrays, message):
    write(folder, arrays)
    with pytest.raises(ValueError, match=message):
        load_mnist(folder)


def test_images_and_labels_of_each_others_name_are_refused(folder):
    (folder / PARTS[0]).rename(folder / "aside")
    (folder / PARTS[1]).rename(folder / PARTS[0])
    (folder / "aside").rename(folder / PARTS[1])
    with pytest.raises(ValueError, match=r"begins with 00 00 08 03 and not with 00 00 08 01, .* in 1 dimension does"):
        load_mnist(folder)


def test_a_folder_that_is_none_is_named(folder, monkeypatch):
    with pytest.raises(FileNotFoundError, match=f"there is no folder {re.escape(str(folder / 'nowhere'))}; .*DATA"):
        load_mnist(folder / "nowhere")
    with pytest.raises(ValueError, match=f"{PARTS[0]} cannot be read as a folder: Not a directory"):
        load_mnist(folder / PARTS[0])

    def forbidden(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", forbidden)
    with pytest.raises(ValueError, match="cannot be read as a folder: Permission denied"):
        load_mnist(folder)


@pytest.mark.oracle("mnist")
def test_mnist_is_the_one_that_everybody_knows():
    mnist = load_mnist()
    assert repr(mnist) == "Mnist(60,000 training and 10,000 test images)"
    assert mnist.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert mnist.test_labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert numpy.bincount(mnist.train_labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert numpy.bincount(mnist.test_labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    # The mean and the standard deviation by which many programs normalise it.
    assert mnist.train_images.mean(dtype="float64") == pytest.approx(0.1307, abs=5e-5)
    assert mnist.train_images.std(dtype="float64") == pytest.approx(0.3081, abs=5e-5)


# Downloads.


@pytest.mark.parametrize("variable", [None, ""])
def test_without_a_folder_mnist_comes_from_openml(monkeypatch, variable):
    monkeypatch.delenv("SCALARGRAD_DATA", raising=False)
    if variable is not None:
        monkeypatch.setenv("SCALARGRAD_DATA", variable)
    signature = inspect.signature(sklearn.datasets.fetch_openml)
    places = numpy.arange(70_000)

    def fetched(*arguments, **options):
        bound = signature.bind(*arguments, **options).arguments
        assert (bound["name"], bound["version"], bound["as_frame"]) == ("mnist_784", 1, False)
        pixels = numpy.broadcast_to(places[:, None] % 256.0, (70_000, 784))  # one number in memory for each row
        return sklearn.utils.Bunch(data=pixels, target=(places % 10).astype(str).astype(object))

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetched)
    mnist = load_mnist()
    assert repr(mnist) == "Mnist(60,000 training and 10,000 test images)"
    assert (mnist.train_images.dtype, mnist.train_images.shape) == ("float32", (60_000, 784))
    assert mnist.test_images[:2, 0].tolist() == [numpy.float32(96) / numpy.float32(255), numpy.float32(97) / 255]
    assert (mnist.train_labels.dtype, mnist.train_labels[:3].tolist()) == ("int64", [0, 1, 2])
    assert mnist.test_labels[-3:].tolist() == [7, 8, 9]


def test_without_a_network_one_error_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.delenv("SCALARGRAD_DATA", raising=False)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))  # where a download from another day would be

    def nobody_answers(*_, **__):
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", nobody_answers)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # between attempts
    with pytest.raises(ConnectionError) as caught:
        load_mnist()
    message = str(caught.value)
    assert message.startswith("MNIST could not be downloaded with fetch_openml (URLError: ")
    assert "Temporary failure in name resolution" in message
    assert "SCALARGRAD_DATA" in message


# Digits.


def test_the_digits_are_scikit_learns_from_0_to_1():
    images, labels = load_digits()
    theirs = sklearn.datasets.load_digits()
    assert (images.dtype, images.shape, labels.dtype) == ("float64", (1797, 64), "int64")
    assert (images.min(), images.max()) == (0.0, 1.0)
    assert (images.reshape(-1, 8, 8) * 16 == theirs.images).all()
    assert (labels == theirs.target).all()
