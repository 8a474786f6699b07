"""What resize promises.

`resize_uint8` is MATLAB's imresize(..., "bicubic") to the bit. Three things hold it: LR files that MATLAB
made, where they are at hand; a second implementation in fractions (tests/exact_resize.py), which agrees with
those files too; and checksums of pictures for which both implementations agree. `resize` is the same without
the rounding, for tensors of any shape, and differentiable.
"""

import hashlib
import itertools
import random
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from exact_resize import exact_resize_uint8, made_picture, matrix
from srlab.pixels.border import Border
from srlab.pixels.images import crop_to_multiple, read_hr_image
from srlab.pixels.resize import resize, resize_uint8

BORDERS: tuple[Border, ...] = ("replicate", "symmetric")


# uint8


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(("dataset", "border"), [("Set5", "replicate"), ("Set14", "symmetric")])
def test_lr_files_made_by_matlab_are_met_to_the_bit(
    shared_data: Path, dataset: str, border: Border, scale: int
) -> None:
    files = sorted((shared_data / dataset / "HR").glob("*.png"))
    assert len(files) == {"Set5": 5, "Set14": 14}[dataset]
    for file in files:
        hr = crop_to_multiple(read_hr_image(file).pixels, scale)
        lr = resize_uint8(hr, size=(hr.shape[0] // scale, hr.shape[1] // scale), border=border)
        made_by_matlab = read_hr_image(shared_data / dataset / f"LR_x{scale}" / file.name).pixels
        assert np.array_equal(lr, made_by_matlab), file.name


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize(
    ("size", "new_size"),
    [
        ((180, 150), (90, 75)),
        ((180, 150), (60, 50)),
        ((180, 152), (45, 38)),
        ((50, 45), (100, 90)),
        ((50, 45), (150, 135)),
        ((50, 45), (200, 180)),
        ((60, 40), (30, 80)),
        ((40, 60), (80, 30)),
        ((37, 41), (20, 29)),
        ((1, 1), (4, 3)),
        ((2, 3), (1, 1)),
        ((3, 2), (8, 8)),
        ((5, 7), (1, 2)),
    ],
)
def test_every_pixel_is_that_of_the_definition_in_fractions(
    size: tuple[int, int], new_size: tuple[int, int], border: Border
) -> None:
    image = made_picture(*size)
    expected = exact_resize_uint8(image, new_size, border)
    assert np.array_equal(resize_uint8(image, size=new_size, border=border), expected)


def test_a_long_picture_cut_into_blocks_is_met_as_well() -> None:
    image = made_picture(6, 700, channels=1)
    for width in (350, 233, 175):
        expected = exact_resize_uint8(image, (6, width), "symmetric")
        assert np.array_equal(resize_uint8(image, size=(6, width), border="symmetric"), expected)


@pytest.mark.parametrize(
    ("border", "new_size", "sha256"),
    [
        ("replicate", (300, 204), "bc350389538af551"),
        ("replicate", (200, 136), "fb3c910935acc54e"),
        ("replicate", (150, 102), "64a0c8c207c68ed7"),
        ("symmetric", (300, 204), "985b0ff77825c77c"),
        ("symmetric", (200, 136), "9571df176ee4a302"),
        ("symmetric", (150, 102), "e24afd4335c5bf51"),
        ("replicate", (1200, 816), "047560ea7baffd47"),
    ],
)
def test_stored_checksums_of_a_made_picture_are_met(
    border: Border, new_size: tuple[int, int], sha256: str
) -> None:
    """Stored when `resize_uint8` met all 57 LR files of Set5 and Set14, and `exact_resize_uint8` here."""
    image = made_picture(600, 408)
    assert hashlib.sha256(image.tobytes()).hexdigest()[:16] == "4132ee36231ede54"
    resized = resize_uint8(image, size=new_size, border=border)
    assert hashlib.sha256(resized.tobytes()).hexdigest()[:16] == sha256


def test_exact_halves_are_rounded_up_after_each_pass() -> None:
    image = made_picture(64, 64, channels=1)[:, :, 0]
    exact = matrix(64, 32, "replicate") @ image.astype(np.float64)  # dyadic weights: float64 is exact
    halves = exact % 1 == 0.5
    assert halves.sum() > 5
    once = resize_uint8(image, size=(32, 64))
    assert np.array_equal(once[halves], np.ceil(exact[halves]).clip(0, 255))


def test_small_numbers_can_be_counted_by_hand() -> None:
    # x2: each new pixel lies a quarter of a pixel beside an old one; weights -9, 111, 29, -3 of 128.
    row = np.array([[0, 128, 0, 0]], np.uint8)
    # 1.25 away -> -9, 0.25 away -> 111, 0.75 away -> 29, 1.75 away -> -3; clipped at 0.
    assert resize_uint8(row, size=(1, 8)).tolist() == [[0, 29, 111, 111, 29, 0, 0, 0]]
    # Two pixels into one: the edge pixel stands for all beyond it, and the kernel is even.
    assert resize_uint8(np.array([[10, 21]], np.uint8), size=(1, 1)).tolist() == [[16]]  # 15.5, half up


def test_a_gray_picture_is_any_channel_of_it_three_times() -> None:
    gray = made_picture(30, 26, channels=1)[:, :, 0]
    rgb = np.repeat(gray[:, :, None], 3, axis=2)
    assert np.array_equal(
        resize_uint8(rgb, size=(10, 13)), np.repeat(resize_uint8(gray, size=(10, 13))[:, :, None], 3, axis=2)
    )


def test_a_picture_that_cannot_be_written_to_is_left_alone() -> None:
    image = made_picture(8, 8)
    image.setflags(write=False)
    same = resize_uint8(image, size=(8, 8))
    assert np.array_equal(same, image)
    assert resize_uint8(image, size=(4, 4)).shape == (4, 4, 3)


# Tensors


@pytest.mark.parametrize("border", BORDERS)
def test_tensors_of_any_size_are_resized_by_the_definition(border: Border) -> None:
    draw = random.Random(0)
    sizes = [(1, 1, 4, 4), (1, 3, 2, 1), (2, 2, 1, 1), (150, 3, 600, 2), (300, 260, 150, 65)]
    sizes += [tuple(draw.randint(1, 40) for _ in range(4)) for _ in range(20)]  # type: ignore[misc]
    for height, width, new_height, new_width in sizes:
        image = torch.rand(height, width, dtype=torch.float64)
        rows, columns = matrix(height, new_height, border), matrix(width, new_width, border)
        expected = torch.from_numpy(rows) @ image @ torch.from_numpy(columns).T
        resized = resize(image, size=(new_height, new_width), border=border)
        assert resized.dtype == torch.float64
        torch.testing.assert_close(resized, expected, rtol=0, atol=1e-13)
        single = resize(image.float(), size=(new_height, new_width), border=border)
        torch.testing.assert_close(single.double(), expected, rtol=0, atol=2e-6)


def test_any_number_of_dimensions_in_front_is_a_batch() -> None:
    images = torch.rand(2, 5, 3, 20, 300)
    batched = resize(images, size=(40, 150))
    for place in itertools.product(range(2), range(5), range(3)):
        torch.testing.assert_close(batched[place], resize(images[place], size=(40, 150)))


def test_the_memory_format_does_not_matter() -> None:
    images = torch.rand(2, 3, 40, 30)
    channels_last = images.to(memory_format=torch.channels_last)
    assert torch.equal(resize(channels_last, size=(80, 60)), resize(images, size=(80, 60)))


def test_gradients_are_right() -> None:
    images = torch.rand(2, 5, 7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: resize(x, size=(3, 11), border="symmetric"), images)
    large = torch.rand(1, 300, dtype=torch.float64, requires_grad=True)  # in blocks
    for width in (150, 421):
        assert torch.autograd.gradcheck(lambda x, w=width: resize(x, size=(1, w)), large, fast_mode=True)
        squared = lambda x, w=width: resize(x, size=(1, w)) ** 2  # noqa: E731
        assert torch.autograd.gradgradcheck(squared, large, fast_mode=True)


def test_a_constant_image_stays_constant() -> None:
    for size in ((7, 3), (30, 31), (100, 1)):
        resized = resize(torch.full((30, 31), 0.7, dtype=torch.float64), size=size)
        torch.testing.assert_close(resized, torch.full(size, 0.7, dtype=torch.float64))


def test_enlarging_three_times_keeps_the_pixels_it_passes_through() -> None:
    image = torch.rand(9, 8, dtype=torch.float64)
    torch.testing.assert_close(resize(image, size=(27, 24))[1::3, 1::3], image)


@pytest.mark.parametrize("border", BORDERS)
def test_flipping_and_transposing_commute_with_it(border: Border) -> None:
    image = torch.rand(20, 13, dtype=torch.float64)
    resized = resize(image, size=(7, 30), border=border)
    torch.testing.assert_close(resize(image.flip(0, 1), size=(7, 30), border=border), resized.flip(0, 1))
    torch.testing.assert_close(resize(image.T, size=(30, 7), border=border), resized.T)


def test_autocast_has_no_say() -> None:
    images = torch.rand(1, 3, 24, 24)
    expected = resize(images, size=(48, 48))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(resize(images, size=(48, 48)), expected)
        assert resize(images.bfloat16(), size=(48, 48)).dtype == torch.float32


def test_weights_made_while_scoring_serve_training() -> None:
    with torch.inference_mode():
        resize(torch.rand(1, 19, 23), size=(38, 46))
    images = torch.rand(1, 19, 23, requires_grad=True)
    resize(images, size=(38, 46)).sum().backward()
    assert images.grad is not None


def test_it_works_on_a_device_that_is_not_the_cpu() -> None:
    assert resize(torch.empty(2, 3, 17, 300, device="meta"), size=(34, 100)).shape == (2, 3, 34, 100)


class Doubled(nn.Module):
    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        height, width = lr.shape[-2:]
        return resize(lr, size=(2 * height, 2 * width))


@pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated:DeprecationWarning")
@pytest.mark.parametrize("size", [(29, 31), (200, 150)])
def test_a_network_that_uses_it_can_be_traced_and_exported(size: tuple[int, int]) -> None:
    lr = torch.rand(1, 3, *size)
    with warnings.catch_warnings():
        warnings.simplefilter("error", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        traced = torch.jit.trace(Doubled(), lr)
    exported = torch.export.export(Doubled(), (lr,)).module()
    expected = resize(lr, size=(2 * size[0], 2 * size[1]))
    assert type(expected) is torch.Tensor  # nothing of a graph has been kept
    torch.testing.assert_close(traced(lr), expected)
    torch.testing.assert_close(exported(lr), expected)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(TypeError, match=r"torch\.uint8"):
        resize(torch.zeros(4, 4, dtype=torch.uint8), size=(2, 2))
    with pytest.raises(TypeError, match="float64"):
        resize_uint8(np.zeros((4, 4)), size=(2, 2))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 1"):
        resize(torch.zeros(4, 4), size=(0, 2))
    with pytest.raises(ValueError, match="replicate or symmetric"):
        resize(torch.zeros(4, 4), size=(2, 2), border="reflect")  # type: ignore[arg-type]
