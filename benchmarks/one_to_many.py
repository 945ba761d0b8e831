"""The same model.fit on whatever there is: Values, one processor, eight virtual devices, two processes.

    pip install jax
    python benchmarks/one_to_many.py [--epochs 6]

MLP 784-128-64-10, Adam, batches of 1,024, float32. Each way is a process of its own (the last one two); an epoch is the
median of those after the first. The loss after the last epoch must agree. Eager Values train on one batch of 64.
"""

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import time

import numpy

from scalargrad import MLP, Adam

IMAGES, BATCH = 61_440, 1_024
FEW = 64  # for Values
WAYS = {  # settings of fit, and environment; the first of several processes reports
    "Values, one at a time": ({"backend": "eager"}, {}, 1),
    'compiled, one core (backend="native")': ({"backend": "native"}, {"SCALARGRAD_CORES": "1"}, 1),
    "compiled, two cores": ({"backend": "native"}, {}, 1),
    'JAX, one device (backend="jax")': ({"backend": "jax"}, {}, 1),
    'JAX, eight virtual devices (devices="all")': ({"backend": "jax", "devices": "all"}, {"DEVICES": "8"}, 1),
    "JAX, two processes of one device": ({"backend": "jax"}, {}, 2),
}


def serve(name: str, epochs: int, rank: int, port: int) -> None:
    settings, environment, processes = WAYS[name]
    if cores := environment.get("SCALARGRAD_CORES"):
        os.sched_setaffinity(0, list(os.sched_getaffinity(0))[: int(cores)])
    if processes > 1:
        import jax

        jax.distributed.initialize(f"127.0.0.1:{port}", processes, rank)
    eager = settings["backend"] == "eager"
    rows, batch = (FEW, FEW) if eager else (IMAGES, BATCH)
    source = numpy.random.default_rng(0)
    patterns, labels = source.random((10, 784), dtype="float32"), source.integers(0, 10, IMAGES)[:rows]
    images = 0.7 * source.random((IMAGES, 784), dtype="float32")[:rows] + 0.3 * patterns[labels]
    model, ends = MLP(784, [128, 64, 10], init="he", rng=0), []
    history = model.fit(
        images,
        labels,
        "cross_entropy",
        Adam(),
        epochs,
        batch,
        progress=False,
        callbacks=[lambda run: ends.append(time.perf_counter())],
        **settings,
    )
    seconds = statistics.median(numpy.diff(ends).tolist())
    print(json.dumps({"speed": rows / seconds, "loss": history["loss"][-1], "ready": history.preparation}), flush=True)


def measured(name: str, epochs: int) -> dict:
    _, environment, processes = WAYS[name]
    devices = environment.get("DEVICES", "1")
    flags = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}", "JAX_PLATFORMS": "cpu"}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, __file__, "--serve", name, "--epochs", str(epochs), "--port", str(port)]
    started = [
        subprocess.Popen(
            [*command, "--rank", str(rank)], stdout=subprocess.PIPE, encoding="utf-8", env=os.environ | flags
        )
        for rank in range(processes)
    ]
    first, *_ = [process.communicate()[0].splitlines()[-1] for process in started]
    return json.loads(first)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--serve", choices=WAYS)
    parser.add_argument("--rank", type=int, default=0)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.epochs, options.rank, options.port)
        return
    print(f"MLP 784-128-64-10, batches of {BATCH:,}, float32, Python {platform.python_version()}, two shared cores\n")
    print(f"{'':44}  images/s  tracing, compiling, s  loss after {options.epochs} epochs")
    losses = []
    for name in WAYS:
        found = measured(name, 3 if name.startswith("Values") else options.epochs)
        ready = "  ".join(f"{seconds:6.2f}" for seconds in found["ready"].values())
        loss = "" if name.startswith("Values") else f"{found['loss']:.7f}"
        losses += [] if name.startswith("Values") else [found["loss"]]
        print(f"{name:44} {found['speed']:9,.0f}         {ready}  {loss:>14}", flush=True)
    assert max(losses) - min(losses) < 1e-4, losses


if __name__ == "__main__":
    main()
