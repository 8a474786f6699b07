"""The optimizers of a training protocol: their step, their bounds on the gradient, and their state."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from srlab.declare.protocol import TrainingProtocol
from srlab.errors import UserError
from srlab.folder.checkpoints import require_same_tensors
from srlab.training.device import ResolvedPrecision

# What each optimizer keeps of a parameter between two steps; `step` is a number, the rest have its shape.
_STATE = {
    "adam": ("step", "exp_avg", "exp_avg_sq"),
    "adamw": ("step", "exp_avg", "exp_avg_sq"),
    "sgd": ("momentum_buffer",),
}


def make_optimizer(
    parameters: Sequence[nn.Parameter], protocol: TrainingProtocol, *, fused: bool | None = None
) -> torch.optim.Optimizer:
    """The protocol's optimizer of `parameters`; the rate is set before each step.

    ``adam``: Kingma and Ba, ICLR 2015. ``adamw``: Loshchilov and Hutter, ICLR 2019. ``sgd`` with momentum as
    torch has it: the rate multiplies the whole step, so a new rate acts at once. On a GPU the first two are
    fused, their step counts lie there, and the rate may be a tensor: so a CUDA graph can hold their step.
    """
    decay = protocol.weight_decay
    if protocol.optimizer == "sgd":
        return torch.optim.SGD(parameters, momentum=protocol.momentum, weight_decay=decay, fused=fused)
    kind = torch.optim.AdamW if protocol.optimizer == "adamw" else torch.optim.Adam
    on_gpu = parameters[0].is_cuda
    return kind(
        parameters,
        betas=protocol.adam_betas,
        eps=protocol.adam_eps,
        weight_decay=decay,
        fused=True if on_gpu else fused,
        capturable=on_gpu,
    )


class Descent:
    """How a protocol takes steps down a loss with some parameters: optimizer, bounds, and fp16's scale."""

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        *,
        protocol: TrainingProtocol,
        precision: ResolvedPrecision,
        fused: bool | None = None,
    ) -> None:
        self.parameters = list(parameters)
        self.protocol = protocol
        self.optimizer = make_optimizer(self.parameters, protocol, fused=fused)
        device = self.parameters[0].device
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")

    def backward(self, loss: Tensor, *, retain_graph: bool = False) -> None:
        """The gradient of `loss` for these parameters and no others."""
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(self.scaler.scale(loss), inputs=self.parameters, retain_graph=retain_graph)

    @property
    def is_capturable(self) -> bool:
        """Whether a CUDA graph can hold a step: no number has to come back from the GPU for it."""
        return (
            self.parameters[0].is_cuda
            and self.protocol.optimizer != "sgd"
            and self.protocol.adjustable_clip is None
            and not self.scaler.is_enabled()
        )

    def step(self, learning_rate: float | Tensor) -> Tensor:
        """Descend by one step. Returns the norm of the whole gradient, as it was before it was bounded.

        `learning_rate` may be a tensor on the GPU where a graph can hold the step. A step that fp16
        leaves out because its gradient overflows has the norm 0.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.scaler.unscale_(self.optimizer)
        norm = gradient_norm(self.parameters, bound=self.protocol.gradient_clip_norm)
        bound = self.protocol.adjustable_clip
        if bound is not None and learning_rate > 0:
            torch.nn.utils.clip_grad_value_(self.parameters, bound / float(learning_rate))
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return torch.where(norm.isfinite(), norm, 0) if self.scaler.is_enabled() else norm

    def state(self) -> dict[str, Any]:
        """What the next step needs: the optimizer's state of each parameter, and fp16's scale."""
        return {"optimizer": self.optimizer.state_dict()["state"], "scaler": self.scaler.state_dict()}

    def load(
        self,
        optimizer: Mapping[int, Mapping[str, Tensor]],
        scaler: Mapping[str, Any],
        *,
        what: str = "the checkpoint's optimizer",
    ) -> None:
        """Go on from a `state`. Rates, betas and all other settings stay the run's own.

        Raises:
            UserError: it is the state of other parameters, of another optimizer or of another precision.
        """
        names = _STATE[self.protocol.optimizer] if self.protocol.keeps_state else ()
        expected = {
            f"{index}.{name}": torch.empty(() if name == "step" else parameter.shape, device="meta")
            for index, parameter in enumerate(self.parameters)
            for name in names
        }
        found = {
            f"{index}.{name}": value for index, values in optimizer.items() for name, value in values.items()
        }
        require_same_tensors(found, expected if optimizer else {}, what=what)  # none before the first step
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": dict(optimizer), "param_groups": groups})
        if bool(scaler) != self.scaler.is_enabled():
            raise UserError("the checkpoint has another precision than the run")
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(dict(scaler))


def gradient_norm(parameters: Sequence[Tensor], *, bound: float | None = None) -> Tensor:
    """The norm of the whole gradient, which is then scaled down to `bound` if it is larger."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    if bound is not None:
        torch.nn.utils.clip_grads_with_norm_(parameters, bound, norm)
    return norm
