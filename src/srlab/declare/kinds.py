"""Kinds of values that a file has, with their bounds: msgspec refuses what is not of them."""

from typing import Annotated

from msgspec import Meta

_LARGEST = 1e150  # its square is a number too

Text = Annotated[str, Meta(pattern=r"\A[^\0]*\Z")]  # NUL is in the name of no file
Number = Annotated[float, Meta(gt=-_LARGEST, lt=_LARGEST)]
Amount = Annotated[float, Meta(ge=0, lt=_LARGEST)]
Positive = Annotated[float, Meta(gt=0, lt=_LARGEST)]
Whole = Annotated[int, Meta(ge=1, le=10**15)]
Count = Annotated[int, Meta(ge=0, le=10**15)]


def is_number(value: object) -> bool:
    """Whether it is a finite number with room to compute with it, as `Number` is."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST
