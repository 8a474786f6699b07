"""What degradations promise: LR as both protocols have it, from one place for training and for scoring."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from srlab.pixels.border import Border
from srlab.pixels.color import luma_uint8
from srlab.pixels.degradations import degrade, degrade_luma, jpeg_noise, luma_plane
from srlab.pixels.images import HRImage, read_hr_image
from srlab.pixels.resize import resize, resize_uint8

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 36, 3), np.uint8)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("border", ["replicate", "symmetric"])
def test_colour_is_made_smaller_as_uint8(scale: int, border: Border) -> None:
    lr = degrade(PIXELS, scale=scale, border=border)
    assert lr.dtype == np.uint8
    expected = resize_uint8(PIXELS, size=(24 // scale, 36 // scale), border=border)
    np.testing.assert_array_equal(lr, expected)


def test_the_benchmarks_own_lr_files_come_out_bit_by_bit(shared_data: Path) -> None:
    for scale in (2, 3, 4):
        hr = read_hr_image(shared_data / "Set5" / "HR" / "butterfly.png").pixels
        hr = hr[: hr.shape[0] // scale * scale, : hr.shape[1] // scale * scale]
        [path] = (shared_data / "Set5" / f"LR_x{scale}").glob("butterfly*")
        np.testing.assert_array_equal(degrade(hr, scale=scale), read_hr_image(path).pixels)


@pytest.mark.parametrize("border", ["replicate", "symmetric"])
def test_luma_is_made_smaller_as_float_without_rounding(border: Border) -> None:
    y = luma_uint8(PIXELS)
    lr = degrade_luma(y, scale=3, border=border)
    assert lr.dtype == np.float32
    expected = resize(torch.from_numpy(y).double(), size=(8, 12), border=border).numpy() / 255
    np.testing.assert_allclose(lr, expected, atol=1e-6)
    assert np.abs(lr * 255 - np.round(lr * 255)).max() > 0.1


def test_luma_of_a_gray_picture_is_its_own_values() -> None:
    gray = np.repeat(PIXELS[..., :1], 3, axis=2)
    np.testing.assert_array_equal(luma_plane(HRImage(name="g", pixels=gray, is_gray=True)), gray[..., 0])
    np.testing.assert_array_equal(
        luma_plane(HRImage(name="c", pixels=PIXELS, is_gray=False)), luma_uint8(PIXELS)
    )


def test_hr_that_is_no_multiple_is_a_programmers_error() -> None:
    with pytest.raises(ValueError, match="24x35 is not a multiple of 2"):
        degrade(PIXELS[:, :35], scale=2)


@pytest.mark.parametrize("pixels", [PIXELS, PIXELS[..., 0]], ids=["colour", "gray"])
def test_jpeg_noise_keeps_the_shape_and_grows_as_quality_falls(pixels: NDArray[np.uint8]) -> None:
    before = pixels.copy()
    errors = [
        np.abs(jpeg_noise(pixels, quality=quality).astype(int) - pixels).mean() for quality in (95, 75, 50)
    ]
    assert 0 < errors[0] < errors[1] < errors[2]
    assert jpeg_noise(pixels, quality=50).shape == pixels.shape
    np.testing.assert_array_equal(pixels, before)
