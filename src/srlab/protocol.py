"""How pictures are scored: the two protocols of the published tables, as a value that goes with every number.

Needs no torch, so that stored scores can be read and compared anywhere.
"""

from dataclasses import dataclass
from typing import Literal

from srlab.errors import UserError

Border = Literal["replicate", "symmetric"]


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
