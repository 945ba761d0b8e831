"""Networks of Values: Parameter and Module, and the layers built from them. Most layers are loaded when first used."""

import sys
from typing import TYPE_CHECKING

from scalargrad.support.doors import door

if TYPE_CHECKING:  # the same names once more, for editors and type checkers: a test compares
    from scalargrad.nn.attention import CausalSelfAttention as CausalSelfAttention
    from scalargrad.nn.attention import TransformerBlock as TransformerBlock
    from scalargrad.nn.containers import Flatten as Flatten
    from scalargrad.nn.containers import Sequential as Sequential
    from scalargrad.nn.convolution import AvgPool2d as AvgPool2d
    from scalargrad.nn.convolution import Conv2d as Conv2d
    from scalargrad.nn.convolution import GlobalAvgPool as GlobalAvgPool
    from scalargrad.nn.convolution import MaxPool2d as MaxPool2d
    from scalargrad.nn.dense import MLP as MLP
    from scalargrad.nn.dense import Layer as Layer
    from scalargrad.nn.dense import Neuron as Neuron
    from scalargrad.nn.dropout import Dropout as Dropout
    from scalargrad.nn.embedding import Embedding as Embedding
    from scalargrad.nn.functions import log_softmax as log_softmax
    from scalargrad.nn.functions import softmax as softmax
    from scalargrad.nn.module import Buffer as Buffer
    from scalargrad.nn.module import Module as Module
    from scalargrad.nn.module import Parameter as Parameter
    from scalargrad.nn.normalisation import BatchNorm1d as BatchNorm1d
    from scalargrad.nn.normalisation import BatchNorm2d as BatchNorm2d
    from scalargrad.nn.normalisation import LayerNorm as LayerNorm
    from scalargrad.nn.normalisation import Normalize as Normalize
    from scalargrad.nn.recurrent import GRU as GRU
    from scalargrad.nn.recurrent import LSTM as LSTM
    from scalargrad.nn.recurrent import RNN as RNN
    from scalargrad.nn.recurrent import GRUCell as GRUCell
    from scalargrad.nn.recurrent import LSTMCell as LSTMCell
    from scalargrad.nn.recurrent import RNNCell as RNNCell

# The public names, by the file that they are in.
NAMES = {
    "module": ["Buffer", "Module", "Parameter"],
    "dense": ["MLP", "Layer", "Neuron"],
    "attention": ["CausalSelfAttention", "TransformerBlock"],
    "containers": ["Flatten", "Sequential"],
    "convolution": ["AvgPool2d", "Conv2d", "GlobalAvgPool", "MaxPool2d"],
    "dropout": ["Dropout"],
    "embedding": ["Embedding"],
    "functions": ["log_softmax", "softmax"],
    "normalisation": ["BatchNorm1d", "BatchNorm2d", "LayerNorm", "Normalize"],
    "recurrent": ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNCell"],
}

__getattr__, __dir__, __all__ = door(sys.modules[__name__], NAMES, at_once=["dense", "module"])
