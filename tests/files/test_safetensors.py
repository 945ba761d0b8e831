"""Files of arrays: they come back as they were, other readers read them, and nothing that is wrong with one passes."""

import hashlib
import json
import os
import struct
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalargrad.files.safetensors import LONGEST_HEADER, LONGEST_REASON, read_arrays, write_arrays
from tests.oracles.damage import flipped_bits, shorter_lengths

ARRAYS = {
    "weight": np.array([[1.0, -0.0, 5e-324], [np.pi, 1.7976931348623157e308, -1e-300]]),
    "scalar": np.array(2.5),
    "empty": np.zeros((0, 3)),
    "single": np.array([0.1, np.nan, -np.inf], np.float32),
    "steps": np.array([-(2**63), 2**63 - 1, 0]),
    "großes Gewicht \U0001f600\n\"'\\": np.arange(4.0),
}
METADATA = {"epoch": "7", "note": 'ä " \\ \n', "": ""}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.safetensors"


def assert_same(arrays, others):
    assert list(arrays) == list(others)
    for name, array in arrays.items():
        other = others[name]
        assert (array.dtype, array.shape, array.tobytes()) == (other.dtype, other.shape, other.tobytes()), name


def refusal(path):
    """Why a file is refused, or "" if it is read."""
    try:
        read_arrays(path)
    except ValueError as error:
        return str(error)
    return ""


def test_arrays_and_metadata_come_back_to_the_bit(path):
    write_arrays(path, ARRAYS, METADATA)
    arrays, metadata = read_arrays(path)
    assert_same(arrays, ARRAYS)
    assert metadata == METADATA
    arrays["weight"][0, 0] = 7.0  # they can be written to
    write_arrays(path, {})
    assert read_arrays(str(path)) == ({}, {})


@pytest.mark.parametrize(
    "array",
    [np.arange(6.0).reshape(2, 3).T, np.arange(10.0)[::-2], np.arange(3.0).astype(">f8"), np.arange(3).astype(">i8")],
    ids=["transposed", "strided", "big-endian", "big-endian int"],
)
def test_the_numbers_count_not_how_they_lie_in_memory(path, array):
    write_arrays(path, {"x": array})
    read = read_arrays(path)[0]["x"]
    assert read.tolist() == array.tolist()
    assert read.dtype == array.dtype.newbyteorder("=")


def test_equal_contents_give_equal_bytes(tmp_path):
    for name in "ab":
        write_arrays(tmp_path / name, ARRAYS, METADATA)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_numbers_begin_at_a_multiple_of_eight_bytes_as_readers_that_map_files_like_it(path):
    for length in range(8):
        write_arrays(path, {"x": np.arange(1.0)}, {"note": "x" * length})
        assert int.from_bytes(path.read_bytes()[:8], "little") % 8 == 0


def test_the_reference_reader_reads_the_same(path, safetensors):
    write_arrays(path, ARRAYS, METADATA)
    with safetensors.safe_open(path, framework="numpy") as file:
        assert_same(ARRAYS, {name: file.get_tensor(name) for name in ARRAYS})
        assert set(file.keys()) == set(ARRAYS)
        assert METADATA.items() <= file.metadata().items()
        assert file.metadata()["format_version"] == "1"


@pytest.mark.oracle("safetensors")
def test_a_file_of_the_reference_writer_has_no_checksum_and_is_refused_with_the_way_out(path):
    from safetensors.numpy import save_file

    save_file({"x": np.arange(3.0)}, path)
    with pytest.raises(ValueError, match=r"has no sha256 and no format_version .* safetensors package"):
        read_arrays(path)


NOT_WRITTEN = [
    ({"x": np.arange(3, dtype=np.int32)}, {}, "x holds int32: .* use .astype"),
    ({"x": np.array([True])}, {}, "x holds bool"),
    ({"x": np.array([1j])}, {}, "x holds complex128"),
    ({"x": np.array(["a"])}, {}, "x holds str"),
    ({"x": np.array([None])}, {}, "x holds object"),
    ({"__metadata__": np.arange(3.0)}, {}, "an array cannot have the name '__metadata__'"),
    ({7: np.arange(3.0)}, {}, "an array cannot have the name 7"),
    ({"\ud800": np.arange(3.0)}, {}, "surrogates not allowed"),
    ({}, {"epoch": 7}, "metadata are strings, got 'epoch': 7"),
    ({}, {7: "epoch"}, "metadata are strings, got 7: 'epoch'"),
    ({}, {"sha256": "mine"}, "the metadata 'sha256' is the file's own"),
    ({}, {"format_version": "2"}, "the metadata 'format_version' is the file's own"),
    ({}, {"long": "x" * LONGEST_HEADER}, "0 arrays and the metadata need a header over 1,000,000 bytes"),
    ({f"x{i}": np.zeros(()) for i in range(20_000)}, {}, "20000 arrays and the metadata need a header over"),
]


@pytest.mark.parametrize(("arrays", "metadata", "message"), NOT_WRITTEN, ids=[row[2] for row in NOT_WRITTEN])
def test_what_the_format_cannot_hold_is_refused_and_the_file_stays(path, arrays, metadata, message):
    write_arrays(path, ARRAYS)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=message):
        write_arrays(path, arrays, metadata)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


# Damaged files.


def test_a_file_of_any_other_length_is_refused(path):
    write_arrays(path, {"weight": np.array([[1.0, 2.0]]), "step": np.array([3])}, {"epoch": "7"})
    contents = path.read_bytes()
    for more in (b"\0", b" ", b"\n", bytes(8), contents):
        path.write_bytes(contents + more)
        assert refusal(path) == f"{path} is damaged: {len(more):,} bytes follow its last array"
    path.write_bytes(contents)
    wrong = [damage for damage in shorter_lengths(path) if not refusal(path).startswith(f"{path} is truncated: ")]
    assert not wrong


def test_any_flipped_bit_is_noticed(path):
    write_arrays(path, {"weight": np.array([[1.0, 2.0]]), "step": np.array([3])}, {"epoch": "7"})
    reasons = {damage: refusal(path) for damage in flipped_bits(path)}
    assert len(reasons) == 8 * path.stat().st_size
    assert not [damage for damage, reason in reasons.items() if not reason.startswith(f"{path} ")]
    assert refusal(path) == ""


def test_what_is_no_file_of_arrays_is_refused(path, tmp_path):
    for contents, message in [
        (b"", "is truncated: it has 0 bytes"),
        (b"1,2\n3,4", "is truncated: it has 7 bytes"),
        (b"sepal,petal\n5.1,3.5\n" * 99, "is no safetensors file, or damaged: its first 8 bytes announce a header of"),
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "is no safetensors file, or damaged: its first 8 bytes"),
        (bytes(99), "is no safetensors file, or damaged: its header is not JSON"),
    ]:
        path.write_bytes(contents)
        with pytest.raises(ValueError, match=message):
            read_arrays(path)
    with pytest.raises(ValueError, match="is a folder"):
        read_arrays(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_arrays(tmp_path / "nowhere")
    if sys.platform != "win32":
        with pytest.raises(ValueError, match="is no ordinary file"):
            read_arrays("/dev/zero")


def test_nothing_is_allocated_for_what_is_only_announced(path):
    huge = {"x": {"dtype": "F64", "shape": [2**40], "data_offsets": [0, 2**43]}}
    files = [length.to_bytes(8, "little") + b"{}" for length in (LONGEST_HEADER, 2**40, 2**63, 2**64 - 1)]
    for contents in (*files, signed(huge)):
        path.write_bytes(contents)
        tracemalloc.start()
        with pytest.raises(ValueError, match=r"truncated|no safetensors file"):
            read_arrays(path)
        assert tracemalloc.get_traced_memory()[1] < 100_000
        tracemalloc.stop()


# Files with a right checksum that are wrong in another way: made by hand, or by a program with a mistake.


def signed(header, data=b"", version="1"):
    """A file with this header, a dict or JSON text where DIGEST stands for the checksum, and these numbers."""
    if not isinstance(header, str):
        own = {"sha256": "DIGEST", "format_version": version}
        header = json.dumps({"__metadata__": own, **header})

    def contents(digest):
        text = header.replace("DIGEST", digest).encode()
        return struct.pack("<Q", len(text)) + text + data

    return contents(hashlib.sha256(contents("0" * 64)).hexdigest())


def entry(begin=0, end=8, shape=(1,), dtype="F64"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def named(name, own='"sha256": "DIGEST", "format_version": "1"'):
    """The header of an array, as JSON text."""
    return f'{{"__metadata__": {{{own}}}, "{name}": {json.dumps(entry())}}}'


X, Y, COUNT, DEEP = entry(), entry(8, 16), 2**63, "[" * 300_000
ENTRY = json.dumps(X)
WRONG = {
    "another version": (signed({"x": X}, bytes(8), "2"), "has format version '2', and .* reads version 1: update"),
    "a long version": (signed({"x": X}, bytes(8), "2" * 10_000), "has format version '2222"),
    "no version at all": (signed({"x": X}, bytes(8), ""), "has format version '', and this scalargrad reads version 1"),
    "no metadata": (signed(f'{{"x": {ENTRY}}}', bytes(8)), "has no sha256 and no format_version in its metadata"),
    "no checksum": (signed(named("x", '"format_version": "1"'), bytes(8)), "has no sha256 in its metadata"),
    "null metadata": (signed('{"__metadata__": null}'), "has no sha256 and no format_version"),
    "metadata in a list": (signed('{"__metadata__": ["sha256"]}'), "its __metadata__ are not strings"),
    "metadata of numbers": (signed('{"__metadata__": {"sha256": 1}}'), "its __metadata__ are not strings"),
    "a header in a list": (signed("[1]"), "its header is not a JSON object"),
    "no JSON": (signed('{"x": }'), "its header is not JSON"),
    "no UTF-8": (struct.pack("<Q", 4) + b'{"\xff"', "its header is not JSON"),
    "deep JSON": (signed(DEEP), "its header is not JSON"),
    "a long header": (signed(" " * LONGEST_HEADER + "{}"), "announce a header of 1,000,002 bytes, and at most"),
    "a name twice": (signed(f'{named("x")[:-1]}, "x": {ENTRY}}}', bytes(8)), "has the name 'x' twice in its header"),
    "a name twice, escaped": (signed(f'{named("x")[:-1]}, "\\u0078": {ENTRY}}}', bytes(8)), "has the name 'x' twice"),
    "metadata twice": (signed(f'{named("x")[:-1]}, "__metadata__": {{}}}}', bytes(8)), "'__metadata__' twice"),
    "a key twice": (signed(named("x").replace('"dtype"', '"shape": [1], "dtype"'), bytes(8)), "has the name 'shape'"),
    "no entry": (signed({"x": [1.0]}), "entry for 'x' does not consist of dtype, shape and data_offsets"),
    "no dtype": (signed({"x": {"shape": [1], "data_offsets": [0, 8]}}, bytes(8)), "entry for 'x' does not consist"),
    "a key too many": (signed({"x": {**X, "strides": [8]}}, bytes(8)), "entry for 'x' does not consist of"),
    "an unknown dtype": (signed({"x": entry(0, 2, dtype="F16")}, bytes(2)), "dtype 'F16'; those that are read are F64"),
    "a dtype in a list": (signed({"x": entry(dtype=["F64"])}, bytes(8)), "holds 'x' with the dtype"),
    "a negative size": (signed({"x": entry(shape=(-1,))}, bytes(8)), r"'x' has no shape, but \[-1\]"),
    "a size of 1.0": (signed({"x": entry(shape=(1.0,))}, bytes(8)), r"'x' has no shape, but \[1.0\]"),
    "a size of true": (signed({"x": entry(shape=(True,))}, bytes(8)), r"'x' has no shape, but \[True\]"),
    "a size of NaN": (signed({"x": entry(shape=(np.nan,))}, bytes(8)), r"'x' has no shape, but \[nan\]"),
    "a huge size": (signed({"x": entry(0, 0, (0, COUNT))}), "'x' has no shape, but"),
    "huge sizes": (signed({"x": entry(0, 0, (0, COUNT - 1, COUNT - 1))}), "a.safetensors "),
    "33 dimensions": (signed({"x": entry(shape=(1,) * 33)}, bytes(8)), "'x' has no shape, but"),
    "a long number": (signed(named("x").replace("[1]", f"[{'9' * 5000}]"), bytes(8)), "a.safetensors "),
    "one offset": (signed({"x": {**X, "data_offsets": [8]}}, bytes(8)), r"'x' has no begin and end, but \[8\]"),
    "offsets swapped": (signed({"x": entry(8, 0)}, bytes(8)), r"shape \[1\] needs 8 bytes, and has -8"),
    "a negative offset": (signed({"x": entry(-8, 0)}, bytes(8)), r"'x' has no begin and end, but \[-8, 0\]"),
    "a wrong shape": (signed({"x": entry(shape=(2,))}, bytes(8)), r"'x' of shape \[2\] needs 16 bytes, and has 8"),
    "a shape of nothing": (signed({"x": entry(shape=(0, 3))}, bytes(8)), r"'x' of shape \[0, 3\] needs 0 bytes"),
    "an overlap": (signed({"x": X, "y": entry(4, 12)}, bytes(12)), "the bytes of 'y' overlap those of 'x'"),
    "two in one place": (signed({"x": X, "y": X}, bytes(8)), "the bytes of 'y' overlap those of 'x'"),
    "a gap": (signed({"x": X, "y": entry(16, 24)}, bytes(24)), "gap between the bytes of 'x' and those of 'y'"),
    "a gap at first": (signed({"y": Y}, bytes(16)), "gap between the bytes of the header and those of 'y'"),
    "trailing bytes": (signed({"x": X, "y": Y}, bytes(17)), "is damaged: 1 bytes follow its last array"),
    "missing bytes": (signed({"x": X, "y": Y}, bytes(15)), "its arrays have 16 bytes, of which 15 are there"),
    "another checksum": (signed(named("x")).replace(b'"F64"', b'"I64"') + bytes(8), "it does not have the SHA-256"),
}


@pytest.mark.parametrize(("contents", "message"), WRONG.values(), ids=WRONG)
def test_a_file_that_is_wrong_is_refused_by_name_and_cause(path, contents, message):
    path.write_bytes(contents)
    with pytest.raises(ValueError, match=message) as error:
        read_arrays(path)
    assert str(error.value).startswith(f"{path} ")
    assert len(str(error.value)) <= len(str(path)) + 1 + LONGEST_REASON


def test_a_file_made_by_hand_is_read_if_all_is_right(path):
    path.write_bytes(signed({"y": Y, "x": X}, struct.pack("<2d", 1.0, 2.0)))  # in another order than the numbers
    arrays, metadata = read_arrays(path)
    assert {name: array.tolist() for name, array in arrays.items()} == {"y": [2.0], "x": [1.0]}
    assert list(arrays) == ["y", "x"]
    assert metadata == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 2**65) | st.floats() | st.sampled_from(["F64", "I64", "x", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(X)), inner, max_size=3),
    max_leaves=6,
)
OFFSETS = st.lists(st.sampled_from([0, 8, 16, 4, 24]), min_size=2, max_size=2) | JSON
SHAPES = st.lists(st.sampled_from([0, 1, 2, 3, 2**62]), max_size=3) | JSON
ENTRIES = st.fixed_dictionaries(
    {"dtype": st.sampled_from([*"xF", "F64", "F32"]) | JSON, "shape": SHAPES, "data_offsets": OFFSETS}
)


HEADERS = {"header": st.dictionaries(st.sampled_from("xyz"), ENTRIES | JSON), "size": st.sampled_from([0, 8, 16, 24])}


@settings(max_examples=60, deadline=None)
@given(**HEADERS)
def test_any_header_is_read_or_refused_and_nothing_else(tmp_path_factory, header, size):
    check_header(tmp_path_factory, header, size)


@pytest.mark.long
@settings(max_examples=300, deadline=None)
@given(**HEADERS)
def test_many_headers_are_read_or_refused_and_nothing_else(tmp_path_factory, header, size):
    check_header(tmp_path_factory, header, size)


def check_header(tmp_path_factory, header, size):
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    path.unlink(missing_ok=True)
    path.write_bytes(signed(header, bytes(size)))
    if reason := refusal(path):
        assert reason.startswith(f"{path} ")
    else:
        assert sum(array.nbytes for array in read_arrays(path)[0].values()) == size
