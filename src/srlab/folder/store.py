"""A study's folder: all that is known of the study is in it. Needs no torch.

docs/files.md lists it file by file. There is no index and no state machine. Each file is written under
another name and then renamed, so that a reader never sees half of one. A run's ``result.json`` is written
last: without it, the run is not finished.
"""

import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections import Counter
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
from srlab.folder import shapes

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

_PACKAGES = ("srlab", "torch", "numpy", "scipy", "pillow", "opencv-python-headless", "safetensors")


def save_json(path: Path, values: Any) -> None:
    """Numbers as Python has them; NaN is refused, since a reader could not tell it from missing."""
    text = json.dumps(values, indent=2, allow_nan=False) + "\n"
    write_text(path, text)


def load_json(path: Path) -> Any:
    """What `save_json` wrote; a `UserError` if the file is not JSON, or not what its name says it is."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{path} is not valid JSON ({error}), so another program changed it: " + shapes.remedy(path.name)
        ) from error
    if path.name in shapes.BY_NAME:
        check_shape(path, values, shapes.BY_NAME[path.name])
    return values


def load_object(path: Path, *keys: str) -> dict[str, Any]:
    """The JSON object in `path`; a `UserError` if it is not one, or lacks one of `keys`."""
    values: dict[str, Any] = load_json(path)
    check_shape(path, values, shapes.record(dict.fromkeys(keys, shapes.anything)))
    return values


def check_shape(path: Path, values: Any, shape: shapes.Shape) -> None:
    """Raise `UserError` if `values`, the JSON in `path`, are not of that shape."""
    try:
        shape(values, "")
    except shapes.MisshapenError as error:
        raise changed_by_something_else(path, error) from error


def changed_by_something_else(path: Path, wrong: object) -> UserError:
    """That the file at `path` is not as srlab writes it: what is `wrong` with it, and what to do."""
    return UserError(
        f"{path} was not written by srlab, or another program changed it: {wrong}; {shapes.remedy(path.name)}"
    )


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


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


def load_study(folder: Path) -> dict[str, Any]:
    """``study.json`` of a study's folder; a `UserError` if `folder` is not one."""
    if not is_study(folder):
        what = "is not the folder of a study: it has no study.json" if folder.exists() else "does not exist"
        raise UserError(f"{folder} {what}; `srlab study NAME` makes a study's folder, by default runs/NAME")
    path = folder / STUDY
    study = load_object(path)
    if study.get("format") != "srlab study":
        raise UserError(f"{path} was not written by srlab")
    if study.get("version") != 1:
        raise UserError(f"{path} has version {study.get('version')!r}; this srlab reads version 1")
    check_shape(path, study, shapes.STUDY)
    if wrong := _contradiction(study):
        raise changed_by_something_else(path, wrong)
    return study


def _contradiction(study: Mapping[str, Any]) -> str | None:
    """What is at odds within a study, in words; every run's folder must be one in the study's."""
    names = [variant["name"] for variant in study["variants"]]
    folders = [run["name"] for run in study["runs"]]
    for of_what, found in (("variant", names), ("run", folders)):
        if doubled := sorted(name for name, count in Counter(found).items() if count > 1):
            return f"two {of_what}s have the name {doubled[0]!r}"
    primary = study.get("primary")
    if primary is not None and (len(primary) != 2 or len({*primary} & {*names}) != 2):
        return f"its planned comparison is not of two of its variants, but of {', '.join(primary) or 'none'}"
    for run in study["runs"]:
        if Path(run["name"]).name != run["name"] or run["name"] in ("", "..") or "\0" in run["name"]:
            return f"{run['name']!r} is not a valid name of a run"
        if run["variant"] not in names:
            return (
                f"the run {run['name']!r} names the variant {run['variant']!r}, which the study does not have"
            )
    return None


def differences(found: Any, asked: Any, *, path: str = "") -> list[tuple[str, Any, Any]]:
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


def declared_otherwise(found: Mapping[str, Any], asked: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
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


def describe_differences(changed: list[tuple[str, Any, Any]]) -> str:
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
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else text[:28] + "..." + text[-28:]


def check_claim(folder: Path, declaration: Mapping[str, Any], *, ignoring: tuple[str, ...] = ()) -> None:
    """Raise `UserError` if `folder` holds a run declared otherwise; the keys in `ignoring` may differ."""
    if not (folder / RUN).exists():
        return
    found = load_object(folder / RUN, "variant")
    keep = {key: value for key, value in plain(declaration).items() if key not in ignoring}
    changed = declared_otherwise({key: value for key, value in found.items() if key not in ignoring}, keep)
    if changed:
        raise UserError(
            f"{folder} holds a run that was started with another {describe_differences(changed)}; a run "
            "never continues with changed settings, so give this study another --out"
        )


def claim(folder: Path, declaration: Mapping[str, Any], *, ignoring: tuple[str, ...] = ()) -> dict[str, Any]:
    """Make `folder` the place of one declared run and return the declaration it is held to.

    A `UserError` if it already holds another one. What is in `ignoring` stays as it was first declared.
    """
    check_claim(folder, declaration, ignoring=ignoring)
    if not (folder / RUN).exists():
        save_json(folder / RUN, plain(declaration))
    return load_object(folder / RUN, *declaration)


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


def provenance(*, device: str, threads: int) -> dict[str, Any]:
    """Code, versions and machine that a run is made with; not the host's name, since runs are shared."""
    return {
        "started": now(),
        "ended": None,
        "git": git_state(Path(__file__).parent),
        "python": platform.python_version(),
        "versions": {name: version for name in _PACKAGES if (version := _version(name)) is not None},
        "platform": platform.platform(),
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "device": device,
        "threads": threads,
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def git_state(folder: Path) -> dict[str, Any] | None:
    """Commit of the checkout that tracks `folder`, and whether files differ from it; None elsewhere."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(folder), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        # An installed srlab may lie below someone else's checkout (its virtual environment): not our commit
        # then.
        git("ls-files", "--error-unmatch", "__init__.py")
        return {
            "commit": git("rev-parse", "HEAD"),
            "dirty": bool(git("status", "--porcelain", "--untracked-files=no")),
        }
    except (OSError, subprocess.SubprocessError):
        return None


def cpu_name() -> str:
    """The processor as the system calls it."""
    if sys.platform.startswith("linux"):
        try:
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
        except OSError:
            pass
    return platform.processor() or platform.machine()
