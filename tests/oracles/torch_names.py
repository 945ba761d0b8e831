"""The networks of scalargrad/names.py in PyTorch, with the same names of their arrays, and the same loss."""

import torch

from scalargrad.datasets.names import ALPHABET, END, STEPS


class LSTMNames(torch.nn.Module):
    def __init__(self, embedding_dim: int = 16, hidden_size: int = 32, steps: int = STEPS) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(len(ALPHABET), embedding_dim)
        self.lstm = torch.nn.LSTM(embedding_dim, hidden_size, batch_first=True)
        self.head = torch.nn.Linear(hidden_size, len(ALPHABET))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        outputs, _ = self.lstm(self.embedding(tokens))
        return self.head(outputs)


class AttentionNames(torch.nn.Module):
    def __init__(self, d_model: int = 32, nhead: int = 4, dim_feedforward: int = 64, steps: int = STEPS) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(len(ALPHABET), d_model)
        self.position = torch.nn.Parameter(torch.zeros(steps, d_model))
        self.block = torch.nn.TransformerEncoderLayer(
            d_model, nhead, dim_feedforward, dropout=0.0, norm_first=True, batch_first=True
        )
        self.norm = torch.nn.LayerNorm(d_model)
        self.head = torch.nn.Linear(d_model, len(ALPHABET))
        self.register_buffer("mask", torch.triu(torch.ones(steps, steps, dtype=torch.bool), 1), persistent=False)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        steps = self.embedding(tokens) + self.position
        return self.head(self.norm(self.block(steps, src_mask=self.mask)))


PEERS = {"LSTMNames": LSTMNames, "AttentionNames": AttentionNames}


def name_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The mean over names of -log of their probability; targets after the end of a name do not count."""
    losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), targets, reduction="none")
    ended = (targets == END).cumsum(dim=1) - (targets == END).long()  # how many ends come before
    return (losses * (ended == 0)).sum(dim=1).mean()
