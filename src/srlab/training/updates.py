"""What one step of training does to a network: one class for each objective, all called by the same loop."""

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from srlab.declare.objectives import PixelObjective
from srlab.declare.protocol import TrainingProtocol
from srlab.declare.study import Run
from srlab.networks import Discriminator, Luma, Network
from srlab.training.adversarial import AdversarialUpdate
from srlab.training.content import make_content_loss, make_terms
from srlab.training.device import ResolvedPrecision, autocast
from srlab.training.losses import without_border
from srlab.training.optimizers import Descent

DEFAULT_PROTOCOL = TrainingProtocol(num_steps=1)  # for an update of its own, outside a run


class Update(Protocol):
    """What the loop asks of an objective.

    A call changes the weights once and returns its losses, detached; ``"loss"`` is the one that is shown. The
    state is what the next step needs beside the network's own state and the step. `networks` are those that
    are trained beside the network, by their names. If it `is_capturable`, a CUDA graph can hold a call, and
    the rate may be a tensor.
    """

    networks: Mapping[str, nn.Module]

    @property
    def is_capturable(self) -> bool: ...

    def __call__(self, lr: Tensor, hr: Tensor, *, learning_rate: float | Tensor) -> dict[str, Tensor]: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


def make_update(run: Run, network: Network, *, precision: ResolvedPrecision) -> Update:
    """The update that the run's objective asks for.

    Raises:
        UserError: VGG19's weights are asked for and not there; or the patches are too small for the
            discriminator.
    """
    objective, protocol = run.variant.objective, run.protocol
    if isinstance(objective, PixelObjective):
        return PixelUpdate(
            network,
            loss=objective,
            protocol=protocol,
            precision=precision,
        )
    device = next(network.parameters()).device
    discriminator = Discriminator(objective.discriminator, hr_patch_size=run.scale * protocol.lr_patch_size)
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
        protocol=protocol,
        precision=precision,
    )


class PixelUpdate:
    """One step of the protocol's optimizer down the distance between SR and HR.

    `loss` is an objective, or the text of its loss (`srlab.declare.loss_values`). The parts of a weighted sum
    are logged beside it, each by its name and without its weight.

    The network computes in `precision`, the loss in fp32. Luma networks are trained from Y to Y: `lr` is
    [N, 1, H, W] for them. `network.border` SR pixels along each edge are left out of the loss.
    """

    def __init__(
        self,
        network: Network,
        *,
        loss: PixelObjective | str = "l1",
        protocol: TrainingProtocol = DEFAULT_PROTOCOL,
        precision: ResolvedPrecision = "fp32",
    ) -> None:
        self.networks: Mapping[str, nn.Module] = {}
        self.forward = network.forward_luma if isinstance(network, Luma) else network
        self.border = network.border
        self.precision = precision
        parameters = [p for p in network.parameters() if p.requires_grad]
        self.device = parameters[0].device
        objective = PixelObjective(loss=loss) if isinstance(loss, str) else loss
        self.terms = make_terms(objective, device=self.device, precision=precision)
        self.descent = Descent(parameters, protocol=protocol, precision=precision)

    @property
    def is_capturable(self) -> bool:
        return self.descent.is_capturable

    def __call__(self, lr: Tensor, hr: Tensor, *, learning_rate: float | Tensor) -> dict[str, Tensor]:
        with autocast(self.device, self.precision):
            sr = self.forward(lr)
        sr, hr = without_border(sr.float(), border=self.border), without_border(hr, border=self.border)
        first, *others = self.terms
        parts = {first.name: first.distance(sr, hr)}
        loss = parts[first.name] if first.weight == 1 else first.weight * parts[first.name]
        for term in others:
            parts[term.name] = term.distance(sr, hr)
            loss = loss + term.weight * parts[term.name]
        self.descent.backward(loss)
        norm = self.descent.step(learning_rate)
        values = {"loss": loss, **(parts if loss is not parts[first.name] else {}), "gradient_norm": norm}
        return {name: value.detach() for name, value in values.items()}

    def state_dict(self) -> dict[str, Any]:
        return self.descent.state()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.descent.load(state["optimizer"], state["scaler"])
