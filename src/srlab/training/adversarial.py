"""SRGAN's step: a generator that is to look like photographs, and a discriminator that is to tell.

Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network", CVPR
2017. https://arxiv.org/abs/1609.04802

As the seed study has it, both networks' gradients are of the same weights: one forward pass of the generator,
one of the discriminator over HR and one over SR serve both, and then both step. (Where the discriminator
steps first and judges again, that costs one more pass.)
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from srlab.declare.protocol import TrainingProtocol
from srlab.errors import UserError
from srlab.folder.checkpoints import require_same_tensors
from srlab.networks import Luma, Network
from srlab.training.content import ContentLoss
from srlab.training.device import ResolvedPrecision, autocast
from srlab.training.losses import PIXEL_LOSSES, without_border
from srlab.training.optimizers import Descent


class AdversarialUpdate:
    """One step of the generator and one of the discriminator, each with its own optimizer.

    Losses are those of logits, means over the batch: ``adversarial`` is -log D(SR), ``discriminator`` is
    -log D(HR) - log(1 - D(SR)). ``discriminator_real`` and ``discriminator_fake`` are the discriminator's
    mean outputs, in [0, 1], on HR and on SR: near 1 and 0 it has won, equal it tells nothing. The gradients'
    norms are those before they are bounded; a step that fp16 leaves out because its gradient overflows counts
    as 0.

    The networks compute in `precision`, the losses in fp32. `generator.border` SR pixels along each edge are
    left out of the pixel term; content and discriminator see the whole patch. Parameters that need no
    gradient are left alone and have no state. The discriminator's rate is `discriminator_rate` times the
    generator's.
    """

    def __init__(
        self,
        generator: Network,
        *,
        discriminator: nn.Module,
        content: ContentLoss,
        adversarial_weight: float = 1e-3,
        pixel_weight: float = 0.0,
        pixel_loss: str = "l1",
        discriminator_rate: float = 1.0,
        protocol: TrainingProtocol,
        precision: ResolvedPrecision = "fp32",
    ) -> None:
        if isinstance(generator, Luma):
            raise UserError(
                "an adversarial objective needs a network that works on RGB; this one works on luma, and "
                "the discriminator and VGG19 need colour"
            )
        self.generator = generator
        self.discriminator = discriminator
        self.networks: Mapping[str, nn.Module] = {"discriminator": discriminator}
        self.content = content
        self.adversarial_weight = adversarial_weight
        self.pixel_weight = pixel_weight
        self.pixel_loss = PIXEL_LOSSES[pixel_loss]
        self.discriminator_rate = discriminator_rate
        self.precision = precision
        parameters = [p for p in generator.parameters() if p.requires_grad]
        self.device = parameters[0].device
        fused = self.device.type in ("cpu", "cuda")
        self.sides = {
            name: Descent(trained, protocol=protocol, precision=precision, fused=fused)
            for name, trained in (
                ("generator", parameters),
                ("discriminator", list(discriminator.parameters())),
            )
        }

    @property
    def is_capturable(self) -> bool:
        return all(side.is_capturable for side in self.sides.values())

    def __call__(self, lr: Tensor, hr: Tensor, *, learning_rate: float | Tensor) -> dict[str, Tensor]:
        with autocast(self.device, self.precision):
            sr = self.generator(lr)
            real, fake = self.discriminator(hr), self.discriminator(sr.float())
        sr, real, fake = sr.float(), real.float(), fake.float()

        content = self.content(sr, hr)
        adversarial = F.softplus(-fake).mean()
        loss = content + self.adversarial_weight * adversarial
        losses = {"content": content, "adversarial": adversarial}
        if self.pixel_weight:
            border = self.generator.border
            losses["pixel"] = self.pixel_loss(
                without_border(sr, border=border), without_border(hr, border=border)
            )
            loss = loss + self.pixel_weight * losses["pixel"]
        losses["discriminator"] = F.softplus(-real).mean() + F.softplus(fake).mean()

        # Both gradients before either step: each is asked for its own network's parameters alone, so that the
        # discriminator's loss does not reach the generator, nor the generator's the discriminator.
        generator, discriminator = self.sides["generator"], self.sides["discriminator"]
        discriminator.backward(losses["discriminator"], retain_graph=True)
        generator.backward(loss)
        norms = {
            "generator_gradient_norm": generator.step(learning_rate),
            "discriminator_gradient_norm": discriminator.step(learning_rate * self.discriminator_rate),
        }
        outputs = {
            "discriminator_real": torch.sigmoid(real).mean(),
            "discriminator_fake": torch.sigmoid(fake).mean(),
        }
        values = {"loss": loss, **losses, **outputs, **norms}
        return {name: value.detach() for name, value in values.items()}

    def state_dict(self) -> dict[str, Any]:
        """The discriminator with its running statistics, and both optimizers."""
        return {
            "discriminator": self.discriminator.state_dict(),
            **{f"{name}_{key}": value for name, s in self.sides.items() for key, value in s.state().items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        require_same_tensors(
            state["discriminator"], self.discriminator.state_dict(), what="the checkpoint's discriminator"
        )
        self.discriminator.load_state_dict(state["discriminator"], strict=True)
        for name, side in self.sides.items():
            side.load(
                state[f"{name}_optimizer"],
                state[f"{name}_scaler"],
                what=f"the checkpoint's {name} optimizer",
            )
