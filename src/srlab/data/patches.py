"""Training patches: the batch of step k is a pure function of the seed and k.

Pictures stay in memory as uint8 and patches are cut with NumPy: no worker processes, no loader state to
save. Sample n of step k draws ten numbers from a Philox generator keyed by (seed, k), whatever the options:
so a study's variants see the same places and the same augmentations, in colour or on luma, with or without
noise, and a batch of 8 begins like a batch of 16. The numbers are raw words of the generator, mapped here:
they depend neither on the platform nor on the versions of NumPy and torch. (JPEG noise comes from Pillow's
JPEG library, which may change by a level.)
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from srlab.errors import UserError
from srlab.pixels.border import Border
from srlab.pixels.degradations import degrade, degrade_luma, jpeg_noise, luma_plane
from srlab.pixels.images import HRImage, crop_to_multiple

WORDS = 10  # drawn for each sample; two are left over, so that a later augmentation changes no batch of today
JPEG_SHARE = 0.5
JPEG_QUALITY = (50, 95)  # both included


class Patches:
    """Random aligned crops of `images`, in batches for `srlab.training`.

    A picture is drawn uniformly, then a place in its LR, uniformly; the HR patch is the one that covers the
    same ground. LR is made once, from the whole picture cropped to a multiple of `scale`, when a picture is
    first drawn. `color` ``luma`` gives Y alone: HR rounded to uint8, LR as float. `flips` mirror each axis
    with probability a half; `quarter_turns` turn by 0 to 3 quarters. `jpeg_noise` compresses half of the LR
    patches (never HR) as JPEG of quality 50 to 95; on luma the patch is rounded to uint8 for it and
    compressed as a gray JPEG.

    Memory beyond the pictures themselves, in bytes per byte of them: 1 / scale^2 for LR in colour; on luma
    1/3 for Y and 4/9 / scale^2 for LR. DIV2K's training set is about 7 GB, and 1.7 GB more at x2.
    """

    def __init__(
        self,
        images: Sequence[HRImage],
        *,
        scale: int,
        lr_patch_size: int,
        batch_size: int,
        color: Literal["rgb", "luma"] = "rgb",
        border: Border = "replicate",
        flips: bool = True,
        quarter_turns: bool = True,
        jpeg_noise: bool = False,
    ) -> None:
        check_sizes(images, scale=scale, lr_patch_size=lr_patch_size)
        self.images = tuple(images)
        self.scale = scale
        self.lr_patch_size = lr_patch_size
        self.batch_size = batch_size
        self.color = color
        self.border = border
        self.flips = flips
        self.quarter_turns = quarter_turns
        self.jpeg_noise = jpeg_noise
        self._pairs: list[tuple[NDArray[np.generic], NDArray[np.uint8]] | None] = [None] * len(self.images)

    def batch(self, step: int, *, seed: int) -> tuple[Tensor, Tensor]:
        """The LR [N, C, p, p] and HR [N, C, sp, sp] patches of a step, float32 in [0, 1], contiguous.

        C is 3, or 1 on luma. `step` and `seed` are whole numbers from 0 to 2^64 - 1.
        """
        size, scale = self.lr_patch_size, self.scale
        channels = 3 if self.color == "rgb" else 1
        exact = self.color == "rgb"  # LR of luma is float, and stays so
        lr = np.empty((self.batch_size, channels, size, size), np.uint8 if exact else np.float32)
        hr = np.empty((self.batch_size, channels, scale * size, scale * size), np.uint8)
        for n, draw in enumerate(_draws(seed, step, self.batch_size)):
            small, large = self._pair(_below(draw[0], len(self.images)))
            y = _below(draw[1], small.shape[0] - size + 1)
            x = _below(draw[2], small.shape[1] - size + 1)
            lr_patch = small[y : y + size, x : x + size]
            hr_patch = large[scale * y : scale * (y + size), scale * x : scale * (x + size)]
            if self.jpeg_noise and draw[6] < JPEG_SHARE:
                lr_patch = _with_noise(lr_patch, quality=JPEG_QUALITY[0] + _below(draw[7], 46))
            # A half turn flips both axes; a quarter turn exchanges them and flips one. Two flips of one axis
            # are none.
            turns = _below(draw[5], 4) if self.quarter_turns else 0
            exchanged = turns % 2 == 1
            down = (self.flips and draw[3] < 0.5) != (turns >= 2)
            right = (self.flips and draw[4] < 0.5) != (turns in (1, 2))
            lr[n] = _oriented(lr_patch, exchanged=exchanged, down=down, right=right)
            hr[n] = _oriented(hr_patch, exchanged=exchanged, down=down, right=right)
        return _unit(lr) if exact else torch.from_numpy(lr), _unit(hr)

    def prepare(self) -> None:
        """Make LR of all images now, so that the time of the first steps says something."""
        for index in range(len(self.images)):
            self._pair(index)

    def _pair(self, index: int) -> tuple[NDArray[np.generic], NDArray[np.uint8]]:
        """LR and HR of one picture, [H, W, C] each."""
        pair = self._pairs[index]
        if pair is None:
            image = self.images[index]
            if self.color == "rgb":
                hr = crop_to_multiple(image.pixels, self.scale)
                pair = (degrade(hr, scale=self.scale, border=self.border), hr)
            else:
                y = crop_to_multiple(luma_plane(image), self.scale)
                pair = (degrade_luma(y, scale=self.scale, border=self.border)[..., None], y[..., None])
            self._pairs[index] = pair
        return pair


def _draws(seed: int, step: int, batch_size: int) -> list[list[float]]:
    """[batch_size][WORDS] numbers in [0, 1), the same on every platform for ever."""
    words = np.random.Philox(key=np.array([seed, step], np.uint64)).random_raw(batch_size * WORDS)
    fractions: list[list[float]] = ((words >> np.uint64(11)) * 2.0**-53).reshape(batch_size, WORDS).tolist()
    return fractions


def _below(fraction: float, count: int) -> int:
    """A whole number from 0 to `count` - 1, uniformly, for a `fraction` in [0, 1)."""
    return min(int(fraction * count), count - 1)


def _with_noise(lr: NDArray[np.generic], *, quality: int) -> NDArray[np.generic]:
    if lr.dtype == np.uint8:
        return jpeg_noise(lr.astype(np.uint8), quality=quality)
    levels = np.clip(np.floor(lr[..., 0].astype(np.float32) * 255 + 0.5), 0, 255).astype(np.uint8)
    return jpeg_noise(levels, quality=quality)[..., None].astype(np.float32) / np.float32(255)


def _oriented(patch: NDArray[np.generic], *, exchanged: bool, down: bool, right: bool) -> NDArray[np.generic]:
    """A view [C, p, p] of the patch [p, p, C]: axes exchanged, then flipped."""
    view = patch.transpose(2, 1, 0) if exchanged else patch.transpose(2, 0, 1)
    if down:
        view = view[:, ::-1]
    if right:
        view = view[:, :, ::-1]
    return view


def _unit(patches: NDArray[np.generic]) -> Tensor:
    return torch.from_numpy(patches).to(torch.float32).div_(255)


def check_sizes(images: Sequence[HRImage], *, scale: int, lr_patch_size: int) -> None:
    """Raise `UserError` if an image is smaller than a patch, with the largest patch that fits all."""
    if not images:
        raise UserError("there are no images to train on")
    fits = [min(image.pixels.shape[:2]) // scale for image in images]
    small = [image for image, fit in zip(images, fits, strict=True) if fit < lr_patch_size]
    if not small:
        return
    worst = min(small, key=lambda image: min(image.pixels.shape[:2]))
    height, width = worst.pixels.shape[:2]
    needed = scale * lr_patch_size
    largest = min(fits)
    remedy = f"use --lr-patch-size {largest}, which fits all, or " if largest else "no patch fits it: "
    raise UserError(
        f"{len(small)} of {len(images)} training images are smaller than a patch: {worst.name} is "
        f"{width}x{height} (width x height), and LR patches of {lr_patch_size} at x{scale} need "
        f"{needed}x{needed}; {remedy}leave the small images out"
    )
