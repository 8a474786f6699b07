"""What a study promises where something else changed a file: a line that names it, nothing believed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from made_study import MadeRun, MadeStudy
from profiled_study import declare, made_profile
from srlab.errors import UserError
from srlab.folder import store
from srlab.folder.choice import load_choice, update_choice
from srlab.folder.profile_store import PROFILE, add_profile, load_profiles
from srlab.folder.records import logged_lines, logged_values, read_runs
from srlab.folder.schema import RunFile
from srlab.training.remarks import discriminator_remarks

RUN = "a-lr0.001-seed0"
LINE = b'{"step": 1, "loss": null, "psnr_y": 30.0}\n'


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = MadeStudy(runs=[MadeRun(variant="a", psnr_y=30.0)]).write(tmp_path)
    (folder / RUN / store.METRICS).write_bytes(LINE)
    return folder


def read(folder: Path) -> None:
    read_runs(folder)
    load_choice(folder)
    store.read(folder / RUN / store.RUN, RunFile)


def change(path: Path, *place: str | int, to: Any) -> None:
    """Put another value into a JSON file."""
    values = at = json.loads(path.read_text())
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = to
    path.write_text(json.dumps(values))


def test_what_srlab_wrote_is_read(study: Path) -> None:
    read(study)
    assert logged_values(logged_lines(study / RUN), "psnr_y") == ((1, 30.0),)
    assert logged_values(logged_lines(study / RUN), "loss") == ()


@pytest.mark.parametrize(
    ("file", "place", "value", "wrong"),
    [
        (f"{RUN}/result.json", ("status",), "banana", r'status is "banana", not diverged or finished'),
        (f"{RUN}/result.json", ("seconds",), -1, "seconds is -1, not a number of at least 0"),
        (f"{RUN}/result.json", ("step",), 2.5, "step is 2.5, not a whole number"),
        (f"{RUN}/result.json", ("step",), 10**400, "step is 1000.*, not a whole number of at most"),
        (f"{RUN}/result.json", ("loss",), float("nan"), "NaN is not a number"),
        (f"{RUN}/result.json", ("remarks",), "won", "remarks is .won., not a list"),
        (f"{RUN}/run.json", ("source",), "a", "source is .a., not an object"),
        (f"{RUN}/run.json", ("threads",), True, "threads is true, not a whole number"),
        (f"{RUN}/scores.json", ("scores", 0, "value"), None, r"scores\[0\]\.value is null, not a number"),
        (f"{RUN}/scores.json", ("scores", 0, "image"), ["a"], r"scores\[0\]\.image is .*, not text"),
        (f"{RUN}/scores.json", ("protocol", "gamma"), 2, "without 'gamma'"),
        ("choice.json", ("variants",), [], r"variants is \[\], not an object"),
        ("choice.json", ("variants", "a", "learning_rate"), "x", "variants.a.learning_rate is .x., not a"),
        ("choice.json", ("variants", "a"), {}, "an object with 'learning_rate'"),
        ("choice.json", ("variants", "a", "superseded"), {}, "superseded is {}, not a list"),
        ("study.json", ("scale",), 2.0, "scale is 2.0, not a whole number"),
        ("study.json", ("runs", 0, "seed"), -1, r"runs\[0\]\.seed is -1, not a whole number of at least 0"),
        ("study.json", ("variants", 0, "network"), {"skip": "\0"}, "network.skip is .*, not printable text"),
        ("study.json", ("name",), "a\0b", "name is .*, not text"),
        ("study.json", ("variants", 0, "protocol"), {"batch_size": [1]}, "protocol.batch_size is"),
    ],
    ids=str,
)
def test_a_value_that_does_not_belong_there_is_named_with_file_and_remedy(
    study: Path, file: str, place: tuple[str | int, ...], value: object, wrong: str
) -> None:
    change(study / file, *place, to=value)
    with pytest.raises(UserError, match=rf"{file} .*{wrong}.*put a copy of the file back"):
        read(study)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"\0" * 40, b"[" * 10_000])
@pytest.mark.parametrize("file", ["study.json", "choice.json", f"{RUN}/result.json", f"{RUN}/scores.json"])
def test_a_file_that_was_cut_or_is_another_is_named(study: Path, file: str, content: bytes) -> None:
    (study / file).write_bytes(content)
    with pytest.raises(UserError, match=f"{file} .*put a copy of the file back"):
        read(study)


@pytest.mark.parametrize(
    ("names", "wrong"),
    [
        ({"variants": 2}, "two variants have the name 'a'"),
        ({"runs": 2}, f"two runs have the name '{RUN}'"),
    ],
    ids=str,
)
def test_no_name_stands_twice_in_a_study(study: Path, names: dict[str, int], wrong: str) -> None:
    for key, times in names.items():
        change(study / store.STUDY, key, to=times * store.load_json(study / store.STUDY)[key])
    with pytest.raises(UserError, match=wrong):
        store.load_study(study)


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        (LINE + b"garbage\n", "line 2"),
        (b'{"psnr_y": 30.0}\n', "line 1: the whole is .*, not an object with 'step'"),
        (b'{"step": 1, "psnr_y": NaN}\n', "line 1: NaN is not a number"),
        (b'{"step": 1, "psnr_y": "30"}\n', "line 1: psnr_y is .30., not a number"),
        (LINE + b"\xff\xfe", "line 2"),
        (LINE + b'{"psnr_y": 3}', "line 2"),
    ],
    ids=str,
)
def test_a_log_that_something_else_changed_is_named_with_the_line(
    study: Path, lines: bytes, wrong: str
) -> None:
    (study / RUN / store.METRICS).write_bytes(lines)
    readers: list[Callable[[], object]] = [
        lambda: read_runs(study),
        lambda: logged_values(logged_lines(study / RUN), "psnr_y"),
        lambda: discriminator_remarks(study / RUN, num_steps=1),
    ]
    for reader in readers:
        with pytest.raises(UserError, match=rf"metrics\.jsonl .*{wrong}.*remove that line"):
            reader()


@pytest.mark.parametrize("last", [b"", b'{"step"', b'{"step": 2, "psnr_y": 31.'])
def test_a_last_line_that_is_being_written_is_no_fault(study: Path, last: bytes) -> None:
    (study / RUN / store.METRICS).write_bytes(LINE + last)
    read_runs(study)
    assert logged_values(logged_lines(study / RUN), "psnr_y") == ((1, 30.0),)


def test_a_choice_that_something_else_changed_is_not_written_over(study: Path) -> None:
    (study / store.CHOICE).write_text("mine")
    with pytest.raises(UserError, match=r"choice\.json"):
        update_choice(study)
    assert (study / store.CHOICE).read_text() == "mine"


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("sizes",), []),
        (("sizes", 0), [1280, 0]),
        (("load",), "low"),
        (("setting", "threads"), None),
        (("setting", "extra"), 1),
        (("provenance",), []),
        (("variants", 0, "enlarging", 0, "seconds"), [0]),
        (("variants", 0, "enlarging", 0, "before_bytes"), []),
        (("variants", 1, "training", "seconds"), 3),
    ],
    ids=str,
)
def test_a_profile_that_something_else_changed_is_named(
    tmp_path: Path, place: tuple[str | int, ...], value: object
) -> None:
    folder = declare(tmp_path / "study")
    add_profile(folder, made_profile(folder))
    change(folder / PROFILE, "profiles", 0, *place, to=value)
    with pytest.raises(UserError, match=r"profile\.json .*run `srlab profile` again"):
        load_profiles(folder)
