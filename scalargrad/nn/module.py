"""Module: something with parameters, which finds, names, saves and loads them."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from scalargrad.engine import Value
from scalargrad.forks import freed, loaded, undone
from scalargrad.holders import (
    BARE,
    LEAVES,
    MANY,
    RENAME,
    UNSEEN,
    Holder,
    Inventory,
    Parameter,
    arrays_of,
    attributes,
    attributes_of_class,
    inventory,
    nested,
    refuse_equal_names,
    refuse_lost,
    walk,
)
from scalargrad.holders import Buffer as Buffer
from scalargrad.operands import refuse_hidden

if TYPE_CHECKING:
    from os import PathLike

    from numpy import ndarray

    from scalargrad.optim import Optimizer
    from scalargrad.schedules import Schedule
    from scalargrad.training.prediction import Evaluation
    from scalargrad.training.run import History


_locks = freed(threading.RLock())


_changes = [0]  # how often an attribute of any module was set


class Module(Holder):
    """The base of Neuron, Layer and MLP, and of networks of your own.

    `parameters()` finds each Parameter that is an attribute, and those in modules, lists, tuples, deques, dictionaries
    and NumPy's arrays of objects that are attributes, and in such that are in these. Attributes may be the object's, in
    its `__dict__` or in slots, or its class's: all objects share these, copies too, as pickles do not hold them. A
    parameter that is set as an attribute, or in one, gets its name as its label: attributes, positions and keys with
    dots between them, `blocks.0.W.1.2`.

    In a set, or behind an object that is none of these, it would be lost to training and to files: a TypeError of
    `parameters()`, unless it is found in another way, too. A function may hold what is not to be trained: nobody looks
    into it.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope, self.offset = Parameter(2.0), Parameter(1.0)
    ...     def __call__(self, x):
    ...         return self.slope * x + self.offset
    >>> line = Line()
    >>> line(3.0).data, [name for name, _ in line.named_parameters()]
    (7.0, ['slope', 'offset'])
    """

    __slots__ = ("__dict__", "__weakref__", *UNSEEN)
    _programs: dict[tuple, Any]  # kept by scalargrad.training.programs
    _lock: Any  # held by the thread that has set the modes
    _searched: int  # the version at which much was searched for lost parameters, and none found
    training = True
    fitted_loss = ""  # the name of the loss that `fit` last trained it with: what its outputs mean

    def __setattr__(self, name: str, attribute: Any) -> None:
        super().__setattr__(name, attribute)
        _changes[0] += 1
        if type(attribute) is Parameter:
            attribute.label = name
        elif type(attribute) not in LEAVES:
            _label([(name, attribute)], self)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        _label(attributes_of_class(cls)[1].items())

    def __call__(self, *inputs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not say how to compute: define __call__")

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """(name, parameter) for each scalar parameter, in the order of the attributes; a shared one comes once."""
        self._inventory()
        seen = set()
        for name, part in walk(attributes(self).items(), self):
            if isinstance(part, Parameter) and part not in seen:
                seen.add(part)
                yield name, part

    def parameters(self) -> list[Parameter]:
        """Every scalar parameter, in the order of `named_parameters`.

        TypeError for one where it would be lost, ValueError for two of one name: see Module.
        """
        return list(self._inventory().parameters)

    def _inventory(self) -> Inventory:
        """What it holds, if nothing is lost."""
        found = inventory([self])
        if found.others and getattr(self, "_searched", -1) != _changes[0] and refuse_lost(self, found) > MANY:
            object.__setattr__(self, "_searched", _changes[0])
        if found.unclear:
            refuse_equal_names(self)
            self._arrays_by_name()
        return found

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0, before the next `backward()` adds to it."""
        for parameter in self.parameters():
            parameter.grad = 0.0

    def modules(self) -> Iterator["Module"]:
        """This module and those inside it, in the order of the attributes; a shared one comes once."""
        return iter(inventory([self], only_modules=True).modules)

    def train(self, mode: bool = True) -> "Module":
        """Set this module and those inside it to training (or, with False, to evaluation)."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> "Module":
        """Set this module and those inside it to evaluation."""
        return self.train(False)

    def named_arrays(self) -> Iterator[tuple[str, Any]]:
        """(name, nested list) for each array of parameters or buffers. Layers rename theirs as PyTorch does."""
        return iter(arrays_of(self))

    def state_dict(self) -> dict[str, "ndarray"]:
        """The parameters as float64 arrays under PyTorch's names, such as `layers.0.weight` of shape [16, 2]."""
        return {name: _numbers(array) for name, array in self._whole_state().items()}

    def _whole_state(self) -> dict[str, Any]:
        """Its arrays by name. ValueError, if a class that names its own has left out a parameter."""
        parameters, arrays = self._inventory().parameters, self._arrays_by_name()
        left_out = parameters.keys() - inventory(arrays.values()).parameters.keys()
        if left_out:
            name = next(name for name, parameter in self.named_parameters() if parameter in left_out)
            raise ValueError(
                f"{name} is in no array of this {type(self).__name__}, and would not be saved: a named_arrays() that "
                "leaves it out should yield it, too"
            )
        return arrays

    def _arrays_by_name(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, array in self.named_arrays():
            if name in found:
                raise ValueError(f"two arrays of this {type(self).__name__} are called {name}: {RENAME}")
            found[name] = nested(array)
        return found

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set the parameters from arrays as `state_dict` gives them; PyTorch's tensors do as well.

        ValueError if a name is missing, unknown or of another shape; then nothing has been changed.
        """
        import numpy

        own = self._whole_state()
        problems = [f"missing {name}" for name in own if name not in state]
        problems += [f"unknown {name}" for name in state if name not in own]
        loaded = {}
        for name in own.keys() & state.keys():
            shape = _numbers(own[name]).shape
            refuse_hidden(state[name], name)
            try:
                loaded[name] = numpy.asarray(state[name], dtype=float)
            except (TypeError, ValueError):
                problems.append(f"{name} does not hold numbers")
                continue
            if loaded[name].shape != shape:
                problems.append(f"{name} has shape {list(loaded[name].shape)}, not {list(shape)}")
        if problems:
            raise ValueError(f"this state does not fit the {type(self).__name__}: {'; '.join(sorted(problems))}")
        for name, array in loaded.items():
            _set(own[name], array.tolist())

    def load_parameters(self, numbers: Any) -> None:
        """Set the parameters from a flat array [parameters] in the order of `parameters()`: see `Compiled.to_jax`.

        ValueError if it is of another length; then nothing has been changed.
        """
        import numpy

        refuse_hidden(numbers, "the array of parameters")
        own, flat = self.parameters(), numpy.asarray(numbers)
        if flat.dtype.kind not in "biuf":
            raise TypeError(f"the parameters are real numbers, and the array holds {flat.dtype}")
        if flat.shape != (len(own),):
            raise ValueError(
                f"this {type(self).__name__} has {len(own)} parameters, and the array has the shape {flat.shape}"
            )
        for parameter, number in zip(own, flat.astype(float).tolist(), strict=True):
            parameter.data = number

    # Training on arrays, and what comes of it.

    def fit(
        self,
        X: Any,
        y: Any,
        loss: str | Callable = "mse",
        optimizer: "Optimizer | None" = None,
        epochs: int = 10,
        batch_size: int | None = None,
        l2: float = 0.0,
        validation: Any = None,
        early_stopping: int | None = None,
        callbacks: Sequence[Callable] = (),
        rng: int = 0,
        engine: str = "compiled",
        progress: bool = True,
        schedule: "str | Schedule | None" = None,
        augment: Callable | None = None,
        sample_weight: Any = None,
        resume: "str | PathLike[str] | None" = None,
        devices: int | str | None = None,
    ) -> "History":
        """Train this model on the samples X [rows, ...] and the targets y [rows, ...]; returns what was measured.

        loss            "mse", "huber", "cross_entropy" (labels 0 to k - 1 for k outputs), "binary_cross_entropy" (0 and
                        1, one output), "hinge" (-1 and 1), or a function (outputs, target) -> Value of one sample
        optimizer       Adam() unless said; one that was used before goes on with what it remembers
        epochs          how many times all rows are seen
        batch_size      rows of a step, shuffled anew in each epoch; None: all of them
        l2              adds l2 times the sum of the squares of all parameters to the loss
        validation      (X, y) to measure on after each epoch, or the fraction of the rows to put aside for that
        early_stopping  stop after so many epochs without a better loss; with validation, its loss counts, and the best
                        parameters are put back
        callbacks       each is called after every epoch with a Run: see `scalargrad.training.run`
        rng             a seed, for the order of the rows and the choice of those for validation
        engine          "compiled"; "jax", for accelerators and many devices; or "eager": Values, one sample after
                        another, for models that cannot be compiled
        progress        show a bar on standard error, if that is a terminal
        schedule        "constant", "step", "cosine", "one_cycle", "warm_up", or a Schedule with settings of its own
        augment         changes the samples of an epoch, (X, seed, epoch) -> X: see `scalargrad.datasets.augmentation`
        sample_weight   a number from 0 on for each row: the loss of a batch is sum(w * loss) / sum(w); accuracy, R
                        squared and validation count rows alike
        resume          a file that the callback Checkpoint wrote: go on from there, with the same numbers to the bit as
                        if the run had never stopped
        devices         of engine "jax": how many of JAX's devices share the rows of a step, or "all"; the curves are
                        the same. One unless said, or all where several processes have called
                        `jax.distributed.initialize`: each calls fit with the same arguments, and reads its own share

        float32 samples are trained on in float32, others in float64. Ctrl-C ends it: the parameters are those of the
        last finished step. What is compiled is kept with the model: see `retrace` for what may not change unnoticed.
        ValueError for data and settings that do not fit; then nothing has changed.
        FloatingPointError, if the loss becomes inf or nan.

        >>> from scalargrad import MLP
        >>> model = MLP(2, [8, 1], activation="tanh", rng=0)
        >>> history = model.fit([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0], epochs=500, l2=1e-4)
        >>> history["loss"][-1] < history["loss"][0]
        True
        """
        loaded("numpy.ma", "scalargrad.training.fit")
        from scalargrad.optim import Adam
        from scalargrad.training.fit import Settings, fit

        optimizer = Adam() if optimizer is None else optimizer
        settings = Settings(
            loss,
            optimizer,
            epochs,
            batch_size,
            l2,
            early_stopping,
            callbacks,
            rng,
            engine,
            progress,
            schedule,
            augment,
            devices,
        )
        return fit(self, X, y, settings, validation, sample_weight, resume)

    def predict(self, X: Any, engine: str = "compiled") -> "ndarray":
        """What the model says of the samples X [rows, ...]: labels, int64 [rows], if `fit` trained it with a loss of
        labels, or else its outputs, [rows] or [rows, outputs].
        """
        loaded("numpy.ma", "scalargrad.training.prediction")
        from scalargrad.training.prediction import predict

        return predict(self, X, engine)

    def predict_proba(self, X: Any, engine: str = "compiled") -> "ndarray":
        """The probability of each class for each sample, float64 [rows, classes]."""
        loaded("numpy.ma", "scalargrad.training.prediction")
        from scalargrad.training.prediction import predict_proba

        return predict_proba(self, X, engine)

    def evaluate(self, X: Any, y: Any, loss: str | Callable | None = None, engine: str = "compiled") -> "Evaluation":
        """The mean loss on these samples, the accuracy or R squared, and which classes were taken for which.

        loss   as in `fit`; that of the last `fit` unless said
        """
        loaded("numpy.ma", "scalargrad.training.prediction")
        from scalargrad.training.prediction import evaluate

        return evaluate(self, X, y, loss, engine)

    def retrace(self) -> None:
        """Forget the compiled functions of this model.

        They notice changes of the model, of lists, numbers and functions that it reads, but not of the attributes of
        other objects: see `scalargrad.compile`.
        """
        if hasattr(self, "_programs"):
            self._programs.clear()

    def summary(self, sample: Any = None) -> str:
        """A table of its layers: shapes, parameters, multiply-adds for one sample."""
        from scalargrad.nn.summary import summary

        return summary(self, sample)

    def __getstate__(self) -> Any:
        """All attributes, for copies and pickles, which get no compiled programs."""
        state = super().__getstate__()
        if not isinstance(state, tuple):
            return state
        slots = {name: attribute for name, attribute in state[1].items() if name not in UNSEEN}
        return (state[0], slots) if slots else state[0]

    def save(self, path: "str | PathLike[str]") -> None:
        """Write the arrays of `state_dict` and the architecture to a safetensors file: `scalargrad.load` reads it."""
        from scalargrad.files.models import save

        save(self, path)

    def __repr__(self) -> str:
        count = len(inventory([self]).parameters)
        return f"{type(self).__name__}, {count} {'parameter' if count == 1 else 'parameters'}"


BARE.add(Module)


@contextmanager
def in_mode(model: Module, training: bool) -> Iterator[None]:
    """A block in which the model and the modules inside it are in training, or in evaluation; then as before.

    One thread at a time: another one would see a mode that is not its own.
    """
    with _lock_of(model):
        changed = [(module, module.training) for module in model.modules() if module.training != training]

        def put_back() -> None:
            for module, mode in changed:
                module.training = mode

        with undone(put_back):
            try:
                for module, _ in changed:
                    module.training = training
                yield
            finally:
                put_back()


def _lock_of(model: Module) -> Any:
    with _locks:
        if not hasattr(model, "_lock"):
            object.__setattr__(model, "_lock", freed(threading.RLock()))
        return model._lock


def _label(items: Iterable[tuple[str, Any]], owner: Any = None) -> None:
    """Name the parameters in these, unless they lead back to their owner: then they have their names from elsewhere."""
    parts = list(walk(items, owner))
    if not any(part is owner for _, part in parts):
        for name, part in parts:
            if isinstance(part, Parameter):
                part.label = name


def _numbers(array: Any) -> "ndarray":
    """The numbers of nested lists of parameters and buffers."""
    import numpy

    def data(x: Any) -> Any:
        return x.data if isinstance(x, Value) else list(map(data, x))

    return numpy.array(data(array), dtype=float)


def _set(array: Any, numbers: Any) -> None:
    """Set the numbers of nested lists of parameters and buffers."""
    if isinstance(array, Value):
        array.data = numbers
    else:
        for item, number in zip(array, numbers, strict=True):
            _set(item, number)
