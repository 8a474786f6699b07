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
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from srlab.pixels.border import Border

_DENSE_UP_TO = 64 * 256  # entries; a matrix of fewer is not worth cutting into blocks
# Small blocks multiply less by zero, large ones start fewer products: measured by benchmarks/resize.py.
_PIXELS_PER_BLOCK = {"shrink": 32, "enlarge": 96}
_PIXELS_PER_BLOCK_ON_GPU = 512  # few large products
_CPU = torch.device("cpu")
_REACH = 2  # pixels to each side that an enlargement looks at
_HALF_UP = 0.5 + 1e-9  # an exact half is rounded up, whatever the order in which its sum was rounded


def resize(images: Tensor, *, size: tuple[int, int], border: Border = "replicate") -> Tensor:
    """Images [..., H, W] of a floating dtype, any range -> [..., *size], not clamped.

    Differentiable, on the images' device; computed in float32, in float64 for float64, whatever autocast
    says, so bf16 and fp16 give float32. Images of that size and dtype already are returned as they are. A
    trace (torch.jit.trace, torch.export) holds for the size it was made with; that of `enlarge` for all.

    >>> resize(torch.tensor([[0.0, 1.0]]), size=(1, 4)).tolist()
    [[-0.0703125, 0.203125, 0.796875, 1.0703125]]
    """
    if not images.is_floating_point():
        raise TypeError(f"resize takes floating-point images, not {images.dtype}; use resize_uint8 for uint8")
    (height, width), (new_height, new_width) = _sizes(images, size)
    with torch.autocast(_autocast_device(images), enabled=False):
        images = images.to(torch.promote_types(images.dtype, torch.float32)).contiguous()
        passes = [(height, new_height, -2), (width, new_width, -1)]
        if new_height * width > height * new_width:  # the cheaper pass first
            passes.reverse()
        for length, new_length, dim in passes:
            if length != new_length:
                images = _one_pass(images, _Pass(length=length, new_length=new_length, border=border), dim)
        return images


def enlarge(images: Tensor, *, scale: int) -> Tensor:
    """Images [N, C, H, W] -> [N, C, sH, sW]: `resize` at the border "replicate" as one convolution.

    A trace of it holds for every size. The values are those of `resize` but for the last bits.

    >>> enlarge(torch.tensor([[[[0.0, 1.0]]]]), scale=2)[0, 0, 0].tolist()
    [-0.0703125, 0.203125, 0.796875, 1.0703125]
    """
    images = images.to(torch.promote_types(images.dtype, torch.float32))
    channels = images.shape[1]
    kernels = torch.tensor(_kernels(scale), dtype=images.dtype, device=images.device)
    padded = F.pad(images, (_REACH, _REACH, _REACH, _REACH), mode="replicate")
    return F.pixel_shuffle(F.conv2d(padded, kernels.repeat(channels, 1, 1, 1), groups=channels), scale)


def _kernels(scale: int) -> list[list[list[list[float]]]]:
    """For each of the s x s pixels that an LR pixel becomes, the weights [1, 5, 5] of those around it."""
    length = 2 * _REACH + 1
    columns, weights = _taps(length, scale * length, "replicate")
    matrix = np.zeros((scale, length))
    middle = slice(_REACH * scale, (_REACH + 1) * scale)
    np.add.at(matrix, (np.arange(scale)[:, None], columns[middle]), weights[middle])
    return np.einsum("ik,jl->ijkl", matrix, matrix).reshape(-1, 1, length, length).tolist()


def resize_uint8(
    image: NDArray[np.uint8],
    *,
    size: tuple[int, int],
    border: Border = "replicate",
    device: torch.device = _CPU,
) -> NDArray[np.uint8]:
    """Picture uint8 [H, W] or [H, W, C] -> [*size] or [*size, C], as MATLAB's imresize gives it, to the bit.

    MATLAB rounds half up and clips after each of the two passes, the one that shrinks more first, rows first
    of equals. It is computed in float64 on `device`.

    >>> resize_uint8(np.array([[0, 255]], np.uint8), size=(1, 4)).tolist()
    [[0, 52, 203, 255]]
    """
    if image.dtype != np.uint8 or image.ndim not in (2, 3):
        raise TypeError(f"resize_uint8 takes uint8 [H, W] or [H, W, C], not {image.dtype} {image.shape}")
    (height, width), (new_height, new_width) = image.shape[:2], _checked(size)
    axes = (0, 1) if new_height * width <= new_width * height else (1, 0)
    for axis in axes:
        rows = np.moveaxis(image, axis, 0)
        resized = _rows_uint8(rows.reshape(len(rows), -1), size[axis], border, device)
        image = np.moveaxis(resized.reshape(-1, *rows.shape[1:]), 0, axis)
    return np.ascontiguousarray(image)


@dataclass(frozen=True, kw_only=True)
class _Pass:
    """The matrix [new_length, length] of a pass, or its transpose, by which gradients go back."""

    length: int
    new_length: int
    border: Border
    transposed: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class _Block:
    """Some rows of such a matrix, only the columns start <= i < stop in which they are not zero."""

    start: int
    stop: int
    weights: Tensor


_captured: dict[tuple[_Pass, torch.dtype, torch.device], tuple[_Block, ...]] = {}


def _one_pass(images: Tensor, matrix: _Pass, dim: int) -> Tensor:
    """`images` times the matrix along `dim`, -2 or -1."""
    if _is_tracing() or torch.compiler.is_compiling():
        # What is made while a graph is recorded belongs to that graph and must not be cached.
        return _product(images, _blocks.__wrapped__(matrix, images.dtype, images.device), dim)
    if images.is_cuda and torch.cuda.is_current_stream_capturing():
        # Every replay of the graph reads these, so they may never leave the memory.
        _captured[matrix, images.dtype, images.device] = _blocks(matrix, images.dtype, images.device)
    if images.requires_grad and torch.is_grad_enabled():
        return _DifferentiablePass.apply(images, matrix, dim)  # type: ignore[no-untyped-call]
    return _product(images, _blocks(matrix, images.dtype, images.device), dim)


class _DifferentiablePass(torch.autograd.Function):
    """One pass whose gradient is one pass too; autograd alone would fill a whole image for each block."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, matrix: _Pass, dim: int) -> Tensor:
        ctx.matrix, ctx.dim = matrix, dim
        return _product(images, _blocks(matrix, images.dtype, images.device), dim)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        transpose = replace(ctx.matrix, transposed=not ctx.matrix.transposed)
        with torch.autocast(_autocast_device(gradients[0]), enabled=False):
            return _one_pass(gradients[0].contiguous(), transpose, ctx.dim), None, None


def _product(images: Tensor, blocks: tuple[_Block, ...], dim: int) -> Tensor:
    if dim == -2:
        parts = [torch.matmul(block.weights, images[..., block.start : block.stop, :]) for block in blocks]
    else:
        parts = [torch.matmul(images[..., block.start : block.stop], block.weights.T) for block in blocks]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=dim)


def _rows_uint8(
    rows: NDArray[np.uint8], new_height: int, border: Border, device: torch.device
) -> NDArray[np.uint8]:
    """Rows [H, X] -> [new_height, X], rounded."""
    if len(rows) == new_height:
        return rows
    matrix = _Pass(length=len(rows), new_length=new_height, border=border)
    source = torch.from_numpy(np.array(rows)).to(device)
    result = torch.empty(new_height, rows.shape[1], dtype=torch.uint8)
    done = 0
    for block in _blocks(matrix, torch.float64, device):  # so that only a block is ever held in float64
        values = torch.mm(block.weights, source[block.start : block.stop].double())
        result[done : done + len(values)] = values.add_(_HALF_UP).floor_().clamp_(0, 255)
        done += len(values)
    return result.numpy()


def _autocast_device(images: Tensor) -> str:
    return "cpu" if images.is_meta else images.device.type  # there is no autocast on "meta"


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
        raise ValueError(f"the size of an image must be a height and a width of at least 1, not {size}")
    return size


@lru_cache(maxsize=128)
def _blocks(matrix: _Pass, dtype: torch.dtype, device: torch.device) -> tuple[_Block, ...]:
    """The matrix cut along its band."""
    columns, weights = _taps(matrix.length, matrix.new_length, matrix.border)
    rows = np.broadcast_to(np.arange(matrix.new_length)[:, None], columns.shape)
    seen = weights != 0
    rows, columns, weights = rows[seen], columns[seen], weights[seen]
    count = matrix.new_length
    if matrix.transposed:
        rows, columns, count = columns, rows, matrix.length
    per_block = _PIXELS_PER_BLOCK["enlarge" if count == max(matrix.length, matrix.new_length) else "shrink"]
    if device.type != "cpu":
        per_block = _PIXELS_PER_BLOCK_ON_GPU
    if matrix.length * matrix.new_length <= _DENSE_UP_TO:
        per_block = count
    blocks = []
    for first in range(0, count, per_block):
        last = min(first + per_block, count)
        here = (first <= rows) & (rows < last)
        start, stop = (int(columns[here].min()), int(columns[here].max()) + 1) if here.any() else (0, 1)
        values = np.zeros((last - first, stop - start))
        np.add.at(values, (rows[here] - first, columns[here] - start), weights[here])
        with _constant_in_a_trace():
            blocks.append(_Block(start=start, stop=stop, weights=torch.from_numpy(values).to(device, dtype)))
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
    raise ValueError(f"the border must be replicate or symmetric, not {border!r}")


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' kernel, a = -0.5: 1 at 0, 0 at the other whole numbers and from 2 on."""
    x = np.abs(x)
    inner = (1.5 * x - 2.5) * x * x + 1
    outer = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, inner, np.where(x <= 2, outer, 0.0))
