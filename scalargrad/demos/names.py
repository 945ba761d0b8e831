"""Names: a GPT in scalars learns them, and makes up more; any file with a short text a line will do."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from math import isfinite, log
from pathlib import Path
from statistics import fmean
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from scalargrad import plots
from scalargrad.datasets import names, texts
from scalargrad.demos.gpt import END, GPT, train
from scalargrad.demos.results import check, check_seed, write_summary
from scalargrad.observers import no_grad
from scalargrad.support.progress import progress_bar

if TYPE_CHECKING:
    from numpy import ndarray

FILES = {
    "loss.png": "loss by step",
    "attention.png": "how much each letter looks back at which",
    "names.txt": "what the network makes up",
    "summary.json": "settings, results, versions",
}
GRAMMAR_NAMES = 2000
TRIES = 10  # for each name: one without a letter is none, and a network may have learned only to end
LAST = 100  # steps, over which the loss at the end is a mean
BEGIN = "▸"  # in pictures: the token before the first letter
SPACE = "␣"


@dataclass(frozen=True)
class Settings:
    """All that a run depends on, beside the texts: one seed gives the first weights, the batches and what is made up.

    >>> Settings(steps=0)
    Traceback (most recent call last):
    ValueError: steps is at least 1, got 0
    """

    steps: int = 1000
    batch_size: int = 32
    lr: float = 0.02
    longest: int = 16
    names: int = 20
    temperature: float = 1.0
    seed: int = 0
    backend: str = "native"

    def __post_init__(self) -> None:
        for name, most in (("steps", 10**7), ("batch_size", 10**4), ("names", 10**4)):
            size = getattr(self, name)
            check(name, size, size >= 1, "at least 1")
            check(name, size, size <= most, f"at most {most:,}")
        check("lr", self.lr, 0.0 < self.lr <= 1000.0, "a number above 0, up to 1000")
        check("temperature", self.temperature, 0.01 <= self.temperature <= 100.0, "a number from 0.01 to 100")
        check("longest", self.longest, 2 <= self.longest <= 64, "a number of tokens from 2 to 64")
        check_seed(self.seed)
        if self.backend != Settings.backend:
            from scalargrad.compiler.backends import checked_backend  # behind it is NumPy, and help goes without

            checked_backend(self.backend)


class Data(NamedTuple):
    """Texts to learn, their letters, and the loss of one who knows how they were made; None, if nobody does."""

    texts: list[str]
    letters: str
    floor: float | None

    def tokens(self, longest: int) -> "ndarray":
        return texts.encode(self.texts, self.letters, longest)


@dataclass(frozen=True)
class Result:
    """A trained network, how that went, and what it makes up."""

    model: GPT
    losses: list[float]  # of each step, where it begins
    made_up: list[str]
    seconds: float  # of training alone
    preparation: float  # seconds of tracing and compiling, and of the first step

    @property
    def loss(self) -> float:
        return fmean(self.losses[-LAST:])


def data_from(path: Path | None) -> Data:
    """The texts of a file, or names that the grammar of scalargrad.datasets.names makes up."""
    if path:
        read = texts.read_texts(path)
        return Data(read, texts.letters_of(read), None)
    made = names.generate_names(GRAMMAR_NAMES)
    floor = fmean(-log(names.probability(name)) / (len(name) + 1) for name in made)
    return Data(made, texts.letters_of(names.ALPHABET[1:]), floor)


def new_model(settings: Settings, data: Data) -> GPT:
    return GPT(len(data.letters), settings.longest, rng=settings.seed)


def learn(settings: Settings, data: Data) -> Result:
    r"""Make the network, train it, and let it make up texts. FloatingPointError, where a loss is inf or nan.

    >>> result = learn(Settings(steps=2, names=3, backend="numpy"), Data(["ada", "eve"], "\nadev", None))
    >>> len(result.losses), len(result.made_up)
    (2, 3)
    """
    model, begin, first = new_model(settings, data), perf_counter(), 0.0
    losses: list[float] = []
    rows = batches(data.tokens(settings.longest), settings.batch_size, settings.steps, settings.seed)
    with progress_bar(settings.steps, "step") as show:
        for loss in train(model, rows, settings.steps, settings.lr, settings.backend):
            if not isfinite(loss):
                raise FloatingPointError(f"the loss is {loss} in step {len(losses) + 1}; a smaller lr helps")
            losses.append(loss)
            first = first or perf_counter()
            show(len(losses), {"loss": loss})
    seconds = perf_counter() - first
    source = random.Random(settings.seed)
    tries = range(settings.names * TRIES)
    written = (texts.decode(model.write(source, settings.temperature), data.letters) for _ in tries)
    made_up = list(islice(filter(None, map(str.strip, written)), settings.names))
    return Result(model, losses, made_up, seconds, first - begin)


def batches(rows: "ndarray", size: int, steps: int, seed: int) -> Iterator["ndarray"]:
    """So many rows for each step, in a new order each time that all were seen; a rest that fills no batch is left out.

    >>> import numpy
    >>> [batch.tolist() for batch in batches(numpy.arange(5), 2, steps=3, seed=0)]
    [[1, 2], [4, 3], [3, 4]]
    """
    from scalargrad.arrays import shuffled

    size = min(size, len(rows))
    of_an_epoch = len(rows) // size
    for step in range(steps):
        epoch, place = divmod(step, of_an_epoch)
        if place == 0:
            order = shuffled(len(rows), seed, epoch)
        yield rows[order[place * size : (place + 1) * size]]


def looks(model: GPT, tokens: Sequence[float]) -> list[list[Sequence[float]]]:
    """Of each head, for each of these tokens, the weights of the tokens up to it: [heads][tokens][tokens so far]."""
    memory: list = []
    with no_grad():
        for token in tokens:
            model.read(token, memory)
    by_token = [[[float(weight) for weight in weights] for weights in heads] for _, _, heads in memory]
    return [list(head) for head in zip(*by_token, strict=True)]


def run(settings: Settings, data: Data, folder: Path) -> Result:
    """Learn, and put the pictures, the names and summary.json into a folder that exists."""
    result = learn(settings, data)
    known = {"the grammar itself": data.floor} if data.floor else {}
    plots.plot_steps(result.losses, f"Training: loss {result.loss:.4g}", known).savefig(folder / "loss.png")
    example = next((text for text in result.made_up if len(text) > 2), data.texts[0])[: settings.longest - 1]
    tokens = [END, *map(data.letters.index, example)]
    title = f"Reading {example}: how much each letter looks back at which"
    plots.plot_attention(looks(result.model, tokens), [BEGIN, *example.replace(" ", SPACE)], title).savefig(
        folder / "attention.png"
    )
    (folder / "names.txt").write_text("".join(f"{text}\n" for text in result.made_up), "utf-8", newline="\n")
    write_summary(folder / "summary.json", summarised(settings, data, result))
    return result


def summarised(settings: Settings, data: Data, result: Result) -> dict[str, object]:
    """Contents of summary.json, beside the versions."""
    known = set(data.texts)
    return {
        "settings": asdict(settings),
        "seed": settings.seed,
        "texts": {"count": len(data.texts), "longest": max(map(len, data.texts)), "letters": len(data.letters) - 1},
        "parameters": len(result.model.parameters()),
        "training": {"first_loss": result.losses[0], "loss": result.loss, "floor": data.floor},
        "names": {"made_up": len(result.made_up), "new": sum(text not in known for text in result.made_up)},
        "seconds": round(result.seconds, 3),
        "preparation": round(result.preparation, 3),
    }
