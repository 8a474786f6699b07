"""What can be chosen and watched: the networks that come with srlab, and studies, which may be at work."""

import asyncio
import hashlib
import os
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from markupsafe import Markup

from srlab.errors import UserError
from srlab.folder.records import StudyFolder, in_words
from srlab.folder.winner import find_weights, ranking, short_of_bicubic, winner
from srlab.show.grid.html import as_html
from srlab.show.leaderboard import important_notes, leaderboard
from srlab.show.tables.board import board_grid, legend, measured_grids
from srlab.use.models import file_state, included

_LEAST_SECONDS = 2.0  # between two looks into a study's folder
_PASSED_OVER = ("test", "tensorboard", "code", "pictures")  # folders of many files, none of which matters


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A network to choose. `key` names it in the form; `model` is what `srlab.load` takes."""

    key: str
    name: str
    group: str
    scale: int
    model: str
    about: str = ""
    is_first: bool = False


@dataclass(frozen=True, kw_only=True)
class View:
    """What a page shows of a study now. `problem` says why it cannot be read, and then there is no more."""

    name: str
    scale: int = 0
    question: str = ""
    headline: tuple[str, ...] = ()
    states: tuple[tuple[str, int], ...] = ()
    is_open: bool = False
    tables: tuple[Markup, ...] = ()
    legend: str = ""
    notes: tuple[str, ...] = ()
    choices: tuple[Choice, ...] = ()
    problem: str = ""
    digest: str = ""  # of all that is shown


class Study:
    """A study's folder that is looked into again when its files have changed."""

    def __init__(self, path: Path, *, number: int) -> None:
        self.path = path
        self.number = number
        self.view = View(name=path.name)
        self._stamp: str | None = None
        self._looked = float("-inf")
        self._lock = asyncio.Lock()

    async def look(self) -> View:
        """The study as it is now, or was two seconds ago at most."""
        async with self._lock:
            if time.monotonic() - self._looked > _LEAST_SECONDS:
                stamp = await asyncio.to_thread(stamp_of, self.path)
                if stamp != self._stamp:
                    self.view = await asyncio.to_thread(read_view, self.path, number=self.number)
                    self._stamp = stamp
                self._looked = time.monotonic()
            return self.view


def stamp_of(study: Path, *, with_logs: bool = False) -> str:
    """What is another one when a file of the study has changed; logs change all the time."""
    suffixes = (".json", ".jsonl") if with_logs else (".json",)
    found = []
    for folder, folders, names in os.walk(study):
        folders[:] = [name for name in folders if name not in _PASSED_OVER]
        for path in (Path(folder, name) for name in names if name.endswith(suffixes)):
            with suppress(OSError):  # it was just replaced; the next look sees it
                status = path.stat()
                found.append(f"{path} {status.st_mtime_ns} {status.st_size}")
    return "\n".join(sorted(found))


def read_view(path: Path, *, number: int = 1) -> View:
    """What a study's page shows; a folder that cannot be read is told and no error."""
    try:
        view = _read_view(path, number)
    except (UserError, OSError) as error:
        message = str(error).replace(str(path), path.name)
        view = View(name=path.name, problem=message)
    shown = repr(replace(view, choices=()))
    return replace(view, digest=hashlib.sha256(shown.encode()).hexdigest()[:16])


def _read_view(path: Path, number: int) -> View:
    opened = StudyFolder(path)
    board = leaderboard(opened)
    states = Counter(in_words(run.status) for run in opened.runs)
    grids = [board_grid(board), *measured_grids(board)]
    return View(
        name=board.name,
        scale=board.scale,
        question=board.question,
        headline=board.headline,
        states=tuple(states.items()),
        is_open=any(run.status in ("started", "not started") for run in opened.runs),
        tables=tuple(
            as_html(
                grid,
                f"table-{place}",
                header=next((at for at, column in enumerate(grid.columns) if column.is_name), 0),
            )
            for place, grid in enumerate(grids)
        ),
        legend=legend(board),
        notes=tuple(important_notes(board)),
        choices=tuple(_choices(opened, number)),
    )


def _choices(opened: StudyFolder, number: int) -> list[Choice]:
    study = opened.study
    best, about = None, "the winner by validation"
    try:
        run = winner(opened)
        best = run.variant
        about += ", not above bicubic there" if short_of_bicubic(opened, run) else ""
    except UserError:
        pass  # not yet
    found = []
    ready = {runs[0].variant for runs in ranking(opened)}
    for place, variant in enumerate(study.variants):
        if variant.name not in ready:
            continue
        try:
            weights = find_weights(opened.path / variant.name).weights
        except UserError:
            continue
        is_best = variant.name == best
        found.append(
            Choice(
                key=f"{number}-{place}",
                name=variant.name,
                group=f"study {study.name}",
                scale=study.scale,
                model=str(weights),
                about=about if is_best else "",
                is_first=is_best,
            )
        )
    return found


def included_choices() -> list[Choice]:
    """The networks that come with srlab whose files are whole."""
    found: list[Choice] = []
    for card in included():
        if file_state(card) != "whole":
            continue
        test = card.tests[0] if card.tests else None
        about = (
            "" if test is None else f"{test.scores['psnr_y'] - test.bicubic['psnr_y']:+.2f} dB on {test.name}"
        )
        found.append(
            Choice(
                key=f"0-{len(found)}",
                name=card.name,
                group="comes with srlab",
                scale=card.scale,
                model=str(card.path),
                about=about,
                is_first=all(card.scale != other.scale for other in found),
            )
        )
    return found


def labels(choices: Sequence[Choice]) -> list[str]:
    """A name for each, no two alike."""
    count = Counter(choice.name for choice in choices)
    named = [
        choice.name if count[choice.name] == 1 else f"{choice.name} ({choice.group})" for choice in choices
    ]
    return [
        label if named.count(label) == 1 else f"{label} {place}" for place, label in enumerate(named, start=1)
    ]
