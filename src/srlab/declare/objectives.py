"""What a network is trained for: values only, and how they are written down.

Only `with_vgg` opens a file, to hash it.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from srlab.declare.loss_values import L1, Features, Loss, LossValue, Perceptual, parse_loss, simplified
from srlab.errors import UserError
from srlab.files import sha256_of
from srlab.networks.discriminator import DiscriminatorOptions
from srlab.networks.options import from_values, to_values, with_options
from srlab.user_code.declared import find_own

PixelLoss = Literal["l1", "mse", "charbonnier"]
Content = Literal["vgg54", "vgg22", "conv5_4", "pixels", "random"]

# HR pixels along a side that VGG19 needs: its pooling halves them once before relu2_2, four times before
# relu5_4, and the normalized weights then pad by reflection.
LEAST_SIDE: dict[Features, int] = {"vgg22": 4, "random": 4, "vgg54": 16, "conv5_4": 16}
OFFICIAL_VGG19 = "vgg19-dcbb9e9d"  # torchvision's file; the end of its name begins its SHA-256
RANDOM_REMARK = (
    "content loss on random features: this only tests that training works and says nothing about SRGAN"
)

RANDOM_LOSS_REMARK = (
    "perceptual loss on random features: this only tests that training works and says nothing about "
    "perceptual losses"
)


@dataclass(frozen=True, kw_only=True)
class PixelObjective:
    """A distance between SR and HR, both in [0, 1]: of pixels, of gradients, of VGG19's features, or a sum.

    `loss` is given as a value, ``L1() + 0.1 * Perceptual("vgg22")``, or as its text,
    ``"l1+0.1*perceptual:vgg22"`` (`srlab.declare.loss_values`); it is kept as a value. A `Loss` of a user's
    own is given as a value. If the loss needs VGG19, `vgg` says which weights it has: see
    `AdversarialObjective`.

    Raises:
        UserError: the loss is neither, or its text is not a loss.
    """

    loss: LossValue | str = field(default_factory=L1)
    vgg: str | None = None  # None: the official file, where one is needed
    vgg_path: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        loss = parse_loss(self.loss) if isinstance(self.loss, str) else self.loss
        if not isinstance(loss, LossValue):
            raise UserError(
                f"the loss must be a text such as 'l1', or a loss such as L1() or Sum(...), not {self.loss!r}"
            )
        object.__setattr__(self, "loss", simplified(loss))
        _settle_vgg(self)

    @property
    def value(self) -> LossValue:
        """The loss, as a value."""
        assert isinstance(self.loss, LossValue)
        return self.loss

    @property
    def own(self) -> tuple[Loss, ...]:
        """Those of its losses that are a user's own."""
        return tuple(term.loss for term in self.value.terms() if isinstance(term.loss, Loss))

    @property
    def features(self) -> tuple[Features, ...]:
        """What its perceptual losses compare."""
        return tuple(term.loss.content for term in self.value.terms() if isinstance(term.loss, Perceptual))

    @property
    def needs_vgg(self) -> bool:
        """Whether weights of VGG19 must be there to train for it."""
        return any(name != "random" for name in self.features)


@dataclass(frozen=True, kw_only=True)
class AdversarialObjective:
    """SRGAN's: content, and a discriminator's judgement (Ledig et al., CVPR 2017, equations 3 to 6).

    The generator descends ``content + adversarial_weight * adversarial + pixel_weight * pixel``. `content` is
    the mean squared error of

    - ``vgg54``: VGG19's relu5_4, the paper's and the seed's;
    - ``vgg22``: VGG19's relu2_2, the paper's other one;
    - ``conv5_4``: relu5_4 before its activation, as ESRGAN has it (Wang et al., ECCV Workshops 2018);
    - ``pixels``: SR and HR themselves, in [-1, 1] as in the paper, so that the weights mean the same;
    - ``random``: relu2_2 of a VGG19 of seeded random weights: for tests and notebooks, asked for by name.

    `srlab.networks.vgg` says by what each layer's features are divided. `adversarial` is -log D(SR), `pixel`
    the distance `pixel_loss`. The discriminator takes `discriminator_learning_rate`, or the run's rate, under
    the run's schedule.

    `discriminator` has the discriminator's width and depth; by default they are the paper's.

    `vgg` says which weights VGG19 has: torchvision's official file, or another's SHA-256, with the file's
    path in `vgg_path`. The path is not compared and not written down. `with_vgg` sets both.
    """

    content: Content = "vgg54"
    adversarial_weight: float = 1e-3
    pixel_weight: float = 0.0
    pixel_loss: PixelLoss = "l1"
    discriminator_learning_rate: float | None = None
    discriminator: DiscriminatorOptions = field(default_factory=DiscriminatorOptions)
    vgg: str | None = None  # None: the official file, where one is needed
    vgg_path: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.content not in get_args(Content):
            raise UserError(
                f"the content must be one of {', '.join(get_args(Content))}, not {self.content!r}"
            )
        _check_pixel_loss(self.pixel_loss)
        for name in ("adversarial_weight", "pixel_weight"):
            value = getattr(self, name)
            if not _is_number(value) or value < 0:
                raise UserError(f"{name} must be a number of at least 0, not {value!r}")
        if not isinstance(self.discriminator, DiscriminatorOptions):
            raise UserError(
                "discriminator must be DiscriminatorOptions, such as "
                f"DiscriminatorOptions(num_features=(32, 32)), not {self.discriminator!r}"
            )
        rate = self.discriminator_learning_rate
        if rate is not None and (not _is_number(rate) or rate <= 0):
            raise UserError(f"discriminator_learning_rate must be a positive number, not {rate!r}")
        _settle_vgg(self)

    @property
    def features(self) -> tuple[Features, ...]:
        """What its content loss compares; () where that is pixels."""
        return () if self.content == "pixels" else (self.content,)

    @property
    def needs_vgg(self) -> bool:
        """Whether weights of VGG19 must be there to train for it."""
        return self.content not in ("pixels", "random")


Objective = PixelObjective | AdversarialObjective
ObjectiveT = TypeVar("ObjectiveT", bound=PixelObjective | AdversarialObjective)


def _settle_vgg(objective: Objective) -> None:
    """Name VGG19's weights where they are used, and only there: two objectives without them are equal."""
    needed = objective.needs_vgg
    object.__setattr__(objective, "vgg", (objective.vgg or OFFICIAL_VGG19) if needed else None)
    object.__setattr__(objective, "vgg_path", objective.vgg_path if needed else None)


def with_vgg(objective: ObjectiveT, path: Path) -> ObjectiveT:
    """The objective with VGG19's weights from `path`, named by what is in the file.

    Raises:
        UserError: there is no such file.
    """
    if not path.is_file():
        raise UserError(
            f"the file {path} with VGG19 weights does not exist; name a file such as vgg19-dcbb9e9d.pth"
        )
    sha256 = sha256_of(path)
    is_official = sha256.startswith(OFFICIAL_VGG19.rpartition("-")[2])
    return replace(objective, vgg=OFFICIAL_VGG19 if is_official else sha256, vgg_path=str(path))


def with_settings(objective: AdversarialObjective, settings: Mapping[str, str]) -> AdversarialObjective:
    """The objective with some of its options changed, given as texts.

    >>> with_settings(AdversarialObjective(), {"content": "vgg22", "pixel_weight": "1"}).pixel_weight
    1.0

    Raises:
        UserError: there is no such option, or the text is no number where one is expected.
    """
    numbers = ("adversarial_weight", "pixel_weight", "discriminator_learning_rate")
    words = ("content", "pixel_loss")
    changes: dict[str, Any] = {}
    prefix = "discriminator."
    of_discriminator = {
        name.removeprefix(prefix): text for name, text in settings.items() if name.startswith(prefix)
    }
    if of_discriminator:
        changes["discriminator"] = with_options(objective.discriminator, of_discriminator)
    for name, text in settings.items():
        if name.startswith(prefix):
            continue
        if name in words:
            changes[name] = text
        elif name in numbers:
            try:
                changes[name] = None if text == "none" and name not in numbers[:2] else float(text)
            except ValueError as error:
                raise UserError(f"{name} must be a number, not {text!r}") from error
        else:
            own = (f"{prefix}{field.name}" for field in fields(DiscriminatorOptions))
            known = ", ".join(sorted((*words, *numbers, *own)))
            raise UserError(f"an adversarial objective has no option {name!r}; it has {known}")
    return replace(objective, **changes)


def own_losses(objective: Objective) -> tuple[Loss, ...]:
    """The losses of a user's own that an objective has."""
    return objective.own if isinstance(objective, PixelObjective) else ()


def remarks_on(objective: Objective) -> tuple[str, ...]:
    """What a reader of results of the objective must know."""
    if "random" not in objective.features:
        return ()
    return (RANDOM_REMARK if isinstance(objective, AdversarialObjective) else RANDOM_LOSS_REMARK,)


def objective_to_dict(objective: Objective) -> dict[str, Any]:
    """The objective as JSON has it: what it is, not where its files lie.

    >>> objective_to_dict(PixelObjective(loss="mse"))
    {'loss': 'mse'}
    >>> objective_to_dict(PixelObjective(loss="l1+0.1*perceptual:vgg22"))
    {'loss': 'l1+0.1*perceptual:vgg22', 'vgg': 'vgg19-dcbb9e9d'}
    >>> objective_to_dict(AdversarialObjective(content="pixels"))["kind"]
    'adversarial'
    """
    if isinstance(objective, PixelObjective):
        code = {loss.name: loss.identity for loss in objective.own}
        return {
            "loss": str(objective.loss),
            **({"vgg": objective.vgg} if objective.needs_vgg else {}),
            **({"code": code} if code else {}),
        }
    values = asdict(objective)
    del values["vgg_path"], values["discriminator"]
    own = objective.discriminator != DiscriminatorOptions()  # the default is left out, as in older files
    return {
        "kind": "adversarial",
        **values,
        **({"discriminator": to_values(objective.discriminator)} if own else {}),
    }


def objective_from_dict(values: Mapping[str, Any]) -> Objective:
    """The reverse of `objective_to_dict`; where the weights lie is not in it.

    Raises:
        UserError: something is missing, unknown or of the wrong kind, or the code of a loss was not run.
    """
    kind: type[PixelObjective] | type[AdversarialObjective] = PixelObjective
    rest = dict(values)
    if "kind" in rest:
        if rest.pop("kind") != "adversarial":
            raise UserError(f"there is no objective {values['kind']!r}; srlab knows pixels and adversarial")
        kind = AdversarialObjective
    if kind is PixelObjective and "code" in rest:
        code = rest.pop("code")
        own = {name: find_own("Loss", name, str(identity)) for name, identity in code.items()}
        rest["loss"] = parse_loss(str(rest.get("loss")), own=own)
    known = {each.name for each in fields(kind)} - {"vgg_path"}
    needed = known - ({"vgg"} if kind is PixelObjective else {"discriminator"})
    if odd := sorted((set(rest) - known) | (needed - set(rest))):
        raise UserError(f"an objective has {', '.join(sorted(known))}; {odd[0]!r} is missing or unknown")
    if "discriminator" in rest:
        if not isinstance(rest["discriminator"], Mapping):
            raise UserError(f"the discriminator must be an object of options, not {rest['discriminator']!r}")
        rest["discriminator"] = from_values(DiscriminatorOptions, rest["discriminator"])
    return kind(**rest)


def _check_pixel_loss(loss: object) -> None:
    if loss not in get_args(PixelLoss):
        raise UserError(f"the loss must be one of {', '.join(get_args(PixelLoss))}, not {loss!r}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
