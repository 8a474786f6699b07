"""Bicubic interpolation as a network without parameters: the baseline of every comparison.

Keys, "Cubic Convolution Interpolation for Digital Image Processing", IEEE TASSP 1981, with a = -0.5, as
MATLAB's `imresize` makes a picture larger; `srlab.pixels.resize` says how.
"""

from dataclasses import dataclass

from torch import Tensor

from srlab.networks.blocks import Network


@dataclass(frozen=True, kw_only=True)
class BicubicOptions:
    """Nothing varies."""


class Bicubic(Network):
    """LR [N, C, H, W] in [0, 1] -> SR [N, C, sH, sW], not clamped; every channel by itself.

    >>> from srlab.networks import num_parameters
    >>> num_parameters(BicubicOptions(), scale=4)
    0
    """

    def __init__(self, options: BicubicOptions, *, scale: int) -> None:  # noqa: ARG002 - there are none
        super().__init__(scale=scale, enlargement="bicubic", skip=None)

    def forward(self, lr: Tensor) -> Tensor:
        return self.enlarged(lr)

    def forward_luma(self, y: Tensor) -> Tensor:
        """LR Y [N, 1, H, W] -> SR Y [N, 1, sH, sW]."""
        return self.enlarged(y)
