"""VGG19's convolutions, for the content loss: RGB in, the features of one layer out.

Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015,
table 1, column E. https://arxiv.org/abs/1409.1556

Two layouts of weights files are read, strictly: torchvision's official ``vgg19-dcbb9e9d.pth``, and the
normalized VGG19 that style transfer uses (``vgg_normalised``), whose weights are scaled so that each
filter's mean activation over images and positions is 1 (Gatys, Ecker and Bethge, "Image Style Transfer Using
Convolutional Neural Networks", CVPR 2016, section 2). The second begins with a convolution of 1 x 1 that
makes BGR of 0 to 255 less the mean, and pads by reflection, as it was made to be used.

Features are divided by a factor, so that their squared error is about as large as that of pixels and the
weight of the adversarial loss means the same:

- the official file: 12.75 for every layer, as Ledig et al. have it. Theirs, and the seed's, was meant for
  weights that see 0 to 255; torchvision's see images of mean 0 and variance 1. Whether their features are on
  that scale could not be measured here.
- the normalized file, relu2_2: 14. Its features' mean is 0.9 and their energy 5 on BSDS200, so 12.75 is not
  meant for them; 14 was measured to serve the purpose that Ledig et al. give for theirs, an error on a scale
  with that of pixels in [-1, 1]: of bicubic at x4 both are equal at 13.8 (BSDS200), 14.2 (photographs of 1280
  pixels) and 14.8 (T91). ``benchmarks/content_scale.py`` measures it.
- random weights, relu2_2: 1.8, measured likewise.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from srlab.errors import UserError
from srlab.networks.pth import check_tensors, read_tensors

Layer = Literal["relu2_2", "conv5_4", "relu5_4"]

# Widths by block; a block ends with a pooling that halves the size.
BLOCKS = ((64, 64), (128, 128), (256,) * 4, (512,) * 4, (512,) * 4)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

OFFICIAL_FACTOR = 12.75
NORMALIZED_FACTOR = 14.0
RANDOM_FACTOR = 1.8

NORMALIZED_INDICES = (2, 5, 9, 12, 16)  # of the convolutions; 0 is that of the colours
RANDOM_SEED = 0


class VGG19(nn.Module):
    """RGB [N, 3, H, W] in [0, 1] -> features of `layer`: [N, 128, H/2, W/2], or [N, 512, H/16, W/16].

    Sizes are rounded down. Its weights are constants: they get no gradient, and `train` changes nothing.
    Colours are converted in fp32 whatever autocast says, the rest is computed in the precision of the
    weights.

    >>> with torch.device("meta"):
    ...     sum(parameter.numel() for parameter in VGG19("relu5_4").parameters())
    20024396
    """

    def __init__(
        self, layer: Layer, *, padding: Literal["zeros", "reflect"] = "zeros", factor: float = OFFICIAL_FACTOR
    ) -> None:
        super().__init__()
        if layer not in get_args(Layer):
            raise ValueError(f"the layer must be one of {', '.join(get_args(Layer))}, not {layer!r}")
        self.factor = factor
        self.colors = nn.Conv2d(3, 3, 1)
        self.features = nn.Sequential()
        in_features = 3
        for number, widths in enumerate(BLOCKS[: int(layer[4])], start=1):
            if number > 1:
                self.features.add_module(f"pool{number - 1}", nn.MaxPool2d(2))
            for place, width in enumerate(widths, start=1):
                name = f"{number}_{place}"
                self.features.add_module(
                    f"conv{name}", nn.Conv2d(in_features, width, 3, padding=1, padding_mode=padding)
                )
                if layer != f"conv{name}":
                    self.features.add_module(f"relu{name}", nn.ReLU(inplace=True))
                in_features = width
        with torch.no_grad():
            std = torch.tensor(IMAGENET_STD)
            self.colors.weight.copy_(torch.diag(1 / std)[:, :, None, None])
            self.colors.bias.copy_(-torch.tensor(IMAGENET_MEAN) / std)  # type: ignore[union-attr]
        self.requires_grad_(False)

    @property
    def convolutions(self) -> list[nn.Conv2d]:
        """Those of the features, in order."""
        return [layer for layer in self.features if isinstance(layer, nn.Conv2d)]

    def forward(self, image: Tensor) -> Tensor:
        with torch.autocast(image.device.type, enabled=False):
            image = F.conv2d(image.float(), self.colors.weight.float(), self.colors.bias.float())  # type: ignore[union-attr]
            features = self.features(image.to(self.convolutions[0].weight.dtype))
            return features / self.factor


def random_vgg(layer: Layer = "relu2_2") -> VGG19:
    """VGG19 of seeded random weights (He et al.'s, 2015), whatever has been drawn before.

    It has never seen an image; it serves to try the machinery.
    """
    network = VGG19(layer, factor=RANDOM_FACTOR)
    generator = torch.Generator().manual_seed(RANDOM_SEED)
    for conv in network.convolutions:
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu", generator=generator)
        nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return network


def load_vgg(path: Path, layer: Layer) -> VGG19:
    """VGG19 up to `layer` with the weights in `path`, of either layout.

    Raises:
        UserError: there is no such file; it is damaged, could run code, or is for another network; or it ends
            before `layer`.
    """
    weights = read_tensors(path, what="VGG19 weights")
    if "features.0.weight" in weights:
        return _official(path, weights, layer)
    if "0.weight" in weights:
        return _normalized(path, weights, layer)
    raise UserError(
        f"{path} is not for VGG19: it has neither features.0.weight (torchvision's file) nor 0.weight (the "
        f"normalized file); it has {_some(weights)}"
    )


def _official(path: Path, weights: Mapping[str, Tensor], layer: Layer) -> VGG19:
    with torch.device("meta"):
        whole = VGG19("relu5_4")
    indices = [index for index, each in enumerate(whole.features) if isinstance(each, nn.Conv2d)]
    wanted = {f"features.{index}": conv for index, conv in zip(indices, whole.convolutions, strict=True)}
    dense = {f"classifier.{n}.{kind}" for n in (0, 3, 6) for kind in ("weight", "bias")}
    check_tensors(path, {k: v for k, v in weights.items() if k not in dense}, wanted)
    network = VGG19(layer)
    _copy(weights, dict(zip(wanted, network.convolutions, strict=False)))
    return network


def _normalized(path: Path, weights: Mapping[str, Tensor], layer: Layer) -> VGG19:
    if layer != "relu2_2":
        raise UserError(
            f"{path} is normalized VGG19, which srlab uses for relu2_2 only (--content vgg22); {layer} "
            "needs the official file: `srlab data get vgg19`"
        )
    network = VGG19(layer, padding="reflect", factor=NORMALIZED_FACTOR)
    with torch.device("meta"):
        longer = [*network.convolutions, nn.Conv2d(128, 256, 3)]
    shapes = dict(zip(map(str, NORMALIZED_INDICES), longer, strict=True))
    present = {name: conv for name, conv in shapes.items() if int(name) <= 12 or f"{name}.weight" in weights}
    check_tensors(path, weights, {"0": network.colors, **present})
    _copy(weights, {"0": network.colors, **dict(zip(shapes, network.convolutions, strict=False))})
    return network


def _copy(weights: Mapping[str, Tensor], convolutions: Mapping[str, nn.Conv2d]) -> None:
    with torch.no_grad():
        for name, conv in convolutions.items():
            conv.weight.copy_(weights[f"{name}.weight"])
            conv.bias.copy_(weights[f"{name}.bias"])  # type: ignore[union-attr]


def _some(weights: Mapping[str, Tensor]) -> str:
    return ", ".join(sorted(weights)[:3]) or "nothing"
