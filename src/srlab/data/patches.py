"""Training patches: the batch of step k is a pure function of the seed and k.

Pictures stay in memory as uint8 and patches are cut with NumPy, or on a GPU, where the pictures lie and only
places travel (`DevicePatches`): no worker processes, no loader state to save. Sample n of step k draws ten
numbers from a Philox generator keyed by (seed, k), whatever the options: so a study's variants see the same
places and the same augmentations, in colour or on luma, with or without noise, and a batch of 8 begins like a
batch of 16. The numbers are raw words of the generator, mapped here: they depend neither on the platform nor
on the versions of NumPy and torch. (JPEG noise comes from Pillow's JPEG library, which may change by a
level.)
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

STEPS_AT_ONCE = 128  # whose places go to a GPU together: 0.1 MB for a batch of 16
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
        self._there: dict[torch.device, DevicePatches] = {}

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
            image, y, x, exchanged, down, right = self._place(draw)
            small, large = self.pair(image)
            lr_patch = small[y : y + size, x : x + size]
            hr_patch = large[scale * y : scale * (y + size), scale * x : scale * (x + size)]
            if self.jpeg_noise and draw[6] < JPEG_SHARE:
                lr_patch = _with_noise(lr_patch, quality=JPEG_QUALITY[0] + _below(draw[7], 46))
            lr[n] = _oriented(lr_patch, exchanged=exchanged, down=down, right=right)
            hr[n] = _oriented(hr_patch, exchanged=exchanged, down=down, right=right)
        return _unit(lr) if exact else torch.from_numpy(lr), _unit(hr)

    def on(self, device: torch.device) -> "DevicePatches":
        """The same patches, cut on `device`, where the pictures are kept from the first call on.

        Raises:
            ValueError: patches with JPEG noise, which is made on the host.
        """
        if self.jpeg_noise:
            raise ValueError("JPEG noise is made on the host; cut the patches there")
        if device not in self._there:
            self._there[device] = DevicePatches(self, device)
        return self._there[device]

    def places(self, step: int, *, seed: int) -> NDArray[np.int64]:
        """Where the patches of a step are cut, and how they are turned: [N, 6], whole numbers.

        Image, row and column of the LR patch's corner; then 0 or 1: axes exchanged, and after that rows and
        columns reversed.
        """
        return np.array([self._place(draw) for draw in _draws(seed, step, self.batch_size)], np.int64)

    def _place(self, draw: Sequence[float]) -> tuple[int, int, int, bool, bool, bool]:
        image = _below(draw[0], len(self.images))
        height, width = (side // self.scale for side in self.images[image].pixels.shape[:2])
        y = _below(draw[1], height - self.lr_patch_size + 1)
        x = _below(draw[2], width - self.lr_patch_size + 1)
        # A half turn flips both axes; a quarter turn exchanges them and flips one. Two flips of one axis
        # are none.
        turns = _below(draw[5], 4) if self.quarter_turns else 0
        down = (self.flips and draw[3] < 0.5) != (turns >= 2)
        right = (self.flips and draw[4] < 0.5) != (turns in (1, 2))
        return image, y, x, turns % 2 == 1, down, right

    def prepare(self) -> None:
        """Make LR of all images now, so that the time of the first steps says something."""
        for index in range(len(self.images)):
            self.pair(index)

    def pair(
        self, index: int, *, device: torch.device | None = None
    ) -> tuple[NDArray[np.generic], NDArray[np.uint8]]:
        """LR and HR of one picture, [H, W, C] each; a GPU makes LR of colour faster."""
        pair = self._pairs[index]
        if pair is None:
            image = self.images[index]
            if self.color == "rgb":
                hr = crop_to_multiple(image.pixels, self.scale)
                on = device or torch.device("cpu")
                pair = (degrade(hr, scale=self.scale, border=self.border, device=on), hr)
            else:
                y = crop_to_multiple(luma_plane(image), self.scale)
                pair = (degrade_luma(y, scale=self.scale, border=self.border)[..., None], y[..., None])
            self._pairs[index] = pair
        return pair


class DevicePatches:
    """The batches of `patches`, cut on `device`: the same numbers, from the same draws.

    A batch costs the host a few microseconds where cutting it there takes about a millisecond. The device
    holds the pictures as uint8 (LR of luma as float32), HR and LR: 1 + 1 / scale^2 bytes for each byte of HR.
    `Patches.on` makes one.
    """

    def __init__(self, patches: Patches, device: torch.device) -> None:
        self.patches = patches
        self.device = device
        pairs = [patches.pair(index, device=device) for index in range(len(patches.images))]
        self._lr, self._lr_layout = _laid_out([small for small, _ in pairs], device)
        self._hr, self._hr_layout = _laid_out([large for _, large in pairs], device)
        # A table, since a GPU divides by a number by multiplying with its inverse, which is not the same.
        self._levels = torch.arange(256, dtype=torch.float32).div_(255).to(device)
        self._seed, self._first, self._places = -1, -1, torch.empty(0)

    def batch(self, step: int, *, seed: int) -> tuple[Tensor, Tensor]:
        """The LR and HR patches of a step as `Patches.batch` gives them, on the device, channels last."""
        return self.cut(self.places(step, seed=seed))

    def places(self, step: int, *, seed: int) -> Tensor:
        """The places of a step's patches [N, 6] on the device, for `cut`; many steps' places go at once."""
        offset = step - self._first
        if seed != self._seed or not 0 <= offset < len(self._places):
            steps = range(step, step + STEPS_AT_ONCE)
            found = np.stack([self.patches.places(each, seed=seed) for each in steps])
            self._seed, self._first, offset = seed, step, 0
            self._places = torch.from_numpy(found).to(self.device)
        return self._places[offset]

    def cut(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """LR and HR patches at these places; only tensor operations of fixed shapes."""
        size, scale = self.patches.lr_patch_size, self.patches.scale
        corners = places[:, 1:3]
        return (
            self._cut(self._lr, self._lr_layout, places, corners, size),
            self._cut(self._hr, self._hr_layout, places, corners * scale, size * scale),
        )

    def _cut(self, pixels: Tensor, layout: Tensor, places: Tensor, corners: Tensor, size: int) -> Tensor:
        start, width = layout[places[:, 0]].unbind(1)
        exchanged, down, right = (flag[:, None].bool() for flag in places[:, 3:].unbind(1))
        along = torch.arange(size, device=self.device)[None]  # [1, p]
        rows = torch.where(down, size - 1 - along, along)[:, :, None]  # [N, p, 1], of the patch turned
        columns = torch.where(right, size - 1 - along, along)[:, None, :]  # [N, 1, p]
        turned = exchanged[:, :, None]
        y = torch.where(turned, columns, rows) + corners[:, 0, None, None]
        x = torch.where(turned, rows, columns) + corners[:, 1, None, None]
        found = pixels[start[:, None, None] + y * width[:, None, None] + x]  # [N, p, p, C]
        if found.dtype == torch.uint8:
            found = self._levels[found.long()]
        return found.permute(0, 3, 1, 2)


def _laid_out(pictures: list[NDArray[np.generic]], device: torch.device) -> tuple[Tensor, Tensor]:
    """All pixels one after another [sum(H W), C], and where each picture starts and its width [number, 2]."""
    areas = [picture.shape[0] * picture.shape[1] for picture in pictures]
    starts = np.cumsum([0, *areas[:-1]])
    layout = np.stack([starts, [picture.shape[1] for picture in pictures]], axis=1)
    pixels = np.concatenate([picture.reshape(-1, picture.shape[2]) for picture in pictures])
    return torch.from_numpy(pixels).to(device), torch.from_numpy(layout.astype(np.int64)).to(device)


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
