"""What patches promise: the batch of step k depends on seed and k alone, and is aligned."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from srlab.data.patches import Patches
from srlab.errors import UserError
from srlab.pixels.degradations import degrade, degrade_luma, luma_plane
from srlab.pixels.images import HRImage


def image(seed: int, height: int = 40, width: int = 56) -> HRImage:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return HRImage(name=f"image{seed}", pixels=pixels, is_gray=False)


Color = Literal["rgb", "luma"]
EXPECTED_CORNERS = [[240, 0, 2], [21, 0, 0], [89, 1, 4]]  # of HR, red green blue
IMAGES = [image(0), image(1, 33, 45), image(2, 48, 34)]


def patches(
    images: Sequence[HRImage] = IMAGES,
    *,
    scale: int = 2,
    lr_patch_size: int = 6,
    batch_size: int = 8,
    **options: Any,
) -> Patches:
    return Patches(images, scale=scale, lr_patch_size=lr_patch_size, batch_size=batch_size, **options)


def levels(batch: Tensor) -> NDArray[np.uint8]:
    """[N, H, W, C] uint8 of a batch."""
    return np.rint(batch.permute(0, 2, 3, 1).numpy() * 255).astype(np.uint8)


def places(small: NDArray[np.uint8], patch: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Where a patch lies in a picture."""
    size = patch.shape[0]
    windows = np.lib.stride_tricks.sliding_window_view(small, (size, size), axis=(0, 1)).transpose(
        0, 1, 3, 4, 2
    )
    return [(int(y), int(x)) for y, x in np.argwhere((windows == patch).all(axis=(2, 3, 4)))]


@pytest.mark.parametrize(("color", "channels"), [("rgb", 3), ("luma", 1)])
def test_a_batch_is_contiguous_float32_of_the_right_shape_in_0_to_1(color: Color, channels: int) -> None:
    lr, hr = patches(color=color, scale=3).batch(0, seed=0)
    assert (lr.shape, hr.shape) == ((8, channels, 6, 6), (8, channels, 18, 18))
    for batch in (lr, hr):
        assert batch.dtype == torch.float32
        assert batch.is_contiguous()
        assert batch.min() >= 0
        assert batch.max() <= 1


@pytest.mark.parametrize("options", [{}, {"color": "luma"}, {"jpeg_noise": True}], ids=str)
def test_the_batch_of_a_step_depends_on_seed_and_step_alone(options: Any) -> None:
    one, other = patches(**options), patches(**options)
    one.prepare()
    for step in (7, 0, 3):  # in any order, with anything drawn before
        np.random.default_rng().random()
        torch.rand(1)
        for a, b in zip(one.batch(step, seed=5), other.batch(step, seed=5), strict=True):
            assert torch.equal(a, b)
    lr = other.batch(3, seed=5)[0]
    assert not torch.equal(lr, one.batch(4, seed=5)[0])
    assert not torch.equal(lr, one.batch(3, seed=6)[0])


def test_the_draws_are_what_they_were_when_this_was_written() -> None:
    """Another NumPy, torch or platform must not change a run's patches."""
    ramp = np.arange(30 * 30, dtype=np.uint16).reshape(30, 30)
    pixels = np.stack([ramp % 251, ramp // 251, ramp % 7], axis=2).astype(np.uint8)
    drawn = patches([HRImage(name="ramp", pixels=pixels, is_gray=False)], lr_patch_size=4, batch_size=3)
    hr = levels(drawn.batch(2, seed=1)[1])
    assert hr[:, 0, 0].tolist() == EXPECTED_CORNERS


def test_global_random_state_is_neither_read_nor_changed() -> None:
    state = torch.get_rng_state()
    patches(jpeg_noise=True).batch(0, seed=0)
    assert torch.equal(state, torch.get_rng_state())


def test_a_smaller_batch_is_the_beginning_of_a_larger_one() -> None:
    small, large = patches(batch_size=3).batch(1, seed=2), patches(batch_size=8).batch(1, seed=2)
    assert torch.equal(small[0], large[0][:3])


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_lr_and_hr_show_the_same_place_and_lr_is_of_the_whole_picture(scale: int) -> None:
    only = image(3, 50, 61)
    hr_whole = only.pixels[: 50 // scale * scale, : 61 // scale * scale]
    lr_whole = degrade(hr_whole, scale=scale)
    drawn = patches([only], scale=scale, flips=False, quarter_turns=False)
    for lr, hr in zip(*map(levels, drawn.batch(0, seed=0)), strict=True):
        [(y, x)] = places(lr_whole, lr)
        np.testing.assert_array_equal(hr, hr_whole[scale * y : scale * (y + 6), scale * x : scale * (x + 6)])


def test_every_image_and_place_is_drawn_about_equally_often() -> None:
    tiny = [image(seed, 16, 16) for seed in range(3)]
    drawn = patches(tiny, lr_patch_size=7, batch_size=2400, flips=False, quarter_turns=False)
    lr = levels(drawn.batch(0, seed=0)[0])
    where = Counter(
        (n, place)
        for patch in lr
        for n, picture in enumerate(tiny)
        for place in places(degrade(picture.pixels, scale=2), patch)
    )
    assert set(where) == {(n, (y, x)) for n in range(3) for y in range(2) for x in range(2)}
    assert all(140 < count < 260 for count in where.values())  # 200 expected


@pytest.mark.parametrize(
    ("flips", "quarter_turns", "expected"),
    [(False, False, 1), (True, False, 4), (False, True, 4), (True, True, 8)],
)
def test_flips_and_turns_give_all_their_orientations_equally_often_and_lr_like_hr(
    flips: bool, quarter_turns: bool, expected: int
) -> None:
    only = image(4, 12, 12)
    lr_whole = degrade(only.pixels, scale=2)
    drawn = patches([only], lr_patch_size=6, batch_size=800, flips=flips, quarter_turns=quarter_turns)
    turned = [np.rot90(mirrored, turns) for mirrored in (lr_whole, lr_whole[:, ::-1]) for turns in range(4)]
    hr_turned = [
        np.rot90(mirrored, turns) for mirrored in (only.pixels, only.pixels[:, ::-1]) for turns in range(4)
    ]
    seen: Counter[int] = Counter()
    for lr, hr in zip(*map(levels, drawn.batch(0, seed=0)), strict=True):
        [which] = [n for n, candidate in enumerate(turned) if np.array_equal(candidate, lr)]
        np.testing.assert_array_equal(hr, hr_turned[which])
        seen[which] += 1
    assert len(seen) == expected
    assert all(0.6 < count * expected / 800 < 1.4 for count in seen.values())
    if not flips:
        assert set(seen) <= {0, 1, 2, 3}  # turned, never mirrored


def test_luma_sees_the_same_patches_as_colour() -> None:
    """Where colour and luma patches are cut from a gray scene, they agree."""
    pixels = np.repeat(np.random.default_rng(0).integers(0, 256, (40, 50, 1), np.uint8), 3, axis=2)
    scene = [HRImage(name=f"{n}", pixels=np.roll(pixels, n, axis=1), is_gray=True) for n in range(4)]
    rgb = patches(scene, color="rgb").batch(3, seed=1)
    y = patches(scene, color="luma").batch(3, seed=1)
    assert torch.equal(rgb[1][:, :1], y[1])
    assert (rgb[0][:, :1] - y[0]).abs().max() < 3 / 255  # LR of luma is not rounded


def test_luma_is_y_rounded_for_hr_and_as_float_for_lr() -> None:
    only = image(5, 24, 24)
    y = luma_plane(only)
    lr, hr = patches(
        [only], lr_patch_size=12, batch_size=1, color="luma", flips=False, quarter_turns=False
    ).batch(0, seed=0)
    np.testing.assert_array_equal(levels(hr)[0, ..., 0], y)
    np.testing.assert_array_equal(lr[0, 0].numpy(), degrade_luma(y, scale=2))


@pytest.mark.parametrize("color", ["rgb", "luma"])
def test_jpeg_noise_touches_half_of_the_lr_patches_and_no_hr_and_moves_nothing(color: Color) -> None:
    plain = patches(batch_size=400, lr_patch_size=8, color=color).batch(0, seed=0)
    noisy = patches(batch_size=400, lr_patch_size=8, color=color, jpeg_noise=True).batch(0, seed=0)
    assert torch.equal(plain[1], noisy[1])
    differs = (plain[0] != noisy[0]).flatten(1).any(dim=1)
    assert 160 < differs.sum() < 240
    assert (plain[0] - noisy[0])[differs].abs().mean() < 0.2
    assert noisy[0].is_contiguous()
    assert noisy[0].dtype == torch.float32


def test_jpeg_noise_is_of_every_quality_from_50_to_95(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: Counter[int] = Counter()

    def record(lr: NDArray[np.uint8], *, quality: int) -> NDArray[np.uint8]:
        seen[quality] += 1
        return lr

    monkeypatch.setattr("srlab.data.patches.jpeg_noise", record)
    patches(batch_size=2000, jpeg_noise=True).batch(0, seed=0)
    assert set(seen) == set(range(50, 96))
    assert max(seen.values()) < 50  # 22 expected


def test_the_border_of_the_kernel_is_the_one_asked_for() -> None:
    only = image(6, 24, 24)
    drawn = patches(
        [only], lr_patch_size=12, batch_size=1, border="symmetric", flips=False, quarter_turns=False
    )
    expected = degrade(only.pixels, scale=2, border="symmetric")
    np.testing.assert_array_equal(levels(drawn.batch(0, seed=0)[0])[0], expected)
    assert not np.array_equal(expected, degrade(only.pixels, scale=2))
    drawn = patches(
        [only],
        lr_patch_size=12,
        batch_size=1,
        color="luma",
        border="symmetric",
        flips=False,
        quarter_turns=False,
    )
    luma = degrade_luma(luma_plane(only), scale=2, border="symmetric")
    np.testing.assert_array_equal(drawn.batch(0, seed=0)[0][0, 0].numpy(), luma)


def test_images_smaller_than_a_patch_are_an_error_that_says_what_would_fit() -> None:
    with pytest.raises(
        UserError,
        match=r"2 of 3 .*image1 is 45x33 .* patches of 18 at x2 need 36x36; use --lr-patch-size 16, which ",
    ):
        patches(lr_patch_size=18)
    patches(lr_patch_size=16)


def test_a_single_pixel_to_train_on_is_the_same_error() -> None:
    dot = HRImage(name="dot", pixels=np.zeros((1, 1, 3), np.uint8), is_gray=False)
    with pytest.raises(UserError, match=r"1 of 4 .*dot is 1x1 .*no patch fits it"):
        patches([*IMAGES, dot])


def test_no_images_are_an_error() -> None:
    with pytest.raises(UserError, match="no images to train on"):
        patches([])


def test_the_pictures_are_not_copied_and_not_changed() -> None:
    before = [picture.pixels.copy() for picture in IMAGES]
    drawn = patches(jpeg_noise=True)
    drawn.prepare()
    drawn.batch(0, seed=0)
    for picture, pixels in zip(IMAGES, before, strict=True):
        np.testing.assert_array_equal(picture.pixels, pixels)


@pytest.mark.parametrize("color", ["rgb", "luma"])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_device_cuts_the_same_patches_from_the_same_draws(color: Color, scale: int) -> None:
    here = patches(color=color, scale=scale, batch_size=32)  # so many that each orientation is there
    there = here.on(torch.device("cpu"))
    for step, seed in ((0, 5), (1, 5), (300, 5), (2, 5), (2, 6)):  # also places that are not at hand
        for expected, found in zip(here.batch(step, seed=seed), there.batch(step, seed=seed), strict=True):
            assert torch.equal(found, expected)


def test_pictures_are_laid_out_on_a_device_once() -> None:
    here = patches()
    assert here.on(torch.device("cpu")) is here.on(torch.device("cpu"))


def test_jpeg_noise_is_made_on_the_host() -> None:
    with pytest.raises(ValueError, match="JPEG"):
        patches(jpeg_noise=True).on(torch.device("cpu"))
