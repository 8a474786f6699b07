"""Distances between SR and HR pixels, both [N, C, sH, sW] in [0, 1]: scalars, means over all values."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from srlab.errors import UserError

CHARBONNIER_EPS = 1e-3


def l1(sr: Tensor, hr: Tensor) -> Tensor:
    """Mean absolute error."""
    return F.l1_loss(sr, hr)


def mse(sr: Tensor, hr: Tensor) -> Tensor:
    """Mean squared error, the one that PSNR measures."""
    return F.mse_loss(sr, hr)


def charbonnier(sr: Tensor, hr: Tensor, *, eps: float = CHARBONNIER_EPS) -> Tensor:
    """sqrt((sr - hr)^2 + eps^2): as L1 far from zero, smooth at zero.

    eps = 1e-3 on images in [0, 1], as Lai, Huang, Ahuja and Yang, "Deep Laplacian Pyramid Networks for Fast
    and Accurate Super-Resolution", CVPR 2017, section 3.2. Its least value is eps, not 0.
    """
    return torch.sqrt((sr - hr) ** 2 + eps**2).mean()


def gradient(sr: Tensor, hr: Tensor) -> Tensor:
    """Mean absolute error of the differences of neighbours, along rows and along columns alike.

    Images are at least 2 pixels high and wide.
    """
    error = sr - hr  # the difference of the gradients is the gradient of the difference
    rows, columns = error.diff(dim=-1), error.diff(dim=-2)
    return (rows.abs().mean() + columns.abs().mean()) / 2


PIXEL_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": l1,
    "mse": mse,
    "charbonnier": charbonnier,
}


def without_border(images: Tensor, *, border: int) -> Tensor:
    """Drop `border` pixels along each edge of [..., sH, sW].

    Raises:
        UserError: if nothing is left; the training patches are too small for the network.
    """
    if border == 0:
        return images
    height, width = images.shape[-2:]
    if min(height, width) <= 2 * border:
        raise UserError(
            f"patches of {width}x{height} SR pixels are too small for this network, because its loss "
            f"leaves out {border} pixels along each edge; use a larger --lr-patch-size"
        )
    return images[..., border:-border, border:-border]
