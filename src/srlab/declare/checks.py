"""What a value of a declaration may be: of a type, a number, a tuple, a name or path."""

import math
import os
from collections.abc import Iterable, Mapping
from numbers import Real
from types import UnionType
from typing import Any

from srlab.errors import UserError


def check_type(value: Any, types: type | UnionType | tuple[type, ...], *, what: str, expected: str) -> None:
    """Raise `UserError` if `value` has none of the `types`."""
    if not isinstance(value, types):
        raise UserError(f"{what} must be {expected}, not {shown(value)}")


def as_name(value: Any) -> Any:
    """A path as its text; anything else unchanged."""
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def as_tuple(values: Any, *, what: str, of: str) -> tuple[Any, ...]:
    """`values` as a tuple: lists, ranges and arrays are taken too; of one value, or none, a `UserError`."""
    if isinstance(values, Iterable) and not isinstance(values, str | bytes | Mapping):
        return tuple(values)
    if values is None or isinstance(values, Mapping):
        raise UserError(f"{what} must be a tuple of {of}, not {shown(values)}; an empty one is ()")
    raise UserError(f"{what} must be a tuple of {of}; for one value write ({shown(values)},), with the comma")


def as_names(values: Any, *, what: str) -> tuple[str, ...]:
    """A tuple of names; a path becomes its text."""
    names = tuple(map(as_name, as_tuple(values, what=what, of="names")))
    for name in names:
        if not isinstance(name, str) or not name or "\0" in name:
            raise UserError(f"{what} must be a tuple of names or paths, and {shown(name)} is neither")
        if names.count(name) > 1:
            raise UserError(f"{what} names {name!r} twice")
    return names


def as_number(value: Any) -> float | None:
    """A finite number, NumPy's too, as float; None for anything else, true and false among them."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def as_numbers(values: Any, *, what: str) -> tuple[float, ...]:
    """A tuple of finite numbers, as floats."""
    numbers = []
    for value in as_tuple(values, what=what, of="numbers"):
        number = as_number(value)
        if number is None:
            raise UserError(f"{what} must be a tuple of numbers, and {shown(value)} is not a number")
        numbers.append(number)
    return tuple(numbers)


def shown(value: Any) -> str:
    """A value as a message shows it: as Python writes it, and short."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
