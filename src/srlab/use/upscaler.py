"""Pictures enlarged by a trained network: depth, alpha, gray, ICC profile, EXIF and XMP are kept.

- Colour goes through the network, alpha through bicubic. Alpha is not premultiplied, before or after. The
  colour of fully transparent pixels (often black) would bleed into the visible edge. So each of them first
  takes the colour of a visible pixel near it.
- Gray goes through a colour network as three equal channels, and what comes back is their luma: gray stays
gray.
- 8 bits stay 8 bits, 16 stay 16, floats stay floats.
- A file is enlarged in bands from top to bottom: of the enlarged picture only a band is in memory, where the
  format can be written so (PNG and TIFF). The memory that it takes is counted first. If there is less, the
  picture is refused.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, overload

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ImageColor
from PIL.Image import Image
from scipy.ndimage import distance_transform_edt  # type: ignore[import-untyped]
from torch import Tensor, nn

from srlab.errors import UserError
from srlab.files import is_stream
from srlab.networks.complexity import user_network_in
from srlab.networks.structure import ONE_AT_A_TIME
from srlab.pixels.images import Layout, Picture, changed, read_header, read_picture
from srlab.pixels.memory import available_bytes, give_back
from srlab.pixels.picture_files import (
    FORMATS,
    IN_STRIPS,
    check_writable,
    encoding_bytes,
    format_of,
    write_strips,
)
from srlab.pixels.pil import from_pil, to_pil
from srlab.pixels.resize import resize
from srlab.training.device import find_device, tune_allocator
from srlab.use.models.loading import load_network
from srlab.use.precision import choose
from srlab.use.upscale import (
    Box,
    Forward,
    Precision,
    default_tile,
    device_of,
    grid,
    margin_of,
    tile_bytes,
    upscale_tiles,
    with_margin,
)
from srlab.words import num_bytes

if TYPE_CHECKING:
    from srlab.use.engines import Engine

_BICUBIC_REACH = 3  # LR pixels to each side that an enlargement by bicubic sees; one to spare
_GRAY = (0.299, 0.587, 0.114)  # BT.601
_BAND_BYTES = 1 << 26  # of the enlarged picture that are in memory at a time
_PIECES = 6  # copies of a tile's SR in floats, while it becomes pixels
_HEAP = 2.5  # the heap grows to so many times what lives in it at a time (measured: up to 2.4)
_FILL_ROWS, _FILL_REACH = 512, 128  # rows in which hidden colours are filled at a time, and beside them


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What enlarging a picture file takes: `memory` in bytes, beside what the process has; `tiles` on the
    network; `output` is the enlarged picture, whose pixels are the most that its file can take.
    """

    memory: int
    tiles: int
    output: Layout


class Upscaler:
    """A network ready to enlarge pictures.

    `scale`, `variant` (the name it was trained under), `network`, `color` (``rgb`` or ``luma``) and `source`
    (where it came from and why it was taken) say what it is. `tile` (LR pixels), `precision` and `forward`
    are as in `upscale_tensor`. `remark` says why it is that precision, where srlab chose it.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        variant: str,
        source: str = "",
        tile: int | None = None,
        precision: Precision = "fp32",
        forward: Forward | None = None,
        remark: str = "",
    ) -> None:
        if tile is not None and tile < 1:
            raise UserError(f"the side of a tile must be at least 1 pixel, not {tile}")
        if precision not in ("fp32", "bf16"):
            raise UserError(f"the precision must be fp32 or bf16, not {precision!r}")
        self.network = network.eval()
        self.variant = variant
        self.source = source
        self.scale = cast(int, network.scale)
        self.color = cast(Literal["rgb", "luma"], network.color)
        self.forward = forward
        # A GPU has memory of its own; on a CPU the picture lies beside the tile. Another library takes a tile
        # whole.
        self._in_strips = device_of(network).type == "cpu" and forward is None
        if tile is None:
            tile = default_tile(network, in_strips=self._in_strips, elsewhere=forward is not None)
        self.tile = tile
        self.precision = precision
        self.remark = remark

    @property
    def may_show_seams(self) -> bool:
        """Whether its network, a user's, looks farther than the margin around a tile, or differs with where a
        tile begins.
        """
        own = user_network_in(self.network)
        return own is not None and (own.sees_all or own.is_aligned)

    def __repr__(self) -> str:
        return f"<Upscaler {self.variant} x{self.scale} on {device_of(self.network)}>"

    @overload
    def upscale(
        self,
        image: str | os.PathLike[str],
        out: str | os.PathLike[str] | None = None,
        *,
        overwrite: bool = False,
        quality: int | None = None,
        keep_metadata: bool = True,
        flatten: str | None = None,
        max_pixels: int | None = None,
        progress: Callable[[int, int], None] | None = None,
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
        quality: int | None = None,
        keep_metadata: bool = True,
        flatten: str | None = None,
        max_pixels: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Path | Image | NDArray[Any]:
        """`image` enlarged by `scale`, as the same kind of thing.

        - A path gives the path of the picture written: `out`, or beside the picture as ``NAME-x2.png`` (with
        its own suffix, where that format is written, and the network's scale). A file that exists is only
        replaced if `overwrite`.
        - A PIL image gives a PIL image: L, LA, RGB, RGBA or I;16, upright, with its ICC profile; palettes
        become RGB(A).
        - An array gives an array of the same dtype: uint8 or uint16, or floats in [0, 1] (clipped on the way
        out);
          [H, W], or [H, W, C] with C 1 (gray), 2 (gray and alpha), 3 (RGB) or 4 (RGB and alpha).

        The other arguments are for paths. `quality` (1 to 100) is of JPEG, WebP, AVIF and HEIC.
        `keep_metadata` keeps EXIF (without the orientation, as pixels are turned upright) and XMP; the ICC
        profile is always kept. `flatten` is a colour such as ``white`` or ``#204060`` to lay a picture with
        alpha on. `max_pixels` is the most that a picture may have; None for
        `srlab.pixels.images.pixel_limit`. `progress` is called after each tile with how many are done, of how
        many.

        Raises:
            UserError: the picture cannot be read or written, is not a path, PIL image or array as above,
            takes more memory than there is, or the network's output for it is not finite.
        """
        if isinstance(image, str | os.PathLike):
            written, _ = self.upscale_file(
                Path(image),
                None if out is None else Path(out),
                overwrite=overwrite,
                quality=quality,
                keep_metadata=keep_metadata,
                flatten=flatten,
                max_pixels=max_pixels,
                progress=progress,
            )
            return written
        if out is not None:
            raise UserError("out works only with a path as input; save a PIL image or an array yourself")
        if isinstance(image, Image):
            return to_pil(self.upscale_picture(from_pil(image)))
        if isinstance(image, np.ndarray):
            return self._upscale_array(image)
        raise UserError(f"upscale takes a path, a PIL image or a NumPy array, not {type(image).__name__}")

    def upscale_picture(self, picture: Picture) -> Picture:
        """`picture` enlarged, with its name and metadata."""
        pixels = self._enlarge(picture.pixels)
        metadata = picture.metadata.for_size(*pixels.shape[:2])
        return Picture(name=picture.name, pixels=pixels, metadata=metadata)

    def cost(
        self, path: Path, out: Path, *, flatten: str | None = None, max_pixels: int | None = None
    ) -> Cost:
        """What it takes to enlarge the file `path` into `out`, told from the file's header alone."""
        header = read_header(path, max_pixels=max_pixels)
        given = header.layout
        if flatten is not None and given.has_alpha:
            given = replace(given, channels=3)
        output = given.enlarged(self.scale)
        copies = 1 + header.layout.has_alpha  # hidden colours are filled in a copy
        held = copies * header.layout.num_bytes
        if held > available_bytes():  # a header may say anything, and the tiles of that would never end
            return Cost(memory=held, tiles=0, output=output)
        rows = self._rows(output)
        boxes = grid((given.height, given.width), self.tile, rows=rows)
        band = max(bottom - top for top, _, bottom, _ in boxes) * output.num_bytes // given.height
        tile = 0
        largest = max(boxes, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]))
        if device_of(self.network).type == "cpu":
            seen = with_margin(largest, margin_of(self.network), (given.height, given.width))
            margins = 2 * margin_of(self.network)
            box = (seen[2] - seen[0] - margins, seen[3] - seen[1] - margins)
            elsewhere = self.forward is not None
            tile = tile_bytes(self.network, box, in_strips=self._in_strips, elsewhere=elsewhere)
        top, left, bottom, right = largest
        pieces = _PIECES * 12 * self.scale**2 * (bottom - top) * (right - left)
        bands = min(2, sum(left == 0 for _, left, _, _ in boxes)) * band  # one is filled, one is written
        work = held + tile + int(_HEAP * (pieces + bands)) + encoding_bytes(out, output)
        return Cost(memory=max(header.decoding_bytes, work), tiles=len(boxes), output=output)

    def check_cost(self, path: Path, out: Path, cost: Cost) -> None:
        """Raise `UserError` if there is less memory than enlarging `path` into `out` takes by `cost`."""
        there = available_bytes()
        if cost.memory <= there:
            return
        remedies = []
        if format_of(out) not in IN_STRIPS:
            remedies.append("write a PNG or a TIFF, which srlab writes in strips")
        if self.tile > 64 and device_of(self.network).type == "cpu":
            remedies.append(f"take smaller tiles (--tile {max(64, self.tile // 2 // 16 * 16)})")
        remedies.append("end other programs")
        raise UserError(
            f"{path} x{self.scale} takes about {num_bytes(cost.memory)} of memory, and only "
            f"{num_bytes(there)} are free; {', or '.join(remedies)}"
        )

    def _rows(self, output: Layout) -> int:
        """How many LR rows a tile may have, so that a band of `output` is no larger than it should be."""
        row_bytes = self.scale * output.num_bytes // output.height
        margin = margin_of(self.network)
        return max(_BAND_BYTES // row_bytes, 64, margin + margin // 2)

    def upscale_file(
        self,
        path: Path,
        out: Path | None = None,
        *,
        overwrite: bool = False,
        quality: int | None = None,
        keep_metadata: bool = True,
        flatten: str | None = None,
        max_pixels: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> tuple[Path, tuple[str, ...]]:
        """As `upscale` of a path, and what of the file could not be kept, for the user."""
        if out is None:
            suffix = path.suffix if path.suffix.lower() in FORMATS else ".png"
            out = path.with_name(f"{path.stem}-x{self.scale}{suffix}")
        format_of(out)
        if out.exists() and not is_stream(out) and not overwrite:
            raise UserError(f"{out} exists; give another name, or overwrite it (overwrite=True, --overwrite)")
        color = None if flatten is None else parse_color(flatten)
        cost = self.cost(path, out, flatten=flatten, max_pixels=max_pixels)
        check_writable(out, cost.output, quality=quality)  # before the work, which may take long
        self.check_cost(path, out, cost)
        picture = read_picture(path, max_pixels=max_pixels)
        pixels, metadata, notes = picture.pixels, picture.metadata, picture.notes
        del picture  # so that its pixels can go where they are laid on a colour
        give_back()  # the decoder had a copy of its own
        if color is not None:
            pixels = flattened(pixels, color)
        height, width, channels = pixels.shape
        given = Layout(height=height, width=width, channels=channels, bits=8 * pixels.itemsize)
        layout = given.enlarged(self.scale)
        if layout != cost.output:  # neither the memory nor the format was checked for this one
            raise UserError(changed(path))
        metadata = metadata.for_size(layout.height, layout.width)
        write_strips(
            out,
            self.bands(pixels, progress=progress),
            layout=layout,
            metadata=metadata if keep_metadata else metadata.without_description(),
            quality=quality,
        )
        return out, notes

    def _upscale_array(self, pixels: NDArray[Any]) -> NDArray[Any]:
        if pixels.dtype not in (np.uint8, np.uint16) and not np.issubdtype(pixels.dtype, np.floating):
            raise UserError(
                f"an array of pixels must be uint8, uint16 or floats in [0, 1], not {pixels.dtype}"
            )
        if (
            not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (1, 2, 3, 4)))
            or pixels.size == 0
        ):
            raise UserError(
                f"an array of pixels must be [H, W] or [H, W, C] with C from 1 to 4, not {list(pixels.shape)}"
            )
        if np.issubdtype(pixels.dtype, np.floating) and not (pixels.min() >= 0 and pixels.max() <= 1):
            raise UserError(
                f"an array of floats must have values in [0, 1]; this one has values from {pixels.min()} "
                f"to {pixels.max()}"
            )
        enlarged = self._enlarge(pixels[:, :, None] if pixels.ndim == 2 else pixels)
        return enlarged[:, :, 0] if pixels.ndim == 2 else enlarged

    def _enlarge(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Pixels [H, W, C] -> [sH, sW, C] of the same dtype."""
        height, width, channels = pixels.shape
        enlarged = np.empty((self.scale * height, self.scale * width, channels), pixels.dtype)
        top = 0
        for band in self.bands(pixels):
            enlarged[top : top + len(band)] = band
            top += len(band)
        return enlarged

    def bands(
        self, pixels: NDArray[Any], *, progress: Callable[[int, int], None] | None = None
    ) -> Iterator[NDArray[Any]]:
        """Pixels [H, W, C] enlarged, from top to bottom: bands [rows, sW, C] of the same dtype.

        Each band is a row of tiles. `progress` is called after each tile with how many are done, of how many.
        """
        height, width, channels = pixels.shape
        scale = self.scale
        alpha = pixels[:, :, -1] if channels in (2, 4) else None
        colors = pixels[:, :, : channels - 1] if alpha is not None else pixels
        if alpha is not None:
            colors = fill_transparent(colors, alpha)
        is_gray = colors.shape[2] == 1
        bits = 8 * pixels.itemsize
        rows = self._rows(Layout(height=scale * height, width=scale * width, channels=channels, bits=bits))
        ends = [bottom for _, left, bottom, _ in grid((height, width), self.tile, rows=rows) if left == 0]

        def read(box: Box) -> Tensor:
            lr = _to_tensor(_cut(colors, box))
            return lr.expand(-1, 3, -1, -1) if is_gray else lr

        start, end, missing = 0, 0, 0  # of the band that is being filled, in LR rows; in LR pixels
        band = np.empty((0, 0, 0), pixels.dtype)
        tiles = upscale_tiles(
            self.network,
            read,
            size=(height, width),
            tile=self.tile,
            rows=rows,
            precision=self.precision,
            in_strips=self._in_strips,
            forward=self.forward,
            progress=progress,
        )
        while True:
            with ONE_AT_A_TIME:  # threads may share an upscaler; its network is changed while it runs
                found = next(tiles, None)
            if found is None:
                break
            box, piece = found
            if not torch.isfinite(piece).all():
                raise UserError(
                    f"the output of {self.variant} for this picture is not finite; use other weights"
                )
            if missing == 0:
                start, end = end, ends.pop(0)
                missing = (end - start) * width
                band = np.empty((scale * (end - start), scale * width, channels), pixels.dtype)
            missing -= (box[2] - box[0]) * (box[3] - box[1])
            top, left, bottom, right = (scale * value for value in box)
            top, bottom = top - scale * start, bottom - scale * start
            sr = _luma(piece) if is_gray else piece
            band[top:bottom, left:right, : colors.shape[2]] = _to_pixels(sr, pixels.dtype)
            if alpha is not None:
                sr = _bicubic(alpha, box, scale=scale)
                band[top:bottom, left:right, -1:] = _to_pixels(sr, pixels.dtype)
            if missing == 0:
                yield band
                give_back()


def load(
    path: str | os.PathLike[str] | None = None,
    *,
    scale: int | None = None,
    device: str | torch.device = "auto",
    tile: int | None = None,
    precision: Precision | Literal["auto"] = "fp32",
    self_ensemble: bool = False,
    engine: "Engine" = "torch",
) -> Upscaler:
    """The upscaler that `path` means: a weights file, a run's folder, a study's folder (its winner by
    validation), the name of a network that is included with srlab (`srlab models`), or the word ``bicubic``.

    A file or folder of that name wins over an included network. Without `path` it is the best included
    network for `scale`, or for 2. Otherwise ``bicubic``, and a name that is included for several scales, need
    `scale`. For the others it may say which scale is expected. 8 is a chain of networks: x2 and then x4 where
    both are included, else x2 three times. `self_ensemble` averages what the network makes of the picture in
    its eight orientations, in floats, and takes eight times as long. `device` is ``cpu``, ``cuda`` or the
    like; ``auto`` is a GPU if there is one. `engine` is what computes: ``torch``, or on the CPU
    ``onnxruntime`` or ``openvino``, to which the network is translated first. `precision` ``auto`` is bf16 if
    the device has such arithmetic, and if a small picture differs by at most 0.1 of 255 levels on average.

    Raises:
        UserError: there are no weights of srlab there, they are for another scale, or the device or the
            engine cannot be used.
    """
    if scale is not None and (isinstance(scale, bool) or not isinstance(scale, int)):
        raise UserError(f"the scale is a whole number such as 2, not {scale!r} ({type(scale).__name__})")
    place = find_device("cpu" if engine != "torch" and device == "auto" else device)
    if engine != "torch":
        from srlab.use.engines import check_engine, forward_of

        check_engine(engine, device=place, precision=precision)
    found = load_network(path, scale=scale, self_ensemble=self_ensemble)
    if place.type == "cpu":
        tune_allocator()
    network = found.network.to(place, memory_format=torch.channels_last)  # type: ignore[call-overload]
    remark, forward = "", None
    if precision == "auto":
        chosen = choose(network, place)
        precision, remark = chosen.precision, chosen.why
    if engine != "torch":
        forward = forward_of(network, engine, name=found.variant, precision=precision)
    return Upscaler(
        network,
        variant=found.variant,
        source=found.source,
        tile=tile,
        precision=precision,
        forward=forward,
        remark=remark,
    )


def fill_transparent(colors: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """`colors` [H, W, C], each fully transparent pixel in the colour of the nearest one that shows.

    Done in bands of 512 rows that see 128 rows above and below them, so that memory stays bounded: no network
    sees farther than that.
    """
    hidden = alpha == 0
    if not hidden.any() or hidden.all():
        return colors
    filled = colors.copy()
    for start in range(0, len(colors), _FILL_ROWS):
        stop = min(start + _FILL_ROWS, len(colors))
        top, bottom = max(0, start - _FILL_REACH), stop + _FILL_REACH
        seen = hidden[top:bottom]
        if not seen[start - top : stop - top].any() or seen.all():
            continue
        rows, columns = distance_transform_edt(seen, return_distances=False, return_indices=True)
        band = slice(start - top, stop - top)
        filled[start:stop] = colors[top:bottom][rows[band], columns[band]]
    return filled


def parse_color(text: str) -> tuple[int, int, int]:
    """Red, green and blue, 0 to 255, of a colour's name or of ``#rrggbb``.

    >>> parse_color("white"), parse_color("#204060")
    ((255, 255, 255), (32, 64, 96))
    """
    try:
        color = ImageColor.getrgb(text)
    except ValueError as error:
        raise UserError(f"{text!r} is not a colour; write a name such as white, or #rrggbb") from error
    if len(color) > 3:
        raise UserError(
            f"{text!r} has alpha, but the colour must be opaque; write a name such as white, or #rrggbb"
        )
    return color[0], color[1], color[2]


def flattened(pixels: NDArray[Any], color: tuple[int, int, int]) -> NDArray[Any]:
    """Pixels [H, W, C] with alpha laid on `color` (0 to 255): RGB of the same dtype. Without alpha as they
    are.
    """
    height, width, channels = pixels.shape
    if channels not in (2, 4):
        return pixels
    flat = np.empty((height, width, 3), pixels.dtype)
    ground = np.array(color, np.float32) * (_peak(pixels.dtype) / 255)
    for top in range(0, height, _FILL_ROWS):
        rows = pixels[top : top + _FILL_ROWS]
        alpha = rows[:, :, -1:].astype(np.float32) / np.float32(_peak(pixels.dtype))
        flat[top : top + _FILL_ROWS] = rows[:, :, :-1] * alpha + ground * (1 - alpha) + np.float32(0.5)
    return flat


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
