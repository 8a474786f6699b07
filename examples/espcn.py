"""Does a residual skip help ESPCN?

Run:    srlab study examples/espcn.py --steps 500
Paper:  Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel
        Convolutional Neural Network", CVPR 2016. https://arxiv.org/abs/1609.05158

A network that srlab does not have, in one file: what varies, the network, and the study. It works on RGB.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from srlab import Architecture, Study, TrainingProtocol, Variant, preset


@dataclass(frozen=True, kw_only=True)
class ESPCNOptions:
    """What varies; the widths are the paper's."""

    num_features: tuple[int, ...] = (64, 32)
    skip: bool = False


class ESPCN(nn.Module):
    """LR [N, 3, H, W] in [0, 1] -> SR [N, 3, sH, sW]."""

    def __init__(self, options: ESPCNOptions, *, scale: int) -> None:
        super().__init__()
        self.factor = scale
        self.skip = options.skip
        first, second = options.num_features
        self.body = nn.Sequential(
            nn.Conv2d(3, first, 5, padding=2),
            nn.Tanh(),
            nn.Conv2d(first, second, 3, padding=1),
            nn.Tanh(),
            nn.Conv2d(second, 3 * scale**2, 3, padding=1),
            nn.PixelShuffle(scale),
        )

    def forward(self, lr: Tensor) -> Tensor:
        sr: Tensor = self.body(lr)
        return sr + F.interpolate(lr, scale_factor=self.factor, mode="bilinear") if self.skip else sr


espcn = Architecture("espcn", ESPCNOptions, ESPCN)

STUDY = Study(
    name="espcn",
    scale=2,
    variants=(
        Variant(name="espcn/paper", network=espcn()),
        Variant(name="espcn/skip", network=espcn(skip=True)),
        Variant(name="srcnn/vanilla", network=preset("srcnn/vanilla", scale=2)),
    ),
    learning_rates=(1e-3,),
    protocol=TrainingProtocol(num_steps=1_500, batch_size=8, lr_patch_size=20, schedule="cosine"),
    train=("sample",),
    validate=("sample",),
    test=("sample",),
)
