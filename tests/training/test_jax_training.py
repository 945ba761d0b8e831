"""`fit(engine="jax")` on several devices and in several processes trains as `fit` does, or says why it does not."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from time import monotonic, sleep

import numpy as np
import pytest

from scalargrad.arrays import shuffled
from scalargrad.nn import MLP
from tests.oracles.flags import IN_HASTE
from tests.oracles.jax_processes import DIFFERENCES, LATER, MISTAKES, PROBLEMS, convolutional_network
from tests.paths import ROOT

LONGEST = 300.0  # seconds that processes may take together


# Processes.


def found_by(folder, devices, *arguments):
    """What processes print that run at the same time, each with its arguments and so many devices: what JSON says."""
    virtual = f"--xla_force_host_platform_device_count={devices}"
    for flags in (f"{virtual} {IN_HASTE}", virtual):
        errors = _run(folder, flags, arguments)
        if not any("Unknown flag" in error for error in errors):
            break
    assert not any(errors), "\n".join(errors)
    outputs = [(folder / f"{rank}.out").read_text(encoding="utf-8") for rank in range(len(arguments))]
    return [json.loads(output.splitlines()[-1]) for output in outputs]  # Gloo says something, too


def _run(folder, flags, arguments):
    """Until all are done, or the first one fails, or it takes too long. What each said if so, and where it was."""
    environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    processes, end = [], monotonic() + LONGEST
    try:
        for rank, own in enumerate(arguments):
            command = [sys.executable, "-X", "faulthandler", "-m", "tests.oracles.jax_processes", *map(str, own)]
            with open(folder / f"{rank}.out", "wb") as out, open(folder / f"{rank}.err", "wb") as err:
                processes.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=err))
        while None in (codes := [process.poll() for process in processes]) and not any(codes) and monotonic() < end:
            sleep(0.05)
    finally:
        for process in processes:
            process.send_signal(signal.SIGABRT)  # it says where it was
            process.wait()
    if not any(code or code is None for code in codes):
        return [""] * len(codes)
    said = [(folder / f"{rank}.err").read_text(encoding="utf-8", errors="replace") for rank in range(len(codes))]
    ends = enumerate(zip(codes, said, strict=True))
    return [f"process {rank} ended with {code}:\n{text}" for rank, (code, text) in ends]


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture(scope="module")
def one(tmp_path_factory, jax):
    """What one process with 8 devices finds, by the functions of jax_processes.py."""
    folder = tmp_path_factory.mktemp("one")
    (found,) = found_by(folder, 8, ("one", folder))
    return found


@pytest.fixture(scope="module")
def two(tmp_path_factory, jax):
    """What each of two processes with 2 devices finds. They go on with a run of one process with 8 devices."""
    folder, port = tmp_path_factory.mktemp("two"), free_port()
    found_by(folder, 8, ("begin", folder))
    found = found_by(folder, 2, ("two", folder, 0, port), ("two", folder, 1, port))
    (end,) = found_by(folder, 8, ("end", folder))
    return {"end": end, "processes": found}


def same(found, expected, tolerance=1e-10):
    """Curves, numbers, and where a fit stopped."""
    assert list(found["curves"]) == list(expected["curves"])
    for name, curve in expected["curves"].items():
        assert found["curves"][name] == pytest.approx(curve, rel=tolerance, abs=tolerance), name
    assert found["numbers"] == pytest.approx(expected["numbers"], rel=tolerance, abs=tolerance)
    assert (found["stopped"], found["best_epoch"]) == (expected["stopped"], expected["best_epoch"])


# One process.


@pytest.mark.parametrize("name", PROBLEMS)
def test_training_on_any_number_of_devices_is_compiled_training(one, name):
    """Padded batches, dropout, batch norm, augmentation, weights, schedules, validation and early stopping included."""
    expected, *others = one["curves"][name]
    assert len(expected["curves"]) == 4, "two measures, of training and of validation"
    for found in others:
        same(found, expected, 1e-4 if "float32" in name else 1e-10)


def test_early_stopping_goes_back_to_the_best_epoch(one):
    for found in one["curves"]["recurrent network"]:
        assert 1 < found["best_epoch"] < len(found["curves"]["loss"]) == found["best_epoch"] + 2


def test_a_run_on_8_devices_goes_on_on_1_and_then_on_8_again(one):
    whole, found = one["resumed"]
    assert len(whole["curves"]["loss"]) == 9
    same(found, whole)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("too many devices", "9 devices were asked for, and JAX has 8 devices (cpu)"),
        ("no devices", 'devices is a whole number from 1 on, or "all"; got 0'),
        ("a truth", 'devices is a whole number from 1 on, or "all"; got True'),
        ("a word", "devices is a whole number from 1 on, or \"all\"; got 'many'"),
        ("a fraction", 'devices is a whole number from 1 on, or "all"; got 2.5'),
        ("a batch that does not divide", "a batch of 100 rows does not divide by 8 devices: 96 or 104 does"),
        ("all rows that do not divide", "a batch of 81 rows does not divide by 8 devices: 80 or 88 does"),
        ("a batch smaller than the devices", "a batch of 3 rows does not divide by 8 devices: 8 does"),
        ("compiled", "devices are those of JAX: backend=\"jax\", not 'native'"),
        ("eager", "devices are those of JAX: backend=\"jax\", not 'eager'"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_has_changed(one, name, words):
    assert one["mistakes"].keys() == MISTAKES.keys()
    message, unchanged = one["mistakes"][name]
    assert message.startswith(f"ValueError: {words}")
    assert "\n" not in message
    assert unchanged


def test_without_jax_one_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    model = MLP(2, [1], rng=0)
    before = [p.data for p in model.parameters()]
    with pytest.raises(ModuleNotFoundError, match=r'^JAX is not installed, and this takes it: pip install ".\[jax\]"'):
        model.fit([[0.0, 1.0]], [1.0], engine="jax")
    assert [p.data for p in model.parameters()] == before
    assert not model.fitted_loss


def test_devices_stop_together_where_the_loss_is_no_number(one):
    expected, *others = one["lost"]
    assert re.match("the loss is (inf|nan) after epoch 1", expected[0])
    assert expected[1] > 0
    assert others == [expected] * 2


def test_a_wrong_index_is_named_and_the_steps_before_it_are_kept(one):
    (words, steps, numbers), *others = one["wrong_indices"]
    assert re.search("index 4.0 in row 26", words)
    assert steps == 2
    for also, as_many, found in others:
        assert (also, as_many) == (words, steps)
        assert found == pytest.approx(numbers, rel=1e-10)


def test_an_interrupted_training_has_the_numbers_of_its_last_step(one):
    found, expected = one["interrupted"]
    assert found["stopped"] == "interrupted"
    assert found["numbers"] == pytest.approx(expected["numbers"], rel=1e-10)
    curve, full = found["curves"]["loss"], expected["curves"]["loss"]
    assert 3 <= len(curve) <= len(full) <= len(curve) + 1
    assert curve == pytest.approx(full[: len(curve)], rel=1e-10)


def test_predictions_are_those_of_compiled_code(one):
    expected, found = one["predictions"]
    for name in ("predict", "predict_proba", "evaluate"):
        assert found[name] == pytest.approx(expected[name], rel=1e-12), name


@pytest.mark.parametrize("part", ["turns", "other_numbers_in_the_same_array"])
def test_engines_may_take_turns_and_samples_may_change_in_between(one, part):
    found, expected = one[part]
    assert np.hstack(found) == pytest.approx(np.hstack(expected), rel=1e-10)


def test_each_engine_has_programs_of_its_own(one):
    """Those of JAX are for one device, but that which trains."""
    assert {tuple(program) for program in one["programs"]} >= {
        *((kind, "native", None, "native", None) for kind in ("training", "outputs", "loss")),
        *((kind, "jax", None, "jax", 1) for kind in ("outputs", "loss")),
        *(("training", "jax", devices, "jax", devices) for devices in (1, 8)),
    }


def test_callbacks_may_change_the_rate_freeze_layers_and_replace_them(one):
    expected, found = one["changes"]
    assert len(found["curves"]["loss"]) == 5
    same(found, expected)


# Two processes.


@pytest.mark.parametrize("name", PROBLEMS)
def test_two_processes_train_as_one_does(two, name):
    for process in two["processes"]:
        expected, found = process["curves_of_all"][name]
        same(found, expected, 1e-4 if "float32" in name else 1e-10)
    numbers = [process["curves_of_all"][name][1] for process in two["processes"]]
    assert numbers[0] == numbers[1], "to the bit: nothing would bring them together again"


def test_a_run_goes_on_in_two_processes_and_then_in_one_again(two):
    same(two["end"], convolutional_network().fit(epochs=9))


def test_the_first_process_alone_writes(two):
    for process, epochs in zip(two["processes"], ([4, 5, 6], []), strict=True):
        assert process["go_on_together"] == {"written": epochs, "epochs": 6}


def test_each_process_reads_its_share_of_a_batch_only(two):
    order = shuffled(81 + 9, 0, 0)
    first, second = (process["rows_read"] for process in two["processes"])
    assert len(first) == len(second) == 5
    for step, shares in enumerate(zip(first, second, strict=True)):
        assert [len(share) for share in shares] == [8, 8]
        assert sorted(shares[0] + shares[1]) == sorted(order[16 * step : 16 * (step + 1)].tolist())


def test_the_first_process_alone_shows_a_bar(two):
    assert [process["bars"] for process in two["processes"]] == [[True], [False]]


def test_processes_agree_on_what_validation_measures(two):
    """Or they would stop early after different epochs."""
    for process in two["processes"]:
        expected, found = process["agreement"]
        same(found, expected)


@pytest.mark.parametrize("name", DIFFERENCES)
def test_processes_that_differ_are_refused_in_both_and_nothing_has_changed(two, name):
    for process in two["processes"]:
        message, unchanged = process["differences"][name]
        assert message.startswith(f"ValueError: process 1 has another {name} than process 0: ")
        assert "\n" not in message
        assert unchanged


@pytest.mark.parametrize("name", LATER)
def test_processes_that_differ_on_the_way_stop_both(two, name):
    for process in two["processes"]:
        assert process["later"][name].startswith(f"ValueError: {LATER[name][1]}")


def test_an_error_of_one_process_is_an_error_of_both(two):
    first, second = (process["failures_of_one"] for process in two["processes"])
    assert first[0] == "RuntimeError: process 1 stopped with an error, which it shows"
    assert second[0].startswith("ValueError: ")
    assert first[1].startswith("FileNotFoundError: ")
    assert second[1] == "RuntimeError: process 0 stopped with an error, which it shows"


def test_processes_share_the_work_on_all_their_devices(two):
    words = 'ValueError: 2 processes with 4 devices share the work: devices="all" or 4, not 2'
    assert [process["too_few_devices"] for process in two["processes"]] == [[words, True]] * 2


def test_a_loss_that_is_no_number_stops_both_processes(two):
    for process in two["processes"]:
        words, steps = process["lost_together"]
        assert re.match("the loss is (inf|nan) after epoch 1", words)
        assert steps == 2


def test_a_wrong_index_in_the_share_of_one_process_stops_both(two):
    for process in two["processes"]:
        (words, steps, numbers), (also, as_many, found) = process["wrong_index_together"]
        assert (also, as_many) == (words, steps)
        assert found == pytest.approx(numbers, rel=1e-10)


def test_a_process_may_predict_alone(two):
    expected, found = two["processes"][0]["alone"]
    for name in ("predict", "predict_proba", "evaluate"):
        assert found[name] == pytest.approx(expected[name], rel=1e-12), name
