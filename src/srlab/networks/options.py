"""Options of any architecture: checked, changed from text, and as JSON.

They are frozen dataclasses. A field is a bool, int, float, str, a choice of words (`Literal`), a tuple of
ints, an `Activation`, a `BatchNorm`, or one of these or None.
"""

import dataclasses
import difflib
import math
import re
import types
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, Literal, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

from srlab.errors import UserError
from srlab.networks.values import Activation, BatchNorm


class Options(Protocol):
    """A frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


OptionsT = TypeVar("OptionsT", bound=Options)

MOST = 10_000  # of blocks, layers or features: beyond what any network has, and what a machine can list
MOST_TIMES = 1000  # in a text such as 64x9

WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    Activation: "an activation such as relu, leaky_relu:0.3, prelu or prelu:0.25:shared",
    BatchNorm: "a batch normalization such as eps=0.001,momentum=0.1",
}


def check_options(options: Options, **at_least: int) -> None:
    """Raise `UserError` if a field is not what its type says, or a number not from its bound to `MOST`."""
    hints = _hints(type(options))
    for name, hint in hints.items():
        value = getattr(options, name)
        if not _accepts(hint, value):
            raise UserError(f"{_title(type(options))}: {name} must be {_describe(hint)}, not {value!r}")
    for name, bound in at_least.items():
        value = getattr(options, name)
        values = value if isinstance(value, tuple) else () if value is None else (value,)
        if any(number < bound for number in values):
            raise UserError(f"{_title(type(options))}: {name} must be at least {bound}, not {_write(value)}")
        if any(number > MOST for number in values):
            raise UserError(f"{_title(type(options))}: {name} must be at most {MOST}, not {_write(value)}")


def check_declared(options_type: type, *, where: str) -> None:
    """Raise `UserError` unless the type is a frozen dataclass whose fields are as described above."""
    if not isinstance(options_type, type) or not dataclasses.is_dataclass(options_type):
        raise UserError(f"{where}: its options must be a dataclass, not {options_type!r}")
    settings = getattr(options_type, "__dataclass_params__")  # noqa: B009 - it has no type
    if not settings.frozen or not settings.eq:
        raise UserError(f"{where}: write @dataclass(frozen=True) above {options_type.__name__}")
    try:
        hints = _hints(options_type)
    except Exception as error:
        raise UserError(f"{where}: the types of {options_type.__name__} cannot be read: {error}") from error
    for field in dataclasses.fields(options_type):
        if not field.init or not field.compare:
            raise UserError(
                f"{where}: the option {field.name} could not be told from others; leave out init=False "
                "and compare=False"
            )
    for name, hint in hints.items():
        if name in _RESERVED:
            raise UserError(
                f"{where}: an option cannot be called {name!r}; srlab stores something else there"
            )
        wanted = [member for member in _members(hint) if member is not type(None)]
        if len(wanted) != 1 or not _is_known(wanted[0]):
            raise UserError(
                f"{where}: the option {name} has a type that cannot be stored; use bool, int, float, str, "
                "Literal[...] of words, tuple[int, ...], or one of these or None"
            )


_RESERVED = ("architecture", "code")


def _is_known(hint: Any) -> bool:
    if get_origin(hint) is tuple:
        return get_args(hint) == (int, ...)
    if get_origin(hint) is Literal:
        return all(isinstance(word, str) for word in get_args(hint))
    return isinstance(hint, type) and hint in WORDS


def with_options(options: OptionsT, changes: Mapping[str, Any]) -> OptionsT:
    """`options` with some fields changed.

    A text is read as its field's type: ``64,32`` or ``64x9``, ``none``, ``true``, ``prelu:0.25``.
    Raises `UserError` for a field that the options do not have and for a value that does not fit.
    """
    hints = _hints(type(options))
    values = {}
    for name, value in changes.items():
        _check_name(type(options), name)
        values[name] = _parse(type(options), name, value) if isinstance(value, str) else value
    assert set(values) <= set(hints)
    return dataclasses.replace(options, **values)


def changed_name(name: str, changes: Mapping[str, str]) -> str:
    """What a variant is called once options of it were changed.

    >>> changed_name("edsr/baseline", {"num_blocks": "8", "activation": "prelu:0.25"})
    'edsr/baseline+num_blocks-8+activation-prelu-0.25'
    """
    words = [re.sub(r"[^A-Za-z0-9_.]+", "-", f"{key}-{value}") for key, value in changes.items()]
    return "+".join([name, *words])


LATER = {"later": True}  # of a field: files from before it have none, and it is left out at its default


def to_values(options: Options) -> dict[str, Any]:
    """The fields as JSON's types."""
    later = _later(type(options))
    values = {name: getattr(options, name) for name in _hints(type(options))}
    return {
        name: _to_json(value) for name, value in values.items() if name not in later or value != later[name]
    }


def _later(options_type: type) -> dict[str, Any]:
    """The defaults of the fields that came later."""
    return {
        field.name: field.default for field in dataclasses.fields(options_type) if "later" in field.metadata
    }


def from_values(options_type: type[OptionsT], values: Mapping[str, Any]) -> OptionsT:
    """The reverse of `to_values`; every field must be there but those that came later, and none beside."""
    hints = _hints(options_type)
    for name in values:
        _check_name(options_type, name)
    if missing := [name for name in hints if name not in values and name not in _later(options_type)]:
        raise UserError(f"{_title(options_type)}: the options have no {', '.join(missing)}")
    return options_type(
        **{name: _from_json(hint, values[name]) for name, hint in hints.items() if name in values}
    )


def differences(options: OptionsT, other: OptionsT) -> dict[str, str]:
    """The fields of `options` that differ from those of `other`, as text."""
    return {
        name: _write(getattr(options, name))
        for name in _hints(type(options))
        if getattr(options, name) != getattr(other, name)
    }


@cache
def _hints(options_type: type) -> dict[str, Any]:
    return get_type_hints(options_type)


def _title(options_type: type) -> str:
    return options_type.__name__.removesuffix("Options")


def _check_name(options_type: type, name: str) -> None:
    known = list(_hints(options_type))
    if name in known:
        return
    if not known:
        raise UserError(f"{_title(options_type)} has no options, so {name!r} cannot be set")
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}? It has " if near else ""
    raise UserError(f"{_title(options_type)} has no option {name!r}; {hint or 'it has '}{', '.join(known)}")


def _members(hint: Any) -> tuple[Any, ...]:
    """The alternatives of a union; of anything else, itself."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _accepts(hint: Any, value: Any) -> bool:
    return any(_accepts_one(member, value) for member in _members(hint))


def _accepts_one(hint: Any, value: Any) -> bool:
    if get_origin(hint) is Literal:
        return isinstance(value, str) and value in get_args(hint)
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(_accepts_one(int, item) for item in value)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return isinstance(value, hint)


def _describe(hint: Any) -> str:
    if len(members := _members(hint)) > 1:
        return " or ".join("none" if member is type(None) else _describe(member) for member in members)
    if get_origin(hint) is Literal:
        return f"one of {', '.join(get_args(hint))}"
    if get_origin(hint) is tuple:
        return "whole numbers such as 64,32 or 64x9"
    return WORDS[hint]


def _parse(options_type: type, name: str, text: str) -> Any:
    hint = _hints(options_type)[name]
    if type(None) in _members(hint) and text.lower() == "none":
        return None
    (wanted, *_) = (member for member in _members(hint) if member is not type(None))
    if wanted in (Activation, BatchNorm):
        return wanted.parse(text)
    try:
        value = _read(wanted, text)
    except UserError as error:
        raise UserError(f"{_title(options_type)}: {name} must be {_describe(hint)}; {error}") from None
    except ValueError:
        value = None
    if value is None or not _accepts(wanted, value):
        raise UserError(f"{_title(options_type)}: {name} must be {_describe(hint)}, not {text!r}")
    return value


def _read(hint: Any, text: str) -> Any:
    if get_origin(hint) is Literal:
        return text
    if get_origin(hint) is tuple:
        return tuple(width for part in text.split(",") for width in _read_widths(part))
    if hint is bool:
        return {"true": True, "false": False}.get(text.lower())
    return hint(text)


def _read_widths(text: str) -> tuple[int, ...]:
    width, times, count = text.partition("x")
    if times and not 1 <= int(count) <= MOST_TIMES:
        raise UserError(
            f"{text} repeats a number {int(count):,} times; 1 to {MOST_TIMES:,} times are possible"
        )
    return (int(width),) * (int(count) if times else 1)


def _write(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(str(item) for item in value)
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return str(value)


def _to_json(value: Any) -> Any:
    if isinstance(value, Activation | BatchNorm):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def _from_json(hint: Any, value: Any) -> Any:
    (wanted, *_) = (member for member in _members(hint) if member is not type(None))
    if wanted in (Activation, BatchNorm) and isinstance(value, str):
        return wanted.parse(value)
    return tuple(value) if isinstance(value, list) else value
