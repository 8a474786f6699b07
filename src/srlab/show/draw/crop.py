"""Which part of a picture shows the most: where the variants differ; and what is written beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from srlab.declare.protocol import EvaluationProtocol
from srlab.verdicts import metric_of

CROP = 64  # pixels of HR a side: large enough to recognize, small enough to see each pixel

Plane = NDArray[np.float64]

_GRAY = np.array([0.299, 0.587, 0.114])  # BT.601, as a gray image's SR is scored
_decibels = metric_of("psnr_y").with_unit


@dataclass(frozen=True, kw_only=True)
class Crop:
    """A square of HR or SR pixels; `spread` is the mean variance of Y between the variants in it."""

    top: int
    left: int
    side: int
    spread: float

    def of(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The crop of a picture [H, W, ...]."""
        return pixels[self.top : self.top + self.side, self.left : self.left + self.side]


def luma(pixels: NDArray[np.uint8]) -> Plane:
    """Y of BT.601 in [16, 235] of RGB [H, W, 3], not rounded.

    >>> luma(np.full((1, 1, 3), 255, np.uint8)).round(9).tolist()
    [[235.0]]
    """
    weights = np.array([65.481, 128.553, 24.966]) / 255
    return np.asarray(pixels @ weights + 16, np.float64)


def most_different_crop(pictures: Sequence[NDArray[np.uint8]], *, side: int = CROP, border: int = 0) -> Crop:
    """The square in which `pictures` [H, W, 3] of one scene differ most: by the variance of Y between them.

    `border` pixels along each edge are not scored and so not shown. A small picture gives a smaller square.
    Of equal squares the first from the top is taken.
    """
    planes = [luma(picture) for picture in pictures]
    height, width = planes[0].shape
    inner = border if min(height, width) >= 2 * border + 8 else 0
    side = min(side, height - 2 * inner, width - 2 * inner)
    variance = np.var(np.stack(planes), axis=0)[inner : height - inner, inner : width - inner]
    sums = np.pad(variance, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    means = (sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]) / side**2
    means = means.round(9)  # what is left of cumulative sums' rounding is no difference
    top, left = np.unravel_index(int(means.argmax()), means.shape)
    return Crop(top=int(top) + inner, left=int(left) + inner, side=side, spread=float(means[top, left]))


def psnr(sr: Plane, hr: Plane) -> float:
    """Peak signal-to-noise ratio in dB with peak 255; infinite for equal planes.

    >>> round(psnr(np.zeros((2, 2)), np.ones((2, 2))), 2)
    48.13
    """
    error = float(np.square(sr - hr).mean())
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def score_note(score: float) -> str:
    """psnr_y of the whole picture as it was scored."""
    return f"psnr_y {_decibels(score)}"


def crop_note(
    sr: NDArray[np.uint8],
    hr: NDArray[np.uint8],
    crop: Crop,
    *,
    score: float,
    is_gray: bool,
    protocol: EvaluationProtocol,
) -> str:
    """psnr_y of the whole picture as it was scored, and of the crop that is shown."""
    planes = []
    for pixels in (crop.of(sr), crop.of(hr)):
        plane = np.asarray(pixels @ _GRAY) if is_gray else luma(pixels)
        planes.append(np.floor(plane + 0.5) if protocol.color == "luma" else plane)
    return f"{score_note(score)}, crop {_decibels(psnr(*planes))}"


def distance_note(name: str, distance: float, psnr_y: float) -> str:
    """A perceptual distance of the whole picture with psnr_y; a long name does not fit above a crop."""
    short = name if len(name) < 14 else "distance"
    return f"{short} {metric_of(name).text(distance)}, psnr_y {_decibels(psnr_y)}"
