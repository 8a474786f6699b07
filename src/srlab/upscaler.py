"""Pictures enlarged by a trained network: depth, alpha, gray and ICC profile are kept.

- Colour goes through the network, alpha through bicubic. Alpha is not premultiplied, before or after. What
lies under
  fully transparent pixels (often black) would bleed into the visible edge, so each of them first takes the
  colour of the nearest visible pixel.
- Gray goes through a colour network as three equal channels, and what comes back is their luma: gray stays
gray.
- 8 bits stay 8 bits, 16 stay 16, floats stay floats.
"""

import os
from pathlib import Path
from typing import Any, Literal, cast, overload

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image
from scipy.ndimage import distance_transform_edt  # type: ignore[import-untyped]
from torch import Tensor, nn

from srlab.checkpoints import load_weights
from srlab.errors import UserError
from srlab.images import Picture, check_writable, read_picture, write_picture
from srlab.models import find_model
from srlab.networks import build_network, preset
from srlab.pil import from_pil, to_pil
from srlab.resize import resize
from srlab.training.device import tune_allocator
from srlab.upscale import Box, Precision, default_tile, device_of, upscale_tiles, with_margin

_BICUBIC_REACH = 3  # LR pixels to each side that an enlargement by bicubic sees; one to spare
_GRAY = (0.299, 0.587, 0.114)  # BT.601


class Upscaler:
    """A network ready to enlarge pictures.

    `scale`, `variant` (the name it was trained under), `network`, `color` (``rgb`` or ``luma``) and `source`
    (where it came from and why it was taken) say what it is. `tile` (LR pixels) and `precision` are as in
    `upscale_tensor`.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        variant: str,
        source: str = "",
        tile: int | None = None,
        precision: Precision = "fp32",
    ) -> None:
        if tile is not None and tile < 1:
            raise UserError(f"a tile has a side of at least 1 pixel, not {tile}")
        if precision not in ("fp32", "bf16"):
            raise UserError(f"the precision is fp32 or bf16, not {precision!r}")
        self.network = network.eval()
        self.variant = variant
        self.source = source
        self.scale = cast(int, network.scale)
        self.color = cast(Literal["rgb", "luma"], network.color)
        self.tile = default_tile(network) if tile is None else tile
        self.precision = precision

    def __repr__(self) -> str:
        return f"<Upscaler {self.variant} x{self.scale} on {device_of(self.network)}>"

    @overload
    def upscale(
        self,
        image: str | os.PathLike[str],
        out: str | os.PathLike[str] | None = None,
        *,
        overwrite: bool = False,
    ) -> Path: ...
    @overload
    def upscale(self, image: Image) -> Image: ...
    @overload
    def upscale(self, image: NDArray[Any]) -> NDArray[Any]: ...

    def upscale(
        self,
        image: str | os.PathLike[str] | Image | NDArray[Any],
        out: str | os.PathLike[str] | None = None,
        *,
        overwrite: bool = False,
    ) -> Path | Image | NDArray[Any]:
        """`image` enlarged by `scale`, as the same kind of thing.

        - A path gives the path of the picture written: `out`, or beside the picture as ``NAME-x2.png`` (with
        its own suffix
          and the network's scale). A file that exists is only replaced if `overwrite`.
        - A PIL image gives a PIL image: L, LA, RGB, RGBA or I;16, upright, with its ICC profile; palettes
        become RGB(A).
        - An array gives an array of the same dtype: uint8 or uint16, or floats in [0, 1] (clipped on the way
        out);
          [H, W], or [H, W, C] with C 1 (gray), 2 (gray and alpha), 3 (RGB) or 4 (RGB and alpha).

        Raises:
            UserError: the picture cannot be read or written, is of none of these kinds, or what the network
            makes of it is not finite.
        """
        if isinstance(image, str | os.PathLike):
            return self._upscale_file(Path(image), None if out is None else Path(out), overwrite=overwrite)
        if out is not None:
            raise UserError(
                "out says where to write the enlarged copy of a file; save a PIL image or an array yourself"
            )
        if isinstance(image, Image):
            return to_pil(self.upscale_picture(from_pil(image)))
        if isinstance(image, np.ndarray):
            return self._upscale_array(image)
        raise UserError(f"upscale takes a path, a PIL image or a NumPy array, not {type(image).__name__}")

    def upscale_picture(self, picture: Picture) -> Picture:
        """`picture` enlarged, with its name and ICC profile."""
        return Picture(
            name=picture.name, pixels=self._enlarge(picture.pixels), icc_profile=picture.icc_profile
        )

    def _upscale_file(self, path: Path, out: Path | None, *, overwrite: bool) -> Path:
        out = path.with_stem(f"{path.stem}-x{self.scale}") if out is None else out
        if out.exists() and not overwrite:
            raise UserError(f"{out} exists; give another name, or overwrite it (overwrite=True, --overwrite)")
        picture = read_picture(path)
        check_writable(out, picture, scale=self.scale)  # before the work, which may take long
        write_picture(out, self.upscale_picture(picture))
        return out

    def _upscale_array(self, pixels: NDArray[Any]) -> NDArray[Any]:
        if pixels.dtype not in (np.uint8, np.uint16) and not np.issubdtype(pixels.dtype, np.floating):
            raise UserError(f"an array of pixels is uint8, uint16 or floats in [0, 1], not {pixels.dtype}")
        if (
            not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (1, 2, 3, 4)))
            or pixels.size == 0
        ):
            raise UserError(
                f"an array of pixels is [H, W] or [H, W, C] with C from 1 to 4, not {list(pixels.shape)}"
            )
        if np.issubdtype(pixels.dtype, np.floating) and not (pixels.min() >= 0 and pixels.max() <= 1):
            raise UserError(
                f"an array of floats holds values in [0, 1]; this one goes from {pixels.min()} "
                f"to {pixels.max()}"
            )
        enlarged = self._enlarge(pixels[:, :, None] if pixels.ndim == 2 else pixels)
        return enlarged[:, :, 0] if pixels.ndim == 2 else enlarged

    def _enlarge(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Pixels [H, W, C] -> [sH, sW, C] of the same dtype, a tile at a time."""
        height, width, channels = pixels.shape
        scale = self.scale
        alpha = pixels[:, :, -1] if channels in (2, 4) else None
        colors = pixels[:, :, : channels - 1] if alpha is not None else pixels
        if alpha is not None:
            colors = fill_transparent(colors, alpha)
        is_gray = colors.shape[2] == 1
        enlarged = np.empty((scale * height, scale * width, channels), pixels.dtype)

        def read(box: Box) -> Tensor:
            lr = _to_tensor(_cut(colors, box))
            return lr.expand(-1, 3, -1, -1) if is_gray else lr

        for box, piece in upscale_tiles(
            self.network, read, size=(height, width), tile=self.tile, precision=self.precision
        ):
            if not torch.isfinite(piece).all():
                raise UserError(f"what {self.variant} makes of the picture is not finite; use other weights")
            top, left, bottom, right = (scale * value for value in box)
            sr = _luma(piece) if is_gray else piece
            enlarged[top:bottom, left:right, : colors.shape[2]] = _to_pixels(sr, pixels.dtype)
            if alpha is not None:
                sr = _bicubic(alpha, box, scale=scale)
                enlarged[top:bottom, left:right, -1:] = _to_pixels(sr, pixels.dtype)
        return enlarged


def load(
    path: str | os.PathLike[str] | None = None,
    *,
    scale: int | None = None,
    device: str | torch.device | None = None,
    tile: int | None = None,
    precision: Precision = "fp32",
) -> Upscaler:
    """The upscaler that `path` means: a weights file, a run's folder, a study's folder (its winner by
    validation), the name of a network that is included with srlab (`srlab models`), or the word ``bicubic``.

    A file or folder of that name wins over an included network. Without `path` it is the best included
    network for `scale`, or for 2. Otherwise `scale` is for ``bicubic``, and for a name that is included for
    several; for the others it may say what is expected. `device` is the CPU unless named,
    as ``cuda``.

    Raises:
        UserError: there are no weights of srlab's there, or for another scale, or the device is not to be
            had.
    """
    place = find_device(device)
    if str(path) == "bicubic":
        if scale is None:
            raise UserError("bicubic enlarges by any of 2, 3 and 4: say which, as scale=2 (--scale 2)")
        network, variant, source = (
            build_network(preset("bicubic", scale=scale), scale=scale),
            "bicubic",
            "bicubic",
        )
    else:
        found = find_model(path, scale=scale)
        weights = load_weights(found.weights)
        if scale is not None and scale != weights.scale:
            raise UserError(
                f"{found.weights} enlarges by {weights.scale}, not by {scale}; leave the scale out"
            )
        network, variant, source = weights.network, weights.variant, found.why
    if place.type == "cpu":
        tune_allocator()
    network = network.to(place, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Upscaler(network, variant=variant, source=source, tile=tile, precision=precision)


def find_device(name: str | torch.device | None) -> torch.device:
    """The device called `name`, tried out; the CPU for None. A `UserError` where it cannot be used."""
    try:
        device = torch.device("cpu" if name is None else name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"the device {str(name)!r} cannot be used ({reason}); cpu always can") from error
    if device.type == "meta":
        raise UserError("the device 'meta' holds no values; use cpu or cuda")
    return device


def fill_transparent(colors: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """`colors` [H, W, C], each fully transparent pixel in the colour of the nearest one that shows."""
    hidden = alpha == 0
    if not hidden.any() or hidden.all():
        return colors
    rows, columns = distance_transform_edt(hidden, return_distances=False, return_indices=True)
    return cast(NDArray[Any], colors[rows, columns])


def _cut(pixels: NDArray[Any], box: Box) -> NDArray[Any]:
    top, left, bottom, right = box
    return pixels[top:bottom, left:right]


def _to_tensor(pixels: NDArray[Any]) -> Tensor:
    """[H, W, C] -> float32 [1, C, H, W] in [0, 1]."""
    values = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32)
    return torch.from_numpy(values).div_(_peak(pixels.dtype))


def _to_pixels(image: Tensor, dtype: np.dtype[Any]) -> NDArray[Any]:
    """[1, C, H, W] -> [H, W, C], clipped; rounded half up to whole levels."""
    values = image[0].permute(1, 2, 0).clamp(0, 1)
    if np.issubdtype(dtype, np.floating):
        return values.numpy().astype(dtype)
    return values.mul(_peak(dtype)).add(0.5).floor().numpy().astype(dtype)


def _peak(dtype: np.dtype[Any]) -> float:
    return float(np.iinfo(dtype).max) if np.issubdtype(dtype, np.integer) else 1.0


def _luma(rgb: Tensor) -> Tensor:
    """Luma in [0, 1] of RGB [1, 3, H, W]: of equal channels, their value."""
    return sum((weight * rgb[:, i : i + 1] for i, weight in enumerate(_GRAY)), start=torch.zeros(1))


def _bicubic(plane: NDArray[Any], box: Box, *, scale: int) -> Tensor:
    """A plane [H, W] enlarged by bicubic, of which only `box`: [1, 1, h, w], as it is in the whole."""
    top, left, bottom, right = box
    seen = with_margin(box, _BICUBIC_REACH, plane.shape[:2])
    lr = _to_tensor(_cut(plane, seen)[:, :, None])
    sr = resize(lr, size=(scale * lr.shape[2], scale * lr.shape[3]))
    rows = slice(scale * (top - seen[0]), scale * (bottom - seen[0]))
    columns = slice(scale * (left - seen[1]), scale * (right - seen[1]))
    return sr[..., rows, columns]
