"""`scalargrad gpt`: what its network computes, and what the command learns, writes, prints and refuses."""

import itertools
import json
import random
from dataclasses import asdict, replace

import matplotlib
import numpy
import pytest

from scalargrad import Value, cli, compile
from scalargrad.datasets import names as grammar
from scalargrad.datasets.texts import MOST_LETTERS, decode, encode, letters_of, read_texts
from scalargrad.demos import gpt, names
from scalargrad.demos.gpt import END, GPT
from tests.paths import PACKAGE

TINY = ["--steps", "3", "--names", "4", "--longest", "4", "--batch-size", "4", "--backend", "numpy"]


def run(*arguments):
    """Exit status of the command."""
    try:
        return cli.main([str(argument) for argument in arguments])
    except SystemExit as stopped:
        return stopped.code


def small(**options):
    return GPT(vocabulary=5, longest=6, width=4, heads=2, rng=1, **options)


def scores_of(model, tokens):
    memory = []
    return [[float(score) for score in model.read(token, memory)] for token in tokens]


@pytest.fixture(autouse=True)
def coarse_pictures(monkeypatch):
    monkeypatch.setitem(matplotlib.rcParams, "savefig.dpi", 20)


# The network.


def test_it_is_read_on_two_screens():
    assert len((PACKAGE / "demos" / "gpt.py").read_text(encoding="utf-8").splitlines()) <= 120


def test_its_numbers_are_counted():
    model = GPT(vocabulary=27)
    assert len(model.parameters()) == 27 * 16 + 16 * 16 + 4 * 16 * 16 + 2 * 16 * 64 + 27 * 16 == 4192
    assert {name: array.shape for name, array in model.state_dict().items()}["widen"] == (64, 16)


@pytest.mark.oracle("torch")
def test_losses_and_gradients_are_pytorchs():
    import torch

    from tests.oracles import torch_gpt

    model = small()
    rows = numpy.array([[0, 1, 2, 3, 4, 2, 1], [0, 3, 0, 0, 0, 0, 0], [0, 4, 4, 0, 0, 0, 0]], dtype="float64")
    peer = torch_gpt.GPT(model.state_dict(), heads=2)
    theirs = peer.loss(torch.tensor(rows).long())
    theirs.backward()
    ours = sum(model.loss(row) for row in rows.tolist()) / len(rows)
    ours.backward()
    program = compile(model.loss)
    assert ours.data == pytest.approx(theirs.item(), rel=1e-12)
    assert program(rows) == pytest.approx(theirs.item(), rel=1e-12)
    for name, array in model.named_arrays():
        slopes = numpy.vectorize(lambda parameter: parameter.grad)(numpy.array(array, dtype=object))
        numpy.testing.assert_allclose(slopes, getattr(peer, name).grad.numpy(), rtol=1e-9, atol=1e-14, err_msg=name)


@pytest.mark.oracle("torch")
def test_training_is_pytorchs_with_adam_at_a_rate_that_falls_along_a_line():
    import torch

    from tests.oracles import torch_gpt

    model, steps = small(), 12
    rows = encode(["abd", "b", "dcab", "dd"], "\nabcd", model.longest)
    peer = torch_gpt.GPT(model.state_dict(), heads=2)
    optimizer = torch.optim.Adam(peer.parameters(), 0.05)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, steps)
    theirs = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = peer.loss(torch.tensor(rows).long())
        loss.backward()
        optimizer.step()
        schedule.step()
        theirs.append(loss.item())
    assert theirs[-1] < 0.8 * theirs[0]
    assert list(gpt.train(model, [rows] * steps, steps, 0.05)) == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("backend", ["native", "numpy"])
def test_eager_and_compiled_give_one_curve(backend):
    rows = encode(["abd", "b", "dc", "dd", "ca", "c"], "\nabcd", 6)
    batches = [rows[:3], rows[3:5], rows[5:], rows[1:4]]  # of which one is as large as another
    curves = [list(gpt.train(small(), batches, 4, 0.05, backend=one)) for one in ("eager", backend)]
    assert curves[1] == pytest.approx(curves[0], rel=1e-12)
    assert curves[0][3] < curves[0][0]


def test_a_text_has_the_loss_that_it_has_without_the_places_after_it():
    model = small()
    padded, alone = [0, 2, 1, 0, 0, 0, 0], [0, 2, 1, 0]
    assert model.loss(padded).data == pytest.approx(model.loss(alone).data, rel=1e-14)
    assert model.loss([0, 2, 1, 0, 0, 0, 3]).data == pytest.approx(model.loss(alone).data, rel=1e-14)
    assert model.loss([0, 0, 0]).data == model.loss([0, 0]).data  # an empty text ends at once


def test_what_follows_changes_nothing_of_what_was_read():
    model = small()
    assert scores_of(model, [0, 1, 2, 3])[:2] == scores_of(model, [0, 1, 4, 4])[:2]
    assert scores_of(model, [0, 1, 2])[2] != scores_of(model, [0, 3, 2])[2]


def test_it_reads_so_many_tokens_and_no_more():
    assert len(scores_of(small(), [0] * 6)) == 6
    with pytest.raises(ValueError, match="this GPT reads a text of up to 6 tokens"):
        small().loss([0] * 8)


def test_heads_look_back_with_weights_that_add_up_to_1():
    heads = names.looks(small(), [0, 1, 2])
    assert [[len(weights) for weights in head] for head in heads] == [[1, 2, 3]] * 2
    assert all(sum(weights) == pytest.approx(1.0) for head in heads for weights in head)
    assert heads[0][2] != heads[1][2]


def test_it_writes_until_the_end_or_as_much_as_it_can_read_and_records_nothing():
    model = small()
    texts = [model.write(random.Random(seed)) for seed in range(30)]
    assert texts == [model.write(random.Random(seed)) for seed in range(30)]
    assert len(set(map(tuple, texts))) > 10
    assert {len(text) for text in texts} >= {0, 1, model.longest}
    assert all(0 < token < 5 for text in texts for token in text)
    assert not any(parameter.grad for parameter in model.parameters())


def test_the_colder_the_likelier_is_what_it_writes():
    model = small()
    likeliest, memory = [END], []
    while len(memory) < model.longest and (not memory or likeliest[-1] != END):
        scores = [float(score) for score in model.read(likeliest[-1], memory)]
        likeliest.append(scores.index(max(scores)))
    assert model.write(random.Random(0), 1e-4) == [token for token in likeliest if token != END]


def test_a_letter_is_drawn_with_its_probability():
    class Watched(random.Random):
        def choices(self, letters, weights):
            seen.append(weights)
            return super().choices(letters, weights)

    model, seen = small(), []
    text = model.write(Watched(0), temperature=2.0)
    scores = numpy.array(scores_of(model, [END, *text][: len(seen)])) / 2.0
    chances = numpy.exp(scores)
    assert len(seen) > 1
    assert numpy.array(seen) == pytest.approx(chances / chances.sum(axis=1, keepdims=True))


# Texts.


def test_a_file_of_texts_is_read_whatever_made_it(tmp_path):
    path = tmp_path / "names.txt"
    path.write_bytes("\ufeff Ada \r\n\r\nZoe\u0308\r\x20\t\n山田\nO'Neil the 2nd\n\n".encode())
    assert read_texts(path) == ["Ada", "Zoë", "山田", "O'Neil the 2nd"]
    path.write_bytes(b"Ada")
    assert read_texts(path) == ["Ada"]


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (b"", "holds no text: one a line is wanted"),
        (b"\xef\xbb\xbf \r\n\n\t\n", "holds no text"),
        (b"Ada\nBob\xff\nEve", "is no text in UTF-8: line 2 holds the byte 0xff"),
        ("Ada".encode("utf-16"), "is no text in UTF-8: line 1"),
        (b"Ada\nBob\t5\n", r"line 2 holds '\\t', which is no letter"),
        (b"Ada\x00", r"line 1 holds '\\x00'"),
    ],
)
def test_a_file_that_holds_no_texts_is_refused_with_its_line(contents, words, tmp_path):
    path = tmp_path / "names.txt"
    path.write_bytes(contents)
    with pytest.raises(ValueError, match=rf"names\.txt .*{words}|{words}"):
        read_texts(path)


def test_letters_are_tokens_and_back():
    texts = ["Ada", "bob", "a b"]
    letters = letters_of(texts)
    assert letters == "\n Aabdo"
    tokens = encode(texts, letters, longest=16)
    assert tokens.shape == (3, 5)
    assert [decode(row[row > 0], letters) for row in tokens] == texts
    assert tokens[:, 0].tolist() == tokens[:, 4].tolist() == [END] * 3


def test_of_a_long_text_the_beginning_is_learned_and_no_end():
    assert encode(["abba", "ab", "a"], "\nab", longest=3).tolist() == [[0, 1, 2, 2], [0, 1, 2, 0], [0, 1, 0, 0]]
    assert encode(["aaa"], "\na", longest=3).tolist() == [[0, 1, 1, 1]]


def test_there_are_so_many_letters_at_most():
    fits = "".join(chr(0x4E00 + number) for number in range(MOST_LETTERS))
    assert len(letters_of([fits])) == MOST_LETTERS + 1
    with pytest.raises(ValueError, match="301 different letters, and at most 300"):
        letters_of([fits, "a"])


def test_the_grammar_is_the_floor(monkeypatch):
    monkeypatch.setattr(names, "GRAMMAR_NAMES", 100)
    data = names.data_from(None)
    assert data.letters[1:] == grammar.ALPHABET[1:]
    assert data.texts == grammar.generate_names(names.GRAMMAR_NAMES)
    assert 1.4 < data.floor < 1.5


# Batches.


def test_batches_go_through_all_rows_in_another_order_each_time():
    rows = numpy.arange(7)
    found = [batch.tolist() for batch in names.batches(rows, 3, 6, seed=4)]
    assert [len(batch) for batch in found] == [3] * 6
    epochs = [found[place] + found[place + 1] for place in (0, 2, 4)]
    assert all(len(set(epoch)) == 6 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert [batch.tolist() for batch in names.batches(rows, 3, 6, seed=4)] == found
    assert [len(batch) for batch in names.batches(rows, 100, 2, seed=4)] == [7, 7]


# The command.

REFUSED = [
    ("steps", 0),
    ("steps", 10**8),
    ("batch_size", 0),
    ("lr", 0.0),
    ("lr", float("nan")),
    ("lr", float("inf")),
    ("longest", 1),
    ("longest", 65),
    ("names", 0),
    ("temperature", 0.0),
    ("temperature", float("nan")),
    ("seed", -1),
    ("seed", 2**32),
    ("backend", "abacus"),
]


@pytest.mark.parametrize(("name", "setting"), REFUSED)
def test_a_setting_that_makes_no_sense_is_refused_by_name(name, setting):
    with pytest.raises(ValueError, match=name):
        replace(names.Settings(), **{name: setting})


@pytest.fixture
def two_names(tmp_path):
    """A file with two names."""
    path = tmp_path / "names.txt"
    path.write_text("Ada\nBob Ross\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with what `scalargrad gpt` writes, from a file of its own."""
    home = tmp_path_factory.mktemp("home")
    (home / "names.txt").write_text("Ada\nBob Ross\nZoë\n$x$\n山\n", encoding="utf-8")
    assert run("gpt", *TINY, "--seed", "3", "--data", home / "names.txt", "--out", home / "a" / "new place") == 0
    return home / "a" / "new place"


def test_every_file_is_written_and_no_other(trained):
    assert {path.name for path in trained.iterdir()} == {*names.FILES}
    for path in trained.glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        assert path.read_bytes().endswith(b"IEND\xaeB`\x82")
    assert len((trained / "names.txt").read_text(encoding="utf-8").splitlines()) == 4


def test_the_summary_holds_the_settings_the_results_and_the_versions(trained):
    summary = json.loads((trained / "summary.json").read_text(encoding="utf-8"))
    chosen = replace(names.Settings(), steps=3, names=4, longest=4, batch_size=4, seed=3, backend="numpy")
    assert summary["settings"] == asdict(chosen)
    assert summary["texts"] == {"count": 5, "longest": 8, "letters": 14}
    assert summary["parameters"] == (2 * 15 + 4 + 4 * 16 + 2 * 64) * 16
    assert summary["training"]["floor"] is None
    assert summary["names"]["made_up"] == 4
    assert {"python", "scalargrad", "numpy"} <= set(summary["versions"])


def test_it_says_what_comes_and_what_came(two_names, tmp_path, capsys):
    assert run("gpt", *TINY, "--data", two_names, "--out", tmp_path / "out") == 0
    printed, errors = capsys.readouterr()
    assert errors == ""
    lines = printed.splitlines()
    assert lines[:3] == [
        "2 texts of up to 8 letters, an alphabet of 9",
        "1 text longer than 3 letters: only the beginnings are learned",
        "GPT, 3456 parameters",
    ]
    assert lines[3].startswith("tracing and compiling for 4 tokens: about ")
    assert [line.split()[0] for line in lines[4:6]] == ["preparing", "training"]
    assert lines[7].startswith("3 steps: loss ")
    assert [line.split()[0] for line in lines[-4:]] == [str(tmp_path / "out" / name) for name in names.FILES]


def test_one_seed_gives_one_run_and_another_seed_another():
    data = names.Data(["ada", "bob", "eve"], "\nabdeov", None)
    settings = names.Settings(steps=3, names=3, longest=3, batch_size=2, backend="numpy")
    first, again, other = (names.learn(replace(settings, seed=seed), data) for seed in (1, 1, 2))
    assert (first.losses, first.made_up) == (again.losses, again.made_up)
    assert first.losses != other.losses
    assert first.made_up != other.made_up


def test_a_name_without_a_letter_is_no_name(monkeypatch):
    data, settings = names.Data(["ab", "b a"], "\n ab", None), names.Settings(steps=1, names=4, backend="numpy")
    written = itertools.cycle([[], [1], [2, 3], [1, 2, 1], [], [3, 1]])
    monkeypatch.setattr(names.GPT, "write", lambda model, source, temperature: next(written))
    assert names.learn(settings, data).made_up == ["ab", "a", "b", "ab"]
    monkeypatch.setattr(names.GPT, "write", lambda model, source, temperature: [])
    assert names.learn(settings, data).made_up == []  # of one that has only learned to end


def test_values_alone_learn_the_same(tmp_path):
    data = names.Data(["ab", "ba"], "\nab", None)
    settings = names.Settings(steps=2, names=1, longest=3, batch_size=2)
    eager, compiled = (names.learn(replace(settings, backend=one), data) for one in ("eager", "numpy"))
    assert compiled.losses == pytest.approx(eager.losses, rel=1e-12)
    assert compiled.made_up == eager.made_up


@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "binary"])
def test_a_file_that_cannot_be_learned_is_one_line_and_leaves_nothing(kind, tmp_path, capsys):
    path = tmp_path / "names.txt"
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes(b"" if kind == "empty" else bytes(range(256)))
    assert run("gpt", *TINY, "--data", path, "--out", tmp_path / "out") == 2
    printed, errors = capsys.readouterr()
    assert printed == ""
    assert errors.startswith("scalargrad gpt: error: ")
    assert len(errors.splitlines()) == 1
    assert "names.txt" in errors
    assert kind != "missing" or errors.endswith("names.txt (No such file or directory)\n")
    assert not (tmp_path / "out").exists()


def test_a_loss_that_is_no_number_stops_it_with_advice(two_names, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(names, "train", lambda *arguments: iter([1.0, float("nan")]))
    assert run("gpt", *TINY, "--data", two_names, "--out", tmp_path / "out") == 2
    assert "the loss is nan in step 2; a smaller lr helps" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_ctrl_c_leaves_all_as_it_was(two_names, monkeypatch, tmp_path, capsys):
    def interrupted(*arguments):
        yield 1.0
        raise KeyboardInterrupt

    monkeypatch.setattr(names, "train", interrupted)
    assert run("gpt", *TINY, "--data", two_names, "--out", tmp_path / "out") == 130
    assert capsys.readouterr().err == "scalargrad gpt: interrupted\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.long
def test_the_defaults_come_near_the_grammar():
    data = names.data_from(None)
    result = names.learn(names.Settings(names=100), data)
    assert result.loss < data.floor + 0.05
    assert sum(grammar.probability(name) > 0.0 for name in result.made_up) >= 70
    assert any(name not in data.texts for name in result.made_up)


def test_an_index_that_is_a_value_takes_its_row():
    model = small()
    assert scores_of(model, [Value(2.0)]) == scores_of(model, [2])
