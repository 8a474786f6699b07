"""The code of a user's own networks, losses and metrics: kept in the study's folder, run only if agreed to.

``code/IDENTITY/`` has the study file and the modules beside it that it imports, and ``code.json``, which
names them. Weights from a stranger never run code by themselves: the SHA-256 of what would run must be on the
user's list. A study that the user runs puts its own code there.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import platformdirs

from srlab.declare.objectives import Objective, objective_from_dict
from srlab.errors import UserError
from srlab.files import write_text
from srlab.folder import store
from srlab.networks import NetworkOptions, options_from_dict
from srlab.user_code.code import Code, read_code, run_code
from srlab.user_code.declared import Own, find_own, is_known
from srlab.user_code.identity import Kind

CODE = "code"
_DESCRIPTION = "code.json"
_SHORT = 16  # signs of an identity in the name of a folder
_DIGEST = re.compile(r"[0-9a-f]{64}")
_CALLED: Mapping[Kind, str] = {"Architecture": "network", "Loss": "loss", "Metric": "metric"}


def keep_code(own: Own, study: Path) -> None:
    """Put the code of a thing of a user's into the study's folder, once, and on the user's list."""
    if own.code is None:
        return
    trust_digest(own.code.digest)
    folder = kept_code(study, own.identity)
    if folder.is_dir():
        with suppress(UserError, OSError):
            _read_kept(folder)
            return
        shutil.rmtree(folder)  # it lost a file
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(".*"):  # by a kill; the study's lock is held
        shutil.rmtree(left, ignore_errors=True)
    part = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
    try:
        for name, text in own.code.files:
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            write_text(part / name, text)
        described = {
            "format": "srlab code",
            "version": 1,
            "entry": own.code.entry,
            "files": [name for name, _ in own.code.files],
            "sha256": own.code.digest,
        }
        store.save_json(part / _DESCRIPTION, described)
        part.chmod(0o755)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def kept_code(study: Path, identity: str) -> Path:
    """Where a study's folder has the code of a thing of a user's, told by its identity."""
    return study / CODE / identity[:_SHORT]


def read_network(values: Mapping[str, Any], where: Path) -> NetworkOptions:
    """The options of a network as JSON has them, in a file or folder `where` of a study or a run.

    The code of a user's network is looked for in the study's folder and run, if it is on the user's list.

    Raises:
        UserError: what `options_from_dict` refuses; the code is not there, or not on the list, or fails.
    """
    provide_code(values, where)
    return options_from_dict(values)


def read_objective(values: Mapping[str, Any], where: Path) -> Objective:
    """The same of an objective: the code of its losses that are a user's own is run, if it may be."""
    for name, identity in (values.get("code") or {}).items():
        _provide("Loss", str(name), str(identity), where)
    return objective_from_dict(values)


class CodeRefusedError(UserError):
    """The code of a user's own is not there, or the user has not said that it may run."""


def provide_code(values: Mapping[str, Any], where: Path) -> None:
    """Run the code of a network that is not declared yet, as `read_network` does; others need nothing."""
    if "code" in values:
        _provide("Architecture", str(values.get("architecture")), str(values["code"]), where)


def _provide(kind: Kind, name: str, identity: str, where: Path) -> None:
    if is_known(kind, name, identity):
        return
    what = f"{_CALLED[kind]} {name!r}"
    where_is = where.absolute()
    for folder in (where_is, *where_is.parents[:2]):
        kept = kept_code(folder, identity)
        if _DIGEST.fullmatch(identity) and (kept / _DESCRIPTION).is_file():
            code = _read_kept(kept)
            if code.digest not in trusted():
                raise CodeRefusedError(
                    f"{where} needs the {what}, whose code is in {kept}; such code can do anything "
                    "on your machine, so srlab runs it only after you have agreed: read it, then add --trust "
                    f"{code.digest} once (in Python: srlab.trust)"
                )
            _run(code)
            find_own(kind, name, identity)
            return
    if not _DIGEST.fullmatch(identity):
        find_own(kind, name, identity)  # of an installed package
        return
    raise CodeRefusedError(
        f"{where} needs the {what}, whose code is not there; if you have the file that declares "
        "it, add --trust FILE.py (in Python: srlab.trust)"
    )


def _read_kept(folder: Path) -> Code:
    described = store.load_json(folder / _DESCRIPTION)
    try:
        entry, names = described["entry"], described["files"]
        is_inside = all(".." not in Path(name).parts and not Path(name).is_absolute() for name in names)
        if not is_inside or entry not in names:
            raise ValueError("its files lie elsewhere")
        files = tuple(sorted((name, (folder / name).read_text(encoding="utf-8")) for name in names))
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise CodeRefusedError(
            f"{folder} is damaged ({error}); put a copy of it back, or run its study again"
        ) from error
    return Code(entry=entry, files=files, folder=str(folder))


def _run(code: Code) -> None:
    try:
        run_code(code)
    except (Exception, SystemExit) as error:
        raise UserError(
            f"{Path(code.folder, code.entry)} cannot be run: {type(error).__name__}: {error}"
        ) from error


# What the user has said yes to


def trust(given: str | os.PathLike[str]) -> None:
    """Say that srlab may run a user's code: a Python file, or the SHA-256 that a refusal names. It is kept.

    A file is run at once, so that weights without a study's folder find their network.

    Raises:
        UserError: it is neither, or the file cannot be run.
    """
    if _DIGEST.fullmatch(str(given).lower()):
        trust_digest(str(given).lower())
        return
    path = Path(given)
    if path.suffix != ".py" or not path.is_file():
        raise UserError(
            f"{given} cannot be trusted: name a Python file that is there, or the SHA-256 (64 signs) that "
            "srlab named"
        )
    code = read_code(path)
    _run(code)
    trust_digest(code.digest)


def trusted() -> set[str]:
    """The SHA-256 of all code that the user has said yes to."""
    try:
        text = _list().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        text = ""
    return {*_said_here, *_DIGEST.findall(text)}


def trust_digest(digest: str) -> None:
    """Put a SHA-256 on the user's list; where the list cannot be written, srlab asks again another time."""
    known = trusted()
    if digest in known:
        return
    _said_here.add(digest)
    with suppress(OSError):
        _list().parent.mkdir(parents=True, exist_ok=True)
        write_text(_list(), "".join(f"{one}\n" for one in sorted({*known, digest})))


_said_here: set[str] = set()  # in this process, whether or not the list can be written


def _list() -> Path:
    chosen = os.environ.get("SRLAB_TRUSTED")
    folder = platformdirs.user_config_dir("srlab", appauthor=False)
    return Path(chosen).expanduser() if chosen else Path(folder) / "trusted-code.txt"
