"""What a network is trained for: values only, and how they are written down.

Nothing here opens a file but `with_vgg`, which hashes one.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from srlab.errors import UserError

PixelLoss = Literal["l1", "mse", "charbonnier"]
Content = Literal["vgg54", "vgg22", "conv5_4", "pixels", "random"]

OFFICIAL_VGG19 = "vgg19-dcbb9e9d"  # torchvision's file; the end of its name begins its SHA-256
RANDOM_REMARK = "content loss on random features: a trial of the machinery, which says nothing about SRGAN"


@dataclass(frozen=True, kw_only=True)
class PixelObjective:
    """Distance between SR and HR pixels, both in [0, 1]."""

    loss: PixelLoss = "l1"

    def __post_init__(self) -> None:
        _check_pixel_loss(self.loss)


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

    `vgg` says which weights VGG19 has: torchvision's official file, or another's SHA-256, with the file's
    place in `vgg_path`, which is neither compared nor written down. `with_vgg` sets both.
    """

    content: Content = "vgg54"
    adversarial_weight: float = 1e-3
    pixel_weight: float = 0.0
    pixel_loss: PixelLoss = "l1"
    discriminator_learning_rate: float | None = None
    vgg: str | None = None  # None: the official file, where one is needed
    vgg_path: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.content not in get_args(Content):
            raise UserError(f"the content is one of {', '.join(get_args(Content))}, not {self.content!r}")
        _check_pixel_loss(self.pixel_loss)
        for name in ("adversarial_weight", "pixel_weight"):
            value = getattr(self, name)
            if not _is_number(value) or value < 0:
                raise UserError(f"{name} is a number of at least 0, not {value!r}")
        rate = self.discriminator_learning_rate
        if rate is not None and (not _is_number(rate) or rate <= 0):
            raise UserError(f"discriminator_learning_rate is a positive number, not {rate!r}")
        if self.needs_vgg:
            object.__setattr__(self, "vgg", self.vgg or OFFICIAL_VGG19)
        else:  # so that two that do not use it are equal
            object.__setattr__(self, "vgg", None)
            object.__setattr__(self, "vgg_path", None)

    @property
    def needs_vgg(self) -> bool:
        """Whether weights of VGG19 must be there to train for it."""
        return self.content not in ("pixels", "random")


Objective = PixelObjective | AdversarialObjective


def with_vgg(objective: AdversarialObjective, path: Path) -> AdversarialObjective:
    """The objective with VGG19's weights from `path`, named by what is in the file.

    Raises:
        UserError: there is no such file.
    """
    if not path.is_file():
        raise UserError(f"there are no VGG19 weights {path}; a file was expected, as vgg19-dcbb9e9d.pth")
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
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
    for name, text in settings.items():
        if name in words:
            changes[name] = text
        elif name in numbers:
            try:
                changes[name] = None if text == "none" and name not in numbers[:2] else float(text)
            except ValueError as error:
                raise UserError(f"{name} is a number, not {text!r}") from error
        else:
            known = ", ".join(sorted((*words, *numbers)))
            raise UserError(f"an adversarial objective has no option {name!r}; it has {known}")
    return replace(objective, **changes)


def remarks_on(objective: Objective) -> tuple[str, ...]:
    """What must be said wherever results of the objective are shown."""
    is_random = isinstance(objective, AdversarialObjective) and objective.content == "random"
    return (RANDOM_REMARK,) if is_random else ()


def objective_to_dict(objective: Objective) -> dict[str, Any]:
    """The objective as JSON has it: what it is, not where its files lie.

    >>> objective_to_dict(PixelObjective(loss="mse"))
    {'loss': 'mse'}
    >>> objective_to_dict(AdversarialObjective(content="pixels"))["kind"]
    'adversarial'
    """
    if isinstance(objective, PixelObjective):
        return asdict(objective)
    values = asdict(objective)
    del values["vgg_path"]
    return {"kind": "adversarial", **values}


def objective_from_dict(values: Mapping[str, Any]) -> Objective:
    """The reverse of `objective_to_dict`; where the weights lie is not in it.

    Raises:
        UserError: something is missing, unknown or of the wrong kind.
    """
    kind: type[PixelObjective] | type[AdversarialObjective] = PixelObjective
    rest = dict(values)
    if "kind" in rest:
        if rest.pop("kind") != "adversarial":
            raise UserError(f"there is no objective {values['kind']!r}; srlab knows pixels and adversarial")
        kind = AdversarialObjective
    known = {each.name for each in fields(kind)} - {"vgg_path"}
    if set(rest) != known:
        odd = sorted(set(rest) ^ known)
        raise UserError(f"an objective has {', '.join(sorted(known))}; {odd[0]!r} is missing or too many")
    return kind(**rest)


def _check_pixel_loss(loss: object) -> None:
    if loss not in get_args(PixelLoss):
        raise UserError(f"the loss is one of {', '.join(get_args(PixelLoss))}, not {loss!r}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
