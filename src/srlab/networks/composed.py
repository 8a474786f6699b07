"""Networks made of trained networks: one averaged over eight orientations, and several in a row.

Each is a `Network` itself, so tiles, scores and pictures need to know nothing about it, and memory is bounded
by the same tiles.
"""

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from srlab.errors import UserError
from srlab.networks.bicubic import Bicubic
from srlab.networks.blocks import Network

ORIENTATIONS = tuple((turns, is_flipped) for is_flipped in (False, True) for turns in range(4))


def oriented(image: Tensor, turns: int, is_flipped: bool) -> Tensor:
    """[..., H, W], mirrored left to right if `is_flipped`, then turned by so many quarters."""
    return torch.rot90(image.flip(-1) if is_flipped else image, turns, (-2, -1))


def upright(image: Tensor, turns: int, is_flipped: bool) -> Tensor:
    """What `oriented` made, back as it was."""
    image = torch.rot90(image, -turns, (-2, -1))
    return image.flip(-1) if is_flipped else image


class SelfEnsemble(Network):
    """The mean of what a network makes of an image in its eight orientations, each put upright again.

    The mean is of floats, before anything is rounded or clamped. The papers mark it by a plus, as EDSR+.
    It takes eight times as long. Timofte, Rothe and Van Gool, "Seven ways to improve example-based single
    image super resolution", CVPR 2016, section 3.4; Lim et al. (EDSR), CVPRW 2017.

    Raises:
        UserError: for bicubic, which makes the same of every orientation.
    """

    def __init__(self, network: nn.Module) -> None:
        if isinstance(network, Bicubic):
            raise UserError("bicubic gives the same result in every orientation; leave out --self-ensemble")
        known = cast(Network, network)
        super().__init__(scale=known.scale, enlargement="sub_pixel", skip=None, border=known.border)
        self.color = known.color
        self.suits_bf16 = known.suits_bf16
        self.network = known
        if hasattr(known, "forward_luma"):
            self.forward_luma = self._forward_luma

    def forward(self, lr: Tensor) -> Tensor:
        return self.mean(self.network, lr)

    def _forward_luma(self, lr: Tensor) -> Tensor:
        return self.mean(cast(Callable[[Tensor], Tensor], self.network.forward_luma), lr)

    @staticmethod
    def mean(network: Callable[[Tensor], Tensor], lr: Tensor) -> Tensor:
        """The mean of what `network` makes of `lr` in its eight orientations."""
        total: Tensor | None = None  # one sum: eight pictures are never kept
        for turns, is_flipped in ORIENTATIONS:
            turned = oriented(lr, turns, is_flipped).contiguous(memory_format=torch.channels_last)
            sr = upright(network(turned).float(), turns, is_flipped)
            total = sr.contiguous() if total is None else total.add_(sr)
        assert total is not None
        return total / len(ORIENTATIONS)


class Chain(Network):
    """Networks in a row, each enlarging what the one before made of it: x2 three times gives x8.

    What goes from one to the next is clamped to [0, 1], as a network expects it, and is not rounded.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        known = [cast(Network, network) for network in networks]
        scale = 1
        for network in known:
            scale *= network.scale
        super().__init__(scale=scale, enlargement="sub_pixel", skip=None)
        if len({network.color for network in known}) != 1:
            raise UserError("networks in a chain must work on the same colors: all on RGB, or all on luma")
        self.color = known[0].color
        self.suits_bf16 = all(network.suits_bf16 for network in known)
        self.networks = nn.ModuleList(known)

    def forward(self, lr: Tensor) -> Tensor:
        image = lr
        for index, network in enumerate(self.networks):
            image = network(image.clamp(0, 1) if index else image)
        return image
