"""Networks of Values: Parameter and Module, and the dense layers built from them."""

from scalargrad.nn.dense import MLP, Layer, Neuron
from scalargrad.nn.module import Module, Parameter

__all__ = ["MLP", "Layer", "Module", "Neuron", "Parameter"]
