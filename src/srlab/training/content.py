"""What objectives compute: distances of pixels, and of a network's features, with whose weights."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from srlab.data.weights import absent, weights_file
from srlab.declare.loss_values import (
    L1,
    MSE,
    Charbonnier,
    Features,
    Gradient,
    Loss,
    LossValue,
    Perceptual,
)
from srlab.declare.objectives import OFFICIAL_VGG19, AdversarialObjective, Objective, PixelObjective
from srlab.errors import UserError
from srlab.files import sha256_of
from srlab.networks.vgg import VGG19, Layer, load_vgg, random_vgg
from srlab.training.device import ResolvedPrecision
from srlab.training.losses import charbonnier, gradient, l1, mse
from srlab.user_code.declared import reason

ContentLoss = Callable[[Tensor, Tensor], Tensor]  # SR and HR [N, 3, sH, sW] in [0, 1] -> a scalar

LAYERS: dict[Features, Layer] = {"vgg54": "relu5_4", "vgg22": "relu2_2", "conv5_4": "conv5_4"}
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class FeatureDistance:
    """Mean squared error of a network's features of SR and HR, [N, 3, sH, sW] in [0, 1] each.

    The features are computed in `precision`, their distance in fp32. The network's weights are kept in that
    precision, since they never change.
    """

    def __init__(self, network: VGG19, *, device: torch.device, precision: ResolvedPrecision) -> None:
        colors = network.colors.state_dict()
        self.network = network.to(device, DTYPES[precision], memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        self.network.colors.float().load_state_dict(colors)  # exact, whatever the precision

    def __call__(self, sr: Tensor, hr: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = self.network(hr).float()
        return F.mse_loss(self.network(sr).float(), wanted)


def pixel_content(sr: Tensor, hr: Tensor) -> Tensor:
    """Mean squared error of SR and HR in [-1, 1], given in [0, 1]."""
    return 4 * F.mse_loss(sr, hr)


def make_content_loss(
    objective: AdversarialObjective, *, device: torch.device, precision: ResolvedPrecision
) -> ContentLoss:
    """What the objective calls content.

    Raises:
        UserError: the weights are not there, or are not those of the objective.
    """
    if objective.content == "pixels":
        return pixel_content
    return _feature_distance(objective.content, objective, device=device, precision=precision)


@dataclass(frozen=True)
class Term:
    """A part of a loss: the name under which it is logged, its weight, and what it computes."""

    name: str
    weight: float
    distance: ContentLoss


def make_terms(
    objective: PixelObjective, *, device: torch.device, precision: ResolvedPrecision
) -> tuple[Term, ...]:
    """The parts of the objective's loss.

    Raises:
        UserError: the weights are not there, or are not those of the objective.
    """

    def distance(loss: LossValue) -> ContentLoss:
        match loss:
            case L1():
                return l1
            case MSE():
                return mse
            case Charbonnier():
                return partial(charbonnier, eps=loss.eps)
            case Gradient():
                return gradient
            case Perceptual():
                return _feature_distance(loss.content, objective, device=device, precision=precision)
            case Loss():
                return own_distance(loss)
        raise TypeError(f"srlab.training.content does not compute {loss}")

    return tuple(
        Term(_name_of(term.loss), term.weight, distance(term.loss)) for term in objective.value.terms()
    )


def _name_of(loss: LossValue) -> str:
    """As the log has it, beside the metrics: a user's own loss may be called like one of them."""
    return f"loss_{loss.name}" if isinstance(loss, Loss) else str(loss).replace(":", "_")


def own_distance(loss: Loss) -> ContentLoss:
    """What a loss of a user's own computes; what it raises is a `UserError` that names it."""

    def computed(sr: Tensor, hr: Tensor) -> Tensor:
        try:
            found: Tensor = loss.function(sr, hr)
        except Exception as error:
            raise UserError(
                f"loss {loss.name!r} raised {reason(error)} for SR and HR of the shape {list(hr.shape)}"
            ) from error
        return found

    return computed


def check_content(objective: Objective) -> None:
    """Raise a `UserError` that says what to fetch and where to put it, if the weights are not there."""
    for features in objective.features:
        if features != "random":
            load_vgg(_find(objective, features), LAYERS[features])


def _feature_distance(
    features: Features, objective: Objective, *, device: torch.device, precision: ResolvedPrecision
) -> FeatureDistance:
    is_random = features == "random"
    network = random_vgg() if is_random else load_vgg(_find(objective, features), LAYERS[features])
    return FeatureDistance(network, device=device, precision=precision)


def _find(objective: Objective, features: Features) -> Path:
    """The file with the weights that the objective names, which are verified."""
    named = objective.vgg or OFFICIAL_VGG19
    is_official = named == OFFICIAL_VGG19
    if objective.vgg_path is not None:
        path = Path(objective.vgg_path)
        if not path.is_file():
            raise UserError(
                f"the file {path} with VGG19 weights does not exist; name the file with --vgg PATH"
            )
    elif is_official:
        path = weights_file("vgg19")
        if not path.is_file():
            raise absent("vgg19", hint="; or name your own copy with --vgg PATH")
    else:
        raise UserError(
            f"the content loss {features} was declared with VGG19 weights of SHA-256 {named}; name the "
            "file with --vgg PATH"
        )
    sha256 = sha256_of(path)
    if not sha256.startswith(named.rpartition("-")[2]):
        raise UserError(
            f"{path} is another file than the content loss was declared with: its SHA-256 is {sha256}, and "
            f"{named.rpartition('-')[2]} was expected"
        )
    return path
