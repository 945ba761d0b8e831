"""The main job: two moons, a network that learns to tell them apart, and pictures of all of it."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import isfinite
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from scalargrad import datasets, plots
from scalargrad.checks import one_of
from scalargrad.demos.results import check, check_training, write_summary
from scalargrad.drawing import DecisionBoundary, draw, draw_frames
from scalargrad.engine import Value
from scalargrad.losses import l2, mse
from scalargrad.nn import MLP, Neuron
from scalargrad.nn.dense import ACTIVATIONS
from scalargrad.observers import no_grad
from scalargrad.optim import OPTIMIZERS
from scalargrad.support.progress import progress_bar

if TYPE_CHECKING:
    from scalargrad.compiler.trainer import Measures
    from scalargrad.training.history import History
    from scalargrad.training.run import Run

MOST_VALUES = 10_000_000  # in the graph of one epoch: about 2 GB
FILES = {
    "data.png": "the points",
    "boundary-before.png": "what the untrained network says about every place",
    "boundary-after.png": "what the trained network says",
    "training.png": "loss and accuracy by epoch",
    "neuron.svg": "one neuron on the input [1, 1], with its gradients",
    "model.svg": "the trained network on its first sample, with its gradients",
    "summary.json": "settings, results, versions",
}
ANIMATION = {"training.svg": "the decision boundary as it moves during training"}
PAGE = {"playground.html": "the same network, which trains live in a browser"}
FRAMES = 25  # of the animation


@dataclass(frozen=True)
class Settings:
    """All that a run depends on: one seed gives the points and the first weights.

    The rate and the number of epochs were chosen such that nearly every seed ends at an accuracy of 0.99 or more:
    see benchmarks/results/moons_seeds.txt.

    >>> Settings(samples=1)
    Traceback (most recent call last):
    ValueError: samples is at least 2, got 1
    """

    samples: int = 100
    noise: float = 0.1
    hidden: tuple[int, ...] = (8, 8)
    activation: str = "relu"
    output_activation: str = "linear"
    optimizer: str = "adam"
    lr: float = 0.025
    epochs: int = 200
    alpha: float = 1e-4
    seed: int = 0
    engine: str = "compiled"

    def __post_init__(self) -> None:
        check_training(self)
        check("samples", self.samples, self.samples >= 2, "at least 2")
        check("noise", self.noise, isfinite(self.noise) and self.noise >= 0.0, "a number from 0 on")
        for name in ("activation", "output_activation"):
            one_of(name, getattr(self, name), [*ACTIVATIONS, "linear"])
        if self.engine != Settings.engine:
            from scalargrad.compiler.backends import checked_backend  # behind it is NumPy, and help goes without

            checked_backend(self.engine, "engine")
        check("alpha", self.alpha, isfinite(self.alpha) and self.alpha >= 0.0, "a number from 0 on")
        sizes = [2, *self.hidden, 1]
        weights = sum(sources * targets for sources, targets in pairwise(sizes))
        values = self.samples * (2 + 3 * sum(sizes[1:])) + weights
        if values > MOST_VALUES:
            raise ValueError(f"samples and hidden make more than {MOST_VALUES:,} values an epoch, which do not fit")


@dataclass(frozen=True)
class Result:
    """A trained network, with what it was trained on and how that went."""

    model: MLP
    points: list[list[float]]
    labels: list[int]
    history: "History"
    seconds: float  # of training alone
    preparation: dict[str, float]  # seconds of what came before it, by name

    @property
    def loss(self) -> float:
        return self.history["loss"][-1]

    @property
    def accuracy(self) -> float:
        return self.history["accuracy"][-1]


def learn(
    settings: Settings,
    before: Callable[[MLP, list, list], None] | None = None,
    after_epoch: "Callable[[int, Measures], None] | None" = None,
) -> Result:
    """Make the points and the network, and train it on all points at once; `before` sees the three before training.

    `fit` measures the loss of a step where the step begins. The history says what the network is like after each
    epoch, and at position 0 before the first: it is measured anew.

    >>> result = learn(Settings(samples=10, epochs=2))
    >>> len(result.history["accuracy"])
    3
    """
    # NumPy is behind this door, and the help of the commands goes without.
    from scalargrad.compiler.backends import checked_backend
    from scalargrad.training.history import History, refuse_inf_and_nan
    from scalargrad.training.objectives import objective_of
    from scalargrad.training.prediction import measured
    from scalargrad.training.programs import seconds_of_preparation

    points, labels = datasets.load_moons(settings.samples, settings.noise, settings.seed)
    model = MLP(2, [*settings.hidden, 1], settings.activation, settings.output_activation, rng=settings.seed)
    if before:
        before(model, points.tolist(), labels.tolist())
    start, history, parameters = perf_counter(), History(), model.parameters()
    objective = objective_of(lambda output, label: mse(output, label) + settings.alpha * l2(parameters))

    def measure(epoch: int) -> "Measures":
        loss, outputs = measured(model, objective, points, labels, checked_backend(settings.engine))
        if settings.engine == "eager":  # as `fit` adds it up there: the penalty once, and not to the loss of each row
            squares = l2([parameter.data for parameter in parameters])
            loss = float(mse(outputs.tolist(), labels.tolist()) + settings.alpha * squares)
        refuse_inf_and_nan(loss, epoch)
        measures = {"loss": loss, "accuracy": float(((outputs > 0.5) == labels).mean())}
        history.add(measures)
        return measures

    def record(run: "Run") -> None:
        measures = measure(run.epoch)
        if after_epoch:
            after_epoch(run.epoch, measures)

    measure(0)
    optimizer = OPTIMIZERS[settings.optimizer](settings.lr)
    trained = model.fit(
        points,
        labels,
        loss="mse",
        optimizer=optimizer,
        epochs=settings.epochs,
        l2=settings.alpha,
        callbacks=[record],
        backend=settings.engine,
        progress=False,
    )
    if trained.stopped:  # which only Ctrl-C does here
        raise KeyboardInterrupt
    preparation = {name: seconds for name, seconds in seconds_of_preparation(model).items() if seconds}
    seconds = perf_counter() - start - sum(preparation.values())
    return Result(model, points.tolist(), labels.tolist(), history, seconds, preparation)


def run(settings: Settings, folder: Path, animate: bool = False, page: bool = False) -> Result:
    """Train, and put the pictures and summary.json into a folder that exists.

    animate   add training.svg
    page      add playground.html, where the training begins anew
    """
    frames: list[DecisionBoundary] = []
    every = -(-settings.epochs // FRAMES)
    scene: dict[str, Any] = {}

    def before(model: MLP, points: list, labels: list) -> None:
        scene.update(model=model, points=points, labels=labels)
        if animate:
            frames.append(boundary_frame(title="before training", **scene))
        if page:
            playground_of(settings, model, points, labels).save(folder / "playground.html")
        guesses = [float(model(point)) > 0.5 for point in points]
        right = sum(guess == label for guess, label in zip(guesses, labels, strict=True)) / len(labels)
        plots.plot_points(points, labels, f"Two moons: {len(points)} points").savefig(folder / "data.png")
        plots.plot_boundary(model, points, labels, f"Before training: accuracy {right:.1%}").savefig(
            folder / "boundary-before.png"
        )

    with progress_bar(settings.epochs, "epoch") as show:

        def after_epoch(epoch: int, measures: "Measures") -> None:
            show(epoch, measures)
            if animate and (epoch % every == 0 or epoch == settings.epochs):
                title = f"epoch {epoch}: accuracy {measures['accuracy']:.1%}"
                frames.append(boundary_frame(title=title, **scene))

        result = learn(settings, before, after_epoch)
    if animate:
        draw_frames(frames, folder / "training.svg", seconds=0.3, title="Two moons, learned")
    shown = f"accuracy {result.accuracy:.1%}"
    plots.plot_boundary(result.model, result.points, result.labels, f"After {settings.epochs} epochs: {shown}").savefig(
        folder / "boundary-after.png"
    )
    plots.plot_history(result.history, f"Training: loss {result.loss:.4g}, {shown}").savefig(folder / "training.png")
    draw_neuron(settings).save(folder / "neuron.svg")
    draw_model(result).save(folder / "model.svg")
    write_summary(folder / "summary.json", summarised(settings, result))
    return result


def playground_of(settings: Settings, model: MLP, points: list, labels: list) -> Any:
    """A page on which the network learns as `learn` lets it."""
    from scalargrad.pages.playing import playground  # NumPy is behind this door, too

    optimizer = OPTIMIZERS[settings.optimizer](settings.lr)
    return playground(model, points, labels, "mse", optimizer, settings.epochs, l2=settings.alpha)


def boundary_frame(model: MLP, points: list, labels: list, title: str) -> DecisionBoundary:
    """A picture of the network's answers at one moment; class 0 is blue, as in the other pictures."""

    def score(rows: list) -> list[float]:
        with no_grad():
            return [1.0 - float(model(row)) for row in rows]

    return DecisionBoundary(score, points, [1 - label for label in labels], resolution=30, title=title)


def draw_neuron(settings: Settings) -> Any:
    """One neuron on the input [1, 1], after backward()."""
    x1, x2 = Value(1.0, "x1"), Value(1.0, "x2")
    output = Neuron(2, activation=settings.activation, rng=settings.seed)([x1, x2])
    output.backward()
    return draw(output, title=f"One neuron ({settings.activation}) on the input [1, 1]")


def draw_model(result: Result) -> Any:
    """The trained network on its first sample, after backward() of the squared error."""
    (x1, x2), label = result.points[0], result.labels[0]
    output = result.model([Value(x1, "x1"), Value(x2, "x2")])
    output.label = "output"
    loss = (output - label) ** 2
    loss.label = "loss"
    result.model.zero_grad()
    loss.backward()
    return draw(loss, title=f"The trained network on its first sample, of class {label}")


def summarised(settings: Settings, result: Result) -> dict[str, Any]:
    """Contents of summary.json, beside the versions."""
    return {
        "settings": asdict(settings),
        "seed": settings.seed,
        "loss": result.loss,
        "accuracy": result.accuracy,
        "seconds": round(result.seconds, 3),
        "preparation": {name: round(seconds, 3) for name, seconds in result.preparation.items()},
    }
