"""How long is one epoch of an MNIST-shaped network in native code? Side by side with its peers, on one core and on two.

    pip install torch==2.13.0 jax
    python benchmarks/native_mnist.py [--turns 7] [--threads 1 2] [--only JAX]

MLP 784-128-64-10, relu, cross-entropy, Adam, float32: 937 batches of 64 random rows, in a new order each epoch. Every
side is a process of its own with as many threads as the table says (and held to as many cores); they take turns. Before
that each computes the loss and the gradient of one batch and five steps of Adam on it, which must agree with a formula
in float64, or the script stops. The bound is the arithmetic alone, at the rate of fused multiply-adds that a core
reaches in the same run.
"""

import argparse
import ctypes
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy
from numpy import ndarray

SIZES, BATCH, STEPS, RATE = (784, 128, 64, 10), 64, 937, 1e-3
ROWS = BATCH * STEPS  # 59,968: the last 32 of 60,000 would make a step of another size
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
FIRST_STEPS = 5
# Weight gradients everywhere, input gradients everywhere but in the first layer.
MULTIPLY_ADDS = ROWS * sum(a * b * (3 if i else 2) for i, (a, b) in enumerate(itertools.pairwise(SIZES)))


class Side(NamedTuple):
    """What one library does.

    gradient  of the first batch: the loss, and the gradients in the order of `first_parameters`; None: not offered
    losses    before each of the first steps of Adam, all on the first batch
    epoch     trains on all rows in a new order and returns the mean of the losses; None: cannot train yet
    note      printed below the table
    """

    gradient: Callable[[], tuple[float, list[ndarray]]] | None
    losses: Callable[[], list[float]]
    epoch: Callable[[], float] | None
    note: str = ""


def first_parameters() -> list[ndarray]:
    """Weights [fan_out, fan_in] and biases of each layer."""
    rng, parameters = numpy.random.default_rng(1), []
    for fan_in, fan_out in itertools.pairwise(SIZES):
        parameters += [rng.normal(0.0, (2.0 / fan_in) ** 0.5, (fan_out, fan_in)), rng.uniform(-0.1, 0.1, fan_out)]
    return [array.astype("float32") for array in parameters]


def rows() -> tuple[ndarray, ndarray]:
    rng = numpy.random.default_rng(0)
    return rng.random((ROWS, SIZES[0]), dtype="float32"), rng.integers(0, SIZES[-1], ROWS)


# The sides.


def scalargrad_side(threads: int) -> Side:
    import scalargrad
    from scalargrad import MLP, Adam, cross_entropy

    inputs, labels = rows()
    model = MLP(SIZES[0], list(SIZES[1:]), rng=0)
    names = list(model.state_dict())
    program = scalargrad.compile(lambda x, y: cross_entropy(model(x), y), dtype="float32", threads=threads)

    def start_again() -> None:
        model.load_state_dict(dict(zip(names, first_parameters(), strict=True)))

    def gradient() -> tuple[float, list[ndarray]]:
        start_again()
        loss, flat = program.value_and_grad(inputs[:BATCH], labels[:BATCH])
        slopes = dict(zip(program.parameters, flat.tolist(), strict=True))
        slopes_of = numpy.vectorize(slopes.__getitem__, otypes=[float])
        return loss, [slopes_of(numpy.array(array, dtype=object)) for _, array in model.named_arrays()]

    def losses() -> list[float]:
        start_again()
        trainer = program.trainer(Adam(RATE))
        return [trainer.step(inputs[:BATCH], labels[:BATCH]) for _ in range(FIRST_STEPS)]

    trainer: Any = None

    def epoch() -> float:
        nonlocal trainer
        if trainer is None:
            start_again()
            trainer = program.trainer(Adam(RATE), batch_size=BATCH, rng=0)
        return trainer.run(inputs, labels, 1)["loss"][-1]

    begin = time.perf_counter()
    program.value_and_grad(inputs[:BATCH], labels[:BATCH])
    note = f"tracing and compiling took {time.perf_counter() - begin:.2f} s"
    return Side(gradient, losses, epoch, note)


def torch_side(threads: int, fused: bool) -> Side:
    import torch
    from torch.nn.functional import cross_entropy, linear, relu

    torch.set_num_threads(threads)
    inputs, labels = map(torch.from_numpy, rows())
    order_of_rows = torch.Generator().manual_seed(0)

    def start() -> tuple[list[Any], Any]:
        parameters = [torch.tensor(array, requires_grad=True) for array in first_parameters()]
        return parameters, torch.optim.Adam(parameters, lr=RATE, fused=fused)

    def loss_of(parameters: list[Any], x: Any, y: Any) -> Any:
        w1, b1, w2, b2, w3, b3 = parameters
        return cross_entropy(linear(relu(linear(relu(linear(x, w1, b1)), w2, b2)), w3, b3), y)

    def step(parameters: list[Any], optimizer: Any, x: Any, y: Any) -> Any:
        loss = loss_of(parameters, x, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    def gradient() -> tuple[float, list[ndarray]]:
        parameters, _ = start()
        loss = loss_of(parameters, inputs[:BATCH], labels[:BATCH])
        loss.backward()
        return loss.item(), [parameter.grad.numpy() for parameter in parameters]

    def losses() -> list[float]:
        state = start()
        return [step(*state, inputs[:BATCH], labels[:BATCH]).item() for _ in range(FIRST_STEPS)]

    state = start()

    def epoch() -> float:
        total = torch.zeros(())
        for chosen in torch.randperm(ROWS, generator=order_of_rows).view(STEPS, BATCH):
            total += step(*state, inputs[chosen], labels[chosen])
        return total.item() / STEPS

    return Side(gradient, losses, epoch)


def jax_side(threads: int, whole_epoch: bool, in_order: bool = False) -> Side:
    """`whole_epoch`: a scan over the steps, compiled as one; else a compiled step. `in_order`: without shuffling."""
    import jax
    import jax.numpy as jnp

    inputs, labels = (jnp.asarray(array) for array in rows())
    batches = inputs.reshape(STEPS, BATCH, -1), labels.reshape(STEPS, BATCH)
    order_of_rows = numpy.random.default_rng(0)

    def loss_of(parameters: list[Any], x: Any, y: Any) -> Any:
        w1, b1, w2, b2, w3, b3 = parameters
        logits = jax.nn.relu(jax.nn.relu(x @ w1.T + b1) @ w2.T + b2) @ w3.T + b3
        chosen = jnp.sum(logits * jax.nn.one_hot(y, SIZES[-1], dtype=logits.dtype), axis=1)
        return jnp.mean(jax.nn.logsumexp(logits, axis=1) - chosen)

    def step(state: tuple, x: Any, y: Any) -> tuple[tuple, Any]:
        parameters, first, second, count = state
        loss, slopes = jax.value_and_grad(loss_of)(parameters, x, y)
        count = count + 1.0
        first = [BETA1 * m + (1.0 - BETA1) * g for m, g in zip(first, slopes, strict=True)]
        second = [BETA2 * v + (1.0 - BETA2) * g * g for v, g in zip(second, slopes, strict=True)]
        rate, scale = RATE / (1.0 - BETA1**count), 1.0 / jnp.sqrt(1.0 - BETA2**count)
        moved = [
            p - rate * m / (jnp.sqrt(v) * scale + EPSILON) for p, m, v in zip(parameters, first, second, strict=True)
        ]
        return (moved, first, second, count), loss

    def start() -> tuple:
        parameters = [jnp.asarray(array) for array in first_parameters()]
        return parameters, list(map(jnp.zeros_like, parameters)), list(map(jnp.zeros_like, parameters)), jnp.zeros(())

    @jax.jit
    def gradient_of_first_batch(parameters: list[Any]) -> Any:
        return jax.value_and_grad(loss_of)(parameters, inputs[:BATCH], labels[:BATCH])

    def gradient() -> tuple[float, list[ndarray]]:
        loss, slopes = gradient_of_first_batch(start()[0])
        return float(loss), list(map(numpy.asarray, slopes))

    def losses() -> list[float]:
        compiled, state, found = jax.jit(step), start(), []
        for _ in range(FIRST_STEPS):
            state, loss = compiled(state, inputs[:BATCH], labels[:BATCH])
            found.append(float(loss))
        return found

    def step_on_chosen(state: tuple, total: Any, all_inputs: Any, all_labels: Any, chosen: Any) -> tuple:
        state, loss = step(state, all_inputs[chosen], all_labels[chosen])
        return state, total + loss

    def epoch_in_a_scan(state: tuple, all_inputs: Any, all_labels: Any, order: Any) -> tuple:
        return jax.lax.scan(lambda state, chosen: step(state, all_inputs[chosen], all_labels[chosen]), state, order)

    def epoch_in_order(state: tuple, all_inputs: Any, all_labels: Any) -> tuple:
        return jax.lax.scan(lambda state, batch: step(state, *batch), state, (all_inputs, all_labels))

    compiled_step = jax.jit(step_on_chosen, donate_argnums=(0, 1))
    compiled_epoch = jax.jit(epoch_in_order if in_order else epoch_in_a_scan, donate_argnums=0)
    state = start()

    def epoch() -> float:
        nonlocal state
        if in_order:
            state, every = compiled_epoch(state, *batches)
            return float(every.mean())
        order = order_of_rows.permutation(ROWS).astype("int32").reshape(STEPS, BATCH)
        if whole_epoch:
            state, every = compiled_epoch(state, inputs, labels, order)
            return float(every.mean())
        total = jnp.zeros(())
        for chosen in order:
            state, total = compiled_step(state, total, inputs, labels, chosen)
        return float(total) / STEPS

    return Side(gradient, losses, epoch)


class NumpyNetwork:
    """The network by hand: all parameters in one array, so that Adam's update is a few passes over one array."""

    def __init__(self, dtype: str) -> None:
        arrays = first_parameters()
        self.all = numpy.concatenate([array.ravel() for array in arrays]).astype(dtype)
        self.slope, self.first, self.second, self.spare = (numpy.zeros_like(self.all) for _ in range(4))
        ends = numpy.cumsum([0, *(array.size for array in arrays)])
        self.parameters, self.slopes = (
            [flat[a:b].reshape(array.shape) for array, a, b in zip(arrays, ends, ends[1:], strict=False)]
            for flat in (self.all, self.slope)
        )
        self.steps = 0

    def gradient(self, x: ndarray, labels: ndarray) -> float:
        """The loss; the gradient is left in `slopes`."""
        layers, outputs = len(self.parameters) // 2, [x]
        for i in range(layers):
            weights, bias = self.parameters[2 * i : 2 * i + 2]
            output = outputs[-1] @ weights.T
            output += bias
            outputs.append(numpy.maximum(output, 0.0, out=output) if i < layers - 1 else output)
        places = numpy.arange(len(x)), labels
        logits = outputs.pop()
        logits -= logits.max(axis=1, keepdims=True)
        wanted = logits[places]
        shares = numpy.exp(logits, out=logits)
        totals = shares.sum(axis=1, keepdims=True)
        loss = (numpy.log(totals[:, 0]) - wanted).mean()
        shares /= totals
        shares[places] -= 1.0
        shares /= len(x)
        upstream = shares
        for i in reversed(range(layers)):
            numpy.matmul(upstream.T, outputs[i], out=self.slopes[2 * i])
            numpy.sum(upstream, axis=0, out=self.slopes[2 * i + 1])
            if i:
                upstream = upstream @ self.parameters[2 * i]
                upstream *= outputs[i] > 0.0
        return float(loss)

    def step(self, x: ndarray, labels: ndarray) -> float:
        loss = self.gradient(x, labels)
        self.steps += 1
        slope, spare = self.slope, self.spare
        self.first *= BETA1
        self.first += numpy.multiply(slope, 1.0 - BETA1, out=spare)
        self.second *= BETA2
        numpy.multiply(slope, slope, out=spare)
        spare *= 1.0 - BETA2
        self.second += spare
        numpy.sqrt(self.second, out=spare)
        spare *= (1.0 - BETA2**self.steps) ** -0.5
        spare += EPSILON
        numpy.divide(self.first, spare, out=spare)
        spare *= RATE / (1.0 - BETA1**self.steps)
        self.all -= spare
        return loss


def numpy_side(threads: int) -> Side:
    inputs, labels = rows()
    order_of_rows = numpy.random.default_rng(0)

    def gradient() -> tuple[float, list[ndarray]]:
        network = NumpyNetwork("float32")
        return network.gradient(inputs[:BATCH], labels[:BATCH]), network.slopes

    def losses() -> list[float]:
        network = NumpyNetwork("float32")
        return [network.step(inputs[:BATCH], labels[:BATCH]) for _ in range(FIRST_STEPS)]

    network = NumpyNetwork("float32")

    def epoch() -> float:
        order = order_of_rows.permutation(ROWS).reshape(STEPS, BATCH)
        return sum(network.step(inputs[chosen], labels[chosen]) for chosen in order) / STEPS

    return Side(gradient, losses, epoch)


def sklearn_side(threads: int) -> Side:
    from sklearn.neural_network import MLPClassifier

    inputs, labels = rows()
    numpy.random.seed(0)

    def start() -> Any:
        network = MLPClassifier(SIZES[1:-1], alpha=0.0, batch_size=BATCH, learning_rate_init=RATE, random_state=0)
        network.partial_fit(inputs[:BATCH], labels[:BATCH], classes=range(SIZES[-1]))
        parameters = first_parameters()
        for own, new in zip(network.coefs_, parameters[::2], strict=True):
            own[...] = new.T
        for own, new in zip(network.intercepts_, parameters[1::2], strict=True):
            own[...] = new
        del network._optimizer  # the step above; the next call makes a new one
        return network

    def losses() -> list[float]:
        network = start()
        return [float(network.partial_fit(inputs[:BATCH], labels[:BATCH]).loss_) for _ in range(FIRST_STEPS)]

    network = start()
    return Side(None, losses, lambda: float(network.partial_fit(inputs, labels).loss_))


OURS, TORCH, FUSED = "scalargrad, trainer.run", "PyTorch eager", "PyTorch eager, fused Adam"
SCAN, IN_ORDER = "JAX, a scan over the steps", "JAX, a scan, rows never shuffled"
NUMPY, SKLEARN = "NumPy by hand", "scikit-learn MLPClassifier"
WIDE = ", AVX-512 kernels"  # OpenBLAS has them and picks others by itself on some processors
SIDES: dict[str, Callable[[int], Side]] = {
    OURS: scalargrad_side,
    TORCH: lambda threads: torch_side(threads, fused=False),
    FUSED: lambda threads: torch_side(threads, fused=True),
    "JAX, jit step by step": lambda threads: jax_side(threads, whole_epoch=False),
    SCAN: lambda threads: jax_side(threads, whole_epoch=True),
    IN_ORDER: lambda threads: jax_side(threads, whole_epoch=True, in_order=True),
    NUMPY: numpy_side,
    NUMPY + WIDE: numpy_side,
    SKLEARN: sklearn_side,
    SKLEARN + WIDE: sklearn_side,
}


# A side in a process of its own.


def check(name: str, side: Side) -> None:
    """Stop unless the numbers are those of the formula in float64."""
    inputs, labels = rows()
    x, y = inputs[:BATCH].astype(float), labels[:BATCH]
    exact = NumpyNetwork("float64")
    loss = exact.gradient(x, y)
    if side.gradient is not None:
        found, slopes = side.gradient()
        if abs(found - loss) > 1e-6 * loss:
            sys.exit(f"{name}: the loss is {found} and should be {loss}")
        for place, (slope, wanted) in enumerate(zip(slopes, exact.slopes, strict=True)):
            worst = abs(slope - wanted).max() / abs(wanted).max()
            if not worst < 1e-5:
                sys.exit(f"{name}: the gradient of parameter array {place} is off by {worst:.1e} of its largest number")
    wanted_losses = [exact.step(x, y) for _ in range(FIRST_STEPS)]
    losses = side.losses()
    # scikit-learn's Adam adds epsilon elsewhere, which is seen where gradients are below 1e-6.
    bound = 1e-3 if name.startswith(SKLEARN) else 1e-5
    if not all(abs(a - b) <= bound * b for a, b in zip(losses, wanted_losses, strict=True)):
        sys.exit(f"{name}: the losses of Adam's first steps are {losses} and should be {wanted_losses}")


def worker(name: str, threads: int) -> None:
    """Check, train one epoch, and then one more for each line that comes in; answers with its seconds."""
    hold_to_cores(threads)
    side = SIDES[name](threads)
    check(name, side)
    first = side.epoch() if side.epoch else None
    print(json.dumps({"first": first, "note": side.note}), flush=True)
    for _ in sys.stdin:
        assert side.epoch is not None
        begin = time.perf_counter()
        side.epoch()
        print(time.perf_counter() - begin, flush=True)


def hold_to_cores(threads: int) -> None:
    """Before any library counts the cores."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])


def start_worker(name: str, threads: int) -> subprocess.Popen:
    limits = {key: str(threads) for key in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    environment = {**os.environ, **limits}
    if name.endswith(WIDE):
        environment["OPENBLAS_CORETYPE"] = "SkylakeX"
    if threads == 1:
        environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    command = [sys.executable, __file__, "--worker", name, "--threads", str(threads)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", env=environment)


def answer(name: str, process: subprocess.Popen) -> Any:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        sys.exit(f"{name}: its process ended with status {process.wait()}")
    return json.loads(line)


# The bound.


def multiply_add_kernel() -> tuple[Callable[[int], None], int, Any]:
    """Multiply-adds in float32 that do not wait for each other: (what runs n rounds, how many a round, their owner)."""
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    lanes, chains = (16 if has_avx512() else 8), 12
    vector, numbers = f"<{lanes} x float>", ", ".join(["float 0.5"] * lanes)
    lines = [f"%a{i} = phi {vector} [zeroinitializer, %entry], [%b{i}, %loop]" for i in range(chains)]
    lines += [
        f"%b{i} = call {vector} @llvm.fma.v{lanes}f32({vector} %a{i}, {vector} %factor, {vector} %factor)"
        for i in range(chains)
    ]
    total = [f"%s{i} = fadd {vector} %{f's{i - 1}' if i > 1 else 'b0'}, %b{i}" for i in range(1, chains)]
    text = "\n".join(
        [
            f"declare {vector} @llvm.fma.v{lanes}f32({vector}, {vector}, {vector})",
            f"define void @run(i64 %times, ptr %out) {{\nentry:\n%start = load {vector}, ptr %out",
            f"%factor = fmul {vector} %start, <{numbers}>\nbr label %loop\nloop:",
            "%i = phi i64 [0, %entry], [%next, %loop]",
            *lines,
            "%next = add i64 %i, 1\n%more = icmp ult i64 %next, %times\nbr i1 %more, label %loop, label %end\nend:",
            *total,
            f"store {vector} %s{chains - 1}, ptr %out\nret void\n}}",
        ]
    )
    machine = binding.Target.from_default_triple().create_target_machine(
        cpu=binding.get_host_cpu_name(), features=binding.get_host_cpu_features().flatten(), opt=3
    )
    engine = binding.create_mcjit_compiler(binding.parse_assembly(text), machine)
    engine.finalize_object()
    function = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p)(engine.get_function_address("run"))
    memory = numpy.zeros(64, dtype="float32")
    place = memory.ctypes.data + -memory.ctypes.data % 64
    return lambda times: function(times, place), chains * lanes, (engine, memory)


def has_avx512() -> bool:
    from llvmlite import binding

    return bool(binding.get_host_cpu_features().get("avx512f"))


def multiply_adds_a_second() -> float:
    run, each, _owner = multiply_add_kernel()
    times, best = 2_000_000, 0.0
    for _ in range(5):
        begin = time.perf_counter()
        run(times)
        best = max(best, times * each / (time.perf_counter() - begin))
    return best


# The table.


def compare(names: list[str], threads: int, turns: int) -> dict[str, float]:
    """Seconds of an epoch, the median of the turns."""
    print(f"\n{'one core' if threads == 1 else f'{threads} threads'}")
    processes, seconds, notes = {}, {}, {}
    for name in names:
        print(f"  starting {name}", file=sys.stderr)
        processes[name] = start_worker(name, threads)
        started = answer(name, processes[name])
        if started["note"]:
            notes[name] = started["note"]
        if started["first"] is not None:
            seconds[name] = []
            # On random labels all can only learn the shares of the classes: the logarithm of 10 is 2.303.
            if not 2.2 < started["first"] < 2.5:
                sys.exit(f"{name}: the mean loss of the first epoch is {started['first']}")
    peak = multiply_adds_a_second()
    for turn in range(turns):
        print(f"  turn {turn + 1} of {turns}", file=sys.stderr)
        for name, times in seconds.items():
            process = processes[name]
            assert process.stdin is not None
            process.stdin.write("epoch\n")
            process.stdin.flush()
            times.append(answer(name, process))
        peak = max(peak, multiply_adds_a_second())
    for process in processes.values():
        process.communicate()
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    ours = medians.get(OURS)
    print(f"  {'':44} {'s an epoch':>10} {'best':>7} {'/ ours':>7}")
    for name, median in medians.items():
        ratio = f"{median / ours:7.2f}" if ours else f"{'-':>7}"
        print(f"  {name:44} {median:10.3f} {min(seconds[name]):7.3f} {ratio}")
    bound = MULTIPLY_ADDS / peak / threads
    rate = f"{2e-9 * MULTIPLY_ADDS:.1f} GFLOP at {2e-9 * peak:.0f} GFLOP/s a core"
    print(f"  {'the bound: ' + rate:44} {bound:10.3f} {'':7} {f'{bound / ours:7.2f}' if ours else ''}")
    for name, note in notes.items():
        print(f"  {name}: {note}")
    return medians


def goals(medians: dict[int, dict[str, float]]) -> None:
    print("\ngoals")
    one = medians.get(1, {})
    ours = one.get(OURS)
    if ours is None:
        print("  not judged: scalargrad was not timed")
        return
    for name, wanted in ((TORCH, 2.5), (FUSED, 2.5), (SCAN, 1.0), (IN_ORDER, 1.0)):
        if name in one:
            ratio = one[name] / ours
            print(f"  {'met   ' if ratio >= wanted else 'MISSED'} {ratio:.2f} x faster than {name} (goal: {wanted})")
    two = medians.get(2, {}).get(OURS)
    if two is not None:
        print(f"  {'met   ' if two < ours else 'MISSED'} {ours / two:.2f} x faster with two threads (goal: above 1)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--only", default="", help="the sides whose name holds this")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker, options.threads[0])
        return
    print("MLP 784-128-64-10, 937 batches of 64, cross-entropy, Adam, float32")
    medians = {}
    for threads in options.threads:
        names = [name for name in SIDES if options.only in name and (has_avx512() or not name.endswith(WIDE))]
        if threads > 1:
            names = [name for name in names if name == OURS or name.startswith(("PyTorch", "JAX"))]
        medians[threads] = compare(names, threads, options.turns)
    goals(medians)


if __name__ == "__main__":
    main()
