"""Augmentation: PyTorch turns and moves images the same way, and a seed decides which."""

import numpy as np
import pytest

from scalargrad import MLP, Adam
from scalargrad.datasets import load_digits
from scalargrad.datasets.augmentation import Augment, Rotate, Shift, normalised, rotated, shifted

SOURCE = np.random.default_rng(0)
IMAGES = SOURCE.random((5, 2, 7, 9))


@pytest.mark.parametrize("fill", [0.0, 0.25])
def test_rotation_is_pytorchs_grid_sample(fill, torch):
    from torch.nn.functional import grid_sample

    angles = np.array([0.0, 0.1, -0.7, np.pi / 2, 3.0])
    height, width = IMAGES.shape[-2:]
    rows, columns = np.meshgrid(np.arange(height) - 3.0, np.arange(width) - 4.0, indexing="ij")
    c, s = np.cos(angles)[:, None, None], np.sin(angles)[:, None, None]
    x, y = c * columns - s * rows, s * columns + c * rows
    grid = np.stack([x * 2.0 / width, y * 2.0 / height], axis=-1)  # -1 to 1 from edge to edge
    expected = grid_sample(torch.tensor(IMAGES - fill), torch.tensor(grid), align_corners=False).numpy() + fill
    np.testing.assert_allclose(rotated(IMAGES, angles, fill), expected, atol=1e-12)


def test_a_quarter_turn_and_no_turn_are_exact():
    square = SOURCE.random((3, 1, 6, 6))
    np.testing.assert_allclose(rotated(square, np.zeros(3)), square, atol=0)
    np.testing.assert_allclose(rotated(square, np.full(3, np.pi / 2)), np.rot90(square, axes=(2, 3)), atol=1e-12)


def test_a_shift_moves_pixels_and_fills_with_paper():
    moved = shifted(IMAGES, np.array([0, 1, -2, 20, 0]), np.array([0, 0, 3, 0, -1]), fill=0.5)
    assert (moved[0] == IMAGES[0]).all()
    assert (moved[1, :, :, 1:] == IMAGES[1, :, :, :-1]).all()
    assert (moved[1, :, :, 0] == 0.5).all()
    assert (moved[2, :, 3:, :-2] == IMAGES[2, :, :-3, 2:]).all()
    assert (moved[3] == 0.5).all()
    assert (moved[4, :, :-1] == IMAGES[4, :, 1:]).all()


@pytest.mark.parametrize("augment", [Rotate(20.0), Shift(2), Augment(Rotate(7.0), Shift(1))])
def test_seed_and_epoch_decide_and_the_row_whatever_else_there_is(augment):
    images = np.repeat(SOURCE.random((1, 64)).astype("float32"), 2500, axis=0)
    first = augment(images, 3, 5)
    assert first.dtype == images.dtype
    assert first.shape == images.shape
    assert (augment(images, 3, 5) == first).all()
    assert (augment(images[:1200], 3, 5) == first[:1200]).all()
    for other in (augment(images, 3, 6), augment(images, 4, 5)):
        assert (other != first).any(axis=1).mean() > 0.5
    assert len(np.unique(first, axis=0)) > 5


def test_angles_and_shifts_fill_their_range_evenly():
    ramp = np.arange(21.0)[None, :].repeat(21, axis=0)
    many = np.repeat(ramp[None], 4000, axis=0)
    moved = Shift(2)(many, 0, 0)[:, 10, 10]
    assert sorted(np.unique(moved)) == [8.0, 9.0, 10.0, 11.0, 12.0]
    assert np.bincount((moved - 8.0).astype(int)).min() > 700
    turned = Rotate(10.0)(many, 0, 0)[:, 10, 20] - 10.0  # 10 cos(angle)
    angles = np.degrees(np.arccos(np.clip(turned / 10.0, -1.0, 1.0)))
    assert 9.9 < angles.max() <= 10.0 + 1e-6
    assert abs(angles.mean() - 5.0) < 0.2


def test_normalised_images_have_the_mean_and_the_deviation_taken_out():
    images = SOURCE.random((4, 9)).astype("float32")
    found = normalised(images, 0.1307, 0.3081)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, (images - 0.1307) / 0.3081, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("engine", ["compiled", "eager"])
def test_fit_augments_each_epoch_anew_and_resumes_with_the_same_bits(engine, tmp_path):
    from scalargrad import Checkpoint

    images, labels = load_digits()
    images, labels = images[:60], labels[:60]
    settings = {"loss": "cross_entropy", "batch_size": 20, "augment": Shift(1), "engine": engine, "progress": False}
    seen = []

    def spy(array, seed, epoch):
        seen.append(epoch)
        return Shift(1)(array, seed, epoch)

    def model():
        return MLP(64, [10], init="he", rng=0)

    whole, part, other = model(), model(), model()
    whole.fit(images, labels, optimizer=Adam(0.01), epochs=4, **settings)
    path = tmp_path / "run.safetensors"
    part.fit(images, labels, optimizer=Adam(0.01), epochs=2, callbacks=[Checkpoint(path)], **settings)
    other.fit(images, labels, optimizer=Adam(0.01), epochs=4, resume=path, **settings)
    assert [p.data for p in other.parameters()] == [p.data for p in whole.parameters()]
    model().fit(images, labels, optimizer=Adam(0.01), epochs=3, **{**settings, "augment": spy})
    assert len(set(seen)) == 3
    with pytest.raises(ValueError, match="holds a run with augment"):
        other.fit(images, labels, optimizer=Adam(0.01), epochs=4, resume=path, **{**settings, "augment": Shift(2)})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Rotate(-1.0), "degrees is a number from 0 to 180, got -1.0"),
        (lambda: Rotate(float("nan")), "degrees is a number"),
        (lambda: Rotate(3.0, fill="paper"), "fill is a number, got 'paper'"),
        (lambda: Shift(1.5), "pixels is a whole number from 0 on, got 1.5"),
        (lambda: normalised(IMAGES, 0.0, 0.0), "deviation is a number above 0, got 0.0"),
        (lambda: Rotate(3.0)(np.ones((2, 5)), 0, 0), "rows of 5 pixels are no squares"),
        (lambda: Rotate(3.0)(np.ones(5), 0, 0), r"images are .* got the shape \(5,\)"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_an_augmentation_cannot_change_the_users_samples():
    images, labels = load_digits()

    def in_place(x, seed, epoch):
        x += 1.0
        return x

    with pytest.raises(ValueError, match="read-only"):
        MLP(64, [10], rng=0).fit(images[:60], labels[:60], "cross_entropy", augment=in_place)
    assert images.flags.writeable
    assert (images == load_digits()[0]).all()


def test_an_augmentation_that_changes_the_shape_is_refused():
    images, labels = load_digits()
    with pytest.raises(ValueError, match=r"augment returned the shape \(60, 3\)"):
        MLP(64, [10], rng=0).fit(
            images[:60], labels[:60], "cross_entropy", augment=lambda x, seed, epoch: x[:, :3], progress=False
        )
    with pytest.raises(TypeError, match="augment is a function"):
        MLP(64, [10], rng=0).fit(images[:60], labels[:60], "cross_entropy", augment=3)


@pytest.mark.parametrize("augment", [Rotate(20.0), Shift(1), Augment(Rotate(7.0), Shift(1))])
def test_images_may_be_lists_and_are_numbers(augment):
    images = np.random.default_rng(0).random((2, 4, 4))
    assert (augment(images.tolist(), 0, 1) == augment(images, 0, 1)).all()
    for wrong in (None, "text", images * 1j, [["a"]]):
        with pytest.raises(TypeError, match=r"^(Rotate|Shift) takes images, an array of numbers, got "):
            augment(wrong, 0, 1)


def test_images_of_bytes_are_moved_but_not_turned():
    images = np.arange(32, dtype="uint8").reshape(2, 4, 4)
    assert (Shift(1)(images, 0, 1) == Shift(1)(images.astype(float), 0, 1)).all()
    with pytest.raises(TypeError, match=r"^Rotate takes images of floats, got uint8"):
        Rotate(20.0)(images, 0, 1)


@pytest.mark.parametrize("returned", [None, "text", 1j])
@pytest.mark.parametrize("backend", ["numpy", "eager"])
def test_an_augmentation_that_returns_no_real_numbers_is_refused_before_a_step(returned, backend):
    model = MLP(4, [1], rng=0)
    before = model.state_dict()

    def augment(images, seed, epoch):
        return images * 1j if returned == 1j else returned

    with pytest.raises(TypeError, match=r"^augment returns an array of real numbers, and this one returned "):
        model.fit(np.ones((2, 4)), [0, 1], backend=backend, progress=False, augment=augment)
    assert all((array == before[name]).all() for name, array in model.state_dict().items())
