"""What color promises: YCbCr as MATLAB's rgb2ycbcr has it, there and back, and exact rounding."""

import itertools

import numpy as np
import pytest
import torch

from srlab.pixels.color import luma, luma_uint8, rgb_to_ycbcr, to_tensor, to_uint8, ycbcr_to_rgb

# rgb2ycbcr's uint8 values of the primaries, as in ITU-R BT.601 and MATLAB's documentation.
KNOWN = {
    (0, 0, 0): (16, 128, 128),
    (255, 255, 255): (235, 128, 128),
    (255, 0, 0): (81, 90, 240),
    (0, 255, 0): (145, 54, 34),
    (0, 0, 255): (41, 240, 110),
}


@pytest.mark.parametrize(("rgb", "ycbcr"), KNOWN.items())
def test_the_primaries_have_the_values_of_bt601(
    rgb: tuple[int, int, int], ycbcr: tuple[int, int, int]
) -> None:
    pixels = np.array([[rgb]], np.uint8)
    assert to_uint8(rgb_to_ycbcr(to_tensor(pixels))).tolist() == [[list(ycbcr)]]
    assert luma_uint8(pixels).tolist() == [[ycbcr[0]]]


def test_there_and_back_is_where_it_started() -> None:
    rgb = torch.rand(2, 3, 5, 7, dtype=torch.float64)
    torch.testing.assert_close(ycbcr_to_rgb(rgb_to_ycbcr(rgb)), rgb, rtol=0, atol=1e-14)


def test_luma_is_the_first_channel_of_ycbcr() -> None:
    rgb = torch.rand(2, 3, 5, 7)
    assert torch.equal(luma(rgb), rgb_to_ycbcr(rgb)[:, :1])


def test_luma_of_uint8_is_rounded_half_up_without_error() -> None:
    levels = range(0, 256, 5)
    colors = np.array(list(itertools.product(levels, levels, levels)), np.uint8)[None]
    # In thousandths of a level: whole numbers.
    exact = [(65481 * r + 128553 * g + 24966 * b, 255 * 1000) for r, g, b in colors[0].tolist()]
    assert luma_uint8(colors)[0].tolist() == [16 + (2 * over + under) // (2 * under) for over, under in exact]


def test_gradients_pass() -> None:
    rgb = torch.rand(3, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(rgb_to_ycbcr, rgb)
    assert torch.autograd.gradcheck(ycbcr_to_rgb, rgb)


def test_half_precision_is_computed_in_float32() -> None:
    rgb = torch.rand(3, 4, 4).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(rgb_to_ycbcr(rgb), rgb_to_ycbcr(rgb.float()))
    assert ycbcr_to_rgb(rgb).dtype == luma(rgb).dtype == torch.float32


def test_every_level_survives_the_way_to_a_tensor_and_back() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    tensor = to_tensor(pixels)
    assert tensor.shape == (1, 16, 16)
    assert tensor.dtype == torch.float32
    assert np.array_equal(to_uint8(tensor), pixels)
    assert np.array_equal(to_uint8(tensor.bfloat16().double()).shape, pixels.shape)


def test_what_lies_outside_black_and_white_is_clipped() -> None:
    image = torch.tensor([-9.0, -0.001, 1.001, 9.0]).reshape(1, 1, 4)
    assert to_uint8(image).flatten().tolist() == [0, 0, 255, 255]


def test_another_number_of_channels_is_refused() -> None:
    for function in (rgb_to_ycbcr, ycbcr_to_rgb, luma):
        with pytest.raises(ValueError, match="3 channels"):
            function(torch.zeros(1, 8, 8))
