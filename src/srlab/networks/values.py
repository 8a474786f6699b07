"""What network options are made of. Each value is hashable, and is written and read as one short text."""

import math
from dataclasses import dataclass
from typing import Literal, Self, get_args

from srlab.errors import UserError

Color = Literal["rgb", "luma"]
Interpolation = Literal["bilinear", "bicubic"]
Enlargement = Literal["bicubic", "bilinear", "sub_pixel"]
Padding = Literal["same", "valid"]
Initialization = Literal["pytorch", "glorot_uniform", "kaiming_normal", "gaussian"]
ActivationKind = Literal["relu", "leaky_relu", "prelu"]

SEED_SLOPES = {"relu": 0.0, "leaky_relu": 0.3, "prelu": 0.0}


@dataclass(frozen=True)
class Activation:
    """What follows a convolution: x for x > 0, slope * x below.

    `slope` is 0 for ``relu``, fixed for ``leaky_relu`` and where learning starts for ``prelu``; left out,
    it is Keras's (0.3 and 0). A ``prelu`` learns one slope a channel, or one for the whole layer when
    `shared`.

    >>> print(Activation("leaky_relu", 0.2), Activation("prelu", 0.25, shared=True))
    leaky_relu:0.2 prelu:0.25:shared
    >>> Activation.parse("leaky_relu") == Activation("leaky_relu", 0.3)
    True
    """

    kind: ActivationKind = "relu"
    slope: float | None = None
    shared: bool = False

    def __post_init__(self) -> None:
        if self.kind not in get_args(ActivationKind):
            raise UserError(
                f"an activation must be one of {', '.join(get_args(ActivationKind))}, not {self.kind!r}"
            )
        if self.slope is None:
            object.__setattr__(self, "slope", SEED_SLOPES[self.kind])
        if (
            isinstance(self.slope, bool)
            or not isinstance(self.slope, int | float)
            or not math.isfinite(self.slope)
        ):
            raise UserError(f"the slope of an activation must be a number, not {self.slope!r}")
        object.__setattr__(self, "slope", float(self.slope))
        if self.kind == "relu" and self.slope != 0:
            raise UserError(f"relu has no slope; for a slope of {self.slope:g} use leaky_relu or prelu")
        if self.kind == "leaky_relu" and not 0 < self.slope < 1:
            raise UserError(
                f"the slope of leaky_relu must lie between 0 (which is relu) and 1; got {self.slope:g}"
            )
        if self.shared and self.kind != "prelu":
            raise UserError(f"{self.kind} has no learned slope, so it cannot be shared; only prelu has one")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The reverse of `str`: ``KIND[:SLOPE[:shared]]``."""
        kind, *rest = text.split(":")
        try:
            slope = float(rest[0]) if rest else None
            if kind not in get_args(ActivationKind) or rest[1:] not in ([], ["shared"]):
                raise ValueError
        except ValueError:
            raise UserError(
                f"{text!r} is not an activation; write relu, leaky_relu:0.3, prelu:0.25 or prelu:0.25:shared"
            ) from None
        return cls(kind, slope, shared=rest[1:] == ["shared"])  # type: ignore[arg-type]

    def __str__(self) -> str:
        if self.kind == "relu":
            return "relu"
        return f"{self.kind}:{self.slope!r}" + (":shared" if self.shared else "")


@dataclass(frozen=True, kw_only=True)
class BatchNorm:
    """Batch normalization: `momentum` is the weight of the new batch in the running statistics (1 - Keras's).

    >>> print(BatchNorm(eps=1e-3, momentum=0.2))
    eps=0.001,momentum=0.2
    """

    eps: float = 1e-5
    momentum: float = 0.1

    def __post_init__(self) -> None:
        for name, value in (("eps", self.eps), ("momentum", self.momentum)):
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
                raise UserError(f"{name} of batch normalization must be above 0 and at most 1; got {value!r}")
            object.__setattr__(self, name, float(value))

    @classmethod
    def parse(cls, text: str) -> Self:
        """The reverse of `str`: ``eps=E,momentum=M``."""
        try:
            values = dict(part.split("=") for part in text.split(","))
            if set(values) != {"eps", "momentum"}:
                raise ValueError
            return cls(eps=float(values["eps"]), momentum=float(values["momentum"]))
        except UserError:
            raise
        except ValueError:
            raise UserError(
                f"{text!r} is not a batch normalization; write eps=0.001,momentum=0.1 or none"
            ) from None

    def __str__(self) -> str:
        return f"eps={self.eps!r},momentum={self.momentum!r}"


RELU = Activation()
KERAS_LEAKY_RELU = Activation("leaky_relu", 0.3)
KERAS_PRELU = Activation("prelu", 0.0)
KERAS_BATCH_NORM = BatchNorm(eps=1e-3, momentum=0.01)
