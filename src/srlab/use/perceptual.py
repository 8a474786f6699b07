"""How far do SR and HR look apart by the features of a network? LPIPS, and its uncalibrated form.

Zhang, Isola, Efros, Shechtman and Wang, "The Unreasonable Effectiveness of Deep Features as a Perceptual
Metric", CVPR 2018. https://arxiv.org/abs/1801.03924

Features of some layers of a network are normalized to unit length over the channels at each place; the
squared differences are summed over the channels, averaged over the places and summed over the layers. Which
number that is depends on the weights, and so does its name:

- ``lpips_alex``, ``lpips_vgg`` and ``lpips_squeeze`` are LPIPS 0.1: torchvision's official AlexNet, VGG16 or
  SqueezeNet, and channels weighted by the published heads, which were fitted to people's judgements. The
  heads are included (``lpips/`` beside this file). A file is official if its SHA-256 begins with the digits
  in torchvision's name of it.
- ``alexnet_distance``, ``vgg16_distance`` and ``squeezenet_distance`` are the same without heads (every
  channel weighs 1), by any other weights of these networks, such as SqueezeNet's Keras file.

The heads are not used with other weights, since they were not fitted to them: with the Keras file they give
0.160 and 0.153 for the two pairs of noise of torchmetrics 1.9's documentation, where LPIPS is 0.1024 and
0.0938. All are lower for pictures more alike and 0 for equal ones; one is never compared with another.
`srlab.use.dists` is another such distance.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from srlab.data.weights import WEIGHTS, absent, weights_file
from srlab.errors import UserError
from srlab.files import sha256_of
from srlab.networks.lpips_features import LpipsFeatures, load_alexnet, load_vgg16
from srlab.networks.pth import read_tensors
from srlab.networks.squeezenet import SqueezeNet, load_squeezenet
from srlab.pixels.color import to_tensor

Name = Literal["alexnet", "vgg16", "squeezenet"]  # as `srlab data get` calls them
EPS = 1e-10  # LPIPS's, added to the length by which features are divided
_HEADS = Path(__file__).parent / "lpips"


@dataclass(frozen=True, kw_only=True)
class _Backbone:
    """A network whose features are compared; `heads` is the file of its heads, `heads_name` what it is called
    where weights are written down.
    """

    lpips: str
    uncalibrated: str
    heads: str
    heads_name: str
    load: Callable[[Path], SqueezeNet | LpipsFeatures]


_BACKBONES: dict[Name, _Backbone] = {
    "alexnet": _Backbone(
        lpips="lpips_alex",
        uncalibrated="alexnet_distance",
        heads="alex.pth",
        heads_name="alexnet_heads",
        load=load_alexnet,
    ),
    "vgg16": _Backbone(
        lpips="lpips_vgg",
        uncalibrated="vgg16_distance",
        heads="vgg.pth",
        heads_name="vgg16_heads",
        load=load_vgg16,
    ),
    "squeezenet": _Backbone(
        lpips="lpips_squeeze",
        uncalibrated="squeezenet_distance",
        heads="squeeze.pth",
        heads_name="heads",
        load=load_squeezenet,
    ),
}


class PerceptualDistance(ABC):
    """A distance of two pictures; `name` says which, `weights` the SHA-256 of the files it is made with."""

    def __init__(
        self, network: SqueezeNet | LpipsFeatures, *, name: str, weights: Mapping[str, str] | None = None
    ) -> None:
        self.network = network
        self.name = name
        self.weights = dict(weights or {})

    @property
    def is_calibrated(self) -> bool:
        """Whether it was fitted to people's judgements."""
        return self.name not in {backbone.uncalibrated for backbone in _BACKBONES.values()}

    def __call__(self, sr: Tensor, hr: Tensor) -> Tensor:
        """SR and HR [N, 3, H, W] in [0, 1] -> their distances [N]; computed in float32."""
        return self.between(self.features(sr), self.features(hr))

    @abstractmethod
    def features(self, image: Tensor) -> list[Tensor]:
        """What is compared of images [N, 3, H, W] in [0, 1]."""

    @abstractmethod
    def between(self, ours: Iterable[Tensor], theirs: Iterable[Tensor]) -> Tensor:
        """The distances [N] of images of which `features` are given."""

    def batch(self, pixels: NDArray[np.uint8], *, border: int, name: str) -> Tensor:
        """uint8 [H, W, 3] -> [1, 3, H - 2 border, W - 2 border] in [0, 1]; a `UserError` if that is small."""
        inner = pixels[border : len(pixels) - border, border : pixels.shape[1] - border]
        smallest = self.network.smallest
        if min(inner.shape[:2]) < smallest:
            raise UserError(
                f"{name} is too small for {self.name}: {inner.shape[1]}x{inner.shape[0]} pixels are left "
                f"without {border} along each edge, and {smallest}x{smallest} are needed"
            )
        return to_tensor(inner)[None].float()


class Lpips(PerceptualDistance):
    """LPIPS, or its uncalibrated form.

    `heads` are a vector with a weight of at least 0 for each channel, one for each feature of the network.
    """

    def __init__(
        self,
        network: SqueezeNet | LpipsFeatures,
        heads: list[Tensor] | None,
        *,
        name: str,
        weights: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(network, name=name, weights=weights)
        self.heads = [torch.ones(width) for width in network.widths] if heads is None else heads

    def features(self, image: Tensor) -> list[Tensor]:
        """What is compared of images [N, 3, H, W] in [0, 1]: unit vectors at each place of some layers."""
        with torch.no_grad():
            found = self.network(2 * image.float() - 1)
            return [layer / (layer.square().sum(1, keepdim=True).sqrt() + EPS) for layer in found]

    def between(self, ours: Iterable[Tensor], theirs: Iterable[Tensor]) -> Tensor:
        """The distances [N] of images of which `features` are given."""
        total = torch.zeros(())
        for a, b, head in zip(ours, theirs, self.heads, strict=True):
            total = total + ((a - b).square() * head[:, None, None]).sum(1).mean((1, 2))
        return total


def load_distance(name: Name | None = None, *, path: Path | None = None, is_other: bool = False) -> Lpips:
    """LPIPS by the features of the network `name`: of the file `path`, or of what `srlab data get` fetched.

    Without `name` it is the first of alexnet, vgg16 and squeezenet that was fetched. `is_other` says that
    `path` is not the official file: the distance is then uncalibrated and has another name. SqueezeNet's
    Keras file (``.h5``) is another by its format.

    Raises:
        UserError: a file is not there, damaged or of another network; or it is not the official one and not
            said to be another.
    """
    if name is None:
        found = fetched_distance()
        if found is None:
            raise absent("squeezenet", hint="; alexnet and vgg16 serve too")
        return found
    backbone = _BACKBONES[name]
    file, sha256, is_official = official_file(name, path)
    if not is_official and not is_other and not (name == "squeezenet" and file.suffix == ".h5"):
        raise UserError(
            f"{file} is not {WEIGHTS[name].file}: its SHA-256 is {sha256}, and should begin with "
            f"{WEIGHTS[name].sha256}; LPIPS' heads were fitted to the official file only. --other-weights "
            f"accepts your file; the number is then called {backbone.uncalibrated}"
        )
    network = backbone.load(file)
    if not is_official:
        return Lpips(network, None, name=backbone.uncalibrated, weights={name: sha256})
    heads = _HEADS / backbone.heads
    return Lpips(
        network,
        load_heads(heads, network.widths),
        name=backbone.lpips,
        weights={name: sha256, backbone.heads_name: sha256_of(heads)},
    )


def fetched_distance() -> Lpips | None:
    """LPIPS by the first of the networks whose official file was fetched or added; None if none was."""
    names: tuple[Name, ...] = get_args(Name)
    return next((load_distance(name) for name in names if weights_file(name).is_file()), None)


def official_file(name: Name, path: Path | None) -> tuple[Path, str, bool]:
    """`path`, or where `srlab data get` puts the network's file; its SHA-256; whether it is the official one.

    A `UserError` if it is not there.
    """
    file = path or weights_file(name)
    if not file.is_file():
        if path is not None:
            raise UserError(f"the weights file {path} does not exist")
        raise absent(name, hint=f"; or name your own copy with --{name} PATH")
    sha256 = sha256_of(file)
    return file, sha256, sha256.startswith(WEIGHTS[name].sha256)


def load_heads(path: Path, widths: tuple[int, ...]) -> list[Tensor]:
    """LPIPS 0.1's heads: for each feature one weight for each of its channels; a `UserError` for others."""
    weights = read_tensors(path, what="heads of LPIPS")
    expected = {f"lin{layer}.model.1.weight": width for layer, width in enumerate(widths)}
    for name, width in expected.items():
        if name not in weights or weights[name].shape != (1, width, 1, 1):
            raise UserError(f"{path} holds other heads than LPIPS': {name!r} is not [1, {width}, 1, 1]")
        if not bool(((weights[name] >= 0) & weights[name].isfinite()).all()):
            raise UserError(f"{path} is damaged: {name!r} must hold numbers of at least 0")
    if unknown := sorted(set(weights) - set(expected)):
        raise UserError(f"{path} holds other heads than LPIPS': it has {unknown[0]!r}")
    return [weights[name].flatten().float() for name in expected]
