"""How well a network does on patches that it is trained on: the same few at every validation."""

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from srlab.networks import Luma, Network
from srlab.pixels.color import to_uint8
from srlab.pixels.metrics import WINDOW_SIZE, Pixels, psnr_y, ssim_y, to_plane
from srlab.training.losses import without_border

MOST_PATCHES = 16


class Batches(Protocol):
    """Where patches come from: the batch of step k depends on the seed and k alone."""

    def batch(self, step: int, *, seed: int) -> tuple[Tensor, Tensor]: ...


def fixed_patches(batches: Batches) -> tuple[Tensor, Tensor]:
    """LR and HR of at most 16 patches: the first of step 0 with seed 0, whatever the run's own seed is."""
    lr, hr = batches.batch(0, seed=0)
    return lr[:MOST_PATCHES], hr[:MOST_PATCHES]


def patch_scores(network: Network, lr: Tensor, hr: Tensor) -> dict[str, float]:
    """``patches_psnr_y`` (of all patches as one picture) and ``patches_ssim_y`` (their mean) of the network.

    `lr` [N, C, h, w] and `hr` [N, C, sh, sw] are in [0, 1], one channel being luma. SR is rounded to uint8.
    The pixels that the training loss leaves out are left out here too. Patches too small for SSIM's window
    have none, and what is not finite has no scores. `network` is in inference mode.
    """
    forward = network.forward_luma if isinstance(network, Luma) and lr.shape[1] == 1 else network
    with torch.no_grad():
        sr = forward(lr).float()
    if not torch.isfinite(sr).all():
        return {}
    pairs = [
        (_plane(made), _plane(true))
        for made, true in zip(
            without_border(sr, border=network.border), without_border(hr, border=network.border), strict=True
        )
    ]
    scores = {
        "patches_psnr_y": psnr_y(
            np.concatenate([made for made, _ in pairs]), np.concatenate([true for _, true in pairs]), border=0
        )
    }
    if min(pairs[0][0].shape) >= WINDOW_SIZE:
        scores["patches_ssim_y"] = sum(ssim_y(made, true, border=0) for made, true in pairs) / len(pairs)
    return scores


def _plane(image: Tensor) -> Pixels:
    pixels = to_uint8(image)
    return to_plane(pixels if pixels.shape[2] == 3 else pixels[:, :, 0])
