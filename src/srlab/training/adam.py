"""What all updates ask of Adam: a rate, a bounded gradient, and its state again after an interruption."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from srlab.checkpoints import require_same_tensors
from srlab.errors import UserError


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """The rate of the next step."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate


def gradient_norm(parameters: Sequence[Tensor], *, bound: float | None = None) -> Tensor:
    """The norm of the whole gradient, which is then scaled down to `bound` if it is larger."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    if bound is not None:
        torch.nn.utils.clip_grads_with_norm_(parameters, bound, norm)
    return norm


def load_adam(
    optimizer: torch.optim.Adam,
    state: Mapping[int, Mapping[str, Tensor]],
    parameters: Sequence[Tensor],
    *,
    what: str = "the checkpoint's optimizer",
) -> None:
    """Load Adam's moments of `parameters`; rates, betas and eps stay the run's own.

    Raises:
        UserError: if they are the moments of other parameters.
    """
    expected = {
        f"{index}.{name}": torch.empty(() if name == "step" else parameter.shape, device="meta")
        for index, parameter in enumerate(parameters)
        for name in ("step", "exp_avg", "exp_avg_sq")
    }
    found = {
        f"{index}.{name}": moment for index, moments in state.items() for name, moment in moments.items()
    }
    # Before its first step Adam has no moments.
    require_same_tensors(found, expected if state else {}, what=what)
    optimizer.load_state_dict({"state": dict(state), "param_groups": optimizer.state_dict()["param_groups"]})


def load_scaler(scaler: torch.amp.GradScaler, state: Mapping[str, Any]) -> None:
    """Load the scale of fp16's losses; {} in other precisions.

    Raises:
        UserError: the state is of a run in another precision.
    """
    if bool(state) != scaler.is_enabled():
        raise UserError("the checkpoint was written in another precision than the run's")
    if scaler.is_enabled():
        scaler.load_state_dict(dict(state))
