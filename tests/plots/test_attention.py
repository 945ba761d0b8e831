"""The picture of attention, and that of the loss by step."""

import matplotlib
import numpy
import pytest

from scalargrad.plots import plot_attention, plot_steps

WEIGHTS = [[[1.0], [0.25, 0.75]], [[1.0], [0.5, 0.5]]]


def drawn(figure, path):
    figure.savefig(path, dpi=30)
    return path.read_bytes()


def test_each_head_has_a_panel_in_which_the_weights_to_come_are_missing(tmp_path):
    figure = plot_attention(WEIGHTS, ["▸", "a"], "Two heads")
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == ["head 1", "head 2"]
    for axes, head in zip(panels, WEIGHTS, strict=True):
        square = axes.images[0].get_array()
        assert [row[: n + 1].tolist() for n, row in enumerate(square.filled(numpy.nan))] == head
        assert numpy.isnan(square.filled(numpy.nan)[0, 1])
        assert [text.get_text() for text in axes.get_xticklabels()] == ["▸", "a"]
    assert drawn(figure, tmp_path / "a.png").startswith(b"\x89PNG")


def test_every_letter_is_drawn_as_itself_or_as_its_number(tmp_path):
    figure = plot_attention([[[1.0], [0.5, 0.5], [0.2, 0.2, 0.6]]], ["$x$", "山", "_^"], "$ 山 $")
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["$x$", "5C71", "_^"]
    assert figure.get_suptitle() == "$ 5C71 $"
    drawn(figure, tmp_path / "a.png")  # without a warning


@pytest.mark.parametrize(
    ("weights", "tokens"), [([], ["a"]), ([[]], []), ([[[1.0]]], ["a", "b"]), ([[[1.0], [1.0]]], ["a", "b"])]
)
def test_weights_that_do_not_fit_the_tokens_are_refused(weights, tokens):
    with pytest.raises(ValueError, match=r"plot_attention has nothing to draw|weights of a head are a row for each of"):
        plot_attention(weights, tokens, "")


def test_the_mean_of_the_steps_around_is_theirs():
    losses = numpy.random.default_rng(0).uniform(size=250)
    figure = plot_steps(losses.tolist(), "250 steps", {"a guess": 0.5, "another": 0.7})
    step, mean, *known = figure.axes[0].lines
    assert step.get_ydata().tolist() == losses.tolist()
    assert step.get_xdata()[[0, -1]].tolist() == [1, 250]
    wanted = [losses[max(0, place - 3) : place + 4].mean() for place in range(250)]
    assert mean.get_ydata() == pytest.approx(wanted)
    assert [line.get_label() for line in known] == ["a guess", "another"]
    assert known[0].get_linestyle() != known[1].get_linestyle()


def test_one_step_is_a_dot_and_none_an_error():
    assert plot_steps([1.0], "one").axes[0].lines[0].get_marker() == "o"
    with pytest.raises(ValueError, match="nothing to draw"):
        plot_steps([], "none")


def test_pictures_leave_matplotlibs_own_state_alone():
    before = dict(matplotlib.rcParams)
    plot_attention(WEIGHTS, ["a", "b"], "t")
    plot_steps([1.0, 2.0], "t")
    assert dict(matplotlib.rcParams) == before
