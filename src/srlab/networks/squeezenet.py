"""SqueezeNet 1.1's convolutions, whose features a perceptual distance compares.

Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model size", 2016.
https://arxiv.org/abs/1602.07360; version 1.1 is the one of the authors' repository, with fewer filters and
earlier pooling.

Two trainings of it are read, each with the colours that it was trained on:

- torchvision's ``squeezenet1_1-b8a52dc0.pth``: RGB less ImageNet's mean, by its standard deviation;
- the authors' own (Caffe), as the Keras file ``squeezenet_v1.1_features_keras.h5`` has it: BGR of 0 to 255
  less a mean. LPIPS's heads were fitted to torchvision's filters and do not belong to these: see
  `srlab.use.perceptual`.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from srlab.errors import UserError
from srlab.networks.pth import check_tensors, read_tensors

Training = Literal["torchvision", "caffe"]

# Squeeze and expand widths of the fires 2 to 9; each expands to both 1x1 and 3x3 filters.
FIRES = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
WIDTHS = (64, 128, 256, 384, 384, 512, 512)  # of the seven features
TORCHVISION_INDICES = (3, 4, 6, 7, 9, 10, 11, 12)  # of the fires

# As LPIPS writes them for images in [-1, 1]: 2 mean - 1, and twice the standard deviation.
LPIPS_SHIFT = (-0.030, -0.088, -0.188)
LPIPS_SCALE = (0.458, 0.448, 0.450)
CAFFE_MEAN = (123.68, 116.779, 103.939)  # RGB


class Fire(nn.Module):
    """1x1 filters that squeeze [N, I, H, W] to few channels, then 1x1 and 3x3 ones side by side."""

    def __init__(self, in_features: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(in_features, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.squeeze(x))
        return F.relu(torch.cat((self.expand1x1(x), self.expand3x3(x)), dim=1))


class SqueezeNet(nn.Module):
    """RGB [N, 3, H, W] in [-1, 1] -> seven features of `WIDTHS` channels, each smaller than or as the last.

    They are those that LPIPS takes: after the first convolution, and after the fires 3, 5, 6, 7, 8 and 9.
    Images have at least 17 pixels on a side. Weights are constants.

    >>> with torch.device("meta"):
    ...     sum(parameter.numel() for parameter in SqueezeNet("torchvision").parameters())
    722496
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, training: Training) -> None:
        super().__init__()
        self.trained_as = training
        self.widths = WIDTHS
        self.smallest = 17
        self.conv = nn.Conv2d(3, 64, 3, stride=2)
        self.fires = nn.ModuleList()
        in_features = 64
        for squeezed, expanded in FIRES:
            self.fires.append(Fire(in_features, squeezed, expanded))
            in_features = 2 * expanded
        shift, scale = torch.tensor(LPIPS_SHIFT), torch.tensor(LPIPS_SCALE)
        if training == "caffe":
            shift, scale = torch.tensor(CAFFE_MEAN) / 127.5 - 1, torch.full((3,), 1 / 127.5)
        self.register_buffer("shift", shift[:, None, None], persistent=False)
        self.register_buffer("scale", scale[:, None, None], persistent=False)
        self.requires_grad_(False)

    def forward(self, image: Tensor) -> list[Tensor]:
        x = (image - self.shift) / self.scale
        x = F.relu(self.conv(x.flip(1) if self.trained_as == "caffe" else x))
        features = [x]
        for number, fire in enumerate(self.fires, start=2):
            if number in (2, 4, 6):
                x = F.max_pool2d(x, 3, stride=2, ceil_mode=True)
            x = fire(x)
            if number not in (2, 4):
                features.append(x)
        return features

    def convolutions(self) -> dict[str, nn.Conv2d]:
        """Every convolution by name: ``conv1``, ``fire2/squeeze1x1``, ..., ``fire9/expand3x3``."""
        found = {"conv1": self.conv}
        for number, fire in enumerate(self.fires, start=2):
            assert isinstance(fire, Fire)
            found |= {
                f"fire{number}/squeeze1x1": fire.squeeze,
                f"fire{number}/expand1x1": fire.expand1x1,
                f"fire{number}/expand3x3": fire.expand3x3,
            }
        return found


def load_squeezenet(path: Path) -> SqueezeNet:
    """SqueezeNet 1.1 with the weights in `path`: torchvision's ``.pth``, or Keras's ``.h5``.

    Raises:
        UserError: there is no such file; it is damaged, could run code, or is for another network; or an
            ``.h5`` is to be read and h5py is not installed.
    """
    if path.suffix == ".h5":
        network, weights = SqueezeNet("caffe"), _read_keras(path)
        names = {name: name for name in network.convolutions()}
    else:
        network, weights = SqueezeNet("torchvision"), read_tensors(path, what="SqueezeNet weights")
        weights = {name: value for name, value in weights.items() if not name.startswith("classifier.1.")}
        names = {"conv1": "features.0"}
        for number, index in enumerate(TORCHVISION_INDICES, start=2):
            names[f"fire{number}/squeeze1x1"] = f"features.{index}.squeeze"
            names |= {
                f"fire{number}/{part}": f"features.{index}.{part}" for part in ("expand1x1", "expand3x3")
            }
    convolutions = {names[name]: conv for name, conv in network.convolutions().items()}
    check_tensors(path, weights, convolutions)
    with torch.no_grad():
        for name, conv in convolutions.items():
            conv.weight.copy_(weights[f"{name}.weight"])
            conv.bias.copy_(weights[f"{name}.bias"])  # type: ignore[union-attr]
    return network.eval()


def _read_keras(path: Path) -> Mapping[str, Tensor]:
    """Weights by name, as PyTorch lays them out."""
    if not path.is_file():
        raise UserError(f"the file {path} does not exist; SqueezeNet weights were expected")
    try:
        import h5py  # type: ignore[import-untyped]
    except ImportError as error:
        raise UserError(
            f"{path} is a Keras file; reading it needs the package h5py, which is not installed: `pip "
            "install h5py`"
        ) from error
    weights: dict[str, Tensor] = {}

    def visit(name: str, item: object) -> None:
        if not isinstance(item, h5py.Dataset):
            return
        found = re.fullmatch(r"(conv1|fire\d/\w+)/.*/(kernel|bias):0", name)
        key = f"{found[1]}.{'weight' if found[2] == 'kernel' else 'bias'}" if found else name
        value = torch.from_numpy(item[()])
        weights[key] = value.permute(3, 2, 0, 1) if value.ndim == 4 else value

    try:
        with h5py.File(path) as file:
            file.visititems(visit)
    except (OSError, TypeError, RuntimeError) as error:
        raise UserError(
            f"{path} is not an HDF5 file of weights, or it is damaged ({error!s:.100})"
        ) from error
    return weights
