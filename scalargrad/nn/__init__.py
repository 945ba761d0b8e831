"""Networks of Values: Parameter and Module, and the layers built from them. Most layers are loaded when first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from scalargrad.forks import whole
from scalargrad.nn.dense import MLP, Layer, Neuron
from scalargrad.nn.module import Buffer, Module, Parameter

if TYPE_CHECKING:
    from scalargrad.nn.attention import CausalSelfAttention, TransformerBlock
    from scalargrad.nn.containers import Flatten, Sequential
    from scalargrad.nn.convolution import AvgPool2d, Conv2d, GlobalAvgPool, MaxPool2d
    from scalargrad.nn.dropout import Dropout
    from scalargrad.nn.embedding import Embedding
    from scalargrad.nn.functions import log_softmax, softmax
    from scalargrad.nn.normalisation import BatchNorm1d, BatchNorm2d, LayerNorm, Normalize
    from scalargrad.nn.recurrent import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell

# Names by the file that they are in.
LATER = {
    "attention": ["CausalSelfAttention", "TransformerBlock"],
    "containers": ["Flatten", "Sequential"],
    "convolution": ["AvgPool2d", "Conv2d", "GlobalAvgPool", "MaxPool2d"],
    "dropout": ["Dropout"],
    "embedding": ["Embedding"],
    "functions": ["log_softmax", "softmax"],
    "normalisation": ["BatchNorm1d", "BatchNorm2d", "LayerNorm", "Normalize"],
    "recurrent": ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNCell"],
}
FILES = {name: file for file, names in LATER.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in FILES:
        raise AttributeError(f"module 'scalargrad.nn' has no attribute {name!r}")
    with whole:
        return getattr(import_module(f"scalargrad.nn.{FILES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *FILES})


__all__ = [
    "MLP",
    "Buffer",
    "Layer",
    "Module",
    "Neuron",
    "Parameter",
    "CausalSelfAttention",
    "TransformerBlock",
    "Flatten",
    "Sequential",
    "AvgPool2d",
    "Conv2d",
    "GlobalAvgPool",
    "MaxPool2d",
    "Dropout",
    "Embedding",
    "log_softmax",
    "softmax",
    "BatchNorm1d",
    "BatchNorm2d",
    "LayerNorm",
    "Normalize",
    "GRU",
    "LSTM",
    "RNN",
    "GRUCell",
    "LSTMCell",
    "RNNCell",
]
