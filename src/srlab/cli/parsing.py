"""Lists as they are written on the command line: ``0,4``, ``1e-3,3e-4``, ``set5,set14``."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from srlab.cli.output import say
from srlab.errors import UserError

if TYPE_CHECKING:
    import torch

    from srlab.use.engines import Engine
    from srlab.use.upscale import Precision


@contextmanager
def of_option(*options: str) -> Iterator[None]:
    """A `UserError` raised in here names the option at fault; the library knows only its own arguments.

    An argument's name becomes the option's: ``lr_patch_size`` is ``--lr-patch-size``. Otherwise the
    message begins with the option. Of several options it names those whose words are in the message.

    >>> with of_option("--seeds"):
    ...     raise UserError("a seed is twice in (0, 0)")
    Traceback (most recent call last):
    srlab.errors.UserError: --seeds: a seed is twice in (0, 0)
    >>> with of_option("--batch-size", "--lr-patch-size"):
    ...     raise UserError("lr_patch_size must be at least 1, not 0")
    Traceback (most recent call last):
    srlab.errors.UserError: --lr-patch-size must be at least 1, not 0
    """
    try:
        yield
    except UserError as error:
        message = str(error)
        for option in options:
            argument = option.strip("-").replace("-", "_")
            argument = "num_steps" if argument == "steps" else argument
            if "_" in argument:
                message = re.sub(rf"(?<![\w=-]){argument}\b(?!=)", option, message)
        if not options:
            raise
        if any(option in message for option in options):
            if message == str(error):
                raise
            raise UserError(message) from error
        words = message.replace("_", " ")
        meant = [option for option in options if option.strip("-").replace("-", " ") in words]
        if not meant and len(options) > 1:
            raise
        raise UserError(f"{', '.join(meant or options)}: {message}") from error


def parse_device(name: str | None) -> "torch.device":
    """The device of ``--device``, tried out; a `UserError` that names the option where it cannot be used."""
    from srlab.training.device import find_device

    with of_option("--device"):
        return find_device(name)


def parse_engine(
    engine: "Engine", device: str, *, precision: "Precision | Literal['auto']" = "fp32"
) -> "torch.device":
    """The device of ``--device``, tried out, and of the CPU alone for another engine than torch.

    That the network is translated first is said, since it takes time.
    """
    if engine == "torch":
        return parse_device(device)
    from srlab.use.engines import check_engine

    place = parse_device("cpu" if device == "auto" else device)
    check_engine(engine, device=place, precision=precision)
    say(f"the network is translated for {engine} first, which takes up to a minute")
    return place


def parse_names(text: str, *, option: str) -> tuple[str, ...]:
    """Names or folders between commas.

    >>> parse_names("set5, ./my photos", option="--test")
    ('set5', './my photos')
    """
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    if not names:
        raise UserError(f"{option} is {text!r}; give at least one name")
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{option} names {name!r} twice")
    return names


def parse_seeds(text: str) -> tuple[int, ...]:
    """``3`` is how many (0, 1, 2); with a comma they are the seeds themselves, and ``4,`` is 4 alone.

    >>> parse_seeds("3"), parse_seeds("0,4"), parse_seeds("4,")
    ((0, 1, 2), (0, 4), (4,))
    """
    try:
        numbers = tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        numbers = ()
    if not numbers or any(number < 0 for number in numbers):
        raise UserError(f"--seeds takes a number of seeds (3) or a list of seeds (0,4 or 4,); got {text!r}")
    if "," in text:
        return numbers
    if not 1 <= numbers[0] <= 1000:
        raise UserError(
            f"--seeds {text} asks for {numbers[0]} seeds; 1 to 1000 are possible, and seed {text} is {text},"
        )
    return tuple(range(numbers[0]))


def parse_budgets(text: str) -> tuple[int, ...]:
    """Parts of the steps: ``1/4`` is 4; ``1``, the study itself, may stand among them.

    >>> parse_budgets("1/4,1"), parse_budgets("1/2, 1/10")
    ((4,), (2, 10))
    """
    parts = [part.strip() for part in text.split(",")]
    found = [re.fullmatch(r"1/([1-9]\d*)|1", part) for part in parts]
    if not all(found):
        raise UserError(f"--budgets takes parts of the steps such as 1/4 or 1/4,1/10; got {text!r}")
    return tuple(number for one in found if one is not None and (number := int(one[1] or 1)) > 1)


def check_rate(rate: float) -> float:
    """`rate` itself; a `UserError` if training cannot go by it."""
    if not 0 < rate < float("inf"):
        raise UserError(f"--learning-rate must be a positive number such as 3e-4; got {rate:g}")
    return rate


def parse_rates(text: str) -> tuple[float, ...]:
    """Learning rates between commas.

    >>> parse_rates("1e-3,0.0003")
    (0.001, 0.0003)
    """
    try:
        rates = tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        rates = ()
    if not rates or not all(0 < rate < float("inf") for rate in rates):
        raise UserError(f"--learning-rates takes positive numbers such as 1e-3,3e-4; got {text!r}")
    return rates


def parse_changes(settings: list[str], *, option: str = "--set") -> dict[str, str]:
    """``key=value`` texts as a dict.

    >>> parse_changes(["activation=prelu", "num_blocks=8"])
    {'activation': 'prelu', 'num_blocks': '8'}
    """
    changes: dict[str, str] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise UserError(f"{option} takes KEY=VALUE, such as activation=prelu; got {setting!r}")
        if name.strip() in changes:
            raise UserError(f"{option} names {name.strip()} twice")
        changes[name.strip()] = value.strip()
    return changes
