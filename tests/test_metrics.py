"""What metrics promises: PSNR, SSIM and GMSD as others compute them, within a border."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import convolve2d  # type: ignore[import-untyped]
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from exact_resize import made_picture
from srlab.errors import UserError
from srlab.pixels.metrics import gmsd_y, psnr_rgb, psnr_y, ssim_rgb, ssim_y, to_plane


def noisy(picture: NDArray[np.uint8], amount: int, *, seed: int = 0) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).integers(-amount, amount + 1, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def wang(sr: NDArray[Any], hr: NDArray[Any]) -> float:
    """ssim_index.m by scikit-image: the same window and constants, and only windows that lie inside."""
    _, similarity = structural_similarity(  # type: ignore[no-untyped-call]
        sr.astype(np.float64),
        hr.astype(np.float64),
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    return float(similarity[5:-5, 5:-5].mean())


FLAT = np.full((60, 70), 250, np.uint8)
HALVES = np.where(np.arange(70) < 33, 0, 255).astype(np.uint8)[None].repeat(60, axis=0)
BLOCKS = (255 * (np.add.outer(np.arange(60) // 16, np.arange(70) // 16) % 2)).astype(np.uint8)
PLANE = made_picture(60, 70, channels=1)[:, :, 0]

PAIRS = {
    "smallest": (PLANE[:11, :11], noisy(PLANE[:11, :11], 9)),
    "narrow": (PLANE[:, :12], noisy(PLANE[:, :12], 9)),
    "photograph-like": (PLANE, noisy(PLANE, 20)),
    "large": (
        made_picture(300, 170, channels=1)[:, :, 0],
        made_picture(300, 170, channels=1, seed=2)[:, :, 0],
    ),
    "bright and flat": (noisy(FLAT, 1), FLAT),
    "black and white": (noisy(HALVES, 5), HALVES),
    "half the contrast": (BLOCKS // 2, BLOCKS),
    "inverted": (255 - BLOCKS, BLOCKS),
    "unrelated": (PLANE, noisy(FLAT, 90)),
    "floats": (PLANE + 0.25, PLANE),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_ssim_is_that_of_scikit_image(pair: str) -> None:
    sr, hr = PAIRS[pair]
    assert ssim_y(sr, hr, border=0) == pytest.approx(wang(sr, hr), abs=1e-9)


@pytest.mark.parametrize("pair", PAIRS)
def test_psnr_is_that_of_scikit_image(pair: str) -> None:
    sr, hr = PAIRS[pair]
    expected = peak_signal_noise_ratio(hr.astype(float), sr.astype(float), data_range=255)  # type: ignore[no-untyped-call]
    assert psnr_y(sr, hr, border=0) == pytest.approx(expected, abs=1e-9)


def test_one_level_everywhere_is_48_decibels() -> None:
    hr = made_picture(20, 20) // 2
    assert psnr_rgb(hr + 1, hr, border=0) == pytest.approx(20 * math.log10(255))
    # One level of R, G and B is 219.0 / 255 levels of Y.
    assert psnr_y(hr + 1, hr, border=0) == pytest.approx(20 * math.log10(255 * 255 / 219))


def test_two_constant_planes_have_a_closed_form() -> None:
    for a, b in ((0, 255), (3, 250), (100, 101)):
        expected = (2 * a * b + 6.5025) / (a * a + b * b + 6.5025)
        planes = np.full((15, 40), a, np.uint8), np.full((15, 40), b, np.uint8)
        assert ssim_y(*planes, border=0) == pytest.approx(expected, abs=1e-12)


def test_equal_pictures_are_as_good_as_can_be() -> None:
    picture = made_picture(30, 30)
    assert psnr_y(picture, picture, border=2) == psnr_rgb(picture, picture, border=2) == math.inf
    assert ssim_y(picture, picture, border=2) == pytest.approx(1, abs=1e-12)
    assert ssim_rgb(picture, picture, border=2) == pytest.approx(1, abs=1e-12)


def test_y_is_not_rounded() -> None:
    hr, sr = made_picture(30, 30), noisy(made_picture(30, 30), 4)
    y_hr, y_sr = (
        16 + (65.481 * p[..., 0] + 128.553 * p[..., 1] + 24.966 * p[..., 2]) / 255
        for p in (hr.astype(float), sr.astype(float))
    )
    np.testing.assert_allclose(to_plane(hr), y_hr)
    assert psnr_y(sr, hr, border=0) == pytest.approx(10 * math.log10(255**2 / np.mean((y_sr - y_hr) ** 2)))
    assert ssim_y(sr, hr, border=0) == pytest.approx(wang(y_sr, y_hr), abs=1e-9)
    assert psnr_y(sr, hr, border=0) != pytest.approx(psnr_y(y_sr.round(), y_hr.round(), border=0), abs=1e-3)


def test_rgb_counts_all_channels_alike() -> None:
    hr, sr = made_picture(30, 40), noisy(made_picture(30, 40), 10)
    expected = peak_signal_noise_ratio(hr, sr, data_range=255)  # type: ignore[no-untyped-call]
    assert psnr_rgb(sr, hr, border=0) == pytest.approx(expected)
    channels = [wang(sr[:, :, channel], hr[:, :, channel]) for channel in range(3)]
    assert ssim_rgb(sr, hr, border=0) == pytest.approx(sum(channels) / 3, abs=1e-9)


@pytest.mark.parametrize("metric", [psnr_y, ssim_y, psnr_rgb, ssim_rgb])
def test_the_border_is_left_out(metric: Any) -> None:
    hr = made_picture(40, 50)
    sr = noisy(hr, 10)
    spoilt = sr.copy()
    spoilt[:4] = spoilt[-4:] = spoilt[:, :4] = spoilt[:, -4:] = 0
    assert metric(spoilt, hr, border=4) == metric(sr[4:-4, 4:-4], hr[4:-4, 4:-4], border=0)
    assert metric(spoilt, hr, border=3) < metric(spoilt, hr, border=4)


def test_too_small_an_image_is_an_error_that_names_its_size() -> None:
    picture = made_picture(14, 40)
    with pytest.raises(UserError, match=r"SSIM needs 11x11 pixels .* has 36x10"):
        ssim_y(picture, picture, border=2)
    with pytest.raises(UserError, match=r"no pixel of an image of 40x14"):
        psnr_y(picture, picture, border=7)


def test_pictures_of_two_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[20, 20, 3\] against \[20, 21, 3\]"):
        psnr_rgb(made_picture(20, 20), made_picture(20, 21), border=0)
    with pytest.raises(ValueError, match="RGB picture"):
        ssim_rgb(PLANE, PLANE, border=0)


# GMSD


def gmsd_as_published(sr: NDArray[Any], hr: NDArray[Any]) -> float:
    """The paper's `GMSD.m`, function by function: conv2 with "same", steps of 2, std2."""

    def same(plane: NDArray[Any], kernel: NDArray[Any]) -> NDArray[Any]:
        (height, width), (rows, columns) = plane.shape, kernel.shape
        full: NDArray[Any] = convolve2d(plane, kernel, mode="full")
        return full[rows // 2 :, columns // 2 :][:height, :width]  # MATLAB's centre of an even kernel

    prewitt = np.array([[1, 0, -1]] * 3) / 3
    lengths = []
    for plane in (sr.astype(np.float64), hr.astype(np.float64)):
        half = same(plane, np.full((2, 2), 0.25))[::2, ::2]
        lengths.append(np.sqrt(same(half, prewitt) ** 2 + same(half, prewitt.T) ** 2))
    similarity = (2 * lengths[0] * lengths[1] + 170) / (lengths[0] ** 2 + lengths[1] ** 2 + 170)
    return float(np.std(similarity, ddof=1))


@pytest.mark.parametrize("size", [(40, 60), (41, 60), (40, 61), (41, 61), (3, 3)])
def test_gmsd_is_that_of_its_authors_code(size: tuple[int, int]) -> None:
    hr = np.random.default_rng(3).integers(0, 256, size, dtype=np.uint8)
    sr = noisy(hr, 60)
    assert gmsd_y(sr, hr, border=0) == pytest.approx(gmsd_as_published(sr, hr), rel=1e-9)


def test_gmsd_has_the_value_that_another_library_gives() -> None:
    """piq 0.8 gives 0.0315614 here; it takes the standard deviation of the population, of 16 x 22 places."""
    rng = np.random.default_rng(20141)
    hr = rng.integers(0, 256, (31, 44), dtype=np.uint8)
    sr = np.clip(np.round(hr * 0.8 + rng.normal(0, 9, hr.shape)), 0, 255).astype(np.uint8)
    assert gmsd_y(sr, hr, border=0) == pytest.approx(0.0315614 * math.sqrt(352 / 351), abs=1e-6)


def test_gmsd_is_lower_for_pictures_more_alike_and_takes_the_same_y() -> None:
    values = [gmsd_y(noisy(PLANE, amount), PLANE, border=0) for amount in (0, 5, 20, 60)]
    assert values[0] == 0
    assert values == sorted(values)
    rgb = made_picture(60, 70)
    planes = [to_plane(picture)[4:-4, 4:-4] for picture in (noisy(rgb, 20), rgb)]
    assert gmsd_y(noisy(rgb, 20), rgb, border=4) == pytest.approx(gmsd_as_published(*planes), rel=1e-9)


def test_gmsd_of_too_few_pixels_is_refused() -> None:
    with pytest.raises(UserError, match=r"GMSD needs 3x3 pixels .* this image has 2x8"):
        gmsd_y(np.zeros((10, 4), np.uint8), np.zeros((10, 4), np.uint8), border=1)
