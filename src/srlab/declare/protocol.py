"""How networks are trained and how their pictures are scored: two protocols, as values.

The protocol of scoring goes with every number; it is one of the two of the published tables. Needs no torch,
so that stored scores can be read and compared anywhere.
"""

import difflib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType
from typing import Any, ClassVar, Literal, get_args, get_origin, get_type_hints

import msgspec

from srlab.declare.checks import as_number, as_numbers, shown
from srlab.declare.kinds import Count
from srlab.errors import UserError
from srlab.pixels.border import Border

Schedule = Literal["constant", "step", "cosine"]
Precision = Literal["auto", "fp32", "bf16"]
OptimizerName = Literal["adam", "adamw", "sgd"]


@dataclass(frozen=True, kw_only=True)
class TrainingProtocol:
    """What all runs of a study share.

    `schedule` is the learning rate over the run: ``constant``; ``step``, halved after each fraction of
    `num_steps` named in `halve_at`; or ``cosine``, from the full rate to zero at the last step. The first
    `warmup_steps` steps take a rate that grows evenly up to the schedule's.

    `optimizer` is ``adam`` or ``adamw``, with `adam_betas` and `adam_eps`, or ``sgd`` with `momentum`.
    `weight_decay` is added to the gradient (``adam``, ``sgd``) or taken from the weights (``adamw``).
    `gradient_clip_norm` bounds the norm of the whole gradient. `adjustable_clip` keeps each number of the
    gradient within plus and minus `adjustable_clip` / rate (VDSR: Kim et al., CVPR 2016, section 3.2).

    `ema` keeps an average of the weights beside them: after each step it is `ema` x average + (1 - `ema`) x
    weights. The averaged weights are then the run's, and those that are validated and scored.

    `precision` ``auto`` is bf16 autocast where the device computes in bf16 and no architecture of the study
    loses by it, and fp32 elsewhere. `jpeg_noise` compresses half of the LR patches as JPEG of quality 50 to
    95.

    Raises:
        UserError: a field is not what its type says, or out of its range.
    """

    precisions: ClassVar = get_args(Precision)

    num_steps: Count
    batch_size: Count = 16
    lr_patch_size: Count = 24
    schedule: Schedule = "constant"
    halve_at: tuple[float, ...] = ()
    adam_betas: tuple[float, float] = (0.9, 0.999)
    adam_eps: float = 1e-8
    gradient_clip_norm: float | None = None
    flips: bool = True
    quarter_turns: bool = True
    jpeg_noise: bool = False
    precision: Precision = "auto"
    validate_every: Count | None = None  # None: ten times in a run
    checkpoint_every: Count | None = None  # None: as often as it validates
    # Fields since version 0.2: `protocol_to_dict` leaves them out at these values.
    optimizer: OptimizerName = "adam"
    momentum: float = 0.0
    weight_decay: float = 0.0
    adjustable_clip: float | None = None
    warmup_steps: Count = 0
    validation_images: Count | None = None  # of each validation during training; None: five
    ema: float | None = None

    def __post_init__(self) -> None:
        for name in (
            "num_steps",
            "batch_size",
            "lr_patch_size",
            "validate_every",
            "checkpoint_every",
            "validation_images",
        ):
            value = getattr(self, name)
            if value is None and name.startswith(("validat", "checkpoint")):
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UserError(f"{name} must be a whole number of at least 1, not {shown(value)}")
        for name in ("flips", "quarter_turns", "jpeg_noise"):
            if not isinstance(getattr(self, name), bool):
                raise UserError(f"{name} must be True or False, not {shown(getattr(self, name))}")
        if (
            not isinstance(self.warmup_steps, int)
            or isinstance(self.warmup_steps, bool)
            or not 0 <= self.warmup_steps <= self.num_steps
        ):
            raise UserError(
                f"warmup_steps must be a whole number from 0 to the number of steps, {self.num_steps}; "
                f"got {shown(self.warmup_steps)}"
            )
        for name, known in (
            ("schedule", get_args(Schedule)),
            ("precision", self.precisions),
            ("optimizer", get_args(OptimizerName)),
        ):
            value = getattr(self, name)
            if not isinstance(value, str) or value not in known:
                raise UserError(f"the {name} must be one of {', '.join(known)}, not {shown(value)}")
        # Floats, whatever kind of number they were: they are written down.
        for name in ("halve_at", "adam_betas"):
            object.__setattr__(self, name, as_numbers(getattr(self, name), what=name))
        for name in ("adam_eps", "gradient_clip_norm", "momentum", "weight_decay", "adjustable_clip", "ema"):
            value = getattr(self, name)
            number = as_number(value)
            if number is None and not (value is None and ("clip" in name or name == "ema")):
                raise UserError(f"{name} must be a number, not {shown(value)}")
            object.__setattr__(self, name, number)
        if (self.schedule == "step") != bool(self.halve_at):
            raise UserError(
                "the step schedule needs halve_at, such as halve_at=0.5; no other schedule takes it"
            )
        if not all(0 < fraction < 1 for fraction in self.halve_at):
            raise UserError(f"halve_at takes fractions of the run between 0 and 1; got {self.halve_at}")
        for name in ("gradient_clip_norm", "adjustable_clip"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UserError(f"{name} must be positive, not {value!r}")
        if self.ema is not None and not 0 < self.ema < 1:
            raise UserError(f"ema must be above 0 and below 1, such as 0.999, not {self.ema!r}")
        if not 0 <= self.momentum < 1:
            raise UserError(f"momentum must be at least 0 and below 1, not {self.momentum!r}")
        if not self.weight_decay >= 0:
            raise UserError(f"weight_decay must be at least 0, not {self.weight_decay!r}")
        if (
            not self.adam_eps > 0
            or len(self.adam_betas) != 2
            or not all(0 <= beta < 1 for beta in self.adam_betas)
        ):
            raise UserError(
                "Adam needs adam_eps > 0 and two adam_betas of at least 0 and below 1; got "
                f"{self.adam_eps} and {self.adam_betas}"
            )
        self._check_optimizer()

    def _check_optimizer(self) -> None:
        for name, default in without_settings_of_others(self.optimizer).items():
            if getattr(self, name) != default:
                raise UserError(
                    f"the optimizer {self.optimizer} has no {name}: leave it out, or choose another optimizer"
                )

    @property
    def keeps_state(self) -> bool:
        """Whether the optimizer remembers anything from step to step."""
        return self.optimizer != "sgd" or self.momentum > 0

    @property
    def validation_interval(self) -> int:
        """Steps between two validations."""
        return validation_interval(self.num_steps, self.validate_every)

    @property
    def checkpoint_interval(self) -> int:
        """Steps between two checkpoints."""
        return self.checkpoint_every or self.validation_interval


@dataclass(frozen=True, kw_only=True)
class RunProtocol(TrainingProtocol):
    """That of one run, with the precision it came to: fp16 is what ``auto`` is on a GPU without bf16."""

    precisions: ClassVar = (*get_args(Precision), "fp16")

    precision: Literal[Precision, "fp16"] = "auto"  # type: ignore[assignment]


def validation_interval(num_steps: int, validate_every: int | None) -> int:
    """Steps between two validations: `validate_every`, or a tenth of the run."""
    return validate_every or max(1, math.ceil(num_steps / 10))


def without_settings_of_others(optimizer: OptimizerName) -> dict[str, Any]:
    """The fields that `optimizer` does not use, at their defaults."""
    unused = ("adam_betas", "adam_eps") if optimizer == "sgd" else ("momentum",)
    return {each.name: each.default for each in fields(TrainingProtocol) if each.name in unused}


def parse_settings(
    settings: Mapping[str, str], *, options: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Any]:
    """Fields of a `TrainingProtocol` whose values are given as texts.

    `options` are the fields that have an option of their own on the command line. The error for an unknown
    field does not list them.

    >>> parse_settings({"optimizer": "sgd", "momentum": "0.9", "halve_at": "0.5,0.8", "flips": "false"})
    {'optimizer': 'sgd', 'momentum': 0.9, 'halve_at': (0.5, 0.8), 'flips': False}

    Raises:
        UserError: there is no such field, or the text is not of its kind.
    """
    every = get_type_hints(TrainingProtocol)
    hints = {field.name: every[field.name] for field in fields(TrainingProtocol)}
    return {name: _read(name, text, hints, options) for name, text in settings.items()}


def _read(name: str, text: str, hints: Mapping[str, Any], options: Mapping[str, str]) -> Any:
    if name not in hints:
        near = difflib.get_close_matches(name, hints, n=1)
        hint = f"did you mean {options.get(near[0], near[0])}? Its" if near else "its"
        known = ", ".join(each for each in hints if each not in options)
        raise UserError(f"--protocol has no setting {name!r}; {hint} settings are {known}")
    kinds = [kind for kind in get_args(hints[name]) if kind is not type(None)]
    kind = kinds[0] if type(None) in get_args(hints[name]) else hints[name]
    if type(None) in get_args(hints[name]) and text.lower() == "none":
        return None
    words = {bool: "true or false", int: "a whole number", float: "a number"}
    try:
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        if kind in (int, float):
            return kind(text)
        if get_origin(kind) is tuple:
            return tuple(float(part) for part in text.split(",") if part.strip())
    except (ValueError, KeyError):
        expected = words.get(kind, "numbers between commas, such as 0.5,0.8")
        raise UserError(f"{name} must be {expected}, not {text!r}") from None
    return text  # a choice of words, which the protocol checks


_SINCE_0_2 = (
    "optimizer",
    "momentum",
    "weight_decay",
    "adjustable_clip",
    "warmup_steps",
    "validation_images",
    "ema",
)


def protocol_to_dict(protocol: TrainingProtocol) -> dict[str, Any]:
    """The protocol as JSON has it; `TrainingProtocol` takes it back.

    Fields that version 0.1 did not have are left out at their defaults, so that a study that was begun then
    still has the same declaration.

    >>> "optimizer" in protocol_to_dict(TrainingProtocol(num_steps=1))
    False
    >>> protocol_to_dict(TrainingProtocol(num_steps=1, optimizer="sgd", adam_betas=(0.9, 0.999)))["optimizer"]
    'sgd'
    """
    defaults = {each.name: each.default for each in fields(protocol)}
    values = asdict(protocol)
    return {
        name: value for name, value in values.items() if name not in _SINCE_0_2 or value != defaults[name]
    }


class EvaluationProtocol(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is compared with what, and how it was rounded. Scores of two protocols are never mixed.

    - ``rgb`` (EDSR, RDN and later): LR is MATLAB's bicubic of the uint8 RGB picture; SR is rounded and
      clipped to uint8 RGB; Y is computed from it as float, not rounded.
    - ``luma`` (SRCNN, VDSR and their time): Y of HR is rounded to uint8, made smaller as float without
      rounding; the network's Y is rounded to uint8.

    `border` is what the bicubic kernel sees beyond the edge of HR; it depends on the MATLAB release. As many
    pixels as the scale are left out along each edge before scoring.

    >>> print(EvaluationProtocol())  # doctest: +NORMALIZE_WHITESPACE
    rgb: SR rounded to uint8 RGB, LR by MATLAB's bicubic of uint8 RGB (replicate border), edges as wide as the
    scale left out
    """

    color: Literal["rgb", "luma"] = "rgb"
    border: Border = "replicate"

    def __post_init__(self) -> None:
        if self.color not in ("rgb", "luma"):
            raise UserError(f"the protocol must be rgb or luma, not {self.color!r}")
        if self.border not in ("replicate", "symmetric"):
            raise UserError(
                f"the border of the LR kernel must be replicate or symmetric, not {self.border!r}"
            )

    @property
    def id(self) -> str:
        """A short name that tells protocols apart in tables and file names: ``rgb-replicate``."""
        return f"{self.color}-{self.border}"

    def __str__(self) -> str:
        if self.color == "rgb":
            rounding, lr = "SR rounded to uint8 RGB", "uint8 RGB"
        else:
            rounding, lr = "SR rounded to uint8 Y", "uint8 Y, kept as float"
        lr += f" ({self.border} border)"
        return (
            f"{self.color}: {rounding}, LR by MATLAB's bicubic of {lr}, edges as wide as the scale left out"
        )
