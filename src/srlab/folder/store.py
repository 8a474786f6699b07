"""A study's folder: all that is known of the study is in it. Needs no torch.

docs/files.md lists it file by file. There is no index and no state machine. Each file is written under
another name and then renamed, so that a reader never sees half of one. A run's ``result.json`` is written
last: without it, the run is not finished.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from srlab.declare.protocol import validation_interval
from srlab.errors import UserError
from srlab.files import write_atomically as write_atomically
from srlab.files import write_text as write_text
from srlab.folder.reading import changed_by_something_else as changed_by_something_else
from srlab.folder.reading import load_json as load_json
from srlab.folder.reading import read as read
from srlab.folder.reading import save as save
from srlab.folder.reading import save_json as save_json
from srlab.folder.schema import RunFile, StudyFile, as_json

STUDY = "study.json"
CHOICE = "choice.json"
LOOKS = "looks.json"  # at how many seeds the results were looked at
BASELINE = "bicubic"  # a folder like a run's, with bicubic's scores and pictures
RUN = "run.json"
PROVENANCE = "provenance.json"
SCORES = "scores.json"
TEST = "test"
TEST_SCORES = "test/scores.json"
VALIDATION_PERCEPTUAL = "perceptual.json"  # in the format of SCORES
PERCEPTUAL_SCORES = "test/perceptual.json"  # in the format of TEST_SCORES
RESULT = "result.json"
FAILURE = "failure.txt"
BLOCKED = "blocked.txt"  # why a run could not start: what it starts from has failed
WEIGHTS = "weights.safetensors"
LAST_WEIGHTS = "last.safetensors"  # those of the last step, where WEIGHTS are averaged
METRICS = "metrics.jsonl"


def plain(values: Any) -> Any:
    """`values` as they come back from a JSON file: tuples are lists, keys are strings."""
    return json.loads(json.dumps(values, allow_nan=False))


def digest(values: Any) -> str:
    """SHA-256 of `values` as JSON, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, allow_nan=False).encode()).hexdigest()


def now() -> str:
    """The time, as ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def is_study(folder: Path) -> bool:
    """Whether `folder` is a study's."""
    return (folder / STUDY).is_file()


def is_finished(folder: Path) -> bool:
    """Whether the run in `folder` has ended, well or diverged: its result is the last file written."""
    return (folder / RESULT).is_file()


def load_study(folder: Path) -> StudyFile:
    """``study.json`` of a study's folder; a `UserError` if `folder` is not one."""
    if not is_study(folder):
        if begun := sorted(
            place.parent for part in ("rates", "budgets") for place in folder.glob(f"{part}/*/{STUDY}")
        ):
            raise UserError(
                f"the study in {folder} has only begun, with a shorter one that has its own folder: look "
                f"at {begun[-1]}, or wait until it has ended"
            )
        what = "is not the folder of a study: it has no study.json" if folder.exists() else "does not exist"
        raise UserError(f"{folder} {what}; `srlab study NAME` makes a study's folder, by default runs/NAME")
    return read(folder / STUDY, StudyFile)


Change = tuple[str, Any, Any]  # the name, what was found, what was asked for


def differences(found: Any, asked: Any, *, path: str = "") -> list[Change]:
    """Where two JSON values differ: the name (``protocol.num_steps``), what was found and what was asked for.

    >>> differences({"protocol": {"num_steps": 10}, "seed": 0}, {"protocol": {"num_steps": 20}, "seed": 0})
    [('protocol.num_steps', 10, 20)]
    """
    if isinstance(found, Mapping) and isinstance(asked, Mapping):
        return [
            difference
            for key in sorted({*found, *asked})
            for difference in differences(
                found.get(key), asked.get(key), path=f"{path}.{key}" if path else str(key)
            )
        ]
    return [] if found == asked else [(path, found, asked)]


def declared_otherwise(found: Mapping[str, Any], asked: Mapping[str, Any]) -> list[Change]:
    """`differences` of two declarations. The default of ``validate_every`` is the number that it stands for.

    >>> def declaration(every):
    ...     return {"protocol": {"num_steps": 1500, "validate_every": every}}
    >>> declared_otherwise(declaration(150), declaration(None))
    []
    >>> declared_otherwise(declaration(9), declaration(None))
    [('protocol.validate_every', 9, None)]
    """
    changed = differences(found, asked)
    names = [name for name, _, _ in changed]
    if "protocol.validate_every" in names and "protocol.num_steps" not in names:
        there, here = (
            validation_interval(one["protocol"]["num_steps"], one["protocol"].get("validate_every"))
            for one in (found, asked)
        )
        if there == here:
            return [one for one in changed if one[0] != "protocol.validate_every"]
    return changed


def describe_differences(changed: list[Change]) -> str:
    """Names with both values, as an error message has them.

    >>> describe_differences([("protocol.num_steps", 10, 20)])
    'number of steps (10 there, 20 asked for)'
    """
    return ", ".join(
        f"{_in_words(name)} ({_short(found)} there, {_short(asked)} asked for)"
        for name, found, asked in changed
    )


def _in_words(name: str) -> str:
    if name.endswith("network.code"):
        return f"{name.removesuffix('.code')}: other code of your own"
    before, is_of_loss, loss = name.partition("objective.code.")
    if is_of_loss:
        return f"{before}loss {loss}: other code of your own"
    return "number of steps" if name == "protocol.num_steps" else name


def _short(value: Any) -> str:
    if value is None:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else text[:28] + "..." + text[-28:]


def check_claim(folder: Path, declaration: RunFile, *, ignoring: tuple[str, ...] = ()) -> None:
    """Raise `UserError` if `folder` holds a run declared otherwise; the keys in `ignoring` may differ."""
    if not (folder / RUN).exists():
        return
    read(folder / RUN, RunFile)
    changed = [
        one
        for one in declared_otherwise(load_json(folder / RUN), as_json(declaration))
        if one[0].partition(".")[0] not in ignoring
    ]
    if changed:
        raise UserError(
            f"{folder} holds a run that was started with another {describe_differences(changed)}; a run "
            "never continues with changed settings, so ask for the same ones, or give this study another "
            "--out"
        )


def claim(folder: Path, declaration: RunFile, *, ignoring: tuple[str, ...] = ()) -> RunFile:
    """Make `folder` the place of one declared run and return the declaration it is held to.

    A `UserError` if it already holds another one. What is in `ignoring` stays as it was first declared.
    """
    check_claim(folder, declaration, ignoring=ignoring)
    if not (folder / RUN).exists():
        save(folder / RUN, declaration)
    return read(folder / RUN, RunFile)


@contextmanager
def locked(path: Path, *, busy: str, timeout: float = 0) -> Iterator[None]:
    """Hold the lock file `path`; `UserError(busy)` if another process keeps it for `timeout` seconds.

    The system lets go of it when the process ends, however it ends.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(
            f"{path.parent} should be a folder, but a file has that name; remove the file"
        ) from error
    lock = FileLock(path)
    try:
        lock.acquire(timeout=timeout)
    except Timeout as error:
        raise UserError(busy) from error
    try:
        yield
    finally:
        lock.release()
