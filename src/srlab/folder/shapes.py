"""What is in the JSON files of a study's folder, so that one that something else changed is told at once.

A shape is called with a value and its place in the file (``runs[0].seed``) and raises a `MisshapenError`
where the value is not what srlab writes there. Keys that a shape does not name are allowed, so that a file
stays readable when a later srlab writes more. Needs no torch.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

Shape = Callable[[Any, str], None]


class MisshapenError(ValueError):
    """A value is not what belongs in its place."""

    def __init__(self, value: Any, place: str, expected: str) -> None:
        shown = json.dumps(value, default=str)
        shown = shown if len(shown) <= 40 else shown[:37] + "..."
        super().__init__(f"{place or 'the whole'} is {shown}, not {expected}")


def anything(value: Any, place: str) -> None:
    """Any JSON value."""


def text(value: Any, place: str) -> None:
    """A string without the character NUL, which no file's name has."""
    if not isinstance(value, str) or "\0" in value:
        raise MisshapenError(value, place, "text")


def option(value: Any, place: str) -> None:
    """What an option may be: null, true, false, a number, printable text, or a list or object of those."""
    if isinstance(value, list | dict):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            option(one, f"{place}.{key}")
    elif isinstance(value, str):
        if not value.isprintable():
            raise MisshapenError(value, place, "printable text")
    elif value is not None and not isinstance(value, bool):
        number(value, place)


def flag(value: Any, place: str) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise MisshapenError(value, place, "true or false")


def number(value: Any, place: str) -> None:
    """A finite number that a float can hold, with room to compute with it."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _LARGEST:
        raise MisshapenError(value, place, "a number")


def amount(value: Any, place: str) -> None:
    """A number of at least 0."""
    number(value, place)
    if value < 0:
        raise MisshapenError(value, place, "a number of at least 0")


def positive(value: Any, place: str) -> None:
    """A number above 0."""
    number(value, place)
    if value <= 0:
        raise MisshapenError(value, place, "a number above 0")


def count(value: Any, place: str) -> None:
    """A whole number of at least 0."""
    amount(value, place)
    if not isinstance(value, int) or value > _MOST:
        raise MisshapenError(value, place, "a whole number that srlab could have counted")


def decibels(value: Any, place: str) -> None:
    """A PSNR: a number, or "inf" for that of equal pictures."""
    if value != "inf":
        number(value, place)


def one_of(*known: Any) -> Shape:
    """One of these strings or whole numbers."""

    def check(value: Any, place: str) -> None:
        if not any(type(value) is type(one) and value == one for one in known):
            raise MisshapenError(value, place, " or ".join(map(str, known)))

    return check


def maybe(shape: Shape) -> Shape:
    """Null, or that."""

    def check(value: Any, place: str) -> None:
        if value is not None:
            shape(value, place)

    return check


def listed(shape: Shape, *, least: int = 0, most: int | None = None) -> Shape:
    """A list of those, `least` at least and `most` at most."""

    def check(value: Any, place: str) -> None:
        if not isinstance(value, list) or len(value) < least or len(value) > (most or len(value)):
            raise MisshapenError(value, place, f"a list of {least} or more" if least else "a list")
        for index, one in enumerate(value):
            shape(one, f"{place}[{index}]")

    return check


def keyed(shape: Shape) -> Shape:
    """An object with any keys, each of whose values is one of those."""

    def check(value: Any, place: str) -> None:
        if not isinstance(value, dict):
            raise MisshapenError(value, place, "an object")
        for key, one in value.items():
            shape(one, f"{place}.{key}" if place else key)

    return check


def record(needed: Mapping[str, Shape], others: Mapping[str, Shape] | None = None) -> Shape:
    """An object with the keys `needed`, and perhaps `others`."""

    def check(value: Any, place: str) -> None:
        keyed(anything)(value, place)
        if missing := [key for key in needed if key not in value]:
            raise MisshapenError(value, place, f"an object with {missing[0]!r}")
        for key, shape in {**needed, **(others or {})}.items():
            if key in value:
                shape(value[key], f"{place}.{key}" if place else key)

    return check


def keys_among(*known: str) -> Shape:
    """An object with no key but these."""

    def check(value: Any, place: str) -> None:
        if unknown := sorted(set(value) - set(known)):
            raise MisshapenError(value, place, f"an object without {unknown[0]!r}")

    return check


def both(one: Shape, other: Shape) -> Shape:
    """What is of both shapes."""

    def check(value: Any, place: str) -> None:
        one(value, place)
        other(value, place)

    return check


_LARGEST = 1e150  # its square is a number too
_MOST = 10**15
_OBJECT = keyed(option)
_PROTOCOL = {"color": one_of("rgb", "luma"), "border": one_of("replicate", "symmetric")}
_EVALUATION = both(record({}, _PROTOCOL), keys_among(*_PROTOCOL))
_TRAINING = record(
    {},
    dict.fromkeys(("num_steps", "batch_size", "lr_patch_size"), count)
    | dict.fromkeys(("validate_every", "checkpoint_every", "validation_images"), maybe(count))
    | dict.fromkeys(("halve_at", "adam_betas"), listed(number))
    | dict.fromkeys(("flips", "quarter_turns", "jpeg_noise"), flag)
    | dict.fromkeys(("schedule", "precision", "optimizer"), text)
    | dict.fromkeys(("gradient_clip_norm", "adjustable_clip", "ema"), maybe(number))
    | dict.fromkeys(("adam_eps", "momentum", "weight_decay"), number)
    | {"warmup_steps": count},
)
_START = record({"source": text}, {"keep": listed(text), "freeze": flag})
_IMAGES = listed(record({"set": text, "name": text, "sha256": text}))

_RUN = record(
    {},
    {
        "variant": text,
        "network": _OBJECT,
        "objective": _OBJECT,
        "start": _START,
        "source": record({"run": text, "weights": text}),
        "learning_rate": number,
        "seed": count,
        "protocol": _TRAINING,
        "evaluation": _EVALUATION,
        "threads": count,
    },
)
_RESULT = record(
    {"status": one_of("finished", "diverged")},
    {
        "step": count,
        "seconds": amount,
        "processor_seconds": amount,
        "loss": maybe(number),
        "reason": maybe(text),
        "remarks": listed(text),
    },
)
SESSION = record(
    {},
    {
        "started": text,
        "ended": maybe(text),
        "git": maybe(record({}, {"commit": text, "dirty": flag})),
        "versions": keyed(text),
        "python": text,
        "platform": text,
        "cpu": text,
        "cores": maybe(count),
        "device": text,
        "threads": count,
    },
)
_CHOICE = record(
    {"learning_rate": maybe(number), "psnr_y": maybe(decibels)},
    {
        "since": maybe(text),
        "measure": maybe(text),
        "distance": maybe(number),
        "waits_for": listed(text),
        "left_out": listed(text),
        "previous": record({"learning_rate": number, "psnr_y": maybe(decibels)}),
        "superseded": listed(record({"learning_rate": number, "psnr_y": maybe(decibels)})),
    },
)

STUDY = record(
    {
        "name": text,
        "question": text,
        "scale": one_of(2, 3, 4),
        "evaluation": _EVALUATION,
        "variants": listed(
            record(
                {"name": text, "parameters": count, "running_statistics": count, "multiply_adds": count},
                {
                    "network": _OBJECT,
                    "objective": _OBJECT,
                    "start": _START,
                    "protocol": _TRAINING,
                    "frozen": count,
                },
            )
        ),
        "images": record({"train": _IMAGES, "validation": _IMAGES, "test": _IMAGES}),
        "seeds": listed(count),
        "test": listed(text),
        "runs": listed(record({"name": text, "variant": text, "learning_rate": number, "seed": count})),
    },
    {
        "protocol": _TRAINING,
        "device": text,
        "data": text,
        "learning_rates": listed(number),
        "train": listed(text),
        "validate": listed(text),
        "notes": keyed(text),
        "primary": listed(text),
    },
)
SCORES = record(
    {
        "protocol": _EVALUATION,
        "scale": one_of(2, 3, 4),
        "scores": listed(record({"dataset": text, "image": text, "metric": text, "value": decibels})),
    },
    {"weights": keyed(text)},
)

LOGGED = both(record({"step": count}), keyed(maybe(number)))  # a line of metrics.jsonl

# Of files that are read for what they say alone; the others are checked after their format's version.
BY_NAME: Mapping[str, Shape] = {
    "run.json": _RUN,
    "result.json": _RESULT,
    "provenance.json": record({"sessions": listed(SESSION)}),
    "choice.json": record({"variants": keyed(_CHOICE)}),
}

_COPY = "put a copy of the file back"
_TRAIN = f"{_COPY}, or remove the run's folder and run the same `srlab study` again"
_SCORE = f"{_COPY}, or remove it and run the same `srlab study` again, which scores again"
REMEDIES: Mapping[str, str] = {
    "run.json": _TRAIN,
    "result.json": _TRAIN,
    "choice.json": f"{_COPY}, or remove it and run the same `srlab study` again, which chooses again",
    "looks.json": _COPY,
    "scores.json": _SCORE,
    "perceptual.json": f"{_COPY}, or remove it and run `srlab perceptual` again",
    "profile.json": f"{_COPY}, or remove it and run `srlab profile` again",
    "metrics.jsonl": f"{_COPY}, or remove that line, which is used only for curves and times",
    "study.json": _COPY,
}


def remedy(name: str) -> str:
    """What to do about a file of that name that is not as srlab writes it."""
    return REMEDIES.get(name, f"{_COPY}, or remove it")
