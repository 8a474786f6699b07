"""At how many seeds a study's results were looked at, since each look has a chance of a false alarm.

Needs no torch.
"""

from collections.abc import Sequence
from pathlib import Path

from srlab.folder import store
from srlab.folder.records import read_runs
from srlab.folder.schema import Look, LooksFile


def load_looks(folder: Path) -> tuple[Look, ...]:
    """Those of the study in `folder`, the oldest first."""
    path = folder / store.LOOKS
    return store.read(path, LooksFile).looks if path.is_file() else ()


def save_looks(folder: Path, looks: Sequence[Look]) -> None:
    """Write them all."""
    store.save(folder / store.LOOKS, LooksFile(looks=tuple(looks)))


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
