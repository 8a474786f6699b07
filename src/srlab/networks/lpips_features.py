"""AlexNet's and VGG16's convolutions, whose features LPIPS and DISTS compare, with torchvision's weights.

Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014, is torchvision's AlexNet.
https://arxiv.org/abs/1404.5997. Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale
Image Recognition", ICLR 2015, table 1, column D, is VGG16. https://arxiv.org/abs/1409.1556. DISTS has L2
pooling in it: https://arxiv.org/abs/2004.07728, section 3.1.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from srlab.networks.pth import check_tensors, read_tensors
from srlab.networks.squeezenet import LPIPS_SCALE, LPIPS_SHIFT

Pooling = Literal["max", "l2"]


@dataclass(frozen=True)
class _Layer:
    """A convolution with its ReLU; `index` is torchvision's. `pool` is the window of a pooling before it."""

    index: int
    inputs: int
    outputs: int
    kernel: int = 3
    stride: int = 1
    padding: int = 1
    pool: int = 0
    is_compared: bool = True


_ALEXNET = (
    _Layer(0, 3, 64, kernel=11, stride=4, padding=2),
    _Layer(3, 64, 192, kernel=5, padding=2, pool=3),
    _Layer(6, 192, 384, pool=3),
    _Layer(8, 384, 256),
    _Layer(10, 256, 256),
)
_VGG16 = (
    _Layer(0, 3, 64, is_compared=False),
    _Layer(2, 64, 64),
    _Layer(5, 64, 128, pool=2, is_compared=False),
    _Layer(7, 128, 128),
    _Layer(10, 128, 256, pool=2, is_compared=False),
    _Layer(12, 256, 256, is_compared=False),
    _Layer(14, 256, 256),
    _Layer(17, 256, 512, pool=2, is_compared=False),
    _Layer(19, 512, 512, is_compared=False),
    _Layer(21, 512, 512),
    _Layer(24, 512, 512, pool=2, is_compared=False),
    _Layer(26, 512, 512, is_compared=False),
    _Layer(28, 512, 512),
)


class LpipsFeatures(nn.Module):
    """RGB [N, 3, H, W] in [-1, 1] -> five features of `widths` channels, each smaller than or as the last.

    Images have at least `smallest` pixels on a side. Weights are constants. `pooling` "l2" has the root of
    weighted squares of 3 x 3 features in place of the largest one (`l2_pool`).

    >>> with torch.device("meta"):
    ...     [sum(p.numel() for p in build().parameters()) for build in (alexnet, vgg16)]
    [2469696, 14714688]
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, layers: tuple[_Layer, ...], *, smallest: int, pooling: Pooling = "max") -> None:
        super().__init__()
        self.pooling = pooling
        self._layers = layers
        self.smallest = smallest
        self.widths = tuple(layer.outputs for layer in layers if layer.is_compared)
        self.convs = nn.ModuleList(
            nn.Conv2d(layer.inputs, layer.outputs, layer.kernel, stride=layer.stride, padding=layer.padding)
            for layer in layers
        )
        self.register_buffer("shift", torch.tensor(LPIPS_SHIFT)[:, None, None], persistent=False)
        self.register_buffer("scale", torch.tensor(LPIPS_SCALE)[:, None, None], persistent=False)
        self.requires_grad_(False)

    def forward(self, image: Tensor) -> list[Tensor]:
        x = (image - self.shift) / self.scale
        features = []
        for layer, conv in zip(self._layers, self.convs, strict=True):
            if layer.pool:
                x = l2_pool(x) if self.pooling == "l2" else F.max_pool2d(x, layer.pool, stride=2)
            x = F.relu(conv(x))
            if layer.is_compared:
                features.append(x)
        return features

    def convolutions(self) -> dict[str, nn.Conv2d]:
        """Every convolution by torchvision's name: ``features.0``, ``features.3``, ..."""
        return {
            f"features.{layer.index}": conv
            for layer, conv in zip(self._layers, self.convs, strict=True)
            if isinstance(conv, nn.Conv2d)
        }


def l2_pool(x: Tensor) -> Tensor:
    """[N, C, H, W] -> [N, C, ceil(H / 2), ceil(W / 2)]: the root of squares weighted by a Hann window, 3 x 3.

    Outside the picture is 0.
    """
    hann = torch.tensor([0.25, 0.5, 0.25], dtype=x.dtype, device=x.device)
    window = (hann[:, None] * hann).expand(x.shape[1], 1, 3, 3)
    return (F.conv2d(x.square(), window, stride=2, padding=1, groups=x.shape[1]) + 1e-12).sqrt()


def alexnet() -> LpipsFeatures:
    """AlexNet's features, of random weights."""
    return LpipsFeatures(_ALEXNET, smallest=31)


def vgg16(*, pooling: Pooling = "max") -> LpipsFeatures:
    """VGG16's features, of random weights."""
    return LpipsFeatures(_VGG16, smallest=16, pooling=pooling)


def load_alexnet(path: Path) -> LpipsFeatures:
    """AlexNet with the weights in `path`, torchvision's ``.pth``.

    Raises:
        UserError: there is no such file; it is damaged, could run code, or is for another network.
    """
    return _load(path, alexnet(), what="AlexNet weights")


def load_vgg16(path: Path, *, pooling: Pooling = "max") -> LpipsFeatures:
    """VGG16 with the weights in `path`, torchvision's ``.pth``.

    Raises:
        UserError: there is no such file; it is damaged, could run code, or is for another network.
    """
    return _load(path, vgg16(pooling=pooling), what="VGG16 weights")


def _load(path: Path, network: LpipsFeatures, *, what: str) -> LpipsFeatures:
    weights = read_tensors(path, what=what)
    weights = {name: value for name, value in weights.items() if not name.startswith("classifier.")}
    convolutions = network.convolutions()
    check_tensors(path, weights, convolutions)
    with torch.no_grad():
        for name, conv in convolutions.items():
            conv.weight.copy_(weights[f"{name}.weight"])
            conv.bias.copy_(weights[f"{name}.bias"])  # type: ignore[union-attr]
    return network.eval()
