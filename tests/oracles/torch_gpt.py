"""The GPT of scalargrad/demos/gpt.py in PyTorch: whole batches at once, with the same names of its arrays."""

import torch
from torch.nn import functional

from scalargrad.demos.gpt import END


class GPT(torch.nn.Module):
    """It takes the weights of ours: `state_dict()`."""

    def __init__(self, arrays: dict, heads: int = 4, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        self.heads = heads
        for name, array in arrays.items():
            self.register_parameter(name, torch.nn.Parameter(torch.tensor(array, dtype=dtype)))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens [texts, steps] to scores [texts, steps, vocabulary]."""
        x = functional.embedding(tokens, self.tokens) + self.places[: tokens.shape[1]]
        x = x + self.look_back(normalised(x))
        x = x + functional.linear(functional.relu(functional.linear(normalised(x), self.widen)), self.narrow)
        return functional.linear(normalised(x), self.score)

    def look_back(self, x: torch.Tensor) -> torch.Tensor:
        def by_head(matrix: torch.Tensor) -> torch.Tensor:
            return functional.linear(x, matrix).unflatten(2, (self.heads, -1)).transpose(1, 2)

        queries, keys, values = map(by_head, (self.query, self.key, self.value))
        found = functional.scaled_dot_product_attention(queries, keys, values, is_causal=True)
        return functional.linear(found.transpose(1, 2).flatten(2), self.mix)

    def loss(self, rows: torch.Tensor) -> torch.Tensor:
        """Of texts [texts, 1 + steps], padded with END: the mean over texts of the mean over their own tokens."""
        scores, targets = self(rows[:, :-1]), rows[:, 1:]
        losses = functional.cross_entropy(scores.transpose(1, 2), targets, reduction="none")
        counted = torch.cat([torch.ones_like(losses[:, :1]), (rows[:, 1:-1] != END).to(losses.dtype)], dim=1)
        return ((losses * counted).sum(1) / counted.sum(1)).mean()


def normalised(x: torch.Tensor) -> torch.Tensor:
    return functional.rms_norm(x, x.shape[-1:], eps=1e-5)
