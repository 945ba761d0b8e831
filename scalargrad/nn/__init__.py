"""Networks of Values: Parameter and Module, and the dense layers built from them."""

from scalargrad.nn.dense import MLP, Layer, Neuron
from scalargrad.nn.module import Buffer, Module, Parameter

__all__ = ["MLP", "Buffer", "Layer", "Module", "Neuron", "Parameter"]
