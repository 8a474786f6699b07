"""What the bicubic kernel sees beyond the edge of a picture; it depends on the release of MATLAB."""

from typing import Literal

Border = Literal["replicate", "symmetric"]
