"""What evaluation promises: the published bicubic numbers, any tool's pictures alike, clear misfits.

Without the published images the same is held by made ones: stored numbers, and the whole protocol once more
by another road (tests/exact_resize.py and scikit-image).
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio
from torch import Tensor, nn

from exact_resize import exact_resize_uint8, made_picture, matrix
from srlab.declare.metrics import OF_PROTOCOL
from srlab.declare.protocol import EvaluationProtocol
from srlab.errors import UserError
from srlab.networks import BicubicOptions, EDSROptions, Network, build_network, preset
from srlab.pixels.border import Border
from srlab.pixels.color import luma_uint8
from srlab.pixels.images import HRImage, crop_to_multiple, list_images, read_hr_image
from srlab.use.evaluation import (
    Evaluation,
    check_memory,
    evaluate_folder,
    evaluate_network,
    match_pictures,
)
from test_metrics import wang

CPU = torch.device("cpu")
RGB, LUMA = EvaluationProtocol(), EvaluationProtocol(color="luma")

# psnr_y in dB and ssim_y at x2, x3, x4: bicubic's rows of the published tables, with one more digit.
PUBLISHED = {
    ("Set5", "luma"): [(33.662, 0.9299), (30.394, 0.8682), (28.422, 0.8104)],
    ("Set5", "rgb"): [(33.674, 0.9303), (30.405, 0.8689), (28.430, 0.8111)],
    ("Set14", "luma"): [(30.234, 0.8687), (27.543, 0.7736), (26.003, 0.7019)],
    ("Set14", "rgb"): [(30.232, 0.8691), (27.539, 0.7745), (25.997, 0.7029)],
}


def bicubic(scale: int) -> Network:
    return build_network(BicubicOptions(), scale=scale)


def mean(evaluations: Iterable[Evaluation], metric: str) -> float:
    return float(np.mean([evaluation.scores[metric] for evaluation in evaluations]))


def color_image(height: int = 65, width: int = 58, *, name: str = "color") -> HRImage:
    return HRImage(name=name, pixels=made_picture(height, width), is_gray=False)


def gray_image(height: int = 65, width: int = 58, *, name: str = "gray") -> HRImage:
    pixels = made_picture(height, width, channels=1).repeat(3, axis=2)
    return HRImage(name=name, pixels=pixels, is_gray=True)


IMAGES = (color_image(), gray_image())


# Bicubic's numbers


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(("dataset", "color"), PUBLISHED)
def test_bicubic_scores_what_is_published(shared_data: Path, dataset: str, color: str, scale: int) -> None:
    images = [read_hr_image(path) for path in list_images(shared_data / dataset / "HR")]
    protocol = LUMA if color == "luma" else RGB
    evaluations = list(evaluate_network(bicubic(scale), images, protocol=protocol, device=CPU))
    psnr, ssim = PUBLISHED[dataset, color][scale - 2]
    assert mean(evaluations, "psnr_y") == pytest.approx(psnr, abs=0.002)
    assert mean(evaluations, "ssim_y") == pytest.approx(ssim, abs=0.0001)


STORED: dict[tuple[str, str, int], dict[str, float]] = {
    ("color", "rgb", 2): {
        "psnr_y": 25.8620236,
        "ssim_y": 0.7350281,
        "psnr_rgb": 20.868382,
        "ssim_rgb": 0.6247404,
        "gmsd_y": 0.0286939,
    },
    ("color", "rgb", 3): {
        "psnr_y": 23.0514668,
        "ssim_y": 0.4639086,
        "psnr_rgb": 19.1265905,
        "ssim_rgb": 0.4162628,
        "gmsd_y": 0.0878746,
    },
    ("color", "rgb", 4): {
        "psnr_y": 22.0550989,
        "ssim_y": 0.3512887,
        "psnr_rgb": 18.2128955,
        "ssim_rgb": 0.2804209,
        "gmsd_y": 0.1174948,
    },
    ("color", "luma", 2): {"psnr_y": 25.8732689, "ssim_y": 0.7360423, "gmsd_y": 0.0284161},
    ("color", "luma", 3): {"psnr_y": 23.0555496, "ssim_y": 0.4646316, "gmsd_y": 0.0881450},
    ("color", "luma", 4): {"psnr_y": 22.0609633, "ssim_y": 0.3523824, "gmsd_y": 0.1176183},
    ("gray", "rgb", 2): {
        "psnr_y": 24.0164253,
        "ssim_y": 0.8547552,
        "psnr_rgb": 24.0164253,
        "ssim_rgb": 0.8547552,
        "gmsd_y": 0.0171918,
    },
    ("gray", "rgb", 3): {
        "psnr_y": 21.8488551,
        "ssim_y": 0.7344994,
        "psnr_rgb": 21.8488551,
        "ssim_rgb": 0.7344994,
        "gmsd_y": 0.0808600,
    },
    ("gray", "rgb", 4): {
        "psnr_y": 19.0736878,
        "ssim_y": 0.4465778,
        "psnr_rgb": 19.0736878,
        "ssim_rgb": 0.4465778,
        "gmsd_y": 0.2253601,
    },
    ("gray", "luma", 2): {"psnr_y": 24.0251244, "ssim_y": 0.8549677, "gmsd_y": 0.0166325},
    ("gray", "luma", 3): {"psnr_y": 21.8488973, "ssim_y": 0.7343132, "gmsd_y": 0.0808364},
    ("gray", "luma", 4): {"psnr_y": 19.0751355, "ssim_y": 0.4468659, "gmsd_y": 0.2248330},
}


@pytest.mark.parametrize(("name", "color", "scale"), STORED)
def test_bicubic_scores_on_made_images_what_is_stored(name: str, color: str, scale: int) -> None:
    """Stored when the published numbers above were met."""
    image = next(image for image in IMAGES if image.name == name)
    protocol = LUMA if color == "luma" else RGB
    (evaluation,) = evaluate_network(bicubic(scale), [image], protocol=protocol, device=CPU)
    assert evaluation.scores == pytest.approx(STORED[name, color, scale], abs=1e-6)
    assert tuple(evaluation.scores) == OF_PROTOCOL[protocol.color]


@pytest.mark.parametrize("border", ["replicate", "symmetric"])
@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_the_rgb_protocol_by_another_road(image: HRImage, border: Border) -> None:
    scale = 3
    hr = crop_to_multiple(image.pixels, scale)
    lr = exact_resize_uint8(hr, (hr.shape[0] // scale, hr.shape[1] // scale), border)
    sr = exact_resize_uint8(lr, (hr.shape[0], hr.shape[1]), "replicate")
    protocol = EvaluationProtocol(border=border)
    (evaluation,) = evaluate_network(bicubic(scale), [image], protocol=protocol, device=CPU)
    assert np.array_equal(evaluation.sr, sr)
    if image.is_gray:
        y_sr, y_hr = sr[:, :, 0].astype(float), hr[:, :, 0].astype(float)
    else:
        to_y = np.array([65.481, 128.553, 24.966]) / 255
        y_sr, y_hr = sr @ to_y + 16, hr @ to_y + 16
    _expect(evaluation, "y", y_sr[3:-3, 3:-3], y_hr[3:-3, 3:-3])
    sr, hr = sr[3:-3, 3:-3], hr[3:-3, 3:-3]
    expected = peak_signal_noise_ratio(hr, sr, data_range=255)  # type: ignore[no-untyped-call]
    assert evaluation.scores["psnr_rgb"] == pytest.approx(expected)
    channels = [wang(sr[:, :, channel], hr[:, :, channel]) for channel in range(3)]
    assert evaluation.scores["ssim_rgb"] == pytest.approx(sum(channels) / 3)


@pytest.mark.parametrize("border", ["replicate", "symmetric"])
@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_the_luma_protocol_by_another_road(image: HRImage, border: Border) -> None:
    scale = 2
    hr = crop_to_multiple(image.pixels, scale)
    y_hr = (hr[:, :, 0] if image.is_gray else luma_uint8(hr)).astype(float)
    height, width = y_hr.shape
    lr = matrix(height, height // 2, border) @ y_hr @ matrix(width, width // 2, border).T
    sr = matrix(height // 2, height, "replicate") @ lr @ matrix(width // 2, width, "replicate").T
    y_sr = np.floor(sr + 0.5).clip(0, 255)
    protocol = EvaluationProtocol(color="luma", border=border)
    (evaluation,) = evaluate_network(bicubic(scale), [image], protocol=protocol, device=CPU)
    _expect(evaluation, "y", y_sr[2:-2, 2:-2], y_hr[2:-2, 2:-2])
    assert set(evaluation.scores) == {"psnr_y", "ssim_y", "gmsd_y"}
    if image.is_gray:
        assert np.array_equal(evaluation.sr, y_sr[:, :, None].repeat(3, axis=2))
    else:  # the picture has this Y, but for its own rounding, where RGB's cube does not clip it
        inside = (evaluation.sr.min(axis=2) > 0) & (evaluation.sr.max(axis=2) < 255)
        assert inside.mean() > 0.3
        assert np.abs(luma_uint8(evaluation.sr) - y_sr)[inside].max() <= 1


def _expect(evaluation: Evaluation, kind: str, sr: NDArray[np.float64], hr: NDArray[np.float64]) -> None:
    expected = peak_signal_noise_ratio(hr, sr, data_range=255)  # type: ignore[no-untyped-call]
    assert evaluation.scores[f"psnr_{kind}"] == pytest.approx(expected, abs=1e-4)
    assert evaluation.scores[f"ssim_{kind}"] == pytest.approx(wang(sr, hr), abs=1e-6)


# Networks


class Nearest(Network):
    """x2 by nearest neighbour, each colour shifted by some levels: made of layers, as real networks are."""

    def __init__(self, *, shift: tuple[float, float, float] = (0, 0, 0)) -> None:
        super().__init__(scale=2, enlargement="sub_pixel", skip=None)
        self.conv = nn.Conv2d(3, 12, 1)
        self.shuffle = nn.PixelShuffle(2)
        with torch.no_grad():
            self.conv.weight.copy_(torch.eye(3).repeat_interleave(4, dim=0)[:, :, None, None])
            self.conv.bias.copy_(torch.tensor(shift).repeat_interleave(4) / 255)  # type: ignore[union-attr]

    def forward(self, lr: Tensor) -> Tensor:
        return self.shuffle(self.conv(lr))


def watched(network: Nearest) -> tuple[list[Tensor], list[tuple[bool, ...]]]:
    """What the network's convolution will be given, and in which modes."""
    lr: list[Tensor] = []
    modes: list[tuple[bool, ...]] = []

    def note(module: nn.Module, inputs: tuple[Tensor]) -> None:
        if inputs[0].any():  # not a probe
            lr.append(inputs[0].clone())
            half = torch.is_autocast_enabled("cpu"), torch.backends.cudnn.allow_tf32
            modes.append((module.training, torch.is_grad_enabled(), *half))

    network.conv.register_forward_pre_hook(note)
    return lr, modes


def test_the_network_gets_lr_of_uint8_and_its_sr_is_rounded() -> None:
    image = color_image(32, 32)
    network = Nearest(shift=(0.49, 0.51, -0.49))
    seen, _ = watched(network)
    (evaluation,) = evaluate_network(network, [image], protocol=RGB, device=CPU)
    lr = exact_resize_uint8(image.pixels, (16, 16), "replicate")
    torch.testing.assert_close(255 * seen[-1][0], torch.from_numpy(lr).permute(2, 0, 1).float())
    expected = np.clip(lr.astype(int) + np.array([0, 1, 0]), 0, 255).repeat(2, 0).repeat(2, 1)
    assert np.array_equal(evaluation.sr, expected)


def test_scoring_is_in_float32_without_gradients_and_leaves_the_modes_alone() -> None:
    network = Nearest()
    seen, modes = watched(network)
    network.train()
    network.shuffle.eval()  # a layer that was frozen by hand
    with torch.autocast("cpu", dtype=torch.bfloat16):
        list(evaluate_network(network, [color_image(32, 32)], protocol=RGB, device=CPU))
    assert set(modes) == {(False, False, False, False)}
    assert {lr.dtype for lr in seen} == {torch.float32}
    assert (network.training, network.conv.training, network.shuffle.training) == (True, True, False)


def test_a_gray_image_goes_in_as_three_equal_channels_and_counts_by_its_gray_value() -> None:
    flat = HRImage(name="flat", pixels=np.full((32, 32, 3), 100, np.uint8), is_gray=True)
    network = Nearest(shift=(10, -20, 30))
    seen, _ = watched(network)
    _, evaluation = evaluate_network(network, [gray_image(32, 32), flat], protocol=RGB, device=CPU)
    for lr in seen:
        assert torch.equal(lr[:, 0], lr[:, 1])
        assert torch.equal(lr[:, 0], lr[:, 2])
    error = 0.299 * 10 - 0.587 * 20 + 0.114 * 30
    assert evaluation.scores["psnr_y"] == pytest.approx(20 * np.log10(255 / abs(error)))
    assert evaluation.scores["psnr_rgb"] == pytest.approx(10 * np.log10(255**2 / (1400 / 3)))


def test_luma_networks_are_scored_under_both_protocols() -> None:
    network = build_network(preset("srcnn/paper_915", scale=2), scale=2)
    for protocol in (LUMA, RGB):
        evaluations = list(evaluate_network(network, IMAGES, protocol=protocol, device=CPU))
        scored = [set(evaluation.scores) for evaluation in evaluations]
        assert scored == [set(OF_PROTOCOL[protocol.color])] * 2
        assert [evaluation.sr.shape for evaluation in evaluations] == [(64, 58, 3)] * 2


def test_an_rgb_network_under_the_luma_protocol_is_an_error_that_says_what_to_do() -> None:
    network = build_network(EDSROptions(num_blocks=1, num_features=4), scale=2)
    with pytest.raises(UserError, match="use --protocol rgb"):
        next(evaluate_network(network, [color_image()], protocol=LUMA, device=CPU))


def test_what_cannot_be_scored_is_an_error_that_names_it() -> None:
    with pytest.raises(UserError, match=r"SSIM needs 11x11 pixels .* has 10x28"):
        next(evaluate_network(Nearest(), [color_image(32, 14)], protocol=RGB, device=CPU))
    with pytest.raises(UserError, match=r"output for color is not finite"):
        next(evaluate_network(Nearest(shift=(0, np.inf, 0)), [color_image()], protocol=RGB, device=CPU))


# Pictures of other tools


def write(folder: Path, **pictures: NDArray[np.uint8]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


@pytest.mark.parametrize("protocol", [RGB, LUMA], ids=["rgb", "luma"])
def test_pictures_get_the_scores_that_their_network_gets(
    tmp_path: Path, protocol: EvaluationProtocol
) -> None:
    images = (color_image(), gray_image())
    made = list(evaluate_network(bicubic(2), images, protocol=protocol, device=CPU))
    write(tmp_path, color=made[0].sr, gray=made[1].sr[:, :, 0])
    read = list(evaluate_folder(tmp_path, images, protocol=protocol, scale=2))
    assert [evaluation.image for evaluation in read] == ["color", "gray"]
    assert read[1].scores == made[1].scores
    # Under the luma protocol a colour picture has been through RGB, which rounds once more.
    tolerance = 1e-9 if protocol is RGB else 0.05
    assert read[0].scores == pytest.approx(made[0].scores, abs=tolerance)


def test_a_gray_picture_saved_as_rgb_counts_by_its_gray_value(tmp_path: Path) -> None:
    image = gray_image(32, 32)
    sr = np.full((32, 32, 3), [90, 120, 80], np.uint8)
    write(tmp_path, gray=sr)
    (rgb,) = evaluate_folder(tmp_path, [image], protocol=RGB, scale=2)
    (luma,) = evaluate_folder(tmp_path, [image], protocol=LUMA, scale=2)
    hr = image.pixels[2:-2, 2:-2, 0].astype(float)
    for evaluation, value in ((rgb, 106.47), (luma, 106)):
        assert evaluation.scores["psnr_y"] == pytest.approx(
            10 * np.log10(255**2 / np.mean((hr - value) ** 2))
        )


@pytest.mark.parametrize("ending", ["", "_x2", "x2", "_x2_SR"])
def test_pictures_are_matched_by_name_and_one_ending(tmp_path: Path, ending: str) -> None:
    picture = made_picture(8, 8)
    write(tmp_path, **{f"baby{ending}": picture, f"babybird{ending}": picture})
    matched = match_pictures(tmp_path, ["baby", "babybird"])
    assert {name: path.stem for name, path in matched.items()} == {
        "baby": f"baby{ending}",
        "babybird": f"babybird{ending}",
    }


@pytest.mark.parametrize(
    ("stems", "message"),
    [
        (["baby"], r"has no bird \(1 of 2 pictures\)"),
        (["baby_x2", "bird"], r"has no (bird_x2|baby) \(1 of 2 pictures\)"),
        (["one", "two"], r"has no baby and bird \(2 of 2 pictures\); .* as in baby_x2\.png"),
        (["baby", "bird", "woman"], r"belong to none of the 2 images: woman\.png"),
        (["baby_x2", "bird_x2", "baby_x3", "bird_x3"], r"several pictures .* baby_x2\.png, baby_x3\.png"),
    ],
)
def test_pictures_missing_and_too_many_are_errors_that_name_them(
    tmp_path: Path, stems: list[str], message: str
) -> None:
    write(tmp_path, **dict.fromkeys(stems, made_picture(8, 8)))
    with pytest.raises(UserError, match=message):
        match_pictures(tmp_path, ["baby", "bird"])


def test_two_files_of_one_name_are_an_error(tmp_path: Path) -> None:
    write(tmp_path, baby=made_picture(8, 8))
    Image.fromarray(made_picture(8, 8)).save(tmp_path / "baby.bmp")
    with pytest.raises(UserError, match=r"baby\.bmp and .*baby\.png have the same name"):
        match_pictures(tmp_path, ["baby"])


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((32, 29), r"color\.png has 29x32 pixels; expected at x2: 58x64; this is the size of LR"),
        (
            (65, 58),
            r"color\.png has 58x65 pixels; expected at x2: 58x64, since HR is cropped to a multiple of 2",
        ),
        ((40, 40), r"color\.png has 40x40 pixels; expected at x2: 58x64$"),
    ],
)
def test_a_picture_of_another_size_is_an_error_with_both_sizes(
    tmp_path: Path, size: tuple[int, int], message: str
) -> None:
    write(tmp_path, color=made_picture(*size))
    with pytest.raises(UserError, match=message):
        list(evaluate_folder(tmp_path, [color_image()], protocol=RGB, scale=2))


def test_a_gray_picture_of_a_colour_image_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, color=made_picture(64, 58)[:, :, 0])
    with pytest.raises(UserError, match=r"color\.png is gray, and color has colour"):
        list(evaluate_folder(tmp_path, [color_image()], protocol=LUMA, scale=2))


def test_an_image_that_memory_does_not_hold_is_refused_with_both_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = HRImage(name="a", pixels=np.zeros((100, 200, 3), np.uint8), is_gray=False)
    check_memory([image])
    monkeypatch.setattr("srlab.use.evaluation.available_bytes", lambda: 1_000_000)
    with pytest.raises(
        UserError, match=r"200x100 pixels, takes about 1\.8 MB of memory, and only 1\.0 MB are free"
    ):
        check_memory([image])
