"""DISTS: how far do SR and HR look apart by the means and the covariances of VGG16's features?

Ding, Ma, Wang and Simoncelli, "Image Quality Assessment: Unifying Structure and Texture Similarity", IEEE
TPAMI 2020. https://arxiv.org/abs/2004.07728

Each channel of the picture itself and of five layers of VGG16 is compared over all its places: its mean by
l = (2 m_sr m_hr + c1) / (m_sr^2 + m_hr^2 + c1), which is texture, and its variation by
s = (2 cov + c2) / (v_sr + v_hr + c2), which is structure; c1 = c2 = 1e-6. The distance is
sum(alpha (1 - l)) + sum(beta (1 - s)). The weights alpha and beta were fitted to people's judgements, to
torchvision's official VGG16 with L2 pooling. They are included (``dists_weights/`` beside this file).
"""

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from srlab.errors import UserError
from srlab.files import sha256_of
from srlab.networks.lpips_features import LpipsFeatures, load_vgg16
from srlab.networks.pth import read_tensors
from srlab.use.perceptual import PerceptualDistance, official_file

NAME = "dists"
C1 = C2 = 1e-6
FITTED = Path(__file__).parent / "dists_weights" / "weights.pt"


class Dists(PerceptualDistance):
    """DISTS; `network` has L2 pooling, `texture` and `structure` have a weight for each channel compared."""

    def __init__(
        self, network: LpipsFeatures, *, texture: Tensor, structure: Tensor, weights: dict[str, str]
    ) -> None:
        super().__init__(network, name=NAME, weights=weights)
        total = texture.sum() + structure.sum()
        widths = [3, *network.widths]
        self.texture = (texture / total).split(widths)
        self.structure = (structure / total).split(widths)

    def features(self, image: Tensor) -> list[Tensor]:
        """What is compared of images [N, 3, H, W] in [0, 1]: they themselves and five layers of VGG16."""
        with torch.no_grad():
            return [image.float(), *self.network(2 * image.float() - 1)]

    def between(self, ours: Iterable[Tensor], theirs: Iterable[Tensor]) -> Tensor:
        """The distances [N] of images of which `features` are given."""
        total = torch.zeros(())
        for a, b, texture, structure in zip(ours, theirs, self.texture, self.structure, strict=True):
            mean_a, mean_b = a.mean((2, 3), keepdim=True), b.mean((2, 3), keepdim=True)
            off_a, off_b = a - mean_a, b - mean_b
            covariance = (off_a * off_b).mean((2, 3))
            variances = off_a.square().mean((2, 3)) + off_b.square().mean((2, 3))
            alike = (2 * mean_a * mean_b + C1) / (mean_a.square() + mean_b.square() + C1)
            total = total + ((1 - alike[:, :, 0, 0]) * texture).sum(1)
            total = total + ((1 - (2 * covariance + C2) / (variances + C2)) * structure).sum(1)
        return total


def load_dists(path: Path | None = None) -> Dists:
    """DISTS by VGG16's official file: `path`, or what `srlab data get vgg16` fetched.

    Raises:
        UserError: the file is not there, damaged or not the official one.
    """
    file, sha256, is_official = official_file("vgg16", path)
    if not is_official:
        raise UserError(
            f"{file} is not VGG16's official file: its SHA-256 is {sha256}; DISTS' weights were fitted to "
            "that file alone, which `srlab data get vgg16` fetches"
        )
    network = load_vgg16(file, pooling="l2")
    texture, structure = load_fitted(FITTED, 3 + sum(network.widths))
    fitted = {"vgg16": sha256, "dists_weights": sha256_of(FITTED)}
    return Dists(network, texture=texture, structure=structure, weights=fitted)


def load_fitted(path: Path, width: int) -> tuple[Tensor, Tensor]:
    """The weights alpha (texture) and beta (structure) of `width` channels; a `UserError` for others."""
    found = read_tensors(path, what="weights of DISTS")
    for name in ("alpha", "beta"):
        if name not in found or found[name].shape != (1, width, 1, 1):
            raise UserError(f"{path} holds other weights than DISTS': {name!r} is not [1, {width}, 1, 1]")
        if not bool(((found[name] >= 0) & found[name].isfinite()).all()):
            raise UserError(f"{path} is damaged: {name!r} holds other than numbers of at least 0")
    return found["alpha"].flatten().float(), found["beta"].flatten().float()
