"""Losses of a user's own are tried before a study begins."""

import torch
from torch import Tensor

from srlab.declare.loss_values import Loss
from srlab.errors import UserError
from srlab.user_code.declared import reason

_PATCHES = 2
_tried: set[tuple[Loss, int, int]] = set()  # a study is checked each time that it changes


def check_loss(loss: Loss, *, channels: int, side: int) -> None:
    """Raise `UserError` unless the loss can train on patches of `channels` and `side` HR pixels."""
    if side < 1 or (loss, channels, side) in _tried:
        return
    shape = [_PATCHES, channels, side, side]
    where = f"loss {loss.name!r}"
    generator = torch.Generator().manual_seed(0)
    sr, hr = (torch.rand(shape, generator=generator) for _ in range(2))
    sr.requires_grad_()
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        try:
            found = loss.function(sr, hr)
        except Exception as error:
            raise UserError(
                f"{where} raised {reason(error)} for SR and HR of the shape {shape}; it must take tensors "
                "[N, C, H, W]"
            ) from error
        _check_number(found, where=where, shape=shape)
        try:
            (gradient,) = torch.autograd.grad(found, [sr], allow_unused=True)
        except Exception as error:
            raise UserError(f"{where} cannot be trained for: {reason(error)}") from error
    if gradient is None:
        raise UserError(f"{where}: no gradient reaches SR, so nothing can be trained for it")
    if not torch.isfinite(gradient).all():
        raise UserError(f"{where}: its gradient has NaN or infinity for random pictures")
    _tried.add((loss, channels, side))


def _check_number(found: object, *, where: str, shape: list[int]) -> None:
    if not isinstance(found, Tensor):
        raise UserError(
            f"{where} must return a tensor with one number, so that a gradient reaches SR; it returned "
            f"{type(found).__name__}"
        )
    if found.dim() != 0:
        raise UserError(
            f"{where} must return one number, a tensor without dimensions such as .mean() gives; for SR and "
            f"HR of the shape {shape} it returned the shape {list(found.shape)}"
        )
    if not torch.isfinite(found):
        raise UserError(f"{where} gives {found.item()} for random pictures in [0, 1]; it must be finite")
