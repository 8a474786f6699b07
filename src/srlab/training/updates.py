"""What one step of training does to a network: one class for each objective, all called by the same loop."""

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from srlab.losses import PIXEL_LOSSES, without_border
from srlab.networks import Discriminator, Luma, Network
from srlab.objectives import PixelObjective
from srlab.study import Run
from srlab.training.adam import gradient_norm, load_adam, load_scaler, set_learning_rate
from srlab.training.adversarial import AdversarialUpdate
from srlab.training.content import make_content_loss
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
    """The update that the run's objective asks for.

    Raises:
        UserError: VGG19's weights are asked for and not there; or the patches are not those that the
            discriminator judges.
    """
    objective, protocol = run.variant.objective, run.protocol
    if isinstance(objective, PixelObjective):
        return PixelUpdate(
            network,
            loss=objective.loss,
            adam_betas=protocol.adam_betas,
            adam_eps=protocol.adam_eps,
            gradient_clip_norm=protocol.gradient_clip_norm,
            precision=precision,
        )
    device = next(network.parameters()).device
    discriminator = Discriminator(hr_patch_size=run.scale * protocol.lr_patch_size)
    discriminator = discriminator.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    rate = objective.discriminator_learning_rate
    return AdversarialUpdate(
        network,
        discriminator=discriminator.train(),
        content=make_content_loss(objective, device=device, precision=precision),
        adversarial_weight=objective.adversarial_weight,
        pixel_weight=objective.pixel_weight,
        pixel_loss=objective.pixel_loss,
        discriminator_rate=1.0 if rate is None else rate / run.learning_rate,
        adam_betas=protocol.adam_betas,
        adam_eps=protocol.adam_eps,
        gradient_clip_norm=protocol.gradient_clip_norm,
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
        load_scaler(self.scaler, state["scaler"])


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
    set_learning_rate(optimizer, learning_rate)
    optimizer.zero_grad(set_to_none=True)
    scaler.scale(loss).backward()
    if gradient_clip_norm is not None:
        scaler.unscale_(optimizer)
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        gradient_norm(parameters, bound=gradient_clip_norm)
    scaler.step(optimizer)
    scaler.update()
