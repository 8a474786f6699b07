"""The JSON files of a study's folder, read and written as `srlab.folder.schema` declares them.

A file that something else changed is refused with its name, the place in it, what was expected there, and
what to do. Needs no torch.
"""

import copy
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from srlab.errors import UserError
from srlab.files import write_text
from srlab.folder.schema import Stored, as_json

_COPY = "put a copy of the file back"
_TRAIN = f"{_COPY}, or remove the run's folder and run the same `srlab study` again"
_SCORE = f"{_COPY}, or remove it and run the same `srlab study` again, which scores again"
_REMEDIES: Mapping[str, str] = {
    "run.json": _TRAIN,
    "result.json": _TRAIN,
    "choice.json": f"{_COPY}, or remove it and run the same `srlab study` again, which chooses again",
    "scores.json": _SCORE,
    "perceptual.json": f"{_COPY}, or remove it and run `srlab perceptual` again",
    "profile.json": f"{_COPY}, or remove it and run `srlab profile` again",
    "metrics.jsonl": f"{_COPY}, or remove that line, which is used only for curves and times",
    "study.json": _COPY,
    "looks.json": _COPY,
}
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
}
_SIGNS = {">= ": "of at least ", "<= ": "of at most ", "> ": "above ", "< ": "below "}
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")

T = TypeVar("T")
StoredT = TypeVar("StoredT", bound=Stored)
Step = str | int


class _Header(msgspec.Struct):
    format: Any = None
    version: Any = None


def read(path: Path, kind: type[StoredT]) -> StoredT:
    """The file at `path`; a `UserError` if it is not of its kind."""
    content = path.read_bytes()
    try:
        if "format" in kind.__struct_fields__:
            _check_header(path, explained(msgspec.json.Decoder(_Header), content), kind)
        return explained(msgspec.json.Decoder(kind), content)
    except MisshapenError as error:
        raise changed_by_something_else(path, error) from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, UserError):
            raise
        raise _not_json(path, error) from error


class MisshapenError(ValueError):
    """What is in a place is not what belongs there."""


def explained(decoder: "msgspec.json.Decoder[T]", content: bytes) -> T:
    """What the JSON `content` is to the decoder; a `MisshapenError` or another `ValueError` in words."""
    try:
        return decoder.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MisshapenError(_explain(error, _parse(content), decoder.type)) from error


def _check_header(path: Path, found: _Header, kind: type[Stored]) -> None:
    ours = {field.name: field.default for field in msgspec.structs.fields(kind)}
    if found.format != ours["format"]:
        raise changed_by_something_else(path, f"its format is not {ours['format']!r}")
    if found.version != ours["version"]:
        raise UserError(f"{path} has version {found.version!r}; this srlab reads version {ours['version']}")


def load_json(path: Path) -> Any:
    """The JSON in `path`, of which nothing more is known; a `UserError` if it is none."""
    try:
        return _parse(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise _not_json(path, error) from error


def _parse(content: bytes) -> Any:
    return json.loads(content.decode(), parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _not_json(path: Path, error: Exception) -> UserError:
    return UserError(f"{path} is not valid JSON ({error}), so another program changed it: {remedy(path)}")


def save(path: Path, value: Stored) -> None:
    """Write a file whole, as `read` reads it."""
    save_json(path, as_json(value))


def save_json(path: Path, values: Any) -> None:
    """Numbers as Python has them; NaN is refused, since a reader could not tell it from missing."""
    write_text(path, json.dumps(values, indent=2, allow_nan=False) + "\n")


def remedy(path: Path) -> str:
    """What to do about a file of that name that is not as srlab writes it."""
    return _REMEDIES.get(path.name, f"{_COPY}, or remove it")


def changed_by_something_else(path: Path, wrong: object) -> UserError:
    """That the file at `path` is not as srlab writes it: what is `wrong` with it, and what to do."""
    return UserError(
        f"{path} was not written by srlab, or another program changed it: {wrong}; {remedy(path)}"
    )


# What is wrong, in words


def _explain(error: Exception, values: Any, kind: Any) -> str:
    """What `error`, msgspec's, says of the JSON `values`: the place, what is there, and what is expected."""
    what, _, place = str(error).partition(" - at `$")
    place = place.removesuffix("`")
    steps = _named(values, [int(n) if n.isdigit() else word or n for word, n in _STEP.findall(place)], kind)
    where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")
    known = re.search("`(.*)`", what)
    if what.startswith("Object missing required"):
        expected = f"an object with {known[1]!r}" if known else what
    elif what.startswith("Object contains unknown"):
        expected = f"an object without {known[1]!r}" if known else what
    elif what.startswith("Invalid enum value"):
        expected = " or ".join(map(str, _words(msgspec.inspect.type_info(kind), steps)))
    elif what.startswith("Number out of range"):
        expected = "a number that can be computed with"
    elif "matching regex" in what:
        expected = "text without the character NUL"
    elif what.startswith("Expected "):
        expected = re.sub("`(.*?)`", _in_words, what.removeprefix("Expected ").partition(", got")[0])
        for sign, words in _SIGNS.items():
            expected = expected.replace(sign, words)
    else:
        return f"{where}: {what}" if where else what
    return f"{where or 'the whole'} is {_shown(_at(values, steps))}, not {expected}"


def _in_words(found: re.Match[str]) -> str:
    kinds = found[1].split(" | ")
    return " or ".join(_KINDS.get(kind, kind) for kind in kinds if kind != "int" or "float" not in kinds)


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _at(values: Any, steps: Sequence[Step]) -> Any:
    for step in steps:
        values = values[step]
    return values


def _named(values: Any, steps: list[Step], kind: Any) -> list[Step]:
    """The steps to what is wrong; msgspec does not say under which key of an object with any keys it is."""
    for place, step in enumerate(steps):
        if step == "...":
            for key in _at(values, steps[:place]):
                trial = copy.deepcopy(values)
                there = _at(trial, steps[:place])
                for other in there.keys() - {key}:
                    del there[other]
                try:
                    msgspec.convert(trial, kind)
                except msgspec.ValidationError:
                    steps = [*steps[:place], key, *steps[place + 1 :]]
                    break
    return steps


def _words(info: Any, steps: Sequence[Step]) -> Sequence[Any]:
    """The words, or numbers, that may stand in a place of a type."""
    options = info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)
    if not steps:
        numbers = ["a number"] if any(isinstance(one, msgspec.inspect.FloatType) for one in options) else []
        return numbers + [word for option in options for word in getattr(option, "values", ())]
    found: list[Any] = []
    for option in options:
        inner = [each.type for each in getattr(option, "fields", ()) if each.encode_name == steps[0]]
        inner += [getattr(option, name) for name in ("item_type", "value_type") if hasattr(option, name)]
        found += [word for each in inner for word in _words(each, steps[1:])]
    return found
