"""Enlarging pictures of any size in bounded memory: in tiles without seams.

A tile is read with a margin as wide as the network's receptive field, so no cut changes a pixel that is kept.
A margin never leaves the image: where a tile touches the image's edge, the network sees that edge, as it
would in the whole image. The grid of tiles depends on the image's size and the network alone, never on the
free memory.

Where a large picture lies beside the tile, a tile goes through the network in strips of rows
(`srlab.networks.streaming`), unless it is small. So tiles can be so large that little work goes into margins.

Kernels add up in an order that depends on the shape, the processor and the number of threads. So tiles of
two sizes give values within 1e-5 of each other, not equal ones. Once rounded, a pixel differs by one level at
most, and only where its value lies that close to a rounding boundary. On a CPU two things make such pixels
rarer: convolutions run in channels_last (in torch's default layout nine values of ten differ in the last
bit), and a margin is at least 20 pixels wide, wherever the image has them.
"""

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, cast

import torch
from torch import Tensor, nn

from srlab.errors import UserError
from srlab.networks import Network
from srlab.networks.complexity import receptive_radius
from srlab.networks.streaming import can_stream, streaming, streams_of

Precision = Literal["fp32", "bf16"]
Forward = Callable[[Tensor], Tensor]  # LR [N, C, H, W] -> SR [N, C, sH, sW]
Box = tuple[int, int, int, int]  # top, left, bottom, right in LR pixels; bottom and right excluded

_ACTIVATION_BYTES = 1 << 30  # what a tile's largest layer may take, input and output together
_WHOLE_BYTES = 3 << 26  # the same where tiles that take more go through in strips
_STRIP_BYTES = 6 << 26  # what a tile in strips may take; with a picture of 8000x8000 it is below 1.5 GB
_STRIP_TILE = 640  # the largest side of a tile in strips: the first one tells how long the others take
_ELSEWHERE_BYTES = 1 << 29  # the same where another library computes, which goes through no strips
_FORWARD = 3  # a forward takes up to so many times what its largest layer takes (measured: 1.3 to 3.1)
_FORWARD_ELSEWHERE = 6  # the same of another library (measured: 0.5 to 4.7)
_SMALLEST_MARGIN = 20  # with less, most kernels add up in another order, as they do for small pictures
_PROBE = 8  # the side of the image by which layers are measured
_SMALLEST_TILE = 8  # below it a tile is nearly all margin, and memory is not what is missing


def upscale_tensor(
    network: nn.Module,
    lr: Tensor,
    *,
    tile: int | None = None,
    luma: bool = False,
    precision: Precision = "fp32",
    in_strips: bool = False,
    forward: Forward | None = None,
) -> Tensor:
    """SR [1, C, sH, sW] float32 on the CPU, not clamped, of `lr` [1, C, H, W] in [0, 1], on the network's
    device.

    C is 3, or 1 with `luma`, which uses the network's Y-to-Y forward. `tile` is the largest side of a tile in
    LR pixels, its margin not counted; None chooses by `default_tile`. In fp32 the values of two tile sizes
    are within 1e-5 of each other: rounded to uint8, a pixel differs by one level at most, and only where its
    value lies that close to a rounding boundary. `bf16` computes under autocast: faster where the device can,
    and not for scores. `in_strips` takes large tiles through the network in strips of rows: less memory, the
    same values but for the last bits. A network that strips do not know goes whole. `forward` computes
    instead of the network, as another library does (`srlab.use.engines`); its tiles go whole, and in the
    precision that it has. The network's modules are evaluated as in ``eval()``, and their modes are put back.
    If memory runs out, a tile is halved.
    """
    if lr.ndim != 4 or lr.shape[0] != 1 or not lr.is_floating_point():
        raise ValueError(f"lr must be one float image [1, C, H, W]; got {tuple(lr.shape)} of {lr.dtype}")
    _, channels, height, width = lr.shape
    scale = cast(int, network.scale)
    sr = torch.empty(1, channels, scale * height, scale * width)

    def read(box: Box) -> Tensor:
        top, left, bottom, right = box
        return lr[..., top:bottom, left:right]

    for box, piece in upscale_tiles(
        network,
        read,
        size=(height, width),
        tile=tile,
        luma=luma,
        precision=precision,
        in_strips=in_strips,
        forward=forward,
    ):
        top, left, bottom, right = (scale * value for value in box)
        sr[..., top:bottom, left:right] = piece
    return sr


def upscale_tiles(
    network: nn.Module,
    read: Callable[[Box], Tensor],
    *,
    size: tuple[int, int],
    tile: int | None = None,
    rows: int | None = None,
    luma: bool = False,
    precision: Precision = "fp32",
    in_strips: bool = False,
    forward: Forward | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[tuple[Box, Tensor]]:
    """Each tile's box in LR pixels and its SR [1, C, h, w], float32 on the CPU: an image that is never whole
    in memory.

    `read` gives LR [1, C, h, w] in [0, 1] of a box inside the image, whose height and width are `size`.
    The tiles come row of tiles after row of tiles; `rows` limits their height further. `progress` is called
    after each with how many are done, of how many. Everything else is as in `upscale_tensor`.
    """
    margin = margin_of(network)
    in_strips = in_strips and forward is None
    if tile is None:
        elsewhere = forward is not None
        tile = 64
        if max(size) > 64:
            tile = default_tile(network, luma=luma, in_strips=in_strips, elsewhere=elsewhere)
    if tile < 1 or (rows is not None and rows < 1):
        raise UserError(f"the side of a tile must be at least 1 pixel, not {min(tile, rows or tile)}")
    area = size[0] * size[1]
    whole = whole_pixels(network, luma=luma) if in_strips and can_stream(network) else area
    streams = streams_of(network) if area > whole else {}
    pending = deque(grid(size, tile, rows=rows))
    done = 0
    while pending:
        box = pending.popleft()
        top, left, bottom, right = box
        side = max(bottom - top, right - left)
        if side > tile:  # memory did not suffice for this one, or for one before it
            pieces = grid((bottom - top, right - left), tile)
            pending.extendleft((top + t, left + le, top + b, left + r) for t, le, b, r in reversed(pieces))
            continue
        seen = with_margin(box, margin, size)
        is_whole = (seen[2] - seen[0]) * (seen[3] - seen[1]) <= whole
        with streaming({} if is_whole else streams):
            sr = _upscale_box(
                network,
                read,
                box,
                seen,
                forward=forward or forward_in_torch(network, luma=luma),
                precision=precision,
            )
        if sr is not None:
            done += 1
            if progress is not None:
                progress(done, done + len(pending))
            yield box, sr
            continue
        if side <= _SMALLEST_TILE:
            raise UserError(
                f"{device_of(network)} has too little free memory for a tile of {side} pixels with a "
                f"margin of {margin}; free some memory, or use another device"
            )
        tile = (side + 1) // 2
        pending.appendleft(box)


def grid(size: tuple[int, int], tile: int, *, rows: int | None = None) -> list[Box]:
    """Boxes of nearly equal size, none with a side over `tile` or more than `rows` high, that cover an image
    of height and width `size`; from top to bottom, then from left to right.

    >>> grid((5, 3), 4)
    [(0, 0, 2, 3), (2, 0, 5, 3)]
    """
    most = (tile if rows is None else min(tile, rows), tile)
    heights, widths = (
        list(itertools.pairwise(length * part // parts for part in range(parts + 1)))
        for length, parts in ((length, -(-length // side)) for length, side in zip(size, most, strict=True))
    )
    return [(top, left, bottom, right) for top, bottom in heights for left, right in widths]


def with_margin(box: Box, margin: int, size: tuple[int, int]) -> Box:
    """`box` and `margin` pixels around it, as far as the image of height and width `size` reaches."""
    top, left, bottom, right = box
    return (
        max(0, top - margin),
        max(0, left - margin),
        min(size[0], bottom + margin),
        min(size[1], right + margin),
    )


def default_tile(
    network: nn.Module, *, luma: bool = False, in_strips: bool = False, elsewhere: bool = False
) -> int:
    """The side in LR pixels of the tiles that `upscale_tensor` takes by itself: from the network alone.

    As large as memory allows, counted from the network's largest layer; at least 64 and at least one and a
    half margins, below which nearly all of the work would go into margins. In strips there is room for more,
    and no such floor. `elsewhere` is for another library than torch, which takes more memory.
    """
    margin = receptive_radius(cast(Network, network))
    if not in_strips or not can_stream(network):
        most = _ELSEWHERE_BYTES if elsewhere else _ACTIVATION_BYTES
        side = int((most / _bytes_per_pixel(network, luma=luma)) ** 0.5) - 2 * margin
        return min(1024, max(side // 32 * 32, 64, margin + margin // 2))
    whole = int(whole_pixels(network, luma=luma) ** 0.5) - 2 * margin
    seen = _STRIP_TILE + 2 * margin
    taken = _strip_bytes(network, (seen, seen), luma=luma)  # in proportion to the width
    side = min(_STRIP_TILE, seen * _STRIP_BYTES // taken - 2 * margin)
    return max(min(1024, whole) // 32 * 32, side // 32 * 32, 64)


def tile_bytes(
    network: nn.Module,
    box: tuple[int, int],
    *,
    luma: bool = False,
    in_strips: bool = False,
    elsewhere: bool = False,
) -> int:
    """About what the network takes for a tile whose height and width in LR pixels are `box`, on its device.

    The margin is counted, the result is not; rather too much than too little. `elsewhere` is for another
    library than torch.
    """
    height, width = (side + 2 * margin_of(network) for side in box)
    if in_strips and can_stream(network) and height * width > whole_pixels(network, luma=luma):
        return _strip_bytes(network, (height, width), luma=luma)
    times = _FORWARD_ELSEWHERE if elsewhere else _FORWARD
    return int(times * height * width * _bytes_per_pixel(network, luma=luma))


def whole_pixels(network: nn.Module, *, luma: bool = False) -> int:
    """How many LR pixels go through the network whole where larger tiles go in strips, margin included."""
    return int(_WHOLE_BYTES / _bytes_per_pixel(network, luma=luma))


def margin_of(network: nn.Module) -> int:
    """How many LR pixels a tile sees around it, at most."""
    return max(receptive_radius(cast(Network, network)), _SMALLEST_MARGIN)


def _bytes_per_pixel(network: nn.Module, *, luma: bool) -> float:
    """Of the largest layer's input and output, for each LR pixel."""
    largest = [_PROBE * _PROBE]

    def note(_: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        tensors = [value for value in (*inputs, output) if isinstance(value, Tensor)]
        largest[0] = max(largest[0], sum(tensor.numel() for tensor in tensors))

    leaves = [module for module in network.modules() if not any(True for _ in module.children())]
    hooks = [module.register_forward_hook(note) for module in leaves]
    try:
        _probe(network, luma=luma)
    finally:
        for hook in hooks:
            hook.remove()
    return 4 * largest[0] / _PROBE**2


def _strip_bytes(network: nn.Module, seen: tuple[int, int], *, luma: bool) -> int:
    """What an LR image of height and width `seen` takes in strips."""
    streams = streams_of(network)
    with streaming(streams):
        _probe(network, luma=luma)
    height, width = min(seen), max(seen)  # a network may turn its image
    sizes = [(stream, stream.side // _PROBE) for stream in streams.values()]
    return max((stream.num_bytes(factor * height, factor * width) for stream, factor in sizes), default=1)


def _probe(network: nn.Module, *, luma: bool) -> None:
    with torch.inference_mode(), _evaluating(network):
        lr = torch.zeros(1, 1 if luma else 3, _PROBE, _PROBE, device=device_of(network))
        forward_in_torch(network, luma=luma)(lr)


def device_of(network: nn.Module) -> torch.device:
    """Where the network's tensors are; the CPU for one that has none, as bicubic."""
    first = next(itertools.chain(network.parameters(), network.buffers()), None)
    return torch.device("cpu") if first is None else first.device


def forward_in_torch(network: nn.Module, *, luma: bool) -> Forward:
    """The network, or with `luma` what it does from Y to Y."""
    return cast(Forward, network.forward_luma if luma else network)


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Every module in evaluation mode; afterwards each in the mode that it was in."""
    training = [module for module in network.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _upscale_box(
    network: nn.Module,
    read: Callable[[Box], Tensor],
    box: Box,
    seen: Box,
    *,
    forward: Forward,
    precision: Precision,
) -> Tensor | None:
    """SR of `box` alone, of which `forward` is shown `seen`; None if there is not enough memory."""
    scale = cast(int, network.scale)
    device = device_of(network)
    top, left, bottom, right = box
    rows = slice(scale * (top - seen[0]), scale * (bottom - seen[0]))
    columns = slice(scale * (left - seen[1]), scale * (right - seen[1]))
    autocast = torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")
    try:
        with torch.inference_mode(), _evaluating(network), autocast:
            lr = read(seen).to(device, torch.float32)
            sr = forward(lr.contiguous(memory_format=torch.channels_last))
            return sr[..., rows, columns].float().cpu()
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
    if device.type == "cuda":
        torch.cuda.empty_cache()  # not above: while an error is handled, its frames keep their tensors
    return None


def _is_out_of_memory(error: BaseException) -> bool:
    """The CPU's allocator raises a plain RuntimeError, with these words on Linux and on Windows."""
    words = ("can't allocate memory", "not enough memory")
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(
        word in str(error) for word in words
    )
