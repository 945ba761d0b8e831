"""Samples as nested tuples: an image is [channels][rows][columns]. Their shapes, and what is done to each number."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

from scalargrad.checks import listed
from scalargrad.operands import is_recorded
from scalargrad.support.words import plural

Sample = Any  # numbers and Values in lists, tuples or arrays, in each other or not; or one number: layers check it


def shape_of(nested: Sample) -> tuple[int, ...]:
    """(2, 3) for two lists of three numbers, () for a number. ValueError where lists differ in length.

    >>> shape_of([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    (2, 3)
    """
    if not is_nested(nested):
        return ()
    if not len(nested) or (len(set(map(type, nested))) == 1 and not is_nested(next(iter(nested)))):
        return (len(nested),)
    shapes = {shape_of(item) for item in nested}
    if len(shapes) > 1:
        raise ValueError(f"the lists of a sample differ in length: {' and '.join(map(shown, sorted(shapes)))}")
    return (len(nested), *shapes.pop())


def is_nested(x: Sample) -> bool:
    """Is `x` a list of some kind? A TypeError for what has no order, or walks over its labels."""
    if type(x) is tuple or type(x) is list or type(x) is float:
        return type(x) is not float
    if is_recorded(x) or not hasattr(x, "__len__") or isinstance(x, str | bytes) or getattr(x, "shape", None) == ():
        return False
    return listed(x, "a layer", "numbers in (nested) lists") is x


def numbers_in(nested: Sample) -> Iterator[Any]:
    """The numbers of nested lists, in a row.

    >>> tuple(numbers_in([[1.0, 2.0], [3.0, 4.0]]))
    (1.0, 2.0, 3.0, 4.0)
    """
    if not is_nested(nested):
        return iter((nested,))
    if not len(nested) or not is_nested(next(iter(nested))):
        return iter(nested)
    return chain.from_iterable(map(numbers_in, nested))


def on_each_number(function: Callable[[Any], Any], nested: Sample) -> Any:
    """The same nesting, in tuples, of what a function makes of each number.

    >>> on_each_number(abs, [[1.0, -2.0], [-3.0, 4.0]])
    ((1.0, 2.0), (3.0, 4.0))
    """
    if not is_nested(nested):
        return function(nested)
    if len(set(map(type, nested))) == 1 and not is_nested(next(iter(nested))):
        return tuple([function(number) for number in nested])
    return tuple([on_each_number(function, item) for item in nested])


def like(nested: Sample, numbers: Iterable[Any]) -> Any:
    """Numbers that stand in a row, nested as another sample is: the inverse of `numbers_in`.

    >>> like([[0.0, 0.0], [0.0, 0.0]], [1.0, 2.0, 3.0, 4.0])
    ((1.0, 2.0), (3.0, 4.0))
    """
    rest = iter(numbers)
    return on_each_number(lambda _: next(rest), nested)


def check_image(image: Sample, layer: object, channels: int | None = None) -> tuple[int, int, int]:
    """The shape of an image: channels, rows, columns. ValueError, if it is none, or has other channels.

    >>> check_image([[[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]], "Conv2d(16, 32, 3)", channels=16)
    Traceback (most recent call last):
    ValueError: this Conv2d(16, 32, 3) takes an image of 16 channels, got [1, 2, 3]
    """
    wanted = "[channels, rows, columns]" if channels is None else f"[{channels}, rows, columns]"
    shape = checked_shape(image, layer, wanted)
    if len(shape) != 3:
        raise ValueError(
            f"this {layer} takes an image {wanted}, got {shown(shape)}: shape an array of images [n, channels, rows, "
            "columns]"
        )
    if channels is not None and shape[0] != channels:
        raise ValueError(f"this {layer} takes an image of {plural(channels, 'channel')}, got {shown(shape)}")
    return shape  # type: ignore[return-value]


def checked_shape(sample: Sample, layer: object, wanted: str) -> tuple[int, ...]:
    """The shape of a sample, or an error that says which layer wanted what."""
    try:
        shape = shape_of(sample)
    except (TypeError, ValueError) as error:
        raise type(error)(f"this {layer} takes {wanted}, but {error}") from None
    if 0 in shape:
        raise ValueError(f"this {layer} takes {wanted}, got {shown(shape)}, which holds no numbers")
    return shape


def shown(shape: tuple[int, ...]) -> str:
    """A shape for an error: [2, 3], or "a number"."""
    return str(list(shape)) if shape else "a number"
