"""Verbs: fit, predict, predict_proba and evaluate as methods of a model. What they call is loaded when it is used."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from scalargrad.holders import BARE, note
from scalargrad.structure import Structure
from scalargrad.support.forks import loaded

if TYPE_CHECKING:
    from os import PathLike

    from numpy import ndarray

    from scalargrad.optim import Optimizer
    from scalargrad.schedules import Schedule
    from scalargrad.training.history import History
    from scalargrad.training.prediction import Evaluation


class Verbs(Structure):
    """A structure with the verbs of training: the base of Module."""

    __slots__ = ()

    def fit(
        self,
        X: object,
        y: object,
        loss: str | Callable = "mse",
        optimizer: "Optimizer | None" = None,
        epochs: int = 10,
        batch_size: int | None = None,
        l2: float = 0.0,
        validation: object = None,
        early_stopping: int | None = None,
        callbacks: Sequence[Callable] = (),
        rng: "int | Callable[[int, int], ndarray]" = 0,
        backend: str = "native",
        progress: bool = True,
        schedule: "str | Schedule | None" = None,
        augment: Callable | None = None,
        sample_weight: object = None,
        resume: "str | PathLike[str] | None" = None,
        devices: int | str | None = None,
        engine: str | None = None,
        min_delta: float = 0.0,
        clip_grad_norm: float | None = None,
        class_weight: str | Mapping[int, float] | None = None,
    ) -> "History":
        """Train this model on the samples X [rows, ...] and the targets y [rows, ...]; returns what was measured.

        X may be a list of sequences [length, ...] of different lengths, and y, too: see notebooks/sequences.md. Frames
        of pandas are arrays of their numbers: later verbs take the columns in the same order.

        loss            "mse", "huber", "cross_entropy" (labels 0 to k - 1 for k outputs), "binary_cross_entropy" (0 and
                        1, one output), "hinge" (-1 and 1), or a function (outputs, target) -> Value of one sample
        optimizer       Adam() unless said; one that was used before goes on with what it remembers, and one that was
                        given some of the parameters, SGD(layer.parameters(), lr=0.1), moves no others
        epochs          how many times all rows are seen
        batch_size      rows of a step, shuffled anew in each epoch, all of one length; None: all of them
        l2              adds l2 times the sum of the squares of all parameters to the loss
        validation      (X, y) to measure on after each epoch, or the fraction of the rows to put aside for that
        early_stopping  stop after so many epochs without a better loss; with validation, its loss counts, and the best
                        parameters are put back
        min_delta       for early_stopping: a loss is better if it is below the best one by more than that
        clip_grad_norm  the largest norm of the gradients of a step, as the function of this name scales them
        class_weight    for losses of classes: {label: weight}, with a weight for each label of y, or "balanced", as in
                        scikit-learn: each row counts as much as its label's weight, times its `sample_weight`
        callbacks       each is called after every epoch with a Run: see `scalargrad.training.run`
        rng             a seed, for the order of the rows and the choice of those for validation; or a function (rows,
                        epoch) -> order of the numbers of the rows: `lambda rows, epoch: range(rows)` shuffles none
        backend         "native"; "jax", for accelerators and many devices; "numpy", to read; "javascript", in node; or
                        "eager": Values, one sample after another, for models that cannot be compiled
        progress        show a bar on standard error, if that is a terminal
        schedule        "constant", "step", "linear", "cosine", "one_cycle", "warm_up", or a Schedule with settings
        augment         changes the samples of an epoch, (X, seed, epoch) -> X: see `scalargrad.datasets.augmentation`
        sample_weight   a number from 0 on for each row: the loss of a batch is sum(w * loss) / sum(w); accuracy, R
                        squared and validation count rows alike
        resume          a file that the callback Checkpoint wrote: go on from there, with the same numbers to the bit as
                        if the run had never stopped
        devices         of backend "jax": how many of JAX's devices share the rows of a step, or "all"; the curves are
                        the same. One unless said, or all where several processes have called
                        `jax.distributed.initialize`: each calls fit with the same arguments, and reads its own share
        engine          the word of before for `backend`, with "compiled" for "native"

        float32 samples are trained on in float32, others in float64. Ctrl-C ends it: the parameters are those of the
        last finished step. What is compiled is kept with the model: see `retrace` for what may not change unnoticed.
        Threads that the model starts itself do not see that it is in training, unless it hands on the context to them:
        `contextvars.copy_context().run`.
        ValueError for data and settings that do not fit; then nothing has changed.
        FloatingPointError, if the loss becomes inf or nan.

        >>> from scalargrad import MLP
        >>> model = MLP(2, [8, 1], activation="tanh", rng=0)
        >>> history = model.fit([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0], epochs=500, l2=1e-4)
        >>> history["loss"][-1] < history["loss"][0]
        True
        """
        given = locals()
        loaded("numpy.ma", "scalargrad.training.fit")
        from scalargrad.training.fit import fit
        from scalargrad.training.settings import FitSettings

        return fit(self, X, y, FitSettings.among(given), validation, sample_weight, resume)

    def predict(self, X: object, backend: str = "native", engine: str | None = None) -> "ndarray":
        """Labels for the samples X [rows, ...], int64 [rows], if `fit` trained with a loss of labels, or else outputs,
        [rows] or [rows, outputs]; `backend` as in `fit`. Of sequences of different lengths whose outputs differ in
        shape, too, a list of arrays. The model is in evaluation: for threads that it starts itself, see `fit`.
        """
        loaded("numpy.ma", "scalargrad.training.prediction")
        from scalargrad.compiler.backends import chosen_backend
        from scalargrad.training.prediction import predict

        return predict(self, X, chosen_backend(backend, engine))

    def predict_proba(self, X: object, backend: str = "native", engine: str | None = None) -> "ndarray":
        """The probability of each class for each sample, float64 [rows, classes]."""
        loaded("numpy.ma", "scalargrad.training.prediction")
        from scalargrad.compiler.backends import chosen_backend
        from scalargrad.training.prediction import predict_proba

        return predict_proba(self, X, chosen_backend(backend, engine))

    def evaluate(
        self,
        X: object,
        y: object,
        loss: str | Callable | None = None,
        backend: str = "native",
        engine: str | None = None,
    ) -> "Evaluation":
        """The mean loss on these samples, the accuracy or R squared, and which classes were taken for which.

        loss   as in `fit`; that of the last `fit` unless said
        """
        loaded("numpy.ma", "scalargrad.training.prediction")
        from scalargrad.compiler.backends import chosen_backend
        from scalargrad.training.prediction import evaluate

        return evaluate(self, X, y, loss, chosen_backend(backend, engine))

    def retrace(self) -> None:
        """Forget the compiled functions of this model.

        They notice changes of the model, of lists, numbers and functions that it reads, but not of the attributes of
        other objects: see `scalargrad.compile`.
        """
        note(self, "programs", None)


BARE.add(Verbs)
