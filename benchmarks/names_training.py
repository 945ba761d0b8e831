"""Names letter by letter: an LSTM and an attention network, beside PyTorch's of the same weights.

    pip install torch==2.13.0
    python -m benchmarks.names_training > benchmarks/results/names_training.txt

A grammar (scalargrad/datasets/names.py) makes up the names and knows how probable each one is: its own loss on names
that no network has seen is what a network could reach at best. Loss is -log of the probability of a whole name, its end
included. First come 50 steps in float64 from the same weights on the same batches, then the time of an epoch of whole
batches, where the sides take turns, and then the training, in float32. One core; a few minutes. Loss curves are drawn
to results/names_training.png. The peers are those of the tests (tests/oracles/torch_names.py). Progress goes to
standard error.
"""

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from numpy import ndarray

from scalargrad import Adam, AdamW
from scalargrad.compiler import compile
from scalargrad.datasets.names import ALPHABET, encode, generate_names, probability, surprise
from scalargrad.demos.networks import AttentionNames, LSTMNames, name_loss, sample_names
from scalargrad.nn import Module
from scalargrad.plots import plot_comparison
from scalargrad.training import History
from tests.oracles import torch_names

PICTURE = Path(__file__).parent / "results" / "names_training.png"
NAMES, HELD_OUT, BATCH, STEPS, EPOCHS, RATE = 5000, 1000, 64, 50, 30, 0.01
MODELS: dict[str, Callable[..., Module]] = {"LSTM": LSTMNames, "attention": AttentionNames}
SHOWN, SAMPLED = 12, 1000


class Data(NamedTuple):
    """The names to train on, and those that no network sees before it is measured on them."""

    training: list[str]
    held_out: list[str]

    def batches(self, dtype: str = "float64") -> tuple[ndarray, ndarray]:
        """Inputs and targets of as many names as fill whole batches."""
        inputs, targets = encode(self.training[: len(self.training) // BATCH * BATCH])
        return inputs.astype(dtype), targets.astype(dtype)


def peer_of(model: Module, dtype: str) -> torch.nn.Module:
    """PyTorch's network with the weights of ours."""
    peer = torch_names.PEERS[type(model).__name__]().to(getattr(torch, dtype))
    peer.load_state_dict({name: torch.tensor(array) for name, array in model.state_dict().items()})
    return peer


# The same steps.


def largest_difference(model: Module, data: Data) -> float:
    """Between our loss and PyTorch's, over 50 steps from the same weights."""
    inputs, targets = data.batches()
    peer = peer_of(model, "float64")
    optimizer = torch.optim.Adam(peer.parameters(), lr=RATE)
    trainer = compile(lambda x, y: name_loss(model(x), y), threads=1).trainer(Adam(lr=RATE))
    differences = []
    for step in range(STEPS):
        rows = slice(step * BATCH, (step + 1) * BATCH)
        ours = trainer.step(inputs[rows], targets[rows])
        optimizer.zero_grad()
        loss = torch_names.name_loss(peer(torch.tensor(inputs[rows]).long()), torch.tensor(targets[rows]).long())
        loss.backward()
        optimizer.step()
        differences.append(abs(ours - loss.item()))
    return max(differences)


# The time of an epoch.


def our_epoch(model: Module, data: Data, dtype: str) -> tuple[Callable[[], Any], str]:
    """What does an epoch, and how it was prepared."""
    inputs, targets = data.batches(dtype)
    program = compile(lambda x, y: name_loss(model(x), y), dtype=dtype, threads=1)
    trainer = program.trainer(Adam(lr=RATE), batch_size=BATCH)
    trainer.prepare(inputs, targets)
    seconds, version = program.seconds, program.last
    assert version is not None
    prepared = (
        f"{version.backward.scalars:,} scalars of a sample in {len(version.backward.instructions)} instructions with "
        f"their gradients; tracing {seconds['tracing']:.2f} s, compiling {seconds['compiling']:.2f} s"
    )
    return lambda: trainer.run(inputs, targets, epochs=1, progress=False), prepared


def peer_epoch(model: Module, data: Data, dtype: str, fused: bool) -> Callable[[], Any]:
    inputs, targets = (torch.tensor(array).long() for array in data.batches())
    peer = peer_of(model, dtype)
    optimizer = torch.optim.Adam(peer.parameters(), lr=RATE, fused=fused)

    def epoch() -> None:
        for chosen in torch.randperm(len(inputs)).split(BATCH):
            optimizer.zero_grad()
            torch_names.name_loss(peer(inputs[chosen]), targets[chosen]).backward()
            optimizer.step()

    return epoch


def compare(name: str, data: Data, dtype: str, turns: int) -> None:
    make = MODELS[name]
    ours, prepared = our_epoch(make(rng=0), data, dtype)
    print(f"  {dtype}: {prepared}")
    sides = {
        "scalargrad, trainer.run": ours,
        "PyTorch, eager": peer_epoch(make(rng=0), data, dtype, fused=False),
        "PyTorch, eager, fused Adam": peer_epoch(make(rng=0), data, dtype, fused=True),
    }
    found: dict[str, list[float]] = {side: [] for side in sides}
    for turn in range(turns + 1):
        for side, epoch in sides.items():
            print(f"\r{name}, {dtype}: turn {turn} of {turns} {side:40}", end="", file=sys.stderr, flush=True)
            begin = time.perf_counter()
            epoch()
            if turn:  # the first one warms up
                found[side].append(time.perf_counter() - begin)
    print(file=sys.stderr)
    own = statistics.median(found["scalargrad, trainer.run"])
    print(f"    {'':32} {'s an epoch':>10} {'best':>7} {'/ ours':>7}")
    for side, seconds in found.items():
        median = statistics.median(seconds)
        print(f"    {side:32} {median:10.3f} {min(seconds):7.3f} {median / own:7.2f}", flush=True)


# Training.


def train(name: str, data: Data) -> History:
    model = MODELS[name](rng=0)
    before = sample_names(model, SHOWN)
    (inputs, targets), validation = encode(data.training), encode(data.held_out)
    history = model.fit(
        inputs.astype("float32"),
        targets,
        loss=name_loss,
        optimizer=AdamW(lr=RATE, weight_decay=0.01),
        schedule="one_cycle",
        batch_size=BATCH,
        epochs=EPOCHS,
        validation=(validation[0].astype("float32"), validation[1]),
    )
    made = sample_names(model, SAMPLED)
    known = set(data.training)
    print(f"  {EPOCHS} epochs of fit, one_cycle: {history.seconds:.1f} s, before them ", end="")
    print(f"tracing {history.preparation['tracing']:.1f} s, compiling {history.preparation['compiling']:.1f} s")
    print(f"  loss {history['loss'][-1]:.3f} (the grammar's own {surprise(data.training):.3f})", end="")
    print(f"; on names that were held out {history['val_loss'][-1]:.3f} ({surprise(data.held_out):.3f})")
    print(f"  names before: {', '.join(before)}")
    print(f"  names after: {', '.join(made[:SHOWN])}")
    accepted = sum(probability(one) > 0.0 for one in made)
    print(f"  of {SAMPLED:,} sampled names the grammar accepts {accepted / SAMPLED:.1%}", end="")
    print(f"; {len(set(made)):,} are different, {sum(one in known for one in made) / SAMPLED:.1%} are training names")
    return history


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--picture", type=Path, default=PICTURE)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])  # one core, as is said
    torch.set_num_threads(1)

    names = generate_names(NAMES)
    data = Data(names[HELD_OUT:], names[:HELD_OUT])
    print(
        f"names of up to {max(map(len, names))} letters, {len(ALPHABET)} tokens, batches of {BATCH}, Adam, one core, ",
        end="",
    )
    print(f"Python {platform.python_version()}, PyTorch {torch.__version__.partition('+')[0]}")
    print(f"{len(data.training):,} to train on ({len(set(data.training)):,} different), {HELD_OUT:,} held out", end="")
    print(f", such as {', '.join(names[:SHOWN])}")

    differences: dict[str, float] = {}
    histories: dict[str, Any] = {}
    for name in options.models:
        print(f"\n{MODELS[name](rng=0)!r}")
        differences[name] = largest_difference(MODELS[name](rng=0), data)
        print(f"  {STEPS} steps from the same weights: the loss is PyTorch's up to {differences[name]:.1e}", flush=True)
        for dtype in ("float32", "float64"):
            compare(name, data, dtype, options.turns)
        histories[name] = train(name, data)

    print("\ngoal: the loss is PyTorch's to 1e-8")
    for name, difference in differences.items():
        print(f"  {'met   ' if difference <= 1e-8 else 'MISSED'} {name}: {difference:.1e}")
    best = {"loss": [surprise(data.training)] * EPOCHS, "val_loss": [surprise(data.held_out)] * EPOCHS}
    curves = {**histories, "the grammar itself": best}
    figure = plot_comparison(curves, ["loss", "val_loss"], "-log of the probability of a name, by epoch")
    for axes in figure.axes:  # a closer look at what comes after the first epochs, which begin above 20
        axes.set_yscale("linear")
        axes.set_ylim(9.75, 13.0)
    figure.savefig(options.picture, dpi=110)


if __name__ == "__main__":
    main()
