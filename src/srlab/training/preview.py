"""The validation picture of a run: one crop as bicubic and as the network enlarge it, and as it was."""

import torch
from torch import Tensor, nn

from srlab.pixels.border import Border
from srlab.pixels.color import to_tensor
from srlab.pixels.degradations import degrade
from srlab.pixels.images import HRImage, crop_to_multiple
from srlab.pixels.resize import resize


def preview_crop(
    image: HRImage, *, scale: int, hr_size: int = 192, border: Border = "replicate"
) -> tuple[Tensor, Tensor]:
    """LR [1, 3, h, w] and HR [1, 3, sh, sw] of the middle of a picture, at most `hr_size` pixels a side."""
    hr = crop_to_multiple(image.pixels, scale)
    lr = degrade(hr, scale=scale, border=border)
    height, width = (min(side, max(1, hr_size // scale)) for side in lr.shape[:2])
    y, x = (lr.shape[0] - height) // 2, (lr.shape[1] - width) // 2
    hr = hr[scale * y : scale * (y + height), scale * x : scale * (x + width)]
    return to_tensor(lr[y : y + height, x : x + width])[None], to_tensor(hr)[None]


def side_by_side(network: nn.Module, lr: Tensor, hr: Tensor) -> Tensor:
    """Bicubic | SR | HR as one picture [3, sH, 3 sW], for LR [1, 3, H, W] and HR [1, 3, sH, sW]."""
    size = (hr.shape[-2], hr.shape[-1])
    with torch.no_grad():
        return torch.cat([resize(lr, size=size), network(lr).float(), hr], dim=-1)[0]
