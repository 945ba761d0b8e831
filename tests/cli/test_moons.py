"""The main job: what it trains, what it writes, what it refuses."""

import json
import math
import sys
from statistics import mean
from xml.etree import ElementTree

import pytest

from scalargrad import MLP
from scalargrad.cli import main
from scalargrad.datasets import load_moons
from scalargrad.demos.moons import FILES, Settings, learn, run
from scalargrad.optim import OPTIMIZERS
from tests.paths import ROOT, in_a_checkout

TINY = {"samples": 12, "hidden": (3,), "epochs": 3}

REFUSED = [
    ("samples", 1),
    ("samples", -5),
    ("samples", 10**9),
    ("noise", -0.1),
    ("noise", math.nan),
    ("noise", math.inf),
    ("hidden", ()),
    ("hidden", (8, 0)),
    ("hidden", (10**6, 10**6)),
    ("activation", "softmax"),
    ("output_activation", ""),
    ("optimizer", "lbfgs"),
    ("lr", 0.0),
    ("lr", -0.1),
    ("lr", math.nan),
    ("lr", math.inf),
    ("epochs", 0),
    ("alpha", -1e-4),
    ("alpha", math.nan),
    ("seed", -1),
    ("seed", 2**32),
    ("engine", "warp"),
]


@pytest.mark.parametrize(("name", "setting"), REFUSED)
def test_a_setting_that_makes_no_sense_is_refused_by_name(name, setting):
    with pytest.raises(ValueError, match=name):
        Settings(**{name: setting})


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("moons")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scalargrad.plots.places.GRID", 5)
        return folder, run(Settings(**TINY, seed=5), folder)


def test_every_file_is_written_and_no_other(written):
    folder, _ = written
    assert {path.name for path in folder.iterdir()} == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_what_its_name_says(written, name):
    path = written[0] / name
    match path.suffix:
        case ".png":
            assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
            assert path.read_bytes().endswith(b"IEND\xaeB`\x82")
        case ".svg":
            assert ElementTree.parse(path).getroot().tag == "{http://www.w3.org/2000/svg}svg"
        case ".json":
            assert json.loads(path.read_text(encoding="utf-8"))


def test_the_summary_holds_the_settings_the_results_and_the_versions(written):
    folder, result = written
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert Settings(**{**summary["settings"], "hidden": tuple(summary["settings"]["hidden"])}) == Settings(
        **TINY, seed=5
    )
    assert (summary["seed"], summary["loss"], summary["accuracy"]) == (5, result.loss, result.accuracy)
    assert summary["seconds"] == pytest.approx(result.seconds, abs=1e-3)
    assert set(summary["versions"]) == {"python", "scalargrad", "numpy", "scikit-learn", "matplotlib"}


def text_of(path):
    return " ".join(ElementTree.parse(path).getroot().itertext())


def test_the_neuron_shows_its_inputs_and_its_parameters(written):
    shown = text_of(written[0] / "neuron.svg")
    assert all(name in shown for name in ("x1", "x2", "weights.0", "weights.1", "bias"))


def test_the_network_is_drawn_after_backward(written):
    shown = text_of(written[0] / "model.svg")
    assert all(name in shown for name in ("x1", "x2", "loss", "after backward()"))


def test_the_points_are_scikit_learns():
    from sklearn.datasets import make_moons

    points, labels = load_moons(20, 0.3, 7)
    expected_points, expected_labels = make_moons(20, noise=0.3, random_state=7)
    assert (points == expected_points).all()
    assert (labels == expected_labels).all()


def test_the_default_network_is_the_one_of_the_readme():
    result = learn(Settings(epochs=1))
    assert len(result.model.parameters()) == 105
    assert [layer.neurons[0].activation for layer in result.model.layers] == ["relu", "relu", "linear"]


def test_loss_and_accuracy_are_those_of_the_network_as_it_stays():
    result = learn(Settings(samples=30, epochs=5, alpha=0.01))
    outputs = [result.model(point).data for point in result.points]
    error = sum((output - label) ** 2 for output, label in zip(outputs, result.labels, strict=True)) / 30
    size = sum(parameter.data**2 for parameter in result.model.parameters())
    assert result.loss == pytest.approx(error + 0.01 * size, rel=1e-12)
    of_each_threshold = [
        mean([(output > threshold) == label for output, label in zip(outputs, result.labels, strict=True)])
        for threshold in (0, 0.5, 1)
    ]
    assert result.accuracy == of_each_threshold[1]
    assert len(set(of_each_threshold)) == 3  # else another threshold would pass this test


def test_one_seed_gives_one_result_and_another_seed_another():
    first, again, other = (learn(Settings(**TINY, seed=seed)).history for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_lowers_the_loss(name):
    losses = learn(Settings(samples=12, epochs=10, optimizer=name, lr=0.01)).history["loss"]
    assert losses[-1] < losses[0]


@pytest.mark.sampled(7)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_both_engines_give_one_curve(name):
    options = {"samples": 40, "epochs": 30, "optimizer": name, "lr": 0.01, "activation": "tanh"}
    eager, compiled = (learn(Settings(**options, engine=engine)) for engine in ("eager", "compiled"))
    assert compiled.history["loss"] == pytest.approx(eager.history["loss"], abs=1e-9)
    assert compiled.history["accuracy"] == eager.history["accuracy"]
    for ours, theirs in zip(compiled.model.parameters(), eager.model.parameters(), strict=True):
        assert ours.data == pytest.approx(theirs.data, abs=1e-9)
    assert set(compiled.preparation) == {"tracing", "compiling"}


def test_after_every_epoch_the_network_is_the_one_that_was_measured():
    seen = []
    result = learn(Settings(samples=20, epochs=4), after_epoch=lambda epoch, measures: seen.append((epoch, measures)))
    assert [epoch for epoch, _ in seen] == [1, 2, 3, 4]
    assert [measures["loss"] for _, measures in seen] == result.history["loss"][1:]


@pytest.mark.parametrize("engine", ["eager", "compiled"])
def test_the_curve_is_what_fit_measures_with_the_network_as_it_stays_at_its_end(engine):
    settings = Settings(samples=20, epochs=4, engine=engine)
    result, fits = learn(settings), MLP(2, [8, 8, 1], rng=0)
    optimizer = OPTIMIZERS["adam"](settings.lr)
    history = fits.fit(
        result.points, result.labels, "mse", optimizer, epochs=4, l2=settings.alpha, engine=engine, progress=False
    )
    assert result.history["loss"][:-1] == pytest.approx(history["loss"], rel=1e-14)
    assert [p.data for p in result.model.parameters()] == [p.data for p in fits.parameters()]


def test_an_error_for_the_engine_names_the_default_too():
    with pytest.raises(ValueError, match=f"there are .*{Settings().engine}"):
        Settings(engine="warp")


@pytest.mark.parametrize("words", [["--engine", "eager"], ["--backend", "eager"]])
def test_both_words_choose_the_backend(words, tmp_path, monkeypatch, capsys):
    seen = []
    monkeypatch.setattr("scalargrad.demos.moons.run", lambda settings, *others: seen.append(settings) or sys.exit(0))
    with pytest.raises(SystemExit):
        main(["moons", "--out", str(tmp_path / "out"), *words])
    assert seen[0].engine == "eager"


def test_ctrl_c_ends_the_job_after_a_whole_step():
    def interrupt(epoch, measures):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn(Settings(**TINY), after_epoch=interrupt)


def test_the_defaults_learn_the_moons():
    result = learn(Settings(seed=3, epochs=60))
    assert result.accuracy >= 0.99


def test_a_run_that_diverges_says_so():
    with pytest.raises(FloatingPointError, match="smaller learning rate"):
        learn(Settings(samples=12, epochs=5, optimizer="sgd", lr=1e9))


@in_a_checkout
def test_the_table_of_seeds_is_of_these_defaults_and_good_enough():
    table = (ROOT / "benchmarks" / "results" / "moons_seeds.txt").read_text(encoding="utf-8").splitlines()
    assert f"the defaults: {Settings()}" in table
    (row,) = [line.split() for line in table if line.startswith("the defaults  ")]
    assert int(row[-3]) >= 95
