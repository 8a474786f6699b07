"""What perceptual numbers promise: LPIPS as published, of a study's pictures, under their true name."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from torch import Tensor
from torch.nn import functional as F

import srlab as srlab_package
from srlab.data.weights import WEIGHTS, weights_file
from srlab.errors import UserError
from srlab.folder import store
from srlab.folder.choice import load_choice
from srlab.folder.scores import load_scores
from srlab.folder.winner import find_weights, winner
from srlab.lab.comparison import compare
from srlab.lab.perceptual_scores import score_study
from srlab.networks.lpips_features import LpipsFeatures, alexnet, vgg16
from srlab.networks.squeezenet import TORCHVISION_INDICES, WIDTHS, SqueezeNet, load_squeezenet
from srlab.pixels.color import to_tensor
from srlab.pixels.images import read_hr_image
from srlab.show.leaderboard import leaderboard
from srlab.use.perceptual import Lpips, Name, PerceptualDistance, load_distance, load_heads
from test_cli_data import (
    Srlab,
    srlab,  # noqa: F401 - a fixture
)
from tiny_study import MACHINE, tiny_study

Weights = dict[str, Tensor]
LPIPS, UNCALIBRATED = "lpips_squeeze", "squeezenet_distance"


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
    return as_official(*files)


def as_official(features: Path, fitted: Path) -> PerceptualDistance:
    """LPIPS as if these random files were the published ones."""
    network = load_squeezenet(features)
    weights = {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in (("squeezenet", features), ("heads", fitted))
    }
    return Lpips(network, load_heads(fitted, WIDTHS), name=LPIPS, weights=weights)


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
    uncalibrated = Lpips(SqueezeNet("caffe"), None, name=UNCALIBRATED)
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


def test_the_keras_file_and_others_are_no_lpips(tmp_path: Path, files: tuple[Path, Path]) -> None:
    write_keras(tmp_path / "squeezenet.h5", keras())
    found = load_distance("squeezenet", path=tmp_path / "squeezenet.h5")
    assert (found.name, found.is_calibrated) == (UNCALIBRATED, False)
    with pytest.raises(UserError, match=r"is not squeezenet1_1-b8a52dc0.pth.*called squeezenet_distance"):
        load_distance("squeezenet", path=files[0])
    other = load_distance("squeezenet", path=files[0], is_other=True)
    assert (other.name, list(other.weights)) == (UNCALIBRATED, ["squeezenet"])
    assert all(bool((head == 1).all()) for head in other.heads)


@pytest.mark.parametrize(
    ("name", "lpips", "uncalibrated", "build"),
    [("alexnet", "lpips_alex", "alexnet_distance", alexnet), ("vgg16", "lpips_vgg", "vgg16_distance", vgg16)],
)
def test_the_official_file_is_told_by_its_hash_and_gives_lpips(
    name: Name,
    lpips: str,
    uncalibrated: str,
    build: Callable[[], LpipsFeatures],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SRLAB_DATA", str(tmp_path))
    with pytest.raises(UserError, match=rf"srlab data get {name}.*--{name} PATH"):
        load_distance(name)
    weights: Weights = {
        f"{layer}.{kind}": tensor
        for layer, conv in build().convolutions().items()
        for kind, tensor in conv.named_parameters()
    }
    weights["classifier.6.bias"] = torch.zeros(3)
    path = weights_file(name)
    path.parent.mkdir()
    torch.save(weights, path)
    with pytest.raises(UserError, match=f"--other-weights accepts your file.*called {uncalibrated}"):
        load_distance(name, path=path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(WEIGHTS, name, replace(WEIGHTS[name], sha256=sha256[:8]))
    found = load_distance()  # the first that was fetched
    assert (found.name, found.is_calibrated) == (lpips, True)
    assert found.weights == {name: sha256, f"{name}_heads": PUBLISHED_HEADS[lpips]}
    a, b = batch(image(1)), batch(image(2))
    assert found(a, a).item() == 0
    by_formula = torch.zeros(1)
    for ours, theirs, head in zip(
        found.network(2 * a - 1), found.network(2 * b - 1), found.heads, strict=True
    ):
        unit = [x / (x.pow(2).sum(1, keepdim=True).sqrt() + 1e-10) for x in (ours, theirs)]
        by_formula += (head[:, None, None] * (unit[0] - unit[1]) ** 2).sum(1).mean((1, 2))
    assert found(a, b).item() == pytest.approx(by_formula.item(), rel=1e-4)
    assert load_distance(name, path=path, is_other=False).name == lpips


PUBLISHED_HEADS = {
    "lpips_alex": "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
    "lpips_vgg": "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
    "lpips_squeeze": "4a5350f23600cb79923ce65bb07cbf57dca461329894153e05a1346bd531cf76",
}


def test_the_heads_that_come_along_are_the_published_ones_with_their_licence() -> None:
    folder = Path(srlab_package.__file__).parent / "use" / "lpips"
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert "Richard Zhang" in (folder / "LICENSE").read_text(encoding="utf-8")
    for name, sha256 in PUBLISHED_HEADS.items():
        path = folder / f"{name.removeprefix('lpips_')}.pth"
        assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
        assert sha256 in readme


@pytest.mark.parametrize(
    ("network", "sizes"),
    [
        (alexnet(), [(64, 15), (192, 7), (384, 3), (256, 3), (256, 3)]),
        (vgg16(), [(64, 64), (128, 32), (256, 16), (512, 8), (512, 4)]),
    ],
)
def test_features_have_the_sizes_of_the_papers(network: LpipsFeatures, sizes: list[tuple[int, int]]) -> None:
    found = network(torch.zeros(1, 3, 64, 64))
    assert [(layer.shape[1], layer.shape[2]) for layer in found] == sizes
    smallest = torch.zeros(1, 3, network.smallest, network.smallest)
    assert network(smallest)[-1].numel() > 0
    with pytest.raises(RuntimeError):
        network(smallest[:, :, 1:])


def test_the_shared_features_are_not_those_that_the_heads_were_fitted_to(shared_data: Path) -> None:
    """torchmetrics 1.9 publishes 0.1024 and 0.0938 for these pairs, so that file never gives LPIPS."""
    pytest.importorskip("h5py", reason="reads a Keras file")
    shared = shared_data.parent / "weights"
    if not (shared / "squeezenet_v1.1_features_keras.h5").is_file():
        pytest.skip("needs the real weights in ../shared/weights")
    network = load_squeezenet(shared / "squeezenet_v1.1_features_keras.h5")
    fitted = torch.load(shared / "lpips_v0.1_squeeze_heads.pth", map_location="cpu", weights_only=True)
    heads_ = [fitted[f"lin{n}.model.1.weight"].flatten() for n in range(7)]
    mixed = Lpips(network, heads_, name="mixed")
    generator = torch.Generator().manual_seed(42)
    ours, theirs = (torch.rand(2, 3, 100, 100, generator=generator) for _ in range(2))
    assert mixed(ours, theirs).tolist() == pytest.approx([0.160, 0.153], abs=1e-3)


def test_the_official_files_give_the_published_value() -> None:
    """Those of torchmetrics 1.9's documentation, where `srlab data get` has fetched both files."""
    try:
        official = load_distance("squeezenet")
    except UserError as error:
        pytest.skip(str(error))
    generator = torch.Generator().manual_seed(42)
    ours, theirs = (torch.rand(2, 3, 100, 100, generator=generator) for _ in range(2))
    assert official(ours, theirs).tolist() == pytest.approx([0.1024, 0.0938], abs=1e-4)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda w: w.pop("features.12.expand3x3.bias"), "has no 'features.12.expand3x3.bias'"),
        (lambda w: w.update({"features.0.weight": torch.zeros(96, 3, 7, 7)}), r"the shape \[96, 3, 7, 7\]"),
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
        (lambda w: w["lin0.model.1.weight"].sub_(1), "'lin0.model.1.weight' must hold numbers"),
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
        as_official(files[0], tmp_path / "heads.pth")


def test_missing_weights_are_told_with_what_to_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRLAB_DATA", str(tmp_path))
    with pytest.raises(UserError, match=r"srlab data get squeezenet.*--squeezenet PATH"):
        load_distance("squeezenet")
    with pytest.raises(UserError, match=r"the weights file .*none.pth does not exist"):
        load_distance("squeezenet", path=tmp_path / "none.pth")


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
    written = score_study(study, distance, report=lambda *values: told.append(values))
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
    path = score_study(study, distance)[0]
    sr = read_hr_image(study / "bicubic" / "test" / "set" / "0.png").pixels
    hr = read_hr_image(study.parent / "set" / "0.png").pixels[:40, :40]
    inner = [to_tensor(pixels[2:-2, 2:-2])[None] for pixels in (sr, hr)]
    assert load_scores(path).scores[0].value == pytest.approx(distance(*inner).item(), rel=1e-5)


def test_what_was_scored_is_left_alone_unless_the_weights_are_others(
    study: Path, distance: PerceptualDistance, tmp_path: Path, files: tuple[Path, Path]
) -> None:
    (first, *_) = score_study(study, distance)
    assert score_study(study, distance) == []
    other = {name: tensor * 2 for name, tensor in heads().items()}
    torch.save(other, tmp_path / "other.pth")
    before = load_scores(first).scores
    assert first in score_study(study, as_official(files[0], tmp_path / "other.pth"))
    assert [s.value for s in load_scores(first).scores] == pytest.approx(
        [2 * s.value for s in before], rel=1e-4
    )


def test_the_leaderboard_shows_it(study: Path, distance: PerceptualDistance) -> None:
    score_study(study, distance)
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
        score_study(study, distance)
    (folder / "0.png").write_bytes(picture)
    moved = study.parent / "elsewhere" / "set"
    moved.parent.mkdir()
    folder.rename(moved)
    with pytest.raises(UserError, match="set"):
        score_study(study, distance)
    assert len(score_study(study, distance, tests=(str(moved),))) == 3


def test_an_sr_picture_that_is_gone_or_changed_is_told(study: Path, distance: PerceptualDistance) -> None:
    path = study / "bicubic" / "test" / "set" / "1.png"
    image(0, 30).save(path)
    with pytest.raises(UserError, match=r"1.png has 30x30 pixels; 40x42 were expected"):
        score_study(study, distance)
    path.unlink()
    with pytest.raises(UserError, match=r"1.png was scored and is now missing"):
        score_study(study, distance)


def test_the_command_scores_and_says_what_it_wrote(
    srlab: Srlab,  # noqa: F811
    study: Path,
    files: tuple[Path, Path],
) -> None:
    words = ("perceptual", str(study), "--squeezenet", str(files[0]))
    code, _, err = srlab(*words)
    assert (code, "--other-weights accepts your file" in " ".join(err.split())) == (2, True)
    code, out, err = srlab(*words, "--other-weights", "--json")
    printed = json.loads(out)
    assert (code, printed["metric"]) == (0, UNCALIBRATED)
    assert "not LPIPS" in err
    assert [Path(path).is_file() for path in printed["files"]] == [True] * 3
    code, out, err = srlab(*words, "--other-weights")
    assert (code, out) == (0, "")
    assert "every picture already has squeezenet_distance" in err
    assert srlab("perceptual", str(study.parent), *words[2:], "--other-weights")[0] == 2
    for wrong, told in (
        (("--other-weights",), "--other-weights needs a file"),
        (("--vgg16", "a", "--alexnet", "b"), "--alexnet and --vgg16 name different networks"),
        (("--vgg16", "a", "--lpips", "alex"), "--vgg16 and --lpips name different networks"),
    ):
        code, _, err = srlab("perceptual", str(study), *wrong)
        assert (code, told in " ".join(err.split())) == (2, True)


def test_without_a_network_gmsd_is_added_to_what_an_older_srlab_scored(
    srlab: Srlab,  # noqa: F811
    study: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SRLAB_DATA", str(tmp_path / "nothing"))
    before = {path: path.read_bytes() for path in sorted(study.glob("*/test/scores.json"))}
    for path in before:
        forget_gmsd(path)
    code, out, err = srlab("perceptual", str(study))
    assert (code, len(out.split())) == (0, 3)
    assert "GMSD only" in err
    assert {path: path.read_bytes() for path in before} == before
    assert "every picture already has gmsd_y" in srlab("perceptual", str(study))[2]


def forget_gmsd(path: Path) -> None:
    values = store.load_json(path)
    values["scores"] = [row for row in values["scores"] if row["metric"] != "gmsd_y"]
    store.save_json(path, values)


def test_two_distances_are_kept_side_by_side(study: Path, distance: PerceptualDistance) -> None:
    score_study(study, distance)
    other = Lpips(vgg16(), None, name="vgg16_distance", weights={"vgg16": "a"})
    path = score_study(study, other)[0]
    stored = load_scores(path)
    assert stored.metrics == {LPIPS, "vgg16_distance"}
    assert stored.weights == {**distance.weights, "vgg16": "a"}
    assert score_study(study, distance) == []
    assert {LPIPS, "vgg16_distance"} <= set(leaderboard(study).metrics)


# The validation images of a study with a discriminator


def test_a_gans_validation_images_are_scored_and_its_rate_chosen_anew(
    study: Path, distance: PerceptualDistance
) -> None:
    values = store.load_json(study / store.STUDY)
    for variant in values["variants"]:
        variant["objective"] = {"kind": "adversarial"}
    store.save_json(study / store.STUDY, values)
    runs = ("bicubic", "tiny-edsr-lr0.001-seed0", "tiny-srcnn-lr0.001-seed0")
    before = {}
    for run in runs:
        before[run] = (study / run / store.SCORES).read_bytes()
        forget_gmsd(study / run / store.SCORES)
    with pytest.raises(UserError, match="no such distance is stored: run `srlab perceptual"):
        winner(study)
    assert len(score_study(study, None)) == 3
    assert {run: (study / run / store.SCORES).read_bytes() for run in runs} == before
    assert "lowest validation gmsd_y" in find_weights(study).why
    assert len(score_study(study, distance)) == 6
    path = study / runs[1] / store.VALIDATION_PERCEPTUAL
    stored = load_scores(path)
    assert {score.metric for score in stored.scores} == {LPIPS}
    assert {score.image for score in stored.scores} == {
        image["name"] for image in values["images"]["validation"]
    }
    assert load_choice(study)["tiny/edsr"].measure == LPIPS
    assert f"lowest validation {LPIPS}" in find_weights(study).why
    assert score_study(study, distance) == []
