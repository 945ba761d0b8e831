"""Module: a structure of parameters with the verbs of training, which saves and describes itself."""

from typing import TYPE_CHECKING

from scalargrad.holders import BARE
from scalargrad.structure import Buffer, Parameter, in_mode
from scalargrad.training.verbs import Verbs

if TYPE_CHECKING:
    from os import PathLike

    from scalargrad.nn.summary import Summary

__all__ = ["Buffer", "Module", "Parameter", "in_mode"]


class Module(Verbs):
    """The base of Neuron, Layer and MLP, and of networks of your own.

    `parameters()` finds each Parameter that is an attribute, and those in modules, lists, tuples, deques, dictionaries
    and NumPy's arrays of objects that are attributes, and in such that are in these. Attributes may be the object's, in
    its `__dict__` or in slots, or its class's: all objects share these, copies too, as pickles do not hold them. A
    parameter that is set as an attribute, or in one, gets its name as its label: attributes, positions and keys with
    dots between them, `blocks.0.W.1.2`.

    In a set, or behind an object that is none of these, it would be lost to training and to files: a TypeError of
    `parameters()`, unless it is found in another way, too. A function may hold what is not to be trained: nobody looks
    into it.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope, self.offset = Parameter(2.0), Parameter(1.0)
    ...     def __call__(self, x):
    ...         return self.slope * x + self.offset
    >>> line = Line()
    >>> line(3.0).data, [name for name, _ in line.named_parameters()]
    (7.0, ['slope', 'offset'])
    """

    __slots__ = ()

    def save(self, path: "str | PathLike[str]") -> None:
        """Write the arrays of `state_dict` and the architecture to a safetensors file: `scalargrad.load` reads it."""
        from scalargrad.files.models import save

        save(self, path)

    def summary(self, sample: object = None) -> "Summary":
        """A table of its layers: shapes, parameters, multiply-adds for one sample."""
        from scalargrad.nn.summary import summary

        return summary(self, sample)


BARE.add(Module)
