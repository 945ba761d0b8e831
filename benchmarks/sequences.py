"""Sequences of different lengths: a program a length, or padding with `where`? What they take to prepare, and an epoch.

    python benchmarks/sequences.py [--rows 512]

A GRU of 8 inputs and 16 hidden numbers and a head, 1,265 parameters, read 512 sequences in batches of 16, with Adam in
float64 on the native backend. "padded" are all sequences to the longest, "to multiples of 4" to the next one: steps
beyond the length are computed, and left out by `where`. Each way trains in a process of its own; an epoch is the least
of ten. One length takes no padding: there both ways differ by the `where` alone.
"""

import argparse
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

SPREADS = {"10": (10, 10), "8 to 12": (8, 12), "4 to 17": (4, 17), "2 to 41": (2, 41)}
WAYS = ("a program a length", "padded", "to multiples of 4")
INPUTS, HIDDEN, BATCH, EPOCHS = 8, 16, 16, 10


def measured(spread: str, way: str, rows: int) -> dict[str, float]:
    import numpy as np

    from scalargrad import MLP, Adam, Module, less, where
    from scalargrad.nn import GRUCell

    class Reader(Module):
        def __init__(self, padded: bool) -> None:
            self.cell, self.head = GRUCell(INPUTS, HIDDEN, rng=0), MLP(HIDDEN, [1], rng=1)
            self.padded = padded

        def __call__(self, sample: Any) -> Any:
            steps, hidden = sample, None
            if self.padded:
                (length, *_), *steps = sample
            for place, x in enumerate(steps):
                after = self.cell(x, hidden)
                if self.padded and hidden is not None:
                    is_there = less(float(place), length)
                    after = [where(is_there, new, old) for new, old in zip(after, hidden, strict=True)]
                hidden = after
            return self.head(hidden)

    low, high = SPREADS[spread]
    source = np.random.default_rng(0)
    lengths = source.integers(low, high + 1, size=rows)
    X: Any = [source.normal(size=(length, INPUTS)) for length in lengths]
    y = np.array([x[:, 0].sum() for x in X])
    if way != "a program a length":
        room = np.full(rows, high) if way == "padded" else -(-lengths // 4) * 4
        rows_of_zeros = [np.zeros((1 + size, INPUTS)) for size in room]
        for sample, x in zip(rows_of_zeros, X, strict=True):
            sample[0, 0], sample[1 : 1 + len(x)] = len(x), x
        X = rows_of_zeros
    model = Reader(way != "a program a length")
    epochs: list[float] = []

    def clock(run: Any) -> None:
        epochs.append(perf_counter())

    history = model.fit(X, y, "mse", Adam(0.01), EPOCHS + 1, BATCH, callbacks=[clock], progress=False)
    seconds = min(after - before for before, after in pairwise(epochs))
    return {"prepare": sum(history.preparation.values()), "epoch": seconds, "loss": history["loss"][-1]}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=512)
    parser.add_argument("--one", nargs=2)
    options = parser.parse_args()
    if options.one:
        found = measured(*options.one, options.rows)
        print(*found.values())
        return
    print(f"{'lengths':>10} {'way':>20} {'prepare, s':>11} {'epoch, ms':>10} {'loss':>8}")
    for spread in SPREADS:
        for way in WAYS if spread != "10" else WAYS[:2]:
            command = [sys.executable, __file__, "--rows", str(options.rows), "--one", spread, way]
            text = subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout
            prepare, epoch, loss = map(float, text.split())
            print(f"{spread:>10} {way:>20} {prepare:>11.2f} {1e3 * epoch:>10.1f} {loss:>8.4f}", flush=True)


if __name__ == "__main__":
    main()
