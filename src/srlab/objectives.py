"""What a network is trained for."""

from dataclasses import dataclass
from typing import Literal, get_args

from srlab.errors import UserError

PixelLoss = Literal["l1", "mse", "charbonnier"]


@dataclass(frozen=True, kw_only=True)
class PixelObjective:
    """Distance between SR and HR pixels, both in [0, 1]."""

    loss: PixelLoss = "l1"

    def __post_init__(self) -> None:
        if self.loss not in get_args(PixelLoss):
            raise UserError(f"the loss is one of {', '.join(get_args(PixelLoss))}, not {self.loss!r}")
