"""What DISTS promises: the paper's number, by its published weights and VGG16's official file alone."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import ImageFilter
from torch import Tensor

import srlab as srlab_package
from srlab.data.weights import WEIGHTS, weights_file
from srlab.errors import UserError
from srlab.folder import store
from srlab.folder.scores import load_scores
from srlab.networks.lpips_features import LpipsFeatures, vgg16
from srlab.show.leaderboard import leaderboard
from srlab.use.dists import FITTED, Dists, load_dists, load_fitted
from test_cli_data import (
    Srlab,
    srlab,  # noqa: F401 - a fixture
)
from test_perceptual import batch, image, study  # noqa: F401 - a fixture

Image = NDArray[np.float64]
PUBLISHED = "f5e65c96230b7f6ca995691647d482237e4cab8a50c5c4a5784f219ef0748218"


@pytest.fixture(scope="module")
def network() -> LpipsFeatures:
    """VGG16 of random weights, under which features neither vanish nor grow."""
    generator = torch.Generator().manual_seed(0)
    built = vgg16(pooling="l2")
    for conv in built.convolutions().values():
        conv.weight.normal_(std=(2 / conv.weight[0].numel()) ** 0.5, generator=generator)
        conv.bias.uniform_(-0.1, 0.1, generator=generator)  # type: ignore[union-attr]
    return built


@pytest.fixture(scope="module")
def dists(network: LpipsFeatures) -> Dists:
    texture, structure = load_fitted(FITTED, 1475)
    weights = {"vgg16": "0" * 64, "dists_weights": PUBLISHED}
    return Dists(network, texture=texture, structure=structure, weights=weights)


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory, network: LpipsFeatures) -> Path:
    """A file that is taken for VGG16's official one where `as_official` says so."""
    path = tmp_path_factory.mktemp("vgg16") / "vgg16.pth"
    named = network.convolutions().items()
    torch.save({f"{name}.{kind}": p for name, conv in named for kind, p in conv.named_parameters()}, path)
    return path


def as_official(path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(WEIGHTS, "vgg16", replace(WEIGHTS["vgg16"], sha256=sha256[:8]))
    return sha256


def by_hand(network: LpipsFeatures, sr: Tensor, hr: Tensor) -> float:
    """Section 3 of the paper in float64, channel by channel, pooling place by place."""
    convs = [conv.double() for conv in vgg16(pooling="l2").convolutions().values()]
    for conv, ours in zip(convs, network.convolutions().values(), strict=True):
        conv.load_state_dict(ours.state_dict())

    def pooled(x: Tensor) -> Tensor:
        window = torch.tensor([[1, 2, 1], [2, 4, 2], [1, 2, 1]]).double() / 16
        padded = torch.zeros(*x.shape[:2], x.shape[2] + 2, x.shape[3] + 2).double()
        padded[:, :, 1:-1, 1:-1] = x
        out = torch.empty(*x.shape[:2], (x.shape[2] + 1) // 2, (x.shape[3] + 1) // 2).double()
        for row in range(out.shape[2]):
            for column in range(out.shape[3]):
                under = padded[:, :, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
                out[:, :, row, column] = ((under**2 * window).sum((2, 3)) + 1e-12).sqrt()
        return out

    def channels(x: Tensor) -> list[Image]:
        mean = torch.tensor([0.485, 0.456, 0.406]).double().view(3, 1, 1)
        deviation = torch.tensor([0.229, 0.224, 0.225]).double().view(3, 1, 1)
        found, h = [x.double()], (x.double() - mean) / deviation
        convs_left = iter(convs)
        for block, count in enumerate((2, 2, 3, 3, 3)):
            h = h if block == 0 else pooled(h)
            for _ in range(count):
                h = next(convs_left)(h).clamp(min=0)
            found.append(h)
        return [channel.numpy() for layer in found for channel in layer[0]]

    fitted = torch.load(FITTED, weights_only=True)
    alpha, beta = (fitted[name].double().flatten().tolist() for name in ("alpha", "beta"))
    alike = 0.0
    for x, y, a, b in zip(channels(sr), channels(hr), alpha, beta, strict=True):
        texture = (2 * x.mean() * y.mean() + 1e-6) / (x.mean() ** 2 + y.mean() ** 2 + 1e-6)
        covariances = np.cov(x.ravel(), y.ravel(), bias=True)
        structure = (2 * covariances[0, 1] + 1e-6) / (covariances[0, 0] + covariances[1, 1] + 1e-6)
        alike += a * texture + b * structure
    return 1 - alike / (sum(alpha) + sum(beta))


def test_dists_is_what_the_paper_says(dists: Dists, network: LpipsFeatures) -> None:
    sharp = image(2, 45).crop((0, 0, 45, 37))  # at which each pooling has a row or a column left over
    sr, hr = batch(sharp.filter(ImageFilter.GaussianBlur(1))), batch(sharp)
    assert dists(sr, hr).item() == pytest.approx(by_hand(network, sr, hr), rel=1e-4)


def test_equal_pictures_have_no_distance_and_order_does_not_matter(dists: Dists) -> None:
    a, b = batch(image(1)), batch(image(2))
    assert dists(a, a).item() == 0
    assert dists(a, b).item() == pytest.approx(dists(b, a).item(), rel=1e-5)
    assert 0 < dists(a, b).item() < 1


def test_pictures_of_a_batch_are_compared_one_by_one(dists: Dists) -> None:
    sr, hr = batch(image(1), image(2)), batch(image(3), image(4))
    alone = [dists(sr[i : i + 1], hr[i : i + 1]).item() for i in range(2)]
    assert dists(sr, hr).tolist() == pytest.approx(alone, rel=1e-4)


def test_the_distance_grows_with_blur(dists: Dists) -> None:
    sharp = image()
    blurred = [sharp.filter(ImageFilter.GaussianBlur(radius)) for radius in (0.5, 1, 2, 4)]
    values = [dists(batch(picture), batch(sharp)).item() for picture in blurred]
    assert values == sorted(values)


def test_the_weights_that_come_along_are_the_published_ones_with_their_licence() -> None:
    folder = Path(srlab_package.__file__).parent / "use" / "dists_weights"
    assert hashlib.sha256(FITTED.read_bytes()).hexdigest() == PUBLISHED
    assert PUBLISHED in (folder / "README.md").read_text(encoding="utf-8")
    licence = (folder / "LICENSE").read_text(encoding="utf-8")
    assert "Copyright (c) 2020 Keyan Ding" in licence
    assert "MIT" in licence


def test_only_the_official_file_gives_dists(
    official: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SRLAB_DATA", str(tmp_path))
    with pytest.raises(UserError, match=r"srlab data get vgg16.*--vgg16 PATH"):
        load_dists()
    with pytest.raises(UserError, match=r"vgg16.pth is not VGG16's official file.*srlab data get vgg16"):
        load_dists(official)
    sha256 = as_official(official, monkeypatch)
    found = load_dists(official)
    assert (found.name, found.is_calibrated) == ("dists", True)
    assert found.weights == {"vgg16": sha256, "dists_weights": PUBLISHED}
    weights_file("vgg16").parent.mkdir()
    weights_file("vgg16").symlink_to(official)
    assert load_dists().weights == found.weights


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda w: w.pop("beta"), r"'beta' is not \[1, 1475, 1, 1\]"),
        (lambda w: w.update(alpha=torch.ones(1, 1472, 1, 1)), r"'alpha' is not \[1, 1475, 1, 1\]"),
        (lambda w: w["alpha"].sub_(1), "'alpha' holds other than numbers of at least 0"),
    ],
)
def test_other_weights_are_refused(
    tmp_path: Path, change: Callable[[dict[str, Tensor]], object], told: str
) -> None:
    weights = {name: torch.ones(1, 1475, 1, 1) / 2 for name in ("alpha", "beta")}
    change(weights)
    torch.save(weights, tmp_path / "weights.pt")
    with pytest.raises(UserError, match=told):
        load_fitted(tmp_path / "weights.pt", 1475)


def test_the_command_scores_a_study_by_dists(
    srlab: Srlab,  # noqa: F811
    study: Path,  # noqa: F811
    official: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = ("perceptual", str(study), "--dists", "--vgg16", str(official))
    code, _, err = srlab(*words)
    assert (code, "is not VGG16's official file" in " ".join(err.split())) == (2, True)
    for wrong in (("--other-weights",), ("--lpips", "vgg"), ("--alexnet", "a")):
        code, _, err = srlab(*words, *wrong)
        assert (code, "--dists does not go with --" in " ".join(err.split())) == (2, True)
    sha256 = as_official(official, monkeypatch)
    code, out, _ = srlab(*words, "--json")
    printed = json.loads(out)
    assert (code, printed["metric"], len(printed["files"])) == (0, "dists", 3)
    path = study / "bicubic" / "test" / "perceptual.json"
    assert store.load_json(path)["weights"] == {"vgg16": sha256, "dists_weights": PUBLISHED}
    values = [score.value for score in load_scores(path).scores]
    assert leaderboard(study).standings[0].tests["set"]["dists"].mean == pytest.approx(sum(values) / 2)
    assert "every picture already has dists" in srlab(*words)[2]
