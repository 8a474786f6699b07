"""What perceptual numbers promise: LPIPS as published, of a study's pictures, under their true name."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from torch import Tensor
from torch.nn import functional as F

from srlab import store
from srlab.color import to_tensor
from srlab.comparison import compare
from srlab.errors import UserError
from srlab.images import read_hr_image
from srlab.leaderboard import leaderboard
from srlab.networks.squeezenet import TORCHVISION_INDICES, WIDTHS, SqueezeNet, load_squeezenet
from srlab.perceptual import LPIPS, UNCALIBRATED, PerceptualDistance, load_distance, score_pictures
from srlab.scores import load_scores
from test_cli_data import (
    Srlab,
    srlab,  # noqa: F401 - a fixture
)
from tiny_study import MACHINE, tiny_study

Weights = dict[str, Tensor]


def torchvision() -> Weights:
    """Random weights in torchvision's layout."""
    generator = torch.Generator().manual_seed(0)
    names = {"conv1": "features.0"}
    for number, index in enumerate(TORCHVISION_INDICES, start=2):
        names |= {
            f"fire{number}/{part}": f"features.{index}.{part.replace('squeeze1x1', 'squeeze')}"
            for part in ("squeeze1x1", "expand1x1", "expand3x3")
        }
    weights = {}
    for name, conv in SqueezeNet("torchvision").convolutions().items():
        fan_in = conv.weight[0].numel()
        weights[f"{names[name]}.weight"] = (
            torch.randn(conv.weight.shape, generator=generator) * (2 / fan_in) ** 0.5
        )
        weights[f"{names[name]}.bias"] = torch.rand(conv.out_channels, generator=generator) / 10
    weights["classifier.1.weight"] = torch.zeros(1000, 512, 1, 1)
    weights["classifier.1.bias"] = torch.zeros(1000)
    return weights


def heads() -> Weights:
    generator = torch.Generator().manual_seed(1)
    return {
        f"lin{layer}.model.1.weight": torch.rand(1, width, 1, 1, generator=generator)
        for layer, width in enumerate(WIDTHS)
    }


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("lpips")
    torch.save(torchvision(), folder / "squeezenet.pth")
    torch.save(heads(), folder / "heads.pth")
    return folder / "squeezenet.pth", folder / "heads.pth"


@pytest.fixture(scope="module")
def distance(files: tuple[Path, Path]) -> PerceptualDistance:
    return load_distance(squeezenet=files[0], heads=files[1])


def image(seed: int = 0, size: int = 48) -> Image.Image:
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    return coarse.resize((size, size), Image.Resampling.NEAREST)


def batch(*pictures: Image.Image) -> Tensor:
    return torch.stack([to_tensor(np.asarray(picture)) for picture in pictures])


def by_hand(sr: Tensor, hr: Tensor) -> Tensor:
    """Zhang et al.'s equation 1 with LPIPS 0.1's constants, by torchvision's indices, in float64."""
    weights = {name: tensor.double() for name, tensor in torchvision().items()}
    fitted = heads()
    shift = torch.tensor([-0.030, -0.088, -0.188]).double().view(3, 1, 1)
    scale = torch.tensor([0.458, 0.448, 0.450]).double().view(3, 1, 1)

    def conv(x: Tensor, name: str, **options: int) -> Tensor:
        return F.relu(F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], **options))

    def features(x: Tensor) -> list[Tensor]:
        x = conv((2 * x.double() - 1 - shift) / scale, "features.0", stride=2)
        found = [x]
        for index in range(2, 13):
            if index in (2, 5, 8):
                x = F.max_pool2d(x, 3, 2, ceil_mode=True)
                continue
            x = conv(x, f"features.{index}.squeeze")
            expanded = [conv(x, f"features.{index}.expand{s}x{s}", padding=s // 2) for s in (1, 3)]
            x = torch.cat(expanded, 1)
            if index in (4, 7, 9, 10, 11, 12):
                found.append(x)
        return found

    total = torch.zeros(len(sr)).double()
    for layer, (a, b) in enumerate(zip(features(sr), features(hr), strict=True)):
        unit_a, unit_b = (x / (x.pow(2).sum(1, keepdim=True).sqrt() + 1e-10) for x in (a, b))
        head = fitted[f"lin{layer}.model.1.weight"].double()
        total += (head * (unit_a - unit_b) ** 2).sum(1).mean((1, 2))
    return total


def test_lpips_is_what_the_paper_says(distance: PerceptualDistance) -> None:
    size = 46  # at which the poolings have a row and a column left over
    sharp = image(2, size)
    sr, hr = batch(image(1, size), sharp), batch(image(3, size), sharp.filter(ImageFilter.GaussianBlur(1)))
    assert distance.name == LPIPS
    assert distance(sr, hr).tolist() == pytest.approx(by_hand(sr, hr).tolist(), rel=1e-4)


def test_equal_pictures_have_no_distance_and_order_does_not_matter(distance: PerceptualDistance) -> None:
    a, b = batch(image(1)), batch(image(2))
    assert distance(a, a).item() == 0
    assert distance(a, b).item() == distance(b, a).item() > 0


def test_the_distance_grows_with_blur(distance: PerceptualDistance) -> None:
    sharp = image()
    blurred = [sharp.filter(ImageFilter.GaussianBlur(radius)) for radius in (0.5, 1, 2, 4)]
    values = [distance(batch(picture), batch(sharp)).item() for picture in blurred]
    assert values == sorted(values)


def test_without_heads_the_number_has_another_name() -> None:
    uncalibrated = PerceptualDistance(SqueezeNet("caffe"), None)
    assert uncalibrated.name == UNCALIBRATED != LPIPS
    assert uncalibrated(batch(image(1)), batch(image(2))).item() > 0


def write_keras(path: Path, weights: Weights) -> None:
    h5py = pytest.importorskip("h5py", reason="writes a Keras file")
    with h5py.File(path, "w") as file:
        for name, tensor in weights.items():
            layer, kind = name.rsplit(".", 1)
            array = tensor.permute(2, 3, 1, 0).numpy() if tensor.ndim == 4 else tensor.numpy()
            file[f"{layer}/{layer}_3/{'kernel' if kind == 'weight' else 'bias'}:0"] = array


def keras() -> Weights:
    generator = torch.Generator().manual_seed(0)
    return {
        f"{name}.{kind}": torch.rand(tensor.shape, generator=generator) - 0.5
        for name, conv in SqueezeNet("caffe").convolutions().items()
        for kind, tensor in conv.named_parameters()
    }


def test_the_keras_file_is_read_with_its_own_colours(tmp_path: Path) -> None:
    weights = keras()
    write_keras(tmp_path / "squeezenet.h5", weights)
    network = load_squeezenet(tmp_path / "squeezenet.h5")
    for name, conv in network.convolutions().items():
        assert torch.equal(conv.weight, weights[f"{name}.weight"])
    picture = batch(image())
    bgr = picture.flip(1) * 255 - torch.tensor([103.939, 116.779, 123.68]).view(3, 1, 1)
    first = F.relu(F.conv2d(bgr, weights["conv1.weight"], weights["conv1.bias"], stride=2))
    assert torch.allclose(network(2 * picture - 1)[0], first, rtol=1e-3, atol=1e-2)


def test_heads_are_refused_where_they_do_not_belong(tmp_path: Path, files: tuple[Path, Path]) -> None:
    write_keras(tmp_path / "squeezenet.h5", keras())
    assert load_distance(squeezenet=tmp_path / "squeezenet.h5").name == UNCALIBRATED
    with pytest.raises(UserError, match=r"fitted to torchvision's .* which gives squeezenet_distance"):
        load_distance(squeezenet=tmp_path / "squeezenet.h5", heads=files[1])


def test_the_shared_features_are_not_those_that_the_heads_were_fitted_to(shared_data: Path) -> None:
    """torchmetrics 1.9 publishes 0.1024 and 0.0938 for these pairs, so that file never gives LPIPS."""
    pytest.importorskip("h5py", reason="reads a Keras file")
    shared = shared_data.parent / "weights"
    if not (shared / "squeezenet_v1.1_features_keras.h5").is_file():
        pytest.skip("needs the real weights in ../shared/weights")
    network = load_squeezenet(shared / "squeezenet_v1.1_features_keras.h5")
    fitted = torch.load(shared / "lpips_v0.1_squeeze_heads.pth", map_location="cpu", weights_only=True)
    mixed = PerceptualDistance(network, [fitted[f"lin{n}.model.1.weight"].flatten() for n in range(7)])
    generator = torch.Generator().manual_seed(42)
    ours, theirs = (torch.rand(2, 3, 100, 100, generator=generator) for _ in range(2))
    assert mixed(ours, theirs).tolist() == pytest.approx([0.160, 0.153], abs=1e-3)


def test_the_official_files_give_the_published_value() -> None:
    """Those of torchmetrics 1.9's documentation, where `srlab data get` has fetched both files."""
    try:
        official = load_distance()
    except UserError as error:
        pytest.skip(str(error))
    generator = torch.Generator().manual_seed(42)
    ours, theirs = (torch.rand(2, 3, 100, 100, generator=generator) for _ in range(2))
    assert official(ours, theirs).tolist() == pytest.approx([0.1024, 0.0938], abs=1e-4)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda w: w.pop("features.12.expand3x3.bias"), "has no 'features.12.expand3x3.bias'"),
        (lambda w: w.update({"features.0.weight": torch.zeros(96, 3, 7, 7)}), r"\[96, 3, 7, 7\] there"),
        (
            lambda w: w.update({"features.13.weight": torch.zeros(1)}),
            "'features.13.weight', which is unknown",
        ),
    ],
)
def test_features_of_another_network_are_refused(
    tmp_path: Path, change: Callable[[Weights], object], told: str
) -> None:
    weights = torchvision()
    change(weights)
    torch.save(weights, tmp_path / "squeezenet.pth")
    with pytest.raises(UserError, match=told):
        load_squeezenet(tmp_path / "squeezenet.pth")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda w: w.pop("lin6.model.1.weight"), r"'lin6.model.1.weight' is not \[1, 512, 1, 1\]"),
        (lambda w: w["lin0.model.1.weight"].sub_(1), "'lin0.model.1.weight' holds other than"),
        (lambda w: w.update({"lin7.model.1.weight": torch.zeros(1)}), "it has 'lin7.model.1.weight'"),
    ],
)
def test_other_heads_are_refused(
    tmp_path: Path, files: tuple[Path, Path], change: Callable[[Weights], object], told: str
) -> None:
    weights = heads()
    change(weights)
    torch.save(weights, tmp_path / "heads.pth")
    with pytest.raises(UserError, match=told):
        load_distance(squeezenet=files[0], heads=tmp_path / "heads.pth")


def test_missing_weights_are_told_with_what_to_fetch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: tuple[Path, Path]
) -> None:
    monkeypatch.setenv("SRLAB_DATA", str(tmp_path))
    with pytest.raises(UserError, match=r"srlab data get squeezenet.*--squeezenet PATH"):
        load_distance()
    with pytest.raises(UserError, match=r"srlab data get lpips_squeeze.*--heads PATH"):
        load_distance(squeezenet=files[0])


# The pictures of a study


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A finished one of one rate, with the pictures of two variants and bicubic."""
    folder = tmp_path / "study"
    declared = tiny_study(tmp_path, learning_rates=(1e-3,))
    compare(declared, folder, MACHINE, question="?", announce=lambda _: None, report=lambda _: None)
    return folder


def test_every_picture_that_a_study_keeps_is_scored(study: Path, distance: PerceptualDistance) -> None:
    told: list[tuple[str, int, int]] = []
    written = score_pictures(study, distance, report=lambda *values: told.append(values))
    runs = ("bicubic", "tiny-edsr-lr0.001-seed0", "tiny-srcnn-lr0.001-seed0")
    assert written == [study / run / "test" / "perceptual.json" for run in runs]
    assert told == [("set", 1, 2), ("set", 2, 2)]
    for path in written:
        stored = load_scores(path)
        assert (stored.protocol, stored.scale) == (load_scores(path.with_name("scores.json")).protocol, 2)
        assert {(score.dataset, score.image, score.metric) for score in stored.scores} == {
            ("set", "0", LPIPS),
            ("set", "1", LPIPS),
        }
        assert store.load_json(path)["weights"] == distance.weights


def test_the_border_is_left_out_as_for_psnr(study: Path, distance: PerceptualDistance) -> None:
    path = score_pictures(study, distance)[0]
    sr = read_hr_image(study / "bicubic" / "test" / "set" / "0.png").pixels
    hr = read_hr_image(study.parent / "set" / "0.png").pixels[:40, :40]
    inner = [to_tensor(pixels[2:-2, 2:-2])[None] for pixels in (sr, hr)]
    assert load_scores(path).scores[0].value == pytest.approx(distance(*inner).item(), rel=1e-5)


def test_what_was_scored_is_left_alone_unless_the_weights_are_others(
    study: Path, distance: PerceptualDistance, tmp_path: Path, files: tuple[Path, Path]
) -> None:
    (first, *_) = score_pictures(study, distance)
    assert score_pictures(study, distance) == []
    other = {name: tensor * 2 for name, tensor in heads().items()}
    torch.save(other, tmp_path / "other.pth")
    before = load_scores(first).scores
    assert first in score_pictures(study, load_distance(squeezenet=files[0], heads=tmp_path / "other.pth"))
    assert [s.value for s in load_scores(first).scores] == pytest.approx(
        [2 * s.value for s in before], rel=1e-4
    )


def test_the_leaderboard_shows_it(study: Path, distance: PerceptualDistance) -> None:
    score_pictures(study, distance)
    bicubic = leaderboard(study).standings[0].tests["set"]
    values = [score.value for score in load_scores(study / "bicubic" / "test" / "perceptual.json").scores]
    assert bicubic[LPIPS].mean == pytest.approx(sum(values) / 2)


def test_test_images_that_changed_are_refused_and_may_have_moved(
    study: Path, distance: PerceptualDistance
) -> None:
    folder = study.parent / "set"
    picture = (folder / "0.png").read_bytes()
    image(5, 40).save(folder / "0.png")
    with pytest.raises(UserError, match=r"set is not the one .* was tested on: 0 is missing, new or changed"):
        score_pictures(study, distance)
    (folder / "0.png").write_bytes(picture)
    moved = study.parent / "elsewhere" / "set"
    moved.parent.mkdir()
    folder.rename(moved)
    with pytest.raises(UserError, match="set"):
        score_pictures(study, distance)
    assert len(score_pictures(study, distance, tests=(str(moved),))) == 3


def test_an_sr_picture_that_is_gone_or_changed_is_told(study: Path, distance: PerceptualDistance) -> None:
    path = study / "bicubic" / "test" / "set" / "1.png"
    image(0, 30).save(path)
    with pytest.raises(UserError, match=r"1.png has 30x30 pixels; 40x42 were expected"):
        score_pictures(study, distance)
    path.unlink()
    with pytest.raises(UserError, match=r"1.png is missing"):
        score_pictures(study, distance)


def test_the_command_scores_and_says_what_it_wrote(
    srlab: Srlab,  # noqa: F811
    study: Path,
    files: tuple[Path, Path],
) -> None:
    words = ("perceptual", str(study), "--squeezenet", str(files[0]), "--heads", str(files[1]))
    code, out, _ = srlab(*words, "--json")
    printed = json.loads(out)
    assert code == 0
    assert printed["metric"] == LPIPS
    assert [Path(path).is_file() for path in printed["files"]] == [True] * 3
    code, out, err = srlab(*words)
    assert (code, out) == (0, "")
    assert "every picture has its lpips_squeeze" in err
    assert srlab("perceptual", str(study.parent), *words[2:])[0] == 2
