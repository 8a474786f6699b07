"""Precision ``auto`` of upscaling: bf16 where it is fast and the picture stays the same, else fp32."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from srlab.training.device import cpu_multiplies_bf16
from srlab.use.upscale import Precision, upscale_tensor

MOST_LEVELS = 0.1  # of 255, mean over a picture: what bf16 may differ from fp32
_SIDE = 64


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A precision, and a sentence for the user on why it is the one."""

    precision: Precision
    why: str


def choose(network: nn.Module, device: torch.device) -> Choice:
    """The precision for `network`, which is on `device`."""
    if not multiplies_bf16(device):
        return Choice(precision="fp32", why=f"computed in fp32: this {_kind(device)} has no bf16 arithmetic")
    return judged(levels_lost(network))


def judged(levels: float) -> Choice:
    """What follows from the levels of 255 that bf16 differs by on average; they may be not finite."""
    if levels <= MOST_LEVELS:
        return Choice(
            precision="bf16",
            why=f"computed in bf16, which differs from fp32 by {levels:.2f} of 255 levels on average",
        )
    return Choice(
        precision="fp32",
        why=f"computed in fp32: bf16 would differ from it by {levels:.2f} of 255 levels on average, and at "
        f"most {MOST_LEVELS} are allowed",
    )


def levels_lost(network: nn.Module) -> float:
    """The mean difference that bf16 makes on a small test picture, in levels of 255, not rounded."""
    lr = _picture()
    exact = upscale_tensor(network, lr).clamp(0, 1)
    coarse = upscale_tensor(network, lr, precision="bf16").clamp(0, 1)
    return 255 * float((exact - coarse).abs().mean())


def multiplies_bf16(device: torch.device) -> bool:
    """Whether the device has arithmetic in bf16, not its emulation, which is slower than fp32."""
    if device.type == "cpu":
        return cpu_multiplies_bf16()
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def _kind(device: torch.device) -> str:
    return "processor" if device.type == "cpu" else "device"


def _picture() -> Tensor:
    """RGB [1, 3, H, W] with what pictures have: slopes, edges, waves from coarse to fine, dark and bright."""
    across = torch.arange(_SIDE).view(1, -1) / _SIDE
    down = torch.arange(_SIDE).view(-1, 1) / _SIDE
    slope = 0.15 + 0.7 * (across + down) / 2
    rings = torch.sin(2 * math.pi * 14 * ((across - 0.5) ** 2 + (down - 0.5) ** 2))
    edges = ((across * 5).floor() + (down * 7).floor()) % 2
    planes = [slope + 0.15 * rings, 0.6 * slope + 0.3 * edges, 0.8 * (1 - slope) + 0.1 * edges * rings]
    return torch.stack(planes)[None].clamp(0, 1)
