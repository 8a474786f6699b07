"""A network that works on luma, behind the contract of all others."""

import torch
from torch import Tensor, nn

from srlab.networks.blocks import Enlarge, Network
from srlab.pixels.color import rgb_to_ycbcr, ycbcr_to_rgb


class Luma(Network):
    """LR [N, 3, H, W] in [0, 1] -> SR [N, 3, sH, sW], not clamped: Y by `core`, Cb and Cr by bicubic.

    `core` takes Y [N, 1, H, W] of BT.601 / 255, so in [16, 235] / 255, to [N, 1, sH, sW].
    """

    color = "luma"

    def __init__(self, core: Network) -> None:
        super().__init__(scale=core.scale, enlargement="sub_pixel", skip=None, border=core.border)
        self.split = SplitYCbCr()
        self.core = core
        self.chroma = Enlarge("bicubic", scale=core.scale)
        self.merge = MergeYCbCr()

    def forward(self, lr: Tensor) -> Tensor:
        y, chroma = self.split(lr)
        return self.merge(self.core(y), self.chroma(chroma))

    def forward_luma(self, y: Tensor) -> Tensor:
        """LR Y [N, 1, H, W] -> SR Y [N, 1, sH, sW], both of BT.601 / 255."""
        return self.core(y)


class SplitYCbCr(nn.Module):
    """RGB [N, 3, H, W] -> Y [N, 1, H, W] and CbCr [N, 2, H, W], in fp32 or better, whatever autocast says."""

    def forward(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        ycbcr = rgb_to_ycbcr(rgb)
        return ycbcr[..., :1, :, :], ycbcr[..., 1:, :, :]


class MergeYCbCr(nn.Module):
    """Y [N, 1, H, W] and CbCr [N, 2, H, W] -> RGB [N, 3, H, W], in fp32 or better, whatever autocast says."""

    def forward(self, y: Tensor, chroma: Tensor) -> Tensor:
        return ycbcr_to_rgb(torch.cat((y, chroma), dim=-3))
