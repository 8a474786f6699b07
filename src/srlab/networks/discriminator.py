"""SRGAN's discriminator: is this patch a photograph or made by a network?

Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network", CVPR
2017, figure 4. https://arxiv.org/abs/1609.04802

Deviations from the paper and the seed study: the last layer gives logits, whose loss is stable, not a
sigmoid's probabilities; convolutions of stride 2 have a zero on every side, where Keras puts them below and
right.
"""

from torch import Tensor, nn

from srlab.errors import UserError
from srlab.networks.blocks import initialize

WIDTHS = (64, 64, 128, 128, 256, 256, 512, 512)
HR_PATCH_SIZE = 96


class Discriminator(nn.Module):
    """HR or SR [N, 3, 96, 96] in [0, 1] -> logits [N, 1]: above 0 where it takes a patch for a photograph.

    The first dense layer counts on 96 x 96, as the published network does; most parameters are in it. Batch
    normalization has the seed's eps 0.001 and momentum 0.2, LeakyReLU the slope 0.2.

    >>> import torch
    >>> with torch.device("meta"):
    ...     discriminator = Discriminator()
    >>> sum(parameter.numel() for parameter in discriminator.parameters())
    23565505
    """

    def __init__(self, *, hr_patch_size: int = HR_PATCH_SIZE) -> None:
        super().__init__()
        self._check_size(hr_patch_size, hr_patch_size)
        self.features = nn.Sequential()
        in_features = 3
        for i, width in enumerate(WIDTHS):
            self.features.append(nn.Conv2d(in_features, width, 3, stride=1 + i % 2, padding=1))
            if i > 0:
                self.features.append(nn.BatchNorm2d(width, eps=1e-3, momentum=0.2))
            self.features.append(nn.LeakyReLU(0.2))
            in_features = width
        side = HR_PATCH_SIZE // 16
        self.judge = nn.Sequential(
            nn.Flatten(), nn.Linear(WIDTHS[-1] * side**2, 1024), nn.LeakyReLU(0.2), nn.Linear(1024, 1)
        )
        initialize(self, "glorot_uniform")

    def forward(self, image: Tensor) -> Tensor:
        self._check_size(image.shape[-2], image.shape[-1])
        return self.judge(self.features(2 * image - 1))

    @staticmethod
    def _check_size(height: int, width: int) -> None:
        if (height, width) != (HR_PATCH_SIZE, HR_PATCH_SIZE):
            raise UserError(
                f"the discriminator judges HR patches of {HR_PATCH_SIZE} x {HR_PATCH_SIZE}, for which its "
                f"dense layer is made, not of {height} x {width}; "
                "take LR patches of 48 at x2, 32 at x3, 24 at x4"
            )
