"""At how many seeds a study's results were looked at, since each look has a chance of a false alarm.

Needs no torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srlab.folder import store
from srlab.folder.records import read_runs


@dataclass(frozen=True, kw_only=True)
class Look:
    """The results with so many `seeds`; `most` is up to how many the study adds until it is decided.

    `most` is None if somebody added the seeds by hand. `undecided` are the variants that need more seeds;
    None before that was found out.
    """

    seeds: int
    most: int | None = None
    undecided: tuple[str, ...] | None = None


def load_looks(folder: Path) -> tuple[Look, ...]:
    """Those of the study in `folder`, the oldest first.

    Raises:
        UserError: something else changed the file.
    """
    path = folder / store.LOOKS
    if not path.is_file():
        return ()
    stored = store.load_object(path, "looks")["looks"]
    try:
        looks = tuple(
            Look(
                seeds=_count(one["seeds"]),
                most=None if one.get("most") is None else _count(one["most"]),
                undecided=None if one.get("undecided") is None else _names(one["undecided"]),
            )
            for one in stored
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise store.changed_by_something_else(path, f"no list of looks ({error})") from error
    if any(look.most is not None and look.most < look.seeds for look in looks):
        raise store.changed_by_something_else(path, "a look has more seeds than the study may have")
    return looks


def save_looks(folder: Path, looks: Sequence[Look]) -> None:
    """Write them all."""
    rows = [
        {
            "seeds": look.seeds,
            **({} if look.most is None else {"most": look.most}),
            **({} if look.undecided is None else {"undecided": list(look.undecided)}),
        }
        for look in looks
    ]
    store.save_json(folder / store.LOOKS, {"looks": rows})


def seeds_scored(folder: Path) -> int:
    """How many seeds of the study in `folder` have test scores; 0 if it is none yet."""
    if not store.is_study(folder):
        return 0
    runs = read_runs(folder)
    return len({run.seed for run in runs if (run.folder / store.TEST_SCORES).is_file()})


def note_look(folder: Path, *, before: int) -> None:
    """Note that the results are there, and were there with `before` seeds when the command began.

    A first seed is no look: with one seed nothing is decided.
    """
    looks = list(load_looks(folder))
    for seeds in (before, seeds_scored(folder)):
        if seeds > max(1, *(look.seeds for look in looks), 1):
            looks.append(Look(seeds=seeds))
    if tuple(looks) != load_looks(folder):
        save_looks(folder, looks)


def _count(value: Any) -> int:
    if type(value) is not int or value < 1:
        raise TypeError(f"{value!r} is not a number of seeds")
    return value


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise TypeError(f"{value!r} are not names")
    return tuple(value)
