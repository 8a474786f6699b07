"""MATLAB's imresize with its bicubic kernel: for tensors, differentiable, and for uint8 pictures, exact to
the bit.

Each output pixel i lies at ``(i + 0.5) in / out - 0.5`` of the input and is the sum of the input pixels
around it, weighted by the cubic of Keys ("Cubic convolution interpolation for digital image processing", IEEE
Transactions on Acoustics, Speech and Signal Processing 29(6), 1981) with a = -0.5. When shrinking, the kernel
is widened by in / out against aliasing. The weights of a pixel sum to 1. Beyond the edge the kernel sees the
edge pixel ("replicate") or the image mirrored, edge pixel included ("symmetric"): MATLAB's releases differ in
this, and so do the benchmarks made with them (Set5's LR files are replicate, Set14's symmetric).

Both passes, along H and along W, are products with a matrix that is zero away from a diagonal band. It is
applied in blocks: a few output pixels, and the input pixels that they see. `torch.nn.functional.interpolate`
takes longer (benchmarks/resize.py) and is neither: its bicubic has a = -0.75, or, with antialias=True,
another border.
"""

import contextlib
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from srlab.protocol import Border

_DENSE_UP_TO = 64 * 256  # entries; a matrix of fewer is not worth cutting into blocks
_PIXELS_PER_BLOCK = 32
_PIXELS_PER_BLOCK_ON_GPU = 512  # few large products
_HALF_UP = 0.5 + 1e-9  # an exact half is rounded up, whatever the order in which its sum was rounded


def resize(images: Tensor, *, size: tuple[int, int], border: Border = "replicate") -> Tensor:
    """Images [..., H, W] of a floating dtype, any range -> [..., *size], not clamped.

    Differentiable, on the images' device; computed in float32, in float64 for float64, whatever autocast
    says, so bf16 and fp16 give float32. A trace (torch.jit.trace, torch.export) holds for the size it was
    made with.

    >>> resize(torch.tensor([[0.0, 1.0]]), size=(1, 4)).tolist()
    [[-0.0703125, 0.203125, 0.796875, 1.0703125]]
    """
    if not images.is_floating_point():
        raise TypeError(f"resize takes floating-point images, not {images.dtype}; see resize_uint8")
    (height, width), (new_height, new_width) = _sizes(images, size)
    device_type = "cpu" if images.is_meta else images.device.type  # there is no autocast on "meta"
    with torch.autocast(device_type, enabled=False):
        images = images.to(torch.promote_types(images.dtype, torch.float32)).contiguous()
        # What is made while a graph is recorded belongs to that graph and must not be cached.
        blocks = _blocks.__wrapped__ if _is_tracing() or torch.compiler.is_compiling() else _blocks
        along_h = blocks(height, new_height, border, images.dtype, images.device)
        along_w = blocks(width, new_width, border, images.dtype, images.device)
        if new_height * width <= height * new_width:  # the cheaper pass first
            return _along_w(_along_h(images, along_h), along_w)
        return _along_h(_along_w(images, along_w), along_h)


def resize_uint8(
    image: NDArray[np.uint8], *, size: tuple[int, int], border: Border = "replicate"
) -> NDArray[np.uint8]:
    """Picture uint8 [H, W] or [H, W, C] -> [*size] or [*size, C], as MATLAB's imresize gives it, to the bit.

    MATLAB rounds half up and clips after each of the two passes, the one that shrinks more first, rows first
    of equals.

    >>> resize_uint8(np.array([[0, 255]], np.uint8), size=(1, 4)).tolist()
    [[0, 52, 203, 255]]
    """
    if image.dtype != np.uint8 or image.ndim not in (2, 3):
        raise TypeError(f"resize_uint8 takes uint8 [H, W] or [H, W, C], not {image.dtype} {image.shape}")
    (height, width), (new_height, new_width) = image.shape[:2], _checked(size)
    axes = (0, 1) if new_height * width <= new_width * height else (1, 0)
    for axis in axes:
        rows = np.moveaxis(image, axis, 0)
        resized = _rows_uint8(rows.reshape(len(rows), -1), size[axis], border)
        image = np.moveaxis(resized.reshape(-1, *rows.shape[1:]), 0, axis)
    return np.ascontiguousarray(image)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Block:
    """Output pixels as weighted sums of the input pixels start <= i < stop; `weights` is [output, stop -
    start]."""

    start: int
    stop: int
    weights: Tensor


def _along_h(images: Tensor, blocks: tuple[_Block, ...] | None) -> Tensor:
    if blocks is None:
        return images
    if len(blocks) == 1:
        return torch.matmul(blocks[0].weights, images[..., blocks[0].start : blocks[0].stop, :])
    return torch.cat([torch.matmul(b.weights, images[..., b.start : b.stop, :]) for b in blocks], dim=-2)


def _along_w(images: Tensor, blocks: tuple[_Block, ...] | None) -> Tensor:
    if blocks is None:
        return images
    if len(blocks) == 1:
        return torch.matmul(images[..., blocks[0].start : blocks[0].stop], blocks[0].weights.T)
    return torch.cat([torch.matmul(images[..., b.start : b.stop], b.weights.T) for b in blocks], dim=-1)


def _rows_uint8(rows: NDArray[np.uint8], new_height: int, border: Border) -> NDArray[np.uint8]:
    """Rows [H, X] -> [new_height, X], rounded."""
    blocks = _blocks(len(rows), new_height, border, torch.float64, torch.device("cpu"))
    if blocks is None:
        return rows
    source = torch.from_numpy(np.array(rows))
    result = torch.empty(new_height, rows.shape[1], dtype=torch.uint8)
    done = 0
    for block in blocks:  # so that only a block is ever held in float64
        values = torch.mm(block.weights, source[block.start : block.stop].double())
        result[done : done + len(values)] = values.add_(_HALF_UP).floor_().clamp_(0, 255)
        done += len(values)
    return result.numpy()


def _sizes(images: Tensor, size: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """H, W and the new H, W as plain ints, also while torch.jit.trace hands out tensors for them."""
    if not _is_tracing():
        return (images.shape[-2], images.shape[-1]), _checked(size)
    with _constant_in_a_trace():
        return (int(images.shape[-2]), int(images.shape[-1])), _checked((int(size[0]), int(size[1])))


def _is_tracing() -> bool:
    return torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]


@contextlib.contextmanager
def _constant_in_a_trace() -> Iterator[None]:
    """Without torch's warning that a trace keeps what is computed here as a constant: `resize` says so."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        yield


def _checked(size: tuple[int, int]) -> tuple[int, int]:
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"the size of an image is a height and a width of at least 1, not {size}")
    return size


@lru_cache(maxsize=128)
def _blocks(
    length: int, new_length: int, border: Border, dtype: torch.dtype, device: torch.device
) -> tuple[_Block, ...] | None:
    """The matrix [new_length, length] of one pass, cut along its band; None where nothing changes."""
    if length == new_length:
        return None
    indices, weights = _taps(length, new_length, border)
    per_block = _PIXELS_PER_BLOCK if device.type == "cpu" else _PIXELS_PER_BLOCK_ON_GPU
    if length * new_length <= _DENSE_UP_TO:
        per_block = new_length
    blocks = []
    for first in range(0, new_length, per_block):
        columns, values = indices[first : first + per_block], weights[first : first + per_block]
        start, stop = int(columns.min()), int(columns.max()) + 1
        matrix = np.zeros((len(columns), stop - start))
        np.add.at(matrix, (np.arange(len(columns))[:, None], columns - start), values)
        with torch.inference_mode(False), _constant_in_a_trace():  # what is cached must serve training too
            blocks.append(_Block(start=start, stop=stop, weights=torch.from_numpy(matrix).to(device, dtype)))
    return tuple(blocks)


def _taps(length: int, new_length: int, border: Border) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each output pixel the input pixels it sees and their weights, both [new_length, taps]."""
    step = length / new_length
    widening = max(1.0, step)
    centers = (np.arange(new_length) + 0.5) * step - 0.5
    first = np.floor(centers - 2 * widening).astype(np.int64)
    indices = first[:, None] + np.arange(math.ceil(4 * widening) + 2)
    weights = _cubic((centers[:, None] - indices) / widening)
    weights /= weights.sum(axis=1, keepdims=True)
    if border == "replicate":
        return indices.clip(0, length - 1), weights
    if border == "symmetric":
        mirrored = indices % (2 * length)
        return np.minimum(mirrored, 2 * length - 1 - mirrored), weights
    raise ValueError(f"the border is replicate or symmetric, not {border!r}")


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' kernel, a = -0.5: 1 at 0, 0 at the other whole numbers and from 2 on."""
    x = np.abs(x)
    inner = (1.5 * x - 2.5) * x * x + 1
    outer = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, inner, np.where(x <= 2, outer, 0.0))
