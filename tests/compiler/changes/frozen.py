"""What no guard can see. The documentation lists these kinds."""

import decimal
import io

import numpy as np

from tests.compiler.changes.cases import frozen


@frozen
def the_position_of_a_stream():
    """State of C code that has no attribute in Python."""
    stream = io.BytesIO(b"abcdef")
    stream.seek(2)
    yield lambda x: x * stream.tell()
    stream.seek(3)


@frozen
def the_precision_of_decimals():
    """The same, of the thread."""
    with decimal.localcontext() as context:
        context.prec = 1
        yield lambda x: x * float(decimal.Decimal(2) / decimal.Decimal(3))
        context.prec = 3
        yield


@frozen
def the_content_of_a_file(folder):
    path = folder / "scale.txt"
    path.write_text("2.0", encoding="utf-8")
    yield lambda x: x * float(path.read_text(encoding="utf-8"))
    path.write_text("3.0", encoding="utf-8")


@frozen
def an_item_of_a_large_array():
    scales = np.full(2**15 + 1, 2.0)
    yield lambda x: x * float(scales[0])
    scales[0] = 3.0


KINDS = {  # as the documentation lists them: the cases, and whether tracing again, as a net, would find the change
    "state of C code": ({"the_position_of_a_stream", "the_precision_of_decimals"}, True),
    "the content of a file": ({"the_content_of_a_file"}, True),
    "an array above 256 KiB": ({"an_item_of_a_large_array"}, True),
    "type(t) is float": (set(), False),  # the tests of this one and the next are in test_losses_of_users.py
    "isinstance(x, Value) of a sample's number": (set(), False),
}
