"""Module: something with parameters, which finds, names, saves and loads them."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from scalargrad import contexts
from scalargrad.engine import Value
from scalargrad.forks import freed, loaded, undone
from scalargrad.operands import refuse_hidden

if TYPE_CHECKING:
    from os import PathLike

    from numpy import ndarray

    from scalargrad.optim import Optimizer
    from scalargrad.prediction import Evaluation
    from scalargrad.schedules import Schedule
    from scalargrad.training import History


class Parameter(Value):
    """A leaf Value that training moves. Its label is its name in the network: `layers.0.neurons.3.weights.1`."""

    __slots__ = ()
    is_parameter = True


class Buffer(Value):
    """A leaf Value that belongs to a module's state but that training does not move: a running average."""

    __slots__ = ()

    def update(self, expression: Any) -> None:
        """Set the number to that of `expression`. In a compiled program: once after each training step."""
        for observer in contexts.observers.get():
            if hasattr(observer, "updated"):
                observer.updated(self, expression)
                return
        self.data = float(expression)


UNSEEN = ("_programs", "_lock")  # attributes that are no part of what a model is: not in vars(), not in copies
_locks = freed(threading.RLock())
LEAVES = {Parameter, Buffer, Value, float, int, str}


class Module:
    """The base of Neuron, Layer and MLP, and of networks of your own.

    Parameters, modules, and lists or tuples of them that are set as attributes are found by `parameters()`, and a
    parameter set as an attribute gets its name as its label.

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
    _programs: dict[tuple, Any]  # kept by scalargrad.model_programs
    _lock: Any  # held by the thread that has set the modes
    training = True
    fitted_loss = ""  # the name of the loss that `fit` last trained it with: what its outputs mean
    version = 0  # counts the attributes that were set on any module: a compiled function notices a change

    def __setattr__(self, name: str, attribute: Any) -> None:
        super().__setattr__(name, attribute)
        Module.version += 1
        for path, parameter in _walk(name, attribute):
            parameter.label = path

    def __call__(self, *inputs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not say how to compute: define __call__")

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """(name, parameter) for each scalar parameter, in the order of the attributes; a shared one comes once."""
        seen = set()
        for name, attribute in vars(self).items():
            for path, parameter in _walk(name, attribute):
                if parameter not in seen:
                    seen.add(parameter)
                    yield path, parameter

    def parameters(self) -> list[Parameter]:
        """Every scalar parameter, in the order of `named_parameters`."""
        found: dict[Parameter, None] = {}
        _collect(vars(self).values(), found)
        return list(found)

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0, before the next `backward()` adds to it."""
        for parameter in self.parameters():
            parameter.grad = 0.0

    def modules(self) -> Iterator["Module"]:
        """This module and those inside it, in the order of the attributes; a shared one comes once."""
        seen, waiting = set(), [self]
        while waiting:
            module = waiting.pop()
            if module not in seen:
                seen.add(module)
                yield module
                waiting += reversed(list(_children(vars(module))))

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
        for name, attribute in vars(self).items():
            yield from _arrays(name, attribute)

    def state_dict(self) -> dict[str, "ndarray"]:
        """The parameters as float64 arrays under PyTorch's names, such as `layers.0.weight` of shape [16, 2]."""
        import numpy

        return {name: numpy.array(_nested(array, lambda p: p.data)) for name, array in self._arrays_by_name().items()}

    def _arrays_by_name(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, array in self.named_arrays():
            if name in found:
                raise ValueError(f"two arrays of this {type(self).__name__} are called {name}: one would be lost")
            found[name] = array
        return found

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set the parameters from arrays as `state_dict` gives them; PyTorch's tensors do as well.

        ValueError if a name is missing, unknown or of another shape; then nothing has been changed.
        """
        import numpy

        own = self._arrays_by_name()
        problems = [f"missing {name}" for name in own if name not in state]
        problems += [f"unknown {name}" for name in state if name not in own]
        loaded = {}
        for name in own.keys() & state.keys():
            shape = numpy.shape(_nested(own[name], lambda p: p.data))
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
            _assign(own[name], array.tolist())

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
        callbacks       each is called after every epoch with a Run: see `scalargrad.training`
        rng             a seed, for the order of the rows and the choice of those for validation
        engine          "compiled"; "jax", for accelerators and many devices; or "eager": Values, one sample after
                        another, for models that cannot be compiled
        progress        show a bar on standard error, if that is a terminal
        schedule        "constant", "step", "cosine", "one_cycle", "warm_up", or a Schedule with settings of its own
        augment         changes the samples of an epoch, (X, seed, epoch) -> X: see `scalargrad.augmentation`
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
        loaded("numpy.ma", "scalargrad.fitting")
        from scalargrad.fitting import Settings, fit
        from scalargrad.optim import Adam

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
        loaded("numpy.ma", "scalargrad.prediction")
        from scalargrad.prediction import predict

        return predict(self, X, engine)

    def predict_proba(self, X: Any, engine: str = "compiled") -> "ndarray":
        """The probability of each class for each sample, float64 [rows, classes]."""
        loaded("numpy.ma", "scalargrad.prediction")
        from scalargrad.prediction import predict_proba

        return predict_proba(self, X, engine)

    def evaluate(self, X: Any, y: Any, loss: str | Callable | None = None, engine: str = "compiled") -> "Evaluation":
        """The mean loss on these samples, the accuracy or R squared, and which classes were taken for which.

        loss   as in `fit`; that of the last `fit` unless said
        """
        loaded("numpy.ma", "scalargrad.prediction")
        from scalargrad.prediction import evaluate

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
        from scalargrad.summaries import summary

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
        from scalargrad.checkpoint import save

        save(self, path)

    def __repr__(self) -> str:
        count = len(self.parameters())
        return f"{type(self).__name__}, {count} {'parameter' if count == 1 else 'parameters'}"


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


def _walk(path: str, attribute: Any) -> Iterator[tuple[str, Parameter]]:
    """The parameters in an attribute, with their names."""
    if isinstance(attribute, Parameter):
        yield path, attribute
        return
    for key, item in _items(attribute):
        if isinstance(item, Parameter):  # most of them: without a walk of their own
            yield f"{path}.{key}", item
        else:
            yield from _walk(f"{path}.{key}", item)


def _collect(attributes: Iterable, found: dict[Parameter, None]) -> None:
    """Add the parameters in some attributes: as `_walk`, without their names."""
    for attribute in attributes:
        if isinstance(attribute, Parameter):
            found[attribute] = None
        elif isinstance(attribute, list | tuple) and set(map(type, attribute)) == {Parameter}:
            found.update(dict.fromkeys(attribute))  # a row of weights, at once
        elif isinstance(attribute, Module):
            _collect(vars(attribute).values(), found)
        elif isinstance(attribute, list | tuple | dict):
            _collect(attribute.values() if isinstance(attribute, dict) else attribute, found)


def _items(attribute: Any) -> Iterable[tuple[Any, Any]]:
    """What a module, list, tuple or dict holds, by name, position or key."""
    if isinstance(attribute, list | tuple):
        return enumerate(attribute)
    if isinstance(attribute, Module):
        return vars(attribute).items()
    return attribute.items() if isinstance(attribute, dict) else ()


def _children(attribute: Any) -> Iterator[Module]:
    """The modules in a list, tuple or dict, and in those inside it."""
    items = attribute.values() if isinstance(attribute, dict) else attribute
    if set(map(type, items)) <= LEAVES:  # most lists hold weights
        return
    for item in items:
        if isinstance(item, Module):
            yield item
        elif isinstance(item, list | tuple | dict):
            yield from _children(item)


def _arrays(path: str, attribute: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(attribute, Module):
        for name, array in attribute.named_arrays():
            yield f"{path}.{name}", array
    elif isinstance(attribute, Parameter | Buffer) or _is_array(attribute):
        yield path, attribute
    elif isinstance(attribute, list | tuple | dict):
        items = attribute.items() if isinstance(attribute, dict) else enumerate(attribute)
        for key, item in items:
            yield from _arrays(f"{path}.{key}", item)


def _is_array(attribute: Any) -> bool:
    """Is it a list of parameters or buffers, or of equally long such lists?"""
    if not isinstance(attribute, list | tuple) or not attribute:
        return False
    if all(isinstance(item, Parameter | Buffer) for item in attribute):
        return True
    return all(map(_is_array, attribute)) and len({len(item) for item in attribute}) == 1


def _nested(array: Any, read: Any) -> Any:
    return [_nested(item, read) for item in array] if isinstance(array, list | tuple) else read(array)


def _assign(array: Any, numbers: Any) -> None:
    if isinstance(array, list | tuple):
        for item, number in zip(array, numbers, strict=True):
            _assign(item, number)
    else:
        array.data = numbers
