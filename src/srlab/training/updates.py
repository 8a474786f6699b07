"""What one step of training does to a network: one class for each objective, all called by the same loop."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from srlab.checkpoints import require_same_tensors
from srlab.errors import UserError
from srlab.losses import PIXEL_LOSSES, without_border
from srlab.networks import Luma, Network
from srlab.study import Run
from srlab.training.device import ResolvedPrecision, autocast


class Update(Protocol):
    """What the loop asks of an objective.

    A call changes the weights once and returns its losses, detached; ``"loss"`` is the one that is shown. The
    state is what the next step needs beside the network's own state and the step.
    """

    def __call__(self, lr: Tensor, hr: Tensor, *, learning_rate: float) -> dict[str, Tensor]: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


def make_update(run: Run, network: Network, *, precision: ResolvedPrecision) -> Update:
    """The update that the run's objective asks for."""
    return PixelUpdate(
        network,
        loss=run.variant.objective.loss,
        adam_betas=run.protocol.adam_betas,
        adam_eps=run.protocol.adam_eps,
        gradient_clip_norm=run.protocol.gradient_clip_norm,
        precision=precision,
    )


class PixelUpdate:
    """One Adam step down the distance between SR and HR pixels.

    The network computes in `precision`, the loss in fp32. Luma networks are trained from Y to Y: `lr` is
    [N, 1, H, W] for them. `network.border` SR pixels along each edge are left out of the loss.
    """

    def __init__(
        self,
        network: Network,
        *,
        loss: str = "l1",
        adam_betas: tuple[float, float] = (0.9, 0.999),
        adam_eps: float = 1e-8,
        gradient_clip_norm: float | None = None,
        precision: ResolvedPrecision = "fp32",
    ) -> None:
        self.loss = PIXEL_LOSSES[loss]
        self.forward = network.forward_luma if isinstance(network, Luma) else network
        self.border = network.border
        self.gradient_clip_norm = gradient_clip_norm
        self.precision = precision
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        self.device = self.parameters[0].device
        self.optimizer = torch.optim.Adam(self.parameters, betas=adam_betas, eps=adam_eps)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "fp16")

    def __call__(self, lr: Tensor, hr: Tensor, *, learning_rate: float) -> dict[str, Tensor]:
        with autocast(self.device, self.precision):
            sr = self.forward(lr)
        loss = self.loss(
            without_border(sr.float(), border=self.border), without_border(hr, border=self.border)
        )
        descend(
            self.optimizer,
            loss,
            learning_rate=learning_rate,
            gradient_clip_norm=self.gradient_clip_norm,
            scaler=self.scaler,
        )
        return {"loss": loss.detach()}

    def state_dict(self) -> dict[str, Any]:
        return {"optimizer": self.optimizer.state_dict()["state"], "scaler": self.scaler.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        load_adam(self.optimizer, state["optimizer"], self.parameters)
        if bool(state["scaler"]) != self.scaler.is_enabled():
            raise UserError("the checkpoint was written in another precision than the run's")
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(state["scaler"])


def descend(
    optimizer: torch.optim.Optimizer,
    loss: Tensor,
    *,
    learning_rate: float,
    gradient_clip_norm: float | None = None,
    scaler: torch.amp.GradScaler,
) -> None:
    """One step of `optimizer` down the gradient of `loss`, whose norm over all its parameters is bounded.

    In fp16 `scaler` keeps small gradients from vanishing and leaves out a step whose gradient overflows.
    """
    parameters: list[Tensor] = []
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
        parameters += group["params"]
    optimizer.zero_grad(set_to_none=True)
    scaler.scale(loss).backward()
    if gradient_clip_norm is not None:
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(parameters, gradient_clip_norm)
    scaler.step(optimizer)
    scaler.update()


def load_adam(
    optimizer: torch.optim.Adam, state: Mapping[int, Mapping[str, Tensor]], parameters: Sequence[Tensor]
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
    require_same_tensors(found, expected if state else {}, what="the checkpoint's optimizer")
    optimizer.load_state_dict({"state": dict(state), "param_groups": optimizer.state_dict()["param_groups"]})
