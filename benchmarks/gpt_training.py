"""A GPT of 4,192 parameters, written in scalars: training it, beside PyTorch and JAX written by hand for whole batches.

    pip install torch==2.13.0 jax
    python -m benchmarks.gpt_training > benchmarks/results/gpt_training.txt

The model is scalargrad/demos/gpt.py: width 16, four heads, 27 tokens; Adam. First in batches of 32 texts of 7 tokens,
whole epochs inside each library (`trainer.run`, a scan over the steps; PyTorch step by step), and then text by text,
1,000 of 3 to 16 tokens in their own order, each at its own length, when all is compiled. Every side computes from the
same weights on the same texts in the same order, in float32. The losses of an epoch in float64 must be PyTorch's to
1e-9 of their size, and those of each side's first 10 steps ours to 1e-4, or the script stops; later a relu near 0
opens in one of them and not in another. The sides take turns on one core; medians. PyTorch's is that of the tests
(tests/oracles/torch_gpt.py), with its own fused attention; of JAX there are two, with an einsum and with JAX's own
attention. Progress goes to standard error; a few minutes.
"""

import argparse
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

# Before any library counts the cores.
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])

import jax
import jax.numpy as jnp
import numpy
import torch
from numpy import ndarray

from scalargrad import Adam
from scalargrad.arrays import shuffled
from scalargrad.compiler import compile
from scalargrad.datasets.names import ALPHABET, generate_names
from scalargrad.datasets.texts import encode
from scalargrad.demos.gpt import END, GPT
from scalargrad.support.words import plural
from tests.oracles import torch_gpt

TEXTS, BATCH, TOKENS, RATE = 62 * 32, 32, 7, 0.01
ALONE, SHORTEST, LONGEST = 1000, 3, 16
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
CHECKED, TOLERANCE = 10, 1e-4  # steps in float32
TOLERANCE_DOUBLE = 1e-9
Epoch = Callable[[], Sequence[float]]  # the losses of its steps; ours gives their mean only


def written(lengths: Sequence[int]) -> list[ndarray]:
    """Texts of so many tokens to say, end included, cut out of names one after another: [1, 1 + tokens] each."""
    letters = "".join(generate_names(sum(lengths) // 4))
    texts, place = [], 0
    for length in lengths:
        texts.append(encode([letters[place : place + length - 1]], "\n" + ALPHABET[1:], LONGEST).astype("float32"))
        place += length - 1
    return texts


def new_model() -> GPT:
    return GPT(len(ALPHABET), LONGEST)


# In batches: an epoch is the texts in the order of trainer.run.


def our_batches(rows: ndarray) -> tuple[Epoch, str]:
    model = new_model()
    program = compile(model.loss, dtype="float32", threads=1)
    trainer = program.trainer(Adam(RATE), batch_size=BATCH, parameters=model.parameters())
    trainer.prepare(rows)
    seconds, version = program.seconds, program.last
    assert version is not None
    note = (
        f"{version.backward.scalars:,} scalars of a text in {len(version.backward.instructions)} instructions with "
        f"their gradients; tracing {seconds['tracing']:.2f} s, compiling {seconds['compiling']:.2f} s"
    )
    return lambda: trainer.run(rows, epochs=1, progress=False)["loss"], note


def torch_side(fused: bool, dtype: str) -> Callable[[torch.Tensor], torch.Tensor]:
    model = torch_gpt.GPT(new_model().state_dict(), dtype=getattr(torch, dtype))
    optimizer = torch.optim.Adam(model.parameters(), RATE, (BETA1, BETA2), EPSILON, fused=fused)

    def step(rows: torch.Tensor) -> torch.Tensor:
        optimizer.zero_grad()
        loss = model.loss(rows)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def torch_batches(rows: ndarray, fused: bool, dtype: str = "float32") -> Epoch:
    step = torch_side(fused, dtype)
    tokens, epochs = torch.tensor(rows).long(), Counter()

    def epoch() -> Sequence[float]:
        order = torch.from_numpy(shuffled(len(rows), 0, epochs.next()))
        return [loss.item() for loss in [step(tokens[chosen]) for chosen in order.split(BATCH)]]

    return epoch


def jax_step(own_attention: bool) -> tuple[Any, Callable]:
    """The first state, and (state, rows) -> (state, loss)."""

    def normalised(x: Any) -> Any:
        return x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-5)

    def scores(p: dict, tokens: Any) -> Any:
        texts, steps = tokens.shape
        x = p["tokens"][tokens] + p["places"][:steps]
        h = normalised(x)
        queries, keys, values = ((h @ p[name].T).reshape(texts, steps, 4, 4) for name in ("query", "key", "value"))
        if own_attention:
            found = jax.nn.dot_product_attention(queries, keys, values, is_causal=True)
        else:
            fit = jnp.einsum("bthd,bshd->bhts", queries, keys) / 2.0
            seen = jnp.tril(jnp.ones((steps, steps), bool))
            found = jnp.einsum("bhts,bshd->bthd", jax.nn.softmax(jnp.where(seen, fit, -jnp.inf)), values)
        x = x + found.reshape(texts, steps, 16) @ p["mix"].T
        x = x + jax.nn.relu(normalised(x) @ p["widen"].T) @ p["narrow"].T
        return normalised(x) @ p["score"].T

    def loss(p: dict, rows: Any) -> Any:
        shares = jax.nn.log_softmax(scores(p, rows[:, :-1]))
        losses = -jnp.take_along_axis(shares, rows[:, 1:, None], -1)[..., 0]
        counted = jnp.concatenate([jnp.ones_like(losses[:, :1]), rows[:, 1:-1] != END], axis=1)
        return ((losses * counted).sum(1) / counted.sum(1)).mean()

    def step(state: tuple, rows: Any) -> tuple[tuple, Any]:
        p, m, v, t = state
        number, slopes = jax.value_and_grad(loss)(p, rows)
        t = t + 1.0
        m = jax.tree.map(lambda m, g: BETA1 * m + (1.0 - BETA1) * g, m, slopes)
        v = jax.tree.map(lambda v, g: BETA2 * v + (1.0 - BETA2) * g * g, v, slopes)
        rate, scale = RATE / (1.0 - BETA1**t), 1.0 / (1.0 - BETA2**t)
        p = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v * scale) + EPSILON), p, m, v)
        return (p, m, v, t), number

    first = {name: jnp.asarray(array, "float32") for name, array in new_model().state_dict().items()}
    return (first, *(jax.tree.map(jnp.zeros_like, first) for _ in range(2)), jnp.float32(0.0)), step


def jax_batches(rows: ndarray, own_attention: bool) -> Epoch:
    state, step = jax_step(own_attention)
    tokens, epochs = jnp.asarray(rows, "int32"), Counter()

    @partial(jax.jit, donate_argnums=0)
    def scan(state: tuple, tokens: Any, order: Any) -> tuple[tuple, Any]:
        return jax.lax.scan(lambda state, chosen: step(state, tokens[chosen]), state, order)

    def epoch() -> Sequence[float]:
        nonlocal state
        order = shuffled(len(rows), 0, epochs.next()).reshape(-1, BATCH).astype("int32")
        state, losses = scan(state, tokens, order)
        return numpy.asarray(losses).tolist()

    return epoch


class Counter:
    """0, 1, 2 ...: the epochs so far."""

    def __init__(self) -> None:
        self.count = -1

    def next(self) -> int:
        self.count += 1
        return self.count


# One text after another.


def our_texts(texts: Sequence[ndarray], dtype: str = "float32") -> tuple[Epoch, str]:
    model = new_model()
    program = compile(model.loss, dtype=dtype, threads=1)
    trainer = program.trainer(Adam(RATE), parameters=model.parameters())
    texts = [text.astype(dtype) for text in texts]
    before = {name: array.copy() for name, array in model.state_dict().items()}
    lengths = {text.shape: text for text in texts}
    for text in lengths.values():
        trainer.step(text)
    # As if nothing had been trained yet, with all programs there.
    model.load_state_dict(before)
    trainer.optimizer = Adam(RATE)
    seconds = program.seconds
    note = f"{len(lengths)} programs; tracing {seconds['tracing']:.2f} s, compiling {seconds['compiling']:.2f} s"
    return lambda: [trainer.step(text) for text in texts], note


def torch_texts(texts: Sequence[ndarray]) -> Epoch:
    step = torch_side(fused=True, dtype="float32")
    tokens = [torch.tensor(text).long() for text in texts]
    return lambda: [step(text).item() for text in tokens]


def jax_texts(texts: Sequence[ndarray]) -> Epoch:
    state, step = jax_step(own_attention=False)
    compiled = jax.jit(step, donate_argnums=0)
    tokens = [jnp.asarray(text, "int32") for text in texts]
    for text in {text.shape: text for text in tokens}.values():
        compiled(jax.tree.map(jnp.copy, state), text)

    def epoch() -> Sequence[float]:
        nonlocal state
        losses = []
        for text in tokens:
            state, loss = compiled(state, text)
            losses.append(loss)
        return [float(loss) for loss in losses]

    return epoch


# The tables.


def compare(sides: dict[str, Epoch], wanted: Sequence[float], turns: int, unit: float) -> dict[str, float]:
    """Median seconds of an epoch. The first one is checked: its losses, or their mean, are those wanted."""
    found: dict[str, list[float]] = {side: [] for side in sides}
    for turn in range(turns + 1):
        for side, epoch in sides.items():
            print(f"\rturn {turn} of {turns} {side:40}", end="", file=sys.stderr, flush=True)
            begin = time.perf_counter()
            losses = epoch()
            if turn:  # the first one compiles
                found[side].append(time.perf_counter() - begin)
            elif len(losses) == 1:
                agree(side, losses, [statistics.fmean(wanted)], TOLERANCE)
            else:
                agree(side, losses[:CHECKED], wanted[:CHECKED], TOLERANCE)
    print(file=sys.stderr)
    medians = {side: statistics.median(seconds) for side, seconds in found.items()}
    own = next(iter(medians.values()))
    print(f"  {'':34} {'µs a text':>10} {'best':>8} {'/ ours':>8}")
    for side, median in medians.items():
        shown = f"{median * unit:10.2f} {min(found[side]) * unit:8.2f} {median / own:8.2f}"
        print(f"  {side:34} {shown}", flush=True)
    return medians


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=21, help="of the batches; the texts one at a time take a third")
    options = parser.parse_args()
    torch.set_num_threads(1)
    count = len(new_model().parameters())
    print(f"a GPT of {count:,} parameters, Adam, float32, one core, Python {platform.python_version()}, ", end="")
    print(f"PyTorch {torch.__version__.partition('+')[0]}, JAX {jax.__version__}")

    print(f"\n{TEXTS:,} texts of {TOKENS} tokens, in batches of {BATCH}, by the epoch")
    rows = numpy.concatenate(written([TOKENS] * TEXTS))
    agree(
        "trainer.step in float64", stepwise(rows, "float64"), torch_batches(rows, False, "float64")(), TOLERANCE_DOUBLE
    )
    ours, note = our_batches(rows)
    sides = {
        "scalargrad, trainer.run": ours,
        "PyTorch, eager": torch_batches(rows, fused=False),
        "PyTorch, eager, fused Adam": torch_batches(rows, fused=True),
        "JAX, a scan, einsum": jax_batches(rows, own_attention=False),
        "JAX, a scan, its own attention": jax_batches(rows, own_attention=True),
    }
    batched = compare(sides, stepwise(rows, "float32"), options.turns, 1e6 / TEXTS)
    print(f"  {note}")

    source = random.Random(0)
    texts = written([source.randint(SHORTEST, LONGEST) for _ in range(ALONE)])
    print(f"\n{ALONE:,} texts of {SHORTEST} to {LONGEST} tokens, one at a time, after compiling")
    wanted, (ours, note) = our_texts(texts)[0](), our_texts(texts)
    more_digits, _ = our_texts(texts, "float64")
    sides = {
        "scalargrad, trainer.step": ours,
        "the same in float64": more_digits,
        "PyTorch, eager, fused Adam": torch_texts(texts),
        "JAX, jit": jax_texts(texts),
    }
    alone = compare(sides, wanted, 1 + options.turns // 3, 1e6 / ALONE)
    print(f"  {note}")

    print("\ngoals")
    own, *rest = batched.items()
    for library, goal in (("PyTorch", 10.0), ("JAX", 1.5)):
        ratio = min(seconds for side, seconds in rest if side.startswith(library)) / own[1]
        print(
            f"  {'met   ' if ratio >= goal else 'MISSED'} {ratio:.2f} x faster than {library} in batches (goal: {goal})"
        )
    seconds = alone["scalargrad, trainer.step"]
    print(f"  {'met   ' if seconds <= 0.2 else 'MISSED'} {seconds:.2f} s for {ALONE:,} texts one at a time (goal: 0.2)")


def agree(side: str, losses: Sequence[float], wanted: Sequence[float], tolerance: float) -> None:
    """Stop, unless these losses are equal to so much of their size."""
    worst = max(abs(a - b) / abs(b) for a, b in zip(losses, wanted, strict=True))
    if not worst <= tolerance:
        sys.exit(f"{side}: the losses differ by {worst:.1e} of their size")
    print(f"  {side}: {plural(len(losses), 'loss', 'losses')} as wanted, to {worst:.0e} of their size")


def stepwise(rows: ndarray, dtype: str) -> list[float]:
    """Our losses of the steps of an epoch, one by one."""
    model, order = new_model(), shuffled(len(rows), 0, 0).reshape(-1, BATCH)
    trainer = compile(model.loss, dtype=dtype, threads=1).trainer(Adam(RATE), parameters=model.parameters())
    return [trainer.step(rows[chosen].astype(dtype)) for chosen in order]


if __name__ == "__main__":
    main()
