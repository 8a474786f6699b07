"""How networks are trained and how their pictures are scored: two protocols, as values.

The protocol of scoring goes with every number; it is one of the two of the published tables. Needs no torch,
so that stored scores can be read and compared anywhere.
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from srlab.checks import as_number, as_numbers, shown
from srlab.errors import UserError

Border = Literal["replicate", "symmetric"]
Schedule = Literal["constant", "step", "cosine"]
Precision = Literal["auto", "fp32", "bf16"]


@dataclass(frozen=True, kw_only=True)
class TrainingProtocol:
    """What all runs of a study share.

    `schedule` is the learning rate over the run: ``constant``; ``step``, halved after each fraction of
    `num_steps` named in `halve_at`; or ``cosine``, from the full rate to zero at the last step.
    `gradient_clip_norm` bounds the norm of the whole gradient. `precision` ``auto`` is bf16 autocast where
    the device computes in bf16 and the architecture loses nothing by it, and fp32 elsewhere. `jpeg_noise`
    compresses half of the LR patches as JPEG of quality 50 to 95.

    Raises:
        UserError: a field is not what its type says, or out of its range.
    """

    num_steps: int
    batch_size: int = 16
    lr_patch_size: int = 24
    schedule: Schedule = "constant"
    halve_at: tuple[float, ...] = ()
    adam_betas: tuple[float, float] = (0.9, 0.999)
    adam_eps: float = 1e-8
    gradient_clip_norm: float | None = None
    flips: bool = True
    quarter_turns: bool = True
    jpeg_noise: bool = False
    precision: Precision = "auto"
    validate_every: int | None = None  # None: ten times in a run
    checkpoint_every: int | None = None  # None: as often as it validates

    def __post_init__(self) -> None:
        for name in ("num_steps", "batch_size", "lr_patch_size", "validate_every", "checkpoint_every"):
            value = getattr(self, name)
            if value is None and name.endswith("_every"):
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UserError(f"{name} must be a whole number of at least 1, not {shown(value)}")
        for name in ("flips", "quarter_turns", "jpeg_noise"):
            if not isinstance(getattr(self, name), bool):
                raise UserError(f"{name} is True or False, not {shown(getattr(self, name))}")
        for name, known in (("schedule", get_args(Schedule)), ("precision", get_args(Precision))):
            value = getattr(self, name)
            if not isinstance(value, str) or value not in known:
                raise UserError(f"the {name} is one of {', '.join(known)}, not {shown(value)}")
        # Floats, whatever kind of number they were: they are written down.
        for name in ("halve_at", "adam_betas"):
            object.__setattr__(self, name, as_numbers(getattr(self, name), what=name))
        for name in ("adam_eps", "gradient_clip_norm"):
            value = getattr(self, name)
            number = as_number(value)
            if number is None and not (value is None and name == "gradient_clip_norm"):
                raise UserError(f"{name} is a number, not {shown(value)}")
            object.__setattr__(self, name, number)
        if (self.schedule == "step") != bool(self.halve_at):
            raise UserError("the step schedule needs halve_at, and only it; for example halve_at=(0.5,)")
        if not all(0 < fraction < 1 for fraction in self.halve_at):
            raise UserError(f"halve_at holds fractions of the run, between 0 and 1; got {self.halve_at}")
        if self.gradient_clip_norm is not None and not self.gradient_clip_norm > 0:
            raise UserError(f"gradient_clip_norm must be positive, not {self.gradient_clip_norm!r}")
        if (
            not self.adam_eps > 0
            or len(self.adam_betas) != 2
            or not all(0 <= beta < 1 for beta in self.adam_betas)
        ):
            raise UserError(
                f"Adam wants eps > 0 and two betas in [0, 1); got {self.adam_eps} and {self.adam_betas}"
            )

    @property
    def validation_interval(self) -> int:
        """Steps between two validations."""
        return self.validate_every or max(1, math.ceil(self.num_steps / 10))

    @property
    def checkpoint_interval(self) -> int:
        """Steps between two checkpoints."""
        return self.checkpoint_every or self.validation_interval


@dataclass(frozen=True, kw_only=True)
class EvaluationProtocol:
    """What is compared with what, and how it was rounded. Scores of two protocols are never mixed.

    - ``rgb`` (EDSR, RDN and later): LR is MATLAB's bicubic of the uint8 RGB picture; SR is rounded and
      clipped to uint8 RGB; Y is computed from it as float, not rounded.
    - ``luma`` (SRCNN, VDSR and their time): Y of HR is rounded to uint8, made smaller as float without
      rounding; the network's Y is rounded to uint8.

    `border` is what the bicubic kernel sees beyond the edge of HR; it depends on the MATLAB release. As many
    pixels as the scale are left out along each edge before scoring.

    >>> print(EvaluationProtocol())
    rgb: SR rounded to uint8 RGB, LR by MATLAB's bicubic of uint8 RGB (replicate border), scale pixels shaved
    """

    color: Literal["rgb", "luma"] = "rgb"
    border: Border = "replicate"

    def __post_init__(self) -> None:
        if self.color not in ("rgb", "luma"):
            raise UserError(f"the protocol is rgb or luma, not {self.color!r}")
        if self.border not in ("replicate", "symmetric"):
            raise UserError(f"the border of the LR kernel is replicate or symmetric, not {self.border!r}")

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
        return f"{self.color}: {rounding}, LR by MATLAB's bicubic of {lr}, scale pixels shaved"
