"""Scoring networks, and pictures that any other tool made, under one of the two protocols.

`srlab.declare.protocol` says what the protocols are. HR is cropped to a multiple of the scale; as many pixels
as the scale are left out along each edge. Bicubic under the rgb protocol is MATLAB's: uint8 there and back,
rounded after each pass.

A gray image is scored on its own values, not on the luma they would have as RGB (16 to 235), which would
raise its PSNR. Under the rgb protocol a network gets its values as three equal channels, and what it makes of
them counts by ``0.299 R + 0.587 G + 0.114 B``, not rounded.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from srlab.declare.metrics import INCLUDED, OF_PIXELS
from srlab.declare.protocol import EvaluationProtocol
from srlab.errors import NotFiniteError, UserError
from srlab.networks import Bicubic, Network
from srlab.pixels import metrics
from srlab.pixels.border import Border
from srlab.pixels.color import luma_uint8, rgb_to_ycbcr, to_tensor, to_uint8, ycbcr_to_rgb
from srlab.pixels.images import HRImage, crop_to_multiple, list_images, read_hr_image
from srlab.pixels.memory import available_bytes
from srlab.pixels.metrics import WINDOW_SIZE, to_plane
from srlab.pixels.resize import resize, resize_uint8
from srlab.use.upscale import Forward, upscale_tensor
from srlab.words import listed, num_bytes

_SCORING_BYTES = 90  # for each HR pixel (measured: 82 in colour)

Plane = NDArray[Any]  # [H, W], from 0 to 255

_CPU = torch.device("cpu")
_low_resolution: WeakKeyDictionary[HRImage, dict[tuple[int, Border], NDArray[np.uint8]]] = WeakKeyDictionary()


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """One image's scores by metric (`OF_PROTOCOL`), and the picture they were counted on.

    `sr` is uint8 [H, W, 3], of a gray image under the luma protocol three equal channels. Under the luma
    protocol its Y is what was scored, and Cb and Cr are bicubic's.
    """

    image: str
    scores: dict[str, float]
    sr: NDArray[np.uint8]


def evaluate_network(
    network: nn.Module,
    images: Iterable[HRImage],
    *,
    protocol: EvaluationProtocol,
    device: torch.device,
    y_only: bool = False,
    forward: Forward | None = None,
) -> Iterator[Evaluation]:
    """Score `network` on every image, in turn; `network` is moved to `device`.

    Always in float32 and in evaluation mode, in bounded memory; modes are put back. `forward` computes
    instead of the network, in the color of the protocol (`srlab.use.engines`). `y_only` leaves out the
    metrics of all three colors, which take longer than the others together.

    Raises:
        UserError: the luma protocol for a network that works on RGB; an image too small to be scored.
    """
    if protocol.color == "luma" and not hasattr(network, "forward_luma"):
        raise UserError(
            "the luma protocol needs a network that works on Y, or bicubic; this network works on RGB, so "
            "use --protocol rgb"
        )
    network.to(device)
    scale = cast(int, network.scale)
    for image in images:
        hr = crop_to_multiple(image.pixels, scale)
        if protocol.color == "luma":
            sr, planes = _upscale_luma(network, image, hr, protocol.border, forward)
        else:
            sr = _upscale_rgb(network, image, hr, protocol.border, device, forward)
            planes = _planes(sr, hr, is_gray=image.is_gray)
        rgb = None if protocol.color == "luma" or y_only else (sr, hr)
        yield Evaluation(image=image.name, scores=_scores(planes, rgb, border=scale, device=device), sr=sr)


def check_scorable(images: Iterable[HRImage], *, scale: int) -> None:
    """Raise a `UserError` that names the first image too small to be scored at `scale`."""
    for image in images:
        height, width = image.pixels.shape[:2]
        if min(side - side % scale for side in (height, width)) < WINDOW_SIZE + 2 * scale:
            raise UserError(
                f"{image.name} is {width}x{height} pixels, too small to be scored at x{scale}: without "
                f"{scale} pixels along each edge SSIM needs {WINDOW_SIZE}x{WINDOW_SIZE}; leave it out"
            )


def check_memory(images: Iterable[HRImage]) -> None:
    """Raise a `UserError` that names the largest image if scoring it takes more memory than is free."""
    largest = max(images, key=lambda image: image.pixels.size)
    height, width = largest.pixels.shape[:2]
    needed, there = _SCORING_BYTES * height * width, available_bytes()
    if needed > there:
        raise UserError(
            f"scoring {largest.name}, {width}x{height} pixels, takes about {num_bytes(needed)} of memory, "
            f"and only {num_bytes(there)} are free; crop it, or leave it out"
        )


def evaluate_folder(
    folder: Path,
    images: Iterable[HRImage],
    *,
    protocol: EvaluationProtocol,
    scale: int,
) -> Iterator[Evaluation]:
    """Score pictures that another tool made: one in `folder` for each image, told by its name.

    A picture is called as its image (``baby.png``), or all have one ending more (``baby_x2.png``,
    ``bird_x2.png``).

    Raises:
        UserError: a picture is missing, belongs to no image, or has another size or colour than it should.
    """
    images = list(images)
    for image, evaluation in zip(images, read_folder(folder, images, scale=scale), strict=True):
        sr, hr = evaluation.sr, crop_to_multiple(image.pixels, scale)
        if protocol.color == "luma":
            planes = _rounded_planes(sr, hr, is_gray=image.is_gray)
            scores = _scores(planes, None, border=scale)
        else:
            scores = _scores(_planes(sr, hr, is_gray=image.is_gray), (sr, hr), border=scale)
        yield replace(evaluation, scores=scores)


def read_folder(folder: Path, images: Iterable[HRImage], *, scale: int) -> Iterator[Evaluation]:
    """The pictures that `evaluate_folder` scores, without scores. It raises the same."""
    images = list(images)
    paths = match_pictures(folder, [image.name for image in images])
    for image in images:
        hr = crop_to_multiple(image.pixels, scale)
        sr = _read_sr(paths[image.name], image, hr, scale=scale)
        yield Evaluation(image=image.name, scores={}, sr=sr)


def match_pictures(folder: Path, names: Sequence[str]) -> dict[str, Path]:
    """The picture in `folder` of each image named, by stem, or by stem and one ending common to all.

    Raises:
        UserError: one is missing or too many, or it cannot be told which is meant.
    """
    stems: dict[str, Path] = {}
    for path in list_images(folder):
        if path.stem in stems:
            raise UserError(f"{stems[path.stem]} and {path} have the same name; keep only the one to score")
        stems[path.stem] = path
    found = {
        ending: [name for name in names if name + ending in stems]
        for ending in {stem[len(name) :] for name in names for stem in stems if stem.startswith(name)} | {""}
    }
    complete = sorted(ending for ending, matched in found.items() if len(matched) == len(names))
    if len(complete) > 1:
        meant = ", ".join(stems[names[0] + ending].name for ending in complete)
        raise UserError(f"{folder} has several pictures of each image: {meant}; keep only those to score")
    if not complete:
        nearest = min(found, key=lambda ending: (-len(found[ending]), len(ending), ending))
        missing = [name + nearest for name in names if name not in found[nearest]]
        raise UserError(
            f"{folder} has no {listed(missing, most=5)} ({len(missing)} of {len(names)} pictures); give each "
            f"the name of its image; the same ending may be added to all, as in {names[0]}_x2.png"
        )
    paths = {name: stems[name + complete[0]] for name in names}
    extra = sorted(path.name for path in set(stems.values()) - set(paths.values()))
    if extra:
        raise UserError(
            f"{folder} has pictures that belong to none of the {len(names)} images: {listed(extra, most=5)}; "
            "keep only those to score"
        )
    return paths


def _read_sr(path: Path, image: HRImage, hr: NDArray[np.uint8], *, scale: int) -> NDArray[np.uint8]:
    picture = read_hr_image(path)
    (height, width), (found_height, found_width) = hr.shape[:2], picture.pixels.shape[:2]
    if (found_height, found_width) != (height, width):
        hint = ""
        if (found_height, found_width) == (height // scale, width // scale):
            hint = "; this is the size of LR, so it may not have been enlarged"
        elif (found_height, found_width) == image.pixels.shape[:2]:
            hint = f", since HR is cropped to a multiple of {scale}"
        raise UserError(
            f"{path} has {found_width}x{found_height} pixels; expected at x{scale}: {width}x{height}{hint}"
        )
    if picture.is_gray and not image.is_gray:
        raise UserError(f"{path} is gray, and {image.name} has colour; give the whole RGB picture")
    return picture.pixels


def _upscale_rgb(
    network: nn.Module,
    image: HRImage,
    hr: NDArray[np.uint8],
    border: Border,
    device: torch.device,
    forward: Forward | None,
) -> NDArray[np.uint8]:
    """SR uint8 [H, W, 3] of LR made of HR as uint8."""
    scale = cast(int, network.scale)
    height, width = hr.shape[:2]
    lr = _lr_uint8(image, hr, scale=scale, border=border, device=device)
    if isinstance(network, Bicubic):  # the tables' bicubic is MATLAB's there and back, with all its rounding
        return resize_uint8(lr, size=(height, width), device=_in_float64(device))
    return to_uint8(_upscaled(network, to_tensor(lr), image, luma=False, forward=forward))


def _lr_uint8(
    image: HRImage, hr: NDArray[np.uint8], *, scale: int, border: Border, device: torch.device
) -> NDArray[np.uint8]:
    """LR of HR, made once for as long as the image is there: a study scores it hundreds of times."""
    made = _low_resolution.setdefault(image, {})
    if (scale, border) not in made:
        height, width = hr.shape[:2]
        size = (height // scale, width // scale)
        made[scale, border] = resize_uint8(hr, size=size, border=border, device=_in_float64(device))
    return made[scale, border]


def _upscale_luma(
    network: nn.Module, image: HRImage, hr: NDArray[np.uint8], border: Border, forward: Forward | None
) -> tuple[NDArray[np.uint8], tuple[Plane, Plane]]:
    """SR uint8 [H, W, 3], and uint8 Y of SR and of HR [H, W]; of a gray image its values instead of Y."""
    scale = cast(int, network.scale)
    height, width = hr.shape[:2]
    lr_size = (height // scale, width // scale)
    hr_y = hr[:, :, 0] if image.is_gray else luma_uint8(hr)
    lr_y = resize(torch.from_numpy(hr_y.astype(np.float64) / 255)[None], size=lr_size, border=border)
    sr_y = to_uint8(_upscaled(network, lr_y.float(), image, luma=True, forward=forward))
    if image.is_gray:
        return np.repeat(sr_y, 3, axis=2), (sr_y[:, :, 0], hr_y)
    chroma = resize(rgb_to_ycbcr(to_tensor(hr))[1:], size=lr_size, border=border)
    sr = torch.cat([to_tensor(sr_y), resize(chroma, size=(height, width))])
    return to_uint8(ycbcr_to_rgb(sr)), (sr_y[:, :, 0], hr_y)


def _upscaled(
    network: nn.Module, lr: Tensor, image: HRImage, *, luma: bool, forward: Forward | None
) -> Tensor:
    """LR [C, H, W] -> SR [C, sH, sW], computed in float32 proper (cuDNN would take TF32)."""
    cudnn = torch.backends.cudnn
    with cudnn.flags(
        enabled=cudnn.enabled, benchmark=cudnn.benchmark, deterministic=cudnn.deterministic, allow_tf32=False
    ):
        sr = upscale_tensor(cast(Network, network), lr[None], luma=luma, forward=forward)[0]
    if not torch.isfinite(sr).all():
        raise NotFiniteError(f"the network's output for {image.name} is not finite, so it cannot be scored")
    return sr


def _in_float64(device: torch.device) -> torch.device:
    """Where to compute in float64, which not every device can."""
    return device if device.type == "cuda" else _CPU


def _planes(sr: NDArray[np.uint8], hr: NDArray[np.uint8], *, is_gray: bool) -> tuple[Plane, Plane]:
    """What Y's metrics compare under the rgb protocol: Y, not rounded, or the values of a gray image."""
    return (_gray(sr), hr[:, :, 0]) if is_gray else (to_plane(sr), to_plane(hr))


def _rounded_planes(sr: NDArray[np.uint8], hr: NDArray[np.uint8], *, is_gray: bool) -> tuple[Plane, Plane]:
    """The same under the luma protocol, of pictures that are given as RGB."""
    if is_gray:
        return np.floor(_gray(sr) + 0.5), hr[:, :, 0]
    return luma_uint8(sr), luma_uint8(hr)


def _gray(rgb: NDArray[np.uint8]) -> Plane:
    """BT.601's gray value [H, W]; of three equal channels exactly theirs."""
    return (rgb @ np.array([299, 587, 114])) / 1000


def _scores(
    planes: tuple[Plane, Plane],
    rgb: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None,
    *,
    border: int,
    device: torch.device = _CPU,
) -> dict[str, float]:
    """Every metric of SR and HR, given as planes [H, W] for Y and as pictures [H, W, 3]."""
    compared = {"planes": planes, **({"colors": rgb} if rgb is not None else {})}
    on = {"device": _in_float64(device)}  # of those that take longest
    return {
        name: getattr(metrics, name)(
            *compared[INCLUDED[name].of], border=border, **(on if INCLUDED[name].takes_device else {})
        )
        for name in OF_PIXELS
        if INCLUDED[name].of in compared
    }
