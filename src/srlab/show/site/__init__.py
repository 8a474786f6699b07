"""A static site of studies: a folder that any web server shows, GitHub Pages too, or a browser from the disk.

It has an index with each study's answer, and for each study a folder: its report, its scores as files, and
the winner's weights with a model card. Links are relative. The site is made in a hidden folder, and put into
its place when it is whole. Needs no torch.
"""

import base64
import glob
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from markupsafe import Markup

import srlab
from srlab.errors import FULL, UserError
from srlab.files import is_at_work, write_text
from srlab.folder import store
from srlab.folder.records import StudyFolder, in_words
from srlab.show.grid import Grid
from srlab.show.grid.html import as_html
from srlab.show.leaderboard import leaderboard
from srlab.show.report import write_report
from srlab.show.report.assets import environment, for_script, script, style
from srlab.show.site.card import WEIGHTS, ModelCard, as_markdown, make_card
from srlab.show.tables.board import board_grid
from srlab.words import num_bytes

MARK = "srlab-site.json"
_INDEX, _NO_JEKYLL = "index.html", ".nojekyll"  # without the second, GitHub Pages leaves files out
_MODEL, _CARD, _CODE = "model", "README.md", "code"
_OLD = ".old"  # what the new site replaces, until that is in its place
_TOP = 5  # rows of a leaderboard in the index
_FORMAT = {"format": "srlab site", "version": 1}


@dataclass(frozen=True, kw_only=True)
class Link:
    """A file of the site, by its way from the index."""

    label: str
    target: str
    size: str = ""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What the index shows of a study. `no_model` says why there are no weights, where there is no `card`."""

    folder: str
    name: str
    scale: int
    question: str
    headline: tuple[str, ...]
    states: tuple[tuple[str, int], ...]
    top: Grid
    others: int
    links: tuple[Link, ...]
    card: ModelCard | None
    no_model: str


def write_site(
    studies: Sequence[Path], folder: Path, *, title: str = "Studies", licence: str | None = None
) -> list[Entry]:
    """Write the site of `studies` to `folder`, and return what its index shows.

    A site that is there already is replaced: it then has these studies alone. Files beside it that are not
    the site's, such as ``.git`` and ``CNAME``, stay; one within a study's folder there is refused.

    Args:
        studies: studies' folders, finished or not; they are only read.
        folder: where the site goes. It is new, empty, or a site of `write_site`.
        title: what the index is called.
        licence: the licence of the weights, as an SPDX identifier or in words.

    Raises:
        UserError: a folder is not a study's, `folder` is something else, or a file is in the way.
        OSError: the disk is full or read-only; `folder` is as it was.
    """
    opened = [StudyFolder(study) for study in studies]
    for one in opened:
        _check_apart(one, folder)
    names = _folder_names([one.study.name for one in opened])
    _remove_left(folder)
    owned, known = _owned(folder)
    _check_free(folder, owned, {*names, _INDEX, _NO_JEKYLL, MARK})
    _check_known(folder, owned, known)
    with _staging(folder) as part:
        entries = [
            _write_study(one, part / name, licence=licence) for one, name in zip(opened, names, strict=True)
        ]
        write_text(part / _INDEX, _index(entries, title))
        write_text(part / _NO_JEKYLL, "")
        made = {
            "entries": sorted({*names, _INDEX, _NO_JEKYLL, MARK}),
            "files": sorted({*_files(part, part), MARK}),
        }
        write_text(part / MARK, json.dumps({**_FORMAT, **made}, indent=2) + "\n")
        _put(part, folder, owned)
    return entries


# A study


def _write_study(opened: StudyFolder, folder: Path, *, licence: str | None) -> Entry:
    study = opened.study
    page, *data = write_report(opened.path, folder / "report.html")
    board = leaderboard(opened)
    card, no_model = None, ""
    try:
        card = make_card(opened, licence=licence)
    except UserError as error:
        no_model = str(error).replace(str(opened.path), study.name)
    if card is not None:
        _write_model(card, folder / _MODEL)
    grid = board_grid(board)
    home = folder.name
    return Entry(
        folder=home,
        name=study.name,
        scale=study.scale,
        question=board.question,
        headline=board.headline,
        states=tuple(Counter(in_words(run.status) for run in opened.runs).items()),
        top=replace(grid, name=f"{home}-leaderboard", rows=grid.rows[: _TOP + 1]),  # bicubic is one
        others=max(0, len(grid.rows) - _TOP - 1),
        links=tuple(
            Link(label=path.name, target=f"{home}/{path.name}", size=num_bytes(path.stat().st_size))
            for path in (page, *data)
        ),
        card=card,
        no_model=no_model,
    )


def _write_model(card: ModelCard, folder: Path) -> None:
    folder.mkdir(parents=True)
    shutil.copyfile(card.weights, folder / WEIGHTS)
    write_text(folder / _CARD, as_markdown(card))
    if card.code is not None:
        shutil.copytree(card.code, folder / _CODE / card.code.name)


def _folder_names(names: Sequence[str]) -> list[str]:
    """A folder's name for each study, no two alike, also where capitals do not count."""
    found: list[str] = []
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-").lower() or "study"
        free, number = plain, 1
        while free in found:  # another study may be called name-2 already
            number += 1
            free = f"{plain}-{number}"
        found.append(free)
    return found


def _index(entries: Sequence[Entry], title: str) -> str:
    code = script("state.js", "tables.js")
    return (
        environment("srlab.show.site")
        .get_template("site.html")
        .render(
            title=title,
            entries=entries,
            table=as_html,
            made=store.now()[:10],
            version=srlab.__version__,
            style=Markup(style("base.css", "tables.css")),
            script=Markup(code),
            script_hash=base64.b64encode(hashlib.sha256(code.encode()).digest()).decode(),
            data=for_script({"variants": [], "colormap": []}),
        )
    )


# Where it goes


def _check_apart(opened: StudyFolder, folder: Path) -> None:
    study, place = opened.path.resolve(), folder.resolve()
    if study == place or place in study.parents or study in place.parents:
        raise UserError(
            f"{folder} and the study {opened.path} lie in one another; name another folder for the site"
        )
    opened.study  # noqa: B018 - not a study's folder: told before anything is made


def _owned(folder: Path) -> tuple[frozenset[str], frozenset[str]]:
    """What of the folder is the site's, and all files in that; nothing of a folder that is new, or that has
    hidden files alone.
    """
    for place in (folder, *folder.resolve().parents):
        if os.path.lexists(place) and not place.is_dir():
            raise UserError(f"{place} is a file; name a folder for the site")
    if not folder.exists():
        return frozenset(), frozenset()
    mark = folder / MARK
    if not mark.is_file():
        others = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
        if others:
            raise UserError(
                f"{folder} is not empty ({others[0]}) and is not a site of srlab's: it has no {MARK}; name "
                "another folder"
            )
        return frozenset(), frozenset()
    try:
        found = json.loads(mark.read_text(encoding="utf-8"))
        entries = found["entries"] if found["format"] == _FORMAT["format"] else None
        if not isinstance(entries, list) or not all(_is_plain(name) for name in entries):
            raise ValueError("its entries are no names")
        known = frozenset(map(str, found["files"]))
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{mark} is damaged ({error}); name another folder, or remove this one") from error
    return frozenset(entries), known


def _is_plain(name: object) -> bool:
    return isinstance(name, str) and re.fullmatch(r"(?!\.\.?$)[\w.-]+", name) is not None


def _check_free(folder: Path, owned: frozenset[str], wanted: set[str]) -> None:
    for name in sorted(wanted - owned):
        if os.path.lexists(folder / name):
            raise UserError(
                f"{folder / name} is not the site's, and is in its way; move it, or name another folder"
            )


def _check_known(folder: Path, owned: frozenset[str], known: frozenset[str]) -> None:
    """Raise `UserError` for a file of somebody else's where all will be replaced."""
    for name in sorted(owned):
        for file in _files(folder / name, folder):
            if file not in known:
                raise UserError(
                    f"{folder / file} is not the site's, and {folder / name} is about to be replaced; move "
                    f"the file out of {folder / name}"
                )


def _files(top: Path, start: Path) -> Iterator[str]:
    """All files of a folder, by their way from `start`."""
    for place, folders, names in os.walk(top):
        links = [name for name in folders if Path(place, name).is_symlink()]
        for name in sorted([*names, *links]):
            yield Path(place, name).relative_to(start).as_posix()


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """A hidden folder on the same disk as `folder`, that is gone at the end. Errors name `folder`.

    It is in `folder` if that exists, which may be a disk of its own, and else beside it.
    """
    home, start = _home(folder)
    home.mkdir(parents=True, exist_ok=True)
    with _naming(folder, home):
        part = Path(tempfile.mkdtemp(prefix=f"{start}{os.getpid()}.", suffix=".part", dir=home))
    try:
        with _naming(folder, part):
            yield part
    finally:
        if not (part / _OLD).exists():  # else the old site could not be put back
            shutil.rmtree(part, ignore_errors=True)


def _home(folder: Path) -> tuple[Path, str]:
    """Where the hidden folder is, and how its name begins, before the process's number."""
    place = folder.resolve()
    return place if place.exists() else place.parent, f".{place.name[:50]}."


def _remove_left(folder: Path) -> None:
    """Remove what killed processes have left; a `UserError` if that has files of the old site."""
    home, start = _home(folder)
    for part in home.glob(f"{glob.escape(start)}*.part"):
        found = re.fullmatch(r"(\d+)\.[^.]+\.part", part.name[len(start) :])
        if found is None or (int(found[1]) != os.getpid() and is_at_work(int(found[1]))):
            continue
        if (part / _OLD).exists():
            raise UserError(
                f"srlab publish was ended while it replaced {folder}; {part / _OLD} has the files that were "
                f"there: move them back into {folder}, and remove {part}"
            )
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def _naming(folder: Path, part: Path) -> Iterator[None]:
    """An `OSError` in here names the place of the site and not that of its parts."""
    try:
        yield
    except OSError as error:
        named = str(error.filename or folder)
        if error.errno in FULL or named.startswith(str(part)):
            raise OSError(error.errno, error.strerror, str(folder)) from error
        raise


def _put(part: Path, folder: Path, owned: frozenset[str]) -> None:
    """Move the whole site into its place by renames alone; what was there before comes back if one fails, or
    if it is interrupted.
    """
    place = folder.resolve()
    part.chmod(0o755)
    if not place.exists():
        part.rename(place)
        return
    old = part / _OLD
    moves = [(place / name, old / name) for name in sorted(owned) if os.path.lexists(place / name)]
    moves += [(path, place / path.name) for path in part.iterdir()]
    begun: list[tuple[Path, Path]] = []
    try:
        old.mkdir()
        for before, after in moves:
            begun.append((before, after))  # first: an interrupt may come right after the move
            before.rename(after)
    except BaseException:
        for before, after in reversed(begun):
            if os.path.lexists(after) and not os.path.lexists(before):
                after.rename(before)
        if old.exists():
            old.rmdir()
        raise
    old.rename(part / "replaced")
