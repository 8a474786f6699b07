"""SRGAN's discriminator: is this patch a photograph or made by a network?

Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network", CVPR
2017, figure 4. https://arxiv.org/abs/1609.04802

Deviations from the paper and the seed study: the last layer gives logits, whose loss is stable, not a
sigmoid's probabilities; convolutions of stride 2 have a zero on every side, where Keras puts them below and
right.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from srlab.errors import UserError
from srlab.networks.blocks import initialize
from srlab.networks.options import check_options

WIDTHS = (64, 64, 128, 128, 256, 256, 512, 512)
HR_PATCH_SIZE = 96


@dataclass(frozen=True, kw_only=True)
class DiscriminatorOptions:
    """What varies between discriminators.

    `num_features` are the widths of the 3 x 3 convolutions, as many as there are; every second one halves the
    picture. `dense_features` is the width of the dense layer after them. The defaults are the paper's.

    Raises:
        UserError: a width is no whole number of at least 1, or there is no convolution.
    """

    num_features: tuple[int, ...] = field(default_factory=lambda: WIDTHS)
    dense_features: int = 1024

    def __post_init__(self) -> None:
        check_options(self, num_features=1, dense_features=1)
        if not self.num_features:
            raise UserError("Discriminator: num_features needs at least one width, such as 64,64,128,128")

    @property
    def least_side(self) -> int:
        """The smallest HR patch, in pixels, of which the last convolution still sees a pixel of its own."""
        return int(2 ** (len(self.num_features) // 2))


class Discriminator(nn.Module):
    """HR or SR [N, 3, S, S] in [0, 1] -> logits [N, 1]: above 0 where it takes a patch for a photograph.

    The first dense layer is made for S = `hr_patch_size`, in the paper 96; most parameters are in it. Batch
    normalization has the seed's eps 0.001 and momentum 0.2, LeakyReLU the slope 0.2.

    >>> with torch.device("meta"):
    ...     discriminator = Discriminator()
    >>> sum(parameter.numel() for parameter in discriminator.parameters())
    23565505

    Raises:
        UserError: patches are smaller than the convolutions can halve; or, when it is used, of another size.
    """

    def __init__(
        self, options: DiscriminatorOptions | None = None, *, hr_patch_size: int = HR_PATCH_SIZE
    ) -> None:
        super().__init__()
        options = options or DiscriminatorOptions()
        check_patch(options, hr_patch_size)
        self.hr_patch_size = hr_patch_size
        self.features = nn.Sequential()
        in_features, side = 3, hr_patch_size
        for i, width in enumerate(options.num_features):
            self.features.append(nn.Conv2d(in_features, width, 3, stride=1 + i % 2, padding=1))
            if i > 0:
                self.features.append(nn.BatchNorm2d(width, eps=1e-3, momentum=0.2))
            self.features.append(nn.LeakyReLU(0.2))
            in_features, side = width, -(-side // (1 + i % 2))
        self.judge = nn.Sequential(
            nn.Flatten(),
            nn.Linear(in_features * side**2, options.dense_features),
            nn.LeakyReLU(0.2),
            nn.Linear(options.dense_features, 1),
        )
        initialize(self, "glorot_uniform")
        # Not in `forward`, of which diagrams are drawn.
        self.register_forward_pre_hook(_check_size)

    def forward(self, image: Tensor) -> Tensor:
        return self.judge(self.features(2 * image - 1))


def check_patch(options: DiscriminatorOptions, hr_patch_size: int) -> None:
    """Raise `UserError` if HR patches are too small for the discriminator."""
    if hr_patch_size < options.least_side:
        raise UserError(
            f"the discriminator judges HR patches of at least {options.least_side} x {options.least_side}, "
            f"since its {len(options.num_features)} convolutions halve them "
            f"{len(options.num_features) // 2} times; the patches here have {hr_patch_size} x "
            f"{hr_patch_size}"
        )


def meta_discriminator(options: DiscriminatorOptions, *, hr_patch_size: int = HR_PATCH_SIZE) -> Discriminator:
    """The discriminator without its numbers: shapes only, so that its size does not matter."""
    with torch.device("meta"):
        return Discriminator(options, hr_patch_size=hr_patch_size)


def multiply_adds_of_a_patch(discriminator: Discriminator) -> int:
    """Multiplications (each with its addition) to judge one patch: convolutions and dense layers, no bias."""
    side, count = discriminator.hr_patch_size, 0
    for layer in discriminator.modules():
        if isinstance(layer, nn.Conv2d):
            side = -(-side // layer.stride[0])
            count += layer.weight.numel() * side**2
        elif isinstance(layer, nn.Linear):
            count += layer.weight.numel()
    return count


def _check_size(module: Discriminator, inputs: tuple[Tensor, ...]) -> None:
    height, width = inputs[0].shape[-2:]
    side = module.hr_patch_size
    if (height, width) != (side, side):
        raise UserError(
            f"the dense layer of this discriminator is made for HR patches of {side} x {side}, not of "
            f"{height} x {width}"
        )
