"""What VGG19's loading promises: the layers of the file that was given, or a clear error; nothing else."""

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from srlab.errors import UserError
from srlab.networks.vgg import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    NORMALIZED_FACTOR,
    OFFICIAL_FACTOR,
    Layer,
    load_vgg,
)

# torchvision's layout of its features: the index of each convolution and its widths.
OFFICIAL = {
    0: (3, 64),
    2: (64, 64),
    5: (64, 128),
    7: (128, 128),
    10: (128, 256),
    **dict.fromkeys((12, 14, 16), (256, 256)),
    19: (256, 512),
    **dict.fromkeys((21, 23, 25, 28, 30, 32, 34), (512, 512)),
}
POOLS = (4, 9, 18, 27)
NORMALIZED = {0: (3, 3), 2: (3, 64), 5: (64, 64), 9: (64, 128), 12: (128, 128), 16: (128, 256)}
IMAGE = torch.rand(1, 3, 34, 32, generator=torch.Generator().manual_seed(1))

Weights = dict[str, Tensor]


def official() -> Weights:
    """Random weights in torchvision's layout; its dense layers are one number seen many times."""
    generator = torch.Generator().manual_seed(0)
    weights: Weights = {}
    for index, (width, wider) in OFFICIAL.items():
        weights[f"features.{index}.weight"] = (
            torch.randn(wider, width, 3, 3, generator=generator) * (2 / (9 * width)) ** 0.5
        )
        weights[f"features.{index}.bias"] = torch.rand(wider, generator=generator) / 10
    for index, shape in ((0, (4096, 25088)), (3, (4096, 4096)), (6, (1000, 4096))):
        weights[f"classifier.{index}.weight"] = torch.zeros(1).expand(shape)
        weights[f"classifier.{index}.bias"] = torch.zeros(1).expand(shape[0])
    return weights


def normalized() -> Weights:
    generator = torch.Generator().manual_seed(0)
    return {
        f"{index}.{kind}": torch.randn(
            *((wider, width, *((1, 1) if index == 0 else (3, 3))) if kind == "weight" else (wider,)),
            generator=generator,
        )
        / (9 * width) ** 0.5
        for index, (width, wider) in NORMALIZED.items()
        for kind in ("weight", "bias")
    }


@pytest.fixture(scope="module")
def official_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vgg") / "vgg19.pth"
    torch.save(official(), path)
    return path


def expected(weights: Weights, layer: Layer) -> Tensor:
    """By the layout's own indices: every layer one after another up to the one wanted."""
    x = (IMAGE - torch.tensor(IMAGENET_MEAN).view(3, 1, 1)) / torch.tensor(IMAGENET_STD).view(3, 1, 1)
    last = {"relu2_2": 8, "conv5_4": 34, "relu5_4": 35}[layer]
    for index in range(last + 1):
        if index in OFFICIAL:
            name = f"features.{index}"
            x = F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], padding=1)
        else:
            x = F.max_pool2d(x, 2) if index in POOLS else F.relu(x)
    return x / OFFICIAL_FACTOR


@pytest.mark.parametrize("layer", ["relu2_2", "conv5_4", "relu5_4"])
def test_the_official_files_layers_are_computed(official_file: Path, layer: Layer) -> None:
    features = load_vgg(official_file, layer)(IMAGE)
    assert features.shape == ((1, 128, 17, 16) if layer == "relu2_2" else (1, 512, 2, 2))
    assert torch.allclose(features, expected(official(), layer), rtol=1e-4, atol=1e-5)
    assert bool((features < 0).any()) == (layer == "conv5_4")  # before its activation


def test_the_normalized_files_relu2_2_is_computed(tmp_path: Path) -> None:
    weights = normalized()
    torch.save(weights, tmp_path / "vgg.pth")
    x = F.conv2d(IMAGE, weights["0.weight"], weights["0.bias"])
    for index in (2, 5, 9, 12):
        if index == 9:
            x = F.max_pool2d(x, 2)
        x = F.pad(x, (1, 1, 1, 1), mode="reflect")
        x = F.relu(F.conv2d(x, weights[f"{index}.weight"], weights[f"{index}.bias"]))
    features = load_vgg(tmp_path / "vgg.pth", "relu2_2")(IMAGE)
    assert torch.allclose(features, x / NORMALIZED_FACTOR, rtol=1e-4, atol=1e-6)


def test_the_normalized_file_has_no_deeper_layers(tmp_path: Path) -> None:
    torch.save(normalized(), tmp_path / "vgg.pth")
    with pytest.raises(UserError, match=r"relu2_2 only \(--content vgg22\); relu5_4 needs .* get vgg19"):
        load_vgg(tmp_path / "vgg.pth", "relu5_4")


def test_the_real_normalized_file_has_a_mean_activation_of_about_one(shared_data: Path) -> None:
    from srlab.pixels.color import to_tensor
    from srlab.pixels.images import read_hr_image

    path = shared_data.parent / "weights" / "vgg_normalised_conv3_1.pth"
    if not path.is_file():
        pytest.skip("needs the real weights in ../shared/weights")
    network = load_vgg(path, "relu2_2")
    image = to_tensor(read_hr_image(shared_data / "Set5" / "HR" / "bird.png").pixels)[None]
    assert (NORMALIZED_FACTOR * network(image)).mean().item() == pytest.approx(1, abs=0.4)


def test_its_weights_are_constants_and_training_mode_changes_nothing(official_file: Path) -> None:
    network = load_vgg(official_file, "relu2_2")
    image = IMAGE.clone().requires_grad_()
    network.train()(image).sum().backward()
    assert image.grad is not None
    assert all(parameter.grad is None for parameter in network.parameters())
    assert torch.equal(network.train()(IMAGE), network.eval()(IMAGE))


def changed(weights: Weights, change: Callable[[Weights], object]) -> Weights:
    change(weights)
    return weights


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda w: w.pop("features.34.bias"), "has no 'features.34.bias'"),
        (
            lambda w: w.update({"features.5.weight": torch.zeros(128, 64, 5, 5)}),
            r"the shape \[128, 64, 5, 5\]",
        ),
        (
            lambda w: w.update({"features.36.weight": torch.zeros(1)}),
            "'features.36.weight', which is unknown",
        ),
        (
            lambda w: w["features.0.bias"].fill_(float("nan")),
            "some numbers of 'features.0.bias' are not finite",
        ),
        (lambda w: w.update({"features.0.bias": torch.zeros(64, dtype=torch.int64)}), "are not finite"),
        (lambda w: w.pop("features.0.weight"), "is not for VGG19"),
    ],
)
def test_a_file_of_another_network_is_refused(
    tmp_path: Path, change: Callable[[Weights], object], told: str
) -> None:
    torch.save(changed(official(), change), tmp_path / "vgg.pth")
    with pytest.raises(UserError, match=told):
        load_vgg(tmp_path / "vgg.pth", "relu2_2")


def test_a_normalized_file_of_another_network_is_refused(tmp_path: Path) -> None:
    torch.save(changed(normalized(), lambda w: w.pop("12.weight")), tmp_path / "vgg.pth")
    with pytest.raises(UserError, match=r"has no '12.weight'"):
        load_vgg(tmp_path / "vgg.pth", "relu2_2")


class Evil:
    """A pickle that would make a file where it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


def test_a_file_that_could_run_code_is_not_opened(tmp_path: Path) -> None:
    torch.save({"features.0.weight": Evil(tmp_path / "ran")}, tmp_path / "vgg.pth")
    (tmp_path / "old.pth").write_bytes(pickle.dumps(Evil(tmp_path / "ran")))
    for name in ("vgg.pth", "old.pth"):
        with pytest.raises(UserError, match=r"could run code|holds no VGG19 weights"):
            load_vgg(tmp_path / name, "relu2_2")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"<html>not found</html>"])
def test_a_damaged_file_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "vgg.pth").write_bytes(content)
    with pytest.raises(UserError, match=r"vgg.pth"):
        load_vgg(tmp_path / "vgg.pth", "relu2_2")


@pytest.mark.parametrize("values", [[1, 2], {"state": {"features.0.weight": 1}}, nn.Linear(1, 1)])
def test_anything_but_tensors_by_name_is_refused(tmp_path: Path, values: object) -> None:
    torch.save(values, tmp_path / "vgg.pth")
    with pytest.raises(UserError, match=r"vgg.pth"):
        load_vgg(tmp_path / "vgg.pth", "relu2_2")


def test_a_file_that_was_cut_off_is_told(tmp_path: Path, official_file: Path) -> None:
    whole = official_file.read_bytes()
    (tmp_path / "vgg.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"was cut off|damaged"):
        load_vgg(tmp_path / "vgg.pth", "relu2_2")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere.pth does not exist; VGG19 weights"):
        load_vgg(tmp_path / "nowhere.pth", "relu2_2")
